"""How late the reactor comes to its timers, by a clock that the test moves."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wampgate.observation.lag import ReactorLag


def stall(clock: Clock, seconds: float) -> None:
    """Let the clock jump, as it does for whoever was busy meanwhile."""
    clock.rightNow += seconds
    clock.advance(0)


def test_a_stall_is_told_for_a_while_and_then_forgotten() -> None:
    clock = Clock()
    lag = ReactorLag(clock)
    lag.start()
    clock.pump([0.25] * 8)
    assert lag.worst() == 0.0
    assert len(lag.seconds) == 8
    stall(clock, 3.25)
    assert lag.worst() == pytest.approx(3.0)
    clock.pump([0.25] * 36)
    assert lag.worst() == pytest.approx(3.0), "the last ten seconds at the least are told"
    clock.pump([0.25] * 50)
    assert lag.worst() == 0.0
    assert lag.seconds.sum == pytest.approx(3.0)


def test_nothing_is_left_of_one_that_has_stopped() -> None:
    clock = Clock()
    lag = ReactorLag(clock)
    lag.start()
    lag.start()
    assert len(clock.getDelayedCalls()) == 1
    lag.stop()
    lag.stop()
    assert clock.getDelayedCalls() == []
