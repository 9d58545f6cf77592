"""The app over made-up data whose time stands still: a refresh finds what was there, and one change after SIGUSR1.

`python -m tests.terminal.still CALLS` writes each call's path as a line into the file CALLS. SIGUSR1 adds $1 to the
spend of the key laptop.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tui.terminal import prepare, seen

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def main() -> int:
    """Run the app; its exit code."""
    terminal = seen(os.environ)
    prepare(os.environ, terminal)
    from tui.app import LitellmTui
    from tui.config import Settings
    from tui.credentials import HeldKey, Secret
    from tui.demo import DemoGateway

    gateway = DemoGateway.believable(now=NOW)
    calls = Path(sys.argv[1])

    def note(words: str) -> None:
        with calls.open("a") as file:
            print(words, file=file)

    class Counted(httpx.AsyncBaseTransport):
        """The gateway's transport, which says when an answer has gone out."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await inner.handle_async_request(request)
            note(request.url.path)
            return answer

    def spend_more(*_: object) -> None:
        laptop = next(row for row in gateway.keys.values() if row["key_alias"] == "laptop")
        laptop["spend"] += 1
        note("spent")

    inner = gateway.transport()
    signal.signal(signal.SIGUSR1, spend_more)
    app = LitellmTui(
        Settings(
            profile="still",
            url="https://llm.example.com",
            credential=HeldKey(Secret(gateway.master_key)),
            user=gateway.demo_user,
        ),
        transport=Counted(),
        clock=gateway.clock,
        terminal=terminal,
    )
    return app.run(mouse=terminal.mouse) or app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
