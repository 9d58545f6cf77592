"""One variable of an env file is set; every other byte stays.

A file is read as most loaders read it: lines of `NAME=value` or `export NAME=value`, `#` comments, values bare, in
single or in double quotes, quoted ones over several lines. Where a name is assigned more than once the last assignment
wins in a shell, in python-dotenv, in docker and in Node's dotenv, so the last one is changed and the others stay.

Everything raises `files.FileError`, whose text is one plain sentence with the path and never a value.
"""

import contextlib
import errno
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tui.files import TEMPORARY, FileError, ensure_private_dir, sweep

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a shell takes for a variable's name."""
LARGEST = 4 * 1024 * 1024
"""Bytes; a larger file is no env file."""

_START = re.compile(rb"(?P<head>[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*)")
_EXPORT = re.compile(rb"[ \t]*export[ \t]")
_PLAIN = re.compile(rb"[A-Za-z0-9_./:@%+,=~-]*")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BARE = re.compile(rb"(?:(?!;[ \t]*export[ \t])[^\r\n\\# \t]|\\[^\r\n]?|(?<![ \t])#|[ \t]+(?![ \t#\r\n]|\Z))*")
_REST = re.compile(rb"[^\r\n]*?(?=[ \t]*(?:\r|\n|\Z))")
_FITS_DOUBLE = re.compile(rb"[^\\\"$`!]*")


@dataclass(frozen=True, slots=True)
class _Assignment:
    """Where a value stands: the bytes from `start` to `end` with their quotes, and which quote that is."""

    name: bytes
    start: int
    end: int
    quote: bytes
    exported: bool


def set_variable(path: Path, name: str, value: str) -> None:
    """Set `name` to `value` in the env file at `path`, all of it or nothing; missing files and folders are made.

    Other lines stay byte for byte: comments, CRLF, a missing last newline, double assignments. `export` and the kind of
    quotes stay as they are; where the value does not fit into them, it gets quotes that a shell understands. A new line
    gets `export` where every other assignment of the file has it. A symlink is followed, and its target replaced, with
    the mode it had and, where the system lets us, its owner; a new file has mode 0600.

    Raises `FileError`: no such name, a value with a line break or a NUL, a file that is no text or cannot be written.
    """
    if not NAME.fullmatch(name):
        raise FileError(f"{name!r} is no name for a variable: letters, digits and _, not a digit first.", path)
    if re.search(r"[\r\n\0]", value):
        raise FileError(f"A value with line breaks does not go into {path}.", path, errno.EINVAL)
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        encoded = None
    if encoded is None:  # raised outside the handler: the error would carry the value
        raise FileError(f"The value has characters that UTF-8 does not know; {path} was left.", path, errno.EILSEQ)
    try:
        target = path.resolve()
        content, status = _read(target)
        ensure_private_dir(target.parent, tighten=False)
        _replace(target, changed(content, name.encode(), encoded), status)
    except FileError:
        raise
    except (OSError, RuntimeError) as error:
        reason = (getattr(error, "strerror", None) or "a loop of symlinks").lower()
        number = getattr(error, "errno", None)
        raise FileError(f"Cannot write {path}: {reason}. It was left as it was.", path, number) from None


def get_variable(path: Path, name: str) -> str | None:
    """The value of `name` in the env file at `path`, as its last assignment says; None where there is none, or no file.

    Raises `FileError` where the file cannot be read.
    """
    try:
        content, _ = _read(path.resolve())
    except FileError:
        raise
    except (OSError, RuntimeError) as error:
        reason = (getattr(error, "strerror", None) or "a loop of symlinks").lower()
        raise FileError(f"Cannot read {path}: {reason}.", path, getattr(error, "errno", None)) from None
    found = [row for row in _assignments(content) if row.name == name.encode()]
    if not found:
        return None
    raw = content[found[-1].start : found[-1].end]
    inner = raw[1:-1] if found[-1].quote else raw
    if found[-1].quote == b'"':
        inner = re.sub(rb'\\([\\"$`])', rb"\1", inner)
    return inner.decode("utf-8", "replace")


