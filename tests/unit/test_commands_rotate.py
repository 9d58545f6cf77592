"""`keys rotate` and `rotations` as scripts and people meet them: on the embedded gateway, and killed at each call."""

import asyncio
import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from tests.unit.test_cli import environment
from tui import cli, envfile
from tui.commands import rotate as rotate_module
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.demo.state import hash_of
from tui.gateway import client as client_module
from tui.gateway.rotation_records import NOTE, RETIRED

ADA = "ada"


class Killed(httpx.AsyncBaseTransport):
    """The embedded gateway; with `at`, the person gives up in that writing call, before it arrives or after."""

    def __init__(self, gateway: DemoGateway) -> None:
        self.inner = gateway.transport()
        self.at, self.after, self.count = -1, False, 0
        self.error: BaseException = KeyboardInterrupt()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on, or break off."""
        if request.method != "POST":
            return await self.inner.handle_async_request(request)
        number, self.count = self.count, self.count + 1
        if number != self.at:
            return await self.inner.handle_async_request(request)
        if self.after:
            await self.inner.handle_async_request(request)
        raise self.error


class Desk:
    """A gateway with ada's keys, and the command line run on it as `--demo`."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.capsys, self.patch, self.dir = capsys, monkeypatch, tmp_path
        self.gw = DemoGateway()
        self.gw.add_user(ADA)
        self.old = self.gw.add_key(key_alias="laptop", user_id=ADA, metadata={"keep": 1}, spend=1.5, max_budget=5)
        self.gw.add_key(key_alias="other", user_id=ADA)
        self.key = self.gw.master_key
        self.user: str | None = None
        self.confirm: Literal["y", "type"] = "y"
        self.line = Killed(self.gw)
        self.env = tmp_path / ".env"
        self.said = ""
        monkeypatch.setattr("tui.commands.demo", self._demo)
        monkeypatch.setattr(client_module, "ATTEMPTS", 1)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        monkeypatch.setattr(cli, "_drop_output", lambda: None)

    def _demo(self, settings: Settings) -> tuple[Settings, httpx.AsyncBaseTransport, Callable[[], datetime]]:
        held = HeldKey(Secret(self.key))
        now: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731
        user = settings.user or self.user
        mine = Settings("test", settings.url, held, user=user, read_only=settings.read_only, confirm=self.confirm)
        return mine, self.line, now

    def run(self, *args: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr. No secret that the gateway ever made is in stderr."""
        try:
            code = cli.main(["--demo", *args])
        except SystemExit as stopped:
            code = int(str(stopped.code))
        out, err = self.capsys.readouterr()
        self.said += err
        assert "sk-" not in err.replace("sk-...", "").replace("sk-nobody", ""), err
        return code, out, err

    def rotate(self, *args: str, name: str = "laptop") -> tuple[int, str, str]:
        """Into the env file, asking nothing."""
        return self.run("keys", "rotate", name, "--env-file", str(self.env), "--var", "KEY", "--yes", *args)

    def answer(self, *lines: str) -> None:
        """A person at a terminal who types these lines."""
        self.patch.setattr(rotate_module, "can_ask", lambda: True)
        self.patch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    @property
    def held(self) -> str | None:
        """The secret in the env file."""
        return envfile.get_variable(self.env, "KEY")

    def row(self, alias: str) -> dict[str, Any]:
        """The one record with this alias."""
        (found,) = [row for row in self.gw.keys.values() if row["key_alias"] == alias]
        return found

    def works(self, secret: str) -> bool:
        """Whether the gateway lets a call with it through."""
        request = httpx.Request("GET", "http://demo.invalid/models", headers={"Authorization": f"Bearer {secret}"})
        return asyncio.run(self.gw.handle(request)).status_code == 200

    def untouched(self) -> bool:
        """Whether all is as before."""
        aliases = sorted(row["key_alias"] for row in self.gw.keys.values())
        return aliases == ["laptop", "other"] and self.row("laptop")["token"] == hash_of(self.old)

    def check_end(self, secret: str) -> None:
        """One live key under the alias, whose secret this is; no orphan, no note."""
        by_alias = {row["key_alias"]: row for row in self.gw.keys.values()}
        assert by_alias.pop("laptop")["token"] == hash_of(secret) and self.works(secret)
        assert by_alias.pop("other")["metadata"] == {}
        assert all("-retired-" in alias and row["expires"] for alias, row in by_alias.items()), by_alias
        assert not any(NOTE in row["metadata"] for row in self.gw.keys.values())
        assert self.run("rotations")[1] == ""


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    for name in [name for name in os.environ if name.startswith("LITELLM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Desk(capsys, monkeypatch, tmp_path)


# one key


def test_into_an_env_file(desk: Desk) -> None:
    desk.env.write_text("# mine\nexport A=1\nKEY='old'\n")
    code, out, err = desk.rotate("--grace", "1h")
    assert (code, out) == (0, "")
    assert desk.held and desk.works(desk.held) and desk.works(desk.old)
    assert desk.env.read_text() == f"# mine\nexport A=1\nKEY='{desk.held}'\n"
    desk.check_end(desk.held)
    was = desk.row(f"laptop-retired-{hash_of(desk.old)[:8]}")
    assert was["token"] == hash_of(desk.old) and was["expires"]
    assert desk.row("laptop")["spend"] == 1.5 and desk.row("laptop")["metadata"]["keep"] == 1
    # one line for each step, and the keys by their tails
    for words in ("is made", "works", "KEY in", "is laptop-retired-", "has taken the name laptop"):
        assert sum(words in line for line in err.splitlines()) == 1, words
    assert f"…{desk.held[-4:]}" in err and f"…{desk.old[-4:]}" in err


def test_grace_0_deletes(desk: Desk) -> None:
    code, _, err = desk.rotate("--grace", "0")
    assert code == 0 and "is deleted" in err and not desk.works(desk.old)
    assert desk.held
    desk.check_end(desk.held)
    assert len(desk.gw.keys) == 2


def test_grace_keep_leaves_both_and_lists_it(desk: Desk) -> None:
    code, _, err = desk.rotate("--grace", "keep")
    assert code == 0 and "both keys stay" in err
    assert desk.held and desk.works(desk.held) and desk.works(desk.old)
    _, out, _ = desk.run("rotations")
    assert "kept on purpose" in out
    assert desk.run("rotations", "finish", "laptop", "--yes")[0] == 0
    desk.check_end(desk.held)


def test_into_a_new_file_which_is_never_replaced(desk: Desk) -> None:
    path = desk.dir / "laptop.key"
    args = ("keys", "rotate", "laptop", "--out", str(path), "--yes")
    assert desk.run(*args)[0] == 0
    secret = path.read_text().strip()
    desk.check_end(secret)
    before = dict(desk.gw.keys)
    code, _, err = desk.run(*args)
    assert code == 1 and "there already" in err and "Nothing was made" in err
    assert desk.gw.keys == before and path.read_text() == f"{secret}\n"


def test_stdout_holds_the_secret_and_nothing_else(desk: Desk) -> None:
    code, out, err = desk.run("keys", "rotate", "laptop", "--stdout", "--yes")
    assert code == 0 and out.count("\n") == 1 and out.endswith("\n")
    desk.check_end(out.strip())
    assert out.strip() not in err


def test_json_tells_what_is_so_and_no_secret(desk: Desk) -> None:
    code, out, _ = desk.rotate("--json", "--grace", "1h", "--expires", "90d")
    data = json.loads(out)
    assert code == 0 and desk.held and desk.held not in out and desk.old not in out
    assert data["step"] == "done" and data["error"] is None
    assert data["new"]["hash"] == hash_of(desk.held) and data["new"]["alias"] == "laptop"
    assert data["old"]["hash"] == hash_of(desk.old) and data["old"]["deleted"] is False
    row = desk.row(data["old"]["alias"])
    ends = [datetime.fromisoformat(text) for text in (row["expires"], data["old"]["expires_at"])]
    assert abs(ends[0] - ends[1]) < timedelta(seconds=5)
    left = datetime.fromisoformat(data["new"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_by_hash_and_by_the_start_of_one(desk: Desk) -> None:
    for length in (64, 12):
        name = desk.row("laptop")["token"][:length]
        assert desk.rotate(name=name)[0] == 0
        assert desk.held
        desk.check_end(desk.held)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "which key"),
        (("laptop",), "where does the new secret go"),
        (("laptop", "--stdout", "--out", "x"), "where does the new secret go"),
        (("laptop", "--env-file", "x"), "go together"),
        (("laptop", "--var", "X", "--stdout"), "go together"),
        (("laptop", "--env-file", "x", "--var", "1X"), "name of a variable"),
        (("laptop", "--stdout", "--json"), "nothing else"),
        (("laptop", "--out", "x", "--grace", "1y"), "90s"),
        (("laptop", "--out", "x", "--expires", "tomorrow"), "90s"),
        (("laptop", "--out", "x", "--env-dir", "y"), "where does"),
        (("sk-real-secret-0123456789abc", "--out", "x"), "looks like a secret"),
        (("laptop", "--all-expiring", "14d", "--env-dir", "x"), "either a key"),
        (("--all-expiring", "14d", "--expires", "90d"), "where do"),
        (("--all-expiring", "14d", "--env-dir", "x"), "--expires"),
        (("--all-expiring", "14d", "--env-dir", "x", "--expires", "14d"), "--expires"),
        (("--all-expiring", "14d", "--expires", "90d", "--stdout"), "--env-dir"),
    ],
)
def test_wrong_usage_is_2_and_asks_nothing(desk: Desk, args: tuple[str, ...], words: str) -> None:
    code, out, err = desk.run("keys", "rotate", *args, "--yes")
    assert code == 2 and out == "" and words in err
    assert desk.gw.calls == [] and "real-secret" not in err


@pytest.mark.parametrize(
    "args",
    [
        ("keys", "rotate", "laptop", "--stdout"),
        ("keys", "rotate", "--all-expiring", "14d", "--expires", "90d", "--env-dir", "x"),
        ("rotations", "finish", "laptop"),
        ("rotations", "undo", "laptop"),
    ],
)
def test_without_a_terminal_it_needs_yes(desk: Desk, args: tuple[str, ...]) -> None:
    code, out, err = desk.run(*args)
    assert (code, out) == (2, "") and "--yes" in err and desk.gw.calls == []


def test_stdout_that_leads_nowhere_is_refused() -> None:
    for script in ('exec "$0" -m tui "$@" >/dev/null', 'exec "$0" -m tui "$@" >&-'):
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, "--demo", "keys", "rotate", "laptop", "--stdout", "--yes"],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode == 2 and "leads nowhere" in done.stderr


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("nobody", (), "no key nobody"),
        ("past", (), "another end"),
        ("laptop", ("--read-only",), "read-only"),
        ("laptop", ("--user", "bob"), "no key laptop"),
        ("lap", (), "no key lap"),
    ],
)
def test_refusals_say_why_and_make_nothing(desk: Desk, name: str, args: tuple[str, ...], words: str) -> None:
    desk.gw.add_key(key_alias="past", user_id=ADA, expires="2020-01-01T00:00:00Z")
    code, out, err = desk.rotate(*args, name=name)
    assert (code, out) == (1, "") and words in err
    assert not any(call.method == "POST" for call in desk.gw.calls) and desk.held is None


def test_an_expired_key_gets_another_end(desk: Desk) -> None:
    desk.gw.add_key(key_alias="past", user_id=ADA, expires="2020-01-01T00:00:00Z")
    assert desk.rotate("--expires", "30d", "--grace", "0", name="past")[0] == 0
    assert desk.held and desk.works(desk.held)


def test_two_of_one_name_are_told_apart(desk: Desk) -> None:
    desk.gw.add_user("bob")
    desk.gw.add_key(key_alias="laptop", user_id="bob")
    code, _, err = desk.rotate()
    assert code == 1 and "means 2 keys" in err and "bob" in err and hash_of(desk.old)[:16] in err


def test_a_name_that_was_taken_meanwhile(desk: Desk) -> None:
    def take(request: httpx.Request) -> None:
        if b"retired" in request.content:
            desk.gw.add_key(key_alias="laptop", user_id=ADA)

    desk.gw.intercept("POST", "/key/update", take, times=2, after=True)
    code, _, err = desk.rotate()
    assert code == 1 and "took the name laptop" in err and "finish laptop --alias NAME" in err
    assert desk.held and desk.works(desk.held)
    assert desk.run("rotations", "finish", "laptop", "--alias", "desk", "--yes")[0] == 0
    assert desk.row("desk")["token"] == hash_of(desk.held)
    assert desk.run("rotations")[1] == ""


def test_an_admin_about_one_person_may_name_another_key(desk: Desk) -> None:
    desk.gw.add_user("bob")
    desk.user = "bob"
    assert desk.rotate()[0] == 0
    assert desk.held
    desk.user = None
    desk.check_end(desk.held)


def test_begun_already_is_told_with_the_ways_on(desk: Desk) -> None:
    desk.line.at, desk.line.after = 0, True
    assert desk.rotate()[0] == 130
    count = len(desk.gw.keys)
    code, out, err = desk.rotate()
    assert (code, out) == (1, "") and "not finished" in err
    assert "rotations finish laptop" in err and "rotations undo laptop" in err
    assert len(desk.gw.keys) == count and desk.held is None


def test_what_is_not_allowed_is_told_before_anything_is_made(desk: Desk) -> None:  # S44
    held = desk.gw.add_key(key_alias="hers", user_id=ADA)
    desk.key = held
    code, _, err = desk.rotate()
    # an admin made it, so 1.108 lets her delete it and not update it
    assert code == 1 and "--grace 0" in err and "--grace keep" in err and desk.untouched() is False
    assert not any(call.method == "POST" for call in desk.gw.calls) and desk.held is None
    assert desk.rotate("--grace", "0")[0] == 0
    assert desk.held and not desk.works(desk.old)
    assert not [call for call in desk.gw.calls if call.status == 403]


@pytest.mark.parametrize("grace", ["0", "keep"])
def test_the_key_of_the_session_itself(desk: Desk, grace: str) -> None:
    desk.key = desk.old
    code, _, err = desk.rotate("--grace", grace)
    assert code == 0 and "This session uses this key" in err
    assert desk.held and desk.works(desk.held) and desk.works(desk.old) is (grace == "keep")


def test_a_new_key_that_does_not_work_is_taken_back(desk: Desk) -> None:
    desk.gw.intercept("GET", "/models", httpx.Response(401, json={"error": {"message": "no", "type": "auth_error"}}))
    code, _, err = desk.rotate()
    assert code == 1 and "does not work" in err and "deleted again" in err
    assert desk.untouched() and desk.held is None and desk.works(desk.old)


def test_a_file_that_fails_at_last_takes_it_back(desk: Desk) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    desk.patch.setattr(os, "replace", fails)
    code, out, err = desk.rotate("--json")
    assert code == 1 and "no space left" in err.lower() and desk.untouched() and not desk.env.exists()
    assert json.loads(out)["step"] == "taken back"


def test_nobody_reads_stderr(desk: Desk) -> None:
    """`2>&1 | head -1`: what was begun comes to its end all the same."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if "is made" in text:
                self.gone = True
            if getattr(self, "gone", False):
                raise BrokenPipeError(32, "Broken pipe")
            return len(text)

    desk.patch.setattr(sys, "stderr", Gone())
    assert cli.main(["--demo", "keys", "rotate", "laptop", "--env-file", str(desk.env), "--var", "KEY", "--yes"]) == 0
    assert desk.held and desk.row("laptop")["token"] == hash_of(desk.held)


# asking


def test_a_person_is_shown_the_plan_and_asked_twice(desk: Desk) -> None:
    desk.answer("y", "y")
    code, out, err = desk.run("keys", "rotate", "laptop", "--env-file", str(desk.env), "--var", "KEY")
    assert (code, out) == (0, "")
    assert "same owner, team, models" in err and f"KEY in {desk.env}" in err
    assert "Rotate laptop now? [y/N]" in err and "retire the old one? [y/N]" in err
    assert desk.held
    desk.check_end(desk.held)


@pytest.mark.parametrize(("typed", "done"), [("laptop", True), ("y", False), ("lap", False), ("", False)])
def test_the_alias_is_typed_before_the_old_key_goes(desk: Desk, typed: str, done: bool) -> None:
    desk.confirm = "type"
    desk.answer("y", typed)
    code, _, err = desk.run("keys", "rotate", "laptop", "--env-file", str(desk.env), "--var", "KEY", "--grace", "0")
    assert "retire the old one? Type laptop to go on: " in err
    assert (code, desk.works(desk.old)) == ((0, False) if done else (1, True))
    assert desk.held and desk.works(desk.held)


@pytest.mark.parametrize(("what", "question"), [("finish", "Finish it?"), ("undo", "Take it back?")])
def test_the_alias_is_typed_before_a_rotation_ends_either_way(desk: Desk, what: str, question: str) -> None:
    assert desk.rotate("--grace", "keep")[0] == 0
    desk.confirm = "type"
    words = ["rotations", what, "laptop", *(["--secret-is-safe", "--delete-now"] if what == "finish" else [])]
    before = len(desk.gw.keys)
    desk.answer("y")
    code, _, err = desk.run(*words)
    assert code == 1 and f"{question} Type laptop to go on: " in err and "Nothing was changed." in err
    assert len(desk.gw.keys) == before
    desk.answer("laptop")
    assert desk.run(*words)[0] == 0 and len(desk.gw.keys) == before - 1


@pytest.mark.parametrize(("typed", "made"), [(["2", "other", "laptop"], 2), (["y"], 0), (["2", "y"], 1)])
def test_of_several_keys_their_number_is_typed(desk: Desk, typed: list[str], made: int) -> None:
    for alias in ("laptop", "other"):
        desk.row(alias)["expires"] = (datetime.now(UTC) + timedelta(days=1, hours=alias == "laptop")).isoformat()
    desk.confirm = "type"
    desk.answer(*typed)
    code, _, err = desk.run("keys", "rotate", "--all-expiring", "7d", "--expires", "30d", "--env-dir", str(desk.dir))
    assert "Rotate these 2 keys now? Type 2 to go on: " in err
    assert code == (0 if made == 2 else 1) and len(list(desk.dir.glob("*.env"))) == made


def test_a_script_types_nothing(desk: Desk) -> None:
    desk.confirm = "type"
    assert desk.rotate("--grace", "0")[0] == 0
    assert not desk.works(desk.old)


@pytest.mark.parametrize("answers", [["n"], [""], [], ["yess"]])
def test_no_at_first_makes_nothing(desk: Desk, answers: list[str]) -> None:
    desk.answer(*answers)
    code, _, err = desk.run("keys", "rotate", "laptop", "--stdout")
    assert code == 1 and "Nothing was made" in err and desk.untouched()


def test_no_at_last_leaves_both_and_lists_it(desk: Desk) -> None:
    desk.answer("y", "n")
    code, _, err = desk.run("keys", "rotate", "laptop", "--env-file", str(desk.env), "--var", "KEY")
    assert code == 1 and "Both keys work" in err
    assert desk.held and desk.works(desk.held) and desk.works(desk.old)
    # the file itself shows that the secret is safe
    code, _, _ = desk.run("rotations", "finish", "laptop", "--env-file", str(desk.env), "--var", "KEY", "--yes")
    assert code == 0
    desk.check_end(desk.held)


# broken off


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("grace", ["1h", "0"])
@pytest.mark.parametrize("way", ["finish", "undo"])
def test_killed_in_every_writing_call(desk: Desk, after: bool, grace: str, way: str) -> None:
    number = -1
    while True:
        number += 1
        desk.__init__(desk.capsys, desk.patch, desk.dir)  # type: ignore[misc]
        desk.env.unlink(missing_ok=True)
        desk.line.at, desk.line.after = number, after
        code, _, err = desk.rotate("--grace", grace)
        if desk.line.count <= number:
            assert code == 0 and number == 4, "every writing call was tried"
            return
        assert code == 130
        assert "Interrupted" in err and "litellm-tui rotations" in err
        assert desk.works(desk.held or desk.old), "a working key at every moment"
        desk.line.at = -1
        _, out, _ = desk.run("rotations", "--json")
        begun = json.loads(out)["unfinished"]
        if not begun:
            # nothing was made yet, or all was done
            desk.check_end(desk.old if number == 0 else desk.held or "")
            continue
        (found,) = begun
        assert found["alias"] == "laptop" and found["old_hash"] == hash_of(desk.old)
        _, listed, _ = desk.run("rotations")
        assert "rotations finish laptop" in listed and "rotations undo laptop" in listed
        if way == "undo":
            code, _, said = desk.run("rotations", "undo", "laptop", "--yes")
            assert code == 0
            desk.check_end((desk.held or "") if found["step"] == "old key gone" else desk.old)
        elif desk.held is None:
            # nobody has the secret, and it is not guessed that somebody might
            code, _, said = desk.run("rotations", "finish", "laptop", "--yes")
            assert code == 1 and "not known" in said and "undo laptop" in said
            assert desk.run("rotations", "undo", "laptop", "--yes")[0] == 0
            desk.check_end(desk.old)
        else:
            args = ("--env-file", str(desk.env), "--var", "KEY", "--yes")
            assert desk.run("rotations", "finish", "laptop", *args)[0] == 0
            desk.check_end(desk.held)


@pytest.mark.parametrize("step", ["prove", "deliver", "confirm", "advance"])
def test_killed_before_each_step(desk: Desk, step: str) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    target = "tui.commands.rotate.deliver" if step == "deliver" else f"tui.gateway.rotation.{step}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, stop)
        code, _, err = desk.rotate()
    assert code == 130 and "litellm-tui rotations" in err
    assert desk.works(desk.old) and (desk.held is None) is (step in ("prove", "deliver"))
    assert desk.run("rotations", "undo", "laptop", "--yes")[0] == 0
    assert desk.untouched()


def test_a_gateway_that_fails_at_last_leaves_a_way_on(desk: Desk) -> None:
    desk.line.at, desk.line.error = 2, httpx.ConnectError("down")
    code, _, err = desk.rotate()
    assert code == 1 and "rotations finish laptop" in err and f"KEY in {desk.env}" in err
    assert desk.held and desk.works(desk.held) and desk.works(desk.old)
    desk.line.at = -1
    assert desk.run("rotations", "finish", "laptop", "--yes")[0] == 0
    desk.check_end(desk.held)


# rotations


def begun(desk: Desk) -> str:
    """A rotation whose secret nobody has; the new key's hash."""
    desk.line.at, desk.line.after = 0, True
    desk.rotate()
    desk.line.at = -1
    (found,) = json.loads(desk.run("rotations", "--json")[1])["unfinished"]
    return str(found["new_hash"])


def test_nothing_unfinished_is_0_and_no_data(desk: Desk) -> None:
    code, out, err = desk.run("rotations")
    assert (code, out) == (0, "") and "none is due" in err
    assert json.loads(desk.run("rotations", "--json")[1]) == {"unfinished": [], "due": []}


def test_the_list_says_what_is_so_and_what_each_way_does(desk: Desk) -> None:
    new = begun(desk)
    code, out, _ = desk.run("rotations")
    assert code == 0 and "Both keys work" in out and "is not known" in out
    assert "--secret-is-safe: The old key ends" in out and "undo laptop: The new key" in out
    (found,) = json.loads(desk.run("rotations", "--json")[1])["unfinished"]
    assert found["step"] == "created" and found["needs_secret"] is True and found["new_hash"] == new


@pytest.mark.parametrize(("flag", "lives"), [("--delete-now", False), ("--grace=2h", True)])
def test_finish_on_a_persons_word(desk: Desk, flag: str, lives: bool) -> None:
    begun(desk)
    code, out, err = desk.run("rotations", "finish", "laptop", "--secret-is-safe", flag, "--yes", "--json")
    assert code == 0 and "Finished" in err and json.loads(out)["alias"] == "laptop"
    assert desk.works(desk.old) is lives
    assert desk.run("rotations")[1] == ""


def test_finish_asks_for_the_secret(desk: Desk) -> None:
    begun(desk)
    desk.answer("n")
    code, _, err = desk.run("rotations", "finish", "laptop")
    assert code == 1 and "Do you have the new secret" in err and desk.works(desk.old)
    desk.answer("y", "y")
    assert desk.run("rotations", "finish", "laptop", "--grace", "1h")[0] == 0
    assert desk.run("rotations")[1] == ""


def test_an_env_file_that_holds_another_key_finishes_nothing(desk: Desk) -> None:
    begun(desk)
    desk.env.write_text(f"KEY={desk.old}\n")
    args = ("--env-file", str(desk.env), "--var", "KEY", "--secret-is-safe", "--yes")
    code, _, err = desk.run("rotations", "finish", "laptop", *args)
    assert code == 1 and "is not the new key" in err and desk.works(desk.old)
    assert len(json.loads(desk.run("rotations", "--json")[1])["unfinished"]) == 1


def test_undo_by_hash_asks_once(desk: Desk) -> None:
    new = begun(desk)
    desk.answer("n")
    assert desk.run("rotations", "undo", new[:12])[0] == 1 and new in desk.gw.keys
    desk.answer("y")
    code, _, err = desk.run("rotations", "undo", new[:12])
    assert code == 0 and "is deleted" in err and desk.untouched()


def test_no_such_rotation(desk: Desk) -> None:
    begun(desk)
    code, _, err = desk.run("rotations", "undo", "other", "--yes")
    assert code == 1 and "No rotation of other" in err and "laptop" in err


def test_what_is_due_is_listed(desk: Desk) -> None:
    old = (datetime.now(UTC) - timedelta(days=100)).isoformat()
    desk.gw.add_key(key_alias="stale", user_id=ADA, metadata={"rotation_interval": "90d"}, created_at=old)
    code, out, _ = desk.run("rotations")
    assert code == 0 and "stale" in out and "every 90 days" in out
    (found,) = json.loads(desk.run("rotations", "--json")[1])["due"]
    assert found["alias"] == "stale" and found["every_days"] == 90


def test_no_control_characters_of_a_name_reach_the_terminal(desk: Desk) -> None:
    desk.gw.add_key(
        key_alias="st\x1b[31male", user_id=ADA, metadata={"rotation_interval": "1d"}, created_at="2020-01-01T00:00:00Z"
    )
    assert "\x1b" not in desk.run("rotations")[1]


# all that end soon


def soon(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def all_expiring(desk: Desk, *more: str) -> tuple[int, str, str]:
    folder = str(desk.dir / "keys")
    return desk.run("keys", "rotate", "--all-expiring", "14d", "--expires", "90d", "--env-dir", folder, "--yes", *more)


def test_all_that_end_soon_and_no_others(desk: Desk) -> None:
    secrets = {
        alias: desk.gw.add_key(key_alias=alias, user_id=ADA, expires=soon(days))
        for alias, days in (("one", 3), ("two words", 10), ("later", 20), ("past", -1))
    }
    desk.gw.add_key(key_alias="gone", user_id=ADA, expires=soon(1), metadata={RETIRED: {"to": "x", "alias": "gone"}})
    code, out, err = all_expiring(desk, "--json")
    assert code == 0 and "2 of 2 keys rotated." in err
    folder = desk.dir / "keys"
    held = {path.name: path.read_text().strip().split("=") for path in folder.iterdir()}
    assert held["one.env"][0] == "ONE_KEY" and len(held) == 2
    assert desk.row("one")["token"] == hash_of(held.pop("one.env")[1])
    ((name, (variable, secret)),) = held.items()
    assert name.startswith("two-words-") and variable == "TWO_WORDS_KEY"
    assert desk.row("two words")["token"] == hash_of(secret) and desk.works(secret)
    for alias in ("later", "past"):
        assert desk.row(alias)["token"] == hash_of(secrets[alias])
    assert [each["step"] for each in json.loads(out)] == ["done", "done"] and secret not in out
    # cron comes again
    before = {path: path.read_text() for path in folder.iterdir()}
    code, out, err = all_expiring(desk, "--json")
    assert (code, json.loads(out)) == (0, []) and "Nothing to rotate" in err
    assert {path: path.read_text() for path in folder.iterdir()} == before


def test_into_one_env_file(desk: Desk) -> None:
    for alias in ("my-key", "my key"):
        desk.gw.add_key(key_alias=alias, user_id=ADA, expires=soon(3))
    code, _, _ = desk.run(
        *("keys", "rotate", "--all-expiring", "14d", "--expires", "90d", "--env-file", str(desk.env), "--yes")
    )
    lines = desk.env.read_text().splitlines()
    assert code == 0 and len(lines) == 2
    assert {hash_of(line.split("=")[1]) for line in lines} == {desk.row(a)["token"] for a in ("my-key", "my key")}


def test_a_failure_stops_the_rest(desk: Desk) -> None:
    for number, alias in enumerate(("one", "two", "three"), 1):
        desk.gw.add_key(key_alias=alias, user_id=ADA, expires=soon(number))
    desk.line.at, desk.line.error = 5, httpx.ConnectError("down")  # the second key, delivered and not confirmed
    code, out, err = all_expiring(desk, "--json")
    assert code == 1 and "1 of 3 keys rotated. Not begun: three." in err
    assert [each["alias"] for each in json.loads(out)] == ["one", "two"]
    assert sorted(path.name for path in (desk.dir / "keys").iterdir()) == ["one.env", "two.env"]
    assert "rotations finish two" in err and desk.works((desk.dir / "keys" / "two.env").read_text().strip()[8:])


def test_what_cannot_be_rotated_is_left_out_and_told(desk: Desk) -> None:
    desk.gw.add_key(user_id=ADA, expires=soon(1))
    desk.gw.add_key(key_alias="fine", user_id=ADA, expires=soon(2))
    code, _, err = all_expiring(desk)
    assert code == 1 and "no alias" in err and "1 of 1 keys rotated." in err
    assert [path.name for path in (desk.dir / "keys").iterdir()] == ["fine.env"]


def test_a_folder_that_is_none_is_told_before_anything_is_made(desk: Desk) -> None:
    desk.gw.add_key(key_alias="one", user_id=ADA, expires=soon(1))
    (desk.dir / "keys").write_text("")
    code, _, err = all_expiring(desk)
    assert code == 1 and "Nothing was made" in err
    assert not any(call.method == "POST" for call in desk.gw.calls)


# as processes


class Served:
    """A `DemoGateway` behind a socket; `on_post` is told each writing call, after it was done and before its answer."""

    def __init__(self) -> None:
        self.gateway = DemoGateway()
        self.gateway.add_user(ADA)
        self.old = self.gateway.add_key(key_alias="laptop", user_id=ADA)
        self.on_post: Callable[[str], None] = lambda path: None
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() == "authorization"}
                request = httpx.Request(self.command, f"http://demo.invalid{self.path}", headers=headers, content=body)
                with outer._lock:
                    answer = asyncio.run(outer.gateway.handle(request))
                if self.command == "POST":
                    outer.on_post(self.path)
                self.send_response(answer.status_code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = _answer

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def command(self, *args: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tui", *args, "--url", self.url],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(LITELLM_TUI_API_KEY=self.gateway.master_key),
        )

    def run(self, *args: str) -> tuple[int, str, str]:
        process = self.command(*args)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("call", "way"), [(1, "undo"), (2, "finish"), (2, "undo"), (3, "finish"), (3, "undo"), (4, "none")]
)
def test_sigkill_after_each_writing_call(served: Served, tmp_path: Path, call: int, way: str) -> None:
    env = tmp_path / ".env"
    posts: list[str] = []
    process: list[subprocess.Popen[str]] = []
    ready = threading.Event()

    def kill(path: str) -> None:
        posts.append(path)
        if len(posts) == call:
            ready.wait(30)
            process[0].kill()
            process[0].wait(30)

    served.on_post = kill
    process.append(served.command("keys", "rotate", "laptop", "--env-file", str(env), "--var", "KEY", "--yes"))
    ready.set()
    _, err = process[0].communicate(timeout=60)
    assert process[0].returncode == -signal.SIGKILL and len(posts) == call
    assert "sk-" not in err.replace("sk-...", "")
    served.on_post = lambda path: None
    held = envfile.get_variable(env, "KEY")
    assert (held is None) is (call == 1)
    code, out, _ = served.run("rotations", "--json")
    listed = json.loads(out)["unfinished"]
    assert code == 0 and [each["alias"] for each in listed] == ([] if way == "none" else ["laptop"])
    if listed:
        assert served.run("rotations", way, "laptop", "--yes")[0] == 0
    left = served.old if way == "undo" else held
    by_alias = {row["key_alias"]: row for row in served.gateway.keys.values()}
    assert left and by_alias.pop("laptop")["token"] == hash_of(left)
    assert all("-retired-" in alias for alias in by_alias)
    assert not any(NOTE in row["metadata"] for row in served.gateway.keys.values())


def test_a_secret_that_went_nowhere_is_taken_back(served: Served) -> None:
    """A reader that has gone, and a full disk: the new key is deleted, and the exit code says that nothing was done."""
    read, write = os.pipe()
    os.close(read)
    targets = [write, *([os.open("/dev/full", os.O_WRONLY)] if Path("/dev/full").exists() else [])]
    for target in targets:
        process = served.command("keys", "rotate", "laptop", "--stdout", "--yes", stdout=target)
        os.close(target)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "could not be written" in err and "deleted again" in err and "Traceback" not in err
        assert list(served.gateway.keys) == [hash_of(served.old)]
        assert served.gateway.keys[hash_of(served.old)]["key_alias"] == "laptop"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_no_secret_in_arguments_or_environment(served: Served, tmp_path: Path) -> None:  # S3
    """Looked at while each writing call is under way, in the process and all that it started."""
    env = tmp_path / ".env"
    seen: list[bytes] = []
    process: list[subprocess.Popen[str]] = []
    ready = threading.Event()

    def look(_: str) -> None:
        ready.wait(30)
        for pid in _family(process[0].pid):
            for name in ("cmdline", "environ"):
                seen.append(Path(f"/proc/{pid}/{name}").read_bytes())

    served.on_post = look
    process.append(served.command("keys", "rotate", "laptop", "--env-file", str(env), "--var", "KEY", "--yes"))
    ready.set()
    _, err = process[0].communicate(timeout=60)
    assert process[0].returncode == 0, err
    held = envfile.get_variable(env, "KEY")
    assert held and len(seen) >= 8
    assert any(b"rotate" in text for text in seen), "it was the right process"
    for secret in (held, served.old):
        assert not any(secret.encode() in text for text in seen)
        assert secret not in err


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def test_at_a_real_terminal(served: Served, tmp_path: Path) -> None:
    """The question reaches the terminal while stdout is a pipe; Ctrl+C at the second one leaves both keys."""
    here, there = pty.openpty()
    handled = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{handled}; from tui.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "keys", "rotate", "laptop", "--stdout", "--url", served.url],
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=there,
        text=True,
        env=environment(LITELLM_TUI_API_KEY=served.gateway.master_key),
    )
    os.close(there)
    _until(here, b"Rotate laptop now? [y/N]")
    os.write(here, b"y\n")
    _until(here, b"retire the old one? [y/N]")
    process.send_signal(signal.SIGINT)
    said = _until(here, b"rotations lists it")
    out, _ = process.communicate(timeout=60)
    os.close(here)
    assert process.returncode == 130 and b"Traceback" not in said
    assert hash_of(out.strip()) in served.gateway.keys, "the secret alone"
    listed = json.loads(served.run("rotations", "--json")[1])["unfinished"]
    assert [each["step"] for each in listed] == ["created"]


def _until(terminal: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen.replace(b"\r\n", b" "):
        chunk = os.read(terminal, 4096)
        assert chunk, seen
        seen += chunk
    return seen


@pytest.mark.parametrize(
    "args", [("keys", "rotate", "laptop", "--out", "new.key", "--yes"), ("rotations",), ("rotations", "--json")]
)
def test_no_command_loads_textual(args: tuple[str, ...], tmp_path: Path) -> None:
    script = (
        "import sys; from tui.cli import main; code = main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--demo", *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(Path(cli.__file__).parents[1])),
        check=False,
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert done.returncode == 0 and "httpx" in loaded
    assert loaded.isdisjoint({"textual", "rich", "plotext"})
