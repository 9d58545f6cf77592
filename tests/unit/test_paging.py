"""Rows by position from pages: what is asked for, what is kept, what is cancelled."""

import asyncio
from collections.abc import Callable

import pytest

from tui.gateway.errors import Unreachable
from tui.gateway.paging import PAGE, Pages


class Source:
    """A list of `total` numbers in pages. Pages in `held` wait until they are let go; `broken` ones fail."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked: list[int] = []
        self.cancelled: list[int] = []
        self.held: dict[int, asyncio.Event] = {}
        self.broken: set[int] = set()

    async def ask(self, number: int) -> tuple[int, list[int]]:
        self.asked.append(number)
        try:
            await asyncio.sleep(0)
            if number in self.held:
                await self.held[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if number in self.broken:
            raise Unreachable("The line was cut.")
        return self.total, list(range(number * PAGE, min((number + 1) * PAGE, self.total)))


async def until(true: Callable[[], bool]) -> None:
    """Let the others run until `true`."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def settled() -> None:
    """Let whatever can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_neighbour_is_fetched_ahead_in_the_direction_of_travel() -> None:
    source = Source(20_000)
    pages = Pages(source.ask)
    await pages.read(5 * PAGE, 20)
    await settled()
    assert source.asked == [5, 6]
    await pages.read(5 * PAGE + 20, 20)
    await settled()
    assert source.asked == [5, 6]
    await pages.read(4 * PAGE, 20)
    await settled()
    assert source.asked == [5, 6, 4, 3]


async def test_nothing_is_fetched_beyond_the_ends() -> None:
    source = Source(2 * PAGE)
    pages = Pages(source.ask)
    await pages.read(PAGE, 5)
    await pages.read(0, 5)
    await settled()
    assert sorted(source.asked) == [0, 1]


async def test_a_walk_to_the_end_keeps_a_few_pages() -> None:
    source = Source(20_000)
    pages = Pages(source.ask, kept=4)
    seen = []
    for first in range(0, 20_000, 40):
        seen += await pages.read(first, 40)
        assert pages.in_memory <= 4 * PAGE
    assert seen == list(range(20_000))
    assert len(source.asked) == 200


async def test_a_read_that_is_cancelled_cancels_its_call() -> None:
    source = Source(20_000)
    source.held = {7: asyncio.Event()}
    pages = Pages(source.ask)
    reading = asyncio.create_task(pages.read(7 * PAGE, 10))
    await until(lambda: 7 in source.asked)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await settled()
    assert source.cancelled == [7]
    source.held = {}
    assert await pages.read(7 * PAGE, 2) == [700, 701]


async def test_a_page_that_another_waits_for_goes_on() -> None:
    source = Source(20_000)
    source.held = {7: asyncio.Event()}
    pages = Pages(source.ask)
    first, second = (asyncio.create_task(pages.read(7 * PAGE, 3)) for _ in range(2))
    await until(lambda: 7 in source.asked)
    await settled()
    first.cancel()
    await settled()
    source.held[7].set()
    assert await second == [700, 701, 702]
    assert source.asked.count(7) == 1


async def test_a_jump_away_cancels_what_was_fetched_ahead() -> None:
    source = Source(20_000)
    source.held = {1: asyncio.Event()}
    pages = Pages(source.ask)
    await pages.read(0, 10)
    await until(lambda: 1 in source.asked)
    await pages.read(15_000, 10)
    await settled()
    assert source.cancelled == [1]


async def test_a_page_ahead_that_fails_troubles_nobody_until_it_is_needed() -> None:
    source = Source(20_000)
    source.broken = {1}
    pages = Pages(source.ask)
    await pages.read(0, 10)
    await settled()
    assert pages.at(PAGE) is None
    with pytest.raises(Unreachable, match="cut"):
        await pages.read(PAGE, 10)
    source.broken = set()
    assert await pages.read(PAGE, 1) == [PAGE]


async def test_a_total_that_changes_empties_the_window() -> None:
    source = Source(20_000)
    pages = Pages(source.ask)
    await pages.read(0, 10)
    await settled()
    source.total = 19_999
    await pages.read(50 * PAGE, 10)
    assert (pages.total, pages.changes) == (19_999, 1)
    assert pages.at(0) is None
    assert pages.at(50 * PAGE) == 50 * PAGE


async def test_a_read_over_a_change_asks_again_for_what_came_before_it() -> None:
    """one page of before and one of after would show a row twice, or not at all"""
    source = Source(20_000)
    pages = Pages(source.ask)
    await pages.read(0, 10)
    await settled()
    asked = source.asked.count(1)
    source.total = 20_001
    assert await pages.read(PAGE, 2 * PAGE) == list(range(PAGE, 3 * PAGE))
    assert source.asked.count(1) == asked + 1


async def test_forgetting_cancels_and_asks_anew() -> None:
    source = Source(500)
    source.held = {1: asyncio.Event()}
    pages = Pages(source.ask)
    await pages.read(0, 10)
    await until(lambda: 1 in source.asked)
    pages.forget()
    await settled()
    assert (pages.total, pages.in_memory, source.cancelled) == (None, 0, [1])
    assert await pages.read(0, 1) == [0]
    assert source.asked.count(0) == 2


@pytest.mark.parametrize(("first", "count", "rows"), [(0, 0, []), (-5, 3, [0, 1, 2]), (4, 9, [4, 5, 6]), (7, 1, [])])
async def test_the_edges(first: int, count: int, rows: list[int]) -> None:
    pages = Pages(Source(7).ask)
    await pages.read(0, 1)
    assert list(await pages.read(first, count)) == rows


async def test_a_list_of_nothing() -> None:
    pages = Pages(Source(0).ask)
    assert await pages.read(0, 50) == []
    assert pages.total == 0
