"""A rotation beside the same HTTP calls by curl, one after another: medians of one run.

    LITELLM_MASTER_KEY=… python -m tests.benchmarks.rotation PROXY_URL RELEASE [--runs N]

Three ways take turns, each with a key of its own: the calls by our protocol code in this process (plan to end, with a
grace period); the calls that it made, again for another key, by curl, once over one connection (two: the new key has to
be known for the rest) and once over a new one for each call; and the command `keys rotate`, from its start to its end.
curl's times are the sum of its own for each call, without the start of the program. Its calls stand in one line; of
ours some are under way together. The command connects and finds the key besides.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.benchmarks.curl import Call, ask
from tests.benchmarks.table import Row, text
from tests.benchmarks.terminal import ROOT, environment
from tests.ssh.gateway import Admin
from tui.gateway import keys, rotation
from tui.gateway.capabilities import Rights, Server
from tui.gateway.client import Client
from tui.gateway.rotation import How
from tui.gateway.schema import Key

GRACE = "1h"


class Noted(httpx.AsyncHTTPTransport):
    """Notes what is sent."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self._calls = calls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        self._calls.append(Call(request.method, str(request.url), key, request.content.decode()))
        return await super().handle_async_request(request)


async def rotate(url: str, master_key: str, release: str, hash: str) -> tuple[float, list[Call], str, str]:
    """Rotate the key of that hash; seconds, the calls, and the new key's hash and secret."""
    calls: list[Call] = []

    def client(key: str) -> Client:
        return Client(url, key, transport=Noted(calls))

    async with client(master_key) as session:
        old = await keys.key_info(session, hash)
        assert old is not None
        calls.clear()
        rights = Rights(server=Server(release))
        began = time.perf_counter()
        plan = rotation.plan(old, grace=GRACE, rights=rights, now=datetime.now(UTC))
        made = await rotation.create(session, plan)
        await rotation.prove(client, made)
        now: rotation.Unfinished | Key = await rotation.confirm(session, made.rotation, How.GRACE, GRACE)
        while not isinstance(now, Key):
            now = await rotation.advance(session, now)
        return time.perf_counter() - began, calls, made.hash, made.secret


def again(calls: Sequence[Call], other: dict[str, str], new: tuple[str, str], *, keep_alive: bool) -> float:
    """Make the calls by curl for another key; the seconds of all of them.

    `other` has the words of the first key and its alias with those to put in their place; `new` is the hash and secret
    that the first rotation got.
    """
    words = dict(other)
    took = 0.0
    made = next(number for number, call in enumerate(calls) if call.url.endswith("/key/generate"))
    for some in (calls[: made + 1], calls[made + 1 :]):
        mine = [_changed(call, words) for call in some]
        parts = [mine] if keep_alive else [[call] for call in mine]
        answers = [answer for part in parts for answer in ask(part)]
        took += sum(each for each, _ in answers)
        if new[0] not in words:
            answer = json.loads(answers[-1][1])
            words |= {new[0]: answer["token"], new[1]: answer["key"]}
    return took


def _changed(call: Call, words: dict[str, str]) -> Call:
    url, key, body = call.url, call.key, call.body
    for old, now in words.items():
        url, key, body = url.replace(old, now), key.replace(old, now), body.replace(old, now)
    return Call(call.method, url, key, body)


def command(url: str, master_key: str, user: str, alias: str, home: Path) -> float:
    """Seconds that `keys rotate` takes."""
    env = environment(home, LITELLM_TUI_URL=url, LITELLM_TUI_API_KEY=master_key)
    words = [sys.executable, "-m", "tui", "--user", user, "keys", "rotate", alias]
    words += ["--grace", GRACE, "--out", str(home / f"{alias}.key"), "--yes"]
    began = time.perf_counter()
    done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began


def measure(url: str, master_key: str, release: str, runs: int) -> list[Row]:
    """The rows. What it makes at the gateway is deleted again."""
    admin = Admin(url, master_key)
    user = f"bench-{uuid.uuid4().hex[:8]}"
    admin.post("/user/new", {"user_id": user, "auto_create_key": False})

    def make(alias: str) -> str:
        admin.post("/key/generate", {"user_id": user, "key_alias": alias})
        return str(admin.keys(user)[alias]["token"])

    ours: list[float] = []
    one: list[float] = []
    each: list[float] = []
    whole: list[float] = []
    calls: list[Call] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(runs + 1):
                names = [f"{user}-{number}-{way}" for way in ("ours", "one", "each", "whole")]
                hashes = [make(alias) for alias in names]
                took, calls, *new = asyncio.run(rotate(url, master_key, release, hashes[0]))
                ours.append(took)
                for into, way in ((one, 1), (each, 2)):
                    other = {hashes[0]: hashes[way], names[0]: names[way]}
                    into.append(again(calls, other, (new[0], new[1]), keep_alive=way == 1))
                    assert _rotated(admin, user, names[way], hashes[way]), "curl has not rotated the key"
                whole.append(command(url, master_key, user, names[3], Path(folder)))
                assert _rotated(admin, user, names[3], hashes[3])
                if not number:
                    for some in (ours, one, each, whole):
                        some.clear()
    finally:
        admin.forget(user)
    middle = {name: statistics.median(some) * 1000 for name, some in (("ours", ours), ("one", one), ("each", each))}
    count = len(calls)
    return [
        Row(f"rotation, {count} calls", middle["ours"], "the same by curl, kept connection", middle["one"]),
        Row(f"rotation, {count} calls", middle["ours"], "the same by curl, a connection each", middle["each"]),
        Row(
            "`keys rotate`, start to end",
            statistics.median(whole) * 1000,
            "the rotation's calls by curl",
            middle["one"],
        ),
    ]


def _rotated(admin: Admin, user: str, alias: str, hash: str) -> bool:
    return bool(admin.keys(user)[alias]["token"] != hash)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("release", help="of the gateway, such as 1.108.0")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    print(text(measure(given.url, os.environ["LITELLM_MASTER_KEY"], given.release, given.runs)))


if __name__ == "__main__":
    main()
