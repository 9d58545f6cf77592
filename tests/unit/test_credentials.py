"""Keys: fetched from where the profile says, and never seen on the way."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import getpass
import io
import json
import os
import pickle
import select
import shlex
import signal
import sys
import traceback
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import credentials
from tui.credentials import (
    AskError,
    AskKey,
    CommandKey,
    Credential,
    CredentialError,
    EnvKey,
    FileKey,
    HeldKey,
    KeyringKey,
    Secret,
    ask_key,
    clean_key,
    read_key,
    store_key,
)

KEY = "sk-credential-test-0123456789"


def shell(script: str) -> CommandKey:
    return CommandKey(("/bin/sh", "-c", script))


async def refusal(credential: Credential) -> str:
    with pytest.raises(CredentialError) as caught:
        await read_key(credential)
    # S3: neither the text nor anything that rides along with it.
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(caught.value.__context__)
    return str(caught.value)


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r:>12}".format, lambda s: f"{[s]}", lambda s: f"{s:s}"])
def test_a_secret_does_not_show(show: types.FunctionType) -> None:  # S3
    assert "Secret(…)" in show(Secret(KEY))
    assert KEY not in show(Secret(KEY))


def test_a_secret_is_not_written_out() -> None:  # S3
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(Secret(KEY))
        assert KEY not in str(caught.value)
    assert not hasattr(Secret(KEY), "__dict__")
    held = HeldKey(Secret(KEY))
    assert KEY not in f"{held} {dataclasses.asdict(held)} {held.describe()}"
    assert KEY not in f"{EnvKey('X', Secret(KEY))}"


def test_secrets_compare_by_value() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret(KEY) != KEY
    assert Secret("é") == Secret("é")
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert copy.deepcopy(Secret(KEY)).reveal() == KEY


@pytest.mark.parametrize("text", [KEY, f"  {KEY}\n", f"\t{KEY}\r\n\r\n"])
def test_blanks_around_a_key_are_dropped(text: str) -> None:
    assert clean_key(text).reveal() == KEY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"Bearer {KEY}", "the word Bearer"),
        (f"bearer {KEY}", "the word Bearer"),
        (f"{KEY}…", "not ASCII"),
        (f"“{KEY}”", "not ASCII"),
        (f"{KEY} {KEY}", "a blank"),
        (f"{KEY}\n{KEY}", "a line break"),
        (f"{KEY}\x00x", "control character"),
        (f"{KEY}\x1b[0m", "control character"),
    ],
)
def test_what_no_key_is(text: str, reason: str) -> None:
    with pytest.raises(CredentialError, match=reason) as caught:
        clean_key(text, "The key in X")
    assert str(caught.value).startswith("The key in X ")
    assert "sk-" not in str(caught.value)


@given(st.text())
def test_every_key_fits_a_header(text: str) -> None:
    try:
        key = clean_key(text).reveal()
    except CredentialError:
        return
    assert key == text.strip()
    assert all("!" <= c <= "~" for c in key)


async def test_from_memory_and_environment() -> None:
    assert await read_key(HeldKey(Secret(KEY))) == Secret(KEY)
    assert await read_key(EnvKey("X", Secret(f" {KEY}\n"))) == Secret(KEY)
    assert "variable X is not set" in await refusal(EnvKey("X", None))
    assert "The key in X has characters" in await refusal(EnvKey("X", Secret(KEY + "é")))


async def test_nothing_configured_is_its_own_error() -> None:
    with pytest.raises(AskError, match="No key is configured"):
        await read_key(AskKey())


@pytest.mark.parametrize("script", [f"echo {KEY}", f"echo; echo {KEY}; echo second line", f"printf %s {KEY}"])
async def test_a_command_s_first_line(script: str) -> None:
    assert await read_key(shell(script)) == Secret(KEY)


async def test_a_command_has_no_shell() -> None:
    credential = CommandKey(("/bin/echo", "$HOME;x"))
    assert (await read_key(credential)).reveal() == "$HOME;x"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "failed with status 3."),
        ("echo locked >&2; exit 1", 'status 1, saying "locked".'),
        (f"echo {KEY}; exit 1", "status 1."),
        (f"echo {KEY} >&2; exit 1", 'saying "sk-[redacted]"'),
        ("echo plain-secret; echo no plain-secret >&2; exit 1", 'saying "no [redacted]"'),
        ("printf '\\033[31mred\\nline\\007' >&2; exit 1", 'saying "[31mred line"'),
        ("kill -9 $$", "ended by signal 9"),
        ("true", "printed nothing."),
        ("echo; echo", "printed nothing."),
        ("echo é", "not ASCII"),
        ("echo two words", "a blank"),
    ],
)
async def test_a_command_that_does_not_deliver(script: str, reason: str) -> None:
    text = await refusal(shell(script))
    assert reason in text
    assert "/bin/sh" in text


async def test_a_long_complaint_is_cut() -> None:
    text = await refusal(shell("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1"))
    assert text.count("x") <= 200
    assert "…" in text


async def test_much_output_is_no_hang_and_no_memory() -> None:
    text = await refusal(shell("head -c 3000000 /dev/zero | tr '\\0' '\\351'"))
    assert "not ASCII" in text


async def test_commands_that_cannot_start(tmp_path: Path) -> None:
    assert "no program no-such-program" in await refusal(CommandKey(("no-such-program",)))
    (tmp_path / "f").write_text("")
    assert "cannot be started: Permission denied" in await refusal(CommandKey((str(tmp_path / "f"),)))
    assert "zero byte" in await refusal(CommandKey(("echo", "a\0b")))


async def test_a_command_has_neither_stdin_nor_terminal_nor_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in credentials.KEY_VARIABLES:
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("VAULT_TOKEN", "kept")
    script = "cat; (: </dev/tty) 2>/dev/null && echo tty; env | grep -c sk-; echo $VAULT_TOKEN >&2; exit 1"
    text = await refusal(shell(script))
    assert 'saying "kept"' in text
    script = "{ cat; (: </dev/tty) 2>/dev/null && echo tty; env | grep sk-; } | wc -c"
    assert (await read_key(shell(script))).reveal() == "0"


def gone(pid: int) -> bool:
    """Whether a process has ended, or does so within 5 s."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


