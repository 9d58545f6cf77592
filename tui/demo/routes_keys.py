"""The /key routes."""

from __future__ import annotations

import copy
from typing import Any

from tui.demo import clock as time_
from tui.demo.errors import ENTERPRISE, Refusal, detail, http_error, internal, proxy_error, unprocessable
from tui.demo.request import Request, pages
from tui.demo.routes_people import like
from tui.demo.shapes import shape
from tui.demo.state import MASTER_USER, Record, State, hash_of

_SETTABLE = [
    "key_alias",
    "models",
    "max_budget",
    "budget_duration",
    "tpm_limit",
    "rpm_limit",
    "max_parallel_requests",
    "metadata",
    "blocked",
    "user_id",
    "team_id",
    "spend",
    "aliases",
    "permissions",
    "allowed_routes",
    "allowed_cache_controls",
]
_SORTABLE = ("spend", "max_budget", "created_at", "updated_at", "token", "key_alias")
_LICENSED = ("tags", "guardrails", "model_max_budget")


def generate(call: Request) -> Any:
    """POST /key/generate: the answer alone holds the secret."""
    gw, body, caller = call.gw, call.body, call.caller
    call.money("max_budget", "spend")
    call.whole("tpm_limit", "rpm_limit", "max_parallel_requests")
    _check_key_type(call)
    user_id, team_id = body.get("user_id"), body.get("team_id")
    if not caller.admin:
        if user_id is not None and user_id != caller.user_id and gw.member_role(team_id, caller.user_id) != "admin":
            text = f"User can only create keys for themselves. Got user_id={user_id}, Your ID={caller.user_id}"
            raise internal(403, text, gw.newest)
        if user_id is None and gw.since(1, 75):
            user_id = caller.user_id
        if team_id is not None:
            _team_permission(call, str(team_id))
        for name in ("allowed_routes", "permissions"):
            if gw.newest and body.get(name):
                more = " on a key. Use `key_type` to pick a preset route bucket instead" * (name == "allowed_routes")
                raise internal(403, repr({"error": f"Only proxy admins can set `{name}`{more}."}), gw.newest)
    _check_licensed(call)
    _check_budget(call)
    alias = body.get("key_alias")
    _check_alias(gw, alias)
    secret = body.get("key")
    if secret is not None and not str(secret).startswith("sk-") and gw.since(1, 75):
        shown = f"{str(secret)[:4]}****{str(secret)[-4:]}"
        text = f"Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: {shown}"
        raise http_error(400, text, gw.newest)
    expires = _expiry(call, unwrapped=True)
    fields = {name: copy.deepcopy(body[name]) for name in _SETTABLE if body.get(name) is not None}
    fields["user_id"] = user_id
    fields["expires"] = expires
    fields["created_by"] = fields["updated_by"] = caller.user_id or MASTER_USER
    if gw.since(1, 75):
        fields["key_type"] = body.get("key_type") or "default"
    if fields.get("budget_duration"):
        fields["budget_reset_at"] = gw.reset_at(fields["budget_duration"])
    known = gw.keys.get(hash_of(str(secret))) if secret else None
    if known is None:
        secret = gw.add_key(str(secret) if secret else None, **fields)
        row = gw.keys[hash_of(secret)]
    else:
        # A secret used again answers 200 with what was asked for and keeps the old settings.
        row = {**known, **fields}
    return shape("KEY_GENERATED", row, gw.release, key=secret, token_id=row["token"])


def _check_key_type(call: Request) -> None:
    given = call.body.get("key_type")
    if call.gw.since(1, 75) and given not in (None, "llm_api", "management", "read_only", "default"):
        expected = "'llm_api', 'management', 'read_only' or 'default'"
        raise unprocessable(
            "enum",
            ["body", "key_type"],
            f"Input should be {expected}",
            given,
            call.gw.newest,
            expected=expected,
        )


def _team_permission(call: Request, team_id: str, route: str = "/key/generate") -> None:
    """Refuse a plain member what `team_member_permissions` of the team do not name."""
    gw = call.gw
    role = gw.member_role(team_id, call.caller.user_id)
    granted = (gw.teams.get(team_id) or {}).get("team_member_permissions") or ["/key/info", "/key/health"]
    if team_id in gw.teams and role != "admin" and route not in granted:
        routes = repr(list(granted))
        verb = route.rpartition("/")[2].upper()
        more = (
            ". To create keys for this team, please ask your proxy admin to check the team member permission "
            "settings and update the settings to allow team member users to create keys."
        )
        text = (
            "Team member does not have permissions for endpoint: "
            f"KeyManagementRoutes.KEY_{verb}. You only have access to the following endpoints: {routes} "
            f"for team {team_id}{more if gw.since(1, 75) else ''}"
        )
        raise proxy_error(401, text, "team_member_permission_error", route)


