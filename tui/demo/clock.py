"""Time as LiteLLM reckons it: durations, calendar-aligned budget resets, and its two ways to write a moment."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def iso(moment: datetime) -> str:
    """UTC with a `Z`, cut to milliseconds as the database keeps them: `2026-11-23T20:24:49.066000Z`."""
    moment = moment.astimezone(UTC)
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=None)
    return moment.isoformat() + "Z"


def offset_form(text: str | None) -> str | None:
    """The same moment ended with `+00:00`, as `/key/info` and `/key/update` write it."""
    return text[:-1] + "+00:00" if text and text.endswith("Z") else text


def parse(text: str) -> datetime:
    """A moment from either form."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def after(start: datetime, duration: str) -> datetime:
    """`start` plus a LiteLLM duration (`30s 5m 24h 7d 2w 1mo`). ValueError with LiteLLM's own words otherwise."""
    found = re.match(r"(\d+)(mo|[a-z])", duration)
    if not found:
        raise ValueError("Invalid duration format")
    count, unit = int(found[1]), found[2]
    if unit == "mo":
        return _add_months(start, count)
    if unit not in _UNITS:
        raise ValueError(f"Unsupported duration unit, passed duration: {duration}")
    return start + timedelta(seconds=count * _UNITS[unit])


def next_reset(now: datetime, duration: str) -> datetime:
    """When a budget of this duration starts again: midnight, Monday, the first of the month, or aligned hours."""
    found = re.match(r"(\d+)(mo|[a-z])", duration)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if not found:
        return midnight + timedelta(days=1)
    count, unit = int(found[1]), found[2]
    first = _add_months(midnight.replace(day=1), 1)
    if unit == "d":
        if count == 7:
            return midnight + timedelta(days=7 - now.weekday())
        return first if count == 30 else midnight + timedelta(days=count)
    if unit == "mo":
        return _add_months(midnight.replace(day=1), count)
    if unit == "w":
        return midnight + timedelta(days=7 * count - now.weekday())
    if unit in "hms" and count:
        step = count * _UNITS[unit]
        passed = int((now - midnight).total_seconds())
        return midnight + timedelta(seconds=min(passed // step * step + step, 86400))
    return midnight + timedelta(days=1)


def _add_months(moment: datetime, months: int) -> datetime:
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
