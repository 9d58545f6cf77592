"""`litellm-tui usage`: the periods by month, and what is kept of them (S20, S22)."""

import json
from argparse import Namespace
from datetime import date

import pytest

from tui import cli
from tui.commands import usage as command


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
