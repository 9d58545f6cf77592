"""Usage for other programs: columns in LiteLLM's names, no formula, no secret, and a file that nobody loses."""

import csv
import io
import json
import os
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import export
from tui.files import FileError, FileThereError
from tui.gateway.usage import DayModelUsage, DayUsage, KeyUsage, Metrics, ModelUsage, Usage

DAY = date(2026, 11, 1)
COUNTS = [
    *("spend", "total_tokens", "prompt_tokens", "completion_tokens", "cache_read_input_tokens"),
    *("cache_creation_input_tokens", "api_requests", "successful_requests", "failed_requests"),
]


def usage(model: str = "openai/gpt-4o", alias: str | None = "laptop") -> Usage:
    sums = Metrics(0.1 + 0.2, 30, 20, 10, 5, 1, 7, 6, 1)
    return Usage(
        DAY,
        DAY,
        datetime(2026, 11, 2, tzinfo=UTC),
        sums,
        [DayUsage(DAY, sums)],
        [ModelUsage(model, sums, [model])],
        [KeyUsage("a1b2", alias, "t-1", [model], sums)],
        [DayModelUsage(DAY, model, sums)],
    )


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("by", "names", "values"),
    [
        ("model", ["model", "provider"], ["openai/gpt-4o", "openai"]),
        ("key", ["key_alias", "api_key", "team_id", "models"], ["laptop", "a1b2", "t-1", "openai/gpt-4o"]),
        ("day", ["date"], ["2026-11-01"]),
        ("provider", ["provider"], ["openai"]),
        ("day and model", ["date", "model", "provider"], ["2026-11-01", "openai/gpt-4o", "openai"]),
    ],
)
def test_each_view_has_litellms_names_and_every_digit(by: export.By, names: list[str], values: list[str]) -> None:
    """# S21"""
    columns, rows = export.table(usage(), by, {"openai/gpt-4o": "openai"})
    assert columns == [*names, *COUNTS]
    text = export.csv_text(columns, rows)
    assert read(text) == [columns, [*values, "0.30000000000000004", "30", "20", "10", "5", "1", "7", "6", "1"]]
    assert "\r" not in text and text.endswith("1\n")


def test_providers_are_summed_and_those_that_are_unknown_too() -> None:
    found = usage()
    found.by_model = [ModelUsage(name, Metrics(spend)) for name, spend in (("a", 1.0), ("b", 5.0), ("c", 2.5))]
    columns, rows = export.table(found, "provider", {"a": "x", "c": "x"})
    assert [(row[0], row[columns.index("spend")]) for row in rows] == [("", 5.0), ("x", 3.5)]


@pytest.mark.parametrize(
    "name",
    [
        *("=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u3000@x", '"=1', "\u200b=1"),
        *("＝1", "＋1", "－1", "＠x", " ＝1", "\ufeff=1", "\u202e=1", "\x00=1", "﹦1"),
    ],
)
def test_no_name_is_a_formula(name: str) -> None:
    (row,) = read(export.csv_text(["model"], [[name]]))[1:]
    assert row[0].startswith("'")
    assert row[0].strip("' \u00a0\u3000") == name.strip(" \u00a0\u3000\t\r\n\u200b\ufeff\u202e\x00")


def test_a_semicolon_begins_no_formula_where_it_parts_the_cells() -> None:
    text = export.csv_text(["model"], [['a;=cmd()|x;"=y']])
    assert read(text)[1] == ["a;'=cmd()|x;'\"=y"]


def test_numbers_and_harmless_names_are_left_alone() -> None:
    row: list[export.Value] = [-0.5, -3, 1e-07, None, "gpt-4o", "a=b", "it's", 'say "hi", you', "模型"]
    assert read(export.csv_text(["x"] * 9, [row]))[1] == [
        *("-0.5", "-3", "1e-07", "", "gpt-4o", "a=b", "it's", 'say "hi", you', "模型")
    ]


@given(st.text())
def test_any_name_stays_one_cell_of_one_line(name: str) -> None:
    text = export.csv_text(["model", "spend"], [[name, 1.5]])
    text.encode()
    assert text.count("\n") == 2
    (row,) = read(text)[1:]
    assert len(row) == 2 and row[1] == "1.5"
    assert row[0].strip()[:1] not in ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t") or not row[0].strip()


