"""The usage screen: how much was spent and asked for, of whom, in which days, by model, key and day (S20-S26)."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui import keymap
from tui.export import contents
from tui.forecast import FEWEST_DAYS, MOST_DAYS, Forecast, NoForecast, forecast
from tui.formatting import harmless
from tui.gateway.errors import GatewayError
from tui.gateway.usage import Metrics, Usage, previous
from tui.reports import Report, refused, scopes
from tui.savings import providers, saved
from tui.screens import usage_text
from tui.screens.base import MainScreen
from tui.screens.choose_days import ChooseDays
from tui.screens.choose_scope import ChooseScope
from tui.screens.export import Export
from tui.screens.usage_choice import Choice, Wanted
from tui.screens.usage_figures import figure
from tui.screens.usage_period import PERIODS, Period, between
from tui.screens.usage_tables import VALUES, VIEWS, Item, Names, View, ordered, table_row
from tui.spans import spans
from tui.widgets.bars import Hint, Line
from tui.widgets.chart import Chart
from tui.widgets.table import RecordTable, Row, next_sort
from tui.workspace import Workspace

LEAST_ROWS = 4
"""Rows of the table that stay when the terminal is small; the chart gives way."""
LEAST_CHART, MOST_CHART = 5, 18
LINES_AROUND = 8
"""Lines above and below chart and table, about; right for the first drawing alone."""
ROOM_FOR_CACHE = 30
"""Lines of a terminal from which what the cache saved has a line of its own, whatever the chart."""
TABLE_ACTIONS = ("view", "filter", "sort", "reverse")
LEAST_HASH = 8
"""Characters of a key's hash that name it."""
CHEAP = 30
"""Calls up to which a report was cheap enough to ask unasked for the days before it too."""


