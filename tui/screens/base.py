"""What the keys, models and usage screens share: the bars, the status line, and unavailable actions with reasons."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from tui import keymap, look
from tui.formatting import fit, harmless, width
from tui.gateway.capabilities import Action, Rights
from tui.gateway.errors import GatewayError
from tui.screens import again
from tui.startup import Session, meanwhile, starts_anew
from tui.widgets.bars import Hint, Hints, Line, TopBar

if TYPE_CHECKING:
    from tui.app import LitellmTui
    from tui.workspace import Workspace

MODES = (("keys", "Keys"), ("models", "Models"), ("usage", "Usage"), ("users", "Users"), ("teams", "Teams"))
"""The main screens by mode, in the order of their number keys."""

STATUS_ROWS = 3
"""As many rows as the status line has at most."""
WRITES = (Action.CREATE, Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE)


def why_not_there(session: Session, mode: str) -> str | None:
    """Why there is nothing on that main screen for this session, as a sentence (S44); None where there is.

    Users are for those who see everyone; teams also for who is in one.
    """
    if mode == "teams" and not session.rights.sees_all and session.teams:
        return session.rights.why_not(Action.LIST_KEYS)
    return session.rights.why_not(Action.SEE_EVERYONE) if mode in ("users", "teams") else None


def _may(rights: Rights) -> tuple[str, str]:
    """What this session may do to keys, in a word, and its style."""
    if rights.read_only:
        return "READ-ONLY", look.WARN
    if rights.narrow:
        return "models only", look.WARN
    may_write = any(rights.why_not(action) is None for action in WRITES)
    return ("RW", "") if may_write else ("may only look", look.WARN)


class MainScreen(Screen[None]):
    """One of the app's screens. A subclass composes its body and loads its data in a worker."""

    CSS_PATH = ["base.tcss"]
    mode: ClassVar[str]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "again", "refresh", id="screen.refresh", show=False, tooltip="Ask the gateway again"),
        Binding(
            "K",
            "other_key",
            "another key",
            id="screen.other-key",
            show=False,
            tooltip="Go on with another key, typed and kept in memory",
        ),
    ]

    def __init__(self, workspace: "Workspace") -> None:
        super().__init__()
        self.workspace = workspace
        self.tries = again.Again()
        self._alarm: Timer | None = None

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

    @property
    def unfinished(self) -> str | None:
        """What would be lost by leaving now, as a sentence."""
        return None

    def why_not(self, action: str) -> str | None:
        """Why a bound action of this screen is not possible now, as a sentence; None where it is."""
        return None

    def reason(self, action: str) -> str | None:
        """The same, for the ways to the other screens too."""
        modes = [mode for mode, _ in MODES if action == f"app.go('{mode}')"]
        return why_not_there(self.workspace.session, modes[0]) if modes else self.why_not(action)

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
        line.show(Text(f" {harmless(message)}" if message else "", style=look.WARN if bad else look.DIM))
        line.display = bool(message)

    def say_stale(self, error: GatewayError, since: str) -> None:
        """The old data stays; say its age and why it is old, and have it read again in a while."""
        self.set_status(self.said(error, since), bad=True)

    def said(self, error: GatewayError, since: str = "") -> str:
        """Why nothing new could be read, what is shown instead, and the way on; the next try is set for its time."""
        at = self.tries.failed(error, self.workspace.clock())
        self._set_alarm()
        again_key, other_key = keymap.key("screen.refresh"), keymap.key("screen.other-key")
        sentence = meanwhile(error, self.workspace.session, again=again_key, other=other_key)
        shown = f" Showing {since}." if since else ""
        # such a sentence names R already, and with another meaning
        on = "" if starts_anew(error) else f" {again.words(at, utc=since.endswith('UTC'))}"
        if since:
            sentence = self._shortened(sentence, str(error), shown + on)
        return f"{sentence}{shown}{on}"

    def _shortened(self, sentence: str, message: str, rest: str) -> str:
        """The sentence with no more of the gateway's message in it than leaves room on the line for the way on."""
        wide, line = self.app.size.width, harmless(f"{sentence}{rest}")
        # a word that does not fit at the end of a row leaves it empty
        waste = min(max(map(width, line.split())), wide // 2)
        over = width(line) - STATUS_ROWS * wide + 2 * waste
        if over <= 0:
            return sentence
        clean = harmless(message)
        return sentence.replace(message, fit(clean, max(width(clean) - over, 40)))

    def all_well(self) -> None:
        """Something new was read."""
        self.tries.forget()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Only the screen in front asks by itself."""
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm = None
        if self.tries.at is not None and self.is_active:
            wait = (self.tries.at - self.workspace.clock()).total_seconds()
            self._alarm = self.set_timer(max(wait, 0.0), self._try_again, name="again")

    def _try_again(self) -> None:
        if self.tries.at is not None and self.is_active:
            self.tries.begin()
            self.retry()

    def retry(self) -> None:
        """Read again what could not be read."""
        self.action_reload()

    def action_reload(self) -> None:
        """Ask the gateway again for what is shown."""
        raise NotImplementedError

    def action_again(self) -> None:
        """A person asks: as if nothing had failed before, and where rights have changed in a new session."""
        # what a key for models alone may see, only a new start finds out
        narrow = self.workspace.session.rights.narrow and self.mode == "keys"
        anew = narrow or starts_anew(self.tries.error)
        self.all_well()
        if anew:
            self.tui.connect(self.workspace.session.settings)
        else:
            self.action_reload()

    @work(group="dialog")
    async def action_other_key(self) -> None:
        """Go on with another key; what is on screen stays until that one works."""
        from tui.screens.another_key import another_key

        if settings := await another_key(self.app, self.workspace.session.settings):
            self.tui.connect(settings)

    def refresh_bars(self) -> None:
        """Draw the top bar and the hints anew, where anything in them differs."""
        if not self.is_mounted:
            return
        bar = self.query_one(TopBar)
        bar.paint(self.workspace.session.settings.colour)
        bar.set(*self._top())
        self.query_one(Hints).set(self.hints())

    def hints(self) -> list[Hint]:
        """The footer: the shown bindings of this screen, those not possible dim, then help."""
        shown = [each for each in self._bindings_here() if each.show]
        hints = [
            Hint(self._shown_key(each), each.description, off=self.why_not(each.action) is not None) for each in shown
        ]
        return [*hints, Hint(keymap.key("app.help"), "help")]

    def _shown_key(self, binding: Binding) -> str:
        return self.app.get_key_display(keymap.mapped(self.app, binding)[0])

    def _bindings_here(self) -> list[Binding]:
        return [each for each in type(self).BINDINGS if isinstance(each, Binding)]

    def data_age(self) -> str:
        """When the data on this screen was read, for the top bar."""
        return f"{self.workspace.keys_at.astimezone():%H:%M}"

    def on_screen_resume(self) -> None:
        """Counts and ages may have changed while another screen was in front; a try may be due."""
        self.refresh_bars()
        self._set_alarm()

    def on_screen_suspend(self) -> None:
        """Nothing is asked for a screen that nobody sees."""
        self._set_alarm()

    def _top(self) -> tuple[Text, Text, Text]:
        session = self.workspace.session
        left = Text(" litellm-tui  ", style=look.STRONG)
        if session.settings.demo:
            left.append("DEMO ", style=f"reverse {look.WARN}")
            left.append(" made-up data", style=look.WARN)
        elif session.settings.colour:
            # where there are no colours, this is what marks it
            left.append(f" {harmless(session.settings.profile)} ", style="reverse")
            left.append(f" {harmless(session.client.host)}", style="not bold")
        else:
            left.append(f"{harmless(session.settings.profile)} · {harmless(session.client.host)}", style="not bold")
        role = {"proxy_admin": "admin", "proxy_admin_viewer": "admin viewer", "internal_user": "user"}.get(
            session.rights.role, session.rights.role
        )
        right = Text(f"{harmless(session.about)} · {harmless(role)} · ")
        right.append(*_may(session.rights))
        right.append(f" · {self.data_age()} ")
        counts = {
            **self.workspace.counts,
            "keys": self.workspace.key_count,
            "models": len(self.workspace.models or []) or None,
        }
        tabs = self._tabs(counts)
        if tabs.cell_len > self.app.size.width:
            tabs = self._tabs({"keys": counts["keys"]})
        return left, right, tabs

    def _tabs(self, counts: Mapping[str, int | None]) -> Text:
        tabs, session = Text(" "), self.workspace.session
        for mode, title in MODES:
            if why_not_there(session, mode):
                continue
            if len(tabs) > 1:
                tabs.append(" │ ", style=look.DIM)
            count = f" {counts[mode]:,}" if counts.get(mode) is not None else ""
            tabs.append(
                f"{keymap.key(f'app.{mode}')} {title}{count}", style="bold reverse" if mode == self.mode else ""
            )
        return tabs
