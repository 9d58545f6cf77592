"""Which key does what: the keys that the configuration sets, checked, and how a key is written in a sentence.

Every action has an id, such as `keys.rotate`; `[keys]` in the configuration gives it one or several keys in place of
its own. What cannot be is told with its line, and the action keeps its own keys then.
"""

import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from textual._context import active_app
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key, format_key
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

import tui.screens
import tui.widgets
from tui.config import Config, Problem, did_you_mean
from tui.gateway.redaction import printable, redact

_NAMED = {each.value for each in Keys if not each.value.startswith("<")} | set(KEY_NAME_REPLACEMENTS.values())
_MODIFIERS = ("ctrl", "alt", "shift", "super", "hyper", "meta")
_ALIKE = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}
"""Keys that a terminal cannot tell from another one."""
_TAKEN = {"ctrl+q": "quits at any time", "ctrl+c": "copies what is selected"}
_WRITTEN = {"escape": "esc", "enter": "enter", "pagedown": "page down", "pageup": "page up", "delete": "del"}


# How a key is written


def key(action: str) -> str:
    """The key that does `action` (a binding's id) now, as a sentence names it: `R`, `esc`, `ctrl+s`.

    Of several the first. Outside an app, in a test say, the one that it has by itself. Raises `KeyError` for an id that
    nothing has.
    """
    app = active_app.get(None)
    mapped = app._keymap.get(action) if app is not None else None
    keys = mapped or own_keys(action)
    return written(keys.split(",")[0].strip())


def written(name: str) -> str:
    """One key, by Textual's name, in words: `ctrl+s`, `esc`, `?`."""
    *modifiers, last = name.split("+")
    last = _character_to_key(last) if len(last) == 1 else last
    shown = _WRITTEN.get(last) or format_key(last)
    app = active_app.get(None)
    if not shown.isascii() and getattr(app, "ascii", False):
        shown = last
    return "+".join([*modifiers, shown])


@cache
def own_keys(action: str) -> str:
    """The keys, comma separated, that the action has where nobody maps it. Raises `KeyError`."""
    for owner in _classes():
        for binding in _declared(owner):
            if binding.id == action:
                return binding.key
    raise KeyError(action)


def mapped(app: App[Any], binding: Binding) -> list[Binding]:
    """`binding` once for each key that it has now."""
    keys = app._keymap.get(binding.id or "")
    if keys is None:
        return [binding.with_key(each.strip(), binding.key_display) for each in binding.key.split(",")]
    return [binding.with_key(each) for each in keys.split(",")]


# What there is


def _classes() -> Iterator[type[DOMNode]]:
    """Every app, screen and widget class of ours that is imported."""
    waiting: list[type[DOMNode]] = [App, Screen, Widget]
    seen: set[type[DOMNode]] = set()
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each not in seen:
                seen.add(each)
                waiting.append(each)
                if each.__module__.startswith("tui."):
                    yield each


def _declared(owner: type[DOMNode]) -> list[Binding]:
    found: Iterable[BindingType] = owner.__dict__.get("BINDINGS", ())
    return [each if isinstance(each, Binding) else Binding(*each) for each in found]


