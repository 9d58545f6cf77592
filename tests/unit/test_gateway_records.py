"""Records, keys, users, teams and models: what is asked and how the answers are read (S4-S15)."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.gateway import durations, keys, models, state, teams, users
from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, Forbidden, Invalid, NotFound, RouteMissing, ServerFailed
from tui.gateway.schema import Key, NewKey, Team, User

Answers = Mapping[str, Any] | Callable[[httpx.Request], Any]


def gateway(answers: Answers) -> tuple[Client, list[httpx.Request]]:
    """A client whose calls are answered by path; a pair is a status and a body."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = answers(request) if callable(answers) else answers[request.url.path]
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body)

    return Client("http://gateway.invalid", "sk-unit-test-0123", transport=httpx.MockTransport(handle)), seen


def key(**fields: Any) -> Key:
    """A key's record from LiteLLM's row."""
    return Key.model_validate({"token": "a" * 64, "key_name": "sk-...9f3Q", **fields})


class TestKeyRecord:
    """S8."""

    def test_nulls(self) -> None:
        """# S8: absent is not 0"""
        names = [
            "key_alias",
            "spend",
            "max_budget",
            "user_id",
            "team_id",
            "models",
            "metadata",
            "expires",
            "blocked",
            "tpm_limit",
            "created_at",
        ]
        found = key(**dict.fromkeys(names))
        assert (found.spend, found.models, found.metadata, found.blocked) == (0.0, [], {}, False)
        assert (found.alias, found.max_budget, found.user_id, found.tpm_limit, found.expires_at) == (None,) * 5

    def test_everything(self) -> None:
        """# S8"""
        found = key(
            key_alias="laptop",
            spend="3.5",
            max_budget="10",
            budget_duration="30d",
            budget_reset_at="2026-01-01T00:00:00+02:00",
            expires="2026-02-01T00:00:00.123Z",
            created_at="2026-01-01T00:00:00.123456",
            team_id="t",
            blocked=True,
            metadata={"a": 1},
        )
        assert (found.label, found.tail, found.spend, found.max_budget, found.blocked) == (
            "laptop",
            "…9f3Q",
            3.5,
            10,
            True,
        )
        assert found.budget_reset_at == datetime(2025, 12, 31, 22, tzinfo=UTC)
        assert found.expires_at == datetime(2026, 2, 1, microsecond=123000, tzinfo=UTC)
        assert found.created_at == datetime(2026, 1, 1, microsecond=123456, tzinfo=UTC)

    def test_a_name_for_eyes(self) -> None:
        """# S8"""
        assert Key.model_validate({"token": "abc"}).name == "abc"
        assert key().label == "sk-...9f3Q"

    @pytest.mark.parametrize("value", ["1e309", "NaN", "inf", 10**400, [], {}, True, "many"])
    def test_numbers_that_are_none(self, value: Any) -> None:
        """# S8: costs may be 1e300, and worse"""
        found = key(spend=value, max_budget=value)
        assert (found.spend, found.max_budget) == (0.0, None)

    def test_limits_of_a_shared_budget(self) -> None:
        """# S8: soft_budget sits in litellm_budget_table"""
        found = key(litellm_budget_table={"max_budget": 5, "soft_budget": 4, "tpm_limit": 3}, tpm_limit=1)
        assert (found.max_budget, found.soft_budget, found.tpm_limit) == (5, 4, 1)

    @given(
        st.dictionaries(
            st.sampled_from([*Key.model_fields, "token", "expires", "key_name"]),
            st.text() | st.integers() | st.none() | st.lists(st.text()) | st.floats() | st.booleans(),
        )
    )
    def test_no_row_breaks_it(self, row: dict[str, Any]) -> None:
        """# S8"""
        row.pop("hash", None)
        Key.model_validate({"token": "x", **{n: v for n, v in row.items() if n != "token"}})

    def test_names_of_our_own_in_a_row_are_not_ours(self) -> None:
        """# S8: a gateway may have fields called as ours are"""
        found = key(hash="b" * 64, name="other", alias="other", key_alias="laptop", metadata_readable=False)
        assert (found.hash, found.name, found.alias) == ("a" * 64, "sk-...9f3Q", "laptop")
        assert found.metadata_readable
        person = User.model_validate({"user_id": "ada", "role": "proxy_admin", "user_role": "internal_user"})
        assert person.role == "internal_user"
        team = Team.model_validate({"team_id": "t", "alias": "other", "team_alias": "ml", "admins": ["eve"]})
        assert (team.alias, team.admins) == ("ml", [])
        made = NewKey.model_validate({"secret": "sk-other-other", "key": "sk-right-right", "token": "abc"})
        assert made.secret == "sk-right-right"

    @pytest.mark.parametrize("value", [10**400, 2**63, -(2**63), 1e19, "9e99"])
    def test_counts_that_no_counter_holds(self, value: Any) -> None:
        """# S8"""
        assert key(tpm_limit=value).tpm_limit is None
        assert key(tpm_limit=2**63 - 1).tpm_limit == 2**63 - 1

    def test_sums_of_the_largest_numbers_are_numbers(self) -> None:
        """# S8: inf is no JSON"""
        assert key(spend=1e300).spend == 1e300
        assert math.isfinite(sum(key(spend=value).spend for value in [1.7e308, 1e300] * 100))

    def test_a_record_without_its_id_is_a_bad_answer(self) -> None:
        """A sentence with the field's name and without its value."""
        with pytest.raises(BadAnswer, match=r"record of a team cannot be read \(team_id\)") as failed:
            Team.from_gateway({"team_id": ["sk-hidden"]})
        assert "hidden" not in str(failed.value)

    def test_the_secret_of_a_new_key_is_not_in_its_repr(self) -> None:
        """# S3"""
        made = NewKey.model_validate({"key": "sk-secret-secret", "token": "abc", "key_name": "sk-...cret"})
        assert made.secret == "sk-secret-secret"
        assert "secret-secret" not in repr(made) + str(made)


