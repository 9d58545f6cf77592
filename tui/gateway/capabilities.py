"""What this server and this key can do, known before anything is tried (S44): refused calls count against the key."""

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, Forbidden, GatewayError, NotFound, RouteMissing, Unauthorized
from tui.gateway.fields import mapping, word
from tui.gateway.keys import own_key
from tui.gateway.schema import Key, User

ADMIN = "proxy_admin"
VIEWER = "proxy_admin_viewer"
USER = "internal_user"
USER_VIEWER = "internal_user_viewer"

BUDGET_FIELDS = frozenset({"max_budget", "soft_budget", "spend", "budget_limits"})
"""Changing one of these takes an admin of the proxy or of the team, on every release since 1.83."""


TESTED = ("1.74.0", "1.83.0", "1.108.0")
"""The releases that this program is tested with, the oldest first."""


class Action(StrEnum):
    """What a person may want to do. The value is the verb that sentences use."""

    LIST_KEYS = "list keys"
    CREATE = "create keys"
    EDIT = "edit this key"
    BLOCK = "block or unblock this key"
    RESET_SPEND = "reset its spend"
    DELETE = "delete this key"
    SEE_USAGE = "see usage"
    SEE_EVERYONE = "see everyone's keys and usage"
    MODEL_DETAILS = "see model prices"


_WRITES = frozenset({Action.CREATE, Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE})
_NOT_THIS_ROUTE = re.compile(r"(?i)\bnot allowed to (?:call|access) this route\b|\bcan only access inference\b")
"""LiteLLM's own words about a key that may not read itself."""
_ROUTE_GROUP = {
    "info_routes": frozenset({Action.LIST_KEYS, Action.MODEL_DETAILS}),
    "management_routes": frozenset(Action) - {Action.MODEL_DETAILS},
}
_ROUTE = {
    "/key/list": Action.LIST_KEYS,
    "/key/generate": Action.CREATE,
    "/key/update": Action.EDIT,
    "/key/block": Action.BLOCK,
    "/key/delete": Action.DELETE,
    "/user/daily/activity": Action.SEE_USAGE,
    "/model_group/info": Action.MODEL_DETAILS,
}


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


@dataclass(frozen=True, slots=True)
class Server:
    """The gateway's release: `version` as it says, or None where no public route tells."""

    version: str | None = None

    @property
    def release(self) -> tuple[int, ...] | None:
        """The version as numbers, for comparison."""
        return _numbers(self.version or "") or None

    def at_least(self, *release: int) -> bool:
        """Whether it is that release or later; an unknown one is taken for a recent one."""
        return self.release is None or self.release >= release

    @property
    def newer(self) -> bool:
        """Whether it is later than every release that was tested, or unknown."""
        return self.release is None or self.release > _numbers(TESTED[-1])

    @property
    def untested(self) -> str:
        """A sentence where it is older than every release that was tested, which may lack what is needed; else ""."""
        if self.release is None or self.release >= _numbers(TESTED[0]):
            return ""
        return f"LiteLLM {self.version} is older than every release that this was tested with ({', '.join(TESTED)})."

    @property
    def key_types(self) -> bool:
        """Whether `key_type` at creation means anything: 1.74 drops it without a word."""
        return self.at_least(1, 75)

    @property
    def clears_expiry(self) -> bool:
        """Whether an expiry can be taken off a key again: 1.74 ignores the null."""
        return self.at_least(1, 83)


async def server(client: Client) -> Server:
    """Ask the public routes for the release (they need no rights and count against no key)."""

    async def ask(path: str) -> str | None:
        try:
            return word(mapping(await client.get(path)).get("litellm_version"))
        except GatewayError:
            return None

    hub, health = await asyncio.gather(ask("/public/model_hub/info"), ask("/health/readiness"))
    return Server(hub or health)


async def licensed(client: Client) -> bool:
    """Whether the proxy says that it has an Enterprise licence; for admins, as others may be refused the question."""
    try:
        return mapping(await client.get("/health/license")).get("license_type") == "enterprise"
    except GatewayError:
        return False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the session's key is.

    `key` is its own record: None for the master key, and for a key that may not read itself (`narrow`: made for LLM
    calls alone, it may list models and nothing else).
    """

    key: Key | None = None
    narrow: bool = False

    @property
    def master(self) -> bool:
        """Whether it is the proxy's master key."""
        return self.key is None and not self.narrow

    @property
    def user_id(self) -> str | None:
        """The user the key belongs to, where it has one."""
        return self.key.user_id if self.key else None


async def caller(client: Client) -> Caller:
    """Who the session's key is, in one call.

    Raises `Unauthorized` for a key that is unknown, blocked or expired, and `Forbidden` for a 403 that says nothing of
    routes: it may come from anything in front of the gateway, and passes.
    """
    try:
        return Caller(key=await own_key(client))
    except (Forbidden, Unauthorized) as error:
        # 1.74 says 401 where the others say 403
        if _NOT_THIS_ROUTE.search(str(error)):
            return Caller(narrow=True)
        raise


