"""The command palette: every action of the screen, from its bindings."""

from functools import partial

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from tui.formatting import plain
from tui.screens.base import MainScreen


class Actions(Provider):
    """What can be done on the screen, with its key; what is not possible says why instead of its explanation."""

    def _found(self) -> list[tuple[str, str, DOMNode, Binding]]:
        rows: dict[str, tuple[str, str, DOMNode, Binding]] = {}
        for found in self.screen.active_bindings.values():
            binding = found.binding
            if not binding.description or not binding.id or binding.id.startswith("table."):
                continue
            words = binding.tooltip or binding.description
            reason = self.screen.why_not(binding.action) if isinstance(self.screen, MainScreen) else None
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
