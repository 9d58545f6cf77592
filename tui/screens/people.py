"""What the lists of users and of teams share: pages of the server's, searching, sorting, and the ways on from a row."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui import keymap, look
from tui.formatting import fit, harmless
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.finding import PAUSE, needle
from tui.gateway.paging import PAGE
from tui.people import Listing, Page, Source, View
from tui.reports import Scope
from tui.screens.base import MainScreen
from tui.widgets.bars import Line
from tui.widgets.paged_table import PagedTable
from tui.widgets.table import Column, RecordTable, Row
from tui.workspace import Workspace

T = TypeVar("T")
Cursor = Literal["first", "last", "stay"]
FALLING = frozenset({"spend", "budget", "created", "keys", "teams", "members"})
"""Columns that are looked at for their most, not for their least."""


class PeopleScreen(MainScreen, Generic[T]):
    """A list that is only looked at. A subclass says what a row is; the first page is read when it is first opened."""

    CSS_PATH = ["base.tcss", "people.tcss"]
    AUTO_FOCUS = ""
    one: ClassVar[str]
    """What a row is called; an s makes it several."""
    columns: ClassVar[tuple[Column, ...]]
    order: ClassVar[str]
    """The column that it is sorted by at first."""
    server_finds: ClassVar[str]
    """What the server searches, where not everything is in memory."""
    finds: ClassVar[str]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "keys", id="people.open", tooltip="See the keys of this row alone"),
        Binding("i", "detail", "detail", id="people.detail", tooltip="Show everything about this row"),
        Binding("u", "usage", "usage", id="people.usage", tooltip="See the usage of this row"),
        Binding("y", "copy_id", "copy id", id="people.copy", tooltip="Copy the id"),
        Binding("slash", "filter", "filter", id="people.filter", tooltip="Show only rows that match"),
        Binding("s", "sort", "sort", id="people.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="people.reverse", show=False, tooltip="Turn the order round"),
        Binding(
            "A",
            "read_all",
            "read all",
            id="people.read-all",
            show=False,
            tooltip="Of many rows read every one once: then every order and filter works",
        ),
        Binding("escape", "back", "back", id="people.back", show=False, tooltip="Stop reading; clear the filter"),
    ]

    class Turned(Message):
        """A page was read."""

        def __init__(self, page: Page[Any], cursor: Cursor, asked: bool) -> None:
            super().__init__()
            self.page, self.cursor, self.asked = page, cursor, asked

    class Failed(Message):
        """Something could not be read."""

        def __init__(self, error: GatewayError) -> None:
            super().__init__()
            self.error = error

    class Progressed(Message):
        """So many of all rows are read; all of them where `done`."""

        def __init__(self, read: int, total: int, *, done: bool = False) -> None:
            super().__init__()
            self.read, self.total, self.done = read, total, done

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._source = self.source()
        self.listing = Listing(self._source)
        self._needle = ""
        self._sort = self.order
        self._reverse = False
        self._page: Page[T] | None = None
        self._at = ""
        """When what is shown was read, for eyes."""
        self._turning: tuple[View, int] | None = None
        self._read: tuple[int, int] | None = None
        self._error: GatewayError | None = None
        self._typed_at = 0.0
        self._told_of_orders = False

    # What a subclass says

    def source(self) -> Source[T]:
        """How the rows are asked for."""
        raise NotImplementedError

    def row(self, record: T) -> Row:
        """How a record is drawn; the row's key is its id."""
        raise NotImplementedError

    def scope(self, record: T) -> Scope:
        """Whose keys and usage a row leads to."""
        raise NotImplementedError

    def open_detail(self, record: T) -> None:
        """Show everything about it."""
        raise NotImplementedError

    def nobody(self) -> str:
        """What there is to say where there is none at all."""
        return f"No {self.one}s: this gateway has none."

    # What is drawn

    def compose_body(self) -> Iterable[Widget]:
        """Filter, place, table, or a sentence in its place."""
        field = Input(id="filter", compact=True)
        field.cursor_blink = False
        yield field
        yield Line(id="place")
        yield PagedTable(self.columns, id="people")
        yield Line(id="empty", classes="empty")

    def on_mount(self) -> None:
        """Ask for the first page."""
        self.ask(0, "first")
        self.draw()

    def on_screen_resume(self) -> None:
        """The row has the focus that was drawn while another screen was in front."""
        if self.is_mounted:
            self.draw()

    @property
    def _table(self) -> PagedTable:
        return self.query_one("#people", PagedTable)

    @property
    def rows(self) -> Sequence[T]:
        """The records of the page."""
        return self._page.rows if self._page else ()

    @property
    def current(self) -> T | None:
        """The record under the cursor."""
        key = self._table.current if self._table.display else None
        return next((record for record in self.rows if self._source.id(record) == key), None)

    def data_age(self) -> str:
        """When the rows were read."""
        return self._at or "–"

    def view(self) -> View:
        """What is wanted."""
        return View(self._needle, self._sort, (self._sort in FALLING) != self._reverse)

    def draw(self) -> None:
        """Bring the table up to what is known; nothing is sent where nothing differs."""
        page = self._page
        table = self._table
        table.display = bool(self.rows)
        table.in_pages = page is not None and page.total > PAGE
        view = page.view if page else self.view()
        table.show([self.row(record) for record in self.rows], sorted_by=view.sort, reverse=view.descending)
        empty = self.query_one("#empty", Line)
        empty.display = not self.rows
        empty.show(Text("" if self.rows else harmless(self._instead())))
        self._say_place()
        self._say_status()
        if self.rows and self.is_current and not self.query_one("#filter").has_focus:
            table.focus()
        self.refresh_bars()

    def _instead(self) -> str:
        if self._page is None:
            if self._error and self._turning is None:
                return self.said(self._error)
            again = keymap.key("screen.refresh")
            return f"reading {self.one}s …" if self._turning else f"Nothing read yet. {again} asks."
        if self._page.view.text:
            text = fit(harmless(self._page.view.text), 40)
            return f"No {self.one} matches “{text}”. {keymap.key('people.back')} clears the filter."
        return self.nobody()

    def _say_place(self) -> None:
        page, line = self._page, self.query_one("#place", Line)
        words = []
        if self._read:
            words.append(f"{self._read[0]:,} of {self._read[1]:,} {self.one}s, {keymap.key('people.back')} stops")
        elif self._turning and page:
            words.append("reading …")
        if page and page.rows:
            if page.more:
                words.append(f"the first {len(page.rows)} that match, type on to find others")
            elif page.total > PAGE:
                words.append(f"{page.first + 1:,}–{page.first + len(page.rows):,} of {page.total:,}")
            elif page.view.text:
                total = f" of {self.listing.total:,}" if self.listing.total is not None else ""
                words.append(f"{page.total:,}{total}")
            else:
                words.append(f"{page.total:,} {self.one}{'' if page.total == 1 else 's'}")
        if page and page.view.text:
            words.append(f"“{fit(harmless(page.view.text), 20)}”")
        if page and page.rows:
            title = next(column.title.lower() for column in self.columns if column.id == page.view.sort)
            words.append(f"by {title}{', falling' if page.view.descending else ''}")
            if page.total > PAGE and not page.more:
                words.append(f"page {page.first // PAGE + 1:,} of {page.last_first // PAGE + 1:,}")
        line.display = bool(words)
        line.show(Text(fit(f" {' · '.join(words)}", self.app.size.width), style=look.DIM, no_wrap=True))

    def _say_status(self) -> None:
        page = self._page
        if self._error and page:
            self.say_stale(self._error, self._at)
        elif (
            page
            and page.total > PAGE
            and not page.view.text
            and self.listing.everything is None
            and page.view.sort not in ("id", "created")
        ):
            words = f"Equal values have no order: a {self.one} may be on two pages, or none."
            self.set_status(f"{words} {keymap.key('people.read-all')} reads all.")
        else:
            self.set_status()

    def on_resize(self) -> None:
        """The lines are laid out for the width."""
        if self.is_mounted:
            self.draw()

    @on(RecordTable.RowHighlighted)
    def on_moved(self) -> None:
        """What is possible depends on the row."""
        self.refresh_bars()

    # Moving

    @on(RecordTable.Left)
    def on_left(self, event: RecordTable.Left) -> None:
        """Beyond the ends of a page to the next one."""
        page = self._page
        if page is None:
            return
        if event.down and page.first < page.last_first:
            self.ask(page.first + PAGE, "first")
        elif not event.down and page.first:
            self.ask(page.first - PAGE, "last")

    @on(PagedTable.Ends)
    def on_ends(self, event: PagedTable.Ends) -> None:
        """The first or the last row of all."""
        page = self._page
        if page is None:
            return
        cursor: Cursor = "last" if event.last else "first"
        first = page.last_first if event.last else 0
        if first == page.first and self._turning is None:
            self._put_cursor(cursor)
        else:
            self.ask(first, cursor)

    def _put_cursor(self, where: Cursor) -> None:
        if where != "stay" and self._table.row_count:
            self._table.move_cursor(row=self._table.row_count - 1 if where == "last" else 0, animate=False)

    # Filtering and sorting

    def action_filter(self) -> None:
        """Open the filter line."""
        field = self.query_one("#filter", Input)
        field.placeholder = self.finds if self.listing.everything is not None else self.server_finds
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def on_filter_changed(self, event: Input.Changed) -> None:
        """The list follows the typing: the first letter is asked for at once, a run of letters when it ends."""
        text = needle(event.value)
        if text == self._needle:
            return
        self._needle = text
        if not self.listing.can_sort(self._sort, searched=bool(text)):
            self._sort, self._reverse = self.order, False
        now = time.monotonic()
        wait, self._typed_at = PAUSE if now - self._typed_at < PAUSE else 0.0, now
        self.ask(0, "first", wait=wait)

    @on(Input.Submitted, "#filter")
    def on_filter_done(self) -> None:
        """Enter goes to the list; what is searched for stays in words."""
        if self.rows:
            self.query_one("#filter").display = False
            self._table.focus()
            self.draw()

    def action_back(self) -> None:
        """What is being read, then the filter."""
        field = self.query_one("#filter", Input)
        typing = field.has_focus
        if self._read is not None and not typing:
            self.workers.cancel_group(self, "all")
            self._read = None
            self.tell(f"Stopped; the {self.one}s that were read are not kept.")
        elif self._turning is not None and self._page is not None and not typing:
            self.workers.cancel_group(self, "people")
            self._turning = None
        elif field.display or self._needle:
            self._needle = field.value = ""
            field.display = False
            self.set_focus(None)
            if not self.listing.can_sort(self._sort, searched=False):
                self._sort, self._reverse = self.order, False
            self.ask(0, "first")
        self.draw()

    def _can_sort(self, column: str) -> bool:
        return self.listing.can_sort(column, searched=bool(self._needle))

    def _why_not_sort(self) -> str:
        sorted_by = [each.title.lower() for each in self.columns if each.id in self._source.server_sorts]
        by = f"{', '.join(sorted_by[:-1])} and {sorted_by[-1]}"
        total = f" {self.listing.total:,}" if self.listing.total else ""
        every = f"{keymap.key('people.read-all')} reads all{total} {self.one}s once"
        return f"LiteLLM sorts {self.one}s by {by} alone. {every}; then every column sorts."

    def action_sort(self) -> None:
        """The next column that is shown and that the rows can be sorted by."""
        visible = [each.id for each in self.columns if each.id in self._table.visible_columns and each.sortable]
        names = [each for each in visible if self._can_sort(each)]
        if len(names) < len(visible) and not self._told_of_orders:
            self._told_of_orders = True
            self.tell(self._why_not_sort())
        if names:
            self._sort = names[(names.index(self._sort) + 1) % len(names)] if self._sort in names else names[0]
            self._reverse = False
            self.ask(0, "first")

    def action_reverse(self) -> None:
        """The same column, the other way."""
        self._reverse = not self._reverse
        self.ask(0, "first")

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        if not self._can_sort(event.column):
            self.tell(self._why_not_sort(), severity="warning")
            return
        self._reverse = not self._reverse if event.column == self._sort else False
        self._sort = event.column
        self.ask(0, "first")

    # Reading

    def action_reload(self) -> None:
        """Ask the gateway again, for all of them where all were read."""
        if self.listing.everything is not None and (self.listing.total or 0) > PAGE:
            self._begin_all()
        else:
            self.ask(self._page.first if self._page else 0, "stay", anew=True)
        self.draw()

    def ask(self, first: int, cursor: Cursor, *, wait: float = 0.0, anew: bool = False) -> None:
        """Ask for the page that begins at `first`; what was asked for before is cancelled."""
        view = self.view()
        if anew or self._turning != (view, first):
            self._turning, self._error = (view, first), None
            self._turn(view, first, cursor, wait, anew)
            if self.listing.everything is None:
                self._say_place()

    @work(exclusive=True, group="people")
    async def _turn(self, view: View, first: int, cursor: Cursor, wait: float, anew: bool) -> None:
        asked = anew or self.listing.everything is None
        if wait and asked:
            await asyncio.sleep(wait)
        try:
            if anew:
                await self.workspace.session.check_rights()
            page = await self.listing.read(view, first, anew=anew)
        except GatewayError as error:
            self.post_message(self.Failed(error))
        else:
            self.post_message(self.Turned(page, cursor, asked))

    @on(Turned)
    def on_turned(self, event: Turned) -> None:
        """Show the page, if it is still the one that is wanted."""
        if event.page.view != self.view():
            return
        self._turning, self._page = None, event.page
        self._count()
        if event.asked:
            self._at = f"{self.workspace.clock().astimezone():%H:%M}"
        self.all_well()
        self.draw()
        self._put_cursor(event.cursor)

    def _count(self) -> None:
        if self.listing.total is not None:
            self.workspace.counts[self.mode] = self.listing.total

    @on(Failed)
    def on_failed(self, event: Failed) -> None:
        """Say why what is shown stays."""
        self._turning = self._read = None
        self._error = event.error
        self.draw()

    def action_read_all(self) -> None:
        """Read every row once, so that every order and filter is possible."""
        if self.listing.everything is not None:
            self.tell(f"Every {self.one} is here; {keymap.key('screen.refresh')} asks for them again.")
        elif self._read is None and self._page is not None:
            self._begin_all()

    def _begin_all(self) -> None:
        self._read = (0, self.listing.total or 0)
        self._say_place()
        self._fetch_all()

    @work(exclusive=True, group="all")
    async def _fetch_all(self) -> None:
        def progress(read: int, total: int) -> None:
            self.post_message(self.Progressed(read, total))

        try:
            await self.workspace.session.check_rights()
            await self.listing.read_all(progress)
        except GatewayError as error:
            self.post_message(self.Failed(error))
        else:
            total = self.listing.total or 0
            self.post_message(self.Progressed(total, total, done=True))

    @on(Progressed)
    def on_progressed(self, event: Progressed) -> None:
        """Say how far it is; at the end nothing has to be asked for any more."""
        if self._read is None:
            return
        self._read = None if event.done else (event.read, event.total)
        if event.done:
            self._at = f"{self.workspace.clock().astimezone():%H:%M}"
            self.ask(0, "first")
        self._say_place()

    # The ways on

    def why_not(self, action: str) -> str | None:
        """What is done to a row needs one, and the right to see what it leads to (S44)."""
        name = action.rpartition(".")[2]
        if name not in ("open", "detail", "usage", "copy_id"):
            return None
        if self.current is None and self._page is None and self._turning:
            return f"The {self.one}s are still being read."
        if self.current is None:
            return f"There is no {self.one} under the cursor."
        rights = self.workspace.session.rights
        if name == "open":
            return rights.why_not(Action.LIST_KEYS)
        return rights.why_not(Action.SEE_USAGE) if name == "usage" else None

    @on(RecordTable.RowSelected)
    async def on_chosen(self) -> None:
        """Enter in the table goes to the keys."""
        await self.action_open()

    async def action_open(self) -> None:
        """The keys screen with these keys alone."""
        record = self.current
        if not self.refused("open") and record is not None:
            await self.tui.show("keys", self.scope(record), self.mode)

    async def action_usage(self) -> None:
        """The usage screen about this row."""
        record = self.current
        if not self.refused("usage") and record is not None:
            await self.tui.show("usage", self.scope(record), self.mode)

    def action_detail(self) -> None:
        """Everything about the row under the cursor."""
        record = self.current
        if not self.refused("detail") and record is not None:
            self.open_detail(record)

    @work(group="copy")
    async def action_copy_id(self) -> None:
        """The id to the clipboard."""
        record = self.current
        if not self.refused("copy_id") and record is not None:
            scope = self.scope(record)
            self.tell(f"The id of {scope.label}: {await self.tui.copy(scope.id)}")
