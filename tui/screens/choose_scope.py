"""A dialog for whose: the session's own scopes and, for those who see everyone, any user or team by name."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tui import look
from tui.formatting import fit, fit_to_show, harmless, money, plain
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError, NotFound
from tui.gateway.fields import visible
from tui.gateway.finding import PAUSE, Found, holds, needle
from tui.gateway.schema import Team, User
from tui.gateway.teams import find_teams, team_info
from tui.gateway.users import find_users, user_info
from tui.reports import Scope
from tui.screens.dialogs import Dialog
from tui.widgets.table import Cell, Column, RecordTable, Row
from tui.workspace import Workspace

COLUMNS = (
    Column("here", "", 1, sortable=False),
    Column("kind", "", 4, sortable=False),
    Column("name", "Name", 20, grow=True, most=28, sortable=False),
    Column("id", "Id", 14, drop=1, grow=True, sortable=False),
    Column("spend", "Spend", 9, right=True, drop=2, sortable=False),
    Column("budget", "Budget", 9, right=True, drop=3, sortable=False),
)
MOST_ROWS = 12
"""Rows of the plain list before it scrolls."""
MOST_SHOWN = 200
"""Rows of what was found; beyond that, typing on is faster than scrolling."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One row: what choosing it gives, and what tells it from others. Amounts in USD."""

    scope: Scope
    name: str
    kind: str = ""
    id: str = ""
    email: str = ""
    spend: float | None = None
    budget: float | None = None

    @property
    def key(self) -> str:
        """What the row is known by."""
        return _key(self.scope)

    def matches(self, text: str) -> bool:
        """Whether it holds `text`, in any case."""
        return not text or holds(text, self.name, self.id, self.email, self.scope.label)

    def order(self, text: str) -> tuple[bool, bool, str, str]:
        """What is named just so comes first, then what begins so."""
        wanted = text.casefold()
        names = [each.casefold() for each in (self.id, self.name, self.email) if each]
        starts = any(each.startswith(wanted) for each in names)
        return (wanted not in names, not starts, self.name.casefold(), self.key)


def _key(scope: Scope) -> str:
    return f"{scope.kind}:{scope.id}"


def _user(user: User, scope: Scope | None = None) -> Option:
    name = visible(user.alias) or user.email or user.user_id
    scope = scope or Scope("user", user.user_id, name)
    return Option(scope, name, "user", user.user_id, user.email or "", user.spend, user.max_budget)


def _team(team: Team, scope: Scope | None = None) -> Option:
    scope = scope or Scope("team", team.team_id, f"team {team.label}")
    return Option(scope, team.label, "team", team.team_id, "", team.spend, team.max_budget)


