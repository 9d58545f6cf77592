"""From settings to a session: connect, know who is calling, provision, and have the first list of keys (S30-S38)."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import httpx

from tui import identity
from tui.config import Provisioning, Settings
from tui.credentials import CredentialError, HeldKey, Secret, read_key
from tui.gateway import capabilities, keys, teams
from tui.gateway.capabilities import Action, Caller, Rights, Server
from tui.gateway.client import Client
from tui.gateway.errors import (
    BadAnswer,
    Busy,
    Conflict,
    Forbidden,
    GatewayError,
    Invalid,
    NoDatabase,
    NotFound,
    RightsChanged,
    RouteMissing,
    Unauthorized,
    Unreachable,
)
from tui.gateway.paging import PAGE
from tui.gateway.provisioning import Grant, NotProvisioned, Person, ensure_user
from tui.gateway.schema import Key, Team, User
from tui.gateway.users import user_info
from tui.last_time import LastTime, Picture, Whose


@dataclass(frozen=True, slots=True)
class Session:
    """A running connection: who calls, what they may do, and what was read at the start.

    `user_id` is whom keys and usage are about; None means everyone's, for an admin who named nobody (S37). `user` is
    that user's record, None for everyone and for an own key whose user is not in the table.

    Of everyone's keys `keys` are the newest where there are more than `FEW`, and `teams` the first page of them; there
    are `key_total` keys then, None where they are all here.
    """

    client: Client
    settings: Settings
    server: Server
    caller: Caller
    rights: Rights
    user_id: str | None = None
    user: User | None = None
    teams: tuple[Team, ...] = ()
    keys: tuple[Key, ...] = ()
    key_total: int | None = None
    warnings: tuple[str, ...] = ()
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)
    last: LastTime | None = field(default=None, repr=False)
    """What the next start may know of this one; None where nothing is written."""

    def connect(self, secret: str) -> Client:
        """A client for another key of the same gateway, with the same settings; the caller closes it."""
        return _client(self.settings, secret, self.transport)

    @property
    def everyone(self) -> bool:
        """Whether keys and usage are those of all users."""
        return self.user_id is None and self.rights.sees_all

    @property
    def about(self) -> str:
        """Whom the session is about, for the header."""
        if self.user_id:
            return self.user_id
        if self.everyone:
            return "everyone"
        return self.caller.key.label if self.caller.key else "this key"

    @property
    def owner(self) -> str | None:
        """The user id that a new key gets (S9): the user at hand, else the caller's own."""
        return self.user_id or self.caller.user_id

    def by_gateway(self, clock: Callable[[], datetime]) -> Callable[[], datetime]:
        """`clock` set right by the gateway's, where the two differ: ends and UTC days are the gateway's to decide."""
        return lambda: clock() + self.client.clock.ahead

    async def check_rights(self) -> None:
        """Raise `RightsChanged` where an admin's own key has another role by now.

        To a key that is an admin's no more, LiteLLM gives its own keys and usage as if they were everyone's, with a
        200. Nothing is asked for the master key, and for keys that see only their own anyway.
        """
        if self.caller.master or not self.rights.sees_all:
            return
        own = await user_info(self.client, self.caller.user_id or "")
        role = await capabilities.role(self.client, self.caller, own)
        if role != self.rights.role:
            raise RightsChanged(f"This key's role was {self.rights.role} when the session began, and is {role} now.")

    async def load_keys(self) -> list[Key]:
        """The keys of whom the session is about, as they are now. A key of no user sees itself alone."""
        if self.rights.why_not(Action.LIST_KEYS):
            return []
        await self.check_rights()
        if self.user_id:
            return await keys.list_keys(self.client, self.user_id)
        if self.everyone:
            return await keys.list_every_key(self.client)
        own = await keys.own_key(self.client)
        return [own] if own else []

    async def first_keys(self) -> tuple[list[Key], int]:
        """As `load_keys`, but of many keys of everyone's the newest page alone, and how many there are."""
        if self.everyone and self.rights.why_not(Action.LIST_KEYS) is None:
            await self.check_rights()
            return await first_keys(self.client, self.server)
        found = await self.load_keys()
        return found, len(found)


FEW = 500
"""Keys that are read all at once and shown in one list; more of them come in pages."""


