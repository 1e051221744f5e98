"""What waits for one slow reader: frames in order, some of which may be dropped or replaced while they wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from wampgate.core.slow_readers import Perishable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.gaps import Missed
    from wampgate.core.slow_readers import Key

Part: TypeAlias = tuple[int, bytes, Perishable | None]
"""A frame; the subscription whose event it is (negative: to which it is the answer;
0: neither), and how it may be lost (None: not at all)."""

_HOLES: Final = 64
"""So many places of frames that are gone are left alone, and more if as many frames are left."""


class Waiting:
    """A queue of frames, in which every step takes constant time, amortized.

    A frame that is dropped or replaced leaves a hole in the list, so that the
    others keep their places. A frame's number is its place counted from the
    first one that ever waited.

    Attributes:
        size: bytes that wait.
        missed: what was dropped, and the reader was not told yet; None for nothing.
    """

    __slots__ = ("_droppable", "_first", "_holes", "_number_by_key", "_parts", "missed", "size")

    def __init__(self) -> None:
        self._parts: list[Part | None] = []
        self._first = 0
        self._holes = 0
        # The numbers of those that may be dropped, and of those that a later one replaces.
        self._droppable: deque[int] = deque()
        self._number_by_key: dict[Key, int] = {}
        self.size = 0
        self.missed: Missed | None = None

    def __len__(self) -> int:
        return len(self._parts) - self._holes

    def parts(self) -> list[Part]:
        """All that waits, in order."""
        return [part for part in self._parts if part is not None]

    def confirms(self, subscription: int) -> bool:
        """Whether the answer to the SUBSCRIBE of a subscription waits, so that its reader doesn't know it yet."""
        return any(part is not None and part[0] == -subscription for part in self._parts)

    @property
    def droppable(self) -> int:
        """How many frames may be dropped."""
        return len(self._droppable)

    def append(self, part: Part) -> bool:
        """Let a frame wait behind all others; whether it replaced one."""
        perishable = part[2]
        replaced = False
        if perishable is not None:
            number = self._first + len(self._parts)
            if perishable.key is None:
                self._droppable.append(number)
            else:
                earlier = self._number_by_key.get(perishable.key)
                self._number_by_key[perishable.key] = number
                if earlier is not None:
                    self._remove(earlier)
                    replaced = True
        self._parts.append(part)
        self.size += len(part[1])
        if replaced:
            self._close_holes()
        return replaced

    def drop(self, limit: int, enough: int) -> list[Perishable]:
        """Drop the oldest ones that may be dropped.

        Args:
            limit: so many bytes may wait.
            enough: so many may be left, so that one gap stands for many losses
                instead of one for each; the newest one stays if it fits the limit.

        Returns:
            What was dropped, the oldest first.
        """
        dropped = []
        droppable = self._droppable
        while droppable and (self.size > limit or (self.size > enough and len(droppable) > 1)):
            dropped.append(self._remove(droppable.popleft()))
        self._close_holes()
        return [perishable for _, _, perishable in dropped if perishable is not None]

    def take(self, size: int) -> list[Part]:
        """Take about so many bytes from the front; one frame at least, if any waits."""
        taken: list[Part] = []
        count = total = 0
        for part in self._parts:
            if total >= size:
                break
            count += 1
            if part is None:
                self._holes -= 1
                continue
            taken.append(part)
            total += len(part[1])
            if part[2] is not None and part[2].key is not None:
                del self._number_by_key[part[2].key]
        del self._parts[:count]
        self._first += count
        self.size -= total
        while self._droppable and self._droppable[0] < self._first:
            self._droppable.popleft()
        return taken

    def retract(self, subscription: int) -> None:
        """Take back the events of a subscription, and what would be told of it."""
        self._renumber(part for part in self.parts() if part[0] != subscription)
        if self.missed is not None:
            self.missed.forget(subscription)

    # --- inside ---

    def _remove(self, number: int) -> Part:
        place = number - self._first
        part = self._parts[place]
        assert part is not None, "a hole has no number"  # noqa: S101 - the indexes would be wrong
        self._parts[place] = None
        self._holes += 1
        self.size -= len(part[1])
        return part

    def _close_holes(self) -> None:
        if self._holes > _HOLES and self._holes > len(self):
            self._renumber(self.parts())

    def _renumber(self, parts: Iterable[Part]) -> None:
        self._parts = []
        self._first = self._holes = self.size = 0
        self._droppable.clear()
        self._number_by_key.clear()
        for part in parts:
            self.append(part)
