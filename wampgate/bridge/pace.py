"""How much is asked for at a time, and handed out within one turn of the reactor: a burst stops nobody else."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from twisted.internet.task import deferLater

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SHORT: Final = 0.01
_LONG: Final = 0.03
"""Below and above so many seconds for a turn, the next portion is larger or smaller."""

MAX_PORTION: Final = 256

_FIRST_COUNT: Final = 16
"""So many entries are asked for at first, and after trouble: they may have a megabyte each."""

_LARGE: Final = 4 << 20
_SMALL: Final = 1 << 20
"""Above and below so many bytes of an answer, fewer and more entries are asked for."""


class Pace:
    """Finds a portion by what the last one cost, deliveries included: these leave when the turn ends.

    Args:
        reactor: Twisted's.
        now: a monotonic clock, in seconds.

    Attributes:
        portion: how many steps are taken in one turn.
    """

    def __init__(self, reactor: Any, now: Callable[[], float] = monotonic) -> None:
        self.portion = 16
        self._reactor = reactor
        self._now = now
        self._taken = 0
        self._begun = 0.0

    async def step(self) -> None:
        """Take a step; returns at once, or in a later turn if this one has had its portion."""
        if not self._taken:
            self._begun = self._now()
        self._taken += 1
        if self._taken >= self.portion:
            await deferLater(self._reactor, 0)
            self._taken = 0
            self.turned(self._now() - self._begun)

    def turned(self, seconds: float) -> None:
        """Learn how long the last turn took."""
        if seconds > _LONG:
            self.portion = max(1, self.portion // 2)
        elif seconds < _SHORT:
            self.portion = min(MAX_PORTION, self.portion * 2)


class Helping:
    """Finds how many entries to ask for, by how large the last answers were.

    Args:
        most: the most that is ever asked for.

    Attributes:
        count: how many to ask for next.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = min(most, _FIRST_COUNT)

    def answered(self, entries: int, size: int) -> None:
        """Learn how large an answer was: the entries of one stream, and the bytes of all."""
        if size > _LARGE:
            self.count = max(1, self.count // 2)
        elif size < _SMALL and entries >= self.count:
            self.count = min(self._most, self.count * 2)

    def failed(self) -> None:
        """Learn that there was no answer: it may have been too large."""
        self.count = max(1, min(self.count, _FIRST_COUNT) // 2)
