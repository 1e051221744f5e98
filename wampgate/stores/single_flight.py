"""Asks a database the same question once, however many want to know at the same time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.turn_share import TurnShare

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.revisions import Revisions

V = TypeVar("V")

MAX_WAITING: Final = 20_000
"""How many may wait for answers in all; more are refused. As many as there may be connections, by default."""

TELLING_SECONDS: Final = 0.01
"""So long are answers told in one turn of the reactor: each makes somebody join, and all may come at once."""


class _Boarding(Generic[V]):
    """Those who will share the next answer to one question, and by when the first of them wants it."""

    __slots__ = ("deadline", "waiting")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.waiting: deque[Deferred[V]] = deque()


class _Landing(Generic[V]):
    """An answer that is here, and those who are still to be told of it."""

    __slots__ = ("answer", "asked", "deadline", "key", "waiting")

    def __init__(self, key: str, answer: V | Failure, asked: int, flight: _Boarding[V]) -> None:
        self.key = key
        self.answer = answer
        self.asked = asked
        self.deadline = flight.deadline
        self.waiting = flight.waiting


class SingleFlight(Generic[V]):
    """At most one question per key is under way; who comes meanwhile shares the next one.

    It is the *next*, not the one under way: that one may have read its rows before a
    revocation which the newcomer asks because of. So an answer is never older
    than its question, and a key is asked for once at a time.

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
        question: Callable[[str, float], Deferred[V]],
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
        self._landed: deque[_Landing[V]] = deque()
        self._share = TurnShare(clock, TELLING_SECONDS)
        self._telling = False
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
        self._board(key, self._clock.seconds() + self._timeout, waiter)
        return waiter

    def _board(self, key: str, deadline: float, *waiters: Deferred[V]) -> None:
        if key not in self._boarding:
            flight: _Boarding[V] = _Boarding(deadline)
            flight.waiting.extend(waiters)
            self._take_off(key, flight)
            return
        boarding = self._boarding[key]
        if boarding is None:
            boarding = self._boarding[key] = _Boarding(deadline)
        boarding.deadline = min(boarding.deadline, deadline)
        boarding.waiting.extend(waiters)

    def _take_off(self, key: str, flight: _Boarding[V]) -> None:
        self._boarding[key] = None
        asked = self._revisions.number
        self._question(key, flight.deadline).addBoth(self._land, key, flight, asked)

    def _land(self, answer: V | Failure, key: str, flight: _Boarding[V], asked: int) -> None:
        following = self._boarding.pop(key)
        landing = _Landing(key, answer, asked, flight)
        if self._is_overtaken(landing):
            if following is not None:
                flight.waiting += following.waiting
            self._take_off(key, flight)
            return
        if following is not None:
            self._take_off(key, following)
        self._landed.append(landing)
        self._tell_on()

    def _tell_on(self) -> None:
        """Tell those whose answers are here, as far as this turn's share goes."""
        if self._telling:  # somebody who is told has made another answer come; the loop below goes on
            return
        self._telling = True
        while self._landed and not self._share.is_used_up():
            self._tell_next(self._landed[0])
        self._telling = False
        if self._landed:
            # Newcomers are told in their order: none overtakes those who wait here.
            self._telling = True
            self._clock.callLater(0, self._tell_in_the_next_turn)

    def _tell_in_the_next_turn(self) -> None:
        self._telling = False
        self._tell_on()

    def _tell_next(self, landing: _Landing[V]) -> None:
        """Tell one of those who wait for an answer, or all of them to wait for another: a change has come since."""
        if not landing.waiting:
            self._landed.popleft()
        elif self._is_overtaken(landing):
            self._landed.popleft()
            self._board(landing.key, landing.deadline, *landing.waiting)
        else:
            waiter = landing.waiting.popleft()
            self._waiting -= 1
            if not waiter.called:  # else whoever waited has gone away
                _tell(waiter, landing.answer)

    def _is_overtaken(self, landing: _Landing[V]) -> bool:
        if isinstance(landing.answer, Failure):
            return False
        return self._revisions.changed_since(landing.asked, self._subject(landing.key, landing.answer))


def _tell(waiter: Deferred[V], answer: V | Failure) -> None:
    if not isinstance(answer, Failure):
        waiter.callback(answer)
    elif isinstance(answer.value, StoreUnavailable):
        # Each gets an error of its own: a traceback grows with everyone that raises it.
        waiter.errback(StoreUnavailable(*answer.value.args))
    else:
        waiter.errback(answer)
