"""Users of the gateway: read, find, create, update (S4-S6)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tui.gateway import paging
from tui.gateway.capabilities import Rights
from tui.gateway.client import Client, Params
from tui.gateway.errors import BadAnswer, NotFound
from tui.gateway.fields import mapping, whole, word
from tui.gateway.finding import LARGEST_PAGE, Found, holds, needle, pattern
from tui.gateway.paging import Pages
from tui.gateway.schema import Team, User
from tui.gateway.teams import sorted_teams


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
    return _told(answer)


def _told(answer: Any) -> User | None:
    if "user_info" not in mapping(answer):
        # taken for a missing user, it would make a plain user of an admin
        raise BadAnswer("The gateway's answer about a user holds no user; is the URL LiteLLM's?")
    record = mapping(answer)["user_info"]
    # 1.74.0 answers 200 for a missing user, with a record that names nobody
    if not isinstance(record, dict) or not word(record.get("user_id")):
        return None
    return User.from_gateway(record)


async def user_and_teams(client: Client, rights: Rights, user_id: str) -> tuple[User, list[Team] | None] | None:
    """The user with the teams they are in, by label; None where the gateway has none of that id. One call.

    The teams are None where this session is not told them: up to 1.83 a viewer may not read the record of another, and
    finds them in the list alone. Raises one of `GatewayError`'s kinds.
    """
    if not user_id:
        return None
    if not rights.admin and user_id != rights.user_id and not rights.server.at_least(1, 84):
        found = [user for user in (await _page(client, 1, _exactly(user_id))).rows if user.user_id == user_id]
        return (found[0], None) if found else None
    try:
        answer = await client.get("/user/info", {"user_id": user_id})
    except NotFound:
        return None
    user = _told(answer)
    return None if user is None else (user, sorted_teams(mapping(answer).get("teams")))


def _exactly(user_id: str) -> dict[str, str]:
    # twice, since a single id is searched for as a part of others
    return {"user_ids": f"{user_id},{user_id}"}


async def find_users(client: Client, rights: Rights, text: str, *, limit: int = 50) -> Found[User]:
    """At most `limit` (100 at most) users whose id or email contains `text` in any case, by id; whose id it is, first.

    For those who see everyone (S44). With "" it is the first page of all. No release searches aliases, so a user is
    found by theirs only where their id or email holds it too; pages are asked for, never the whole proxy (S5).
    From 1.83 on `/user/list` searches ids. 1.74 compares whole ids there, but not in the route of its own pages, which
    gives ids alone; the records are asked for then.

    Raises one of `GatewayError`'s kinds.
    """
    size, wanted = min(limit, LARGEST_PAGE), needle(text)
    if not wanted:
        return await _page(client, size, {})
    searched = pattern(wanted)
    by_id = _by_id if rights.server.at_least(1, 83) else _by_id_before_1_83
    answers = await asyncio.gather(
        by_id(client, size, searched),
        _page(client, size, {"user_email": searched}),
        _page(client, 1, _exactly(wanted)) if "," not in wanted else _nobody(),
    )
    found = {user.user_id: user for answer in answers for user in answer.rows}
    rows = [user for user in found.values() if holds(wanted, user.user_id, user.email)]
    rows.sort(key=lambda user: (user.user_id != wanted, user.user_id))
    return Found(rows[:size], len(rows) > size or any(answer.more for answer in answers[:2]))


SORTS = {
    "id": "user_id",
    "email": "user_email",
    "alias": "user_alias",
    "role": "user_role",
    "spend": "spend",
    "created": "created_at",
}
"""What every release sorts users by, under this program's names; any other is a 400. None sorts by budget."""


def user_pages(client: Client, *, sort: str = "id", descending: bool = False) -> Pages[User]:
    """Every user there is, with their budgets, in pages of the server's order; for those who see everyone (S44).

    `sort` is a name of `SORTS`. Only "id" has no equal values, which come in another order on each page.
    """

    async def ask(number: int) -> tuple[int, list[User]]:
        order: Params = {"sort_by": SORTS[sort], "sort_order": "desc" if descending else "asc"}
        return await _listed(client, {"page": number + 1, "page_size": paging.PAGE, **order})

    return Pages(ask)


async def _page(client: Client, size: int, filters: Mapping[str, str]) -> Found[User]:
    total, users = await _listed(
        client, {**filters, "page": 1, "page_size": size, "sort_by": "user_id", "sort_order": "asc"}
    )
    return Found(users, total > size)


async def _listed(client: Client, query: Params) -> tuple[int, list[User]]:
    answer = await client.get("/user/list", query)
    rows = answer.get("users") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("The gateway's user list holds no users; is the URL LiteLLM's?")
    users = [User.from_gateway(row) for row in rows if isinstance(row, dict) and word(row.get("user_id"))]
    return whole(answer.get("total")) or 0, users


async def _by_id(client: Client, size: int, searched: str) -> Found[User]:
    return await _page(client, size, {"user_ids": searched})


async def _by_id_before_1_83(client: Client, size: int, searched: str) -> Found[User]:
    # it tells no total: one row more says whether there are more
    asked = min(size + 1, LARGEST_PAGE)
    answer = await client.get("/user/filter/ui", {"user_id": searched, "page": 1, "page_size": asked})
    rows = answer if isinstance(answer, list) else []
    ids = [found for row in rows if (found := word(mapping(row).get("user_id")))]
    # an id with a comma cannot be named in a list of ids
    listed = [each for each in ids if "," not in each]
    alone = await asyncio.gather(*(user_info(client, each) for each in ids if "," in each))
    users = (await _page(client, asked, {"user_ids": ",".join(listed)})).rows if listed else []
    return Found([*users, *(user for user in alone if user)], len(rows) >= asked)


async def _nobody() -> Found[User]:
    return Found([])


async def create_user(client: Client, fields: Mapping[str, Any]) -> None:
    """POST `/user/new` with `fields` as LiteLLM names them (S6). Raises `Conflict` where the user exists already."""
    await client.post("/user/new", fields)


async def update_user(client: Client, user_id: str, fields: Mapping[str, Any]) -> None:
    """POST `/user/update`. It creates an unknown user silently, so it is only for users known to exist (S6)."""
    if not user_id:
        raise BadAnswer("A user without an id cannot be updated.")
    await client.post("/user/update", {"user_id": user_id, **fields})
