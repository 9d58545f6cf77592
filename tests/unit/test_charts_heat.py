"""What a person sees in the calendar: which day is where, what its level means, and what happens without room."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from rich.text import Text

from tui.charts import heat

MARKS = "·░▒▓█"


def days(count: int, last: date = date(2025, 11, 23)) -> list[date]:
    return [last - timedelta(days=count - 1 - i) for i in range(count)]


def lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def cell(text: Text, week: int, weekday: int, size: int = 1) -> str:
    """The mark of one day; row and column are found by the label of Monday."""
    rows = lines(text)
    monday = next(i for i, row in enumerate(rows) if row.startswith("Mon "))
    return rows[monday + weekday][4 + week * size : 4 + (week + 1) * size]


def skewed(count: int) -> list[float]:
    source = random.Random(7)
    return [0.0 if i % 11 == 0 else source.lognormvariate(0.5, 1.3) for i in range(count)]


def test_each_day_stands_in_its_week_and_row() -> None:
    # 2025-11-05 is a Wednesday, 2025-11-16 a Sunday.
    some = days(14, date(2025, 11, 18))
    drawn = heat(
        some, [100.0 if d in (date(2025, 11, 5), date(2025, 11, 16)) else 1.0 for d in some], width=80, height=9
    )
    full = [(w, r) for w in range(3) for r in range(7) if cell(drawn, w, r, 2) == "██"]
    assert full == [(0, 2), (1, 6)]
    assert cell(drawn, 0, 0, 2) == cell(drawn, 0, 1, 2) == "  ", "before the range there is nothing"
    assert cell(drawn, 2, 2, 2).strip() == "", "after the range there is nothing"
    assert [row[:3] for row in lines(drawn)[2:]] == ["Mon", "   ", "Wed", "   ", "Fri", "   ", "   "]


def test_zero_has_its_own_mark_and_a_missing_day_none() -> None:
    some = [d for d in days(7) if d.weekday() != 3]
    drawn = heat(some, [0.0 if d.weekday() == 1 else 5.0 for d in some], width=40, height=12)
    assert cell(drawn, 0, 1, 2) == "··" and cell(drawn, 0, 3, 2) == "  "
    assert "· $0" in drawn.plain


def test_a_year_fits_80_columns_and_has_two_columns_a_week_at_120() -> None:
    year = days(366)
    for width, size in ((80, 1), (120, 2)):
        drawn = heat(year, skewed(366), width=width, height=9, title="Spend a day")
        assert max(len(row.rstrip()) for row in lines(drawn)[2:]) == 4 + 53 * size
        assert len(lines(drawn)) == 9
        assert lines(drawn)[1].split() == [
            "Dec",
            "Jan",
            "Feb",
            "Mar",
            "Apr",
            "May",
            "Jun",
            "Jul",
            "Aug",
            "Sep",
            "Oct",
            "Nov",
        ]
    assert "latest" not in drawn.plain


def test_a_month_stands_above_the_week_with_its_first_day() -> None:
    year = days(366)
    values = [50.0 if d.day == 1 else 1.0 for d in year]
    drawn = heat(year, values, width=80, height=9)
    for name in ("Dec", "Mar", "Jul", "Nov"):
        column = lines(drawn)[1].index(name)
        assert "█" in [row[column] for row in lines(drawn)[2:]], name


def test_two_years_name_january_by_its_year() -> None:
    drawn = heat(days(700), skewed(700), width=200, height=9)
    assert {"2024", "2025"} <= set(lines(drawn)[1].split())


def bounds(text: Text) -> list[float]:
    head = next(row for row in lines(text) if "under" in row)
    return [float(word.lstrip("$")) for word in head.split("under ")[1:] for word in [word.split()[0]]]


@pytest.mark.parametrize("kind", ["even", "skewed"])
def test_the_levels_are_what_the_legend_says(kind: str) -> None:
    some = days(350)
    source = random.Random(3)
    values = [source.uniform(2, 40) for _ in some] if kind == "even" else skewed(350)
    drawn = heat(some, values, width=100, height=9)
    cuts = bounds(drawn)
    assert len(cuts) == 3 and cuts == sorted(set(cuts))
    assert f"█ ${cuts[2]:g} or more" in drawn.plain
    if kind == "even":
        assert cuts[1] == pytest.approx(2 * cuts[0]) and cuts[2] == pytest.approx(3 * cuts[0])
    first = some[0] - timedelta(days=some[0].weekday())
    seen = set()
    for day, value in zip(some, values, strict=True):
        want = "·" if value == 0 else MARKS[1 + sum(value >= cut for cut in cuts)]
        assert cell(drawn, (day - first).days // 7, day.weekday()) == want, (day, value)
        seen.add(want)
    assert len(seen) >= 4, "the levels tell days apart"


def test_a_value_equal_to_a_bound_has_the_level_that_starts_there() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1]
    drawn = heat(days(7), values, width=80, height=9)
    assert bounds(drawn) == [0.1, 0.2, 0.3]
    assert "".join(cell(drawn, 0, row, 1 + 1)[0] for row in range(7)) == "▒▓██" + "█▓▒"


def test_counts_have_whole_bounds_and_no_dollar() -> None:
    drawn = heat(days(7), [0, 1, 2, 3, 1, 2, 3], width=80, height=9, unit="")
    assert "$" not in drawn.plain and "." not in drawn.plain
    assert "under 2" in drawn.plain and "under 1 " not in drawn.plain
    assert "█ up to 1" in heat(days(7), [0, 1, 1, 0, 1, 1, 1], width=80, height=9, unit="").plain


def test_a_range_without_anything_is_all_zero_marks() -> None:
    drawn = heat(days(7), [0.0] * 7, width=40, height=9)
    assert [cell(drawn, 0, row, 2) for row in range(7)] == ["··"] * 7
    assert "under" not in drawn.plain


def test_eight_lines_have_the_legend_beside_the_calendar() -> None:
    drawn = heat(days(366), skewed(366), width=80, height=8, title="Spend a day")
    assert len(lines(drawn)) == 8 and "Spend a day" in lines(drawn)[0]
    assert "or more" in drawn.plain and drawn.plain.count("under") == 3


def test_with_less_height_each_week_is_one_mark_for_its_sum_and_says_so() -> None:
    some = days(28)
    drawn = heat(some, [10.0] * 7 + [0.0] * 7 + [1.0] * 7 + [4.0] * 7, width=90, height=6, title="Spend")
    assert "a week" in lines(drawn)[0] and "Mon" not in drawn.plain
    strip = lines(drawn)[-1].removeprefix("sum ")
    assert strip[:4] == "██··" and strip[4:6] != strip[6:8]
    assert len(heat(days(366), skewed(366), width=80, height=2).plain) == 80, "a sparkline"


def test_more_weeks_than_columns_show_the_latest_and_say_so() -> None:
    some = days(366)
    for legend in (True, False):
        drawn = heat(some, [99.0 if d == some[-1] else 1.0 for d in some], width=40, height=11, legend=legend, title="")
        assert "latest 36 of 53 weeks" in drawn.plain
        assert cell(drawn, 35, 6) == "█"
        assert "Feb" not in drawn.plain and "Nov" in drawn.plain


def test_colour_ascii_and_order_do_not_change_what_is_said() -> None:
    some, values = days(90), skewed(90)
    coloured = heat(some, values, width=80, height=9)
    assert coloured.plain == heat(some, values, width=80, height=9, colour=False).plain
    assert coloured.plain == heat(some[::-1], values[::-1], width=80, height=9).plain
    plain = heat(some, values, width=80, height=9, ascii=True, title="€ a day")
    assert plain.plain.isascii()
    body = lines(coloured)[2:]
    assert [row.translate(str.maketrans("·░▒▓█", ".-+x#")) for row in body] == lines(plain)[2:]
    styles = {coloured.plain[s.start]: str(s.style) for s in coloured.spans if coloured.plain[s.start] in MARKS}
    assert len(set(styles.values())) == len(styles) == 5, "five levels by colour as well"


def test_a_day_given_twice_counts_once_with_its_sum() -> None:
    one = days(7)
    assert heat([*one, *one], [1.0] * 7 + [3.0] * 7, width=60, height=9) == heat(one, [4.0] * 7, width=60, height=9)
