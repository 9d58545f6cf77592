"""Charts as `rich.text.Text`, drawn by plotext. Pure functions: data in, text out, no Textual.

Every chart is at most `width` cells by `height` lines. Meaning is never colour alone: each series has its own
fill, and the legend shows that fill. Values that are NaN, infinite or below zero count as 0. Names and labels
come from the gateway, so control characters are removed and nothing in them is markup. plotext is imported on
first use because it costs 0.15 s at start-up.
"""

from __future__ import annotations

import importlib
import math
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

_HUGE = 1e300
_TINY = 1e-12
_DIM = Style(dim=True)
_MIN_WIDTH, _MIN_HEIGHT = 20, 4
_WIDEST_BAR = 10
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = ".:-=+*#%"


@dataclass(frozen=True)
class Fill:
    """How one series looks: `ramp` holds the glyphs for 1/8 to 8/8 of a cell, `colour` an ANSI colour."""

    ramp: str
    colour: int
    ascii: str

    @property
    def glyph(self) -> str:
        return self.ramp[-1]

    def for_terminal(self, ascii: bool) -> Fill:
        return Fill("___" + self.ascii * 5, self.colour, self.ascii) if ascii else self


# Braille fills have four levels, so a patterned bar ends within an eighth of a row too.
_FILLS = (
    Fill(_BLOCKS, 6, "#"),
    Fill("⣀⣀⣤⣤⣶⣶⣿⣿", 3, "="),
    Fill("⡀⡀⡄⡄⡆⡆⡇⡇", 5, "|"),
    Fill("⣀⣀⣀⣒⣒⣒⣒⣒", 2, "-"),
    Fill("⢀⢀⢄⢄⢔⢔⢕⢕", 12, "/"),
)
_REST = Fill("⡀⡀⡀⠄⠄⡂⡂⡂", 7, ".")
_FAILED = Fill("⣀⣀⣤⣤⣶⣶⣿⣿", 1, "x")
_ASCII = str.maketrans("─│┤├┬┴┼└┘┌┐…", "-|+++++++++~")


@dataclass(frozen=True)
class Series:
    """A part of a stacked chart: `values` runs parallel to the labels, `rest` marks the sum of the others."""

    name: str
    values: list[float] = field(default_factory=list)
    rest: bool = False


def top_series(series: Sequence[Series], n: int = 5) -> list[Series]:
    """The `n` largest series by total, largest first, then one "other" that sums what is left.

    A single series left over keeps its own name. Series that are 0 throughout are dropped.
    """
    ranked = sorted((s for s in series if _total(s) > 0), key=_total, reverse=True)
    if len(ranked) <= n + 1:
        return ranked
    rest = ranked[n:]
    length = max(len(s.values) for s in rest)
    summed = [min(sum(_at(s.values, i) for s in rest), _HUGE) for i in range(length)]
    return [*ranked[:n], Series("other", summed, rest=True)]


def format_number(value: float, unit: str = "") -> str:
    """A short number of about three digits: `$0.02`, `$12.30`, `$1.5k`, `2.1M`. `unit` "$" goes in front."""
    value = value if math.isfinite(value) else 0.0
    sign, size = ("-" if value < 0 else ""), abs(value)
    return sign + unit + _plain(size, money=unit == "$")


