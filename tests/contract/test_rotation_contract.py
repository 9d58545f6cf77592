"""Rotation on every gateway: what the successor is, what becomes of the old key, and each way out of each step."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Stand
from tui.gateway import keys, rotation
from tui.gateway.capabilities import USER, Rights
from tui.gateway.client import Client
from tui.gateway.errors import GatewayError, Unauthorized
from tui.gateway.rotation import How, Plan, Step, Successor, Unfinished
from tui.gateway.rotation_records import NOTE, RETIRED, retired, retired_alias, temporary_alias
from tui.gateway.schema import Key, NewKey

TAKEN_OVER = {
    "user_id",
    "team_id",
    "models",
    "spend",
    "max_budget",
    "budget_duration",
    "tpm_limit",
    "rpm_limit",
    "max_parallel_requests",
    "allowed_routes",
    "blocked",
}


async def the_key(gateway: Stand, hash: str) -> Key:
    """The record as it is now."""
    found = await keys.key_info(gateway.admin, hash)
    assert found is not None
    return found


def planned(gateway: Stand, key: Key, rights: Rights | None = None, **more: Any) -> Plan:
    """A plan as an admin, by default."""
    rights = rights or Rights(server=gateway.server)
    return rotation.plan(key, rights=rights, now=datetime.now(UTC), **more)


async def made(gateway: Stand, client: Client | None = None, **fields: Any) -> tuple[NewKey, Plan, Successor, str]:
    """A key with `fields` and a successor of it, proved; and the user's id."""
    user_id = await gateway.user()
    old = await gateway.key(user_id, **fields)
    plan = planned(gateway, await the_key(gateway, old.hash))
    successor = await rotation.create(client or gateway.admin, plan)
    await rotation.prove(gateway.client, successor)
    return old, plan, successor, user_id


