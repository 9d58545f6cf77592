"""Long ranges, comparisons, narrowing and budgets on the usage screen, as a person reads them."""

import asyncio
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.screens.driver import Driver, running
from tests.screens.test_usage_screen import asked, hash_of, opened, table, used
from tui.demo import DemoGateway
from tui.formatting import count, money
from tui.reports import Reports
from tui.screens.usage import UsageBody, UsageScreen
from tui.usage_cache import UsageCache
from tui.widgets.chart import Chart

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
LAPTOP = "sk-laptop-0123456789"


@pytest.fixture
def small() -> DemoGateway:
    """Ada with two keys, nothing used yet."""
    gw = DemoGateway(now=NOW)
    gw.add_user(user_id="ada", user_role="internal_user", max_budget=50.0, budget_duration="30d", spend=41.2)
    gw.add_key(LAPTOP, key_alias="laptop", user_id="ada")
    gw.add_key("sk-ci-0123456789", key_alias="ci", user_id="ada")
    return gw


@pytest.fixture
def year(small: DemoGateway) -> DemoGateway:
    """A row a day for thirteen months and more: a dollar times the month's number."""
    for ago in range(420):
        day = TODAY - timedelta(days=ago)
        used(small, day, spend=float(day.month), api_requests=day.month)
    return small


def rows_between(gateway: DemoGateway, first: date, last: date) -> list[dict[str, Any]]:
    return [row for row in gateway.usage_rows if first.isoformat() <= row["date"] <= last.isoformat()]


def spend(rows: list[dict[str, Any]]) -> float:
    return float(sum(row["spend"] for row in rows))


def keep(app: Driver, folder: Path) -> UsageCache:
    """Let the app keep closed months in files, as it does with a real gateway."""
    workspace = app.app.workspace
    assert workspace
    cache = UsageCache(folder, "https://llm.example.com", "ada")
    workspace.reports = Reports(workspace.session, workspace.clock, cache)
    return cache


class Months:
    """Holds back every usage call but those of the months that were let through."""

    def __init__(self, gateway: DemoGateway) -> None:
        self.through: set[str] = set()
        self.waiting = self.stopped = 0
        self.gone = False
        self._changed = asyncio.Event()
        gateway.intercept("GET", "/user/daily/activity*", self._wait, times=-1)

    async def _wait(self, request: httpx.Request) -> None:
        while not self.gone and request.url.params["start_date"][:7] not in self.through:
            self._changed.clear()
            self.waiting += 1
            try:
                await self._changed.wait()
            except asyncio.CancelledError:
                self.stopped += 1
                raise
            finally:
                self.waiting -= 1
        if self.gone:
            raise httpx.ConnectError("refused")

    def go(self) -> None:
        """The gateway goes away, with the calls that wait."""
        self.gone = True
        self._changed.set()

    def let(self, *months: str) -> None:
        self.through.update(months)
        self._changed.set()


async def test_a_year_is_the_sum_of_its_rows_in_bars_of_months(year: DemoGateway) -> None:  # S20-S22
    rows = rows_between(year, date(2025, 12, 1), TODAY)
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        await app.press("Y")
        text = await app.see(f"Spend {money(spend(rows))} ")
        assert "[12m]" in text and "Spend a month" in text
        assert f"Requests {count(sum(row['api_requests'] for row in rows))} " in text
        await app.press("v", "v")
        await app.see("[Day]")
        screen = app.app.screen
        assert isinstance(screen, UsageScreen) and screen.report
        assert len(screen.report.usage.daily) == (TODAY - date(2025, 12, 1)).days + 1


async def test_months_fill_the_screen_as_they_come_and_esc_stops(year: DemoGateway, tmp_path: Path) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        await opened(app)
        months = Months(year)
        await app.press("Y")
        await app.see("reading: 0 of 12 months, esc stops")
        months.let("2026-11", "2026-10")
        await app.see("2 of 12 months, esc stops")
        so_far = spend(rows_between(year, date(2026, 10, 1), TODAY))
        await app.see(f"Spend so far {money(so_far)} ")
        months.let("2026-09")
        await app.see("3 of 12 months")
        await app.press("escape")
        text = await app.see("Stopped at 3 of 12 months: the sums are of a part alone. R reads on.")
        assert "Spend so far" in text
        stopped = len(asked(year))
        months.let(*{row["date"][:7] for row in year.usage_rows})
        await app.press("R")
        await app.see(f"Spend {money(spend(rows_between(year, date(2025, 12, 1), TODAY)))} ")
        again = [call.params.get("start_date", "")[:7] for call in asked(year)[stopped:]]
        assert "2025-12" in again and "2026-09" not in again and "2026-10" not in again


