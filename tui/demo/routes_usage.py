"""The daily activity routes: pages over raw rows, aggregates, and exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

import httpx

from tui.demo.errors import detail, unprocessable
from tui.demo.request import Request, pages
from tui.demo.state import Record, State

_COUNTS = [
    "prompt_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "successful_requests",
    "failed_requests",
    "api_requests",
]
# Metrics of recent releases that the demo leaves at zero.
_ZERO_MONEY = [
    "flat_cost",
    "ptu_hours",
    "compression_savings_spend",
    "prompt_caching_savings_spend",
    "gateway_injected_caching_savings_spend",
    "autorouter_savings_spend",
]
_EXPORTS = ("daily", "daily_with_keys", "daily_with_models", "daily_with_users")
_COLUMNS = [
    "date",
    "entity_id",
    "entity_alias",
    "api_key",
    "key_alias",
    "user_id",
    "user_email",
    "model",
    "spend",
    "flat_cost",
    "prompt_tokens",
    "completion_tokens",
    "api_requests",
    "successful_requests",
    "failed_requests",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
]


def user_pages(call: Request) -> Any:
    """GET /user/daily/activity."""
    return _paged(call, _user_rows(call), "user_id")


def user_aggregated(call: Request) -> Any:
    """GET /user/daily/activity/aggregated."""
    return _aggregated(call, _user_rows(call), "")


def user_keys(call: Request) -> Any:
    """GET /user/daily/activity/aggregated/keys."""
    return _keys(call, _user_rows(call))


def user_export(call: Request) -> Any:
    """GET /user/daily/activity/export: CSV unless format=json."""
    return _export(call, _user_rows(call), "user")


def team_pages(call: Request) -> Any:
    """GET /team/daily/activity."""
    return _paged(call, _team_rows(call), "team_id")


def team_aggregated(call: Request) -> Any:
    """GET /team/daily/activity/aggregated."""
    return _aggregated(call, _team_rows(call), "team_id")


def team_keys(call: Request) -> Any:
    """GET /team/daily/activity/aggregated/keys."""
    return _keys(call, _team_rows(call))


def team_export(call: Request) -> Any:
    """GET /team/daily/activity/export."""
    return _export(call, _team_rows(call), "team")


# Which rows


def _user_rows(call: Request) -> list[Record]:
    gw, caller, asked = call.gw, call.caller, call.params.get("user_id")
    rows = _in_range(call)
    if not caller.viewer:
        if caller.user_id is None and gw.newest:
            text = "Service-account keys cannot query user analytics. Use a user-bound key, or call as a proxy admin."
            raise detail(403, {"error": text})
        if asked and asked != caller.user_id and gw.since(1, 75):
            raise detail(403, {"error": "Non-admin users can only view their own spend data."})
        # Before 1.84 a key without a user is not narrowed at all.
        asked = caller.user_id
    elif not gw.since(1, 75):
        # 1.74 has no user_id here: an admin is given everyone.
        asked = None
    return [row for row in rows if row["user_id"] == asked] if asked else rows


def _team_rows(call: Request) -> list[Record]:
    gw, caller = call.gw, call.caller
    wanted = [name for name in call.params.get("team_ids", "").split(",") if name]
    rows = _in_range(call)
    if not caller.viewer:
        mine = (gw.users.get(caller.user_id or "") or {}).get("teams", [])
        for name in wanted:
            if name not in mine:
                text = f"User does not belong to Team= {name}. Call `/user/info` to see user's teams"
                raise detail(404, {"error": text})
        wanted = wanted or list(mine)
        if not all(gw.member_role(name, caller.user_id) == "admin" for name in wanted):
            own = {token for token, row in gw.keys.items() if row["user_id"] == caller.user_id}
            rows = [row for row in rows if row["api_key"] in own]
        return [row for row in rows if row["team_id"] in wanted]
    barred = [name for name in call.params.get("exclude_team_ids", "").split(",") if name]
    rows = [row for row in rows if row["team_id"] not in barred]
    return [row for row in rows if row["team_id"] in wanted] if wanted else rows


def _in_range(call: Request) -> list[Record]:
    gw, params = call.gw, call.params
    start, end = params.get("start_date"), params.get("end_date")
    if not start or not end:
        raise detail(400, {"error": "Please provide start_date and end_date"})
    if gw.newest:
        try:
            date.fromisoformat(start), date.fromisoformat(end)
        except ValueError:
            text = "start_date and end_date must be valid YYYY-MM-DD dates"
            raise detail(400, {"error": text}) from None
    rows = [row for row in gw.usage_rows if start <= row["date"] <= end]
    if params.get("api_key"):
        rows = [row for row in rows if row["api_key"] == params["api_key"]]
    if params.get("model"):
        rows = [row for row in rows if row["model"] == params["model"]]
    return rows


# Sums


def _sum(gw: State, rows: Iterable[Record]) -> Record:
    total: Record = {"spend": 0.0, **dict.fromkeys(_COUNTS, 0)}
    timed = 0
    for row in rows:
        total["spend"] += row["spend"]
        for name in _COUNTS:
            total[name] += row[name]
        timed += row.get("total_response_time_ms", 0)
    total["total_tokens"] = total["prompt_tokens"] + total["completion_tokens"]
    if gw.newest:
        total.update(dict.fromkeys(_ZERO_MONEY, 0.0))
        total["compression_saved_tokens"] = 0
        total["total_response_time_ms"] = timed
        total["timed_requests"] = total["successful_requests"] if timed else 0
    return total


def _grouped(rows: Iterable[Record], name: str) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for row in rows:
        value = row[name]
        if value is None and name == "custom_llm_provider":
            value = "unknown"
        if value:
            groups.setdefault(value, []).append(row)
    return groups


def _key_metadata(gw: State, token: str, rows: list[Record]) -> Record:
    key = gw.keys.get(token) or gw.deleted_keys.get(token) or {}
    out: Record = {"key_alias": key.get("key_alias"), "team_id": key.get("team_id")}
    if gw.newest:
        user_id = key.get("user_id") or rows[0]["user_id"]
        email = (gw.users.get(user_id or "") or {}).get("user_email")
        out.update(user_id=user_id, user_email=email, key_exists=token in gw.keys)
    return out


def _by_key(gw: State, rows: list[Record], top: set[str] | None) -> Record:
    return {
        token: {"metrics": _sum(gw, some), "metadata": _key_metadata(gw, token, some)}
        for token, some in _grouped(rows, "api_key").items()
        if top is None or token in top
    }


def _day(gw: State, day: str, rows: list[Record], entity: str, top: set[str] | None = None) -> Record:
    def part(name: str, metadata: Any = None) -> Record:
        return {
            value: {
                "metrics": _sum(gw, some),
                "metadata": metadata(value) if metadata else {},
                "api_key_breakdown": _by_key(gw, some, top),
            }
            for value, some in _grouped(rows, name).items()
        }

    def team(value: str) -> Record:
        return {"team_alias": (gw.teams.get(value) or {}).get("team_alias")}

    def person(value: str) -> Record:
        user = gw.users.get(value) or {}
        if not gw.newest:
            return {}
        return {"user_alias": user.get("user_alias"), "user_email": user.get("user_email")}

    breakdown: Record = {"models": part("model")}
    if gw.since(1, 75):
        breakdown["mcp_servers"] = {}
        breakdown["model_groups"] = part("model_group")
        breakdown["endpoints"] = part("endpoint")
    breakdown["providers"] = part("custom_llm_provider")
    breakdown["api_keys"] = _by_key(gw, rows, top)
    breakdown["entities"] = part(entity, team if entity == "team_id" else person) if entity else {}
    return {"date": day, "metrics": _sum(gw, rows), "breakdown": breakdown}


def _answer(gw: State, rows: list[Record], entity: str, meta: Record, top: set[str] | None = None) -> Record:
    days = _grouped(sorted(rows, key=lambda row: row["date"], reverse=True), "date")
    totals = {name if name.startswith("total_") else f"total_{name}": value for name, value in _sum(gw, rows).items()}
    return {
        "results": [_day(gw, day, some, entity, top) for day, some in days.items()],
        "metadata": {**totals, **meta},
    }


# Answers


def _paged(call: Request, rows: list[Record], entity: str) -> Record:
    page, size = call.number("page", 1), call.number("page_size", 50, most=1000)
    rows = sorted(rows, key=lambda row: row["date"], reverse=True)
    last = pages(len(rows), size)
    meta: Record = {"page": page, "total_pages": last, "has_more": page < last}
    if call.gw.newest:
        meta.update(api_key_limit=None, total_api_keys=None, entity_total_api_keys=None)
    # The totals are those of the page alone, as LiteLLM has it.
    return _answer(call.gw, rows[(page - 1) * size : page * size], entity, meta)


def _aggregated(call: Request, rows: list[Record], entity: str) -> Record:
    gw = call.gw
    meta: Record = {"page": 1, "total_pages": 1, "has_more": False}
    top = None
    if gw.newest:
        limit = call.number("api_key_limit", 100, most=1000)
        keys = _ranked(rows)
        top = set(keys[:limit])
        meta.update(api_key_limit=limit, total_api_keys=len(keys), entity_total_api_keys=None)
    return _answer(gw, rows, entity, meta, top)


def _ranked(rows: list[Record]) -> list[str]:
    groups = _grouped(rows, "api_key")
    return sorted(groups, key=lambda token: (-sum(row["spend"] for row in groups[token]), token))


def _keys(call: Request, rows: list[Record]) -> Record:
    gw, groups = call.gw, _grouped(rows, "api_key")
    names = ("spend", "total_tokens", *_COUNTS)
    out = []
    for token in _ranked(rows):
        total = _sum(gw, groups[token])
        out.append(
            {
                "api_key": token,
                "metrics": {name: total[name] for name in names},
                "metadata": _key_metadata(gw, token, groups[token]),
            }
        )
    limit, offset = call.number("limit", 100, most=1000), call.number("offset", 0, least=0)
    shown = out[offset : offset + limit]
    return {"api_keys": shown, "total_api_keys": len(out), "limit": limit, "offset": offset}


def _export(call: Request, rows: list[Record], kind: str) -> httpx.Response:
    gw, params = call.gw, call.params
    wanted = params.get("export_type") or "daily"
    if wanted not in _EXPORTS:
        expected = "'daily', 'daily_with_keys', 'daily_with_models' or 'daily_with_users'"
        raise unprocessable("enum", ["query", "export_type"], f"Input should be {expected}", wanted, gw.newest)
    form = params.get("format") or "csv"
    if form not in ("csv", "json"):
        text = "Input should be 'csv' or 'json'"
        raise unprocessable("literal_error", ["query", "format"], text, form, gw.newest)
    lines = _export_rows(gw, rows, kind, wanted)
    name = f"{kind}-usage-{params['start_date']}-{params['end_date']}-{wanted}.{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if form == "json":
        return httpx.Response(
            200, content=json.dumps(lines).encode(), headers={**headers, "content-type": "application/json"}
        )
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return httpx.Response(
        200, content=out.getvalue().encode(), headers={**headers, "content-type": "text/csv; charset=utf-8"}
    )


def _export_rows(gw: State, rows: list[Record], kind: str, wanted: str) -> list[Record]:
    groups: dict[tuple[str, ...], list[Record]] = {}
    for row in rows:
        more = {
            "daily_with_keys": row["api_key"],
            "daily_with_models": row["model"] or "",
            "daily_with_users": row["user_id"] or "",
        }.get(wanted, "")
        groups.setdefault((row["date"], row[f"{kind}_id"] or "", more), []).append(row)
    table = gw.teams if kind == "team" else gw.users
    out = []
    for (day, entity, more), some in sorted(groups.items()):
        total = _sum(gw, some)
        line: Record = dict.fromkeys(_COLUMNS)
        line.update({name: total[name] for name in ("spend", *_COUNTS)})
        alias = (table.get(entity) or {}).get(f"{kind}_alias")
        line.update(date=day, entity_id=entity, entity_alias=alias, flat_cost=0.0)
        if wanted == "daily_with_keys":
            known = _key_metadata(gw, more, some)
            line.update(api_key=more, key_alias=known["key_alias"])
            line.update(user_id=known.get("user_id"), user_email=known.get("user_email"))
        elif wanted == "daily_with_models":
            line["model"] = more or None
        elif wanted == "daily_with_users":
            line.update(user_id=more, user_email=(gw.users.get(more) or {}).get("user_email"))
        out.append(line)
    return out
