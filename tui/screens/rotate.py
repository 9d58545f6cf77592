"""Rotating one virtual key: what will be copied, the steps as they happen, nothing retired before a word."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Button, Input, Select, Static

from tui import keymap, look
from tui.delivery import EnvFile, NewFile, Place, check, deliver, delivered, file_for, occupied
from tui.files import FileError
from tui.formatting import harmless
from tui.gateway import rotation
from tui.gateway.capabilities import licensed
from tui.gateway.client import Client
from tui.gateway.errors import GatewayError
from tui.gateway.rotation import How, Successor
from tui.gateway.schema import Key
from tui.screens.dialogs import AskText, Confirm
from tui.screens.rotation_dialog import RotationDialog, retire, to_know
from tui.screens.secret import wrong_new_file
from tui.screens.sure import confirmed_end, sure
from tui.workspace import Workspace

if TYPE_CHECKING:
    from tui.app import LitellmTui

SUCCESSOR, REGENERATE = "successor", "regenerate"
WAYS = (("a new key beside the old one", SUCCESSOR), ("LiteLLM's own regenerate (licence)", REGENERATE))
RISK = (
    "LiteLLM puts a new secret on this very key and tells it in that one answer. If the connection drops then, the new "
    "secret is lost for good and the old one still ends after the grace period. It cannot be undone."
)
SCREEN, ENV_FILE, NEW_FILE = "screen", "env", "file"
PLACES = (("this screen", SCREEN), ("a variable in an env file", ENV_FILE), ("a new file", NEW_FILE))


class Rotate(RotationDialog[str | None]):
    """Dismissed with the new secret where the session's own key was rotated to its end, else None.

    Until "I have it" both keys work; leaving before that leaves an unfinished rotation, which the list shows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "reveal", "show or hide", id="rotate.reveal"),
        Binding("y", "copy", "copy", id="rotate.copy"),
        Binding("w", "write", "write to a file", id="rotate.write"),
    ]

    def __init__(self, workspace: Workspace, key: Key) -> None:
        super().__init__(workspace, f"Rotate {key.label} ({key.tail})", "I have it: retire the old key")
        self._record = key
        self._plan = self._make_plan(key, "same" if not self._over else "90d", "24h")
        self._made: Successor | None = None
        self._secret = ""
        self._place: Place | None = None
        self._shown = False
        self._tried = False

    @property
    def _over(self) -> bool:
        ends = self._record.expires_at
        return ends is not None and ends <= self._workspace.clock()

    def compose_choices(self) -> ComposeResult:
        """The way, the two ends, and where the secret goes."""
        yield from self._select("way", "By", WAYS, row="ways")
        yield from self._input("life", "New key", "90d" if self._over else "same", self._life_hint())
        yield from self._input("grace", "Old key", "24h", "24h 1h 7d 90s · 0 deletes it now")
        yield from self._select("place", "Secret goes to", PLACES)
        with Vertical(id="where"):
            yield from self._input("path", "File", self._env_file, "")
            with Vertical(id="named"):
                yield from self._input("variable", "Variable", "OPENAI_API_KEY", "")

    @property
    def _env_file(self) -> str:
        """The usual env file; in the demo one that nobody needs, as made-up secrets are no use in a real one."""
        demo = self._workspace.session.settings.demo
        return str(Path(tempfile.gettempdir()) / "litellm-tui-demo.env") if demo else "~/.env"

    def _life_hint(self) -> str:
        ends = self._record.expires_at
        same = f"same: ends {ends:%d %b %Y}" if ends else "same: never ends"
        return f"{same} · 90d · never"

    def on_mount(self) -> None:
        """Show what would happen; the safe choices are filled in."""
        self.query_one("#where").display = False
        self.query_one("#ways").display = False
        self._show_plan()
        if self._workspace.session.rights.admin and not self._workspace.session.rights.read_only:
            self._look_for_licence()

    @work
    async def _look_for_licence(self) -> None:
        """With one, LiteLLM's own way is a choice; never the first."""
        if await licensed(self._workspace.session.client) and self._made is None:
            self.query_one("#ways").display = True

    @property
    def _regenerates(self) -> bool:
        return self.query_one("#way", Select).value == REGENERATE

    # Before anything is made

    def _show_plan(self) -> None:
        kept = " · ".join(f"{label} {value}" for label, value in self._plan.copied)
        text = Text("Keeps  ", style=look.DIM)
        text.append(harmless(kept), style="not dim")
        self.query_one("#keeps", Static).update(text)
        lines = Text()
        if self._regenerates:
            lines.append(f"! {RISK}\n", style=look.WARN)
            self.query_one("#warnings", Static).update(lines)
            self._say("")
            return
        for warning in to_know(self._plan):
            lines.append(f"! {harmless(warning)}\n", style=look.WARN)
        # the first two, making and trying the new key, are on screen when they happen
        for step in self._plan.steps[2:]:
            lines.append(f"· {harmless(step)}\n", style=look.DIM)
        lines.rstrip()
        self.query_one("#warnings", Static).update(lines)
        self._say(self._plan.problem or "", look.BAD)

    @on(Input.Changed)
    def on_choice(self) -> None:
        """The words follow the choices."""
        if self._made is None and not self._busy and self.is_mounted and self.query("#grace"):
            self._plan = self._make_plan(self._record, self._life(), self._value("grace"))
            self._show_plan()

    @on(Select.Changed, "#way")
    def on_way(self) -> None:
        """The other way has its own words, and no end of its own."""
        self.query_one("#life", Input).disabled = self._regenerates
        self._show_plan()

    @on(Select.Changed, "#place")
    def on_place(self) -> None:
        """A file needs a path, a variable a name."""
        place = self.query_one("#place", Select).value
        self.query_one("#where").display = place != SCREEN
        self.query_one("#named").display = place == ENV_FILE
        path = self.query_one("#path", Input)
        if place == NEW_FILE and path.value == self._env_file:
            path.value = str(file_for(self._record.alias, Path("~")).with_suffix(".key"))
        elif place == ENV_FILE and path.value.endswith(".key"):
            path.value = self._env_file

    def _chosen_place(self) -> Place | None:
        place = self.query_one("#place", Select).value
        if place == SCREEN:
            return None
        path = Path(self._value("path"))
        return EnvFile(path, self._value("variable")) if place == ENV_FILE else NewFile(path)

    # The steps

    @work
    async def action_begin(self) -> None:
        """Create, prove, deliver; the old key is not touched. Or, where that was chosen, LiteLLM's own way."""
        if self._secret or self._busy:
            return
        self._plan = self._make_plan(self._record, self._life(), self._value("grace"))
        self._place = self._chosen_place()
        problem = None if self._regenerates else self._plan.problem
        wrong = problem or (check(self._place) if self._place else None)
        if wrong:
            self._say(wrong, look.BAD)
            return
        if self._place and not await may_replace(self, [(self._place, self._record)]):
            return
        title = f"Regenerate {self._record.label} ({self._record.tail})?"
        settings = self._workspace.session.settings
        if self._regenerates and not await sure(self.app, settings, [self._record], title, [RISK], "Regenerate"):
            return
        self._under_way()
        try:
            await (self._regenerate() if self._regenerates else self._create_and_prove())
        finally:
            self._busy = False

    async def _regenerate(self) -> None:
        self._step("▸", "regenerating …")
        try:
            made = await rotation.regenerate(self._workspace.session.client, self._record, self._value("grace"))
        except GatewayError as error:
            self._last("✘", str(error), look.BAD)
            return
        self._secret = made.secret
        self._last("✔", f"the key has a new secret, {made.name[-4:]}", look.GOOD)
        if self._place is not None:
            self._deliver(self._place)
        self._offer()

    async def _create_and_prove(self) -> None:
        client = self._workspace.session.client
        self._step("▸", "creating …")
        try:
            made = await rotation.create(client, self._plan)
        except GatewayError as error:
            self._last("✘", str(error), look.BAD)
            self._step(" ", f"The old key is as it was. {keymap.key('rotate.leave')} goes back.")
            return
        self._made, self._secret = made, made.secret
        self._last("✔", f"created  {made.rotation.new.tail}, for now as {made.alias}", look.GOOD)
        for note in made.notes:
            self._step("!", note, look.WARN)
        self._step("▸", "trying it …")
        try:
            await rotation.prove(self._workspace.session.connect, made)
        except GatewayError as error:
            self._last("✘", str(error), look.BAD)
            self._step(
                " ", f"Both keys are there; {keymap.key('rotate.leave')} leaves it, and the list offers to undo it."
            )
            return
        self._last("✔", "answers", look.GOOD)
        if self._place is not None:
            self._deliver(self._place)
        self._offer()

    def _deliver(self, place: Place) -> None:
        try:
            self._step("✔", deliver(place, self._secret), look.GOOD)
        except FileError as error:
            self._step("✘", f"{error} Take the secret from here.", look.BAD)

    def _offer(self) -> None:
        self._step(" ", "")
        button = self.query_one("#have-it", Button)
        then = {How.GRACE: ": retire the old key", How.DELETE: ": delete the old key", How.KEEP: ": keep both for now"}
        button.label = f"I have it{then[self._plan.how] if self._made else ''}  {keymap.key('rotate.have-it')}"
        button.display = True
        self.query_one("#leave", Button).label = f"Later  {keymap.key('rotate.leave')}"
        self.query_one("#leave").display = self._made is not None
        self._draw()

    @property
    def _masked(self) -> str:
        return self._secret if self._shown else f"{self._secret[:3]}{'•' * 18}{self._secret[-4:]}"

    def action_reveal(self) -> None:
        """Show or mask the secret."""
        if self._secret and not self._done:
            self._shown = not self._shown
            self._draw()

    @work
    async def action_copy(self) -> None:
        """Send the secret to the clipboard."""
        if self._secret and not self._done:
            self._say(await cast("LitellmTui", self.app).copy(self._secret))

    @work
    async def action_write(self) -> None:
        """Write the secret to a new file."""
        if not self._secret or self._done:
            return

        path = await self.app.push_screen_wait(
            AskText("Write the new key to a new file (mode 0600)", hint="such as ~/laptop.key", check=wrong_new_file)
        )
        if path is not None:
            try:
                self._say(deliver(NewFile(Path(path.strip())), self._secret), look.GOOD)
            except FileError as error:
                self._say(str(error), look.BAD)

    @work
    async def action_have_it(self) -> None:
        """The person has the secret: retire the old key, hand the name over."""
        if self._busy or self._done or not self.query_one("#have-it").display:
            return
        if self._made is None:
            self._done = True
            self.dismiss(self._secret if self._plan.own else None)
            return
        settings = self._workspace.session.settings
        if self._plan.how is How.DELETE and not await confirmed_end(self.app, settings, [self._record]):
            return
        self._busy = True
        self._shown = False
        self._say("")
        try:
            await self._retire(self._made)
        finally:
            self._busy = False

    async def _retire(self, made: Successor) -> None:
        plan = self._plan
        grace = plan.grace if plan.how is How.GRACE else None
        self._step("▸", "retiring the old key …")
        try:
            async with _client(self._workspace, made, own=plan.own) as client:
                if self._tried and plan.how is not How.KEEP:
                    # how far the first try came is in the records alone
                    await rotation.finish(client, made.rotation, secret_is_safe=True, how=plan.how, grace=grace)
                else:
                    self._tried = True
                    await retire(client, plan, made)
        except GatewayError as error:
            self._last("✘", str(error), look.BAD)
            self._step(
                " ", f"{keymap.key('rotate.have-it')} tries again. Later, the list shows what is left: {_ways()}."
            )
            return
        self._done = True
        self.query_one("#have-it").display = False
        self.query_one("#leave", Button).label = f"Close  {keymap.key('rotate.leave')}"
        name = self._record.label
        if plan.how is How.KEEP:
            self._last(
                "✔", "both keys stay; the list goes on showing this rotation until the old one may go", look.GOOD
            )
        elif plan.how is How.DELETE:
            self._last("✔", f"the old key is deleted, the new one is {name}", look.GOOD)
        else:
            ends = f"{plan.old_ends:%Y-%m-%d %H:%M} UTC" if plan.old_ends else "its own end"
            old = "the old key has ended" if self._over else f"the old key works until {ends}"
            self._last("✔", f"{old}, the new one is {name}", look.GOOD)
        self._draw()

    # What is drawn

    def _page(self) -> Text:
        page = super()._page()
        if self._secret and not self._done and self.query_one("#have-it").display:
            page.append(f"▸ {self._masked}\n", style=f"{look.STRONG} {look.GOOD}")
            for action, label in (("reveal", "show or hide"), ("copy", "copy"), ("write", "write to a file")):
                page.append(keymap.key(f"rotate.{action}"), style=look.STRONG)
                page.append(f" {label}   ")
            if self._made is not None and not self._tried:
                alive = "" if self._over or self._record.blocked else "The old key still works. "
                page.append(f"\n\n{alive}Nothing is retired until you say that you have the new one.")
        return page

    # Leaving

    def leave(self) -> None:
        """Not without the secret that is shown this once; an unfinished rotation is told of."""
        if self._secret and self._made is None and not self._done:
            self._say(
                f"This secret is shown only this once. {keymap.key('rotate.have-it')} when you have it.", look.WARN
            )
            return
        new_secret = self._made.secret if self._made and self._done and self._plan.own else None
        if self._made is not None and not self._done:
            cast("LitellmTui", self.app).tell(f"The rotation is listed as unfinished: {_ways()}.", severity="warning")
        self.dismiss(new_secret)


def _ways() -> str:
    return f"{keymap.key('keys.finish')} finishes it, {keymap.key('keys.undo')} takes it back"


async def may_replace(screen: Screen[Any], places: Sequence[tuple[Place, Key]]) -> bool:
    """Whether every variable is free, holds the key that is rotated, or may be replaced by a person's word."""
    found = [
        place
        for place, key in places
        if isinstance(place, EnvFile) and occupied(place) and not delivered(place, key.hash)
    ]
    if not found:
        return True
    lines = [f"{place.describe()} holds something else than this key." for place in found]
    lines.append("It is replaced, and what is there now is not kept anywhere.")
    question = Confirm("Replace what is in the env file?", lines, "Replace")
    return await screen.app.push_screen_wait(question)


class _client:
    """The client that may retire: the session's, or where its own key is rotated one of the new secret."""

    def __init__(self, workspace: Workspace, made: Successor, *, own: bool) -> None:
        self._client: Client = workspace.session.connect(made.secret) if own else workspace.session.client
        self._close = own

    async def __aenter__(self) -> Client:
        return self._client

    async def __aexit__(self, *_: object) -> None:
        if self._close:
            await self._client.aclose()
