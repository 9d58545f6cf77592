"""Usage as CSV or JSON for other programs, and the file that it goes to.

Names come from the gateway: in a file they are printable, redacted (S3), and no spreadsheet takes one for a formula.
"""

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tui.files import FileError, FileThereError, write_private
from tui.formatting import plain
from tui.gateway.redaction import redact
from tui.gateway.usage import Metrics, Usage
from tui.savings import by_provider

By = Literal["model", "key", "day", "provider", "day and model"]
Kind = Literal["csv", "json"]
Value = str | int | float | None

LONGEST_NAME = 40
"""Characters of a file's name that come from the gateway."""
_SUMS = tuple(each.name for each in fields(Metrics))
# the fullwidth and small forms are the same signs to some spreadsheets
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
# where ; parts the cells, as in much of Europe, a name with one in it would begin a cell of its own
_FORMULA = re.compile(rf'(^|;)(?=[\s"]*[{_SIGNS}])')


@dataclass(frozen=True, slots=True)
class Content:
    """Something that can be written. `name` is the file's name to suggest; `make` may take a while for a year."""

    title: str
    kind: Kind
    name: str
    make: Callable[[], str]


def table(
    usage: Usage, by: By, providers: Mapping[str, str | None] | None = None, only: Sequence[str] | None = None
) -> tuple[list[str], list[list[Value]]]:
    """Columns and rows of one view, in the view's order, in LiteLLM's names: spend in USD, unrounded, days in UTC.

    `providers` as of `savings.providers`; where it does not name one, the cell is None ("" by provider). `only` are
    the rows that are wanted, in their order: models, hashes of keys, ISO days or providers.
    """
    known = providers or {}
    rows: list[tuple[list[Value], Metrics]]
    if by == "model":
        columns = ["model", "provider"]
        rows = [([row.model, known.get(row.model)], row.metrics) for row in usage.by_model]
    elif by == "key":
        columns = ["key_alias", "api_key", "team_id", "models"]
        rows = [([row.alias, row.hash, row.team_id, "; ".join(row.models)], row.metrics) for row in usage.by_key]
    elif by == "day":
        columns = ["date"]
        rows = [([row.date.isoformat()], row.metrics) for row in usage.daily]
    elif by == "provider":
        columns = ["provider"]
        rows = [([each.provider], each.metrics) for each in by_provider(usage, known)]
    else:
        columns = ["date", "model", "provider"]
        rows = [([row.date.isoformat(), row.model, known.get(row.model)], row.metrics) for row in usage.daily_by_model]
    if only is not None:
        which = columns.index("api_key") if by == "key" else 0
        place = {name: number for number, name in enumerate(only)}
        rows = sorted((row for row in rows if row[0][which] in place), key=lambda row: place[str(row[0][which])])
    return [*columns, *_SUMS], [[*names, *(getattr(sums, each) for each in _SUMS)] for names, sums in rows]


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """CSV with a line of titles; None is an empty cell, numbers have every digit.

    Lines end in a line feed alone, as the other tools of a Unix shell want it and every spreadsheet takes it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([safe(value) if isinstance(value, str) else value for value in row] for row in rows)
    return out.getvalue()


def safe(text: str) -> str:
    """A text as a cell: printable, redacted (S3), with an apostrophe where a spreadsheet would see a formula."""
    return _FORMULA.sub(r"\1'", _clean(text))


def json_text(usage: Usage) -> str:
    """Every view, in the shape of `Usage.to_json`, names printable and redacted (S3)."""
    return json.dumps(_cleaned(usage.to_json()), indent=2, allow_nan=False) + "\n"


def contents(
    usage: Usage,
    label: str,
    shown: By,
    rows: Sequence[str],
    providers: Mapping[str, str | None] | None = None,
) -> list[Content]:
    """What can be written of `usage`, whose `label` names whose it is.

    First the table `shown` with its `rows` as they are on screen, then the days, the days and models, and all as JSON.
    """
    counts: dict[By, int] = {shown: 0, "day": len(usage.daily), "day and model": len(usage.daily_by_model)}
    counts[shown] = len(rows)
    found = [
        Content(
            f"CSV · by {view}, {counts[view]:,} row{'' if counts[view] == 1 else 's'}",
            "csv",
            default_name(label, usage.start, usage.end, view, "csv"),
            partial(_csv_of, usage, view, providers, rows if view == shown else None),
        )
        for view in counts
    ]
    name = default_name(label, usage.start, usage.end, None, "json")
    return [*found, Content("JSON · everything", "json", name, partial(json_text, usage))]


def _csv_of(usage: Usage, by: By, providers: Mapping[str, str | None] | None, only: Sequence[str] | None) -> str:
    return csv_text(*table(usage, by, providers, only))


def default_name(label: str, start: date, end: date, by: str | None, kind: Kind) -> str:
    """A file's name, such as `usage-ada-2026-11-01-to-2026-11-30-by-model.csv`: letters, digits, `.`, `_`, `-`."""
    ascii = unicodedata.normalize("NFKD", _clean(label[: 4 * LONGEST_NAME])).encode("ascii", "ignore").decode()
    whose = re.sub(r"[^A-Za-z0-9._]+", "-", re.sub(r"\.{2,}", ".", ascii))[:LONGEST_NAME].strip(".-")
    days = start.isoformat() if start == end else f"{start.isoformat()}-to-{end.isoformat()}"
    view = f"by-{by.replace(' ', '-')}" if by else ""
    return f"{'-'.join(part for part in ('usage', whose, days, view) if part)}.{kind}"


def check(path: Path, *, overwrite: bool = False) -> Path:
    """Where `path` leads, `~` being the home folder. Raises `FileError` where a file cannot be written there.

    `FileThereError` where one is there and `overwrite` is not wanted. Nothing is written.
    """
    try:
        found = path.expanduser()
        if not found.name or found.is_dir():
            raise FileError(f"{found} is a folder; name a file in it.", found)
        if found.exists() and not found.is_file():
            raise FileError(f"{found} is no ordinary file.", found)
        if not overwrite and (found.exists() or found.is_symlink()):
            raise FileThereError(f"{found} is there already.", found)
        # the file itself may be where a link leads, and its folder may have to be made first
        folder = next(each for each in found.resolve().parents if os.path.lexists(each))
        if not folder.is_dir():
            raise FileError(f"{folder} is no folder.", found)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise FileError(f"You may not make files in {folder}.", found)
    except FileError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{path} cannot be used: {reason[:1].lower()}{reason[1:]}.", path) from None
    return found


def write(path: Path, text: str, *, overwrite: bool = False) -> Path:
    """Write `text` as UTF-8 to `path`, mode 0600, all of it or nothing; the path with `~` expanded.

    Symlinks as for `write_private`. Raises as `check` does.
    """
    found = check(path, overwrite=overwrite)
    write_private(found, text, exist_ok=overwrite)
    return found


def _clean(text: str) -> str:
    # what is invisible goes first: it could stand in the middle of a secret
    return redact(plain(text))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {name: _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
