"""The command line: the only module that starts anything. It imports what a command needs, when it needs it."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys

from tui import __version__
from tui.complaints import guard

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is a seventh of the time that --help takes
    from collections.abc import Sequence
    from datetime import date
    from typing import Any, NoReturn

COMMANDS = ("doctor", "keys list", "keys rotate", "rotations", "models list", "usage")
"""The subcommands that work without a terminal."""
EXAMPLES = """\
examples:
  litellm-tui                          open the app on the default profile
  litellm-tui --demo                   open it with made-up data, no gateway needed
  litellm-tui doctor                   what it connects to, as whom, and what that key may do
  litellm-tui keys list --json         your virtual keys for a program
  litellm-tui usage --period 90d --by key
  litellm-tui keys rotate laptop --env-file .env --var OPENAI_API_KEY

The key never goes on the command line. It comes from the profile (a variable, a command, a file, the keyring),
from LITELLM_TUI_API_KEY, LITELLM_PROXY_API_KEY, LITELLM_API_KEY or LITELLM_MASTER_KEY, or is asked for.
Data goes to standard output, everything else to standard error. Exit: 0 done, 1 failed, 2 wrong usage.
"""
USAGE_EXAMPLES = """\
examples:
  litellm-tui usage                                  the last 30 days, by model
  litellm-tui usage --period today --by key
  litellm-tui usage --since 2026-11-01 --all --by day
  litellm-tui usage --period 90d --user ada --json   every view at once, for a program
  litellm-tui usage --by key --csv --output my.csv   for a spreadsheet

A day is a UTC day. 7d is today and the six days before it.
"""
ROTATE_EXAMPLES = """\
examples:
  litellm-tui keys rotate laptop --env-file .env --var OPENAI_API_KEY
  litellm-tui keys rotate ci --expires 90d --grace 7d --out ci.key --yes
  litellm-tui keys rotate ci --grace 0 --stdout --yes | vault kv put secret/ci key=-
  litellm-tui keys rotate --all-expiring 14d --expires 90d --env-dir /etc/llm --yes     for cron

A new key takes over owner, team, models, limits, budget and spend; it is tried, and its secret is put where you say.
Only then is the old one retired: it ends by itself after the grace, and the new one takes its name. Whatever breaks
off in between leaves the old key working; litellm-tui rotations lists what was not finished.
With --env-dir each key has its own file, such as laptop.env with LAPTOP_KEY in it.
"""
ROTATIONS_EXAMPLES = """\
examples:
  litellm-tui rotations                              what was begun and not finished, and what is due
  litellm-tui rotations finish laptop --env-file .env --var OPENAI_API_KEY
  litellm-tui rotations finish laptop --secret-is-safe --grace 24h --yes
  litellm-tui rotations undo laptop

A key is due where its metadata hold a rotation_interval, such as 90d, that has passed.
"""


NO_KEY_HERE = (
    "no option takes a key: everybody on this machine can read a command's arguments, and the shell keeps them. If it "
    "was a real one, rotate it. Set LITELLM_TUI_API_KEY, or say in the profile where the key is"
)
_KEY_OPTION = re.compile(r"--(?:api|master|virtual)?[-_]?(?:key|token|secret|password|bearer)(?![-\w])")
_KEY_ITSELF = re.compile(r"(?i)(?:(?:^|[=:?&])\s*sk-[a-z0-9_-]{16,}\s*$|\bbearer\s+\S{8,})")


class Parser(argparse.ArgumentParser):
    """argparse, whose messages repeat no key that somebody typed after a flag (S3)."""

    def error(self, message: str) -> NoReturn:
        """Usage and one line on stderr; exit 2."""
        from tui.gateway.redaction import printable, redact

        start, found, words = message.partition("unrecognized arguments: ")
        if found and not start:
            message = found + _without_values(words.split())
            if _KEY_OPTION.search(message):
                message += f"; {NO_KEY_HERE}"
        elif message.startswith("argument COMMAND:"):
            # after an unknown flag, its value is taken for the command
            message = re.sub(r"invalid choice: ('.*?'|\".*?\")(?=,| \()", "no such command", message)
        super().error(redact(printable(message)))


def _without_values(words: list[str]) -> str:
    kept: list[str] = []
    after_flag = False
    for word in words:
        flag = word.startswith("-")
        if flag or not after_flag:
            kept.append(word.partition("=")[0])
        after_flag = flag
    return " ".join(kept)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `argv` (default: the process's); the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Raises `SystemExit` as argparse does, for `--help` (0) and for arguments that it refuses (2); nothing else.
    """
    # closed by the caller; print would take the other one instead
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    guard()
    # Textual, once imported, would write every key that is typed where they say: a pasted secret in the clear (S3)
    for name in ("TEXTUAL", "TEXTUAL_LOG"):
        os.environ.pop(name, None)
    try:
        try:
            parser = _parser()
            _refuse_keys(parser, sys.argv[1:] if argv is None else argv)
            code = _main(parser.parse_args(argv))
        finally:
            gc.enable()
            # here and not at exit, where Python would complain about a reader that has gone
            sys.stdout.flush()
            sys.stderr.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()
        return 0
    except Exception as error:
        _own_error(error)
        _drop_output()
        return 1
    return code


