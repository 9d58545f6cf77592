"""The one way to standard error: what is written there is redacted first (S3).

Python's own words go there too, and no other check sees them: warnings, logging, asyncio's "Task exception was never
retrieved", what a thread, a finaliser or the interpreter itself complains about.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

LONGEST = 1 << 16
"""Characters that are held back for their line to end."""


class Redacted:
    """A text stream before another one: redacts what it is given line by line, since a secret may come in pieces.

    `flush` lets an unfinished line out. All else is the other stream's.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Hand on whole lines, redacted."""
        self._held += text
        lines, end, rest = self._held.rpartition("\n")
        if len(rest) > LONGEST:
            lines, end, rest = self._held, "", ""
        self._held = rest
        if lines or end:
            self._out(lines + end)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """As `write`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what there is."""
        if self._held:
            held, self._held = self._held, ""
            self._out(held)
        self._stream.flush()

    def _out(self, text: str) -> None:
        # imported when there is something to say: --help and a good run say nothing
        from tui.gateway.redaction import redact

        self._stream.write(redact(text))


def guard() -> None:
    """Put it before `sys.stderr`, once."""
    if not isinstance(sys.stderr, Redacted):
        sys.stderr = Redacted(sys.stderr)
