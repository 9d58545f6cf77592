"""`doctor --report` can be shared: what is in it is of use, and none of what is nobody's business is (S3, S44)."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tui import cli
from tui.commands import run
from tui.config import Settings
from tui.credentials import CommandKey, FileKey, HeldKey, Secret
from tui.demo import DemoGateway

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "sk-canary-master-0123456789"
OWN = "sk-canary-own-9876543210"
CANARIES = {
    "user": "canaryuser@private.example.org",
    "alias": "canary-alias",
    "team": "canary-team",
    "metadata": "canary-metadata",
    "profile": "canary-profile",
    "path": "canary-path",
    "home": "canary-home",
    "prefix": "canary-prefix",
    "address": "203.0.113.77",
    "password": "canary-password",
    "terminal": "canary terminal \x1b]52;c;AAAA\x07",
}


@pytest.fixture
def gateway() -> DemoGateway:
    made = DemoGateway(now=NOW, master_key=SECRET)
    made.add_team(team_id="t1", team_alias=CANARIES["team"])
    made.add_user(user_id=CANARIES["user"], user_email=CANARIES["user"], user_role="internal_user")
    made.join("t1", CANARIES["user"])
    made.add_key(
        OWN,
        key_alias=CANARIES["alias"],
        user_id=CANARIES["user"],
        metadata={"note": CANARIES["metadata"]},
        spend=4242.5,
    )
    return made


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment that tells on its owner."""
    monkeypatch.setenv("HOME", str(tmp_path / CANARIES["home"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / CANARIES["home"] / "cache"))
    monkeypatch.setenv("SSH_CONNECTION", f"{CANARIES['address']} 50000 10.0.0.1 22")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{CANARIES['password']}@canary-proxy.invalid:3128")
    monkeypatch.setenv("TERM_PROGRAM", CANARIES["terminal"])
    monkeypatch.setenv("COLORTERM", OWN)
    monkeypatch.setenv("LANG", "de_DE.UTF-8@euro")


async def made(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str], key: str = SECRET, **more: Any
) -> tuple[int, str]:
    """The exit code and what is printed."""
    args = cli._parser().parse_args(["doctor", "--report"])
    settings = Settings(
        **{
            "profile": CANARIES["profile"],
            "url": f"https://llm.example.com/{CANARIES['prefix']}",
            "credential": HeldKey(Secret(key)),
            "from_profile": True,
            **more,
        }
    )
    transport = gateway.transport()

    class Prefixed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(path=request.url.path.removeprefix(f"/{CANARIES['prefix']}"))
            return await transport.handle_async_request(request)

    code = await run(args, settings, Prefixed(), lambda: NOW)
    return code, capsys.readouterr().out


def leaks(text: str) -> list[str]:
    """Every canary that is in the text, as it is or in base64."""
    secrets = [SECRET, OWN, *CANARIES.values(), "4242", "private.example", "canary"]
    folded = text.casefold()
    found = [secret for secret in secrets if secret.casefold() in folded]
    for secret in secrets:
        for shift in range(3):
            coded = base64.b64encode(b" " * shift + secret.encode()).decode()[4:-4]
            if len(coded) >= 8 and coded in text:
                found.append(f"base64 of {secret}")
    return found


@pytest.mark.parametrize("key", [SECRET, OWN])
@pytest.mark.parametrize("user", [None, CANARIES["user"]])
async def test_no_canary_is_in_it(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str], key: str, user: str | None
) -> None:  # S3
    code, text = await made(gateway, capsys, key, user=user)
    assert code == 0
    assert leaks(text) == []
    assert text.isascii() and "\x1b" not in text


