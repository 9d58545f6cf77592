"""Everything known about one model, its share of the last 30 days, and ready text for calling it."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tui import keymap, look, snippets
from tui.formatting import count, fit, harmless, money, per_million
from tui.gateway.errors import GatewayError
from tui.gateway.redaction import redact
from tui.gateway.schema import Model
from tui.gateway.usage import Metrics, Usage
from tui.reports import Report, refused, scopes
from tui.screens.dialogs import LONGEST, Dialog
from tui.screens.usage_tables import share_text
from tui.widgets.bars import Line
from tui.workspace import Workspace

if TYPE_CHECKING:
    from tui.app import LitellmTui

PLACEHOLDER = "YOUR-LITELLM-KEY"
"""Stands in the snippets for a key; the session's own is never shown."""
DAYS = 30


def recorded_names(model: Model) -> set[str]:
    """The names under which LiteLLM may have counted calls of this model: its own and those of what is behind it."""
    behind = {model.name, *model.deployments}
    behind |= {name.partition("/")[2] for name in model.deployments if "/" in name}
    return behind | {f"{provider}/{model.name}" for provider in model.providers}


def share_of(model: Model, usage: Usage) -> Metrics:
    """What the calls of this model came to in `usage`."""
    names, sums = recorded_names(model), Metrics()
    for row in usage.by_model:
        if row.model in names:
            sums.add(row.metrics)
    return sums


