"""Virtual keys on every gateway (S7-S12)."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Stand
from tui.gateway import keys
from tui.gateway.errors import GatewayError, Invalid, NotFound, ServerFailed
from tui.gateway.schema import Key


async def the_key(gateway: Stand, hash: str) -> Key:
    """The record as it is now."""
    found = await keys.key_info(gateway.admin, hash)
    assert found is not None
    return found


class TestGenerate:
    """S9."""

    async def test_what_is_asked_for_is_what_the_key_has(self, gateway: Stand) -> None:
        """# S8 S9"""
        user_id = await gateway.user()
        before = datetime.now(UTC)
        made = await gateway.key(
            user_id, models=["gpt-4o"], max_budget=5, budget_duration="30d", duration="30d", tpm_limit=10, rpm_limit=3
        )
        key = await the_key(gateway, made.hash)
        assert made.secret.startswith("sk-")
        assert made.secret not in repr(made)
        assert (key.alias, key.user_id, key.models) == (gateway.name("key"), user_id, ["gpt-4o"])
        assert (key.max_budget, key.budget_duration, key.spend) == (5.0, "30d", 0.0)
        assert (key.tpm_limit, key.rpm_limit, key.blocked) == (10, 3, False)
        assert key.name == f"sk-...{made.secret[-4:]}"
        assert key.expires_at is not None
        assert timedelta(days=29) < key.expires_at - before < timedelta(days=32)
        assert key.budget_reset_at is not None

    async def test_what_is_not_asked_for_is_absent_and_not_0(self, gateway: Stand) -> None:
        """# S8"""
        key = await the_key(gateway, (await gateway.key(await gateway.user())).hash)
        assert (key.max_budget, key.tpm_limit, key.rpm_limit, key.expires_at, key.team_id) == (None,) * 5
        assert (key.models, key.budget_duration, key.budget_reset_at) == ([], None, None)

    async def test_a_blank_alias_is_no_alias(self, gateway: Stand) -> None:
        """# S9: aliases are unique, and a second "" would be refused"""
        user_id = await gateway.user()
        made = [await gateway.key(user_id, key_alias=alias) for alias in ("", "   ", None)]
        found = await keys.list_keys(gateway.admin, user_id)
        assert {key.hash for key in found} == {new.hash for new in made}
        assert {key.alias for key in found} == {None}
        assert {key.label for key in found} == {key.name for key in found}

    async def test_an_alias_that_is_taken_is_refused_at_its_field(self, gateway: Stand) -> None:
        """# S2 S40"""
        user_id = await gateway.user()
        await gateway.key(user_id)
        with pytest.raises(Invalid) as refused:
            await gateway.key(user_id)
        assert (refused.value.status, refused.value.param) == (400, "key_alias")
        assert len(await keys.list_keys(gateway.admin, user_id)) == 1

    async def test_a_duration_that_litellm_does_not_know(self, gateway: Stand) -> None:
        """# S40"""
        user_id = await gateway.user()
        with pytest.raises((ServerFailed, Invalid), match=r"(?i)duration"):
            await gateway.key(user_id, duration="1y")
        assert await keys.list_keys(gateway.admin, user_id) == []

    async def test_a_wrong_type_is_refused_at_its_field(self, gateway: Stand) -> None:
        """# S2: FastAPI's own shape"""
        with pytest.raises(Invalid) as refused:
            await gateway.key(await gateway.user(), tpm_limit="many")
        assert (refused.value.status, refused.value.param) == (422, "tpm_limit")

    async def test_a_user_makes_a_key_that_is_theirs(self, gateway: Stand) -> None:
        """# S9: 1.74 leaves it ownerless where no user_id is sent"""
        user_id = await gateway.user()
        own = gateway.client((await gateway.key(user_id, "session")).secret)
        made = await keys.generate_key(own, {"key_alias": gateway.name("mine"), "user_id": user_id})
        key = await the_key(gateway, made.hash)
        assert (key.user_id, key.created_by) == (user_id, user_id)

    async def test_key_types(self, gateway: Stand) -> None:
        """# S40"""
        key = await the_key(gateway, (await gateway.key(await gateway.user(), key_type="llm_api")).hash)
        assert key.allowed_routes == (["llm_api_routes"] if gateway.server.key_types else [])


