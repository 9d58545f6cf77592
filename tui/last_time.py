"""Whose a key was when it last began a session: the next start asks for that user's lists without finding out first.

One file of 0600 per gateway and key in the user's cache folder, of 0700. It holds a user id, and its name is a hash;
no secret. Nothing in it is needed, and nothing in it is believed: what a start has asked for by it is used where the
gateway names the same user, and dropped otherwise.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tui.files import FileError, ensure_private_dir, write_private

SCHEMA = 1
"""Of the files; others are not read."""
LARGEST = 4096
"""Bytes; a larger file is none of ours."""


def folder() -> Path | None:
    """Where the files are on this system. None where there is no home folder to hold it."""
    from platformdirs import user_cache_path

    found = user_cache_path("litellm-tui") / "keys"
    return found if found.is_absolute() else None


@dataclass(frozen=True, slots=True)
class Whose:
    """A key's user; `master` for the master key, which has none."""

    user_id: str | None = None
    master: bool = False


class LastTime:
    """What is remembered of the key `secret` at the gateway `url`."""

    def __init__(self, where: Path, url: str, secret: str) -> None:
        whose = json.dumps([SCHEMA, url.removesuffix("/"), hashlib.sha256(secret.encode()).hexdigest()])
        self.path = where / f"{hashlib.sha256(whose.encode()).hexdigest()[:32]}.json"

    def read(self) -> Whose | None:
        """Whose it was; None where that is not known."""
        try:
            with self.path.open("rb") as file:
                found = json.loads(file.read(LARGEST))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            return None
        user_id = found.get("user_id")
        return Whose(user_id if isinstance(user_id, str) and user_id else None, found.get("master") is True)

    def keep(self, whose: Whose) -> None:
        """Remember; where that cannot be written, it is not. It waits for the disk."""
        text = json.dumps({"schema": SCHEMA, "user_id": whose.user_id, "master": whose.master})
        with contextlib.suppress(FileError):
            ensure_private_dir(self.path.parent)
            write_private(self.path, text, exist_ok=True)
