"""`python -m tui` and the command `litellm-tui`."""

import sys

from tui.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
