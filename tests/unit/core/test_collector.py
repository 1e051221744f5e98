"""The garbage collector is kept from looking through every session, and nothing is set aside for good."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING
from weakref import ref

import pytest

from wampgate.collector import FEW, Collector

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cycle:
    def __init__(self) -> None:
        self.me = self


class Crowd:
    def __init__(self) -> None:
        self.size = 0

    def __call__(self) -> int:
        return self.size


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def collector(crowd: Crowd) -> Iterator[Collector]:
    collector = Collector(crowd)
    collector.start()
    yield collector
    collector.stop()


def test_with_many_sessions_what_lives_long_is_set_aside(collector: Collector, crowd: Crowd) -> None:
    crowd.size = FEW
    before = gc.get_freeze_count()
    kept = [Cycle() for _ in range(1000)]
    collector.tend()
    assert gc.get_freeze_count() >= before + len(kept)


def test_what_was_set_aside_is_found_once_they_have_left(collector: Collector, crowd: Crowd) -> None:
    crowd.size = FEW
    cycle = Cycle()
    lost = ref(cycle)
    collector.tend()
    del cycle
    gc.collect()
    assert lost() is not None
    crowd.size = FEW - 1
    for _ in range(12):
        collector.tend()
    assert lost() is None


def test_no_full_collection_comes_by_itself(collector: Collector) -> None:
    assert collector
    young, middle, old = gc.get_threshold()
    assert young > 0
    assert middle > 0
    assert old >= 1_000_000


def test_afterwards_python_decides_again(crowd: Crowd) -> None:
    before = gc.get_threshold()
    collector = Collector(crowd)
    collector.start()
    collector.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
