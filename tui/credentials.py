"""Gateway keys: where one comes from, how it is fetched, and the wrapper that keeps it out of sight (S3).

A :data:`Credential` says where the key is; only :func:`read_key` gets it. Every failure is a
:class:`CredentialError` whose text says what to do and holds nothing of the key.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from tui.files import FileError, check_private
from tui.gateway.redaction import printable, redact

if TYPE_CHECKING:
    import subprocess
    import threading

KEYRING_SERVICE = "litellm-tui"
COMMAND_SECONDS = 30.0
KEYRING_SECONDS = 60.0
"""Longer than for a command: a person may have to type the keyring's password."""
_INSTEAD = "use api_key_command or api_key_file instead"
KEY_VARIABLES = ("LITELLM_TUI_API_KEY", "LITELLM_PROXY_API_KEY", "LITELLM_API_KEY", "LITELLM_MASTER_KEY")
"""The variables that may hold a key. No child process gets them."""

_TOKEN = re.compile(r"(?=[A-Za-z0-9_+=~-]*[0-9])[A-Za-z0-9_+=~-]{16,}")
_MOST_BYTES = 65_536
_MOST_COMPLAINT = 200
_SLICE = 0.05
_GRACE = 0.5


class CredentialError(Exception):
    """The key could not be had; ``str()`` says why and what to do."""


class AskError(CredentialError):
    """No source is configured for the key: it has to be asked for, and stays in memory."""


class Secret:
    """A key. Only :meth:`reveal` gives it; printing, formatting and pickling never do."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The key itself: for the request header and for what a person asked to see."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self.__value.encode("utf-8", "surrogatepass"), other.__value.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret is never written out.")


@dataclass(frozen=True)
class EnvKey:
    """The key is in an environment variable; ``value`` is None where the variable was not set."""

    name: str
    value: Secret | None

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return f"the environment variable {self.name}"


@dataclass(frozen=True)
class CommandKey:
    """The key is the first line that a command prints."""

    argv: tuple[str, ...]

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return f"the command {redact(self.argv[0])}"


@dataclass(frozen=True)
class FileKey:
    """The key is the first line of a private file."""

    path: Path

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return f"the file {self.path}"


@dataclass(frozen=True)
class KeyringKey:
    """The key is in the system's keyring, under ``litellm-tui`` and the profile's name."""

    account: str

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return f"the system keyring ({KEYRING_SERVICE}, {self.account})"


@dataclass(frozen=True)
class AskKey:
    """Nobody said where the key is: ask at start, keep it in memory."""

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return "asked for at start"


@dataclass(frozen=True)
class HeldKey:
    """The key is here already: typed by the person, or the demo's."""

    secret: Secret
    where: str = "typed at start"

    def describe(self) -> str:
        """Where the key comes from, in words, for doctor."""
        return self.where


Credential = EnvKey | CommandKey | FileKey | KeyringKey | AskKey | HeldKey


def clean_key(text: str, where: str = "The key") -> Secret:
    """A key as typed or read: blanks around it dropped, one line of printable ASCII demanded.

    Raises :class:`CredentialError`, which names ``where`` and shows nothing of the text.
    """
    key = text.strip()
    if not key:
        raise CredentialError(f"{where} is empty.")
    if key[:7].casefold() == "bearer ":
        raise CredentialError(f"{where} starts with the word Bearer. Give the key alone.")
    if not key.isascii():
        raise CredentialError(
            f"{where} has characters that no key has (not ASCII). Copy it again, without quotes around it."
        )
    if any(not "!" <= c <= "~" for c in key):
        raise CredentialError(f"{where} has a blank, a line break or a control character in it. Copy it again.")
    return Secret(key)


async def read_key(credential: Credential) -> Secret:
    """Fetch the key. Raises :class:`CredentialError`; for :class:`AskKey` its subclass :class:`AskError`.

    Commands run without a shell, without this program's terminal or standard input, for 30 s at most, and do
    not inherit the variables that hold LiteLLM keys. Cancelling ends the command.
    """
    match credential:
        case HeldKey(secret=secret):
            return secret
        case EnvKey(name=name, value=value):
            if value is None:
                raise CredentialError(
                    f"The environment variable {name} is not set. Set it to the key, or change the profile."
                )
            return clean_key(value.reveal(), f"The key in {name}")
        case CommandKey(argv=argv):
            return await _from_command(argv)
        case FileKey(path=path):
            return _from_file(path)
        case KeyringKey(account=account):
            return await _from_keyring(account)
        case AskKey():
            raise AskError("No key is configured. Type it when asked, or say in the profile where it is.")


