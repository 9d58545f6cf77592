"""Bars over time: stacked by series, and requests with their failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from rich.text import Text

from tui.charts.numbers import numbers, scale_of
from tui.charts.series import FAILED, FILLS, Fill, Series, fills_of, top_series
from tui.charts.sheet import Panel, Sheet
from tui.charts.words import Entry, date_ticks

_WIDEST_BAR = 10


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

    `labels` are ISO days (`2025-11-01`), weeks (`2025-W45`, named by their Monday) or months (`2025-11`); anything
    else is shown as it is. More than five series are cut by `top_series`. A bar is exact to an eighth of a row
    (a pattern to half a row), and any value above 0 leaves a mark. With more labels than columns each column
    shows the highest of its days. `title` starts the legend line. Below 20x4 only a sparkline of the totals fits.
    """
    sheet = Sheet(width, height, unit, colour, ascii, legend, title)
    shown = list(series) if len(series) <= len(FILLS) + 1 else top_series(series, len(FILLS))
    fills = fills_of(shown, ascii)
    parts = [numbers(s.values, len(labels)) for s in shown]
    rows = list(zip(*parts, strict=True)) if parts else [()] * len(labels)
    totals = [sum(row) for row in rows]
    if sheet.too_small or not labels:
        return sheet.spark(totals)
    head = sheet.head([Entry(f.glyph, f.colour, s.name) for f, s in zip(fills, shown, strict=True)])
    scale = scale_of(max(totals), sheet.rows(head), unit)
    columns = sheet.columns(scale)
    bars = _bars(totals, columns)
    panel = Panel(scale, columns, width, date_ticks(labels, _where(bars, len(labels), columns), columns))
    for bar in bars:
        _paint(panel, bar, rows[bar.index], fills)
    return sheet.finish([*head, *panel.lines()])


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
    strip is left out and the legend says so. The upper bars hold ok and failed together. `labels` are those of
    `stacked_bars`.
    """
    sheet = Sheet(width, height, unit, colour, ascii, legend, title)
    good, bad = numbers(ok, len(labels)), numbers(failed, len(labels))
    totals = [g + b for g, b in zip(good, bad, strict=True)]
    if sheet.too_small or not labels:
        return sheet.spark(totals)
    any_bad, own_scale = max(bad) > 0, max(bad) > 0 and height >= 8
    all_fill, bad_fill = FILLS[0].for_terminal(ascii), FAILED.for_terminal(ascii)
    words = "failed, own scale" if own_scale else "failed" if any_bad else "no failures"
    head = sheet.head(
        [Entry(all_fill.glyph, all_fill.colour, "all requests"), Entry(bad_fill.glyph, bad_fill.colour, words)]
    )
    rows = sheet.rows(head)
    strip = 0 if not own_scale else 1 if rows < 8 else 2
    upper = scale_of(max(totals), rows - strip - 1 if strip else rows, unit)
    lower = scale_of(max(bad), strip, unit)
    columns = sheet.columns(upper, lower) if strip else sheet.columns(upper)
    bars = _bars(totals, columns)
    ticks = date_ticks(labels, _where(bars, len(labels), columns), columns)
    main = Panel(upper, columns, width, None if strip else ticks)
    below = [Panel(lower, columns, width, ticks)] if strip else []
    for bar in bars:
        parts = [totals[bar.index]] if strip else [good[bar.index], bad[bar.index]]
        _paint(main, bar, parts, [all_fill, bad_fill])
        for panel in below:
            _paint(panel, bar, [bad[bar.index]], [bad_fill])
    return sheet.finish([*head, *main.lines(), *(line for panel in below for line in panel.lines())])


@dataclass(frozen=True)
class _Bar:
    index: int
    start: int
    size: int


def _bars(totals: list[float], columns: int) -> list[_Bar]:
    """Where each bar goes. From three columns a bar upwards, they are equally wide with a gap between."""
    count = len(totals)
    if columns < 1:
        return []
    if count > columns:
        edges = [i * count // columns for i in range(columns + 1)]
        return [_Bar(max(range(a, b), key=totals.__getitem__), x, 1) for x, (a, b) in enumerate(pairwise(edges))]
    slot = columns / count
    edges = [i * columns // count for i in range(count + 1)]
    if slot < 3:
        return [_Bar(i, a, b - a) for i, (a, b) in enumerate(pairwise(edges))]
    size = min(int(slot) - 1, _WIDEST_BAR)
    return [_Bar(i, a + (int(slot) - size) // 2, size) for i, a in enumerate(edges[:-1])]


def _where(bars: Sequence[_Bar], count: int, columns: int) -> list[int]:
    """The column of each label."""
    if len(bars) == count:
        return [bar.start + (bar.size - 1) // 2 for bar in bars]
    return [i * columns // count for i in range(count)]


def _paint(panel: Panel, bar: _Bar, values: Sequence[float], fills: Sequence[Fill]) -> None:
    """Paint one bar. A cell that several series share belongs to the one that fills most of it."""
    edges = [sum_ / panel.scale.per_row * 8 for sum_ in accumulate(values)]
    if not edges or edges[-1] <= 0:
        return
    eighths = min(panel.scale.rows * 8, max(1, round(edges[-1])))
    part = 0
    for row in range((eighths + 7) // 8):
        low, high = row * 8, min(eighths, row * 8 + 8)
        while edges[part] <= low:
            part += 1
        owner = part
        if edges[part] < high:
            shares = [min(high, b) - max(low, a) for a, b in pairwise([0.0, *edges])]
            owner = max(range(part, len(shares)), key=shares.__getitem__)
        fill = fills[owner]
        panel.fill(bar.start, bar.size, row, fill.ramp[high - low - 1], fill.colour)
