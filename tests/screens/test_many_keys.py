"""The keys screen of a gateway with more keys than fit into one list, as an administrator uses it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from textual.widgets import Input

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway
from tui.screens.key_list import KeyList

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
COUNT = 1_200


def company(version: str = "1.108.0") -> DemoGateway:
    """1,200 keys, key 0001 the oldest: 40 have ended, 30 are blocked, 24 are Ada's, 12 are the payments team's."""
    gateway = DemoGateway(now=NOW, version=version)
    gateway.add_user(user_id="ada", user_role="internal_user", max_budget=50.0, spend=12.5)
    gateway.add_user(user_id="bob", user_role="internal_user")
    gateway.add_team("pay", team_alias="Payments", max_budget=100.0)
    for number in range(1, COUNT + 1):
        born = NOW - timedelta(hours=COUNT - number + 1)
        gateway.add_key(
            key_alias=f"{'prod' if number % 4 == 0 else 'dev'}-{number:04}",
            user_id="ada" if number % 50 == 0 else "bob",
            team_id="pay" if number % 100 == 1 else None,
            spend=float(number % 7),
            created_at=born,
            expires=NOW - timedelta(days=40) if number % 30 == 9 else None,
            blocked=True if number % 40 == 11 else None,
            last_active=NOW - timedelta(days=1),
        )
    return gateway


@pytest.fixture
def gateway() -> DemoGateway:
    return company()


def listings(app: Driver) -> list[dict[str, str]]:
    """The parameters of every call of the key list so far."""
    return [dict(call.params) for call in app.gateway.calls if call.path == "/key/list"]


def aliases(app: Driver) -> set[str]:
    return {str(key["key_alias"]) for key in app.gateway.keys.values()}


async def read_all(app: Driver) -> None:
    await app.press("A")
    await app.see("more need attention")


async def find(app: Driver, text: str) -> None:
    """Filter, and go on in the list."""
    await app.press("slash")
    await app.type(text)
    await app.see(f"“{text}”")
    await app.press("enter")


async def test_one_page_is_read_and_the_number_is_known(gateway: DemoGateway) -> None:  # S37
    async with running(gateway) as app:
        assert "1 Keys 1,200" in app.text().splitlines()[1]
        assert "1–100 of 1,200 · by created, newest first" in app.text()
        assert "prod-1200" in app.text() and "A reads all 1,200" in app.text()
        assert len(listings(app)) == 1
        # every team comes with every key of it there
        assert "/team/list" not in {call.path for call in gateway.calls}


async def test_500_keys_are_still_one_list(gateway: DemoGateway) -> None:
    for token in list(gateway.keys)[500:]:
        del gateway.keys[token]
    async with running(gateway) as app:
        await app.see("1 Keys 500")
        assert "of 500" not in app.text() and "need attention" in app.text()
        await app.press("tab", "G")
        await app.see("prod-0500")


async def test_from_page_to_page_and_to_both_ends(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        await app.press("G")
        await app.see("1,101–1,200 of 1,200")
        assert "dev-0001" in app.text()
        await app.press("g")
        await app.see("1–100 of 1,200")
        assert "prod-1200" in app.text()
        while "101–200 of 1,200" not in app.text():
            await app.press("pagedown")
        assert "prod-1100" in app.text() and app.app.screen.query_one("#keys").has_focus
        # back over the edge lands on the row that was left
        await app.press("k")
        await app.see("1–100 of 1,200")
        assert "dev-1101" in app.text()


async def test_the_old_page_stays_while_another_is_read_and_the_last_one_asked_for_is_shown(
    gateway: DemoGateway,
) -> None:
    release = asyncio.Event()

    async def hold(_: httpx.Request) -> None:
        await release.wait()

    async with running(gateway) as app:
        gateway.intercept("GET", "/key/list", hold, times=-1)
        await app.press("G")
        await app.see("reading …")
        assert "prod-1200" in app.text() and "1–100 of" in app.text()
        await app.press("escape")
        await app.gone("reading …")
        await app.press("G")
        await app.see("reading …")
        await app.press("s")
        release.set()
        await app.see("by alias, A to Z")
        assert "1–100 of 1,200" in app.text() and "dev-0001" in app.text()


async def test_a_filter_is_the_servers_and_the_last_text_wins(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        await find(app, "PROD-11")
        await app.see("1–25 of 25")
        assert "prod-1196" in app.text() and "dev" not in app.text()
        assert {each.get("search") for each in listings(app)} >= {None, "PROD-11"}
        await app.press("escape")
        await app.see("1–100 of 1,200")
        await find(app, "blocked dev")
        await app.see("of 30 ·")
        await app.press("escape")
        await find(app, "expired")
        await app.see("of 40 ·")
        await app.press("escape")
        await find(app, "zzz")
        await app.see("No key matches “zzz”. esc clears the filter.")


async def test_each_letter_is_asked_for_and_what_it_asked_for_before_is_never_shown(gateway: DemoGateway) -> None:
    release = asyncio.Event()
    asked: list[str | None] = []

    async def hold(request: httpx.Request) -> None:
        asked.append(request.url.params.get("search"))
        if asked[-1] == "p":
            await release.wait()

    async with running(gateway) as app:
        gateway.intercept("GET", "/key/list", hold, times=-1)
        await app.press("slash", "p")
        await app.until(lambda: asked == ["p"], "the first letter's question")
        await app.see("reading …")
        # nothing else on the line moves for it
        assert "\n 1–100 of 1,200 · by created, newest first" in app.text()
        await app.press("r")
        await app.see("1–100 of 300 · “pr”")
        release.set()
        await app.press("o")
        await app.see("“pro”")
        assert "“p”" not in app.text() and "reading …" not in app.text()


async def test_the_next_page_is_read_ahead_but_not_while_somebody_types(gateway: DemoGateway) -> None:
    def asked(text: str, page: str) -> bool:
        return any(each.get("search") == text and each["page"] == page for each in listings(app))

    async with running(gateway) as app:
        await app.press("slash")
        await app.type("dev")
        await app.see("1–100 of 900 · “dev”")
        await app.pilot.pause()
        assert asked("dev", "1") and not asked("dev", "2")
        await app.press("enter")
        await app.until(lambda: asked("dev", "2"), "the next page")
        assert "page 1 of 9" in app.text()
        while "101–200 of 900" not in app.text():
            await app.press("pagedown")
        await app.until(lambda: asked("dev", "3"), "the one after it")
        assert "page 2 of 9" in app.text()


async def test_sorting_goes_through_what_the_server_can_and_says_so(gateway: DemoGateway) -> None:  # S44
    async with running(gateway) as app:
        orders = []
        for words in ("by alias, A to Z", "by spend, least first", "by created, newest first"):
            await app.press("s")
            await app.see(words)
            orders.append(listings(app)[-1].get("sort_by"))
        assert orders[:2] == ["key_alias", "spend"]
        words = "LiteLLM sorts by created, alias and spend alone. A reads all 1,200 keys"
        await app.until(lambda: words in app.toasts(), "the words")
        await app.press("s", "S")
        await app.see("by alias, Z to A")
        assert "prod-1200" in app.text()


async def test_with_all_keys_in_memory_everything_sorts_and_filters_without_a_call(gateway: DemoGateway) -> None:
    async with running(gateway, size=(100, 30)) as app:
        await read_all(app)
        assert "expired 40 d ago" in app.text()
        await app.until(lambda: "reads all" not in app.text(), "the offer to go")
        calls = len(listings(app))
        await app.press("tab", "tab")
        for words in ("by alias", "by key", "by spend", "by budget", "by expires"):
            await app.press("s")
            await app.see(words)
        assert "soonest first" in app.text() and "dev-0009" in app.text()
        # owners are found too, as in a short list
        await find(app, "bob")
        await app.see("of 1,176 ·")
        assert len(listings(app)) == calls


async def test_reading_all_says_how_far_it_is_and_stops(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        release = asyncio.Event()

        async def hold(request: httpx.Request) -> None:
            if request.url.params.get("page") not in ("1", "2", "3"):
                await release.wait()

        gateway.intercept("GET", "/key/list", hold, times=-1)
        await app.press("A")
        await app.see("300 of 1,200 keys, esc stops")
        await app.press("escape")
        await app.gone("esc stops")
        release.set()
        assert "A reads all 1,200" in app.text() and "prod-1200" in app.text()
        await read_all(app)


async def test_an_older_release_says_what_it_cannot_and_the_way_out() -> None:  # S44
    async with running(company("1.83.0")) as app:
        await app.press("slash")
        await app.type("prod-11")
        await app.see("finds only whole aliases")
        assert not any("search" in each for each in listings(app))
        await app.press("enter", "A")
        await app.see("1–25 of 25")
        assert "whole aliases" not in app.text()


def many_teams(version: str = "1.108.0") -> DemoGateway:
    """The company with 130 teams more, of which the start reads the first 100 by name; key 1199 is of the last one."""
    gateway = company(version)
    for number in range(130):
        gateway.add_team(f"id-{number:03}", team_alias=f"Team {number:03}")
    newest = {str(key["key_alias"]): key for key in gateway.keys.values()}
    newest["dev-1199"]["team_id"] = newest["dev-1198"]["team_id"] = "id-129"
    newest["dev-1197"]["team_id"] = "deleted-team"
    return gateway


def team_questions(gateway: DemoGateway) -> list[str]:
    """The ids of teams that were asked for one by one."""
    return [str(call.params["team_id"]) for call in gateway.calls if call.params.get("team_id") and "team" in call.path]


async def test_the_teams_of_the_keys_on_the_page_have_names_and_are_asked_for_once() -> None:
    gateway = many_teams()
    async with running(gateway, size=(140, 30)) as app:
        await app.see("Team 129")
        assert "deleted-team" in app.row("dev-1197") and "id-129" not in app.text()
        assert sorted(team_questions(gateway)) == ["deleted-team", "id-129"]
        await app.press("G", "g")
        await app.see("dev-1199")
        await app.press("R")
        await app.pilot.pause()
        assert "Team 129" in app.row("dev-1199")
        assert len(team_questions(gateway)) == 2


async def test_no_team_is_asked_for_where_no_column_shows_it() -> None:
    gateway = many_teams()
    async with running(gateway, size=(80, 24)) as app:
        await app.see("dev-1199")
        await app.press("G")
        await app.see("1,101–1,200")
        assert team_questions(gateway) == []
        await app.pilot.resize_terminal(140, 30)
        await app.press("g")
        await app.see("Team 129")


async def test_of_all_keys_those_of_a_team_are_found_by_its_name() -> None:
    async with running(many_teams()) as app:
        await read_all(app)
        await find(app, "team 129")
        await app.see("of 2 ·")
        assert "dev-1199" in app.text()


async def test_names_of_teams_that_cannot_be_read_leave_ids_and_no_complaint() -> None:
    gateway = many_teams()
    async with running(gateway, size=(140, 30), wait=False) as app:

        async def refuse(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(500, json={}) if "team_id" in request.url.params else None

        gateway.intercept("GET", "/v2/team/list", refuse, times=-1)
        await app.see("id-129")
        await app.until(lambda: len(team_questions(gateway)) >= 1, "the question")
        await app.pilot.pause()
        assert "id-129" in app.row("dev-1199") and not app.toasts()


async def test_whose_a_user_a_team_and_back(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        await app.press("o")
        await app.see("Whose keys?")
        await app.type("ada")
        row = await app.see("$50.00")
        assert "$12.50" in row
        await app.press("enter")
        await app.see("1–24 of 24")
        assert "ada · 1–24" in app.text() and "prod-1200" in app.text()
        # so few are all there: what needs somebody is told, every column sorts
        await app.press("s", "s", "s", "s", "s")
        await app.see("by expires, soonest first")
        await app.press("o")
        await app.see("Whose keys?")
        await app.type("Paym")
        await app.see("$100.00")
        await app.press("enter")
        await app.see("team Payments · 1–12 of 12")
        await app.press("escape")
        await app.see("of 1,200 ·")


async def test_marks_outlive_pages_filters_and_orders(gateway: DemoGateway) -> None:  # S43
    async with running(gateway) as app:
        await app.press("space", "G")
        await app.see("1,101–1,200")
        await app.press("space")
        await find(app, "prod-0600")
        await app.see("1–1 of 1")
        await app.press("space")
        await app.see("3 marked, 2 of them not on this page")
        await app.press("d")
        text = await app.see("Delete 3 keys?")
        assert "prod-1200" in text and "dev-0001" in text and "prod-0600" in text
        await app.press("y")
        await app.see("1 Keys 1,197")
        assert not {"prod-1200", "dev-0001", "prod-0600"} & aliases(app)
        assert "marked" not in app.text()


async def test_the_page_that_is_shown_is_marked_and_unmarked(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        await app.press("asterisk")
        await app.see("100 marked")
        await app.press("G")
        await app.see("1,101–1,200")
        await app.press("asterisk")
        await app.see("200 marked, 100 of them not on this page")
        await app.press("asterisk")
        await app.see("100 marked, 100 of them not on this page")


async def test_marks_by_condition_after_saying_how_many(gateway: DemoGateway) -> None:  # S42, S43
    async with running(gateway) as app:
        await app.press("m")
        await app.see("Read all 1,200 keys first?")
        await app.press("y")
        await app.see("Mark which of 1,200 keys?")
        words = [" ".join(line.split("│")[1].split()) for line in app.text().splitlines() if "│  " in line]
        assert {"40 expired", "0 over budget"} <= set(words), app.text()
        assert "marked" not in app.text()
        await app.press("enter")
        await app.see("40 marked")
        await app.until(lambda: "40 marked: expired." in app.toasts(), "the words")


async def test_after_an_action_all_keys_stay_in_memory_and_are_right(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        await read_all(app)
        await find(app, "prod-0600")
        await app.see("1–1 of 1")
        calls = len(listings(app))
        await app.press("b")
        await app.see("Block prod-0600")
        await app.press("y")
        await app.until(lambda: "blocked" in app.row("! prod-0600"), "the row to say so")
        await app.press("d")
        await app.see("Delete prod-0600")
        await app.press("y")
        await app.see("No key matches")
        assert len(listings(app)) - calls < 8
        await app.press("escape")
        await app.see("of 1,199 ·")


async def test_a_rotation_whose_old_key_is_on_another_page_is_not_taken_for_one_whose_key_is_gone(
    gateway: DemoGateway,
) -> None:
    old = next(key for key in gateway.keys.values() if key["key_alias"] == "dev-0001")
    gateway.add_key(
        key_alias=f"rotating-{old['token'][:12]}",
        user_id="bob",
        team_id="pay",
        created_at=NOW,
        metadata={"litellm_tui_rotation": {"of": old["token"], "step": "created", "alias": "dev-0001"}},
    )
    async with running(gateway) as app:
        await app.press("R")
        await app.see("rotation unfinished: both keys work")


async def test_a_gateway_that_is_down_keeps_the_page(gateway: DemoGateway) -> None:
    async with running(gateway) as app:
        gateway.intercept("GET", "/key/list", httpx.ConnectError("refused"), times=-1)
        await app.press("G")
        await app.see("refuses the connection")
        assert "prod-1200" in app.text() and "reading" not in app.text()


async def test_an_admin_s_session_about_one_user_looks_at_another_s_keys_and_comes_back() -> None:
    gateway = company()
    async with running(gateway, user="ada") as app:
        assert "1 Keys 24" in app.text() and "1–" not in app.text()
        await app.press("o")
        await app.see("Whose keys?")
        await app.type("Payments")
        await app.see("$100.00")
        await app.press("enter")
        await app.see("team Payments: 12 keys")
        assert "1 Keys 12" in app.text()
        await app.press("R")
        await app.see("team Payments: 12 keys")
        await app.press("escape")
        await app.see("1 Keys 24")
        assert "team Payments" not in app.text()


async def test_who_is_no_admin_has_no_others_to_look_at() -> None:  # S44
    gateway = company()
    secret = gateway.add_key(key_alias="mine", user_id="ada")
    async with running(gateway, key=secret) as app:
        calls = len(gateway.calls)
        await app.press("o")
        await app.until(lambda: "Only an admin sees everyone's." in app.toasts(), "the reason")
        assert len(gateway.calls) == calls and "1 Keys 25" in app.text()


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 50)])
async def test_the_place_is_told_at_every_size(gateway: DemoGateway, size: tuple[int, int]) -> None:
    async with running(gateway, size=size) as app:
        assert "1–100 of 1,200 · by created, newest first" in app.text()
        assert all(len(line) <= size[0] for line in app.text().splitlines())
        await app.press("asterisk", "slash")
        await app.type("dev")
        await app.see("of 900 ·")
        assert isinstance(app.app.screen, KeyList)
        assert app.app.screen.query_one(Input).has_focus
