"""Users and teams found by name, on every gateway (S5, S14, S44)."""

import asyncio

import pytest

from tests.conftest import Stand
from tui.demo import DemoGateway
from tui.gateway.capabilities import ADMIN, VIEWER, Rights
from tui.gateway.finding import pattern
from tui.gateway.schema import Team, User
from tui.gateway.teams import find_teams
from tui.gateway.users import find_users

HOSTILE = ["[/x][bold]", "q'\"; drop--", "100%", "a_b", "back\\slash", "Ünï-李🦊", "with blank"]


def rights(gateway: Stand, role: str = ADMIN) -> Rights:
    return Rights(role=role, server=gateway.server)


async def users(gateway: Stand, text: str, limit: int = 50) -> list[str]:
    found = await find_users(gateway.admin, rights(gateway), text, limit=limit)
    return [user.user_id for user in found.rows]


async def teams(gateway: Stand, text: str, limit: int = 50) -> list[str]:
    found = await find_teams(gateway.admin, rights(gateway), text, limit=limit)
    return [team.team_id for team in found.rows]


def asked(gateway: Stand) -> list[tuple[str, dict[str, str]]]:
    assert isinstance(gateway.demo, DemoGateway)
    return [(call.path, call.params) for call in gateway.demo.calls if call.method == "GET"]


class TestUsers:
    """`find_users`."""

    async def test_a_part_of_the_id_finds_the_record_in_any_case(self, gateway: Stand) -> None:
        first = await gateway.user("Ada", user_alias="Ada L.", max_budget=3)
        second = await gateway.user("adam")
        await gateway.user("bob")
        found = await find_users(gateway.admin, rights(gateway), f"{gateway.mark}-aDA")
        assert sorted(user.user_id for user in found.rows) == sorted([first, second])
        assert not found.more
        ada = next(user for user in found.rows if user.user_id == first)
        assert (ada.alias, ada.max_budget, ada.spend) == ("Ada L.", 3.0, 0.0)

    async def test_a_part_of_the_address_finds_it_too(self, gateway: Stand) -> None:
        user_id = await gateway.user("x", user_email=f"Grace.{gateway.mark}@Example.com")
        assert await users(gateway, f"grACE.{gateway.mark}@exam") == [user_id]

    async def test_one_that_matches_both_ways_comes_once(self, gateway: Stand) -> None:
        user_id = await gateway.user("x", user_email=f"{gateway.name('x')}@example.com")
        assert await users(gateway, gateway.mark) == [user_id]

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_name_stands_for_itself(self, gateway: Stand, name: str) -> None:
        """`%`, `_` and a backslash would match others in LiteLLM's own search"""
        user_id = await gateway.user(name)
        for other in ("100x", "axb", "backslash", "withXblank"):
            await gateway.user(other)
        assert await users(gateway, f"{gateway.mark}-{name}") == [user_id]

    async def test_a_comma_is_a_letter_like_others(self, gateway: Stand) -> None:
        """`/user/list` splits ids there"""
        user_id = await gateway.user("last,first")
        await gateway.user("last;first")
        assert await users(gateway, f"{gateway.mark}-last,f") == [user_id]

    async def test_the_one_whose_id_it_is_comes_first_however_many_others_match(self, gateway: Stand) -> None:
        for number in range(4):
            await gateway.user(f"a{number}-zz")
        zz = gateway.own(gateway.mark)
        await gateway.admin.post("/user/new", {"user_id": zz, "auto_create_key": False})
        found = await find_users(gateway.admin, rights(gateway), gateway.mark, limit=2)
        assert found.rows[0].user_id == zz
        assert len(found.rows) == 2
        assert found.more

    async def test_as_many_as_there_is_room_for_are_not_more(self, gateway: Stand) -> None:
        for number in range(3):
            await gateway.user(f"n{number}")
        found = await find_users(gateway.admin, rights(gateway), gateway.mark, limit=3)
        assert (len(found.rows), found.more) == (3, False)

    async def test_nobody(self, gateway: Stand) -> None:
        found = await find_users(gateway.admin, rights(gateway), gateway.name("nobody"))
        assert (found.rows, found.more) == ([], False)

    async def test_what_is_invisible_is_not_looked_for(self, gateway: Stand) -> None:
        """PostgreSQL answers a NUL with a 500"""
        user_id = await gateway.user("ada")
        assert await users(gateway, f" {gateway.mark}\x00-a\u202eda\n") == [user_id]

    async def test_no_text_gives_the_first_page(self, gateway: Stand) -> None:
        """# S5"""
        await gateway.user("a")
        await gateway.user("b")
        found = await find_users(gateway.admin, rights(gateway), "", limit=1)
        assert len(found.rows) == 1
        assert isinstance(found.rows[0], User)
        assert found.more
        if gateway.demo:
            assert {path for path, _ in asked(gateway)} == {"/user/list"}

    async def test_a_viewer_finds_the_same(self, gateway: Stand) -> None:
        """# S44"""
        viewer = await gateway.key(await gateway.user("viewer", user_role=VIEWER))
        ada = await gateway.user("ada")
        client = gateway.client(viewer.secret)
        found = await find_users(client, rights(gateway, VIEWER), f"{gateway.mark}-ada")
        assert [user.user_id for user in found.rows] == [ada]


