"""Creates the tables that the token stores ask, in a new installation; what is there already stays as it is."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import psycopg2

from wampgate.core.errors import WampgateError
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.presets import OUR_TABLE, PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from wampgate.stores.presets import TokenTable

Kind = Literal["postgres", "sqlite", "outbox"]
Part = Literal["credentials", "cookies"]
"""What not every installation uses: the table of credentials, that of session cookies."""

ALL_PARTS: Final[tuple[Part, ...]] = ("credentials", "cookies")

CONNECT_SECONDS: Final = 10
LOCK_SECONDS: Final = 5
_LOCK_STEP: Final = 0.02
_TOKEN_TRIGGERS: Final = "postgres_token_triggers.sql"  # noqa: S105 - a file's name
_FILES: Final[dict[Kind, tuple[str, ...]]] = {
    "postgres": (
        "postgres.sql",
        "postgres_tell.sql",
        _TOKEN_TRIGGERS,
        "postgres_member_triggers.sql",
    ),
    "sqlite": ("sqlite.sql",),
    "outbox": ("outbox.sql",),
}
_PARTS: Final[dict[tuple[Kind, Part], tuple[str, ...]]] = {
    ("postgres", "credentials"): ("postgres_credentials.sql", "postgres_tell.sql", "postgres_credential_triggers.sql"),
    ("postgres", "cookies"): ("postgres_cookies.sql",),
    ("sqlite", "credentials"): ("sqlite_credentials.sql",),
    ("sqlite", "cookies"): ("sqlite_cookies.sql",),
}
_NAME: Final = re.compile(
    r"CREATE (?:OR REPLACE )?(?P<what>TABLE|INDEX|FUNCTION|TRIGGER) (?:IF NOT EXISTS )?(?P<name>\w+)"
    r"(?:[A-Z ]* ON (?P<table>\w+))?"
).match

# Each finds out whether a table or an index is there.
_POSTGRES_EXISTS: Final = "SELECT to_regclass(%s) IS NOT NULL"
_POSTGRES_TRIGGER_EXISTS: Final = (
    "SELECT count(*) > 0 FROM pg_catalog.pg_trigger WHERE tgname = %s AND tgrelid = to_regclass(%s)"
)
_SQLITE_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE name = ?"


class PreparationFailed(WampgateError, ValueError):
    """The database that was named can't be prepared; says why and what to do, without secrets."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a schema.

    Attributes:
        what: what it creates: ``TABLE``, ``INDEX``, ``FUNCTION`` or ``TRIGGER``.
        name: the name of that.
        table: for an index or a trigger, the table it is on.
        sql: the statement, without the semicolon.
        explanation: what for, in a sentence or a few.
    """

    what: str
    name: str
    table: str
    sql: str
    explanation: str


def statements(kind: Kind, preset: str | None = None, parts: Collection[Part] | None = None) -> list[Statement]:
    """What makes a database ready, in order. Tables and indexes that are there stay as they are.

    Args:
        kind: which database; "outbox" for that in Postgres.
        preset: a key of :data:`wampgate.stores.presets.PRESETS`, if another server's tables hold the
            tokens: then no table for tokens is made, and the triggers are for those.
        parts: what else is wanted; None for all of it in a database of our own, and for none in that of a
            preset's server, where nobody asked for more tables.
    """
    if parts is None:
        parts = () if preset is not None or kind == "outbox" else ALL_PARTS
    more = [file for part in ALL_PARTS if part in parts for file in _PARTS[kind, part]]

    tables = (OUR_TABLE,) if preset is None else PRESETS[preset].tables
    # Whether the triggers' function is wanted is known once all tables have been looked for.
    in_order = sorted(
        dict.fromkeys((*_FILES[kind], *more)), key=lambda file: ("tell" in file) + 2 * ("trigger" in file)
    )
    made = [_statement(block) for file in in_order for block in _blocks(file, tables)]
    if preset is None:
        return made
    ours = OUR_TABLE.name
    return [one for one in made if one.what == "TRIGGER" or ours not in (one.name, one.table)]


def removal_of_triggers() -> str:
    """The statement that takes the triggers on Postgres' tables away again, with its explanation."""
    return "\n\n".join(_blocks("postgres_triggers_removal.sql", ()))


def _blocks(file: str, token_tables: Sequence[TokenTable]) -> list[str]:
    """A schema file's statements with the comments before them; a blank line separates two."""
    text = files("wampgate.stores").joinpath("schema", file).read_text(encoding="utf-8")
    blocks = [block.strip() for block in text.split("\n\n")]
    blocks = [block for block in blocks if not all(line.startswith("--") for line in block.splitlines())]
    if file != _TOKEN_TRIGGERS:
        return blocks
    return [block.format(table=one.name, arguments=_arguments(one)) for one in token_tables for block in blocks]


def _arguments(table: TokenTable) -> str:
    return ", ".join(f"'{argument}'" for argument in (table.column, *(table.owner or ())))


def _statement(block: str) -> Statement:
    """A block of the schema file: comment lines, then one statement."""
    lines = block.splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if not line.startswith("--")).removesuffix(";")
    named = _NAME(sql)
    assert named is not None, sql  # noqa: S101 - the files are ours
    return Statement(named["what"], named["name"], named["table"] or "", sql, " ".join(comment))


