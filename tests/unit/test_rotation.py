"""Rotation against the embedded gateway: every call lost, every step abandoned; plans, notes and reminders."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.demo import DemoGateway
from tui.gateway import client as client_module
from tui.gateway import keys, rotation, state
from tui.gateway.capabilities import USER, Rights, Server
from tui.gateway.client import Client
from tui.gateway.errors import GatewayError, Invalid, ServerFailed, Unreachable
from tui.gateway.rotation import How, Step, Successor
from tui.gateway.rotation_records import (
    NOTE,
    RETIRED,
    due,
    is_secret_of,
    note_of,
    retired,
    retired_alias,
    temporary_alias,
    unfinished,
)
from tui.gateway.schema import Key, Team
from tui.gateway.state import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MASTER = "sk-demo-master-0123456789"
URL = "http://demo.invalid"


class Cut(httpx.AsyncBaseTransport):
    """The line breaks at call `at`, before it arrives or in its answer; for good (`dead`) or that once."""

    def __init__(self, gateway: DemoGateway, at: int = -1, *, after: bool = False, dead: bool = True) -> None:
        self.inner = gateway.transport()
        self.at, self.after, self.dead = at, after, dead
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on, or break."""
        number, self.count = self.count, self.count + 1
        if number == self.at and self.after:
            await self.inner.handle_async_request(request)
        if number == self.at or (self.dead and 0 <= self.at < number):
            raise httpx.ReadError("cut", request=request)
        return await self.inner.handle_async_request(request)


@pytest.fixture(autouse=True)
def _no_second_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ATTEMPTS", 1)
    monkeypatch.setattr(rotation, "NOT_YET_KNOWN", (0.0,))


@pytest.fixture(params=["1.74.0", "1.108.0"])
def demo(request: pytest.FixtureRequest) -> DemoGateway:
    """A gateway with one user and their key `laptop`, and a key that must not be touched."""
    gateway = DemoGateway(version=request.param)
    gateway.add_user("ada")
    gateway.add_key(key_alias="laptop", user_id="ada", metadata={"keep": 1}, spend=1.5, max_budget=5)
    gateway.add_key(key_alias="other", user_id="ada")
    return gateway


def admin(gateway: DemoGateway, transport: httpx.AsyncBaseTransport | None = None) -> Client:
    """A client with the master key."""
    return Client(URL, MASTER, transport=transport or gateway.transport())


def connect(gateway: DemoGateway, transport: httpx.AsyncBaseTransport | None = None) -> Callable[[str], Client]:
    """What `prove` takes."""
    return lambda secret: Client(URL, secret, transport=transport or gateway.transport())


async def laptop(gateway: DemoGateway) -> Key:
    """The key to rotate."""
    (found,) = [key for key in await keys.list_keys(admin(gateway), "ada") if key.alias == "laptop"]
    return found


def planned(gateway: DemoGateway, key: Key, **more: Any) -> rotation.Plan:
    """A plan of an admin, with a grace of one hour."""
    given = {"grace": "1h", "rights": Rights(server=Server(gateway.version)), "now": datetime.now(UTC), **more}
    return rotation.plan(key, **given)


def successors(gateway: DemoGateway) -> list[str]:
    """Hashes of what was made in the gateway's lifetime and is there."""
    return [token for token, row in gateway.keys.items() if row["key_alias"] not in ("laptop", "other")]


def check_end(gateway: DemoGateway, left: str) -> None:
    """Exactly one live key under the alias, the other one untouched, no orphan, no note of an unfinished rotation."""
    by_alias = {row["key_alias"]: row for row in gateway.keys.values()}
    assert by_alias.pop("laptop")["token"] == left
    assert by_alias.pop("other")["metadata"] == {}
    for alias, row in by_alias.items():
        assert "-retired-" in alias, f"an orphan: {alias}"
        assert row["expires"] is not None
    assert not any(NOTE in row["metadata"] for row in gateway.keys.values())
    assert gateway.keys[left]["metadata"]["keep"] == 1
    assert (gateway.keys[left]["spend"], gateway.keys[left]["max_budget"]) == (1.5, 5)


async def whole(gateway: DemoGateway, transport: httpx.AsyncBaseTransport, how: How) -> Successor:
    """A rotation from the first call to the last."""
    plan = planned(gateway, await laptop(gateway), grace="1h" if how is How.GRACE else "0")
    async with admin(gateway, transport) as client:
        successor = await rotation.create(client, plan)
        await rotation.prove(connect(gateway, transport), successor)
        now: Any = await rotation.confirm(client, successor.rotation, how, "1h")
        while not isinstance(now, Key):
            now = await rotation.advance(client, now)
    return successor


async def listed(gateway: DemoGateway) -> list[rotation.Unfinished]:
    """What a new process finds."""
    async with admin(gateway) as client:
        return unfinished(await keys.list_keys(client, "ada"))


