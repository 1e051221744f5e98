"""How much is asked for and handed out at a time: more while all goes well, less at once when it does not."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wampgate.bridge.pace import MAX_PORTION, Helping, Pace


def test_portions_follow_what_turns_cost() -> None:
    pace = Pace(Clock())
    for _ in range(10):
        pace.turned(0.001)
    assert pace.portion == MAX_PORTION
    pace.turned(0.02)
    assert pace.portion == MAX_PORTION
    for _ in range(20):
        pace.turned(0.5)
    assert pace.portion == 1


def test_a_portion_is_one_turn_and_the_turn_is_measured() -> None:
    clock = Clock()
    pace = Pace(clock, now=clock.seconds)
    portions: list[int] = []

    async def take() -> None:
        for _ in range(40):
            portions.append(pace.portion)
            await pace.step()

    done = Deferred.fromCoroutine(take())
    assert portions == [16] * 16
    # What was delivered in this turn took long to leave; in the next one it did not.
    clock.rightNow += 1.0
    clock.advance(0)
    assert portions == [16] * 16 + [8] * 8 + [16] * 16
    assert done.called


def test_helpings() -> None:
    helping = Helping(500)
    assert helping.count == 16
    for _ in range(6):
        helping.answered(helping.count, 1_000)
    assert helping.count == 500
    helping.answered(500, 5 << 20)
    assert helping.count == 250
    # A short answer says nothing.
    helping.answered(3, 1_000)
    assert helping.count == 250
    helping.answered(250, 2 << 20)
    assert helping.count == 250
    for expected in (8, 4, 2, 1, 1):
        helping.failed()
        assert helping.count == expected
    assert Helping(1).count == 1
