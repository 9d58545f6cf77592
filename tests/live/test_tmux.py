"""The keys screen in a real tmux against a real proxy, every step checked in the proxy's own answers."""

import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Proxy

pytestmark = pytest.mark.live

PATIENCE = 20.0


@dataclass
class Terminal:
    """A tmux of its own with one program in it."""

    name: str = field(default_factory=lambda: f"tui-test-{uuid.uuid4().hex[:8]}")

    def tmux(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.name, *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env={**os.environ, **env} if env else None,
        )
        return done.stdout

    def start(self, env: dict[str, str], *args: str) -> None:
        command = f"{shlex.quote(sys.executable)} -m tui {shlex.join(args)}; sleep 60"
        # the first command of a server hands its environment on; an argument would be there for all to read
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", "100", "-y", "30", command, env=env)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "t")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", "-t", "t", key)

    def type(self, words: str) -> None:
        self.tmux("send-keys", "-t", "t", "-l", words)

    def until(self, holds: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}:\n{self.text()}")
            time.sleep(0.05)

    def see(self, words: str) -> str:
        self.until(lambda: words in self.text(), repr(words))
        return self.text()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    subprocess.run(["tmux", "-L", made.name, "kill-server"], capture_output=True, check=False)


class Admin:
    """The proxy as its master key sees it, asked without any of this project's code."""

    def __init__(self, proxy: Proxy) -> None:
        self.http = httpx.Client(
            base_url=proxy.url, headers={"Authorization": f"Bearer {proxy.master_key}"}, timeout=30
        )

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def keys(self, user: str) -> dict[str, dict[str, Any]]:
        answer = self.http.get("/key/list", params={"user_id": user, "return_full_object": True, "size": 100})
        return {key["key_alias"]: key for key in answer.raise_for_status().json()["keys"]}

    def forget(self, user: str) -> None:
        hashes = [key["token"] for key in self.keys(user).values()]
        if hashes:
            self.post("/key/delete", {"keys": hashes})
        self.post("/user/delete", {"user_ids": [user]})


@pytest.fixture
def admin(live_proxy: Proxy) -> Admin:
    return Admin(live_proxy)


@pytest.fixture
def user(admin: Admin) -> Iterator[str]:
    name = f"tmux-{uuid.uuid4().hex[:8]}"
    admin.post("/user/new", {"user_id": name, "user_role": "internal_user", "auto_create_key": False})
    yield name
    admin.forget(name)


def env(proxy: Proxy, key: str) -> dict[str, str]:
    return {
        "LITELLM_TUI_URL": proxy.url,
        "LITELLM_TUI_API_KEY": key,
        "XDG_CONFIG_HOME": "/nonexistent",
        "PYTHONPATH": os.getcwd(),
        "TERM": "xterm-256color",
    }


def test_a_key_from_creation_to_deletion(
    terminal: Terminal, live_proxy: Proxy, admin: Admin, user: str
) -> None:  # S40-S43
    terminal.start(env(live_proxy, live_proxy.master_key), "--user", user)
    terminal.see("No keys yet. n makes one.")
    alias = f"{user}-key"
    terminal.press("n")
    terminal.see("New virtual key")
    terminal.press("C-u")
    terminal.type(alias)
    terminal.press("C-s")
    terminal.see("the one time")
    terminal.press("v")
    terminal.until(lambda: "sk-" in terminal.text() and "•" not in terminal.text(), "the secret")
    secret = next(word for word in terminal.text().split() if word.startswith("sk-"))
    own = httpx.get(f"{live_proxy.url}/key/info", headers={"Authorization": f"Bearer {secret}"}, timeout=30)
    assert own.status_code == 200 and own.json()["info"]["user_id"] == user
    terminal.press("D")
    terminal.until(lambda: secret not in terminal.text(), "the secret to leave the screen")
    terminal.see("1 Keys 1")
    assert set(admin.keys(user)) == {alias}

    terminal.press("e")
    terminal.see(f"Edit {alias}")
    terminal.press("Down", "Down")
    terminal.type("12.50")
    terminal.press("C-s")
    terminal.until(lambda: admin.keys(user)[alias]["max_budget"] == 12.5, "the new budget on the proxy")
    terminal.see("$12.50")

    terminal.press("b")
    terminal.see(f"Block {alias}")
    terminal.press("y")
    terminal.until(lambda: admin.keys(user)[alias]["blocked"], "the block on the proxy")
    terminal.see("blocked")
    terminal.press("b")
    terminal.see(f"Unblock {alias}")
    terminal.press("y")
    terminal.until(lambda: not admin.keys(user)[alias]["blocked"], "the unblocking on the proxy")

    admin.post("/key/update", {"key": admin.keys(user)[alias]["token"], "spend": 2.25})
    terminal.press("R")
    terminal.see("$2.25")
    terminal.press("z")
    terminal.see("$2.25 counted against its budget becomes $0.00")
    terminal.press("y")
    terminal.until(lambda: admin.keys(user)[alias]["spend"] == 0, "the reset on the proxy")

    terminal.press("d")
    terminal.see(f"Delete {alias}")
    terminal.press("y")
    terminal.until(lambda: not admin.keys(user), "the deletion on the proxy")
    terminal.see("No keys yet. n makes one.")


