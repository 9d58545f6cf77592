"""`litellm-tui usage`: the periods by month, the chart, CSV and files (S20, S22)."""

import csv
import io
import json
import re
import stat
import sys
from argparse import Namespace
from datetime import date
from pathlib import Path

import pytest

from tests.unit.test_import_hygiene import DRAWING, imported, packages
from tui import cli
from tui.commands import usage as command
from tui.formatting import width


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["usage", "--demo", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize(
    ("period", "first"), [("12m", date(2025, 4, 1)), ("mtd", date(2026, 3, 1)), ("7d", date(2026, 3, 14))]
)
def test_periods_by_month_end_today(period: str, first: date) -> None:
    """# S20"""
    today = date(2026, 3, 20)
    assert command.days(Namespace(since=None, until=None, period=period), today) == (first, today)


def test_a_year_as_json_is_every_view(capsys: pytest.CaptureFixture[str]) -> None:
    """# S21: the same shape for any period, each view with the same sum, and the models of each key"""
    code, out, err = run(capsys, "--period", "12m", "--json", "--refresh")
    assert (code, err) == (0, "litellm-tui: DEMO: made-up data\n")
    found = json.loads(out)
    assert list(found) == ["start", "end", "as_of", "totals", "daily", "by_model", "by_key", "daily_by_model", "notes"]
    for view in ("daily", "by_model", "by_key", "daily_by_model"):
        assert sum(row["api_requests"] for row in found[view]) == found["totals"]["api_requests"] > 0
    assert all(row["models"] for row in found["by_key"] if row["api_key"] and row["successful_requests"])
    month = json.loads(run(capsys, "--period", "mtd", "--json")[1])
    assert list(month) == list(found)
    assert month["start"] == found["end"][:8] + "01"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output and error are a terminal of 80x24, once `run_there` runs something."""
    for name, value in (("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("COLUMNS", "80"), ("LINES", "24")):
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def run_there(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, answer: str | None = None
) -> tuple[int, str, str]:
    # only now: pytest changes the streams between a fixture and its test
    terminal.setattr(sys, "stdin", io.StringIO(answer))
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        terminal.setattr(stream, "isatty", lambda: True)
    return run(capsys, *words)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("by", ["model", "key", "day", "provider"])
def test_chart_and_table_fit_the_terminal(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str, columns: int
) -> None:
    terminal.setenv("COLUMNS", str(columns))
    code, out, err = run_there(terminal, capsys, "--by", by)
    chart, _, table = plain(out).partition("\n\n")
    assert code == 0 and chart.startswith("Spend a day") and by.capitalize() in table and "Total" in table
    assert max(map(width, plain(out).splitlines())) <= columns
    assert 6 <= len(chart.splitlines()) <= 10
    assert "\x1b[36m" in out
    assert re.search(r"Spend \$[\d.,]+, (▲|▼|as|nothing).*the 30 days before", plain(err))


def test_a_year_is_drawn_by_month(terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(run_there(terminal, capsys, "--period", "12m")[1]).startswith("Spend a month")
    assert plain(run_there(terminal, capsys, "--period", "90d")[1]).startswith("Spend a day")


def test_without_colour_and_in_ascii(terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.setenv("NO_COLOR", "1")
    terminal.setenv("LANG", "C")
    _, out, err = run_there(terminal, capsys)
    assert out.startswith("Spend a day") and out.isascii() and "\x1b" not in out
    assert plain(err).isascii()


@pytest.mark.parametrize("args", [("--no-chart",), ("--csv",), ("--json",), ("TERM=dumb",), ("--period", "today")])
def test_where_there_is_no_chart(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: tuple[str, ...]
) -> None:
    if args == ("TERM=dumb",):
        terminal.setenv("TERM", "dumb")
        args = ()
    _, out, _ = run_there(terminal, capsys, *args)
    assert "Spend a day" not in out and "┤" not in out and "openai/gpt-4o" in out


def test_a_chart_that_is_asked_for_comes_through_a_pipe_too(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--chart", "requests")
    assert out.startswith("Requests a day") and "\x1b" not in out


def test_the_chart_alone_loads_what_draws() -> None:
    assert packages(imported("usage", "--demo")) & DRAWING == set()
    assert packages(imported("usage", "--demo", "--csv")) & DRAWING == set()
    assert packages(imported("usage", "--demo", "--chart", "spend")) & DRAWING == {"rich", "plotext"}


def test_what_is_compared() -> None:
    assert command.compared(41.2, 36.79, 30) == "Spend $41.20, ▲12 % on the 30 days before ($36.79)"
    assert command.compared(36.79, 41.2, 1) == "Spend $36.79, ▼11 % on the day before ($41.20)"
    assert command.compared(40.0, 40.01, 7) == "Spend $40.00, as on the 7 days before ($40.01)"
    assert command.compared(40.0, 1.0, 7) == "Spend $40.00, 40 times the 7 days before ($1.00)"
    assert command.compared(40.0, 0.0, 7) == "Spend $40.00, nothing on the 7 days before"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("by", ["model", "key", "day", "provider"])
def test_csv_is_the_json_with_every_digit(capsys: pytest.CaptureFixture[str], by: str) -> None:
    """# S21"""
    totals = json.loads(run(capsys, "--json")[1])["totals"]
    code, out, _ = run(capsys, "--by", by, "--csv")
    found = rows(out)
    assert code == 0 and len(found) > 1 and "Total" not in out
    assert sum(int(row["total_tokens"]) for row in found) == totals["total_tokens"]
    assert sum(float(row["spend"]) for row in found) == pytest.approx(totals["spend"], rel=1e-12)
    if by == "model":
        assert {row["provider"] for row in found} >= {"openai", "anthropic"}


def test_a_file_is_private_and_never_lost(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    code, out, err = run(capsys, "--csv", "--output", str(path))
    assert (code, out) == (0, "") and "Written:" in err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and rows(path.read_text())[0]["model"]
    path.write_text("old")
    code, out, err = run(capsys, "--json", "--output", str(path))
    assert (code, out, path.read_text()) == (1, "", "old") and "is there already. --force writes over it." in err
    assert run(capsys, "--json", "--output", str(path), "--force")[0] == 0
    assert json.loads(path.read_text())["by_model"]
    assert run(capsys, "--json", "--output", str(tmp_path), "--force")[0] == 1


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_on_a_terminal_it_asks(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, answer: str, code: int
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("old")
    found, _, err = run_there(terminal, capsys, "--csv", "--output", str(path), answer=answer)
    assert found == code and "is there already. Write over it? [y/N]" in err
    assert (path.read_text() == "old") == (code == 1)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--csv", "--json"), "--csv: not allowed with argument --json"),
        (("--output", "x"), "--output needs --csv or --json"),
        (("--csv", "--force"), "--force needs --output"),
        (("--csv", "--chart", "spend"), "a chart goes with the table, not with --csv"),
        (("--chart", "spend", "--no-chart"), "not allowed with"),
    ],
)
def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["usage", "--demo", *args])
    assert stopped.value.code == 2 and words in capsys.readouterr().err


def test_narrowed_to_a_key_and_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    by_key = rows(run(capsys, "--by", "key", "--csv")[1])
    key = max(by_key, key=lambda row: row["models"].count(";"))
    _, out, err = run(capsys, "--key", key["key_alias"], "--by", "key", "--csv")
    assert [(row["api_key"], row["spend"]) for row in rows(out)] == [(key["api_key"], key["spend"])]
    models = rows(run(capsys, "--key", key["api_key"][:12], "--csv")[1])
    assert {row["model"] for row in models} == set(key["models"].split("; "))
    _, out, err = run(capsys, "--key", key["key_alias"], "--model", models[1]["model"])
    assert out.splitlines()[1].split()[0] == models[1]["model"] and len(out.splitlines()) == 3
    assert f", key {key['key_alias']}, model {models[1]['model']}, 20" in err


def test_what_was_not_used_is_said_with_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--model", "no-such")
    assert (code, out) == (1, "") and "No model no-such was used in these days; there are: " in err
    code, out, err = run(capsys, "--key", "no-such")
    assert (code, out) == (1, "") and "No key no-such was used in these days; there are: " in err
