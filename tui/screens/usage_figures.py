"""The charts of the usage screen. Numbers come from one `Usage` object and the budget's counter beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from tui.charts import Series, bars_with_failures, heat, line, stacked_bars, top_series
from tui.forecast import Forecast, projection, resets_within
from tui.formatting import day
from tui.gateway.usage import Usage
from tui.reports import BudgetCounter
from tui.screens.usage_tables import model_labels
from tui.spans import Span, Unit, model_sums, summed
from tui.widgets.chart import Figure

CHARTS = ("spend", "requests", "tokens", "cumulative", "calendar")
TITLES = {
    "spend": "spend",
    "requests": "requests",
    "tokens": "tokens",
    "cumulative": "spend added up",
    "calendar": "calendar",
}
"""What the key that shows the next chart says."""
LEAST_CALENDAR = 15
"""Days from which a calendar says more than the bars do."""


def charts_for(start: date, end: date) -> tuple[str, ...]:
    """The charts that make sense for these days."""
    return CHARTS if (end - start).days + 1 >= LEAST_CALENDAR else CHARTS[:-1]


def figure(
    kind: str,
    usage: Usage,
    bars: Sequence[Span],
    unit: Unit,
    counter: BudgetCounter | None,
    forecast: Forecast | None,
    now: datetime,
) -> Figure | None:
    """The chart of these days, cut into `bars` of a `unit`; None where there is nothing to draw.

    `counter` is the budget that these days count against, None where they are only a part of what counts.
    """
    labels = [bar.label for bar in bars]
    if kind == "requests":
        if not usage.totals.api_requests:
            return None
        sums = summed(usage.daily, bars)
        ok = [float(each.api_requests - each.failed_requests) for each in sums]
        failed = [float(each.failed_requests) for each in sums]
        return partial(bars_with_failures, labels, ok, failed, title=_title("Requests", bars, unit, now))
    if kind == "tokens":
        if not usage.totals.total_tokens:
            return None
        return partial(stacked_bars, labels, tokens(usage, bars), unit="", title=_title("Tokens", bars, unit, now))
    if usage.totals.spend <= 0:
        return None
    if kind == "calendar":
        days, spends = [row.date for row in usage.daily], [row.metrics.spend for row in usage.daily]
        return partial(heat, days, spends, title="Spend a day")
    if kind == "cumulative":
        return _curve_figure(added_up(usage, counter, forecast, now))
    return partial(stacked_bars, labels, spend_by_model(usage, bars), title=_title("Spend", bars, unit, now))


def _title(what: str, bars: Sequence[Span], unit: Unit, now: datetime) -> str:
    """`Spend a week, 27 Aug to 24 Nov`: the ends are named where they cut the first or the last bar short."""
    first, after, today = bars[0].first, bars[-1].last + timedelta(days=1), now.astimezone(UTC).date()
    begin, end = day(first, today), day(bars[-1].last, today)

    def starts(each: date) -> bool:
        return unit == "day" or (each.weekday() == 0 if unit == "week" else each.day == 1)

    cut = {
        (True, True): "",
        (True, False): f", to {end}",
        (False, True): f", from {begin}",
        (False, False): f", {begin} to {end}",
    }
    return f"{what} a {unit}{cut[starts(first), starts(after)]}"


def spend_by_model(usage: Usage, bars: Sequence[Span]) -> list[Series]:
    """USD per bar of the five largest models and of the others together."""
    names = model_labels(usage)
    sums = model_sums(usage, bars)
    return top_series([Series(names[model][0], [each.spend for each in some]) for model, some in sums.items()])


def tokens(usage: Usage, bars: Sequence[Span]) -> list[Series]:
    """Tokens per bar by what they were: prompt tokens count those read from a cache and written to it."""
    sums = summed(usage.daily, bars)
    read = [float(each.cache_read_input_tokens) for each in sums]
    written = [float(each.cache_creation_input_tokens) for each in sums]
    fresh = [
        max(0.0, float(each.prompt_tokens - each.cache_read_input_tokens - each.cache_creation_input_tokens))
        for each in sums
    ]
    found = [
        Series("prompt", fresh),
        Series("completion", [float(each.completion_tokens) for each in sums]),
        Series("cache read", read),
        Series("cache creation", written),
    ]
    return [each for each in found if any(each.values)]


@dataclass(frozen=True, slots=True)
class Curve:
    """Spend added up by day (USD). `values` may be shorter than `labels`: the days ahead are those of `ahead`.

    `restarts` are indices of days on which the budget's counter began anew; `crossing` the day, as an index, on which
    the projection reaches the `limit`.
    """

    labels: list[str]
    values: list[float]
    restarts: list[int]
    limit: float | None = None
    ahead: tuple[float, ...] = ()
    crossing: int | None = None


def added_up(usage: Usage, counter: BudgetCounter | None, forecast: Forecast | None, now: datetime) -> Curve:
    """Spend of the days added up; with a budget, as its counter saw them (S25).

    The counter is what LiteLLM goes by, so the curve ends on it; days before a reset are added up from the first day
    shown. Where the counter is below the sum of the days, and no reset explains it, there is no line for the limit.
    """
    days = [row.date for row in usage.daily]
    today = now.astimezone(UTC).date()
    counts = counter is not None and counter.limit and usage.end >= today
    resets = resets_within(counter, usage.start, usage.end, now) if counter and counts else []
    restarts = [(each - usage.start).days for each in resets if each > usage.start]
    values, running = [], 0.0
    for index, row in enumerate(usage.daily):
        running = row.metrics.spend + (0.0 if index in restarts else running)
        values.append(running)
    labels = [each.isoformat() for each in days]
    if counter is None or not counts:
        return Curve(labels, values, [])
    first = restarts[-1] if restarts else 0
    before = counter.spend - (values[-1] if values else 0.0)
    if before < -0.005 and not resets:
        return Curve(labels, values, [])
    values[first:] = [max(0.0, each + before) for each in values[first:]]
    ahead: list[float] = []
    if forecast and counter.reset_at:
        # no more of the future than of the past, and not the drop at the reset
        last = (counter.reset_at.astimezone(UTC) - timedelta(microseconds=1)).date()
        until = min(last, today + timedelta(days=len(days)))
        ahead = projection(forecast, counter, today, until)
    labels += [(today + timedelta(days=number)).isoformat() for number in range(1, len(ahead) + 1)]
    limit = counter.limit or 0.0
    crossing = next((len(days) + index for index, each in enumerate(ahead) if each >= limit > counter.spend), None)
    return Curve(labels, values, restarts, counter.limit, tuple(ahead), crossing)


def _curve_figure(curve: Curve) -> Figure:
    return partial(
        line,
        curve.labels,
        curve.values,
        curve.limit,
        title="Spend added up",
        name="spent so far" if curve.limit is None else "counted",
        projection=curve.ahead,
        restarts=curve.restarts,
        crossing=curve.crossing,
    )
