"""A long range of usage: wall time, calls, bytes and memory, the cheapest way beside the pages that every release has.

Each way runs in a process of its own, in turns. For a gateway with a busy history, such as that of
`proxy seed --days 365 --users 1 --keys 50 --models 20`:

    LITELLM_MASTER_KEY=… python -m tests.benchmarks.year_of_usage http://127.0.0.1:4400 1.108.0 [--user U] [--runs N]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx

from tests.benchmarks.table import Row, text
from tests.benchmarks.terminal import ROOT, peak
from tui.gateway import usage
from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.usage import Question, Reader

TIMEOUT = 120.0
"""Seconds: the pages of a year may queue on the gateway."""


class Counted(httpx.AsyncHTTPTransport):
    """Counts calls, bytes of bodies as they come over the wire, and how long each call takes to its last byte."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.bytes = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began = time.perf_counter()
        response = await super().handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Stream(self, stream, began),
            extensions=response.extensions,
        )


class _Stream(httpx.AsyncByteStream):
    def __init__(self, counted: Counted, stream: httpx.AsyncByteStream, began: float) -> None:
        self._counted, self._stream, self._began = counted, stream, began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._counted.bytes += len(chunk)
            yield chunk
        self._counted.seconds.append(time.perf_counter() - self._began)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def reading(url: str, release: str, user: str, start: date, end: date, paged: bool) -> dict[str, Any]:
    """One reading, with what it took and what it came to."""
    transport = Counted()
    client = Client(url, os.environ["LITELLM_MASTER_KEY"], timeout=TIMEOUT, transport=transport)
    reader = Reader(client, Server(release), admin=True, pages_only=paged)
    began = time.perf_counter()
    found = await reader.read(Question("user", user), start, end)
    return {
        "seconds": time.perf_counter() - began,
        "calls": len(transport.seconds),
        "megabytes": transport.bytes / 1e6,
        "slowest": max(transport.seconds),
        "memory": peak(),
        "spend": round(found.totals.spend, 4),
        "requests": found.totals.api_requests,
    }


def apart(way: str, url: str, release: str, user: str, days: int) -> dict[str, Any]:
    """One reading in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.year_of_usage", url, release, "--way", way]
    command += ["--user", user, "--days", str(days)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(url: str, release: str, *, user: str, days: int = 365, runs: int) -> list[Row]:
    """The rows. Raises `AssertionError` where the two ways come to different sums."""
    found = [[apart(way, url, release, user, days) for way in ("cheapest", "paged")] for _ in range(runs)]
    for ours, theirs in found:
        same = ("spend", "requests")
        assert [ours[name] for name in same] == [theirs[name] for name in same], (ours, theirs)

    def row(what: str, name: str, unit: str, above: bool = False) -> Row:
        mine, other = (statistics.median(pair[way][name] for pair in found) for way in (0, 1))
        return Row(f"{days} days of usage{what}", mine, "the same, page by page", other, unit, above=above)

    return [
        row("", "seconds", "s"),
        row(": calls", "calls", "calls"),
        row(": bytes", "megabytes", "MB"),
        row(": memory", "memory", "MB", above=True),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("release", help="of the gateway, such as 1.108.0")
    parser.add_argument("--user", default="seed-user-1")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--way", choices=("cheapest", "paged"), help="read once in this way, and print it as JSON")
    args = parser.parse_args()
    if args.way:
        days = usage.last_days(args.days, usage.utc_today())
        print(json.dumps(asyncio.run(reading(args.url, args.release, args.user, *days, args.way == "paged"))))
    else:
        print(text(measure(args.url, args.release, user=args.user, days=args.days, runs=args.runs)))


if __name__ == "__main__":
    main()
