"""Making and changing a virtual key: one form, checked before it is sent, refusals shown at their field (S40)."""

import json
import secrets
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Select, SelectionList, Static
from textual.widgets.selection_list import Selection

from tui import keymap, look
from tui.formatting import day, fit_to_show, harmless, plain
from tui.gateway.durations import in_words, is_duration
from tui.gateway.errors import GatewayError, NotConnected, Unreachable
from tui.gateway.rotation_records import NOTE, RETIRED
from tui.gateway.schema import Key, Team
from tui.screens.dialogs import Dialog

LIVES = ("1d", "7d", "30d", "90d", "365d")
WINDOWS = ("1d", "7d", "30d")
TYPES = (
    ("default: models and management", "default"),
    ("llm_api: models only", "llm_api"),
    ("read_only: look only", "read_only"),
)
KEEP = "keep"
NEVER = "never"

Submit = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends the fields, in LiteLLM's names; raises `GatewayError` where they are refused."""

_FIELD_OF_PARAM = {
    "key_alias": "alias",
    "duration": "life",
    "models": "models",
    "max_budget": "budget",
    "budget_duration": "window",
    "tpm_limit": "tpm",
    "rpm_limit": "rpm",
    "team_id": "team",
    "user_id": "owner",
    "metadata": "metadata",
    "key_type": "type",
}


def suggest_alias(name: str | None) -> str:
    """`name-6 random`, with the part of the name before an `@` (S40)."""
    letters = string.ascii_lowercase + string.digits
    return f"{(name or 'key').partition('@')[0]}-{''.join(secrets.choice(letters) for _ in range(6))}"


HIDDEN = "[redacted]"
"""What stands for a secret in a name or in metadata (S3)."""
_NOT_HIDDEN = f"{HIDDEN} stands for what looks like a secret: take it out, or type it anew."


