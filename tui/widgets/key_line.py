"""The keys of a dialog: key and word stay together, however narrow it is."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

from tui import look
from tui.widgets.bars import Hint

GAP = "   "


class KeyLine(Widget):
    """Hints side by side, as many on a line as fit whole; what is not possible is dim."""

    DEFAULT_CSS = """
    KeyLine { height: auto; width: 100%; }
    """

    def __init__(self, hints: Sequence[Hint], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints = tuple(hints)

    def render(self) -> Text:
        """The hints, for Textual."""
        return lay_out(self._hints, self.size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as they take at this width."""
        return lay_out(self._hints, width).plain.count("\n") + 1


def lay_out(hints: Sequence[Hint], width: int) -> Text:
    """The hints on lines of `width` cells; one that is wider by itself has a line of its own."""
    page, room = Text(no_wrap=True, overflow="crop"), width
    for number, hint in enumerate(hints):
        cells = cell_len(f"{hint.key} {hint.label}")
        if number and cells + len(GAP) <= room:
            page.append(GAP)
            room -= len(GAP)
        elif number:
            page.append("\n")
            room = width
        page.append(hint.key, style="dim strike" if hint.off else look.STRONG)
        page.append(f" {hint.label}", style=look.DIM if hint.off else "")
        room -= cells
    return page
