"""The timer behind the deadlines: each is met soon after it is due, whenever it was set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from twisted.internet.task import Clock

from wampgate.core.deadlines import Deadlines
from wampgate.transports.timer import DeadlineTimer

if TYPE_CHECKING:
    from collections.abc import Callable

GRAIN = 0.006


class Timed:
    """Deadlines with a clock; each writes down when it was met."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock.seconds)
        self.timer = DeadlineTimer(self.clock, self.deadlines)
        self.met: dict[float, float] = {}

    def set(self, when: float) -> None:
        self.deadlines.at(when, self._meet(when))

    def _meet(self, when: float) -> Callable[[], None]:
        def met() -> None:
            self.met.setdefault(when, self.clock.seconds())

        return met

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.001] * round(seconds * 1000))


@pytest.fixture
def timed() -> Timed:
    return Timed()


def test_deadlines_are_met_when_they_are_due(timed: Timed) -> None:
    for when in (0.1, 0.101, 0.4, 2.0, 2.25):
        timed.set(when)
    timed.timer.start()
    timed.pass_time(0.15)
    for when in (0.16, 0.2, 1.0):
        timed.set(when)
    timed.pass_time(3.0)
    assert sorted(timed.met) == [0.1, 0.101, 0.16, 0.2, 0.4, 1.0, 2.0, 2.25]
    # Before it began nobody looked sooner than it does by itself.
    assert all(0 <= at - when < GRAIN for when, at in timed.met.items() if when not in (0.1, 0.101))


def test_a_deadline_that_sets_another_is_no_hindrance(timed: Timed) -> None:
    timed.timer.start()
    timed.deadlines.at(0.1, lambda: timed.set(0.12))
    timed.pass_time(0.2)
    assert timed.met[0.12] - 0.12 < GRAIN


def fail() -> None:
    raise ValueError("on purpose")


def test_one_that_fails_does_not_end_the_others(timed: Timed) -> None:
    timed.timer.start()
    timed.deadlines.at(0.1, fail)
    timed.set(0.2)
    timed.pass_time(0.3)
    assert timed.met


def test_it_looks_no_more_often_than_it_has_to(timed: Timed) -> None:
    timed.timer.start()
    looked = 0
    run_due = timed.deadlines.run_due

    class Counting(Deadlines):
        """Counts how often it is looked at."""

        __slots__ = ()

        def run_due(self) -> None:
            """See :class:`Deadlines`."""
            nonlocal looked
            looked += 1
            run_due()

    timed.deadlines.__class__ = Counting
    for number in range(1000):
        timed.set(5.0 + number / 1e6)
    timed.pass_time(6.0)
    assert len(timed.met) == 1000
    assert looked <= 26


def test_after_it_has_stopped_nothing_is_run(timed: Timed) -> None:
    timed.timer.start()
    timed.set(0.1)
    timed.timer.stop()
    timed.set(0.05)
    timed.pass_time(1.0)
    assert timed.met == {}
    assert timed.clock.getDelayedCalls() == []
