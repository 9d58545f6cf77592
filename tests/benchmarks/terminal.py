"""A program on a pseudo-terminal with a clock: what it sends and when, and what memory it had."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds to wait for words before a benchmark fails."""


class Running:
    """A program on a pseudo-terminal of 80×24; killed at the end of the block.

    `errors` is where standard error goes, by default to the terminal; `root` the tree that it runs in.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, errors: int | None = None, root: Path = ROOT
    ) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._began = time.perf_counter()
        self._seen = b""
        self.process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower if errors is None else errors,
            env=env,
            cwd=root,
            start_new_session=True,
        )
        os.close(follower)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._leader)

    def until(self, words: bytes) -> float:
        """Seconds from the start, or from the last `press`, until `words` were sent. Raises `TimeoutError`."""
        while words not in self._seen:
            if not select.select([self._leader], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{words!r} was not sent; so far: {self._seen[-2000:]!r}")
            self._seen += os.read(self._leader, 65536)
        return time.perf_counter() - self._began

    def press(self, keys: bytes) -> None:
        """Send keys once nothing moves; the clock starts anew."""
        self.still(0.5)
        self._seen = b""
        self._began = time.perf_counter()
        os.write(self._leader, keys)

    def still(self, seconds: float = 0.7) -> None:
        """Wait until nothing is sent any more."""
        while select.select([self._leader], [], [], seconds)[0]:
            os.read(self._leader, 65536)

    def ended(self) -> int:
        """Wait for the end of the program; its exit code."""
        while self.process.poll() is None:
            if select.select([self._leader], [], [], 0.05)[0]:
                try:
                    os.read(self._leader, 65536)
                except OSError:  # the last who had the other end is gone
                    break
        return self.process.wait(PATIENCE)

    @property
    def memory(self) -> float:
        """The most that it ever had, in MB (VmHWM), once it stands still."""
        self.still()
        return peak(self.process.pid)


def peak(pid: int | str = "self") -> float:
    """The most memory that a process ever had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def environment(home: Path, **more: str) -> dict[str, str]:
    """Variables of a program that is measured: a terminal, a home of its own, and nothing of ours."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}
