"""How long a budget lasts: its window, the days on which it went back to 0, and a forecast from the last full days.

LiteLLM keeps the next reset alone (`budget_reset_at`), so the one before is worked out from how LiteLLM sets them:
- most resets fall on calendar times without fractions of a second: every midnight (`1d`, and hours from `24h` on),
  Mondays (`7d`), the first of the month (`30d`, `1mo`), else midnight plus the days; UTC unless the gateway is
  configured otherwise, which moves them by hours;
- a key of 1.74, until its first reset, ends the duration after its creation, to the millisecond.
Days are UTC days, money is USD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from tui.formatting import day, money
from tui.gateway.durations import in_words, length
from tui.reports import BudgetCounter

FEWEST_DAYS = 3
"""Full days that a forecast needs."""
MOST_DAYS = 7
"""Full days that it looks back on, at most."""

_DAY = timedelta(days=1)
_MONTH = timedelta(days=31)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FARTHEST = 36_500
_WORDS = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
_EARLIEST, _LATEST = timedelta(hours=14), timedelta(hours=36)

_Step = timedelta | Literal["month"]


@dataclass(frozen=True, slots=True)
class Window:
    """The present budget window: it began on the UTC day `start` and ends at `end`.

    `first_full` is the first UTC day that lies wholly in it: `start`, or the day after for a start within a day.
    """

    start: date
    end: datetime
    first_full: date


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a budget at `rate` USD a day, the mean of the last `days` full days, counted on from `at`.

    `ends_on` is the UTC day on which it ends before the reset, `early` how long before (None: no reset known).
    `at_reset` is what the counter would hold at `reset_at`, past the limit too. `over` says that it is used up
    already: then nothing is forecast, `rate` may be 0 for want of days, and `how`, one sentence about it, is "".
    """

    rate: float
    days: int
    ends_on: date | None
    early: timedelta | None
    at_reset: float | None
    over: bool
    how: str
    at: datetime
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoForecast:
    """Why there is none, as words for a person."""

    reason: str


def window(counter: BudgetCounter, now: datetime) -> Window | None:
    """The present window; None where LiteLLM does not tell its start.

    That is so without a duration or a reset, with a reset that is overdue, and for durations that releases read
    differently: `1w` is a week for one and a day for another, `48h` may be either.
    """
    began, _ = _cycle(counter, now)
    if began is None or counter.reset_at is None:
        return None
    start = began.date()
    return Window(start, counter.reset_at.astimezone(UTC), start if began == _midnight(start) else start + _DAY)


def resets_within(counter: BudgetCounter, start: date, end: date, now: datetime) -> list[date]:
    """Days from `start` to `end`, both included, on which the counter went back to 0, ascending; [] where unknown.

    Resets to come are not among them. Those before the present window are where the calendar puts them, were the
    budget as old as that.
    """
    began, step = _cycle(counter, now)
    if began is None:
        return []
    if isinstance(step, timedelta) and step <= _DAY:
        last = min(end, now.astimezone(UTC).date())
        return [start + timedelta(days=offset) for offset in range((last - start).days + 1)]
    found: list[date] = []
    while began.date() >= start:
        if began.date() <= end:
            found.append(began.date())
        if step is None or began - _EPOCH < (_MONTH if step == "month" else step):
            break
        began = _before(began) if step == "month" else began - step
    return found[::-1]


def forecast(counter: BudgetCounter, daily: Sequence[tuple[date, float]], now: datetime) -> Forecast | NoForecast:
    """Whether the budget lasts to its reset, at the mean of the last full days of its window.

    `daily` is USD by UTC day, from its first day to today or yesterday: a day missing in between had no spend. For
    `MOST_DAYS` full days it must begin that long before today, whatever range is on screen.
    """
    now = now.astimezone(UTC)
    today, limit = now.date(), counter.limit
    if limit is None:
        return NoForecast("there is no limit")
    reset = counter.reset_at.astimezone(UTC) if counter.reset_at else None
    if reset and reset <= now:
        return NoForecast(f"the reset of {day(reset.date(), today)} is overdue")
    present = window(counter, now)
    spent = _full_days(daily, present.first_full if present else None, today)
    rate = sum(spent) / len(spent) if len(spent) >= FEWEST_DAYS else 0.0
    how = f"mean of {len(spent)} full days"
    if counter.spend >= limit:
        return Forecast(rate, len(spent), None, None, None, True, "", now, reset)
    size = length(_duration(counter)) if counter.duration else None
    if size and min(size, present.end - _midnight(present.start) if present else size) < FEWEST_DAYS * _DAY:
        return NoForecast(f"a budget that resets every {in_words(_duration(counter))} is too short for a forecast")
    if daily and daily[-1][0] < today - _DAY:
        return NoForecast(f"the days up to today are missing from {day(daily[-1][0] + _DAY, today)} on")
    if len(spent) < FEWEST_DAYS:
        there = {0: "there is none", 1: "there is 1"}.get(len(spent), f"there are {len(spent)}")
        return NoForecast(f"a forecast needs {FEWEST_DAYS} full days; {there}")
    if rate <= 0:
        return NoForecast(f"nothing spent in the last {len(spent)} days")
    left = (limit - counter.spend) / rate
    ends = now + timedelta(days=left) if left < _FARTHEST else None
    if ends and reset and ends >= reset:
        ends = None
    return Forecast(
        rate,
        len(spent),
        ends.date() if ends else None,
        reset - ends if ends and reset else None,
        counter.spend + rate * ((reset - now) / _DAY) if reset else None,
        False,
        how,
        now,
        reset,
    )


