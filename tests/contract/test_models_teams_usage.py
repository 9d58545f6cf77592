"""Models, teams and usage on every gateway (S13, S14, S20-S24)."""

from datetime import date, timedelta

import pytest

from tests.conftest import Stand
from tui.gateway import capabilities, models, teams, usage
from tui.gateway.errors import NotFound

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
