"""What is kept of one topic or pattern at one moment: whether a position is known, and what lies behind it."""

from __future__ import annotations

from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.core.history_ring import Ring
    from wampgate.core.stored_events import StoredEvent

_sequence_of: Final = attrgetter("sequence")


class Window:
    """A view of a history that holds until the next event is kept.

    Args:
        rings: what is kept of each topic that matches.
        epochs: of each place where they are kept, the sequence before each epoch's first event.
        exact: whether it is one topic and not a pattern.
        complete: whether every topic that could match has a history.
        whole_from: the sequence behind which nothing is missing of what these places keep.
        floor: the same for topics of which nothing is left.
    """

    __slots__ = ("_complete", "_epochs", "_exact", "_floor", "_rings", "_whole_from")

    def __init__(
        self,
        rings: Sequence[Ring],
        epochs: Sequence[dict[str, int]],
        *,
        exact: bool,
        complete: bool,
        whole_from: int,
        floor: int,
    ) -> None:
        self._rings = rings
        self._epochs = epochs
        self._exact = exact
        self._complete = complete
        self._whole_from = whole_from
        self._floor = floor

    @property
    def epoch(self) -> str | None:
        """The name of the epoch; None if nothing is ever kept here. Of several stores, one name of each."""
        return "+".join(next(reversed(beginnings)) for beginnings in self._epochs) or None

    def position(self, publication: int | None, epoch: str | None = None) -> int | None:
        """The sequence of a position; None unless everything behind it is here.

        Args:
            publication: the last event that is not wanted any more.
            epoch: without one, the epoch before whose first event the position is.
        """
        if not self._complete:
            return None
        if publication is None:
            sequence = None if epoch is None else self._beginning(epoch)
        else:
            sequence = self.sequence_of(publication)
        if sequence is None or sequence < self._missing(publication):
            return None
        return sequence

    def sequence_of(self, publication: int) -> int | None:
        """The sequence of an event that is here, or was the last to go; None if it is not known.

        One publication may have gone to several topics. Who has one of its events may lack the
        others, so it is the first one's.
        """
        found = [ring.position(publication) for ring in self._rings]
        return min((sequence for sequence in found if sequence is not None), default=None)

    def _missing(self, publication: int | None) -> int:
        """The newest event that may be missing."""
        if self._exact and publication is not None:
            # The topic's own ring has it, or it was the last to go: what is gone of other topics does not matter.
            return self._whole_from
        return max([self._floor, *(ring.floor for ring in self._rings)])

    def _beginning(self, epoch: str) -> int | None:
        names = epoch.split("+")
        if len(names) != len(self._epochs):
            return None
        beginnings = [epochs.get(name) for epochs, name in zip(self._epochs, names, strict=True)]
        known = [beginning for beginning in beginnings if beginning is not None]
        return min(known) if len(known) == len(beginnings) else None

    @property
    def last(self) -> StoredEvent | None:
        """The newest event; None if there is none."""
        newest = [ring.last for ring in self._rings if ring.last is not None]
        return max(newest, key=_sequence_of) if newest else None

    def after(self, sequence: int) -> Iterator[StoredEvent]:
        """The events behind a place, oldest first."""
        rings = [ring.after(sequence) for ring in self._rings if ring.last_sequence > sequence]
        return rings[0] if len(rings) == 1 else merge(*rings, key=_sequence_of)

    def backwards(self) -> Iterator[StoredEvent]:
        """All events, newest first."""
        rings = [ring.backwards() for ring in self._rings]
        return rings[0] if len(rings) == 1 else merge(*rings, key=_sequence_of, reverse=True)
