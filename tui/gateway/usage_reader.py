"""Reads usage from one server for one caller, the cheapest way that it has (S22, S24).

Long ranges go by calendar month. A month that closed more than `SETTLED` days ago does not change and may be kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import RouteMissing
from tui.gateway.fields import mapping
from tui.gateway.usage_merge import Metrics, Part, Usage, views
from tui.gateway.usage_question import Arrived, Kept, Progress, Question, months
from tui.gateway.usage_ways import SMALL, Reading, days_asked, together

LONG_VIEWS = 2000
"""Sums of which views take long enough to be made off the event loop."""
KEYS_NOTE = (
    "This release cannot narrow usage to a user: the sum of the user's present keys is shown; requests of deleted "
    "keys, or refused before a key was known, are not in it."
)


@dataclass(slots=True)
class Reader:
    """Asks one server for one caller. What the server turns out to lack is not tried again by the same reader.

    `admin` says that the caller sees more than itself, `pages_only` that its key may call the route of the pages alone
    (a refused call would count against it, S44). `now` gives the time, aware.
    """

    client: Client
    server: Server = field(default_factory=Server)
    admin: bool = False
    pages_only: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lacks: set[str] = field(default_factory=set)
    large: set[Question] = field(default_factory=set)
    """Questions whose month did not fit one page."""
    ignores_user: bool | None = None
    """Whether this release gives an admin everyone's rows whatever the user (1.74); None where not known yet."""
    calls: int = 0
    """Calls sent so far."""

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
        arrived: Arrived | None = None,
    ) -> Usage:
        """The usage of `start` to `end` (UTC days, both included), at most `AT_ONCE` calls at a time.

        Settled months come from `kept` where they are there, unless `refresh`; what is narrowed to models is not kept.
        `key_models` wants `KeyUsage.models`, which costs a small call per model and month where the release exports.
        Cancelling stops every call; months that were complete by then are kept. Raises `GatewayError`.
        """
        reading = Reading(self, None if question.models else kept, refresh, key_models)
        questions, notes = await self._questions(reading, question, start, end)
        # one piece for the models of the keys: their calls are as many for a day as for a month
        spans = [(start, end)] if key_models and (end - start).days < SMALL else months(start, end)
        found: list[Part] = []
        done = told = 0
        telling = asyncio.Lock()

        async def tell() -> None:
            nonlocal told
            async with telling:
                # months that came while the views were made are told together
                if arrived and told < done < len(spans):
                    told = done
                    arrived(await seen())

        async def seen() -> Usage:
            parts = list(found)
            at = self.now()
            long = sum(part.size for part in parts) > LONG_VIEWS
            made = await asyncio.to_thread(views, parts, start, end, at) if long else views(parts, start, end, at)
            made.notes.extend(dict.fromkeys([*notes, *reading.notes]))
            made.calls = reading.sent
            return made

        async def unit(first: date, last: date) -> None:
            nonlocal done
            async with reading.units:
                found.extend(await together(reading.month(each, first, last) for each in questions))
            done += 1
            if progress:
                progress(done, len(spans))
            await tell()

        if progress:
            progress(0, len(spans))
        # the latest first: it is what a person looks for, and what has the keys of today
        await together(unit(*span) for span in reversed(spans))
        return await seen()

    async def totals(self, question: Question, start: date, end: date, *, kept: Kept | None = None) -> Metrics:
        """Only the sums of `start` to `end`: a small call for a month where the release exports, else as `read`.

        Settled months come from `kept` where they are there; nothing is put there where the release exports. Raises
        `GatewayError`.
        """
        if self.exports:
            reading = Reading(self, None if question.models else kept, False, False)
            questions, _ = await self._questions(reading, question, start, end)
            found = Metrics()
            try:
                for sums in await together(
                    reading.totals(each, *span) for each in questions for span in months(start, end)
                ):
                    found.add(sums)
            except RouteMissing:
                self.lacks.add("export")
            else:
                return found
        return (await self.read(question, start, end, kept=kept)).totals

    async def _questions(
        self, reading: "Reading", question: Question, start: date, end: date
    ) -> tuple[Sequence[Question], list[str]]:
        """What to ask for it, and what there is to say about that."""
        if question.kind == "key" and question.id and question.key:
            same = question.key == question.id
            return [replace(question, key="")] if same else [], []
        if question.kind == "user" and question.id and self.admin and await self._ignores_user(reading, start, end):
            hashes = await reading.hashes(question.id)
            mine = [hash for hash in hashes if question.key in ("", hash)]
            return [Question("key", hash, models=question.models) for hash in mine], [KEYS_NOTE]
        return [question], []

    async def _ignores_user(self, reading: "Reading", start: date, end: date) -> bool:
        if self.ignores_user is None and self.server.release and self.server.at_least(1, 80):
            self.ignores_user = False
        if self.ignores_user is None:
            nobody = {"user_id": "litellm-tui:nobody", **days_asked(start, end)}
            answer = await reading.get("/user/daily/activity", {**nobody, "page": 1, "page_size": 1})
            if mapping(answer).get("results"):
                self.ignores_user = True
            # an empty answer may be that of days on which nobody asked for anything
            return bool(self.ignores_user)
        return self.ignores_user

    @property
    def today(self) -> date:
        """The present UTC day."""
        return self.now().astimezone(UTC).date()

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
