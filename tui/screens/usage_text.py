"""How a usage report is put into lines, cells and figures. Numbers come from one `Usage` object alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import accumulate

from rich.text import Text

from tui import look
from tui.charts import Series, bars_with_failures, line, stacked_bars, top_series
from tui.formatting import count, day, models_summary, money, percent, plain, resets, short_count
from tui.gateway.state import NEAR, used
from tui.gateway.usage import Metrics, Usage
from tui.reports import Budget, Report
from tui.widgets.chart import Figure
from tui.widgets.table import Cell, Column, Row, bar, sort_key


@dataclass(frozen=True, slots=True)
class Period:
    """The last `days` UTC days, today included (S20)."""

    id: str
    title: str
    days: int

    @property
    def words(self) -> str:
        """For a sentence."""
        return "today" if self.days == 1 else f"the last {self.days} days"


PERIODS = (Period("today", "Today", 1), Period("7d", "7d", 7), Period("30d", "30d", 30), Period("90d", "90d", 90))
CHARTS = ("spend", "requests", "cumulative")


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a table before it is drawn: `words` are its name and details, by column."""

    key: str
    words: dict[str, str]
    metrics: Metrics
    order: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """One of the tables. `name` is what a row is called in a sentence; `sort` and `reverse` its own order."""

    id: str
    title: str
    name: str
    columns: tuple[Column, ...]
    items: Callable[[Usage, Callable[[str | None], str]], list[Item]]
    sort: str = "spend"
    reverse: bool = True


_NUMBERS = (
    Column("spend", "Spend", 9, right=True),
    Column("share", "Share", 6, right=True, drop=2),
    Column("bar", "", 4, grow=True, most=30, drop=3, sortable=False),
    Column("requests", "Requests", 8, right=True, drop=1),
    Column("tokens", "Tokens", 7, right=True, drop=6),
    Column("failed", "Failed", 6, right=True, drop=4),
    Column("per1k", "$/1k req", 8, right=True, drop=5),
    Column("prompt", "In", 7, right=True, drop=9),
    Column("completion", "Out", 7, right=True, drop=10),
    Column("cached", "Cached", 7, right=True, drop=11),
)
VALUES: dict[str, Callable[[Metrics], float | None]] = {
    "spend": lambda sums: sums.spend,
    "share": lambda sums: sums.spend,
    "requests": lambda sums: sums.api_requests,
    "tokens": lambda sums: sums.total_tokens,
    "failed": lambda sums: sums.failed_requests,
    "per1k": lambda sums: per_thousand(sums),
    "prompt": lambda sums: sums.prompt_tokens,
    "completion": lambda sums: sums.completion_tokens,
    "cached": lambda sums: sums.cache_read_input_tokens,
}
"""What a column of numbers is sorted by; every other column is words."""


def per_thousand(sums: Metrics) -> float | None:
    """USD per 1,000 requests; None without requests."""
    return sums.spend / sums.api_requests * 1000 if sums.api_requests else None


def model_labels(usage: Usage) -> dict[str, tuple[str, str]]:
    """Each model's short name and its provider: `gpt-4o`, `openai`. A name that would be ambiguous stays whole."""
    names = [row.model for row in usage.by_model]
    short = [name.partition("/")[2] or name for name in names]
    return {
        name: (tail, name.partition("/")[0] if "/" in name else "") if short.count(tail) == 1 else (name, "")
        for name, tail in zip(names, short, strict=True)
    }


def _models(usage: Usage, team: Callable[[str | None], str]) -> list[Item]:
    labels = model_labels(usage)
    return [
        Item(row.model, {"name": labels[row.model][0], "provider": labels[row.model][1]}, row.metrics)
        for row in usage.by_model
    ]


def _keys(usage: Usage, team: Callable[[str | None], str]) -> list[Item]:
    labels = model_labels(usage)

    def models(names: list[str]) -> str:
        return models_summary([labels.get(name, (name, ""))[0] for name in names]) if names else ""

    return [
        Item(row.hash, {"name": row.label, "team": team(row.team_id), "models": models(row.models)}, row.metrics)
        for row in usage.by_key
    ]


def _days(usage: Usage, team: Callable[[str | None], str]) -> list[Item]:
    return [
        Item(row.date.isoformat(), {"name": f"{row.date:%a} {day(row.date)}"}, row.metrics, row.date.toordinal())
        for row in usage.daily
    ]


