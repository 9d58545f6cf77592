"""A table of records: columns of fixed widths that give way on narrow terminals, and as few repaints as possible."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import DataTable

from tui.formatting import fit_to_show


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `width` in cells without the gap; columns with the highest `drop` leave first, 0 never does.

    What is left over goes to the columns with `grow`, from the left; each takes up to `most` cells, without it all.
    """

    id: str
    title: str
    width: int
    right: bool = False
    drop: int = 0
    grow: bool = False
    sortable: bool = True
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows. `text` is cleaned and cut to the column; `style` is a Rich style.

    With `part` (0 to 1) the cell shows a bar of that part of the column's width instead; with `words`, as many of them
    as fit and how many there are beyond.
    """

    text: str = ""
    style: str = ""
    part: float | None = None
    words: tuple[str, ...] = ()


class Later(Mapping[str, Cell]):
    """The cells of a row, made when they are first looked at: of a long list, most rows never are."""

    def __init__(self, make: Callable[[], Mapping[str, Cell]]) -> None:
        self._make = make
        self._cells: Mapping[str, Cell] | None = None

    def _made(self) -> Mapping[str, Cell]:
        if self._cells is None:
            self._cells = self._make()
        return self._cells

    def __getitem__(self, name: str) -> Cell:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())


@dataclass(frozen=True, slots=True)
class Row:
    """A record's row: `key` identifies it across updates."""

    key: str
    cells: Mapping[str, Cell]
    marked: bool = False


