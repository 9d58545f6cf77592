"""Runs a program on a real pseudo-terminal and says what is drawn there, what was sent, and what is left behind."""

import copy
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

PATIENCE = 30.0
"""Seconds to wait for a state before a test fails."""
TUI = (sys.executable, "-m", "tui")
ROOT = Path(__file__).parents[2]
NOT_OURS = ("LITELLM", "TEXTUAL", "LC_", "SSH_", "XDG_", "NO_COLOR", "LANG", "COLORTERM", "TMUX", "TERM", "COLUMNS")


class Screen(pyte.Screen):
    """pyte's screen, with the second one that xterm has and pyte has not."""

    first: Any = None

    def set_mode(self, *modes: int, **more: Any) -> None:
        """Modes on; 1049 shows an empty second screen."""
        super().set_mode(*modes, **more)
        if 1049 in modes and self.first is None:
            self.first = (copy.deepcopy(self.buffer), copy.copy(self.cursor))
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **more: Any) -> None:
        """Modes off; without 1049, what was there before is there again."""
        super().reset_mode(*modes, **more)
        if 1049 in modes and self.first is not None:
            self.buffer, self.cursor = self.first
            self.first = None
            self.dirty.update(range(self.lines))


class Terminal:
    """A pseudo-terminal with one program in it, that is its controlling terminal."""

    def __init__(
        self,
        *command: str,
        home: Path,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        width, height = size
        self.screen = Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = bytearray()
        self.master, self.slave = os.openpty()
        self._set_size(width, height)
        self.before = self.modes()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave if stderr is None else stderr,
            cwd=ROOT,
            env={
                **inherited,
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                "HOME": str(home),
                "XDG_CONFIG_HOME": str(home / "config"),
                "XDG_CACHE_HOME": str(home / "cache"),
                **(env or {}),
            },
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.session = self.process.pid

    def modes(self) -> list[Any]:
        """The terminal's modes, as tcgetattr gives them."""
        return termios.tcgetattr(self.slave)

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width: int, height: int) -> None:
        """Change the window's size; the kernel sends SIGWINCH."""
        self.read(0)
        self.screen.resize(height, width)
        self._set_size(width, height)

    def read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; whether anything did."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.sent += data
        # the end of a keyboard protocol, which xterm ignores and pyte draws
        self._stream.feed(data.replace(b"\x1b[<u", b""))
        return bool(data)

    def quiet(self, seconds: float = 0.4) -> None:
        """Take what comes until nothing has come for `seconds`."""
        end = time.monotonic() + PATIENCE
        while self.read(seconds):
            assert time.monotonic() < end, "never quiet"

    def mark(self) -> int:
        """A place in what was sent."""
        return len(self.sent)

    def since(self, mark: int) -> bytes:
        """What was sent after `mark`."""
        return bytes(self.sent[mark:])

    def rows(self) -> list[str]:
        """The screen, row by row, without the blanks on the right."""
        # the second half of a wide letter is an empty cell
        return [row.rstrip() for row in self.screen.display]

    def text(self) -> str:
        """The screen as text."""
        return "\n".join(self.rows())

    def cells(self) -> list[list[tuple[Any, ...]]]:
        """Every cell with its colours and attributes."""
        buffer = self.screen.buffer
        return [[tuple(buffer[y][x]) for x in range(self.screen.columns)] for y in range(self.screen.lines)]

    def row(self, words: str) -> str:
        """The first row that holds `words`."""
        found = [row for row in self.rows() if words in row]
        assert found, f"no row with {words!r} on:\n{self.text()}"
        return found[0]

    def press(self, keys: str | bytes) -> None:
        """Send keys as their bytes."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Read until a state holds; fail with the screen where it does not come."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"waited in vain for {what}; the screen:\n{self.text()}"
            self.read(0.05)

    def see(self, words: str) -> str:
        """Wait for words on screen; the screen then."""
        self.until(lambda: words in self.text(), repr(words))
        return self.text()

    def gone(self, words: str) -> None:
        """Wait until words are no longer on screen."""
        self.until(lambda: words not in self.text(), f"{words!r} to go")

    def ended(self) -> int:
        """Wait for the end of the program; its exit code."""
        self.until(lambda: self.process.poll() is not None, "the end of the program")
        while self.read(0):
            pass
        assert self.process.returncode is not None
        return self.process.returncode

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def processes(self) -> list[int]:
        """What lives of the program's session, its children included."""
        return [pid for pid, session in _sessions() if session == self.session]

    def close(self) -> list[int]:
        """End everything; what had to be ended besides the program itself."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        left = self.processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for end in (self.slave, self.master):
            if end >= 0:
                os.close(end)
        return left


def _sessions() -> list[tuple[int, int]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found.append((int(entry.name), int(fields[3])))
    return found


def demo(*flags: str) -> Sequence[str]:
    """The command of the app over its made-up data."""
    return (*TUI, "--demo", *flags)
