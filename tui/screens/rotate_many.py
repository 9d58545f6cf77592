"""Rotating several marked keys, one after another, into one env file or a folder of files."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Select, Static

from tui import look
from tui.delivery import Place, check, deliver, places_for
from tui.files import FileError
from tui.formatting import plain
from tui.gateway import rotation
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import redact
from tui.gateway.rotation import How, Plan, Successor, Unfinished
from tui.gateway.schema import Key
from tui.screens.rotate import may_replace
from tui.workspace import Workspace

ENV_FILE, FOLDER = "env", "folder"
PLACES = (("one env file, a variable a key", ENV_FILE), ("a folder, an env file a key", FOLDER))


class RotateMany(ModalScreen[None]):
    """Makes and writes every successor first; the old keys are retired together, on "I have them".

    One failure stops what has not begun; what is done stays, and the list shows it as unfinished.
    """

    CSS_PATH = ["dialogs.tcss", "key_form.tcss", "rotate.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "later", id="rotate-many.leave"),
        Binding("ctrl+s", "begin", "rotate", id="rotate-many.begin"),
        Binding("down", "app.focus_next", "next field", show=False, id="rotate-many.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="rotate-many.previous"),
        Binding("I", "have_them", "I have them", id="rotate-many.have-them"),
    ]

    def __init__(self, workspace: Workspace, keys: list[Key]) -> None:
        super().__init__()
        self._workspace = workspace
        self._chosen = keys
        self._made: list[tuple[Plan, Successor]] = []
        self._lines: list[tuple[str, str, str]] = []
        self._begun = False
        self._busy = False
        self._done = False

    def compose(self) -> ComposeResult:
        """The keys, the choices, then a line a step."""
        names = ", ".join(plain(key.label) for key in self._chosen)
        with Vertical(classes="dialog rotate"):
            yield Static(Text(f"Rotate {len(self._chosen)} keys"), classes="dialog-title")
            with VerticalScroll(classes="rotate-body", can_focus=False):
                yield Static(Text(names, style=look.DIM), id="keeps")
                with Vertical(id="choices"):
                    yield from self._input("life", "New keys", "same", "same: each its own end · 90d · never")
                    yield from self._input("grace", "Old keys", "24h", "24h 1h 7d 90s · 0 deletes them now")
                    with Horizontal(classes="form-row"):
                        yield Static("Secrets go to", classes="form-label")
                        options = [(Text(text), name) for text, name in PLACES]
                        yield Select(options, id="place", compact=True, allow_blank=False, value=ENV_FILE)
                    yield from self._input("path", "Path", "~/.env", "")
                yield Static("", id="steps")
            yield Static("", id="wrong", classes="wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Rotate  ctrl+s", id="begin", variant="primary", compact=True)
                yield Button("I have them: retire the old keys  I", id="have-them", variant="primary", compact=True)
                yield Button("Back  esc", id="leave", compact=True)

    def _input(self, name: str, label: str, value: str, hint: str) -> ComposeResult:
        with Horizontal(classes="form-row"):
            yield Static(label, classes="form-label")
            field = Input(value, id=name, compact=True, select_on_focus=True)
            field.cursor_blink = False
            yield field
            if hint:
                yield Static(Text(hint, style=look.DIM), classes="hint")

    def on_mount(self) -> None:
        """The safe choices are filled in."""
        for button in self.query(Button):
            button.can_focus = False
        self.query_one("#have-them").display = False
        self.query_one("#life").focus()

    @on(Select.Changed, "#place")
    def on_place(self) -> None:
        """Another kind of place, another usual path."""
        path = self.query_one("#path", Input)
        if path.value in ("~/.env", "~/keys"):
            path.value = "~/keys" if self.query_one("#place", Select).value == FOLDER else "~/.env"

    @on(Input.Submitted)
    def on_enter(self) -> None:
        """Enter goes to the next field."""
        self.focus_next()

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _plans(self) -> list[Plan]:
        session = self._workspace.session
        life = self._value("life").lower()
        own = session.caller.key
        return [
            rotation.plan(
                key,
                life=None if life == "never" else life,
                grace=self._value("grace"),
                rights=session.rights,
                now=self._workspace.clock(),
                taken_aliases={each.alias for each in self._workspace.keys if each.alias},
                session_hash=own.hash if own else None,
                team=next((team for team in session.teams if team.team_id == key.team_id), None),
            )
            for key in self._chosen
        ]

    def _places(self) -> list[Place]:
        path = Path(self._value("path"))
        if self.query_one("#place", Select).value == FOLDER:
            return places_for(self._chosen, folder=path)
        return places_for(self._chosen, env_file=path)

    @work
    async def action_begin(self) -> None:
        """Check every key and place before the first is made, then go through them."""
        if self._begun:
            return
        if not self._value("path"):
            self._say("Name a file or a folder.")
            return
        plans, places = self._plans(), self._places()
        for plan, place in zip(plans, places, strict=True):
            own = "is this session's own key; rotate it alone." if plan.own else None
            wrong = plan.problem or own or check(place)
            if wrong:
                self._say(f"{plan.key.label}: {wrong}")
                return
        if not await may_replace(self, list(zip(places, self._chosen, strict=True))):
            return
        self._begun = self._busy = True
        self._say("")
        self.query_one("#choices").display = False
        self.query_one("#begin").display = False
        self.set_focus(None)
        try:
            await self._make(plans, places)
        finally:
            self._busy = False
        if self._made:
            self.query_one("#have-them").display = True
            self.query_one("#leave", Button).label = "Later  esc"

    async def _make(self, plans: list[Plan], places: list[Place]) -> None:
        session = self._workspace.session
        for number, (plan, place) in enumerate(zip(plans, places, strict=True)):
            label = plan.key.label
            self._step("▸", f"{label}: creating …")
            try:
                made = await rotation.create(session.client, plan)
                await rotation.prove(session.connect, made)
                said = deliver(place, made.secret)
            except (GatewayError, FileError) as error:
                self._last("✘", f"{label}: {error}", look.BAD)
                for each in plans[number + 1 :]:
                    self._step(" ", f"{each.key.label}: not begun")
                return
            self._made.append((plan, made))
            self._last("✔", f"{label}: {said}", look.GOOD)

    @work
    async def action_have_them(self) -> None:
        """Retire the old key of every successor that was written."""
        if self._busy or self._done or not self._made:
            return
        self._busy = self._done = True
        self.query_one("#have-them").display = False
        client = self._workspace.session.client
        try:
            for number, (plan, made) in enumerate(self._made):
                grace = plan.grace if plan.how is How.GRACE else None
                try:
                    state: Unfinished | Key = await rotation.confirm(client, made.rotation, plan.how, grace)
                    while isinstance(state, Unfinished) and plan.how is not How.KEEP:
                        state = await rotation.advance(client, state)
                except GatewayError as error:
                    self._step("✘", f"{plan.key.label}: {error} The list offers to finish or undo it.", look.BAD)
                    for each, _ in self._made[number + 1 :]:
                        self._step(" ", f"{each.key.label}: old key not retired; the list offers to finish it")
                    return
                self._step("✔", f"{plan.key.label}: old key {_FATE[plan.how]}", look.GOOD)
        finally:
            self._busy = False
            self.query_one("#leave", Button).label = "Close  esc"

    def _step(self, mark: str, text: str, style: str = "") -> None:
        self._lines.append((mark, text, style))
        self._draw()

    def _last(self, mark: str, text: str, style: str = "") -> None:
        self._lines[-1] = (mark, text, style)
        self._draw()

    def _draw(self) -> None:
        page = Text()
        for mark, text, style in self._lines:
            page.append(f"{mark} ", style=style)
            page.append(f"{plain(text)}\n")
        self.query_one("#steps", Static).update(page)
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def _say(self, sentence: str) -> None:
        self.query_one("#wrong", Static).update(Text(redact(plain(sentence))))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As the keys."""
        {"begin": self.action_begin, "have-them": self.action_have_them, "leave": self.action_leave}[
            event.button.id or "leave"
        ]()

    def action_leave(self) -> None:
        """Back to the list; unfinished rotations are listed there."""
        if self._busy:
            self._say("One moment: a step is under way.")
        else:
            self.dismiss(None)


_FATE = {How.GRACE: "works until its grace ends", How.DELETE: "deleted", How.KEEP: "kept; the rotation stays listed"}
