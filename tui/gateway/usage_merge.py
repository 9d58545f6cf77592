"""What usage consists of: sums, the parts of an answer as they come, and the views over them (S21-S23).

Every way of asking ends in a `Part`: sums by day and model, and by day and key. `views` puts parts together; each row
is in exactly one part, so it is counted once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from tui.gateway.fields import mapping, number, visible, whole, word

NO_MODEL = "unknown-model"
"""Where LiteLLM counted a request without naming its model; its own word for it."""


@dataclass(slots=True)
class Metrics:
    """Sums over some rows: USD, tokens, requests."""

    spend: float = 0.0
    total_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    api_requests: int = 0
    successful_requests: int = 0
    failed_requests: int = 0

    @classmethod
    def of(cls, raw: Any) -> Self:
        """From LiteLLM's `metrics`; what is missing or null counts as 0 (S23)."""
        found = mapping(raw)
        values = {name: whole(found.get(name)) or 0 for name in _COUNTS}
        if found.get("total_tokens") is None:
            values["total_tokens"] = values["prompt_tokens"] + values["completion_tokens"]
        return cls(spend=number(found.get("spend")) or 0.0, **values)

    def add(self, other: "Metrics") -> None:
        """Add `other` to these sums."""
        for name in _ALL:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def without(self, other: "Metrics") -> "Metrics":
        """What is left of these sums when `other` is taken away; a spend below a billionth of a dollar is none."""
        left = Metrics(**{name: getattr(self, name) - getattr(other, name) for name in _ALL})
        if abs(left.spend) < 1e-9 * max(1.0, abs(self.spend)):
            left.spend = 0.0
        return left

    def above_zero(self) -> "Metrics":
        """These sums with 0 for every one below it."""
        return Metrics(**{name: max(getattr(self, name), 0) for name in _ALL})

    def counts(self, other: "Metrics") -> bool:
        """Whether every whole number is the same in `other`; sums of dollars depend on their order."""
        return all(getattr(self, name) == getattr(other, name) for name in _COUNTS)

    @property
    def per_thousand_requests(self) -> float | None:
        """USD per 1,000 requests; None without requests."""
        return self.spend / self.api_requests * 1000 if self.api_requests else None

    @property
    def per_million_tokens(self) -> float | None:
        """USD per million tokens, in and out together; None without tokens."""
        return self.spend / self.total_tokens * 1e6 if self.total_tokens else None

    @property
    def empty(self) -> bool:
        """Whether every sum is 0."""
        return not any(getattr(self, name) for name in _ALL)


_ALL = tuple(each.name for each in fields(Metrics))
_COUNTS = tuple(name for name in _ALL if name != "spend")


@dataclass(slots=True)
class DayUsage:
    """One UTC day."""

    date: date
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class ModelUsage:
    """One model, under the name that LiteLLM recorded; `x` is counted with `provider/x` where both occur (S23).

    `names` has every recorded name that is counted here, sorted: a question narrowed to them has exactly these rows.
    """

    model: str
    metrics: Metrics = field(default_factory=Metrics)
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class KeyUsage:
    """One virtual key. "" is "no key known".

    `models` in first-seen order (releases that export say no days for it: by month, and in a month by the first day of
    the model); [] where it was not asked for or the release does not say.
    """

    hash: str
    alias: str | None = None
    team_id: str | None = None
    models: list[str] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def label(self) -> str:
        """The alias, else the first 8 of the hash (S23)."""
        return visible(self.alias) or self.hash[:8] or "no key"


@dataclass(slots=True)
class DayModelUsage:
    """One model on one UTC day."""

    date: date
    model: str
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class Usage:
    """The views of S21 over `start` to `end`, both included. `notes` say what this release cannot tell.

    `calls` is how many calls it took.
    """

    start: date
    end: date
    as_of: datetime
    totals: Metrics = field(default_factory=Metrics)
    daily: list[DayUsage] = field(default_factory=list)
    by_model: list[ModelUsage] = field(default_factory=list)
    by_key: list[KeyUsage] = field(default_factory=list)
    daily_by_model: list[DayModelUsage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    calls: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the `usage --json` command prints it: dates as ISO 8601, numbers as numbers."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "as_of": self.as_of.isoformat(timespec="seconds"),
            "totals": asdict(self.totals),
            "daily": [{"date": row.date.isoformat(), **asdict(row.metrics)} for row in self.daily],
            "by_model": [{"model": row.model, **asdict(row.metrics)} for row in self.by_model],
            "by_key": [
                {
                    "api_key": row.hash,
                    "key_alias": row.alias,
                    "team_id": row.team_id,
                    "models": row.models,
                    **asdict(row.metrics),
                }
                for row in self.by_key
            ],
            "daily_by_model": [
                {"date": row.date.isoformat(), "model": row.model, **asdict(row.metrics)} for row in self.daily_by_model
            ],
            "notes": self.notes,
        }


