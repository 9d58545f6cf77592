"""What a key's record says about its state: expiry, budget, and whether a person should look at it (S42)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tui.gateway import rotation_records
from tui.gateway.schema import Key

SOON = timedelta(days=7)
"""An expiry within this is "soon" (S42)."""
NEAR = 0.8
"""A budget used to this part is "near" (S42)."""
UNUSED = timedelta(days=90)
"""A key not used for this long, where the release tells, is "unused"."""


class Expiry(StrEnum):
    """`never` · `later` · `soon` (under 7 days) · `expired`."""

    NEVER = "never"
    LATER = "later"
    SOON = "soon"
    EXPIRED = "expired"


class Budget(StrEnum):
    """`none` (no limit) · `ok` · `near` (from 80 %) · `over` (from 100 %)."""

    NONE = "none"
    OK = "ok"
    NEAR = "near"
    OVER = "over"


class Reason(StrEnum):
    """Why a key needs attention, most pressing first."""

    EXPIRED = "expired"
    OVER = "over budget"
    BLOCKED = "blocked"
    EXPIRING = "expiring"
    DUE = "rotation due"
    NEAR = "near budget"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Attention:
    """One key with its most pressing reason."""

    key: Key
    reason: Reason


def expiry(key: Key, now: datetime) -> Expiry:
    """The state of the key's end."""
    if key.expires_at is None:
        return Expiry.NEVER
    if key.expires_at <= now:
        return Expiry.EXPIRED
    return Expiry.SOON if key.expires_at - now < SOON else Expiry.LATER


def used(spend: float, max_budget: float | None) -> float | None:
    """The part of the budget that is spent, not clamped; None where there is no limit. A budget of 0 is used up."""
    if max_budget is None:
        return None
    return spend / max_budget if max_budget > 0 else 1.0


def budget(key: Key) -> Budget:
    """The state of the key's budget, from the record's own spend (S25)."""
    part = used(key.spend, key.max_budget)
    if part is None:
        return Budget.NONE
    if part >= 1:
        return Budget.OVER
    return Budget.NEAR if part >= NEAR else Budget.OK


def reasons(key: Key, now: datetime) -> list[Reason]:
    """Every reason to look at this key, most pressing first; [] for a key that is fine, or retired with a set end."""
    if rotation_records.retired(key) and key.expires_at is not None:
        return []
    end, money = expiry(key, now), budget(key)
    idle_since = key.last_used_at or (key.created_at if key.spend == 0 and not key.total_spend else None)
    checks = {
        Reason.EXPIRED: end is Expiry.EXPIRED,
        Reason.OVER: money is Budget.OVER,
        Reason.BLOCKED: key.blocked,
        Reason.EXPIRING: end is Expiry.SOON,
        Reason.DUE: rotation_records.due(key, now),
        Reason.NEAR: money is Budget.NEAR,
        Reason.UNUSED: idle_since is not None and now - idle_since > UNUSED,
    }
    return [reason for reason, holds in checks.items() if holds]


def attention(keys: list[Key], now: datetime) -> list[Attention]:
    """The keys that need a person, most pressing first, then by label."""
    order = list(Reason)
    found = [Attention(key, why[0]) for key in keys if (why := reasons(key, now))]
    return sorted(found, key=lambda item: (order.index(item.reason), item.key.label.lower()))
