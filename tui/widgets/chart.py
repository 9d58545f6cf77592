"""A widget that shows one chart of `tui.charts` and redraws it for its own size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.text import Text
from textual.widget import Widget

Figure = Callable[..., Text]
"""Called as `figure(width=…, height=…, colour=…, ascii=…)`: e.g. `partial(stacked_bars, labels, series)`."""

_Key = tuple[int, int, bool, bool]


class Chart(Widget):
    """Shows a figure, or a sentence where there is none. Takes no focus.

    The app may have the attributes `colour` and `ascii` (both bool); without them NO_COLOR decides and ascii
    is False. It is drawn once per figure and size: the drawing is kept, and a figure equal to the last one
    changes nothing on screen, which over SSH is what keeps a refresh from costing a screenful.
    """

    DEFAULT_CSS = """
    Chart { height: 12; width: 1fr; }
    """
    can_focus = False

    def __init__(
        self,
        figure: Figure | None = None,
        *,
        empty: str = "Nothing to draw yet.",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._figure = figure
        self._empty = empty
        self._drawn: Text | None = None
        self._drawn_for: _Key | None = None

    def show(self, figure: Figure | None, *, empty: str | None = None) -> None:
        """Show another figure; None shows `empty`. Redraws only if the picture is a different one."""
        sentence = self._empty if empty is None else empty
        if _same(figure, self._figure) and sentence == self._empty:
            return
        before = self._drawn
        self._figure, self._empty = figure, sentence
        self._drawn = self._drawn_for = None
        if before is None or not self.size.width or self._picture() != before:
            self.refresh()

    def render(self) -> Text:
        return self._picture()

    def _picture(self) -> Text:
        key = (*self.size, *self._terminal())
        if self._drawn is None or key != self._drawn_for:
            width, height, colour, ascii = key
            if self._figure is None:
                self._drawn = Text(self._empty, style="dim", overflow="ellipsis")
            else:
                self._drawn = self._figure(width=width, height=height, colour=colour, ascii=ascii)
            self._drawn_for = key
        return self._drawn

    def _terminal(self) -> tuple[bool, bool]:
        colour = getattr(self.app, "colour", not getattr(self.app, "no_color", False))
        return bool(colour), bool(getattr(self.app, "ascii", False))


def _same(one: Figure | None, other: Figure | None) -> bool:
    if isinstance(one, partial) and isinstance(other, partial):
        return (one.func, one.args, one.keywords) == (other.func, other.args, other.keywords)
    return one is other
