"""Asks a database the same question once, however many want to know at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wampgate.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.revisions import Revisions

V = TypeVar("V")

MAX_WAITING: Final = 2_000
"""How many may wait for answers in all; more are refused. All may get their answer in one turn."""


class _Boarding(Generic[V]):
    """Those who will share the next answer to one question, and by when the first of them wants it."""

    __slots__ = ("deadline", "waiting")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.waiting: list[Deferred[V]] = []


class SingleFlight(Generic[V]):
    """At most one question per key is under way; who comes meanwhile shares the next one.

    It is the *next*, not the one under way: that one may have read its rows before a
    revocation which the newcomer asks because of. So an answer is never older
    than its question, and a key occupies one connection at a time.

    An answer that a change has overtaken is told to nobody: those who wait for it
    get the next one, within the deadline they had.

    Args:
        clock: tells the time.
        timeout: seconds that each question may take in all.
        question: asks the database for a key, given the deadline in the clock's seconds.
        revisions: knows what has changed.
        subject: the user that a key's answer is about; None for nobody in particular.
    """

    def __init__(
        self,
        clock: Clock,
        timeout: float,
        question: Callable[[str, float], Coroutine[Deferred[V], object, V]],
        *,
        revisions: Revisions,
        subject: Callable[[str, V], str | None],
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._question = question
        self._revisions = revisions
        self._subject = subject
        self._boarding: dict[str, _Boarding[V] | None] = {}
        self._waiting = 0

    def ask(self, key: str) -> Deferred[V]:
        """The answer for a key.

        Raises:
            StoreUnavailable: it could not be had in time, or too many wait.
        """
        waiter: Deferred[V] = Deferred()
        if self._waiting >= MAX_WAITING:
            waiter.errback(StoreUnavailable("too many questions wait for the token store"))
            return waiter
        self._waiting += 1
        waiter.addBoth(self._left)
        self._board(key, waiter)
        return waiter

    def _board(self, key: str, waiter: Deferred[V]) -> None:
        deadline = self._clock.seconds() + self._timeout
        if key not in self._boarding:
            self._boarding[key] = None
            flight: _Boarding[V] = _Boarding(deadline)
            flight.waiting.append(waiter)
            self._take_off(key, flight)
            return
        boarding = self._boarding[key]
        if boarding is None:
            boarding = self._boarding[key] = _Boarding(deadline)
        boarding.waiting.append(waiter)

    def _take_off(self, key: str, flight: _Boarding[V]) -> None:
        asked = self._revisions.number
        Deferred.fromCoroutine(self._question(key, flight.deadline)).addBoth(self._land, key, flight, asked)

    def _land(self, answer: V | Failure, key: str, flight: _Boarding[V], asked: int) -> None:
        following = self._boarding.pop(key)
        if self._is_overtaken(answer, key, asked):
            if following is not None:
                flight.waiting += following.waiting
            following, flight = flight, _Boarding(flight.deadline)
        if following is not None:
            self._boarding[key] = None
            self._take_off(key, following)
        for waiter in flight.waiting:
            if not waiter.called:  # else whoever waited has gone away
                _tell(waiter, answer)

    def _is_overtaken(self, answer: V | Failure, key: str, asked: int) -> bool:
        return not isinstance(answer, Failure) and self._revisions.changed_since(asked, self._subject(key, answer))

    def _left(self, answer: V | Failure) -> V | Failure:
        self._waiting -= 1
        return answer


def _tell(waiter: Deferred[V], answer: V | Failure) -> None:
    if not isinstance(answer, Failure):
        waiter.callback(answer)
    elif isinstance(answer.value, StoreUnavailable):
        # Each gets an error of its own: a traceback grows with everyone that raises it.
        waiter.errback(StoreUnavailable(*answer.value.args))
    else:
        waiter.errback(answer)
