"""The statements about session cookies in SQLite, and what runs them: a thread that may write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from wampgate.stores.cookies_sql import CookieStatements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.stores.engine import Rows
    from wampgate.stores.sqlite_thread import SqliteThread

_NOW: Final = "((julianday('now') - 2440587.5) * 86400.0)"

_KEEP: Final = (
    f"""
DELETE FROM wampgate_cookies WHERE cookie IN (
    SELECT cookie FROM wampgate_cookies WHERE expires <= {_NOW} ORDER BY expires LIMIT CAST(:cleared AS INTEGER))
""",  # noqa: S608 - nothing but the clock's expression above is put in
    "DELETE FROM wampgate_cookies WHERE cookie = :replaced AND realm = :realm",
    """
DELETE FROM wampgate_cookies WHERE cookie IN (
    SELECT cookie FROM wampgate_cookies WHERE realm = :realm AND authid = :authid AND sealed <> ''
    ORDER BY expires DESC LIMIT -1 OFFSET CAST(:others AS INTEGER))
""",
    f"""
INSERT INTO wampgate_cookies (cookie, login, realm, authid, sealed, expires)
VALUES (:cookie, :login, :realm, :authid, :sealed, {_NOW} + CAST(:seconds AS REAL)) ON CONFLICT DO NOTHING
""",  # noqa: S608 - likewise
)

_FIND: Final = f"""
SELECT login, authid, sealed FROM wampgate_cookies
WHERE cookie = :cookie AND realm = :realm AND sealed <> '' AND expires > {_NOW}
"""  # noqa: S608 - likewise

_END: Final = (
    f"""
UPDATE wampgate_cookies SET sealed = '', expires = {_NOW} + CAST(:ended_seconds AS INTEGER)
WHERE cookie = :cookie AND realm = :realm AND sealed <> '' AND expires > {_NOW} RETURNING login, authid, sealed
""",  # noqa: S608 - likewise
)

_ENDED: Final = """
SELECT DISTINCT login FROM wampgate_cookies
WHERE login IN (SELECT value FROM json_each(:logins)) AND sealed = ''
"""

STATEMENTS: Final = CookieStatements(_KEEP, _FIND, _END, _ENDED)


class SqliteRuns:
    """A :class:`wampgate.stores.cookies_sql.Runs` over a thread that may write."""

    def __init__(self, thread: SqliteThread) -> None:
        self._thread = thread

    def __call__(self, statements: Sequence[str], parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """See :class:`wampgate.stores.cookies_sql.Runs`."""
        return self._thread.change(statements, parameters, deadline)

    def several(self, values: Sequence[str]) -> str:
        """See :class:`wampgate.stores.cookies_sql.Runs`."""
        return json.dumps(list(values))
