"""What all dialogs have: help on their own keys, toasts that hide no row, lines of keys that do not break."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from textual.widgets import Input

from tests.screens.driver import Driver, running
from tui import toasts
from tui.demo import DemoGateway
from tui.widgets.bars import Hint
from tui.widgets.key_line import lay_out

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def gateway() -> DemoGateway:
    gw = DemoGateway(now=NOW)
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key(key_alias="laptop", user_id="ada", expires=NOW + timedelta(days=40))
    gw.add_key(key_alias="server", user_id="ada")
    return gw


DIALOGS = [
    (["enter"], "no budget limit", "question_mark", ["rotate", "block or unblock", "copy id", "back"]),
    (["d"], "cannot be undone", "question_mark", ["yes", "no"]),
    (["r"], "Rotate laptop", "f1", ["rotate", "later", "show or hide", "write to a file", "I have it"]),
    (["asterisk", "r"], "Rotate 2 keys", "f1", ["rotate", "later", "page down"]),
    (["n"], "New virtual key", "f1", ["save", "back", "next field"]),
]


@pytest.mark.parametrize(("keys", "title", "help_key", "words"), DIALOGS, ids=[each[1] for each in DIALOGS])
async def test_help_tells_the_keys_of_the_dialog_and_goes_back_to_it(
    gateway: DemoGateway, keys: list[str], title: str, help_key: str, words: list[str]
) -> None:
    async with running(gateway, user="ada", size=(80, 30)) as app:
        await app.press(*keys)
        await app.see(title)
        assert "F1 keys" in app.text()
        await app.press(help_key)
        await app.see("This dialog")
        rows = [line.strip("│─╭╮ ") for line in app.text().splitlines()]
        assert all(any(row.endswith(f"  {word}") for row in rows) for word in words), app.text()
        assert "Mark this key" not in app.text()
        await app.press("escape")
        await app.gone("This dialog")
        assert title in app.text() and app.writes() == []


async def test_help_tells_the_keys_of_a_secret_and_does_not_lose_it(gateway: DemoGateway) -> None:  # S41
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+s")
        await app.see("the one time")
        await app.press("question_mark")
        await app.see("copy the snippet")
        await app.press("escape")
        await app.see("the one time")


async def test_a_question_mark_in_a_field_is_text(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+u", "question_mark", "colon")
        assert app.app.screen.query_one("#alias", Input).value == "?:"
        assert "This dialog" not in app.text()


async def test_f1_in_the_filter_tells_the_keys_of_the_screen(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 60)) as app:
        await app.press("slash", "l", "f1")
        await app.see("This screen")
        assert "Make a new virtual key" in app.text() and "Quit" in app.text()
        await app.press("escape")
        await app.gone("This screen")
        assert app.app.screen.query_one("#filter", Input).value == "l"


async def test_a_command_is_found_in_a_dialog_as_well(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("enter")
        await app.see("no budget limit")
        await app.press("colon")
        await app.type("delete")
        await app.see("delete  [d]")
        await app.press("enter")
        await app.see("Delete laptop")


async def test_a_form_that_was_sent_under_its_help_closes_itself_and_not_the_help(gateway: DemoGateway) -> None:
    answer = asyncio.Event()

    async def slowly(_: httpx.Request) -> None:
        await answer.wait()

    gateway.intercept("POST", "/key/generate", slowly)
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+s")
        await app.see("sending")
        await app.press("f1")
        await app.see("This dialog")
        answer.set()
        await app.see("the one time")
        await app.press("D")
        await app.see("1 Keys 3")
        assert "New virtual key" not in app.text()


async def close_then_answer(gateway: DemoGateway, app: Driver, turns: int) -> None:
    """A key's detail is closed, and its usage comes `turns` of the loop later."""
    answer = asyncio.Event()

    async def slowly(_: httpx.Request) -> None:
        await answer.wait()

    gateway.intercept("GET", "/user/daily/activity", slowly)
    await app.press("enter")
    await app.see("no budget limit")
    detail = app.app.screen
    detail.dismiss()
    for _ in range(turns):
        await asyncio.sleep(0)
    answer.set()
    await app.see("1 Keys 2")
    await app.until(lambda: not detail.is_attached)


async def test_a_detail_may_close_in_the_moment_of_its_answer(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        for turns in range(12):
            await close_then_answer(gateway, app, turns)


async def full_list(gateway: DemoGateway, app: Driver) -> list[str]:
    await app.see("bulk-09")
    return [line for line in app.text().splitlines() if "bulk-" in line]


async def test_a_toast_hides_no_row_and_the_next_key_sends_it_away(
    gateway: DemoGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        gateway.add_key(key_alias=f"bulk-{number:02}", user_id="ada")
    monkeypatch.setattr(toasts, "READ", 0.0)
    async with running(gateway, user="ada", read_only=True) as app:
        rows = await full_list(gateway, app)
        await app.press("n")
        await app.see("This session is read-only.")
        assert await full_list(gateway, app) == rows
        assert "read-only" in app.text().splitlines()[-1]
        await app.press("y")
        await app.see("The id of")
        assert "This session is read-only." not in app.text()


async def test_a_toast_that_nobody_can_have_read_outlives_a_key(
    gateway: DemoGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toasts, "READ", 3600.0)
    async with running(gateway, user="ada", read_only=True) as app:
        await app.press("n")
        await app.see("This session is read-only.")
        await app.press("space")
        await app.see("1 marked")
        assert "This session is read-only." in app.text()


async def test_there_are_two_toasts_at_most_and_the_latest_stay(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        for number in range(4):
            app.app.tell(f"word {number}")
        await app.see("word 3")
        assert [word for word in "0123" if f"word {word}" in app.text()] == ["2", "3"]


async def test_good_news_give_way_to_bad(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        app.app.tell("it failed", severity="error")
        for number in range(3):
            app.app.tell(f"word {number}")
        await app.see("word 2")
        assert "it failed" in app.text() and "word 1" not in app.text()


@pytest.mark.parametrize("width", [80, 60])
async def test_key_and_word_stay_on_one_line(gateway: DemoGateway, width: int) -> None:
    async with running(gateway, user="ada", size=(width, 24)) as app:
        await app.press("enter")
        await app.see("no budget limit")
        for words in ("b block or unblock", "z reset spend", "d delete", "y copy id", "esc back"):
            app.row(words)


def test_a_line_of_keys_is_as_long_as_there_is_room() -> None:
    hints = [Hint("a", "one"), Hint("b", "two"), Hint("c", "a very long word")]
    assert lay_out(hints, 80).plain == "a one   b two   c a very long word"
    assert lay_out(hints, 13).plain == "a one   b two\nc a very long word"
    assert lay_out(hints, 12).plain == "a one\nb two\nc a very long word"
