"""One user with their teams, one team with its members, and the lists that the screens show, on every gateway."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Stand
from tui.gateway import paging
from tui.gateway.capabilities import ADMIN, USER, VIEWER, Rights
from tui.gateway.errors import Forbidden, GatewayError, NotFound, Unauthorized
from tui.gateway.schema import User
from tui.gateway.teams import SORTS as TEAM_SORTS
from tui.gateway.teams import team_and_members, team_pages
from tui.gateway.users import SORTS, find_users, user_and_teams, user_pages
from tui.people import Listing, Source, View


@pytest.fixture(autouse=True)
def _ticking(gateway: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two records of one moment, as on a real gateway."""
    if gateway.demo:
        start, ticks = datetime.now(UTC) - timedelta(minutes=5), itertools.count()
        monkeypatch.setattr(gateway.demo, "clock", lambda: start + timedelta(milliseconds=next(ticks)))


def rights(gateway: Stand, role: str = ADMIN, user_id: str | None = None) -> Rights:
    return Rights(role=role, server=gateway.server, user_id=user_id)


async def crew(gateway: Stand) -> tuple[str, str, str]:
    """A user in two teams, with a budget of their own in the first: the ids of all three."""
    ada = await gateway.user("ada", user_alias="Ada L.", max_budget=5, budget_duration="30d")
    red, blue = await gateway.team("red", max_budget=9), await gateway.team("blue")
    for team, more in ((red, {"max_budget_in_team": 3.5}), (blue, {})):
        body = {"team_id": team, "member": {"user_id": ada, "role": "user"}, **more}
        await gateway.admin.post("/team/member_add", body)
    return ada, red, blue


class TestUser:
    """`user_and_teams`."""

    async def test_the_record_with_the_names_of_the_teams(self, gateway: Stand) -> None:  # S4
        ada, red, blue = await crew(gateway)
        found = await user_and_teams(gateway.admin, rights(gateway), ada)
        assert found is not None
        user, teams = found
        assert (user.user_id, user.alias, user.max_budget, user.budget_duration) == (ada, "Ada L.", 5.0, "30d")
        assert teams is not None
        assert [(team.team_id, team.max_budget) for team in teams] == [(blue, None), (red, 9.0)]

    async def test_nobody(self, gateway: Stand) -> None:  # S4 S5
        assert await user_and_teams(gateway.admin, rights(gateway), gateway.name("nobody")) is None
        assert await user_and_teams(gateway.admin, rights(gateway), "") is None

    async def test_a_viewer_is_told_of_others_what_their_release_lets_them_see(self, gateway: Stand) -> None:  # S44
        ada, _, _ = await crew(gateway)
        viewer_id = await gateway.user("viewer", user_role=VIEWER)
        client = gateway.client((await gateway.key(viewer_id)).secret)
        who = rights(gateway, VIEWER, viewer_id)
        found = await user_and_teams(client, who, ada)
        assert found is not None and found[0].alias == "Ada L." and len(found[0].teams) == 2
        assert (found[1] is not None) == gateway.server.at_least(1, 84)
        assert await user_and_teams(client, who, gateway.name("nobody")) is None
        own = await user_and_teams(client, who, viewer_id)
        assert own is not None and own[1] == []

    async def test_who_is_no_admin_is_told_of_themselves(self, gateway: Stand) -> None:  # S44
        ada, red, blue = await crew(gateway)
        client = gateway.client((await gateway.key(ada)).secret)
        found = await user_and_teams(client, rights(gateway, USER, ada), ada)
        assert found is not None and found[1] is not None
        assert {team.team_id for team in found[1]} == {red, blue}


class TestTeam:
    """`team_and_members`."""

    async def test_members_with_role_and_their_own_budget(self, gateway: Stand) -> None:  # S14
        ada, red, blue = await crew(gateway)
        team, members = await team_and_members(gateway.admin, red)
        assert (team.team_id, team.max_budget) == (red, 9.0)
        assert [member.role for member in members] == ["admin", "user"]
        own = members[1]
        assert (own.user_id, own.label, own.max_budget, own.spend) == (ada, ada, 3.5, 0.0)
        assert members[0].max_budget is None
        _, members = await team_and_members(gateway.admin, blue)
        assert [member.max_budget for member in members] == [None, None]

    async def test_a_member_sees_it_and_a_stranger_does_not(self, gateway: Stand) -> None:  # S44
        ada, red, _ = await crew(gateway)
        member = gateway.client((await gateway.key(ada)).secret)
        _, members = await team_and_members(member, red)
        assert ada in [each.user_id for each in members]
        stranger = gateway.client((await gateway.key(await gateway.user("stranger"), "other")).secret)
        with pytest.raises((Forbidden, Unauthorized)):
            await team_and_members(stranger, red)

    async def test_an_unknown_one(self, gateway: Stand) -> None:  # S14
        with pytest.raises(NotFound):
            await team_and_members(gateway.admin, gateway.name("nothing"))


