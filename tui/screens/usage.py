"""The usage screen: how much was spent and asked for, of whom, in which days, by model, key and day (S20-S26)."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui.formatting import plain
from tui.gateway.errors import GatewayError
from tui.reports import Report, Scope, refused, scopes
from tui.screens import usage_text
from tui.screens.base import MainScreen
from tui.screens.choose import Choose
from tui.screens.usage_text import CHARTS, PERIODS, VALUES, VIEWS, Item, Period, View
from tui.widgets.bars import Hint, Line
from tui.widgets.chart import Chart
from tui.widgets.table import RecordTable, next_sort
from tui.workspace import Workspace

LEAST_ROWS = 4
"""Rows of the table that stay when the terminal is small; the chart gives way."""
LEAST_CHART, MOST_CHART = 5, 18


class UsageTable(RecordTable):
    """A table in which left and right mean the period: its columns always fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.period(-1)", "earlier", show=False, id="usage.left", tooltip="Fewer days"),
        Binding("right", "screen.period(1)", "later", show=False, id="usage.right", tooltip="More days"),
    ]


class UsageBody(Vertical):
    """Chart, tabs and table; the chart takes half of the height and leaves the table its least rows."""

    class Shared(Message):
        """The height was shared out anew."""

    def on_resize(self, event: events.Resize) -> None:
        """Share the height out."""
        self.share_out()
        self.post_message(self.Shared())

    def share_out(self) -> None:
        """Set the chart's height for the present one."""
        chart = self.query_one(Chart)
        tabs_filter_header = 2 + int(self.query_one("#filter").display)
        room = self.size.height - tabs_filter_header - LEAST_ROWS
        rows = max(0, min(MOST_CHART, self.size.height // 2, room))
        chart.display = rows >= LEAST_CHART and not chart.has_class("-unwanted")
        chart.styles.height = max(rows, 1)


class UsageScreen(MainScreen):
    """One report at a time. Reading is a worker's; its message alone changes what is drawn."""

    CSS_PATH = ["base.tcss", "usage.tcss"]
    mode = "usage"
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket", "period(-1)", "period", id="usage.shorter", key_display="[", tooltip="Fewer days"
        ),
        Binding("right_square_bracket", "period(1)", "period", id="usage.longer", key_display="]", tooltip="More days"),
        Binding("o", "scope", "whose", id="usage.scope", tooltip="Whose usage: mine, a team's, everyone's"),
        Binding("v", "view", "by model/key/day", id="usage.view", tooltip="Table by model, by key or by day"),
        Binding("c", "chart", "chart", id="usage.chart", tooltip="Chart of spend, requests, or spend added up"),
        Binding("slash", "filter", "filter", id="usage.filter", tooltip="Show only rows that match"),
        Binding("s", "sort", "sort", id="usage.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="usage.reverse", show=False, tooltip="Turn the order round"),
        Binding("t", "days('today')", "today", id="usage.today", show=False, tooltip="Today (UTC)"),
        Binding("w", "days('7d')", "7 days", id="usage.week", show=False, tooltip="The last 7 days"),
        Binding("m", "days('30d')", "30 days", id="usage.month", show=False, tooltip="The last 30 days"),
        Binding("Q", "days('90d')", "90 days", id="usage.quarter", show=False, tooltip="The last 90 days"),
        Binding("escape", "back", "back", id="usage.back", show=False, tooltip="Clear the filter"),
    ]

    class Loaded(Message):
        """An answer for `scope` and `period`: a report, or why there is none."""

        def __init__(self, scope: Scope, period: Period, report: Report | None, error: GatewayError | None) -> None:
            super().__init__()
            self.scope = scope
            self.period = period
            self.report = report
            self.error = error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._scopes = scopes(workspace.session)
        self._scope = self._scopes[0] if self._scopes else None
        self._period = PERIODS[2]
        self._view = VIEWS[0]
        self._chart = CHARTS[0]
        self._order = {view.id: (view.sort, view.reverse) for view in VIEWS}
        self._needle = ""
        self._typing = False
        self._asking: tuple[Scope, Period] | None = None
        self._error: GatewayError | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Whose and when, sums, budget; then chart and tables, or a sentence in their place."""
        yield Line(id="heading")
        yield Line(id="totals")
        yield Line(id="budget")
        with UsageBody(id="body"):
            yield Chart(empty="No spend in these days. c shows the requests.")
            yield Line(id="tabs")
            field = Input(placeholder="a part of the name", id="filter", compact=True)
            field.cursor_blink = False
            yield field
            for view in VIEWS:
                yield UsageTable(view.columns, id=f"by-{view.id}")
            yield Line(id="nothing", classes="empty")
        yield Line(id="empty", classes="empty")

    def on_mount(self) -> None:
        """Draw at once, and ask."""
        self.draw()
        self.ask()

    # What is asked

    @property
    def report(self) -> Report | None:
        """What is known about the chosen scope and days."""
        reports = self.workspace.reports
        return reports.last(self._scope, *reports.days(self._period.days)) if self._scope else None

    def refusal(self) -> str | None:
        """Why the chosen usage cannot be seen; nothing is sent then (S44)."""
        return refused(self.workspace.session, self._scope)

    def ask(self, *, anew: bool = False) -> None:
        """Have the chosen report read, unless a young one is there or it is being read already."""
        if self._scope is None or self.refusal():
            return
        wanted, kept = (self._scope, self._period), self.report
        if not anew and (self._asking == wanted or (kept and self.workspace.reports.fresh(kept))):
            if self._asking != wanted:
                self.cancel()
            return
        self._asking, self._error = wanted, None
        self.load(*wanted)
        self.draw()

    def cancel(self) -> None:
        """Stop what is being read."""
        self._asking = None
        self.workers.cancel_group(self, "usage")

    @work(exclusive=True, group="usage")
    async def load(self, scope: Scope, period: Period) -> None:
        """Ask the gateway; the message's handler draws what came."""
        try:
            reports = self.workspace.reports
            report = await reports.read(scope, *reports.days(period.days))
        except GatewayError as error:
            self.post_message(self.Loaded(scope, period, None, error))
        else:
            self.post_message(self.Loaded(scope, period, report, None))

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Draw what came, where it is still what is wanted."""
        if (event.scope, event.period) != self._asking:
            return
        self._asking, self._error = None, event.error
        self.draw()

    def on_screen_suspend(self) -> None:
        """Leaving for another of the three screens stops the reading; a dialog in front does not."""
        if self.app.current_mode != self.mode:
            self.cancel()

    def on_screen_resume(self) -> None:
        """Coming back goes on with it."""
        if self.is_mounted:
            self.ask()

    # What is drawn

    def data_age(self) -> str:
        """When the report was read."""
        return f"{self.report.at.astimezone():%H:%M}" if self.report else "–"

    def draw(self) -> None:
        """Bring everything up to what is known; nothing is sent where nothing differs."""
        report, width = self.report, self.app.size.width
        label = self._scope.label if self._scope else self.workspace.session.about
        self.query_one("#heading", Line).show(usage_text.heading(label, self._period, report, width))
        self._say_status(report)
        instead = self._instead(report)
        budget = report.budget if report else None
        self._show_line("#budget", usage_text.budget_line(budget, self.workspace.clock(), width))
        self._show_line("#totals", usage_text.totals(report.usage.totals, width) if report and not instead else Text())
        self._show_line("#empty", Text(plain(instead or "")))
        self.query_one("#body").display = not instead
        if report and not instead:
            self._draw_body(report)
        elif self.focused is not None and not isinstance(self.focused, Input):
            self.set_focus(None)
        self.refresh_bars()

    def _show_line(self, where: str, text: Text) -> None:
        line = self.query_one(where, Line)
        line.show(text)
        line.display = bool(text.plain)

    def _instead(self, report: Report | None) -> str | None:
        """The sentence that stands in place of chart and table."""
        refusal = self.refusal()
        if refusal:
            return refusal
        if report is None:
            if self._error:
                return f"{self._error} R tries again."
            return f"reading the usage of {self._period.words} …" if self._asking else "Nothing read yet. R asks."
        if report.usage.totals.empty:
            return (
                "No requests in these days. ] goes further back."
                if self._period is not PERIODS[-1]
                else ("No requests in these days.")
            )
        return None

    def _say_status(self, report: Report | None) -> None:
        if report is None:
            self.set_status()
            return
        when = f"{report.at:%H:%M} UTC"
        if self._error:
            self.say_stale(self._error, when)
        elif self._asking:
            self.set_status(f"reading again … shown is {when}")
        else:
            self.set_status(" ".join(report.usage.notes))

    def _draw_body(self, report: Report) -> None:
        width, usage = self.app.size.width, report.usage
        chart = self.query_one(Chart)
        chart.set_class(self._period.days == 1, "-unwanted")
        chart.show(usage_text.figure(self._chart, usage))
        self.query_one(UsageBody).share_out()
        every = self._view.items(usage, self.workspace.team_label)
        needle = self._needle.casefold()
        found = [item for item in every if not needle or needle in _words(item)]
        note = f"{len(found)} of {len(every)} match “{self._needle}”" if needle else ""
        shown_chart = self._chart if chart.display else None
        self.query_one("#tabs", Line).show(usage_text.tabs(self._view, note, shown_chart, width))
        sort, reverse = self._order[self._view.id]
        total, largest = usage.totals.spend, max((item.metrics.spend for item in every), default=0.0)
        rows = [usage_text.table_row(item, total, largest) for item in usage_text.ordered(found, sort, reverse)]
        for view in VIEWS:
            table = self._table(view)
            table.display = view is self._view and bool(rows)
            if view is self._view:
                table.show(rows, sorted_by=sort, reverse=reverse)
        nothing = f"No {self._view.name} matches “{plain(self._needle)}”. esc clears the filter."
        self._show_line("#nothing", Text("" if rows else nothing))
        if rows and not self._typing and self.is_current:
            self._table().focus()

    def _table(self, view: View | None = None) -> UsageTable:
        return self.query_one(f"#by-{(view or self._view).id}", UsageTable)

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
        """Both brackets are one hint."""
        rest = [hint for hint in super().hints() if hint.label != "period"]
        return [Hint("[ ]", "period", off=self.refusal() is not None), *rest]

    def why_not(self, action: str) -> str | None:
        """Without the right to see usage, nothing on this screen is possible (S44)."""
        name = action.partition("(")[0].rpartition(".")[2]
        if name not in ("period", "days", "scope", "view", "chart", "filter", "sort", "reverse"):
            return None
        if refusal := self.refusal():
            return refusal
        if name == "scope" and len(self._scopes) < 2:
            return "There is no other: you are in no team, and only an admin sees everyone's."
        if name == "chart" and self._period.days == 1:
            return "One day makes no chart. ] shows more days."
        return None

    def action_period(self, step: int) -> None:
        """The next or the previous period."""
        where = PERIODS.index(self._period) + step
        if not self.refused("period") and 0 <= where < len(PERIODS):
            self._choose_period(PERIODS[where])

    def action_days(self, name: str) -> None:
        """A period by its name."""
        if not self.refused("days"):
            self._choose_period(next(period for period in PERIODS if period.id == name))

    def _choose_period(self, period: Period) -> None:
        if period is not self._period:
            self._period = period
            self._changed()

    def _changed(self) -> None:
        self._error = None
        self.ask()
        self.draw()

    @work(group="dialog")
    async def action_scope(self) -> None:
        """Ask whose usage to show."""
        if self.refused("scope") or self._scope is None:
            return
        here = self._scopes.index(self._scope)
        chosen = await self.app.push_screen_wait(Choose("Whose usage?", [each.label for each in self._scopes], here))
        if chosen is not None and chosen != here:
            self._scope = self._scopes[chosen]
            self._changed()

    def action_chart(self) -> None:
        """The next chart."""
        if not self.refused("chart"):
            self._chart = CHARTS[(CHARTS.index(self._chart) + 1) % len(CHARTS)]
            self.draw()

    def action_view(self) -> None:
        """The next table."""
        if not self.refused("view"):
            self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
            self.draw()

    def action_sort(self) -> None:
        """The next column that is shown: numbers from the largest, words from A."""
        if self.refused("sort") or self.report is None:
            return
        shown = [column for column in self._view.columns if column.id in self._table().visible_columns]
        current = self._order[self._view.id][0]
        following = next_sort(shown, current) or next_sort(shown, "")
        self._sort_by(following)

    def action_reverse(self) -> None:
        """The same column, the other way round."""
        if not self.refused("reverse"):
            sort, reverse = self._order[self._view.id]
            self._order[self._view.id] = (sort, not reverse)
            self.draw()

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        if event.column == self._order[self._view.id][0]:
            self.action_reverse()
        else:
            self._sort_by(event.column)

    def _sort_by(self, column: str) -> None:
        self._order[self._view.id] = (column, column in VALUES)
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
        self._needle = event.value.strip()
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
        self.query_one("#filter").display = bool(self._needle)
        self.draw()

    def action_back(self) -> None:
        """Clear the filter."""
        field = self.query_one("#filter", Input)
        if field.display:
            self._typing = False
            self.set_focus(None)
            field.display = False
            field.value = ""
            self._needle = ""
            self.draw()

    def action_reload(self) -> None:
        """Ask the gateway again."""
        if refusal := self.refusal():
            self.tell(refusal, severity="warning")
        else:
            self.ask(anew=True)


def _words(item: Item) -> str:
    return " ".join([*item.words.values(), item.key]).casefold()
