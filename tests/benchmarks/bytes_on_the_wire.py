"""Bytes that reach the terminal at 80×24, beside a bare Textual DataTable app: a table for the README.

python -m tests.benchmarks.bytes_on_the_wire [--idle SECONDS]
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.terminal.driver import Terminal

TRUE_COLOUR = {"COLORTERM": "truecolor"}
SETTLED = 0.7
"""Seconds without a byte after which an action is over."""


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
    mark, end = terminal.mark(), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        terminal.read(left)
    return len(terminal.since(mark))


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser()
    flags.add_argument("--idle", type=float, default=30.0)
    seconds = flags.parse_args().idle
    rows: list[tuple[str, int | str, int | str]] = []
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        app = ours(Path(one))
        mine, other = app.terminal, bare(Path(two))
        try:
            rows.append(("start", len(mine.sent), len(other.sent)))
            rows.append(("one cursor move", cost(mine, "j"), cost(other, "\x1b[B")))
            cost(mine, "2"), cost(other, "2")
            rows.append(("one screen switch", cost(mine, "1"), cost(other, "1")))
            rows.append(("a refresh that changes nothing", app.refresh(), cost(other, "R")))
            rows.append(("a refresh that changes one cell", app.refresh(change=True), cost(other, "S")))
            rows.append((f"idle for {seconds:.0f} s on keys", idle(mine, seconds), idle(other, seconds)))
            for key, name in (("2", "models"), ("3", "usage")):
                cost(mine, key)
                rows.append((f"idle for {seconds:.0f} s on {name}", idle(mine, seconds), ""))
            cost(mine, "1/"), cost(other, "/")
            rows.append((f"idle for {seconds:.0f} s in an input", idle(mine, seconds), idle(other, seconds)))
        finally:
            mine.close()
            other.close()
    print(f"{'bytes sent to the terminal, 80×24':<36}{'litellm-tui':>12}{'bare':>10}")
    for what, mine_sent, other_sent in rows:
        print(f"{what:<36}{mine_sent:>12}{other_sent:>10}")


if __name__ == "__main__":
    main()
