"""The app: one session at a time, three screens over it, and what works everywhere."""

import asyncio
import os
import traceback
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import ClassVar, Literal, cast

import httpx
from rich.segment import Segments
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui import clipboard
from tui.config import Config, Flags, Settings, default_path
from tui.formatting import fit_to_show
from tui.gateway.redaction import redact
from tui.palette import Actions
from tui.screens.base import MODES, MainScreen
from tui.startup import Session, demo
from tui.typeahead import InOrder
from tui.workspace import Workspace, utc_now

Severity = Literal["information", "warning", "error"]


class LitellmTui(InOrder[int]):
    """litellm-tui.

    `settings` None opens the setup screen. `transport` replaces the network (the demo, tests), `clock` the time.
    """

    TITLE = "litellm-tui"
    COMMANDS = {Actions}
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number), f"app.go('{mode}')", title.lower(), id=f"app.{mode}", show=False, tooltip=f"Go to {title}"
            )
            for number, (mode, title) in enumerate(MODES, 1)
        ),
        Binding("question_mark", "app.help", "help", id="app.help", show=False, tooltip="Show the keys of this screen"),
        Binding(
            "colon,ctrl+p", "app.command_palette", "commands", id="app.palette", show=False, tooltip="Find a command"
        ),
        Binding("q", "app.leave", "quit", id="app.quit", show=False, tooltip="Quit"),
    ]

    def __init__(
        self,
        settings: Settings | None,
        *,
        config: Config | None = None,
        flags: Flags | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        no_colour = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=no_colour or None)
        self.colour = not no_colour
        self.ascii = False
        self.settings = settings
        self.config = config or Config(default_path())
        self.flags = flags or Flags()
        self.transport = transport
        self.clock = clock
        self.workspace: Workspace | None = None

    def on_mount(self) -> None:
        """Connect, or ask where to."""
        if self.settings is None:
            self.set_up()
        else:
            self.connect(self.settings)

    def connect(self, settings: Settings) -> None:
        """Open a session with `settings`, in front of whatever is there."""
        from tui.screens.connecting import Connecting

        self.settings = settings
        self.push_screen(Connecting(settings, self.transport), self._connected)

    def set_up(self) -> None:
        """Ask for a gateway and connect to it."""
        from tui.screens.setup import Setup

        self.push_screen(Setup(self.config, self.flags, self.settings, self.transport), self._set_up)

    def _set_up(self, settings: Settings | None) -> None:
        if settings is not None:
            self.connect(settings)
        elif self.workspace is None:
            self.exit(0)

    async def _connected(self, session: Session | None) -> None:
        if session is None:
            self.set_up()
            return
        await self.enter(session)

    async def enter(self, session: Session) -> None:
        """Put the three screens over `session`, in place of those of an earlier one."""
        before, self.workspace = self.workspace, Workspace(session, self.clock)
        if before is not None:
            # a mode in front cannot be removed
            self.add_mode("between", Screen)
            await self.switch_mode("between")
            for mode, _ in MODES:
                await self.remove_mode(mode)
            await before.session.client.aclose()
        for mode, _ in MODES:
            self.add_mode(mode, partial(_screen, mode, self.workspace))
        await self.switch_mode("keys")
        if before is not None:
            await self.remove_mode("between")
        for warning in session.warnings:
            self.tell(warning, severity="warning")

    async def action_go(self, mode: str) -> None:
        """Show one of the three screens."""
        if self.workspace is not None and not self.screen.is_modal:
            await self.switch_mode(mode)

    def action_help(self) -> None:
        """Show the keys of the screen at hand."""
        from tui.screens.help import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help(self.screen))

    def action_leave(self) -> None:
        """Quit."""
        self.exit(0)

    def tell(self, message: str, *, title: str = "", severity: str = "information") -> None:
        """A toast: printable, redacted (S3), never markup."""
        said = fit_to_show(message)
        if any(notice.message == said and not notice.has_expired for notice in self._notifications):
            return
        seconds = 4 if severity == "information" else 6
        self.notify(said, title=title, severity=cast("Severity", severity), timeout=seconds, markup=False)

    async def copy(self, text: str) -> str:
        """Send `text` to the clipboard; the sentence that says how (it is never acknowledged)."""
        driver = self._driver
        write = driver.write if driver and not driver.is_headless else None
        # tmux may take its time
        result = await asyncio.to_thread(clipboard.copy, text, env=os.environ, write=write)
        if write and driver:
            driver.flush()
        return result.sentence

    async def on_unmount(self) -> None:
        """Close the connections."""
        if self.workspace is not None:
            await self.workspace.session.client.aclose()

    def _fatal_error(self) -> None:
        """What a crash leaves on the terminal: where it happened, without locals, redacted (S3)."""
        lines = redact("".join(traceback.format_exception(self._exception))) if self._exception else "unknown error"
        text = Text(f"litellm-tui stopped because of an error of its own. Please report it.\n\n{lines}")
        self._exit_renderables.append(Segments(self.console.render(text, self.console.options)))
        self._close_messages_no_wait()


def _screen(mode: str, workspace: Workspace) -> MainScreen:
    """A screen, imported when it is first gone to: the charts, say, need not be there at the start."""
    if mode == "keys":
        from tui.screens.keys import KeysScreen

        return KeysScreen(workspace)
    if mode == "models":
        from tui.screens.models import ModelsScreen

        return ModelsScreen(workspace)
    from tui.screens.usage import UsageScreen

    return UsageScreen(workspace)


def run(settings: Settings | None, config: Config, flags: Flags) -> int:
    """Run the app in the terminal until the person leaves; the exit code."""
    transport, clock = None, utc_now
    if settings is not None and settings.demo:
        settings, transport, clock = demo(settings)
    app = LitellmTui(settings, config=config, flags=flags, transport=transport, clock=clock)
    return app.run() or app.return_code or 0
