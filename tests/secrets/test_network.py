"""Where the key goes on the network: to the gateway that was named, in TLS that holds, and nowhere else."""

import ast
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

import tui
from tests.secrets.conftest import Canary, Serve
from tests.secrets.servers import Authority, Given
from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, GatewayError, Unreachable

KEY = Canary().secret
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def said(url: str, ca_file: Path | None = None, path: str = "/key/info") -> str:
    """What a person is told about a call that fails."""
    async with Client(url, KEY, timeout=10, ca_file=str(ca_file) if ca_file else None) as client:
        with pytest.raises(GatewayError) as caught:
            await client.get(path)
    assert KEY not in str(caught.value)
    return str(caught.value)


async def _get(client: Client) -> object:
    return await client.get("/key/list")


async def _post(client: Client) -> object:
    return await client.post("/key/generate", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", [_get, _post])
async def test_a_redirect_to_another_port_gets_nothing(
    serve: Serve, status: int, call: Callable[[Client], Awaitable[object]]
) -> None:
    other = serve()
    first = serve(lambda target: Given(status, (("location", f"{other.url}{target}?k=1"),)))
    async with Client(first.url, KEY) as client:
        with pytest.raises(BadAnswer) as caught:
            await call(client)
    assert len(first.got) == 1 and KEY in first.got[0].text
    assert other.got == []
    assert f"redirects to {other.url}." in str(caught.value)
    assert "The key was not sent there" in str(caught.value) and "profile's url" in str(caught.value)


async def test_a_redirect_to_another_host_gets_nothing(serve: Serve) -> None:
    other = serve(host="127.0.0.2")
    first = serve(lambda target: Given(307, (("location", f"{other.url}{target}"),)))
    text = await said(first.url)
    assert other.got == [] and "127.0.0.2" in text


async def test_a_redirect_from_https_to_http_gets_nothing(serve: Serve, authority: Authority) -> None:
    other = serve()
    first = serve(
        lambda target: Given(301, (("location", f"{other.url}{target}"),)), tls=authority.context("downgrade")
    )
    text = await said(first.url, authority.ca_file)
    assert len(first.got) == 1 and other.got == [] and f"http://127.0.0.1:{other.port}" in text


async def test_the_307_of_a_trailing_slash_is_not_followed_either(serve: Serve) -> None:
    """What FastAPI answers behind a proxy that ends TLS: the same host, with http:// before it."""
    here = serve(lambda target: Given(307, (("location", f"http://127.0.0.1:1{target.rstrip('/')}"),)))
    async with Client(here.url, KEY) as client:
        with pytest.raises(BadAnswer, match="redirects to http://127"):
            await client.get("/key/list/")
    assert len(here.got) == 1


async def test_a_location_with_secrets_of_its_own_is_not_repeated(serve: Serve) -> None:
    first = serve(
        lambda _: Given(302, (("location", "https://u:hunter2hunter2@sso.example.com/x?state=s3cr3ts3cr3t"),))
    )
    text = await said(first.url)
    assert "https://sso.example.com" in text and "hunter2" not in text and "s3cr3t" not in text


async def test_a_private_ca_is_taken_from_ca_file(serve: Serve, authority: Authority) -> None:
    server = serve(tls=authority.context("good"))
    async with Client(server.url, KEY, ca_file=str(authority.ca_file)) as client:
        assert await client.get("/key/info") == {}
    assert KEY in server.got[0].text


@pytest.mark.parametrize(
    ("name", "names", "days", "trusted", "words"),
    [
        ("unknown", "IP:127.0.0.1", None, False, "a CA that this machine does not trust"),
        ("other", "DNS:llm.example.com,IP:10.0.0.1", None, True, "is for another name than 127.0.0.1"),
        ("old", "IP:127.0.0.1", ("20200101000000Z", "20210101000000Z"), True, "has expired"),
        ("early", "IP:127.0.0.1", ("20900101000000Z", "20910101000000Z"), True, "is not valid yet"),
    ],
)
async def test_each_certificate_that_is_refused_has_its_own_sentence(
    serve: Serve,
    authority: Authority,
    name: str,
    names: str,
    days: tuple[str, str] | None,
    trusted: bool,
    words: str,
) -> None:
    server = serve(tls=authority.context(name, names, days=days))
    text = await said(server.url, authority.ca_file if trusted else None)
    assert words in text and "Nothing was sent" in text
    assert server.got == []
    assert "_ssl.c" not in text
    assert ("ca_file" in text) is (name == "unknown")


async def test_a_host_name_is_checked_too(serve: Serve, authority: Authority) -> None:
    server = serve(tls=authority.context("byname", "DNS:llm.example.com"))
    text = await said(f"https://localhost:{server.port}", authority.ca_file)
    assert "is for another name than localhost" in text and server.got == []


async def test_tls_to_a_port_without_it_is_told(serve: Serve) -> None:
    server = serve()
    text = await said(f"https://127.0.0.1:{server.port}")
    assert "does not speak TLS" in text


async def test_the_scheme_in_capitals_is_verified_as_well(serve: Serve, authority: Authority) -> None:
    server = serve(tls=authority.context("capitals"))
    text = await said(server.url.replace("https", "HTTPS"))
    assert "does not trust" in text and server.got == []


def calls(tree: ast.AST) -> Iterator[str]:
    """Everything in a module that would turn the checking of certificates off."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in (
            "CERT_NONE",
            "CERT_OPTIONAL",
            "_create_unverified_context",
        ):
            yield node.attr
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Attribute) and each.attr in ("check_hostname", "verify_mode") for each in node.targets
        ):
            yield "an assignment to check_hostname or verify_mode"
        if isinstance(node, ast.keyword) and node.arg == "verify" and isinstance(node.value, ast.Constant):
            yield f"verify={node.value.value!r}"
        if isinstance(node, ast.keyword) and node.arg == "follow_redirects":
            assert isinstance(node.value, ast.Constant)
            if node.value.value is not False:
                yield "follow_redirects"


@pytest.mark.parametrize(
    "line", ["Client(verify=False)", "x.check_hostname = False", "ssl.CERT_NONE", "get(follow_redirects=True)"]
)
def test_the_search_finds_it(line: str) -> None:
    assert list(calls(ast.parse(line)))


def test_nothing_turns_the_checking_off() -> None:
    modules = list(Path(tui.__file__).parent.rglob("*.py"))
    assert len(modules) > 50
    found = [(str(path), what) for path in modules for what in calls(ast.parse(path.read_text("utf-8")))]
    assert found == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_plain_http_to_this_machine_goes_past_a_proxy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """It is allowed because nobody on the way can read it."""
    proxy, server = serve(), serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    async with Client(f"http://{host}:{server.port}", KEY) as client:
        await client.get("/key/info")
    assert proxy.got == [] and len(server.got) == 1


async def test_a_proxy_gets_a_tunnel_and_no_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(lambda _: Given(403))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    async with Client("https://llm.example.com", KEY, timeout=10) as client:
        with pytest.raises(Unreachable, match=r"The proxy before llm\.example\.com .* lets nothing through \(403"):
            await client.get("/key/info")
    assert {got.method for got in proxy.got} == {"CONNECT"} and proxy.got[0].target == "llm.example.com:443"
    assert not [got for got in proxy.got if KEY in got.text or "uthorization" in got.text]


async def test_a_proxy_that_is_not_there_is_told_from_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:9")
    text = await said("https://llm.example.com")
    assert "The proxy before llm.example.com" in text and "NO_PROXY" in text and "hunter2" not in text


async def test_no_proxy_is_heeded(serve: Serve, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    proxy, server = serve(), serve(tls=authority.context("direct"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with Client(server.url, KEY, ca_file=str(authority.ca_file)) as client:
        await client.get("/key/info")
    assert proxy.got == [] and len(server.got) == 1


async def test_netrc_does_not_replace_the_key(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server = serve()
    async with Client(server.url, KEY) as client:
        await client.get("/key/info")
    assert f"Bearer {KEY}" in server.got[0].text and "Basic" not in server.got[0].text
