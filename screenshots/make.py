"""Draws the README's pictures from the embedded gateway at a fixed date: `python screenshots/make.py`.

Nothing but the demo's made-up data is in them; the date and the seed are fixed, so a change in a picture is a change
in the program.
"""

import asyncio
import os
import re
import sys
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import MONOKAI

os.environ["TZ"] = "UTC"
os.environ.pop("NO_COLOR", None)
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tui.app import LitellmTui  # noqa: E402
from tui.config import Settings  # noqa: E402
from tui.credentials import HeldKey, Secret  # noqa: E402
from tui.demo import DemoGateway  # noqa: E402
from tui.screens.base import MainScreen  # noqa: E402

BACK, INK = "#121212", "#e0e0e0"
NOW = datetime(2026, 11, 20, 10, 14, tzinfo=UTC)
SHOTS: dict[str, tuple[tuple[int, int], list[str]]] = {
    "keys": ((100, 28), []),
    "key-detail": ((100, 28), ["tab", "j", "j", "j", "j", "j", "enter"]),
    "new-key": ((100, 28), ["n"]),
    "rotate": ((100, 28), ["tab", "j", "j", "j", "j", "j", "r", "ctrl+s"]),
    "models": ((100, 28), ["2"]),
    "users": ((100, 14), ["4"]),
    "usage": ((100, 34), ["3"]),
    "usage-year": ((120, 34), ["3", "Y", "c", "c", "c", "c"]),
}
"""Picture name: terminal size and the keys pressed before it is taken."""


async def shoot(name: str, size: tuple[int, int], keys: list[str]) -> None:
    """One picture as SVG."""
    gateway = DemoGateway.believable(now=NOW)
    settings = Settings(
        profile="demo",
        url="https://demo.invalid",
        credential=HeldKey(Secret(gateway.master_key)),
        user=gateway.demo_user,
        demo=True,
    )
    app = LitellmTui(settings, transport=gateway.transport(), clock=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        while not isinstance(app.screen, MainScreen):
            await pilot.pause(0.02)
        await pilot.press(*keys)
        for _ in range(30):
            await pilot.pause(0.05)
        strips = [list(strip) for strip in app.screen._compositor.render_strips()]
    (HERE / f"{name}.svg").write_text(svg(strips, *size), encoding="utf-8")


def svg(strips: list[list[Segment]], columns: int, rows: int) -> str:
    """The screen as SVG. Every run of letters has its own place, so that all renderers agree about the columns."""
    wide, high = 8.4, 18
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * wide + 16:.0f} {rows * high + 16}" '
        f'width="{columns * wide + 16:.0f}">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>',
        '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
    ]
    for row, strip in enumerate(strips):
        column = 0
        for segment in strip:
            cells = segment.cell_length
            style = segment.style or Style()
            ink, ground = _hex(style.color, INK), _hex(style.bgcolor, BACK)
            if style.reverse:
                ink, ground = ground, ink
            x, y = 8 + column * wide, 8 + row * high
            if ground != BACK:
                out.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{cells * wide + 0.3:.1f}" height="{high}" fill="{ground}"/>'
                )
            for run in re.finditer(r"[^ \u00a0]+", segment.text):
                at = 8 + (column + cell_len(segment.text[: run.start()])) * wide
                weight = ' font-weight="bold"' if style.bold else ""
                faint = ' opacity="0.65"' if style.dim else ""
                out.append(
                    f'<text x="{at:.1f}" y="{y + 13.5}" fill="{ink}"{weight}{faint} '
                    f'textLength="{cell_len(run[0]) * wide:.1f}">{escape(run[0])}</text>'
                )
            column += cells
    return "\n".join([*out, "</g></svg>\n"])


def _hex(colour: Color | None, default: str) -> str:
    return default if colour is None or colour.is_default else colour.get_truecolor(MONOKAI).hex


def main() -> None:
    """Every picture."""
    for name, (size, keys) in SHOTS.items():
        asyncio.run(shoot(name, size, keys))
        print(HERE / f"{name}.svg")


if __name__ == "__main__":
    main()
