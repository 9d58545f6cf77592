"""`litellm-tui rotations`: what was begun and not finished, what is due, and the ways on."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from tui.commands import Clock, Refused, say
from tui.commands.output import print_json
from tui.commands.rotate import another_name, ask, begins, in_command, meant, visible
from tui.delivery import EnvFile, delivered
from tui.formatting import harmless
from tui.gateway import rotation
from tui.gateway.errors import GatewayError
from tui.gateway.fields import moment
from tui.gateway.rotation import AliasTaken, How, Step, Unfinished, unfinished
from tui.gateway.rotation_records import due, interval
from tui.gateway.schema import Key
from tui.meant import word_of
from tui.startup import Session


async def rotations(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    """List, or with `args.what` finish or undo one."""
    if args.what is None:
        return await _list(session, clock, args)
    found = await _named(session, args)
    try:
        return await (_finish if args.what == "finish" else _undo)(session, args, found)
    except AliasTaken as error:
        raise Refused(f"{found.label}: {error} {another_name(found)}") from None
    except GatewayError as error:
        raise Refused(f"{found.label}: {error}") from None


async def _list(session: Session, clock: Clock, args: argparse.Namespace) -> int:
    keys, now = await visible(session, args), clock()
    begun = unfinished(keys)
    reminders = [key for key in keys if due(key, now)]
    if args.json:
        print_json({"unfinished": [record(each) for each in begun], "due": [_due(key) for key in reminders]})
        return 0
    for each in begun:
        for line in _lines(each):
            print(harmless(line) if not line.startswith(" ") else f"  {harmless(line.strip())}")
    for key in reminders:
        since = _since(key)
        last = f", last on {since:%Y-%m-%d}" if since else ""
        print(harmless(f"{key.label} ({key.tail}) is due: every {_days(key)}{last}."))
    if not begun and not reminders:
        say(f"No rotation of {session.about} is unfinished, and none is due.")
    return 0


def _lines(each: Unfinished) -> list[str]:
    name = in_command(each)
    finish = f"litellm-tui rotations finish {name}"
    return [
        each.so,
        *(["  If nobody has the new secret, undo it."] if each.needs_secret else []),
        f"  {finish}{' --secret-is-safe' if each.needs_secret else ''}: {each.finish_does}",
        f"  litellm-tui rotations undo {name}: {each.undo_does}",
    ]


def record(each: Unfinished) -> dict[str, Any]:
    """An unfinished rotation for programs."""
    note = each.note
    return {
        "alias": note.alias,
        "step": each.step.value,
        "old_hash": note.of,
        "new_hash": each.new.hash,
        "new_name": each.new.name,
        "by": note.by,
        "started_at": note.started_at.isoformat() if note.started_at else None,
        "how": note.how.value if note.how else None,
        "grace": note.grace,
        "needs_secret": each.needs_secret,
        "so": each.so,
        "finish_does": each.finish_does,
        "undo_does": each.undo_does,
    }


def _due(key: Key) -> dict[str, Any]:
    since, every = _since(key), interval(key)
    return {
        "alias": key.alias,
        "hash": key.hash,
        "every_days": every.total_seconds() / 86400 if every else None,
        "since": since.isoformat() if since else None,
    }


def _since(key: Key) -> datetime | None:
    return moment(key.metadata.get("rotated_at")) or key.created_at


def _days(key: Key) -> str:
    every = interval(key)
    days = every.total_seconds() / 86400 if every else 0
    return "day" if days == 1 else f"{days:g} days"


async def _named(session: Session, args: argparse.Namespace) -> Unfinished:
    begun = unfinished(await visible(session, args))
    found = [each for each in begun if _is(each, args.key)]
    if not found and session.user_id:
        begun = unfinished(await visible(session, args, wide=True))
        found = [each for each in begun if _is(each, args.key)]
    if not found:
        known = ", ".join(each.label for each in begun[:20]) or "none"
        raise Refused(f"No rotation of {args.key} is unfinished. Unfinished: {known}.")
    if len(found) > 1:
        each = ", ".join(f"{one.new.hash[:16]} (of {one.new.user_id or 'nobody'})" for one in found[:10])
        raise Refused(f"{args.key} means {len(found)} rotations; take a hash: {each}.")
    return found[0]


def _is(each: Unfinished, name: str) -> bool:
    aliases = {each.note.alias, each.new.alias, each.old.alias if each.old else None}
    return name in aliases or begins(name, each.note.of) or begins(name, each.new.hash)


async def _finish(session: Session, args: argparse.Namespace, found: Unfinished) -> int:
    safe = args.secret_is_safe
    if args.env_file:
        place = EnvFile(Path(args.env_file).expanduser(), args.var)
        if not delivered(place, found.new.hash):
            raise Refused(
                f"{place.describe()} is not the new key of {found.label}, which ends in {found.new.tail}. "
                "Nothing was changed."
            )
        say(f"{place.describe()} is the new key.")
        safe = True
    how = How.DELETE if args.delete_now else How.GRACE if args.grace else None
    say(found.so)
    if found.needs_secret and not safe:
        if args.yes or not ask(f"Do you have the new secret, which ends in {found.new.tail}?"):
            raise Refused(
                f"Whether somebody has the new secret, which ends in {found.new.tail}, is not known; nothing was "
                "changed. If it is safe, say --secret-is-safe, or name its place with --env-file and --var. If nobody "
                f"has it: litellm-tui rotations undo {in_command(found)}"
            )
        safe = True
    if not args.yes:
        say(_will(found, how, args.grace), name=False)
        if not meant(session, "Finish it?", word_of(found.note.alias, found.note.of)):
            say("Nothing was changed.")
            return 1
    key = await rotation.finish(session.client, found, secret_is_safe=safe, how=how, grace=args.grace, alias=args.alias)
    say(f"Finished: {key.label} is the new key, {key.tail}.")
    return _said(args, key)


def _will(found: Unfinished, how: How | None, grace: str | None) -> str:
    if how is None or found.why_not_finish or found.step in (Step.RETIRED, Step.OLD_GONE):
        return found.finish_does
    fate = "is deleted now" if how is How.DELETE else f"ends in {grace}, or at its own end"
    takes = f" The new key takes the name {found.label}." if found.note.alias else ""
    return f"The old key {fate}.{takes}"


async def _undo(session: Session, args: argparse.Namespace, found: Unfinished) -> int:
    say(found.so)
    if not args.yes:
        say(found.undo_does, name=False)
        if not meant(session, "Take it back?", word_of(found.note.alias, found.note.of)):
            say("Nothing was changed.")
            return 1
    key = await rotation.undo(session.client, found)
    if key.hash == found.new.hash:
        say(f"The old key is gone for good; {key.label} is the new key, {key.tail}.")
    else:
        say(f"Taken back: {key.label} is the old key, {key.tail}, and the new one is deleted.")
    return _said(args, key)


def _said(args: argparse.Namespace, key: Key) -> int:
    if args.json:
        print_json({"alias": key.alias, "hash": key.hash, "name": key.name})
    return 0
