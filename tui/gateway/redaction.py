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
# `sk-` and what follows it in base64, at each of the three places that it can have in a group of four
_BASE64 = re.compile(r"(?:c2st|[HXn3]NrL[Q-Za-f]|[BFJNRVZdhlptx159]zay[01])[A-Za-z0-9+/_\-]{8,}(?:=|%3D){0,2}")
_NAMED = re.compile(r"(?<![A-Za-z])sk-[A-Za-z0-9_\-]{16,}")
_SHORTEST = 8
_known: dict[str, re.Pattern[str]] = {}
_BROKEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANKS = dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")


def redact(text: str) -> str:
    """`text` without `Bearer …` values, `sk-…` of eight characters or more (S3), what looks like one in base64, and
    what `remember` was told."""
    for known in _known.values():
        text = known.sub("[redacted]", text)
    return _BASE64.sub("[redacted]", _SECRET.sub("sk-[redacted]", _BEARER.sub(r"\1 [redacted]", text)))


def masked(name: str) -> str:
    """A name that may be a secret by mistake: without what has the length of LiteLLM's own. `sk-laptop` stays."""
    return _NAMED.sub("sk-[redacted]", name)


def remember(key: str) -> None:
    """Have `redact` hide this key from now on, also in base64 and as a part of a URL; for one that does not look like
    `sk-…`, such as a master key of somebody's own making."""
    if len(key) >= _SHORTEST and key not in _known and key in redact(key):
        _known[key] = re.compile("|".join(map(re.escape, sorted(_forms(key), key=len, reverse=True))))


def _forms(key: str) -> set[str]:
    # few keys need it, and every start of the program comes past this module
    import base64
    from urllib.parse import quote

    data = key.encode()
    forms = {key, quote(key), quote(key, safe="")}
    for before in range(3):
        # what stands around it changes the first and the last letters: they are left out
        start, end = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
        for alphabet in (b"+/", b"-_"):
            forms.add(base64.b64encode(b"\0" * before + data, altchars=alphabet).decode()[start:end])
    return forms


def printable(text: str) -> str:
    """`text` on one line, without control, bidirectional and invisible characters and lone surrogates."""
    return _BROKEN.sub("", text.translate(_BLANKS))


def upstream(text: str) -> str:
    """A message from the gateway as it may be shown: printable, redacted, at most `LONGEST` characters (S3)."""
    # cut generously first, so that a huge body costs nothing, and again after the replacements
    clean = _ANY_SECRET.sub("sk-[redacted]", redact(printable(text[: LONGEST * 4]))).strip()
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1].rstrip() + "…"
