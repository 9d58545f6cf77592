"""The tables of the usage screen: what their rows are, how they are sorted, and what a cell says.

Numbers come from one `Usage` object alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tui import look
from tui.formatting import NAMELESS, count, day, models_summary, money, short_count
from tui.gateway.fields import visible
from tui.gateway.usage import NO_MODEL, Metrics, Usage
from tui.savings import by_provider
from tui.widgets.table import Cell, Column, Row, sort_key

Kind = Literal["model", "key", "day", "provider"]


@dataclass(frozen=True, slots=True)
class Names:
    """What the tables call things by: a team by its id, and the provider of each model where it is known."""

    team: Callable[[str | None], str] = lambda team_id: team_id or ""
    providers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a table before it is drawn.

    `words` are its name and details, by column. `models` are the raw names of the models whose rows it sums, where it
    is a model's or a provider's; `known` is False where LiteLLM does not say whose these requests were.
    """

    key: str
    words: dict[str, str]
    metrics: Metrics
    order: float = 0.0
    models: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """One of the tables. `id` is also what a row of it is called in a sentence; `sort`, `reverse`: its own order."""

    id: Kind
    title: str
    columns: tuple[Column, ...]
    items: Callable[[Usage, Names], list[Item]]
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
    Column("per1m", "$/M tok", 7, right=True, drop=7),
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
    "per1k": lambda sums: sums.per_thousand_requests,
    "per1m": lambda sums: sums.per_million_tokens,
    "prompt": lambda sums: sums.prompt_tokens,
    "completion": lambda sums: sums.completion_tokens,
    "cached": lambda sums: sums.cache_read_input_tokens,
}
"""What a column of numbers is sorted by; every other column is words."""


def model_labels(usage: Usage) -> dict[str, tuple[str, str]]:
    """Each model's short name and its provider: `gpt-4o`, `openai`. A name that would be ambiguous stays whole."""
    names = [row.model for row in usage.by_model]
    short = [name.partition("/")[2] or name for name in names]
    return {
        name: (tail, name.partition("/")[0] if "/" in name else "") if short.count(tail) == 1 else (name, "")
        for name, tail in zip(names, short, strict=True)
    }


def _models(usage: Usage, names: Names) -> list[Item]:
    labels = model_labels(usage)
    return [
        Item(
            row.model,
            {
                "name": visible(labels[row.model][0]) or NAMELESS,
                "provider": labels[row.model][1] or names.providers.get(row.model) or "",
            },
            row.metrics,
            models=tuple(row.names),
            known=_named(row.names),
        )
        for row in usage.by_model
    ]


def _keys(usage: Usage, names: Names) -> list[Item]:
    labels = model_labels(usage)

    def models(used: list[str]) -> str:
        return models_summary([labels.get(name, (name, ""))[0] for name in used]) if used else ""

    return [
        Item(
            row.hash,
            {"name": row.label, "team": names.team(row.team_id), "models": models(row.models)},
            row.metrics,
            known=bool(row.hash),
        )
        for row in usage.by_key
    ]


def _days(usage: Usage, names: Names) -> list[Item]:
    return [
        Item(row.date.isoformat(), {"name": f"{row.date:%a} {day(row.date)}"}, row.metrics, row.date.toordinal())
        for row in usage.daily
    ]


def _providers(usage: Usage, names: Names) -> list[Item]:
    return [
        Item(
            each.provider,
            {"name": visible(each.label) or NAMELESS},
            each.metrics,
            models=tuple(each.names),
            known=_named(each.names),
        )
        for each in by_provider(usage, names.providers)
    ]


def _named(models: Sequence[str]) -> bool:
    return NO_MODEL not in models


VIEWS = (
    View(
        "model",
        "Model",
        (Column("name", "Model", 24, grow=True, most=44), Column("provider", "Provider", 10, drop=8), *_NUMBERS),
        _models,
    ),
    View(
        "key",
        "Key",
        (
            Column("name", "Key", 24, grow=True, most=36),
            Column("team", "Team", 12, drop=8),
            *_NUMBERS,
            Column("models", "Models", 24, drop=8),
        ),
        _keys,
    ),
    View("day", "Day", (Column("name", "Day", 24), *_NUMBERS), _days, "name"),
    View("provider", "Provider", (Column("name", "Provider", 24, grow=True, most=44), *_NUMBERS), _providers),
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
    failing = sums.api_requests > 0 and sums.failed_requests / sums.api_requests >= 0.05
    cells = {
        "spend": Cell(money(sums.spend)),
        "share": Cell("–" if share is None else share_text(share)),
        "bar": Cell(style=look.GOOD, part=sums.spend / largest if largest > 0 else 0.0),
        "requests": Cell(count(sums.api_requests)),
        "tokens": Cell(short_count(sums.total_tokens)),
        "failed": Cell(
            f"{'!' if failing else ''}{_in_five(sums.failed_requests)}" if sums.failed_requests else "–",
            look.BAD if failing else "" if sums.failed_requests else look.DIM,
        ),
        "per1k": Cell(_price(sums.per_thousand_requests)),
        "per1m": Cell(_price(sums.per_million_tokens)),
        "prompt": Cell(short_count(sums.prompt_tokens), look.DIM),
        "completion": Cell(short_count(sums.completion_tokens), look.DIM),
        "cached": Cell(short_count(sums.cache_read_input_tokens), look.DIM),
    }
    for name, words in item.words.items():
        cells[name] = Cell(words, "" if name == "name" else look.DIM)
    return Row(item.key, cells)


def _in_five(number: int) -> str:
    """`9,999`, `17.9k`: in the cells that the mark leaves; a number that is cut off would be another."""
    return count(number) if number < 10_000 else short_count(number)


def _price(usd: float | None) -> str:
    return "–" if usd is None else money(usd) if usd < 1000 else f"${short_count(usd)}"


def share_text(share: float) -> str:
    """`48.8 %`, `100 %`; what rounds to nothing and is not nothing is `<0.1 %`."""
    value = share * 100
    return "100 %" if value >= 99.95 else "<0.1 %" if 0 < value < 0.05 else f"{value:.1f} %"