def import_all() -> None:
    """Import every screen and widget: only then is every action known."""
    for package in (tui.screens, tui.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def owners() -> list[type[DOMNode]]:
    """The classes that declare bindings of their own, all of ours, by name."""
    import_all()
    return sorted((each for each in _classes() if _declared(each)), key=lambda each: each.__qualname__)


def declared() -> dict[str, Binding]:
    """Every binding by its id."""
    return {binding.id: binding for owner in owners() for binding in _declared(owner) if binding.id}


@dataclass(frozen=True, slots=True)
class Use:
    """One action where it can be used: its id ("" for Textual's own), what it does, its keys."""

    id: str
    words: str
    keys: tuple[str, ...]
    action: str
    priority: bool = False


def places() -> dict[str, list[Use]]:
    """What can be used side by side, by the name of the screen: its own, its tables' and the app's."""
    from tui.screens.base import MainScreen
    from tui.screens.choose import Choose
    from tui.screens.choose_profile import ChooseProfile
    from tui.screens.choose_scope import ChooseScope
    from tui.screens.dialogs import Dialog
    from tui.screens.usage import UsageScreen, UsageTable
    from tui.widgets.table import RecordTable

    import_all()
    app = next(each for each in _classes() if issubclass(each, App) and _declared(each))
    found: dict[str, list[Use]] = {}
    for screen in _classes():
        if not issubclass(screen, Screen) or screen in (MainScreen, Dialog):
            continue
        uses = list(_uses(screen))
        if issubclass(screen, UsageScreen):
            uses += _uses(UsageTable)
        elif issubclass(screen, (MainScreen, Choose, ChooseProfile, ChooseScope)):
            uses += _uses(RecordTable)
        everywhere = list(_uses(app))
        if issubclass(screen, ModalScreen):
            everywhere = [use for use in everywhere if use.priority]
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", screen.__name__).lower().removesuffix(" screen")
        found[name] = [*uses, *everywhere]
    return found


def _uses(owner: type[DOMNode]) -> Iterator[Use]:
    """From the class and those it comes from, as Textual merges them: what a nearer class binds hides the rest."""
    hidden: set[str] = set()
    for each in owner.__mro__:
        if each in (Screen, App, Widget):
            # tab, copy and the like: every screen may use those for something else
            break
        if not issubclass(each, DOMNode):
            continue
        here: set[str] = set()
        for binding in _declared(each):
            keys = tuple(name for name in map(_long, binding.key.split(",")) if name not in hidden)
            here.update(keys)
            ours = each.__module__.startswith("tui.")
            yield Use(
                binding.id or "" if ours else "",
                binding.tooltip or binding.description,
                keys,
                binding.action,
                binding.priority,
            )
        hidden |= here


def _long(name: str) -> str:
    name = name.strip()
    return _character_to_key(name) if len(name) == 1 else name


# What the configuration says


def read(config: Config) -> tuple[dict[str, str], list[Problem]]:
    """The keymap for `App.set_keymap`, and what of `[keys]` is not used, with its line; never an exception."""
    if not config.keys:
        return {}, []
    known = declared()
    wanted: dict[str, str] = {}
    where: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []

    def refuse(path: tuple[str, ...], sentence: str) -> None:
        problems.append(config.problem(sentence, "keys", *path))

    for path, value in _flat(config.keys):
        name = ".".join(path)
        if name not in known:
            hint = did_you_mean(name, known) or f" {_nearby(name, known)}"
            refuse(path, f"there is no such action.{hint}")
        elif name in where:
            refuse(path, "is set twice; the first is used.")
        elif not isinstance(value, str):
            refuse(path, 'is no text. Allowed: a key or several, such as "ctrl+r" or "r, f5".')
        elif wrong := next((said for each in value.split(",") if (said := _wrong(each.strip()))), None):
            refuse(path, wrong)
        else:
            where[name] = path
            wanted[name] = ",".join(dict.fromkeys(_long(each) for each in value.split(",")))
    side_by_side = places()
    while clashes := _clashes(wanted, side_by_side):
        for name, sentence in clashes.items():
            refuse(where[name], sentence)
            del wanted[name]
    return wanted, sorted(problems, key=lambda each: each.line or 0)


def _flat(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """`"keys.rotate" = …` and `keys.rotate = …` are the same action; the path is as it is in the file."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def _nearby(name: str, known: Iterable[str]) -> str:
    start = name.partition(".")[0]
    group = [each for each in known if each.startswith(f"{start}.")]
    if group:
        return f"Of {printable(redact(start))} there are: {', '.join(group)}."
    return f"Ids begin with {', '.join(sorted({each.partition('.')[0] for each in known}))}."


def _wrong(name: str) -> str | None:
    """Why that is no key to bind; None where it is one."""
    shown = redact(printable(name))[:40]
    if not name:
        return 'a key is missing. Allowed: one or several, such as "ctrl+r" or "r, f5"; the comma itself is "comma".'
    *modifiers, last = name.split("+") if name != "+" else ["+"]
    key_name = _long(last)
    if any(each not in _MODIFIERS for each in modifiers) or not _is_key(key_name):
        return f"{shown} is no key. Allowed: such as r, R, f5, space, slash, ctrl+r, alt+left."
    if "shift" in modifiers and len(last) == 1:
        return f"terminals send {shown[-1].upper()} for {shown}; write that."
    whole = "+".join([*modifiers, key_name])
    if whole in _ALIKE:
        return f"terminals send {shown} as {_ALIKE[whole]}; write that, or another key."
    if whole in _TAKEN:
        return f"{shown} {_TAKEN[whole]}; choose another key."
    return None


def _is_key(name: str) -> bool:
    if len(name) == 1:
        return name.isalnum()
    if name in _NAMED:
        return True
    try:
        return unicodedata.lookup(name.replace("_", " ")).isprintable()
    except KeyError:
        return False


def _clashes(wanted: Mapping[str, str], side_by_side: Mapping[str, list[Use]]) -> dict[str, str]:
    """Each of `wanted` that takes a key from another action on the same screen, and a sentence that names both."""
    found: dict[str, str] = {}
    for place, uses in side_by_side.items():
        by_key: dict[str, list[Use]] = {}
        for use in uses:
            for name in wanted[use.id].split(",") if use.id in wanted else use.keys:
                by_key.setdefault(name, []).append(use)
        for name, rivals in by_key.items():
            for one in rivals:
                other = next((each for each in rivals if each.id != one.id and not _does_the_same(each, one)), None)
                if one.id in wanted and other is not None and name in wanted[one.id].split(","):
                    who = f"{other.id} ({other.words})" if other.id else f"{other.words or other.action} in a table"
                    found.setdefault(one.id, f"{written(name)} does {who} on the same screen ({place}).")
    return found


def _does_the_same(one: Use, other: Use) -> bool:
    return one.action.rpartition(".")[2] == other.action.rpartition(".")[2]
