"""Opens the app: the calls of the start leave first, and Textual is imported while they are under way.

Nothing here may import Textual at its top: that takes about as long as a call to a gateway, and the calls would wait.
"""

import asyncio
import gc
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from importlib import import_module
from pathlib import Path

import httpx

from tui import last_time
from tui.config import Config, Flags, Settings
from tui.gateway.clock import utc_now
from tui.last_time import Picture
from tui.lookups import look_up_in_daemons
from tui.startup import Session, demo, start
from tui.terminal import Terminal

TURNS = 16
"""Rounds of the loop in which a start comes as far as it can without waiting: the key is read from its file, what
connecting takes is imported, and the calls are on their way. Two threads do not import at once then."""


class Begun:
    """A session that is being started while there is no screen yet that could show it.

    It needs a running loop, and begins at once. What it fails with waits for `session`; where nobody asks, it is
    nobody's. `remember` is the folder of `last_time`, None for nothing of earlier starts.
    """

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None, remember: Path | None = None
    ) -> None:
        self._step = "starting"
        self._said: Callable[[str], None] | None = None
        self.picture: Picture | None = None
        """How the list of keys looked the last time; None where that is not known, or not yet."""
        self._recalled: Callable[[Picture], None] | None = None
        self._task = asyncio.create_task(
            start(settings, transport=transport, said=self._say, remember=remember, recalled=self._recall)
        )
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def session(
        self, said: Callable[[str], None], recalled: Callable[[Picture], None] = lambda _: None
    ) -> Session:
        """The session; `said` is told the step at hand and those that follow, `recalled` a `picture` that was not
        there yet. Raises as `startup.start`.

        Cancelling it ends the start.
        """
        said(self._step)
        # the start began outside of any app, and who draws has to be inside of one
        context = copy_context()
        self._said = lambda step: context.run(said, step)
        self._recalled = lambda picture: context.run(recalled, picture)
        return await self._task

    def _say(self, step: str) -> None:
        self._step = step
        if self._said is not None:
            self._said(step)

    def _recall(self, picture: Picture) -> None:
        self.picture = picture
        if self._recalled is not None:
            self._recalled(picture)


def run(settings: Settings | None, config: Config, flags: Flags, terminal: Terminal) -> int:
    """Run the app in the terminal until the person leaves; the exit code.

    Raises `KeyboardInterrupt` for a Ctrl+C before the app is there to take it.
    """
    return asyncio.run(_run(settings, config, flags, terminal))


async def _run(settings: Settings | None, config: Config, flags: Flags, terminal: Terminal) -> int:
    transport: httpx.AsyncBaseTransport | None = None
    clock: Callable[[], datetime] = utc_now
    look_up_in_daemons(asyncio.get_running_loop())
    if settings is not None and settings.demo:
        settings, transport, clock = demo(settings)
    # the embedded gateway is another one at each start
    remember = last_time.folder() if transport is None else None
    begun = Begun(settings, transport, remember) if settings is not None else None
    for _ in range(TURNS):
        await asyncio.sleep(0)
    # in a thread, so that answers are read, and followed by the next calls, meanwhile
    await asyncio.to_thread(import_module, "tui.app")
    from tui.app import LitellmTui

    # from here on there is garbage; what was imported stays, and need not be looked through for it again and again
    gc.freeze()
    gc.enable()
    app = LitellmTui(
        settings,
        config=config,
        flags=flags,
        transport=transport,
        clock=clock,
        terminal=terminal,
        begun=begun,
    )
    return await app.run_async(mouse=terminal.mouse) or app.return_code or 0
