"""The corpus on real proxies: what they take of it is shown as the embedded gateway's is, and all is deleted again."""

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import Stand
from tests.hostile.corpus import CORPUS, SECRET
from tests.hostile.looking import look
from tests.hostile.test_commands import look_at_lines
from tests.screens.driver import Driver
from tui import cli
from tui.app import LitellmTui
from tui.commands import run
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.gateway import keys
from tui.gateway.clock import utc_now
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import masked
from tui.screens.base import MainScreen

pytestmark = pytest.mark.live
AT_ONCE = 6
NEVER = {"NUL", "lone surrogate"}
"""PostgreSQL holds neither."""
CONTROL = {
    "line separators",
    "CSI",
    "OSC 8",
    "OSC 52",
    "OSC 0",
    "DCS",
    "BEL",
    "CR",
    "LF",
    "CRLF TAB VT FF",
    "C1",
    "DEL",
}
"""What newer releases refuse as an alias, and older ones take."""
OWN_RULES = {"10,000", "10,000 wide", "empty", "path", "blanks", "blanks that are wide"}
"""What a release may refuse by rules of its own about names."""
MODELS = ("markup action", "CSI", "bidi override", "emoji family", "combining pile", "CJK", "secret", "10,000")


async def made(stand: Stand) -> tuple[str, dict[str, str]]:
    """A user with a key and a team for each text that the proxy takes; the user, and why the others were refused."""
    user = await stand.user("ada", user_alias=CORPUS["CSI"] + CORPUS["markup action"])
    refused: dict[str, str] = {}
    turns = asyncio.Semaphore(AT_ONCE)

    async def make(number: int, name: str, text: str) -> None:
        async with turns:
            team = None
            try:
                if number % 6 == 0:
                    team = await stand.team(f"team-{number}", team_alias=f"{stand.mark}{text}"[:200])
            except GatewayError as error:
                refused[f"team {name}"] = str(error)
            try:
                await keys.generate_key(
                    stand.admin, {"user_id": user, "key_alias": text, "metadata": {text: text}, "team_id": team}
                )
            except GatewayError as error:
                refused[name] = str(error)

    # an alias is unique on a proxy, and others may be here at the same time
    texts = {name: f"{text}{stand.mark}" if text.strip() else text for name, text in CORPUS.items()}
    await asyncio.gather(*(make(number, *each) for number, each in enumerate(texts.items())))
    return user, refused


async def test_what_a_proxy_takes(live: Stand, capsys: pytest.CaptureFixture[str]) -> None:  # S3
    user, refused = await made(live)
    names = {name.removeprefix("team ") for name in refused}
    assert names >= NEVER
    assert names <= NEVER | OWN_RULES | (CONTROL if live.server.at_least(1, 84) else set()), refused
    settings = Settings(
        profile="test", url=live.proxy.url, credential=HeldKey(Secret(live.proxy.master_key)), user=user
    )

    async def command(*args: str) -> str:
        assert await run(cli._parser().parse_args(args), settings, None, utc_now) == 0
        said = capsys.readouterr()
        look_at_lines(said.err)
        return said.out

    stored = await keys.list_keys(live.admin, user)
    assert len(stored) >= len(CORPUS) - len(names)
    look_at_lines(await command("keys", "list"))
    out = await command("keys", "list", "--json")
    assert out.isascii() and SECRET not in out
    shown: dict[str, Any] = {row["hash"]: row for row in json.loads(out)}
    for key in stored:
        assert shown[key.hash]["alias"] == (masked(key.alias) if key.alias else None)
    written = {key.alias for key in stored}
    for name in ("markup action", "flags", "emoji family", "combining pile", "bidi override", "CJK"):
        assert f"{CORPUS[name]}{live.mark}" in written, name
    look_at_lines(await command("usage"))

    ids = await asyncio.gather(*(model(live, f"{CORPUS[name]}{live.mark}") for name in MODELS))
    try:
        await listed(live)
        await walk(settings, len(stored))
        out = await command("models", "list")
        look_at_lines(out)
        assert out.count(live.mark) >= len(MODELS) - 1
    finally:
        await asyncio.gather(*(live.admin.post("/model/delete", {"id": each}) for each in ids))


async def model(stand: Stand, name: str) -> str:
    """A model group of that name; its id."""
    answer = await stand.admin.post(
        "/model/new", {"model_name": name, "litellm_params": {"model": "openai/nothing", "api_key": "none"}}
    )
    return str(answer.get("model_id") or answer["model_info"]["id"])


async def listed(stand: Stand) -> None:
    """Wait until the proxy lists what was made: 1.74.0 reads its table anew every so often."""
    async with asyncio.timeout(90):
        while json.dumps(await stand.admin.get("/models")).count(stand.mark) < len(MODELS) - 1:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def walk(settings: Settings, count: int) -> None:
    """Through the three screens."""
    app = LitellmTui(settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot, None)  # type: ignore[arg-type]
        await driver.until(lambda: isinstance(app.screen, MainScreen), "the keys screen")
        assert (await driver.to_all_keys()).row_count == count
        look(driver)
        for _ in range(3):
            await driver.press("enter")
            await driver.see("Hash")
            look(driver)
            await driver.press("escape", "ctrl+d")
            look(driver)
        for key in ("2", "3"):
            await driver.press(key)
            await driver.until(lambda: "reading" not in driver.text(), "the answer")
            look(driver)
            await driver.press("G")
            look(driver)
