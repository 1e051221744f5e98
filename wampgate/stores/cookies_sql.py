"""Session cookies in a SQL table: they survive a restart, and all nodes that share the table know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.logins import KeptCookie
from wampgate.stores.engine import QueryRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Rows
    from wampgate.stores.timing import QueryTimes

log = Logger()

ENDED_SECONDS: Final = 3600
"""So long does a row tell that its login has ended, after which the sweeps of all nodes have long seen it."""

_CLEARED_AT_ONCE: Final = 100
"""So many rows whose time is over go with each new one: more than come, so that none is left for long."""


@dataclass(frozen=True, slots=True)
class CookieStatements:
    """What is asked of the table ``wampgate_cookies`` in one database's SQL, by named parameters.

    Attributes:
        keep: statements that put a row in, clear and bound the others; as one.
        find: ``(login, authid, sealed)`` of a cookie that is good.
        end: the same of one whose login it ends.
        ended: those of several logins that have ended.
    """

    keep: Sequence[str]
    find: str
    end: Sequence[str]
    ended: str


class Runs(Protocol):
    """Runs statements in one kind of database, all or nothing."""

    def __call__(self, statements: Sequence[str], parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """The rows of the last one.

        Raises:
            StoreUnavailable: no answer in time.
            QueryRefused: the database refuses one of them.
        """

    def several(self, values: Sequence[str]) -> str:
        """Several values as the one parameter that a statement takes them in."""


class SqlCookieStore:
    """A :class:`wampgate.core.logins.CookieStore` over a database.

    Args:
        clock: tells the time.
        run: runs the statements.
        statements: what to run.
        realm: whose cookies these are; several may share a table.
        per_authid: so many cookies may one authid have; of too many the one that ends first goes.
        timeout: seconds until a question that is not answered is refused.
        times: takes note of how long each took.
    """

    def __init__(
        self,
        clock: Clock,
        run: Runs,
        statements: CookieStatements,
        *,
        realm: str,
        per_authid: int,
        timeout: float,
        times: QueryTimes,
    ) -> None:
        self._clock = clock
        self._run = run
        self._statements = statements
        self._parameters = {
            "realm": realm,
            "others": str(per_authid - 1),
            "ended_seconds": str(ENDED_SECONDS),
            "cleared": str(_CLEARED_AT_ONCE),
        }
        self._timeout = timeout
        self._times = times
        self._complaint = ""

    async def keep(self, kept: KeptCookie, seconds: float, instead_of: str | None) -> None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        await self._ask(
            "cookie_keep",
            self._statements.keep,
            cookie=kept.cookie,
            login=kept.login,
            authid=kept.authid,
            sealed=kept.sealed,
            seconds=repr(seconds),
            replaced=instead_of or "",
        )

    async def find(self, cookie: str) -> KeptCookie | None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        return _kept(cookie, await self._ask("cookie_find", (self._statements.find,), cookie=cookie))

    async def end(self, cookie: str) -> KeptCookie | None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        return _kept(cookie, await self._ask("cookie_end", self._statements.end, cookie=cookie))

    async def ended(self, logins: Sequence[str]) -> Collection[str]:
        """See :class:`wampgate.core.logins.CookieStore`."""
        if not logins:
            return ()
        rows = await self._ask("cookies_ended", (self._statements.ended,), logins=self._run.several(logins))
        return {login for (login,) in rows}

    async def _ask(self, query: str, statements: Sequence[str], **parameters: str) -> Rows:
        deadline = self._clock.seconds() + self._timeout
        try:
            answer = self._run(statements, {**self._parameters, **parameters}, deadline)
            rows = await self._times.note(query, answer)
        except QueryRefused as refused:
            self._complain(refused.reason)
            raise StoreUnavailable("the table of cookies can't be used now; the log says why") from None
        self._complaint = ""
        return rows

    def _complain(self, reason: str) -> None:
        """Say why the table can't be used: once per reason, as long as it lasts."""
        if reason != self._complaint:
            self._complaint = reason
            log.error(
                "cookies: the table wampgate_cookies can't be used: {reason}; `wampgate init` makes it, and the role"
                " needs SELECT, INSERT, UPDATE and DELETE on it",
                reason=reason,
            )


def _kept(cookie: str, rows: Rows) -> KeptCookie | None:
    return KeptCookie(cookie, *map(str, rows[0])) if rows else None
