"""Ids stay within the specification's bounds and don't repeat."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from wampgate.core import ids
from wampgate.core.ids import PublicationIds, random_id, sequential_ids
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    import pytest


def test_random_ids_fill_their_range() -> None:
    drawn = [random_id() for _ in range(2000)]
    assert all(1 <= number <= MAX_ID for number in drawn)
    assert len(set(drawn)) == len(drawn)
    # Each eighth of the range has its share of 2,000; the bounds are missed once in 10^15 runs.
    assert all(130 < sum(1 for number in drawn if number * 8 // (MAX_ID + 1) == eighth) < 400 for eighth in range(8))


def test_publication_ids_fill_their_range() -> None:
    first, second = PublicationIds(), PublicationIds()
    drawn = [source.next() for source in (first, second) for _ in range(1000)]
    assert all(1 <= number <= MAX_ID for number in drawn)
    assert len(set(drawn)) == len(drawn)
    assert all(130 < sum(1 for number in drawn if number * 8 // (MAX_ID + 1) == eighth) < 400 for eighth in range(8))


def test_sequential_ids_count_from_1() -> None:
    assert list(islice(sequential_ids(), 4)) == [1, 2, 3, 4]


def test_sequential_ids_begin_again_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "MAX_ID", 3)
    assert list(islice(sequential_ids(), 7)) == [1, 2, 3, 1, 2, 3, 1]