CALLS = 16
"""More than one rotation takes; a cut beyond the last call changes nothing, and is skipped as such."""


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("dead", [True, False], ids=["for good", "once"])
@pytest.mark.parametrize("how", [How.GRACE, How.DELETE])
@pytest.mark.parametrize("way", ["finish", "undo"])
async def test_every_single_call_lost(demo: DemoGateway, after: bool, dead: bool, how: How, way: str) -> None:
    """Whatever call is the last: a working key at every moment, the rotation is listed, and both ways end well."""
    reached = 0
    for at in range(CALLS):
        gateway = DemoGateway(version=demo.version)
        gateway.add_user("ada")
        old_secret = gateway.add_key(key_alias="laptop", user_id="ada", metadata={"keep": 1}, spend=1.5, max_budget=5)
        gateway.add_key(key_alias="other", user_id="ada")
        old = hashlib.sha256(old_secret.encode()).hexdigest()
        line = Cut(gateway, at, after=after, dead=dead)
        try:
            successor = await whole(gateway, line, how)
        except rotation.NotProved:
            pytest.fail("a lost call is no verdict on the key")
        except GatewayError:
            pass
        else:
            check_end(gateway, successor.hash)
            if line.count <= at:
                break
            reached = at
            continue
        reached = at
        alive = [row for row in gateway.keys.values() if row["key_alias"] != "other" and row["expires"] is None]
        assert alive, f"no working key after call {at}"
        found = await listed(gateway)
        if not found:
            # before anything was made, or after the very last change
            left = next(row["token"] for row in gateway.keys.values() if row["key_alias"] == "laptop")
            check_end(gateway, left)
            continue
        assert len(found) == 1
        async with admin(gateway) as client:
            if way == "finish":
                left = (await rotation.finish(client, found[0], secret_is_safe=found[0].needs_secret)).hash
                assert left != old
            else:
                left = (await rotation.undo(client, found[0])).hash
                assert (left == old) is (found[0].step is not Step.OLD_GONE)
        check_end(gateway, left)
    assert reached >= 7, "the cuts never got to the end"


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("way", ["finish", "undo"])
@pytest.mark.parametrize("second", ["finish", "undo"])
async def test_the_way_out_is_cut_as_well(after: bool, way: str, second: str) -> None:
    """Finishing or undoing dies too, at each of its calls and from each step; then the other one, or the same again."""

    async def go(client: Client, name: str, found: rotation.Unfinished) -> Key:
        if name == "finish":
            return await rotation.finish(client, found, secret_is_safe=True)
        return await rotation.undo(client, found)

    cut = 0
    for how in (How.GRACE, How.DELETE, How.KEEP):
        for stop in range(6, CALLS):
            for at in range(CALLS):
                gateway = DemoGateway()
                gateway.add_user("ada")
                gateway.add_key(key_alias="laptop", user_id="ada", metadata={"keep": 1}, spend=1.5, max_budget=5)
                gateway.add_key(key_alias="other", user_id="ada")
                try:
                    await whole(gateway, Cut(gateway, stop), how)
                except GatewayError:
                    found = await listed(gateway)
                else:
                    break
                if not found:
                    break
                line = Cut(gateway, at, after=after)
                async with admin(gateway, line) as client:
                    try:
                        left = await go(client, way, found[0])
                    except GatewayError:
                        cut += 1
                    else:
                        check_end(gateway, left.hash)
                        break
                again = await listed(gateway)
                if again:
                    async with admin(gateway) as client:
                        left = await go(client, second, again[0])
                    check_end(gateway, left.hash)
                else:
                    (hash,) = [row["token"] for row in gateway.keys.values() if row["key_alias"] == "laptop"]
                    check_end(gateway, hash)
    assert cut > 20


