"""The lines around a screen's contents: who and where on top, the keys to press below."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.color import Color
from textual.widget import Widget

from tui.look import contrast


@dataclass(frozen=True, slots=True)
class Hint:
    """One key with what it does; `off` where it is not possible now."""

    key: str
    label: str
    off: bool = False


class Line(Widget):
    """One or more lines of styled text, drawn again only when the text differs."""

    DEFAULT_CSS = """
    Line { height: auto; width: 100%; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._text = Text()

    def show(self, text: Text) -> None:
        """Draw `text`, unless that is what is drawn."""
        if text != self._text or text.spans != self._text.spans:
            taller = text.plain.count("\n") != self._text.plain.count("\n") or not self._text.plain
            # a line that is wider than the widget is wrapped, into as many as its words need
            taller = taller or max(text.cell_len, self._text.cell_len) > self.size.width
            self._text = text
            self.refresh(layout=taller)

    @property
    def text(self) -> str:
        """What is shown, without styles."""
        return self._text.plain

    def render(self) -> Text:
        """The text, for Textual."""
        return self._text


class TopBar(Line):
    """Two lines: where and who, then the screens with their counts."""

    DEFAULT_CSS = """
    TopBar { height: 2; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = Text()
        self._right = Text()
        self._tabs = Text()

    def paint(self, colour: str | None) -> None:
        """In this colour (`#rrggbb`), the text in black or white, whichever is easier to read; None for the theme's."""
        if colour is None:
            self.styles.clear_rule("background")
            self.styles.clear_rule("color")
            return
        background = Color.parse(colour)
        self.styles.background = background
        white, black = Color(255, 255, 255), Color(0, 0, 0)
        self.styles.color = max(white, black, key=lambda ink: contrast(ink.rgb, background.rgb))

    def set(self, left: Text, right: Text, tabs: Text) -> None:
        """`left` and `right` share the first line; the left one gives way."""
        self._left, self._right, self._tabs = left, right, tabs
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the first line out anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.size.width or self.app.size.width
        left, right = self._left.copy(), self._right.copy()
        if right.cell_len > width // 2 and left.cell_len + right.cell_len + 2 > width:
            right.truncate(max(width - min(left.cell_len, width // 2) - 2, 10), overflow="ellipsis")
        room = width - right.cell_len - 1
        if left.cell_len > room:
            left.truncate(room, overflow="ellipsis")
        gap = max(1, width - left.cell_len - right.cell_len)
        self.show(Text.assemble(left, " " * gap, right, "\n", self._tabs, no_wrap=True, overflow="crop"))


class Hints(Line):
    """One line of keys, as many as fit and always the last; what is not possible is dim."""

    DEFAULT_CSS = """
    Hints { height: 1; background: $panel; color: $foreground; dock: bottom; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._hints: tuple[Hint, ...] = ()

    def set(self, hints: Sequence[Hint]) -> None:
        """Show these keys."""
        self._hints = tuple(hints)
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the keys anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.size.width or self.app.size.width
        line = Text(" ", no_wrap=True, overflow="crop")
        last = sum(cell_len(f"{hint.key} {hint.label}") for hint in self._hints[-1:])
        for number, hint in enumerate(self._hints, 1):
            room = width if number == len(self._hints) else width - last - 2
            if line.cell_len + cell_len(f"{hint.key} {hint.label}") > room:
                continue
            line.append(hint.key, "dim strike" if hint.off else "bold")
            line.append(f" {hint.label}", "dim" if hint.off else "")
            line.append("  ")
        self.show(line)
