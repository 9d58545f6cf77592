"""Whose usage a session may look at, and the reports that were read last, each with its age."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from tui.gateway import keys
from tui.gateway import usage as usages
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.schema import Key, Team, User
from tui.gateway.teams import team_info
from tui.gateway.usage import Usage
from tui.gateway.users import user_info
from tui.startup import Session

FRESH = timedelta(seconds=60)
"""How long a report is shown again without asking anew."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose usage. `id` is a user id, a team id, a key's hash, or "" for everyone; `label` is for eyes."""

    kind: Literal["user", "team", "key", "everyone"]
    id: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget counter of a record: its own spend in USD (S25), not that of the days shown."""

    spend: float
    limit: float | None
    duration: str | None
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """One answer: the usage of `scope`, the budget beside it, and when it was read (UTC)."""

    scope: Scope
    usage: Usage
    budget: Budget | None
    at: datetime


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
    """The reports of one session, kept in memory. `clock` gives the time, aware."""

    def __init__(self, session: Session, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._clock = clock
        self._kept: dict[tuple[Scope, int], Report] = {}

    @property
    def today(self) -> date:
        """Today, as the gateway counts days (S20)."""
        return self._clock().astimezone(UTC).date()

    def last(self, scope: Scope, days: int) -> Report | None:
        """What was read last for these days up to today; None where nothing was, or the day has changed since."""
        kept = self._kept.get((scope, days))
        return kept if kept and kept.usage.end == self.today else None

    def fresh(self, report: Report) -> bool:
        """Whether it is too young to be asked for anew."""
        return self._clock() - report.at < FRESH

    async def read(self, scope: Scope, days: int) -> Report:
        """Ask the gateway for the last `days` UTC days. Raises `GatewayError`; what was read before stays then."""
        start, end = usages.last_days(days, self.today)
        found, budget = await asyncio.gather(self.usage(scope, start, end), self._budget(scope))
        report = Report(scope, found, budget, self._clock().astimezone(UTC))
        self._kept[scope, days] = report
        return report

    async def usage(self, scope: Scope, start: date, end: date) -> Usage:
        """Ask for any UTC days, both ends included; nothing is kept. Raises `GatewayError`."""
        client, rights = self._session.client, self._session.rights
        if scope.kind == "key":
            return await usages.key_usage(client, scope.id, start, end)
        if scope.kind == "user":
            return await usages.usage(client, start, end, scope.id, admin=rights.sees_all)
        if scope.kind == "everyone":
            return await usages.usage(client, start, end, None, admin=True)
        found = await usages.team_usage(client, scope.id, start, end)
        if not rights.sees_all and scope.id not in rights.admin_of:
            note = "You are no admin of this team: the gateway shows you the part of your own keys."
            found = replace(found, notes=[*found.notes, note])
        return found

    async def _budget(self, scope: Scope) -> Budget | None:
        session = self._session
        kept: User | Team | Key | None = None
        if scope.kind == "user" and scope.id == session.user_id:
            kept = session.user
        elif scope.kind == "team":
            kept = next((team for team in session.teams if team.team_id == scope.id), None)
        elif scope.kind == "key":
            kept = session.caller.key
        record = kept
        if scope.kind != "everyone" and session.rights.why_not(Action.LIST_KEYS) is None:
            try:
                record = await self._record(scope) or kept
            except GatewayError:
                # the usage is what was asked for; the record of the start is better than none
                record = kept
        if record is None:
            return None
        return Budget(record.spend, record.max_budget, record.budget_duration, record.budget_reset_at)

    async def _record(self, scope: Scope) -> User | Team | Key | None:
        client = self._session.client
        if scope.kind == "team":
            return await team_info(client, scope.id)
        if scope.kind == "key":
            return await keys.own_key(client)
        return await user_info(client, scope.id)
