"""What this terminal can show, decided once from the environment, before Textual is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_CONSOLE = re.compile(r"linux|vt\d|ansi|cons25|sun|wy|hurd")
"""Terminals that are no emulator of xterm: they print, or stumble over, a query that xterm answers."""
_WITHOUT_COLOUR = re.compile(r"vt\d|sun|wy|.*-m(ono)?$")
_MANY_COLOURS = ("alacritty", "foot", "ghostty", "xterm-ghostty", "kitty", "wezterm", "rio", "contour", "st", "mintty")
"""Terminals that know at least 256 colours and do not say so in their name; over SSH, COLORTERM stays behind."""
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


@dataclass(frozen=True, slots=True)
class Terminal:
    """What may be sent. `basic`: nothing that a Linux console or a VT100 does not know; `remote`: bytes are dear."""

    ascii: bool = False
    colour: bool = True
    mouse: bool = True
    basic: bool = False
    remote: bool = False


def seen(env: Mapping[str, str], *, ascii: bool = False, mouse: bool = True) -> Terminal:
    """The terminal that `env` describes; `ascii` and `mouse` as the person asked for."""
    name = env.get("TERM", "").lower()
    basic = _CONSOLE.match(name) is not None
    return Terminal(
        ascii=ascii or not _shows_unicode(env, unless_told=not basic),
        colour=not env.get("NO_COLOR") and not _WITHOUT_COLOUR.match(name),
        mouse=mouse,
        basic=basic,
        remote=any(env.get(each) for each in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")),
    )


def _shows_unicode(env: Mapping[str, str], *, unless_told: bool) -> bool:
    spoken, general = env.get("LC_CTYPE"), env.get("LANG")
    if spoken in _COERCED and general in ("C", "POSIX"):
        # Python itself puts this into its environment where it finds the locale C (PEP 538); nobody's wish
        spoken = None
    locale = env.get("LC_ALL") or spoken or general
    if not locale:
        return unless_told
    return locale.lower().replace("-", "").partition("@")[0].endswith("utf8")


def prepare(environ: MutableMapping[str, str], terminal: Terminal) -> None:
    """Set what Textual reads when it is imported; what the person has set stays.

    Nothing moves by itself: each frame of an animation is bytes on the line.
    """
    if environ.get("NO_COLOR") == "":
        # by no-color.org an empty one says nothing; Textual takes it for a wish
        del environ["NO_COLOR"]
    environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    environ.setdefault("TEXTUAL_FPS", "30" if terminal.remote else "60")
    if terminal.basic:
        environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
    if environ.get("TERM", "").lower().startswith(_MANY_COLOURS) and not environ.get("COLORTERM"):
        environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