@dataclass(slots=True)
class Part:
    """The sums of the days `start` to `end`, both included, as they were at `at` (UTC).

    `cells` and `keys` both hold every row, by (day, model) and by (day, hash). `names` has alias and team of a key;
    `models` the models of a key in first-seen order, None where that was not asked for.
    """

    start: date
    end: date
    at: datetime
    cells: dict[tuple[date, str], Metrics] = field(default_factory=dict)
    keys: dict[tuple[date, str], Metrics] = field(default_factory=dict)
    names: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    models: dict[str, list[str]] | None = None

    def add_cell(self, day: date, model: str, sums: Metrics) -> None:
        """Add sums of one model on one day."""
        self.cells.setdefault((day, model or NO_MODEL), Metrics()).add(sums)

    def add_key(self, day: date, hash: str, sums: Metrics) -> None:
        """Add sums of one key on one day."""
        self.keys.setdefault((day, hash), Metrics()).add(sums)

    def name(self, hash: str, alias: Any, team_id: Any) -> None:
        """Take alias and team of a key, where none is known yet (S23)."""
        old = self.names.get(hash, (None, None))
        self.names[hash] = (old[0] or word(alias), old[1] or word(team_id))

    def used(self, hash: str, model: str) -> None:
        """The key used the model."""
        self.models = {} if self.models is None else self.models
        found = self.models.setdefault(hash, [])
        if model and model not in found:
            found.append(model)

    def take(self, other: "Part") -> None:
        """Add all of another part of the same range."""
        for (day, model), sums in other.cells.items():
            self.add_cell(day, model, sums)
        for (day, hash), sums in other.keys.items():
            self.add_key(day, hash, sums)
        for hash, (alias, team_id) in other.names.items():
            self.name(hash, alias, team_id)
        for hash, models in (other.models or {}).items():
            for model in models:
                self.used(hash, model)

    def cut(self, start: date, end: date) -> "Part":
        """The days `start` to `end` of it; `models` is of all its days, so it is left out unless all are wanted."""
        if start <= self.start and end >= self.end:
            return self
        keys = {where: sums for where, sums in self.keys.items() if start <= where[0] <= end}
        hashes = {hash for _, hash in keys}
        return Part(
            max(start, self.start),
            min(end, self.end),
            self.at,
            {where: sums for where, sums in self.cells.items() if start <= where[0] <= end},
            keys,
            {hash: names for hash, names in self.names.items() if hash in hashes},
        )

    def unlike(self) -> list[date]:
        """Days on which the sums of the models are not those of the keys: rows came between two questions."""
        by_model, by_key = _by_day(self.cells), _by_day(self.keys)
        return sorted(
            day
            for day in by_model.keys() | by_key.keys()
            if not by_model.get(day, Metrics()).counts(by_key.get(day, Metrics()))
        )

    def on(self, day: date) -> tuple[Metrics, Metrics]:
        """The sums of one day: of its models, and of its keys."""
        return _by_day(self.cells, day).get(day, Metrics()), _by_day(self.keys, day).get(day, Metrics())

    @property
    def size(self) -> int:
        """How many sums it has."""
        return len(self.cells) + len(self.keys)

    @property
    def totals(self) -> Metrics:
        """The sums of all its rows."""
        found = Metrics()
        for sums in self.cells.values():
            found.add(sums)
        return found

    def same(self, other: "Part") -> bool:
        """Whether every whole number is the same in `other`."""
        return all(
            mine.keys() == others.keys() and all(sums.counts(others[where]) for where, sums in mine.items())
            for mine, others in ((self.cells, other.cells), (self.keys, other.keys))
        )

    def of_no_model(self, hash: str) -> "Part":
        """The rows that name no model, of a part with the rows of one key alone."""
        found = Part(self.start, self.end, self.at)
        for (day, model), sums in self.cells.items():
            if model == NO_MODEL:
                found.add_cell(day, model, sums)
                found.add_key(day, hash, sums)
        found.names = dict(self.names)
        return found

    def replace(self, days: Iterable[date], other: "Part") -> None:
        """Take these days from `other` instead."""
        gone = set(days)
        self.cells = {where: sums for where, sums in self.cells.items() if where[0] not in gone}
        self.keys = {where: sums for where, sums in self.keys.items() if where[0] not in gone}
        self.cells |= {where: sums for where, sums in other.cells.items() if where[0] in gone}
        self.keys |= {where: sums for where, sums in other.keys.items() if where[0] in gone}
        for hash, (alias, team_id) in other.names.items():
            self.name(hash, alias, team_id)

    def to_json(self) -> dict[str, Any]:
        """For a file: rows are `[days after start, name, spend, tokens …]` in `Metrics`' order, and no secret."""

        def rows(table: Mapping[tuple[date, str], Metrics]) -> list[list[Any]]:
            return [
                [(day - self.start).days, name, *(getattr(sums, each) for each in _ALL)]
                for (day, name), sums in table.items()
            ]

        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "at": self.at.isoformat(),
            "cells": rows(self.cells),
            "keys": rows(self.keys),
            "names": {hash: list(names) for hash, names in self.names.items()},
            "models": self.models,
        }

    @classmethod
    def from_json(cls, raw: Any) -> "Part":
        """The reverse of `to_json`. Raises `ValueError` for anything that it did not write."""
        try:
            start, end = date.fromisoformat(raw["start"]), date.fromisoformat(raw["end"])
            at = datetime.fromisoformat(raw["at"]).astimezone(UTC)
            models = raw["models"]
            part = cls(
                start,
                end,
                at,
                _table(raw["cells"], start, end),
                _table(raw["keys"], start, end),
                {_text(hash): (word(alias), word(team)) for hash, (alias, team) in raw["names"].items()},
                None if models is None else {hash: [_text(each) for each in some] for hash, some in models.items()},
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a part of a usage answer: {type(error).__name__}") from None
        if part.unlike():
            raise ValueError("the sums do not agree")
        return part


def _by_day(table: Mapping[tuple[date, str], Metrics], only: date | None = None) -> dict[date, Metrics]:
    found: dict[date, Metrics] = {}
    for (day, _), sums in table.items():
        if only is None or day == only:
            found.setdefault(day, Metrics()).add(sums)
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _table(rows: Any, start: date, end: date) -> dict[tuple[date, str], Metrics]:
    found: dict[tuple[date, str], Metrics] = {}
    for offset, name, spend, *counts in rows:
        day = start + timedelta(days=offset)
        whole_numbers = all(type(each) is int for each in counts)
        if not (start <= day <= end and whole_numbers and len(counts) == len(_COUNTS) and number(spend) is not None):
            raise ValueError("not a row of a usage answer")
        if type(spend) not in (int, float) or (day, _text(name)) in found:
            raise ValueError("not a row of a usage answer")
        found[day, name] = Metrics(float(spend), *counts)
    return found


def part_of(days: Iterable[dict[str, Any]], start: date, end: date, at: datetime | None = None) -> Part:
    """The sums of LiteLLM's day records, in any order and any split into pages; days beyond the range are left out.

    They are as of `at`, which is now unless said.
    """
    part = Part(start, end, at or datetime.now(UTC), models={})
    ordered = sorted((found for row in days if (found := _day(row)) and start <= found[0] <= end), key=_first)
    for day, row in ordered:
        whole_day = Metrics.of(row.get("metrics"))
        breakdown = mapping(row.get("breakdown"))
        named = Metrics()
        for model, raw in mapping(breakdown.get("models")).items():
            sums = Metrics.of(mapping(raw).get("metrics"))
            named.add(sums)
            part.add_cell(day, model, sums)
            for hash, raw_key in mapping(mapping(raw).get("api_key_breakdown")).items():
                _name(part, hash, raw_key)
                part.used(hash, model)
        if not (left := whole_day.without(named).above_zero()).empty:
            part.add_cell(day, NO_MODEL, left)
        named = Metrics()
        by_hash = mapping(breakdown.get("api_keys"))
        for hash, raw in by_hash.items():
            sums = Metrics.of(mapping(raw).get("metrics"))
            named.add(sums)
            part.add_key(day, hash, sums)
            _name(part, hash, raw)
            if len(by_hash) == 1:
                # 1.74 has no cross of models and keys; where one key is alone in the rows, all their models are its
                for model in mapping(breakdown.get("models")):
                    part.used(hash, model)
        if not (left := whole_day.without(named).above_zero()).empty:
            part.add_key(day, "", left)
    agree(part)
    return part


def agree(part: Part) -> None:
    """Make the views agree (S21): what no key is named for is "no key"'s, what no model is named for `NO_MODEL`'s."""
    for day in part.unlike():
        by_model, by_key = part.on(day)
        if not (left := by_model.without(by_key).above_zero()).empty:
            part.add_key(day, "", left)
        if not (left := by_key.without(by_model).above_zero()).empty:
            part.add_cell(day, NO_MODEL, left)


def merge(days: list[dict[str, Any]], start: date, end: date) -> Usage:
    """The views over LiteLLM's day records (S21-S23)."""
    return views([part_of(days, start, end)], start, end)


def views(parts: Iterable[Part], start: date, end: date, as_of: datetime | None = None) -> Usage:
    """The views over parts that have no row in common; `as_of` is now unless said."""
    totals = Metrics()
    daily = {day: Metrics() for day in every_day(start, end)}
    cells: dict[tuple[date, str], Metrics] = {}
    keys: dict[str, KeyUsage] = {}
    for part in sorted(parts, key=lambda part: part.start):
        for (day, model), sums in part.cells.items():
            if day in daily:
                totals.add(sums)
                daily[day].add(sums)
                cells.setdefault((day, model), Metrics()).add(sums)
        for (day, hash), sums in part.keys.items():
            if day in daily:
                keys.setdefault(hash, KeyUsage(hash)).metrics.add(sums)
        for hash, (alias, team_id) in part.names.items():
            if hash in keys:
                keys[hash].alias = keys[hash].alias or alias
                keys[hash].team_id = keys[hash].team_id or team_id
        for hash, models in (part.models or {}).items():
            if hash in keys:
                keys[hash].models.extend(models)
    names = _one_name_each({model for _, model in cells})
    by_model: dict[str, ModelUsage] = {}
    by_cell: dict[tuple[date, str], DayModelUsage] = {}
    for (day, raw_name), sums in cells.items():
        model = names[raw_name]
        row = by_model.setdefault(model, ModelUsage(model))
        row.metrics.add(sums)
        if raw_name not in row.names:
            row.names.append(raw_name)
        by_cell.setdefault((day, model), DayModelUsage(day, model)).metrics.add(sums)
    for row in by_model.values():
        row.names.sort()
    for key in keys.values():
        key.models = list(dict.fromkeys(names.get(model, model) for model in key.models))
    return Usage(
        start=start,
        end=end,
        as_of=as_of or datetime.now(UTC),
        totals=totals,
        daily=[DayUsage(day, sums) for day, sums in sorted(daily.items())],
        by_model=sorted(by_model.values(), key=lambda row: (-row.metrics.spend, row.model)),
        by_key=sorted(keys.values(), key=lambda row: (-row.metrics.spend, row.label, row.hash)),
        daily_by_model=sorted(by_cell.values(), key=lambda row: (row.date, -row.metrics.spend, row.model)),
    )


def every_day(start: date, end: date) -> list[date]:
    """The days from `start` to `end`, both included."""
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


def day_of(row: Mapping[str, Any]) -> date | None:
    """The day that a row says; None where it says none."""
    try:
        return date.fromisoformat(str(row.get("date"))[:10])
    except ValueError:
        return None


def _first(item: tuple[date, dict[str, Any]]) -> date:
    return item[0]


def _day(row: dict[str, Any]) -> tuple[date, dict[str, Any]] | None:
    day = day_of(row)
    return None if day is None else (day, row)


def _name(part: Part, hash: str, raw: Any) -> None:
    said = mapping(mapping(raw).get("metadata"))
    part.name(hash, said.get("key_alias"), said.get("team_id"))


def _one_name_each(names: set[str]) -> dict[str, str]:
    """`x` is read as `provider/x` where exactly one such name occurs; every other name stands for itself (S23)."""
    longer: dict[str, list[str]] = {}
    for name in names:
        if "/" in name:
            longer.setdefault(name.partition("/")[2], []).append(name)
    return {name: longer[name][0] if len(longer.get(name, ())) == 1 else name for name in names}
