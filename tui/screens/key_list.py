"""The two lists of the keys screen: what needs a person, and all keys; moving, marking, filtering, sorting, reading."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.text import Text
from textual import on, work
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui import keymap, look
from tui.formatting import fit, harmless, plain
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.finding import PAUSE
from tui.gateway.key_pages import AnyKey
from tui.gateway.paging import PAGE
from tui.gateway.rotation import Unfinished
from tui.gateway.rotation_records import retired
from tui.gateway.schema import Key
from tui.gateway.state import Reason, attention
from tui.last_time import Picture
from tui.long_list import Everything, LongList, Page, View, words_of
from tui.screens.base import MainScreen
from tui.screens.dialogs import Confirm
from tui.screens.key_rows import ATTENTION, COLUMNS, EVERYONES, NEEDED, key_row, needy_row, rotation_row, rule
from tui.screens.key_text import SORTS
from tui.screens.mark_by import MarkBy, conditions
from tui.widgets.bars import Hints, Line, TopBar
from tui.widgets.paged_table import PagedTable
from tui.widgets.table import RecordTable, next_sort, sort_key
from tui.workspace import Workspace

if TYPE_CHECKING:
    from tui.reports import Scope

NEEDY_SHOWN = 50
"""Keys of a long list that are drawn among those that need a person."""
TURNS = 16
"""Rounds of the loop in which a question is on its way."""
_ORDER = {
    "created": ("oldest first", "newest first"),
    "alias": ("A to Z", "Z to A"),
    "spend": ("least first", "most first"),
    "budget": ("least used first", "most used first"),
    "expires": ("soonest first", "latest first"),
    "used": ("longest ago first", "latest first"),
}
Cursor = Literal["first", "last", "stay"]


class KeyList(MainScreen):
    """Two lists of keys, short or in pages. What is done to keys is the subclass's."""

    class Loaded(Message):
        """The keys were read, or could not be."""

        def __init__(self, error: GatewayError | None = None) -> None:
            super().__init__()
            self.error = error

    class Turned(Message):
        """A page of a long list was read."""

        def __init__(self, long: LongList, page: Page, cursor: Cursor, asked: bool) -> None:
            super().__init__()
            self.long, self.page, self.cursor, self.asked = long, page, cursor, asked

    class Progressed(Message):
        """So many of all keys are read."""

        def __init__(self, read: int, total: int) -> None:
            super().__init__()
            self.read, self.total = read, total

    class AllRead(Message):
        """Every key was read; `then` is what they were wanted for."""

        def __init__(self, long: LongList, everything: Everything, then: Callable[[], object] | None) -> None:
            super().__init__()
            self.long, self.everything, self.then = long, everything, then

    class Named(Message):
        """The names of teams were learned."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._marks: dict[str, AnyKey] = {}
        self._needle = ""
        self._sort = ""
        self._reverse = False
        self._whose: Scope | None = None
        self._by_hash: dict[str, Key] = {}
        self._rotations: dict[str, Unfinished] = {}
        self._turning: tuple[View, int] | None = None
        """The page of a long list that is asked for."""
        self._read: tuple[int, int] | None = None
        """How far the reading of all keys is."""
        self._rest = False, 0
        """Whether any key that needs a person is drawn, and how many more there are than lines for them."""
        self._told_of_orders = False
        self._asked_names: set[str] = set()
        """Teams whose names were asked for."""

    def compose_body(self) -> Iterable[Widget]:
        """Attention, filter, all keys."""
        yield RecordTable(ATTENTION, show_header=False, id="attention")
        yield Line(id="more")
        field = Input(placeholder="alias, key, owner, team or model", id="filter", compact=True)
        field.cursor_blink = False
        yield field
        yield Line(id="filtered")
        yield Line(id="place")
        yield PagedTable(EVERYONES if self.workspace.session.everyone else COLUMNS, id="keys")
        yield Line(id="empty", classes="empty")

    def on_mount(self) -> None:
        """Draw what the start has read; what needs a person has the cursor."""
        self.draw()
        refused = self.workspace.session.rights.why_not(Action.LIST_KEYS)
        if refused:
            self.set_status(refused, bad=True)
        (self._attention if self._attention.row_count else self._all).focus()
        self.call_after_refresh(self._name_teams)

    # What is drawn

    @property
    def _attention(self) -> RecordTable:
        return self.query_one("#attention", RecordTable)

    @property
    def _all(self) -> PagedTable:
        return self.query_one("#keys", PagedTable)

    @property
    def _everything(self) -> Everything | None:
        """Every key of whom the list is about, where it is long and they were read."""
        long = self.workspace.long
        return long.in_memory(long.view) if long else None

    def _view(self) -> View:
        """What is wanted of a long list."""
        whose = self._whose
        sort = self._sort or "created"
        return View(
            user_id=whose.id if whose and whose.kind == "user" else None,
            team_id=whose.id if whose and whose.kind == "team" else None,
            text=self._needle,
            sort=sort,
            # what is new is looked for first; any other column begins at its least
            descending=(sort == "created") != self._reverse,
        )

    def _of_whom(self) -> list[Key]:
        """The keys at hand of those whom the list is about."""
        view = self._view()
        return [
            key
            for key in self.workspace.keys
            if view.user_id in (None, key.user_id) and view.team_id in (None, key.team_id)
        ]

    def shown(self) -> list[Key]:
        """The keys that match the filter, in the chosen order; of a long list those of the page."""
        if self.workspace.long:
            return list(self.workspace.long.page.keys)
        needle, now = self._needle.casefold(), self.workspace.clock()
        found = [
            key for key in self._of_whom() if not needle or needle in words_of(key, self.workspace.team_of(key), now)
        ]
        if self._sort:
            by = SORTS[self._sort]
            present = [key for key in found if by(key) is not None]
            absent = [key for key in found if by(key) is None]
            return sorted(present, key=lambda key: sort_key(by(key)), reverse=self._reverse) + absent
        return sorted(found, key=lambda key: key.label.casefold(), reverse=self._reverse)

    def draw(self) -> None:
        """Bring both lists up to what is known; nothing is sent where nothing differs."""
        long = self.workspace.long
        self._by_hash = {key.hash: key for key in self.workspace.keys}
        self._rotations = {rotation.new.hash: rotation for rotation in self.workspace.unfinished()}
        self._draw_attention()
        if long is None:
            # what is gone from the list is gone from the gateway
            self._marks = {hash: self._by_hash[hash] for hash in self._marks if hash in self._by_hash}
        else:
            self._marks.update((hash, self._by_hash[hash]) for hash in self._marks if hash in self._by_hash)
        shown = self.shown()
        sort, reverse = (long.view.sort, long.view.descending) if long else (self._sort or "alias", self._reverse)
        rows = [key_row(key, self.workspace, marked=key.hash in self._marks) for key in shown]
        self._all.in_pages = long is not None
        self._all.show(rows, sorted_by=sort, reverse=reverse)
        self._all.display = bool(shown)
        self._say_empty(bool(shown))
        self._say_filtered(shown)
        self._say_place()
        self.refresh_bars()

    def _draw_attention(self) -> None:
        told = {hash for each in self._rotations.values() for hash in (each.new.hash, each.note.of)}
        needy, more = self._needy()
        needy = [(key, reason) for key, reason in needy if key.hash not in told]
        self._by_hash.update((key.hash, key) for key, _ in needy)
        for each in self._rotations.values():
            self._by_hash.update((key.hash, key) for key in (each.new, each.old) if key is not None)
        room = max(3, min(6, self.app.size.height // 5))
        rows = [
            rotation_row(each, self.workspace, marked=each.new.hash in self._marks)
            for each in self._rotations.values()
            if self._whose is None or each.new.hash in self._hashes_of_whom()
        ]
        rows += [needy_row(key, reason, self.workspace, marked=key.hash in self._marks) for key, reason in needy]
        self._attention.show(rows)
        self._attention.display = bool(rows)
        self._attention.styles.height = min(len(rows), room)
        self._say_more(bool(rows), len(rows) + more - room)

    def _say_more(self, any_rows: bool, rest: int) -> None:
        """Between the lists: how many more need a person, or what it takes to know."""
        long = self.workspace.long
        self._rest = any_rows, rest
        words = f"{rest:,} more need{'s' if rest == 1 else ''} attention" if rest > 0 else ""
        if self._read:
            words = f"reading all: {self._read[0]:,} of {self._read[1]:,} keys, {keymap.key('keys.back')} stops"
        elif long and self._everything is None:
            words = f"{keymap.key('keys.read-all')} reads all {long.total:,}: what needs attention, every order"
        line = self.query_one("#more", Line)
        line.display = any_rows or bool(words)
        line.show(rule(self.app.size.width, words))

    def _hashes_of_whom(self) -> set[str]:
        return {key.hash for key in self._of_whom()}

    def _needy(self) -> tuple[list[tuple[Key, Reason]], int]:
        """What needs a person, most pressing first, and how many more there are."""
        if self.workspace.long is None:
            found = attention(self._of_whom(), self.workspace.clock())
            return [(item.key, item.reason) for item in found], 0
        if self._everything is None:
            return [], 0
        needy, total = self._everything.needy(self.workspace.long.view, NEEDY_SHOWN)
        return needy, total - len(needy)

    def on_resize(self) -> None:
        """Heights and the rule depend on the size."""
        if self.is_mounted:
            self.draw()
            self._name_teams()

    def _say_filtered(self, shown: list[Key]) -> None:
        """What narrows the list, and what an action would go to, in words."""
        words = []
        long = self.workspace.long
        if self._whose and not long:
            among = "" if self.workspace.whose else f" of {len(self.workspace.keys)}"
            count = len(self._of_whom())
            keys = "key" if count == 1 and not among else "keys"
            words.append(f"{fit(harmless(self._whose.label), 40)}: {count}{among} {keys}")
        if self._needle and shown and not long and not self.query_one("#filter").display:
            words.append(f"“{plain(self._needle)}”: {len(shown)} of {len(self._of_whom())} keys")
        if self._marks:
            hidden = len(self._marks) - sum(key.hash in self._marks for key in shown)
            beside = "not on this page" if long else "not shown and left alone"
            words.append(f"{len(self._marks):,} marked" + (f", {hidden:,} of them {beside}" if hidden else ""))
        line = self.query_one("#filtered", Line)
        line.display = bool(words)
        does = self.back_to if self._whose and not self._marks and not self._needle else "clears"
        line.show(Text(f" {' · '.join(words)}. {keymap.key('keys.back')} {does}." if words else "", style=look.GOOD))

    def _say_place(self) -> None:
        """Where in a long list this is, in which order, and what is being read."""
        long = self.workspace.long
        line = self.query_one("#place", Line)
        line.display = long is not None
        if long is None:
            return
        page, view = long.page, long.view
        words = []
        if self._whose and view.scope == self._view().scope:
            words.append(fit(harmless(self._whose.label), 30))
        if page.keys:
            last = page.first + len(page.keys)
            words.append(f"{page.first + 1:,}–{last:,} of {page.total:,}")
        if view.text:
            words.append(f"“{fit(plain(view.text), 20)}”")
        title = next((column.title.lower() for column in COLUMNS if column.id == view.sort), view.sort)
        up, down = _ORDER.get(view.sort, ("rising", "falling"))
        words.append(f"by {title}, {down if view.descending else up}")
        # at the other end, so that nothing moves while somebody types
        reading = "reading … " if self._turning else ""
        room = self.app.size.width - len(reading)
        place = f"page {page.first // PAGE + 1:,} of {page.last_first // PAGE + 1:,}"
        if page.total > PAGE and cell_len(" · ".join([*words, place])) < room:
            words.append(place)
        if self._whose and view.scope == self._view().scope:
            words.append(f"{keymap.key('keys.back')} {self.back_to}")
        said = fit(f" {' · '.join(words)}", room)
        line.show(Text(f"{said}{' ' * (room - cell_len(said))}{reading}", style=look.DIM, no_wrap=True))

    @property
    def back_to(self) -> str:
        """What leaving the keys of one user or team does, after the name of its key."""
        return "clears"

    def _say_empty(self, any_shown: bool) -> None:
        line = self.query_one("#empty", Line)
        line.display = not any_shown
        if any_shown:
            return
        back = keymap.key("keys.back")
        if self._needle and (self.workspace.keys or self.workspace.long):
            text = f"No key matches “{plain(self._needle)}”. {back} clears the filter."
        elif self._whose:
            text = f"No keys of {fit(harmless(self._whose.label), 40)}. {back} goes back."
        elif self.workspace.session.rights.why_not(Action.LIST_KEYS):
            text = "Keys cannot be listed with this session's key."
        elif self.workspace.session.rights.why_not(Action.CREATE):
            text = "No keys yet."
        else:
            text = f"No keys yet. {keymap.key('keys.new')} makes one."
        line.show(Text(text))

    def picture(self) -> Picture | None:
        """The list as a start shows it, as text; None where something else is shown, or it could not be read anew."""
        long, tables = self.workspace.long, (self._attention, self._all)
        moved = self._marks or self._read or self._turning or self.tries.error or any(each.scroll_y for each in tables)
        if moved or self._view() != View() or self._reverse or (long and long.page.first) or not self.size.height:
            return None
        lines = [""] * self.size.height
        lines[1] = self.query_one(TopBar).render_line(1).text
        for widget in self.children:
            if widget.display and not isinstance(widget, (TopBar, Hints)) and widget.region.y > 1:
                for row in range(min(widget.size.height, self.size.height - 1 - widget.region.y)):
                    lines[widget.region.y + row] = widget.render_line(row).text
        return Picture(self.workspace.keys_at, tuple(lines[1:-1]))

    # Moving and marking

    @property
    def current(self) -> Key | None:
        """The key under the cursor of the list that has the focus."""
        table = self._attention if self._attention.has_focus else self._all
        return self._by_hash.get(table.current or "")

    def targets(self) -> list[AnyKey]:
        """What an action goes to: the marked keys, of a short list those that are shown, else the one under the
        cursor."""
        if self.workspace.long:
            marked = list(self._marks.values())
        else:
            marked = [key for key in self.shown() if key.hash in self._marks] if self._marks else []
        return marked or ([self.current] if self.current else [])

    def why_not(self, action: str) -> str | None:
        """From the session's rights, for the keys that the action would go to (S44)."""
        name = action.rpartition(".")[2]
        session = self.workspace.session
        if name == "whose":
            return session.rights.why_not(Action.SEE_EVERYONE)
        return self.forbids(name, self.targets())

    def forbids(self, action: str, chosen: Iterable[AnyKey]) -> str | None:
        """Why `action` is possible with none of `chosen`; None where it is with one."""
        needed = NEEDED.get(action)
        if needed is None:
            return None
        rights, why = self.workspace.session.rights, None
        for key in chosen if needed is not Action.CREATE else ():
            why = self.forbidden(needed, key)
            if why is None:
                return None
        return why or rights.why_not(needed)

    def forbidden(self, needed: Action, key: AnyKey) -> str | None:
        """Why this may not be done to `key`; None where it may."""
        return self.workspace.session.rights.why_not(needed, key if isinstance(key, Key) else key.key())

    @on(RecordTable.RowHighlighted)
    def on_moved(self) -> None:
        """What is possible depends on the row."""
        self.refresh_bars()

    @on(RecordTable.Left)
    def on_left(self, event: RecordTable.Left) -> None:
        """Down from the attention list goes on in the list of all, and back; a long list goes on in its next page."""
        long = self.workspace.long
        if event.table is self._attention and event.down and self._all.row_count:
            self._all.move_cursor(row=0, animate=False)
            self._all.focus()
        elif event.table is self._all and long and event.down:
            if long.page.first < long.page.last_first:
                self.ask(long.page.first + PAGE, "first")
        elif event.table is self._all and long and long.page.first:
            self.ask(long.page.first - PAGE, "last")
        elif event.table is self._all and not event.down and self._attention.row_count:
            self._attention.focus()
        self.refresh_bars()

    @on(PagedTable.Ends)
    def on_ends(self, event: PagedTable.Ends) -> None:
        """The first or the last page."""
        long = self.workspace.long
        if long is None:
            return
        first = long.page.last_first if event.last else 0
        if first == long.page.first and self._turning is None:
            self._put_cursor("last" if event.last else "first")
        else:
            self.ask(first, "last" if event.last else "first")

    def _put_cursor(self, where: Cursor) -> None:
        if where != "stay" and self._all.row_count:
            self._all.move_cursor(row=self._all.row_count - 1 if where == "last" else 0, animate=False)

    def action_other_list(self) -> None:
        """From the one list to the other."""
        other = self._all if self._attention.has_focus or not self._attention.row_count else self._attention
        other.focus()
        self.refresh_bars()

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next row."""
        key = self.current
        if key is None:
            return
        if self._marks.pop(key.hash, None) is None:
            self._marks[key.hash] = key
        self.draw()
        table = self._attention if self._attention.has_focus else self._all
        if table.cursor_row < table.row_count - 1:
            table.action_cursor_down()

    def action_mark_all(self) -> None:
        """Mark every key shown; where all are marked, none of them. Retired ones only where nothing else is shown."""
        shown = self.shown()
        found = {key.hash: key for key in shown if not retired(key)} or {key.hash: key for key in shown}
        if found.keys() > self._marks.keys() or found.keys() - self._marks.keys():
            self._marks |= found
        elif self.workspace.long:
            self._marks = {hash: key for hash, key in self._marks.items() if hash not in found}
        else:
            self._marks = {}
        self.draw()

    @work(group="dialog")
    async def action_mark_by(self) -> None:
        """Mark what a condition picks; of a long list all keys have to be read for it."""
        long = self.workspace.long
        if long and not long.in_memory(self._view()):
            lines = [
                "A condition has to look at every key, and LiteLLM gives 100 at a time.",
                f"Nothing is marked before you have seen what it picks. {keymap.key('keys.back')} stops the reading.",
            ]
            if await self.app.push_screen_wait(Confirm(f"Read all {long.total:,} keys first?", lines, "Read them")):
                self._begin_all(self.action_mark_by)
            return
        among = self._everything.picked(long.view) if long and self._everything else self.shown()
        found = conditions(among, self.workspace.clock(), tells_last_use=self.workspace.session.server.at_least(1, 83))
        chosen = await self.app.push_screen_wait(MarkBy(found, len(among)))
        if chosen is not None:
            self._marks |= {key.hash: key for key in chosen.keys}
            self.tell(f"{len(chosen.keys):,} marked: {chosen.words}.")
            self.draw()

    # Filtering and sorting

    def action_filter(self) -> None:
        """Open the filter line."""
        field = self.query_one("#filter", Input)
        words = "alias, key, owner, team or model"
        if self.workspace.long and self._everything is None:
            words = "a part of an alias; also expired, blocked, active"
        field.placeholder = words
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    async def on_filter_changed(self, event: Input.Changed) -> None:
        """The list follows the typing."""
        text = event.value.strip()
        if text == self._needle:
            return
        self._needle = text
        if self.workspace.long is None:
            self.draw()
            return
        # a letter is asked for at once, but for one that comes before the last one's answer: then when the run ends
        self.ask(0, "first", wait=PAUSE if self._turning else 0.0)
        for _ in range(TURNS):
            # the gateway works on the answer while the letter is drawn
            await asyncio.sleep(0)

    @on(Input.Submitted, "#filter")
    def on_filter_done(self) -> None:
        """Enter goes to the list; what is filtered stays in words."""
        if self._all.row_count:
            self.query_one("#filter").display = False
            self._all.focus()
            self.draw()
            if self.workspace.long:
                self.workspace.long.fetch_ahead()

    def action_back(self) -> None:
        """What is being read, then marks, then the filter, then back to everyone's."""
        field = self.query_one("#filter", Input)
        typing = field.has_focus
        if self._read is not None and not typing:
            self._stop_all()
        elif self._turning is not None and not typing:
            self.workers.cancel_group(self, "keys")
            self._turning = None
        elif self._marks and not typing:
            self._marks = {}
        elif field.display or self._needle:
            self._needle = ""
            field.value = ""
            field.display = False
            self._all.focus()
            self._narrowed()
        elif self._whose is not None:
            self._about(None)
        self.draw()

    def _narrowed(self) -> None:
        """Another filter, order or person: of a long list, ask for it."""
        if self.workspace.long:
            self.ask(0, "first")
        else:
            self.draw()

    def action_sort(self) -> None:
        """The next column; after the last, by alias again, or what is new where the list is long."""
        visible = [column for column in COLUMNS if column.id in self._all.visible_columns]
        long = self.workspace.long
        if long is None:
            self._sort = next_sort(visible, self._sort or "alias")
        else:
            every = long.in_memory(self._view()) is not None
            names = ["created"]
            names += [
                each.id
                for each in visible
                if each.sortable and each.id != "created" and (every or long.listing.can_sort(each.id))
            ]
            here = self._view().sort
            self._sort = names[(names.index(here) + 1) % len(names)] if here in names else names[0]
            if not every and not self._told_of_orders:
                self._told_of_orders = True
                all_of = f"{keymap.key('keys.read-all')} reads all {long.total:,} keys once"
                self.tell(f"LiteLLM sorts by created, alias and spend alone. {all_of}; then every column sorts.")
        self._reverse = False
        self._narrowed()

    def action_reverse(self) -> None:
        """The same column, the other way."""
        self._reverse = not self._reverse
        self._narrowed()

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        long = self.workspace.long
        if long and not long.in_memory(self._view()) and (why := long.listing.why_not_sort(event.column)):
            self.tell(f"{why} {keymap.key('keys.read-all')} does that.", severity="warning")
            return
        here = self._view().sort if long else self._sort or "alias"
        self._reverse = not self._reverse if event.column == here else False
        self._sort = event.column
        self._narrowed()

    @work(group="dialog")
    async def action_whose(self) -> None:
        """Everyone's keys, a user's or a team's."""
        if self.refused("whose"):
            return
        from tui.reports import Scope
        from tui.screens.choose_scope import ChooseScope

        session = self.workspace.session
        home = Scope("user", session.user_id, session.about) if session.user_id else Scope("everyone", "", "everyone")
        here = self._whose or home
        chosen = await self.app.push_screen_wait(ChooseScope(self.workspace, [home], here, title="Whose keys?"))
        if chosen is not None and (chosen.kind, chosen.id) != (here.kind, here.id):
            self._about(None if (chosen.kind, chosen.id) == (home.kind, home.id) else chosen)

    def _about(self, whose: "Scope | None") -> None:
        """From now on these keys; in an order that they can be asked for in."""
        self._whose = whose
        long = self.workspace.long
        if long and not long.in_memory(self._view()) and long.listing.why_not_sort(self._view().sort):
            self._sort, self._reverse = "", False
        self._narrowed()

    # Reading

    def action_reload(self) -> None:
        """Ask the gateway again."""
        self.load()

    def load(self) -> None:
        """Read what is shown anew; the message's handler draws it."""
        long = self.workspace.long
        if long is None:
            self._load()
        elif long.everything is not None and long.everything.scope == (None, None):
            self._begin_all(None)
        else:
            self.ask(long.page.first, "stay", anew=True)

    @work(exclusive=True, group="keys")
    async def _load(self) -> None:
        try:
            await self.workspace.refresh_keys()
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.Loaded())

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Draw what came, or say why the old list stays."""
        self._turning = None
        if event.error:
            self.say_stale(event.error, f"{self.workspace.keys_at.astimezone():%H:%M}")
        else:
            self.all_well()
            self.set_status()
        self.draw()

    def ask(self, first: int, cursor: Cursor, *, wait: float = 0.0, anew: bool = False) -> None:
        """Ask for the page of a long list that begins at `first`; what was asked for before is cancelled."""
        long, view = self.workspace.long, self._view()
        if long is None:
            return
        if why := long.why_not(view):
            self.workers.cancel_group(self, "keys")
            self._turning = None
            self.set_status(f"{why} {keymap.key('keys.read-all')} does that.", bad=True)
            self._say_place()
        elif anew or self._turning != (view, first):
            self._turning = view, first
            self._turn(long, view, first, cursor, wait, anew)
            if long.in_memory(view) is None:
                self._say_place()

    @work(exclusive=True, group="keys")
    async def _turn(self, long: LongList, view: View, first: int, cursor: Cursor, wait: float, anew: bool) -> None:
        if wait:
            await asyncio.sleep(wait)
        asked = anew or long.in_memory(view) is None
        try:
            if anew:
                await self.workspace.session.check_rights()
            page = await long.read(view, first, anew=anew)
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.Turned(long, page, cursor, asked))

    @on(Turned)
    def on_turned(self, event: Turned) -> None:
        """Show the page, if it is still the one that is wanted."""
        long = self.workspace.long
        if long is not event.long or event.page.view != self._view():
            return
        self._turning = None
        long.take(event.page)
        if event.asked:
            self.workspace.keys_at = self.workspace.clock()
        self.all_well()
        unstable = long.listing.why_unstable(long.view.query) if event.page.total > PAGE else None
        self.set_status(unstable or "" if self._everything is None else "")
        self.draw()
        self._name_teams()
        self._put_cursor(event.cursor)
        if not self.query_one("#filter").has_focus:
            # the page that is wanted now comes first, and while somebody types nobody turns pages
            self.call_after_refresh(long.fetch_ahead)

    def _name_teams(self) -> None:
        """A long list's start knows the first teams alone: ask for the names of the others that are in sight."""
        if self.workspace.long is None or "team" not in self._all.visible_columns:
            return
        if missing := self.workspace.nameless_teams() - self._asked_names:
            self._asked_names |= missing
            self._ask_names(missing)

    @work(group="names")
    async def _ask_names(self, ids: set[str]) -> None:
        try:
            await self.workspace.name_teams(ids)
        except GatewayError:
            # the ids stay, and another page asks again
            self._asked_names -= ids
        else:
            self.post_message(self.Named())

    @on(Named)
    def on_named(self) -> None:
        """Draw the names."""
        self.draw()

    def changed(self, hashes: Iterable[str] = ()) -> None:
        """These keys were changed by an action: bring the lists up to date."""
        long = self.workspace.long
        if long is None:
            self.load()
        elif long.in_memory(long.view):
            self._look_at(long, list(hashes))
        else:
            self.ask(long.page.first, "stay", anew=True)

    @work
    async def _look_at(self, long: LongList, hashes: list[str]) -> None:
        try:
            await long.look_at(hashes)
            page = await long.read(self._view(), long.page.first)
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.Turned(long, page, "stay", True))

    def action_read_all(self) -> None:
        """Read every key once, so that every order, filter and condition is possible."""
        long = self.workspace.long
        if long is None or long.in_memory(self._view()):
            self.tell(f"Every key is here; {keymap.key('screen.refresh')} asks for them again.")
        elif self._read is None:
            self._begin_all(None)

    def _begin_all(self, then: Callable[[], object] | None) -> None:
        long = self.workspace.long
        if long is not None:
            self._read = (0, long.total)
            self._say_more(*self._rest)
            self._fetch_all(long, then)

    def _stop_all(self) -> None:
        self.workers.cancel_group(self, "everything")
        self._read = None
        self.tell("Stopped; the keys that were read are not kept.")

    @work(exclusive=True, group="everything")
    async def _fetch_all(self, long: LongList, then: Callable[[], object] | None) -> None:
        def progress(read: int, total: int) -> None:
            self.post_message(self.Progressed(read, total))

        try:
            await self.workspace.session.check_rights()
            with suppress(GatewayError):
                # a filter finds keys by the name of their team too
                await self.workspace.name_teams()
            everything = await long.read_all(progress)
        except GatewayError as error:
            self._read = None
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.AllRead(long, everything, then))

    @on(Progressed)
    def on_progressed(self, event: Progressed) -> None:
        """Say how far it is."""
        if self._read is not None:
            self._read = event.read, event.total
            self._say_more(*self._rest)

    @on(AllRead)
    def on_all_read(self, event: AllRead) -> None:
        """From here on nothing has to be asked for."""
        if self._read is None or event.long is not self.workspace.long:
            return
        self._read = None
        event.long.take_all(event.everything)
        self.workspace.keys_at = event.everything.at
        self.all_well()
        self.set_status()
        self.draw()
        if event.long.view != self._view():
            self.ask(0, "first")
        if event.then:
            event.then()
