"""Teams of the gateway, read only (S14)."""

from typing import Any

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer
from tui.gateway.fields import word
from tui.gateway.schema import Team


async def team_info(client: Client, team_id: str) -> Team:
    """One team, unwrapped from `team_info`. Raises `NotFound` for an unknown id (S14)."""
    answer = await client.get("/team/info", {"team_id": team_id})
    record = answer.get("team_info") if isinstance(answer, dict) else None
    if not isinstance(record, dict):
        raise BadAnswer(f"The gateway's answer about team {team_id} holds no team.")
    return Team.from_gateway({**record, "team_id": word(record.get("team_id")) or team_id})


async def list_teams(client: Client, user_id: str | None) -> list[Team]:
    """The teams of `user_id`, or with None every team (for those who may see them all), by label.

    The list comes as an array, as `{teams}` or as `{data}` (S14). Anyone but an admin must name their own id.
    """
    answer: Any = await client.get("/team/list", {"user_id": user_id})
    if isinstance(answer, dict):
        answer = answer.get("teams", answer.get("data"))
    rows = answer if isinstance(answer, list) else []
    teams = [Team.from_gateway(row) for row in rows if isinstance(row, dict) and word(row.get("team_id"))]
    return sorted(teams, key=lambda team: (team.label.lower(), team.team_id))
