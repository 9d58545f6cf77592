"""Keys in the order they were pressed, also when many arrive at once.

Textual hands a letter to the focused field at once, while a binding (next field, clear, submit) runs only after its key
has bubbled up to the app. Over a slow line several keys come in one packet, and text would land in the field before the
one that the person had gone to. So a key waits until what the one before it set off is done.
"""

from collections import deque
from typing import Any

from textual import events, on
from textual.app import App, ReturnType
from textual.message import Message
from textual.timer import Timer

ROUNDS = 2
"""Trips from the focused widget up to the app: the key's own, then that of the message which its binding posted."""
LONGEST_WAIT = 0.25
"""Seconds after which the next key is taken in any case: the widget may be gone, and the trip with it."""


class _Passed(Message):
    """Follows a key on its way up, and is at the app when the key's work is done."""

    def __init__(self, round: int) -> None:
        super().__init__()
        self.round = round


class InOrder(App[ReturnType]):
    """An app that takes one key at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed_ahead: deque[events.Key] = deque()
        self._under_way = False
        self._wait: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Take a fresh key now, or when those before it are done."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._under_way:
            self._typed_ahead.append(event)
        else:
            await self._take(event)

    async def _take(self, event: events.Key) -> None:
        self._under_way = True
        target = self.focused or self.screen
        await super().on_event(event)
        if target.is_attached:
            target.post_message(_Passed(1))
            self._wait = self.set_timer(LONGEST_WAIT, self._take_next)
        else:
            self.call_next(self._take_next)

    @on(_Passed)
    async def _on_passed(self, message: _Passed) -> None:
        target = self.focused or self.screen
        if message.round < ROUNDS and target.is_attached:
            target.post_message(_Passed(message.round + 1))
        else:
            await self._take_next()

    async def _take_next(self) -> None:
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        self._under_way = False
        if self._typed_ahead:
            await self._take(self._typed_ahead.popleft())
