"""The /user and /team routes that are not about usage."""

from __future__ import annotations

import copy
import re
from typing import Any

from tui.demo.errors import (
    ENTERPRISE,
    Refusal,
    detail,
    http_error,
    internal,
    proxy_error,
    unprocessable,
)
from tui.demo.request import Request, pages
from tui.demo.shapes import shape
from tui.demo.state import MASTER_USER, Record, State, hash_of

_ROLES = ("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")
_USER_FIELDS = [
    "user_email",
    "user_alias",
    "user_role",
    "max_budget",
    "budget_duration",
    "models",
    "metadata",
    "tpm_limit",
    "rpm_limit",
    "max_parallel_requests",
    "spend",
]
_TEAM_FIELDS = [
    "team_alias",
    "team_member_permissions",
    "models",
    "max_budget",
    "budget_duration",
    "metadata",
    "tpm_limit",
    "rpm_limit",
    "max_parallel_requests",
    "blocked",
]


def me(call: Request) -> Any:
    """GET /management/v1/users/me."""
    caller = call.caller
    if caller.user_id is None:
        raise Refusal(
            404,
            {
                "type": "urn:litellm:error:user-not-found",
                "title": "User not found",
                "status": 404,
                "detail": "The key used for this request is not bound to a user.",
            },
        )
    email = (call.gw.users.get(caller.user_id) or {}).get("user_email")
    return {"user_id": caller.user_id, "user_role": caller.role, "user_email": email}


def info(call: Request) -> Any:
    """GET /user/info: with an admin key and no id, everything there is."""
    gw, caller, asked = call.gw, call.caller, call.params.get("user_id")
    if asked is not None and asked != caller.user_id and not (caller.viewer if gw.newest else caller.admin):
        text = f"key not allowed to access this user's info. user_id={asked}, key's user_id={caller.user_id}"
        raise proxy_error(403, text, "auth_error")
    if not asked and caller.admin and (caller.master or not gw.newest):
        return {
            "user_id": None,
            "user_info": None,
            "keys": [shape("KEY_LISTED", row, gw.release) for row in gw.keys.values()],
            "teams": [shape("TEAM_NEW", row, gw.release) for row in gw.teams.values()],
        }
    user_id = asked or caller.user_id
    if user_id is None and not gw.since(1, 75):
        text = "Only admin users can query all teams/other teams. Your user role=internal_user"
        raise http_error(401, text, newest=False)
    user = gw.users.get(user_id or "")
    if user is None:
        if gw.since(1, 75):
            raise internal(404, f"User {user_id} not found", gw.newest)
        return {"user_id": user_id, "user_info": {"spend": 0}, "keys": [], "teams": []}
    keys = []
    for row in gw.keys.values():
        if row["user_id"] == user_id:
            team = gw.teams.get(row["team_id"] or "")
            keys.append(shape("KEY_ROW", row, gw.release, team_alias=team["team_alias"] if team else None))
    teams = [_listed_team(gw, gw.teams[name]) for name in user["teams"] if name in gw.teams]
    return {"user_id": user_id, "user_info": _user_row(gw, user), "keys": keys, "teams": teams}


def _user_row(gw: State, user: Record) -> Record:
    more = {} if gw.since(1, 75) else {"password": None}
    return shape("USER_ROW", user, gw.release, **more)


def info_v2(call: Request) -> Any:
    """GET /v2/user/info: 404 for a missing person and for one who is none of the caller's business."""
    gw, caller = call.gw, call.caller
    user_id = call.params.get("user_id") or caller.user_id
    if not user_id:
        text = "user_id is required. Either pass it as a query parameter or authenticate with a user-bound key."
        raise internal(400, text, gw.newest)
    user = gw.users.get(user_id)
    if user is None or (user_id != caller.user_id and not caller.viewer):
        raise internal(404, f"User not found: {user_id}", gw.newest)
    return shape("USER_V2", user, gw.release)


