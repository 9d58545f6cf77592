"""The columns of the keys screen, and what a key is drawn as in each of its two lists."""

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text

from tui import keymap, look
from tui.formatting import ago, day, models_summary, money
from tui.gateway.capabilities import Action
from tui.gateway.rotation import Step, Unfinished
from tui.gateway.schema import Key
from tui.gateway.state import Reason, reasons
from tui.screens.key_text import REMEDY, budget_cell, done_with, end_cell, limits, why
from tui.widgets.table import Cell, Column, Later, Row
from tui.workspace import Workspace

COLUMNS = (
    Column("mark", "", 1, sortable=False),
    Column("alias", "Alias", 14, grow=True, most=24),
    Column("key", "Key", 5),
    Column("spend", "Spend", 8, right=True, drop=1),
    Column("budget", "Budget", 18, drop=2),
    Column("expires", "Expires", 15),
    Column("models", "Models", 10, drop=3, grow=True, most=30),
    Column("team", "Team", 12, drop=5, grow=True, most=20),
    Column("owner", "Owner", 18, drop=6, grow=True, most=30),
    Column("used", "Last used", 10, drop=7),
    Column("limits", "Limits", 18, drop=8),
    Column("created", "Created", 10, drop=9),
)
_OTHERS = {
    "owner": Column("owner", "Owner", 11, drop=3, grow=True, most=30),
    "team": Column("team", "Team", 12, drop=4, grow=True, most=20),
    "models": Column("models", "Models", 10, drop=5, grow=True, most=20),
}
EVERYONES = tuple(_OTHERS.get(column.id, column) for column in COLUMNS)
"""The same for everyone's keys, of which the first question is whose they are."""
ATTENTION = (
    Column("mark", "", 1, sortable=False),
    Column("alias", "Alias", 14, grow=True, most=30),
    Column("key", "Key", 5),
    Column("why", "Why", 36, grow=True),
    Column("remedy", "", 12, drop=1),
)
NEEDED = {
    "new": Action.CREATE,
    "rotate": Action.CREATE,
    "finish": Action.CREATE,
    "undo": Action.CREATE,
    "edit": Action.EDIT,
    "block": Action.BLOCK,
    "reset_spend": Action.RESET_SPEND,
    "delete": Action.DELETE,
}
"""The right that each action of this screen takes."""


def rotation_row(rotation: Unfinished, workspace: Workspace, *, marked: bool) -> Row:
    """A rotation that somebody has to finish or undo."""
    by = keymap.key("keys.finish")
    old = {
        Step.OLD_GONE: "old key gone, name not handed over",
        Step.RETIRED: "old key retired, name not handed over",
        Step.KEPT: "old key kept on",
    }.get(rotation.step, "both keys work")
    return Row(
        rotation.new.hash,
        {
            "mark": Cell("●" if marked else "!", look.MARKED if marked else look.BAD),
            "alias": Cell(rotation.label),
            "key": Cell(rotation.new.tail, look.DIM),
            "why": Cell(f"rotation unfinished: {old}", look.WARN),
            "remedy": Cell("" if workspace.session.rights.read_only else f"{by} finish"),
        },
        marked=marked,
    )


def needy_row(key: Key, reason: Reason, workspace: Workspace, *, marked: bool) -> Row:
    """A key that needs a person, why, and what would help."""
    style = look.BAD if reason in (Reason.EXPIRED, Reason.OVER, Reason.BLOCKED) else look.WARN
    done_by, label, action = REMEDY[reason]
    off = workspace.session.rights.why_not(NEEDED[action], key) is not None
    return Row(
        key.hash,
        {
            "mark": Cell("●" if marked else "!", look.MARKED if marked else style),
            "alias": Cell(key.label),
            "key": Cell(key.tail, look.DIM),
            "why": Cell(why(key, reason, workspace.clock()), style),
            "remedy": Cell("" if off else f"{keymap.key(done_by)} {label}"),
        },
        marked=marked,
    )


def key_row(key: Key, workspace: Workspace, *, marked: bool) -> Row:
    """A key in the list of all."""
    now = workspace.clock()
    return Row(key.hash, Later(lambda: _cells(key, workspace, now, marked=marked)), marked=marked)


def _cells(key: Key, workspace: Workspace, now: datetime, *, marked: bool) -> Mapping[str, Cell]:
    needy = reasons(key, now)
    over = done_with(key)
    return {
        "mark": Cell("●" if marked else "!" if needy else "", look.MARKED if marked else look.WARN),
        "alias": Cell(key.label, look.MARKED if marked else look.DIM if over or key.blocked else look.STRONG),
        "key": Cell(key.tail, look.DIM),
        "spend": Cell(money(key.spend), look.DIM if over else ""),
        "budget": budget_cell(key),
        "expires": end_cell(key, now),
        "models": Cell(models_summary(key.models), look.DIM if over else ""),
        "team": Cell(workspace.team_of(key), look.DIM),
        "owner": Cell(key.user_id or "nobody", look.DIM),
        "used": Cell(ago(key.last_used_at, now) if key.last_used_at else "", look.DIM),
        "limits": Cell(limits(key), look.DIM),
        "created": Cell(day(key.created_at.date()) if key.created_at else "", look.DIM),
    }


def rule(width: int, words: str) -> Text:
    """A line across, with words in it."""
    label = f" {words} " if words else ""
    return Text(f"─{label}" + "─" * max(0, width - len(label) - 1), style=look.DIM, no_wrap=True)
