"""The data of --demo: every state of a key is there, and its sums agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tui.demo import DemoGateway
from tui.demo.believable import window_start

NOW = datetime(2026, 11, 23, 10, 14, tzinfo=UTC)
# Any day must look right: the first minute of a month, a Monday, a leap day.
DAYS = [NOW, datetime(2026, 11, 1, 0, 1, tzinfo=UTC), datetime(2028, 2, 29, 23, 59, tzinfo=UTC)]


def test_two_starts_show_the_same() -> None:
    one, two = DemoGateway.believable(NOW), DemoGateway.believable(NOW)
    assert one.keys == two.keys
    assert one.usage_rows == two.usage_rows
    assert one.demo_key == two.demo_key


@pytest.mark.parametrize("now", DAYS)
def test_every_state_of_a_key_is_there(now: datetime) -> None:
    gw = DemoGateway.believable(now)
    mine = {row["key_alias"]: row for row in gw.keys.values() if row["user_id"] == gw.demo_user}
    assert len(mine) >= 12
    assert mine["batch-eval"]["spend"] / mine["batch-eval"]["max_budget"] == pytest.approx(0.964)
    assert mine["nightly-summaries"]["spend"] > mine["nightly-summaries"]["max_budget"]
    assert mine["ci-nightly"]["expires"] < now.isoformat() < mine["demo-booth"]["expires"]
    assert mine["demo-booth"]["expires"] < (now + timedelta(days=4)).isoformat()
    assert mine["old-notebook"]["blocked"] is True
    assert (mine["conference-talk"]["last_active"], mine["conference-talk"]["spend"]) == (None, 0.0)
    assert mine["prod-api"]["max_budget"] is None
    assert mine["platform-gateway"]["team_id"] in gw.teams
    assert {row["key_type"] for row in mine.values()} == {"default", "llm_api", "read_only"}
    assert len({row["user_id"] for row in gw.keys.values()}) == 4


@pytest.mark.parametrize("now", DAYS)
def test_spend_agrees_with_the_usage_of_the_running_window(now: datetime) -> None:
    gw = DemoGateway.believable(now)
    told = {"batch-eval", "nightly-summaries"}  # these carry a share whatever the day
    for hash_, key in gw.keys.items():
        start = window_start(key, now)
        used = sum(row["spend"] for row in gw.usage_rows if row["api_key"] == hash_ and row["date"] >= start)
        if key["key_alias"] not in told:
            assert key["spend"] == pytest.approx(used, abs=1e-5), key["key_alias"]


def test_two_years_with_weekends_growth_failures_and_one_bad_day() -> None:
    gw = DemoGateway.believable(NOW)
    days: dict[str, list[float]] = {}
    for row in gw.usage_rows:
        day = days.setdefault(row["date"], [0.0, 0.0, 0.0])
        for place, name in enumerate(("api_requests", "failed_requests", "spend")):
            day[place] += row[name]
    assert len(days) == 740
    assert max(days) == "2026-11-23"
    bad = [day for day, (requests, failed, _) in days.items() if failed / requests > 0.15]
    assert len(bad) == 1
    ordered = [days[day] for day in sorted(days)]
    assert sum(day[2] for day in ordered[-31:-1]) > 1.2 * sum(day[2] for day in ordered[:30])
    laptop = next(hash_ for hash_, row in gw.keys.items() if row["key_alias"] == "laptop")
    weekend = weekday = 0.0
    for row in gw.usage_rows:
        if row["api_key"] == laptop:
            idle = datetime.fromisoformat(row["date"]).weekday() >= 5
            weekend, weekday = weekend + idle * row["spend"], weekday + (not idle) * row["spend"]
    assert weekend < 0.15 * weekday
    assert sum(row["cache_read_input_tokens"] for row in gw.usage_rows) > 0
    assert all(row["successful_requests"] + row["failed_requests"] == row["api_requests"] for row in gw.usage_rows)


async def test_ada_opens_her_own_world() -> None:
    gw = DemoGateway.believable(NOW)
    headers = {"Authorization": f"Bearer {gw.demo_key}"}
    async with httpx.AsyncClient(transport=gw.transport(), base_url=gw.url, headers=headers) as client:
        me = (await client.get("/management/v1/users/me")).json()
        assert me == {"user_id": gw.demo_user, "user_role": "internal_user", "user_email": gw.demo_user}
        keys = (await client.get("/key/list", params={"size": 100})).json()
        assert keys["total_count"] >= 12
        dates = {"start_date": "2026-11-01", "end_date": "2026-11-23"}
        usage = (await client.get("/user/daily/activity/aggregated", params=dates)).json()
        assert usage["metadata"]["total_spend"] > 10
        models = (await client.get("/model_group/info")).json()["data"]
    assert len(models) == 3  # her laptop key names three
    free = next(model for model in gw.models if model.name == "in-house-llama")
    assert (free.price_in, free.max_in) == (None, None)
    assert len(gw.models) == 8
