"""One topic's history: its newest events, bounded by count, bytes and age, in the order of their publication."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.core.stored_events import StoredEvent
    from wampgate.core.topics import HistoryOptions

_sequence_of: Final = attrgetter("sequence")


class Ring:
    """What is kept of one topic.

    Attributes:
        options: the bounds.
        bytes: what the kept events count.
        floor: the sequence of the newest event that is gone; 0 if none ever was. All after it is there.
    """

    __slots__ = ("_events", "_floor_publication", "_sequence_by_publication", "bytes", "floor", "options")

    def __init__(self, options: HistoryOptions) -> None:
        self.options = options
        self.bytes = 0
        self.floor = 0
        self._floor_publication: int | None = None
        self._events: deque[StoredEvent] = deque()
        self._sequence_by_publication: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._events)

    @property
    def last(self) -> StoredEvent | None:
        """The newest event; None if none is kept."""
        return self._events[-1] if self._events else None

    @property
    def last_sequence(self) -> int:
        """The place of the newest event that ever was."""
        return self._events[-1].sequence if self._events else self.floor

    def holds(self, publication: int) -> bool:
        """Whether an event is kept."""
        return publication in self._sequence_by_publication

    def add(self, event: StoredEvent) -> None:
        """Keep an event that is newer than all others; :meth:`trim` has to follow."""
        self._events.append(event)
        self._sequence_by_publication[event.publication] = event.sequence
        self.bytes += event.size

    def trim(self, now: float) -> list[StoredEvent]:
        """Let go of what exceeds the bounds, the oldest first; what that was."""
        options = self.options
        oldest = now - options.age_seconds
        gone: list[StoredEvent] = []
        while self._events and (
            len(self._events) > options.count or self.bytes > options.bytes or self._events[0].at < oldest
        ):
            gone.append(self._let_go())
        return gone

    def clear(self) -> list[StoredEvent]:
        """Let go of everything; what that was."""
        return [self._let_go() for _ in range(len(self))]

    def _let_go(self) -> StoredEvent:
        event = self._events.popleft()
        self.bytes -= event.size
        self.floor = event.sequence
        self._floor_publication = event.publication
        del self._sequence_by_publication[event.publication]
        return event

    def position(self, publication: int) -> int | None:
        """The sequence of an event behind which all is there; None if it isn't known (any more)."""
        if publication == self._floor_publication:
            return self.floor
        return self._sequence_by_publication.get(publication)

    def after(self, sequence: int) -> Iterator[StoredEvent]:
        """The kept events behind a place, oldest first. Nothing may be added or trimmed meanwhile."""
        return islice(self._events, bisect_right(self._events, sequence, key=_sequence_of), None)

    def backwards(self) -> Iterator[StoredEvent]:
        """All kept events, newest first. Nothing may be added or trimmed meanwhile."""
        return reversed(self._events)