class TestLostAnswer:
    """`generate` is never repeated blindly."""

    async def test_found_deleted_and_made_again_once(self, demo: DemoGateway) -> None:
        """The secret of the first is lost, so it is gone before the second is made."""
        demo.intercept("POST", "/key/generate", httpx.ReadError("cut"), after=True)
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == [successor.hash]
        made = [number for number, call in enumerate(demo.calls) if call.path == "/key/generate"]
        (gone,) = [number for number, call in enumerate(demo.calls) if call.path == "/key/delete"]
        assert made[0] < gone < made[1]
        assert demo.secret_for(successor.hash) == successor.secret

    async def test_never_arrived(self, demo: DemoGateway) -> None:
        """Then there is nothing to delete, and it is made."""
        demo.intercept("POST", "/key/generate", httpx.ConnectError("no"))
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == [successor.hash]
        assert not any(call.path == "/key/delete" for call in demo.calls)

    async def test_lost_twice(self, demo: DemoGateway) -> None:
        """No third time, and nothing is left."""
        demo.intercept("POST", "/key/generate", httpx.ReadError("cut"), times=-1, after=True)
        with pytest.raises(rotation.LostAnswer, match="deleted again"):
            await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == []
        assert sum(call.path == "/key/generate" for call in demo.calls) == 2

    @pytest.mark.parametrize("status", [502, 504])
    async def test_a_proxy_in_between_gave_up(self, demo: DemoGateway, status: int) -> None:
        """Its 502 is no answer of LiteLLM's: the key was made."""
        answer = httpx.Response(status, text="<html><title>Bad Gateway</title>")
        demo.intercept("POST", "/key/generate", answer, after=True)
        with pytest.raises(rotation.LostAnswer):
            await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == []

    async def test_an_answer_that_is_none(self, demo: DemoGateway) -> None:
        """200, and no secret in it."""
        demo.intercept("POST", "/key/generate", httpx.Response(200, json={"ok": True}), after=True)
        with pytest.raises(rotation.LostAnswer):
            await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == []

    async def test_litellm_s_own_500_is_an_answer(self, demo: DemoGateway) -> None:
        """And is shown as it is, after one attempt."""
        body = {"error": {"message": "boom", "type": "internal_server_error", "param": None, "code": "500"}}
        demo.intercept("POST", "/key/generate", httpx.Response(500, json=body))
        with pytest.raises(ServerFailed, match="boom"):
            await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert sum(call.path == "/key/generate" for call in demo.calls) == 1

    async def test_not_to_be_found_out(self, demo: DemoGateway) -> None:
        """The line is gone for good: told so, nothing repeated, and the next look lists it."""
        line = Cut(demo, 2, after=True)
        with pytest.raises(rotation.LostAnswer, match="not to be found out"):
            await rotation.create(admin(demo, line), planned(demo, await laptop(demo)))
        (found,) = await listed(demo)
        assert found.needs_secret
        await rotation.undo(admin(demo), found)
        assert successors(demo) == []

    async def test_the_first_arrives_after_the_look(self, demo: DemoGateway) -> None:
        """A slow gateway makes it while the second attempt is on its way: the alias refuses the second."""
        late: list[httpx.Request] = []

        async def slow(request: httpx.Request) -> httpx.Response | None:
            if not late:
                late.append(request)
                raise httpx.ReadTimeout("slow")
            first = httpx.Request("POST", late[0].url, headers=late[0].headers, content=late[0].content)
            await demo.transport().handle_async_request(first)
            return None

        demo.intercept("POST", "/key/generate", slow, times=2)
        with pytest.raises(rotation.LostAnswer):
            await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successors(demo) == []

    async def test_no_secret_in_what_is_raised_or_shown(self, demo: DemoGateway) -> None:
        """# S3"""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        assert successor.secret not in f"{successor!r}{successor}{successor.rotation!r}{successor.rotation.so}"
        await keys.delete_keys(admin(demo), [successor.hash])
        with pytest.raises(rotation.NotProved) as refused:
            await rotation.prove(connect(demo), successor)
        assert successor.secret not in f"{refused.value!r}{refused.value.__cause__!r}{refused.value.__context__!r}"


class TestProve:
    """One call, free."""

    async def test_one_call_with_the_new_secret(self, demo: DemoGateway) -> None:
        """That costs nothing and is counted as no failure."""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        before = len(demo.calls)
        await rotation.prove(connect(demo), successor)
        (call,) = demo.calls[before:]
        assert (call.method, call.path, call.status, call.key_hash) == ("GET", "/models", 200, successor.hash)

    async def test_a_gateway_that_lags_behind_is_asked_again(self, demo: DemoGateway) -> None:
        """A second instance reads from a replica."""
        body = {"error": {"message": "?", "type": "token_not_found_in_db", "param": "key", "code": "401"}}
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        demo.intercept("GET", "/models", httpx.Response(401, json=body))
        await rotation.prove(connect(demo), successor)

    async def test_no_answer_is_no_verdict(self, demo: DemoGateway) -> None:
        """Neither proved nor refused."""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        with pytest.raises(Unreachable):
            await rotation.prove(connect(demo, Cut(demo, 0)), successor)


