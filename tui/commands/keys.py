"""`litellm-tui keys list`."""

from datetime import UTC, datetime
from typing import Any

from tui.commands import say
from tui.commands.output import Field, print_json, print_table
from tui.formatting import models_summary, money, percent, until
from tui.gateway.capabilities import Action
from tui.gateway.errors import Forbidden
from tui.gateway.schema import Key
from tui.gateway.state import reasons, used
from tui.startup import Session

FIELDS = (
    Field("Alias", shrink=True),
    Field("Key"),
    Field("Spend", right=True),
    Field("Budget", right=True),
    Field("Used", right=True),
    Field("Expires"),
    Field("Models", shrink=True),
    Field("State", shrink=True),
)


async def list_keys(session: Session, *, as_json: bool) -> int:
    """The keys that the start has read, by label."""
    why = session.rights.why_not(Action.LIST_KEYS)
    if why:
        raise Forbidden(why)
    now = datetime.now(UTC)
    keys = sorted(session.keys, key=lambda key: key.label.casefold())
    if as_json:
        print_json([record(key, now) for key in keys])
        return 0
    if not keys:
        say(f"no keys of {session.about}")
        return 0
    rows = []
    for key in keys:
        part = used(key.spend, key.max_budget)
        rows.append(
            [
                key.label,
                key.tail,
                money(key.spend),
                money(key.max_budget) if key.max_budget is not None else "no limit",
                percent(part) if part is not None else "",
                until(key.expires_at, now),
                models_summary(key.models),
                ", ".join(reasons(key, now)),
            ]
        )
    print_table(FIELDS, rows)
    return 0


def record(key: Key, now: datetime) -> dict[str, Any]:
    """A key for programs: its fields, and why it needs attention."""
    return {**key.model_dump(mode="json"), "state": [str(reason) for reason in reasons(key, now)]}
