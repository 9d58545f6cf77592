"""Usage against the database that it comes from, on real proxies: to the cent and to the token (S20-S25)."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.conftest import Stand
from tui import startup
from tui.config import Settings
from tui.gateway import usage, usage_ways
from tui.gateway.client import Client
from tui.gateway.usage import Metrics, Question, Reader

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
    return {tuple(row[: len(by)]): tuple(Decimal(value or 0) for value in row[len(by) :]) for row in rows}


def shown(metrics: Metrics) -> Row:
    """As the database says it, the spend to a millionth of a dollar."""
    return tuple(
        round(Decimal(getattr(metrics, name)), 6) if name == "spend" else Decimal(getattr(metrics, name))
        for name in COLUMNS
    )


def reader(stand: Stand, client: Client | None = None, **more: Any) -> Reader:
    """A reader that knows the release; an admin's, unless `client` is somebody else's."""
    return Reader(client or stand.admin, stand.server, client is None, **more)


@pytest.mark.parametrize(("days", "pages"), [(1, True), (7, True), (90, True), (1, False), (90, False), (365, False)])
async def test_the_seeded_history_is_the_databases(seeded: Stand, days: int, pages: bool) -> None:
    """# S20 S21 S22: in total, per day, per model, per key, per day and model; in pages, and the cheapest way"""
    start, end = usage.last_days(days, usage.utc_today())
    asked: list[tuple[int, int]] = []
    found = await reader(seeded, pages_only=pages).read(
        Question("user", SEEDED), start, end, progress=lambda *at: asked.append(at)
    )
    assert asked[-1][0] == asked[-1][1] == len(usage.months(start, end))

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
    """# S22: 48 rows a day, 30 a page; everyone's where this release cannot narrow to a user (1.74)"""
    start, end = usage.last_days(3, usage.utc_today() - timedelta(days=1))
    asking = reader(seeded, pages_only=True)
    question = Question("user", SEEDED) if seeded.server.at_least(1, 80) else Question("everyone")
    want = await asking.read(question, start, end)
    monkeypatch.setattr(usage_ways, "PAGE", 30)
    before = asking.calls
    found = await asking.read(question, start, end)
    assert asking.calls - before >= 6
    assert found.totals.counts(want.totals)
    assert {row.hash: shown(row.metrics) for row in found.by_key} == {
        row.hash: shown(row.metrics) for row in want.by_key
    }
    if question.kind == "user":
        assert shown(found.totals) == sums(seeded, start, end, SEEDED)[()]


async def test_which_key_used_which_model(seeded: Stand) -> None:
    """# S21: asked for by model where the release exports, found in the pages elsewhere (1.74: key by key)"""
    start, end = usage.last_days(40, usage.utc_today())
    found = await reader(seeded).read(Question("user", SEEDED), start, end, key_models=True)
    want = {hash: set[str]() for hash, _ in sums(seeded, start, end, SEEDED, "api_key", "model")}
    for hash, model in sums(seeded, start, end, SEEDED, "api_key", "model"):
        want[hash].add(model)
    assert {row.hash: set(row.models) for row in found.by_key} == want


async def test_a_key_and_a_model_are_the_databases_rows_of_both(seeded: Stand) -> None:
    """# S22 S23: narrowed to each key, each model and each pair of them"""
    start, end = usage.last_days(40, usage.utc_today() - timedelta(days=1))
    asking, mine = reader(seeded), Question("user", SEEDED)
    cross = sums(seeded, start, end, SEEDED, "api_key", "model")
    for by in ("api_key", "model"):
        for (name,), row in sums(seeded, start, end, SEEDED, by).items():
            narrowed = replace(mine, key=name) if by == "api_key" else replace(mine, models=(name,))
            assert shown((await asking.read(narrowed, start, end)).totals) == row
            assert shown(await asking.totals(narrowed, start, end)) == row
    keys, models = (sorted({each[n] for each in cross}) for n in (0, 1))
    for key in keys[:2]:
        for model in models:
            found = await asking.read(replace(mine, key=key, models=(model,)), start, end)
            assert shown(found.totals) == cross.get((key, model), tuple(map(Decimal, [0] * len(COLUMNS))))
        both = await asking.read(replace(mine, key=key, models=tuple(models[:2])), start, end)
        pair = [cross[key, model] for model in models[:2] if (key, model) in cross]
        assert shown(both.totals) == tuple(sum(column) for column in zip(*pair, strict=True))


