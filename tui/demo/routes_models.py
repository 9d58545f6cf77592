"""Models, health, the public routes, and a chat call that is metered."""

from __future__ import annotations

from typing import Any

from tui.demo.auth import Caller
from tui.demo.errors import Refusal, detail, internal, proxy_error
from tui.demo.models import CAPABILITIES, OPENAI_PARAMS, Model
from tui.demo.request import Request
from tui.demo.state import Record, State

_GROUP_CAPABILITIES = [
    "parallel_function_calling",
    "vision",
    "web_search",
    "url_context",
    "reasoning",
    "function_calling",
    "fast_mode",
]


def allowed(gw: State, caller: Caller) -> list[Model]:
    """The models this caller may call: its key's, within its team's."""
    names = caller.key.get("models") or []
    if "no-default-models" in names:
        # Older releases list every model to a key that may call none.
        return [] if gw.newest else list(gw.models)
    team = gw.teams.get(caller.key.get("team_id") or "")
    if names and "all-team-models" not in names and "all-proxy-models" not in names:
        return [model for model in gw.models if model.name in names]
    if team and team["models"] and "all-proxy-models" not in team["models"]:
        return [model for model in gw.models if model.name in team["models"]]
    return list(gw.models)


def models(call: Request) -> Any:
    """GET /models and /v1/models."""
    rows = []
    for model in allowed(call.gw, call.caller):
        row: Record = {"id": model.name, "object": "model", "created": 1677610602, "owned_by": "openai"}
        if call.gw.newest:
            row["mode"] = model.mode
            row.update({"max_input_tokens": model.max_in} if model.max_in else {})
            row.update({"max_output_tokens": model.max_out} if model.max_out else {})
        rows.append(row)
    return {"data": rows, "object": "list"}


def model_group_info(call: Request) -> Any:
    """GET /model_group/info: one row per public name."""
    wanted = call.params.get("model_group")
    rows = [_group(call.gw, model) for model in allowed(call.gw, call.caller) if wanted in (None, "", model.name)]
    return {"data": rows}


def _group(gw: State, model: Model) -> Record:
    unknown = None if gw.newest else 0.0
    row: Record = {
        "model_group": model.name,
        "providers": [model.provider],
        "max_input_tokens": float(model.max_in) if model.max_in else None,
        "max_output_tokens": float(model.max_out) if model.max_out else None,
        "input_cost_per_token": model.price_in if model.price_in is not None else unknown,
        "output_cost_per_token": model.price_out if model.price_out is not None else unknown,
        "mode": model.mode,
        "tpm": None,
        "rpm": None,
    }
    for name in _GROUP_CAPABILITIES:
        if name != "fast_mode" or gw.newest:
            row[f"supports_{name}"] = name in model.can
    row["supported_openai_params"] = list(OPENAI_PARAMS)
    row["configurable_clientside_auth_params"] = None
    if gw.since(1, 75):
        row["input_cost_per_pixel"] = None
        row["is_public_model_group"] = False
        row["health_status"] = row["health_response_time"] = row["health_checked_at"] = None
    if gw.newest:
        row["itpm"] = row["otpm"] = row["description"] = None
        row["supported_reasoning_efforts"] = [] if model.provider == "openai" and model.price_in else None
    return row


def model_info(call: Request) -> Any:
    """GET /model/info and /v1/model/info: one row per deployment."""
    asked = call.params.get("litellm_model_id")
    rows = [_deployment(call.gw, model) for model in allowed(call.gw, call.caller)]
    if asked:
        rows = [row for row in rows if row["model_info"]["id"] == asked]
        if not rows:
            raise detail(400, {"error": f"Model id = {asked} not found on litellm proxy"})
    return {"data": rows}


def _deployment(gw: State, model: Model) -> Record:
    params: Record = {
        "use_in_pass_through": False,
        "use_litellm_proxy": False,
        "merge_reasoning_content_in_choices": False,
        "model": model.upstream,
    }
    if gw.newest:
        params["allow_client_keepalive_override"] = params["use_xai_oauth"] = False
    priced = model.price_in is not None
    unknown = None if gw.newest else 0
    info: Record = {
        "id": model.id,
        "db_model": False,
        "key": model.name if model.provider != "gemini" and priced else model.upstream,
        "max_tokens": model.max_out or model.max_in,
        "max_input_tokens": model.max_in,
        "max_output_tokens": model.max_out,
        "input_cost_per_token": model.price_in if priced else unknown,
        "output_cost_per_token": model.price_out if priced else unknown,
        "cache_creation_input_token_cost": model.price_cache_write,
        "cache_read_input_token_cost": model.price_cache_read,
        "input_cost_per_token_batches": model.price_in / 2 if model.price_in else None,
        "output_cost_per_token_batches": model.price_out / 2 if model.price_out else None,
        "output_vector_size": 1536 if model.mode == "embedding" else None,
        "litellm_provider": model.provider,
        "mode": model.mode,
        "tpm": None,
        "rpm": None,
        "supported_openai_params": list(OPENAI_PARAMS),
    }
    info.update({f"supports_{name}": True if name in model.can else None for name in CAPABILITIES})
    if gw.newest:
        info.update(member_auto_router=False, access_via_team_ids=[], direct_access=True, pricing_overrides=[])
    return {"model_name": model.name, "litellm_params": params, "model_info": info}


# Health and public


def liveliness(call: Request) -> Any:
    """GET /health/liveliness."""
    return "I'm alive!"


def readiness(call: Request) -> Any:
    """GET /health/readiness: names the version only up to 1.83."""
    gw = call.gw
    if gw.newest:
        return {"status": "healthy", "db": "connected"}
    return {
        "status": "healthy" if gw.since(1, 75) else "connected",
        "db": "connected",
        "cache": None,
        "litellm_version": gw.version,
        "success_callbacks": ["_ProxyDBLogger"],
        "use_aiohttp_transport": True,
    }


