"""Waiting for an answer, but not longer than a deadline, and letting others have their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import DelayedCall
    from twisted.python.failure import Failure

V = TypeVar("V")


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
    timer = clock.callLater(seconds, lambda: first.errback(TooLate()))
    answer.addBoth(come)
    return first
