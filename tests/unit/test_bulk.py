"""One action for many: a bounded number at a time, a result each, and which keys a condition picks (S11, S42, S43)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tui.demo import DemoGateway
from tui.gateway import bulk, keys
from tui.gateway.bulk import Outcome, Result
from tui.gateway.capabilities import Rights
from tui.gateway.client import Client
from tui.gateway.errors import Invalid, NotConnected
from tui.gateway.key_pages import AnyKey, KeyRow
from tui.gateway.schema import Key

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def key(alias: str, **fields: Any) -> Key:
    return Key(hash=alias, name=f"sk-...{alias}", alias=alias, **fields)


def days(count: float) -> datetime:
    """That long ago."""
    return NOW - timedelta(days=count)


def names(chosen: bulk.Chosen) -> list[str | None]:
    return [each.alias for each in chosen.keys]


class TestRun:
    """`bulk.run`."""

    async def test_no_more_than_so_many_at_a_time(self) -> None:
        """# S43"""
        under_way = most = 0

        async def act(_item: int) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

        results = await bulk.run(range(20), act, at_once=3)
        assert most == 3
        assert results == [Result(number, Outcome.DONE) for number in range(20)]

    async def test_a_failure_is_of_its_item_alone_and_says_why(self) -> None:
        async def act(item: int) -> None:
            if item % 2:
                raise Invalid(f"{item} is odd.")

        told: list[tuple[int, int, int]] = []
        results = await bulk.run(range(4), act, at_once=1, progress=lambda *so_far: told.append(so_far))
        assert [(result.outcome.value, result.why) for result in results] == [
            ("done", ""),
            ("failed", "1 is odd."),
            ("done", ""),
            ("failed", "3 is odd."),
        ]
        assert told == [(0, 0, 4), (1, 0, 4), (1, 1, 4), (2, 1, 4), (2, 2, 4)]
        assert bulk.to_retry(results) == [1, 3]

    async def test_after_a_stop_what_is_under_way_ends_and_nothing_begins(self) -> None:
        begun: list[int] = []
        stop, go_on = asyncio.Event(), asyncio.Event()

        async def act(item: int) -> None:
            begun.append(item)
            if len(begun) == 2:
                stop.set()
                go_on.set()
            await go_on.wait()

        results = await bulk.run(range(10), act, at_once=2, stop=stop)
        assert begun == [0, 1]
        assert [result.outcome for result in results] == [Outcome.DONE] * 2 + [Outcome.NOT_BEGUN] * 8
        assert bulk.to_retry(results) == list(range(2, 10))

    async def test_stopped_before_it_begins_nothing_is_done(self) -> None:
        stop = asyncio.Event()
        stop.set()

        async def act(_item: int) -> None:
            raise AssertionError("begun")

        assert {result.outcome for result in await bulk.run(range(3), act, stop=stop)} == {Outcome.NOT_BEGUN}

    async def test_where_there_is_no_gateway_the_rest_is_not_tried(self) -> None:
        async def act(_item: int) -> None:
            raise NotConnected("nothing listens there")

        outcomes = [result.outcome for result in await bulk.run(range(5), act, at_once=1)]
        assert outcomes == [Outcome.FAILED] + [Outcome.NOT_BEGUN] * 4

    async def test_cancelled_outright_it_cuts_what_is_under_way(self) -> None:
        cut: list[int] = []
        begun = asyncio.Event()

        async def act(item: int) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cut.append(item)
                raise

        task = asyncio.create_task(bulk.run(range(9), act, at_once=2))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert cut == [0, 1]

    async def test_nothing_to_do(self) -> None:
        async def act(_item: int) -> None:
            raise AssertionError("begun")

        assert await bulk.run([], act) == []


