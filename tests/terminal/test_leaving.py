"""However the app ends or pauses, the terminal is as it was, and nothing is left running."""

import os
import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.terminal.conftest import Start
from tests.terminal.driver import ROOT, Terminal, demo

SWITCHED_ON = {"1049": "the second screen", "1000": "the mouse", "1002": "drags", "1006": "the mouse", "2004": "pastes"}
CODES = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


def restored(terminal: Terminal, *, mouse: bool = True) -> None:
    """Every mode that was asked for is given back, and what the kernel keeps is as it was."""
    sent = bytes(terminal.sent)
    for mode, name in SWITCHED_ON.items():
        on, off = sent.rfind(f"\x1b[?{mode}h".encode()), sent.rfind(f"\x1b[?{mode}l".encode())
        if not mouse and mode in ("1000", "1002", "1006"):
            assert on == off == -1, name
        else:
            assert 0 <= on < off, name
    assert sent.rfind(b"\x1b[?25l") < sent.rfind(b"\x1b[?25h"), "the cursor"
    assert sent.rfind(b"\x1b[?7l") < sent.rfind(b"\x1b[?7h"), "the line wrap"
    assert sent.rfind(b"\x1b[>") < sent.rfind(b"\x1b[<u"), "the keyboard protocol"
    assert terminal.modes() == terminal.before
    assert "Traceback" not in terminal.text() and "rror" not in terminal.text(), terminal.text()


def opened(start: Start, *flags: str, **more: str) -> Terminal:
    terminal = start(*flags, env=more)
    terminal.see("prod-api")
    terminal.quiet()
    return terminal


@pytest.mark.parametrize("number", list(CODES), ids=lambda number: number.name)
@pytest.mark.parametrize("keys", ["", "n"], ids=["list", "dialog"])
def test_a_signal_ends_it_and_the_terminal_is_as_before(start: Start, number: signal.Signals, keys: str) -> None:
    terminal = opened(start)
    if keys:
        terminal.press(keys)
        terminal.see("New virtual key")
    os.kill(terminal.process.pid, number)
    assert terminal.ended() == CODES[number]
    restored(terminal)
    assert terminal.text().strip() == "", "the first screen is back, with nothing written on it"


def test_a_signal_during_the_start(start: Start) -> None:
    terminal = start()
    terminal.until(lambda: b"\x1b[?1049h" in terminal.sent, "the first sequence")
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.ended() == 143
    restored(terminal)


def test_a_terminal_that_is_gone_ends_it(start: Start) -> None:
    terminal = opened(start)
    terminal.hang_up()
    assert terminal.process.wait(20) == 129


def test_a_terminal_that_is_gone_ends_it_under_nohup(start: Start) -> None:
    """SIGHUP is ignored there; what says it is the terminal itself."""
    code = f"import signal, os; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execvp({sys.executable!r}, {demo()!r})"
    terminal = start(command=(sys.executable, "-c", code))
    terminal.see("prod-api")
    terminal.quiet()
    terminal.hang_up()
    assert terminal.process.wait(20) == 129


def test_a_terminal_that_takes_no_more_bytes_does_not_hold_it(start: Start) -> None:
    terminal = opened(start)
    # nobody reads: the kernel's buffer fills, then Textual's queue, then the app waits
    terminal.press("\x0c" * 200)
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.process.wait(20) == 143
    assert terminal.modes() == terminal.before


def test_q_leaves_with_0_and_every_mode_restored(start: Start) -> None:
    terminal = opened(start)
    terminal.press("q")
    assert terminal.ended() == 0
    restored(terminal)


def test_no_mouse_sends_no_word_about_a_mouse(start: Start) -> None:
    terminal = opened(start, "--no-mouse")
    terminal.press("q")
    assert terminal.ended() == 0
    restored(terminal, mouse=False)
    for mode in (b"?9", b"?1000", b"?1001", b"?1002", b"?1003", b"?1005", b"?1006", b"?1015", b"?1016"):
        assert b"\x1b[" + mode not in terminal.sent, mode


def test_the_mouse_selects_a_row(start: Start) -> None:
    terminal = opened(start)
    # a mouse that merely moves is not reported, so a click has to do without having been announced
    assert b"\x1b[?1003h" not in terminal.sent
    y = next(y for y, row in enumerate(terminal.rows()) if row.startswith("  prod-api"))
    terminal.press(f"\x1b[<0;5;{y + 1}M\x1b[<0;5;{y + 1}m")
    terminal.until(lambda: terminal.cells()[y][5] != terminal.cells()[y + 1][5], "the cursor on the row")
    terminal.press("q")
    assert terminal.ended() == 0


