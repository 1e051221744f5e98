"""Ids stay within the specification's bounds and don't repeat."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from wampgate.core import ids
from wampgate.core.ids import PublicationIds, RandomIds, random_id, sequential_ids
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    import pytest


def test_random_ids_fill_their_range() -> None:
    drawn = [random_id() for _ in range(2000)]
    assert all(1 <= number <= MAX_ID for number in drawn)
    assert len(set(drawn)) == len(drawn)
    # Each eighth of the range has its share of 2,000; the bounds are missed once in 10^15 runs.
    assert all(130 < sum(1 for number in drawn if number * 8 // (MAX_ID + 1) == eighth) < 400 for eighth in range(8))


def test_no_randomness_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []

    def system(size: int) -> bytes:
        taken.append(bytes((len(taken) * size + place) % 251 for place in range(size)))
        return taken[-1]

    monkeypatch.setattr(os, "urandom", system)
    source = RandomIds()
    drawn = [source.next() for _ in range(3 * ids._AT_ONCE)]
    assert len(taken) == 3
    together = b"".join(taken)
    portions = [together[begin : begin + 7] for begin in range(0, len(together), 7)]
    assert drawn == [(int.from_bytes(portion, "big") >> 3) + 1 for portion in portions]


def test_the_bounds_of_the_range_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: b"\xff" * size)
    assert RandomIds().next() == MAX_ID
    monkeypatch.setattr(os, "urandom", lambda size: b"\0" * size)
    assert RandomIds().next() == 1


def test_a_fork_does_not_give_the_same_ids_as_its_parent() -> None:
    random_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_id().to_bytes(8, "big"))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = int.from_bytes(os.read(reading, 8), "big")
    os.close(reading)
    os.close(writing)
    assert theirs != random_id()


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
