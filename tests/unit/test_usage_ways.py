"""The ways to ask for usage agree, each row counts once, and no more is asked than needed (S20-S24, S44)."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.demo import DemoGateway
from tui.gateway import usage, usage_ways
from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import ServerFailed
from tui.gateway.usage import Metrics, Question, Reader, Usage
from tui.gateway.usage_merge import Part, part_of, views
from tui.usage_cache import UsageCache

TODAY = date(2026, 3, 20)
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
START = date(2026, 1, 10)
ADA = Question("user", "ada")
NUMBERS = ("prompt_tokens", "completion_tokens", "api_requests", "successful_requests", "failed_requests")

ROW = st.fixed_dictionaries(
    {
        "date": st.integers(0, 69).map(lambda days: (START + timedelta(days=days)).isoformat()),
        "user_id": st.sampled_from(["ada", "bob", None]),
        "api_key": st.sampled_from(["a" * 64, "b" * 64, ""]),
        "model": st.sampled_from(["gpt-4o", "openai/gpt-4o", "claude", None]),
        # parts of a power of two, so that sums are exact in any order
        "spend": st.integers(0, 10_000).map(lambda n: n / 256),
        **{name: st.integers(0, 1000) for name in NUMBERS},
        "cache_read_input_tokens": st.integers(0, 9),
        "team_id": st.sampled_from(["red", None]),
    }
)


def demo(rows: list[dict[str, Any]], version: str = "1.108.0") -> DemoGateway:
    """A gateway that has these rows."""
    gateway = DemoGateway(version=version, now=NOW)
    for row in rows:
        gateway.add_usage(**row)
    return gateway


def reader(gateway: DemoGateway, **more: Any) -> Reader:
    """An admin's reader of it."""
    client = Client("http://demo.invalid", gateway.master_key, transport=gateway.transport())
    return Reader(client, Server(gateway.version), True, today=lambda: TODAY, **more)


def shown(found: Usage, models: bool = True) -> dict[str, Any]:
    """Everything that is compared; the models of a key without their order."""
    data = found.to_json()
    data.pop("as_of")
    for row in data["by_key"]:
        row["models"] = sorted(row["models"]) if models else []
    return data


def paths(gateway: DemoGateway) -> list[str]:
    return [call.path.removeprefix("/user/daily/activity") for call in gateway.calls]


@given(st.lists(ROW, max_size=30), st.sampled_from([ADA, Question("everyone"), Question("team", "red")]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_ways_agree(rows: list[dict[str, Any]], question: Question) -> None:
    """# S21 S22 S24: export, pages, pages of one row, and pages with the aggregated route for a full day"""

    async def ask(**more: Any) -> Usage:
        mine = demo(rows)
        return await reader(mine, **more).read(question, START, TODAY, key_models=True)

    async def all_ways() -> list[Usage]:
        found = [await ask(), await ask(pages_only=True), await ask(lacks={"export"})]
        size, usage_ways.PAGE = usage_ways.PAGE, 2
        try:
            return [*found, await ask(pages_only=True), await ask(lacks={"export"})]
        finally:
            usage_ways.PAGE = size

    found = asyncio.run(all_ways())
    # a key that no model is named for used none: only the cross of the pages can tell
    assert [shown(each) for each in found] == [shown(found[1])] * len(found)
    name, id = {"user": ("user_id", "ada"), "team": ("team_id", "red")}.get(question.kind, ("", ""))
    mine = [row for row in rows if not name or row[name] == id]
    for each in NUMBERS:
        assert getattr(found[0].totals, each) == sum(row[each] for row in mine)
    assert found[0].totals.spend == sum(row["spend"] for row in mine)
    for view in (found[0].daily, found[0].by_model, found[0].by_key, found[0].daily_by_model):
        sums = Metrics()
        for row in view:
            sums.add(row.metrics)
        assert sums == found[0].totals


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 800))
def test_months_cover_every_day_once(start: date, days: int) -> None:
    """# S20 S22"""
    found = usage.months(start, start + timedelta(days=days))
    covered = [first + timedelta(days=n) for first, last in found for n in range((last - first).days + 1)]
    assert covered == [start + timedelta(days=n) for n in range(days + 1)]
    assert all((first.year, first.month) == (last.year, last.month) for first, last in found)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 800))
