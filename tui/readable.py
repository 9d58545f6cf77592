"""Text that can be read in every theme: every cell on its way out passes through here, with only its shade changed."""

from functools import lru_cache
from typing import Any

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App
from textual.color import Color
from textual.constants import DIM_FACTOR
from textual.filter import LineFilter

from tui import look

_STATES = {RichColor.parse(style.split()[-1]).triplet for style in (look.BAD, look.WARN, look.GOOD)}


class Readable(LineFilter):
    """Colours of states, the terminal's sixteen (which charts use) and dim text, each in a shade that contrasts with
    what is behind it. Goes before Textual's own filters, which know nothing of that."""

    def __init__(self, app: App[Any]) -> None:
        super().__init__()
        self._app = app

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments of the same text. Where the terminal's own colours are sent nothing is known about them."""
        if self._app.native_ansi_color:
            return segments
        theme, paper = self._app.ansi_theme, background.rich_color
        return [
            segment
            if segment.style is None or not _matters(segment.style)
            else Segment(segment.text, _shaded(segment.style, paper, theme), segment.control)
            for segment in segments
        ]


def _matters(style: Style) -> bool:
    ink = style.color
    return bool(style.dim) or (
        ink is not None and (ink.triplet in _STATES or (ink.triplet is None and ink.number is not None))
    )


@lru_cache(maxsize=2048)
def _shaded(style: Style, background: RichColor, theme: TerminalTheme) -> Style:
    if style.color is None:
        return style
    behind = background if style.bgcolor is None or style.bgcolor.is_default else style.bgcolor
    paper = tuple(behind.get_truecolor(theme, foreground=False))
    ink = tuple(style.color.get_truecolor(theme, foreground=True))
    if style.dim:
        ink = tuple(round(back + (fore - back) * DIM_FACTOR) for back, fore in zip(paper, ink, strict=True))
    red, green, blue = look.legible(ink, paper)  # type: ignore[arg-type]
    return style + Style(color=RichColor.from_rgb(red, green, blue), dim=False)
