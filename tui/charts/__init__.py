"""Charts as `rich.text.Text`. Pure functions: data in, text out, no Textual.

Every chart is at most `width` cells by `height` lines; where that is too small for it, a sparkline is drawn.
Meaning is never colour alone: each series has its own fill, and the legend shows that fill. Values that are NaN,
infinite or below zero count as 0. Names and labels come from the gateway, so control characters are removed and
nothing in them is markup.
"""

from tui.charts.bars import bars_with_failures, stacked_bars
from tui.charts.calendar import heat
from tui.charts.curve import line
from tui.charts.numbers import format_number
from tui.charts.series import Series, top_series
from tui.charts.sheet import sparkline

__all__ = [
    "Series",
    "bars_with_failures",
    "format_number",
    "heat",
    "line",
    "sparkline",
    "stacked_bars",
    "top_series",
]
