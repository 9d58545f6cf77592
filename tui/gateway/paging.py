"""A long list by position: pages fetched when they are asked for, a bounded number of them in memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

PAGE = 100
"""Rows per page; LiteLLM's largest, for keys, users and teams alike."""
PAGES_KEPT = 8
"""Pages of a window that stay in memory."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Window(Protocol[T_co]):
    """A list by position, from 0: `Pages` asks the gateway, `AllKeys` has every row."""

    @property
    def total(self) -> int | None:
        """How many rows there are; None before the first answer."""

    @property
    def changes(self) -> int:
        """How many times the rows may have moved under their positions."""

    async def read(self, first: int, count: int) -> Sequence[T_co]:
        """The rows at `first` and after, `count` of them, fewer at the end."""

    def at(self, position: int) -> T_co | None:
        """The row at `position`, where it is in memory."""

    def forget(self) -> None:
        """Cancel every call; what can be asked for again is dropped."""


class Pages(Generic[T]):
    """Rows by position from `ask(page)`, which takes a page number from 0 and gives the total and the page's rows.

    At most `kept` pages stay in memory. A total that changes empties the window, as every position may have moved;
    `changes` counts that. Cancelling a `read` cancels its calls. `read` raises what `ask` raises.
    """

    def __init__(self, ask: Callable[[int], Awaitable[tuple[int, list[T]]]], *, kept: int = PAGES_KEPT) -> None:
        self.changes = 0
        self._ask = ask
        self._kept = max(kept, 2)
        self._pages: OrderedDict[int, list[T]] = OrderedDict()
        self._under_way: dict[int, asyncio.Task[list[T]]] = {}
        self._waiting: dict[int, int] = {}
        self._total: int | None = None
        self._last, self._next = 0, 0

    @property
    def total(self) -> int | None:
        """How many rows there are; None before the first answer."""
        return self._total

    @property
    def in_memory(self) -> int:
        """How many rows are in memory."""
        return sum(map(len, self._pages.values()))

    def at(self, position: int) -> T | None:
        """The row at `position`, where its page is in memory."""
        number, place = divmod(position, PAGE)
        page = self._pages.get(number, [])
        return page[place] if place < len(page) else None

    async def read(self, first: int, count: int, *, ahead: bool = True) -> list[T]:
        """The rows at `first` and after, `count` of them, fewer at the end.

        Pages in memory are taken from there. Afterwards, with `ahead`, one neighbour is fetched, in the direction of
        travel.
        """
        first = max(first, 0)
        known = self._total
        if count <= 0 or (known is not None and first >= known):
            return []
        last = first + count if known is None else min(first + count, known)
        wanted = range(first // PAGE, (last - 1) // PAGE + 1)
        self._drop(keep=wanted)
        changes = self.changes
        found = await self._together(wanted)
        if self.changes != changes:
            # pages of before and after the change do not fit together; those from before are gone and asked for again
            found = await self._together(wanted)
        self._next = wanted.start - 1 if wanted.start < self._last else wanted.stop
        self._last = wanted.start
        if ahead:
            self.fetch_ahead()
        start = wanted.start * PAGE
        return [row for page in found for row in page][first - start : last - start]

    def forget(self) -> None:
        """Cancel every call and drop what is in memory; the next `read` asks anew."""
        self._drop(keep=())
        self._pages.clear()
        self._total = None

    async def _together(self, numbers: Iterable[int]) -> list[list[T]]:
        return await asyncio.gather(*(self._page(number) for number in numbers))

    async def _page(self, number: int) -> list[T]:
        if (kept := self._pages.get(number)) is not None:
            self._pages.move_to_end(number)
            return kept
        task = self._under_way.get(number) or self._begin(number)
        self._waiting[number] = self._waiting.get(number, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[number] -= 1
            if not self._waiting[number]:
                del self._waiting[number]
                # where it is not done, the last who wanted it has been cancelled
                task.cancel()

    def _begin(self, number: int) -> asyncio.Task[list[T]]:
        task = self._under_way[number] = asyncio.create_task(self._fetch(number))
        task.add_done_callback(lambda done: self._ended(number, done))
        return task

    async def _fetch(self, number: int) -> list[T]:
        total, rows = await self._ask(number)
        if self._total is not None and total != self._total:
            self.changes += 1
            self._pages.clear()
        self._total = total
        self._pages[number] = rows
        while len(self._pages) > self._kept:
            self._pages.popitem(last=False)
        return rows

    def _ended(self, number: int, task: asyncio.Task[list[T]]) -> None:
        if self._under_way.get(number) is task:
            del self._under_way[number]
        # nobody asks why a page that was fetched ahead failed: the read that needs it tries again
        if not task.cancelled():
            task.exception()

    def _drop(self, keep: Iterable[int]) -> None:
        kept = set(keep)
        for number, task in list(self._under_way.items()):
            if number not in kept and number not in self._waiting:
                task.cancel()
                del self._under_way[number]

    def fetch_ahead(self) -> None:
        """Fetch the neighbour of what was read last, in the direction of travel, where it is not in memory."""
        ahead = self._next
        exists = ahead >= 0 and ahead * PAGE < (self._total or 0)
        if exists and ahead not in self._pages and ahead not in self._under_way:
            self._begin(ahead)
