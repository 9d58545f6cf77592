"""Rotating several marked keys, one after another, into one env file or a folder of files."""

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Button, Input, Select, Static

from tui import keymap, look
from tui.delivery import Place, check, deliver, places_for
from tui.files import FileError
from tui.formatting import harmless
from tui.gateway import rotation
from tui.gateway.errors import GatewayError
from tui.gateway.rotation import How, Plan, Successor
from tui.gateway.schema import Key
from tui.screens.rotate import may_replace
from tui.screens.rotation_dialog import RotationDialog, retire, to_know
from tui.screens.sure import confirmed_end
from tui.workspace import Workspace

ENV_FILE, FOLDER = "env", "folder"
PLACES = (("one env file, a variable a key", ENV_FILE), ("a folder, an env file a key", FOLDER))
BEGUN = "A rotation of it is unfinished; finish or undo that first."
OWN = "This session uses it; rotate it alone."
MOST_PLANS = 200
"""Keys whose plan is shown; nobody reads more of them, and each letter of a choice makes them all anew."""
MOST_REST = 20
"""Keys that are named among those that nothing was done with."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One key's plan, or why it is left out."""

    plan: Plan
    why_not: str | None

    @property
    def label(self) -> str:
        """What a person calls the key."""
        return self.plan.key.label


