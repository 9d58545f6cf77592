"""`doctor`, `keys list`, `models list` and `usage` on the embedded gateway: who sees what, and that they only look."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tui import cli
from tui.commands import Refused, run
from tui.config import DEMO_URL, Provisioning, Settings, load
from tui.credentials import HeldKey, Secret
from tui.demo import DemoGateway
from tui.gateway import keys as key_calls
from tui.gateway import usage as usages
from tui.gateway.client import Client
from tui.gateway.errors import Unauthorized

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = "ada@example.com"


class Desk:
    """A believable gateway, and the commands run on it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.gw = DemoGateway.believable(now=NOW)
        self.capsys = capsys
        self.admin = Client(DEMO_URL, self.gw.master_key, transport=self.gw.transport())

    async def run(self, *args: str, key: str | None = None, **settings: Any) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        parsed = cli._parser().parse_args(args)
        if parsed.command == "usage":
            cli._check_usage(parsed)
        config = settings.pop("config", None)
        held = Settings(
            profile="test",
            url=DEMO_URL,
            credential=HeldKey(Secret(key or self.gw.master_key)),
            user=settings.pop("user", None) or parsed.user,
            **settings,
        )
        code = await run(parsed, held, self.gw.transport(), lambda: NOW, config)
        said = self.capsys.readouterr()
        return code, said.out, said.err

    async def json(self, *args: str, **more: Any) -> Any:
        code, out, _ = await self.run(*args, "--json", **more)
        assert code == 0
        return json.loads(out)

    async def key(self, **fields: Any) -> str:
        return (await key_calls.generate_key(self.admin, fields)).secret


@pytest.fixture
async def desk(capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Desk]:
    made = Desk(capsys)
    yield made
    await made.admin.aclose()


# keys


async def test_keys_for_programs(desk: Desk) -> None:
    found = {row["alias"]: row for row in await desk.json("keys", "list", user=ADA)}
    assert list(found["laptop"]) == [
        *("hash", "name", "alias", "user_id", "team_id", "spend", "max_budget", "budget_duration"),
        *("budget_reset_at", "expires_at", "models", "tpm_limit", "rpm_limit", "blocked", "key_type"),
        *("created_at", "last_used_at", "metadata", "state"),
    ]
    assert found["ci-nightly"]["state"][0] == "expired"
    assert datetime.fromisoformat(found["ci-nightly"]["expires_at"]) < NOW
    assert found["batch-eval"]["state"] == ["near budget"]
    assert found["laptop"]["name"].startswith("sk-...") and len(found["laptop"]["hash"]) == 64
    assert {row["user_id"] for row in found.values()} == {ADA}


async def test_metadata_of_any_kind_stop_no_json(desk: Desk) -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(300):
        deep = {"a": deep}
    row = {"token": "abc", "key_alias": "odd", "metadata": {"deep": deep, "sum": float("nan"), "team": "ml"}}
    body = json.dumps({"keys": [row], "total_pages": 1})
    desk.gw.intercept("GET", "/key/list", httpx.Response(200, text=body), times=-1)
    (found,) = await desk.json("keys", "list", user=ADA)
    assert found["alias"] == "odd" and found["metadata"]["team"] == "ml" and found["metadata"]["sum"] is None
    assert "nested too deeply" in json.dumps(found["metadata"]["deep"])


async def test_keys_for_eyes(desk: Desk) -> None:
    code, out, _ = await desk.run("keys", "list", user=ADA)
    row = next(line for line in out.splitlines() if line.startswith("ci-nightly"))
    assert code == 0 and "expired 2 d ago" in row and "$8.00" in row
    assert desk.gw.demo_key not in out


async def test_an_admin_who_names_nobody_sees_every_key(desk: Desk) -> None:  # S37
    everyone = await desk.json("keys", "list")
    assert len({row["user_id"] for row in everyone}) > 1
    assert len(everyone) == len(desk.gw.keys)