async def works(gateway: Stand, secret: str) -> bool:
    """Whether a chat completion is answered."""
    try:
        await gateway.client(secret).post(
            "/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        )
    except Unauthorized:
        return False
    return True


async def live_under(gateway: Stand, user_id: str, alias: str | None) -> list[str]:
    """Hashes of the keys of `user_id` that work and have that alias; and no other key may be there but retired ones."""
    found = await keys.list_keys(gateway.admin, user_id)
    assert not rotation.unfinished(found)
    others = [key for key in found if key.alias != alias]
    assert all(retired(key) and key.expires_at for key in others), [key.alias for key in others]
    return [key.hash for key in found if key.alias == alias]


async def walk(client: Client, state: Unfinished, steps: int) -> Unfinished:
    """So many steps further."""
    for _ in range(steps):
        further = await rotation.advance(client, state)
        assert isinstance(further, Unfinished)
        state = further
    return state


class TestSuccessor:
    """What is copied."""

    async def test_it_equals_the_old_key(self, gateway: Stand) -> None:
        """Owner, models, limits, budget, spend, routes, metadata, what stands in no list, and the end."""
        old, _, successor, _ = await made(
            gateway,
            models=["gpt-4o"],
            max_budget=5,
            budget_duration="30d",
            spend=1.25,
            duration="30d",
            tpm_limit=1000,
            rpm_limit=10,
            max_parallel_requests=3,
            aliases={"fast": "gpt-4o"},
            permissions={"pii": True},
            allowed_cache_controls=["no-cache"],
            metadata={"project": "x", "nested": {"a": [1]}, "rotation_interval": "90d"},
        )
        was, now = await the_key(gateway, old.hash), await the_key(gateway, successor.hash)
        assert now.model_dump(include=TAKEN_OVER) == was.model_dump(include=TAKEN_OVER)
        assert (was.spend, was.max_budget, was.models) == (1.25, 5.0, ["gpt-4o"])
        assert {name: value for name, value in now.metadata.items() if name != NOTE} == was.metadata
        assert was.expires_at is not None
        assert now.expires_at is not None
        assert abs(now.expires_at - was.expires_at) < timedelta(seconds=3)
        raw = [(await gateway.admin.get("/key/info", {"key": hash}))["info"] for hash in (old.hash, successor.hash)]
        for name in ("aliases", "permissions", "allowed_cache_controls"):
            assert raw[0][name], name
            assert raw[0][name] == raw[1][name], name
        assert successor.secret not in repr(successor)
        assert successor.notes == ()

    async def test_in_a_team(self, gateway: Stand) -> None:
        """The team comes along."""
        team_id = await gateway.team(models=["gpt-4o"])
        old = await gateway.key(None, team_id=team_id, models=["gpt-4o"])
        was = await the_key(gateway, old.hash)
        successor = await rotation.create(gateway.admin, planned(gateway, was))
        assert (await the_key(gateway, successor.hash)).team_id == team_id
        done = await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True, how=How.DELETE)
        assert [key.hash for key in await keys.list_every_key(gateway.admin, team_id=team_id)] == [done.hash]
        assert done.alias == was.alias

    @pytest.mark.parametrize("kind", ["llm_api", "read_only", "management", "default"])
    async def test_what_it_may_call_stays(self, gateway: Stand, kind: str) -> None:
        """And each kind of key can be proved."""
        old, _, successor, _ = await made(gateway, key_type=kind)
        was, now = await the_key(gateway, old.hash), await the_key(gateway, successor.hash)
        assert (now.allowed_routes, now.key_type) == (was.allowed_routes, was.key_type)

    async def test_over_its_budget(self, gateway: Stand) -> None:
        """No way around a budget; the new key is refused as the old one was, and proved all the same."""
        _, plan, successor, _ = await made(gateway, max_budget=1, spend=2)
        assert any("used up" in line for line in plan.warnings)
        assert (await the_key(gateway, successor.hash)).spend == 2.0
        with pytest.raises(GatewayError) as refused:
            await works(gateway, successor.secret)
        assert refused.value.type == "budget_exceeded"

    async def test_blocked(self, gateway: Stand) -> None:
        """No way around a block."""
        _, plan, successor, _ = await made(gateway, blocked=True)
        assert any("blocked" in line for line in plan.warnings)
        assert (await the_key(gateway, successor.hash)).blocked
        assert not await works(gateway, successor.secret)

    async def test_past_its_end(self, gateway: Stand) -> None:
        """A new end is asked for, and then it is rotated."""
        user_id = await gateway.user()
        old = await gateway.key(user_id, duration="0s")
        key = await the_key(gateway, old.hash)
        assert "another end" in (planned(gateway, key).problem or "")
        plan = planned(gateway, key, life="30d")
        assert plan.problem is None
        successor = await rotation.create(gateway.admin, plan)
        assert await works(gateway, successor.secret)
        done = await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True)
        assert await live_under(gateway, user_id, gateway.name("key")) == [done.hash]

    async def test_a_key_that_is_unknown_is_not_proved(self, gateway: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        """What proves must be able to fail."""
        monkeypatch.setattr(rotation, "NOT_YET_KNOWN", (0.0,))
        _, _, successor, _ = await made(gateway)
        await keys.delete_keys(gateway.admin, [successor.hash])
        with pytest.raises(rotation.NotProved):
            await rotation.prove(gateway.client, successor)


class TestToTheEnd:
    """The three fates of the old key."""

    async def test_with_grace(self, gateway: Stand) -> None:
        """The old key gives its name away and ends by itself; the note is gone."""
        old, _, successor, user_id = await made(gateway, metadata={"keep": 1})
        state = await rotation.confirm(gateway.admin, successor.rotation, How.GRACE, "1h")
        assert (state.step, await works(gateway, old.secret)) == (Step.DELIVERED, True)
        state = await walk(gateway.admin, state, 1)
        assert (state.step, await works(gateway, old.secret)) == (Step.RETIRED, True)
        done = await rotation.advance(gateway.admin, state)
        assert isinstance(done, Key)
        assert (done.hash, done.alias, done.expires_at) == (successor.hash, gateway.name("key"), None)
        assert set(done.metadata) == {"keep", "rotated_from", "rotated_at"}
        assert done.metadata["rotated_from"] == old.hash
        was = await the_key(gateway, old.hash)
        assert was.alias == retired_alias(gateway.name("key"), old.hash)
        assert was.expires_at is not None
        assert timedelta(minutes=59) < was.expires_at - datetime.now(UTC) < timedelta(minutes=61)
        assert await live_under(gateway, user_id, gateway.name("key")) == [successor.hash]
        assert (await works(gateway, old.secret), await works(gateway, successor.secret)) == (True, True)

    async def test_an_earlier_end_stays(self, gateway: Stand) -> None:
        """Grace makes no key live longer."""
        old, _, successor, _ = await made(gateway, duration="1h")
        before = (await the_key(gateway, old.hash)).expires_at
        await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True, how=How.GRACE, grace="24h")
        assert (await the_key(gateway, old.hash)).expires_at == before

    async def test_deleted_at_once(self, gateway: Stand) -> None:
        """Only the new one is left."""
        old, _, successor, user_id = await made(gateway)
        state = await rotation.confirm(gateway.admin, successor.rotation, How.DELETE)
        state = await walk(gateway.admin, state, 1)
        assert (state.step, await works(gateway, old.secret)) == (Step.OLD_GONE, False)
        assert await works(gateway, successor.secret)
        await rotation.advance(gateway.admin, state)
        assert await live_under(gateway, user_id, gateway.name("key")) == [successor.hash]
        assert await keys.key_info(gateway.admin, old.hash) is None

    async def test_kept(self, gateway: Stand) -> None:
        """Both stay, it stays listed, and can be finished later."""
        old, _, successor, user_id = await made(gateway)
        await rotation.confirm(gateway.admin, successor.rotation, How.KEEP)
        (found,) = rotation.unfinished(await keys.list_keys(gateway.admin, user_id))
        assert found.step is Step.KEPT
        assert (await works(gateway, old.secret), await works(gateway, successor.secret)) == (True, True)
        done = await rotation.finish(gateway.admin, found)
        assert await live_under(gateway, user_id, gateway.name("key")) == [done.hash] == [successor.hash]

    async def test_without_a_name(self, gateway: Stand) -> None:
        """The new key ends without one, too."""
        old, _, successor, user_id = await made(gateway, key_alias=None)
        assert successor.alias == temporary_alias(old.hash)
        done = await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True, how=How.DELETE)
        assert done.alias is None
        assert await live_under(gateway, user_id, None) == [successor.hash]

    async def test_again_and_again(self, gateway: Stand) -> None:
        """The successor of a successor."""
        _, _, successor, user_id = await made(gateway)
        for grace in ("1h", "2h"):
            done = await rotation.finish(
                gateway.admin, successor.rotation, secret_is_safe=True, how=How.GRACE, grace=grace
            )
            successor = await rotation.create(gateway.admin, planned(gateway, done))
        await rotation.undo(gateway.admin, successor.rotation)
        assert await live_under(gateway, user_id, gateway.name("key")) == [done.hash]

    async def test_the_name_is_taken_meanwhile(self, gateway: Stand) -> None:
        """It is told, and another name does."""
        _, _, successor, user_id = await made(gateway)
        state = await rotation.confirm(gateway.admin, successor.rotation, How.DELETE)
        state = await walk(gateway.admin, state, 1)
        thief = await gateway.key(user_id)
        with pytest.raises(rotation.AliasTaken, match="took the name"):
            await rotation.advance(gateway.admin, state)
        done = await rotation.finish(gateway.admin, state, alias=gateway.name("other"))
        assert (done.hash, done.alias) == (successor.hash, gateway.name("other"))
        assert (await the_key(gateway, thief.hash)).alias == gateway.name("key")


