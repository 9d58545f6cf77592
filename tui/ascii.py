"""ASCII for terminals that show nothing else: every cell on its way out passes through here, with its width kept."""

import unicodedata
from functools import lru_cache

from rich.cells import split_graphemes
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("─━═╌╍┄┅┈┉╴╶╸╺▔▁▂▃–—−‐‑⠒⠂⣀", "-"),
        **dict.fromkeys("│┃║╎╏┆┇┊┋╵╷╹╻▏▕", "|"),
        **dict.fromkeys("┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫┬┭┮┯┰┱┲┳┴┵┶┷┸┹┺┻┼┽┾┿╀╁╂╃╄╅╆╇╈╉╊╋╭╮╯╰╔╗╚╝╠╣╦╩╬", "+"),
        **dict.fromkeys("▎▍▌", "-"),
        **dict.fromkeys("▋▊▉▐", "="),
        **dict.fromkeys("█▇▆▅▄▀■▪◼▓", "#"),
        **dict.fromkeys("░▒·⋅", "."),
        **dict.fromkeys("●•◉⬤★▶", "*"),
        **dict.fromkeys("○◯☆", "o"),
        **dict.fromkeys("▲△↑⬆", "^"),
        **dict.fromkeys("▼▽↓⬇", "v"),
        **dict.fromkeys("▸►→⮕❯›»", ">"),
        **dict.fromkeys("◂◀◄←⬅❮‹«", "<"),
        **dict.fromkeys("✓✔", "+"),
        **dict.fromkeys("✗✘×✕✖", "x"),
        **dict.fromkeys("“”„‟", '"'),
        **dict.fromkeys("‘’‚‛′", "'"),
        "…": "~",
        "\N{NO-BREAK SPACE}": " ",
        "ß": "s",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "ı": "i",
    }
)
"""Signs that this app and Textual draw, each of one cell and each for one of ASCII that does its work."""


def to_ascii(text: str) -> str:
    """`text` in ASCII, in as many cells: signs by their like, letters without their accents, anything else `?`."""
    if text.isascii():
        return text
    return _converted(text)


@lru_cache(maxsize=4096)
def _converted(text: str) -> str:
    spans, cells = split_graphemes(text)
    done = "".join(_one(text[start:end], width) for start, end, width in spans)
    return done[:cells].ljust(cells)


def _one(cluster: str, width: int) -> str:
    if cluster.isascii():
        return cluster
    if cluster == "🔎":  # the command palette's
        return "> "
    if width == 1:
        first = cluster[0].translate(_SIGNS)
        plain = first if first.isascii() else unicodedata.normalize("NFKD", first)[0]
        return plain if plain.isascii() and plain.isprintable() else "?"
    return "?" * width


class Ascii(LineFilter):
    """Lets nothing but ASCII through to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments of the same widths and styles."""
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]