async def role(client: Client, who: Caller, own_record: User | None) -> str:
    """The caller's role, as LiteLLM names it.

    A key of no user, or of a user that is not in the table, has the rights of an internal user.
    """
    if who.master:
        return ADMIN
    if own_record is not None and own_record.role:
        return own_record.role
    try:
        told = mapping(await client.get("/management/v1/users/me"))
    except (RouteMissing, NotFound, Forbidden):
        return USER
    if "user_role" not in told:
        raise BadAnswer("The gateway's answer about this key's user holds no role; is the URL LiteLLM's?")
    return word(told["user_role"]) or USER


@dataclass(frozen=True, slots=True)
class Rights:
    """What the session may do. `why_not` gives the reason to show, or None where it is allowed."""

    role: str = ADMIN
    user_id: str | None = None
    narrow: bool = False
    routes: tuple[str, ...] = ()
    read_only: bool = False
    server: Server = field(default_factory=Server)
    admin_of: frozenset[str] = frozenset()
    """Ids of the teams that the caller administers."""
    makes_keys_in: frozenset[str] = frozenset()
    """Ids of the teams whose plain members may make keys in them."""

    @property
    def admin(self) -> bool:
        """Whether the caller administers the proxy."""
        return self.role == ADMIN

    @property
    def sees_all(self) -> bool:
        """Whether the caller may see everyone's keys and usage."""
        return self.role in (ADMIN, VIEWER)

    def why_not(
        self, action: Action, key: Key | None = None, fields: Collection[str] = (), *, team_id: str | None = None
    ) -> str | None:
        """Why `action` is not possible, as a sentence; None where it is.

        `key` is the key it would be done to, `fields` what an edit would change, in LiteLLM's names, `team_id` the team
        that a new key would belong to.
        """
        if action in _WRITES and self.read_only:
            return "This session is read-only."
        if self.narrow:
            if action is Action.MODEL_DETAILS and self.server.at_least(1, 108):
                return None
            return "This key may call models only (key_type llm_api). Ask for a key with management rights."
        if self.routes and (why := self._routes_forbid(action)):
            return why
        if action is Action.SEE_EVERYONE:
            return None if self.sees_all else "Only an admin sees everyone's."
        if action not in _WRITES or self.admin:
            return None
        if self.role in (VIEWER, USER_VIEWER):
            return f"The role {self.role} may look and not change."
        if action is Action.CREATE and team_id is not None and team_id not in self.admin_of | self.makes_keys_in:
            return "Only an admin of the team may make keys in it."
        if action is Action.CREATE or key is None:
            return None
        return self._own_key_forbids(action, key, fields)

    def _routes_forbid(self, action: Action) -> str | None:
        allowed: set[Action] = set()
        for route in self.routes:
            if route in ("*", "/*"):
                return None
            allowed |= _ROUTE_GROUP.get(route, frozenset())
            if route in _ROUTE:
                allowed.add(_ROUTE[route])
        if action in allowed:
            return None
        kind = "read_only" if self.routes == ("info_routes",) else ", ".join(self.routes)
        return f"This session's key is limited to {kind} and may not {action.value}."

    def _own_key_forbids(self, action: Action, key: Key, fields: Collection[str]) -> str | None:
        # Found out on 1.74.0, 1.83.0 and 1.108.0 by tests/contract/test_rights.py. What a release lets through by
        # mistake on keys of others (1.74 lets anyone edit anyone's) is not offered.
        team_admin = key.team_id is not None and key.team_id in self.admin_of
        member = key.team_id is not None and not team_admin
        owner = self.user_id is not None and key.user_id == self.user_id
        old = not self.server.at_least(1, 75)
        if not owner and not team_admin:
            return f"Only its owner or an admin may {action.value}."
        if action is Action.BLOCK:
            return None if team_admin or old else "Only an admin may block keys."
        if action is Action.RESET_SPEND:
            return None if team_admin or (old and not member) else "Only an admin may reset spend."
        if member and old:
            return f"It is a team's key, so only an admin of the team may {action.value}."
        if action is Action.DELETE or old:
            return None
        return self._edit_forbidden(key, fields, team_admin=team_admin, owner=owner)

    def _edit_forbidden(self, key: Key, fields: Collection[str], *, team_admin: bool, owner: bool) -> str | None:
        if team_admin and key.user_id and not owner:
            return f"It belongs to {key.user_id}, so only an admin of the proxy may edit it."
        if team_admin:
            return None
        if BUDGET_FIELDS.intersection(fields):
            return "Only an admin may change a budget."
        if key.team_id is not None:
            return "It is a team's key, so only an admin of the team may edit it."
        if key.created_by != self.user_id and self.server.at_least(1, 84):
            return "An admin made this key, so only an admin may edit it."
        return None
