"""One variable of an env file is set, and nothing else changes."""

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.envfile import changed, get_variable, set_variable
from tui.files import FileError

KEY = "sk-abcdefghijklmnopqrstuv"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "KEY=new\n"),
        ("OTHER=1\n", "OTHER=1\nKEY=new\n"),
        ("OTHER=1", "OTHER=1\nKEY=new\n"),
        ("KEY=old", "KEY=new"),
        ("KEY=old\r\nA=b\r\n", "KEY=new\r\nA=b\r\n"),
        ("A=b\r\n", "A=b\r\nKEY=new\r\n"),
        ("export KEY=old\n", "export KEY=new\n"),
        ("  export  KEY='old'  # why\n", "  export  KEY='new'  # why\n"),
        ('KEY="old" # why\n', 'KEY="new" # why\n'),
        ("KEY=old # why\n", "KEY=new # why\n"),
        ("KEY=\nA=1\n", "KEY=new\nA=1\n"),
        ("KEY= # empty so far\n", "KEY= new # empty so far\n"),
        ("KEY = old\n", "KEY = new\n"),
        ("export A=1\nexport B=2\n", "export A=1\nexport B=2\nexport KEY=new\n"),
        ("export A=1\nB=2\n", "export A=1\nB=2\nKEY=new\n"),
        ("KEY=one\nKEY=two\nA=1\n", "KEY=one\nKEY=new\nA=1\n"),
        ("#KEY=old\nMY_KEY=1\nKEYS=2\n", "#KEY=old\nMY_KEY=1\nKEYS=2\nKEY=new\n"),
        ("A='x\nKEY=inside\n'\nKEY=old\n", "A='x\nKEY=inside\n'\nKEY=new\n"),
        ("KEY='two\nlines'\nA=1\n", "KEY='new'\nA=1\n"),
        ('KEY="o\\"ld"\nA=1\n', 'KEY="new"\nA=1\n'),
        ('KEY="ol"d\nA=1\n', "KEY=new\nA=1\n"),
        ("KEY='never closed\nA='b'\n", "KEY=new\nA='b'\n"),
        ("KEY=a\\\nA=1\n", "KEY=new\nA=1\n"),
        ("KEY=old; export KEY\n", "KEY=new; export KEY\n"),
        ("\ufeffKEY=old\n", "\ufeffKEY=new\n"),
    ],
)
def test_what_changes(before: str, after: str, tmp_path: Path) -> None:
    """Quotes, `export`, comments, line ends and the rest stay; the last of several counts."""
    path = tmp_path / ".env"
    path.write_bytes(before.encode())
    set_variable(path, "KEY", "new")
    assert path.read_bytes() == after.encode()
    assert get_variable(path, "KEY") == "new"


LINES = st.lists(
    st.sampled_from(
        [
            b"",
            b"# a comment",
            b"OTHER=1",
            b"export OTHER='two words'",
            b'  QUOTED = "a # b"  # c',
            b"not an assignment",
            b"KEY=old",
            b"export KEY='old'",
            b'KEY="old"',
            b"=nothing",
            b"\xff\xfe",
        ]
    ),
    max_size=8,
)


@given(lines=LINES, ends=st.sampled_from([b"\n", b"\r\n"]), last=st.booleans())
def test_every_other_line_stays_byte_for_byte(lines: list[bytes], ends: bytes, last: bool) -> None:
    """At most one line differs, it is one of KEY, and doing it again changes nothing."""
    before = ends.join(lines) + (ends if last and lines else b"")
    after = changed(before, b"KEY", KEY.encode())
    old, new = before.split(b"\n"), after.split(b"\n")
    if any(line.lstrip().removeprefix(b"export ").startswith(b"KEY") for line in lines):
        assert len(old) == len(new)
        assert [b"KEY" in was for was, now in zip(old, new, strict=True) if was != now] == [True]
    else:
        assert after.startswith(before)
        added = after[len(before) :].strip()
        assert added in (b"KEY=" + KEY.encode(), b"export KEY=" + KEY.encode())
    assert changed(after, b"KEY", KEY.encode()) == after
    assert after.count(KEY.encode()) == 1