def _check_licensed(call: Request) -> None:
    for name in _LICENSED:
        if call.body.get(name) and not call.gw.licensed:
            named = f": {name}" if call.gw.since(1, 75) else ""
            text = f"This feature is only available for LiteLLM Enterprise users{named}. {ENTERPRISE}"
            raise http_error(403, text, call.gw.newest)


def _check_budget(call: Request) -> None:
    gw, given, duration = call.gw, call.body.get("max_budget"), call.body.get("budget_duration")
    if given is not None and given < 0 and gw.since(1, 75):
        text = "must be a non-negative finite number" if gw.newest else "cannot be negative"
        raise http_error(400, f"max_budget {text}. Received: {given}", gw.newest)
    if not duration:
        return
    try:
        time_.after(gw.now(), str(duration))
    except ValueError as problem:
        if gw.newest:
            text = f"Invalid budget_duration '{duration}'. Use a format like '1h', '24h', '7d', or '30d'."
            raise http_error(400, text, True) from None
        if not gw.since(1, 75):
            raise internal(500, f"Internal Server Error, {problem}", False) from None


def _check_alias(gw: State, alias: Any, own: str = "") -> None:
    if alias is None:
        return
    for token, row in gw.keys.items():
        if row["key_alias"] == alias and token != own:
            text = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
            raise proxy_error(400, text, "bad_request_error", "key_alias")


def _expiry(call: Request, unwrapped: bool) -> str | None:
    """`duration` as the moment it ends. generate and update refuse a bad one differently."""
    duration = call.body.get("duration")
    if duration is None:
        return None
    try:
        return time_.iso(time_.after(call.gw.now(), str(duration)))
    except ValueError as problem:
        if not unwrapped:
            raise proxy_error(400, f"Authentication Error, {problem}", "auth_error") from None
        start = "" if call.gw.newest else "Internal Server Error, "
        raise internal(500, f"{start}{problem}", call.gw.newest) from None


def update(call: Request) -> Any:
    """POST /key/update: only what is sent changes; `metadata` is replaced; `duration` "-1" or null ends expiry."""
    gw, body = call.gw, call.body
    call.money("max_budget", "spend")
    call.whole("tpm_limit", "rpm_limit", "max_parallel_requests")
    if not body.get("key"):
        if gw.newest and not body.get("key_alias"):
            text = "Value error, either key or key_alias must be provided"
            raise unprocessable("value_error", ["body"], text, body, True)
        if not gw.newest:
            raise unprocessable("missing", ["body", "key"], "Field required", body, False)
    row = _wanted(gw, body)
    if row is None:
        if gw.since(1, 75):
            raise proxy_error(404, "Key not found.", "not_found_error", "key")
        text = f"Authentication Error: invalid user key - user key does not exist in db. User Key={body['key']}"
        raise proxy_error(401, text, "auth_error")
    _may_update(call, row)
    if body.get("key"):
        _check_alias(gw, body.get("key_alias"), row["token"])
    _check_licensed(call)
    _check_budget(call)
    changes = {name: copy.deepcopy(body[name]) for name in _SETTABLE if name in body}
    for name, empty in (("models", []), ("metadata", {})):
        if name in changes and changes[name] is None:
            changes[name] = empty
    if "spend" in changes and changes["spend"] is None:
        changes["spend"] = 0.0
    if "duration" in body:
        lifted = body["duration"] is None or (body["duration"] == "-1" and gw.since(1, 75))
        changes["expires"] = None if lifted else _expiry(call, unwrapped=False)
    if "budget_duration" in body:
        duration = body["budget_duration"]
        changes["budget_reset_at"] = gw.reset_at(duration) if duration else None
    row.update(changes)
    stamp = gw.stamp()
    row["updated_at"] = row["settings_updated_at"] = stamp
    row["updated_by"] = call.caller.user_id or MASTER_USER
    answer = _info(gw, row, "KEY_ROW")
    answer.pop("team_alias", None)
    return {"key": body.get("key") or row["token"], **answer}


