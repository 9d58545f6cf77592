"""The keys screen with 20,000 keys beside 100, on a real proxy with a database of its own: medians of one run.

    python -m tests.benchmarks.many_keys PROXY_URL DATABASE_URL [--runs N]

`tests/live/test_many_keys.py` says how to have such a proxy; its keys are replaced. The master key is
`LITELLM_MASTER_KEY`.

- from the start of the program to the keys on screen, and memory (VmHWM) beside a bare Textual app;
- from a key press in the filter to its answer on screen, beside the same question asked with curl a moment later: the
  same parameters, order and number of keys. The app has its connection already; curl's takes less than 1 ms here.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.curl import Call, seconds
from tests.benchmarks.many_keys_seed import seed
from tests.benchmarks.start import ANSWERED, APP, BARE
from tests.benchmarks.table import Row, text
from tests.benchmarks.terminal import Running, environment

ASKED = "return_full_object=true&page=1&size=100"
WORD = "pro"
"""What is typed into the filter, and taken away again."""
TIMES = 3
"""How often, in each run."""


def measure(url: str, database: str, key: str, runs: int) -> list[Row]:
    """The rows; `key` is the master key. The company of `many_keys_seed` is put into the database."""
    few: list[float] = []
    many: list[float] = []
    memory: dict[int, list[float]] = {100: [], 20_000: []}
    typed: list[float] = []
    answered: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        ours = environment(Path(folder), LITELLM_TUI_URL=url, LITELLM_TUI_API_KEY=key)
        for number in range(runs + 1):
            with Running(BARE, env) as program:
                program.until(b"Expires")
                bare.append(program.memory)
            for count, into in ((100, few), (20_000, many)):
                seed(database, keys=count)
                seconds([Call("GET", f"{url}/key/list?{ASKED}", key)])
                with Running(APP, ours) as running:
                    into.append(running.until(ANSWERED))
                    memory[count].append(running.memory)
                    if count == 100:
                        continue
                    running.press(b"/")
                    for end, letter in list(enumerate(WORD, 1)) * TIMES:
                        running.press(letter.encode())
                        # only what differs on screen is sent: the new letter and the quotation mark after it
                        typed.append(running.until(f"{letter}”".encode()))
                        running.still()
                        answered.append(seconds([Call("GET", f"{url}/key/list?search={WORD[:end]}&{ASKED}", key)]))
                        if end == len(WORD):
                            for _ in WORD:
                                running.press(b"\x7f")
            if not number:
                # the first run fills caches of the database and of the machine
                for each in (few, many, *memory.values(), typed, answered, bare):
                    each.clear()

    def row(what: str, mine: list[float], beside: str, others: list[float]) -> Row:
        return Row(what, statistics.median(mine) * 1000, beside, statistics.median(others) * 1000, goal=1.2)

    without = statistics.median(bare)
    return [
        row("launch to 20,000 keys", many, "launch to 100 keys", few),
        row("a letter in the filter of 20,000", typed, "the same answer by curl", answered),
        *(
            Row(f"memory, {count:,} keys", statistics.median(most), "a bare Textual app", without, "MB", 60, above=True)
            for count, most in memory.items()
        ),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("database")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    print(text(measure(given.url, given.database, os.environ["LITELLM_MASTER_KEY"], given.runs)))


if __name__ == "__main__":
    main()
