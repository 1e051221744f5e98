"""Which texts are asked for, and what rows mean."""

from __future__ import annotations

import hashlib
import math
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from wampgate.core.interfaces import Membership, Token
from wampgate.stores.questions import (
    MAX_LENGTH,
    RowsUnusable,
    check_token_hash,
    is_askable,
    memberships_of,
    stored_form,
    token_of,
)


@pytest.mark.parametrize("text", ["a", "ä", "\U0001f600", "' OR 1=1 --", " ", "\n", "x" * MAX_LENGTH])
def test_askable(text: str) -> None:
    assert is_askable(text)


@pytest.mark.parametrize("text", ["", "\x00", "a\x00", "\ud800", "a\udfffb", "x" * (MAX_LENGTH + 1)])
def test_not_askable(text: str) -> None:
    assert not is_askable(text)


def test_stored_form() -> None:
    assert stored_form("tökén", "plain") == "tökén"
    assert stored_form("tökén", "sha256") == hashlib.sha256("tökén".encode()).hexdigest()
    with pytest.raises(ValueError, match=r"'md5'.*expected 'plain' or 'sha256'"):
        check_token_hash("md5")


@pytest.mark.parametrize(
    ("rows", "token"),
    [
        ([], None),
        ([("alice", 5)], Token("alice", 5.0)),
        ([(7, Decimal("1.5"))], Token("7", 1.5)),
        ([(uuid.UUID(int=1), -3.0)], Token("00000000-0000-0000-0000-000000000001", -3.0)),
        ([("alice", math.nan)], Token("alice", 0.0)),
        ([("alice", None)], Token("alice", 0.0)),
        ([(None, 5)], None),
        ([("", 5)], None),
        ([("alice", -5), ("alice", 7), ("alice", 2)], Token("alice", 7.0)),
        ([("alice", -5), ("alice", -7)], Token("alice", -5.0)),
    ],
)
def test_token_of(rows: list[tuple[object, ...]], token: Token | None) -> None:
    assert token_of(rows, allow_null_expires=False) == token


def test_null_expires_where_it_is_allowed() -> None:
    assert token_of([("alice", None)], allow_null_expires=True) == Token("alice", math.inf)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("alice",)], "1 columns"),
        ([("alice", 1, 2)], "3 columns"),
        ([("alice", "1")], "seconds_left is of type str"),
        ([("alice", True)], "seconds_left is of type bool"),
        ([(True, 1)], "user_id is of type bool"),
        ([(b"alice", 1)], "user_id is of type bytes"),
        ([(1.5, 1)], "user_id is of type float"),
        ([("alice", 1), ("bob", 1)], "several users"),
    ],
)
def test_token_rows_that_break_the_contract(rows: list[tuple[object, ...]], says: str) -> None:
    with pytest.raises(RowsUnusable, match=says) as broken:
        token_of(rows, allow_null_expires=False)
    assert "alice" not in str(broken.value)


def test_memberships_of() -> None:
    assert memberships_of([]) == []
    assert memberships_of([(7,), ("acme",), (None,), ("",)]) == [Membership("7"), Membership("acme")]
    assert memberships_of([("acme", "owner"), ("eu", None)]) == [Membership("acme", "owner"), Membership("eu", "")]
    with pytest.raises(RowsUnusable, match="4 columns"):
        memberships_of([("acme", "owner", 1, 2)])
    with pytest.raises(RowsUnusable, match="role is of type list"):
        memberships_of([("acme", ["owner"])])


def test_when_memberships_began() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    rows = [("a", "", 7), ("b", None, Decimal("7.5")), ("c", "x", noon), ("d", "", None)]
    assert [membership.since for membership in memberships_of(rows)] == [7.0, 7.5, noon.timestamp(), math.inf]
    # What can't be told must not show anything: a time without a zone, text, NaN.
    for since in (noon.replace(tzinfo=None), "2026-01-01", True, math.nan):
        with pytest.raises(RowsUnusable, match="since is of type"):
            memberships_of([("a", "", since)])