async def first_keys(client: Client, server: Server) -> tuple[list[Key], int]:
    """Everyone's keys, newest first, and how many there are; more than `FEW` are not read beyond the first page."""
    from tui.gateway.key_pages import KeyPages, KeyQuery

    pages = KeyPages(client, server, KeyQuery())
    found = await pages.read(0, PAGE)
    if PAGE < (pages.total or 0) <= FEW:
        found = await pages.read(0, FEW)
    total = pages.total or 0
    # a page is on its way ahead, for a list that scrolls
    pages.forget()
    few = list({key.hash: key for key in found}.values())
    return few, total if total > FEW else len(few)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no session: a title, a sentence of what is so, and what to do, one line each."""

    title: str
    sentence: str
    advice: tuple[str, ...] = field(default_factory=tuple)


def grant_for(provisioning: Provisioning, groups: list[str]) -> Grant:
    """What a new user with these Unix groups gets: the first role that fits, over the defaults (S31, S32)."""
    values = provisioning.limits_for(groups).model_dump()
    if values["max_budget"] == "unlimited":
        values["max_budget"] = None
    return Grant(**values)


async def start(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    said: Callable[[str], None] = lambda _: None,
    look: bool = False,
    remember: Path | None = None,
    recalled: Callable[[Picture], None] = lambda _: None,
) -> Session:
    """Connect with `settings` and come back with a session; `said` is told each step in a few words.

    `remember` is the folder of `last_time`, None for neither reading nor writing there. A key that is known there is
    taken for the same user's, and that user's lists are asked for at once: all calls go out together then. Where it has
    become another's, they are dropped and asked for again. `recalled` is told how its list looked the last time, where
    that is known, before anything is asked.

    With `look` it is for looking only: nobody is provisioned, so `Session.user` is None for a user that the gateway
    does not have, and no list of keys is read (`Session.load_keys` does that).

    Raises `CredentialError`, or one of `GatewayError`'s kinds; `explain` makes a `Trouble` of either. The client is
    closed again on failure.
    """
    said("reading the key")
    secret = await read_key(settings.credential)
    # once read, the key stays in memory: a command or a question is not repeated at a reconnect
    settings = replace(settings, credential=HeldKey(secret))
    client = _client(settings, secret.reveal(), transport)
    last = LastTime(remember, settings.url, secret.reveal(), settings.user) if remember else None
    if last is not None and (picture := last.picture()):
        recalled(picture)
    guess = _Guess(client, settings, last)
    try:
        said(f"connecting to {client.host}")
        server, caller = await asyncio.gather(capabilities.server(client), capabilities.caller(client))
        session = await _session(client, settings, server, caller, said, look, guess)
        await guess.learn(caller)
        told = [sentence for sentence in (client.clock.sentence, server.untested) if sentence]
        return replace(session, transport=transport, warnings=(*session.warnings, *told), last=last)
    except BaseException as error:
        if last is not None and isinstance(error, Unauthorized):
            last.forget_picture()
        await guess.drop()
        await client.aclose()
        raise


def _client(settings: Settings, secret: str, transport: httpx.AsyncBaseTransport | None) -> Client:
    return Client(
        settings.url,
        secret,
        timeout=settings.timeout,
        read_only=settings.read_only,
        ca_file=str(settings.ca_file) if settings.ca_file else None,
        transport=transport,
    )


async def _session(
    client: Client,
    settings: Settings,
    server: Server,
    caller: Caller,
    said: Callable[[str], None],
    look: bool,
    guess: "_Guess",
) -> Session:
    warnings: list[str] = []
    if caller.narrow:
        await guess.drop()
        rights = Rights(role=capabilities.USER, narrow=True, read_only=settings.read_only, server=server)
        return Session(client, settings, server, caller, rights, warnings=settings.ignored)
    rights = Rights(
        role=capabilities.ADMIN if caller.master else capabilities.USER,
        user_id=caller.user_id,
        routes=tuple(caller.key.allowed_routes) if caller.key else (),
        read_only=settings.read_only,
        server=server,
    )
    user_id = settings.user if caller.master else caller.user_id
    said("reading keys and teams" if user_id else "reading everyone's keys")
    found = await guess.found(rights, user_id) or await _read(client, rights, user_id, caller, look)
    if not caller.master:
        role = await capabilities.role(client, caller, found.user)
        rights = replace(rights, role=role)
        if rights.sees_all and settings.user != caller.user_id:
            # an admin's own key is for looking after others: whom, is the profile's to say (S37)
            user_id = settings.user
            found = await _read(client, rights, user_id, caller, look)
        elif settings.user and settings.user != caller.user_id and not rights.sees_all:
            warnings.append(f"This key belongs to {caller.user_id or 'no user'}; the user {settings.user} is ignored.")
    user = found.user
    if not look and user_id and rights.sees_all and user_id != caller.user_id and user is None:
        grant = _grant(settings, warnings) if settings.provisioning.enabled and rights.admin else None
        if grant is not None:
            said(f"creating the user {user_id}")
        user = await ensure_user(
            client, _person(settings, user_id), grant, may_create=rights.admin, warn=warnings.append
        )
        found = await _read(client, rights, user_id, caller, look)
    rights = replace(
        rights,
        admin_of=frozenset(team.team_id for team in found.teams if rights.user_id in team.admins),
        makes_keys_in=frozenset(team.team_id for team in found.teams if "/key/generate" in team.member_permissions),
    )
    return Session(
        client,
        settings,
        server,
        caller,
        rights,
        user_id=user_id,
        user=user,
        teams=tuple(found.teams),
        keys=tuple(found.keys),
        key_total=found.key_total,
        warnings=(*settings.ignored, *warnings),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    user: User | None
    keys: list[Key]
    teams: list[Team]
    key_total: int | None = None


async def _read(client: Client, rights: Rights, user_id: str | None, caller: Caller, look: bool) -> _Found:
    async def no_keys() -> list[Key]:
        return [caller.key] if caller.key else []

    async def listed() -> tuple[list[Key], int | None]:
        if look or rights.why_not(Action.LIST_KEYS):
            return await no_keys(), None
        if user_id:
            return await keys.list_keys(client, user_id), None
        return await (first_keys(client, rights.server) if rights.sees_all else alone())

    async def alone() -> tuple[list[Key], int | None]:
        return await no_keys(), None

    async def teamed() -> list[Team]:
        if rights.why_not(Action.LIST_KEYS) or not (user_id or rights.sees_all):
            return []
        try:
            if user_id or look:
                return await teams.list_teams(client, user_id)
            # the whole list comes with every key of every team: 10 MB in a company
            return await teams.team_pages(client, rights).read(0, PAGE)
        except RouteMissing:
            return []

    user, (found_keys, total), found_teams = await asyncio.gather(user_info(client, user_id or ""), listed(), teamed())
    return _Found(user, found_keys, found_teams, total)


class _Guess:
    """The lists of the user that a key was of when it was last used, asked for before the key is known again.

    The calls are ones that this key was allowed; never without a user id (S5), and none for a key of few routes (S44).
    """

    def __init__(self, client: Client, settings: Settings, last: LastTime | None) -> None:
        self._last = last
        self._whose = last.read() if last else None
        self._reading: asyncio.Task[_Found] | None = None
        self._user_id = None
        if self._whose is not None:
            self._user_id = settings.user if self._whose.master else self._whose.user_id
        if self._user_id:
            rights = Rights(role=capabilities.USER, user_id=self._user_id)
            self._reading = asyncio.create_task(_read(client, rights, self._user_id, Caller(), look=False))

    async def found(self, rights: Rights, user_id: str | None) -> _Found | None:
        """What was read, where it is of that user; None, and the calls are cancelled, where it is not.

        Raises one of `GatewayError`'s kinds.
        """
        if self._reading is None or user_id != self._user_id or rights.why_not(Action.LIST_KEYS):
            await self.drop()
            return None
        return await self._reading

    async def drop(self) -> None:
        """Cancel the calls; what they failed with is nobody's."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            if not self._reading.cancelled():
                self._reading.exception()

    async def learn(self, caller: Caller) -> None:
        """Remember whose key it is for the next time; nobody's where it may not list keys."""
        limited = caller.narrow or (caller.key is not None and bool(caller.key.allowed_routes))
        whose = Whose(None if limited else caller.user_id, caller.master)
        if self._last is not None and whose != self._whose:
            await asyncio.to_thread(self._last.keep, whose)


