"""Bars of a range: every day in exactly one, and nothing lost in the sums (S20-S22)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.gateway.usage import DayModelUsage, DayUsage, Metrics, ModelUsage, Usage
from tui.spans import Span, Unit, model_sums, spans, summed, unit_for

DAYS = st.dates(date(2019, 12, 1), date(2027, 2, 1))
LENGTHS = st.integers(1, 800)
UNITS: st.SearchStrategy[Unit] = st.sampled_from(["day", "week", "month"])


@pytest.mark.parametrize(("days", "unit"), [(1, "day"), (92, "day"), (93, "week"), (190, "week"), (191, "month")])
def test_the_bar_grows_with_the_range(days: int, unit: Unit) -> None:
    start = date(2025, 3, 5)
    assert unit_for(start, start + timedelta(days=days - 1)) == unit


def test_weeks_begin_on_monday_and_are_cut_to_the_range() -> None:
    assert spans(date(2025, 11, 5), date(2025, 11, 17), "week") == [
        Span("2025-W45", date(2025, 11, 5), date(2025, 11, 9)),
        Span("2025-W46", date(2025, 11, 10), date(2025, 11, 16)),
        Span("2025-W47", date(2025, 11, 17), date(2025, 11, 17)),
    ]


def test_a_week_over_new_year_is_one_bar_of_the_year_of_its_thursday() -> None:
    assert [span.label for span in spans(date(2024, 12, 28), date(2025, 1, 6), "week")] == [
        "2024-W52",
        "2025-W01",
        "2025-W02",
    ]


def test_months_are_cut_to_the_range_and_know_leap_years() -> None:
    assert spans(date(2024, 1, 30), date(2024, 3, 1), "month") == [
        Span("2024-01", date(2024, 1, 30), date(2024, 1, 31)),
        Span("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        Span("2024-03", date(2024, 3, 1), date(2024, 3, 1)),
    ]


def test_a_range_that_ends_before_it_starts_has_no_bars() -> None:
    assert spans(date(2025, 1, 2), date(2025, 1, 1), "day") == []


@given(DAYS, LENGTHS, UNITS)
def test_spans_partition_the_range(start: date, days: int, unit: Unit) -> None:
    end = start + timedelta(days=days - 1)
    found = spans(start, end, unit)
    assert (found[0].first, found[-1].last) == (start, end)
    assert all(span.first <= span.last for span in found)
    assert all(right.first - left.last == timedelta(days=1) for left, right in pairwise(found))
    assert len({span.label for span in found}) == len(found)
    for span in found:
        if unit == "day":
            assert span.first == span.last
        elif unit == "week":
            assert span.first in (start, span.first - timedelta(days=span.first.weekday()))
            assert span.last == end or span.last.weekday() == 6
        else:
            assert span.first == start or span.first.day == 1
            assert span.last == end or (span.last + timedelta(days=1)).day == 1


@given(DAYS, LENGTHS, UNITS, st.data())
def test_the_sums_of_the_bars_are_those_of_the_range(start: date, days: int, unit: Unit, data: st.DataObject) -> None:
    """# S22"""
    cells = data.draw(
        st.lists(st.tuples(st.integers(0, days - 1), st.sampled_from("abc"), st.integers(0, 10**9)), max_size=30)
    )
    end = start + timedelta(days=days - 1)
    usage = Usage(start, end, datetime(2027, 3, 1, tzinfo=UTC))
    usage.daily = [DayUsage(start + timedelta(days=offset)) for offset in range(days)]
    models: dict[str, Metrics] = {}
    for offset, model, tokens in cells:
        # quarters add up to the same in any order
        row = Metrics(tokens / 4, tokens, tokens, api_requests=1, successful_requests=1)
        usage.daily[offset].metrics.add(row)
        usage.totals.add(row)
        models.setdefault(model, Metrics()).add(row)
        usage.daily_by_model.append(DayModelUsage(start + timedelta(days=offset), model, row))
    usage.by_model = [ModelUsage(model, sums) for model, sums in models.items()]
    bars = spans(start, end, unit)

    def total(parts: list[Metrics]) -> Metrics:
        found = Metrics()
        for part in parts:
            found.add(part)
        return found

    by_bar, by_model = summed(usage.daily, bars), model_sums(usage, bars)
    assert total(by_bar) == usage.totals
    assert {model: total(parts) for model, parts in by_model.items()} == models
    assert list(by_model) == [row.model for row in usage.by_model]
    for place, bar in enumerate(by_bar):
        assert total([parts[place] for parts in by_model.values()]) == bar


def test_days_beyond_the_bars_are_left_out() -> None:
    bars = spans(date(2025, 11, 3), date(2025, 11, 9), "week")
    rows = [DayUsage(date(2025, 11, day), Metrics(1.0)) for day in (2, 3, 9, 10)]
    assert [sums.spend for sums in summed(rows, bars)] == [2.0]
