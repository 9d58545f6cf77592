"""The search at the end of the suite finds what it is there for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrets import scan
from tests.secrets.conftest import Canary
from tui import clipboard
from tui.credentials import CommandKey, read_key
from tui.gateway.client import Client


def test_a_secret_in_a_file_is_found_and_not_repeated(tmp_path: Path) -> None:
    secret = Canary().secret
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "app.log").write_bytes(b"\0\xff" * 5000 + f"GET {secret}\n".encode())
    (tmp_path / "laptop.key").write_text(secret)
    (tmp_path / "clean").write_text(secret[:-1])
    (said,) = scan.search([tmp_path], [secret, Canary().secret])
    assert "app.log" in said and secret not in said
    assert list(scan.search([tmp_path], [Canary().secret])) == []


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Track as at the start of a run, and forget afterwards."""
    monkeypatch.setattr(scan, "made", set())
    monkeypatch.setattr(scan, "given", set())
    monkeypatch.setattr(Client, "__init__", Client.__init__)
    monkeypatch.setattr(subprocess.Popen, "__init__", subprocess.Popen.__init__)
    scan.track()


async def known(secret: str) -> None:
    async with Client("http://127.0.0.1:9", secret):
        pass


async def test_keys_of_sessions_and_arguments_are_noted(tracking: None, tmp_path: Path) -> None:
    secret = Canary().secret
    with subprocess.Popen([sys.executable, "-c", "pass", f"--x={secret}"]):  # noqa: ASYNC220
        pass
    # made known only afterwards, as by a program that the test started
    await known(secret)
    assert scan.made == {secret}
    (said,) = scan.given_away()
    assert said.startswith("an argument of a child") and secret not in said
    scan.hand_over(tmp_path)
    scan.made.clear()
    scan.given.clear()
    scan.collect(tmp_path)
    assert scan.made == {secret} and list(scan.given_away()) == [said]
    assert list(tmp_path.iterdir()) == []


async def test_a_variable_of_a_child_is_noted(tracking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handed over by name, or with all that this process has; in those that the program reads it is meant."""
    secret = Canary().secret
    await known(secret)
    subprocess.run([sys.executable, "-c", ""], env={"LITELLM_TUI_API_KEY": secret}, check=True)  # noqa: ASYNC221
    assert list(scan.given_away()) == []
    subprocess.run([sys.executable, "-c", ""], env={"NOTES": f"a {secret}"}, check=True)  # noqa: ASYNC221
    monkeypatch.setenv("EVERYTHING", secret)
    subprocess.run([sys.executable, "-c", ""], check=True)  # noqa: ASYNC221
    names = [said.split()[2] for said in scan.given_away()]
    assert names == ["EVERYTHING", "NOTES"] and all(secret not in said for said in scan.given_away())


async def test_the_apps_own_children_get_no_secret_in_any_variable(
    tracking: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the program leaves out of their environment is what is found where it forgets to."""
    secret = Canary().secret
    await known(secret)
    monkeypatch.setenv("LITELLM_API_KEY", secret)
    monkeypatch.setenv("LITELLM_TUI_API_KEY", secret)
    wanted = CommandKey((sys.executable, "-c", "print('sk-of-somebody-else')"))
    monkeypatch.setenv("TMUX", str(tmp_path / "tmux,1,0"))
    await read_key(wanted)
    clipboard.copy("text", env=os.environ, write=None, choice="auto")
    assert list(scan.given_away()) == []
    monkeypatch.setattr("tui.credentials.child_env", dict)
    monkeypatch.setattr("tui.clipboard._CHILD_ENV", list(os.environ))
    await read_key(wanted)
    clipboard.copy("text", env=os.environ, write=None, choice="auto")
    found = [said for said in scan.given_away() if "the app's child" in said]
    assert len(found) == 4 and sum(" tmux " in said for said in found) == 2, found
