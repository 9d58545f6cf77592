"""A call on its way to a route: parameters, body, caller; with FastAPI's checks of simple parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tui.demo.auth import Caller
from tui.demo.errors import unprocessable
from tui.demo.state import State


@dataclass
class Request:
    """What a route gets. `path` holds the route's own parameters, such as the hash in `/key/{key}/regenerate`."""

    gw: State
    caller: Caller
    route: str
    params: dict[str, str]
    body: dict[str, Any]
    path: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int, least: int = 1, most: int | None = None) -> int:
        """A whole number among the query parameters, or 422."""
        given = self.params.get(name)
        if given is None or given == "":
            return default
        newest, loc = self.gw.newest, ["query", name]
        try:
            value = int(given)
        except ValueError:
            text = "Input should be a valid integer, unable to parse string as an integer"
            raise unprocessable("int_parsing", loc, text, given, newest) from None
        if value < least:
            text = f"Input should be greater than or equal to {least}"
            raise unprocessable("greater_than_equal", loc, text, given, newest, ge=least)
        if most is not None and value > most:
            text = f"Input should be less than or equal to {most}"
            raise unprocessable("less_than_equal", loc, text, given, newest, le=most)
        return value

    def flag(self, name: str) -> bool:
        """A true/false query parameter, false where absent."""
        return self.params.get(name, "").lower() in ("true", "1", "yes", "on")

    def money(self, *names: str) -> None:
        """Make these body fields floats (null stays), or 422."""
        for name in names:
            given = self.body.get(name)
            if given is None:
                continue
            try:
                self.body[name] = float(given)
            except (TypeError, ValueError):
                text = "Input should be a valid number, unable to parse string as a number"
                raise unprocessable("float_parsing", ["body", name], text, given, self.gw.newest) from None

    def whole(self, *names: str) -> None:
        """Make these body fields whole numbers (null stays), or 422."""
        for name in names:
            given = self.body.get(name)
            if given is None:
                continue
            try:
                self.body[name] = int(given)
            except (TypeError, ValueError):
                text = "Input should be a valid integer, unable to parse string as an integer"
                raise unprocessable("int_parsing", ["body", name], text, given, self.gw.newest) from None


def pages(total: int, size: int) -> int:
    """How many pages `total` rows make."""
    return -(-total // size)