STOPS: list[tuple[str, How, int]] = [
    ("created", How.DELETE, -1),
    ("delivered, to be deleted", How.DELETE, 0),
    ("old key deleted", How.DELETE, 1),
    ("delivered, with grace", How.GRACE, 0),
    ("old key retired", How.GRACE, 1),
    ("kept", How.KEEP, 0),
]


@pytest.mark.parametrize(("how", "steps"), [stop[1:] for stop in STOPS], ids=[stop[0] for stop in STOPS])
@pytest.mark.parametrize("way", ["finish", "undo"])
class TestAbandoned:
    """A process that dies between two steps."""

    async def test_another_one_goes_on(self, gateway: Stand, how: How, steps: int, way: str) -> None:
        """It is listed with words, and both ways end with one live key under the name and no orphan."""
        user_id = await gateway.user()
        old = await gateway.key(user_id, duration="60d")
        before = await the_key(gateway, old.hash)
        successor = await rotation.create(gateway.admin, planned(gateway, before))
        if steps >= 0:
            grace = "1h" if how is How.GRACE else None
            await walk(gateway.admin, await rotation.confirm(gateway.admin, successor.rotation, how, grace), steps)

        fresh = gateway.client()
        (found,) = rotation.unfinished(await keys.list_keys(fresh, user_id))
        assert (found.new.hash, found.label) == (successor.hash, gateway.name("key"))
        assert all(words.endswith(".") for words in (found.so, found.finish_does, found.undo_does))
        left = await (
            rotation.finish(fresh, found, secret_is_safe=found.needs_secret)
            if way == "finish"
            else rotation.undo(fresh, found)
        )

        assert await live_under(gateway, user_id, gateway.name("key")) == [left.hash]
        gone = found.step is Step.OLD_GONE
        assert left.hash == (successor.hash if way == "finish" or gone else old.hash)
        assert await works(gateway, successor.secret if left.hash == successor.hash else old.secret)
        now = await the_key(gateway, left.hash)
        assert NOTE not in now.metadata
        assert RETIRED not in now.metadata
        assert now.expires_at is not None
        assert before.expires_at is not None
        assert abs(now.expires_at - before.expires_at) < timedelta(seconds=3)
        with pytest.raises(rotation.Finished):
            await (rotation.finish if way == "finish" else rotation.undo)(fresh, found)
        assert await live_under(gateway, user_id, gateway.name("key")) == [left.hash]


