"""The chart widget: fits its size, draws once per change, keeps quiet when nothing changed."""

from __future__ import annotations

from functools import partial

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from tui.charts import Series, stacked_bars
from tui.widgets.chart import Chart

LABELS = ["2025-11-01", "2025-11-02"]


class Drawings:
    """A figure that records what it was asked for."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.asked: list[tuple[int, int, bool, bool]] = []

    def __call__(self, *, width: int, height: int, colour: bool, ascii: bool) -> Text:
        self.asked.append((width, height, colour, ascii))
        return Text(self.word)


class ChartApp(App[None]):
    CSS = "Chart { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield Chart(empty="No spend in these days.")


class PlainApp(ChartApp):
    colour = False
    ascii = True


def screen_text(app: App[None]) -> str:
    return "\n".join("".join(s.text for s in app.screen._compositor.render_strips()[y]) for y in range(app.size.height))


async def test_empty_says_so_and_takes_no_focus() -> None:
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        assert "No spend in these days." in screen_text(app)
        await pilot.press("tab")
        assert app.focused is None
        app.query_one(Chart).show(None, empty="[b]None[/b] for you")
        await pilot.pause()
        assert "[b]None[/b] for you" in screen_text(app)


async def test_it_draws_for_its_own_size_and_again_when_that_changes() -> None:
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        figure = Drawings("hello")
        app.query_one(Chart).show(figure)
        await pilot.pause()
        assert "hello" in screen_text(app)
        assert figure.asked == [(60, 12, True, False)], "one drawing, whatever is repainted"
        app.query_one(Chart).refresh()
        await pilot.pause()
        assert len(figure.asked) == 1
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert figure.asked[-1][:2] == (80, 24) and len(figure.asked) == 2


async def test_the_same_figure_or_picture_is_not_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Chart)
        chart.show(partial(stacked_bars, LABELS, [Series("a", [1.0, 2.0])]))
        await pilot.pause()
        painted: list[bool] = []
        monkeypatch.setattr(chart, "refresh", lambda: painted.append(True))
        chart.show(partial(stacked_bars, list(LABELS), [Series("a", [1.0, 2.0])]))
        chart.show(partial(stacked_bars, LABELS, [Series("a", [1.0, 2.0000001])]))
        assert painted == []
        chart.show(partial(stacked_bars, LABELS, [Series("b", [1.0, 2.0])]))
        assert painted == [True]


async def test_the_app_decides_about_colour_and_ascii() -> None:
    app = PlainApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(Chart).show(partial(stacked_bars, LABELS, [Series("[x]", [1.0, 2.0])]))
        await pilot.pause()
        shown = screen_text(app)
        assert shown.isascii() and "# [x]" in shown and "1 Nov" in shown


async def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        figure = Drawings("hello")
        app.query_one(Chart).show(figure)
        await pilot.pause()
        assert figure.asked == [(60, 12, False, False)]
