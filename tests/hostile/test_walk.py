"""Through every screen, dialog and toast with hostile names in all of them, looked at cell by cell."""

import csv
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hostile.corpus import CORPUS, LONG, SECRET, WORST, unsafe
from tests.hostile.looking import look
from tests.hostile.world import ADA, world
from tests.screens.driver import Driver, running
from tui.screens.dialogs import AskText, Confirm, Results
from tui.widgets.table import RecordTable

SIZES = [(80, 24), (60, 20), (200, 50)]


@asynccontextmanager
async def walking(*texts: str, size: tuple[int, int] = (80, 24), **more: Any) -> AsyncIterator[Driver]:
    async with running(world(texts or tuple(CORPUS.values())), user=ADA, size=size, **more) as driver:
        look(driver)
        yield driver


def has_rows(driver: Driver, table: str) -> bool:
    return driver.app.screen.query_one(table).region.height > 2


def refuse(why: str, _: str) -> str:
    return why


async def opened(driver: Driver, key: str, kind: str) -> None:
    """A dialog, in front, and looked at."""
    await driver.press(key)
    await driver.until(lambda: type(driver.app.screen).__name__ == kind, f"{kind} after {key}")
    await driver.pilot.pause()
    look(driver)


async def closed(driver: Driver, key: str = "escape") -> None:
    here = driver.app.screen
    await driver.press(key)
    await driver.until(lambda: driver.app.screen is not here, f"{type(here).__name__} to close")


@pytest.mark.parametrize("size", SIZES)
async def test_every_name_in_the_lists(size: tuple[int, int]) -> None:
    async with walking(size=size) as driver:
        await driver.to_all_keys()
        for mode, table in (("1", "#keys"), ("2", "RecordTable")):
            await driver.press(mode)
            await driver.until(partial(has_rows, driver, table), "the rows")
            rows = driver.app.screen.query_one(table, RecordTable)
            seen = look(driver).words
            while rows.cursor_row < rows.row_count - 1:
                await driver.press("ctrl+d")
                seen += look(driver).words
            # as they are written, nothing interpreted
            for name in ("a[/x]b", ":smile:", "--help", "../", "sk-[redacted]", "生产", "[red]"):
                assert name in seen, name
        for key in ("s", "S", "s"):
            await driver.press(key)
            look(driver)


async def test_every_name_among_the_details_of_a_key() -> None:
    gateway = world(["laptop"])
    short = {name: text for name, text in CORPUS.items() if len(text) < 1000}
    next(iter(gateway.keys.values()))["metadata"] = {text: text for text in short.values()}
    async with running(gateway, user=ADA) as driver:
        await driver.to_all_keys()
        await opened(driver, "enter", "KeyDetail")
        seen, before = "", None
        while before != (before := look(driver).words):
            seen += before
            await driver.press(*["j"] * 12)
        assert "[@click=app.quit]press[/] = [@click=app.quit]press[/]" in seen
        assert "Bearer [redacted] = Bearer [redacted]" in seen


async def test_a_key_and_a_model_opened() -> None:
    few = (LONG, SECRET, WORST)
    async with walking(*few) as driver:
        await driver.to_all_keys()
        for mode, kind in (("1", "KeyDetail"), ("2", "ModelDetail")):
            await driver.press(mode)
            await driver.pilot.pause()
            for _ in few:
                await opened(driver, "enter", kind)
                await driver.until(lambda: "reading …" not in driver.text(), "the days")
                look(driver)
                if kind == "ModelDetail":
                    for _ in range(3):
                        await driver.press("tab")
                        look(driver)
                await closed(driver)
                await driver.press("j")


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_usage_in_every_view_and_chart(size: tuple[int, int]) -> None:
    async with walking(size=size) as driver:
        await driver.press("3")
        await driver.see("Requests")
        for _ in range(4):
            await driver.press("v")
            for key in ("G", "s"):
                await driver.press(key)
                look(driver)
        for _ in range(5):
            await driver.press("c")
            look(driver)
        await driver.press("f")
        look(driver)
        await driver.press("f")
        # narrowed to names, one after another
        for view in ("", "v"):
            if view:
                await driver.press(view)
            for _ in range(2 if size == (80, 24) else 0):
                await driver.press("j", "j", "j", "j", "j")
                await driver.press("enter")
                await driver.see("esc widens")
                look(driver)
                await driver.press("escape")
                look(driver)
        await driver.press("w")
        look(driver)


