"""A read-only session: whatever is done in the app, no writing call arrives."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.conftest import Stand
from tests.readonly.explorer import Explorer, written_routes
from tests.readonly.forwarder import Forwarder
from tests.screens.driver import running
from tui.app import LitellmTui
from tui.config import Provisioning, Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway import capabilities, keys, rotation, users
from tui.gateway.clock import utc_now
from tui.screens.base import MODES, MainScreen

ELSEWHERE = {
    "/user/new": "provisioning, at the start; below",
    "/user/update": "provisioning, at the start; below",
    "/key/*/regenerate": "only with a licence; the client's own test calls it",
    "/key/unblock": "needs a blocked key under the cursor",
    "/v2/key/info": "a reading that LiteLLM wants as a POST",
}
"""Routes that the walk does not come to."""
EACH_SCREEN = pytest.mark.parametrize("mode", [mode for mode, _ in MODES])


async def walk(folder: Path, mode: str, *, read_only: bool) -> tuple[Explorer, list[str]]:
    """Everything on one of the main screens, of a gateway with data of all kinds; the writing calls that arrived."""
    gateway = DemoGateway.believable()
    async with running(gateway, read_only=read_only, size=(100, 30)) as driver:
        explorer = Explorer(driver.app, driver.pilot, lambda: len(gateway.calls), folder)
        await explorer.everything(mode)
        return explorer, driver.writes()


@pytest.mark.timeout(400)
async def test_the_walk_comes_to_every_write(tmp_path: Path) -> None:
    """Else the next tests would prove nothing: a new writing route has to be reached here, or explained above."""
    _, writes = await walk(tmp_path, "keys", read_only=False)
    missed = {route for route in written_routes() if not any(fnmatchcase(path, route) for path in writes)}
    assert missed - set(ELSEWHERE) == set()


@EACH_SCREEN
@pytest.mark.timeout(400)
async def test_nothing_arrives_from_a_read_only_session(tmp_path: Path, mode: str) -> None:
    explorer, writes = await walk(tmp_path, mode, read_only=True)
    assert writes == []
    assert mode != "keys" or "This session is read-only." in explorer.said
    assert len(explorer.done) >= 8 and MainScreen in {base for each in explorer.seen for base in each.__mro__}


@EACH_SCREEN
@pytest.mark.timeout(400)
async def test_nothing_arrives_where_the_screens_have_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The dialogs open, and are sent: the client alone stops them, and they say so."""
    monkeypatch.setattr(capabilities, "_WRITES", frozenset())
    explorer, writes = await walk(tmp_path, mode, read_only=True)
    assert writes == []
    assert mode != "keys" or any("read-only; nothing was sent" in said for said in explorer.said)


async def test_a_read_only_start_makes_no_user() -> None:  # S31
    gateway = DemoGateway()
    gateway.add_user("root", user_role="proxy_admin")
    provisioning = Provisioning(enabled=True)
    async with running(gateway, user="nobody-yet", read_only=True, provisioning=provisioning, wait=False) as driver:
        await driver.see("and this session is read-only.")
        assert driver.writes() == [] and "nobody-yet" not in gateway.users
    async with running(gateway, user="nobody-yet", provisioning=provisioning) as driver:
        assert "/user/new" in driver.writes(), "else the above proves nothing"


# A real proxy, with what arrives counted in front of it


async def person(stand: Stand) -> str:
    """A user of the test's own: keys that stand in several states, one in the middle of a rotation."""
    user = await stand.user(max_budget=5)
    for what, more in (
        ("laptop", {"duration": "30d"}),
        ("ends-soon", {"duration": "2d"}),
        ("blocked", {"blocked": True}),
        ("spent", {"max_budget": 1}),
    ):
        await stand.key(user, what, **more)
    begun = await stand.key(user, "begun", duration="9d")
    record = next(key for key in await keys.list_keys(stand.admin, user) if key.hash == begun.hash)
    rights = capabilities.Rights(server=stand.server)
    await rotation.create(stand.admin, rotation.plan(record, life="same", grace="24h", rights=rights, now=utc_now()))
    return user


async def as_it_is(stand: Stand, user: str) -> tuple[object, ...]:
    """The user and their keys at the proxy, as another client sees them."""
    return await users.user_info(stand.admin, user), await keys.list_keys(stand.admin, user)


@pytest.mark.live
@pytest.mark.timeout(200)
@pytest.mark.parametrize("forgotten", [False, True], ids=["as it is", "screens that have forgotten"])
async def test_nothing_arrives_at_a_real_proxy(
    live: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: bool
) -> None:
    if live.proxy.release < (1, 108):
        pytest.skip("one release is enough: what is tried is the program, and the embedded gateway plays the others")
    if forgotten:
        monkeypatch.setattr(capabilities, "_WRITES", frozenset())
    user = await person(live)
    before = await as_it_is(live, user)
    with Forwarder(live.proxy.url) as forwarder:
        settings = Settings(
            profile="test",
            url=forwarder.url,
            credential=HeldKey(Secret(live.proxy.master_key)),
            user=user,
            read_only=True,
        )
        app = LitellmTui(settings)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            explorer = Explorer(app, pilot, lambda: len(forwarder.arrived), tmp_path, rows=(0,))
            await explorer.until(lambda: isinstance(app.screen, MainScreen))
            await explorer.everything(*(["keys"] if forgotten else []))
        assert forwarder.writes() == []
        assert len(forwarder.arrived) > 10, "the app did speak through it"
        refusal = "read-only; nothing was sent" if forgotten else "This session is read-only."
        assert any(refusal in said for said in explorer.said)
        assert await as_it_is(live, user) == before
        # it does count what is no reading
        async with live.client(url=forwarder.url) as client:
            await keys.generate_key(client, {"key_alias": live.name("counted"), "user_id": user})
        assert forwarder.writes() == ["POST /key/generate"]
        assert await as_it_is(live, user) != before
