"""What can go wrong with a call, as types; and LiteLLM's error bodies made readable (S2, S3, S15)."""

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from tui.gateway.redaction import upstream


class GatewayError(Exception):
    """A call that did not succeed. `str()` is a sentence fit to be shown: redacted and cut (S3).

    `status` is the HTTP status or None where no answer came; `type`, `param`, `code` are LiteLLM's own words, where
    its body had them; `retry_after` is in seconds, where the answer says when to come back.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(upstream(message))
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """The sentence, as `str()` gives it."""
        return str(self)

    @property
    def passing(self) -> bool:
        """Whether it may be over in a while by itself, so that the same read is worth another try.

        A plain 500 is not: what a gateway breaks down over, it would only do again.
        """
        return isinstance(self, Unreachable | NoDatabase) or self.status in _PASSING

    @property
    def key_state(self) -> Literal["expired", "unknown", "blocked", "over budget", ""]:
        """What is wrong with the caller's key itself; "" where the answer says nothing of the kind."""
        if self.type == "budget_exceeded":
            return "over budget"
        if not isinstance(self, Unauthorized):
            return ""
        if self.type == "expired_key":
            return "expired"
        if self.type == "token_not_found_in_db":
            return "unknown"
        # every release writes this with the type of any other refusal
        return "blocked" if self.type == "auth_error" and "Key is blocked" in str(self) else ""


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


class NoDatabase(ServerFailed):
    """LiteLLM answers and its database does not, whatever status it gives to that (400, 401, 500 or 503)."""


class Busy(ServerFailed):
    """429: too many calls; `retry_after` says how long to wait, where the gateway does."""


class RightsChanged(Forbidden):
    """The caller's role is not the one that the session began with."""


class ReadOnly(GatewayError):
    """A writing call was stopped before it left, because the session is read-only."""


LONGEST_REPR = 20_000
"""Characters; a longer Python repr is shown as it is, cut."""

_KEY_REFUSED = frozenset({"expired_key", "token_not_found_in_db"})
_PASSING = frozenset({408, 429, 502, 503, 504})
_NO_DATABASE = re.compile(
    r"(?i)\b(?:DB not connected|No connected db|No db connected|Database not connected|All connection attempts failed|"
    r"Can'?t reach database server|Error in external connector|authentication database|"
    r"query engine|Timed out fetching a new connection)\b"
)
"""What Prisma and LiteLLM say then; only newer releases have a type for it, and before it may look like a bad key."""
_KINDS: dict[int, type[GatewayError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: RouteMissing,
    409: Conflict,
    422: Invalid,
    429: Busy,
}


def _same(text: str) -> str:
    return text


def from_answer(
    status: int,
    body: bytes,
    content_type: str = "",
    hide: Callable[[str], str] = _same,
    retry_after: str = "",
) -> GatewayError:
    """The typed error for a non-2xx answer, whatever its body holds (S2). `retry_after` is the header of that name.

    `hide` is put over every text of the body before anything is cut or read: the caller's own key comes back in some
    messages, and need not look like one (S3).

    LiteLLM has four shapes: `{"error": {…}}`, `{"detail": "…"}` or `{"detail": {"error": "…"}}`, FastAPI's
    `{"detail": [{…}]}` and RFC 7807's `{"type", "title", "status", "detail"}`. Anything else is reported as what it is.
    """
    error = _error(status, body, content_type, hide)
    error.retry_after = _seconds(retry_after)
    return error


def _error(status: int, body: bytes, content_type: str, hide: Callable[[str], str]) -> GatewayError:
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
    if type_ == "no_db_connection" or (status in (400, 401, 500, 503) and _NO_DATABASE.search(message)):
        said = message.removeprefix("Authentication Error, ").removeprefix("Internal Server Error, ")
        return NoDatabase(f"LiteLLM answers, its database does not: {said}", status=status, type=type_, code=code)
    # 1.74 and 1.83 say 400 to an expired key; some releases say 429 of a budget, which no waiting mends
    kind = _KINDS.get(status, ServerFailed)
    if type_ in _KEY_REFUSED:
        kind = Unauthorized
    elif type_ == "budget_exceeded":
        kind = Invalid
    return kind(
        upstream(message) or f"The gateway answered {status} without a reason.",
        status=status,
        type=type_,
        param=param,
        code=code,
    )


def not_json(host: str, status: int, body: bytes, content_type: str, hide: Callable[[str], str] = _same) -> BadAnswer:
    """The error for an answer that says yes and holds no JSON: a login page of the network in between, say."""
    text = hide(body[:20_000].decode("utf-8", "replace"))
    if _is_page(text, content_type):
        what = f"with a web page{_titled(text)}, not JSON. Is it a login page in between, or is the URL not LiteLLM's?"
    else:
        what = f"with something that is not JSON ({upstream(text[:200]) or 'nothing'}). Is the URL LiteLLM's?"
    return BadAnswer(f"{host} answered {what}", status=status)


def _seconds(retry_after: str) -> float | None:
    """The header as seconds from now: a number, or a date; None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _is_page(text: str, content_type: str) -> bool:
    return "html" in content_type or text.lstrip("\ufeff \t\r\n")[:1] == "<"


def _titled(text: str) -> str:
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    words = re.sub(r"<[^>]*>", " ", title.group(1) if title else "").strip()
    return f" titled “{words}”" if words else ""


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(name): _hidden(inner, hide) for name, inner in value.items()}
    return [_hidden(inner, hide) for inner in value] if isinstance(value, list) else value


def _foreign(status: int, body: bytes, content_type: str, hide: Callable[[str], str]) -> GatewayError:
    text = hide(body.decode("utf-8", "replace"))[:4000]
    if _is_page(text, content_type):
        message = (
            f"HTTP {status} with a web page{_titled(text)} instead of an answer from LiteLLM. "
            "Is a reverse proxy in between?"
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