async def test_undo_gives_a_key_its_endless_life_back(gateway: Stand) -> None:
    """1.74 cannot take an end off again; there it is a hundred years."""
    old, _, successor, user_id = await made(gateway)
    state = await rotation.confirm(gateway.admin, successor.rotation, How.GRACE, "90s")
    await walk(gateway.admin, state, 1)
    left = await rotation.undo(gateway.admin, state)
    assert left.hash == old.hash
    if gateway.server.clears_expiry:
        assert left.expires_at is None
    elif left.expires_at is not None:
        assert left.expires_at - datetime.now(UTC) > timedelta(days=36_000)
    assert await live_under(gateway, user_id, gateway.name("key")) == [old.hash]


async def test_nothing_is_retired_without_a_word(gateway: Stand) -> None:
    """A secret that was never delivered leads to no lost key."""
    old, _, successor, _ = await made(gateway)
    with pytest.raises(rotation.NotDelivered):
        await rotation.advance(gateway.admin, successor.rotation)
    with pytest.raises(rotation.NotDelivered):
        await rotation.finish(gateway.admin, successor.rotation)
    assert await works(gateway, old.secret)


class TestTwoPeople:
    """One key, two who rotate it."""

    async def test_the_second_is_told(self, gateway: Stand) -> None:
        """And nothing is made twice."""
        _, plan, successor, user_id = await made(gateway)
        with pytest.raises(rotation.AlreadyRotating, match="began to rotate") as told:
            await rotation.create(gateway.client(), plan)
        assert told.value.rotation is not None
        assert told.value.rotation.new.hash == successor.hash
        assert len(await keys.list_keys(gateway.admin, user_id)) == 2

    async def test_at_the_same_moment(self, gateway: Stand) -> None:
        """At most one gets through, whatever the gateway's own check lets pass."""
        user_id = await gateway.user()
        old = await gateway.key(user_id)
        plan = planned(gateway, await the_key(gateway, old.hash))
        ends = await asyncio.gather(
            *(rotation.create(gateway.client(), plan) for _ in range(3)), return_exceptions=True
        )
        through = [end for end in ends if isinstance(end, Successor)]
        refused = [end for end in ends if not isinstance(end, Successor)]
        assert len(through) <= 1
        assert all(isinstance(end, rotation.AlreadyRotating) for end in refused), refused
        assert len(await keys.list_keys(gateway.admin, user_id)) == 1 + len(through)

    async def test_one_finishes_and_the_other_holds_an_old_list(self, gateway: Stand) -> None:
        """Neither a second rotation of the retired key nor an undo of what is in use."""
        _, plan, successor, user_id = await made(gateway)
        done = await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True, how=How.GRACE, grace="1h")
        with pytest.raises(rotation.CannotRotate, match="meanwhile"):
            await rotation.create(gateway.admin, plan)
        with pytest.raises(rotation.Finished):
            await rotation.undo(gateway.admin, successor.rotation)
        assert await live_under(gateway, user_id, gateway.name("key")) == [done.hash]


