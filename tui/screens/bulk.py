"""One action on many keys: how far it is, a way to stop, and what became of each, the rest to be tried again alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tui import keymap, look
from tui.formatting import fit, harmless
from tui.gateway.bulk import Outcome, Progress, Result, to_retry
from tui.gateway.key_pages import AnyKey
from tui.screens.dialogs import LONGEST, Dialog

Run = Callable[[Sequence[AnyKey], Progress, asyncio.Event], Awaitable[list[Result[AnyKey]]]]
"""Does the action for these keys; `bulk.run` and `bulk.delete` keep what it has to promise."""

FEW = 20
"""So many that all went well are not worth a list: the dialog closes by itself."""
MOST_LINES = 500
"""Lines of the result; beyond them, the good ones are a number."""


class Bulk(Dialog[list[Result[AnyKey]]]):
    """Begins at once. Dismissed with the result of each key, in the order of `chosen`; `done` is the action's word."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "stop, then close", id="bulk.stop"),
        Binding("enter,q", "close", "close", show=False, id="bulk.close"),
        Binding("r", "retry", "try the rest again", id="bulk.retry"),
        Binding("j,down", "scroll(1)", "down", show=False, id="bulk.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="bulk.up"),
    ]

    class Moved(Message):
        """So many are `done` and have `failed`, of `total`."""

        def __init__(self, done: int, failed: int, total: int) -> None:
            super().__init__()
            self.done, self.failed, self.total = done, failed, total

    class Ended(Message):
        """All that was begun has ended."""

        def __init__(self, results: list[Result[AnyKey]]) -> None:
            super().__init__()
            self.results = results

    def __init__(self, title: str, verb: str, chosen: Sequence[AnyKey], run: Run, done: str) -> None:
        super().__init__()
        self._heading = fit(harmless(title), LONGEST)
        self._verb = verb
        self._run = run
        self._done = done
        self._results: list[Result[AnyKey]] = [Result(key, Outcome.NOT_BEGUN) for key in chosen]
        self._stop = asyncio.Event()
        self._busy = False

    @property
    def unfinished(self) -> str | None:
        """What would be lost by leaving now, as a sentence."""
        return "An action on several keys is under way." if self._busy else None

    def compose(self) -> ComposeResult:
        """How far it is; then a line for each key."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._heading), classes="dialog-title", id="heading")
            yield Static("", id="so-far")
            with VerticalScroll(classes="dialog-text"):
                yield Static("", id="each")
            yield Static("", id="ways")

    def on_mount(self) -> None:
        """Begin."""
        self._begin([result.item for result in self._results])

    def _begin(self, chosen: Sequence[AnyKey]) -> None:
        self._busy = True
        self._stop = asyncio.Event()
        self.query_one("#each", Static).update("")
        self._ways(f"{keymap.key('bulk.stop')} stops: what is under way ends, the rest is not begun")
        self._act(chosen)

    @work
    async def _act(self, chosen: Sequence[AnyKey]) -> None:
        def moved(done: int, failed: int, total: int) -> None:
            self.post_message(self.Moved(done, failed, total))

        self.post_message(self.Ended(await self._run(chosen, moved, self._stop)))

    def on_bulk_moved(self, event: Moved) -> None:
        """Say how far it is."""
        failed = f", {event.failed:,} failed" if event.failed else ""
        # a retry is about the rest alone
        before = len(self._results) - event.total
        done, total = before + event.done, len(self._results)
        self.query_one("#so-far", Static).update(Text(f"{done:,} of {total:,} {self._done}{failed}"))

    def on_bulk_ended(self, event: Ended) -> None:
        """Say what became of each."""
        new = {result.item.hash: result for result in event.results}
        self._results = [new.get(result.item.hash, result) for result in self._results]
        self._busy = False
        if len(self._results) <= FEW and not to_retry(self._results):
            self.dismiss(self._results)
            return
        counts = {outcome: sum(each.outcome is outcome for each in self._results) for outcome in Outcome}
        words = [f"{counts[Outcome.DONE]:,} {self._done}"]
        words += [f"{counts[each]:,} {each}" for each in (Outcome.FAILED, Outcome.NOT_BEGUN) if counts[each]]
        self.query_one("#so-far", Static).update(Text(", ".join(words)))
        self.query_one("#each", Static).update(self._lines())
        rest = counts[Outcome.FAILED] + counts[Outcome.NOT_BEGUN]
        if counts[Outcome.FAILED]:
            self.query_one("#heading", Static).update(Text(f"{self._verb}: not everything went through"))
        retry = f"{keymap.key('bulk.retry')} tries the other {rest:,} again · " if rest else ""
        self._ways(f"{retry}{keymap.key('bulk.close')} closes")

    def _lines(self) -> Text:
        # what did not go well comes first: it is what is left to do
        order = {Outcome.FAILED: 0, Outcome.NOT_BEGUN: 1, Outcome.DONE: 2}
        body = Text()
        for result in sorted(self._results, key=lambda each: order[each.outcome])[:MOST_LINES]:
            mark, style, words = {
                Outcome.DONE: ("✔", look.GOOD, self._done),
                Outcome.FAILED: ("✘", look.BAD, result.why),
                Outcome.NOT_BEGUN: ("·", look.DIM, str(Outcome.NOT_BEGUN)),
            }[result.outcome]
            body.append(f"{mark} ", style=style)
            body.append(fit(harmless(f"{result.item.label}: {words}"), 4 * LONGEST) + "\n")
        if len(self._results) > MOST_LINES:
            body.append(f"and {len(self._results) - MOST_LINES:,} more", style=look.DIM)
        return body

    def _ways(self, words: str) -> None:
        self.query_one("#ways", Static).update(Text(words, style=look.DIM))

    def action_stop(self) -> None:
        """Stop what is under way; once it has ended, close."""
        if self._busy:
            self._stop.set()
            self._ways("stopping: what is under way ends …")
        else:
            self.dismiss(self._results)

    def action_close(self) -> None:
        """Close, once it has ended."""
        if not self._busy:
            self.dismiss(self._results)

    def action_retry(self) -> None:
        """Only what failed or was not begun."""
        rest = to_retry(self._results)
        if not self._busy and rest:
            self._begin(rest)

    def action_scroll(self, lines: int) -> None:
        """Move the list."""
        self.query_one(VerticalScroll).scroll_relative(y=lines * 3, animate=False)
