"""Properties: any data in any space is drawn without an error and never goes beyond the space given."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from tui.charts import Series, bars_with_failures, heat, line, sparkline, stacked_bars

NAMES = ["漢字" * 20, "a\x1b[31mb\ncd", "[/x]", "e\u0301" * 40, "👩‍👩‍👧" * 9, "", "z" * 200]


def check(drawn: Text, width: int, height: int, ascii: bool) -> None:
    rows = drawn.plain.split("\n")
    assert len(rows) <= max(1, height)
    assert max(cell_len(row) for row in rows) <= width
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in drawn.plain if c != "\n")
    assert not ascii or drawn.plain.isascii()
    assert all(0 <= span.start < span.end <= len(drawn.plain) for span in drawn.spans)


def glyphs_are_one_cell(drawn: Text) -> None:
    assert all(cell_len(c) == 1 for c in drawn.plain if c != "\n")


VALUES = st.lists(st.one_of(st.floats(), st.floats(0, 1e6), st.integers(0, 9).map(float)), max_size=60)
SIZES = st.tuples(st.integers(1, 130), st.integers(1, 40))
LABELS = st.one_of(
    st.dates().map(str),
    st.dates().map(lambda d: "{}-W{:02}".format(*d.isocalendar()[:2])),
    st.dates().map(lambda d: f"{d:%Y-%m}"),
    st.text(max_size=12),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(LABELS, max_size=60), st.lists(VALUES, max_size=8), st.text(max_size=20), SIZES, st.booleans())
def test_bars_of_anything(
    labels: list[str], values: list[list[float]], title: str, size: tuple[int, int], ascii: bool
) -> None:
    width, height = size
    series = [Series(NAMES[i % len(NAMES)], v, rest=i == 5) for i, v in enumerate(values)]
    check(stacked_bars(labels, series, width=width, height=height, ascii=ascii, title=title), width, height, ascii)
    ok, failed = [*values, [], []][:2]
    drawn = bars_with_failures(labels, ok, failed, width=width, height=height, ascii=ascii)
    check(drawn, width, height, ascii)
    glyphs_are_one_cell(drawn)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(LABELS, max_size=60),
    VALUES,
    VALUES,
    st.one_of(st.none(), st.floats()),
    st.lists(st.integers(-2, 70), max_size=9),
    st.one_of(st.none(), st.integers(-2, 70)),
    SIZES,
    st.booleans(),
)
def test_a_curve_of_anything(
    labels: list[str],
    values: list[float],
    ahead: list[float],
    limit: float | None,
    restarts: list[int],
    crossing: int | None,
    size: tuple[int, int],
    ascii: bool,
) -> None:
    width, height = size
    drawn = line(
        labels,
        values,
        limit,
        width=width,
        height=height,
        ascii=ascii,
        projection=ahead,
        restarts=restarts,
        crossing=crossing,
    )
    check(drawn, width, height, ascii)
    glyphs_are_one_cell(drawn)


@settings(deadline=None, max_examples=250)
@given(
    st.one_of(
        st.lists(st.dates(), max_size=60),
        st.builds(
            lambda first, n: [first + timedelta(days=i) for i in range(n)],
            st.dates(max_value=date(9990, 1, 1)),
            st.integers(0, 900),
        ),
    ),
    VALUES,
    st.sampled_from(["$", ""]),
    st.sampled_from(["", "Spend a day", *NAMES]),
    SIZES,
    st.booleans(),
    st.booleans(),
)
@example([date.min, date.max], [1.0, 2.0], "$", "", (80, 10), False, True)
@example([date(2025, 1, 1 + i) for i in range(3)], [1e300, 1e-12, 1e-12], "$", "", (80, 10), False, True)
def test_a_calendar_of_anything(
    days: list[date], values: list[float], unit: str, title: str, size: tuple[int, int], ascii: bool, legend: bool
) -> None:
    width, height = size
    values = (values * (len(days) // max(1, len(values)) + 1))[: len(days)]
    drawn = heat(days, values, width=width, height=height, unit=unit, title=title, ascii=ascii, legend=legend)
    check(drawn, width, height, ascii)
    if title not in NAMES:
        glyphs_are_one_cell(drawn)


@given(VALUES, st.integers(-1, 80), st.booleans())
def test_a_sparkline_of_anything(values: list[float], width: int, ascii: bool) -> None:
    drawn = sparkline(values, width, ascii=ascii)
    assert len(drawn) == cell_len(drawn) == max(0, min(width, len(values)))


@pytest.mark.parametrize("width", [0, 19, 20, 33, 80, 200])
@pytest.mark.parametrize("height", [0, 3, 4, 7, 8, 20])
def test_a_year_of_hostile_names_stays_inside(width: int, height: int) -> None:
    first = date(2024, 11, 23)
    for count in (0, 1, 90, 366):
        series = [Series(n, [float(i % 7 + k) for i in range(count)]) for k, n in enumerate(NAMES)]
        values = [float(i) for i in range(count)]
        days = [first + timedelta(days=i) for i in range(count)]
        labels = [str(day) for day in days][:-1] + ["漢字漢字漢字漢字\x07"][:count]
        for drawn in (
            stacked_bars(labels, series, width=width, height=height, title="漢 per day"),
            bars_with_failures(labels, values, values, width=width, height=height),
            line(labels, values[:40], 9.0, width=width, height=height, projection=values, name=NAMES[0]),
            heat(days, values, width=width, height=height, title=NAMES[0]),
        ):
            check(drawn, width, height, False)
