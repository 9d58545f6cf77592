"""The eight models of the demo: what they cost, hold and can do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Model:
    """One deployment. Costs are USD per token, limits tokens; None is unknown."""

    name: str
    provider: str
    price_in: float | None = None
    price_out: float | None = None
    price_cache_read: float | None = None
    price_cache_write: float | None = None
    max_in: int | None = None
    max_out: int | None = None
    mode: str = "chat"
    can: frozenset[str] = field(default_factory=frozenset)
    answer: str = ""

    @property
    def upstream(self) -> str:
        """The name behind the public one, with its provider: `openai/gpt-4o`."""
        return f"{self.provider}/{self.name}"

    @property
    def id(self) -> str:
        """A stable deployment id."""
        return hashlib.sha256(f"demo {self.upstream}".encode("utf-8", "surrogatepass")).hexdigest()

    def cost(self, prompt: int, completion: int, cache_read: int = 0, cache_write: int = 0) -> float:
        """USD for one call; `prompt` includes the cached tokens, as LiteLLM counts them."""
        price = self.price_in or 0.0
        read = self.price_cache_read if self.price_cache_read is not None else price
        write = self.price_cache_write if self.price_cache_write is not None else price
        plain = max(prompt - cache_read - cache_write, 0)
        return plain * price + cache_read * read + cache_write * write + completion * (self.price_out or 0.0)


def _can(words: str) -> frozenset[str]:
    return frozenset(words.split())


MODELS: tuple[Model, ...] = (
    Model(
        "gpt-4o",
        "openai",
        2.5e-06,
        1e-05,
        1.25e-06,
        None,
        128_000,
        16_384,
        can=_can(
            "function_calling parallel_function_calling vision response_schema tool_choice prompt_caching "
            "pdf_input system_messages"
        ),
        answer="Hello from gpt-4o.",
    ),
    Model(
        "gpt-4o-mini",
        "openai",
        1.5e-07,
        6e-07,
        7.5e-08,
        None,
        128_000,
        16_384,
        can=_can(
            "function_calling parallel_function_calling vision response_schema tool_choice prompt_caching "
            "pdf_input system_messages"
        ),
        answer="Hello from gpt-4o-mini.",
    ),
    Model(
        "claude-sonnet-4-5",
        "anthropic",
        3e-06,
        1.5e-05,
        3e-07,
        3.75e-06,
        200_000,
        64_000,
        can=_can(
            "function_calling vision response_schema tool_choice assistant_prefill prompt_caching pdf_input "
            "reasoning computer_use"
        ),
        answer="Hello from claude.",
    ),
    Model(
        "claude-haiku-4-5",
        "anthropic",
        1e-06,
        5e-06,
        1e-07,
        1.25e-06,
        200_000,
        64_000,
        can=_can(
            "function_calling vision response_schema tool_choice assistant_prefill prompt_caching pdf_input "
            "reasoning computer_use"
        ),
        answer="Hello from haiku.",
    ),
    Model(
        "gemini-2.5-flash",
        "gemini",
        3e-07,
        2.5e-06,
        3e-08,
        None,
        1_048_576,
        65_536,
        can=_can(
            "function_calling parallel_function_calling vision response_schema tool_choice prompt_caching "
            "pdf_input system_messages reasoning web_search url_context audio_input video_input"
        ),
        answer="Hello from gemini.",
    ),
    Model(
        "gemini-2.5-pro",
        "gemini",
        1.25e-06,
        1e-05,
        1.25e-07,
        None,
        1_048_576,
        65_536,
        can=_can(
            "function_calling vision response_schema tool_choice prompt_caching pdf_input system_messages "
            "reasoning web_search url_context audio_input video_input"
        ),
        answer="Hello from gemini pro.",
    ),
    Model("text-embedding-3-small", "openai", 2e-08, 0.0, None, None, 8_191, None, mode="embedding"),
    Model("in-house-llama", "openai", can=_can("function_calling"), answer="Hello from the rack."),
)

CAPABILITIES = [
    "system_messages",
    "response_schema",
    "vision",
    "function_calling",
    "parallel_function_calling",
    "tool_choice",
    "assistant_prefill",
    "prompt_caching",
    "audio_input",
    "audio_output",
    "pdf_input",
    "embedding_image_input",
    "native_streaming",
    "native_structured_output",
    "web_search",
    "url_context",
    "reasoning",
    "computer_use",
    "video_input",
]

OPENAI_PARAMS = [
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "max_tokens",
    "max_completion_tokens",
    "modalities",
    "prediction",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "function_call",
    "functions",
    "max_retries",
    "extra_headers",
    "parallel_tool_calls",
    "audio",
    "web_search_options",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "store",
    "response_format",
    "user",
]
