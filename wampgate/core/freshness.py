"""How far behind its source something is that brings events: by when each came to be, and when it was brought."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from wampgate.core.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable


class Freshness:
    """Watches what is brought from a source whose entries have times.

    Args:
        usual: so many seconds pass between two looks at a quiet source; being behind by less means nothing.
        wall_clock: seconds since 1970.

    Attributes:
        seconds: from when each event came to be until it was brought; the clocks of both machines go in.
    """

    __slots__ = ("_until", "_usual", "_wall_clock", "seconds")

    def __init__(self, usual: float, wall_clock: Callable[[], float] = time) -> None:
        self.seconds = Histogram()
        self._usual = usual
        self._wall_clock = wall_clock
        self._until = wall_clock()

    def brought(self, at: float) -> None:
        """An event was brought that came to be at a time, in seconds since 1970."""
        self._until = at
        self.seconds.observe(max(0.0, self._wall_clock() - at))

    def all_brought(self) -> None:
        """The source has nothing that was not brought."""
        self._until = self._wall_clock()

    @property
    def behind(self) -> float:
        """By how many seconds what was brought last is behind; 0 while that is no more than usual."""
        behind = self._wall_clock() - self._until
        return behind if behind > self._usual else 0.0
