"""A new secret, shown once: masked until revealed, with copy, write to a file and ready snippets (S41)."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Button, Static

from tui import keymap, look, snippets
from tui.delivery import NewFile, check, deliver
from tui.files import FileError
from tui.formatting import fit_to_show, harmless
from tui.gateway.redaction import redact
from tui.screens.dialogs import AskText, Dialog
from tui.widgets.bars import Hint
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from tui.app import LitellmTui

KEYS = (
    ("reveal", "show"),
    ("copy", "copy"),
    ("write", "write to a file"),
    ("next", "next snippet"),
    ("copy-snippet", "copy it"),
)
"""The bindings that are shown beside the secret, and what they are called there."""


class ShowSecret(Dialog[None]):
    """The one time that a secret is seen. Only the deliberate key `D` or the button leaves."""

    CSS_PATH = ["dialogs.tcss", "secret.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "reveal", "show or hide", id="secret.reveal"),
        Binding("y", "copy_secret", "copy", id="secret.copy"),
        Binding("w", "write", "write to a file", id="secret.write"),
        Binding("tab,right,l", "turn(1)", "next snippet", id="secret.next"),
        Binding("shift+tab,left,h", "turn(-1)", "previous snippet", show=False, id="secret.previous"),
        Binding("Y", "copy_snippet", "copy the snippet", id="secret.copy-snippet"),
        Binding("D", "done", "I have it", id="secret.done"),
        Binding("escape,q", "stay", "", show=False, id="secret.stay"),
    ]

    def __init__(self, title: str, secret: str, url: str, model: str) -> None:
        super().__init__()
        self._heading = title
        self._secret = secret
        self._url = url
        self._model = redact(model)
        self._shown = False
        self._turn = 0

    @property
    def unfinished(self) -> str | None:
        """Nobody has said yet that the secret is safe."""
        return f"{fit_to_show(self._heading)}: its secret is shown only this once."

    def compose(self) -> ComposeResult:
        """Title, secret, what can be done, a snippet."""
        with Vertical(classes="dialog secret"):
            yield Static(Text(fit_to_show(self._heading)), classes="dialog-title")
            with VerticalScroll(classes="secret-body", can_focus=False):
                yield Static("", id="value")
                yield Static(
                    Text("LiteLLM keeps only a hash: this is the one time that the key can be seen.", style=look.WARN)
                )
                yield KeyLine([Hint(keymap.key(f"secret.{name}"), label) for name, label in KEYS], id="keys")
                yield Static("", id="tabs")
                yield Static("", id="snippet")
            yield Static("", id="said")
            yield Button(f"I have it  {keymap.key('secret.done')}", id="done", compact=True)

    def on_mount(self) -> None:
        """Masked at first, and no button under a stray enter."""
        self.set_focus(None)
        self.query_one("#done", Button).can_focus = False
        self._draw()

    @property
    def _masked(self) -> str:
        return f"{self._secret[:3]}{'•' * 18}{self._secret[-4:]}"

    def _snippet(self, secret: str) -> str:
        make = list(snippets.ALL.values())[self._turn]
        return make(self._url, secret, self._model)

    def _draw(self) -> None:
        shown = self._secret if self._shown else self._masked
        self.query_one("#value", Static).update(Text(f" {shown}", style=f"{look.STRONG} {look.GOOD}"))
        tabs = Text()
        for index, name in enumerate(snippets.ALL):
            tabs.append(f" {name} ", style="reverse" if index == self._turn else look.DIM)
        self.query_one("#tabs", Static).update(tabs)
        self.query_one("#snippet", Static).update(Text(self._snippet(shown)))

    def _say(self, sentence: str, style: str = "") -> None:
        self.query_one("#said", Static).update(Text(harmless(sentence), style=style))

    def action_reveal(self) -> None:
        """Show or mask the secret."""
        self._shown = not self._shown
        self._draw()

    @work
    async def action_copy_secret(self) -> None:
        """Send the secret to the clipboard."""
        self._say(await cast("LitellmTui", self.app).copy(self._secret))

    @work
    async def action_copy_snippet(self) -> None:
        """Send the snippet, with the secret in it, to the clipboard."""
        self._say(await cast("LitellmTui", self.app).copy(self._snippet(self._secret)))

    @work
    async def action_write(self) -> None:
        """Write the secret into a new file of mode 0600."""
        path = await self.app.push_screen_wait(
            AskText("Write the key to a new file (mode 0600)", hint="such as ~/laptop.key", check=wrong_new_file)
        )
        if path is None:
            return
        try:
            self._say(deliver(NewFile(Path(path.strip())), self._secret), look.GOOD)
        except FileError as error:
            self._say(str(error), look.BAD)

    def action_turn(self, by: int) -> None:
        """The next or previous snippet."""
        self._turn = (self._turn + by) % len(snippets.ALL)
        self._draw()

    def action_stay(self) -> None:
        """A stray esc does not lose a secret."""
        self._say(f"The key is shown only this once. {keymap.key('secret.done')} when you have it.", look.WARN)

    def action_done(self) -> None:
        """The person has it."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As `D`."""
        self.dismiss(None)


def wrong_new_file(text: str) -> str | None:
    """What keeps a secret from going to a new file at the path that was typed; None where nothing does."""
    return check(NewFile(Path(text.strip()))) if text.strip() else "Name a file."