def test_the_previous_period_is_as_long_and_ends_the_day_before(start: date, days: int) -> None:
    """# S20"""
    end = start + timedelta(days=days)
    first, last = usage.previous(start, end)
    assert (last - first, last + timedelta(days=1)) == (end - start, start)


@pytest.mark.parametrize(
    ("today", "first"),
    [(TODAY, date(2025, 4, 1)), (date(2026, 12, 31), date(2026, 1, 1)), (date(2026, 1, 1), date(2025, 2, 1))],
)
def test_twelve_months_are_whole_ones(today: date, first: date) -> None:
    """# S20"""
    assert usage.twelve_months(today) == (first, today)
    assert len(usage.months(first, today)) == 12
    assert usage.month_to_date(today) == (today.replace(day=1), today)


def year(keys: int = 3) -> list[dict[str, Any]]:
    """A row a day and key, for a year up to today."""
    return [
        {
            "date": (TODAY - timedelta(days=n)).isoformat(),
            "user_id": "ada",
            "api_key": f"{key}" * 64,
            "model": f"m{key}",
            "spend": 1.0,
        }
        for n in range(365)
        for key in range(keys)
    ]


@pytest.fixture
def cache(tmp_path: Path) -> UsageCache:
    return UsageCache(tmp_path / "usage", "http://demo.invalid", "master")


async def test_a_settled_month_is_asked_for_once(cache: UsageCache) -> None:
    """# S22: the open month again and again; `refresh` asks for all"""
    gateway, seen = demo(year()), list[tuple[int, int]]()
    start, end = usage.twelve_months(TODAY)
    first = await reader(gateway).read(ADA, start, end, kept=cache, progress=lambda *at: seen.append(at))
    assert seen == [(done, 12) for done in range(13)]
    assert first.totals.spend == ((end - start).days + 1) * 3
    asked = len(gateway.calls)
    gateway.calls.clear()
    again = await reader(gateway).read(ADA, start, end, kept=cache)
    assert shown(again) == shown(first)
    assert {call.params["start_date"] for call in gateway.calls} == {"2026-03-01"}
    assert 0 < len(gateway.calls) <= 3 < 24 < asked
    gateway.calls.clear()
    await reader(gateway).read(ADA, start, end, kept=cache, refresh=True)
    assert len(gateway.calls) == asked


async def test_the_models_of_keys_are_added_to_what_is_kept(cache: UsageCache) -> None:
    """# S21 S22: nothing else is asked for again, and they are kept too"""
    gateway, month = demo(year()), (date(2025, 12, 1), date(2026, 1, 31))
    await reader(gateway).read(ADA, *month, kept=cache)
    for lists in (6, 0):
        gateway.calls.clear()
        found = await reader(gateway).read(ADA, *month, kept=cache, key_models=True)
        assert {row.hash[0]: row.models for row in found.by_key} == {"0": ["m0"], "1": ["m1"], "2": ["m2"]}
        assert paths(gateway) == ["/aggregated/keys"] * lists


async def test_some_days_of_a_settled_month_come_from_all_of_it(cache: UsageCache) -> None:
    """# S20 S22: the previous 90 days cost nothing after the year"""
    gateway = demo(year())
    start, end = usage.previous(*usage.last_days(90, TODAY))
    want = await reader(gateway).read(ADA, start, end)
    await reader(gateway).read(ADA, *usage.twelve_months(TODAY), kept=cache)
    gateway.calls.clear()
    assert shown(await reader(gateway).read(ADA, start, end, kept=cache)) == shown(want)
    assert gateway.calls == []


