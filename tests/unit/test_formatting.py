"""Values in words: what a person reads in a table, whatever the gateway has sent."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import formatting
from tui.formatting import (
    ago,
    count,
    day,
    fit,
    fit_to_show,
    models_summary,
    money,
    per_million,
    percent,
    plain,
    resets,
    short_count,
    until,
    width,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "?"),
        (0, "$0.00"),
        (3.12, "$3.12"),
        (0.0042, "$0.0042"),
        (0.000042, "$0.000042"),
        (0.00999, "$0.01"),
        (4e-9, "<$0.000001"),
        (1234.5, "$1,234.50"),
        (999_999.99, "$999,999.99"),
        (999_999.999, "$1M"),
        (1_234_567, "$1.2M"),
        (-3.5, "-$3.50"),
        (1e300, "$1e+300"),
        (float("nan"), "?"),
    ],
)
def test_money(usd: float | None, text: str) -> None:
    assert money(usd) == text


@given(st.floats() | st.integers(min_value=-(10**30), max_value=10**30))
def test_no_number_explodes(value: float) -> None:
    for words in (money(value), count(value), short_count(value), percent(value), per_million(value)):
        assert 1 <= len(words) <= 16


@pytest.mark.parametrize(
    ("n", "text"), [(None, "?"), (0, "0"), (8412, "8,412"), (9_999_999, "9,999,999"), (12_345_678, "12.3M")]
)
def test_count(n: float | None, text: str) -> None:
    assert count(n) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(None, "?"), (512, "512"), (8192, "8.2k"), (200_000, "200k"), (999_999, "1M"), (1_048_576, "1M"), (2e9, "2B")],
)
def test_short_count(n: float | None, text: str) -> None:
    assert short_count(n) == text


def test_percent_is_not_clamped() -> None:  # S42
    assert [percent(part) for part in (0, 0.0001, 0.004, 0.31, 1.5)] == ["0 %", "<0.1 %", "0.4 %", "31 %", "150 %"]


def test_an_unknown_price_is_not_zero() -> None:  # S13
    assert [per_million(cost) for cost in (None, 0.0, 3e-6, 1.5e-7, 2e-9)] == ["?", "0", "3.00", "0.15", "0.002"]


def test_ends() -> None:  # S42
    assert until(None, NOW) == "never"
    assert until(NOW + timedelta(days=12, hours=5), NOW) == "12 d left"
    assert until(NOW + timedelta(hours=3), NOW) == "3 h left"
    assert until(NOW - timedelta(days=2), NOW) == "expired 2 d ago"
    assert until(NOW, NOW) == "expired 0 s ago"


def test_ages() -> None:
    assert [ago(moment, NOW) for moment in (None, NOW, NOW + timedelta(hours=1), NOW - timedelta(days=2))] == [
        "never",
        "just now",
        "just now",
        "2 d ago",
    ]


def test_the_year_is_told_where_it_is_another() -> None:
    assert day(date(2026, 12, 5), date(2026, 1, 1)) == "5 Dec"
    assert day(date(2027, 12, 5), date(2026, 1, 1)) == "5 Dec 2027"


def test_budget_windows() -> None:  # S42
    first = datetime(2026, 12, 1, tzinfo=UTC)
    assert resets(None, first, NOW) == ""
    assert resets("1d", first, NOW) == resets("24h", None, NOW) == "resets daily"
    assert resets("30d", first, NOW) == "resets on 1 Dec"
    assert resets("1mo", datetime(2027, 1, 1, tzinfo=UTC), NOW) == "resets on 1 Jan 2027"
    assert resets("30d", None, NOW) == resets("30d", NOW - timedelta(days=1), NOW) == "resets every 30 days"


def test_models() -> None:
    assert models_summary([]) == "all"
    assert models_summary(["no-default-models"]) == "none"
    assert models_summary(["gpt-4o"]) == "gpt-4o"
    assert models_summary(["gpt-4o", "a", "b"]) == "gpt-4o +2"


def test_text_of_strangers_is_made_harmless() -> None:
    assert plain("a\x1b[31mred\nb\u202ec\u200bd") == "a[31mred bcd"


def test_text_is_cut_by_cells() -> None:
    assert fit("laptop", 6) == "laptop"
    assert fit("laptop-of-ada", 6) == "lapto…"
    assert fit("laptop-of-ada", 6, ascii=True) == "lapto~"
    assert fit("日本語キー", 6) == "日本…"
    assert (fit("x", 0), fit("ab", 1)) == ("", "…")


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_nothing_is_wider_than_its_room(text: str, cells: int) -> None:
    shown = fit(plain(text), cells)
    assert width(shown) <= cells
    if width(plain(text)) <= cells:
        assert shown == plain(text)


def test_it_needs_nothing_heavy() -> None:
    code = (
        "import sys, tui.formatting; print([n for n in ('rich', 'textual', 'pydantic', 'httpx') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    assert formatting.__doc__


@pytest.mark.parametrize("value", [10**400, -(10**400), float("inf"), float("nan")])
def test_numbers_that_nothing_holds_are_unknown(value: float) -> None:
    assert [show(value) for show in (money, count, short_count, percent, per_million)] == ["?"] * 5


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 2**63])
def test_the_largest_and_the_smallest_numbers_are_shown(value: float) -> None:
    for show in (money, count, short_count, percent, per_million):
        assert 0 < len(show(value)) < 25


def test_a_sentence_from_outside_is_fit_to_show() -> None:  # S3
    shown = fit_to_show("no\n\x1b[31m sk-abc\u200bdefgh12 Bearer abc " + "x" * 900)
    assert shown.startswith("no [31m sk-[redacted] Bearer [redacted] x")
    assert len(shown) == 500 and shown.endswith("x…")
    assert fit_to_show("as it is") == "as it is"


def test_an_end_chosen_a_moment_ago_reads_as_it_was_chosen() -> None:  # S42
    moment = timedelta(minutes=1)
    assert until(NOW + timedelta(days=90) - moment, NOW) == "90 d left"
    assert until(NOW + timedelta(days=1) - moment, NOW) == "1 d left"
    assert until(NOW + timedelta(hours=1) - timedelta(seconds=1), NOW) == "1 h left"
    assert until(NOW + timedelta(hours=23), NOW) == "23 h left"
    assert until(NOW + timedelta(days=6, hours=10), NOW) == "6 d left"


_SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


@given(st.integers(min_value=1, max_value=10**10))
def test_never_more_than_half_a_unit_is_promised(milliseconds: int) -> None:
    left = timedelta(milliseconds=milliseconds)
    number, unit, word = until(NOW + left, NOW).split()
    said = timedelta(seconds=int(number) * _SECONDS[unit])
    assert word == "left" and abs(said - left) <= timedelta(seconds=_SECONDS[unit] / 2)
    assert unit == "d" or int(number) < {"h": 24, "min": 60, "s": 60}[unit]