def stacked_bars(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    unit: str = "$",
    colour: bool = True,
    ascii: bool = False,
    legend: bool = True,
    title: str = "",
) -> Text:
    """One bar per label, the series on top of each other in the order given, the first at the bottom.

    `labels` are ISO days (`2025-11-01`) or months (`2025-11`); anything else is shown as it is. More than
    five series are cut by `top_series`. A bar is exact to an eighth of a row (braille fills to a quarter),
    and any value above 0 leaves a mark. With more labels than columns each column shows the highest of its
    days. `title` starts the legend line. Below 20x4 only a sparkline of the totals fits.
    """
    shown = list(series) if len(series) <= len(_FILLS) + 1 else top_series(series, len(_FILLS))
    fills = _fills(shown, ascii)
    rows = [[_at(s.values, i) for s in shown] for i in range(len(labels))]
    totals = [sum(row) for row in rows]
    if width < _MIN_WIDTH or height < _MIN_HEIGHT or not labels:
        return _small(totals, width, height, ascii)
    entries = [(f, s.name) for f, s in zip(fills, shown, strict=True)]
    head = _legend(title, entries if legend else [], width, height, ascii)
    scale = _scale(max(totals, default=0.0), height - 2 - len(head), unit)
    gutter = scale.gutter
    bars = _columns(totals, width - gutter - 1)
    cells = [cell for bar in bars for cell in _stack(rows[bar.index], fills, scale, bar)]
    ticks = _date_ticks(labels, bars, width - gutter - 1)
    return _finish([*head, *_panel(cells, scale, width, gutter, ticks)], colour, ascii)


def bars_with_failures(
    labels: Sequence[str],
    ok: Sequence[float],
    failed: Sequence[float],
    *,
    width: int,
    height: int,
    unit: str = "",
    colour: bool = True,
    ascii: bool = False,
    legend: bool = True,
    title: str = "",
) -> Text:
    """Requests per label, and the failed ones below in a strip with its own scale.

    Failures are often well under 1 %: on the scale of the requests they would not show. Without a failure the
    strip is left out and the legend says so. The upper bars hold ok and failed together.
    """
    bad = [_number(_at(failed, i)) for i in range(len(labels))]
    totals = [_at(ok, i) + bad[i] for i in range(len(labels))]
    if width < _MIN_WIDTH or height < _MIN_HEIGHT or not labels:
        return _small(totals, width, height, ascii)
    any_bad = max(bad) > 0
    good, poor = _FILLS[0].for_terminal(ascii), _FAILED.for_terminal(ascii)
    words = "no failures" if not any_bad else "failed" if height < 8 else "failed, own scale"
    entries = [(good, "all requests"), (poor, words)]
    head = _legend(title, entries if legend else [], width, height, ascii)
    space = height - 2 - len(head)
    strip = 0 if not any_bad or height < 8 else 1 if space < 8 else 2
    upper = _scale(max(totals), space - strip - (1 if strip else 0), unit)
    lower = _scale(max(bad), strip, unit) if strip else None
    gutter = max(upper.gutter, lower.gutter if lower else 0)
    bars = _columns(totals, width - gutter - 1)
    ticks = _date_ticks(labels, bars, width - gutter - 1)
    if lower is None:
        pairs = [[totals[i] - bad[i], bad[i]] for i in range(len(labels))]
        cells = [c for bar in bars for c in _stack(pairs[bar.index], [good, poor], upper, bar)]
        return _finish([*head, *_panel(cells, upper, width, gutter, ticks)], colour, ascii)
    main = [c for bar in bars for c in _stack([totals[bar.index]], [good], upper, bar)]
    below = [c for bar in bars for c in _stack([bad[bar.index]], [poor], lower, bar)]
    lines = [*head, *_panel(main, upper, width, gutter, None), *_panel(below, lower, width, gutter, ticks)]
    return _finish(lines, colour, ascii)


