"""The start: who is meant, what they get, what is said when it fails (S30-S38, S44)."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tui import identity, startup
from tui.config import Provisioning, Settings
from tui.credentials import AskKey, CredentialError, EnvKey, HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway import errors
from tui.gateway.capabilities import Action, Rights, Server
from tui.gateway.provisioning import Grant, NotProvisioned, ProvisioningFailed
from tui.gateway.schema import Key

DEFAULT = Grant()


def provisioning(**values: Any) -> Provisioning:
    """The table of a profile, as it is written there."""
    return Provisioning.model_validate({"enabled": True, **values})


def settings(gateway: DemoGateway, key: str | None = None, **more: Any) -> Settings:
    """Settings that lead to the embedded gateway."""
    held = HeldKey(Secret(key or gateway.master_key))
    return Settings("test", "http://demo.invalid", held, **{"user": "ada", **more})


class TestGrant:
    """S31, S32."""

    def test_the_defaults(self) -> None:
        """# S31"""
        found = startup.grant_for(Provisioning(), [])
        assert found == Grant(10.0, "30d", [], [], None, None, "internal_user", {})
        assert not Provisioning().enabled

    def test_unlimited_is_no_cap(self) -> None:
        """# S31"""
        assert startup.grant_for(provisioning(defaults={"max_budget": "unlimited"}), []).max_budget is None

    def test_the_first_role_that_fits_wins(self) -> None:
        """# S32: in the file's order, not in that of the groups"""
        roles = [
            {"group": "ml", "max_budget": 50},
            {"group": "staff", "max_budget": 20},
            {"group": "ml", "max_budget": 99},
        ]
        table = provisioning(roles=roles)
        assert startup.grant_for(table, ["staff", "ml"]).max_budget == 50
        assert startup.grant_for(table, ["staff"]).max_budget == 20
        assert startup.grant_for(table, ["other"]) == DEFAULT

    @pytest.mark.parametrize(
        ("field", "default", "role"),
        [
            ("max_budget", 10, 0),
            ("models", ["a"], []),
            ("teams", ["t"], []),
            ("tpm_limit", 100, 0),
            ("rpm_limit", 5, 0),
            ("user_role", "internal_user", "internal_user_viewer"),
            ("budget_duration", "30d", "1d"),
        ],
    )
    def test_what_a_role_sets_replaces_0_and_nothing_included(self, field: str, default: Any, role: Any) -> None:
        """# S32"""
        table = provisioning(defaults={field: default}, roles=[{"group": "g", field: role}])
        assert getattr(startup.grant_for(table, ["g"]), field) == role
        assert getattr(startup.grant_for(table, []), field) == default

    def test_what_a_role_does_not_set_stays(self) -> None:
        """# S32"""
        table = provisioning(defaults={"max_budget": 7, "models": ["a"]}, roles=[{"group": "g", "rpm_limit": 3}])
        found = startup.grant_for(table, ["g"])
        assert (found.max_budget, found.models, found.rpm_limit) == (7, ["a"], 3)

    def test_metadata_merges_the_role_winning(self) -> None:
        """# S32"""
        table = provisioning(
            defaults={"metadata": {"a": 1, "b": 1}}, roles=[{"group": "g", "metadata": {"b": 2, "c": 2}}]
        )
        assert startup.grant_for(table, ["g"]).metadata == {"a": 1, "b": 2, "c": 2}
        assert startup.grant_for(table, []).metadata == {"a": 1, "b": 1}


