"""What several kinds of tests share: the gateways to test against, embedded and real, and a client for each.

Real proxies come from the environment. `LITELLM_TUI_TEST_PROXIES` holds base URLs, blank between them, each `URL` or
`VERSION=URL`; `LITELLM_MASTER_KEY` their master key; `LITELLM_TUI_TEST_DATABASES`, in the same order, their databases.
"""

import asyncio
import contextlib
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import pytest

from tests.secrets import scan
from tui.config import Provisioning, Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway import capabilities, keys
from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import Invalid, NotFound
from tui.gateway.schema import NewKey

DEMO_VERSIONS = ("1.74.0", "1.83.0", "1.108.0")
NO_PROXY = "no real LiteLLM proxy: LITELLM_TUI_TEST_PROXIES names none"


def pytest_configure(config: pytest.Config) -> None:
    """Note every key that a client is made with, for the scan at the end of the run."""
    scan.track()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No secret lies in a file that the tests wrote, or was given to a child: as an argument, or in a variable."""
    base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    if hasattr(session.config, "workerinput"):
        scan.hand_over(base.parent)
        return
    scan.collect(base)
    found = [*scan.search([base], scan.made), *scan.given_away()]
    for line in found:
        print(f"\nsecret: {line}")
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@dataclass(frozen=True)
class Proxy:
    """A gateway under test. `database` is a libpq URL, "" where it is not known; `demo` marks the embedded one."""

    version: str
    url: str
    master_key: str = field(repr=False)
    database: str = field(default="", repr=False)
    demo: bool = False

    @property
    def name(self) -> str:
        """The id that pytest shows."""
        return f"{'demo' if self.demo else 'real'}-{self.version}"

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers."""
        return Server(self.version).release or ()

    def sql(self, query: str) -> list[list[str]]:
        """Rows of the proxy's own database, as text."""
        done = subprocess.run(
            ["psql", self.database, "-qAt", "-F", "\x1f", "-c", query],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [line.split("\x1f") for line in done.stdout.splitlines()]


def real_proxies(environ: os._Environ[str] | dict[str, str] = os.environ) -> list[Proxy]:
    """The real proxies that the environment names."""
    databases = environ.get("LITELLM_TUI_TEST_DATABASES", "").split()
    found = []
    for number, item in enumerate(environ.get("LITELLM_TUI_TEST_PROXIES", "").split()):
        version, _, url = item.rpartition("=") if "=" in item.split("://")[0] else ("", "", item)
        found.append(
            Proxy(
                version=version or _release(url),
                url=url,
                master_key=environ.get("LITELLM_MASTER_KEY", ""),
                database=databases[number] if number < len(databases) else "",
            )
        )
    return found


def _release(url: str) -> str:
    async def ask() -> Server:
        async with Client(url, "sk-nobody-in-particular") as client:
            return await capabilities.server(client)

    return asyncio.run(ask()).version or "unknown"


REAL = real_proxies()
DEMOS = [Proxy(v, "http://demo.invalid", "sk-demo-master-0123456789", demo=True) for v in DEMO_VERSIONS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`proxy` is every gateway; with the marker `live`, or as `live_proxy`, the real ones alone."""
    if "proxy" in metafunc.fixturenames:
        metafunc.parametrize("proxy", DEMOS + REAL, ids=lambda proxy: proxy.name, scope="session")
    if "live_proxy" in metafunc.fixturenames:
        real: list[Any] = list(REAL)
        if not real:
            real = [pytest.param(None, marks=pytest.mark.skip(reason=NO_PROXY), id="none")]
        metafunc.parametrize("live_proxy", real, ids=lambda proxy: proxy.name if proxy else "none", scope="session")


class Stand:
    """A gateway during one test: clients with any key, ids of its own, and everything made is deleted afterwards."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.mark = uuid.uuid4().hex[:12]
        self.demo = DemoGateway(version=proxy.version, master_key=proxy.master_key) if proxy.demo else None
        self._clients: list[Client] = []
        self._users: list[str] = []
        self._teams: list[str] = []

    @property
    def server(self) -> Server:
        """The release under test."""
        return Server(self.proxy.version)

    @property
    def transport(self) -> httpx.AsyncBaseTransport | None:
        """The embedded gateway's transport; None for a real one."""
        return self.demo.transport() if self.demo else None

    def client(self, key: str | None = None, *, url: str | None = None, **more: Any) -> Client:
        """A client with `key`, the master key by default."""
        made = Client(url or self.proxy.url, key or self.proxy.master_key, transport=self.transport, **more)
        self._clients.append(made)
        return made

    @cached_property
    def admin(self) -> Client:
        """A client with the master key."""
        return self.client()

    def name(self, what: str = "") -> str:
        """An alias or id that no other test has."""
        return f"t{self.mark}{'-' + what if what else ''}"

    async def user(self, what: str = "user", **fields: Any) -> str:
        """Make a user; the id."""
        user_id = self.own(self.name(what))
        await self.admin.post("/user/new", {"user_id": user_id, "auto_create_key": False, **fields})
        return user_id

    def own(self, user_id: str) -> str:
        """Have a user that the test makes by itself deleted at the end."""
        self._users.append(user_id)
        return user_id

    async def team(self, what: str = "team", **fields: Any) -> str:
        """Make a team; the id."""
        team_id = self.name(what)
        self._teams.append(team_id)
        await self.admin.post("/team/new", {"team_id": team_id, "team_alias": team_id, **fields})
        return team_id

    async def key(self, user_id: str | None = None, what: str = "key", **fields: Any) -> NewKey:
        """Make a key, as an admin."""
        alias = fields.pop("key_alias", self.name(what))
        return await keys.generate_key(self.admin, {"user_id": user_id, "key_alias": alias, **fields})

    async def close(self) -> None:
        """Delete what the test made and close every client."""
        try:
            if self.demo is None:
                await self._clean()
        finally:
            for client in self._clients:
                await client.aclose()

    async def _clean(self) -> None:
        async with Client(self.proxy.url, self.proxy.master_key) as client:
            left = [key.hash for user in self._users for key in await keys.list_keys(client, user)]
            left += [key.hash for team in self._teams for key in await keys.list_every_key(client, team_id=team)]
            mine = await client.get("/key/list", {"return_full_object": True, "size": 100, "sort_by": "created_at"})
            left += [row["token"] for row in mine["keys"] if self.mark in str(row.get("key_alias"))]
            await keys.delete_keys(client, set(left))
            for path, name, ids in (
                ("/team/delete", "team_ids", self._teams),
                ("/user/delete", "user_ids", self._users),
            ):
                for each in ids:
                    await _try(client.post(path, {name: [each]}))


async def _try(call: Awaitable[Any]) -> None:
    # the test deleted it itself, or never came to make it
    with contextlib.suppress(NotFound, Invalid):
        await call


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # answers kept from a gateway that has been seeded anew since would be another gateway's
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
async def gateway(proxy: Proxy) -> AsyncIterator[Stand]:
    """Each gateway in turn: the embedded one in three releases, and every real one."""
    stand = Stand(proxy)
    yield stand
    await stand.close()


@pytest.fixture
async def live(live_proxy: Proxy) -> AsyncIterator[Stand]:
    """Each real gateway in turn."""
    stand = Stand(live_proxy)
    yield stand
    await stand.close()


@pytest.fixture
def settings_for() -> Callable[..., Settings]:
    """Settings that lead to a stand: `settings_for(stand, key=…, user=…, provisioning={…})`."""

    def make(stand: Stand, key: str | None = None, provisioning: dict[str, Any] | None = None, **more: Any) -> Settings:
        return Settings(
            profile="test",
            url=more.pop("url", stand.proxy.url),
            credential=HeldKey(Secret(key or stand.proxy.master_key)),
            provisioning=Provisioning.model_validate(provisioning or {}),
            **more,
        )

    return make
