"""What the gateway's records say about rotations: notes in metadata, the step reached, and what is due.

Nothing here makes a call. A rotation leaves two notes and no file: `NOTE` on the successor from its first moment until
the end, and `RETIRED` on the old key, written in the same call that renames and ends it. The step is read from both,
so a process that knows nothing goes on where another one died.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from tui.gateway import durations
from tui.gateway.fields import mapping, moment, word
from tui.gateway.redaction import printable
from tui.gateway.schema import Key

NOTE = "litellm_tui_rotation"
"""Metadata of the successor while the rotation is not finished."""
RETIRED = "litellm_tui_retired"
"""Metadata of the old key once it is retired: its successor, and what it had before."""
SUCCESSOR = "litellm_tui_successor"
"""Metadata of an old key without an owner: the hash of its successor, where another person made that (`belongs`)."""
NEW_ENDED = "The new key has ended or is blocked; undo this rotation."
OLD_ENDED = "The old key has ended or is blocked; finish instead."
CHOOSE = "Choose what becomes of the old key."
INTERVAL = "rotation_interval"
"""Metadata in which a person wishes to be reminded, as `90d`."""


class How(StrEnum):
    """What becomes of the old key: it ends after a `grace` period, by LiteLLM itself; `delete` now; or `keep`."""

    GRACE = "grace"
    DELETE = "delete"
    KEEP = "keep"


class Step(StrEnum):
    """How far a rotation came, as the records tell."""

    CREATED = "created"
    """Both keys work; whether anybody has the new secret is not known."""
    DELIVERED = "delivered"
    """Both keys work; a person, or a flag, said that the new secret is safe."""
    KEPT = "kept"
    """As delivered, and the old key was kept on purpose."""
    RETIRED = "retired"
    """The old key is renamed and ends by itself; the new one has not taken the alias yet."""
    OLD_GONE = "old key gone"
    """The old key is deleted; the new one has not taken the alias yet."""


@dataclass(frozen=True, slots=True)
class Note:
    """The successor's note. `of` is the old key's hash, `alias` the one to be handed over (None where it had none)."""

    of: str
    alias: str | None = None
    by: str = ""
    id: str = ""
    started_at: datetime | None = None
    delivered: bool = False
    how: How | None = None
    grace: str | None = None

    def as_metadata(self) -> dict[str, Any]:
        """The note as it is stored."""
        return {
            "of": self.of,
            "step": (Step.DELIVERED if self.delivered else Step.CREATED).value,
            "alias": self.alias,
            "by": self.by,
            "id": self.id,
            "started_at": self.started_at.isoformat(timespec="seconds") if self.started_at else None,
            "how": self.how.value if self.how else None,
            "grace": self.grace,
        }


def note_of(metadata: Mapping[str, Any]) -> Note | None:
    """The note in a successor's metadata; None where there is none, or none that can be read."""
    found = mapping(metadata.get(NOTE))
    of = word(found.get("of"))
    if of is None:
        return None
    how, grace = word(found.get("how")), word(found.get("grace"))
    return Note(
        of=of,
        alias=word(found.get("alias")),
        by=printable(word(found.get("by")) or ""),
        id=word(found.get("id")) or "",
        started_at=moment(found.get("started_at")),
        delivered=found.get("step") == Step.DELIVERED,
        how=How(how) if how in list(How) else None,
        grace=grace if grace and durations.is_duration(grace) else None,
    )


@dataclass(frozen=True, slots=True)
class Before:
    """The old key's note: the hash of its successor, and the alias and end that it had before it was retired."""

    to: str
    alias: str | None
    expires_at: datetime | None
    at: datetime | None

    def as_metadata(self) -> dict[str, Any]:
        """The note as it is stored."""
        return {
            "to": self.to,
            "alias": self.alias,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "at": self.at.isoformat(timespec="seconds") if self.at else None,
        }


def retired(key: Key) -> Before | None:
    """What a retired key had before; None for a key that is not retired."""
    found = mapping(key.metadata.get(RETIRED))
    to = word(found.get("to"))
    if to is None:
        return None
    return Before(to, word(found.get("alias")), moment(found.get("expires_at")), moment(found.get("at")))


