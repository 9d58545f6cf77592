"""Profiles, precedence, and where the gateway's address and key come from.

Each value comes from the first of: flag, ``LITELLM_TUI_*``, ``LITELLM_PROXY_*``, ``LITELLM_BASE_URL`` with
``LITELLM_API_KEY`` or ``LITELLM_MASTER_KEY``, profile. A key must not reach another gateway by that, so:

- A key goes to the address of its own source, or to one chosen above it where its own source names no
  address. ``LITELLM_PROXY_API_KEY`` beside ``LITELLM_PROXY_URL`` never goes to the address in ``--url``.
- A key from ``LITELLM_PROXY_*``, ``LITELLM_API_KEY`` or ``LITELLM_MASTER_KEY`` never goes to a profile's
  address, unless a flag or a variable names that very address. ``LITELLM_TUI_API_KEY`` is meant for this
  program and does.
- A profile named by ``--profile`` or ``LITELLM_TUI_PROFILE`` puts all variables but ``LITELLM_TUI_*`` out of
  play.
- A profile's key goes to another address only where that was given in the same place as the profile's name:
  both flags, or both ``LITELLM_TUI_*``.
- A default profile whose address is not the one chosen is not in play at all: its user, provisioning and
  read-only mark belong to its gateway. Where it is the same address, they hold.

A key that was left out for these reasons is told in :attr:`Settings.ignored`. Empty variables count as not
set.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from tui import identity
from tui.credentials import (
    AskKey,
    CommandKey,
    Credential,
    EnvKey,
    FileKey,
    HeldKey,
    KeyringKey,
    Secret,
)
from tui.files import FileError, check_private, ensure_private_dir, write_private
from tui.gateway.hosts import is_loopback
from tui.gateway.redaction import printable, redact

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

APP = "litellm-tui"
DEMO_URL = "https://demo.invalid"
DEMO_KEY = "sk-demo"
DEFAULT_TIMEOUT = 30.0

_MOST_BYTES = 1_000_000
_SUFFIXES = ("/v1/chat/completions", "/chat/completions", "/ui/login", "/ui", "/v1")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and what is allowed there. Never the value, which may be a key."""

    field: str
    message: str
    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = [str(self.file)] if self.file else []
        if self.line:
            where.append(f"line {self.line}")
        if self.field:
            where.append(self.field)
        return f"{', '.join(where)}: {self.message}" if where else self.message


class ConfigError(Exception):
    """The configuration cannot be used. ``str()`` has one line per problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class UrlError(ValueError):
    """An address that cannot be used; ``field`` is ``url`` or ``allow_http``, ``suggestion`` one that could
    be."""

    def __init__(self, sentence: str, *, field: str = "url", suggestion: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field
        self.suggestion = suggestion

    def with_hint(self) -> str:
        """The sentence, with what was probably meant."""
        return f"{self} Did you mean {self.suggestion} ?" if self.suggestion else str(self)


def check_url(text: str, *, allow_http: bool = False) -> str:
    """A gateway's base address (S1): one trailing ``/`` dropped, a path prefix kept.

    Raises :class:`UrlError`. Plain ``http://`` is for this machine only, unless ``allow_http``.
    """
    url = text.strip()
    if not url:
        raise UrlError("the address is empty. Allowed: such as https://llm.example.com.")
    # urlsplit drops tabs and line breaks without a word, so look before it does.
    if any(not c.isprintable() or c.isspace() or c == "\\" for c in url):
        raise UrlError("the address has a blank, a backslash or a control character in it.")
    if "://" not in url:
        raise UrlError("the address does not start with https:// or http://.", suggestion=_with_https(url))
    parts, port = _split(url)
    if parts is None or port == -1:
        raise UrlError("the address cannot be read. Allowed: such as https://llm.example.com:4000/prefix.")
    if parts.scheme not in ("http", "https"):
        raise UrlError("the address has to start with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise UrlError("the address holds a user name or password, and addresses are logged.")
    if not parts.hostname:
        raise UrlError("the address has no host. Allowed: such as https://llm.example.com.")
    path = parts.path.removesuffix("/")
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            base = f"{parts.scheme}://{parts.netloc}{path.removesuffix(suffix)}"
            raise UrlError(
                f"the address ends in {suffix}, which is below the gateway's base address.",
                suggestion=base,
            )
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise UrlError("the address has a ? or # part. Allowed: scheme, host, port and a path prefix.")
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname):
        raise UrlError(
            f"plain http:// to {parts.hostname} sends the key in the clear. "
            "Allowed: https://, http:// to this machine, or http:// with allow_http = true.",
            field="allow_http",
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def same_url(one: str, other: str) -> bool:
    """Whether two addresses are one gateway: case of the host and default ports aside."""
    return _identity(one) == _identity(other)


def _identity(url: str) -> tuple[str, str | None, int | None, str]:
    parts, port = _split(url)
    if parts is None:
        return ("", url, None, "")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.scheme, parts.hostname, port or default, parts.path.removesuffix("/"))


def _split(url: str) -> tuple[SplitResult | None, int | None]:
    """The parts and the port, -1 for a port that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None, None
    try:
        return parts, parts.port
    except ValueError:
        return parts, -1


