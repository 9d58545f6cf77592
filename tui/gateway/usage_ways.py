"""The ways to ask for usage, cheapest first, and a reader that takes the cheapest this server has (S22, S24).

- One page of raw rows, where the models of each key are wanted and a month or less fits it: one call, all views.
- Export, since 1.105: three small answers a month. Its rows are by day and model and by day and key; they say neither
  the team of a key (a list of the keys does) nor which key used which model (a list of the keys for each model does,
  where that is wanted). For everyone the days and models come from the aggregated route instead: export has one row
  for each user.
- Pages of raw rows, in every release. The order of the rows between pages is not stable in old releases, so a range
  that does not fit one page is split into shorter ranges until each does. A single day of more than a page comes from
  the aggregated route in one piece where the caller may use it (since 1.75.3 for an admin; it gives in one answer what
  the pages give in several), and page by page elsewhere.

Long ranges go by calendar month. A month that closed more than `SETTLED` days ago does not change and may be kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar

from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, Forbidden, GatewayError, NotFound, RouteMissing, Unauthorized
from tui.gateway.fields import mapping, whole, word
from tui.gateway.keys import list_keys
from tui.gateway.usage_merge import NO_MODEL, Metrics, Part, Usage, day_of, every_day, part_of, views

PAGE = 1000
"""Raw rows per page, LiteLLM's largest."""
KEYS_A_PAGE = 100
"""Keys per page of the list of keys, LiteLLM's largest."""
KEYS_A_DAY = 1000
"""Keys in an aggregated answer, LiteLLM's largest."""
AT_ONCE = 2
"""Calls under way at the same time: the gateway serves others too."""
SETTLED = 3
"""Days after its end until a month's rows are taken for final."""
SMALL = 31
"""Days that may fit one page of raw rows, so that it is worth a try."""
UNSETTLED_MOST = 3
"""Days that are asked for again in one piece when rows came between two questions."""
KEYS_NOTE = (
    "This release cannot narrow usage to a user: the sum of the user's present keys is shown; requests of deleted "
    "keys, or refused before a key was known, are not in it."
)

Progress = Callable[[int, int], None]
"""Told `(done, total)` in months, first `(0, total)`."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage. `id` is a user id, a team id or a key's hash; "" for everyone, and for a key's own user."""

    kind: Literal["user", "team", "key", "everyone"]
    id: str = ""

    @property
    def path(self) -> str:
        """The route that all ways of asking start with."""
        return "/team/daily/activity" if self.kind == "team" else "/user/daily/activity"

    @property
    def filters(self) -> dict[str, str]:
        """The parameters that narrow to it."""
        name = {"user": "user_id", "team": "team_ids", "key": "api_key"}.get(self.kind)
        return {name: self.id} if name and self.id else {}


class Kept(Protocol):
    """Where parts of earlier answers are. Neither method raises; what cannot be kept is not."""

    async def get(self, question: Question, month: date) -> Part | None:
        """What was put for the month that begins at `month`, or a part of it."""

    async def put(self, question: Question, part: Part) -> None:
        """Keep `part`, which lies in one month, in place of what was kept for that month."""


