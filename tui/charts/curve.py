"""A curve over time, such as spend added up against its budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from tui.charts.numbers import format_number, number, scale_of
from tui.charts.sheet import CURVE, Curve, Panel, Sheet
from tui.charts.words import Entry, date_ticks, moment

_LIMIT, _CROSSING = 3, 1
# A line through the middle of a cell, and one along its lower edge.
_DASHES, _ASCII_DASHES = "╌▁", "-_"
_RESET = "reset"


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
    restarts: Sequence[int] = (),
    crossing: int | None = None,
) -> Text:
    """A curve, such as cumulative spend, against a horizontal `limit` such as the budget.

    `labels` are those of `stacked_bars`. `values` may be shorter (the days to come are empty). `projection` starts
    where `values` ends and is dotted. A limit of more than four times the data would flatten the curve, so it is
    named in the legend only. At each index in `restarts` the curve starts anew from 0, as a budget does when its
    window resets: a thin mark stands before that day. `crossing`, an index in `labels`, is the day on which the
    limit is reached: `!` there, and the legend has the date.
    """
    sheet = Sheet(width, height, unit, colour, ascii, legend, title)
    known = [number(v) for v in values[: len(labels)]]
    ahead = [number(v) for v in projection[: max(0, len(labels) - len(known))]]
    if sheet.too_small or not labels:
        return sheet.spark(known)
    cap = number(limit)
    highest = max([0.0, *known, *ahead])
    above = limit is not None and highest > 0 and cap > 4 * highest
    if limit is None or crossing is None or not 0 <= crossing < len(labels):
        crossing = None
    starts = sorted({i for i in restarts if 0 < i < len(known)})
    # where the marks stand too close for a word each, one word in the legend serves them all
    apart = (width - 8) / len(labels) * min([b - a for a, b in pairwise([*starts, len(labels)])], default=0)
    marked, worded = apart >= 3, apart >= len(_RESET) + 3
    if starts and not marked:
        name += f", {len(starts)} resets"
    entries = [Entry("*" if ascii else "⠒", CURVE, name)]
    if ahead:
        entries.append(Entry("." if ascii else "⠂", CURVE, "projected"))
    if limit is not None:
        text = f"{limit_name} {format_number(cap, unit)}" + (", above the chart" if above else "")
        entries.append(Entry((_ASCII_DASHES if ascii else _DASHES)[0], _LIMIT, text))
    if crossing is not None:
        entries.append(Entry("!", _CROSSING, f"reached {moment(labels[crossing]).text}"))
    if marked and not worded:
        entries.append(Entry(":" if ascii else "┊", None, _RESET))
    head = sheet.head(entries)
    scale = scale_of(max(highest, 0.0 if above else cap), sheet.rows(head), unit)
    columns = sheet.columns(scale)
    step = (columns - 1) / max(1, len(labels) - 1)
    points = [(i * step, v / scale.per_row - 1) for i, v in enumerate([*known, *ahead])]
    strokes = [points[a:b] for a, b in pairwise([0, *starts, len(known)])]
    for stroke in strokes[1:]:
        stroke.insert(0, (stroke[0][0] - step / 2, -1.0))
    curves = [Curve(stroke, True, "*" if ascii else "braille") for stroke in strokes]
    curves.append(Curve(_each_column(points[max(0, len(known) - 1) :]), False, "." if ascii else "braille"))
    ticks = date_ticks(labels, [round(i * step) for i in range(len(labels))], columns)
    panel = Panel(scale, columns, width, ticks, [c for c in curves if c.points])
    # to half a row, or the curve would seem to cross the limit on another day than it does
    row, edge = divmod(max(-1, round((cap / scale.per_row - 1) * 2)), 2)
    row = min(scale.rows - 1, row + edge)
    if limit is not None and not above and cap > 0:
        for column in range(columns):
            panel.write(column, row, (_ASCII_DASHES if ascii else _DASHES)[edge], _LIMIT)
    if crossing is not None and not above:
        panel.fill(round(crossing * step), 1, row, "!", _CROSSING)
    for start in starts if marked else ():
        _mark_restart(panel, round((start - 0.5) * step), ascii, worded)
    return sheet.finish([*head, *panel.lines()])


def _mark_restart(panel: Panel, column: int, ascii: bool, worded: bool) -> None:
    """A thin vertical line where nothing else is drawn, and its word at the highest place that is free."""
    for row in range(panel.scale.rows):
        panel.write(column, row, ":" if ascii else "┊", None)
    if worded:
        places = (
            (start, row) for start in (column + 1, column - len(_RESET)) for row in reversed(range(panel.scale.rows))
        )
        any(panel.write(start, row, _RESET, None) for start, row in places)


def _each_column(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A point at each whole column along the line, the first one left out."""
    dots = []
    for (x0, y0), (x1, y1) in pairwise(points):
        for x in range(math.floor(x0) + 1, math.floor(x1 + 1e-9) + 1):
            dots.append((float(x), y0 + (y1 - y0) * (x - x0) / (x1 - x0)))
    return dots