@given(
    value=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30),
    quote=st.sampled_from(["KEY=x\n", "KEY='x'\n", 'KEY="x"\n', "A=1\n"]),
)
def test_a_value_comes_back_as_it_went_in(value: str, quote: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever it holds, and whatever quotes were there."""
    path = tmp_path_factory.getbasetemp() / "roundtrip.env"
    path.write_text(quote + "LAST=1\n")
    set_variable(path, "KEY", value)
    assert get_variable(path, "KEY") == value
    assert get_variable(path, "LAST") == "1"


@pytest.mark.parametrize("value", [KEY, "two words", "a'b", 'a"b', "a$HOME`id`", "a'b\"c$d\\e", "", "a#b", "é!"])
@pytest.mark.parametrize("line", ["KEY=x", "export KEY='x'", 'KEY="x"'])
def test_a_shell_reads_the_same(value: str, line: str, tmp_path: Path) -> None:
    """The file is sourced by people."""
    path = tmp_path / ".env"
    path.write_text(f"{line}\nA=1\n")
    set_variable(path, "KEY", value)
    said = subprocess.run(
        ["sh", "-c", f'. {shlex.quote(str(path))}; printf "%s|%s" "$KEY" "$A"'],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert said.stdout == f"{value}|1"


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    """0600 where there was none, else as it was."""
    new = tmp_path / "deep" / "er" / ".env"
    set_variable(new, "KEY", KEY)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.parent.stat().st_mode) == 0o700
    for mode in (0o600, 0o640, 0o644, 0o400):
        new.chmod(mode)
        set_variable(new, "KEY", f"{KEY}{mode}")
        assert stat.S_IMODE(new.stat().st_mode) == mode
        assert get_variable(new, "KEY") == f"{KEY}{mode}"


def test_a_symlink_stays_and_its_target_changes(tmp_path: Path) -> None:
    """Dotfiles are often links into a repository; a chain of them and a dangling one too."""
    target, middle, link = tmp_path / "real.env", tmp_path / "middle", tmp_path / ".env"
    middle.symlink_to(target.name)
    link.symlink_to(middle)
    set_variable(link, "KEY", KEY)
    assert (link.is_symlink(), middle.is_symlink(), target.is_symlink()) == (True, True, False)
    assert target.read_text() == f"KEY={KEY}\n"
    set_variable(link, "KEY", "again")
    assert target.read_text() == "KEY=again\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of somebody else")
def test_the_owner_stays(tmp_path: Path) -> None:
    """Root mends the file of a service, which must go on reading it."""
    path = tmp_path / ".env"
    path.write_text("KEY=old\n")
    path.chmod(0o640)
    os.chown(path, 12345, 23456)
    set_variable(path, "KEY", KEY)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)


def test_no_owner_no_group_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rights of a group that the file cannot be given to are not given to another."""
    path = tmp_path / ".env"
    path.write_text("KEY=old\n")
    path.chmod(0o660)

    def refuse(*_: object) -> None:
        raise PermissionError

    real = os.fstat

    def foreign(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if os.readlink(f"/proc/self/fd/{descriptor}") != str(path):
            return found
        return os.stat_result((*found[:4], found.st_uid + 1, found.st_gid + 1, *found[6:]))

    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "fstat", foreign)
    set_variable(path, "KEY", KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old file, no half one, and says no secret."""
    path = tmp_path / ".env"
    path.write_text("KEY=old\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="no space left") as failed:
        set_variable(path, "KEY", KEY)
    assert KEY not in repr(failed.value) + str(failed.value.__dict__)
    assert failed.value.__cause__ is None
    assert path.read_text() == "KEY=old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("1KEY", KEY, "no name"),
        ("A B", KEY, "no name"),
        ("", KEY, "no name"),
        ("KEY", f"{KEY}\nB=1", "line breaks"),
        ("KEY", f"{KEY}\0", "line breaks"),
        ("KEY", f"{KEY}\ud800", "UTF-8"),
    ],
)
def test_what_cannot_be_set(name: str, value: str, why: str, tmp_path: Path) -> None:
    """One sentence, without the value, and no file."""
    with pytest.raises(FileError, match=why) as refused:
        set_variable(tmp_path / ".env", name, value)
    assert KEY not in f"{refused.value!r}{refused.value}{refused.value.__context__!r}"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_env_file(tmp_path: Path) -> None:
    """A folder, a binary, a device, a loop of links: left as they are."""
    binary, loop = tmp_path / "binary", tmp_path / "loop"
    binary.write_bytes(b"\x7fELF\0\0")
    loop.symlink_to(loop)
    for path in (tmp_path, binary, Path("/dev/null"), loop):
        with pytest.raises(FileError):
            set_variable(path, "KEY", KEY)
    assert binary.read_bytes() == b"\x7fELF\0\0"


def test_no_file_has_no_variables(tmp_path: Path) -> None:
    """Nor does a file without that one."""
    assert get_variable(tmp_path / ".env", "KEY") is None
    (tmp_path / ".env").write_text("A=1\n")
    assert get_variable(tmp_path / ".env", "KEY") is None