class TestStart:
    """S33-S38, on the embedded gateway."""

    async def test_groups_that_cannot_be_looked_up_warn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S32"""

        def fails(account: str | None = None) -> list[str]:
            raise identity.IdentityError("There is no account 'ada' on this machine to take groups from.")

        monkeypatch.setattr(identity, "groups", fails)
        gateway = DemoGateway()
        table = provisioning(defaults={"max_budget": 7}, roles=[{"group": "g", "max_budget": 99}])
        session = await startup.start(settings(gateway, provisioning=table), transport=gateway.transport())
        assert gateway.users["ada"]["max_budget"] == 7
        assert session.warnings == (
            "There is no account 'ada' on this machine to take groups from. The default limits are used.",
        )

    async def test_what_is_sent_to_make_a_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S34: limits only where set, no key, the role said again"""
        monkeypatch.setattr(identity, "display_name", lambda account: "Ada Lovelace")
        gateway = DemoGateway()
        table = provisioning(defaults={"max_budget": "unlimited", "metadata": {"a": 1}})
        wanted = settings(gateway, user="ada@example.com", account="ada", provisioning=table)
        await startup.start(wanted, transport=gateway.transport())
        [new, update] = [call.body for call in gateway.calls if call.method == "POST"]
        made = new.pop("metadata")
        assert new == {
            "user_id": "ada@example.com",
            "user_email": "ada@example.com",
            "user_alias": "Ada Lovelace",
            "budget_duration": "30d",
            "models": [],
            "teams": [],
            "user_role": "internal_user",
            "auto_create_key": False,
        }
        assert (made["a"], made["provisioned_by"]) == (1, "litellm-tui")
        assert made["identity"].startswith("unix:ada@")
        assert update == {
            "user_id": "ada@example.com",
            "user_role": "internal_user",
            "user_email": "ada@example.com",
            "user_alias": "Ada Lovelace",
        }

    async def test_an_update_that_fails_only_warns(self) -> None:
        """# S34"""
        gateway = DemoGateway()
        gateway.intercept("POST", "/user/update", httpx.Response(500, json={"detail": "database is busy"}))
        session = await startup.start(settings(gateway, provisioning=provisioning()), transport=gateway.transport())
        assert session.user is not None
        assert "could not be confirmed: database is busy" in session.warnings[0]

    async def test_an_existing_user_is_never_written(self) -> None:
        """# S33"""
        gateway = DemoGateway()
        gateway.add_user("ada", max_budget=3)
        session = await startup.start(settings(gateway, provisioning=provisioning()), transport=gateway.transport())
        assert session.user is not None
        assert session.user.max_budget == 3
        assert {call.method for call in gateway.calls} == {"GET"}

    @pytest.mark.parametrize("answer", [httpx.Response(409, json={"detail": "x"}), httpx.ReadError("cut")])
    async def test_somebody_else_was_faster_or_the_answer_was_lost(self, answer: Any) -> None:
        """# S35"""
        gateway = DemoGateway()

        def meanwhile(request: httpx.Request) -> Any:
            gateway.add_user("ada", max_budget=3)
            if isinstance(answer, Exception):
                raise answer
            return answer

        gateway.intercept("POST", "/user/new", meanwhile)
        session = await startup.start(settings(gateway, provisioning=provisioning()), transport=gateway.transport())
        assert session.user is not None
        assert session.user.max_budget == 3
        assert [call.path for call in gateway.calls if call.method == "POST"] == ["/user/new"]

    @pytest.mark.parametrize(
        ("status", "kind", "title"),
        [
            (400, errors.Invalid, "The gateway refused"),
            (404, errors.NotFound, "The gateway refused"),
            (409, errors.Conflict, "The gateway refused"),
            (422, errors.Invalid, "The gateway refused"),
            (401, ProvisioningFailed, "The gateway failed"),
            (403, ProvisioningFailed, "The gateway failed"),
            (429, ProvisioningFailed, "The gateway failed"),
            (500, ProvisioningFailed, "The gateway failed"),
        ],
    )
    async def test_what_a_failure_reads_as(self, status: int, kind: type[Exception], title: str) -> None:
        """# S36: and the reason is redacted"""
        gateway = DemoGateway()
        said = {"error": {"message": f"no way, {gateway.master_key} sk-abcdefgh12", "type": "t"}}
        gateway.intercept("POST", "/user/new", httpx.Response(status, json=said), times=-1)
        wanted = settings(gateway, provisioning=provisioning())
        with pytest.raises(kind) as failed:
            await startup.start(wanted, transport=gateway.transport())
        trouble = startup.explain(failed.value, wanted)
        assert trouble.title == title
        assert "no way" in trouble.sentence
        assert "sk-abcdefgh12" not in trouble.sentence
        assert gateway.master_key not in trouble.sentence
        if status in (401, 403):
            assert "that is the profile's key, not you" in trouble.sentence
        assert "ada" not in gateway.users

    async def test_an_admin_who_only_looks_is_told_that_it_is_the_key(self) -> None:
        """# S33: provisioning may be on, and the key makes nobody"""
        gateway = DemoGateway()
        gateway.add_user("vera", user_role="proxy_admin_viewer")
        viewer = gateway.add_key(user_id="vera")
        with pytest.raises(NotProvisioned, match="may look and not create users") as failed:
            await startup.start(settings(gateway, viewer, provisioning=provisioning()), transport=gateway.transport())
        assert "provisioning is off" not in str(failed.value)
        assert "ada" not in gateway.users

    async def test_nobody_named_is_everyone_without_the_dump(self) -> None:
        """# S5 S37"""
        gateway = DemoGateway()
        gateway.add_user("ada")
        gateway.add_key(user_id="ada", key_alias="laptop")
        session = await startup.start(
            settings(gateway, user=None, provisioning=provisioning()), transport=gateway.transport()
        )
        assert session.everyone
        assert [key.alias for key in session.keys] == ["laptop"]
        assert not [call for call in gateway.calls if call.path == "/user/info"]
        assert {call.method for call in gateway.calls} == {"GET"}

    async def test_the_calls_of_a_start_go_out_together(self) -> None:
        """Two rounds, however slow the gateway is."""
        gateway = DemoGateway()
        gateway.add_user("ada")
        waiting: list[str] = []
        rounds: list[set[str]] = []
        released = asyncio.Event()

        async def hold(request: httpx.Request) -> None:
            nonlocal released
            waiting.append(request.url.path)
            mine = released
            await mine.wait()

        gateway.intercept("GET", "*", hold, times=-1)
        start = asyncio.create_task(startup.start(settings(gateway), transport=gateway.transport()))
        async with asyncio.timeout(10):
            while not start.done():
                before = -1
                while before != len(waiting) or not waiting:
                    if start.done():
                        break
                    before = len(waiting)
                    for _ in range(50):
                        await asyncio.sleep(0)
                if waiting:
                    rounds.append(set(waiting))
                waiting.clear()
                done, released = released, asyncio.Event()
                done.set()
                for _ in range(50):
                    await asyncio.sleep(0)
        assert rounds == [
            {"/public/model_hub/info", "/health/readiness", "/key/info"},
            {"/user/info", "/key/list", "/team/list"},
        ]

    async def test_the_key_is_read_once_and_kept(self) -> None:
        """A command or a question is not repeated at a reconnect."""
        gateway = DemoGateway()
        gateway.add_user("ada")
        wanted = replace(settings(gateway), credential=EnvKey("X", Secret(gateway.master_key)))
        session = await startup.start(wanted, transport=gateway.transport())
        assert isinstance(session.settings.credential, HeldKey)
        assert gateway.master_key not in repr(session)

    async def test_a_narrow_key_keeps_the_notes_of_the_settings(self) -> None:
        """# S44: no call that would be refused"""
        gateway = DemoGateway()
        gateway.add_user("ada")
        secret = gateway.add_key(user_id="ada", key_type="llm_api")
        wanted = settings(gateway, secret, ignored=("LITELLM_API_KEY is left aside.",))
        session = await startup.start(wanted, transport=gateway.transport())
        assert session.warnings == ("LITELLM_API_KEY is left aside.",)
        assert await session.load_keys() == []
        assert [call.path for call in gateway.calls if call.status >= 400] == ["/key/info"]