def _main(args: argparse.Namespace) -> int:
    if args.command is None and not _is_terminal():
        print(
            f"litellm-tui: the app needs a terminal. Without one, these work: {', '.join(COMMANDS)}; see --help.",
            file=sys.stderr,
        )
        return 2
    if args.command == "usage":
        _check_usage(args)
    if args.command == "rotations" or (args.command == "keys" and args.what == "rotate"):
        from tui.commands.rotate import check_arguments

        check_arguments(args)
    # nothing that an import makes is garbage, and looking for some takes a tenth of a start; `launch` begins again
    gc.disable()
    from pathlib import Path

    from tui.config import ConfigError, Flags, load, resolve

    flags = Flags(
        profile=args.profile,
        url=args.url,
        user=args.user,
        read_only=args.read_only,
        config=Path(args.config) if args.config else None,
        demo=args.demo,
    )
    try:
        config = load(flags.config, os.environ)
        settings = resolve(config, flags, os.environ)
    except ConfigError as error:
        for line in str(error).splitlines():
            print(f"litellm-tui: {line}", file=sys.stderr)
        return 2
    if args.command is None:
        from tui.terminal import prepare, seen

        terminal = seen(os.environ, ascii=args.ascii, mouse=not args.no_mouse)
        prepare(os.environ, terminal)
        from tui.launch import run

        return run(settings, config, flags, terminal)
    if settings is None:
        print(
            "litellm-tui: no gateway is configured. Run litellm-tui in a terminal to set one up, name one with --url, "
            "or try --demo.",
            file=sys.stderr,
        )
        return 2
    from tui.commands import run_command

    # a year of usage makes garbage enough; what was imported need not be looked through for it
    gc.freeze()
    gc.enable()
    return run_command(args, settings, config)


def _refuse_keys(parser: Parser, words: Sequence[str]) -> None:
    """No argument may hold a key, whatever option it stands behind (S3)."""
    options = (word for word in words if word.startswith("--"))
    # `usage --key` takes an alias
    if any(_KEY_OPTION.match(word) and not re.match("--key(=|$)", word) for word in options):
        parser.error(NO_KEY_HERE)
    if any(_KEY_ITSELF.search(word) for word in words):
        parser.error(f"one of the arguments looks like a secret; {NO_KEY_HERE}")