class TestPlan:
    """What is said before anything is done."""

    def key(self, **more: Any) -> Key:
        """A key of ada's."""
        fields = {"hash": "a" * 64, "name": "sk-...9f3Q", "alias": "laptop", "user_id": "ada", **more}
        return Key(**fields)

    def plan(self, key: Key, **more: Any) -> rotation.Plan:
        """As an admin of a recent gateway, at NOW."""
        return rotation.plan(key, **{"rights": Rights(), "now": NOW, **more})

    def test_the_same_end(self) -> None:
        """In seconds, as LiteLLM knows no dates."""
        plan = self.plan(self.key(expires_at=NOW + timedelta(days=30)))
        assert (plan.lasts, plan.ends) == ("2592000s", NOW + timedelta(days=30))
        assert self.plan(self.key()).lasts is None

    @pytest.mark.parametrize(("life", "lasts", "days"), [("90d", "90d", 90), (None, None, None)])
    def test_another_end(self, life: str | None, lasts: str | None, days: int | None) -> None:
        """A duration, or never."""
        plan = self.plan(self.key(expires_at=NOW + timedelta(days=3)), life=life)
        assert (plan.lasts, plan.ends) == (lasts, NOW + timedelta(days=days) if days else None)

    @pytest.mark.parametrize(("grace", "how"), [("0", How.DELETE), ("90s", How.GRACE), ("7d", How.GRACE)])
    def test_grace(self, grace: str, how: How) -> None:
        """Any duration that LiteLLM knows, and 0."""
        plan = self.plan(self.key(), grace=grace)
        assert (plan.how, plan.problem) == (how, None)
        assert (plan.old_ends is None) is (how is How.DELETE)

    def test_an_earlier_end_of_the_old_key_stays(self) -> None:
        """And is what is shown."""
        soon = NOW + timedelta(hours=2)
        assert self.plan(self.key(expires_at=soon), grace="24h").old_ends == soon
        assert self.plan(self.key(expires_at=soon), grace="1h").old_ends == NOW + timedelta(hours=1)

    @pytest.mark.parametrize("wrong", [{"grace": "1y"}, {"grace": "soon"}, {"life": "1y"}, {"life": ""}])
    def test_what_is_no_duration(self, wrong: dict[str, str]) -> None:
        """Is a problem, in words."""
        assert "no duration" in (self.plan(self.key(), **wrong).problem or "")

    @pytest.mark.parametrize(
        ("fields", "more", "word"),
        [
            ({"blocked": True}, {}, "blocked"),
            ({"alias": None}, {}, "no name"),
            ({"max_budget": 1, "spend": 1}, {}, "used up"),
            ({"models": ["a", "b"]}, {"team": Team(team_id="t", models=["a"])}, "no longer allows b;"),
            ({}, {"session_hash": "a" * 64}, "This session uses this key"),
            ({}, {"life": "1d"}, "never ends"),
            ({"expires_at": NOW - timedelta(1)}, {"life": "1d"}, "nothing works"),
            (
                {"budget_duration": "30d", "budget_reset_at": NOW},
                {"rights": Rights(server=Server("1.74.0"))},
                "anew",
            ),
        ],
    )
    def test_warnings(self, fields: dict[str, Any], more: dict[str, Any], word: str) -> None:
        """One sentence each; and none of them where nothing is odd."""
        plan = self.plan(self.key(**fields), **more)
        assert plan.problem is None
        assert word in " ".join(plan.warnings)
        assert self.plan(self.key()).warnings == ()

    @pytest.mark.parametrize(
        ("fields", "rights", "word"),
        [
            ({}, Rights(read_only=True), "read-only"),
            ({}, Rights(narrow=True), "models only"),
            ({"user_id": "bob"}, Rights(role=USER, user_id="ada"), "owner"),
            ({"metadata": {NOTE: {"of": "b" * 64}}}, Rights(), "not finished"),
            ({"metadata": {RETIRED: {"to": "b" * 64, "alias": "laptop"}}}, Rights(), "rotate laptop"),
        ],
    )
    async def test_what_cannot_be(self, fields: dict[str, Any], rights: Rights, word: str) -> None:
        """The reason is in the plan, and nothing is called."""
        plan = self.plan(self.key(**fields), rights=rights)
        assert word in (plan.problem or "")
        gateway = DemoGateway()
        with pytest.raises(rotation.CannotRotate, match=word):
            await rotation.create(admin(gateway), plan)
        assert gateway.calls == []

    def test_own_key_that_an_admin_made(self) -> None:
        """Grace falls away with its reason; what is left is offered and nothing is deleted unasked."""
        key = self.key(created_by="default_user_id")
        plan = self.plan(key, rights=Rights(role=USER, user_id="ada"))
        assert (plan.choices, plan.how, plan.old_ends) == ((How.DELETE, How.KEEP), How.KEEP, None)
        assert plan.why_not == "An admin made this key, so only an admin may edit it."
        assert self.plan(key, rights=Rights(role=USER, user_id="ada"), grace="0").how is How.DELETE

    def test_text_of_the_gateway_is_made_printable(self) -> None:
        """No control characters in what is shown."""
        plan = self.plan(self.key(alias="a\x1b[31mb", user_id="x\x07", models=["m\u202e"]))
        assert not set("\x1b\x07\u202e") & set("".join([*plan.steps, *plan.warnings, *map(str, plan.copied)]))

    def test_a_name_that_is_taken_is_not_given(self) -> None:
        """The old key's next name is free."""
        taken = retired_alias("laptop", "a" * 64)
        assert self.plan(self.key(), taken_aliases={taken}).retired_alias not in (None, taken)


