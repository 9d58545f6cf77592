"""When a screen that could not read asks again by itself: seldom, ever more seldom, and not for ever."""

from datetime import datetime, timedelta

from tui import keymap
from tui.gateway.errors import GatewayError

WAITS = (20, 40, 80, 160, 300)
"""Seconds before each try by itself. There is none after the last: a gateway that is gone for ten minutes waits for a
person, and an app that nobody looks at sends nothing."""
LONGEST = 900
"""Seconds; a gateway that asks for a longer pause is not asked again by itself."""


class Again:
    """The tries of one screen. `at` is the time of the next one; None where there is none."""

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self.at: datetime | None = None
        self._tries = 0

    def failed(self, error: GatewayError, now: datetime) -> datetime | None:
        """`error` is what came of the last try; when the next one is. The same error twice is one failure."""
        if error is not self.error:
            self.error, self.at = error, None
            wait = max(WAITS[min(self._tries, len(WAITS) - 1)], error.retry_after or 0)
            if error.passing and self._tries < len(WAITS) and wait <= LONGEST:
                self._tries += 1
                self.at = now + timedelta(seconds=wait)
        return self.at

    def begin(self) -> None:
        """A try is under way."""
        self.at = None

    def forget(self) -> None:
        """All is well again, or a person has asked: what comes now is counted anew."""
        self.error = self.at = None
        self._tries = 0


def words(at: datetime | None, *, utc: bool = False) -> str:
    """`R tries again; next try at 10:03:20.`; a time of day, as a countdown would be bytes on the line each second."""
    if at is None:
        return f"{keymap.key('screen.refresh')} tries again."
    return f"{keymap.key('screen.refresh')} tries again; next try at {at if utc else at.astimezone():%H:%M:%S}."
