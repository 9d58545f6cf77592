"""`litellm-tui usage`."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

from tui import export, savings
from tui.commands import Clock, Refused, say, say_all
from tui.commands.output import Cell, Column, print_table
from tui.files import FileError, FileThereError
from tui.formatting import count, models_summary, money, percent
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.models import list_models
from tui.gateway.schema import Team
from tui.gateway.teams import list_teams
from tui.gateway.usage import KeyUsage, Metrics, ModelUsage, Usage, last_days, month_to_date, previous, twelve_months
from tui.reports import Reports, Scope, refused, scopes
from tui.startup import Session

PERIODS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
SUMS = (
    Column("Spend", right=True),
    Column("Share", right=True, drop=3),
    Column("Requests", right=True),
    Column("Failed", right=True, drop=2),
    Column("Tokens", right=True),
    Column("$/1k req", right=True, drop=6),
    Column("$/M tokens", right=True, drop=5),
    Column("Prompt", right=True, drop=7),
    Column("Completion", right=True, drop=8),
    Column("Cache read", right=True, drop=9),
    Column("Cache write", right=True, drop=10),
)
COMPARED_DAYS = 31
"""Longest range that is compared with the days before where that costs as much as the range itself."""
CHART_LINES = 10
LEAST_CHART_LINES = 6
OTHER_LINES = 6
"""On screen beside the chart and the rows: the command, two lines of words, a blank, the titles, the prompt."""
MOST_CHANGE = 9.995
"""A change of more than this part is not said in per cent."""


async def show_usage(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    """Read the range and print or write it; what the release cannot tell goes to stderr."""
    overwrite = _may_write(args)
    start, end = days(args, clock().astimezone(UTC).date())
    reports = Reports(session, clock)
    scope = await _narrowed(reports, await choose(session, args), start, end, args)
    found = await _read(reports, scope, start, end, args, key_models=args.json or args.by == "key")
    say_all(found.notes)
    if args.json or args.csv:
        if args.json:
            text = export.json_text(found)
        else:
            text = export.csv_text(*export.table(found, args.by, await _providers(session, found)))
        _put(text, args, overwrite)
        return 0
    terminal = _is_terminal()
    before = await _before(reports, session, scope, start, end) if terminal and sys.stderr.isatty() else None
    say(f"Usage of {_whose(scope)}, {start} to {end} (UTC days), as of {found.as_of:%H:%M:%S}", name=False)
    if before is not None:
        say(compared(found.totals.spend, before.spend, (end - start).days + 1), name=False)
    if args.by == "key":
        columns, rows = _by_key(found, session)
    else:
        columns, rows = _by_name(found, args.by, await _providers(session, found) if args.by == "provider" else {})
    # a single day would be a single bar
    if args.chart != "none" and (args.chart or (terminal and start < end)):
        _print_chart(found, args.chart or "spend", terminal, len(rows))
    print_table(columns, rows)
    return 0


async def _read(
    reports: Reports, scope: Scope, start: date, end: date, args: argparse.Namespace, *, key_models: bool
) -> Usage:
    seen = sys.stderr.isatty()
    try:
        return await reports.usage(
            scope, start, end, _say_progress if seen else None, args.refresh, key_models=key_models
        )
    finally:
        if seen:
            sys.stderr.write("\r\x1b[K")


async def _narrowed(reports: Reports, scope: Scope, start: date, end: date, args: argparse.Namespace) -> Scope:
    """`scope` narrowed to the key and the model of `args`, by what was used in these days: also what is deleted."""
    if args.key is None and args.model is None:
        return scope
    found = await _read(reports, scope, start, end, args, key_models=False)
    names = [_whose(scope)]
    if args.key is not None:
        key = _key(args.key, found)
        scope, names = replace(scope, key=key.hash), [*names, f"key {key.label}"]
    if args.model is not None:
        model = _model(args.model, found)
        scope, names = replace(scope, models=tuple(model.names)), [*names, f"model {model.model}"]
    return replace(scope, label=", ".join(names))


def _key(name: str, found: Usage) -> KeyUsage:
    used = [row for row in found.by_key if row.hash]
    meant = [row for row in used if row.alias == name] or [
        row for row in used if len(name) >= 8 and row.hash.startswith(name)
    ]
    if len(meant) > 1:
        each = ", ".join(f"{row.hash[:16]} ({money(row.metrics.spend)})" for row in meant[:10])
        raise Refused(f"{name} means {len(meant)} keys that were used in these days; take a hash: {each}.")
    if not meant:
        raise Refused(f"No key {name} was used in these days; {_known([row.label for row in used])}.")
    return meant[0]


def _model(name: str, found: Usage) -> ModelUsage:
    used = [row for row in found.by_model if row.names]
    meant = [row for row in used if name in (row.model, *row.names)] or [
        row for row in used if name == row.model.partition("/")[2]
    ]
    if len(meant) > 1:
        raise Refused(f"{name} means {len(meant)} models; {_known([row.model for row in meant])}.")
    if not meant:
        raise Refused(f"No model {name} was used in these days; {_known([row.model for row in used])}.")
    return meant[0]


def _known(names: list[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"there are: {', '.join(names[:20])}{more}" if names else "nothing was"


async def _providers(session: Session, found: Usage) -> Mapping[str, str | None]:
    """The provider of each model where it is known; without the list of models, what the names say."""
    try:
        models = await list_models(session.client, details=session.rights.why_not(Action.MODEL_DETAILS) is None)
    except GatewayError:
        models = []
    return savings.providers(found, models)


def _may_write(args: argparse.Namespace) -> bool:
    """Whether the output may be written over a file. Raises `Refused` where it cannot be written at all.

    Asked before the gateway is: a year takes a while.
    """
    if args.output is None:
        return False
    try:
        export.check(Path(args.output), overwrite=args.force)
    except FileThereError as error:
        from tui.commands.rotate import ask, can_ask

        if not can_ask():
            raise Refused(f"{error} --force writes over it.") from None
        if not ask(f"{error} Write over it?"):
            raise Refused("Nothing was written.") from None
        return True
    except FileError as error:
        raise Refused(str(error)) from None
    return bool(args.force)


def _put(text: str, args: argparse.Namespace, overwrite: bool) -> None:
    if args.output is None:
        # bytes: the encoding and the line ends are those of the format, not of the terminal
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        path = export.write(Path(args.output), text, overwrite=overwrite)
    except FileThereError as error:
        raise Refused(f"{error} --force writes over it.") from None
    except FileError as error:
        raise Refused(str(error)) from None
    say(f"Written: {path}, which only you can read (0600).", name=False)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _whose(scope: Scope) -> str:
    if scope.key or scope.models or scope.kind in ("team", "key"):
        return scope.label
    return scope.id or "everyone"


async def _before(reports: Reports, session: Session, scope: Scope, start: date, end: date) -> Metrics | None:
    """The sums of the days before, as many; None where they are not to be had, or not for a small call."""
    if (end - start).days >= COMPARED_DAYS and not session.server.at_least(1, 105):
        return None
    try:
        return await reports.totals(scope, *previous(start, end))
    except GatewayError:
        # the range itself is what was asked for
        return None


def compared(now: float, before: float, days: int) -> str:
    """`Spend $41.20, ▲12 % on the 30 days before ($36.79)`."""
    then = "the day before" if days == 1 else f"the {days} days before"
    if not before:
        return f"Spend {money(now)}, nothing on {then}"
    part = now / before - 1
    if abs(part) < 0.005:
        return f"Spend {money(now)}, as on {then} ({money(before)})"
    up, down = ("+", "-") if _is_ascii(sys.stderr.encoding) else ("▲", "▼")
    change = (
        f"{now / before:,.0f} times" if part > MOST_CHANGE else f"{up if part > 0 else down}{percent(abs(part))} on"
    )
    return f"Spend {money(now)}, {change} {then} ({money(before)})"


def _is_ascii(encoding: str | None) -> bool:
    from tui.terminal import seen

    return not (encoding or "utf-8").lower().startswith("utf") or seen(os.environ).ascii


def _print_chart(found: Usage, kind: str, terminal: bool, rows: int) -> None:
    """The chart of these days, as wide as the terminal and so low that `rows` have room; nothing without data."""
    if not (found.totals.api_requests if kind == "requests" else found.totals.spend > 0):
        return
    # drawing takes a tenth of a second to import
    from rich.console import Console

    from tui.charts import Series, bars_with_failures, stacked_bars
    from tui.spans import model_sums, spans, summed, unit_for
    from tui.terminal import seen

    size = shutil.get_terminal_size()
    unit = unit_for(found.start, found.end)
    bars = spans(found.start, found.end, unit)
    labels = [bar.label for bar in bars]
    colour = terminal and os.name != "nt" and seen(os.environ).colour
    ascii = _is_ascii(sys.stdout.encoding)
    height = max(LEAST_CHART_LINES, min(CHART_LINES, size.lines - rows - OTHER_LINES))
    title = f"{'Requests' if kind == 'requests' else 'Spend'} a {unit}"
    if kind == "requests":
        sums = summed(found.daily, bars)
        failed = [float(each.failed_requests) for each in sums]
        good = [float(each.api_requests - each.failed_requests) for each in sums]
        chart = bars_with_failures(
            labels, good, failed, width=size.columns, height=height, colour=colour, ascii=ascii, title=title
        )
    else:
        series = [Series(model, [each.spend for each in sums]) for model, sums in model_sums(found, bars).items()]
        chart = stacked_bars(labels, series, width=size.columns, height=height, colour=colour, ascii=ascii, title=title)
    console = Console(
        file=sys.stdout, width=size.columns, color_system="standard" if colour else None, force_terminal=colour
    )
    console.print(chart, markup=False, highlight=False, emoji=False, end="\n\n")


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


def _by_name(found: Usage, by: str, providers: Mapping[str, str | None]) -> tuple[list[Column], list[list[str | Cell]]]:
    if by == "day":
        rows = [(row.date.isoformat(), row.metrics) for row in found.daily]
    elif by == "provider":
        rows = [(each.label, each.metrics) for each in savings.by_provider(found, providers)]
    else:
        rows = [(row.model, row.metrics) for row in found.by_model]
    lines: list[list[str | Cell]] = [[name, *_sums(metrics, found.totals)] for name, metrics in rows]
    total: list[str | Cell] = [Cell("Total", "head"), *_sums(found.totals, found.totals)]
    return [Column(by.capitalize(), least=0 if by == "day" else 28), *SUMS], [*lines, total]


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
        Column("Models", least=16, drop=11),
        Column("Team", least=10, drop=12),
    ]
    return columns, [*lines, total]


def _sums(metrics: Metrics, totals: Metrics) -> list[str | Cell]:
    return [
        money(metrics.spend),
        percent(metrics.spend / totals.spend) if totals.spend else "",
        count(metrics.api_requests),
        Cell(count(metrics.failed_requests), "warn" if metrics.failed_requests else ""),
        count(metrics.total_tokens),
        money(metrics.per_thousand_requests) if metrics.api_requests else "",
        money(metrics.per_million_tokens) if metrics.total_tokens else "",
        count(metrics.prompt_tokens),
        count(metrics.completion_tokens),
        count(metrics.cache_read_input_tokens),
        count(metrics.cache_creation_input_tokens),
    ]
