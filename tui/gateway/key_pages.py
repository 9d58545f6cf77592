"""A long key list: pages in the server's order, or every key once in any order, kept small.

What `/key/list` does, from the sources of 1.74.0, 1.83.0 and 1.108.0, each tried on the proxy (S44: known, not tried):

- `page` from 1, `size` 1 to 100 (default 10; more is a 422). `total_count` and `total_pages` are in every answer.
- `user_id`, `team_id`, `key_hash`, `key_alias` are whole values in exact case. A part of an alias, in any case, is
  found by `search` of 1.108 alone (it takes a whole hash too; `%`, `_` and the backslash are LIKE's). Older releases
  ignore the parameter and answer with everything, without a word.
- `sort_by`: spend, max_budget, created_at, updated_at, token, key_alias in all three; any other is a 400. One column,
  no second one: equal values come in any order, another one on another page (all pages of 20,000 keys by max_budget
  held 18,133). Without `sort_by` it is created_at and then token, both falling: stable. PostgreSQL puts null last
  going up and first going down.
- `status`: ignored by 1.74; `deleted` in 1.83 (others are a 400); active, expired, revoked, deleted in 1.108, where
  `expired` leaves blocked keys out; its `expires=expired` does not. `include_team_keys` adds nothing for an admin.
- `last_active` is in the records from 1.83 on. No release sorts or filters by it, nor sorts by `expires`.

With 20,000 keys a page of 100 takes 60 to 90 ms on the stand, the last as the first, in any order; one user's keys take
25 ms, everything 20 s (1.108; `ended` ones 1.5 s). As records they would be 80 MB, as rows they are 15.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from tui.gateway.capabilities import Server
from tui.gateway.client import Client, Params
from tui.gateway.errors import BadAnswer, Invalid
from tui.gateway.fields import mapping, visible, whole
from tui.gateway.finding import holds, literal, needle
from tui.gateway.keys import MOST_PAGES, rows_of
from tui.gateway.paging import PAGE, PAGES_KEPT, Pages, Window
from tui.gateway.schema import Key
from tui.gateway.state import used

FETCHES = 2
"""Pages under way at once while every key is read: a gateway serves others meanwhile."""


class Status(StrEnum):
    """Which keys, in LiteLLM's words. EXPIRED leaves blocked keys out; each live key is one of the first three."""

    ACTIVE = "active"
    EXPIRED = "expired"
    BLOCKED = "revoked"
    DELETED = "deleted"


SERVER_SORTS = {
    "alias": "key_alias",
    "spend": "spend",
    "created": "created_at",
    "updated": "updated_at",
}
"""What is left to LiteLLM to sort by, under this program's names. Not max_budget: many keys have the same or none."""

