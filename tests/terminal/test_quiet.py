"""Nothing is sent while nothing happens, and of what happens only what is seen to change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.bytes_on_the_wire import Ours, bare, cost, idle, ours
from tests.terminal.driver import Terminal

LONG = 2.0
"""Seconds of idleness: four times the beat of a cursor, and more than any animation lasts."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Ours]:
    opened = ours(tmp_path)
    yield opened
    assert opened.terminal.close() == []


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Terminal]:
    opened = bare(tmp_path)
    yield opened
    assert opened.close() == []


def test_nothing_is_sent_while_idle_on_any_screen_dialog_or_input(app: Ours) -> None:
    terminal = app.terminal
    for keys, words in (
        ("", "prod-api"),
        ("n", "New virtual key"),
        ("\x1b", "prod-api"),
        ("/", "prod-api"),
        ("\x1b", "prod-api"),
        ("r", "Rotate"),
        ("\x1b", "prod-api"),
        (":", "Search"),
        ("\x1b", "prod-api"),
        ("2", "Context"),
        ("3", "Usage of"),
    ):
        terminal.press(keys)
        terminal.see(words)
        terminal.quiet(0.7)
        assert idle(terminal, LONG) == 0, f"after {keys!r}:\n{terminal.text()}"


def test_the_measure_sees_a_cursor_that_blinks(other: Terminal) -> None:
    cost(other, "/")
    assert idle(other, LONG) > 1000


def test_a_refresh_sends_what_it_changed_and_nothing_else(app: Ours) -> None:
    terminal = app.terminal
    before = terminal.text()
    assert app.refresh() == 0
    assert terminal.text() == before
    sent = app.refresh(change=True)
    after = terminal.text()
    assert before != after, "the change is shown"
    cells = sum(old != new for old, new in zip(before, after, strict=True))
    assert 0 < sent <= 60 + 30 * cells, f"{sent} bytes for {cells} cells"


def test_fewer_bytes_than_a_bare_table_for_the_same(app: Ours, other: Terminal) -> None:
    assert cost(app.terminal, "j") < cost(other, "\x1b[B")
    cost(app.terminal, "2"), cost(other, "2")
    assert cost(app.terminal, "1") < cost(other, "1") / 2
    assert app.refresh(change=True) * 20 < cost(other, "S")


def test_a_mouse_that_merely_moves_costs_nothing(app: Ours) -> None:
    """A terminal that reports it though it was not asked to."""
    mark = app.terminal.mark()
    app.terminal.press("".join(f"\x1b[<35;{x};12M" for x in range(5, 60)))
    app.terminal.quiet(0.7)
    assert len(app.terminal.since(mark)) < 2000
