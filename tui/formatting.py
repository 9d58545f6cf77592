"""Values as people read them: money, counts, times, and text from the gateway made printable."""

from datetime import date, datetime, timedelta

from tui.gateway.durations import in_words
from tui.gateway.redaction import printable
from tui.gateway.schema import NO_MODELS


def plain(text: str) -> str:
    """Gateway text on one line, without control characters."""
    return printable(text)


def money(usd: float | None) -> str:
    """`$3.12`, `$0.0042`, `$1,234.50`, `$1.2M`; `?` for None."""
    if usd is None:
        return "?"
    size, sign = abs(usd), "-" if usd < 0 else ""
    if size >= 1e15:
        return f"{sign}${size:.2g}"
    if size >= 1e6:
        return f"{sign}${_scaled(size)}"
    if 0 < size < 0.01:
        return f"{sign}${size:.2g}" if size >= 1e-6 else f"{sign}<$0.000001"
    return f"{sign}${size:,.2f}"


def _scaled(value: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + letter
    return f"{value:g}"


def count(n: float | None) -> str:
    """`8,412`, `12.3M` from ten million on; `?` for None."""
    if n is None:
        return "?"
    return _scaled(n) if abs(n) >= 1e7 else f"{n:,.0f}"


def short_count(n: float | None) -> str:
    """`200k`, `1M`; `?` for None."""
    return "?" if n is None else _scaled(n)


def percent(part: float) -> str:
    """`31 %` for a part of 1; one digit more below 1 %."""
    value = part * 100
    if 0 < value < 0.95:
        return f"{value:.1f} %"
    return f"{value:.0f} %" if value < 1e6 else ">999999 %"


def per_million(cost_per_token: float | None) -> str:
    """USD per million tokens: `3.00`, `0.15`, `0`; `?` for unknown."""
    if cost_per_token is None:
        return "?"
    value = cost_per_token * 1e6
    return "0" if value == 0 else f"{value:,.2f}" if value >= 0.01 else f"{value:.2g}"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, letter in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {letter}"
    return f"{int(seconds)} s"


def until(moment: datetime | None, now: datetime) -> str:
    """`12 d left`, `expired 2 d ago`, `never`."""
    if moment is None:
        return "never"
    return f"{_span(moment - now)} left" if moment > now else f"expired {_span(now - moment)} ago"


def ago(moment: datetime | None, now: datetime) -> str:
    """`2 d ago`, `just now`, `never`."""
    if moment is None:
        return "never"
    return "just now" if now - moment < timedelta(minutes=1) else f"{_span(now - moment)} ago"


def day(when: date) -> str:
    """`5 Dec`, with the year where it is not this one."""
    text = f"{when.day} {when:%b}"
    return text if when.year == date.today().year else f"{text} {when.year}"


def resets(duration: str | None, reset_at: datetime | None, now: datetime) -> str:
    """When a budget window ends: `resets in 6 d`, else by its length; "" where it never does."""
    if duration is None:
        return ""
    if duration in ("1d", "24h"):
        return "resets daily"
    if reset_at and reset_at > now:
        return f"resets in {_span(reset_at - now)}"
    return f"resets every {in_words(duration)}"


def models_summary(models: list[str]) -> str:
    """`all`, `none`, `gpt-4o`, `gpt-4o +2`."""
    if not models:
        return "all"
    if models == [NO_MODELS]:
        return "none"
    return models[0] if len(models) == 1 else f"{models[0]} +{len(models) - 1}"
