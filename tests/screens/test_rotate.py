"""Rotation from the keys screen: nothing is retired before a word, and whatever is left is listed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.widgets import Input, Select

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway


@pytest.fixture
def gateway() -> DemoGateway:
    gw = DemoGateway()
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key(
        key_alias="laptop",
        user_id="ada",
        spend=3.12,
        max_budget=10.0,
        budget_duration="30d",
        models=["gpt-4o"],
        metadata={"host": "x1"},
        expires=datetime.now(UTC) + timedelta(days=30),
    )
    gw.add_key(key_alias="server", user_id="ada")
    return gw


def live(gateway: DemoGateway) -> dict[str, dict[str, Any]]:
    return {str(key["key_alias"]): key for key in gateway.keys.values()}


async def open_rotation(app: Driver, alias: str = "laptop") -> None:
    await app.press("slash")
    await app.type(alias)
    await app.press("enter", "r")
    await app.see(f"Rotate {alias}")


async def test_rotate_on_screen_then_retire_with_grace(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        screen = app.text()
        assert "gpt-4o" in screen and "$10.00 per 30 days" in screen and "Nothing is retired" in screen
        assert app.writes() == []
        await app.press("ctrl+s")
        await app.see("I have it")
        assert live(gateway)["laptop"] is old and old["expires"] is not None
        made = next(key for alias, key in live(gateway).items() if alias.startswith("rotating-"))
        secret = gateway.secret_for(str(made["token"]))
        assert secret and secret not in app.text()
        await app.press("v")
        assert secret in app.text()
        await app.press("I")
        await app.see("the old key works until")
        assert secret not in app.text()
        now = live(gateway)
        assert now["laptop"]["token"] == made["token"]
        assert now["laptop"]["spend"] == 3.12 and now["laptop"]["max_budget"] == 10.0
        assert now["laptop"]["metadata"]["host"] == "x1"
        retired = next(key for alias, key in now.items() if alias.startswith("laptop-retired-"))
        assert retired["token"] == old["token"]
        await app.press("escape")
        await app.gone("Rotate laptop")
        assert "rotation unfinished" not in app.text()


async def test_into_an_env_file_the_other_lines_stay(gateway: DemoGateway, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("# mine\nexport OPENAI_API_KEY='sk-old'\nOTHER=1\n")
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        app.app.screen.query_one("#place", Select).value = "env"
        await app.pilot.pause()
        app.app.screen.query_one("#path", Input).value = str(env)
        await app.press("ctrl+s")
        await app.see("holds something else than this key")
        await app.press("y")
        await app.see("I have it")
        made = next(key for alias, key in live(gateway).items() if alias.startswith("rotating-"))
        secret = str(gateway.secret_for(str(made["token"])))
        assert env.read_text() == f"# mine\nexport OPENAI_API_KEY='{secret}'\nOTHER=1\n"
        assert secret not in app.text()


async def test_leaving_early_is_listed_and_undone(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("escape")
        await app.see("rotation unfinished: both keys work")
        assert len(gateway.keys) == 3
    async with running(gateway, user="ada", size=(100, 30)) as app:  # another process
        await app.see("rotation unfinished: both keys work")
        await app.press("u")
        await app.see("Undo the rotation of laptop")
        await app.press("y")
        await app.gone("rotation unfinished")
        assert {alias: key["token"] for alias, key in live(gateway).items()}["laptop"] == old
        assert set(live(gateway)) == {"laptop", "server"}


async def test_an_unfinished_one_is_finished_by_a_word(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("escape")
        await app.see("rotation unfinished")
        await app.press("tab", "g")
        await app.press("f")
        await app.see("Finish the rotation of laptop")
        assert "Whoever uses the old secret" in app.text()
        await app.press("y")
        await app.gone("rotation unfinished")
        assert live(gateway)["laptop"]["token"] != old


async def test_a_refused_creation_leaves_everything(gateway: DemoGateway) -> None:
    gateway.intercept(
        "POST", "/key/generate", httpx.Response(400, json={"error": {"message": "no more keys", "type": "x"}})
    )
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.press("ctrl+s")
        await app.see("no more keys")
        assert "The old key is as it was" in app.text()
        assert set(live(gateway)) == {"laptop", "server"}


async def test_a_wrong_grace_is_said_before_anything_is_made(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        app.app.screen.query_one("#grace", Input).value = "1y"
        await app.see("1y is no duration")
        await app.press("ctrl+s")
        await app.pilot.pause()
        assert app.writes() == []


async def test_several_into_a_folder(gateway: DemoGateway, tmp_path: Path) -> None:
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await app.press("asterisk", "r")
        await app.see("Rotate 2 keys")
        app.app.screen.query_one("#place", Select).value = "folder"
        await app.pilot.pause()
        app.app.screen.query_one("#path", Input).value = str(tmp_path / "keys")
        await app.press("ctrl+s")
        await app.see("I have them")
        secrets = {path.read_text().strip().partition("=")[2] for path in (tmp_path / "keys").iterdir()}
        made = {gateway.secret_for(hash) for hash, key in gateway.keys.items() if "rotating-" in str(key["key_alias"])}
        assert secrets == made and len(made) == 2
        await app.press("I")
        await app.until(lambda: app.text().count("works until its grace ends") == 2, "both retired")
        assert {"laptop", "server"} <= set(live(gateway))


async def test_one_failure_of_several_begins_nothing_new(gateway: DemoGateway, tmp_path: Path) -> None:
    gateway.intercept("POST", "/key/generate", httpx.Response(400, json={"error": {"message": "no more", "type": "x"}}))
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await app.press("asterisk", "r")
        await app.see("Rotate 2 keys")
        app.app.screen.query_one("#path", Input).value = str(tmp_path / ".env")
        await app.press("ctrl+s")
        await app.see("server: not begun")
        assert not (tmp_path / ".env").exists() and set(live(gateway)) == {"laptop", "server"}


async def test_the_sessions_own_key_and_the_session_goes_on(gateway: DemoGateway) -> None:
    own = gateway.add_key(key_alias="mine", user_id="ada", created_by="ada")
    async with running(gateway, key=own, size=(100, 30)) as app:
        await open_rotation(app, "mine")
        assert "This session uses this key" in app.text()
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("I")
        await app.see("the old key works until")
        await app.press("escape")
        await app.gone("Rotate mine")
        await app.see("1 Keys 4")
        new = live(gateway)["mine"]["token"]
        await app.press("R")
        await app.until(lambda: gateway.calls[-1].key_hash == new, "a call with the new key")


async def test_read_only_rotates_nothing(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", read_only=True) as app:
        await app.press("r")
        await app.until(lambda: "read-only" in app.toasts(), "the reason")
        assert app.writes() == []


async def test_regenerate_is_offered_with_a_licence_alone_and_its_risk_is_said(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.until(lambda: any(call.path == "/health/license" for call in gateway.calls), "the question")
        await app.pilot.pause()
        assert "regenerate" not in app.text()
    gateway.licensed = True
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.see("a new key beside the old one")
        app.app.screen.query_one("#way", Select).value = "regenerate"
        await app.see("secret is lost for good")
        await app.press("ctrl+s")
        await app.see("Regenerate laptop")
        await app.press("y")
        await app.see("I have it")
        await app.press("escape")
        await app.see("shown only this once")
        new = live(gateway)["laptop"]["token"]
        assert new != old and gateway.retired[old][0] == new
        await app.press("v")
        assert str(gateway.secret_for(new)) in app.text()
        await app.press("I")
        await app.gone("Rotate laptop")


async def test_a_bad_grace_never_reaches_regenerate(gateway: DemoGateway) -> None:
    gateway.licensed = True
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.see("a new key beside the old one")
        app.app.screen.query_one("#way", Select).value = "regenerate"
        await app.see("secret is lost for good")
        app.app.screen.query_one("#grace", Input).value = "soon"
        await app.press("ctrl+s")
        await app.see("Regenerate laptop")
        await app.press("y")
        await app.see("soon is no duration")
        assert app.writes() == []


async def test_an_own_key_that_an_admin_made_can_be_deleted_or_kept(gateway: DemoGateway) -> None:
    own = gateway.add_key(key_alias="mine", user_id="ada", created_by="ada")
    old = live(gateway)["server"]["token"]
    async with running(gateway, key=own, size=(100, 30)) as app:
        await open_rotation(app, "server")
        await app.see("An admin made this key, so only an admin may edit it. 0 deletes the old key at the end.")
        app.app.screen.query_one("#grace", Input).value = "0"
        await app.gone("only an admin may edit it")
        await app.press("ctrl+s")
        await app.see("I have it: delete the old key")
        assert old in gateway.keys
        await app.press("I")
        await app.see("the old key is deleted, the new one is server")
        assert old not in gateway.keys and "server" in live(gateway)
        assert all(call.status < 400 for call in gateway.calls if call.method == "POST")


async def test_a_failed_retirement_keeps_the_secret_in_reach_and_can_be_tried_again(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        await app.press("ctrl+s")
        await app.see("I have it")
        gateway.intercept("POST", "/key/update", httpx.ReadError("cut"), after=True)
        await app.press("I")
        await app.see("I tries again")
        await app.press("v")
        made = next(
            key for key in gateway.keys.values() if key["token"] != old and "rotating-" in str(key["key_alias"])
        )
        assert str(gateway.secret_for(str(made["token"]))) in app.text()
        await app.press("I")
        await app.see("the old key works until")
        assert live(gateway)["laptop"]["token"] == made["token"]


async def test_a_variable_that_holds_something_else_is_replaced_on_a_word_alone(
    gateway: DemoGateway, tmp_path: Path
) -> None:
    env = tmp_path / ".env"
    env.write_text("OPENAI_API_KEY=another-providers\n")
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await open_rotation(app)
        app.app.screen.query_one("#place", Select).value = "env"
        await app.pilot.pause()
        app.app.screen.query_one("#path", Input).value = str(env)
        await app.press("ctrl+s")
        await app.see("holds something else than this key")
        await app.press("n")
        await app.gone("holds something else")
        assert env.read_text() == "OPENAI_API_KEY=another-providers\n" and app.writes() == []


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_the_ways_on_and_back_are_in_sight(gateway: DemoGateway, size: tuple[int, int]) -> None:
    async with running(gateway, user="ada", size=size) as app:
        await open_rotation(app)
        assert "Rotate  ctrl+s" in app.text() and "Back  esc" in app.text()
        await app.press("ctrl+s")
        await app.see("I have it")
        assert "Later  esc" in app.text()


async def test_before_several_are_rotated_each_says_what_will_be_and_what_cannot(
    gateway: DemoGateway, tmp_path: Path
) -> None:
    gateway.add_key(key_alias="ended", user_id="ada", expires=datetime.now(UTC) - timedelta(days=2))
    gateway.add_key(key_alias="stopped", user_id="ada", blocked=True)
    async with running(gateway, user="ada", size=(140, 40)) as app:
        await app.press("asterisk", "r")
        await app.see("Rotate 4 keys")
        assert "3 of 4 will be rotated" in app.text()
        assert "never ends · old key until" in app.row("▸ server")
        rows = app.text().splitlines()
        assert "left out: This key ended on" in rows[rows.index(app.row("✘ ended")) + 1]
        assert "is blocked, so the new one will be" in rows[rows.index(app.row("▸ stopped")) + 1]
        app.app.screen.query_one("#life", Input).value = "30d"
        await app.see("The old key never ends; the new one ends on")
        await app.gone("left out")
        app.app.screen.query_one("#life", Input).value = "same"
        await app.see("left out")
        app.app.screen.query_one("#path", Input).value = str(tmp_path / ".env")
        await app.press("ctrl+s")
        await app.see("I have them")
        assert "ended: left out" in app.text()
        assert "ENDED" not in (tmp_path / ".env").read_text() and "LAPTOP" in (tmp_path / ".env").read_text()


async def test_marked_keys_that_are_retired_or_on_their_way_are_left_out_with_the_reason(gateway: DemoGateway) -> None:
    note = {"to": "f" * 64, "alias": "gone", "expires_at": None, "at": None}
    gateway.add_key(key_alias="gone-retired-1", user_id="ada", metadata={"litellm_tui_retired": note})
    async with running(gateway, user="ada", size=(140, 40)) as app:
        await open_rotation(app)
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("escape")
        await app.see("rotation unfinished")
        await app.press("escape")
        await app.see("gone-retired-1")
        await app.press("g", "space", "space", "space", "space", "r")
        await app.see("Rotate 4 keys")
        assert "1 of 4 will be rotated" in app.text() and "▸ server" in app.text()
        assert "This key was rotated already and is retired; rotate gone." in app.text()
        assert app.text().count("A rotation of it is unfinished") == 2


async def test_several_of_which_none_can_be_rotated_make_nothing(gateway: DemoGateway, tmp_path: Path) -> None:
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await app.press("asterisk", "r")
        await app.see("Rotate 2 keys")
        app.app.screen.query_one("#grace", Input).value = "1y"
        await app.see("1y is no duration")
        assert app.text().count("1y is no duration") == 1
        app.app.screen.query_one("#path", Input).value = str(tmp_path / ".env")
        await app.press("ctrl+s")
        await app.pilot.pause()
        assert app.writes() == [] and "ctrl+s" in app.text()


async def test_several_left_alone_stay_marked_and_nothing_is_asked(gateway: DemoGateway, tmp_path: Path) -> None:
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await app.press("asterisk")
        await app.see("2 marked")
        calls = len(gateway.calls)
        await app.press("r")
        await app.see("Rotate 2 keys")
        await app.press("escape")
        await app.gone("Rotate 2 keys")
        assert "2 marked" in app.text() and len(gateway.calls) == calls
        # what has begun is read anew, and is not marked for a second time
        await app.press("r")
        await app.see("Rotate 2 keys")
        app.app.screen.query_one("#path", Input).value = str(tmp_path / ".env")
        await app.press("ctrl+s")
        await app.see("I have them")
        await app.press("escape")
        await app.see("rotation unfinished")
        assert "marked" not in app.text()


async def test_of_very_many_as_many_as_somebody_reads_are_named(tmp_path: Path) -> None:
    gateway = DemoGateway()
    gateway.add_user(user_id="ada", user_role="internal_user")
    for number in range(250):
        end = (datetime.now(UTC) - timedelta(days=1)) if number >= 230 else None
        gateway.add_key(key_alias=f"key-{number:03}", user_id="ada", expires=end)
    async with running(gateway, user="ada", size=(100, 50)) as app:
        refused = httpx.Response(400, json={"error": {"message": "no more", "type": "x"}})
        gateway.intercept("POST", "/key/generate", refused)
        await app.press("tab", "asterisk", "r")
        await app.see("230 of 250 will be rotated")
        await app.press(*["pagedown"] * 40)
        await app.see("and 50 more, 20 of them left out")
        assert "key-199" in app.text() and "key-200" not in app.text()
        app.app.screen.query_one("#path", Input).value = str(tmp_path / ".env")
        await app.press("ctrl+s")
        await app.until(lambda: "not begun" in app.text() or ": left out" in app.text(), "the end")
        await app.press("pageup", "pageup")
        await app.see("✘ key-000: no more")
        await app.see("and 209 more: not begun")
        await app.press("pagedown", "pagedown")
        await app.see("key-249: left out")


async def finish_dialog(app: Driver) -> None:
    await open_rotation(app)
    await app.press("ctrl+s")
    await app.see("I have it")
    await app.press("escape")
    await app.see("rotation unfinished")
    await app.press("tab", "g", "f")
    await app.see("Finish the rotation of laptop")


async def test_finishing_lets_the_old_key_be_deleted_instead(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(80, 24)) as app:
        await finish_dialog(app)
        assert "The old key ends in 24 hours" in app.text() and "Whoever uses the old secret" in app.text()
        app.app.screen.query_one("#grace", Input).value = "0"
        await app.see("The old key is deleted now")
        assert app.app.focused is not None and app.app.focused.id == "no"
        await app.press("y")
        await app.gone("rotation unfinished")
        assert old not in gateway.keys and live(gateway)["laptop"]["token"] != old


async def test_finishing_with_another_grace_and_no_nonsense(gateway: DemoGateway) -> None:
    old = live(gateway)["laptop"]["token"]
    async with running(gateway, user="ada", size=(80, 24)) as app:
        await finish_dialog(app)
        writes = app.writes()
        app.app.screen.query_one("#grace", Input).value = "soon"
        await app.see("soon is no duration")
        await app.press("y")
        await app.pilot.pause()
        assert "Finish the rotation" in app.text() and app.writes() == writes
        app.app.screen.query_one("#grace", Input).value = "1h"
        await app.see("The old key ends in 1 hour")
        await app.press("y")
        await app.gone("rotation unfinished")
        bodies = [call.body for call in gateway.calls if call.path == "/key/update"]
        assert any(body["key"] == old and body.get("duration") == "1h" for body in bodies)


async def test_finishing_can_be_left_alone_and_enter_is_a_no(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(80, 24)) as app:
        await finish_dialog(app)
        writes = app.writes()
        await app.press("enter")
        await app.gone("Finish the rotation")
        assert app.writes() == writes and "rotation unfinished" in app.text()


async def test_finishing_offers_no_fate_that_is_not_allowed(gateway: DemoGateway) -> None:  # S44
    own = gateway.add_key(key_alias="mine", user_id="ada", created_by="ada")
    async with running(gateway, key=own, size=(100, 30)) as app:
        await open_rotation(app, "server")
        await app.press("ctrl+s")
        await app.see("I have it")
        await app.press("escape")
        await app.see("rotation unfinished")
        await app.press("tab", "g", "f")
        await app.see("Finish the rotation of server")
        assert app.app.screen.query_one("#grace", Input).value == "0"
        app.app.screen.query_one("#grace", Input).value = "1h"
        await app.see("An admin made this key, so only an admin may edit it.")
        writes = app.writes()
        await app.press("y")
        await app.pilot.pause()
        assert app.writes() == writes
