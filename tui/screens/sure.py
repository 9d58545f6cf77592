"""Asking before what cannot be undone: one key by default, the name typed where the profile says `confirm = "type"`."""

from collections.abc import Sequence
from typing import Any

from textual.app import App

from tui.config import Settings
from tui.formatting import plain
from tui.gateway.schema import Key
from tui.screens.dialogs import Confirm

LONGEST_WORD = 40
"""Characters of a name that a person is asked to type."""


def word_for(keys: Sequence[Key]) -> str:
    """What has to be typed for `keys`: the alias of one, the number of several.

    A key without an alias, or with one that nobody can type from the screen, goes by the first 8 letters of its hash.
    """
    if len(keys) != 1:
        return str(len(keys))
    alias = keys[0].alias or ""
    typeable = 0 < len(alias) <= LONGEST_WORD and plain(alias) == alias == " ".join(alias.split())
    return alias if typeable and alias.isascii() else keys[0].hash[:8]


async def sure(
    app: App[Any],
    settings: Settings,
    keys: Sequence[Key],
    title: str,
    lines: Sequence[str],
    verb: str,
    *,
    harmless: bool = False,
) -> bool:
    """Whether the person means it. `harmless` is for what can be taken back: typed only for several keys at once."""
    typed = settings.confirm == "type" and (len(keys) > 1 or not harmless)
    question = Confirm(title, lines, verb, word=word_for(keys) if typed else "")
    return await app.push_screen_wait(question)


async def confirmed_end(app: App[Any], settings: Settings, keys: Sequence[Key], *, at_once: bool = True) -> bool:
    """Whether old keys may be retired. Their dialogs have asked already: more is asked only where names are typed."""
    if settings.confirm != "type":
        return True
    many = len(keys) > 1
    title = f"Retire {len(keys)} old keys?" if many else f"Retire the old key of {keys[0].label}?"
    now = "deleted now. Every call with it fails from then on." if at_once else "retired as planned."
    lines = [f"{'They are' if many else 'It is'} {now.replace('with it', 'with them') if many else now}"]
    return await sure(app, settings, keys, title, lines, "Retire")
