"""Text that came from outside, made fit to be shown, logged or written (S3)."""

import re

LONGEST = 500
"""Upstream text is cut here, in characters (S3)."""

_BEARER = re.compile(r"(?i)\b(bearer)[\s:=]+\S+")
_SECRET = re.compile(r"(?i)\bsk-[a-z0-9_\-]{5,}")
_BROKEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def redact(text: str) -> str:
    """`text` without `Bearer …` values and without `sk-…` of eight characters or more (S3)."""
    return _SECRET.sub("sk-[redacted]", _BEARER.sub(r"\1 [redacted]", text))


def printable(text: str) -> str:
    """`text` on one line, without control, bidirectional and zero-width characters."""
    return _BROKEN.sub("", text.replace("\n", " ").replace("\t", " ").replace("\r", " "))


def upstream(text: str) -> str:
    """A message from the gateway as it may be shown: printable, redacted, at most `LONGEST` characters (S3)."""
    # cut generously first, so that a huge body costs nothing, and again after the replacements
    clean = redact(printable(text[: LONGEST * 4])).strip()
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1].rstrip() + "…"
