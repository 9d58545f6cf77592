"""The embedded gateway: a table of routes behind an httpx transport, with failure injection."""

from __future__ import annotations

import fnmatch
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tui.demo import auth, routes_keys, routes_models, routes_people, routes_usage
from tui.demo.errors import Refusal, detail, unprocessable
from tui.demo.request import Request
from tui.demo.state import Call, State

Handler = Callable[[Request], Any]
Given = httpx.Response | None
Answer = httpx.Response | Exception | Callable[[httpx.Request], Given | Awaitable[Given]]


@dataclass(frozen=True)
class Route:
    """One route. `since` and `until` bound the releases that have it; `public` needs no key."""

    method: str
    path: str
    handler: Handler
    since: tuple[int, ...] = (0,)
    public: bool = False


def _table() -> tuple[Route, ...]:
    keys, people, models, usage = routes_keys, routes_people, routes_models, routes_usage
    rows = [
        Route("GET", auth.USER_ME, people.me, (1, 107)),
        Route("GET", "/v2/user/info", people.info_v2, (1, 83)),
        Route("GET", "/user/info", people.info),
        Route("GET", "/user/list", people.listed),
        Route("GET", "/user/filter/ui", people.filtered),
        Route("POST", "/user/new", people.new),
        Route("POST", "/user/update", people.update),
        Route("GET", "/key/list", keys.listed),
        Route("GET", "/key/info", keys.info),
        Route("POST", "/v2/key/info", keys.info_many),
        Route("POST", "/key/generate", keys.generate),
        Route("POST", "/key/update", keys.update),
        Route("POST", "/key/delete", keys.delete),
        Route("POST", "/key/block", keys.block),
        Route("POST", "/key/unblock", keys.unblock),
        Route("POST", "/key/{key}/regenerate", keys.regenerate),
        Route("POST", "/key/{key}/reset_spend", keys.reset_spend, (1, 83)),
        Route("GET", "/audit", models.audit),
        Route("GET", "/health/license", models.license, (1, 83)),
        Route("GET", "/health/latest", models.health_latest),
        Route("GET", "/health/liveliness", models.liveliness, public=True),
        Route("GET", "/health/readiness", models.readiness, public=True),
        Route("GET", "/public/model_hub/info", models.model_hub, (1, 83), public=True),
        Route("GET", "/.well-known/litellm-ui-config", models.ui_config, public=True),
        Route("GET", "/team/list", people.teams),
        Route("GET", "/v2/team/list", people.teams_v2),
        Route("GET", "/team/info", people.team_info),
        Route("POST", "/team/new", people.team_new),
        Route("POST", "/team/member_add", people.member_add),
        Route("GET", "/user/daily/activity", usage.user_pages),
        Route("GET", "/user/daily/activity/aggregated", usage.user_aggregated, (1, 75, 3)),
        Route("GET", "/user/daily/activity/aggregated/keys", usage.user_keys, (1, 105)),
        Route("GET", "/user/daily/activity/export", usage.user_export, (1, 105)),
        Route("GET", "/team/daily/activity", usage.team_pages),
        Route("GET", "/team/daily/activity/aggregated", usage.team_aggregated, (1, 99)),
        Route("GET", "/team/daily/activity/aggregated/keys", usage.team_keys, (1, 105)),
        Route("GET", "/team/daily/activity/export", usage.team_export, (1, 105)),
    ]
    for start in ("", "/v1"):
        rows.append(Route("GET", f"{start}/models", models.models))
        rows.append(Route("POST", f"{start}/chat/completions", models.chat))
        rows.append(Route("GET", f"{start}/model/info", models.model_info))
    rows.append(Route("GET", "/model_group/info", models.model_group_info))
    return tuple(rows)


ROUTES = _table()
_PATTERNS = tuple((route, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path))) for route in ROUTES)


@dataclass
class _Interception:
    method: str
    path: str
    answer: Any
    times: int
    after: bool


