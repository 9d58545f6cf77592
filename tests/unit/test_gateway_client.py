"""The client: what leaves, what comes back, what it says when that is nothing good (S1-S3)."""

import asyncio
import gzip
import json
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.gateway import client as client_module
from tui.gateway import errors
from tui.gateway.client import Client
from tui.gateway.redaction import LONGEST, printable, redact, upstream

URL = "http://gateway.invalid"
KEY = "sk-unit-test-0123456789"


def answering(*answers: httpx.Response | Exception, key: str = KEY, **more: Any) -> tuple[Client, list[httpx.Request]]:
    """A client whose calls are met by `answers` in turn, the last one again and again; and what it sent."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = answers[min(len(seen), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return Client(more.pop("url", URL), key, transport=httpx.MockTransport(handle), **more), seen


def refusal(status: int, body: Any, **more: Any) -> errors.GatewayError:
    """The error that an answer makes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return errors.from_answer(status, content, **more)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once."""
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.0)


@asynccontextmanager
async def listening(talk: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on loopback that says what `talk` says to every request; its URL and the requests' heads."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await talk(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()


class TestWhatLeaves:
    """S1."""

    @pytest.mark.parametrize(
        ("base", "asked"),
        [
            ("http://gateway.invalid", "http://gateway.invalid/key/list"),
            ("http://gateway.invalid/", "http://gateway.invalid/key/list"),
            ("http://gateway.invalid/litellm", "http://gateway.invalid/litellm/key/list"),
            ("http://gateway.invalid/litellm/", "http://gateway.invalid/litellm/key/list"),
            ("https://gateway.invalid:8443/a/b", "https://gateway.invalid:8443/a/b/key/list"),
        ],
    )
    async def test_one_slash_goes_and_a_prefix_stays(self, base: str, asked: str) -> None:
        """# S1"""
        client, seen = answering(httpx.Response(200, json={}), url=base)
        await client.get("/key/list")
        assert str(seen[0].url) == asked

    async def test_the_key_is_a_bearer_and_nowhere_else(self) -> None:
        """# S1 S12"""
        client, seen = answering(httpx.Response(200, json={}))
        await client.get("/key/list", {"user_id": "ada", "team_id": None, "page": 1, "full": True})
        await client.post("/key/update", {"key": "hash"})
        assert [request.headers["authorization"] for request in seen] == [f"Bearer {KEY}"] * 2
        assert dict(seen[0].url.params) == {"user_id": "ada", "page": "1", "full": "true"}
        assert KEY not in str(seen[0].url) + str(seen[1].url) + seen[1].content.decode()

    async def test_a_body_is_flat_json(self) -> None:
        """# S9"""
        client, seen = answering(httpx.Response(200, json={}))
        await client.post("/x", {"a": None, "b": [1]})
        assert json.loads(seen[0].content) == {"a": None, "b": [1]}

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
    async def test_what_json_cannot_say_is_refused_before_it_leaves(self, value: Any) -> None:
        """# S2"""
        client, seen = answering(httpx.Response(200, json={}))
        with pytest.raises(errors.Invalid, match="cannot be sent"):
            await client.post("/x", {"a": value})
        assert seen == []

    async def test_read_only_sends_no_write(self) -> None:
        """Nothing leaves, and reading goes on."""
        client, seen = answering(httpx.Response(200, json={"a": 1}), read_only=True)
        with pytest.raises(errors.ReadOnly, match="nothing was sent"):
            await client.post("/key/delete", {"keys": ["x"]})
        assert seen == []
        assert await client.get("/key/list") == {"a": 1}

    async def test_a_redirect_is_not_followed(self) -> None:
        """# S1 S3: the key would go along"""
        for target in ("http://evil.invalid/key/list?token=x", "/key/list", "http://[", ""):
            client, seen = answering(httpx.Response(307, headers={"location": target}))
            with pytest.raises((errors.BadAnswer, errors.Unreachable)) as failed:
                await client.get("/key/list/")
            assert {request.url.host for request in seen} == {"gateway.invalid"}
            assert "token=x" not in str(failed.value)
        client, seen = answering(httpx.Response(302, headers={"location": "https://sso.invalid/login"}))
        with pytest.raises(errors.BadAnswer, match=r"redirects to https://sso\.invalid") as failed:
            await client.get("/key/list")
        assert (len(seen), failed.value.status) == (1, 302)

    async def test_a_ca_file_that_is_none_is_said(self, tmp_path: Path) -> None:
        """No traceback for a wrong path, nor for a file that holds something else."""
        (tmp_path / "not.pem").write_text("hello")
        for path in (tmp_path / "none.pem", tmp_path / "not.pem"):
            with pytest.raises(errors.Unreachable, match=r"ca_file .* cannot be used"):
                Client("https://gateway.invalid", KEY, ca_file=str(path))

    @pytest.mark.parametrize(
        ("named", "why"),
        [
            ("socks5://ada:pass-w0rd@proxy.invalid:1080", "socksio"),
            ("gopher://ada:pass-w0rd@proxy.invalid", "http://"),
            ("http://ada:pass-w0rd@proxy.invalid:port", "http://"),
        ],
    )
    def test_a_proxy_that_cannot_be_used_is_said(self, monkeypatch: pytest.MonkeyPatch, named: str, why: str) -> None:
        """# S3: and its password is not"""
        monkeypatch.setitem(sys.modules, "socksio", None)
        monkeypatch.setenv("ALL_PROXY", named)
        with pytest.raises(errors.Unreachable, match="ALL_PROXY, HTTP_PROXY or HTTPS_PROXY") as failed:
            Client(URL, KEY)
        assert why in str(failed.value) and "Unset" in str(failed.value)
        assert "pass-w0rd" not in str(failed.value)

    @pytest.mark.parametrize("key", ["sk-new\nsecret-value", "sk-n\u20acw-value", "sk-a b"])
    def test_a_key_that_no_header_holds(self, key: str) -> None:
        """# S3: httpx would repeat it"""
        with pytest.raises(errors.Invalid, match="cannot be sent") as failed:
            Client(URL, key)
        assert "value" not in str(failed.value)