async def test_a_kept_year_is_drawn_at_once_with_its_age_and_asked_anew(year: DemoGateway, tmp_path: Path) -> None:
    whole = money(spend(rows_between(year, date(2025, 12, 1), TODAY)))
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        await opened(app)
        await app.press("Y")
        await app.see(f"Spend {whole} ")
    used(year, spend=100.0)
    year.clock = lambda: NOW + timedelta(hours=3)
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        months, before = Months(year), len(asked(year))
        await app.press("3", "Y")
        text = await app.see("kept from 10:00 UTC; reading")
        assert f"Spend {whole} " in text
        months.let("2026-11")
        await app.see(f"Spend {money(spend(rows_between(year, date(2025, 12, 1), TODAY)))} ")
        assert {call.params["start_date"][:7] for call in asked(year)[before:] if call.status} == {"2026-11"}
        assert "kept" not in app.text()


async def test_each_total_stands_beside_as_many_days_before(small: DemoGateway) -> None:
    used(small, spend=6.0, api_requests=30, prompt_tokens=900, completion_tokens=100)
    used(small, TODAY - timedelta(days=31), spend=5.0, api_requests=40, prompt_tokens=900, completion_tokens=100)
    used(small, TODAY - timedelta(days=61), spend=99.0)
    async with running(small, key=LAPTOP, size=(110, 30)) as app:
        await opened(app)
        await app.see("Spend $6.00 ▲20 %")
        assert "Requests 30 ▼25 %" in app.text() and "Tokens 1k =" in app.text()
        await app.press("w")
        await app.see("Spend $6.00 new")


async def test_where_a_report_costs_many_calls_the_days_before_are_asked_for_by_hand() -> None:
    gw = DemoGateway(now=NOW, version="1.74.0")
    gw.add_user(user_id="ada", user_role="internal_user")
    gw.add_key(LAPTOP, key_alias="laptop", user_id="ada")
    for ago in range(60):
        for model in range(600):
            used(gw, TODAY - timedelta(days=ago), model=f"openai/m{model}", spend=0.01)
    async with running(gw, key=LAPTOP, size=(110, 30)) as app:
        await opened(app, "Spend $180.00")
        text = await app.see("p compares with the days before, in about")
        assert "Spend $180.00  " in text
        await app.press("p")
        await app.see("Spend $180.00 =")
        assert "p compares" not in app.text()


async def test_enter_narrows_the_whole_screen_and_esc_widens(small: DemoGateway) -> None:
    used(small, spend=4.0, model="openai/gpt-4o", api_requests=8)
    used(small, spend=2.0, model="gpt-4o", api_requests=2)
    used(small, spend=1.0, model="anthropic/claude", api_requests=1)
    used(small, alias="ci", spend=8.0, model="openai/gpt-4o", api_requests=5)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $15.00")
        await app.press("enter")
        text = await app.see("me › model gpt-4o")
        await app.see("Spend $14.00")
        text = app.text()
        assert "by [Key] │ Day" in text and "claude" not in text
        assert "Requests 15" in text
        lines = table(text)
        assert "ci" in lines[0] and "$8.00" in lines[0] and "laptop" in lines[1] and "$6.00" in lines[1]
        await app.press("j", "enter")
        await app.see("me › model gpt-4o › key laptop")
        await app.see("Spend $6.00")
        await app.press("enter")
        assert "as narrow as it goes" in app.toasts()
        await app.press("escape")
        await app.see("Spend $14.00")
        assert app.row("laptop").lstrip().startswith("laptop")
        await app.press("escape")
        await app.see("Spend $15.00")
        assert "›" not in app.text()


async def test_a_day_narrows_to_its_rows(small: DemoGateway) -> None:  # S20
    used(small, TODAY - timedelta(days=3), spend=2.0)
    used(small, TODAY - timedelta(days=2), spend=5.0, model="anthropic/claude")
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $7.00")
        await app.press("v", "v", "j", "j", "enter")
        text = await app.see("day Wed 18 Nov")
        await app.see("Spend $5.00")
        text = app.text()
        assert "claude" in text and "gpt-4o" not in text and "Day" not in text.split("by ")[1].splitlines()[0]


