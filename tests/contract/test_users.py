"""Users and their provisioning, on every gateway (S4-S6, S31-S38)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Stand
from tui import startup
from tui.config import Settings
from tui.gateway import keys, users
from tui.gateway.client import Client
from tui.gateway.errors import Conflict, GatewayError, Invalid
from tui.gateway.provisioning import Grant, NotProvisioned, Person, ProvisioningFailed, ensure_user

GRANT = Grant(max_budget=7.5, budget_duration="7d", models=["gpt-4o"], tpm_limit=1000, metadata={"team": "red"})


async def test_a_missing_user_is_none(gateway: Stand) -> None:
    """# S4: 1.74.0 answers 200 for it"""
    assert await users.user_info(gateway.admin, gateway.name("nobody")) is None


async def test_a_user_is_read_with_all_that_was_set(gateway: Stand) -> None:
    """# S4 S6"""
    email = f"{gateway.mark}@example.com"
    user_id = await gateway.user(user_email=email, user_alias="Ada", max_budget=3, models=["gpt-4o"])
    user = await users.user_info(gateway.admin, user_id)
    assert user is not None
    assert (user.user_id, user.email, user.alias, user.max_budget) == (user_id, email, "Ada", 3.0)
    assert (user.models, user.spend, user.tpm_limit) == (["gpt-4o"], 0.0, None)


async def test_a_second_creation_is_refused_and_changes_nothing(gateway: Stand) -> None:
    """# S6 S35: 1.74 changes nothing either, and says that all went well"""
    user_id = await gateway.user(max_budget=3)
    again = {"user_id": user_id, "max_budget": 99, "auto_create_key": False}
    if gateway.server.at_least(1, 83):
        with pytest.raises(Conflict):
            await users.create_user(gateway.admin, again)
    else:
        await users.create_user(gateway.admin, again)
    user = await users.user_info(gateway.admin, user_id)
    assert user is not None
    assert user.max_budget == 3.0


async def test_creation_by_someone_who_may_not_is_a_refusal_of_the_profiles_key(gateway: Stand) -> None:
    """# S36"""
    made = await gateway.key(await gateway.user("plain"))
    nobody = gateway.own(gateway.name("new"))
    with pytest.raises(GatewayError) as refused:
        await ensure_user(gateway.client(made.secret), Person(nobody, "unix:x@y"), GRANT, warn=pytest.fail)
    assert made.secret not in str(refused.value)
    if isinstance(refused.value, ProvisioningFailed):
        assert "not you" in str(refused.value)
    assert await users.user_info(gateway.admin, nobody) is None


