"""The lines of the usage screen above and between chart and table."""

from collections.abc import Sequence
from datetime import date, datetime

from rich.text import Text

from tui import keymap, look
from tui.forecast import Forecast, NoForecast, budget_words
from tui.formatting import count, day, harmless, money, percent, resets, short_count
from tui.gateway.state import NEAR, used
from tui.gateway.usage import Metrics
from tui.reports import BudgetCounter
from tui.savings import Saved
from tui.screens.usage_choice import Choice, Step
from tui.screens.usage_figures import TITLES
from tui.screens.usage_period import Period
from tui.screens.usage_tables import View, share_text
from tui.widgets.table import bar

MOST_CHANGE = 9.995
"""A change of more than this part is not said in per cent."""


def time_of(at: datetime, today: date) -> str:
    """`10:14`, with the day where that is not `today`: `3 Nov 10:14`."""
    return f"{at:%H:%M}" if at.date() == today else f"{day(at.date(), today)} {at:%H:%M}"


def heading(label: str, periods: Sequence[Period], chosen: Period, at: str, width: int) -> Text:
    """`Usage of me   Today  7d [30d] 90d  12m  MTD      UTC days · as of 10:14`; the name gives way when narrow.

    `at` is "" where nothing has come yet.
    """
    when, dated = (f"as of {at} ", f" · as of {at} ") if at else ("", " ")
    tries = ((" Usage of ", f"UTC days{dated}", " "), (" Usage of ", f"UTC{dated}", " "), (" ", when, ""))
    for number, (start, end, gap) in enumerate(tries):
        shown = Text()
        for each in periods:
            here = each == chosen
            shown.append(
                f"[{each.title}]" if here else f"{gap}{each.title}{gap}" if gap else f" {each.title} ",
                style=look.STRONG if here else look.DIM,
            )
        left = Text(start, style=look.DIM).append(harmless(label), style=f"not dim {look.STRONG}")
        right = Text(end.strip() + " " if end else "", style=look.DIM)
        room = width - shown.cell_len - right.cell_len - 3
        if left.cell_len <= room or number == len(tries) - 1:
            break
    if left.cell_len > room:
        left.truncate(max(room, 8), overflow="ellipsis")
    space = " " * max(1, width - left.cell_len - 2 - shown.cell_len - right.cell_len)
    return Text.assemble(left, "  ", shown, space, right, no_wrap=True, overflow="crop")