def _with_https(rest: str) -> str | None:
    try:
        return check_url(f"https://{rest}")
    except UrlError:
        return None


# The file


def _budget(value: object) -> object:
    # One check for the whole union: pydantic would report each branch by itself.
    if value == "unlimited" or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    ):
        return value
    raise PydanticCustomError("budget", "not a budget.")


def _json(value: object) -> object:
    if _is_json(value):
        return value
    raise PydanticCustomError("json", "has a value that JSON does not know, such as a date or nan.")


def _is_json(value: object) -> bool:
    match value:
        case dict():
            return all(map(_is_json, value.values()))
        case list():
            return all(map(_is_json, value))
        case float():
            return math.isfinite(value)
        case _:
            return value is None or isinstance(value, str | int | bool)


_Words = list[Annotated[str, Field(min_length=1)]]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class Limits(_Table):
    """What a provisioned user gets (S31). ``model_fields_set`` tells what the file sets, 0 and [] included
    (S32)."""

    max_budget: Annotated[float | Literal["unlimited"], BeforeValidator(_budget)] = Field(
        default=10.0, description='USD per budget window, 0 or more, or "unlimited"'
    )
    budget_duration: str | None = Field(
        default="30d",
        pattern=r"^[1-9][0-9]*(s|m|h|d|w|mo)$",
        description='a duration such as "24h", "30d" or "1mo"',
    )
    models: _Words = Field(default_factory=list, description="a list of model names; [] is all models")
    teams: _Words = Field(default_factory=list, description="a list of team ids")
    tpm_limit: int | None = Field(default=None, ge=0, description="tokens per minute, a whole number, 0 or more")
    rpm_limit: int | None = Field(default=None, ge=0, description="requests per minute, a whole number, 0 or more")
    user_role: Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"] = Field(
        default="internal_user",
        description='"internal_user", "internal_user_viewer", "proxy_admin_viewer" or "proxy_admin"',
    )
    metadata: Annotated[dict[str, Any], BeforeValidator(_json)] = Field(
        default_factory=dict, description="a table of text, numbers, true and false, lists and tables"
    )


class Role(Limits):
    """Limits for the members of a Unix group; only what the file sets replaces the defaults (S32)."""

    group: str = Field(min_length=1, description="the name of a Unix group")


class Provisioning(_Table):
    """Whether and how a missing user is created at start (S31, S32)."""

    enabled: bool = Field(default=False, description="true or false")
    defaults: Limits = Field(default_factory=lambda: Limits())
    roles: list[Role] = Field(
        default_factory=list, description="[[profiles.NAME.provisioning.roles]] tables, each with a group"
    )

    def limits_for(self, groups: Iterable[str]) -> Limits:
        """The defaults with the first role whose group is among ``groups`` laid over them (S32)."""
        member = set(groups)
        role = next((role for role in self.roles if role.group in member), None)
        if role is None:
            return self.defaults
        # By the fields that are set: 0 and [] replace a default too.
        over = {name: getattr(role, name) for name in role.model_fields_set - {"group"}}
        if "metadata" in over:
            over["metadata"] = {**self.defaults.metadata, **role.metadata}
        return self.defaults.model_copy(update=over)


_SOURCES = ("api_key_env", "api_key_command", "api_key_file", "keyring")


COLOURS = {
    "black": "#1c1c1c",
    "red": "#b3201a",
    "green": "#1f7a33",
    "yellow": "#e0b000",
    "blue": "#1f5fbf",
    "magenta": "#9c2f8f",
    "cyan": "#0f7685",
    "white": "#e6e6e6",
}
"""The colours that a profile may name. Not the terminal's own, which are anything: the bar has to be readable."""


def _colour(value: object) -> object:
    if isinstance(value, str) and (value in COLOURS or re.fullmatch(r"#[0-9A-Fa-f]{6}", value)):
        return value
    raise PydanticCustomError("colour", "not a colour.")


Asking = Literal["y", "type"]
"""How a person confirms what cannot be undone: with one key, or by typing what it goes to."""


