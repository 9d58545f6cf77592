"""A dialog for any two UTC days."""

from datetime import date, timedelta
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui import look
from tui.screens.dialogs import Dialog

LONGEST = 5 * 366
"""Days; LiteLLM asked for more is a mistyped year."""


def read_day(text: str, today: date) -> date:
    """The day that `text` names: `2026-11-01`, `today`, `yesterday`. Raises `ValueError` with a sentence."""
    words = text.strip().casefold()
    if words in ("today", "yesterday"):
        return today - timedelta(days=words == "yesterday")
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise ValueError("A day is written as 2026-11-01, or today, or yesterday.") from None


class ChooseDays(Dialog[tuple[date, date] | None]):
    """Dismissed with first and last day, both included (S20), or None."""

    CSS_PATH = ["dialogs.tcss", "choose_days.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", id="days.back"),
        Binding("down", "app.focus_next", "next field", show=False, id="days.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="days.previous"),
    ]

    def __init__(self, first: date, last: date, today: date) -> None:
        super().__init__()
        self._first, self._last, self._today = first, last, today

    def compose(self) -> ComposeResult:
        """Two fields, each with its error below."""
        with Vertical(classes="dialog days"):
            yield Static("Usage of which days?", classes="dialog-title")
            for name, label, value in (("first", "From", self._first), ("last", "To", self._last)):
                yield Static(label, classes="label")
                field = Input(value.isoformat(), id=name, compact=True, select_on_focus=True)
                field.cursor_blink = False
                yield field
                yield Static("", id=f"{name}-wrong", classes="wrong")
            words = "UTC days, both included · enter shows them · esc goes back"
            yield Static(Text(words, style=look.DIM))

    @on(Input.Changed)
    def on_changed(self, event: Input.Changed) -> None:
        """What is being mended is not wrong for now."""
        self._say(event.input.id or "", "")

    @on(Input.Submitted)
    def on_submitted(self) -> None:
        """Check both, and go."""
        found = []
        for name in ("first", "last"):
            try:
                found.append(read_day(self.query_one(f"#{name}", Input).value, self._today))
            except ValueError as error:
                self._wrong(name, str(error))
                return
        first, last = found
        if first > self._today:
            self._wrong("first", f"That day is still to come; today is {self._today} (UTC).")
        elif last < first:
            self._wrong("last", "The last day is before the first.")
        elif (last - first).days >= LONGEST:
            self._wrong("first", "That is more than five years; is the year right?")
        else:
            self.dismiss((first, min(last, self._today)))

    def _wrong(self, name: str, words: str) -> None:
        self._say(name, words)
        self.query_one(f"#{name}", Input).focus()

    def _say(self, name: str, words: str) -> None:
        self.query_one(f"#{name}-wrong", Static).update(Text(words))

    def action_cancel(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)
