"""How a user and a team are put into words and cells, and what each of them leads to."""

from datetime import datetime

from tui import look
from tui.formatting import NAMELESS, money, percent, resets
from tui.gateway.fields import visible
from tui.gateway.schema import Team, User
from tui.gateway.state import NEAR, used
from tui.reports import Scope
from tui.widgets.table import Cell, bar

ROLES = {
    "proxy_admin": "admin",
    "proxy_admin_viewer": "viewer",
    "internal_user": "user",
    "internal_user_viewer": "looker",
}
"""LiteLLM's roles, in a word."""


def role_of(user: User) -> str:
    """The role in a word; another one as it is, "" for none."""
    return ROLES.get(user.role or "", user.role or "")


def name_of(user: User) -> str:
    """What a person calls the user beside the id: alias, else e-mail; "" where neither says more."""
    name = visible(user.alias) or visible(user.email) or ""
    return "" if name == user.user_id else name


def user_scope(user: User) -> Scope:
    """The user's keys and usage."""
    return Scope("user", user.user_id, visible(user.alias) or user.email or visible(user.user_id) or NAMELESS)


def team_scope(team: Team) -> Scope:
    """The team's keys and usage."""
    return Scope("team", team.team_id, f"team {visible(team.label) or NAMELESS}")


def pressing(spend: float, limit: float | None) -> str:
    """`!`'s style where the budget is near its end or over it (S42); "" else."""
    part = used(spend, limit)
    if part is None or part < NEAR:
        return ""
    return look.BAD if part >= 1 else look.WARN


def budget_cell(spend: float, limit: float | None) -> Cell:
    """Bar, per cent and limit; the words alone where there is no limit (S42)."""
    part = used(spend, limit)
    if part is None:
        return Cell("no limit", look.DIM)
    style = pressing(spend, limit)
    return Cell(f"{bar(part, 5):<5}{'!' if style else ' '}{percent(part):>5} {money(limit).removesuffix('.00')}", style)


def resets_cell(record: User | Team, now: datetime) -> Cell:
    """`daily`, `on 1 Dec`, `every 30 days`; nothing where there is no limit."""
    if record.max_budget is None:
        return Cell()
    return Cell(
        resets(record.budget_duration, record.budget_reset_at, now).removeprefix("resets ") or "never", look.DIM
    )
