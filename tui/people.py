"""Users or teams of a gateway as a list: a page of the server's, what a search finds, or all of them in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from tui.gateway.finding import Found
from tui.gateway.paging import PAGE, Pages
from tui.startup import FEW

T = TypeVar("T")

AT_ONCE = 4
"""Pages that are asked for side by side when everything is read."""


@dataclass(frozen=True, slots=True)
class View:
    """What was typed, and the column that it is sorted by."""

    text: str
    sort: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What is shown: the rows of `view` from position `first` (from 0), of `total`.

    `more`: a search found more than these; nobody says how many.
    """

    view: View
    first: int
    total: int
    rows: tuple[T, ...]
    more: bool = False

    @property
    def last_first(self) -> int:
        """Where the last page begins."""
        return max(0, (self.total - 1) // PAGE * PAGE)


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """How one kind of record is asked for and compared. `sorts` are the columns that everything in memory can be
    sorted by, absent values last; `server_sorts` those of them that the server sorts by."""

    pages: Callable[[str, bool], Pages[T]]
    find: Callable[[str], Awaitable[Found[T]]]
    id: Callable[[T], str]
    words: Callable[[T], Iterable[str | None]]
    sorts: Mapping[str, Callable[[T], object]]
    server_sorts: Collection[str]


class Listing(Generic[T]):
    """One page at a time. `read` and `read_all` only ask, and raise one of `GatewayError`'s kinds."""

    def __init__(self, source: Source[T]) -> None:
        self._source = source
        self.everything: dict[str, T] | None = None
        """Every record by id, where all were read."""
        self.total: int | None = None
        """How many there are, as far as is known."""
        self._pages: tuple[View, Pages[T]] | None = None

    def can_sort(self, column: str, *, searched: bool) -> bool:
        """Whether that column can be sorted by: what is in memory by any, what a search finds too."""
        if self.everything is not None or searched:
            return column in self._source.sorts
        return column in self._source.server_sorts

    async def read(self, view: View, first: int = 0, *, anew: bool = False) -> Page[T]:
        """The page of `view` that begins at `first`, or the last one where there are fewer.

        At most `FEW` are read all: one call tells, and then every order and filter works. With `anew` nothing is taken
        from memory.
        """
        if self.everything is not None and not anew:
            return self._picked(self.everything.values(), view, first)
        if view.text:
            found = await self._source.find(view.text)
            return Page(view, 0, len(found.rows), tuple(self._ordered(found.rows, view)), found.more)
        pages = self._window(view, anew)
        rows = await pages.read(first, PAGE, ahead=bool(first))
        total = pages.total or 0
        if not rows and total:
            first = (total - 1) // PAGE * PAGE
            rows = await pages.read(first, PAGE)
        if total > FEW:
            self.everything, self.total = None, total
            return Page(view, first, total, tuple(rows))
        if len(rows) < total:
            rows = await pages.read(0, total)
        self._have(rows)
        return await self.read(view, first)

    async def read_all(self, progress: Callable[[int, int], object]) -> None:
        """Every record there is, so that every order works; cancel the task to stop, nothing is kept then.

        `progress` is told how many of how many are read.
        """
        pages = self._source.pages("id", False)
        try:
            rows = list(await pages.read(0, PAGE, ahead=False))
            while len(rows) < (total := pages.total or 0):
                progress(len(rows), total)
                more = await pages.read(len(rows), AT_ONCE * PAGE, ahead=False)
                if not more:
                    break
                rows += more
                await asyncio.sleep(0)
        finally:
            pages.forget()
        self._have(rows)

    def forget(self) -> None:
        """Cancel what is fetched ahead."""
        if self._pages is not None:
            self._pages[1].forget()
            self._pages = None

    def _have(self, rows: Iterable[T]) -> None:
        self.everything = {self._source.id(row): row for row in rows}
        self.total = len(self.everything)
        self.forget()

    def _window(self, view: View, anew: bool) -> Pages[T]:
        if self._pages is None or self._pages[0] != view or anew:
            self.forget()
            self._pages = view, self._source.pages(view.sort, view.descending)
        return self._pages[1]

    def _picked(self, among: Iterable[T], view: View, first: int) -> Page[T]:
        needle = view.text.casefold()
        found = [row for row in among if not needle or needle in _words(self._source.words(row))]
        page = Page(view, 0, len(found), tuple(self._ordered(found, view)))
        first = max(0, min(first, page.last_first))
        return replace(page, first=first, rows=page.rows[first : first + PAGE])

    def _ordered(self, rows: Sequence[T], view: View) -> list[T]:
        by = self._source.sorts[view.sort]
        # the ids make one order of equal values, which no page repeats
        known = sorted((row for row in rows if by(row) is not None), key=self._source.id)
        absent = sorted((row for row in rows if by(row) is None), key=self._source.id)
        return sorted(known, key=lambda row: _comparable(by(row)), reverse=view.descending) + absent


def _words(words: Iterable[str | None]) -> str:
    return "\n".join(word for word in words if word).casefold()


def _comparable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
