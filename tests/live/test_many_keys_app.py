"""20,000 keys in the app, on a real proxy: what the screen said is what the database holds.

Only where `LITELLM_TUI_TEST_BIG` names a stand of its own, as for `test_many_keys.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.conftest import Proxy
from tests.live.test_many_keys import BIG, COUNT, TABLE, big, hashes
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
    """As `Driver`; to read everything takes 15 s here."""

    async def until(self, holds: Callable[[], bool], what: str = "the state") -> None:
        try:
            async with asyncio.timeout(90):
                while not holds():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; the screen:\n{self.text()}") from None


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


PICKED = "key_alias like 'sweep-%' and expires <= now()"
SWEEP = f"""
update {TABLE} set key_alias = 'sweep-' || right(key_name, 4) || '-' || left(token, 6) where token in
    (select token from {TABLE} where expires <= now() order by token limit 200)
    or token in (select token from {TABLE} where expires is null or expires > now() + interval '1 day'
    order by token limit 60)
"""
"""260 keys of one name, of which 200 have ended."""
BREAK = f"""
create function stand_refuses() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
create trigger stand_refuses before delete on {TABLE} for each row when (old.token = '%s')
    execute function stand_refuses()
"""
MEND = f"drop trigger if exists stand_refuses on {TABLE}; drop function if exists stand_refuses()"
CONDITIONS = {
    "expired": "expires <= now()",
    "expired more than 30 d ago": "expires <= now() - interval '30 days'",
    "over budget": "spend >= max_budget",
    "not used for more than 90 d": "coalesce(last_active, created_at) < now() - interval '90 days'"
    " and (last_active is not null or spend = 0)",
}
"""The words of a condition, and what it means to the database."""


@pytest.fixture
def sweep(big: Proxy) -> Iterator[Proxy]:
    big.sql(SWEEP)
    yield big
    big.sql(MEND)


def told(text: str) -> dict[str, int]:
    """The conditions in the dialog, each with the number of keys that it would mark."""
    rows = re.findall(r"│\s+([\d,]+)\s\s+(\S[^│]*?)\s+│", text)
    return {words: int(count.replace(",", "")) for count, words in rows}


async def listed(app: Driver, title: str) -> list[str]:
    """The keys that a question names, by alias, from its first line to its last."""
    seen = await app.see(title)
    for _ in range(40):
        before = app.text()
        await app.press("pagedown")
        await app.pilot.pause(0.05)
        if app.text() == before:
            break
        seen += app.text()
    return sorted(set(re.findall(r"· (\S+) \(…", seen)))


async def said(app: Driver, pattern: str) -> list[int]:
    """The numbers in `pattern`, once it is on screen."""
    await app.until(lambda: re.search(pattern, app.text()) is not None, pattern)
    found = re.search(pattern, app.text())
    assert found is not None
    return [int(number) for number in found.groups()]


async def test_by_condition_200_deleted_stopped_half_way_and_the_rest_afterwards(sweep: Proxy) -> None:
    """# S11 S42 S43"""
    everyone = set(hashes(sweep, "true"))
    wanted = hashes(sweep, PICKED, "created_at desc, token desc")
    names = sorted(row[0] for row in sweep.sql(f"select key_alias from {TABLE} where {PICKED}"))
    assert len(everyone) == COUNT and len(wanted) == len(names) == 200

    def left() -> int:
        """How many of them there are; all others are as they were."""
        there = set(hashes(sweep, "true"))
        assert there >= everyone - set(wanted)
        return len(there & set(wanted))

    async with opened(sweep) as app:
        # of all keys each condition says what the database does
        await app.press("m")
        await app.see("Read all 20,000 keys first?")
        await app.press("y")
        await app.see("of 20,000 keys, esc stops")
        counts = told(await app.see("Mark which of 20,000 keys?"))
        assert {words: counts[words] for words in CONDITIONS} == {
            words: len(hashes(sweep, where)) for words, where in CONDITIONS.items()
        }
        await app.press("escape")
        await app.gone("Mark which")
        assert "marked" not in app.text()
        # of those that are shown one condition marks those that it picks
        await app.press("slash")
        await app.type("sweep-")
        await app.see("of 260 ·")
        await app.press("enter", "m")
        counts = told(await app.see("Mark which of 260 keys?"))
        assert counts["expired"] == 200
        await app.press("enter")
        await app.see("200 marked")
        # what would happen names each of them and no other
        await app.press("d")
        assert await listed(app, "Delete 200 keys?") == names
        assert left() == 200
        await app.press("y")
        await app.until(lambda: isinstance(app.app.screen, Bulk), "the progress")
        while (await said(app, r"(\d+) of 200 deleted"))[0] < 60:
            await app.pilot.pause(0.01)
        await app.press("escape")
        done, rest = await said(app, r"(\d+) deleted, (\d+) not begun")
        assert 60 <= done < 200 and left() == rest == 200 - done
        await app.press("escape")
        await app.see(f"{rest} marked")
        await app.see(f"1 Keys {COUNT - done:,}")
        # one that cannot be deleted keeps those of its call, and nothing else
        sweep.sql(BREAK % next(hash for hash in wanted if hash in set(hashes(sweep, PICKED))))
        await app.press("d")
        assert await listed(app, f"Delete {rest} keys?") == sorted(
            row[0] for row in sweep.sql(f"select key_alias from {TABLE} where {PICKED}")
        )
        await app.press("y")
        # on the way there are the same words
        assert "✘ sweep-" in await app.see("not everything went through")
        done, failed = await said(app, r"(\d+) deleted, (\d+) failed")
        assert 0 < failed <= 10 and done == rest - failed and left() == failed
        # and is done again alone
        await app.see(f"r tries the other {failed} again")
        sweep.sql(MEND)
        await app.press("r")
        await app.see(f"{rest} deleted")
        await app.see("closes")
        assert not left()
        await app.press("escape")
        await app.see(f"1 Keys {COUNT - 200:,}")
        await app.see("of 60 ·")
        assert "marked" not in app.text()
        assert set(on_page(app)) == set(hashes(sweep, "key_alias like 'sweep-%'"))
