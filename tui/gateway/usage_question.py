"""What is asked about usage, and by which months: a question, what may be kept of its answers, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, Protocol

from tui.gateway.usage_merge import Part, Usage

SETTLED = 3
"""Days after its end until a month's rows are taken for final."""
Progress = Callable[[int, int], None]
"""Told `(done, total)` in months, first `(0, total)`."""
Arrived = Callable[[Usage], None]
"""Told the views over all months that have come so far, each time one has, the last excepted."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage. `id` is a user id, a team id or a key's hash; "" for everyone, and for a key's own user.

    `key` (a key's hash) and `models` (names as LiteLLM recorded them) narrow it to the rows of that key, and to those
    of these models. Every way of asking honours both filters, for users and teams, in every release (1.74 to 1.108).
    """

    kind: Literal["user", "team", "key", "everyone"]
    id: str = ""
    key: str = ""
    models: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The route that all ways of asking start with."""
        return "/team/daily/activity" if self.kind == "team" else "/user/daily/activity"

    @property
    def filters(self) -> dict[str, str]:
        """The parameters that narrow to it; of `models` the first, as a call takes one."""
        name = {"user": "user_id", "team": "team_ids", "key": "api_key"}.get(self.kind)
        found = {name: self.id} if name and self.id else {}
        if self.key:
            found["api_key"] = self.key
        if self.models:
            found["model"] = self.models[0]
        return found

    @property
    def hash(self) -> str:
        """The one key whose rows these are; "" for more than one."""
        return self.key or (self.id if self.kind == "key" else "")

    @property
    def pieces(self) -> list["Question"]:
        """Questions of one model each, which have no row in common. LiteLLM takes an empty name for none."""
        if not self.models:
            return [self]
        return [replace(self, models=(name,)) for name in dict.fromkeys(self.models) if name]


class Kept(Protocol):
    """Where parts of earlier answers are. Neither method raises; what cannot be kept is not."""

    async def get(self, question: Question, month: date) -> Part | None:
        """What was put for the month that begins at `month`, or a part of it."""

    async def put(self, question: Question, part: Part) -> None:
        """Keep `part`, which lies in one month, in place of what was kept for that month."""


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