class Profile(_Table):
    """One gateway: its address, where the key is, and how to behave there. Holds no key."""

    url: str = Field(description="the gateway's base address, such as https://llm.example.com")
    api_key_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="the name of an environment variable (the name, not the key)",
    )
    api_key_command: list[str] | None = Field(
        default=None,
        min_length=1,
        description='a list of program and arguments, such as ["pass", "show", "llm"], without a key in it',
    )
    api_key_file: str | None = Field(
        default=None, min_length=1, description="the path of a file with mode 0600; its first line is the key"
    )
    keyring: bool = Field(default=False, description="true or false")
    user: str | None = Field(default=None, description='a user name, or "login" for the login name of this machine')
    user_id_domain: str | None = Field(
        default=None,
        pattern=r"^@?[^@\s]+$",
        description="a domain such as example.com, put behind names without @",
    )
    read_only: bool = Field(default=False, description="true or false")
    timeout: float = Field(
        default=DEFAULT_TIMEOUT,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="seconds, above 0, up to 3600",
    )
    allow_http: bool = Field(default=False, description="true or false")
    ca_file: str | None = Field(default=None, min_length=1, description="the path of a PEM file with CA certificates")
    colour: Annotated[str | None, BeforeValidator(_colour)] = Field(
        default=None, description=f'{", ".join(COLOURS)}, or a colour such as "#b3201a"'
    )
    confirm: Asking = Field(
        default="y", description='"y", or "type" to have the name typed before anything destructive'
    )
    provisioning: Provisioning = Field(default_factory=lambda: Provisioning())


Clipboard = Literal["auto", "tmux", "osc52", "none"]
"""How text is copied; `auto` goes by the environment."""


class _File(_Table):
    default: str | None = Field(default=None, description="the name of a profile")
    theme: str | None = Field(default=None, min_length=1, description="the name of a theme")
    clipboard: Clipboard = Field(default="auto", description='"auto", "osc52", "tmux" or "none"')
    keys: dict[str, Any] = Field(
        default_factory=dict, description='a table of an action and its keys, such as "keys.rotate" = "ctrl+r"'
    )
    profiles: dict[str, Profile] = Field(
        default_factory=dict, description="tables such as [profiles.work], each with a url"
    )


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): _File,
    ("profiles", "*"): Profile,
    ("profiles", "*", "provisioning"): Provisioning,
    ("profiles", "*", "provisioning", "defaults"): Limits,
    ("profiles", "*", "provisioning", "roles", "*"): Role,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE = "letters, digits and . _ - after a letter or digit, up to 64 characters"

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Config:
    """What the file says. ``path`` is where it is, or would be; ``exists`` tells which."""

    path: Path
    exists: bool = False
    default: str | None = None
    theme: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    clipboard: Clipboard = "auto"
    keys: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, message: str, *where: str | int) -> Problem:
        """A problem at a field of this file, with its line."""
        return Problem(_dotted(where), message, self.path, _line(self.text, where))


NO_HOME = "there is no home folder. Set HOME or XDG_CONFIG_HOME, or name a file with --config."


