"""Rotation on real proxies, as it is lived: killed processes, grace periods, and a service that never notices.

Run as a program it is the process that is killed: it rotates one key, says each step and waits for a line.
"""

import asyncio
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Stand
from tui.envfile import get_variable, set_variable
from tui.gateway import keys, rotation
from tui.gateway.capabilities import Rights, Server
from tui.gateway.client import Client
from tui.gateway.errors import GatewayError
from tui.gateway.rotation import How, Step
from tui.gateway.rotation_records import NOTE, retired
from tui.gateway.schema import Key

pytestmark = pytest.mark.live

STEPS = {
    How.GRACE: ["created", "proved", "delivered", "retired"],
    How.DELETE: ["created", "proved", "delivered", "old key gone"],
}


async def rotate_and_wait(given: dict[str, str]) -> None:
    """One rotation, a line for each step; each goes on when a line comes back."""

    def said(step: str) -> None:
        print(step, flush=True)
        sys.stdin.readline()

    how = How(given["how"])
    async with Client(given["url"], given["key"]) as client:
        key = await keys.key_info(client, given["hash"])
        assert key is not None
        grace = "1h" if how is How.GRACE else "0"
        rights = Rights(server=Server(given["version"]))
        plan = rotation.plan(key, grace=grace, rights=rights, now=datetime.now(UTC))
        successor = await rotation.create(client, plan)
        said("created")
        await rotation.prove(lambda secret: Client(given["url"], secret), successor)
        said("proved")
        now: rotation.Unfinished | Key = await rotation.confirm(client, successor.rotation, how, "1h")
        while not isinstance(now, Key):
            said(now.step.value)
            now = await rotation.advance(client, now)
        said("finished")