def license(call: Request) -> Any:
    """GET /health/license: whether there is one (not on 1.74)."""
    kind = "enterprise" if call.gw.licensed else "community"
    return {
        "has_license": call.gw.licensed,
        "license_type": kind,
        "expiration_date": None,
        "allowed_features": [],
        "limits": {"max_users": None, "max_teams": None},
    }


def health_latest(call: Request) -> Any:
    """GET /health/latest: nothing until background checks run."""
    return {"latest_health_checks": {}, "total_models": 0}


def audit(call: Request) -> Any:
    """GET /audit: LiteLLM's Enterprise package answers, with nothing in it."""
    return {"audit_logs": [], "total": 0, "page": 1, "page_size": 10, "total_pages": 0}


def model_hub(call: Request) -> Any:
    """GET /public/model_hub/info."""
    return {
        "docs_title": "LiteLLM API",
        "custom_docs_description": None,
        "litellm_version": call.gw.version,
        "useful_links": {},
    }


def ui_config(call: Request) -> Any:
    """GET /.well-known/litellm-ui-config."""
    gw = call.gw
    if not gw.since(1, 75):
        return {"server_root_path": "/", "proxy_base_url": None}
    row: Record = {"server_root_path": "", "proxy_base_url": None, "auto_redirect_to_sso": False}
    row.update(admin_ui_disabled=False, sso_configured=False, is_control_plane=False, workers=[])
    if gw.newest:
        row.update(gateway_base_url=None, hide_default_credentials_hint=False, mcp_stdio_enabled=False)
    return row


# A metered call


def chat(call: Request) -> Any:
    """POST /chat/completions: a mock answer, counted on key, person, team and in the day's usage row."""
    gw, caller, name = call.gw, call.caller, call.body.get("model")
    model = next((known for known in gw.models if known.name == name), None)
    key_token = str(caller.key.get("token", ""))
    named = caller.key.get("models") or []
    team = gw.teams.get(caller.key.get("team_id") or "")
    if named and not {"all-proxy-models", "all-team-models"} & set(named) and name not in named:
        gw.count_refusal(key_token, gw.stored_name(model) if model else name)
        raise _model_refused(gw, "key", named, name)
    if team and team["models"] and name not in team["models"] and "all-proxy-models" not in team["models"]:
        gw.count_refusal(key_token, gw.stored_name(model) if model else name)
        raise _model_refused(gw, "team", team["models"], name)
    if model is None:
        _count(call, None, 0, 0)
        raise _unknown_model(gw, name)
    if model.mode != "chat":
        raise internal(500, "litellm.InternalServerError: InternalServerError: this model does not chat", gw.newest)
    words = " ".join(str(message.get("content", "")) for message in call.body.get("messages") or [])
    prompt, completion = 8 + len(words) // 4, 20
    _count(call, model, prompt, completion)
    return {
        "id": f"chatcmpl-{gw.new_id()}",
        "created": int(gw.now().timestamp()),
        "model": model.name,
        "object": "chat.completion",
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {"content": model.answer, "role": "assistant"},
            }
        ],
        "usage": {
            "completion_tokens": completion,
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
        },
    }


def _model_refused(gw: State, whose: str, names: list[str], asked: Any) -> Refusal:
    if gw.newest:
        text = (
            f"The requested model '{asked}' is not available for this API key, or the model name is invalid. "
            "Check the models available to you and try again."
        )
        return proxy_error(403, text, f"{whose}_model_access_denied", "model")
    text = f"{whose} not allowed to access model. This {whose} can only access models={names}. Tried to access {asked}"
    return proxy_error(401, text, f"{whose}_model_access_denied", "model")


def _unknown_model(gw: State, name: Any) -> Refusal:
    text = (
        f"/chat/completions: Invalid model name passed in model={name}. "
        "Call `/v1/models` to view available models for your key."
    )
    if not gw.newest:
        return proxy_error(400, repr({"error": text}), "None")
    refusal = proxy_error(400, text, "invalid_request_error", None)
    refusal.body["error"]["provider_specific_fields"] = {"error": text}
    return refusal


def _count(call: Request, model: Model | None, prompt: int, completion: int) -> None:
    gw, key = call.gw, call.caller.key
    cost = model.cost(prompt, completion) if model else 0.0
    day, token = gw.now().date().isoformat(), key.get("token", "litellm_proxy_master_key")
    done = model is not None
    if done and key:
        key["spend"] += cost
        key["total_spend"] += cost
        key["last_active"] = gw.stamp()
    user, team = gw.users.get(call.caller.user_id or ""), gw.teams.get(key.get("team_id") or "")
    for row in (user, team):
        if row and done:
            row["spend"] += cost
    gw.usage_rows  # noqa: B018  # the lazy rows first, so that today's row is found
    upstream = gw.stored_name(model) if model else "unknown-model"
    row = next(
        (
            row
            for row in reversed(gw.usage_rows)
            if (row["date"], row["api_key"], row["model"], row["user_id"])
            == (day, token, upstream, call.caller.user_id)
        ),
        None,
    ) or gw.add_usage(
        date=day,
        user_id=call.caller.user_id,
        api_key=token,
        model=upstream,
        model_group=model.name if model else "unknown-model",
        provider=model.provider if model else None,
        team_id=key.get("team_id"),
        api_requests=0,
        successful_requests=0,
    )
    row["spend"] += cost
    row["prompt_tokens"] += prompt
    row["completion_tokens"] += completion
    row["api_requests"] += 1
    row["successful_requests" if done else "failed_requests"] += 1