def temporary_alias(hash: str) -> str:
    """The successor's alias until the end. One per old key, so the gateway's own rule of unique aliases is the lock."""
    return f"rotating-{hash[:12]}"


def retired_alias(alias: str, hash: str) -> str:
    """The old key's alias after it gave its own away."""
    return f"{alias}-retired-{hash[:8]}"


def is_secret_of(secret: str, hash: str) -> bool:
    """Whether `secret` is the one behind `hash`, without a call: an env file shows by it that a key was delivered."""
    return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), hash)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A rotation on its way: the successor, its note, and the old key or None where it is gone."""

    new: Key
    old: Key | None
    note: Note

    @property
    def step(self) -> Step:
        """How far it came."""
        if self.old is None:
            return Step.OLD_GONE
        before = retired(self.old)
        if before is not None and before.to == self.new.hash:
            return Step.RETIRED
        if not self.note.delivered:
            return Step.CREATED
        return Step.KEPT if self.note.how is How.KEEP else Step.DELIVERED

    @property
    def label(self) -> str:
        """What a person calls the key that is rotated."""
        return printable(self.note.alias or (self.old.name if self.old else self.new.name))

    @property
    def needs_secret(self) -> bool:
        """Whether nobody said yet that the new secret is safe, so that finishing needs a person's word for it."""
        return self.step is Step.CREATED

    @property
    def alias(self) -> str | None:
        """The alias that the new key has at the end; None where it has none."""
        if self.old is None and self.new.alias != temporary_alias(self.note.of):
            # nothing but the new key's own note asks for the other name
            return self.new.alias
        before = self._before
        return before.alias if before else self.note.alias

    @property
    def undecided(self) -> bool:
        """Whether the note does not tell, or not so that it can be read, what becomes of the old key."""
        if self.step in (Step.RETIRED, Step.OLD_GONE, Step.KEPT):
            return False
        return self.note.how is None or (self.note.how is How.GRACE and self.note.grace is None)

    @property
    def why_not_finish(self) -> str | None:
        """Why finishing would leave no working key, by this machine's clock; None where it would not."""
        if self.old is None or not (_past(self.new.expires_at) or (self.new.blocked and not self.old.blocked)):
            return None
        # the old key cannot come back either, so only the name is left to be settled
        return None if self.step is Step.RETIRED and _past(self._old_end) else NEW_ENDED

    @property
    def why_not_undo(self) -> str | None:
        """Why undoing would leave no working key, by this machine's clock; None where it would not."""
        if self.old is None or self.new.blocked or _past(self.new.expires_at):
            return None
        if not (self.old.blocked or _past(self._old_end)):
            return None
        return f"{OLD_ENDED} If nobody has the new secret, delete the new key." if self.needs_secret else OLD_ENDED

    @property
    def _before(self) -> Before | None:
        return retired(self.old) if self.old is not None and self.step is Step.RETIRED else None

    @property
    def _old_end(self) -> datetime | None:
        """The end that the old key has, or gets back."""
        before = self._before
        return before.expires_at if before else self.old.expires_at if self.old else None

    @property
    def so(self) -> str:
        """What is so, in words."""
        # with the old key gone, who began it is what the owner of the new one wrote, and nothing bears it out
        who = f" by {self.note.by}" if self.note.by and self.old else ""
        when = f" on {self.note.started_at:%Y-%m-%d %H:%M} UTC" if self.note.started_at else ""
        begun = f"The rotation of {self.label}, begun{who}{when}, is not finished."
        said = _SO[self.step].format(tail=self.new.tail)
        if self.old is not None:
            return f"{begun} {said}"
        maker = printable(self.new.created_by or "nobody known")
        return f"{begun} {said} It belongs to {self._owner} and was made by {maker}."

    @property
    def finish_does(self) -> str:
        """What finishing would do, in words."""
        if self.why_not_finish or self.undecided:
            return self.why_not_finish or CHOOSE
        if self.step in (Step.RETIRED, Step.OLD_GONE):
            return self._takes
        if self.step is not Step.KEPT and self.note.how is How.GRACE and self.note.grace:
            span = durations.in_words(self.note.grace)
            return f"The old key ends in {span if span[0].isdigit() else f'1 {span}'}, or at its own end. {self._takes}"
        return f"The old key is deleted now. {self._takes}"

    @property
    def undo_does(self) -> str:
        """What undoing would do, in words."""
        if self.step is Step.OLD_GONE:
            return f"The old key is gone for good, so there is no way back. {self._takes}"
        if self.why_not_undo:
            return self.why_not_undo
        revoked = f"The new key {self.new.tail} is deleted; whoever uses it is refused."
        if self.step is Step.RETIRED:
            return f"The old key gets its name and its end back. {revoked}"
        return f"{revoked} The old key stays as it is."

    @property
    def _owner(self) -> str:
        team = f"the team {self.new.team_id}" if self.new.team_id else "nobody"
        return printable(self.new.user_id or team)

    @property
    def _takes(self) -> str:
        alias = self.alias
        if alias is None:
            return "The new key is all that is left."
        whose = "" if self.old else f", which belongs to {self._owner},"
        return f"The new key{whose} {'keeps' if alias == self.new.alias else 'takes'} the name {printable(alias)}."


