"""The configuration file, precedence, and which key may go to which address."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tui import config as module
from tui import identity, last_time, usage_cache
from tui.config import (
    Config,
    ConfigError,
    Flags,
    Settings,
    UrlError,
    check_url,
    default_path,
    for_profile,
    load,
    resolve,
    same_url,
    save_profile,
)
from tui.credentials import AskKey, CommandKey, EnvKey, FileKey, HeldKey, KeyringKey, Secret
from tui.files import FileError

KEY = "sk-config-test-0123456789"
OTHER = "sk-config-other-9876543210"
A, B, C, D, P = (f"https://{name}.example.com" for name in "abcdp")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    return home


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def loaded(folder: Path, text: str) -> Config:
    return load(written(folder, text), {})


def wrong(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    shown = str(caught.value)
    # S3: not even as the context of the exception, where tomllib and pydantic keep the document.
    assert caught.value.__context__ is None
    assert KEY not in shown + repr(caught.value) + "".join(traceback.format_exception(caught.value))
    return shown.replace(str(path), "FILE")


# Addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://llm.example.com", "https://llm.example.com"),  # S1
        ("https://llm.example.com/", "https://llm.example.com"),
        ("https://llm.example.com/litellm/", "https://llm.example.com/litellm"),
        ("https://llm.example.com/litellm//", "https://llm.example.com/litellm/"),
        ("  https://llm.example.com:8443/a/b \n", "https://llm.example.com:8443/a/b"),
        ("HTTPS://LLM.example.com", "https://LLM.example.com"),
        ("http://localhost:4000/", "http://localhost:4000"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://[::1]:4000", "http://[::1]:4000"),
        ("http://LOCALHOST:4000", "http://LOCALHOST:4000"),
        ("http://[0:0:0:0:0:0:0:1]:4000", "http://[0:0:0:0:0:0:0:1]:4000"),
        ("https://host/ui2", "https://host/ui2"),
    ],
)
def test_addresses(text: str, expected: str) -> None:
    assert check_url(text) == expected


@pytest.mark.parametrize(
    ("text", "reason", "suggestion"),
    [
        ("", "empty", None),
        ("llm.example.com/x/", "does not start with https://", "https://llm.example.com/x"),
        ("localhost:4000", "does not start with https://", "https://localhost:4000"),
        ("ftp://llm.example.com", "has to start with", None),
        ("https://", "no host", None),
        ("https:///path", "no host", None),
        ("https://llm.example.com:port", "cannot be read", None),
        ("https://llm.example.com:99999", "cannot be read", None),
        ("https://[::1", "cannot be read", None),
        ("https://a b", "a blank", None),
        ("https://a\tb", "control character", None),
        ("https://a\\@b", "backslash", None),
        ("https://a\u202eb", "control character", None),
        (f"https://user:{KEY}@llm.example.com", "user name or password", None),
        ("https://llm.example.com/?x=1", "a ? or #", None),
        ("https://llm.example.com/#", "a ? or #", None),
        ("https://llm.example.com/ui", "ends in /ui", "https://llm.example.com"),
        ("https://llm.example.com/litellm/ui/?page=keys", "ends in /ui", "https://llm.example.com/litellm"),
        ("https://llm.example.com/v1/", "ends in /v1", "https://llm.example.com"),
        ("https://h/p/v1/chat/completions", "ends in /v1/chat", "https://h/p"),
        ("http://llm.example.com", "plain http://", None),
        ("http://10.0.0.1:4000", "plain http://", None),
        ("http://localhost.example.com", "plain http://", None),
        ("http://127.0.0.1.example.com", "plain http://", None),
        # what only a name server can say is not known to be this machine
        ("http://proxy.localhost", "plain http://", None),
        ("http://localhost.", "plain http://", None),
        ("http://127.0.0.1.", "plain http://", None),
        ("http://ip6-localhost:4000", "plain http://", None),
        ("http://127.1:4000", "plain http://", None),
        ("http://2130706433:4000", "plain http://", None),
        ("http://0.0.0.0:4000", "plain http://", None),
        ("http://[fe80::1]:4000", "plain http://", None),
        ("http://[::]:4000", "plain http://", None),
        ("HTTP://LLM.example.com", "plain http://", None),
        ("http://localhost@llm.example.com", "user name or password", None),
        ("http://llm.example.com\\@localhost", "backslash", None),
        (f"http://{KEY}@localhost:4000", "user name or password", None),
    ],
)
def test_addresses_that_are_refused(text: str, reason: str, suggestion: str | None) -> None:
    with pytest.raises(UrlError) as caught:
        check_url(text)
    assert reason in str(caught.value)
    assert caught.value.suggestion == suggestion
    assert KEY not in str(caught.value)


def test_plain_http_names_the_field_and_can_be_allowed() -> None:
    with pytest.raises(UrlError) as caught:
        check_url("http://10.0.0.1")
    assert caught.value.field == "allow_http"
    assert check_url("http://10.0.0.1", allow_http=True) == "http://10.0.0.1"


@given(st.text(max_size=40), st.sampled_from(["", "https://", "http://localhost"]))
def test_an_accepted_address_is_stable(text: str, start: str) -> None:  # S1
    try:
        once = check_url(start + text)
    except UrlError:
        return
    if not once.endswith("/"):
        assert check_url(once) == once
    assert "@" not in once.split("/")[2]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://A.example.com", "https://a.example.com:443/", True),
        ("http://localhost:80", "http://localhost", True),
        ("https://a", "http://a", False),
        ("https://a/x", "https://a/y", False),
        ("https://a:1", "https://a:2", False),
    ],
)
def test_same_gateway(one: str, other: str, same: bool) -> None:
    assert same_url(one, other) is same


# The file


FULL = """\
# mine
default = "work"
theme = "nord"