class TestList:
    """S7."""

    async def test_every_page_is_followed(self, gateway: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S7: newest first, whatever the pages' order is"""
        monkeypatch.setattr(keys, "PAGE", 2)
        user_id = await gateway.user()
        made = [(await gateway.key(user_id, f"key{number}")).hash for number in range(5)]
        found = await keys.list_keys(gateway.admin, user_id)
        assert sorted(key.hash for key in found) == sorted(made)
        born = [key.created_at for key in found if key.created_at]
        assert len(born) == 5
        assert born == sorted(born, reverse=True)

    async def test_nobody_has_no_keys(self, gateway: Stand) -> None:
        """# S7"""
        assert await keys.list_keys(gateway.admin, gateway.name("nobody")) == []

    async def test_keys_of_another_user_are_not_in_it(self, gateway: Stand) -> None:
        """# S7: ids are no patterns"""
        one, two = await gateway.user("ada"), await gateway.user("adam")
        made = await gateway.key(one, "one")
        await gateway.key(two, "two")
        assert [key.hash for key in await keys.list_keys(gateway.admin, one)] == [made.hash]

    async def test_a_user_sees_their_own(self, gateway: Stand) -> None:
        """# S7"""
        user_id = await gateway.user()
        made = await gateway.key(user_id)
        await gateway.key(await gateway.user("other"), "other")
        own = gateway.client(made.secret)
        assert [key.hash for key in await keys.list_keys(own, user_id)] == [made.hash]
        assert (await keys.key_info(own, made.hash)) is not None

    async def test_keys_of_a_team(self, gateway: Stand) -> None:
        """# S8"""
        team_id = await gateway.team()
        made = await gateway.key(None, team_id=team_id)
        assert [(key.hash, key.team_id) for key in await keys.list_every_key(gateway.admin, team_id=team_id)] == [
            (made.hash, team_id)
        ]

    async def test_the_own_record(self, gateway: Stand) -> None:
        """# S12 S38"""
        made = await gateway.key(await gateway.user())
        own = await keys.own_key(gateway.client(made.secret))
        assert own is not None
        assert (own.hash, own.alias) == (made.hash, gateway.name("key"))
        assert await keys.own_key(gateway.admin) is None


class TestUpdate:
    """S10."""

    async def test_only_what_is_named_changes(self, gateway: Stand) -> None:
        """# S10"""
        made = await gateway.key(await gateway.user(), max_budget=5, tpm_limit=10, models=["gpt-4o"])
        before = await the_key(gateway, made.hash)
        after = await keys.update_key(gateway.admin, made.hash, {"max_budget": 9})
        assert after.max_budget == 9.0
        kept = {"alias", "user_id", "models", "tpm_limit", "rpm_limit", "expires_at", "metadata", "blocked"}
        assert after.model_dump(include=kept) == before.model_dump(include=kept)

    async def test_limits_are_cleared_with_none(self, gateway: Stand) -> None:
        """# S10"""
        made = await gateway.key(await gateway.user(), max_budget=5, tpm_limit=10, rpm_limit=3)
        after = await keys.update_key(gateway.admin, made.hash, {"max_budget": None, "tpm_limit": None})
        assert (after.max_budget, after.tpm_limit, after.rpm_limit) == (None, None, 3)

    async def test_metadata_is_merged_and_not_replaced(self, gateway: Stand) -> None:
        """# S10: LiteLLM itself replaces it"""
        made = await gateway.key(await gateway.user(), metadata={"keep": 1, "drop": 2, "change": 3})
        after = await keys.update_key(gateway.admin, made.hash, {"metadata": {"drop": None, "change": 4, "add": 5}})
        assert {name: after.metadata.get(name) for name in ("keep", "drop", "change", "add")} == {
            "keep": 1,
            "drop": None,
            "change": 4,
            "add": 5,
        }
        assert "drop" not in after.metadata

    async def test_an_expiry_is_set_and_taken_off(self, gateway: Stand) -> None:
        """# S10 S40"""
        made = await gateway.key(await gateway.user())
        after = await keys.update_key(gateway.admin, made.hash, {"duration": "7d"})
        assert after.expires_at is not None
        assert timedelta(days=6) < after.expires_at - datetime.now(UTC) < timedelta(days=9)
        if gateway.server.clears_expiry:
            after = await keys.update_key(gateway.admin, made.hash, {"duration": "-1"})
            assert after.expires_at is None

    async def test_a_taken_alias_is_refused(self, gateway: Stand) -> None:
        """# S2"""
        user_id = await gateway.user()
        await gateway.key(user_id, "first")
        made = await gateway.key(user_id, "second")
        with pytest.raises(GatewayError) as refused:
            await keys.update_key(gateway.admin, made.hash, {"key_alias": gateway.name("first")})
        assert refused.value.param == "key_alias"
        assert (await the_key(gateway, made.hash)).alias == gateway.name("second")

    async def test_a_key_that_is_gone(self, gateway: Stand) -> None:
        """# S10 S15"""
        made = await gateway.key(await gateway.user())
        await keys.delete_keys(gateway.admin, [made.hash])
        with pytest.raises(NotFound):
            await keys.update_key(gateway.admin, made.hash, {"metadata": {"a": 1}})
        with pytest.raises(NotFound):
            await keys.update_key(gateway.admin, made.hash, {"tpm_limit": 1})


async def test_block_and_unblock(gateway: Stand) -> None:
    """# S43"""
    made = await gateway.key(await gateway.user())
    await keys.block_key(gateway.admin, made.hash)
    assert (await the_key(gateway, made.hash)).blocked
    await keys.unblock_key(gateway.admin, made.hash)
    assert not (await the_key(gateway, made.hash)).blocked


async def test_spend_is_reset(gateway: Stand) -> None:
    """# S43"""
    made = await gateway.key(await gateway.user(), spend=3.5, max_budget=5)
    assert (await the_key(gateway, made.hash)).spend == 3.5
    await keys.reset_spend(gateway.admin, made.hash)
    key = await the_key(gateway, made.hash)
    assert (key.spend, key.max_budget) == (0.0, 5.0)


class TestDelete:
    """S11."""

    async def test_gone_is_read_back(self, gateway: Stand) -> None:
        """# S11"""
        user_id = await gateway.user()
        made = [await gateway.key(user_id, f"key{number}") for number in range(3)]
        left = await keys.delete_keys(gateway.admin, [made[0].hash, made[1].hash])
        assert left == []
        assert [key.hash for key in await keys.list_keys(gateway.admin, user_id)] == [made[2].hash]
        assert await keys.key_info(gateway.admin, made[0].hash) is None

    async def test_what_is_gone_already_is_no_failure(self, gateway: Stand) -> None:
        """# S11: two people, one key"""
        made = await gateway.key(await gateway.user())
        await keys.delete_keys(gateway.admin, [made.hash])
        assert await keys.delete_keys(gateway.admin, [made.hash]) == []
        assert await keys.delete_keys(gateway.admin, []) == []

    async def test_a_user_deletes_a_key_that_an_admin_made(self, gateway: Stand) -> None:
        """# S44"""
        user_id = await gateway.user()
        own = gateway.client((await gateway.key(user_id, "session")).secret)
        issued = await gateway.key(user_id, "issued")
        assert await keys.delete_keys(own, [issued.hash]) == []
        assert await keys.key_info(gateway.admin, issued.hash) is None
