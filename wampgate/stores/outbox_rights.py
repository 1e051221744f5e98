"""What a role needs to use an outbox, and whether it has it: for the command line, not for the reactor."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import files
from typing import Any, Final

import psycopg2

from wampgate.core.errors import WampgateError
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.preparing import CONNECT_SECONDS

_RIGHTS: Final = (
    ("wampgate_outbox", "SELECT", ""),
    ("wampgate_outbox", "UPDATE", "place"),
    ("wampgate_outbox", "DELETE", ""),
    ("wampgate_outbox_state", "SELECT", ""),
    ("wampgate_outbox_state", "INSERT", ""),
    ("wampgate_outbox_state", "UPDATE", ""),
    ("wampgate_outbox_nodes", "SELECT", ""),
    ("wampgate_outbox_nodes", "INSERT", ""),
    ("wampgate_outbox_nodes", "UPDATE", ""),
    ("wampgate_outbox_dead", "SELECT", ""),
    ("wampgate_outbox_dead", "INSERT", ""),
    ("wampgate_outbox_dead", "DELETE", ""),
)

_TABLE: Final = "SELECT to_regclass(%s) IS NOT NULL"
_TABLE_RIGHT: Final = "SELECT has_table_privilege(%s, %s)"
_COLUMN_RIGHT: Final = "SELECT has_column_privilege(%s, %s, %s)"
_TRIGGER: Final = """
SELECT count(*) > 0 FROM pg_catalog.pg_trigger
WHERE tgname = 'wampgate_outbox_wakes' AND tgrelid = to_regclass('wampgate_outbox') AND tgenabled IN ('O', 'A')
"""


class OutboxUnusable(WampgateError):
    """An outbox's database can't be reached; says why, without secrets."""


def grants(router: str, backend: str) -> str:
    """The statements that give two roles what they need, each with its explanation.

    Args:
        router: the role that the bridge connects as, as an SQL identifier.
        backend: the role that inserts, likewise.
    """
    text = files("wampgate.stores").joinpath("schema", "outbox_grants.sql").read_text(encoding="utf-8")
    _, _, statements = text.partition("\n\n")
    return statements.format(router=router, backend=backend).strip()


def look_at(dsn: str, *, removes: bool = True) -> tuple[list[str], list[str]]:
    """What keeps a router from using an outbox, and what is only worth knowing; both empty if all is well. Blocks.

    Args:
        dsn: libpq's connection string or URI, of the role that the router has.
        removes: whether the router removes old rows.

    Raises:
        ValueError: the DSN can't be read.
        OutboxUnusable: the server can't be reached, or does not answer.
    """
    address = PostgresAddress(dsn)
    try:
        with (
            closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as connection,
            connection.cursor() as cursor,
        ):
            faults = _faults(cursor, removes=removes)
            return faults, [] if faults else _notes(cursor)
    except psycopg2.Error as error:
        raise OutboxUnusable(f"Postgres {address} can't be asked: {address.redacted(str(error))}") from None


def _faults(cursor: Any, *, removes: bool) -> list[str]:
    tables = dict.fromkeys(table for table, _, _ in _RIGHTS)
    missing = [table for table in tables if not _is(cursor, _TABLE, table)]
    if missing:
        return [f"there is no table {', '.join(missing)}: run `wampgate init` with a role that may create tables"]
    if _is(cursor, "SELECT pg_catalog.pg_is_in_recovery()"):
        return ["the dsn leads to a replica, where nothing can be noted: let it lead to the primary"]
    return [
        f"the role lacks a right: GRANT {right}{f' ({column})' if column else ''} ON {table}"
        for table, right, column in _RIGHTS
        if (removes or (table, right) != ("wampgate_outbox", "DELETE")) and not _may(cursor, table, right, column)
    ]


def _notes(cursor: Any) -> list[str]:
    if _is(cursor, _TRIGGER):
        return []
    return ["the trigger wampgate_outbox_wakes is missing: new rows are only found by looking"]


def _may(cursor: Any, table: str, right: str, column: str) -> bool:
    if column:
        return _is(cursor, _COLUMN_RIGHT, table, column, right)
    return _is(cursor, _TABLE_RIGHT, table, right)


def _is(cursor: Any, query: str, *parameters: str) -> bool:
    cursor.execute(query, parameters)
    return bool(cursor.fetchone()[0])
