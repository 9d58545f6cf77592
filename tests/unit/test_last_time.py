"""A key that is known from last time: one round of calls, and nothing of what was guessed is believed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tui import startup
from tui.config import Settings
from tui.credentials import EnvKey, Secret
from tui.demo import DemoGateway
from tui.gateway.errors import Unauthorized
from tui.last_time import LastTime, Whose
from tui.startup import Session

URL = "https://llm.example.com"
FIRST = ["/health/readiness", "/key/info", "/public/model_hub/info"]
LISTS = ["/key/list", "/team/list", "/user/info"]


@pytest.fixture
def gateway() -> DemoGateway:
    gateway = DemoGateway()
    for user in ("ada", "bob"):
        gateway.add_user(user, user_role="internal_user")
        gateway.add_key(f"sk-{user}-0123456789abcdef", user_id=user, key_alias=f"{user}'s own")
    return gateway


async def start(gateway: DemoGateway, key: str, where: Path, user: str | None = None) -> Session:
    gateway.calls.clear()
    settings = Settings("p", URL, EnvKey("X", Secret(key)), user=user)
    session = await startup.start(settings, transport=gateway.transport(), remember=where)
    await session.client.aclose()
    return session


async def first_round(gateway: DemoGateway, key: str, where: Path, user: str | None = None) -> list[str]:
    """The calls of a start that go out before any is answered."""
    asked: list[str] = []

    async def never(request: httpx.Request) -> None:
        asked.append(request.url.path + (f" of {who}" if (who := request.url.params.get("user_id")) else ""))
        await asyncio.Event().wait()

    gateway.intercept("GET", "*", never, times=1000)
    task = asyncio.create_task(start(gateway, key, where, user))
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return sorted(asked)


async def test_the_second_start_asks_for_everything_together(gateway: DemoGateway, tmp_path: Path) -> None:
    key = "sk-ada-0123456789abcdef"
    session = await start(gateway, key, tmp_path)
    assert [each.alias for each in session.keys] == ["ada's own"]
    assert sorted(call.path for call in gateway.calls) == sorted(FIRST + LISTS)
    again = await start(gateway, key, tmp_path)
    assert (again.user_id, again.keys, again.rights) == (session.user_id, session.keys, session.rights)
    assert sorted(call.path for call in gateway.calls) == sorted(FIRST + LISTS), "none of them twice"
    assert await first_round(gateway, key, tmp_path) == sorted(FIRST + [f"{path} of ada" for path in LISTS])


async def test_a_key_that_is_not_known_is_asked_about_first(gateway: DemoGateway, tmp_path: Path) -> None:
    await start(gateway, "sk-ada-0123456789abcdef", tmp_path)
    assert await first_round(gateway, "sk-bob-0123456789abcdef", tmp_path) == FIRST


async def test_the_master_key_asks_about_the_user_of_now(gateway: DemoGateway, tmp_path: Path) -> None:
    await start(gateway, gateway.master_key, tmp_path, "ada")
    session = await start(gateway, gateway.master_key, tmp_path, "bob")
    assert [each.alias for each in session.keys] == ["bob's own"]
    asked = await first_round(gateway, gateway.master_key, tmp_path, "bob")
    assert asked == sorted(FIRST + [f"{path} of bob" for path in LISTS])


async def test_nobody_named_is_never_asked_about(gateway: DemoGateway, tmp_path: Path) -> None:  # S5
    await start(gateway, gateway.master_key, tmp_path)
    assert await first_round(gateway, gateway.master_key, tmp_path) == FIRST


async def test_a_key_that_has_become_another_users_shows_theirs(gateway: DemoGateway, tmp_path: Path) -> None:
    key = "sk-ada-0123456789abcdef"
    LastTime(tmp_path, URL, key).keep(Whose("bob"))
    session = await start(gateway, key, tmp_path)
    assert session.user_id == "ada" and session.user is not None and session.user.user_id == "ada"
    assert [each.alias for each in session.keys] == ["ada's own"]
    assert LastTime(tmp_path, URL, key).read() == Whose("ada")


@pytest.mark.parametrize("limit", [{"key_type": "llm_api"}, {"allowed_routes": ["/key/info", "/user/info"]}])
async def test_a_key_that_may_not_list_is_not_guessed_about(  # S44
    gateway: DemoGateway, tmp_path: Path, limit: dict[str, Any]
) -> None:
    key = gateway.add_key(user_id="ada", **limit)
    await start(gateway, key, tmp_path)
    assert await first_round(gateway, key, tmp_path) == FIRST


async def test_a_key_that_is_refused_by_now_is_told_as_ever(gateway: DemoGateway, tmp_path: Path) -> None:
    key = "sk-ada-0123456789abcdef"
    await start(gateway, key, tmp_path)
    gateway.keys.clear()
    with pytest.raises(Unauthorized) as refused:
        await start(gateway, key, tmp_path)
    assert refused.value.key_state == "unknown"
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_is_written_is_private_and_no_secret(gateway: DemoGateway, tmp_path: Path) -> None:  # S3
    key, where = "sk-ada-0123456789abcdef", tmp_path / "keys"
    await start(gateway, key, where)
    [file] = where.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and where.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text()) == {"schema": 1, "user_id": "ada", "master": False}
    assert "sk-ada" not in file.name


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"schema": 2, "user_id": "bob"}', b"[" * 4000])
async def test_a_damaged_file_is_as_none(gateway: DemoGateway, tmp_path: Path, content: bytes) -> None:
    key = "sk-ada-0123456789abcdef"
    path = LastTime(tmp_path, URL, key).path
    path.write_bytes(content)
    assert (await start(gateway, key, tmp_path)).user_id == "ada"
    assert LastTime(tmp_path, URL, key).read() == Whose("ada")


async def test_without_a_folder_a_start_goes_on(gateway: DemoGateway, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert (await start(gateway, "sk-ada-0123456789abcdef", tmp_path / "taken" / "keys")).user_id == "ada"
