"""The models screen as a person uses it, over the embedded gateway."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui import startup
from tui.app import LitellmTui
from tui.config import Settings
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.demo.models import MODELS, Model
from tui.formatting import count, money
from tui.gateway.schema import Model as GatewayModel
from tui.workspace import Workspace, _callable

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ADA = "ada@example.com"


@pytest.fixture
def world() -> DemoGateway:
    """The demo's eight models, people and usage, on a fixed day."""
    return DemoGateway.believable(now=NOW)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was sent to the clipboard."""
    found: list[str] = []

    async def copy(app: LitellmTui, text: str) -> str:
        found.append(text)
        return "Sent to the clipboard."

    monkeypatch.setattr(LitellmTui, "copy", copy)
    return found


def key_of(gateway: DemoGateway, alias: str) -> str:
    return next(gateway.secret_for(token) or "" for token, row in gateway.keys.items() if row["key_alias"] == alias)


def names(app: Driver) -> list[str]:
    """The first word of each row of the table, from the top."""
    lines = app.text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Model") and "$/" in line)
    return [line.split()[0] for line in lines[start + 1 : -1] if line.strip()]


async def opened(app: Driver, words: str = "gpt-4o-mini") -> str:
    await app.press("2")
    return await app.see(words)


async def test_prices_limits_and_what_it_can_do(world: DemoGateway) -> None:  # S13
    async with running(world, size=(120, 36)) as app:
        text = await opened(app)
        assert names(app) == sorted(model.name for model in MODELS)
        sonnet = app.row("claude-sonnet-4-5").split()
        assert sonnet[:7] == ["claude-sonnet-4-5", "anthropic", "chat", "3.00", "15.00", "200k", "64k"]
        assert sonnet[7:11] == ["tools", "vision", "cache", "reasoning"]
        assert app.row("in-house-llama").split()[:7] == ["in-house-llama", "openai", "chat", "?", "?", "?", "?"]
        assert app.row("text-embedding").split()[1:7] == ["openai", "embed", "0.02", "0", "8.2k", "–"]
        assert "2 Models 8" in text


async def test_repeated_ids_are_one_row(world: DemoGateway) -> None:  # S13
    listed = [{"id": name} for name in ("gpt-4o", "gpt-4o", "wild/one", "gpt-4o")]
    world.intercept("GET", "/models", httpx.Response(200, json={"data": listed}))
    async with running(world) as app:
        await opened(app, "wild/one")
        assert names(app) == ["gpt-4o", "wild/one"]
        assert app.row("wild/one").split()[1:] == ["?"] * 6


async def test_the_first_reading_is_said_in_words(world: DemoGateway) -> None:
    go = asyncio.Event()

    async def wait(request: httpx.Request) -> None:
        await go.wait()

    world.intercept("GET", "/models", wait)
    async with running(world) as app:
        await opened(app, "reading models …")
        assert "2 Models │" in app.text()
        go.set()
        await app.see("gpt-4o-mini")
        assert "reading" not in app.text()


async def test_no_models(world: DemoGateway) -> None:
    world.models.clear()
    async with running(world) as app:
        await opened(app, "No models: this gateway offers none to this key.")
        await app.press("enter", "y")
        assert "There is no model under the cursor." in app.toasts()


async def test_filter_no_match_and_clear(world: DemoGateway) -> None:
    async with running(world) as app:
        await opened(app)
        await app.press("slash")
        await app.type("gem")
        await app.until(lambda: names(app) == ["gemini-2.5-flash", "gemini-2.5-pro"])
        await app.press("enter", "j", "j")
        assert names(app) == ["gemini-2.5-flash", "gemini-2.5-pro"]
        await app.press("slash")
        await app.type("foo")
        await app.see("No model matches “foo”. esc clears the filter.")
        await app.press("escape")
        await app.until(lambda: len(names(app)) == 8)
        await app.press("slash")
        await app.type("embed")
        await app.until(lambda: names(app) == ["text-embedding-3-small"])


async def test_sort_puts_unknown_prices_last_whichever_way(world: DemoGateway) -> None:
    async with running(world, size=(120, 36)) as app:
        await opened(app)
        await app.press("s", "s", "s")
        assert "In $/M▲" in app.text() or "In $/M ▲" in app.text() or "In $/▲" in app.text()
        assert names(app)[0] == "text-embedding-3-small" and names(app)[-1] == "in-house-llama"
        await app.press("S")
        assert names(app)[0] == "claude-sonnet-4-5" and names(app)[-1] == "in-house-llama"
        await app.pilot.click("#models", offset=(2, 0))
        await app.until(lambda: names(app) == sorted(model.name for model in MODELS))
        await app.pilot.click("#models", offset=(2, 0))
        await app.until(lambda: names(app) == sorted((model.name for model in MODELS), reverse=True))


async def test_y_copies_the_name(world: DemoGateway, copied: list[str]) -> None:
    async with running(world) as app:
        await opened(app)
        await app.press("j", "y")
        await app.until(lambda: bool(copied))
        assert copied == ["claude-sonnet-4-5"]
        assert "claude-sonnet-4-5: Sent to the clipboard." in app.toasts()


async def test_the_detail_says_all_and_its_share_of_my_thirty_days(world: DemoGateway) -> None:  # S13, S20
    first = "2026-10-22"
    mine = [row for row in world.usage_rows if row["user_id"] == ADA and row["date"] >= first]
    rows = [row for row in mine if row["model_group"] == "claude-sonnet-4-5"]
    spend, everything = sum(row["spend"] for row in rows), sum(row["spend"] for row in mine)
    async with running(world, key=key_of(world, "laptop")) as app:
        await opened(app)
        await app.press("enter")
        await app.see("of all spend")
        text = app.text()
        assert f"{money(spend)}, {spend / everything * 100:.1f} % of all spend" in text
        assert f"{count(sum(row['api_requests'] for row in rows))} requests of me" in text
        assert "3.00 in, 15.00 out, 0.30 read from cache" in text
        assert "200,000 tokens" in text and "64,000 tokens at most" in text
        assert "tools, vision, reasoning, cache, pdf, json schema" in text
        assert "anthropic/claude-sonnet-4-5" in text
        calls = sum("/daily/" in call.path for call in world.calls)
        await app.press("escape", "enter")
        await app.see("of all spend")
        assert sum("/daily/" in call.path for call in world.calls) == calls == 1


async def test_the_snippets_never_hold_the_sessions_key(world: DemoGateway, copied: list[str]) -> None:  # S3
    secret = key_of(world, "laptop")
    async with running(world, key=secret) as app:
        await opened(app)
        await app.press("j", "enter")
        await app.see("[env]")
        for title, words in (
            ("[env]", "export OPENAI_API_KEY=YOUR-LITELLM-KEY"),
            ("[curl]", "curl https://llm.example.com/v1/chat/completions"),
            ("[OpenAI SDK]", "client = OpenAI("),
            ("[Claude Code]", "export ANTHROPIC_MODEL=gpt-4o"),
        ):
            assert words in await app.see(title)
            await app.press("y")
            await app.until(lambda words=words: bool(copied) and words in copied[-1])  # type: ignore[misc]
            await app.press("tab")
        assert len(copied) == 4
        assert not any(secret in text for text in (*copied, app.text(), app.toasts()))
        await app.see("[env]")
        await app.press("left")
        await app.see("[Claude Code]")
        await app.press("Y")
        await app.until(lambda: copied[-1] == "gpt-4o")


async def test_a_model_that_embeds_has_snippets_that_embed(world: DemoGateway) -> None:
    async with running(world) as app:
        await opened(app)
        await app.press("G", "enter", "tab")
        assert "/v1/embeddings" in await app.see("[curl]")
        assert "Claude Code" not in app.text()


async def test_without_the_right_to_usage_the_detail_says_why_and_asks_nothing(world: DemoGateway) -> None:  # S44
    async with running(world, key=key_of(world, "grafana-readonly")) as app:
        await opened(app)
        await app.press("enter")
        await app.see("limited to read_only and may not")
        assert not [call for call in world.calls if "/daily/" in call.path]


async def test_a_model_that_nobody_called(world: DemoGateway) -> None:
    world.models.append(Model("brand-new", "openai", 1e-6, 2e-6))
    async with running(world, user=ADA) as app:
        await opened(app, "brand-new")
        await app.press("enter")
        await app.see(f"no requests of {ADA}")


async def test_a_narrow_key_of_an_old_release_gets_names_only(world: DemoGateway) -> None:  # S44
    old = DemoGateway.believable(now=NOW, version="1.83.0")
    async with running(old, key=key_of(old, "vector-index")) as app:
        await opened(app, "text-embedding-3-small")
        assert "Names only." in app.text() and "key_type llm_api" in " ".join(app.text().split())
        assert app.row("text-embedding").split()[1:] == ["?"] * 6
        assert not [call for call in old.calls if "model_group" in call.path or call.path == "/model/info"]


async def test_the_old_list_stays_with_age_and_reason_when_the_gateway_is_gone(world: DemoGateway) -> None:
    async with running(world) as app:
        await opened(app)
        world.intercept("GET", "*", httpx.ConnectError("refused"), times=-1)
        await app.press("R")
        await app.see("refuses the connection")
        said = " ".join(app.text().split())
        assert f"Showing {NOW.astimezone():%H:%M}. R tries again; next try at " in said
        assert len(names(app)) == 8
        world._interceptions.clear()
        await app.press("R")
        await app.gone("Showing")


async def test_the_first_reading_fails_and_is_tried_again(world: DemoGateway) -> None:
    world.intercept("GET", "/models", httpx.Response(500, json={"error": {"message": "no router"}}))
    async with running(world) as app:
        await opened(app, "no router R tries again.")
        await app.press("R")
        await app.see("gpt-4o-mini")


async def test_read_only_reads(world: DemoGateway) -> None:
    async with running(world, read_only=True) as app:
        await opened(app)
        assert "READ-ONLY" in app.text() and len(names(app)) == 8


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((60, 20), ("Provider", "In $/M", "Out $/M", "Context")),
        ((80, 24), ("Provider", "Mode", "In $/M", "Out $/M", "Context", "Can", "tools +")),
        ((200, 50), ("Provider", "Mode", "In $/M", "Out $/M", "Context", "Can", "tools vision cache reasoning")),
    ],
)
async def test_sizes(world: DemoGateway, size: tuple[int, int], shown: tuple[str, ...]) -> None:
    async with running(world, size=size) as app:
        text = await opened(app)
        assert all(word in text for word in shown)
        assert len(names(app)) == 8 and "text-embedding-3-small" in text and "? help" in text
        await app.press("enter", "tab")
        text = await app.see("[curl]")
        assert "y copy this" in text and "Last 30 days" in text and "YOUR-LITELLM-KEY" in text


async def test_hostile_names_are_shown_harmless(world: DemoGateway) -> None:
    bad: list[dict[str, Any]] = [
        {"id": "[red]x[/red]"},
        {"id": "\x1b]52;c;aGk=\x07evil"},
        {"id": "[/x]\u202e"},
        {"id": "a" * 400},
    ]
    world.intercept("GET", "/models", httpx.Response(200, json={"data": bad}), times=-1)
    async with running(world) as app:
        text = await opened(app, "[red]x[/red]")
        assert "[/x]" in text and "\u202e" not in text
        assert all(len(line) == 80 for line in text.splitlines())
        for _ in bad:
            await app.press("enter")
            text = await app.see("[env]")
            assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
            await app.press("tab", "y", "escape", "j")
        assert "\x1b" not in app.toasts()


@pytest.mark.parametrize(
    ("allowed", "shown"),
    [
        (["all-proxy-models"], 8),
        (["all-team-models"], 8),
        (["*"], 8),
        (["anthropic/*"], {"claude-sonnet-4-5", "claude-haiku-4-5"}),
        (["gpt-4o*", "in-house-llama"], {"gpt-4o", "gpt-4o-mini", "in-house-llama"}),
        (["no-default-models"], 0),
    ],
)
async def test_words_and_wildcards_in_a_users_models(
    world: DemoGateway, allowed: list[str], shown: int | set[str]
) -> None:  # S13
    world.users[ADA]["models"] = allowed
    session = await startup.start(
        Settings("test", "http://demo.invalid", HeldKey(Secret(world.master_key)), user=ADA),
        transport=world.transport(),
    )
    found = {model.name for model in await Workspace(session).refresh_models()}
    await session.client.aclose()
    assert (len(found) if isinstance(shown, int) else found) == shown


def test_a_wildcard_that_cannot_be_told_apart_hides_nothing() -> None:  # S13
    found = [GatewayModel(name="gpt-4o"), GatewayModel(name="claude")]
    assert _callable(found, ["openai/*"]) == found
