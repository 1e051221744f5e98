"""The statements about session cookies in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.stores.cookies_sql import CookieStatements
from wampgate.stores.notifications import CHANNEL
from wampgate.stores.postgres_batches import array_literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.stores.engine import Engine, Rows

_KEEP: Final = """
WITH cleared AS (
    DELETE FROM wampgate_cookies WHERE cookie IN (
        SELECT cookie FROM wampgate_cookies WHERE expires <= clock_timestamp()
        ORDER BY expires LIMIT %(cleared)s::int FOR UPDATE SKIP LOCKED)
), crowded AS (
    DELETE FROM wampgate_cookies WHERE cookie IN (
        SELECT cookie FROM wampgate_cookies WHERE realm = %(realm)s AND authid = %(authid)s AND sealed <> ''
        ORDER BY expires DESC OFFSET %(others)s::int FOR UPDATE SKIP LOCKED)
), replaced AS (
    DELETE FROM wampgate_cookies WHERE cookie = %(replaced)s AND realm = %(realm)s
)
INSERT INTO wampgate_cookies (cookie, login, realm, authid, sealed, expires)
VALUES (%(cookie)s, %(login)s, %(realm)s, %(authid)s, %(sealed)s,
        clock_timestamp() + make_interval(secs => %(seconds)s::float8))
ON CONFLICT DO NOTHING RETURNING cookie
"""

_FIND: Final = """
SELECT login, authid, sealed FROM wampgate_cookies
WHERE cookie = %(cookie)s AND realm = %(realm)s AND sealed <> '' AND expires > clock_timestamp()
"""

# The notification wakes the nodes where sessions of this login are; they ask for themselves.
_END: Final = f"""
WITH found AS (
    SELECT cookie, login, authid, sealed FROM wampgate_cookies
    WHERE cookie = %(cookie)s AND realm = %(realm)s AND sealed <> '' AND expires > clock_timestamp() FOR UPDATE
), ended AS (
    UPDATE wampgate_cookies SET sealed = '', expires = clock_timestamp() + make_interval(secs => %(ended_seconds)s::int)
    WHERE cookie IN (SELECT cookie FROM found) RETURNING authid
), told AS (
    SELECT pg_catalog.pg_notify('{CHANNEL}', json_build_object('users', json_build_array(authid))::text) FROM ended
)
SELECT login, authid, sealed FROM found LEFT JOIN told ON true
"""  # noqa: S608 - nothing but our channel's name is put in

_ENDED: Final = "SELECT DISTINCT login FROM wampgate_cookies WHERE login = ANY (%(logins)s) AND sealed = ''"

STATEMENTS: Final = CookieStatements((_KEEP,), _FIND, (_END,), _ENDED)


class PostgresRuns:
    """A :class:`wampgate.stores.cookies_sql.Runs` over what asks a token store's questions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, statements: Sequence[str], parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """See :class:`wampgate.stores.cookies_sql.Runs`; there is one statement each."""
        (statement,) = statements
        return self._engine.ask(statement, parameters, deadline)

    def several(self, values: Sequence[str]) -> str:
        """See :class:`wampgate.stores.cookies_sql.Runs`."""
        return array_literal(values)
