"""Words on a chart: names made printable, the legend, and what stands under the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from tui.formatting import fit_to_show

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Entry(NamedTuple):
    """A mark and what it means; `colour` is an ANSI colour, None is dim."""

    glyph: str
    colour: int | None
    name: str

    def text(self) -> Text:
        """`█ name`, the mark in its colour."""
        return Text.assemble((self.glyph, style_of(self.colour)), " ", self.name)


DIM = Style(dim=True)
_STYLES = [Style(color=f"color({n})") for n in range(16)]


def style_of(colour: int | None) -> Style:
    """The style of one of the 16 ANSI colours, or dim."""
    return DIM if colour is None else _STYLES[colour]


def clean(text: str, ascii: bool = False) -> str:
    """As it may be shown (`fit_to_show`), white space of any kind one space; with `ascii`, `?` for any other letter."""
    kept = " ".join(fit_to_show(text).split())
    return "".join(c if c.isascii() else "?" for c in kept if cell_len(c)) if ascii else kept


def cut(text: str, cells: int) -> str:
    """`text` cut to `cells` terminal cells, with `…` where something is missing."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 1 else "…"[:cells]


def legend(title: str, entries: Sequence[Entry], width: int, most: int) -> list[Text]:
    """The title, then mark and name of each entry, on up to `most` lines; long names are cut to that end."""
    title = cut(title, width)
    if not title and not entries:
        return []
    for limit in (*range(32, 3, -2), 3):
        lines = pack(title, [e._replace(name=cut(e.name, min(limit, width - 2))) for e in entries], width)
        if len(lines) <= most:
            return lines
    return lines[:most]


def pack(title: str, entries: Sequence[Entry], width: int, apart: int = 3) -> list[Text]:
    """The title and the entries, `apart` spaces between, on as many lines as they need."""
    lines, current = [], Text(title)
    for entry in entries:
        text = entry.text()
        gap = apart if current.cell_len else 0
        if current.cell_len and current.cell_len + gap + text.cell_len > width:
            lines.append(current)
            current, gap = Text(), 0
        current = Text.assemble(current, " " * gap, text)
    return [*lines, current]


@dataclass(frozen=True)
class Moment:
    """A label of the axis: the day, the Monday of the week, or the first of the month that it means."""

    text: str
    kind: str = ""
    day: date | None = None


def moment(label: str) -> Moment:
    """`2025-11-01` is `1 Nov`, `2025-W45` its Monday, `3 Nov`, `2025-11` is `Nov`; else the label as it is."""
    if not label.isascii():
        day = None
    elif len(label) == 8 and label[4:6] == "-W":
        kind, day = "week", _date(label)
    elif len(label) == 7:
        kind, day = "month", _date(f"{label}-01")
    else:
        kind, day = "day", _date(label[:10]) if label[4:5] == "-" else None
    if day is None:
        # plotext counts a character as a cell.
        return Moment("".join(c if cell_len(c) == 1 else "?" for c in clean(label))[:10])
    month = MONTHS[day.month - 1]
    return Moment(month if kind == "month" else f"{day.day} {month}", kind, day)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


_STEPS = {"day": (1, 2, 7, 14, 28, 56, 91, 182), "week": (1, 2, 4, 8, 13, 26), "month": (1, 2, 3, 4, 6, 12, 24)}


def date_ticks(labels: Sequence[str], where: Sequence[int], columns: int) -> list[tuple[int, str]]:
    """About five (column, text) pairs, evenly spaced or at month starts; `where` has a column per label."""
    count = len(labels)
    moments = [moment(label) for label in labels]
    years = {m.day.year for m in moments if m.day is not None and m.kind == "month"}
    widest = max(cell_len(m.text) for m in moments) + (5 if len(years) > 1 else 0)
    most = max(1, min(12 if count <= 12 else 7, columns // (widest + 3)))
    starts = [i for i, m in enumerate(moments) if m.kind == "day" and m.day is not None and m.day.day == 1]
    if count > 130 and starts:
        chosen = starts[:: math.ceil(len(starts) / most)]
    else:
        steps = _STEPS.get(moments[0].kind, ()) if count > 12 else range(1, 13)
        chosen = list(range(0, count, next((s for s in steps if math.ceil(count / s) <= most), count)))
    texts, year = [], None
    for m in (moments[i] for i in chosen):
        following = m.day.year if m.day is not None and m.kind == "month" else None
        texts.append(f"{m.text} {following}" if year and following and year != following else m.text)
        year = following
    return [(where[i], text) for i, text in zip(chosen, texts, strict=True)]
