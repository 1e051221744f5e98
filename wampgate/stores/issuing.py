"""Tokens and memberships in wampgate's own tables: made, listed and taken away, for the command line, not the reactor.

Who is here meanwhile notices at once: Postgres' triggers tell of each change, SQLite's file is watched.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg2

from wampgate.core.errors import WampgateError
from wampgate.stores.instants import seconds_since_1970
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.preparing import CONNECT_SECONDS
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wampgate.stores.questions import TokenHash

CLIENT: Final = "wampgate"
"""The client that tokens of ours are issued to."""

DIGITS: Final = 12
"""So many of a token's digest are shown; by them it can be revoked."""

_TOKENS: Final = "SELECT access_token, client_id, user_id, {expires} FROM oauth_access_tokens"
_POSTGRES_EXPIRES: Final = """
CASE WHEN expires::timestamptz < 'infinity' THEN GREATEST(expires::timestamptz, 'epoch') END AS until
"""

_MEMBERS: Final = "SELECT organization_id, user_id, role FROM organization_members"


class TablesUnusable(WampgateError):
    """The tables can't be read or written; says why and what to do, without secrets."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, without itself.

    Attributes:
        digest: the first digits of its SHA-256.
        user: whose it is; None for nobody's.
        client: the application it was issued to.
        expires: until when it is good; None for ever.
    """

    digest: str
    user: str | None
    client: str
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Member:
    """A membership.

    Attributes:
        organization: the organization's id.
        user: the user's.
        role: the role there; empty for a plain member.
    """

    organization: str
    user: str
    role: str


class Tables:
    """The two tables of one store, in one transaction; made by :func:`open_postgres` and :func:`open_sqlite`.

    Args:
        cursor: of the database's driver.
        mark: how the driver marks a parameter: ``%s`` or ``?``.
        expires: the expression for a token's end.
        token_hash: how tokens lie in the table.
    """

    def __init__(self, cursor: Any, mark: str, expires: str, token_hash: TokenHash) -> None:
        self._cursor = cursor
        self._mark = mark
        self._tokens = _TOKENS.format(expires=expires)
        self._token_hash: TokenHash = token_hash

    # --- tokens ---

    def create(self, user: str, expires: datetime | None) -> tuple[str, str]:
        """Make a token for a user; the token, which is kept nowhere, and the digits by which it is listed."""
        token = secrets.token_urlsafe(32)
        self._run(
            "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires) VALUES (?, ?, ?, ?)",
            stored_form(token, self._token_hash),
            CLIENT,
            user,
            self._instant(expires),
        )
        return token, _digest(token)

    def tokens(self, user: str | None = None, limit: int | None = None) -> list[Issued]:
        """The tokens of a user, or of all; those that last longest first."""
        condition = "" if user is None else " WHERE user_id = ?"
        end = "" if limit is None else f" LIMIT {limit:d}"
        self._run(f"{self._tokens}{condition} ORDER BY expires DESC{end}", *([] if user is None else [user]))
        return [self._issued(row) for row in self._cursor.fetchall()]

    def revoke(self, token: str) -> list[Issued]:
        """Take a token away; it, or nothing if there is none."""
        stored = stored_form(token, self._token_hash)
        self._run(f"{self._tokens} WHERE access_token = ?", stored)
        return self._take_away(self._cursor.fetchall())

    def revoke_all_of(self, user: str) -> list[Issued]:
        """Take all tokens of a user away; them."""
        self._run(f"{self._tokens} WHERE user_id = ?", user)
        return self._take_away(self._cursor.fetchall())

    def with_digest(self, digits: str) -> list[Issued]:
        """The tokens whose digest begins with some hexadecimal digits."""
        return [self._issued(row) for row in self._rows_with(digits)]

    def revoke_digest(self, digits: str) -> list[Issued]:
        """Take away the tokens whose digest begins with some hexadecimal digits; them."""
        return self._take_away(self._rows_with(digits))

    def _rows_with(self, digits: str) -> list[Any]:
        if self._token_hash == "sha256":  # noqa: S105 - a kind, no token
            self._run(f"{self._tokens} WHERE access_token LIKE ?", f"{digits}%")
            return list(self._cursor.fetchall())
        # What lies there is the tokens themselves: no database that we know finds them by their digest.
        self._run(self._tokens)
        return [row for row in self._cursor.fetchall() if self._digest_of(row[0]).startswith(digits)]

    def _take_away(self, rows: Sequence[Any]) -> list[Issued]:
        for row in rows:
            self._run("DELETE FROM oauth_access_tokens WHERE access_token = ?", row[0])
        return [self._issued(row) for row in rows]

    def _issued(self, row: Any) -> Issued:
        stored, client, user, expires = row
        return Issued(self._digest_of(stored)[:DIGITS], None if user is None else str(user), str(client), expires)

    def _digest_of(self, stored: str) -> str:
        return stored if self._token_hash == "sha256" else _digest(stored)  # noqa: S105 - a kind, no token

    # --- memberships ---

    def members(self, organization: str | None = None, user: str | None = None) -> list[Member]:
        """The memberships of an organization, of a user, or all."""
        given = {"organization_id": organization, "user_id": user}
        named = {column: value for column, value in given.items() if value is not None}
        condition = " AND ".join(f"{column} = ?" for column in named) or "1 = 1"
        # Columns are ours; what was given goes in as parameters.
        query = f"{_MEMBERS} WHERE {condition} ORDER BY organization_id, user_id"
        self._run(query, *named.values())
        return [Member(*map(str, row)) for row in self._cursor.fetchall()]

    def add(self, organization: str, user: str, role: str) -> None:
        """Make a user a member, or give the member another role."""
        self._run(
            "INSERT INTO organization_members (organization_id, user_id, role) VALUES (?, ?, ?)"
            " ON CONFLICT (user_id, organization_id) DO UPDATE SET role = excluded.role",
            organization,
            user,
            role,
        )

    def remove(self, organization: str, user: str) -> bool:
        """End a membership; whether there was one."""
        self._run("DELETE FROM organization_members WHERE organization_id = ? AND user_id = ?", organization, user)
        return bool(self._cursor.rowcount)

    def _run(self, sql: str, *parameters: Any) -> None:
        self._cursor.execute(sql.replace("?", self._mark), parameters)

    def _instant(self, expires: datetime | None) -> datetime | int | None:
        # SQLite knows no type for instants; a number there needs no zone.
        return expires if self._mark == "%s" or expires is None else int(expires.timestamp())


