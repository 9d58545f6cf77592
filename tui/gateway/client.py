"""One connection pool to one LiteLLM gateway, and the one function that every call goes through (S1-S3)."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tui.gateway import errors
from tui.gateway.clock import GatewayClock
from tui.gateway.hosts import is_loopback
from tui.gateway.redaction import remember

Params = Mapping[str, str | int | float | bool | None]

RETRIED_STATUS = frozenset({502, 503, 504})
ATTEMPTS = 3
FIRST_WAIT = 0.2
"""Seconds before the second attempt of a read; doubled for the third."""
LARGEST_ANSWER = 96 * 1024 * 1024
"""Bytes, unpacked; LiteLLM's largest known answer is 45 MB."""
MOST_VALUES = 8_000_000
"""Commas in an answer: a few MB of them, packed into a few KB, would fill the memory as Python objects."""
LONG_ANSWER = 1024 * 1024
"""Bytes; a longer answer is parsed in a thread."""
LARGEST_ERROR = 1024 * 1024
"""Bytes that are read of an answer that is not a success; what is beyond is no reason."""


_EXPIRED = frozenset({10})
_NOT_YET = frozenset({9})
_OTHER_NAME = frozenset({62, 63, 64})
_NO_CA = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's X509_V_ERR_… numbers, which are part of its interface."""


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS failure at the bottom of httpx's error, where there is one."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, ssl.SSLError):
        below = below.__cause__ or below.__context__
    return below


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise errors.Unreachable(
            f"The ca_file {ca_file} cannot be used: {error.strerror or error}. It has to hold certificates in PEM form."
        ) from None


def _same(found: dict[str, Any]) -> dict[str, Any]:
    return found


def _long(content: bytes) -> Any:
    """The JSON of a long answer. json's C code holds the interpreter to its end, unless it calls back into Python."""
    if content.count(b",") > MOST_VALUES:
        raise OverflowError
    return json.loads(content, object_hook=_same)


async def _reads_only(request: httpx.Request) -> None:
    """An httpx request hook: it runs before anything is sent, whatever the code above the client does."""
    if request.method not in ("GET", "HEAD"):
        raise errors.ReadOnly("This session is read-only; nothing was sent.")


