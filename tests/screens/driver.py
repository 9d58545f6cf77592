"""Opens the app over an embedded gateway and says what is drawn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.screens.base import MainScreen
from tui.widgets.table import RecordTable

PATIENCE = 30.0
"""Seconds to wait for a state before a test fails."""


class Driver:
    """The running app as a person meets it: press, wait for words, read the screen."""

    def __init__(self, app: LitellmTui, pilot: Pilot[Any], gateway: DemoGateway) -> None:
        self.app = app
        self.pilot = pilot
        self.gateway = gateway

    def text(self) -> str:
        """The screen, row by row, as a terminal would show it."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line)[:width] for line in lines[:height])

    def row(self, words: str) -> str:
        """The first row that holds `words`."""
        found = [line for line in self.text().splitlines() if words in line]
        assert found, f"no row with {words!r} on:\n{self.text()}"
        return found[0]

    async def press(self, *keys: str) -> None:
        """Press keys and let the app take them."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type text into whatever has the focus."""
        names = {" ": "space", "/": "slash", "-": "minus", ".": "full_stop", "~": "tilde", "_": "underscore"}
        await self.press(*(names.get(letter, letter) for letter in text))

    async def until(self, holds: Callable[[], bool], what: str = "the state") -> None:
        """Wait for a state; fail with the screen where it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; the screen:\n{self.text()}") from None

    async def see(self, words: str) -> str:
        """Wait for words on screen; the screen then."""
        await self.until(lambda: words in self.text(), repr(words))
        return self.text()

    async def to_all_keys(self) -> RecordTable:
        """Go to the list of all keys, from the attention list where that has the focus."""
        await self.until(lambda: isinstance(self.app.focused, RecordTable), "a list to have the focus")
        rows = self.app.screen.query_one("#keys", RecordTable)
        if self.app.focused is not rows:
            await self.press("tab")
            await self.until(lambda: self.app.focused is rows, "the list of all keys to have the focus")
        return rows

    async def gone(self, words: str) -> None:
        """Wait until words are no longer on screen."""
        await self.until(lambda: words not in self.text(), f"{words!r} to go")

    def writes(self) -> list[str]:
        """The paths of every writing call so far."""
        return [call.path for call in self.gateway.calls if call.method != "GET"]

    def toasts(self) -> str:
        """Every toast that was raised, one a line."""
        return "\n".join(notice.message for notice in self.app._notifications)


@asynccontextmanager
async def running(
    gateway: DemoGateway,
    *,
    key: str | None = None,
    user: str | None = None,
    size: tuple[int, int] = (80, 24),
    wait: bool = True,
    **settings: Any,
) -> AsyncIterator[Driver]:
    """The app over `gateway`, as `key` (default: the master key) about `user`; opened on the keys screen."""
    app = LitellmTui(
        Settings(
            profile="test",
            url="https://llm.example.com",
            credential=HeldKey(Secret(key or gateway.master_key)),
            user=user,
            **settings,
        ),
        transport=gateway.transport(),
        clock=lambda: gateway.clock(),
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, gateway)
        if wait:
            await driver.until(lambda: isinstance(app.screen, MainScreen), "the keys screen")
            await pilot.pause()
        yield driver