async def test_requests_of_no_known_key_say_that_there_is_no_more(small: DemoGateway) -> None:
    small.add_usage(date=TODAY.isoformat(), user_id="ada", api_key="", model="openai/gpt-4o", spend=1.0)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $1.00")
        await app.press("v")
        await app.see("no key")
        calls = len(asked(small))
        await app.press("enter")
        assert "LiteLLM does not say more" in app.toasts() and len(asked(small)) == calls


async def test_any_two_dates(small: DemoGateway) -> None:  # S20
    used(small, date(2026, 3, 1), spend=3.0)
    used(small, date(2026, 3, 5), spend=4.0)
    used(small, date(2026, 3, 6), spend=8.0)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "No requests")
        await app.press("D")
        await app.see("Usage of which days?")
        await app.press(*["backspace"] * 12)
        await app.type("1.3.26")
        await app.press("enter")
        await app.see("A day is written as 2026-11-01")
        await app.press(*["backspace"] * 12)
        await app.type("2026-03-01")
        await app.press("tab", *["backspace"] * 12)
        await app.type("2026-02-01")
        await app.press("enter")
        await app.see("The last day is before the first.")
        await app.press(*["backspace"] * 12)
        await app.type("2026-03-05")
        await app.press("enter")
        text = await app.see("Spend $7.00")
        assert "[1 Mar–5 Mar]" in text


async def test_the_chart_on_the_full_screen(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP) as app:
        await opened(app, "Spend a day")
        await app.press("f")
        await app.gone("Share")
        assert "Spend a day" in app.text()
        await app.press("c")
        await app.see("Requests a day")
        await app.press("escape")
        await app.see("Share")


async def test_bars_of_days_and_weeks(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP) as app:
        await opened(app, "Spend a day")
        await app.press("b")
        await app.see("Spend a week")
        await app.press("b")
        await app.see("Spend a day")
        await app.press("w", "b")
        assert "shown by day" in app.toasts()


async def test_charts_of_tokens_and_of_the_calendar(year: DemoGateway) -> None:
    used(year, spend=1.0, prompt_tokens=1000, cache_read_input_tokens=400, cache_creation_input_tokens=100)
    async with running(year, key=LAPTOP, size=(100, 36)) as app:
        await opened(app, "Spend a day")
        await app.press("c", "c")
        text = await app.see("Tokens a day")
        assert "cache read" in text and "cache creation" in text and "completion" in text
        await app.press("Y")
        await app.see("Tokens a month")
        await app.press("c", "c")
        text = await app.see("Mon")
        assert "Dec" in text and "Nov" in text


async def test_what_the_cache_saved_is_said_at_list_prices(small: DemoGateway) -> None:
    model = next(
        (each for each in DemoGateway.believable(now=NOW).models if each.price_cache_read and each.price_in), None
    )
    assert model and model.price_in and model.price_cache_read
    small.models.append(model)
    name = small.stored_name(model)
    used(small, model=name, prompt_tokens=2_000_000, cache_read_input_tokens=1_000_000)
    async with running(small, key=LAPTOP, size=(100, 36)) as app:
        await opened(app, "Spend $1.00")
        await app.see(f"saved {money((model.price_in - model.price_cache_read) * 1_000_000)} at list prices")
        assert "1M of 2M prompt tokens read" in app.text()


# What the issue names


async def test_a_budget_that_began_anew_inside_the_range(small: DemoGateway) -> None:  # S25
    small.users["ada"].update(spend=9.0, max_budget=20.0, budget_duration="7d", budget_reset_at="2026-11-23T00:00:00Z")
    for ago in range(14):
        used(small, TODAY - timedelta(days=ago), spend=1.8)
    async with running(small, user="ada", size=(110, 36)) as app:
        text = await opened(app, "Budget $9.00 of $20.00")
        assert "at $1.80 a day" in text and "by the reset on 23 Nov" in text and "mean of 4 full days" in text
        await app.press("c", "c", "c")
        text = await app.see("Spend added up")
        assert "reset" in text and "counted" in text