def changed(content: bytes, name: bytes, value: bytes) -> bytes:
    """`content` with the last assignment of `name` changed, or one added at the end. Raises nothing."""
    rows = _assignments(content)
    mine = [row for row in rows if row.name == name]
    if mine:
        row = mine[-1]
        # `NAME= # words` would make one word of the two
        gap = b" " if content[row.end : row.end + 1] == b"#" else b""
        return content[: row.start] + _quoted(value, row.quote) + gap + content[row.end :]
    # a file of CRLF lines gets one more of them
    end = b"\r\n" if b"\r\n" in content else b"\n"
    gap = b"" if not content or content.endswith((b"\n", b"\r")) else end
    export = b"export " if rows and all(row.exported for row in rows) else b""
    return content + gap + export + name + b"=" + _quoted(value, b"") + end


def _quoted(value: bytes, quote: bytes) -> bytes:
    if not quote and _PLAIN.fullmatch(value):
        return value
    if quote == b'"' and _FITS_DOUBLE.fullmatch(value):
        return b'"' + value + b'"'
    if b"'" not in value:
        return b"'" + value + b"'"
    return b'"' + re.sub(rb'([\\"$`])', rb"\\\1", value) + b'"'


def _assignments(content: bytes) -> list[_Assignment]:
    found, at = [], 3 if content.startswith(b"\xef\xbb\xbf") else 0
    while at < len(content):
        head = _START.match(content, at)
        if head:
            start = head.end()
            quote, end = _extent(content, start)
            exported = _EXPORT.match(head["head"]) is not None
            found.append(_Assignment(head["name"], start, end, quote, exported))
            at = end
        line = _LINE.match(content, at)
        assert line is not None  # it matches anything
        at = max(line.end(), at + 1)
    return found


def _extent(content: bytes, start: int) -> tuple[bytes, int]:
    """The quote of the value at `start`, and where the value ends."""
    quote = content[start : start + 1]
    closed = _closing(content, start, quote) if quote in (b"'", b'"') else None
    if closed is not None:
        if content[closed : closed + 1] in (b"", b" ", b"\t", b"\r", b"\n", b";"):
            return quote, closed
        if not re.search(rb"[\r\n]", content[start:closed]):
            # a word of several parts, such as "a"b
            rest = _REST.match(content, closed)
            return b"", rest.end() if rest else closed
    # a quote that is never closed, or closed by the next one's opening, is a plain character
    bare = _BARE.match(content, start)
    return b"", bare.end() if bare else start


def _closing(content: bytes, start: int, quote: bytes) -> int | None:
    """Behind the quote that closes the one at `start`; None where there is none."""
    at = start + 1
    while at < len(content):
        here = content[at : at + 1]
        if here == b"\\" and quote == b'"':
            at += 2
            continue
        if here == quote:
            return at + 1
        at += 1
    return None


def _read(target: Path) -> tuple[bytes, os.stat_result | None]:
    try:
        with target.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{target} is no file that a variable can be set in.", target, errno.EINVAL)
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return b"", None
    if len(content) > LARGEST or b"\0" in content:
        raise FileError(f"{target} is no env file; it was left as it is.", target, errno.EINVAL)
    return content, status


def _replace(target: Path, content: bytes, status: os.stat_result | None) -> None:
    sweep(target.parent)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix":
                _dress(file.fileno(), status)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _dress(descriptor: int, status: os.stat_result | None) -> None:
    if status is None:
        os.fchmod(descriptor, 0o600)
        return
    mode = stat.S_IMODE(status.st_mode)
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except OSError:
            # the group's rights were meant for the old group, and are not given to another
            try:
                os.fchown(descriptor, -1, status.st_gid)
            except OSError:
                mode &= ~0o070
    os.fchmod(descriptor, mode)
