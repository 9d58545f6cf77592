"""What was measured beside what, as a table: for a terminal, or as Markdown for the README."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TITLES = ("what", "ours", "beside", "theirs", "ratio", "goal")


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `ours` and `theirs` are in `unit`; `goal` is the most that their ratio may be, None for no goal.

    With `above` it is their difference that counts, in `unit` too.
    """

    what: str
    ours: float
    beside: str
    theirs: float
    unit: str = "ms"
    goal: float | None = None
    above: bool = False

    @property
    def compared(self) -> float | None:
        """Ratio or difference; None where there is nothing to divide by."""
        if self.above:
            return self.ours - self.theirs
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool:
        """Whether the goal is met, by what is printed: 1.204 is 1.20."""
        digits = 0 if self.above else 2
        return self.goal is None or self.compared is None or round(self.compared, digits) <= self.goal

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of `TITLES`."""
        if self.compared is None:
            compared = ""
        else:
            compared = f"{self.compared:+,.0f} {self.unit}" if self.above else f"{self.compared:.2f}"
        goal = ""
        if self.goal is not None:
            goal = f"≤ +{self.goal:.0f} {self.unit}" if self.above else f"≤ {self.goal:.2f}"
        return (
            self.what,
            self._amount(self.ours),
            self.beside,
            self._amount(self.theirs),
            compared,
            goal if self.met else f"{goal} · not met",
        )

    def _amount(self, value: float) -> str:
        return f"{value:,.{1 if self.unit == 's' else 0}f} {self.unit}"


def text(rows: Sequence[Row]) -> str:
    """The table for a terminal, figures to the right."""
    cells = [TITLES, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if TITLES[column] in ("ours", "theirs", "ratio") else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table for the README."""
    marks = ("---:" if title in ("ours", "theirs", "ratio") else "---" for title in TITLES)
    cells = [TITLES, tuple(marks), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def alternately(runs: int, *measures: Callable[[], float]) -> list[float]:
    """Medians of measures that take turns, so that the machine's moods hit all of them.

    The first round fills caches, of the disk's pages and of compiled modules, and does not count.
    """
    for measure in measures:
        measure()
    rows = [[measure() for measure in measures] for _ in range(runs)]
    return [statistics.median(row[number] for row in rows) for number in range(len(measures))]
