"""How a virtual key is put into words and cells: state, budget, end, and why it needs attention."""

from collections.abc import Callable
from datetime import datetime

from tui import look
from tui.formatting import ago, count, models_summary, money, percent, resets, until
from tui.gateway.rotation_records import retired
from tui.gateway.schema import Key
from tui.gateway.state import Budget, Expiry, Reason, budget, expiry, used
from tui.widgets.table import Cell, bar


def budget_cell(key: Key) -> Cell:
    """Bar, per cent and limit; the words alone where there is no limit (S42). A retired key alarms nobody."""
    part = used(key.spend, key.max_budget)
    if part is None:
        return Cell("no limit", look.DIM)
    pressing = budget(key) in (Budget.OVER, Budget.NEAR) and not done_with(key)
    style = {Budget.OVER: look.BAD, Budget.NEAR: look.WARN}.get(budget(key), "") if pressing else ""
    style = look.DIM if done_with(key) else style
    mark = "!" if pressing else " "
    limit = money(key.max_budget).removesuffix(".00")
    return Cell(f"{bar(part, 5):<5}{mark}{percent(part):>5} {limit}", style)


def end_cell(key: Key, now: datetime) -> Cell:
    """Whether the key works and until when: retired and blocked first, then the expiry (S42)."""
    if done_with(key):
        left = key.expires_at is not None and key.expires_at > now
        return Cell(f"retired, {until(key.expires_at, now)}".removesuffix(" left") if left else "retired", look.DIM)
    if key.blocked:
        return Cell("blocked", look.BAD)
    style = {Expiry.EXPIRED: look.BAD, Expiry.SOON: look.WARN, Expiry.NEVER: look.DIM}.get(expiry(key, now), "")
    return Cell(until(key.expires_at, now), style)


def done_with(key: Key) -> bool:
    """Whether a rotation retired it and its end is set: as it should be, so nothing for a person to do (`reasons`)."""
    return retired(key) is not None and key.expires_at is not None


def limits(key: Key) -> str:
    """Tokens and requests per minute, "" where neither is limited."""
    pieces = []
    if key.tpm_limit is not None:
        pieces.append(f"{count(key.tpm_limit)} tpm")
    if key.rpm_limit is not None:
        pieces.append(f"{count(key.rpm_limit)} rpm")
    return " · ".join(pieces)


def spent_of(key: Key, now: datetime) -> str:
    """`$48.20 of $50, 96 %, resets in 6 d`."""
    part = used(key.spend, key.max_budget)
    if part is None:
        return money(key.spend)
    window = resets(key.budget_duration, key.budget_reset_at, now)
    return f"{money(key.spend)} of {money(key.max_budget)}, {percent(part)}{', ' + window if window else ''}"


def why(key: Key, reason: Reason, now: datetime) -> str:
    """The reason for attention, with its figures."""
    match reason:
        case Reason.EXPIRED | Reason.EXPIRING:
            return until(key.expires_at, now)
        case Reason.OVER | Reason.NEAR:
            return spent_of(key, now)
        case Reason.BLOCKED:
            return "blocked: every call with it is refused"
        case Reason.DUE:
            return "rotation due"
        case Reason.UNUSED:
            if key.last_used_at:
                return f"not used since {ago(key.last_used_at, now)}".replace(" ago", "").replace("since", "for")
            return f"never used, made {ago(key.created_at, now)}"


REMEDY: dict[Reason, tuple[str, str, str]] = {
    Reason.EXPIRED: ("keys.rotate", "rotate", "rotate"),
    Reason.OVER: ("keys.edit", "budget", "edit"),
    Reason.BLOCKED: ("keys.block", "unblock", "block"),
    Reason.EXPIRING: ("keys.rotate", "rotate", "rotate"),
    Reason.DUE: ("keys.rotate", "rotate", "rotate"),
    Reason.NEAR: ("keys.edit", "budget", "edit"),
    Reason.UNUSED: ("keys.delete", "delete", "delete"),
}
"""The binding to press, what the footer calls it, and the keys screen's action, by reason."""

SORTS: dict[str, Callable[[Key], object]] = {
    "alias": lambda key: key.label,
    "key": lambda key: key.tail,
    "spend": lambda key: key.spend,
    "budget": lambda key: used(key.spend, key.max_budget),
    "expires": lambda key: key.expires_at,
    "models": lambda key: models_summary(key.models),
    "limits": lambda key: key.rpm_limit if key.rpm_limit is not None else key.tpm_limit,
    "team": lambda key: key.team_alias or key.team_id,
    "owner": lambda key: key.user_id,
    "created": lambda key: key.created_at,
    "used": lambda key: key.last_used_at,
}
"""What each column sorts by; absent values come last."""
