"""Does everything that can be done in the app: each binding of each screen and dialog, as Textual itself lists them, so
that a new one is tried without anybody thinking of it."""

import ast
import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

import tui.gateway
from tests.screens.driver import PATIENCE
from tui.app import LitellmTui
from tui.screens.base import MODES, MainScreen

# what ends the app, the session or the process; help and the list of commands offer the same once more
NOT_DONE: tuple[str, ...] = (
    "app.leave",
    "app.quit",
    "app.suspend",
    "app.help",
    "app.command_palette",
    "app.redraw",
    "app.go",
    "screen.copy",
    "quit",
    "help_quit",
)
# another session, which is read-only by its own settings
NOT_DONE += ("other_key", "set_up", "app.profile", "profile", "again")
MOVES = ("cursor_", "scroll", "page", "focus_next", "focus_previous", "move(")
LAST = ("cancel", "leave", "close", "answer(False)", "stay", "back", "again")
ENOUGH = 2
"""Times that an action of a dialog is done; one of a main screen is done on each of its rows."""


def written_routes() -> set[str]:
    """The paths of all writing calls in `tui/gateway`, as the source has them; `*` for what is filled in."""
    found = set()
    for path in Path(tui.gateway.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "post":
                found.add(_pattern(node.args[0]))
    return found


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr), "a path of a writing call that this test cannot read"
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