class TestLists:
    """What the screens ask the lists for."""

    @pytest.mark.parametrize("sort", sorted(SORTS))
    @pytest.mark.parametrize("descending", [True, False])
    async def test_the_server_takes_every_order_of_users(self, gateway: Stand, sort: str, descending: bool) -> None:
        mine = [await gateway.user(f"n{number}", user_alias=f"{gateway.mark}{number}") for number in range(3)]
        pages = user_pages(gateway.admin, sort=sort, descending=descending)
        users = await pages.read(0, paging.PAGE)
        while len(users) < (pages.total or 0):
            users += await pages.read(len(users), paging.PAGE)
        found = [user.user_id for user in users if user.user_id in mine]
        if sort in ("id", "alias", "created"):
            assert found == sorted(mine, reverse=descending)
        else:
            assert set(found) == set(mine)

    @pytest.mark.parametrize("sort", sorted(TEAM_SORTS))
    async def test_the_server_takes_every_order_of_teams(self, gateway: Stand, sort: str) -> None:
        mine = [await gateway.team(f"n{number}") for number in range(3)]
        for descending in (True, False):
            pages = team_pages(gateway.admin, rights(gateway), sort=sort, descending=descending)
            teams = await pages.read(0, paging.PAGE)
            while len(teams) < (pages.total or 0):
                teams += await pages.read(len(teams), paging.PAGE)
            found = [team.team_id for team in teams if team.team_id in mine]
            assert found == sorted(mine, reverse=descending)

    async def test_users_are_listed_with_the_number_of_their_keys(self, gateway: Stand) -> None:
        ada = await gateway.user("ada")
        for number in range(2):
            await gateway.key(ada, f"k{number}")
        found = (await find_users(gateway.admin, rights(gateway), ada)).rows
        assert [(user.user_id, user.key_count) for user in found] == [(ada, 2)]

    async def test_everything_is_what_the_pages_hold(self, gateway: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        """In pages of two, so that a few users are several of them"""
        for module in ("tui.gateway.paging", "tui.people"):
            monkeypatch.setattr(f"{module}.PAGE", 2)
        monkeypatch.setattr("tui.people.FEW", 2)
        mine = {await gateway.user(f"n{number}", max_budget=number + 1.0) for number in range(5)}
        listing: Listing[User] = Listing(
            Source(
                pages=lambda sort, descending: user_pages(gateway.admin, sort=sort, descending=descending),
                find=lambda text: find_users(gateway.admin, rights(gateway), text),
                id=lambda user: user.user_id,
                words=lambda user: (user.user_id,),
                sorts={"id": lambda user: user.user_id, "budget": lambda user: user.max_budget},
                server_sorts=SORTS,
            )
        )
        page = await listing.read(View("", "id"))
        assert len(page.rows) == 2 and not listing.can_sort("budget", searched=False)
        assert listing.total == page.total >= 5
        steps: list[int] = []
        await listing.read_all(lambda read, total: steps.append(read))
        assert listing.everything is not None and mine <= set(listing.everything)
        assert steps and steps == sorted(steps)
        seen = []
        view = View(gateway.mark, "budget", descending=True)
        for first in (0, 2, 4):
            seen += [user.max_budget for user in (await listing.read(view, first)).rows]
        assert seen == [5.0, 4.0, 3.0, 2.0, 1.0]

    async def test_who_is_no_admin_gets_no_list_of_users(self, gateway: Stand) -> None:  # S44
        """Why it is never asked for"""
        client = gateway.client((await gateway.key(await gateway.user())).secret)
        with pytest.raises(GatewayError):
            await user_pages(client).read(0, 10)