@contextmanager
def open_postgres(dsn: str, token_hash: TokenHash, timezone: str) -> Iterator[Tables]:
    """The tables in a Postgres database: one transaction, kept at the end unless something failed. Blocks.

    Args:
        dsn: libpq's connection string or URI.
        token_hash: how tokens lie there.
        timezone: the zone of times without one.

    Raises:
        TablesUnusable: they can't be reached, are not there, or may not be written.
    """
    address = PostgresAddress(dsn)
    try:
        with (
            closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            # In it, a column without a zone is read and written.
            cursor.execute("SELECT set_config('TimeZone', %s, true)", (timezone,))
            yield Tables(cursor, "%s", _POSTGRES_EXPIRES, token_hash)
    except psycopg2.Error as error:
        raise TablesUnusable(
            f"Postgres {address}: {address.redacted(str(error).partition(chr(10))[0])};"
            " `wampgate init` makes the tables, and the dsn's role needs the right to write into them"
        ) from None


@contextmanager
def open_sqlite(path: Path, token_hash: TokenHash, timezone: str) -> Iterator[Tables]:
    """The tables in a SQLite file, likewise.

    Args:
        path: the file; it is not made here.
        token_hash: how tokens lie in it.
        timezone: the zone of times without one.

    Raises:
        TablesUnusable: it is not there, can't be read, or may not be written.
    """
    try:
        place = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(place, uri=True, timeout=CONNECT_SECONDS)) as file, file:
            yield _SqliteTables(file.cursor(), token_hash, timezone)
    except sqlite3.Error as error:
        raise TablesUnusable(f"SQLite {path}: {error}; `wampgate init` makes the file and its tables") from None


class _SqliteTables(Tables):
    """As :class:`Tables`, with instants that are texts or numbers."""

    def __init__(self, cursor: sqlite3.Cursor, token_hash: TokenHash, timezone: str) -> None:
        super().__init__(cursor, "?", "expires", token_hash)
        self._timezone = timezone

    def _issued(self, row: Any) -> Issued:
        *others, expires = row
        try:
            seconds = seconds_since_1970(expires, self._timezone)
        except ValueError:
            seconds = 0.0
        return super()._issued((*others, None if seconds is None else datetime.fromtimestamp(seconds, UTC)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