def like(pattern: str, value: str | None) -> bool:
    """What LiteLLM makes of a text to search for: ILIKE, which it leaves `%`, `_` and backslashes in."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    meant = {"%": ".*", "_": "."}
    wanted = "".join(meant.get(part) or re.escape(part[-1]) for part in parts)
    return re.search(wanted, value or "", re.IGNORECASE | re.DOTALL) is not None


def filtered(call: Request) -> Any:
    """GET /user/filter/ui: ids and addresses, the newest first."""
    gw, params = call.gw, call.params
    page, size = call.number("page", 1), call.number("page_size", 50, most=100)
    rows = [
        row
        for row in reversed(list(gw.users.values()))
        if all(like(params[name], row[name]) for name in ("user_id", "user_email") if params.get(name))
    ]
    return [
        {"user_id": row["user_id"], "user_email": row["user_email"]} for row in rows[(page - 1) * size : page * size]
    ]


def listed(call: Request) -> Any:
    """GET /user/list: one id in user_ids is a part of ids, but for 1.74."""
    gw, params = call.gw, call.params
    page, size = call.number("page", 1), call.number("page_size", 25, most=100)
    if not call.caller.viewer:
        raise detail(403, {"error": "Only proxy admins and organization admins can list users."})
    rows = list(reversed(list(gw.users.values())))
    ids = [text.strip() for text in params.get("user_ids", "").split(",") if text.strip()]
    if len(ids) == 1 and gw.since(1, 75):
        rows = [row for row in rows if like(ids[0], row["user_id"])]
    elif ids:
        rows = [row for row in rows if row["user_id"] in ids]
    if params.get("role"):
        rows = [row for row in rows if row["user_role"] == params["role"]]
    if params.get("user_email"):
        rows = [row for row in rows if like(params["user_email"], row["user_email"])]
    if params.get("search") and gw.newest:
        rows = [row for row in rows if any(like(params["search"], row[name]) for name in ("user_id", "user_email"))]
    by = params.get("sort_by")
    if by in ("user_id", "user_email", "created_at", "spend", "user_alias", "user_role"):
        down = params.get("sort_order", "asc").lower() == "desc"
        rows.sort(key=lambda row: (row[by] is None, row[by] if row[by] is not None else ""), reverse=down)
    return {
        "users": [
            shape("USER_LISTED", row, gw.release, key_count=_key_count(gw, row["user_id"]))
            for row in rows[(page - 1) * size : page * size]
        ],
        "total": len(rows),
        "page": page,
        "page_size": size,
        "total_pages": pages(len(rows), size),
    }


def _key_count(gw: State, user_id: str) -> int:
    return sum(row["user_id"] == user_id for row in gw.keys.values())


def new(call: Request) -> Any:
    """POST /user/new: 409 for a known id; a key comes with it unless auto_create_key is false."""
    gw, body = call.gw, call.body
    call.money("max_budget", "spend")
    _check_role(call)
    user_id = str(body.get("user_id") or gw.new_id())
    if user_id in gw.users and gw.since(1, 75):
        raise http_error(409, f"User with id {user_id} already exists", gw.newest)
    email = body.get("user_email")
    if email and any((row["user_email"] or "").lower() == str(email).lower() for row in gw.users.values()):
        status = 409 if gw.since(1, 75) else 400
        raise http_error(status, f"User with email {email} already exists", gw.newest)
    fields = {name: copy.deepcopy(body[name]) for name in _USER_FIELDS if body.get(name) is not None}
    # 1.74 says that it made a known user, and changes nothing
    known = gw.users.get(user_id)
    user = {**known, **fields} if known else gw.add_user(user_id, **fields)
    for team in body.get("teams") or []:
        name = team if isinstance(team, str) else team["team_id"]
        if name in gw.teams:
            gw.teams[name]["members_with_roles"].append(_member(gw, user_id, "user"))
            gw.join(name, user_id)
    secret = ""
    key: Record = {}
    if body.get("auto_create_key", True):
        secret = gw.add_key(user_id=user_id, models=user["models"], metadata=_key_metadata(gw, user))
        key = gw.keys[hash_of(secret)]
    shown: Record = {name: user[name] for name in _USER_FIELDS}
    keep: Record = {
        name: key[name] for name in ("token", "key_name", "created_at", "created_by", "expires") if name in key
    }
    return shape(
        "USER_NEW",
        keep | shown,
        gw.release,
        key=secret,
        user_id=user_id,
        token_id=key.get("token"),
        teams=user["teams"] or None,
    )


def _key_metadata(gw: State, user: Record) -> Record:
    # 1.74 copies the person's metadata to the key that is made with them.
    return {} if gw.since(1, 75) else copy.deepcopy(user["metadata"])


def _check_role(call: Request) -> None:
    role = call.body.get("user_role")
    if role is not None and role not in _ROLES:
        names = [f"<LitellmUserRoles.{_enum_name(name)}: '{name}'>" for name in _ROLES]
        text = f"Input should be {', '.join(names[:-1])} or {names[-1]}"
        raise unprocessable("literal_error", ["body", "user_role"], text, role, call.gw.newest)


def _enum_name(role: str) -> str:
    return role.upper().replace("_VIEWER", "_VIEW_ONLY")


def update(call: Request) -> Any:
    """POST /user/update: creates an unknown id without a word."""
    gw, body = call.gw, call.body
    call.money("max_budget", "spend")
    _check_role(call)
    if not body.get("user_id") and not body.get("user_email"):
        text = "Value error, Either user id or user email must be provided"
        raise unprocessable("value_error", ["body"], text, body, gw.newest, error={})
    user = gw.users.get(body.get("user_id") or "")
    if user is None and not body.get("user_id"):
        user = next((row for row in gw.users.values() if row["user_email"] == body["user_email"]), None)
    if user is None:
        user = gw.add_user(str(body.get("user_id") or gw.new_id()), user_role=None)
    user.update({name: copy.deepcopy(body[name]) for name in _USER_FIELDS if name in body})
    if body.get("budget_duration"):
        user["budget_reset_at"] = gw.reset_at(body["budget_duration"])
    user["updated_at"] = gw.stamp()
    row = _user_row(gw, user)
    row.pop("model_max_budget_usage", None)
    return {"user_id": user["user_id"], "data": row}


# Teams


def _member(gw: State, user_id: str, role: str) -> Record:
    return {"user_id": user_id, "user_email": (gw.users.get(user_id) or {}).get("user_email"), "role": role}


def _memberships(gw: State, team: Record) -> list[Record]:
    # Up to 1.83 a member without a budget of their own has no row here.
    return [
        {
            "user_id": member["user_id"],
            "team_id": team["team_id"],
            "budget_id": budget and budget["budget_id"],
            "spend": 0.0,
            **({"total_spend": 0.0} if gw.newest else {}),
            "litellm_budget_table": copy.deepcopy(budget),
        }
        for member in team["members_with_roles"]
        if (budget := gw.member_budgets.get((team["team_id"], member["user_id"]))) or gw.newest
    ]


def _team_key_rows(gw: State, team: Record) -> list[Record]:
    return [row for row in gw.keys.values() if row["team_id"] == team["team_id"]]


def _listed_team(gw: State, team: Record) -> Record:
    keys = [shape("KEY_ROW", row, gw.release) for row in _team_key_rows(gw, team)]
    for row in keys:
        row.pop("team_alias", None)
    return shape("TEAM_NEW", team, gw.release, team_memberships=_memberships(gw, team), keys=keys)


def _visible_teams(call: Request, own_by_default: bool) -> list[Record]:
    gw, caller = call.gw, call.caller
    user_id = call.params.get("user_id")
    mine = user_id is not None and user_id == caller.user_id
    if not caller.viewer and not mine and not (own_by_default and user_id is None):
        text = f"Only admin users can query all teams/other teams. Your user role={caller.shown_role}"
        raise detail(401, {"error": text})
    if own_by_default and not caller.admin:
        user_id = user_id or caller.user_id
    rows = list(gw.teams.values())
    if user_id:
        rows = [team for team in rows if gw.member_role(team["team_id"], user_id)]
    return rows


def teams(call: Request) -> Any:
    """GET /team/list: an array."""
    return [_listed_team(call.gw, team) for team in _visible_teams(call, own_by_default=False)]


def teams_v2(call: Request) -> Any:
    """GET /v2/team/list: pages of `teams`."""
    gw, params = call.gw, call.params
    page, size = call.number("page", 1), call.number("page_size", 10, most=100)
    rows = _visible_teams(call, own_by_default=not gw.since(1, 75))
    if params.get("team_id"):
        rows = [team for team in rows if team["team_id"] == params["team_id"]]
    if params.get("team_alias"):
        rows = [team for team in rows if like(params["team_alias"], team["team_alias"])]
    by = params.get("sort_by")
    if by in ("team_id", "team_alias", "created_at"):
        down = params.get("sort_order", "asc").lower() == "desc"
        rows.sort(key=lambda team: (team[by] is None, team[by] or ""), reverse=down)
    else:
        rows.reverse()
    shown = []
    for team in rows[(page - 1) * size : page * size]:
        counts = {
            "members_count": len(team["members_with_roles"]),
            "keys_count": len(_team_key_rows(gw, team)),
        }
        shown.append(shape("TEAM_V2", {**team, **counts}, gw.release))
    return {
        "teams": shown,
        "total": len(rows),
        "page": page,
        "page_size": size,
        "total_pages": pages(len(rows), size),
    }


def team_info(call: Request) -> Any:
    """GET /team/info."""
    gw, caller = call.gw, call.caller
    team_id = call.params.get("team_id")
    if not team_id:
        raise proxy_error(422, repr({"message": "Malformed request. No team id passed in."}), "auth_error")
    team = gw.teams.get(team_id)
    if team is None:
        text = repr({"message": f"Team not found, passed team id: {team_id}."})
        raise proxy_error(404, text, "auth_error")
    if not caller.viewer and not gw.member_role(team_id, caller.user_id):
        text = repr({"error": f"User={caller.user_id} not authorized to access this team={team_id}"})
        raise proxy_error(403, text, "auth_error")
    keys = [shape("KEY_ROW", row, gw.release) for row in _team_key_rows(gw, team)]
    for row in keys:
        row.pop("team_alias", None)
    answer = shape("TEAM_INFO", team, gw.release)
    for member in answer["members_with_roles"] if gw.newest else []:
        member["user_alias"] = (gw.users.get(member["user_id"]) or {}).get("user_alias")
    memberships = _memberships(gw, team)
    for row in memberships:
        row["budget_source"] = "custom" if row["budget_id"] else "none"
    return {"team_id": team_id, "team_info": answer, "keys": keys, "team_memberships": memberships}


def team_new(call: Request) -> Any:
    """POST /team/new: whoever makes a team is an admin of it."""
    gw, body = call.gw, call.body
    call.money("max_budget")
    team_id = body.get("team_id")
    if team_id in gw.teams:
        text = f"Team id = {team_id} already exists. Please use a different team id."
        raise http_error(400, text, gw.newest)
    members = [
        _member(gw, str(given.get("user_id")), str(given.get("role", "user")))
        for given in body.get("members_with_roles") or []
    ]
    maker = call.caller.user_id or MASTER_USER
    if maker not in [member["user_id"] for member in members]:
        members.append(_member(gw, maker, "admin"))
    fields = {name: copy.deepcopy(body[name]) for name in _TEAM_FIELDS if body.get(name) is not None}
    team = gw.add_team(team_id, members_with_roles=members, **fields)
    return shape("TEAM_NEW", team, gw.release)


def _existing(team: Record) -> str:
    people = (
        f"Member(user_id={row['user_id']!r}, user_email={row['user_email']!r}, role={row['role']!r})"
        for row in team["members_with_roles"]
    )
    return f"Existing members=[{', '.join(people)}]"


def member_add(call: Request) -> Any:
    """POST /team/member_add: a second admin needs a licence."""
    gw, body = call.gw, call.body
    given = body.get("member")
    members = given if isinstance(given, list) else [given] if given else []
    if not members:
        raise unprocessable("missing", ["body", "member"], "Field required", body, gw.newest)
    if any(member.get("role") == "admin" for member in members) and not gw.licensed:
        raise detail(400, {"error": f"Assigning team admins is a premium feature. {ENTERPRISE}"})
    team = gw.teams.get(body.get("team_id") or "")
    if team is None:
        text = f"Team doesn't exist in db. Team={body.get('team_id')}. Create team via `/team/new` call."
        raise detail(404, {"error": text})
    if not (call.caller.admin or gw.member_role(team["team_id"], call.caller.user_id) == "admin"):
        text = (
            f"Call not allowed. User not proxy admin OR team admin. route=/team/member_add, team_id={team['team_id']}"
        )
        raise detail(403, {"error": text})
    for member in members:
        user_id = str(member.get("user_id"))
        if gw.member_role(team["team_id"], user_id):
            text = f"User already in team. Member: user_id={user_id}, user_email=None. {_existing(team)}"
            raise proxy_error(400, text, "team_member_already_in_team", "user_id")
        gw.join(team["team_id"], user_id)
        team["members_with_roles"].append(_member(gw, user_id, str(member.get("role", "user"))))
        if body.get("max_budget_in_team") is not None:
            gw.give_member_budget(team["team_id"], user_id, float(body["max_budget_in_team"]))
    users = [_user_row(gw, gw.users[str(member["user_id"])]) for member in members]
    answer = shape("TEAM_NEW", team, gw.release)
    return {**answer, "updated_users": users, "updated_team_memberships": []}
