"""Who is calling and whether they may: LiteLLM's checks, in its order and with its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tui.demo import clock as time_
from tui.demo.errors import Refusal, detail, proxy_error
from tui.demo.state import MASTER_USER, Record, State, hash_of

MODEL_INFO = {"/model/info", "/v1/model/info", "/model_group/info"}
MODEL_LISTS = {"/models", "/v1/models"}
CHAT = {"/chat/completions", "/v1/chat/completions"}
USER_ME = "/management/v1/users/me"
INFO_ROUTES = {
    "/key/info",
    "/key/list",
    "/team/info",
    "/team/list",
    "/v2/team/list",
    "/user/info",
    "/v2/user/info",
    USER_ME,
    *MODEL_INFO,
}
_KEY_WRITES = {"/key/generate", "/key/update", "/key/delete", "/key/block", "/key/unblock"}
_USAGE = {"/user/daily/activity", "/team/daily/activity"}


@dataclass
class Caller:
    """The one who calls. `key` is {} for the master key; `role` "unknown" for a key with no user."""

    user_id: str | None
    role: str
    key: Record = field(default_factory=dict)
    master: bool = False

    @property
    def admin(self) -> bool:
        """May change everything."""
        return self.role == "proxy_admin"

    @property
    def viewer(self) -> bool:
        """May see everything."""
        return self.role in ("proxy_admin", "proxy_admin_viewer")

    @property
    def shown_role(self) -> str:
        """The role as the routes themselves name it."""
        return "internal_user" if self.role == "unknown" else self.role


def key_hash(headers: Any) -> str:
    """The hash of the key that was sent, "" without one; for the call log only."""
    secret = _secret(headers)
    return hash_of(secret) if secret else ""


def _secret(headers: Any) -> str:
    sent = str(headers.get("authorization", ""))
    if sent.lower().startswith("bearer "):
        return sent[7:].strip()
    return str(headers.get("x-api-key", "") if not sent else "")


def identify(gw: State, headers: Any, route: str) -> Caller:
    """The caller, or the 400/401/422 that LiteLLM answers with."""
    secret = _secret(headers)
    sent = str(headers.get("authorization", "")).strip()
    if not secret:
        if sent and sent.lower() != "bearer":
            passed = "" if gw.since(1, 75) else f" Passed in: {sent}"
            raise _auth(401, f"Malformed API Key passed in. Ensure Key has `Bearer ` prefix.{passed}")
        raise _auth(401, "No api key passed in.")
    if secret == gw.master_key:
        return Caller(MASTER_USER, "proxy_admin", master=True)
    if not secret.startswith("sk-"):
        shown = f"{secret[:4]}****{secret[-4:]}" if gw.since(1, 75) else secret
        text = f"LiteLLM Virtual Key expected. Received={shown}, expected to start with 'sk-'."
        raise proxy_error(401, text if gw.newest else f"Authentication Error, {text}", "auth_error")
    key = _find(gw, secret)
    _alive(gw, key, secret)
    user = gw.users.get(key["user_id"] or "")
    role = str((user or {}).get("user_role") or ("internal_user" if key["user_id"] else "unknown"))
    caller = Caller(key["user_id"], role, key)
    _allowed_routes(gw, caller, route)
    _within_budget(gw, caller, route, user)
    return caller


def _find(gw: State, secret: str) -> Record:
    token = hash_of(secret)
    kept = gw.retired.get(token)
    if kept and kept[1] > gw.now():
        token = kept[0]
    key = gw.keys.get(token)
    if key is not None:
        return key
    text = "Invalid API key provided."
    if not gw.newest:
        text = (
            f"Invalid proxy server token passed. Received API Key = sk-...{secret[-4:]}, Key Hash (Token) ="
            f"{token}. Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
        )
    raise proxy_error(401, f"Authentication Error, {text}", "token_not_found_in_db", "key")


def _alive(gw: State, key: Record, secret: str) -> None:
    if key["blocked"]:
        who = "an admin" if gw.since(1, 75) else "admin"
        raise _auth(401, f"Key is blocked. Update via `/key/unblock` if you're {who}.")
    if key["expires"] and time_.parse(key["expires"]) < gw.now():
        status = 401 if gw.newest else 400
        text = (
            f"Authentication Error - Expired Key. Key Expiry time {time_.parse(key['expires'])} "
            f"and current time {gw.now()}"
        )
        # 1.74 puts the whole secret here; the demo does too, so that redaction is tried.
        param = f"sk-...{secret[-4:]}" if gw.since(1, 75) else secret
        raise proxy_error(status, text, "expired_key", param)


def _allowed_routes(gw: State, caller: Caller, route: str) -> None:
    allowed = caller.key["allowed_routes"]
    if not allowed or not gw.since(1, 75):
        return
    reachable: set[str] = set()
    for name in allowed:
        reachable |= {
            "llm_api_routes": CHAT | MODEL_LISTS | (MODEL_INFO if gw.newest else set()),
            "info_routes": INFO_ROUTES | MODEL_LISTS,
            "management_routes": _KEY_WRITES | (INFO_ROUTES - MODEL_INFO) | _USAGE,
        }.get(name, {name})
    if route not in reachable:
        raise detail(
            403,
            "Virtual key is not allowed to call this route. Only allowed to call routes: "
            f"{allowed}. Tried to call route: {route}",
        )


def _within_budget(gw: State, caller: Caller, route: str, user: Record | None) -> None:
    # Recent releases spare the routes by which a person looks at their keys; 1.83 and before spare none
    # of them when it is the user's budget that is gone.
    status = 422 if gw.newest else 400
    if user and caller.key["team_id"] is None and user["max_budget"] is not None and not caller.admin:
        bound = route in CHAT or not gw.newest
        if bound and user["spend"] >= user["max_budget"] and user["spend"] > 0:
            text = (
                f"ExceededBudget: User={caller.user_id} over budget. Spend={user['spend']}, Budget={user['max_budget']}"
            )
            raise proxy_error(status, text, "budget_exceeded", None)
    if route not in CHAT | MODEL_LISTS:
        return
    limit, spent = caller.key["max_budget"], caller.key["spend"]
    if limit is not None and spent >= limit and spent > 0:
        which = f" Key={caller.key['key_alias']} ({caller.key['key_name']})" if gw.newest else ""
        text = f"Budget has been exceeded!{which} Current cost: {spent}, Max budget: {limit}"
        raise proxy_error(status, text, "budget_exceeded", None)
    team = gw.teams.get(caller.key["team_id"] or "")
    if route in CHAT and team and team["max_budget"] is not None and team["spend"] >= team["max_budget"]:
        text = (
            f"Budget has been exceeded! Team={team['team_id']} Current cost: {team['spend']}, "
            f"Max budget: {team['max_budget']}"
        )
        raise proxy_error(status, text, "budget_exceeded", None)


def authorise(gw: State, caller: Caller, method: str, route: str) -> None:
    """Whether this role may call this route at all; the route itself looks closer."""
    if caller.admin or route in CHAT | MODEL_LISTS | MODEL_INFO or route in INFO_ROUTES:
        return
    if caller.role == "proxy_admin_viewer":
        if method == "GET" and not (route == "/health/latest" and (1, 75) <= gw.release < (1, 84)):
            return
        text = f"user not allowed to access this route, role= {caller.role}. Trying to access: {route}"
        raise proxy_error(403, text, "auth_error")
    if route in _USAGE or (gw.newest and route.startswith(("/user/daily/", "/team/daily/"))):
        return
    # The route answers these for itself: with 403 in recent releases, and with the general 401 in 1.74.
    if route == "/user/list" and gw.since(1, 75):
        return
    if route == "/team/member_add":
        return
    writes_keys = route in _KEY_WRITES or route.startswith("/key/{")
    if writes_keys and caller.role == "internal_user":
        return
    who = caller.user_id or "unknown"
    who = "*" * len(who) if gw.newest else who
    raise _auth(
        401,
        "Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        f"Route={route}. Your role={caller.role}. Your user_id={who}",
    )


def _auth(status: int, text: str) -> Refusal:
    return proxy_error(status, f"Authentication Error, {text}", "auth_error")
