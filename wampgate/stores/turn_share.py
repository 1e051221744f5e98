"""A share of each reactor turn: what takes longer goes on in the next, after everyone else had their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wampgate.stores.deadlines import Clock


class TurnShare:
    """Half of the reactor's time, but some of each turn.

    A fixed share would starve in a storm, when a turn with thousands of sockets takes
    a second: it may take as long as everyone else took since it was used up.

    Args:
        clock: tells the time and when a turn is over.
        seconds: how much of a turn it may take at least.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._least = seconds
        self._seconds = seconds
        self._begun: float | None = None
        self._used_up: float | None = None

    def is_used_up(self) -> bool:
        """Whether the rest has to wait for the next turn."""
        now = self._clock.seconds()
        if self._begun is None:
            self._begin(now)
        assert self._begun is not None  # noqa: S101 - for the types
        if now - self._begun < self._seconds:
            return False
        self._used_up = now
        return True

    def _begin(self, now: float) -> None:
        self._begun = now
        self._seconds = self._least if self._used_up is None else max(self._least, now - self._used_up)
        self._used_up = None
        self._clock.callLater(0, self._next_turn)

    def _next_turn(self) -> None:
        self._begun = None