async def test_a_month_is_not_settled_for_three_days(cache: UsageCache) -> None:
    """# S22: spend of its last day may still be written"""
    gateway = demo(year())
    for day, final in ((date(2026, 3, 3), False), (date(2026, 3, 4), True)):
        mine = reader(gateway)
        mine.today = lambda day=day: day  # type: ignore[misc]
        gateway.calls.clear()
        await mine.read(ADA, date(2026, 2, 1), date(2026, 2, 28), kept=cache)
        gateway.calls.clear()
        await mine.read(ADA, date(2026, 2, 1), date(2026, 2, 28), kept=cache)
        assert (gateway.calls == []) is final


async def test_scopes_do_not_share_what_is_kept(cache: UsageCache) -> None:
    """# S20"""
    gateway = demo([*year(), {"date": "2026-01-05", "user_id": "bob", "api_key": "b", "model": "m", "spend": 7.0}])
    month = date(2026, 1, 1), date(2026, 1, 31)
    spent = [
        (await reader(gateway).read(each, *month, kept=cache)).totals.spend
        for each in (ADA, Question("user", "bob"), Question("everyone"), Question("key", "b"))
    ]
    assert spent == [93.0, 7.0, 100.0, 7.0]


async def test_a_route_that_is_missing_is_not_tried_twice() -> None:
    """# S24: whatever the release says of itself"""
    gateway = demo(year(), "1.83.0")
    mine = reader(gateway)
    mine.server = Server("1.108.0")
    found = await mine.read(ADA, date(2026, 1, 1), TODAY)
    assert found.totals.spend == 79 * 3
    assert paths(gateway).count("/export") <= 4
    gateway.calls.clear()
    await mine.read(ADA, date(2026, 1, 1), TODAY)
    assert set(paths(gateway)) == {""}


async def test_a_key_limited_to_one_route_is_asked_for_nothing_else() -> None:
    """# S44"""
    gateway = demo(year())
    assert (await reader(gateway, pages_only=True).read(ADA, START, TODAY, key_models=True)).totals.spend == 70 * 3
    assert set(paths(gateway)) == {""}


async def test_more_keys_than_a_page_of_their_list() -> None:
    """# S21 S23: names and teams of all 230"""
    day = {"date": TODAY.isoformat(), "user_id": "ada", "model": "m", "spend": 1.0}
    gateway = demo([{**day, "api_key": f"{n:064}"} for n in range(230)])
    found = await reader(gateway, large={ADA}).read(ADA, TODAY, TODAY, key_models=True)
    assert [row.models for row in found.by_key] == [["m"]] * 230
    assert found.totals.spend == 230


@pytest.mark.parametrize("days", [1, 20])
async def test_spend_that_comes_between_two_questions_counts_once(days: int) -> None:
    """# S21 S22: models and keys are of the same rows"""
    rows = [{**row, "date": (TODAY - timedelta(days=n % days)).isoformat()} for n, row in enumerate(year()[:60])]
    gateway = demo(rows)
    arrived = 0

    def late(_: httpx.Request) -> None:
        nonlocal arrived
        arrived += 1
        for row in rows[:days]:
            gateway.add_usage(**row)

    # `after` is no use: the row must come between the two exports
    gateway.intercept("GET", "*/export", late, times=3)
    found = await reader(gateway).read(ADA, START, TODAY)
    assert arrived == 3
    for view in (found.by_model, found.by_key, found.daily, found.daily_by_model):
        assert sum(row.metrics.spend for row in view) == found.totals.spend
    assert found.totals.spend in [60 + days * n for n in range(4)]
    assert "no key" not in {row.label for row in found.by_key}


async def test_rows_that_never_stop_coming_leave_views_that_agree() -> None:
    """# S21: on more days than are asked for in one piece"""
    rows = year()[:60]
    gateway = demo(rows)

    def late(_: httpx.Request) -> None:
        for row in rows:
            gateway.add_usage(**row)

    gateway.intercept("GET", "*/export", late, times=-1)
    found = await reader(gateway).read(ADA, TODAY - timedelta(days=19), TODAY)
    for view in (found.by_model, found.by_key, found.daily, found.daily_by_model):
        assert sum(row.metrics.spend for row in view) == found.totals.spend
    assert len(gateway.calls) < 10