class TestDelete:
    """`bulk.delete` against an answer that is not the truth."""

    @pytest.fixture
    async def stand(self) -> AsyncIterator[tuple[DemoGateway, Client, list[Key]]]:
        demo = DemoGateway()
        async with Client(demo.url, demo.master_key, transport=demo.transport()) as client:
            for number in range(12):
                demo.add_key(key_alias=f"k{number:02}", user_id="ada")
            yield demo, client, await keys.list_keys(client, "ada")

    async def test_success_that_is_none_is_a_failure(self, stand: tuple[DemoGateway, Client, list[Key]]) -> None:
        """# S11: the answer echoes the request, so it is no proof"""
        demo, client, chosen = stand
        demo.intercept("POST", "/key/delete", httpx.Response(200, json={"deleted_keys": []}), times=1)
        results = await bulk.delete(client, Rights(), chosen)
        assert [result.outcome for result in results] == [Outcome.FAILED] * bulk.BATCH + [Outcome.DONE] * 2
        assert "still there" in results[0].why
        again = await bulk.delete(client, Rights(), bulk.to_retry(results))
        assert {result.outcome for result in again} == {Outcome.DONE}
        assert not demo.keys

    async def test_a_batch_that_breaks_half_way_is_told_apart(
        self, stand: tuple[DemoGateway, Client, list[Key]]
    ) -> None:
        """# S11: what went is done, what is there has failed with the gateway's reason"""
        demo, client, chosen = stand
        for row in chosen[:4]:
            demo.delete_key(row.hash)
        broken = httpx.Response(500, json={"error": {"message": "It broke.", "type": "None", "code": "500"}})
        demo.intercept("POST", "/key/delete", broken, times=1)
        results = await bulk.delete(client, Rights(), chosen[:10])
        assert [result.outcome for result in results] == [Outcome.DONE] * 4 + [Outcome.FAILED] * 6
        assert "It broke." in results[9].why

    async def test_an_admin_s_need_few_calls(self, stand: tuple[DemoGateway, Client, list[Key]]) -> None:
        demo, client, chosen = stand
        demo.calls.clear()
        await bulk.delete(client, Rights(), chosen)
        assert sorted(call.path for call in demo.calls) == ["/key/delete"] * 2 + ["/v2/key/info"] * 2


class TestConditions:
    """Which keys are meant. Money and times of S42."""

    def test_expired(self) -> None:
        among = [
            key("never"),
            key("later", expires_at=days(-1)),
            key("now", expires_at=NOW),
            key("old", expires_at=days(40)),
            key("blocked", expires_at=days(40), blocked=True),
        ]
        chosen = bulk.expired(among, NOW)
        assert names(chosen) == ["now", "old", "blocked"]
        assert chosen.dry_run("delete") == "Would delete 3 keys: expired."
        assert names(bulk.expired(among, NOW, 30)) == ["old", "blocked"]
        assert bulk.expired(among, NOW, 30).dry_run("block") == "Would block 2 keys: expired more than 30 d ago."

    def test_over_budget(self) -> None:
        """# S42: from 100 % on; a budget of 0 is used up, no budget never is"""
        among = [
            key("under", spend=9.99, max_budget=10),
            key("at", spend=10, max_budget=10),
            key("over", spend=11, max_budget=10),
            key("nothing", max_budget=0),
            key("unlimited", spend=1e9),
        ]
        chosen = bulk.over_budget(among)
        assert names(chosen) == ["at", "over", "nothing"]
        assert chosen.dry_run("block") == "Would block 3 keys: over budget."

    def test_unused(self) -> None:
        among = [
            key("long ago", last_used_at=days(91), created_at=days(200)),
            key("lately", last_used_at=days(89), created_at=days(200)),
            key("never", created_at=days(120)),
            key("young", created_at=days(89)),
        ]
        chosen = bulk.unused(among, NOW, 90)
        assert names(chosen) == ["long ago", "never"]
        assert chosen.dry_run("delete") == "Would delete 2 keys: not used for more than 90 d."
        assert names(bulk.unused(among, NOW, 100)) == []

    def test_what_nobody_recorded_is_not_unused(self) -> None:
        """an old release tells no last use; a key with spend was used at some time"""
        among = [key("silent", created_at=days(400)), key("unborn"), key("young", created_at=days(1))]
        chosen = bulk.unused(among, NOW)
        assert (names(chosen), chosen.unknown) == ([], 2)
        assert chosen.dry_run("delete") == (
            "Would delete 0 keys: not used for more than 90 d. "
            "2 keys are left out: the gateway has not recorded long enough when keys are used."
        )
        known = key("known", last_used_at=days(95), created_at=days(400))
        spent = key("spent", spend=0.5, created_at=days(400))
        reset = key("reset", total_spend=3.0, created_at=days(400))
        assert names(bulk.unused([*among, known, spent, reset], NOW)) == ["silent", "known"]

    def test_records_and_rows_are_judged_alike(self) -> None:
        record = key("k", expires_at=days(1), spend=5, max_budget=5, last_used_at=days(100))
        both: list[AnyKey] = [record, KeyRow.of(record, {})]
        for chosen in (bulk.expired(both, NOW), bulk.unused(both, NOW), bulk.over_budget(both)):
            assert chosen.keys == both