[profiles.work]
url = "https://llm.example.com/litellm/"
api_key_command = ["pass", "show", "llm"]
user = "login"
user_id_domain = "example.com"
read_only = true
timeout = 12.5
ca_file = "ca.pem"

[profiles.work.provisioning]
enabled = true

[profiles.work.provisioning.defaults]
max_budget = 25
metadata = { cost_centre = "42", nested = { a = [1, true] } }

[[profiles.work.provisioning.roles]]
group = "ml"
max_budget = "unlimited"
models = []
tpm_limit = 0
metadata = { cost_centre = "7", role = "ml" }

[[profiles.work.provisioning.roles]]
group = "staff"

[profiles.local]
url = "http://localhost:4000"
"""


def test_a_full_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL)
    (tmp_path / "ca.pem").write_text("")
    assert (config.exists, config.default, config.theme, list(config.profiles)) == (
        True,
        "work",
        "nord",
        ["work", "local"],
    )
    settings = resolve(config, Flags(), {})
    assert settings
    login = identity.login_name()
    assert (settings.profile, settings.from_profile, settings.host) == ("work", True, "llm.example.com")
    assert settings.url == "https://llm.example.com/litellm"  # S1
    assert settings.credential == CommandKey(("pass", "show", "llm"))
    assert (settings.user, settings.account) == (f"{login}@example.com", login)  # S30 S37
    assert (settings.read_only, settings.timeout) == (True, 12.5)
    assert settings.ca_file == tmp_path / "ca.pem"
    assert settings.ignored == ()
    assert settings.sources["key"] == "profile work: the command pass"
    assert settings.sources["user"] == "profile work (the login name)"


def test_provisioning_defaults(tmp_path: Path) -> None:  # S31
    settings = resolve(loaded(tmp_path, f"[profiles.a]\nurl = '{A}'\n"), Flags(), {})
    assert settings
    assert settings.provisioning.enabled is False
    assert settings.provisioning.defaults.model_dump() == {
        "max_budget": 10,
        "budget_duration": "30d",
        "models": [],
        "teams": [],
        "tpm_limit": None,
        "rpm_limit": None,
        "user_role": "internal_user",
        "metadata": {},
    }


def test_which_role_fields_are_set_is_known(tmp_path: Path) -> None:  # S32
    provisioning = loaded(tmp_path, FULL).profiles["work"].provisioning
    ml, staff = provisioning.roles
    assert ml.model_fields_set == {"group", "max_budget", "models", "tpm_limit", "metadata"}
    assert staff.model_fields_set == {"group"}
    assert provisioning.defaults.model_fields_set == {"max_budget", "metadata"}


@pytest.mark.parametrize(
    ("groups", "budget", "tpm", "metadata"),
    [
        (["staff", "ml"], "unlimited", 0, {"cost_centre": "7", "role": "ml", "nested": {"a": [1, True]}}),
        (["staff"], 25, None, {"cost_centre": "42", "nested": {"a": [1, True]}}),
        ([], 25, None, {"cost_centre": "42", "nested": {"a": [1, True]}}),
        (["other"], 25, None, {"cost_centre": "42", "nested": {"a": [1, True]}}),
    ],
)
def test_the_first_role_wins(
    tmp_path: Path, groups: list[str], budget: object, tpm: int | None, metadata: object
) -> None:  # S32
    limits = loaded(tmp_path, FULL).profiles["work"].provisioning.limits_for(groups)
    assert (limits.max_budget, limits.tpm_limit, limits.metadata) == (budget, tpm, metadata)
    assert limits.user_role == "internal_user"


def test_an_empty_list_in_a_role_replaces(tmp_path: Path) -> None:  # S32
    text = (
        f"[profiles.a]\nurl='{A}'\n[profiles.a.provisioning]\ndefaults = {{models = ['x'], max_budget = 5}}\n"
        "roles = [{group = 'g', models = [], max_budget = 0}]\n"
    )
    limits = loaded(tmp_path, text).profiles["a"].provisioning.limits_for(["g"])
    assert (limits.models, limits.max_budget) == ([], 0)


@pytest.mark.parametrize(
    ("body", "line", "expected"),
    [
        ("timout = 5", 3, r"timout: no such field\. Did you mean timeout \? Allowed here: url, api_key_env, "),
        ("User-ID-Domain = 'x'", 3, r"User-ID-Domain: no such field\. Did you mean user_id_domain \?"),
        ("zzz = 1", 3, r"zzz: no such field\. Allowed here: "),
        ("timeout = '30'", 3, r"timeout: this text .* Allowed: seconds, above 0"),
        ("timeout = 0", 3, r"timeout: this number .* Allowed: seconds, above 0"),
        ("timeout = nan", 3, r"timeout: this number .* Allowed: seconds"),
        ("timeout = true", 3, r"timeout: true is not allowed here"),
        ("read_only = 'yes'", 3, r"read_only: this text .* Allowed: true or false"),
        ("read_only = 1", 3, r"read_only: this number"),
        ("user = ''", 3, r"user: the name is empty\. Allowed: a user name, or \"login\""),
        ("user_id_domain = 'a b'", 3, r"user_id_domain: .*Allowed: a domain"),
        (f"api_key_env = '{KEY}'", 3, r"api_key_env: .*Allowed: the name of an environment variable"),
        (f"api_key = '{KEY}'", 3, r"api_key: no key stands in this file\. .*api_key_env, api_key_command"),
        (f"token = '{KEY}'", 3, r"token: no key stands in this file"),
        (f"'{KEY}' = 1", 3, r"sk-\[redacted\]\"?: no such field"),
        ('"a\\u001b[1m" = 1', 3, r'"a\[1m": no such field'),
        ("api_key_command = 'pass show llm'", 3, r'api_key_command: this text .*such as \["pass"'),
        ("api_key_command = []", 3, r"api_key_command: this list"),
        ("api_key_command = ['']", 3, r"api_key_command: "),
        ("api_key_command = ['a', 3]", 3, r"api_key_command"),
        (f"api_key_command = ['echo', '{KEY}']", 3, r"api_key_command: .*without a key in it"),
        ("api_key_file = ''", 3, r"api_key_file: "),
        ("keyring = true\napi_key_env = 'X'", 3, r"keyring: api_key_env is set already\. Allowed: one of"),
        ("provisioning = 3", 3, r"provisioning: this number .*a table with enabled, defaults, roles"),
        ("provisioning.enabld = true", 3, r"provisioning\.enabld: no such field\. Did you mean enabled"),
        ("[profiles.a.provisioning]\nenabled = 'no'", 4, r"provisioning\.enabled: "),
        ("[profiles.a.provisioning.defaults]\nmax_budget = 'lots'", 4, r"max_budget: .*or \"unlimited\""),
        ("[profiles.a.provisioning.defaults]\nmax_budget = -1", 4, r"max_budget: this number"),
        ("[profiles.a.provisioning.defaults]\nmax_budget = inf", 4, r"max_budget: this number"),
        ("[profiles.a.provisioning.defaults]\nmax_budget = true", 4, r"max_budget: true"),
        ("[profiles.a.provisioning.defaults]\nbudget_duration = '1y'", 4, r"budget_duration: .*\"1mo\""),
        ("[profiles.a.provisioning.defaults]\nuser_role = 'god'", 4, r"user_role: .*\"internal_user\""),
        ("[profiles.a.provisioning.defaults]\ntpm_limit = 1.5", 4, r"tpm_limit: .*whole number"),
        ("[profiles.a.provisioning.defaults]\ngroup = 'x'", 4, r"group: no such field"),
        ("[profiles.a.provisioning.defaults]\n[profiles.a.provisioning.defaults.metadata]\nd = 2020-01-01", 4, "JSON"),
        ("[profiles.a.provisioning.defaults]\nmetadata.x = nan", 4, r"metadata: .*JSON"),
        (
            "[profiles.a.provisioning]\n[[profiles.a.provisioning.roles]]\nmax_budget = 1",
            4,
            r"roles\[0\]\.group: is miss",
        ),
        (
            "[[profiles.a.provisioning.roles]]\ngroup = 'x'\n\n# second\n[[profiles.a.provisioning.roles]]\n"
            "group = 'y'\nmodels = [\n  'a',\n  3,\n]",
            9,
            r"roles\[1\]\.models\[1\]: this number .*a list of model names",
        ),
    ],
)
def test_a_wrong_profile(tmp_path: Path, body: str, line: int, expected: str) -> None:
    text = wrong(tmp_path, f"[profiles.a]\nurl = '{A}'\n{body}\n")
    assert text.startswith(f"FILE, line {line}, profiles.a."), text
    assert "\n" not in text, text
    assert re.search(expected, text), text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# x\n\n[profiles.a]\nuser = 'x'\n", "FILE, line 3, profiles.a.url: is missing."),
        ("[work]\nurl = 'x'\n", "FILE, line 1, work: no such table. Did you mean [profiles.work] ?"),
        ("defalt = 'a'\n", "FILE, line 1, defalt: no such field. Did you mean default ?"),
        ("default = 'x'\n", "FILE, line 1, default: there is no profile of this name."),
        ("default = 3\n", "FILE, line 1, default: this number is not allowed here. Allowed: the name of a profile."),
        ("\nprofiles = 3\n", "FILE, line 2, profiles: this number is not allowed here. Allowed: tables such as"),
        ("[profiles]\na = 'https://x'\n", "FILE, line 2, profiles.a: this text is not allowed here. Allowed: a table"),
        (f"[profiles.'my prod']\nurl = '{A}'\n", 'FILE, line 1, profiles."my prod": this is no name for a profile.'),
        ("x = 1\ny = \n", "FILE, line 2: this is not TOML: Invalid value."),
        (f"x = '{KEY}\n", "FILE, line 1: this is not TOML:"),
        ("[profiles.a]\nurl='x'\n[profiles.a]\n", "FILE, line 3: this is not TOML:"),
        (f"{KEY} = '''\n\n", "FILE, line 2: this is not TOML:"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, expected: str) -> None:
    assert wrong(tmp_path, text).startswith(expected)


def test_wrong_default_lists_what_there_is(tmp_path: Path) -> None:
    text = wrong(tmp_path, f"default = 'wrk'\n[profiles.work]\nurl='{A}'\n[profiles.b]\nurl='{B}'\n")
    assert text.endswith("Did you mean work ? Allowed: work, b.")


def test_all_problems_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = wrong(tmp_path, "default = 'x'\n[profiles.a]\nurl='llm.example.com'\ntimeout = 0\n[profiles.b]\nx = 1\n")
    assert [line.split(":")[0] for line in text.splitlines()] == [
        "FILE, line 1, default",
        "FILE, line 3, profiles.a.url",
        "FILE, line 4, profiles.a.timeout",
        "FILE, line 5, profiles.b.url",
        "FILE, line 6, profiles.b.x",
    ]


def test_plain_http_in_a_profile(tmp_path: Path) -> None:
    text = wrong(tmp_path, "[profiles.a]\nurl = 'http://llm.example.com'\n")
    assert text.startswith("FILE, line 2, profiles.a.url: plain http://")
    assert "allow_http = true" in text
    settings = resolve(loaded(tmp_path, "[profiles.a]\nurl='http://llm.example.com'\nallow_http=true\n"), Flags(), {})
    assert settings
    assert (settings.url, settings.allow_http) == ("http://llm.example.com", True)


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(f"# ok\n# {KEY} \xe9\n".encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="line 2: is not UTF-8") as caught:
        load(path, {})
    assert caught.value.__context__ is None


def test_windows_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    path.chmod(0o600)
    assert list(load(path, {}).profiles) == ["work", "local"]


@given(
    st.lists(st.sampled_from(["", "# c", "theme = '''\na\nb = 1\n'''", 'default = "a"']), max_size=6, unique=True),
    st.integers(0, 4),
)
def test_the_line_is_the_line(before: list[str], blanks: int) -> None:
    head = "\n".join(before)
    text = f"{head}\n[profiles.a]\nurl = 'https://a'\n" + "\n" * blanks + "user = [\n 1,\n]\ntimeout = 3\n"
    lines = text.split("\n")
    assert module._line(text, ("profiles", "a", "user")) == lines.index("user = [") + 1
    assert module._line(text, ("profiles", "a", "timeout")) == lines.index("timeout = 3") + 1
    assert module._line(text, ("profiles", "a", "missing")) == lines.index("[profiles.a]") + 1


def test_a_large_wrong_file_is_told_quickly() -> None:
    text = "".join(f"[profiles.p{i}]\nurl = 'https://a'\n" for i in range(2000)) + "x = 1\n"
    assert module._line(text, ("profiles", "p1999", "x")) == 4001


# Where the file is


def test_without_a_home_folder_nothing_is_written_where_one_stands(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    # as for a user that the system has no entry for
    monkeypatch.setattr("os.path.expanduser", str)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / default_path().parent
    folder.mkdir(parents=True, mode=0o700)
    (folder / "config.toml").write_text("this would not load")
    assert not load(None, {}).exists
    with pytest.raises(ConfigError, match=r"there is no home folder\. Set HOME or XDG_CONFIG_HOME"):
        load(Path("~/mine.toml"), {})
    with pytest.raises(FileError, match=r"there is no home folder\. Set HOME or XDG_CONFIG_HOME"):
        save_profile(default_path(), "work", url=A)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert usage_cache.folder() is last_time.folder() is None
    assert (folder / "config.toml").read_text() == "this would not load"


def test_nothing_there_is_an_empty_configuration(own_home: Path) -> None:
    config = load(None, {})
    assert config.path == default_path() == own_home / "config" / "litellm-tui" / "config.toml"
    assert (config.exists, dict(config.profiles)) == (False, {})
    assert resolve(config, Flags(), {}) is None


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    for path, env in ((tmp_path / "x.toml", {}), (None, {"LITELLM_TUI_CONFIG": str(tmp_path / "x.toml")})):
        with pytest.raises(ConfigError, match=r"x\.toml: there is no such file"):
            load(path, env)


def test_which_file(tmp_path: Path) -> None:
    save_profile(default_path(), "default-file", url=A)
    for name in ("flag", "env"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, f"[profiles.{name}]\nurl = '{A}'\n")
    env = {"LITELLM_TUI_CONFIG": str(tmp_path / "env" / "config.toml")}
    assert list(load(tmp_path / "flag" / "config.toml", env).profiles) == ["flag"]
    assert list(load(None, env).profiles) == ["env"]
    assert list(load(None, {"LITELLM_TUI_CONFIG": ""}).profiles) == ["default-file"]


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o602])
def test_a_loose_file_is_refused_with_the_command(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, FULL)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=re.escape(f"Run: chmod 600 {path}")):
        load(path, {})


def test_only_the_own_folder_has_to_be_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert loaded(tmp_path, FULL).exists
    save_profile(default_path(), "a", url=A)
    default_path().parent.chmod(0o755)
    with pytest.raises(ConfigError, match=re.escape(f"Run: chmod 700 {default_path().parent}")):
        load(None, {})


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


# Precedence

PROFILES = f"""\
default = "p"
[profiles.p]
url = "{P}"
api_key_command = ["pass"]
user = "ada"
user_id_domain = "example.com"
read_only = true
timeout = 5
[profiles.p.provisioning]
enabled = true
[profiles.d]
url = "{D}"
api_key_env = "D_KEY"
[profiles.bare]
url = "{A}"
"""
TUI = {"LITELLM_TUI_URL": A, "LITELLM_TUI_API_KEY": "tui"}
PROXY = {"LITELLM_PROXY_URL": B, "LITELLM_PROXY_API_KEY": "proxy"}
BASE = {"LITELLM_BASE_URL": C, "LITELLM_API_KEY": "base", "LITELLM_MASTER_KEY": "master"}


def key_of(settings: Settings) -> str:
    match settings.credential:
        case EnvKey(value=value):
            return value.reveal() if value else "unset"
        case CommandKey():
            return "command"
        case AskKey():
            return "ask"
    raise AssertionError(settings.credential)


@pytest.mark.parametrize(
    ("flags", "env", "profile", "url", "key"),
    [
        # Each level over the next.
        (Flags(), {}, "p", P, "command"),
        (Flags(), {**BASE}, "env", C, "base"),
        (Flags(), {"LITELLM_BASE_URL": C, "LITELLM_MASTER_KEY": "master"}, "env", C, "master"),
        (Flags(), {**BASE, **PROXY}, "env", B, "proxy"),
        (Flags(), {**BASE, **PROXY, **TUI}, "env", A, "tui"),
        (Flags(url=D), {}, "url", D, "ask"),
        (Flags(profile="d"), {"D_KEY": "d"}, "d", D, "d"),
        (Flags(profile="d"), {}, "d", D, "unset"),
        (Flags(), {"LITELLM_TUI_PROFILE": "d", "D_KEY": "d"}, "d", D, "d"),
        (Flags(profile="bare"), {"LITELLM_TUI_PROFILE": "d"}, "bare", A, "ask"),
        (Flags(), {"LITELLM_BASE_URL": "", "LITELLM_API_KEY": "", "LITELLM_TUI_PROFILE": ""}, "p", P, "command"),
        # A named profile puts all but LITELLM_TUI_* out of play.
        (Flags(profile="p"), {**PROXY, **BASE}, "p", P, "command"),
        (Flags(), {"LITELLM_TUI_PROFILE": "p", **PROXY, **BASE}, "p", P, "command"),
        (Flags(profile="bare"), {**PROXY, **BASE}, "bare", A, "ask"),
        (Flags(profile="p", url=D), {**PROXY, "LITELLM_API_KEY": "base"}, "p", D, "command"),
        # A key without an address of its own never goes to a profile's, but for LITELLM_TUI_API_KEY.
        (Flags(), {"LITELLM_API_KEY": "base"}, "p", P, "command"),
        (Flags(), {"LITELLM_PROXY_API_KEY": "proxy", "LITELLM_MASTER_KEY": "m"}, "p", P, "command"),
        (Flags(), {"LITELLM_TUI_API_KEY": "tui"}, "p", P, "tui"),
        (Flags(profile="p"), {"LITELLM_TUI_API_KEY": "tui"}, "p", P, "tui"),
        # It does go to an address chosen by a flag or variable.
        (Flags(url=D), {"LITELLM_API_KEY": "base"}, "url", D, "base"),
        (Flags(), {"LITELLM_TUI_URL": D, "LITELLM_PROXY_API_KEY": "proxy"}, "env", D, "proxy"),
        (Flags(), {"LITELLM_PROXY_URL": B, "LITELLM_API_KEY": "base"}, "env", B, "base"),
        (Flags(), {"LITELLM_BASE_URL": C, "LITELLM_PROXY_API_KEY": "proxy"}, "env", C, "proxy"),
        (Flags(), {"LITELLM_BASE_URL": C, "LITELLM_TUI_API_KEY": "tui"}, "env", C, "tui"),
        # A key beside an address stays with it.
        (Flags(url=D), {**PROXY, **BASE}, "url", D, "ask"),
        (Flags(url=D), {**TUI}, "url", D, "ask"),
        (Flags(url=D), {**TUI, "LITELLM_API_KEY": "base"}, "url", D, "base"),
        (Flags(), {"LITELLM_PROXY_URL": B, **BASE}, "env", B, "ask"),
        (Flags(), {"LITELLM_TUI_URL": A, **PROXY}, "env", A, "ask"),
        (Flags(url=B + "/"), {**PROXY}, "url", B, "proxy"),
        # A profile's key goes to another address only where both were said in the same place.
        (Flags(url=D, profile="p"), {}, "p", D, "command"),
        (Flags(), {"LITELLM_TUI_URL": D, "LITELLM_TUI_PROFILE": "p"}, "p", D, "command"),
        (Flags(profile="p"), {"LITELLM_TUI_URL": D}, "p", D, "ask"),
        (Flags(url=D), {"LITELLM_TUI_PROFILE": "p"}, "p", D, "ask"),
        (Flags(profile="p"), {"LITELLM_TUI_URL": P + "/"}, "p", P, "command"),
        # The default profile stays where its own address is the one chosen.
        (Flags(url=P), {}, "p", P, "command"),
        (Flags(), {"LITELLM_BASE_URL": P + "/"}, "p", P, "command"),
        (Flags(), {"LITELLM_BASE_URL": P, "LITELLM_API_KEY": "base"}, "p", P, "base"),
    ],
)
def test_which_key_goes_where(
    tmp_path: Path, flags: Flags, env: dict[str, str], profile: str, url: str, key: str
) -> None:
    settings = resolve(loaded(tmp_path, PROFILES), flags, env)
    assert settings
    assert (settings.profile, settings.url, key_of(settings)) == (profile, url, key)
    assert settings.from_profile is (profile not in ("env", "url"))
    # The rest of a profile holds with it and not without it.
    in_play = profile == "p"
    assert settings.read_only is in_play
    assert settings.provisioning.enabled is in_play
    assert (settings.timeout, settings.user) == ((5, "ada@example.com") if in_play else (30, None))


KEYS = {
    "LITELLM_TUI_API_KEY": "LITELLM_TUI_URL",
    "LITELLM_PROXY_API_KEY": "LITELLM_PROXY_URL",
    "LITELLM_API_KEY": "LITELLM_BASE_URL",
    "LITELLM_MASTER_KEY": "LITELLM_BASE_URL",
}


@given(
    st.builds(
        Flags,
        profile=st.sampled_from([None, "p", "d"]),
        url=st.sampled_from([None, A, B, P]),
    ),
    st.dictionaries(st.sampled_from(sorted(set(KEYS.values()))), st.sampled_from([A, B, C, P])),
    st.sets(st.sampled_from(sorted(KEYS))),
    st.sampled_from([{}, {"LITELLM_TUI_PROFILE": "d"}]),
)
def test_no_key_reaches_another_gateway_by_accident(
    flags: Flags, urls: dict[str, str], keys: set[str], named: dict[str, str]
) -> None:
    """Whatever is set: a variable's key beside an address goes there only; a generic one never to a profile."""
    profiles = {
        "p": module.Profile(url=P, api_key_command=["pass"]),
        "d": module.Profile(url=D, api_key_env="D_KEY"),
    }
    config = Config(Path("config.toml"), True, "p", None, profiles)
    env = {**urls, **named, **{key: f"from {key}" for key in keys}}
    settings = resolve(config, flags, env)
    assert settings
    if isinstance(settings.credential, EnvKey) and settings.credential.name in KEYS:
        name = settings.credential.name
        beside = urls.get(KEYS[name])
        assert beside is None or same_url(beside, settings.url)
        if name != "LITELLM_TUI_API_KEY":
            assert not flags.profile
            assert not named
            assert settings.url in [flags.url, *urls.values()]
    elif not isinstance(settings.credential, AskKey):
        own = profiles[settings.profile].url
        together = (flags.profile and flags.url) or (
            named and not flags.profile and not flags.url and "LITELLM_TUI_URL" in urls
        )
        assert settings.url == own or together
    assert "from LITELLM" not in repr(settings)


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    config = loaded(tmp_path, PROFILES)
    settings = resolve(config, Flags(profile="p"), {**PROXY})
    assert settings
    assert settings.ignored == (
        "LITELLM_PROXY_URL is set but not used: --profile names a profile.",
        "LITELLM_PROXY_API_KEY is set but not used: --profile names a profile.",
    )
    settings = resolve(config, Flags(), {"LITELLM_API_KEY": KEY})
    assert settings
    assert "LITELLM_API_KEY is set but not used: no variable says which address" in settings.ignored[0]
    settings = resolve(config, Flags(url=D), {**PROXY})
    assert settings
    assert settings.ignored == (
        "The profile p is not used: --url names another address. --profile p chooses it.",
        "LITELLM_PROXY_API_KEY is set but not used: it belongs to the address in LITELLM_PROXY_URL.",
    )
    settings = resolve(config, Flags(), {"LITELLM_TUI_APIKEY": KEY})
    assert settings
    assert settings.ignored == (
        "LITELLM_TUI_APIKEY is set, but no such variable is known. Did you mean LITELLM_TUI_API_KEY ?",
    )
    assert KEY not in repr(settings)


