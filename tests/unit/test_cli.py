"""The command line as a script meets it: exit codes, what goes to stdout and what to stderr, and no key anywhere."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tui import cli

SECRET = "sk-nobody-0123456789abcdef"


def environment(**more: str) -> dict[str, str]:
    """This one without what would lead to a gateway, and with output buffered as usual."""
    dropped = ("LITELLM", "PYTHONUNBUFFERED", "PYTHONIOENCODING", "NO_COLOR", "COLUMNS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**clean, "XDG_CONFIG_HOME": "/nonexistent", "TERM": "xterm-256color", **more}


def run(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=environment(**(env or {})),
        check=False,
    )


@pytest.fixture(autouse=True)
def _no_gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LITELLM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}])
def test_without_a_terminal_the_app_refuses_in_one_line(env: dict[str, str]) -> None:
    done = run("--demo", env=env)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert all(command in done.stderr for command in ("doctor", "keys list", "models list", "usage"))


def test_a_dumb_terminal_is_refused_too() -> None:
    here, there = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--demo"],
        stdin=there,
        stdout=there,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env=environment(TERM="dumb"),
        check=False,
    )
    os.close(there)
    os.close(here)
    assert done.returncode == 2 and "needs a terminal" in done.stderr


def test_textual_is_kept_from_writing_down_what_is_typed(tmp_path: Path) -> None:  # S3
    check = (
        "import sys; from tui import cli; cli._main = lambda args: 0; cli.main([]);"
        "assert 'textual' not in sys.modules;"
        "import textual.constants, textual.app;"
        "print(repr(textual.constants.LOG_FILE), sorted(textual.app.App().features))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(TEXTUAL_LOG=str(tmp_path / "textual.log"), TEXTUAL="devtools,debug"),
        check=True,
    )
    assert done.stdout.split("\n")[0] == "None []"


def test_demo_keys_as_json() -> None:
    done = run("keys", "list", "--json", "--demo")
    assert done.returncode == 0
    keys = json.loads(done.stdout)
    assert len(keys) > 10
    assert {"hash", "alias", "spend", "max_budget", "expires_at", "state"} <= keys[0].keys()
    assert "DEMO" in done.stderr and "sk-demo" not in done.stdout + done.stderr


def test_usage_json_has_the_promised_shape() -> None:  # S21
    done = run("--demo", "usage", "--period", "7d", "--json")
    data: dict[str, Any] = json.loads(done.stdout)
    assert {"start", "end", "as_of", "totals", "daily", "by_model", "by_key", "daily_by_model"} <= data.keys()
    assert len(data["daily"]) == 7 and data["daily"][0]["date"] == data["start"]
    for name in ("spend", "total_tokens", "prompt_tokens", "completion_tokens", "api_requests", "failed_requests"):
        assert isinstance(data["totals"][name], int | float)
        assert data["totals"][name] == pytest.approx(sum(day[name] for day in data["daily"]))
        assert data["totals"][name] == pytest.approx(sum(row[name] for row in data["by_model"]))


def test_tables_go_to_stdout_and_words_to_stderr() -> None:
    done = run("--demo", "usage", "--period", "7d", "--by", "day")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["Day", "Spend"]
    assert len(lines) == 9 and lines[-1].startswith("Total")
    assert "\x1b" not in done.stdout
    assert "UTC days" in done.stderr and "as of" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("usage", "--since", "yesterday"), "2026-11-01"),
        (("usage", "--since", "2026-11-05", "--until", "2026-11-01"), "is after"),
        (("usage", "--since", "2999-01-01"), "is after"),
        (("usage", "--since", "2001-01-01"), "ten years"),
        (("usage", "--until", "2026-11-01"), "needs --since"),
        (("usage", "--period", "7d", "--since", "2026-11-01"), "either"),
        (("usage", "--period", "8d"), "invalid choice"),
        (("usage", "--all", "--team", "x"), "not allowed with"),
        (("usage", "--all", "--user", "ada"), "not allowed with"),
        (("--user", "ada", "usage", "--team", "x"), "not allowed with"),
        (("usage", "--user", ""), "empty"),
        (("keys", "list", "--profile", "nobody"), "no profile of this name"),
        (("keys", "list", "--config", "/nonexistent/x.toml"), "no such file"),
        (("keys", "list", "--url", "llm.example.com"), "https://"),
        (("keys", "list"), "no gateway is configured"),
        (("keys",), "required"),
        (("keys", "drop"), "no such command"),
        (("usage", "--demo", "--url", "https://llm.example.com"), "--demo"),
    ],
)
def test_wrong_usage_is_2_with_a_reason(
    args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("nothing may be asked for")

    monkeypatch.setattr("tui.commands.start", connect)
    try:
        code = cli.main(args)
    except SystemExit as stopped:
        code = int(str(stopped.code))
    said = capsys.readouterr()
    assert code == 2 and said.out == ""
    assert words in said.err and "Traceback" not in said.err


def test_no_answer_is_1_with_the_address_and_no_key() -> None:  # S3
    done = run("keys", "list", "--url", "http://127.0.0.1:9", env={"LITELLM_TUI_API_KEY": SECRET})
    assert done.returncode == 1 and done.stdout == ""
    assert "127.0.0.1:9 refuses the connection" in done.stderr and "--url" in done.stderr
    assert SECRET not in done.stderr and "Traceback" not in done.stderr


def test_without_a_key_and_a_terminal_it_says_how() -> None:
    done = run("keys", "list", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1 and done.stdout == ""
    assert "LITELLM_TUI_API_KEY" in done.stderr and "api_key_command" in done.stderr


def test_flags_work_before_and_after_the_command() -> None:
    parser = cli._parser()
    before = parser.parse_args(["--user", "ada", "--demo", "--read-only", "keys", "list"])
    after = parser.parse_args(["keys", "list", "--user", "ada", "--demo", "--read-only"])
    between = parser.parse_args(["keys", "--user", "ada", "--demo", "list", "--read-only"])
    for args in (before, after, between):
        assert (args.user, args.demo, args.read_only) == ("ada", True, True)


@pytest.mark.parametrize(
    "args",
    [
        ["--api-key", "hunter2-0123", "keys", "list"],
        ["keys", "list", "--key", "hunter2-0123"],
        ["keys", "list", "--token=hunter2-0123"],
        ["--key", SECRET, "usage"],
        ["usage", SECRET],
    ],
)
def test_no_flag_takes_a_key_and_none_is_repeated(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:  # S3
    with pytest.raises(SystemExit) as stopped:
        cli.main(args)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert "hunter2" not in said.err and SECRET not in said.err and "error:" in said.err


def test_an_unforeseen_error_is_one_redacted_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # S3
    def fail(*_: object) -> None:
        local = SECRET
        raise RuntimeError(f"no way with {local}")

    monkeypatch.setattr("tui.config.resolve", fail)
    monkeypatch.setattr(cli, "_drop_output", lambda: None)
    assert cli.main(["keys", "list"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "RuntimeError" in said and SECRET not in said
    monkeypatch.setenv("LITELLM_TUI_DEBUG", "1")
    assert cli.main(["keys", "list"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said and "in fail" in said and SECRET not in said


@pytest.mark.parametrize("args", [("models", "list", "--demo"), ("keys", "list", "--demo", "--json"), ("--help",)])
def test_a_reader_that_leaves_is_no_error(args: tuple[str, ...]) -> None:
    """As `| head -1` with the pipe closed before anything is written."""
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", *args], stdout=write, stderr=subprocess.PIPE, text=True, env=environment()
    )
    os.close(write)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.replace("litellm-tui: DEMO: made-up data\n", "") == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_once() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tui", "models", "list", "--demo"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("No space left") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_does_not_send_its_text_to_the_other(closed: int) -> None:
    script = f'exec "$0" -m tui models list --demo {closed}>&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout == "" if closed == 1 else done.stdout.startswith("Model") and "DEMO" not in done.stdout


def test_ctrl_c_is_130_and_silent() -> None:
    """A gateway that takes the connection and never answers: then the person gives up."""
    # a background job of a shell starts with the signal ignored, and so might these tests
    handled = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"import signal, sys; {handled}; from tui.cli import main; sys.exit(main(sys.argv[1:]))"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [sys.executable, "-c", script, "keys", "list", "--url", f"http://127.0.0.1:{silent.getsockname()[1]}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(LITELLM_TUI_API_KEY=SECRET),
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, out, said) == (130, "", "")


def test_names_that_the_encoding_lacks_do_not_stop_it() -> None:
    done = run("keys", "list", "--demo", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and done.stdout.isascii() and "~" in done.stdout


def test_help_says_where_the_key_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "LITELLM_TUI_API_KEY" in shown and "litellm-tui usage" in shown
    assert "--key" not in shown and "--api-key" not in shown