class RecordTable(DataTable[Text]):
    """Rows of records with a row cursor that stays on its record while the list around it changes.

    DataTable has the cursor, the scrolling and the titles. Its own rows are empty and by position: a line is drawn from
    the record when it comes into sight, so that another list is as quick to show as it has lines on screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open", show=False, id="table.open", tooltip="Open the row"),
        Binding("j", "cursor_down", "down", show=False, id="table.down"),
        Binding("k", "cursor_up", "up", show=False, id="table.up"),
        Binding("g,home", "scroll_top", "first", show=False, id="table.first"),
        Binding("G,end", "scroll_bottom", "last", show=False, id="table.last"),
        Binding("ctrl+d", "page_down", "page down", show=False, id="table.page-down"),
        Binding("ctrl+u", "page_up", "page up", show=False, id="table.page-up"),
    ]

    class Left(Message):
        """The cursor was moved beyond the first row (`down` False) or the last one."""

        def __init__(self, table: "RecordTable", down: bool) -> None:
            super().__init__()
            self.table = table
            self.down = down

        @property
        def control(self) -> "RecordTable":
            """The table."""
            return self.table

    class SortBy(Message):
        """A column's title was clicked."""

        def __init__(self, table: "RecordTable", column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> "RecordTable":
            """The table."""
            return self.table

    def __init__(self, columns: Sequence[Column], *, show_header: bool = True, id: str | None = None) -> None:
        super().__init__(
            cursor_type="row", show_header=show_header, cell_padding=0, zebra_stripes=False, id=id, show_cursor=True
        )
        self._all = tuple(columns)
        self._widths: dict[str, int] = {}
        self._rows: list[Row] = []
        self._sorted: tuple[str, bool] = ("", False)
        self._base = Style.null()
        """The widget's own style, which takes looking through its parents."""

    @property
    def current(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        return self._rows[self.cursor_row].key if 0 <= self.cursor_row < len(self._rows) else None

    @property
    def visible_columns(self) -> list[str]:
        """The ids of the columns that fit, from the left."""
        return list(self._widths)

    def show(self, rows: Sequence[Row], *, sorted_by: str = "", reverse: bool = False) -> None:
        """Draw `rows`, sending only the lines that differ from what is drawn."""
        fresh = list(rows)
        if (sorted_by, reverse) != self._sorted:
            self._sorted = (sorted_by, reverse)
            self._widths = {}
        if self._fit():
            self._set_columns()
        if [row.key for row in fresh] != [row.key for row in self._rows]:
            self._put(fresh)
            return
        before, self._rows = self._rows, fresh
        # a line out of sight is drawn when it comes into sight
        top = self.scroll_offset.y
        for place in range(top, min(top + max(self.size.height, 1), len(fresh))):
            if fresh[place] != before[place]:
                self.refresh_row(place)

    def go_to(self, key: str) -> None:
        """Put the cursor on that row, where it is there."""
        for index, row in enumerate(self._rows):
            if row.key == key:
                self.move_cursor(row=index, animate=False)
                return

    def _set_columns(self) -> None:
        if self._drawn_columns_fit():
            return
        current = self.cursor_row
        self.clear(columns=True)
        for column in self._shown():
            self.add_column(self._title(column), width=self._widths[column.id], key=column.id)
        self._set_count(len(self._rows))
        self.move_cursor(row=max(current, 0), animate=False)

    def _put(self, rows: list[Row]) -> None:
        current, place = self.current, self.cursor_row
        self._rows = rows
        self._set_count(len(rows))
        self.refresh()
        if rows:
            keys = [row.key for row in rows]
            self.move_cursor(
                row=max(0, keys.index(current) if current in keys else min(place, len(rows) - 1)), animate=False
            )
            # the row of that number is another record now
            self.post_message(self.RowHighlighted(self, self.cursor_row, self.ordered_rows[self.cursor_row].key))

    def _set_count(self, count: int) -> None:
        if self.row_count - count > count:
            self.clear()
        for place in range(self.row_count - 1, count - 1, -1):
            self.remove_row(str(place))
        for place in range(self.row_count, count):
            self.add_row(key=str(place))

    def _drawn_columns_fit(self) -> bool:
        return [(str(key.value), column.width) for key, column in self.columns.items()] == list(
            self._widths.items()
        ) and all(column.label == self._title(self._by_id(str(key.value))) for key, column in self.columns.items())

    def _by_id(self, name: str) -> Column:
        return next(column for column in self._all if column.id == name)

    def _shown(self) -> list[Column]:
        room = self.size.width or self.app.size.width
        shown = list(self._all)
        while sum(column.width + 1 for column in shown) > room:
            worst = max(shown, key=lambda column: column.drop)
            if worst.drop == 0:
                break
            shown.remove(worst)
        return shown

    def _fit(self) -> bool:
        """Choose columns and widths for the present size; whether that changed anything."""
        shown = self._shown()
        widths = {column.id: column.width + 1 for column in shown}
        spare = (self.size.width or self.app.size.width) - sum(widths.values())
        for column in shown:
            if column.grow and spare > 0:
                more = spare if column.most is None else min(spare, max(0, column.most - column.width))
                widths[column.id] += more
                spare -= more
        changed = widths != self._widths
        self._widths = widths
        return changed

    def _title(self, column: Column) -> Text:
        name, reverse = self._sorted
        mark = ("▼" if reverse else "▲") if column.id == name else ""
        width = self._widths[column.id]
        title = f"{column.title} {mark}".strip()
        if mark and cell_len(column.title) + 2 >= width:
            # the mark says more than the title's last letters
            title = set_cell_size(column.title, max(0, width - 2)).rstrip() + mark
        return Text(self._cut(title, width, column.right), no_wrap=True, end="")

    def render_lines(self, crop: Region) -> list[Strip]:
        """Some lines of the widget."""
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """A line of the widget; those of records from what is known of them now."""
        place = y + self.scroll_offset.y - self.header_height * self.show_header
        if (self.show_header and y < self.header_height) or not 0 <= place < len(self._rows):
            return super().render_line(y)
        row, above, over = self._rows[place], Style.null(), Style.null()
        if self.show_cursor and self._show_hover_cursor and place == self.hover_row:
            above += Style.from_color(bgcolor=self.get_component_rich_style("datatable--hover").bgcolor)
        if self.show_cursor and place == self.cursor_row:
            cursor = self.get_component_rich_style("datatable--cursor")
            if cursor.bgcolor == self._base.bgcolor:
                # a cursor that is not seen takes no cell's colour
                cursor += Style.from_color(self._base.color, above.bgcolor)
            else:
                # its colour goes over a cell's, its background below
                over = Style.from_color(cursor.color)
            above += cursor
        base = self._base + above
        here = base + Style.from_meta({"row": place, "column": 0})
        style_of = self.app.console.get_style
        line = [
            Segment(
                self._draw(row, name, width),
                here + style_of(row.cells[name].style) + over if name in row.cells else here,
            )
            for name, width in self._widths.items()
        ]
        (width, _), left = self.size, self.scroll_offset.x
        drawn = sum(self._widths.values())
        if drawn < width:
            beyond = Style.from_meta({"row": place, "column": 0, "out_of_bounds": True})
            line.append(Segment(" " * (width - drawn), base + beyond))
        return Strip(line, max(drawn, width)).crop(left, left + width).simplify()

    def _draw(self, row: Row, name: str, width: int) -> str:
        cell = row.cells.get(name, Cell())
        if cell.part is not None:
            ascii = bool(getattr(self.app, "ascii", False))
            return self._cut(bar(cell.part, width - 1, ascii=ascii), width, False)
        text = fit_words(cell.words, width - 1) if cell.words else fit_to_show(cell.text)
        return self._cut(text, width, self._by_id(name).right)

    @staticmethod
    def _cut(text: str, width: int, right: bool) -> str:
        room = width - 1
        if cell_len(text) > room:
            text = set_cell_size(text, max(0, room - 1)).rstrip() + "…"
        pad = " " * max(0, room - cell_len(text))
        return f"{pad}{text} " if right else f"{text}{pad} "

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns anew for the new width."""
        if self._fit():
            self._set_columns()

    def action_cursor_down(self) -> None:
        """Move down; beyond the last row, tell the screen."""
        if self.cursor_row >= self.row_count - 1:
            self.post_message(self.Left(self, down=True))
        else:
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """Move up; beyond the first row, tell the screen."""
        if self.cursor_row <= 0:
            self.post_message(self.Left(self, down=False))
        else:
            super().action_cursor_up()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a title sorts by it."""
        event.stop()
        name = str(event.column_key.value)
        if self._by_id(name).sortable:
            self.post_message(self.SortBy(self, name))


def fit_words(words: Sequence[str], cells: int) -> str:
    """`tools vision +3`: as many of `words` as `cells` hold, and how many are left out."""
    clean = [fit_to_show(word) for word in words]
    for shown in range(len(clean), 0, -1):
        text = " ".join(clean[:shown]) + (f" +{len(clean) - shown}" if shown < len(clean) else "")
        if cell_len(text) <= cells:
            return text
    return f"{len(clean)}"


_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ASCII_EIGHTHS = " ----===#"


def bar(part: float, cells: int, *, ascii: bool = False) -> str:
    """A bar for `part` of 1 in at most `cells` cells; more than 0 always leaves a mark, more than 1 is a full bar."""
    marks = _ASCII_EIGHTHS if ascii else _EIGHTHS
    eighths = round(max(0.0, min(part, 1.0)) * cells * 8)
    full, rest = divmod(max(eighths, 1) if part > 0 else 0, 8)
    return marks[8] * full + (marks[rest] if rest else "")


def next_sort(columns: Sequence[Column], current: str) -> str:
    """The sortable column after `current`, the first after the last; "" stands for the list's own order."""
    names = ["", *(column.id for column in columns if column.sortable)]
    following: Iterator[tuple[str, str]] = pairwise([*names, names[0]])
    return next((after for before, after in following if before == current), "")


def sort_key(value: Any) -> tuple[bool, Any]:
    """A key that puts absent values last and compares words without case."""
    return (value is None, value.lower() if isinstance(value, str) else value if value is not None else 0)
