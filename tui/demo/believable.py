"""The people, keys and two years of use that `--demo` shows. Nothing here is random between two starts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tui.demo import clock as time_
from tui.demo.models import Model
from tui.demo.state import Record, State, hash_of

ADA = "ada@example.com"
DAYS = 740
_PLATFORM, _RESEARCH = "team-platform", "team-research"
# Mon..Sun: offices are quiet at the weekend, machines less so.
_OFFICE = (1.0, 1.1, 1.15, 1.05, 0.85, 0.12, 0.08)
_MACHINE = (1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.7)


@dataclass(frozen=True)
class _Habit:
    """How a key is used: calls on a usual weekday by model, tokens per call, and since how many days."""

    models: tuple[tuple[str, float], ...]
    prompt: int
    completion: int
    cached: float = 0.0
    machine: bool = False
    since: int = DAYS
    until: int = 0


@dataclass(frozen=True)
class _Key:
    alias: str
    owner: str
    habit: _Habit | None
    made: int
    fields: dict[str, Any]
    # The share of the budget that this window's spend must come to, on whatever day the demo is opened.
    share: float | None = None


def fill(gw: State) -> None:
    """Put the demo's world into an empty gateway. Usage rows are made when they are first looked at."""
    now = gw.now()
    rng = random.Random(20_108)
    _people(gw, now)
    tokens = []
    for number, key in enumerate(_keys(now)):
        secret = f"sk-demo{number:02d}" + "".join(
            rng.choice("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789") for _ in range(16)
        )
        made = time_.iso(now - timedelta(days=key.made, hours=3, minutes=number))
        fields = {"created_by": key.owner, "updated_by": key.owner, **key.fields}
        gw.add_key(secret, key_alias=key.alias, user_id=key.owner, created_at=made, updated_at=made, **fields)
        tokens.append((key, hash_of(secret)))
        if key.alias == "laptop":
            gw.demo_user, gw.demo_key = ADA, secret
    rows = _Rows(gw, now)
    totals = {token: rows.of_key(key, token) for key, token in tokens}
    _spread(gw, now, totals)
    for key, token in tokens:
        if key.share is not None:
            # Early in a window the rows cannot explain it: the rest counts as carried over from a rotated key.
            gw.keys[token]["spend"] = round(key.share * gw.keys[token]["max_budget"], 2)
    gw.usage_later(lambda: _add(gw, rows))


def _people(gw: State, now: datetime) -> None:
    def joined(days: int) -> dict[str, str]:
        return {
            "created_at": time_.iso(now - timedelta(days=days)),
            "updated_at": time_.iso(now - timedelta(days=3)),
        }

    gw.users["default_user_id"].update(joined(900))
    gw.add_user(
        ADA,
        user_email=ADA,
        user_alias="Ada Lindqvist",
        max_budget=250.0,
        budget_duration="30d",
        metadata={"department": "platform"},
        **joined(850),
    )
    for user_id, alias, role, budget in (
        ("grace@example.com", "Grace Okafor", "internal_user", 150.0),
        ("linus@example.com", "Linus Bergmann", "internal_user", 80.0),
        ("mei@example.com", "Mei Tanaka", "proxy_admin", None),
        ("noor@example.com", "Noor Haddad", "proxy_admin_viewer", None),
        ("tomas@example.com", "Tomás Ferreira", "internal_user", 20.0),
    ):
        gw.add_user(
            user_id,
            user_email=user_id,
            user_alias=alias,
            user_role=role,
            max_budget=budget,
            budget_duration="30d" if budget else None,
            **joined(840),
        )

    def member(user_id: str, role: str) -> Record:
        return {"user_id": user_id, "user_email": user_id, "role": role}

    gw.add_team(
        _PLATFORM,
        team_alias="platform",
        max_budget=800.0,
        budget_duration="30d",
        rpm_limit=600,
        members_with_roles=[
            member(ADA, "admin"),
            member("grace@example.com", "user"),
            member("mei@example.com", "admin"),
        ],
        **joined(880),
    )
    gw.add_team(
        _RESEARCH,
        team_alias="research",
        max_budget=400.0,
        budget_duration="30d",
        models=["claude-sonnet-4-5", "gemini-2.5-pro", "gpt-4o", "text-embedding-3-small"],
        members_with_roles=[member("linus@example.com", "admin"), member(ADA, "user")],
        **joined(860),
    )
    gw.give_member_budget(_RESEARCH, ADA, 100.0)
    gw.add_team(
        "team-summer-interns",
        team_alias="summer interns",
        blocked=True,
        max_budget=50.0,
        members_with_roles=[member("mei@example.com", "admin"), member("tomas@example.com", "user")],
        **joined(420),
    )


