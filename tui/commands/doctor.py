"""`litellm-tui doctor`: what it connects to, as whom, and what that key may do. Nothing is tried to find out."""

from dataclasses import asdict, dataclass

import httpx

from tui.commands.output import print_json
from tui.config import Settings
from tui.credentials import CredentialError
from tui.formatting import plain
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.startup import Session, explain, start

PER_KEY = (Action.EDIT, Action.BLOCK, Action.RESET_SPEND, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `state` is ok, some, no (not allowed), ! or failed."""

    what: str
    state: str
    detail: str


async def doctor(settings: Settings, transport: httpx.AsyncBaseTransport | None, *, as_json: bool) -> int:
    """Print the findings; 1 where there is no session."""
    findings = [
        Finding("profile", "ok", f"{settings.profile} ({settings.sources.get('profile', 'none')})"),
        Finding("url", "ok", f"{settings.url} ({settings.sources.get('url', '')})"),
        Finding("key", "ok", settings.credential.describe()),
    ]
    code = 0
    try:
        session = await start(settings, transport=transport)
    except (GatewayError, CredentialError) as error:
        trouble = explain(error, settings)
        findings.append(Finding("connection", "failed", f"{trouble.title}: {trouble.sentence}"))
        findings += [Finding("", "", line) for line in trouble.advice]
        code = 1
    else:
        async with session.client:
            rights = session.rights
            findings += [
                Finding("connection", "ok", f"LiteLLM {session.server.version or 'of an unknown release'}"),
                Finding("identity", "ok", _identity(session)),
                Finding("role", "ok", rights.role),
                Finding("about", "ok", f"{session.about}, {len(session.keys)} keys, {len(session.teams)} teams"),
            ]
            findings += [_right(session, action) for action in Action]
            findings += [Finding("warning", "!", warning) for warning in session.warnings]
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return code
    for finding in findings:
        print(f"{finding.state:<7}{finding.what:<36}{plain(finding.detail)}".rstrip())
    return code


def _identity(session: Session) -> str:
    if session.caller.master:
        return "the master key"
    if session.caller.key is None:
        return "a key that may not read itself"
    return f"{session.caller.key.label}, a key of {session.caller.user_id or 'nobody'}"


def _right(session: Session, action: Action) -> Finding:
    """What the rights say; where they differ from key to key, for how many of them."""
    what = f"may {action.value}".replace("this key", "keys").replace("its spend", "spend")
    why = session.rights.why_not(action)
    if why is None and session.keys and action in PER_KEY:
        refused = [found for key in session.keys if (found := session.rights.why_not(action, key))]
        if refused:
            allowed = len(session.keys) - len(refused)
            return Finding(what, "some" if allowed else "no", f"{allowed} of {len(session.keys)} keys: {refused[0]}")
    return Finding(what, "no" if why else "ok", why or "")