_SORT_WORDS = {
    "budget": "the part of the budget that is used",
    "expires": "expiry",
    "used": "last use",
    "owner": "owner",
    "team": "team",
    "models": "models",
    "limits": "rate limits",
    "key": "the masked key",
}


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Which keys and in which order.

    `alias` is a part of an alias in any case, or a whole hash; "" for any. `sort` is a name of `SORTS`. `user_id` and
    `team_id` are whole ids. `ended` is for keys whose end is past, blocked or not. The default order, newest first, is
    the one that is stable over pages.
    """

    user_id: str | None = None
    team_id: str | None = None
    alias: str = ""
    status: Status | None = None
    ended: bool = False
    sort: str = "created"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """What the key list of a release can do by itself, known beforehand (S44)."""

    server: Server

    @property
    def _name(self) -> str:
        return f"LiteLLM {self.server.version}" if self.server.version else "LiteLLM"

    def can_sort(self, column: str) -> bool:
        """Whether the server sorts by that column, a name of `SORTS`."""
        return self.why_not_sort(column) is None

    def why_not_sort(self, column: str) -> str | None:
        """Why the server cannot sort by it, as a sentence; None where it can."""
        if column in SERVER_SORTS:
            return None
        return f"LiteLLM cannot sort by {_SORT_WORDS.get(column, column)}; that takes reading every key once."

    def why_not_filter(self, query: KeyQuery) -> str | None:
        """Why the server cannot pick the keys of `query`, as a sentence; None where it can."""
        if needle(query.alias) and not self.server.at_least(1, 108):
            return f"{self._name} finds only whole aliases; a part of one takes reading every key once."
        if query.status is Status.DELETED:
            return self.why_no_deleted
        if (query.status or query.ended) and not self.server.at_least(1, 108):
            words = {Status.ACTIVE: "active", Status.BLOCKED: "blocked"}
            word = words.get(query.status, "expired") if query.status else "expired"
            return f"{self._name} cannot list {word} keys alone; that takes reading every key once."
        return None

    def possible(self, query: KeyQuery) -> KeyQuery:
        """`query` with the filters alone that the server knows: its answer holds every key of `query`, and others."""
        if self.server.at_least(1, 108):
            return query
        deleted = Status.DELETED if query.status is Status.DELETED else None
        return replace(query, alias="", status=deleted, ended=False)

    def why_not(self, query: KeyQuery) -> str | None:
        """Why the server cannot answer `query` in pages; `KeyPages.everything` is for it then. None where it can."""
        return self.why_not_filter(query) or self.why_not_sort(query.sort)

    @property
    def why_no_deleted(self) -> str | None:
        """Why deleted keys cannot be seen at all, as a sentence; None where they can."""
        return None if self.server.at_least(1, 83) else f"{self._name} keeps no list of deleted keys."

    @property
    def tells_last_use(self) -> bool:
        """Whether records say when a key was last used; before 1.83 nobody knows."""
        return self.server.at_least(1, 83)

    def why_unstable(self, query: KeyQuery) -> str | None:
        """What to know of the order over many pages, as a sentence; None where each key comes once. `everything` does.

        The moment of creation is unique to the millisecond, all but always.
        """
        if query.sort == "created" or query.sort not in SERVER_SORTS:
            return None
        same = {"alias": "Keys without an alias", "spend": "Keys with the same spend"}.get(query.sort, "Some keys")
        return f"{same} come in any order: a page turn may repeat or skip one."


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A `Key` without loss in a fifth of its memory, for lists of many thousands; `key()` gives the record.

    Fields and units are those of `Key`; `models` and `allowed_routes` are tuples, `metadata` is JSON or "".
    """

    hash: str
    name: str
    alias: str | None
    user_id: str | None
    team_id: str | None
    team_alias: str | None
    spend: float
    total_spend: float | None
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    budget_reset_at: datetime | None
    expires_at: datetime | None
    models: tuple[str, ...]
    tpm_limit: int | None
    rpm_limit: int | None
    max_parallel_requests: int | None
    blocked: bool
    key_type: str | None
    allowed_routes: tuple[str, ...]
    metadata: str
    metadata_readable: bool
    created_at: datetime | None
    created_by: str | None
    updated_at: datetime | None
    last_used_at: datetime | None
    rotation_interval: str | None

    @classmethod
    def of(cls, key: Key, shared: dict[Any, Any]) -> Self:
        """`key` made small. `shared` is one dict for the whole list: equal values are kept once."""
        values = dict(key)
        values["models"], values["allowed_routes"] = tuple(key.models), tuple(key.allowed_routes)
        values["metadata"] = json.dumps(key.metadata) if key.metadata else ""
        for name in _REPEATED:
            value = values[name]
            values[name] = shared.setdefault(value, value)
        return cls(**values)

    def key(self) -> Key:
        """The record, complete."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        values["models"], values["allowed_routes"] = list(self.models), list(self.allowed_routes)
        values["metadata"] = json.loads(self.metadata) if self.metadata else {}
        return Key.model_construct(**values)

    @property
    def label(self) -> str:
        """As `Key.label`."""
        return visible(self.alias) or self.name

    @property
    def tail(self) -> str:
        """As `Key.tail`."""
        return "…" + self.name[-4:]


_FIELDS = tuple(field.name for field in fields(KeyRow))
_REPEATED = (
    "user_id",
    "team_id",
    "team_alias",
    "budget_duration",
    "budget_reset_at",
    "models",
    "key_type",
    "allowed_routes",
    "metadata",
    "created_by",
    "rotation_interval",
)

AnyKey = Key | KeyRow

SORTS: dict[str, Callable[[AnyKey], Any]] = {
    "alias": lambda key: key.alias and key.alias.casefold(),
    "key": lambda key: key.name,
    "spend": lambda key: key.spend,
    "budget": lambda key: used(key.spend, key.max_budget),
    "expires": lambda key: key.expires_at,
    "used": lambda key: key.last_used_at,
    "owner": lambda key: key.user_id,
    "team": lambda key: key.team_alias or key.team_id,
    "models": lambda key: tuple(key.models),
    "limits": lambda key: key.rpm_limit if key.rpm_limit is not None else key.tpm_limit,
    "created": lambda key: key.created_at,
    "updated": lambda key: key.updated_at,
}
"""Every order there is, by name. Absent values come last either way where this program sorts."""

Progress = Callable[[int, int], None]
"""Called with keys read so far and how many there are, both as known then."""


KeyWindow = Window[Key]
"""A key list by position: `KeyPages` asks the server, `AllKeys` has every key."""


class AllKeys:
    """Every key of a query, in memory and in any order of `SORTS`. `rows` are for conditions and marks."""

    changes = 0

    def __init__(self, rows: Sequence[KeyRow]) -> None:
        self.rows = rows

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.rows)

    async def read(self, first: int, count: int) -> list[Key]:
        """The keys at `first` and after, `count` of them, fewer at the end."""
        return [row.key() for row in self.rows[max(first, 0) : max(first, 0) + count]]

    def at(self, position: int) -> Key | None:
        """The key at `position`; None beyond the end."""
        return self.rows[position].key() if 0 <= position < len(self.rows) else None

    def forget(self) -> None:
        """Nothing is under way, and nothing could be asked for again."""

    def ordered(self, sort: str, *, descending: bool) -> "AllKeys":
        """The same keys by a column of `SORTS`, absent values last, equal ones by label."""
        by = SORTS[sort]
        rows = sorted(self.rows, key=lambda row: (row.label.casefold(), row.hash))
        present = sorted((row for row in rows if by(row) is not None), key=by, reverse=descending)
        return AllKeys(present + [row for row in rows if by(row) is None])

    def where(self, holding: Callable[[KeyRow], bool]) -> "AllKeys":
        """Those of which `holding` is true, in the same order."""
        return AllKeys([row for row in self.rows if holding(row)])


def matches(query: KeyQuery, key: AnyKey, now: datetime) -> bool:
    """Whether `key` is one of the query's, as 1.108 decides it; `DELETED` is a list of its own and not judged here."""
    if query.user_id and key.user_id != query.user_id:
        return False
    if query.team_id and key.team_id != query.team_id:
        return False
    wanted = needle(query.alias)
    if wanted and key.hash != wanted and not holds(wanted, key.alias):
        return False
    ended = key.expires_at is not None and key.expires_at < now
    if query.ended and not ended:
        return False
    match query.status:
        case Status.BLOCKED:
            return key.blocked
        case Status.ACTIVE | Status.EXPIRED:
            return not key.blocked and ended == (query.status is Status.EXPIRED)
    return True