def _is_terminal() -> bool:
    streams = (sys.stdin, sys.stdout)
    return all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def _drop_output() -> None:
    """Nothing more goes to stdout: what is buffered there would be tried again, and complained about, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _own_error(error: Exception) -> None:
    """One line about a failure that nobody foresaw, redacted and without the values of variables (S3)."""
    from tui.gateway.redaction import redact, upstream

    if os.environ.get("LITELLM_TUI_DEBUG"):
        import traceback

        print(redact("".join(traceback.format_exception(error))), file=sys.stderr)
    print(
        f"litellm-tui: stopped by an error of its own ({type(error).__name__}: {upstream(str(error))}). "
        "LITELLM_TUI_DEBUG=1 shows where.",
        file=sys.stderr,
    )


def _check_usage(args: argparse.Namespace) -> None:
    """What argparse cannot check by itself; before anything is asked for."""
    wrong = args.parser.error
    if args.csv and args.json:
        wrong("argument --csv: not allowed with argument --json")
    if args.output is not None and not (args.csv or args.json):
        wrong("--output needs --csv or --json")
    if args.force and args.output is None:
        wrong("--force needs --output")
    if args.chart and (args.csv or args.json):
        wrong(f"a chart goes with the table, not with --{'csv' if args.csv else 'json'}")
    if args.user is not None and (args.team is not None or args.all):
        wrong(f"argument --user: not allowed with argument {'--all' if args.all else '--team'}")
    if args.period and (args.since or args.until):
        wrong("give either --period, or --since and --until")
    if args.until and not args.since:
        wrong("--until needs --since")
    if not args.since:
        return
    from tui.gateway.usage import utc_today

    until = args.until or utc_today()
    if args.since > until:
        wrong(f"--since {args.since} is after {f'--until {until}' if args.until else f'today, {until} in UTC'}")
    if (until - args.since).days > 3660:
        wrong("that is more than ten years")


def _day(text: str) -> date:
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes a day such as 2026-11-01, not {text!r}") from None


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    return text


def _key(text: str) -> str:
    if re.match(r"\s*sk-[A-Za-z0-9_-]{17}", text):
        raise argparse.ArgumentTypeError("takes an alias or a hash; this looks like a secret, and none is needed")
    return _name(text)


def _length(text: str) -> str:
    from tui.gateway.durations import is_duration

    if not is_duration(text):
        raise argparse.ArgumentTypeError(f"takes a time such as 90s, 12h, 30d or 6mo, not {text!r}")
    return text


def _grace(text: str) -> str:
    return text if text in ("0", "keep") else _length(text)


def _life(text: str) -> str:
    return text if text in ("same", "never") else _length(text)


def _format(prog: str) -> argparse.HelpFormatter:
    # with a width, argparse does without shutil and all the archive formats that shutil loads
    try:
        width = int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        try:
            width = os.get_terminal_size().columns or 80
        except OSError:
            width = 80
    return argparse.RawDescriptionHelpFormatter(prog, width=max(40, min(width, 120) - 2))


def _parser() -> Parser:
    shared = _shared(after=True)
    parser = Parser(
        prog="litellm-tui",
        description="Run your LiteLLM gateway from the terminal: virtual keys, models, usage.\n"
        "Without a command it opens the app.",
        epilog=EXAMPLES,
        formatter_class=_format,
        parents=[_shared(after=False)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"litellm-tui {__version__}")
    parser.add_argument("--ascii", action="store_true", help="draw the app in ASCII, as it does where LANG is C")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    commands: Any = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands for scripts")

    def add(to: Any, name: str, words: str, *, json: bool = True, epilog: str | None = None) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog=epilog,
            formatter_class=_format,
            parents=[shared],
            allow_abbrev=False,
        )
        made.set_defaults(parser=made)
        if json:
            made.add_argument("--json", action="store_true", help="print JSON for programs")
        return made

    def group(name: str, words: str) -> Any:
        return add(commands, name, words, json=False).add_subparsers(dest="what", required=True, metavar="COMMAND")

    doctor = add(commands, "doctor", "say what it connects to, as whom, and what that key may do", json=False)
    how = doctor.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON for programs")
    how.add_argument("--report", action="store_true", help="print facts for a bug report: no key and no name in it")
    keys = group("keys", "virtual keys: list, rotate")
    add(keys, "list", "list virtual keys with their spend, budget and end")
    _rotate_flags(add(keys, "rotate", "put a new key in an old one's place, without a gap", epilog=ROTATE_EXAMPLES))
    rotations = add(
        commands, "rotations", "list, finish or undo what keys rotate did not finish", epilog=ROTATIONS_EXAMPLES
    )
    ways = rotations.add_subparsers(dest="what", required=False, metavar="COMMAND")
    finish = add(ways, "finish", "bring an unfinished rotation to its end", json=False)
    undo = add(ways, "undo", "take an unfinished rotation back: the new key is deleted", json=False)
    for made in (finish, undo):
        made.add_argument("key", metavar="ALIAS|HASH", type=_key, help="the key that is rotated")
        made.add_argument("--yes", action="store_true", help="ask nothing")
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for programs")
    finish.add_argument("--secret-is-safe", action="store_true", help="somebody has the new secret: your word for it")
    finish.add_argument("--env-file", metavar="FILE", type=_name, help="or look here whether the secret is there")
    finish.add_argument("--var", metavar="NAME", type=_name, help="in this variable")
    finish.add_argument("--alias", metavar="NAME", type=_name, help="give the new key this name instead")
    fate = finish.add_mutually_exclusive_group()
    fate.add_argument("--delete-now", action="store_true", help="delete the old key, whatever was planned")
    fate.add_argument("--grace", metavar="TIME", type=_length, help="let the old key end after this time")
    add(group("models", "models: list"), "list", "list the models that this key may call, with their prices")
    usage = add(
        commands, "usage", "spend, tokens and requests over UTC days, both ends included", epilog=USAGE_EXAMPLES
    )
    usage.add_argument(
        "--period",
        choices=("today", "7d", "30d", "90d", "12m", "mtd"),
        help="days up to today (default: 30d); 12m: this month and eleven before, mtd: this month",
    )
    usage.add_argument("--since", metavar="DAY", type=_day, help="first day, such as 2026-11-01, instead of --period")
    usage.add_argument("--until", metavar="DAY", type=_day, help="last day (default: today)")
    whose = usage.add_mutually_exclusive_group()
    whose.add_argument("--team", metavar="TEAM", type=_name, help="a team's usage, by id or alias")
    whose.add_argument("--all", action="store_true", help="everyone's usage (admins)")
    usage.add_argument("--refresh", action="store_true", help="ask for months again that are kept from earlier")
    usage.add_argument("--key", metavar="ALIAS|HASH", type=_key, help="only this key's part")
    usage.add_argument("--model", metavar="MODEL", type=_name, help="only this model's part")
    usage.add_argument(
        "--by", choices=("day", "model", "key", "provider"), default="model", help="which table (default: model)"
    )
    usage.add_argument("--csv", action="store_true", help="print the table as CSV, with every digit")
    usage.add_argument("--output", metavar="FILE", type=_name, help="write --csv or --json to a new file (0600)")
    usage.add_argument("--force", action="store_true", help="write over a file that is there")
    chart = usage.add_mutually_exclusive_group()
    chart.add_argument("--chart", choices=("spend", "requests"), help="which chart (default on a terminal: spend)")
    chart.add_argument("--no-chart", dest="chart", action="store_const", const="none", help="the table alone")
    return parser


def _rotate_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("key", metavar="ALIAS|HASH", nargs="?", type=_key, help="the key to rotate")
    to.add_argument(
        "--all-expiring", metavar="TIME", type=_length, help="instead: every key that ends within this time"
    )
    to.add_argument(
        "--grace",
        metavar="TIME",
        type=_grace,
        default="24h",
        help="how long the old key goes on; 0 deletes it, keep leaves it (default: 24h)",
    )
    to.add_argument(
        "--expires",
        metavar="TIME",
        type=_life,
        default="same",
        help="how long the new key lives: a time, never, or same as the old one's end (default)",
    )
    to.add_argument("--env-file", metavar="FILE", type=_name, help="put the secret into this env file")
    to.add_argument("--var", metavar="NAME", type=_name, help="in this variable")
    to.add_argument("--out", metavar="FILE", type=_name, help="put the secret into this new file")
    to.add_argument("--stdout", action="store_true", help="print the secret, and nothing else, on standard output")
    to.add_argument("--env-dir", metavar="DIR", type=_name, help="with --all-expiring: an env file for each key in DIR")
    to.add_argument("--yes", action="store_true", help="ask nothing")


def _shared(*, after: bool) -> argparse.ArgumentParser:
    """The flags that may stand before and after a command; after it, a missing one must not undo what stood before."""
    text = argparse.SUPPRESS if after else None
    switch = argparse.SUPPRESS if after else False
    flags = Parser(add_help=False, allow_abbrev=False, formatter_class=_format)
    flags.add_argument("--profile", metavar="NAME", default=text, type=_name, help="the profile to use")
    flags.add_argument("--url", metavar="URL", default=text, type=_name, help="the gateway's base URL")
    flags.add_argument(
        "--user", metavar="USER", default=text, type=_name, help="whose keys and usage, with an admin's key"
    )
    flags.add_argument("--read-only", action="store_true", default=switch, help="let no writing call out")
    flags.add_argument("--demo", action="store_true", default=switch, help="an embedded gateway with made-up data")
    flags.add_argument("--config", metavar="FILE", default=text, type=_name, help="another configuration file")
    return flags
