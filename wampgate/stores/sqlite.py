"""The token store on SQLite, the embedded default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wampgate.stores.cookies_sqlite import STATEMENTS, SqliteRuns
from wampgate.stores.credential_rows import CREDENTIAL_PARAMETERS
from wampgate.stores.engine import Query
from wampgate.stores.instants import zone_of
from wampgate.stores.sql import SqlTokenStore
from wampgate.stores.sqlite_poll import SqlitePoll
from wampgate.stores.sqlite_thread import SqliteThread

if TYPE_CHECKING:
    import os

    from twisted.internet.base import ReactorBase

    from wampgate.stores.cookies_sql import SqlCookieStore
    from wampgate.stores.questions import TokenHash

# The first comparison is by the column's type and uses the index, whatever type that
# is; the second, as bytes, takes care that "07" is not 7, nor "A" "a".
TOKEN_QUERY: Final = """
SELECT CAST(user_id AS TEXT),
       seconds_since_1970(expires, :timezone) - (julianday('now') - 2440587.5) * 86400.0 AS seconds_left
FROM oauth_access_tokens
WHERE access_token = :token AND CAST(access_token AS TEXT) = :token COLLATE BINARY
"""  # noqa: S105 - SQL, no token

MEMBERSHIP_QUERY: Final = """
SELECT CAST(organization_id AS TEXT), CAST(role AS TEXT)
FROM organization_members
WHERE user_id = :user AND CAST(user_id AS TEXT) = :user COLLATE BINARY
"""

# In two parts, so that each uses its index whatever the other parameter is.
CREDENTIALS_QUERY: Final = """
SELECT authid, key, role, CAST(user_id AS TEXT), data,
       seconds_since_1970(expires, :timezone) - (julianday('now') - 2440587.5) * 86400.0 AS seconds_left
FROM wampgate_credentials
WHERE authmethod = :authmethod AND authid = :authid AND (:key = '' OR key = :key) AND NOT disabled
UNION ALL
SELECT authid, key, role, CAST(user_id AS TEXT), data,
       seconds_since_1970(expires, :timezone) - (julianday('now') - 2440587.5) * 86400.0 AS seconds_left
FROM wampgate_credentials
WHERE authmethod = :authmethod AND key = :key AND :authid = '' AND NOT disabled
"""


class SqliteTokenStore(SqlTokenStore):
    """Tokens and memberships in a SQLite file, read by a thread of its own.

    Args:
        reactor: Twisted's; nothing is done with it before :meth:`start`.
        path: the database file, as ``wampgate init`` makes it. The process needs the right to
            write into its folder, where SQLite keeps the files of its write-ahead log.
        timeout: seconds until a question is refused.
        poll_seconds: how often it is looked whether the file has changed, if changes are watched.
        token_query: returns ``(user_id, seconds_left)`` for ``:token``; the default asks ``oauth_access_tokens``.
            The function ``seconds_since_1970(value, :timezone)`` reads ISO 8601 texts and numbers.
        membership_query: returns ``(organization_id)`` or ``(organization_id, role)`` for ``:user``;
            the default asks ``organization_members``.
        asks_credentials: whether anyone will ask ``wampgate_credentials``: then that is tried at the start.
        token_hash: how tokens lie in the table: ``sha256`` (lowercase hexadecimal) or ``plain``.
        timezone: the zone of texts without an offset; a query may use it as ``:timezone``.
        allow_null_expires: whether a token whose ``expires`` is NULL is good for ever.

    Raises:
        ValueError: an argument can't be used; says which.
    """

    kind: Final = "sqlite"
    """What an operator is told that it is."""

    def __init__(
        self,
        reactor: ReactorBase,
        *,
        path: str | os.PathLike[str],
        timeout: float = 3.0,
        poll_seconds: float = 0.25,
        token_query: str | None = None,
        membership_query: str | None = None,
        asks_credentials: bool = False,
        token_hash: TokenHash = "sha256",  # noqa: S107 - a kind, no token
        timezone: str = "UTC",
        allow_null_expires: bool = False,
    ) -> None:
        zone_of(timezone)
        if not 0 < poll_seconds < math.inf:
            raise ValueError(f"poll_seconds is {poll_seconds!r}: expected a number of seconds above 0")
        self._reactor = reactor
        self._path = Path(path)
        thread = SqliteThread(reactor, Path(path), timeout=timeout)
        super().__init__(
            reactor,
            thread,
            thread,
            SqlitePoll(reactor, thread, seconds=poll_seconds, timeout=timeout),
            timeout=timeout,
            token_query=_query("token_query", "token", token_query or TOKEN_QUERY),
            membership_query=_query("membership_query", "user", membership_query or MEMBERSHIP_QUERY),
            credentials_query=Query("credentials_query", CREDENTIAL_PARAMETERS, CREDENTIALS_QUERY, may_lack=True),
            asks_credentials=asks_credentials,
            token_hash=token_hash,
            timezone=timezone,
            allow_null_expires=allow_null_expires,
        )

    def cookies(self, *, realm: str, per_authid: int) -> SqlCookieStore:
        """The session cookies in this file, opened and closed with the store; for more see the class."""
        writer = SqliteThread(self._reactor, self._path, timeout=self._timeout, writes=True)
        self._attached.append(writer)
        run = SqliteRuns(writer)
        return self._cookies(run, STATEMENTS, realm=realm, per_authid=per_authid)


def _query(name: str, parameter: str, sql: str) -> Query:
    if f":{parameter}" not in sql:
        raise ValueError(f"{name} does not use its parameter :{parameter}")
    return Query(name, parameter, sql)
