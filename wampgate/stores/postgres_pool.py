"""A few connections to Postgres, kept open through whatever happens to it, and a bounded queue before them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.backoff import delay_after
from wampgate.stores.deadlines import Deadline, TooLate, within
from wampgate.stores.engine import QueryRefused
from wampgate.stores.postgres_address import HostNames, PostgresAddress
from wampgate.stores.postgres_connection import ConnectionGone, PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.posixbase import PosixReactorBase
    from twisted.python.failure import Failure

    from wampgate.stores.engine import Rows

log = Logger()

MAX_WAITING: Final = 2_000
"""How many questions may wait for a connection; more are refused. All may be refused in one turn, so not too many."""

PROBE_SECONDS: Final = 5.0
"""An idle connection is tried this often: a frozen or cut-off server says nothing by itself."""

LONGEST_DELAY: Final = 1.0
"""Seconds between attempts to connect, at most; short enough to be back within 2 s of Postgres."""

STABLE_SECONDS: Final = 1.0
"""A connection that lived shorter than this counts as a failed attempt."""


class _Question:
    """A query on its way to an answer."""

    __slots__ = ("answer", "parameters", "query", "timer", "tried")

    def __init__(self, query: str, parameters: Mapping[str, str]) -> None:
        self.query = query
        self.parameters = parameters
        self.answer: Deferred[Rows] = Deferred()
        self.timer: Deadline | None = None
        self.tried = 0

    def settle(self, answer: Rows | Exception) -> None:
        """Give the answer, unless there has been one."""
        if self.answer.called:
            return
        if self.timer is not None:
            self.timer.cancel()
        if isinstance(answer, Exception):
            self.answer.errback(answer)
        else:
            self.answer.callback(answer)


class _Place:
    """One of the pool's connections, or the hole where it was."""

    __slots__ = ("connection", "failures", "filling", "opened_at")

    def __init__(self) -> None:
        self.connection: PostgresConnection | None = None
        self.filling: Deferred[None] | None = None
        self.opened_at = 0.0
        self.failures = 0

    def delay(self) -> float:
        """Seconds until the next attempt to connect."""
        return delay_after(self.failures, LONGEST_DELAY)