VIEWS = (
    View(
        "model",
        "Model",
        "model",
        (Column("name", "Model", 24, grow=True, most=44), Column("provider", "Provider", 10, drop=8), *_NUMBERS),
        _models,
    ),
    View(
        "key",
        "Key",
        "key",
        (
            Column("name", "Key", 24, grow=True, most=36),
            Column("team", "Team", 12, drop=7),
            *_NUMBERS,
            Column("models", "Models", 24, drop=8),
        ),
        _keys,
    ),
    View("day", "Day", "day", (Column("name", "Day", 24), *_NUMBERS), _days, "name"),
)


def ordered(items: Sequence[Item], sort: str, reverse: bool) -> list[Item]:
    """The items by that column, those without a value last whichever way."""

    def value(item: Item) -> float | str | None:
        if sort in VALUES:
            return VALUES[sort](item.metrics)
        return item.order or item.words.get(sort) or None

    known = [item for item in items if value(item) is not None]
    unknown = [item for item in items if value(item) is None]
    return sorted(known, key=lambda item: sort_key(value(item)), reverse=reverse) + unknown


def table_row(item: Item, total: float, largest: float) -> Row:
    """The row of `item`; shares are of `total` USD, bars of the `largest` spend of a row."""
    sums = item.metrics
    share = sums.spend / total if total > 0 else None
    dear = per_thousand(sums)
    failing = sums.api_requests > 0 and sums.failed_requests / sums.api_requests >= 0.05
    cells = {
        "spend": Cell(money(sums.spend)),
        "share": Cell("–" if share is None else share_text(share)),
        "bar": Cell(style=look.GOOD, part=sums.spend / largest if largest > 0 else 0.0),
        "requests": Cell(count(sums.api_requests)),
        "tokens": Cell(short_count(sums.total_tokens)),
        "failed": Cell(
            f"{'!' if failing else ''}{count(sums.failed_requests)}" if sums.failed_requests else "–",
            look.BAD if failing else "" if sums.failed_requests else look.DIM,
        ),
        "per1k": Cell("–" if dear is None else money(dear) if dear < 1000 else f"${short_count(dear)}"),
        "prompt": Cell(short_count(sums.prompt_tokens), look.DIM),
        "completion": Cell(short_count(sums.completion_tokens), look.DIM),
        "cached": Cell(short_count(sums.cache_read_input_tokens), look.DIM),
    }
    for name, words in item.words.items():
        cells[name] = Cell(words, "" if name == "name" else look.DIM)
    return Row(item.key, cells)


def share_text(share: float) -> str:
    """`48.8 %`, `100 %`; what rounds to nothing and is not nothing is `<0.1 %`."""
    value = share * 100
    return "100 %" if value >= 99.95 else "<0.1 %" if 0 < value < 0.05 else f"{value:.1f} %"


def heading(label: str, period: Period, report: Report | None, width: int) -> Text:
    """`Usage of me   Today  7d [30d] 90d      UTC · as of 10:14`; the name gives way on a narrow terminal."""
    periods = Text()
    for each in PERIODS:
        chosen = each is period
        periods.append(f"[{each.title}]" if chosen else f" {each.title} ", style=look.STRONG if chosen else look.DIM)
    when = f"UTC days · as of {report.at:%H:%M} " if report else "UTC days "
    right = Text(when, style=look.DIM)
    left = Text.assemble((" Usage of ", look.DIM))
    if width < 70:
        left = Text(" ")
        right = Text(f"{report.at:%H:%M} UTC " if report else "UTC ", style=look.DIM)
    left.append(plain(label), style=look.STRONG)
    room = width - periods.cell_len - right.cell_len - 3
    if left.cell_len > room:
        left.truncate(max(room, 8), overflow="ellipsis")
    gap = " " * max(1, width - left.cell_len - 2 - periods.cell_len - right.cell_len)
    return Text.assemble(left, "  ", periods, gap, right, no_wrap=True, overflow="crop")