def ask_key(where: str) -> Secret:
    """Ask for the key on the terminal, unseen. ``where`` names the gateway it is for.

    Raises :class:`CredentialError` without a terminal: a script says where its key is.
    """
    import getpass
    import warnings

    if not (sys.stdin and sys.stdin.isatty()):
        raise CredentialError(
            "No key is configured and there is no terminal to ask on. Set LITELLM_TUI_API_KEY, or give the "
            "profile one of api_key_env, api_key_command, api_key_file, keyring = true."
        )
    try:
        with warnings.catch_warnings():
            # getpass falls back to reading with echo; better no key than a key on the screen.
            warnings.simplefilter("error", getpass.GetPassWarning)
            text = getpass.getpass(f"Key for {redact(where)}: ")
    except (EOFError, getpass.GetPassWarning):
        raise CredentialError("No key was typed.") from None
    return clean_key(text, "The key that was typed")


async def store_key(account: str, secret: Secret) -> None:
    """Put a key into the system's keyring for the profile ``account``. Raises :class:`CredentialError`."""
    await _keyring_call("set_password", account, secret)


async def _from_command(argv: tuple[str, ...]) -> Secret:
    import asyncio
    import threading

    stop = threading.Event()
    try:
        status, output, complaint = await asyncio.to_thread(_run, argv, stop)
    finally:
        # A cancelled task leaves its thread behind; this makes it end the command.
        stop.set()
    program = redact(argv[0])
    if status is None:
        raise CredentialError(
            f"api_key_command: {program} did not end within {COMMAND_SECONDS:g} s and was stopped. "
            "It cannot ask questions here; run it once by hand."
        )
    first = _first_line(output)
    if status != 0:
        ended = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
        raise CredentialError(f"api_key_command: {program} {ended}{_said(complaint, first)}.")
    if not first:
        raise CredentialError(
            f"api_key_command: {program} printed nothing{_said(complaint, first)}. "
            "The key has to be its first line of output."
        )
    return clean_key(first, f"The key printed by {program}")


def _run(argv: tuple[str, ...], stop: threading.Event) -> tuple[int | None, bytes, bytes]:
    """Status (None: out of time), output and complaint of a command.

    Not asyncio's own subprocess: up to Python 3.11 its wait lasts until the pipes close, which a child left behind
    in the background may never do, and a cancel while the command starts can hang.
    """
    import subprocess
    import threading
    import time

    program = redact(argv[0])
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_env(os.environ),
            # Its own session: it can neither draw over the app nor take its key presses through /dev/tty.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise CredentialError(
            f"api_key_command: there is no program {program} here. Check the name and PATH."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a zero byte in an argument"
        raise CredentialError(f"api_key_command: {program} cannot be started: {reason}.") from None
    assert process.stdout is not None
    assert process.stderr is not None
    kept = (bytearray(), bytearray())
    readers = [
        threading.Thread(target=_drain, args=(stream, buffer), daemon=True)
        for stream, buffer in zip((process.stdout, process.stderr), kept, strict=True)
    ]
    for reader in readers:
        reader.start()
    status = None
    end = time.monotonic() + COMMAND_SECONDS
    while status is None and time.monotonic() < end and not stop.is_set():
        try:
            status = process.wait(_SLICE)
        except subprocess.TimeoutExpired:
            continue
    if status is None:
        _kill(process)
    for reader in readers:
        # Something in the background may hold the pipe on; what the command itself wrote is read by then.
        reader.join(_GRACE)
    return status, bytes(kept[0]), bytes(kept[1])


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    """Read a stream to its end; only the first 64 KiB is kept."""
    with stream:
        while chunk := os.read(stream.fileno(), _MOST_BYTES):
            kept += chunk[: _MOST_BYTES - len(kept)]


def _kill(process: subprocess.Popen[bytes]) -> None:
    import signal
    import subprocess

    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # The group, since a script's own children would go on running.
            os.killpg(process.pid, signal.SIGKILL)
    # Not for ever: a command that runs as somebody else, as under sudo, may not be ours to kill.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)


