"""Tables that fit the terminal, and JSON."""

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tui.formatting import plain

GAP = 2


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table: `right` for numbers; the widest field with `shrink` gives way on a narrow terminal."""

    title: str
    right: bool = False
    shrink: bool = False


def cells(text: str) -> int:
    """How many terminal cells `text` takes; wide letters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def print_table(fields: Sequence[Field], rows: Sequence[Sequence[str]]) -> None:
    """Rows below their titles, as wide as the terminal at most; through a pipe as wide as they are."""
    clean = [[plain(value) for value in row] for row in rows]
    widths = [max([cells(field.title), *(cells(row[index]) for row in clean)]) for index, field in enumerate(fields)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10**6
    shrinking = [index for index, field in enumerate(fields) if field.shrink]
    while shrinking and sum(widths) + GAP * (len(widths) - 1) > room:
        widest = max(shrinking, key=lambda index: widths[index])
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    for row in [[field.title for field in fields], *clean]:
        pieces = [_fit(value, width, field.right) for value, width, field in zip(row, widths, fields, strict=True)]
        print((" " * GAP).join(pieces).rstrip())


def print_json(data: Any) -> None:
    """`data` on stdout, indented, in plain ASCII so that no name can play with the terminal."""
    print(json.dumps(data, indent=2, allow_nan=False))


def _fit(text: str, width: int, right: bool) -> str:
    if cells(text) > width:
        kept = ""
        for letter in text:
            if cells(kept + letter) > width - 1:
                break
            kept += letter
        text = kept + "…"
    pad = " " * (width - cells(text))
    return pad + text if right else text + pad
