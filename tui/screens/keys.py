"""The keys screen: what needs a person first, then every virtual key, and all that can be done with them."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui import keymap, look
from tui.credentials import HeldKey, Secret
from tui.formatting import ago, day, models_summary, money, plain
from tui.gateway import keys
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError, Invalid, NotConnected, Unreachable
from tui.gateway.rotation import How, Step, Unfinished, finish, undo, unfinished
from tui.gateway.rotation_records import retired
from tui.gateway.schema import Key, NewKey
from tui.gateway.state import Attention, Reason, attention, reasons
from tui.screens.base import MainScreen
from tui.screens.dialogs import Results
from tui.screens.finish import Finish
from tui.screens.key_detail import KeyDetail
from tui.screens.key_form import KeyForm
from tui.screens.key_text import REMEDY, SORTS, budget_cell, done_with, end_cell, limits, why
from tui.screens.rotate import Rotate
from tui.screens.rotate_many import RotateMany
from tui.screens.secret import ShowSecret
from tui.screens.sure import confirmed_end, sure
from tui.widgets.bars import Line
from tui.widgets.table import Cell, Column, RecordTable, Row, next_sort, sort_key
from tui.workspace import Workspace

COLUMNS = (
    Column("mark", "", 1, sortable=False),
    Column("alias", "Alias", 14, grow=True, most=24),
    Column("key", "Key", 5),
    Column("spend", "Spend", 8, right=True, drop=1),
    Column("budget", "Budget", 18, drop=2),
    Column("expires", "Expires", 15),
    Column("models", "Models", 10, drop=3, grow=True),
    Column("team", "Team", 12, drop=5),
    Column("owner", "Owner", 18, drop=6),
    Column("used", "Last used", 10, drop=7),
    Column("limits", "Limits", 18, drop=8),
    Column("created", "Created", 10, drop=9),
)
ATTENTION = (
    Column("mark", "", 1, sortable=False),
    Column("alias", "Alias", 14, grow=True, most=30),
    Column("key", "Key", 5),
    Column("why", "Why", 36, grow=True),
    Column("remedy", "", 12, drop=1),
)
NEEDED = {
    "new": Action.CREATE,
    "rotate": Action.CREATE,
    "finish": Action.CREATE,
    "undo": Action.CREATE,
    "edit": Action.EDIT,
    "block": Action.BLOCK,
    "reset_spend": Action.RESET_SPEND,
    "delete": Action.DELETE,
}
"""The right that each action of this screen takes."""


class KeysScreen(MainScreen):
    """Two lists: keys that need attention, and all of them. Actions go to the marked keys, else to the row's."""

    CSS_PATH = ["base.tcss", "keys.tcss"]
    mode = "keys"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="keys.open", tooltip="Show everything about this key"),
        Binding("n", "new", "new", id="keys.new", tooltip="Make a new virtual key"),
        Binding("e", "edit", "edit", id="keys.edit", tooltip="Change this key"),
        Binding(
            "r", "rotate", "rotate", id="keys.rotate", tooltip="Rotate: a new key in place of this one, nothing breaks"
        ),
        Binding(
            "f", "finish", "finish", id="keys.finish", show=False, tooltip="Finish the unfinished rotation of this key"
        ),
        Binding(
            "u", "undo", "undo", id="keys.undo", show=False, tooltip="Take the unfinished rotation of this key back"
        ),
        Binding("b", "block", "block", id="keys.block", tooltip="Block the key, or unblock it"),
        Binding(
            "z",
            "reset_spend",
            "reset",
            id="keys.reset-spend",
            show=False,
            tooltip="Set the spend of the key back to $0",
        ),
        Binding("d", "delete", "delete", id="keys.delete", tooltip="Delete the key for good"),
        Binding("y", "copy_id", "copy", id="keys.copy", tooltip="Copy the key's hash, its id on the gateway"),
        Binding("space", "mark", "mark", id="keys.mark", tooltip="Mark this key, to act on several at once"),
        Binding("slash", "filter", "filter", id="keys.filter", tooltip="Show only keys that match"),
        Binding("s", "sort", "sort", id="keys.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="keys.reverse", show=False, tooltip="Turn the order round"),
        Binding(
            "asterisk",
            "mark_all",
            "mark all",
            id="keys.mark-all",
            show=False,
            tooltip="Mark every key shown, but for retired ones",
        ),
        Binding(
            "tab", "other_list", "other list", id="keys.other-list", show=False, tooltip="Attention list or all keys"
        ),
        Binding("escape", "back", "back", id="keys.back", show=False, tooltip="Clear marks, then the filter"),
    ]

    class Loaded(Message):
        """The keys were read, or could not be."""

        def __init__(self, error: GatewayError | None = None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._marks: set[str] = set()
        self._needle = ""
        self._sort = ""
        self._reverse = False
        self._by_hash: dict[str, Key] = {}
        self._rotations: dict[str, Unfinished] = {}
        self._acting = ""

    @property
    def unfinished(self) -> str | None:
        """An action that is being sent to one key after another."""
        return f"{self._acting}: under way; what was sent is done, the rest is not." if self._acting else None

    def compose_body(self) -> Iterable[Widget]:
        """Attention, filter, all keys."""
        yield RecordTable(ATTENTION, show_header=False, id="attention")
        yield Line(id="more")
        field = Input(placeholder="alias, key, owner, team or model", id="filter", compact=True)
        field.cursor_blink = False
        yield field
        yield Line(id="filtered")
        yield RecordTable(COLUMNS, id="keys")
        yield Line(id="empty", classes="empty")

    def on_mount(self) -> None:
        """Draw what the start has read; what needs a person has the cursor."""
        self.draw()
        refused = self.workspace.session.rights.why_not(Action.LIST_KEYS)
        if refused:
            self.set_status(refused, bad=True)
        (self._attention if self._attention.row_count else self._all).focus()

    # What is drawn

    @property
    def _attention(self) -> RecordTable:
        return self.query_one("#attention", RecordTable)

    @property
    def _all(self) -> RecordTable:
        return self.query_one("#keys", RecordTable)

    def shown(self) -> list[Key]:
        """The keys that match the filter, in the chosen order."""
        needle = self._needle.casefold()
        found = [key for key in self.workspace.keys if not needle or needle in self._words(key)]
        if self._sort:
            by = SORTS[self._sort]
            present = [key for key in found if by(key) is not None]
            absent = [key for key in found if by(key) is None]
            return sorted(present, key=lambda key: sort_key(by(key)), reverse=self._reverse) + absent
        return sorted(found, key=lambda key: key.label.casefold(), reverse=self._reverse)

    def _words(self, key: Key) -> str:
        team = self.workspace.team_label(key.team_id)
        blocked = "blocked" if key.blocked else ""
        state = " ".join(reasons(key, self.workspace.clock()))
        gone = "retired" if retired(key) else ""
        words = (key.alias, key.name, key.hash, key.user_id, team, *key.models, blocked, gone, state)
        return " ".join(word for word in words if word).casefold()

    def draw(self) -> None:
        """Bring both lists up to what is known; nothing is sent where nothing differs."""
        now = self.workspace.clock()
        self._by_hash = {key.hash: key for key in self.workspace.keys}
        self._marks &= self._by_hash.keys()
        self._rotations = {rotation.new.hash: rotation for rotation in unfinished(self.workspace.keys)}
        told = {hash for each in self._rotations.values() for hash in (each.new.hash, each.note.of)}
        needy = [item for item in attention(self.workspace.keys, now) if item.key.hash not in told]
        room = max(3, min(6, self.app.size.height // 5))
        rows = [self._rotation_row(each) for each in self._rotations.values()]
        rows += [self._needy_row(item) for item in needy]
        self._attention.show(rows)
        self._attention.display = bool(rows)
        self._attention.styles.height = min(len(rows), room)
        more = self.query_one("#more", Line)
        more.display = bool(rows)
        rest = len(rows) - room
        more.show(_rule(self.app.size.width, f"{rest} more need attention" if rest > 0 else ""))
        shown = self.shown()
        self._all.show([self._row(key) for key in shown], sorted_by=self._sort or "alias", reverse=self._reverse)
        self._all.display = bool(shown)
        self._say_empty(bool(shown))
        self._say_filtered(shown)
        self.refresh_bars()

    def on_resize(self) -> None:
        """Heights and the rule depend on the size."""
        if self.is_mounted:
            self.draw()

    def _say_filtered(self, shown: list[Key]) -> None:
        """What narrows the list, and what an action would go to, in words."""
        words = []
        if self._needle and shown and not self.query_one("#filter").display:
            words.append(f"“{plain(self._needle)}”: {len(shown)} of {len(self.workspace.keys)} keys")
        if self._marks:
            hidden = len(self._marks) - sum(key.hash in self._marks for key in shown)
            words.append(
                f"{len(self._marks)} marked" + (f", {hidden} of them not shown and left alone" if hidden else "")
            )
        line = self.query_one("#filtered", Line)
        line.display = bool(words)
        line.show(Text(f" {' · '.join(words)}. {keymap.key('keys.back')} clears." if words else "", style=look.GOOD))

    def _say_empty(self, any_shown: bool) -> None:
        line = self.query_one("#empty", Line)
        line.display = not any_shown
        if any_shown:
            return
        if self.workspace.keys:
            text = f"No key matches “{plain(self._needle)}”. {keymap.key('keys.back')} clears the filter."
        elif self.workspace.session.rights.why_not(Action.LIST_KEYS):
            text = "Keys cannot be listed with this session's key."
        elif self.workspace.session.rights.why_not(Action.CREATE):
            text = "No keys yet."
        else:
            text = f"No keys yet. {keymap.key('keys.new')} makes one."
        line.show(Text(text))

    def _rotation_row(self, rotation: Unfinished) -> Row:
        marked, by = rotation.new.hash in self._marks, keymap.key("keys.finish")
        old = {
            Step.OLD_GONE: "old key gone, name not handed over",
            Step.RETIRED: "old key retired, name not handed over",
            Step.KEPT: "old key kept on",
        }.get(rotation.step, "both keys work")
        return Row(
            rotation.new.hash,
            {
                "mark": Cell("●" if marked else "!", look.MARKED if marked else look.BAD),
                "alias": Cell(rotation.label),
                "key": Cell(rotation.new.tail, look.DIM),
                "why": Cell(f"rotation unfinished: {old}", look.WARN),
                "remedy": Cell("" if self.workspace.session.rights.read_only else f"{by} finish"),
            },
            marked=marked,
        )

    def _needy_row(self, item: Attention) -> Row:
        now = self.workspace.clock()
        style = look.BAD if item.reason in (Reason.EXPIRED, Reason.OVER, Reason.BLOCKED) else look.WARN
        done_by, label, action = REMEDY[item.reason]
        off = self.workspace.session.rights.why_not(NEEDED[action], item.key) is not None
        marked = item.key.hash in self._marks
        return Row(
            item.key.hash,
            {
                "mark": Cell("●" if marked else "!", look.MARKED if marked else style),
                "alias": Cell(item.key.label),
                "key": Cell(item.key.tail, look.DIM),
                "why": Cell(why(item.key, item.reason, now), style),
                "remedy": Cell("" if off else f"{keymap.key(done_by)} {label}"),
            },
            marked=marked,
        )

    def _row(self, key: Key) -> Row:
        now = self.workspace.clock()
        marked = key.hash in self._marks
        needy = reasons(key, now)
        over = done_with(key)
        return Row(
            key.hash,
            {
                "mark": Cell("●" if marked else "!" if needy else "", look.MARKED if marked else look.WARN),
                "alias": Cell(key.label, look.MARKED if marked else look.DIM if over or key.blocked else look.STRONG),
                "key": Cell(key.tail, look.DIM),
                "spend": Cell(money(key.spend), look.DIM if over else ""),
                "budget": budget_cell(key),
                "expires": end_cell(key, now),
                "models": Cell(models_summary(key.models), look.DIM if over else ""),
                "team": Cell(self.workspace.team_label(key.team_id), look.DIM),
                "owner": Cell(key.user_id or "nobody", look.DIM),
                "used": Cell(ago(key.last_used_at, now) if key.last_used_at else "", look.DIM),
                "limits": Cell(limits(key), look.DIM),
                "created": Cell(day(key.created_at.date()) if key.created_at else "", look.DIM),
            },
            marked=marked,
        )

    # Moving, marking, filtering, sorting

    @property
    def current(self) -> Key | None:
        """The key under the cursor of the list that has the focus."""
        table = self._attention if self._attention.has_focus else self._all
        return self._by_hash.get(table.current or "")

    def targets(self) -> list[Key]:
        """What an action goes to: the marked keys that are shown, in their order, else the one under the cursor."""
        marked = [key for key in self.shown() if key.hash in self._marks]
        return marked or ([self.current] if self.current else [])

    def why_not(self, action: str) -> str | None:
        """From the session's rights, for the keys that the action would go to (S44)."""
        return self._forbids(action.rpartition(".")[2], self.targets())

    def _forbids(self, action: str, chosen: list[Key]) -> str | None:
        needed = NEEDED.get(action)
        if needed is None:
            return None
        rights = self.workspace.session.rights
        if needed is Action.CREATE or not chosen:
            return rights.why_not(needed)
        return next((reason for key in chosen if (reason := rights.why_not(needed, key))), None)

    @on(RecordTable.RowHighlighted)
    def on_moved(self) -> None:
        """What is possible depends on the row."""
        self.refresh_bars()

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Enter in a list opens the key."""
        self.action_open()

    @on(RecordTable.Left)
    def on_left(self, event: RecordTable.Left) -> None:
        """Down from the attention list goes on in the list of all, and back."""
        if event.table is self._attention and event.down and self._all.row_count:
            self._all.move_cursor(row=0, animate=False)
            self._all.focus()
        elif event.table is self._all and not event.down and self._attention.row_count:
            self._attention.focus()
        self.refresh_bars()

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
        self._marks ^= {key.hash}
        self.draw()
        table = self._attention if self._attention.has_focus else self._all
        if table.cursor_row < table.row_count - 1:
            table.action_cursor_down()

    def action_mark_all(self) -> None:
        """Mark every key shown; where all are marked, none. Retired ones only where nothing else is shown."""
        shown = self.shown()
        hashes = {key.hash for key in shown if not retired(key)} or {key.hash for key in shown}
        self._marks = set() if hashes <= self._marks else self._marks | hashes
        self.draw()

    def action_filter(self) -> None:
        """Open the filter line."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def on_filter_changed(self, event: Input.Changed) -> None:
        """The list follows the typing."""
        self._needle = event.value.strip()
        self.draw()

    @on(Input.Submitted, "#filter")
    def on_filter_done(self) -> None:
        """Enter goes to the list; what is filtered stays in words."""
        if self._all.row_count:
            self.query_one("#filter").display = False
            self._all.focus()
            self.draw()

    def action_back(self) -> None:
        """Marks first, then the filter."""
        field = self.query_one("#filter", Input)
        if self._marks and not field.has_focus:
            self._marks = set()
        elif field.display or self._needle:
            field.value = ""
            self._needle = ""
            field.display = False
            self._all.focus()
        self.draw()

    def action_sort(self) -> None:
        """The next column; after the last, by alias again."""
        visible = [column for column in COLUMNS if column.id in self._all.visible_columns]
        self._sort = next_sort(visible, self._sort or "alias")
        self._reverse = False
        self.draw()

    def action_reverse(self) -> None:
        """The same column, the other way."""
        self._reverse = not self._reverse
        self.draw()

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        self._reverse = not self._reverse if event.column == (self._sort or "alias") else False
        self._sort = event.column
        self.draw()

    # Reading

    def action_reload(self) -> None:
        """Ask the gateway again."""
        self.load()

    @work(exclusive=True, group="keys")
    async def load(self) -> None:
        """Read the keys; the message's handler draws them."""
        try:
            await self.workspace.refresh_keys()
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.Loaded())

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Draw what came, or say why the old list stays."""
        if event.error:
            self.say_stale(event.error, f"{self.workspace.keys_at.astimezone():%H:%M}")
        else:
            self.all_well()
            self.set_status()
        self.draw()

    # Acting

    def _chosen(self, action: str, only: str | None) -> list[Key]:
        """The keys that `action` goes to: the one of hash `only` where one was on screen, else `targets`.

        [] where it is not possible; the reason is told in a toast then.
        """
        chosen = self.targets()
        if only is not None:
            chosen = [self._by_hash[only]] if only in self._by_hash else []
            if not chosen:
                self.tell("This key is gone from the list; nothing was done.", severity="warning")
        reason = self._forbids(action, chosen) if chosen else None
        if reason:
            self.tell(reason, severity="warning")
            return []
        return chosen

    def action_open(self) -> None:
        """Everything about the key under the cursor."""
        key = self.current
        if key is not None:
            self.app.push_screen(KeyDetail(self.workspace, key), self._after_detail)

    def _after_detail(self, chosen: tuple[str, str] | None) -> None:
        if chosen:
            action, only = chosen
            getattr(self, f"action_{action}")(only)

    @work
    async def action_copy_id(self, only: str | None = None) -> None:
        """The key's hash to the clipboard."""
        key = self._by_hash.get(only) if only else self.current
        if key is not None:
            self.tell(f"The id of {key.label}: {await self.tui.copy(key.hash)}")

    @work
    async def action_new(self) -> None:
        """The form, then the secret, once."""
        if self.refused("new"):
            return
        session = self.workspace.session
        made: list[NewKey] = []

        async def submit(fields: dict[str, Any]) -> None:
            if why := session.rights.why_not(Action.CREATE, team_id=fields.get("team_id")):
                raise Invalid(why, param="team_id")
            made.append(await keys.generate_key(session.client, fields))

        form = KeyForm(
            key=None,
            owner=session.owner,
            pick_owner=session.rights.admin,
            teams=self.workspace.teams,
            models=self._model_names,
            key_types=session.server.key_types,
            submit=submit,
        )
        if await self.app.push_screen_wait(form) and made:
            self.load()
            new = made[0]
            model = next((each.name for each in self.workspace.models or []), "gpt-4o")
            title = f"New key {new.alias or new.name}"
            await self.app.push_screen_wait(ShowSecret(title, new.secret, session.client.url, model))
            made.clear()

    async def _model_names(self) -> list[str]:
        if self.workspace.models is None:
            try:
                await self.workspace.refresh_models()
            except GatewayError:
                return []
        return [model.name for model in self.workspace.models or []]

    @work
    async def action_edit(self, only: str | None = None) -> None:
        """The form over the key under the cursor; only what changed is sent."""
        if not (chosen := self._chosen("edit", only)):
            return
        if len(chosen) > 1:
            self.tell(f"Edit works on one key; {keymap.key('keys.back')} clears the marks.", severity="warning")
            return
        key, session = chosen[0], self.workspace.session
        money_locked = session.rights.why_not(Action.EDIT, key, {"max_budget"})

        async def submit(fields: dict[str, Any]) -> None:
            after = await keys.update_key(session.client, key.hash, fields)
            if "duration" in fields and fields["duration"] is None and after.expires_at is not None:
                self.tell("This release cannot take an expiry off a key; the rest was saved.", severity="warning")

        form = KeyForm(
            key=key,
            owner=key.user_id,
            pick_owner=False,
            teams=self.workspace.teams,
            models=self._model_names,
            key_types=False,
            submit=submit,
            locked={"budget": money_locked} if money_locked else {},
        )
        if await self.app.push_screen_wait(form):
            self.tell(f"{key.label} was changed.")
            self.load()

    @work
    async def action_rotate(self, only: str | None = None) -> None:
        """Rotate the key under the cursor, or the marked ones one after another."""
        if not (chosen := self._chosen("rotate", only)):
            return
        if len(chosen) > 1:
            await self.app.push_screen_wait(RotateMany(self.workspace, chosen))
            self._marks.clear()
            self.load()
            return
        if self._rotation_at(chosen[0]) is not None:
            ways = f"{keymap.key('keys.finish')} finishes it, {keymap.key('keys.undo')} takes it back"
            self.tell(f"A rotation of this key is unfinished: {ways}.", severity="warning")
            return
        new_secret = await self.app.push_screen_wait(Rotate(self.workspace, chosen[0]))
        if new_secret is None:
            self.load()
            return
        # the session's own key was rotated: go on with the new one, in memory
        self.tell("This session goes on with the new key.")
        self.tui.connect(replace(self.workspace.session.settings, credential=HeldKey(Secret(new_secret))))

    def _rotation_at(self, key: Key | None) -> Unfinished | None:
        """The unfinished rotation that `key` is the new or the old one of."""
        found = self._rotations.values()
        return next((each for each in found if key and key.hash in (each.new.hash, each.note.of)), None)

    @work
    async def action_finish(self, only: str | None = None) -> None:
        """Bring an unfinished rotation to its end, after a person's word for the secret where nobody gave it."""
        rotation = self._rotation_at(self._by_hash.get(only) if only else self.current)
        if self.refused("finish") or not self._told_of(rotation):
            return
        assert rotation is not None
        session = self.workspace.session
        fate = await self.app.push_screen_wait(Finish(rotation, session.rights))
        if fate is None:
            return
        how, grace = fate
        if how is How.DELETE and not await confirmed_end(self.app, session.settings, [rotation.old or rotation.new]):
            return
        try:
            key = await finish(session.client, rotation, secret_is_safe=True, how=how, grace=grace)
        except GatewayError as error:
            self.tell(str(error), severity="error")
        else:
            self.tell(f"The rotation is finished: {key.label} is {key.tail}.")
        self._marks -= {rotation.new.hash, rotation.note.of}
        self.load()

    @work
    async def action_undo(self, only: str | None = None) -> None:
        """Take an unfinished rotation back."""
        rotation = self._rotation_at(self._by_hash.get(only) if only else self.current)
        if self.refused("undo") or not self._told_of(rotation):
            return
        assert rotation is not None
        lines = [rotation.so, "", rotation.undo_does]
        title, settings = f"Undo the rotation of {rotation.label}?", self.workspace.session.settings
        if not await sure(self.app, settings, [rotation.new], title, lines, "Undo"):
            return
        try:
            key = await undo(self.workspace.session.client, rotation)
        except GatewayError as error:
            self.tell(str(error), severity="error")
        else:
            self.tell(f"The rotation is taken back: {key.label} is {key.tail}.")
        self._marks -= {rotation.new.hash, rotation.note.of}
        self.load()

    def _told_of(self, rotation: Unfinished | None) -> bool:
        if rotation is None:
            begin = keymap.key("keys.rotate")
            self.tell(f"No rotation of this key is unfinished; {begin} begins one.", severity="warning")
        return rotation is not None

    @work
    async def action_block(self, only: str | None = None) -> None:
        """Block the keys, or unblock them where all of them are blocked."""
        if not (chosen := self._chosen("block", only)):
            return
        client = self.workspace.session.client
        if all(key.blocked for key in chosen):
            what = "They work again at once." if len(chosen) > 1 else "It works again at once."
            await self._do("Unblock", chosen, [what], lambda key: keys.unblock_key(client, key.hash), "unblocked")
        else:
            rest = [key for key in chosen if not key.blocked]
            them, are = ("it", "it is") if len(rest) == 1 else ("them", "they are")
            line = f"Every call with {them} is refused until {are} unblocked."
            await self._do("Block", rest, [line], lambda key: keys.block_key(client, key.hash), "blocked")

    @work
    async def action_reset_spend(self, only: str | None = None) -> None:
        """Set the spend of the budget window back to 0."""
        if not (chosen := self._chosen("reset_spend", only)):
            return
        client = self.workspace.session.client
        spent = f"{money(chosen[0].spend)} counted" if len(chosen) == 1 else "What is counted"
        its = "its budget" if len(chosen) == 1 else "their budgets"
        lines = [f"{spent} against {its} becomes $0.00. The usage history stays. The old figure cannot be put back."]
        await self._do(
            "Reset the spend of", chosen, lines, lambda key: keys.reset_spend(client, key.hash), "reset to $0"
        )

    @work
    async def action_delete(self, only: str | None = None) -> None:
        """Delete for good, read back."""
        if not (chosen := self._chosen("delete", only)):
            return
        client = self.workspace.session.client
        own = self.workspace.session.caller.key
        lines = [
            "Every call with it fails from now on." if len(chosen) == 1 else "Every call with them fails from now on.",
            "This cannot be undone. Its usage stays in the statistics.",
        ]
        if own is not None and any(key.hash == own.hash for key in chosen):
            lines.insert(0, f"{own.label} is the key of THIS session: without it nothing more can be done here.")

        async def delete(key: Key) -> None:
            if await keys.delete_keys(client, [key.hash]):
                raise GatewayError("the gateway said yes, and the key is still there.")

        await self._do("Delete", chosen, lines, delete, "deleted")

    async def _do(
        self, verb: str, chosen: list[Key], lines: list[str], run: Callable[[Key], Awaitable[None]], done: str
    ) -> None:
        """Confirm, run one after another, tell what came of each, and read the list anew."""
        if len(chosen) == 1:
            title = f"{verb} {chosen[0].label} ({chosen[0].tail})?"
        else:
            title = f"{verb} {len(chosen)} keys?"
            lines = [*lines, "", *(f"· {key.label} ({key.tail})" for key in chosen)]
        settings, may_be_undone = self.workspace.session.settings, verb == "Unblock"
        if not await sure(self.app, settings, chosen, title, lines, verb.split()[0], harmless=may_be_undone):
            return
        results: list[tuple[str, bool]] = []
        self._acting = title.rstrip("?")
        for number, key in enumerate(chosen, 1):
            if len(chosen) > 1:
                self.set_status(f"{number} of {len(chosen)}: {key.label} …")
            try:
                await run(key)
            except Unreachable as error:
                perhaps = "" if isinstance(error, NotConnected) else f" It may have been {done} all the same."
                results.append((f"{key.label}: {error}{perhaps}", False))
                # the next ones would wait as long for nothing
                results += [(f"{each.label}: not tried", False) for each in chosen[number:]]
                break
            except GatewayError as error:
                results.append((f"{key.label}: {error}", False))
            else:
                results.append((f"{key.label}: {done}", True))
                self._marks.discard(key.hash)
        self._acting = ""
        self.set_status()
        self.load()
        if all(good for _, good in results):
            who = chosen[0].label if len(chosen) == 1 else f"{len(chosen)} keys"
            self.tell(f"{who} {'was' if len(chosen) == 1 else 'were'} {done}.")
        else:
            await self.app.push_screen_wait(Results(f"{verb}: not everything went through", results))


def _rule(width: int, words: str) -> Text:
    label = f" {words} " if words else ""
    return Text(f"─{label}" + "─" * max(0, width - len(label) - 1), style=look.DIM, no_wrap=True)
