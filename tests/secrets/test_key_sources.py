"""Keys from a command and from the keyring: what those get, what they may say, and how each failure is told."""

import os
import re
import subprocess
import sys
import textwrap
import threading
import tomllib
from pathlib import Path

import pytest

from tests.secrets.conftest import Canary
from tui import cli, credentials
from tui.credentials import KEY_VARIABLES, CommandKey, CredentialError, KeyringKey, Secret, read_key, store_key

ROOT = Path(__file__).parents[2]
SECRET = Canary().secret


async def refusal(key: CommandKey | KeyringKey) -> str:
    with pytest.raises(CredentialError) as caught:
        await read_key(key)
    assert caught.value.__cause__ is None
    return str(caught.value)


def backend(body: str) -> str:
    return textwrap.dedent(
        """
        class NoKeyringError(RuntimeError): pass
        class KeyringLocked(RuntimeError): pass
        class PasswordSetError(RuntimeError): pass
        def get_password(service, account):
            BODY
        def set_password(service, account, password):
            BODY
        """
    ).replace("BODY", body)


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a `keyring` of the test's own, before the real one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    return tmp_path / "keyring.py"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise NoKeyringError('No recommended backend was available.')", ["no system keyring", "jump hosts"]),
        ("raise KeyringLocked('Failed to unlock the collection!')", ["is locked", "keyring get litellm-tui work"]),
        ("raise OSError('dbus: ' + 'x' * 1000)", ["does not answer (OSError: dbus: x"]),
        ("return None", ["no key for this profile", "keyring set litellm-tui work"]),
        ("return ''", ["keyring set litellm-tui work"]),
        ("return 'two words'", ["The key in the system keyring", "a blank"]),
    ],
)
async def test_each_failure_of_a_keyring_says_how_to_go_on(ring: Path, body: str, words: list[str]) -> None:
    ring.write_text(backend(body))
    text = await refusal(KeyringKey("work"))
    assert all(word in text for word in words), text
    assert "api_key_command" in text or "keyring set" in text or "Copy it again" in text
    assert len(text) < 600


async def test_a_keyring_that_is_not_installed(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'litellm-tui[keyring]'" in await refusal(KeyringKey("work"))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [re.split(r"\W", each)[0] for each in extras["keyring"]] == ["keyring"]
    assert not [
        each
        for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        if "keyring" in each
    ]


async def test_a_keyring_that_keeps_nothing(ring: Path) -> None:
    ring.write_text(backend("raise PasswordSetError('cannot store ' + repr(password))"))
    with pytest.raises(CredentialError, match="does not take the key") as caught:
        await store_key("work", Secret("hunter2-hunter2"))
    assert "hunter2" not in str(caught.value)


async def test_a_keyring_that_waits_for_a_display_is_given_up(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring.write_text(backend("import threading; threading.Event().wait()"))
    monkeypatch.setattr(credentials, "KEYRING_SECONDS", 0.3)
    assert "probably locked" in await refusal(KeyringKey("work"))
    (waiting,) = [each for each in threading.enumerate() if each.name == "keyring"]
    assert waiting.daemon, "it must not keep the program from ending"


@pytest.mark.parametrize(("source", "asked"), [("keyring = true", True), ('api_key_env = "THE_KEY"', False)])
def test_keyring_is_imported_only_where_a_profile_asks(tmp_path: Path, source: str, asked: bool) -> None:
    """A package that says so when it is imported; other profiles of the file do not count."""
    (tmp_path / "keyring.py").write_text(
        "import sys; print('KEYRING IMPORTED', file=sys.stderr)\n" + backend("return None")
    )
    config = tmp_path / "config.toml"
    config.write_text(
        f'default = "a"\n[profiles.a]\nurl = "http://127.0.0.1:9"\n{source}\n'
        '[profiles.b]\nurl = "http://127.0.0.1:9"\nkeyring = true\n'
    )
    config.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--config", str(config), "keys", "list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "THE_KEY": SECRET},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert ("KEYRING IMPORTED" in done.stderr) is asked


async def test_a_command_gets_no_secret_in_its_environment_or_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, SECRET)
    seen = tmp_path / "seen"
    shows = f"cat /proc/self/environ /proc/$$/cmdline > {seen}; env >> {seen}; echo sk-fetched-0123456789"
    before = dict(os.environ)
    assert await read_key(CommandKey(("sh", "-c", shows))) == Secret("sk-fetched-0123456789")
    text = seen.read_bytes()
    assert b"PATH=" in text and SECRET.encode() not in text
    given = {line.partition(b"=")[0].decode() for line in text.split(b"\0") if b"=" in line}
    assert given <= set(before) | {"PWD", "OLDPWD", "SHLVL", "_"}, "nothing is added"


