"""How late the reactor comes to what it is to do: the one figure that tells of a router that has too much to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.core.histogram import Histogram

if TYPE_CHECKING:
    from twisted.internet.base import DelayedCall

_PERIOD: Final = 0.25
"""So many seconds pass between two looks: a stall as long is always noticed, a shorter one the likelier the longer."""

_WINDOW: Final = 10.0
"""The worst of the last ten to twenty seconds is told: long enough for whoever looks every fifteen."""


class ReactorLag:
    """Has the reactor do nothing now and then, and notes how late it comes to it.

    Args:
        reactor: whose timers are measured; its ``seconds`` is to be monotonic.

    Attributes:
        seconds: how late each look was.
    """

    def __init__(self, reactor: Any) -> None:
        self.seconds = Histogram()
        self._reactor = reactor
        self._timer: DelayedCall | None = None
        self._due = 0.0
        self._worst = self._worst_before = 0.0
        self._window_ends = 0.0

    def worst(self) -> float:
        """By how many seconds the reactor was late, at worst, of late; a stall that still lasts can't be told."""
        return max(self._worst, self._worst_before)

    def start(self) -> None:
        """Begin to look. Does nothing if that was done."""
        if self._timer is None:
            self._window_ends = self._reactor.seconds() + _WINDOW
            self._wait()

    def stop(self) -> None:
        """Look no more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _wait(self) -> None:
        self._due = self._reactor.seconds() + _PERIOD
        self._timer = self._reactor.callLater(_PERIOD, self._look)

    def _look(self) -> None:
        now = self._reactor.seconds()
        late = max(0.0, now - self._due)
        self.seconds.observe(late)
        if now >= self._window_ends:
            self._worst_before, self._worst = self._worst, 0.0
            self._window_ends = now + _WINDOW
        self._worst = max(self._worst, late)
        self._wait()