def default_path() -> Path:
    """``config.toml`` in the user's configuration folder for litellm-tui; begins with ``~`` where there is no home."""
    import platformdirs

    try:
        folder = Path(platformdirs.user_config_path(APP, appauthor=False))
    except RuntimeError:
        folder = Path("~", f".{APP}")
    return folder / "config.toml"


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read the configuration: ``path``, else ``LITELLM_TUI_CONFIG``, else :func:`default_path`.

    A default file that is not there is an empty configuration; a named one raises :class:`ConfigError`, as
    does one that is wrong or that other users of the machine can get at. Problems come all at once.
    """
    named = path or (Path(env["LITELLM_TUI_CONFIG"]) if env.get("LITELLM_TUI_CONFIG") else None)
    where = named or default_path()
    if not named and not where.is_absolute():
        # no home folder: "~" would be a folder of that name wherever one stands
        return Config(where)
    try:
        where = where.expanduser()
    except RuntimeError:
        raise ConfigError(Problem("", f"is not to be found: {NO_HOME}", where)) from None
    try:
        with where.open("rb") as file:
            if not named:
                check_private(where.parent, where.parent.stat(), want=0o700)
            check_private(where, os.fstat(file.fileno()))
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        if named:
            raise ConfigError(Problem("", "there is no such file.", where)) from None
        return Config(where)
    except FileError as error:
        raise ConfigError(Problem("", str(error))) from None
    except OSError as error:
        raise ConfigError(Problem("", f"cannot be read: {error.strerror}.", where)) from None
    if len(data) > _MOST_BYTES:
        raise ConfigError(Problem("", "is over 1 MB, which no configuration is.", where))
    return _parse(where, data)


def _parse(path: Path, data: bytes) -> Config:
    text, problems = _decode(path, data)
    values: dict[str, Any] = {}
    if not problems:
        values, problems = _toml(path, text)
    if problems:
        raise ConfigError(*problems)
    file, found = _validate(values)
    for at, message in _rules(values):
        found.setdefault(at, message)
    if file is None or found:
        lines = sorted((_line(text, at) or 0, _dotted(at), message) for at, message in found.items())
        raise ConfigError(*(Problem(name, message, path, line or None) for line, name, message in lines))
    return Config(path, True, file.default, file.theme, file.profiles, text, file.clipboard, file.keys)


# The next three hand their findings back, so that no exception is raised inside a handler: the exceptions of
# tomllib and pydantic carry the whole document, and would ride along as the context.


def _decode(path: Path, data: bytes) -> tuple[str, list[Problem]]:
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    return "", [Problem("", "is not UTF-8 text. Save it as UTF-8.", path, line)]


def _toml(path: Path, text: str) -> tuple[dict[str, Any], list[Problem]]:
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        said = str(error)
    except RecursionError:
        said = "Too deeply nested"
    match = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$", said)
    reason = redact(said[: match.start()] if match else said)
    line = int(match[1]) if match and match[1] else max(1, len(text.splitlines()))
    return {}, [Problem("", f"this is not TOML: {reason}.", path, line)]


def _validate(values: dict[str, Any]) -> tuple[_File | None, dict[Path_, str]]:
    try:
        return _File.model_validate(values), {}
    except ValidationError as error:
        details = error.errors(include_url=False)
    found: dict[Path_, str] = {}
    for detail in details:
        at = _place(detail, values)
        found.setdefault(at, _sentence(at, detail, values))
    return None, found


def _place(detail: ErrorDetails, values: object) -> Path_:
    """The field that an error is about: pydantic's path less its own additions, such as branches of a
    union."""
    path: list[str | int] = []
    cursor: object = values
    last = len(detail["loc"]) - 1
    for index, part in enumerate(detail["loc"]):
        if _there(cursor, (part,)):
            cursor = _value(cursor, (part,))
        elif not (index == last and detail["type"] == "missing"):
            continue
        path.append(part)
    return tuple(path)


def _sentence(at: Path_, detail: ErrorDetails, values: dict[str, Any]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(at, values)
        case "missing":
            return f"is missing. Allowed: {_allowed(at)}."
        case "json":
            return f"{detail['msg']} Allowed: {_allowed(at)}."
    return f"{_kind(_value(values, at))} is not allowed here. Allowed: {_allowed(at)}."


def _unknown(at: Path_, values: dict[str, Any]) -> str:
    name = str(at[-1])
    fields = list(_TABLES[_pattern(at[:-1])].model_fields)
    allowed = f"Allowed here: {', '.join(fields)}."
    if len(at) == 1 and isinstance(values.get(name), dict) and "url" in values[name]:
        return f"no such table. Did you mean [profiles.{redact(name)}] ? {allowed}"
    if name.casefold().replace("-", "_") in ("api_key", "key", "apikey", "token", "secret", "password"):
        return f"no key stands in this file. Say where it is: {', '.join(_SOURCES)}. {allowed}"
    close = did_you_mean(name, fields)
    return f"no such field.{close} {allowed}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean X ?`` with a leading blank, or nothing."""
    close = difflib.get_close_matches(name.casefold().replace("-", "_"), list(known), 1)
    return f" Did you mean {close[0]} ?" if close else ""


def _pattern(path: Path_) -> tuple[str, ...]:
    return tuple(
        "*" if isinstance(part, int) or (index == 1 and path[0] == "profiles") else part
        for index, part in enumerate(path)
    )


def _allowed(path: Path_) -> str:
    pattern = _pattern(path)
    if table := _TABLES.get(pattern):
        return f"a table with {', '.join(table.model_fields)}"
    # Inside a list or a free table the field above it has the description.
    for end in range(len(pattern), 0, -1):
        table = _TABLES.get(pattern[: end - 1])
        if table and pattern[end - 1] in table.model_fields:
            return _allowed_for(table, pattern[end - 1])
    return "nothing"


def _allowed_for(table: type[BaseModel], name: str) -> str:
    return table.model_fields[name].description or f"a table with {', '.join(Limits.model_fields)}"


def _value(values: object, path: Path_) -> object:
    for part in path:
        values = values[part]  # type: ignore[index]
    return values