@pytest.mark.parametrize(
    "complaint",
    [
        f"printf '%s' '{SECRET}' | base64 >&2; exit 3",
        f"echo 'Authorization: Bearer {SECRET}' >&2; exit 3",
        "echo 'token hvs.CAESIJ1x9Qq7abcdEFGH0123456789 expired' >&2; exit 3",
        "set -x; K=opaque0token1of2a3vault; exit 3",
        "echo opaque0token1of2a3vault; echo bad opaque0token1of2a3vault >&2; exit 3",
        # the key on the wrong stream
        "echo opaque0token1of2a3vault >&2",
    ],
    # the secret is another one in each process
    ids=["base64", "bearer", "token", "traced", "both", "wrong stream"],
)
async def test_a_complaint_is_shown_without_secrets(complaint: str) -> None:
    text = await refusal(CommandKey(("sh", "-c", complaint)))
    Canary.check(_canary(), text, "the refusal")
    assert "CAESIJ" not in text and "opaque0token" not in text
    assert "api_key_command: sh" in text


def _canary() -> Canary:
    made = Canary()
    made.secret = SECRET
    return made


async def test_a_complaint_is_still_of_use() -> None:
    text = await refusal(
        CommandKey(("sh", "-c", "echo 'gpg: decryption failed: No secret key in ~/.gnupg' >&2; exit 2"))
    )
    assert 'failed with status 2, saying "gpg: decryption failed: No secret key in ~/.gnupg"' in text


async def test_a_command_that_hangs_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "COMMAND_SECONDS", 0.2)
    assert "did not end within 0.2 s" in await refusal(CommandKey(("sleep", "60")))


ARGUMENTS = [
    ["--key", SECRET, "keys", "list"],
    ["--api-key", SECRET, "keys", "list"],
    ["--api-key=hunter2", "keys", "list"],
    ["keys", "list", "--api_key", "hunter2"],
    ["keys", "list", "--master-key", "hunter2"],
    ["keys", "list", "--token=hunter2"],
    ["keys", "list", "--key", "hunter2"],
    ["usage", "--key", SECRET],
    ["usage", f"--key={SECRET}"],
    ["keys", "rotate", SECRET],
    ["--user", SECRET, "keys", "list"],
    ["--profile", SECRET],
    ["--url", f"https://llm.example.com/?key={SECRET}", "doctor"],
    ["--url", f"https://u:{SECRET}", "doctor"],
    ["--user", f"Bearer {SECRET}", "doctor"],
    [SECRET],
]


@pytest.mark.parametrize("words", ARGUMENTS, ids=lambda words: " ".join(words).replace(SECRET, "SECRET"))
def test_a_key_in_an_argument_is_refused_with_a_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It must not work, or people would go on giving keys away to `ps`."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert SECRET not in said.err + said.out and "hunter2" not in said.err
    assert "LITELLM_TUI_API_KEY" in said.err and "rotate it" in said.err


@pytest.mark.parametrize(
    "words", [["usage", "--demo", "--key", "demo-laptop-batch-0123"], ["keys", "list", "--demo", "--user", "sk-ada"]]
)
def test_names_are_no_keys(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(words)
    assert "LITELLM_TUI_API_KEY" not in capsys.readouterr().err
