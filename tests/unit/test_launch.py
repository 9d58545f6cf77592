"""How the app is opened: the calls leave first, Textual comes meanwhile, and nothing of the start is lost."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tui.config import Settings
from tui.credentials import AskError, AskKey, EnvKey, Secret
from tui.demo import DemoGateway
from tui.gateway.errors import Unauthorized
from tui.launch import Begun
from tui.lookups import look_up_in_daemons

NOT_AT_THE_START = {
    "keyring",
    "plotext",
    "tomli_w",
    "tui.charts",
    "tui.demo",
    "tui.delivery",
    "tui.envfile",
    "tui.export",
    "tui.gateway.usage_reader",
    "tui.reports",
    "tui.screens.help",
    "tui.screens.key_detail",
    "tui.screens.key_form",
    "tui.screens.models",
    "tui.screens.rotate",
    "tui.screens.rotate_many",
    "tui.screens.setup",
    "tui.screens.usage",
}
"""What a launch can do without until somebody asks for it."""


def in_python(code: str, *args: str, **more: str) -> list[str]:
    """What a process of its own prints: here everything may be imported already."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM", "TEXTUAL"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        timeout=60,
        env={**env, "XDG_CONFIG_HOME": "/nonexistent", **more},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_calls_leave_before_textual_is_imported(tmp_path: Path) -> None:
    code = """
import asyncio, sys, httpx
sent = []
async def never_answered(self, request):
    sent.append(request.url.path)
    await asyncio.Event().wait()
httpx.AsyncHTTPTransport.handle_async_request = never_answered
class FarEnough(Exception): pass
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "tui.app":  # which imports Textual, and rich before it
            print(*sorted(sent))
            raise FarEnough
sys.meta_path.insert(0, Gate())
from pathlib import Path
from tui.config import Config, Settings, Flags
from tui.credentials import FileKey
from tui.launch import run
from tui.terminal import Terminal
assert "textual" not in sys.modules and "rich" not in sys.modules
try:
    run(Settings("p", "http://127.0.0.1:1", FileKey(Path(sys.argv[1]))), Config(Path("none")), Flags(), Terminal())
except FarEnough:
    print("stopped")
"""
    key = tmp_path / "key"
    key.write_text("sk-launch-0123456789\n")
    key.chmod(0o600)
    assert in_python(code, str(key)) == ["/health/readiness", "/key/info", "/public/model_hub/info", "stopped"]


def test_nobody_waits_for_dns_that_does_not_answer(tmp_path: Path) -> None:
    """Neither the first frame, on a machine of few threads, nor the shell's prompt after the end."""
    code = """
import os, socket, sys, threading
from pathlib import Path
os.cpu_count = os.process_cpu_count = lambda: 1
hanging = []
def never(*args, **kwargs):
    hanging.append(args)
    threading.Event().wait()
socket.getaddrinfo = never
class FarEnough(Exception): pass
class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == "tui.app":
            print(len(hanging) > 0)
            raise FarEnough
sys.meta_path.insert(0, Gate())
from tui import last_time
from tui.config import Config, Settings, Flags
from tui.credentials import HeldKey, Secret
from tui.launch import run
from tui.terminal import Terminal
url, key = "http://llm.example.com", "sk-launch-0123456789"
# all calls go out at once then, each with a name to look up
last_time.LastTime(last_time.folder(), url, key).keep(last_time.Whose("ada"))
try:
    run(Settings("p", url, HeldKey(Secret(key))), Config(Path("none")), Flags(), Terminal())
except FarEnough:
    print("stopped")
"""
    assert in_python(code, XDG_CACHE_HOME=str(tmp_path)) == ["True", "stopped"]


async def test_names_are_looked_up_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up_in_daemons(asyncio.get_running_loop())
    found = await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    assert found == socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    with pytest.raises(socket.gaierror):
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", "no such service")
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer.wait() and found)
    lost = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80))
    kept = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80))
    await asyncio.sleep(0)
    lost.cancel()
    answer.set()
    assert await kept == found and lost.cancelled()