class KeyForm(Dialog[bool]):
    """`key` None makes a new one. Dismissed with True once `submit` went through, False where nothing was sent.

    `locked` maps a field's name to the reason why it cannot be changed here.
    """

    CSS_PATH = ["dialogs.tcss", "key_form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", id="form.cancel"),
        Binding("ctrl+s", "send", "save", id="form.save"),
        Binding("down", "app.focus_next", "next field", show=False, id="form.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="form.previous"),
    ]

    def __init__(
        self,
        *,
        key: Key | None,
        owner: str | None,
        pick_owner: bool,
        teams: Sequence[Team],
        models: Callable[[], Awaitable[Sequence[str]]],
        key_types: bool,
        submit: Submit,
        locked: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._key = key
        self._owner = owner
        self._pick_owner = pick_owner
        self._teams = teams
        self._models = models
        self._key_types = key_types
        self._submit = submit
        self._locked = locked or {}
        self._sending = False
        self._first: dict[str, str] = {}
        self._real: dict[str, str] = {}

    @property
    def unfinished(self) -> str | None:
        """A form in which something was typed, or whose call is on its way."""
        if self._sending:
            return "A key is being sent; the gateway may have taken it all the same."
        touched = any(self._typed(name) != value for name, value in self._first.items() if self.query(f"#{name}"))
        what = f"The changes to {self._key.label} are" if self._key else "The new key is"
        return f"{plain(what)} not sent." if touched else None

    def compose(self) -> ComposeResult:
        """One line a field, errors below the field they belong to."""
        key = self._key
        title = f"Edit {key.label} ({key.tail})" if key else "New virtual key"
        with Vertical(classes="dialog form"):
            yield Static(Text(fit_to_show(title)), classes="dialog-title")
            with VerticalScroll(can_focus=False, classes="form-fields"):
                alias = key.alias or "" if key else suggest_alias(self._owner)
                yield from self._input("alias", "Alias", alias)
                if self._pick_owner and not key:
                    yield from self._input("owner", "Owner", self._owner or "", "user id; empty for none")
                if self._teams and not key:
                    yield from self._select(
                        "team", "Team", [(fit_to_show(t.label), t.team_id) for t in self._teams], None, "none"
                    )
                yield from self._input(
                    "models", "Models", self._named(key.models) if key else "", "empty: all · enter picks from a list"
                )
                yield from self._input("budget", "Budget $", _number(key.max_budget) if key else "", "empty: no limit")
                yield from self._select(
                    "window", "Budget resets", self._windows(), key.budget_duration if key else None, "never"
                )
                yield from self._select("life", "Expires", self._lives(), KEEP if key else "90d", None)
                yield from self._input("tpm", "Tokens/min", _number(key.tpm_limit) if key else "", "empty: no limit")
                yield from self._input("rpm", "Requests/min", _number(key.rpm_limit) if key else "", "empty: no limit")
                if self._key_types and not key:
                    yield from self._select("type", "Type", list(TYPES), "default", None)
                shown = _shown_metadata(key) if key else {}
                metadata = _json(shown) if shown else ""
                yield from self._input("metadata", "Metadata", metadata, 'JSON, such as {"project": "search"}')
            yield Static("", id="wrong", classes="wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button(
                    f"{'Save' if key else 'Create'}  {keymap.key('form.save')}",
                    id="send",
                    variant="primary",
                    compact=True,
                )
                yield Button(f"Back  {keymap.key('form.cancel')}", id="back", compact=True)

    def _windows(self) -> list[tuple[str, str]]:
        now = self._key.budget_duration if self._key else None
        names = [*WINDOWS, *([now] if now and now not in WINDOWS else [])]
        return [(f"every {in_words(name)}", name) for name in names]

    def _lives(self) -> list[tuple[str, str]]:
        options = [(f"{in_words(name)} from now", name) for name in LIVES] + [("never", NEVER)]
        if self._key is None:
            return options
        now = "never" if self._key.expires_at is None else day(self._key.expires_at.date())
        return [(f"as it is ({now})", KEEP), *options]

    def _input(self, name: str, label: str, value: str, hint: str = "") -> ComposeResult:
        with Horizontal(classes="form-row"):
            yield Static(label, classes="form-label")
            value = self._first[name] = harmless(value)
            # the suggested alias gives way to what is typed; everything else is there to be changed
            suggested = name == "alias" and self._key is None
            field = Input(value, placeholder=hint, id=name, compact=True, select_on_focus=suggested)
            field.cursor_blink = False
            field.disabled = name in self._locked
            yield field
        yield Static(Text(plain(self._locked.get(name, ""))), id=f"{name}-wrong", classes="form-wrong")

    def _select(
        self, name: str, label: str, options: list[tuple[str, str]], value: str | None, blank: str | None
    ) -> ComposeResult:
        with Horizontal(classes="form-row"):
            yield Static(label, classes="form-label")
            shown = [(Text(text), found) for text, found in options]
            if blank is not None:
                # set at once: a value given after this would leave the prompt on screen
                chosen = Select.NULL if value is None else value
                select: Select[str] = Select(shown, prompt=blank, id=name, compact=True, allow_blank=True, value=chosen)
            else:
                select = Select(shown, id=name, compact=True, allow_blank=False, value=value or options[0][1])
            select.disabled = name in self._locked
            yield select
        yield Static(Text(plain(self._locked.get(name, ""))), id=f"{name}-wrong", classes="form-wrong")

    def on_mount(self) -> None:
        """Start at the first field that can be changed, and show why others cannot."""
        for name in self._locked:
            for line in self.query(f"#{name}-wrong"):
                line.add_class("shown")
        field = next((each for each in self.query(Input) if not each.disabled), None)
        if field:
            field.focus()

    @on(Input.Submitted, "#models")
    @work
    async def pick_models(self) -> None:
        """Enter in the models field opens the list."""
        team = self._chosen("team")
        names = next((t.models for t in self._teams if t.team_id == team and t.models), [])
        if not names:
            self._say("reading the models …", look.DIM)
            names = list(await self._models())
            self._say("")
        field = self.query_one("#models", Input)
        picked = await self.app.push_screen_wait(PickModels(names, self._models_in(field.value)))
        if picked is not None:
            field.value = self._named(picked)

    @on(Input.Submitted)
    def on_enter(self, event: Input.Submitted) -> None:
        """Enter goes to the next field."""
        if event.input.id != "models":
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Send or leave."""
        if event.button.id == "send":
            self.action_send()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Nothing is sent."""
        if not self._sending:
            self.dismiss(False)

    @work
    async def action_send(self) -> None:
        """Check, send, and stay where something is wrong."""
        if self._sending:
            return
        self._clear()
        fields, wrong = self.read()
        if wrong:
            for name, sentence in wrong.items():
                self._complain(name, sentence)
            return
        if self._key is not None and not fields:
            self.dismiss(False)
            return
        self._sending = True
        self._say("sending …", look.DIM)
        try:
            await self._submit(fields)
        except GatewayError as error:
            self._refused(error, fields)
        else:
            self.dismiss(True)
        finally:
            self._sending = False

    def _touched(self, name: str) -> bool:
        """Whether the person changed the field; what was not touched is neither checked nor sent in an edit."""
        return self._key is None or self._typed(name) != self._first[name]

    def read(self) -> tuple[dict[str, Any], dict[str, str]]:
        """What to send, in LiteLLM's names (for an edit: what changed alone), and what is wrong by field."""
        wrong: dict[str, str] = {}
        found: dict[str, Any] = {}
        key = self._key
        if self._touched("alias"):
            alias = self._typed("alias").strip()
            if not alias and (key is None or key.alias):
                wrong["alias"] = "A name is needed: it is how people and bills tell keys apart."
            if HIDDEN in alias:
                wrong["alias"] = _NOT_HIDDEN
            found["key_alias"] = alias
        if self._touched("models"):
            found["models"] = self._models_in(self._typed("models"))
        if self._touched("budget"):
            found["max_budget"] = self._amount("budget", wrong)
        window = self._chosen("window")
        if key is None or window != key.budget_duration:
            if window is not None and not is_duration(window):
                wrong["window"] = "LiteLLM knows s, m, h, d, w and mo, such as 30d."
            elif window and not self._typed("budget").strip():
                wrong["window"] = "A reset needs a budget above."
            found["budget_duration"] = window
        for name, field in (("tpm", "tpm_limit"), ("rpm", "rpm_limit")):
            if self._touched(name):
                found[field] = self._limit(name, wrong)
        life = self._chosen("life")
        if key is None:
            found |= self._for_a_new_key(wrong)
            found["duration"] = None if life == NEVER else life
            return found, wrong
        if self._touched("metadata"):
            # a hidden secret that was left where it is stays as it is
            before, after = json.loads(self._first["metadata"] or "{}"), self._metadata(wrong)
            gone = dict.fromkeys(before.keys() - after.keys())
            if any(HIDDEN in json.dumps(value) for name, value in after.items() if before.get(name) != value):
                wrong["metadata"] = _NOT_HIDDEN
            found["metadata"] = {name: value for name, value in after.items() if before.get(name) != value} | gone
        if life == NEVER and key.expires_at is not None:
            found["duration"] = None
        elif life not in (KEEP, NEVER):
            found["duration"] = life
        return found, wrong

    def _named(self, models: Sequence[str]) -> str:
        """The models as they stand in the field; `_models_in` knows them again."""
        self._real |= {_written(name): name for name in models}
        return ", ".join(map(_written, models))

    def _models_in(self, text: str) -> list[str]:
        return [self._real.get(name, name) for name in _split(text)]

    def _for_a_new_key(self, wrong: dict[str, str]) -> dict[str, Any]:
        owner = self._typed("owner").strip() or None if self.query("#owner") else self._owner
        found: dict[str, Any] = {"user_id": owner, "metadata": self._metadata(wrong)}
        if self.query("#team"):
            found["team_id"] = self._chosen("team")
        if self.query("#type"):
            found["key_type"] = self._chosen("type")
        return found

    def _typed(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _chosen(self, name: str) -> str | None:
        found = self.query(f"#{name}")
        value = found.first(Select).value if found else None
        return value if isinstance(value, str) else None

    def _amount(self, name: str, wrong: dict[str, str]) -> float | None:
        text = self._typed(name).strip().lstrip("$").replace(",", "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e12:
            wrong[name] = "An amount in USD, such as 10 or 2.50; empty for no limit."
        return value

    def _limit(self, name: str, wrong: dict[str, str]) -> int | None:
        text = self._typed(name).strip().replace(",", "")
        if not text:
            return None
        if not text.isdecimal() or len(text) > 15:
            wrong[name] = "A whole number; empty for no limit."
            return None
        return int(text)

    def _metadata(self, wrong: dict[str, str]) -> dict[str, Any]:
        text = self._typed("metadata").strip()
        if not text:
            return {}
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            wrong["metadata"] = 'A JSON object, such as {"project": "search"}.'
            return {}
        return found

    def _refused(self, error: GatewayError, fields: Mapping[str, Any]) -> None:
        if isinstance(error, NotConnected):
            self._say(f"{error} Nothing was sent; {keymap.key('form.save')} tries again.")
            return
        if isinstance(error, Unreachable):
            again = "made" if self._key is None else "changed"
            self._say(f"{error} The key may have been {again} all the same: esc, look at the list, then try again.")
            return
        name = _FIELD_OF_PARAM.get((error.param or "").split(".")[0], "")
        if self.query(f"#{name}" if name else "#nothing"):
            self._say("")
            self._complain(name, str(error))
        else:
            self._say(f"Refused: {error}")

    def _complain(self, name: str, sentence: str) -> None:
        line = self.query_one(f"#{name}-wrong", Static)
        line.update(Text(harmless(sentence)))
        line.add_class("shown")
        self.query_one(f"#{name}").focus()

    def _say(self, sentence: str, style: str = "") -> None:
        self.query_one("#wrong", Static).update(Text(harmless(sentence), style=style))

    def _clear(self) -> None:
        self._say("")
        for line in self.query(".form-wrong"):
            if (line.id or "").removesuffix("-wrong") not in self._locked:
                line.remove_class("shown")


class PickModels(Dialog[list[str] | None]):
    """Several models out of those that may be called; none chosen means all."""

    CSS_PATH = ["dialogs.tcss", "key_form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", id="pick.cancel"),
        Binding("enter", "take", "take", id="pick.take", priority=True),
        Binding("j", "move('down')", "down", show=False, id="pick.down"),
        Binding("k", "move('up')", "up", show=False, id="pick.up"),
    ]

    def __init__(self, names: Sequence[str], chosen: Sequence[str]) -> None:
        super().__init__()
        self._names = [*dict.fromkeys([*names, *chosen])]
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        """The list and its keys."""
        with Vertical(classes="dialog"):
            yield Static("Models this key may call", classes="dialog-title")
            yield SelectionList[str](
                *(Selection(Text(fit_to_show(name)), name, name in self._chosen) for name in self._names), compact=True
            )
            yield Static(Text("space marks · enter takes them (none: all) · esc goes back", style=look.DIM))

    def action_move(self, way: str) -> None:
        """Vi keys."""
        found = self.query_one(SelectionList)
        if way == "down":
            found.action_cursor_down()
        else:
            found.action_cursor_up()

    def action_take(self) -> None:
        """The marked names, in the list's order."""
        picked = set(self.query_one(SelectionList).selected)
        self.dismiss([name for name in self._names if name in picked])

    def action_cancel(self) -> None:
        """As it was."""
        self.dismiss(None)


def _split(text: str) -> list[str]:
    return [*dict.fromkeys(name for part in text.split(",") if (name := part.strip()))]


def _shown_metadata(key: Key) -> dict[str, Any]:
    """The metadata without this program's own notes, which a person has no business with."""
    return {name: value for name, value in key.metadata.items() if name not in (NOTE, RETIRED)}


def _written(name: str) -> str:
    """A model's name in a list with commas; one that cannot be shown as it is comes as JSON writes it."""
    if plain(name) == name == name.strip() and "," not in name:
        return harmless(name)
    return harmless(json.dumps(name)[1:-1].replace(",", "\\u002c"))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # what cannot be shown as it is would be changed by saving it
    return text if plain(text) == text else json.dumps(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