def _first_line(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[0].strip() if lines else ""


def _said(complaint: bytes, key: str) -> str:
    text = complaint[: _MOST_BYTES >> 4].decode("utf-8", "replace")
    if key:
        text = text.replace(key, "[redacted]")
    # a password manager may complain about its own token, which looks like nothing known
    text = _TOKEN.sub("[redacted]", redact(printable(text))).strip()
    if len(text) > _MOST_COMPLAINT:
        text = text[: _MOST_COMPLAINT - 1] + "…"
    return f', saying "{text}"' if text else ""


def child_env(env: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child process: as this one, without the variables that hold LiteLLM keys."""
    return {name: value for name, value in env.items() if name not in KEY_VARIABLES}


def _from_file(path: Path) -> Secret:
    try:
        # Not blocking: opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CredentialError(f"api_key_file: {path} is not a file.")
            check_private(path, status)
            data = os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise CredentialError(f"api_key_file: there is no file {path}.") from None
    except FileError as error:
        raise CredentialError(f"api_key_file: {error}") from None
    except OSError as error:
        raise CredentialError(f"api_key_file: {path} cannot be read: {error.strerror}.") from None
    first = _first_line(data)
    if not first:
        raise CredentialError(f"api_key_file: {path} is empty. The key has to be its first line.")
    return clean_key(first, f"The key in {path}")


async def _from_keyring(account: str) -> Secret:
    text = await _keyring_call("get_password", account)
    if not text:
        raise CredentialError(
            f"The system keyring has no key for this profile. Run: keyring set {KEYRING_SERVICE} {account}"
        )
    return clean_key(text, "The key in the system keyring")


async def _keyring_call(name: str, account: str, secret: Secret | None = None) -> str | None:
    import asyncio
    import threading

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def ask() -> None:
        found: str | None = None
        failure: CredentialError | None = None
        try:
            found = _keyring(name, account, secret)
        except CredentialError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(settle, found, failure)

    def settle(found: str | None, failure: CredentialError | None) -> None:
        if answer.done():
            return
        if failure is None:
            answer.set_result(found)
        else:
            answer.set_exception(failure)

    # not the loop's own threads, whose end Python waits for: a back end may ask for a password where nobody sits
    threading.Thread(target=ask, daemon=True, name="keyring").start()
    try:
        async with asyncio.timeout(KEYRING_SECONDS):
            return await answer
    except TimeoutError:
        raise CredentialError(
            f"The system keyring did not answer within {KEYRING_SECONDS:g} s: it is probably locked, and asks for its "
            f"password on a display that is not here. Unlock it there, or {_INSTEAD}."
        ) from None


def _keyring(name: str, account: str, secret: Secret | None) -> str | None:
    try:
        import importlib

        module = importlib.import_module("keyring")
    except ImportError:
        raise CredentialError(
            "This profile has keyring = true, but keyring is not installed. "
            "Run: pip install 'litellm-tui[keyring]', or choose another source."
        ) from None
    arguments = (KEYRING_SERVICE, account, *((secret.reveal(),) if secret else ()))
    try:
        found: str | None = getattr(module, name)(*arguments)
    # Back ends raise whatever they like: D-Bus, locked, none at all.
    except Exception as error:
        said = str(error).replace(secret.reveal(), "[redacted]") if secret else str(error)
        problem = _keyring_problem(type(error).__name__, redact(printable(said)).strip()[:_MOST_COMPLAINT], account)
    else:
        return found
    # Raised outside the handler, since the back end's own error may hold the key.
    raise CredentialError(problem)


def _keyring_problem(kind: str, said: str, account: str) -> str:
    match kind:
        case "NoKeyringError":
            return f"This machine has no system keyring that works, as is usual on jump hosts: {_INSTEAD}."
        case "KeyringLocked":
            return (
                "The system keyring is locked, and was not unlocked. Unlock it (try: keyring get "
                f"{KEYRING_SERVICE} {account}), or {_INSTEAD}."
            )
        case "PasswordSetError":
            return f"The system keyring does not take the key{f' ({said})' if said else ''}: {_INSTEAD}."
    return (
        f"The system keyring does not answer ({kind}{': ' if said else ''}{said}). Jump hosts often have none: "
        f"{_INSTEAD}."
    )