async def kill_after(step: str, stand: Stand, hash: str, how: How) -> None:
    """Run the program, and kill it without warning when it says `step`."""
    given = {
        "url": stand.proxy.url,
        "key": stand.proxy.master_key,
        "version": stand.proxy.version,
        "hash": hash,
        "how": how.value,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.live.test_rotation_live",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            process.stdin.write(json.dumps(given).encode() + b"\n")
            await process.stdin.drain()
            while (line := (await process.stdout.readline()).decode().strip()) != step:
                assert line, "the program ended before it was killed"
                process.stdin.write(b"\n")
                await process.stdin.drain()
    finally:
        process.kill()
        ended = await process.wait()
    assert ended == -signal.SIGKILL


async def answers(stand: Stand, secret: str) -> GatewayError | None:
    """What a chat completion with `secret` is refused with; None where it is answered."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    async with Client(stand.proxy.url, secret) as client:
        try:
            await client.post("/chat/completions", body)
        except GatewayError as error:
            return error
    return None


STOPS = [
    pytest.param(how, step, id=f"{how.value}-{step.replace(' ', '-')}")
    for how, steps in STEPS.items()
    for step in steps
]


@pytest.mark.parametrize(("how", "step"), STOPS)
@pytest.mark.parametrize("way", ["finish", "undo"])
async def test_killed(live: Stand, how: How, step: str, way: str) -> None:
    """SIGKILL after each step: listed by the next look, and both ways leave one live key under the name."""
    user_id = await live.user()
    old = await live.key(user_id, metadata={"keep": 1}, spend=0.5, max_budget=50)
    await kill_after(step, live, old.hash, how)
    (found,) = rotation.unfinished(await keys.list_keys(live.admin, user_id))
    assert found.step.value == ("created" if step == "proved" else step)
    assert await answers(live, old.secret) is None or found.step is Step.OLD_GONE

    left = (
        await rotation.finish(live.admin, found, secret_is_safe=found.needs_secret)
        if way == "finish"
        else await rotation.undo(live.admin, found)
    )
    everything = await keys.list_keys(live.admin, user_id)
    assert rotation.unfinished(everything) == []
    assert [key.hash for key in everything if key.alias == live.name("key")] == [left.hash]
    others = [key for key in everything if key.hash != left.hash]
    assert all(retired(key) and key.expires_at for key in others)
    stays_old = way == "undo" and found.step is not Step.OLD_GONE
    assert (left.hash == old.hash) is stays_old
    assert (len(others), left.metadata["keep"], left.spend) == (
        1 if way == "finish" and how is How.GRACE else 0,
        1,
        0.5,
    )
    assert NOTE not in left.metadata
    if stays_old:
        assert await answers(live, old.secret) is None


async def test_the_old_key_answers_until_its_grace_ends(live: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    """And not after; the new one answers from the moment it is shown. The proxy keeps keys in memory: how late?"""
    user_id = await live.user()
    old = await live.key(user_id)
    assert await answers(live, old.secret) is None  # it is in the proxy's memory now
    key = await keys.key_info(live.admin, old.hash)
    assert key is not None
    rights = Rights(server=live.server)
    plan = rotation.plan(key, grace="5s", rights=rights, now=datetime.now(UTC))
    successor = await rotation.create(live.admin, plan)
    assert await answers(live, successor.secret) is None
    await rotation.finish(live.admin, successor.rotation, secret_is_safe=True, how=How.GRACE, grace="5s")
    ending = await keys.key_info(live.admin, old.hash)
    assert ending is not None
    assert ending.expires_at is not None

    last_answer, refusal = None, None
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        asked = datetime.now(UTC)
        refusal = await answers(live, old.secret)
        if refusal is not None:
            refused = datetime.now(UTC)
            break
        last_answer = asked
        assert await answers(live, successor.secret) is None
        await asyncio.sleep(0.1)  # ten requests a second at most
    assert refusal is not None, "the old key answers 90 s on"
    assert refusal.type == "expired_key"
    assert last_answer is not None
    late = (last_answer - ending.expires_at).total_seconds()
    with capsys.disabled():
        print(f" {live.proxy.name}: last answer {late:+.2f} s from the end", end="")
    # a call may leave before the end and be looked at after it
    assert refused >= ending.expires_at, "refused before its end"
    assert late < 65, "later than the proxy's memory for keys lasts"
    assert await answers(live, successor.secret) is None


async def test_ten_rotations_and_no_request_fails(live: Stand, tmp_path: Path) -> None:
    """A service reads its env file before each request, at most ten a second, a minute at most in all."""
    user_id = await live.user()
    first = await live.key(user_id)
    env = tmp_path / ".env"
    set_variable(env, "LITELLM_API_KEY", first.secret)
    requests, failed, turn, stop = 0, list[str](), asyncio.Condition(), asyncio.Event()
    used: set[str] = set()

    async def service() -> None:
        nonlocal requests
        while not stop.is_set():
            started = time.monotonic()
            secret = get_variable(env, "LITELLM_API_KEY") or ""
            refused = await answers(live, secret)
            if refused is not None:
                failed.append(str(refused))
            used.add(secret)
            async with turn:
                requests += 1
                turn.notify_all()
            await asyncio.sleep(max(0.0, 0.1 - (time.monotonic() - started)))

    async def rotations() -> None:
        current = await keys.key_info(live.admin, first.hash)
        for _ in range(10):
            assert current is not None
            rights = Rights(server=live.server)
            plan = rotation.plan(current, grace="5s", rights=rights, now=datetime.now(UTC))
            successor = await rotation.create(live.admin, plan)
            await rotation.prove(live.client, successor)
            set_variable(env, "LITELLM_API_KEY", successor.secret)
            state = await rotation.confirm(live.admin, successor.rotation, How.GRACE, "5s")
            current = await rotation.finish(live.admin, state)
            seen = requests
            async with turn:
                await turn.wait_for(lambda seen=seen: requests >= seen + 5)  # type: ignore[misc]
        stop.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(service())
        group.create_task(rotations())
    assert failed == []
    assert (requests >= 50, len(used)) == (True, 11)
    found = await keys.list_keys(live.admin, user_id)
    assert [key.alias for key in found if not retired(key)] == [live.name("key")]


if __name__ == "__main__":
    asyncio.run(rotate_and_wait(json.loads(sys.stdin.readline())))