class Explorer:
    """Walks through a running app. `seen` are the screens that it was on, `done` what it did, `said` every toast.

    `calls` tells how many calls have arrived at the gateway, `rows` are the rows of a table that it acts on.
    """

    def __init__(
        self,
        app: LitellmTui,
        pilot: Pilot[Any],
        calls: Callable[[], int],
        folder: Path,
        rows: Sequence[int] = (0, 1, 4),
    ) -> None:
        self.app = app
        self._pilot = pilot
        self._calls = calls
        self._at = rows
        # new keys are written there, which the scan after the tests is not to find
        self.folder = folder / "secret-on-purpose"
        self.folder.mkdir(exist_ok=True)
        self.seen: set[type[Screen[Any]]] = set()
        self.done: Counter[tuple[str, str]] = Counter()
        self.said: set[str] = set()
        self._names = 0
        self._root = ""

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a state."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self._pilot.pause(0.01)

    async def everything(self, *modes: str) -> None:
        """Each main screen, or only `modes`; rows of each of its tables, each action."""
        for mode in modes or [mode for mode, _ in MODES]:
            await self._home(mode)
            for action in self._actions():
                self._root = action
                tried: Counter[int] = Counter()
                for table, row in self._places():
                    if tried[table] >= ENOUGH:
                        continue
                    await self._home(mode)
                    await self._go_to(table, row)
                    calls = self._calls()
                    opened = await self._do(action)
                    quiet = not opened and self._calls() == calls
                    # not for this kind of row, or for none; or it has been seen to
                    if (quiet and row >= ENOUGH) or (opened and tried[table] + 1 >= ENOUGH):
                        tried[table] = ENOUGH
                    tried[table] += opened
            await self._marked(mode)

    async def _marked(self, mode: str) -> None:
        """What can be done to several rows at once."""
        await self._home(mode)
        for action in self._actions() if "screen.mark" in self._actions() else []:
            await self._home(mode)
            self._root = f"marked {action}"
            for row in (0, 1):
                await self._go_to(len(self._tables()) - 1, row)
                await self.app.run_action("mark", default_namespace=self.app.screen)
            await self._settle()
            await self._do(action)
        await self._home(mode)

    def _actions(self) -> list[str]:
        """What the focused widget, its screen and the app offer, without what only moves."""
        found = []
        for active in self.app.screen.active_bindings.values():
            action = active.binding.action
            if action.startswith(NOT_DONE) or any(word in action for word in MOVES):
                continue
            if action == "press" or (isinstance(active.node, Input) and action != "submit"):
                continue
            where = "" if "." in action else {self.app.screen: "screen.", self.app: "app."}.get(active.node, "focused.")
            found.append(where + action)
        return sorted(dict.fromkeys(found), key=lambda name: name.partition(".")[2].startswith(LAST))

    async def _do(self, name: str) -> bool:
        """Do one action and see to whatever opens; whether something did."""
        screen = self.app.screen
        where, _, action = name.partition(".")
        within = "" if isinstance(screen, MainScreen) else f"{self._root} > "
        self.done[f"{within}{type(screen).__name__}", name] += 1
        self.seen.add(type(screen))
        focused = self.app.focused
        if where == "focused":
            if focused is not None:
                await self.app.run_action(action, default_namespace=focused)
        elif where == "screen":
            await self.app.run_action(action, default_namespace=screen)
        else:
            await self.app.run_action(name)
        await self._settle()
        opened = self.app.screen is not screen
        if opened and not isinstance(self.app.screen, MainScreen):
            await self._dialog()
        return opened

    async def _dialog(self) -> None:
        """Fill a dialog in, and do all that it offers."""
        screen = self.app.screen
        self.seen.add(type(screen))
        for action in self._actions():
            if self.app.screen is not screen:
                break
            leaves = action.partition(".")[2].startswith(LAST)
            if not leaves and self.done[f"{self._root} > {type(screen).__name__}", action] >= ENOUGH:
                continue
            self._fill()
            await self._settle()
            await self._do(action)
        while self.app.screen is screen and len(self.app.screen_stack) > 1:
            screen.dismiss(None)
            await self._settle()

    def _fill(self) -> None:
        """A new name where one is wanted, the word that a confirmation asks for, a path below the test's own folder."""
        texts = [str(each.render()) for each in self.app.screen.query(Static)]
        for field in self.app.screen.query(Input):
            word = next((text.split()[1] for text in texts if text.startswith("Type ") and " to go on" in text), "")
            self._names += 1
            new = f"explored-{self._names}"
            if field.id in ("path", "name", "file") or "file" in (field.placeholder or "") or "~/" in field.value:
                field.value = str(self.folder / new)
            elif field.id == "budget":
                field.value = str(self._names)
            elif self.app.screen.query("#budget") and field.id != "alias":
                # the form of a key: what else is empty there may stay so
                continue
            elif not field.value or word:
                field.value = word or (str(self.folder / new) if field.id is None else new)

    def _tables(self) -> list[DataTable[Any]]:
        return [each for each in self.app.screen.query(DataTable) if each.display and each.row_count]

    def _places(self) -> list[tuple[int, int]]:
        """Tables and rows of them, by number; one place that is nowhere for a screen without."""
        tables = enumerate(self._tables())
        return [(number, row) for number, table in tables for row in self._at if row < table.row_count] or [(-1, 0)]

    async def _go_to(self, table: int, row: int) -> None:
        if tables := self._tables():
            found = tables[min(table, len(tables) - 1)]
            found.focus()
            found.move_cursor(row=min(row, found.row_count - 1))
            await self._settle()

    async def _home(self, mode: str) -> None:
        while len(self.app.screen_stack) > 1:
            self.app.screen.dismiss(None)
            await self._settle()
        await self.app.run_action(f"app.go('{mode}')")
        await self._settle()
        # marks and a filter of an earlier action would change what the next one is about
        for _ in range(3):
            await self.app.run_action("back", default_namespace=self.app.screen)
        await self._settle()

    async def _settle(self) -> None:
        """Until nothing is asked of the gateway and no screen comes any more."""
        still, busy = 0, False
        before: Any = None
        pilot = self._pilot
        for _ in range(2000):
            # pilot.pause() would sleep each time until the process looks idle, most of a walk
            await pilot._wait_for_screen()
            self.app.screen._on_timer_update()
            await asyncio.sleep(0.005 if busy else 0)
            self.said |= {notice.message for notice in self.app._notifications}
            for each in self.app.screen.query("#wrong, #said, #results").results(Static):
                with contextlib.suppress(Exception):
                    self.said.add(str(each.render()))
            now = (self.app.screen, self._calls())
            busy = not self.app.screen.is_mounted or any(
                each.is_running and each.node is self.app.screen for each in self.app.workers
            )
            still, before = (still + 1 if now == before and not busy else 0), now
            if still == 2:
                return
