"""Field sets of LiteLLM's records, one per kind of answer, as 1.108.0 gives them.

Read off running proxies of 1.74.0, 1.83.0 and 1.108.0. `AFTER_183` names the fields that 1.83.0
lacks, `AFTER_174` those that 1.83.0 has and 1.74.0 lacks. `shape` picks the right set for a version.
"""

from __future__ import annotations

import copy
from typing import Any

Record = dict[str, Any]


def _fields(null: str = "", maps: str = "", lists: str = "", zeros: str = "", no: str = "", **other: Any) -> Record:
    out: Record = dict.fromkeys(null.split())
    out.update((name, {}) for name in maps.split())
    out.update((name, []) for name in lists.split())
    out.update((name, 0.0) for name in zeros.split())
    out.update((name, False) for name in no.split())
    out.update(other)
    return out


def _without(fields: Record, names: str) -> Record:
    return {name: default for name, default in fields.items() if name not in names.split()}


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


KEY_GENERATED = _fields(
    null="""
        key_alias duration max_budget user_id team_id agent_id max_parallel_requests tpm_limit rpm_limit
        budget_duration budget_limits model_rpm_limit model_tpm_limit mcp_rpm_limit tag_rpm_limit
        guardrails policies prompts blocked object_permission key tpd_limit
        default_estimated_output_tokens default_estimated_output_tokens_per_model budget_id
        end_user_budget_id tags disable_global_guardrails enable_prompt_caching
        throttle_on_budget_exceeded enforced_params allowed_passthrough_routes denied_passthrough_routes
        allowed_vector_store_indexes rpm_limit_type tpm_limit_type key_name expires token_id
        organization_id project_id litellm_budget_table token created_by updated_by created_at updated_at
        """,
    maps="metadata config permissions model_max_budget budget_fallbacks aliases",
    lists="models allowed_cache_controls allowed_routes access_group_ids",
    zeros="spend",
    router_settings={
        "routing_strategy_args": None,
        "routing_strategy": None,
        "routing_groups": None,
        "retry_policy": None,
        "model_group_retry_policy": None,
        "model_group_affinity_config": None,
        "allowed_fails": None,
        "cooldown_time": None,
        "num_retries": None,
        "timeout": None,
        "max_retries": None,
        "retry_after": None,
        "fallbacks": None,
        "context_window_fallbacks": None,
        "model_group_alias": {},
        "enable_tag_filtering": None,
        "weights": None,
        "tag_routing_prefix": None,
        "optional_pre_call_checks": None,
        "fallback_on_unsupported_params": None,
    },
    key_type="default",
)

_KEY = _fields(
    null="""
        token key_name key_alias expires user_id team_id agent_id project_id max_parallel_requests blocked
        tpm_limit rpm_limit tpd_limit max_budget budget_duration budget_reset_at budget_id object_permission_id
        created_at created_by updated_at updated_by settings_updated_at last_active rotation_interval
        last_rotation_at key_rotation_at budget_limits litellm_budget_table object_permission
        """,
    maps="aliases config router_settings permissions metadata model_spend model_max_budget budget_fallbacks",
    lists="models allowed_cache_controls allowed_routes access_group_ids",
    zeros="spend total_spend",
    no="soft_budget_cooldown auto_rotate",
    key_type="default",
    rotation_count=0,
)
"""What every record of a key has."""

KEY_ROW = _KEY | _fields(
    null="organization_id litellm_organization_table litellm_project_table jwt_key_mappings team_alias",
    lists="policies",
)

KEY_INFO = _without(KEY_ROW, "token team_alias") | _fields(
    status="active",
)

KEY_BLOCKED = _KEY | _fields(
    null="org_id",
    blocked=True,
)

