"""Looks at a token store as the router will use it: for the command line, not for the reactor."""

from __future__ import annotations

import secrets
import select
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg2

from wampgate.findings import Finding, NotWell, timed
from wampgate.stores.instants import seconds_since_1970
from wampgate.stores.postgres import CREDENTIALS_QUERY, MEMBERSHIP_QUERY, TOKEN_QUERY
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.preparing import CONNECT_SECONDS, tables_that_do_not_tell
from wampgate.stores.questions import RowsUnusable, memberships_of, stored_form, token_of
from wampgate.stores.sqlite import MEMBERSHIP_QUERY as SQLITE_MEMBERSHIP_QUERY
from wampgate.stores.sqlite import TOKEN_QUERY as SQLITE_TOKEN_QUERY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from wampgate.stores.preparing import Part
    from wampgate.stores.questions import TokenHash

NOBODYS: Final = "wampgate check asks for this, and it is not there"
_IDS: Final = (NOBODYS, "0", "00000000-0000-0000-0000-000000000000")
"""What a user's id may look like: text, a number, a UUID."""

_HEARS_SECONDS: Final = 3.0
_TELLING: Final = """
SELECT DISTINCT tgrelid::regclass::text FROM pg_catalog.pg_trigger
WHERE tgfoid IN (SELECT oid FROM pg_catalog.pg_proc WHERE proname = 'wampgate_tell') AND tgenabled <> 'D'
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a store is asked.

    Attributes:
        token_query: the configured query; None for the default.
        membership_query: likewise.
        credentials_query: likewise.
        token_hash: how tokens lie in the table.
        timezone: the zone of times without one.
    """

    token_query: str | None = None
    membership_query: str | None = None
    credentials_query: str | None = None
    token_hash: TokenHash = "sha256"  # noqa: S105 - a kind, no token
    timezone: str = "UTC"


def look_at_postgres(
    dsn: str,
    asked: Asked,
    *,
    listen_dsn: str | None = None,
    preset: str | None = None,
    parts: Collection[Part] = (),
    own_tables: bool = True,
) -> Iterator[Finding]:
    """What a Postgres store is like, one thing after the other; ends where nothing more can be told. Blocks.

    Args:
        dsn: libpq's connection string or URI.
        asked: the queries.
        listen_dsn: how changes are heard of, where that is another way.
        preset: whose tables hold the tokens.
        parts: which tables are asked beside those of tokens and memberships.
        own_tables: whether the tables are known, so that missing triggers can be named.
    """
    address = PostgresAddress(dsn)
    opened: list[Any] = []
    first = timed("connection", lambda: _connect(dsn, address, opened))
    yield first
    if not opened:
        return
    with closing(opened[0]) as connection:
        for what, query, parameters, read in _questions(asked, parts):
            yield timed(what, lambda q=query, p=parameters, r=read: _ask(connection, address, q, p, r))  # type: ignore[misc]  # mypy can't infer a lambda's defaults
        yield timed("indexes", lambda: _indexes(connection, address, asked))
        yield timed("hearing of changes", lambda: _hear(listen_dsn or dsn))
        yield timed("triggers", lambda: _triggers(connection, address, dsn, preset, parts, own_tables=own_tables))


def look_at_sqlite(path: Path, asked: Asked) -> Iterator[Finding]:
    """What a SQLite store is like, likewise."""
    opened: list[sqlite3.Connection] = []
    yield timed("file", lambda: _open_sqlite(path, opened))
    if not opened:
        return
    with closing(opened[0]) as connection:
        token = stored_form(NOBODYS, asked.token_hash)
        yield timed(
            "token query",
            lambda: _ask_sqlite(
                connection,
                asked.token_query or SQLITE_TOKEN_QUERY,
                {"token": token, "timezone": asked.timezone},
                _tokens,
            ),
        )
        yield timed(
            "membership query",
            lambda: _ask_sqlite(
                connection,
                asked.membership_query or SQLITE_MEMBERSHIP_QUERY,
                {"user": NOBODYS, "timezone": asked.timezone},
                memberships_of,
            ),
        )


def _connect(dsn: str, address: PostgresAddress, opened: list[Any]) -> str:
    try:
        connection = psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)
    except psycopg2.Error as error:
        raise NotWell(
            f"Postgres {address}: {address.redacted(str(error))}", "start it, or mend the dsn: host, user, password"
        ) from None
    connection.set_session(readonly=True, autocommit=True)
    opened.append(connection)
    encrypted = "with TLS" if connection.info.ssl_in_use else "without TLS"
    return f"Postgres {connection.info.server_version // 10000} at {address}, {encrypted}"


def _questions(
    asked: Asked, parts: Collection[Part]
) -> Iterator[tuple[str, str, dict[str, str], Callable[[Sequence[Sequence[Any]]], object]]]:
    zone = {"timezone": asked.timezone}
    token = stored_form(NOBODYS, asked.token_hash)
    yield "token query", asked.token_query or TOKEN_QUERY, {"token": token} | zone, _tokens
    yield "membership query", asked.membership_query or MEMBERSHIP_QUERY, {"user": NOBODYS} | zone, memberships_of
    if "credentials" in parts:
        known = {"authmethod": "wampcra", "authid": NOBODYS, "key": ""}
        yield "credentials query", asked.credentials_query or CREDENTIALS_QUERY, known | zone, list