def _kind(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return "this text"
        case int() | float():
            return "this number"
        case list():
            return "this list"
        case dict():
            return "a table"
    return "a date or time"


def _rules(values: dict[str, Any]) -> Iterable[tuple[Path_, str]]:
    """The rules that need more than one field, or a sentence of their own."""
    profiles = values.get("profiles", {})
    if not isinstance(profiles, dict):
        return
    for name, profile in profiles.items():
        if not _NAME.fullmatch(name):
            yield ("profiles", name), f"this is no name for a profile. Allowed: {_NAME_RULE}."
        if isinstance(profile, dict):
            for key, sentence in _profile_rules(profile):
                yield ("profiles", name, key), sentence
    default = values.get("default")
    if isinstance(default, str) and default not in profiles:
        known = ", ".join(map(_shown, profiles)) or "the name of a profile, of which there are none yet"
        hint = did_you_mean(default, profiles)
        yield ("default",), f"there is no profile of this name.{hint} Allowed: {known}."


def _profile_rules(profile: dict[str, Any]) -> Iterable[tuple[str, str]]:
    found = [name for name in _SOURCES if profile.get(name, False) is not False]
    for extra in found[1:]:
        yield extra, f"{found[0]} is set already. Allowed: one of {', '.join(_SOURCES)}."
    url = profile.get("url")
    if isinstance(url, str):
        try:
            check_url(url, allow_http=profile.get("allow_http") is True)
        except UrlError as error:
            yield "url", error.with_hint()
    command = profile.get("api_key_command")
    # A key in an argument would be there for all to see in the list of processes.
    words = [word for word in command if isinstance(word, str)] if isinstance(command, list) else []
    if words and words == command and (not words[0].strip() or any(redact(w) != w or "\0" in w for w in words)):
        yield "api_key_command", f"not such a list. Allowed: {_allowed_for(Profile, 'api_key_command')}."
    user = profile.get("user")
    if isinstance(user, str):
        try:
            identity.map_user_id(user)
        except ValueError:
            yield "user", f"the name is empty. Allowed: {_allowed_for(Profile, 'user')}."


def _dotted(path: Path_) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = _shown(part)
            name = shown if re.fullmatch(r"[A-Za-z0-9_-]+", shown) else f'"{shown}"'
            text += f".{name}" if text else name
    return text


def _shown(name: str) -> str:
    return redact(printable(name))[:64]


def _line(text: str, path: Path_) -> int | None:
    """The line (from 1) where the field at ``path`` is written, or the nearest table above it.

    tomllib knows no lines, so this looks for the shortest beginning of the file in which the field is there.
    That way the real parser decides what a table, a dotted key or a text of several lines is.
    """
    lines = text.splitlines(keepends=True)
    values = _try("".join(lines))
    while path and not _there(values, path):
        path = path[:-1]
    if not path:
        return 1 if lines else None
    low, high = 0, len(lines)
    while high - low > 1:
        middle = (low + high) // 2
        at, values = middle, _try("".join(lines[:middle]))
        # In the middle of a statement of several lines: go to its beginning, else to its end.
        while values is None and at > low + 1:
            at -= 1
            values = _try("".join(lines[:at]))
        if values is None:
            at = middle + 1
            while at < high and (values := _try("".join(lines[:at]))) is None:
                at += 1
            if at >= high:
                break
        if _there(values, path):
            high = at
        else:
            low = at
    return low + 1


def _try(text: str) -> object:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _there(values: object, path: Path_) -> bool:
    for part in path:
        found = part in values if isinstance(values, dict) else False
        if isinstance(values, list) and isinstance(part, int):
            found = part < len(values)
        if not found:
            return False
        values = _value(values, (part,))
    return True


# What is used


@dataclass(frozen=True)
class Flags:
    """What the command line says. No flag takes a key."""

    profile: str | None = None
    url: str | None = None
    user: str | None = None
    read_only: bool = False
    config: Path | None = None
    demo: bool = False


@dataclass(frozen=True)
class Settings:
    """One gateway, ready to connect to.

    ``profile`` is the profile's name, or ``env``, ``url`` or ``demo`` where ``from_profile`` is False.
    ``user`` is the gateway's user id (S30, S37), None where nobody is meant; ``account`` the Unix account
    behind it. ``timeout`` is in seconds. ``sources`` tells where each value came from, ``ignored`` what was
    left aside and why, in words. ``colour`` is ``#rrggbb``.
    """

    profile: str
    url: str
    credential: Credential
    user: str | None = None
    account: str | None = None
    user_id_domain: str | None = None
    read_only: bool = False
    timeout: float = DEFAULT_TIMEOUT
    provisioning: Provisioning = field(default_factory=lambda: Provisioning())
    ca_file: Path | None = None
    allow_http: bool = False
    colour: str | None = None
    confirm: Asking = "y"
    from_profile: bool = False
    demo: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The host, with the port where one is given, for the header."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True)
class _Place:
    """A place that may name an address, a key, or both."""

    rank: int
    url: str | None = None
    url_from: str = ""
    key: EnvKey | None = None
    generic: bool = False


def _places(flags: Flags, env: Mapping[str, str]) -> list[_Place]:
    def variables(rank: int, url: str, *keys: str, generic: bool = True) -> _Place:
        name = next((key for key in keys if env.get(key)), None)
        found = EnvKey(name, Secret(env[name])) if name else None
        return _Place(rank, env.get(url) or None, url, found, generic)

    return [
        _Place(0, flags.url or None, "--url"),
        variables(1, "LITELLM_TUI_URL", "LITELLM_TUI_API_KEY", generic=False),
        variables(2, "LITELLM_PROXY_URL", "LITELLM_PROXY_API_KEY"),
        variables(3, "LITELLM_BASE_URL", "LITELLM_API_KEY", "LITELLM_MASTER_KEY"),
    ]


_VARIABLES = ("PROFILE", "URL", "API_KEY", "USER", "READ_ONLY", "CONFIG", "ALLOW_HTTP", "DEBUG")


def resolve(config: Config, flags: Flags, env: Mapping[str, str]) -> Settings | None:
    """The gateway to connect to, by the rules at the head of this module; None where nothing is configured.

    Fetches no key. Raises :class:`ConfigError` for a profile that is not there, for several profiles and no
    choice, and for wrong flags and variables.
    """
    if flags.demo:
        return _demo(flags, env)
    ignored = list(_strangers(env))
    name, name_from, rank = _named(config, flags, env)
    explicit = name is not None
    places = _places(flags, env)
    if explicit:
        for place in (p for p in places if p.generic):
            if place.url:
                ignored.append(f"{place.url_from} is set but not used: {name_from} names a profile.")
            if place.key:
                ignored.append(f"{place.key.name} is set but not used: {name_from} names a profile.")
        places = [p for p in places if not p.generic]
    chosen = next((p for p in places if p.url), None)
    if name is None:
        name, name_from = _default(config, needed=chosen is None)
    profile = config.profiles[name] if name is not None else None

    if chosen is not None:
        url = _outer_url(chosen, config, profile if explicit else None, env)
        if profile and not explicit and not same_url(url, profile.url):
            ignored.append(
                f"The profile {name} is not used: {chosen.url_from} names another address. --profile {name} chooses it."
            )
            profile = None
        url_from = chosen.url_from
    elif profile:
        url = check_url(profile.url, allow_http=profile.allow_http)
        url_from = f"profile {name}"
    else:
        return None

    credential, key_from, left = _credential(
        url, chosen, rank if explicit else None, places, config, env, name, profile
    )
    user, account, user_from = _user(flags, env, name, profile)
    read_only, read_only_from = _read_only(flags, env, name, profile)
    if not profile:
        name = "url" if chosen and chosen.rank == 0 else "env"
    sources = {
        "profile": name_from if profile else "none",
        "url": url_from,
        "key": key_from,
        "user": user_from,
        "read_only": read_only_from,
        "timeout": f"profile {name}" if profile and "timeout" in profile.model_fields_set else "default",
    }
    return Settings(
        profile=name or "env",
        url=url,
        credential=credential,
        user=user,
        account=account,
        user_id_domain=profile.user_id_domain if profile else None,
        read_only=read_only,
        timeout=profile.timeout if profile else DEFAULT_TIMEOUT,
        provisioning=profile.provisioning if profile else Provisioning(),
        ca_file=_ca_file(config, name or "", profile),
        allow_http=_allow_http(config, url, profile, env),
        colour=COLOURS.get(profile.colour, profile.colour) if profile and profile.colour else None,
        confirm=profile.confirm if profile else "y",
        from_profile=profile is not None,
        sources=sources,
        ignored=(*ignored, *left),
    )


_OF_ONE_GATEWAY = ("PROFILE", "URL", "API_KEY", "USER")


def for_profile(config: Config, name: str, env: Mapping[str, str], *, read_only: bool = False) -> Settings:
    """The profile ``name`` alone, for going over to it: a variable that names an address, a key or a user was meant
    for the start, and must not follow to another gateway. ``read_only`` is the command line's.

    Raises :class:`ConfigError`.
    """
    others = [f"LITELLM_TUI_{each}" for each in _OF_ONE_GATEWAY]
    kept = {each: value for each, value in env.items() if each not in others}
    settings = resolve(config, Flags(profile=name, read_only=read_only), kept)
    assert settings is not None
    # where the profile itself names one of those variables, it is its own
    credential = _profile_key(config, env, name, config.profiles[name])
    return replace(settings, credential=credential, ignored=())


def _demo(flags: Flags, env: Mapping[str, str]) -> Settings:
    if flags.url or flags.profile:
        both = "--url" if flags.url else "--profile"
        raise ConfigError(Problem("", f"--demo has a gateway of its own; it does not go with {both}."))
    read_only, read_only_from = _read_only(flags, env, None, None)
    return Settings(
        profile="demo",
        url=DEMO_URL,
        credential=HeldKey(Secret(DEMO_KEY), "the demo's own"),
        user=_map("--user", flags.user, None) if flags.user else None,
        account=None,
        read_only=read_only,
        demo=True,
        sources={
            "profile": "--demo",
            "url": "--demo",
            "key": "--demo",
            "user": "--user" if flags.user else "none",
            "read_only": read_only_from,
            "timeout": "default",
        },
    )


def _strangers(env: Mapping[str, str]) -> Iterable[str]:
    known = [f"LITELLM_TUI_{name}" for name in _VARIABLES]
    for name in sorted(env):
        if name.startswith("LITELLM_TUI_") and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]} ?" if close else f" There are: {', '.join(known)}."
            yield f"{redact(name)} is set, but no such variable is known.{hint}"


