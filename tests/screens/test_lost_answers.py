"""A confirmed step whose call or answer is lost: what the screen says is what the gateway has, and the way on works."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def gateway() -> DemoGateway:
    gw = DemoGateway(now=NOW)
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key(key_alias="laptop", user_id="ada", spend=3.0, expires=NOW + timedelta(days=40))
    gw.add_key(key_alias="server", user_id="ada", spend=2.0)
    return gw


def lost(gateway: DemoGateway, path: str, *, after: bool) -> None:
    """The next call to `path` is cut: before it is carried out, or `after`."""
    gateway.intercept("POST", path, httpx.ReadError("cut"), after=after)


def aliases(gateway: DemoGateway) -> set[str]:
    return {str(row["key_alias"]) for row in gateway.keys.values()}


CUT = pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])


def record(gateway: DemoGateway, alias: str) -> dict[str, Any]:
    return next(row for row in gateway.keys.values() if row["key_alias"] == alias)


async def confirmed(app: Driver, key: str, question: str, *, happened: str) -> None:
    """The step is done, its call cut; the screen has looked whether it happened, and says that."""
    await app.press(key)
    await app.see(question)
    await app.press("y")
    text = " ".join((await app.see("broke (cut)")).replace("│", " ").split())
    title = "not everything went through" if "not" in happened else "the answer was lost"
    assert title in text and happened in text and "may have" not in text
    await app.press("escape")
    await app.gone("broke (cut)")


@CUT
async def test_delete(gateway: DemoGateway, after: bool) -> None:  # S11
    async with running(gateway, user="ada") as app:
        lost(gateway, "/key/delete", after=after)
        happened = "It was deleted all the same." if after else "So far it was not deleted."
        await confirmed(app, "d", "Delete laptop", happened=happened)
        assert aliases(gateway) == ({"server"} if after else {"laptop", "server"})
        await app.see(f"1 Keys {1 if after else 2}")
        assert ("laptop" in app.text()) is not after
        assert app.writes() == ["/key/delete"]
        await app.press("d")
        await app.see(f"Delete {'server' if after else 'laptop'}")
        await app.press("y")
        await app.until(lambda: len(aliases(gateway)) == (0 if after else 1), "the second try")


@CUT
async def test_block(gateway: DemoGateway, after: bool) -> None:
    async with running(gateway, user="ada") as app:
        lost(gateway, "/key/block", after=after)
        happened = "It was blocked all the same." if after else "So far it was not blocked."
        await confirmed(app, "b", "Block laptop", happened=happened)
        assert bool(record(gateway, "laptop").get("blocked")) is after
        await app.until(lambda: ("blocked" in app.text()) is after, "the list to show what is")


@CUT
async def test_reset_spend(gateway: DemoGateway, after: bool) -> None:
    async with running(gateway, user="ada") as app:
        lost(gateway, "/key/*/reset_spend", after=after)
        happened = "It was reset to $0 all the same." if after else "So far it was not reset to $0."
        await confirmed(app, "z", "Reset", happened=happened)
        assert record(gateway, "laptop")["spend"] == (0 if after else 3)
        await app.until(lambda: ("$3.00" in app.text()) is not after, "the list to show what is")


async def test_where_nobody_can_tell_it_may_have_happened(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        lost(gateway, "/key/delete", after=True)
        gateway.intercept("GET", "/key/list", httpx.ReadError("cut"), times=-1)
        await app.press("d")
        await app.see("Delete laptop")
        await app.press("y")
        text = await app.see("not everything went through")
        assert "It may have been deleted all the same." in " ".join(text.replace("│", " ").split())


async def begun(app: Driver) -> None:
    """A rotation of laptop that nobody finished."""
    await app.press("r")
    await app.see("Rotate laptop")
    await app.press("ctrl+s")
    await app.see("I have it")
    await app.press("escape")
    await app.see("rotation unfinished")
    await app.press("tab", "g")


@CUT
@pytest.mark.parametrize(("way", "call", "last"), [("f", 1, False), ("f", 2, False), ("f", 3, True), ("u", 1, True)])
async def test_an_unfinished_rotation(gateway: DemoGateway, way: str, call: int, last: bool, after: bool) -> None:
    """Whichever call of the way out is lost, a second word ends it with one live key under the alias."""
    async with running(gateway, user="ada", size=(100, 30)) as app:
        old = record(gateway, "laptop")["token"]
        await begun(app)
        before = len(app.writes())

        def cut(_: httpx.Request) -> httpx.Response | None:
            if len(app.writes()) - before == call - (0 if after else 1):
                raise httpx.ReadError("cut")
            return None

        gateway.intercept("POST", "/key/*", cut, times=-1, after=after)
        word = {"f": "Finish", "u": "Undo"}[way]
        await app.press(way)
        await app.see(f"{word} the rotation of laptop")
        await app.press("y")
        await app.until(lambda: "broke (cut)" in app.toasts(), "the sentence")
        await app.until(lambda: gateway.calls[-1].path == "/key/list", "the list to be read")
        await app.pilot.pause()
        if not (last and after):
            await app.see("rotation unfinished")
            await app.press(way)
            await app.see(f"{word} the rotation of laptop")
            await app.press("y")
        await app.gone("rotation unfinished")
        names = {key["key_alias"]: key["token"] for key in gateway.keys.values()}
        assert (names["laptop"] == old) is (way == "u")
        assert set(names) >= {"laptop", "server"} and len(names) == (3 if way == "f" else 2)
        assert not any(name.startswith("rotating-") for name in names)
