"""What a rotation will do, in words and figures, before any call is made."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui.gateway import durations
from tui.gateway.capabilities import Action, Rights
from tui.gateway.redaction import printable
from tui.gateway.rotation_records import How, note_of, retired, retired_alias, temporary_alias
from tui.gateway.schema import NO_MODELS, Key, Team


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rotation of `key` will do. `problem` says why it cannot be started as asked; None where it can.

    `own` marks the key that the session calls with: go on from `confirm` with a client of the new secret then.
    `lasts` is what LiteLLM gets as `duration` (None: never ends), `ends` the new key's end, `old_ends` the old one's
    once it is retired by grace. `choices` holds what this caller may do with the old key, `how` what was asked for or,
    where that is not allowed, KEEP, with `why_not` for the reason. `copied` are pairs of label and value in words.
    """

    key: Key
    by: str
    temporary_alias: str
    retired_alias: str | None
    lasts: str | None
    ends: datetime | None
    grace: str
    old_ends: datetime | None
    how: How
    choices: tuple[How, ...]
    why_not: str | None
    copied: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    warnings: tuple[str, ...]
    own: bool = False
    problem: str | None = None


def plan(
    key: Key,
    *,
    life: str | None = "same",
    grace: str = "24h",
    rights: Rights,
    now: datetime,
    taken_aliases: Collection[str] = (),
    session_hash: str | None = None,
    team: Team | None = None,
) -> Plan:
    """What rotating `key` would do; no call is made.

    `life` is `"same"` (the old key's end), a duration, or None for never. `grace` is `"0"` (the old key is deleted at
    once) or a duration. `session_hash` is the key that this session calls with, `team` the key's team where known.
    """
    lasts, ends, problem = _life(key, life, now)
    wanted = How.DELETE if grace == "0" else How.GRACE
    if wanted is How.GRACE and not durations.is_duration(grace):
        problem = problem or f"{printable(grace)} is no duration; write 0, 90s, 1h, 24h or 7d."
    choices, why_not = _choices(key, rights)
    how = wanted if wanted in choices else How.KEEP
    gives = retired_alias(key.alias, key.hash) if key.alias else None
    while gives in taken_aliases and gives is not None:
        gives += "-2"
    old_ends = None
    if how is How.GRACE:
        after = now + (durations.length(grace) or timedelta())
        old_ends = min(key.expires_at, after) if key.expires_at else after
    return Plan(
        key=key,
        by=rights.user_id or rights.role,
        temporary_alias=temporary_alias(key.hash),
        retired_alias=gives,
        lasts=lasts,
        ends=ends,
        grace=grace,
        old_ends=old_ends,
        how=how,
        choices=choices,
        why_not=why_not if how is not wanted else None,
        copied=tuple(_copied(key)),
        steps=tuple(_steps(key, how, gives, old_ends)),
        warnings=tuple(_warnings(key, now, ends, rights, session_hash, team)),
        own=key.hash == session_hash,
        problem=_cannot(key, rights) or problem,
    )


def _life(key: Key, life: str | None, now: datetime) -> tuple[str | None, datetime | None, str | None]:
    if life is None:
        return None, None, None
    if life != "same":
        after = durations.length(life) if durations.is_duration(life) else None
        if after is None:
            return None, None, f"{printable(life)} is no duration; write 30d, 12h, or never."
        return life, now + after, None
    if key.expires_at is None:
        return None, None, None
    left = math.ceil((key.expires_at - now).total_seconds())
    if left <= 0:
        return None, None, f"This key ended on {key.expires_at:%Y-%m-%d %H:%M} UTC, so the new one needs another end."
    return f"{left}s", key.expires_at, None


def _choices(key: Key, rights: Rights) -> tuple[tuple[How, ...], str | None]:
    may_not_edit = rights.why_not(Action.EDIT, key, {"key_alias", "duration", "metadata"})
    may_not_delete = rights.why_not(Action.DELETE, key)
    allowed = ((How.GRACE, may_not_edit), (How.DELETE, may_not_delete), (How.KEEP, None))
    return tuple(how for how, why in allowed if why is None), may_not_edit or may_not_delete


