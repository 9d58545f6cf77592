"""Copying through the terminal, and through a real tmux on a socket of its own."""

from __future__ import annotations

import base64
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import clipboard, config

SECRET = "sk-clipboard-test-0123456789"
XTERM = {"TERM": "xterm-256color"}


def decoded(sequence: str) -> str:
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", sequence)
    assert found, sequence
    return base64.b64decode(found[1]).decode()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_osc52_carries_the_text(text: str) -> None:
    written: list[str] = []
    result = clipboard.copy(text, env=XTERM, write=written.append)
    assert result == clipboard.CopyResult("osc52", "Sent to the clipboard.")
    assert [decoded(one) for one in written] == [text]


# a VT100 would print the sequence with the secret in it; screen names the terminal that it runs in
@pytest.mark.parametrize("term", ["", "dumb", "linux", "vt100", "vt220", "screen.linux"])
def test_a_terminal_without_clipboard_says_so(term: str) -> None:
    written: list[str] = []
    result = clipboard.copy(SECRET, env={"TERM": term}, write=written.append)
    assert (result.method, result.sent, written) == ("none", False, [])
    assert result.sentence == "Not copied: this terminal has no clipboard."


def test_nowhere_to_write() -> None:
    assert clipboard.copy(SECRET, env=XTERM, write=None).method == "none"


def test_a_terminal_that_is_gone() -> None:
    def gone(_: str) -> None:
        raise OSError

    assert clipboard.copy(SECRET, env=XTERM, write=gone).method == "none"


def test_nothing_and_too_much() -> None:
    written: list[str] = []
    assert "nothing to copy" in clipboard.copy("", env=XTERM, write=written.append).sentence
    long = clipboard.copy("x" * (clipboard.LIMIT + 1), env=XTERM, write=written.append)
    assert (long.method, written) == ("none", [])
    assert long.sentence == "Not copied: the text is over 12,000 bytes."
    assert clipboard.copy("x" * clipboard.LIMIT, env=XTERM, write=written.append).sent
    # what mosh 1.4 hands on before it cuts
    assert len(base64.b64encode(b"x" * clipboard.LIMIT)) <= 16_384


@pytest.mark.parametrize("term", ["screen-256color", "tmux-256color", "screen.xterm-256color"])
def test_a_tmux_at_the_other_end_of_an_ssh_is_warned_about(term: str) -> None:
    written: list[str] = []
    result = clipboard.copy(SECRET, env={"TERM": term}, write=written.append)
    assert result.sentence == "Sent to the clipboard; a tmux or screen on the way may drop it."
    assert decoded(written[0]) == SECRET


def test_gnu_screen_gets_pieces_that_it_can_hold() -> None:
    written: list[str] = []
    text = SECRET * 30
    result = clipboard.copy(text, env={"TERM": "screen", "STY": "1.pts"}, write=written.append)
    assert result == clipboard.CopyResult("osc52", "Sent to the clipboard through GNU screen.")
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", written[0], re.S)
    assert all(len(piece) < 256 for piece in pieces) and len(pieces) > 1
    assert written[0] == "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    assert decoded("".join(pieces)) == text


def test_the_configuration_has_the_last_word(tmp_path: Path) -> None:
    written: list[str] = []
    none = clipboard.copy(SECRET, env=XTERM, write=written.append, choice="none")
    assert (none.method, none.sentence) == ("none", 'Not copied: the configuration says clipboard = "none".')
    outside = clipboard.copy(SECRET, env=XTERM, write=written.append, choice="tmux")
    assert (outside.method, "not in tmux" in outside.sentence) == ("none", True)
    assert written == []
    called = tmp_path / "called"
    env = fake_tmux(tmp_path, f"touch {called}")
    assert clipboard.copy(SECRET, env=env, write=written.append, choice="osc52").method == "osc52"
    assert decoded(written.pop()) == SECRET
    assert not called.exists()
    gone = clipboard.copy(
        SECRET, env=fake_tmux(tmp_path, "cat >/dev/null; exit 1"), write=written.append, choice="tmux"
    )
    assert (gone.method, "is gone" in gone.sentence, written) == ("none", True, [])


def test_the_configuration_knows_the_word(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch(0o600)
    for word in ("auto", "osc52", "tmux", "none"):
        path.write_text(f'clipboard = "{word}"\n')
        assert config.load(path, {}).clipboard == word
    path.write_text("")
    assert config.load(path, {}).clipboard == "auto"
    path.write_text('clipboard = "xclip"\n')
    with pytest.raises(config.ConfigError, match=r'line 1, clipboard: .*"auto", "osc52", "tmux" or "none"'):
        config.load(path, {})


def fake_tmux(folder: Path, script: str) -> dict[str, str]:
    program = folder / "tmux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {**XTERM, "TMUX": "/nowhere,1,0", "PATH": f"{folder}:/usr/bin:/bin"}


def test_old_tmux_gets_a_wrapped_sequence(tmp_path: Path) -> None:
    env = fake_tmux(tmp_path, 'cat >/dev/null; case "$*" in *" -w "*) echo "usage: load-buffer" >&2;; esac; exit 1')
    written: list[str] = []
    result = clipboard.copy(SECRET, env=env, write=written.append)
    inner = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\", written[0], re.S)
    assert inner
    assert decoded(inner[1].replace("\x1b\x1b", "\x1b")) == SECRET
    assert (result.method, "may drop it" in result.sentence) == ("osc52", True)


def test_a_tmux_that_hangs_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "_SECONDS", 0.2)
    written: list[str] = []
    result = clipboard.copy(SECRET, env=fake_tmux(tmp_path, "exec sleep 60"), write=written.append)
    assert (result.method, result.sentence, written) == ("none", "Not copied: tmux does not answer.", [])


