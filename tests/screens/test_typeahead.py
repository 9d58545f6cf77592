"""Keys that arrive in one packet, as over a slow line, do what they do when pressed one by one."""

from datetime import UTC, datetime

from textual import events

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway


def rush(app: Driver, *keys: str) -> None:
    """Hand every key to the app at once, before it can work on the first."""
    for key in keys:
        app.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_text_lands_in_the_field_that_was_gone_to() -> None:
    gateway = DemoGateway(now=datetime(2026, 11, 20, tzinfo=UTC))
    gateway.add_user(user_id="ada", user_role="internal_user")
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        rush(app, "ctrl+u", *"fast", "down", "down", "down", *"7", "ctrl+s")
        await app.see("the one time")
        (key,) = gateway.keys.values()
        assert key["key_alias"] == "fast"
        assert key["models"] == [] and key["max_budget"] == 7.0


async def test_a_filter_typed_ahead_does_not_swallow_the_next_command() -> None:
    gateway = DemoGateway(now=datetime(2026, 11, 20, tzinfo=UTC))
    gateway.add_user(user_id="ada", user_role="internal_user")
    for alias in ("laptop", "server"):
        gateway.add_key(key_alias=alias, user_id="ada")
    async with running(gateway, user="ada") as app:
        rush(app, "slash", *"server", "enter", "d")
        await app.see("Delete server")
