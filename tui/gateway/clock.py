"""How far this machine's clock is from the gateway's, by the Date header of its answers."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

LEAST = timedelta(minutes=2)
"""A smaller difference is none: the header has whole seconds, and an answer may be long on its way."""
STEADY = timedelta(seconds=10)
"""What the difference may waver by from answer to answer."""


def utc_now() -> datetime:
    """This machine's time, aware, in UTC."""
    return datetime.now(UTC)


class GatewayClock:
    """`ahead` is what to add to this machine's time for the gateway's: 0 below `LEAST`, negative where it is behind.

    Key ends, budget resets and UTC days are the gateway's to decide, so they are told by its time.
    """

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The gateway's time, aware, in UTC."""
        return datetime.now(UTC) + self.ahead

    async def note(self, response: httpx.Response) -> None:
        """Learn from an answer; httpx calls it when the headers are there."""
        self.seen(response.headers.get("date", ""), datetime.now(UTC), response.headers.get("age", ""))

    def seen(self, date: str, now: datetime, age: str = "") -> None:
        """Learn from a Date header that came at `now`; one that a cache kept for a while (Age) says nothing."""
        try:
            there = parsedate_to_datetime(date)
        except (TypeError, ValueError, IndexError):
            return
        if age.strip() not in ("", "0"):
            return
        ahead = (there if there.tzinfo else there.replace(tzinfo=UTC)) - now
        if abs(ahead) < LEAST:
            self.ahead = timedelta()
        elif abs(ahead - self.ahead) > STEADY:
            self.ahead = ahead

    @property
    def sentence(self) -> str:
        """One line where the clocks differ, such as `This machine's clock is 3 h behind the gateway's: …`; else ""."""
        seconds = abs(self.ahead.total_seconds())
        if not seconds:
            return ""
        size, unit = next(pair for pair in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= pair[0])
        way = "behind" if self.ahead > timedelta() else "ahead of"
        return f"This machine's clock is {seconds / size:.0f} {unit} {way} the gateway's: times are by the gateway's."
