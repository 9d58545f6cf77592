"""Keys in the order they were pressed, also when many arrive at once or nothing is there yet to take them.

Textual hands a letter to the focused field at once, while a binding (next field, clear, submit) runs only after its key
has bubbled up to the app. Over a slow line several keys come in one packet, and text would land in the field before the
one that the person had gone to. So a key waits until what the one before it set off is done. While the app is busy with
getting somewhere (`hold`), keys wait for the place that they are meant for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from textual import events, on
from textual.app import App, ReturnType
from textual.message import Message
from textual.timer import Timer

ROUNDS = 2
"""Trips from the focused widget up to the app: the key's own, then that of the message which its binding posted."""
LONGEST_WAIT = 0.25
"""Seconds after which the next key is taken in any case: the widget may be gone, and the trip with it."""
AT_ONCE = frozenset({"escape", "q", "K", "ctrl+c", "ctrl+q", "ctrl+z", "ctrl+l"})
"""Keys that are for whatever is there now: leave, stop, another key."""


MayWait = Callable[[str, Sequence[str]], bool]
"""Whether a key is held, after those that are held before it; where not, it is lost, and the person has been told."""


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
        self._held: deque[events.Key] = deque()
        self._holding = False
        self._may_wait: MayWait | None = None
        self._under_way = False
        self.at_once = AT_ONCE
        self._wait: Timer | None = None

    def hold(self, may_wait: MayWait | None = None) -> None:
        """From now on, until `drop` or `release`, keys wait: but for those of `at_once`, and where `may_wait` says
        no."""
        self._holding = True
        self._may_wait = may_wait

    def drop(self) -> None:
        """What was held was meant for a place that is not reached: forget it, and take keys again."""
        self._holding = False
        self._may_wait = None
        self._held.clear()

    async def release(self) -> None:
        """Take the keys that were held, then those that come."""
        self._holding = False
        self._may_wait = None
        if not self._under_way:
            await self._take_next()

    def takes_held(self) -> bool:
        """Whether a held key may go to what is there now. Where it may not, the rest of them are forgotten."""
        return True

    async def on_event(self, event: events.Event) -> None:
        """Take a fresh key now, or when those before it are done."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._under_way:
            self._typed_ahead.append(event)
        elif self._holding and event.key not in self.at_once:
            self._hold_back(event)
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
        if not self._running:
            # nothing is there any more to take them
            return
        if not self._holding and self._held:
            if self.takes_held():
                await self._take(self._held.popleft())
                return
            self._held.clear()
        while self._typed_ahead:
            event = self._typed_ahead.popleft()
            if not self._holding or event.key in self.at_once:
                await self._take(event)
                return
            self._hold_back(event)

    def ask_again(self) -> None:
        """Ask of each key that is held whether it may: which key does what has changed."""
        held, self._held = self._held, deque()
        for event in held:
            self._hold_back(event)

    def _hold_back(self, event: events.Key) -> None:
        if self._may_wait is None or self._may_wait(event.key, [each.key for each in self._held]):
            self._held.append(event)
