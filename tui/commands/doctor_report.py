"""`litellm-tui doctor --report`: facts for a bug report, in Markdown and plain ASCII.

Nothing is blacked out here, as nothing is taken over: every line is a number, a yes or no, a word that this program
chose, or a value that has to look like a version or the name of a terminal. The gateway's host is the one name.
"""

import os
import platform
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tui import __version__, usage_cache
from tui.config import Settings
from tui.credentials import AskKey, CommandKey, Credential, CredentialError, EnvKey, FileKey, HeldKey, KeyringKey
from tui.gateway import models
from tui.gateway.capabilities import TESTED, Action
from tui.gateway.errors import GatewayError, Unreachable
from tui.gateway.redaction import printable, redact
from tui.reports import Reports, refused, scopes
from tui.startup import Session, explain, start
from tui.terminal import seen

TOP = """\
# litellm-tui doctor report

Made to be shared. It holds: versions of this program and of what it runs on, what is known of the terminal, the
address of the gateway without its path, the gateway's release, what the key may do, and how long reading took.
It holds no key, no user, team or key name, no e-mail address, no metadata, no spend and no path of a file.
If the name of the gateway's host is not for others, change it below before you share this.
"""
_KINDS: dict[type[Credential], str] = {
    EnvKey: "an environment variable",
    CommandKey: "a command",
    FileKey: "a file",
    KeyringKey: "the keyring",
    AskKey: "asked for",
    HeldKey: "typed, or the demo's",
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,39}")
_PATH = re.compile(r"(?<![\w:/.])~?/[^\s,;]+")
_VARIABLES = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TERM_PROGRAM")
_SET_OR_NOT = ("TMUX", "STY", "SSH_CONNECTION", "NO_COLOR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "HOME")


async def report(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> tuple[str, int]:
    """The report, and the exit code: 1 where the app would have no session."""
    sections = [("Versions", _versions()), ("Terminal", _terminal(os.environ)), ("Settings", _settings(settings))]
    code = 0
    try:
        session = await start(settings, transport=transport, look=True)
    except (GatewayError, CredentialError) as error:
        sections.append(("Gateway", _trouble(error, settings)))
        code = 1
    else:
        async with session.client:
            sections.append(("Gateway", _gateway(session)))
            sections.append(("Rights", _rights(session)))
            sections.append(("Reading", await _reading(session)))
    sections.append(("Cache", _cache()))
    parts = [TOP]
    for title, lines in sections:
        parts.append(f"## {title}\n\n" + "".join(f"- {line}\n" for line in lines))
    text = redact("\n".join(parts))
    return text.encode("ascii", "replace").decode("ascii"), code


def _word(text: str | None) -> str:
    """A value as it is where it looks like a version or a terminal's name."""
    if not text:
        return "not set"
    return text if _WORD.fullmatch(text) and redact(text) == text and not re.search(r"@.*\.", text) else "(unusual)"


def _versions() -> Iterable[str]:
    yield f"litellm-tui {__version__}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    for package in ("textual", "httpx", "pydantic", "plotext"):
        try:
            yield f"{package} {_word(version(package))}"
        except PackageNotFoundError:
            yield f"{package}: not installed as a package"
    yield f"{_word(platform.system())} {_word(platform.release())} {_word(platform.machine())}"
    with suppress(OSError, AttributeError):
        found = platform.freedesktop_os_release()
        yield f"distribution {_word(found.get('ID'))} {_word(found.get('VERSION_ID'))}"


def _terminal(env: Mapping[str, str]) -> Iterable[str]:
    for name in _VARIABLES:
        yield f"{name}: {_word(env.get(name))}"
    for name in _SET_OR_NOT:
        yield f"{name}: {'set' if env.get(name) else 'not set'}"
    yield f"size: {_size()}"
    decided = seen(env)
    for name, value in (
        ("ASCII signs", decided.ascii),
        ("colours", decided.colour),
        ("basic console", decided.basic),
        ("remote", decided.remote),
    ):
        yield f"decided: {name} {_yes(value)}"
    yield f"encoding of standard output: {_word(sys.stdout.encoding)}"


def _size() -> str:
    for number in (1, 2, 0):
        with suppress(OSError):
            size = os.get_terminal_size(number)
            return f"{size.columns}x{size.lines}"
    return "no terminal"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _settings(settings: Settings) -> Iterable[str]:
    parts = urlsplit(settings.url)
    yield f"gateway: {_address(settings)}"
    yield f"path prefix: {_yes(parts.path.strip('/'))}"
    yield f"from a profile: {_yes(settings.from_profile)}"
    yield f"key comes from: {_KINDS[type(settings.credential)]}"
    yield f"a user is named: {_yes(settings.user)}"
    yield f"provisioning: {_yes(settings.provisioning.enabled)}"
    yield f"read-only: {_yes(settings.read_only)}"
    yield f"plain http allowed: {_yes(settings.allow_http)}"
    yield f"own CA: {_yes(settings.ca_file)}"
    yield f"timeout: {settings.timeout:g} s"
    yield f"settings left aside: {len(settings.ignored)}"


def _address(settings: Settings) -> str:
    """Scheme, host and port; never what stands before an `@`."""
    parts = urlsplit(settings.url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def _trouble(error: GatewayError | CredentialError, settings: Settings) -> Iterable[str]:
    yield f"no session: {explain(error, settings).title}"
    yield f"kind: {_failure(error)}"
    if isinstance(error, Unreachable):
        yield f"why: {_own_words(error)}"


def _own_words(error: Unreachable) -> str:
    """The sentence of this program about the network, without the path of a ca_file and the name of a proxy."""
    text = _PATH.sub("[path]", printable(str(error)))
    for name, value in os.environ.items():
        if name.casefold() in ("http_proxy", "https_proxy", "all_proxy"):
            with suppress(ValueError):
                place = urlsplit(value).netloc.rpartition("@")[2]
                for part in (place, place.partition(":")[0]):
                    text = text.replace(part, "[proxy]") if part else text
    return text


def _failure(error: GatewayError | CredentialError) -> str:
    """A failure without its text, which may repeat a name."""
    if isinstance(error, CredentialError):
        return type(error).__name__
    status = f", HTTP {error.status}" if error.status else ""
    kind = f", {_word(error.type)}" if error.type else ""
    return f"{type(error).__name__}{status}{kind}"


def _gateway(session: Session) -> Iterable[str]:
    server = session.server
    tested = (
        "later than every release tested" if server.newer else "earlier than them" if server.untested else "covered"
    )
    yield f"LiteLLM: {_word(server.version) if server.version else 'release unknown'}"
    yield f"tested with {', '.join(TESTED)}: {tested}"
    yield f"clock: {session.client.clock.ahead.total_seconds():+.0f} s from this machine's"
    yield f"key_type at creation: {_yes(server.key_types)}"
    yield f"an expiry can be taken off: {_yes(server.clears_expiry)}"


def _rights(session: Session) -> Iterable[str]:
    caller, rights = session.caller, session.rights
    kind = "the master key" if caller.master else "a key for models alone" if caller.narrow else "a virtual key"
    yield f"key: {kind}{', of a user' if caller.user_id else ''}"
    yield f"role: {_word(rights.role)}"
    yield f"about everyone: {_yes(session.everyone)}"
    yield f"teams: {len(session.teams)}"
    yield f"limited to routes: {_yes(rights.routes)}"
    for action in Action:
        yield f"may {action.value}: {_yes(rights.why_not(action) is None)}"
    yield f"warnings at the start: {len(session.warnings)}"


async def _reading(session: Session) -> list[str]:
    """How long the reads take that every screen rests on; what the key may not do is not tried (S44)."""
    client, rights = session.client, session.rights
    lines = [
        await _timed("the gateway is alive", lambda: client.get("/health/liveliness")),
        await _timed(
            "models",
            lambda: models.list_models(client, details=rights.why_not(Action.MODEL_DETAILS) is None),
            count=True,
        ),
    ]
    if rights.why_not(Action.LIST_KEYS) is None:
        one = {"page": 1, "size": 1, "user_id": session.user_id}
        lines.append(await _timed("one key of the list", lambda: client.get("/key/list", one)))
    scope = next(iter(scopes(session)), None)
    if scope is not None and refused(session, scope) is None:
        reports = Reports(session, session.by_gateway(lambda: datetime.now(UTC)), cache=None)
        days = reports.days(1)
        lines.append(await _timed("usage of today", lambda: reports.usage(scope, *days, key_models=False)))
    return lines


async def _timed(what: str, call: Callable[[], Awaitable[object]], *, count: bool = False) -> str:
    began = time.perf_counter()
    try:
        found = await call()
    except GatewayError as error:
        return f"{what}: {_failure(error)} after {(time.perf_counter() - began) * 1000:.0f} ms"
    many = f", {len(found)}" if count and isinstance(found, list) else ""
    return f"{what}: {(time.perf_counter() - began) * 1000:.0f} ms{many}"


def _cache() -> Iterable[str]:
    where = usage_cache.folder()
    if where is None:
        yield "no folder for it on this machine"
        return
    files = size = 0
    with suppress(OSError), os.scandir(where) as entries:
        for entry in entries:
            with suppress(OSError):
                files, size = files + 1, size + entry.stat(follow_symlinks=False).st_size
    yield f"files: {files}"
    yield f"bytes: {size}"
    yield f"writable: {_yes(_writable(where))}"


def _writable(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that is there, may be written to."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    return os.access(there, os.W_OK | os.X_OK)