class TestExplain:
    """Every failure has a title, a sentence and a way on."""

    @pytest.mark.parametrize(
        ("error", "title"),
        [
            (CredentialError("The key is empty."), "No key"),
            (NotProvisioned("no such user"), "You are not on this gateway yet"),
            (errors.Unauthorized("no", type="expired_key"), "The gateway refuses this key"),
            (errors.Unauthorized("no", type="token_not_found_in_db"), "The gateway refuses this key"),
            (errors.Invalid("no", status=400, type="budget_exceeded"), "Over budget"),
            (errors.Unreachable("no answer"), "No answer"),
            (errors.BadAnswer("html"), "That is not LiteLLM"),
            (errors.RouteMissing("none"), "That is not LiteLLM"),
            (errors.Forbidden("no"), "The gateway refused"),
            (errors.ServerFailed("broken"), "The gateway failed"),
        ],
    )
    def test_each_kind(self, error: Exception, title: str) -> None:
        """# S36"""
        wanted = Settings("p", "http://127.0.0.1:1", AskKey(), sources={"url": "--url"})
        trouble = startup.explain(error, wanted)
        assert trouble.title == title
        assert trouble.sentence == str(error)
        assert all("\n" not in line for line in (trouble.title, trouble.sentence, *trouble.advice))

    def test_where_the_address_came_from(self) -> None:
        """A wrong address is mended where it is written."""
        wanted = Settings("p", "http://127.0.0.1:1", AskKey(), sources={"url": "--url"})
        assert "comes from --url" in startup.explain(errors.Unreachable("x"), wanted).advice[0]

    def test_a_bug_is_not_explained_away(self) -> None:
        """It is no trouble of the gateway's."""
        with pytest.raises(KeyError):
            startup.explain(KeyError("x"), Settings("p", "http://127.0.0.1:1", AskKey()))


def key(**fields: Any) -> Key:
    """A key of ada, made by an admin unless said otherwise."""
    return Key(**{"hash": "a", "name": "sk-...aaaa", "user_id": "ada", "created_by": "admin", **fields})


def rights(version: str = "1.108.0", **fields: Any) -> Rights:
    """Rights of ada, an internal user."""
    return Rights(**{"role": "internal_user", "user_id": "ada", "server": Server(version), **fields})


