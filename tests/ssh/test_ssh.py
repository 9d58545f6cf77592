"""The app over a real SSH connection: copying, in tmux and outside, and connections that are lost halfway (S3, S41)."""

import base64
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEMOS
from tests.ssh.conftest import Ssh
from tests.ssh.gateway import Admin, Served
from tests.terminal.driver import Terminal

Place = tuple[Admin, Served | None]
HOLDS = pytest.mark.parametrize("place", [DEMOS[-1]], indirect=True, ids=["embedded"])
"""A gateway on which a call can be held; a real one does not wait."""

# Copying


def copied(client: Terminal, since: int = 0) -> list[str]:
    """What has come to the client's terminal for its clipboard."""
    found = re.findall(rb"\x1b\]52;c?;([A-Za-z0-9+/=]*)(?:\x07|\x1b\\)", client.since(since))
    return [base64.b64decode(each).decode() for each in found]


def make_key(client: Terminal, alias: str) -> str:
    """A new key, on the screen that shows it once; its secret, masked again."""
    client.see("1 Keys")
    client.press("n")
    client.see("New virtual key")
    client.press(f"\x15{alias}")
    client.see(alias)
    client.press("\x13")
    client.see("the one time")
    return secret_on(client)


def secret_on(client: Terminal) -> str:
    """Show the secret, read it, mask it."""

    def words() -> list[str]:
        return [word for word in client.text().split() if word.startswith("sk-") and "•" not in word]

    client.press("v")
    client.until(words, "the secret")
    found = words()[0]
    client.press("v")
    client.until(lambda: not words(), "the mask")
    return found


def leave(client: Terminal) -> None:
    """Quit; the client ends with the app's own code."""
    client.press("q")
    assert client.ended() == 0


def test_login_move_open_and_copy(ssh: Ssh) -> None:
    client = ssh.open(ssh.command("--demo"))
    client.see("1 Keys 13")
    client.see("? help")
    client.press("jj")
    client.press("\r")
    client.see("Created")
    client.press("\x1b")
    client.gone("Created")
    mark = client.mark()
    client.press("y")
    client.see("Sent to the clipboard.")
    client.until(lambda: copied(client, mark), "the id on the client's clipboard")
    assert re.fullmatch("[0-9a-f]{64}", copied(client, mark)[0])

    secret = make_key(client, "over-ssh")
    mark = client.mark()
    client.press("y")
    client.see("Sent to the clipboard.")
    client.until(lambda: copied(client, mark), "the secret on the client's clipboard")
    assert copied(client, mark) == [secret]
    assert not re.search(r"\bcopied\b", client.text(), re.I)
    client.press("D")
    client.gone("the one time")
    leave(client)
    ssh.gone()
    assert ssh.files_with(secret) == []


@pytest.mark.parametrize("term", ["linux", "vt100"])
def test_a_terminal_without_clipboard_is_sent_nothing(ssh: Ssh, term: str) -> None:
    client = ssh.open(ssh.command("--demo"), term=term)
    secret = make_key(client, "over-ssh")
    mark = client.mark()
    client.press("y")
    client.see("Not copied: this terminal has no clipboard.")
    assert b"52;" not in client.since(mark) and base64.b64encode(secret.encode()) not in bytes(client.sent)
    client.press("D")
    client.gone("the one time")
    leave(client)


def test_a_tmux_at_the_persons_own_end_may_drop_it(ssh: Ssh) -> None:
    client = ssh.open(ssh.command("--demo"), term="tmux-256color")
    secret = make_key(client, "over-ssh")
    client.press("y")
    client.see("a tmux or screen on the way may drop it")
    client.until(lambda: copied(client), "the sequence")
    assert copied(client) == [secret]
    client.press("D")
    client.gone("the one time")
    leave(client)


# Copying in a tmux at the far end


