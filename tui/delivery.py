"""Where a new secret goes: into a variable of an env file, or into a new file. The app and the commands share it.

Nothing here keeps a secret, and no sentence repeats one. A `~` at the start of a path is the home folder.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui import envfile
from tui.files import FileError, write_private
from tui.gateway.redaction import printable
from tui.gateway.rotation_records import is_secret_of
from tui.gateway.schema import Key

LONGEST_SECRET = 64 * 1024
"""Characters; what is longer in a file is no key."""
LONGEST_NAME = 80
"""Characters of a file's or variable's name that come from an alias."""
_EXACT_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXACT_VARIABLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A variable of an env file, which is made where it is missing and changed where it is there."""

    path: Path
    variable: str

    def describe(self) -> str:
        """`OPENAI_API_KEY in ~/.env`."""
        return f"{printable(self.variable)} in {_shown(self.path)}"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is not there yet; it will hold the secret and a line's end."""

    path: Path

    def describe(self) -> str:
        """`~/keys/laptop`."""
        return _shown(self.path)


Place = EnvFile | NewFile


def check(place: Place) -> str | None:
    """What would keep the secret from `place`, as a sentence; None where nothing is known to. Nothing is written.

    To be asked before a key is made: no such name for a variable, a folder, a file that is there already, no right.
    """
    shown = printable(str(place.path))
    if isinstance(place, EnvFile) and not envfile.NAME.fullmatch(place.variable):
        return f"{printable(place.variable)!r} is no name for a variable: letters, digits and _, not a digit first."
    try:
        path = _at(place.path)
        if path.is_dir():
            return f"{shown} is a folder; name a file in it."
        if isinstance(place, EnvFile):
            envfile.get_variable(path, place.variable)
            path = path.resolve()
        elif path.exists() or path.is_symlink():
            return f"{shown} is there already, and is not replaced; name a new file."
        folder = next(each for each in path.absolute().parents if os.path.lexists(each))
        if not folder.is_dir():
            return f"{shown} cannot be written: {printable(str(folder))} is no folder."
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"{shown} cannot be written: you may not make files in {printable(str(folder))}."
    except FileError as error:
        return printable(str(error))
    except (OSError, RuntimeError, ValueError) as error:
        return f"{shown} cannot be used: {printable(getattr(error, 'strerror', None) or str(error))}."
    return None


def deliver(place: Place, secret: str) -> str:
    """Write `secret` to `place`, all or nothing; what was done, as a sentence without it. Raises `FileError`."""
    path = _at(place.path)
    if isinstance(place, EnvFile):
        envfile.set_variable(path, place.variable, secret)
        return f"{place.describe()} is set to the new key."
    write_private(path, f"{secret}\n")
    return f"The new key is in {place.describe()}, which only you can read."


def delivered(place: Place, hash: str) -> bool:
    """Whether the secret behind `hash` is in `place`, without a call. A place that cannot be read has none."""
    try:
        path = _at(place.path)
        if isinstance(place, EnvFile):
            found = envfile.get_variable(path, place.variable)
        else:
            with path.open(encoding="utf-8") as file:
                found = file.read(LONGEST_SECRET).strip()
    except (OSError, ValueError):
        return False
    return found is not None and is_secret_of(found, hash)


def occupied(place: EnvFile) -> bool:
    """Whether the variable is set to something now. A file that cannot be read has none."""
    try:
        return bool(envfile.get_variable(_at(place.path), place.variable))
    except (OSError, ValueError):
        return False


def variable_for(alias: str | None) -> str:
    """A variable's name for a key of this alias, such as LAPTOP_KEY. Two aliases may get the same one."""
    words = re.sub(r"[^A-Z0-9]+", "_", _ascii(alias or "litellm").upper())[:LONGEST_NAME].strip("_")
    return f"{'KEY_' if words[:1].isdigit() else ''}{words or 'LITELLM'}_KEY"


def file_for(alias: str | None, folder: Path) -> Path:
    """An env file for a key of this alias in `folder`, such as laptop.env: no two aliases get the same one.

    What an alias cannot give to a file's name is replaced, with a mark of the alias behind it.
    """
    name = alias or ""
    # by the alias alone, not by what else is there: a later run must not take another key's file
    if not _EXACT_FILE.fullmatch(name) or len(name) > LONGEST_NAME:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", _ascii(name))[:LONGEST_NAME].strip(".-") or "key"
        name = f"{plain}-{_mark(name)}"
    return folder / f"{name}.env"


def places_for(keys: Sequence[Key], env_file: Path | None = None, folder: Path | None = None) -> list[Place]:
    """A place of its own for each key: a variable each in `env_file`, or an env file each in `folder`.

    The same alias gets the same place each time, whatever other keys are rotated with it. A key without an alias is
    named by its hash.
    """
    found: list[Place] = []
    for key in keys:
        name = key.alias or f"key-{key.hash[:12]}"
        if env_file is not None:
            found.append(EnvFile(env_file, _variable(name)))
        elif folder is not None:
            found.append(EnvFile(_free(name, folder, [place.path for place in found]), variable_for(name)))
    return found


def _variable(name: str) -> str:
    made = variable_for(name)
    return made if _EXACT_VARIABLE.fullmatch(name) and len(name) <= LONGEST_NAME else f"{made}_{_mark(name).upper()}"


def _free(name: str, folder: Path, taken: Collection[Path]) -> Path:
    path = file_for(name, folder)
    # some file systems do not tell Laptop.env from laptop.env
    if str(path).casefold() in {str(other).casefold() for other in taken}:
        return path.with_name(f"{path.stem}-{_mark(name)}.env")
    return path


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _at(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise FileError(f"{printable(str(path))} names a user that this machine does not know.", path) from None


def _shown(path: Path) -> str:
    try:
        return printable(f"~/{path.expanduser().relative_to(Path.home())}")
    except (RuntimeError, ValueError):
        return printable(str(path))
