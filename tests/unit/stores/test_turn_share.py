"""Work is cut at the end of its share of a turn, and has a new one in the next."""

from __future__ import annotations

from twisted.internet.task import Clock

from wampgate.stores.turn_share import TurnShare


class OneTurn(Clock):
    """A clock on which time can pass within a turn."""

    def work(self, seconds: float) -> None:
        self.rightNow += seconds


def test_a_share_is_counted_from_its_first_use_in_a_turn() -> None:
    clock = OneTurn()
    share = TurnShare(clock, 0.01)
    clock.work(5)
    assert not share.is_used_up()
    clock.work(0.009)
    assert not share.is_used_up()
    clock.work(0.002)
    assert share.is_used_up()
    clock.advance(0)
    assert not share.is_used_up()


def test_it_may_take_as_long_as_everyone_else_took() -> None:
    clock = OneTurn()
    share = TurnShare(clock, 0.01)
    assert not share.is_used_up()
    clock.work(0.01)
    assert share.is_used_up()
    clock.work(0.5)
    clock.advance(0)
    assert not share.is_used_up()
    clock.work(0.49)
    assert not share.is_used_up()
    clock.work(0.02)
    assert share.is_used_up()
    clock.work(0.001)
    clock.advance(0)
    assert not share.is_used_up()
    clock.work(0.011)
    assert share.is_used_up()


def test_what_was_not_used_up_is_not_saved() -> None:
    clock = OneTurn()
    share = TurnShare(clock, 0.01)
    assert not share.is_used_up()
    clock.advance(5)
    assert not share.is_used_up()
    clock.work(0.02)
    assert share.is_used_up()
