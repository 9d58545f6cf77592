"""What a person types to say that they mean it, where the profile says `confirm = "type"`."""

from collections.abc import Sequence

from tui.formatting import plain
from tui.gateway.redaction import redact
from tui.gateway.schema import Key

LONGEST_WORD = 40
"""Characters of a name that a person is asked to type."""


def word_for(keys: Sequence[Key]) -> str:
    """What has to be typed for `keys`: the alias of one, the number of several."""
    return str(len(keys)) if len(keys) != 1 else word_of(keys[0].alias, keys[0].hash)


def word_of(alias: str | None, hash: str) -> str:
    """The alias; where there is none, or one that nobody can type from the screen, the first 8 letters of the hash."""
    name = alias or ""
    shown = redact(plain(name)) == name == " ".join(name.split())
    return name if 0 < len(name) <= LONGEST_WORD and shown and name.isascii() else hash[:8]