class TestEnsure:
    """`ensure_user` (S31-S36)."""

    async def test_creates_with_the_grant_and_then_never_again(self, gateway: Stand) -> None:
        """# S31 S33 S34"""
        email = f"{gateway.mark}@example.com"
        person = Person(gateway.own(gateway.name("ada")), "unix:ada@jump1", email=email, display_name="Ada")
        made = await ensure_user(gateway.admin, person, GRANT, warn=pytest.fail)
        assert (made.user_id, made.email, made.alias, made.role) == (
            person.user_id,
            email,
            "Ada",
            "internal_user",
        )
        assert (made.max_budget, made.budget_duration, made.models, made.tpm_limit, made.rpm_limit) == (
            7.5,
            "7d",
            ["gpt-4o"],
            1000,
            None,
        )
        assert made.metadata["team"] == "red"
        assert made.metadata["provisioned_by"] == "litellm-tui"
        assert made.metadata["identity"] == "unix:ada@jump1"
        assert made.metadata["provisioned_at"].endswith("+00:00")
        assert await keys.list_keys(gateway.admin, person.user_id) == []

        richer = Grant(max_budget=1000, models=[], metadata={"team": "blue"})
        again = await ensure_user(gateway.admin, person, richer, warn=pytest.fail)
        assert again == made

    async def test_no_cap_means_no_cap(self, gateway: Stand) -> None:
        """# S31"""
        person = Person(gateway.own(gateway.name("free")), "unix:free@jump1")
        made = await ensure_user(gateway.admin, person, Grant(max_budget=None), warn=pytest.fail)
        assert made.max_budget is None

    @pytest.mark.parametrize("role", ["internal_user", "internal_user_viewer", "proxy_admin_viewer"])
    async def test_the_role_holds(self, gateway: Stand, role: str) -> None:
        """# S34"""
        person = Person(gateway.own(gateway.name("role")), "unix:role@jump1")
        made = await ensure_user(gateway.admin, person, Grant(user_role=role), warn=pytest.fail)
        assert made.role == role

    async def test_off_refuses_and_creates_nothing(self, gateway: Stand) -> None:
        """# S33"""
        user_id = gateway.own(gateway.name("off"))
        with pytest.raises(NotProvisioned, match=r"provisioning is off\. Nothing was created"):
            await ensure_user(gateway.admin, Person(user_id, "unix:x@y"), None, warn=pytest.fail)
        assert await users.user_info(gateway.admin, user_id) is None

    async def test_read_only_refuses_and_creates_nothing(self, gateway: Stand) -> None:
        """# S33"""
        user_id = gateway.own(gateway.name("ro"))
        with pytest.raises(NotProvisioned, match=r"read-only\. Nothing was created"):
            await ensure_user(gateway.client(read_only=True), Person(user_id, "unix:x@y"), GRANT, warn=pytest.fail)
        assert await users.user_info(gateway.admin, user_id) is None

    async def test_two_in_one_process_make_one_user(self, gateway: Stand) -> None:
        """# S35"""
        person = Person(gateway.own(gateway.name("two")), "unix:two@jump1", email=f"{gateway.mark}@example.com")
        made = await asyncio.gather(*(ensure_user(gateway.admin, person, GRANT, warn=pytest.fail) for _ in range(4)))
        assert len({user.metadata["provisioned_at"] for user in made}) == 1
        assert {user.user_id for user in made} == {person.user_id}
        assert await keys.list_keys(gateway.admin, person.user_id) == []

    async def test_two_machines_make_one_user(self, gateway: Stand) -> None:
        """# S35: neither lock nor first look sees the other"""
        person = Person(gateway.own(gateway.name("race")), "unix:race@jump1", email=f"{gateway.mark}@example.com")
        # another spelling of the address has another lock, as another machine has
        url = gateway.proxy.url.replace("127.0.0.1", "localhost").replace("demo.invalid", "demo2.invalid")
        warnings: list[str] = []
        made = await asyncio.gather(
            *(
                ensure_user(each, person, GRANT, warn=warnings.append)
                for each in (gateway.client(), gateway.client(url=url))
            )
        )
        assert [user.user_id for user in made] == [person.user_id] * 2
        left = await users.user_info(gateway.admin, person.user_id)
        assert left is not None
        assert (left.role, left.email, left.max_budget) == ("internal_user", person.email, 7.5)
        assert await keys.list_keys(gateway.admin, person.user_id) == []
        if gateway.proxy.database:
            rows = gateway.proxy.sql(
                f"select count(*) from \"LiteLLM_UserTable\" where user_id = '{person.user_id}' union all "
                f"select count(*) from \"LiteLLM_VerificationToken\" where user_id = '{person.user_id}'"
            )
            assert rows == [["1"], ["0"]]

    async def test_an_address_that_is_somebody_elses_is_said_to_be(self, gateway: Stand) -> None:
        """# S35 S36: "already exists" that is not about this user is no race that was won"""
        if not gateway.server.at_least(1, 84):
            pytest.skip("addresses are unique in recent releases only")
        email = f"{gateway.mark}@example.com"
        await gateway.user("first", user_email=email)
        second = Person(gateway.own(gateway.name("second")), "unix:x@y", email=email)
        with pytest.raises(Conflict, match="email"):
            await ensure_user(gateway.admin, second, GRANT, warn=pytest.fail)
        assert await users.user_info(gateway.admin, second.user_id) is None

    async def test_a_refused_grant_keeps_its_meaning(self, gateway: Stand) -> None:
        """# S36"""
        user_id = gateway.own(gateway.name("bad"))
        with pytest.raises(GatewayError) as refused:
            await ensure_user(gateway.admin, Person(user_id, "unix:x@y"), Grant(user_role="emperor"), warn=pytest.fail)
        assert refused.value.status in (400, 422)
        assert isinstance(refused.value, Invalid)
        assert await users.user_info(gateway.admin, user_id) is None


