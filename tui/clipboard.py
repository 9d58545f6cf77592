"""Copy text to the person's clipboard through the terminal, which works over SSH too.

Under tmux a bare OSC 52 is dropped by default, so there tmux itself is asked to pass it on. Neither way is
ever acknowledged: the word is "sent", and screens offer reveal and write-to-file beside it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Method = Literal["tmux", "osc52", "none"]

LIMIT = 74_000
"""Bytes of text that terminals take: most stop at 100,000 bytes of base64."""

_SECONDS = 5.0
_NO_CLIPBOARD = {"", "dumb", "linux"}
# A child needs no more than this, and the environment may hold keys.
_CHILD_ENV = ("TMUX", "TMUX_TMPDIR", "TMUX_PANE", "PATH", "HOME", "TERM", "LANG", "LC_ALL", "LC_CTYPE")


@dataclass(frozen=True)
class CopyResult:
    """How the text went (``none``: it did not) and the sentence to show, which never holds the text."""

    method: Method
    sentence: str

    @property
    def sent(self) -> bool:
        """Whether the text left for a clipboard; never that it arrived."""
        return self.method != "none"


def copy(text: str, *, env: Mapping[str, str], write: Callable[[str], object] | None) -> CopyResult:
    """Send ``text`` to the clipboard. Never raises for a clipboard that is not there.

    ``write`` takes an escape sequence to the terminal the person sits at (None: there is none). tmux gets the
    text on its standard input, never in an argument, and keeps no buffer of it afterwards. Blocks for up to 5
    s if tmux hangs, so call it from a thread.
    """
    data = text.encode("utf-8", "replace")
    if not data:
        return CopyResult("none", "There is nothing to copy.")
    if len(data) > LIMIT:
        return CopyResult("none", f"Too long to copy: terminals take {LIMIT:,} bytes. Write it to a file.")
    if env.get("TMUX"):
        result = _through_tmux(data, env, write)
        if result is not None:
            return result
    return _through_terminal(data, env, write)


def osc52(data: bytes) -> str:
    """The escape sequence that puts ``data`` on the clipboard of a terminal that allows it."""
    return f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"


def _through_tmux(data: bytes, env: Mapping[str, str], write: Callable[[str], object] | None) -> CopyResult | None:
    """None: this tmux cannot be reached, so the terminal is tried as if there were none."""
    buffer = f"litellm-tui-{os.getpid()}"
    # One command line for both, so that tmux drops the buffer even if this program is killed in between.
    done = _tmux(["load-buffer", "-w", "-b", buffer, "-", ";", "delete-buffer", "-b", buffer], data, env)
    if done is not None and done.returncode == 0:
        return CopyResult("tmux", "Sent to the clipboard through tmux.")
    left = _tmux(["delete-buffer", "-b", buffer], b"", env)
    if done is None or left is None:
        return None
    complaint = done.stderr.decode("utf-8", "replace")
    if write is not None and ("usage" in complaint or "unknown" in complaint):
        # tmux before 3.2 has no -w, but lets a wrapped sequence through to its own terminal.
        wrapped = osc52(data).replace("\x1b", "\x1b\x1b")
        write(f"\x1bPtmux;{wrapped}\x1b\\")
        return CopyResult("osc52", "Sent to the clipboard; this old tmux may drop it.")
    return None


def _tmux(arguments: list[str], data: bytes, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes] | None:
    child = {name: env[name] for name in _CHILD_ENV if name in env}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["tmux", *arguments], input=data, capture_output=True, timeout=_SECONDS, env=child, check=False
        )
    return None


def _through_terminal(data: bytes, env: Mapping[str, str], write: Callable[[str], object] | None) -> CopyResult:
    if write is None or env.get("TERM", "") in _NO_CLIPBOARD:
        return CopyResult("none", "Not copied: this terminal has no clipboard. Show it, or write it to a file.")
    try:
        write(osc52(data))
    except OSError:
        return CopyResult("none", "Not copied: the terminal took nothing. Show it, or write it to a file.")
    if env.get("STY"):
        return CopyResult("osc52", "Sent to the clipboard; GNU screen may drop it.")
    return CopyResult("osc52", "Sent to the clipboard.")
