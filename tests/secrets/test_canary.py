"""A secret that nobody else has, in every command and in the app, while everything goes wrong; then all that came out
is searched: what was printed, what was drawn, what was written, what children were given."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Proxy
from tests.secrets.conftest import Canary
from tests.ssh.gateway import Served
from tests.terminal.conftest import Start, start  # noqa: F401
from tests.terminal.driver import Terminal
from tui.cli import COMMANDS as KNOWN
from tui.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS: list[list[str]] = [
    ["doctor"],
    ["doctor", "--json"],
    ["keys", "list"],
    ["keys", "list", "--json"],
    ["models", "list"],
    ["models", "list", "--json"],
    ["usage", "--period", "7d"],
    ["usage", "--period", "7d", "--json"],
    ["usage", "--period", "90d", "--by", "key", "--csv"],
    ["usage", "--period", "7d", "--json", "--output", "OUT/usage.json"],
    ["rotations"],
    ["rotations", "--json"],
    ["rotations", "finish", "nobody", "--secret-is-safe"],
    ["rotations", "undo", "nobody", "--yes"],
    ["keys", "rotate", "laptop", "--out", "OUT/new.key", "--yes"],
    ["keys", "rotate", "laptop", "--env-file", "OUT/.env", "--var", "KEY", "--grace", "0", "--yes", "--json"],
    ["keys", "rotate", "--all-expiring", "365d", "--env-dir", "OUT", "--yes"],
]


def echo(secret: str) -> str:
    """What an unkind gateway says back."""
    data = secret.encode()
    wrapped = [base64.b64encode(b"x" * n + data).decode() for n in range(4)]
    return (
        f"Received={secret} Authorization: Bearer {secret} ?key={quote(secret, safe='')} {' '.join(wrapped)} {secret!r}"
    )


Answer = Callable[[str], httpx.Response | Exception]
ANSWERS: dict[str, Answer] = {
    "401": lambda s: httpx.Response(401, json={"error": {"message": echo(s), "type": echo(s), "param": s, "code": s}}),
    "detail": lambda s: httpx.Response(400, json={"detail": {"error": echo(s)}}),
    "422": lambda s: httpx.Response(422, json={"detail": [{"loc": ["body", s], "msg": echo(s), "type": s}]}),
    "403": lambda s: httpx.Response(403, json={"detail": repr({"error": echo(s)})}),
    "500": lambda s: httpx.Response(500, text=f"Traceback…\n{echo(s)}"),
    "html": lambda s: httpx.Response(
        500, html=f"<title>{echo(s)}</title>{echo(s)}", headers={"content-type": "text/html"}
    ),
    "no json": lambda s: httpx.Response(200, text=echo(s)),
    "other json": lambda s: httpx.Response(200, json={s: [echo(s)] * 3, "data": {s: s}, "keys": s}),
    "redirect": lambda s: httpx.Response(
        307, headers={"location": f"https://{s[:20]}@x.invalid/{quote(s)}?k={quote(s)}"}
    ),
    "echoed": lambda s: httpx.Response(200, headers={"set-cookie": f"k={quote(s)}", "x-key": quote(s)}, json=[]),
}


@pytest.fixture
def gateway(canary: Canary) -> Iterator[Served]:
    """The embedded gateway behind HTTP, with the canary for its master key and some data. 1.74 repeats keys."""
    version = "1.74.0" if canary.secret.startswith("sk-") else "1.108.0"
    served = Served(Proxy(version, "", canary.secret, demo=True))
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {canary.secret}"}) as http:
        for alias in ("laptop", "phone"):
            body = {"key_alias": alias, "duration": "30d", "metadata": {"openai": "sk-somebody-elses-0123456789"}}
            http.post("/key/generate", json=body).raise_for_status()
    yield served
    served.close()


def environment(home: Path, url: str, secret: str) -> dict[str, str]:
    """Of a child: the canary where a key may be, and Python as talkative as it gets."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM", "XDG_"))}
    return {
        **ours,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LITELLM_TUI_URL": url,
        "LITELLM_TUI_API_KEY": secret,
        "LITELLM_TUI_DEBUG": "1",
        "PYTHONDEVMODE": "1",
        "PYTHONASYNCIODEBUG": "1",
        "PYTHONWARNINGS": "always",
        "PYTHONPATH": str(ROOT),
    }


# The program with every logger it has at its lowest level, as a person looking for a fault might do
LOUD = """
import logging, sys
logging.basicConfig(level=1)
from tui.cli import main
sys.exit(main())
"""


