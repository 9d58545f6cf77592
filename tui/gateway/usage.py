"""Usage of a user, a team or everyone over UTC days, every row counted once (S20-S26).

LiteLLM pages over raw rows, a day is split across pages, and older releases do not keep the order of the rows between
pages. So a range that does not fit one page is split into shorter ranges until each does; only a single day of more
than a page is read page by page.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, NotFound
from tui.gateway.fields import mapping, number, whole, word
from tui.gateway.keys import list_keys

PAGE = 1000
"""Raw rows per page, LiteLLM's largest."""
AT_ONCE = 2
"""Calls under way at the same time: the gateway serves others too."""
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
    """One model, under the name that LiteLLM recorded; `x` is counted with `provider/x` where both occur (S23)."""

    model: str
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class KeyUsage:
    """One virtual key. `models` in first-seen order, [] where the release does not say. "" is "no key known"."""

    hash: str
    alias: str | None = None
    team_id: str | None = None
    models: list[str] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def label(self) -> str:
        """The alias, else the first 8 of the hash (S23)."""
        return self.alias or self.hash[:8] or "no key"


@dataclass(slots=True)
class DayModelUsage:
    """One model on one UTC day."""

    date: date
    model: str
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class Usage:
    """The views of S21 over `start` to `end`, both included. `notes` say what this release cannot tell."""

    start: date
    end: date
    as_of: datetime
    totals: Metrics = field(default_factory=Metrics)
    daily: list[DayUsage] = field(default_factory=list)
    by_model: list[ModelUsage] = field(default_factory=list)
    by_key: list[KeyUsage] = field(default_factory=list)
    daily_by_model: list[DayModelUsage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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


def last_days(days: int, today: date) -> tuple[date, date]:
    """`days` UTC days ending with `today`, both ends included: 7 is today and the six before (S20)."""
    return today - timedelta(days=days - 1), today


def utc_today() -> date:
    """Today as the gateway counts days."""
    return datetime.now(UTC).date()


async def usage(client: Client, start: date, end: date, user_id: str | None, *, admin: bool = False) -> Usage:
    """Usage of one user, or with None of all that the key may see (an admin's key: everyone).

    `admin` says that the key sees more than itself. Old releases (1.74) then ignore `user_id` without a word and give
    everyone's rows; that is found out with one small call, and the user's keys are asked for one by one instead.
    """
    path = "/user/daily/activity"
    gate = asyncio.Semaphore(AT_ONCE)
    if user_id and admin and await _ignores_user(client, start, end):
        keys = await list_keys(client, user_id)
        found = await asyncio.gather(*(_days(client, path, {"api_key": key.hash}, start, end, gate) for key in keys))
        result = merge([day for rows in found for day in rows], start, end)
        result.notes.append(
            "This release cannot narrow usage to a user: the sum of the user's present keys is shown; requests of "
            "deleted keys, or refused before a key was known, are not in it."
        )
        return result
    return merge(await _days(client, path, {"user_id": user_id}, start, end, gate), start, end)


async def key_usage(client: Client, hash: str, start: date, end: date) -> Usage:
    """Usage of one virtual key."""
    gate = asyncio.Semaphore(AT_ONCE)
    return merge(await _days(client, "/user/daily/activity", {"api_key": hash}, start, end, gate), start, end)


async def team_usage(client: Client, team_id: str, start: date, end: date) -> Usage:
    """Usage of one team; a member who is no admin of it gets the part that LiteLLM lets a member see."""
    gate = asyncio.Semaphore(AT_ONCE)
    return merge(await _days(client, "/team/daily/activity", {"team_ids": team_id}, start, end, gate), start, end)


async def _ignores_user(client: Client, start: date, end: date) -> bool:
    answer = await client.get(
        "/user/daily/activity",
        {
            "user_id": "litellm-tui:nobody",
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
            "page": 1,
            "page_size": 1,
        },
    )
    return bool(mapping(answer).get("results"))


async def _days(
    client: Client,
    path: str,
    filters: Mapping[str, str | None],
    start: date,
    end: date,
    gate: asyncio.Semaphore,
) -> list[dict[str, Any]]:
    """LiteLLM's day records of the range; a day may come more than once, with other rows in each."""

    async def page(first: date, last: date, number: int) -> tuple[list[dict[str, Any]], int]:
        async with gate:
            answer = await client.get(
                path,
                {
                    **filters,
                    "start_date": first.isoformat(),
                    "end_date": last.isoformat(),
                    "page": number,
                    "page_size": PAGE,
                },
            )
        if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
            raise BadAnswer("The gateway's usage answer holds no results; is the URL LiteLLM's?")
        return [row for row in answer["results"] if isinstance(row, dict)], whole(
            mapping(answer.get("metadata")).get("total_pages")
        ) or 1

    async def span(first: date, last: date) -> list[dict[str, Any]]:
        rows, pages = await page(first, last, 1)
        if pages <= 1:
            return rows
        if first == last:
            rest = await asyncio.gather(*(page(first, last, number) for number in range(2, pages + 1)))
            return rows + [row for more, _ in rest for row in more]
        parts = _split(first, last, pages + 1)
        found = await asyncio.gather(*(span(*part) for part in parts))
        return [row for rows in found for row in rows]

    try:
        return await span(start, end)
    except NotFound:
        return []


def _split(first: date, last: date, parts: int) -> list[tuple[date, date]]:
    days = (last - first).days + 1
    size = max(1, -(-days // max(2, parts)))
    starts = [first + timedelta(days=offset) for offset in range(0, days, size)]
    return [(day, min(day + timedelta(days=size - 1), last)) for day in starts]


def merge(days: list[dict[str, Any]], start: date, end: date) -> Usage:
    """The views over LiteLLM's day records, in any order and any split into pages (S21-S23)."""
    totals = Metrics()
    daily = {day: Metrics() for day in _every_day(start, end)}
    cells: dict[tuple[date, str], Metrics] = {}
    keys: dict[str, KeyUsage] = {}
    ordered = sorted((found for row in days if (found := _day(row)) and found[0] in daily), key=lambda item: item[0])
    for day, row in ordered:
        whole_day = Metrics.of(row.get("metrics"))
        totals.add(whole_day)
        daily[day].add(whole_day)
        breakdown = mapping(row.get("breakdown"))
        named = Metrics()
        for model, raw in mapping(breakdown.get("models")).items():
            part = Metrics.of(mapping(raw).get("metrics"))
            named.add(part)
            cells.setdefault((day, model or NO_MODEL), Metrics()).add(part)
            for hash, raw_key in mapping(mapping(raw).get("api_key_breakdown")).items():
                key = _key(keys, hash, raw_key)
                if model and model not in key.models:
                    key.models.append(model)
        if not (left := whole_day.without(named)).empty:
            cells.setdefault((day, NO_MODEL), Metrics()).add(left)
        named = Metrics()
        by_hash = mapping(breakdown.get("api_keys"))
        for hash, raw in by_hash.items():
            part = Metrics.of(mapping(raw).get("metrics"))
            named.add(part)
            key = _key(keys, hash, raw)
            key.metrics.add(part)
            if len(by_hash) == 1:
                # 1.74 has no cross of models and keys; where one key is alone in the rows, all their models are its
                key.models.extend(
                    model for model in mapping(breakdown.get("models")) if model and model not in key.models
                )
        if not (left := whole_day.without(named)).empty:
            _key(keys, "", {}).metrics.add(left)
    names = _one_name_each({model for _, model in cells})
    by_model: dict[str, ModelUsage] = {}
    by_cell: dict[tuple[date, str], DayModelUsage] = {}
    for (day, raw_name), part in cells.items():
        model = names[raw_name]
        by_model.setdefault(model, ModelUsage(model)).metrics.add(part)
        by_cell.setdefault((day, model), DayModelUsage(day, model)).metrics.add(part)
    for key in keys.values():
        key.models = list(dict.fromkeys(names.get(model, model) for model in key.models))
    return Usage(
        start=start,
        end=end,
        as_of=datetime.now(UTC),
        totals=totals,
        daily=[DayUsage(day, sums) for day, sums in sorted(daily.items())],
        by_model=sorted(by_model.values(), key=lambda row: (-row.metrics.spend, row.model)),
        by_key=sorted(keys.values(), key=lambda row: (-row.metrics.spend, row.label, row.hash)),
        daily_by_model=sorted(by_cell.values(), key=lambda row: (row.date, -row.metrics.spend, row.model)),
    )


def _every_day(start: date, end: date) -> list[date]:
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


def _day(row: dict[str, Any]) -> tuple[date, dict[str, Any]] | None:
    try:
        return date.fromisoformat(str(row.get("date"))[:10]), row
    except ValueError:
        return None


def _key(keys: dict[str, KeyUsage], hash: str, raw: Any) -> KeyUsage:
    found = keys.setdefault(hash, KeyUsage(hash))
    said = mapping(mapping(raw).get("metadata"))
    found.alias = found.alias or word(said.get("key_alias"))
    found.team_id = found.team_id or word(said.get("team_id"))
    return found


def _one_name_each(names: set[str]) -> dict[str, str]:
    """`x` is read as `provider/x` where exactly one such name occurs; every other name stands for itself (S23)."""
    longer: dict[str, list[str]] = {}
    for name in names:
        if "/" in name:
            longer.setdefault(name.partition("/")[2], []).append(name)
    return {name: longer[name][0] if len(longer.get(name, ())) == 1 else name for name in names}
