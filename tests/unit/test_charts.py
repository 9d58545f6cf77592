"""What a person sees in the charts: heights, names, ticks, dates, and nothing beyond the space given."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import date, timedelta

import pytest
from rich.text import Text

from tui.charts import (
    Series,
    bars_with_failures,
    format_number,
    line,
    sparkline,
    stacked_bars,
    top_series,
)


def days(count: int, last: date = date(2025, 11, 23)) -> list[str]:
    return [(last - timedelta(days=count - 1 - i)).isoformat() for i in range(count)]


def lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def column(text: Text, x: int) -> str:
    """The glyphs of one column from the top down, without the legend line and the axis."""
    return "".join(row[x] for row in lines(text)[1:-2])


def eighths(glyphs: str) -> int:
    return sum(" ▁▂▃▄▅▆▇█".index(g) for g in glyphs)


def test_bar_heights_are_in_proportion_to_the_values() -> None:
    drawn = stacked_bars(days(4), [Series("a", [8.0, 4.0, 1.0, 0.0])], width=60, height=12)
    axis = next(row for row in lines(drawn) if "└" in row)
    ticks = [x for x, c in enumerate(axis) if c == "┬"]
    heights = [eighths(column(drawn, x)) for x in ticks]
    assert heights[0] > 40
    assert heights[1] == pytest.approx(heights[0] / 2, abs=1)
    assert heights[2] == pytest.approx(heights[0] / 8, abs=1)
    assert heights[3] == 0


def test_a_bar_ends_at_the_tick_that_names_its_value() -> None:
    drawn = stacked_bars(days(2), [Series("a", [4.0, 2.0])], width=50, height=12)
    named = {row.split("┤")[0].strip(): row for row in lines(drawn) if "┤" in row}
    two, four = named["$2"], named["$4"]
    above_two = lines(drawn)[lines(drawn).index(two) - 1]
    ticks = [x for x, c in enumerate(next(r for r in lines(drawn) if "└" in r)) if c == "┬"]
    assert (two[ticks[1]], above_two[ticks[1]]) == ("█", " ")
    assert four[ticks[0]] == "█"


def test_a_day_with_little_spend_leaves_a_mark_and_one_with_none_does_not() -> None:
    drawn = stacked_bars(days(3), [Series("a", [1000.0, 0.001, 0.0])], width=60, height=10)
    ticks = [x for x, c in enumerate(next(r for r in lines(drawn) if "└" in r)) if c == "┬"]
    assert column(drawn, ticks[1]).strip() == "▁"
    assert column(drawn, ticks[2]).strip() == ""


def test_series_are_told_apart_without_colour() -> None:
    drawn = stacked_bars(
        days(3), [Series("gpt-4o", [5.0] * 3), Series("claude", [5.0] * 3)], width=60, height=12, colour=False
    )
    legend = lines(drawn)[0]
    marks = {name: legend[legend.index(name) - 2] for name in ("gpt-4o", "claude")}
    assert len(set(marks.values())) == 2
    bar = column(drawn, next(r for r in lines(drawn) if "└" in r).index("┬"))
    assert bar.count(marks["gpt-4o"]) == pytest.approx(bar.count(marks["claude"]), abs=1)
    assert bar.rindex(marks["gpt-4o"]) > bar.rindex(marks["claude"]), "the first series is the lowest"


@pytest.mark.parametrize("ascii", [False, True])
def test_six_series_are_six_patterns_and_none_is_that_of_failures_among_requests(ascii: bool) -> None:
    series = [Series(f"model-{i}", [6.0 - i]) for i in range(5)] + [Series("other", [1.0], rest=True)]
    drawn = stacked_bars(days(1), series, width=120, height=40, colour=False, ascii=ascii)
    legend = lines(drawn)[0]
    marks = [legend[legend.index(s.name) - 2] for s in series]
    assert len(set(marks)) == 6
    bar = column(drawn, next(r for r in lines(drawn)[::-1] if "$0" in r).index("+" if ascii else "┬", 5))
    assert list(dict.fromkeys(c for c in bar[::-1] if c in marks)) == marks, "from the bottom up, in the legend's order"
    calls = bars_with_failures(days(1), [5.0], [1.0], width=60, height=12, ascii=ascii)
    assert calls.plain[calls.plain.index("all requests") - 2] != calls.plain[calls.plain.index("failed") - 2]


def test_no_colour_means_no_style_and_colour_means_the_legend_and_bar_agree() -> None:
    series = [Series("a", [1.0, 2.0])]
    plain = stacked_bars(days(2), series, width=40, height=10, colour=False)
    assert not plain.spans and not plain.style
    coloured = stacked_bars(days(2), series, width=40, height=10)
    bars = [i for i, c in enumerate(coloured.plain) if c == "█"]
    colours = {
        str(span.style.color.number)
        for i in bars
        for span in coloured.spans
        if span.start <= i < span.end and not isinstance(span.style, str) and span.style.color
    }
    assert len(bars) > 5 and colours == {"6"}
    assert coloured.plain == plain.plain


def test_ascii_only() -> None:
    series = [Series(f"modèle-漢字-{i}", [float(i + 1)] * 9) for i in range(8)]
    drawn = [
        stacked_bars(days(9), series, width=70, height=14, ascii=True, title="€ per day"),
        bars_with_failures(days(9), [9.0] * 9, [1.0] * 9, width=70, height=14, ascii=True),
        line(days(9), [1.0, 2.0, 3.0], 4.0, width=70, height=14, ascii=True, projection=[3.5]),
        stacked_bars(["lundi ☂"], series, width=70, height=14, ascii=True),
    ]
    assert all(d.plain.isascii() for d in drawn)
    assert "#" in drawn[0].plain and "x" in drawn[1].plain and "*" in drawn[2].plain
    assert sparkline([1, 2, 3], 3, ascii=True).isascii()


def test_dates_read_like_dates_and_sit_under_their_bars() -> None:
    drawn = stacked_bars(days(30), [Series("a", [1.0] * 30)], width=80, height=12)
    axis, dates = lines(drawn)[-2:]
    assert dates.split() == ["25", "Oct", "1", "Nov", "8", "Nov", "15", "Nov", "22", "Nov"]
    assert axis.count("┬") == 5
    for text in ("1 Nov", "8 Nov", "15 Nov"):
        start = dates.index(f" {text}") + 1
        assert "┬" in axis[start : start + len(text)]


def test_a_year_of_days_is_named_by_month_starts_and_months_by_their_names() -> None:
    year = lines(stacked_bars(days(366), [Series("a", [1.0] * 366)], width=100, height=10))[-1]
    assert year.split()[::2] == ["1"] * len(year.split()[::2]) and 4 <= len(year.split()) // 2 <= 7
    months = [f"2025-{m:02}" for m in range(9, 13)] + ["2026-01"]
    drawn = stacked_bars(months, [Series("a", [1.0] * 5)], width=80, height=10)
    assert lines(drawn)[-1].split() == ["Sep", "Oct", "Nov", "Dec", "Jan", "2026"]
    months = [f"2024-{m}" for m in (11, 12)] + [f"2025-{m:02}" for m in range(1, 12)]
    drawn = stacked_bars(months, [Series("a", [1.0] * 13)], width=80, height=10)
    assert "Jan" not in drawn.plain and "2025" in lines(drawn)[-1], "a tick in another year says so"


def test_weeks_are_named_by_their_monday() -> None:
    weeks = [f"2025-W{n}" for n in range(44, 48)]
    drawn = stacked_bars(weeks, [Series("a", [1.0] * 4)], width=80, height=10, title="Spend a week")
    assert lines(drawn)[-1].split() == ["27", "Oct", "3", "Nov", "10", "Nov", "17", "Nov"]
    assert drawn.plain.startswith("Spend a week")
    long = [f"{y}-W{w:02}" for y, w, _ in ((date(2024, 12, 2) + timedelta(weeks=i)).isocalendar() for i in range(53))]
    ticks = lines(stacked_bars(long, [Series("a", [1.0] * 53)], width=80, height=10))[-1]
    assert ticks.split()[:4] == ["2", "Dec", "27", "Jan"], "evenly spaced, so not at the starts of months"


@pytest.mark.parametrize("label", ["2025-W54", "2025-13", "2025-02-30", "20251101", "W45", "2025-W4", "todate"])
def test_what_is_no_date_is_shown_as_it_is(label: str) -> None:
    assert lines(stacked_bars([label], [Series("a", [1.0])], width=40, height=8))[-1].strip() == label


def test_tokens_have_no_dollar_and_four_parts() -> None:
    names = ("prompt", "cache read", "cache creation", "completion")
    series = [Series(name, [2e6, 4e6, 1e6]) for name in names]
    drawn = stacked_bars(days(3), series, width=80, height=12, unit="", title="Tokens a day", colour=False)
    assert "$" not in drawn.plain and "10M┤" in drawn.plain
    assert all(name in lines(drawn)[0] for name in names)


def test_all_zero_is_an_axis_without_bars() -> None:
    for series in ([], [Series("a", [0.0] * 7)]):
        drawn = stacked_bars(days(7), series, width=60, height=10)
        assert "$0└" in drawn.plain and "17 Nov" in drawn.plain
        assert not set(drawn.plain.split("\n", 1)[1]) & set("▁▂▃▄▅▆▇█")
        assert len(lines(drawn)) == 10


def test_values_that_are_no_numbers_or_too_large_do_not_matter() -> None:
    odd = [math.nan, math.inf, -math.inf, -5.0, 0.0, 2.0]
    same = [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]
    drawn = [stacked_bars(days(6), [Series("a", v), Series("b", [1.0] * 6)], width=60, height=10) for v in (odd, same)]
    assert drawn[0] == drawn[1]
    huge = stacked_bars(days(2), [Series(n, [1e300, 1e308]) for n in "abc"], width=60, height=10)
    assert "e300" in huge.plain and "█" in huge.plain
    assert "█" in stacked_bars(days(2), [Series("a", [1e-300, 1e-9])], width=60, height=10).plain


@pytest.mark.parametrize("value", [5e-324, 1e-300])
def test_what_is_next_to_nothing_is_nothing(value: float) -> None:
    for tiny, none in (
        [stacked_bars(days(2), [Series("a", v)], width=60, height=10) for v in ([value] * 2, [0.0] * 2)],
        [bars_with_failures(days(2), v, v, width=60, height=10) for v in ([value] * 2, [0.0] * 2)],
        [line(days(2), v, width=60, height=10) for v in ([value] * 2, [0.0] * 2)],
    ):
        assert tiny.plain.partition("\n")[2] == none.plain.partition("\n")[2]


def test_names_from_the_gateway_are_text() -> None:
    series = [Series("[bold]x[/]", [2.0]), Series("a\x1b[31m\nb", [1.0])]
    legend = lines(stacked_bars(days(1), series, width=80, height=10))[0]
    assert "[bold]x[/]" in legend and "a[31m b" in legend


def test_long_names_are_cut_so_that_every_series_is_in_the_legend() -> None:
    series = [Series(f"{i}-very-long-name-of-a-model-{i}", [1.0]) for i in range(6)]
    drawn = stacked_bars(days(1), series, width=80, height=8)
    assert all(f"{i}-very" in drawn.plain for i in range(6))


def test_top_series_keeps_the_largest_and_sums_the_rest() -> None:
    series = [Series(str(i), [float(i), float(i)]) for i in range(9)]
    top = top_series(series, 3)
    assert [s.name for s in top] == ["8", "7", "6", "other"]
    assert top[-1].values == [15.0, 15.0] and top[-1].rest
    assert [s.name for s in top_series(series[:5], 3)] == ["4", "3", "2", "1"], "one left over keeps its name"
    assert top_series([Series("a", [0.0, math.nan])]) == []


def test_more_series_than_fills_are_cut_and_nothing_is_lost() -> None:
    many = stacked_bars(days(1), [Series(f"m{i}", [1.0]) for i in range(12)], width=80, height=12, title="x")
    one = stacked_bars(days(1), [Series("all", [12.0])], width=80, height=12, title="x")
    assert "other" in many.plain and "m11" not in many.plain
    middle = lines(one)[-2].index("┬")
    assert len(column(many, middle).strip()) == len(column(one, middle).strip()) > 5


def test_failures_show_on_their_own_scale_and_say_so() -> None:
    ok, failed = [10_000.0] * 10, [0.0] * 9 + [3.0]
    drawn = bars_with_failures(days(10), ok, failed, width=60, height=14, colour=False)
    mark = drawn.plain[drawn.plain.index("failed, own scale") - 2]
    body = lines(drawn)[1:-2]
    hit = [row for row in body if mark in row]
    assert hit and all(row.index(mark) > 50 for row in hit), "only the last day failed"
    assert "10k" in drawn.plain


def test_no_failures_means_no_strip() -> None:
    drawn = bars_with_failures(days(10), [5.0] * 10, [0.0] * 10, width=60, height=14)
    assert "no failures" in drawn.plain and drawn.plain.count("└") == 1


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "$", "$0"),
        (0.02, "$", "$0.02"),
        (0.0025, "$", "$0.0025"),
        (2, "$", "$2"),
        (12.3, "$", "$12.30"),
        (999.7, "", "1k"),
        (1500, "$", "$1.5k"),
        (8412, "", "8.41k"),
        (2_100_000, "", "2.1M"),
        (3e9, "$", "$3B"),
        (1e300, "$", "$1e300"),
        (1e-9, "$", "$1e-9"),
        (math.nan, "$", "$0"),
        (-3, "$", "-$3"),
    ],
)
def test_numbers_are_short(value: float, unit: str, text: str) -> None:
    assert format_number(value, unit) == text


def test_ticks_are_distinct_and_in_order() -> None:
    for top in (1e-7, 0.0003, 0.04, 0.9, 1.0, 3.3, 17, 99, 101, 999, 1234, 87_654, 5.5e6, 2e12):
        for unit in ("$", ""):
            drawn = stacked_bars(days(3), [Series("a", [top] * 3)], width=60, height=12, unit=unit)
            ticks = [row.split("┤")[0] for row in lines(drawn) if "┤" in row]
            assert 1 < len(set(ticks)) == len(ticks) <= 7, (top, ticks)


def test_sparkline() -> None:
    assert sparkline([0, 1, 4, 8], 10) == " ▁▄█"
    assert sparkline([1, 2, 3, 4], 2) == "▆█"
    assert sparkline([0, 0.0001, 9], 3)[1] == "▁"
    assert sparkline([], 5) == sparkline([1], 0) == ""
    assert sparkline([math.nan, 0], 5) == "  "


def test_importing_the_charts_does_not_load_plotext_or_textual() -> None:
    code = "import sys, tui.charts; sys.exit('plotext' in sys.modules or 'textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