class TestRecords:
    """What is read back."""

    @given(
        note=st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["of", "step", "alias", "by", "id", "started_at", "how", "grace", "to"]), inner
                )
            ),
            max_leaves=8,
        )
    )
    def test_a_strange_note_breaks_nothing(self, note: Any) -> None:
        """Metadata is anybody's."""
        key = Key(hash="b" * 64, name="sk-...1234", metadata={NOTE: note, RETIRED: note})
        for found in unfinished([key]):
            assert found.so
            assert found.finish_does
            assert found.undo_does
        retired(key)
        due(key, NOW)
        state.reasons(key, NOW)

    async def test_the_note_comes_back_as_it_was_written(self, demo: DemoGateway) -> None:
        """Every part of it."""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        (found,) = await listed(demo)
        assert note_of(demo.keys[successor.hash]["metadata"]) == found.note == successor.rotation.note
        assert (found.note.of, found.note.alias, found.note.by) == (key.hash, "laptop", "proxy_admin")
        assert (found.note.how, found.note.grace, found.step) == (How.GRACE, "1h", Step.CREATED)
        assert successor.alias == temporary_alias(key.hash)

    async def test_the_words_follow_the_step(self, demo: DemoGateway) -> None:
        """What is so, and what each way out would do."""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        said = [successor.rotation.so]
        assert "is not known" in said[0]
        now: Any = await rotation.confirm(admin(demo), successor.rotation, How.GRACE, "1h")
        assert "safe hands" in now.so
        assert now.finish_does == "The old key ends in 1 hour, or at its own end. The new key takes the name laptop."
        now = await rotation.advance(admin(demo), now)
        assert "is retired" in now.so
        assert "its name and its end back" in now.undo_does
        assert successor.rotation.new.tail in now.so

    def test_a_secret_tells_its_hash(self) -> None:
        """So an env file shows that a key was delivered."""
        hash = hashlib.sha256(b"sk-abcdefgh").hexdigest()
        assert is_secret_of("sk-abcdefgh", hash)
        assert not is_secret_of("sk-abcdefgi", hash)

    async def test_a_choice_may_be_changed(self, demo: DemoGateway) -> None:
        """As long as nothing is retired."""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        with pytest.raises(Invalid, match="grace"):
            await rotation.confirm(admin(demo), successor.rotation, How.GRACE)
        await rotation.confirm(admin(demo), successor.rotation, How.KEEP)
        await rotation.confirm(admin(demo), successor.rotation, How.GRACE, "2h")
        (found,) = await listed(demo)
        assert (found.step, found.note.grace) == (Step.DELIVERED, "2h")

    async def test_renamed_meanwhile(self, demo: DemoGateway) -> None:
        """The name that the old key has when it is retired is the one that is handed over."""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        await keys.update_key(admin(demo), key.hash, {"key_alias": "desktop"})
        done = await rotation.finish(admin(demo), successor.rotation, secret_is_safe=True)
        assert done.alias == "desktop"
        assert demo.keys[key.hash]["key_alias"] == retired_alias("desktop", key.hash)

    async def test_metadata_that_somebody_adds_meanwhile_stays(self, demo: DemoGateway) -> None:
        """# S10"""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        for hash in (key.hash, successor.hash):
            await keys.update_key(admin(demo), hash, {"metadata": {"added": 2}})
        await rotation.finish(admin(demo), successor.rotation, secret_is_safe=True)
        for hash in (key.hash, successor.hash):
            assert demo.keys[hash]["metadata"]["added"] == 2
            assert demo.keys[hash]["metadata"]["keep"] == 1

    @pytest.mark.parametrize("how", [How.GRACE, How.DELETE])
    async def test_the_new_key_is_taken_back_meanwhile(self, demo: DemoGateway, how: How) -> None:
        """The old key is the one that works, so it is not retired."""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        now = await rotation.confirm(admin(demo), successor.rotation, how, "1h")
        await rotation.undo(admin(demo), now)
        for call in (rotation.confirm(admin(demo), now, how, "1h"), rotation.advance(admin(demo), now)):
            with pytest.raises(rotation.Finished):
                await call
        check_end(demo, key.hash)

    async def test_finished_by_somebody_else(self, demo: DemoGateway) -> None:
        """The note is gone, so the new key is in use and nothing more is done to it."""
        successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
        now = await rotation.confirm(admin(demo), successor.rotation, How.GRACE, "1h")
        done = await rotation.finish(admin(demo), now)
        for call in (rotation.confirm(admin(demo), now, How.DELETE), rotation.advance(admin(demo), now)):
            with pytest.raises(rotation.Finished):
                await call
        check_end(demo, done.hash)

    async def test_the_second_person_makes_nothing(self, demo: DemoGateway) -> None:
        """Told by the records, before the gateway has to refuse."""
        plan = planned(demo, await laptop(demo))
        await rotation.create(admin(demo), plan)
        with pytest.raises(rotation.AlreadyRotating, match="proxy_admin began to rotate"):
            await rotation.create(admin(demo), plan)
        assert sum(call.path == "/key/generate" for call in demo.calls) == 1

    async def test_two_that_the_gateway_let_through(self, demo: DemoGateway) -> None:
        """LiteLLM looks for an alias and writes in two steps; who sees the other gives way."""
        key = await laptop(demo)

        def other(_: httpx.Request) -> None:
            note = {**successor_note, "id": "somebody else"}
            demo.add_key(key_alias=temporary_alias(key.hash), user_id="ada", metadata={NOTE: note})

        successor_note = {"of": key.hash, "step": "created", "alias": "laptop", "by": "bob"}
        demo.intercept("POST", "/key/generate", other, after=True)
        with pytest.raises(rotation.AlreadyRotating, match="bob began to rotate"):
            await rotation.create(admin(demo), planned(demo, key))
        (left,) = successors(demo)
        assert demo.keys[left]["metadata"][NOTE]["by"] == "bob"

    async def test_the_old_key_is_deleted_meanwhile(self, demo: DemoGateway) -> None:
        """Then only the name is left to be handed over."""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        await keys.delete_keys(admin(demo), [key.hash])
        done = await rotation.finish(admin(demo), successor.rotation, secret_is_safe=True)
        check_end(demo, done.hash)


PAST = "2026-01-01T00:00:00.000000Z"
ENDED: list[dict[str, Any]] = [{"expires": PAST}, {"blocked": True}]


