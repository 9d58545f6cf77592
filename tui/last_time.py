"""What is left of a key's last session for the next start: whose key it was, and how its list of keys looked.

The start asks for that user's lists without finding out first, and shows that list, with its age, until the answers are
there. Two files of 0600 per gateway and key in the user's cache folder, of 0700, the list also per user that was asked
for. They hold a user id, and lines of text as they were on screen: aliases, masked names, spend, budgets. Their names
are hashes, and no secret is in them: who has another key does not find them. Nothing in them is needed, and nothing is
believed: what a start has asked for is used where the gateway names the same user, and dropped otherwise; from lines
of text no key can be acted on.

It does not grow without end: the files that were written least lately go, beyond `MOST_FILES`.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tui.files import FileError, check_private, ensure_private_dir, write_private
from tui.gateway.redaction import printable, redact

SCHEMA = 1
"""Of the files; others are not read."""
LARGEST = 4096
"""Bytes of whose key it was; a larger file is none of ours."""
LARGEST_PICTURE = 128 * 1024
MOST_LINES, LONGEST_LINE = 120, 500
"""Of a list; in characters."""
MOST_FILES = 100
_OURS = re.compile(r"[0-9a-f]{32}\.json")


def folder() -> Path | None:
    """Where the files are on this system. None where there is no home folder to hold it."""
    from platformdirs import user_cache_path

    try:
        found = user_cache_path("litellm-tui") / "keys"
    except RuntimeError:
        return None
    return found if found.is_absolute() else None


@dataclass(frozen=True, slots=True)
class Whose:
    """A key's user; `master` for the master key, which has none."""

    user_id: str | None = None
    master: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """The list of keys as it was drawn, line by line from the second of the screen, and when it was read."""

    at: datetime
    lines: tuple[str, ...]


class LastTime:
    """What is remembered of the key `secret` at the gateway `url`, asked about the user `user` (None: as it comes)."""

    def __init__(self, where: Path, url: str, secret: str, user: str | None = None) -> None:
        whose = [SCHEMA, url.removesuffix("/"), hashlib.sha256(secret.encode()).hexdigest()]
        self.path = where / _name(*whose)
        self.picture_path = where / _name(*whose, "list", user)

    def read(self) -> Whose | None:
        """Whose it was; None where that is not known."""
        try:
            found = json.loads(_content(self.path, LARGEST))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            return None
        user_id = found.get("user_id")
        return Whose(user_id if isinstance(user_id, str) and user_id else None, found.get("master") is True)

    def keep(self, whose: Whose) -> None:
        """Remember; where that cannot be written, it is not. It waits for the disk."""
        _write(self.path, {"user_id": whose.user_id, "master": whose.master})

    def picture(self) -> Picture | None:
        """How the list looked; None where that is not known. A damaged file is removed."""
        try:
            content = _content(self.picture_path, LARGEST_PICTURE + 1)
        except OSError:
            return None
        try:
            found = json.loads(content)
            at, lines = datetime.fromisoformat(found["at"]), found["lines"]
            right = found["schema"] == SCHEMA and len(content) <= LARGEST_PICTURE and at.tzinfo is not None
            if not right or not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise ValueError("not this program's")
            # a time at the end of the calendar has none here
            at.astimezone()
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self.forget_picture()
            return None
        return Picture(at, tuple(printable(line)[:LONGEST_LINE] for line in lines[:MOST_LINES]))

    def keep_picture(self, picture: Picture) -> None:
        """Remember, without anything that looks like a secret (S3). It waits for the disk."""
        lines = [redact(printable(line))[:LONGEST_LINE].rstrip() for line in picture.lines[:MOST_LINES]]
        _write(self.picture_path, {"at": picture.at.isoformat(), "lines": lines})

    def forget_picture(self) -> None:
        """The list is of no use any more: the gateway does not take the key."""
        with contextlib.suppress(OSError):
            self.picture_path.unlink()


def _name(*words: object) -> str:
    return f"{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]}.json"


def _content(path: Path, most: int) -> bytes:
    """The first `most` bytes. Raises `OSError` for what is no private file of this person's: others may have put it
    there, and a pipe would be waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"{path} is not a file.", path)
        check_private(path, status)
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def _write(path: Path, content: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        ensure_private_dir(path.parent)
        if path.is_symlink():
            # none of ours, and what it leads to would be written over
            path.unlink()
        write_private(path, json.dumps({"schema": SCHEMA, **content}), exist_ok=True)
        _prune(path.parent)


def _prune(where: Path) -> None:
    found = []
    with contextlib.suppress(OSError), os.scandir(where) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if _OURS.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, entry.path))
    for _, path in sorted(found, reverse=True)[MOST_FILES:]:
        with contextlib.suppress(OSError):
            os.unlink(path)
