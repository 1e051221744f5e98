"""How long things took: observations counted by size, as metrics show them; one costs a third of a microsecond."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what takes from half a millisecond to ten seconds."""


class Histogram:
    """Observations by their size.

    Args:
        bounds: of the buckets, ascending; one more takes what is greater than all.

    Attributes:
        bounds: of the buckets; each holds what is not greater.
        counts: how many observations each bucket has, the last one those beyond all bounds.
        sum: of all observations.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def __len__(self) -> int:
        return sum(self.counts)

    def observe(self, value: float) -> None:
        """Count an observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, infinity last, and how many observations are not greater."""
        return zip((*self.bounds, inf), accumulate(self.counts), strict=True)
