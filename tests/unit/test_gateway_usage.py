"""Usage: every row once, whatever the pages (S20-S26)."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.gateway import usage, usage_ways
from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer, RouteMissing
from tui.gateway.usage import Metrics, Question, Reader, Usage

START = date(2026, 1, 1)
END = START + timedelta(days=4)
NUMBERS = ("spend", "prompt_tokens", "completion_tokens", "api_requests", "successful_requests", "failed_requests")

ROW = st.fixed_dictionaries(
    {
        "date": st.integers(0, 4).map(lambda days: START + timedelta(days=days)),
        "key": st.sampled_from(["k1" * 8, "k2" * 8, "k3" * 8]),
        "model": st.sampled_from(["gpt-4o", "openai/gpt-4o", "claude", "azure/llama", "vertex/llama", "llama"]),
        # parts of a power of two, so that sums are exact in any order
        "spend": st.integers(0, 10_000).map(lambda n: n / 256),
        **{name: st.integers(0, 1000) for name in NUMBERS[1:]},
    }
)


def metrics(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """LiteLLM's sums over rows."""
    found = {name: sum(row[name] for row in rows) for name in NUMBERS}
    return {**found, "total_tokens": found["prompt_tokens"] + found["completion_tokens"]}


def page(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Day records over one page's raw rows, as LiteLLM makes them."""
    days: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        days[row["date"]].append(row)

    def by(rows: list[dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
        groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            groups[row[name]].append(row)
        return groups

    return [
        {
            "date": day.isoformat(),
            "metrics": metrics(found),
            "breakdown": {
                "models": {
                    name: {
                        "metrics": metrics(part),
                        "api_key_breakdown": {
                            key: {"metrics": metrics(cell), "metadata": {"key_alias": f"alias-{key[:2]}"}}
                            for key, cell in by(part, "key").items()
                        },
                    }
                    for name, part in by(found, "model").items()
                },
                "api_keys": {
                    key: {"metrics": metrics(part), "metadata": {"key_alias": f"alias-{key[:2]}", "team_id": None}}
                    for key, part in by(found, "key").items()
                },
            },
        }
        for day, found in days.items()
    ]


def views(found: Usage) -> dict[str, Any]:
    """Everything that is compared: without the moment, and the models of a key without their order."""
    shown = found.to_json()
    shown.pop("as_of")
    for row in shown["by_key"]:
        row["models"] = sorted(row["models"])
    return shown


@given(st.lists(ROW, max_size=40), st.integers(1, 12), st.randoms(use_true_random=False))
def test_pages_do_not_matter(rows: list[dict[str, Any]], size: int, rng: random.Random) -> None:
    """# S22: any split and any order give the same views, and they are the sums of the rows"""
    whole = usage.merge(page(rows), START, END)
    mixed = list(rows)
    rng.shuffle(mixed)
    parts = [page(mixed[at : at + size]) for at in range(0, len(mixed), size)]
    rng.shuffle(parts)
    split = usage.merge([day for part in parts for day in part], START, END)
    assert views(split) == views(whole)
    want = metrics(rows)
    for metrics_of_view in (
        [whole.totals],
        [row.metrics for row in whole.daily],
        [row.metrics for row in whole.by_model],
        [row.metrics for row in whole.by_key],
        [row.metrics for row in whole.daily_by_model],
    ):
        for name in (*NUMBERS, "total_tokens"):
            assert sum(getattr(each, name) for each in metrics_of_view) == want[name]
    assert [row.date for row in whole.daily] == [START + timedelta(days=number) for number in range(5)]


def test_one_name_for_a_model() -> None:
    """# S23: `gpt-4o` is counted with `openai/gpt-4o`; where two could be meant, each stands for itself"""
    rows = [
        {"date": START, "key": "k", "model": model, **dict.fromkeys(NUMBERS, 1)}
        for model in ("gpt-4o", "openai/gpt-4o", "llama", "azure/llama", "vertex/llama")
    ]
    found = usage.merge(page(rows), START, START)
    assert {row.model: row.metrics.api_requests for row in found.by_model} == {
        "openai/gpt-4o": 2,
        "llama": 1,
        "azure/llama": 1,
        "vertex/llama": 1,
    }
    assert {row.model: row.names for row in found.by_model}["openai/gpt-4o"] == ["gpt-4o", "openai/gpt-4o"]
    assert found.by_key[0].models == ["openai/gpt-4o", "llama", "azure/llama", "vertex/llama"]


@pytest.mark.parametrize(
    "row",
    [
        {"date": "2026-01-01"},
        {"date": "2026-01-01", "metrics": None, "breakdown": None},
        {"date": "2026-01-01", "metrics": {"spend": None}, "breakdown": {"models": None, "api_keys": {"k": None}}},
        {"date": "2026-01-01", "breakdown": {"models": {"m": {"metrics": None, "api_key_breakdown": {"k": None}}}}},
        {"date": None},
        {"date": "soon"},
        {"date": "2031-01-01", "metrics": {"spend": 5}},
        {},
    ],
)
def test_what_is_missing_counts_as_nothing(row: dict[str, Any]) -> None:
    """# S23: and a day outside of the range is not in it"""
    found = usage.merge([row], START, START)
    assert found.totals.empty
    assert [day.date for day in found.daily] == [START]


def test_what_no_model_or_key_is_named_for_is_shown_all_the_same() -> None:
    """# S21: the views agree"""
    found = usage.merge([{"date": "2026-01-01", "metrics": {"spend": 2.0, "api_requests": 3}}], START, START)
    assert [(row.model, row.metrics.spend) for row in found.by_model] == [(usage.NO_MODEL, 2.0)]
    assert [(row.hash, row.label, row.metrics.api_requests) for row in found.by_key] == [("", "no key", 3)]


def test_names_of_a_key() -> None:
    """# S23: the first that is not null; the first 8 of the hash where there is none; tags are not looked at (S26)"""

    def day(alias: str | None, team: str | None, number: int) -> dict[str, Any]:
        said = {"metrics": {"spend": 1}, "metadata": {"key_alias": alias, "team_id": team}}
        tags = {"a": {"metrics": {"spend": 1}}, "b": {"metrics": {"spend": 1}}}
        rows = {"k" * 64: said, "z" * 64: {"metrics": {"spend": 1}, "metadata": None}}
        return {"date": f"2026-01-0{number}", "metrics": {"spend": 2}, "breakdown": {"api_keys": rows, "tags": tags}}

    found = usage.merge([day(None, None, 1), day("first", None, 2), day("second", "t", 3)], START, END)
    assert [(row.label, row.team_id, row.metrics.spend) for row in found.by_key] == [
        ("first", "t", 3.0),
        ("zzzzzzzz", None, 3.0),
    ]
    assert found.totals.spend == 6.0


def test_days_are_utc_and_both_ends_count() -> None:
    """# S20"""
    assert usage.last_days(7, date(2026, 3, 3)) == (date(2026, 2, 25), date(2026, 3, 3))
    assert usage.last_days(1, date(2026, 3, 3)) == (date(2026, 3, 3), date(2026, 3, 3))


def test_tokens_that_only_come_in_parts() -> None:
    """# S23"""
    assert Metrics.of({"prompt_tokens": "3", "completion_tokens": 4}).total_tokens == 7


class Server:
    """`/user/daily/activity` over rows, page by page, as LiteLLM does; it counts its calls."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.calls: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        self.calls.append(asked)
        first, last = date.fromisoformat(asked["start_date"]), date.fromisoformat(asked["end_date"])
        rows = [row for row in self.rows if first <= row["date"] <= last]
        if asked.get("user_id") == "litellm-tui:nobody":
            rows = []
        size, number = int(asked["page_size"]), int(asked["page"])
        pages = -(-len(rows) // size)
        part = rows[(number - 1) * size : number * size]
        return httpx.Response(
            200,
            json={"results": page(part), "metadata": {"total_spend": metrics(part)["spend"], "total_pages": pages}},
        )

    def client(self) -> Client:
        """A client of it."""
        return Client("http://gateway.invalid", "sk-unit-test-0123", transport=httpx.MockTransport(self))


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_every_page_is_read(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """# S22: page one alone would be a part"""
    monkeypatch.setattr(usage_ways, "PAGE", size)
    rows = [
        {"date": START + timedelta(days=n % 5), "key": f"k{n % 3}", "model": f"m{n % 4}", **dict.fromkeys(NUMBERS, n)}
        for n in range(30)
    ]
    server = Server(rows)
    found = await usage.usage(server.client(), START, END, "ada")
    assert found.totals.spend == sum(range(30))
    assert sum(row.metrics.spend for row in found.daily_by_model) == sum(range(30))
    assert {call["user_id"] for call in server.calls} == {"ada"}
    if size == 1000:
        assert len(server.calls) == 1


class Unsteady(Server):
    """As old releases: the rows of a day come in another order for every page. It honours `model` and `api_key`."""

    def __init__(self, rows: list[dict[str, Any]], seed: int) -> None:
        super().__init__(rows)
        self.rng = random.Random(seed)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked, rows = request.url.params, list(self.rows)
        for name, column in (("model", "model"), ("api_key", "key")):
            if asked.get(name):
                rows = [row for row in rows if row[column] == asked[name]]
        self.rng.shuffle(rows)
        every, self.rows = self.rows, rows
        try:
            return super().__call__(request)
        finally:
            self.rows = every


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("unnamed", ["", "model", "key"])
async def test_a_day_of_many_pages_in_no_stable_order(monkeypatch: pytest.MonkeyPatch, seed: int, unnamed: str) -> None:
    """# S22: no row is lost or counted twice, those that name no model or no key included"""
    monkeypatch.setattr(usage_ways, "PAGE", 6)
    rows = [
        {"date": START, "key": f"k{n % 5}", "model": f"m{n % 4}", **dict.fromkeys(NUMBERS, 2**n)} for n in range(20)
    ]
    for row in rows[::7] if unnamed else []:
        row[unnamed] = ""
    server = Unsteady(rows, seed)
    found = await usage.usage(server.client(), START, START, None)
    want = usage.merge(page(rows), START, START)
    assert found.totals == want.totals
    assert found.by_model == want.by_model
    assert found.by_key == [
        replace(row, models=mine.models) for row, mine in zip(want.by_key, found.by_key, strict=True)
    ]
    assert found.daily_by_model == want.daily_by_model
    assert found.notes == []


async def test_a_day_in_a_stable_order_is_read_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """# S22: 20 rows are four pages of six, and five of four; the range itself took one"""
    monkeypatch.setattr(usage_ways, "PAGE", 6)
    rows = [{"date": START, "key": f"k{n}", "model": "m", **dict.fromkeys(NUMBERS, n)} for n in range(20)]
    server = Server(rows)
    found = await usage.usage(server.client(), START, START, None)
    assert found.totals.spend == sum(range(20))
    assert [call["page"] for call in server.calls if call["page_size"] == "6"] == ["1", "2", "3", "4"]
    assert [call["page"] for call in server.calls if call["page_size"] == "4"] == ["1", "2", "3", "4", "5"]
    assert len(server.calls) == 9


async def test_what_cannot_be_told_apart_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """# S22: rows that name neither model nor key, in no stable order"""
    monkeypatch.setattr(usage_ways, "PAGE", 6)
    rows = [{"date": START, "key": f"k{n}", "model": "m", **dict.fromkeys(NUMBERS, 1)} for n in range(5)]
    rows += [{"date": START, "key": "", "model": "", **dict.fromkeys(NUMBERS, n)} for n in range(20)]
    found = await usage.usage(Unsteady(rows, 1).client(), START, START, None)
    assert found.notes == [f"{START}: {usage_ways.UNNAMED_NOTE}"]
    assert {row.model: row.metrics.api_requests for row in found.by_model}["m"] == 5
    for view in (found.by_key, found.by_model):
        assert sum(row.metrics.api_requests for row in view) == found.totals.api_requests
        assert all(row.metrics == row.metrics.above_zero() for row in view)


async def test_a_release_that_ignores_the_user_is_found_out() -> None:
    """# S22: 1.74 gives an admin everyone's rows; the sum of the user's keys is taken, and said to be"""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/key/list":
            return httpx.Response(200, json={"keys": [{"token": "k1"}, {"token": "k2"}], "total_pages": 1})
        wanted = request.url.params.get("api_key")
        rows = [
            {"date": START, "key": key, "model": "m", **dict.fromkeys(NUMBERS, 1)}
            for key in ("k1", "k2", "other")
            if wanted in (None, key)
        ]
        return httpx.Response(200, json={"results": page(rows), "metadata": {"total_pages": 1}})

    client = Client("http://gateway.invalid", "sk-unit-test-0123", transport=httpx.MockTransport(answer))
    found = await usage.usage(client, START, START, "ada", admin=True)
    assert (found.totals.api_requests, sorted(row.hash for row in found.by_key)) == (2, ["k1", "k2"])
    assert "cannot narrow usage to a user" in found.notes[0]
    reader = Reader(client, admin=True, pages_only=True)
    found = await reader.read(Question("user", "ada", key="k2"), START, START)
    assert [row.hash for row in found.by_key] == ["k2"]
    assert (await reader.read(Question("user", "ada", key="other"), START, START)).totals.empty


async def test_nothing_and_no_such_thing() -> None:
    """# S24"""

    def client(status: int, body: Any) -> Client:
        return Client(
            "http://g.invalid", "k", transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body))
        )

    found = await usage.team_usage(client(404, {"error": {"message": "none", "code": "404"}}), "t", START, END)
    assert found.totals.empty
    assert len(found.daily) == 5
    with pytest.raises(RouteMissing):
        await usage.usage(client(404, {"detail": "Not Found"}), START, END, "ada")
    with pytest.raises(BadAnswer):
        await usage.usage(client(200, {"hello": "world"}), START, END, "ada")
