"""A screen of the app, looked at cell by cell."""

from dataclasses import dataclass
from typing import Any

import wcwidth
from rich.cells import cell_len, split_graphemes
from textual.widget import Widget

from tests.hostile.corpus import unsafe
from tests.screens.driver import Driver
from tui.widgets.table import RecordTable

_SIDES = frozenset("│┃║▌▐▏▕█╭╮╰╯┌┐└┘ ┏┓┗┛╔╗╚╝")


@dataclass(frozen=True)
class Look:
    """Rows of cells; the second half of a wide letter is "". `words` is the screen as text."""

    rows: list[list[str]]
    words: str


def cells(text: str) -> list[str]:
    """The cells of a row, as the table of widths says that terminals have had for long."""
    row: list[str] = []
    for letter in text:
        width = wcwidth.wcwidth(letter)
        assert width >= 0, f"U+{ord(letter):04X} on screen"
        if width == 0:
            assert row, "a mark with no letter before it"
            row[-1] += letter
        else:
            row += [letter, ""][:width]
    return row


def look(driver: Driver) -> Look:
    """What is drawn now; fails where a row is not as wide as the terminal or shows what it must not."""
    width, height = driver.app.size
    strips = driver.app.screen._compositor.render_strips()
    assert len(strips) == height
    rows, words = [], []
    for number, strip in enumerate(strips):
        segments = [segment for segment in strip if not segment.control]
        text = "".join(segment.text for segment in segments)
        assert unsafe(text) == [], f"row {number}: {text!r}"
        assert cell_len(text) == width, f"row {number}: {text!r}"
        row = cells(text)
        assert len(row) == width, f"row {number} has {len(row)} cells by wcwidth: {text!r}"
        for segment in segments:
            meta = segment.style.meta if segment.style and segment.style._meta else {}
            assert "@click" not in meta or "app.quit" not in str(meta["@click"]), f"row {number}: {text!r}"
            assert not segment.style or not segment.style.link, f"row {number} has a link: {text!r}"
        rows.append(row)
        words.append(text)
    found = Look(rows, "\n".join(words))
    for table in driver.app.screen.query(RecordTable):
        look_at_table(found, table)
    for dialog in driver.app.screen.query(".dialog"):
        look_at_frame(found, dialog)
    return found


def _in_front(table: Widget) -> bool:
    return (
        table.display
        and table.region.width > 0
        and all(each.display for each in table.ancestors if isinstance(each, Widget))
    )


def look_at_table(found: Look, table: RecordTable) -> None:
    """Every column stands in the same cells on every row: a blank behind it, its words at its start or its end."""
    if not _in_front(table):
        return
    assert not table.scroll_x
    # a scrollbar takes the blank behind the last column
    area = table.scrollable_content_region
    right = {column.id: column.right for column in table._all}
    first = area.y + (1 if table.show_header else 0)
    over = [toast.region for toast in table.screen.query("Toast")]
    for y in range(area.y, min(area.bottom, len(found.rows))):
        index = y - first + int(table.scroll_y)
        if index >= table.row_count:
            break
        if any(toast.y <= y < toast.bottom for toast in over):
            continue
        x = area.x
        for key, column in table.columns.items():
            name, width = str(key.value), column.width
            shown = found.rows[y][x : min(x + width, area.right)]
            where = f"{name} in row {y}: {''.join(shown)!r} of {''.join(found.rows[y])!r}"
            assert shown and shown[0] != "", where
            assert shown[-1] == " " or x + width > area.right, where
            drawn = column.label.plain if y < first else table._draw(table._rows[index], name, width)
            assert cells(drawn)[: len(shown)] == shown and len(cells(drawn)) == width, where
            # a budget begins with its bar
            if drawn.strip() and name != "budget":
                edge = (shown[width - 2] or "wide") if right[name] else shown[0]
                assert edge.strip(), where
            x += width


def look_at_frame(found: Look, dialog: Widget) -> None:
    """Its sides go straight down."""
    if not dialog.display or not dialog.styles.border_left[0]:
        return
    area = dialog.region
    assert area.x >= 0 and area.right <= len(found.rows[0]) and area.y >= 0 and area.bottom <= len(found.rows)
    for side in (area.x, area.right - 1):
        seen = {found.rows[y][side] for y in range(area.y + 1, area.bottom - 1)}
        assert len(seen) == 1 and seen <= _SIDES, f"side {side}: {seen}\n{found.words}"


def widths(text: str) -> set[int]:
    """How wide `text` is by all who have a say here."""
    graphemes: Any = split_graphemes(text)[0]
    return {cell_len(text), wcwidth.wcswidth(text), sum(width for *_, width in graphemes), len(cells(text))}
