"""`keys rotate` and `rotations` as processes, against real releases: as an admin and as a person with an own key."""

import asyncio
import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Stand
from tui import envfile
from tui.gateway import keys
from tui.gateway.client import Client
from tui.gateway.errors import Unauthorized
from tui.gateway.rotation_records import is_secret_of
from tui.gateway.schema import Key

pytestmark = pytest.mark.live


async def command(stand: Stand, *args: str, key: str | None = None) -> tuple[int, str, str]:
    """Run `litellm-tui ARGS` on the stand; exit code, stdout, stderr, which holds no secret."""
    dropped = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", *args, "--url", stand.proxy.url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**dropped, "XDG_CONFIG_HOME": "/nonexistent", "LITELLM_TUI_API_KEY": key or stand.proxy.master_key},
    )
    out, err = await process.communicate()
    said = err.decode()
    assert "sk-" not in said.replace("sk-...", ""), "no secret in what is said"
    return process.returncode or 0, out.decode(), said


async def works(stand: Stand, secret: str) -> bool:
    """Whether the gateway lets a call with it through."""
    async with Client(stand.proxy.url, secret) as client:
        try:
            await client.get("/models")
        except Unauthorized:
            return False
    return True


async def of(stand: Stand, user_id: str) -> dict[str | None, Key]:
    """The user's keys by alias."""
    return {key.alias: key for key in await keys.list_keys(stand.admin, user_id)}


async def test_rotated_into_an_env_file(live: Stand, tmp_path: Path) -> None:
    user, alias = await live.user(), live.name("key")
    old = await live.key(user, max_budget=5, metadata={"keep": "this"})
    env = tmp_path / ".env"
    env.write_text(f"# mine\nexport KEY='{old.secret}'\n")
    code, out, err = await command(
        live, "keys", "rotate", alias, "--env-file", str(env), "--var", "KEY", "--grace", "10m", "--yes", "--json"
    )
    assert code == 0, err
    held = envfile.get_variable(env, "KEY")
    assert held and held != old.secret and env.read_text() == f"# mine\nexport KEY='{held}'\n"
    assert held not in out and old.secret not in out
    assert await works(live, held) and await works(live, old.secret)
    found = await of(live, user)
    new, was = found[alias], found[json.loads(out)["old"]["alias"]]
    assert is_secret_of(held, new.hash) and was.hash == old.hash and len(found) == 2
    assert new.max_budget == 5 and new.metadata["keep"] == "this"
    assert was.expires_at and timedelta(minutes=8) < was.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    code, out, _ = await command(live, "rotations", "--user", user, "--json")
    assert code == 0 and json.loads(out)["unfinished"] == []


async def test_a_persons_own_key_to_stdout(live: Stand) -> None:
    """Her session's own key, which an admin made: recent releases let her delete it and not end it later."""
    user, alias = await live.user(user_role="internal_user"), live.name("key")
    old = await live.key(user)
    code, out, err = await command(live, "keys", "rotate", alias, "--stdout", "--grace", "0", "--yes", key=old.secret)
    assert code == 0, err
    secret = out.removesuffix("\n")
    assert await works(live, secret) and not await works(live, old.secret)
    assert [(key.alias, key.hash) for key in (await of(live, user)).values()] == [(alias, key_hash(secret))]


def key_hash(secret: str) -> str:
    """LiteLLM's name for it."""
    return hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize("way", ["finish", "undo"])
async def test_kept_and_then_finished_or_undone(live: Stand, tmp_path: Path, way: str) -> None:
    user, alias = await live.user(), live.name("key")
    old = await live.key(user)
    path = tmp_path / "new.key"
    args = ("keys", "rotate", alias, "--out", str(path), "--grace", "keep", "--yes")
    code, _, err = await command(live, *args)
    assert code == 0, err
    secret = path.read_text().strip()
    code, out, _ = await command(live, "rotations", "--user", user, "--json")
    (begun,) = json.loads(out)["unfinished"]
    assert begun["alias"] == alias and begun["step"] == "kept" and is_secret_of(secret, begun["new_hash"])
    code, _, err = await command(live, *args)
    assert code == 1 and (f"rotations finish {alias}" in err or "there already" in err)
    code, _, err = await command(live, "rotations", way, alias, "--yes")
    assert code == 0, err
    left, gone = (secret, old.secret) if way == "finish" else (old.secret, secret)
    assert await works(live, left) and not await works(live, gone)
    assert [(key.alias, key.hash) for key in (await of(live, user)).values()] == [(alias, key_hash(left))]


async def test_all_that_end_soon(live: Stand, tmp_path: Path) -> None:
    user = await live.user()
    await live.key(user, "soon", duration="2d")
    await live.key(user, "later", duration="60d")
    args = ("keys", "rotate", "--all-expiring", "14d", "--expires", "90d", "--env-dir", str(tmp_path), "--user", user)
    code, _, err = await command(live, *args, "--yes")
    assert code == 0 and "1 of 1 keys rotated" in err, err
    (path,) = tmp_path.iterdir()
    assert path.name == f"{live.name('soon')}.env"
    assert await works(live, path.read_text().strip().split("=")[1])
    code, _, err = await command(live, *args, "--yes")
    assert code == 0 and "Nothing to rotate" in err
