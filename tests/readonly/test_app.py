"""A read-only session: whatever is done in the app, no writing call arrives."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.readonly.explorer import Explorer, written_routes
from tests.screens.driver import running
from tui.demo import DemoGateway
from tui.gateway import capabilities

ELSEWHERE = {
    "/user/new": "provisioning, at the start; below",
    "/user/update": "provisioning, at the start; below",
    "/key/*/regenerate": "only with a licence; the client's own test calls it",
    "/key/unblock": "needs a blocked key under the cursor",
    "/v2/key/info": "a reading that LiteLLM wants as a POST",
}
"""Routes that the walk does not come to."""


async def walk(folder: Path, *, read_only: bool) -> tuple[Explorer, list[str]]:
    """Everything, on a gateway with data of all kinds; the writing calls that arrived."""
    gateway = DemoGateway.believable()
    async with running(gateway, read_only=read_only, size=(120, 40)) as driver:
        explorer = Explorer(driver, folder)
        await explorer.everything()
        return explorer, driver.writes()


@pytest.mark.timeout(400)
async def test_the_walk_comes_to_every_write(tmp_path: Path) -> None:
    """Else the next tests would prove nothing: a new writing route has to be reached here, or explained above."""
    _, writes = await walk(tmp_path, read_only=False)
    missed = {route for route in written_routes() if not any(fnmatchcase(path, route) for path in writes)}
    assert missed - set(ELSEWHERE) == set()


@pytest.mark.timeout(400)
async def test_nothing_arrives_from_a_read_only_session(tmp_path: Path) -> None:
    explorer, writes = await walk(tmp_path, read_only=True)
    assert writes == []
    assert "This session is read-only." in explorer.said
    assert sum(explorer.done.values()) > 80


@pytest.mark.timeout(400)
async def test_nothing_arrives_where_the_screens_have_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialogs open, and are sent: the client alone stops them, and they say so."""
    monkeypatch.setattr(capabilities, "_WRITES", frozenset())
    explorer, writes = await walk(tmp_path, read_only=True)
    assert writes == []
    assert any("read-only" in said for said in explorer.said)
