"""Rotation of a virtual key: create a successor, prove it, deliver it, retire the old key, hand the alias over.

Works on every LiteLLM, licensed or not, and at no moment is there no working key. The state is in the gateway's records
alone (`rotation_records`): each function below makes one change and returns the rotation as it is then, so that a crash
between any two is continued with `finish` or taken back with `undo`.

    plan → create → prove → (a person keeps the secret) → confirm → advance … → the key, finished

By choice of the old key's fate, `advance` goes

    GRACE    DELIVERED → RETIRED (renamed and ending, in one call) → done (the new key has the alias)
    DELETE   DELIVERED → OLD_GONE → done
    KEEP     KEPT, and stays listed until somebody finishes or undoes it
"""

import asyncio
import contextlib
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tui.gateway import durations, keys
from tui.gateway.client import Client
from tui.gateway.errors import (
    BadAnswer,
    Forbidden,
    GatewayError,
    Invalid,
    NotFound,
    ServerFailed,
    Unauthorized,
    Unreachable,
)
from tui.gateway.fields import mapping, moment, number, word
from tui.gateway.redaction import printable
from tui.gateway.rotation_plan import Plan, plan
from tui.gateway.rotation_records import (
    CHOOSE,
    NOTE,
    RETIRED,
    SUCCESSOR,
    Before,
    How,
    Note,
    Step,
    Unfinished,
    belongs,
    note_of,
    pair,
    retired,
    retired_alias,
    temporary_alias,
    unfinished,
)
from tui.gateway.schema import Key, NewKey

__all__ = [
    "AliasTaken",
    "AlreadyRotating",
    "CannotRotate",
    "Finished",
    "How",
    "LostAnswer",
    "MayNotChange",
    "NotDelivered",
    "NotProved",
    "Plan",
    "Step",
    "Successor",
    "Unfinished",
    "advance",
    "confirm",
    "create",
    "finish",
    "plan",
    "prove",
    "read",
    "regenerate",
    "undo",
    "unfinished",
]

COPIED = (
    "user_id",
    "team_id",
    "organization_id",
    "project_id",
    "agent_id",
    "models",
    "aliases",
    "spend",
    "max_budget",
    "budget_duration",
    "budget_limits",
    "budget_fallbacks",
    "budget_id",
    "model_max_budget",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "max_parallel_requests",
    "blocked",
    "key_type",
    "allowed_routes",
    "allowed_cache_controls",
    "permissions",
    "access_group_ids",
    "object_permission",
    "router_settings",
    "policies",
    "config",
)
"""What a successor takes over, in LiteLLM's names; metadata apart. Limits by model, tags and guardrails sit there."""

FOREVER = "36500d"
"""A hundred years: 1.74 cannot take an end off a key again."""
NOT_YET_KNOWN = (0.3, 0.9)
"""Seconds to wait before the second and third attempt to prove a key that the gateway says it does not know."""


class CannotRotate(GatewayError):
    """This key cannot be rotated as it is; nothing was changed."""


class AlreadyRotating(CannotRotate):
    """Somebody is rotating this key. `rotation` is theirs, where it is to be seen."""

    def __init__(self, message: str, rotation: Unfinished | None = None) -> None:
        super().__init__(message)
        self.rotation = rotation


class LostAnswer(GatewayError):
    """The answer that held the new secret was lost, and what became of the new key is not known; the old one works."""


class NotProved(GatewayError):
    """The new key did not work when it was tried; the old one does."""


class NotDelivered(GatewayError):
    """Nobody said that the new secret is safe, so the old key is not retired."""


class MayNotChange(GatewayError):
    """The gateway refuses to change the old key; both work. Left to choose: delete it now, or keep it."""


class AliasTaken(GatewayError):
    """Another key has the alias that was to be handed over. Both or the new key work; choose another alias."""


