"""How far one stream has been read, and whether entries vanished that should have been read.

Redis counts the entries that were ever added to a stream (``entries-added``, since
Redis 7) and we count those that we read. A *mark* holds Redis' count together with the
id of the newest entry at that moment; once reading has come to that entry, both
counts must agree. If fewer were read, the missing ones were trimmed or deleted
before their turn.

Where Redis doesn't count, only the oldest entry tells: if it is newer than the last
one read, something in between may be gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.stream_ids import START, StreamId, stream_id

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class StreamState:
    """What Redis says of a stream (XINFO STREAM).

    Attributes:
        length: how many entries it holds.
        last: the newest id that was ever given.
        first: the oldest entry that is there; None if it is empty.
        added: how many entries were ever added; None before Redis 7.
    """

    length: int
    last: StreamId
    first: StreamId | None
    added: int | None


ABSENT: Final = StreamState(0, START, None, 0)
"""There is no such stream (yet)."""


def stream_state(reply: Sequence[Any]) -> StreamState:
    """Read the answer to XINFO STREAM.

    Raises:
        ValueError: it is no such answer.
    """
    try:
        facts = dict(zip(reply[::2], reply[1::2], strict=True))
        first = facts[b"first-entry"]
        return StreamState(
            int(facts[b"length"]),
            stream_id(facts[b"last-generated-id"]),
            None if first is None else stream_id(first[0]),
            int(facts[b"entries-added"]) if b"entries-added" in facts else None,
        )
    except (KeyError, TypeError, IndexError, ValueError):
        raise ValueError("Redis describes the stream in a way that is not known here") from None


@dataclass(frozen=True, slots=True)
class Missed:
    """Entries are gone that were never read.

    Attributes:
        since: the last entry that was read before them.
        count: how many they are; None if that can't be known.
        reset: whether the stream is another one than before: deleted, or lost by Redis.
    """

    since: StreamId
    count: int | None
    reset: bool = False


class StreamProgress:
    """How far one stream has been read.

    Args:
        offset: the last entry that was read; :data:`START` before the first one.
        added: how many entries had been added to the stream by then; None if unknown.
        agreed: the last entry up to which nothing was missing: both counts were the
            same. None for ``offset``.

    Attributes:
        offset, added, agreed: the same, now.
    """

    __slots__ = ("_mark", "added", "agreed", "offset")

    def __init__(self, offset: StreamId = START, added: int | None = None, agreed: StreamId | None = None) -> None:
        self.offset = offset
        self.added = added
        self.agreed = offset if agreed is None else agreed
        # Where they have to agree next: the newest entry of then, and how many had been added.
        self._mark: tuple[StreamId, int] | None = None

    def read(self, entry: StreamId) -> Missed | None:
        """Note that an entry comes next; what is missing before it, if that shows now."""
        missed = None
        if self._mark is not None and entry > self._mark[0]:
            # The newest entry of then is gone itself.
            missed = self._settle(self._mark)
        self.offset = entry
        if self.added is not None:
            self.added += 1
        if self._mark is not None and entry == self._mark[0]:
            missed = self._settle(self._mark)
        return missed

    def read_all(self) -> Missed | None:
        """Note that nothing newer than what was read is there; what is missing, if entries were there before."""
        return None if self._mark is None else self._settle(self._mark)

    def compare(self, state: StreamState) -> Missed | None:
        """Look at the stream as it is now; what is known to be missing already.

        Whoever has asked Redis for entries before it asked for the state has had the answer.
        """
        if state.last < self.offset:
            return self._start_again(state)
        if state.added is None:
            return self._compare_oldest(state)
        if self.added is not None and state.added < self.added:
            missed: Missed | None = Missed(self.offset, None, reset=True)
            self.added = None
        else:
            missed = self._trimmed(state.added, state)
        mark = self._mark if missed is None else None
        self._mark = mark = mark or (state.last, state.added)
        if mark[0] > self.offset:
            return missed
        return missed or self._settle(mark)

    def _trimmed(self, added: int, state: StreamState) -> Missed | None:
        """What was trimmed away between what was read and the oldest entry, counted exactly."""
        unread = self.added is not None and (state.first is None or state.first > self.offset)
        return self._count(added - state.length) if unread else None

    def _compare_oldest(self, state: StreamState) -> Missed | None:
        self.added = None
        if self.offset in (START, state.last) or (state.first is not None and state.first <= self.offset):
            return None
        return Missed(self.offset, None)

    def _start_again(self, state: StreamState) -> Missed:
        """The stream ends before what was read of it: it is another one, to be read from its beginning."""
        missed = Missed(self.offset, None, reset=True)
        self.offset = self.agreed = START
        self._mark = None
        self.added = None if state.added is None else state.added - state.length
        return missed

    def _settle(self, mark: tuple[StreamId, int]) -> Missed | None:
        last, added = mark
        missed = self._count(added)
        self._mark = None
        self.added = added
        self.offset = self.agreed = max(self.offset, last)
        return missed

    def _count(self, added: int) -> Missed | None:
        """Compare the number of entries that should have been read with those that were, and take it over."""
        missing = 0 if self.added is None else added - self.added
        if missing <= 0:
            return None
        self.added = added
        return Missed(self.agreed, missing)
