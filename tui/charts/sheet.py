"""The space of a chart: what is asked of it, its legend, its axes, and the cells that are painted between them.

plotext draws the axes and the curves. Bars are painted cell by cell on top: plotext takes 80 ms for a year of
stacked days, which is mostly the look-up of a colour per point. It is imported on first use because it costs 0.15 s
at start-up.
"""

from __future__ import annotations

import importlib
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Span, Text

from tui.charts.numbers import Scale, number
from tui.charts.words import DIM, Entry, clean, legend, style_of

_MIN_WIDTH, _MIN_HEIGHT = 20, 4
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = ".:-=+*#%"
_ASCII = str.maketrans("─│┤├┬┴┼└┘┌┐…", "-|+++++++++~")
CURVE = 6
"""The ANSI colour of every curve."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_lock = threading.Lock()


def sparkline(values: Sequence[float], width: int, *, ascii: bool = False) -> str:
    """The last `width` values, a glyph each, scaled to the largest; 0 is a blank, more than 0 never is."""
    ramp = _ASCII_BLOCKS if ascii else _BLOCKS
    shown = [number(v) for v in values[-width:]] if width > 0 else []
    top = max(shown, default=0.0)
    return "".join(ramp[max(0, math.ceil(v / top * 8) - 1)] if v > 0 else " " for v in shown)


@dataclass(frozen=True)
class Sheet:
    """What every chart is told: its size in cells, the unit of its values, and how it may look."""

    width: int
    height: int
    unit: str
    colour: bool
    ascii: bool
    legend: bool
    title: str

    @property
    def too_small(self) -> bool:
        """Whether axes do not fit."""
        return self.width < _MIN_WIDTH or self.height < _MIN_HEIGHT

    def head(self, entries: Sequence[Entry]) -> list[Text]:
        """Title and legend, on up to three lines as the height allows."""
        most = 1 if self.height < 7 else 2 if self.height < 14 else 3
        shown = [e._replace(name=clean(e.name, self.ascii) or "?") for e in entries] if self.legend else []
        return legend(clean(self.title, self.ascii), shown, self.width, most)

    def rows(self, head: Sequence[Text]) -> int:
        """How many rows are left between the legend and the line of dates."""
        return self.height - 2 - len(head)

    def columns(self, *scales: Scale) -> int:
        """How many columns are left beside the axis of these scales, which stand one above the other."""
        return self.width - max(scale.gutter for scale in scales) - 1

    def spark(self, values: Sequence[float]) -> Text:
        """What is drawn where the chart does not fit."""
        return self.finish([Text(sparkline(values, self.width, ascii=self.ascii))] if self.height > 0 else [])

    def finish(self, lines: Sequence[Text]) -> Text:
        """The lines as one text, with no more than the terminal can show."""
        text = Text("\n", no_wrap=True, overflow="crop", end="").join(lines)
        if self.ascii:
            plain = text.plain.translate(_ASCII)
            text.plain = "".join(c if c.isascii() else "?" for c in plain)
        if not self.colour:
            return Text(text.plain, no_wrap=True, overflow="crop", end="")
        return text


@dataclass(frozen=True)
class Curve:
    """Points in columns and rows, joined by a line or not. `marker` is a character or plotext's braille."""

    points: Sequence[tuple[float, float]]
    joined: bool
    marker: str


class Panel:
    """A pair of axes with a canvas of `columns` by `scale.rows` cells; row 0 is the lowest.

    `ticks` are (column, text) under the axis; None leaves out the line of dates.
    """

    def __init__(
        self,
        scale: Scale,
        columns: int,
        width: int,
        ticks: Sequence[tuple[int, str]] | None,
        curves: Sequence[Curve] = (),
    ) -> None:
        self.scale = scale
        self._columns = columns
        self._gutter = width - columns - 1
        drawn = [row.ljust(width) for row in _drawn(scale, columns, width, self._gutter, ticks, curves)]
        self._below = drawn[scale.rows :]
        canvas = drawn[: scale.rows][::-1]
        self._beside = [row[: self._gutter + 1] for row in canvas]
        self._glyphs = [list(row[self._gutter + 1 :]) for row in canvas]
        self._colours: list[list[int | None]] = [[CURVE] * columns for _ in canvas]

    def fill(self, column: int, size: int, row: int, glyph: str, colour: int | None) -> None:
        """Paint `size` cells of a row, over what is there."""
        if size == 1:
            self._glyphs[row][column] = glyph
            self._colours[row][column] = colour
        else:
            self._glyphs[row][column : column + size] = glyph * size
            self._colours[row][column : column + size] = [colour] * size

    def write(self, column: int, row: int, text: str, colour: int | None) -> bool:
        """Write `text` if every cell that it takes is on the canvas and blank."""
        inside = 0 <= row < self.scale.rows and column >= 0 and column + len(text) <= self._columns
        if not inside or any(c != " " for c in self._glyphs[row][column : column + len(text)]):
            return False
        for at, glyph in enumerate(text, column):
            self.fill(at, 1, row, glyph, colour)
        return True

    def lines(self) -> list[Text]:
        """The panel from the top down."""
        body = [
            _row(beside, glyphs, colours)
            for beside, glyphs, colours in zip(self._beside, self._glyphs, self._colours, strict=True)
        ]
        axis = Text(self.scale.zero.rjust(self._gutter)).append(self._below[0][self._gutter :], DIM)
        return [*reversed(body), axis, *(Text(row) for row in self._below[1:])]


def _row(beside: str, glyphs: list[str], colours: list[int | None]) -> Text:
    """One row as text, a span for each run of one colour; blanks between two of a colour belong to it."""
    start = len(beside)
    spans = [Span(start - 1, start, DIM)]
    for at, (glyph, colour) in enumerate(zip(glyphs, colours, strict=True), start):
        if glyph == " ":
            continue
        style = style_of(colour)
        if len(spans) > 1 and spans[-1].style is style:
            spans[-1] = Span(spans[-1].start, at + 1, style)
        else:
            spans.append(Span(at, at + 1, style))
    return Text(beside + "".join(glyphs), spans=spans)


def _drawn(
    scale: Scale,
    columns: int,
    width: int,
    gutter: int,
    ticks: Sequence[tuple[int, str]] | None,
    curves: Sequence[Curve],
) -> list[str]:
    """The axes and the curves. plotext has one figure per process, so it is emptied, used and read under a lock."""
    # plotext has no types; imported by name it is Any.
    plotext: Any = importlib.import_module("plotext")
    height = scale.rows + (1 if ticks is None else 2)
    # plotext makes no gutter where there are no ticks: the empty chart is moved to its place.
    shift = 0 if scale.ticks else gutter
    with _lock:
        plotext.terminal.limit(False, False)
        figure = plotext.figure.clear().theme("colorless").legend(False)
        figure.plot_size(width - shift, height)
        figure.axes(False, axis="x", side="upper").axes(False, axis="y", side="right")
        figure.ruler("x").lim(0, max(1, columns - 1)).ticks([c for c, _ in ticks or ()], [t for _, t in ticks or ()])
        figure.ruler("y").lim(0, max(1, scale.rows - 1))
        figure.ruler("y").ticks([r for r, _ in scale.ticks], [t.rjust(gutter) for _, t in scale.ticks])
        for curve in curves:
            xs, ys = [x for x, _ in curve.points], [max(-0.4, y) for _, y in curve.points]
            figure.draw(figure.signal(xs, ys, marker=curve.marker).lines(curve.joined).density("full"))
        drawn = figure.build().string()
    return [" " * shift + row for row in _ESCAPE.sub("", drawn).split("\n")[:height]]
