"""What the usage screen is asked to show, without a screen."""

from datetime import date

import pytest

from tui.gateway.usage import Metrics
from tui.reports import Scope
from tui.screens.choose_days import read_day
from tui.screens.usage_choice import Choice, Wanted
from tui.screens.usage_period import PERIODS, between
from tui.screens.usage_tables import VIEWS, Item

TODAY = date(2026, 11, 20)
ME = Scope("user", "ada", "me")
BY = {view.id: view for view in VIEWS}


def item(key: str, **more: object) -> Item:
    return Item(key, {"name": key}, Metrics(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("today", date(2026, 11, 20)),
        ("7d", date(2026, 11, 14)),
        ("30d", date(2026, 10, 22)),
        ("90d", date(2026, 8, 23)),
        ("12m", date(2025, 12, 1)),
        ("mtd", date(2026, 11, 1)),
    ],
)
def test_periods_are_utc_days_with_both_ends(name: str, first: date) -> None:  # S20
    period = next(each for each in PERIODS if each.id == name)
    assert period.days(TODAY) == (first, TODAY)


def test_two_dates_are_named_by_themselves() -> None:
    assert between(date(2026, 11, 1), date(2026, 11, 9), TODAY).title == "1 Nov–9 Nov"
    assert between(date(2025, 11, 1), date(2025, 11, 1), TODAY).title == "1 Nov 2025"


def test_each_row_narrows_the_question_and_is_taken_back() -> None:
    choice = Choice(ME)
    assert choice.wanted(TODAY) == Wanted(ME, date(2026, 10, 22), TODAY)
    choice.narrow(item("openai/gpt-4o", models=("gpt-4o", "openai/gpt-4o")))
    assert [view.id for view in choice.views] == ["key", "day"]
    assert choice.view == BY["key"]
    choice.narrow(item("hash-1"))
    assert choice.view == BY["day"]
    scope = Scope("user", "ada", "me", key="hash-1", models=("gpt-4o", "openai/gpt-4o"))
    assert choice.wanted(TODAY) == Wanted(scope, date(2026, 10, 22), TODAY)
    assert choice.narrowest
    back = choice.widen()
    assert back and back.row == "hash-1" and choice.view == BY["key"]
    assert choice.widen() and choice.wanted(TODAY) == Wanted(ME, date(2026, 10, 22), TODAY)
    assert choice.widen() is None


def test_a_provider_narrows_to_its_models_and_then_to_one_of_them() -> None:
    choice = Choice(ME)
    choice.view = BY["provider"]
    choice.narrow(item("openai", models=("gpt-4o", "o3")))
    assert choice.view.id == "model"
    choice.narrow(item("o3", models=("o3",)))
    wanted = choice.wanted(TODAY)
    assert wanted and wanted.scope.models == ("o3",)


def test_a_day_is_left_for_other_days_and_all_for_another_scope() -> None:
    choice = Choice(ME)
    choice.narrow(item("o3", models=("o3",)))
    choice.view = BY["day"]
    choice.narrow(item("2026-11-03"))
    wanted = choice.wanted(TODAY)
    assert wanted and (wanted.start, wanted.end) == (date(2026, 11, 3), date(2026, 11, 3))
    choice.choose_period(PERIODS[1])
    wanted = choice.wanted(TODAY)
    assert wanted and wanted.start == date(2026, 11, 14) and wanted.scope.models == ("o3",)
    choice.choose_scope(Scope("everyone", "", "everyone"))
    assert choice.steps == []


def test_bars_are_what_the_range_needs_until_chosen() -> None:
    choice = Choice(ME)
    month, year = (date(2026, 10, 22), TODAY), (date(2025, 12, 1), TODAY)
    assert choice.unit(*month) == "day" and choice.unit(*year) == "month"
    choice.next_unit(*month)
    assert choice.unit(*month) == "week"
    choice.next_unit(*month)
    assert choice.unit(*month) == "day"
    choice.next_unit(*year)
    choice.choose_period(PERIODS[4])
    assert choice.unit(*year) == "month"


def test_days_as_a_person_writes_them() -> None:
    assert read_day(" 2026-11-01 ", TODAY) == date(2026, 11, 1)
    assert read_day("Today", TODAY) == TODAY and read_day("yesterday", TODAY) == date(2026, 11, 19)
    with pytest.raises(ValueError, match="written as 2026-11-01"):
        read_day("1.11.26", TODAY)
