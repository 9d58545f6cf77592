"""Private files: atomic writes with mode 0600, folders with mode 0700, and the check that refuses looser
ones.

Everything raises :class:`FileError`, an ``OSError`` whose text is one plain sentence with the path in it and
never any of the content.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
import tempfile
import time
from pathlib import Path

TEMPORARY = ".litellm-tui-"
"""How the names of unfinished files begin."""
_STALE = 600.0
"""Seconds after which an unfinished file is nobody's any more."""
_NO_HARD_LINKS = {
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,
    errno.EACCES,
}


class FileError(OSError):
    """A file could not be read or written. ``str()`` is the sentence; ``errno`` and ``filename`` are kept."""

    def __init__(self, sentence: str, path: Path, number: int | None = None) -> None:
        super().__init__(number, sentence, str(path))
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class FileThereError(FileError, FileExistsError):
    """The file is there already and may not be replaced."""


class StrangersError(FileError, PermissionError):
    """Another user of this machine owns the file or folder. ``mend`` is the command that ends that."""

    def __init__(self, path: Path, owner: int) -> None:
        self.mend = f'sudo chown "$(id -un)" {shlex.quote(str(path))}'
        super().__init__(
            f"{path}: it belongs to another user of this machine ({_user_name(owner)}), who can change what is in it. "
            f"If it is what you expect, make it yours: {self.mend}",
            path,
            errno.EACCES,
        )


class LooseModeError(FileError, PermissionError):
    """Other people of this machine can get at the file or folder. ``mend`` is the command that ends that."""

    def __init__(self, path: Path, mode: int, want: int) -> None:
        self.mend = f"chmod {want:o} {shlex.quote(str(path))}"
        kind = "folder" if want & 0o100 else "file"
        super().__init__(
            f"{path}: other users of this machine can get at this {kind} (mode {mode:04o}, "
            f"allowed {want:04o}). Run: {self.mend}",
            path,
            errno.EACCES,
        )


def write_private(path: Path, text: str, *, exist_ok: bool = False) -> None:
    """Write ``text`` as UTF-8, byte for byte, to ``path`` with mode 0600; all of it or nothing.

    Missing folders are made with mode 0700; existing ones are left as they are. With ``exist_ok`` a file that
    is there is replaced (through a symlink: its target). Without, any name that is there, a dangling symlink
    included, raises :class:`FileThereError` and stays untouched. Anything else that fails raises
    :class:`FileError`.
    """
    data = _encode(path, text)
    target = path.resolve() if exist_ok and path.is_symlink() else path
    try:
        ensure_private_dir(target.parent, tighten=False)
        _write(target, data, replace=exist_ok)
    except FileError:
        raise
    except OSError as error:
        if not exist_ok and isinstance(error, FileExistsError):
            failure: FileError = FileThereError(f"{path} is there already; it was left as it is.", path, error.errno)
        else:
            failure = FileError(f"Cannot write {path}: {_reason(error)}.", path, error.errno)
        raise failure from None


def ensure_private_dir(path: Path, *, tighten: bool = True) -> None:
    """Make ``path`` and its missing parents with mode 0700. ``tighten`` brings one that is there to 0700 too.

    Only pass ``tighten`` for folders that are this program's own. Raises :class:`FileError`.
    """
    try:
        _make_dirs(path)
        if tighten and os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Cannot make the folder {path}: {_reason(error)}.", path, error.errno) from None


def check_private(path: Path, status: os.stat_result, *, want: int = 0o600) -> None:
    """Raise :class:`LooseModeError` if group or others have any right on it, :class:`StrangersError` if it is
    neither ours nor root's. ``want`` 0o600 or 0o700 is the advice.

    Takes the ``stat`` of what was opened, so that nothing can be swapped in between. Pipes and devices, which
    come from the person's own shell, pass. So does everything on systems without Unix modes.
    """
    if os.name != "posix" or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise StrangersError(path, status.st_uid)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise LooseModeError(path, mode, want)


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def sweep(folder: Path) -> None:
    """Remove what a write that was killed has left in ``folder``: it may hold a secret. Never raises.

    A file is told by its name, its owner and its age, since another process may be writing.
    """
    before = time.time() - _STALE
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    ours = os.name != "posix" or status.st_uid == os.geteuid()
                    if ours and stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                        os.unlink(entry.path)


def _encode(path: Path, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        pass
    # Raised outside the handler: a UnicodeEncodeError carries the whole text, which may be a secret.
    raise FileError(f"Cannot write {path}: the text has characters that UTF-8 does not know.", path, errno.EILSEQ)


def _make_dirs(path: Path) -> None:
    if path.is_dir():
        return
    if path != path.parent:
        _make_dirs(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        return
    if not path.is_dir():
        raise FileError(f"{path} is in the way: it is not a folder.", path, errno.ENOTDIR)


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    sweep(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
    temporary = Path(name)
    try:
        _fill(descriptor, data)
        if replace:
            os.replace(temporary, path)
        else:
            try:
                # A link, unlike a rename, refuses a name that is taken.
                os.link(temporary, path)
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                _write_exclusively(path, data)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_exclusively(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _fill(descriptor, data)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        if os.name == "posix":
            os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    # The file itself is safe by now; some file systems cannot sync a folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError) -> str:
    text = error.strerror or type(error).__name__
    return text[:1].lower() + text[1:]