def test_an_own_key_makes_and_deletes_and_is_told_the_rest(
    terminal: Terminal, live_proxy: Proxy, admin: Admin, user: str
) -> None:  # S38, S44
    secret = admin.post("/key/generate", {"user_id": user, "key_alias": f"{user}-own"})["key"]
    terminal.start(env(live_proxy, secret))
    terminal.see("1 Keys 1")
    if live_proxy.release >= (1, 83):  # 1.74 lets any owner block
        terminal.press("b")
        terminal.see("Only an admin may block")
    terminal.press("n")
    terminal.see("New virtual key")
    terminal.press("C-u")
    terminal.type(f"{user}-second")
    terminal.press("C-s")
    terminal.see("the one time")
    terminal.press("D")
    terminal.see("1 Keys 2")
    assert admin.keys(user)[f"{user}-second"]["user_id"] == user
    terminal.press("/")
    terminal.type("second")
    terminal.press("Enter", "d")
    terminal.see(f"Delete {user}-second")
    terminal.press("y")
    terminal.until(lambda: set(admin.keys(user)) == {f"{user}-own"}, "the deletion on the proxy")


def test_rotation_in_tmux_leaves_no_secret_behind(
    terminal: Terminal, live_proxy: Proxy, admin: Admin, user: str, tmp_path: Path
) -> None:
    first = admin.post("/key/generate", {"user_id": user, "key_alias": f"{user}-key", "models": ["gpt-4o"]})
    terminal.start({**env(live_proxy, live_proxy.master_key), "XDG_CACHE_HOME": str(tmp_path)}, "--user", user)
    terminal.see("1 Keys 1")
    terminal.press("r")
    terminal.see(f"Rotate {user}-key")
    terminal.press("C-s")
    terminal.see("I have it")
    terminal.press("v")
    terminal.until(lambda: "•" not in terminal.text(), "the secret")
    secret = next(word for word in terminal.text().split() if word.startswith("sk-"))
    for key in (secret, first["key"]):  # at this moment both work
        answer = httpx.get(f"{live_proxy.url}/models", headers={"Authorization": f"Bearer {key}"}, timeout=30)
        assert answer.status_code == 200
    terminal.press("y")
    terminal.see("Not copied: no terminal is attached to this tmux.")
    children = subprocess.run(["ps", "-ef", "e"], capture_output=True, text=True, check=True).stdout
    assert secret not in children and secret not in terminal.tmux("list-buffers")
    terminal.press("I")
    terminal.see("the old key works until")
    terminal.press("Escape")
    terminal.until(lambda: "Rotate" not in terminal.text(), "the list")
    now = admin.keys(user)
    assert now[f"{user}-key"]["token"] != first["token"] and now[f"{user}-key"]["models"] == ["gpt-4o"]
    terminal.press("q")
    terminal.until(lambda: "Keys" not in terminal.text(), "the end of the app")
    left = terminal.tmux("capture-pane", "-p", "-S", "-", "-t", "t")
    assert secret not in left and live_proxy.master_key not in left
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
