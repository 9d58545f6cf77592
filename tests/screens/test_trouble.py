"""What goes wrong while the app runs: its own sentence, a way on, the old data with its age, and quiet tries (S2, S36).

The clock of these tests stands still, and the alarms of the screens go off when a test says so.
"""

import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui.demo import DemoGateway
from tui.demo.state import hash_of
from tui.gateway import client as client_module
from tui.screens.again import LONGEST, WAITS
from tui.screens.base import MainScreen
from tui.screens.connecting import Connecting
from tui.screens.key_form import KeyForm

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ADAS, ROOTS, OTHER = "sk-ada-0123456789abcdef", "sk-root-0123456789abcdef", "sk-ada-second-0123456789"
OPENED = {"1": "laptop", "2": "gpt-4o-mini", "3": "Spend $1.00"}
"""Each screen's key, and what is to be seen on it."""


class Alarm:
    """Stands in for a timer, and never runs by itself."""

    def __init__(self, wait: float, call: Callable[[], Any]) -> None:
        self.wait, self.call, self.stopped = wait, call, False

    def stop(self) -> None:
        """As a timer's."""
        self.stopped = True


class Alarms:
    """The alarms that the screens have set."""

    def __init__(self) -> None:
        self.set: list[Alarm] = []

    @property
    def waiting(self) -> list[float]:
        """The seconds of those that would still go off."""
        return [alarm.wait for alarm in self.set if not alarm.stopped]

    async def ring(self, app: Driver) -> None:
        """Let the one that waits go off."""
        (alarm,) = (alarm for alarm in self.set if not alarm.stopped)
        alarm.stopped = True
        alarm.call()
        await app.pilot.pause()


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> Alarms:
    kept = Alarms()
    for kind in (MainScreen, Connecting):
        usual = kind.set_timer

        def set_timer(
            self: Any, delay: float, callback: Any = None, *, name: str | None = None, usual: Any = usual, **more: Any
        ) -> Any:
            if name != "again":
                return usual(self, delay, callback, name=name, **more)
            kept.set.append(Alarm(delay, callback))
            return kept.set[-1]

        monkeypatch.setattr(kind, "set_timer", set_timer)
    return kept


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own second and third attempt come at once."""
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.0)


def a_gateway(version: str = "1.108.0") -> DemoGateway:
    made = DemoGateway(now=NOW, version=version)
    made.add_user(user_id="ada", user_role="internal_user")
    made.add_key(ADAS, key_alias="laptop", user_id="ada")
    made.add_usage(date=NOW.date().isoformat(), user_id="ada", api_key=hash_of(ADAS), model="openai/gpt-4o", spend=1.0)
    return made


@pytest.fixture
def gateway() -> DemoGateway:
    return a_gateway()


async def opened(app: Driver, screen: str) -> None:
    await app.press(screen)
    await app.see(OPENED[screen])


def down(gateway: DemoGateway, answer: Any) -> Callable[[], None]:
    """Every call is met by `answer` until what is returned is called."""
    broken = True

    def meet(_: httpx.Request) -> httpx.Response | None:
        if broken and isinstance(answer, Exception):
            raise answer
        return answer if broken else None

    def mend() -> None:
        nonlocal broken
        broken = False

    gateway.intercept("GET", "*", meet, times=-1)
    return mend


def said(app: Driver) -> str:
    """The screen in one line, however it is wrapped."""
    return " ".join(app.text().replace("│", " ").split())


async def see(app: Driver, words: str) -> None:
    """Wait for words, however they are wrapped."""
    await app.until(lambda: words in said(app), repr(words))


NO_DATABASE = {
    "1.74.0": (401, "auth_error", "Authentication Error, All connection attempts failed"),
    "1.83.0": (500, "internal_server_error", "Internal Server Error, Can't reach database server at `db`:`5432`"),
    "1.108.0": (
        503,
        "no_db_connection",
        "Service Unavailable, the authentication database is temporarily unreachable. Please retry shortly.",
    ),
}
PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
GONE = {
    "refused": (httpx.ConnectError("[Errno 111] Connection refused"), "refuses the connection"),
    "no such host": (httpx.ConnectError("[Errno -2] Name or service not known"), "There is no host llm.example.com"),
    "cut in the middle": (httpx.RemoteProtocolError("peer closed connection without complete body"), "broke (peer"),
    "reset": (httpx.ReadError(""), "The connection to llm.example.com broke"),
    "a proxy's page": (httpx.Response(502, html=PAGE), "titled “502 Bad Gateway”"),
    "restarting": (httpx.Response(503, text="no healthy upstream"), "HTTP 503: no healthy upstream"),
    "busy": (httpx.Response(429, text="slow down"), "HTTP 429: slow down"),
    **{
        f"no database {version}": (
            httpx.Response(status, json={"error": {"message": message, "type": kind, "param": "None", "code": status}}),
            "LiteLLM answers, its database does not",
        )
        for version, (status, kind, message) in NO_DATABASE.items()
    },
}


@pytest.mark.parametrize("screen", OPENED)
@pytest.mark.parametrize("case", GONE)
async def test_the_old_data_stays_until_the_gateway_is_back(
    gateway: DemoGateway, alarms: Alarms, screen: str, case: str
) -> None:  # S2
    answer, sentence = GONE[case]
    async with running(gateway, user="ada") as app:
        await opened(app, screen)
        mend = down(gateway, answer)
        await app.press("R")
        await see(app, "R tries again")
        words = said(app)
        assert sentence in words and OPENED[screen] in words
        assert "Showing 10:00" in words and "next try at 10:00:20." in words
        mend()
        await alarms.ring(app)
        await app.until(lambda: "Showing" not in said(app), "new data")
        assert OPENED[screen] in said(app) and not alarms.waiting


@pytest.mark.parametrize("screen", ["2", "3"])
async def test_a_first_reading_that_fails_is_tried_again_too(gateway: DemoGateway, alarms: Alarms, screen: str) -> None:
    async with running(gateway, user="ada") as app:
        mend = down(gateway, httpx.ConnectError("refused"))
        await app.press(screen)
        await see(app, "refuses the connection")
        assert "R tries again; next try at" in said(app)
        mend()
        await alarms.ring(app)
        await app.see(OPENED[screen])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(500, json={"error": {"message": "boom", "type": "x", "code": "500"}}), "boom"),
        (httpx.Response(200, html="<title>Hotel WiFi</title>"), "a web page titled “Hotel WiFi”, not JSON"),
        (httpx.Response(200, content=b""), "not JSON (nothing)"),
        (
            httpx.Response(302, headers={"location": "http://portal.hotel/login?x=1"}),
            "redirects to http://portal.hotel",
        ),
        (httpx.Response(429, headers={"retry-after": str(LONGEST + 1)}), "HTTP 429 with an empty body"),
    ],
)
async def test_what_would_only_fail_again_waits_for_a_person(
    gateway: DemoGateway, alarms: Alarms, answer: httpx.Response, why: str
) -> None:
    async with running(gateway, user="ada") as app:
        mend = down(gateway, answer)
        await app.press("R")
        await see(app, "R tries again")
        assert why in said(app) and "next try" not in said(app) and "laptop" in said(app)
        assert not alarms.waiting
        mend()
        await app.press("R")
        await app.until(lambda: "R tries again" not in said(app), "new data")


async def test_a_gateway_says_when_to_come_back(gateway: DemoGateway, alarms: Alarms) -> None:
    async with running(gateway, user="ada") as app:
        down(gateway, httpx.Response(429, headers={"retry-after": "45"}, text="too many"))
        await app.press("R")
        await see(app, "next try at")
        assert f"{(NOW + timedelta(seconds=45)).astimezone():%H:%M:%S}" in said(app)
        assert alarms.waiting == [45.0]


async def test_the_tries_become_seldom_and_end(gateway: DemoGateway, alarms: Alarms) -> None:
    async with running(gateway, user="ada") as app:
        down(gateway, httpx.ConnectError("refused"))
        await app.press("R")
        for wait in WAITS:
            await see(app, f"next try at {(NOW + timedelta(seconds=wait)).astimezone():%H:%M:%S}")
            assert alarms.waiting == [wait]
            await alarms.ring(app)
        await app.until(lambda: "next try" not in said(app), "an end of the tries")
        assert "R tries again." in said(app) and not alarms.waiting
        await app.press("R")
        await see(app, f"next try at {(NOW + timedelta(seconds=WAITS[0])).astimezone():%H:%M:%S}")


@pytest.mark.parametrize("screen", OPENED)
async def test_only_the_screen_in_front_asks(gateway: DemoGateway, alarms: Alarms, screen: str) -> None:
    async with running(gateway, user="ada") as app:
        await opened(app, screen)
        mend = down(gateway, httpx.ConnectError("refused"))
        await app.press("R")
        await see(app, "next try at")
        assert len(alarms.waiting) == 1
        await app.press("question_mark")
        await app.see("esc closes")
        assert not alarms.waiting, "a try behind the help"
        await app.press("escape")
        await app.gone("esc closes")
        # the usage screen reads at once when it is come back to
        await app.until(lambda: len(alarms.waiting) == 1, "an alarm")
        mend()
        before = len(gateway.calls)
        other = "2" if screen == "1" else "1"
        await opened(app, other)
        assert not alarms.waiting, "a try of a screen that nobody sees"
        assert not [call for call in gateway.calls[before:] if call.path == "/key/list"] or screen != "1"


async def test_a_try_disturbs_nobody(gateway: DemoGateway, alarms: Alarms) -> None:
    gateway.add_key(key_alias="server", user_id="ada")
    async with running(gateway, user="ada") as app:
        down(gateway, httpx.ConnectError("refused"))
        await app.press("space", "slash")
        await app.type("lap")
        app.app.screen.action_again()  # type: ignore[attr-defined]
        await see(app, "next try at")
        await alarms.ring(app)
        await app.until(lambda: len(alarms.waiting) == 1, "the next alarm")
        await app.type("t")
        assert "lapt" in said(app) and "1 marked" in said(app)


# The key


def expire(gateway: DemoGateway, secret: str) -> None:
    gateway.keys[hash_of(secret)]["expires"] = "2026-11-19T10:00:00.000000Z"


def block(gateway: DemoGateway, secret: str) -> None:
    gateway.keys[hash_of(secret)]["blocked"] = True


def delete(gateway: DemoGateway, secret: str) -> None:
    del gateway.keys[hash_of(secret)]


ENDS: dict[str, tuple[Callable[[DemoGateway, str], None], str]] = {
    "expired": (expire, "This session's key has expired. Ask an admin for a new one; K takes it."),
    "blocked": (block, "This session's key was blocked. Ask an admin why, and to unblock it; K takes another."),
    "deleted": (delete, "The gateway does not know this session's key any more: deleted or replaced."),
}


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0", "1.108.0"])
@pytest.mark.parametrize("end", ENDS)
async def test_the_key_ends_while_the_app_runs(alarms: Alarms, end: str, version: str) -> None:
    gateway = a_gateway(version)
    gateway.add_key(OTHER, key_alias="second", user_id="ada")
    happens, sentence = ENDS[end]
    async with running(gateway, key=ADAS) as app:
        await opened(app, "1")
        happens(gateway, ADAS)
        await app.press("R")
        await see(app, "This session's key" if end != "deleted" else "does not know")
        assert sentence in said(app) and "Showing 10:00. R tries again." in said(app)
        assert "laptop" in said(app) and not alarms.waiting and ADAS not in app.text()
        for screen in ("2", "3"):
            await app.press(screen)
            await app.until(lambda: sentence in said(app), sentence)
        await app.press("1", "K")
        await app.see("Another key")
        await app.type(OTHER)
        await app.press("enter")
        await app.until(lambda: sentence not in said(app) and isinstance(app.app.screen, MainScreen), "the new session")
        await app.see("second")
        assert app.writes() == []


async def test_another_key_that_is_none_leads_back_to_the_old_data(gateway: DemoGateway, alarms: Alarms) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("K")
        await app.see("Another key")
        await app.type("sk-wrong-0123456789")
        await app.press("enter")
        await app.see("The gateway refuses this key")
        assert "esc back" in app.text()
        await app.press("escape")
        await app.see("laptop")
        await app.press("R")
        await app.pilot.pause()
        assert "laptop" in app.text() and "refuses" not in app.text()
        assert app.app.settings is app.app.workspace.session.settings  # type: ignore[union-attr]


@pytest.mark.parametrize("end", ENDS)
async def test_an_admin_key_that_ends_is_nobodys_own_fault(gateway: DemoGateway, end: str) -> None:  # S36
    gateway.add_user(user_id="root", user_role="proxy_admin")
    gateway.add_key(ROOTS, key_alias="ops", user_id="root")
    async with running(gateway, key=ROOTS, user="ada") as app:
        await opened(app, "1")
        ENDS[end][0](gateway, ROOTS)
        await app.press("R")
        await see(app, "admin key of this session")
        words = said(app)
        assert "laptop" in words
        assert ("not ada's doing" in words) or end == "blocked"
        assert "This session's key" not in words


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0"])
async def test_a_budget_that_is_gone_says_when_it_goes_on(alarms: Alarms, version: str) -> None:
    gateway = a_gateway(version)
    async with running(gateway, key=ADAS) as app:
        await opened(app, "1")
        gateway.users["ada"].update(spend=9.0, max_budget=5.0)
        await app.press("R")
        await see(app, "over budget")
        assert "when an admin raises the budget, or at its reset" in said(app) and "laptop" in said(app)
        assert not alarms.waiting


@pytest.mark.parametrize("version", ["1.74.0", "1.83.0", "1.108.0"])
@pytest.mark.parametrize("screen", ["1", "3"])
async def test_an_admin_who_is_none_any_more_is_not_shown_a_part_as_the_whole(screen: str, version: str) -> None:
    gateway = a_gateway(version)
    gateway.add_user(user_id="root", user_role="proxy_admin")
    gateway.add_key(ROOTS, key_alias="ops", user_id="root")
    async with running(gateway, key=ROOTS) as app:
        await opened(app, screen)
        gateway.users["root"]["user_role"] = "internal_user"
        await app.press("R")
        await see(app, "and is internal_user now")
        assert OPENED[screen] in said(app), "the old data went"
        assert "R starts again with what it may do now." in said(app) and "R tries again" not in said(app)
        await app.press("R")
        await app.see("root · user")
        await app.see("ops")
        assert "laptop" not in app.text()


# Dialogs


async def test_a_form_keeps_what_was_typed(gateway: DemoGateway) -> None:
    async with running(gateway, user="ada") as app:
        await app.press("n")
        await app.until(lambda: isinstance(app.app.screen, KeyForm), "the form")
        for answer, sentence in (
            (httpx.ConnectError("refused"), "Nothing was sent; ctrl+s tries again."),
            (httpx.ReadError("reset"), "The key may have been made all the same"),
            (httpx.Response(503, html=PAGE), "titled “502 Bad Gateway”"),
            (httpx.Response(200, html="<title>Hotel</title>"), "titled “Hotel”"),
        ):
            gateway.intercept("POST", "/key/generate", answer)
            await app.press("ctrl+s")
            await app.until(lambda s=sentence: s in said(app), sentence)  # type: ignore[misc]
            assert isinstance(app.app.screen, KeyForm)
        await app.press("ctrl+s")
        await app.see("LiteLLM keeps only a hash")


# Answers that are not what was expected

SHAPES: tuple[Any, ...] = (None, [], {}, "text", 7, True, [[]], [None], {"data": "x"}, {"keys": {}}, {"keys": [[], 3]})


@pytest.mark.parametrize("shape", SHAPES, ids=json.dumps)
async def test_json_of_another_shape_breaks_nothing(gateway: DemoGateway, shape: Any) -> None:
    async with running(gateway, user="ada") as app:
        for screen, words in OPENED.items():
            await opened(app, screen)
            assert words in said(app)
        gateway.intercept("GET", "*", httpx.Response(200, content=json.dumps(shape)), times=-1)
        for screen in ("3", "2", "1"):
            await app.press(screen, "R")
            await app.until(lambda: "reading" not in app.text(), "an end of the reading")
            emptied = isinstance(shape, list) and screen == "2"
            assert emptied or OPENED[screen] in said(app), f"the old data of screen {screen} went"
        assert "laptop" in app.text(), "the keys went"
        assert "is the URL LiteLLM's?" in said(app)


# The clock


class _Dated(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, ahead: timedelta) -> None:
        self._inner, self.ahead = inner, ahead

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        answer.headers["date"] = f"{datetime.now(UTC) + self.ahead:%a, %d %b %Y %H:%M:%S GMT}"
        return answer


@pytest.mark.parametrize(
    ("ahead", "words", "left"),
    [
        (timedelta(hours=3), "This machine's clock is 3 h behind the gateway's", "23 h left"),
        (timedelta(days=-2), "This machine's clock is 2 d ahead of the gateway's", "3 d left"),
        (timedelta(seconds=90), "", "1 d left"),
    ],
)
async def test_a_clock_that_is_wrong_is_said_and_set_right(
    gateway: DemoGateway, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, words: str, left: str
) -> None:
    end = NOW + timedelta(hours=26)
    gateway.keys[hash_of(ADAS)]["expires"] = end.isoformat().replace("+00:00", "Z")
    transport = _Dated(gateway.transport(), ahead)
    monkeypatch.setattr(gateway, "transport", lambda: transport)
    async with running(gateway, user="ada") as app:
        await app.see("laptop")
        assert words in app.toasts() and ("clock" in app.toasts()) == bool(words)
        assert left in said(app)


# The start


async def test_the_start_tries_again_by_itself(gateway: DemoGateway, alarms: Alarms) -> None:
    mend = down(gateway, httpx.ConnectError("refused"))
    async with running(gateway, user="ada", wait=False) as app:
        await see(app, "refuses the connection")
        assert "Next try at" in app.text()
        await alarms.ring(app)
        await app.until(lambda: len(alarms.waiting) == 1, "the next alarm")
        assert alarms.waiting == [WAITS[1]]
        await app.press("K")
        await app.see("Another key")
        assert not alarms.waiting, "a try behind a question"
        await app.press("escape")
        await app.until(lambda: len(alarms.waiting) == 1, "the alarm again")
        mend()
        await alarms.ring(app)
        await app.see("laptop")


async def test_a_lost_database_is_not_a_refused_key(gateway: DemoGateway) -> None:  # S36
    status, kind, message = NO_DATABASE["1.74.0"]
    body = {"error": {"message": message, "type": kind, "param": "None", "code": str(status)}}
    down(gateway, httpx.Response(status, json=body))
    async with running(gateway, user="ada", wait=False) as app:
        await app.see("The gateway has lost its database")
        assert "refuses this key" not in app.text() and "Your key and your settings are not the reason" in said(app)


SPELLS: dict[str, Callable[[], httpx.Response]] = {
    "a wall's page": lambda: httpx.Response(403, html="<title>Blocked</title>"),
    "a wall's JSON": lambda: httpx.Response(403, json={"detail": repr({"error": "request blocked"})}),
    "no role": lambda: httpx.Response(200, json={"data": {}, "keys": "none"}),
}


@pytest.mark.parametrize("spell", SPELLS)
@pytest.mark.parametrize("key", ["master", "admin"])
async def test_a_spell_of_bad_answers_takes_no_rights_away(spell: str, key: str) -> None:  # S36, S44
    """R goes on as the admin that the key is, whichever of the calls the bad answers were given to."""
    # where nothing but /user/info knows the role
    gateway = DemoGateway(version="1.83.0")
    gateway.add_user("root", user_role="proxy_admin")
    gateway.add_user("ada")
    gateway.add_key(ROOTS, user_id="root")
    gateway.add_key(ADAS, user_id="ada", key_alias="laptop")

    def meet(_: httpx.Request) -> httpx.Response:
        return SPELLS[spell]()

    async with running(gateway, key=None if key == "master" else ROOTS, size=(120, 24)) as app:
        await app.see("laptop")
        for path in ("*", "/key/info", "/user/info", "/key/list"):
            gateway.intercept("*", path, meet, times=-1)
            for _ in range(2):
                asked = len(gateway.calls)
                await app.press("R")
                await app.until(lambda asked=asked: len(gateway.calls) > asked, "a call")  # type: ignore[misc]
                await app.pilot.pause()
                assert "models only" not in app.text() and "· user ·" not in app.text(), path
            gateway._interceptions.clear()
            await app.press("R")
            await app.until(lambda: isinstance(app.app.screen, MainScreen), "the keys screen")
            await app.until(lambda: "models only" in app.text() or "· admin · RW" in app.text(), "who it is")
            assert "· admin · RW" in app.text().splitlines()[0], path
            await app.see("laptop")


async def test_a_key_that_may_do_more_by_now_says_so_at_r(gateway: DemoGateway) -> None:  # S44
    narrow = gateway.add_key(key_alias="narrow", user_id="ada", key_type="llm_api", allowed_routes=["llm_api_routes"])
    async with running(gateway, key=narrow, size=(120, 24)) as app:
        await app.see("models only")
        gateway.keys[hash_of(narrow)]["allowed_routes"] = []
        await app.press("R")
        await app.see("laptop")
        assert "· user · RW" in app.text().splitlines()[0]


# Nowhere to keep anything


@pytest.mark.parametrize("why", ["a file in its place", "a full disk"])
async def test_a_cache_that_cannot_be_written_stops_nothing(
    gateway: DemoGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    place = tmp_path / "cache"
    if why == "a full disk":

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        monkeypatch.setattr(os, "fdatasync", full)
    else:
        place.write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    async with running(gateway, size=(160, 40)) as app:
        for screen in ("2", "1", "3"):
            await opened(app, screen)
        await app.press("Y")
        await app.see("[12m]")
        assert "Spend $1.00" in app.text()
