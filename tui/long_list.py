"""The keys of a large gateway, a page at a time: asked of the server, or picked from all keys once they were read."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.key_pages import AllKeys as Rows
from tui.gateway.key_pages import KeyPages, KeyQuery, KeyRow, Listing, Progress, Status
from tui.gateway.keys import key_info
from tui.gateway.paging import PAGE
from tui.gateway.rotation_records import NOTE, Unfinished, note_of, unfinished
from tui.gateway.schema import Key
from tui.gateway.state import Reason, reasons
from tui.startup import FEW

_STATUS = {"active": Status.ACTIVE, "blocked": Status.BLOCKED}
_AT_ONCE = 250
"""Keys looked through before others have their turn."""
_ASKED = 10
"""Keys asked for at once after a change."""
_PRESSING = {reason: place for place, reason in enumerate(Reason)}


def words_of(key: Key, team: str, now: datetime) -> str:
    """What a filter finds a key by: names, owner, team, models and state, in lower case."""
    state = " ".join(reasons(key, now))
    blocked = "blocked" if key.blocked else ""
    gone = "retired" if "litellm_tui_retired" in key.metadata else ""
    words = (key.alias, key.name, key.hash, key.user_id, team, *key.models, blocked, gone, state)
    return " ".join(word for word in words if word).casefold()


@dataclass(frozen=True, slots=True)
class View:
    """Which keys, and in which order: those of a user or a team, what was typed, and a name of `SORTS`."""

    user_id: str | None = None
    team_id: str | None = None
    text: str = ""
    sort: str = "created"
    descending: bool = True

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """Whose keys."""
        return self.user_id, self.team_id

    @property
    def query(self) -> KeyQuery:
        """For the server. `expired`, `blocked` and `active` are states there, all else is a part of an alias."""
        said = self.text.split()
        state = [word for word in said if word.casefold() in (*_STATUS, "expired")][-1:]
        status = _STATUS.get(state[0].casefold()) if state else None
        return KeyQuery(
            self.user_id,
            self.team_id,
            " ".join(word for word in said if word not in state),
            status,
            bool(state) and status is None,
            self.sort,
            self.descending,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown: the keys of `view` from position `first` (from 0), of `total`.

    `others` are the old keys of rotations whose new key is among `keys`, where they are on another page.
    """

    view: View
    first: int
    total: int
    keys: tuple[Key, ...]
    others: tuple[Key, ...] = ()
    everything: "Everything | None" = None
    """Every key of the view's user or team, where they are few enough to have been read all."""

    @property
    def last_first(self) -> int:
        """Where the last page begins."""
        return max(0, (self.total - 1) // PAGE * PAGE)


class Everything:
    """Every key of a scope in memory: any order, any filter, and which of them need a person."""

    def __init__(self, scope: tuple[str | None, str | None], at: datetime, label: Callable[[Key], str]) -> None:
        self.scope = scope
        self.at = at
        self._label = label
        self._rows: dict[str, KeyRow] = {}
        self._words: dict[str, str] = {}
        self._needy: dict[str, Reason] = {}
        self._noted: set[str] = set()
        self._shown: tuple[View, list[KeyRow]] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    async def fill(self, rows: Iterable[KeyRow], now: datetime) -> None:
        """Take `rows`, a few at a time, so that nothing else has to wait."""
        for number, row in enumerate(rows, 1):
            self._put(row, row.key(), now)
            if not number % _AT_ONCE:
                await asyncio.sleep(0)

    def take(self, keys: Iterable[Key], now: datetime) -> None:
        """Take a few keys as they are now, in place of what is known of them."""
        for key in keys:
            self._put(KeyRow.of(key, {}), key, now)
        self._shown = None

    def drop(self, hashes: Iterable[str]) -> None:
        """Forget keys that are gone."""
        for hash in hashes:
            self._rows.pop(hash, None)
            self._words.pop(hash, None)
            self._needy.pop(hash, None)
            self._noted.discard(hash)
        self._shown = None

    def _put(self, row: KeyRow, key: Key, now: datetime) -> None:
        self._rows[row.hash] = row
        self._words[row.hash] = words_of(key, self._label(key), now)
        self._needy.pop(row.hash, None)
        if found := reasons(key, now):
            self._needy[row.hash] = found[0]
        self._noted.discard(row.hash)
        if NOTE in row.metadata:
            self._noted.add(row.hash)

    def covers(self, view: View) -> bool:
        """Whether every key of the view is here."""
        return self.scope in ((None, None), view.scope)

    def get(self, hash: str) -> KeyRow | None:
        """The key of that hash."""
        return self._rows.get(hash)

    def picked(self, view: View) -> list[KeyRow]:
        """All that match, in order; asked again for the same view it is the same list."""
        if self._shown is None or self._shown[0] != view:
            needle = view.text.casefold()
            found = [
                row
                for row in self._rows.values()
                if (not needle or needle in self._words[row.hash])
                and (view.user_id is None or row.user_id == view.user_id)
                and (view.team_id is None or row.team_id == view.team_id)
            ]
            ordered = Rows(found).ordered(view.sort, descending=view.descending).rows
            self._shown = (view, list(ordered))
        return self._shown[1]

    def needy(self, view: View, most: int) -> tuple[list[tuple[Key, Reason]], int]:
        """The `most` most pressing keys of the view's scope, then by label, and how many there are in all."""
        user_id, team_id = view.scope
        found = [
            (self._rows[hash], reason)
            for hash, reason in self._needy.items()
            if (user_id is None or self._rows[hash].user_id == user_id)
            and (team_id is None or self._rows[hash].team_id == team_id)
        ]
        found.sort(key=lambda each: (_PRESSING[each[1]], each[0].label.lower()))
        return [(row.key(), reason) for row, reason in found[:most]], len(found)

    def rotations(self) -> list[Unfinished]:
        """Every unfinished rotation."""
        new = [self._rows[hash].key() for hash in self._noted]
        old = [self._rows.get(note.of) for key in new if (note := note_of(key.metadata))]
        return unfinished([*new, *(row.key() for row in old if row is not None)])


class LongList:
    """One page of many keys, and all of them once they were read.

    `read` and `read_all` only ask; what they give is shown once it is `take`n. They raise one of `GatewayError`'s
    kinds. `label` says what a person calls a key's team.
    """

    def __init__(
        self,
        client: Client,
        server: Server,
        clock: Callable[[], datetime],
        label: Callable[[Key], str],
        keys: Iterable[Key],
        total: int,
    ) -> None:
        self._client, self._server, self._clock, self._label = client, server, clock, label
        self.listing = Listing(server)
        self.everything: Everything | None = None
        self.page = Page(View(), 0, total, tuple(keys))
        self.total = total
        """How many keys there are in all, as far as is known."""
        self._pages: tuple[View, KeyPages] | None = None
        if len(self.page.keys) >= total:
            self.everything = Everything((None, None), clock(), label)
            self.everything.take(self.page.keys, clock())
            self.page = self._from_memory(self.everything, View(), 0)

    # What is there

    @property
    def view(self) -> View:
        """What is shown."""
        return self.page.view

    def in_memory(self, view: View) -> Everything | None:
        """Every key of the view's scope, where they were read."""
        return self.everything if self.everything is not None and self.everything.covers(view) else None

    def why_not(self, view: View) -> str | None:
        """Why this cannot be shown before all keys were read, as a sentence (S44)."""
        return None if self.in_memory(view) else self.listing.why_not(view.query)

    def known(self) -> list[Key]:
        """The keys at hand, complete where rotations are concerned."""
        return [*self.page.keys, *self.page.others]

    def rotations(self) -> list[Unfinished]:
        """The unfinished rotations that are known of: all of them where all keys were read."""
        everything = self.in_memory(self.view)
        return everything.rotations() if everything else unfinished(self.known())

    # Asking

    async def read(self, view: View, first: int = 0, *, anew: bool = False) -> Page:
        """The page of `view` that begins at `first`, or the last one where there are fewer; for the server, `why_not`
        has to be None. With `anew` nothing is taken from memory but what `everything` has."""
        everything = self.in_memory(view)
        if everything is not None and (everything.scope == (None, None) or not anew):
            return self._from_memory(everything, view, first)
        pages = self._window(view, anew)
        keys = await pages.read(first, PAGE, ahead=False)
        total = pages.total or 0
        if not keys and total:
            first = (total - 1) // PAGE * PAGE
            keys = await pages.read(first, PAGE, ahead=False)
        if view.scope != (None, None) and not view.text and first == 0 and total <= FEW:
            # few enough to have any order and filter without asking again
            every = keys if total <= len(keys) else await pages.read(0, total)
            everything = Everything(view.scope, self._clock(), self._label)
            everything.take(every, self._clock())
            return replace(self._from_memory(everything, view, 0), everything=everything)
        return Page(view, first, total, tuple(keys), await self._others(keys))

    def fetch_ahead(self) -> None:
        """Ask for the page that comes after the one shown, in the direction of travel: the next turn need not wait."""
        if self._pages is not None and self._pages[0] == self.view:
            self._pages[1].fetch_ahead()

    def _window(self, view: View, anew: bool) -> KeyPages:
        if self._pages is None or self._pages[0] != view or anew:
            if self._pages is not None:
                self._pages[1].forget()
            self._pages = view, KeyPages(self._client, self._server, view.query)
        return self._pages[1]

    async def _others(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """A rotation is judged by both its keys: without the old one it would look as if that were gone."""
        here = {key.hash for key in keys}
        wanted = {note.of for key in keys if (note := note_of(key.metadata))} - here
        found = await asyncio.gather(*(key_info(self._client, hash) for hash in sorted(wanted)))
        return tuple(key for key in found if key is not None)

    def _from_memory(self, everything: Everything, view: View, first: int) -> Page:
        rows = everything.picked(view)
        page = Page(view, 0, len(rows), ())
        first = max(0, min(first, page.last_first))
        return replace(page, first=first, keys=tuple(row.key() for row in rows[first : first + PAGE]))

    async def read_all(self, progress: Progress) -> Everything:
        """Every key there is, so that any order and condition is possible; cancel the task to stop."""
        found = await KeyPages(self._client, self._server, KeyQuery()).everything(progress)
        everything = Everything((None, None), self._clock(), self._label)
        await everything.fill(found.rows, self._clock())
        return everything

    async def look_at(self, hashes: Iterable[str]) -> None:
        """After a change: bring what is in memory up to date with these keys, and with the newest ones."""
        if self.everything is None:
            return
        wanted = list(hashes)
        pages = KeyPages(self._client, self._server, KeyQuery())
        newest = await pages.read(0, PAGE, ahead=False)
        told: list[Key | None] = []
        for start in range(0, len(wanted), _ASKED):
            # all at once, the last of many would have waited longer than a call may take
            some = wanted[start : start + _ASKED]
            told += await asyncio.gather(*(key_info(self._client, hash) for hash in some))
        now, scope = self._clock(), View(*self.everything.scope)
        self.everything.drop([hash for hash, key in zip(wanted, told, strict=True) if key is None])
        fresh = [*newest, *(key for key in told if key is not None)]
        self.everything.take([key for key in fresh if _within(scope, key)], now)

    # Taking

    def apply(self, now: Mapping[str, Key | None]) -> None:
        """After an action: these keys are so now, or gone where None."""
        gone = [hash for hash, key in now.items() if key is None]
        self.total = max(self.total - len(gone), 0)
        if self.everything is not None:
            self.everything.drop(gone)
            self.everything.take([key for key in now.values() if key is not None], self._clock())
            self.take(self._from_memory(self.everything, self.view, self.page.first))

    def take(self, page: Page) -> None:
        """Show this page from now on."""
        if page.everything is not None:
            self.everything = page.everything
        elif self.everything is not None and not self.everything.covers(page.view):
            self.everything = None
        self.page = page
        if self.everything is not None and self.everything.scope == (None, None):
            self.total = len(self.everything)
        elif page.view.scope == (None, None) and not page.view.text:
            self.total = page.total

    def take_all(self, everything: Everything) -> None:
        """Have all keys in memory from now on."""
        self.everything = everything
        self.total = len(everything)
        if self._pages is not None:
            self._pages[1].forget()
            self._pages = None
        self.page = self._from_memory(everything, self.view, self.page.first)

    def forget(self) -> None:
        """Cancel what is fetched ahead."""
        if self._pages is not None:
            self._pages[1].forget()
            self._pages = None


def _within(view: View, key: Key) -> bool:
    return view.user_id in (None, key.user_id) and view.team_id in (None, key.team_id)
