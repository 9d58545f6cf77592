"""`litellm-tui models list`."""

from tui.commands.output import Field, print_json, print_table
from tui.formatting import per_million, short_count
from tui.gateway.capabilities import Action
from tui.gateway.models import list_models as read
from tui.startup import Session

FIELDS = (
    Field("Model", shrink=True),
    Field("Provider", shrink=True),
    Field("Mode"),
    Field("In $/M", right=True),
    Field("Out $/M", right=True),
    Field("Context", right=True),
    Field("Out", right=True),
    Field("Can", shrink=True),
)


async def list_models(session: Session, *, as_json: bool) -> int:
    """The models that the session's key may call; an unknown price is `?`, never 0 (S13)."""
    models = await read(session.client, details=session.rights.why_not(Action.MODEL_DETAILS) is None)
    if as_json:
        print_json([model.model_dump(mode="json") for model in models])
        return 0
    print_table(
        FIELDS,
        [
            [
                model.name,
                ", ".join(model.providers),
                model.mode or "?",
                per_million(model.input_cost_per_token),
                per_million(model.output_cost_per_token),
                short_count(model.max_input_tokens) if model.max_input_tokens is not None else "?",
                short_count(model.max_output_tokens) if model.max_output_tokens is not None else "?",
                " ".join(model.capabilities),
            ]
            for model in models
        ],
    )
    return 0
