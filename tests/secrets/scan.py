"""After the whole suite: no secret lies in a file that the tests wrote, or was given to a child.

Hooked into `tests/conftest.py`: `track` notes, in each process of the run, every key that a client was made with and
every argument that holds one; `search`, in the one that ends last, looks for all of them. Tests whose point is a secret
in a file put that file below a folder named `ALLOWED`, or give it a name that says so (`.env`, `.key`).
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LARGEST = 32 * 1024 * 1024
ALLOWED = ("secret-on-purpose",)
HOLDS_KEYS = (".env", ".key", ".secret")
"""Endings of files whose whole point is a secret."""
LIST = "secrets-of-this-run"

made: set[str] = set()
given: list[tuple[str, str]] = []


def track() -> None:
    """Note the key of every client of this process, and every child that is given one as an argument."""
    from tui.gateway.client import Client

    client_init, popen_init = Client.__init__, subprocess.Popen.__init__

    def client(self: Client, url: str, key: str, **more: Any) -> None:
        if key.startswith("sk-") and len(key) >= 20:
            made.add(key)
        client_init(self, url, key, **more)

    def popen(self: subprocess.Popen[Any], args: Any, *rest: Any, **more: Any) -> None:
        words = [args] if isinstance(args, (str, bytes)) else list(args)
        # a test types into tmux as a person does, and what a person types is no argument of ours
        for word in () if b"send-keys" in map(os.fsencode, words) else words:
            text = os.fsdecode(word)
            given.extend((f"an argument of {os.fsdecode(words[0])}", secret) for secret in made if secret in text)
        popen_init(self, args, *rest, **more)

    Client.__init__ = client  # type: ignore[method-assign]
    subprocess.Popen.__init__ = popen  # type: ignore[method-assign]


def hand_over(folder: Path) -> None:
    """Leave what this process noted for the one that ends last."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{LIST}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"made": sorted(made), "given": given}, file)


def collect(folder: Path) -> None:
    """Add what every process of the run handed over to `made` and `given`; the lists are gone afterwards."""
    for path in folder.glob(f"{LIST}-*"):
        noted = json.loads(path.read_text())
        path.unlink()
        made.update(noted["made"])
        given.extend((where, secret) for where, secret in noted["given"])


def search(places: Iterable[Path], secrets: Iterable[str]) -> Iterator[str]:
    """Each file below `places` that holds one of `secrets`, as a sentence with a hash of the secret in place of it."""
    wanted = [(secret.encode(), hashlib.sha256(secret.encode()).hexdigest()[:8]) for secret in secrets]
    for place in places:
        for path in place.rglob("*"):
            if path.is_symlink() or not path.is_file() or path.name.endswith(HOLDS_KEYS):
                continue
            if set(ALLOWED) & set(path.parts) or path.stat().st_size > LARGEST:
                continue
            data = path.read_bytes()
            # nearly all files have none: one look for what all of them begin with
            if b"sk-" in data:
                yield from (f"{path} holds the secret {name}" for secret, name in wanted if secret in data)
