"""The embedded gateway answers as LiteLLM does: who may call, what is refused, and how."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import tui.demo
from tui.demo import DemoGateway

NOW = datetime(2026, 11, 23, 10, 14, tzinfo=UTC)


def token(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Desk:
    """A gateway with one person (u), her key, and a client."""

    def __init__(self, version: str = "1.108.0") -> None:
        self.gw = DemoGateway(version=version, now=NOW)
        self.gw.add_user(user_id="u", user_email="u@example.com")
        self.key = self.gw.add_key(user_id="u", key_alias="hers")
        self.client = httpx.AsyncClient(transport=self.gw.transport(), base_url=self.gw.url)

    async def get(self, path: str, key: str | None = None, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params, headers=self._bearer(key))

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        return await self.client.post(path, json=body, headers=self._bearer(key))

    def _bearer(self, key: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {key or self.gw.master_key}"}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.client.aclose()


async def test_a_key_that_nobody_knows_is_refused_as_litellm_does(desk: Desk) -> None:
    answer = await desk.get("/key/list", key="sk-nobody-knows-me")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "token_not_found_in_db"
    bare = await desk.client.get("/key/list", headers={"Authorization": desk.key})  # S1
    assert bare.status_code == 401
    assert "Bearer" in bare.json()["error"]["message"]


async def test_blocked_and_expired_keys_are_refused(desk: Desk) -> None:
    blocked = desk.gw.add_key(blocked=True)
    answer = await desk.get("/models", key=blocked)
    assert (answer.status_code, "Key is blocked" in answer.text) == (401, True)
    brief = desk.gw.add_key(expires=NOW + timedelta(hours=1))
    assert (await desk.get("/models", key=brief)).status_code == 200
    desk.gw.clock = lambda: NOW + timedelta(hours=2)
    answer = await desk.get("/models", key=brief)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "expired_key")


async def test_expired_keys_had_another_status_in_older_releases() -> None:
    desk = Desk("1.74.0")
    late = desk.gw.add_key(expires=NOW - timedelta(days=1))
    answer = await desk.get("/models", key=late)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "400")


async def test_routes_that_a_key_type_may_not_call(desk: Desk) -> None:
    talker = desk.gw.add_key(user_id="u", key_type="llm_api")
    reader = desk.gw.add_key(user_id="u", key_type="read_only")
    assert (await desk.get("/key/list", key=talker)).status_code == 403
    assert (await desk.get("/model_group/info", key=talker)).status_code == 200
    assert (await desk.get("/key/list", key=reader)).status_code == 200
    refused = await desk.post("/chat/completions", {"model": "gpt-4o", "messages": []}, key=reader)
    assert "['info_routes']" in refused.json()["detail"]


async def test_generate_gives_the_secret_once_and_knows_it_by_hash(desk: Desk) -> None:
    made = (await desk.post("/key/generate", {"user_id": "u", "key_alias": "new", "duration": "3d"})).json()
    assert made["token"] == token(made["key"])
    assert made["expires"].startswith("2026-11-26T10:14:00")
    assert desk.gw.secret_for(made["token"]) == made["key"]
    shown = (await desk.get("/key/info", key=made["key"])).json()["info"]
    assert shown["key_alias"] == "new"
    assert made["key"] not in str(shown)


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ({"key_alias": "hers"}, 400, "key_alias", "already exists"),
        ({"duration": "1y"}, 500, None, "Unsupported duration unit"),  # S40
        ({"tags": ["a"]}, 403, None, "Enterprise"),
    ],
)
async def test_generate_refusals(desk: Desk, body: Any, status: int, param: str | None, words: str) -> None:
    before = len(desk.gw.keys)
    answer = await desk.post("/key/generate", {"user_id": "u", **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert words in error["message"]
    assert len(desk.gw.keys) == before


async def test_a_person_makes_keys_for_herself_only(desk: Desk) -> None:
    made = (await desk.post("/key/generate", {}, key=desk.key)).json()
    assert made["user_id"] == made["created_by"] == "u"
    answer = await desk.post("/key/generate", {"user_id": "other"}, key=desk.key)
    assert answer.status_code == 403


async def test_1_74_leaves_a_key_without_owner_when_none_is_sent() -> None:  # S9
    desk = Desk("1.74.0")
    assert (await desk.post("/key/generate", {}, key=desk.key)).json()["user_id"] is None


async def test_update_replaces_metadata_and_clears_with_null(desk: Desk) -> None:  # S10
    made = desk.gw.add_key(user_id="u", metadata={"a": 1}, max_budget=5.0, expires=NOW + timedelta(days=1))
    body = {"key": token(made), "metadata": {"b": 2}, "max_budget": None, "duration": "-1"}
    answer = (await desk.post("/key/update", body)).json()
    assert (answer["metadata"], answer["max_budget"], answer["expires"]) == ({"b": 2}, None, None)


async def test_who_may_update_a_key(desk: Desk) -> None:
    by_admin, by_her = token(desk.key), desk.gw.add_key(user_id="u", created_by="u")
    body = {"key": by_admin, "metadata": {}}
    refused = await desk.post("/key/update", body, key=desk.key)
    assert (refused.status_code, "can call /key/update." in refused.text) == (403, True)
    assert (await desk.post("/key/update", {**body, "key": token(by_her)}, key=desk.key)).status_code == 200
    raised = await desk.post("/key/update", {"key": token(by_her), "max_budget": 9}, key=desk.key)
    assert "max_budget/spend" in raised.json()["error"]["message"]
    old = Desk("1.74.0")
    body["key"] = token(old.key)
    assert (await old.post("/key/update", body, key=old.key)).status_code == 200


async def test_delete_echoes_unknown_keys_as_long_as_one_was_known(desk: Desk) -> None:  # S11
    asked = [token(desk.key), "0" * 64]
    assert (await desk.post("/key/delete", {"keys": asked})).json() == {"deleted_keys": asked}
    assert (await desk.post("/key/delete", {"keys": asked})).status_code == 404
    gone = (await desk.get("/key/list", status="deleted")).json()
    assert gone["keys"] == [token(desk.key)]


async def test_block_needs_an_admin(desk: Desk) -> None:
    body = {"key": token(desk.key)}
    assert (await desk.post("/key/block", body, key=desk.key)).status_code == 403
    assert (await desk.post("/key/block", body)).json()["blocked"] is True
    assert (await desk.post("/key/unblock", body)).json()["blocked"] is False


async def test_regenerate_needs_a_licence_and_keeps_the_old_secret_for_its_grace(desk: Desk) -> None:
    path = f"/key/{token(desk.key)}/regenerate"
    refused = await desk.post(path, {"grace_period": "1h"})
    assert (refused.status_code, "Enterprise feature" in refused.text) == (500, True)
    desk.gw.licensed = True
    fresh = (await desk.post(path, {"grace_period": "1h"})).json()["key"]
    assert (await desk.get("/models", key=fresh)).status_code == 200
    assert (await desk.get("/models", key=desk.key)).status_code == 200
    desk.gw.clock = lambda: NOW + timedelta(hours=2)
    assert (await desk.get("/models", key=desk.key)).status_code == 401
    assert (await desk.get("/models", key=fresh)).status_code == 200


async def test_a_bad_grace_period_revokes_at_once(desk: Desk) -> None:
    desk.gw.licensed = True
    await desk.post(f"/key/{token(desk.key)}/regenerate", {"grace_period": "soon"})
    assert (await desk.get("/models", key=desk.key)).status_code == 401


async def test_reset_spend_stays_within_what_was_spent(desk: Desk) -> None:
    spent = desk.gw.add_key(user_id="u", spend=2.5)
    path = f"/key/{token(spent)}/reset_spend"
    assert (await desk.post(path, {"reset_to": 3})).status_code == 400
    assert (await desk.post(path, {"reset_to": 1})).json()["previous_spend"] == 2.5
    assert desk.gw.keys[token(spent)]["spend"] == 1.0


async def test_key_list_pages_by_ten_and_scopes_to_its_caller(desk: Desk) -> None:  # S7
    for number in range(12):
        desk.gw.add_key(user_id="u", key_alias=f"k{number:02d}", spend=float(number))
    desk.gw.add_key(user_id="other")
    first = (await desk.get("/key/list", key=desk.key)).json()
    assert (len(first["keys"]), first["total_count"], first["total_pages"]) == (10, 13, 2)
    rich = await desk.get("/key/list", sort_by="spend", return_full_object="true", size=2)
    assert [row["key_alias"] for row in rich.json()["keys"]] == ["k11", "k10"]
    assert (await desk.get("/key/list", key=desk.key, user_id="other")).status_code == 403
    assert (await desk.get("/key/list", size=101)).json()["detail"][0]["type"] == "less_than_equal"


async def test_a_missing_person_in_each_release() -> None:  # S4
    for version, status in (("1.108.0", 404), ("1.83.0", 404), ("1.74.0", 200)):
        answer = await Desk(version).get("/user/info", user_id="ghost")
        assert answer.status_code == status
        if status == 200:
            assert answer.json()["user_info"] == {"spend": 0}


async def test_new_person_twice_is_a_conflict_and_update_creates(desk: Desk) -> None:  # S6
    body = {"user_id": "n", "user_role": "internal_user", "auto_create_key": False}
    assert (await desk.post("/user/new", body)).json()["key"] == ""
    assert (await desk.post("/user/new", body)).status_code == 409
    await desk.post("/user/update", {"user_id": "made-by-update"})
    assert "made-by-update" in desk.gw.users


async def test_routes_come_with_their_release() -> None:
    dates = {"start_date": "2026-11-01", "end_date": "2026-11-23"}
    there = {
        "1.74.0": {"/user/daily/activity"},
        "1.83.0": {"/user/daily/activity", "/user/daily/activity/aggregated", "/v2/user/info"},
        "1.108.0": {
            "/user/daily/activity",
            "/user/daily/activity/aggregated",
            "/user/daily/activity/export",
            "/v2/user/info",
            "/management/v1/users/me",
        },
    }
    for version, routes in there.items():
        desk = Desk(version)
        for route in there["1.108.0"]:
            answer = await desk.get(route, **dates)
            assert (answer.status_code != 404) == (route in routes), (version, route)
    unknown = await desk.get("/no/such/route")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})


async def test_aggregated_usage_is_not_for_people_in_1_83() -> None:
    desk = Desk("1.83.0")
    answer = await desk.get("/user/daily/activity/aggregated", key=desk.key, start_date="a", end_date="b")
    assert (answer.status_code, "Only proxy admin" in answer.text) == (401, True)


async def test_usage_pages_cut_days_and_total_the_page_alone(desk: Desk) -> None:  # S22
    for day in ("2026-11-20", "2026-11-21"):
        for model in ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"):
            desk.gw.add_usage(date=day, user_id="u", api_key=token(desk.key), model=model, model_group=model, spend=1.0)
    ask = {"start_date": "2026-11-01", "end_date": "2026-11-30", "page_size": 4}
    first = (await desk.get("/user/daily/activity", key=desk.key, **ask)).json()
    assert first["metadata"]["total_spend"] == 4.0
    assert first["metadata"]["has_more"] is True
    assert [row["date"] for row in first["results"]] == ["2026-11-21", "2026-11-20"]
    second = (await desk.get("/user/daily/activity", key=desk.key, page=2, **ask)).json()
    assert [(row["date"], row["metrics"]["spend"]) for row in second["results"]] == [("2026-11-20", 2.0)]
    whole = (await desk.get("/user/daily/activity/aggregated", key=desk.key, **ask)).json()
    assert whole["metadata"]["total_spend"] == 6.0
    ask["export_type"], ask["format"] = "daily_with_models", "json"
    lines = (await desk.get("/user/daily/activity/export", key=desk.key, **ask)).json()
    assert sum(line["spend"] for line in lines) == 6.0


async def test_1_74_gives_an_admin_everyone_whatever_person_is_asked_for() -> None:
    desk = Desk("1.74.0")
    desk.gw.add_usage(date="2026-11-20", user_id="u", api_key="k", model="gpt-4o", spend=1.0)
    desk.gw.add_usage(date="2026-11-20", user_id="v", api_key="l", model="gpt-4o", spend=2.0)
    ask = {"start_date": "2026-11-20", "end_date": "2026-11-20", "user_id": "u"}
    assert (await desk.get("/user/daily/activity", **ask)).json()["metadata"]["total_spend"] == 3.0


async def test_a_call_is_metered_until_the_budget_is_gone(desk: Desk) -> None:
    key = desk.gw.add_key(user_id="u", max_budget=0.0003, models=["gpt-4o"])
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    assert (await desk.post("/v1/chat/completions", body, key=key)).status_code == 200
    record = desk.gw.keys[token(key)]
    assert record["spend"] == pytest.approx(8 * 2.5e-6 + 20 * 1e-5)
    assert desk.gw.users["u"]["spend"] == record["spend"]
    assert [row["spend"] for row in desk.gw.usage_rows] == [record["spend"]]
    await desk.post("/v1/chat/completions", body, key=key)
    over = await desk.post("/v1/chat/completions", body, key=key)
    assert (over.status_code, over.json()["error"]["type"]) == (422, "budget_exceeded")
    assert (await desk.get("/key/list", key=key)).status_code == 200
    tight = desk.gw.add_key(user_id="u", models=["gpt-4o"])
    other = await desk.post("/chat/completions", {**body, "model": "gpt-4o-mini"}, key=tight)
    assert (other.status_code, other.json()["error"]["type"]) == (403, "key_model_access_denied")


async def test_a_refused_call_counts_as_a_failure_of_its_key(desk: Desk) -> None:  # S44
    assert (await desk.get("/health/latest", key=desk.key)).status_code == 401
    row = desk.gw.usage_rows[-1]
    assert (row["api_key"], row["failed_requests"], row["spend"]) == (token(desk.key), 1, 0.0)
    ask = {"start_date": row["date"], "end_date": row["date"]}
    day = (await desk.get("/user/daily/activity", key=desk.key, **ask)).json()["results"][0]
    assert (day["metrics"]["failed_requests"], day["breakdown"]["models"]) == (1, {})


async def test_a_budget_starts_again_when_its_window_ends(desk: Desk) -> None:  # S25
    key = desk.gw.add_key(user_id="u", max_budget=1.0, budget_duration="30d", spend=0.9)
    assert desk.gw.keys[token(key)]["budget_reset_at"] == "2026-12-01T00:00:00Z"
    desk.gw.clock = lambda: datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    info = (await desk.get("/key/info", key=key)).json()["info"]
    assert (info["spend"], info["budget_reset_at"]) == (0.0, "2027-01-01T00:00:00+00:00")


async def test_a_lost_answer_has_done_its_work(desk: Desk) -> None:
    desk.gw.intercept("POST", "/key/generate", httpx.ReadError("cut"), after=True)
    with pytest.raises(httpx.ReadError):
        await desk.post("/key/generate", {"key_alias": "lost"})
    assert "lost" in [row["key_alias"] for row in desk.gw.keys.values()]
    assert (await desk.post("/key/generate", {"key_alias": "found"})).status_code == 200


async def test_injected_answers_run_out(desk: Desk) -> None:
    desk.gw.intercept("GET", "/key/*", httpx.Response(503, text="<html>busy</html>"), times=2)
    assert [(await desk.get("/key/list")).status_code for _ in range(3)] == [503, 503, 200]
    desk.gw.intercept("GET", "/models", httpx.ConnectError("down"))
    with pytest.raises(httpx.ConnectError):
        await desk.get("/models")
    assert [call.status for call in desk.gw.calls] == [503, 503, 200, 0]
    assert desk.gw.calls[0].key_hash == token(desk.gw.master_key)


async def test_what_a_person_sees_in_a_team(desk: Desk) -> None:
    desk.gw.add_team("t", team_alias="core", members_with_roles=[{"user_id": "u", "role": "user"}])
    assert (await desk.get("/team/list", key=desk.key)).status_code == 401
    listed = (await desk.get("/v2/team/list", key=desk.key, user_id="u")).json()
    assert [team["team_alias"] for team in listed["teams"]] == ["core"]
    info = (await desk.get("/team/info", key=desk.key, team_id="t")).json()
    assert info["team_info"]["team_alias"] == "core"
    assert (await desk.get("/team/info", team_id="none")).status_code == 404  # S14
    refused = await desk.post("/key/generate", {"team_id": "t"}, key=desk.key)
    assert refused.json()["error"]["type"] == "team_member_permission_error"


def test_it_stands_alone() -> None:
    for path in Path(tui.demo.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top = name.split(".")[0]
                assert name.startswith("tui.demo") or top in sys.stdlib_module_names | {"httpx"}, (path, name)
    script = "import sys, tui.demo; print('textual' in sys.modules or 'tui.gateway' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