@dataclass(slots=True)
class Reader:
    """Asks one server for one caller. What the server turns out to lack is not tried again by the same reader.

    `admin` says that the caller sees more than itself, `pages_only` that its key may call the route of the pages alone
    (a refused call would count against it, S44). `today` gives the present UTC day.
    """

    client: Client
    server: Server = field(default_factory=Server)
    admin: bool = False
    pages_only: bool = False
    today: Callable[[], date] = lambda: datetime.now(UTC).date()
    lacks: set[str] = field(default_factory=set)
    large: set[Question] = field(default_factory=set)
    """Questions whose month did not fit one page."""
    ignores_user: bool | None = None
    """Whether this release gives an admin everyone's rows whatever the user (1.74); None where not known yet."""

    async def read(
        self,
        question: Question,
        start: date,
        end: date,
        *,
        kept: Kept | None = None,
        refresh: bool = False,
        key_models: bool = False,
        progress: Progress | None = None,
    ) -> Usage:
        """The usage of `start` to `end` (UTC days, both included), at most `AT_ONCE` calls at a time.

        Settled months come from `kept` where they are there, unless `refresh`. `key_models` wants `KeyUsage.models`,
        which costs a small call per model and month where the release exports. Cancelling stops every call; months
        that were complete by then are kept. Raises `GatewayError`.
        """
        notes: list[str] = []
        questions: Sequence[Question] = [question]
        if question.kind == "user" and question.id and self.admin and await self._ignores_user(start, end):
            questions = [Question("key", key.hash) for key in await list_keys(self.client, question.id)]
            notes.append(KEYS_NOTE)
        # one piece for the models of the keys: their calls are as many for a day as for a month
        spans = [(start, end)] if key_models and (end - start).days < SMALL else months(start, end)
        reading = _Reading(self, kept, refresh, key_models)
        done = 0

        async def unit(first: date, last: date) -> list[Part]:
            nonlocal done
            async with reading.units:
                parts = await together(reading.month(each, first, last) for each in questions)
            done += 1
            if progress:
                progress(done, len(spans))
            return parts

        if progress:
            progress(0, len(spans))
        # the latest first: it is what a person looks for, and what has the keys of today
        units = await together(unit(*span) for span in reversed(spans))
        found = views([part for parts in units for part in parts], start, end)
        found.notes.extend(notes)
        return found

    async def _ignores_user(self, start: date, end: date) -> bool:
        if self.ignores_user is None and self.server.release and self.server.at_least(1, 80):
            self.ignores_user = False
        if self.ignores_user is None:
            nobody = {"user_id": "litellm-tui:nobody", **_range(start, end)}
            answer = await self.client.get("/user/daily/activity", {**nobody, "page": 1, "page_size": 1})
            if mapping(answer).get("results"):
                self.ignores_user = True
            # an empty answer may be that of days on which nobody asked for anything
            return bool(self.ignores_user)
        return self.ignores_user

    @property
    def exports(self) -> bool:
        """Whether the export routes are there, as far as is known."""
        return not self.pages_only and self.server.at_least(1, 105) and self.has("export")

    def has(self, route: str) -> bool:
        """Whether a route has not turned out to be missing."""
        return route not in self.lacks

    def may_aggregate(self, question: Question) -> bool:
        """Whether the aggregated route is there for this caller."""
        if self.pages_only or not self.server.release or f"aggregated {question.path}" in self.lacks:
            return False
        since = (1, 99) if question.kind == "team" else (1, 76)
        return self.server.at_least(1, 105) or (self.admin and self.server.at_least(*since))


