"""20,000 keys in the app, on a real proxy: what the screen said is what the database holds.

Only where `LITELLM_TUI_TEST_BIG` names a stand of its own, as for `test_many_keys.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.conftest import Proxy
from tests.live.test_many_keys import BIG, COUNT, big, hashes
from tests.screens.driver import Driver
from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.screens.bulk import Bulk
from tui.screens.key_list import KeyList

__all__ = ["big"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(len(BIG) != 2, reason="no stand with 20,000 keys: LITELLM_TUI_TEST_BIG names none"),
]


class Patient(Driver):
    """As `Driver`; everything takes 15 s here."""

    async def see(self, words: str) -> str:
        async with asyncio.timeout(90):
            while words not in self.text():
                await self.pilot.pause(0.02)
        return self.text()


@asynccontextmanager
async def opened(big: Proxy, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Driver]:
    settings = Settings(profile="big", url=big.url, credential=HeldKey(Secret(big.master_key)))
    app = LitellmTui(settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Patient(app, pilot, DemoGateway())
        await driver.see(f"of {COUNT:,} · by created")
        yield driver


def on_page(app: Driver) -> list[str]:
    screen = app.app.screen
    assert isinstance(screen, KeyList)
    return [key.hash for key in screen.shown()]


async def test_open_page_filter_and_sort(big: Proxy) -> None:
    async with opened(big) as app:
        assert on_page(app) == hashes(big, "true", "created_at desc, token desc limit 100")
        await app.press("G")
        await app.see("19,901–20,000 of 20,000")
        assert on_page(app) == hashes(big, "true", "created_at desc, token desc offset 19900")
        await app.press("slash")
        await app.type("PROD-mobile-19")
        await app.see("“PROD-mobile-19”")
        found = hashes(big, "key_alias ilike '%prod-mobile-19%'", "created_at desc, token desc")
        await app.see(f"of {len(found):,} ·")
        assert on_page(app) == found[:100]
        await app.press("enter", "escape")
        await app.see("of 20,000 ·")
        await app.press("s")
        await app.see("by alias, A to Z")
        named = hashes(big, "true", "key_alias, token limit 100")
        assert on_page(app)[:1] == named[:1]


async def test_one_person_s_keys(big: Proxy) -> None:
    async with opened(big) as app:
        await app.press("o")
        await app.see("Whose keys?")
        await app.type("big-user-0100")
        await app.see("big-user-0100 ")
        await app.press("enter")
        mine = hashes(big, "user_id = 'big-user-0100'", "created_at desc, token desc")
        await app.see(f"1–{len(mine)} of {len(mine)}")
        assert set(on_page(app)) == set(mine)


async def test_by_condition_then_200_deleted_and_stopped_half_way(big: Proxy) -> None:
    """# S11 S42 S43"""
    async with opened(big) as app:
        await app.press("m")
        await app.see("Read all 20,000 keys first?")
        await app.press("y")
        await app.see("Mark which of 20,000 keys?")
        over = hashes(big, "spend >= max_budget")
        assert re.search(rf"\b{len(over):,}\s+over budget", app.text())
        await app.press("escape")
        await app.gone("Mark which")
        # by expiry, soonest first: 200 that have ended
        while "by expires, soonest first" not in app.text():
            await app.press("s")
        await app.press("asterisk")
        await app.see("100 marked")
        marked = on_page(app)
        await app.press("G", "g")
        await app.see("1–100 of")
        while "101–200 of" not in app.text():
            await app.press("pagedown")
        await app.press("asterisk")
        await app.see("200 marked")
        marked += on_page(app)
        assert len(set(marked)) == 200
        await app.press("d")
        await app.see("Delete 200 keys?")
        await app.press("y")
        await app.until(lambda: isinstance(app.app.screen, Bulk), "the progress")
        while not (so_far := re.search(r"(\d+) of 200 deleted", app.text())) or int(so_far[1]) < 60:
            await app.pilot.pause(0.01)
        await app.press("escape")
        text = await app.see("not begun")
        said = re.search(r"(\d+) deleted, (\d+) not begun", text)
        assert said is not None
        there = set(hashes(big, "true"))
        assert 60 <= int(said[1]) < 200
        assert len(set(marked) & there) == int(said[2]) == 200 - int(said[1])
        await app.press("escape")
        await app.see(f"{int(said[2])} marked")
        await app.see(f"1 Keys {COUNT - int(said[1]):,}")
        await app.press("d")
        await app.see(f"Delete {int(said[2])} keys?")
        await app.press("y")
        # "0 of 80 deleted" is not the end
        await app.see("closes")
        assert f"{int(said[2])} deleted" in app.text()
        assert not set(marked) & set(hashes(big, "true"))
        await app.press("escape")
        await app.see(f"1 Keys {COUNT - 200:,}")