PROVISIONING: dict[str, Any] = {
    "enabled": True,
    "defaults": {"max_budget": 12, "budget_duration": "7d", "metadata": {"cost_centre": "42"}},
}


class TestStart:
    """The whole start (S30-S38)."""

    async def test_first_start_creates_second_finds(
        self, gateway: Stand, settings_for: Callable[..., Settings]
    ) -> None:
        """# S31 S33 S34 S37"""
        user_id = gateway.own(gateway.name("ada") + "@example.com")
        settings = settings_for(gateway, user=user_id, provisioning=PROVISIONING)
        first = await startup.start(settings, transport=gateway.transport)
        await first.client.aclose()
        second = await startup.start(settings, transport=gateway.transport)
        await second.client.aclose()
        assert first.user is not None
        assert (first.user_id, first.user.email, first.user.max_budget) == (user_id, user_id, 12.0)
        assert first.user.metadata["cost_centre"] == "42"
        assert (first.keys, first.warnings) == ((), ())
        assert second.user == first.user
        assert second.rights.admin

    async def test_off_is_a_refusal_in_words(self, gateway: Stand, settings_for: Callable[..., Settings]) -> None:
        """# S33"""
        user_id = gateway.own(gateway.name("off"))
        settings = settings_for(gateway, user=user_id)
        with pytest.raises(NotProvisioned) as refused:
            await startup.start(settings, transport=gateway.transport)
        trouble = startup.explain(refused.value, settings)
        assert trouble.title == "You are not on this gateway yet"
        assert user_id in trouble.sentence
        assert "enabled = true" in trouble.sentence
        assert await users.user_info(gateway.admin, user_id) is None

    async def test_an_admin_who_names_nobody_sees_everyone_and_makes_nobody(
        self, gateway: Stand, settings_for: Callable[..., Settings]
    ) -> None:
        """# S5 S37"""
        user_id = await gateway.user()
        made = await gateway.key(user_id)
        session = await startup.start(settings_for(gateway, provisioning=PROVISIONING), transport=gateway.transport)
        await session.client.aclose()
        assert session.everyone
        assert session.about == "everyone"
        assert session.user is None
        assert made.hash in {key.hash for key in session.keys}

    async def test_an_own_key_is_its_users_and_provisions_nothing(
        self, gateway: Stand, settings_for: Callable[..., Settings]
    ) -> None:
        """# S38"""
        user_id = await gateway.user()
        made = await gateway.key(user_id)
        other = gateway.own(gateway.name("other"))
        settings = settings_for(gateway, key=made.secret, user=other, provisioning=PROVISIONING)
        session = await startup.start(settings, transport=gateway.transport)
        await session.client.aclose()
        assert (session.user_id, session.rights.admin, session.everyone) == (user_id, False, False)
        assert [key.hash for key in session.keys] == [made.hash]
        assert session.warnings == (f"This key belongs to {user_id}; the user {other} is ignored.",)
        assert await users.user_info(gateway.admin, other) is None

    async def test_an_admins_own_key_provisions_whom_the_profile_names(
        self, gateway: Stand, settings_for: Callable[..., Settings]
    ) -> None:
        """# S37"""
        boss = await gateway.user("boss", user_role="proxy_admin")
        made = await gateway.key(boss)
        ada = gateway.own(gateway.name("ada"))
        settings = settings_for(gateway, key=made.secret, user=ada, provisioning=PROVISIONING)
        session = await startup.start(settings, transport=gateway.transport)
        await session.client.aclose()
        assert session.rights.admin
        assert session.user is not None
        assert (session.user_id, session.user.max_budget) == (ada, 12.0)


