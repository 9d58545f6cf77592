"""The model groups that a key may call, with what they cost and can do (S13)."""

import asyncio
from typing import Any

from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, Forbidden, RouteMissing, Unauthorized
from tui.gateway.fields import number, whole, word, words
from tui.gateway.schema import Model

_CAPABILITIES = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_reasoning": "reasoning",
    "supports_web_search": "web",
    "supports_parallel_function_calling": "parallel tools",
    "supports_prompt_caching": "cache",
    "supports_audio_input": "audio in",
    "supports_audio_output": "audio out",
    "supports_pdf_input": "pdf",
    "supports_response_schema": "json schema",
}


async def list_models(client: Client, *, details: bool = True) -> list[Model]:
    """What the session's key may call, by name, each once.

    The ids of `/models` decide; `/model_group/info` and `/model/info` add prices (USD per token), limits in tokens and
    capabilities. A price that neither knows stays None. With `details=False` (a key that may read ids alone) only
    `/models` is asked.
    """
    if not details:
        return [Model(name=name) for name in _names(await client.get("/models"))]
    ids, groups, deployments = await asyncio.gather(
        client.get("/models"), _optional(client, "/model_group/info"), _optional(client, "/model/info")
    )
    by_group = {word(row.get("model_group")): row for row in groups}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in deployments:
        by_name.setdefault(str(row.get("model_name")), []).append(row)
    return [_model(name, by_group.get(name, {}), by_name.get(name, [])) for name in _names(ids)]


async def _optional(client: Client, path: str) -> list[dict[str, Any]]:
    try:
        answer = await client.get(path)
    except (Forbidden, Unauthorized, RouteMissing):
        return []
    rows = answer.get("data") if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _names(answer: Any) -> list[str]:
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        raise BadAnswer("The gateway's list of models holds no models; is the URL LiteLLM's?")
    ids = [row.get("id") if isinstance(row, dict) else row for row in rows]
    return sorted({name for name in ids if isinstance(name, str) and name}, key=lambda name: (name.lower(), name))


def _model(name: str, group: dict[str, Any], deployments: list[dict[str, Any]]) -> Model:
    infos = [row["model_info"] for row in deployments if isinstance(row.get("model_info"), dict)]
    params = [row["litellm_params"] for row in deployments if isinstance(row.get("litellm_params"), dict)]

    def first(field: str) -> Any:
        return next((source[field] for source in (group, *infos) if source.get(field) is not None), None)

    priced = [
        info
        for info in infos
        if any(number(info.get(field)) for field in ("input_cost_per_token", "output_cost_per_token"))
    ]
    costs: dict[str, Any] = {}
    for field in ("input_cost_per_token", "output_cost_per_token"):
        cost = number(first(field))
        # LiteLLM writes 0 for a model that its cost map does not know: unknown, unless its price was set on purpose
        known = bool(cost) or bool(priced) or any(field in param for param in params)
        costs[field] = cost if known else None
    able = [label for field, label in _CAPABILITIES.items() if first(field) is True]
    return Model(
        name=name,
        providers=words(group.get("providers"))
        or sorted({found for info in infos if (found := word(info.get("litellm_provider")))}),
        mode=word(first("mode")),
        cache_read_cost_per_token=number(first("cache_read_input_token_cost")),
        cache_creation_cost_per_token=number(first("cache_creation_input_token_cost")),
        max_input_tokens=whole(first("max_input_tokens")),
        max_output_tokens=whole(first("max_output_tokens")),
        tpm_limit=whole(group.get("tpm")),
        rpm_limit=whole(group.get("rpm")),
        capabilities=able,
        deployments=[found for param in params if (found := word(param.get("model")))],
        description=word(group.get("description")),
        **costs,
    )
