"""`litellm-tui keys rotate`: a rotation by command, each step said on stderr; the secret goes where it was told to.

Nothing is made before the place of the secret was looked at, and nothing is retired before the secret is there. A
failure before that takes the new key back, as its secret is gone with the process; an interruption leaves both keys.
"""

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from tui import envfile
from tui.commands import Clock, Refused, say, say_all
from tui.commands.output import print_json
from tui.delivery import EnvFile, NewFile, Place, check, deliver, delivered, places_for
from tui.files import FileError
from tui.formatting import harmless
from tui.gateway import durations, keys, rotation
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import printable, redact
from tui.gateway.rotation import AliasTaken, AlreadyRotating, How, Plan, Successor, Unfinished
from tui.gateway.rotation_records import note_of, retired, unfinished
from tui.gateway.schema import Key
from tui.meant import word_for
from tui.startup import Session

KEEP = "keep"
"""As `--grace`: the old key stays, and the rotation stays listed."""
SHORTEST_PREFIX = 8
"""Characters of a hash that name a key, as `usage --by key` prints them."""
DONE, NOTHING, TAKEN_BACK = "done", "nothing made", "taken back"
"""Where a rotation may be that the records do not show as unfinished."""

Target = Place | None
"""Where a secret goes; None is standard output."""


# arguments


def check_arguments(args: argparse.Namespace) -> None:
    """What argparse cannot check by itself, before anything is asked for. Ends the process with 2 where it is wrong."""
    wrong = args.parser.error
    if args.command == "rotations":
        _check_finish(args)
        return
    if (args.var is None) is not (args.env_file is None) and not (args.all_expiring and args.env_file):
        wrong("--env-file and --var go together")
    if args.var is not None and not envfile.NAME.fullmatch(args.var):
        wrong("--var takes the name of a variable: letters, digits and _, not a digit first")
    if args.all_expiring:
        _check_all(args)
    elif args.key is None:
        wrong("which key? Give its alias or its hash, or --all-expiring")
    elif sum((args.env_file is not None, args.out is not None, args.stdout)) != 1 or args.env_dir:
        wrong("where does the new secret go? Give one of --env-file with --var, --out, --stdout")
    if args.stdout and args.json:
        wrong("--stdout prints the secret and nothing else, so it does not go with --json")
    if args.stdout and _leads_nowhere():
        wrong("standard output leads nowhere, and so would the secret")
    _check_yes(args)


def _check_all(args: argparse.Namespace) -> None:
    wrong = args.parser.error
    if args.key is not None:
        wrong("give either a key or --all-expiring")
    if args.var is not None or args.out is not None or args.stdout:
        wrong("--all-expiring takes --env-dir, or --env-file without --var")
    if (args.env_dir is None) is (args.env_file is None):
        wrong("where do the new secrets go? Give --env-dir, or --env-file without --var")
    within, life = durations.length(args.all_expiring), durations.length(args.expires)
    # at each run of cron they would be rotated once more
    if args.expires == "same" or (life is not None and within is not None and life <= within):
        wrong("--all-expiring needs --expires with a longer time, such as 90d, or never")


def _check_finish(args: argparse.Namespace) -> None:
    if args.what == "finish" and (args.var is None) is not (args.env_file is None):
        args.parser.error("--env-file and --var go together")
    if args.what is not None:
        _check_yes(args)


def _check_yes(args: argparse.Namespace) -> None:
    if not args.yes and not can_ask():
        args.parser.error("without a terminal to ask on, this needs --yes")


def _leads_nowhere() -> bool:
    try:
        there = os.fstat(sys.stdout.fileno())
        return stat.S_ISCHR(there.st_mode) and there.st_rdev == os.stat(os.devnull).st_rdev
    except (OSError, ValueError):
        return False


# asking