@pytest.mark.parametrize(("text", "size"), [(WORST, (80, 24)), (LONG, (60, 20))], ids=["worst", "long"])
async def test_every_dialog(text: str, size: tuple[int, int]) -> None:
    async with walking(text, text + "2", size=size) as driver:
        await driver.to_all_keys()
        for key, kind in (
            ("e", "KeyForm"),
            ("r", "Rotate"),
            ("b", "Confirm"),
            ("z", "Confirm"),
            ("d", "Confirm"),
            ("n", "KeyForm"),
            ("question_mark", "Help"),
            ("colon", "CommandPalette"),
        ):
            await opened(driver, key, kind)
            if kind == "CommandPalette":
                await driver.type("re")
                look(driver)
            await closed(driver)
        # models to choose from, and the field that takes them
        await opened(driver, "e", "KeyForm")
        driver.app.screen.query_one("#models").focus()
        await opened(driver, "enter", "PickModels")
        await closed(driver, "enter")
        look(driver)
        await closed(driver)
        await driver.press("slash")
        await driver.type("no such name")
        look(driver)
        await driver.press("escape", "asterisk")
        look(driver)
        for key, kind in (("r", "RotateMany"), ("d", "Confirm")):
            await opened(driver, key, kind)
            await closed(driver)
        await driver.press("3")
        await driver.see("Requests")
        for key, kind in (("o", "ChooseScope"), ("D", "ChooseDays"), ("x", "Export")):
            await opened(driver, key, kind)
            if kind == "ChooseScope":
                await driver.until(lambda: "asking …" not in driver.text(), "the users and teams")
                look(driver)
                await driver.type("user")
                await driver.until(lambda: "asking …" not in driver.text(), "the users and teams")
                look(driver)
            await closed(driver)


@pytest.mark.parametrize("text", [WORST, LONG], ids=["worst", "long"])
async def test_rotated_from_the_first_step_to_the_last(text: str) -> None:
    async with walking(text) as driver:
        await driver.to_all_keys()
        await opened(driver, "r", "Rotate")
        await driver.press("ctrl+s")
        await driver.until(lambda: driver.app.screen.query_one("#have-it").display, "the new secret")
        await driver.pilot.pause()
        look(driver)
        await closed(driver)
        await driver.see("rotation unfinished")
        look(driver)
        driver.app.screen.query_one("#attention").focus()
        await opened(driver, "u", "Confirm")
        await closed(driver)
        await opened(driver, "f", "Finish")
        await driver.press("y")
        await driver.gone("rotation unfinished")
        look(driver)
        assert SECRET not in driver.toasts()


async def test_every_toast_and_small_dialog() -> None:
    async with walking("laptop") as driver:
        texts = list(CORPUS.values())
        for first, second in zip(texts[::2], texts[1::2], strict=False):
            driver.app.tell(f"{first} was blocked.", title=second)
            driver.app.tell(f"{second} was blocked.", severity="error")
            await driver.pilot.pause()
            look(driver)
            driver.app.clear_notifications()
        for text in (WORST, LONG):
            for dialog in (
                Confirm(text, [text, text], text),
                AskText(text, value="", hint=text, check=partial(refuse, text)),
                Results(text, [(text, True), (text, False)]),
            ):
                await driver.app.push_screen(dialog)
                await driver.pilot.pause()
                look(driver)
                if isinstance(dialog, AskText):
                    await driver.press("enter")
                    look(driver)
                if isinstance(dialog, Confirm):
                    assert "No, leave it" in driver.text(), "the answers are on the screen"
                dialog.dismiss(None)
                await driver.pilot.pause()


