"""What lies on the disk: who can read it, whose it is, and what a kill leaves."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tui.config import ConfigError, default_path, load, save_profile
from tui.credentials import CredentialError, FileKey, Secret, read_key
from tui.envfile import get_variable, set_variable
from tui.files import TEMPORARY, write_private

OLD, NEW = "sk-old-0123456789abcdef", "sk-new-fedcba9876543210"
PROFILE = '[profiles.work]\nurl = "https://llm.example.com"\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default configuration, private."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LITELLM_TUI_CONFIG", raising=False)
    write_private(default_path(), PROFILE)
    return default_path()


def refusal(path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return str(caught.value)


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_a_looser_one_is_refused_and_the_command_mends_it(config: Path, what: str, bit: int) -> None:
    assert load(None, {}).profiles
    loose = config if what == "file" else config.parent
    loose.chmod(stat.S_IMODE(loose.stat().st_mode) | bit)
    text = refusal()
    command = text.rpartition("Run: ")[2]
    assert command == f"chmod {'600' if what == 'file' else '700'} {loose}"
    subprocess.run(command, shell=True, check=True)
    assert load(None, {}).profiles


def test_a_path_with_signs_gets_a_command_that_works(tmp_path: Path) -> None:
    path = tmp_path / "it's a $HOME; file" / "config.toml"
    write_private(path, PROFILE)
    path.chmod(0o644)
    subprocess.run(refusal(path).rpartition("Run: ")[2], shell=True, check=True)
    assert load(path, {}).profiles


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_belongs_to_somebody_else_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The command that mends it needs root; it is the right one for this path."""
    wanted = config if what == "file" else config.parent
    me = os.geteuid()
    with monkeypatch.context() as patch:
        _owned_by(patch, wanted, me + 4242)
        text = refusal()
    assert "belongs to another user" in text and text.endswith(f'sudo chown "$(id -un)" {wanted}')
    with monkeypatch.context() as patch:
        _owned_by(patch, wanted, 0)
        assert load(None, {}).profiles


def _owned_by(monkeypatch: pytest.MonkeyPatch, path: Path, uid: int) -> None:
    """Have the file at `path` look as if `uid` owned it; chown is root's alone."""
    number = path.stat().st_ino
    real, real_fstat = Path.stat, os.fstat

    def changed(found: os.stat_result) -> os.stat_result:
        fields = list(found)
        if found.st_ino == number:
            fields[stat.ST_UID] = uid
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "stat", lambda self, **more: changed(real(self, **more)))
    monkeypatch.setattr(os, "fstat", lambda descriptor: changed(real_fstat(descriptor)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_a_file_that_was_really_given_away(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, f"{NEW}\n")
    os.chown(path, 65534, -1)
    with pytest.raises(CredentialError, match="belongs to another user") as caught:
        await read_key(FileKey(path))
    assert NEW not in str(caught.value)
    os.chown(path, os.geteuid(), -1)
    assert await read_key(FileKey(path)) == Secret(NEW)


def test_a_symlink_is_judged_by_what_it_leads_to(config: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "litellm.toml"
    real.parent.mkdir()
    config.rename(real)
    config.symlink_to(real)
    assert load(None, {}).profiles
    real.chmod(0o640)
    assert f"chmod 600 {config}" in refusal(), "chmod follows the link, as the reading does"
    subprocess.run(["chmod", "600", str(config)], check=True)
    save_profile(config, "more", url="https://more.example.com")
    assert config.is_symlink() and set(load(None, {}).profiles) == {"work", "more"}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_links_that_lead_nowhere_or_in_a_circle_are_told(tmp_path: Path) -> None:
    circle = tmp_path / "circle.toml"
    circle.symlink_to(circle)
    nowhere = tmp_path / "nowhere.toml"
    nowhere.symlink_to(tmp_path / "gone")
    assert "symbolic links" in refusal(circle) and "no such file" in refusal(nowhere)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_no_umask_makes_a_file_looser_or_useless(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        save_profile(tmp_path / "config.toml", "work", url="https://llm.example.com")
        set_variable(tmp_path / ".env", "KEY", NEW)
    finally:
        os.umask(before)
    for path in (tmp_path / "config.toml", tmp_path / ".env"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Every call that changes something on the disk, in a process that is killed right before or right after it.
KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from tui.files import write_private
from tui.envfile import set_variable
way, path, secret, name, when, number = sys.argv[1:]
count = 0
def put(module, name):
    real = getattr(module, name)
    def called(*args, **more):
        global count
        count += 1
        mine = count == int(number)
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*args, **more)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(module, name, called)
put(tempfile if name == "mkstemp" else os, name)
if way == "env":
    set_variable(Path(path), "KEY", secret)
else:
    write_private(Path(path), secret + "\\n" * 200_000, exist_ok=way == "replace")
print("reached its end")
"""


def killed(way: str, path: Path, name: str, when: str, number: int = 1) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, way, str(path), NEW, name, when, str(number)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["mkstemp", "fdopen", "fchmod", "fsync", "replace", "link", "unlink"])
@pytest.mark.parametrize("way", ["new", "replace", "env"])
def test_a_kill_leaves_the_old_or_the_new_and_never_a_half(tmp_path: Path, way: str, name: str, when: str) -> None:
    path = tmp_path / "file"
    was = f"# mine\nKEY={OLD}\n"
    if way != "new":
        write_private(path, was)
    died = killed(way, path, name, when)
    not_called = name == ("replace" if way == "new" else "link")
    # after a rename there is nothing to remove
    not_done = way != "new" and (name, when) == ("unlink", "after")
    assert died is not (not_called or not_done)
    full = {"new": NEW + "\n" * 200_000, "replace": NEW + "\n" * 200_000, "env": f"# mine\nKEY={NEW}\n"}[way]
    assert (path.read_text() if path.exists() else "") in ("" if way == "new" else was, full)
    for left in tmp_path.iterdir():
        assert stat.S_IMODE(left.stat().st_mode) == 0o600, "what is left is nobody else's to read"
        assert left == path or left.name.startswith(TEMPORARY)


@pytest.mark.parametrize("way", ["new", "env"])
def test_what_a_kill_left_goes_with_a_later_write(tmp_path: Path, way: str) -> None:
    path = tmp_path / "file"
    assert killed("replace", path, "replace", "before")
    (left,) = tmp_path.glob(f"{TEMPORARY}*")
    assert NEW in left.read_text()
    mine = tmp_path / "litellm-tui-notes"
    mine.write_text("mine")
    write: Callable[[], None] = (
        (lambda: write_private(path, "x", exist_ok=True)) if way == "new" else (lambda: set_variable(path, "KEY", "x"))
    )
    write()
    assert left.exists(), "another process may be writing it just now"
    long_ago = time.time() - 3600
    for each in (left, mine):
        os.utime(each, (long_ago, long_ago))
    write()
    assert not left.exists() and mine.exists() and get_variable(path, "KEY") in (None, "x")