class TestKeyCalls:
    """S7, S9-S12."""

    @pytest.mark.parametrize("nobody", [None, ""])
    async def test_no_id_no_call(self, nobody: str | None) -> None:
        """# S5 S7"""
        client, seen = gateway({})
        assert await keys.list_keys(client, nobody) == []
        assert await users.user_info(client, nobody or "") is None
        assert seen == []

    async def test_every_page_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S7: and a key that moved to the next page meanwhile counts once"""
        monkeypatch.setattr(keys, "PAGE", 2)
        pages = {1: ["a", "b"], 2: ["b", "c"], 3: ["d"]}

        def answer(request: httpx.Request) -> Any:
            rows = pages[int(request.url.params["page"])]
            return {"keys": [{"token": token} for token in rows], "total_pages": "3", "total_count": 5}

        client, seen = gateway(answer)
        assert sorted(found.hash for found in await keys.list_keys(client, "ada")) == ["a", "b", "c", "d"]
        assert sorted(request.url.params["page"] for request in seen) == ["1", "2", "3"]
        assert {request.url.params["user_id"] for request in seen} == {"ada"}
        assert {request.url.params["size"] for request in seen} == {"2"}
        assert {request.url.params["return_full_object"] for request in seen} == {"true"}
        assert {request.url.params["sort_by"] for request in seen} == {"token"}

    async def test_a_missing_user_has_no_keys_and_a_failure_is_one(self) -> None:
        """# S7"""
        client, _ = gateway({"/key/list": (404, {"detail": {"error": "user not found"}})})
        assert await keys.list_keys(client, "ada") == []
        client, _ = gateway({"/key/list": (500, {"detail": "broken"})})
        with pytest.raises(ServerFailed):
            await keys.list_keys(client, "ada")

    @pytest.mark.parametrize("answer", [[], {}, {"keys": None}, {"keys": [], "total_pages": 10**9}])
    async def test_a_list_that_is_none(self, answer: Any) -> None:
        """A billion pages are not asked for."""
        client, seen = gateway({"/key/list": answer})
        with pytest.raises(BadAnswer):
            await keys.list_keys(client, "ada")
        assert len(seen) == 1

    @pytest.mark.parametrize("alias", ["", "  ", None])
    async def test_generate_is_flat_and_without_a_blank_alias(self, alias: str | None) -> None:
        """# S9"""
        client, seen = gateway({"/key/generate": {"key": "sk-x", "token": "abc"}})
        await keys.generate_key(client, {"key_alias": alias, "user_id": "ada", "models": [], "max_budget": None})
        assert json.loads(seen[0].content) == {"user_id": "ada", "models": []}

    async def test_generate_always_says_whose(self) -> None:
        """# S9"""
        client, seen = gateway({"/key/generate": {"key": "sk-x", "token": "abc"}})
        await keys.generate_key(client, {"key_alias": "laptop"})
        assert json.loads(seen[0].content) == {"key_alias": "laptop", "user_id": None}

    @pytest.mark.parametrize(
        "secret", ["sk-new\nEVIL=1", "sk-new secret", "sk-n\u20acw-secret", "sk-\x1b[31m", "", 5, ["sk-x"], None]
    )
    async def test_a_secret_that_is_no_word_is_refused(self, secret: Any) -> None:
        """# S9: it would go into env files as it is"""
        client, _ = gateway({"/key/generate": {"key": secret, "token": "abc", "key_name": "n"}})
        with pytest.raises(BadAnswer, match="no secret") as failed:
            await keys.generate_key(client, {"user_id": "ada"})
        assert "EVIL" not in str(failed.value)

    async def test_an_odd_name_does_not_lose_the_secret(self) -> None:
        """# S9: it is shown this once"""
        client, _ = gateway({"/key/generate": {"key": "sk-new-secret-1", "token": 5, "key_name": 5, "expires": []}})
        assert (await keys.generate_key(client, {"user_id": "ada"})).secret == "sk-new-secret-1"

    async def test_rows_without_a_hash_are_left_out(self) -> None:
        """# S12: nothing could be done with them"""
        rows = [{"token": 5}, {"token": ["x"]}, {"token": ""}, None, {"token": "abc", "hash": 3}]
        client, _ = gateway({"/key/list": {"keys": rows, "total_pages": 1}})
        assert [key.hash for key in await keys.list_every_key(client)] == ["abc"]
        client, _ = gateway({"/key/info": {"key": 5, "info": {"token": ["x"]}}})
        with pytest.raises(BadAnswer, match="holds no key"):
            await keys.own_key(client)

    async def test_only_litellm_says_that_it_is_the_master_key(self) -> None:
        """# S37: a 404 of something in between would make an admin of any key"""
        said = {"error": {"message": "Key not found in database", "type": "not_found_error", "code": "404"}}
        client, _ = gateway({"/key/info": (404, said)})
        assert await keys.own_key(client) is None
        for body, kind in (({"detail": "Not Found"}, RouteMissing), ({"detail": "no such tenant"}, NotFound)):
            client, _ = gateway({"/key/info": (404, body)})
            with pytest.raises(kind):
                await keys.own_key(client)

    @pytest.mark.parametrize("metadata", ['{"team": "x"}', ["x"], 5])
    async def test_metadata_that_cannot_be_merged_are_not_wiped(self, metadata: Any) -> None:
        """# S10"""
        client, seen = gateway({"/key/list": {"keys": [{"token": "abc", "metadata": metadata}]}, "/key/update": {}})
        with pytest.raises(Invalid, match="wipe") as failed:
            await keys.update_key(client, "abc", {"metadata": {"a": 1}})
        assert failed.value.param == "metadata"
        assert [request.method for request in seen] == ["GET"]
        await keys.update_key(client, "abc", {"key_alias": "b"})

    async def test_generate_without_a_secret_is_said(self) -> None:
        """# S9: an envelope makes an empty key"""
        client, _ = gateway({"/key/generate": {"token": "abc"}})
        with pytest.raises(BadAnswer, match="no secret"):
            await keys.generate_key(client, {})

    async def test_update_sends_the_changes_and_the_whole_metadata(self) -> None:
        """# S10 S12"""
        row = {"token": "abc", "metadata": {"keep": 1, "drop": 2}}
        client, seen = gateway({"/key/list": {"keys": [row]}, "/key/update": {}})
        await keys.update_key(client, "abc", {"max_budget": None, "metadata": {"drop": None, "add": 3}})
        [write] = [request for request in seen if request.method == "POST"]
        assert json.loads(write.content) == {"key": "abc", "max_budget": None, "metadata": {"keep": 1, "add": 3}}

    async def test_delete_believes_the_list_and_not_the_answer(self) -> None:
        """# S11"""

        def answer(request: httpx.Request) -> Any:
            if request.method == "POST":
                return {"deleted_keys": ["abc", "def"]}
            there = request.url.params["key_hash"] == "def"
            return {"keys": [{"token": "def"}] if there else []}

        client, _ = gateway(answer)
        assert await keys.delete_keys(client, ["abc", "def"]) == ["def"]

    async def test_gone_has_three_ways_of_being_said(self) -> None:
        """# S11 S15: to an admin, to others by 1.108, to others by 1.74 and 1.83"""
        refused = {"error": {"message": "Key Hash not found.", "param": "key_hash", "code": "403"}}
        ways: tuple[dict[str, Any], ...] = (
            {"/key/list": {"keys": []}},
            {"/key/list": (403, refused)},
            {"/key/list": (500, {"detail": "x"}), "/key/info": (404, {"error": {"message": "no", "code": "404"}})},
        )
        for answers in ways:
            client, _ = gateway(answers)
            assert await keys.key_info(client, "abc") is None
        client, _ = gateway({"/key/list": (403, {"detail": "not allowed"})})
        with pytest.raises(Forbidden):
            await keys.key_info(client, "abc")
        client, _ = gateway({"/key/list": (500, {}), "/key/info": {"key": "abc", "info": {"key_alias": "a"}}})
        found = await keys.key_info(client, "abc")
        assert found is not None
        assert (found.hash, found.alias) == ("abc", "a")

    async def test_reset_spend_on_a_release_without_the_route(self) -> None:
        """# S43"""
        client, seen = gateway({"/key/abc/reset_spend": (404, {"detail": "Not Found"}), "/key/update": {}})
        await keys.reset_spend(client, "abc")
        assert json.loads(seen[-1].content) == {"key": "abc", "spend": 0}