def can_ask() -> bool:
    """Whether there is a person to ask: the question goes to stderr, the answer comes from stdin."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(question: str) -> bool:
    """A question on stderr. Only y or yes is a yes; the end of the input is a no. Raises `KeyboardInterrupt`."""
    return _answer(f"{question} [y/N] ").lower() in ("y", "yes")


def meant(session: Session, question: str, word: str) -> bool:
    """As `ask`; where the profile says `confirm = "type"`, only `word` is a yes."""
    if session.settings.confirm != "type":
        return ask(question)
    return _answer(f"{question} Type {word} to go on: ") == word


def _answer(question: str) -> str:
    with _ctrl_c():
        print(redact(printable(question)), end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip()


@contextlib.contextmanager
def _ctrl_c() -> Iterator[None]:
    # under asyncio the first Ctrl+C only cancels the task, which waits for this very answer
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# finding


async def visible(session: Session, args: argparse.Namespace, *, wide: bool = False) -> list[Key]:
    """The keys to look among: of whom the session is about, or with `wide` all that an admin sees.

    Whoever names a user on the command line means that user's keys alone.
    """
    if why := session.rights.why_not(Action.LIST_KEYS):
        raise Refused(why)
    if wide and session.user_id and session.rights.sees_all and args.user is None:
        return await keys.list_every_key(session.client)
    return await session.load_keys()


def named(name: str, found: Sequence[Key]) -> list[Key]:
    """The keys that `name` means: an alias, else a hash or at least eight characters of its beginning."""
    by_alias = [key for key in found if key.alias == name]
    return by_alias or [key for key in found if begins(name, key.hash)]


def begins(name: str, hash: str) -> bool:
    """Whether `name` is that hash, or a beginning of it long enough to be meant as one."""
    return len(name) >= SHORTEST_PREFIX and hash.startswith(name.lower())


def only(name: str, found: Sequence[Key]) -> Key:
    """The one key that is meant. Raises `Refused` for none and for several."""
    if not found:
        raise Refused(f"There is no key {name} that this key may see; litellm-tui keys list shows them.")
    if len(found) > 1:
        each = ", ".join(f"{key.hash[:16]} ({key.label} of {key.user_id or 'nobody'})" for key in found[:10])
        raise Refused(f"{name} means {len(found)} keys; take more of a hash: {each}.")
    return found[0]


def in_command(found: Unfinished) -> str:
    """How a rotation is named in a command: by its alias where that can be pasted, else by the old key's hash."""
    alias = found.note.alias or ""
    # one that looks like an option would be one, and one that is not shown as it is would name nothing
    if not alias.strip() or alias.startswith("-") or harmless(alias) != alias:
        return found.note.of[:16]
    return shlex.quote(alias)


def ways(found: Unfinished) -> str:
    """The commands for an unfinished rotation."""
    name = in_command(found)
    return f"litellm-tui rotations finish {name}, or: litellm-tui rotations undo {name}"


def another_name(found: Unfinished) -> str:
    """The command that finishes where somebody else took the alias."""
    return f"Give it another one: litellm-tui rotations finish {in_command(found)} --alias NAME"


# the command


@dataclass(slots=True)
class Report:
    """What became of one rotation, for `--json`; never a secret. `step` is a `rotation.Step`, or one of ours."""

    key: Key
    place: str
    step: str = NOTHING
    new: Key | None = None
    old_alias: str | None = None
    old_ends: datetime | None = None
    old_deleted: bool = False
    notes: tuple[str, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "alias": self.key.alias,
            "step": self.step,
            "old": {
                "hash": self.key.hash,
                "name": self.key.name,
                "alias": self.old_alias,
                "expires_at": self.old_ends.isoformat() if self.old_ends else None,
                "deleted": self.old_deleted,
            },
            "new": self.new
            and {
                "hash": self.new.hash,
                "name": self.new.name,
                "alias": self.new.alias,
                "expires_at": self.new.expires_at.isoformat() if self.new.expires_at else None,
            },
            "place": self.place,
            "notes": list(self.notes),
            "error": self.error and redact(self.error),
        }


