"""What the prompt cache saved, and which provider the spend went to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tui.gateway.schema import Model
from tui.gateway.usage import Metrics, Usage


@dataclass(frozen=True, slots=True)
class Saved:
    """USD that reading from the prompt cache saved; below 0 where writing into it cost more.

    `unpriced` names the models that read from the cache and have no known prices: their part is not in `usd`.
    """

    usd: float = 0.0
    unpriced: list[str] = field(default_factory=list)


def saved(usage: Usage, models: Sequence[Model]) -> Saved:
    """The tokens read from the cache at the input price, less what they cost, less the surcharge of writing them.

    Prices are those of today and of the base tier: LiteLLM keeps no earlier ones. Where the price of writing is
    unknown, or not above the input price, nothing is taken off.
    """
    usd, unpriced = 0.0, []
    for row in usage.by_model:
        read, written = row.metrics.cache_read_input_tokens, row.metrics.cache_creation_input_tokens
        model = _group(row.model, models)
        full = model.input_cost_per_token if model else None
        if model is None or full is None or (read and model.cache_read_cost_per_token is None):
            if read:
                unpriced.append(row.model)
            continue
        if model.cache_read_cost_per_token is not None:
            usd += read * (full - model.cache_read_cost_per_token)
        if model.cache_creation_cost_per_token is not None:
            usd -= written * max(0.0, model.cache_creation_cost_per_token - full)
    return Saved(usd, unpriced)


def providers(usage: Usage, models: Sequence[Model]) -> dict[str, str | None]:
    """The provider of each model of `usage`: the prefix of its name, else the only one of its group, else None."""
    return {row.model: _provider(row.model, models) for row in usage.by_model}


@dataclass(slots=True)
class ProviderUsage:
    """The models of one provider, as `ModelUsage` has them; "" is "no provider known"."""

    provider: str
    names: list[str] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def label(self) -> str:
        """For eyes."""
        return self.provider or "unknown"


def by_provider(usage: Usage, providers: Mapping[str, str | None]) -> list[ProviderUsage]:
    """The sums of each provider, dearest first; together they are those of all models. `providers` as above."""
    found: dict[str, ProviderUsage] = {}
    for row in usage.by_model:
        name = providers.get(row.model) or ""
        each = found.setdefault(name, ProviderUsage(name))
        each.names.extend(row.names)
        each.metrics.add(row.metrics)
    return sorted(found.values(), key=lambda each: (-each.metrics.spend, each.label))


def _provider(name: str, models: Sequence[Model]) -> str | None:
    prefix, slash, _ = name.partition("/")
    if slash and prefix:
        return prefix
    model = _group(name, models)
    return model.providers[0] if model and len(model.providers) == 1 else None


def _group(name: str, models: Sequence[Model]) -> Model | None:
    """The group of a name that usage holds: of that very name, else the only one that differs by a prefix alone."""
    for model in models:
        if model.name == name:
            return model
    tail = _tail(name)
    near = [model for model in models if model.name == tail or _tail(model.name) == name]
    return near[0] if len(near) == 1 else None


def _tail(name: str) -> str | None:
    return name.partition("/")[2] or None
