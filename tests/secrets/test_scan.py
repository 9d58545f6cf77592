"""The search at the end of the suite finds what it is there for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrets import scan
from tests.secrets.conftest import Canary
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


async def test_keys_of_sessions_and_arguments_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "made", set())
    monkeypatch.setattr(scan, "given", [])
    monkeypatch.setattr(Client, "__init__", Client.__init__)
    monkeypatch.setattr(subprocess.Popen, "__init__", subprocess.Popen.__init__)
    scan.track()
    secret = Canary().secret
    async with Client("http://127.0.0.1:9", secret):
        pass
    assert scan.made == {secret}
    with subprocess.Popen([sys.executable, "-c", "pass", f"--x={secret}"]):  # noqa: ASYNC220
        pass
    assert {found for _, found in scan.given} == {secret}
    scan.hand_over(tmp_path)
    scan.made.clear()
    scan.given.clear()
    scan.collect(tmp_path)
    assert scan.made == {secret} and {found for _, found in scan.given} == {secret}
    assert list(tmp_path.iterdir()) == []
