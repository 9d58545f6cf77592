"""What the screens share: the session and the lists that were read last, with their age."""

from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from tui.gateway import models
from tui.gateway.capabilities import Action
from tui.gateway.schema import Key, Model, Team
from tui.reports import Reports
from tui.startup import Session

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


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class Workspace:
    """One session's data. It calls the gateway and draws nothing.

    `clock` is this machine's time, replaced in the demo and in tests; as an attribute, set right by the gateway's.
    """

    def __init__(self, session: Session, clock: Callable[[], datetime] = utc_now) -> None:
        self.session = session
        self.clock = clock = session.by_gateway(clock)
        self.reports = Reports(session, clock)
        self.keys: list[Key] = list(session.keys)
        self.keys_at = clock()
        self.models: list[Model] | None = None
        self.models_at: datetime | None = None

    @property
    def teams(self) -> tuple[Team, ...]:
        """The teams at hand, by label."""
        return self.session.teams

    def team_label(self, team_id: str | None) -> str:
        """What a person calls the team; its id where it is not at hand, "" for none."""
        return next((team.label for team in self.teams if team.team_id == team_id), team_id or "")

    async def refresh_keys(self) -> list[Key]:
        """Read the keys anew. Raises `GatewayError`; the old list stays then."""
        self.keys = await self.session.load_keys()
        self.keys_at = self.clock()
        return self.keys

    async def refresh_models(self) -> list[Model]:
        """Read the model groups anew. Raises `GatewayError`; the old list stays then."""
        details = self.session.rights.why_not(Action.MODEL_DETAILS) is None
        found = await models.list_models(self.session.client, details=details)
        allowed = self.session.user.models if self.session.user and not self.session.caller.user_id else []
        self.models = _callable(found, allowed)
        self.models_at = self.clock()
        return self.models
