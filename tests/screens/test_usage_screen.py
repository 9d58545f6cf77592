"""The usage screen as a person reads it, over the embedded gateway: its numbers are those of the gateway's rows."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.screens.driver import Driver, running
from tui.demo import Call, DemoGateway
from tui.formatting import count, money, short_count
from tui.screens.usage import UsageScreen
from tui.screens.usage_figures import spend_by_model
from tui.spans import spans

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
ADA = "ada@example.com"
Rows = list[dict[str, Any]]


@pytest.fixture
def world() -> DemoGateway:
    """The demo's people and 120 days of use, on a fixed day."""
    return DemoGateway.believable(now=NOW)


@pytest.fixture
def small() -> DemoGateway:
    """Ada with two keys and a team, nothing used yet."""
    gw = DemoGateway(now=NOW)
    gw.add_user(user_id="ada", user_role="internal_user", max_budget=50.0, budget_duration="30d", spend=41.2)
    gw.add_team(team_id="t-core", team_alias="core", members_with_roles=[{"user_id": "ada", "role": "admin"}])
    gw.add_key("sk-laptop-0123456789", key_alias="laptop", user_id="ada")
    gw.add_key("sk-ci-0123456789", key_alias="ci", user_id="ada", team_id="t-core")
    return gw


def key_of(gateway: DemoGateway, alias: str) -> str:
    return next(gateway.secret_for(token) or "" for token, row in gateway.keys.items() if row["key_alias"] == alias)


def hash_of(gateway: DemoGateway, alias: str) -> str:
    return next(token for token, row in gateway.keys.items() if row["key_alias"] == alias)


def used(gateway: DemoGateway, day: date = TODAY, alias: str = "laptop", **more: Any) -> None:
    """One row of ada's."""
    fields = {"model": "openai/gpt-4o", "spend": 1.0, "prompt_tokens": 10, "completion_tokens": 5, **more}
    gateway.add_usage(date=day.isoformat(), user_id="ada", api_key=hash_of(gateway, alias), **fields)


def asked(gateway: DemoGateway) -> list[Call]:
    return [call for call in gateway.calls if "/daily/" in call.path]


def asked_to_today(gateway: DemoGateway) -> list[Call]:
    """Without those for the days before, which the sums are compared with."""
    return [call for call in asked(gateway) if call.params["end_date"] == TODAY.isoformat()]


def rows_of(gateway: DemoGateway, days: int, wanted: Callable[[dict[str, Any]], bool]) -> Rows:
    first = (TODAY - timedelta(days=days - 1)).isoformat()
    return [row for row in gateway.usage_rows if first <= row["date"] <= TODAY.isoformat() and wanted(row)]


def total(rows: Rows, name: str) -> float:
    return float(sum(row[name] for row in rows))


