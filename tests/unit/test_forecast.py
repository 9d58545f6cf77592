"""How long a budget lasts (S25): its window as LiteLLM sets it, the forecast, and when there is none."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.forecast import Forecast, NoForecast, budget_words, forecast, projection, resets_within, window
from tui.reports import BudgetCounter

NOW = datetime(2025, 11, 21, 12, tzinfo=UTC)
FIRST = "2025-12-01T00:00:00"
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def counter(
    duration: str | None = "30d", reset: str | None = FIRST, spend: float = 38.0, limit: float | None = 50.0
) -> BudgetCounter:
    return BudgetCounter(spend, limit, duration, at(reset) if reset else None)


def spent(usd: float, days: int = 30, now: datetime = NOW) -> list[tuple[date, float]]:
    """So much on each of the last days, and much more today, which is not over yet."""
    rows = [(now.date() - offset * DAY, usd) for offset in range(days, 0, -1)]
    return [*rows, (now.date(), 999.0)]


def good(budget: BudgetCounter, daily: list[tuple[date, float]], now: datetime = NOW) -> Forecast:
    found = forecast(budget, daily, now)
    assert isinstance(found, Forecast)
    return found


def reason(budget: BudgetCounter, daily: list[tuple[date, float]], now: datetime = NOW) -> str:
    found = forecast(budget, daily, now)
    assert isinstance(found, NoForecast)
    assert budget_words(found) == found.reason
    return found.reason


# what the three releases write into budget_reset_at: get_next_standardized_reset_time, and in 1.74 now + duration
@pytest.mark.parametrize(
    ("duration", "now", "reset", "start", "first_full"),
    [
        ("30d", "2025-11-21T12:00", "2025-12-01T00:00", "2025-11-01", "2025-11-01"),
        ("30d", "2026-02-21T12:00", "2026-03-01T00:00", "2026-02-01", "2026-02-01"),
        ("1mo", "2026-01-01T00:00", "2026-02-01T00:00", "2026-01-01", "2026-01-01"),
        ("1mo", "2025-12-31T23:59", "2026-01-01T00:00", "2025-12-01", "2025-12-01"),
        ("monthly", "2025-11-21T12:00", "2025-12-01T00:00", "2025-11-01", "2025-11-01"),
        ("7d", "2025-11-21T12:00", "2025-11-24T00:00", "2025-11-17", "2025-11-17"),
        ("14d", "2025-11-21T12:00", "2025-12-02T00:00", "2025-11-18", "2025-11-18"),
        ("1d", "2025-11-21T12:00", "2025-11-22T00:00", "2025-11-21", "2025-11-21"),
        ("24h", "2025-11-21T12:00", "2025-11-22T00:00", "2025-11-21", "2025-11-21"),
        ("1h", "2025-11-21T12:30", "2025-11-21T13:00", "2025-11-21", "2025-11-22"),
        # a week where the release takes it for one
        ("1w", "2025-11-21T12:00", "2025-11-24T00:00", "2025-11-17", "2025-11-17"),
        # gateways with a time zone or an hour of their own: Kolkata, New York, noon in UTC
        ("30d", "2025-11-21T12:00", "2025-11-30T18:30", "2025-10-31", "2025-11-01"),
        ("1mo", "2025-11-21T12:00", "2025-12-01T05:00", "2025-11-01", "2025-11-02"),
        ("1mo", "2025-11-21T12:00", "2025-12-01T12:00", "2025-11-01", "2025-11-02"),
        # a key of 1.74 before its first reset
        ("30d", "2025-11-21T12:00", "2025-12-10T14:23:05.123", "2025-11-10", "2025-11-11"),
        ("30d", "2025-11-21T12:00", "2025-12-01T03:00:05.123", "2025-11-01", "2025-11-02"),
        ("1mo", "2025-11-21T12:00", "2025-12-10T14:23:05.123", "2025-11-10", "2025-11-11"),
        ("1mo", "2025-11-21T12:00", "2025-12-31T14:23:05.123", None, None),
        ("720h", "2025-11-21T12:00", "2025-12-10T14:23:05.123", "2025-11-10", "2025-11-11"),
    ],
)
def test_the_window_is_the_one_that_litellm_made(
    duration: str, now: str, reset: str, start: str | None, first_full: str | None
) -> None:
    found = window(counter(duration, reset), at(now))
    if start is None or first_full is None:
        assert found is None
    else:
        assert found
        assert (found.start, found.first_full) == (date.fromisoformat(start), date.fromisoformat(first_full))
        assert found.end == at(reset)


@pytest.mark.parametrize(
    ("duration", "reset"),
    [
        (None, None),
        (None, FIRST),
        ("30d", None),
        ("30d", "2025-11-21T11:59"),
        # 28 Feb is a month after 28, 29, 30 and 31 January
        ("1mo", "2026-02-28T08:00:00.5"),
        # a day or a week, a day or two: releases differ
        ("1w", "2025-11-22T00:00"),
        ("48h", "2025-11-22T00:00"),
        ("2mo", "2026-01-01T00:00"),
        ("1mo", "2025-12-15T00:00"),
        ("0d", FIRST),
        ("soon", FIRST),
        ("999999d", FIRST),
        ("30d", "9999-12-31T23:00:00"),
        # farther away than the duration is long
        ("7d", "2025-12-15T00:00"),
    ],
)
def test_a_start_that_cannot_be_known_is_not_guessed(duration: str | None, reset: str | None) -> None:
    assert window(counter(duration, reset), NOW) is None
    assert resets_within(counter(duration, reset), date(2025, 1, 1), NOW.date(), NOW) == []


@pytest.mark.parametrize(
    ("duration", "reset", "start", "end", "days"),
    [
        ("7d", "2025-11-24T00:00", "2025-10-23", "2025-11-21", ["10-27", "11-03", "11-10", "11-17"]),
        ("30d", FIRST, "2025-08-24", "2025-11-21", ["09-01", "10-01", "11-01"]),
        ("1mo", FIRST, "2025-11-01", "2025-11-21", ["11-01"]),
        ("1mo", FIRST, "2025-11-02", "2025-12-31", []),
        ("14d", "2025-12-02T00:00", "2025-11-01", "2025-11-10", ["11-04"]),
        ("1d", "2025-11-22T00:00", "2025-11-19", "2025-11-30", ["11-19", "11-20", "11-21"]),
        ("1s", "2025-11-21T12:00:01", "2025-11-20", "2025-11-21", ["11-20", "11-21"]),
        ("30d", "2025-11-30T18:30", "2025-09-01", "2025-11-21", ["09-30", "10-31"]),
        ("30d", "2025-12-10T14:23:05.123", "2025-08-24", "2025-11-21", ["11-10"]),
    ],
)
def test_resets_in_a_range(duration: str, reset: str, start: str, end: str, days: list[str]) -> None:
    found = resets_within(counter(duration, reset), date.fromisoformat(start), date.fromisoformat(end), NOW)
    assert found == [date.fromisoformat(f"2025-{each}") for each in days]


def test_a_budget_that_ends_before_the_reset() -> None:
    """$12 are left at $1.90 a day: 6.3 days from noon of the 21st."""
    found = good(counter(), spent(1.9))
    assert found.rate == pytest.approx(1.9)
    assert (found.days, found.ends_on, found.over) == (7, date(2025, 11, 27), False)
    assert found.early and found.early // timedelta(hours=1) == 3 * 24 + 4
    assert found.at_reset == pytest.approx(38 + 9.5 * 1.9)
    assert found.how == "mean of 7 full days"
    assert budget_words(found) == "at $1.90 a day it ends on 27 Nov, 3 d early"


def test_a_budget_that_lasts() -> None:
    found = good(counter(spend=25.0), spent(1.2))
    assert (found.ends_on, found.early) == (None, None)
    assert found.at_reset == pytest.approx(36.4)
    assert budget_words(found) == "at $1.20 a day, $36.40 by the reset on 1 Dec"


def test_a_budget_that_never_resets() -> None:
    found = good(counter(None, None), spent(1.9))
    assert (found.ends_on, found.early, found.at_reset) == (date(2025, 11, 27), None, None)
    assert budget_words(found) == "at $1.90 a day it ends on 27 Nov"
    assert budget_words(good(counter(None, None, limit=1e6), spent(0.01))) == (
        "at $0.01 a day it lasts for more than 100 years"
    )


def test_one_that_ends_today() -> None:
    found = good(counter(spend=49.5), spent(1.9))
    assert found.ends_on == NOW.date()
    assert budget_words(found) == "at $1.90 a day it ends today, 9 d early"


def test_one_that_ends_hours_before_the_reset() -> None:
    assert budget_words(good(counter(spend=50 - 1.9 * 9.25), spent(1.9))).endswith("it ends on 30 Nov, 6 h early")
    assert budget_words(good(counter(spend=50 - 1.9 * 9.49), spent(1.9))).endswith("it ends on 30 Nov, <1 h early")


def test_the_year_is_named_where_it_is_another() -> None:
    assert budget_words(good(counter(None, None, limit=138.0), spent(1.0))).endswith("it ends on 1 Mar 2026")


@pytest.mark.parametrize("days", [0, 1, 30])
def test_a_budget_that_is_used_up_says_so_whatever_the_days(days: int) -> None:
    found = good(counter(spend=50.0), spent(1.9, days))
    assert found.over
    assert found.ends_on is None and found.at_reset is None and found.how == ""
    assert budget_words(found) == "used up, 9 d before the reset"
    assert budget_words(good(counter(None, None, spend=51.0), spent(1.9, days))) == "used up"


@pytest.mark.parametrize(("days", "there"), [(0, "there is none"), (1, "there is 1"), (2, "there are 2")])
def test_no_forecast_from_fewer_than_three_full_days(days: int, there: str) -> None:
    assert reason(counter(), spent(1.9, days)) == f"a forecast needs 3 full days; {there}"
    # the same where the data is older than the window
    now = at("2025-12-01T12:00") + days * DAY
    assert reason(counter(reset="2026-01-01T00:00"), spent(1.9, 30, now), now) == (
        f"a forecast needs 3 full days; {there}"
    )


def test_three_full_days_are_enough_and_today_is_none_of_them() -> None:
    assert good(counter(), spent(1.9, 3)).days == 3
    now = at("2025-12-04T12:00")
    assert good(counter(reset="2026-01-01T00:00", spend=1), spent(1.9, 30, now), now).days == 3


def test_days_before_the_window_do_not_count() -> None:
    """# S25: what was spent in October is not what this window is about"""
    now = at("2025-11-05T12:00")
    daily = [(date(2025, 10, 31), 700.0), *((date(2025, 11, number), 2.0) for number in range(1, 5))]
    found = good(counter(spend=8.0), daily, now)
    assert (found.rate, found.days) == (2.0, 4)