def tables_that_do_not_tell(dsn: str, preset: str | None = None, parts: Collection[Part] | None = None) -> list[str]:
    """The tables in a Postgres database that lack a trigger that tells of changes. Blocks: not for the reactor.

    Args:
        dsn: libpq's connection string or URI.
        preset: see :func:`statements`.
        parts: likewise.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    with _connected(dsn) as cursor:
        return list(dict.fromkeys(trigger.table for trigger in _missing_triggers(cursor, preset, parts)))


def missing_triggers(dsn: str, preset: str) -> list[Statement]:
    """What makes a preset's tables tell of changes, in order; empty if they do. Blocks: not for the reactor.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses, or a table is not there.
    """
    tables = [table.name for table in PRESETS[preset].tables]
    with _connected(dsn) as cursor:
        for table in tables:
            cursor.execute(_POSTGRES_EXISTS, (table,))
            if not cursor.fetchone()[0]:
                raise PreparationFailed(
                    f"Postgres {PostgresAddress(dsn)} has no table {table}, which the preset {preset} asks:"
                    " let that server's migrations make it, then run this again."
                )
        triggers = [trigger for trigger in _missing_triggers(cursor, preset) if trigger.table in tables]
    function = [one for one in statements("postgres", preset) if one.what == "FUNCTION"]
    return [*function, *triggers] if triggers else []


def install(dsn: str, missing: Sequence[Statement]) -> bool:
    """Run statements, all or nothing. Blocks: not for the reactor.

    Args:
        dsn: libpq's connection string or URI, of a role that may do so.
        missing: what :func:`missing_triggers` returned.

    Returns:
        Whether the role had the right; if not, nothing was done.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    with _connected(dsn) as cursor:
        # Who waits for the lock makes all who want to write wait behind.
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f}")
        try:
            for statement in missing:
                cursor.execute(statement.sql)
        except psycopg2.errors.InsufficientPrivilege:
            cursor.connection.rollback()
            return False
        return True


def _missing_triggers(cursor: Any, preset: str | None, parts: Collection[Part] | None = None) -> list[Statement]:
    missing = []
    for statement in statements("postgres", preset, parts):
        if statement.what == "TRIGGER":
            cursor.execute(_POSTGRES_TRIGGER_EXISTS, (statement.name, statement.table))
            if not cursor.fetchone()[0]:
                missing.append(statement)
    return missing


def prepare_postgres(dsn: str, preset: str | None = None, parts: Collection[Part] | None = None) -> list[str]:
    """Create what is missing in a Postgres database, all or nothing. Blocks: not for the reactor.

    Args:
        dsn: libpq's connection string or URI, of a role that may create tables.
        preset: see :func:`statements`.
        parts: likewise.

    Returns:
        The names of what was created; empty if all tables and indexes were there. Only tables that are
        created get triggers; for those of a preset's server see :func:`missing_triggers`.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    with _connected(dsn) as cursor:
        return _create(statements("postgres", preset, parts), cursor.execute, cursor.fetchone, _POSTGRES_EXISTS)


def prepare_outbox(dsn: str) -> list[str]:
    """Create what is missing of an outbox in a Postgres database, all or nothing. Blocks: not for the reactor.

    Args:
        dsn: libpq's connection string or URI, of a role that may create tables.

    Returns:
        The names of what was created; empty if all tables and indexes were there.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    with _connected(dsn) as cursor:
        return _create(statements("outbox"), cursor.execute, cursor.fetchone, _POSTGRES_EXISTS)


def missing_in_postgres(
    dsn: str, kind: Kind, preset: str | None = None, parts: Collection[Part] | None = None
) -> list[str]:
    """What :func:`prepare_postgres` or, for the kind "outbox", :func:`prepare_outbox` would create; nothing is changed.

    Raises:
        ValueError: the DSN can't be read.
        PreparationFailed: the server can't be reached or refuses.
    """
    with _connected(dsn) as cursor:
        return _create(statements(kind, preset, parts), _looking(cursor.execute), cursor.fetchone, _POSTGRES_EXISTS)


def missing_in_sqlite(path: Path) -> list[str]:
    """What :func:`prepare_sqlite` would create; nothing is changed, nor the file made.

    Raises:
        PreparationFailed: the file is no SQLite database, or can't be read.
    """
    if not path.exists():
        return [statement.name for statement in statements("sqlite")]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            cursor = connection.cursor()
            return _create(statements("sqlite"), _looking(cursor.execute), cursor.fetchone, _SQLITE_EXISTS)
    except sqlite3.Error as error:
        raise PreparationFailed(f"SQLite {path} can't be read: {error}. It must be a SQLite database.") from None


def _looking(execute: Callable[..., object]) -> Callable[..., object]:
    """Runs the questions, which alone have parameters, and nothing else."""
    return lambda sql, *parameters: execute(sql, *parameters) if parameters else None


@contextmanager
def _connected(dsn: str) -> Iterator[Any]:
    """One transaction on a connection of its own; psycopg2 has no types."""
    address = PostgresAddress(dsn)
    try:
        with (
            closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            yield cursor
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
    """Let readers and a writer work at the same time; kept in the file, not possible in a transaction.

    Raises:
        sqlite3.OperationalError: someone has kept the file locked for long.
    """
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # Whoever finds the file in use is refused at once, whatever its timeout.
            if time.monotonic() >= until:
                raise
            time.sleep(_LOCK_STEP)
        else:
            return


def _create(
    schema: Sequence[Statement], execute: Callable[..., object], fetchone: Callable[[], Any], exists: str
) -> list[str]:
    tables: list[str] = []
    created = []
    for statement in schema:
        if statement.what in ("TABLE", "INDEX"):
            execute(exists, (statement.name,))
            wanted = not fetchone()[0]
        else:
            # Nobody who did not ask for it gets a trigger on a table of his own.
            wanted = statement.table in tables if statement.table else bool(tables)
        if wanted:
            execute(statement.sql)
            created.append(statement.name)
            tables += [statement.name] if statement.what == "TABLE" else []
    return list(dict.fromkeys(created))
