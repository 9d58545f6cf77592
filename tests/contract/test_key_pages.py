"""The key list by position, filtered and sorted, on every gateway; users and teams in pages (S7, S14, S44)."""

import asyncio
import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Stand
from tui.gateway import bulk, key_pages, keys, paging
from tui.gateway.bulk import Outcome
from tui.gateway.capabilities import VIEWER, Rights
from tui.gateway.errors import Invalid
from tui.gateway.key_pages import AllKeys, KeyPages, KeyQuery, Listing, Status
from tui.gateway.schema import Key
from tui.gateway.teams import team_pages
from tui.gateway.users import user_pages


@pytest.fixture(autouse=True)
def _small_pages(gateway: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of ten, so that a few dozen keys are several of them; no two keys of one moment, as on a real gateway."""
    for module in (paging, key_pages):
        monkeypatch.setattr(module, "PAGE", 10)
    if gateway.demo:
        start, ticks = datetime.now(UTC) - timedelta(minutes=5), itertools.count()
        monkeypatch.setattr(gateway.demo, "clock", lambda: start + timedelta(milliseconds=next(ticks)))


def pages(gateway: Stand, query: KeyQuery, **more: Any) -> KeyPages:
    return KeyPages(gateway.admin, gateway.server, query, **more)


async def some_keys(gateway: Stand, count: int, **fields: Any) -> tuple[str, list[str]]:
    """A user with that many keys, `k00` first; their id and the hashes in the order they were made."""
    user_id = await gateway.user()
    return user_id, [(await gateway.key(user_id, f"k{number:02}", **fields)).hash for number in range(count)]


def of_status(status: Status) -> KeyQuery:
    return KeyQuery(status=status)


def aliases(gateway: Stand, found: list[Key] | AllKeys) -> list[str]:
    """Without the mark of the test."""
    rows = found.rows if isinstance(found, AllKeys) else found
    return [str(row.alias).removeprefix(gateway.name("")).strip("-") for row in rows]


class TestPositions:
    """`KeyPages.read`."""

    async def test_any_stretch_is_that_of_the_whole_list(self, gateway: Stand) -> None:
        """# S7: newest first, across pages, and fewer at the end"""
        user_id, made = await some_keys(gateway, 25)
        newest = made[::-1]
        listed = pages(gateway, KeyQuery(user_id=user_id))
        assert listed.total is None
        for first, count in ((0, 5), (8, 6), (3, 22), (20, 10), (24, 1), (25, 5), (90, 5)):
            assert [key.hash for key in await listed.read(first, count)] == newest[first : first + count]
        assert listed.total == 25
        assert [key.hash if (key := listed.at(place)) else None for place in (0, 24, 25)] == [
            newest[0],
            newest[24],
            None,
        ]

    async def test_the_records_are_whole(self, gateway: Stand) -> None:
        """# S8"""
        user_id, made = await some_keys(gateway, 1, max_budget=7, metadata={"note": "x"}, models=["gpt-4o"])
        assert await pages(gateway, KeyQuery(user_id=user_id)).read(0, 1) == [
            await keys.key_info(gateway.admin, made[0])
        ]

    async def test_few_pages_stay_in_memory(self, gateway: Stand) -> None:
        user_id, made = await some_keys(gateway, 31)
        listed = pages(gateway, KeyQuery(user_id=user_id), kept=2)
        seen = [key.hash for first in range(0, 31, 5) for key in await listed.read(first, 5)]
        assert seen == made[::-1]
        assert listed.in_memory <= 20

    async def test_a_key_that_went_is_noticed(self, gateway: Stand) -> None:
        """positions have moved, so nothing of before stays"""
        user_id, made = await some_keys(gateway, 31)
        listed = pages(gateway, KeyQuery(user_id=user_id))
        await listed.read(0, 5)
        await keys.delete_keys(gateway.admin, [made[30]])
        assert [key.hash for key in await listed.read(25, 9)] == made[4::-1]
        assert (listed.total, listed.changes, listed.at(0)) == (30, 1, None)
        assert [key.hash for key in await listed.read(0, 1)] == [made[29]]


class TestSorting:
    """What the server sorts by, and what it does not."""

    @pytest.mark.parametrize("sort", sorted(key_pages.SERVER_SORTS))
    @pytest.mark.parametrize("descending", [True, False])
    async def test_the_server_and_this_program_sort_alike(self, gateway: Stand, sort: str, descending: bool) -> None:
        user_id = await gateway.user()
        for number in (3, 1, 4, 0, 2):
            await gateway.key(user_id, f"k{number}", spend=float(number) + 0.5)
        listed = pages(gateway, KeyQuery(user_id=user_id, sort=sort, descending=descending))
        found = aliases(gateway, await listed.read(0, 9))
        assert aliases(gateway, await listed.everything()) == found
        if sort in ("alias", "spend"):
            assert found == [f"k{number}" for number in sorted(range(5), reverse=descending)]

    async def test_what_it_cannot_sort_by_is_said_and_not_tried(self, gateway: Stand) -> None:
        """# S44"""
        listing = Listing(gateway.server)
        assert listing.can_sort("spend")
        assert listing.why_not_sort("spend") is None
        for sort, word in (("expires", "expiry"), ("used", "last use"), ("owner", "owner")):
            assert not listing.can_sort(sort)
            assert word in str(listing.why_not_sort(sort))
        assert listing.why_not(KeyQuery()) is None
        assert listing.why_not(KeyQuery(alias="  ")) is None
        if gateway.demo:
            gateway.demo.calls.clear()
            with pytest.raises(Invalid, match="expiry"):
                await pages(gateway, KeyQuery(sort="expires")).read(0, 5)
            assert not gateway.demo.calls

    @pytest.mark.parametrize("query", [KeyQuery(alias="x"), KeyQuery(ended=True), *map(of_status, Status)], ids=str)
    async def test_what_it_cannot_filter_by_is_said_and_not_tried(self, gateway: Stand, query: KeyQuery) -> None:
        """# S44: 1.74 would ignore a filter and answer with every key"""
        listed = pages(gateway, query)
        why = listed.listing.why_not_filter(query)
        assert (why is None) == gateway.server.at_least(*((1, 83) if query.status is Status.DELETED else (1, 108)))
        if why:
            with pytest.raises(Invalid, match=re.escape(why)):
                await listed.read(0, 5)

    @pytest.mark.parametrize("column", ["expires", "last_active", "user_id", "team_id"])
    async def test_it_is_so(self, gateway: Stand, column: str) -> None:
        """the day that a release can, this says so"""
        with pytest.raises(Invalid, match="sort column"):
            await gateway.admin.get("/key/list", {"sort_by": column})

    async def test_no_value_comes_last_where_this_program_sorts(self, gateway: Stand) -> None:
        user_id = await gateway.user()
        for name, end in (("none", None), ("late", "30d"), ("soon", "1d")):
            await gateway.key(user_id, name, duration=end)
        for descending, order in ((False, ["soon", "late", "none"]), (True, ["late", "soon", "none"])):
            query = KeyQuery(user_id=user_id, sort="expires", descending=descending)
            assert aliases(gateway, await pages(gateway, query).everything()) == order

    async def test_only_an_order_without_equal_values_is_sure(self, gateway: Stand) -> None:
        listing = Listing(gateway.server)
        assert listing.why_unstable(KeyQuery()) is None
        assert "without an alias" in str(listing.why_unstable(KeyQuery(sort="alias")))


class TestFilters:
    """Which keys: alias, user, team, status."""

    async def found(self, gateway: Stand, query: KeyQuery) -> list[str]:
        """By every way there is: they agree."""
        listed = pages(gateway, query)
        every = sorted(aliases(gateway, await listed.everything()))
        if listed.listing.why_not(query) is None:
            assert sorted(aliases(gateway, await listed.read(0, 99))) == every
        return every

    async def test_a_part_of_an_alias_in_any_case(self, gateway: Stand) -> None:
        """# S44: older releases would answer with every key, so they are not asked"""
        user_id = await gateway.user()
        for name in ("Laptop-ada", "laptop-bob", "ci", "50%", "50x", "a_b", "axb", "back\\slash", "one,two"):
            await gateway.key(user_id, name)
        unnamed = (await gateway.key(user_id, key_alias="")).hash
        query = KeyQuery(user_id=user_id)
        assert await self.found(gateway, replace(query, alias="LAPTOP")) == ["Laptop-ada", "laptop-bob"]
        for text, one in (("50%", "50%"), ("a_b", "a_b"), ("k\\s", "back\\slash"), ("e,t", "one,two")):
            assert await self.found(gateway, replace(query, alias=text)) == [one]
        assert await self.found(gateway, replace(query, alias=unnamed)) == ["None"]
        assert await self.found(gateway, replace(query, alias="nothing like it")) == []
        said = Listing(gateway.server).why_not_filter(replace(query, alias="x"))
        assert (said is None) == gateway.server.at_least(1, 108)

    async def test_a_user_and_a_team_are_whole_ids(self, gateway: Stand) -> None:
        """# S7"""
        ada, adam, team = await gateway.user("ada"), await gateway.user("adam"), await gateway.team()
        await gateway.key(ada, "one")
        await gateway.key(adam, "two")
        await gateway.key(ada, "three", team_id=team)
        assert await self.found(gateway, KeyQuery(user_id=ada)) == ["one", "three"]
        assert await self.found(gateway, KeyQuery(team_id=team)) == ["three"]
        assert await self.found(gateway, KeyQuery(user_id=adam, team_id=team)) == []

    async def test_by_status(self, gateway: Stand) -> None:
        """# S44: each key that is there is active, expired or blocked; blocked wins"""
        user_id = await gateway.user()
        await gateway.key(user_id, "fine", duration="30d")
        await gateway.key(user_id, "forever")
        await gateway.key(user_id, "ended", duration="0s")
        for name, end in (("barred", None), ("both", "0s")):
            await keys.block_key(gateway.admin, (await gateway.key(user_id, name, duration=end)).hash)
        query = KeyQuery(user_id=user_id)
        assert await self.found(gateway, replace(query, status=Status.ACTIVE)) == ["fine", "forever"]
        assert await self.found(gateway, replace(query, status=Status.EXPIRED)) == ["ended"]
        assert await self.found(gateway, replace(query, status=Status.BLOCKED)) == ["barred", "both"]
        assert await self.found(gateway, replace(query, ended=True)) == ["both", "ended"]

    async def test_deleted_keys(self, gateway: Stand) -> None:
        """1.74 keeps none, and says so before it is asked"""
        user_id, made = await some_keys(gateway, 2)
        await keys.delete_keys(gateway.admin, made[:1])
        listing = Listing(gateway.server)
        found = await self.found(gateway, KeyQuery(user_id=user_id, status=Status.DELETED))
        assert found == ([] if listing.why_no_deleted else ["k00"])
        assert (listing.why_no_deleted is None) == gateway.server.at_least(1, 83)


class TestEverything:
    """`KeyPages.everything`."""

    async def test_each_key_once_with_progress(self, gateway: Stand) -> None:
        user_id, made = await some_keys(gateway, 25)
        told: list[tuple[int, int]] = []
        every = await pages(gateway, KeyQuery(user_id=user_id)).everything(lambda *so_far: told.append(so_far))
        assert [row.hash for row in every.rows] == made[::-1]
        assert told == sorted(told)
        assert (told[0], told[-1]) == ((10, 25), (25, 25))

    async def test_nothing_of_a_record_is_lost(self, gateway: Stand) -> None:
        """# S8: what is kept small gives the record back"""
        fields = {
            "max_budget": 3,
            "budget_duration": "30d",
            "duration": "5d",
            "metadata": {"a": {"b": [1]}},
            "tpm_limit": 9,
        }
        user_id, made = await some_keys(gateway, 1, models=["gpt-4o"], **fields)
        every = await pages(gateway, KeyQuery(user_id=user_id)).everything()
        assert await every.read(0, 5) == [await keys.key_info(gateway.admin, made[0])] == [every.at(0)]

    async def test_it_can_be_stopped(self, gateway: Stand) -> None:
        user_id, _ = await some_keys(gateway, 12)
        told: list[int] = []

        def stop(read: int, _total: int) -> None:
            told.append(read)
            task.cancel()

        task = asyncio.create_task(pages(gateway, KeyQuery(user_id=user_id)).everything(stop))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert told == [10]


class TestDelete:
    """`bulk.delete`: what the screen will say is what the gateway has."""

    def rights(self, gateway: Stand, **more: Any) -> Rights:
        return Rights(server=gateway.server, **more)

    async def test_many_at_once_with_one_that_is_gone(self, gateway: Stand) -> None:
        """# S11: what somebody else deleted meanwhile is deleted"""
        user_id, made = await some_keys(gateway, 23)
        chosen = (await pages(gateway, KeyQuery(user_id=user_id)).everything()).rows
        await keys.delete_keys(gateway.admin, made[3:5])
        told: list[tuple[int, int, int]] = []
        results = await bulk.delete(
            gateway.admin, self.rights(gateway), chosen[:20], progress=lambda *so_far: told.append(so_far)
        )
        assert {result.outcome for result in results} == {Outcome.DONE}
        assert [result.item for result in results] == list(chosen[:20])
        assert (told[0], told[-1]) == ((0, 0, 20), (20, 0, 20))
        left = {key.hash for key in await keys.list_keys(gateway.admin, user_id)}
        assert left == {row.hash for row in chosen[20:]} - set(made[3:5])

    async def test_what_was_not_begun_is_there(self, gateway: Stand) -> None:
        user_id, _ = await some_keys(gateway, 25)
        chosen = (await pages(gateway, KeyQuery(user_id=user_id)).everything()).rows
        stop = asyncio.Event()

        def progress(done: int, _failed: int, _total: int) -> None:
            if done:
                stop.set()

        results = await bulk.delete(gateway.admin, self.rights(gateway), chosen, progress=progress, stop=stop)
        begun = {result.item.hash for result in results if result.outcome is Outcome.DONE}
        assert 10 <= len(begun) <= 20
        assert {row.hash for row in bulk.to_retry(results)} == {row.hash for row in chosen} - begun
        left = {key.hash for key in await keys.list_keys(gateway.admin, user_id)}
        assert left == {row.hash for row in chosen} - begun

    async def test_one_that_may_not_be_deleted_costs_no_other(self, gateway: Stand) -> None:
        """# S43: the person's own go, the other's stays, with the gateway's reason"""
        user_id, made = await some_keys(gateway, 3)
        foreign = await gateway.key(await gateway.user("else"), "foreign")
        own = gateway.client((await gateway.key(user_id, "session")).secret)
        records = [await keys.key_info(gateway.admin, hash) for hash in (made[0], foreign.hash, made[1])]
        rights = self.rights(gateway, role="internal_user", user_id=user_id)
        results = await bulk.delete(own, rights, [key for key in records if key])
        assert [result.outcome for result in results] == [Outcome.DONE, Outcome.FAILED, Outcome.DONE]
        assert "authorized" in results[1].why
        assert [
            await keys.key_info(gateway.admin, hash) is None for hash in (made[0], foreign.hash, made[1], made[2])
        ] == [
            True,
            False,
            True,
            False,
        ]


class TestPeople:
    """Users and teams, read only."""

    async def test_every_user_comes_once_with_their_budget(self, gateway: Stand) -> None:
        # pages of LiteLLM's own size are not needed for it: those of the test are of ten
        made = sorted([await gateway.user(f"u{number:02}", max_budget=number + 1.0) for number in range(13)])
        listed = user_pages(gateway.admin, sort="id")
        await listed.read(0, 1)
        total = listed.total or 0
        users = [user for first in range(0, total, 10) for user in await listed.read(first, 10)]
        ids = [user.user_id for user in users]
        assert len(ids) == len(set(ids)) == total
        mine = [user for user in users if user.user_id in made]
        assert [(user.user_id, user.max_budget) for user in mine] == [
            (id, place + 1.0) for place, id in enumerate(made)
        ]

    @pytest.mark.parametrize("role", ["proxy_admin", VIEWER])
    async def test_every_team_comes_once_with_its_budget(self, gateway: Stand, role: str) -> None:
        made = sorted([await gateway.team(f"t{number:02}", max_budget=number + 1.0) for number in range(12)])
        listed = team_pages(gateway.admin, Rights(role=role, server=gateway.server))
        await listed.read(0, 1)
        total = listed.total or 0
        teams = [team for first in range(0, total, 10) for team in await listed.read(first, 10)]
        assert len({team.team_id for team in teams}) == len(teams) == total
        mine = [team for team in teams if team.team_id in made]
        assert [(team.team_id, team.max_budget) for team in mine] == [
            (id, place + 1.0) for place, id in enumerate(made)
        ]