class DemoGateway(State):
    """LiteLLM in memory. Give `transport()` to an httpx.AsyncClient; look into `keys`, `users`, `calls`."""

    def __init__(
        self,
        version: str = "1.108.0",
        now: datetime | None = None,
        master_key: str = "sk-demo-master-0123456789",
        seed: int = 1108,
    ) -> None:
        super().__init__(version, now, master_key, seed)
        self._interceptions: list[_Interception] = []

    @classmethod
    def believable(cls, now: datetime | None = None, version: str = "1.108.0") -> DemoGateway:
        """The data of `--demo`: dates relative to `now` (UTC; default: the real time), the same at each start."""
        from tui.demo.believable import fill

        gw = cls(version=version, now=now)
        fill(gw)
        return gw

    def transport(self) -> httpx.AsyncBaseTransport:
        """A transport that answers every host from this gateway."""
        return _Transport(self)

    def intercept(self, method: str, path_pattern: str, answer: Answer, times: int = 1, after: bool = False) -> None:
        """Meet the next `times` calls of `method` to a path (shell pattern, e.g. `/key/*/regenerate`) with `answer`.

        A Response is given, an Exception raised, a function asked (None lets the call through). With `after`
        the call is performed first and then its answer replaced or lost. `times` -1 never ends.
        """
        self._interceptions.append(_Interception(method.upper(), path_pattern, answer, times, after))

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one call: interceptions, then the routes; noted in `calls` either way."""
        await request.aread()
        method, path = request.method, request.url.path
        held = self._held(method, path)
        answer = None
        if held is not None and not held.after:
            try:
                answer = await self._replace(held, request)
            except Exception:
                self._note(request, None)
                raise
        if answer is None:
            answer = self._perform(request)
        self._note(request, answer)
        if held is not None and held.after:
            return await self._replace(held, request) or answer
        return answer

    def _held(self, method: str, path: str) -> _Interception | None:
        for held in self._interceptions:
            if held.times and held.method in (method, "*") and fnmatch.fnmatchcase(path, held.path):
                held.times -= 1
                return held
        return None

    async def _replace(self, held: _Interception, request: httpx.Request) -> httpx.Response | None:
        answer = held.answer
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
            if inspect.isawaitable(answer):
                answer = await answer
        if answer is None:
            return None
        # A copy: one Response may be given several times, and httpx closes what it has read.
        headers = [(k, v) for k, v in answer.headers.multi_items() if k not in ("content-length", "content-encoding")]
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)

    def _note(self, request: httpx.Request, response: httpx.Response | None) -> None:
        self.calls.append(
            Call(
                request.method,
                request.url.path,
                dict(request.url.params),
                _body(request),
                response.status_code if response is not None else 0,
                auth.key_hash(request.headers),
            )
        )

    def _perform(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._route(request)
        except Refusal as refusal:
            return refusal.response()
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _route(self, request: httpx.Request) -> Any:
        path = request.url.path
        found, methods = None, set()
        for route, pattern in _PATTERNS:
            match = pattern.fullmatch(path) if self.since(*route.since) else None
            if match:
                methods.add(route.method)
                if route.method == request.method:
                    found = (route, match.groupdict())
        if found is None:
            if methods:
                raise detail(405, "Method Not Allowed")
            if path.endswith("/") and any(p.fullmatch(path.rstrip("/")) for _, p in _PATTERNS):
                where = request.url.copy_with(path=path.rstrip("/"))
                return httpx.Response(307, headers={"location": str(where)})
            raise detail(404, "Not Found")
        route, parts = found
        self.roll_budgets()
        body = _body(request)
        caller = auth.Caller(None, "public")
        if not route.public:
            try:
                caller = auth.identify(self, request.headers, route.path)
                auth.authorise(self, caller, request.method, route.path)
            except Refusal as refusal:
                if refusal.status != 403 and self.since(1, 75):
                    asked = body.get("model") if route.path in auth.CHAT and isinstance(body, dict) else None
                    self.count_refusal(auth.key_hash(request.headers), asked)
                raise
        if request.method == "POST" and not isinstance(body, dict):
            text = "Input should be a valid dictionary or object to extract fields from"
            raise unprocessable("model_attributes_type", ["body"], text, body, self.newest)
        given = body if isinstance(body, dict) else {}
        return route.handler(Request(self, caller, route.path, dict(request.url.params), given, parts))


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, gateway: DemoGateway) -> None:
        self._gateway = gateway

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._gateway.handle(request)


def _body(request: httpx.Request) -> Any:
    try:
        return json.loads(request.content) if request.content else None
    except ValueError:
        return request.content.decode("utf-8", "replace")