def _keys(now: datetime) -> list[_Key]:
    def at(days: float) -> str:
        return time_.iso(now + timedelta(days=days))

    month = {"budget_duration": "30d"}
    mei, grace, linus = "mei@example.com", "grace@example.com", "linus@example.com"
    coding = _Habit((("claude-sonnet-4-5", 88), ("gpt-4o", 50), ("gpt-4o-mini", 110)), 3200, 420, cached=0.55)
    return [
        _Key(
            "laptop",
            ADA,
            coding,
            770,
            {
                "max_budget": 120.0,
                **month,
                "expires": at(41.4),
                "rpm_limit": 100,
                "models": ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"],
                "metadata": {"host": "ada-x1"},
            },
        ),
        _Key(
            "prod-api",
            ADA,
            _Habit((("claude-sonnet-4-5", 190), ("claude-haiku-4-5", 420)), 900, 180, 0.4, True),
            790,
            {
                "created_by": mei,
                "models": ["claude-sonnet-4-5", "claude-haiku-4-5"],
                "metadata": {"service": "support-bot", "owner": "platform"},
            },
        ),
        _Key(
            "batch-eval",
            ADA,
            _Habit((("gpt-4o", 80), ("gemini-2.5-pro", 45)), 1500, 350, 0.1, True),
            95,
            {"max_budget": 50.0, **month, "models": ["gpt-4o", "gemini-2.5-pro"]},
            0.964,
        ),
        _Key(
            "nightly-summaries",
            ADA,
            _Habit((("gemini-2.5-flash", 240),), 16_000, 300, 0.2, True),
            150,
            {"max_budget": 10.0, "budget_duration": "7d", "models": ["gemini-2.5-flash"]},
            1.08,
        ),
        _Key(
            "demo-booth",
            ADA,
            _Habit((("gpt-4o-mini", 25),), 600, 250, since=25),
            27,
            {"max_budget": 5.0, "expires": at(3.1), "models": ["gpt-4o-mini"]},
        ),
        _Key(
            "ci-nightly",
            ADA,
            _Habit((("gpt-4o-mini", 60),), 1800, 90, 0.3, True, since=92, until=2),
            92,
            {"expires": at(-2.05), "max_budget": 8.0, **month, "models": ["gpt-4o-mini"]},
        ),
        _Key(
            "old-notebook",
            ADA,
            _Habit((("gpt-4o", 6),), 1100, 300, since=118, until=70),
            190,
            {"blocked": True, "max_budget": 5.0, "created_by": mei},
        ),
        _Key("conference-talk", ADA, None, 12, {"max_budget": 20.0, "expires": at(78.0)}),
        _Key(
            "playground",
            ADA,
            _Habit((("gpt-4o", 4), ("in-house-llama", 12), ("gemini-2.5-pro", 3)), 900, 500),
            380,
            {},
        ),
        _Key(
            "platform-gateway",
            ADA,
            _Habit((("gpt-4o-mini", 500), ("text-embedding-3-small", 900)), 4200, 620, 0.0, True),
            205,
            {"team_id": _PLATFORM, "max_budget": 60.0, **month, "tpm_limit": 200_000, "rpm_limit": 300},
        ),
        _Key(
            "vector-index",
            ADA,
            _Habit((("text-embedding-3-small", 1400),), 6000, 0, 0.0, True),
            130,
            {"tpm_limit": 1_000_000, "key_type": "llm_api", "models": ["text-embedding-3-small"]},
        ),
        _Key(
            "grafana-readonly",
            ADA,
            None,
            64,
            {"key_type": "read_only", "metadata": {"dashboard": "llm-costs"}},
        ),
        _Key(
            "pairing-llama",
            ADA,
            _Habit((("in-house-llama", 70),), 2100, 380, since=60),
            61,
            {"rpm_limit": 30, "models": ["in-house-llama"], "expires": at(12.6)},
        ),
        _Key("grace-vscode", grace, coding, 780, {"max_budget": 90.0, **month}),
        _Key(
            "ticket-triage",
            grace,
            _Habit((("claude-haiku-4-5", 800),), 1400, 160, 0.35, True),
            110,
            {"team_id": _PLATFORM, "created_by": mei, "max_budget": 70.0, **month},
        ),
        _Key(
            "linus-cli",
            linus,
            _Habit((("claude-sonnet-4-5", 60), ("gemini-2.5-pro", 40)), 2600, 600, 0.4),
            170,
            {"max_budget": 60.0, **month},
        ),
        _Key(
            "paper-review",
            linus,
            _Habit((("gemini-2.5-pro", 22),), 22_000, 1400, 0.15),
            85,
            {"team_id": _RESEARCH, "expires": at(29.0)},
        ),
        _Key("mei-admin", mei, _Habit((("gpt-4o", 5),), 800, 200), 800, {}),
    ]