async def test_an_own_key_sees_its_users_keys_and_no_others(desk: Desk) -> None:  # S38 S44
    own = await desk.json("keys", "list", key=desk.gw.demo_key)
    assert {row["user_id"] for row in own} == {ADA}
    before = len(desk.gw.calls)
    with pytest.raises(Refused, match=r"Only an admin sees what belongs to bob"):
        await desk.run("keys", "list", "--user", "bob", key=desk.gw.demo_key)
    assert [call.status for call in desk.gw.calls[before:] if call.status >= 400] == [], "nothing is tried to find out"


# models


async def test_models_for_programs(desk: Desk) -> None:  # S13
    found = {row["name"]: row for row in await desk.json("models", "list")}
    assert list(found["gpt-4o"]) == [
        *("name", "providers", "mode", "input_cost_per_token", "output_cost_per_token"),
        *("max_input_tokens", "max_output_tokens", "capabilities"),
    ]
    assert found["gpt-4o"]["input_cost_per_token"] == pytest.approx(2.5e-6)
    assert found["in-house-llama"]["input_cost_per_token"] is None


async def test_models_for_eyes(desk: Desk) -> None:  # S13
    _, out, _ = await desk.run("models", "list")
    assert out.splitlines()[0].split()[:2] == ["Model", "Provider"]
    llama = next(line for line in out.splitlines() if line.startswith("in-house-llama"))
    assert llama.split().count("?") >= 2 and "0.00" not in llama


async def test_a_key_for_llm_calls_lists_models_and_nothing_else(desk: Desk) -> None:  # S44
    narrow = await desk.key(user_id=ADA, key_type="llm_api", key_alias="narrow")
    assert await desk.json("models", "list", key=narrow)
    for args in (["keys", "list"], ["usage"], ["usage", "--all"], ["usage", "--team", "platform"]):
        with pytest.raises(Refused, match="models only"):
            await desk.run(*args, key=narrow)


# usage


async def test_usage_is_that_of_the_gateway_package(desk: Desk) -> None:  # S20 S21
    found = await desk.json("usage", "--period", "7d", user=ADA)
    assert (found["start"], found["end"]) == ("2026-11-17", "2026-11-23")
    start, end = usages.last_days(7, NOW.date())
    expected = (await usages.usage(desk.admin, start, end, ADA, admin=True)).to_json()
    assert {**found, "as_of": ""} == {**expected, "as_of": ""}
    assert found["totals"]["spend"] > 0


async def test_today_is_one_utc_day(desk: Desk) -> None:  # S20
    found = await desk.json("usage", "--period", "today")
    assert [row["date"] for row in found["daily"]] == ["2026-11-23"]


