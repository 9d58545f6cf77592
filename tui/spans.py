"""How a range of UTC days is cut into bars: days, ISO weeks or months, each day in exactly one."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tui.gateway.usage import DayModelUsage, DayUsage, Metrics, Usage

Unit = Literal["day", "week", "month"]

MOST_DAYS = 92
"""A quarter: longest range with a bar for each day."""
MOST_WEEK_DAYS = 190
"""Longest range, in days, with a bar for each week."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days `first` to `last`, both included; `label` is `2025-11-03`, `2025-W45` or `2025-11`."""

    label: str
    first: date
    last: date


def unit_for(start: date, end: date) -> Unit:
    """What a bar stands for where `start` to `end`, both included, are shown."""
    days = (end - start).days + 1
    if days <= MOST_DAYS:
        return "day"
    return "week" if days <= MOST_WEEK_DAYS else "month"


def spans(start: date, end: date, unit: Unit) -> list[Span]:
    """`start` to `end`, both included, in order; the first and last week or month are cut to the range.

    Weeks are ISO 8601's: from Monday, named by the year of their Thursday.
    """
    found: list[Span] = []
    for offset in range((end - start).days + 1):
        day = start + timedelta(days=offset)
        label = _label(day, unit)
        if found and found[-1].label == label:
            found[-1] = Span(label, found[-1].first, day)
        else:
            found.append(Span(label, day, day))
    return found


def summed(rows: Iterable[DayUsage], spans: Sequence[Span]) -> list[Metrics]:
    """The sums of each span, in their order; days that no span holds are left out."""
    found = [Metrics() for _ in spans]
    _add(rows, spans, found)
    return found


def model_sums(usage: Usage, spans: Sequence[Span]) -> dict[str, list[Metrics]]:
    """The same for each model, in the order of `usage.by_model`."""
    rows: dict[str, list[DayModelUsage]] = {row.model: [] for row in usage.by_model}
    for row in usage.daily_by_model:
        rows.setdefault(row.model, []).append(row)
    found = {}
    for model, own in rows.items():
        found[model] = [Metrics() for _ in spans]
        _add(own, spans, found[model])
    return found


def _label(day: date, unit: Unit) -> str:
    if unit == "day":
        return day.isoformat()
    if unit == "month":
        return day.isoformat()[:7]
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def _add(rows: Iterable[DayUsage | DayModelUsage], spans: Sequence[Span], sums: Sequence[Metrics]) -> None:
    firsts = [span.first for span in spans]
    for row in rows:
        place = bisect_right(firsts, row.date) - 1
        if place >= 0 and row.date <= spans[place].last:
            sums[place].add(row.metrics)
