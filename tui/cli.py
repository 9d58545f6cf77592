"""The command line: the only module that starts anything. It imports what a command needs, when it needs it."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui import __version__

COMMANDS = ("doctor", "keys list", "models list", "usage")
"""The subcommands that work without a terminal."""
EXAMPLES = """\
examples:
  litellm-tui                          open the app on the default profile
  litellm-tui --demo                   open it with made-up data, no gateway needed
  litellm-tui doctor                   what it connects to, as whom, and what that key may do
  litellm-tui keys list --json         your virtual keys for a program
  litellm-tui usage --period 90d --by model

The key never goes on the command line. It comes from the profile (a file, a command, the keyring, a variable),
from LITELLM_TUI_API_KEY, LITELLM_PROXY_API_KEY, LITELLM_API_KEY or LITELLM_MASTER_KEY, or is asked for.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `argv` (default: the process's); the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        return _main(_parser().parse_args(argv))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader has gone; Python would complain about it once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(args: argparse.Namespace) -> int:
    if args.command is None and not _is_terminal():
        print(
            f"litellm-tui: the app needs a terminal. Without one, these work: {', '.join(COMMANDS)}; see --help.",
            file=sys.stderr,
        )
        return 2
    from tui.config import Config, ConfigError, Flags, load, resolve
    from tui.files import FileError

    flags = Flags(
        profile=args.profile,
        url=args.url,
        user=args.user,
        read_only=args.read_only,
        config=args.config,
        demo=args.demo,
    )
    try:
        config: Config = load(args.config, os.environ)
        settings = resolve(config, flags, os.environ)
    except (ConfigError, FileError) as error:
        for line in str(error).splitlines():
            print(f"litellm-tui: {line}", file=sys.stderr)
        return 2
    if args.command is None:
        from tui.app import run

        return run(settings, config, flags)
    if settings is None:
        print(
            "litellm-tui: no gateway is configured. Run litellm-tui in a terminal to set one up, name one with --url, "
            "or try --demo.",
            file=sys.stderr,
        )
        return 2
    from tui.commands import run_command

    return run_command(args, settings)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _parser() -> argparse.ArgumentParser:
    shared = _shared(argparse.SUPPRESS)
    parser = argparse.ArgumentParser(
        prog="litellm-tui",
        description="Run your LiteLLM gateway from the terminal: virtual keys, models, usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared(None)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"litellm-tui {__version__}")
    commands: Any = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands for scripts")

    def add(to: Any, name: str, words: str, *, json: bool = True) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(
            name, help=words, description=words, parents=[shared], allow_abbrev=False
        )
        if json:
            made.add_argument("--json", action="store_true", help="print JSON for programs")
        return made

    add(commands, "doctor", "say what it connects to, as whom, and what that key may do")
    keys = add(commands, "keys", "virtual keys", json=False)
    add(keys.add_subparsers(dest="what", required=True, metavar="COMMAND"), "list", "list virtual keys")
    models = add(commands, "models", "model groups", json=False)
    add(
        models.add_subparsers(dest="what", required=True, metavar="COMMAND"),
        "list",
        "list the models this key may call",
    )
    usage = add(commands, "usage", "spend, tokens and requests over UTC days, both ends included")
    usage.add_argument("--period", choices=("today", "7d", "30d", "90d"), help="days up to today (default: 30d)")
    usage.add_argument("--since", metavar="YYYY-MM-DD", help="first UTC day")
    usage.add_argument("--until", metavar="YYYY-MM-DD", help="last UTC day (default: today)")
    whose = usage.add_mutually_exclusive_group()
    whose.add_argument("--team", metavar="TEAM", help="a team's usage, by id or alias")
    whose.add_argument("--all", action="store_true", help="everyone's usage (admins)")
    usage.add_argument("--by", choices=("day", "model", "key"), default="model", help="which table (default: model)")
    return parser


def _shared(missing: str | None) -> argparse.ArgumentParser:
    """The flags that may stand before and after a command; after it they must not undo what stood before."""

    def default(value: object) -> Any:
        return missing if missing is not None else value

    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--profile", metavar="NAME", default=default(None), help="the profile to use")
    flags.add_argument("--url", metavar="URL", default=default(None), help="the gateway's base URL")
    flags.add_argument("--user", metavar="USER", default=default(None), help="whose keys and usage, with an admin key")
    flags.add_argument("--read-only", action="store_true", default=default(False), help="let no writing call out")
    flags.add_argument("--demo", action="store_true", default=default(False), help="an embedded gateway, made-up data")
    flags.add_argument("--config", metavar="FILE", type=Path, default=default(None), help="another configuration file")
    return flags
