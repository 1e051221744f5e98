"""All deadlines in one heap, so that ten thousand sessions need one timer between them."""

from __future__ import annotations

import heapq
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MANY: Final = 1024
"""Below so many cancelled deadlines, sweeping them out isn't worth it."""


class Deadline:
    """A callback at a time, until it is cancelled.

    Attributes:
        when: by the monotonic clock, in seconds.
        callback: what is called then; None once it has been, or is not to be.
        subject: what it is called with; None for nothing. One callback can so serve ten thousand
            deadlines, which would need as many closures otherwise.
    """

    __slots__ = ("callback", "subject", "when")

    def __init__(self, when: float, callback: Callable[..., None], subject: object = None) -> None:
        self.when = when
        self.callback: Callable[..., None] | None = callback
        self.subject = subject


class Deadlines:
    """Deadlines in order; someone outside asks now and then which are due.

    Attributes:
        now: the monotonic clock, in seconds.
        wakes: when someone will look by itself; minus infinity while nobody will.
        sooner: told of a deadline before that.
    """

    __slots__ = ("_cancelled", "_count", "_heap", "now", "sooner", "wakes")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.wakes = -inf
        self.sooner: Callable[[float], None] = _unheard
        # The count keeps entries of the same time in order and comparisons off the deadlines.
        self._heap: list[tuple[float, int, Deadline]] = []
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def after(self, seconds: float, callback: Callable[..., None], subject: object = None) -> Deadline:
        """A deadline so many seconds from now; see :class:`Deadline`."""
        return self.at(self.now() + seconds, callback, subject)

    def at(self, when: float, callback: Callable[..., None], subject: object = None) -> Deadline:
        """A deadline at a time of the monotonic clock; see :class:`Deadline`."""
        deadline = Deadline(when, callback, subject)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, deadline))
        if when < self.wakes:
            self.sooner(when)
        return deadline

    def move(self, deadline: Deadline, when: float) -> Deadline:
        """Let a deadline come at another time, where there is one still to come: the one that comes then.

        Later costs nothing now: the heap has it at its old time, and finds out when that has come.
        """
        if deadline.callback is not None and when >= deadline.when:
            deadline.when = when
            return deadline
        callback, subject = deadline.callback, deadline.subject
        self.cancel(deadline)
        return deadline if callback is None else self.at(when, callback, subject)

    def cancel(self, deadline: Deadline | None) -> None:
        """Forget a deadline, if it is one and neither ran nor was cancelled."""
        if deadline is None or deadline.callback is None:
            return
        deadline.callback = deadline.subject = None
        self._cancelled += 1
        if self._cancelled > _MANY and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next(self) -> float | None:
        """When the next deadline is due; None if there is none."""
        heap = self._heap
        while heap:
            when, _, deadline = heap[0]
            if deadline.callback is None:
                heapq.heappop(heap)
                self._cancelled -= 1
            elif deadline.when != when:
                self._count += 1
                heapq.heapreplace(heap, (deadline.when, self._count, deadline))
            else:
                return when
        return None

    def run_due(self) -> None:
        """Run every deadline whose time has come. Callbacks must not raise."""
        now = self.now()
        while (when := self.next()) is not None and when <= now:
            deadline = heapq.heappop(self._heap)[2]
            callback, deadline.callback = deadline.callback, None
            subject, deadline.subject = deadline.subject, None
            if callback is None:
                continue
            if subject is None:
                callback()
            else:
                callback(subject)


def _unheard(_: float) -> None:
    """Nobody looks by itself."""
