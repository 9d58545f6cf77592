"""The ways to ask for usage agree, each row counts once, and no more is asked than needed (S20-S24, S44)."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.demo import DemoGateway
from tui.gateway import usage, usage_reader, usage_ways
from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import ServerFailed
from tui.gateway.usage import Metrics, Question, Reader, Usage
from tui.gateway.usage_merge import Part, agree, part_of, views
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


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def reader(gateway: DemoGateway, **more: Any) -> Reader:
    """An admin's reader of it."""
    client = Client("http://demo.invalid", gateway.master_key, transport=gateway.transport())
    return Reader(client, Server(gateway.version), True, now=lambda: noon(TODAY), **more)


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


@given(
    st.lists(ROW, max_size=15),
    st.sampled_from([ADA, Question("everyone"), Question("team", "red"), Question("key", "a" * 64)]),
    st.sampled_from([{}, {"pages_only": True}, {"lacks": {"export"}}]),
    st.sampled_from([2, 1000]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_narrowing_takes_the_whole_apart(
    rows: list[dict[str, Any]], question: Question, way: dict[str, Any], size: int
) -> None:
    """# S22 S23: each row of a table is the report narrowed to it, and together they are the whole"""

    async def ask() -> None:
        gateway = demo(rows)

        async def read(**narrow: Any) -> Usage:
            return await reader(gateway, **way).read(replace(question, **narrow), START, TODAY, key_models=size == 2)

        wide = await read()
        no_model = sum(row.metrics.api_requests for row in wide.by_model if row.model == usage.NO_MODEL)
        told = 0
        for row in wide.by_model:
            if row.model != usage.NO_MODEL:
                found = await read(models=tuple(row.names))
                told += found.totals.api_requests
                assert (found.totals, [each.model for each in found.by_model]) == (row.metrics, [row.model])
                assert found.daily_by_model == [each for each in wide.daily_by_model if each.model == row.model]
        assert told + no_model == wide.totals.api_requests
        told = sum(row.metrics.api_requests for row in wide.by_key if not row.hash)
        crossed = Metrics()
        for key in wide.by_key:
            if not key.hash:
                continue
            found = await read(key=key.hash)
            told += found.totals.api_requests
            assert (found.totals, [each.hash for each in found.by_key]) == (key.metrics, [key.hash])
            assert sorted(found.by_key[0].models) == sorted(set(found.by_key[0].models))
            for model in found.by_model:
                if model.model != usage.NO_MODEL:
                    one = await read(key=key.hash, models=tuple(model.names))
                    assert (one.totals, len(one.by_model), len(one.by_key)) == (model.metrics, 1, 1)
                    crossed.add(one.totals)
        assert told == wide.totals.api_requests
        named = [row for row in rows if row["api_key"] and row["model"] and is_of(question, row)]
        assert crossed.api_requests == sum(row["api_requests"] for row in named)
        assert (await read(models=("",))).totals.empty

    whole, usage_ways.PAGE = usage_ways.PAGE, size
    try:
        asyncio.run(ask())
    finally:
        usage_ways.PAGE = whole


def is_of(question: Question, row: dict[str, Any]) -> bool:
    """Whether the question is about the row."""
    name = {"user": "user_id", "team": "team_id", "key": "api_key"}.get(question.kind)
    return name is None or row[name] == question.id


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
        mine.now = partial(noon, day)
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
        assert all(row.metrics == row.metrics.above_zero() for row in view)
    assert len(gateway.calls) < 10
    assert found.notes == [usage_ways.LATE_NOTE]
    assert "no key" in {row.label for row in found.by_key}


def test_views_agree_without_a_sum_below_zero() -> None:
    """# S21: whichever of models and keys knows of more"""
    part = Part(START, START, NOW)
    part.add_cell(START, "m", Metrics(1.0, api_requests=5, prompt_tokens=2))
    part.add_key(START, "k", Metrics(3.0, api_requests=4, prompt_tokens=7))
    agree(part)
    assert part.unlike() == []
    assert part.keys[START, ""] == Metrics(api_requests=1)
    assert part.cells[START, usage.NO_MODEL] == Metrics(2.0, prompt_tokens=5)


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
    # the other reader may still be at it
    async with asyncio.timeout(60):
        while await cache.get(ADA, date(2026, 2, 1)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()
    assert await cache.get(ADA, date(2026, 2, 1)) is not None
    assert await cache.get(ADA, date(2025, 12, 1)) is None


@pytest.mark.parametrize("calls", [1, 2, 3, 7, 12, 20])
async def test_cancelled_at_any_call_the_months_that_came_stay(cache: UsageCache, calls: int) -> None:
    """# S22: nothing is asked after it, and what is kept is right and is not asked for again"""
    gateway, reached, again, seen = demo(year()), asyncio.Event(), False, 0

    async def hold(_: httpx.Request) -> None:
        nonlocal seen
        seen += 1
        if seen >= calls and not again:
            reached.set()
            await asyncio.Event().wait()

    gateway.intercept("GET", "*", hold, times=-1)
    span = usage.twelve_months(TODAY)
    arrived: list[Usage] = []
    task = asyncio.create_task(reader(gateway).read(ADA, *span, kept=cache, arrived=arrived.append))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # a month that came is being written still
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    sent, again = seen, True
    months = [first for first, _ in usage.months(*span)]
    kept = {month for month in months if await cache.get(ADA, month)}
    assert len(kept) >= len(arrived)
    gateway.calls.clear()
    found = await reader(gateway).read(ADA, *span, kept=cache)
    assert shown(found) == shown(await reader(demo(year())).read(ADA, *span))
    asked = {call.params["start_date"] for call in gateway.calls}
    assert asked == {month.isoformat() for month in months if month not in kept or month == months[-1]}
    assert seen == sent + len(gateway.calls)


async def test_months_are_told_as_they_come() -> None:
    """# S22: the latest first, each with all that came before it; the last one is the answer itself"""
    gateway, order = demo(year()), list[str]()
    span = usage.twelve_months(TODAY)
    seen: list[Usage] = []

    def arrived(found: Usage) -> None:
        seen.append(found)
        order.append("months")

    found = await reader(gateway).read(
        ADA, *span, arrived=arrived, progress=lambda done, total: order.append(f"{done} of {total}")
    )
    assert order[:4] == ["0 of 12", "1 of 12", "months", "2 of 12"] and order[-1] == "12 of 12"
    assert len(seen) == 11
    days = [sum(not row.metrics.empty for row in each.daily) for each in seen]
    assert days == sorted(days) and days[-1] < 365
    for each in seen:
        assert not each.daily[-1].metrics.empty
        assert sum(row.metrics.spend for row in each.by_key) == each.totals.spend
        assert (each.start, each.end) == span
    # every day that was told is the day of the answer
    assert [row for row in seen[-1].daily if not row.metrics.empty] == found.daily[-days[-1] :]
    assert found.calls == len(gateway.calls) > seen[0].calls > 0


async def test_long_views_are_made_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told and answered: the screen goes on drawing meanwhile."""
    made: list[int] = []

    def noted(*args: Any) -> Usage:
        made.append(threading.get_ident())
        return views(*args)

    monkeypatch.setattr(usage_reader, "views", noted)
    for limit, here in ((0, False), (10**6, True)):
        monkeypatch.setattr(usage_reader, "LONG_VIEWS", limit)
        made.clear()
        told: list[Usage] = []
        await reader(demo(year())).read(ADA, *usage.twelve_months(TODAY), arrived=told.append)
        assert {ident == threading.get_ident() for ident in made} == {here}
        assert told


@given(st.lists(ROW, max_size=20), st.sampled_from([ADA, Question("everyone"), Question("team", "red")]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_totals_alone_are_those_of_the_report(rows: list[dict[str, Any]], question: Question) -> None:
    """# S22: whatever the way, narrowed or not"""

    async def ask() -> None:
        for narrow in ({}, {"key": "a" * 64}, {"models": ("gpt-4o", "openai/gpt-4o")}):
            narrowed = replace(question, **narrow)
            for way in ({}, {"pages_only": True}):
                want = (await reader(demo(rows), **way).read(narrowed, START, TODAY)).totals
                assert await reader(demo(rows), **way).totals(narrowed, START, TODAY) == want

    asyncio.run(ask())


async def test_totals_cost_a_call_a_month_or_none(cache: UsageCache) -> None:
    """# S22 S24: what an earlier period was, for comparison"""
    gateway, span = demo(year()), usage.previous(*usage.last_days(90, TODAY))
    mine = reader(gateway)
    assert (await mine.totals(ADA, *span)).spend == 90 * 3
    assert (mine.calls, paths(gateway)) == (4, ["/export"] * 4)
    assert {call.params["export_type"] for call in gateway.calls} == {"daily"}
    await reader(gateway).read(ADA, *usage.twelve_months(TODAY), kept=cache)
    gateway.calls.clear()
    assert (await mine.totals(ADA, *span, kept=cache)).spend == 90 * 3
    assert gateway.calls == []
    old = reader(demo(year(), "1.83.0"))
    old.server = Server("1.108.0")
    assert (await old.totals(ADA, *span)).spend == 90 * 3
    assert "export" in old.lacks


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0", "1.108.0"])
async def test_every_call_is_counted(version: str) -> None:
    """# S22: so that a screen can tell what a comparison costs"""
    gateway = demo(year(), version)
    mine = reader(gateway)
    for question in (ADA, Question("everyone"), Question("everyone", models=("m1", "m2")), Question("key", "1" * 64)):
        before = len(gateway.calls)
        found = await mine.read(question, START, TODAY, key_models=True)
        assert found.calls == len(gateway.calls) - before > 0
    assert mine.calls == len(gateway.calls)


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


async def test_one_key_or_model_is_one_small_call_a_month() -> None:
    """# S22: an export of the models of a key, or of the keys of a model, says both"""
    gateway = demo([{**row, "model": f"m{n % 4}"} for n, row in enumerate(year())])
    for narrow, kind in (
        ({"key": "1" * 64}, "daily_with_models"),
        ({"models": ("m1",)}, "daily_with_keys"),
        ({"key": "1" * 64, "models": ("m1",)}, "daily"),
    ):
        gateway.calls.clear()
        found = await reader(gateway).read(replace(ADA, **narrow), START, TODAY, key_models=True)
        assert [call.params["export_type"] for call in gateway.calls if call.path.endswith("/export")] == [kind] * 3
        # one list of the keys for their teams, which is not asked for again
        assert paths(gateway).count("/aggregated/keys") <= 2
        assert found.totals.spend > 0
        assert all(row.models for row in found.by_key)


async def test_what_is_narrowed_to_a_key_is_kept_apart(cache: UsageCache) -> None:
    """# S22: and what is narrowed to models is not kept"""
    gateway, month = demo(year()), (date(2026, 1, 1), date(2026, 1, 31))
    for question in (ADA, replace(ADA, key="1" * 64), replace(ADA, key="2" * 64), replace(ADA, models=("m1",))):
        spent = (await reader(gateway).read(question, *month, kept=cache)).totals.spend
        assert spent == (93.0 if question == ADA else 31.0)
    assert len(list(cache.where.iterdir())) == 3
    gateway.calls.clear()
    found = await reader(gateway).read(replace(ADA, key="2" * 64), *month, kept=cache)
    assert ([row.hash[0] for row in found.by_key], gateway.calls) == (["2"], [])


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
