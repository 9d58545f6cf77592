"""Every key of the screen behind it, from the bindings themselves."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui import keymap, look
from tui.formatting import harmless, plain
from tui.screens.base import MainScreen

LIST, EVERYWHERE = "In a list", "Everywhere"


class Help(ModalScreen[None]):
    """The keys that work on `behind`, grouped by where they belong, with why one is not possible."""

    CSS_PATH = ["dialogs.tcss", "help.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "close", "close", id="help.close"),
        Binding("j,down", "scroll(1)", "down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="help.up"),
    ]

    def __init__(self, behind: Screen[object]) -> None:
        super().__init__()
        self._text = self._describe(behind)

    def compose(self) -> ComposeResult:
        """A scrolling page of keys."""
        with Vertical(classes="dialog help"):
            yield Static("Keys", classes="dialog-title")
            with VerticalScroll(classes="help-text"):
                yield Static(self._text)
            yield Static(Text(f"{keymap.key('help.close')} closes", style=look.DIM))

    def _describe(self, behind: Screen[object]) -> Text:
        page = Text()
        here = "This dialog" if behind.is_modal else "This screen"
        groups: dict[str, list[tuple[str, str, str | None]]] = {}
        for node, binding in _all(behind):
            # Textual's own bindings have no id; they are not what a person looks for here
            if not binding.description or not binding.id:
                continue
            if binding.id.startswith(("app.", "dialog.")):
                title = EVERYWHERE
            elif node is behind:
                title = here
            else:
                title = LIST
            reason = behind.reason(binding.action) if isinstance(behind, MainScreen) else None
            words = binding.tooltip or binding.description
            row = (behind.app.get_key_display(binding), words, reason)
            rows = groups.setdefault(title, [])
            same = next((index for index, each in enumerate(rows) if each[1] == row[1]), None)
            if same is None:
                rows.append(row)
            elif rows[same][0] != row[0]:
                rows[same] = (f"{rows[same][0]} {row[0]}", row[1], row[2])
        for title in (here, LIST, EVERYWHERE):
            if title not in groups:
                continue
            page.append(f"{title}\n", style=look.STRONG)
            for key, words, reason in groups[title]:
                page.append(f"  {key:<12}", style=look.DIM if reason else look.GOOD)
                page.append(plain(words), style=look.DIM if reason else "")
                if reason:
                    page.append(f"  {harmless(reason)}", style=f"italic {look.WARN}")
                page.append("\n")
            page.append("\n")
        page.rstrip()
        return page

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Move the page."""
        self.query_one(VerticalScroll).scroll_relative(y=lines * 3, animate=False)


def _all(behind: Screen[object]) -> list[tuple[DOMNode, Binding]]:
    """Every binding of the screen and of what is in it, once. Textual leaves out those that a focused input takes as
    text; here they are told all the same, as they work as soon as it has not the focus."""
    nodes: list[DOMNode] = [behind] if behind.is_modal else [behind, behind.app]
    found = [
        (node, each)
        for node in nodes
        for bindings in node._bindings.key_to_bindings.values()
        for binding in bindings
        for each in keymap.mapped(behind.app, binding)
    ]
    found += [(each.node, each.binding) for each in behind.active_bindings.values()]
    return list({(id(node), binding.key, binding.action): (node, binding) for node, binding in found}.values())
