"""What is kept of earlier months: private, whole or not at all, and never in the way (S3, S22)."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tui import startup, usage_cache
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway.usage import Metrics, Question
from tui.gateway.usage_merge import Part
from tui.reports import Reports, Scope
from tui.usage_cache import UsageCache

ADA = Question("user", "ada")
JANUARY = date(2026, 1, 1)
SECRET = "sk-never-in-a-file-0123456789"


def part(spend: float = 1.0) -> Part:
    """All of a January."""
    found = Part(JANUARY, date(2026, 1, 31), datetime(2026, 2, 10, tzinfo=UTC))
    found.add_cell(date(2026, 1, 5), "gpt-4o", Metrics(spend, 3, 2, 1, api_requests=1))
    found.add_key(date(2026, 1, 5), "a" * 64, Metrics(spend, 3, 2, 1, api_requests=1))
    found.name("a" * 64, "laptop", "red")
    return found


@pytest.fixture
def cache(tmp_path: Path) -> UsageCache:
    return UsageCache(tmp_path / "new" / "usage", "https://gateway.example", "master")


async def test_what_was_put_comes_back_and_nobody_else_can_read_it(cache: UsageCache) -> None:
    """# S3"""
    assert await cache.get(ADA, JANUARY) is None
    await cache.put(ADA, part())
    assert await cache.get(ADA, JANUARY) == part()
    [file] = cache.where.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.where.stat().st_mode) == 0o700
    assert "ada" not in file.name and "gateway" not in file.name
    assert cache.notes == []


@pytest.mark.parametrize("other", [("https://other.example", "master"), ("https://gateway.example", "key")])
async def test_gateways_and_callers_do_not_share(cache: UsageCache, other: tuple[str, str]) -> None:
    """# S44: what one key may see is not shown to another"""
    await cache.put(ADA, part())
    assert await UsageCache(cache.where, *other).get(ADA, JANUARY) is None
    assert await cache.get(Question("team", "ada"), JANUARY) is None
    assert await cache.get(ADA, date(2026, 2, 1)) is None


def changed(**fields: Any) -> str:
    return json.dumps({"schema": 1, "part": {**part().to_json(), **fields}})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00" * 100,
        "[" * 100_000,
        '{"schema": 2, "part": {}}',
        '{"schema": 1}',
        changed()[:-20],
        changed(start="2026-02-01", end="2026-02-28"),
        changed(start="soon"),
        changed(at=None),
        changed(cells=[]),
        changed(cells=[[4, "gpt-4o", 1.0, 3, 2, 1, 0, 0, 1, 0]]),
        changed(cells=[[400, "gpt-4o", 1.0, 3, 2, 1, 0, 0, 1, 0, 0]]),
        changed(cells=[[4, "gpt-4o", "1", 3, 2, 1, 0, 0, 1, 0, 0]]),
        changed(cells=[[4, 7, 1.0, 3, 2, 1, 0, 0, 1, 0, 0]]),
        changed(cells=[[4, "gpt-4o", 1e999, 3, 2, 1, 0, 0, 1, 0, 0]]),
        changed(cells=[[4, "gpt-4o", 1.0, 4, 2, 1, 0, 0, 1, 0, 0]]),
        changed(names={"a": "laptop"}),
        changed(models={"a": [1]}),
    ],
)
async def test_a_damaged_file_is_discarded_with_one_line(cache: UsageCache, content: str) -> None:
    await cache.put(ADA, part())
    [file] = cache.where.iterdir()
    file.write_text(content)
    assert await cache.get(ADA, JANUARY) is None
    assert cache.notes == ["A damaged file of the usage cache was discarded; 2026-01 is asked for again."]
    assert list(cache.where.iterdir()) == []
    await cache.put(ADA, part(2.0))
    assert await cache.get(ADA, JANUARY) == part(2.0)


async def test_a_folder_that_cannot_be_written_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = UsageCache(tmp_path / "file" / "usage", "u", "c")
    await cache.put(ADA, part())
    cache.keep_lacks("1.108.0", {"export"})
    assert await cache.get(ADA, JANUARY) is None
    assert (cache.notes, cache.lacks("1.108.0")) == ([], set())


