"""The dialog for whose: a plain list, and for those who see everyone any user or team by name (S44)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from rich.cells import cell_len
from textual.widgets import Input

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway
from tui.gateway import capabilities
from tui.reports import Scope, scopes
from tui.screens.choose_scope import ChooseScope
from tui.widgets.table import RecordTable

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ADA = "ada@example.com"
LISTS = ("/user/list", "/user/filter/ui", "/v2/team/list")


@pytest.fixture
def world() -> DemoGateway:
    """The demo's people and teams, on a fixed day."""
    return DemoGateway.believable(now=NOW)


def crowd(world: DemoGateway, count: int = 120) -> None:
    """More people than a page holds, the last ones beyond it."""
    for number in range(count):
        world.add_user(f"person-{number:03}", spend=number / 4, max_budget=50.0)


@dataclass
class Opened:
    """The dialog on screen. `chosen` gets what it was left with."""

    app: Driver
    own: list[Scope]
    chosen: list[Scope | None] = field(default_factory=list)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Every list that was asked for since the dialog was opened, and the text."""
        calls = self.app.gateway.calls
        names = ("user_email", "team_alias", "user_ids", "user_id", "team_id")
        return [
            (call.path, next((call.params[name] for name in names if name in call.params), ""))
            for call in calls
            if call.path in LISTS
        ]

    async def settled(self) -> str:
        """The screen once nothing is being asked."""
        await self.app.gone("asking …")
        return self.app.text()

    async def left_with(self) -> Scope | None:
        await self.app.until(lambda: bool(self.chosen), "the dialog to close")
        return self.chosen[0]

    @property
    def rows(self) -> list[str]:
        table = self.app.app.screen.query_one(RecordTable)
        return [row.key for row in table._rows]


@asynccontextmanager
async def opened(
    world: DemoGateway, here: Scope | None = None, transport: httpx.AsyncBaseTransport | None = None, **more: Any
) -> AsyncIterator[Opened]:
    """The dialog over the keys screen of an admin about Ada, unless `more` says otherwise; asked over `transport`."""
    async with running(world, **{"user": ADA, **more}) as app:
        workspace = app.app.workspace
        assert workspace is not None
        if transport:
            workspace.session.client._http._transport = transport
        own = scopes(workspace.session)
        world.calls.clear()
        dialog = Opened(app, own)
        await app.app.push_screen(ChooseScope(workspace, own, here or own[0], title="Whose?"), dialog.chosen.append)
        await app.see("Whose?")
        yield dialog


async def test_it_opens_on_the_first_page_with_the_present_one_marked(world: DemoGateway) -> None:
    async with opened(world) as dialog:
        text = await dialog.settled()
        assert "● user ada@example.com" in text
        assert all(name in text for name in ("everyone", "platform", "Grace Okafor", "Mei Tanaka"))
        row = dialog.app.row("Grace Okafor")
        assert "user" in row
        assert "grace@example" in row
        assert "$150.00" in row
        assert sorted(path for path, _ in dialog.asked) == ["/user/list", "/v2/team/list"]


async def test_the_row_that_enter_would_take_is_seen_while_one_types(world: DemoGateway) -> None:
    async with opened(world) as dialog:
        await dialog.settled()
        table = dialog.app.app.screen.query_one(RecordTable)

        def papers() -> list[str]:
            """The background of each row."""
            first = int(table.show_header)
            lines = [table.render_line(y) for y in range(first, first + len(dialog.rows))]
            return [str(next(each.style.bgcolor for each in line if each.style)) for line in lines]

        for row in range(3):
            others = papers()[:row] + papers()[row + 1 :]
            assert len(set(others)) == 1 and papers()[row] not in others
            await dialog.app.press("down")


async def test_typing_filters_and_enter_takes_a_user(world: DemoGateway) -> None:
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type("GRACE")
        await dialog.app.gone("everyone")
        assert dialog.rows == ["user:grace@example.com"]
        await dialog.app.press("enter")
        assert await dialog.left_with() == Scope("user", "grace@example.com", "Grace Okafor")


async def test_where_all_are_known_nothing_more_is_asked(world: DemoGateway) -> None:
    async with opened(world) as dialog:
        await dialog.settled()
        before = len(dialog.asked)
        await dialog.app.type("okaf")
        assert dialog.rows == ["user:grace@example.com"]
        await dialog.app.type("x")
        await dialog.app.see("no user or team matches “okafx”")
        assert len(dialog.asked) == before


async def test_a_team_is_taken_with_its_label(world: DemoGateway) -> None:
    world.add_team("7f3a", team_alias="Red [b]pandas[/b]", spend=2.5, max_budget=40)
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type("pandas")
        row = dialog.app.row("Red [b]pandas[/b]")
        assert "team" in row
        assert "7f3a" in row
        assert "$40.00" in row
        await dialog.app.press("enter")
        assert await dialog.left_with() == Scope("team", "7f3a", "team Red [b]pandas[/b]")


async def test_one_of_the_sessions_own_comes_back_as_it_was_given(world: DemoGateway) -> None:
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.press("down", "enter")
        assert await dialog.left_with() is dialog.own[1]
        assert dialog.own[1].kind == "everyone"


async def test_someone_beyond_the_first_page_is_found_on_the_gateway(world: DemoGateway) -> None:
    crowd(world)
    async with opened(world) as dialog:
        assert "there are more: type to find them" in await dialog.settled()
        assert "user:person-117" not in dialog.rows
        await dialog.app.type("son-117")
        await dialog.app.see("person-117")
        await dialog.settled()
        assert dialog.rows == ["user:person-117"]
        assert "$29.25" in dialog.app.row("person-117")
        await dialog.app.press("enter")
        assert await dialog.left_with() == Scope("user", "person-117", "person-117")


async def test_too_many_say_so_and_the_exact_one_is_first(world: DemoGateway) -> None:
    crowd(world)
    world.add_user("zz", user_email="person")
    world.add_user("person")
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type("person")
        await dialog.app.see("there are more: type on")
        assert dialog.rows[0] == "user:person"


async def test_what_holds_a_text_that_is_known_in_full_is_not_asked_for(world: DemoGateway) -> None:
    crowd(world)
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type("-11")
        await dialog.app.until(lambda: len(dialog.rows) == 10, "person-110 to person-119")
        await dialog.settled()
        before = list(dialog.asked)
        await dialog.app.type("9")
        assert dialog.rows == ["user:person-119"]
        assert "asking" not in dialog.app.text()
        assert dialog.asked == before


async def test_the_text_typed_last_wins(world: DemoGateway) -> None:
    """An answer to an older text comes late."""
    crowd(world)
    held = asyncio.Event()
    late: list[str] = []

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.params.get("user_ids") == "son-11":
                late.append("asked")
                await held.wait()
            return await world.transport().handle_async_request(request)

    async with opened(world, transport=Slow()) as dialog:
        await dialog.settled()
        # at once: a slow typist would have "son-1" answered in full, and "son-11" would not be asked
        dialog.app.app.screen.query_one(Input).value = "son-11"
        await dialog.app.until(lambda: bool(late), "the first question")
        await dialog.app.press("end")
        await dialog.app.type("8")
        held.set()
        await dialog.app.see("person-118")
        await dialog.settled()
        assert dialog.rows == ["user:person-118"]


async def test_nobody_matches(world: DemoGateway) -> None:
    crowd(world)
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type("zzz[x]")
        await dialog.app.see("no user or team matches “zzz[x]”")
        await dialog.app.press("enter")
        await dialog.app.gone("asking …")
        await dialog.app.see("no user or team matches")
        assert dialog.chosen == []
        await dialog.app.press("escape")
        assert await dialog.left_with() is None


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("hidden-user", Scope("user", "hidden-user", "Hidden")),
        ("hidden-team", Scope("team", "hidden-team", "team Ghosts")),
    ],
)
async def test_an_id_in_full_is_taken_where_the_lists_do_not_have_it(
    world: DemoGateway, typed: str, chosen: Scope
) -> None:
    crowd(world)
    async with opened(world) as dialog:
        await dialog.settled()
        await dialog.app.type(typed)
        await dialog.app.see("no user or team matches")
        world.add_user("hidden-user", user_alias="Hidden")
        world.add_team("hidden-team", team_alias="Ghosts")
        await dialog.app.press("enter")
        assert await dialog.left_with() == chosen


async def test_a_failure_is_a_sentence_beside_what_was_found(world: DemoGateway) -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/user/list":
                return httpx.Response(500, json={"error": {"message": "The [b]database[/b] is away.", "type": "x"}})
            return await world.transport().handle_async_request(request)

    world.add_team("t9", team_alias="night shift")
    async with opened(world, transport=Broken()) as dialog:
        text = await dialog.settled()
        assert "The [b]database[/b] is away." in text
        assert "night shift" in text
        before = len(dialog.asked)
        await dialog.app.type("zzz")
        await dialog.app.until(lambda: len(dialog.asked) > before, "another question")
        text = await dialog.settled()
        assert "The [b]database[/b] is away." in text
        assert "no user or team matches" not in text


async def test_a_viewer_finds_people_too(world: DemoGateway) -> None:  # S44
    world.add_user("watcher", user_role=capabilities.VIEWER)
    async with opened(world, key=world.add_key(user_id="watcher"), user=None) as dialog:
        await dialog.settled()
        await dialog.app.type("mei")
        assert dialog.rows == ["user:mei@example.com"]


async def test_for_others_it_is_a_plain_list_and_nothing_is_asked(world: DemoGateway) -> None:  # S44
    crowd(world)
    async with opened(world, key=world.add_key(user_id=ADA), user=None) as dialog:
        text = dialog.app.text()
        assert "person" not in text
        assert "everyone" not in text
        assert dialog.rows == ["user:ada@example.com", "team:team-platform", "team:team-research"]
        await dialog.app.press("j", "enter")
        assert await dialog.left_with() == Scope("team", "team-platform", "team platform")
        assert world.calls == []


async def test_the_present_one_is_offered_though_it_is_not_the_sessions(world: DemoGateway) -> None:
    here = Scope("user", "mei@example.com", "Mei", key="abc", models=("gpt-4o",))
    async with opened(world, here) as dialog:
        await dialog.settled()
        assert "●" in dialog.app.row("Mei")
        assert dialog.rows.count("user:mei@example.com") == 1
        await dialog.app.press("enter")
        assert await dialog.left_with() == Scope("user", "mei@example.com", "Mei")


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_hostile_names_stay_in_their_rows(world: DemoGateway, size: tuple[int, int]) -> None:
    world.add_user("[/x][bold]1", user_alias="李小龍 [red]🦊 prod[/red]", spend=3.5, max_budget=10)
    world.add_user("o'neil\x1b[31m", user_alias='a "hi"\u202e\n')
    world.add_user("x" * 300, user_alias="y" * 300)
    async with opened(world, size=size) as dialog:
        await dialog.settled()
        await dialog.app.press("pagedown", "pagedown")
        text = dialog.app.text()
        assert "李小龍 [red]🦊 prod" in text
        assert "\x1b" not in text
        rows = [line[: line.rindex("│")] for line in text.splitlines() if "│    user " in line]
        assert len(rows) > 3
        assert len({cell_len(row) for row in rows}) == 1
        await dialog.app.press("pageup", "pageup")
        assert "enter takes it" in dialog.app.text()
