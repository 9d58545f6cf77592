"""LiteLLM's refusals, in its own four body shapes."""

from __future__ import annotations

from typing import Any

import httpx


class Refusal(Exception):
    """An answer other than 2xx: `status` and the JSON `body`."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body

    def response(self) -> httpx.Response:
        """The refusal as an answer."""
        return httpx.Response(self.status, json=self.body)


def proxy_error(status: int, message: str, type_: str, param: Any = "None", code: str | None = None) -> Refusal:
    """`{"error": {message, type, param, code}}`; the code is a string."""
    body = {"message": message, "type": type_, "param": param, "code": code or str(status)}
    return Refusal(status, {"error": body})


def http_error(status: int, error: str, newest: bool) -> Refusal:
    """A FastAPI error inside a management route, which LiteLLM wraps: the message is a Python repr."""
    return internal(status, repr({"error": error}), newest)


def internal(status: int, message: str, newest: bool) -> Refusal:
    """An error of type internal_server_error; param is null in recent releases and "None" before."""
    return proxy_error(status, message, "internal_server_error", None if newest else "None")


def detail(status: int, value: Any) -> Refusal:
    """`{"detail": …}`: a string, or an error text wrapped in `{"error": …}`."""
    return Refusal(status, {"detail": value})


def unprocessable(kind: str, loc: list[str], message: str, given: Any, newest: bool, **ctx: Any) -> Refusal:
    """422 with pydantic's list; releases before 1.84 also echo what they were given."""
    row: dict[str, Any] = {"type": kind, "loc": loc, "msg": message}
    if not newest:
        row["input"] = given
        if ctx:
            row["ctx"] = ctx
    return Refusal(422, {"detail": [row]})


ENTERPRISE = (
    "You must be a LiteLLM Enterprise user to use this feature. If you have a license please set "
    "`LITELLM_LICENSE` in your env. Get a 7 day trial key here: https://www.litellm.ai/enterprise#trial. "
    "\nPricing: https://www.litellm.ai/#pricing"
)
