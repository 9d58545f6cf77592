"""Everything known about one user: role, budget, limits, and the teams they are in."""

from rich.text import Text
from textual import work

from tui.formatting import count, money
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.fields import visible
from tui.gateway.schema import Team, User
from tui.gateway.users import user_and_teams
from tui.reports import Scope
from tui.screens.base import MainScreen
from tui.screens.people_text import ROLES, user_scope
from tui.screens.record_detail import Facts, RecordDetail, go_on
from tui.startup import Session
from tui.workspace import Workspace


def why_not_user(session: Session, user_id: str | None) -> str | None:
    """Why that user's record cannot be seen, as a sentence (S44); None where it can."""
    if not user_id:
        return "It belongs to no user."
    if user_id == session.rights.user_id:
        return session.rights.why_not(Action.LIST_KEYS)
    return session.rights.why_not(Action.SEE_EVERYONE)


class UserDetail(RecordDetail):
    """Opened with the record of a list, or with an id alone; the rest is read."""

    def __init__(self, workspace: Workspace, user_id: str, user: User | None) -> None:
        super().__init__(workspace)
        self.user_id = user_id
        self.user = user
        self.teams: list[Team] | None = None
        self._said = "reading …"

    def on_mount(self) -> None:
        """The record as it is now, with the names of the teams."""
        self._load()

    @work(exclusive=True)
    async def _load(self) -> None:
        session = self._workspace.session
        try:
            found = await user_and_teams(session.client, session.rights, self.user_id)
        except GatewayError as error:
            self._said = f"not read: {error}"
        else:
            self._said = "" if found else "The gateway has no user of this id (any more)."
            if found:
                # what only lists tell stays
                keys = self.user.key_count if self.user else None
                self.user, self.teams = found[0].model_copy(update={"key_count": keys}), found[1]
        self.redraw()

    @property
    def scope(self) -> Scope:
        """Their keys and usage."""
        return user_scope(self.user or User(user_id=self.user_id))

    def heading(self) -> str:
        """Name, or id."""
        return f"User {self.scope.label}"

    def facts(self) -> Text:
        """What is known of them."""
        page, user = Facts(), self.user
        if user is not None:
            page.add("Name", visible(user.alias))
            page.add("E-mail", user.email)
            role = ROLES.get(user.role or "")
            page.add("Role", f"{role} ({user.role})" if role else user.role)
            page.money(user, self._workspace)
            page.limits(user)
            page.add("Keys", count(user.key_count) if user.key_count is not None else None)
            page.list("Teams", self._teams(user))
            page.add("Created", f"{user.created_at:%Y-%m-%d %H:%M} UTC" if user.created_at else None)
            for name, value in user.metadata.items():
                page.add("Metadata", f"{name} = {value}")
        page.id(self.user_id)
        page.add("", self._said)
        return page.page

    def _teams(self, user: User) -> list[str]:
        if self.teams is not None:
            return [_team(team) for team in self.teams] or ["none"]
        return [self._workspace.team_label(team_id) for team_id in user.teams] or ["none"]


def _team(team: Team) -> str:
    limit = f" of {money(team.max_budget)}" if team.max_budget is not None else ", no budget limit"
    return f"{team.label}  {money(team.spend)}{limit}{'  blocked' if team.blocked else ''}"


def look_at_user(screen: MainScreen, user_id: str, user: User | None = None) -> None:
    """Show the user over `screen`, and go on to where the person wants."""
    detail = UserDetail(screen.workspace, user_id, user)

    async def after(way: str | None) -> None:
        await go_on(screen, way, detail.scope)

    screen.app.push_screen(detail, after)