def test_only_the_last_seven_days_count() -> None:
    found = good(counter(spend=8.0), [(NOW.date() - 8 * DAY, 700.0), *spent(2.0, 7)])
    assert (found.rate, found.days) == (2.0, 7)


def test_days_without_spend_count_as_nothing() -> None:
    daily = [(NOW.date() - 7 * DAY, 7.0), (NOW.date() - DAY, 7.0)]
    assert good(counter(spend=14.0), daily).rate == 2.0


def test_a_window_of_unknown_start_uses_the_days_given() -> None:
    assert good(counter("2mo"), spent(2.0, 4)).days == 4
    assert good(counter("2mo"), spent(2.0, 90)).days == 7


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (counter(limit=None), "there is no limit"),
        (counter("1d", "2025-11-22T00:00"), "a budget that resets every day is too short for a forecast"),
        (counter("daily", "2025-11-22T00:00"), "a budget that resets every 24 hours is too short for a forecast"),
        (counter("2d", "2025-11-23T00:00"), "a budget that resets every 2 days is too short for a forecast"),
        (counter("48h", None), "a budget that resets every 48 hours is too short for a forecast"),
        (counter(reset="2025-11-21T11:55:00"), "the reset of 21 Nov is overdue"),
    ],
)
def test_why_there_is_no_forecast(budget: BudgetCounter, words: str) -> None:
    assert reason(budget, spent(1.9)) == words