class _Reading:
    """One call of `Reader.read`: its limits, and the names of keys that it knows by now."""

    def __init__(self, reader: Reader, kept: Kept | None, refresh: bool, key_models: bool) -> None:
        self.reader = reader
        self.kept = kept
        self.refresh = refresh
        self.key_models = key_models
        self.calls = asyncio.Semaphore(AT_ONCE)
        self.units = asyncio.Semaphore(AT_ONCE)
        self.names: dict[str, tuple[str | None, str | None]] = {}

    async def get(self, path: str, **asked: str | int | None) -> Any:
        async with self.calls:
            return await self.reader.client.get(path, asked)

    async def month(self, question: Question, first: date, last: date) -> Part:
        """The days `first` to `last` of one month: from what is kept, else asked for and kept."""
        whole_month = month_of(first)
        if self.kept is None or last > whole_month[1]:
            return await self.ask(question, first, last)
        over = settled(whole_month[1], self.reader.today())
        if over and not self.refresh:
            old = await self.kept.get(question, whole_month[0])
            if old and final(old) and self.key_models and old.models is None and self.reader.exports:
                await self._models(old, question)
                await self.kept.put(question, old)
            if old and final(old) and (old.models is not None or not self.key_models):
                part = old.cut(first, last)
                # what a key used in all of the month says nothing about some of its days
                if part is old or not self.key_models:
                    self._learn(part)
                    return part
        # a little more than was asked for, once and for all
        more = over and self.reader.exports and not self.key_models
        part = await self.ask(question, *(whole_month if more else (first, last)))
        if final(part) or (not over and part.start == whole_month[0]):
            await self.kept.put(question, part)
        return part.cut(first, last)

    def _learn(self, part: Part) -> None:
        for hash, names in part.names.items():
            self.names.setdefault(hash, names)

    async def ask(self, question: Question, first: date, last: date) -> Part:
        """The days from the gateway, the cheapest way that is there."""
        try:
            if self.reader.exports:
                if (small := await self._one_page(question, first, last)) is not None:
                    return small
                try:
                    return await self.export(question, first, last)
                except RouteMissing:
                    self.reader.lacks.add("export")
            return await self.pages(question, first, last)
        except NotFound:
            return Part(first, last, datetime.now(UTC))

    # Export

    async def export(self, question: Question, first: date, last: date) -> Part:
        part = Part(first, last, datetime.now(UTC))
        await together([self._cells(part, question), self._keys(part, question)])
        await self._settle(part, question)
        await self._name(part, question)
        if self.key_models:
            await self._models(part, question)
        return part

    async def _cells(self, part: Part, question: Question) -> None:
        if question.kind == "everyone" and self.reader.may_aggregate(question):
            try:
                found = await self.aggregated(question, part.start, part.end, 1)
            except RouteMissing:
                self.reader.lacks.add(f"aggregated {question.path}")
            else:
                part.cells = found.cells
                return
        for day, row in await self._rows(part, question, "daily_with_models"):
            part.add_cell(day, word(row.get("model")) or NO_MODEL, Metrics.of(row))

    async def _keys(self, part: Part, question: Question) -> None:
        for day, row in await self._rows(part, question, "daily_with_keys"):
            hash = word(row.get("api_key")) or ""
            part.add_key(day, hash, Metrics.of(row))
            part.name(hash, row.get("key_alias"), None)

    async def _rows(self, part: Part, question: Question, kind: str) -> list[tuple[date, dict[str, Any]]]:
        answer = await self.get(
            f"{question.path}/export",
            **question.filters,
            **_range(part.start, part.end),
            export_type=kind,
            format="json",
        )
        if not isinstance(answer, list):
            raise BadAnswer("The gateway's export of usage is not a list; is the URL LiteLLM's?")
        rows = [(day_of(row), row) for row in answer if isinstance(row, dict)]
        return [(day, row) for day, row in rows if day and part.start <= day <= part.end]

    async def _settle(self, part: Part, question: Question) -> None:
        """Make models and keys agree: rows that came between the two questions are asked for in one piece."""
        for attempt in range(2):
            days = part.unlike()
            if not days:
                return
            if (days[-1] - days[0]).days < UNSETTLED_MOST and self.reader.may_aggregate(question):
                try:
                    part.replace(days, await self.aggregated(question, days[0], days[-1], KEYS_A_DAY))
                    return
                except RouteMissing:
                    self.reader.lacks.add(f"aggregated {question.path}")
            if attempt == 0:
                again = Part(part.start, part.end, part.at)
                await together([self._cells(again, question), self._keys(again, question)])
                part.replace(every_day(part.start, part.end), again)
        agree(part)

    async def _name(self, part: Part, question: Question) -> None:
        """Aliases and teams: export says no team. Asked for once where the same keys are used month after month."""
        missing = {hash for _, hash in part.keys if hash} - self.names.keys()
        if missing and self.reader.has("keys"):
            try:
                for row in await self._key_list(part, question):
                    said = mapping(row.get("metadata"))
                    part.name(str(row["api_key"]), said.get("key_alias"), said.get("team_id"))
            except RouteMissing:
                self.reader.lacks.add("keys")
        for hash in {hash for _, hash in part.keys}:
            part.name(hash, *self.names.get(hash, (None, None)))
        self._learn(part)

    async def _models(self, part: Part, question: Question) -> None:
        first_day: dict[str, date] = {}
        for day, model in part.cells:
            first_day[model] = min(day, first_day.get(model, day))
        names = sorted(first_day, key=lambda model: (first_day[model], model))
        if not self.reader.has("keys"):
            return
        try:
            lists = await together(self._key_list(part, question, name) for name in names if name != NO_MODEL)
        except RouteMissing:
            self.reader.lacks.add("keys")
            return
        part.models = {}
        for model, rows in zip((name for name in names if name != NO_MODEL), lists, strict=True):
            for row in rows:
                part.used(str(row["api_key"]), model)

    async def _key_list(self, part: Part, question: Question, model: str | None = None) -> list[dict[str, Any]]:
        async def page(offset: int) -> tuple[list[dict[str, Any]], int]:
            answer = await self.get(
                f"{question.path}/aggregated/keys",
                **question.filters,
                **_range(part.start, part.end),
                model=model,
                limit=KEYS_A_PAGE,
                offset=offset,
            )
            rows = mapping(answer).get("api_keys")
            if not isinstance(rows, list):
                raise BadAnswer("The gateway's list of used keys holds none; is the URL LiteLLM's?")
            total = whole(mapping(answer).get("total_api_keys")) or 0
            return [row for row in rows if isinstance(row, dict) and isinstance(row.get("api_key"), str)], total

        rows, total = await page(0)
        rest = await together(page(offset) for offset in range(KEYS_A_PAGE, total, KEYS_A_PAGE))
        return rows + [row for more, _ in rest for row in more]

    # Aggregated

    async def aggregated(self, question: Question, first: date, last: date, most_keys: int) -> Part:
        """The days in one statement of the database, so that models and keys are of the same moment."""
        answer = await self.get(
            f"{question.path}/aggregated", **question.filters, **_range(first, last), api_key_limit=most_keys
        )
        return part_of(_results(answer), first, last)

    # Pages

    async def page(self, question: Question, start: date, end: date, number: int) -> tuple[Part, int]:
        """One page, and how many there are."""
        answer = await self.get(question.path, **question.filters, **_range(start, end), page=number, page_size=PAGE)
        # sums take a hundredth of the room that the answer takes
        found = part_of(_results(answer), start, end)
        return found, whole(mapping(mapping(answer).get("metadata")).get("total_pages")) or 1

    async def _one_page(self, question: Question, first: date, last: date) -> Part | None:
        """All of it where one page holds it, which says the models of each key in a single call."""
        if not self.key_models or (last - first).days >= SMALL or question in self.reader.large:
            return None
        found, count = await self.page(question, first, last, 1)
        if count <= 1:
            return found
        self.reader.large.add(question)
        return None

    async def pages(self, question: Question, first: date, last: date) -> Part:
        part = Part(first, last, datetime.now(UTC), models={})

        async def page(start: date, end: date, number: int) -> tuple[Part, int]:
            return await self.page(question, start, end, number)

        async def span(start: date, end: date) -> None:
            found, count = await page(start, end, 1)
            if count <= 1:
                part.take(found)
                return
            if start < end:
                await together(span(*each) for each in _split(start, end, count + 1))
                return
            if (single := await self._one_day(question, start)) is not None:
                part.take(single)
                return
            part.take(found)
            for more, _ in await together(page(start, end, number) for number in range(2, count + 1)):
                part.take(more)

        await span(first, last)
        return part

    async def _one_day(self, question: Question, day: date) -> Part | None:
        if not self.reader.may_aggregate(question):
            return None
        try:
            return await self.aggregated(question, day, day, KEYS_A_DAY)
        except (RouteMissing, Forbidden, Unauthorized):
            self.reader.lacks.add(f"aggregated {question.path}")
            return None


