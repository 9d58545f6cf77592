"""Every key read once while the list moves, and records kept small (S7, S8)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tui.demo import DemoGateway
from tui.gateway import key_pages
from tui.gateway.capabilities import Server
from tui.gateway.client import Client
from tui.gateway.errors import BadAnswer
from tui.gateway.key_pages import KeyPages, KeyQuery, KeyRow
from tui.gateway.schema import Key

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def key(alias: str, **fields: Any) -> Key:
    return Key(hash=alias, name=f"sk-...{alias}", alias=alias, **fields)


class TestEverything:
    """`KeyPages.everything` on a gateway that others use."""

    async def test_a_key_that_goes_meanwhile_hides_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """# S7: the rest moves up by one, and the first of the next page is on a page that was read already"""
        monkeypatch.setattr(key_pages, "PAGE", 10)
        demo = DemoGateway()
        for number in range(35):
            demo.add_key(key_alias=f"k{number}", user_id="ada")
        first = min(hash for hash, row in demo.keys.items() if row["user_id"] == "ada")

        def progress(read: int, _total: int) -> None:
            if read == 10 and first in demo.keys:
                demo.delete_key(first)

        async with Client(demo.url, demo.master_key, transport=demo.transport()) as client:
            every = await KeyPages(client, Server(demo.version), KeyQuery(user_id="ada")).everything(progress)
        left = {hash for hash, row in demo.keys.items() if row["user_id"] == "ada"}
        assert len(left) == 34
        assert left <= {row.hash for row in every.rows}

    async def test_a_gateway_that_does_not_look_for_the_alias_is_found_out(self) -> None:
        """# S44: an older one behind a newer name would show every key as a match"""
        demo = DemoGateway(version="1.83.0")
        demo.add_key(key_alias="laptop", user_id="ada")
        async with Client(demo.url, demo.master_key, transport=demo.transport()) as client:
            listed = KeyPages(client, Server("1.108.0"), KeyQuery(user_id="ada", alias="zebra"))
            with pytest.raises(BadAnswer, match="did not look for the alias"):
                await listed.read(0, 5)


class TestRows:
    """`KeyRow`: a record kept small."""

    def test_it_has_every_field_of_the_record(self) -> None:
        """a field that a record gains would be lost on the way"""
        assert set(KeyRow.__slots__) == set(Key.model_fields)

    def test_it_gives_the_record_back(self) -> None:
        """# S8"""
        record = key("k", models=["a", "b"], metadata={"x": {"y": [1, None]}}, spend=1.5, created_at=NOW, blocked=True)
        row = KeyRow.of(record, {})
        assert row.key() == record
        assert (row.label, row.tail) == (record.label, record.tail)

    def test_equal_values_are_kept_once(self) -> None:
        shared: dict[Any, Any] = {}
        one, two = (KeyRow.of(key(name, models=["gpt-4o"], metadata={"a": 1}), shared) for name in ("one", "two"))
        assert one.models is two.models
        assert one.metadata is two.metadata
