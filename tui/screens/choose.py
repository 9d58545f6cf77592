"""A small dialog: one of several."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui import look
from tui.formatting import harmless
from tui.screens.dialogs import Dialog
from tui.widgets.table import Cell, Column, RecordTable, Row

COLUMNS = (Column("mark", "", 1), Column("option", "", 20, grow=True))
MOST_ROWS = 12


class Choose(Dialog[int | None]):
    """Dismissed with the number of the option that was chosen, or None."""

    CSS_PATH = ["dialogs.tcss", "choose.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "back", id="choose.back")]

    def __init__(self, title: str, options: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self._heading = title
        self._options = options
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """Title and options; ● marks the present one."""
        with Vertical(classes="dialog choose"):
            yield Static(Text(harmless(self._heading)), classes="dialog-title")
            yield RecordTable(COLUMNS, show_header=False, id="options")
            yield Static(Text("enter takes it · esc goes back", style=look.DIM))

    def on_mount(self) -> None:
        """The present one is under the cursor."""
        table = self.query_one(RecordTable)
        table.styles.height = min(len(self._options), MOST_ROWS)
        table.show(
            [
                Row(str(number), {"mark": Cell("●" if number == self._chosen else ""), "option": Cell(option)})
                for number, option in enumerate(self._options)
            ]
        )
        table.go_to(str(self._chosen))
        table.focus()

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Take it."""
        current = self.query_one(RecordTable).current
        self.dismiss(int(current) if current else None)

    def action_cancel(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)