def test_where_each_value_came_from(tmp_path: Path) -> None:
    settings = resolve(loaded(tmp_path, PROFILES), Flags(user="bob"), {"LITELLM_TUI_API_KEY": KEY})
    assert settings
    assert dict(settings.sources) == {
        "profile": f"the default in {tmp_path / 'config.toml'}",
        "url": "profile p",
        "key": "LITELLM_TUI_API_KEY",
        "user": "--user",
        "read_only": "profile p",
        "timeout": "profile p",
    }


@pytest.mark.parametrize(
    ("flags", "env", "user", "account"),
    [
        (Flags(), {}, "ada@example.com", "ada"),  # S30 S37
        (Flags(), {"LITELLM_TUI_USER": "user:default/eve"}, "eve@example.com", "eve"),
        (Flags(user="bob@other.org"), {"LITELLM_TUI_USER": "eve"}, "bob@other.org", "bob@other.org"),
    ],
)
def test_who_is_meant(tmp_path: Path, flags: Flags, env: dict[str, str], user: str, account: str) -> None:
    settings = resolve(loaded(tmp_path, PROFILES), flags, env)
    assert settings
    assert (settings.user, settings.account) == (user, account)


def test_a_user_without_a_name_is_refused(tmp_path: Path) -> None:  # S5
    with pytest.raises(ConfigError, match="--user: the name is empty"):
        resolve(loaded(tmp_path, PROFILES), Flags(user=" "), {})
    with pytest.raises(ConfigError, match="LITELLM_TUI_USER: the name is empty"):
        resolve(loaded(tmp_path, PROFILES), Flags(), {"LITELLM_TUI_USER": "user:"})


