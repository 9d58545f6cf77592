"""The first start: URL and key, tested before they are kept; what is saved holds no key unless asked for."""

from dataclasses import replace
from typing import ClassVar

import httpx
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, Select, Static

from tui import keymap, look
from tui.config import (
    Config,
    ConfigError,
    Flags,
    Settings,
    UrlError,
    check_url,
    default_path,
    env_read_only,
    load,
    resolve,
    save_profile,
)
from tui.credentials import CredentialError, HeldKey, clean_key, store_key
from tui.files import FileError, write_private
from tui.formatting import harmless
from tui.gateway.errors import GatewayError
from tui.startup import Session, explain, start
from tui.widgets.bars import Hint, Hints, Line

KEEPING = (
    ("in memory, asked for at each start", "ask"),
    ("in a file of mode 0600 beside the configuration", "file"),
    ("in the system's keyring (needs litellm-tui[keyring])", "keyring"),
)


class Setup(Screen[Settings | None]):
    """Dismissed with settings to connect with, or None where the person went away.

    What is typed is kept in `typed`, by field, for the next time that this screen is opened: all but the key.
    """

    CSS_PATH = ["dialogs.tcss", "key_form.tcss", "setup.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "quit", id="setup.cancel"),
        Binding("ctrl+t", "test", "test", id="setup.test"),
        Binding("ctrl+s", "save", "save and connect", id="setup.save"),
        Binding("ctrl+o", "once", "connect without saving", id="setup.once"),
        Binding("down", "app.focus_next", "next field", show=False, id="setup.next"),
        Binding("up", "app.focus_previous", "previous field", show=False, id="setup.previous"),
    ]

    def __init__(
        self,
        config: Config,
        flags: Flags,
        before: Settings | None,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        typed: dict[str, str],
    ) -> None:
        super().__init__()
        self._transport = transport
        self._config = config
        self._flags = flags
        self._before = before
        self._typed = typed

    def compose(self) -> ComposeResult:
        """One line a field."""
        before = self._before
        yield Line(id="top")
        with VerticalScroll(can_focus=False, classes="setup"):
            yield Static("Connect to a LiteLLM gateway", classes="dialog-title")
            yield from self._input(
                "url", "URL", before.url if before and not before.demo else "", "https://llm.example.com"
            )
            yield from self._input("key", "Key", "", "sk-…  your own key, or an admin's", secret=True)
            yield from self._input(
                "name", "Profile name", before.profile if before and before.from_profile else "default", ""
            )
            yield from self._input("user", "User", "", "only with an admin key: whose keys to show; empty: everyone's")
            with Horizontal(classes="form-row"):
                yield Static("Keep the key", classes="form-label")
                ways = [(Text(text), name) for text, name in KEEPING]
                keep = self._typed.get("keep", KEEPING[0][1])
                yield Select(ways, id="keep", compact=True, allow_blank=False, value=keep)
            yield Static("", id="said")
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"Test  {keymap.key('setup.test')}", id="test", compact=True)
                yield Button(
                    f"Save and connect  {keymap.key('setup.save')}", id="save", variant="primary", compact=True
                )
                yield Button(f"Connect once  {keymap.key('setup.once')}", id="once", compact=True)
            path = self._config.path or default_path()
            yield Static(
                Text(f"Saved to {path}. Nothing there yet? --demo shows the app with made-up data.", style=look.DIM)
            )
        yield Hints()

    def _input(self, name: str, label: str, value: str, hint: str, *, secret: bool = False) -> ComposeResult:
        with Horizontal(classes="form-row"):
            yield Static(label, classes="form-label")
            value = value if secret else self._typed.get(name, value)
            field = Input(value, placeholder=hint, id=name, compact=True, password=secret, select_on_focus=False)
            field.cursor_blink = False
            yield field
        yield Static("", id=f"{name}-wrong", classes="form-wrong")

    def on_mount(self) -> None:
        """The cursor goes to the first empty field."""
        self.query_one("#top", Line).show(Text(" litellm-tui  set up", style=look.STRONG))
        self.query_one(Hints).set(
            [
                Hint(keymap.key("setup.test"), "test"),
                Hint(keymap.key("setup.save"), "save and connect"),
                Hint(keymap.key("setup.once"), "connect once"),
                Hint(keymap.key("setup.cancel"), "quit" if self._before is None else "back"),
            ]
        )
        field = self.query_one("#url", Input)
        (self.query_one("#key", Input) if field.value else field).focus()

    @on(Input.Changed)
    def on_typed(self, event: Input.Changed) -> None:
        """Keep it for the next time; a secret is in its field alone, and goes with it."""
        if not event.input.password:
            self._typed[event.input.id or ""] = event.value

    @on(Select.Changed, "#keep")
    def on_keep(self, event: Select.Changed) -> None:
        """Keep this as well."""
        self._typed["keep"] = str(event.value)

    @on(Input.Submitted)
    def on_enter(self) -> None:
        """Enter goes to the next field."""
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As the keys."""
        {"test": self.action_test, "save": self.action_save, "once": self.action_once}[event.button.id or "test"]()

    def action_cancel(self) -> None:
        """Nothing is kept."""
        self.dismiss(None)

    @work(exclusive=True)
    async def action_test(self) -> None:
        """Connect, say as whom, and disconnect."""
        settings = self._settings()
        if settings is not None:
            await self._try(settings)

    @work(exclusive=True)
    async def action_once(self) -> None:
        """Connect; nothing is written."""
        settings = self._settings()
        if settings is not None and await self._try(settings):
            self.dismiss(settings)

    @work(exclusive=True)
    async def action_save(self) -> None:
        """Connect, write the profile, go on."""
        settings = self._settings()
        if settings is None or not await self._try(settings):
            return
        try:
            self.dismiss(await self._save(settings))
        except (ConfigError, FileError, CredentialError) as error:
            self._say(str(error), look.BAD)

    async def _save(self, settings: Settings) -> Settings:
        path = self._config.path or default_path()
        name = self._value("name") or "default"
        secret = clean_key(self._value("key"))
        fields: dict[str, object] = {"url": settings.url, "user": self._value("user") or None}
        keep = self.query_one("#keep", Select).value
        if keep == "file":
            key_file = path.parent / f"{name}.key"
            write_private(key_file, secret.reveal() + "\n", exist_ok=True)
            fields["api_key_file"] = str(key_file)
        elif keep == "keyring":
            await store_key(name, secret)
            fields["keyring"] = True
        save_profile(path, name, default=False, **fields)
        found = resolve(load(path, {}), replace(self._flags, profile=name, url=None), {}) or settings
        return replace(found, credential=HeldKey(secret), read_only=found.read_only or self._read_only)

    @property
    def _read_only(self) -> bool:
        """A session that was read-only, by flag, variable or profile, does not lose that by setting up another."""
        return self._flags.read_only or (self._before is not None and self._before.read_only) or env_read_only()

    def _settings(self) -> Settings | None:
        for line in self.query(".form-wrong"):
            line.remove_class("shown")
        self._say("")
        try:
            url = check_url(self._value("url"))
        except UrlError as error:
            self._complain("url", str(error))
            return None
        try:
            secret = clean_key(self._value("key"))
        except CredentialError as error:
            self._complain("key", str(error))
            return None
        name = self._value("name") or "default"
        if not name.replace("-", "").replace("_", "").isalnum():
            self._complain("name", "Letters, digits, - and _ only.")
            return None
        return Settings(
            profile=name,
            url=url,
            credential=HeldKey(secret),
            user=self._value("user") or None,
            read_only=self._read_only,
            sources={"url": "the setup screen", "key": "the setup screen"},
        )

    async def _try(self, settings: Settings) -> bool:
        session: Session | None = None
        try:
            # without the user: a test creates nobody
            session = await start(
                replace(settings, user=None), transport=self._transport, said=lambda step: self._say(f"{step} …")
            )
        except (GatewayError, CredentialError) as error:
            trouble = explain(error, settings)
            self._say("\n".join([f"{trouble.title}: {trouble.sentence}", *trouble.advice]), look.BAD)
            return False
        else:
            release = f"LiteLLM {session.server.version}" if session.server.version else "LiteLLM"
            self._say(f"✔ {release}, as {session.about} with the role {session.rights.role}.", look.GOOD)
            return True
        finally:
            if session is not None:
                await session.client.aclose()

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _complain(self, name: str, sentence: str) -> None:
        line = self.query_one(f"#{name}-wrong", Static)
        line.update(Text(harmless(sentence)))
        line.add_class("shown")
        self.query_one(f"#{name}").focus()

    def _say(self, sentence: str, style: str = look.DIM) -> None:
        text = "\n".join(harmless(line) for line in sentence.split("\n"))
        self.query_one("#said", Static).update(Text(text, style=style))