class TestTeams:
    """`find_teams`."""

    async def test_a_part_of_the_alias_finds_the_record_in_any_case(self, gateway: Stand) -> None:
        red = await gateway.team("Red", max_budget=9)
        await gateway.team("blue")
        found = await find_teams(gateway.admin, rights(gateway), f"{gateway.mark}-rE")
        assert [(team.team_id, team.label, team.max_budget) for team in found.rows] == [(red, red, 9.0)]
        assert not found.more

    async def test_the_id_finds_it_whatever_it_is_called(self, gateway: Stand) -> None:
        team = await gateway.team("x", team_alias=f"other name {gateway.mark}")
        assert await teams(gateway, team) == [team]

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_name_stands_for_itself(self, gateway: Stand, name: str) -> None:
        made = await gateway.team(name)
        for other in ("100x", "axb", "backslash", "withXblank"):
            await gateway.team(other)
        assert await teams(gateway, f"{gateway.mark}-{name}") == [made]

    async def test_a_page_and_that_there_is_more(self, gateway: Stand) -> None:
        made = [await gateway.team(f"n{number}") for number in range(3)]
        found = await find_teams(gateway.admin, rights(gateway), gateway.mark, limit=2)
        assert [team.team_id for team in found.rows] == made[:2]
        assert found.more
        assert await teams(gateway, gateway.mark, 3) == made

    async def test_no_text_gives_the_first_page(self, gateway: Stand) -> None:
        for name in ("a", "b"):
            await gateway.team(name)
        found = await find_teams(gateway.admin, rights(gateway), "", limit=1)
        assert (len(found.rows), found.more) == (1, True)
        assert isinstance(found.rows[0], Team)

    async def test_a_viewer_finds_teams_that_are_not_theirs(self, gateway: Stand) -> None:
        """# S44: 1.74 shows them their own alone where it searches"""
        viewer = await gateway.key(await gateway.user("viewer", user_role=VIEWER))
        red, blue = await gateway.team("red"), await gateway.team("blue")
        client = gateway.client(viewer.secret)
        some, most, one = await asyncio.gather(
            *(find_teams(client, rights(gateway, VIEWER), text) for text in (f"{gateway.mark}-RED", gateway.mark, blue))
        )
        assert [team.team_id for team in some.rows] == [red]
        assert {team.team_id for team in most.rows} == {red, blue}
        assert [team.team_id for team in one.rows] == [blue]


def test_what_means_something_to_like_is_escaped() -> None:
    assert pattern("100%_\\") == "100\\%\\_\\\\"
