"""Listens for what an outbox's trigger tells: that something was committed. What is not heard, a look finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.stores.backoff import delay_after
from wampgate.stores.deadlines import TooLate, within
from wampgate.stores.engine import QueryRefused
from wampgate.stores.outbox_sql import LISTEN
from wampgate.stores.postgres_address import HostNames, PostgresAddress
from wampgate.stores.postgres_connection import ConnectionGone, PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.posixbase import PosixReactorBase
    from twisted.python.failure import Failure

BEAT_SECONDS: Final = 5.0
"""The connection is tried this often: a frozen or cut-off server says nothing by itself."""

LONGEST_DELAY: Final = 1.0
"""Seconds between attempts to connect, at most."""

log = Logger()


class OutboxWake:
    """One connection that listens, kept open through whatever happens.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        address: where the primary is, directly.
        timeout: seconds for connecting, and for each answer.
        wake: called when there may be something new, and each time listening begins.
    """

    def __init__(
        self, reactor: PosixReactorBase, name: str, address: PostgresAddress, timeout: float, wake: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._address = address
        self._timeout = timeout
        self._wake = wake
        self._names = HostNames(reactor)
        self._running = False
        self._listening: Deferred[None] | None = None
        self._resting: Deferred[None] | None = None
        self._lost = False
        self._failures = 0
        self._complaint = ""
        self.hears = False

    def start(self) -> None:
        """Begin to listen, and go on whatever happens."""
        self._running = True
        self._listening = Deferred.fromCoroutine(self._listen_on())
        self._listening.addErrback(self._ended)

    def stop(self) -> None:
        """Close the connection, whatever is under way."""
        self._running = False
        if self._listening is not None:
            self._listening.cancel()

    def _ended(self, failure: Failure) -> None:
        self.hears = False
        if not isinstance(failure.value, CancelledError):
            log.failure("outbox {name}: listening has stopped", failure, name=self._name)

    async def _listen_on(self) -> None:
        while self._running:
            try:
                await self._listen()
            except ConnectionGone as gone:
                self._complain(str(gone))
            except QueryRefused as refused:
                self._complain(refused.reason)
            self._failures += 1
            await deferLater(self._reactor, delay_after(self._failures, LONGEST_DELAY))  # type: ignore[arg-type] # Twisted's own reactor

    async def _listen(self) -> None:
        """Listen over one connection until it is gone."""
        self._lost = False
        connection = PostgresConnection(self._reactor, self._gone, lambda _payload: self._wake())
        try:
            await connection.open_at(self._address, self._names, self._failures, self._timeout)
            await connection.command(LISTEN, self._timeout)
            self._failures = 0
            self._complaint = ""
            self.hears = True
            while True:
                # What came while something was asked may not have been told.
                self._wake()
                await self._rest(BEAT_SECONDS)
                await connection.ask("SELECT 1", {}, self._timeout)
        finally:
            self.hears = False
            connection.close()

    async def _rest(self, seconds: float) -> None:
        """Do nothing for so many seconds.

        Raises:
            ConnectionGone: the connection is gone.
        """
        if not self._lost:
            self._resting = Deferred()
            try:
                await within(self._reactor, seconds, self._resting)
            except TooLate:
                pass
            finally:
                self._resting = None
        if self._lost:
            raise ConnectionGone("the connection was lost")

    def _gone(self) -> None:
        """The connection died while nothing was asked over it."""
        self._lost = True
        if self._resting is not None and not self._resting.called:
            self._resting.callback(None)

    def _complain(self, reason: str) -> None:
        """Say why nothing is heard: once per reason, as long as nothing is."""
        reason = self._address.redacted(reason)
        if reason != self._complaint and self._running:
            self._complaint = reason
            log.warn(
                "outbox {name}: Postgres {address}: not woken at once, new rows are only found by looking: {reason}",
                name=self._name,
                address=self._address,
                reason=reason,
            )
