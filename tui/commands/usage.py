"""`litellm-tui usage`."""

import argparse
import sys
from datetime import UTC, date

from tui.commands import Clock, Refused, say, say_all
from tui.commands.output import Cell, Column, print_json, print_table
from tui.formatting import count, models_summary, money, percent
from tui.gateway.capabilities import Action
from tui.gateway.schema import Team
from tui.gateway.teams import list_teams
from tui.gateway.usage import Metrics, Usage, last_days, month_to_date, twelve_months
from tui.reports import Reports, Scope, refused, scopes
from tui.startup import Session

PERIODS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
SUMS = (
    Column("Spend", right=True),
    Column("Share", right=True, drop=3),
    Column("Requests", right=True),
    Column("Failed", right=True, drop=2),
    Column("Tokens", right=True),
    Column("Prompt", right=True, drop=5),
    Column("Completion", right=True, drop=6),
    Column("Cache read", right=True, drop=7),
    Column("Cache write", right=True, drop=8),
)


async def show_usage(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    """Read the range and print it; what the release cannot tell goes to stderr."""
    scope = await choose(session, args)
    start, end = days(args, clock().astimezone(UTC).date())
    seen = sys.stderr.isatty()
    try:
        found = await Reports(session, clock).usage(
            scope,
            start,
            end,
            _say_progress if seen else None,
            args.refresh,
            key_models=args.json or args.by == "key",
        )
    finally:
        if seen:
            sys.stderr.write("\r\x1b[K")
    say_all(found.notes)
    if args.json:
        print_json(found.to_json())
        return 0
    whose = {"user": scope.id, "team": scope.label, "key": scope.label}.get(scope.kind, "everyone")
    say(f"Usage of {whose}, {start} to {end} (UTC days), as of {found.as_of:%H:%M:%S}", name=False)
    columns, rows = _by_key(found, session) if args.by == "key" else _by_day_or_model(found, args.by)
    print_table(columns, rows)
    return 0


def days(args: argparse.Namespace, today: date) -> tuple[date, date]:
    """First and last UTC day that `args` ask for, both included (S20)."""
    if args.since:
        return args.since, args.until or today
    if args.period == "12m":
        return twelve_months(today)
    if args.period == "mtd":
        return month_to_date(today)
    return last_days(PERIODS[args.period or "30d"], today)


def _say_progress(done: int, total: int) -> None:
    if total > 2:
        sys.stderr.write(f"\r\x1b[Kreading usage: {done} of {total} months")
        sys.stderr.flush()


async def choose(session: Session, args: argparse.Namespace) -> Scope:
    """Whose usage `args` ask for. Raises `Refused` where this key may not see it (S44) or there is no such team."""
    rights = session.rights
    found: Scope | None = None
    if args.all:
        if why := rights.why_not(Action.SEE_EVERYONE):
            raise Refused(why)
        found = Scope("everyone", "", "everyone")
    elif args.team and rights.why_not(Action.SEE_USAGE) is None:
        team = await _team(session, args.team)
        found = Scope("team", team.team_id, f"team {team.label}")
    elif not args.team:
        found = next(iter(scopes(session)), None)
    if why := refused(session, found):
        raise Refused(why)
    assert found is not None
    return found


async def _team(session: Session, name: str) -> Team:
    teams = list(session.teams)
    # those of the user at hand are not all that an admin may see
    if session.rights.sees_all and session.user_id and not any(name in (team.team_id, team.alias) for team in teams):
        teams = await list_teams(session.client, None)
    named = [team for team in teams if team.team_id == name] or [team for team in teams if team.alias == name]
    if len(named) > 1:
        raise Refused(f"{len(named)} teams are called {name}; take an id: {', '.join(team.team_id for team in named)}.")
    if not named:
        known = ", ".join(team.label for team in teams[:20]) or "none"
        raise Refused(f"There is no team {name} that this key may see. There are: {known}.")
    return named[0]


def _by_day_or_model(found: Usage, by: str) -> tuple[list[Column], list[list[str | Cell]]]:
    rows = (
        [(row.date.isoformat(), row.metrics) for row in found.daily]
        if by == "day"
        else [(row.model, row.metrics) for row in found.by_model]
    )
    lines: list[list[str | Cell]] = [[name, *_sums(metrics, found.totals)] for name, metrics in rows]
    total: list[str | Cell] = [Cell("Total", "head"), *_sums(found.totals, found.totals)]
    return [Column(by.capitalize(), least=28 if by == "model" else 0), *SUMS], [*lines, total]


def _by_key(found: Usage, session: Session) -> tuple[list[Column], list[list[str | Cell]]]:
    labels = {team.team_id: team.label for team in session.teams}
    lines: list[list[str | Cell]] = [
        [
            row.label,
            row.hash[:8],
            *_sums(row.metrics, found.totals),
            models_summary(row.models) if row.models else "",
            labels.get(row.team_id, row.team_id) if row.team_id else "",
        ]
        for row in found.by_key
    ]
    total: list[str | Cell] = [Cell("Total", "head"), "", *_sums(found.totals, found.totals), "", ""]
    columns = [
        Column("Key", least=18),
        Column("Hash", drop=4),
        *SUMS,
        Column("Models", least=16, drop=9),
        Column("Team", least=10, drop=10),
    ]
    return columns, [*lines, total]


def _sums(metrics: Metrics, totals: Metrics) -> list[str | Cell]:
    return [
        money(metrics.spend),
        percent(metrics.spend / totals.spend) if totals.spend else "",
        count(metrics.api_requests),
        Cell(count(metrics.failed_requests), "warn" if metrics.failed_requests else ""),
        count(metrics.total_tokens),
        count(metrics.prompt_tokens),
        count(metrics.completion_tokens),
        count(metrics.cache_read_input_tokens),
        count(metrics.cache_creation_input_tokens),
    ]