class TestSomethingEndsMeanwhile:
    """No way out leaves a person with no working key, and both say so before."""

    async def begun(self, demo: DemoGateway, stop: Step, how: How = How.GRACE) -> tuple[Key, rotation.Unfinished]:
        """The old key, and the rotation of it at `stop`."""
        key = await laptop(demo)
        state = (await rotation.create(admin(demo), planned(demo, key))).rotation
        if stop is not Step.CREATED:
            state = await rotation.confirm(admin(demo), state, how, "1h" if how is How.GRACE else None)
        if stop is Step.RETIRED:
            further = await rotation.advance(admin(demo), state)
            assert isinstance(further, rotation.Unfinished)
            state = further
        assert state.step is stop
        return key, state

    @pytest.mark.parametrize("ended", ENDED, ids=["past its end", "blocked"])
    @pytest.mark.parametrize("how", [How.GRACE, How.DELETE])
    @pytest.mark.parametrize("stop", [Step.CREATED, Step.DELIVERED, Step.RETIRED])
    async def test_the_new_key(self, demo: DemoGateway, ended: dict[str, Any], how: How, stop: Step) -> None:
        """Then the old one stays, and undo is the way."""
        if (stop, how) == (Step.RETIRED, How.DELETE):
            how = How.GRACE
        key, state = await self.begun(demo, stop, how)
        demo.keys[state.new.hash].update(ended)
        (found,) = await listed(demo)
        assert found.finish_does == "The new key has ended or is blocked; undo this rotation."
        before = dict(demo.keys[key.hash])
        with pytest.raises(rotation.NotProved, match="undo this rotation"):
            await rotation.finish(admin(demo), state, secret_is_safe=True, how=how, grace="1h")
        with pytest.raises(rotation.NotProved, match="undo this rotation"):
            # from a list that was read before
            await (
                rotation.confirm(admin(demo), state, how, "1h")
                if stop is Step.CREATED
                else rotation.advance(admin(demo), state)
            )
        assert demo.keys[key.hash] == before
        assert "is deleted; whoever uses it is refused" in found.undo_does
        left = await rotation.undo(admin(demo), found)
        assert left.hash == key.hash
        check_end(demo, key.hash)

    @pytest.mark.parametrize("ended", ENDED, ids=["past its end", "blocked"])
    @pytest.mark.parametrize("stop", [Step.CREATED, Step.DELIVERED])
    async def test_the_old_key(self, demo: DemoGateway, ended: dict[str, Any], stop: Step) -> None:
        """Then the new one stays, and finish is the way."""
        key, state = await self.begun(demo, stop)
        demo.keys[key.hash].update(ended)
        (found,) = await listed(demo)
        assert "finish instead" in found.undo_does
        assert ("delete the new key" in found.undo_does) is (stop is Step.CREATED)
        with pytest.raises(rotation.CannotRotate, match="The old key has ended"):
            await rotation.undo(admin(demo), state)
        assert state.new.hash in demo.keys
        done = await rotation.finish(admin(demo), found, secret_is_safe=True)
        assert (done.hash, done.alias) == (state.new.hash, "laptop")

    async def test_the_retired_key_had_an_end_of_its_own(self, demo: DemoGateway) -> None:
        """Taking it back would not bring it to life; where it had none, it does, even with its grace over."""
        soon = (datetime.now(UTC) + timedelta(minutes=9)).isoformat()
        demo.keys[(await laptop(demo)).hash]["expires"] = soon
        key, state = await self.begun(demo, Step.RETIRED)
        row = demo.keys[key.hash]
        demo.keys[state.new.hash]["expires"] = None
        row["expires"] = row["metadata"][RETIRED]["expires_at"] = PAST
        (found,) = await listed(demo)
        assert "The old key has ended" in found.undo_does
        with pytest.raises(rotation.CannotRotate, match="finish instead"):
            await rotation.undo(admin(demo), state)
        assert state.new.hash in demo.keys
        row["metadata"][RETIRED]["expires_at"] = None
        (found,) = await listed(demo)
        assert "its name and its end back" in found.undo_does
        assert (await rotation.undo(admin(demo), found)).hash == key.hash
        check_end(demo, key.hash)

    async def test_both(self, demo: DemoGateway) -> None:
        """Nothing works any more, so it may be taken back."""
        key, state = await self.begun(demo, Step.DELIVERED)
        for hash in (key.hash, state.new.hash):
            demo.keys[hash]["expires"] = PAST
        assert (await rotation.undo(admin(demo), state)).hash == key.hash
        assert state.new.hash not in demo.keys

    async def test_nobody_has_the_new_secret(self, demo: DemoGateway) -> None:
        """A key that nobody can use is no reason to stay."""
        key, state = await self.begun(demo, Step.CREATED)
        demo.keys[key.hash]["expires"] = PAST
        await rotation.undo(admin(demo), state, secret_is_lost=True)
        assert state.new.hash not in demo.keys


