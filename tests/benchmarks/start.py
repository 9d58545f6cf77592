"""How fast the program starts: ratios of medians in one run, for the README.

python -m tests.benchmarks.start [--runs N]

- `--help` beside `python -c "import argparse"`;
- the first frame on a pseudo-terminal beside that of a bare Textual app with header, table and footer;
- the keys on screen beside the first frame and the slowest single call of the start, over a gateway on loopback that
  takes `LATENCY` seconds for each call;
- the memory of both apps (VmHWM) once they stand still.
"""

import argparse
import asyncio
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
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from tests.conftest import Proxy
from tests.ssh.gateway import Served

ROOT = Path(__file__).parents[2]
LATENCY = 0.15
"""Seconds that the gateway takes for a call: that of a proxy with a database, a network away."""
PATIENCE = 30.0


class Shown:
    """A program on a pseudo-terminal until `words` were sent: `seconds` from its start, `memory` in MB at rest."""

    def __init__(self, command: Sequence[str], env: dict[str, str], *words: bytes) -> None:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, env=env, cwd=ROOT, start_new_session=True
        )
        os.close(follower)
        self.seconds: list[float] = []
        seen, left = b"", list(words)
        try:
            while left:
                ready, _, _ = select.select([leader], [], [], PATIENCE)
                if not ready:
                    raise TimeoutError(f"{left[0]!r} was not sent; so far: {seen[-2000:]!r}")
                seen += os.read(leader, 65536)
                while left and left[0] in seen:
                    self.seconds.append(time.perf_counter() - began)
                    left.pop(0)
            self.memory = _settled_memory(process.pid, leader)
        finally:
            process.kill()
            process.wait()
            os.close(leader)


def _settled_memory(pid: int, leader: int) -> float:
    while select.select([leader], [], [], 0.7)[0]:
        os.read(leader, 65536)
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


class Slow(Served):
    """The embedded gateway on loopback with a day's work in it; each call takes `LATENCY` and is noted."""

    def __init__(self) -> None:
        super().__init__(Proxy("1.108.0", "http://unused", "sk-benchmark-0123456789"))
        self.took: list[float] = []
        self.demo.add_user(user_id="ada", user_role="internal_user")
        for number in range(12):
            self.demo.add_key(f"sk-bench-{number:010}", key_alias=f"key-number-{number}", user_id="ada")
        self.demo.intercept("GET", "*", self._wait, times=-1)

    async def _wait(self, request: httpx.Request) -> None:
        began = time.perf_counter()
        await asyncio.sleep(LATENCY)
        self.took.append(time.perf_counter() - began)


def timed(command: Sequence[str], env: dict[str, str]) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, env=env, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def line(what: str, ours: float, other: float, beside: str, goal: float, unit: str = "ms") -> str:
    """One row of the table."""
    scale = 1000 if unit == "ms" else 1
    met = "" if ours / other <= goal else "  not met"
    return (
        f"{what:<34}{ours * scale:>8.0f} {unit}   {beside:<34}{other * scale:>8.0f} {unit}"
        f"{ours / other:>8.2f} of {goal:.2f}{met}"
    )


def alternately(runs: int, *measures: Callable[[], float]) -> list[float]:
    """Medians of measures that take turns, so that the machine's moods hit all of them."""
    rows = [[measure() for measure in measures] for _ in range(runs)]
    return [statistics.median(row[number] for row in rows) for number in range(len(measures))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        python = sys.executable
        helped, bare_python = alternately(
            runs,
            lambda: timed([python, "-m", "tui", "--help"], env),
            lambda: timed([python, "-c", "import argparse"], env),
        )
        print(line("--help", helped, bare_python, 'python -c "import argparse"', 3.0))
        gateway = Slow()
        try:
            key = Path(home) / "key"
            key.write_text("sk-bench-0000000000\n")
            key.chmod(0o600)
            config = Path(home) / "config.toml"
            config.write_text(f'[profiles.bench]\nurl = "{gateway.url}"\napi_key_file = "{key}"\n')
            config.chmod(0o600)
            Path(home).chmod(0o700)
            ours = [python, "-m", "tui", "--config", str(config)]
            kept: dict[str, list[Shown]] = {"ours": [], "bare": []}

            def first() -> float:
                kept["ours"].append(Shown(ours, env, b"litellm-tui", b"key-number-11"))
                return kept["ours"][-1].seconds[0]

            def bare() -> float:
                kept["bare"].append(Shown([python, "-m", "tests.terminal.bare"], env, b"key-number-17"))
                return kept["bare"][-1].seconds[0]

            frame, bare_frame = alternately(runs, first, bare)
            keys = statistics.median(each.seconds[1] for each in kept["ours"])
            slowest = max(gateway.took)
            memory = [statistics.median(each.memory for each in kept[name]) for name in ("ours", "bare")]
        finally:
            gateway.close()
        print(line("first frame", frame, bare_frame, "a bare Textual app", 1.3))
        print(line("keys on screen", keys, frame + slowest, "first frame + slowest call", 1.15))
        print(line("memory, 12 keys", memory[0], memory[1], "a bare Textual app", 2.0, "MB"))
        calls = len(gateway.took) / len(kept["ours"])
        print(f"calls of a start: {calls:.1f}; threads here: {threading.active_count()}")


if __name__ == "__main__":
    main()
