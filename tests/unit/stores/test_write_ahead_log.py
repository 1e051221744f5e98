"""Several may prepare one SQLite file at a time: who comes while another reads waits for it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wampgate.stores import preparing
from wampgate.stores.preparing import use_write_ahead_log

if TYPE_CHECKING:
    from pathlib import Path


def connection_to(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


def reading(path: Path) -> sqlite3.Connection:
    """Someone in the middle of reading."""
    connection = connection_to(path)
    connection.execute("CREATE TABLE IF NOT EXISTS kept (number)")
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM kept").fetchall()
    return connection


def test_it_waits_for_who_reads(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with closing(reading(path)) as reader, closing(connection_to(path)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("PRAGMA journal_mode = WAL")
        timer = threading.Timer(0.2, reader.execute, ["COMMIT"])
        timer.start()
        use_write_ahead_log(connection)
        timer.join()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "LOCK_SECONDS", 0.1)
    path = tmp_path / "store.sqlite3"
    with (
        closing(reading(path)),
        closing(connection_to(path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        use_write_ahead_log(connection)
