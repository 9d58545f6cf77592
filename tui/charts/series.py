"""The parts of a stacked chart, and the fills that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tui.charts.numbers import HUGE, number, numbers


@dataclass(frozen=True)
class Series:
    """A part of a stacked chart: `values` runs parallel to the labels, `rest` marks the sum of the others."""

    name: str
    values: list[float] = field(default_factory=list)
    rest: bool = False


def top_series(series: Sequence[Series], n: int = 5) -> list[Series]:
    """The `n` largest series by total, largest first, then one "other" that sums what is left.

    A single series left over keeps its own name. Series that are 0 throughout are dropped.
    """
    ranked = sorted((s for s in series if _total(s) > 0), key=_total, reverse=True)
    if len(ranked) <= n + 1:
        return ranked
    rest = ranked[n:]
    length = max(len(s.values) for s in rest)
    columns = zip(*(numbers(s.values, length) for s in rest), strict=True)
    return [*ranked[:n], Series("other", [min(sum(column), HUGE) for column in columns], rest=True)]


def _total(series: Series) -> float:
    return sum(number(v) for v in series.values)


@dataclass(frozen=True)
class Fill:
    """How one series looks: `ramp` holds the glyphs for 1/8 to 8/8 of a cell, `colour` an ANSI colour."""

    ramp: str
    colour: int
    ascii: str

    @property
    def glyph(self) -> str:
        """A full cell, which is what the legend shows."""
        return self.ramp[-1]

    def for_terminal(self, ascii: bool) -> Fill:
        """The same without characters that need more than ASCII."""
        return Fill("___" + self.ascii * 5, self.colour, self.ascii) if ascii else self


# Only the full block has glyphs for each eighth; a pattern ends in dots or in half a cell of itself.
FILLS = (
    Fill("▁▂▃▄▅▆▇█", 6, "#"),
    Fill("⣀⣀⣤⣤⣶⣶▒▒", 3, "="),
    Fill("⡀⡀╥╥╥║║║", 5, "|"),
    Fill("⣀⣀⣀─════", 2, "-"),
    Fill("⢀⢀⢠⢠╱╱╱╱", 12, "/"),
)
REST = Fill("⡀⡀⡀·····", 7, ".")
FAILED = Fill("⣀⣀⣤⣤⣶⣶▒▒", 1, "x")


def fills_of(series: Sequence[Series], ascii: bool) -> list[Fill]:
    """A fill for each; the sum of the others always has the same one."""
    named = iter(FILLS)
    return [(REST if s.rest else next(named, REST)).for_terminal(ascii) for s in series]
