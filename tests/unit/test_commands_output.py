"""Tables on a terminal: fitted by cells, numbers to the right, nothing of a stranger's that plays with the terminal."""

import json

import pytest

from tui.commands.output import Cell, Column, print_json, print_table, table
from tui.formatting import width

COLUMNS = (
    Column("Name", least=8),
    Column("Spend", right=True),
    Column("Team", drop=1),
    Column("Created", drop=2),
)
ROWS = [
    ("laptop", "$3.12", "platform", "2026-11-01"),
    ("a-very-long-name-that-says-it-all", "$1,234.50", "research", "2026-10-01"),
    ("日本語のキー", "$0.00", "", "2026-09-01"),
]


def test_as_wide_as_it_is() -> None:
    lines = list(table(COLUMNS, ROWS))
    assert lines[0].split() == ["Name", "Spend", "Team", "Created"]
    assert "a-very-long-name-that-says-it-all  $1,234.50  research  2026-10-01" in lines
    assert lines[1].index("$3.12") + 5 == lines[2].index("$1,234.50") + 9, "numbers end in one column"


@pytest.mark.parametrize("room", [25, 30, 40, 50, 60, 80])
def test_fits_by_cells(room: int) -> None:
    lines = list(table(COLUMNS, ROWS, room=room))
    assert max(map(width, lines)) <= room
    assert all("$" in line for line in lines[1:]), "what matters most stays"


def test_what_matters_least_goes_first() -> None:
    head = [next(table(COLUMNS, ROWS, room=room)).split() for room in (41, 40, 28)]
    assert head == [["Name", "Spend", "Team", "Created"], ["Name", "Spend", "Team"], ["Name", "Spend"]]


def test_columns_are_aligned_behind_wide_letters() -> None:
    lines = list(table(COLUMNS, ROWS))
    ends = {width(line.partition("$")[0]) + width("$" + line.partition("$")[2].split()[0]) for line in lines[1:]}
    assert len(ends) == 1


def test_names_cannot_play_with_the_terminal() -> None:
    lines = list(table([Column("Name")], [["a\x1b]52;c;aGk=\x07b\nc\u202e"]]))
    assert lines == ["Name", "a]52;c;aGk=b c"]


def test_colour_only_where_asked_and_not_alone() -> None:
    rows = [[Cell("expired", "bad")]]
    assert list(table([Column("State")], rows)) == ["State", "expired"]
    assert list(table([Column("State")], rows, colour=True)) == ["\x1b[1mState\x1b[0m", "\x1b[31mexpired\x1b[0m"]


def test_colour_does_not_change_the_widths() -> None:
    rows: list[list[str | Cell]] = [[Cell("expired", "bad"), "x"], ["ok", "y"]]
    columns = [Column("State"), Column("Next")]
    coloured = [
        line.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
        for line in table(columns, rows, colour=True)
    ]
    assert coloured == list(table(columns, rows))


def test_through_a_pipe_nothing_is_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(COLUMNS, ROWS)
    shown = capsys.readouterr().out
    assert "a-very-long-name-that-says-it-all" in shown and "Created" in shown and "\x1b" not in shown


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"alias": "日本\x1b", "spend": 1e300})
    shown = capsys.readouterr().out
    assert shown.isascii() and "\x1b" not in shown
    assert json.loads(shown) == {"alias": "日本\x1b", "spend": 1e300}


def test_json_knows_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"spend": float("nan")})
