"""Short words that come and go: where they hide least, two at most, and gone when the person goes on."""

import time
from typing import Literal, cast

from textual import events
from textual.app import ReturnType

from tui.formatting import fit_to_show
from tui.typeahead import InOrder

MOST = 2
"""Toasts at a time; a third sends the oldest away, good news first."""
READ = 1.0
"""Seconds that a toast stays in any case, so that keys pressed in a hurry do not hide what just went wrong."""


class Toasts(InOrder[ReturnType]):
    """An app that tells."""

    # over the line of hints, which is there again a moment later; figures and rows are not covered
    CSS = """
    ToastRack { margin-bottom: 0; scrollbar-size-vertical: 0; }
    Toast { width: auto; max-width: 100%; margin-top: 0; padding: 0 1; }
    """

    def tell(self, message: str, *, title: str = "", severity: str = "information") -> None:
        """A toast: printable, redacted (S3), never markup."""
        said = fit_to_show(message)
        if any(notice.message == said and not notice.has_expired for notice in self._notifications):
            return
        seconds = 4 if severity == "information" else 6
        known = cast('Literal["information", "warning", "error"]', severity)
        self.notify(said, title=title, severity=known, timeout=seconds)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: Literal["information", "warning", "error"] = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Every toast passes here, Textual's own too: printable, redacted (S3), and never markup, whatever is said."""
        super().notify(fit_to_show(message), title=fit_to_show(title), severity=severity, timeout=timeout, markup=False)

    def _refresh_notifications(self) -> None:
        told = list(self._notifications)
        # what went wrong outlives what went well
        for notice in sorted(told, key=lambda notice: notice.severity != "information")[: max(0, len(told) - MOST)]:
            self._unnotify(notice, refresh=False)
        super()._refresh_notifications()

    async def _take(self, event: events.Key) -> None:
        for notice in list(self._notifications):
            if time.time() - notice.raised_at >= READ:
                self._unnotify(notice)
        await super()._take(event)