def test_what_nobody_has_asked_for_is_not_imported() -> None:
    code = "import sys, tui.launch, tui.app, tui.driver, tui.screens.connecting\n{}print(*sys.modules)"
    first = set(in_python(code.format("")))
    assert first & {"tui.workspace", "tui.screens.keys", "tui.palette", *NOT_AT_THE_START} == set()
    with_keys = set(in_python(code.format("import tui.workspace, tui.screens.keys\n")))
    assert with_keys & NOT_AT_THE_START == set()
    assert "tui.screens.keys" in with_keys


def test_every_screen_is_there_when_it_is_asked_for() -> None:
    """In a process that has imported nothing but the start, as a person's has."""
    code = """
import asyncio, sys
from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
async def main():
    gateway = DemoGateway()
    gateway.add_user(user_id="ada", user_role="internal_user")
    gateway.add_key(key_alias="laptop", user_id="ada", max_budget=5.0)
    settings = Settings("p", "https://llm.example.com", HeldKey(Secret(gateway.master_key)), user="ada")
    app = LitellmTui(settings, transport=gateway.transport(), clock=lambda: gateway.clock())
    async with app.run_test(size=(80, 24)) as pilot:
        async def shown(name):
            while type(app.screen).__name__ != name:
                await pilot.pause(0.01)
            await pilot.pause()
        await shown("KeysScreen")
        for keys, name in (("enter", "KeyDetail"), ("e", "KeyForm"), ("n", "KeyForm"), ("r", "Rotate"),
                           ("question_mark", "Help"), ("colon", "CommandPalette"), ("K", "AskText"),
                           ("P", "ChooseProfile")):
            await pilot.press(keys)
            await shown(name)
            while type(app.screen).__name__ != "KeysScreen":
                await pilot.press("escape")
                await pilot.pause()
            print(name)
asyncio.run(main())
"""
    assert in_python(code) == [
        "KeyDetail", "KeyForm", "KeyForm", "Rotate", "Help", "CommandPalette", "AskText", "ChooseProfile",
    ]  # fmt: skip


class Closing(httpx.AsyncBaseTransport):
    """A transport that says when it is closed."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def gateway() -> DemoGateway:
    gateway = DemoGateway()
    gateway.add_user("ada")
    return gateway


def settings(key: str) -> Settings:
    return Settings("p", "https://llm.example.com", EnvKey("X", Secret(key)), user="ada")


class Waiting:
    """Holds every call until `go`; `asked` is set by the first."""

    def __init__(self, gateway: DemoGateway) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        gateway.intercept("GET", "*", self._wait, times=-1)

    async def _wait(self, _: httpx.Request) -> None:
        self.asked.set()
        await self.go.wait()


async def test_the_steps_of_before_are_told_to_who_comes_late(gateway: DemoGateway) -> None:
    waiting = Waiting(gateway)
    begun = Begun(settings(gateway.master_key), gateway.transport())
    await waiting.asked.wait()
    told: list[str] = []
    asking = asyncio.create_task(begun.session(told.append))
    await asyncio.sleep(0)
    assert told == ["connecting to llm.example.com"]
    waiting.go.set()
    session = await asking
    assert session.user_id == "ada" and told[1:] == ["reading keys and teams"]
    await session.client.aclose()


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [(settings("sk-wrong-0123456789"), Unauthorized), (Settings("p", "https://llm.example.com", AskKey()), AskError)],
)
async def test_a_failure_waits_to_be_asked_for(gateway: DemoGateway, wanted: Settings, kind: type[Exception]) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    transport = Closing(gateway.transport())
    begun, unasked = Begun(wanted, transport), Begun(wanted, transport)
    with pytest.raises(kind):
        await begun.session(lambda _: None)
    await asyncio.wait([unasked._task])
    del begun, unasked
    gc.collect()
    assert complaints == []
    assert transport.closed or kind is AskError


async def test_who_leaves_ends_the_start(gateway: DemoGateway) -> None:
    waiting = Waiting(gateway)
    transport = Closing(gateway.transport())
    begun = Begun(settings(gateway.master_key), transport)
    await waiting.asked.wait()
    asking = asyncio.create_task(begun.session(lambda _: None))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert transport.closed
