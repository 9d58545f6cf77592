"""Bytes that reach the terminal at 80×24, beside a bare Textual DataTable app: a table for the README.

    python -m tests.benchmarks.bytes_on_the_wire [--runs N] [--idle SECONDS]

Of a key press the median of as many presses; the time that nobody does anything is measured of both at once.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.table import Row, text
from tests.terminal.driver import Terminal

TRUE_COLOUR = {"COLORTERM": "truecolor"}
SETTLED = 0.7
"""Seconds without a byte after which an action is over."""

ECHOED = 0.4
"""Seconds within which a letter is on screen; less than a blinking cursor takes to go."""


@dataclass
class Ours:
    """The app over data that stand still; `calls` lists what it asked the gateway."""

    terminal: Terminal
    calls: Path

    def asked(self) -> list[str]:
        """The paths of all calls so far."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def refresh(self, change: bool = False) -> int:
        """Bytes for `R`, once the gateway has answered; with `change` one key's spend differs."""
        if change:
            os.kill(self.terminal.process.pid, signal.SIGUSR1)
            self.terminal.until(lambda: "spent" in self.asked()[-1:], "the change at the gateway")
        before = len(self.asked())
        return cost(self.terminal, "R", answered=lambda: len(self.asked()) > before)


def ours(home: Path, **env: str) -> Ours:
    """Start it and wait for the list."""
    calls = home / "calls"
    terminal = Terminal(sys.executable, "-m", "tests.terminal.still", str(calls), home=home, env=TRUE_COLOUR | env)
    terminal.see("prod-api")
    terminal.quiet(SETTLED)
    return Ours(terminal, calls)


def bare(home: Path, **env: str) -> Terminal:
    """Start the app that does nothing about bytes."""
    terminal = Terminal(sys.executable, "-m", "tests.terminal.bare", home=home, env=TRUE_COLOUR | env)
    terminal.see("key-number-3")
    terminal.quiet(SETTLED)
    return terminal


def cost(terminal: Terminal, keys: str, answered: object = None) -> int:
    """Bytes that `keys` cause."""
    mark = terminal.mark()
    terminal.press(keys)
    if callable(answered):
        terminal.until(answered, "the gateway's answers")
    terminal.quiet(SETTLED)
    return len(terminal.since(mark))


def idle(terminal: Terminal, seconds: float) -> int:
    """Bytes that come within `seconds` of nobody doing anything."""
    return together(seconds, terminal)[0]


def together(seconds: float, *terminals: Terminal) -> list[int]:
    """Bytes that come to each within `seconds` of nobody doing anything."""
    marks, end = [terminal.mark() for terminal in terminals], time.monotonic() + seconds
    while time.monotonic() < end:
        for terminal in terminals:
            terminal.read(min(0.05, seconds))
    return [len(terminal.since(mark)) for terminal, mark in zip(terminals, marks, strict=True)]


def letter(mine: Terminal, other: Terminal, text: str) -> tuple[int, int]:
    """Bytes that a letter causes in a field of each, within `ECHOED` seconds."""
    mine.press(text)
    other.press(text)
    one, two = together(ECHOED, mine, other)
    return one, two


def measure(runs: int, seconds: float) -> list[Row]:
    """The rows; `seconds` is how long nobody does anything, each time."""
    rows: list[Row] = []

    def row(what: str, mine: float, other: float) -> None:
        rows.append(Row(f"bytes: {what}", mine, "a bare Textual app", other, "B"))

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        app = ours(Path(one))
        mine, other = app.terminal, bare(Path(two))

        def presses(what: str, keys: str, other_keys: str, between: str = "") -> None:
            """The median of each press; `between` is pressed before each and not counted."""
            costs: list[tuple[int, int]] = []
            for number in range(runs):
                if between:
                    cost(mine, between), cost(other, between)
                at = number % len(keys)
                costs.append((cost(mine, keys[at]), cost(other, other_keys.split()[at])))
            row(what, *(statistics.median(each) for each in zip(*costs, strict=True)))

        try:
            row("start", len(mine.sent), len(other.sent))
            presses("one cursor move", "jk", "\x1b[B \x1b[A")
            presses("another screen", "1", "1", between="2")
            row("a refresh that changes nothing", app.refresh(), cost(other, "R"))
            row("a refresh that changes one cell", app.refresh(change=True), cost(other, "S"))
            row(f"{seconds:g} s of doing nothing", *together(seconds, mine, other))
            for key, name in (("2", "models"), ("3", "usage")):
                cost(mine, key)
                row(f"{seconds:g} s of doing nothing on {name}", *together(seconds, mine, other))
            mine.press("1/")
            other.press("/")
            together(SETTLED, mine, other)
            # the bare app's cursor blinks, so it is never quiet
            letters = [letter(mine, other, each) for each in ("prod-api" * runs)[:runs]]
            row("a letter in a field", *(statistics.median(each) for each in zip(*letters, strict=True)))
            row(f"{seconds:g} s of doing nothing, a field open", *together(seconds, mine, other))
        finally:
            mine.close()
            other.close()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--idle", type=float, default=30.0, metavar="SECONDS")
    given = parser.parse_args()
    print(text(measure(given.runs, given.idle)))


if __name__ == "__main__":
    main()