async def test_a_budget_that_ends_early_is_warned_of(small: DemoGateway) -> None:
    small.users["ada"].update(spend=41.2, budget_reset_at="2026-12-01T00:00:00Z")
    for ago in range(20):
        used(small, TODAY - timedelta(days=ago), spend=2.06)
    async with running(small, user="ada", size=(80, 24)) as app:
        text = await opened(app, "Budget $41.20 of $50.00")
        assert "at $2.06 a day it ends on 24 Nov" in text and "early !" in text
        assert "mean of 7 full days" in text


async def test_no_forecast_from_two_days(small: DemoGateway) -> None:
    small.users["ada"].update(budget_reset_at="2026-12-01T00:00:00Z")
    used(small, TODAY - timedelta(days=1), spend=3.0)
    async with running(small, user="ada", size=(110, 30)) as app:
        await opened(app, "Spend $3.00")
        await app.press("D")
        await app.see("Usage of which days?")
        await app.press(*["backspace"] * 12)
        await app.type("2026-11-18")
        await app.press("enter")
        await app.see("[18 Nov–20 Nov]")


async def test_a_user_without_a_budget(small: DemoGateway) -> None:
    small.users["ada"].update(max_budget=None, budget_duration=None, spend=7.0)
    used(small, spend=7.0)
    async with running(small, user="ada", size=(80, 24)) as app:
        text = await opened(app, "Budget no limit; $7.00 counted")
        assert "forecast" not in text and "ends" not in text
        await app.press("c", "c", "c")
        text = await app.see("spent so far")
        assert "budget" not in text.split("Spend added up")[1].splitlines()[0]


async def test_a_key_deleted_last_month_keeps_its_row(small: DemoGateway) -> None:  # S23
    used(small, TODAY - timedelta(days=25), alias="ci", spend=3.0)
    gone = hash_of(small, "ci")
    del small.keys[gone]
    used(small, spend=1.0)
    async with running(small, user="ada", size=(100, 30)) as app:
        await opened(app, "Spend $4.00")
        await app.press("v")
        await app.see("[Key]")
        lines = table(app.text())
        assert "$3.00" in lines[0] and (lines[0].startswith(gone[:8]) or lines[0].startswith("ci"))
        await app.press("enter")
        await app.see("Spend $3.00")


async def test_a_model_without_a_price_is_not_free(small: DemoGateway) -> None:  # S13
    used(small, spend=0.0, model="openai/in-house", api_requests=5)
    async with running(small, user="ada", size=(100, 30)) as app:
        text = await opened(app, "Spend $0.00")
        assert "No spend in these days. c shows the requests." in text
        line = app.row("in-house")
        assert "$0.00" in line and "5" in line


async def test_a_day_of_failures_alone_counts_and_costs_nothing(small: DemoGateway) -> None:
    used(small, TODAY - timedelta(days=1), spend=0.0, api_requests=4, successful_requests=0, failed_requests=4)
    used(small, spend=2.0, api_requests=4)
    async with running(small, user="ada", size=(100, 30)) as app:
        text = await opened(app, "Spend $2.00")
        assert "Failed 4, 50.0 %" in text
        await app.press("v", "v")
        await app.see("[Day]")
        assert "!4" in app.row("Thu 19 Nov") and "$0.00" in app.row("Thu 19 Nov")


async def test_nothing_at_all_in_a_year(small: DemoGateway) -> None:
    async with running(small, user="ada", size=(80, 24)) as app:
        await opened(app, "No requests in these days.")
        await app.press("Y")
        await app.see("[12m]")
        text = await app.see("No requests in these days.")
        assert "Share" not in text and "%" not in text.split("Budget")[0]


async def test_a_damaged_file_of_the_cache_is_told_and_read_again(year: DemoGateway, tmp_path: Path) -> None:
    whole = money(spend(rows_between(year, date(2025, 12, 1), TODAY)))
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        await opened(app)
        await app.press("Y")
        await app.see(f"Spend {whole} ")
    broken = next(path for path in tmp_path.iterdir() if path.name.endswith("2026-03.json"))
    broken.write_text(json.dumps({"schema": 1, "part": []}))
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        await opened(app)
        await app.press("Y")
        await app.see("A damaged file of the usage cache was discarded; 2026-03 is asked for again.")
        await app.see(f"Spend {whole} ")