class TestTimeout:
    """S1: one time for the whole call."""

    async def test_a_deaf_server(self) -> None:
        """# S1"""

        async def silent(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        async with listening(silent) as (url, _), asyncio.timeout(5), Client(url, KEY, timeout=0.2) as client:
            with pytest.raises(errors.Unreachable, match=r"did not answer for 0\.2 s"):
                await client.get("/key/list")

    async def test_a_body_that_trickles(self) -> None:
        """# S1: each byte in time, the whole never"""

        async def trickle(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

        async with listening(trickle) as (url, heads), asyncio.timeout(5), Client(url, KEY, timeout=0.3) as client:
            with pytest.raises(errors.Unreachable, match="did not answer"):
                await client.get("/key/list")
        assert len(heads) == 1

    async def test_retries_are_inside_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S1"""
        monkeypatch.setattr(client_module, "FIRST_WAIT", 60.0)
        client, seen = answering(httpx.Response(503), timeout=0.1)
        async with asyncio.timeout(5):
            with pytest.raises(errors.Unreachable):
                await client.get("/x")
        assert len(seen) == 1


class TestRetry:
    """Reads again, writes never."""

    @pytest.mark.parametrize("status", [502, 503, 504])
    async def test_a_read_is_tried_again(self, status: int) -> None:
        """Two bad answers, then a good one."""
        client, seen = answering(httpx.Response(status), httpx.Response(status), httpx.Response(200, json=[1]))
        assert await client.get("/x") == [1]
        assert len(seen) == 3

    @pytest.mark.parametrize(
        "failure",
        [
            httpx.ConnectError("refused"),
            httpx.ReadError("reset"),
            httpx.RemoteProtocolError("cut"),
            httpx.ReadTimeout(""),
        ],
    )
    async def test_a_broken_connection_is_tried_again(self, failure: Exception) -> None:
        """And three times at most."""
        client, seen = answering(failure, httpx.Response(200, json=[1]))
        assert await client.get("/x") == [1]
        client, seen = answering(failure)
        with pytest.raises(errors.Unreachable, match=r"gateway\.invalid"):
            await client.get("/x")
        assert len(seen) == 3

    @pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(502), httpx.ReadError("cut")])
    async def test_a_write_goes_out_once(self, answer: httpx.Response | Exception) -> None:
        """A second key would be made."""
        client, seen = answering(answer)
        with pytest.raises((errors.ServerFailed, errors.Unreachable)):
            await client.post("/key/generate", {})
        assert len(seen) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
    async def test_a_refusal_is_an_answer(self, status: int) -> None:
        """Not tried again."""
        client, seen = answering(httpx.Response(status, json={"detail": "no"}))
        with pytest.raises(errors.GatewayError) as failed:
            await client.get("/x")
        assert (len(seen), failed.value.status) == (1, status)

    async def test_nothing_listens(self) -> None:
        """A sentence, not a traceback."""
        async with listening(lambda _: asyncio.sleep(0)) as (url, _):
            pass
        async with Client(url, KEY, timeout=5) as client:
            with pytest.raises(errors.Unreachable, match="refuses the connection"):
                await client.get("/x")


class TestAnswers:
    """2xx that are none."""

    @pytest.mark.parametrize("body", [b"", b"<html>hello", b"{", b"\xff\xfe", b"[" * 200_000])
    async def test_what_is_no_json(self, body: bytes) -> None:
        """# S2"""
        client, _ = answering(httpx.Response(200, content=body))
        with pytest.raises(errors.BadAnswer, match="not JSON"):
            await client.get("/x")

    async def test_a_damaged_body(self) -> None:
        """# S2: httpx has its own error for it"""

        async def damaged(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello")
            await writer.drain()

        async with listening(damaged) as (url, _), Client(url, KEY, timeout=5) as client:
            with pytest.raises(errors.BadAnswer, match="damaged"):
                await client.get("/x")

    async def test_an_answer_without_end_is_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A gzip of nothing but zeros too."""
        monkeypatch.setattr(client_module, "LARGEST_ANSWER", 1 << 20)
        body = gzip.compress(b"0" * (2 << 20))
        client, _ = answering(httpx.Response(200, content=body, headers={"content-encoding": "identity"}))
        with pytest.raises(errors.BadAnswer):
            await client.get("/x")

        async def flood(writer: asyncio.StreamWriter) -> None:
            head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()

        async with listening(flood) as (url, _), Client(url, KEY, timeout=5) as client:
            with pytest.raises(errors.BadAnswer, match="dropped"):
                await client.get("/x")

    async def test_too_many_values_are_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A few KB on the wire would fill the memory."""
        assert client_module.LARGEST_ANSWER <= 96 << 20
        monkeypatch.setattr(client_module, "MOST_VALUES", 1_000_000)
        client, _ = answering(httpx.Response(200, content=b"[" + b"0," * 1_000_001 + b"0]"))
        with pytest.raises(errors.BadAnswer, match="1,000,000 values"):
            await client.get("/x")

    async def test_a_long_answer_leaves_the_loop_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S1: it is parsed elsewhere, so the time holds and the screen goes on"""
        row = b'{"token":"abcdef","spend":1.5,"models":["a","b"],"metadata":{"a":1}}'
        client, _ = answering(httpx.Response(200, content=b"[" + b",".join([row] * 60_000) + b"]"))
        loop, loads, heard = asyncio.get_running_loop(), json.loads, []

        def listening(*args: Any, **kwargs: Any) -> Any:
            # on the loop's own thread nobody could answer, and this would wait in vain
            beat = threading.Event()
            loop.call_soon_threadsafe(beat.set)
            # json's C code keeps the interpreter to itself; only a hook of ours lets others in between
            heard.append(beat.wait(10) and "object_hook" in kwargs)
            return loads(*args, **kwargs)

        monkeypatch.setattr(json, "loads", listening)
        found = await client.get("/x")
        assert len(found) == 60_000 and found[0]["metadata"] == {"a": 1}
        assert heard == [True], "deaf while the answer is parsed"

    async def test_an_error_without_end_is_cut(self) -> None:
        """# S3: read no further than a reason can be long"""

        async def flood(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 500 No\r\ncontent-type: text/plain\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async with listening(flood) as (url, _), asyncio.timeout(10), Client(url, KEY, timeout=8) as client:
            with pytest.raises(errors.ServerFailed) as failed:
                await client.get("/x")
        assert len(str(failed.value)) <= LONGEST


class TestShapes:
    """S2: four shapes, and all the others."""

    def test_litellms_own(self) -> None:
        """# S2"""
        error = refusal(
            400, {"error": {"message": "taken", "type": "bad_request_error", "param": "key_alias", "code": "400"}}
        )
        assert isinstance(error, errors.Invalid)
        assert (str(error), error.type, error.param, error.code) == ("taken", "bad_request_error", "key_alias", "400")

    @pytest.mark.parametrize(
        "message",
        ["{'error': 'no keys found'}", "{'message': 'no keys found'}", "{'error': {'message': 'no keys found'}}"],
    )
    def test_a_python_repr_in_it(self, message: str) -> None:
        """# S2"""
        error = refusal(404, {"error": {"message": message, "type": "x", "param": "None", "code": "404"}})
        assert (type(error), str(error), error.param) == (errors.NotFound, "no keys found", None)

    @pytest.mark.parametrize(
        "message", ["{'error'", "{[]: 1}", r"{'a': '\d'}", "{" * 100_000, "{'error': None}", "{}", "{1: 2}"]
    )
    def test_a_repr_that_is_none(self, message: str) -> None:
        """# S2: still a sentence"""
        assert str(refusal(500, {"error": {"message": message}}))

    @pytest.mark.parametrize("detail", ["not allowed", {"error": "not allowed"}, {"message": "not allowed"}])
    def test_detail(self, detail: Any) -> None:
        """# S2"""
        error = refusal(403, {"detail": detail})
        assert (type(error), str(error)) == (errors.Forbidden, "not allowed")

    def test_detail_with_an_envelope_inside(self) -> None:
        """# S2"""
        error = refusal(400, {"detail": {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}})
        assert (str(error), error.type, error.param, error.code) == ("m", "t", "p", "c")

    def test_fastapis_422(self) -> None:
        """# S2"""
        rows = [
            {"type": "int_parsing", "loc": ["body", "tpm_limit"], "msg": "not a number"},
            {"type": "list_type", "loc": ["body", "models", "list[str]"], "msg": "not a list"},
        ]
        error = refusal(422, {"detail": rows})
        assert (str(error), error.param) == ("tpm_limit: not a number; models.list[str]: not a list", "tpm_limit")
        assert refusal(422, {"detail": rows[1:]}).param == "models"

    @pytest.mark.parametrize(
        "rows", [[], [None], [{"loc": None, "msg": "m"}], [{"loc": "body", "msg": None}], [{"msg": {"error": "m"}}]]
    )
    def test_a_422_that_is_not_quite_one(self, rows: Any) -> None:
        """# S2"""
        assert str(refusal(422, {"detail": rows}))

    def test_rfc_7807(self) -> None:
        """# S2"""
        error = refusal(404, {"type": "user_not_found", "title": "Not found", "status": 404, "detail": "no such user"})
        assert (type(error), str(error), error.type) == (errors.NotFound, "no such user", "user_not_found")
        assert str(refusal(500, {"title": "Only a title", "status": 500})) == "Only a title"

    def test_a_web_page(self) -> None:
        """# S2: a reverse proxy's"""
        page = b"<html><head><title>502 <b>Bad</b> Gateway</title></head><body>" + b"x" * 10_000
        error = refusal(502, page, content_type="text/html")
        assert isinstance(error, errors.ServerFailed)
        assert "502 Bad Gateway" in " ".join(str(error).split())
        assert "reverse proxy" in str(error)
        assert "<" not in str(error)

    def test_a_web_pages_404_says_nothing_about_a_user(self) -> None:
        """# S15 S24"""
        assert isinstance(refusal(404, b"<html>nginx"), errors.RouteMissing)
        assert isinstance(refusal(404, b""), errors.RouteMissing)

    def test_fastapis_404_is_a_missing_route(self) -> None:
        """# S15 S24"""
        assert isinstance(refusal(404, {"detail": "Not Found"}), errors.RouteMissing)
        assert isinstance(refusal(405, {"detail": "Method Not Allowed"}), errors.RouteMissing)
        assert isinstance(refusal(404, {"detail": "User not found"}), errors.NotFound)

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_not_found_is_never_read_out_of_words(self, status: int) -> None:
        """# S15"""
        error = refusal(status, {"error": {"message": "user not found, 404", "type": "auth_error"}})
        assert not isinstance(error, errors.NotFound)

    def test_an_expired_key_is_a_refused_key(self) -> None:
        """# S36: 1.74 says 400"""
        error = refusal(400, {"error": {"message": "Expired Key", "type": "expired_key", "code": "400"}})
        assert isinstance(error, errors.Unauthorized)

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"3", b'"text"', b"[" * 200_000, b"\xff\x00", b"{}"])
    def test_any_other_body(self, body: bytes) -> None:
        """# S2: a sentence all the same"""
        assert len(str(refusal(500, body))) > 5

    @given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
    def test_any_json_makes_an_error(self, inner: Any) -> None:
        """# S2: whatever stands where"""
        for body in (inner, {"error": inner}, {"detail": inner}, {"error": {"message": inner, "param": inner}}):
            assert str(refusal(418, body)).strip()


SECRETS = st.from_regex(r"sk-[A-Za-z0-9_\-]{5,40}", fullmatch=True)


class TestRedaction:
    """S3."""

    @given(st.text(), SECRETS, st.text(), st.sampled_from([400, 401, 500]))
    def test_no_secret_of_any_kind_survives(self, before: str, secret: str, after: str, status: int) -> None:
        """# S3: at any place in any shape"""
        text = f"{before}{secret} {after}"
        for body in (
            {"error": {"message": text, "param": text, "type": text, "code": text}},
            {"error": {"message": repr({"error": text})}},
            {"detail": text},
            {"detail": [{"type": "x", "loc": ["body", text], "msg": text}]},
            {"title": text},
            text.encode("utf-8", "replace"),
        ):
            error = refusal(status, body)
            for shown in (str(error), error.message, error.param, error.type, error.code, repr(error)):
                assert secret not in str(shown)

    @given(
        st.text(),
        st.from_regex(r"[A-Za-z0-9+/=._~\-]{1,60}", fullmatch=True),
        st.sampled_from([" ", ": ", "\n", "%20"]),
    )
    def test_no_bearer_value_survives(self, before: str, value: str, between: str) -> None:
        """# S3: also where it looks like nothing"""
        shown = str(refusal(401, {"detail": f"{before}Authorization: Bearer{between}zq{value}qz, please"}))
        assert f"zq{value}qz" not in shown

    @given(st.text(alphabet=st.characters(codec="utf-8")))
    def test_redaction_is_steady(self, text: str) -> None:
        """# S3: a second pass changes nothing"""
        assert redact(redact(text)) == redact(text)

    @pytest.mark.parametrize(
        "text", ["systemd-ask-password", "sk-...9f3Q", "ask-me", "/usr/bin/desk-lamp", "sk-…", "risk-averse"]
    )
    def test_what_is_no_secret_stays(self, text: str) -> None:
        """# S8: a masked name is for eyes"""
        assert redact(text) == text

    @pytest.mark.parametrize("text", ["%22sk-abcdefgh", "key_sk-abcdefgh", r"{'x': 'a\nsk-abcdefgh'}", "SK-ABCDEFGH"])
    def test_a_secret_behind_something(self, text: str) -> None:
        """# S3"""
        assert "abcdefgh" not in upstream(text).lower()

    @given(st.text(max_size=3000))
    def test_upstream_text_is_short_and_harmless(self, text: str) -> None:
        """# S3: one line, no control character, nothing that turns the writing round"""
        shown = upstream(text)
        assert len(shown) <= LONGEST
        assert not set(shown) & set(map(chr, [*range(32), *range(127, 160), 0x200B, 0x200E, 0x202E, 0x2066, 0xFEFF]))
        shown.encode()

    def test_control_characters_go(self) -> None:
        """# S3"""
        assert printable("a\x1b]52;c;x\x07b\r\nc\td\u202ee\ud800f\u2028g") == "a]52;c;xb  c def g"

    def test_a_cut_does_not_uncover_the_start_of_a_secret(self) -> None:
        """# S3: wherever the secret lies to the cut"""
        secret = "sk-" + "Q7" * 20
        for at in range(440, 520):
            assert "Q7Q7Q7Q" not in upstream("x" * at + " " + secret)
        for at in range(1940, 2010):
            assert "Q7Q7Q7Q" not in upstream("\x00" * at + " " + secret)

    @pytest.mark.parametrize("key", ["hunter2-hunter2", "opaque:token/with+signs=", "x1y2", KEY])
    async def test_the_own_key_is_never_repeated(self, key: str) -> None:
        """# S3: it need not look like one; 1.74 repeats it"""
        said = f"LiteLLM Virtual Key expected. Received={key}, expected to start with 'sk-'."
        answers: list[httpx.Response | Exception] = [
            httpx.Response(401, json={"error": {"message": said, "type": key, "param": key, "code": key}}),
            httpx.Response(401, json={"error": {"message": repr({"error": said})}}),
            httpx.Response(401, json={"detail": [{"type": "x", "loc": ["body", key], "msg": said}]}),
            httpx.Response(401, json={key: said}),
            httpx.Response(401, text=said),
            httpx.Response(401, text="y" * 480 + said),
            httpx.Response(200, text="y" * 195 + key),
            httpx.Response(200, text=said),
            httpx.Response(302, headers={"location": f"https://x.invalid/?k={key}"}),
            httpx.Response(302, headers={"location": f"/{key}"}),
            httpx.ReadError(said),
            httpx.ConnectError(f"SSL {said}"),
        ]
        for answer in answers:
            client, _ = answering(answer, key=key)
            with pytest.raises(errors.GatewayError) as failed:
                await client.get("/x")
            error = failed.value
            for shown in (str(error), repr(error), str(error.param), str(error.type), str(error.code)):
                assert key not in shown
                assert key[: max(4, len(key) - 4)] not in shown
