"""What rotating one key and rotating several have in common: the choices, the plan, the steps, and the last word."""

from functools import cached_property
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ScreenResultType
from textual.widgets import Button, Input, Select, Static

from tui import keymap, look
from tui.formatting import fit, harmless
from tui.gateway import rotation
from tui.gateway.client import Client
from tui.gateway.rotation import How, Plan, Successor, Unfinished
from tui.gateway.schema import Key
from tui.screens.dialogs import LONGEST, Dialog
from tui.workspace import Workspace

MOST_LINES = 200
"""Steps that stay in sight; each one draws them all anew."""


class RotationDialog(Dialog[ScreenResultType]):
    """Choices first, then a line a step. A subclass has its own choices and steps.

    Nothing is made before `action_begin`, nothing is retired before `action_have_it`.
    """

    CSS_PATH = ["dialogs.tcss", "key_form.tcss", "rotate.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "later", id="rotate.leave"),
        Binding("ctrl+s", "begin", "rotate", id="rotate.begin"),
        Binding("down", "app.focus_next", "next field", show=False, id="rotate.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="rotate.previous"),
        Binding("pagedown", "scroll_body(1)", "page down", show=False, id="rotate.page-down"),
        Binding("pageup", "scroll_body(-1)", "page up", show=False, id="rotate.page-up"),
        Binding("I", "have_it", "I have it", id="rotate.have-it"),
    ]

    def __init__(self, workspace: Workspace, title: str, word: str) -> None:
        super().__init__()
        self._workspace = workspace
        self._heading = fit(harmless(title), LONGEST)
        self._word = word
        self._busy = False
        self._done = False
        self._lines: list[tuple[str, str, str]] = []

    @property
    def unfinished(self) -> str | None:
        """A step under way, or a rotation that has begun and not ended."""
        if self._busy:
            return f"{self._heading}: a step is under way."
        begun = bool(self._lines) and not self._done
        return f"{self._heading}: begun and not finished; a secret shown here is not shown again." if begun else None

    def compose(self) -> ComposeResult:
        """What is kept, the choices, what to know before, then the steps."""
        with Vertical(classes="dialog rotate"):
            yield Static(Text(self._heading), classes="dialog-title")
            with VerticalScroll(classes="rotate-body", can_focus=False):
                yield Static("", id="keeps")
                with Vertical(id="choices"):
                    yield from self.compose_choices()
                yield Static("", id="warnings")
                yield Static("", id="steps")
            yield Static("", id="wrong", classes="wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"Rotate  {keymap.key('rotate.begin')}", id="begin", variant="primary", compact=True)
                yield Button(
                    f"{self._word}  {keymap.key('rotate.have-it')}", id="have-it", variant="primary", compact=True
                )
                yield Button(f"Back  {keymap.key('rotate.leave')}", id="leave", compact=True)

    def compose_choices(self) -> ComposeResult:
        """The rows between what is kept and what to know."""
        raise NotImplementedError

    def _input(self, name: str, label: str, value: str, hint: str) -> ComposeResult:
        with Horizontal(classes="form-row"):
            yield Static(label, classes="form-label")
            field = Input(value, id=name, compact=True, select_on_focus=True)
            field.cursor_blink = False
            yield field
            if hint:
                yield Static(Text(hint, style=look.DIM), classes="hint")

    def _select(self, name: str, label: str, options: tuple[tuple[str, str], ...], *, row: str = "") -> ComposeResult:
        with Horizontal(classes="form-row", id=row or None):
            yield Static(label, classes="form-label")
            shown = [(Text(text), value) for text, value in options]
            yield Select(shown, id=name, compact=True, allow_blank=False, value=options[0][1])

    def on_mount(self) -> None:
        """The safe choices are filled in, and the buttons are there for the mouse."""
        for button in self.query(Button):
            button.can_focus = False
        self.query_one("#have-it").display = False
        self.query_one("#life").focus()

    @on(Input.Submitted)
    def on_enter(self) -> None:
        """Enter goes to the next field."""
        self.focus_next()

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _life(self) -> str | None:
        value = self._value("life").lower()
        return None if value == "never" else value

    @cached_property
    def _taken(self) -> set[str]:
        return {each.alias for each in self._workspace.keys if each.alias}

    def _make_plan(self, key: Key, life: str | None, grace: str) -> Plan:
        session = self._workspace.session
        own = session.caller.key
        return rotation.plan(
            key,
            life=life,
            grace=grace,
            rights=session.rights,
            now=self._workspace.clock(),
            taken_aliases=self._taken,
            session_hash=own.hash if own else None,
            team=next((team for team in session.teams if team.team_id == key.team_id), None),
        )

    def _under_way(self) -> None:
        """From here on there is nothing to choose any more."""
        self._busy = True
        self._say("")
        for name in ("choices", "warnings", "begin"):
            self.query_one(f"#{name}").display = False
        self.set_focus(None)

    # What is drawn

    def _step(self, mark: str, text: str, style: str = "") -> None:
        self._lines.append((mark, text, style))
        self._draw()

    def _last(self, mark: str, text: str, style: str = "") -> None:
        self._lines[-1] = (mark, text, style)
        self._draw()

    def _page(self) -> Text:
        page = Text()
        if (before := len(self._lines) - MOST_LINES) > 0:
            page.append(f"{before:,} earlier lines\n", style=look.DIM)
        for mark, text, style in self._lines[-MOST_LINES:]:
            page.append(f"{mark} ", style=style)
            page.append(f"{harmless(text)}\n")
        return page

    def _draw(self) -> None:
        self.query_one("#steps", Static).update(self._page())

    def _say(self, sentence: str, style: str = "") -> None:
        self.query_one("#wrong", Static).update(Text(harmless(sentence), style=style))

    def action_scroll_body(self, pages: int) -> None:
        """Move the page between title and buttons."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 1), animate=False)

    # Leaving

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As the keys."""
        {"begin": self.action_begin, "have-it": self.action_have_it, "leave": self.action_leave}[
            event.button.id or "leave"
        ]()

    def action_begin(self) -> object:
        """Create, prove, deliver."""
        raise NotImplementedError

    def action_have_it(self) -> object:
        """The person has the secret: retire."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Back to the list; what was begun stays there, both keys work."""
        if self._busy:
            self._say("One moment: a step is under way.")
        else:
            self.leave()

    def leave(self) -> None:
        """Leave, now that no step is under way."""
        raise NotImplementedError


async def retire(client: Client, plan: Plan, made: Successor) -> None:
    """Retire the old key as planned and hand its name over. Raises `GatewayError` as `rotation.advance`."""
    grace = plan.grace if plan.how is How.GRACE else None
    state: Unfinished | Key = await rotation.confirm(client, made.rotation, plan.how, grace)
    while isinstance(state, Unfinished) and plan.how is not How.KEEP:
        state = await rotation.advance(client, state)


def to_know(plan: Plan) -> list[str]:
    """What a person should know before this rotation: its warnings, and why the old key is not retired as asked."""
    if not plan.why_not:
        return [*plan.warnings]
    left = " 0 deletes the old key at the end." if How.DELETE in plan.choices else ""
    return [*plan.warnings, f"{plan.why_not}{left}"]
