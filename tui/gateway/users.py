"""Users of the gateway: read, create, update (S4-S6)."""

from collections.abc import Mapping
from typing import Any

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, NotFound
from tui.gateway.fields import word
from tui.gateway.schema import User


async def user_info(client: Client, user_id: str) -> User | None:
    """The user, or None where the gateway has none of that id (S4). Any other failure raises `GatewayError`.

    An empty id is answered with None and no call: with an admin key LiteLLM would dump the whole proxy (S5).
    """
    if not user_id:
        return None
    try:
        answer = await client.get("/user/info", {"user_id": user_id})
    except NotFound:
        return None
    record = answer.get("user_info") if isinstance(answer, dict) else None
    # 1.74.0 answers 200 for a missing user, with a record that names nobody
    if not isinstance(record, dict) or not word(record.get("user_id")):
        return None
    return User.from_gateway(record)


async def create_user(client: Client, fields: Mapping[str, Any]) -> None:
    """POST `/user/new` with `fields` as LiteLLM names them (S6). Raises `Conflict` where the user exists already."""
    await client.post("/user/new", fields)


async def update_user(client: Client, user_id: str, fields: Mapping[str, Any]) -> None:
    """POST `/user/update`. It creates an unknown user silently, so it is only for users known to exist (S6)."""
    if not user_id:
        raise BadAnswer("A user without an id cannot be updated.")
    await client.post("/user/update", {"user_id": user_id, **fields})