def _person(settings: Settings, user_id: str) -> Person:
    account = settings.account
    return Person(
        user_id=user_id,
        identity=f"unix:{account or user_id}@{socket.gethostname()}",
        email=user_id if "@" in user_id else None,
        display_name=identity.display_name(account) if account else None,
    )


def _grant(settings: Settings, warnings: list[str]) -> Grant:
    groups: list[str] = []
    if settings.provisioning.roles:
        try:
            groups = identity.groups(settings.account)
        except LookupError as error:
            warnings.append(f"{error} The default limits are used.")
    return grant_for(settings.provisioning, groups)


def demo(settings: Settings) -> tuple[Settings, httpx.AsyncBaseTransport, Callable[[], datetime]]:
    """The embedded gateway for `--demo`: settings (an admin, about one person), its transport and its clock."""
    from tui.demo import DemoGateway

    gateway = DemoGateway.believable()
    credential = HeldKey(Secret(gateway.master_key), "the demo's own")
    return (
        replace(settings, credential=credential, user=settings.user or gateway.demo_user),
        gateway.transport(),
        gateway.clock,
    )


def explain(error: Exception, settings: Settings) -> Trouble:
    """`error` in a person's words: what is wrong and what to do about it."""
    where = settings.sources.get("url", "the settings")
    key_from = settings.credential.describe()
    if isinstance(error, CredentialError):
        return Trouble("No key", str(error), (f"The key comes from {key_from}.",))
    if isinstance(error, NotProvisioned):
        return Trouble("You are not on this gateway yet", str(error))
    if isinstance(error, GatewayError) and error.key_state == "over budget":
        return Trouble(
            "Over budget",
            str(error),
            ("This release lets such a key see nothing. Ask an admin for more, or wait for the budget's reset.",),
        )
    if isinstance(error, Unauthorized):
        advice = {
            "expired": "The key has expired: ask for a new one.",
            "unknown": "The gateway does not know this key: deleted, or another gateway's.",
            "blocked": "Somebody blocked the key: ask an admin why, and to unblock it.",
        }.get(error.key_state, "Check that the key is this gateway's, not expired and not blocked.")
        # who is named by the profile has no key of their own in it (S36)
        not_theirs = (f"It is the profile's key that is refused, not {settings.user}.",) if settings.user else ()
        return Trouble(
            "The gateway refuses this key", str(error), (advice, *not_theirs, f"The key comes from {key_from}.")
        )
    if isinstance(error, Unreachable):
        return Trouble(
            "No answer",
            str(error),
            (
                f"The address {settings.url} comes from {where}.",
                "Check it, the network, and that the proxy runs.",
            ),
        )
    if isinstance(error, BadAnswer | RouteMissing):
        return Trouble(
            "That is not LiteLLM",
            str(error),
            (
                f"The address {settings.url} comes from {where}.",
                "It should be the proxy's base address, with its path prefix if it has one.",
            ),
        )
    if isinstance(error, NoDatabase):
        return Trouble(
            "The gateway has lost its database",
            str(error),
            ("Your key and your settings are not the reason. Whoever runs the gateway has to mend it.",),
        )
    if isinstance(error, Forbidden):
        return Trouble(
            "The gateway refused",
            str(error),
            (
                "This may pass. If it stays, ask whoever runs the gateway, or what is in front of it.",
                "A user or limits that the profile sets may be the reason too.",
            ),
        )
    if isinstance(error, Invalid | NotFound | Conflict):
        return Trouble(
            "The gateway refused",
            str(error),
            ("Trying again will not help: check the user and the provisioning limits in the profile.",),
        )
    if isinstance(error, Busy):
        return Trouble("The gateway is busy", str(error), ("It asks for fewer calls: try again in a while.",))
    if isinstance(error, GatewayError):
        return Trouble("The gateway failed", str(error), ("Try again; if it stays, the proxy's log says why.",))
    raise error


