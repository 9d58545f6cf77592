"""What goes over the line: of each update, the cells that differ from what the terminal shows.

Textual sends a widget whole when anything in it changed, and every cell of a table with its colours spelt out. Over a
slow line that is most of the wait, so here the screen is kept as it was sent, and the next one is compared with it.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

_WORTH_A_JUMP = 8
"""So many cells that stay the same cost more than the sequence that jumps over them."""


class Pen(NamedTuple):
    """How a cell is drawn, as SGR parameters; "" is the terminal's own."""

    attributes: frozenset[str] = frozenset()
    colour: str = ""
    background: str = ""


class Cell(NamedTuple):
    """One cell; the second half of a wide letter is empty. `odd`: terminals may disagree on its width."""

    text: str
    pen: Pen
    odd: bool = False


PLAIN = Pen()


class Ready(CompositorUpdate):
    """An update in the words that go to the terminal."""

    def __init__(self, sequences: str) -> None:
        self._sequences = sequences

    def render_segments(self, console: Console) -> str:
        """The words."""
        return self._sequences


class Wire:
    """The screen as the terminal shows it. `dark`: it has no bright backgrounds, as the Linux console."""

    def __init__(self, *, dark: bool = False) -> None:
        self._dark = dark
        self._rows: dict[int, list[Cell | None]] = {}

    def forget(self) -> None:
        """Something else may have drawn there: the next update is sent whole."""
        self._rows.clear()

    def difference(self, update: CompositorUpdate, console: Console) -> str | None:
        """The sequences that bring the terminal to `update`, "" where it is there; None for a kind of update unknown.

        They leave the terminal's own colours behind them.
        """
        if isinstance(update, LayoutUpdate):
            pieces = _whole(update)
        elif isinstance(update, ChopsUpdate):
            pieces = _parts(update)
        else:
            return None
        system = console._color_system or ColorSystem.TRUECOLOR
        out: list[str] = []
        pen, where = PLAIN, (-1, -1)
        for y, x, strip in pieces:
            cells = _cells(strip, system, self._dark)
            for start, end in self._changed(y, x, cells):
                if where != (y, x + start):
                    out.append(f"\x1b[{y + 1};{x + start + 1}H")
                odd = False
                for index, cell in enumerate(cells[start:end], x + start):
                    if odd and not cell.odd:
                        # a terminal may have its own mind about where an odd letter left the cursor
                        out.append(f"\x1b[{y + 1};{index + 1}H")
                    odd = cell.odd
                    if cell.pen != pen:
                        out.append(_change(pen, cell.pen))
                        pen = cell.pen
                    out.append(cell.text)
                where = (-1, -1) if odd else (y, x + end)
        if pen != PLAIN:
            out.append("\x1b[m")
        return "".join(out)

    def _changed(self, y: int, x: int, cells: list[Cell]) -> list[tuple[int, int]]:
        row = self._rows.setdefault(y, [])
        if len(row) < x + len(cells):
            row.extend([None] * (x + len(cells) - len(row)))
        before = row[x : x + len(cells)]
        if before == cells:
            return []
        row[x : x + len(cells)] = cells
        if any(cell.odd for cell in cells) or any(cell is not None and cell.odd for cell in before):
            return [(0, len(cells))]
        runs: list[tuple[int, int]] = []
        for index, (old, new) in enumerate(zip(before, cells, strict=True)):
            if old == new:
                continue
            if runs and index - runs[-1][1] < _WORTH_A_JUMP:
                runs[-1] = (runs[-1][0], index + 1)
            else:
                runs.append((index, index + 1))
        return runs


def _whole(update: LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield y, x, strip
            x += strip.cell_length


def _parts(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < right and end > left:
                yield y, x, strip


def _cells(strip: Strip, system: ColorSystem, dark: bool) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        pen = PLAIN if style is None else _pen(style, system, dark)
        if text.isascii() and text.isprintable():
            cells += [Cell(letter, pen) for letter in text]
            continue
        for start, end, width in split_graphemes(text)[0]:
            if not width:
                continue
            # what is not seen rides on the letter before it, and may be a command to the terminal
            letter = "".join(each for each in text[start:end] if _harmless(each)) or "?" * width
            cells.append(Cell(letter, pen, odd=width > 1 or len(letter) > 1))
            cells += [Cell("", pen, odd=True)] * (width - 1)
    return cells


def _harmless(letter: str) -> bool:
    # U+200D joins emoji
    return letter == "\u200d" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


_ATTRIBUTES = (
    ("bold", "1"),
    ("dim", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("reverse", "7"),
    ("conceal", "8"),
    ("strike", "9"),
    ("underline2", "21"),
    ("overline", "53"),
)


@lru_cache(maxsize=4096)
def _pen(style: Style, system: ColorSystem, dark: bool) -> Pen:
    background = _colour(style.bgcolor, system, False)
    if dark and background in _BRIGHT:
        # bright black would be black there: no cursor, no panel
        background = _BRIGHT[background]
    return Pen(
        frozenset(code for name, code in _ATTRIBUTES if getattr(style, name)),
        _colour(style.color, system, True),
        background,
    )


_BRIGHT = {"100": "44", **{f"10{number}": f"4{number}" for number in range(1, 8)}}


def _colour(colour: Color | None, system: ColorSystem, foreground: bool) -> str:
    if colour is None or colour.is_default:
        return ""
    return ";".join(colour.downgrade(system).get_ansi_codes(foreground))


@lru_cache(maxsize=4096)
def _change(before: Pen, after: Pen) -> str:
    codes: list[str] = []
    if before.attributes - after.attributes:
        # there is no sequence that every terminal has for the end of a single one
        codes, before = ["0"], PLAIN
    codes += sorted(after.attributes - before.attributes)
    if after.colour != before.colour:
        codes.append(after.colour or "39")
    if after.background != before.background:
        codes.append(after.background or "49")
    words = ";".join(codes)
    return "\x1b[m" if words == "0" else f"\x1b[{words}m"
