"""The token store on Postgres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from wampgate.stores.cookies_postgres import STATEMENTS, PostgresRuns
from wampgate.stores.credential_rows import CREDENTIAL_PARAMETERS
from wampgate.stores.engine import Query
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.postgres_batches import PostgresBatches
from wampgate.stores.postgres_listener import PostgresListener
from wampgate.stores.postgres_pool import PostgresPool
from wampgate.stores.sql import SqlTokenStore
from wampgate.stores.token_memory import TokenMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.posixbase import PosixReactorBase

    from wampgate.stores.cookies_sql import SqlCookieStore
    from wampgate.stores.questions import TokenHash

# A literal without a type takes the column's, so the index is used whatever type that
# is; the comparison as text then takes care that "07" is not 7, whatever the collation.
TOKEN_QUERY: Final = """
SELECT user_id::text,
       (EXTRACT(EPOCH FROM CASE pg_typeof(expires)
            WHEN 'timestamp without time zone'::regtype THEN expires::timestamp AT TIME ZONE %(timezone)s
            ELSE expires::timestamptz END)
        - EXTRACT(EPOCH FROM clock_timestamp()))::float8 AS seconds_left
FROM oauth_access_tokens
WHERE access_token = %(token)s AND access_token::text = %(token)s
"""  # noqa: S105 - SQL, no token

MEMBERSHIP_QUERY: Final = """
SELECT organization_id::text, role::text
FROM organization_members
WHERE user_id = %(user)s AND user_id::text = %(user)s
"""

# Who is known by what; the part of the condition that is about an empty parameter is gone before it is planned.
CREDENTIALS_QUERY: Final = """
SELECT authid, key, role, user_id, data::text,
       (EXTRACT(EPOCH FROM expires) - EXTRACT(EPOCH FROM clock_timestamp()))::float8 AS seconds_left
FROM wampgate_credentials
WHERE authmethod = %(authmethod)s AND (%(authid)s = '' OR authid = %(authid)s) AND (%(key)s = '' OR key = %(key)s)
      AND NOT disabled
"""


# The same for many. The array is a literal without a type as well; the comparison as text is done with what comes back.
_TOKENS: Final = """
SELECT access_token::text, user_id::text,
       (EXTRACT(EPOCH FROM CASE pg_typeof(expires)
            WHEN 'timestamp without time zone'::regtype THEN expires::timestamp AT TIME ZONE %(timezone)s
            ELSE expires::timestamptz END)
        - EXTRACT(EPOCH FROM clock_timestamp()))::float8 AS seconds_left
