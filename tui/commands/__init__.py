"""The commands for scripts: data on stdout, everything else on stderr; Textual is never imported."""

import argparse
import asyncio
import os
import sys
import traceback
from dataclasses import replace

from tui.config import Settings
from tui.credentials import AskKey, CredentialError, HeldKey, ask_key
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import redact


class Wrong(Exception):
    """The command was asked for something that it cannot mean; exit code 2."""


def run_command(args: argparse.Namespace, settings: Settings) -> int:
    """Run one command; the exit code: 0 done, 1 failed, 2 wrong usage."""
    from tui.startup import explain

    try:
        if isinstance(settings.credential, AskKey):
            settings = replace(settings, credential=HeldKey(ask_key(settings.host)))
        return asyncio.run(_run(args, settings))
    except Wrong as error:
        say(str(error))
        return 2
    except (GatewayError, CredentialError) as error:
        trouble = explain(error, settings)
        say(f"{trouble.title}: {trouble.sentence}")
        for line in trouble.advice:
            say(line)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get("LITELLM_TUI_DEBUG"):
            print(redact("".join(traceback.format_exception(error))), file=sys.stderr)
        say(f"stopped by an error of its own ({type(error).__name__}: {error}). LITELLM_TUI_DEBUG=1 shows more.")
        return 1


async def _run(args: argparse.Namespace, settings: Settings) -> int:
    from tui.startup import demo, start

    transport = None
    if settings.demo:
        settings, transport, _ = demo(settings)
        say("DEMO: made-up data")
    if args.command == "doctor":
        from tui.commands.doctor import doctor

        return await doctor(settings, transport, as_json=args.json)
    session = await start(settings, transport=transport)
    async with session.client:
        for warning in session.warnings:
            say(warning)
        if args.command == "keys":
            from tui.commands.keys import list_keys

            return await list_keys(session, as_json=args.json)
        if args.command == "models":
            from tui.commands.models import list_models

            return await list_models(session, as_json=args.json)
        from tui.commands.usage import show_usage

        return await show_usage(session, args)


def say(line: str) -> None:
    """A line for the person, on stderr, redacted (S3)."""
    print(f"litellm-tui: {redact(line)}", file=sys.stderr)
