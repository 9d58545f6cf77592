"""What one gets from Textual without doing anything about bytes: two screens with a table each, filled as usual.

Keys: 1 and 2 the screens, R fills the table again with the same rows, S does so with one cell changed, / an input.
"""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Header, Input

COLUMNS = ("Alias", "Key", "Spend", "Budget", "Expires", "Models")
ROWS = [(f"key-number-{n}", f"…{n:04}", f"${n}.50", f"{n} % of $50", f"{n} d left", "gpt-4o +2") for n in range(18)]


class Table(Screen[None]):
    """A table and the usual lines around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("1", "app.switch_mode('one')", "one"),
        ("2", "app.switch_mode('two')", "two"),
        ("R", "fill(0)", "again"),
        ("S", "fill(1)", "change"),
        ("slash", "ask", "input"),
        ("q", "app.quit", "quit"),
    ]

    def compose(self) -> ComposeResult:
        """Header, table, footer."""
        yield Header()
        yield DataTable(cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(DataTable).add_columns(*COLUMNS)
        self.action_fill(0)

    def action_fill(self, changed: int) -> None:
        """The rows, as a program does that has read them again."""
        table = self.query_one(DataTable)
        where = table.cursor_row
        table.clear()
        for number, row in enumerate(ROWS):
            table.add_row(*row[:2], f"${number}.75" if changed and number == 5 else row[2], *row[3:])
        table.move_cursor(row=where)

    def action_ask(self) -> None:
        """An input with its cursor."""
        self.mount(Input(), before=self.query_one(DataTable))
        self.query_one(Input).focus()


class Bare(App[None]):
    """Two such screens."""

    MODES = {"one": Table, "two": Table}
    DEFAULT_MODE = "one"


if __name__ == "__main__":
    Bare().run()
