"""Whose usage a session may look at, and the reports that were read last, each with its age."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from tui import usage_cache
from tui.gateway import keys
from tui.gateway import usage as usages
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.schema import Key, Team, User
from tui.gateway.teams import team_info
from tui.gateway.usage import Arrived, Metrics, Part, Progress, Question, Reader, Usage
from tui.gateway.users import user_info
from tui.startup import Session
from tui.usage_cache import UsageCache

FRESH = timedelta(seconds=60)
"""How long a report is shown again without asking anew."""
MOST_REPORTS = 24
"""Reports that are kept in memory; a year of a busy gateway takes several megabytes."""
KEY_MODELS_DAYS = 31
"""Longest range for which the models of each key are asked for unasked: they cost a call per model and month."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose usage. `id` is a user id, a team id, a key's hash, or "" for everyone; `label` is for eyes.

    `key` (a key's hash) and `models` (`ModelUsage.names`) narrow it to the rows of that key, and of these models. A row
    of no known key or model cannot be narrowed to.
    """

    kind: Literal["user", "team", "key", "everyone"]
    id: str = ""
    label: str = ""
    key: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetCounter:
    """The budget counter of a record: its own spend in USD (S25), not that of the days shown."""

    spend: float
    limit: float | None
    duration: str | None
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """One answer: the usage of `scope`, the budget beside it, and when it was read (UTC).

    `calls` is how many calls the usage took, `cached` says that it is of an earlier time, from the cache (`peek`).
    """

    scope: Scope
    usage: Usage
    budget: BudgetCounter | None
    at: datetime
    calls: int = 0
    cached: bool = False


def scopes(session: Session) -> list[Scope]:
    """Whose usage this session may look at, what it is about first; [] for a key that may see none."""
    rights, own = session.rights, session.caller.user_id
    if rights.why_not(Action.SEE_USAGE):
        return []
    found = []
    if session.user_id:
        found.append(Scope("user", session.user_id, "me" if session.user_id == own else session.user_id))
    if rights.sees_all:
        found.append(Scope("everyone", "", "everyone"))
        if own and own != session.user_id:
            found.append(Scope("user", own, "me"))
    elif not session.user_id and session.caller.key:
        found.append(Scope("key", session.caller.key.hash, f"key {session.caller.key.label}"))
    return found + [Scope("team", team.team_id, f"team {team.label}") for team in session.teams]


def refused(session: Session, scope: Scope | None) -> str | None:
    """Why the usage of `scope` cannot be asked for, as a sentence (S44); None where it can."""
    reason = session.rights.why_not(Action.SEE_USAGE)
    if reason or scope is None:
        return reason or "This key may see no usage."
    if scope.kind == "key" and session.server.at_least(1, 84):
        return "This key belongs to no user, and this release shows usage of users and teams alone."
    return None


class Reports:
    """The reports of one session, kept in memory; settled months also in a file. `clock` gives the time, aware.

    `cache` is None for no files, as in the demo; by default a session of a real gateway has one.
    """

    def __init__(
        self, session: Session, clock: Callable[[], datetime], cache: UsageCache | Literal["own"] | None = "own"
    ) -> None:
        self._session = session
        self._clock = clock
        self._cache = _cache(session) if cache == "own" else cache
        self._kept: dict[tuple[Scope, date, date], Report] = {}
        version = session.server.version
        self._reader = Reader(
            session.client,
            session.server,
            session.rights.sees_all,
            pages_only=not _all_usage_routes(session.rights.routes),
            now=clock,
            lacks=self._cache.lacks(version) if self._cache else set(),
        )
        self._lacked = len(self._reader.lacks)

    @property
    def today(self) -> date:
        """Today, as the gateway counts days (S20)."""
        return self._clock().astimezone(UTC).date()

    def days(self, count: int) -> tuple[date, date]:
        """The last `count` UTC days, today included (S20)."""
        return usages.last_days(count, self.today)

    def last(self, scope: Scope, start: date, end: date) -> Report | None:
        """What was read last for these days; None where nothing was."""
        return self._kept.get((scope, start, end))

    def fresh(self, report: Report) -> bool:
        """Whether it is too young to be asked for anew."""
        return self._clock() - report.at < FRESH

    async def peek(self, scope: Scope, start: date, end: date) -> Report | None:
        """What the cache holds of these days, for a first paint; `at` is its age. None where a month is not there.

        Nothing is asked, and there is no budget. The last days may be missing: those after the present month, or a
        month before it, was read last.
        """
        if self._cache is None or scope.models:
            return None
        parts: list[Part] = []
        oldest = self._clock().astimezone(UTC)
        for first, last in usages.months(start, end):
            part = await self._cache.get(_question(scope), first.replace(day=1))
            if part is None and parts and parts[-1].end >= parts[-1].at.date():
                # it was the present month when it was read, so there was no more
                break
            if part is None or not part.start <= first <= part.end:
                return None
            parts.append(part.cut(first, last))
            if not usages.final(part):
                oldest = min(oldest, part.at)
            if part.end < last:
                break
        if not parts or parts[-1].end < min(end, parts[-1].at.date()):
            return None
        found = await asyncio.to_thread(usages.views, parts, start, end, oldest)
        return Report(scope, found, None, oldest, cached=True)

    async def read(
        self,
        scope: Scope,
        start: date,
        end: date,
        progress: Progress | None = None,
        refresh: bool = False,
        *,
        key_models: bool | None = None,
        arrived: Arrived | None = None,
    ) -> Report:
        """Ask for the UTC days `start` to `end`, both included; settled months come from the cache unless `refresh`.

        `progress` is told `(done, total)` in months, `arrived` the views over the months that have come so far, each
        time one has, but for the last. `key_models` as for `usage`. Raises `GatewayError`; what was read
        before stays then.
        """
        await self._session.check_rights()
        found, budget = await asyncio.gather(
            self.usage(scope, start, end, progress, refresh, key_models=key_models, arrived=arrived),
            self._budget(scope),
        )
        report = Report(scope, found, budget, self._clock().astimezone(UTC), found.calls)
        self._kept.pop((scope, start, end), None)
        self._kept[scope, start, end] = report
        while len(self._kept) > MOST_REPORTS:
            del self._kept[next(iter(self._kept))]
        return report

    async def usage(
        self,
        scope: Scope,
        start: date,
        end: date,
        progress: Progress | None = None,
        refresh: bool = False,
        *,
        key_models: bool | None = None,
        arrived: Arrived | None = None,
    ) -> Usage:
        """The same without the budget, and not kept in memory: what another period is compared with.

        `key_models` says whether `KeyUsage.models` is wanted (default: for `KEY_MODELS_DAYS` at most); releases that
        export need a call per model and month for it. Raises `GatewayError`.
        """
        rights = self._session.rights
        if key_models is None:
            key_models = (end - start).days < KEY_MODELS_DAYS
        found = await self._reader.read(
            _question(scope),
            start,
            end,
            kept=self._cache,
            refresh=refresh,
            key_models=key_models,
            progress=progress,
            arrived=arrived,
        )
        notes = list(found.notes)
        if scope.kind == "team" and not rights.sees_all and scope.id not in rights.admin_of:
            notes.append("You are no admin of this team: the gateway shows you the part of your own keys.")
        if self._cache:
            notes += dict.fromkeys(self._cache.notes)
            self._cache.notes.clear()
        self._keep_lacks()
        return replace(found, notes=notes)

    async def totals(self, scope: Scope, start: date, end: date) -> Metrics:
        """Only the sums of these days, the cheapest way: what a total is compared with. Raises `GatewayError`.

        A small call for a month where the release exports, none for months that the cache has, else as for `usage`.
        """
        found = await self._reader.totals(_question(scope), start, end, kept=self._cache)
        self._keep_lacks()
        return found

    def _keep_lacks(self) -> None:
        if self._cache and len(self._reader.lacks) != self._lacked:
            self._lacked = len(self._reader.lacks)
            self._cache.keep_lacks(self._session.server.version, self._reader.lacks)

    async def _budget(self, scope: Scope) -> BudgetCounter | None:
        """The counter that the rows of `scope` count against: a narrowed key's own, and none for some models alone."""
        session = self._session
        if scope.models or (scope.kind == "everyone" and not scope.key):
            return None
        kept: User | Team | Key | None = None
        if scope.key:
            kept = next((key for key in session.keys if key.hash == scope.key), None)
        elif scope.kind == "user" and scope.id == session.user_id:
            kept = session.user
        elif scope.kind == "team":
            kept = next((team for team in session.teams if team.team_id == scope.id), None)
        elif scope.kind == "key":
            kept = session.caller.key
        record = kept
        if session.rights.why_not(Action.LIST_KEYS) is None:
            try:
                record = await self._record(scope) or kept
            except GatewayError:
                # the usage is what was asked for; the record of the start is better than none
                record = kept
        if record is None:
            return None
        return BudgetCounter(record.spend, record.max_budget, record.budget_duration, record.budget_reset_at)

    async def _record(self, scope: Scope) -> User | Team | Key | None:
        client = self._session.client
        if scope.key:
            return await keys.key_info(client, scope.key)
        if scope.kind == "team":
            return await team_info(client, scope.id)
        if scope.kind == "key":
            return await keys.own_key(client)
        return await user_info(client, scope.id)


def _question(scope: Scope) -> Question:
    return Question(scope.kind, scope.id, scope.key, scope.models)


def _all_usage_routes(routes: tuple[str, ...]) -> bool:
    """Whether a key limited to `routes` may call every usage route; one of the two words for all, or no limit."""
    return not routes or not {"*", "/*", "management_routes"}.isdisjoint(routes)


def _cache(session: Session) -> UsageCache | None:
    """The session's part of the cache folder; None for the embedded gateway, whose past is another at each start."""
    where = usage_cache.folder()
    if session.transport is not None or where is None:
        return None
    caller, rights = session.caller, session.rights
    # what a member sees of a team grows when they become its admin
    who = [caller.key.hash if caller.key else "master", rights.role, *sorted(rights.admin_of)]
    return UsageCache(where, session.settings.url.removesuffix("/"), "\n".join(who))
