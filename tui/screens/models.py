"""The models screen: what may be called, what it costs, what it can do, and how to call it (S13)."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui import keymap, look
from tui.formatting import NAMELESS, harmless, per_million, short_count
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError
from tui.gateway.fields import visible
from tui.gateway.schema import Model
from tui.screens.base import MainScreen
from tui.screens.model_detail import ModelDetail
from tui.widgets.bars import Line
from tui.widgets.table import Cell, Column, RecordTable, Row, next_sort, sort_key
from tui.workspace import Workspace

COLUMNS = (
    Column("name", "Model", 22, grow=True, most=26),
    Column("provider", "Provider", 9, grow=True, most=10, drop=3),
    Column("mode", "Mode", 5, drop=4),
    Column("in", "In $/M", 7, right=True),
    Column("out", "Out $/M", 7, right=True),
    Column("context", "Context", 7, right=True, drop=2),
    Column("output", "Out", 5, right=True, drop=6),
    Column("can", "Can", 10, grow=True, drop=5, sortable=False),
)
SORTS: dict[str, Callable[[Model], float | str | None]] = {
    "name": lambda model: model.name,
    "provider": lambda model: ", ".join(model.providers) or None,
    "mode": lambda model: model.mode,
    "in": lambda model: model.input_cost_per_token,
    "out": lambda model: model.output_cost_per_token,
    "context": lambda model: model.max_input_tokens,
    "output": lambda model: model.max_output_tokens,
}
FIRST = ("tools", "vision", "cache", "reasoning", "web", "pdf", "audio in", "audio out")
"""The capabilities that come first in the table; what nearly every model can do comes last."""
_SHORT_MODES = {
    "embedding": "embed",
    "image_generation": "image",
    "audio_transcription": "audio",
    "audio_speech": "audio",
    "completion": "text",
    "responses": "resp",
    "moderation": "moder",
    "rerank": "rank",
}


class ModelsScreen(MainScreen):
    """One table. The list is read when the screen is first opened, and again on demand."""

    CSS_PATH = ["base.tcss", "models.tcss"]
    mode = "models"
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "open", "open", id="models.open", tooltip="Show everything about this model, and how to call it"
        ),
        Binding("y", "copy_id", "copy id", id="models.copy", tooltip="Copy the name that a call gives as its model"),
        Binding("slash", "filter", "filter", id="models.filter", tooltip="Show only models that match"),
        Binding("s", "sort", "sort", id="models.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="models.reverse", tooltip="Turn the order round"),
        Binding("escape", "back", "back", id="models.back", show=False, tooltip="Clear the filter"),
    ]

    class Loaded(Message):
        """The models were read, or could not be."""

        def __init__(self, error: GatewayError | None = None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._needle = ""
        self._typing = False
        self._sort = "name"
        self._reverse = False
        self._reading = False
        self._error: GatewayError | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Filter and table, or a sentence in their place."""
        field = Input(placeholder="name, provider, mode or what it can do", id="filter", compact=True)
        field.cursor_blink = False
        yield field
        yield RecordTable(COLUMNS, id="models")
        yield Line(id="empty", classes="empty")

    def on_mount(self) -> None:
        """Draw what is known; ask where nothing is."""
        if self.workspace.models is None:
            self.action_reload()
        self.draw()

    def on_screen_resume(self) -> None:
        """Another screen may have read the models meanwhile."""
        if self.is_mounted:
            self.draw()

    # What is drawn

    @property
    def _table(self) -> RecordTable:
        return self.query_one("#models", RecordTable)

    @property
    def current(self) -> Model | None:
        """The model under the cursor."""
        name = self._table.current if self._table.display else None
        return next((model for model in self.workspace.models or [] if model.name == name), None)

    def data_age(self) -> str:
        """When the models were read."""
        at = self.workspace.models_at
        return f"{at.astimezone():%H:%M}" if at else "–"

    def shown(self) -> list[Model]:
        """The models that match the filter, in the chosen order; those without a value come last."""
        needle = self._needle.casefold()
        found = [model for model in self.workspace.models or [] if not needle or needle in _words(model)]
        by = SORTS[self._sort]
        known = [model for model in found if by(model) is not None]
        unknown = [model for model in found if by(model) is None]
        return sorted(known, key=lambda model: sort_key(by(model)), reverse=self._reverse) + unknown

    def draw(self) -> None:
        """Bring the table up to what is known; nothing is sent where nothing differs."""
        shown = self.shown()
        table = self._table
        table.display = bool(shown)
        table.show([_row(model) for model in shown], sorted_by=self._sort, reverse=self._reverse)
        empty = self.query_one("#empty", Line)
        empty.display = not shown
        empty.show(Text("" if shown else harmless(self._instead())))
        self._say_status()
        if shown and not self._typing and self.is_current:
            table.focus()
        self.refresh_bars()

    def _instead(self) -> str:
        if self._reading:
            return "reading models …"
        if self.workspace.models is None:
            return self.said(self._error) if self._error else f"Nothing read yet. {keymap.key('screen.refresh')} asks."
        if self.workspace.models:
            return f"No model matches “{self._needle}”. {keymap.key('models.back')} clears the filter."
        return "No models: this gateway offers none to this key."

    def _say_status(self) -> None:
        at = self.workspace.models_at
        only_names = self.workspace.session.rights.why_not(Action.MODEL_DETAILS)
        if self._error and at:
            self.say_stale(self._error, f"{at.astimezone():%H:%M}")
        elif self._reading and at:
            self.set_status(f"reading again … shown is {at.astimezone():%H:%M}")
        elif only_names and self.workspace.models:
            self.set_status(f"Names only. {only_names}")
        else:
            self.set_status()

    # Reading

    def action_reload(self) -> None:
        """Ask the gateway again."""
        self._reading, self._error = True, None
        self.load()
        self.draw()

    @work(exclusive=True, group="models")
    async def load(self) -> None:
        """Read the models; the message's handler draws them."""
        try:
            await self.workspace.refresh_models()
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.Loaded())

    @on(Loaded)
    def on_loaded(self, event: Loaded) -> None:
        """Draw what came, or say why the old list stays."""
        self._reading, self._error = False, event.error
        if event.error is None:
            self.all_well()
        self.draw()

    # Choosing

    def why_not(self, action: str) -> str | None:
        """What is done to a model needs one under the cursor."""
        if action in ("open", "copy_id") and self.current is None:
            return "There is no model under the cursor."
        return None

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Enter in the table opens the model."""
        self.action_open()

    def action_open(self) -> None:
        """Everything about the model under the cursor."""
        model = self.current
        if model is not None:
            self.app.push_screen(ModelDetail(self.workspace, model))

    @work(group="copy")
    async def action_copy_id(self) -> None:
        """The model's name to the clipboard."""
        model = self.current
        if not self.refused("copy_id") and model is not None:
            self.tell(f"{model.name}: {await self.tui.copy(model.name)}")

    def action_filter(self) -> None:
        """Open the filter line."""
        field = self.query_one("#filter", Input)
        self._typing = field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def on_filter_changed(self, event: Input.Changed) -> None:
        """The table follows the typing."""
        self._needle = event.value.strip()
        self.draw()

    @on(Input.Blurred, "#filter")
    def on_filter_left(self) -> None:
        """A click elsewhere ends the typing too."""
        self._typing = False

    @on(Input.Submitted, "#filter")
    def on_filter_done(self) -> None:
        """Enter goes to the table."""
        self._typing = False
        self.set_focus(None)
        self.query_one("#filter").display = bool(self._needle)
        self.draw()

    def action_back(self) -> None:
        """Clear the filter."""
        field = self.query_one("#filter", Input)
        if field.display:
            self._typing = False
            self.set_focus(None)
            field.display = False
            field.value = ""
            self._needle = ""
            self.draw()

    def action_sort(self) -> None:
        """The next column that is shown."""
        visible = [column for column in COLUMNS if column.id in self._table.visible_columns]
        self._sort = next_sort(visible, self._sort) or "name"
        self._reverse = False
        self.draw()

    def action_reverse(self) -> None:
        """The same column, the other way round."""
        self._reverse = not self._reverse
        self.draw()

    @on(RecordTable.SortBy)
    def on_sort_by(self, event: RecordTable.SortBy) -> None:
        """A click on a title: that column, a second click the other way."""
        self._reverse = not self._reverse if event.column == self._sort else False
        self._sort = event.column
        self.draw()


def _words(model: Model) -> str:
    return " ".join(
        [model.name, *model.providers, model.mode or "", *model.capabilities, *model.deployments]
    ).casefold()


def _row(model: Model) -> Row:
    able = [word for word in FIRST if word in model.capabilities]
    able += [word for word in model.capabilities if word not in FIRST]
    mode = model.mode or "?"
    cells = {
        "name": visible(model.name) or NAMELESS,
        "provider": ", ".join(model.providers) or "?",
        "mode": _SHORT_MODES.get(mode, mode),
        "in": per_million(model.input_cost_per_token),
        "out": per_million(model.output_cost_per_token),
        "context": short_count(model.max_input_tokens),
        "output": _output(model),
    }
    drawn = {name: Cell(text, look.DIM if text in ("?", "–") else "") for name, text in cells.items()}
    return Row(model.name, {**drawn, "can": Cell(style=look.DIM, words=tuple(able))})


def _output(model: Model) -> str:
    # a model that embeds writes no tokens: not unknown, but none
    return "–" if model.mode == "embedding" and not model.max_output_tokens else short_count(model.max_output_tokens)
