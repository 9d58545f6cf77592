"""What the demo gateway holds: people, keys, teams, usage rows, and the way to add them."""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tui.demo import clock as time_
from tui.demo.models import MODELS, Model

Record = dict[str, Any]
MASTER_USER = "default_user_id"
_TIMES = ("expires", "budget_reset_at", "created_at", "updated_at", "last_active", "settings_updated_at")


@dataclass(frozen=True)
class Call:
    """One answered call. `key_hash` is "" where no key was sent; `status` is 0 where the answer was lost."""

    method: str
    path: str
    params: dict[str, str]
    body: Any
    status: int
    key_hash: str


def hash_of(secret: str) -> str:
    """The sha256 by which LiteLLM knows a key; a hash is its own."""
    return hashlib.sha256(secret.encode()).hexdigest() if secret.startswith("sk-") else secret


class State:
    """The records, as LiteLLM stores them: times are ISO text in UTC, money USD, keys under their hash."""

    def __init__(
        self,
        version: str = "1.108.0",
        now: datetime | None = None,
        master_key: str = "sk-demo-master-0123456789",
        seed: int = 1108,
    ) -> None:
        self.version = version
        self.release = tuple(int(part) for part in version.split(".")[:3])
        self.master_key = master_key
        self.url = "http://demo.invalid"
        self.licensed = False
        self.clock: Callable[[], datetime] = (lambda: now) if now else (lambda: datetime.now(UTC))
        self.random = random.Random(seed)
        self.models: list[Model] = list(MODELS)
        self.users: dict[str, Record] = {}
        self.keys: dict[str, Record] = {}
        self.teams: dict[str, Record] = {}
        self.member_budgets: dict[tuple[str, str], Record] = {}
        self.deleted_keys: dict[str, Record] = {}
        self.retired: dict[str, tuple[str, datetime]] = {}
        self.calls: list[Call] = []
        self.demo_user = ""
        self.demo_key = ""
        self._secrets: dict[str, str] = {}
        self._usage: list[Record] = []
        self._usage_source: Callable[[], None] | None = None
        self.add_user(user_id=MASTER_USER, user_role="internal_user")

    # Versions

    def since(self, *release: int) -> bool:
        """True where the version played is this one or newer."""
        return self.release >= release

    @property
    def newest(self) -> bool:
        """1.84 or later: the error bodies and field sets of 1.108."""
        return self.since(1, 84)

    # Time

    def now(self) -> datetime:
        """The gateway's clock, in UTC."""
        return self.clock().astimezone(UTC)

    def stamp(self) -> str:
        """Now, as stored."""
        return time_.iso(self.now())

    # Usage rows

    @property
    def usage_rows(self) -> list[Record]:
        """Raw rows: one per day, person, key, model and provider. Made at the first look where a demo has many."""
        if self._usage_source is not None:
            source, self._usage_source = self._usage_source, None
            source()
        return self._usage

    def usage_later(self, source: Callable[[], None]) -> None:
        """Have `source` add the rows when they are first looked at."""
        self._usage_source = source

    def add_usage(
        self,
        *,
        date: str,
        user_id: str | None,
        api_key: str,
        model: str | None,
        model_group: str | None = None,
        provider: str | None = None,
        spend: float = 0.0,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        api_requests: int = 1,
        successful_requests: int = 1,
        failed_requests: int = 0,
        cache_read_input_tokens: int = 0,
        cache_creation_input_tokens: int = 0,
        team_id: str | None = None,
    ) -> Record:
        """Add one raw row (date `YYYY-MM-DD`, a UTC day; spend USD). Rows of one identity and day are summed."""
        row: Record = {
            "date": str(date),
            "user_id": user_id,
            "api_key": api_key,
            "model": model,
            "model_group": model_group,
            "custom_llm_provider": provider,
            "endpoint": _endpoint(model),
            "team_id": team_id,
            "spend": spend,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "api_requests": api_requests,
            "successful_requests": successful_requests,
            "failed_requests": failed_requests,
            "cache_read_input_tokens": cache_read_input_tokens,
            "cache_creation_input_tokens": cache_creation_input_tokens,
        }
        self._usage.append(row)
        return row

    def count_refusal(self, token: str, model: str | None) -> None:
        """A refused call is a failed request of its key, on whatever route: LiteLLM's own trap."""
        key = self.keys.get(token)
        if key is None:
            return
        who, day = key["user_id"], self.now().date().isoformat()
        same = (day, token, model, who)
        for row in reversed(self.usage_rows):
            if (row["date"], row["api_key"], row["model"], row["user_id"]) == same:
                break
        else:
            self.add_usage(
                date=day,
                user_id=who,
                api_key=token,
                model=model,
                model_group=model,
                team_id=key["team_id"],
                api_requests=0,
                successful_requests=0,
            )
            row = self._usage[-1]
        row["api_requests"] += 1
        row["failed_requests"] += 1

    def stored_name(self, model: Model) -> str:
        """What a usage row calls a model: with its provider, except in 1.74."""
        return model.upstream if self.since(1, 75) else model.name

    # People, keys, teams

    def add_user(self, user_id: str, **fields: Any) -> Record:
        """Add a person. Fields as LiteLLM names them; moments may be datetimes."""
        stamp = self.stamp()
        row: Record = {
            "user_id": user_id,
            "user_email": None,
            "user_alias": None,
            "user_role": "internal_user",
            "spend": 0.0,
            "max_budget": None,
            "budget_duration": None,
            "budget_reset_at": None,
            "models": [],
            "teams": [],
            "metadata": {},
            "tpm_limit": None,
            "rpm_limit": None,
            "max_parallel_requests": None,
            "created_at": stamp,
            "updated_at": stamp,
            **_plain(fields),
        }
        if row["budget_duration"] and not fields.get("budget_reset_at"):
            row["budget_reset_at"] = self.reset_at(row["budget_duration"])
        self.users[user_id] = row
        return row

    def add_key(self, secret: str | None = None, **fields: Any) -> str:
        """Add a key and return its secret (made up where none is given)."""
        secret = secret or self.new_secret()
        token, stamp = hash_of(secret), self.stamp()
        row: Record = {
            "token": token,
            "key_name": f"sk-...{secret[-4:]}",
            "key_alias": None,
            "spend": 0.0,
            "total_spend": 0.0,
            "max_budget": None,
            "budget_duration": None,
            "budget_reset_at": None,
            "expires": None,
            "models": [],
            "metadata": {},
            "user_id": None,
            "team_id": None,
            "tpm_limit": None,
            "rpm_limit": None,
            "max_parallel_requests": None,
            "blocked": None,
            "key_type": "default",
            "allowed_routes": [],
            "created_at": stamp,
            "created_by": MASTER_USER,
            "updated_at": stamp,
            "updated_by": MASTER_USER,
            "settings_updated_at": None,
            "last_active": None,
            **_plain(fields),
        }
        row["allowed_routes"] = row["allowed_routes"] or self.routes_of(row["key_type"])
        if row["budget_duration"] and not fields.get("budget_reset_at"):
            row["budget_reset_at"] = self.reset_at(row["budget_duration"])
        self.keys[token] = row
        self._secrets[token] = secret
        return secret

    def routes_of(self, key_type: str | None) -> list[str]:
        """`allowed_routes` for a key type; 1.74 knew no key types."""
        if not self.since(1, 75):
            return []
        known = {
            "llm_api": ["llm_api_routes"],
            "read_only": ["info_routes"],
            "management": ["management_routes"],
        }
        return known.get(key_type or "default", [])

    def add_team(self, team_id: str | None = None, **fields: Any) -> Record:
        """Add a team; `members_with_roles` joins its people to it."""
        stamp = self.stamp()
        team_id = team_id or self.new_id()
        row: Record = {
            "team_id": team_id,
            "team_alias": None,
            "members_with_roles": [],
            "models": [],
            "spend": 0.0,
            "max_budget": None,
            "budget_duration": None,
            "budget_reset_at": None,
            "tpm_limit": None,
            "rpm_limit": None,
            "max_parallel_requests": None,
            "metadata": {},
            "blocked": False,
            "created_at": stamp,
            "updated_at": stamp,
            **_plain(fields),
        }
        if row["budget_duration"] and not fields.get("budget_reset_at"):
            row["budget_reset_at"] = self.reset_at(row["budget_duration"])
        self.teams[team_id] = row
        for member in row["members_with_roles"]:
            self.join(team_id, member["user_id"])
        return row

    def join(self, team_id: str, user_id: str) -> None:
        """Note the team on the person's record; an unknown person is created, as LiteLLM does."""
        user = self.users.get(user_id) or self.add_user(user_id)
        if team_id not in user["teams"]:
            user["teams"].append(team_id)

    def give_member_budget(self, team_id: str, user_id: str, max_budget: float) -> None:
        """Limit what a member may spend in the team."""
        limits = ("soft_budget", "max_parallel_requests", "tpm_limit", "rpm_limit", "model_max_budget")
        row: Record = {"budget_id": self.new_id(), "max_budget": max_budget, **dict.fromkeys(limits)}
        row["budget_duration"] = None
        if self.newest:
            row |= {"tpd_limit": None, "allowed_models": [], "temp_budget_increase": None, "temp_budget_expiry": None}
            row |= {"budget_reset_at": None, "created_at": self.stamp()}
        self.member_budgets[team_id, user_id] = row

    def member_role(self, team_id: str | None, user_id: str | None) -> str | None:
        """ "admin", "user", or None for a person who is not in the team."""
        team = self.teams.get(team_id or "")
        for member in team["members_with_roles"] if team else []:
            if member["user_id"] == user_id:
                return str(member["role"])
        return None

    # Secrets

    def secret_for(self, token: str) -> str | None:
        """The secret behind a hash; for tests, no route gives it."""
        return self._secrets.get(token)

    def new_secret(self) -> str:
        """A secret of LiteLLM's form: `sk-` and 22 characters."""
        letters = string.ascii_letters + string.digits + "-_"
        return "sk-" + "".join(self.random.choice(letters) for _ in range(22))

    def new_id(self) -> str:
        """A UUID of this gateway's own randomness."""
        text = f"{self.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def rename_secret(self, old: str, secret: str) -> None:
        """Let the record of `old` answer to another secret (regenerate)."""
        row = self.keys.pop(old)
        row["token"], row["key_name"] = hash_of(secret), f"sk-...{secret[-4:]}"
        self.keys[row["token"]] = row
        self._secrets[row["token"]] = secret

    def delete_key(self, token: str) -> None:
        """Take a key away; it stays findable under status=deleted."""
        self.deleted_keys[token] = self.keys.pop(token)
        self.retired = {old: kept for old, kept in self.retired.items() if kept[0] != token}

    # Budgets

    def reset_at(self, duration: str) -> str:
        """When a budget of this duration, set now, starts again."""
        return time_.iso(time_.next_reset(self.now(), duration))

    def roll_budgets(self) -> None:
        """Start every budget window that has ended anew: spend 0, the next reset in the future."""
        now = self.now()
        for table in (self.keys, self.users, self.teams):
            for row in table.values():
                due = row["budget_reset_at"]
                if due and row["budget_duration"] and time_.parse(due) <= now:
                    row["spend"] = 0.0
                    row["budget_reset_at"] = time_.iso(time_.next_reset(now, row["budget_duration"]))


def _endpoint(model: str | None) -> str | None:
    if model is None:
        return None
    return "/embeddings" if "embedding" in model else "/chat/completions"


def _plain(fields: Record) -> Record:
    """Fields with datetimes as stored text."""
    out = dict(fields)
    for name in _TIMES:
        if isinstance(out.get(name), datetime):
            out[name] = time_.iso(out[name])
    return out
