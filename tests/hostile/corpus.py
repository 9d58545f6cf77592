"""Names that strangers could give to keys, teams, users and models, and what must never come of them."""

import re
import unicodedata

SECRET = "sk-thisIsNoNameButASecret0123"
LONG = "long-" + "x" * 10_000
ZALGO = "Z" + "\u0351\u036b\u0343\u036a\u0302\u0334\u0319\u0324" * 40 + "algo"
FAMILY = "fam-\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"

CORPUS: dict[str, str] = {
    "markup colour": "[red]prod[/red]",
    "markup that closes nothing": "a[/x]b",
    "markup that is never closed": "[bold][[link=x] and [",
    "markup action": "[@click=app.quit]press[/]",
    "markup escape": "back\\[red]slash\\",
    "rich emoji code": ":smile: :warning:",
    "CSI": "csi\x1b[2J\x1b[31mred\x1b[0m",
    "OSC 8": "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "OSC 52": "\x1b]52;c;ZXZpbA==\x07clip",
    "OSC 0": "\x1b]0;evil title\x07title",
    "DCS": '\x1bP$q"p\x1b\\dcs',
    "BEL": "be\x07ll\x08\x08",
    "CR": "first\roverwritten",
    "LF": "one\ntwo",
    "CRLF TAB VT FF": "a\r\nb\tc\vd\fe",
    "NUL": "nu\x00ll",
    "C1": "c1\x9b31mred\x9d0;t\x9c\x85x",
    "DEL": "de\x7fl",
    "bidi override": "abc\u202egnp.exe",
    "bidi isolates": "\u2066left\u2067right\u2068first\u2069",
    "bidi marks": "\u200elrm\u200frlm\u061calm",
    "zero width": "zw\u200bsp\u200cnj\u200dj\u2060wj\ufeffbom\u00adshy",
    "tags": "tag\U000e0041\U000e0042",
    "line separators": "one\u2028two\u2029three",
    "combining pile": ZALGO,
    "combining first": "\u0301\u0302first",
    "10,000": LONG,
    "10,000 wide": "宽" * 10_000,
    "emoji family": FAMILY,
    "flags": "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7-\U0001f1fa",
    "skin tones": "\U0001f44d\U0001f3fd\U0001f44b\U0001f3ff \U0001f3fb",
    "keycaps": "1\ufe0f\u20e3#\ufe0f\u20e3",
    "presentation": "\u2764\ufe0f\u2764\ufe0e\u26a0\ufe0f\u2601",
    "text and emoji": "\u00a9\ufe0f \u2122 \U0001f600 \u2639",
    "CJK": "生产环境的密钥-鍵-キー",
    "halfwidth kana": "ｶﾞｷﾞｸﾟ-ﾊﾟ",
    "voiced marks": "か\u3099は\u309aあ\u3099",
    "fullwidth": "ＡＢＣ　ｄ",
    "Hangul": "한국어",
    "Hangul jamo": "\u1112\u1161\u11ab\u1100\u1100\u1161\u1161\u11a8\u11a8",
    "Hangul fillers": "x\u3164\u115f\u1160\uffa0y",
    "private use": "pua\ue0b0\uf8ff\U000f0001\U0010fffd",
    "not assigned": "na\u0378\U0003fffe\uffff",
    "hexagrams": "\u4dc0\u2630\U0001d300\u268a",
    "Hindi": "हिन्दी क्षत्रिय",
    "Thai": "น้ำทำงาน",
    "Arabic": "مفتاح-الإنتاج",
    "Hebrew": "מפתח 1 ייצור",
    "Arabic signs": "\u0600\u06dd\u08e2 1",
    "ligatures": "\ufdfd\U0001f3f4\u2e3b",
    "lone surrogate": "lone\ud83dhalf\udc00",
    "secret": SECRET,
    "secret in words": f"the key is {SECRET}!",
    "secret in pieces": "sk-thisIs\u200bNoName\u00adButASecret0123",
    "bearer": "Bearer abcdefghijkl",
    "formula": '=HYPERLINK("http://evil";"x")',
    "formula plus": "+1+cmd|' /C calc'!A0",
    "formula at": "@SUM(A1)",
    "formula minus": "-2+3",
    "formula wide": "＝1+1",
    "path": "../../etc/passwd",
    "option": "--help",
    "option short": "-rf",
    "shell": "$(touch /tmp/evil)`id`;'\"&|",
    "empty": "",
    "blanks": "   ",
    "blanks that are wide": "\u3000\u00a0\u2003",
    "nothing to see": "\u200b\u2060\ufeff",
    "quotes": "“'\"”",
}
"""By what is hostile in them."""

WORST = "[/x]\x1b]52;c;eA==\x07\u202e" + FAMILY + "\u1112\u1161 [@click=app.quit]" + SECRET + "宽" * 300
"""A bit of everything, for dialogs."""

SAID = re.compile(r"(?i)sk-(?!\.{2}|\[redacted\])[a-z0-9_\-]{5,}")
"""A secret of S3 that is on show."""
_BARE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mc", "Me")


def unsafe(text: str) -> list[str]:
    """The characters in `text`, which has no line breaks, that no two terminals need treat alike, and secrets."""
    found = [f"U+{ord(each):04X}" for each in text if unicodedata.category(each) in _BARE]
    found += [f"U+{ord(each):04X}" for each in text if "\ufe00" <= each <= "\ufe0f"]
    return found + SAID.findall(text)