async def test_the_provider_table_sums_models_by_provider(small: DemoGateway) -> None:
    rows = [("openai/gpt-4o", 4.0), ("openai/o3", 3.0), ("anthropic/claude", 2.0), ("mystery", 1.0)]
    for model, usd in rows:
        used(small, model=model, spend=usd)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $10.00")
        await app.press("v", "v", "v")
        await app.see("[Provider]")
        found = {line.split()[0]: line for line in table(app.text())}
        by: dict[str, float] = defaultdict(float)
        for model, usd in rows:
            by[model.partition("/")[0] if "/" in model else "unknown"] += usd
        assert {name: money(usd) in found[name] for name, usd in by.items()} == dict.fromkeys(by, True)
        await app.press("enter")
        await app.see("provider openai")
        await app.see("Spend $7.00")


async def test_leaving_while_months_are_read_stops_every_call(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        months = Months(year)
        await app.press("Y")
        await app.see("reading: 0 of 12")
        await app.until(lambda: months.waiting == 2, "two calls, and no more")
        await app.press("1")
        await app.until(lambda: months.stopped == 2, "the calls to be stopped")
        sent = len(asked(year))
        await app.press("2")
        await app.pilot.pause()
        assert len(asked(year)) == sent


async def test_the_chart_is_there_with_the_first_rows(small: DemoGateway) -> None:
    used(small)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        held = Months(small)
        await opened(app, "reading the usage of the last 30 days …")
        screen = app.app.screen
        assert isinstance(screen, UsageScreen)
        body, chart, draw = screen.query_one(UsageBody), screen.query_one(Chart), screen.draw
        shown: list[bool] = []

        def drawn() -> None:
            draw()
            if body.display:
                shown.append(chart.display)

        screen.draw = drawn  # type: ignore[method-assign]
        held.let("2026-10", "2026-11")
        await app.see("Spend a day")
        assert shown[0]


async def test_the_cursor_stays_on_the_first_row_until_it_is_moved(small: DemoGateway) -> None:
    for ago, models in ((0, "abc"), (20, "cba")):
        for place, model in enumerate(models):
            used(small, TODAY - timedelta(days=ago), model=f"openai/{model}", spend=(1 + ago) * (3.0 - place))
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        screen = app.app.screen
        assert isinstance(screen, UsageScreen)

        def under_cursor(model: str) -> bool:
            return screen._table().current == f"openai/{model}"

        await app.until(lambda: under_cursor("c"), "the largest of 30 days")
        await app.press("w")
        await app.until(lambda: under_cursor("a"), "the largest of 7 days")
        await app.press("j", "m")
        await app.see("Spend a day")
        await app.until(lambda: under_cursor("b"), "the row that the cursor was moved to")


async def test_a_large_count_of_failures_is_not_cut_to_another(small: DemoGateway) -> None:
    used(small, spend=2.0, api_requests=349_140, failed_requests=17_900)
    used(small, model="openai/few", api_requests=99_990, failed_requests=9_990)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        large, few = table(app.text())
        assert "!17.9k " in large and "!9,990 " in few


async def test_what_was_stopped_stays_so_when_help_was_in_front(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        months = Months(year)
        await app.press("Y")
        months.let("2026-11", "2026-10")
        await app.see("2 of 12 months, esc stops")
        await app.press("escape")
        await app.see("Stopped at 2 of 12 months")
        sent = len(asked(year))
        await app.press("question_mark")
        await app.see("This screen")
        await app.press("escape")
        await app.see("Stopped at 2 of 12 months")
        assert len(asked(year)) == sent


async def test_midnight_asks_for_the_new_day(small: DemoGateway) -> None:  # S20
    used(small)
    late = datetime(2026, 11, 20, 23, 59, 45, tzinfo=UTC)
    small.clock = lambda: late
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $1.00")
        used(small, TODAY + timedelta(days=1), spend=2.0)
        small.clock = lambda: late + timedelta(seconds=30)
        await app.press("v")
        await app.see("Spend $3.00")
        assert "2026-11-21" in [call.params["end_date"] for call in asked(small)]


async def test_a_gateway_that_goes_away_in_the_middle_says_how_much_is_shown(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        months = Months(year)
        await app.press("Y")
        months.let("2026-11", "2026-10")
        await app.see("2 of 12 months, esc stops")
        months.go()
        text = await app.see("refuses the connection")
        assert "Spend so far" in text
        shown = spend(rows_between(year, date(2026, 10, 1), TODAY))
        assert f"Spend so far {money(shown)} " in text
        assert "Showing a part of it, read 10:00 UTC." in " ".join(text.split())


async def test_today_is_not_held_against_the_whole_of_yesterday(small: DemoGateway) -> None:  # S20
    used(small, spend=1.0, api_requests=3)
    used(small, TODAY - timedelta(days=1), spend=8.0, api_requests=30)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        await app.press("t")
        text = await app.see("Spend $1.00 (yesterday $8.00)")
        assert "Requests 3 (30)" in text and "▼" not in app.row("Spend $1.00")


async def test_a_month_or_week_that_is_cut_short_is_named(year: DemoGateway) -> None:  # S20
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        await app.press("Y")
        await app.see("Spend a month, to 20 Nov ")
        await app.press("m", "b")
        await app.see("Spend a week, 22 Oct to 20 Nov ")
        await app.press("b")
        assert "Spend a day " in app.text()


async def test_what_was_read_on_another_day_says_so_in_the_heading(year: DemoGateway, tmp_path: Path) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        await opened(app)
        await app.press("Y")
        await app.see("[12m]")
        await app.see("as of 10:00 ")
    year.clock = lambda: NOW + timedelta(days=2)
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        keep(app, tmp_path)
        months = Months(year)
        await opened(app)
        await app.press("Y")
        await app.see("as of 20 Nov 10:00 ")
        assert "kept from 20 Nov 10:00 UTC; reading" in app.text()
        months.let("2026-10", "2026-11")
        await app.see("as of 10:00 ")


async def test_what_the_full_chart_hides_is_said_not_to_work(year: DemoGateway) -> None:
    async with running(year, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        await app.press("f")
        await app.gone("Share")
        assert "Spend a day" in app.text()
        for key in ("v", "slash", "s"):
            app.app.clear_notifications()
            await app.press(key)
            assert "The chart has the whole screen. f gives the table back." in app.toasts()
        await app.press("f")
        text = await app.see("Share")
        assert "[Model]" in text and "Spend ▼" in text


async def test_a_filter_does_not_find_digits_that_nobody_sees(small: DemoGateway) -> None:
    used(small)
    used(small, alias="ci", spend=2.0)
    laptop = hash_of(small, "laptop")
    digit = next(each for each in "0123456789abcdef" if each in laptop and each not in "laptop ci gpt-4o")
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app)
        await app.press("v", "slash")
        await app.type(digit)
        await app.see(f"No key matches “{digit}”")
        await app.press("escape", "slash")
        await app.type(laptop[:8])
        await app.see("1 of 2 match")
        assert [line.split()[0] for line in table(app.text())] == ["laptop"]


async def test_today_alone_says_nothing_of_a_forecast_until_longer_days_were_read(small: DemoGateway) -> None:
    for ago in range(10):
        used(small, TODAY - timedelta(days=ago), spend=2.0)
    held = Months(small)
    held.let("2026-11")
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "reading")
        await app.press("t")
        await app.see("[Today]")
        await app.see("Budget $41.20 of $50.00")
        assert "forecast" not in app.text() and " a day" not in app.text()
        held.let("2026-10")
        await app.press("m")
        await app.see("at $2.00 a day it ends on")
        await app.press("t")
        await app.see("[Today]")
        assert "at $2.00 a day it ends on" in app.text()


async def test_what_is_on_screen_is_written_as_it_is(
    small: DemoGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(small, spend=4.0, model="openai/gpt-4o")
    used(small, spend=2.0, model="anthropic/claude")
    used(small, spend=1.0, model="openai/o3")
    monkeypatch.chdir(tmp_path)
    async with running(small, key=LAPTOP, size=(100, 30)) as app:
        await opened(app, "Spend $7.00")
        await app.press("slash")
        await app.type("openai")
        await app.press("enter", "S", "x")
        await app.see("CSV · by model, 2 rows")
        await app.press("enter")
        await app.until(lambda: "Written" in app.toasts(), "the word that it is written")
    (written,) = tmp_path.iterdir()
    lines = written.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["model", "openai/o3", "openai/gpt-4o"]
    assert written.stat().st_mode & 0o777 == 0o600