def test_no_secret_goes_into_a_file() -> None:
    """# S3"""
    found = usage(alias="Bearer sk-abcdefghijklmnop")
    for text in (export.csv_text(*export.table(found, "key")), export.json_text(found)):
        assert "abcdefgh" not in text and "[redacted]" in text


def test_json_is_the_commands_shape_with_printable_names() -> None:
    found = usage(model="gpt\x1b[31m\u202e4o", alias=None)
    data = json.loads(export.json_text(found))
    assert list(data) == list(found.to_json())
    assert data["totals"] == found.to_json()["totals"]
    assert data["by_model"][0]["model"] == "gpt[31m4o" and data["by_key"][0]["models"] == ["gpt[31m4o"]


@pytest.mark.parametrize(
    ("label", "whose"),
    [
        ("me", "me"),
        ("ada@example.com", "ada-example.com"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", ""),
        ("a\0b/c\\d", "ab-c-d"),
        ("Zoë ✨", "Zoe"),
        ("模型", ""),
        ("-rf", "rf"),
    ],
)
def test_a_default_name_is_safe_for_file_systems(label: str, whose: str) -> None:
    name = export.default_name(label, DAY, date(2026, 11, 30), "model", "csv")
    assert name == f"usage-{whose}-2026-11-01-to-2026-11-30-by-model.csv".replace("--", "-")


def test_a_default_name_is_short_and_of_one_day() -> None:
    name = export.default_name("x" * 10_000, DAY, DAY, None, "json")
    assert name == f"usage-{'x' * 40}-2026-11-01.json"


def test_what_can_be_written_says_how_much_it_is() -> None:
    found = export.contents(usage(), "me", "key", [usage().by_key[0].hash], {})
    assert [each.title for each in found] == [
        "CSV · by key, 1 row",
        "CSV · by day, 1 row",
        "CSV · by day and model, 1 row",
        "JSON · everything",
    ]
    assert [each.name for each in found] == [
        "usage-me-2026-11-01-by-key.csv",
        "usage-me-2026-11-01-by-day.csv",
        "usage-me-2026-11-01-by-day-and-model.csv",
        "usage-me-2026-11-01.json",
    ]
    assert read(found[0].make())[1][0] == "laptop" and json.loads(found[3].make())["start"] == "2026-11-01"


def test_the_table_is_written_as_it_is_on_screen() -> None:
    shown = usage()
    shown.by_model = [ModelUsage(name, Metrics(spend)) for name, spend in (("a", 3.0), ("b", 2.0), ("c", 1.0))]
    found = export.contents(shown, "me", "model", ["c", "a"])
    assert found[0].title == "CSV · by model, 2 rows"
    assert [row[0] for row in read(found[0].make())[1:]] == ["c", "a"]
    assert len(export.contents(shown, "me", "day", [])) == 3


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_and_at_home_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert export.write(Path("~/usage.csv"), "ä\n") == tmp_path / "usage.csv"
    assert (tmp_path / "usage.csv").read_bytes() == "ä\n".encode()
    assert mode(tmp_path / "usage.csv") == 0o600


def test_a_file_that_is_there_stays_until_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("old")
    path.chmod(0o644)
    with pytest.raises(FileThereError, match=r"usage\.csv is there already"):
        export.write(path, "new")
    assert path.read_text() == "old"
    export.write(path, "new", overwrite=True)
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_a_dangling_link_is_a_file_that_is_there(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    with pytest.raises(FileThereError):
        export.write(link, "new")
    assert not target.exists()
    export.write(link, "new", overwrite=True)
    assert link.is_symlink() and target.read_text() == "new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_ordinary_file_is_refused_whatever_was_said(tmp_path: Path, overwrite: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "file").write_text("")
    for path, words in (
        (tmp_path, "is a folder"),
        (Path("/"), "is a folder"),
        (pipe, "is no ordinary file"),
        (tmp_path / "file" / "x", "is no folder"),
        (tmp_path / "a\0b", "cannot be used"),
        (tmp_path / ("x" * 300), "name too long"),
        (Path("~nobody-of-that-name/x"), "cannot be used"),
    ):
        with pytest.raises(FileError, match=words) as caught:
            export.write(path, "text", overwrite=overwrite)
        assert not isinstance(caught.value, FileThereError)
    assert pipe.is_fifo() and (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="You may not make files in"):
        export.write(tmp_path / "x", "text")
