"""One action on many keys in the app: what would be done, how far it is, what became of each (S11, S43)."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def gateway() -> DemoGateway:
    """30 keys of Ada's; the first three are blocked and have spent nothing."""
    gateway = DemoGateway(now=NOW)
    gateway.add_user(user_id="ada", user_role="internal_user")
    for number in range(30):
        blocked = True if number < 3 else None
        gateway.add_key(key_alias=f"job-{number:02}", user_id="ada", blocked=blocked, spend=0.0 if blocked else 2.5)
    return gateway


def left(app: Driver) -> int:
    return len(app.gateway.keys)


def asked(app: Driver, path: str) -> list[str]:
    """The hashes that a writing call was made for, in order."""
    return [str(call.body["key"]) for call in app.gateway.calls if call.path == path and isinstance(call.body, dict)]


async def test_what_would_be_done_is_listed_with_what_is_left_out_and_why(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 50)) as app:
        await app.press("asterisk", "b")
        text = await app.see("Block 27 keys?")
        assert "3 keys are left out, at the end of this list." in text
        seen = text
        for _ in range(6):
            await app.press("pagedown")
            seen += app.text()
        assert all(f"job-{number:02}" in seen for number in range(30))
        assert "blocked already" in app.row("job-02")
        await app.press("n")
        assert app.writes() == []
        await app.press("z")
        seen = await app.see("Reset the spend of 27 keys?")
        assert "$2.50 becomes $0.00" in seen


async def test_a_result_for_each_and_the_marks_of_what_is_done_go(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 30)) as app:
        await app.press("asterisk", "z")
        await app.see("Reset the spend of 27 keys?")
        await app.press("y")
        text = await app.see("27 reset to $0")
        assert "✔ job-03: reset to $0" in text
        await app.press("escape")
        await app.see("3 marked")
        assert all(not key["spend"] for key in gateway.keys.values())


async def test_what_failed_comes_first_keeps_its_mark_and_is_done_again_alone(gateway: DemoGateway) -> None:
    broken = httpx.Response(500, json={"error": {"message": "the disk is full"}})
    gateway.intercept("POST", "/key/block", broken, times=2)
    async with running(gateway, user="ada", size=(80, 30)) as app:
        await app.press("asterisk", "b")
        await app.see("Block 27 keys?")
        await app.press("y")
        text = await app.see("25 blocked, 2 failed")
        assert "not everything went through" in text
        rows = [line for line in text.splitlines() if "✘" in line or "✔" in line]
        assert "✘" in rows[0] and "the disk is full" in text and "✔" in rows[-1]
        before = asked(app, "/key/block")
        await app.press("r")
        await app.see("27 blocked")
        again = asked(app, "/key/block")[len(before) :]
        assert len(again) == 2 and all(key["blocked"] for key in gateway.keys.values())


async def test_esc_stops_and_what_is_said_is_so(gateway: DemoGateway) -> None:
    release = asyncio.Event()

    async def hold(_: httpx.Request) -> None:
        await release.wait()

    async with running(gateway, user="ada", size=(80, 30)) as app:
        gateway.intercept("POST", "/key/delete", hold, times=-1)
        await app.press("asterisk", "d")
        await app.see("Delete 30 keys?")
        await app.press("y")
        await app.see("0 of 30 deleted")
        assert app.app.unfinished()
        await app.press("escape")
        await app.see("stopping: what is under way ends")
        release.set()
        await app.see("20 deleted, 10 not begun")
        assert left(app) == 10
        await app.press("r")
        await app.see("30 deleted")
        assert left(app) == 0
        deleted = [hash for call in gateway.calls if call.path == "/key/delete" for hash in call.body["keys"]]
        assert len(deleted) == len(set(deleted)) == 30


async def test_a_gateway_that_goes_away_is_not_asked_for_each_of_the_rest(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 30)) as app:
        gateway.intercept("POST", "/key/block", httpx.ReadTimeout("slow"), times=-1)
        await app.press("asterisk", "b")
        await app.see("Block 27 keys?")
        await app.press("y")
        text = await app.see("23 not begun")
        said = " ".join(" ".join(line.split("│")[1].split()) for line in text.splitlines() if line.count("│") == 2)
        assert "So far it was not blocked." in said
        assert len(asked(app, "/key/block")) == 4


async def test_what_was_done_though_its_answer_was_lost_counts_as_done(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 30)) as app:
        gateway.intercept("POST", "/key/block", httpx.ReadError("cut"), times=-1, after=True)
        await app.press("asterisk", "b")
        await app.see("Block 27 keys?")
        await app.press("y")
        await app.see("4 blocked, 23 not begun")
        assert len(asked(app, "/key/block")) == 4


async def test_names_are_typed_where_the_profile_wants_it(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", confirm="type", size=(80, 30)) as app:
        await app.press("asterisk", "d")
        await app.see("Type 30 to go on")
        await app.type("3")
        await app.press("enter")
        await app.see("That is not 30")
        await app.type("0")
        await app.press("enter")
        await app.see("30 deleted")
        assert left(app) == 0