def _tokens(rows: Sequence[Sequence[Any]]) -> object:
    return token_of(rows, allow_null_expires=True)


def _ask(
    connection: Any,
    address: PostgresAddress,
    query: str,
    parameters: Mapping[str, str],
    read: Callable[[Sequence[Sequence[Any]]], object],
) -> str:
    """Ask for what is not there; the answer has to have the columns that the router will read."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            names = [column.name for column in cursor.description or ()]
            read(cursor.fetchall())
    except psycopg2.errors.InvalidTextRepresentation:
        # The column is a number or a UUID: there the router takes it for "not found" as well.
        return "answers (ids are no texts here)"
    except (psycopg2.Error, RowsUnusable) as error:
        raise NotWell(
            address.redacted(str(error).partition("\n")[0]), "`wampgate init` makes the tables; docs/postgres.md"
        ) from None
    return f"answers with {', '.join(names)}"


def _indexes(connection: Any, address: PostgresAddress, asked: Asked) -> str:
    """Whether the queries can use indexes: with scans switched off, only what has none is still scanned."""
    scanned: list[str] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
            for _, query, parameters, _ in _questions(asked, ()):
                scanned += _scans(_plan(cursor, query, parameters))
            cursor.execute("RESET enable_seqscan")
    except psycopg2.Error as error:
        reason = address.redacted(str(error).partition("\n")[0])
        raise NotWell(f"can't be told: {reason}", state="notable") from None
    if scanned:
        tables = " and ".join(dict.fromkeys(scanned))
        raise NotWell(
            f"every question reads all of {tables}",
            "CREATE INDEX on the column that the query compares",
            state="notable",
        )
    return "every question uses one"


def _plan(cursor: Any, query: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """How Postgres would answer a query, also where ids are no texts."""
    explain = f"EXPLAIN (FORMAT JSON) {query.strip().rstrip(';')}"
    for value in _IDS:
        try:
            cursor.execute(explain, {**parameters, "user": value} if "user" in parameters else parameters)
            break
        except psycopg2.errors.InvalidTextRepresentation:
            continue
    else:
        return {}
    plan: Mapping[str, Any] = cursor.fetchone()[0][0]["Plan"]
    return plan


def _scans(plan: Mapping[str, Any]) -> list[str]:
    """The tables that a plan reads from end to end."""
    mine = [str(plan["Relation Name"])] if plan.get("Node Type") == "Seq Scan" else []
    return [*mine, *(table for inner in plan.get("Plans", ()) for table in _scans(inner))]


def _hear(dsn: str) -> str:
    """Listen on one connection and tell on another, on a channel of our own."""
    address = PostgresAddress(dsn)
    channel = f"wampgate_check_{secrets.token_hex(8)}"
    advice = "let listen_dsn lead to the primary itself, past PgBouncer and replicas"
    try:
        with closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as ear:
            ear.autocommit = True
            with ear.cursor() as cursor:
                cursor.execute(f"LISTEN {channel}")
            with closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as mouth, mouth, mouth.cursor() as say:
                say.execute("SELECT pg_notify(%s, '')", (channel,))
            if not ear.notifies:
                select.select([ear], [], [], _HEARS_SECONDS)
                ear.poll()
            heard = bool(ear.notifies)
    except psycopg2.Error as error:
        raise NotWell(address.redacted(str(error).partition("\n")[0]), advice, state="notable") from None
    if not heard:
        raise NotWell("what is told is not heard: revocations are found by asking again", advice, state="notable")
    return f"LISTEN works at {address}"


def _triggers(
    connection: Any,
    address: PostgresAddress,
    dsn: str,
    preset: str | None,
    parts: Collection[Part],
    *,
    own_tables: bool,
) -> str:
    advice = "`wampgate init` installs them, or `wampgate init --show` prints them for the tables' owner"
    with connection.cursor() as cursor:
        cursor.execute(_TELLING)
        telling = sorted(table for (table,) in cursor.fetchall())
    silent = tables_that_do_not_tell(dsn, preset, parts) if own_tables else []
    if silent or not telling:
        which = " and ".join(silent) or "no table"
        verb = "does not tell" if silent and len(silent) == 1 else "do not tell" if silent else "tells"
        raise NotWell(
            f"{which} {verb} of changes at {address}: revocations are found by asking again", advice, state="notable"
        )
    return f"{', '.join(telling)} tell of changes"


def _open_sqlite(path: Path, opened: list[sqlite3.Connection]) -> str:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=CONNECT_SECONDS)
        connection.create_function("seconds_since_1970", 2, seconds_since_1970, deterministic=True)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise NotWell(f"SQLite {path}: {error}", "`wampgate init` makes it") from None
    opened.append(connection)
    return f"SQLite {path}"


def _ask_sqlite(
    connection: sqlite3.Connection,
    query: str,
    parameters: Mapping[str, str],
    read: Callable[[Sequence[Sequence[Any]]], object],
) -> str:
    try:
        cursor = connection.execute(query, parameters)
        read(cursor.fetchall())
    except (sqlite3.Error, RowsUnusable) as error:
        raise NotWell(str(error), "`wampgate init` makes the tables") from None
    return f"answers with {len(cursor.description)} columns"
