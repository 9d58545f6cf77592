"""After the whole suite: no secret lies in a file that the tests wrote, or was given to a child.

Hooked into `tests/conftest.py`: `track` notes, in each process of the run, every key that a client was made with and
every argument and variable of a child that may hold one; `search` and `given_away`, in the one that ends last, look for
all of them. Tests whose point is a secret in a file put it below a folder named `ALLOWED`, or name it so (`.env`,
`.key`).
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tui
from tui.credentials import KEY_VARIABLES

LARGEST = 32 * 1024 * 1024
ALLOWED = ("secret-on-purpose",)
HOLDS_KEYS = (".env", ".key", ".secret")
"""Endings of files whose whole point is a secret."""
LIST = "secrets-of-this-run"

TO_OUR_CHILDREN = frozenset(KEY_VARIABLES)
"""Variables in which a test may hand a secret to a child: the program reads them. The app's own children get none."""
_ENV = 9
"""The place of `env` among the arguments of `Popen` after the command."""
_APP = str(Path(tui.__file__).parent) + os.sep

made: set[str] = set()
given: set[tuple[str, str]] = set()
"""What children were given and may hold a secret: where, and the text."""


def track() -> None:
    """Note the key of every client of this process, and what looks like a key in what children are given."""
    from tui.gateway.client import Client

    client_init, popen_init = Client.__init__, subprocess.Popen.__init__

    def client(self: Client, url: str, key: str, **more: Any) -> None:
        if key.startswith("sk-") and len(key) >= 20:
            made.add(key)
        client_init(self, url, key, **more)

    def popen(self: subprocess.Popen[Any], args: Any, *rest: Any, **more: Any) -> None:
        words = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
        env = more["env"] if "env" in more else rest[_ENV] if len(rest) > _ENV else None
        given.update(_given([os.fsdecode(word) for word in words], os.environ if env is None else env, _by_the_app()))
        popen_init(self, args, *rest, **more)

    Client.__init__ = client  # type: ignore[method-assign]
    subprocess.Popen.__init__ = popen  # type: ignore[method-assign]


def _by_the_app() -> bool:
    """Whether the child that is being started is one of the program's, not of a test."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename == subprocess.__file__:
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(_APP)


def _given(words: list[str], env: Mapping[Any, Any], by_the_app: bool) -> Iterator[tuple[str, str]]:
    whose = "the app's child" if by_the_app else "a child"
    # a test types into tmux as a person does, and what a person types is no argument of ours
    if by_the_app or "send-keys" not in words:
        yield from ((f"an argument of {whose} {words[0]}", word) for word in words if "sk-" in word)
    for name, value in env.items():
        variable, text = os.fsdecode(name), os.fsdecode(value)
        if "sk-" in text and (by_the_app or variable not in TO_OUR_CHILDREN):
            yield f"the variable {variable} of {whose} {words[0]}", text


def given_away() -> Iterator[str]:
    """Each place where a child was given one of `made`, as a sentence that does not repeat it."""
    yield from sorted({f"{where} holds a secret" for where, text in given if any(each in text for each in made)})


def hand_over(folder: Path) -> None:
    """Leave what this process noted for the one that ends last."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{LIST}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"made": sorted(made), "given": sorted(given)}, file)


def collect(folder: Path) -> None:
    """Add what every process of the run handed over to `made` and `given`; the lists are gone afterwards."""
    for path in folder.glob(f"{LIST}-*"):
        noted = json.loads(path.read_text())
        path.unlink()
        made.update(noted["made"])
        given.update((where, text) for where, text in noted["given"])


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
