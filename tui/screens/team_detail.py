"""Everything known about one team: budget, models, and its members with what they may spend in it."""

from rich.text import Text
from textual import work

from tui.formatting import count, fit, harmless, money
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError, NotFound
from tui.gateway.schema import Member, Team
from tui.gateway.teams import team_and_members
from tui.reports import Scope
from tui.screens.base import MainScreen
from tui.screens.people_text import team_scope
from tui.screens.record_detail import Facts, RecordDetail, go_on
from tui.startup import Session
from tui.workspace import Workspace

MOST_MEMBERS = 500
"""Members that are listed; nobody reads more of them here."""


def why_not_team(session: Session, team_id: str | None) -> str | None:
    """Why that team cannot be seen, as a sentence (S44); None where it can."""
    if not team_id:
        return "It belongs to no team."
    if any(team.team_id == team_id for team in session.teams):
        return session.rights.why_not(Action.LIST_KEYS)
    return session.rights.why_not(Action.SEE_EVERYONE)


class TeamDetail(RecordDetail):
    """Opened with the record of a list, or with an id alone; the rest is read."""

    def __init__(self, workspace: Workspace, team_id: str, team: Team | None) -> None:
        super().__init__(workspace)
        self.team_id = team_id
        self.team = team
        self.members: list[Member] | None = None
        self._said = "reading …"

    def on_mount(self) -> None:
        """The record as it is now, with its members."""
        self._load()

    @work(exclusive=True)
    async def _load(self) -> None:
        try:
            found = await team_and_members(self._workspace.session.client, self.team_id)
        except NotFound:
            self._said = "The gateway has no team of this id (any more)."
        except GatewayError as error:
            self._said = f"not read: {error}"
        else:
            self._said = ""
            # what only lists tell stays
            keys = self.team.key_count if self.team else None
            self.team, self.members = found[0].model_copy(update={"key_count": keys}), found[1]
        self.redraw()

    @property
    def scope(self) -> Scope:
        """Its keys and usage."""
        return team_scope(self.team or Team(team_id=self.team_id))

    def heading(self) -> str:
        """Its name."""
        blocked = "  blocked" if self.team and self.team.blocked else ""
        return f"T{self.scope.label[1:]}{blocked}"

    def facts(self) -> Text:
        """What is known of it."""
        page, team = Facts(), self.team
        if team is not None:
            page.money(team, self._workspace)
            page.limits(team)
            page.add("Keys", count(team.key_count) if team.key_count is not None else None)
            if self.members is not None:
                page.list("Members", _members(self.members))
            else:
                page.add("Members", count(len(team.members)))
        page.id(self.team_id)
        page.add("", self._said)
        return page.page


def _members(members: list[Member]) -> list[str]:
    if not members:
        return ["nobody"]
    widest = min(max(len(harmless(member.label)) for member in members), 40)
    lines = []
    for member in members[:MOST_MEMBERS]:
        name = fit(harmless(member.label), widest)
        role = "admin" if member.role == "admin" else "member"
        own = ""
        if member.max_budget is not None:
            spent = f"{money(member.spend)} of " if member.spend is not None else ""
            own = f"  {spent}{money(member.max_budget)} in this team"
        lines.append(f"{name:<{widest}}  {role:<6}{own}")
    if len(members) > MOST_MEMBERS:
        lines.append(f"and {len(members) - MOST_MEMBERS:,} more")
    return lines


def look_at_team(screen: MainScreen, team_id: str, team: Team | None = None) -> None:
    """Show the team over `screen`, and go on to where the person wants."""
    detail = TeamDetail(screen.workspace, team_id, team)

    async def after(way: str | None) -> None:
        await go_on(screen, way, detail.scope)

    screen.app.push_screen(detail, after)
