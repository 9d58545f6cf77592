"""Programs on pseudo-terminals, of which none outlives its test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.driver import Terminal, demo

Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*flags, size=, env=, command=)` opens the demo, or another command, on a terminal of its own."""
    opened: list[Terminal] = []

    def make(*flags: str, command: tuple[str, ...] | None = None, **more: Any) -> Terminal:
        made = Terminal(*(command or demo(*flags)), home=tmp_path, **more)
        opened.append(made)
        return made

    yield make
    running = [made for made in opened if made.process.poll() is None]
    left = [pid for made in opened for pid in made.close()]
    assert left == [], f"processes left behind: {left}"
    assert running == [], "the test did not see the end of what it started"
