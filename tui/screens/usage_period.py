"""The periods of the usage screen: UTC days, both ends included (S20)."""

from dataclasses import dataclass
from datetime import date

from tui.formatting import day
from tui.gateway.usage import last_days, month_to_date, twelve_months


@dataclass(frozen=True, slots=True)
class Period:
    """Some days: the last `count`, the months up to today, or two dates that were chosen."""

    id: str
    title: str
    words: str
    """For a sentence: "the last 30 days"."""
    count: int = 0
    between: tuple[date, date] | None = None

    def days(self, today: date) -> tuple[date, date]:
        """First and last day."""
        if self.between:
            return self.between
        if self.id == "12m":
            return twelve_months(today)
        if self.id == "mtd":
            return month_to_date(today)
        return last_days(self.count, today)


PERIODS = (
    Period("today", "Today", "today", 1),
    Period("7d", "7d", "the last 7 days", 7),
    Period("30d", "30d", "the last 30 days", 30),
    Period("90d", "90d", "the last 90 days", 90),
    Period("12m", "12m", "the last 12 months"),
    Period("mtd", "MTD", "this month"),
)


def between(first: date, last: date, today: date) -> Period:
    """The period of two dates, named by them: `1 Nov–20 Nov`."""
    one = first == last
    title = day(first, today) if one else f"{day(first, today)}–{day(last, today)}"
    return Period("own", title, title if one else f"{day(first, today)} to {day(last, today)}", between=(first, last))
