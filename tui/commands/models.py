"""`litellm-tui models list`."""

from typing import Any

from tui.commands import Clock, say
from tui.commands.output import Column, print_json, print_table
from tui.formatting import per_million, short_count
from tui.gateway.schema import Model
from tui.startup import Session
from tui.workspace import Workspace

COLUMNS = (
    Column("Model", least=24),
    Column("Provider", least=8, drop=3),
    Column("Mode", drop=4),
    Column("In $/M", right=True),
    Column("Out $/M", right=True),
    Column("Context", right=True, drop=1),
    Column("Out", right=True, drop=2),
    Column("Can", least=16, drop=5),
)
FIELDS = (
    "name",
    "providers",
    "mode",
    "input_cost_per_token",
    "output_cost_per_token",
    "max_input_tokens",
    "max_output_tokens",
    "capabilities",
)
"""What `--json` prints of a model, in this order; USD per token, null for an unknown price."""


async def list_models(session: Session, clock: Clock, *, as_json: bool) -> int:
    """The models that the session's key, or the user it looks after, may call; an unknown price is `?` (S13)."""
    models = await Workspace(session, clock).refresh_models()
    if as_json:
        print_json([record(model) for model in models])
    elif models:
        print_table(COLUMNS, [_row(model) for model in models])
    else:
        say(f"No models for {session.about}.")
    return 0


def record(model: Model) -> dict[str, Any]:
    """A model for programs."""
    values = model.model_dump(mode="json")
    return {name: values[name] for name in FIELDS}


def _row(model: Model) -> list[str]:
    return [
        model.name,
        ", ".join(model.providers) or "?",
        model.mode or "?",
        per_million(model.input_cost_per_token),
        per_million(model.output_cost_per_token),
        short_count(model.max_input_tokens),
        short_count(model.max_output_tokens),
        ", ".join(model.capabilities),
    ]
