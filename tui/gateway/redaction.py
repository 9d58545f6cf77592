"""Text that came from outside, made fit to be shown, logged or written (S3)."""

import re

LONGEST = 500
"""Upstream text is cut here, in characters (S3)."""

_BEARER = re.compile(r"(?i)(bearer)(?:[\s:=+]|%20)+\S+")
_TAIL = r"sk-(?!\.{2})[a-z0-9_\-.+/=~%]{5,}"  # a masked name such as sk-...9f3Q stays
# `systemd-ask-password` is no secret, `%22sk-…` and `key_sk-…` hold one
_SECRET = re.compile(rf"(?i)(?<![a-z]){_TAIL}")
# in a gateway's message a Python repr may put a letter in front (`\nsk-…`), so there even "disk-pressure" has to go
_ANY_SECRET = re.compile(rf"(?i){_TAIL}")
_BROKEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_BLANKS = dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")


def redact(text: str) -> str:
    """`text` without `Bearer …` values and without `sk-…` of eight characters or more (S3)."""
    return _SECRET.sub("sk-[redacted]", _BEARER.sub(r"\1 [redacted]", text))


def printable(text: str) -> str:
    """`text` on one line, without control, bidirectional and zero-width characters and lone surrogates."""
    return _BROKEN.sub("", text.translate(_BLANKS))


def upstream(text: str) -> str:
    """A message from the gateway as it may be shown: printable, redacted, at most `LONGEST` characters (S3)."""
    # cut generously first, so that a huge body costs nothing, and again after the replacements
    clean = _ANY_SECRET.sub("sk-[redacted]", redact(printable(text[: LONGEST * 4]))).strip()
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1].rstrip() + "…"
