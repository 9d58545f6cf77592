"""Going over to another profile: which one, and whether what is open may be left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui import keymap, look
from tui.config import ConfigError, Settings
from tui.formatting import fit, plain
from tui.screens.dialogs import LONGEST, Confirm, Dialog
from tui.widgets.table import Cell, Column, RecordTable, Row

if TYPE_CHECKING:
    from tui.app import LitellmTui

COLUMNS = (
    Column("mark", "", 1),
    Column("name", "", 14, grow=True, most=20),
    Column("host", "", 20, grow=True, most=32),
    Column("notes", "", 24, drop=1),
)
MOST_ROWS = 12
SET_UP = ""
"""In place of a name: a gateway that has no profile yet. No profile can be called so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile to choose: its name, the gateway's host, and what is special about it, in words."""

    name: str
    host: str
    notes: str = ""


class ChooseProfile(Dialog[str | None]):
    """Dismissed with the name of the profile that was chosen, `SET_UP`, or None."""

    CSS_PATH = ["dialogs.tcss", "choose.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "back", id="profile.back"),
        Binding("S", "set_up", "set up another gateway", id="profile.setup"),
    ]

    def __init__(self, entries: Sequence[Entry], current: str | None) -> None:
        super().__init__()
        self._entries = entries
        self._current = current

    def compose(self) -> ComposeResult:
        """Name and host of each; ● marks the one that is open."""
        with Vertical(classes="dialog choose"):
            yield Static(Text("Profile"), classes="dialog-title")
            yield RecordTable(COLUMNS, show_header=False, id="profiles")
            words = f"enter connects · {keymap.key('profile.setup')} another gateway · esc goes back"
            yield Static(Text(words if self._entries else f"There are no profiles yet. {words}", style=look.DIM))

    def on_mount(self) -> None:
        """The one that is open is under the cursor."""
        table = self.query_one(RecordTable)
        table.display = bool(self._entries)
        table.styles.height = min(len(self._entries), MOST_ROWS)
        table.show([self._row(entry) for entry in self._entries])
        if self._current is not None:
            table.go_to(self._current)
        table.focus()

    def _row(self, entry: Entry) -> Row:
        here = entry.name == self._current
        cells = {
            "mark": Cell("●" if here else "", look.MARKED),
            "name": Cell(entry.name, look.STRONG),
            "host": Cell(entry.host),
            "notes": Cell(entry.notes, look.DIM),
        }
        return Row(entry.name, cells)

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Take it."""
        self.dismiss(self.query_one(RecordTable).current)

    def action_set_up(self) -> None:
        """None of these."""
        self.dismiss(SET_UP)

    def action_cancel(self) -> None:
        """Stay where it is."""
        self.dismiss(None)


async def chosen_profile(app: "LitellmTui", name: str | None) -> Settings | None:
    """The settings to go over to: of the profile `name`, else of the one that the person chooses; None to stay.

    What is unfinished on any screen is asked about before.
    """
    for screen in list(app.screen_stack):
        if isinstance(screen, ChooseProfile):
            screen.dismiss(None)
    if app.in_demo:
        app.tell("The demo has this one gateway. Start without --demo to use a profile.", severity="warning")
        return None
    if name is None:
        name = await app.push_screen_wait(ChooseProfile(app.profiles(), app.current_profile))
    if name is None:
        return None
    if name == SET_UP:
        app.set_up()
        return None
    if name == app.current_profile:
        app.tell(f"{name} is open already.")
        return None
    try:
        settings = app.settings_of(name)
    except ConfigError as error:
        app.tell(str(error), severity="error")
        return None
    left = app.unfinished()
    if left:
        lines = [*left, "It is lost as soon as the other gateway answers."]
        if not await app.push_screen_wait(Confirm(f"Leave for {fit(plain(name), LONGEST)}?", lines, "Leave")):
            return None
    return settings
