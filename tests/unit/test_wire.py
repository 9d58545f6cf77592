"""Only the cells that differ are sent, and what the terminal shows then is what it should."""

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.wire import Wire

WIDTH, HEIGHT = 12, 3
CONSOLE = Console(color_system="256", force_terminal=True)
STYLES = (
    None,
    Style(color="red"),
    Style(bgcolor="blue", bold=True),
    Style(reverse=True),
    Style(color="#aabbcc", bgcolor="#102030", italic=True),
)
# the letters of equal looks that a whole drawing and a drawing by differences could confuse, wide ones among them
LETTERS = st.sampled_from(["a", "b", " ", "─", "é", "漢"])


@st.composite
def rows(draw: st.DrawFn) -> Strip:
    """A row of `WIDTH` cells."""
    segments, room = [], WIDTH
    while room:
        letter = draw(LETTERS)
        if letter == "漢" and room < 2:
            letter = "a"
        segments.append(Segment(letter, draw(st.sampled_from(STYLES))))
        room -= 2 if letter == "漢" else 1
    return Strip(segments, WIDTH)


frames = st.lists(st.lists(rows(), min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4)


def whole(strips: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, WIDTH, HEIGHT))


def terminal() -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(WIDTH, HEIGHT)
    screen.reset_mode(7, private=True)
    return screen, pyte.Stream(screen)


def shown(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    return [[tuple(screen.buffer[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]


@settings(deadline=None)
@given(frames)
def test_differences_draw_what_the_whole_would(sequence: list[list[Strip]]) -> None:
    wire, (screen, stream) = Wire(), terminal()
    for frame in sequence:
        sent = wire.difference(whole(frame), CONSOLE)
        assert sent is not None
        stream.feed(sent)
        fresh, other = terminal()
        other.feed(Wire().difference(whole(frame), CONSOLE) or "")
        assert shown(screen) == shown(fresh)
        assert wire.difference(whole(frame), CONSOLE) == "", "the second time there is nothing to say"


def plain(*texts: str) -> LayoutUpdate:
    return whole([Strip([Segment(text.ljust(WIDTH))], WIDTH) for text in (*texts, "", "", "")[:HEIGHT]])


def test_one_letter_costs_one_letter() -> None:
    wire = Wire()
    wire.difference(plain("spend $1.00"), CONSOLE)
    assert wire.difference(plain("spend $2.00"), CONSOLE) == "\x1b[1;8H2"


def test_forgotten_is_sent_again() -> None:
    wire = Wire()
    first = wire.difference(plain("x"), CONSOLE)
    wire.forget()
    assert wire.difference(plain("x"), CONSOLE) == first != ""


def test_what_a_terminal_would_obey_is_not_sent() -> None:  # S3's neighbour: text is data
    sent = Wire().difference(plain("a\x1b]52;c", "b\x9b2J\x07", "c\u202ed"), CONSOLE)
    assert sent is not None
    moves = sent.replace("\x1b[1;1H", "").replace("\x1b[2;1H", "").replace("\x1b[3;1H", "")
    assert moves.isprintable() and "\u202e" not in moves


def test_another_kind_of_update_is_left_alone() -> None:
    assert Wire().difference(CompositorUpdate(), CONSOLE) is None
