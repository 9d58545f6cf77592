"""Where a new secret goes: looked at before, written whole, found again, and a place of its own for each key."""

import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import envfile
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.delivery import (
    EnvFile,
    NewFile,
    Place,
    check,
    deliver,
    delivered,
    file_for,
    places_for,
    variable_for,
)
from tui.demo import DemoGateway
from tui.files import FileError
from tui.gateway.schema import Key
from tui.startup import start

SECRET = "sk-new-0123456789abcdefghij"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
ROOT = os.name == "posix" and os.geteuid() == 0


def key(alias: str | None, hash: str = HASH) -> Key:
    return Key(hash=hash, name="sk-...ghij", alias=alias)


def test_a_variable_is_set_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".env"
    place = EnvFile(path, "OPENAI_API_KEY")
    assert check(place) is None and not path.parent.exists()
    assert not delivered(place, HASH)
    said = deliver(place, SECRET)
    assert envfile.get_variable(path, "OPENAI_API_KEY") == SECRET
    assert delivered(place, HASH) and not delivered(EnvFile(path, "OTHER"), HASH) and not delivered(place, "0" * 64)
    assert "OPENAI_API_KEY" in said and str(path) in said and SECRET not in said
    assert check(place) is None, "the next rotation sets it anew"


def test_a_new_file_holds_the_secret_alone(tmp_path: Path) -> None:
    place = NewFile(tmp_path / "laptop.key")
    assert check(place) is None and not delivered(place, HASH)
    said = deliver(place, SECRET)
    assert place.path.read_text() == SECRET + "\n" and stat.S_IMODE(place.path.stat().st_mode) == 0o600
    assert delivered(place, HASH) and SECRET not in said
    assert "is there already" in (check(place) or "")
    with pytest.raises(FileError, match="there already"):
        deliver(place, "another")
    assert place.path.read_text() == SECRET + "\n"


@pytest.mark.parametrize("path", ["folder", "dangling", "text/x", "noenv"])
def test_what_is_wrong_is_told_before(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "text").write_text("x")
    (tmp_path / "noenv").write_bytes(b"\0\1")
    places: list[Place] = [NewFile(tmp_path / path), EnvFile(tmp_path / path, "NAME")]
    for place in places:
        # a symlink of an env file is followed, and its missing target made
        fine = path == "dangling" and isinstance(place, EnvFile)
        assert (check(place) is None) is fine, place
        if not fine:
            assert str(tmp_path) in (check(place) or "")
            with pytest.raises(FileError):
                deliver(place, SECRET)


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_no_right_is_told_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        for place in (NewFile(tmp_path / "x"), EnvFile(tmp_path / ".env", "NAME")):
            assert "may not" in (check(place) or "")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "Ä", "A\nB"])
def test_no_such_variable(tmp_path: Path, name: str) -> None:
    assert "no name for a variable" in (check(EnvFile(tmp_path / ".env", name)) or "")


def test_home_is_short_in_words_and_long_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = EnvFile(Path("~/.env"), "A")
    assert place.describe() == EnvFile(tmp_path / ".env", "A").describe() == "A in ~/.env"
    assert check(place) is None
    deliver(place, SECRET)
    assert (tmp_path / ".env").is_file() and delivered(place, HASH)


def test_words_hold_no_control_characters() -> None:
    assert "\x1b" not in NewFile(Path("a\x1b[31m")).describe()
    assert "\x1b" not in (check(NewFile(Path("/dev/null/\x1b[31m"))) or "")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("laptop", "LAPTOP_KEY"),
        ("my key", "MY_KEY_KEY"),
        ("été-42", "ETE_42_KEY"),
        ("42", "KEY_42_KEY"),
        ("日本", "LITELLM_KEY"),
        (None, "LITELLM_KEY"),
    ],
)
def test_variables_are_named_by_the_alias(alias: str | None, name: str) -> None:
    assert variable_for(alias) == name


@given(st.text())
def test_every_alias_gives_a_variable_and_a_file_in_the_folder(alias: str) -> None:
    assert envfile.NAME.fullmatch(variable_for(alias))
    path = file_for(alias, Path("/keys"))
    assert path.parent == Path("/keys") and len(path.name) < 120 and not path.name.startswith((".", "-"))


COLLAPSING = [
    "my-key",
    "my key",
    "my_key",
    "My-Key",
    "my-key ",
    "../my-key",
    "my.key",
    "日本",
    "中国",
    ".",
    "",
    "a" * 300,
    "a" * 301,
]


def test_several_keys_get_places_of_their_own(tmp_path: Path) -> None:
    rows = [key(alias or None, f"{number:064x}") for number, alias in enumerate(COLLAPSING)]
    variables = places_for(rows, env_file=tmp_path / ".env")
    files = places_for(rows, folder=tmp_path)
    assert len({place.variable for place in variables if isinstance(place, EnvFile)}) == len(rows)
    assert len({str(place.path).casefold() for place in files}) == len(rows)
    assert all(place.path.parent == tmp_path for place in files)
    assert all(check(place) is None for place in [*variables, *files])


@given(st.lists(st.sampled_from(COLLAPSING), unique=True, min_size=1))
def test_a_key_has_the_same_variable_in_whatever_company(aliases: list[str]) -> None:
    """Else a later run with fewer keys would write one key over another's."""
    rows = [key(alias) for alias in aliases]
    together = places_for(rows, env_file=Path("/k/.env"))
    assert together == [places_for([row], env_file=Path("/k/.env"))[0] for row in rows]


async def test_a_session_connects_with_another_secret() -> None:
    gateway = DemoGateway()
    gateway.add_user("ada")
    held = gateway.add_key(key_alias="laptop", user_id="ada")
    settings = Settings("test", "http://demo.invalid", HeldKey(Secret(gateway.master_key)), timeout=7, read_only=True)
    session = await start(settings, transport=gateway.transport(), look=True)
    async with session.client, session.connect(held) as other:
        assert (await other.get("/key/info"))["info"]["key_alias"] == "laptop"
        assert (other.timeout, other.read_only, other.url) == (7, True, session.client.url)
