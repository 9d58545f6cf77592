"""`litellm-tui keys list`."""

from datetime import datetime
from typing import Any

from tui.commands import Clock, Refused, say
from tui.commands.output import Cell, Column, json_safe, print_json, print_table
from tui.formatting import ago, count, models_summary, money, percent, until
from tui.gateway.capabilities import Action
from tui.gateway.schema import Key
from tui.gateway.state import Expiry, Reason, expiry, reasons, used
from tui.startup import Session

COLUMNS = (
    Column("Alias", least=18),
    Column("Key"),
    Column("Spend", right=True),
    Column("Budget", right=True, drop=2),
    Column("Used", right=True, drop=3),
    Column("Expires"),
    Column("Models", least=12, drop=4),
    Column("State", least=11),
    Column("Owner", least=12, drop=5),
    Column("Team", least=10, drop=6),
    Column("Last used", drop=7),
    Column("TPM", right=True, drop=8),
    Column("RPM", right=True, drop=8),
    Column("Created", drop=9),
)
FIELDS = (
    "hash",
    "name",
    "alias",
    "user_id",
    "team_id",
    "spend",
    "max_budget",
    "budget_duration",
    "budget_reset_at",
    "expires_at",
    "models",
    "tpm_limit",
    "rpm_limit",
    "blocked",
    "key_type",
    "created_at",
    "last_used_at",
    "metadata",
)
"""What `--json` prints of a key, in this order; USD, ISO 8601 in UTC."""
URGENT = frozenset({Reason.EXPIRED, Reason.OVER, Reason.BLOCKED})


async def list_keys(session: Session, clock: Clock, *, as_json: bool) -> int:
    """The keys of whom the session is about, by label."""
    if why := session.rights.why_not(Action.LIST_KEYS):
        raise Refused(why)
    keys = sorted(await session.load_keys(), key=lambda key: (key.label.casefold(), key.hash))
    now = clock()
    if as_json:
        print_json([record(key, now) for key in keys])
    elif keys:
        teams = {team.team_id: team.label for team in session.teams}
        print_table(COLUMNS, [_row(key, now, teams) for key in keys])
    else:
        say(f"No keys of {session.about}.")
    return 0


def record(key: Key, now: datetime) -> dict[str, Any]:
    """A key for programs: `FIELDS`, and as `state` every reason to look at it."""
    # pydantic gives up on metadata that are nested deeply
    values = {**key.model_dump(mode="json", exclude={"metadata"}), "metadata": json_safe(key.metadata)}
    return {**{name: values[name] for name in FIELDS}, "state": [str(reason) for reason in reasons(key, now)]}


def _row(key: Key, now: datetime, teams: dict[str, str]) -> list[str | Cell]:
    part, why = used(key.spend, key.max_budget), reasons(key, now)
    end = {Expiry.EXPIRED: "bad", Expiry.SOON: "warn"}.get(expiry(key, now), "")
    return [
        key.label,
        key.tail,
        money(key.spend),
        money(key.max_budget) if key.max_budget is not None else "no limit",
        percent(part) if part is not None else "",
        Cell(until(key.expires_at, now), end),
        models_summary(key.models),
        Cell(", ".join(why), "bad" if URGENT.intersection(why) else "warn" if why else ""),
        key.user_id or "",
        teams.get(key.team_id, key.team_id) if key.team_id else "",
        ago(key.last_used_at, now) if key.last_used_at else "",
        count(key.tpm_limit) if key.tpm_limit is not None else "",
        count(key.rpm_limit) if key.rpm_limit is not None else "",
        f"{key.created_at:%Y-%m-%d}" if key.created_at else "",
    ]
