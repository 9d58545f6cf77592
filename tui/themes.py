"""The themes: Textual's own, and what is said where the configuration names another."""

from textual.theme import BUILTIN_THEMES

from tui.config import Config, Problem, did_you_mean


def names() -> list[str]:
    """What `theme` may be."""
    return sorted(BUILTIN_THEMES)


def problem(config: Config) -> Problem | None:
    """Why the theme of the file is not used; None where it is, or none is named."""
    theme = config.theme
    if theme is None or theme in BUILTIN_THEMES:
        return None
    sentence = f"there is no theme of this name.{did_you_mean(theme, names())} Allowed: {', '.join(names())}."
    return config.problem(sentence, "theme")
