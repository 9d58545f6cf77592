"""What a terminal is sent, and what it then shows, of hostile names: on a pseudo-terminal, by its own rules."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.corpus import CORPUS, SAID, unsafe
from tests.terminal.driver import Terminal
from tui.formatting import plain

CODE = """
from tests.hostile.test_terminal import TEXTS
from tests.hostile.world import ADA, NOW, world
from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret

gateway = world(TEXTS)
held = HeldKey(Secret(gateway.master_key))
settings = Settings(profile="test", url="https://llm.example.com", credential=held, user=ADA)
LitellmTui(settings, transport=gateway.transport(), clock=lambda: NOW).run()
"""
# pyte leaves out the rest of a line behind some marks, such as those of Thai
TEXTS = [
    text
    for text in CORPUS.values()
    if not any(unicodedata.category(each) == "Mn" and not unicodedata.combining(each) for each in plain(text))
]
OURS = re.compile(
    rb"\x1b\[[0-9;]*[mHJKr]|\x1b\[\?[0-9;]+[hl]|\x1b\[\?[0-9;]+\$p|\x1b\[[<>=]?[0-9;]*u|\x1b\[\?u|\x1b[78]|\x1b\[c"
)
"""Sequences that the app itself sends."""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(sys.executable, "-c", CODE, home=tmp_path, size=(100, 30))
    yield made
    assert made.close() == []


def cells(terminal: Terminal) -> list[list[str]]:
    buffer = terminal.screen.buffer
    return [[buffer[y][x].data for x in range(terminal.screen.columns)] for y in range(terminal.screen.lines)]


def look_at_columns(terminal: Terminal) -> int:
    """Key and expiry of every row begin under their titles, and spend ends there; how many rows."""
    rows = cells(terminal)
    top = next(y for y, row in enumerate(rows) if "Expires" in "".join(row) and "Spend" in "".join(row))
    titles = "".join(rows[top])
    listed = [row for row in rows[top + 1 :] if re.search(r"…\S{4} +\$", "".join(row))]
    for row in listed:
        where = "".join(row)
        for title in ("Key", "Expires", "Models"):
            x = titles.index(title)
            assert row[x - 1] == " " and row[x].strip(), f"{title}: {where}"
        assert re.search(r"\$\d+\.\d\d$", "".join(row[: titles.index("Spend") + 5])), where
    return len(listed)


def test_nothing_but_our_own_sequences_and_columns_that_stand(terminal: Terminal) -> None:  # S3
    terminal.see("Expires")
    terminal.quiet()
    terminal.press("\t")
    rows = look_at_columns(terminal)
    assert rows >= 10
    for _ in range(4):
        terminal.press("\x04")
        terminal.quiet(0.2)
        assert look_at_columns(terminal) == rows
        terminal.press("j")
        terminal.quiet(0.2)
        assert look_at_columns(terminal) == rows
    # what is drawn by differences is what is drawn anew
    shown = cells(terminal)
    terminal.press("\x0c")
    terminal.quiet()
    assert cells(terminal) == shown
    terminal.press("\r")
    terminal.see("Hash")
    terminal.quiet(0.2)
    terminal.press("\x1b")
    terminal.gone("Hash")
    terminal.press("2")
    terminal.see("Provider")
    terminal.quiet(0.2)
    terminal.press("3")
    terminal.see("Requests")
    terminal.quiet(0.2)
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.screen.title == "", "nobody gave the window a title"
    text = OURS.sub(b"", bytes(terminal.sent)).decode()
    assert unsafe(text.replace("\r", "").replace("\n", "")) == []
    assert not SAID.search(text)