def _wanted(gw: State, body: dict[str, Any]) -> Record | None:
    if body.get("key"):
        return gw.keys.get(hash_of(str(body["key"])))
    return next((row for row in gw.keys.values() if row["key_alias"] == body["key_alias"]), None)


def _may_update(call: Request, row: Record) -> None:
    gw, caller, body = call.gw, call.caller, call.body
    if caller.admin:
        return
    if gw.member_role(row["team_id"], caller.user_id) == "user":
        _team_permission(call, row["team_id"], "/key/update")
    if not gw.since(1, 75):
        return
    newest = gw.newest
    team_admin = gw.member_role(row["team_id"], caller.user_id) == "admin"
    budget = [name for name in ("max_budget", "spend") if name in body and body[name] != row[name]]
    if row["user_id"] is not None and row["user_id"] != caller.user_id:
        if team_admin and newest:
            text = (
                "Team admins on this proxy cannot update budgets on other members' keys. Ask a proxy admin to "
                "enable 'member_key_budgets' under Settings > UI > Team admin editable fields."
            )
        else:
            text = f"User can only create keys for themselves. Got user_id={row['user_id']}, Your ID={caller.user_id}"
        raise proxy_error(403, text, "auth_error")
    if team_admin:
        return
    own = row["user_id"] == caller.user_id and (row["created_by"] == caller.user_id or not newest)
    if own and not budget:
        return
    which = f" ({'max_budget/spend' if newest else 'max_budget'})" if own else ""
    text = (
        f"Only proxy admins, team admins, or org admins can call /key/update{which}. "
        f"user_role={caller.shown_role}, user_id={caller.user_id}"
    )
    raise proxy_error(403, repr({"error": text}), "auth_error")


def delete(call: Request) -> Any:
    """POST /key/delete: echoes what was asked, unknown keys included, as long as one was found."""
    gw, body, caller = call.gw, call.body, call.caller
    asked = [str(key) for key in body.get("keys") or []]
    aliases = [str(alias) for alias in body.get("key_aliases") or []]
    if not asked and not aliases:
        text = "Value error, At least one of 'keys' or 'key_aliases' must be provided."
        raise unprocessable("value_error", ["body"], text, body, gw.newest, error={})
    found = [token for token, row in gw.keys.items() if row["key_alias"] is not None and row["key_alias"] in aliases]
    found += [token for token in map(hash_of, asked) if token in gw.keys]
    if not found:
        raise http_error(404, "No keys found", gw.newest)
    for token in found:
        row = gw.keys[token]
        own = row["user_id"] is not None and row["user_id"] == caller.user_id
        if not gw.since(1, 75) and not caller.admin and row["team_id"]:
            _team_permission(call, row["team_id"], "/key/delete")
        if not (caller.admin or own or gw.member_role(row["team_id"], caller.user_id) == "admin"):
            raise http_error(403, "You are not authorized to delete this key", gw.newest)
    for token in dict.fromkeys(found):
        gw.delete_key(token)
    return {"deleted_keys": asked or aliases}


def block(call: Request) -> Any:
    """POST /key/block."""
    return shape("KEY_BLOCKED", _switch(call, True), call.gw.release)


def unblock(call: Request) -> Any:
    """POST /key/unblock."""
    answer = _info(call.gw, _switch(call, False), "KEY_ROW", offset=False)
    answer.pop("team_alias", None)
    return answer


def _switch(call: Request, blocked: bool) -> Record:
    gw, caller = call.gw, call.caller
    if not call.body.get("key"):
        raise unprocessable("missing", ["body", "key"], "Field required", call.body, gw.newest)
    key = str(call.body["key"])
    row = gw.keys.get(hash_of(key))
    if row is None:
        if gw.since(1, 75):
            raise proxy_error(404, "Key not found.", "not_found_error", "key")
        text = (
            f"Authentication Error, Invalid proxy server token passed. key={key}, not found in db. "
            "Create key via `/key/generate` call."
        )
        raise proxy_error(401, text, "token_not_found_in_db", "key")
    team_admin = gw.member_role(row["team_id"], caller.user_id) == "admin"
    if not (caller.admin or team_admin) and gw.since(1, 75):
        text = (
            f"Only proxy admins, team admins, or org admins can call {call.route}. "
            f"user_role={caller.shown_role}, user_id={caller.user_id}"
        )
        raise detail(403, {"error": text})
    row["blocked"] = blocked
    row["updated_at"] = gw.stamp()
    return row


