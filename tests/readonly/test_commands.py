"""A read-only session by command: whatever is asked for, no writing call arrives at a real socket."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import DEMOS, Proxy, Stand
from tests.readonly.forwarder import Forwarder
from tests.ssh.gateway import Admin, Served
from tui.cli import main
from tui.gateway import keys
from tui.gateway.client import Client
from tui.gateway.errors import ReadOnly

WRITES = [
    ["keys", "rotate", "LAPTOP", "--out", "OUT/a.key", "--yes"],
    ["keys", "rotate", "LAPTOP", "--env-file", "OUT/.env", "--var", "KEY", "--grace", "0", "--yes", "--json"],
    ["keys", "rotate", "--all-expiring", "365d", "--expires", "400d", "--env-dir", "OUT", "--yes"],
    ["rotations", "finish", "BEGUN", "--secret-is-safe", "--yes"],
    ["rotations", "finish", "BEGUN", "--secret-is-safe", "--delete-now", "--yes"],
    ["rotations", "undo", "BEGUN", "--yes"],
]
READS = [["doctor"], ["keys", "list"], ["models", "list"], ["usage", "--period", "7d"], ["rotations"]]


@pytest.fixture(params=DEMOS, ids=lambda proxy: proxy.name)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    made = Served(request.param)
    yield made
    made.close()


def sent(served: Served) -> list[str]:
    """The calls that arrived and were no reading."""
    return [call.path for call in served.demo.calls if call.method not in ("GET", "HEAD")]


class Seat:
    """The commands at a gateway, about one user of it, whose keys `laptop` and `begun` are. `out` is for secrets."""

    def __init__(self, url: str, key: str, user: str, laptop: str, begun: str, folder: Path) -> None:
        self.url, self.key, self.user = url, key, user
        self.aliases = {"LAPTOP": laptop, "BEGUN": begun}
        self.config = folder / "config.toml"
        self.out = folder / "out"

    def run(self, monkeypatch: pytest.MonkeyPatch, words: list[str], how: str = "") -> int:
        """The exit code; `how` it is made read-only, "" where it is not."""
        mark = "read_only = true\n" if how == "profile" else ""
        text = f'[profiles.p]\nurl = "{self.url}"\nuser = "{self.user}"\napi_key_env = "THE_KEY"\n{mark}'
        self.config.write_text(text)
        self.config.chmod(0o600)
        put = [word.replace("OUT", str(self.out)) for word in words]
        with monkeypatch.context() as patch:
            patch.setenv("THE_KEY", self.key)
            patch.setattr("tui.cli._drop_output", lambda: None)
            if how == "variable":
                patch.setenv("LITELLM_TUI_READ_ONLY", "1")
            flags = ["--config", str(self.config), *(["--read-only"] if how == "flag" else [])]
            return main([*flags, *(self.aliases.get(word, word) for word in put)])


def begin(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys of the user, and a rotation of one that was begun and not finished."""
    with httpx.Client(base_url=seat.url, headers={"Authorization": f"Bearer {seat.key}"}) as http:
        for alias in seat.aliases.values():
            body = {"key_alias": alias, "duration": "30d", "user_id": seat.user}
            http.post("/key/generate", json=body).raise_for_status()
    there = seat.out.parent / "begun.key"
    words = ["keys", "rotate", "BEGUN", "--out", str(there), "--grace", "keep", "--yes"]
    assert seat.run(monkeypatch, words) == 0


def nothing_is_written(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], how: str, writes: Callable[[], Any]
) -> None:
    before = writes()
    capfd.readouterr()
    for words in WRITES:
        assert seat.run(monkeypatch, words, how) == 1
        said = capfd.readouterr()
        assert "read-only" in said.err + said.out, (words, said)
    for words in READS:
        assert seat.run(monkeypatch, words, how) == 0
    assert writes() == before
    assert not list(seat.out.glob("*")), "and no file for a secret that was never made"


HOW = pytest.mark.parametrize("how", ["flag", "variable", "profile"])


@HOW
def test_no_command_writes(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    seat = Seat(served.url, served.demo.master_key, "ada", "laptop", "begun", tmp_path)
    served.demo.add_user("ada")
    begin(seat, monkeypatch)
    nothing_is_written(seat, monkeypatch, capfd, how, lambda: sent(served))


@pytest.mark.live
@pytest.mark.timeout(200)
@HOW
def test_no_command_writes_at_a_real_proxy(
    live_proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """Counted in front of it, and read back from it."""
    if how != "flag" and live_proxy.release < (1, 108):
        pytest.skip("one release is enough for each way")
    mark = uuid.uuid4().hex[:12]
    user = f"t{mark}"
    admin = Admin(live_proxy.url, live_proxy.master_key)
    admin.post("/user/new", {"user_id": user, "auto_create_key": False})
    try:
        with Forwarder(live_proxy.url) as forwarder:
            seat = Seat(forwarder.url, live_proxy.master_key, user, f"t{mark}-laptop", f"t{mark}-begun", tmp_path)
            begin(seat, monkeypatch)
            assert "POST /key/generate" in forwarder.writes(), "it counts"
            before = admin.keys(user)
            nothing_is_written(seat, monkeypatch, capfd, how, forwarder.writes)
            assert admin.keys(user) == before and len(before) == 3
    finally:
        admin.forget(user)


@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_the_same_commands_do_write_otherwise(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    seat = Seat(served.url, served.demo.master_key, "ada", "laptop", "begun", tmp_path)
    served.demo.add_user("ada")
    begin(seat, monkeypatch)
    seat.out.mkdir()
    before = len(sent(served))
    assert seat.run(monkeypatch, words) == 0
    assert len(sent(served)) > before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "PROPFIND"])
async def test_whatever_is_called_stops_in_the_client(served: Served, method: str) -> None:
    """Below every function of the gateway's: at httpx itself."""
    async with Client(served.url, served.demo.master_key, read_only=True) as client:
        with pytest.raises(ReadOnly, match=r"read-only; nothing was sent"):
            await client._call(method, "/key/generate", None, {}, 1)
        with pytest.raises(ReadOnly):
            await client._http.request(method, f"{served.url}/key/generate", json={})
    assert served.demo.calls == []


@pytest.mark.live
async def test_a_real_proxy_gets_no_write(live: Stand) -> None:
    """Seen in its own records: the key is as it was, and no other is there."""
    made = await live.key(what="untouched")
    before = await keys.list_every_key(live.admin)
    mine = next(key for key in before if key.alias == live.name("untouched"))
    client = live.client(read_only=True)
    for call in (
        keys.block_key(client, mine.hash),
        keys.reset_spend(client, mine.hash),
        keys.delete_keys(client, [mine.hash]),
        keys.generate_key(client, {"key_alias": live.name("never"), "user_id": None}),
        client.post("/key/update", {"key": mine.hash, "max_budget": 1}),
        client.post("/user/new", {"user_id": live.name("nobody")}),
    ):
        with pytest.raises(ReadOnly):
            await call
    after = {key.hash: key for key in await keys.list_every_key(live.admin)}
    assert after[mine.hash] == mine and not [key for key in after.values() if key.alias == live.name("never")]
    assert made.hash == mine.hash
