"""How fast the program starts, beside what it cannot be faster than; medians of one run.

    python -m tests.benchmarks.start [--runs N] [--proxy URL --user USER]

- `--help` beside `python -c "import argparse"`;
- the first frame on a pseudo-terminal beside that of a bare Textual app with header, table and footer;
- the keys of last time on screen, dim and with their age, beside the same;
- the keys on screen, as the gateway has just told them, beside the first frame and the slowest call of a start,
  over the embedded gateway on loopback, which takes `LATENCY` seconds for each call; with `--proxy` also over a real
  one, where each call is asked again with curl, alone. The master key is `LITELLM_MASTER_KEY`, and `--user` has to have
  a key;
- the memory of both apps (VmHWM) once they stand still.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.benchmarks.curl import Call, seconds
from tests.benchmarks.table import Row, alternately, text
from tests.benchmarks.terminal import ROOT, Running, environment
from tests.conftest import Proxy
from tests.ssh.gateway import Served

LATENCY = 0.15
"""Seconds that the gateway takes for a call: that of a proxy with a database, a network away."""
BARE = [sys.executable, "-m", "tests.terminal.bare"]
APP = [sys.executable, "-m", "tui"]
ANSWERED = b" rotate"
"""Of the line of hints below the keys, which is there with the gateway's answer and not before."""


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


def profile(home: Path, url: str, key: str) -> list[str]:
    """Make a configuration with one profile, the key in a file; the flags that take it."""
    home.chmod(0o700)
    for name, content in (
        ("key", f"{key}\n"),
        ("config.toml", f'[profiles.bench]\nurl = "{url}"\napi_key_file = "{home / "key"}"\n'),
    ):
        (home / name).write_text(content)
        (home / name).chmod(0o600)
    return ["--config", str(home / "config.toml")]


def timed(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, env=env, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def helped(runs: int) -> list[Row]:
    """`--help`."""
    with tempfile.TemporaryDirectory() as home:
        env = environment(Path(home))
        ours, theirs = alternately(
            runs,
            lambda: timed([*APP, "--help"], env),
            lambda: timed([sys.executable, "-c", "import argparse"], env),
        )
    return [Row("`--help`", ours * 1000, '`python -c "import argparse"`', theirs * 1000, goal=3.0)]


def shown(runs: int) -> list[Row]:
    """The first frame, the keys, and the memory, over the embedded gateway."""
    frames: list[float] = []
    last_time: list[float] = []
    keys: list[float] = []
    slowest: list[float] = []
    bare: list[float] = []
    memory: list[float] = []
    bare_memory: list[float] = []
    gateway = Slow()
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            env = environment(home)
            command = [*APP, *profile(home, gateway.url, "sk-bench-0000000000")]
            for number in range(runs + 1):
                gateway.took.clear()
                with Running(command, env) as app:
                    frames.append(app.until(b"litellm-tui"))
                    last_time.append(app.until(b"key-number-11"))
                    keys.append(app.until(ANSWERED))
                    memory.append(app.memory)
                slowest.append(max(gateway.took))
                with Running(BARE, env) as app:
                    bare.append(app.until(b"key-number-17"))
                    bare_memory.append(app.memory)
                if not number:
                    # the first round fills caches, of the machine and our own
                    for each in (frames, last_time, keys, slowest, bare, memory, bare_memory):
                        each.clear()
    finally:
        gateway.close()
    other = statistics.median(bare) * 1000
    frame, wait = statistics.median(frames) * 1000, statistics.median(slowest) * 1000
    return [
        Row("first frame", frame, "a bare Textual app", other, goal=1.3),
        Row("launch to the keys of last time", statistics.median(last_time) * 1000, "a bare Textual app", other),
        Row(
            f"launch to 12 keys, {LATENCY * 1000:.0f} ms a call",
            statistics.median(keys) * 1000,
            "first frame + slowest call",
            frame + wait,
            goal=1.15,
        ),
        Row(
            "memory, 12 keys",
            statistics.median(memory),
            "a bare Textual app",
            statistics.median(bare_memory),
            "MB",
            above=True,
        ),
    ]


def real(url: str, key: str, user: str, runs: int) -> list[Row]:
    """The keys of `user` on screen, over a real gateway."""
    paths = (
        "/health/readiness",
        "/public/model_hub/info",
        "/key/info",
        f"/user/info?user_id={user}",
        f"/team/list?user_id={user}",
        f"/key/list?user_id={user}&return_full_object=true&page=1&size=100",
    )
    frames: list[float] = []
    keys: list[float] = []
    asked: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        command = [*APP, *profile(home, url, key), "--user", user]
        for number in range(runs + 1):
            with Running(command, environment(home)) as app:
                frames.append(app.until(b"litellm-tui"))
                keys.append(app.until(ANSWERED))
            # without waiting for more than the answer: a gateway may say 404 to some of these, as it does at the start
            asked.append([seconds([Call("GET", url + path, key)]) for path in paths])
            if not number:
                for each in (frames, keys, asked):
                    each.clear()
    slowest = max(statistics.median(one) for one in zip(*asked, strict=True)) * 1000
    frame = statistics.median(frames) * 1000
    return [
        Row(
            "launch to keys, a real proxy",
            statistics.median(keys) * 1000,
            "first frame + slowest call by curl",
            frame + slowest,
            goal=1.15,
        )
    ]


def measure(runs: int) -> list[Row]:
    """All that needs no proxy."""
    return [*helped(runs), *shown(runs)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--proxy", metavar="URL")
    parser.add_argument("--user", default="seed-user-1")
    given = parser.parse_args()
    rows = measure(given.runs)
    if given.proxy:
        rows += real(given.proxy, os.environ["LITELLM_MASTER_KEY"], given.user, given.runs)
    print(text(rows))


if __name__ == "__main__":
    main()
