"""The commands for scripts: data on stdout, everything else on stderr. Only `rotate` and `rotations` change anything;
none imports Textual, but for doctor where the configuration names keys or a theme."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import httpx

from tui.config import Config, Settings
from tui.credentials import AskKey, CredentialError, HeldKey, ask_key
from tui.gateway.clock import utc_now
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import printable, redact
from tui.lookups import look_up_in_daemons
from tui.startup import Session, demo, explain, start

Clock = Callable[[], datetime]


class Refused(Exception):
    """What was asked for is not to be had with this key, or is not there; `str()` says why. Exit code 1."""


def run_command(args: argparse.Namespace, settings: Settings, config: Config | None = None) -> int:
    """Run one command on the gateway of `settings`; the exit code: 0 done, 1 failed."""
    transport, clock = None, utc_now
    if settings.demo:
        settings, transport, clock = demo(settings)
        say("DEMO: made-up data")
    for line in settings.ignored:
        say(line)
    asked = isinstance(settings.credential, AskKey)
    try:
        if asked:
            settings = replace(settings, credential=HeldKey(ask_key(settings.host)))
        return asyncio.run(_started(args, settings, transport, clock, config))
    except Refused as error:
        say(str(error))
    except CredentialError as error:
        if asked:
            say(str(error))
        else:
            _say_why(error, settings)
    except GatewayError as error:
        _say_why(error, settings)
    return 1


async def _started(
    args: argparse.Namespace,
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Clock,
    config: Config | None,
) -> int:
    look_up_in_daemons(asyncio.get_running_loop())
    return await run(args, settings, transport, clock, config)


async def run(
    args: argparse.Namespace,
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Clock,
    config: Config | None = None,
) -> int:
    """The command itself. Raises `Refused`, `CredentialError`, or one of `GatewayError`'s kinds."""
    if args.command == "doctor" and args.report:
        from tui.commands.doctor_report import report

        text, code = await report(settings, transport)
        print(text, end="")
        return code
    if args.command == "doctor":
        from tui.commands.doctor import doctor

        return await doctor(settings, transport, config, as_json=args.json)
    session = await start(settings, transport=transport, look=True)
    clock = session.by_gateway(clock)
    async with session.client:
        _check_user(args, session)
        say_all(warning for warning in session.warnings if warning not in settings.ignored)
        if args.command == "rotations":
            from tui.commands.rotations import rotations

            return await rotations(session, clock, args)
        if args.command == "keys" and args.what == "rotate":
            from tui.commands.rotate import rotate

            return await rotate(session, clock, args)
        if args.command == "keys":
            from tui.commands.keys import list_keys

            return await list_keys(session, clock, as_json=args.json)
        if args.command == "models":
            from tui.commands.models import list_models

            return await list_models(session, clock, as_json=args.json)
        from tui.commands.usage import show_usage

        return await show_usage(session, clock, args)


def _check_user(args: argparse.Namespace, session: Session) -> None:
    """Whoever names a user on the command line gets that user's data, or none at all (S44)."""
    wanted = session.settings.user
    if args.user is not None and not session.rights.sees_all and wanted != session.caller.user_id:
        who = session.caller.user_id
        whose = f"this is a key of {who}" if who else "this key names no user"
        raise Refused(f"Only an admin sees what belongs to {wanted}; {whose}.")
    if wanted and session.user_id == wanted and session.user is None and session.rights.sees_all:
        say(f"The gateway has no user {wanted}.")


def _say_why(error: GatewayError | CredentialError, settings: Settings) -> None:
    trouble = explain(error, settings)
    say_all([f"{trouble.title}: {trouble.sentence}", *trouble.advice])


def say(line: str, *, name: bool = True) -> None:
    """A line for the person, on stderr: printable and redacted (S3), the program's name in front."""
    print(f"{'litellm-tui: ' if name else ''}{redact(printable(line))}", file=sys.stderr)


def say_all(lines: Iterable[str]) -> None:
    """Several lines for the person."""
    for line in lines:
        say(line)
