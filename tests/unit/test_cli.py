"""The command line as a script meets it: exit codes, what goes to stdout and what to stderr, what is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tui import cli

SECRET = "sk-nobody-0123456789abcdef"


def run(
    *args: str, env: dict[str, str] | None = None, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    return subprocess.run(
        [sys.executable, *python, "-m", "tui", *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**clean, "XDG_CONFIG_HOME": "/nonexistent", **(env or {})},
        check=False,
    )


@pytest.fixture(autouse=True)
def _no_gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LITELLM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def imported(*args: str) -> set[str]:
    """The modules that a run has loaded, by Python's own account."""
    done = run(*args, python=("-X", "importtime"))
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(flag: str) -> None:
    loaded = imported(flag)
    assert "argparse" in loaded
    heavy = {"textual", "rich", "plotext", "httpx", "pydantic", "asyncio", "tui.app", "tui.config"}
    assert not heavy & loaded


@pytest.mark.parametrize("command", [("doctor",), ("keys", "list"), ("models", "list"), ("usage",)])
def test_no_command_loads_textual_or_draws(command: tuple[str, ...]) -> None:
    loaded = imported(*command, "--demo", "--json")
    assert "tui.commands" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("textual", "rich", "plotext")}
    assert "tui.app" not in loaded


def test_without_a_terminal_the_app_refuses_in_one_line() -> None:
    done = run("--demo")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "usage" in done.stderr and "doctor" in done.stderr


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
    assert done.stdout.splitlines()[0].split()[:2] == ["Day", "Spend"]
    assert done.stdout.splitlines()[-1].startswith("Total")
    assert "UTC days" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("usage", "--demo", "--since", "yesterday"), "2026-11-01"),
        (("usage", "--demo", "--since", "2026-11-05", "--until", "2026-11-01"), "is after"),
        (("usage", "--demo", "--until", "2026-11-01"), "needs --since"),
        (("usage", "--demo", "--period", "7d", "--since", "2026-11-01"), "either"),
        (("keys", "list"), "no gateway is configured"),
        (("keys", "list", "--url", "llm.example.com"), "https://"),
        (("keys", "list", "--profile", "nobody"), "no profile of this name"),
        (("keys",), "required"),
    ],
)
def test_wrong_usage_is_2_with_a_reason(args: tuple[str, ...], words: str) -> None:
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and "Traceback" not in done.stderr


def test_no_answer_is_1_with_the_address_and_no_key() -> None:  # S3
    done = run("keys", "list", "--url", "http://127.0.0.1:9", env={"LITELLM_TUI_API_KEY": SECRET})
    assert done.returncode == 1 and done.stdout == ""
    assert "127.0.0.1:9 refuses the connection" in done.stderr
    assert SECRET not in done.stderr and "Traceback" not in done.stderr


def test_flags_work_before_and_after_the_command() -> None:
    parser = cli._parser()
    before = parser.parse_args(["--user", "ada", "--demo", "keys", "list"])
    after = parser.parse_args(["keys", "list", "--user", "ada", "--demo"])
    assert (before.user, before.demo) == (after.user, after.demo) == ("ada", True)


def test_no_flag_takes_a_key() -> None:
    for flag in ("--key", "--api-key", "--token"):
        with pytest.raises(SystemExit) as caught:
            cli.main([flag, SECRET])
        assert caught.value.code == 2
