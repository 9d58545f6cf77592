"""What every dialog has, and the small ones: confirm a consequence, ask for a line of text, show results."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Mount
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Button, Input, Static

from tui import keymap, look
from tui.formatting import fit, harmless

LONGEST = 120
"""Cells of a title; a line of text may have four times as many."""


class Dialog(ModalScreen[ScreenResultType]):
    """A screen over another one, with the help and the palette that a modal screen does not get from the app.

    A letter goes to a focused input first, so `?` and `:` are text there; F1 and ctrl+p are not.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "question_mark,f1", "app.help", "help", id="dialog.help", show=False, tooltip="Show the keys of this dialog"
        ),
        Binding(
            "colon,ctrl+p", "app.command_palette", "commands", id="dialog.palette", show=False, tooltip="Find a command"
        ),
    ]

    @property
    def unfinished(self) -> str | None:
        """What would be lost by leaving now, as a sentence."""
        return None

    @on(Mount)
    def say_where_help_is(self) -> None:
        """In the frame, where it takes no room."""
        self.query_one(".dialog").border_subtitle = f"{_beside_text(self)} keys"

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close, also where help was opened over it meanwhile: Textual would close the help in its place."""
        # not `pop_until_active`, which does it only later
        while self in self.app.screen_stack and self.app.screen is not self:
            self.app.pop_screen()
        return super().dismiss(result)


def _beside_text(dialog: Dialog[ScreenResultType]) -> str:
    """The key for help that works in a field too, where a letter is text: the last one of them."""
    help = next(each for each in Dialog.BINDINGS if isinstance(each, Binding) and each.id == "dialog.help")
    return keymap.written(keymap.mapped(dialog.app, help)[-1].key).upper()


class Confirm(Dialog[bool]):
    """Names what would be done and what follows from it. The safe answer has the focus; `y` or the button does it.

    With `word` that word has to be typed first, and `y` alone does nothing.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes"),
        Binding("n,escape", "answer(False)", "no", id="confirm.no"),
        Binding("left,right,h,l", "app.focus_next", "other button", show=False, id="confirm.other"),
        Binding("j,down", "scroll(3)", "down", show=False, id="confirm.down"),
        Binding("k,up", "scroll(-3)", "up", show=False, id="confirm.up"),
        Binding("pagedown", "scroll(12)", "page down", show=False, id="confirm.page-down"),
        Binding("pageup", "scroll(-12)", "page up", show=False, id="confirm.page-up"),
    ]

    def __init__(self, title: str, lines: Sequence[str], verb: str, *, word: str = "") -> None:
        super().__init__()
        # a name of any length must not push the consequence and the answers off the screen
        self._heading = fit(harmless(title), LONGEST)
        self._lines = [fit(harmless(line), 4 * LONGEST) for line in lines]
        self._verb = fit(harmless(verb), LONGEST)
        self._word = word

    def compose(self) -> ComposeResult:
        """Title, consequence, and the two answers, the harmless one first."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._heading), classes="dialog-title")
            with VerticalScroll(can_focus=False, classes="dialog-text"):
                yield Static(Text("\n".join(self._lines)))
            if self._word:
                yield Static(Text.assemble("Type ", (self._word, look.STRONG), " to go on:"))
                field = Input(id="word", compact=True)
                field.cursor_blink = False
                yield field
                yield Static("", id="wrong", classes="wrong")
            # in a field a letter is text
            no, yes = ("esc", "enter") if self._word else (keymap.key("confirm.no"), keymap.key("confirm.yes"))
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"No, leave it  {no}", id="no", compact=True)
                yield Button(Text(f"{self._verb}  {yes}"), id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """The harmless answer is the one that a stray enter gives."""
        self.query_one("#word" if self._word else "#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button answers."""
        self.action_answer(event.button.id == "yes")

    def on_input_submitted(self) -> None:
        """Enter behind the word."""
        self.action_answer(True)

    def action_answer(self, answer: bool) -> None:
        """A key answers; a yes without the word is none."""
        if answer and self._word and self.query_one("#word", Input).value.strip() != self._word:
            self.query_one("#wrong", Static).update(Text(f"That is not {self._word}. Nothing was done."))
            self.query_one("#word").focus()
        else:
            self.dismiss(answer)

    def action_scroll(self, lines: int) -> None:
        """Move what is said, where it is longer than the screen."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class AskText(Dialog[str | None]):
    """One line of text, checked before it is taken: `check` gives a sentence, or None where the text is good."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "back", id="ask.back")]

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        hint: str = "",
        secret: bool = False,
        check: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._heading = fit(harmless(title), LONGEST)
        self._value = value
        self._hint = hint
        self._secret = secret
        self._check = check

    def compose(self) -> ComposeResult:
        """Title, the input, and a line for what is wrong."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._heading), classes="dialog-title")
            field = Input(self._value, password=self._secret, compact=True, select_on_focus=False)
            field.cursor_blink = False
            yield field
            yield Static(Text(harmless(self._hint), style=look.DIM), id="hint")
            yield Static("", id="wrong", classes="wrong")
            yield Static(Text("enter takes it · esc goes back", style=look.DIM))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text where it is good."""
        wrong = self._check(event.value)
        if wrong:
            self.query_one("#wrong", Static).update(Text(harmless(wrong)))
        else:
            self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Nothing is taken."""
        self.dismiss(None)


class Results(Dialog[None]):
    """What came of an action on several keys, one line each; failures carry their reason."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "close", "close", id="results.close")]

    def __init__(self, title: str, lines: Sequence[tuple[str, bool]]) -> None:
        super().__init__()
        self._heading = fit(harmless(title), LONGEST)
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Title and lines: ✔ done, ✘ failed."""
        body = Text()
        for line, good in self._lines:
            body.append("✔ " if good else "✘ ", style=look.GOOD if good else look.BAD)
            body.append(fit(harmless(line), 4 * LONGEST) + "\n")
        with Vertical(classes="dialog"):
            yield Static(Text(self._heading), classes="dialog-title")
            with VerticalScroll(classes="dialog-text"):
                yield Static(body)
            yield Static(Text(f"{keymap.key('results.close')} closes", style=look.DIM))

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
