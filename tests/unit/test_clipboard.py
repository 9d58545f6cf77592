"""Copying through the terminal, and through a real tmux on a socket of its own."""

from __future__ import annotations

import base64
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import clipboard

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


@pytest.mark.parametrize("term", ["", "dumb", "linux"])
def test_a_terminal_without_clipboard_says_so(term: str) -> None:
    written: list[str] = []
    result = clipboard.copy(SECRET, env={"TERM": term}, write=written.append)
    assert (result.method, result.sent, written) == ("none", False, [])
    assert "write it to a file" in result.sentence


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
    assert "Too long" in long.sentence
    assert clipboard.copy("x" * clipboard.LIMIT, env=XTERM, write=written.append).sent


def test_gnu_screen_is_warned_about() -> None:
    result = clipboard.copy(SECRET, env={**XTERM, "STY": "1.pts"}, write=lambda _: None)
    assert (result.method, "may drop it" in result.sentence) == ("osc52", True)


def fake_tmux(folder: Path, script: str) -> dict[str, str]:
    program = folder / "tmux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {**XTERM, "TMUX": "/nowhere,1,0", "PATH": f"{folder}:/usr/bin:/bin"}


def test_old_tmux_gets_a_wrapped_sequence(tmp_path: Path) -> None:
    env = fake_tmux(
        tmp_path, 'cat >/dev/null; [ "$1" = load-buffer ] && { echo "usage: load-buffer" >&2; exit 1; }; exit 1'
    )
    written: list[str] = []
    result = clipboard.copy(SECRET, env=env, write=written.append)
    inner = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\", written[0], re.S)
    assert inner
    assert decoded(inner[1].replace("\x1b\x1b", "\x1b")) == SECRET
    assert (result.method, "may drop it" in result.sentence) == ("osc52", True)


def test_stale_tmux_variable_falls_back_to_the_terminal(tmp_path: Path) -> None:
    env = fake_tmux(tmp_path, 'cat >/dev/null; echo "error connecting to /nowhere" >&2; exit 1')
    written: list[str] = []
    assert clipboard.copy(SECRET, env=env, write=written.append).method == "osc52"
    assert decoded(written[0]) == SECRET


def test_no_tmux_program(tmp_path: Path) -> None:
    written: list[str] = []
    env = {**XTERM, "TMUX": "/nowhere,1,0", "PATH": str(tmp_path)}
    assert clipboard.copy(SECRET, env=env, write=written.append).method == "osc52"


def test_the_child_gets_the_text_on_stdin_only(tmp_path: Path) -> None:  # S3
    log = tmp_path / "log"
    env = fake_tmux(tmp_path, f'echo "$@" >{log}; env >>{log}; cat >{tmp_path}/stdin')
    clipboard.copy(SECRET, env={**env, "LITELLM_API_KEY": SECRET}, write=None)
    assert SECRET not in log.read_text()
    assert (tmp_path / "stdin").read_text() == SECRET


class Tmux:
    """A real tmux server with its default configuration, and one client on a terminal of our own."""

    def __init__(self, folder: Path) -> None:
        # short: under xdist the folder is long, and a socket path holds 107 characters
        self.name = f"lt{os.getpid()}-{time.monotonic_ns() % 100_000}"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMUX_TMPDIR": str(folder)} | XTERM
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


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = Tmux(tmp_path)
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
