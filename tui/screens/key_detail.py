"""Everything known about one virtual key, with its last 30 days and what can be done with it."""

from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from tui import keymap, look
from tui.charts import sparkline
from tui.formatting import ago, count, fit, harmless, money, percent, resets, until
from tui.gateway.capabilities import Action
from tui.gateway.durations import in_words
from tui.gateway.errors import GatewayError
from tui.gateway.rotation_records import NOTE, RETIRED, Unfinished
from tui.gateway.schema import NO_MODELS, Key
from tui.gateway.state import Budget, Expiry, budget, expiry, used
from tui.gateway.usage import key_usage, last_days
from tui.screens.dialogs import LONGEST, Dialog
from tui.screens.team_detail import why_not_team
from tui.screens.user_detail import why_not_user
from tui.widgets.bars import Hint, Line
from tui.widgets.key_line import KeyLine
from tui.widgets.table import bar
from tui.workspace import Workspace

ACTIONS = (
    ("r", "rotate", "rotate", Action.CREATE),
    ("e", "edit", "edit", Action.EDIT),
    ("b", "block", "block or unblock", Action.BLOCK),
    ("z", "reset_spend", "reset spend", Action.RESET_SPEND),
    ("d", "delete", "delete", Action.DELETE),
)
"""Key, the keys screen's action, label, and the right it takes."""
WHOSE = ("owner", "team")
"""Who can be gone on to; by those names the keys screen has actions for them."""