def test_another_users_tmux_gets_a_wrapped_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # it keeps none of it; a bare one might end in one of its buffers
    def refused(path: str) -> None:
        assert path == "/nowhere"
        raise PermissionError

    env = fake_tmux(tmp_path, 'cat >/dev/null; echo "error connecting to /nowhere" >&2; exit 1')
    monkeypatch.setattr(os, "stat", refused)
    written: list[str] = []
    result = clipboard.copy(SECRET, env=env, write=written.append)
    assert (result.method, result.sentence) == ("osc52", "Sent to the clipboard; this tmux may drop it.")
    assert written[0].startswith("\x1bPtmux;")


def test_stale_tmux_variable_falls_back_to_the_terminal(tmp_path: Path) -> None:
    env = fake_tmux(tmp_path, 'cat >/dev/null; echo "error connecting to /nowhere" >&2; exit 1')
    written: list[str] = []
    assert clipboard.copy(SECRET, env=env, write=written.append).method == "osc52"
    assert decoded(written[0]) == SECRET


def test_no_tmux_program(tmp_path: Path) -> None:
    written: list[str] = []
    env = {**XTERM, "TMUX": "/nowhere,1,0", "PATH": str(tmp_path)}
    result = clipboard.copy(SECRET, env=env, write=written.append)
    assert (result.method, "may drop it" in result.sentence) == ("osc52", True)
    assert written[0].startswith("\x1bPtmux;")


def test_the_child_gets_the_text_on_stdin_only(tmp_path: Path) -> None:  # S3
    log = tmp_path / "log"
    env = fake_tmux(tmp_path, f'echo "$@" >{log}; env >>{log}; cat >{tmp_path}/stdin')
    clipboard.copy(SECRET, env={**env, "LITELLM_API_KEY": SECRET}, write=None)
    assert SECRET not in log.read_text()
    assert (tmp_path / "stdin").read_text() == SECRET


class Tmux:
    """A real tmux server with its default configuration, and one client on a terminal of our own."""

    def __init__(self, folder: Path, term: str = "xterm-256color") -> None:
        # short: under xdist the folder is long, and a socket path holds 107 characters
        self.name = f"lt{os.getpid()}-{time.monotonic_ns() % 100_000}"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMUX_TMPDIR": str(folder), "TERM": term}
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sleep 600")
        self.master, slave = pty.openpty()
        self.client = subprocess.Popen(
            ["tmux", "-L", self.name, "attach"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self.env,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""
        self.until(lambda: self.run("list-clients") != "")
        found = self.run("display-message", "-p", "#{socket_path},#{pid},#{session_id}")
        self.inside = {**self.env, "TMUX": found.replace("$", "")}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.name, *arguments], env=self.env, capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip()

    def until(self, condition: object) -> None:
        """Read what the client draws until the condition holds."""
        assert callable(condition)
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.seen[-2000:]
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536)

    def close(self) -> None:
        self.run("kill-server")
        self.client.kill()
        self.client.wait()
        os.close(self.master)

    def signal(self, number: int) -> None:
        """Send a signal to the server."""
        os.kill(int(self.inside["TMUX"].split(",")[1]), number)


