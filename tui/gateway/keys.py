"""Virtual keys: list, create, change, block, reset, delete (S7-S12). A key is named by its hash alone (S12)."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, Forbidden, Invalid, NotFound, RouteMissing, ServerFailed, Unauthorized
from tui.gateway.fields import mapping, whole, word
from tui.gateway.schema import Key, NewKey

PAGE = 100
"""Keys per page; LiteLLM's largest (its default is 10)."""
AT_ONCE = 4
"""Pages or reads under way at the same time."""
MOST_PAGES = 20_000
"""More is no key list: two million keys."""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def list_keys(client: Client, user_id: str | None) -> list[Key]:
    """Every key of `user_id`, newest first, all pages followed (S7).

    [] with no call where there is no id, and [] for a user that the gateway does not know.
    """
    if not user_id:
        return []
    try:
        return await _pages(client, {"user_id": user_id})
    except NotFound:
        return []


async def list_every_key(client: Client, *, team_id: str | None = None) -> list[Key]:
    """Every key that the session's key may see (an admin's: everyone's), or those of one team. Paged calls (S37)."""
    return await _pages(client, {"team_id": team_id})


async def own_key(client: Client) -> Key | None:
    """The record of the key that the session calls with; None for the master key, which has no record."""
    try:
        answer = await client.get("/key/info")
    except NotFound as error:
        # LiteLLM's own words for it; a 404 of anything else in between must not make an admin of the key
        if error.type == "not_found_error":
            return None
        raise
    return _from_info(answer)


async def key_info(client: Client, hash: str) -> Key | None:
    """One key as it is now, or None where it is gone (or not for the session's key to see).

    Asked through the list: recent releases answer `/key/info` for a deleted key as if it were there.
    """
    try:
        answer = await client.get("/key/list", {"key_hash": hash, "return_full_object": True, "page": 1, "size": 1})
    except Forbidden as error:
        # what 1.108 says to all but admins about a hash that is not there
        if error.param == "key_hash":
            return None
        raise
    except ServerFailed as error:
        # 1.74 and 1.83 stumble over it; there the other route knows
        if error.status != 500:
            raise
        try:
            return _from_info(await client.get("/key/info", {"key": hash}))
        except NotFound:
            return None
    return next((key for key in rows_of(answer) if key.hash == hash), None)


async def generate_key(client: Client, fields: Mapping[str, Any]) -> NewKey:
    """Make a key. `fields` as LiteLLM names them, flat: `key_alias`, `user_id`, `duration`, `models`, … (S9).

    A blank alias is left out, as aliases are unique across the proxy and "" would count as one. Raises `Invalid` with
    `param` where LiteLLM names the field. After `Unreachable` the key may exist all the same: look before a second try.
    """
    body = {name: value for name, value in fields.items() if value is not None}
    body["user_id"] = fields.get("user_id")
    if not str(body.get("key_alias") or "").strip():
        body.pop("key_alias", None)
    answer = await client.post("/key/generate", body)
    try:
        return NewKey.model_validate(answer)
    except ValueError:
        raise BadAnswer(
            "The gateway said it made a key and gave no secret with it that can be used; delete that key."
        ) from None


async def update_key(client: Client, hash: str, changes: Mapping[str, Any]) -> Key:
    """Change only the fields in `changes` (LiteLLM's names); None clears one (S10). The key as it is afterwards.

    `metadata` holds what to add or, with None as value, remove: LiteLLM replaces it wholesale, so it is read and
    merged. Raises `NotFound` where the key is gone, and `Invalid` where its metadata is nothing to merge with.
    """
    body: dict[str, Any] = {"key": hash, **changes}
    if "metadata" in changes:
        before = await key_info(client, hash)
        if before is None:
            raise NotFound("This key is gone.", status=404)
        if not before.metadata_readable:
            raise Invalid(
                "The key's metadata is not a JSON object, and this change would wipe it. Nothing was sent; put the "
                "metadata right on the gateway first.",
                param="metadata",
            )
        merged = {**before.metadata, **changes["metadata"]}
        body["metadata"] = {name: value for name, value in merged.items() if value is not None}
    try:
        await client.post("/key/update", body)
    except Unauthorized:
        # 1.74 says so of a key that is gone, as of one that is not the caller's
        if await key_info(client, hash) is None:
            raise NotFound("This key is gone.", status=404) from None
        raise
    after = await key_info(client, hash)
    if after is None:
        raise NotFound("This key is gone.", status=404)
    return after