KEY_LISTED = _KEY | _fields(
    null="""
        org_id team_spend team_alias team_tpm_limit team_rpm_limit team_tpd_limit team_max_budget
        team_soft_budget team_model_max_budget soft_budget team_model_aliases team_member team_metadata
        team_object_permission_id team_member_spend team_member_tpm_limit team_member_rpm_limit end_user_id
        end_user_tpm_limit end_user_rpm_limit end_user_tpd_limit end_user_max_budget end_user_model_max_budget
        organization_alias organization_max_budget organization_tpm_limit organization_rpm_limit
        organization_metadata project_alias project_metadata last_refreshed_at api_key user_role
        allowed_model_region parent_otel_span rpm_limit_per_model tpm_limit_per_model user_tpm_limit
        user_rpm_limit user_email user_spend user_max_budget user_model_max_budget request_route user
        created_by_user end_user_object_permission team_object_permission jwt_claims
        """,
    lists="team_models",
    no="team_blocked is_session_token",
)

USER_NEW = KEY_GENERATED | _fields(
    null="model_max_budget budget_fallbacks router_settings access_group_ids user_email user_role teams user_alias",
)

USER_ROW = _fields(
    null="""
        verified_subjects user_id user_alias team_id sso_user_id organization_id object_permission_id
        password_reset_required last_breach_check_at user_role max_budget user_email
        max_parallel_requests tpm_limit rpm_limit budget_duration budget_reset_at created_at updated_at
        litellm_organization_table invitations_created invitations_updated invitations_user
        object_permission
        """,
    maps="metadata model_spend model_max_budget model_max_budget_usage",
    lists="teams models allowed_cache_controls policies organization_memberships",
    zeros="spend",
)

USER_LISTED = _fields(
    null="""
        user_id user_alias team_id sso_user_id organization_id object_permission_id
        password_reset_required last_breach_check_at user_role max_budget user_email
        max_parallel_requests tpm_limit rpm_limit budget_duration budget_reset_at created_at updated_at
        organization_memberships object_permission key_count
        """,
    maps="metadata model_spend model_max_budget",
    lists="teams models allowed_cache_controls policies",
    zeros="spend",
)

USER_V2 = _fields(
    null="""
        user_id user_email user_alias user_role max_budget tpm_limit rpm_limit budget_duration
        budget_reset_at created_at updated_at sso_user_id object_permission
        """,
    maps="metadata model_max_budget model_max_budget_usage",
    lists="models teams",
    zeros="spend",
)

TEAM_NEW = _fields(
    null="""
        team_alias team_id organization_id tpm_limit rpm_limit tpd_limit soft_budget budget_duration
        budget_limits max_parallel_requests budget_reset_at model_id litellm_model_table
        object_permission object_permission_id updated_at created_at
        """,
    maps="metadata router_settings model_spend model_max_budget",
    lists="""
        admins members members_with_roles team_member_permissions models access_group_ids
        default_team_member_models policies
        """,
    zeros="max_budget spend",
    no="blocked allow_team_guardrail_config",
)

TEAM_V2 = TEAM_NEW | _fields(
    null="""
        members_count keys_count access_group_models access_group_mcp_server_ids access_group_agent_ids
        access_group_skill_names
        """,
)

TEAM_INFO = _without(TEAM_V2, "members_count keys_count") | _fields(
    null="team_member_budget_table unresolved_access_group_ids access_group_details organization_models",
    maps="model_max_budget_usage",
    caller_edit_access={"kind": "none"},
)

_KINDS = {
    "KEY_GENERATED": KEY_GENERATED,
    "KEY_INFO": KEY_INFO,
    "KEY_ROW": KEY_ROW,
    "KEY_LISTED": KEY_LISTED,
    "KEY_BLOCKED": KEY_BLOCKED,
    "USER_NEW": USER_NEW,
    "USER_ROW": USER_ROW,
    "USER_LISTED": USER_LISTED,
    "USER_V2": USER_V2,
    "TEAM_NEW": TEAM_NEW,
    "TEAM_V2": TEAM_V2,
    "TEAM_INFO": TEAM_INFO,
}

_MADE_183 = _names("""
        budget_fallbacks budget_limits default_estimated_output_tokens default_estimated_output_tokens_per_model
        denied_passthrough_routes disable_global_guardrails enable_prompt_caching end_user_budget_id key_type
        mcp_rpm_limit tag_rpm_limit throttle_on_budget_exceeded tpd_limit
        """)