class TestOwnKey:
    """An internal user."""

    async def session(self, gateway: Stand) -> tuple[str, str, Client, Rights]:
        """A user, their session's secret, client and rights; an admin made the key."""
        user_id = await gateway.user()
        secret = (await gateway.key(user_id, "session")).secret
        return user_id, secret, gateway.client(secret), Rights(role=USER, user_id=user_id, server=gateway.server)

    async def test_issued_by_an_admin(self, gateway: Stand) -> None:
        """Recent releases refuse the update, so grace is not offered; deleting it works, and so does the rotation."""
        user_id, _, client, rights = await self.session(gateway)
        old = await gateway.key(user_id, max_budget=5, spend=1)
        plan = planned(gateway, await the_key(gateway, old.hash), rights)
        if gateway.server.at_least(1, 84):
            assert (plan.choices, plan.how) == ((How.DELETE, How.KEEP), How.KEEP)
            assert "admin" in (plan.why_not or "")
        successor = await rotation.create(client, plan)
        await rotation.prove(gateway.client, successor)
        assert successor.notes == ()
        if gateway.server.at_least(1, 84):
            state = await rotation.confirm(client, successor.rotation, How.GRACE, "1h")
            with pytest.raises(rotation.MayNotChange):
                await rotation.advance(client, state)
            assert await works(gateway, old.secret)
        done = await rotation.finish(client, successor.rotation, secret_is_safe=True, how=How.DELETE)
        assert (done.alias, done.spend, done.user_id) == (gateway.name("key"), 1.0, user_id)
        assert await keys.key_info(gateway.admin, old.hash) is None
        assert (await works(gateway, old.secret), await works(gateway, successor.secret)) == (False, True)

    async def test_the_one_that_the_session_calls_with(self, gateway: Stand) -> None:
        """It is told, the session does not saw off its branch, and goes on with the new secret."""
        user_id, secret, client, rights = await self.session(gateway)
        own = await keys.own_key(client)
        assert own is not None
        plan = planned(gateway, own, rights, grace="0", session_hash=own.hash)
        assert plan.own
        assert "This session uses this key" in plan.warnings[0]
        successor = await rotation.create(client, plan)
        await rotation.prove(gateway.client, successor)
        state = await rotation.confirm(client, successor.rotation, How.DELETE)
        with pytest.raises(rotation.CannotRotate, match="calls with"):
            await rotation.advance(client, state)
        assert await works(gateway, secret)
        done = await rotation.finish(gateway.client(successor.secret), state)
        assert await live_under(gateway, user_id, gateway.name("session")) == [done.hash] == [successor.hash]
        assert not await works(gateway, secret)

    async def test_a_forged_note_deletes_nobody_elses_key(self, gateway: Stand) -> None:
        """Metadata is what any owner writes; an admin who finishes what is listed must not be led by it."""
        victim = await gateway.key(await gateway.user("victim"), "victim")
        note = {"of": victim.hash, "step": "delivered", "how": "delete", "alias": gateway.name("victim")}
        forged = await gateway.key(await gateway.user("thief"), "forged", metadata={NOTE: note})
        found = [await the_key(gateway, hash) for hash in (victim.hash, forged.hash)]
        assert rotation.unfinished(found) == []
        (alone,) = rotation.unfinished(found[1:])
        with pytest.raises(rotation.Finished):
            await rotation.finish(gateway.admin, alone, secret_is_safe=True, how=How.DELETE)
        assert await works(gateway, victim.secret)

    async def test_a_forged_note_on_a_key_of_nobodys(self, gateway: Stand) -> None:
        """1.74 lets an internal user make keys without an owner; who made one tells them apart."""
        user_id = await gateway.user()
        session = await gateway.key(user_id, "session")
        victim = await gateway.key(None, "victim")
        note = {"of": victim.hash, "step": "delivered", "how": "delete", "alias": gateway.name("victim")}
        client = gateway.client(session.secret)
        fields = {"key_alias": gateway.name("forged"), "metadata": {NOTE: note}}
        forged = NewKey.model_validate(await client.post("/key/generate", fields))
        try:
            found = [await the_key(gateway, hash) for hash in (victim.hash, forged.hash)]
            assert found[1].created_by == user_id
            assert rotation.unfinished(found) == []
            (alone,) = rotation.unfinished(found[1:])
            with pytest.raises(rotation.Finished):
                await rotation.finish(gateway.admin, alone, secret_is_safe=True, how=How.DELETE)
            assert await works(gateway, victim.secret)
        finally:
            await keys.delete_keys(gateway.admin, [forged.hash])


