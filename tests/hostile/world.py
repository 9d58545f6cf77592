"""An embedded gateway in which every name is hostile."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.hostile.corpus import CORPUS
from tui.demo import DemoGateway
from tui.demo.models import MODELS

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ADA = "ada"


class Hostile(DemoGateway):
    """As the embedded gateway, with answers in ASCII: lone surrogates can be sent no other way."""

    def _perform(self, request: httpx.Request) -> httpx.Response:
        try:
            return super()._perform(request)
        except UnicodeEncodeError:
            answer: Any = self._route(request)
            headers = {"content-type": "application/json"}
            return httpx.Response(200, content=json.dumps(answer).encode(), headers=headers)


def world(texts: Iterable[str] = tuple(CORPUS.values()), *, version: str = "1.108.0") -> Hostile:
    """Each of `texts` as alias of a key, a team and a user, as a model, in metadata and in rows of usage."""
    gateway = Hostile(version=version, now=NOW)
    gateway.add_user(user_id=ADA, user_role="internal_user", max_budget=50.0, budget_duration="30d", spend=41.2)
    gateway.models = []
    for number, text in enumerate(texts):
        team, user = f"team-{number}", f"user-{number}"
        gateway.models.append(replace(MODELS[0], name=text or "empty", provider=("openai", text)[number % 2] or "none"))
        gateway.add_user(user_id=user, user_alias=text, user_email=text, metadata={text: text})
        members = [{"user_id": ADA, "role": "admin"}]
        gateway.add_team(team_id=team, team_alias=text, models=[text], members_with_roles=members, metadata={"x": text})
        secret = gateway.add_key(
            key_alias=text,
            user_id=ADA,
            team_id=team,
            models=[text, "gpt-4o"],
            metadata={text: text, "nested": {"in": [text]}},
            created_by=text,
            spend=number * 1.25,
            max_budget=10.0 * (number + 1),
            expires=NOW + timedelta(days=number - 3),
            tpm_limit=1000 * number,
        )
        token = next(token for token in gateway.keys if gateway.secret_for(token) == secret)
        for day in range(3):
            gateway.add_usage(
                date=(NOW.date() - timedelta(days=day)).isoformat(),
                user_id=ADA,
                api_key=token,
                team_id=team,
                model=f"openai/{text}",
                model_group=text,
                provider=text,
                spend=1.0 + number,
                prompt_tokens=100,
                completion_tokens=10,
            )
    return gateway