def agree(part: Part) -> None:
    """Give what no key is named for to "no key", so that the views agree (S21)."""
    for day in part.unlike():
        left = Metrics()
        for (when, _), sums in part.cells.items():
            if when == day:
                left.add(sums)
        for (when, _), sums in part.keys.items():
            if when == day:
                left = left.without(sums)
        part.add_key(day, "", left)


def months(start: date, end: date) -> list[tuple[date, date]]:
    """The calendar months of `start` to `end`, the first and the last cut to it; [] where `end` is before `start`."""
    found = []
    while start <= end:
        last = min(month_of(start)[1], end)
        found.append((start, last))
        start = last + timedelta(days=1)
    return found


def month_of(day: date) -> tuple[date, date]:
    """First and last day of the month of `day`."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def settled(last: date, today: date) -> bool:
    """Whether the rows of a month that ended with `last` are taken for final."""
    return (today - last).days > SETTLED


def final(part: Part) -> bool:
    """Whether `part` is a whole month as it was when its rows were final."""
    return month_of(part.start) == (part.start, part.end) and settled(part.end, part.at.date())


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All of them; the first error ends the others and is raised as it is."""

    async def one(call: Awaitable[T]) -> T:
        return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in calls]
    except* GatewayError as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        failure = error
    else:
        return [task.result() for task in tasks]
    raise failure


def _range(start: date, end: date) -> dict[str, str]:
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def _results(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise BadAnswer("The gateway's usage answer holds no results; is the URL LiteLLM's?")
    return [row for row in answer["results"] if isinstance(row, dict)]


def _split(first: date, last: date, parts: int) -> list[tuple[date, date]]:
    days = (last - first).days + 1
    size = max(1, -(-days // max(2, parts)))
    starts = [first + timedelta(days=offset) for offset in range(0, days, size)]
    return [(day, min(day + timedelta(days=size - 1), last)) for day in starts]
