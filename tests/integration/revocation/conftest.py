"""One Postgres for all tests of revocation here, and a router on each kind of store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from postgres_server import PostgresServer

from .rights import Door, PostgresRows, SqliteRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .rights import Rows


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["postgres", "sqlite"])
def rows(request: pytest.FixtureRequest) -> Callable[[str], Rows]:
    """Makes the tables of a store of each kind."""
    if request.param == "sqlite":
        return SqliteRows
    server: PostgresServer = request.getfixturevalue("postgres")
    return partial(_postgres_rows, server)


@pytest.fixture
def door(rows: Callable[[str], Rows]) -> Iterator[Door]:
    """A router on each kind of store, listening to it."""
    with Door(rows) as door:
        door.wait_until_it_hears()
        yield door


@pytest.fixture
def postgres_rows(postgres: PostgresServer) -> Callable[[str], Rows]:
    """Makes the tables in Postgres, for what only Postgres does."""
    return partial(_postgres_rows, postgres)


@pytest.fixture
def postgres_door(postgres_rows: Callable[[str], Rows]) -> Iterator[Door]:
    with Door(postgres_rows) as door:
        door.wait_until_it_hears()
        yield door


def _postgres_rows(server: PostgresServer, _folder: str) -> Rows:
    return PostgresRows(server)