class FarTmux:
    """A tmux with its default configuration at the far end, with the app in it; the app's `tmux` may be a fake."""

    def __init__(self, ssh: Ssh) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self.ssh = ssh
        self.program = ssh.folder / "bin" / "tmux"
        self.program.parent.mkdir()

    def open(self, fake: str = "") -> Terminal:
        """Attach to it over SSH; `fake` is a shell script in place of the `tmux` that the app runs."""
        path = os.environ["PATH"]
        if fake:
            self.program.write_text(f"#!/bin/sh\n{fake}\n")
            self.program.chmod(0o755)
            path = f"{self.program.parent}:{path}"
        return self._tmux("new-session", self.ssh.command("--demo", PATH=path))

    def again(self) -> Terminal:
        """Attach to the one that is there, over another connection."""
        return self._tmux("attach-session")

    def _tmux(self, *words: str) -> Terminal:
        settings = [self.ssh.mark, f"TMUX_TMPDIR={self.ssh.folder}", "LANG=C.UTF-8"]
        program = [str(shutil.which("tmux")), "-L", "far", "-f", "/dev/null"]
        return self.ssh.open(f"exec env {shlex.join([*settings, *program, *words])}")

    def run(self, *words: str) -> str:
        """One tmux command there; what it prints."""
        done = subprocess.run(
            ["tmux", "-L", "far", *words],
            env={"PATH": os.environ["PATH"], "TMUX_TMPDIR": str(self.ssh.folder)},
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.stdout

    def holds(self, secret: str) -> list[str]:
        """Where tmux keeps `secret`: buffers by name, "the list", "the history"."""
        names = self.run("list-buffers", "-F", "#{buffer_name}").split()
        kept = [name for name in names if secret in self.run("save-buffer", "-b", name, "-")]
        if secret in self.run("list-buffers"):
            kept.append("the list")
        if secret in self.run("capture-pane", "-p", "-a", "-q") + self.run("show-messages"):
            kept.append("the history")
        return kept


@pytest.fixture
def far(ssh: Ssh) -> Iterator[FarTmux]:
    made = FarTmux(ssh)
    yield made
    made.run("kill-server")


def test_in_tmux_it_goes_through_tmux_which_keeps_nothing(ssh: Ssh, far: FarTmux) -> None:
    client = far.open()
    client.see("1 Keys 13")
    far.run("set-buffer", "the person's own")
    secret = make_key(client, "in-tmux")
    mark = client.mark()
    client.press("y")
    client.see("Sent to the clipboard through tmux.")
    client.until(lambda: copied(client, mark), "the secret on the client's clipboard")
    assert copied(client, mark) == [secret]
    assert far.run("list-buffers", "-F", "#{buffer_sample}").splitlines() == ["the person's own"]
    assert far.holds(secret) == []
    client.press("D")
    client.gone("the one time")
    client.press("q")
    client.ended()
    assert ssh.files_with(secret) == []


def test_a_tmux_that_hangs_is_told_of_and_nothing_is_left(ssh: Ssh, far: FarTmux) -> None:
    called = ssh.folder / "called"
    client = far.open(f'echo "$$ $@" >> {called}; exec sleep 120')
    secret = make_key(client, "in-tmux")
    client.press("y")
    client.see("Not copied: tmux does not answer.")
    (line,) = called.read_text().splitlines()
    assert not Path(f"/proc/{line.split()[0]}").exists()
    assert "load-buffer -w" in line and secret not in line
    assert copied(client) == [] and far.holds(secret) == []
    client.press("D")
    client.gone("the one time")
    client.press("q")
    client.ended()


def test_a_copy_that_the_end_of_the_session_interrupts(ssh: Ssh, far: FarTmux) -> None:
    called = ssh.folder / "called"
    real = shutil.which("tmux")
    # the real one waits for a text that does not end
    client = far.open(
        f'echo $$ > {called}.new; mv {called}.new {called}; head -c 10 | {{ cat; sleep 120; }} | {real} "$@"'
    )
    secret = make_key(client, "in-tmux")
    far.run("new-session", "-d", "-s", "other", "sleep 600")
    client.press("y")
    client.until(called.exists, "the copy to begin")
    assert len(ssh.apps()) == 1
    far.run("kill-session", "-t", "0")
    client.ended()
    client.until(lambda: not ssh.apps(), "the end of the app")
    client.until(lambda: not Path(f"/proc/{called.read_text().strip()}").exists(), "the end of the copy")
    assert far.holds(secret) == [] and far.run("list-buffers") == ""


def test_in_tmux_a_lost_connection_is_come_back_to(ssh: Ssh, far: FarTmux) -> None:
    client = far.open()
    secret = make_key(client, "in-tmux")
    before = ssh.apps()
    ssh.cut(client, "client")
    client.until(lambda: far.run("list-clients") == "", "tmux to notice")
    far.run("send-keys", "y")
    client.until(lambda: "no terminal is attached" in far.run("capture-pane", "-p"), "the sentence")
    assert far.holds(secret) == []
    again = far.again()
    again.see("the one time")
    assert ssh.apps() == before
    again.press("y")
    again.see("Sent to the clipboard through tmux.")
    again.until(lambda: copied(again), "the secret on the clipboard of the terminal that came back")
    assert copied(again) == [secret] and far.holds(secret) == []
    again.press("D")
    again.gone("the one time")
    again.press("q")
    again.ended()


# Lost connections


def start(ssh: Ssh, admin: Admin, user: str, alias: str) -> tuple[Terminal, dict[str, Any]]:
    """The app over SSH on a user with one key; the client, and the key as it was made."""
    made: dict[str, Any] = admin.post(
        "/key/generate", {"user_id": user, "key_alias": alias, "models": ["gpt-4o"], "metadata": {"keep": 1}}
    )
    ssh.profile(admin, user)
    client = ssh.open(ssh.command())
    client.see("1 Keys 1")
    return client, made


def nothing_left(ssh: Ssh, admin: Admin, *secrets: str) -> None:
    """No process, and no secret in a file but the one that the person keeps the key in."""
    ssh.gone()
    assert ssh.files_with(*secrets) == []
    assert ssh.files_with(admin.master_key) == [ssh.home / "config" / "litellm-tui" / "key"]


def no_secret_is_seen_in(ssh: Ssh, *secrets: str) -> None:
    """Neither the arguments nor the environment of what runs at the far end hold one."""
    for pid in ssh.processes():
        seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        assert not [secret for secret in secrets if secret.encode() in seen]


@pytest.mark.parametrize("cut", ["client", "server"])
def test_cut_off_in_the_middle_of_an_edit(ssh: Ssh, place: Place, user: str, cut: str) -> None:
    """Typed and not sent: nothing happened."""
    admin, served = place
    client, made = start(ssh, admin, user, f"{user}-key")
    before = admin.keys(user)
    writes = len(served.writes()) if served else 0
    client.press("e")
    client.see("Edit")
    client.press("\x1b[B\x1b[B")
    client.press("12.50")
    client.see("12.50")
    no_secret_is_seen_in(ssh, admin.master_key, made["key"])
    ssh.cut(client, cut)
    nothing_left(ssh, admin, made["key"])
    assert admin.keys(user) == before
    if served:
        assert len(served.writes()) == writes


@HOLDS
@pytest.mark.parametrize("after", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("cut", ["client", "server"])
def test_cut_off_while_an_edit_is_on_its_way(ssh: Ssh, place: Place, user: str, cut: str, after: bool) -> None:
    """One call, whole: the gateway does all of it, whoever waits for the answer."""
    admin, served = place
    assert served is not None
    client, made = start(ssh, admin, user, f"{user}-key")
    (before,) = admin.keys(user).values()
    writes = len(served.writes())
    client.press("e")
    client.see("Edit")
    client.press("\x1b[B\x1b[B")
    client.press("12.50")
    client.see("12.50")
    served.hold("/key/update", after=after)
    client.press("\x13")
    client.until(served.held.is_set, "the call")
    ssh.cut(client, cut)
    nothing_left(ssh, admin, made["key"])
    served.go_on()
    client.until(lambda: len(served.writes()) > writes, "the gateway to be done")
    assert served.writes()[writes:] == ["/key/update"]
    (now,) = admin.keys(user).values()
    changed = {name for name in now if now[name] != before.get(name) and "updated" not in name}
    assert now["max_budget"] == 12.5 and changed == {"max_budget"}


def rotate(client: Terminal) -> str:
    """Rotate up to where both keys work; the new secret."""
    client.press("r")
    client.see("Rotate")
    client.press("\x13")
    client.see("I have it")
    return secret_on(client)


@pytest.mark.parametrize(("cut", "then"), [("client", "undo"), ("server", "finish")])
def test_cut_off_in_the_middle_of_a_rotation(ssh: Ssh, place: Place, user: str, cut: str, then: str) -> None:
    """Both keys work, and the next start offers to finish or to undo."""
    admin, _ = place
    alias = f"{user}-key"
    client, made = start(ssh, admin, user, alias)
    secret = rotate(client)
    no_secret_is_seen_in(ssh, admin.master_key, made["key"], secret)
    ssh.cut(client, cut)
    nothing_left(ssh, admin, made["key"], secret)
    assert len(admin.keys(user)) == 2 and admin.works(made["key"]) and admin.works(secret)

    again = answered(ssh)
    again.see("f finish")
    again.press("f" if then == "finish" else "u")
    bring_to_an_end(again, then)
    again.gone("rotation unfinished")
    keys = admin.keys(user)
    assert keys[alias]["metadata"]["keep"] == 1 and keys[alias]["models"] == ["gpt-4o"]
    if then == "undo":
        assert list(keys) == [alias]
        assert admin.works(made["key"]) and not admin.works(secret)
    else:
        assert admin.works(secret)
        assert keys[alias]["token"] != made["token"]
        assert all(name == alias or key["expires"] for name, key in keys.items())
    leave(again)
    nothing_left(ssh, admin, made["key"], secret)


def answered(ssh: Ssh) -> Terminal:
    """The next start, once its list is the gateway's: over that of last time no key does anything."""
    again = ssh.open(ssh.command())
    again.see("⏎ open")
    again.see("rotation unfinished: both keys work")
    again.quiet()
    return again


def bring_to_an_end(client: Terminal, then: str) -> None:
    """Answer what is asked."""
    client.see("Finish" if then == "finish" else "Undo")
    client.press("y")


@HOLDS
def test_cut_off_while_the_new_key_is_made(ssh: Ssh, place: Place, user: str) -> None:
    """Its secret was in an answer that nobody heard: the next start lists it, and undo deletes it."""
    admin, served = place
    assert served is not None
    client, made = start(ssh, admin, user, f"{user}-key")
    served.hold("/key/generate", after=True)
    client.press("r")
    client.see("Rotate")
    client.press("\x13")
    client.until(served.held.is_set, "the call")
    ssh.cut(client, "client")
    nothing_left(ssh, admin, made["key"])
    served.go_on()
    assert len(admin.keys(user)) == 2

    again = answered(ssh)
    again.press("u")
    bring_to_an_end(again, "undo")
    again.gone("rotation unfinished")
    assert list(admin.keys(user)) == [f"{user}-key"] and admin.works(made["key"])
    leave(again)
