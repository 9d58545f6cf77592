"""Models, teams and usage on every gateway (S13, S14, S20-S24)."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.conftest import Stand
from tui.gateway import capabilities, models, teams, usage
from tui.gateway.errors import NotFound
from tui.gateway.usage import Metrics, Question, Reader, Usage

DAY = date(2026, 1, 5)


async def test_the_release_is_known(gateway: Stand) -> None:
    """# S44: without a key's rights"""
    assert (await capabilities.server(gateway.client("sk-nobody-in-particular"))).version == gateway.proxy.version


async def test_models_with_and_without_a_price(gateway: Stand) -> None:
    """# S13"""
    found = {model.name: model for model in await models.list_models(gateway.admin)}
    assert {"gpt-4o", "in-house-llama"} <= set(found)
    gpt = found["gpt-4o"]
    assert gpt.priced
    assert gpt.input_cost_per_token is not None
    assert 1e-7 < gpt.input_cost_per_token < 1e-4
    assert (gpt.mode, "openai" in gpt.providers, "tools" in gpt.capabilities) == ("chat", True, True)
    assert gpt.max_input_tokens == 128_000
    llama = found["in-house-llama"]
    assert not llama.priced
    assert (llama.input_cost_per_token, llama.output_cost_per_token) == (None, None)


async def test_each_model_comes_once(gateway: Stand) -> None:
    """# S13"""
    names = [model.name for model in await models.list_models(gateway.admin)]
    assert names == sorted(set(names), key=lambda name: (name.lower(), name))


async def test_a_key_for_two_models_sees_two(gateway: Stand) -> None:
    """# S13"""
    made = await gateway.key(await gateway.user(), models=["gpt-4o", "gpt-4o-mini"])
    found = await models.list_models(gateway.client(made.secret))
    assert [model.name for model in found] == ["gpt-4o", "gpt-4o-mini"]


async def test_a_key_for_calls_alone_sees_the_ids(gateway: Stand) -> None:
    """# S13 S44"""
    made = await gateway.key(await gateway.user(), key_type="llm_api")
    found = await models.list_models(gateway.client(made.secret), details=False)
    assert "gpt-4o" in [model.name for model in found]
    assert not any(model.priced for model in found)


async def test_a_team_and_its_people(gateway: Stand) -> None:
    """# S14"""
    ada, bob = await gateway.user("ada"), await gateway.user("bob")
    team_id = await gateway.team(
        members_with_roles=[{"role": "admin", "user_id": ada}, {"role": "user", "user_id": bob}],
        models=["gpt-4o"],
        max_budget=20,
    )
    team = await teams.team_info(gateway.admin, team_id)
    assert (team.label, team.models, team.max_budget) == (team_id, ["gpt-4o"], 20.0)
    assert ada in team.admins
    assert bob not in team.admins
    assert {ada, bob} <= set(team.members)
    own = gateway.client((await gateway.key(bob)).secret)
    assert [each.team_id for each in await teams.list_teams(own, bob)] == [team_id]
    assert team_id in [each.team_id for each in await teams.list_teams(gateway.admin, None)]


async def test_a_team_that_is_not_there(gateway: Stand) -> None:
    """# S14 S15"""
    with pytest.raises(NotFound):
        await teams.team_info(gateway.admin, gateway.name("none"))


@pytest.mark.parametrize("admin", [True, False])
async def test_usage_of_one_who_used_nothing(gateway: Stand, admin: bool) -> None:
    """# S21 S24: days are there, at zero"""
    user_id = await gateway.user()
    client = gateway.admin if admin else gateway.client((await gateway.key(user_id)).secret)
    found = await usage.usage(client, DAY, DAY + timedelta(days=6), user_id, admin=admin)
    assert found.totals.empty
    assert [row.date for row in found.daily] == [DAY + timedelta(days=number) for number in range(7)]
    assert (found.by_model, found.by_key, found.daily_by_model) == ([], [], [])


async def test_usage_of_a_team_that_used_nothing(gateway: Stand) -> None:
    """# S24"""
    found = await usage.team_usage(gateway.admin, await gateway.team(), DAY, DAY)
    assert found.totals.empty


SEEDED = "seed-user-1"


async def spender(gateway: Stand, start: date) -> str:
    """Somebody who used several keys and models in the week from `start`: the seeded user on a real gateway."""
    if gateway.demo is None:
        return SEEDED
    user_id = await gateway.user()
    hashes = [(await gateway.key(user_id, f"key{number}")).hash for number in range(3)]
    for number in range(60):
        gateway.demo.add_usage(
            date=(start + timedelta(days=number % 7)).isoformat(),
            user_id=user_id,
            api_key=hashes[number % 3],
            model=("gpt-4o", "openai/gpt-4o", "claude", "openai/model-1")[number % 4],
            spend=number / 256,
            prompt_tokens=number,
            api_requests=number + 1,
            successful_requests=number,
            failed_requests=1,
        )
    return user_id


def same(one: Metrics, other: Metrics) -> bool:
    """Sums of dollars depend on their order."""
    return one.counts(other) and one.spend == pytest.approx(other.spend, abs=1e-9)


@pytest.mark.parametrize("pages", [False, True], ids=["cheapest", "pages"])
async def test_each_row_is_the_report_narrowed_to_it(gateway: Stand, pages: bool) -> None:
    """# S20 S22 S23: every model, key and day of a week, and the sums alone"""
    start, end = usage.last_days(7, usage.utc_today() - timedelta(days=1))
    user_id = await spender(gateway, start)
    reader = Reader(gateway.admin, gateway.server, True, pages_only=pages)

    async def read(first: date = start, last: date = end, **narrow: Any) -> Usage:
        return await reader.read(Question("user", user_id, **narrow), first, last)

    wide = await read()
    if user_id == SEEDED and wide.totals.empty:
        pytest.skip("this proxy has not been seeded: ../shared/proxy/proxy seed")
    assert len(wide.by_model) > 2 and len(wide.by_key) > 2
    for model in wide.by_model:
        found = await read(models=tuple(model.names))
        assert same(found.totals, model.metrics)
        assert [row.model for row in found.by_model] == [model.model]
        days = {row.date: row.metrics for row in wide.daily_by_model if row.model == model.model}
        assert all(same(row.metrics, days.get(row.date, Metrics())) for row in found.daily)
        assert same(await reader.totals(Question("user", user_id, models=tuple(model.names)), start, end), found.totals)
    crossed = Metrics()
    for key in wide.by_key:
        found = await read(key=key.hash)
        assert same(found.totals, key.metrics)
        assert [(row.hash, row.alias) for row in found.by_key] == [(key.hash, key.alias)]
        one = await read(key=key.hash, models=tuple(wide.by_model[0].names))
        crossed.add(one.totals)
        of_key = {row.model: row.metrics for row in found.by_model}
        assert same(one.totals, of_key.get(wide.by_model[0].model, Metrics()))
    assert same(crossed, wide.by_model[0].metrics)
    for day in wide.daily:
        assert same((await read(day.date, day.date)).totals, day.metrics)
    assert same(await reader.totals(Question("user", user_id), start, end), wide.totals)
