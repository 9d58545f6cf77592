"""Usage of a user, a team, a key or everyone over UTC days, every row counted once (S20-S26).

`Reader` asks one server for one caller; the functions here are for a single question of short range.
"""

from datetime import UTC, date, datetime, timedelta

from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.usage_merge import (
    NO_MODEL,
    DayModelUsage,
    DayUsage,
    KeyUsage,
    Metrics,
    ModelUsage,
    Part,
    Usage,
    merge,
    views,
)
from tui.gateway.usage_question import Arrived, Kept, Progress, Question, final, months
from tui.gateway.usage_reader import Reader

__all__ = [
    "NO_MODEL",
    "Arrived",
    "DayModelUsage",
    "DayUsage",
    "Kept",
    "KeyUsage",
    "Metrics",
    "ModelUsage",
    "Part",
    "Progress",
    "Question",
    "Reader",
    "Usage",
    "final",
    "key_usage",
    "last_days",
    "merge",
    "month_to_date",
    "months",
    "previous",
    "team_usage",
    "twelve_months",
    "usage",
    "utc_today",
    "views",
]


def last_days(days: int, today: date) -> tuple[date, date]:
    """`days` UTC days ending with `today`, both ends included: 7 is today and the six before (S20)."""
    return today - timedelta(days=days - 1), today


def month_to_date(today: date) -> tuple[date, date]:
    """From the first of this month to `today`, both included."""
    return today.replace(day=1), today


def twelve_months(today: date) -> tuple[date, date]:
    """This month and the eleven before it, to `today`: whole calendar months, so that settled ones can be kept."""
    month = today.month % 12 + 1
    return date(today.year - (month > 1), month, 1), today


def previous(start: date, end: date) -> tuple[date, date]:
    """The days right before `start` to `end`, as many: what a total is compared with."""
    return start - (end - start) - timedelta(days=1), start - timedelta(days=1)


def utc_today() -> date:
    """Today as the gateway counts days."""
    return datetime.now(UTC).date()


async def usage(
    client: Client, start: date, end: date, user_id: str | None, *, admin: bool = False, server: Server | None = None
) -> Usage:
    """Usage of one user, or with None of all that the key may see (an admin's key: everyone).

    `admin` says that the key sees more than itself. Without `server` it is asked for in pages, as every release can.
    Raises `GatewayError`.
    """
    reader = Reader(client, server or Server(), admin, pages_only=server is None)
    question = Question("user", user_id) if user_id else Question("everyone")
    return await reader.read(question, start, end, key_models=True)


async def key_usage(client: Client, hash: str, start: date, end: date, *, server: Server | None = None) -> Usage:
    """Usage of one virtual key; `server` as for `usage`. Raises `GatewayError`."""
    reader = Reader(client, server or Server(), pages_only=server is None)
    return await reader.read(Question("key", hash), start, end)


async def team_usage(client: Client, team_id: str, start: date, end: date, *, server: Server | None = None) -> Usage:
    """Usage of one team; a member who is no admin of it gets the part that LiteLLM lets a member see."""
    reader = Reader(client, server or Server(), pages_only=server is None)
    return await reader.read(Question("team", team_id), start, end, key_models=True)
