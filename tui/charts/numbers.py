"""Values made safe to draw, short numbers, and the scale of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HUGE = 1e300
_TINY = 1e-12


def number(value: float | None) -> float:
    """The value to draw: 0 for what is missing, no number, below zero or next to nothing; at most 1e300."""
    try:
        if value is None or not math.isfinite(value) or value < _TINY:
            return 0.0
    except OverflowError:  # an int that no float holds
        return HUGE if value is not None and value > 0 else 0.0
    return min(float(value), HUGE)


def numbers(values: Sequence[float], length: int) -> list[float]:
    """Exactly `length` values to draw; what is missing at the end is 0."""
    known = [number(v) for v in values[:length]]
    return known + [0.0] * (length - len(known))


def format_number(value: float, unit: str = "") -> str:
    """A short number of about three digits: `$0.02`, `$12.30`, `$1.5k`, `2.1M`. `unit` "$" goes in front."""
    value = value if math.isfinite(value) else 0.0
    sign, size = ("-" if value < 0 else ""), abs(value)
    return sign + unit + _plain(size, money=unit == "$")


def _plain(size: float, *, money: bool) -> str:
    if size == 0:
        return "0"
    if size < 1e-4 or size >= 9.995e14:
        return f"{size:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    scales = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T"))
    # 999.7 is 1k: it would round to 1000.
    factor, suffix = next(((f, x) for f, x in scales if size < 999.5 * f), scales[-1])
    scaled = size / factor
    if money and not suffix and 0.01 <= scaled < 100 and abs(scaled - round(scaled, 2)) < 1e-9:
        return f"{scaled:.0f}" if abs(scaled - round(scaled)) < 1e-9 else f"{scaled:.2f}"
    digits = max(0, 2 - math.floor(math.log10(scaled))) if scaled < 100 else 0
    text = f"{scaled:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + suffix


@dataclass(frozen=True)
class Scale:
    """`per_row` is the value of one row of cells; a tick (row, label) means the upper edge of that row."""

    rows: int
    per_row: float
    ticks: list[tuple[int, str]]
    zero: str

    @property
    def gutter(self) -> int:
        """How many columns the labels take."""
        return max([len(self.zero), *(len(text) for _, text in self.ticks)])


def scale_of(highest: float, rows: int, unit: str) -> Scale:
    """The scale whose round ticks fall on whole rows and leave the least empty space above `highest`."""
    zero = f"{unit}0"
    if highest <= 0 or rows < 1:
        return Scale(rows, 1.0, [], zero)
    best: tuple[float, int, float] | None = None
    for apart in range(1, rows + 1):
        count = rows // apart
        if count > 6 or (rows >= 4 and count < 2):
            continue
        step = _round_up(highest * apart / rows, whole=unit == "" and highest >= 1)
        cost = step / apart * rows / highest - 1 + 0.12 * abs(count - 4) + (0.3 if apart == 1 and rows > 3 else 0)
        if best is None or cost < best[0]:
            best = (cost, apart, step)
    assert best is not None
    _, apart, step = best
    values = [step * k for k in range(1, rows // apart + 1)]
    texts = [format_number(v, unit) for v in values]
    if unit == "$" and any("." in t and t[-1].isdigit() for t in texts) and step >= 0.01 and values[-1] < 100:
        texts = [f"${v:.2f}" for v in values]
    return Scale(rows, step / apart, [(apart * (k + 1) - 1, t) for k, t in enumerate(texts)], zero)


def _round_up(value: float, *, whole: bool) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    for _ in range(2):
        for factor in (1.0, 2.0, 2.5, 5.0):
            step = factor * power
            if step >= value * (1 - 1e-9) and (not whole or step == int(step)):
                return step
        power *= 10
    return power
