"""A calendar of days as a heat map: weeks across, weekdays down."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from rich.text import Text

from tui.charts.numbers import format_number, number
from tui.charts.sheet import Sheet
from tui.charts.words import MONTHS, Entry, clean, cut, pack, style_of

_GUTTER = "    "
_WEEKDAYS = ("Mon ", _GUTTER, "Wed ", _GUTTER, "Fri ", _GUTTER, _GUTTER)
_WEEK = ("sum ",)
_GLYPHS, _ASCII_GLYPHS = "·░▒▓█", ".-+x#"
_COLOURS = (None, 12, 6, 3, 1)
# Steps for levels, each a number that reads well with its double and its triple.
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
# Numbers outside these are shown with one digit only, and a bound must be what is shown.
_LEAST_ROUND, _MOST_ROUND, _ONE_DIGIT = 0.01, 1e14, (1.0, 2.0, 3.0)


def heat(
    days: Sequence[date],
    values: Sequence[float],
    *,
    width: int,
    height: int,
    unit: str = "$",
    colour: bool = True,
    ascii: bool = False,
    legend: bool = True,
    title: str = "",
) -> Text:
    """A calendar: a column for each week from Monday down, months above, and one of five levels for each day.

    `values` run parallel to `days`, in any order; a day given twice counts with its sum. A day of 0 has the lowest
    mark, a day that is not in `days` is blank. The levels are of equal size where the data allow it; where that
    would put more than half of the days above 0 in the lowest (spend is often like this), each is some times larger
    than the one below. The legend names their bounds, which are always round.

    A week is two columns wide where there is room, else one; where there are more weeks than columns the latest are
    shown, and the legend line says so even without `legend`. A calendar takes 8 lines and those of the legend (at 8
    lines the legend stands beside it). With less height each week is one mark for its sum, and below 20x3 only
    a sparkline of the days fits.
    """
    sheet = Sheet(width, height, unit, colour, ascii, legend, title)
    sums: dict[int, float] = {}
    for day, value in zip(days, values, strict=False):
        sums[day.toordinal()] = number(sums.get(day.toordinal(), 0.0) + number(value))
    if sums and width >= 20:
        grid = _Grid.of_days(sums)
        drawn = _calendar(sheet, grid) or _calendar(sheet, grid.by_week())
        if drawn is not None:
            return sheet.finish(drawn)
    return sheet.spark([sums[day] for day in sorted(sums)])


@dataclass(frozen=True)
class _Grid:
    """Values by (week, row); weeks are counted from `monday`, the ordinal of the first one's Monday."""

    values: dict[tuple[int, int], float]
    monday: int
    weeks: int
    beside: Sequence[str]
    per: str = ""

    @classmethod
    def of_days(cls, sums: dict[int, float]) -> _Grid:
        # Ordinal 1 is a Monday.
        monday = min(sums) - (min(sums) - 1) % 7
        values = {divmod(day - monday, 7): value for day, value in sums.items()}
        return cls(values, monday, (max(sums) - monday) // 7 + 1, _WEEKDAYS)

    def by_week(self) -> _Grid:
        sums: dict[tuple[int, int], float] = {}
        for (week, _), value in self.values.items():
            sums[week, 0] = number(sums.get((week, 0), 0.0) + value)
        return _Grid(sums, self.monday, self.weeks, _WEEK, " a week")

    def latest(self, weeks: int) -> _Grid:
        first = self.weeks - weeks
        values = {(week - first, row): value for (week, row), value in self.values.items() if week >= first}
        return _Grid(values, self.monday + 7 * first, weeks, self.beside, self.per)


def _calendar(sheet: Sheet, grid: _Grid) -> list[Text] | None:
    """The lines of the calendar with its legend above it or at its right, as wide as it can be; None: no room."""
    fits = sheet.width - len(_GUTTER)
    words = [clean(sheet.title, sheet.ascii)]
    if grid.weeks > fits:
        words.append(f"latest {fits} of {grid.weeks} weeks")
        grid = grid.latest(fits)
    levels = _Levels.of(list(grid.values.values()), sheet.unit)
    spare = sheet.height - 1 - len(grid.beside)
    for size in (2, 1):
        columns = grid.weeks * size
        if columns > fits:
            continue
        body = _body(grid, levels, size, sheet.ascii)
        for short in (False, True):
            entries = levels.entries(sheet.ascii, grid.per, short) if sheet.legend else []
            title = "   ".join(word for word in words if word)
            gap = 2 if short else 3
            above = pack(cut(title, sheet.width), entries, sheet.width, gap) if title or entries else []
            if len(above) <= min(spare, 3) and all(line.cell_len <= sheet.width for line in above):
                return [*above, *body]
            aside = [*(Text(word) for word in words if word), *(entry.text() for entry in entries)]
            room = fits - columns - 2
            if spare >= 0 and len(aside) <= len(body) and all(line.cell_len <= room for line in aside):
                return _beside(body, aside, len(_GUTTER) + columns + 2)
    return None


def _beside(body: list[Text], aside: list[Text], column: int) -> list[Text]:
    for line, words in zip(body, aside, strict=False):
        line.pad_right(column - line.cell_len)
        line.append_text(words)
    return body


def _body(grid: _Grid, levels: _Levels, size: int, ascii: bool) -> list[Text]:
    glyphs = _ASCII_GLYPHS if ascii else _GLYPHS
    lines = [Text(_GUTTER + _months(grid, size))]
    for row, beside in enumerate(grid.beside):
        line, level, run = Text(beside), -1, ""
        for week in range(grid.weeks + 1):
            value = grid.values.get((week, row))
            now = -1 if value is None else levels.of_value(value)
            if now != level or week == grid.weeks:
                line.append(run, None if level < 0 else style_of(_COLOURS[level]))
                level, run = now, ""
            run += (" " if now < 0 else glyphs[now]) * size
        lines.append(line)
    return lines


def _months(grid: _Grid, size: int) -> str:
    """The name of a month above the week in which it starts; with more than a year to see, January is its year."""
    text, latest = "", date.max.toordinal()
    last = max(week for week, _ in grid.values)
    starts = []
    for week in range(last + 1):
        monday = grid.monday + 7 * week
        first = date.fromordinal(min(monday + 6, latest))
        if week == 0 or first.day <= 7:
            starts.append((week, first if week else date.fromordinal(max(1, monday))))
    # The rest of the month in which the calendar starts may be too short for its name.
    if len(starts) > 1 and starts[1][0] * size < 4:
        del starts[0]
    for week, day in starts:
        name = f"{day.year:04}" if day.month == 1 and grid.weeks > 53 else MONTHS[day.month - 1]
        at = week * size
        if (not text or len(text) < at) and at + len(name) <= grid.weeks * size:
            text = text.ljust(at) + name
    return text


@dataclass(frozen=True)
class _Levels:
    """Values below `cuts[0]` have the lowest level above 0, and so on; there are at most three cuts."""

    cuts: list[float]
    highest: float
    unit: str

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> _Levels:
        some = [v for v in values if v > 0]
        if not some:
            return cls([], 0.0, unit)
        highest, middle = max(some), median(some)
        cuts = (
            _steps(highest)
            if middle >= highest / 4
            else _powers(highest, min(100.0, math.sqrt(highest) / math.sqrt(middle)))
        )
        if unit == "" and highest >= 1:
            # Of things that are counted there is none between 0 and 1.
            cuts = sorted({float(math.ceil(cut)) for cut in cuts} - {0.0, 1.0})
        return cls([cut for cut in cuts if cut <= highest], highest, unit)

    @property
    def _lowest(self) -> int:
        # With fewer than four levels the darkest are used: they are the easiest to tell apart.
        return len(_COLOURS) - 1 - len(self.cuts)

    def of_value(self, value: float) -> int:
        """0 for 0, else 1 to 4."""
        return self._lowest + bisect_right(self.cuts, value) if value > 0 else 0

    def entries(self, ascii: bool, per: str, short: bool) -> list[Entry]:
        """What each level means: `under $2`, or `<$2` where it is short."""
        under, least = ("<", ">=" if ascii else "≥") if short else ("under ", "")
        texts = [f"{under}{format_number(cut, self.unit)}" for cut in self.cuts]
        if self.cuts:
            texts.append(f"{least}{format_number(self.cuts[-1], self.unit)}{'' if short else ' or more'}")
        elif self.highest:
            texts.append(f"up to {format_number(self.highest, self.unit)}")
        texts[-1:] = [text + per for text in texts[-1:]]
        glyphs = _ASCII_GLYPHS if ascii else _GLYPHS
        zero = Entry(glyphs[0], _COLOURS[0], f"{self.unit}0")
        return [zero, *(Entry(glyphs[self._lowest + i], _COLOURS[self._lowest + i], t) for i, t in enumerate(texts))]


def _steps(highest: float) -> list[float]:
    """Three bounds equally far apart, the last below `highest`."""
    exponent = math.floor(math.log10(highest / 4))
    factors = _ROUND if _LEAST_ROUND <= highest < _MOST_ROUND else _ONE_DIGIT
    choices = [f * 10.0**e for e in (exponent - 1, exponent, exponent + 1) for f in factors]
    step = min((c for c in choices if 3 * c < highest), key=lambda c: abs(c - highest / 4))
    return [_exact(step * k) for k in (1, 2, 3)]


def _powers(highest: float, ratio: float) -> list[float]:
    """Three bounds of 1, 2 or 5 times a power of ten, each about `ratio` (2 or more) times the one before."""
    cuts: list[float] = []
    for k in (1, 2, 3):
        aim = highest / ratio**k
        exponent = math.floor(math.log10(aim))
        choices = [f * 10.0**e for e in (exponent - 1, exponent, exponent + 1) for f in (1.0, 2.0, 5.0)]
        lower = [c for c in choices if not cuts or c < cuts[-1] * 0.99]
        cuts.append(_exact(min(lower, key=lambda c: abs(math.log(c / aim)))))
    return cuts[::-1]


def _exact(value: float) -> float:
    """Without what floats add: a value equal to a bound belongs to the level that the legend says."""
    return float(f"{value:.12g}")