def _named(config: Config, flags: Flags, env: Mapping[str, str]) -> tuple[str | None, str, int]:
    """The profile named outright: by a flag (rank 0) or by a variable (rank 1)."""
    rank, origin, name = 0, "--profile", flags.profile
    if not name:
        rank, origin, name = 1, "LITELLM_TUI_PROFILE", env.get("LITELLM_TUI_PROFILE")
    if not name:
        return None, "", -1
    if name in config.profiles:
        return name, origin, rank
    known = ", ".join(config.profiles) or "none yet"
    raise ConfigError(
        Problem(
            origin,
            f"there is no profile of this name in {config.path}.{did_you_mean(name, config.profiles)} "
            f"Profiles there: {known}.",
        )
    )


def _default(config: Config, *, needed: bool) -> tuple[str | None, str]:
    if config.default:
        return config.default, f"the default in {config.path}"
    if len(config.profiles) == 1:
        return next(iter(config.profiles)), f"the only one in {config.path}"
    if config.profiles and needed:
        raise ConfigError(
            Problem(
                "default",
                "is missing, and there are several profiles. Choose one with --profile, or set it to one of: "
                f"{', '.join(config.profiles)}.",
                config.path,
            )
        )
    return None, ""


def _outer_url(place: _Place, config: Config, profile: Profile | None, env: Mapping[str, str]) -> str:
    assert place.url is not None
    sentence = ""
    try:
        url = check_url(place.url, allow_http=True)
        return check_url(url, allow_http=_allow_http(config, url, profile, env))
    except UrlError as error:
        sentence = error.with_hint()
        if error.field == "allow_http":
            sentence += " Set it in a profile with this url, or set LITELLM_TUI_ALLOW_HTTP=1."
    raise ConfigError(Problem(place.url_from, sentence))


