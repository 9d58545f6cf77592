"""What is made of a hostile text before it is shown anywhere: safe, of one width for all, and quickly."""

import sys
import time

import pytest
import wcwidth
from rich.cells import cell_len
from rich.text import Text

from tests.hostile.corpus import CORPUS, LONG, ZALGO, unsafe
from tests.hostile.looking import widths
from tui import charts, snippets
from tui.charts import Series
from tui.commands.output import Column, table
from tui.formatting import fit, fit_to_show, harmless, plain, width
from tui.gateway.fields import visible
from tui.gateway.redaction import redact
from tui.widgets.table import RecordTable, fit_words

EACH = pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)


def test_of_all_that_unicode_has_only_what_has_one_width_is_left() -> None:
    odd = []
    # no plane between these has a single letter
    for code in (*range(0x40000), *range(0xE0000, sys.maxunicode + 1)):
        text = plain(f"a{chr(code)}b")
        if not width(text) == cell_len(text) == wcwidth.wcswidth(text):
            odd.append(f"U+{code:04X}")
    assert odd == []


@EACH
def test_safe_and_of_one_width(text: str) -> None:  # S3
    for shown in (harmless(text), fit_to_show(text), *(fit(harmless(text), cells) for cells in range(12))):
        assert unsafe(shown) == []
        assert widths(shown) == {width(shown)}
    assert len(fit_to_show(text)) <= 500
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (CORPUS["emoji family"], "fam-\U0001f468\U0001f469\U0001f467\U0001f466"),
        (CORPUS["flags"], "DEFR-U"),
        (CORPUS["skin tones"], "\U0001f44d\U0001f44b "),
        (CORPUS["keycaps"], "1#"),
        (CORPUS["Hangul jamo"], "\ud55c?\uac00???"),
        (CORPUS["halfwidth kana"], "ｶ゛ｷ゛ｸ゜-ﾊ゜"),
        (CORPUS["voiced marks"], "がぱあ゛"),
        (CORPUS["Hangul"], CORPUS["Hangul"]),
        (CORPUS["CJK"], CORPUS["CJK"]),
        (CORPUS["Hebrew"], CORPUS["Hebrew"]),
        ("Điện thoại e\u0301", "Điện thoại é"),
        (ZALGO, "Z\u0351\u036balgo"),
        ("\u0301\u0302first", "first"),
        (CORPUS["C1"], "c131mred0;t x"),
        (CORPUS["bidi override"], "abcgnp.exe"),
    ],
)
def test_what_is_left_can_still_be_read(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_huge_pile_does_not_take_the_square_of_its_height() -> None:
    # two classes in turn are the worst to bring into order
    begun = time.process_time()
    plain("a" + "\u0301\u0316" * 200_000)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("name", ["empty", "blanks", "blanks that are wide", "nothing to see", "Hangul fillers"])
def test_a_name_that_nobody_sees_is_none(name: str) -> None:
    assert (visible(CORPUS[name]) is None) is (name != "Hangul fillers")


@EACH
def test_a_table_on_a_terminal(text: str) -> None:
    columns = [Column("Name", least=8), Column("Spend", right=True), Column("Team", least=8), Column("Last")]
    rows = [["laptop", "$1.00", "core", "end"], [text, "$10.00", text, "end"]]
    for room in (40, 80, None):
        head, *lines = table(columns, rows, room=room)
        assert [unsafe(line) for line in lines] == [[], []]
        where = {wcwidth.wcswidth(line[: line.rindex("end")]) for line in lines}
        assert where == {wcwidth.wcswidth(head[: head.rindex("Last")])}, "the last column begins in one cell"
        assert all(widths(line) == {width(line)} for line in lines)
        assert room is None or all(width(line) <= room for line in lines)


@EACH
@pytest.mark.parametrize("cells", [2, 9, 30])
def test_a_cell_of_the_app(text: str, cells: int) -> None:
    for right in (False, True):
        drawn = RecordTable._cut(fit_to_show(text), cells, right)
        assert widths(drawn) == {cells} and drawn.endswith(" ") and unsafe(drawn) == []
    assert unsafe(fit_words([text, text], cells)) == []


@EACH
def test_a_chart(text: str) -> None:
    days = ["2026-11-18", "2026-11-19", "2026-11-20"]
    names = [Series(f"{number}{text}", [1.0, 2.0, 3.0]) for number in range(5)]
    for ascii in (False, True):
        for drawn in (
            charts.stacked_bars(days, names, width=60, height=12, title=text, ascii=ascii),
            charts.stacked_bars([text] * 3, names, width=60, height=12, ascii=ascii),
            charts.line(days, [1.0, 2.0, 3.0], width=60, height=12, title=text, ascii=ascii),
        ):
            assert isinstance(drawn, Text)
            for line in drawn.plain.split("\n"):
                assert unsafe(line) == []
                (wide,) = widths(line)
                assert wide <= 60
                assert not ascii or line.isascii()


@EACH
def test_a_snippet_says_the_very_name_in_letters_that_can_be_pasted(text: str) -> None:
    if "\ud83d" in text:
        text = "no terminal takes half a letter"
    for make in (*snippets.for_mode("chat").values(), *snippets.for_mode("embedding").values()):
        made = make("https://llm.example.com", "KEY", text)
        assert all(unsafe(redact(line)) == [] for line in made.split("\n"))
    assert repr(text)[1:-1] in snippets.openai_sdk("u", "s", text) or ascii(text) in snippets.openai_sdk("u", "s", text)


def test_long_names_cost_little() -> None:
    assert fit_to_show(LONG).endswith("…") and len(fit_to_show(LONG)) == 500