def test_login_that_the_system_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise identity.IdentityError("No login name here.")

    monkeypatch.setattr(identity, "login_name", nobody)
    with pytest.raises(ConfigError, match="--user: No login name here"):
        resolve(Config(Path("x")), Flags(user="login", url=A), {})


@pytest.mark.parametrize(
    ("flag", "word", "expected"),
    [
        (False, "", True),
        (False, "0", False),
        (False, "Off", False),
        (False, "yes", True),
        (True, "0", True),
    ],
)
def test_read_only(tmp_path: Path, flag: bool, word: str, expected: bool) -> None:
    env = {"LITELLM_TUI_READ_ONLY": word}
    settings = resolve(loaded(tmp_path, PROFILES), Flags(read_only=flag), env)
    assert settings
    assert settings.read_only is expected


@pytest.mark.parametrize("word", ["maybe", "2", KEY])
def test_read_only_that_is_neither(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match="LITELLM_TUI_READ_ONLY: Allowed: 1, true, yes or on") as caught:
        resolve(loaded(tmp_path, PROFILES), Flags(), {"LITELLM_TUI_READ_ONLY": word})
    assert word not in str(caught.value).replace("1", "").split(" ")


@pytest.mark.parametrize("where", ["--url", "LITELLM_TUI_URL", "LITELLM_PROXY_URL", "LITELLM_BASE_URL"])
def test_a_wrong_address_names_its_place(where: str) -> None:
    def outcome(url: str, **more: str) -> Settings | None:
        flags = Flags(url=url) if where == "--url" else Flags()
        return resolve(Config(Path("x")), flags, more if where == "--url" else {where: url, **more})

    with pytest.raises(ConfigError, match=f"^{where}: the address ends in /ui.* Did you mean {A} \\?$"):
        outcome(A + "/ui/")
    with pytest.raises(ConfigError, match=f"^{where}: plain http://.*LITELLM_TUI_ALLOW_HTTP=1"):
        outcome("http://litellm:4000")
    allowed = outcome("http://litellm:4000", LITELLM_TUI_ALLOW_HTTP="1")
    assert allowed
    assert (allowed.url, allowed.allow_http) == ("http://litellm:4000", True)