def line(
    labels: Sequence[str],
    values: Sequence[float],
    limit: float | None = None,
    *,
    width: int,
    height: int,
    unit: str = "$",
    colour: bool = True,
    ascii: bool = False,
    legend: bool = True,
    title: str = "",
    name: str = "spent",
    limit_name: str = "budget",
    projection: Sequence[float] = (),
) -> Text:
    """A curve, such as cumulative spend, against a horizontal `limit` such as the budget.

    `values` may be shorter than `labels` (the days to come are empty). `projection` starts where `values`
    ends and is dotted. A limit of more than four times the data would flatten the curve, so it is named in
    the legend only.
    """
    known = [_number(v) for v in values[: len(labels)]]
    ahead = [_number(v) for v in projection[: max(0, len(labels) - len(known))]]
    if width < _MIN_WIDTH or height < _MIN_HEIGHT or not labels:
        return _small(known, width, height, ascii)
    cap = _number(limit) if limit is not None else 0.0
    highest = max([0.0, *known, *ahead])
    above = limit is not None and highest > 0 and cap > 4 * highest
    entries = [(Fill("⠒", 6, "*").for_terminal(ascii), name)]
    if ahead:
        entries.append((Fill("⠂", 6, ".").for_terminal(ascii), "projected"))
    if limit is not None:
        text = f"{limit_name} {format_number(cap, unit)}" + (", above the chart" if above else "")
        entries.append((Fill("╌", 3, "-").for_terminal(ascii), text))
    head = _legend(title, entries if legend else [], width, height, ascii)
    rows = height - 2 - len(head)
    scale = _scale(max(highest, 0.0 if above else cap), rows, unit)
    gutter, columns = scale.gutter, width - scale.gutter - 1
    step = (columns - 1) / max(1, len(labels) - 1)
    bars = [_Bar(i, round(i * step), 1) for i in range(len(labels))]
    cells: list[_Cell] = []
    if limit is not None and not above and cap > 0:
        row = min(rows - 1, max(0, round(cap / scale.per_row) - 1))
        cells += [_Cell(x, row, "-" if ascii else "╌", 3) for x in range(columns)]
    curve = [(i * step, v / scale.per_row - 1) for i, v in enumerate(known)]
    future = [((len(known) + i) * step, v / scale.per_row - 1) for i, v in enumerate(ahead)]
    curves = [_Curve(curve, True, "*" if ascii else "braille")]
    curves.append(_Curve(_each_column([*curve[-1:], *future]), False, "." if ascii else "braille"))
    ticks = _date_ticks(labels, bars, columns)
    panel = _panel(cells, scale, width, gutter, ticks, [c for c in curves if c.points])
    return _finish([*head, *panel], colour, ascii)


def sparkline(values: Sequence[float], width: int, *, ascii: bool = False) -> str:
    """The last `width` values, a glyph each, scaled to the largest; 0 is a blank, more than 0 never is."""
    ramp = _ASCII_BLOCKS if ascii else _BLOCKS
    numbers = [_number(v) for v in values][-width:] if width > 0 else []
    top = max(numbers, default=0.0)
    return "".join(ramp[max(0, math.ceil(v / top * 8) - 1)] if v > 0 else " " for v in numbers)


# --- numbers ---


def _number(value: float | None) -> float:
    if value is None or not math.isfinite(value) or value < _TINY:
        return 0.0
    return min(float(value), _HUGE)


def _at(values: Sequence[float], index: int) -> float:
    return _number(values[index]) if index < len(values) else 0.0


def _total(series: Series) -> float:
    return sum(_number(v) for v in series.values)


def _plain(size: float, *, money: bool) -> str:
    if size == 0:
        return "0"
    if size < 1e-4 or size >= 9.995e14:
        return f"{size:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    scales = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T"))
    # 999.7 is 1k: it would round to 1000.
    factor, suffix = next(((f, x) for f, x in scales if size < 999.5 * f), scales[-1])
    scaled = size / factor
    if money and not suffix and 0.01 <= scaled < 100 and abs(scaled - round(scaled, 2)) < 1e-9:
        return f"{scaled:.0f}" if abs(scaled - round(scaled)) < 1e-9 else f"{scaled:.2f}"
    digits = max(0, 2 - math.floor(math.log10(scaled))) if scaled < 100 else 0
    text = f"{scaled:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + suffix


