"""What the usage screen is asked to show: whose, which days, narrowed to what, in which table and chart."""

from dataclasses import dataclass, replace
from datetime import date

from tui.reports import Scope
from tui.screens.usage_figures import charts_for
from tui.screens.usage_period import PERIODS, Period
from tui.screens.usage_tables import VIEWS, Item, Kind, View
from tui.spans import Unit, unit_for

UNITS: tuple[Unit, ...] = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question: whose usage, from `start` to `end` (UTC days, both included)."""

    scope: Scope
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Step:
    """A row that the screen was narrowed to. `view` and `row` lead back to it."""

    kind: Kind
    label: str
    item: Item
    view: View

    @property
    def row(self) -> str:
        """The key of the row in its table."""
        return self.item.key


class Choice:
    """The person's choices. Changing one says whether something else has to be asked for."""

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope
        self.period = PERIODS[2]
        self.own: Period | None = None
        """The two dates that were chosen last."""
        self.steps: list[Step] = []
        self.view = VIEWS[0]
        self.chart = "spend"
        self.bars: Unit | None = None
        """Days, weeks or months as they were chosen; None for what the range needs."""
        self.full = False
        """Whether the chart has the whole screen."""
        self.needle = ""
        self.order = {view.id: (view.sort, view.reverse) for view in VIEWS}

    @property
    def periods(self) -> tuple[Period, ...]:
        """All periods, the chosen dates last."""
        return (*PERIODS, self.own) if self.own else PERIODS

    def wanted(self, today: date) -> Wanted | None:
        """What is to be asked for; None without a scope."""
        if self.scope is None:
            return None
        scope, (start, end) = self.scope, self.period.days(today)
        for step in self.steps:
            if step.kind == "key":
                scope = replace(scope, key=step.row)
            elif step.kind == "day":
                start = end = date.fromisoformat(step.row)
            else:
                scope = replace(scope, models=step.item.models)
        return Wanted(scope, start, end)

    @property
    def views(self) -> tuple[View, ...]:
        """The tables that still tell something: not that of models once the screen is narrowed to one."""
        return self._left({step.kind for step in self.steps})

    @property
    def narrowest(self) -> bool:
        """Whether a row of the present table leaves no table once the screen is narrowed to it."""
        return not self._left({self.view.id, *(step.kind for step in self.steps)})

    @staticmethod
    def _left(gone: set[Kind]) -> tuple[View, ...]:
        return tuple(view for view in VIEWS if view.id not in gone and not (view.id == "provider" and "model" in gone))

    def narrow(self, item: Item) -> None:
        """Show only the rows that `item` of the present table sums."""
        self.steps.append(Step(self.view.id, item.words["name"], item, self.view))
        if self.view not in self.views:
            self.view = self.views[0]
        self.needle = ""

    def widen(self) -> Step | None:
        """Take the last narrowing back; the step that was taken back."""
        if not self.steps:
            return None
        step = self.steps.pop()
        self.view = step.view
        self.needle = ""
        return step

    def choose_period(self, period: Period) -> None:
        """Other days; a day that the screen was narrowed to is left for them."""
        self.period = period
        if period.between:
            self.own = period
        self.steps = [step for step in self.steps if step.kind != "day"]
        self.bars = None

    def choose_scope(self, scope: Scope) -> None:
        """Whose usage; what it was narrowed to is another's."""
        self.scope = scope
        self.steps = []
        self.needle = ""

    def unit(self, start: date, end: date) -> Unit:
        """What a bar of the chart stands for."""
        return self.bars or unit_for(start, end)

    def units(self, start: date, end: date) -> tuple[Unit, ...]:
        """What a bar may stand for: weeks need two of them, months too."""
        days = (end - start).days + 1
        return UNITS[: 1 + (days > 7) + (days > 31)]

    def next_unit(self, start: date, end: date) -> None:
        """The next of days, weeks and months."""
        units = self.units(start, end)
        now = self.unit(start, end)
        self.bars = units[(units.index(now) + 1) % len(units)] if now in units else units[0]

    def next_view(self) -> None:
        """The next table."""
        views = self.views
        self.view = views[(views.index(self.view) + 1) % len(views)] if self.view in views else views[0]

    def chart_after(self, start: date, end: date) -> str:
        """The chart that follows the present one."""
        charts = charts_for(start, end)
        return charts[(charts.index(self.chart) + 1) % len(charts)] if self.chart in charts else charts[0]