async def test_what_was_kept_of_an_open_month_is_not_taken_for_all_of_it(cache: UsageCache) -> None:
    """# S22: neither a part of the month nor one that was read too early"""
    gateway = demo(year())
    for end, at in ((date(2026, 2, 20), date(2026, 2, 20)), (date(2026, 2, 28), date(2026, 3, 2))):
        early = Part(date(2026, 2, 1), end, datetime(at.year, at.month, at.day, tzinfo=UTC))
        await cache.put(ADA, early)
        found = await reader(gateway).read(ADA, date(2026, 2, 1), date(2026, 2, 28), kept=cache)
        assert found.totals.spend == 28 * 3


async def test_cancelling_stops_the_calls_and_keeps_whole_months(cache: UsageCache) -> None:
    """# S22"""
    gateway, stopped, started = demo(year()), asyncio.Event(), asyncio.Event()

    async def hold(request: httpx.Request) -> None:
        if request.url.params["start_date"] == "2025-12-01":
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stopped.set()
                raise

    gateway.intercept("GET", "*/export", hold, times=-1)
    task = asyncio.create_task(reader(gateway).read(ADA, *usage.twelve_months(TODAY), kept=cache))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()
    assert await cache.get(ADA, date(2026, 2, 1)) is not None
    assert await cache.get(ADA, date(2025, 12, 1)) is None


async def test_no_more_than_two_calls_at_a_time_and_the_first_error_ends_all() -> None:
    """# S22: the gateway serves others too"""
    gateway, now, most = demo(year()), 0, 0

    async def count(request: httpx.Request) -> httpx.Response | None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        if request.url.params["start_date"] == "2025-06-01":
            return httpx.Response(500, json={"error": {"message": "no database"}})
        return None

    gateway.intercept("GET", "*", count, times=-1)
    with pytest.raises(ServerFailed, match="no database"):
        await reader(gateway).read(ADA, *usage.twelve_months(TODAY))
    assert most == 2
    assert "2025-04-01" not in {call.params["start_date"] for call in gateway.calls}


async def test_a_month_that_fits_one_page_is_one_call() -> None:
    """# S21: with the models of each key"""
    gateway = demo(year())
    found = await reader(gateway).read(ADA, *usage.last_days(30, TODAY), key_models=True)
    assert {row.hash[0]: row.models for row in found.by_key} == {"0": ["m0"], "1": ["m1"], "2": ["m2"]}
    assert paths(gateway) == [""]


async def test_what_everyone_used_does_not_come_user_by_user() -> None:
    """# S21: export has a row for each user, the aggregated route one for all"""
    rows = [{**row, "user_id": f"user-{n % 50}"} for n, row in enumerate(year())]
    gateway = demo(rows)
    found = await reader(gateway).read(Question("everyone"), START, TODAY)
    assert found.totals.spend == 70 * 3
    assert not [call for call in gateway.calls if call.params.get("export_type") == "daily_with_models"]
    assert {call.params["api_key_limit"] for call in gateway.calls if call.path.endswith("/aggregated")} == {"1"}


async def test_a_file_says_what_was_asked_and_no_more(cache: UsageCache) -> None:
    """# S21: what comes back from a file is what went in"""
    gateway = demo(year())
    mine = reader(gateway)
    want = await mine.read(ADA, date(2026, 1, 1), date(2026, 1, 31), kept=cache)
    part = await cache.get(ADA, date(2026, 1, 1))
    assert part is not None
    assert shown(views([part], part.start, part.end)) == shown(want)
    assert Part.from_json(part.to_json()) == part


def test_a_part_of_nothing() -> None:
    """# S23"""
    part = part_of([], START, START)
    assert (part.cells, part.keys, part.unlike()) == ({}, {}, [])
