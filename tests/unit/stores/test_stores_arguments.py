"""What the stores' constructors refuse, and that they need no running reactor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.sqlite import SqliteTokenStore


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pool_size": 0}, "pool_size is 0"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": -1.0}, "timeout is -1.0"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"token_hash": "md5"}, "token_hash is 'md5'"),
        ({"dsn": "canary"}, "Postgres DSN"),
        ({"listen_dsn": "canary"}, "Postgres DSN"),
        ({"token_query": "SELECT 1"}, r"token_query does not use its parameter %\(token\)s"),
        ({"membership_query": "SELECT %(token)s"}, "membership_query does not use"),
        ({"token_query": "SELECT %(token)s, %(tokem)s"}, "a parameter that there is not: tokem"),
        ({"token_query": "SELECT %(token)s LIKE 'a%'"}, "write %%"),
    ],
)
def test_postgres(options: dict[str, Any], says: str) -> None:
    clock: Any = Clock()
    with pytest.raises(ValueError, match=says):
        PostgresTokenStore(clock, **({"dsn": "host=db"} | options))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout": 0}, "timeout is 0"),
        ({"token_hash": "md5"}, "token_hash is 'md5'"),
        ({"timezone": "Middle/Earth"}, "time zone"),
        ({"poll_seconds": 0}, "poll_seconds is 0"),
        ({"poll_seconds": float("inf")}, "poll_seconds is inf"),
        ({"token_query": "SELECT 1"}, "token_query does not use its parameter :token"),
        ({"membership_query": "SELECT :token"}, "membership_query does not use its parameter :user"),
    ],
)
def test_sqlite(options: dict[str, Any], says: str) -> None:
    clock: Any = Clock()
    with pytest.raises(ValueError, match=says):
        SqliteTokenStore(clock, path=Path("x"), **options)


def test_making_a_store_does_nothing_yet(tmp_path: Path) -> None:
    clock: Any = Clock()
    postgres = PostgresTokenStore(clock, dsn="host=db password=canary")
    sqlite = SqliteTokenStore(clock, path=tmp_path / "none")
    assert not clock.getDelayedCalls()
    assert not list(tmp_path.iterdir())
    assert not postgres.ready
    assert not sqlite.ready
    assert "canary" not in repr(postgres)