def test_nothing_spent_is_no_rate() -> None:
    assert reason(counter(), spent(0.0)) == "nothing spent in the last 7 days"
    assert reason(counter(), spent(0.0, 4)) == "nothing spent in the last 4 days"
    assert reason(counter(), []) == "a forecast needs 3 full days; there is none"


def test_days_that_end_long_ago_say_nothing_of_now() -> None:
    old = [(date(2025, 11, number), 2.0) for number in range(1, 15)]
    assert reason(counter(), old) == "the days up to today are missing from 15 Nov on"


def test_a_moment_of_any_zone_is_the_same_moment() -> None:
    there = timezone(timedelta(hours=9))
    budget = BudgetCounter(38.0, 50.0, "30d", at(FIRST).astimezone(there))
    assert window(budget, NOW.astimezone(there)) == window(counter(), NOW)
    assert forecast(budget, spent(1.9), NOW.astimezone(there)) == forecast(counter(), spent(1.9), NOW)


def test_the_line_into_the_days_to_come_falls_to_0_at_the_reset() -> None:
    budget = counter(spend=10.0)
    line = projection(good(budget, spent(2.0)), budget, NOW.date(), date(2026, 1, 2))
    assert line[0] == pytest.approx(10 + 1.5 * 2)
    assert line[8] == pytest.approx(10 + 9.5 * 2)
    assert line[9] == pytest.approx(2.0)
    assert line[39] == pytest.approx(31 * 2)
    assert line[40:] == [pytest.approx(2.0), pytest.approx(4.0)]


