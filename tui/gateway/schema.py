"""The gateway's records: virtual key, user, team, model group. Money is USD, times are aware UTC datetimes."""

from typing import Any, Self

from pydantic import model_validator

from tui.gateway.fields import (
    Amount,
    Flag,
    Mapped,
    Moment,
    Number,
    Record,
    Whole,
    Word,
    Words,
    mapping,
    visible,
    word,
)

NO_MODELS = "no-default-models"
"""LiteLLM's word in `models` for "none"; an empty list means all."""


class Key(Record):
    """A virtual key as `/key/list` and `/key/info` give it (S8). Absent limits are None, never 0.

    `hash` identifies it in every call (S12); `name` is the masked form for eyes. `spend` is that of the budget window,
    `total_spend` the lifetime's where the release counts it. `metadata` is {} and
    `metadata_readable` False where the gateway holds something else than an object.
    """

    hash: str
    name: str
    alias: Word = None
    user_id: Word = None
    team_id: Word = None
    team_alias: Word = None
    spend: Amount = 0.0
    total_spend: Number = None
    max_budget: Number = None
    soft_budget: Number = None
    budget_duration: Word = None
    budget_reset_at: Moment = None
    expires_at: Moment = None
    models: Words = []
    tpm_limit: Whole = None
    rpm_limit: Whole = None
    max_parallel_requests: Whole = None
    blocked: Flag = False
    key_type: Word = None
    allowed_routes: Words = []
    metadata: Mapped = {}
    metadata_readable: bool = True
    created_at: Moment = None
    created_by: Word = None
    updated_at: Moment = None
    last_used_at: Moment = None
    rotation_interval: Word = None

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        found = dict(row)
        found["hash"] = word(row.get("token")) or word(row.get("token_id")) or ""
        found["name"] = word(row.get("key_name")) or found["hash"]
        found["alias"] = row.get("key_alias")
        found["metadata_readable"] = row.get("metadata") is None or isinstance(row["metadata"], dict)
        found["expires_at"] = row.get("expires")
        found["last_used_at"] = row.get("last_active")
        # a key made with budget_id keeps its limits in the budget's own table
        table = mapping(row.get("litellm_budget_table"))
        for field in ("max_budget", "soft_budget", "budget_duration", "tpm_limit", "rpm_limit"):
            if found.get(field) is None:
                found[field] = table.get(field)
        return found

    @property
    def label(self) -> str:
        """What a person calls the key: its alias, else the masked name; blanks are no alias."""
        return visible(self.alias) or self.name

    @property
    def tail(self) -> str:
        """The last four characters of the masked name, as `…9f3Q`."""
        return "…" + self.name[-4:]


class User(Record):
    """An internal user of the gateway (S4). `key_count` is None but in lists."""

    user_id: str
    email: Word = None
    alias: Word = None
    role: Word = None
    spend: Amount = 0.0
    max_budget: Number = None
    budget_duration: Word = None
    budget_reset_at: Moment = None
    models: Words = []
    teams: Words = []
    tpm_limit: Whole = None
    rpm_limit: Whole = None
    metadata: Mapped = {}
    created_at: Moment = None
    key_count: Whole = None

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        return {
            **row,
            "email": row.get("user_email"),
            "alias": row.get("user_alias"),
            "role": row.get("user_role"),
        }


class Team(Record):
    """A team (S14). `admins` are the user ids whose membership says admin, `member_permissions` routes for the rest.

    `key_count` is None but in pages of 1.108.
    """

    team_id: str
    alias: Word = None
    models: Words = []
    spend: Amount = 0.0
    max_budget: Number = None
    budget_duration: Word = None
    budget_reset_at: Moment = None
    tpm_limit: Whole = None
    rpm_limit: Whole = None
    blocked: Flag = False
    members: Words = []
    admins: Words = []
    member_permissions: Words = []
    key_count: Whole = None

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        listed = row.get("members_with_roles")
        members = [member for member in listed if isinstance(member, dict)] if isinstance(listed, list) else []
        return {
            **row,
            "alias": row.get("team_alias"),
            "members": [member.get("user_id") for member in members],
            "admins": [member.get("user_id") for member in members if member.get("role") == "admin"],
            "member_permissions": row.get("team_member_permissions"),
            "key_count": row.get("keys_count"),
        }

    @property
    def label(self) -> str:
        """What a person calls the team."""
        return visible(self.alias) or self.team_id


class Member(Record):
    """Somebody in a team. `spend` in it and `max_budget` of their own in it are None where the gateway tells none."""

    user_id: Word = None
    email: Word = None
    role: Word = None
    spend: Number = None
    max_budget: Number = None

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        table = mapping(row.get("litellm_budget_table"))
        return {**row, "email": row.get("user_email"), "max_budget": table.get("max_budget")}

    @property
    def label(self) -> str:
        """What tells them from others: the id, else the address that they were added by."""
        return self.user_id or self.email or ""


class Model(Record):
    """A model group: the public name that a key may call (S13).

    Prices are USD per token and None where unknown (never 0 for unknown); `priced` says whether any is known.
    """

    name: str
    providers: Words = []
    mode: Word = None
    input_cost_per_token: Number = None
    output_cost_per_token: Number = None
    cache_read_cost_per_token: Number = None
    cache_creation_cost_per_token: Number = None
    max_input_tokens: Whole = None
    max_output_tokens: Whole = None
    tpm_limit: Whole = None
    rpm_limit: Whole = None
    capabilities: Words = []
    deployments: Words = []
    description: Word = None

    @property
    def priced(self) -> bool:
        """Whether the gateway knows a price for it."""
        return self.input_cost_per_token is not None or self.output_cost_per_token is not None


class NewKey(Record):
    """The answer of `/key/generate`: the secret, this once, and the record's identity."""

    secret: str
    hash: str
    name: str
    alias: Word = None
    expires_at: Moment = None

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "secret": row.get("key"),
            "hash": word(row.get("token")) or word(row.get("token_id")) or "",
            "name": word(row.get("key_name")) or "",
            "alias": row.get("key_alias"),
            "expires_at": row.get("expires"),
        }

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name != "secret"]

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        # it goes into files, variables and a header as it is: a line break would write a line of its own there
        if not self.secret or any(not "!" <= letter <= "~" for letter in self.secret):
            raise ValueError("the gateway's answer holds no key")
        return self
