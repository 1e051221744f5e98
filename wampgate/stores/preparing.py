"""Creates the tables that the token stores ask, in a new installation; what is there already stays as it is."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import psycopg2

from wampgate.core.errors import WampgateError
from wampgate.stores.postgres_address import PostgresAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Kind = Literal["postgres", "sqlite"]

CONNECT_SECONDS: Final = 10
_NAME: Final = re.compile(r"CREATE (?P<what>TABLE|INDEX) IF NOT EXISTS (?P<name>\w+)").match

# Each finds out whether a table or an index is there.
_POSTGRES_EXISTS: Final = "SELECT to_regclass(%s) IS NOT NULL"
_SQLITE_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE name = ?"


class PreparationFailed(WampgateError, ValueError):
    """The database that was named can't be prepared; says why and what to do, without secrets."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a schema.

    Attributes:
        name: the table or index that it creates.
        sql: the statement, without the semicolon.
        explanation: what for, in one sentence.
    """

    name: str
    sql: str
    explanation: str


def statements(kind: Kind) -> list[Statement]:
    """What makes a new database ready, in order; each does nothing if its table or index is there."""
    text = files("wampgate.stores").joinpath("schema", f"{kind}.sql").read_text(encoding="utf-8")
    blocks = [block for block in text.split("\n\n") if "CREATE" in block]
    return [_statement(block) for block in blocks]


def _statement(block: str) -> Statement:
    """A block of the schema file: comment lines, then one statement."""
    lines = block.strip().splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if not line.startswith("--")).removesuffix(";")
    named = _NAME(sql)
    assert named is not None, sql  # noqa: S101 - the files are ours
    return Statement(named["name"], sql, " ".join(comment))


def prepare_postgres(dsn: str) -> list[str]:
    """Create what is missing in a Postgres database, all or nothing. Blocks: not for the reactor.

    Args:
        dsn: libpq's connection string or URI, of a role that may create tables.

    Returns:
        The names of the tables and indexes that were created; empty if all were there.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    address = PostgresAddress(dsn)
    try:
        with (
            closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as connection,
            connection,  # one transaction
            connection.cursor() as cursor,
        ):
            return _create(statements("postgres"), cursor.execute, cursor.fetchone, _POSTGRES_EXISTS)
    except psycopg2.Error as error:
        reason = address.redacted(str(error))
        raise PreparationFailed(
            f"Postgres {address} could not be prepared: {reason}."
            " The role must be allowed to connect and to create tables."
        ) from None


def prepare_sqlite(path: Path) -> list[str]:
    """Create what is missing in a SQLite file, and the file itself, readable by its owner alone.

    Returns:
        The names of the tables and indexes that were created; empty if all were there.

    Raises:
        PreparationFailed: the file is no SQLite database, or can't be written.
    """
    try:
        create_private_file(path)
        with closing(sqlite3.connect(path, timeout=CONNECT_SECONDS, isolation_level=None)) as connection:
            created = create_sqlite_tables(connection)
            use_write_ahead_log(connection)
            return created
    except (sqlite3.Error, OSError) as error:
        raise PreparationFailed(
            f"SQLite {path} could not be prepared: {error}."
            " The path must be a new file or a SQLite database, in a folder that can be written to."
        ) from None


def create_private_file(path: Path) -> None:
    """Make an empty file that only its owner can read, and its folder; nothing happens if it is there.

    SQLite would make it readable for all who may, and gives its log files the mode of the database.

    Raises:
        OSError: it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def create_sqlite_tables(connection: sqlite3.Connection, *more: str) -> list[str]:
    """Create what is missing and run more statements, all or nothing; the names of what was created."""
    cursor = connection.execute("BEGIN IMMEDIATE")
    try:
        created = _create(statements("sqlite"), cursor.execute, cursor.fetchone, _SQLITE_EXISTS)
        for statement in more:
            cursor.execute(statement)
        cursor.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return created


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at the same time; kept in the file, not possible in a transaction."""
    connection.execute("PRAGMA journal_mode = WAL")


def _create(
    schema: Sequence[Statement], execute: Callable[..., object], fetchone: Callable[[], Any], exists: str
) -> list[str]:
    created = []
    for statement in schema:
        execute(exists, (statement.name,))
        if not fetchone()[0]:
            execute(statement.sql)
            created.append(statement.name)
    return created
