"""A LiteLLM gateway in memory, for `litellm-tui --demo` and for tests.

It imports httpx and the standard library alone. Its answers are copied from running proxies of 1.74.0, 1.83.0 and
1.108.0; where it disagrees with a real one, it is wrong.
"""

from tui.demo.server import DemoGateway
from tui.demo.state import Call

__all__ = ["Call", "DemoGateway"]
