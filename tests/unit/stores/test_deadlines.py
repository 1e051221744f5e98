"""Waiting no longer than a deadline."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from wampgate.stores.deadlines import TURNS, TooLate, within


def waiting(clock: Clock) -> tuple[Deferred[str], Deferred[str], list[Any]]:
    def never(_: object) -> None:
        pytest.fail("what is waited for must not be cancelled")

    answer: Deferred[str] = Deferred(never)
    told: list[Any] = []
    waiter = within(clock, 2.0, answer)
    waiter.addBoth(lambda value: told.append(getattr(value, "value", value)))
    return answer, waiter, told


def test_an_answer_in_time() -> None:
    clock = Clock()
    answer, _, told = waiting(clock)
    clock.advance(1.9)
    answer.callback("yes")
    assert told == ["yes"]
    assert not clock.getDelayedCalls()


def test_an_error_in_time() -> None:
    clock = Clock()
    answer, _, told = waiting(clock)
    answer.errback(KeyError("no"))
    assert isinstance(told[0], KeyError)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("late", ["answer", KeyError("late")])
def test_an_answer_too_late_is_dropped(late: Any) -> None:
    clock = Clock()
    answer, _, told = waiting(clock)
    clock.advance(2)
    assert isinstance(told[0], TooLate)
    if isinstance(late, str):
        answer.callback(late)
    else:
        answer.errback(late)
    assert len(told) == 1


def test_who_goes_away_leaves_no_timer() -> None:
    clock = Clock()
    answer, waiter, told = waiting(clock)
    waiter.cancel()
    assert isinstance(told[0], CancelledError)
    assert not clock.getDelayedCalls()
    answer.callback("unheard")


class Reactor(Clock):
    """Turns as a reactor has them: what is to be called at once in one turn is called in the next."""

    def turn(self, seconds: float) -> None:
        self.rightNow += seconds
        due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
        for call in due:
            self.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


def test_an_answer_that_a_late_reactor_has_not_read_yet_is_still_told() -> None:
    clock = Reactor()
    answer, _, told = waiting(clock)
    for _ in range(TURNS):
        clock.turn(1.5)
    assert told == []
    answer.callback("yes")
    assert told == ["yes"]
    assert not clock.getDelayedCalls()


def test_after_its_turns_a_deadline_is_over() -> None:
    clock = Reactor()
    _, _, told = waiting(clock)
    clock.turn(2)
    for _ in range(TURNS):
        assert told == []
        clock.turn(0)
    assert isinstance(told[0], TooLate)