def projection(forecast: Forecast, counter: BudgetCounter, today: date, until: date) -> list[float]:
    """The counter in USD at the end of each day after `today` to `until`, at the forecast's rate, past the limit too.

    A budget that is used up stays as it is. From each reset on the counter grows from 0 again.
    """
    _, step = _cycle(counter, forecast.at)
    base, since, rate = counter.spend, forecast.at, 0.0 if forecast.over else forecast.rate
    reset = forecast.reset_at
    found = []
    for offset in range(1, (until - today).days + 1):
        end = _midnight(today + timedelta(days=offset)) + _DAY
        while reset and reset < end:
            base, since, rate = 0.0, reset, forecast.rate
            if isinstance(step, timedelta):
                # resets of less than a day are as good as one at each midnight
                reset += max(step, _DAY)
            else:
                reset = _after(reset) if step else None
        found.append(base + rate * ((end - since) / _DAY))
    return found


def budget_words(forecast: Forecast | NoForecast) -> str:
    """The forecast in one line, such as `at $1.90 a day it ends on 28 Nov, 3 d early`; why there is none otherwise."""
    if isinstance(forecast, NoForecast):
        return forecast.reason
    today, reset = forecast.at.date(), forecast.reset_at
    if forecast.over:
        return f"used up, {_span(reset - forecast.at)} before the reset" if reset else "used up"
    rate = f"at {money(forecast.rate)} a day"
    if forecast.ends_on:
        ends = "today" if forecast.ends_on == today else f"on {day(forecast.ends_on, today)}"
        return f"{rate} it ends {ends}" + (f", {_span(forecast.early)} early" if forecast.early else "")
    if reset:
        return f"{rate}, {money(forecast.at_reset)} by the reset on {day(reset.date(), today)}"
    return f"{rate} it lasts for more than {_FARTHEST // 365} years"


def _full_days(daily: Sequence[tuple[date, float]], first: date | None, today: date) -> list[float]:
    """USD of the last full days that `daily` covers, from `first` on where that is known; at most `MOST_DAYS`."""
    if not daily:
        return []
    by_day: dict[date, float] = {}
    for each, usd in daily:
        by_day[each] = by_day.get(each, 0.0) + usd
    begin = max(daily[0][0], today - MOST_DAYS * _DAY, first or date.min)
    return [by_day.get(begin + offset * _DAY, 0.0) for offset in range((today - begin).days)]


def _duration(counter: BudgetCounter) -> str:
    duration = (counter.duration or "").strip().lower()
    return _WORDS.get(duration, duration)


def _cycle(counter: BudgetCounter, now: datetime) -> tuple[datetime | None, _Step | None]:
    """When the present window began, and how far apart the resets before and after it are; None for what is unknown."""
    if counter.reset_at is None or counter.reset_at <= now:
        return None, None
    try:
        began, step = _began(_duration(counter), counter.reset_at.astimezone(UTC), now)
    except OverflowError:  # a duration or a reset of thousands of years
        return None, None
    # a reset farther away than the duration: one of the two was changed by hand
    return (began, step) if began and began <= now else (None, None)


def _began(duration: str, reset: datetime, now: datetime) -> tuple[datetime | None, _Step | None]:
    size = length(duration)
    if not size:
        return None, None
    unit, exact = duration.lstrip("0123456789"), reset.microsecond != 0
    if unit == "mo":
        if duration != "1mo":
            return None, None
        if exact:
            return _month_earlier(reset), None
        return (_before(reset), "month") if _first(reset) else (None, None)
    if exact:
        return reset - size, None
    if duration == "30d" and _first(reset):
        return _before(reset), "month"
    # up to 1.83 weeks end at the next midnight; hours, minutes and seconds do on every release, or a little later
    most = {"d": size, "w": _DAY}.get(unit, 2 * _DAY)
    if unit == "d" or size <= _DAY or reset - now > most:
        return reset - size, size
    return None, None


def _midnight(when: date) -> datetime:
    return datetime(when.year, when.month, when.day, tzinfo=UTC)


def _first(reset: datetime) -> datetime | None:
    """The first of the month that `reset` stands for, in whatever time zone and at whatever hour the gateway resets."""
    first = _midnight((reset + _EARLIEST).date().replace(day=1))
    return first if reset - first <= _LATEST else None


def _before(reset: datetime) -> datetime:
    """The reset a calendar month before one that stands for a first of the month."""
    first = _midnight((reset + _EARLIEST).date().replace(day=1))
    return _midnight((first - _DAY).date().replace(day=1)) + (reset - first)


def _after(reset: datetime) -> datetime:
    """The reset a calendar month after one that stands for a first of the month."""
    first = _midnight((reset + _EARLIEST).date().replace(day=1))
    return _midnight((first + 31 * _DAY).date().replace(day=1)) + (reset - first)


def _month_earlier(reset: datetime) -> datetime | None:
    """The moment whose month later is `reset`; None where several are, as 28 Feb is for 28 to 31 January."""
    before = _midnight(reset.date().replace(day=1)) - _DAY
    is_last = (reset + _DAY).month != reset.month
    if reset.day > before.day or (is_last and before.day > reset.day):
        return None
    return reset.replace(year=before.year, month=before.month)


def _span(span: timedelta) -> str:
    """`3 d`, `5 h`, `<1 h`."""
    if span >= _DAY:
        return f"{span // _DAY} d"
    hours = span // timedelta(hours=1)
    return f"{hours} h" if hours else "<1 h"
