"""Values as people read them: money, counts, times, and text from the gateway made printable and fitted to cells.

The commands and the app share it, so it imports the standard library and the gateway's smallest modules alone.
"""

import math
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from tui.gateway.durations import in_words
from tui.gateway.redaction import LONGEST, printable, redact

_SCALES = ((1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T"))
_TOO_LARGE = 1e15
NAMELESS = "(blank)"
"""In place of a name of which nothing is seen."""
_SHORTEST_SECRET = 8
"""Characters (S3)."""


_MARKS = 2
"""Marks above and below one letter; more of them cover the lines around it."""
_STEADY: dict[int, str] = {
    # a flag is two letters to some terminals, one picture to others
    **{0x1F1E6 + number: chr(ord("A") + number) for number in range(26)},
    # without their base they are squares of two cells, with it nothing
    **dict.fromkeys(range(0x1F3FB, 0x1F400), ""),
    # marks that some terminals give a cell, by their like that has one everywhere
    0x3099: "\u309b",
    0x309A: "\u309c",
    0xFF9E: "\u309b",
    0xFF9F: "\u309c",
    0x0E33: "\u0e4d\u0e32",
    0x0EB3: "\u0ecd\u0eb2",
    # what is left of Hangul in pieces, and signs whose width has changed between editions of Unicode or depends on
    # the letter that follows
    **dict.fromkeys(
        [
            *range(0x1100, 0x1200),
            *range(0xA960, 0xA980),
            *range(0xD7B0, 0xD800),
            *range(0x2630, 0x2638),
            *range(0x268A, 0x2690),
            *range(0x4DC0, 0x4E00),
            *range(0x1D300, 0x1D380),
            *(0x0D4E, 0x111C2, 0x111C3, 0x1171E, 0x1193F, 0x11941, 0x11A3A, 0x11D46, 0x11F02),
            *range(0x11A84, 0x11A8A),
        ],
        "?",
    ),
}
_JOINS = 9
"""The combining class of what makes one letter of two in the scripts of India."""


def plain(text: str) -> str:
    """Gateway text on one line, made only of what every terminal draws in the cells that `width` counts.

    What is invisible is left out. What terminals give different widths is replaced: families and other joined emoji
    by their parts, flags by their two letters, skin tones by none, halfwidth voiced marks by full ones; Hangul in
    pieces is put together. `?` stands for what has no such form: private use, letters newer than this Python, vowel
    signs beside the letter in the scripts of India. A letter keeps two marks.
    """
    if text.isascii():
        return text if text.isprintable() else printable(text)
    return _steady(text) if len(text) > LONGEST else _kept(text)


def _steady(text: str) -> str:
    # the piles first: to normalise one takes the square of its height
    clean = unicodedata.normalize("NFC", _unpiled(printable(text)))
    return clean if clean.isascii() else "".join(map(_one, clean))


_kept = lru_cache(maxsize=4096)(_steady)


def _unpiled(text: str) -> str:
    kept, marks = [], _MARKS
    for letter in text:
        if unicodedata.category(letter)[0] != "M":
            # on a blank they would belong to the column before
            marks = _MARKS if letter.isspace() else 0
        elif marks >= _MARKS:
            continue
        else:
            marks += 1
        kept.append(letter)
    return "".join(kept)


def _one(letter: str) -> str:
    if letter.isascii():
        return letter
    if (known := _STEADY.get(ord(letter))) is not None:
        return known
    category = unicodedata.category(letter)
    if category == "Me":
        return ""
    if category in ("Mc", "Cf", "Co", "Cn", "Cs") or (category == "Mn" and unicodedata.combining(letter) == _JOINS):
        return "?"
    return letter


def harmless(text: str) -> str:
    """What came from outside as it may be on screen: plain, and redacted (S3)."""
    # what is invisible goes first: it could stand in the middle of a secret
    clean = plain(text)
    return redact(clean) if len(clean) >= _SHORTEST_SECRET else clean


def fit_to_show(text: str) -> str:
    """The same, at most `LONGEST` characters (S3): for a name, or a sentence that may repeat a message."""
    # a huge body costs nothing, and a secret that the cut would halve is seen whole
    clean = harmless(text[: LONGEST * 20])
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1].rstrip() + "…"


def _finite(n: float) -> bool:
    try:
        return math.isfinite(n)
    except OverflowError:  # an int that no float holds
        return False


def width(text: str) -> int:
    """How many terminal cells `text` takes: wide letters two, combining and invisible ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def _cells(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fit(text: str, cells: int, *, ascii: bool = False) -> str:
    """`text` cut to `cells` terminal cells; where something is missing it ends in `…`, or in `~` with `ascii`."""
    if width(text) <= cells:
        return text
    kept, room = [], cells - 1
    for letter in text:
        room -= _cells(letter)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept) + ("~" if ascii else "…") if cells > 0 else ""


def money(usd: float | None) -> str:
    """USD as `$3.12`, `$0.0042`, `$1,234.50`, `$1.2M`; `?` for None."""
    if usd is None or not _finite(usd):
        return "?"
    size, sign = abs(usd), "-" if usd < 0 else ""
    if 0 < size < 1e-6:
        return f"{sign}<$0.000001"
    if 0 < size < 0.01:
        return f"{sign}${_digits(size)}"
    if round(size, 2) >= 1e6:
        return f"{sign}${_scaled(size)}"
    return f"{sign}${size:,.2f}"


def _digits(size: float) -> str:
    """Two significant digits, never in powers of ten."""
    return f"{Decimal(f'{size:.2g}'):f}"


def _scaled(value: float) -> str:
    if value >= _TOO_LARGE:
        return f"{value:.2g}"
    # by what is shown, so that 999,999 is 1M and not 1000k
    for size, letter in reversed(_SCALES):
        if round(value / size, 1) >= 1:
            return f"{value / size:.1f}".removesuffix(".0") + letter
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def count(n: float | None) -> str:
    """`8,412`, `12.3M` from ten million on; `?` for None."""
    if n is None or not _finite(n):
        return "?"
    return f"{n:,.0f}" if abs(n) < 1e7 else ("-" if n < 0 else "") + _scaled(abs(n))


def short_count(n: float | None) -> str:
    """`64k`, `1M`, `512`; `?` for None."""
    if n is None or not _finite(n):
        return "?"
    return ("-" if n < 0 else "") + _scaled(abs(n))


def percent(part: float) -> str:
    """`31 %` for a part of 1, not clamped; one digit more below 1 %."""
    if not _finite(part) or not _finite(part * 100):
        return "?"
    value = part * 100
    if 0 < value < 0.95:
        return f"{value:.1f} %" if value >= 0.05 else "<0.1 %"
    if abs(value) >= 1e6:
        return "<-999999 %" if value < 0 else ">999999 %"
    return f"{value:.0f} %"


def per_million(cost_per_token: float | None) -> str:
    """USD per million tokens: `3.00`, `0.15`, `0`; `?` for unknown."""
    if cost_per_token is None or not _finite(cost_per_token) or not _finite(cost_per_token * 1e6):
        return "?"
    value, sign = abs(cost_per_token) * 1e6, "-" if cost_per_token < 0 else ""
    if value == 0:
        return "0"
    if value >= 1e6:
        return sign + _scaled(value)
    if value < 1e-6:
        return f"{sign}<0.000001"
    return sign + (f"{value:,.2f}" if value >= 0.01 else _digits(value))


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, letter in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {letter}"
    return f"{int(seconds)} s"


def _nearest(span: timedelta) -> str:
    """In the largest unit that it fills once it is rounded, so that 23 h 59 min is a day; at most half a unit off."""
    seconds = span.total_seconds()
    for size, letter, smaller in ((86400, "d", 3600), (3600, "h", 60), (60, "min", 1)):
        if _round(seconds / smaller) * smaller >= size:
            return f"{_round(seconds / size)} {letter}"
    return f"{_round(seconds)} s"


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def until(moment: datetime | None, now: datetime) -> str:
    """`12 d left` to the nearest unit: 90 days that were chosen a moment ago are not 89. `expired 2 d ago`, `never`."""
    if moment is None:
        return "never"
    return f"{_nearest(moment - now)} left" if moment > now else f"expired {_span(now - moment)} ago"


def ago(moment: datetime | None, now: datetime) -> str:
    """`2 d ago`, `just now`, `never`."""
    if moment is None:
        return "never"
    return "just now" if now - moment < timedelta(minutes=1) else f"{_span(now - moment)} ago"


def day(when: date, today: date | None = None) -> str:
    """`5 Dec`, with the year where it is not that of `today` (default: the UTC day)."""
    text = f"{when.day} {_MONTHS[when.month - 1]}"
    return text if when.year == (today or datetime.now(UTC)).year else f"{text} {when.year}"


# not strftime: it follows the locale, and these words stand in English sentences
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def resets(duration: str | None, reset_at: datetime | None, now: datetime) -> str:
    """When a budget window ends (S42): `resets daily`, `resets on 1 Dec`, else `resets every 30 days`; "" for never."""
    if duration is None:
        return ""
    if duration in ("1d", "24h"):
        return "resets daily"
    if reset_at and reset_at > now:
        return f"resets on {day(reset_at.astimezone(UTC), now)}"
    return f"resets every {in_words(duration)}"


def models_summary(models: list[str]) -> str:
    """`all`, `none`, `gpt-4o`, `gpt-4o +2`."""
    # pydantic comes with them, which the rest can do without
    from tui.gateway.fields import visible
    from tui.gateway.schema import NO_MODELS

    if not models:
        return "all"
    if models == [NO_MODELS]:
        return "none"
    first = visible(models[0]) or NAMELESS
    return first if len(models) == 1 else f"{first} +{len(models) - 1}"
