"""The ways to ask for usage, cheapest first (S22, S24). `usage_reader` takes the cheapest that the server has.

- One page of raw rows, where the models of each key are wanted and a month or less fits it: one call, all views.
- Export, since 1.105: three small answers a month. Its rows are by day and model and by day and key; they say neither
  the team of a key (a list of the keys does) nor which key used which model (a list of the keys for each model does,
  where that is wanted). For everyone the days and models come from the aggregated route instead: export has one row
  for each user.
- Pages of raw rows, in every release. The order of the rows between pages is not stable in old releases, so a range
  that does not fit one page is split into shorter ranges until each does. A single day of more than a page comes from
  the aggregated route in one piece where the caller may use it (since 1.75.3 for an admin; it gives in one answer what
  the pages give in several), and page by page elsewhere: twice, with pages of two lengths, and where the two differ
  model by model.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from tui.gateway.errors import BadAnswer, Forbidden, GatewayError, NotFound, RouteMissing, Unauthorized
from tui.gateway.fields import mapping, whole, word
from tui.gateway.keys import list_keys
from tui.gateway.usage_merge import NO_MODEL, Metrics, Part, agree, day_of, every_day, part_of
from tui.gateway.usage_question import Kept, Question, final, month_of, months, settled

if TYPE_CHECKING:
    from tui.gateway.usage_reader import Reader

PAGE = 1000
"""Raw rows per page, LiteLLM's largest."""
KEYS_A_PAGE = 100
"""Keys per page of the list of keys, LiteLLM's largest."""
KEYS_A_DAY = 1000
"""Keys in an aggregated answer, LiteLLM's largest."""
AT_ONCE = 2
"""Calls under way at the same time: the gateway serves others too."""
SMALL = 31
"""Days that may fit one page of raw rows, so that it is worth a try."""
STABLE = (1, 108)
"""The release from which on the order of the rows between pages is known to be stable."""
UNSETTLED_MOST = 3
"""Days that are asked for again in one piece when rows came between two questions."""
LATE_NOTE = (
    'Requests came while usage was read: where their key is not known yet, they are shown as "no key" until it is read '
    "again."
)
UNNAMED_NOTE = "this release gives requests of no known key in no stable order; their number is about right."

T = TypeVar("T")


