"""Colours of states, safe for the colour-blind (blue, orange, vermilion), always beside a word or a mark."""

BAD = "bold #ff8f6b"
WARN = "#ffc14d"
GOOD = "#7fc8ff"
DIM = "dim"
STRONG = "bold"
MARKED = "bold #7fc8ff"
