"""Another key for the session, typed by the person."""

from dataclasses import replace
from typing import Any

from textual.app import App

from tui.config import Settings
from tui.credentials import CredentialError, HeldKey, clean_key
from tui.screens.dialogs import AskText


async def another_key(
    app: App[Any], settings: Settings, title: str = "Another key (kept in memory until you quit)"
) -> Settings | None:
    """`settings` with the key that is typed, for now; None where none is."""
    typed = await app.push_screen_wait(AskText(title, secret=True, check=_wrong))
    return None if typed is None else replace(settings, credential=HeldKey(clean_key(typed)))


def _wrong(text: str) -> str | None:
    try:
        clean_key(text)
    except CredentialError as error:
        return str(error)
    return None
