"""What a person sees in the curve: its rise, its limit, where it starts anew and where the limit is reached."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from rich.text import Text

from tui.charts import line


def days(count: int, last: date = date(2025, 11, 23)) -> list[str]:
    return [(last - timedelta(days=count - 1 - i)).isoformat() for i in range(count)]


def lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def body(text: Text) -> list[str]:
    """The rows between the legend and the axis, without the labels of the axis."""
    gutter = (
        next(row.index("┤") for row in lines(text) if "┤" in row) if "┤" in text.plain else lines(text)[-2].index("+")
    )
    return [row[gutter + 1 :] for row in lines(text)[1:-2]]


def test_a_line_rises_towards_its_limit_and_the_limit_is_at_its_tick() -> None:
    values = [float(i) for i in range(1, 31)]
    drawn = line(days(30), values, 40.0, width=80, height=14, ascii=True, colour=False)
    rows = lines(drawn)[1:-2]
    heights = [len(rows) - next(y for y, row in enumerate(rows) if row[x : x + 1] == "*") for x in (12, 40, 70)]
    assert heights == sorted(set(heights))
    limit = next(row for row in rows if "-----" in row)
    assert limit.startswith("$40")
    assert "budget $40" in drawn.plain


def test_a_limit_far_above_is_named_and_does_not_flatten_the_line() -> None:
    drawn = line(days(5), [1.0, 2.0, 3.0, 3.0, 3.1], 1000.0, width=70, height=12)
    assert "budget $1k, above the chart" in drawn.plain
    assert "$3" in drawn.plain and "╌╌" not in drawn.plain


def test_a_projection_goes_on_where_the_values_end() -> None:
    drawn = line(days(10), [1.0, 2.0, 3.0], None, width=70, height=14, ascii=True, projection=[4.0, 5.0])
    rows = lines(drawn)[1:-2]
    last_star = max(row.rfind("*") for row in rows)
    first_dot = min(row.find(".") for row in rows if "." in row)
    assert first_dot >= last_star
    assert max(row.rfind(".") for row in rows) < 40, "the days after the projection stay empty"


def test_a_restart_joins_nothing_and_has_a_mark_with_its_word() -> None:
    values = [10.0 * (i + 1) for i in range(15)] + [10.0 * (i + 1) for i in range(15)]
    joined = body(line(days(30), values, width=80, height=14))
    drawn = line(days(30), values, width=80, height=14, restarts=[15])
    rows = body(drawn)
    mark = rows[0].index("┊")
    assert sum(row[mark : mark + 1] == "┊" for row in rows) >= len(rows) - 1
    assert [row for row in rows if "┊reset" in row]
    between = range(mark - 1, mark + 2)
    fall = [sum(any(row[x : x + 1] not in " ┊r" for x in between) for row in r) for r in (joined, rows)]
    assert fall[0] >= 8 > 2 >= fall[1], "without the restart a stroke falls the whole way"
    highest, lowest = rows[0] + rows[1] + rows[2], rows[-1]
    assert any(c not in " ┊reset" for c in highest), "the curve before the mark keeps its height"
    assert lowest[mark] not in " ┊", "the curve starts at the bottom, in the column of the mark"


def test_restarts_without_room_for_words_are_named_in_the_legend() -> None:
    weekly = line(days(30), [1.0] * 30, width=60, height=12, restarts=range(0, 30, 4))
    assert "┊ reset" in lines(weekly)[0] and "reset" not in "".join(body(weekly))
    assert "┊" in "".join(body(weekly))
    daily = line(days(30), [1.0] * 30, width=60, height=12, restarts=range(30))
    assert "┊" not in daily.plain and "29 resets" in lines(daily)[0]


def test_a_restart_outside_the_values_changes_nothing() -> None:
    plain = line(days(9), [1.0, 2.0, 3.0], 5.0, width=60, height=12)
    assert line(days(9), [1.0, 2.0, 3.0], 5.0, width=60, height=12, restarts=[-1, 0, 3, 8, 99]) == plain


@pytest.mark.parametrize("ascii", [False, True])
def test_the_day_on_which_the_limit_is_reached_is_marked_where_the_projection_meets_it(ascii: bool) -> None:
    values, ahead = [5.0 * (i + 1) for i in range(10)], [55.0 + 5 * i for i in range(10)]
    drawn = line(days(20), values, 75.0, width=80, height=20, projection=ahead, crossing=14, ascii=ascii)
    assert "! reached 18 Nov" in lines(drawn)[0]
    rows = body(drawn)
    row = next(row for row in rows if "!" in row)
    assert "!" not in lines(drawn)[-3] and "".join(rows).count("!") == 1
    at = row.index("!")
    assert at == pytest.approx(14 / 19 * (len(row) - 1), abs=1)
    dots = ["." in r[at - 5 : at + 6] if ascii else bool(set(r[at - 5 : at + 6]) - set(" !╌▁")) for r in rows]
    near = rows.index(row)
    assert any(dots[max(0, near - 1) : near + 2]), "the projection passes there"


def test_a_crossing_without_a_limit_or_outside_the_labels_is_not_shown() -> None:
    for limit, crossing in ((None, 2), (4.0, -1), (4.0, 9)):
        assert "!" not in line(days(9), [1.0, 2.0], limit, width=70, height=12, crossing=crossing).plain


@pytest.mark.parametrize(("limit", "glyph"), [(30.0, "╌"), (35.0, "▁")])
def test_a_limit_between_two_rows_is_drawn_between_them(limit: float, glyph: str) -> None:
    drawn = line(days(4), [10.0, 20.0, 30.0, 50.0], limit, width=60, height=8)
    assert "$40┤" in drawn.plain and len(body(drawn)) == 5, "ten dollars a row"
    row = next(row for row in lines(drawn) if glyph * 9 in row)
    assert row.lstrip("$").startswith("30" if limit == 30 else "40") or "$" not in row
