"""A dialog that writes what is on screen to a file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Input, Static

from tui import keymap, look
from tui.export import Content, write
from tui.files import FileError, FileThereError
from tui.formatting import harmless
from tui.screens.dialogs import Dialog
from tui.widgets.table import Cell, Column, RecordTable, Row

COLUMNS = (Column("mark", "", 1), Column("option", "", 20, grow=True))
MOST_ROWS = 6


class Export(Dialog[Path | None]):
    """Dismissed with the path that was written, or None.

    A file that is there is written over with a key of its own, and only after that was said. What is typed as a path
    starts in `folder`, or at home with `~`.
    """

    CSS_PATH = ["dialogs.tcss", "export.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", id="export.back"),
        Binding("enter", "write", "write the file", id="export.write"),
        Binding("ctrl+s", "write_over", "write over the file that is there", id="export.over"),
    ]

    def __init__(self, makers: Sequence[Content], folder: Path) -> None:
        super().__init__()
        self._makers = makers
        self._folder = folder
        self._chosen = 0
        self._suggested = makers[0].name
        self._there: Path | None = None
        self._busy = False

    def compose(self) -> ComposeResult:
        """What to write, where to, and what is wrong with that."""
        with Vertical(classes="dialog export"):
            yield Static("Write to a file", classes="dialog-title")
            yield RecordTable(COLUMNS, show_header=False, id="options")
            field = Input(self._suggested, id="path", compact=True, select_on_focus=False)
            field.cursor_blink = False
            yield field
            yield Static("", id="where")
            yield Static("", id="wrong", classes="wrong")
            yield Button(f"Write over it  {keymap.key('export.over')}", id="over", variant="error", compact=True)
            yield Static(Text("enter writes it · tab: the name · esc goes back", style=look.DIM), id="keys")

    def on_mount(self) -> None:
        """The first is chosen."""
        table = self.query_one(RecordTable)
        table.styles.height = min(len(self._makers), MOST_ROWS)
        self._mark()
        table.focus()
        self._say_where()

    def _mark(self) -> None:
        self.query_one(RecordTable).show(
            [
                Row(str(number), {"mark": Cell("●" if number == self._chosen else ""), "option": Cell(maker.title)})
                for number, maker in enumerate(self._makers)
            ]
        )

    @on(RecordTable.RowHighlighted)
    def on_moved(self, event: RecordTable.RowHighlighted) -> None:
        """The one under the cursor is meant; its name is suggested unless another was typed."""
        if not 0 <= event.cursor_row < len(self._makers) or event.cursor_row == self._chosen:
            return
        self._chosen = event.cursor_row
        self._mark()
        field = self.query_one("#path", Input)
        if field.value == self._suggested:
            field.value = self._makers[self._chosen].name
        self._suggested = self._makers[self._chosen].name
        self._forget()

    @on(Input.Changed)
    def on_typed(self) -> None:
        """What is being mended is not wrong for now."""
        self._forget()
        self._say_where()

    @on(RecordTable.RowSelected)
    @on(Input.Submitted)
    def on_enter(self) -> None:
        """Enter writes, in the list and in the field."""
        self.action_write()

    @on(Button.Pressed)
    def on_over(self) -> None:
        """As ctrl+s."""
        self.action_write_over()

    def action_write(self) -> None:
        """Write a new file."""
        self._write(False)

    def action_write_over(self) -> None:
        """Write over the file that was said to be there; without that, nothing."""
        if self._there is None:
            self._say("enter writes it; ctrl+s is for a file that is there already.", look.DIM)
        elif self._path() == self._there:
            self._write(True)

    def action_cancel(self) -> None:
        """Nothing is written, unless it is being done."""
        if not self._busy:
            self.dismiss(None)

    def _path(self) -> Path:
        path = Path(self.query_one("#path", Input).value.strip())
        # joined, it would not be at home any more
        return path if str(path).startswith("~") else self._folder / path

    @work
    async def _write(self, overwrite: bool) -> None:
        if self._busy:
            return
        if not self.query_one("#path", Input).value.strip():
            self._wrong("Name a file.")
            return
        self._busy = True
        path, maker = self._path(), self._makers[self._chosen]
        self._forget()
        self._say("writing …", look.DIM)
        try:
            # a year of many models takes a moment, and a disk may take longer
            written = await asyncio.to_thread(lambda: write(path, maker.make(), overwrite=overwrite))
        except FileThereError:
            self._there = path
            self._wrong(f"{path.name} is there already.")
            self.query_one("#over").display = True
        except FileError as error:
            self._wrong(str(error))
        else:
            self.dismiss(written)
        finally:
            self._busy = False

    def _forget(self) -> None:
        self._there = None
        self.query_one("#over").display = False
        self._say("")

    def _wrong(self, sentence: str) -> None:
        self._say(sentence)
        self.query_one("#path", Input).focus()

    def _say(self, sentence: str, style: str = "") -> None:
        self.query_one("#wrong", Static).update(Text(harmless(sentence), style=style))

    def _say_where(self) -> None:
        path = self._path()
        where = path if str(path).startswith("~") else _with_home(path)
        text = Text("in ", style=look.DIM, no_wrap=True, overflow="ellipsis")
        text.append(f"{harmless(str(where.parent))} · only you can read it")
        self.query_one("#where", Static).update(text)


def _with_home(path: Path) -> Path:
    try:
        return Path("~") / path.relative_to(Path.home())
    except (RuntimeError, ValueError):
        return path
