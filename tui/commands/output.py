"""Tables that fit the terminal, and JSON."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tui.formatting import fit, plain, width
from tui.gateway.redaction import masked, redact

GAP = 2
DEEPEST = 50
"""Levels of a value that `json_safe` keeps."""
NARROWEST = 8
"""Cells to which a column is shrunk where there is no room at all."""
STYLES = {"head": "\x1b[1m", "dim": "\x1b[2m", "warn": "\x1b[33m", "bad": "\x1b[31m"}
_END = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `right` for numbers.

    Where the terminal is too narrow, a column with `least` gives way down to that many cells, the widest first; then
    the columns with the highest `drop` go, 0 never does.
    """

    title: str
    right: bool = False
    least: int = 0
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with a style of `STYLES`, for states: never colour alone, the words say it too."""

    text: str
    style: str = ""


Value = str | Cell


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Value]],
    *,
    room: int | None = None,
    ascii: bool = False,
    colour: bool = False,
) -> Iterator[str]:
    """The lines of a table, titles first, at most `room` cells wide (None: as wide as it is)."""
    head = [Cell(column.title, "head") for column in columns]
    clean = [[_cell(value) for value in row] for row in rows]
    lines = [head, *clean]
    widths = [max(width(line[index].text) for line in lines) for index in range(len(columns))]
    shown = _shown(columns, widths, room)
    for line in lines:
        pieces = []
        for index in shown:
            text = fit(line[index].text, widths[index], ascii=ascii)
            pad = " " * (widths[index] - width(text))
            if colour and line[index].style and text:
                text = f"{STYLES[line[index].style]}{text}{_END}"
            pieces.append(pad + text if columns[index].right else text + pad)
        yield (" " * GAP).join(pieces).rstrip()


def _cell(value: Value) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(redact(plain(cell.text)), cell.style)


def _shown(columns: Sequence[Column], widths: list[int], room: int | None) -> list[int]:
    """The columns that fit, by index; `widths` is cut to what each gets."""
    shown = list(range(len(columns)))
    if room is None:
        return shown

    def over(wanted: Sequence[int]) -> int:
        return sum(wanted[i] for i in shown) + GAP * (len(shown) - 1) - room

    least = [min(each, column.least or each) for each, column in zip(widths, columns, strict=True)]
    while over(least) > 0 and (loose := [i for i in shown if columns[i].drop]):
        shown.remove(max(loose, key=lambda i: columns[i].drop))
    for floor in (least, [min(each, NARROWEST) for each in least]):
        while over(widths) > 0 and (giving := [i for i in shown if columns[i].least and widths[i] > floor[i]]):
            widths[max(giving, key=lambda i: widths[i])] -= 1
    return shown


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> None:
    """A table on stdout: fitted to the terminal there; through a pipe whole and without colours."""
    terminal = sys.stdout.isatty()
    encoding = sys.stdout.encoding or "utf-8"
    narrow = not encoding.lower().startswith("utf")
    colour = terminal and os.name != "nt" and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    room = shutil.get_terminal_size().columns if terminal else None
    for line in table(columns, rows, room=room, ascii=narrow, colour=colour):
        # a letter that this encoding lacks is no reason to stop
        shown = line.replace("…", "~") if narrow else line
        print(shown.encode(encoding, "replace").decode(encoding))


def json_safe(value: Any, depth: int = DEEPEST) -> Any:
    """A value from the gateway as JSON can say it: NaN and infinity as null, and no more than `depth` levels."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {name: json_safe(inner, depth - 1) for name, inner in value.items()}
    return [json_safe(inner, depth - 1) for inner in value]


def print_json(data: Any) -> None:
    """`data` on stdout, indented, in plain ASCII so that no name can play with the terminal. What is a secret by its
    looks is masked, since this goes to files (S3): people keep keys in metadata."""
    print(masked(json.dumps(data, indent=2, allow_nan=False)))
