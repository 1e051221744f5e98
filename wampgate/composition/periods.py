"""What is done again and again while something runs, and ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger(namespace="wampgate")


class Periods:
    """Calls functions now and then.

    Args:
        reactor: whose clock counts.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._loops: list[LoopingCall] = []

    def every(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function once in so many seconds, from now on; the first time when they are over."""
        loop = LoopingCall(function)
        loop.clock = self._reactor
        loop.start(seconds, now=False).addErrback(lambda failure: _log.failure("a timer has failed", failure))
        self._loops.append(loop)

    def stop(self) -> None:
        """Call nothing any more."""
        loops, self._loops = self._loops, []
        for loop in loops:
            if loop.running:
                loop.stop()
