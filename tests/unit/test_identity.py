"""Who is meant, and what this machine knows about them."""

from __future__ import annotations

import grp
import os
import pwd
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import identity


@pytest.mark.parametrize(
    ("name", "domain", "expected"),
    [
        ("ada", None, "ada"),  # S30
        ("user:default/ada", None, "ada"),
        ("user:ada", None, "ada"),
        ("USER:default/ada", None, "ada"),
        ("  ada \n", None, "ada"),
        ("ada", "example.com", "ada@example.com"),
        ("user:default/ada", "example.com", "ada@example.com"),
        ("ada", "@example.com", "ada@example.com"),
        ("ada@other.org", "example.com", "ada@other.org"),
        ("user:default/ada@other.org", "example.com", "ada@other.org"),
        ("ada", "", "ada"),
        ("team/ada", None, "team/ada"),
        ("Ada.L", "example.com", "Ada.L@example.com"),
    ],
)
def test_map_user_id(name: str, domain: str | None, expected: str) -> None:
    assert identity.map_user_id(name, domain) == expected


@pytest.mark.parametrize("name", ["", "  ", "user:", "user:default/", "user:default/ "])
def test_no_empty_user_id(name: str) -> None:  # S5
    with pytest.raises(ValueError, match="empty"):
        identity.map_user_id(name, "example.com")


@given(st.text(min_size=1), st.sampled_from([None, "example.com"]))
def test_mapping_twice_changes_nothing(name: str, domain: str | None) -> None:  # S30
    try:
        once = identity.map_user_id(name, domain)
    except ValueError:
        return
    assert once.strip() == once != ""
    if not once.casefold().startswith("user:"):
        assert identity.map_user_id(once, domain) == once


@pytest.mark.parametrize(
    ("name", "domain", "expected"),
    [
        ("user:default/ada", None, "ada"),
        ("ada", "example.com", "ada"),
        ("ada@Example.com", "example.com", "ada"),
        ("ada@other.org", "example.com", "ada@other.org"),
        ("ada@example.com", None, "ada@example.com"),
    ],
)
def test_unix_account(name: str, domain: str | None, expected: str) -> None:
    assert identity.unix_account(name, domain) == expected


def test_login_is_a_word_and_not_a_person() -> None:  # S37
    assert identity.is_login("login")
    assert identity.is_login(" login ")
    assert not identity.is_login("user:default/login")
    assert identity.map_user_id("user:default/login") == "login"


def test_login_name_does_not_believe_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert identity.login_name() == pwd.getpwuid(os.getuid()).pw_name


def test_login_name_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setenv("LOGNAME", "ada")
    assert identity.login_name() == "ada"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(identity.IdentityError, match="--user"):
        identity.login_name()


@pytest.mark.parametrize(
    ("gecos", "expected"),
    [
        ("Ada Lovelace,Room 1,555,", "Ada Lovelace"),
        ("& Lovelace", "Ada Lovelace"),
        ("", None),
        (",,,", None),
        ("Ada\x1b[31m Lovelace\u202e", "Ada[31m Lovelace"),
    ],
)
def test_display_name(monkeypatch: pytest.MonkeyPatch, gecos: str, expected: str | None) -> None:  # S34
    monkeypatch.setattr(pwd, "getpwnam", lambda name: SimpleNamespace(pw_gecos=gecos))
    assert identity.display_name("ada") == expected


def test_display_name_of_nobody() -> None:
    assert identity.display_name("no-such-account-here") is None


def test_groups_of_the_login_user() -> None:  # S32
    mine = identity.groups()
    assert mine[0] == grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid).gr_name
    assert mine == identity.groups(identity.login_name())


def test_groups_leave_out_ids_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {10: "staff", 20: "ml"}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: SimpleNamespace(pw_gid=10))
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [10, 99, 20, 10])
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=known[number]))
    assert identity.groups("ada") == ["staff", "ml"]
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [99])
    with pytest.raises(identity.IdentityError, match="None of the groups"):
        identity.groups("ada")


def test_groups_of_nobody_is_a_failed_lookup() -> None:  # S32
    with pytest.raises(LookupError, match="no account 'no-such-account-here'") as caught:
        identity.groups("no-such-account-here")
    assert str(caught.value).startswith("There is no account")