class KeyPages(Pages[Key]):
    """One query's keys in the server's order.

    `read` takes that `listing.why_not(query)` is None, and raises it as `Invalid`, with no call, where it is not;
    `everything` answers any query. Both raise one of `GatewayError`'s kinds.
    """

    def __init__(self, client: Client, server: Server, query: KeyQuery, *, kept: int = PAGES_KEPT) -> None:
        super().__init__(self._in_order, kept=kept)
        self.query = query
        self.listing = Listing(server)
        self._client = client

    async def everything(self, progress: Progress | None = None) -> AllKeys:
        """Every key of the query, in its order, whatever the release can do; `FETCHES` calls at a time.

        Cancel the task to stop. The keys are read in the one order without ties, and once more where keys went away
        meanwhile: each moved the rest along, and one between two pages may not have been seen.
        """
        if self.query.status is Status.DELETED and self.listing.why_no_deleted:
            return AllKeys([])
        narrowed = self.listing.possible(self.query)
        found: dict[str, KeyRow] = {}
        if await self._read_all(narrowed, found, progress):
            await self._read_all(narrowed, found, progress)
        now = self._client.clock.now()
        keys = AllKeys([row for row in found.values() if narrowed == self.query or matches(self.query, row, now)])
        return keys.ordered(self.query.sort, descending=self.query.descending)

    async def _read_all(self, query: KeyQuery, found: dict[str, KeyRow], progress: Progress | None) -> bool:
        """Read every page into `found`; whether keys went away meanwhile."""
        shared: dict[Any, Any] = {}
        read, least = 0, MOST_PAGES * PAGE

        async def page(number: int) -> int:
            nonlocal read, least
            total, keys = await self._answer(number, query, {"sort_by": "token", "sort_order": "asc"})
            read, least = read + len(keys), min(least, total)
            found.update((key.hash, KeyRow.of(key, shared)) for key in keys)
            if progress:
                progress(min(read, total), total)
            return total

        async def some(numbers: Iterator[int]) -> None:
            for number in numbers:
                await page(number)

        total = await page(0)
        numbers = iter(range(1, -(-total // PAGE)))
        tasks = [asyncio.create_task(some(numbers)) for _ in range(FETCHES)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return least < total

    async def _in_order(self, number: int) -> tuple[int, list[Key]]:
        query = self.query
        if why := self.listing.why_not(query):
            # what a release does not know it ignores, and answers with other keys
            raise Invalid(why)
        if query.sort == "created" and query.descending:
            # without a column, LiteLLM sorts by that one too, and equal ones by token
            return await self._answer(number, query, {})
        order = {"sort_by": SERVER_SORTS[query.sort], "sort_order": "desc" if query.descending else "asc"}
        return await self._answer(number, query, order)

    async def _answer(self, number: int, query: KeyQuery, order: Params) -> tuple[int, list[Key]]:
        wanted = needle(query.alias)
        asked: Params = {
            "user_id": query.user_id or None,
            "team_id": query.team_id or None,
            "search": literal(wanted) or None,
            "status": query.status.value if query.status else None,
            "expires": "expired" if query.ended else None,
            "return_full_object": True,
            "page": number + 1,
            "size": PAGE,
            **order,
        }
        answer = await self._client.get("/key/list", asked)
        keys = rows_of(answer)
        total = whole(mapping(answer).get("total_count"))
        total = len(keys) if total is None else total
        if total > MOST_PAGES * PAGE:
            raise BadAnswer(f"The gateway says that it has {total} keys; is the URL LiteLLM's?")
        if wanted and any(_surely_other(wanted, key) for key in keys):
            # a parameter that a release does not know is ignored without a word
            raise BadAnswer("The gateway did not look for the alias; its release may be older than it says.")
        return total, keys


def _surely_other(wanted: str, key: Key) -> bool:
    # beyond ASCII, PostgreSQL and Python differ in what is the same letter
    alias = key.alias or ""
    return key.hash != wanted and alias.isascii() and not holds(wanted, alias)
