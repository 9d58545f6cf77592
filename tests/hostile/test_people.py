"""Users and teams with hostile names: their lists, their details, and their keys, looked at cell by cell."""

import pytest

from tests.hostile.corpus import CORPUS, LONG, SECRET, WORST
from tests.hostile.looking import look
from tests.hostile.test_walk import SIZES, closed, opened, walking
from tests.screens.driver import Driver
from tui.widgets.table import RecordTable


async def listed(driver: Driver, mode: str) -> RecordTable:
    await driver.press(mode)
    await driver.until(lambda: bool(driver.app.screen.query("#people")), "the screen")
    table = driver.app.screen.query_one("#people", RecordTable)
    await driver.until(lambda: table.row_count > 1, "the rows")
    return table


@pytest.mark.parametrize("size", SIZES)
async def test_every_name_in_the_lists(size: tuple[int, int]) -> None:
    async with walking(size=size) as driver:
        for mode in ("4", "5"):
            rows = await listed(driver, mode)
            seen = look(driver).words
            while rows.cursor_row < rows.row_count - 1:
                await driver.press("ctrl+d")
                seen += look(driver).words
            if mode == "5" or size[0] >= 80:
                for name in ("a[/x]b", ":smile:", "--help", "../", "sk-[redacted]", "生产", "[red]"):
                    assert name in seen, name
            for key in ("s", "S", "s", "g"):
                await driver.press(key)
                look(driver)


@pytest.mark.parametrize("text", [WORST, LONG, SECRET], ids=["worst", "long", "secret"])
async def test_one_opened_and_its_keys(text: str) -> None:
    async with walking(text, text + "2") as driver:
        for mode, kind in (("4", "UserDetail"), ("5", "TeamDetail")):
            await listed(driver, mode)
            await driver.press("G")
            await opened(driver, "i", kind)
            await driver.until(lambda: "reading …" not in driver.text(), "the record")
            look(driver)
            await driver.press(*["j"] * 12)
            look(driver)
            await closed(driver)
            await driver.press("enter")
            await driver.until(lambda: bool(driver.app.screen.query("#keys")), "the keys")
            await driver.see("esc goes back to ")
            look(driver)
            await driver.press("escape")
            await driver.until(lambda: bool(driver.app.screen.query("#people")), "the list")
            look(driver)


async def test_no_match_for_a_text_of_any_length() -> None:
    async with walking(*CORPUS.values()) as driver:
        for mode, one in (("4", "user"), ("5", "team")):
            await listed(driver, mode)
            await driver.press("slash")
            driver.app.screen.query_one("#filter").value = "zz" * 3000  # type: ignore[attr-defined]
            await driver.see(f"No {one} matches “zz")
            assert "esc clears" in look(driver).words
            await driver.press("escape")
