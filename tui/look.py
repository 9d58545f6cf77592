"""Colours of states, safe for the colour-blind (blue, orange, vermilion), always beside a word or a mark.

They are made for a dark background; `tui.readable` puts them in a shade that can be read on whatever there is.
"""

BAD = "bold #ff8f6b"
WARN = "#ffc14d"
GOOD = "#7fc8ff"
DIM = "dim"
STRONG = "bold"
MARKED = "bold #7fc8ff"

Rgb = tuple[int, int, int]
READABLE = 4.5
"""The least contrast of text with what is behind it, by WCAG 2 (AA)."""


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast of two colours by WCAG 2, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Rgb) -> float:
    parts = [each / 255 for each in colour]
    red, green, blue = (each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def legible(ink: Rgb, paper: Rgb, least: float = READABLE) -> Rgb:
    """`ink`, moved towards black or white as little as gives it that contrast with `paper`; most contrast else."""
    towards = max(((0, 0, 0), (255, 255, 255)), key=lambda end: contrast(end, paper))
    shade = ink
    for step in range(1, 21):
        if contrast(shade, paper) >= least:
            break
        red, green, blue = (round(old + (new - old) * step / 20) for old, new in zip(ink, towards, strict=True))
        shade = (red, green, blue)
    return shade
