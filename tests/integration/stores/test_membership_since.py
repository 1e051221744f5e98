"""The third column of a membership query, in real databases: when a membership began."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_twisted

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Membership

if TYPE_CHECKING:
    from .conftest import Opener, SqlShelf

INSTANT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp()

TYPES = {
    # What the column is, and what says INSTANT in it.
    "postgres": (
        ("timestamptz", "'2026-03-29 02:30:00+02'"),
        ("timestamptz", "'2026-03-28 20:30:00-04'"),
        ("bigint", f"{INSTANT:.0f}"),
        ("double precision", f"{INSTANT}"),
        ("numeric(20, 3)", f"{INSTANT}"),
    ),
    "sqlite": (("INTEGER", f"{INSTANT:.0f}"), ("REAL", f"{INSTANT}")),
}
UNUSABLE = {
    "postgres": (("timestamp", "'2026-03-29 02:30:00'"), ("date", "'2026-03-29'"), ("text", "'now'")),
    "sqlite": (("TEXT", "'2026-03-29 02:30:00'"), ("BLOB", "x'00'")),
}


def query(shelf: SqlShelf) -> str:
    user = "%(user)s" if shelf.kind == "postgres" else ":user"
    return f"SELECT organization, role, since FROM began WHERE member = {user} ORDER BY organization"


def begun(shelf: SqlShelf, column: str, *values: str) -> None:
    """A table of alice's memberships: of organization 0, 1, …"""
    shelf.execute("DROP TABLE IF EXISTS began")
    shelf.execute(f"CREATE TABLE began (member text, organization text, role text, since {column})")
    for number, value in enumerate(values):
        shelf.execute(f"INSERT INTO began VALUES ('alice', '{number}', 'owner', {value})")
    shelf.execute("INSERT INTO began VALUES ('bob', '7', NULL, NULL)")


@pytest_twisted.ensureDeferred
async def test_each_type_that_says_an_instant(sql_shelf: SqlShelf, opened: Opener) -> None:
    for column, value in TYPES[sql_shelf.kind]:
        begun(sql_shelf, column, value, "NULL")
        store = await opened(sql_shelf, membership_query=query(sql_shelf))
        expected = [Membership("0", "owner", INSTANT), Membership("1", "owner", math.inf)]
        assert list(await store.memberships("alice")) == expected, column
        # Many at once, as it is asked after each reconnect.
        found = await store.memberships_of(["alice", "bob", "nobody"])
        assert list(found["alice"]) == expected, column
        assert list(found["bob"]) == [Membership("7", "", math.inf)]
        assert not found["nobody"]


@pytest_twisted.ensureDeferred
async def test_what_says_none_is_refused_and_nothing_is_granted(sql_shelf: SqlShelf, opened: Opener) -> None:
    for column, value in UNUSABLE[sql_shelf.kind]:
        begun(sql_shelf, column, value)
        store = await opened(sql_shelf, membership_query=query(sql_shelf))
        with pytest.raises(StoreUnavailable, match="the membership_query of the token store does not work"):
            await store.memberships("alice")


@pytest_twisted.ensureDeferred
async def test_a_membership_of_all_times_and_of_none(sql_shelf: SqlShelf, opened: Opener) -> None:
    if sql_shelf.kind == "sqlite":
        begun(sql_shelf, "REAL", "0", "-1e9", "1e18")
        expected = [0.0, -1e9, 1e18]
    else:
        begun(sql_shelf, "timestamptz", "'1970-01-01 00:00+00'", "'1938-04-24 22:13:20+00'", "'9000-01-01 00:00+00'")
        expected = [0.0, -1e9, datetime(9000, 1, 1, tzinfo=UTC).timestamp()]
    store = await opened(sql_shelf, membership_query=query(sql_shelf))
    assert [membership.since for membership in await store.memberships("alice")] == expected
