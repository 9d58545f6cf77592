"""The first thing on screen: what is being done, or exactly what is wrong and what to do about it."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

import httpx
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from tui import look
from tui.config import Settings
from tui.credentials import AskError, CredentialError, HeldKey, clean_key
from tui.formatting import fit_to_show, plain
from tui.gateway.errors import GatewayError
from tui.screens.dialogs import AskText
from tui.startup import Session, Trouble, explain, start
from tui.widgets.bars import Hint, Hints, Line

if TYPE_CHECKING:
    from tui.app import LitellmTui


class Connecting(Screen[Session | None]):
    """Starts a session. Dismissed with it, or with None where the person wants to set up another gateway."""

    CSS_PATH = "connecting.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R,enter", "retry", "try again", id="connect.retry"),
        Binding("K", "other_key", "another key", id="connect.key", tooltip="Type another key, kept in memory"),
        Binding("S", "set_up", "set up", id="connect.setup", tooltip="Set up another gateway"),
        Binding("q", "app.leave", "quit", id="connect.quit"),
    ]

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
        super().__init__()
        self._settings = settings
        self._transport = transport
        self.trouble: Trouble | None = None

    def compose(self) -> ComposeResult:
        """A step while it works; title, sentence and advice when it does not."""
        yield Line(id="step")
        with Vertical(id="trouble"):
            yield Static("", id="trouble-title")
            yield Static("", id="trouble-sentence")
            yield Static("", id="trouble-advice")
        yield Hints()

    def on_mount(self) -> None:
        """Start at once."""
        self._begin()

    def _begin(self) -> None:
        self.trouble = None
        # what is typed now is for the screen that is to come
        cast("LitellmTui", self.app).hold()
        self.query_one("#trouble").display = False
        self.query_one(Hints).set([Hint("q", "quit")])
        self._said("starting")
        self._start()

    def _said(self, step: str) -> None:
        where = plain(self._settings.host)
        self.query_one("#step", Line).show(Text(f" litellm-tui  {where} · {plain(step)} …", style=look.DIM))

    @work(exclusive=True)
    async def _start(self) -> None:
        try:
            session = await start(self._settings, transport=self._transport, said=self._said)
        except AskError:
            await self._ask("The gateway's key (kept in memory until you quit)")
            return
        except (GatewayError, CredentialError) as error:
            self._show(explain(error, self._settings))
            return
        self.dismiss(session)

    async def _ask(self, title: str) -> None:
        cast("LitellmTui", self.app).drop()
        typed = await self.app.push_screen_wait(AskText(title, secret=True, check=_wrong_key))
        if typed is None:
            if self.trouble is None:
                self._show(Trouble("No key", "No key was given.", ("K asks for one again.",)))
            return
        self._settings = replace(self._settings, credential=HeldKey(clean_key(typed)))
        self._begin()

    def _show(self, trouble: Trouble) -> None:
        self.trouble = trouble
        cast("LitellmTui", self.app).drop()
        self.query_one("#step", Line).show(Text(f" litellm-tui  {plain(self._settings.host)}", style=look.DIM))
        self.query_one("#trouble-title", Static).update(Text(fit_to_show(trouble.title), style=look.BAD))
        self.query_one("#trouble-sentence", Static).update(Text(fit_to_show(trouble.sentence)))
        advice = "\n".join(fit_to_show(line) for line in trouble.advice)
        self.query_one("#trouble-advice", Static).update(Text(advice, style=look.DIM))
        self.query_one("#trouble").display = True
        self.query_one(Hints).set(
            [Hint("R", "try again"), Hint("K", "another key"), Hint("S", "set up another gateway"), Hint("q", "quit")]
        )

    def action_retry(self) -> None:
        """The same again."""
        if self.trouble is not None:
            self._begin()

    @work
    async def action_other_key(self) -> None:
        """The same with another key, typed and kept in memory."""
        if self.trouble is not None:
            await self._ask("Another key (kept in memory until you quit)")

    def action_set_up(self) -> None:
        """Leave for the setup screen."""
        if self.trouble is not None:
            self.dismiss(None)


def _wrong_key(text: str) -> str | None:
    try:
        clean_key(text)
    except CredentialError as error:
        return str(error)
    return None