async def test_who_calls(gateway: Stand) -> None:
    """# S38: master, a user's key, a key of nobody"""
    from tui.gateway import capabilities

    user_id = await gateway.user()
    theirs, nobodys = await gateway.key(user_id), await gateway.key(None, "nobody")
    master = await capabilities.caller(gateway.admin)
    assert (master.master, master.user_id, master.narrow) == (True, None, False)
    who = await capabilities.caller(gateway.client(theirs.secret))
    assert (who.master, who.user_id) == (False, user_id)
    assert who.key is not None
    assert who.key.hash == theirs.hash
    who = await capabilities.caller(gateway.client(nobodys.secret))
    assert (who.master, who.user_id) == (False, None)
    assert await capabilities.role(gateway.client(theirs.secret), who, None) == "internal_user"


@pytest.mark.parametrize("key_type", ["llm_api", "read_only"])
async def test_who_calls_with_less(gateway: Stand, settings_for: Callable[..., Settings], key_type: str) -> None:
    """# S38 S44"""
    user_id = await gateway.user()
    made = await gateway.key(user_id, key_type=key_type)
    session = await startup.start(settings_for(gateway, key=made.secret), transport=gateway.transport)
    await session.client.aclose()
    if not gateway.server.key_types:
        assert session.user_id == user_id  # 1.74 makes an ordinary key of it
    elif key_type == "llm_api":
        assert session.caller.narrow
        assert session.keys == ()
    else:
        assert session.user_id == user_id
        assert session.rights.routes == ("info_routes",)


@pytest.mark.parametrize("why", ["wrong", "wrong shape", "blocked", "expired"])
async def test_a_refused_key_is_named_as_such(gateway: Stand, settings_for: Callable[..., Settings], why: str) -> None:
    """# S2 S3 S36: and never repeated, which 1.74 does in its answer"""
    secret = {"wrong": "sk-wrong-wrong-wrong-wrong", "wrong shape": "hunter2-hunter2-hunter2"}.get(why, "")
    if why == "blocked":
        made = await gateway.key(await gateway.user())
        await keys.block_key(gateway.admin, made.hash)
        secret = made.secret
    if why == "expired":
        made = await gateway.key(await gateway.user(), duration="1s")
        assert made.expires_at is not None
        await _until_expired(gateway, made.secret)
        secret = made.secret
    settings = settings_for(gateway, key=secret)
    with pytest.raises(GatewayError) as refused:
        await startup.start(settings, transport=gateway.transport)
    trouble = startup.explain(refused.value, settings)
    assert trouble.title == "The gateway refuses this key"
    shown = " ".join([trouble.sentence, *trouble.advice, str(refused.value.param), str(refused.value.code)])
    assert secret not in shown
    assert secret[-9:] not in shown
    if why == "expired":
        assert "expired" in trouble.advice[0]


async def _until_expired(gateway: Stand, secret: str) -> None:
    async with asyncio.timeout(15):
        client = gateway.client(secret)
        while True:
            try:
                await client.get("/key/info")
            except GatewayError:
                return
            await asyncio.sleep(0.1)


async def test_a_start_that_fails_closes_its_connections(
    gateway: Stand, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """# S36"""
    closed: list[Client] = []
    real = Client.aclose

    async def aclose(self: Client) -> None:
        closed.append(self)
        await real(self)

    monkeypatch.setattr(Client, "aclose", aclose)
    with pytest.raises(GatewayError):
        await startup.start(settings_for(gateway, key="sk-wrong-wrong-wrong"), transport=gateway.transport)
    assert len(closed) == 1
