"""Keeps Python's garbage collector from stopping everyone: what lives long is not looked through again and again.

A full collection looks at every object of every session: 25 µs for each session,
a quarter of a second for ten thousand. Closed connections leave no cycles behind,
so hardly anything needs one.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TEND_SECONDS: Final = 5.0
"""How often :meth:`Collector.tend` is to be called."""

FEW: Final = 1_000
"""With fewer sessions a full collection takes less than 30 ms."""

_TURNS: Final = 12
"""With few sessions, everything is looked through every so many times."""

_NEVER: Final = 1_000_000
"""So many collections of what is younger come before a full one that nobody asked for."""


class Collector:
    """Decides when the whole heap is looked through.

    Args:
        sessions: how many sessions there are.
    """

    def __init__(self, sessions: Callable[[], int]) -> None:
        self._sessions = sessions
        self._before = gc.get_threshold()
        self._turn = 0

    def start(self) -> None:
        """Take the decision from Python: what was made so far stays, and full collections come when asked for."""
        young, middle, _ = self._before
        gc.set_threshold(young, middle, _NEVER)
        gc.collect()
        gc.freeze()

    def tend(self) -> None:
        """Look through everything while that is quick; else set aside what has lived until now."""
        if self._sessions() >= FEW:
            gc.freeze()
            return
        self._turn += 1
        if self._turn % _TURNS == 0:
            gc.unfreeze()
            gc.collect()

    def stop(self) -> None:
        """Leave the decision to Python again."""
        gc.unfreeze()
        gc.set_threshold(*self._before)
