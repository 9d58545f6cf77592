"""What the three ways to start spend on importing: the ten dearest modules of each, by `python -X importtime`.

    python -m tests.benchmarks.importtime [--runs N] [--beside TREE]

`--beside` is another checkout of this project, whose starts take turns with those of this one. Times are the least of
the runs, since a module takes what it takes, and the rest is what else the machine did; they are of a module alone,
without what it imports. The app runs on a pseudo-terminal over the embedded gateway until the keys are on screen; it
imports in two threads, so a module's time there may hold what it waited for the other one.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.start import ANSWERED, Slow, profile
from tests.benchmarks.terminal import ROOT, Running, environment

TOP = 10
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def imports(command: list[str], env: dict[str, str], root: Path, until: bytes | None) -> dict[str, int]:
    """Microseconds by module of one start; where it is a program to look at, once `until` is there."""
    with tempfile.TemporaryFile() as errors:
        with Running([sys.executable, "-X", "importtime", *command], env, errors=errors.fileno(), root=root) as program:
            if until is None:
                assert program.ended() == 0
            else:
                program.until(until)
        errors.seek(0)
        return {name: int(took) for took, name in _LINE.findall(errors.read().decode())}


def measure(roots: Sequence[Path], runs: int) -> dict[str, list[list[dict[str, int]]]]:
    """By way to start, for each of the trees, what each of the runs imported."""
    gateway = Slow()
    found: dict[str, list[list[dict[str, int]]]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            env = environment(home)
            flags = profile(home, gateway.url, "sk-bench-0000000000")
            for way, words, until in (
                ("the app, until the keys are there", flags, ANSWERED),
                ("keys list", [*flags, "keys", "list"], None),
                ("--help", ["--help"], None),
            ):
                command = ["-m", "tui", *words]
                # the first compiles what is not compiled yet
                rounds = [[imports(command, env, root, until) for root in roots] for _ in range(runs + 1)][1:]
                found[way] = [list(of_one) for of_one in zip(*rounds, strict=True)]
    finally:
        gateway.close()
    return found


def table(way: str, runs: list[dict[str, int]]) -> str:
    """The dearest modules, as Markdown."""
    names = set().union(*runs)
    took = {name: min(run.get(name, 0) for run in runs) for name in names}
    whole = min(sum(run.values()) for run in runs)
    modules = max(len(run) for run in runs)
    lines = [
        f"**{way}**: {whole / 1000:.0f} ms for {modules} modules",
        "",
        "| module | ms |",
        "| --- | ---: |",
        *(f"| {name} | {took[name] / 1000:.1f} |" for name in sorted(took, key=took.__getitem__, reverse=True)[:TOP]),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print a table for each way to start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--beside", type=Path, metavar="TREE")
    given = parser.parse_args()
    roots = [ROOT, *([given.beside.resolve()] if given.beside else [])]
    for way, trees in measure(roots, given.runs).items():
        for root, runs in zip(roots, trees, strict=True):
            print(table(f"{way}, in {root}" if given.beside else way, runs), end="\n\n")


if __name__ == "__main__":
    main()
