"""Waiting for an answer, but not longer than a deadline, and letting others have their turn."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import DelayedCall
    from twisted.python.failure import Failure

V = TypeVar("V")

TURNS: Final = 4
"""So many turns: a question leaves in one, its answer is read in the next, and there may be two of each."""


class Clock(Protocol):
    """What Twisted's reactors and its ``task.Clock`` know of time (IReactorTime, which types can't express)."""

    def seconds(self) -> float:
        """The time in seconds."""

    def callLater(self, delay: float, call: Callable[..., Any], /, *args: Any) -> DelayedCall:  # noqa: N802 - Twisted's name
        """Call after so many seconds."""


class TooLate(Exception):
    """The answer was not there in time."""


def turn(clock: Clock) -> Deferred[None]:
    """Lets the reactor see to everyone else before it goes on here."""
    over: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(0, over.callback, None)
    return over


class Deadline:
    """Calls when so many seconds are over, and the reactor has had a few turns after them.

    In a storm a turn with thousands of sockets takes a second, and timers come before
    sockets: three seconds would be over before an answer that has long been there
    could be read. A reactor that has nothing else to do is through these turns at once.

    Args:
        clock: tells the time.
        seconds: from now.
        call: what to call.

    Attributes:
        came: when the seconds were over, by the clock; infinity before.
    """

    def __init__(self, clock: Clock, seconds: float, call: Callable[[], object]) -> None:
        self.came = inf
        self._clock = clock
        self._call = call
        self._turns = TURNS
        self._timer: DelayedCall | None = clock.callLater(seconds, self._due)

    def cancel(self) -> None:
        """Don't call any more; may be done at any time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        if self._turns:
            self.came = min(self.came, self._clock.seconds())
            self._turns -= 1
            self._timer = self._clock.callLater(0, self._due)
        else:
            self._timer = None
            self._call()


def within(clock: Clock, seconds: float, answer: Deferred[V]) -> Deferred[V]:
    """The answer if it comes within so many seconds.

    ``answer`` itself is never cancelled: cancelling a Deferred of txpostgres asks
    the server to cancel, over a connection that it opens *blocking*. What comes
    too late is dropped, errors too. The returned Deferred can be cancelled.

    Raises:
        TooLate: it did not come in time.
    """

    def forget(_: object) -> None:
        timer.cancel()

    def come(value: V | Failure) -> None:
        if not first.called:
            timer.cancel()
            first.callback(value)  # a Failure starts the errbacks

    first: Deferred[V] = Deferred(forget)
    timer = Deadline(clock, seconds, lambda: first.errback(TooLate()))
    answer.addBoth(come)
    return first