async def test_it_says_what_it_holds_and_what_is_of_use(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = await made(gateway, capsys, OWN, credential=FileKey(Path("/nowhere")))
    assert text.startswith("# litellm-tui doctor report\n")
    head = text.partition("## ")[0]
    assert "It holds no key" in head and "before you share this" in head
    _, text = await made(gateway, capsys, OWN)
    assert re.findall(r"(?m)^## (.*)$", text) == [
        "Versions",
        "Terminal",
        "Settings",
        "Gateway",
        "Rights",
        "Reading",
        "Cache",
    ]
    for line in (
        "- gateway: https://llm.example.com",
        "- path prefix: yes",
        "- key comes from: typed, or the demo's",
        "- SSH_CONNECTION: set",
        "- TERM_PROGRAM: (unusual)",
        "- LANG: de_DE.UTF-8@euro",
        "- LiteLLM: 1.108.0",
        "- tested with 1.74.0, 1.83.0, 1.108.0: covered",
        "- role: internal_user",
        "- may see everyone's keys and usage: no",
        "- writable: yes",
    ):
        assert line in text.splitlines()
    assert re.search(r"(?m)^- usage of today: \d+ ms$", text)


async def test_it_only_looks_and_tries_nothing_that_is_not_allowed(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str]
) -> None:  # S44
    await made(gateway, capsys, OWN)
    assert {call.method for call in gateway.calls} == {"GET"}
    assert not [call for call in gateway.calls if call.status in (401, 403)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.ConnectError("refused"), "refuses the connection: nothing listens there"),
        (
            httpx.Response(401, json={"error": {"message": f"no {OWN} {CANARIES['user']}", "type": "auth_error"}}),
            "- kind: Unauthorized, HTTP 401, auth_error",
        ),
        (httpx.Response(200, html=f"<title>{CANARIES['team']}</title>"), "- kind: BadAnswer, HTTP 200"),
        (
            httpx.Response(500, json={"error": {"message": CANARIES["alias"], "type": f"{CANARIES['user']}"}}),
            "- kind: ServerFailed, HTTP 500, (unusual)",
        ),
    ],
)
async def test_a_failure_is_told_by_its_kind(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str], answer: Any, words: str
) -> None:
    gateway.intercept("GET", "*", answer, times=-1)
    code, text = await made(gateway, capsys)
    assert code == 1 and words in text
    assert leaks(text) == []


async def test_a_key_that_cannot_be_had_names_no_path(
    gateway: DemoGateway, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a command gets it, as every variable that holds no LiteLLM key by its name
    monkeypatch.delenv("COLORTERM")
    for credential, kind in (
        (FileKey(tmp_path / CANARIES["path"]), "a file"),
        (CommandKey(("/bin/false", CANARIES["path"])), "a command"),
    ):
        code, text = await made(gateway, capsys, credential=credential)
        assert code == 1 and f"- key comes from: {kind}" in text and "no session: No key" in text
        assert leaks(text) == []


async def test_a_password_in_the_address_is_masked(gateway: DemoGateway, capsys: pytest.CaptureFixture[str]) -> None:
    _, text = await made(gateway, capsys, url=f"https://me:{CANARIES['password']}@llm.example.com:4000/")
    assert "- gateway: https://llm.example.com:4000\n" in text and leaks(text) == []


async def test_a_ca_file_is_not_named(gateway: DemoGateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.intercept("GET", "*", httpx.ConnectError(f"cannot read ~/{CANARIES['path']}/ca.pem"), times=-1)
    _, text = await made(gateway, capsys, ca_file=Path(f"/etc/{CANARIES['path']}.pem"))
    assert "- own CA: yes" in text and leaks(text) == []


def test_report_and_json_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["doctor", "--report", "--json"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(("version", "state"), [("1.73.9", "!"), ("1.83.0", "ok"), ("2.0.0", "!")])
async def test_a_release_that_was_not_tested_is_said(
    version: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = DemoGateway(now=NOW, version=version)
    args = cli._parser().parse_args(["doctor", "--json"])
    settings = Settings("test", "https://llm.example.com", HeldKey(Secret(gateway.master_key)))
    assert await run(args, settings, gateway.transport(), lambda: NOW) == 0
    found = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["release"]["state"] == state
    assert ("tested with 1.74.0, 1.83.0, 1.108.0" in found["release"]["detail"]) == (state == "!")