def _past(end: datetime | None) -> bool:
    return end is not None and end <= datetime.now(UTC)


_SO = {
    Step.CREATED: "Both keys work. Whether somebody has the new secret, which ends in {tail}, is not known.",
    Step.DELIVERED: "Both keys work. The new secret, which ends in {tail}, is in safe hands.",
    Step.KEPT: "Both keys work: the old one was kept on purpose, beside the new one, which ends in {tail}.",
    Step.RETIRED: "The old key is retired. The new one, which ends in {tail}, has not taken the name yet.",
    Step.OLD_GONE: "The old key is gone. The new one, which ends in {tail}, has not taken the name yet.",
}


def belongs(new: Key, old: Key) -> bool:
    """Whether `new` may be a successor of `old`: the same owner and team; without an owner, also the same maker.

    Metadata is what any owner may write, so a note alone must not lead an admin to delete somebody else's key. On 1.74
    anybody can make keys without an owner, but who made a key is for the gateway alone to write. Where another admin
    rotates such a key, the old key's own metadata names the successor.
    """
    if (new.user_id, new.team_id) != (old.user_id, old.team_id) or new.hash == old.hash:
        return False
    if new.user_id is not None or (new.created_by is not None and new.created_by == old.created_by):
        return True
    before = retired(old)
    return new.hash in (old.metadata.get(SUCCESSOR), before.to if before else None)


def pair(new: Key, old: Key | None) -> Unfinished | None:
    """The rotation that `new` is the successor in, with the old key as it is; None where it is none."""
    note = note_of(new.metadata)
    if note is None or (old is not None and (old.hash != note.of or not belongs(new, old))):
        return None
    return Unfinished(new, old, note)


def unfinished(keys: Iterable[Key]) -> list[Unfinished]:
    """Every unfinished rotation in a complete key list (everyone's, or all of one person's), the oldest first."""
    by_hash = {key.hash: key for key in keys}
    found = []
    for key in by_hash.values():
        note = note_of(key.metadata)
        rotation = pair(key, by_hash.get(note.of)) if note else None
        if rotation:
            found.append(rotation)
    return sorted(
        found, key=lambda rotation: (rotation.note.started_at is None, rotation.note.started_at, rotation.label)
    )


def interval(key: Key) -> timedelta | None:
    """How often the key is wished to be rotated: `rotation_interval` in metadata, else the record's own field."""
    for text in (word(key.metadata.get(INTERVAL)), key.rotation_interval):
        if text and durations.is_duration(text):
            return durations.length(text)
    return None


def due(key: Key, now: datetime) -> bool:
    """Whether a reminder to rotate is due: the interval has passed since the last rotation, or since the key was made.

    A key that is retired or on its way to be the next one is not.
    """
    every = interval(key)
    since = moment(key.metadata.get("rotated_at")) or key.created_at
    if every is None or since is None or retired(key) or note_of(key.metadata):
        return False
    return now - since >= every
