"""20,000 keys and 3,000 users on a real proxy, and its database as the judge.

Only where `LITELLM_TUI_TEST_BIG` names a stand of its own for it, "URL DATABASE_URL": the tests delete keys there, and
the company of `tests/benchmarks/many_keys_seed.py` is put in anew each time. To have one:

    eval "$(LITELLM_STAND=/var/tmp/stand-big LITELLM_STAND_PG_PORT=56998 proxy up --version 1.108.0 --port 4998)"
    export LITELLM_TUI_TEST_BIG="$LITELLM_PROXY_URL $LITELLM_STAND_DATABASE_URL"
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.benchmarks.many_keys_seed import seed
from tests.conftest import Proxy
from tui.gateway import bulk, capabilities
from tui.gateway.bulk import Outcome
from tui.gateway.capabilities import Rights, Server
from tui.gateway.client import Client
from tui.gateway.key_pages import AllKeys, KeyPages, KeyQuery, Status
from tui.gateway.users import user_pages

BIG = os.environ.get("LITELLM_TUI_TEST_BIG", "").split()

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(len(BIG) != 2, reason="no stand with 20,000 keys: LITELLM_TUI_TEST_BIG names none"),
]
COUNT = 20_000
TABLE = '"LiteLLM_VerificationToken"'


@pytest.fixture(scope="module")
def big() -> Proxy:
    """The stand, with the company as it was."""
    url, database = BIG
    seed(database)
    return Proxy("", url, os.environ.get("LITELLM_MASTER_KEY", "sk-stand-master-0123456789"), database)


@pytest.fixture
async def client(big: Proxy) -> AsyncIterator[Client]:
    async with Client(big.url, big.master_key) as client:
        yield client


@pytest.fixture
async def server(client: Client) -> Server:
    return await capabilities.server(client)


def hashes(big: Proxy, where: str, order: str = "token") -> list[str]:
    """What the database holds."""
    return [row[0] for row in big.sql(f"select token from {TABLE} where {where} order by {order}")]


def resident() -> float:
    """Memory of this process now, in MB."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


async def test_a_walk_to_the_end_shows_each_key_once(client: Client, server: Server, big: Proxy) -> None:
    """newest first, in the database's own order, with a few pages in memory"""
    pages = KeyPages(client, server, KeyQuery())
    seen: list[str] = []
    while pages.total is None or len(seen) < pages.total:
        seen += [key.hash for key in await pages.read(len(seen), 100)]
        assert pages.in_memory <= 900
    assert seen == hashes(big, "true", "created_at desc, token desc")


async def test_everything_by_expiry_in_little_memory(client: Client, server: Server, big: Proxy) -> None:
    """20,000 records would be 80 MB"""
    before = resident()
    keys = await KeyPages(client, server, KeyQuery(sort="expires", descending=False)).everything()
    assert resident() - before < 30
    assert {row.hash for row in keys.rows} == set(hashes(big, "true"))
    assert len(keys.rows) == COUNT
    ending = [row.hash for row in keys.rows if row.expires_at]
    assert ending == hashes(big, "expires is not null", "expires, lower(coalesce(key_alias, key_name)), token")
    agree(keys, big)


def agree(keys: AllKeys, big: Proxy) -> None:
    """Each condition picks what the database would."""
    now = datetime.now(UTC)
    picked = {
        "expires <= now()": bulk.expired(keys.rows, now),
        "spend >= max_budget": bulk.over_budget(keys.rows),
        "coalesce(last_active, created_at) < now() - interval '90 days' and (last_active is not null or spend = 0)": (
            bulk.unused(keys.rows, now)
        ),
    }
    for where, chosen in picked.items():
        assert {row.hash for row in chosen.keys} == set(hashes(big, where)), where
        assert chosen.keys


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (KeyQuery(alias="PROD-mobile-19"), "key_alias ilike '%prod-mobile-19%'"),
        (KeyQuery(user_id="big-user-0100"), "user_id = 'big-user-0100'"),
        (KeyQuery(team_id="big-team-010"), "team_id = 'big-team-010'"),
        (KeyQuery(status=Status.BLOCKED), "blocked"),
        (KeyQuery(ended=True), "expires < now()"),
    ],
    ids=str,
)
async def test_a_filter_finds_what_the_database_does(
    client: Client, server: Server, big: Proxy, query: KeyQuery, where: str
) -> None:
    pages = KeyPages(client, server, query)
    found: list[str] = []
    while pages.total is None or len(found) < pages.total:
        found += [key.hash for key in await pages.read(len(found), 100)]
    assert found == hashes(big, where, "created_at desc, token desc")


async def test_deleting_200_stopped_half_way(client: Client, server: Server, big: Proxy) -> None:
    """# S11 S43: the database agrees with what was said; the rest can be done afterwards"""
    chosen = (await KeyPages(client, server, KeyQuery(ended=True)).everything()).rows[:200]
    wanted = {row.hash for row in chosen}
    stop = asyncio.Event()

    def progress(done: int, _failed: int, _total: int) -> None:
        if done >= 100:
            stop.set()

    results = await bulk.delete(client, Rights(server=server), chosen, progress=progress, stop=stop)
    done = {result.item.hash for result in results if result.outcome is Outcome.DONE}
    assert 100 <= len(done) < 200
    assert wanted & set(hashes(big, "true")) == wanted - done
    again = await bulk.delete(client, Rights(server=server), bulk.to_retry(results))
    assert {result.outcome for result in again} == {Outcome.DONE}
    assert not wanted & set(hashes(big, "true"))


async def test_3000_users_page_by_page(client: Client, big: Proxy) -> None:
    pages = user_pages(client)
    seen: list[str] = []
    while pages.total is None or len(seen) < pages.total:
        seen += [user.user_id for user in await pages.read(len(seen), 100)]
    ids = [row[0] for row in big.sql('select user_id from "LiteLLM_UserTable" order by user_id')]
    assert seen == ids
    assert len(ids) >= 3000
