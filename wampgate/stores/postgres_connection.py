"""One connection to Postgres: txpostgres, with the edges taken off that would block or hang the reactor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg2
import psycopg2.errorcodes
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from txpostgres import txpostgres

from wampgate.stores.deadlines import TooLate, turn, within
from wampgate.stores.engine import QueryRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.posixbase import PosixReactorBase

    from wampgate.stores.engine import Rows
    from wampgate.stores.postgres_address import HostNames, PostgresAddress

# What these say names tables, columns and functions; other messages may repeat a value, and a value may be a token.
_TELLING: Final = frozenset({"42P01", "42703", "42501", "42883", "42846", "3F000", "42601"})

# invalid_text_representation, numeric_value_out_of_range, untranslatable_character, character_not_in_repertoire:
# what was asked for can't stand in the column.
_FITTING_NOTHING: Final = frozenset({"22P02", "22003", "22P05", "22021"})

# "syntax error or access rule violation" and "feature not supported".
_FOR_GOOD: Final = ("42", "0A")

_ROWS_AT_ONCE: Final = 20_000
"""So many rows are read before others have their turn; they take about 20 ms."""


class ConnectionGone(Exception):
    """There is no connection, or no more. The text is libpq's and may hold the DSN's secrets."""


class PostgresConnection:
    """Answers one question at a time.

    A rule holds throughout: while psycopg2 is called, its descriptor is not
    registered with the reactor. libpq closes the descriptor when it notices that
    a connection is dead, and a closed one can't be unregistered from epoll.

    Args:
        reactor: where it is registered.
        gone: called once, without arguments, if it dies while nothing is asked.
        notified: called with the payload of each notification that arrives.
    """

    def __init__(
        self,
        reactor: PosixReactorBase,
        gone: Callable[[], None],
        notified: Callable[[str], None] = lambda payload: None,  # noqa: ARG005 - who listens to nothing gets none
    ) -> None:
        self._reactor = reactor
        self._gone = gone
        self._link = _Link(reactor, self._died, notified)
        self._cursor: Any = None  # txpostgres has no types
        self._idle = False
        self._closed = False
        self.used_at = reactor.seconds()

    async def open_at(self, address: PostgresAddress, names: HostNames, rotation: int, seconds: float) -> None:
        """Resolve the host's name and connect, each within so many seconds.

        Raises:
            ConnectionGone: it could not be.
        """
        resolution = Deferred.fromCoroutine(address.parameters(names.addresses_of, rotation))
        try:
            parameters = await within(self._reactor, seconds, resolution)
        except TooLate:
            raise ConnectionGone(f"no answer from the name server within {seconds:g} s") from None
        except LookupError as error:
            raise ConnectionGone(str(error)) from None
        await self.open(parameters, seconds)

    async def open(self, parameters: Mapping[str, str], seconds: float) -> None:
        """Connect within so many seconds; libpq heeds no ``connect_timeout`` here.

        Raises:
            ConnectionGone: it could not be.
        """
        try:
            await within(self._reactor, seconds, self._link.connect(**parameters))
        except TooLate:
            raise ConnectionGone(f"no connection within {seconds:g} s") from None
        # OSError and ValueError are the reactor's, if the descriptor is closed before it can be registered.
        except (psycopg2.Error, ConnectionDone, OSError, ValueError) as error:
            raise ConnectionGone(str(error) or type(error).__name__) from None
        else:
            self._idle = self._link.established = True
        finally:
            if not self._idle:
                self.close()

    async def ask(self, query: str, parameters: Mapping[str, str], seconds: float) -> Rows:
        """The rows that a query returns; to be called only when no other query is under way.

        Raises:
            QueryRefused: the server does not answer this query; it may answer others.
            ConnectionGone: no answer within so many seconds, or the connection died. It is closed.
        """
        return await self._answer(query, parameters, seconds)

    async def command(self, statement: str, seconds: float) -> None:
        """Run a statement that returns no rows; otherwise as :meth:`ask`.

        Raises:
            QueryRefused: the server does not run it.
            ConnectionGone: no answer within so many seconds, or the connection died. It is closed.
        """
        await self._answer(statement, {}, seconds, False)

    async def _answer(self, query: str, parameters: Mapping[str, str], seconds: float, has_rows: bool = True) -> Rows:
        self._idle = False
        try:
            return await self._rows(query, parameters, seconds, has_rows)
        except TooLate:
            self.close()
            raise ConnectionGone(f"no answer within {seconds:g} s") from None
        except (psycopg2.Error, ConnectionDone) as error:
            if self._is_fatal(error):
                self.close()
                raise ConnectionGone(str(error) or type(error).__name__) from None
            raise _refusal(error) from None
        except CancelledError:  # what txpostgres makes of "query_canceled"
            raise QueryRefused("the server cancelled it (57014), perhaps for its statement_timeout") from None
        except (ValueError, TypeError, LookupError) as error:  # the parameters could not be put in
            raise QueryRefused(f"psycopg2 refuses it ({type(error).__name__})") from None
        finally:
            self._rest()

    async def _rows(self, query: str, parameters: Mapping[str, str], seconds: float, has_rows: bool) -> Rows:
        self._reactor.removeReader(self._link)
        cursor = self._cursor = self._link.cursor()
        await within(self._reactor, seconds, cursor.execute(query, parameters))
        rows: Rows = []
        while has_rows and (some := cursor.fetchmany(_ROWS_AT_ONCE)):
            rows += some
            if len(some) == _ROWS_AT_ONCE:
                await turn(self._reactor)
        cursor.close()
        return rows

    def _rest(self) -> None:
        """Listen for the connection's end until the next question."""
        self._cursor = None
        self.used_at = self._reactor.seconds()
        if not self._closed:
            self._reactor.addReader(self._link)
            self._idle = True

    def _is_fatal(self, error: Exception) -> bool:
        """Whether an error means that the connection can't be used again."""
        if self._link.closed or not isinstance(error, psycopg2.Error) or isinstance(error, psycopg2.InterfaceError):
            return True
        if error.pgcode is None:
            return isinstance(error, psycopg2.OperationalError)
        # Classes "connection exception" and, of "operator intervention", the server's going down.
        return str(error.pgcode).startswith(("08", "57P"))

    def close(self) -> None:
        """End it at once, whatever is under way. Never blocks; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._idle = False
        if self._link.pollable() is None:  # it never came to a connection
            return
        for descriptor in filter(None, (self._cursor, self._link)):
            self._reactor.removeReader(descriptor)
            self._reactor.removeWriter(descriptor)
        self._link.close()
        # txpostgres spares a connection that broke by itself, which still holds memory and may hold a descriptor.
        self._link.pollable().close()

    def _died(self) -> None:
        if self._idle:
            self.close()
            self._gone()


def _refusal(error: psycopg2.Error) -> QueryRefused:
    code = error.pgcode
    if code is None:
        return QueryRefused("it returns no rows: expected a SELECT", for_good=True)
    words = f": {error.diag.message_primary}" if code in _TELLING else ""
    return QueryRefused(
        f"{_name_of(code)} ({code}){words}",
        code=code,
        fits_nothing=code in _FITTING_NOTHING,
        for_good=code.startswith(_FOR_GOOD),
    )


def _name_of(code: str) -> str:
    """Postgres' word for an SQLSTATE: ``undefined_table``."""
    try:
        return str(psycopg2.errorcodes.lookup(code)).lower()
    except KeyError:
        return "error"


