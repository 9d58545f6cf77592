"""Real proxies behind a relay that cuts, delays and refuses, and keys that end while a session runs (S2, S36).

The proxies themselves are left alone: other tests use them at the same time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.conftest import Stand
from tui import startup
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.gateway import client as client_module
from tui.gateway import keys
from tui.gateway.errors import GatewayError, Invalid, NotConnected, RightsChanged, Unauthorized, Unreachable
from tui.startup import Session, meanwhile, starts_anew

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own second and third attempt come at once."""
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.0)


class Relay:
    """A TCP relay on loopback in front of a proxy. `mode` is what it does with what the proxy sends back."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.mode = "through"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def up(self) -> None:
        """Listen; again at the same port after `down`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and reset those that are open."""
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._open |= {writer, back}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._copy(reader, back), self._answer(there, writer), return_exceptions=True)
        for each in (writer, back):
            each.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if self.mode == "first bytes":
                writer.write(chunk[:40])
                await asyncio.Event().wait()
            if self.mode == "nothing":
                await asyncio.Event().wait()
            if self.mode == "cut":
                # all of the head, some of the body
                head, blank, body = chunk.partition(b"\r\n\r\n")
                writer.write(head + blank + body[: len(body) // 2])
                await writer.drain()
                writer.close()
                return
            writer.write(chunk)
            await writer.drain()


@contextlib.asynccontextmanager
async def relayed(live: Stand, settings_for: Callable[..., Settings]) -> AsyncIterator[tuple[Relay, Session]]:
    relay = Relay(live.proxy.url)
    await relay.up()
    user = await live.user()
    settings = replace(settings_for(live, url=relay.url, user=user), timeout=1.5)
    try:
        session = await startup.start(settings)
        async with session.client:
            yield relay, session
    finally:
        await relay.down()


@pytest.mark.parametrize(
    ("mode", "words"), [("nothing", "did not answer for 1.5 s"), ("first bytes", "did not answer"), ("cut", "broke")]
)
async def test_a_gateway_that_falters_and_is_back(
    live: Stand, settings_for: Callable[..., Settings], mode: str, words: str
) -> None:
    async with relayed(live, settings_for) as (relay, session):
        relay.mode = mode
        with pytest.raises(Unreachable, match=words) as failed:
            await session.load_keys()
        assert failed.value.passing and not isinstance(failed.value, NotConnected)
        relay.mode = "through"
        assert await session.load_keys() == []


async def test_a_gateway_that_is_gone_and_back(live: Stand, settings_for: Callable[..., Settings]) -> None:
    async with relayed(live, settings_for) as (relay, session):
        await relay.down()
        with pytest.raises(NotConnected, match="refuses the connection") as failed:
            await session.load_keys()
        assert failed.value.passing
        await relay.up()
        assert await session.load_keys() == []


async def test_the_clock_of_a_proxy_on_this_machine_is_right(
    live: Stand, settings_for: Callable[..., Settings]
) -> None:
    session = await startup.start(settings_for(live))
    async with session.client:
        assert not session.client.clock.ahead and not [line for line in session.warnings if "clock" in line]


@pytest.mark.parametrize("end", ["expired", "blocked", "unknown"])
async def test_a_key_that_ends_under_a_session(live: Stand, settings_for: Callable[..., Settings], end: str) -> None:
    user = await live.user()
    made = await keys.generate_key(live.admin, {"user_id": user, "key_alias": live.name(end), "duration": "30d"})
    settings = replace(settings_for(live), credential=HeldKey(Secret(made.secret)), user=None)
    session = await startup.start(settings)
    async with session.client:
        if end == "expired":
            await keys.update_key(live.admin, made.hash, {"duration": "1s"})
        elif end == "blocked":
            await keys.block_key(live.admin, made.hash)
        else:
            await keys.delete_keys(live.admin, [made.hash])
        error = await _refusal(session)
        assert isinstance(error, Unauthorized) and error.key_state == end
        sentence = meanwhile(error, session)
        assert "K takes" in sentence and made.secret not in sentence and not starts_anew(error) and not error.passing


async def test_a_user_over_budget_under_a_session(live: Stand, settings_for: Callable[..., Settings]) -> None:
    user = await live.user(max_budget=5.0)
    made = await keys.generate_key(live.admin, {"user_id": user, "key_alias": live.name("budget")})
    session = await startup.start(replace(settings_for(live), credential=HeldKey(Secret(made.secret)), user=None))
    async with session.client:
        await live.admin.post("/user/update", {"user_id": user, "spend": 9.0})
        if session.server.at_least(1, 108):
            assert [key.hash for key in await session.load_keys()] == [made.hash]
            return
        error = await _refusal(session)
        assert isinstance(error, Invalid) and error.key_state == "over budget" and not error.passing
        assert "when an admin raises the budget" in meanwhile(error, session)


async def test_an_admin_that_is_none_any_more(live: Stand, settings_for: Callable[..., Settings]) -> None:
    user = await live.user(user_role="proxy_admin")
    made = await keys.generate_key(live.admin, {"user_id": user, "key_alias": live.name("admin")})
    session = await startup.start(replace(settings_for(live), credential=HeldKey(Secret(made.secret)), user=None))
    async with session.client:
        assert session.everyone
        await live.admin.post("/user/update", {"user_id": user, "user_role": "internal_user"})
        error = await _refusal(session)
        assert isinstance(error, RightsChanged) and starts_anew(error)


async def _refusal(session: Session) -> GatewayError:
    """What the session is told once the change has reached the proxy's caches, within a few seconds."""
    async with asyncio.timeout(20):
        while True:
            try:
                await session.load_keys()
            except GatewayError as error:
                return error
            await asyncio.sleep(0.25)