class TestEnds:
    """No way out takes the last key that works."""

    async def test_the_new_key_has_ended(self, gateway: Stand) -> None:
        """The old one is not retired for it."""
        old = await gateway.key(await gateway.user())
        plan = planned(gateway, await the_key(gateway, old.hash), life="1s")
        successor = await rotation.create(gateway.admin, plan)
        ends = (await the_key(gateway, successor.hash)).expires_at
        assert ends is not None
        await asyncio.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.05)
        with pytest.raises(rotation.NotProved, match="undo this rotation"):
            await rotation.finish(gateway.admin, successor.rotation, secret_is_safe=True, how=How.DELETE)
        assert await works(gateway, old.secret)
        assert (await rotation.undo(gateway.admin, successor.rotation)).hash == old.hash

    async def test_the_old_key_has_ended(self, gateway: Stand) -> None:
        """The new one is not deleted for it."""
        old = await gateway.key(await gateway.user(), duration="0s")
        plan = planned(gateway, await the_key(gateway, old.hash), life="30d")
        successor = await rotation.create(gateway.admin, plan)
        state = await rotation.confirm(gateway.admin, successor.rotation, How.DELETE)
        with pytest.raises(rotation.CannotRotate, match="finish instead"):
            await rotation.undo(gateway.admin, state)
        assert await works(gateway, successor.secret)

    async def test_another_admin_rotates_a_key_of_nobodys(self, gateway: Stand) -> None:
        """And either of the two finishes it."""
        boss = await gateway.user("boss", user_role="proxy_admin")
        client = gateway.client((await gateway.key(boss, "boss")).secret)
        old = await gateway.key(None, metadata={"keep": 1})
        was = await the_key(gateway, old.hash)
        successor = await rotation.create(client, planned(gateway, was))
        now = [await the_key(gateway, hash) for hash in (old.hash, successor.hash)]
        if now[1].user_id is None:
            assert now[0].created_by != now[1].created_by
        (found,) = rotation.unfinished(now)
        done = await rotation.finish(gateway.admin, found, secret_is_safe=True, how=How.DELETE)
        assert (done.hash, done.alias, done.metadata["keep"]) == (successor.hash, was.alias, 1)