class RotateMany(RotationDialog[bool]):
    """Makes and writes every successor first; the old keys are retired together, on "I have them".

    A key that cannot be rotated is left out, with its reason, before anything is made. One failure after that stops
    what has not begun; what is done stays, and the list shows it as unfinished. Dismissed with whether anything began.
    """

    def __init__(self, workspace: Workspace, keys: list[Key]) -> None:
        super().__init__(workspace, f"Rotate {len(keys):,} keys", "I have them: retire the old keys")
        self._chosen = keys
        # both the old key and the new one of a rotation on its way have to wait for its end
        self._begun = {hash for each in workspace.unfinished() for hash in (each.new.hash, each.note.of)}
        self._made: list[tuple[Plan, Successor]] = []
        self._started = False
        self._shown = ("", "")
        """The choices that the plans on screen are made from."""

    def compose_choices(self) -> ComposeResult:
        """The two ends, and where the secrets go."""
        yield from self._input("life", "New keys", "same", "same: each its own end · 90d · never")
        yield from self._input("grace", "Old keys", "24h", "24h 1h 7d 90s · 0 deletes them now")
        yield from self._select("place", "Secrets go to", PLACES)
        yield from self._input("path", "Path", "~/.env", "")

    def on_mount(self) -> None:
        """Show what would happen to each key."""
        self._show_plans()

    @on(Input.Changed, "#life, #grace")
    def on_choice(self) -> None:
        """The words follow the choices."""
        if not self._started and (self._value("life"), self._value("grace")) != self._shown:
            self._show_plans()

    @on(Select.Changed, "#place")
    def on_place(self) -> None:
        """Another kind of place, another usual path."""
        path = self.query_one("#path", Input)
        if path.value in ("~/.env", "~/keys"):
            path.value = "~/keys" if self.query_one("#place", Select).value == FOLDER else "~/.env"

    # Before anything is made

    def _intents(self) -> list[Intent]:
        plans = [self._make_plan(key, self._life(), self._value("grace")) for key in self._chosen]
        return [Intent(plan, self._why_not(plan)) for plan in plans]

    def _why_not(self, plan: Plan) -> str | None:
        if plan.key.hash in self._begun:
            return BEGUN
        return plan.problem or (OWN if plan.own else None)

    def _show_plans(self) -> None:
        self._shown = self._value("life"), self._value("grace")
        intents = self._intents()
        reasons = {intent.why_not for intent in intents}
        same = reasons.pop() if len(reasons) == 1 else None
        self._say(same or "", look.BAD)
        going = sum(intent.why_not is None for intent in intents)
        said = Text(f"{going:,} of {len(intents):,} will be rotated:" if going < len(intents) else "", style=look.DIM)
        self.query_one("#keeps", Static).display = bool(said)
        self.query_one("#keeps", Static).update(said)
        page = Text()
        for intent in intents[:MOST_PLANS]:
            if intent.why_not:
                page.append("✘ ", style=look.WARN)
                page.append(f"{harmless(intent.label)}\n", style=look.DIM)
                page.append("" if same else f"  left out: {harmless(intent.why_not)}\n", style=look.WARN)
                continue
            page.append(f"▸ {harmless(intent.label)}")
            page.append(f"  {_would(intent.plan)}\n", style=look.DIM)
            for warning in to_know(intent.plan):
                page.append(f"  ! {harmless(warning)}\n", style=look.WARN)
        if rest := intents[MOST_PLANS:]:
            left_out = sum(intent.why_not is not None for intent in rest)
            page.append(f"and {len(rest):,} more" + (f", {left_out:,} of them left out" if left_out else ""), look.DIM)
        page.rstrip()
        self.query_one("#warnings", Static).update(page)

    def _places(self, keys: list[Key]) -> list[Place]:
        path = Path(self._value("path"))
        if self.query_one("#place", Select).value == FOLDER:
            return places_for(keys, folder=path)
        return places_for(keys, env_file=path)

    # The steps

    @work
    async def action_begin(self) -> None:
        """Check every key and place before the first is made, then go through those that can be rotated."""
        if self._started:
            return
        if not self._value("path"):
            self._say("Name a file or a folder.", look.BAD)
            return
        intents = self._intents()
        plans = [intent.plan for intent in intents if intent.why_not is None]
        if not plans:
            self._say(intents[0].why_not or "", look.BAD)
            return
        chosen = [plan.key for plan in plans]
        places = self._places(chosen)
        for key, place in zip(chosen, places, strict=True):
            if wrong := check(place):
                self._say(f"{key.label}: {wrong}", look.BAD)
                return
        if not await may_replace(self, list(zip(places, chosen, strict=True))):
            return
        self._started = True
        self._under_way()
        self.query_one("#keeps").display = False
        try:
            await self._make(plans, places)
        finally:
            self._busy = False
        self._rest([intent.label for intent in intents if intent.why_not], "left out")
        if self._made:
            self.query_one("#have-it").display = True
            self.query_one("#leave", Button).label = f"Later  {keymap.key('rotate.leave')}"

    async def _make(self, plans: list[Plan], places: list[Place]) -> None:
        session = self._workspace.session
        for number, (plan, place) in enumerate(zip(plans, places, strict=True)):
            label = plan.key.label
            self._step("▸", f"{label}: creating …")
            try:
                made = await rotation.create(session.client, plan)
                await rotation.prove(session.connect, made)
                said = deliver(place, made.secret)
            except (GatewayError, FileError) as error:
                self._last("✘", f"{label}: {error}", look.BAD)
                self._rest([each.key.label for each in plans[number + 1 :]], "not begun")
                return
            self._made.append((plan, made))
            self._last("✔", f"{label}: {said}", look.GOOD)

    @work
    async def action_have_it(self) -> None:
        """Retire the old key of every successor that was written."""
        if self._busy or self._done or not self._made:
            return
        old = [plan.key for plan, _ in self._made]
        ends = any(plan.how is How.DELETE for plan, _ in self._made)
        if not await confirmed_end(self.app, self._workspace.session.settings, old, at_once=ends):
            return
        self._busy = self._done = True
        self.query_one("#have-it").display = False
        client = self._workspace.session.client
        try:
            for number, (plan, made) in enumerate(self._made):
                try:
                    await retire(client, plan, made)
                except GatewayError as error:
                    self._step("✘", f"{plan.key.label}: {error} The list offers to finish or undo it.", look.BAD)
                    rest = [each.key.label for each, _ in self._made[number + 1 :]]
                    self._rest(rest, "old key not retired; the list offers to finish it")
                    return
                self._step("✔", f"{plan.key.label}: old key {_FATE[plan.how]}", look.GOOD)
        finally:
            self._busy = False
            self.query_one("#leave", Button).label = f"Close  {keymap.key('rotate.leave')}"

    def _rest(self, labels: list[str], fate: str) -> None:
        """What became of the others, drawn at once."""
        self._lines += [(" ", f"{label}: {fate}", "") for label in labels[:MOST_REST]]
        if more := len(labels[MOST_REST:]):
            self._lines.append((" ", f"and {more:,} more: {fate}", ""))
        if labels:
            self._draw()

    def _draw(self) -> None:
        super()._draw()
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def leave(self) -> None:
        """Back to the list; unfinished rotations are listed there."""
        self.dismiss(self._started)


_FATE = {How.GRACE: "works until its grace ends", How.DELETE: "deleted", How.KEEP: "kept; the rotation stays listed"}


def _would(plan: Plan) -> str:
    """`ends 23 Dec 2026 · old key until 24 Nov 12:00 UTC`."""
    new = f"ends {plan.ends:%d %b %Y}" if plan.ends else "never ends"
    if plan.how is How.GRACE and plan.old_ends:
        return f"{new} · old key until {plan.old_ends:%d %b %H:%M} UTC"
    return f"{new} · old key {'deleted' if plan.how is How.DELETE else 'kept'}"