class UsageTable(RecordTable):
    """A table in which left and right mean the period: its columns always fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "select_cursor", "narrow", show=False, id="usage.narrow", tooltip="Show only this row's usage"
        ),
        Binding("left", "screen.period(-1)", "earlier", show=False, id="usage.left", tooltip="The period before"),
        Binding("right", "screen.period(1)", "later", show=False, id="usage.right", tooltip="The next period"),
    ]

    def show(self, rows: Sequence[Row], *, sorted_by: str = "", reverse: bool = False) -> None:
        """As before, but a cursor that nobody moved stays on the first row, whichever that is now."""
        first = self.cursor_row <= 0
        super().show(rows, sorted_by=sorted_by, reverse=reverse)
        if first:
            self.move_cursor(row=0, animate=False)


class UsageBody(Vertical):
    """Chart, tabs and table; the chart takes half of the height and leaves the table its least rows."""

    class Shared(Message):
        """The height was shared out anew."""

    def on_resize(self, event: events.Resize) -> None:
        """Share the height out."""
        self.share_out()
        self.post_message(self.Shared())

    def share_out(self) -> None:
        """Set the chart's height for the present one; `-full` gives it everything."""
        chart = self.query_one(Chart)
        tabs_filter_header = 2 + int(self.query_one("#filter").display)
        # not laid out yet, it would have no room for a chart, which then came a moment after the table
        height = self.size.height or self.app.size.height - LINES_AROUND
        room = height - tabs_filter_header - LEAST_ROWS
        rows = max(0, min(MOST_CHART, height // 2, room))
        if self.has_class("-full"):
            rows = height
        chart.display = rows >= LEAST_CHART and not chart.has_class("-unwanted")
        chart.styles.height = max(rows, 1)


class UsageScreen(MainScreen):
    """One report at a time. Reading is a worker's; its messages alone change what is drawn."""

    CSS_PATH = ["base.tcss", "usage.tcss"]
    mode = "usage"
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket", "period(-1)", "period", id="usage.shorter", key_display="[", tooltip="Period before"
        ),
        Binding(
            "right_square_bracket", "period(1)", "period", id="usage.longer", key_display="]", tooltip="Next period"
        ),
        Binding("o", "scope", "whose", id="usage.scope", tooltip="Whose usage: mine, a user's, a team's, everyone's"),
        Binding("v", "view", "table", id="usage.view", tooltip="Table by model, key, day or provider"),
        Binding(
            "c", "chart", "chart", id="usage.chart", tooltip="Next chart: spend, requests, tokens, added up, calendar"
        ),
        Binding("f", "full", "full", id="usage.full", tooltip="The chart on the full screen, and back"),
        Binding("slash", "filter", "filter", id="usage.filter", tooltip="Show only rows that match"),
        Binding("x", "export", "export", id="usage.export", tooltip="Write what is shown to a file, CSV or JSON"),
        Binding("s", "sort", "sort", id="usage.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="usage.reverse", show=False, tooltip="Turn the order round"),
        Binding("b", "bars", "bars", id="usage.bars", show=False, tooltip="A bar for each day, week or month"),
        Binding("p", "compare", "compare", id="usage.compare", show=False, tooltip="Compare with as many days before"),
        Binding("t", "days('today')", "today", id="usage.today", show=False, tooltip="Today (UTC)"),
        Binding("w", "days('7d')", "7 days", id="usage.week", show=False, tooltip="The last 7 days"),
        Binding("m", "days('30d')", "30 days", id="usage.month", show=False, tooltip="The last 30 days"),
        Binding("Q", "days('90d')", "90 days", id="usage.quarter", show=False, tooltip="The last 90 days"),
        Binding("Y", "days('12m')", "12 months", id="usage.year", show=False, tooltip="The last 12 months"),
        Binding("M", "days('mtd')", "this month", id="usage.mtd", show=False, tooltip="This month to today"),
        Binding("D", "dates", "dates", id="usage.dates", show=False, tooltip="Any two dates"),
        Binding("escape", "back", "back", id="usage.back", show=False, tooltip="Clear the filter, stop reading, widen"),
    ]

    class Told(Message):
        """Something about the question `wanted` came."""

        def __init__(self, wanted: Wanted) -> None:
            super().__init__()
            self.wanted = wanted

    class Progressed(Told):
        """`done` of `total` months are there."""

        def __init__(self, wanted: Wanted, done: int, total: int) -> None:
            super().__init__(wanted)
            self.done, self.total = done, total

    class Arrived(Told):
        """Something to draw while the rest is read: what an earlier session kept, or the months read so far."""

        def __init__(self, wanted: Wanted, report: Report) -> None:
            super().__init__(wanted)
            self.report = report

    class Loaded(Told):
        """The answer: a report, or why there is none."""

        def __init__(self, wanted: Wanted, report: Report | None, error: GatewayError | None) -> None:
            super().__init__(wanted)
            self.report, self.error = report, error

    class Compared(Told):
        """The sums of as many days before, or why there are none; None for both: only names and prices came."""

        def __init__(self, wanted: Wanted, before: Metrics | None, error: GatewayError | None) -> None:
            super().__init__(wanted)
            self.before, self.error = before, error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._scopes = scopes(workspace.session)
        self._choice = Choice(self._scopes[0] if self._scopes else None)
        self._came_from = ""
        self._take_wanted()
        self._typing = False
        self._asking: Wanted | None = None
        self._progress = (0, 0)
        self._stopped: Wanted | None = None
        self._error: GatewayError | None = None
        self._stand_in: tuple[Wanted, Report] | None = None
        self._before: dict[Wanted, Metrics] = {}
        self._comparing: Wanted | None = None
        self._names_asked = False
        self._day = self.workspace.reports.today
        self._left = False

    def compose_body(self) -> Iterable[Widget]:
        """Whose and when, sums, budget; then chart and tables, or a sentence in their place."""
        yield Line(id="heading")
        yield Line(id="crumbs")
        yield Line(id="totals")
        yield Line(id="cache")
        yield Line(id="budget")
        with UsageBody(id="body"):
            yield Chart(empty=f"No spend in these days. {keymap.key('usage.chart')} shows the requests.")
            yield Line(id="tabs")
            field = Input(placeholder="a part of the name", id="filter", compact=True)
            field.cursor_blink = False
            yield field
            for view in VIEWS:
                yield UsageTable(view.columns, id=f"by-{view.id}")
            yield Line(id="nothing", classes="empty")
        yield Line(id="empty", classes="empty")

    def _take_wanted(self) -> bool:
        """From now on about whom another screen asked for; whether one did."""
        wanted = self.workspace.wanted.pop(self.mode, None)
        if wanted is None:
            return False
        scope, self._came_from = wanted
        known = next((each for each in self._scopes if (each.kind, each.id) == (scope.kind, scope.id)), None)
        if known is None:
            self._scopes.append(scope)
        self._choice.choose_scope(known or scope)
        return True

    def on_mount(self) -> None:
        """Draw at once, and ask."""
        self.ask()
        self.draw()

    # What is asked

    @property
    def wanted(self) -> Wanted | None:
        """The chosen usage as a question."""
        return self._choice.wanted(self.workspace.reports.today)

    @property
    def complete(self) -> Report | None:
        """The whole answer, where it is there."""
        wanted = self.wanted
        return self.workspace.reports.last(wanted.scope, wanted.start, wanted.end) if wanted else None

    @property
    def report(self) -> Report | None:
        """What is drawn: the answer, else what stands in for it meanwhile."""
        if found := self.complete:
            return found
        return self._stand_in[1] if self._stand_in and self._stand_in[0] == self.wanted else None

    @property
    def partial(self) -> bool:
        """Whether some of the months are missing from what is drawn."""
        report = self.report
        return report is not None and report is not self.complete and not report.cached

    def refusal(self) -> str | None:
        """Why the chosen usage cannot be seen; nothing is sent then (S44)."""
        return refused(self.workspace.session, self._choice.scope)

    def ask(self, *, anew: bool = False, refresh: bool = False) -> None:
        """Have the chosen report read, unless a young one is there or it is being read already; `draw` comes after.

        `anew` asks for a young one too, `refresh` also for the closed months that the cache holds.
        """
        wanted, kept, self._day = self.wanted, self.complete, self.workspace.reports.today
        if wanted is None or self.refusal():
            return
        if not anew and (self._asking == wanted or (kept and self.workspace.reports.fresh(kept))):
            if self._asking != wanted:
                self.cancel()
                if kept:
                    self._add(wanted, kept)
            return
        self.workers.cancel_group(self, "more")
        self._comparing = self._stopped = self._error = None
        self._asking, self._progress = wanted, (0, 0)
        self.load(wanted, refresh)

    def cancel(self) -> None:
        """Stop what is being read."""
        self._asking = self._comparing = None
        self.workers.cancel_group(self, "usage")
        self.workers.cancel_group(self, "more")

    @work(exclusive=True, group="usage")
    async def load(self, wanted: Wanted, refresh: bool) -> None:
        """Ask the gateway; the messages' handlers draw what came."""
        reports = self.workspace.reports

        def arrived(usage: Usage) -> None:
            self.post_message(self.Arrived(wanted, Report(wanted.scope, usage, None, self.workspace.clock())))

        def progressed(done: int, total: int) -> None:
            self.post_message(self.Progressed(wanted, done, total))

        try:
            days = wanted.scope, wanted.start, wanted.end
            if self.complete is None and (old := await reports.peek(*days)):
                self.post_message(self.Arrived(wanted, old))
            report = await reports.read(*days, progressed, refresh, arrived=arrived)
        except GatewayError as error:
            self.post_message(self.Loaded(wanted, None, error))
        else:
            self.post_message(self.Loaded(wanted, report, None))

    @on(Progressed)
    def on_progressed(self, event: Progressed) -> None:
        """Say how far it is."""
        if event.wanted == self._asking:
            self._progress = (event.done, event.total)
            self._say_status(self.report)

    @on(Arrived)
    def on_arrived(self, event: Arrived) -> None:
        """Draw it, unless something more complete is there."""
        if event.wanted != self._asking or self.complete:
            return
        if self._stand_in and self._stand_in[0] == event.wanted and self._stand_in[1].cached:
            return
        self._stand_in = (event.wanted, event.report)
        self.draw()

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Draw what came, where it is still what is wanted."""
        if event.wanted != self._asking:
            return
        self._asking, self._error = None, event.error
        if event.report:
            self.all_well()
            self._stand_in = None
            self._add(event.wanted, event.report)
        self.draw()

    def on_screen_suspend(self) -> None:
        """Leaving for another of the three screens stops the reading; a dialog in front does not."""
        self._left = self.app.current_mode != self.mode
        if self._left:
            self.cancel()

    def on_screen_resume(self) -> None:
        """Coming back goes on with it; what was stopped stays so while a dialog comes and goes."""
        if not self.is_mounted:
            return
        if self._take_wanted() or self._left:
            self._left = False
            self.ask()
        self.draw()

    # What stands beside the report

    def _add(self, wanted: Wanted, report: Report) -> None:
        """Have names and prices of the models read once, and the days before compared where that is cheap."""
        cheap = report.calls <= CHEAP and not report.usage.totals.empty and wanted not in self._before
        if cheap or not self._names_asked:
            self._comparing = wanted if cheap else None
            self.load_more(wanted, cheap)

    @work(exclusive=True, group="more")
    async def load_more(self, wanted: Wanted, compare: bool) -> None:
        """Ask for what stands beside the report."""
        failed, before = None, None
        if not self._names_asked and self.workspace.models is None:
            # the models screen says why it failed; here a price and a provider are unknown without it
            with suppress(GatewayError):
                await self.workspace.refresh_models()
        if compare:
            try:
                before = await self.workspace.reports.totals(wanted.scope, *previous(wanted.start, wanted.end))
            except GatewayError as error:
                failed = error
        self.post_message(self.Compared(wanted, before, failed))

    @on(Compared)
    def on_compared(self, event: Compared) -> None:
        """Draw what came."""
        self._names_asked = True
        if event.before:
            self._before[event.wanted] = event.before
        if event.wanted == self._comparing:
            self._comparing = None
        if event.error:
            again = keymap.key("usage.compare")
            self.tell(f"No comparison with the days before: {event.error} {again} tries again.", severity="warning")
        self.draw()

    def _forecast(self, wanted: Wanted, report: Report) -> Forecast | NoForecast | None:
        """When the budget ends at the present rate; None where these days cannot say."""
        reports, budget = self.workspace.reports, report.budget
        if budget is None or not budget.limit:
            return None
        rows = report.usage.daily
        if len(rows) <= MOST_DAYS or wanted.end != reports.today:
            # the last 30 days say the same rate whatever is on screen, where they were read
            longer = reports.last(wanted.scope, *PERIODS[2].days(reports.today))
            if longer is None and wanted.end != reports.today:
                return None
            if longer is None and len(rows) <= FEWEST_DAYS:
                # a day or two on screen are no reason to say that nothing can be said
                found = forecast(budget, [], self.workspace.clock())
                return found if isinstance(found, Forecast) else None
            rows = longer.usage.daily if longer else rows
        return forecast(budget, [(row.date, row.metrics.spend) for row in rows], self.workspace.clock())

    # What is drawn

    def data_age(self) -> str:
        """When the report was read."""
        return f"{self.report.at.astimezone():%H:%M}" if self.report else "–"

    def draw(self) -> None:
        """Bring everything up to what is known; nothing is sent where nothing differs."""
        if self._day != self.workspace.reports.today and not self._left:
            # midnight (UTC): the chosen days are others now
            self.ask()
        report, width, choice = self.report, self.app.size.width, self._choice
        label = choice.scope.label if choice.scope else self.workspace.session.about
        at = usage_text.time_of(report.at, self._day) if report else ""
        self.query_one("#heading", Line).show(usage_text.heading(label, choice.periods, choice.period, at, width))
        self._show_line("#crumbs", usage_text.crumbs(label, choice.steps))
        self._say_status(report)
        instead, wanted = self._instead(report), self.wanted
        ahead = self._forecast(wanted, report) if report and wanted else None
        budget = report.budget if report else None
        self._show_line("#budget", usage_text.budget_line(budget, ahead, self.workspace.clock(), width))
        totals = cache = Text()
        if report and wanted and not instead:
            sums = report.usage.totals
            before = None if self.partial else self._before.get(wanted)
            unfinished = wanted.start == self._day
            totals = usage_text.totals(sums, before, width, so_far=self.partial, unfinished=unfinished)
            if choice.chart == "tokens" or self.app.size.height >= ROOM_FOR_CACHE:
                models = self.workspace.models
                cache = usage_text.cache_line(sums, saved(report.usage, models) if models else None)
        self._show_line("#totals", totals)
        self._show_line("#cache", cache)
        self._show_line("#empty", Text(harmless(instead or "")))
        self.query_one("#body").display = not instead
        if report and wanted and not instead:
            self._draw_body(wanted, report, ahead)
        elif self.focused is not None and not isinstance(self.focused, Input):
            self.set_focus(None)
        self.refresh_bars()

    def _show_line(self, where: str, text: Text) -> None:
        line = self.query_one(where, Line)
        line.show(text)
        line.display = bool(text.plain)

    def _instead(self, report: Report | None) -> str | None:
        """The sentence that stands in place of chart and table."""
        refusal, wanted = self.refusal(), self.wanted
        if refusal:
            return refusal
        if report is None:
            if self._error:
                return self.said(self._error)
            if self._stopped == wanted:
                return f"Stopped. {keymap.key('screen.refresh')} reads it."
            return (
                f"reading the usage of {self._choice.period.words} …"
                if self._asking
                else f"Nothing read yet. {keymap.key('screen.refresh')} asks."
            )
        if report.usage.totals.empty and not self.partial:
            if self._choice.steps:
                widens, other = keymap.key("usage.back"), keymap.key("usage.longer")
                return f"No requests in these days. {widens} widens, {other} shows other days."
            if self._choice.period in PERIODS[:4]:
                return "No requests in these days. ] goes further back."
            return "No requests in these days."
        return None

    def _say_status(self, report: Report | None) -> None:
        done, total = self._progress
        stops = f"{keymap.key('usage.back')} stops"
        months = f"{done} of {total} months, {stops}" if total > 2 else stops if total else ""
        if report is None:
            self.set_status(f"reading: {months}" if self._asking and total > 2 else "")
            return
        when = f"{usage_text.time_of(report.at, self._day)} UTC"
        if self._error:
            self.say_stale(self._error, f"a part of it, read {when}" if self.partial else when)
        elif self._asking:
            reading = f"reading: {months}" if total > 2 else "reading …"
            if self.partial:
                self.set_status(reading)
            elif report.cached:
                self.set_status(f"kept from {when}; {reading}")
            else:
                self.set_status(f"reading again … shown is {when}" + (f"; {months}" if total > 2 else ""))
        elif self._stopped == self.wanted and report is not self.complete:
            # months that came last may not have been summed yet
            rest = "the sums are of a part alone. " if self.partial else ""
            self.set_status(
                f"Stopped at {done} of {total} months: {rest}{keymap.key('screen.refresh')} reads on."
                if rest
                else f"Kept from {when}. {keymap.key('screen.refresh')} reads it anew.",
                bad=True,
            )
        else:
            notes = [*report.usage.notes]
            wanted = self.wanted
            if wanted and report.calls > CHEAP and wanted not in self._before and self._comparing is None:
                notes.append(f"p compares with the days before, in about {report.calls} calls.")
            self.set_status(" ".join(notes))

    def _items(self, usage: Usage) -> list[Item]:
        models = self.workspace.models or []
        names = Names(self.workspace.team_label, providers(usage, models))
        return self._choice.view.items(usage, names)

    def _matching(self, items: list[Item]) -> list[Item]:
        """The rows that the filter leaves."""
        needle = self._choice.needle.casefold()
        return [item for item in items if not needle or _matches(item, needle, self._choice.view)]

    def _draw_body(self, wanted: Wanted, report: Report, ahead: Forecast | NoForecast | None) -> None:
        width, usage, choice = self.app.size.width, report.usage, self._choice
        body, chart = self.query_one(UsageBody), self.query_one(Chart)
        chart.set_class(wanted.start == wanted.end, "-unwanted")
        unit = choice.unit(wanted.start, wanted.end)
        # a budget counts all that its record spends: a part of it, or earlier days, do not add up to it
        whole = not wanted.scope.models and wanted.end == self.workspace.reports.today
        chart.show(
            figure(
                choice.chart,
                usage,
                spans(wanted.start, wanted.end, unit),
                unit,
                report.budget if whole else None,
                ahead if isinstance(ahead, Forecast) else None,
                self.workspace.clock(),
            )
        )
        full = choice.full and wanted.start != wanted.end
        body.set_class(full, "-full")
        body.share_out()
        every = self._items(usage)
        found = self._matching(every)
        note = f"{len(found)} of {len(every)} match “{choice.needle}”" if choice.needle else ""
        following = choice.chart_after(wanted.start, wanted.end) if chart.display else None
        self.query_one("#tabs", Line).show(usage_text.tabs(choice, note, following, width))
        sort, reverse = choice.order[choice.view.id]
        total, largest = usage.totals.spend, max((item.metrics.spend for item in every), default=0.0)
        rows = [table_row(item, total, largest) for item in ordered(found, sort, reverse)]
        for view in VIEWS:
            table = self._table(view)
            table.display = view is choice.view and bool(rows) and not full
            if view is choice.view:
                table.show(rows, sorted_by=sort, reverse=reverse)
        self.query_one("#tabs").display = not full
        self._show_line("#nothing", usage_text.no_rows(choice.view, choice.needle) if not rows else Text())
        if full:
            self.set_focus(None)
        elif rows and not self._typing and self.is_current:
            self._table().focus()

    def _table(self, view: View | None = None) -> UsageTable:
        return self.query_one(f"#by-{(view or self._choice.view).id}", UsageTable)

    @on(UsageBody.Shared)
    def on_shared(self) -> None:
        """Lines are laid out for the width, and name the chart only where there is room for one."""
        self.draw()

    def on_resize(self) -> None:
        """Lines are laid out for the width."""
        if self.is_mounted:
            self.draw()

    # Choosing

    def hints(self) -> list[Hint]:
        """Both brackets are one hint, and enter is one."""
        rest = [hint for hint in super().hints() if hint.label != "period"]
        off = self.refusal() is not None
        return [
            Hint(f"{keymap.key('usage.shorter')} {keymap.key('usage.longer')}", "period", off=off),
            Hint(keymap.key("usage.narrow"), "narrow", off=off or self._choice.full),
            *rest,
        ]

    def why_not(self, action: str) -> str | None:
        """Without the right to see usage, nothing on this screen is possible (S44)."""
        name = action.partition("(")[0].rpartition(".")[2]
        if name in ("back", "reload"):
            return None
        if refusal := self.refusal():
            return refusal
        wanted = self.wanted
        one_day = wanted is not None and wanted.start == wanted.end
        if name == "scope" and len(self._scopes) < 2 and not self.workspace.session.rights.sees_all:
            return "There is no other: you are in no team, and only an admin sees everyone's."
        if name in ("chart", "full", "bars") and one_day:
            return "One day makes no chart. ] shows more days."
        if name in TABLE_ACTIONS and self._choice.full and not one_day:
            return f"The chart has the whole screen. {keymap.key('usage.full')} gives the table back."
        if name == "bars" and wanted and len(self._choice.units(wanted.start, wanted.end)) < 2:
            return "A week and less is shown by day."
        if name == "export" and (self.report is None or self.partial):
            return "There is nothing whole to write yet."
        if name == "compare" and self.complete is None:
            return "There is nothing to compare yet."
        return None

    def action_period(self, step: int) -> None:
        """The next or the previous period."""
        periods = self._choice.periods
        where = periods.index(self._choice.period) + step
        if not self.refused("period") and 0 <= where < len(periods):
            self._choose_period(periods[where])

    def action_days(self, name: str) -> None:
        """A period by its name."""
        if not self.refused("days"):
            self._choose_period(next(period for period in PERIODS if period.id == name))

    @work(group="dialog")
    async def action_dates(self) -> None:
        """Any two days."""
        wanted, today = self.wanted, self.workspace.reports.today
        if self.refused("dates") or wanted is None:
            return
        chosen = await self.app.push_screen_wait(ChooseDays(wanted.start, wanted.end, today))
        if chosen:
            self._choose_period(between(*chosen, today))

    def _choose_period(self, period: Period) -> None:
        if period != self._choice.period or self.wanted is None:
            self._choice.choose_period(period)
            self._changed()

    def _changed(self) -> None:
        self._error = self._stopped = None
        if self.query_one("#filter").display and not self._choice.needle:
            self._close_filter()
        self.ask()
        self.draw()

    @work(group="dialog")
    async def action_scope(self) -> None:
        """Ask whose usage to show."""
        here = self._choice.scope
        if self.refused("scope") or here is None:
            return
        chosen = await self.app.push_screen_wait(ChooseScope(self.workspace, self._scopes, here, title="Whose usage?"))
        if chosen is not None and (chosen != here or self._choice.steps):
            if chosen not in self._scopes:
                self._scopes.append(chosen)
            self._choice.choose_scope(chosen)
            self._came_from = ""
            self._changed()

    @on(RecordTable.RowSelected)
    def on_narrow(self) -> None:
        """Show only what the row under the cursor sums."""
        report, current = self.report, self._table().current
        item = next((each for each in self._items(report.usage) if each.key == current), None) if report else None
        if item is None:
            return
        choice = self._choice
        if not item.known:
            self.tell("LiteLLM does not say more about these requests.", severity="warning")
        elif choice.narrowest:
            self.tell(f"This is as narrow as it goes. {keymap.key('usage.back')} widens.")
        else:
            choice.narrow(item)
            self._changed()

    @work(group="dialog")
    async def action_export(self) -> None:
        """Write the table as it is on screen, the days, or everything."""
        report, choice = self.report, self._choice
        if self.refused("export") or report is None or choice.scope is None:
            return
        label = " ".join([choice.scope.label, *(step.label for step in choice.steps)])
        rows = [item.key for item in ordered(self._matching(self._items(report.usage)), *choice.order[choice.view.id])]
        known = providers(report.usage, self.workspace.models or [])
        makers = contents(report.usage, label, choice.view.id, rows, known)
        if written := await self.app.push_screen_wait(Export(makers, Path.cwd())):
            self.tell(f"Written, for your eyes alone (0600): {written}")

    def action_chart(self) -> None:
        """The next chart."""
        wanted = self.wanted
        if not self.refused("chart") and wanted:
            self._choice.chart = self._choice.chart_after(wanted.start, wanted.end)
            self.draw()

    def action_full(self) -> None:
        """The chart alone, and back."""
        if not self.refused("full"):
            self._choice.full = not self._choice.full
            self.draw()

    def action_bars(self) -> None:
        """Days, weeks or months."""
        wanted = self.wanted
        if not self.refused("bars") and wanted:
            self._choice.next_unit(wanted.start, wanted.end)
            self.draw()

    def action_compare(self) -> None:
        """Ask for the days before, whatever it costs."""
        wanted = self.wanted
        if not self.refused("compare") and wanted and self._comparing != wanted:
            self._comparing = wanted
            self.load_more(wanted, True)
            self._say_status(self.report)

    def action_view(self) -> None:
        """The next table."""
        if not self.refused("view"):
            self._choice.next_view()
            self.draw()

    def action_sort(self) -> None:
        """The next column that is shown: numbers from the largest, words from A."""
        if self.refused("sort") or self.report is None:
            return
        view = self._choice.view
        shown = [column for column in view.columns if column.id in self._table().visible_columns]
        current = self._choice.order[view.id][0]
        following = next_sort(shown, current) or next_sort(shown, "")
        self._sort_by(following)

    def action_reverse(self) -> None:
        """The same column, the other way round."""
        if not self.refused("reverse"):
            view = self._choice.view.id
            sort, reverse = self._choice.order[view]
            self._choice.order[view] = (sort, not reverse)
            self.draw()

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        if event.column == self._choice.order[self._choice.view.id][0]:
            self.action_reverse()
        else:
            self._sort_by(event.column)

    def _sort_by(self, column: str) -> None:
        self._choice.order[self._choice.view.id] = (column, column in VALUES)
        self.draw()

    def action_filter(self) -> None:
        """Open the filter line."""
        if not self.refused("filter") and self.query_one("#body").display:
            field = self.query_one("#filter", Input)
            self._typing = field.display = True
            field.focus()
            self.draw()

    @on(Input.Changed, "#filter")
    def on_filter_changed(self, event: Input.Changed) -> None:
        """The table follows the typing."""
        self._choice.needle = event.value.strip()
        self.draw()

    @on(Input.Blurred, "#filter")
    def on_filter_left(self) -> None:
        """A click elsewhere ends the typing too."""
        self._typing = False

    @on(Input.Submitted, "#filter")
    def on_filter_done(self) -> None:
        """Enter goes to the table."""
        self._typing = False
        self.set_focus(None)
        self.query_one("#filter").display = bool(self._choice.needle)
        self.draw()

    def _close_filter(self) -> None:
        field = self.query_one("#filter", Input)
        self._typing = False
        self.set_focus(None)
        field.display = False
        field.value = ""
        self._choice.needle = ""

    def action_back(self) -> None:
        """Out of the last thing: the filter, the full screen, a long reading, a narrowing, a reading."""
        choice = self._choice
        if self.query_one("#filter").display:
            self._close_filter()
            self.draw()
        elif choice.full:
            choice.full = False
            self.draw()
        elif self._asking and (self._progress[1] > 2 or not choice.steps):
            self._stopped = self._asking
            self.cancel()
            self.draw()
        elif step := choice.widen():
            self._changed()
            self._table().go_to(step.row)
        elif self._came_from:
            self.run_worker(self.tui.action_go(self._came_from), group="go")
            self._came_from = ""

    def retry(self) -> None:
        """Only for the question that failed, and without the months that are there."""
        if self._error:
            self.ask(anew=True)
            self.draw()

    def action_reload(self) -> None:
        """Ask the gateway again, closed months too; after a stop, for what is missing."""
        if refusal := self.refusal():
            self.tell(refusal, severity="warning")
        else:
            self.ask(anew=True, refresh=self._stopped != self.wanted)
            self.draw()


def _matches(item: Item, needle: str, view: View) -> bool:
    """Whether a word of the row holds `needle`, or what it is known by: of a key's hash, which nobody sees, the start.

    A few hexadecimal digits are in every other hash.
    """
    if view.id == "key":
        return needle in " ".join(item.words.values()).casefold() or (
            len(needle) >= LEAST_HASH and item.key.startswith(needle)
        )
    return needle in " ".join([*item.words.values(), item.key]).casefold()
