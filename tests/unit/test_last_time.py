"""A key that is known from last time: one round of calls, and nothing of what was guessed is believed."""

import asyncio
import gc
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tui import startup
from tui.config import Settings
from tui.credentials import EnvKey, Secret
from tui.demo import DemoGateway
from tui.gateway.errors import Unauthorized
from tui.last_time import LONGEST_LINE, MOST_LINES, LastTime, Picture, Whose
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


async def test_a_key_that_may_not_read_itself_any_more_leaves_nothing_running(  # S44
    gateway: DemoGateway, tmp_path: Path
) -> None:
    key = "sk-ada-0123456789abcdef"
    await start(gateway, key, tmp_path)
    for row in gateway.keys.values():
        row["allowed_routes"] = ["llm_api_routes"]
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    session = await start(gateway, key, tmp_path)
    assert session.caller.narrow
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    del session
    gc.collect()
    assert complaints == []


LAST = Picture(datetime(2026, 11, 20, tzinfo=UTC), ("ada-laptop",))


def known(where: Path) -> LastTime:
    last = LastTime(where, URL, "sk-ada-0123456789abcdef")
    last.keep(Whose("ada"))
    last.keep_picture(LAST)
    assert (last.read(), last.picture()) == (Whose("ada"), LAST)
    return last


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def folder_of_that_name(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "in it").touch()


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def for_everyone_to_change(path: Path) -> None:
    path.chmod(0o666)


def link_to_another(path: Path) -> None:
    path.rename(path.with_suffix(".mine"))
    path.symlink_to(path.with_suffix(".mine"))


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
@pytest.mark.parametrize(
    "replace", [pipe, folder_of_that_name, link_to_itself, for_everyone_to_change, link_to_another]
)
def test_what_is_no_private_file_of_ours_is_as_none(tmp_path: Path, replace: Callable[[Path], None]) -> None:
    last = known(tmp_path / "keys")
    for path in (last.path, last.picture_path):
        replace(path)
    found: list[object] = []
    # a daemon: opening a pipe that nobody writes to would never end
    reader = threading.Thread(target=lambda: found.extend([last.read(), last.picture()]), daemon=True)
    reader.start()
    reader.join(20)
    assert found == [None, None]


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
@pytest.mark.parametrize("replace", [pipe, folder_of_that_name, link_to_itself, for_everyone_to_change])
def test_whatever_is_in_the_way_of_a_file_a_start_goes_on(tmp_path: Path, replace: Callable[[Path], None]) -> None:
    last = known(tmp_path / "keys")
    for path in (last.path, last.picture_path):
        replace(path)
    last.keep(Whose("bob"))
    last.keep_picture(LAST)
    last.forget_picture()


@pytest.mark.skipif(os.name != "posix", reason="there are no links")
def test_nothing_is_written_where_a_link_leads(tmp_path: Path) -> None:
    last = known(tmp_path / "keys")
    mine = tmp_path / "mine"
    mine.write_text("a person's own")
    for path in (last.path, last.picture_path):
        path.unlink()
        path.symlink_to(mine)
    last.keep(Whose("bob"))
    last.keep_picture(LAST)
    assert mine.read_text() == "a person's own"
    assert (last.read(), last.picture()) == (Whose("bob"), LAST)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-20", ""])
def test_a_time_that_no_clock_shows_is_as_none(tmp_path: Path, at: str) -> None:
    last = known(tmp_path)
    last.picture_path.write_text(json.dumps({"schema": 1, "at": at, "lines": ["ada-old"]}))
    assert last.picture() is None and not last.picture_path.exists()


def test_more_lines_than_are_written_are_not_read(tmp_path: Path) -> None:
    last = known(tmp_path)
    lines = ["x" * (LONGEST_LINE * 2)] + [""] * 20_000
    last.picture_path.write_text(json.dumps({"schema": 1, "at": LAST.at.isoformat(), "lines": lines}))
    picture = last.picture()
    assert picture is not None and len(picture.lines) == MOST_LINES and len(picture.lines[0]) == LONGEST_LINE
