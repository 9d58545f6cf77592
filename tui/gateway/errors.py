"""What can go wrong with a call, as types; and LiteLLM's error bodies made readable (S2, S3, S15)."""

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from tui.gateway.redaction import upstream


class GatewayError(Exception):
    """A call that did not succeed. `str()` is a sentence fit to be shown: redacted and cut (S3).

    `status` is the HTTP status or None where no answer came; `type`, `param`, `code` are LiteLLM's own words, where
    its body had them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(upstream(message))
        self.status = status
        self.type = type
        self.param = param
        self.code = code

    @property
    def message(self) -> str:
        """The sentence, as `str()` gives it."""
        return str(self)


class Unreachable(GatewayError):
    """No answer came: no such host, connection refused or cut, or the time ran out."""


class NotConnected(Unreachable):
    """There was no connection to begin with, so nothing was sent and nothing was done."""


class BadAnswer(GatewayError):
    """An answer came that is not LiteLLM's: HTML of a reverse proxy, a redirect, a body that is no JSON."""


class Unauthorized(GatewayError):
    """401: the key is unknown, blocked or expired, or may not call this route."""


class Forbidden(GatewayError):
    """403: the key is known and may not do this."""


class NotFound(GatewayError):
    """404 for a thing that the gateway looked for: a user, a key, a team."""


class RouteMissing(GatewayError):
    """404 (or 405) because this release has no such route (S24)."""


class Invalid(GatewayError):
    """400 or 422: the gateway refuses what was asked for; `param` names the field where LiteLLM does."""


class Conflict(GatewayError):
    """409: the thing exists already."""


class ServerFailed(GatewayError):
    """5xx, or a status with no better meaning."""


class ReadOnly(GatewayError):
    """A writing call was stopped before it left, because the session is read-only."""


LONGEST_REPR = 20_000
"""Characters; a longer Python repr is shown as it is, cut."""

_KEY_REFUSED = frozenset({"expired_key", "token_not_found_in_db"})
_KINDS: dict[int, type[GatewayError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: RouteMissing,
    409: Conflict,
    422: Invalid,
}


def _same(text: str) -> str:
    return text


def from_answer(status: int, body: bytes, content_type: str = "", hide: Callable[[str], str] = _same) -> GatewayError:
    """The typed error for a non-2xx answer, whatever its body holds (S2).

    `hide` is put over every text of the body before anything is cut or read: the caller's own key comes back in some
    messages, and need not look like one (S3).

    LiteLLM has four shapes: `{"error": {…}}`, `{"detail": "…"}` or `{"detail": {"error": "…"}}`, FastAPI's
    `{"detail": [{…}]}` and RFC 7807's `{"type", "title", "status", "detail"}`. Anything else is reported as what it is.
    """
    try:
        data = _hidden(json.loads(body), hide)
    except (ValueError, RecursionError):
        return _foreign(status, body, content_type, hide)
    if not isinstance(data, dict):
        return _foreign(status, body, content_type, hide)
    if status == 404 and data == {"detail": "Not Found"}:
        # what FastAPI itself answers for an unknown path; LiteLLM's own 404s carry an envelope (S15, S24)
        return RouteMissing("This gateway has no such route.", status=status)
    message, type_, param, code = _read(data)
    # 1.74 and 1.83 say 400 to an expired key
    kind = Unauthorized if type_ in _KEY_REFUSED else _KINDS.get(status, ServerFailed)
    return kind(
        upstream(message) or f"The gateway answered {status} without a reason.",
        status=status,
        type=type_,
        param=param,
        code=code,
    )


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(name): _hidden(inner, hide) for name, inner in value.items()}
    return [_hidden(inner, hide) for inner in value] if isinstance(value, list) else value


def _foreign(status: int, body: bytes, content_type: str, hide: Callable[[str], str]) -> GatewayError:
    text = hide(body.decode("utf-8", "replace"))[:4000]
    if "html" in content_type or text.lstrip()[:1] == "<":
        title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        words = re.sub(r"<[^>]*>", " ", title.group(1) if title else "").strip()
        said = f" titled “{words}”" if words else ""
        message = (
            f"HTTP {status} with a web page{said} instead of an answer from LiteLLM. Is a reverse proxy in between?"
        )
    elif text.strip():
        message = f"HTTP {status}: {text.strip()}"
    else:
        message = f"HTTP {status} with an empty body."
    kind = _KINDS.get(status, ServerFailed)
    # a 404 that LiteLLM did not write says nothing about the thing asked for
    return (RouteMissing if kind is NotFound else kind)(message, status=status)


def _read(data: Mapping[str, Any]) -> tuple[str, str | None, str | None, str | None]:
    error = data.get("error")
    if isinstance(error, Mapping):
        return (
            _unwrap(error.get("message")),
            _word(error.get("type")),
            _word(error.get("param")),
            _word(error.get("code")),
        )
    detail = data.get("detail")
    if isinstance(detail, list):
        rows = [row for row in detail if isinstance(row, Mapping)]
        places = [_place(row.get("loc")) for row in rows]
        where = [".".join(place) for place in places]
        said = "; ".join(
            f"{at}: {_unwrap(row.get('msg'))}" if at else _unwrap(row.get("msg"))
            for at, row in zip(where, rows, strict=True)
        )
        kind = _word(rows[0].get("type")) if rows else None
        # the field alone: pydantic goes on with the member of a union that did not fit
        return said, kind, next((upstream(place[0]) for place in places if place), None), None
    if isinstance(detail, Mapping):
        inner = detail.get("error", detail.get("message", detail))
        if isinstance(inner, Mapping):
            return _read({"error": inner})
        return (
            _unwrap(inner),
            _word(detail.get("type")),
            _word(detail.get("param")),
            _word(detail.get("code")),
        )
    if "title" in data or detail is not None:
        title, said = _unwrap(data.get("title")), _unwrap(detail)
        return said or title, _word(data.get("type")), _word(data.get("param")), None
    return _unwrap(error or data.get("message") or (json.dumps(data) if data else "")), None, None, None


def _place(loc: object) -> list[str]:
    return [str(part) for part in loc if part not in ("body", "query")] if isinstance(loc, list) else []


def _word(value: object) -> str | None:
    """LiteLLM writes a missing type or param as null or as the word None."""
    return None if value in (None, "", "None") else upstream(str(value))


def _unwrap(value: object) -> str:
    """A message may be the Python repr of a dict that holds the message."""
    for _ in range(3):
        if isinstance(value, str) and value[:1] == "{":
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = ast.literal_eval(value[:LONGEST_REPR])
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                break
        if isinstance(value, Mapping):
            inner = value.get("error", value.get("message"))
            if inner is None:
                value = json.dumps(value, default=str)
                break
            value = inner
        else:
            break
    if isinstance(value, Mapping):
        value = json.dumps(value, default=str)
    return "" if value is None else str(value)
