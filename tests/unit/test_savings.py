"""What the prompt cache saved and whose models were used (S13, S23)."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.gateway.schema import Model
from tui.gateway.usage import Metrics, ModelUsage, Usage
from tui.savings import Saved, by_provider, providers, saved

GPT = Model(name="gpt-4o", providers=["openai"], input_cost_per_token=2.5e-6, cache_read_cost_per_token=1.25e-6)
CLAUDE = Model(
    name="claude",
    providers=["anthropic"],
    input_cost_per_token=3e-6,
    cache_read_cost_per_token=3e-7,
    cache_creation_cost_per_token=3.75e-6,
)
MILLION = 1_000_000


def usage(models: dict[str, tuple[int, int]]) -> Usage:
    """The tokens of each model that were read from the cache and written into it."""
    found = Usage(date(2025, 11, 1), date(2025, 11, 30), datetime(2025, 12, 1, tzinfo=UTC))
    for name, (read, written) in models.items():
        row = Metrics(1.0, cache_read_input_tokens=read, cache_creation_input_tokens=written, api_requests=1)
        found.by_model.append(ModelUsage(name, row))
        found.totals.add(row)
    return found


@pytest.mark.parametrize(
    ("model", "read", "written", "usd"),
    [
        ("gpt-4o", MILLION, 0, 1.25),
        ("gpt-4o", MILLION, MILLION, 1.25),
        ("claude", MILLION, 0, 2.70),
        ("claude", MILLION, MILLION, 1.95),
        ("claude", 0, MILLION, -0.75),
        ("gpt-4o", 0, 0, 0.0),
    ],
)
def test_reading_is_cheaper_and_writing_may_be_dearer(model: str, read: int, written: int, usd: float) -> None:
    found = saved(usage({model: (read, written)}), [GPT, CLAUDE])
    assert found.usd == pytest.approx(usd)
    assert found.unpriced == []


def test_writing_at_a_price_of_nothing_is_no_saving() -> None:
    """LiteLLM's cost map has 0 where a provider does not bill for it by the token."""
    model = CLAUDE.model_copy(update={"cache_creation_cost_per_token": 0.0})
    assert saved(usage({"claude": (0, MILLION)}), [model]).usd == 0


@pytest.mark.parametrize(("used", "listed"), [("openai/gpt-4o", "gpt-4o"), ("gpt-4o", "openai/gpt-4o")])
def test_a_name_with_its_provider_is_the_same_model(used: str, listed: str) -> None:
    """# S23"""
    model = GPT.model_copy(update={"name": listed})
    found = saved(usage({used: (MILLION, 0)}), [CLAUDE, model])
    assert found.usd == pytest.approx(1.25)
    assert found.unpriced == []


def test_the_very_name_is_taken_before_one_that_ends_alike() -> None:
    dear = GPT.model_copy(update={"name": "azure/gpt-4o", "input_cost_per_token": 1.0})
    assert saved(usage({"gpt-4o": (MILLION, 0)}), [dear, GPT]).usd == pytest.approx(1.25)


def test_models_without_a_price_are_named_and_not_guessed() -> None:
    """# S13"""
    models = [
        GPT.model_copy(update={"name": "azure/gpt-4o"}),
        GPT.model_copy(update={"name": "openai/gpt-4o"}),
        CLAUDE.model_copy(update={"cache_read_cost_per_token": None}),
        Model(name="llama", cache_read_cost_per_token=1e-7),
        GPT.model_copy(update={"name": "mini"}),
    ]
    read = (MILLION, 5)
    found = saved(
        usage({"gpt-4o": read, "claude": read, "llama": read, "gone": read, "silent": (0, 9), "mini": read}), models
    )
    assert found.unpriced == ["gpt-4o", "claude", "llama", "gone"]
    assert found.usd == pytest.approx(1.25)


def test_another_provider_of_the_same_model_is_not_this_one() -> None:
    azure = GPT.model_copy(update={"name": "azure/gpt-4o"})
    assert saved(usage({"openai/gpt-4o": (MILLION, 0)}), [azure]) == Saved(0.0, ["openai/gpt-4o"])


def test_the_provider_is_the_prefix_else_that_of_the_group() -> None:
    models = [GPT, CLAUDE, Model(name="mixed", providers=["azure", "openai"]), Model(name="bare")]
    names = ["azure/gpt-4o", "gpt-4o", "claude", "mixed", "bare", "gone", "/odd"]
    assert providers(usage(dict.fromkeys(names, (0, 0))), models) == {
        "azure/gpt-4o": "azure",
        "gpt-4o": "openai",
        "claude": "anthropic",
        "mixed": None,
        "bare": None,
        "gone": None,
        "/odd": None,
    }


def test_providers_come_dearest_first_and_the_rest_is_unknown() -> None:
    used = usage(dict.fromkeys(["claude", "gone", "openai/o3", "gpt-4o", "odd", "what"], (1, 2)))
    found = by_provider(used, providers(used, [GPT, CLAUDE]))
    assert [(each.label, each.metrics.spend, each.metrics.api_requests) for each in found] == [
        ("unknown", 3.0, 3),
        ("openai", 2.0, 2),
        ("anthropic", 1.0, 1),
    ]


@given(st.dictionaries(st.text("ab/", max_size=4), st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=9))
def test_the_providers_add_up_to_the_total(models: dict[str, tuple[int, int]]) -> None:
    """# S22"""
    found = usage(models)
    total = Metrics()
    for each in by_provider(found, providers(found, [GPT, Model(name="b", providers=["a"])])):
        total.add(each.metrics)
    assert total == found.totals
