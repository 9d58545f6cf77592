"""What the details of a user and of a team share: the record at once, what the gateway adds, and the ways on."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from tui import keymap, look
from tui.formatting import count, fit, harmless, money, percent, resets
from tui.gateway.capabilities import Action
from tui.gateway.durations import in_words
from tui.gateway.schema import NO_MODELS, Team, User
from tui.gateway.state import used
from tui.reports import Scope
from tui.screens.base import MainScreen
from tui.screens.dialogs import LONGEST, Dialog
from tui.screens.people_text import pressing
from tui.widgets.bars import Hint
from tui.widgets.key_line import KeyLine
from tui.widgets.table import bar
from tui.workspace import Workspace

WAYS = (("open", "its keys", Action.LIST_KEYS), ("usage", "its usage", Action.SEE_USAGE))
"""What can be gone on to, in words, and the right that it takes."""


class RecordDetail(Dialog[str | None]):
    """Dismissed with `open` (its keys), `usage`, `copy`, or None. A subclass gives title and facts, and loads more."""

    CSS_PATH = ["dialogs.tcss", "key_detail.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,i", "close", "back", id="record.back"),
        Binding("enter", "run('open')", "keys", id="record.open", tooltip="See these keys alone"),
        Binding("u", "run('usage')", "usage", id="record.usage", tooltip="See this usage"),
        Binding("y", "run('copy')", "copy id", id="record.copy", tooltip="Copy the id"),
        Binding("j,down", "scroll(1)", "down", show=False, id="record.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="record.up"),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace

    def compose(self) -> ComposeResult:
        """The record, the ways on."""
        with Vertical(classes="dialog detail"):
            yield Static(fitted(self.heading()), classes="dialog-title")
            with VerticalScroll(classes="detail-text"):
                yield Static(self.facts(), id="facts")
            yield KeyLine(self._hints(), id="actions")
            if reasons := self._reasons():
                yield Static(reasons, id="reasons")

    def heading(self) -> str:
        """Whom it is about."""
        raise NotImplementedError

    def facts(self) -> Text:
        """All that is known by now."""
        raise NotImplementedError

    def redraw(self) -> None:
        """More is known."""
        self.query_one(".dialog-title", Static).update(fitted(self.heading()))
        self.query_one("#facts", Static).update(self.facts())

    def _why_not(self, action: Action) -> str | None:
        return self._workspace.session.rights.why_not(action)

    def _hints(self) -> list[Hint]:
        ways = [
            Hint(keymap.key(f"record.{name}"), words, off=self._why_not(action) is not None)
            for name, words, action in WAYS
        ]
        return [*ways, Hint(keymap.key("record.copy"), "copy id"), Hint(keymap.key("record.back"), "back")]

    def _reasons(self) -> Text:
        said = [f"{words}: {why}" for _, words, action in WAYS if (why := self._why_not(action))]
        return Text("\n".join(harmless(each) for each in said), style=look.WARN)

    def action_close(self) -> None:
        """Back to where it was asked for."""
        self.dismiss(None)

    def action_run(self, way: str) -> None:
        """Leave, and go on there, where that is possible."""
        needed = next((action for name, _, action in WAYS if name == way), None)
        if needed is None or self._why_not(needed) is None:
            self.dismiss(way)

    def action_scroll(self, lines: int) -> None:
        """Move the page."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class Facts:
    """A page of facts, a label before each."""

    def __init__(self) -> None:
        self.page = Text()

    def add(self, label: str, value: str | None, style: str = "") -> None:
        """One fact; nothing for one that is not known."""
        if value:
            self.page.append(f"{label:<13}", style=look.DIM)
            self.page.append(f"{harmless(value)}\n", style=style)

    def list(self, label: str, lines: list[str]) -> None:
        """Several, one below the other."""
        for number, line in enumerate(lines):
            self.add("" if number else label, line)

    def money(self, record: User | Team, workspace: Workspace) -> None:
        """Spend, budget and when it begins anew (S25, S42)."""
        part = used(record.spend, record.max_budget)
        if part is None:
            self.add("Spend", f"{money(record.spend)}, no budget limit")
            return
        style = pressing(record.spend, record.max_budget)
        state = "" if not style else "  over budget" if part >= 1 else "  near its budget"
        limit = money(record.max_budget)
        self.add("Spend", f"{money(record.spend)} of {limit}  {bar(part, 20):<20}  {percent(part)}{state}", style)
        window = in_words(record.budget_duration) if record.budget_duration else None
        when = resets(record.budget_duration, record.budget_reset_at, workspace.clock())
        self.add("Budget", f"every {window}, {when}" if window else "never resets")

    def limits(self, record: User | Team) -> None:
        """Models and rates."""
        self.add("Models", "none" if record.models == [NO_MODELS] else ", ".join(record.models) or "all")
        self.add("Tokens/min", count(record.tpm_limit) if record.tpm_limit is not None else "no limit")
        self.add("Requests/min", count(record.rpm_limit) if record.rpm_limit is not None else "no limit")

    def id(self, id: str) -> None:
        """The id, as long as it is."""
        self.page.append(f"{'Id':<13}", style=look.DIM)
        self.page.append(f"{harmless(id)}\n")


def fitted(heading: str) -> Text:
    """A title of any name."""
    return Text(fit(harmless(heading), LONGEST))


async def go_on(screen: MainScreen, way: str | None, scope: Scope) -> None:
    """From a detail to where it was left for."""
    if way in ("open", "usage"):
        await screen.tui.show("keys" if way == "open" else "usage", scope, screen.mode)
    elif way == "copy":
        screen.tell(f"The id of {scope.label}: {await screen.tui.copy(scope.id)}")
