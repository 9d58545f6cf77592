"""Usage against the database that it comes from, on real proxies: to the cent and to the token (S20-S25)."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.conftest import Stand
from tui import startup
from tui.config import Settings
from tui.gateway import usage
from tui.gateway.usage import Metrics

pytestmark = pytest.mark.live

SEEDED = "seed-user-1"
COLUMNS = ["spend", "prompt_tokens", "completion_tokens", "api_requests", "successful_requests", "failed_requests"]
Row = tuple[Decimal, ...]


@pytest.fixture
async def seeded(live: Stand) -> Stand:
    """A real gateway with `proxy seed`'s rows and a database to ask."""
    if not live.proxy.database:
        pytest.skip("LITELLM_TUI_TEST_DATABASES names no database for this proxy")
    if live.proxy.sql(f"select count(*) from \"LiteLLM_DailyUserSpend\" where user_id = '{SEEDED}'") == [["0"]]:
        pytest.skip("this proxy has not been seeded: ../shared/proxy/proxy seed")
    return live


def sums(stand: Stand, start: Any, end: Any, user_id: str, *by: str) -> dict[tuple[str, ...], Row]:
    """The database's own sums, by columns."""
    names = "".join(f"{name}, " for name in by)
    group = f"group by {', '.join(by)}" if by else ""
    totals = ", ".join(f"sum({name})" + ("::numeric(30,6)" if name == "spend" else "") for name in COLUMNS)
    rows = stand.proxy.sql(
        f'select {names}{totals} from "LiteLLM_DailyUserSpend" '
        f"where user_id = '{user_id}' and date between '{start}' and '{end}' {group}"
    )
    return {tuple(row[: len(by)]): tuple(Decimal(value) for value in row[len(by) :]) for row in rows}


def shown(metrics: Metrics) -> Row:
    """As the database says it, the spend to a millionth of a dollar."""
    return tuple(
        round(Decimal(getattr(metrics, name)), 6) if name == "spend" else Decimal(getattr(metrics, name))
        for name in COLUMNS
    )


@pytest.mark.parametrize("days", [1, 7, 90])
async def test_the_seeded_history_is_the_databases(seeded: Stand, days: int) -> None:
    """# S20 S21 S22: in total, per day, per model, per key, per day and model"""
    start, end = usage.last_days(days, usage.utc_today())
    found = await usage.usage(seeded.admin, start, end, SEEDED, admin=True)

    def of(*by: str) -> dict[tuple[str, ...], Row]:
        return sums(seeded, start, end, SEEDED, *by)

    assert shown(found.totals) == of()[()]
    assert found.totals.total_tokens == found.totals.prompt_tokens + found.totals.completion_tokens
    by_day = of("date")
    assert {(row.date.isoformat(),): shown(row.metrics) for row in found.daily if not row.metrics.empty} == by_day
    assert [row.date for row in found.daily] == [start + timedelta(days=number) for number in range(days)]
    assert {(row.model,): shown(row.metrics) for row in found.by_model} == of("model")
    assert {(row.hash,): shown(row.metrics) for row in found.by_key} == of("api_key")
    assert {(row.date.isoformat(), row.model): shown(row.metrics) for row in found.daily_by_model} == of(
        "date", "model"
    )
    aliases = dict(
        seeded.proxy.sql(f"select token, key_alias from \"LiteLLM_VerificationToken\" where user_id = '{SEEDED}'")
    )
    assert {row.hash: row.alias for row in found.by_key} == {row.hash: aliases[row.hash] for row in found.by_key}


async def test_pages_smaller_than_a_day_lose_nothing(seeded: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """# S22: 48 rows a day, 30 a page"""
    if not seeded.server.at_least(1, 108):
        pytest.skip("the order of rows between pages is stable in recent releases only; there a day fits one page")
    monkeypatch.setattr(usage, "PAGE", 30)
    start, end = usage.last_days(5, usage.utc_today())
    found = await usage.usage(seeded.admin, start, end, SEEDED, admin=True)
    assert shown(found.totals) == sums(seeded, start, end, SEEDED)[()]


async def test_the_command_prints_the_same(seeded: Stand) -> None:
    """# S20 S22: `litellm-tui usage --json`, as a program calls it"""
    start, end = usage.last_days(90, usage.utc_today())
    done = await asyncio.to_thread(_command, seeded, "usage", "--period", "90d", "--user", SEEDED, "--json")
    assert done.returncode == 0, done.stderr
    import json

    totals = json.loads(done.stdout)["totals"]
    spend, prompt, completion, requests, good, bad = sums(seeded, start, end, SEEDED)[()]
    assert round(Decimal(str(totals["spend"])), 6) == spend
    assert totals["total_tokens"] == prompt + completion
    assert (totals["api_requests"], totals["successful_requests"], totals["failed_requests"]) == (requests, good, bad)


def _command(stand: Stand, *words: str) -> subprocess.CompletedProcess[str]:
    import sys

    env = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    env |= {"LITELLM_PROXY_URL": stand.proxy.url, "LITELLM_PROXY_API_KEY": stand.proxy.master_key}
    return subprocess.run(
        [sys.executable, "-m", "tui", *words], env=env, capture_output=True, text=True, timeout=120, check=False
    )


async def chat(stand: Stand, secret: str, model: str) -> httpx.Response:
    """One call through the gateway, as the owner of a key makes it."""
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.post(
            f"{stand.proxy.url}/chat/completions",
            headers={"Authorization": f"Bearer {secret}"},
            json={"model": model, "messages": [{"role": "user", "content": "hello"}]},
        )


async def test_calls_show_up(live: Stand, settings_for: Callable[..., Settings]) -> None:
    """# S21 S22 S25: metered by LiteLLM, to a user with an own key, and to an admin about that user"""
    user_id = await live.user()
    made = await live.key(user_id)
    start = usage.utc_today()
    for model in ("gpt-4o", "gpt-4o", "claude-sonnet-4-5"):
        assert (await chat(live, made.secret, model)).status_code == 200
    own = live.client(made.secret)
    async with asyncio.timeout(40):
        while True:
            found = await usage.usage(own, start, usage.utc_today(), user_id)
            if found.totals.api_requests >= 3:
                break
            await asyncio.sleep(0.3)
    assert (found.totals.api_requests, found.totals.successful_requests) == (3, 3)
    assert found.totals.spend > 0
    assert sum(row.metrics.api_requests for row in found.by_model if "gpt-4o" in row.model) == 2
    assert [(row.hash, row.label) for row in found.by_key] == [(made.hash, live.name("key"))]
    for each in (
        await usage.usage(live.admin, found.start, found.end, user_id, admin=True),
        await usage.key_usage(live.admin, made.hash, found.start, found.end),
    ):
        assert each.totals == found.totals
        assert each.by_model == found.by_model
    session = await startup.start(settings_for(live, key=made.secret))
    await session.client.aclose()
    if live.proxy.database:
        # the key's own counter is written by another job; the day's table and it agree once that ran
        row = live.proxy.sql(f"select spend from \"LiteLLM_VerificationToken\" where token = '{made.hash}'")
        assert session.keys[0].spend <= float(row[0][0]) + 1e-9
