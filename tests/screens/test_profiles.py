"""Going over to another profile: nothing of the old gateway is left, nothing unfinished is lost unasked."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.color import Color
from textual.widgets import Input

from tests.screens.driver import Driver
from tui.app import LitellmTui
from tui.config import Flags, load, resolve
from tui.demo import DemoGateway
from tui.look import contrast
from tui.screens.base import MainScreen
from tui.screens.connecting import Connecting
from tui.widgets.bars import TopBar

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PROD_KEY = "sk-prod-of-the-other-0123456789"


class Two(httpx.AsyncBaseTransport):
    """Two gateways by host, and who was spoken to with which key."""

    def __init__(self, work: DemoGateway, prod: DemoGateway) -> None:
        self.gateways = {"work.example.com": work, "prod.example.com": prod}
        self._to = {host: gateway.transport() for host, gateway in self.gateways.items()}
        self.seen: list[tuple[str, str]] = []
        self.down: set[str] = set()
        self.wait: asyncio.Event | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.seen.append((host, request.headers["authorization"]))
        if host == "prod.example.com" and self.wait is not None:
            await self.wait.wait()
        if host in self.down:
            raise httpx.ConnectError("refused")
        return await self._to[host].handle_async_request(request)


@asynccontextmanager
async def two(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: str = "",
    *,
    top: str = "",
    size: tuple[int, int] = (80, 24),
    flags: Flags | None = None,
) -> AsyncIterator[tuple[Driver, Two]]:
    """The app on the profile work, with a profile prod beside it that has the fields `more`."""
    work, prod = DemoGateway(now=NOW), DemoGateway(now=NOW, master_key=PROD_KEY)
    work.add_key(key_alias="work-laptop", user_id="ada")
    for alias in ("prod-api", "prod-batch"):
        prod.add_key(key_alias=alias, user_id="ada")
    monkeypatch.setenv("WORK_KEY", work.master_key)
    monkeypatch.setenv("PROD_KEY", prod.master_key)
    path = tmp_path / "config.toml"
    path.write_text(
        f'default = "work"\n{top}\n[profiles.work]\nurl = "https://work.example.com"\napi_key_env = "WORK_KEY"\n'
        f'[profiles.prod]\nurl = "https://prod.example.com"\napi_key_env = "PROD_KEY"\n{more}\n'
    )
    path.chmod(0o600)
    config, flags = load(path, {}), flags or Flags()
    settings = resolve(config, flags, {"WORK_KEY": work.master_key, "PROD_KEY": prod.master_key})
    transport = Two(work, prod)
    app = LitellmTui(settings, config=config, flags=flags, transport=transport, clock=lambda: NOW)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, work)
        await driver.see("work-laptop" if settings and settings.profile == "work" else "prod-api")
        yield driver, transport


async def choose(app: Driver) -> None:
    await app.press("P")
    await app.see("work.example.com")
    await app.see("enter connects")
    await app.press("j", "enter")


async def test_the_chooser_tells_host_and_which_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch, 'read_only = true\nconfirm = "type"') as (app, _):
        await app.press("P")
        await app.see("enter connects")
        rows = [line for line in app.text().splitlines()[2:] if ".example.com" in line]
        assert ["●" in row for row in rows] == [True, False] and "read-only, names typed" in rows[1]
        await app.press("escape")
        await app.gone("enter connects")
        assert "work-laptop" in app.text()


async def test_nothing_of_the_old_gateway_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # S3
    async with two(tmp_path, monkeypatch) as (app, transport):
        old = app.app.workspace
        assert old is not None
        client, kept = old.session.client, weakref.ref(old)
        app.app.tell("work-laptop was changed.")
        await app.press("3")
        await app.press("2")
        await app.press("1")
        await choose(app)
        del old
        await app.see("prod-api")
        assert "prod · prod.example.com" in app.text() and "work" not in app.text()
        for screen in "23":
            await app.press(screen)
            await app.until(lambda: isinstance(app.app.screen, MainScreen))
            assert "work" not in app.text()
        assert client._http.is_closed
        assert {key for host, key in transport.seen if host == "prod.example.com"} == {f"Bearer {PROD_KEY}"}
        assert {key for host, key in transport.seen if host == "work.example.com"} == {
            f"Bearer {app.gateway.master_key}"
        }
        del client
        await app.until(lambda: gc.collect() >= 0 and kept() is None, "the old session to be forgotten")


async def test_what_is_drawn_while_it_connects_has_no_data_of_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(tmp_path, monkeypatch) as (app, transport):
        transport.wait = asyncio.Event()
        await choose(app)
        await app.see("prod.example.com ·")
        assert "work" not in app.text()
        transport.wait.set()
        await app.see("prod-api")


async def test_a_command_names_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch) as (app, _):
        await app.press("colon")
        await app.type("profile prod")
        await app.see("prod.example.com")
        await app.press("enter")
        await app.see("prod-api")


async def test_no_answer_leaves_a_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch) as (app, transport):
        transport.down.add("prod.example.com")
        await choose(app)
        screen = await app.see("refuses the connection")
        assert "esc back" in screen and "work-laptop" not in screen and "work.example.com" not in screen
        await app.press("escape")
        await app.see("work-laptop")
        assert "work · work.example.com" in app.text()
        await app.press("R")
        await app.until(lambda: transport.seen[-1][0] == "work.example.com")


async def test_from_a_gateway_that_is_down_one_can_go_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(tmp_path, monkeypatch) as (app, transport):
        transport.down.add("prod.example.com")
        await choose(app)
        await app.see("refuses the connection")
        transport.down.clear()
        await app.press("P")
        await app.see("enter connects")
        await app.press("j", "enter")
        await app.see("prod-api")
        assert not [screen for screen in app.app.screen_stack if isinstance(screen, Connecting)]


async def test_esc_while_it_connects_goes_back_and_nothing_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(tmp_path, monkeypatch) as (app, transport):
        transport.wait = asyncio.Event()
        await choose(app)
        await app.see("prod.example.com ·")
        await app.press("escape")
        await app.see("work-laptop")
        transport.wait.set()
        await app.press("2", "1")
        await app.see("work-laptop")
        assert "work · work.example.com" in app.text()


async def test_a_form_with_something_in_it_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch) as (app, _):
        await app.press("e")
        await app.see("Edit work-laptop")
        app.app.screen.query_one("#budget", Input).value = "5"
        app.app.action_profile("prod")
        screen = await app.see("Leave for prod?")
        assert "The changes to work-laptop are not sent." in screen
        await app.press("n")
        await app.gone("Leave for prod?")
        assert app.app.screen.query_one("#budget", Input).value == "5"
        app.app.action_profile("prod")
        await app.see("Leave for prod?")
        await app.press("y")
        await app.see("prod-api")
        assert app.writes() == [] and len(app.app.screen_stack) == 1


async def test_a_form_that_was_only_opened_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch) as (app, _):
        await app.press("e")
        await app.see("Edit work-laptop")
        app.app.action_profile("prod")
        await app.see("prod-api")


async def test_a_secret_that_nobody_has_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # S41
    async with two(tmp_path, monkeypatch) as (app, _):
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+s")
        await app.see("the one time")
        app.app.action_profile("prod")
        assert "its secret is shown only this once" in await app.see("Leave for prod?")
        await app.press("escape")
        await app.see("the one time")


async def test_a_profile_that_is_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch, 'ca_file = "none.pem"') as (app, _):
        app.app.action_profile("prod")
        await app.until(lambda: "there is no file" in app.toasts())
        assert "work-laptop" in app.text()


async def test_a_flag_s_read_only_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch, flags=Flags(read_only=True)) as (app, _):
        await choose(app)
        await app.see("prod-api")
        assert "READ-ONLY" in app.text()


# The colour of a profile


@pytest.mark.parametrize("colour", ["red", "yellow", "white", "black", "#ffee00", "#000080"])
async def test_the_bar_has_the_profile_s_colour_and_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    async with two(tmp_path, monkeypatch, f'colour = "{colour}"\nread_only = true') as (app, _):
        plain = _paper(app)
        await choose(app)
        await app.see("prod-api")
        assert _paper(app) != plain
        for ink, paper, text in _bar(app):
            assert contrast(ink, paper) >= 4.5 or not text.strip(), text


async def test_without_colours_the_name_is_reversed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with two(tmp_path, monkeypatch, 'colour = "red"') as (app, _):
        assert not _reversed(app)
        await choose(app)
        await app.see("prod-api")
        assert _reversed(app) == [" prod "]


def _paper(app: Driver) -> Color:
    return app.app.screen.query_one(TopBar).styles.background


def _segments(app: Driver) -> list[Any]:
    return list(app.app.screen._compositor.render_strips()[0])


def _bar(app: Driver) -> list[tuple[Any, Any, str]]:
    found = []
    for segment in _segments(app):
        ink, paper = tuple(segment.style.color.triplet), tuple(segment.style.bgcolor.triplet)
        found.append((ink, paper, segment.text))
    return found


def _reversed(app: Driver) -> list[str]:
    return [segment.text for segment in _segments(app) if segment.style.reverse]


# Typing the name


async def test_the_alias_is_typed_before_a_key_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # S43
    async with two(tmp_path, monkeypatch, 'confirm = "type"') as (app, transport):
        await choose(app)
        await app.see("prod-api")
        prod = transport.gateways["prod.example.com"]
        await app.press("tab", "d")
        await app.see("Type prod-api to go on:")
        await app.press("y", "enter")
        await app.see("That is not prod-api.")
        assert len(prod.keys) == 2
        await app.press("ctrl+u")
        await app.type("prod-api")
        await app.press("enter")
        await app.until(lambda: len(prod.keys) == 1)


async def test_for_several_their_number_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # S43
    async with two(tmp_path, monkeypatch, 'confirm = "type"') as (app, transport):
        await choose(app)
        await app.see("prod-api")
        await app.press("asterisk", "b")
        await app.see("Type 2 to go on:")
        await app.press("escape")
        await app.gone("Type 2")
        await app.press("b")
        await app.see("Type 2 to go on:")
        await app.press("2", "enter")
        prod = transport.gateways["prod.example.com"]
        await app.until(lambda: all(key.get("blocked") for key in prod.keys.values()))


async def test_an_old_key_that_ends_at_once_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch, 'confirm = "type"') as (app, transport):
        await choose(app)
        await app.see("prod-api")
        prod = transport.gateways["prod.example.com"]
        await app.press("tab", "r")
        await app.see("Rotate prod-api")
        app.app.screen.query_one("#grace", Input).value = "0"
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("I")
        await app.see("Type prod-api to go on:")
        assert len(prod.keys) == 3
        await app.type("prod-api")
        await app.press("enter")
        await app.until(lambda: len(prod.keys) == 2)


async def test_by_default_one_key_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(tmp_path, monkeypatch) as (app, _):
        await app.press("d")
        await app.see("Delete work-laptop")
        await app.press("y")
        await app.until(lambda: not app.gateway.keys)