def _cannot(key: Key, rights: Rights) -> str | None:
    if why := rights.why_not(Action.CREATE, team_id=key.team_id):
        return why
    leads = key.team_id is not None and key.team_id in rights.admin_of
    if not rights.admin and not leads and key.user_id != rights.user_id:
        return "Only its owner or an admin may rotate this key."
    if note_of(key.metadata):
        return "This key is the new one of a rotation that is not finished; finish or undo that first."
    if before := retired(key):
        return f"This key was rotated already and is retired; rotate {printable(before.alias or 'its successor')}."
    return None


def _copied(key: Key) -> list[tuple[str, str]]:
    window = f" per {durations.in_words(key.budget_duration)}" if key.budget_duration else ""
    models = ", ".join(key.models) if key.models else "all"
    rows = [
        ("Owner", key.user_id),
        ("Team", key.team_alias or key.team_id),
        ("Models", "none" if key.models == [NO_MODELS] else models),
        ("Budget", None if key.max_budget is None else f"${key.max_budget:,.2f}{window}"),
        ("Spent so far", f"${key.spend:,.2f}"),
        ("Tokens per minute", None if key.tpm_limit is None else f"{key.tpm_limit:,}"),
        ("Requests per minute", None if key.rpm_limit is None else f"{key.rpm_limit:,}"),
        ("Parallel requests", None if key.max_parallel_requests is None else f"{key.max_parallel_requests:,}"),
        ("Allowed routes", ", ".join(key.allowed_routes) or None),
        ("Metadata", ", ".join(sorted(map(str, key.metadata))) or None),
    ]
    return [(label, printable(value)) for label, value in rows if value]


def _steps(key: Key, how: How, gives: str | None, old_ends: datetime | None) -> list[str]:
    name = printable(key.label)
    said = [
        "A new key is made with the same owner, team, models, limits, budget and spend.",
        "The new key is tried with one call that costs nothing.",
        "You take the secret. Nothing is retired before you say so.",
    ]
    if how is How.KEEP:
        return [
            *said,
            f"Both keys stay, and the rotation stays listed until the old one may go. {name} keeps its name.",
        ]
    if how is How.DELETE:
        said.append("The old key is deleted.")
    elif gives and old_ends:
        said.append(f"The old key becomes {printable(gives)} and ends on {old_ends:%Y-%m-%d %H:%M} UTC by itself.")
    elif old_ends:
        said.append(f"The old key ends on {old_ends:%Y-%m-%d %H:%M} UTC by itself.")
    return [*said, f"The new key takes the name {name}."] if key.alias else said


def _warnings(
    key: Key, now: datetime, ends: datetime | None, rights: Rights, session_hash: str | None, team: Team | None
) -> list[str]:
    said = []
    if key.hash == session_hash:
        said.append(
            "This session uses this key. Put the new one where this profile reads its key, before the old ends."
        )
    if key.blocked:
        said.append("This key is blocked, so the new one will be blocked too.")
    if key.expires_at and key.expires_at <= now:
        said.append(f"This key ended on {key.expires_at:%Y-%m-%d %H:%M} UTC; nothing works with it now.")
    if not key.alias:
        said.append("This key has no name, and neither will the new one.")
    if key.max_budget is not None and key.spend >= key.max_budget:
        said.append("Its budget is used up, so the new key is refused as well until the budget is reset.")
    if key.budget_reset_at and not rights.server.at_least(1, 75):
        said.append("This release starts the budget period anew with the new key, so its spend is reset later.")
    if team is not None and team.models and (gone := [name for name in key.models if name not in team.models]):
        said.append(f"The team no longer allows {printable(', '.join(gone))}; calls to it are refused.")
    if ends and key.expires_at is None:
        said.append(f"The old key never ends; the new one ends on {ends:%Y-%m-%d %H:%M} UTC.")
    return said
