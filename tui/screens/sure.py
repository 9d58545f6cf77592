"""Asking before what cannot be undone: one key by default, the name typed where the profile says `confirm = "type"`."""

from collections.abc import Sequence
from typing import Any

from textual.app import App

from tui.config import Settings
from tui.gateway.schema import Key
from tui.meant import word_for
from tui.screens.dialogs import Confirm


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