@pytest.mark.parametrize("text", [WORST, LONG], ids=["worst", "long"])
async def test_a_new_key_and_its_snippets(text: str) -> None:
    gateway = world([text])
    async with running(gateway, user=ADA) as driver:
        await opened(driver, "n", "KeyForm")
        await driver.press("ctrl+s")
        await driver.until(lambda: type(driver.app.screen).__name__ == "ShowSecret", "the secret")
        for _ in range(4):
            look(driver)
            await driver.press("tab")


def refusals() -> list[httpx.Response]:
    """Bodies that a gateway, or whatever stands before it, may answer with."""
    html = f"<html><script>alert(1)</script><h1>[/x]\x1b[31m{SECRET}\x1b]0;t\x07</h1>" + "x" * 300_000
    words = f"[/red][@click=app.quit] \x1b]52;c;eA==\x07 \u202e\U0001f468\u200d\U0001f469 Bearer abc.def {SECRET}"
    return [
        httpx.Response(500, text=html, headers={"content-type": "text/html"}),
        httpx.Response(400, json={"error": {"message": words, "type": words, "param": words, "code": words}}),
        httpx.Response(400, json={"detail": words * 1000}),
        httpx.Response(422, json={"detail": [{"loc": ["body", words], "msg": words, "type": words}]}),
        httpx.Response(500, content=b"\xff\xfe\x00\x9b31m" * 1000),
        httpx.Response(400, content=b'{"error": {"message": "\\ud83d \\u001b[2J ' + SECRET.encode() + b'"}}'),
    ]


@pytest.mark.parametrize("number", [0, 1, 4])
async def test_refused_in_every_place(number: int) -> None:  # S2, S3
    answer = refusals()[number]
    gateway = world(["laptop"])
    async with running(gateway, user=ADA) as driver:
        gateway.intercept("*", "/*", answer, times=-1)
        await driver.press("R")
        await driver.until(lambda: "Showing" in driver.text(), "why nothing new was read")
        look(driver)
        await driver.to_all_keys()
        await opened(driver, "b", "Confirm")
        await driver.press("y")
        await driver.until(lambda: type(driver.app.screen).__name__ == "Results", "what came of it")
        await driver.pilot.pause()
        look(driver)
        await closed(driver)
        await opened(driver, "e", "KeyForm")
        driver.app.screen.query_one("#budget").value = "77"  # type: ignore[attr-defined]
        await driver.press("ctrl+s")
        await driver.until(lambda: "sending" not in driver.text(), "the refusal")
        look(driver)
        await closed(driver)
        for screen in ("2", "3"):
            await driver.press(screen)
            await driver.until(lambda: "reading" not in driver.text(), "the refusal")
            look(driver)


@pytest.mark.parametrize("number", range(len(refusals())))
async def test_refused_from_the_start(number: int) -> None:  # S2, S3
    gateway = world(["laptop"])
    gateway.intercept("*", "/*", refusals()[number], times=-1)
    async with running(gateway, user=ADA, wait=False) as driver:
        await driver.see("try again")
        look(driver)
        await driver.press("S")
        await driver.see("Connect to a LiteLLM gateway")
        look(driver)


async def test_a_file_has_no_formula_and_no_secret(tmp_path: Path) -> None:  # S3
    gateway = world()
    async with running(gateway, user=ADA) as driver:
        await driver.press("3")
        await driver.see("Requests")
        await driver.press("v")
        for index, name in ((0, "a.csv"), (-1, "a.json")):
            await opened(driver, "x", "Export")
            await driver.press(*(["down"] * 3 if index else []))
            driver.app.screen.query_one("#path").value = str(tmp_path / name)  # type: ignore[attr-defined]
            await driver.press("enter")
            await driver.until((tmp_path / name).exists, name)
            await driver.pilot.pause()
            look(driver)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {len(rows[0])} and len(rows) > len(CORPUS) - 10
    for row in rows[1:]:
        assert all(unsafe(cell) == [] for cell in row)
        assert not any(cell.lstrip(' "').startswith(("=", "+", "-", "@", "＝")) for cell in row), row
    written = (tmp_path / "a.json").read_text()
    assert (
        written.isascii() and SECRET not in written and json.loads(written)["totals"]["api_requests"] == 3 * len(CORPUS)
    )