@dataclass(frozen=True)
class _Scale:
    """`per_row` is the value of one row of cells; a tick (row, label) means the upper edge of that row."""

    rows: int
    per_row: float
    ticks: list[tuple[int, str]]
    zero: str

    @property
    def gutter(self) -> int:
        return max([len(self.zero), *(len(text) for _, text in self.ticks)])


def _scale(highest: float, rows: int, unit: str) -> _Scale:
    """The scale whose round ticks fall on whole rows and leave the least empty space above `highest`."""
    zero = f"{unit}0"
    if highest <= 0 or rows < 1:
        return _Scale(rows, 1.0, [], zero)
    best: tuple[float, int, float] | None = None
    for apart in range(1, rows + 1):
        count = rows // apart
        if count > 6 or (rows >= 4 and count < 2):
            continue
        step = _round_up(highest * apart / rows, whole=unit == "" and highest >= 1)
        cost = step / apart * rows / highest - 1 + 0.12 * abs(count - 4) + (0.3 if apart == 1 and rows > 3 else 0)
        if best is None or cost < best[0]:
            best = (cost, apart, step)
    assert best is not None
    _, apart, step = best
    values = [step * k for k in range(1, rows // apart + 1)]
    texts = [format_number(v, unit) for v in values]
    if unit == "$" and any("." in t and t[-1].isdigit() for t in texts) and step >= 0.01 and values[-1] < 100:
        texts = [f"${v:.2f}" for v in values]
    return _Scale(rows, step / apart, [(apart * (k + 1) - 1, t) for k, t in enumerate(texts)], zero)


def _round_up(value: float, *, whole: bool) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    for _ in range(2):
        for factor in (1.0, 2.0, 2.5, 5.0):
            step = factor * power
            if step >= value * (1 - 1e-9) and (not whole or step == int(step)):
                return step
        power *= 10
    return power


# --- geometry ---


@dataclass(frozen=True)
class _Bar:
    index: int
    start: int
    size: int

    @property
    def middle(self) -> int:
        return self.start + (self.size - 1) // 2


@dataclass(frozen=True)
class _Cell:
    """A glyph at a column from the left and a row from the bottom. `colour` is an ANSI colour."""

    column: int
    row: int
    glyph: str
    colour: int


def _columns(totals: list[float], columns: int) -> list[_Bar]:
    """Where each bar goes. From three columns a bar upwards, they are equally wide with a gap between."""
    count = len(totals)
    if columns < 1:
        return []
    if count > columns:
        edges = [i * count // columns for i in range(columns + 1)]
        return [_Bar(max(range(a, b), key=lambda i: totals[i]), x, 1) for x, (a, b) in enumerate(pairwise(edges))]
    slot = columns / count
    edges = [i * columns // count for i in range(count + 1)]
    if slot < 3:
        return [_Bar(i, a, b - a) for i, (a, b) in enumerate(pairwise(edges))]
    size = min(int(slot) - 1, _WIDEST_BAR)
    return [_Bar(i, a + (int(slot) - size) // 2, size) for i, a in enumerate(edges[:-1])]


def _stack(values: Sequence[float], fills: Sequence[Fill], scale: _Scale, bar: _Bar) -> list[_Cell]:
    """The cells of one bar. A cell that several series share belongs to the one that fills most of it."""
    total = sum(values)
    if total <= 0:
        return []
    eighths = min(scale.rows * 8, max(1, round(total / scale.per_row * 8)))
    edges, running = [0.0], 0.0
    for value in values:
        running += value
        edges.append(running / scale.per_row * 8)
    cells = []
    for row in range((eighths + 7) // 8):
        low, high = row * 8, min(eighths, row * 8 + 8)
        shares = [min(high, b) - max(low, a) for a, b in pairwise(edges)]
        fill = fills[max(range(len(shares)), key=shares.__getitem__)]
        glyph = fill.ramp[high - low - 1]
        cells += [_Cell(x, row, glyph, fill.colour) for x in range(bar.start, bar.start + bar.size)]
    return cells


@dataclass(frozen=True)
class _Curve:
    """Points in columns and rows, joined by a line or not. `marker` is a character or plotext's braille."""

    points: Sequence[tuple[float, float]]
    joined: bool
    marker: str


def _each_column(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A point at each whole column along the line, the first one left out."""
    dots = []
    for (x0, y0), (x1, y1) in pairwise(points):
        for x in range(math.floor(x0) + 1, math.floor(x1 + 1e-9) + 1):
            dots.append((float(x), y0 + (y1 - y0) * (x - x0) / (x1 - x0)))
    return dots


# --- words ---


def _clean(text: str, ascii: bool = False) -> str:
    """Without control, format and surrogate characters; white space of any kind is one space."""
    spaced = (" " if c.isspace() else c for c in text)
    kept = " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
    return "".join(c if c.isascii() else "?" for c in kept if cell_len(c)) if ascii else kept


def _cut(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 1 else "…"[:cells]


def _fills(series: Sequence[Series], ascii: bool) -> list[Fill]:
    named = iter(_FILLS)
    return [(_REST if s.rest else next(named, _REST)).for_terminal(ascii) for s in series]


def _legend(title: str, entries: Sequence[tuple[Fill, str]], width: int, height: int, ascii: bool) -> list[Text]:
    """The title, then marker and name of each series, on up to three lines as the height allows."""
    title = _cut(_clean(title, ascii), width)
    names = [_clean(name, ascii) or "?" for _, name in entries]
    if not title and not names:
        return []
    most = 1 if height < 7 else 2 if height < 14 else 3
    for limit in (*range(32, 3, -2), 3):
        lines = _pack(title, [(f, _cut(n, limit)) for (f, _), n in zip(entries, names, strict=True)], width)
        if len(lines) <= most:
            return lines
    return lines[:most]


def _pack(title: str, entries: Sequence[tuple[Fill, str]], width: int) -> list[Text]:
    lines, current = [], Text(title)
    for fill, name in entries:
        entry = Text.assemble((fill.glyph, Style(color=f"color({fill.colour})")), " ", name)
        gap = 3 if current.cell_len else 0
        if current.cell_len and current.cell_len + gap + entry.cell_len > width:
            lines.append(current)
            current, gap = Text(), 0
        current = Text.assemble(current, " " * gap, entry)
    return [*lines, current]


def _date_ticks(labels: Sequence[str], bars: Sequence[_Bar], columns: int) -> list[tuple[int, str]]:
    """About five (column, text) pairs: 1 Nov for days, Nov for months; evenly spaced or at month starts."""
    count = len(labels)
    days = [_day(label) for label in labels]
    texts = [_human(label, day) for label, day in zip(labels, days, strict=True)]
    where = [i * columns // count for i in range(count)]
    if len(bars) == count:
        where = [bar.middle for bar in bars]
    widest = max(cell_len(text) for text in texts)
    most = max(1, min(12 if count <= 12 else 7, columns // (widest + 3)))
    starts = [i for i, day in enumerate(days) if day is not None and day.day == 1]
    if count > 130 and starts:
        chosen = starts[:: math.ceil(len(starts) / most)]
    else:
        steps = (1, 2, 7, 14, 28, 56, 91, 182) if count > 12 else range(1, 13)
        chosen = list(range(0, count, next((s for s in steps if math.ceil(count / s) <= most), count)))
    return [(where[i], texts[i]) for i in chosen]


def _day(label: str) -> date | None:
    try:
        return date.fromisoformat(f"{label}-01" if len(label) == 7 else label[:10])
    except ValueError:
        return None


def _human(label: str, day: date | None) -> str:
    if day is None:
        # plotext counts a character as a cell.
        return "".join(c if cell_len(c) == 1 else "?" for c in _clean(label))[:10]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[day.month - 1]
    if len(label) > 7:
        return f"{day.day} {month}"
    return f"{month} {day.year}" if day.month == 1 else month


# --- drawing ---

_lock = threading.Lock()


def _panel(
    cells: Sequence[_Cell],
    scale: _Scale,
    width: int,
    gutter: int,
    ticks: Sequence[tuple[int, str]] | None,
    curves: Sequence[_Curve] = (),
) -> list[Text]:
    """One pair of axes with its content, drawn by plotext. No `ticks`: no line of dates.

    plotext has one figure per process, so it is emptied, used and read under a lock.
    """
    # plotext has no types; imported by name it is Any.
    plotext: Any = importlib.import_module("plotext")
    columns = width - gutter - 1
    with _lock:
        plotext.terminal.limit(False, False)
        figure = plotext.figure.clear().theme("colorless").legend(False)
        # plotext makes no gutter where there are no ticks: the empty chart is moved to its place.
        shift = 0 if scale.ticks else gutter
        figure.plot_size(width - shift, scale.rows + (1 if ticks is None else 2))
        figure.axes(False, axis="x", side="upper").axes(False, axis="y", side="right")
        figure.ruler("x").lim(0, max(1, columns - 1)).ticks([c for c, _ in ticks or ()], [t for _, t in ticks or ()])
        figure.ruler("y").lim(0, max(1, scale.rows - 1))
        figure.ruler("y").ticks([r for r, _ in scale.ticks], [t.rjust(gutter) for _, t in scale.ticks])
        _draw_cells(plotext, figure, cells)
        for curve in curves:
            xs, ys = [x for x, _ in curve.points], [max(-0.4, y) for _, y in curve.points]
            marker = plotext.marker(curve.marker, pixel=plotext.pixel(foreground=6))
            figure.draw(figure.signal(xs, ys, marker=marker).lines(curve.joined).density("full"))
        ansi = figure.build().string()
    lines = list(Text.from_ansi(ansi).split("\n"))[: scale.rows + (1 if ticks is None else 2)]
    for row, line in enumerate(lines):
        line.pad_left(shift)
        line.stylize(_DIM, gutter if row <= scale.rows else width, width if row == scale.rows else gutter + 1)
    lines[scale.rows] = Text.assemble(scale.zero.rjust(gutter), lines[scale.rows][gutter:])
    return lines


def _finish(lines: Sequence[Text], colour: bool, ascii: bool) -> Text:
    text = Text("\n", no_wrap=True, overflow="crop", end="").join(lines)
    if ascii:
        plain = text.plain.translate(_ASCII)
        text.plain = "".join(c if c.isascii() else "?" for c in plain)
    if not colour:
        return Text(text.plain, no_wrap=True, overflow="crop", end="")
    return text


def _small(values: Sequence[float], width: int, height: int, ascii: bool) -> Text:
    drawn = sparkline(values, width, ascii=ascii) if height > 0 else ""
    return Text(drawn, no_wrap=True, overflow="crop", end="")


def _draw_cells(plotext: Any, figure: Any, cells: Sequence[_Cell]) -> None:
    """Neighbours of one look become one point: plotext's cost is per point, and there may be thousands."""
    points: list[tuple[int, int]] = []
    looks: list[tuple[str, int]] = []
    for cell in sorted(cells, key=lambda c: (c.row, c.column)):
        if points:
            (column, row), (text, colour) = points[-1], looks[-1]
            same = text[0] == cell.glyph and colour == cell.colour
            if same and row == cell.row and column + len(text) == cell.column:
                looks[-1] = (text + cell.glyph, cell.colour)
                continue
        points.append((cell.column, cell.row))
        looks.append((cell.glyph, cell.colour))
    if not points:
        return
    markers = {
        (text, colour): plotext.marker(plotext.colorize(text).fill(plotext.pixel(foreground=colour)))
        for text, colour in set(looks)
    }
    figure.draw(figure.signal(*zip(*points, strict=True), marker=[markers[look] for look in looks]))
