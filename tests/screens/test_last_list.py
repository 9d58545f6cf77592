"""The list of last time, shown while the gateway thinks: at once, with its age, to nobody else, and never acted on."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from textual import events

from tests.screens.driver import Driver
from tui import keymap, startup
from tui.app import LitellmTui
from tui.config import Config, Settings, load
from tui.credentials import Credential, HeldKey, Secret
from tui.demo import DemoGateway
from tui.files import write_private
from tui.gateway.paging import PAGE
from tui.last_time import LONGEST_LINE, MOST_FILES, MOST_LINES, LastTime, Picture, Whose
from tui.launch import Begun
from tui.screens.connecting import Connecting
from tui.screens.keys import KeysScreen
from tui.startup import FEW, Session

URL = "https://llm.example.com"
NOW = datetime(2026, 11, 20, 10, 2, tzinfo=UTC)
ADA, BOB = "sk-ada-0123456789abcdef", "sk-bob-0123456789abcdef"


class Gate:
    """A gateway with the keys of two people, whose answers can be held back."""

    def __init__(self) -> None:
        self.now = NOW
        self.demo = DemoGateway(now=NOW)
        self.demo.clock = lambda: self.now
        for user, secret in (("ada", ADA), ("bob", BOB)):
            self.demo.add_user(user, user_role="internal_user")
            self.demo.add_key(secret, user_id=user, key_alias=f"{user}-laptop", max_budget=10.0, spend=4.5)
            self.demo.add_key(user_id=user, key_alias=f"{user}-ci")
        self.open = asyncio.Event()
        self.open.set()
        self.demo.intercept("GET", "*", self._wait, times=-1)

    async def _wait(self, _: httpx.Request) -> None:
        await self.open.wait()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@asynccontextmanager
async def launched(
    gate: Gate,
    where: Path,
    key: str = ADA,
    *,
    user: str | None = None,
    size: tuple[int, int] = (80, 24),
    config: Config | None = None,
) -> AsyncIterator[Driver]:
    """The app as `tui.launch` opens it, with `where` to remember in."""
    settings = Settings("p", URL, HeldKey(Secret(key)), user=user)
    transport = gate.demo.transport()
    begun = Begun(settings, transport, where)
    for _ in range(16):
        await asyncio.sleep(0)
    app = LitellmTui(settings, config=config, transport=transport, clock=gate.demo.clock, begun=begun)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Driver(app, pilot, gate.demo)


async def session(gate: Gate, where: Path, key: str = ADA, *keys: str, user: str | None = None) -> list[str]:
    """A whole session: open, press `keys`, quit; the screen before the keys, line by line."""
    async with launched(gate, where, key, user=user) as app:
        await on_keys(app)
        screen = app.text().splitlines()
        await app.press(*keys, "q")
    return screen


async def on_keys(app: Driver) -> None:
    await app.until(lambda: isinstance(app.app.screen, KeysScreen), "the keys screen")
    await app.pilot.pause()


def pictures(where: Path, key: str = ADA, user: str | None = None) -> Picture | None:
    return LastTime(where, URL, key, user).picture()


async def test_it_is_there_before_any_answer_and_is_replaced_in_place(gate: Gate, tmp_path: Path) -> None:
    before = await session(gate, tmp_path)
    gate.now += timedelta(minutes=5)
    gate.demo.add_key(user_id="ada", key_alias="ada-new")
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-laptop")
        shown = app.text().splitlines()
        assert shown[1:-1] == before[1:-1]
        assert f"keys as of {NOW.astimezone():%H:%M}, asking" in shown[0]
        assert "quit" in shown[-1] and "delete" not in shown[-1]
        assert "ada-new" not in app.text()
        gate.open.set()
        await app.see("ada-new")
        after = app.text().splitlines()
        assert after.index(app.row("ada-ci")) == before.index(next(line for line in before if "ada-ci" in line))
        assert "asking" not in after[0]
        table = await app.to_all_keys()
        assert table.cursor_row == 0


async def test_an_older_list_says_its_day(gate: Gate, tmp_path: Path) -> None:
    await session(gate, tmp_path)
    gate.now += timedelta(days=2)
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see(f"keys as of 20 Nov {NOW.astimezone():%H:%M}, asking")


async def test_nothing_is_done_to_what_only_seems_to_be_there(gate: Gate, tmp_path: Path) -> None:  # S43
    await session(gate, tmp_path)
    for hash in [hash for hash, row in gate.demo.keys.items() if row["key_alias"] == "ada-ci"]:
        del gate.demo.keys[hash]
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-ci")
        for key in "dbzre":
            await app.press(key)
            await app.until(lambda: "Wait: still asking" in app.toasts(), "the words")
            app.app.clear_notifications()
        await app.press("j", "d")
        await app.until(lambda: "Wait: still asking" in app.toasts(), "the words")
        gate.open.set()
        await on_keys(app)
        await app.gone("ada-ci")
        assert isinstance(app.app.screen, KeysScreen), "no question was opened by what was pressed before"
    assert app.writes() == []


@pytest.mark.parametrize(
    ("before", "key"), [("s", "d"), ("S", "enter"), ("R", "space"), ("1", "y"), ("A", "asterisk"), ("enter", "r")]
)
async def test_another_key_before_it_changes_nothing_of_that(gate: Gate, tmp_path: Path, before: str, key: str) -> None:
    """What the list will show under the cursor then is another key than the one that was seen."""
    await session(gate, tmp_path)
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-ci")
        await app.press("j", before)
        app.app.clear_notifications()
        await app.press(key)
        await app.until(lambda: "Wait: still asking" in app.toasts(), "the words")
        gate.open.set()
        await on_keys(app)
        screen = app.app.screen
        assert isinstance(screen, KeysScreen) and screen._marks == {}, "nothing was opened, nothing marked"


async def test_keys_of_the_file_are_known_before_any_is_taken(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read them every screen is imported, while the list of last time is on screen already."""
    path = tmp_path / "config.toml"
    write_private(path, '[keys]\n"keys.delete" = "x"\n')
    await session(gate, tmp_path)
    gate.open.clear()
    imported = threading.Event()
    import_all = keymap.import_all
    monkeypatch.setattr(keymap, "import_all", lambda: imported.wait() and import_all())
    async with launched(gate, tmp_path, config=load(path, {})) as app:
        await app.see("ada-ci")
        await app.press("x")
        imported.set()
        await app.until(lambda: "Wait: still asking" in app.toasts(), "a word about it")
        gate.open.set()
        await on_keys(app)
        assert isinstance(app.app.screen, KeysScreen) and not app.app._held


