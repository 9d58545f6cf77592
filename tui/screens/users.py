"""The users screen: whose keys there are, what they spent and may spend; for those who see everyone (S44)."""

from tui import look
from tui.formatting import NAMELESS, count, day, money
from tui.gateway.fields import visible
from tui.gateway.finding import LARGEST_PAGE
from tui.gateway.schema import User
from tui.gateway.state import used
from tui.gateway.users import SORTS, find_users, user_pages
from tui.people import Source
from tui.reports import Scope
from tui.screens.people import PeopleScreen
from tui.screens.people_text import budget_cell, name_of, pressing, resets_cell, role_of, user_scope
from tui.screens.user_detail import look_at_user
from tui.widgets.table import Cell, Column, Row


class UsersScreen(PeopleScreen[User]):
    """Every user of the gateway, to look at."""

    mode = "users"
    one = "user"
    columns = (
        Column("mark", "", 1, sortable=False),
        Column("id", "User", 20, grow=True, most=36),
        Column("alias", "Name", 14, drop=4, grow=True, most=26),
        Column("role", "Role", 6, drop=5),
        Column("spend", "Spend", 9, right=True, drop=1),
        Column("budget", "Budget", 18, drop=2),
        Column("resets", "Resets", 11, drop=7, sortable=False),
        Column("teams", "Teams", 5, right=True, drop=8),
        Column("keys", "Keys", 4, right=True, drop=6),
        Column("created", "Created", 11, drop=9),
    )
    order = "id"
    server_finds = "a part of the id or the e-mail"
    finds = "id, e-mail, name or role"

    def source(self) -> Source[User]:
        """LiteLLM's list of users."""
        session = self.workspace.session
        return Source(
            pages=lambda sort, descending: user_pages(session.client, sort=sort, descending=descending),
            find=lambda text: find_users(session.client, session.rights, text, limit=LARGEST_PAGE),
            id=lambda user: user.user_id,
            words=lambda user: (user.user_id, user.email, user.alias, role_of(user)),
            sorts={
                "id": lambda user: user.user_id,
                "alias": lambda user: name_of(user) or None,
                "role": lambda user: role_of(user) or None,
                "spend": lambda user: user.spend,
                "budget": lambda user: used(user.spend, user.max_budget),
                "teams": lambda user: len(user.teams),
                "keys": lambda user: user.key_count,
                "created": lambda user: user.created_at,
            },
            server_sorts=SORTS,
        )

    def row(self, record: User) -> Row:
        """Id, name, role, money, and how many teams and keys."""
        alarm = pressing(record.spend, record.max_budget)
        return Row(
            record.user_id,
            {
                "mark": Cell("!" if alarm else "", alarm),
                "id": Cell(visible(record.user_id) or NAMELESS, look.STRONG),
                "alias": Cell(name_of(record)),
                "role": Cell(role_of(record), look.DIM if role_of(record) == "user" else ""),
                "spend": Cell(money(record.spend)),
                "budget": budget_cell(record.spend, record.max_budget),
                "resets": resets_cell(record, self.workspace.clock()),
                "teams": Cell(count(len(record.teams)), look.DIM),
                "keys": Cell("" if record.key_count is None else count(record.key_count)),
                "created": Cell(day(record.created_at.date()) if record.created_at else "", look.DIM),
            },
        )

    def scope(self, record: User) -> Scope:
        """Their keys and usage."""
        return user_scope(record)

    def open_detail(self, record: User) -> None:
        """Everything about them."""
        look_at_user(self, record.user_id, record)
