"""All benchmarks, in one table. What needs a proxy is left out where none is given, and a line says so.

    python -m tests.benchmarks [--runs N] [--markdown] [--proxy URL RELEASE] [--big URL DATABASE] [--year URL RELEASE]

`--proxy` is for the start and a rotation on a real one, `--big` for the keys screen at 100 and 20,000 keys (the rows
named `big-…` of that database are replaced), `--year` for a year of usage (see `year_of_usage`; the paged way takes two
minutes each time). The master key is `LITELLM_MASTER_KEY`. Figures are medians of `--runs` rounds, in which what is
compared takes turns.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tests.benchmarks import bytes_on_the_wire, many_keys, rotation, start, year_of_usage
from tests.benchmarks.table import Row, markdown, text


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a goal is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--idle", type=float, default=30.0, metavar="SECONDS", help="of doing nothing (default: 30)")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--proxy", nargs=2, metavar=("URL", "RELEASE"))
    parser.add_argument("--big", nargs=2, metavar=("URL", "DATABASE"))
    parser.add_argument("--year", nargs=2, metavar=("URL", "RELEASE"))
    parser.add_argument("--user", default="seed-user-1", help="at --proxy and --year (default: %(default)s)")
    given = parser.parse_args(argv)
    key = os.environ.get("LITELLM_MASTER_KEY", "")
    if not key and (given.proxy or given.big or given.year):
        parser.error("LITELLM_MASTER_KEY is not set")
    runs, user = given.runs, given.user
    parts: list[tuple[str, Callable[[], list[Row]] | None]] = [
        ("start", lambda: start.measure(runs)),
        ("start on a real proxy: --proxy", given.proxy and (lambda: start.real(given.proxy[0], key, user, runs))),
        (
            "100 and 20,000 keys: --big",
            given.big and (lambda: many_keys.measure(given.big[0], given.big[1], key, runs)),
        ),
        (
            "year of usage: --year",
            given.year and (lambda: year_of_usage.measure(*given.year[:2], user=user, runs=runs)),
        ),
        ("rotation: --proxy", given.proxy and (lambda: rotation.measure(given.proxy[0], key, given.proxy[1], runs))),
        ("bytes", lambda: bytes_on_the_wire.measure(runs, given.idle)),
    ]
    rows: list[Row] = []
    missed = False
    for what, measure in parts:
        if measure is None:
            print(f"Left out, {what} was not given.", file=sys.stderr)
            continue
        print(f"{what.partition(':')[0]} …", file=sys.stderr)
        try:
            rows += measure()
        except (AssertionError, OSError) as error:
            # minutes of other measurements are not thrown away
            print(f"Not measured, {what.partition(':')[0]}: {error}", file=sys.stderr)
            missed = True
    print(markdown(rows) if given.markdown else text(rows))
    return int(missed or not all(row.met for row in rows))


if __name__ == "__main__":
    sys.exit(main())
