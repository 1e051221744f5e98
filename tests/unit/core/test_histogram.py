"""Observations by their size, and how far behind its source something is."""

from __future__ import annotations

from math import inf

import pytest

from wampgate.core.freshness import Freshness
from wampgate.core.histogram import SECONDS, Histogram


def test_each_bucket_holds_what_is_not_greater_than_its_bound() -> None:
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.1, 5.0, 5.1, 1000.0):
        histogram.observe(value)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.0, 4), (5.0, 6), (inf, 8)]
    assert len(histogram) == 8
    assert histogram.sum == pytest.approx(1016.7)


def test_an_empty_one_has_all_its_buckets() -> None:
    assert [count for _, count in Histogram().cumulative()] == [0] * (len(SECONDS) + 1)
    assert list(SECONDS) == sorted(SECONDS)


class Wall:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_quiet_source_is_not_behind_and_one_that_is_not_read_is() -> None:
    wall = Wall()
    freshness = Freshness(2.0, wall)
    wall.now += 1.5
    assert freshness.behind == 0.0
    wall.now += 10.0
    assert freshness.behind == pytest.approx(11.5)
    freshness.all_brought()
    assert freshness.behind == 0.0


def test_what_is_brought_late_tells_how_late() -> None:
    wall = Wall()
    freshness = Freshness(2.0, wall)
    wall.now += 100
    freshness.brought(wall.now - 7.0)
    assert freshness.behind == pytest.approx(7.0)
    assert freshness.seconds.sum == pytest.approx(7.0)
    freshness.brought(wall.now + 3.0)
    # The source's clock may be ahead of ours.
    assert freshness.behind == 0.0
    assert freshness.seconds.sum == pytest.approx(7.0)
    assert len(freshness.seconds) == 2