FROM oauth_access_tokens
WHERE access_token = ANY (%(token)s)
"""

_MEMBERSHIPS: Final = """
SELECT user_id::text, organization_id::text, role::text
FROM organization_members
WHERE user_id = ANY (%(user)s)
"""


class PostgresTokenStore(SqlTokenStore):
    """Tokens and memberships in Postgres' tables; see ``docs/postgres.md``.

    Args:
        reactor: Twisted's; nothing is done with it before :meth:`start`.
        dsn: libpq's connection string or URI.
        listen_dsn: how to reach the primary directly, to hear of changes; needed where ``dsn``
            leads to a PgBouncer in transaction mode or to a replica. None: by ``dsn``.
        pool_size: connections held open; one more is, to listen, if changes are watched.
        timeout: seconds until a question is refused, and until a silent connection is replaced.
        token_query: returns ``(user_id, seconds_left)`` for ``%(token)s``; the default asks ``oauth_access_tokens``.
        membership_query: returns ``(organization_id)`` or ``(organization_id, role)`` for ``%(user)s``;
            the default asks ``organization_members``.
        credentials_query: returns ``(authid, key, role, user_id, data, seconds_left)`` for ``%(authmethod)s``,
            ``%(authid)s`` and ``%(key)s``, of which one of the latter may be empty; the default asks
            ``wampgate_credentials``.
        asks_credentials: whether anyone will ask for them: then the query is tried at the start.
        token_hash: how tokens lie in the table: ``sha256`` (lowercase hexadecimal) or ``plain``.
        timezone: the zone of ``timestamp without time zone``; a query may use it as ``%(timezone)s``.
        allow_null_expires: whether a token whose ``expires`` is NULL is good for ever.
        many_tokens_query: ``token_query`` for an array of tokens, which come before the other columns, where there is
            such a form; else ``token_query`` is asked for many in a UNION ALL.
        token_tables: the tables that ``token_query`` reads; None for that of the default query, and for
            none if another query is given. Only if they tell of all changes, tokens are remembered.
        token_cache_seconds: how long a token that was found is remembered; 0 for not at all.

    Raises:
        ValueError: an argument can't be used; says which, without the DSN.
    """

    kind: Final = "postgres"
    """What an operator is told that it is."""

    def __init__(
        self,
        reactor: PosixReactorBase,
        *,
        dsn: str,
        listen_dsn: str | None = None,
        pool_size: int = 4,
        timeout: float = 3.0,
        token_query: str | None = None,
        membership_query: str | None = None,
        credentials_query: str | None = None,
        asks_credentials: bool = False,
        token_hash: TokenHash = "sha256",  # noqa: S107 - a kind, no token
        timezone: str = "UTC",
        allow_null_expires: bool = False,
        many_tokens_query: str | None = None,
        token_tables: Sequence[str] | None = None,
        token_cache_seconds: float = 30.0,
    ) -> None:
        if pool_size < 1:
            raise ValueError(f"pool_size is {pool_size!r}: expected at least 1")
        if not 0 <= token_cache_seconds < math.inf:
            raise ValueError(
                f"token_cache_seconds is {token_cache_seconds!r}: expected a number of seconds, at least 0"
            )
        if token_tables is None:
            token_tables = () if token_query else ("oauth_access_tokens",)
        address = PostgresAddress(dsn)
        pool = PostgresPool(reactor, address, size=pool_size, timeout=timeout)
        primary = address if listen_dsn is None else PostgresAddress(listen_dsn)
        listener = PostgresListener(reactor, primary, pool, timeout=timeout, token_tables=token_tables)
        super().__init__(
            reactor,
            pool,
            PostgresBatches(reactor, pool),
            listener,
            memory=TokenMemory(reactor, listener, token_cache_seconds),
            at_once=pool_size,
            timeout=timeout,
            token_query=(
                _given("token_query", "token", token_query, many_tokens_query)
                if token_query
                else Query("token_query", "token", TOKEN_QUERY, _TOKENS)
            ),
            membership_query=(
                _given("membership_query", "user", membership_query)
                if membership_query
                else Query("membership_query", "user", MEMBERSHIP_QUERY, _MEMBERSHIPS)
            ),
            credentials_query=(
                _given("credentials_query", CREDENTIAL_PARAMETERS, credentials_query)
                if credentials_query
                else Query("credentials_query", CREDENTIAL_PARAMETERS, CREDENTIALS_QUERY, may_lack=True)
            ),
            asks_credentials=asks_credentials,
            token_hash=token_hash,
            timezone=timezone,
            allow_null_expires=allow_null_expires,
        )

    def cookies(self, *, realm: str, per_authid: int) -> SqlCookieStore:
        """The session cookies in this database; see :class:`wampgate.stores.cookies_sql.SqlCookieStore`."""
        run = PostgresRuns(self._engine)
        return self._cookies(run, STATEMENTS, realm=realm, per_authid=per_authid)


def _given(name: str, parameter: str, given: str, many: str | None = None) -> Query:
    """The query that is given, known to take its parameters by name as psycopg2 wants it."""
    names = parameter.split()
    for each in names:
        if f"%({each})s" not in given:
            raise ValueError(f"{name} does not use its parameter %({each})s")
    try:
        given % (dict.fromkeys(names, "") | {"timezone": ""})
    except KeyError as error:
        raise ValueError(f"{name} uses a parameter that there is not: {error.args[0]}") from None
    except (ValueError, TypeError):
        raise ValueError(f"{name} has a single % that is no parameter: write %%") from None
    return Query(name, parameter, given, many or "")
