"""A long range of usage: wall time, calls, bytes and memory, the cheapest way beside the pages that every release has.

Each way runs in a process of its own. For a gateway with a busy history, such as that of
`proxy seed --days 365 --users 1 --keys 50 --models 20`:

    LITELLM_MASTER_KEY=… python -m tests.benchmarks.year_of_usage http://127.0.0.1:4400 1.108.0 --user seed-user-1
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx

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


async def measure(url: str, release: str, user: str, start: date, end: date, paged: bool) -> dict[str, Any]:
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
        "memory": _peak(),
        "spend": round(found.totals.spend, 4),
        "requests": found.totals.api_requests,
    }


def _peak() -> float:
    """VmHWM of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def main() -> int:
    """Print one line for each way, and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("release", help="of the gateway, such as 1.108.0")
    parser.add_argument("--user", default="seed-user-1")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--way", choices=("cheapest", "paged"), help="measure one way here, and print it as JSON")
    args = parser.parse_args()
    if args.way:
        days = usage.last_days(args.days, usage.utc_today())
        print(json.dumps(asyncio.run(measure(args.url, args.release, args.user, *days, args.way == "paged"))))
        return 0
    rows = {}
    for way in ("cheapest", "paged"):
        command = [sys.executable, "-m", "tests.benchmarks.year_of_usage", args.url, args.release, "--way", way]
        command += ["--user", args.user, "--days", str(args.days)]
        rows[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{'':<10}{'seconds':>9}{'calls':>7}{'MB':>8}{'slowest':>9}{'peak MB':>9}{'spend':>13}{'requests':>10}")
    for way, row in rows.items():
        print(
            f"{way:<10}{row['seconds']:>9.2f}{row['calls']:>7}{row['megabytes']:>8.1f}{row['slowest']:>8.2f}s"
            f"{row['memory']:>9.0f}{row['spend']:>13,.4f}{row['requests']:>10,}"
        )
    cheap, paged = rows["cheapest"], rows["paged"]
    print(f"the pages take {paged['seconds'] / cheap['seconds']:.1f} times as long")
    return int((cheap["spend"], cheap["requests"]) != (paged["spend"], paged["requests"]))


if __name__ == "__main__":
    sys.exit(main())
