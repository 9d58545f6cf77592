"""Making sure that a person exists on the gateway, at startup (S31-S36)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from tui.gateway.client import Client
from tui.gateway.errors import Conflict, Forbidden, GatewayError, Invalid, NotFound, ReadOnly, Unauthorized
from tui.gateway.schema import User
from tui.gateway.users import create_user, update_user, user_info

_creating: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
"""One creation at a time per gateway and user id in this process (S35)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be provisioned. `identity` says where the name came from, as `unix:ada@jump1`."""

    user_id: str
    identity: str
    email: str | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new user gets (S31). `max_budget` in USD, None for no cap; `models` [] for all."""

    max_budget: float | None = 10.0
    budget_duration: str | None = "30d"
    models: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    user_role: str = "internal_user"
    metadata: Mapping[str, Any] = field(default_factory=dict)


class NotProvisioned(GatewayError):
    """The user does not exist and provisioning is off: nothing was created (S33)."""


class ProvisioningFailed(GatewayError):
    """The gateway failed while a user was made (S36)."""


async def ensure_user(
    client: Client,
    person: Person,
    grant: Grant | None,
    *,
    existing: User | None = None,
    may_create: bool = True,
    warn: Callable[[str], None],
) -> User:
    """The person's user, made with `grant` where the gateway has none; an existing one is returned as it is (S33).

    `grant` None means that provisioning is off: a missing user raises `NotProvisioned`, as it does where the session's
    key is none that `may_create` users. `existing` saves the first look
    where the caller has just had one. Other failures raise `Invalid`, `NotFound`, `Conflict` with LiteLLM's own
    meaning, or `ProvisioningFailed` (S36).
    """
    user = existing or await user_info(client, person.user_id)
    if user is not None:
        return user
    if not may_create:
        raise NotProvisioned(
            f"The gateway has no user {person.user_id}, and this profile's key may look and not create users. Nothing "
            "was created. Ask an admin to add the user, or use a key of an admin."
        )
    if grant is None:
        raise NotProvisioned(
            f"The gateway has no user {person.user_id}, and provisioning is off. Nothing was created. Ask an admin "
            "to add the user, or set enabled = true under provisioning in this profile."
        )
    lock = _creating.setdefault((client.url, person.user_id), asyncio.Lock())
    async with lock:
        if (made_meanwhile := await user_info(client, person.user_id)) is not None:
            return made_meanwhile
        try:
            return await _create(client, person, grant, warn)
        except (Invalid, NotFound, Conflict, ProvisioningFailed):
            raise
        except ReadOnly:
            raise NotProvisioned(
                f"The gateway has no user {person.user_id}, and this session is read-only. Nothing was created. Start "
                "once without read_only, or ask an admin to add the user."
            ) from None
        except (Unauthorized, Forbidden) as error:
            raise ProvisioningFailed(
                f"The gateway did not let this profile's key create users; that is the profile's key, not you. "
                f"It said: {error}",
                status=error.status,
            ) from None
        except GatewayError as error:
            raise ProvisioningFailed(
                f"The gateway failed while it made the user {person.user_id}: {error}", status=error.status
            ) from None


async def _create(client: Client, person: Person, grant: Grant, warn: Callable[[str], None]) -> User:
    about = {
        name: value
        for name, value in (("user_email", person.email), ("user_alias", person.display_name))
        if value is not None
    }
    limits = {
        name: value
        for name, value in (
            ("max_budget", grant.max_budget),
            ("budget_duration", grant.budget_duration),
            ("tpm_limit", grant.tpm_limit),
            ("rpm_limit", grant.rpm_limit),
        )
        if value is not None
    }
    fields = {
        "user_id": person.user_id,
        **about,
        **limits,
        "models": grant.models,
        "teams": grant.teams,
        "user_role": grant.user_role,
        "auto_create_key": False,
        "metadata": {
            **grant.metadata,
            "provisioned_by": "litellm-tui",
            "provisioned_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "identity": person.identity,
        },
    }
    try:
        await create_user(client, fields)
    except (Unauthorized, Forbidden, ReadOnly):
        raise
    except GatewayError as error:
        # another machine may have won the race, which some releases tell with a 500, or the answer was lost; what the
        # gateway holds now decides (S35)
        try:
            found = await user_info(client, person.user_id)
        except GatewayError:
            raise error from None
        if found is None:
            raise
        return found
    try:
        await update_user(client, person.user_id, {"user_role": grant.user_role, **about})
    except GatewayError as error:
        warn(f"The user was made, but its role and name could not be confirmed: {error}")
    made = await user_info(client, person.user_id)
    if made is None:
        raise ProvisioningFailed(f"The gateway said it made the user {person.user_id}, and does not know it.")
    return made
