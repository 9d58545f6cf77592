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

from tui import reports as reports_module
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
    (note,) = cache.notes
    assert note.startswith("Usage is not kept for the next start. ") and note.endswith(
        "is in the way: it is not a folder."
    )
    assert cache.lacks("1.108.0") == set()


async def test_what_is_narrowed_is_another_file(cache: UsageCache) -> None:
    """# S22: neither the whole nor another key's"""
    narrowed = [replace(ADA, key="a" * 64), replace(ADA, key="b" * 64), replace(ADA, models=("a" * 64,))]
    await cache.put(narrowed[0], part(2.0))
    assert await cache.get(narrowed[0], JANUARY) == part(2.0)
    assert [await cache.get(each, JANUARY) for each in (ADA, *narrowed[1:])] == [None] * 3
    assert len({cache.path(each, JANUARY) for each in (ADA, *narrowed)}) == 4


def old_file(where: Path, number: int, size: int = 10, name: str = "") -> Path:
    """A file of the cache that was used `number` minutes after the first one."""
    where.mkdir(parents=True, exist_ok=True)
    path = where / (name or f"{number:032x}-2026-01.json")
    path.write_bytes(b"x" * size)
    os.utime(path, (10**9 + 60 * number, 10**9 + 60 * number))
    return path


async def test_the_oldest_files_go_at_the_first_write(cache: UsageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not the cache's are left alone, whatever their size."""
    monkeypatch.setattr(usage_cache, "MOST_FILES", 4)
    old = [old_file(cache.where, number) for number in range(6)]
    others = [old_file(cache.where, 0, 10**6, name) for name in ("notes.json", ".notes-x", "a.txt")]
    (cache.where / f"{'0' * 32}-2026-03.json").mkdir()
    link = cache.where / f"{'1' * 32}-2026-03.json"
    link.symlink_to(others[0])
    await cache.put(ADA, part())
    assert [path.exists() for path in old] == [False] * 3 + [True] * 3
    assert all(path.exists() for path in (*others, link))
    assert await cache.get(ADA, JANUARY) == part()
    again = old_file(cache.where, 0)
    await cache.put(ADA, part(2.0))
    assert again.exists(), "once in the life of a process"


async def test_the_oldest_go_until_the_rest_is_small_enough(cache: UsageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_cache, "MOST_BYTES", 5000)
    old = [old_file(cache.where, number, 1000) for number in range(8)]
    await cache.put(ADA, part())
    assert [path.exists() for path in old] == [False] * 4 + [True] * 4
    assert sum(path.stat().st_size for path in cache.where.iterdir()) <= 5000


async def test_a_file_that_is_read_is_not_old(cache: UsageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    await cache.put(ADA, part())
    used = cache.path(ADA, JANUARY)
    os.utime(used, (10**9, 10**9))
    old = [old_file(cache.where, number) for number in (1, 2)]
    assert await cache.get(ADA, JANUARY) == part()
    monkeypatch.setattr(usage_cache, "MOST_FILES", 1)
    usage_cache.prune(cache.where)
    assert (used.exists(), *(path.exists() for path in old)) == (True, False, False)


def test_missing_routes_are_remembered_for_that_release(cache: UsageCache) -> None:
    """# S24"""
    cache.keep_lacks("1.108.0", {"export"})
    assert cache.lacks("1.108.0") == {"export"}
    assert cache.lacks("1.109.0") == set()


PRUNER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tui import usage_cache
usage_cache.MOST_FILES = 100
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    usage_cache.prune(Path(sys.argv[1]))
"""
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


def at_once(*programs: tuple[str, ...]) -> None:
    """Run programs that say "ready", let all go at the same moment, and expect no complaint from any."""
    root = Path(__file__).parents[2]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, where, str(root), *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for program, where, *more in programs
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


def test_two_processes_share_it_without_harm(tmp_path: Path) -> None:
    """Whoever reads gets one of both whole, and nothing is left over."""
    where = str(tmp_path / "usage")
    at_once((WRITER, where, "1"), (WRITER, where, "2"))
    assert len(os.listdir(where)) == 1


def test_two_processes_prune_it_while_another_writes(tmp_path: Path) -> None:
    """What is being used stays, and as much as is allowed."""
    where = tmp_path / "usage"
    for number in range(1000):
        old_file(where, number)
    at_once((PRUNER, str(where)), (PRUNER, str(where)), (WRITER, str(where), "1"))
    left = sorted(os.listdir(where))
    assert 99 <= len(left) <= 101
    assert {f"{number:032x}-2026-01.json" for number in range(910, 1000)} < set(left)


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
    assert (peeked.cached, peeked.budget, peeked.calls) == (True, None, 0)
    assert (read.cached, read.calls > 20) == (False, True)


async def test_any_range_is_painted_from_what_another_session_kept(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session]
) -> None:
    """# S20 S21: the year, this month, 30 days, what lies in them; the last days are missing; no call is made"""
    gateway, made = session
    await Reports(made, lambda: NOW, cache).read(EVERYONE, *YEAR)
    # as it was the day before yesterday
    seen = NOW - timedelta(days=2)
    month = await cache.get(Question("everyone"), date(2026, 3, 1))
    assert month is not None
    month = month.cut(date(2026, 3, 1), seen.date())
    month.at = seen
    await cache.put(Question("everyone"), month)
    gateway.calls.clear()
    later = Reports(made, lambda: NOW, cache)
    for start in (YEAR[0], date(2026, 3, 1), NOW.date() - timedelta(days=29), NOW.date() - timedelta(days=6)):
        peeked = await later.peek(EVERYONE, start, NOW.date())
        assert peeked is not None
        assert peeked.at == seen
        assert peeked.usage.totals.spend == (NOW.date() - start).days - 1
        assert [row.metrics.empty for row in peeked.usage.daily[-3:]] == [False, True, True]
    settled = await later.peek(EVERYONE, date(2025, 12, 24), date(2026, 1, 6))
    assert settled is not None
    assert (settled.usage.totals.spend, settled.at) == (14.0, NOW)
    april = await later.peek(EVERYONE, YEAR[0], date(2026, 4, 2))
    assert april is not None, "a month that had not begun is not missing"
    assert april.at == seen
    assert await later.peek(EVERYONE, NOW.date(), NOW.date()) is None, "nothing of today is known"
    assert await later.peek(replace(EVERYONE, models=("gpt-4o",)), *YEAR) is None
    assert await later.peek(replace(EVERYONE, key="a" * 64), *YEAR) is None
    cache.path(Question("everyone"), date(2025, 9, 1)).unlink()
    assert await later.peek(EVERYONE, *YEAR) is None
    assert gateway.calls == []


async def test_thirty_days_over_two_months_are_painted_the_next_time(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session]
) -> None:
    """# S21: without the year having been read; a shorter range does not take it away, nor what ended before today"""
    gateway, made = session
    days = NOW.date() - timedelta(days=29), NOW.date()
    reports = Reports(made, lambda: NOW, cache)
    read = await reports.read(EVERYONE, *days)
    await reports.read(EVERYONE, NOW.date() - timedelta(days=1), NOW.date())
    await reports.read(EVERYONE, date(2026, 3, 1), date(2026, 3, 5))
    gateway.calls.clear()
    peeked = await Reports(made, lambda: NOW, cache).peek(EVERYONE, *days)
    assert peeked is not None
    assert peeked.usage.daily == read.usage.daily
    assert gateway.calls == []


async def test_not_every_report_is_kept_in_memory(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_module, "MOST_REPORTS", 2)
    reports = Reports(session[1], lambda: NOW, cache)
    for days in (1, 2, 1, 3):
        await reports.read(EVERYONE, *reports.days(days))
    assert [reports.last(EVERYONE, *reports.days(days)) is None for days in (1, 2, 3)] == [False, True, False]


async def test_a_report_is_narrowed_and_compared(
    cache: UsageCache, session: tuple[DemoGateway, startup.Session]
) -> None:
    """# S22"""
    gateway, made = session
    gateway.add_usage(date="2026-03-10", user_id="ada", api_key="b" * 64, model="claude", spend=5.0)
    reports = Reports(made, lambda: NOW, cache)
    days = reports.days(30)
    wide = await reports.read(EVERYONE, *days)
    for key in wide.usage.by_key:
        report = await reports.read(replace(EVERYONE, key=key.hash), *days)
        assert report.usage.totals == key.metrics
        assert reports.last(report.scope, *days) is report
    for model in wide.usage.by_model:
        scope = replace(EVERYONE, models=tuple(model.names))
        assert (await reports.read(scope, *days)).usage.totals == model.metrics
        assert await reports.totals(scope, *days) == model.metrics
    assert await reports.totals(EVERYONE, *days) == wide.usage.totals


async def test_a_folder_that_cannot_be_written_is_one_note(
    tmp_path: Path, session: tuple[DemoGateway, startup.Session]
) -> None:
    (tmp_path / "file").write_text("in the way")
    reports = Reports(session[1], lambda: NOW, UsageCache(tmp_path / "file" / "usage", "u", "c"))
    found = (await reports.read(EVERYONE, *YEAR)).usage
    assert found.totals.spend > 300
    assert sum("Usage is not kept for the next start." in note for note in found.notes) == 1
    again = (await reports.read(EVERYONE, *YEAR, refresh=True)).usage
    assert again.totals == found.totals and not [note for note in again.notes if "not kept" in note]


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
    cache.path(Question("everyone"), date(2025, 7, 1)).write_text("{")
    assert await reports.peek(EVERYONE, *YEAR) is None
    assert len((await reports.read(EVERYONE, *YEAR)).usage.notes) == 1, "the first paint found it, the report says it"


async def test_no_secret_is_in_any_file(cache: UsageCache, session: tuple[DemoGateway, startup.Session]) -> None:
    """# S3"""
    await Reports(session[1], lambda: NOW, cache).read(EVERYONE, *YEAR)
    files = list(cache.where.iterdir())
    assert len(files) == 12
    assert all(SECRET not in file.read_text() and SECRET not in file.name for file in files)


async def test_the_demo_keeps_nothing(session: tuple[DemoGateway, startup.Session]) -> None:
    """Its past is another at each start."""
    await Reports(session[1], lambda: NOW).read(EVERYONE, *YEAR)
    where = usage_cache.folder()
    assert where is not None and not where.exists()


async def test_a_real_session_keeps_it_in_the_users_cache_folder(
    session: tuple[DemoGateway, startup.Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    await Reports(replace(session[1], transport=None), lambda: NOW).read(EVERYONE, *YEAR)
    assert len(list((tmp_path / "litellm-tui" / "usage").iterdir())) == 12