class ChooseScope(Dialog[Scope | None]):
    """Dismissed with the scope that was chosen, or None.

    `scopes` are offered first, `here` is the present one. Where the session sees everyone, what is typed is looked for
    on the gateway too; else it is a plain list and nothing is asked (S44).
    """

    CSS_PATH = ["dialogs.tcss", "choose_scope.tcss"]
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "back", id="scope.back"),
        Binding("down", "move('cursor_down')", "next", show=False, id="scope.next"),
        Binding("up", "move('cursor_up')", "previous", show=False, id="scope.previous"),
        Binding("pagedown", "move('page_down')", "page down", show=False, id="scope.page-down"),
        Binding("pageup", "move('page_up')", "page up", show=False, id="scope.page-up"),
    ]

    class Answered(Message):
        """What the gateway says to `text`; an error in the place of what could not be asked for."""

        def __init__(self, text: str, users: Found[User] | GatewayError, teams: Found[Team] | GatewayError) -> None:
            super().__init__()
            self.text = text
            self.users = users
            self.teams = teams

    class LookedUp(Message):
        """The user and the team whose id `text` is, where there are any."""

        def __init__(self, text: str, user: User | GatewayError | None, team: Team | GatewayError | None) -> None:
            super().__init__()
            self.text = text
            self.user = user
            self.team = team

    def __init__(self, workspace: Workspace, scopes: Sequence[Scope], here: Scope, *, title: str = "Whose?") -> None:
        super().__init__()
        self._session = workspace.session
        self._heading = title
        self._here = _key(here)
        own = list(scopes)
        if self._here not in map(_key, own):
            own.insert(0, replace(here, key="", models=()))
        self._own = [self._option(scope) for scope in own]
        self._finds = self._session.rights.why_not(Action.SEE_EVERYONE) is None
        self._text = ""
        self._seen: dict[str, Option] = {}
        self._asking = False
        self._answered: dict[str, bool] = {}
        """Texts that were asked for, and whether the gateway has more that match."""
        self._more = False
        self._wrong: list[str] = []

    def _option(self, scope: Scope) -> Option:
        session = self._session
        if scope.kind == "user":
            if session.user and session.user.user_id == scope.id:
                return replace(_user(session.user, scope), name=scope.label)
            return Option(scope, scope.label, "user", scope.id)
        if scope.kind == "team":
            team = next((team for team in session.teams if team.team_id == scope.id), None)
            return _team(team, scope) if team else Option(scope, scope.label.removeprefix("team "), "team", scope.id)
        return Option(scope, scope.label)

    def compose(self) -> ComposeResult:
        """Title, what is typed, the rows, what there is to say, and the keys."""
        with Vertical(classes=f"dialog choose-scope {'finds' if self._finds else 'plain'}"):
            yield Static(Text(harmless(self._heading)), classes="dialog-title")
            if self._finds:
                field = Input(placeholder="a user's id or e-mail, a team's name", compact=True)
                field.cursor_blink = False
                yield field
            table = RecordTable(COLUMNS, show_header=self._finds, id="options")
            # letters go to the field, wherever the mouse went
            table.can_focus = not self._finds
            yield table
            yield Static(classes="said")
            yield Static(Text("enter takes it · esc goes back", style=look.DIM))

    def on_mount(self) -> None:
        """The present one is under the cursor; the first page of everyone is asked for."""
        table = self.query_one(RecordTable)
        self.query_one(".said").display = self._finds
        if self._finds:
            self.query_one(Input).focus()
            self._ask()
        else:
            table.styles.height = min(len(self._own), MOST_ROWS)
            table.focus()
        self.draw()
        table.go_to(self._here)

    # What is drawn

    def shown(self) -> list[Option]:
        """What matches: without a text the session's own first, else the best match."""
        known = {option.key for option in self._own}
        found = [option for key, option in self._seen.items() if key not in known]
        if not self._text:
            return self._own + sorted(found, key=lambda option: option.order(""))
        matching = [option for option in (*self._own, *found) if option.matches(self._text)]
        return sorted(matching, key=lambda option: option.order(self._text))

    def draw(self) -> None:
        """Bring rows and words up to what is known."""
        shown = self.shown()
        self.query_one(RecordTable).show([self._row(option) for option in shown[:MOST_SHOWN]])
        self.query_one(".said", Static).update(Text(self._words(shown)))

    def _row(self, option: Option) -> Row:
        told = [each for each in (option.id, option.email) if each and each != option.name]
        cells = {
            "here": Cell("●" if option.key == self._here else ""),
            "kind": Cell(option.kind, style=look.DIM),
            "name": Cell(option.name),
            "id": Cell("  ".join(told), style=look.DIM),
            "spend": Cell("" if option.spend is None else money(option.spend)),
            "budget": Cell("" if option.budget is None else money(option.budget)),
        }
        return Row(option.key, cells)

    def _words(self, shown: Sequence[Option]) -> str:
        if self._asking:
            return "asking …"
        words = list(self._wrong)
        if not shown and not words:
            words.append(f"no user or team matches “{fit(plain(self._text), 40)}”")
        if self._more or len(shown) > MOST_SHOWN:
            words.append("there are more: type on" if self._text else "there are more: type to find them")
        return "\n".join(words)

    # What is asked

    @on(Input.Changed)
    def on_typed(self, event: Input.Changed) -> None:
        """Filter what is known at once; ask for what is not."""
        event.stop()
        text = needle(event.value)
        if text == self._text:
            return
        self._text = text
        self._wrong = []
        self._ask()
        self.draw()
        # the best match, not the row that the text before had led to
        self.query_one(RecordTable).move_cursor(row=0, animate=False)

    def _ask(self) -> None:
        self.workers.cancel_group(self, "find")
        text = self._text.casefold()
        # where everything that holds "ad" is known, so is what holds "ada"
        whole = any(known in text for known, more in self._answered.items() if not more)
        self._more = self._answered.get(text, False) and not whole
        self._asking = not whole and text not in self._answered
        if self._asking:
            self._find(self._text)

    @work(group="find", exclusive=True)
    async def _find(self, text: str) -> None:
        if text:
            await asyncio.sleep(PAUSE)
        client, rights = self._session.client, self._session.rights
        users, teams = await asyncio.gather(
            _tried(find_users(client, rights, text)), _tried(find_teams(client, rights, text))
        )
        self.post_message(self.Answered(text, users, teams))

    @on(Answered)
    def on_answered(self, event: Answered) -> None:
        """Show what was found, if it is still asked for."""
        found: list[Option] = []
        if not isinstance(event.users, GatewayError):
            found += map(_user, event.users.rows)
        if not isinstance(event.teams, GatewayError):
            found += map(_team, event.teams.rows)
        self._learn(found)
        answers = (event.users, event.teams)
        more = any(isinstance(answer, Found) and answer.more for answer in answers)
        if not any(isinstance(answer, GatewayError) for answer in answers):
            self._answered[event.text.casefold()] = more
        if event.text != self._text:
            return
        self._asking, self._more = False, more
        self._wrong = _sentences(event.users, event.teams)
        self.draw()

    def _learn(self, options: Iterable[Option]) -> None:
        self._seen.update((option.key, option) for option in options)

    @work(group="find", exclusive=True)
    async def _look_up(self, text: str) -> None:
        session = self._session
        # up to 1.83 a viewer may not read the record of another; the list has what they may see
        reads = session.rights.admin or session.server.at_least(1, 84)
        user = _tried(user_info(session.client, text)) if reads else _nobody()
        self.post_message(
            self.LookedUp(text, *await asyncio.gather(user, _tried(_team_or_none(team_info(session.client, text)))))
        )

    @on(LookedUp)
    def on_looked_up(self, event: LookedUp) -> None:
        """Take what has the id that was typed in full; let the person choose where two have it."""
        if event.text != self._text:
            return
        self._asking = False
        found = [_user(event.user)] if isinstance(event.user, User) else []
        found += [_team(event.team)] if isinstance(event.team, Team) else []
        if len(found) == 1:
            self.dismiss(found[0].scope)
            return
        self._learn(found)
        self._wrong = _sentences(event.user, event.team)
        if not found and not self._wrong:
            self._ask()
        self.draw()

    # What is done

    def _take(self) -> None:
        key = self.query_one(RecordTable).current
        chosen = next((option for option in self.shown() if option.key == key), None)
        if chosen is not None:
            self.dismiss(chosen.scope)
        elif self._text:
            self._asking = True
            self._look_up(self._text)
            self.draw()

    @on(Input.Submitted)
    def on_submitted(self, event: Input.Submitted) -> None:
        """Take the row under the cursor; without one, look for exactly this id."""
        event.stop()
        self._take()

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Take it."""
        self._take()

    def action_move(self, how: str) -> None:
        """Move in the rows while the field has the focus."""
        getattr(self.query_one(RecordTable), f"action_{how}")()

    def action_cancel(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)


async def _tried(call: Awaitable[T]) -> T | GatewayError:
    try:
        return await call
    except GatewayError as error:
        return error


async def _nobody() -> None:
    return None


async def _team_or_none(call: Awaitable[Team]) -> Team | None:
    try:
        return await call
    except NotFound:
        return None


def _sentences(users: object, teams: object) -> list[str]:
    """What went wrong; once, where it is the same for both."""
    wrong = [answer.message for answer in (users, teams) if isinstance(answer, GatewayError)]
    return [fit_to_show(sentence) for sentence in dict.fromkeys(wrong)]