def test_a_profile_allows_http_for_its_address_only(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[profiles.a]\nurl='http://litellm:4000'\nallow_http=true\n")
    settings = resolve(config, Flags(), {"LITELLM_BASE_URL": "http://litellm:4000/"})
    assert settings
    assert settings.allow_http
    with pytest.raises(ConfigError, match="plain http"):
        resolve(config, Flags(url="http://elsewhere:4000"), {})


def test_no_such_profile(tmp_path: Path) -> None:
    config = loaded(tmp_path, PROFILES)
    with pytest.raises(ConfigError, match=r"--profile: there is no profile .* Did you mean bare \? .*: p, d, bare\."):
        resolve(config, Flags(profile="bear"), {})
    with pytest.raises(ConfigError, match="LITELLM_TUI_PROFILE: there is no profile"):
        resolve(config, Flags(), {"LITELLM_TUI_PROFILE": "x"})
    with pytest.raises(ConfigError, match="Profiles there: none yet"):
        resolve(Config(Path("x")), Flags(profile="x"), {})


def test_no_default(tmp_path: Path) -> None:
    only = resolve(loaded(tmp_path, f"[profiles.a]\nurl='{A}'\n"), Flags(), {})
    assert only
    assert only.profile == "a"
    several = loaded(tmp_path, f"[profiles.a]\nurl='{A}'\n[profiles.b]\nurl='{B}'\n")
    with pytest.raises(ConfigError, match=r"default: is missing.*Choose one with --profile.*: a, b\."):
        resolve(several, Flags(), {})
    outer = resolve(several, Flags(), {"LITELLM_BASE_URL": C})
    assert outer
    assert outer.profile == "env"


def test_nothing_configured_is_none() -> None:
    empty = Config(Path("x"))
    assert resolve(empty, Flags(), {}) is None
    assert resolve(empty, Flags(user="ada", read_only=True), {"LITELLM_API_KEY": KEY}) is None


def test_demo() -> None:
    settings = resolve(Config(Path("x")), Flags(demo=True, user="ada"), {**PROXY, **TUI})
    assert settings
    assert (settings.profile, settings.demo, settings.user, settings.url) == ("demo", True, "ada", module.DEMO_URL)
    assert isinstance(settings.credential, HeldKey)
    for flags in (Flags(demo=True, url=A), Flags(demo=True, profile="p")):
        with pytest.raises(ConfigError, match="--demo has a gateway of its own"):
            resolve(Config(Path("x")), flags, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("key.txt", "{folder}/key.txt"), ("/run/key", "/run/key"), ("~/key", "{home}/key")],
)
def test_where_a_key_file_is(tmp_path: Path, own_home: Path, text: str, expected: str) -> None:
    settings = resolve(loaded(tmp_path, f"[profiles.a]\nurl='{A}'\napi_key_file='{text}'\n"), Flags(), {})
    assert settings
    assert settings.credential == FileKey(Path(expected.format(folder=tmp_path, home=own_home)))


