"""What the keys, models and usage screens share: the bars, the status line, and unavailable actions with reasons."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tui import look
from tui.formatting import plain
from tui.gateway.capabilities import Action, Rights
from tui.gateway.errors import GatewayError
from tui.widgets.bars import Hint, Hints, Line, TopBar
from tui.workspace import Workspace

if TYPE_CHECKING:
    from tui.app import LitellmTui

MODES = (("keys", "Keys"), ("models", "Models"), ("usage", "Usage"))
"""The three screens by mode, in the order of their number keys."""

WRITES = (Action.CREATE, Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE)


def _may(rights: Rights) -> tuple[str, str]:
    """What this session may do to keys, in a word, and its style."""
    if rights.read_only:
        return "READ-ONLY", look.WARN
    if rights.narrow:
        return "models only", look.WARN
    may_write = any(rights.why_not(action) is None for action in WRITES)
    return ("RW", "") if may_write else ("may only look", look.WARN)


class MainScreen(Screen[None]):
    """A screen of the app's three. A subclass composes its body and loads its data in a worker."""

    CSS_PATH = ["base.tcss"]
    mode: ClassVar[str]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "reload", "refresh", id="screen.refresh", show=False, tooltip="Ask the gateway again"),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace

    @property
    def tui(self) -> "LitellmTui":
        """The app, under its own type."""
        return cast("LitellmTui", self.app)

    def compose(self) -> ComposeResult:
        """Bars around the body."""
        yield TopBar()
        yield Line(id="status")
        yield from self.compose_body()
        yield Hints()

    def compose_body(self) -> Iterable[Widget]:
        """The screen's own widgets."""
        raise NotImplementedError

    def why_not(self, action: str) -> str | None:
        """Why a bound action of this screen is not possible now, as a sentence; None where it is."""
        return None

    def refused(self, action: str) -> bool:
        """Whether `action` is not possible; the reason is told in a toast then."""
        reason = self.why_not(action)
        if reason:
            self.tell(reason, severity="warning")
        return reason is not None

    def tell(self, message: str, *, title: str = "", severity: str = "information") -> None:
        """A toast; the message is data, never markup."""
        self.tui.tell(message, title=title, severity=severity)

    def set_status(self, message: str = "", *, bad: bool = False) -> None:
        """The line under the tabs; nothing there for ""."""
        line = self.query_one("#status", Line)
        line.show(Text(f" {plain(message)}" if message else "", style=look.WARN if bad else look.DIM))
        line.display = bool(message)

    def say_stale(self, error: GatewayError, since: str) -> None:
        """The old data stays; say its age and why it is old."""
        self.set_status(f"{error} Showing {since}. R tries again.", bad=True)

    def refresh_bars(self) -> None:
        """Draw the top bar and the hints anew, where anything in them differs."""
        if not self.is_mounted:
            return
        self.query_one(TopBar).set(*self._top())
        self.query_one(Hints).set(self.hints())

    def hints(self) -> list[Hint]:
        """The footer: the shown bindings of this screen, those not possible dim, then help."""
        shown = [each for each in self._bindings_here() if each.show]
        hints = [
            Hint(self.app.get_key_display(each), each.description, off=self.why_not(each.action) is not None)
            for each in shown
        ]
        return [*hints, Hint("?", "help")]

    def _bindings_here(self) -> list[Binding]:
        return [each for each in type(self).BINDINGS if isinstance(each, Binding)]

    def data_age(self) -> str:
        """When the data on this screen was read, for the top bar."""
        return f"{self.workspace.keys_at.astimezone():%H:%M}"

    def on_screen_resume(self) -> None:
        """Counts and ages may have changed while another screen was in front."""
        self.refresh_bars()

    def _top(self) -> tuple[Text, Text, Text]:
        session = self.workspace.session
        left = Text(" litellm-tui  ", style=look.STRONG)
        if session.settings.demo:
            left.append("DEMO ", style=f"reverse {look.WARN}")
            left.append(" made-up data", style=look.WARN)
        else:
            left.append(f"{plain(session.settings.profile)} · {plain(session.client.host)}", style="not bold")
        role = {"proxy_admin": "admin", "proxy_admin_viewer": "admin viewer", "internal_user": "user"}.get(
            session.rights.role, session.rights.role
        )
        right = Text(f"{plain(session.about)} · {plain(role)} · ")
        right.append(*_may(session.rights))
        right.append(f" · {self.data_age()} ")
        tabs = Text(" ")
        counts = {"keys": len(self.workspace.keys), "models": len(self.workspace.models or []) or None}
        for number, (mode, title) in enumerate(MODES, 1):
            if number > 1:
                tabs.append(" │ ", style=look.DIM)
            count = f" {counts[mode]}" if counts.get(mode) is not None else ""
            tabs.append(f"{number} {title}{count}", style="bold reverse" if mode == self.mode else "")
        return left, right, tabs