async def test_everyone_is_the_whole_table(seeded: Stand) -> None:
    """# S20 S22: settled months, which other tests' requests do not change"""
    end = usage.utc_today().replace(day=1) - timedelta(days=1)
    start = end.replace(day=1)
    by_users = [
        (await reader(seeded).read(Question("user", row[0]), start, end)).totals
        for row in seeded.proxy.sql(
            f"select distinct user_id from \"LiteLLM_DailyUserSpend\" where date between '{start}' and '{end}'"
        )
    ]
    found = await reader(seeded).read(Question("everyone"), start, end)
    for name in COLUMNS:
        assert getattr(found.totals, name) == pytest.approx(sum(getattr(each, name) for each in by_users), abs=1e-6)
    assert sum(row.metrics.api_requests for row in found.by_key) == found.totals.api_requests


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
    own_reader, admin = reader(live, own), reader(live)
    for question in (Question("user", user_id), Question("key", made.hash)):
        for asking in (own_reader, admin):
            each = await asking.read(question, found.start, found.end)
            assert (each.totals, each.by_model) == (found.totals, found.by_model)
            assert [(row.hash, row.label) for row in each.by_key] == [(made.hash, live.name("key"))]
        assert own_reader.lacks == set()
    session = await startup.start(settings_for(live, key=made.secret))
    await session.client.aclose()
    if live.proxy.database:
        # the key's own counter is written by another job; the day's table and it agree once that ran
        row = live.proxy.sql(f"select spend from \"LiteLLM_VerificationToken\" where token = '{made.hash}'")
        assert session.keys[0].spend <= float(row[0][0]) + 1e-9


async def test_a_team_as_its_admin_and_as_a_member(live: Stand) -> None:
    """# S20 S21 S44: the cheapest way that the release has is open to both"""
    ada, bob = await live.user("ada"), await live.user("bob")
    team_id = await live.team(
        members_with_roles=[{"role": "admin", "user_id": ada}, {"role": "user", "user_id": bob}], models=["gpt-4o"]
    )
    made = {who: await live.key(who, f"key-{who[-3:]}", team_id=team_id) for who in (ada, bob)}
    for who in (ada, bob):
        assert (await chat(live, made[who].secret, "gpt-4o")).status_code == 200
    day = usage.utc_today()
    question = Question("team", team_id)
    async with asyncio.timeout(40):
        while True:
            if (await reader(live).read(question, day, day)).totals.api_requests >= 2:
                break
            await asyncio.sleep(0.3)
    # a key of no team: a team's own key may not ask for usage in every release
    for name, requests in (("", 2), (ada, 2), (bob, 1)):
        client = live.client((await live.key(name, f"own-{name[-3:]}")).secret) if name else None
        asking = reader(live, client)
        found = await asking.read(question, day, day)
        if live.server.at_least(1, 75) or not name:
            assert found.totals.api_requests == requests
        assert {row.team_id for row in found.by_key} == {team_id}
        for row in found.by_key:
            narrowed = await asking.read(replace(question, key=row.hash), day, day)
            assert narrowed.totals.counts(row.metrics)
        for model in found.by_model:
            narrowed = await asking.read(replace(question, models=tuple(model.names)), day, day)
            assert narrowed.totals.counts(model.metrics)
        assert (await asking.totals(question, day, day)).counts(found.totals)
        assert asking.lacks == set()


async def test_spend_that_is_written_while_it_is_read_counts_once(live: Stand) -> None:
    """# S22: five requests a second for 20 s; every report agrees with itself, none goes back, the last one is all"""
    user_id = await live.user()
    made = await live.key(user_id)
    sent, seen = 100, [0]

    async def write() -> None:
        for number in range(sent):
            model = ("gpt-4o", "claude-sonnet-4-5")[number % 2]
            assert (await chat(live, made.secret, model)).status_code == 200
            await asyncio.sleep(0.2)

    writing = asyncio.create_task(write())
    async with asyncio.timeout(80):
        while seen[-1] < sent:
            days = usage.last_days(41, usage.utc_today())
            found = await reader(live).read(Question("user", user_id), *days)
            for rows in (found.daily, found.by_model, found.by_key, found.daily_by_model):
                assert sum(row.metrics.api_requests for row in rows) == found.totals.api_requests
            assert {row.hash for row in found.by_key} <= {made.hash}
            assert seen[-1] <= found.totals.api_requests <= sent
            seen.append(found.totals.api_requests)
            await asyncio.sleep(0.1)
    await writing