def test_keyring_goes_by_the_profile_s_name(tmp_path: Path) -> None:
    settings = resolve(loaded(tmp_path, f"[profiles.a]\nurl='{A}'\nkeyring=true\n"), Flags(), {})
    assert settings
    assert settings.credential == KeyringKey("a")


def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"[profiles.a]\nurl='{A}'\nca_file='ca.pem'\n")
    with pytest.raises(ConfigError, match=r"line 3, profiles\.a\.ca_file: there is no file .*ca\.pem"):
        resolve(config, Flags(), {})


def test_settings_never_show_a_key() -> None:  # S3
    settings = resolve(Config(Path("x")), Flags(url=A), {"LITELLM_API_KEY": KEY})
    assert settings
    assert settings.credential == EnvKey("LITELLM_API_KEY", Secret(KEY))
    assert KEY not in f"{settings} {settings!r}"


def test_a_validation_error_of_a_profile_shows_no_key() -> None:  # S3
    with pytest.raises(ValidationError) as caught:
        module.Profile(url=A, api_key_env=KEY)
    assert KEY not in f"{caught.value} {caught.value!r}"


# Writing


def test_the_first_profile(own_home: Path) -> None:
    save_profile(default_path(), "work", url="https://llm.example.com/", keyring=True)
    path = default_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text() == (
        'default = "work"\n\n[profiles.work]\nurl = "https://llm.example.com/"\nkeyring = true\n'
    )
    settings = resolve(load(None, {}), Flags(), {})
    assert settings
    assert (settings.profile, settings.credential) == ("work", KeyringKey("work"))


