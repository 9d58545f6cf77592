"""3,000 users and 120 teams in the app, on a real proxy: what the screen said is what the database holds.

Only where `LITELLM_TUI_TEST_BIG` names a stand of its own, as for `test_many_keys.py`. Nothing is written there, and it
is not filled anew.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.conftest import Proxy
from tests.live.test_many_keys import BIG
from tests.live.test_many_keys_app import Patient
from tests.screens.driver import Driver
from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway.schema import User
from tui.screens.people import PeopleScreen

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(len(BIG) != 2, reason="no stand with 3,000 users: LITELLM_TUI_TEST_BIG names none"),
]
TABLE = '"LiteLLM_UserTable"'


@pytest.fixture
def stand() -> Proxy:
    return Proxy("", BIG[0], os.environ.get("LITELLM_MASTER_KEY", ""), BIG[1])


@asynccontextmanager
async def at_users(stand: Proxy, calls: list[str]) -> AsyncIterator[tuple[Driver, int]]:
    """The users screen, opened; how many there are. `calls` gets the path of each call."""

    class Noted(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            calls.append(request.url.path)
            return await super().handle_async_request(request)

    count = int(stand.sql(f"select count(*) from {TABLE}")[0][0])
    assert count >= 3000
    settings = Settings(profile="big", url=stand.url, credential=HeldKey(Secret(stand.master_key)))
    app = LitellmTui(settings, transport=Noted())
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        driver = Patient(app, pilot, DemoGateway())
        await driver.see("by created")
        # the teams of the page's keys are asked for by the way
        await driver.until(lambda: app.workspace is not None and not app.workspace.nameless_teams(), "their names")
        calls.clear()
        await driver.press("4")
        await driver.see(f"1–100 of {count:,}")
        yield driver, count


def shown(app: Driver) -> list[str]:
    screen = app.app.screen
    assert isinstance(screen, PeopleScreen)
    return [screen.row(record).key for record in screen.rows]


def ids(stand: Proxy, where: str, order: str) -> list[str]:
    return [row[0] for row in stand.sql(f"select user_id from {TABLE} where {where} order by {order}")]


async def test_one_call_opens_it_and_the_last_page_is_the_last(stand: Proxy) -> None:  # S5
    calls: list[str] = []
    async with at_users(stand, calls) as (app, count):
        assert calls == ["/user/list"]
        assert shown(app) == ids(stand, "true", "user_id limit 100")
        await app.press("G")
        await app.see(f"–{count:,} of {count:,}")
        assert shown(app)[-1] == ids(stand, "true", "user_id desc limit 1")[0]


async def test_searched_sorted_and_read_all(stand: Proxy) -> None:
    async with at_users(stand, []) as (app, count):
        await app.press("slash")
        await app.type("USER-012")
        await app.until(lambda: shown(app) == ids(stand, "user_id ilike '%user-012%'", "user_id"), "the ten")
        await app.press("escape")
        await app.see(f"1–100 of {count:,}")
        for _ in range(3):
            await app.press("s")
        await app.see("by spend, falling")
        await app.until(lambda: "reading" not in app.row("by spend"))
        assert shown(app)[0] == ids(stand, "true", "spend desc limit 1")[0]
        await app.press("A")
        await app.gone("may be on two pages")
        await app.press("s")
        await app.see("by budget, falling")
        part = "case when max_budget > 0 then spend / max_budget else 1 end"
        assert shown(app)[0] in ids(stand, "max_budget is not null", f"{part} desc limit 3")


async def test_from_a_user_to_their_keys(stand: Proxy) -> None:
    async with at_users(stand, []) as (app, _):
        await app.press("j")
        screen = app.app.screen
        assert isinstance(screen, PeopleScreen) and isinstance(screen.current, User)
        user = screen.current.user_id
        keys = stand.sql(f"select count(*) from \"LiteLLM_VerificationToken\" where user_id = '{user}'")[0][0]
        await app.press("enter")
        async with asyncio.timeout(60):
            await app.see(f"1–{keys} of {keys}")
        await app.press("escape")
        await app.see("by user")
