"""The benchmarks: the table is right, and each runs, once, where it needs no proxy. No figure is judged here."""

import pytest

from tests.benchmarks import bytes_on_the_wire, importtime, rotation, start
from tests.benchmarks.__main__ import main
from tests.benchmarks.curl import Call, ask
from tests.benchmarks.table import Row, alternately, markdown, text
from tests.benchmarks.terminal import ROOT
from tests.conftest import Proxy
from tests.ssh.gateway import Served

ROWS = [
    Row("--help", 30.4, "argparse", 20.0, goal=3.0),
    Row("first frame", 1408.0, "bare", 1000.0, goal=1.3),
    Row("memory", 98.2, "bare", 38.0, "MB", goal=60, above=True),
    Row("more memory", 98.6, "bare", 38.0, "MB", goal=60, above=True),
    Row("idle", 0, "bare", 0, "B"),
    Row("a year", 7.04, "by pages", 130.0, "s"),
]


def test_a_table_says_what_was_measured_and_what_is_not_met() -> None:
    assert [row.met for row in ROWS] == [True, False, True, False, True, True]
    assert markdown(ROWS).splitlines() == [
        "| what | ours | beside | theirs | ratio | goal |",
        "| --- | ---: | --- | ---: | ---: | --- |",
        "| --help | 30 ms | argparse | 20 ms | 1.52 | ≤ 3.00 |",
        "| first frame | 1,408 ms | bare | 1,000 ms | 1.41 | ≤ 1.30 · not met |",
        "| memory | 98 MB | bare | 38 MB | +60 MB | ≤ +60 MB |",
        "| more memory | 99 MB | bare | 38 MB | +61 MB | ≤ +60 MB · not met |",
        "| idle | 0 B | bare | 0 B |  |  |",
        "| a year | 7.0 s | by pages | 130.0 s | 0.05 |  |",
    ]
    lines = text(ROWS).splitlines()
    assert lines[2] == "first frame  1,408 ms  bare      1,000 ms    1.41  ≤ 1.30 · not met"
    assert len({line.index("bare") for line in lines if "bare" in line}) == 1


def test_a_ratio_is_met_by_what_is_printed() -> None:
    assert Row("a", 1.304, "b", 1.0, goal=1.3).met
    assert not Row("a", 1.306, "b", 1.0, goal=1.3).met


def test_measures_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []
    figures = {"one": iter([99.0, 1.0, 5.0, 3.0]), "two": iter([99.0, 2.0, 2.0, 8.0])}

    def measure(name: str) -> float:
        turns.append(name)
        return next(figures[name])

    assert alternately(3, lambda: measure("one"), lambda: measure("two")) == [3.0, 2.0]
    assert turns == ["one", "two"] * 4


def test_all_of_them_in_one_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "LATENCY", 0.0)
    monkeypatch.setattr(bytes_on_the_wire, "SETTLED", 0.1)
    main(["--runs", "1", "--idle", "0.1", "--markdown"])
    out, err = capsys.readouterr()
    for what in ("`--help`", "first frame", "launch to 12 keys", "memory, 12 keys", "one cursor move", "a letter"):
        assert f"| {what}" in out.replace("bytes: ", "")
    assert [line for line in err.splitlines() if line.startswith("Left out")] == [
        "Left out, start on a real proxy: --proxy was not given.",
        "Left out, 100 and 20,000 keys: --big was not given.",
        "Left out, year of usage: --year was not given.",
        "Left out, rotation: --proxy was not given.",
    ]


def test_what_needs_a_proxy_needs_its_key(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["--proxy", "http://127.0.0.1:1", "1.108.0"])
    assert ended.value.code == 2 and "LITELLM_MASTER_KEY is not set" in capsys.readouterr().err


def test_a_rotation_is_done_by_us_by_curl_and_by_the_command() -> None:
    served = Served(Proxy("1.108.0", "http://unused", "sk-benchmark-0123456789"))
    try:
        rows = rotation.measure(served.url, "sk-benchmark-0123456789", "1.108.0", 1)
        # it asserts itself that curl and the command have rotated their keys
        assert [row.what for row in rows][-1] == "`keys rotate`, start to end" and all(row.theirs > 0 for row in rows)
        assert served.demo.keys == {}
    finally:
        served.close()


def test_curl_says_any_text_and_nothing_in_its_arguments() -> None:
    served = Served(Proxy("1.108.0", "http://unused", "sk-benchmark-0123456789"))
    url, key = served.url, "sk-benchmark-0123456789"
    try:
        alias = 'a "quoted" \\\\ %{time_total}'
        body = '{"key_alias": "a \\"quoted\\" \\\\\\\\ %{time_total}", "user_id": null}'
        (took, made), (_, listed) = ask(
            [
                Call("POST", f"{url}/key/generate", key, body),
                Call("GET", f"{url}/key/list?return_full_object=true", key),
            ]
        )
        assert took > 0 and '"key":' in made
        assert [row["key_alias"] for row in served.demo.keys.values()] == [alias] and "quoted" in listed
    finally:
        served.close()


def test_importing_is_looked_at_in_all_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "LATENCY", 0.0)
    found = importtime.measure([ROOT], 1)
    app, command, helped = (trees[0][0] for trees in found.values())
    assert "textual.app" in app and "tui.gateway.keys" in command and "textual.app" not in command
    assert "argparse" in helped and "httpx" not in helped
    lines = importtime.table("--help", found["--help"][0]).splitlines()
    assert lines[0].startswith("**--help**: ") and len(lines) == 4 + importtime.TOP