def regenerate(call: Request) -> Any:
    """POST /key/{key}/regenerate: Enterprise. Licensed, a `grace_period` keeps the old secret; a bad one does not."""
    gw, body = call.gw, call.body
    if not gw.licensed:
        start = "" if gw.newest else "Internal Server Error, "
        text = f"{start}Regenerating Virtual Keys is an Enterprise feature, {ENTERPRISE}"
        raise internal(500, text, gw.newest)
    old = hash_of(call.path["key"])
    row = gw.keys.get(old)
    if row is None:
        raise http_error(404, f"Key {call.path['key']} not found.", gw.newest)
    owner = row["user_id"] is not None and row["user_id"] == call.caller.user_id
    if not (call.caller.admin or owner or gw.member_role(row["team_id"], call.caller.user_id) == "admin"):
        raise http_error(403, "You are not authorized to regenerate this key", gw.newest)
    secret = str(body.get("new_key") or gw.new_secret())
    expires = _expiry(call, unwrapped=True) if body.get("duration") else row["expires"]
    gw.rename_secret(old, secret)
    row.update({name: copy.deepcopy(body[name]) for name in _SETTABLE if name in body})
    row["expires"] = expires
    row["updated_at"] = gw.stamp()
    try:
        gw.retired[old] = (row["token"], time_.after(gw.now(), str(body.get("grace_period") or "0s")))
    except ValueError:
        gw.retired.pop(old, None)
    return shape("KEY_GENERATED", row, gw.release, key=secret, token_id=row["token"])


def reset_spend(call: Request) -> Any:
    """POST /key/{key}/reset_spend {reset_to}."""
    gw, caller = call.gw, call.caller
    if "reset_to" not in call.body:
        raise unprocessable("missing", ["body", "reset_to"], "Field required", call.body, gw.newest)
    call.money("reset_to")
    row = gw.keys.get(hash_of(call.path["key"]))
    if row is None:
        raise detail(404, {"error": f"Key {call.path['key']} not found."})
    reset_to = call.body["reset_to"]
    if reset_to is None or reset_to < 0:
        raise detail(400, {"error": "reset_to must be >= 0"})
    if reset_to > row["spend"]:
        raise detail(400, {"error": f"reset_to ({reset_to}) must be <= current spend ({row['spend']})"})
    if not (caller.admin or gw.member_role(row["team_id"], caller.user_id) == "admin"):
        raise detail(403, {"error": "You must be a proxy admin or team admin to reset key spend"})
    before, row["spend"] = row["spend"], reset_to
    return {
        "key_hash": row["token"],
        "spend": reset_to,
        "previous_spend": before,
        "max_budget": row["max_budget"],
        "budget_reset_at": row["budget_reset_at"],
    }


def info(call: Request) -> Any:
    """GET /key/info: the caller's own key where none is named."""
    gw, caller = call.gw, call.caller
    asked = call.params.get("key") or ("" if caller.master else caller.key["token"])
    row = gw.keys.get(hash_of(asked))
    if row is None:
        raise proxy_error(404, "Key not found in database", "not_found_error", "key")
    own = row["user_id"] is not None and row["user_id"] == caller.user_id
    mine = row["token"] == caller.key.get("token")
    if not (caller.viewer or own or mine or gw.member_role(row["team_id"], caller.user_id)):
        text = f"You are not allowed to access this key's info. Your role={caller.shown_role}"
        raise internal(403, text, gw.newest)
    answer = _info(gw, row, "KEY_INFO")
    if "status" in answer:
        answer["status"] = status_of(gw, row)
    return {"key": asked, "info": answer}


def status_of(gw: State, row: Record) -> str:
    """ "revoked" for blocked, "expired", or "active"."""
    if row["blocked"]:
        return "revoked"
    return "expired" if _ended(gw, row) else "active"


def _ended(gw: State, row: Record) -> bool:
    return bool(row["expires"]) and time_.parse(row["expires"]) < gw.now()


def info_many(call: Request) -> Any:
    """POST /v2/key/info: those of `keys` that there are; since 1.84 without saying which is which. For admins."""
    gw = call.gw
    asked = [str(key) for key in call.body.get("keys") or []]
    tokens = [token for token in dict.fromkeys(map(hash_of, asked)) if token in gw.keys]
    named: list[Record] = [{} if gw.newest else {"token": token} for token in tokens]
    found = [_info(gw, gw.keys[token], "KEY_INFO") | name for token, name in zip(tokens, named, strict=True)]
    return {"key": asked, "info": found}