def _allow_http(config: Config, url: str, profile: Profile | None, env: Mapping[str, str]) -> bool:
    return (
        bool(profile and profile.allow_http)
        or any(p.allow_http and same_url(url, p.url) for p in config.profiles.values())
        or _switch(env, "LITELLM_TUI_ALLOW_HTTP") is True
    )


def _credential(
    url: str,
    chosen: _Place | None,
    named_at: int | None,
    places: list[_Place],
    config: Config,
    env: Mapping[str, str],
    name: str | None,
    profile: Profile | None,
) -> tuple[Credential, str, list[str]]:
    """The first key that may go to ``url``, where it is from, and which ones may not."""
    left: list[str] = []
    for place in places:
        if place.key is None:
            continue
        if place.url and not _same_text(place.url, url):
            left.append(f"{place.key.name} is set but not used: it belongs to the address in {place.url_from}.")
        elif chosen is None and place.generic:
            left.append(
                f"{place.key.name} is set but not used: no variable says which address it is for. "
                "LITELLM_TUI_API_KEY would be used."
            )
        else:
            return place.key, place.key.name, left
    if profile is None:
        return AskKey(), "asked for at start", left
    credential = _profile_key(config, env, name or "", profile)
    if (
        chosen is not None
        and not isinstance(credential, AskKey)
        and not same_url(url, profile.url)
        and chosen.rank != named_at
    ):
        left.append(f"The key of profile {name} is not used: {chosen.url_from} names another address than its own.")
        return AskKey(), "asked for at start", left
    where = credential.describe()
    return credential, where if isinstance(credential, AskKey) else f"profile {name}: {where}", left


def _same_text(text: str, url: str) -> bool:
    try:
        return same_url(check_url(text, allow_http=True), url)
    except UrlError:
        return False


def _profile_key(config: Config, env: Mapping[str, str], name: str, profile: Profile) -> Credential:
    if profile.api_key_env:
        value = env.get(profile.api_key_env)
        return EnvKey(profile.api_key_env, Secret(value) if value else None)
    if profile.api_key_command:
        return CommandKey(tuple(profile.api_key_command))
    if profile.api_key_file:
        return FileKey(_beside(config, profile.api_key_file))
    return KeyringKey(name) if profile.keyring else AskKey()