def grouped(rows: Rows, name: str) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def table(text: str) -> list[str]:
    """The rows of the table: between its titles and the line of keys."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if "Spend" in line and "Share" in line)
    return [line for line in lines[start + 1 : -1] if "$" in line]


async def opened(app: Driver, words: str = "Share") -> str:
    await app.press("3")
    return await app.see(words)


def says_totals(text: str, rows: Rows) -> None:
    assert f"Spend {money(total(rows, 'spend'))} " in text
    assert f"Requests {count(total(rows, 'api_requests'))} " in text
    failed = total(rows, "failed_requests")
    assert f"Failed {count(failed)}, " in text or (not failed and "Failed none" in text)
    tokens = total(rows, "prompt_tokens") + total(rows, "completion_tokens")
    cached = total(rows, "cache_read_input_tokens") / total(rows, "prompt_tokens")
    assert f"Tokens {short_count(tokens)}" in text
    assert f"{cached * 100:.0f} % cached" in text


@pytest.mark.parametrize(("key", "days"), [("t", 1), ("w", 7), ("m", 30), ("Q", 90)])
async def test_totals_are_the_sums_of_every_row_of_the_days(world: DemoGateway, key: str, days: int) -> None:  # S20-S22
    rows = rows_of(world, days, lambda row: row["user_id"] == ADA)
    async with running(world, key=key_of(world, "laptop"), size=(100, 30)) as app:
        await opened(app)
        await app.press(key)
        await app.see(f"Spend {money(total(rows, 'spend'))} ")
        text = app.text()
        says_totals(text, rows)
        assert f"[{'Today' if days == 1 else f'{days}d'}]" in text
        assert "Usage of me" in text and "as of 10:00" in text


async def test_the_tables_by_model_key_and_day_are_the_sums_of_the_rows(world: DemoGateway) -> None:  # S21, S23
    rows = rows_of(world, 30, lambda row: row["user_id"] == ADA)
    everything = total(rows, "spend")
    async with running(world, key=key_of(world, "laptop"), size=(110, 60)) as app:
        await opened(app)
        for model, some in grouped(rows, "model").items():
            line = next(line for line in table(app.text()) if line.startswith(model.partition("/")[2] + " "))
            check_line(line, some, everything)
            assert model.partition("/")[0] in line
        shown = [float(line.split("$")[1].split()[0]) for line in table(app.text())]
        assert shown == sorted(shown, reverse=True)
        await app.press("v")
        await app.see("[Key]")
        for token, some in grouped(rows, "api_key").items():
            alias = world.keys[token]["key_alias"]
            check_line(next(line for line in table(app.text()) if line.startswith(alias + " ")), some, everything)
        await app.press("v")
        await app.see("[Day]")
        days = grouped(rows, "date")
        lines = table(app.text())
        assert lines[0].startswith("Fri 20 Nov")
        check_line(lines[0], days["2026-11-20"], everything)
        check_line(next(line for line in lines if line.startswith("Tue 10 Nov")), days["2026-11-10"], everything)
        await app.press("v")
        await app.see("[Provider]")
        await app.press("v")
        await app.see("[Model]")


def check_line(line: str, rows: Rows, everything: float) -> None:
    spend, requests = total(rows, "spend"), total(rows, "api_requests")
    words = line.split()
    assert money(spend) in words
    assert count(requests) in words
    assert short_count(total(rows, "prompt_tokens") + total(rows, "completion_tokens")) in words
    share = spend / everything * 100
    assert (f"{share:.1f} %" if share >= 0.05 or not spend else "<0.1 %") in line
    assert money(spend / requests * 1000) in words
    failed = total(rows, "failed_requests")
    assert (count(failed) if failed else "–") in [word.lstrip("!") for word in words]


async def test_the_budget_is_the_records_own_counter_and_not_the_sum_of_the_days(small: DemoGateway) -> None:  # S25
    used(small, spend=7.0)
    async with running(small, user="ada") as app:
        text = await opened(app, "Budget")
        assert "Budget $41.20 of $50.00" in text and "82 %, near its limit" in text and "resets on" in text
        assert "Spend $7.00" in text
        small.users["ada"]["spend"] = 55.0
        await app.press("R")
        await app.see("$55.00 of $50.00")
        assert "110 %, over its limit" in app.text()


async def test_while_it_is_read_words_say_so_and_nothing_moves(small: DemoGateway) -> None:
    used(small)
    held = Held(small)
    async with running(small, user="ada") as app:
        await opened(app, "reading the usage of the last 30 days …")
        held.let_go()
        await app.see("Spend $1.00")
        assert "reading" not in app.text()


class Held:
    """Holds the next usage call back; `stopped` says that it was cancelled meanwhile."""

    def __init__(self, gateway: DemoGateway, path: str = "/user/daily/activity") -> None:
        self._go = asyncio.Event()
        self.stopped = False
        gateway.intercept("GET", path, self._wait)

    async def _wait(self, request: httpx.Request) -> None:
        try:
            await self._go.wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise

    def let_go(self) -> None:
        self._go.set()


async def test_another_period_or_screen_stops_the_reading(small: DemoGateway) -> None:
    used(small)
    used(small, TODAY - timedelta(days=10), spend=2.0)
    first, second = Held(small), None
    async with running(small, key="sk-laptop-0123456789") as app:
        await opened(app, "reading the usage of the last 30 days …")
        await app.press("w")
        await app.see("Spend $1.00")
        assert first.stopped
        second = Held(small, "/user/daily/activity/export")
        await app.press("Q")
        await app.see("of 4 months, esc stops")
        await app.press("1")
        await app.until(lambda: second.stopped, "the call to be stopped")
        await opened(app, "Spend $3.00")


async def test_help_in_front_does_not_stop_the_reading(small: DemoGateway) -> None:
    used(small)
    held = Held(small)
    async with running(small, key="sk-laptop-0123456789") as app:
        await opened(app, "reading")
        await app.press("question_mark")
        await app.see("This screen")
        held.let_go()
        await app.until(lambda: held_done(app), "the answer")
        await app.press("escape")
        await app.see("Spend $1.00")
        assert not held.stopped and len(asked_to_today(small)) == 1


def held_done(app: Driver) -> bool:
    screen = app.app.screen_stack[0]
    return isinstance(screen, UsageScreen) and screen.report is not None


async def test_no_requests(small: DemoGateway) -> None:
    async with running(small, user="ada") as app:
        await opened(app, "No requests in these days.")
        assert "Share" not in app.text()
        assert "Budget $41.20 of $50.00" in app.text()
        used(small, TODAY - timedelta(days=60), spend=4.0)
        await app.press("right_square_bracket")
        await app.see("Spend $4.00")
        await app.press("left_square_bracket")
        await app.see("No requests in these days.")


async def test_days_with_failures_alone_say_what_can_be_seen(small: DemoGateway) -> None:
    used(small, spend=0.0, api_requests=3, successful_requests=0, failed_requests=3)
    async with running(small, user="ada") as app:
        text = await opened(app)
        assert "Failed 3, 100 %" in text and "No spend in these days. c shows the requests." in text
        assert "!3" in app.row("gpt-4o") and "$0.00" in app.row("gpt-4o")
        await app.press("c")
        await app.see("Requests a day")


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("grafana-readonly", "This session's key is limited to read_only and may not see usage."),
        ("vector-index", "This key may call models only (key_type llm_api)."),
    ],
)
async def test_a_key_that_may_not_see_usage_is_told_why_and_sends_nothing(
    world: DemoGateway, alias: str, reason: str
) -> None:  # S44
    async with running(world, key=key_of(world, alias)) as app:
        await opened(app, reason[:60])
        await app.press("R", "w", "o", "v", "c", "slash", "s")
        await app.pilot.pause()
        assert asked(world) == []
        assert reason in app.toasts()
        assert all(call.status == 200 for call in world.calls if "/key/info" not in call.path)


async def test_a_key_of_nobody_is_not_tried_on_a_release_that_refuses_it(small: DemoGateway) -> None:  # S44
    small.add_key("sk-nobody-0123456789", key_alias="lost")
    async with running(small, key="sk-nobody-0123456789") as app:
        await opened(app, "This key belongs to no user")
        assert asked(small) == []


async def test_a_key_of_nobody_sees_its_own_on_an_old_release() -> None:  # S44
    gw = DemoGateway(now=NOW, version="1.83.0")
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key("sk-laptop-0123456789", key_alias="laptop", user_id="ada")
    gw.add_key("sk-nobody-0123456789", key_alias="lost")
    used(gw, spend=5.0)
    gw.add_usage(date="2026-11-20", user_id=None, api_key=hash_of(gw, "lost"), model="openai/gpt-4o", spend=2.0)
    async with running(gw, key="sk-nobody-0123456789") as app:
        assert "Spend $2.00" in await opened(app, "Usage of key lost")


async def test_the_old_numbers_stay_with_age_and_reason_when_the_gateway_is_gone(small: DemoGateway) -> None:
    used(small)
    async with running(small, user="ada") as app:
        await opened(app, "Spend $1.00")
        small.intercept("GET", "*", httpx.ConnectError("refused"), times=-1)
        await app.press("R")
        await app.see("refuses the connection")
        assert "Showing 10:00 UTC. R tries again; next try at 10:00:20." in " ".join(app.text().split())
        assert "Spend $1.00" in app.text() and "gpt-4o" in app.text()


async def test_the_first_reading_fails_and_is_tried_again(small: DemoGateway) -> None:
    used(small)
    small.intercept("GET", "/user/daily/activity", httpx.Response(500, json={"error": {"message": "no database"}}), 2)
    async with running(small, key="sk-laptop-0123456789") as app:
        await opened(app, "no database R tries again.")
        small._interceptions.clear()
        await app.press("R")
        await app.see("Spend $1.00")


async def test_an_admin_sees_everyone_and_a_team(world: DemoGateway) -> None:  # S37
    everyone = rows_of(world, 30, lambda row: True)
    team = rows_of(world, 30, lambda row: row["team_id"] == "team-platform")
    async with running(world, size=(100, 30)) as app:
        await opened(app, "Usage of everyone")
        await app.see(f"Spend {money(total(everyone, 'spend'))} ")
        says_totals(app.text(), everyone)
        assert "Budget" not in app.text()
        await app.press("o")
        await app.see("Whose usage?")
        await app.press("down", "enter")
        await app.see(f"Spend {money(total(team, 'spend'))} ")
        says_totals(app.text(), team)
        assert "Usage of team platform" in app.text()
        assert f"Budget {money(world.teams['team-platform']['spend'])} of $800.00" in app.text()


async def test_a_member_is_told_that_a_team_is_shown_in_part(world: DemoGateway) -> None:
    async with running(world, key=key_of(world, "laptop")) as app:
        await opened(app)
        await app.press("o")
        await app.see("Whose usage?")
        await app.press("G", "enter")
        await app.see("Usage of team research")
        await app.see("No requests")
        await app.press("Q")
        assert "research" in app.text()


async def test_whose_is_not_offered_where_there_is_no_choice(small: DemoGateway) -> None:  # S44
    small.add_user(user_id="bob", user_role="internal_user")
    small.add_key("sk-bob-0123456789", key_alias="bobs", user_id="bob")
    async with running(small, key="sk-bob-0123456789") as app:
        await opened(app, "No requests")
        await app.press("o")
        assert "only an admin sees everyone's" in app.toasts()


async def test_a_report_is_kept_for_a_minute_and_r_asks_anew(small: DemoGateway) -> None:
    used(small)
    async with running(small, key="sk-laptop-0123456789") as app:
        await opened(app, "Spend $1.00")
        await app.press("w")
        await app.until(lambda: len(asked_to_today(small)) == 2 and "[7d]" in app.text())
        await app.press("m", "1", "3")
        await app.see("[30d]")
        assert len(asked_to_today(small)) == 2
        used(small, spend=2.0)
        await app.press("R")
        await app.see("Spend $3.00")
        assert len(asked_to_today(small)) == 3
        small.clock = lambda: NOW + timedelta(seconds=61)
        held = Held(small)
        await app.press("w")
        await app.see("reading again")
        assert "Spend $1.00" in app.text()
        held.let_go()
        await app.see("as of 10:01")
        assert "Spend $3.00" in app.text()


async def test_a_new_day_is_not_yesterdays_report(small: DemoGateway) -> None:  # S20
    used(small)
    late = datetime(2026, 11, 20, 23, 59, 45, tzinfo=UTC)
    small.clock = lambda: late
    async with running(small, key="sk-laptop-0123456789") as app:
        await opened(app)
        await app.press("t")
        await app.see("[Today]")
        await app.see("Spend $1.00")
        small.clock = lambda: late + timedelta(seconds=30)
        await app.press("1", "3")
        await app.see("No requests in these days.")


async def test_the_chart_stacks_what_the_rows_of_each_day_and_model_come_to(world: DemoGateway) -> None:  # S21
    rows = rows_of(world, 30, lambda row: row["user_id"] == ADA)
    async with running(world, key=key_of(world, "laptop")) as app:
        await opened(app)
        screen = app.app.screen
        assert isinstance(screen, UsageScreen) and screen.report
        usage = screen.report.usage
        series = spend_by_model(usage, spans(usage.start, usage.end, "day"))
        assert len(series) == 6 and series[-1].rest
        days = grouped(rows, "date")
        for number, row in enumerate(screen.report.usage.daily):
            drawn = sum(each.values[number] for each in series)
            assert drawn == pytest.approx(total(days[row.date.isoformat()], "spend"))
        sonnet = [row for row in rows if row["model_group"] == "claude-sonnet-4-5"]
        named = next(each for each in series if each.name == "claude-sonnet-4-5")
        assert sum(named.values) == pytest.approx(total(sonnet, "spend"))


async def test_charts_in_turn(world: DemoGateway) -> None:
    async with running(world, key=key_of(world, "laptop")) as app:
        text = await opened(app, "Spend a day")
        assert "claude-sonnet-4-5" in text and "other" in text and "c requests" in text
        await app.press("c")
        assert "all requests" in await app.see("Requests a day")
        await app.press("c")
        assert "cache read" in await app.see("Tokens a day")
        await app.press("c")
        assert "counted" in await app.see("Spend added up")
        await app.press("c")
        await app.gone("Spend added up")
        await app.press("c")
        await app.see("claude-sonnet-4-5   ")
        await app.press("t")
        await app.see("[Today]")
        await app.gone("Spend a day")
        await app.press("c")
        assert "One day makes no chart" in app.toasts()


async def test_sort_and_reverse(small: DemoGateway) -> None:
    used(small, model="openai/gpt-4o", spend=1.0, api_requests=5)
    used(small, model="anthropic/claude", spend=3.0, api_requests=1)
    used(small, model="mistral/zeta", spend=2.0, api_requests=9)

    def order(app: Driver) -> list[str]:
        return [line.split()[0] for line in table(app.text())]

    async with running(small, user="ada") as app:
        await opened(app, "gpt-4o")
        assert order(app) == ["claude", "zeta", "gpt-4o"]
        await app.press("S")
        assert order(app) == ["gpt-4o", "zeta", "claude"]
        await app.press("s", "s")
        assert "Request▼" in app.text() or "Requests ▼" in app.text()
        assert order(app) == ["zeta", "gpt-4o", "claude"]
        await app.pilot.click("#by-model", offset=(2, 0))
        await app.pilot.pause()
        assert order(app) == ["claude", "gpt-4o", "zeta"]


async def test_filter_no_match_and_clear(small: DemoGateway) -> None:
    used(small, model="openai/gpt-4o")
    used(small, model="anthropic/claude", spend=3.0)
    async with running(small, user="ada") as app:
        await opened(app, "gpt-4o")
        await app.press("slash")
        await app.type("clau")
        await app.see("1 of 2 match")
        assert len(table(app.text())) == 1 and "Spend $4.00" in app.text()
        await app.type("x")
        await app.see("No model matches “claux”. esc clears the filter.")
        await app.press("escape")
        await app.until(lambda: len(table(app.text())) == 2)


async def test_a_single_key_press_moves_in_the_table_after_loading(small: DemoGateway) -> None:
    used(small, model="openai/gpt-4o")
    used(small, model="anthropic/claude", spend=3.0)
    async with running(small, user="ada") as app:
        await opened(app, "gpt-4o")
        await app.press("j")
        screen = app.app.screen
        assert isinstance(screen, UsageScreen) and screen._table().current == "openai/gpt-4o"
        await app.press("right")
        await app.see("[90d]")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 50)])
async def test_sizes(world: DemoGateway, size: tuple[int, int]) -> None:
    async with running(world, key=key_of(world, "laptop"), size=size) as app:
        text = await opened(app, "Spend a day")
        assert len(table(text)) >= 4
        rows = rows_of(world, 30, lambda row: row["user_id"] == ADA)
        assert f"Spend {money(total(rows, 'spend'))} " in text
        assert f"{short_count(total(rows, 'prompt_tokens') + total(rows, 'completion_tokens'))}" in text
        assert "[30d]" in text and "? help" in text
        assert "$/1k" in text or size[0] == 60
        assert ("Cached" in text) == (size[0] == 200)


async def test_the_chart_gives_way_before_the_table_does(world: DemoGateway) -> None:
    async with running(world, key=key_of(world, "laptop"), size=(80, 15)) as app:
        text = await opened(app, "[Model]")
        assert "Spend a day" not in text and "c requests" not in text
        assert len(table(text)) >= 4
        await app.pilot.resize_terminal(80, 24)
        await app.see("Spend a day")


async def test_hostile_names_are_shown_harmless(small: DemoGateway) -> None:
    for number, name in enumerate(["openai/[red]x[/red]", "openai/\x1b]52;c;aGk=\x07evil", "openai/[/x]", "a" * 300]):
        used(small, model=name, spend=1.0 + number)
    small.keys[hash_of(small, "laptop")]["key_alias"] = "[@click=app.quit]go[/]\x1b[2J\u202e"
    small.teams["t-core"]["team_alias"] = "[bold]core\n\x1b[31m"
    async with running(small, user="ada") as app:
        text = await opened(app, "[red]x[/red]")
        assert "[/x]" in text and "\x1b" not in text and "\x07" not in text
        assert all(len(line) == 80 for line in text.splitlines())
        await app.press("v")
        text = await app.see("[@click=app.quit]go[/]")
        assert "\u202e" not in text and "\x1b" not in text
        await app.press("o")
        await app.see("team [bold]core")
        await app.press("down", "down", "enter")
        await app.see("team [bold]core")
        assert "\x1b" not in app.text()


async def test_read_only_sees_all_of_it(small: DemoGateway) -> None:
    used(small)
    async with running(small, user="ada", read_only=True) as app:
        text = await opened(app, "Spend $1.00")
        assert "READ-ONLY" in text


async def test_notes_of_an_old_release_are_shown() -> None:  # S24
    gw = DemoGateway(now=NOW, version="1.74.0")
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key("sk-laptop-0123456789", key_alias="laptop", user_id="ada")
    used(gw)
    async with running(gw, user="ada") as app:
        await opened(app, "This release cannot narrow usage")
        assert "Spend $1.00" in app.text()
