"""`litellm-tui doctor`: what it connects to, as whom, and what that key may do. Nothing is tried to find out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import httpx

from tui.commands.output import Cell, Column, print_json, print_table
from tui.config import Config, Problem, Settings
from tui.credentials import CredentialError
from tui.gateway.capabilities import TESTED, Action
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import redact
from tui.gateway.schema import Key
from tui.reports import refused, scopes
from tui.startup import Session, explain, start

PER_KEY = (Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE)
OK, NO, MIND = "ok", "no", "!"
_STYLE = {NO: "bad", MIND: "warn"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `state` is `ok`, `no`, or `!` for what is worth a look."""

    what: str
    state: str
    detail: str = ""


async def doctor(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, config: Config | None = None, *, as_json: bool
) -> int:
    """Print the findings; 1 where the app would have no session. `config` is the file, where its looks matter."""
    # `ignored` becomes a warning of the session; here each is told once, on stderr
    settings = replace(settings, ignored=())
    findings = [*_settings(settings), *(_looks(config) if config else [])]
    code = 0
    try:
        session = await start(settings, transport=transport, look=True)
    except (GatewayError, CredentialError) as error:
        trouble = explain(error, settings)
        findings.append(Finding("connection", NO, f"{trouble.title}: {trouble.sentence}"))
        findings += [Finding("", MIND, line) for line in trouble.advice]
        code = 1
    else:
        async with session.client:
            # an admin's rights are the same on every key: no need to read thousands of them
            keys = [] if session.rights.sees_all else await session.load_keys()
            findings += [
                Finding("connection", OK, f"{session.client.host} answers"),
                Finding("release", *_release(session)),
                Finding("identity", OK, _identity(session)),
                Finding("role", OK, session.rights.role),
                Finding("about", *_about(session)),
                *(_right(session, action, keys) for action in Action),
                *(Finding("warning", MIND, warning) for warning in session.warnings),
            ]
            code = 1 if any(found.what == "about" and found.state == NO for found in findings) else 0
    findings = [replace(found, detail=redact(found.detail)) for found in findings]
    if as_json:
        print_json([asdict(found) for found in findings])
        return code
    columns = (Column(""), Column("What"), Column("Finding"))
    print_table(columns, [(Cell(f.state, _STYLE.get(f.state, "")), f.what, f.detail) for f in findings])
    return code


def _settings(settings: Settings) -> list[Finding]:
    source = settings.sources
    user_from = f" ({source['user']})" if source.get("user", "none") != "none" else ""
    plain_http = settings.url.startswith("http://") and settings.allow_http
    return [
        Finding("profile", OK, f"{settings.profile} ({source['profile']})" if settings.from_profile else "none"),
        Finding("gateway", MIND if plain_http else OK, f"{settings.url} ({source.get('url', '')})"),
        Finding("key", OK, f"{settings.credential.describe()}"),
        Finding("user", OK, f"{settings.user}{user_from}" if settings.user else "nobody named"),
        Finding("read-only", OK, f"{'yes' if settings.read_only else 'no'} ({source.get('read_only', 'default')})"),
    ]


def _looks(config: Config) -> list[Finding]:
    """The theme and the keys of the file, as the app takes them at its start; nothing where it names none."""
    findings = []
    if config.theme is not None:
        from tui import themes

        problem = themes.problem(config)
        findings.append(Finding("theme", MIND if problem else OK, _not_used(problem) if problem else config.theme))
    if config.keys:
        # the app's own keys are among those that clash
        import tui.app  # noqa: F401
        from tui import keymap

        used, problems = keymap.read(config)
        count = f"{len(used)} {'action has its' if len(used) == 1 else 'actions have their'} key from the file"
        findings += [Finding("keys", MIND, _not_used(each)) for each in problems] or [Finding("keys", OK, count)]
    return findings


def _not_used(problem: Problem) -> str:
    return f"not used: {replace(problem, file=None)}"


def _release(session: Session) -> tuple[str, str]:
    server = session.server
    if server.version and (server.newer or server.untested):
        return MIND, f"LiteLLM {server.version}; tested with {', '.join(TESTED)}"
    if server.version:
        return OK, f"LiteLLM {server.version}"
    return MIND, "LiteLLM of a release that no public route tells; taken for a recent one"


def _identity(session: Session) -> str:
    if session.caller.master:
        return "the master key"
    if session.caller.key is None:
        return "a key that may not read itself"
    return f"{session.caller.key.label}, a key of {session.caller.user_id or 'no user'}"


def _about(session: Session) -> tuple[str, str]:
    """Whose keys and usage the app shows; `no` where it would refuse to start (S33)."""
    if not session.user_id or session.user or not session.rights.sees_all or session.user_id == session.caller.user_id:
        labels = ", ".join(team.label for team in session.teams) if session.user_id else ""
        teams = f", in {labels}" if labels else ""
        return OK, f"{session.about}{teams}"
    said = f"the gateway has no user {session.user_id}"
    provisions = session.settings.provisioning.enabled and session.rights.admin and not session.settings.read_only
    if provisions:
        return MIND, f"{said}; the app makes it at its start (provisioning)"
    return NO, f"{said}, and provisioning is off or not possible: the app would stop there"


def _right(session: Session, action: Action, keys: Sequence[Key]) -> Finding:
    """What the rights say; where they differ from key to key, for how many of them."""
    what = f"may {action.value}".replace("this key", "keys").replace("its spend", "spend")
    why = session.rights.why_not(action)
    if why is None and action is Action.SEE_USAGE:
        why = refused(session, next(iter(scopes(session)), None))
    if why is None and keys and action in PER_KEY:
        reasons = [found for key in keys if (found := session.rights.why_not(action, key))]
        if reasons:
            allowed = len(keys) - len(reasons)
            return Finding(what, MIND if allowed else NO, f"{allowed} of {len(keys)} keys: {reasons[0]}")
    return Finding(what, NO if why else OK, why or "")
