"""One action for many keys: which keys a condition picks, and doing it a bounded number at a time with a result each.

`/key/delete` takes many hashes. For an admin every release deletes those that it finds and answers with what was
asked, or 404 where it finds none. For others a batch with one key of somebody else's is a 403, and 1.74 may have
deleted some of the rest by then; so theirs go one by one. No release says which ones it deleted: read back (S11).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from tui.gateway import keys
from tui.gateway.capabilities import Rights
from tui.gateway.client import Client
from tui.gateway.errors import (
    Forbidden,
    GatewayError,
    Invalid,
    NotConnected,
    ReadOnly,
    RightsChanged,
    Unauthorized,
)
from tui.gateway.key_pages import AnyKey
from tui.gateway.state import used

AT_ONCE = 4
"""Actions under way at the same time."""
BATCH = 10
"""Hashes in one call of an admin's delete: what a cancel cannot take back any more, times two."""
BATCHES_AT_ONCE = 2

T = TypeVar("T")


class Outcome(StrEnum):
    """What became of one key."""

    DONE = "done"
    FAILED = "failed"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What became of `item`; `why` is the sentence of a failure, else ""."""

    item: T
    outcome: Outcome
    why: str = ""


Progress = Callable[[int, int, int], None]
"""Called with done, failed, total after each item, and once before the first."""

_POINTLESS = (NotConnected, ReadOnly, RightsChanged)
"""What the next item would run into as well."""


async def run(
    items: Iterable[T],
    action: Callable[[T], Awaitable[object]],
    *,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> list[Result[T]]:
    """Do `action` for each item, `at_once` at a time; a result for each, in the order of `items`.

    A `GatewayError` is a failure of its item alone. After `stop.set()` nothing new begins and what is under way ends;
    the same where the gateway cannot be reached or the session may not write. Cancelling the task itself cuts off what
    is under way, whose result nobody knows then.
    """

    async def each(batch: Sequence[T]) -> list[Result[T]]:
        await action(batch[0])
        return [Result(batch[0], Outcome.DONE)]

    return await _run([[item] for item in items], each, at_once, progress, stop)


async def delete(
    client: Client,
    rights: Rights,
    chosen: Iterable[AnyKey],
    *,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> list[Result[AnyKey]]:
    """Delete keys for good, each confirmed by reading back (S11); otherwise as `run`.

    An admin's go `BATCH` to a call, `BATCHES_AT_ONCE` at a time, and stop between two calls.
    """
    wanted = list(chosen)
    size = BATCH if rights.admin else 1

    async def some(batch: Sequence[AnyKey]) -> list[Result[AnyKey]]:
        hashes = [key.hash for key in batch]
        why = "The gateway said that it is deleted, and it is still there."
        try:
            left = set(await keys.delete_keys(client, hashes, together=rights.admin))
        except _POINTLESS:
            raise
        except GatewayError as error:
            if not rights.admin and isinstance(error, Forbidden | Unauthorized | Invalid):
                # nothing was done, and a key of somebody else's would not be found there either
                raise
            # part of it may have been done all the same
            why = str(error)
            left = set(await keys.still_there(client, hashes, together=rights.admin))
        return [Result(key, Outcome.FAILED, why) if key.hash in left else Result(key, Outcome.DONE) for key in batch]

    batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    return await _run(batches, some, BATCHES_AT_ONCE if rights.admin else AT_ONCE, progress, stop)


async def _run(
    batches: Sequence[Sequence[T]],
    action: Callable[[Sequence[T]], Awaitable[list[Result[T]]]],
    at_once: int,
    progress: Progress | None,
    stop: asyncio.Event | None,
) -> list[Result[T]]:
    results: list[list[Result[T]]] = [[Result(item, Outcome.NOT_BEGUN) for item in batch] for batch in batches]
    total, done, failed, pointless = sum(map(len, batches)), 0, 0, False
    numbers = iter(range(len(batches)))

    def tell() -> None:
        if progress:
            progress(done, failed, total)

    async def work() -> None:
        nonlocal done, failed, pointless
        for number in numbers:
            try:
                results[number] = await action(batches[number])
            except GatewayError as error:
                results[number] = [Result(item, Outcome.FAILED, str(error)) for item in batches[number]]
                pointless = pointless or isinstance(error, _POINTLESS)
            done += sum(result.outcome is Outcome.DONE for result in results[number])
            failed += sum(result.outcome is Outcome.FAILED for result in results[number])
            tell()
            if pointless or (stop is not None and stop.is_set()):
                return

    tell()
    if stop is not None and stop.is_set():
        return [result for batch in results for result in batch]
    tasks = [asyncio.create_task(work()) for _ in range(min(at_once, len(batches)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [result for batch in results for result in batch]


def to_retry(results: Iterable[Result[T]]) -> list[T]:
    """The items that are not done: what failed and what was not begun."""
    return [result.item for result in results if result.outcome is not Outcome.DONE]


# Conditions


@dataclass(frozen=True, slots=True)
class Chosen:
    """The keys that a condition picks, and how many it cannot tell of, which are never picked."""

    keys: list[AnyKey]
    words: str
    unknown: int = 0

    def dry_run(self, verb: str) -> str:
        """`Would delete 37 keys: expired.`"""
        count = len(self.keys)
        said = f"Would {verb} {count:,} {'key' if count == 1 else 'keys'}: {self.words}."
        if self.unknown:
            left = "1 key is" if self.unknown == 1 else f"{self.unknown:,} keys are"
            said += f" {left} left out: the gateway has not recorded long enough when keys are used."
        return said


def expired(among: Iterable[AnyKey], now: datetime, days: int = 0) -> Chosen:
    """Those that ended more than `days` ago (S42), blocked or not."""
    before = now - timedelta(days=days)
    words = f"expired more than {days} d ago" if days else "expired"
    return Chosen([key for key in among if key.expires_at is not None and key.expires_at <= before], words)


def unused(among: Sequence[AnyKey], now: datetime, days: int = 90) -> Chosen:
    """Those not used for more than `days`, or made before that and never used.

    No date of a last use may mean that the release did not write it down then. So a key without one counts only where
    another key's date shows that they were written down all the while, and where it has no spend from before.
    """
    before = now - timedelta(days=days)
    recorded = any(key.last_used_at is not None and key.last_used_at < before for key in among)
    found: list[AnyKey] = []
    unknown = 0
    for key in among:
        if key.last_used_at is not None:
            if key.last_used_at < before:
                found.append(key)
        elif key.created_at is None or key.created_at < before:
            if recorded and key.created_at is not None and not key.spend and not key.total_spend:
                found.append(key)
            else:
                unknown += 1
    return Chosen(found, f"not used for more than {days} d", unknown)


def over_budget(among: Iterable[AnyKey]) -> Chosen:
    """Those whose spend of the window is 100 % of the limit or more (S42)."""
    return Chosen([key for key in among if (used(key.spend, key.max_budget) or 0) >= 1], "over budget")
