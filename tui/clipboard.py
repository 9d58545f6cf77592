"""Copy text to the person's clipboard through the terminal, which works over SSH too.

A terminal takes OSC 52 and never answers it, so the word is "sent", and screens offer reveal and write-to-file beside
it. tmux drops a program's OSC 52 by default, and where it does not it keeps the text in a buffer: there tmux itself is
asked to pass it on. GNU screen passes on what is wrapped for it.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.terminal import seen

if TYPE_CHECKING:
    from tui.config import Clipboard

Method = Literal["tmux", "osc52", "none"]

LIMIT = 12_000
"""Bytes of text: mosh hands on 16,384 bytes of base64 and cuts the rest off; terminals take more."""

_SECONDS = 3.0
_SCREEN_CHUNK = 200
"""Bytes that every GNU screen takes in one sequence: old ones hold 256."""
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


def copy(
    text: str, *, env: Mapping[str, str], write: Callable[[str], object] | None, choice: Clipboard = "auto"
) -> CopyResult:
    """Send ``text`` to the clipboard. Never raises for a clipboard that is not there.

    ``write`` takes an escape sequence to the terminal the person sits at (None: there is none). tmux gets the
    text on its standard input, never in an argument, and keeps no buffer of it afterwards. Blocks for up to 3
    s if tmux hangs, so call it from a thread.
    """
    data = text.encode("utf-8", "replace")
    if not data:
        return CopyResult("none", "There is nothing to copy.")
    if len(data) > LIMIT:
        return _not(f"the text is over {LIMIT:,} bytes")
    if choice == "none":
        return _not('the configuration says clipboard = "none"')
    if choice == "tmux" and not env.get("TMUX"):
        return _not('the configuration says clipboard = "tmux", and this is not in tmux')
    if env.get("TMUX") and choice != "osc52":
        result = _through_tmux(data, env, write)
        if result is not None:
            return result
        if choice == "tmux":
            return _not("the tmux that this was started in is gone")
    return _through_terminal(data, env, write)


def osc52(data: bytes) -> str:
    """The escape sequence that puts ``data`` on the clipboard of a terminal that allows it."""
    return f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"


def _not(reason: str) -> CopyResult:
    return CopyResult("none", f"Not copied: {reason}.")


def _sent(method: Method, how: str = "", *, term: str = "") -> CopyResult:
    """A ``term`` that a multiplexer gives to what runs in it: there is one, perhaps at the other end of an SSH."""
    doubt = "; a tmux or screen on the way may drop it" if term.startswith(("tmux", "screen")) else ""
    return CopyResult(method, f"Sent to the clipboard{how}{doubt}.")


def _has_none(term: str) -> bool:
    # a console or a VT100 would print the sequence, the secret in it
    return term in ("", "dumb") or seen({"TERM": term.removeprefix("screen.")}).basic


def _through_tmux(data: bytes, env: Mapping[str, str], write: Callable[[str], object] | None) -> CopyResult | None:
    """None: the tmux of ``$TMUX`` has ended, and the terminal is no longer in it."""
    buffer = f"litellm-tui-{os.getpid()}"
    # One command line for all, so that tmux drops the buffer even if this program is killed in between.
    ask = ["display-message", "-p", "#{client_termname}"]
    load = ["load-buffer", "-w", "-b", buffer, "-"]
    drop = ["delete-buffer", "-b", buffer]
    try:
        done = _tmux([*ask, ";", *load, ";", *drop], data, env)
        if done.returncode == 0:
            term = done.stdout.decode("utf-8", "replace").strip()
            if not term:
                return _not("no terminal is attached to this tmux")
            if _has_none(term):
                return _not("the terminal that tmux runs in has no clipboard")
            return _sent("tmux", " through tmux", term=term)
        _tmux(drop, b"", env)
    except subprocess.TimeoutExpired:
        # nothing is left: tmux asks for the text when it runs the command, and nobody is there any more
        return _not("tmux does not answer")
    except OSError:
        return _past_tmux(data, write)
    complaint = done.stderr.decode("utf-8", "replace")
    # tmux before 3.2 has no -w
    if "usage" in complaint or "unknown" in complaint or _is_another_users(env["TMUX"].partition(",")[0]):
        return _past_tmux(data, write)
    return None


def _past_tmux(data: bytes, write: Callable[[str], object] | None) -> CopyResult:
    """A wrapped sequence: tmux hands it on or drops it, by its settings, and keeps none of it."""
    wrapped = osc52(data).replace("\x1b", "\x1b\x1b")
    return _write(f"\x1bPtmux;{wrapped}\x1b\\", write) or _sent("osc52", "; this tmux may drop it")


def _is_another_users(socket: str) -> bool:
    # `su` leaves TMUX where it was
    try:
        os.stat(socket)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return not os.access(socket, os.W_OK)


def _tmux(arguments: list[str], data: bytes, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    child = {name: env[name] for name in _CHILD_ENV if name in env}
    return subprocess.run(
        ["tmux", *arguments], input=data, capture_output=True, timeout=_SECONDS, env=child, check=False
    )


def _through_terminal(data: bytes, env: Mapping[str, str], write: Callable[[str], object] | None) -> CopyResult:
    term = env.get("TERM", "")
    if _has_none(term):
        return _not("this terminal has no clipboard")
    sequence = osc52(data)
    if env.get("STY"):
        parts = [sequence[at : at + _SCREEN_CHUNK] for at in range(0, len(sequence), _SCREEN_CHUNK)]
        wrapped = "".join(f"\x1bP{part}\x1b\\" for part in parts)
        return _write(wrapped, write) or _sent("osc52", " through GNU screen")
    return _write(sequence, write) or _sent("osc52", term=term)


def _write(sequence: str, write: Callable[[str], object] | None) -> CopyResult | None:
    """None: it is written."""
    if write is None:
        return _not("this terminal has no clipboard")
    try:
        write(sequence)
    except OSError:
        return _not("the terminal took nothing")
    return None
