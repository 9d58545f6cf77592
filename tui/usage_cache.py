"""Answers about usage of earlier months, kept in the user's cache folder; one file per caller, scope and month.

Nothing in it is needed: what cannot be read is discarded with one line, and what cannot be written is not kept. Two
processes may share it: a file is written whole beside its place and moved there, so the last one wins. Files are 0600
in a folder of 0700 and hold sums, names of models, aliases and hashes of keys, no secret.

It does not grow without end: once in the life of a process, at its first write, the files that were used least lately
go until the rest is within `MOST_BYTES` and `MOST_FILES`. A file that is not named like one of these is left alone.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import stat
from datetime import date
from pathlib import Path

from tui.files import FileError, ensure_private_dir, write_private
from tui.gateway.usage_merge import Part
from tui.gateway.usage_question import Question, month_of

SCHEMA = 1
"""Of the files; others are not read."""
LARGEST = 64 * 1024 * 1024
"""Bytes; a larger file is none of ours."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes that all files together may take."""
MOST_FILES = 2000

_OURS = re.compile(r"[0-9a-f]{32}-(\d{4}-\d{2}|routes)\.json")
_pruned: set[Path] = set()


def folder() -> Path | None:
    """Where the files are on this system: platformdirs' cache folder. None where there is no home folder to hold it."""
    from platformdirs import user_cache_path

    # without HOME, and without an entry for the user, a path stays "~/…": a folder of that name wherever one stands
    try:
        found = user_cache_path("litellm-tui") / "usage"
    except RuntimeError:
        return None
    return found if found.is_absolute() else None


class UsageCache:
    """What is kept for one caller at one gateway.

    `caller` tells callers apart that see different rows: a hash, a role, never a secret. `notes` has a line for every
    file that was discarded, one where nothing can be written, and is for whoever shows them to empty.
    """

    def __init__(self, where: Path, url: str, caller: str) -> None:
        self.where = where
        self.notes: list[str] = []
        self._whose = (url, caller)
        self._failed = False

    def path(self, question: Question, month: date) -> Path:
        """The file of the month that begins at `month`."""
        narrowed = [question.key, *question.models] if question.key or question.models else []
        return self.where / f"{_name(*self._whose, question.kind, question.id, *narrowed)}-{month:%Y-%m}.json"

    async def get(self, question: Question, month: date) -> Part | None:
        """What was put for that month; None where there is nothing that can be used."""
        return await asyncio.to_thread(self._read, self.path(question, month), month)

    async def put(self, question: Question, part: Part) -> None:
        """Keep `part` for its month."""
        await asyncio.to_thread(self._write, self.path(question, month_of(part.start)[0]), part)

    def _read(self, path: Path, month: date) -> Part | None:
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
            raw = json.loads(content)
            if len(content) > LARGEST or not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
                raise ValueError("not this program's")
            part = Part.from_json(raw.get("part"))
            if month_of(part.start)[0] != month or month_of(part.end)[0] != month:
                raise ValueError("another month's")
        except OSError:
            return None
        except (ValueError, RecursionError):
            self.notes.append(f"A damaged file of the usage cache was discarded; {month:%Y-%m} is asked for again.")
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            # the time of its last use: what is read often stays
            os.utime(path)
        return part

    def _write(self, path: Path, part: Part) -> None:
        text = json.dumps({"schema": SCHEMA, "part": part.to_json()}, separators=(",", ":"), allow_nan=False)
        self._put(path, text)

    def lacks(self, version: str | None) -> set[str]:
        """The routes that an earlier session found missing in this release of the gateway."""
        try:
            found = json.loads(self._routes(version).read_bytes())
        except (OSError, ValueError, RecursionError):
            return set()
        return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()

    def keep_lacks(self, version: str | None, routes: set[str]) -> None:
        """Keep what `lacks` gives."""
        self._put(self._routes(version), json.dumps(sorted(routes)))

    def _put(self, path: Path, text: str) -> None:
        try:
            ensure_private_dir(self.where)
            write_private(path, text, exist_ok=True)
        except FileError as error:
            if not self._failed:
                self.notes.append(f"Usage is not kept for the next start. {error}")
            self._failed = True
            return
        if self.where not in _pruned:
            _pruned.add(self.where)
            prune(self.where)

    def _routes(self, version: str | None) -> Path:
        return self.where / f"{_name(*self._whose, version)}-routes.json"


def prune(where: Path) -> None:
    """Remove the files of the cache that were used least lately, until the rest is within the limits. Never raises.

    Several processes may do it at once: a file that is gone is none to remove, one that was used meanwhile stays.
    """
    found = []
    with contextlib.suppress(OSError), os.scandir(where) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if _OURS.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
    size = 0
    for count, (used, length, path) in enumerate(sorted(found, reverse=True), 1):
        size += length
        if count > MOST_FILES or size > MOST_BYTES:
            with contextlib.suppress(OSError):
                if path.stat(follow_symlinks=False).st_mtime_ns == used:
                    path.unlink()


def _name(*words: str | None) -> str:
    return hashlib.sha256(json.dumps([SCHEMA, *words]).encode()).hexdigest()[:32]
