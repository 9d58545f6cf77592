"""The first thing on screen: what is being done, or exactly what is wrong and what to do about it."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

import httpx
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from tui import keymap, look
from tui.config import Settings
from tui.credentials import AskError, CredentialError, EnvKey, FileKey, HeldKey
from tui.formatting import day, fit, fit_to_show, plain
from tui.gateway.errors import GatewayError
from tui.last_time import Picture
from tui.screens import again
from tui.startup import Session, Trouble, explain, start
from tui.widgets.bars import Hint, Hints, Line

if TYPE_CHECKING:
    from tui.app import LitellmTui
    from tui.launch import Begun


UNASKED = (EnvKey, FileKey, HeldKey)
"""Keys that can be read again without asking: a command or a keyring may put up a question of its own."""
ACTING = (
    "open", "edit", "rotate", "finish", "undo", "block", "reset-spend", "delete", "copy", "mark", "mark-all",
)  # fmt: skip
"""What is meant for the rows that are seen, by the names of the keys screen's actions."""


class Connecting(Screen[Session | None]):
    """Starts a session. Dismissed with it, or with None where the person wants to set up another gateway.

    `begun` is such a start that is under way already; the next one is the screen's own. While it asks, the list of
    keys is shown as it looked the last time, where that is known: text with its age, which nothing can be done to.
    """

    CSS_PATH = "connecting.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R,enter", "retry", "try again", id="connect.retry"),
        Binding("K", "other_key", "another key", id="connect.key", tooltip="Type another key, kept in memory"),
        Binding("S", "set_up", "set up", id="connect.setup", tooltip="Set up another gateway"),
        Binding("escape", "back", "back", id="connect.back", tooltip="Back to what was on screen before"),
        Binding("q", "app.leave", "quit", id="connect.quit"),
    ]

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None, begun: "Begun | None" = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._transport = transport
        self._begun = begun
        self.trouble: Trouble | None = None
        self.tries = again.Again()
        self._alarm: Timer | None = None
        self._as_of = ""
        """The age of the list that is shown, "" where none is."""

    @property
    def tui(self) -> "LitellmTui":
        """The app, under its own type."""
        return cast("LitellmTui", self.app)

    def compose(self) -> ComposeResult:
        """A step and the list of last time while it works; title, sentence and advice when it does not."""
        yield Line(id="step")
        yield Line(id="picture")
        with Vertical(id="trouble"):
            yield Static("", id="trouble-title")
            yield Static("", id="trouble-sentence")
            yield Static("", id="trouble-advice")
        yield Hints()

    def on_mount(self) -> None:
        """Start at once."""
        self._begin()

    def go_to(self, settings: Settings) -> None:
        """Start another session in place of this one."""
        self._settings = settings
        self.tries.forget()
        self._begin()

    def _begin(self) -> None:
        self.trouble = None
        self.tries.begin()
        self._set_alarm()
        # what is typed now is for the screen that is to come
        self.tui.hold(self.may_wait)
        self.query_one("#trouble").display = False
        self._say_how_to_quit()
        self._said("starting")
        begun, self._begun = self._begun, None
        if begun is not None and begun.picture is not None:
            self._recall(begun.picture)
        self._start(begun)

    def _say_how_to_quit(self) -> None:
        self.query_one(Hints).set([Hint(keymap.key("connect.quit"), "quit")])

    def _recall(self, picture: Picture) -> None:
        """Show the list of last time, dim, at the place where it will be."""
        wide = self.app.size.width
        lines = "\n".join(fit(plain(line), wide) for line in picture.lines)
        at = picture.at.astimezone()
        today = self.tui.clock().astimezone().date()
        self._as_of = f"{at:%H:%M}" if at.date() == today else f"{day(at.date(), today)} {at:%H:%M}"
        line = self.query_one("#picture", Line)
        line.show(Text(lines, style=look.DIM, no_wrap=True))
        line.display = True
        self._said("asking")

    def _forget(self) -> None:
        self._as_of = ""
        line = self.query_one("#picture", Line)
        line.display = False
        line.show(Text())

    def may_wait(self, key: str, before: Sequence[str]) -> bool:
        """Whether a key may wait for the list that is asked for: not one that is meant for a row of the list of last
        time, since another key may be there in the new one. A letter of a text that is typed ahead may."""
        if not self._as_of or self._in_text(key, before) or key not in self._keys_of(*ACTING):
            return True
        self.tui.tell(f"Wait: still asking. These are the keys as of {self._as_of}.", severity="warning")
        return False

    def _in_text(self, key: str, before: Sequence[str]) -> bool:
        filters = self._keys_of("filter")
        begins = [at for at, each in enumerate(before) if each in filters]
        return bool(begins) and "enter" not in before[begins[-1] :]

    def _keys_of(self, *actions: str) -> set[str]:
        from tui.screens.keys import KeysScreen

        found = [each for each in KeysScreen.BINDINGS if isinstance(each, Binding)]
        wanted = {f"keys.{name}" for name in actions}
        return {each.key for one in found if one.id in wanted for each in keymap.mapped(self.app, one)}

    def _said(self, step: str) -> None:
        where = plain(self._settings.host)
        if self._as_of:
            step = f"keys as of {self._as_of}, asking"
        self.query_one("#step", Line).show(Text(f" litellm-tui  {where} · {plain(step)} …", style=look.DIM))

    @work(exclusive=True)
    async def _start(self, begun: "Begun | None") -> None:
        try:
            if begun is not None:
                session = await self._drawn_first(begun)
            else:
                session = await start(self._settings, transport=self._transport, said=self._said)
        except AskError:
            await self._ask("The gateway's key (kept in memory until you quit)")
            return
        except (GatewayError, CredentialError) as error:
            trouble = explain(error, self._settings)
            if isinstance(error, GatewayError) and isinstance(self._settings.credential, UNASKED):
                self.tries.failed(error, self.tui.clock())
            self._show(trouble)
            return
        self.dismiss(session)

    async def _drawn_first(self, begun: "Begun") -> Session:
        """The session, once this screen has been seen: what comes of it takes longer to draw than this."""
        # the first time only the layout is done
        for _ in range(2):
            drawn = asyncio.Event()
            self.call_after_refresh(drawn.set)
            await drawn.wait()
        if self.tui.config.keys:
            await asyncio.to_thread(keymap.import_all)
            self.tui.use_configured_keys()
            self._say_how_to_quit()
        if begun.picture is not None and not self._as_of:
            self._recall(begun.picture)
        self.tui.ask_again()
        # the screen that comes next, while the gateway thinks
        ahead = asyncio.to_thread(import_module, "tui.screens.keys")
        session, _ = await asyncio.gather(begun.session(self._said, self._recall), ahead)
        return session

    async def _ask(self, title: str) -> None:
        from tui.screens.another_key import another_key

        self._forget()
        self.tui.drop()
        settings = await another_key(self.app, self._settings, title)
        if settings is None:
            if self.trouble is None:
                self._show(
                    Trouble("No key", "No key was given.", (f"{keymap.key('connect.key')} asks for one again.",))
                )
            return
        self._settings = settings
        self.tries.forget()
        self._begin()

    def _show(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self._forget()
        self.tui.drop()
        self.query_one("#step", Line).show(Text(f" litellm-tui  {plain(self._settings.host)}", style=look.DIM))
        self.query_one("#trouble-title", Static).update(Text(fit_to_show(trouble.title), style=look.BAD))
        self.query_one("#trouble-sentence", Static).update(Text(fit_to_show(trouble.sentence)))
        lines = list(trouble.advice)
        if self.tries.at is not None:
            lines.append(f"Next try at {self.tries.at.astimezone():%H:%M:%S}.")
        advice = "\n".join(fit_to_show(line) for line in lines)
        self.query_one("#trouble-advice", Static).update(Text(advice, style=look.DIM))
        self.query_one("#trouble").display = True
        hints = [
            Hint(keymap.key("connect.retry"), "try again"),
            Hint(keymap.key("connect.key"), "another key"),
            Hint(keymap.key("connect.setup"), "set up another gateway"),
        ]
        if self.tui.workspace is not None:
            hints.insert(0, Hint(keymap.key("connect.back"), "back"))
        if self.tui.config.profiles:
            hints.insert(-1, Hint(keymap.key("app.profile"), "profile"))
        self.query_one(Hints).set([*hints, Hint(keymap.key("connect.quit"), "quit")])
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Only the screen in front asks by itself."""
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm = None
        if self.tries.at is not None and self.is_active:
            wait = (self.tries.at - self.tui.clock()).total_seconds()
            self._alarm = self.set_timer(max(wait, 0.0), self._try_again, name="again")

    def _try_again(self) -> None:
        if self.tries.at is not None and self.is_active and self.trouble is not None:
            self._begin()

    def on_screen_resume(self) -> None:
        """A try may be due."""
        self._set_alarm()

    def on_screen_suspend(self) -> None:
        """Nothing is tried behind a question."""
        self._set_alarm()

    def action_retry(self) -> None:
        """The same again."""
        if self.trouble is not None:
            self.tries.forget()
            self._begin()

    def action_back(self) -> None:
        """To the session that there was, where there was one: its data is still there."""
        if self.tui.workspace is not None:
            self.tui.settings = self.tui.workspace.session.settings
            self.tui.drop()
            self.workers.cancel_all()
            self.app.pop_screen()

    @work
    async def action_other_key(self) -> None:
        """The same with another key, typed and kept in memory."""
        if self.trouble is not None:
            await self._ask("Another key (kept in memory until you quit)")

    def action_set_up(self) -> None:
        """Leave for the setup screen."""
        if self.trouble is not None:
            self.dismiss(None)
