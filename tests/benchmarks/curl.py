"""HTTP calls by curl, timed by curl's own clock; keys and bodies go to it through a pipe, not as arguments."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `body` is JSON, "" for none."""

    method: str
    url: str
    key: str
    body: str = ""


def ask(calls: Sequence[Call]) -> list[tuple[float, str]]:
    """Make the calls one after another, over one connection where the gateway keeps it; seconds and answer of each.

    Any status is an answer. Raises `CalledProcessError` where there is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        answers = [Path(folder) / str(number) for number in range(len(calls))]
        wanted = "next\n".join(_config(call, answer) for call, answer in zip(calls, answers, strict=True))
        done = subprocess.run(["curl", "-q", "-K", "-"], input=wanted, capture_output=True, text=True, check=True)
        took = [float(line) for line in done.stdout.split()]
        texts = [each.read_text() if each.exists() else "" for each in answers]
    return list(zip(took, texts, strict=True))


def seconds(calls: Sequence[Call]) -> float:
    """What the calls take together, over one connection."""
    return sum(took for took, _ in ask(calls))


def _config(call: Call, answer: Path) -> str:
    lines = [
        "silent",
        'write-out = "%{time_total}\\n"',
        f"request = {call.method}",
        f"url = {_quoted(call.url)}",
        f"output = {_quoted(str(answer))}",
        f"header = {_quoted(f'Authorization: Bearer {call.key}')}",
    ]
    if call.body:
        lines += ['header = "Content-Type: application/json"', f"data-raw = {_quoted(call.body)}"]
    return "".join(f"{line}\n" for line in lines)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