class Finished(GatewayError):
    """The rotation is not there any more: somebody finished it or took it back. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Successor:
    """A new key and its secret, this once. `notes` say in words what the gateway made otherwise than it was asked."""

    secret: str = field(repr=False)
    rotation: Unfinished = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """What names it in calls (S12)."""
        return self.rotation.new.hash

    @property
    def name(self) -> str:
        """The masked name."""
        return self.rotation.new.name

    @property
    def alias(self) -> str | None:
        """The alias that it has until the end."""
        return self.rotation.new.alias


async def create(client: Client, plan: Plan) -> Successor:
    """Make the successor, with what the old key's record holds at this moment.

    Raises `CannotRotate` or `AlreadyRotating` before anything is made, `LostAnswer` where the gateway's answer was lost
    and what it did is not to be found out, else what `generate_key` raises. `/key/generate` is never repeated blindly:
    after a lost answer the key is looked for by its alias, deleted, and only then made again, once.
    """
    if plan.problem:
        raise CannotRotate(plan.problem)
    old, others = await asyncio.gather(_record(client, plan.key.hash), _holders(client, plan.temporary_alias))
    if old is None:
        raise CannotRotate("This key is gone.")
    was = _key(plan.key.hash, old)
    _mergeable(was)
    if retired(was) or note_of(was.metadata):
        raise CannotRotate("This key was rotated meanwhile. Refresh the list.")
    if others:
        raise _told(others[0], was)
    note = Note(
        of=was.hash,
        alias=was.alias,
        by=plan.by,
        id=uuid.uuid4().hex,
        started_at=client.clock.now().replace(microsecond=0),
        how=plan.how,
        grace=plan.grace if plan.how is How.GRACE else None,
    )
    body = _body(old, was, note, plan)
    made = await _generate(client, body, note, was)
    new = await _alone(client, made, note, was)
    was = await _bound(client, new, was)
    return Successor(made.secret, Unfinished(new, was, note), tuple(_otherwise(body, new, was, plan)))


def _body(old: Mapping[str, Any], was: Key, note: Note, plan: Plan) -> dict[str, Any]:
    body = {name: old[name] for name in COPIED if old.get(name) not in (None, [], {}, "")}
    if isinstance(body.get("object_permission"), dict):
        links = ("object_permission_id", "teams", "projects", "verification_tokens", "organizations", "users")
        body["object_permission"] = {
            name: value
            for name, value in body["object_permission"].items()
            if name not in links and value not in (None, [], {})
        }
    if isinstance(body.get("budget_limits"), list):
        # the rest of a window is the gateway's own reckoning
        body["budget_limits"] = [
            {name: row[name] for name in ("budget_duration", "max_budget") if name in row}
            for row in body["budget_limits"]
            if isinstance(row, dict)
        ]
    if old.get("auto_rotate") is True and old.get("rotation_interval"):
        body |= {"auto_rotate": True, "rotation_interval": old["rotation_interval"]}
    preset = {"llm_api_routes": "llm_api", "info_routes": "read_only", "management_routes": "management"}
    routes = body.get("allowed_routes")
    if isinstance(routes, list) and len(routes) == 1 and routes[0] in preset and "key_type" in old:
        # recent releases let only admins send routes, and anybody the name of the same preset
        body["key_type"] = preset[routes[0]]
        del body["allowed_routes"]
    kept = {name: value for name, value in was.metadata.items() if name not in (NOTE, RETIRED, SUCCESSOR)}
    return {
        **body,
        "key_alias": plan.temporary_alias,
        "duration": plan.lasts,
        "metadata": {**kept, NOTE: note.as_metadata()},
    }


async def _generate(client: Client, body: Mapping[str, Any], note: Note, old: Key) -> NewKey:
    lost = "The answer with the new secret was lost. If the new key was made, it was deleted again. The old key works."
    for attempt in (1, 2):
        try:
            return await keys.generate_key(client, body)
        except Invalid as error:
            if error.param != "key_alias":
                raise
            # a first attempt of our own may have arrived late
            if await _delete_lost(client, body["key_alias"], note):
                raise LostAnswer(lost) from None
            theirs = await _holders(client, body["key_alias"])
            raise _told(theirs[0] if theirs else None, old) from None
        except (Unreachable, BadAnswer, ServerFailed) as error:
            # LiteLLM's own 500 is an answer; silence, or what a proxy in between says, is none
            if isinstance(error, ServerFailed) and error.type is not None:
                raise
            await _delete_lost(client, body["key_alias"], note)
            if attempt == 2 or not isinstance(error, Unreachable):
                raise LostAnswer(f"{lost} ({error})") from None
    raise AssertionError


async def _delete_lost(client: Client, alias: str, note: Note) -> bool:
    """Delete what an unanswered attempt of this rotation made; whether there was anything."""
    try:
        mine = [key.hash for key in await _holders(client, alias) if _same_attempt(key, note)]
        if await keys.delete_keys(client, mine):
            raise BadAnswer("The gateway did not delete it.")
    except GatewayError as error:
        raise LostAnswer(
            f"The answer with the new secret was lost, and whether the key was made is not to be found out ({error}) "
            "The old key works. If the new one is there, it is listed as an unfinished rotation; undo that."
        ) from None
    return bool(mine)


def _same_attempt(key: Key, note: Note) -> bool:
    found = note_of(key.metadata)
    return found is not None and found.id == note.id


async def _alone(client: Client, made: NewKey, note: Note, old: Key) -> Key:
    """The successor as the gateway holds it, after a look whether somebody else made one in the same moment."""
    # LiteLLM looks for the alias and writes in two steps, so two may get through. Whoever sees the other gives way.
    found = await _holders(client, temporary_alias(old.hash))
    others = [key for key in found if key.hash != made.hash and note_of(key.metadata) and not _same_attempt(key, note)]
    if others:
        await keys.delete_keys(client, [made.hash])
        raise _told(others[0], old)
    mine = next((key for key in found if key.hash == made.hash), None) or await keys.key_info(client, made.hash)
    if mine is None:
        raise CannotRotate("The gateway says that it made the new key, and does not know it. The old key works.")
    return mine


async def _bound(client: Client, new: Key, old: Key) -> Key:
    """The old key, once the records prove that `new` is its successor (`belongs`). Else raises, with `new` deleted."""
    if belongs(new, old):
        return old
    why = "The gateway gave the new key another owner or team."
    if (new.user_id, new.team_id) == (old.user_id, old.team_id):
        try:
            await _update(client, old, {}, {SUCCESSOR: new.hash})
            return _with(old, {SUCCESSOR: new.hash})
        except GatewayError as error:
            why = f"The old key has no owner and was made by somebody else, so it has to name the new one: {error}"
    await keys.delete_keys(client, [new.hash])
    raise CannotRotate(f"{why} The new key was deleted again. The old key works.")


def _told(key: Key | None, old: Key) -> AlreadyRotating:
    theirs = pair(key, old) if key else None
    if theirs is None:
        return AlreadyRotating(
            f"A key named {temporary_alias(old.hash)} is there already: somebody rotates this key. Nothing was made."
        )
    who = theirs.note.by or "Somebody"
    when = f" on {theirs.note.started_at:%Y-%m-%d %H:%M} UTC" if theirs.note.started_at else ""
    return AlreadyRotating(
        f"{who} began to rotate this key{when} and has not finished. Nothing was made; finish or undo that one.", theirs
    )


def _otherwise(body: Mapping[str, Any], new: Key, old: Key, plan: Plan) -> list[str]:
    said = []
    about = {
        "the owner": (new.user_id, old.user_id),
        "the team": (new.team_id, old.team_id),
        "the models": (sorted(new.models), sorted(old.models)),
        "the budget": (new.max_budget, old.max_budget),
        "the budget period": (new.budget_duration, old.budget_duration),
        "the tokens per minute": (new.tpm_limit, old.tpm_limit),
        "the requests per minute": (new.rpm_limit, old.rpm_limit),
        "the parallel requests": (new.max_parallel_requests, old.max_parallel_requests),
        "the allowed routes": (sorted(new.allowed_routes), sorted(old.allowed_routes)),
        "the block": (new.blocked, old.blocked),
        "the metadata": ({**new.metadata, NOTE: None}, {**body["metadata"], NOTE: None}),
        "the spend": (round(new.spend, 6), round(number(body.get("spend")) or 0.0, 6)),
    }
    said += [f"The gateway did not take over {what} as it is." for what, (now, was) in about.items() if now != was]
    if (new.expires_at is None) != (plan.ends is None):
        end = f"ends on {new.expires_at:%Y-%m-%d %H:%M} UTC" if new.expires_at else "never ends"
        said.append(f"The new key {end}, by a rule of the gateway.")
    if new.budget_reset_at and old.budget_reset_at and new.budget_reset_at - old.budget_reset_at > timedelta(minutes=1):
        said.append(
            f"The new key's budget is reset on {new.budget_reset_at:%Y-%m-%d %H:%M} UTC; "
            f"the old one's would have been on {old.budget_reset_at:%Y-%m-%d %H:%M} UTC."
        )
    return said


async def regenerate(client: Client, key: Key, grace: str) -> NewKey:
    """LiteLLM's own rotation, for proxies with a licence: the record gets a new secret, the old one works for `grace`.

    It is in no way safe against a lost answer: the secret is in that answer alone. `grace` is "0" or a duration,
    checked here, as LiteLLM takes a bad one for none and revokes at once. Raises `Invalid` for it, `LostAnswer`,
    else as `Client.post`.
    """
    if grace != "0" and not durations.is_duration(grace):
        raise Invalid(f"{printable(grace)} is no duration; write 0, 90s, 1h, 24h or 7d.", param="grace")
    body = {} if grace == "0" else {"grace_period": grace}
    try:
        return NewKey.model_validate(await client.post(f"/key/{key.hash}/regenerate", body))
    except ValueError:
        raise BadAnswer("The gateway said it made a new secret and gave none with it.") from None
    except Unreachable as error:
        raise LostAnswer(
            f"{error} If the gateway made the new secret, it is lost, and the old one ends after the grace period. "
            "Rotate this key with a new one."
        ) from None


async def prove(connect: Callable[[str], Client], successor: Successor) -> None:
    """One call with the new secret, which costs nothing; `connect` makes a client for a secret, which is closed again.

    GET /models, as it passes the same checks as a completion. Where that would be refused, GET /key/info: over budget,
    and for keys of management routes. A 403 for a key with routes of its own, and "over budget", prove it as well: the
    gateway knew the key first. A blocked key is proved by its block. Raises `NotProved`; `Unreachable` where no answer
    came.
    """
    new = successor.rotation.new
    spent = new.max_budget is not None and new.spend >= new.max_budget
    manages = bool(new.allowed_routes) and not {"llm_api_routes", "info_routes"}.intersection(new.allowed_routes)
    path = "/key/info" if manages or (spent and "llm_api_routes" not in new.allowed_routes) else "/models"
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(successor.secret))
        for wait in (*NOT_YET_KNOWN, None):
            try:
                await client.get(path)
                return
            except Unreachable:
                raise
            except GatewayError as error:
                if error.type == "budget_exceeded" or isinstance(error, Forbidden):
                    return
                # 1.74 says 401 to a route that is not allowed; a key that it does not know has a type of its own
                expected = new.blocked or manages
                if expected and isinstance(error, Unauthorized) and error.type == "auth_error":
                    return
                # a second instance of the gateway may lag behind
                if wait is None or error.type != "token_not_found_in_db":
                    raise NotProved(f"The new key does not work: {error} The old key works.") from None
            await asyncio.sleep(wait or 0)


async def read(client: Client, rotation: Unfinished) -> Unfinished:
    """The rotation as the records have it now. Raises `Finished` where somebody ended it meanwhile."""
    of = rotation.note.of
    new, old = await asyncio.gather(_found(client, rotation.new.hash), _found(client, of))
    fresh = pair(new, old) if new else None
    if fresh is None or fresh.note.of != of:
        raise Finished("This rotation is finished or taken back already. Refresh the list.")
    return fresh


def _finishable(rotation: Unfinished) -> None:
    if why := rotation.why_not_finish:
        raise NotProved(why)


async def confirm(client: Client, rotation: Unfinished, how: How, grace: str | None = None) -> Unfinished:
    """Note that the secret is safe ("I have it") and what is to become of the old key; retires nothing yet.

    `grace` is a duration, for `How.GRACE`. May be called again with another choice. Raises `Finished`, and `NotProved`
    where the old key is to go and the new one has ended or is blocked.
    """
    if how is How.GRACE and not durations.is_duration(grace or ""):
        raise Invalid("A grace period is needed, such as 24h.", param="grace")
    fresh = await read(client, rotation)
    if how is not How.KEEP:
        _finishable(fresh)
    note = replace(rotation.note, delivered=True, how=how, grace=grace if how is How.GRACE else None)
    await _update(client, fresh.new, {}, {NOTE: note.as_metadata()})
    return Unfinished(_with(fresh.new, {NOTE: note.as_metadata()}), fresh.old, note)


async def advance(client: Client, rotation: Unfinished, *, alias: str | None = None) -> Unfinished | Key:
    """The next step of a confirmed rotation: the rotation after it, or the finished key.

    `alias` replaces the one to be handed over. A rotation that is not confirmed, or kept, raises `NotDelivered`.
    Others: `MayNotChange`, `AliasTaken`, `Finished`, `NotProved` where the new key has ended or is blocked.
    """
    match rotation.step:
        case Step.DELIVERED:
            return await (_delete_old if rotation.note.how is How.DELETE else _retire)(client, rotation)
        case Step.RETIRED | Step.OLD_GONE:
            return await _hand_over(client, rotation, alias)
        case Step.CREATED | Step.KEPT:
            raise NotDelivered("Nothing is retired before somebody says that the new secret is safe.")


async def finish(
    client: Client,
    rotation: Unfinished,
    *,
    secret_is_safe: bool = False,
    how: How | None = None,
    grace: str | None = None,
    alias: str | None = None,
) -> Key:
    """Bring an unfinished rotation to its end, from whatever step the records show now: the key under the alias.

    `secret_is_safe` is a person's word, or `is_secret_of`'s; without it a rotation that nobody confirmed raises
    `NotDelivered`, and so does one whose noted choice cannot be read. `how` and `grace` replace that choice; a key that
    was kept is deleted with neither. `KEEP` makes nothing finished, so it raises `Invalid`. `NotProved` as `advance`.
    """
    if how is How.KEEP:
        raise Invalid("A rotation is not finished while the old key is kept.", param="how")
    rotation = await read(client, rotation)
    if rotation.needs_secret and not secret_is_safe:
        raise NotDelivered(
            f"Whether somebody has the new secret, which ends in {rotation.new.tail}, is not known. "
            "If nobody has, undo this rotation."
        )
    _finishable(rotation)
    if rotation.undecided and how is None:
        raise NotDelivered(CHOOSE)
    if rotation.step in (Step.CREATED, Step.KEPT) or (rotation.step is Step.DELIVERED and how):
        noted = rotation.note.how if rotation.note.how is not How.KEEP else None
        rotation = await confirm(client, rotation, how or noted or How.DELETE, grace or rotation.note.grace)
    state: Unfinished | Key = rotation
    while isinstance(state, Unfinished):
        state = await advance(client, state, alias=alias)
    return state


async def undo(client: Client, rotation: Unfinished, *, secret_is_lost: bool = False) -> Key:
    """Take an unfinished rotation back, from whatever step the records show now: the key that remains.

    The old key gets back the alias and the end that it had, then the new one is deleted. Where the old key is gone
    there is no way back, so the new one takes its alias. Where it has ended or is blocked and the new one works,
    that would leave none, so it raises `CannotRotate`, but for `secret_is_lost`: nobody has the new secret, and nobody
    can. Others: `Finished`, `MayNotChange`.
    """
    rotation = await read(client, rotation)
    if rotation.old is None:
        return await _hand_over(client, rotation, None)
    if (why := rotation.why_not_undo) and not secret_is_lost:
        raise CannotRotate(why)
    if rotation.step is Step.RETIRED:
        rotation = await _restore(client, rotation, rotation.old)
    new = await _still(client, rotation)
    _not_own(client, new)
    if await keys.delete_keys(client, [new.hash]):
        raise ServerFailed(f"The gateway did not delete the new key, {new.tail}. Both keys work.")
    old = rotation.old
    assert old is not None  # restored, or never changed
    if SUCCESSOR in old.metadata:
        # it names a key that is not there, so it may as well stay
        with contextlib.suppress(GatewayError):
            await _update(client, old, {}, {SUCCESSOR: None})
            old = _with(old, {SUCCESSOR: None})
    return old


async def _retire(client: Client, rotation: Unfinished) -> Unfinished:
    note = rotation.note
    if note.how is not How.GRACE or note.grace is None or not durations.is_duration(note.grace):
        raise NotDelivered(CHOOSE)
    # without its successor the old key is the one that works
    fresh = await read(client, rotation)
    old = fresh.old
    if old is None or fresh.step is Step.RETIRED:
        return fresh
    _finishable(fresh)
    now = client.clock.now()
    grace = durations.length(note.grace) or timedelta()
    changes: dict[str, Any] = {}
    if old.expires_at is None or old.expires_at > now + grace:
        changes["duration"] = note.grace
    if old.alias:
        changes["key_alias"] = retired_alias(old.alias, old.hash)
    before = Before(rotation.new.hash, old.alias, old.expires_at, now).as_metadata()
    try:
        await _update(client, old, changes, {RETIRED: before})
    except Invalid as error:
        if error.param != "key_alias":
            raise
        # a left-over of an earlier rotation has that name
        changes["key_alias"] += f"-{rotation.new.hash[:8]}"
        await _update(client, old, changes, {RETIRED: before})
    except (Forbidden, Unauthorized) as error:
        raise MayNotChange(f"The old key may not be changed by you: {error} Both keys work.") from None
    return Unfinished(rotation.new, _with(old, {RETIRED: before}), note)


async def _restore(client: Client, rotation: Unfinished, old: Key) -> Unfinished:
    before = retired(old)
    assert before is not None
    now = client.clock.now()
    changes: dict[str, Any] = {}
    if before.alias != old.alias:
        changes["key_alias"] = before.alias
    if before.expires_at is None and old.expires_at is not None:
        changes["duration"] = "-1"
    elif before.expires_at and before.expires_at != old.expires_at and before.expires_at > now:
        changes["duration"] = f"{math.ceil((before.expires_at - now).total_seconds())}s"
    try:
        try:
            await _update(client, old, changes, {RETIRED: None})
        except (Invalid, ServerFailed):
            if changes.get("duration") != "-1":
                raise
            await _update(client, old, {**changes, "duration": FOREVER}, {RETIRED: None})
    except (Forbidden, Unauthorized) as error:
        raise MayNotChange(f"The old key may not be changed by you: {error} Both keys are as they were.") from None
    return Unfinished(rotation.new, await _found(client, old.hash), rotation.note)


async def _delete_old(client: Client, rotation: Unfinished) -> Unfinished:
    fresh = await read(client, rotation)
    old = fresh.old
    if old is None or fresh.step is Step.RETIRED:
        return fresh
    _not_own(client, old)
    _finishable(fresh)
    try:
        left = await keys.delete_keys(client, [old.hash])
    except (Forbidden, Unauthorized) as error:
        raise MayNotChange(f"The old key may not be deleted by you: {error} Both keys work.") from None
    if left:
        raise ServerFailed("The gateway did not delete the old key. Both keys work.")
    return Unfinished(rotation.new, None, rotation.note)


def _not_own(client: Client, key: Key) -> None:
    if client.calls_with(key.hash):
        raise CannotRotate(f"This session calls with {key.tail}, which would be deleted. Go on with the other key.")


async def _hand_over(client: Client, rotation: Unfinished, alias: str | None) -> Key:
    new = await _still(client, rotation)
    now = Unfinished(new, rotation.old, rotation.note)
    _finishable(now)
    # the old key may have got another name since the rotation began
    wanted = alias or now.alias
    done = {NOTE: None, "rotated_from": rotation.note.of, "rotated_at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        await _update(client, new, {"key_alias": wanted}, done)
    except Invalid as error:
        if error.param != "key_alias":
            raise
        raise AliasTaken(
            f"Another key took the name {printable(wanted or '')} meanwhile; the new key is still {new.label}. "
            "Choose another name.",
            status=error.status,
            param="key_alias",
        ) from None
    after = await _found(client, new.hash)
    if after is None:
        raise NotFound("The new key is gone: somebody deleted it.", status=404)
    return after


async def _still(client: Client, rotation: Unfinished) -> Key:
    """The successor as it is now, if it is still one: who finds the note gone must not delete a key that is in use."""
    new = await _found(client, rotation.new.hash)
    note = note_of(new.metadata) if new else None
    if new is None or note is None or note.of != rotation.note.of:
        raise Finished("This rotation is finished or taken back already. Refresh the list.")
    return new


async def _update(client: Client, key: Key, changes: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """One change of a key that was just read: LiteLLM replaces metadata wholesale (S10)."""
    _mergeable(key)
    await client.post("/key/update", {"key": key.hash, **changes, "metadata": _with(key, metadata).metadata})


def _with(key: Key, metadata: Mapping[str, Any]) -> Key:
    merged = {**key.metadata, **metadata}
    return key.model_copy(update={"metadata": {name: value for name, value in merged.items() if value is not None}})


async def _holders(client: Client, alias: str) -> list[Key]:
    answer = await client.get("/key/list", {"key_alias": alias, "return_full_object": True, "page": 1, "size": 10})
    rows = mapping(answer).get("keys")
    if not isinstance(rows, list):
        raise BadAnswer("The gateway's key list holds no keys; is the URL LiteLLM's?")
    found = [Key.from_gateway(row) for row in rows if isinstance(row, dict) and word(row.get("token"))]
    return [key for key in found if key.alias == alias]


async def _record(client: Client, hash: str) -> dict[str, Any] | None:
    """The whole record, which lists cut short on older releases; None where the key is gone."""
    try:
        info = mapping(mapping(await client.get("/key/info", {"key": hash})).get("info"))
    except NotFound:
        return None
    # recent releases answer for a deleted key as well
    return None if moment(info.get("deleted_at")) or word(info.get("status")) == "deleted" else info


async def _found(client: Client, hash: str) -> Key | None:
    info = await _record(client, hash)
    return None if info is None else _key(hash, info)


def _mergeable(key: Key) -> None:
    """Raise `CannotRotate` for metadata that would be lost: a change replaces all of it (S10)."""
    if not key.metadata_readable:
        raise CannotRotate("The key's metadata is not a JSON object, and a change would wipe it. Nothing was changed.")


def _key(hash: str, info: Mapping[str, Any]) -> Key:
    return Key.from_gateway({**info, "token": hash})
