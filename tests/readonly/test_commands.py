"""A read-only session by command: whatever is asked for, no writing call arrives at a real socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DEMOS, Stand
from tests.ssh.gateway import Served
from tui.cli import main
from tui.gateway import keys
from tui.gateway.client import Client
from tui.gateway.errors import ReadOnly

WRITES = [
    ["keys", "rotate", "laptop", "--out", "OUT/a.key", "--yes"],
    ["keys", "rotate", "laptop", "--env-file", "OUT/.env", "--var", "KEY", "--grace", "0", "--yes", "--json"],
    ["keys", "rotate", "--all-expiring", "365d", "--expires", "400d", "--env-dir", "OUT", "--yes"],
    ["rotations", "finish", "begun", "--secret-is-safe", "--yes"],
    ["rotations", "finish", "begun", "--secret-is-safe", "--delete-now", "--yes"],
    ["rotations", "undo", "begun", "--yes"],
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


def begin(served: Served, proxy_key: str) -> None:
    """Two keys, and a rotation of one that was begun and not finished."""
    import httpx

    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {proxy_key}"}) as http:
        for alias in ("laptop", "begun"):
            http.post("/key/generate", json={"key_alias": alias, "duration": "30d"}).raise_for_status()


@pytest.mark.parametrize("how", ["flag", "variable", "profile"])
def test_no_command_writes(
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    key = served.demo.master_key
    begin(served, key)
    config = tmp_path / "config.toml"
    mark = "read_only = true\n" if how == "profile" else ""
    config.write_text(f'[profiles.p]\nurl = "{served.url}"\napi_key_env = "THE_KEY"\n{mark}')
    config.chmod(0o600)
    monkeypatch.setenv("THE_KEY", key)
    if how == "variable":
        monkeypatch.setenv("LITELLM_TUI_READ_ONLY", "1")
    monkeypatch.setattr("tui.cli._drop_output", lambda: None)
    before = len(sent(served))
    flags = ["--config", str(config), *(["--read-only"] if how == "flag" else [])]
    for words in WRITES:
        assert main([*flags, *(word.replace("OUT", str(tmp_path / "out")) for word in words)]) == 1
        said = capfd.readouterr()
        assert "read-only" in said.err + said.out or "begun" in words, (words, said)
    for words in READS:
        assert main([*flags, *words]) == 0
    assert sent(served)[before:] == []
    assert not list(tmp_path.glob("out/*")), "and no file for a secret that was never made"


def test_the_same_commands_do_write_otherwise(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(served, served.demo.master_key)
    monkeypatch.setenv("LITELLM_TUI_URL", served.url)
    monkeypatch.setenv("LITELLM_TUI_API_KEY", served.demo.master_key)
    before = len(sent(served))
    assert main([word.replace("OUT", str(tmp_path / "out")) for word in WRITES[0]]) == 0
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
