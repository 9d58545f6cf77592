"""litellm-tui: run a LiteLLM gateway from the terminal."""

__version__ = "0.1.0"