def _beside(config: Config, text: str) -> Path:
    """A path in the file: ``~`` is the home folder, a relative one starts at the file's own folder."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        path = Path(text)
    return config.path.parent / path


def _user(
    flags: Flags, env: Mapping[str, str], name: str | None, profile: Profile | None
) -> tuple[str | None, str | None, str]:
    domain = profile.user_id_domain if profile else None
    if flags.user is not None:
        text, origin, label = flags.user, "--user", "--user"
    elif env.get("LITELLM_TUI_USER"):
        text, origin, label = env["LITELLM_TUI_USER"], "LITELLM_TUI_USER", "LITELLM_TUI_USER"
    elif profile and profile.user:
        text, origin, label = profile.user, f"profiles.{name}.user", f"profile {name}"
    else:
        return None, None, "none"
    user = _map(origin, text, domain)
    if identity.is_login(text):
        return user, identity.login_name(), f"{label} (the login name)"
    return user, identity.unix_account(text, domain), label


def _map(origin: str, text: str, domain: str | None) -> str:
    sentence = ""
    try:
        return identity.map_user_id(identity.login_name() if identity.is_login(text) else text, domain)
    except ValueError:
        sentence = 'the name is empty. Allowed: a user name, or "login" for the login name of this machine.'
    except identity.IdentityError as error:
        sentence = str(error)
    raise ConfigError(Problem(origin, sentence))


def _read_only(flags: Flags, env: Mapping[str, str], name: str | None, profile: Profile | None) -> tuple[bool, str]:
    if flags.read_only:
        return True, "--read-only"
    switch = _switch(env, "LITELLM_TUI_READ_ONLY")
    if switch is not None:
        return switch, "LITELLM_TUI_READ_ONLY"
    if profile and "read_only" in profile.model_fields_set:
        return profile.read_only, f"profile {name}"
    return False, "default"


def env_read_only() -> bool:
    """Whether the environment asks for a read-only session, whatever profile is used."""
    return bool(_switch(os.environ, "LITELLM_TUI_READ_ONLY"))


def _switch(env: Mapping[str, str], name: str) -> bool | None:
    word = env.get(name, "").strip().casefold()
    if not word:
        return None
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ConfigError(Problem(name, "Allowed: 1, true, yes or on; 0, false, no or off."))


def _ca_file(config: Config, name: str, profile: Profile | None) -> Path | None:
    if not profile or not profile.ca_file:
        return None
    path = _beside(config, profile.ca_file)
    if not path.is_file():
        raise ConfigError(
            config.problem(
                f"there is no file {path}. Allowed: {_allowed_for(Profile, 'ca_file')}.",
                "profiles",
                name,
                "ca_file",
            )
        )
    return path


# Writing


def save_profile(path: Path, name: str, *, default: bool = False, **fields: object) -> None:
    """Write one profile's fields (as in :class:`Profile`) into the file, for the setup screen; never a key.

    Fields not named stay, None removes one, and one key source replaces another. Comments and everything else
    stay. The first profile becomes the default; ``default`` makes this one so. What would not load is not
    written: :class:`ConfigError`. The file is replaced at once, with mode 0600; ``FileError`` where that
    fails.
    """
    import tomlkit

    try:
        path = path.expanduser()
    except RuntimeError:
        raise FileError(f"The profile cannot be written: {NO_HOME}", path) from None
    text = load(path, {}).text if path.exists() else ""
    if any(fields.get(source) not in (None, False) for source in _SOURCES):
        fields = {**fields, **{source: fields.get(source) for source in _SOURCES}}
    document = tomlkit.parse(text)
    if "profiles" not in document:
        document["profiles"] = tomlkit.table(is_super_table=True)
    profiles: Any = document["profiles"]
    if name not in profiles:
        profiles[name] = tomlkit.table()
    _set(profiles[name], fields)
    if default or "default" not in document:
        document["default"] = name
    new = tomlkit.dumps(document)
    _parse(path, new.encode("utf-8"))
    if path.parent == default_path().parent:
        ensure_private_dir(path.parent)
    write_private(path, new, exist_ok=True)


def _set(table: Any, fields: Mapping[str, object]) -> None:
    # What trails a table is a comment on the next one: tomlkit would put new fields below it.
    body = table.value.body if hasattr(table, "is_super_table") else []
    trail: list[Any] = []
    while body and body[-1][0] is None:
        trail.insert(0, body.pop())
    for key, value in fields.items():
        if value is None or (key == "keyring" and value is False):
            table.pop(key, None)
        else:
            table[key] = str(value) if isinstance(value, Path) else value
    body.extend(trail)