async def test_ctrl_c_says_what_quits(gate: Gate, tmp_path: Path) -> None:
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("connecting to")
        await app.press("ctrl+c")
        assert app.toasts().strip().endswith("ctrl+q quits.")


async def test_after_a_filter_that_was_typed_ahead_nothing_is_done_either(gate: Gate, tmp_path: Path) -> None:
    await session(gate, tmp_path)
    gate.demo.add_key(user_id="ada", key_alias="ada-laptop-new")
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-laptop")
        await app.press("slash", *"laptop", "space", "enter", "d")
        await app.until(lambda: "Wait: still asking" in app.toasts(), "the words")
        gate.open.set()
        await on_keys(app)
        assert isinstance(app.app.screen, KeysScreen)
        assert "laptop " in app.text()


async def test_a_key_in_the_moment_of_the_answer_is_for_the_old_list_too(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is there, its screen is not drawn yet, and the terminal shows the list of last time."""
    await session(gate, tmp_path)
    gate.open.clear()
    entered, go = asyncio.Event(), asyncio.Event()
    enter = LitellmTui.enter

    async def later(app: LitellmTui, session: Session) -> None:
        entered.set()
        await go.wait()
        await enter(app, session)

    monkeypatch.setattr(LitellmTui, "enter", later)
    async with launched(gate, tmp_path) as app:
        await app.see("ada-laptop")
        gate.open.set()
        await entered.wait()
        # as a terminal sends it, while the app is busy
        app.app.post_message(events.Key("d", "d"))
        go.set()
        await on_keys(app)
        await app.until(lambda: not app.app._held and not app.app._holding, "no key that waits")
        await app.pilot.pause()
        assert isinstance(app.app.screen, KeysScreen), "no question about a key that was not seen there"
        await app.until(lambda: "Wait: still asking" in app.toasts(), "the words")


async def test_no_key_waits_for_the_disk(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()
    keep_picture = LastTime.keep_picture

    def slowly(self: LastTime, picture: Picture) -> None:
        assert written.wait(60)
        keep_picture(self, picture)

    monkeypatch.setattr(LastTime, "keep_picture", slowly)
    async with launched(gate, tmp_path) as app:
        try:
            await on_keys(app)
            await app.until(lambda: not app.app._holding, "keys to be taken")
            await app.press("d")
            await app.see("Delete ada-")
            await app.press("escape")
        finally:
            written.set()
        await app.press("q")
    assert pictures(tmp_path) is not None


async def test_a_list_that_is_known_a_moment_late_is_shown_too(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that says the key may be ready at any time, also while the first frame is drawn."""
    await session(gate, tmp_path)
    gate.open.clear()
    mounted, read = asyncio.Event(), asyncio.Event()
    on_mount, drawn_first = Connecting.on_mount, Connecting._drawn_first

    def mount(self: Connecting) -> None:
        on_mount(self)
        mounted.set()

    async def draw(self: Connecting, begun: Begun) -> Session:
        await read.wait()
        return await drawn_first(self, begun)

    async def read_key(_: Credential) -> Secret:
        await mounted.wait()
        asyncio.get_running_loop().call_later(0, read.set)
        return Secret(ADA)

    monkeypatch.setattr(Connecting, "on_mount", mount)
    monkeypatch.setattr(Connecting, "_drawn_first", draw)
    monkeypatch.setattr(startup, "read_key", read_key)
    async with launched(gate, tmp_path) as app:
        await app.see("asking")
        assert "ada-laptop" in app.text()


async def test_a_text_that_is_typed_ahead_loses_no_letter(gate: Gate, tmp_path: Path) -> None:
    await session(gate, tmp_path)
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-laptop")
        await app.press("slash", *"bedzr")
        assert "Wait" not in app.toasts()
        gate.open.set()
        await app.see("No key matches “bedzr”")


async def test_who_has_another_key_or_asks_about_another_never_sees_it(gate: Gate, tmp_path: Path) -> None:
    master = gate.demo.master_key
    await session(gate, tmp_path)
    await session(gate, tmp_path, master, user="ada")
    gate.open.clear()
    for key, user in ((BOB, None), (master, "bob"), (master, None)):
        async with launched(gate, tmp_path, key, user=user) as app:
            await app.see("connecting to")
            assert "ada-" not in app.text()
    assert pictures(tmp_path, master, "ada") is not None, "its owner would"


async def test_a_key_that_is_refused_takes_its_list_with_it(gate: Gate, tmp_path: Path) -> None:
    await session(gate, tmp_path)
    gate.demo.keys.clear()
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("ada-laptop")
        gate.open.set()
        await app.see("refuses this key")
        assert "ada-" not in app.text()
        await app.press("d")
        assert "Wait" not in app.toasts()
    assert pictures(tmp_path) is None


async def test_what_was_done_in_a_session_is_in_the_list_that_it_leaves(gate: Gate, tmp_path: Path) -> None:
    async with launched(gate, tmp_path) as app:
        await on_keys(app)
        gate.demo.add_key(user_id="ada", key_alias="ada-made-later")
        gate.now += timedelta(minutes=1)
        await app.press("R")
        await app.see("ada-made-later")
        await app.press("2")
        await app.until(lambda: not isinstance(app.app.screen, KeysScreen), "another screen")
        await app.press("q")
    picture = pictures(tmp_path)
    assert picture is not None and "ada-made-later" in "\n".join(picture.lines)


async def test_a_filtered_list_is_not_taken_for_the_whole(gate: Gate, tmp_path: Path) -> None:
    async with launched(gate, tmp_path) as app:
        await on_keys(app)
        gate.now += timedelta(minutes=1)
        await app.press("R", "slash", *"laptop", "enter")
        await app.gone("ada-ci")
        await app.press("q")
    picture = pictures(tmp_path)
    assert picture is not None and "ada-ci" in "\n".join(picture.lines)


async def test_of_a_long_list_it_is_the_first_page(gate: Gate, tmp_path: Path) -> None:
    for number in range(FEW):
        gate.demo.add_key(key_alias=f"many-{number:04}")
    before = await session(gate, tmp_path, gate.demo.master_key)
    assert f"1–{PAGE} of {len(gate.demo.keys)}" in "\n".join(before)
    gate.open.clear()
    async with launched(gate, tmp_path, gate.demo.master_key) as app:
        await app.see("asking")
        # but for the scroll bar: there is nothing to scroll
        assert [row[:79] for row in app.text().splitlines()[1:-1]] == [row[:79] for row in before[1:-1]]


async def test_a_narrower_terminal_cuts_it(gate: Gate, tmp_path: Path) -> None:
    await session(gate, tmp_path)
    gate.open.clear()
    async with launched(gate, tmp_path, size=(60, 12)) as app:
        await app.see("ada-laptop")
        rows = app.text().splitlines()
        assert len(rows) == 12 and "quit" in rows[-1] and "1 Keys 2" in rows[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 4000,
        b'{"schema": 1, "at": "2026-11-20T10:02:00+00:00", "lines": [1]}',
        b'{"schema": 2, "at": "2026-11-20T10:02:00+00:00", "lines": ["ada-old"]}',
        b'{"schema": 1, "at": "2026-11-20T10:02:00", "lines": ["ada-old"]}',
        b'{"schema": 1, "at": "2026-11-20T10:02:00+00:00", "lines": ["ada-old"]}' + b" " * 200_000,
    ],
)
async def test_a_damaged_file_is_removed(gate: Gate, tmp_path: Path, content: bytes) -> None:
    await session(gate, tmp_path)
    path = LastTime(tmp_path, URL, ADA).picture_path
    path.write_bytes(content)
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        await app.see("connecting to")
        assert not path.exists()
        gate.open.set()
        await on_keys(app)
        await app.see("ada-laptop")