def crumbs(label: str, steps: Sequence[Step]) -> Text:
    """`me › model gpt-4o › key laptop · esc widens`; "" where nothing is narrowed."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if not steps:
        return text
    text.append(f" {harmless(label)}", style=look.DIM)
    for step in steps:
        text.append(" › ", style=look.DIM)
        text.append(f"{step.kind} ", style=look.DIM)
        text.append(harmless(step.label), style=look.STRONG)
    return text.append(f" · {keymap.key('usage.back')} widens", style=look.DIM)


def change(now: float, before: float) -> str:
    """`▲12 %`, `▼3 %`, `=` beside a total; "new" where there was nothing before."""
    if not before:
        return "new" if now else ""
    part = now / before - 1
    if abs(part) < 0.005:
        return "="
    if part > MOST_CHANGE:
        return f"▲{now / before:,.0f}×"
    return f"{'▲' if part > 0 else '▼'}{percent(abs(part))}"


def totals(
    sums: Metrics, before: Metrics | None, width: int, *, so_far: bool = False, unfinished: bool = False
) -> Text:
    """Spend, requests, failures and tokens of the whole range, as much as fits, each beside the days `before`.

    `unfinished`: the range is today alone. A part of a day against a whole one is no change; yesterday is named.
    """
    failed = sums.failed_requests / sums.api_requests if sums.api_requests else 0.0
    cached = sums.cache_read_input_tokens / sums.prompt_tokens if sums.prompt_tokens else 0.0
    moved = {
        "spend": change(sums.spend, before.spend) if before else "",
        "requests": change(sums.api_requests, before.api_requests) if before else "",
        "tokens": change(sums.total_tokens, before.total_tokens) if before else "",
    }
    if before and unfinished:
        moved = {
            "spend": f"(yesterday {money(before.spend)})",
            "requests": f"({count(before.api_requests)})",
            "tokens": f"({short_count(before.total_tokens)})",
        }
    was = ""
    if before and before.api_requests:
        was = f"was {share_text(before.failed_requests / before.api_requests)}"
    bad = look.BAD if failed >= 0.05 else look.STRONG if sums.failed_requests else ""
    many = f"{count(sums.failed_requests)}, {share_text(failed)}" if sums.failed_requests else "none"
    few = share_text(failed) if sums.failed_requests else "none"
    tokens = short_count(sums.total_tokens)
    inout = f"({short_count(sums.prompt_tokens)} in, {short_count(sums.completion_tokens)} out)"
    part = f", {percent(cached)} cached"

    def line_of(gap: str, failures: str, was: str, tail: str, changes: int, requests: str = "Requests") -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        pieces = (
            ("Spend so far" if so_far else "Spend", money(sums.spend), look.STRONG, moved["spend"] if changes else ""),
            (requests, count(sums.api_requests), look.STRONG, moved["requests"] if changes > 1 else ""),
            ("Failed", failures, bad, was),
            ("Tokens", tokens, look.STRONG, moved["tokens"] if changes > 2 else ""),
        )
        for label, value, style, note in pieces:
            text.append(gap if text else " ")
            text.append(f"{label} ", style=look.DIM)
            text.append(value, style=style)
            text.append(f" {note}" if note else "", style=look.DIM)
        return text.append(tail)

    tries = (
        line_of("    ", many, was, f"{part} {inout}", 3),
        line_of("   ", many, was, part, 3),
        line_of("  ", many, "", part, 3),
        line_of("  ", many, "", part, 2),
        line_of("  ", few, "", part, 2),
        line_of("  ", few, "", "", 3),
        line_of("  ", few, "", "", 2),
        line_of("  ", few, "", "", 1, "Req"),
        line_of("  ", few, "", "", 0, "Req"),
    )
    return next((text for text in tries if text.cell_len <= width), tries[-1])


def cache_line(sums: Metrics, saved: Saved | None) -> Text:
    """What part of the prompt came from a cache or went into one, and what that saved; "" without either."""
    text = Text(no_wrap=True, overflow="ellipsis")
    read, written = sums.cache_read_input_tokens, sums.cache_creation_input_tokens
    if not sums.prompt_tokens or not (read or written):
        return text
    text.append(" Cache ", style=look.DIM)
    text.append(f"{short_count(read)} of {short_count(sums.prompt_tokens)} prompt tokens read")
    if saved is not None:
        net = f"saved {money(saved.usd)}" if saved.usd >= 0 else f"cost {money(-saved.usd)} more than it saved"
        text.append(f" · {net}", style=look.STRONG)
        left = f", {len(saved.unpriced)} without a price left out" if saved.unpriced else ""
        text.append(f" at list prices{left}", style=look.DIM)
    return text.append(f" · {short_count(written)} written", style=look.DIM)


def budget_line(budget: BudgetCounter | None, ahead: Forecast | NoForecast | None, now: datetime, width: int) -> Text:
    """The record's own counter against its limit (S25), and when it ends at the present rate; "" without a record.

    Two lines where one is too narrow.
    """
    text = Text(no_wrap=True, overflow="ellipsis")
    if budget is None:
        return text
    text.append(" Budget ", style=look.DIM)
    part = used(budget.spend, budget.limit)
    if part is None:
        text.append("no limit" + (f"; {money(budget.spend)} counted" if budget.spend else ""))
        return text
    style = look.BAD if part >= 1 else look.WARN if part >= NEAR else ""
    state = ", over its limit" if part >= 1 else ", near its limit" if part >= NEAR else ""
    text.append(f"{money(budget.spend)} of {money(budget.limit)}", style=style or look.STRONG)
    if width >= 70:
        full = bar(part, 12)
        text.append(f"  {full}", style=style or look.GOOD)
        text.append("░" * (12 - len(full)), style=look.DIM)
    text.append(f"  {percent(part)}{state}", style=style)
    words, how = _ahead(ahead)
    if not (isinstance(ahead, Forecast) and ahead.at_reset is not None and ahead.ends_on is None):
        # those words name the reset themselves
        window = resets(budget.duration, budget.reset_at, now)
        text.append(f" · {harmless(window) or 'never resets'}", style=look.DIM)
    if not words:
        return text
    warned = isinstance(ahead, Forecast) and (ahead.over or ahead.ends_on is not None)
    words += " !" if warned else ""
    rest = Text(words, style=look.WARN if warned else "")
    rest.append(f" ({how})" if how else "", style=look.DIM)
    if text.cell_len + 3 + rest.cell_len <= width:
        return text.append(" · ", style=look.DIM).append(rest)
    return text.append("\n        ").append(rest)


def _ahead(ahead: Forecast | NoForecast | None) -> tuple[str, str]:
    if isinstance(ahead, Forecast):
        return budget_words(ahead), ahead.how
    return (f"no forecast: {ahead.reason}", "") if ahead else ("", "")


def tabs(choice: Choice, note: str, following: str | None, width: int) -> Text:
    """`by Model │ Key │ Day`, what the filter leaves, and which chart the key for it shows next."""
    text = Text(no_wrap=True, overflow="crop").append(" by ", style=look.DIM)
    for number, each in enumerate(choice.views):
        if number:
            text.append(" │ ", style=look.DIM)
        here = each is choice.view
        text.append(f"[{each.title}]" if here else each.title, style=look.STRONG if here else look.DIM)
    text.append(f"   {harmless(note)}" if note else "")
    if following:
        words = f"{keymap.key('usage.chart')} {TITLES[following]}"
        gap = width - text.cell_len - len(words) - 1
        if gap >= 2:
            text.append(" " * gap + words, style=look.DIM)
    return text


def no_rows(view: View, needle: str) -> Text:
    """In place of the rows."""
    if not needle:
        return Text("Nothing in the months that were read so far.")
    return Text(f"No {view.id} matches “{harmless(needle)}”. {keymap.key('usage.back')} clears the filter.")
