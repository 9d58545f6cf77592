"""The keys screen: what needs a person first, then every virtual key, and all that can be done with them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tui import keymap
from tui.credentials import HeldKey, Secret
from tui.formatting import fit, harmless, money
from tui.gateway import bulk, keys
from tui.gateway.bulk import Outcome, Progress, Result
from tui.gateway.capabilities import Action
from tui.gateway.errors import GatewayError, Invalid, NotConnected, Unreachable
from tui.gateway.key_pages import AnyKey
from tui.gateway.rotation import How, Unfinished, finish, undo
from tui.gateway.schema import Key, NewKey
from tui.screens.bulk import Bulk, Run
from tui.screens.dialogs import Results
from tui.screens.key_list import KeyList
from tui.screens.key_rows import NEEDED
from tui.screens.sure import confirmed_end, sure
from tui.widgets.table import RecordTable
from tui.workspace import Workspace

if TYPE_CHECKING:
    from tui.reports import Scope


class KeysScreen(KeyList):
    """Two lists: keys that need attention, and all of them. Actions go to the marked keys, else to the row's."""

    CSS_PATH = ["base.tcss", "keys.tcss"]
    mode = "keys"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="keys.open", tooltip="Show everything about this key"),
        Binding("n", "new", "new", id="keys.new", tooltip="Make a new virtual key"),
        Binding("e", "edit", "edit", id="keys.edit", tooltip="Change this key"),
        Binding(
            "r", "rotate", "rotate", id="keys.rotate", tooltip="Rotate: a new key in place of this one, nothing breaks"
        ),
        Binding(
            "f", "finish", "finish", id="keys.finish", show=False, tooltip="Finish the unfinished rotation of this key"
        ),
        Binding(
            "u", "undo", "undo", id="keys.undo", show=False, tooltip="Take the unfinished rotation of this key back"
        ),
        Binding("b", "block", "block", id="keys.block", tooltip="Block the key, or unblock it"),
        Binding(
            "z",
            "reset_spend",
            "reset",
            id="keys.reset-spend",
            show=False,
            tooltip="Set the spend of the key back to $0",
        ),
        Binding("d", "delete", "delete", id="keys.delete", tooltip="Delete the key for good"),
        Binding("y", "copy_id", "copy", id="keys.copy", tooltip="Copy the key's hash, its id on the gateway"),
        Binding("space", "mark", "mark", id="keys.mark", tooltip="Mark this key, to act on several at once"),
        Binding("slash", "filter", "filter", id="keys.filter", tooltip="Show only keys that match"),
        Binding("s", "sort", "sort", id="keys.sort", tooltip="Sort by the next column"),
        Binding("S", "reverse", "reverse", id="keys.reverse", show=False, tooltip="Turn the order round"),
        Binding(
            "asterisk",
            "mark_all",
            "mark all",
            id="keys.mark-all",
            show=False,
            tooltip="Mark every key shown, but for retired ones",
        ),
        Binding(
            "m",
            "mark_by",
            "mark by",
            id="keys.mark-by",
            show=False,
            tooltip="Mark by a condition: expired, unused, over budget",
        ),
        Binding(
            "o",
            "whose",
            "whose",
            id="keys.whose",
            show=False,
            tooltip="Find a user or team with its budget, and see its keys alone",
        ),
        Binding(
            "A",
            "read_all",
            "read all",
            id="keys.read-all",
            show=False,
            tooltip="Of many keys read every one once: then every order and filter works",
        ),
        Binding(
            "tab", "other_list", "other list", id="keys.other-list", show=False, tooltip="Attention list or all keys"
        ),
        Binding(
            "escape",
            "back",
            "back",
            id="keys.back",
            show=False,
            tooltip="Stop reading; clear marks, then the filter; back to everyone's",
        ),
    ]

    class TurnedTo(Message):
        """The keys of `whose` were read, None for those of whom the session is about."""

        def __init__(self, whose: "Scope | None") -> None:
            super().__init__()
            self.whose = whose

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._acting = ""
        self._came_from = ""

    def on_mount(self) -> None:
        """At once about whom another screen asked for."""
        self._take_wanted()

    def on_screen_resume(self) -> None:
        """Another screen may have asked for a user's keys or a team's."""
        if self.is_mounted:
            self._take_wanted()

    def _take_wanted(self) -> None:
        if wanted := self.workspace.wanted.pop(self.mode, None):
            whose, came_from = wanted
            self._forget_filter()
            home = self.workspace.session.user_id
            self._about(None if whose.kind == "user" and whose.id == home else whose)
            self._came_from = came_from

    def _forget_filter(self) -> None:
        """It was typed about other keys."""
        field = self.query_one("#filter", Input)
        self._needle = field.value = ""
        field.display = False

    def action_back(self) -> None:
        """As in any list; what another screen has led to leads back to it."""
        came_from = self._came_from
        reading = self._read is not None or self._turning is not None
        something_else = reading or self._marks or self._needle or self.query_one("#filter").display
        super().action_back()
        if came_from and not something_else:
            self._came_from = ""
            self.run_worker(self.tui.action_go(came_from), group="go")

    @property
    def back_to(self) -> str:
        """Back to where another screen has led from, where one has."""
        return f"goes back to {self._came_from}" if self._came_from else super().back_to

    def _about(self, whose: "Scope | None") -> None:
        """Of a session about one user, the keys of others have to be read first."""
        self._came_from = ""
        session = self.workspace.session
        if session.rights.sees_all and not session.everyone and (whose or self.workspace.whose):
            self._turn_to(whose)
        else:
            super()._about(whose)

    @work(exclusive=True, group="keys")
    async def _turn_to(self, whose: "Scope | None") -> None:
        label = fit(harmless(whose.label if whose else self.workspace.session.about), 40)
        self.set_status(f"reading the keys of {label} …")
        try:
            await self.workspace.turn_to(whose)
        except GatewayError as error:
            self.post_message(self.Loaded(error))
        else:
            self.post_message(self.TurnedTo(whose))

    @on(TurnedTo)
    def on_turned_to(self, event: TurnedTo) -> None:
        """Show them; marks were others'."""
        self._marks = {}
        self._whose = event.whose
        self.on_loaded(self.Loaded())
        self._put_cursor("first")

    def action_owner(self, only: str) -> None:
        """The user that the key belongs to."""
        key = self._by_hash.get(only)
        if key is not None and key.user_id:
            from tui.screens.user_detail import look_at_user

            look_at_user(self, key.user_id)

    def action_team(self, only: str) -> None:
        """The team that the key belongs to."""
        key = self._by_hash.get(only)
        if key is not None and key.team_id:
            from tui.screens.team_detail import look_at_team

            look_at_team(self, key.team_id)

    @property
    def unfinished(self) -> str | None:
        """An action that is being sent to a key."""
        return f"{self._acting}: under way; what was sent is done, the rest is not." if self._acting else None

    def _chosen(self, action: str, only: str | None) -> list[Key]:
        """The keys that `action` goes to: the one of hash `only` where one was on screen, else `targets`.

        [] where it is possible with none of them; the reason is told in a toast then.
        """
        chosen = self.targets()
        if only is not None:
            chosen = [self._by_hash[only]] if only in self._by_hash else []
            if not chosen:
                self.tell("This key is gone from the list; nothing was done.", severity="warning")
        reason = self.forbids(action, chosen) if chosen else None
        if reason:
            self.tell(reason, severity="warning")
            return []
        return [key if isinstance(key, Key) else key.key() for key in chosen]

    @on(RecordTable.RowSelected)
    def on_chosen(self) -> None:
        """Enter in a list opens the key."""
        self.action_open()

    def action_open(self) -> None:
        """Everything about the key under the cursor."""
        from tui.screens.key_detail import KeyDetail

        key = self.current
        if key is not None:
            self.app.push_screen(KeyDetail(self.workspace, key), self._after_detail)

    def _after_detail(self, chosen: tuple[str, str] | None) -> None:
        if chosen:
            action, only = chosen
            getattr(self, f"action_{action}")(only)

    @work
    async def action_copy_id(self, only: str | None = None) -> None:
        """The key's hash to the clipboard."""
        key = self._by_hash.get(only) if only else self.current
        if key is not None:
            self.tell(f"The id of {key.label}: {await self.tui.copy(key.hash)}")

    @work
    async def action_new(self) -> None:
        """The form, then the secret, once."""
        from tui.screens.key_form import KeyForm
        from tui.screens.secret import ShowSecret

        if self.refused("new"):
            return
        session = self.workspace.session
        made: list[NewKey] = []

        async def submit(fields: dict[str, Any]) -> None:
            if why := session.rights.why_not(Action.CREATE, team_id=fields.get("team_id")):
                raise Invalid(why, param="team_id")
            made.append(await keys.generate_key(session.client, fields))

        form = KeyForm(
            key=None,
            owner=self._whose.id if self._whose and self._whose.kind == "user" else session.owner,
            pick_owner=session.rights.admin,
            teams=self.workspace.teams,
            models=self._model_names,
            key_types=session.server.key_types,
            submit=submit,
        )
        if await self.app.push_screen_wait(form) and made:
            self.changed()
            new = made[0]
            model = next((each.name for each in self.workspace.models or []), "gpt-4o")
            title = f"New key {new.alias or new.name}"
            await self.app.push_screen_wait(ShowSecret(title, new.secret, session.client.url, model))
            made.clear()

    async def _model_names(self) -> list[str]:
        if self.workspace.models is None:
            try:
                await self.workspace.refresh_models()
            except GatewayError:
                return []
        return [model.name for model in self.workspace.models or []]

    @work
    async def action_edit(self, only: str | None = None) -> None:
        """The form over the key under the cursor; only what changed is sent."""
        from tui.screens.key_form import KeyForm

        if not (chosen := self._chosen("edit", only)):
            return
        if len(chosen) > 1:
            self.tell(f"Edit works on one key; {keymap.key('keys.back')} clears the marks.", severity="warning")
            return
        key, session = chosen[0], self.workspace.session
        money_locked = session.rights.why_not(Action.EDIT, key, {"max_budget"})

        async def submit(fields: dict[str, Any]) -> None:
            after = await keys.update_key(session.client, key.hash, fields)
            if "duration" in fields and fields["duration"] is None and after.expires_at is not None:
                self.tell("This release cannot take an expiry off a key; the rest was saved.", severity="warning")

        form = KeyForm(
            key=key,
            owner=key.user_id,
            pick_owner=False,
            teams=self.workspace.teams,
            models=self._model_names,
            key_types=False,
            submit=submit,
            locked={"budget": money_locked} if money_locked else {},
        )
        if await self.app.push_screen_wait(form):
            self.tell(f"{key.label} was changed.")
            self.changed([key.hash])

    @work
    async def action_rotate(self, only: str | None = None) -> None:
        """Rotate the key under the cursor, or the marked ones one after another."""
        from tui.screens.rotate import Rotate
        from tui.screens.rotate_many import RotateMany

        if not (chosen := self._chosen("rotate", only)):
            return
        if len(chosen) > 1:
            if await self.app.push_screen_wait(RotateMany(self.workspace, chosen)):
                self._marks.clear()
                self.changed(key.hash for key in chosen)
            return
        if self._rotation_at(chosen[0]) is not None:
            ways = f"{keymap.key('keys.finish')} finishes it, {keymap.key('keys.undo')} takes it back"
            self.tell(f"A rotation of this key is unfinished: {ways}.", severity="warning")
            return
        new_secret = await self.app.push_screen_wait(Rotate(self.workspace, chosen[0]))
        if new_secret is None:
            self.changed([chosen[0].hash])
            return
        # the session's own key was rotated: go on with the new one, in memory
        self.tell("This session goes on with the new key.")
        self.tui.connect(replace(self.workspace.session.settings, credential=HeldKey(Secret(new_secret))))

    def _rotation_at(self, key: Key | None) -> Unfinished | None:
        """The unfinished rotation that `key` is the new or the old one of."""
        found = self._rotations.values()
        return next((each for each in found if key and key.hash in (each.new.hash, each.note.of)), None)

    @work
    async def action_finish(self, only: str | None = None) -> None:
        """Bring an unfinished rotation to its end, after a person's word for the secret where nobody gave it."""
        from tui.screens.finish import Finish

        rotation = self._rotation_at(self._by_hash.get(only) if only else self.current)
        if self.refused("finish") or not self._told_of(rotation):
            return
        assert rotation is not None
        session = self.workspace.session
        fate = await self.app.push_screen_wait(Finish(rotation, session.rights))
        if fate is None:
            return
        how, grace = fate
        if how is How.DELETE and not await confirmed_end(self.app, session.settings, [rotation.old or rotation.new]):
            return
        try:
            key = await finish(session.client, rotation, secret_is_safe=True, how=how, grace=grace)
        except GatewayError as error:
            self.tell(str(error), severity="error")
        else:
            self.tell(f"The rotation is finished: {key.label} is {key.tail}.")
        for hash in (rotation.new.hash, rotation.note.of):
            self._marks.pop(hash, None)
        self.changed([rotation.new.hash, rotation.note.of])

    @work
    async def action_undo(self, only: str | None = None) -> None:
        """Take an unfinished rotation back."""
        rotation = self._rotation_at(self._by_hash.get(only) if only else self.current)
        if self.refused("undo") or not self._told_of(rotation):
            return
        assert rotation is not None
        lines = [rotation.so, "", rotation.undo_does]
        title, settings = f"Undo the rotation of {rotation.label}?", self.workspace.session.settings
        if not await sure(self.app, settings, [rotation.new], title, lines, "Undo"):
            return
        try:
            key = await undo(self.workspace.session.client, rotation)
        except GatewayError as error:
            self.tell(str(error), severity="error")
        else:
            self.tell(f"The rotation is taken back: {key.label} is {key.tail}.")
        for hash in (rotation.new.hash, rotation.note.of):
            self._marks.pop(hash, None)
        self.changed([rotation.new.hash, rotation.note.of])

    def _told_of(self, rotation: Unfinished | None) -> bool:
        if rotation is None:
            begin = keymap.key("keys.rotate")
            self.tell(f"No rotation of this key is unfinished; {begin} begins one.", severity="warning")
        return rotation is not None

    @work
    async def action_block(self, only: str | None = None) -> None:
        """Block the keys, or unblock them where all of them are blocked."""
        if not (chosen := self._chosen("block", only)):
            return
        client = self.workspace.session.client
        many = len(chosen) > 1

        async def unblock(key: Key) -> None:
            await keys.unblock_key(client, key.hash)

        async def block(key: Key) -> None:
            await keys.block_key(client, key.hash)

        def switched(to: bool) -> Callable[[Key], Key]:
            return lambda key: key.model_copy(update={"blocked": to})

        if all(key.blocked for key in chosen):
            what = "They work again at once." if many else "It works again at once."
            await self._do("block", "Unblock", "unblocked", chosen, [what], unblock, switched(False))
        else:
            rest = [key for key in chosen if not key.blocked]
            them, are = ("it", "it is") if len(rest) == 1 else ("them", "they are")
            line = f"Every call with {them} is refused until {are} unblocked."
            already = [(key, "blocked already") for key in chosen if key.blocked]
            await self._do("block", "Block", "blocked", rest, [line], block, switched(True), already)

    @work
    async def action_reset_spend(self, only: str | None = None) -> None:
        """Set the spend of the budget window back to 0."""
        if not (chosen := self._chosen("reset_spend", only)):
            return
        client = self.workspace.session.client
        # one key is asked for by name, and done whatever it has spent
        none = [(key, "nothing spent") for key in chosen if not key.spend] if len(chosen) > 1 else []
        left = {key.hash for key, _ in none}
        rest = [key for key in chosen if key.hash not in left]
        if not rest:
            self.tell("None of these keys has spent anything.", severity="warning")
            return
        spent = f"{money(rest[0].spend)} counted" if len(rest) == 1 else "What is counted"
        its = "its budget" if len(rest) == 1 else "their budgets"
        lines = [f"{spent} against {its} becomes $0.00. The usage history stays. The old figure cannot be put back."]

        async def reset(key: Key) -> None:
            await keys.reset_spend(client, key.hash)

        def fresh(key: Key) -> Key:
            return key.model_copy(update={"spend": 0.0})

        verb = "Reset the spend of"
        await self._do("reset_spend", verb, "reset to $0", rest, lines, reset, fresh, none, _spent)

    @work
    async def action_delete(self, only: str | None = None) -> None:
        """Delete for good, read back."""
        if not (chosen := self._chosen("delete", only)):
            return
        session = self.workspace.session
        own = session.caller.key
        lines = [
            "Every call with it fails from now on." if len(chosen) == 1 else "Every call with them fails from now on.",
            f"This cannot be undone. {'Its' if len(chosen) == 1 else 'Their'} usage stays in the statistics.",
        ]
        if own is not None and any(key.hash == own.hash for key in chosen):
            lines.insert(0, f"{own.label} is the key of THIS session: without it nothing more can be done here.")

        async def delete(key: Key) -> None:
            if await keys.delete_keys(session.client, [key.hash]):
                raise GatewayError("the gateway said yes, and the key is still there.")

        async def delete_all(among: Sequence[AnyKey], moved: Progress, stop: asyncio.Event) -> list[Result[AnyKey]]:
            return await bulk.delete(session.client, session.rights, among, progress=moved, stop=stop)

        await self._do("delete", "Delete", "deleted", chosen, lines, delete, None, run_all=delete_all)

    async def _do(
        self,
        action: str,
        verb: str,
        done: str,
        chosen: Sequence[Key],
        lines: list[str],
        run: Callable[[Key], Awaitable[None]],
        effect: Callable[[Key], Key] | None,
        left_out: Iterable[tuple[Key, str]] = (),
        tell: Callable[[Key], str] = lambda _: "",
        run_all: Run | None = None,
    ) -> None:
        """Say exactly what would be done to which keys, and do it after a yes.

        `effect` is a key as it is afterwards, None where it is gone; `left_out` are others with the reason; `tell` is
        what becomes of each, in words.
        """
        refused = {key.hash: why for key in chosen if (why := self.forbidden(NEEDED[action], key))}
        aside = [*left_out, *((key, refused[key.hash]) for key in chosen if key.hash in refused)]
        chosen = [key for key in chosen if key.hash not in refused]
        if len(chosen) == 1:
            title = f"{verb} {chosen[0].label} ({chosen[0].tail})?"
        else:
            title = f"{verb} {len(chosen):,} keys?"
            whose = len({key.user_id for key in chosen}) > 1
            lines = [*lines, "", *(_named(key, tell(key), whose=whose) for key in chosen)]
        if aside:
            count = "1 key is" if len(aside) == 1 else f"{len(aside):,} keys are"
            lines.insert(1, f"{count} left out, at the end of this list.")
            lines += ["", "Left out:", *(_named(key, why, whose=False) for key, why in aside)]
        settings, may_be_undone = self.workspace.session.settings, verb == "Unblock"
        if not await sure(self.app, settings, chosen, title, lines, verb.split()[0], harmless=may_be_undone):
            return
        if len(chosen) == 1:
            await self._do_one(verb, done, chosen[0], run, effect)
            return

        async def one_by_one(among: Sequence[AnyKey], moved: Progress, stop: asyncio.Event) -> list[Result[AnyKey]]:
            async def each(key: AnyKey) -> None:
                try:
                    await run(key if isinstance(key, Key) else key.key())
                except NotConnected:
                    raise
                except Unreachable as error:
                    # the next ones would wait as long for nothing
                    stop.set()
                    happened = await self._happened(key.hash, effect)
                    if not happened:
                        raise Unreachable(_perhaps(error, done, happened)) from None

            return await bulk.run(among, each, progress=moved, stop=stop)

        results = await self.app.push_screen_wait(Bulk(title.rstrip("?"), verb, chosen, run_all or one_by_one, done))
        went_well = [result.item for result in results if result.outcome is Outcome.DONE]
        self._mark_done([key if isinstance(key, Key) else key.key() for key in went_well], effect)
        if len(went_well) == len(results):
            self.tell(f"{len(results):,} keys were {done}.")

    async def _do_one(
        self,
        verb: str,
        done: str,
        key: Key,
        run: Callable[[Key], Awaitable[None]],
        effect: Callable[[Key], Key] | None,
    ) -> None:
        self._acting = f"{verb} {key.label} ({key.tail})"
        try:
            await run(key)
        except GatewayError as error:
            lost = isinstance(error, Unreachable) and not isinstance(error, NotConnected)
            happened = await self._happened(key.hash, effect) if lost else None
            self._acting = ""
            if happened:
                self._mark_done([key], effect)
            else:
                self.changed([key.hash])
            said = _perhaps(error, done, happened) if lost else str(error)
            title = f"{verb}: the answer was lost" if happened else f"{verb}: not everything went through"
            await self.app.push_screen_wait(Results(title, [(f"{key.label}: {said}", bool(happened))]))
        else:
            self._acting = ""
            self._mark_done([key], effect)
            self.tell(f"{key.label} was {done}.")

    async def _happened(self, hash: str, effect: Callable[[Key], Key] | None) -> bool | None:
        """Whether a key is by now as `effect` would have it, or gone for None; None where nobody can tell."""
        try:
            now = await keys.key_info(self.workspace.session.client, hash)
        except GatewayError:
            return None
        if now is None or effect is None:
            return now is None and effect is None
        return effect(now) == now

    def _mark_done(self, done: Sequence[Key], effect: Callable[[Key], Key] | None) -> None:
        """Nothing is done twice: the marks of what is done go, and what is in memory is as it is now."""
        for key in done:
            self._marks.pop(key.hash, None)
        if self.workspace.long and done:
            self.workspace.long.apply({key.hash: effect(key) if effect else None for key in done})
        self.changed()


def _perhaps(error: GatewayError, done: str, happened: bool | None) -> str:
    if happened is None:
        return f"{error} It may have been {done} all the same."
    return f"{error} It was {done} all the same." if happened else f"{error} So far it was not {done}."


def _spent(key: Key) -> str:
    return f"{money(key.spend)} becomes $0.00"


def _named(key: Key, words: str, *, whose: bool) -> str:
    owner = f" of {key.user_id or 'nobody'}" if whose else ""
    return f"· {key.label} ({key.tail}){owner}{': ' if words else ''}{words}"
