"""What the screens share: the session and the lists that were read last, with their age."""

from collections.abc import Callable, Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from tui.gateway import models
from tui.gateway.capabilities import Action
from tui.gateway.clock import utc_now
from tui.gateway.keys import list_every_key, list_keys
from tui.gateway.rotation_records import Unfinished, unfinished
from tui.gateway.schema import Key, Model, Team
from tui.gateway.teams import every_team_name, team_names
from tui.long_list import LongList
from tui.startup import FEW, Session

if TYPE_CHECKING:
    from tui.reports import Reports, Scope

_ALL_MODELS = frozenset({"all-proxy-models", "all-team-models", "*"})
"""LiteLLM's words in a user's `models` for "no limit of the user's own"."""


def _callable(found: list[Model], allowed: list[str]) -> list[Model]:
    """Those of `found` that a user with `allowed` in `models` may call; [] there means all.

    `openai/*` is matched by name and by provider; where no provider is known it cannot be, and counts as all.
    """
    if not allowed or _ALL_MODELS.intersection(allowed):
        return found
    names = set(allowed)
    wild = [name for name in allowed if "*" in name]
    if wild and not any(model.providers for model in found):
        return found
    providers = {name.removesuffix("/*") for name in wild if name.endswith("/*")}
    return [
        model
        for model in found
        if model.name in names
        or providers.intersection(model.providers)
        or any(fnmatchcase(model.name, name) for name in wild)
    ]


class Workspace:
    """One session's data. It calls the gateway and draws nothing.

    `clock` is this machine's time, replaced in the demo and in tests; as an attribute, set right by the gateway's.
    """

    def __init__(self, session: Session, clock: Callable[[], datetime] = utc_now) -> None:
        self.session = session
        self.clock = clock = session.by_gateway(clock)
        self.long: LongList | None = None
        """The keys in pages, where there are too many for one list; `keys` are those of the page at hand then."""
        self._keys: list[Key] = []
        self._have(list(session.keys), session.key_total)
        self.keys_at = clock()
        self.whose: Scope | None = None
        """Whose `keys` are at hand, where that is not whom the session is about."""
        self.wanted: dict[str, tuple[Scope, str]] = {}
        """By mode what the next visit to that screen is to be about, and the mode that back leads to."""
        self._team_names: dict[str, str] = {}
        """Of teams that are not among `teams`, by id."""
        self.counts: dict[str, int] = {}
        """By mode how many rows that screen's list has, where it was read."""
        self.models: list[Model] | None = None
        self.models_at: datetime | None = None

    @cached_property
    def reports(self) -> "Reports":
        """The usage that was read. Made when it is first asked for: a start asks for none."""
        from tui.reports import Reports

        return Reports(self.session, self.clock)

    @property
    def teams(self) -> tuple[Team, ...]:
        """The teams at hand, by label."""
        return self.session.teams

    def team_label(self, team_id: str | None) -> str:
        """What a person calls the team; its id where it is not at hand, "" for none."""
        known = next((team.label for team in self.teams if team.team_id == team_id), None)
        return known or self._team_names.get(team_id or "", team_id or "")

    def nameless_teams(self) -> set[str]:
        """The teams of the keys at hand that nothing is known of but their ids."""
        known = {team.team_id for team in self.teams} | self._team_names.keys()
        return {key.team_id for key in self.keys if key.team_id and not key.team_alias} - known

    async def name_teams(self, ids: Iterable[str] | None = None) -> None:
        """Learn what people call these teams, or with None every team. Raises `GatewayError`."""
        client, rights = self.session.client, self.session.rights
        self._team_names |= await (every_team_name(client, rights) if ids is None else team_names(client, rights, ids))

    @property
    def keys(self) -> list[Key]:
        """The keys at hand: all of them, or the page that is shown of a `long` list."""
        return self.long.known() if self.long else self._keys

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        return self.long.total if self.long else len(self._keys)

    def unfinished(self) -> list[Unfinished]:
        """The unfinished rotations that are known of."""
        return self.long.rotations() if self.long else unfinished(self._keys)

    async def refresh_keys(self) -> list[Key]:
        """Read the keys anew; of many the first page. Raises `GatewayError`; the old list stays then."""
        await self.turn_to(self.whose)
        return self.keys

    async def turn_to(self, whose: "Scope | None") -> None:
        """Have the keys of that user or team at hand, None for whom the session is about; for those who see everyone.

        Raises `GatewayError`; what was there stays then.
        """
        if whose is None:
            found, total = await self.session.first_keys()
        else:
            await self.session.check_rights()
            client, of_user = self.session.client, whose.kind == "user"
            found = await (list_keys(client, whose.id) if of_user else list_every_key(client, team_id=whose.id))
            total = len(found)
        self._have(found, total)
        self.whose = whose
        self.keys_at = self.clock()

    def _have(self, found: list[Key], total: int | None) -> None:
        total = len(found) if total is None else total
        self._keys, self.long = found, None
        if total > FEW:
            session = self.session
            self.long = LongList(session.client, session.server, self.clock, self.team_of, found, total)

    def team_of(self, key: Key) -> str:
        """What a person calls the key's team, "" for none."""
        label = self.team_label(key.team_id)
        return key.team_alias or label if label == key.team_id else label

    async def refresh_models(self) -> list[Model]:
        """Read the model groups anew. Raises `GatewayError`; the old list stays then."""
        details = self.session.rights.why_not(Action.MODEL_DETAILS) is None
        found = await models.list_models(self.session.client, details=details)
        allowed = self.session.user.models if self.session.user and not self.session.caller.user_id else []
        self.models = _callable(found, allowed)
        self.models_at = self.clock()
        return self.models
