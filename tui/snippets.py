"""Ready pieces of text for using a key or a model: environment, curl, OpenAI SDK, Claude Code."""

import json
import shlex
from collections.abc import Callable

from tui.formatting import plain

Snippet = Callable[[str, str, str], str]


def _shell(text: str) -> str:
    """`text` as one word for bash and zsh, of letters that are seen alone: it may be a stranger's, and is pasted."""
    if text == plain(text):
        return shlex.quote(text)
    code = "".join(each if " " <= each <= "~" and each not in "\\'" else f"\\U{ord(each):08X}" for each in text)
    return f"$'{code}'"


def _python(text: str) -> str:
    return repr(text) if text == plain(text) else ascii(text)


def env(url: str, secret: str, model: str) -> str:
    """Shell lines that most OpenAI-compatible tools read."""
    return f"export OPENAI_BASE_URL={shlex.quote(url)}\nexport OPENAI_API_KEY={shlex.quote(secret)}"


def curl(url: str, secret: str, model: str) -> str:
    """One chat completion by hand; the key comes from the environment, as arguments are seen by others."""
    return (
        f"export LITELLM_KEY={shlex.quote(secret)}\n"
        f"curl {shlex.quote(url + '/v1/chat/completions')} \\\n"
        '  -H "Authorization: Bearer $LITELLM_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(_json(model))}"
    )


def openai_sdk(url: str, secret: str, model: str) -> str:
    """Python with the OpenAI SDK."""
    return (
        "from openai import OpenAI\n"
        f"client = OpenAI(base_url={url!r}, api_key={secret!r})\n"
        f"answer = client.chat.completions.create(model={_python(model)},\n"
        '    messages=[{"role": "user", "content": "Hello"}])'
    )


def claude_code(url: str, secret: str, model: str) -> str:
    """Shell lines for Claude Code."""
    return (
        f"export ANTHROPIC_BASE_URL={shlex.quote(url)}\n"
        f"export ANTHROPIC_AUTH_TOKEN={shlex.quote(secret)}\n"
        f"export ANTHROPIC_MODEL={_shell(model)}"
    )


ALL: dict[str, Snippet] = {"env": env, "curl": curl, "OpenAI SDK": openai_sdk, "Claude Code": claude_code}
"""Every snippet by its title, in the order of the tabs."""


def embed_curl(url: str, secret: str, model: str) -> str:
    """One embedding by hand."""
    return (
        f"export LITELLM_KEY={shlex.quote(secret)}\n"
        f"curl {shlex.quote(url + '/v1/embeddings')} \\\n"
        '  -H "Authorization: Bearer $LITELLM_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps({'model': model, 'input': 'Hello'}))}"
    )


def embed_sdk(url: str, secret: str, model: str) -> str:
    """Python with the OpenAI SDK, for a model that embeds."""
    return (
        "from openai import OpenAI\n"
        f"client = OpenAI(base_url={url!r}, api_key={secret!r})\n"
        f"answer = client.embeddings.create(model={_python(model)}, input='Hello')"
    )


def for_mode(mode: str | None) -> dict[str, Snippet]:
    """The snippets that work with a model of that mode, as LiteLLM names it; None is taken for a chat model."""
    if mode in (None, "chat", "completion", "responses"):
        return ALL
    if mode == "embedding":
        return {"env": env, "curl": embed_curl, "OpenAI SDK": embed_sdk}
    return {"env": env}


def _json(model: str) -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