@pytest.fixture
def tmux(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = Tmux(tmp_path, getattr(request, "param", "xterm-256color"))
    try:
        yield server
    finally:
        server.close()


def test_real_tmux_passes_it_on_and_keeps_nothing(tmux: Tmux) -> None:
    written: list[str] = []
    result = clipboard.copy(SECRET, env=tmux.inside, write=written.append)
    assert (result.method, result.sentence) == ("tmux", "Sent to the clipboard through tmux.")
    assert written == []
    assert SECRET not in result.sentence
    wanted = base64.b64encode(SECRET.encode())
    tmux.until(lambda: wanted in tmux.seen)
    assert re.search(rb"\x1b\]52;[a-z]*;" + re.escape(wanted), tmux.seen)
    assert tmux.run("list-buffers") == ""


def test_real_tmux_keeps_the_person_s_own_buffers(tmux: Tmux) -> None:
    tmux.run("set-buffer", "mine")
    assert clipboard.copy(SECRET, env=tmux.inside, write=None).method == "tmux"
    assert tmux.run("show-buffer") == "mine"
    assert SECRET not in tmux.run("list-buffers")


def test_a_tmux_server_that_has_ended(tmux: Tmux) -> None:
    tmux.run("kill-server")
    written: list[str] = []
    assert clipboard.copy(SECRET, env=tmux.inside, write=written.append).method == "osc52"
    assert decoded(written[0]) == SECRET


@pytest.mark.parametrize("setting", ["off", "external", "on"])
def test_real_tmux_passes_it_on_whatever_it_does_with_programs(tmux: Tmux, setting: str) -> None:
    tmux.run("set-option", "-s", "set-clipboard", setting)
    assert clipboard.copy(SECRET, env=tmux.inside, write=None).method == "tmux"
    tmux.until(lambda: base64.b64encode(SECRET.encode()) in tmux.seen)
    assert tmux.run("list-buffers") == ""


@pytest.mark.parametrize("tmux", ["linux", "vt100"], indirect=True)
def test_real_tmux_on_a_console(tmux: Tmux) -> None:
    written: list[str] = []
    result = clipboard.copy(SECRET, env=tmux.inside, write=written.append)
    assert result.sentence == "Not copied: the terminal that tmux runs in has no clipboard."
    assert (result.method, written, tmux.run("list-buffers")) == ("none", [], "")


@pytest.mark.parametrize("tmux", ["tmux-256color"], indirect=True)
def test_real_tmux_in_another(tmux: Tmux) -> None:
    result = clipboard.copy(SECRET, env=tmux.inside, write=None)
    assert result.sentence == "Sent to the clipboard through tmux; a tmux or screen on the way may drop it."


def test_real_tmux_that_nobody_looks_at(tmux: Tmux) -> None:
    tmux.run("detach-client", "-a")
    tmux.run("detach-client")
    tmux.until(lambda: tmux.run("list-clients") == "")
    result = clipboard.copy(SECRET, env=tmux.inside, write=None)
    assert (result.method, result.sentence) == ("none", "Not copied: no terminal is attached to this tmux.")
    assert tmux.run("list-buffers") == ""


def test_real_tmux_that_hangs_keeps_nothing_when_it_goes_on(tmux: Tmux, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "_SECONDS", 0.3)
    written: list[str] = []
    tmux.signal(signal.SIGSTOP)
    try:
        result = clipboard.copy(SECRET, env=tmux.inside, write=written.append)
    finally:
        tmux.signal(signal.SIGCONT)
    assert (result.sentence, written) == ("Not copied: tmux does not answer.", [])
    assert (tmux.run("list-buffers"), base64.b64encode(SECRET.encode()) in tmux.seen) == ("", False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_copy_that_is_killed_halfway_leaves_no_buffer(tmux: Tmux, tmp_path: Path, number: int) -> None:
    """At several moments: before tmux asks for the text, with half of it there, with all of it sent."""
    halves = (SECRET.encode()[:14], SECRET.encode()[14:])
    for sent in range(3):
        record = tmp_path / f"arguments-{sent}"
        env = fake_tmux(tmp_path, f'printf "%s\\n" "$@" >{record}; cat >/dev/null')
        clipboard.copy(SECRET, env={**env, "PATH": f"{tmp_path}:/usr/bin:/bin"}, write=None)
        child = subprocess.Popen(
            ["tmux", *record.read_text().splitlines()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=tmux.inside
        )
        assert child.stdin is not None and child.stdout is not None
        # the first command's answer: the second one waits for the text
        assert child.stdout.readline() == b"xterm-256color\n"
        tmux.signal(signal.SIGSTOP)
        for half in halves[:sent]:
            child.stdin.write(half)
            child.stdin.flush()
        if sent == 2:
            child.stdin.close()
        child.send_signal(number)
        child.wait(10)
        child.stdout.close()
        if sent < 2:
            child.stdin.close()
        tmux.signal(signal.SIGCONT)
        assert tmux.run("list-buffers") == ""


@pytest.mark.skipif(shutil.which("screen") is None, reason="GNU screen is not installed")
def test_real_gnu_screen_passes_it_on(tmp_path: Path) -> None:
    text = SECRET * 30
    code = f"import os, sys; from tui.clipboard import copy; copy({text!r}, env=os.environ, write=sys.stdout.write)"
    program = tmp_path / "program.py"
    program.write_text(f"{code}; sys.stdout.flush(); sys.stdin.read()")
    sockets = tmp_path / "s"
    sockets.mkdir(mode=0o700)
    master, slave = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SCREENDIR": str(sockets), **XTERM}
    screen = subprocess.Popen(
        ["screen", "-c", "/dev/null", sys.executable, str(program)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**env, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )
    os.close(slave)
    try:
        seen = b""
        end = time.monotonic() + 20
        while f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07".encode() not in seen:
            assert time.monotonic() < end, seen[-2000:]
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 65536)
    finally:
        subprocess.run(["screen", "-X", "quit"], env=env, capture_output=True, check=False, timeout=10)
        screen.kill()
        screen.wait()
        os.close(master)
