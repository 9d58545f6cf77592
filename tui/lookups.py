"""Name lookups that nothing waits for: where DNS does not answer, a program still ends at once."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any


def look_up_in_daemons(loop: asyncio.AbstractEventLoop) -> None:
    """Have `loop` look names up in threads that nothing waits for.

    Its own threads are few, and each call of a start has a name to look up: where DNS does not answer, the import of
    the app would queue behind them, and the end of the process wait for them.
    """

    def look_up(host: Any, port: Any, **wanted: int) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(found: Any, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def ask() -> None:
            found, failure = None, None
            try:
                found = socket.getaddrinfo(host, port, **wanted)
            except Exception as error:
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found, failure)

        threading.Thread(target=ask, daemon=True, name="names").start()
        return answer

    loop.getaddrinfo = look_up  # type: ignore[method-assign,assignment]
