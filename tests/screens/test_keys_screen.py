"""The keys screen as a person uses it, over the embedded gateway."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from textual import events
from textual.widgets import Input

from tests.screens.driver import running
from tui.demo import DemoGateway
from tui.screens.keys import KeysScreen
from tui.widgets.table import RecordTable

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def gateway() -> DemoGateway:
    """Ada with four keys in four states, and Bob with one."""
    gw = DemoGateway(now=NOW)
    for name in ("ada", "bob"):
        gw.add_user(user_id=name, user_role="internal_user")
    gw.add_key(key_alias="laptop", user_id="ada", spend=3.12, max_budget=10.0, budget_duration="30d", models=["gpt-4o"])
    gw.add_key(key_alias="batch-eval", user_id="ada", spend=48.2, max_budget=50.0)
    gw.add_key(key_alias="ci-nightly", user_id="ada", expires=NOW - timedelta(days=2))
    gw.add_key(key_alias="old-notebook", user_id="ada", blocked=True)
    gw.add_key(key_alias="bobs", user_id="bob")
    return gw


def by_alias(gateway: DemoGateway, alias: str) -> dict[str, object] | None:
    return next((key for key in gateway.keys.values() if key["key_alias"] == alias), None)


async def test_what_needs_attention_comes_first_in_words(gateway: DemoGateway) -> None:  # S42
    async with running(gateway, user="ada") as app:
        lines = app.text().splitlines()
        assert "ci-nightly" in lines[2] and "expired 2 d ago" in lines[2]
        assert "old-notebook" in lines[3] and "blocked" in lines[3]
        assert "batch-eval" in lines[4] and "$48.20 of $50.00, 96 %" in lines[4]
        assert "bobs" not in app.text()
        assert "31 % $10" in app.row("laptop")
        assert "1 Keys 4" in lines[1]


async def test_everyone_for_an_admin_who_names_nobody(gateway: DemoGateway) -> None:  # S37, S5
    async with running(gateway) as app:
        assert "bobs" in app.text() and "everyone" in app.text()
        assert all(call.path != "/user/info" for call in gateway.calls)


async def test_create_shows_the_secret_once_and_esc_does_not_lose_it(gateway: DemoGateway) -> None:  # S40, S41, S9
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press(*["backspace"] * 12)
        await app.type("new-one")
        await app.press("ctrl+s")
        await app.see("the one time")
        made = by_alias(gateway, "new-one")
        assert made is not None
        secret = gateway.secret_for(str(made["token"]))
        assert secret and made["user_id"] == "ada"
        assert secret not in app.text() and secret[-4:] in app.text()
        await app.press("escape")
        await app.see("D when you have it")
        await app.press("v")
        assert secret in app.text()
        await app.press("D")
        await app.gone("the one time")
        await app.see("1 Keys 5")
        assert secret not in app.text() and secret not in app.toasts()


async def test_a_taken_alias_is_refused_at_its_field(gateway: DemoGateway) -> None:  # S40, S2
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press(*["backspace"] * 12)
        await app.type("laptop")
        await app.press("ctrl+s")
        screen = (await app.see("already exists")).splitlines()
        alias = next(number for number, line in enumerate(screen) if "Alias" in line and "laptop" in line)
        assert "already exists" in screen[alias + 1]
        assert app.app.focused is not None and app.app.focused.id == "alias"


async def test_wrong_input_stays_in_the_form_and_sends_nothing(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        app.app.screen.query_one("#budget").focus()
        await app.type("lots")
        await app.press("ctrl+s")
        await app.see("An amount in USD")
        assert app.writes() == []


async def test_edit_sends_only_what_changed(gateway: DemoGateway) -> None:  # S10
    before = dict(by_alias(gateway, "laptop") or {})
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter", "e")
        await app.see("Edit laptop")
        app.app.screen.query_one("#budget").focus()
        await app.press("end", *["backspace"] * 4)
        await app.type("25")
        await app.press("ctrl+s")
        await app.see("$25")
        update = next(call for call in gateway.calls if call.path == "/key/update")
        assert update.body == {"key": before["token"], "max_budget": 25.0}
        after = by_alias(gateway, "laptop") or {}
        assert after["max_budget"] == 25.0 and after["models"] == before["models"]


async def test_block_names_the_key_and_the_consequence_and_no_is_the_default(gateway: DemoGateway) -> None:  # S43
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter", "b")
        await app.see("Block laptop")
        assert "refused until it is unblocked" in app.text()
        await app.press("enter")
        await app.gone("Block laptop")
        assert app.writes() == []
        await app.press("b")
        await app.see("Block laptop")
        await app.press("y")
        await app.until(lambda: bool((by_alias(gateway, "laptop") or {}).get("blocked")), "the block")
        await app.until(lambda: "blocked" in app.row("laptop"), "the row to say blocked")
        await app.press("b")
        await app.see("Unblock laptop")
        await app.press("y")
        await app.until(lambda: not (by_alias(gateway, "laptop") or {}).get("blocked"), "the unblocking")


async def test_delete_on_two_marked_keys(gateway: DemoGateway) -> None:  # S43, S11
    async with running(gateway, user="ada") as app:
        await app.press("space", "space", "d")
        await app.see("Delete 2 keys?")
        assert "ci-nightly" in app.text() and "old-notebook" in app.text() and "cannot be undone" in app.text()
        await app.press("y")
        await app.see("1 Keys 2")
        assert by_alias(gateway, "ci-nightly") is None and by_alias(gateway, "old-notebook") is None
        assert by_alias(gateway, "laptop") is not None


async def test_one_failure_of_several_is_told_with_its_reason(gateway: DemoGateway) -> None:
    gateway.intercept("POST", "/key/block", httpx.Response(500, json={"error": {"message": "the disk is full"}}))
    async with running(gateway, user="ada") as app:
        await app.press("asterisk", "b")
        await app.see("Block 3 keys?")
        await app.press("y")
        await app.see("not everything went through")
        assert "the disk is full" in app.text() and app.text().count("✔") == 2


async def test_reset_spend(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("batch")
        await app.press("enter", "z")
        await app.see("$48.20 counted against its budget becomes $0.00")
        await app.press("y")
        await app.until(lambda: (by_alias(gateway, "batch-eval") or {}).get("spend") == 0, "the reset")
        await app.gone("96 %")


async def test_filter_sort_and_no_match(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", size=(120, 30)) as app:
        await app.press("slash")
        await app.type("zzz")
        await app.see("No key matches “zzz”. esc clears the filter.")
        await app.press("escape")
        await app.gone("No key matches")
        await app.press("s", "s", "S")
        await app.see("Spend ▼")
        rows = [line for line in app.text().splitlines() if line[2:].startswith(("laptop", "batch-eval"))]
        assert rows[-2].startswith("! batch-eval") and rows[-1].startswith("  laptop")


async def test_what_an_own_key_may_not_do_is_never_tried(gateway: DemoGateway) -> None:  # S44, S38
    own = gateway.add_key(key_alias="adas-own", user_id="ada", created_by="default_user_id")
    async with running(gateway, key=own) as app:
        assert "user" in app.text().splitlines()[0]
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter")
        for press, reason in (
            ("b", "Only an admin may block keys."),
            ("e", "An admin made this key"),
            ("z", "reset spend"),
        ):
            await app.press(press)
            await app.until(lambda reason=reason: reason in app.toasts(), reason)  # type: ignore[misc]
        await app.press("enter")
        await app.see("block or unblock: Only an admin may block keys.")
        assert app.writes() == []
        assert all(call.status < 400 for call in gateway.calls if "info" in call.path or "list" in call.path)


async def test_read_only_writes_nothing(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", read_only=True) as app:
        assert "READ-ONLY" in app.text()
        for press in ("n", "e", "b", "z", "d"):
            await app.press(press)
        await app.until(lambda: app.toasts().count("read-only") >= 1, "the reason")
        assert app.writes() == []


async def test_gateway_down_keeps_the_list_and_says_its_age(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        gateway.intercept("GET", "/key/list", httpx.ConnectError("refused"), times=3)
        await app.press("R")
        await app.see("R tries again")
        assert "laptop" in app.text() and "llm.example.com refuses the connection" in app.text()
        await app.press("R")
        await app.gone("R tries again")


async def test_no_keys_yet(gateway: DemoGateway) -> None:
    gateway.add_user(user_id="eve", user_role="internal_user")
    async with running(gateway, user="eve") as app:
        assert "No keys yet. n makes one." in app.text()


async def test_a_key_for_models_alone_says_so_and_asks_for_nothing_else(gateway: DemoGateway) -> None:  # S44
    narrow = gateway.add_key(key_alias="narrow", user_id="ada", key_type="llm_api", allowed_routes=["llm_api_routes"])
    async with running(gateway, key=narrow) as app:
        await app.see("This key may call models only")
        assert [call.path for call in gateway.calls if call.status == 403] == ["/key/info"]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 50)])
async def test_alias_and_key_stay_at_every_size(gateway: DemoGateway, size: tuple[int, int]) -> None:
    async with running(gateway, user="ada", size=size) as app:
        row = app.row("laptop")
        assert "…" in row
        assert all(len(line) <= size[0] for line in app.text().splitlines())
        assert ("Owner" in app.text()) == (size[0] == 200)


async def test_hostile_names_are_text(gateway: DemoGateway) -> None:
    gateway.add_key(key_alias="[red]x[/red][@click=q]", user_id="ada")
    gateway.add_key(key_alias="esc\x1b[31mape[/x]\x07 \u202ertl", user_id="ada")
    gateway.add_key(key_alias="日本語の鍵", user_id="ada")
    async with running(gateway, user="ada", size=(200, 30)) as app:
        assert "[red]x[/red][@click=q]" in app.text()
        assert "\x1b" not in app.text() and "\u202e" not in app.text()
        assert "日本語の鍵" in app.text()
        await app.press("slash")
        await app.type("red")
        await app.press("enter", "d")
        await app.see("Delete [red]x[/red]")
        await app.press("n")
        await app.press("enter")
        await app.see("no budget limit")


async def test_a_creation_that_never_left_is_told_apart_from_one_whose_answer_was_lost(gateway: DemoGateway) -> None:
    gateway.intercept("POST", "/key/generate", httpx.ConnectError("refused"))
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+s")
        await app.see("Nothing was sent; ctrl+s tries again.")
        gateway.intercept("POST", "/key/generate", httpx.ReadError("cut"), after=True)
        await app.press("ctrl+s")
        await app.see("made all the same")
        await app.press("escape")
        await app.press("R")
        await app.see("1 Keys 5")


async def test_an_action_from_the_detail_goes_to_the_key_that_was_shown(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("space")  # ci-nightly is marked
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter", "enter")
        await app.see("sk-...")
        await app.press("d")
        await app.see("Delete laptop")
        assert "ci-nightly" not in "".join(line for line in app.text().splitlines() if "Delete" in line)


async def test_a_key_that_went_away_while_it_was_shown_is_not_replaced_by_its_neighbour(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter", "enter")
        await app.see("sk-...")
        hash = str((by_alias(gateway, "laptop") or {})["token"])
        del gateway.keys[hash]
        keys_screen = app.app.screen_stack[-2]
        assert isinstance(keys_screen, KeysScreen)
        keys_screen.load()
        await app.until(lambda: len(keys_screen.workspace.keys) == 3, "the shorter list")
        await app.pilot.pause()
        await app.press("d")
        await app.until(lambda: "gone from the list" in app.toasts(), "the word")
        assert app.writes() == []


async def test_keys_typed_while_a_form_opens_do_not_act_on_the_list(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        for key in ("n", "d", "y"):
            app.app.post_message(events.Key(key, key))
        await app.see("New virtual key")
        await app.pilot.pause()
        assert app.writes() == [] and "Delete" not in app.text()


async def test_an_untouched_form_sends_nothing_whatever_the_record_holds(gateway: DemoGateway) -> None:
    gateway.add_key(
        key_alias="odd\u200bname",
        user_id="ada",
        tpm_limit=2**62,
        budget_duration="1y",
        max_budget=None,
        models=["a,b"],
        metadata={"litellm_tui_note": 1},
    )
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("odd")
        await app.press("enter", "e")
        await app.see("Edit odd")
        await app.press("ctrl+s")
        await app.gone("Edit odd")
        assert app.writes() == []


async def test_a_path_that_cannot_be_is_a_sentence_and_the_secret_stays(gateway: DemoGateway) -> None:  # S41
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.see("New virtual key")
        await app.press("ctrl+s")
        await app.see("the one time")
        for path, words in (("~nobody-here/key", "does not know"), (f"/tmp/{'x' * 300}", "cannot be used")):
            await app.press("w")
            await app.see("Write the key")
            app.app.screen.query_one(Input).value = path
            await app.press("enter")
            await app.see(words)
            await app.press("escape")
            await app.see("the one time")


async def test_a_very_long_name_leaves_the_consequence_on_screen(gateway: DemoGateway) -> None:
    gateway.add_key(key_alias="x" * 5000, user_id="ada")
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("xxxx")
        await app.press("enter", "d")
        await app.see("cannot be undone")
        assert "No, leave it" in app.text()


async def test_marks_that_the_filter_hides_are_left_alone(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("space")
        await app.see("1 marked. esc clears.")
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter")
        await app.see("1 of them not shown and left alone")
        await app.press("d")
        await app.see("Delete laptop")


async def test_every_key_that_would_be_deleted_is_named_and_the_answers_stay_in_sight(
    gateway: DemoGateway,
) -> None:  # S43
    for number in range(30):
        gateway.add_key(key_alias=f"bulk-{number:02}", user_id="ada")
    async with running(gateway, user="ada") as app:
        await app.press("asterisk", "d")
        await app.see("Delete 34 keys?")
        assert "No, leave it" in app.text() and "cannot be undone" in app.text()


async def test_an_edit_shows_the_reset_that_the_budget_has(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("slash")
        await app.type("laptop")
        await app.press("enter", "e")
        await app.see("Edit laptop")
        assert "every 30 days" in app.row("Budget resets")


async def test_the_same_refusal_is_told_once(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada", read_only=True) as app:
        for _ in range(5):
            await app.press("n")
        assert app.toasts().count("read-only") == 1


async def test_the_palette_finds_actions(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("colon")
        await app.type("delete")
        await app.see("Delete the key for good")
        await app.press("escape")
        await app.press("ctrl+p")
        await app.see("Make a new virtual key")


@pytest.fixture
def rotated(gateway: DemoGateway) -> DemoGateway:
    """Two old keys of rotations that are done: one still in its grace, one at its end."""
    for name, end in (("old-one", NOW + timedelta(hours=5)), ("older-one", NOW - timedelta(days=3))):
        note = {"to": "f" * 64, "alias": name, "expires_at": None, "at": None}
        gateway.add_key(
            key_alias=f"{name}-retired-0123abcd",
            user_id="ada",
            expires=end,
            spend=9.9,
            max_budget=10.0,
            metadata={"litellm_tui_retired": note},
        )
    return gateway


async def test_retired_keys_stay_listed_and_need_nobody(rotated: DemoGateway) -> None:  # S42
    async with running(rotated, user="ada", size=(100, 30)) as app:
        assert app.text().count("-retired-") == 2
        row = app.row("older-one")
        assert row.startswith("  ") and "retired " in row and "expired" not in row and "!" not in row
        assert "retired, 5 h" in app.row("old-one")


async def test_mark_all_leaves_retired_keys_out_and_they_can_be_deleted(rotated: DemoGateway) -> None:
    async with running(rotated, user="ada", size=(100, 30)) as app:
        await app.press("asterisk")
        await app.see("4 marked")
        assert "●" not in app.row("older-one")
        await app.press("escape", "slash")
        await app.type("retired")
        await app.press("enter", "asterisk", "d")
        await app.see("Delete 2 keys?")
        await app.press("y")
        await app.until(lambda: not any("-retired-" in str(key["key_alias"]) for key in rotated.keys.values()), "it")
        assert by_alias(rotated, "laptop") is not None


@pytest.mark.parametrize(
    ("kind", "routes", "words"),
    [("llm_api", "llm_api_routes", "models only"), ("read_only", "info_routes", "may only look")],
)
async def test_the_bar_does_not_promise_what_the_key_may_not_do(  # S44
    gateway: DemoGateway, kind: str, routes: str, words: str
) -> None:
    narrow = gateway.add_key(key_alias="narrow", user_id="ada", key_type=kind, allowed_routes=[routes])
    async with running(gateway, key=narrow, size=(120, 24)) as app:
        top = app.text().splitlines()[0]
        assert words in top and "RW" not in top


async def test_the_bar_says_rw_to_whoever_may_write(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        assert "· RW ·" in app.text().splitlines()[0]


async def test_a_list_without_the_focus_shows_no_cursor_and_keeps_its_warnings() -> None:
    gateway = DemoGateway()
    gateway.add_user(user_id="ada", user_role="internal_user")
    for number in range(3):
        gateway.add_key(key_alias=f"over-{number}", user_id="ada", spend=12.0, max_budget=10.0)
    async with running(gateway, user="ada", size=(100, 30)) as app:
        await app.until(lambda: app.app.focused is not None and app.app.focused.id == "attention", "the focus")
        table = app.app.screen.query_one("#keys", RecordTable)

        def inks() -> list[tuple[str, str]]:
            """Of the budgets in the list of all."""
            found = []
            for y in range(1, 4):
                segments = [each for each in table.render_line(y) if "120 %" in each.text and each.style]
                found += [(str(each.style.color), str(each.style.bgcolor)) for each in segments if each.style]
            return found

        assert len(inks()) == 3 and len(set(inks())) == 1, "one row looks as if there were no warning"
        await app.press("tab")
        assert len(set(inks())) == 2
        await app.press("end")
        assert table.cursor_row == 2
        await app.press("home")
        assert table.cursor_row == 0
