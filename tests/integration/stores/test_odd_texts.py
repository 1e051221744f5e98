"""Texts that a query must not take for itself: tokens that lie in the table as they are, users with odd ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import pytest_twisted

from .conftest import make_sql_shelf

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Opener, SqlShelf

ODD: Final = (
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE oauth_access_tokens; --",
    "good' --",
    "E'\\''",
    '"',
    "\\",
    "\\'",
    "'",
    "''",
    "%",
    "%s",
    "%(token)s",
    ":token",
    "?",
    "$1",
    "{}",
    '{"good"}',
    "good,good",
    "\u02bc",
    "\uff07",
)


@pytest.fixture(params=["sqlite", "postgres"])
def plain_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> SqlShelf:
    """Our own tables; tokens lie in them as they are, so that a token's text reaches the database."""
    return make_sql_shelf(request, tmp_path, request.param, "text", "plain")


@pytest_twisted.ensureDeferred
async def test_a_token_is_a_value_and_nothing_else(plain_shelf: SqlShelf, opened: Opener) -> None:
    store = await opened(plain_shelf)
    plain_shelf.put_token("good", "alice", 600)
    for text in ODD:
        assert await store.look_up(text) is None, text
    found = await store.look_up_all([*ODD, "good"])
    assert list(found) == ["good"]


@pytest_twisted.ensureDeferred
async def test_odd_texts_are_found_as_what_they_are(plain_shelf: SqlShelf, opened: Opener) -> None:
    store = await opened(plain_shelf)
    for number, text in enumerate(ODD):
        plain_shelf.put_token(text, f"user {number} {text}", 600)
        plain_shelf.put_membership(f"user {number} {text}", str(number), "")
    for number, text in enumerate(ODD):
        token = await store.look_up(text)
        assert token is not None, text
        assert token.user == f"user {number} {text}"
        assert [one.organization for one in await store.memberships(token.user)] == [str(number)]