def test_the_line_of_a_budget_without_reset_rises_on_and_past_the_limit() -> None:
    budget = counter(None, None)
    line = projection(good(budget, spent(4.0)), budget, NOW.date(), NOW.date() + 60 * DAY)
    assert len(line) == 60
    assert line[-1] == pytest.approx(38 + 60.5 * 4)


def test_the_line_of_a_week_falls_every_monday() -> None:
    budget = counter("7d", "2025-11-24T00:00", spend=4.0)
    line = projection(good(budget, spent(1.0)), budget, NOW.date(), date(2025, 12, 2))
    assert line == [pytest.approx(each) for each in (5.5, 6.5, 1, 2, 3, 4, 5, 6, 7, 1, 2)]


def test_a_budget_that_is_used_up_stands_still_until_the_reset() -> None:
    budget = counter(spend=51.0)
    line = projection(good(budget, spent(2.0)), budget, NOW.date(), date(2025, 12, 2))
    assert line == [51.0] * 9 + [pytest.approx(2.0), pytest.approx(4.0)]


def test_a_line_to_yesterday_is_empty() -> None:
    assert projection(good(counter(), spent(2.0)), counter(), NOW.date(), NOW.date() - DAY) == []


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
USD = st.floats(0, 1e6)
DURATIONS = st.sampled_from([None, "1h", "24h", "1d", "3d", "7d", "14d", "30d", "1mo", "1w", "48h", "2mo", "odd"])


@st.composite
def budgets(draw: st.DrawFn) -> tuple[BudgetCounter, list[tuple[date, float]], datetime]:
    now = draw(MOMENTS)
    duration = draw(DURATIONS)
    reset = draw(st.none() | st.timedeltas(-DAY, 40 * DAY).map(lambda span: now + span))
    if reset and draw(st.booleans()):
        reset = reset.replace(hour=0, minute=0, second=0, microsecond=0)
    days = draw(st.lists(USD, max_size=40))
    daily = [(now.date() - DAY * offset, usd) for offset, usd in enumerate(days)][::-1]
    return BudgetCounter(draw(USD), draw(st.none() | USD), duration, reset), daily, now


@given(budgets())
def test_what_holds_of_every_forecast(case: tuple[BudgetCounter, list[tuple[date, float]], datetime]) -> None:
    budget, daily, now = case
    found = forecast(budget, daily, now)
    assert budget_words(found)
    present = window(budget, now)
    if present:
        assert present.start <= now.date() and present.end > now
        assert present.start <= present.first_full <= present.start + DAY
    if isinstance(found, NoForecast):
        return
    assert budget.limit is not None
    assert found.over == (budget.spend >= budget.limit)
    line = projection(found, budget, now.date(), now.date() + 50 * DAY)
    assert len(line) == 50 and min(line) >= 0
    if found.over:
        return
    full = [usd for each, usd in daily if each < now.date() and (not present or each >= present.first_full)][-7:]
    assert 3 <= found.days == len(full)
    assert min(full) - 1e-6 <= found.rate <= max(full) + 1e-6
    if found.ends_on:
        assert found.ends_on >= now.date()
        if budget.reset_at:
            assert found.early and found.early > timedelta(0)
            assert found.at_reset is not None and found.at_reset >= budget.limit * (1 - 1e-9)
    elif budget.reset_at:
        assert found.early is None
        assert found.at_reset is not None and found.at_reset <= budget.limit * (1 + 1e-9) + 1e-3
    if budget.reset_at is None:
        assert line == sorted(line)


@given(MOMENTS, st.sampled_from(["30d", "1mo"]), st.integers(0, 400))
def test_every_first_of_the_month_in_the_range_and_no_other_day(now: datetime, duration: str, back: int) -> None:
    month = monthrange(now.year, now.month)[1]
    reset = datetime(now.year, now.month, 1, tzinfo=UTC) + month * DAY
    start, end = now.date() - back * DAY, now.date()
    found = resets_within(BudgetCounter(0, 1, duration, reset), start, end, now)
    assert found == [start + DAY * each for each in range(back + 1) if (start + DAY * each).day == 1]


@given(budgets(), st.integers(0, 100), st.integers(0, 100))
def test_resets_are_in_the_range_ascending_and_past(
    case: tuple[BudgetCounter, list[tuple[date, float]], datetime], before: int, after: int
) -> None:
    budget, _, now = case
    start, end = now.date() - before * DAY, now.date() - before * DAY + after * DAY
    found = resets_within(budget, start, end, now)
    assert found == sorted(set(found))
    assert all(start <= each <= min(end, now.date()) for each in found)
    present = window(budget, now)
    if present and start <= present.start <= end:
        assert present.start in found
    if present is None:
        assert found == []