def test_saving_tightens_the_own_folder(own_home: Path) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().parent.chmod(0o755)
    save_profile(default_path(), "work", url=A)
    assert load(None, {}).exists


BEFORE = f"""\
# top
theme = "nord" # mine

[profiles.a] # first
url = "{A}" # address
api_key_env = "X"

# about b
[profiles.b]
url = "{B}"
# the end
"""


def test_comments_and_everything_else_stay(tmp_path: Path) -> None:
    path = written(tmp_path, BEFORE)
    save_profile(path, "a", url=C, api_key_file=Path("/k"), read_only=True)
    assert path.read_text() == BEFORE.replace(A, C).replace(
        'api_key_env = "X"\n', 'api_key_file = "/k"\nread_only = true\n'
    ).replace("# mine\n", '# mine\ndefault = "a"\n')


def test_a_default_is_only_changed_on_request(tmp_path: Path) -> None:
    path = written(tmp_path, f'default = "a"\n{BEFORE}')
    save_profile(path, "new", url=C)
    assert load(path, {}).default == "a"
    save_profile(path, "new", default=True, timeout=5.0)
    config = load(path, {})
    assert (config.default, config.profiles["new"].url, config.profiles["new"].timeout) == ("new", C, 5)
    assert list(config.profiles) == ["a", "b", "new"]


@pytest.mark.parametrize("style", ["inline", "dotted", "sub-table", "bare table"])
def test_every_way_to_write_a_profile(tmp_path: Path, style: str) -> None:
    text = {
        "inline": f"profiles = {{a = {{url = '{A}', keyring = true}}}}\n",
        "dotted": f"profiles.a.url = '{A}'\nprofiles.a.keyring = true\n",
        "sub-table": f"[profiles.a]\nurl = '{A}'\nkeyring = true\n[profiles.a.provisioning]\nenabled = true\n",
        "bare table": f"[profiles]\n[profiles.a]\nurl = '{A}'\nkeyring = true\n",
    }[style]
    path = written(tmp_path, text)
    save_profile(path, "a", api_key_command=["pass", "show"], user="ada")
    profile = load(path, {}).profiles["a"]
    assert (profile.url, profile.keyring, profile.api_key_command, profile.user) == (A, False, ["pass", "show"], "ada")
    assert profile.provisioning.enabled is (style == "sub-table")


