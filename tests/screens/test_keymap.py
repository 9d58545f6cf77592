"""Every action has an id, can have another key, and is called by that key wherever it is named; themes are readable."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input

from tests.screens.driver import Driver
from tui import keymap, look
from tui.app import LitellmTui
from tui.config import Config, Settings, load
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.readable import Readable, _shaded

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def written(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, {})


def read(folder: Path, text: str) -> tuple[dict[str, str], str]:
    keys, problems = keymap.read(written(folder, text))
    return keys, "\n".join(map(str, problems)).replace(str(folder / "config.toml"), "FILE")


@asynccontextmanager
async def configured(folder: Path, text: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Driver]:
    gateway = DemoGateway(now=NOW)
    gateway.add_key(key_alias="laptop", user_id="ada", expires=NOW - timedelta(days=1))
    gateway.add_key(key_alias="server", user_id="ada")
    app = LitellmTui(
        Settings("test", "https://llm.example.com", HeldKey(Secret(gateway.master_key))),
        config=written(folder, text),
        transport=gateway.transport(),
        clock=lambda: NOW,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, gateway)
        await driver.until(lambda: app.workspace is not None and len(app.screen_stack) > 0, "a session")
        await pilot.pause()
        yield driver


# Ids


def test_every_binding_has_an_id_of_its_own() -> None:
    bindings = [(owner, each) for owner in keymap.owners() for each in keymap._declared(owner)]
    assert len(bindings) > 100
    assert not [f"{owner.__qualname__}: {each.key}" for owner, each in bindings if not each.id]
    counted = Counter(each.id for _, each in bindings)
    assert not [name for name, times in counted.items() if times > 1]


def test_no_two_actions_share_a_key_but_those_that_do_the_same() -> None:
    """What is nearer to the focus hides the other: only actions of a list and of its screen may."""
    hidden = set()
    for place, uses in keymap.places().items():
        for number, one in enumerate(uses):
            for other in uses[number + 1 :]:
                if one.id and other.id and one.id != other.id and set(one.keys) & set(other.keys):
                    hidden.add((place, one.id, other.id))
    opened = {(f"{screen}.open", "table.open") for screen in ("keys", "models", "people")}
    same = {*opened, ("connect.quit", "app.quit")}
    assert {(one, other) for _, one, other in hidden} <= same


# The configuration


def test_one_key_and_several(tmp_path: Path) -> None:
    keys, problems = read(
        tmp_path, '[keys]\n"keys.rotate" = "ctrl+r"\nusage.chart = "X, f5 ,comma"\n"app.help" = "?"\n'
    )
    assert problems == ""
    assert keys == {"keys.rotate": "ctrl+r", "usage.chart": "X,f5,comma", "app.help": "question_mark"}


def test_two_actions_may_change_places(tmp_path: Path) -> None:
    keys, problems = read(tmp_path, '[keys]\n"keys.rotate" = "d"\n"keys.delete" = "r"\n')
    assert (keys, problems) == ({"keys.rotate": "d", "keys.delete": "r"}, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"keys.rotat" = "x"', "there is no such action. Did you mean keys.rotate ?"),
        ('"nothing" = "x"', "Ids begin with app,"),
        ('"keys.rotate" = "hyperspace"', "hyperspace is no key."),
        ('"keys.rotate" = "ctrl+alt"', "is no key."),
        ('"keys.rotate" = "r,,x"', 'the comma itself is "comma"'),
        ('"keys.rotate" = ""', "a key is missing."),
        ('"keys.rotate" = "shift+x"', "terminals send X for shift+x; write that."),
        ('"keys.rotate" = "ctrl+i"', "terminals send ctrl+i as tab;"),
        ('"keys.rotate" = "ctrl+q"', "quits at any time"),
        ('"keys.rotate" = 3', "is no text."),
        ('"keys.rotate" = ["x"]', "is no text."),
        ('"keys.rotate" = "d"', "d does keys.delete (Delete the key for good) on the same screen (keys)."),
        ('"keys.rotate" = "j"', "j does table.down (down) on the same screen (keys)."),
        ('"keys.rotate" = "q"', "q does app.quit (Quit) on the same screen (keys)."),
        ('"keys.rotate" = "ctrl+l"', "ctrl+l does app.redraw"),
        ('"keys.rotate" = "down"', "does Cursor down in a table on the same screen (keys)."),
        ('"confirm.yes" = "n"', "n does confirm.no (no) on the same screen (confirm)."),
        ('"sk-abcdefgh0123" = "x"', "there is no such action."),
    ],
)
def test_what_cannot_be_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:  # S3
    keys, problems = read(tmp_path, f'# mine\n[keys]\n{line}\n"models.sort" = "O"\n')
    assert keys == {"models.sort": "O"}
    assert problems.startswith("FILE, line 3, keys.") and said in problems and problems.count("\n") == 0
    assert "abcdefgh" not in problems


def test_two_that_want_the_same_key_keep_their_own(tmp_path: Path) -> None:
    keys, problems = read(tmp_path, '[keys]\n"keys.edit" = "x"\n"keys.block" = "x"\n"keys.new" = "e"\n')
    # `e` is free only while edit has another key, and it has not
    assert keys == {}
    assert [row.split(", keys")[0] for row in problems.splitlines()] == ["FILE, line 2", "FILE, line 3", "FILE, line 4"]
    assert "x does keys.block" in problems and "x does keys.edit" in problems


# In the app


async def test_the_new_key_works_and_the_old_one_does_not(tmp_path: Path) -> None:
    async with configured(tmp_path, '[keys]\n"keys.delete" = "ctrl+x, X"\n"confirm.yes" = "Y"\n') as app:
        await app.press("d")
        assert "cannot be undone" not in app.text()
        for each in ("ctrl+x", "X"):
            await app.press(each)
            await app.see("cannot be undone")
            assert "Delete  Y" in app.text()
            await app.press("escape")
            await app.gone("cannot be undone")
        await app.press("X")
        await app.see("cannot be undone")
        await app.press("y")
        assert app.writes() == []
        await app.press("Y")
        await app.until(lambda: len(app.gateway.keys) == 1)


async def test_footer_help_palette_and_sentences_name_it(tmp_path: Path) -> None:
    text = (
        '[keys]\n"keys.rotate" = "X"\n"keys.filter" = "F"\n"keys.back" = "B"\n"app.help" = "H"\n'
        '"usage.chart" = "C"\n"screen.refresh" = "U"\n"app.models" = "f2"\n'
    )
    async with configured(tmp_path, text, (100, 60)) as app:
        screen = app.text()
        assert "X rotate" in app.row("expired") and "X rotate" in screen.splitlines()[-1]
        assert "F filter" in screen.splitlines()[-1] and "H help" in screen.splitlines()[-1]
        assert "f2 Models" in screen
        await app.press("F")
        await app.type("zzz")
        await app.see("B clears the filter")
        await app.press("enter", "tab")
        app.app.screen.set_focus(None)
        await app.press("B")
        await app.gone("clears the filter")
        await app.press("H")
        await app.see("This screen")
        assert app.row("Rotate: a new key").split()[1] == "X" and "r " not in app.row("Rotate: a new key")[:20]
        await app.press("escape")
        await app.press("colon")
        await app.type("rotate")
        await app.see("[X]")
        await app.press("escape")
        await app.press("3")
        await app.see("C ")


async def test_what_is_not_used_is_told_in_one_list_and_the_rest_is_used(tmp_path: Path) -> None:
    text = 'theme = "norda"\n[keys]\n"keys.rotate" = "d"\n"keys.nope" = "x"\n"keys.edit" = "X"\n'
    async with configured(tmp_path, text) as app:
        screen = await app.see("Not used of")
        said = " ".join(line[3:].strip("│ ") for line in screen.splitlines())
        assert "line 1, theme" in said and "Did you mean nord" in said
        assert "line 3" in said and "keys.delete" in said and "line 4" in said
        assert said.index("line 1") < said.index("line 3") < said.index("line 4")
        await app.press("escape")
        await app.gone("Not used of")
        assert "r rotate" in app.text() and "X edit" in app.text()


async def test_a_configuration_that_is_right_is_not_talked_about(tmp_path: Path) -> None:
    async with configured(tmp_path, 'theme = "nord"\n[keys]\n"keys.rotate" = "X"\n') as app:
        assert "Not used" not in app.text() and app.app.theme == "nord"


async def test_a_letter_in_a_field_stays_text(tmp_path: Path) -> None:
    async with configured(tmp_path, '[keys]\n"form.save" = "f3"\n"keys.rotate" = "X"\n') as app:
        await app.press("n")
        await app.see("New virtual key")
        assert "Create  f3" in app.text()
        await app.press("ctrl+u", "X")
        assert app.app.screen.query_one("#alias", Input).value == "X"
        await app.press("f3")
        await app.see("the one time")


async def test_quit_by_another_key_works_while_it_connects(tmp_path: Path) -> None:
    async with configured(tmp_path, '[keys]\n"app.quit" = "Z"\n"connect.quit" = "Z"\n') as app:
        app.app.hold()
        await app.press("Z")
        assert app.app.return_code == 0


# Themes


async def test_another_theme_by_command(tmp_path: Path) -> None:
    async with configured(tmp_path, "") as app:
        await app.press("colon")
        await app.type("theme textual-light")
        await app.press("enter")
        await app.until(lambda: app.app.theme == "textual-light")
        assert 'theme = "textual-light"' in app.toasts()


class Themed(App[None]):
    """Nothing but a theme."""


@pytest.mark.parametrize("theme", [name for name, each in BUILTIN_THEMES.items() if not each.ansi])
async def test_states_dim_words_and_charts_can_be_read(theme: str) -> None:
    async with Themed().run_test() as pilot:
        app = pilot.app
        app.theme = theme
        await pilot.pause()
        variables = app.get_css_variables()
        ink = Color.parse(variables["foreground"])
        papers = {name: Color.parse(variables[name]) for name in ("background", "surface", "panel")}
        row = Color.parse(variables["primary"])
        papers["cursor"] = papers["background"].blend(row, 0.6)
        assert Readable(app)
        for name, paper in papers.items():
            styles = [Style.parse(each) for each in (look.BAD, look.WARN, look.GOOD)]
            styles += [Style(color=f"color({number})") for number in range(1, 16)]
            styles += [Style(color=RichColor.from_rgb(*ink.rgb), dim=True)]
            for style in styles:
                shown = _shaded(style, paper.rich_color, app.ansi_theme)
                assert shown.color is not None and shown.color.triplet is not None
                red, green, blue = shown.color.triplet
                assert look.contrast((red, green, blue), paper.rgb) >= 4.5, (name, style)


def test_on_dark_the_states_are_as_they_are() -> None:
    """Blue, orange and vermilion, which the colour-blind can tell apart, are not touched by default."""
    paper = Color.parse("#121212").rgb
    for style in (look.BAD, look.WARN, look.GOOD):
        ink = Color.parse(style.split()[-1]).rgb
        assert look.legible(ink, paper) == ink and look.contrast(ink, paper) >= 4.5