class PostgresPool:
    """Runs read-only queries, each on a connection of its own, each within its deadline.

    A question whose connection dies is asked again. The asker is refused at
    the deadline; its connection gets ``timeout`` seconds from the moment the query
    was sent, so that a queue before a slow server does not close good connections.

    Args:
        reactor: a reactor that can watch descriptors and resolve names.
        address: where the server is.
        size: how many connections.
        timeout: seconds for connecting, and for a query once it is sent.
    """

    def __init__(self, reactor: PosixReactorBase, address: PostgresAddress, *, size: int, timeout: float) -> None:
        self._reactor = reactor
        self._address = address
        self._timeout = timeout
        self._names = HostNames(reactor)
        self._places = [_Place() for _ in range(size)]
        self._idle: list[_Place] = []
        self._waiting: deque[_Question] = deque()
        self._first: Deferred[None] = Deferred()
        self._complaint = ""
        self._running = False
        self._probing = LoopingCall(self._probe)
        self._probing.clock = reactor  # type: ignore[assignment] # zope's interfaces mean nothing to mypy

    @property
    def ready(self) -> bool:
        """Whether a connection is open."""
        return any(place.connection is not None for place in self._places)

    async def start(self) -> None:
        """Connect; back when the first connection is open, or after ``timeout`` seconds without."""
        self._running = True
        self._first = Deferred()
        self._probing.start(PROBE_SECONDS, now=False).addErrback(
            lambda failure: log.failure("Postgres {address}: probing has stopped", failure, address=self._address)
        )
        for place in self._places:
            self._fill(place)
        try:
            await within(self._reactor, self._timeout, self._first)
        except TooLate:
            log.warn("Postgres {address}: not there yet; starting without", address=self._address)

    async def stop(self) -> None:
        """Close all connections; what waits is refused."""
        self._running = False
        if self._probing.running:
            self._probing.stop()
        for question in self._waiting:
            question.settle(StoreUnavailable("the token store is being stopped"))
        self._waiting.clear()
        self._idle.clear()
        for place in self._places:
            if place.filling is not None:
                place.filling.cancel()
            if place.connection is not None:
                place.connection.close()
                place.connection = None

    def ask(self, query: str, parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """The rows that a query returns.

        Args:
            query: SQL with psycopg2's named parameters.
            parameters: their values.
            deadline: by when, in the reactor's seconds.

        Raises:
            StoreUnavailable: no answer in time.
            QueryRefused: the server does not answer this query.
        """
        question = _Question(query, parameters)
        seconds = deadline - self._reactor.seconds()
        if not self._running:
            question.settle(StoreUnavailable("the token store is not running"))
        elif seconds <= 0:
            question.settle(StoreUnavailable("the token store did not answer in time"))
        elif len(self._waiting) >= MAX_WAITING:
            question.settle(StoreUnavailable("too many questions wait for the token store"))
        else:
            question.timer = Deadline(self._reactor, seconds, lambda: self._give_up(question))
            self._waiting.append(question)
            self._hand_out()
        return question.answer

    def _give_up(self, question: _Question) -> None:
        if question in self._waiting:
            self._waiting.remove(question)
        question.settle(StoreUnavailable("the token store did not answer in time"))

    def _hand_out(self) -> None:
        while self._waiting and self._idle:
            self._serve(self._idle.pop(), self._waiting.popleft())

    def _serve(self, place: _Place, question: _Question) -> None:
        Deferred.fromCoroutine(self._put(place, question)).addErrback(self._not_served, place, question)

    def _not_served(self, failure: Failure, place: _Place, question: _Question) -> None:
        self._broken(failure, place)
        question.settle(StoreUnavailable("the token store failed; the log says more"))

    def _broken(self, failure: Failure, place: _Place) -> None:
        """Something that nobody thought of: the place has to be filled again all the same."""
        # The type alone: nobody knows what the text repeats.
        log.error("Postgres {address}: unexpected {error}", address=self._address, error=failure.type)
        if place.connection is not None:
            place.connection.close()
        place.opened_at = self._reactor.seconds()  # not at once, if it happens each time
        self._lost(place, "an unexpected error")

    async def _put(self, place: _Place, question: _Question) -> None:
        """Put a question to the connection of a place; when answered, the place is free again."""
        assert place.connection is not None  # noqa: S101 - an idle place has one
        question.tried += 1
        answer: Rows | Exception
        try:
            answer = await place.connection.ask(question.query, question.parameters, self._timeout)
        except QueryRefused as refused:
            answer = refused
        except ConnectionGone as gone:
            self._ask_again(question)
            self._lost(place, str(gone))
            return
        if self._running:
            self._idle.append(place)
        question.settle(answer)
        self._hand_out()

    def _ask_again(self, question: _Question) -> None:
        """What died with its connection is asked again, before all others.

        A server that ends all sessions can take the question with each of them, but after
        that it is perhaps the question that does it.
        """
        if question.answer.called:
            return
        if question.tried <= len(self._places) and self._running:
            self._waiting.appendleft(question)
            self._hand_out()
        else:
            question.settle(StoreUnavailable("the connection to the token store was lost"))

    def _lost(self, place: _Place, reason: str) -> None:
        """A connection is gone: note it, and fill the place again."""
        place.connection = None
        if place in self._idle:
            self._idle.remove(place)
        if not self._running:
            return
        stable = self._reactor.seconds() - place.opened_at >= STABLE_SECONDS
        place.failures = 0 if stable else place.failures + 1
        if not self.ready:
            self._complain(reason)
        self._fill(place)

    def _fill(self, place: _Place) -> None:
        place.filling = Deferred.fromCoroutine(self._connect(place))
        place.filling.addErrback(self._not_filled, place)

    def _not_filled(self, failure: Failure, place: _Place) -> None:
        if not isinstance(failure.value, CancelledError):  # else the pool is being stopped
            self._broken(failure, place)

    async def _connect(self, place: _Place) -> None:
        """Try until there is a connection."""
        while True:
            if delay := place.delay():
                await deferLater(self._reactor, delay)  # type: ignore[arg-type] # Twisted's own reactor
            connection = PostgresConnection(self._reactor, lambda: self._lost(place, "the connection was lost"))
            try:
                await connection.open_at(self._address, self._names, place.failures, self._timeout)
            except ConnectionGone as gone:
                place.failures += 1
                self._complain(str(gone))
            else:
                self._opened(place, connection)
                return  # even if it is lost again already: then it is being filled again already

    def _opened(self, place: _Place, connection: PostgresConnection) -> None:
        place.connection = connection
        place.filling = None
        place.opened_at = self._reactor.seconds()
        if self._complaint:
            log.info("Postgres {address}: connected again", address=self._address)
            self._complaint = ""
        if not self._first.called:
            self._first.callback(None)
        self._idle.append(place)
        self._hand_out()

    def _complain(self, reason: str) -> None:
        """Say why there is no connection: once per reason, as long as there is none."""
        reason = self._address.redacted(reason)
        if not self.ready and reason != self._complaint:
            self._complaint = reason
            log.error("Postgres {address}: {reason}; trying again", address=self._address, reason=reason)

    def _probe(self) -> None:
        """Ask every connection something that has not been asked for a while."""
        stale = self._reactor.seconds() - PROBE_SECONDS
        for place in [place for place in self._idle if place.connection and place.connection.used_at <= stale]:
            self._idle.remove(place)
            question = _Question("SELECT 1", {})
            question.tried = len(self._places)  # not to be asked again: nobody waits for it
            question.answer.addErrback(lambda _: None)
            self._serve(place, question)