async def test_since_and_until_are_both_included(desk: Desk) -> None:  # S20
    found = await desk.json("usage", "--since", "2026-11-01", "--until", "2026-11-03")
    assert [row["date"] for row in found["daily"]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    open_end = await desk.json("usage", "--since", "2026-11-20")
    assert open_end["end"] == "2026-11-23"


async def test_whose_usage(desk: Desk) -> None:  # S37 S44
    everyone, all_ = await desk.json("usage"), await desk.json("usage", "--all", user=ADA)
    hers, named = await desk.json("usage", user=ADA), await desk.json("usage", "--user", ADA)
    assert everyone["totals"] == all_["totals"] and hers["totals"] == named["totals"]
    assert 0 < hers["totals"]["spend"] < everyone["totals"]["spend"]
    assert (await desk.json("usage", key=desk.gw.demo_key))["totals"] == hers["totals"]
    with pytest.raises(Refused, match="Only an admin"):
        await desk.run("usage", "--all", key=desk.gw.demo_key)
    with pytest.raises(Refused, match="Only an admin sees what belongs to bob"):
        await desk.run("usage", "--user", "bob", key=desk.gw.demo_key)


async def test_a_team_by_id_and_by_alias(desk: Desk) -> None:
    by_id, by_alias = (
        await desk.json("usage", "--team", "team-platform"),
        await desk.json("usage", "--team", "platform"),
    )
    assert by_id["totals"] == by_alias["totals"] and by_id["totals"]["spend"] > 0
    with pytest.raises(Refused, match=r"There is no team nobodies.*platform"):
        await desk.run("usage", "--team", "nobodies")


async def test_an_admin_about_one_person_may_ask_for_any_team(desk: Desk) -> None:
    await desk.admin.post("/team/new", {"team_id": "t-9", "team_alias": "others"})
    assert (await desk.json("usage", "--team", "others", user=ADA))["totals"]["spend"] == 0


async def test_two_teams_of_one_name_are_not_guessed_at(desk: Desk) -> None:
    for team_id in ("t-1", "t-2"):
        await desk.admin.post("/team/new", {"team_id": team_id, "team_alias": "twins"})
    with pytest.raises(Refused, match=r"t-1.*t-2"):
        await desk.run("usage", "--team", "twins")
    assert (await desk.json("usage", "--team", "t-2"))["totals"]["spend"] == 0


@pytest.mark.parametrize(("by", "first"), [("day", "Day"), ("model", "Model"), ("key", "Key")])
async def test_usage_for_eyes(desk: Desk, by: str, first: str) -> None:
    _, out, err = await desk.run("usage", "--period", "7d", "--by", by, user=ADA)
    data = await desk.json("usage", "--period", "7d", user=ADA)
    lines = out.splitlines()
    assert lines[0].split()[0] == first and lines[-1].startswith("Total")
    assert len(lines) == 2 + len(data["daily" if by == "day" else f"by_{by}"])
    assert f"${data['totals']['spend']:,.2f}" in lines[-1]
    assert ADA in err and "2026-11-17 to 2026-11-23" in err and "as of" in err


async def test_the_notes_of_a_release_go_to_stderr(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.gw = DemoGateway.believable(now=NOW, version="1.74.0")
    code, out, err = await desk.run("usage", "--period", "7d", "--json", user=ADA)
    assert code == 0 and json.loads(out)["notes"]
    assert "cannot narrow usage to a user" in err


# looking only


@pytest.mark.parametrize("args", [["keys", "list"], ["models", "list"], ["usage"], ["doctor"]])
async def test_no_command_creates_a_user(desk: Desk, args: list[str]) -> None:
    """A typing error in --user must not become a person with a budget."""
    before = set(desk.gw.users)
    enabled = Provisioning.model_validate({"enabled": True})
    _, out, err = await desk.run(*args, "--user", "nobody-of-that-name", provisioning=enabled)
    assert set(desk.gw.users) == before
    assert {call.method for call in desk.gw.calls} == {"GET"}
    assert "no user nobody-of-that-name" in out + err


async def test_only_what_is_needed_is_asked_for(desk: Desk) -> None:
    await desk.run("usage", "--period", "7d", user=ADA)
    assert [call.path for call in desk.gw.calls if call.path == "/key/list"] == []


# doctor


async def findings(desk: Desk, *args: str, **more: Any) -> dict[str, tuple[str, str]]:
    _, out, _ = await desk.run("doctor", "--json", *args, **more)
    return {row["what"]: (row["state"], row["detail"]) for row in json.loads(out)}


async def test_doctor_as_an_admin(desk: Desk) -> None:
    said = await findings(desk, user=ADA)
    assert said["release"] == ("ok", "LiteLLM 1.108.0")
    assert said["identity"] == ("ok", "the master key") and said["role"] == ("ok", "proxy_admin")
    assert said["about"][0] == "ok" and ADA in said["about"][1]
    assert {state for what, (state, _) in said.items() if what.startswith("may ")} == {"ok"}


async def test_doctor_as_a_person(desk: Desk) -> None:  # S44
    said = await findings(desk, key=desk.gw.demo_key)
    assert said["role"][1] == "internal_user" and "laptop" in said["identity"][1]
    # she administers one of her teams
    state, detail = said["may block or unblock keys"]
    assert state == "!" and re.fullmatch(r"[1-9]\d* of \d+ keys: Only an admin may block keys\.", detail)
    assert said["may see everyone's keys and usage"][0] == "no"
    assert said["may see usage"] == ("ok", "")
    assert [call.status for call in desk.gw.calls if call.status >= 400] == [], "nothing is tried to find out"


async def test_doctor_of_a_key_without_a_user(desk: Desk) -> None:
    said = await findings(desk, key=await desk.key(user_id=None, key_alias="lost"))
    assert said["may see usage"][0] == "no" and "no user" in said["may see usage"][1]


async def test_doctor_looks_at_keys_and_theme(desk: Desk, tmp_path: Path) -> None:
    """What the app says at its start is said here too."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('theme = "nords"\n[keys]\n"keys.rotat" = "x"\n"keys.edit" = "d"\n"keys.new" = "N"\n')
    right = tmp_path / "right.toml"
    right.write_text('theme = "nord"\n[keys]\n"keys.edit" = "E"\n')
    found: dict[str, list[tuple[str, str]]] = {}
    for path in (wrong, right):
        path.chmod(0o600)
        code, out, _ = await desk.run("doctor", "--json", config=load(path, {}))
        assert code == 0
        found[path.stem] = [
            (each["state"], f"{each['what']}: {each['detail']}")
            for each in json.loads(out)
            if each["what"] in ("theme", "keys")
        ]
    assert found["right"] == [("ok", "theme: nord"), ("ok", "keys: 1 action has its key from the file")]
    theme, name, clash = found["wrong"]
    assert theme[0] == name[0] == clash[0] == "!"
    assert "not used: line 1" in theme[1] and "Did you mean nord" in theme[1]
    assert "keys.rotat" in name[1] and "no such action" in name[1]
    assert "keys.edit" in clash[1] and "d" in clash[1]


async def test_doctor_read_only(desk: Desk) -> None:
    said = await findings(desk, user=ADA, read_only=True)
    assert said["may create keys"] == ("no", "This session is read-only.") and said["may list keys"][0] == "ok"


async def test_doctor_says_that_the_app_would_stop(desk: Desk) -> None:  # S33
    code, out, _ = await desk.run("doctor", "--user", "bob-who")
    assert code == 1 and "provisioning is off" in out
    enabled = Provisioning.model_validate({"enabled": True})
    code, out, _ = await desk.run("doctor", "--user", "bob-who", provisioning=enabled)
    assert code == 0 and "the app makes it at its start" in out


async def test_doctor_without_a_connection(desk: Desk) -> None:  # S3
    code, out, _ = await desk.run("doctor", key="sk-unknown-0123456789")
    assert code == 1
    line = next(line for line in out.splitlines() if "connection" in line)
    assert line.startswith("no") and "refuses this key" in line
    assert "sk-unknown-0123456789" not in out and "may " not in out
    desk.gw.intercept("GET", "*", httpx.ConnectError("Name or service not known"), times=-1)
    code, out, _ = await desk.run("doctor")
    assert code == 1 and "There is no host demo.invalid" in out


async def test_a_refused_key_raises_and_nothing_is_printed(desk: Desk) -> None:
    with pytest.raises(Unauthorized):
        await desk.run("keys", "list", key="sk-unknown-0123456789")
    assert desk.capsys.readouterr().out == ""


async def test_an_expired_key_is_told_apart(desk: Desk) -> None:
    held = await desk.key(user_id=ADA, key_alias="short", duration="1h")
    desk.gw.clock = lambda: NOW + timedelta(hours=2)
    code, out, _ = await desk.run("doctor", key=held)
    assert code == 1 and "expired" in out