class ModelDetail(Dialog[None]):
    """A page about the model. Its usage is read by a worker, only where the session may see usage (S44)."""

    CSS_PATH = ["dialogs.tcss", "model_detail.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", "back", id="model.back", tooltip="Back to the models"),
        Binding("y", "copy", "copy the snippet", id="model.copy", tooltip="Copy the text that is shown"),
        Binding("Y", "copy_id", "copy id", id="model.copy-id", tooltip="Copy the model's name"),
        Binding("tab,right,l", "turn(1)", "next snippet", id="model.next", tooltip="The next snippet"),
        Binding("shift+tab,left,h", "turn(-1)", "previous", show=False, id="model.previous", tooltip="The one before"),
        Binding("j,down", "scroll(1)", "down", show=False, id="model.down", tooltip="Down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="model.up", tooltip="Up"),
    ]

    class Loaded(Message):
        """The usage was read, or could not be."""

        def __init__(self, report: Report | None, error: GatewayError | None = None) -> None:
            super().__init__()
            self.report = report
            self.error = error

    def __init__(self, workspace: Workspace, model: Model) -> None:
        super().__init__()
        self._workspace = workspace
        self._model = model
        self._snippets = snippets.for_mode(model.mode)
        self._tab = 0

    def compose(self) -> ComposeResult:
        """Share, facts, snippets, keys; the facts scroll where there is little room."""
        with Vertical(classes="dialog model"):
            yield Static(Text(fit(harmless(self._model.name), LONGEST), style=look.STRONG), classes="dialog-title")
            yield Line(id="share")
            with VerticalScroll(classes="model-text", can_focus=False):
                yield Static(self._facts())
            yield Line(id="tabs")
            with VerticalScroll(classes="model-snippet", can_focus=False):
                yield Static("", id="snippet")
            yield Static(Text(_keys(), style=look.DIM), id="keys")

    def on_mount(self) -> None:
        """Draw what is known; the share comes later."""
        self._draw_snippet()
        session = self._workspace.session
        allowed = scopes(session)
        scope = allowed[0] if allowed else None
        reason = refused(session, scope)
        reports = self._workspace.reports
        kept = reports.last(scope, *reports.days(DAYS)) if scope and not reason else None
        if reason:
            self._say_share(reason)
        elif kept and self._workspace.reports.fresh(kept):
            self._show_share(kept)
        else:
            self._say_share("reading …")
            self.load()

    @work(exclusive=True, group="share")
    async def load(self) -> None:
        """Read the usage; the message's handler shows it."""
        scope = scopes(self._workspace.session)[0]
        try:
            reports = self._workspace.reports
            report = await reports.read(scope, *reports.days(DAYS))
        except GatewayError as error:
            self.post_message(self.Loaded(None, error))
        else:
            self.post_message(self.Loaded(report))

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Show the share, or why it is not known."""
        if event.report:
            self._show_share(event.report)
        else:
            self._say_share(str(event.error))

    def _facts(self) -> Table:
        model, page = self._model, Table.grid(padding=(0, 2, 0, 0))
        page.add_column(width=12)
        page.add_column(overflow="fold")

        def fact(label: str, value: str | None) -> None:
            if value:
                page.add_row(Text(label, style=look.DIM), Text(harmless(value)))

        price = "unknown to the gateway"
        if model.priced:
            price = f"{per_million(model.input_cost_per_token)} in, {per_million(model.output_cost_per_token)} out"
            if model.cache_read_cost_per_token is not None:
                price += f", {per_million(model.cache_read_cost_per_token)} read from cache"
        fact("Provider", f"{', '.join(model.providers) or '?'} · {model.mode or '?'}")
        fact("$/M tokens", price)
        fact("Context", f"{count(model.max_input_tokens)} tokens" if model.max_input_tokens else "?")
        fact("Output", f"{count(model.max_output_tokens)} tokens at most" if model.max_output_tokens else None)
        fact("Tokens/min", count(model.tpm_limit) if model.tpm_limit is not None else None)
        fact("Requests/min", count(model.rpm_limit) if model.rpm_limit is not None else None)
        fact("Can", ", ".join(model.capabilities) or None)
        fact("Behind it", ", ".join(dict.fromkeys(model.deployments)) or None)
        fact("About", model.description)
        return page

    def _say_share(self, words: str) -> None:
        text = Text.assemble((f"{f'Last {DAYS} days':<14}", look.DIM), harmless(words))
        self.query_one("#share", Line).show(text)

    def _show_share(self, report: Report) -> None:
        sums, total = share_of(self._model, report.usage), report.usage.totals
        if not sums.api_requests:
            self._say_share(f"no requests of {report.scope.label}")
            return
        part = f", {share_text(sums.spend / total.spend)} of all spend" if total.spend > 0 else ""
        self._say_share(f"{money(sums.spend)}{part}, {count(sums.api_requests)} requests of {report.scope.label}")

    def _draw_snippet(self) -> None:
        tabs = Text("")
        for number, title in enumerate(self._snippets):
            if number:
                tabs.append(" │ ", style=look.DIM)
            chosen = number == self._tab
            tabs.append(f"[{title}]" if chosen else title, style=look.STRONG if chosen else look.DIM)
        self.query_one("#tabs", Line).show(tabs)
        self.query_one("#snippet", Static).update(Text(redact(self.snippet)))

    @property
    def snippet(self) -> str:
        """The text that is shown."""
        make = list(self._snippets.values())[self._tab]
        return make(self._workspace.session.client.url, PLACEHOLDER, harmless(self._model.name))

    def action_turn(self, step: int) -> None:
        """The next or the previous snippet."""
        self._tab = (self._tab + step) % len(self._snippets)
        self._draw_snippet()

    @work(group="copy")
    async def action_copy(self) -> None:
        """The shown snippet to the clipboard."""
        await self._copy(list(self._snippets)[self._tab], self.snippet)

    @work(group="copy")
    async def action_copy_id(self) -> None:
        """The model's name to the clipboard."""
        await self._copy(self._model.name, self._model.name)

    async def _copy(self, what: str, text: str) -> None:
        app = cast("LitellmTui", self.app)
        app.tell(f"{what}: {await app.copy(text)}")

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Move the facts."""
        self.query_one(".model-text", VerticalScroll).scroll_relative(y=lines * 2, animate=False)


def _keys() -> str:
    shown = (("copy", "copy this"), ("next", "next"), ("copy-id", "copy the name"), ("back", "back"))
    return " · ".join(f"{keymap.key(f'model.{name}')} {label}" for name, label in shown)
