"""The lists of users and teams, what is known of one, and the ways between them, their keys and their usage."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui.app import LitellmTui
from tui.demo import DemoGateway
from tui.gateway.capabilities import VIEWER
from tui.screens.people import PeopleScreen

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ADA = "ada@example.com"
USERS = 1_050


@pytest.fixture
def small() -> DemoGateway:
    """The demo's people and teams, on a fixed day."""
    return DemoGateway.believable(now=NOW)


def company(version: str = "1.108.0", users: int = USERS) -> DemoGateway:
    """Users u0001 to u1050 and the default one; u0007 is over the budget, u0008 near it. 620 teams."""
    gateway = DemoGateway(now=NOW, version=version)
    for number in range(1, users + 1):
        gateway.add_user(
            user_id=f"u{number:04}",
            user_email=f"person{number:04}@example.com",
            user_alias=f"Person {number}",
            spend={7: 60.0, 8: 45.0}.get(number, number / 100),
            max_budget=50.0 if number < 20 else None,
            budget_duration="30d" if number < 20 else None,
            created_at=NOW - timedelta(days=number),
        )
    for number in range(1, 621):
        members = [{"user_id": "u0001", "role": "admin"}, {"user_id": "u0002", "role": "user"}]
        gateway.add_team(
            f"t{number:03}",
            team_alias=f"Team {number:03}",
            max_budget=100.0,
            spend=float(number % 90),
            blocked=number == 3,
            members_with_roles=members if number < 3 else [],
        )
    for number in range(4):
        gateway.add_key(key_alias=f"theirs-{number}", user_id="u0002", team_id="t002" if number < 2 else None)
    gateway.add_key(key_alias="another", user_id="u0001")
    gateway.calls.clear()
    return gateway


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was sent to the clipboard."""
    found: list[str] = []

    async def copy(app: LitellmTui, text: str) -> str:
        found.append(text)
        return "Sent to the clipboard."

    monkeypatch.setattr(LitellmTui, "copy", copy)
    return found


def key_of(gateway: DemoGateway, alias: str) -> str:
    return next(gateway.secret_for(token) or "" for token, row in gateway.keys.items() if row["key_alias"] == alias)


def asked(app: Driver, path: str) -> list[dict[str, str]]:
    return [dict(call.params) for call in app.gateway.calls if call.path == path]


def shown(app: Driver) -> list[str]:
    """The ids of the rows of the page, in order."""
    screen = app.app.screen
    assert isinstance(screen, PeopleScreen)
    return [screen.row(record).key for record in screen.rows]


async def opened(app: Driver, mode: str, words: str) -> None:
    await app.press(mode)
    await app.see(words)


# What is there


async def test_users_with_their_budgets(small: DemoGateway) -> None:  # S25 S42
    small.users["linus@example.com"]["spend"] = 78.0
    small.users["grace@example.com"]["spend"] = 165.0
    async with running(small, user=ADA, size=(120, 36)) as app:
        await opened(app, "4", "7 users")
        assert shown(app) == sorted(small.users)
        ada = app.row("Ada Lindqvist")
        assert ADA in ada and "user" in ada and "$250" in ada and "on 1 Dec" in ada
        assert ada.split()[-5:-3] == ["2", "13"], "teams and keys, before 23 Jul 2024"
        assert app.row("linus@").startswith("!") and "98 %" in app.row("linus@")
        assert app.row("grace@").startswith("!") and "110 %" in app.row("grace@")
        assert "admin" in app.row("mei@") and "no limit" in app.row("mei@")
        assert "viewer" in app.row("noor@") and not app.row("noor@").startswith("!")
        # nothing can be changed here
        assert app.writes() == []


async def test_teams_with_their_budgets(small: DemoGateway) -> None:  # S14
    async with running(small, user=ADA, size=(120, 36)) as app:
        await opened(app, "5", "3 teams")
        platform = app.row("platform")
        assert "$800" in platform and "team-platform" in platform and " 3 " in platform and "all" in platform
        assert app.row("interns").startswith("!") and "blocked" in app.row("interns")


@pytest.mark.parametrize(
    ("size", "some", "none"),
    [
        ((60, 20), ["User", "Spend", "Budget"], ["Name", "Keys"]),
        ((80, 24), ["Name", "Role", "Spend", "Budget", "Keys"], ["Resets"]),
        ((200, 50), ["Name", "Resets", "Teams", "Keys", "Created"], []),
    ],
)
async def test_columns_give_way_and_the_screens_can_be_reached(
    size: tuple[int, int], some: list[str], none: list[str]
) -> None:
    async with running(company(), size=size) as app:
        assert "4 Users │ 5 Teams" in app.text().splitlines()[1]
        await opened(app, "4", "1–100 of 1,051")
        header = app.row("User ▲")
        assert all(word in header for word in some) and not any(word in header for word in none)
        assert all(len(line) <= size[0] for line in app.text().splitlines())


async def test_the_palette_goes_there_by_name() -> None:
    async with running(company()) as app:
        await app.press("colon")
        await app.type("users")
        await app.see("Go to Users")
        await app.press("enter")
        await app.see("1–100 of 1,051")
        await app.press("question_mark")
        await app.see("See the keys of this row alone")
        assert "Show everything about this row" in app.text()


# Pages of the server's


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0", "1.108.0"])
async def test_many_users_open_with_one_call_of_one_page(version: str) -> None:  # S5
    async with running(company(version)) as app:
        app.gateway.calls.clear()
        await opened(app, "4", "1–100 of 1,051")
        assert [call.path for call in app.gateway.calls] == ["/user/list"]
        assert asked(app, "/user/list")[0]["page_size"] == "100"
        await app.press("G")
        await app.see("1,001–1,051 of 1,051")
        assert shown(app)[-1] == "u1050"
        await app.press("g")
        await app.see("1–100 of")
        while "101–200 of" not in app.text():
            await app.press("pagedown")
        await app.press("k")
        await app.see("1–100 of")
        assert isinstance(app.app.screen, PeopleScreen) and app.app.screen.current is not None
        assert app.app.screen.current.user_id == shown(app)[-1]


async def test_the_server_sorts_by_what_it_can_and_the_rest_is_said() -> None:
    async with running(company()) as app:
        await opened(app, "4", "1–100 of 1,051")
        await app.press("s")
        await app.until(lambda: "LiteLLM sorts users by user, name, role, spend and created alone" in app.toasts())
        await app.until(lambda: "A reads all 1,051 users once" in app.toasts(), "the words")
        for column in ("name", "role", "spend, falling", "user"):
            await app.see(f"by {column}")
            if column == "spend, falling":
                assert shown(app)[0] == "u0007"
                assert "may be on two pages, or none. A reads all." in app.text()
            await app.press("s")
        assert {each["sort_by"] for each in asked(app, "/user/list")} == {
            "user_id",
            "user_alias",
            "user_role",
            "spend",
        }


async def test_once_all_are_read_every_column_sorts_and_every_word_is_found() -> None:
    async with running(company(), size=(120, 36)) as app:
        await opened(app, "4", "1–100 of 1,051")
        await app.press("A")
        await app.until(lambda: len(asked(app, "/user/list")) >= 11)
        await app.until(lambda: "users, esc stops" not in app.text())
        calls = len(app.gateway.calls)
        for _ in range(4):
            await app.press("s")
        await app.see("by budget, falling")
        assert shown(app)[:2] == ["u0007", "u0008"]
        await app.press("slash")
        await app.type("person 1049")
        await app.see("1 of 1,051")
        assert shown(app) == ["u1049"], "a name, which no server searches"
        assert len(app.gateway.calls) == calls


async def test_reading_all_is_stopped() -> None:
    release = asyncio.Event()

    async def hold(_: httpx.Request) -> None:
        await release.wait()

    async with running(company()) as app:
        await opened(app, "4", "1–100 of 1,051")
        app.gateway.intercept("GET", "/user/list", hold, times=-1)
        await app.press("A")
        await app.see("0 of 1,051 users, esc stops")
        await app.press("escape")
        await app.gone("esc stops")
        await app.until(lambda: "are not kept" in app.toasts(), "the words")
        assert "1–100 of 1,051" in app.text()
        release.set()


@pytest.mark.parametrize("version", ["1.74.0", "1.108.0"])
async def test_a_search_is_the_servers(version: str) -> None:
    async with running(company(version)) as app:
        await opened(app, "4", "1–100 of 1,051")
        await app.press("slash")
        assert "a part of the id or the e-mail" in app.text()
        await app.type("PERSON000")
        await app.see("“PERSON000”")
        await app.until(lambda: shown(app) == [f"u000{number}" for number in range(1, 10)], "the nine")
        await app.press("enter", "s", "s", "s", "s")
        await app.see("by budget, falling")
        assert shown(app)[0] == "u0007", "what was found is here, so any column sorts it"
        await app.press("escape")
        await app.see("1–100 of 1,051")
        assert "by user" in app.text()


async def test_a_search_that_finds_more_than_a_page_says_so() -> None:
    async with running(company()) as app:
        await opened(app, "4", "1–100 of 1,051")
        await app.press("slash")
        await app.type("person")
        await app.see("the first 100 that match, type on")


async def test_teams_beyond_500_come_in_pages_too() -> None:
    async with running(company()) as app:
        app.gateway.calls.clear()
        await opened(app, "5", "1–100 of 620")
        assert [call.path for call in app.gateway.calls] == ["/v2/team/list"]
        await app.press("s")
        await app.until(lambda: "LiteLLM sorts teams by team and id alone" in app.toasts())
        await app.press("slash")
        await app.type("team 61")
        await app.until(lambda: shown(app) == [f"t61{number}" for number in range(10)], "the ten")


# States


async def test_first_load_then_nothing_and_no_match() -> None:
    release = asyncio.Event()

    async def hold(_: httpx.Request) -> None:
        await release.wait()

    gateway = DemoGateway(now=NOW)
    async with running(gateway) as app:
        gateway.intercept("GET", "/user/list", hold)
        await app.press("4")
        await app.see("reading users …")
        await app.press("i")
        await app.until(lambda: "still being read" in app.toasts(), "the words")
        release.set()
        await app.see("1 user ·")
        await opened(app, "5", "No teams: this gateway has none.")
        await app.press("4", "slash")
        await app.type("zzz")
        await app.see("No user matches “zzz”. esc clears the filter.")
        await app.press("escape")
        await app.see("default_user_id")


async def test_a_gateway_that_is_down_first_and_later() -> None:
    gateway = company()
    async with running(gateway) as app:
        gateway.intercept("GET", "/user/list", httpx.ConnectError("refused"), times=-1)
        await opened(app, "4", "refuses the connection")
        assert "1–100" not in app.text()
        gateway._interceptions.clear()
        await app.press("R")
        await app.see("1–100 of 1,051")
        gateway.intercept("GET", "/user/list", httpx.ConnectError("refused"), times=-1)
        await app.press("R")
        await app.see("Showing 10:")
        assert "u0001" in app.text() and "refuses the connection" in app.text()


async def test_a_key_that_is_refused_meanwhile_says_the_way_on() -> None:
    gateway = company()
    async with running(gateway) as app:
        answer = httpx.Response(403, json={"detail": {"error": "Only proxy admins can list users."}})
        gateway.intercept("GET", "/user/list", answer, times=-1)
        await opened(app, "4", "now refuses this")


async def test_read_only_changes_nothing_here(small: DemoGateway) -> None:
    async with running(small, user=ADA, read_only=True) as app:
        await opened(app, "4", "7 users")
        assert "READ-ONLY" in app.text()
        await app.press("i")
        await app.see("platform")
        assert app.writes() == []


# Who may


async def test_who_is_no_admin_sees_their_own_teams_and_no_users(small: DemoGateway) -> None:  # S44
    async with running(small, key=key_of(small, "grace-vscode")) as app:
        assert "4 Users" not in app.text() and "5 Teams" in app.text()
        calls = len(small.calls)
        await app.press("4")
        await app.until(lambda: "Only an admin sees everyone's." in app.toasts())
        assert len(small.calls) == calls and "1 Keys" in app.text()
        await app.press("question_mark")
        await app.press(*["j"] * 12)
        assert "Only an admin sees everyone's." in app.row("Go to Users")
        await app.press("escape")
        await opened(app, "5", "1 team ")
        assert shown(app) == ["team-platform"]
        assert {call.path for call in small.calls[calls:]} == {"/team/list"}
        await app.press("enter")
        await app.see("team platform: 1 of 2 keys")
        await app.press("escape")
        await app.see("1 team ")
        await app.press("i")
        await app.see("grace@example.com  member")


async def test_who_is_in_no_team_is_told_so() -> None:  # S44
    gateway = DemoGateway(now=NOW)
    gateway.add_user("solo", user_role="internal_user")
    async with running(gateway, key=gateway.add_key(key_alias="k", user_id="solo")) as app:
        assert "5 Teams" not in app.text()
        calls = len(gateway.calls)
        await app.press("5")
        await app.until(lambda: bool(app.toasts()), "the reason")
        assert len(gateway.calls) == calls


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0", "1.108.0"])
async def test_a_viewer_sees_everyone_and_is_refused_nothing(version: str) -> None:  # S44
    gateway = company(version, users=30)
    gateway.add_user("eye", user_role=VIEWER)
    async with running(gateway, key=gateway.add_key(key_alias="eye", user_id="eye")) as app:
        await opened(app, "4", "u0002")
        await app.press("slash")
        await app.type("u0002")
        await app.until(lambda: shown(app) == ["u0002"])
        await app.press("enter", "i")
        await app.see("person0002@example.com")
        await app.gone("reading …")
        assert "Team 002" in app.text()
        # up to 1.83 that question is refused a viewer, and counts against the key
        told = [each for each in asked(app, "/user/info") if each.get("user_id") == "u0002"]
        assert bool(told) == (version == "1.108.0")
        await app.press("escape")
        await opened(app, "5", "1–100 of 620")
        await app.press("i")
        await app.see("u0002")
        assert "not read" not in app.text()


# The ways on


async def test_from_a_user_to_their_keys_and_back() -> None:
    async with running(company()) as app:
        await opened(app, "4", "1–100 of 1,051")
        await app.press("j", "j", "enter")
        await app.see("Person 2: 4 of 5 keys")
        assert "theirs-3" in app.text() and "another" not in app.text()
        await app.press("escape")
        await app.see("1–100 of 1,051")
        assert app.app.screen.query_one("#people").has_focus
        await app.press("1")
        await app.see("another")
        await app.press("escape")
        assert "another" in app.text() and "1 Keys 5" in app.text(), "back leads there once"


async def test_in_a_session_about_one_user_the_keys_of_another_are_read(small: DemoGateway) -> None:
    async with running(small, user=ADA) as app:
        await opened(app, "4", "7 users")
        await app.press("slash")
        await app.type("grace")
        await app.press("enter", "enter")
        await app.see("Grace Okafor: 2 keys")
        assert "grace-vscode" in app.text() and "laptop" not in app.text()
        await app.press("n")
        await app.see("grace@example.com")
        await app.press("escape")
        await app.press("escape")
        await app.see("1 of 7")
        await app.press("1")
        await app.see("laptop")
        await opened(app, "5", "3 teams")
        await app.press("enter")
        await app.see("team platform: 2 keys")
        assert "platform-gateway" in app.text() and "ticket-triage" in app.text()


async def test_keys_that_cannot_be_read_leave_what_was_there(small: DemoGateway) -> None:
    async with running(small, user=ADA) as app:
        await opened(app, "4", "7 users")
        small.intercept("GET", "/key/list", httpx.ConnectError("refused"), times=-1)
        await app.press("j", "j", "enter")
        await app.see("refuses the connection")
        assert "laptop" in app.text() and "Grace Okafor" not in app.text()


async def test_from_a_team_to_its_usage_and_back(small: DemoGateway) -> None:
    async with running(small, user=ADA, size=(100, 30)) as app:
        await opened(app, "5", "3 teams")
        await app.press("u")
        await app.see("Usage of team platform")
        await app.see("Requests")
        # asked for at once, not after the usage of whom the session is about
        assert not [call for call in small.calls if "/user/daily" in call.path]
        await app.press("escape")
        await app.see("3 teams")
        await app.press("j", "u")
        await app.see("Usage of team research")
        await app.see("Requests")


async def test_what_is_known_of_a_user_and_of_a_team(small: DemoGateway, copied: list[str]) -> None:
    async with running(small, user=ADA) as app:
        await opened(app, "4", "7 users")
        await app.press("i")
        text = await app.see("research  $")
        assert "User Ada Lindqvist" in text and "resets on 1 Dec" in text and "of $800.00" in text
        assert "department = platform" in text
        await app.press("y")
        await app.until(lambda: copied == [ADA])
        await opened(app, "5", "3 teams")
        await app.press("j", "i")
        await app.see("linus@example.com  admin")
        assert "$0.00 of $100.00 in this team" in app.row("ada@example.com  ")
        assert "claude-sonnet-4-5, gemini-2.5-pro" in app.text()
        await app.press("enter")
        await app.see("team research: 1 key. esc goes back to")


async def test_who_is_gone_by_now(small: DemoGateway) -> None:  # S4
    async with running(small, user=ADA) as app:
        await opened(app, "4", "7 users")
        del small.users["tomas@example.com"]
        await app.press("G", "i")
        await app.see("has no user of this id")
        await app.press("escape")
        await opened(app, "5", "3 teams")
        del small.teams["team-summer-interns"]
        await app.press("G", "i")
        await app.see("has no team of this id")


async def test_from_a_key_to_its_owner_and_its_team() -> None:
    async with running(company()) as app:
        app.app.screen.query_one("#keys").focus()
        await app.press("slash")
        await app.type("theirs-0")
        await app.press("enter", "enter")
        await app.see("o owner")
        await app.press("o")
        await app.see("User Person 2")
        await app.press("escape")
        await app.gone("User Person 2")
        await app.press("enter")
        await app.see("t team")
        await app.press("t")
        await app.see("Team Team 002")
        await app.see("u0001  admin")
        await app.press("enter")
        await app.see("team Team 002: 2 of 5 keys")
        await app.press("escape")
        await app.see("another")


async def test_a_key_of_nobody_has_no_owner_to_show() -> None:
    gateway = DemoGateway(now=NOW)
    gateway.add_key(key_alias="stray")
    async with running(gateway) as app:
        app.app.screen.query_one("#keys").focus()
        await app.press("enter")
        await app.see("o owner")
        calls = len(gateway.calls)
        await app.press("o", "t")
        await app.until(lambda: "no user" in app.toasts() and "no team" in app.toasts())
        assert not [call for call in gateway.calls[calls:] if "info" in call.path]


async def test_everyone_s_keys_name_their_owner_before_their_models() -> None:
    gateway = company()
    async with running(gateway, size=(80, 24)) as app:
        assert "Owner" in app.row("Alias") and "u0002" in app.row("theirs-0")
    async with running(gateway, user="u0002", size=(80, 24)) as app:
        assert "Owner" not in app.row("Alias") and "Models" in app.row("Alias")


async def test_the_tabs_say_how_many_there_are_once_they_were_read() -> None:
    async with running(company()) as app:
        assert "4 Users │ 5 Teams" in app.text()
        await app.press("4")
        await app.see("4 Users 1,051 │ 5 Teams")
        await app.press("5")
        await app.see("4 Users 1,051 │ 5 Teams 620")
        # a search is of some, the tab is of all
        await app.press("slash", "6")
        await app.see("“6”")
        assert "5 Teams 620" in app.text()
        await app.press("escape", "1")
        await app.see("4 Users 1,051 │ 5 Teams 620")


async def test_where_the_tabs_have_no_room_the_other_screens_give_way() -> None:
    async with running(company(), size=(56, 20)) as app:
        await app.press("4")
        await app.see("of 1,051")
        await app.press("5")
        await app.see("of 620")
        assert "│ 4 Users │ 5 Teams" in app.text().splitlines()[1]