WRITES = [Action.CREATE, Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE]
TEAM: dict[str, Any] = {"admin_of": frozenset({"t"})}


class TestRights:
    """S44; tests/contract/test_rights.py holds them against the gateways."""

    @pytest.mark.parametrize(
        ("who", "action", "target", "fields", "allowed"),
        [
            (rights(), Action.CREATE, None, [], True),
            (rights(), Action.EDIT, key(), ["tpm_limit"], False),
            (rights(), Action.EDIT, key(created_by="ada"), ["tpm_limit"], True),
            (rights(), Action.EDIT, key(created_by="ada"), ["tpm_limit", "max_budget"], False),
            (rights("1.83.0"), Action.EDIT, key(), ["tpm_limit"], True),
            (rights("1.83.0"), Action.EDIT, key(), ["max_budget"], False),
            (rights("1.74.0"), Action.EDIT, key(), ["max_budget"], True),
            (rights("1.74.0"), Action.EDIT, key(user_id="bob"), ["tpm_limit"], False),
            (rights(), Action.BLOCK, key(created_by="ada"), [], False),
            (rights("1.74.0"), Action.BLOCK, key(), [], True),
            (rights("1.74.0"), Action.RESET_SPEND, key(), [], True),
            (rights("1.83.0"), Action.RESET_SPEND, key(), [], False),
            (rights(), Action.DELETE, key(), [], True),
            (rights(), Action.DELETE, key(user_id="bob"), [], False),
            (rights("1.74.0"), Action.DELETE, key(team_id="t"), [], False),
            (rights(), Action.DELETE, key(team_id="t"), [], True),
            (rights(), Action.EDIT, key(team_id="t", created_by="ada"), ["tpm_limit"], False),
            (rights(**TEAM), Action.EDIT, key(team_id="t"), ["max_budget"], True),
            (rights(**TEAM), Action.EDIT, key(team_id="t", user_id="bob"), ["tpm_limit"], False),
            (rights("1.74.0", **TEAM), Action.EDIT, key(team_id="t", user_id="bob"), ["tpm_limit"], True),
            (rights(**TEAM), Action.BLOCK, key(team_id="t", user_id="bob"), [], True),
            (rights(**TEAM), Action.BLOCK, key(team_id="other"), [], False),
            (rights(role="proxy_admin"), Action.EDIT, key(user_id="bob"), ["max_budget"], True),
            (rights(role="internal_user", server=Server(None)), Action.EDIT, key(), ["tpm_limit"], False),
        ],
    )
    def test_table(self, who: Rights, action: Action, target: Key | None, fields: list[str], allowed: bool) -> None:
        """# S44"""
        assert (who.why_not(action, target, fields) is None) is allowed

    @pytest.mark.parametrize(("team", "allowed"), [("t", True), ("open", True), ("other", False), (None, True)])
    def test_keys_in_a_team(self, team: str | None, allowed: bool) -> None:
        """# S44"""
        who = rights(admin_of=frozenset({"t"}), makes_keys_in=frozenset({"open"}))
        assert (who.why_not(Action.CREATE, team_id=team) is None) is allowed

    @pytest.mark.parametrize("action", WRITES)
    @pytest.mark.parametrize(
        "who",
        [
            rights(role="proxy_admin", read_only=True),
            rights(role="proxy_admin_viewer"),
            rights(role="internal_user_viewer"),
            rights(narrow=True),
            rights(routes=("info_routes",)),
            rights(role="proxy_admin", routes=("llm_api_routes",)),
        ],
        ids=["read-only", "admin viewer", "user viewer", "narrow", "read_only key", "llm key of an admin"],
    )
    def test_who_writes_nothing(self, who: Rights, action: Action) -> None:
        """# S44: with a reason that is a sentence"""
        why = who.why_not(action, key(created_by="ada"))
        assert why is not None
        assert why.endswith(".")

    @pytest.mark.parametrize(
        ("who", "allowed"),
        [(rights(), False), (rights(role="proxy_admin"), True), (rights(role="proxy_admin_viewer"), True)],
    )
    def test_who_sees_everyone(self, who: Rights, allowed: bool) -> None:
        """# S44"""
        assert (who.why_not(Action.SEE_EVERYONE) is None) is allowed
        assert who.sees_all is allowed

    @pytest.mark.parametrize(
        ("version", "release"),
        [("1.74.0", (1, 74, 0)), ("1.83.0-nightly", (1, 83, 0)), ("1.108", (1, 108, 0)), ("main", None), (None, None)],
    )
    def test_releases(self, version: str | None, release: tuple[int, ...] | None) -> None:
        """An unknown release is taken for a recent one."""
        assert Server(version).release == release
        assert Server(version).at_least(1, 84) is (release is None or release >= (1, 84))
