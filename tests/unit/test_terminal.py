"""What a terminal can show, read from the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.ascii import Ascii, to_ascii
from tui.terminal import Terminal, prepare, seen
from tui.widgets.table import bar

XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("env", "ascii"),
    [
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LANG": "de_DE@euro"}, True),
        ({"LANG": "de_DE.UTF-8@euro"}, False),
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, False),
        # what Python makes of LANG=C in its own environment
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        # nothing said at all: every emulator can, a console may not
        ({}, False),
        ({"TERM": "linux"}, True),
        ({"TERM": "vt100"}, True),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, False),
    ],
)
def test_ascii_where_the_locale_is_not_utf8(env: dict[str, str], ascii: bool) -> None:
    assert seen(XTERM | env).ascii is ascii


def test_ascii_where_it_is_asked_for() -> None:
    assert seen(XTERM | {"LANG": "C.UTF-8"}, ascii=True).ascii


@pytest.mark.parametrize(
    ("env", "colour"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "vt100"}, False),
        ({"TERM": "vt220"}, False),
        ({"TERM": "xterm-mono"}, False),
        ({"TERM": "screen-m"}, False),
        ({"TERM": "linux"}, True),
    ],
)
def test_colours(env: dict[str, str], colour: bool) -> None:
    assert seen(XTERM | env).colour is colour


@pytest.mark.parametrize(
    ("name", "basic"), [("linux", True), ("vt220", True), ("vte-256color", False), ("contour", False)]
)
def test_consoles_are_asked_nothing(name: str, basic: bool) -> None:
    assert seen({"TERM": name, "LANG": "C.UTF-8"}) == Terminal(basic=basic, colour=name != "vt220")


def test_textual_is_told_before_it_is_imported() -> None:
    env = {"TERM": "linux", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "NO_COLOR": ""}
    prepare(env, seen(env))
    assert env["TEXTUAL_ANIMATIONS"] == "none" and env["TEXTUAL_FPS"] == "30"
    assert env["TEXTUAL_DISABLE_KITTY_KEY"] == "1" and "NO_COLOR" not in env
    mine = {"TERM": "xterm-kitty", "TEXTUAL_ANIMATIONS": "full", "TEXTUAL_FPS": "5"}
    prepare(mine, Terminal())
    assert mine["TEXTUAL_ANIMATIONS"] == "full" and mine["TEXTUAL_FPS"] == "5"
    assert "TEXTUAL_DISABLE_KITTY_KEY" not in mine


@pytest.mark.parametrize(
    ("text", "ascii"),
    [
        ("…9f3Q ● laptop", "~9f3Q * laptop"),
        ("╭──╮│╰╯", "+--+|++"),
        ("Zoë’s “key” – ok ✔", 'Zoe\'s "key" - ok +'),
        ("漢字", "????"),
        ("a👩‍💻b", "a??b"),
        ("x\u202ey\u200bz", "xyz"),
        ("e\u0301x", "ex"),
        ("▲▼ ▸", "^v >"),
    ],
)
def test_signs_become_what_does_their_work(text: str, ascii: str) -> None:
    assert to_ascii(text) == ascii


@given(st.text(max_size=40))
def test_ascii_takes_as_many_cells(text: str) -> None:
    done = to_ascii(text)
    assert done.isascii()
    if all(letter.isprintable() for letter in text):
        assert cell_len(done) == cell_len(text)


def test_the_filter_keeps_styles_and_lets_nothing_else_through() -> None:
    red = Style(color="red")
    done = Ascii().apply([Segment("│ ok", red), Segment("plain")], Color(0, 0, 0))
    assert done == [Segment("| ok", red), Segment("plain")]


def test_bars_in_ascii() -> None:
    assert bar(0.5, 8, ascii=True) == "####"
    assert bar(0.001, 8, ascii=True) == "-" and bar(2, 3, ascii=True) == "###" and bar(0, 3, ascii=True) == ""
