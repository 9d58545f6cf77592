"""The start against real releases, and against servers that are no gateway (S30-S38)."""

import asyncio
import json
import sys
from collections.abc import Callable

import pytest

from tests.conftest import Proxy, Stand
from tui import startup
from tui.config import Settings
from tui.gateway.errors import GatewayError

pytestmark = pytest.mark.live

_SCRIPT = """
import asyncio, json, sys
from tui import startup
from tui.config import Provisioning, Settings
from tui.credentials import HeldKey, Secret

async def main():
    url, key, user = sys.stdin.read().split()
    grant = {"enabled": True, "defaults": {"max_budget": 12, "metadata": {"cost_centre": "42"}}}
    settings = Settings("race", url, HeldKey(Secret(key)), user=user, provisioning=Provisioning.model_validate(grant))
    session = await startup.start(settings)
    await session.client.aclose()
    print(json.dumps([session.user.user_id, session.user.max_budget, session.user.role, len(session.keys)]))

asyncio.run(main())
"""


async def test_two_programs_at_once_leave_one_user_and_no_stray_key(live: Stand) -> None:
    """# S35: separate processes, as two shells of one person"""
    user_id = live.own(live.name("shells"))

    async def program() -> list[object]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SCRIPT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(f"{live.proxy.url} {live.proxy.master_key} {user_id}".encode())
        assert process.returncode == 0
        found: list[object] = json.loads(out)
        return found

    assert tuple(await asyncio.gather(program(), program())) == ([user_id, 12.0, "internal_user", 0],) * 2
    if live.proxy.database:
        assert live.proxy.sql(
            f"select count(*) from \"LiteLLM_UserTable\" where user_id = '{user_id}' union all "
            f"select count(*) from \"LiteLLM_VerificationToken\" where user_id = '{user_id}'"
        ) == [["1"], ["0"]]


async def test_a_refused_start_leaves_the_database_as_it_was(
    live: Stand, settings_for: Callable[..., Settings]
) -> None:
    """# S33"""
    if not live.proxy.database:
        pytest.skip("LITELLM_TUI_TEST_DATABASES names no database for this proxy")
    user_id = live.own(live.name("off"))
    with pytest.raises(GatewayError):
        await startup.start(settings_for(live, user=user_id))
    for table in ("LiteLLM_UserTable", "LiteLLM_VerificationToken"):
        assert live.proxy.sql(f"select count(*) from \"{table}\" where user_id = '{user_id}'") == [["0"]]


async def test_no_name_sees_the_whole_proxy_through_pages(live: Stand, settings_for: Callable[..., Settings]) -> None:
    """# S5 S37: as many keys as the database holds"""
    session = await startup.start(settings_for(live))
    await session.client.aclose()
    assert session.server.version == live.proxy.version
    assert session.everyone
    assert len({key.hash for key in session.keys}) == len(session.keys)
    if live.proxy.database:
        [[count]] = live.proxy.sql(
            "select count(*) from \"LiteLLM_VerificationToken\" where token like 'seed%' and token not like 'sk-%'"
        )
        assert len([key for key in session.keys if key.hash.startswith("seed")]) == int(count)


async def test_a_trailing_slash_and_a_wrong_prefix(
    live_proxy: Proxy, live: Stand, settings_for: Callable[..., Settings]
) -> None:
    """# S1 S24"""
    session = await startup.start(settings_for(live, url=live_proxy.url + "/"))
    await session.client.aclose()
    settings = settings_for(live, url=live_proxy.url + "/not-here")
    with pytest.raises(GatewayError) as refused:
        await startup.start(settings)
    assert startup.explain(refused.value, settings).title == "That is not LiteLLM"
