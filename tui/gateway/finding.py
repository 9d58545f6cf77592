"""What a search by name comes to, and how LiteLLM is asked for a text as it stands."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from tui.gateway.redaction import printable

PAUSE = 0.15
"""Seconds without a letter before the gateway is asked."""
LARGEST_PAGE = 100
"""Rows; LiteLLM's lists of users and teams give no more at once."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The records that match, and whether the gateway has `more` that do."""

    rows: list[T]
    more: bool = False


def needle(text: str) -> str:
    """`text` as it is looked for: on one line, nothing invisible in it (PostgreSQL answers a NUL with a 500)."""
    return printable(text).strip()


def literal(text: str) -> str:
    """`text` for a parameter that LiteLLM puts into LIKE as it is: there `%`, `_` and a backslash mean something."""
    for letter in ("\\", "%", "_"):
        text = text.replace(letter, "\\" + letter)
    return text


def pattern(text: str) -> str:
    """`literal(text)` for `/user/list`, which would split at a comma.

    It becomes the wildcard for one character: what comes back is to be checked.
    """
    return literal(text).replace(",", "_")


def holds(text: str, *values: str | None) -> bool:
    """Whether one of `values` contains `text`, in any case."""
    wanted = text.casefold()
    return any(wanted in value.casefold() for value in values if value)