class Client:
    """The shared client of a session.

    `url` is the gateway's base URL; one trailing slash is dropped and a path prefix is kept (S1). `timeout` is in
    seconds and covers a whole call: connection, every attempt and the body. The key goes into the Authorization
    header alone, redirects are not followed, so it never reaches another origin, and no error repeats it.

    Raises `Unreachable` where `ca_file`, or a proxy that the environment names, is not usable, and `Invalid` for a key
    that no header can hold.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30.0,
        read_only: bool = False,
        ca_file: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.removesuffix("/")
        self.host = urlsplit(self.url).netloc.rpartition("@")[2]
        self.timeout = timeout
        self.read_only = read_only
        if any(not "!" <= letter <= "~" for letter in key):
            raise errors.Invalid("The key holds characters that no key has, so it cannot be sent.", param="key")
        self._key = key
        self.clock = GatewayClock()
        remember(key)
        parts = urlsplit(self.url)
        # plain http:// speaks no TLS, and redirects are not followed: no certificates to read for it
        trusted = _trust(ca_file) if parts.scheme != "http" and transport is None else False
        try:
            self._http = httpx.AsyncClient(
                transport=transport,
                verify=trusted,
                limits=httpx.Limits(max_connections=10, max_keepalive_connections=10),
                headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
                event_hooks={"request": [_reads_only] if read_only else [], "response": [self.clock.note]},
                follow_redirects=False,
                # what is plain http:// for this machine alone would go to a proxy in the clear
                trust_env=not (parts.scheme == "http" and is_loopback(parts.hostname or "")),
                timeout=None,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            # httpx reads the proxies here; its own words may hold one's password
            why = (
                "SOCKS needs the Python package socksio, which is not installed"
                if isinstance(error, ImportError)
                else "it is no address that begins with http:// or https://"
            )
            raise errors.Unreachable(
                f"The proxy that ALL_PROXY, HTTP_PROXY or HTTPS_PROXY names cannot be used: {why}. "
                "Unset the variable, or name an http:// proxy in it."
            ) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def calls_with(self, hash: str) -> bool:
        """Whether this client's key is the one with that hash: LiteLLM's hash of a key is its SHA-256."""
        return hashlib.sha256(self._key.encode()).hexdigest() == hash

    async def get(self, path: str, params: Params | None = None) -> Any:
        """Read `path`; the parsed JSON. Network failures and 502 to 504 are tried again, within the timeout.

        Raises one of `errors.GatewayError`'s kinds.
        """
        return await self._call("GET", path, params, None, ATTEMPTS)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Write to `path`, once and never again by itself; the parsed JSON. Raises as `get`."""
        return await self._call("POST", path, None, body, 1)

    async def _call(
        self, method: str, path: str, params: Params | None, body: Mapping[str, Any] | None, attempts: int
    ) -> Any:
        sent = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            async with asyncio.timeout(self.timeout):
                wait = FIRST_WAIT
                for attempt in range(1, attempts + 1):
                    try:
                        return await self._once(method, path, sent, body)
                    except (errors.Unreachable, errors.ServerFailed) as error:
                        again = isinstance(error, errors.Unreachable) or error.status in RETRIED_STATUS
                        if not again or attempt == attempts:
                            raise
                    await asyncio.sleep(wait)
                    wait *= 2
        except TimeoutError:
            raise errors.Unreachable(f"{self.host} did not answer for {self.timeout:g} s.") from None

    async def _once(self, method: str, path: str, params: Mapping[str, Any], body: Mapping[str, Any] | None) -> Any:
        try:
            request = self._http.build_request(method, self.url + path, params=params, json=body)
        except httpx.InvalidURL as error:
            raise errors.Unreachable(f"{self.url} is not a usable URL: {self._hide(str(error))}") from None
        except (ValueError, TypeError) as error:
            # a number that is not finite, a lone surrogate: JSON has no word for it
            raise errors.Invalid(f"That cannot be sent: {self._hide(str(error))}") from None
        try:
            response = await self._http.send(request, stream=True)
            try:
                content = await self._body(response)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol)
            raise (errors.NotConnected if unsent else errors.Unreachable)(self._why(error)) from None
        except httpx.DecodingError as error:
            raise errors.BadAnswer(f"{self.host} sent a damaged answer ({self._hide(str(error))}).") from None
        return await self._parse(response, content)

    async def _body(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if not response.is_success and len(content) > LARGEST_ERROR:
                break
            if len(content) > LARGEST_ANSWER:
                raise errors.BadAnswer(f"{self.host} sent more than {LARGEST_ANSWER >> 20} MB; the answer was dropped.")
        return bytes(content)

    async def _parse(self, response: httpx.Response, content: bytes) -> Any:
        status = response.status_code
        if 300 <= status < 400:
            raise errors.BadAnswer(
                f"{self.host} redirects to {self._target(response)}. The key was not sent there; "
                "put the address that answers into the profile's url.",
                status=status,
            )
        if not 200 <= status < 300:
            kind, wait = response.headers.get("content-type", ""), response.headers.get("retry-after", "")
            raise errors.from_answer(status, content, kind, self._hide, wait)
        try:
            return json.loads(content) if len(content) <= LONG_ANSWER else await asyncio.to_thread(_long, content)
        except OverflowError:
            raise errors.BadAnswer(
                f"{self.host} sent more than {MOST_VALUES:,} values; the answer was dropped.", status=status
            ) from None
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "")
            raise errors.not_json(self.host, status, content, kind, self._hide) from None

    def _hide(self, text: str) -> str:
        """`text` without this client's own key, which need not look like `sk-…` (S3)."""
        return text.replace(self._key, "[this key]") if self._key else text

    def _target(self, response: httpx.Response) -> str:
        location = self._hide(response.headers.get("location", ""))
        try:
            where = urlsplit(location)
        except ValueError:
            return "an address that cannot be read"
        # the path and the query may hold what is nobody's business
        return (
            f"{where.scheme or 'the same scheme'}://{where.netloc.rpartition('@')[2]}"
            if where.netloc
            else (where.path or "nowhere")
        )

    def _not_trusted(self, code: int, said: str) -> str:
        """Why a certificate was not accepted, by OpenSSL's number for it, and the way on."""
        name = urlsplit(self.url).hostname
        nothing = "Nothing was sent."
        if code in _EXPIRED:
            return f"The TLS certificate of {self.host} has expired. {nothing} Whoever runs the gateway renews it."
        if code in _NOT_YET:
            return f"The TLS certificate of {self.host} is not valid yet. {nothing} Is the clock of this machine right?"
        if code in _OTHER_NAME:
            return (
                f"The TLS certificate of {self.host} is for another name than {name}. {nothing} "
                "Use the name that it is for in the profile's url."
            )
        if code in _NO_CA:
            return (
                f"The TLS certificate of {self.host} comes from a CA that this machine does not trust. {nothing} "
                "For a private CA, put the path of its certificate (PEM) into the profile's ca_file."
            )
        return f"The TLS certificate of {self.host} was not accepted: {said}. {nothing}"

    def _asked(self) -> str:
        """Who was asked for the connection: the gateway, or the proxy that the environment puts before it."""
        from urllib.request import getproxies, proxy_bypass

        parts = urlsplit(self.url)
        host = parts.hostname or ""
        found = getproxies()
        set_for = parts.scheme in found or "all" in found
        if not set_for or (parts.scheme == "http" and is_loopback(host)) or proxy_bypass(host):
            return self.host
        return f"The proxy before {self.host} (from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; NO_PROXY goes past it)"

    def _why(self, error: httpx.TransportError) -> str:
        text = self._hide(str(error))
        if isinstance(error, httpx.ConnectError):
            refused = _tls_error(error)
            if isinstance(refused, ssl.SSLCertVerificationError):
                return self._not_trusted(refused.verify_code, self._hide(refused.verify_message))
            if refused is not None or "SSL" in text:
                if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text:
                    return f"{self.host} does not speak TLS at this port. Is its address http://, or at another port?"
                return f"No TLS with {self.host} came about: {text}."
            if "Name or service" in text or "getaddrinfo" in text or "nodename" in text:
                return f"There is no host {self.host}. Check the URL."
            return f"{self._asked()} refuses the connection: nothing listens there, or a firewall is in between."
        if isinstance(error, httpx.ProxyError):
            return f"{self._asked()} lets nothing through ({text})."
        if isinstance(error, httpx.UnsupportedProtocol):
            return f"{self.url} is not a usable URL; it starts with http:// or https://."
        return f"The connection to {self.host} broke ({text or type(error).__name__})."