class TestForged:
    """A note is what the owner of a key writes; on 1.74 an internal user makes keys without an owner, too."""

    def ownerless(self, demo: DemoGateway, alias: str, maker: str | None, **more: Any) -> str:
        """A key of nobody's that `maker` made; its hash."""
        secret = demo.add_key(key_alias=alias, user_id=None, created_by=maker, **more)
        return hashlib.sha256(secret.encode()).hexdigest()

    async def every(self, demo: DemoGateway) -> list[rotation.Unfinished]:
        """What an admin sees of everybody."""
        return unfinished(await keys.list_every_key(admin(demo)))

    @pytest.mark.parametrize("maker", ["default_user_id", None])
    async def test_a_key_of_nobodys_leads_to_no_other(self, demo: DemoGateway, maker: str | None) -> None:
        """Another maker, or one that is not known: no pair, and finishing changes nothing."""
        victim = self.ownerless(demo, "prod", maker)
        note = {"of": victim, "step": "delivered", "how": "delete", "alias": "prod", "by": "proxy_admin"}
        forged = self.ownerless(demo, "x", "ada" if maker else None, metadata={NOTE: note})
        assert await self.every(demo) == []
        alone = rotation.Unfinished(Key.model_validate(demo.keys[forged]), None, note_of({NOTE: note}))  # type: ignore[arg-type]
        with pytest.raises(rotation.Finished):
            await rotation.finish(admin(demo), alone, secret_is_safe=True)
        assert demo.keys[victim]["key_alias"] == "prod"

    @pytest.mark.parametrize("way", ["finish", "grace", "undo", "undo retired"])
    @pytest.mark.parametrize("maker", ["default_user_id", "another admin", None])
    async def test_a_real_one_of_nobodys(self, demo: DemoGateway, maker: str | None, way: str) -> None:
        """Whoever made it: where that was another person, the old key names the successor until the end."""
        old = self.ownerless(demo, "prod", maker, metadata={"keep": 1})
        key = await keys.key_info(admin(demo), old)
        assert key is not None
        successor = await rotation.create(admin(demo), planned(demo, key))
        assert ("litellm_tui_successor" in demo.keys[old]["metadata"]) is (maker != "default_user_id")
        (found,) = await self.every(demo)
        if way == "undo retired":
            found = await rotation.confirm(admin(demo), found, How.GRACE, "1h")
            await rotation.advance(admin(demo), found)
            (found,) = await self.every(demo)
            assert found.step is Step.RETIRED
        if way.startswith("undo"):
            assert (await rotation.undo(admin(demo), found)).metadata == {"keep": 1}
            assert (demo.keys[old]["key_alias"], demo.keys[old]["metadata"]) == ("prod", {"keep": 1})
            return
        how = How.GRACE if way == "grace" else How.DELETE
        done = await rotation.finish(admin(demo), found, secret_is_safe=True, how=how, grace="1h")
        assert (done.hash, done.alias, done.metadata["keep"]) == (successor.hash, "prod", 1)
        assert "litellm_tui_successor" not in done.metadata
        assert (old in demo.keys) is (way == "grace")

    async def test_it_cannot_be_written_which_key_is_next(self, demo: DemoGateway) -> None:
        """Then there is no rotation, and no key of it stays."""
        old = self.ownerless(demo, "prod", "another admin")
        key = await keys.key_info(admin(demo), old)
        assert key is not None
        before = set(demo.keys)
        refused = {"error": {"message": "no", "type": "auth_error", "param": None, "code": "403"}}
        demo.intercept("POST", "/key/update", httpx.Response(403, json=refused))
        with pytest.raises(rotation.CannotRotate, match=r"deleted again\. The old key works"):
            await rotation.create(admin(demo), planned(demo, key))
        assert set(demo.keys) == before

    async def test_a_note_about_a_key_that_is_not_there(self, demo: DemoGateway) -> None:
        """Says whose key it is and who made it, believes no other name in it, and hands no free alias out."""
        note = {"of": "0" * 64, "step": "delivered", "how": "delete", "alias": "prod", "by": "proxy_admin"}
        demo.add_key(key_alias="mine", user_id="ada", created_by="eve", metadata={NOTE: note})
        (found,) = await listed(demo)
        assert found.step is Step.OLD_GONE
        assert "proxy_admin" not in found.so
        assert "It belongs to ada and was made by eve." in found.so
        for words in (found.finish_does, found.undo_does):
            assert "The new key, which belongs to ada, keeps the name mine." in words
        assert (await rotation.finish(admin(demo), found)).alias == "mine"

    async def test_the_words_name_who_gets_the_alias(self, demo: DemoGateway) -> None:
        """Where the alias is the one that a successor has."""
        note = {"of": "0" * 64, "step": "delivered", "how": "delete", "alias": "prod"}
        demo.add_key(key_alias=temporary_alias("0" * 64), user_id="ada", metadata={NOTE: note})
        (found,) = await listed(demo)
        assert found.finish_does == "The new key, which belongs to ada, takes the name prod."
        assert (await rotation.finish(admin(demo), found)).alias == "prod"

    @pytest.mark.parametrize("step", ["created", "delivered"])
    @pytest.mark.parametrize("fate", [{"how": "grace", "grace": "1y"}, {"how": "grace"}, {"how": "?", "grace": "1h"}])
    async def test_a_fate_that_cannot_be_read(self, demo: DemoGateway, fate: dict[str, Any], step: str) -> None:
        """Takes no end off the old key and deletes nothing: a person chooses."""
        ends = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        key = await laptop(demo)
        demo.keys[key.hash]["expires"] = ends
        successor = await rotation.create(admin(demo), planned(demo, key))
        noted = demo.keys[successor.hash]["metadata"][NOTE]
        noted.update({"how": None, "grace": None, "step": step, **fate})
        (found,) = await listed(demo)
        assert found.finish_does == "Choose what becomes of the old key."
        before = dict(demo.keys[key.hash])
        for call in (rotation.finish(admin(demo), found, secret_is_safe=True), rotation.advance(admin(demo), found)):
            with pytest.raises(rotation.NotDelivered):
                await call
        assert demo.keys[key.hash] == before
        done = await rotation.finish(admin(demo), found, secret_is_safe=True, how=How.DELETE)
        check_end(demo, done.hash)

    async def test_metadata_that_is_no_mapping(self, demo: DemoGateway) -> None:
        """A change would put ours in its place, so there is none. # S10"""
        key = await laptop(demo)
        successor = await rotation.create(admin(demo), planned(demo, key))
        state = await rotation.confirm(admin(demo), successor.rotation, How.GRACE, "1h")
        text = '{"keep": 1}'

        async def strange(request: httpx.Request) -> httpx.Response | None:
            if request.url.params.get("key") != key.hash:
                return None
            return httpx.Response(200, json={"key": key.hash, "info": {**demo.keys[key.hash], "metadata": text}})

        demo.intercept("GET", "/key/info", strange, times=-1)
        before = dict(demo.keys[key.hash])
        for call in (
            rotation.advance(admin(demo), state),
            rotation.finish(admin(demo), state),
            rotation.create(admin(demo), planned(demo, key)),
        ):
            with pytest.raises(rotation.CannotRotate, match="metadata is not a JSON object"):
                await call
        assert demo.keys[key.hash] == before


