"""`litellm-tui usage`."""

import argparse
from datetime import date

from tui.commands import Wrong, say
from tui.commands.output import Field, print_json, print_table
from tui.formatting import count, money, percent
from tui.gateway.capabilities import Action
from tui.gateway.errors import Forbidden
from tui.gateway.usage import Metrics, Usage, last_days, team_usage, usage, utc_today
from tui.startup import Session

PERIODS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}


async def show_usage(session: Session, args: argparse.Namespace) -> int:
    """Read the range and print it; what the release cannot tell goes to stderr."""
    start, end = _range(args)
    found = await _read(session, args, start, end)
    for note in found.notes:
        say(note)
    if args.json:
        print_json(found.to_json())
        return 0
    totals = found.totals
    say(f"{_whose(session, args)}, {start} to {end} (UTC days), as of {found.as_of:%H:%M:%S} UTC")
    if args.by == "day":
        rows = [(row.date.isoformat(), row.metrics) for row in found.daily]
    elif args.by == "key":
        rows = [(row.label, row.metrics) for row in found.by_key]
    else:
        rows = [(row.model, row.metrics) for row in found.by_model]
    fields = (
        Field(args.by.capitalize(), shrink=True),
        Field("Spend", right=True),
        Field("Share", right=True),
        Field("Requests", right=True),
        Field("Failed", right=True),
        Field("Tokens", right=True),
    )
    lines = [_line(name, metrics, totals) for name, metrics in rows]
    print_table(fields, [*lines, _line("Total", totals, totals)])
    return 0


def _line(name: str, metrics: Metrics, totals: Metrics) -> list[str]:
    return [
        name,
        money(metrics.spend),
        percent(metrics.spend / totals.spend) if totals.spend else "",
        count(metrics.api_requests),
        count(metrics.failed_requests),
        count(metrics.total_tokens),
    ]


def _range(args: argparse.Namespace) -> tuple[date, date]:
    today = utc_today()
    if args.since is None and args.until is None:
        return last_days(PERIODS[args.period or "30d"], today)
    if args.period:
        raise Wrong("give either --period or --since and --until")
    if args.since is None:
        raise Wrong("--until needs --since")
    start, end = _day("--since", args.since), _day("--until", args.until) if args.until else today
    if start > end:
        raise Wrong(f"--since {start} is after --until {end}")
    if (end - start).days > 3660:
        raise Wrong("that is more than ten years")
    return start, end


def _day(flag: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong(f"{flag} takes a day such as 2026-11-01, not {text!r}") from None


async def _read(session: Session, args: argparse.Namespace, start: date, end: date) -> Usage:
    rights = session.rights
    if why := rights.why_not(Action.SEE_USAGE):
        raise Forbidden(why)
    if args.team:
        return await team_usage(session.client, _team(session, args.team), start, end)
    if args.all:
        if why := rights.why_not(Action.SEE_EVERYONE):
            raise Forbidden(why)
        return await usage(session.client, start, end, None, admin=rights.sees_all)
    return await usage(session.client, start, end, session.user_id, admin=rights.sees_all)


def _team(session: Session, name: str) -> str:
    for team in session.teams:
        if name in (team.team_id, team.alias):
            return team.team_id
    if session.rights.sees_all:
        return name
    known = ", ".join(team.label for team in session.teams) or "none"
    raise Wrong(f"there is no team {name!r} among yours ({known})")


def _whose(session: Session, args: argparse.Namespace) -> str:
    if args.team:
        return f"usage of the team {args.team}"
    return "usage of everyone" if args.all or session.everyone else f"usage of {session.about}"
