"""Marks keys by a condition: what each one picks is said before anything is marked."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui import look
from tui.gateway.bulk import Chosen, expired, over_budget, unused
from tui.gateway.key_pages import AnyKey
from tui.screens.dialogs import Dialog
from tui.widgets.table import Cell, Column, RecordTable, Row

COLUMNS = (Column("count", "", 7, right=True), Column("what", "", 30, grow=True))


def conditions(among: Sequence[AnyKey], now: datetime, *, tells_last_use: bool) -> list[Chosen]:
    """What each condition picks among these keys; that of the last use only where the release tells it."""
    found = [expired(among, now), expired(among, now, 30), over_budget(among)]
    if tells_last_use:
        found += [unused(among, now, 90), unused(among, now, 180)]
    return found


class MarkBy(Dialog[Chosen | None]):
    """Dismissed with what the chosen condition picks, or None."""

    CSS_PATH = ["dialogs.tcss", "choose.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "back", id="mark-by.back")]

    def __init__(self, found: Sequence[Chosen], total: int) -> None:
        super().__init__()
        self._found = found
        self._total = total

    def compose(self) -> ComposeResult:
        """A line for each condition with its number of keys."""
        with Vertical(classes="dialog choose"):
            yield Static(f"Mark which of {self._total:,} keys?", classes="dialog-title")
            yield RecordTable(COLUMNS, show_header=False, id="options")
            yield Static("", id="unknown")
            yield Static(Text("enter marks them, nothing else · esc goes back", style=look.DIM))

    def on_mount(self) -> None:
        """The first has the cursor."""
        table = self.query_one(RecordTable)
        table.styles.height = len(self._found)
        table.show(
            [
                Row(str(number), {"count": Cell(f"{len(each.keys):,}"), "what": Cell(f"  {each.words}")})
                for number, each in enumerate(self._found)
            ]
        )
        table.focus()

    @property
    def _current(self) -> Chosen | None:
        current = self.query_one(RecordTable).current
        return self._found[int(current)] if current else None

    @on(RecordTable.RowHighlighted)
    def on_moved(self) -> None:
        """Say what the condition cannot tell."""
        chosen = self._current
        words = f"{chosen.unknown:,} more cannot be told and are left out." if chosen and chosen.unknown else ""
        self.query_one("#unknown", Static).update(Text(words, style=look.DIM))

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Take it, where it picks any."""
        if (chosen := self._current) and chosen.keys:
            self.dismiss(chosen)

    def action_cancel(self) -> None:
        """Mark nothing."""
        self.dismiss(None)
