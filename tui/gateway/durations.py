"""LiteLLM's durations: a number and s, m, h, d, w or mo (S40). `1y` would be a 500."""

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 30 * 86400}
_SHAPE = re.compile(r"([0-9]{1,6})(s|mo|m|h|d|w)")
_WORDS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}


def is_duration(text: str) -> bool:
    """Whether LiteLLM understands `text` as a duration longer than nothing."""
    found = _SHAPE.fullmatch(text)
    return found is not None and int(found[1]) > 0


def length(text: str) -> timedelta | None:
    """How long `text` is, a month taken as 30 days; None where it is no duration."""
    found = _SHAPE.fullmatch(text)
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else None


def in_words(text: str) -> str:
    """`30d` as "30 days", `1h` as "hour"; anything else as it is."""
    found = _SHAPE.fullmatch(text)
    if not found:
        return text
    count, unit = int(found[1]), _WORDS[found[2]]
    return unit if count == 1 else f"{count} {unit}s"
