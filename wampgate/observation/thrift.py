"""What keeps a record from being filled by whoever causes its entries: of much that is alike, a few and a count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PERIOD_SECONDS: Final = 10.0
"""So long entries are counted before it is told how many were left out."""

ALIKE: Final = 5
"""So many entries that say the same of the same one are kept in a period, each by itself."""

OF_ONE: Final = 50
"""So many entries of one kind about the same one."""

OF_A_KIND: Final = 1000
"""So many entries of one kind, whomever they are about."""

_Key = tuple[str, ...]


@dataclass(slots=True)
class LeftOut:
    """Entries that were counted only.

    Attributes:
        key: what they have in common: the kind; whom they are about, if that is the same; what they say, likewise.
        since, until: when the first and the last of them came, in seconds since 1970.
        first: the first of them.
        count: how many they are.
    """

    key: _Key
    since: float
    until: float
    first: dict[str, Any]
    count: int = 0


class Thrift:
    """Counts the entries of a period and says which are kept.

    Args:
        now: the monotonic clock, in seconds.
        seconds: the period's length.
        alike, of_one, of_a_kind: how many are kept; see :data:`ALIKE` and those that follow.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        seconds: float = PERIOD_SECONDS,
        alike: int = ALIKE,
        of_one: int = OF_ONE,
        of_a_kind: int = OF_A_KIND,
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._bounds = (of_a_kind, of_one, alike)
        self._kept: dict[_Key, int] = {}
        self._left_out: dict[_Key, LeftOut] = {}
        self._ends = now() + seconds

    def keep(
        self, kind: str, whom: str, what: str, at: float, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Make an entry that is kept by itself; None if it is only counted.

        Args:
            kind: one of a few.
            whom: about whom it is.
            what: what it says.
            at: when it happened, in seconds since 1970.
            make: makes the entry; of those that are counted, the first only is made.
        """
        kept = self._kept
        # From the widest to the narrowest: so what is remembered has a bound as well.
        keys: tuple[_Key, ...] = ((kind,), (kind, whom), (kind, whom, what))
        for key, bound in zip(keys, self._bounds, strict=True):
            if kept.get(key, 0) >= bound:
                left_out = self._left_out.get(key)
                if left_out is None:
                    left_out = self._left_out[key] = LeftOut(key, at, at, make())
                left_out.count += 1
                left_out.until = at
                return None
        for key in keys:
            kept[key] = kept.get(key, 0) + 1
        return make()

    def ended(self, *, at_once: bool = False) -> Iterator[LeftOut]:
        """What was left out, if the period is over, or ``at_once``; then the next one begins."""
        if self._now() >= self._ends or at_once:
            left_out, self._left_out = self._left_out, {}
            self._kept.clear()
            self._ends = self._now() + self._seconds
            yield from left_out.values()