class _Link(txpostgres.Connection):  # type: ignore[misc] # txpostgres has no types
    """A txpostgres connection that tells of its death instead of logging a traceback.

    Args:
        reactor: where it registers.
        died: called, perhaps more than once, when it is noticed to be dead.
        notified: called with the payload of each notification that arrives.
    """

    def __init__(self, reactor: PosixReactorBase, died: Callable[[], None], notified: Callable[[str], None]) -> None:
        super().__init__(reactor)
        self._died = died
        self._notified = notified
        self.established = False

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Called by the reactor: something came, perhaps the end."""
        self._proceed()

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """Called by the reactor: while connecting, more can be sent."""
        self._proceed()

    def _proceed(self) -> None:
        """Let psycopg2 go on, unregistered; txpostgres leaves a connection that connects registered as a reader."""
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        if self.closed:
            return
        try:
            self.continuePolling()
        except psycopg2.Error:
            self._died()
            return
        if self.established:
            self.checkForNotifies()
        if self.established and not self.closed:  # who was notified may have closed it
            self.reactor.addReader(self)

    def checkForNotifies(self) -> None:  # noqa: N802 - txpostgres' name
        """Called when something came: hand on what was notified, at once and in order."""
        arrived = self.notifies[:]
        self.notifies.clear()
        for notification in arrived:
            self._notified(notification.payload)

    def connectionLost(self, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Called by the reactor, and by ``close``: this is the end."""
        super().connectionLost(reason)
        self._died()
