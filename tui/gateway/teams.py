"""Teams of the gateway, read only (S14)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from tui.gateway import paging
from tui.gateway.capabilities import Rights
from tui.gateway.client import Client, Params
from tui.gateway.errors import BadAnswer
from tui.gateway.fields import mapping, whole, word
from tui.gateway.finding import LARGEST_PAGE, Found, holds, needle, pattern
from tui.gateway.paging import Pages
from tui.gateway.schema import Member, Team


async def team_info(client: Client, team_id: str) -> Team:
    """One team, unwrapped from `team_info`. Raises `NotFound` for an unknown id (S14)."""
    return _told(await client.get("/team/info", {"team_id": team_id}), team_id)


def _told(answer: Any, team_id: str) -> Team:
    record = mapping(answer).get("team_info")
    if not isinstance(record, dict):
        raise BadAnswer(f"The gateway's answer about team {team_id} holds no team.")
    return Team.from_gateway({**record, "team_id": word(record.get("team_id")) or team_id})


async def team_and_members(client: Client, team_id: str) -> tuple[Team, list[Member]]:
    """One team with its members, admins first, then by id; their own budgets in it where they have any. One call.

    Raises `NotFound` for an unknown id (S14), and one of `GatewayError`'s kinds.
    """
    answer = await client.get("/team/info", {"team_id": team_id})
    team = _told(answer, team_id)
    own: dict[str, dict[str, Any]] = {}
    for row in _rows(mapping(answer).get("team_memberships")):
        own[word(row.get("user_id")) or ""] = row
    listed = _rows(mapping(mapping(answer).get("team_info")).get("members_with_roles"))
    members = [Member.from_gateway({**own.get(word(row.get("user_id")) or "", {}), **row}) for row in listed]
    return team, sorted(members, key=lambda each: (each.role != "admin", each.label.casefold()))


def _rows(listed: Any) -> list[dict[str, Any]]:
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


async def list_teams(client: Client, user_id: str | None) -> list[Team]:
    """The teams of `user_id`, or with None every team (for those who may see them all), by label.

    The list comes as an array, as `{teams}` or as `{data}` (S14). Anyone but an admin must name their own id.
    """
    answer: Any = await client.get("/team/list", {"user_id": user_id})
    if isinstance(answer, dict):
        answer = answer.get("teams", answer.get("data"))
    return sorted_teams(answer)


def sorted_teams(listed: Any) -> list[Team]:
    """The teams of a gateway's array, by label; [] where it is none."""
    teams = [Team.from_gateway(row) for row in _rows(listed) if word(row.get("team_id"))]
    return sorted(teams, key=lambda team: (team.label.lower(), team.team_id))


async def find_teams(client: Client, rights: Rights, text: str, *, limit: int = 50) -> Found[Team]:
    """At most `limit` (100 at most) teams whose alias contains `text` in any case, or whose id it is; that one first.

    For those who see everyone (S44). With "" it is the first page of all. Every release searches aliases by itself, in
    pages; only for a viewer before 1.83 it gives no more than their own there, so all are read and filtered here.

    Raises one of `GatewayError`'s kinds.
    """
    size, wanted = min(limit, LARGEST_PAGE), needle(text)
    if not rights.admin and not rights.server.at_least(1, 83):
        every = await list_teams(client, None)
        rows = [team for team in every if not wanted or holds(wanted, team.alias) or team.team_id == wanted]
        more = len(rows) > size
    elif not wanted:
        return await _page(client, size, {})
    else:
        named, exact = await asyncio.gather(
            _page(client, size, {"team_alias": pattern(wanted)}), _page(client, 1, {"team_id": wanted})
        )
        found = {team.team_id: team for team in (*exact.rows, *named.rows)}
        rows = [team for team in found.values() if holds(wanted, team.alias) or team.team_id == wanted]
        more = named.more or len(rows) > size
    rows.sort(key=lambda team: (team.team_id != wanted, team.label.lower(), team.team_id))
    return Found(rows[:size], more)


NAMES_AT_ONCE = 4
"""Names of teams that are asked for side by side."""
SORTS = {"id": "team_id", "alias": "team_alias", "created": "created_at"}
"""What every release sorts teams by, under this program's names; any other is ignored, spend and budget too."""


def team_pages(client: Client, rights: Rights, *, sort: str = "alias", descending: bool = False) -> Pages[Team]:
    """Every team there is, with its budget, in pages of the server's order; for those who see everyone (S44).

    `sort` is a name of `SORTS`. A viewer before 1.83 is given no more than their own teams in pages, so there the whole
    list is read for each page, and comes by label whatever `sort` is.
    """

    async def ask(number: int) -> tuple[int, list[Team]]:
        order: Params = {"sort_by": SORTS[sort], "sort_order": "desc" if descending else "asc"}
        return await _listed(client, {"page": number + 1, "page_size": paging.PAGE, **order})

    async def slice_of_all(number: int) -> tuple[int, list[Team]]:
        every = await list_teams(client, None)
        return len(every), every[number * paging.PAGE : (number + 1) * paging.PAGE]

    return Pages(ask if rights.admin or rights.server.at_least(1, 83) else slice_of_all)


async def team_names(client: Client, rights: Rights, ids: Iterable[str]) -> dict[str, str]:
    """What people call these teams, by id; the id itself where there is no such team. A call for each.

    For those who see everyone (S44). {} for a viewer before 1.83, who is not given them one by one. Raises one of
    `GatewayError`'s kinds.
    """
    if not rights.admin and not rights.server.at_least(1, 83):
        return {}
    names: dict[str, str] = {}
    waiting = iter(sorted(set(ids)))

    async def ask() -> None:
        for id in waiting:
            found = await _page(client, 1, {"team_id": id})
            names[id] = next((team.label for team in found.rows if team.team_id == id), id)

    await asyncio.gather(*(ask() for _ in range(NAMES_AT_ONCE)))
    return names


async def every_team_name(client: Client, rights: Rights) -> dict[str, str]:
    """What people call each team there is, by id; as `team_names`, in pages."""
    if not rights.admin and not rights.server.at_least(1, 83):
        return {}
    pages, names, first = team_pages(client, rights), dict[str, str](), 0
    while found := await pages.read(first, NAMES_AT_ONCE * paging.PAGE if first else paging.PAGE, ahead=False):
        names |= {team.team_id: team.label for team in found}
        first += len(found)
    return names


async def _page(client: Client, size: int, filters: Mapping[str, str]) -> Found[Team]:
    total, teams = await _listed(
        client, {**filters, "page": 1, "page_size": size, "sort_by": "team_alias", "sort_order": "asc"}
    )
    return Found(teams, total > size)


async def _listed(client: Client, query: Params) -> tuple[int, list[Team]]:
    answer = await client.get("/v2/team/list", query)
    rows = answer.get("teams") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("The gateway's team list holds no teams; is the URL LiteLLM's?")
    teams = [Team.from_gateway(row) for row in rows if isinstance(row, dict) and word(row.get("team_id"))]
    return whole(answer.get("total")) or 0, teams