def run(canary: Canary, url: str, home: Path, words: list[str]) -> subprocess.CompletedProcess[bytes]:
    (home / "out").mkdir(exist_ok=True)
    words = [word.replace("OUT", str(home / "out")) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", LOUD, *words],
        env=environment(home, url, canary.secret),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    canary.check(done.stdout, f"stdout of {words}")
    canary.check(done.stderr, f"stderr of {words}")
    return done


def run_here(
    canary: Canary,
    url: str,
    home: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """As `run`, in this process: for the many. What it said."""
    (home / "out").mkdir(exist_ok=True)
    with monkeypatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LITELLM", "XDG_")):
                patch.delenv(name)
        for name, value in environment(home, url, canary.secret).items():
            patch.setenv(name, value)
        # what main does to its own process
        patch.setattr("tui.cli._drop_output", lambda: None)
        with contextlib.suppress(SystemExit):
            main([word.replace("OUT", str(home / "out")) for word in words])
    said = capfd.readouterr()
    canary.check(said.out, f"stdout of {words}")
    canary.check(said.err, f"stderr of {words}")
    return said.out + said.err


def search(canary: Canary, home: Path) -> int:
    """How many files there are; none holds the canary."""
    files = [path for path in home.rglob("*") if path.is_file()]
    for path in files:
        canary.check(path.read_bytes(), str(path))
        canary.check(str(path), "a file's name")
    return len(files)


def test_every_command_is_among_them() -> None:
    assert {name for name in KNOWN if not [each for each in COMMANDS if " ".join(each).startswith(name)]} == set()


def test_commands_that_go_well(
    canary: Canary, gateway: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in COMMANDS:
        said = run_here(canary, gateway.url, tmp_path, words, monkeypatch, capfd)
        assert said and "sk-somebody-elses" not in said, words
    done = run(canary, gateway.url, tmp_path, ["keys", "list", "--json"])
    assert b"httpx" in done.stderr and b"httpcore" in done.stderr, "the loggers do speak"
    assert done.returncode == 0 and len(json.loads(done.stdout)) >= 2
    assert search(canary, tmp_path) >= 2


@pytest.mark.parametrize("answer", ANSWERS)
def test_commands_that_fail(
    canary: Canary,
    gateway: Served,
    tmp_path: Path,
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The first call fails, and in another run the ones behind it."""
    fails = ANSWERS[answer](canary.secret)
    for words in (["doctor"], ["keys", "list"], ["models", "list"], ["usage", "--period", "7d"]):
        for path in ("*", "/key/list", "/models", "/user/*"):
            gateway.demo.intercept("*", path, fails, times=-1)
            run_here(canary, gateway.url, tmp_path, words, monkeypatch, capfd)
            gateway.demo._interceptions.clear()
    for path in ("/key/generate", "/key/update", "/key/delete", "/models"):
        gateway.demo.intercept("*", path, fails, times=-1)
        words = ["keys", "rotate", "laptop", "--out", f"OUT/{answer}{path[5:]}.key", "--yes"]
        run_here(canary, gateway.url, tmp_path, words, monkeypatch, capfd)
        gateway.demo._interceptions.clear()
    gateway.demo.intercept("*", "*", fails, times=-1)
    run(canary, gateway.url, tmp_path, ["keys", "list"])
    search(canary, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "https://127.0.0.1:9", "http://no-such-host.invalid", "nonsense"]
)
def test_commands_without_a_gateway(canary: Canary, tmp_path: Path, url: str) -> None:
    for words in COMMANDS[:3]:
        assert run(canary, url, tmp_path, words).returncode in (1, 2)
    search(canary, tmp_path)


def test_the_check_would_find_it(canary: Canary, tmp_path: Path) -> None:
    """In each of its forms."""
    for text in echo(canary.secret).split():
        if text not in ("Authorization:", "Bearer"):
            with pytest.raises(AssertionError):
                canary.check(f"before {text} after", "here")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_text(f"x{canary.secret}")
    with pytest.raises(AssertionError):
        search(canary, tmp_path)


def test_the_app_while_everything_fails(canary: Canary, gateway: Served, tmp_path: Path, start: Start) -> None:  # noqa: F811
    app = open_app(canary, gateway, tmp_path, start)
    app.see("laptop")
    app.press("3")
    app.see("Spend")
    for name, answer in ANSWERS.items():
        gateway.demo.intercept("*", "*", answer(canary.secret), times=-1)
        for screen in "13":
            mark = app.mark()
            app.press(f"{screen}R")
            app.quiet(0.15)
            look(canary, app.text(), f"screen {screen}, {name}")
            canary.check(app.since(mark), f"what was sent on screen {screen}, {name}")
        gateway.demo._interceptions.clear()
    # the spell is over, and has taken nothing away: one R goes on, one more reads
    app.press("R")
    app.see("· RW ·")
    app.press("1R")
    app.see("laptop")
    assert "· admin · RW ·" in app.text()
    close(canary, tmp_path, app)


def open_app(canary: Canary, gateway: Served, home: Path, start: Start) -> Terminal:  # noqa: F811
    env = environment(home, gateway.url, canary.secret)
    with (home / "stderr").open("wb") as stderr:
        return start(command=(sys.executable, "-c", LOUD), env=env, size=(120, 30), stderr=stderr.fileno())


def close(canary: Canary, home: Path, app: Terminal) -> None:
    app.press("q")
    app.ended()
    canary.check(bytes(app.sent), "all that was sent")
    assert b"httpcore" in (home / "stderr").read_bytes()
    search(canary, home)


def look(canary: Canary, screen: str, where: str) -> None:
    """A word may be broken over two lines."""
    canary.check(screen, where)
    canary.check("".join(screen.split()), where)


@pytest.mark.parametrize("answer", ["401", "html", "no json", "redirect"])
def test_the_app_that_cannot_start(
    canary: Canary,
    gateway: Served,
    tmp_path: Path,
    start: Start,  # noqa: F811
    answer: str,
) -> None:
    gateway.demo.intercept("*", "*", ANSWERS[answer](canary.secret), times=-1)
    app = open_app(canary, gateway, tmp_path, start)
    app.see("try again")
    look(canary, app.text(), "the screen of trouble")
    close(canary, tmp_path, app)
