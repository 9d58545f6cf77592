"""The teams screen: what they spent and may spend, who is in them; all of them, or one's own (S14, S44)."""

from tui import look
from tui.formatting import count, models_summary, money
from tui.gateway.fields import visible
from tui.gateway.finding import LARGEST_PAGE, Found
from tui.gateway.paging import PAGE, Pages
from tui.gateway.schema import Team
from tui.gateway.state import used
from tui.gateway.teams import SORTS, find_teams, list_teams, team_pages
from tui.people import Source
from tui.reports import Scope
from tui.screens.people import PeopleScreen
from tui.screens.people_text import budget_cell, pressing, resets_cell, team_scope
from tui.screens.team_detail import look_at_team
from tui.widgets.table import Cell, Column, Row


class TeamsScreen(PeopleScreen[Team]):
    """The teams, to look at."""

    mode = "teams"
    one = "team"
    columns = (
        Column("mark", "", 1, sortable=False),
        Column("alias", "Team", 18, grow=True, most=30),
        Column("spend", "Spend", 9, right=True, drop=1),
        Column("budget", "Budget", 18, drop=2),
        Column("resets", "Resets", 11, drop=6, sortable=False),
        Column("members", "Members", 7, right=True, drop=4),
        Column("keys", "Keys", 4, right=True, drop=7),
        Column("state", "State", 7, sortable=False),
        Column("models", "Models", 10, drop=5, grow=True, most=30, sortable=False),
        Column("id", "Id", 18, drop=8, grow=True),
    )
    order = "alias"
    server_finds = "a part of the name, or the whole id"
    finds = "name, id or model"

    def source(self) -> Source[Team]:
        """LiteLLM's list of teams; for who does not see everyone the list of their own."""
        session = self.workspace.session
        client, rights = session.client, session.rights

        async def own(number: int) -> tuple[int, list[Team]]:
            every = await list_teams(client, session.user_id)
            return len(every), every[number * PAGE : (number + 1) * PAGE]

        async def find(text: str) -> Found[Team]:
            return await find_teams(client, rights, text, limit=LARGEST_PAGE)

        def pages(sort: str, descending: bool) -> Pages[Team]:
            return team_pages(client, rights, sort=sort, descending=descending) if rights.sees_all else Pages(own)

        return Source(
            pages=pages,
            find=find,
            id=lambda team: team.team_id,
            words=lambda team: (team.label, team.team_id, *team.models, "blocked" if team.blocked else ""),
            sorts={
                "alias": lambda team: team.label,
                "spend": lambda team: team.spend,
                "budget": lambda team: used(team.spend, team.max_budget),
                "members": lambda team: len(team.members),
                "keys": lambda team: team.key_count,
                "id": lambda team: team.team_id,
            },
            server_sorts=SORTS,
        )

    def nobody(self) -> str:
        """None at all, or none of one's own."""
        return super().nobody() if self.workspace.session.rights.sees_all else "You are in no team."

    def row(self, record: Team) -> Row:
        """Name, money, members, models."""
        alarm = look.BAD if record.blocked else pressing(record.spend, record.max_budget)
        return Row(
            record.team_id,
            {
                "mark": Cell("!" if alarm else "", alarm),
                "alias": Cell(visible(record.label) or "", look.DIM if record.blocked else look.STRONG),
                "spend": Cell(money(record.spend)),
                "budget": budget_cell(record.spend, record.max_budget),
                "resets": resets_cell(record, self.workspace.clock()),
                "members": Cell(count(len(record.members))),
                "keys": Cell("" if record.key_count is None else count(record.key_count)),
                "state": Cell("blocked" if record.blocked else "", look.BAD),
                "models": Cell(models_summary(record.models)),
                "id": Cell("" if record.team_id == record.label else record.team_id, look.DIM),
            },
        )

    def scope(self, record: Team) -> Scope:
        """Their keys and usage."""
        return team_scope(record)

    def open_detail(self, record: Team) -> None:
        """Everything about it."""
        look_at_team(self, record.team_id, record)