def meanwhile(error: GatewayError, session: Session, *, again: str = "R", other: str = "K") -> str:
    """`error` of a call in a running session, in sentences for one line: what is so, and the way on.

    An admin's key that is refused is never the fault of whom the session is about (S36). `again` and `other` are the
    keys that start again and that take another key.
    """
    shared = session.rights.sees_all
    key = "The admin key of this session" if shared else "This session's key"
    named = session.user_id if shared and session.user_id != session.caller.user_id else None
    whose = f"That is not {named}'s doing: whoever" if named else "Whoever"
    new = (
        f"{whose} keeps it has to replace it; {other} takes another."
        if shared
        else f"Ask an admin for a new one; {other} takes it."
    )
    match error.key_state:
        case "expired":
            return f"{key} has expired. {new}"
        case "unknown":
            return f"The gateway does not know {key[0].lower()}{key[1:]} any more: deleted or replaced. {new}"
        case "blocked":
            return f"{key} was blocked. Ask an admin why, and to unblock it; {other} takes another."
        case "over budget":
            return f"{error} The gateway answers this again when an admin raises the budget, or at its reset."
    if isinstance(error, RightsChanged):
        return f"{error} {again} starts again with what it may do now."
    if isinstance(error, Unauthorized | Forbidden):
        return (
            f"The gateway now refuses this to {key[0].lower()}{key[1:]}: {error} "
            f"{again} starts again with its rights of now."
        )
    return str(error)


def starts_anew(error: GatewayError | None) -> bool:
    """Whether, after `error`, asking again only makes sense in a new session, which learns its rights anew."""
    return isinstance(error, Unauthorized | Forbidden) and not error.key_state
