"""The app: one session at a time, a few screens over it, and what works everywhere."""

import asyncio
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import httpx
from rich.console import RenderableType
from rich.segment import Segments
from rich.text import Text
from textual import events, work
from textual._compositor import CompositorUpdate
from textual.app import ScreenStackError
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.filter import NoColor
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import WorkerFailed, get_current_worker

from tui import clipboard, keymap, themes
from tui.ascii import Ascii
from tui.config import Config, ConfigError, Flags, Problem, Settings, default_path, for_profile, load
from tui.gateway.clock import utc_now
from tui.gateway.redaction import redact
from tui.readable import Readable
from tui.screens.base import MODES, MainScreen, why_not_there
from tui.startup import Session
from tui.terminal import Terminal
from tui.toasts import Toasts
from tui.wire import Ready, Wire

if TYPE_CHECKING:
    from tui.launch import Begun
    from tui.reports import Scope
    from tui.screens.choose_profile import Entry
    from tui.workspace import Workspace


def _actions() -> type[Provider]:
    from tui.palette import Actions

    return Actions


def _profiles() -> type[Provider]:
    from tui.palette import Profiles

    return Profiles


class LitellmTui(Toasts[int]):
    """litellm-tui.

    `settings` None opens the setup screen. `transport` replaces the network (the demo, tests), `clock` the time;
    `terminal` None is one that shows everything, with the colours that NO_COLOR leaves. `begun` is the start of a
    session with `settings` that is under way already.
    """

    TITLE = "litellm-tui"
    COMMANDS = {_actions, _profiles}
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number), f"app.go('{mode}')", title.lower(), id=f"app.{mode}", show=False, tooltip=f"Go to {title}"
            )
            for number, (mode, title) in enumerate(MODES, 1)
        ),
        Binding(
            "question_mark,f1", "app.help", "help", id="app.help", show=False, tooltip="Show the keys of this screen"
        ),
        Binding(
            "colon,ctrl+p", "app.command_palette", "commands", id="app.palette", show=False, tooltip="Find a command"
        ),
        Binding("P", "app.profile", "profile", id="app.profile", show=False, tooltip="Go over to another profile"),
        # in dialogs too, which only a key with priority reaches
        Binding(
            "ctrl+l",
            "app.redraw",
            "redraw",
            id="app.redraw",
            show=False,
            priority=True,
            tooltip="Draw the screen anew",
        ),
        Binding(
            "ctrl+z",
            "app.suspend_process",
            "suspend",
            id="app.suspend",
            show=False,
            priority=True,
            tooltip="Go back to the shell; fg returns",
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
        terminal: Terminal | None = None,
        begun: "Begun | None" = None,
    ) -> None:
        self.terminal = terminal or Terminal(colour=not os.environ.get("NO_COLOR"))
        self.colour = self.terminal.colour
        self.ascii = self.terminal.ascii
        self._wire = Wire(dark=self.terminal.basic)
        super().__init__(ansi_color=None if self.colour else True)
        self.animation_level = "none"
        if not self.colour and not self.no_color:
            self.no_color = True
            self._filters.append(NoColor())
        self._filters.insert(0, Readable(self))
        if self.ascii:
            self._filters.append(Ascii())
        self.settings = settings
        self.config = config or Config(default_path())
        self.flags = flags or Flags()
        self.transport = transport
        self.clock = clock
        self.workspace: Workspace | None = None
        self._started = settings
        self._begun = begun
        self._not_used: list[Problem] = []
        self._picturing = asyncio.Lock()
        self._pictured: datetime | None = None
        """When the list of keys was read that the next start will show."""
        self._typed_in_setup: dict[str, str] = {}

    def get_driver_class(self) -> type[Driver]:
        """Our own driver, where there are signals and pseudo-terminals."""
        if sys.platform == "win32":
            return super().get_driver_class()
        from tui.driver import TerminalDriver

        return TerminalDriver

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        driver = self._driver
        drawn = self._running and not self._closed and not self._batch_count and driver and not driver.is_headless
        if drawn and isinstance(renderable, CompositorUpdate):
            sequences = self._wire.difference(renderable, self.console)
            if sequences is None:
                self._wire.forget()
            elif not sequences:
                self.post_display_hook()
                return
            else:
                renderable = Ready(sequences)
        super()._display(screen, renderable)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that changes, or is come back to, shows what it likes until it is drawn on."""
        self.action_redraw()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """No cursor blinks: it would be the only thing ever sent while nobody does anything."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def get_key_display(self, binding: Binding) -> str:
        """The key as it is written beside its action; where there are no signs, in words."""
        shown = super().get_key_display(binding)
        return shown if shown.isascii() or not self.ascii else binding.key

    def action_redraw(self) -> None:
        """Send the whole screen again, whatever was there."""
        self._wire.forget()
        self.refresh()

    def on_mount(self) -> None:
        """Connect, or ask where to."""
        self._use_configured_theme()
        if self._begun is None:
            self.use_configured_keys()
        if self.settings is None:
            self.set_up()
        else:
            self.connect(self.settings)

    def use_configured_keys(self) -> None:
        """Keys from the file; what is not used of them is told once there is a session.

        It imports every screen where the file sets any. A start that is under way has this done behind its first frame.
        """
        keys, not_used = keymap.read(self.config)
        self._not_used += not_used
        self.set_keymap(keys)
        ways_out = ("app.quit", "connect.quit", "connect.back", "connect.key")
        self.at_once |= {each for action in ways_out if action in keys for each in keys[action].split(",")}

    def _use_configured_theme(self) -> None:
        if problem := themes.problem(self.config):
            self._not_used.append(problem)
        elif self.config.theme is not None:
            self.theme = self.config.theme

    def themes(self) -> list[str]:
        """The names of the themes, Textual's own."""
        return themes.names()

    def use_theme(self, name: str) -> None:
        """Draw in another theme, until the person quits."""
        self.theme = name
        self.tell(f'{name}, until you quit. theme = "{name}" in the configuration keeps it.')

    def connect(self, settings: Settings) -> None:
        """Open a session with `settings`, in front of whatever is there, which stays until that has worked."""
        from tui.screens.connecting import Connecting

        self.settings = settings
        if isinstance(self.screen, Connecting):
            self.screen.go_to(settings)
            return
        begun, self._begun = self._begun, None
        self.push_screen(Connecting(settings, self.transport, begun), self._connected)

    def set_up(self) -> None:
        """Ask for a gateway and connect to it."""
        from tui.screens.setup import Setup

        screen = Setup(self.config, self.flags, self.settings, self.transport, typed=self._typed_in_setup)
        self.push_screen(screen, self._set_up)

    def _set_up(self, settings: Settings | None) -> None:
        if settings is not None:
            self.connect(settings)
        elif self.workspace is None and self.settings is not None:
            self.connect(self.settings)
        elif self.workspace is None:
            self.exit(0)

    # Profiles

    @property
    def in_demo(self) -> bool:
        """Whether there is the embedded gateway and nothing else."""
        return self._started is not None and self._started.demo

    @property
    def current_profile(self) -> str | None:
        """The profile whose data is shown; None before there is a session."""
        return self.workspace.session.settings.profile if self.workspace else None

    def profiles(self) -> "list[Entry]":
        """What can be gone over to: the profiles of the file, and what the app was started with beside them."""
        from tui.screens.choose_profile import Entry

        entries = [
            Entry(name, urlsplit(profile.url).netloc, _notes(profile.read_only, profile.confirm))
            for name, profile in self._config_now().profiles.items()
        ]
        began = self._started
        if began is not None and not began.from_profile and all(entry.name != began.profile for entry in entries):
            entries.append(Entry(began.profile, began.host, "as it was started"))
        return entries

    def settings_of(self, name: str) -> Settings:
        """The settings of one of `profiles`. Raises `ConfigError`."""
        config = self._config_now()
        if name not in config.profiles and self._started is not None and name == self._started.profile:
            return self._started
        return for_profile(config, name, os.environ, read_only=self.flags.read_only)

    def _config_now(self) -> Config:
        """The file as it is now, where it is right: setting up, or somebody in an editor, may have added to it."""
        with suppress(ConfigError):
            self.config = load(None if self.config.path == default_path() else self.config.path, {})
        return self.config

    def unfinished(self) -> list[str]:
        """What would be lost by leaving now, a sentence for each."""
        from tui.screens.dialogs import Dialog

        screens = [screen for stack in self._screen_stacks.values() for screen in stack]
        return [each.unfinished for each in screens if isinstance(each, (Dialog, MainScreen)) and each.unfinished]

    @work
    async def action_profile(self, name: str | None = None) -> None:
        """Go over to the profile `name`; without one, ask which."""
        from tui.screens.choose_profile import chosen_profile
        from tui.screens.setup import Setup

        settings = await chosen_profile(self, name)
        if settings is not None:
            if isinstance(self.screen, Setup):
                await self.pop_screen()
            self.connect(settings)

    async def _connected(self, session: Session | None) -> None:
        if session is None:
            self.set_up()
            return
        await self.enter(session)

    async def enter(self, session: Session) -> None:
        """Put the main screens over `session`, in place of those of an earlier one."""
        from tui.workspace import Workspace

        before, self.workspace = self.workspace, Workspace(session, self.clock)
        self.settings = session.settings
        if before is not None:
            for worker in list(self.workers):
                if worker.node is not self:
                    worker.cancel()
            # what was said about one gateway is not to be read under another one's name
            self.clear_notifications()
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
        if self._not_used:
            from tui.screens.dialogs import Results

            lines = [(str(replace(each, file=None)), False) for each in self._not_used]
            self._not_used = []
            await self.push_screen(Results(f"Not used of {self.config.path}; the rest is", lines))
        self._pictured = None
        # a key that is pressed before is for what was on screen then
        self.call_after_refresh(self.release)
        # no key waits for the disk
        self.call_after_refresh(lambda: self.run_worker(self._keep_picture()))

    async def _keep_picture(self) -> None:
        """Leave the list of keys, as it is on screen, for the next start to show."""
        last = self.workspace.session.last if self.workspace else None
        screen = next(iter(self._screen_stacks.get("keys", ())), None)
        if last is None or screen is None:
            return
        from tui.screens.keys import KeysScreen

        if not isinstance(screen, KeysScreen):
            return
        async with self._picturing:
            picture = screen.picture()
            if picture is not None and picture.at != self._pictured:
                self._pictured = picture.at
                await asyncio.to_thread(last.keep_picture, picture)

    def takes_held(self) -> bool:
        """What was typed blindly does not answer a dialog, which asks because its words have to be read first."""
        return isinstance(self.screen, MainScreen)

    async def action_go(self, mode: str) -> None:
        """Show one of the main screens; where there is nothing for this session, say why (S44)."""
        if self.workspace is None or self.screen.is_modal:
            return
        if reason := why_not_there(self.workspace.session, mode):
            self.tell(reason, severity="warning")
        else:
            await self.switch_mode(mode)

    async def show(self, mode: str, about: "Scope", came_from: str) -> None:
        """Go to the keys or the usage of `about` alone; from there back leads to the screen `came_from`."""
        if self.workspace is not None:
            self.workspace.wanted[mode] = about, came_from
            await self.switch_mode(mode)

    def action_help(self) -> None:
        """Show the keys of the screen at hand."""
        from tui.screens.help import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help(self.screen))

    async def action_leave(self) -> None:
        """Quit."""
        await self._keep_picture()
        self.exit(0)

    def action_help_quit(self) -> None:
        """Ctrl+C where nothing is selected: say what quits. Textual's own sentence has markup in it."""
        self.tell("ctrl+q quits.")

    async def copy(self, text: str) -> str:
        """Send `text` to the clipboard; the sentence that says how (it is never acknowledged)."""
        driver = self._driver
        write = driver.write if driver and not driver.is_headless else None
        how = self.config.clipboard
        # tmux may take its time
        result = await asyncio.to_thread(clipboard.copy, text, env=os.environ, write=write, choice=how)
        if write and driver:
            driver.flush()
        return result.sentence

    async def on_unmount(self) -> None:
        """Close the connections."""
        if self.workspace is not None:
            await self.workspace.session.client.aclose()

    def _handle_exception(self, error: Exception) -> None:
        # who ends the app while a screen is still being put up leaves that screen without its widgets
        if self._exit and isinstance(error, (NoMatches, ScreenStackError)):
            return
        # and who closes a screen in the moment of its answer leaves the worker without them, which Textual cancels last
        if isinstance(error, WorkerFailed) and isinstance(error.error, NoMatches):
            node = get_current_worker().node
            if not all(each.display for each in node.ancestors_with_self):
                return
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """What a crash leaves on the terminal: where it happened, without locals, redacted (S3)."""
        error: BaseException | None = self._exception
        if isinstance(error, WorkerFailed):
            # it says what, and only the error in it says where
            error = error.error
        lines = redact("".join(traceback.format_exception(error))) if error else "unknown error"
        text = Text(f"litellm-tui stopped because of an error of its own. Please report it.\n\n{lines}")
        self._exit_renderables.append(Segments(self.console.render(text, self.console.options)))
        self._close_messages_no_wait()


def _notes(read_only: bool, confirm: str) -> str:
    return ", ".join([*(["read-only"] if read_only else []), *(["names typed"] if confirm == "type" else [])])


def _screen(mode: str, workspace: "Workspace") -> MainScreen:
    """A screen, imported when it is first gone to: the charts, say, need not be there at the start."""
    if mode == "keys":
        from tui.screens.keys import KeysScreen

        return KeysScreen(workspace)
    if mode == "models":
        from tui.screens.models import ModelsScreen

        return ModelsScreen(workspace)
    if mode == "users":
        from tui.screens.users import UsersScreen

        return UsersScreen(workspace)
    if mode == "teams":
        from tui.screens.teams import TeamsScreen

        return TeamsScreen(workspace)
    from tui.screens.usage import UsageScreen

    return UsageScreen(workspace)