_KEY_183 = _names("""
        budget_fallbacks budget_id budget_limits key_type settings_updated_at total_spend tpd_limit
        """)
_TEAM_183 = _names("""
        allow_team_guardrail_config budget_limits default_team_member_models model_max_budget model_spend
        policies tpd_limit
        """)
_TEAM_READ_183 = _TEAM_183 | _names("""
        access_group_agent_ids access_group_mcp_server_ids access_group_models access_group_skill_names
        """)
AFTER_183 = {
    "KEY_GENERATED": _MADE_183,
    "KEY_INFO": _names("status"),
    "KEY_LISTED": _KEY_183
    | _names("""
        end_user_tpd_limit is_session_token organization_alias team_model_max_budget team_object_permission
        team_tpd_limit user_model_max_budget
        """),
    "KEY_BLOCKED": _KEY_183,
    "USER_NEW": _MADE_183,
    "USER_ROW": _names("model_max_budget_usage"),
    "USER_LISTED": _names("""
        allowed_cache_controls last_breach_check_at max_parallel_requests object_permission_id organization_id
        password_reset_required policies team_id
        """),
    "USER_V2": _names("model_max_budget model_max_budget_usage object_permission rpm_limit tpm_limit"),
    "TEAM_NEW": _TEAM_183,
    "TEAM_V2": _TEAM_READ_183 | _names("keys_count"),
    "TEAM_INFO": _TEAM_READ_183
    | _names("""
        access_group_details caller_edit_access model_max_budget_usage organization_models
        unresolved_access_group_ids
        """),
}

_MADE_174 = _names("""
        access_group_ids agent_id allowed_passthrough_routes allowed_vector_store_indexes organization_id
        policies project_id prompts router_settings rpm_limit_type tpm_limit_type
        """)
_KEY_174 = _names("""
        access_group_ids agent_id auto_rotate key_rotation_at last_active last_rotation_at project_id
        rotation_count rotation_interval router_settings
        """)
_KEY_READ_174 = _KEY_174 | _names("""
        budget_fallbacks budget_limits jwt_key_mappings key_type litellm_project_table policies
        settings_updated_at total_spend tpd_limit
        """)
_TEAM_174 = _names("access_group_ids router_settings soft_budget")
AFTER_174 = {
    "KEY_GENERATED": _MADE_174,
    "KEY_INFO": _KEY_READ_174,
    "KEY_ROW": _KEY_READ_174,
    "KEY_LISTED": _KEY_174
    | _names("""
        created_by_user end_user_model_max_budget end_user_object_permission jwt_claims organization_max_budget
        organization_metadata organization_rpm_limit organization_tpm_limit project_alias project_metadata
        team_member_rpm_limit team_member_tpm_limit team_object_permission_id team_soft_budget user
        user_max_budget user_spend
        """),
    "KEY_BLOCKED": _KEY_174,
    "USER_NEW": _MADE_174,
    "USER_ROW": _names("last_breach_check_at password_reset_required policies verified_subjects"),
    "TEAM_NEW": _TEAM_174,
    "TEAM_V2": _TEAM_174 | _names("members_count"),
    "TEAM_INFO": _TEAM_174,
}


def shape(kind: str, record: Record, version: tuple[int, ...], **more: Any) -> Record:
    """`record` as the answer of `kind` (a name above) in `version`: its fields, defaults filled in, then `more`."""
    lacking = _lacking(kind, version)
    out = {
        name: copy.deepcopy(record[name]) if name in record else copy.deepcopy(default)
        for name, default in _KINDS[kind].items()
        if name not in lacking
    }
    out.update(more)
    return out


def _lacking(kind: str, version: tuple[int, ...]) -> frozenset[str]:
    lacking: frozenset[str] = frozenset()
    if version < (1, 84):
        lacking |= AFTER_183.get(kind, frozenset())
    if version < (1, 75):
        lacking |= AFTER_174.get(kind, frozenset())
    return lacking