def test_missing_routes_are_remembered_for_that_release(cache: UsageCache) -> None:
    """# S24"""
    cache.keep_lacks("1.108.0", {"export"})
    assert cache.lacks("1.108.0") == {"export"}
    assert cache.lacks("1.109.0") == set()


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.unit.test_usage_cache import ADA, JANUARY, part
from tui.usage_cache import UsageCache
async def run():
    cache = UsageCache(Path(sys.argv[1]), "u", "c")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(150):
        await cache.put(ADA, part(float(sys.argv[3])))
        found = await cache.get(ADA, JANUARY)
        assert found in (part(1.0), part(2.0)), found
    assert cache.notes == []
asyncio.run(run())
"""


def test_two_processes_share_it_without_harm(tmp_path: Path) -> None:
    """Whoever reads gets one of both whole, and nothing is left over."""
    root = Path(__file__).parents[2]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "usage"), str(root), number],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for number in ("1", "2")
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n", run.stderr and run.stderr.read()
    for run in runs:
        assert run.stdin
        run.stdin.write("\n")
        run.stdin.flush()
    for run in runs:
        assert run.communicate(timeout=60)[1] == ""
        assert run.returncode == 0
    assert len(os.listdir(tmp_path / "usage")) == 1


NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
EVERYONE = Scope("everyone", "", "everyone")
YEAR = date(2025, 4, 1), NOW.date()


@pytest.fixture
async def session() -> AsyncIterator[tuple[DemoGateway, startup.Session]]:
    """An admin's session at a gateway with one row of a dollar a day, since a year."""
    gateway = DemoGateway(now=NOW, master_key=SECRET)
    for n in range(400):
        day = (NOW - timedelta(days=n)).date().isoformat()
        gateway.add_usage(date=day, user_id="ada", api_key="a" * 64, model="gpt-4o", spend=1.0)
    settings = Settings(profile="test", url="http://demo.invalid", credential=HeldKey(Secret(SECRET)))
    made = await startup.start(settings, transport=gateway.transport(), look=True)
    gateway.calls.clear()
    yield gateway, made
    await made.client.aclose()


async def test_a_report_is_painted_from_the_cache_with_its_age(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session]
) -> None:
    """# S21 S25: the year of an hour ago, until the present one is there; its budget is not of then"""
    gateway, made = session
    now = [NOW]
    reports = Reports(made, lambda: now[0], cache)
    assert await reports.peek(EVERYONE, *YEAR) is None
    told: list[tuple[int, int]] = []
    read = await reports.read(EVERYONE, *YEAR, progress=lambda *at: told.append(at))
    assert told[0] == (0, 12) and told[-1] == (12, 12)
    assert reports.last(EVERYONE, *YEAR) is read
    gateway.calls.clear()
    later = Reports(made, lambda: now[0], cache)
    assert later.last(EVERYONE, *YEAR) is None
    peeked = await later.peek(EVERYONE, *YEAR)
    assert gateway.calls == []
    assert peeked is not None
    assert peeked.usage.totals == read.usage.totals
    assert peeked.usage.totals.spend == (YEAR[1] - YEAR[0]).days + 1
    assert peeked.at == peeked.usage.as_of <= datetime.now(UTC)


async def test_a_damaged_file_is_a_note_of_the_report(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session]
) -> None:
    reports = Reports(session[1], lambda: NOW, cache)
    want = (await reports.read(EVERYONE, *YEAR)).usage
    cache.path(Question("everyone"), date(2025, 7, 1)).write_text("{")
    found = (await reports.read(EVERYONE, *YEAR)).usage
    assert found.notes == ["A damaged file of the usage cache was discarded; 2025-07 is asked for again."]
    assert found.totals == want.totals
    assert (await reports.read(EVERYONE, *YEAR)).usage.notes == []


async def test_no_secret_is_in_any_file(cache: UsageCache, session: tuple[DemoGateway, startup.Session]) -> None:
    """# S3"""
    await Reports(session[1], lambda: NOW, cache).read(EVERYONE, *YEAR)
    files = list(cache.where.iterdir())
    assert len(files) == 12
    assert all(SECRET not in file.read_text() and SECRET not in file.name for file in files)


async def test_the_demo_keeps_nothing(session: tuple[DemoGateway, startup.Session]) -> None:
    """Its past is another at each start."""
    await Reports(session[1], lambda: NOW).read(EVERYONE, *YEAR)
    assert not usage_cache.folder().exists()


async def test_a_real_session_keeps_it_in_the_users_cache_folder(
    session: tuple[DemoGateway, startup.Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    await Reports(replace(session[1], transport=None), lambda: NOW).read(EVERYONE, *YEAR)
    assert len(list((tmp_path / "litellm-tui" / "usage").iterdir())) == 12