@pytest.fixture
def shell(start: Start) -> Terminal:
    """bash, interactive, with the app as its foreground job."""
    terminal = start(
        command=("bash", "--norc", "--noprofile", "-i"),
        env={"PS1": "shell> ", "HISTFILE": "", "PYTHONPATH": str(ROOT)},
    )
    terminal.see("shell>")
    terminal.press(" ".join(demo()) + "\r")
    terminal.see("prod-api")
    terminal.quiet()
    return terminal


def leave(shell: Terminal) -> None:
    mark = shell.mark()
    shell.press("q")
    shell.until(lambda: b"shell> " in shell.since(mark), "the shell's prompt")
    shell.press("echo code:$?; exit\r")
    assert shell.ended() == 0
    assert b"code:0" in shell.since(mark)


def canonical(terminal: Terminal) -> bool:
    return bool(terminal.modes()[3] & termios.ISIG)


@pytest.mark.parametrize("keys", ["", "n"], ids=["list", "dialog"])
def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again(shell: Terminal, keys: str) -> None:
    if keys:
        shell.press(keys)
        shell.see("New virtual key")
        shell.quiet()
    shown, cells = shell.text(), shell.cells()
    shell.press("\x1a")
    shell.see("Stopped")
    sent = bytes(shell.sent)
    for mode in SWITCHED_ON.keys() - {"2004"}:  # bash itself takes pastes so
        assert sent.rfind(f"\x1b[?{mode}h".encode()) < sent.rfind(f"\x1b[?{mode}l".encode()), SWITCHED_ON[mode]
    assert sent.rfind(b"\x1b[?25l") < sent.rfind(b"\x1b[?25h")
    assert "vector-index" not in shell.text(), "the first screen is back"
    shell.press("echo it $((40 + 2)) works\r")
    shell.see("it 42 works")
    mark = shell.mark()
    shell.press("fg\r")
    shell.see("vector-index")
    shell.quiet()
    assert shell.text() == shown and shell.cells() == cells
    assert b"\x1b[?1049h" in shell.since(mark) and b"\x1b[?1000h" in shell.since(mark)
    if keys:
        shell.press("\x1b")
        shell.gone("New virtual key")
    shell.press("2")
    shell.see("Context")
    shell.press("1")
    shell.see("prod-api")
    leave(shell)


def test_a_window_that_changed_meanwhile(shell: Terminal) -> None:
    shell.press("\x1a")
    shell.see("Stopped")
    shell.resize(60, 20)
    shell.press("fg\r")
    shell.see("1 Keys 13")
    shell.until(lambda: "? help" in shell.rows()[19], "the hints in the last row")
    leave(shell)


def test_bg_stops_it_again_and_fg_brings_it_back(shell: Terminal) -> None:
    shell.press("\x1a")
    shell.see("Stopped")
    shell.press("bg\r")
    shell.quiet()
    shell.press("\r")
    shell.press("jobs\r")
    shell.until(lambda: shell.text().count("Stopped") >= 2, "the job to stop again")
    shell.press("fg\r")
    shell.see("prod-api")
    shell.quiet()
    shell.press("2")
    shell.see("Context")
    shell.press("1")
    shell.see("prod-api")
    leave(shell)


def test_ctrl_z_where_no_shell_waits_changes_nothing(start: Start) -> None:
    """Started by sshd or tmux itself: stopped, nobody could ever continue it."""
    terminal = opened(start)
    shown = terminal.text()
    mark = terminal.mark()
    terminal.press("\x1a")
    terminal.until(lambda: b"\x1b[?1049h" in terminal.since(mark), "the app to take the terminal again")
    terminal.see("prod-api")
    terminal.quiet()
    assert terminal.text() == shown
    terminal.press("q")
    assert terminal.ended() == 0
    restored(terminal)


def test_a_stop_from_outside_is_come_back_from(start: Start) -> None:
    """SIGSTOP asks nobody: whoever had the terminal meanwhile left it in his own modes."""
    terminal = opened(start)
    raw, shown = terminal.modes(), terminal.text()
    os.kill(terminal.process.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{terminal.process.pid}/stat")
    terminal.until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the process to stop")
    termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)
    terminal.press("")
    mark = terminal.mark()
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.until(lambda: terminal.modes() == raw and b"prod-api" in terminal.since(mark), "the screen again")
    terminal.quiet()
    assert terminal.text() == shown
    terminal.press("q")
    assert terminal.ended() == 0
    restored(terminal)


def test_bytes_that_are_no_utf8_are_survived(start: Start) -> None:
    terminal = opened(start, LANG="C")
    terminal.press(b"\xff\xfe\xe9\x80")
    terminal.press("2")
    terminal.see("Context")
    terminal.press("q")
    assert terminal.ended() == 0
    restored(terminal)