async def rotate(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    """Rotate the key, or all that end soon. 0 where everything that was asked for is done, else 1."""
    if args.all_expiring:
        return await _all_expiring(session, clock, args)
    target = _target(args)
    _look_at(target)
    key = await _key(session, args)
    plan = _plan(session, clock, args, key)
    if problem := _problem(plan, args):
        raise Refused(problem)
    _say_plan(plan, target, args)
    if not args.yes and not ask(f"Rotate {key.label} now?"):
        say("Nothing was made.")
        return 1
    report = _report(plan, target)
    try:
        done = await _one(session, clock, plan, target, report, yes=args.yes)
    finally:
        if args.json and report.step != NOTHING:
            print_json(report.as_json())
    return 0 if done else 1


async def _all_expiring(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    within = durations.length(args.all_expiring) or timedelta()
    now = clock()
    found = await visible(session, args)
    on_the_way = {each.note.of: each for each in unfinished(found)}
    ending = [
        key
        for key in sorted(found, key=lambda key: (key.expires_at or now, key.label))
        if key.expires_at and now < key.expires_at <= now + within and not retired(key) and not note_of(key.metadata)
    ]
    todo, left = [], False
    folder = _path(args.env_dir) if args.env_dir else None
    places = places_for(ending, env_file=_path(args.env_file) if args.env_file else None, folder=folder)
    for key, place in zip(ending, places, strict=True):
        if begun := on_the_way.get(key.hash):
            say(f"{key.label} is left out: {begun.so} Go on with: {ways(begun)}")
            left = left or begun.needs_secret
        elif key.alias is None:
            say(f"{key.label} is left out: it has no alias to name a variable by. Rotate it by its hash, {key.hash}.")
            left = True
        elif problem := _problem(_plan(session, clock, args, key), args):
            say(f"{key.label} is left out: {problem}")
            left = True
        else:
            todo.append((key, place))
    if not todo:
        say(f"Nothing to rotate: no{' other' if ending else ''} key ends within {args.all_expiring}.")
        if args.json:
            print_json([])
        return 1 if left else 0
    for _, place in todo:
        _look_at(place)
    for key, place in todo:
        say(f"{key.label} ends on {_utc(key.expires_at)}; its new secret goes to {place.describe()}.")
    if not args.yes:
        several = len(todo) > 1
        question = f"Rotate {f'these {len(todo)} keys' if several else 'this key'} now?"
        if not (meant(session, question, word_for([key for key, _ in todo])) if several else ask(question)):
            say("Nothing was made.")
            return 1
    return await _each(session, clock, args, todo, left=left)


async def _each(
    session: Session, clock: Clock, args: argparse.Namespace, todo: Sequence[tuple[Key, Place]], *, left: bool
) -> int:
    reports: list[Report] = []
    try:
        for key, place in todo:
            plan = _plan(session, clock, args, key)
            reports.append(_report(plan, place))
            try:
                done = await _one(session, clock, plan, place, reports[-1], yes=args.yes)
            except Refused as error:
                _tell(str(error))
                done = False
            if not done:
                left = True
                break
        return 1 if left else 0
    finally:
        finished = sum(report.step in (DONE, rotation.Step.KEPT) for report in reports)
        rest = [key.label for key, _ in todo[finished + (len(reports) > finished) :]]
        said = f"{finished} of {len(todo)} keys rotated."
        _tell(f"{said} Not begun: {', '.join(rest)}." if rest else said)
        if args.json:
            print_json([report.as_json() for report in reports])


async def _key(session: Session, args: argparse.Namespace) -> Key:
    found = await visible(session, args)
    meant = named(args.key, found)
    if not meant and session.user_id:
        found = await visible(session, args, wide=True)
        meant = named(args.key, found)
    for begun in unfinished(found):
        # once the old key is retired, nothing has the alias
        if meant == [begun.old] or (not meant and begun.note.alias == args.key):
            raise Refused(f"{begun.so} Go on with: {ways(begun)}")
    return only(args.key, meant)


def _target(args: argparse.Namespace) -> Target:
    if args.stdout:
        return None
    return EnvFile(_path(args.env_file), args.var) if args.env_file else NewFile(_path(args.out))


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _look_at(target: Target) -> None:
    if target is not None and (wrong := check(target)):
        raise Refused(f"{wrong} Nothing was made.")


def _plan(session: Session, clock: Clock, args: argparse.Namespace, key: Key) -> Plan:
    own = session.caller.key
    plan = rotation.plan(
        key,
        life=None if args.expires == "never" else args.expires,
        grace="24h" if args.grace == KEEP else args.grace,
        rights=session.rights,
        now=clock(),
        session_hash=own.hash if own else None,
        team=next((team for team in session.teams if team.team_id == key.team_id), None),
    )
    return replace(plan, how=How.KEEP, why_not=None) if args.grace == KEEP else plan


def _problem(plan: Plan, args: argparse.Namespace) -> str | None:
    if plan.problem:
        return plan.problem
    if args.grace == KEEP or plan.why_not is None:
        return None
    # asked for one thing, it does not do another
    instead = ["--grace 0 deletes the old key at once"] if How.DELETE in plan.choices and args.grace != "0" else []
    instead.append(f"--grace {KEEP} leaves both")
    return f"The old key cannot be retired as asked: {plan.why_not} Nothing was made; {', '.join(instead)}."


def _report(plan: Plan, target: Target) -> Report:
    return Report(plan.key, place_in_words(target), old_alias=plan.key.alias, old_ends=plan.key.expires_at)


def place_in_words(target: Target) -> str:
    """Where a secret goes."""
    return "standard output" if target is None else target.describe()


def _say_plan(plan: Plan, target: Target, args: argparse.Namespace) -> None:
    say_all(plan.warnings)
    if args.yes:
        return
    say(f"{plan.key.label} ({plan.key.tail}) of {plan.key.user_id or 'nobody'}:")
    fate = "Both keys stay, and the rotation stays listed."
    steps = (*plan.steps[:2], fate) if args.grace == KEEP else plan.steps
    end = f"ends on {_utc(plan.ends)}" if plan.ends else "never ends"
    for line in (*steps, f"The new secret goes to {place_in_words(target)}. The new key {end}."):
        say(f"  {line}", name=False)


def _utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "no day"


# one rotation


def _tell(line: str) -> None:
    # whoever read this may have gone: no reason to stop between two steps
    with contextlib.suppress(OSError):
        say(line)


async def _one(session: Session, clock: Clock, plan: Plan, target: Target, report: Report, *, yes: bool) -> bool:
    """From the plan to the end; whether it came there. Raises `Refused`, with what is left in its words."""
    key = plan.key
    try:
        successor = await _made(session, plan, report)
        await _handed(session, plan, successor, target, report)
        if not yes and not _may_end(session, plan, target):
            _tell(f"Both keys work, and the rotation is not finished. Go on with: {ways(successor.rotation)}")
            return False
        async with contextlib.AsyncExitStack() as stack:
            client = session.client
            if plan.own:
                client = await stack.enter_async_context(session.connect(successor.secret))
            try:
                await _end(client, clock, plan, successor.rotation, report)
            except GatewayError as error:
                report.error = str(error)
                taken = isinstance(error, AliasTaken)
                more = another_name(successor.rotation) if taken else f"Go on with: {ways(successor.rotation)}"
                raise Refused(f"{key.label}: {error} The new secret is in {place_in_words(target)}. {more}") from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say_interrupted(key, report)
        raise
    return True


def _may_end(session: Session, plan: Plan, target: Target) -> bool:
    there = f"The new key is in {place_in_words(target)};"
    if plan.how is How.KEEP:
        return ask(f"{there} keep the old one beside it, and be done?")
    return meant(session, f"{there} retire the old one?", word_for([plan.key]))


def _say_interrupted(key: Key, report: Report) -> None:
    report.error = "interrupted"
    if report.step in (DONE, TAKEN_BACK):
        return
    if report.step == NOTHING:
        said = "The old key works. If a new one was made, both do"
    elif report.step in (rotation.Step.RETIRED, rotation.Step.OLD_GONE):
        said = "The new key works, and has not taken the name yet"
    else:
        said = f"Nothing is lost: the old key {key.tail} works unless its retirement was under way, and so does the new"
    _tell(
        f"Interrupted while {key.label} is rotated. {said}; litellm-tui rotations lists it, to be finished or undone."
    )


async def _made(session: Session, plan: Plan, report: Report) -> Successor:
    try:
        successor = await rotation.create(session.client, plan)
    except AlreadyRotating as error:
        report.error = str(error)
        more = f" Go on with: {ways(error.rotation)}" if error.rotation else ""
        raise Refused(f"{plan.key.label}: {error}{more}") from None
    except GatewayError as error:
        report.error = str(error)
        raise Refused(f"{plan.key.label}: {error}") from None
    report.step, report.new, report.notes = successor.rotation.step, successor.rotation.new, successor.notes
    end = successor.rotation.new.expires_at
    tail = successor.rotation.new.tail
    _tell(f"{plan.key.label}: the new key {tail} is made and {f'ends on {_utc(end)}' if end else 'never ends'}.")
    for note in successor.notes:
        _tell(f"{plan.key.label}: {note}")
    return successor


async def _handed(session: Session, plan: Plan, successor: Successor, target: Target, report: Report) -> None:
    """Prove and deliver. Where either fails nobody has the secret, so the new key is taken back."""
    label = plan.key.label
    try:
        await rotation.prove(session.connect, successor)
        _tell(f"{label}: the new key works; one call that costs nothing was made with it.")
        said = _deliver(target, successor.secret)
    except GatewayError as error:
        await _take_back(session, plan, successor, report, str(error))
    except OSError as error:
        if target is None or not delivered(target, successor.hash):
            await _take_back(session, plan, successor, report, str(error))
        said = str(error)
    _tell(f"{label}: {said}")


def _deliver(target: Target, secret: str) -> str:
    if target is not None:
        return deliver(target, secret)
    number, reason = None, None
    try:
        sys.stdout.write(f"{secret}\n")
        sys.stdout.flush()
        return "The new key was written to standard output."
    except OSError as error:
        number, reason = error.errno, error.strerror
    except ValueError:
        reason = "it is closed"
    # what is buffered would be written at exit, when the key is taken back
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise FileError(f"The secret could not be written to standard output: {reason}.", Path("-"), number)


async def _take_back(session: Session, plan: Plan, successor: Successor, report: Report, why: str) -> NoReturn:
    report.error = why
    label = plan.key.label
    try:
        await rotation.undo(session.client, successor.rotation, secret_is_lost=True)
    except GatewayError as error:
        raise Refused(
            f"{label}: {why} Nobody has the new secret, and the new key could not be deleted: {error} "
            f"The old key works. Later: litellm-tui rotations undo {in_command(successor.rotation)}"
        ) from None
    report.step = TAKEN_BACK
    raise Refused(f"{label}: {why} Nobody has the new secret, so the new key was deleted again. The old key works.")


async def _end(client: Any, clock: Clock, plan: Plan, begun: Unfinished, report: Report) -> None:
    key = plan.key
    grace = plan.grace if plan.how is How.GRACE else None
    state: Unfinished | Key = await rotation.confirm(client, begun, plan.how, grace)
    if plan.how is How.KEEP:
        report.step = rotation.Step.KEPT
        _tell(f"{key.label}: both keys stay, as asked. Later: {ways(begun)}")
        return
    while isinstance(state, Unfinished):
        report.step = state.step
        state = await rotation.advance(client, state)
        if not isinstance(state, Unfinished):
            break
        report.step = state.step
        if state.old is None:
            report.old_deleted = True
            _tell(f"{key.label}: the old key {key.tail} is deleted.")
        else:
            after = clock() + (durations.length(plan.grace) or timedelta())
            report.old_ends = min(key.expires_at, after) if key.expires_at else after
            report.old_alias = plan.retired_alias
            as_what = f"is {plan.retired_alias} now and " if plan.retired_alias else ""
            _tell(f"{key.label}: the old key {key.tail} {as_what}ends on {_utc(report.old_ends)}.")
    assert isinstance(state, Key)
    report.step, report.new = DONE, state
    took = f"has taken the name {state.alias}" if state.alias else "is all that is left"
    _tell(f"{key.label}: done; the new key {state.tail} {took}.")
