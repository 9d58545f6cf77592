"""The keys screen with 20,000 keys beside 100, on a real proxy with a database of its own: medians of one run.

    python -m tests.benchmarks.many_keys PROXY_URL DATABASE_URL [--runs N]

`tests/live/test_many_keys.py` says how to have such a proxy; its keys are replaced. The master key is
`LITELLM_MASTER_KEY`.

- from the start of the program to the keys on screen, and memory (VmHWM) beside a bare Textual app;
- from a key press in the filter to its answer on screen, beside the same question asked with curl.
"""

import argparse
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks.many_keys_seed import seed

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Running:
    """A program on a pseudo-terminal of 80x24; ends with the block."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, env=env, cwd=ROOT, start_new_session=True
        )
        os.close(follower)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._leader)

    def until(self, words: bytes) -> float:
        """Seconds until `words` are sent."""
        seen = b""
        while words not in seen:
            if not select.select([self._leader], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{words!r} was not sent; so far: {seen[-2000:]!r}")
            seen += os.read(self._leader, 65536)
        return time.perf_counter() - self._began

    def press(self, keys: bytes) -> None:
        """Send keys; the clock starts anew."""
        self.still(0.5)
        self._began = time.perf_counter()
        os.write(self._leader, keys)

    def still(self, seconds: float = 0.7) -> None:
        """Wait until nothing is sent any more."""
        while select.select([self._leader], [], [], seconds)[0]:
            os.read(self._leader, 65536)

    @property
    def memory(self) -> float:
        """The most that it ever had, in MB."""
        self.still()
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def curl(url: str, key: str) -> float:
    """Seconds for one answer, by curl's own clock."""
    header = ["-H", f"Authorization: Bearer {key}"]
    done = subprocess.run(
        ["curl", "-s", "-o", os.devnull, "-w", "%{time_total}", *header, url], capture_output=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("database")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    key = os.environ["LITELLM_MASTER_KEY"]
    few: list[float] = []
    many: list[float] = []
    memory: list[float] = []
    typed: list[float] = []
    answered: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        ours = env | {"LITELLM_TUI_URL": given.url, "LITELLM_TUI_API_KEY": key}
        app = [sys.executable, "-m", "tui"]
        with Running([sys.executable, "-m", "tests.terminal.bare"], env) as bare:
            bare.until(b"Expires")
            bare_memory = bare.memory
        for number in range(given.runs + 1):
            for count, into in ((100, few), (20_000, many)):
                seed(given.database, keys=count)
                curl(f"{given.url}/key/list?return_full_object=true&page=1&size=100", key)
                with Running(app, ours) as running:
                    into.append(running.until(b"Expires"))
                    if count == 100:
                        continue
                    memory.append(running.memory)
                    running.press(b"/")
                    for letter in ("p", "r", "o"):
                        running.press(letter.encode())
                        # only what differs on screen is sent: the new letter and the quotation mark after it
                        typed.append(running.until(f"{letter}”".encode()))
                    for text in ("p", "pr", "pro"):
                        asked = f"return_full_object=true&page=1&size=100&search={text}"
                        answered.append(curl(f"{given.url}/key/list?{asked}", key))
            if not number:
                # the first run fills caches of the database and of the machine
                for each in (few, many, memory, typed, answered):
                    each.clear()
    rows = (
        ("20,000 keys on screen", many, "100 keys on screen", few, 1.2),
        ("a letter in the filter", typed, "the same answer by curl", answered, 1.2),
    )
    for what, times, beside, others, goal in rows:
        one, other = statistics.median(times) * 1000, statistics.median(others) * 1000
        met = "" if one / other <= goal else "  not met"
        print(f"{what:<28}{one:>8.0f} ms   {beside:<28}{other:>8.0f} ms{one / other:>8.2f} of {goal:.2f}{met}")
    most = statistics.median(memory)
    above = f"{most - bare_memory:>8.0f} of 60"
    print(f"{'memory with 20,000 keys':<28}{most:>8.0f} MB   {'a bare Textual app':<28}{bare_memory:>8.0f} MB{above}")


if __name__ == "__main__":
    main()