def test_none_removes_a_field(tmp_path: Path) -> None:
    path = written(tmp_path, BEFORE)
    save_profile(path, "a", api_key_env=None)
    assert "api_key_env" not in path.read_text()


@pytest.mark.parametrize(
    "fields", [{"url": "llm"}, {"api_key": KEY}, {"api_key_env": KEY}, {"url": A, "timeout": 0}, {"user": "x"}]
)
def test_what_would_not_load_is_not_written(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = written(tmp_path, BEFORE)
    with pytest.raises(ConfigError) as caught:
        save_profile(path, "new", **fields)
    assert KEY not in str(caught.value)
    assert path.read_text() == BEFORE
    with pytest.raises(ConfigError):
        save_profile(tmp_path / "none.toml", "a b", url=A)
    assert os.listdir(tmp_path) == ["config.toml"]


def test_a_loose_or_broken_file_is_not_touched(tmp_path: Path) -> None:
    path = written(tmp_path, BEFORE)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        save_profile(path, "new", url=A)
    written(tmp_path, "x = \n")
    with pytest.raises(ConfigError, match="not TOML"):
        save_profile(path, "new", url=A)
    assert path.read_text() == "x = \n"


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True)


@given(names, st.sampled_from([A, "http://localhost:1/x"]), st.text(st.characters(exclude_categories=["C"])))
def test_what_is_saved_is_read(tmp_path_factory: pytest.TempPathFactory, name: str, url: str, user: str) -> None:
    path = tmp_path_factory.mktemp("c") / "config.toml"
    try:
        save_profile(path, name, url=url, user=user)
    except ConfigError:
        assert not user.strip() or user.casefold().strip().startswith("user:")
        return
    profile = load(path, {}).profiles[name]
    assert (profile.url, profile.user) == (url, user)


def test_import_is_light() -> None:
    code = "import sys, tui.config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"textual", "rich", "httpx", "tomlkit", "keyring", "asyncio", "plotext"}
    assert heavy.isdisjoint(done.stdout.split())


# Colour, confirmation, keys, and going over to a profile


@pytest.mark.parametrize("colour", ["red", "white", "#a1B2c3"])
def test_a_profile_s_colour_is_a_shade(tmp_path: Path, colour: str) -> None:
    settings = resolve(loaded(tmp_path, f"[profiles.a]\nurl='{A}'\ncolour='{colour}'\nconfirm='type'\n"), Flags(), {})
    assert settings
    assert settings.confirm == "type"
    assert settings.colour is not None
    assert re.fullmatch(r"#[0-9A-Fa-f]{6}", settings.colour)


@pytest.mark.parametrize("colour", ["'reddish'", "'#12'", "'#12345g'", "1", "''"])
def test_what_is_no_colour(tmp_path: Path, colour: str) -> None:
    said = wrong(tmp_path, f"[profiles.a]\nurl='{A}'\ncolour={colour}\n")
    assert said.startswith("FILE, line 3, profiles.a.colour: this")
    assert "is not allowed here. Allowed: black, red, green, yellow, blue, magenta, cyan, white, or a colour" in said


def test_what_is_no_confirmation(tmp_path: Path) -> None:
    said = wrong(tmp_path, f"[profiles.a]\nurl='{A}'\nconfirm='always'\n")
    assert said == (
        "FILE, line 3, profiles.a.confirm: this text is not allowed here. "
        'Allowed: "y", or "type" to have the name typed before anything destructive.'
    )


def test_by_default_a_profile_has_no_colour_and_a_key_confirms(tmp_path: Path) -> None:
    settings = resolve(loaded(tmp_path, f"[profiles.a]\nurl='{A}'\n"), Flags(), {})
    assert settings
    assert (settings.colour, settings.confirm) == (None, "y")


def test_keys_are_a_table(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[keys]\n'keys.rotate' = 'x'\n").keys == {"keys.rotate": "x"}
    assert wrong(tmp_path, "keys = 'x'\n").startswith("FILE, line 1, keys: this text is not allowed here.")


TWO = f"[profiles.a]\nurl='{A}'\napi_key_env='A_KEY'\n[profiles.b]\nurl='{B}'\napi_key_env='LITELLM_TUI_API_KEY'\n"


@pytest.mark.parametrize("name", ["URL", "API_KEY", "USER", "PROFILE"])
def test_a_variable_of_the_start_does_not_follow_to_another_profile(tmp_path: Path, name: str) -> None:
    value = {"URL": C, "API_KEY": OTHER, "USER": "bob", "PROFILE": "b"}[name]
    env = {"A_KEY": KEY, f"LITELLM_TUI_{name}": value}
    settings = for_profile(loaded(tmp_path, TWO), "a", env)
    assert (settings.profile, settings.url, settings.user, settings.ignored) == ("a", A, None, ())
    assert settings.credential == EnvKey("A_KEY", Secret(KEY))


def test_a_variable_that_the_profile_names_is_its_own(tmp_path: Path) -> None:
    settings = for_profile(loaded(tmp_path, TWO), "b", {"LITELLM_TUI_API_KEY": OTHER})
    assert settings.credential == EnvKey("LITELLM_TUI_API_KEY", Secret(OTHER))


def test_read_only_follows_to_another_profile(tmp_path: Path) -> None:
    config = loaded(tmp_path, TWO)
    assert for_profile(config, "a", {}, read_only=True).read_only
    assert for_profile(config, "a", {"LITELLM_TUI_READ_ONLY": "1"}).read_only
    assert not for_profile(config, "a", {}).read_only
