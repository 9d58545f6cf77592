"""The first screen: what is wrong and what to do, never a blank app; and the setup of a first gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from textual.widgets import Input, Select

from tests.screens.driver import Driver, running
from tui.app import LitellmTui
from tui.config import Config, Flags, Limits, Provisioning, Settings, load, resolve
from tui.credentials import AskKey, Credential, HeldKey, Secret
from tui.demo import DemoGateway
from tui.launch import Begun
from tui.screens.connecting import Connecting
from tui.startup import Trouble

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def gateway() -> DemoGateway:
    return DemoGateway(now=NOW)


async def test_a_wrong_key_is_told_and_another_one_helps(gateway: DemoGateway) -> None:  # S3
    wrong = "sk-wrong-0123456789"
    async with running(gateway, key=wrong, wait=False) as app:
        screen = await app.see("The gateway refuses this key")
        assert "does not know this key" in screen and wrong not in screen
        await app.press("K")
        await app.see("Another key")
        await app.type(gateway.master_key)
        assert gateway.master_key not in app.text()
        await app.press("enter")
        await app.see("No keys yet")


async def test_no_answer_names_the_host_and_trying_again_works(gateway: DemoGateway) -> None:
    down = True
    gateway.intercept("GET", "*", lambda request: _refuse() if down else None, times=-1)
    async with running(gateway, wait=False) as app:
        screen = await app.see("llm.example.com refuses the connection")
        assert "No answer" in screen and "R try again" in screen
        down = False
        await app.press("R")
        await app.see("No keys yet")


def _refuse() -> httpx.Response:
    raise httpx.ConnectError("refused")


async def test_no_secret_of_a_refusal_is_shown(gateway: DemoGateway, monkeypatch: pytest.MonkeyPatch) -> None:  # S3
    def explain(*_: object) -> Trouble:
        return Trouble("No key sk-abcdefgh12", "said sk-abc\u200bdefgh12 " + "x" * 900, ("from sk-abcdefgh12",))

    monkeypatch.setattr("tui.screens.connecting.explain", explain)
    async with running(gateway, key="sk-wrong-0123456789", wait=False) as app:
        screen = await app.see("No key sk-[redacted]")
        assert "abcdefgh12" not in screen and "from sk-[redacted]" in screen
        assert screen.count("x") < 520


async def test_a_web_page_is_not_litellm(gateway: DemoGateway) -> None:  # S2
    page = httpx.Response(502, html="<html><title>Bad Gateway</title><body>nginx</body></html>")
    gateway.intercept("GET", "/key/info", page, times=9)
    async with running(gateway, wait=False) as app:
        screen = await app.see("Bad Gateway")
        assert "with a web page" in screen


async def test_a_missing_user_with_provisioning_off_is_refused_and_nothing_is_made(gateway: DemoGateway) -> None:  # S33
    async with running(gateway, user="nobody-yet", wait=False) as app:
        await app.see("You are not on this gateway yet")
        await app.see("provisioning is off")
        assert app.writes() == [] and "nobody-yet" not in gateway.users


async def test_a_missing_user_is_made_with_the_configured_limits(gateway: DemoGateway) -> None:  # S31, S34
    limits = Limits(max_budget=25.0, budget_duration="7d", metadata={"cost_centre": "r&d"})
    provisioning = Provisioning(enabled=True, defaults=limits)
    async with running(gateway, user="ada@example.com", provisioning=provisioning) as app:
        await app.see("No keys yet. n makes one.")
        made = gateway.users["ada@example.com"]
        assert made["max_budget"] == 25.0 and made["budget_duration"] == "7d"
        assert made["metadata"]["cost_centre"] == "r&d" and made["metadata"]["provisioned_by"] == "litellm-tui"
        assert not gateway.keys


@asynccontextmanager
async def setting_up(gateway: DemoGateway, path: Path) -> AsyncIterator[Driver]:
    app = LitellmTui(None, config=Config(path), flags=Flags(config=path), transport=gateway.transport())
    async with app.run_test(size=(80, 24)) as pilot:
        yield Driver(app, pilot, gateway)


async def test_setup_names_what_is_wrong_at_its_field(gateway: DemoGateway, tmp_path: Path) -> None:
    async with setting_up(gateway, tmp_path / "config.toml") as app:
        await app.see("Connect to a LiteLLM gateway")
        app.app.screen.query_one("#url", Input).value = "llm.example.com"
        await app.press("ctrl+t")
        await app.see("does not start with https:// or http://")
        app.app.screen.query_one("#url", Input).value = "https://llm.example.com"
        await app.press("ctrl+t")
        await app.see("The key is empty")
        assert gateway.calls == []


async def test_setup_tests_then_saves_without_the_key(gateway: DemoGateway, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    async with setting_up(gateway, path) as app:
        await app.see("Connect to a LiteLLM gateway")
        app.app.screen.query_one("#url", Input).value = "https://llm.example.com/"
        app.app.screen.query_one("#key", Input).value = gateway.master_key
        await app.press("ctrl+t")
        await app.see("LiteLLM 1.108.0, as everyone with the role proxy_admin")
        assert not path.exists()
        await app.press("ctrl+s")
        await app.see("No keys yet")
        assert gateway.master_key not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        found = resolve(load(path, {}), Flags(profile="default"), {})
        assert found is not None and found.url == "https://llm.example.com"


@pytest.mark.parametrize("save", ["ctrl+o", "ctrl+s"])
async def test_setting_up_does_not_lose_read_only(
    gateway: DemoGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: str
) -> None:
    monkeypatch.setenv("LITELLM_TUI_READ_ONLY", "1")
    async with setting_up(gateway, tmp_path / "config.toml") as app:
        await app.see("Connect to a LiteLLM gateway")
        app.app.screen.query_one("#url", Input).value = "https://llm.example.com"
        app.app.screen.query_one("#key", Input).value = gateway.master_key
        await app.press(save)
        await app.see("READ-ONLY")


async def test_setup_keeps_what_was_typed_but_not_the_key(gateway: DemoGateway, tmp_path: Path) -> None:
    gateway.intercept("GET", "*", lambda _: _refuse(), times=-1)
    async with running(gateway, wait=False) as app:
        await app.see("refuses the connection")
        await app.press("S")
        await app.see("Connect to a LiteLLM gateway")
        assert "esc back" in app.text()
        for name, text in (("url", "https://other.example.com"), ("key", "sk-typed-0123456789"), ("name", "other")):
            app.app.screen.query_one(f"#{name}", Input).value = text
        app.app.screen.query_one("#keep", Select).value = "file"
        await app.pilot.pause()
        await app.press("escape")
        await app.see("refuses the connection")
        await app.press("S")
        await app.see("Connect to a LiteLLM gateway")
        assert "https://other.example.com" in app.text() and "other" in app.row("Profile name")
        assert "a file of mode 0600" in app.text()
        assert app.app.screen.query_one("#key", Input).value == ""
        assert "sk-typed" not in str(vars(app.app))


class Slow:
    """A gateway that answers from `go` on."""

    def __init__(self, gateway: DemoGateway) -> None:
        self.go = asyncio.Event()
        gateway.intercept("GET", "*", self._wait, times=-1)

    async def _wait(self, _: httpx.Request) -> None:
        await self.go.wait()


@asynccontextmanager
async def starting(gateway: DemoGateway) -> AsyncIterator[tuple[Driver, Slow]]:
    gateway.add_user(user_id="ada", user_role="internal_user")
    for alias in ("laptop", "server"):
        gateway.add_key(key_alias=alias, user_id="ada")
    slow = Slow(gateway)
    async with running(gateway, user="ada", wait=False) as app:
        await app.see("llm.example.com ·")
        yield app, slow


async def test_keys_pressed_while_it_connects_wait_for_the_keys_screen(gateway: DemoGateway) -> None:
    async with starting(gateway) as (app, slow):
        await app.press("slash", *"server", "enter", "r")
        assert isinstance(app.app.screen, Connecting)
        slow.go.set()
        await app.see("Rotate server")


async def test_what_was_typed_blindly_answers_no_question(gateway: DemoGateway) -> None:  # S43
    async with starting(gateway) as (app, slow):
        await app.press("d", "y", "d", "y")
        slow.go.set()
        await app.see("Delete laptop")
        await app.press("n")
        await app.gone("Delete laptop")
        assert app.writes() == [] and len(gateway.keys) == 2


async def test_keys_meant_for_a_screen_that_never_came_are_forgotten(gateway: DemoGateway) -> None:
    wrong = "sk-wrong-0123456789"
    slow = Slow(gateway)
    async with running(gateway, key=wrong, wait=False) as app:
        await app.see("llm.example.com ·")
        await app.press("S", "R", "question_mark")
        slow.go.set()
        await app.see("The gateway refuses this key")
        calls = len(gateway.calls)
        await app.pilot.pause()
        assert "R try again" in app.text() and len(gateway.calls) == calls
        await app.press("K")
        await app.see("Another key")
        await app.type(gateway.master_key)
        await app.press("enter")
        await app.see("No keys yet")
        assert "Connect to a LiteLLM gateway" not in app.text()


async def test_q_leaves_at_once_while_it_connects(gateway: DemoGateway) -> None:
    async with starting(gateway) as (app, _):
        await app.press("n", "q")
        assert app.app.return_code == 0


@asynccontextmanager
async def begun(gateway: DemoGateway, credential: Credential, config: Config | None = None) -> AsyncIterator[Driver]:
    """The app over a start that is under way when it opens, as the command line opens it."""
    gateway.add_user(user_id="ada", user_role="internal_user")
    settings = Settings("test", "https://llm.example.com", credential, user="ada")
    transport = gateway.transport()
    start = Begun(settings, transport)
    app = LitellmTui(settings, config=config, transport=transport, clock=lambda: gateway.clock(), begun=start)
    async with app.run_test(size=(80, 24)) as pilot:
        yield Driver(app, pilot, gateway)


def starts(gateway: DemoGateway) -> int:
    return sum(call.path == "/key/info" for call in gateway.calls)


async def test_a_start_that_is_under_way_is_not_begun_again(gateway: DemoGateway) -> None:
    async with begun(gateway, HeldKey(Secret(gateway.master_key))) as app:
        await app.see("No keys yet")
        assert starts(gateway) == 1
        # and the next one is the app's own
        app.app.connect(app.app.settings or pytest.fail("no settings"))
        await app.until(lambda: starts(gateway) == 2, "a second start")
        await app.see("No keys yet")


async def test_keys_of_the_file_are_those_of_an_early_start_too(gateway: DemoGateway, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('theme = "nnord"\n[keys]\n"connect.quit" = "x"\n"keys.new" = "ctrl+n"\n"keys.nwe" = "N"\n')
    path.chmod(0o600)
    answer = asyncio.Event()

    async def wait(_: httpx.Request) -> None:
        await answer.wait()

    gateway.intercept("GET", "*", wait, times=-1)
    async with begun(gateway, HeldKey(Secret(gateway.master_key)), load(path, {})) as app:
        await app.see("x quit")
        await app.press("ctrl+n")
        answer.set()
        screen = await app.see("Not used of")
        assert screen.index("no theme of this name") < screen.index("no such action")
        await app.press("escape")
        await app.see("^n new")
    answer.clear()
    async with begun(gateway, HeldKey(Secret(gateway.master_key)), load(path, {})) as app:
        await app.see("x quit")
        await app.press("x")
        await app.until(lambda: app.app.return_code == 0, "the end")


async def test_what_an_early_start_failed_with_is_told_and_can_be_tried_again(gateway: DemoGateway) -> None:
    gateway.intercept("GET", "/key/info", lambda _: _refuse(), times=3)
    async with begun(gateway, HeldKey(Secret(gateway.master_key))) as app:
        await app.see("llm.example.com refuses the connection")
        before = starts(gateway)
        await app.press("R")
        await app.see("No keys yet")
        assert starts(gateway) == before + 1


async def test_a_key_that_nobody_has_said_is_asked_for_in_the_app(gateway: DemoGateway) -> None:
    async with begun(gateway, AskKey()) as app:
        await app.see("The gateway's key")
        assert gateway.calls == []
        await app.type(gateway.master_key)
        await app.press("enter")
        await app.see("No keys yet")


async def test_the_first_frame_does_not_wait_for_the_gateway(gateway: DemoGateway) -> None:
    slow = Slow(gateway)
    async with begun(gateway, HeldKey(Secret(gateway.master_key))) as app:
        await app.see("llm.example.com · connecting")
        assert not slow.go.is_set()
        slow.go.set()
        await app.see("No keys yet")