class TestUsers:
    """S4-S6."""

    async def test_missing_in_two_ways(self) -> None:
        """# S4"""
        for answer in ((404, {"detail": {"error": "no"}}), {"user_id": "ada", "user_info": {"spend": 0}, "keys": []}):
            client, _ = gateway({"/user/info": answer})
            assert await users.user_info(client, "ada") is None

    async def test_other_failures_raise(self) -> None:
        """# S4"""
        for status, kind in ((403, Forbidden), (500, ServerFailed), (400, Invalid)):
            client, _ = gateway({"/user/info": (status, {"detail": "no"})})
            with pytest.raises(kind):
                await users.user_info(client, "ada")

    async def test_nobody_is_never_updated(self) -> None:
        """# S6"""
        client, seen = gateway({})
        with pytest.raises(BadAnswer):
            await users.update_user(client, "", {"user_role": "proxy_admin"})
        assert seen == []

    def test_the_record(self) -> None:
        """# S4"""
        found = User.model_validate(
            {"user_id": "ada", "user_email": "a@b", "user_role": "internal_user", "models": None}
        )
        assert (found.email, found.role, found.models, found.max_budget) == ("a@b", "internal_user", [], None)


class TestTeams:
    """S14."""

    @pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"teams": x}, lambda x: {"data": x}])
    async def test_three_kinds_of_lists(self, wrap: Callable[[Any], Any]) -> None:
        """# S14"""
        rows = [{"team_id": "2", "team_alias": "b"}, {"team_id": "1", "team_alias": "A"}, {}, None]
        client, _ = gateway({"/team/list": wrap(rows)})
        assert [team.label for team in await teams.list_teams(client, "ada")] == ["A", "b"]

    async def test_one(self) -> None:
        """# S14"""
        members = [{"user_id": "ada", "role": "admin"}, {"user_id": "bob", "role": "user"}]
        client, _ = gateway({"/team/info": {"team_info": {"team_alias": "x", "members_with_roles": members}}})
        team = await teams.team_info(client, "t")
        assert (team.team_id, team.label, team.admins, team.members) == ("t", "x", ["ada"], ["ada", "bob"])
        client, _ = gateway({"/team/info": (404, {"detail": "no team"})})
        with pytest.raises(NotFound):
            await teams.team_info(client, "t")

    async def test_odd_rows(self) -> None:
        """# S14"""
        rows = [{"team_id": 5}, {"team_id": "a", "members_with_roles": 5}, {"team_id": None}]
        client, _ = gateway({"/team/list": rows})
        assert [(team.team_id, team.members) for team in await teams.list_teams(client, None)] == [("a", [])]
        client, _ = gateway({"/team/info": {"team_info": {"team_id": None, "team_alias": "x"}}})
        assert (await teams.team_info(client, "t")).team_id == "t"