class TestDue:
    """Reminders without a server."""

    def key(self, every: Any = "30d", age: Any = 31, **more: Any) -> Key:
        """A key made `age` days before NOW."""
        metadata = {"rotation_interval": every, **more.pop("metadata", {})}
        born = NOW - timedelta(days=age)
        fields = {"hash": "a" * 64, "name": "sk-...9f3Q", "metadata": metadata, "created_at": born, "spend": 1, **more}
        return Key(**fields)

    @pytest.mark.parametrize(
        ("key", "is_due"),
        [
            ({}, True),
            ({"age": 30}, True),
            ({"age": 29.9}, False),
            ({"every": None}, False),
            ({"every": "monthly"}, False),
            ({"every": 30}, False),
            ({"every": None, "rotation_interval": "7d"}, True),
            ({"age": 400, "metadata": {"rotated_at": (NOW - timedelta(days=1)).isoformat()}}, False),
            ({"age": 400, "metadata": {"rotated_at": "?"}}, True),
            ({"metadata": {RETIRED: {"to": "b"}}}, False),
            ({"metadata": {NOTE: {"of": "b"}}}, False),
            ({"created_at": None}, False),
        ],
    )
    def test_when(self, key: dict[str, Any], is_due: bool) -> None:
        """Since the last rotation, else since it was made; never for a retired key."""
        assert due(self.key(**key), NOW) is is_due
        assert (Reason.DUE in state.reasons(self.key(**key), NOW)) is is_due

    def test_it_comes_after_what_ends(self) -> None:
        """An end is more pressing."""
        key = self.key(expires_at=NOW + timedelta(days=2))
        assert state.reasons(key, NOW) == [Reason.EXPIRING, Reason.DUE]

    def test_a_retired_key_needs_nobody(self) -> None:
        """Its end is planned; where it has none, it is looked at."""
        note: dict[str, Any] = {"metadata": {RETIRED: {"to": "b"}}, "blocked": True}
        assert state.reasons(self.key(expires_at=NOW - timedelta(1), **note), NOW) == []
        assert state.reasons(self.key(**note), NOW) == [Reason.BLOCKED]

    async def test_the_wish_survives_the_rotation(self, demo: DemoGateway) -> None:
        """And counts anew."""
        key = await keys.update_key(admin(demo), (await laptop(demo)).hash, {"metadata": {"rotation_interval": "1d"}})
        later = datetime.now(UTC) + timedelta(hours=25)
        assert due(key, later)
        successor = await rotation.create(admin(demo), planned(demo, key))
        assert not due(successor.rotation.new, later)
        done = await rotation.finish(admin(demo), successor.rotation, secret_is_safe=True)
        assert not due(done, datetime.now(UTC))
        assert due(done, later)


async def test_what_the_gateway_makes_otherwise_is_told(demo: DemoGateway) -> None:
    """A rule of the gateway may give every new key limits of its own."""
    real: Callable[..., Awaitable[httpx.Response]] = demo.transport().handle_async_request

    async def stricter(request: httpx.Request) -> httpx.Response:
        await real(request)
        row = next(row for row in demo.keys.values() if str(row["key_alias"]).startswith("rotating-"))
        row["max_budget"], row["expires"] = 1.0, "2027-01-01T00:00:00.000000Z"
        return httpx.Response(200, json={**row, "key": demo.secret_for(row["token"]), "key_name": row["key_name"]})

    demo.intercept("POST", "/key/generate", stricter)
    successor = await rotation.create(admin(demo), planned(demo, await laptop(demo)))
    assert successor.notes == (
        "The gateway did not take over the budget as it is.",
        "The new key ends on 2027-01-01 00:00 UTC, by a rule of the gateway.",
    )
