"""Private files: whole or not at all, and nobody else's to read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui import files
from tui.files import FileError, FileThereError, LooseModeError, check_private, ensure_private_dir, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    target = tmp_path / "made" / "key"
    (tmp_path / "made").mkdir(mode=0o700)
    old = os.umask(umask)
    try:
        write_private(target, "x")
    finally:
        os.umask(old)
    assert mode(target) == 0o600


def test_missing_folders_are_private_and_present_ones_are_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write_private(tmp_path / "a" / "b" / "key", "x")
    assert (mode(tmp_path), mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o755, 0o700, 0o700)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_is_read_byte_for_byte(tmp_path: Path, text: str) -> None:
    write_private(tmp_path / "f", text, exist_ok=True)
    assert (tmp_path / "f").read_bytes() == text.encode()
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("kind", ["file", "folder", "dangling symlink", "symlink"])
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "f"
    other = tmp_path / "other"
    if kind == "file":
        target.write_text("old")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(other)
        if kind == "symlink":
            other.write_text("old")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(FileThereError, match="is there already; it was left as it is") as caught:
        write_private(target, "new")
    assert isinstance(caught.value, FileExistsError)
    assert sorted(os.listdir(tmp_path)) == before
    if kind in ("file", "symlink"):
        assert target.read_text() == "old"


def test_replacing_closes_a_loose_mode(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("old")
    target.chmod(0o644)
    write_private(target, "new", exist_ok=True)
    assert (target.read_text(), mode(target)) == ("new", 0o600)


def test_replacing_through_a_symlink_keeps_the_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config.toml"
    real.parent.mkdir()
    real.write_text("old")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    write_private(link, "new", exist_ok=True)
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.parametrize(("step", "exist_ok"), [("fsync", True), ("fsync", False), ("replace", True), ("link", False)])
def test_a_failure_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, exist_ok: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(FileError) as caught:
        write_private(tmp_path / "f", "sk-secret-secret", exist_ok=exist_ok)
    assert str(caught.value) == f"Cannot write {tmp_path / 'f'}: no space left on device."
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", sorted(files._NO_HARD_LINKS))
def test_without_hard_links_it_still_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "f"
    write_private(target, "first")
    with pytest.raises(FileThereError):
        write_private(target, "second")
    assert (target.read_text(), mode(target), os.listdir(tmp_path)) == ("first", 0o600, ["f"])


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileError, match="not a folder"):
        write_private(tmp_path / "a" / "key", "x")


def test_replacing_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(FileError, match=r"Cannot write .*directory"):
        write_private(tmp_path / "f", "x", exist_ok=True)


def test_text_that_cannot_be_written_is_not_in_the_error(tmp_path: Path) -> None:  # S3
    with pytest.raises(FileError) as caught:
        write_private(tmp_path / "f", "sk-secret-secret\ud800")
    error = caught.value
    assert "secret" not in f"{error} {error!r} {error.args} {error.__context__!r}"
    assert error.__context__ is None
    assert os.listdir(tmp_path) == []


def test_own_folder_is_tightened(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ensure_private_dir(tmp_path)
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o660, 0o666, 0o644, 0o610])
def test_loose_files_are_refused_with_the_command(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "my file"
    path.write_text("x")
    path.chmod(bits)
    with pytest.raises(LooseModeError) as caught:
        check_private(path, path.stat())
    assert caught.value.mend == f"chmod 600 '{path}'"
    assert caught.value.mend in str(caught.value)
    os.system(caught.value.mend)
    check_private(path, path.stat())


@pytest.mark.parametrize("bits", [0o600, 0o400, 0o700])
def test_private_files_pass(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    path.chmod(bits)
    check_private(path, path.stat())


def test_folder_advice_and_pipes(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(LooseModeError, match=r"this folder .*chmod 700"):
        check_private(tmp_path, tmp_path.stat(), want=0o700)
    os.mkfifo(tmp_path / "pipe", 0o666)
    check_private(tmp_path / "pipe", (tmp_path / "pipe").stat())
