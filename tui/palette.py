"""The command palette: every action of the screen, from its bindings."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from tui.formatting import plain
from tui.screens.base import MainScreen

if TYPE_CHECKING:
    from tui.app import LitellmTui


class Profiles(Provider):
    """`profile NAME` for each profile, and `theme NAME` for each theme."""

    def _found(self) -> list[tuple[str, str, Callable[[], object]]]:
        app = cast("LitellmTui", self.app)
        here = app.current_profile
        rows: list[tuple[str, str, Callable[[], object]]] = []
        if not app.in_demo:
            for entry in app.profiles():
                at = f"{plain(entry.host)}, open" if entry.name == here else plain(entry.host)
                rows.append((f"profile {plain(entry.name)}", at, partial(app.action_profile, entry.name)))
        for name in app.themes():
            rows.append((f"theme {name}", "in use" if name == app.theme else "", partial(app.use_theme, name)))
        return rows

    async def search(self, query: str) -> Hits:
        """Those whose words match; what was typed in full comes first."""
        matcher = self.matcher(query)
        for label, help, run in self._found():
            score = matcher.match(label)
            if score > 0:
                exact = 1.0 if query.strip().casefold() == label.casefold() else 0.0
                yield Hit(score + exact, matcher.highlight(_escape(label)), run, text=label, help=_escape(help) or None)


class Actions(Provider):
    """What can be done on the screen, with its key; what is not possible says why instead of its explanation."""

    def _found(self) -> list[tuple[str, str, DOMNode, Binding]]:
        rows: dict[str, tuple[str, str, DOMNode, Binding]] = {}
        for found in self.screen.active_bindings.values():
            binding = found.binding
            if not binding.description or not binding.id or binding.id.startswith("table."):
                continue
            words = binding.tooltip or binding.description
            reason = self.screen.reason(binding.action) if isinstance(self.screen, MainScreen) else None
            label = f"{words}  [{self.app.get_key_display(binding)}]"
            rows.setdefault(words, (label, plain(reason or ""), found.node, binding))
        return list(rows.values())

    async def discover(self) -> Hits:
        """All actions, in the order of their declaration."""
        for label, reason, node, binding in self._found():
            yield DiscoveryHit(
                _escape(label), partial(self._run, node, binding), text=label, help=_escape(reason) or None
            )

    async def search(self, query: str) -> Hits:
        """The actions whose words match."""
        matcher = self.matcher(query)
        for label, reason, node, binding in self._found():
            score = matcher.match(label)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(_escape(label)),
                    partial(self._run, node, binding),
                    text=label,
                    help=_escape(reason) or None,
                )

    async def _run(self, node: DOMNode, binding: Binding) -> None:
        await self.app.run_action(binding.action, node)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