class _Rows:
    """Works out every raw row. Days are numbered backwards: 0 is today."""

    def __init__(self, gw: State, now: datetime) -> None:
        self._gw = gw
        self._now = now
        self._today = now.date()
        self._models: dict[str, Model] = {model.name: model for model in gw.models}
        # A Wednesday, five to six weeks ago.
        self._bad_day = 35 + (self._today.weekday() - 2) % 7
        self.made: list[Record] = []

    def of_key(self, key: _Key, token: str) -> list[Record]:
        """The rows of one key; a key with a share is brought towards it, within reason."""
        habit = key.habit
        if habit is None:
            return []
        rng = random.Random(key.alias)
        rows: list[Record] = []
        for ago in range(min(habit.since, key.made, DAYS) - 1, max(habit.until, 0) - 1, -1):
            rows += self._day(key, habit, token, ago, rng)
        row = self._gw.keys[token]
        if key.share is not None:
            start = window_start(row, self._now)
            window = [line for line in rows if line["date"] >= start]
            spent = sum(line["spend"] for line in window)
            if spent:
                wanted = key.share * row["max_budget"] / spent
                _scale(window, self._models, min(max(wanted, 0.5), 2.0))
        self.made += rows
        return rows

    def _day(self, key: _Key, habit: _Habit, token: str, ago: int, rng: random.Random) -> list[Record]:
        day = self._today - timedelta(days=ago)
        rhythm = (_MACHINE if habit.machine else _OFFICE)[day.weekday()]
        growth = 0.55 + 0.45 * (DAYS - ago) / DAYS
        passed = (self._now.hour * 60 + self._now.minute + 1) / 1440 if ago == 0 else 1.0
        out = []
        for name, calls in habit.models:
            made = int(calls * rhythm * growth * passed * rng.uniform(0.7, 1.35))
            if ago == self._bad_day:
                made = int(made * 1.4)
            if not made:
                continue
            failed = sum(rng.random() < 0.006 for _ in range(min(made, 60))) * max(made // 60, 1)
            # The bad day: the upstream of one provider answers with errors, and callers try again.
            if ago == self._bad_day and self._models[name].provider in ("openai", "anthropic"):
                failed = int(made * rng.uniform(0.35, 0.55))
            out.append(self._row(key, habit, token, day, name, made, min(failed, made), rng))
        return out

    def _row(
        self,
        key: _Key,
        habit: _Habit,
        token: str,
        day: date,
        name: str,
        made: int,
        failed: int,
        rng: random.Random,
    ) -> Record:
        model, done = self._models[name], made - failed
        prompt = int(done * habit.prompt * rng.uniform(0.85, 1.2))
        completion = int(done * habit.completion * rng.uniform(0.8, 1.25)) if model.mode == "chat" else 0
        caches = model.price_cache_read is not None
        read = int(prompt * habit.cached * rng.uniform(0.8, 1.1)) if caches else 0
        write = int(read * 0.12) if model.price_cache_write is not None else 0
        return {
            "date": day.isoformat(),
            "user_id": key.owner,
            "api_key": token,
            "model": self._gw.stored_name(model),
            "model_group": name,
            "provider": model.provider,
            "team_id": key.fields.get("team_id"),
            "spend": model.cost(prompt, completion, read, write),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "api_requests": made,
            "successful_requests": done,
            "failed_requests": failed,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": write,
        }


def _scale(rows: list[Record], models: dict[str, Model], factor: float) -> None:
    """Make every call longer or shorter by `factor`; money follows the tokens exactly."""
    counts = ("prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    for row in rows:
        for name in counts:
            row[name] = int(row[name] * factor)
        row["spend"] = models[row["model_group"]].cost(*(row[name] for name in counts))


def window_start(row: Record, now: datetime) -> str:
    """The first UTC day (`YYYY-MM-DD`) of the record's running budget window; without one, of all time."""
    duration = row["budget_duration"]
    if duration == "30d":
        return now.date().replace(day=1).isoformat()
    if duration == "7d":
        return (now.date() - timedelta(days=now.weekday())).isoformat()
    return now.date().isoformat() if duration == "1d" else ""


def _spread(gw: State, now: datetime, totals: dict[str, list[Record]]) -> None:
    """Set the spend of keys, people and teams from the rows of their running window."""
    people: dict[str, float] = {}
    teams: dict[str, float] = {}
    month = now.date().replace(day=1).isoformat()
    for token, rows in totals.items():
        key = gw.keys[token]
        start = window_start(key, now)
        key["spend"] = round(sum(row["spend"] for row in rows if row["date"] >= start), 6)
        key["total_spend"] = round(sum(row["spend"] for row in rows), 6)
        if rows:
            last = max(row["date"] for row in rows)
            end = now - timedelta(minutes=4 + len(rows) % 40)
            busy = f"{last}T17:42:08.512000Z"
            key["last_active"] = min(busy, time_.iso(end))
        for row in rows:
            if row["date"] >= month:
                team = row["team_id"]
                table, name = (teams, team) if team else (people, row["user_id"])
                table[name] = table.get(name, 0.0) + row["spend"]
    for user_id, spend in people.items():
        gw.users[user_id]["spend"] = round(spend, 6)
    for team_id, spend in teams.items():
        gw.teams[team_id]["spend"] = round(spend, 6)


def _add(gw: State, rows: _Rows) -> None:
    for row in rows.made:
        kept = gw.add_usage(**row)
        # Milliseconds, all calls of the row together.
        kept["total_response_time_ms"] = row["successful_requests"] * (600 + row["completion_tokens"] // 50 % 900)