async def test_what_a_file_says_is_text(gate: Gate, tmp_path: Path) -> None:
    lines = ["[red]ada[/]\x1b[31m\u202e", "second\nthird"]
    content = {"schema": 1, "at": NOW.isoformat(), "lines": lines}
    write_private(LastTime(tmp_path, URL, ADA).picture_path, json.dumps(content))
    gate.open.clear()
    async with launched(gate, tmp_path) as app:
        screen = await app.see("[red]ada[/][31m")
        assert "second third" in screen and "\x1b" not in screen and "\u202e" not in screen


async def test_the_files_are_private_and_hold_no_secret(gate: Gate, tmp_path: Path) -> None:  # S3
    where, alias = tmp_path / "keys", "sk-pasted0as0alias"
    gate.demo.add_key(user_id="ada", key_alias=alias)
    await session(gate, where)
    files = list(where.iterdir())
    assert len(files) == 2 and where.stat().st_mode & 0o777 == 0o700
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert ADA not in text and alias not in text and "ada" not in file.name
    LastTime(where, URL, ADA).keep_picture(Picture(NOW, ("Bearer abcdefgh", alias)))
    picture = pictures(where)
    assert picture is not None and picture.lines == ("Bearer [redacted]", "sk-[redacted]")


def test_neither_a_file_nor_the_folder_grows_without_end(tmp_path: Path) -> None:
    last = LastTime(tmp_path, URL, ADA)
    last.keep_picture(Picture(NOW, ("x" * 10_000,) * 10_000))
    picture = last.picture()
    assert picture is not None and len(picture.lines) == MOST_LINES and len(picture.lines[0]) == LONGEST_LINE
    mine = tmp_path / "notes.json"
    mine.write_text("a person's own")
    for number in range(MOST_FILES + 5):
        LastTime(tmp_path, URL, f"sk-other-{number}").keep(Whose("bob"))
    assert len(list(tmp_path.iterdir())) == MOST_FILES + 1 and mine.exists()
    assert last.picture() is None, "what was written least lately has gone"
    assert LastTime(tmp_path, URL, f"sk-other-{MOST_FILES}").read() == Whose("bob")


async def test_without_a_folder_a_session_ends_as_ever(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    async with launched(gate, tmp_path / "taken" / "keys") as app:
        assert isinstance(app.app.screen, (Connecting, KeysScreen))
        await on_keys(app)
        await app.press("q")
    assert app.app.return_code == 0


async def test_a_secret_that_is_cut_at_the_edge_is_none_of_the_file_either(gate: Gate, tmp_path: Path) -> None:  # S3
    """A master key of somebody's own making, and a key's secret, pasted as names that are wider than their column."""
    master, pasted = "correct-horse-battery-staple-0123456789-abcdefgh", "sk-" + "pasted0" * 12
    gate.demo.master_key = master
    gate.demo.add_key(user_id="ada", key_alias=f"old {master}")
    gate.demo.add_key(user_id="ada", key_alias=f"{'x' * 12} {pasted}")
    await session(gate, tmp_path, master, user="ada")
    picture = pictures(tmp_path, master, "ada")
    assert picture is not None
    text = "\n".join(picture.lines)
    assert "old " in text and "correct-horse" not in text and "pasted0" not in text
