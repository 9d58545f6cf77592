"""Finishing a rotation that was begun: what is so, what becomes of the old key, and what follows."""

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Static

from tui import keymap, look
from tui.formatting import fit, harmless
from tui.gateway import durations
from tui.gateway.capabilities import Action, Rights
from tui.gateway.rotation import How, Step, Unfinished
from tui.screens.dialogs import LONGEST, Dialog

DELETE_NOW = "0"
SETTLED = (Step.RETIRED, Step.OLD_GONE)
"""Steps at which the old key's fate is no choice any more."""


class Finish(Dialog[tuple[How | None, str | None] | None]):
    """Dismissed with how the old key goes and its grace, as `rotation.finish` takes them, or with None for a no.

    The harmless answer has the focus, so that a stray enter changes nothing.
    """

    CSS_PATH = ["dialogs.tcss", "key_form.tcss", "rotate.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,ctrl+s", "finish", "finish", id="finish.yes"),
        Binding("n,escape", "leave", "no", id="finish.no"),
        Binding("down", "app.focus_next", "next field", show=False, id="finish.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="finish.previous"),
    ]

    def __init__(self, rotation: Unfinished, rights: Rights) -> None:
        super().__init__()
        self._rotation = rotation
        self._rights = rights

    def compose(self) -> ComposeResult:
        """What is so, the choice where there is one, what follows, and the answers."""
        verb = "I have it: finish" if self._rotation.needs_secret else "Finish"
        with Vertical(classes="dialog rotate"):
            yield Static(
                Text(f"Finish the rotation of {fit(harmless(self._rotation.label), LONGEST)}?"), classes="dialog-title"
            )
            with VerticalScroll(classes="rotate-body", can_focus=False):
                yield Static(Text(harmless(self._rotation.so)), id="keeps")
                if self._open:
                    with Horizontal(classes="form-row"):
                        yield Static("Old key", classes="form-label")
                        field = Input(self._first, id="grace", compact=True, select_on_focus=True)
                        field.cursor_blink = False
                        yield field
                        yield Static(Text("24h 1h 7d 90s · 0 deletes it now", style=look.DIM), classes="hint")
                yield Static("", id="follows")
            yield Static("", id="wrong", classes="wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"No, leave it  {keymap.key('finish.no')}", id="no", compact=True)
                yield Button(f"{verb}  {keymap.key('finish.yes')}", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The harmless answer is the one that a stray enter gives."""
        self._show()
        self.query_one("#no").focus()

    @property
    def _open(self) -> bool:
        return self._rotation.step not in SETTLED and self._rotation.why_not_finish is None

    @property
    def _first(self) -> str:
        """What was noted when the rotation began; where nothing was, or it may not be done, what may be."""
        note = self._rotation.note
        noted = note.grace if note.how is How.GRACE else DELETE_NOW if note.how else None
        order = [noted] if noted else []
        order += ["24h", DELETE_NOW]
        return next((each for each in order if self._forbidden(each) is None), order[0])

    @property
    def _grace(self) -> str:
        return self.query_one("#grace", Input).value.strip()

    def _forbidden(self, grace: str) -> str | None:
        old = self._rotation.old
        if grace == DELETE_NOW:
            return self._rights.why_not(Action.DELETE, old)
        return self._rights.why_not(Action.EDIT, old, {"key_alias", "duration", "metadata"})

    def _wrong(self) -> str | None:
        if not self._open:
            return self._rotation.why_not_finish
        grace = self._grace
        if grace != DELETE_NOW and not durations.is_duration(grace):
            return f"{harmless(grace)} is no duration; write 0, 90s, 1h, 24h or 7d."
        return self._forbidden(grace)

    @on(Input.Changed)
    def on_choice(self) -> None:
        """The words follow the choice."""
        self._show()

    def _show(self) -> None:
        wrong = self._wrong()
        self.query_one("#wrong", Static).update(Text(harmless(wrong or ""), style=look.BAD))
        if wrong:
            self.query_one("#follows", Static).update("")
            return
        lines = [self._chosen.finish_does]
        if self._rotation.needs_secret:
            undo = keymap.key("keys.undo")
            lines.append(f"Whoever uses the old secret needs the new one by then. If nobody has it: no, and {undo}.")
        self.query_one("#follows", Static).update(Text("\n".join(harmless(line) for line in lines)))

    @property
    def _chosen(self) -> Unfinished:
        """The rotation as it would be with this choice noted; its own words say what follows then."""
        if not self._open:
            return self._rotation
        how, grace = self._fate
        return replace(self._rotation, note=replace(self._rotation.note, how=how, grace=grace))

    @property
    def _fate(self) -> tuple[How | None, str | None]:
        if not self._open:
            return None, None
        return (How.DELETE, None) if self._grace == DELETE_NOW else (How.GRACE, self._grace)

    @on(Input.Submitted)
    def on_enter(self) -> None:
        """Enter goes on to the answers, the harmless one first."""
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As the keys."""
        if event.button.id == "yes":
            self.action_finish()
        else:
            self.action_leave()

    def action_finish(self) -> None:
        """The person's word; it stays open where the choice cannot be."""
        if self._wrong() is None:
            self.dismiss(self._fate)

    def action_leave(self) -> None:
        """Nothing is changed."""
        self.dismiss(None)