class TestModels:
    """S13."""

    async def test_a_group_whose_name_is_none(self) -> None:
        """# S13"""
        rows = [{"model_group": ["x"]}, {"model_group": "m", "mode": "chat", "max_input_tokens": 10**400}]
        client, _ = gateway({"/models": [{"id": "m"}], "/model_group/info": {"data": rows}, "/model/info": {}})
        (found,) = await models.list_models(client)
        assert (found.name, found.mode, found.max_input_tokens) == ("m", "chat", None)

    @pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"data": x}])
    async def test_two_kinds_of_lists_and_ids_that_repeat(self, wrap: Callable[[Any], Any]) -> None:
        """# S13"""
        client, _ = gateway({"/models": wrap([{"id": "b"}, {"id": "a"}, {"id": "b"}, {"id": None}])})
        assert [model.name for model in await models.list_models(client, details=False)] == ["a", "b"]

    async def test_prices(self) -> None:
        """# S13: 0 that nobody set is unknown, 0 beside a price is a price"""
        groups = [
            {
                "model_group": "priced",
                "input_cost_per_token": 3e-6,
                "output_cost_per_token": 1.5e-5,
                "providers": ["x"],
            },
            {"model_group": "embed", "input_cost_per_token": 2e-8, "output_cost_per_token": 0.0},
            {"model_group": "rack", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
        ]
        infos = [
            {"model_name": "embed", "model_info": {"input_cost_per_token": 2e-8, "output_cost_per_token": 0.0}},
            {"model_name": "rack", "model_info": {"input_cost_per_token": 0, "output_cost_per_token": 0}},
            {
                "model_name": "free",
                "litellm_params": {"input_cost_per_token": 0, "output_cost_per_token": 0},
                "model_info": {"input_cost_per_token": 0, "output_cost_per_token": 0},
            },
            {"model_name": "cached", "model_info": {"cache_read_input_token_cost": None}},
            {"model_name": "cached", "model_info": {"cache_read_input_token_cost": 1e-7}},
            {"model_name": "cached", "model_info": {"cache_creation_input_token_cost": 4e-6}},
        ]
        ids = [{"id": name} for name in ("priced", "embed", "rack", "free", "cached")]
        client, _ = gateway(
            {"/models": {"data": ids}, "/model_group/info": {"data": groups}, "/model/info": {"data": infos}}
        )
        found = {model.name: model for model in await models.list_models(client)}
        cost = {name: (m.input_cost_per_token, m.output_cost_per_token) for name, m in found.items()}
        assert cost["priced"] == (3e-6, 1.5e-5)
        assert cost["embed"] == (2e-8, 0.0)
        assert cost["rack"] == (None, None)
        assert cost["free"] == (0.0, 0.0)
        assert found["cached"].cache_read_cost_per_token == 1e-7
        assert found["cached"].cache_creation_cost_per_token == 4e-6
        assert not found["rack"].priced

    async def test_details_that_are_refused_leave_the_ids(self) -> None:
        """# S13"""
        no = (403, {"detail": "no"})
        client, _ = gateway({"/models": {"data": [{"id": "a"}]}, "/model_group/info": no, "/model/info": no})
        assert [model.name for model in await models.list_models(client)] == ["a"]


class TestDurations:
    """S40."""

    @pytest.mark.parametrize("text", ["1s", "15m", "1h", "30d", "2w", "6mo", "365d"])
    def test_known(self, text: str) -> None:
        """# S40"""
        assert durations.is_duration(text)

    @pytest.mark.parametrize("text", ["", "1y", "0d", "d", "-1", "1 d", "1.5d", "1D", "30", "1d\n", "٣d"])
    def test_unknown(self, text: str) -> None:
        """# S40: LiteLLM answers 1y with a 500"""
        assert not durations.is_duration(text)

    def test_length_and_words(self) -> None:
        """# S40 S42"""
        assert durations.length("2w") == timedelta(days=14)
        assert durations.length("1y") is None
        assert [durations.in_words(text) for text in ("30d", "1h", "3mo", "what")] == [
            "30 days",
            "hour",
            "3 months",
            "what",
        ]


NOW = datetime(2026, 1, 15, tzinfo=UTC)


class TestState:
    """S42."""

    @pytest.mark.parametrize(
        ("left", "expected"),
        [
            (None, "never"),
            (timedelta(days=12), "later"),
            (timedelta(days=7), "later"),
            (timedelta(days=7, seconds=-1), "soon"),
            (timedelta(seconds=1), "soon"),
            (timedelta(0), "expired"),
            (timedelta(days=-2), "expired"),
        ],
    )
    def test_expiry(self, left: timedelta | None, expected: str) -> None:
        """# S42"""
        assert state.expiry(key(expires=None if left is None else NOW + left), NOW) == expected

    @pytest.mark.parametrize(
        ("spend", "limit", "expected", "part"),
        [
            (3, None, "none", None),
            (0, 10, "ok", 0),
            (7.99, 10, "ok", 0.799),
            (8, 10, "near", 0.8),
            (10, 10, "over", 1),
            (25, 10, "over", 2.5),
            (0, 0, "over", 1),
        ],
    )
    def test_budget(self, spend: float, limit: float | None, expected: str, part: float | None) -> None:
        """# S42: not clamped"""
        found = key(spend=spend, max_budget=limit)
        assert state.budget(found) == expected
        assert state.used(found.spend, found.max_budget) == (None if part is None else pytest.approx(part))

    def test_attention_puts_the_most_pressing_first(self) -> None:
        """# S42 S43"""
        fine = key(token="1", key_alias="fine", created_at=NOW)
        soon = key(token="2", key_alias="soon", expires=NOW + timedelta(days=1))
        gone = key(token="3", key_alias="gone", expires=NOW - timedelta(days=1), blocked=True)
        over = key(token="4", key_alias="over", spend=11, max_budget=10)
        idle = key(token="5", key_alias="idle", created_at=NOW - timedelta(days=91))
        shut = key(token="6", key_alias="shut", blocked=True)
        found = state.attention([fine, soon, idle, over, gone, shut], NOW)
        assert [(item.key.label, item.reason.value) for item in found] == [
            ("gone", "expired"),
            ("over", "over budget"),
            ("shut", "blocked"),
            ("soon", "expiring"),
            ("idle", "unused"),
        ]
        assert [reason.value for reason in state.reasons(gone, NOW)] == ["expired", "blocked"]