class Reading:
    """One call of `Reader.read`: its limits, and the names of keys that it knows by now."""

    def __init__(self, reader: "Reader", kept: Kept | None, refresh: bool, key_models: bool) -> None:
        self.reader = reader
        self.kept = kept
        self.refresh = refresh
        self.key_models = key_models
        self.calls = asyncio.Semaphore(AT_ONCE)
        self.units = asyncio.Semaphore(AT_ONCE)
        self.names: dict[str, tuple[str | None, str | None]] = {}
        self.notes: list[str] = []
        self.sent = 0

    async def get(self, path: str, asked: Mapping[str, str | int]) -> Any:
        async with self.calls:
            self._count(1)
            return await self.reader.client.get(path, asked)

    async def hashes(self, user_id: str) -> list[str]:
        """The present keys of a user."""
        found = [key.hash for key in await list_keys(self.reader.client, user_id)]
        self._count(max(1, -(-len(found) // KEYS_A_PAGE)))
        return found

    def _count(self, calls: int) -> None:
        self.sent += calls
        self.reader.calls += calls

    async def month(self, question: Question, first: date, last: date) -> Part:
        """The days `first` to `last`: from what is kept where they are of one month, else asked for and kept."""
        whole_month = month_of(first)
        over = last <= whole_month[1] and settled(whole_month[1], self.reader.today)
        if self.kept is None:
            return await self.ask(question, first, last)
        if over and not self.refresh:
            old = await self.kept.get(question, whole_month[0])
            if old and final(old) and self.key_models and old.models is None and self.reader.exports:
                await self._models(old, question)
                await asyncio.shield(self.kept.put(question, old))
            if old and final(old) and (old.models is not None or not self.key_models):
                part = old.cut(first, last)
                # what a key used in all of the month says nothing about some of its days
                if part is old or not self.key_models:
                    self._learn(part)
                    return part
        # a little more than was asked for, once and for all
        more = over and self.reader.exports and not self.key_models
        part = await self.ask(question, *(whole_month if more else (first, last)))
        await self._keep(self.kept, question, part)
        return part.cut(first, last)

    async def _keep(self, kept: Kept, question: Question, part: Part) -> None:
        """Keep whole months, and for a first paint what reaches the present day or the end of its month."""
        for first, last in months(part.start, part.end):
            piece, whole_month = part.cut(first, last), month_of(first)
            if last < min(whole_month[1], self.reader.today):
                continue
            old = await kept.get(question, whole_month[0])
            if old and final(piece):
                better = final(old) and old.models is not None and piece.models is None and not self.refresh
            else:
                better = old is not None and (final(old) or old.start < piece.start or old.end > piece.end)
            if not better:
                # a month that has come is kept although the rest is cancelled
                await asyncio.shield(kept.put(question, piece))

    async def totals(self, question: Question, first: date, last: date) -> Metrics:
        """The sums of some days of one month."""
        whole_month = month_of(first)
        if self.kept is not None and settled(whole_month[1], self.reader.today):
            old = await self.kept.get(question, whole_month[0])
            if old and final(old):
                return old.cut(first, last).totals
        found = Metrics()
        for piece in question.pieces:
            found.add(await self._totals(piece, first, last))
        return found

    async def _totals(self, question: Question, first: date, last: date) -> Metrics:
        if (part := await self._of_everyone(question, first, last)) is not None:
            return part.totals
        found = Metrics()
        try:
            for _, row in await self._rows(question, first, last, "daily"):
                found.add(Metrics.of(row))
        except NotFound:
            return Metrics()
        return found

    def _learn(self, part: Part) -> None:
        for hash, names in part.names.items():
            self.names.setdefault(hash, names)

    async def ask(self, question: Question, first: date, last: date) -> Part:
        """The days from the gateway, the cheapest way that is there."""
        found = await together(self._ask(piece, first, last) for piece in question.pieces)
        if len(found) == 1:
            return found[0]
        part = Part(first, last, self.reader.now(), models={})
        for each in found:
            part.take(each)
        return part

    async def _ask(self, question: Question, first: date, last: date) -> Part:
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
            return Part(first, last, self.reader.now())

    # Export

    async def export(self, question: Question, first: date, last: date) -> Part:
        part = Part(first, last, self.reader.now())
        if question.hash or question.models:
            await self._crossed(part, question)
        else:
            await together([self._cells(part, question), self._keys(part, question)])
            await self._settle(part, question)
        await self._name(part, question)
        if self.key_models and part.models is None:
            await self._models(part, question)
        return part

    async def _crossed(self, part: Part, question: Question) -> None:
        """The rows of one key or of one model: a single export says which model, or which key, each is of."""
        model, hash = question.models[0] if question.models else "", question.hash
        kind = "daily" if model and hash else "daily_with_models" if hash else "daily_with_keys"
        part.models = {}
        for day, row in sorted(await self._rows(question, part.start, part.end, kind), key=_first):
            named, of_key = model or word(row.get("model")) or NO_MODEL, hash or word(row.get("api_key")) or ""
            part.add_cell(day, named, Metrics.of(row))
            part.add_key(day, of_key, Metrics.of(row))
            if not hash:
                part.name(of_key, row.get("key_alias"), None)
            if of_key and named != NO_MODEL:
                part.used(of_key, named)

    async def _cells(self, part: Part, question: Question) -> None:
        if (found := await self._of_everyone(question, part.start, part.end)) is not None:
            part.cells = found.cells
            return
        for day, row in await self._rows(question, part.start, part.end, "daily_with_models"):
            part.add_cell(day, word(row.get("model")) or NO_MODEL, Metrics.of(row))

    async def _of_everyone(self, question: Question, first: date, last: date) -> Part | None:
        """The models of everyone, whose export has as many rows as users; None where that is not asked or not there."""
        if question.kind != "everyone" or question.hash or not self.reader.may_aggregate(question):
            return None
        try:
            return await self.aggregated(question, first, last, 1)
        except RouteMissing:
            self.reader.lacks.add(f"aggregated {question.path}")
            return None

    async def _keys(self, part: Part, question: Question) -> None:
        for day, row in await self._rows(question, part.start, part.end, "daily_with_keys"):
            hash = word(row.get("api_key")) or ""
            part.add_key(day, hash, Metrics.of(row))
            part.name(hash, row.get("key_alias"), None)

    async def _rows(self, question: Question, first: date, last: date, kind: str) -> list[tuple[date, dict[str, Any]]]:
        asked = {**question.filters, **days_asked(first, last), "export_type": kind, "format": "json"}
        answer = await self.get(f"{question.path}/export", asked)
        if not isinstance(answer, list):
            raise BadAnswer("The gateway's export of usage is not a list; is the URL LiteLLM's?")
        rows = [(day_of(row), row) for row in answer if isinstance(row, dict)]
        return [(day, row) for day, row in rows if day and first <= day <= last]

    async def _settle(self, part: Part, question: Question) -> None:
        """Make models and keys agree: rows that came between the two questions are asked for in one piece.

        Where that is too much, the keys are asked for before the models: rows only ever grow, so what is left of the
        models is what came meanwhile, and no less than nothing.
        """
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
                await self._keys(again, question)
                await self._cells(again, question)
                part.replace(every_day(part.start, part.end), again)
        if part.unlike():
            agree(part)
            self.notes.append(LATE_NOTE)

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
            asked = {**question.filters, **days_asked(part.start, part.end), **({"model": model} if model else {})}
            answer = await self.get(
                f"{question.path}/aggregated/keys", {**asked, "limit": KEYS_A_PAGE, "offset": offset}
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
        asked = {**question.filters, **days_asked(first, last)}
        answer = await self.get(f"{question.path}/aggregated", {**asked, "api_key_limit": most_keys})
        return part_of(_results(answer), first, last, self.reader.now())

    # Pages

    async def page(
        self, question: Question, start: date, end: date, number: int, size: int | None = None
    ) -> tuple[Part, int]:
        """One page, and how many there are."""
        asked = {**question.filters, **days_asked(start, end)}
        answer = await self.get(question.path, {**asked, "page": number, "page_size": size or PAGE})
        # sums take a hundredth of the room that the answer takes
        found = part_of(_results(answer), start, end, self.reader.now())
        return found, whole(mapping(mapping(answer).get("metadata")).get("total_pages")) or 1

    async def _one_page(self, question: Question, first: date, last: date) -> Part | None:
        """All of it where one page holds it, which says the models of each key in a single call."""
        if not self.key_models or (last - first).days >= SMALL or question in self.reader.large:
            return None
        if question.hash or question.models:
            # an export of the same says as much
            return None
        found, count = await self.page(question, first, last, 1)
        if count <= 1:
            return found
        self.reader.large.add(question)
        return None

    async def pages(self, question: Question, first: date, last: date) -> Part:
        part = Part(first, last, self.reader.now(), models={})

        async def span(start: date, end: date) -> None:
            found, count = await self.page(question, start, end, 1)
            if count <= 1:
                part.take(found)
            elif start < end:
                await together(span(*each) for each in _split(start, end, count + 1))
            else:
                part.take(await self._one_day(question, start, found, count))

        await span(first, last)
        return part

    async def _one_day(self, question: Question, day: date, first: Part, count: int) -> Part:
        if self.reader.may_aggregate(question):
            try:
                return await self.aggregated(question, day, day, KEYS_A_DAY)
            except (RouteMissing, Forbidden, Unauthorized):
                self.reader.lacks.add(f"aggregated {question.path}")
        found = await self._rest(question, first, count, PAGE)
        if self.reader.server.release and self.reader.server.at_least(*STABLE):
            return found
        size = max(1, PAGE * 2 // 3)
        again = await self._rest(question, *await self.page(question, day, day, 1, size), size)
        # what is lost or comes twice is another row for other pages
        return found if found.same(again) else await self._by_name(question, found, again)

    async def _rest(self, question: Question, part: Part, count: int, size: int) -> Part:
        """The first page of a day with the others added to it."""
        numbers = range(2, count + 1)
        for more, _ in await together(self.page(question, part.start, part.end, each, size) for each in numbers):
            part.take(more)
        return part

    async def _by_name(self, question: Question, *seen: Part) -> Part:
        """A day in pieces that each fit a page: model by model, key by key where a row or the question says no more.

        `seen` are earlier readings of it that did not agree; they say which names there are.
        """
        day = seen[0].start
        part = Part(day, day, self.reader.now(), models={})
        models = {model for each in seen for _, model in each.cells}
        hashes = {hash for each in seen for _, hash in each.keys}
        if not question.models:
            by_model = [replace(question, models=(model,)) for model in sorted(models - {NO_MODEL})]
            for piece in await together(self.pages(each, day, day) for each in by_model):
                part.take(piece)
        if not question.hash and (question.models or NO_MODEL in models):
            by_key = [replace(question, key=hash) for hash in sorted(hashes - {""})]
            for each, piece in zip(by_key, await together(self.pages(each, day, day) for each in by_key), strict=True):
                # the rows that name a model are there already
                part.take(piece if question.models else piece.of_no_model(each.key))
        if "" in hashes and (question.models or NO_MODEL in models):
            left = seen[0].totals.without(part.totals).above_zero()
            if not left.empty:
                part.add_cell(day, question.models[0] if question.models else NO_MODEL, left)
                part.add_key(day, "", left)
                self.notes.append(f"{day}: {UNNAMED_NOTE}")
        return part


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


def days_asked(start: date, end: date) -> dict[str, str]:
    """The parameters of a range, both days included (S20)."""
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


def _first(item: tuple[date, dict[str, Any]]) -> date:
    return item[0]
