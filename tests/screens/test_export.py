"""Writing what is on screen: what, where to, and nothing that is there lost by a stray key."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway
from tui.export import Content
from tui.screens.export import Export

CONTENTS = (
    Content("CSV · by model, 8 rows", "csv", "usage-me-by-model.csv", lambda: "model\n"),
    Content("CSV · by day, 30 rows", "csv", "usage-me-by-day.csv", lambda: "day\n"),
    Content("JSON · everything", "json", "usage-me.json", lambda: "{}\n"),
)


class Opened:
    """The dialog over the app, and what it was dismissed with."""

    def __init__(self, app: Driver, folder: Path) -> None:
        self.app = app
        self.results: list[Path | None] = []
        app.app.push_screen(Export(CONTENTS, folder), self.results.append)

    async def done(self) -> Path | None:
        await self.app.until(lambda: bool(self.results), "the dialog to close")
        return self.results[0]

    def field(self) -> Input:
        return self.app.app.screen.query_one("#path", Input)


@pytest.fixture(params=[(80, 24), (60, 20)], ids=lambda size: f"{size[0]}x{size[1]}")
async def app(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    async with running(DemoGateway(), size=request.param) as driver:
        yield driver


async def test_enter_writes_the_first_in_the_folder(app: Driver, tmp_path: Path) -> None:
    opened = Opened(app, tmp_path)
    screen = await app.see("Write to a file")
    for words in ("by model, 8 rows", "JSON · everything", "usage-me-by-model.csv", "enter writes it", "esc goes back"):
        assert words in screen
    await app.press("enter")
    assert await opened.done() == tmp_path / "usage-me-by-model.csv"
    assert (tmp_path / "usage-me-by-model.csv").read_text() == "model\n"
    assert stat.S_IMODE((tmp_path / "usage-me-by-model.csv").stat().st_mode) == 0o600


async def test_the_name_follows_the_choice_until_it_is_typed(app: Driver, tmp_path: Path) -> None:
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    await app.press("j")
    await app.see("usage-me-by-day.csv")
    await app.press("tab", "ctrl+u")
    await app.type("mine.txt")
    await app.press("shift+tab", "j")
    assert opened.field().value == "mine.txt"
    await app.press("enter")
    assert await opened.done() == tmp_path / "mine.txt"
    assert (tmp_path / "mine.txt").read_text() == "{}\n"


async def test_a_file_that_is_there_takes_its_own_key(app: Driver, tmp_path: Path) -> None:
    path = tmp_path / "usage-me-by-model.csv"
    path.write_text("old")
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    await app.press("ctrl+s")
    assert path.read_text() == "old" and not opened.results
    await app.press("enter")
    await app.see("is there already.")
    assert "Write over it  ctrl+s" in app.text() and "esc goes back" in app.text()
    await app.press("enter", "enter")
    await app.see("is there already.")
    assert path.read_text() == "old"
    await app.press("ctrl+s")
    assert await opened.done() == path
    assert path.read_text() == "model\n"


async def test_the_word_for_one_file_is_none_for_another(app: Driver, tmp_path: Path) -> None:
    for content in CONTENTS:
        (tmp_path / content.name).write_text("old")
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    await app.press("enter")
    await app.see("is there already.")
    await app.press("shift+tab", "j")
    await app.gone("is there already.")
    await app.press("ctrl+s")
    await app.press("escape")
    assert await opened.done() is None
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}


async def test_the_button_writes_over(app: Driver, tmp_path: Path) -> None:
    path = tmp_path / "usage-me-by-model.csv"
    path.write_text("old")
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    await app.press("enter")
    await app.see("is there already.")
    await app.press("tab", "enter")
    assert await opened.done() == path
    assert path.read_text() == "model\n"


@pytest.mark.parametrize(("typed", "words"), [("", "Name a file."), ("sub", "is a folder"), ("file/x", "no folder")])
async def test_what_is_wrong_stands_at_the_field(app: Driver, tmp_path: Path, typed: str, words: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("")
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    opened.field().value = typed
    await app.press("enter")
    await app.see(words)
    assert opened.field().has_focus
    await app.type("y")
    await app.gone(words)
    await app.press("escape")
    assert await opened.done() is None


async def test_a_tilde_is_home(app: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    opened = Opened(app, tmp_path)
    await app.see("Write to a file")
    opened.field().value = "~/u.csv"
    await app.see("in ~ ·")
    await app.press("enter")
    assert await opened.done() == tmp_path / "home" / "u.csv"