class KeyDetail(Dialog[tuple[str, str] | None]):
    """Dismissed with the keys screen's action to run and the hash of this key, or None."""

    CSS_PATH = ["dialogs.tcss", "key_detail.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", "back", id="detail.back"),
        *(Binding(key, f"run('{name}')", label, id=f"detail.{name}") for key, name, label, _ in ACTIONS),
        Binding("f", "run('finish')", "finish the rotation", id="detail.finish"),
        Binding("u", "run('undo')", "undo the rotation", id="detail.undo"),
        Binding("o", "whose('owner')", "its owner", id="detail.owner", tooltip="Show the user that it belongs to"),
        Binding("t", "whose('team')", "its team", id="detail.team", tooltip="Show the team that it belongs to"),
        Binding("y", "run('copy_id')", "copy id", id="detail.copy"),
        Binding("j,down", "scroll(1)", "down", show=False, id="detail.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="detail.up"),
    ]

    def __init__(self, workspace: Workspace, key: Key) -> None:
        super().__init__()
        self._workspace = workspace
        self._record = key

    def compose(self) -> ComposeResult:
        """The record, the last 30 days, the actions."""
        with Vertical(classes="dialog detail"):
            yield Static(self._title(), classes="dialog-title")
            with VerticalScroll(classes="detail-text"):
                yield Static(self._facts())
                yield Line(id="days")
            yield KeyLine(self._actions(), id="actions")
            if reasons := self._reasons():
                yield Static(reasons, id="reasons")

    def on_mount(self) -> None:
        """The last 30 days come later."""
        self._show_days("")
        if self._workspace.session.rights.why_not(Action.SEE_USAGE) is None:
            self._show_days("reading …")
            self._load_days()

    @property
    def _rotation(self) -> Unfinished | None:
        """The unfinished rotation that this key is the new or the old one of."""
        here = self._record.hash
        found = self._workspace.unfinished()
        return next((each for each in found if here in (each.new.hash, each.note.of)), None)

    def _title(self) -> Text:
        key = self._record
        title = Text(fit(harmless(key.label), LONGEST), style=look.STRONG)
        title.append(f"  {harmless(key.name)}", style="not bold dim")
        if key.blocked:
            title.append("  blocked", style=look.BAD)
        return title

    def _facts(self) -> Text:
        key, now = self._record, self._workspace.clock()
        page = Text()

        def fact(label: str, value: str | None, style: str = "") -> None:
            if value:
                page.append(f"{label:<13}", style=look.DIM)
                page.append(f"{harmless(value)}\n", style=style)

        part = used(key.spend, key.max_budget)
        if part is None:
            fact("Spend", f"{money(key.spend)}, no budget limit")
        else:
            style = {Budget.OVER: look.BAD, Budget.NEAR: look.WARN}.get(budget(key), "")
            state = {Budget.OVER: "  over budget", Budget.NEAR: "  near its budget"}.get(budget(key), "")
            fact(
                "Spend",
                f"{money(key.spend)} of {money(key.max_budget)}  {bar(part, 20):<20}  {percent(part)}{state}",
                style,
            )
            window = in_words(key.budget_duration) if key.budget_duration else None
            fact(
                "Budget",
                f"every {window}, {resets(key.budget_duration, key.budget_reset_at, now)}"
                if window
                else "never resets",
            )
        if key.soft_budget is not None:
            fact("Soft budget", money(key.soft_budget))
        if key.total_spend is not None and key.total_spend != key.spend:
            fact("All time", money(key.total_spend))
        end_style = {Expiry.EXPIRED: look.BAD, Expiry.SOON: look.WARN}.get(expiry(key, now), "")
        stamp = f", {_stamp(key.expires_at)}" if key.expires_at else ""
        fact("Expires", until(key.expires_at, now) + stamp, end_style)
        if key.models == [NO_MODELS]:
            fact("Models", "none")
        else:
            fact("Models", ", ".join(key.models) or "all")
        fact("Tokens/min", count(key.tpm_limit) if key.tpm_limit is not None else "no limit")
        fact("Requests/min", count(key.rpm_limit) if key.rpm_limit is not None else "no limit")
        if key.max_parallel_requests is not None:
            fact("In parallel", count(key.max_parallel_requests))
        fact("Owner", key.user_id or "nobody")
        fact("Team", self._workspace.team_label(key.team_id) or None)
        fact("Type", key.key_type if key.key_type != "default" else None)
        fact("Routes", ", ".join(key.allowed_routes) or None)
        fact(
            "Created",
            f"{_stamp(key.created_at)}{' by ' + key.created_by if key.created_by else ''}" if key.created_at else None,
        )
        fact("Changed", _stamp(key.updated_at) if key.updated_at and key.updated_at != key.created_at else None)
        fact("Last used", ago(key.last_used_at, now) if key.last_used_at else None)
        rotation = self._rotation
        fact("Rotation", rotation.so if rotation else None, look.WARN)
        for name, value in key.metadata.items():
            if name not in (NOTE, RETIRED):
                fact("Metadata", f"{name} = {value}")
        # as wide as an 80-column dialog lets it be, on one line
        page.append("Hash ", style=look.DIM)
        page.append(f"{harmless(key.hash)}\n")
        return page

    def _actions(self) -> list[Hint]:
        shown = [
            Hint(keymap.key(f"detail.{name}"), label, off=self._why_not(action) is not None)
            for _, name, label, action in ACTIONS
        ]
        if self._rotation is not None:
            shown += [Hint(keymap.key("detail.finish"), "finish rotation"), Hint(keymap.key("detail.undo"), "undo it")]
        shown += [Hint(keymap.key(f"detail.{each}"), each, off=self._why_not_whose(each) is not None) for each in WHOSE]
        return [*shown, Hint(keymap.key("detail.copy"), "copy id"), Hint(keymap.key("detail.back"), "back")]

    def _reasons(self) -> Text:
        said = [f"{label}: {why}" for _, _, label, action in ACTIONS if (why := self._why_not(action))]
        return Text("\n".join(harmless(each) for each in said), style=look.WARN)

    def _why_not_whose(self, which: str) -> str | None:
        session, key = self._workspace.session, self._record
        return why_not_user(session, key.user_id) if which == "owner" else why_not_team(session, key.team_id)

    def action_whose(self, which: str) -> None:
        """Leave, and show the owner or the team."""
        if reason := self._why_not_whose(which):
            self.app.notify(harmless(reason), severity="warning", markup=False)
        else:
            self.action_run(which)

    def _why_not(self, action: Action) -> str | None:
        return self._workspace.session.rights.why_not(action, self._record)

    @work(exclusive=True)
    async def _load_days(self) -> None:
        start, end = last_days(30, self._workspace.clock().date())
        try:
            usage = await key_usage(self._workspace.session.client, self._record.hash, start, end)
        except GatewayError as error:
            self._show_days(f"not read: {error}")
            return
        days = [row.metrics for row in usage.daily]
        totals = usage.totals
        if not totals.api_requests:
            self._show_days("no requests")
            return
        failed = f" ({count(totals.failed_requests)} failed)" if totals.failed_requests else ""
        self._show_days(
            f"{sparkline([day.spend for day in days], 30)}  {money(totals.spend)}\n{'':<13}"
            f"{sparkline([day.api_requests for day in days], 30)}  {count(totals.api_requests)} requests{failed}"
        )

    def _show_days(self, text: str) -> None:
        line = Text(f"{'30 days':<13}" if text else "", style=look.DIM)
        # newlines are this program's own here; names from the gateway never are in it
        line.append("\n".join(harmless(each) for each in text.split("\n")), style="not dim")
        self.query_one("#days", Line).show(line)

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss(None)

    def action_run(self, action: str) -> None:
        """Leave, and do it from the list."""
        self.dismiss((action, self._record.hash))

    def action_scroll(self, lines: int) -> None:
        """Move the page."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _stamp(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else ""