async def test_a_command_that_hangs_is_stopped_with_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(credentials, "COMMAND_SECONDS", 0.3)
    pids = tmp_path / "pids"
    text = await refusal(shell(f"sleep 600 & echo $! $$ >{shlex.quote(str(pids))}; wait"))
    assert "did not end within 0.3 s" in text
    for pid in map(int, pids.read_text().split()):
        assert await asyncio.to_thread(gone, pid)


async def test_something_left_in_the_background_is_no_hang(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"setsid sleep 600 & echo $! >{shlex.quote(str(pid))}; echo {KEY}"
    try:
        async with asyncio.timeout(10):
            assert await read_key(shell(script)) == Secret(KEY)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


async def test_a_command_that_may_not_be_killed_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def not_ours(*_: object) -> None:
        raise PermissionError

    pid = tmp_path / "pid"
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "COMMAND_SECONDS", 0.3)
        patch.setattr(os, "killpg", not_ours)
        async with asyncio.timeout(10):
            text = await refusal(shell(f"echo $$ >{shlex.quote(str(pid))}; exec sleep 600"))
    assert "did not end" in text
    os.kill(int(pid.read_text()), signal.SIGKILL)


async def test_cancelling_ends_the_command(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = asyncio.create_task(read_key(shell(f"echo $$ >{shlex.quote(str(pipe))}; sleep 600")))
    pid = int(await asyncio.to_thread(pipe.read_text))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(gone, pid)


def key_file(path: Path, data: bytes, mode: int = 0o600) -> FileKey:
    path.write_bytes(data)
    path.chmod(mode)
    return FileKey(path)


@pytest.mark.parametrize("data", [KEY.encode(), f"{KEY}\r\n".encode(), f"\n {KEY} \n# note\n".encode()])
async def test_a_file_s_first_line(tmp_path: Path, data: bytes) -> None:
    assert await read_key(key_file(tmp_path / "key", data)) == Secret(KEY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
async def test_a_loose_file_is_refused_with_the_command(tmp_path: Path, mode: int) -> None:
    credential = key_file(tmp_path / "key", KEY.encode(), mode)
    assert f"Run: chmod 600 {tmp_path / 'key'}" in await refusal(credential)


async def test_files_that_are_no_use(tmp_path: Path) -> None:
    assert "there is no file" in await refusal(FileKey(tmp_path / "none"))
    assert "is empty" in await refusal(key_file(tmp_path / "empty", b"\n"))
    assert "not ASCII" in await refusal(key_file(tmp_path / "binary", b"\xff\xfe\x00"))
    assert "is not a file" in await refusal(FileKey(tmp_path))
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is not a file" in await refusal(FileKey(tmp_path / "pipe"))


class Ring(types.ModuleType):
    """A keyring back end in memory."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, account: str) -> str | None:
        return self.held.get((service, account))

    def set_password(self, service: str, account: str, password: str) -> None:
        self.held[service, account] = password


async def test_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert "Run: keyring set litellm-tui work" in await refusal(KeyringKey("work"))
    await store_key("work", Secret(KEY))
    assert ring.held == {("litellm-tui", "work"): KEY}
    assert await read_key(KeyringKey("work")) == Secret(KEY)


async def test_keyring_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'litellm-tui[keyring]'" in await refusal(KeyringKey("work"))


async def test_keyring_that_fails_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Ring):
        def get_password(self, service: str, account: str) -> str | None:
            raise RuntimeError(f"no D-Bus\n\x1b[1m {KEY}")

        def set_password(self, service: str, account: str, password: str) -> None:
            raise RuntimeError(f"cannot keep {password}")

    monkeypatch.setitem(sys.modules, "keyring", Broken())
    text = await refusal(KeyringKey("work"))
    assert "RuntimeError: no D-Bus" in text
    assert "api_key_file" in text
    assert "\x1b" not in text
    with pytest.raises(CredentialError, match="cannot keep") as caught:
        await store_key("work", Secret("not-an-sk-key"))
    assert "not-an-sk-key" not in str(caught.value)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return f"{KEY}\r"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", typed)
    assert ask_key("work, llm.example.com") == Secret(KEY)
    assert asked == ["Key for work, llm.example.com: "]


def test_asking_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: pytest.fail("asked"))
    for stdin in (io.StringIO(KEY), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(CredentialError, match="LITELLM_TUI_API_KEY"):
            ask_key("work")


def test_asking_never_echoes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fallback(prompt: str) -> str:
        import warnings

        warnings.warn("Can not control echo", getpass.GetPassWarning, stacklevel=2)
        return KEY

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", fallback)
    with pytest.raises(CredentialError, match="No key was typed"):
        ask_key("work")


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (EnvKey("X", Secret(KEY)), "the environment variable X"),
        (CommandKey(("pass", "show", "llm")), "the command pass"),
        (FileKey(Path("/k")), "the file /k"),
        (KeyringKey("work"), "the system keyring (litellm-tui, work)"),
        (AskKey(), "asked for at start"),
        (HeldKey(Secret(KEY)), "typed at start"),
    ],
)
def test_where_a_key_comes_from_in_words(credential: Credential, words: str) -> None:
    assert credential.describe() == words
