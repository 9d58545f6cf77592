"""Every command over hostile names: tables by cells, JSON whole and in ASCII, no secret, nothing that plays."""

import csv
import json
import re
import shlex
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import wcwidth

from tests.hostile.corpus import CORPUS, SAID, SECRET, WORST, unsafe
from tests.hostile.looking import widths
from tests.hostile.world import ADA, NOW, Hostile, world
from tui import cli
from tui.commands import _say_why, run
from tui.commands.output import print_json
from tui.config import DEMO_URL, Settings
from tui.credentials import HeldKey, Secret
from tui.formatting import width
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import masked
from tui.gateway.rotation import create, plan
from tui.startup import start

Run = Callable[..., Awaitable[tuple[int, str, str]]]
OURS = re.compile(r"\x1b\[[0-9;]*m")


def settings(gateway: Hostile) -> Settings:
    return Settings(profile="test", url=DEMO_URL, credential=HeldKey(Secret(gateway.master_key)), user=ADA)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, stdout, stderr of a command."""

    async def call(gateway: Hostile, *args: str) -> tuple[int, str, str]:
        parsed = cli._parser().parse_args(args)
        code = await run(parsed, settings(gateway), gateway.transport(), lambda: NOW)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def look_at_lines(text: str) -> None:
    """No line holds what plays with a terminal, and all agree on how wide it is."""
    for line in OURS.sub("", text).split("\n"):
        assert unsafe(line) == [], line[:200]
        # of the 10,000 letters of a name, the last ones are as the first
        shown = line if len(line) < 3000 else line[:1000] + line[-1000:]
        assert widths(shown) == {width(shown)}, line[:200]


@pytest.mark.parametrize(
    "args",
    [
        ("keys", "list"),
        ("models", "list"),
        ("usage",),
        ("usage", "--by", "key"),
        ("usage", "--chart", "spend"),
        ("rotations",),
    ],
)
@pytest.mark.parametrize("columns", [None, 80])
async def test_a_table(
    command: Run, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], columns: int | None
) -> None:
    if columns:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
    code, out, err = await command(world(), *args)
    assert code == 0
    look_at_lines(out)
    look_at_lines(err)
    if columns:
        assert max(wcwidth.wcswidth(line) for line in OURS.sub("", out).split("\n")) <= columns


@pytest.mark.parametrize("columns", [None, 100])
async def test_the_spend_of_every_key_ends_in_one_cell(
    command: Run, monkeypatch: pytest.MonkeyPatch, columns: int | None
) -> None:
    if columns:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = await command(world(), "keys", "list")
    head, *lines = OURS.sub("", out).rstrip("\n").split("\n")
    assert len(lines) == len(CORPUS)
    ends = {
        wcwidth.wcswidth(found.group()) for line in lines if (found := re.search(r"^.*?…\S{4} +\$[\d.,]+(?= )", line))
    }
    assert ends == {wcwidth.wcswidth(head[: head.index("Spend") + 5])}


async def test_json_keeps_the_data_whole_in_ascii(command: Run) -> None:
    gateway = world()
    _, out, _ = await command(gateway, "keys", "list", "--json")
    assert out.isascii() and all(letter == "\n" or " " <= letter <= "~" for letter in out)
    assert SECRET not in out
    shown = {row["hash"]: row for row in json.loads(out)}
    assert len(shown) == len(CORPUS)
    for token, row in gateway.keys.items():
        assert shown[token]["alias"] == (masked(row["key_alias"]) or None)
        # a name in metadata is masked as the name of a key is
        assert shown[token]["metadata"] == json.loads(masked(json.dumps(row["metadata"])))
        assert shown[token]["models"] == list(map(masked, row["models"]))
    _, out, _ = await command(gateway, "models", "list", "--json")
    assert out.isascii()
    assert {row["name"] for row in json.loads(out)} >= {masked(text) for text in CORPUS.values() if text}


@pytest.mark.parametrize(
    "args", [("usage", "--json"), ("usage", "--by", "key", "--csv"), ("doctor",), ("rotations", "--json")]
)
async def test_for_programs(command: Run, args: tuple[str, ...]) -> None:
    code, out, err = await command(world(), *args)
    assert code == 0
    assert not SAID.search(out) and not SAID.search(err)
    assert "\x1b" not in out + err and "\x9b" not in out + err and "\u202e" not in out + err
    if "--json" in args:
        assert out.isascii()
        json.loads(out)
    elif "--csv" in args:
        look_at_lines(out)
        for row in csv.reader(out.splitlines()):
            assert not any(cell.lstrip(' "').startswith(("=", "+", "-", "@", "＝")) for cell in row), row
    else:
        look_at_lines(out + err)


@pytest.mark.parametrize("name", ["option", "shell", "CSI", "zero width", "secret", "LF", "blanks"])
async def test_an_unfinished_rotation_is_named_so_that_the_command_can_be_pasted(command: Run, name: str) -> None:
    gateway = world([CORPUS[name]])
    for row in gateway.keys.values():
        row["expires"] = None
    session = await start(settings(gateway), transport=gateway.transport())
    async with session.client:
        (key,) = await session.load_keys()
        await create(session.client, plan(key, life="90d", rights=session.rights, now=NOW))
    code, out, _ = await command(gateway, "rotations")
    assert code == 0
    look_at_lines(out)
    line = next(line for line in out.splitlines() if "rotations undo" in line)
    words = shlex.split(line.strip())
    which = words[words.index("undo") + 1].removesuffix(":")
    assert not which.startswith("-")
    code, _, _ = await command(gateway, "rotations", "undo", which, "--yes")
    assert code == 0
    assert [row["key_alias"] for row in gateway.keys.values()] == [CORPUS[name]]


@pytest.mark.parametrize(
    "body", [f"<h1>\x1b]0;t\x07{SECRET}</h1>" + "x" * 300_000, WORST, '{"detail": "\\u001b[2J\\ud83d"}']
)
async def test_a_refusal(capsys: pytest.CaptureFixture[str], body: str) -> None:  # S2, S3
    gateway = world(["laptop"])
    gateway.intercept("*", "/*", httpx.Response(400, content=body.encode()), times=-1)
    for args in (("doctor",), ("keys", "list")):
        parsed = cli._parser().parse_args(args)
        try:
            code = await run(parsed, settings(gateway), gateway.transport(), lambda: NOW)
        except GatewayError as error:
            # as `run_command` does
            _say_why(error, settings(gateway))
            code = 1
        said = capsys.readouterr()
        words = said.out + said.err
        assert code != 0 and 0 < len(words) < 5000
        assert not SAID.search(words) and not any(each in words for each in "\x1b\x07\u202e\ud83d")


def test_json_of_anything(capsys: pytest.CaptureFixture[str]) -> None:
    data: dict[str, Any] = {
        f"{name} {text}": [text, {text: text}] for name, text in CORPUS.items() if "secret" not in name
    }
    print_json(data)
    out = capsys.readouterr().out
    assert out.isascii() and all(letter == "\n" or " " <= letter <= "~" for letter in out)
    assert json.loads(out) == data