async def block_key(client: Client, hash: str) -> None:
    """Refuse every call with this key from now on; `unblock_key` takes it back."""
    await client.post("/key/block", {"key": hash})


async def unblock_key(client: Client, hash: str) -> None:
    """Let a blocked key work again."""
    await client.post("/key/unblock", {"key": hash})


async def reset_spend(client: Client, hash: str) -> None:
    """Set the spend of the budget window to 0 USD. Releases without the route take the update for it."""
    try:
        await client.post(f"/key/{hash}/reset_spend", {"reset_to": 0})
    except RouteMissing:
        await client.post("/key/update", {"key": hash, "spend": 0})


async def delete_keys(client: Client, hashes: Iterable[str], *, together: bool = False) -> list[str]:
    """Delete keys for good; the hashes that are still there afterwards, read back (S11).

    `together` as `still_there` has it.
    """
    wanted = list(hashes)
    if not wanted:
        return []
    # 404 where none of them is there any more: somebody was faster, and what is asked for is so
    with contextlib.suppress(NotFound):
        await client.post("/key/delete", {"keys": wanted})
    return await still_there(client, wanted, together=together)


async def still_there(client: Client, hashes: Iterable[str], *, together: bool = False) -> list[str]:
    """Those of `hashes` that the gateway still has. `together` asks for all at once first, which takes an admin."""
    wanted = list(hashes)
    # 1.108 does not say which keys it tells about, so it is good for "none" alone
    if together and mapping(await client.post("/v2/key/info", {"keys": wanted})).get("info") == []:
        return []
    gate = asyncio.Semaphore(AT_ONCE)

    async def left(hash: str) -> bool:
        async with gate:
            return await key_info(client, hash) is not None

    there = await asyncio.gather(*(left(hash) for hash in wanted))
    return [hash for hash, is_there in zip(wanted, there, strict=True) if is_there]


async def _pages(client: Client, filters: Mapping[str, str | None]) -> list[Key]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def page(number: int) -> Any:
        async with gate:
            return await client.get(
                "/key/list",
                {
                    **filters,
                    "return_full_object": True,
                    "page": number,
                    "size": PAGE,
                    # the one column without ties: by any other, a key may fall between two pages
                    "sort_by": "token",
                    "sort_order": "asc",
                },
            )

    first = await page(1)
    total = whole(mapping(first).get("total_pages")) or 1
    if total > MOST_PAGES:
        raise BadAnswer(f"The gateway says that it has {total} pages of keys; is the URL LiteLLM's?")
    rest = await asyncio.gather(*(page(number) for number in range(2, total + 1)))
    # a key made while the pages are read moves the others along, so one may come twice
    found = {key.hash: key for answer in (first, *rest) for key in rows_of(answer)}
    return sorted(found.values(), key=lambda key: key.created_at or _LONG_AGO, reverse=True)


def rows_of(answer: Any) -> list[Key]:
    """The records of an answer of `/key/list`. Raises `BadAnswer` where it holds none."""
    rows = answer.get("keys") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("The gateway's key list holds no keys; is the URL LiteLLM's?")
    found = [Key.from_gateway(row) for row in rows if isinstance(row, dict) and word(row.get("token"))]
    if rows and not found:
        # not "no keys": a list that is there, and cannot be read
        raise BadAnswer("The gateway's key list holds nothing that is a key; is the URL LiteLLM's?")
    return found


def _from_info(answer: Any) -> Key | None:
    info = answer.get("info") if isinstance(answer, dict) else None
    token = word(mapping(info).get("token")) or word(mapping(answer).get("key"))
    if not isinstance(info, dict) or not token:
        raise BadAnswer("The gateway's answer about this key holds no key; is the URL LiteLLM's?")
    return Key.from_gateway({**info, "token": token})
