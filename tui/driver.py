"""The line to the terminal: what is asked of it at the start, and what is left of it in the end, however that comes."""

import codecs
import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal import Terminal

GRACE = 3.0
"""Seconds that an ending app has before the process ends without it, its terminal restored."""
_ENDS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class _Output:
    """What is written to the terminal; once that has gone, nothing is, and `lost` has been called."""

    def __init__(self, file: TextIO, ascii: bool, lost: Callable[[], None]) -> None:
        self._file: TextIO | None = file
        self._ascii = ascii
        self._lost = lost

    def fileno(self) -> int:
        return sys.__stdout__.fileno() if sys.__stdout__ else 1

    def write(self, text: str) -> None:
        if self._file is None:
            return
        if self._ascii and not text.isascii():
            text = text.encode("ascii", "replace").decode("ascii")
        try:
            self._file.write(text)
        except OSError:
            self._gone()

    def flush(self) -> None:
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError:
            self._gone()

    def _gone(self) -> None:
        self._file = None
        self._lost()


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals, which besides:

    - ends the app on SIGHUP, SIGTERM, SIGINT and when the terminal is gone, with 128 and the signal's number as the
      exit code, and leaves the terminal as it was;
    - suspends the whole foreground job, as the shell that it returns to expects, and comes back from any stop;
    - sends a terminal nothing that it does not know, and asks for no report of a mouse that merely moves;
    - takes any byte for input, text in another encoding too.
    """

    def __init__(
        self, app: Any, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._terminal: Terminal = app.terminal
        self._away = False
        self._stopping = False
        self._ending = 0
        # stderr is Textual's choice; what somebody sends to a file is errors, not the screen
        self._file = cast("Any", _Output(cast("TextIO", sys.__stdout__), self._terminal.ascii, self._lost))

    def _get_terminal_size(self) -> tuple[int, int]:
        # not COLUMNS and LINES, which do not follow when the window changes
        try:
            width, height = os.get_terminal_size(self.fileno)
        except OSError:
            width, height = 0, 0
        return width or 80, height or 24

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            # buttons and drags; every move (1003) would be a report and a repaint each
            self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1006l\x1b[?1002l\x1b[?1000l")

    def _enable_mouse_pixels(self) -> None:
        """Cells are fine enough."""

    def _request_terminal_sync_mode_support(self) -> None:
        if not self._terminal.basic:
            super()._request_terminal_sync_mode_support()

    def _query_in_band_window_resize(self) -> None:
        """SIGWINCH is there on every system that this driver is for."""

    def write(self, data: str) -> None:
        """Send `data`; nowhere while the app is in the background."""
        if self._away or self._writer_thread is None:
            return
        # the shape of a mouse pointer that is not followed, which a console prints as words; the end of a keyboard
        # protocol that was not begun
        if data.startswith("\x1b]22;") or (self._terminal.basic and data == "\x1b[<u"):
            return
        super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, and the signals that end the app."""
        # before anything is asked of the terminal that a sudden end would leave so
        for number in _ENDS:
            # who ignores SIGHUP, as nohup does, means it
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._end)
        self._writer_thread = None
        self._away = False
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._away = self._writer_thread is None

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        if self._away:
            return
        if self._terminal.basic:
            # it has no second screen to leave
            self.write("\x1b[m\x1b[H\x1b[2J")
        super().stop_application_mode()
        for number in _ENDS:
            if signal.getsignal(number) == self._end:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def _end(self, number: int, _frame: FrameType | None = None) -> None:
        if self._ending:
            return
        self._ending = number
        # whatever the app is waiting for; a terminal that takes no more bytes, say
        limit = threading.Timer(GRACE, self._leave, (number,))
        limit.daemon = True
        limit.start()
        self._loop.call_soon_threadsafe(lambda: self._app.exit(return_code=128 + number))

    def _leave(self, number: int) -> None:
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        with contextlib.suppress(OSError, ValueError):
            if select.select([], [self.fileno], [], 0)[1]:
                os.write(self.fileno, b"\x1b[m\x1b[?7h\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1049l\x1b[?25h")
        os._exit(128 + number)

    def _lost(self) -> None:
        # where the loop has ended already, so has the app
        with contextlib.suppress(RuntimeError):
            self._end(signal.SIGHUP)

    def _sigtstp_application(self, *_: Any) -> None:
        # not here: the handler may have come in the middle of a write
        self._loop.call_soon_threadsafe(self._suspend)

    def _sigcont_application(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._come_back, not self._stopping)

    def _suspend(self) -> None:
        if not self._auto_restart or self._ending or self._away:
            return
        self._stopping = True
        self._go_away()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # to all of the job, a wrapper such as `uv run` included; where no shell waits, nobody stops
        os.kill(0, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._come_back()
        self._stopping = False

    def _go_away(self) -> None:
        self.suspend_application_mode()
        self._away = True

    def _come_back(self, from_outside: bool = False) -> None:
        if not self._auto_restart or self._ending:
            return
        if from_outside and not self._away:
            # stopped by a signal that nobody can handle: a shell has had the terminal meanwhile
            self._go_away()
        if self._away:
            self._must_signal_resume = True
            self.resume_application_mode()

    def run_input_thread(self) -> None:
        """Read keys until the app stops listening, or nobody can press one any more."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        ready = select.poll()
        ready.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            if ready.poll(100):
                try:
                    data = os.read(self.fileno, 4096)
                except OSError:
                    data = b""
                if not data:
                    self._lost()
                    return
                for event in parser.feed(decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
