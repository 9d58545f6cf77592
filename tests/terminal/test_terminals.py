"""What is drawn on each kind of terminal, looked at cell by cell."""

import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.bytes_on_the_wire import ours
from tests.terminal.conftest import Start
from tests.terminal.driver import TUI, Terminal

KINDS = [
    pytest.param({"TERM": "xterm-256color"}, id="xterm-256color"),
    pytest.param({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, id="truecolor"),
    pytest.param({"TERM": "screen-256color"}, id="screen-256color"),
    pytest.param({"TERM": "tmux-256color"}, id="tmux-256color"),
    pytest.param({"TERM": "linux"}, id="linux"),
    pytest.param({"TERM": "vt100"}, id="vt100"),
    pytest.param({"TERM": "xterm-256color", "NO_COLOR": "1"}, id="no-color"),
    pytest.param({"TERM": "xterm-256color", "LANG": "C"}, id="ascii"),
    pytest.param({"TERM": "vt100", "LANG": "", "LC_ALL": "POSIX"}, id="vt100-ascii"),
]
COLOURS = {  # the colours that may be sent, as a pattern of SGR parameters; beside them only the attributes
    "xterm-256color": r"[34]8;5;\d+|[349][0-79]",
    "truecolor": r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|[349][0-79]",
    "linux": r"[39][0-79]|4[0-79]",
    "vt100": r"",
}
SIZES = ((80, 24), (60, 20), (200, 50))


def frames(terminal: Terminal) -> list[tuple[int, int, int]]:
    """Every dialog frame on screen as top row, left and right column, its corners checked."""
    found = []
    for top, row in enumerate(terminal.screen.display):
        match = re.search(r"[╭+][─-]{20,}.*?[╮+]", row)
        if match:
            found.append((top, match.start(), match.end() - 1))
    return found


def look_at_frame(terminal: Terminal) -> None:
    """A dialog's frame is closed: both sides straight down to the corners, and all of it on the screen."""
    rows = terminal.screen.display
    (top, left, right), *_ = frames(terminal)
    bottom = next(y for y in range(top + 1, len(rows)) if rows[y][left] in "╰+")
    assert rows[bottom][right] in "╯+"
    for y in range(top + 1, bottom):
        assert rows[y][left] in "│|" and rows[y][right] in "│|", f"row {y} of\n{terminal.text()}"


def look_at_keys(terminal: Terminal) -> None:
    """The keys screen: first and last line in place, and every column of the list under its title."""
    rows = terminal.screen.display
    assert rows[0].startswith(" litellm-tui  DEMO"), terminal.text()
    assert "1 Keys 13" in rows[1] and "2 Models" in rows[1] and "3 Usage" in rows[1]
    assert rows[-1].rstrip().endswith("? help"), terminal.text()
    titles = next(row for row in rows if "Alias" in row and "Expires" in row)
    listed = [row for row in rows[rows.index(titles) + 1 :] if re.search("[…~][A-Za-z0-9]{4}", row)]
    assert len(listed) >= 5, terminal.text()
    for title in ("Alias", "Expires"):
        column = titles.index(title)
        for row in listed:
            assert row[column - 1] == " " and row[column] != " ", f"{title}: {row}"
    end_of_spend = titles.index("Spend") + len("Spend")
    for row in listed:
        assert re.search(r"\$\d+\.\d\d$", row[:end_of_spend]), row
    # no half of a sequence has been drawn as text
    assert not re.search(r"\d+[;$]\d*[;\dmpuHhl]|22;default|\[\?", terminal.text()), terminal.text()


def sent_colours(terminal: Terminal) -> set[str]:
    """The colours among all SGR sequences so far."""
    found = set()
    for sequence in re.findall(rb"\x1b\[([\d;]*)m", bytes(terminal.sent)):
        words = sequence.decode()
        for colour in re.findall(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+", words):
            found.add(colour)
            words = words.replace(colour, "", 1)
        found |= {word for word in words.split(";") if len(word) > 1 and word not in ("39", "49", "21", "53")}
    return found


@pytest.mark.parametrize("env", KINDS)
def test_every_kind_of_terminal_at_every_size(
    start: Start, env: dict[str, str], request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.id
    terminal = start(env=env)
    terminal.see("prod-api")
    terminal.see("help")
    terminal.quiet()
    look_at_keys(terminal)
    terminal.press("n")
    terminal.see("New virtual key")
    for size in (*SIZES, SIZES[0]):
        terminal.resize(*size)
        terminal.see("Create")
        terminal.quiet()
        look_at_frame(terminal)
        assert "Create  ctrl+s" in terminal.text() and "Back  esc" in terminal.text(), terminal.text()
    terminal.press("\x1b")
    terminal.gone("New virtual key")
    for size in (SIZES[2], SIZES[1], SIZES[0]):
        terminal.resize(*size)
        terminal.quiet()
        look_at_keys(terminal)
    terminal.press("2")
    terminal.see("Context")
    terminal.see("text-embedding")
    terminal.press("q")
    assert terminal.ended() == 0

    if "ascii" in kind:
        assert bytes(terminal.sent).isascii()
    else:
        assert "…" in bytes(terminal.sent).decode()
    colours = sent_colours(terminal)
    if COLOURS.get(kind):
        assert colours, "there are colours to show"
        assert {each for each in colours if not re.fullmatch(COLOURS[kind], each)} == set()
    elif kind.startswith(("vt100", "no-color")):
        assert colours == set()
    if kind.startswith(("linux", "vt100")):
        # what such a terminal would print instead of obeying
        assert not re.search(rb"\x1b\[[<>=]|\x1b\[\?\d+\$p|\x1b\]", bytes(terminal.sent))


def test_the_cursor_is_seen_without_colours(start: Start) -> None:
    terminal = start(env={"TERM": "vt100"})
    terminal.see("prod-api")
    terminal.quiet()
    y = next(y for y, row in enumerate(terminal.rows()) if "ci-nightly" in row)
    assert terminal.screen.buffer[y][30].reverse and not terminal.screen.buffer[y + 1][30].reverse
    terminal.press("j")
    terminal.until(lambda: terminal.screen.buffer[y + 1][30].reverse, "the cursor one row down")
    assert not terminal.screen.buffer[y][30].reverse
    terminal.press("q")
    assert terminal.ended() == 0


STEPS = (
    ("j", "prod-api"),
    ("jj", "prod-api"),
    ("\t", "prod-api"),
    (" ", "1 marked"),
    ("n", "New virtual key"),
    ("a漢字é", "漢"),
    ("\x1b", "vector-index"),
    ("2", "Context"),
    ("j", "Context"),
    ("\r", "OpenAI SDK"),
    ("\x1b", "Context"),
    ("1", "vector-index"),
    ("/", "vector-index"),
    ("ci", "esc clears"),
    ("\x1b", "vector-index"),
    ("s", "vector-index"),
    ("3", "Usage of"),
)


def test_what_is_drawn_by_differences_is_what_a_redraw_draws(tmp_path: Path) -> None:
    """Only cells that differ are sent; after each step the screen is as if all of it had been."""
    terminal = ours(tmp_path).terminal
    for keys, words in STEPS:
        terminal.press(keys)
        terminal.see(words)
        terminal.quiet(0.7)
        shown, cells = terminal.text(), terminal.cells()
        mark = terminal.mark()
        terminal.press("\x0c")
        terminal.until(partial(_more_than, terminal, mark), f"the redraw after {keys!r}")
        terminal.quiet()
        assert terminal.text() == shown, f"after {keys!r}"
        assert terminal.cells() == cells, f"colours after {keys!r}"
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.close() == []


def _more_than(terminal: Terminal, mark: int) -> bool:
    return len(terminal.since(mark)) > 1000


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": "dumb", "LANG": "C"}])
def test_a_dumb_terminal_is_refused_in_one_line(start: Start, env: dict[str, str]) -> None:
    terminal = start(env=env, size=(200, 24))
    assert terminal.ended() == 2
    (line,) = terminal.text().splitlines()[:1]
    assert line.startswith("litellm-tui: the app needs a terminal.") and "usage; see --help." in line
    assert terminal.text().strip() == line and b"\x1b" not in terminal.sent
    assert terminal.modes() == terminal.before


def test_a_pipe_is_refused_in_one_line() -> None:
    done = subprocess.run([*TUI, "--demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "the app needs a terminal" in done.stderr


def test_errors_that_go_to_a_file_do_not_take_the_screen_with_them(start: Start, tmp_path: object) -> None:
    with open(f"{tmp_path}/errors", "wb") as errors:
        terminal = start(stderr=errors.fileno())
    terminal.see("prod-api")
    terminal.press("q")
    assert terminal.ended() == 0
    with open(f"{tmp_path}/errors", "rb") as file:
        assert file.read() == b""


def test_a_window_size_in_the_environment_is_not_believed(start: Start) -> None:
    terminal = start(env={"COLUMNS": "40", "LINES": "10"})
    terminal.see("prod-api")
    terminal.quiet()
    look_at_keys(terminal)
    terminal.resize(100, 30)
    terminal.until(lambda: terminal.row("? help") == terminal.rows()[29], "the hints in the last row")
    terminal.press("q")
    assert terminal.ended() == 0