def _info(gw: State, row: Record, kind: str, offset: bool = True) -> Record:
    answer = shape(kind, row, gw.release)
    if offset:
        for name in (
            "expires",
            "budget_reset_at",
            "created_at",
            "updated_at",
            "settings_updated_at",
            "last_active",
        ):
            if name in answer:
                answer[name] = time_.offset_form(answer[name])
    return answer


def listed(call: Request) -> Any:
    """GET /key/list: hashes, or records with return_full_object=true."""
    gw, params, caller = call.gw, call.params, call.caller
    page, size = call.number("page", 1), call.number("size", 10, most=100)
    rows = list(_asked_status(call))
    user_id, team_id = params.get("user_id"), params.get("team_id")
    if not caller.viewer:
        user_id, rows = _own_rows(call, rows, user_id, team_id)
    if user_id is not None:
        shared = _team_keys(call) if call.flag("include_team_keys") and not caller.viewer else set()
        rows = [row for row in rows if row["user_id"] == user_id or row["team_id"] in shared]
    for name in ("team_id", "key_alias"):
        if params.get(name):
            part = name == "key_alias" and call.flag("substring_matching") and gw.newest
            rows = [row for row in rows if (like(params[name], row[name]) if part else row[name] == params[name])]
    if params.get("key_hash"):
        rows = [row for row in rows if row["token"] == params["key_hash"]]
    if params.get("search") and gw.newest:
        want = params["search"]
        rows = [row for row in rows if like(want, row["key_alias"]) or want == row["token"]]
    if params.get("expires") and gw.newest:
        rows = [row for row in rows if _ended(gw, row) == (params["expires"] == "expired")]
    rows = _sorted(call, rows)
    shown = rows[(page - 1) * size : page * size]
    full = call.flag("return_full_object")
    return {
        "keys": [shape("KEY_LISTED", row, gw.release) if full else row["token"] for row in shown],
        "total_count": len(rows),
        "current_page": page,
        "total_pages": pages(len(rows), size),
    }


def _own_rows(
    call: Request, rows: list[Record], user_id: str | None, team_id: str | None
) -> tuple[str | None, list[Record]]:
    gw, caller = call.gw, call.caller
    if caller.user_id is None:
        text = "You are not authorized to access this endpoint. No 'user_id' is associated with your API key."
        raise proxy_error(403, text, "bad_request_error", "user_id")
    if user_id is not None and user_id != caller.user_id:
        text = "You are not authorized to check another user's keys"
        raise proxy_error(403, text, "bad_request_error", "user_id")
    if team_id:
        role = gw.member_role(team_id, caller.user_id)
        if role is None:
            raise proxy_error(403, "You are not authorized to check this team's keys", "bad_request_error", "team_id")
        if role == "admin" and user_id is None:
            return None, rows
    return caller.user_id, rows


def _team_keys(call: Request) -> set[str]:
    gw, user_id = call.gw, call.caller.user_id
    return {team for team in gw.teams if gw.member_role(team, user_id) == "admin"}


def _asked_status(call: Request) -> list[Record]:
    gw, status = call.gw, call.params.get("status")
    current = list(gw.keys.values())
    if not status or not gw.since(1, 75):
        return current
    if status == "deleted":
        return list(gw.deleted_keys.values())
    if gw.newest and status in ("active", "expired", "revoked"):
        return [row for row in current if status_of(gw, row) == status]
    known = "Supported: 'active', 'expired', 'revoked', 'deleted'."
    text = known if gw.newest else "Currently only 'deleted' is supported."
    raise _bad(f"Invalid status value. {text}")


def _sorted(call: Request, rows: list[Record]) -> list[Record]:
    by, order = call.params.get("sort_by"), call.params.get("sort_order") or "desc"
    if by and by not in _SORTABLE:
        raise _bad(f"Invalid sort column. Must be one of: {', '.join(_SORTABLE)}")
    if by and order.lower() not in ("asc", "desc"):
        raise _bad("Invalid sort order. Must be 'asc' or 'desc'")
    down = order.lower() == "desc" or not by
    rows = list(reversed(rows))
    name = by or "created_at"

    def place(row: Record) -> tuple[bool, Any]:
        # PostgreSQL's order: nulls come last going up and first going down. A moment's text has no fraction at a full
        # second, so it is no order.
        value = row[name]
        return value is None, 0 if value is None else time_.parse(value) if name.endswith("_at") else value

    rows.sort(key=place, reverse=down)
    return rows


def _bad(text: str) -> Refusal:
    return http_error(400, text, newest=False)