def totals(sums: Metrics, width: int) -> Text:
    """Spend, requests, failures and tokens of the whole range, as much as fits."""
    failed = sums.failed_requests / sums.api_requests if sums.api_requests else 0.0
    failures = f"{count(sums.failed_requests)}, {share_text(failed)}" if sums.failed_requests else "none"
    cached = sums.cache_read_input_tokens / sums.prompt_tokens if sums.prompt_tokens else 0.0
    tokens = short_count(sums.total_tokens)
    in_out = f" ({short_count(sums.prompt_tokens)} in, {short_count(sums.completion_tokens)} out)"
    part = f", {percent(cached)} cached"
    bad = look.BAD if failed >= 0.05 else look.STRONG

    def line_of(gap: str, tokens: str, requests: str = "Requests", failures: str = failures) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        pieces = (
            ("Spend", money(sums.spend), look.STRONG),
            (requests, count(sums.api_requests), look.STRONG),
            ("Failed", failures, bad if sums.failed_requests else ""),
            ("Tokens", tokens, look.STRONG),
        )
        for label, value, style in pieces:
            text.append(gap if text else " ")
            text.append(f"{label} ", style=look.DIM)
            text.append(value, style=style)
        return text

    tries = (
        line_of("    ", tokens + in_out + part),
        line_of("   ", tokens + part),
        line_of("  ", tokens + part),
        line_of("  ", tokens),
        line_of("  ", tokens, "Req", share_text(failed) if sums.failed_requests else "0"),
    )
    return next((text for text in tries if text.cell_len <= width), tries[-1])


def budget_line(budget: Budget | None, now: datetime, width: int) -> Text:
    """The record's own counter against its limit (S25); "" where there is no record."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if budget is None:
        return text
    text.append(" Budget ", style=look.DIM)
    part = used(budget.spend, budget.limit)
    if part is None:
        text.append("no limit" + (f"; {money(budget.spend)} counted" if budget.spend else ""))
        return text
    style = look.BAD if part >= 1 else look.WARN if part >= NEAR else ""
    state = ", over its limit" if part >= 1 else ", near its limit" if part >= NEAR else ""
    text.append(f"{money(budget.spend)} of {money(budget.limit)}", style=style or look.STRONG)
    if width >= 70:
        full = bar(part, 12)
        text.append(f"  {full}", style=style or look.GOOD)
        text.append("░" * (12 - len(full)), style=look.DIM)
    text.append(f"  {percent(part)}{state}", style=style)
    window = resets(budget.duration, budget.reset_at, now)
    text.append(f" · {plain(window) or 'never resets'}", style=look.DIM)
    return text


def tabs(view: View, note: str, chart: str | None, width: int) -> Text:
    """`by Model │ Key │ Day`, what the filter leaves, and what `c` would show next."""
    text = Text(no_wrap=True, overflow="crop").append(" by ", style=look.DIM)
    for number, each in enumerate(VIEWS):
        if number:
            text.append(" │ ", style=look.DIM)
        text.append(f"[{each.title}]" if each is view else each.title, style=look.STRONG if each is view else look.DIM)
    text.append(f"   {plain(note)}" if note else "")
    if chart:
        following = CHARTS[(CHARTS.index(chart) + 1) % len(CHARTS)]
        words = {"spend": "c spend a day", "requests": "c requests a day", "cumulative": "c spend added up"}[following]
        gap = width - text.cell_len - len(words) - 1
        if gap >= 2:
            text.append(" " * gap + words, style=look.DIM)
    return text


def figure(kind: str, usage: Usage) -> Figure | None:
    """The chart of these days; None where there is nothing to draw."""
    labels = [row.date.isoformat() for row in usage.daily]
    if kind == "requests":
        if not usage.totals.api_requests:
            return None
        ok = [float(row.metrics.api_requests - row.metrics.failed_requests) for row in usage.daily]
        failed = [float(row.metrics.failed_requests) for row in usage.daily]
        return partial(bars_with_failures, labels, ok, failed, title="Requests a day")
    if usage.totals.spend <= 0:
        return None
    if kind == "cumulative":
        # no line for the budget: its window starts on another day than the range (S25)
        values = list(accumulate(row.metrics.spend for row in usage.daily))
        return partial(line, labels, values, title="Spend added up", name="spent so far")
    return partial(stacked_bars, labels, spend_by_model(usage), title="Spend a day")


def spend_by_model(usage: Usage) -> list[Series]:
    """USD per day of the five largest models and of the others together."""
    where: dict[date, int] = {row.date: index for index, row in enumerate(usage.daily)}
    names = model_labels(usage)
    values: dict[str, list[float]] = {row.model: [0.0] * len(where) for row in usage.by_model}
    for row in usage.daily_by_model:
        values[row.model][where[row.date]] += row.metrics.spend
    return top_series([Series(names[model][0], spends) for model, spends in values.items()])
