"""Runs the core's deadlines when they are due, on the reactor's clock."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

if TYPE_CHECKING:
    from wampgate.core.deadlines import Deadlines

_log = Logger()

_IDLE_SECONDS: Final = 1.0
"""So often it is looked at the least: a clock may jump."""

_GRAIN_SECONDS: Final = 0.005
"""Deadlines that are nearer to one another are met together."""


class DeadlineTimer:
    """The one timer behind all deadlines.

    Args:
        reactor: counts the time until the next one.
        deadlines: what to run.
    """

    def __init__(self, reactor: Any, deadlines: Deadlines) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._call: Any = None

    def start(self) -> None:
        """Run what is due from now on."""
        self._deadlines.sooner = self._sooner
        self._schedule(_IDLE_SECONDS)

    def stop(self) -> None:
        """Run nothing more."""
        self._deadlines.wakes = -inf
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _schedule(self, seconds: float) -> None:
        self._deadlines.wakes = self._deadlines.now() + seconds
        self._call = self._reactor.callLater(seconds, self._run)

    def _run(self) -> None:
        try:
            self._deadlines.run_due()
        except Exception:  # noqa: BLE001 - one faulty deadline must not end them all
            _log.failure("a deadline has failed")
        upcoming = self._deadlines.next()
        wait = _IDLE_SECONDS if upcoming is None else upcoming - self._deadlines.now()
        self._schedule(min(max(wait, _GRAIN_SECONDS), _IDLE_SECONDS))

    def _sooner(self, when: float) -> None:
        """A deadline was set that comes before the next look."""
        wait = max(when - self._deadlines.now(), _GRAIN_SECONDS)
        if self._call is not None and self._deadlines.now() + wait < self._deadlines.wakes:
            self._call.cancel()
            self._schedule(wait)
