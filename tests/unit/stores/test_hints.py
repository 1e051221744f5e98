"""Hints become changes: the first at once, a storm of them slowly, none of them lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from wampgate.core.interfaces import Change
from wampgate.stores.hints import EVERYTHING_SECONDS, MANY, USERS_SECONDS, Hints

EVERYTHING = Change(everything=True)


class Told:
    """What was told, and when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hints = Hints(self.clock, lambda change: self.changes.append((self.clock.seconds(), change)))
        self.changes: list[tuple[float, Change]] = []

    def users(self, *users: str) -> None:
        self.hints.add(Change(users=frozenset(users)))

    def wait(self, seconds: float) -> list[Change]:
        """What is told within so many seconds."""
        before = len(self.changes)
        self.clock.pump([0.0, *[0.01] * round(seconds / 0.01)])
        return [change for _, change in self.changes[before:]]


def test_the_first_is_told_in_the_next_turn_with_all_of_this_one() -> None:
    told = Told()
    told.users("a")
    told.users("b", "c")
    assert told.changes == []
    assert told.wait(0) == [Change(users=frozenset("abc"))]


def test_what_follows_is_told_together() -> None:
    told = Told()
    told.users("a")
    told.wait(0)
    for user in "bcd":
        told.users(user)
        assert told.wait(0.01) == []
    assert told.wait(USERS_SECONDS) == [Change(users=frozenset("bcd"))]
    assert told.wait(1) == []
    told.users("e")
    assert told.wait(0) == [Change(users=frozenset("e"))]


def test_everything_is_told_less_often_and_holds_up_no_users() -> None:
    told = Told()
    told.hints.add(EVERYTHING)
    assert told.wait(0) == [EVERYTHING]
    told.hints.add(EVERYTHING)
    told.users("a")
    assert told.wait(USERS_SECONDS) == [Change(users=frozenset("a"))]
    told.hints.add(EVERYTHING)
    assert told.wait(EVERYTHING_SECONDS) == [EVERYTHING]
    assert told.wait(1) == []


def test_many_users_are_everything() -> None:
    told = Told()
    told.users("a")
    told.wait(0)
    told.users(*(str(number) for number in range(MANY + 1)))
    assert told.wait(1) == [EVERYTHING]


def test_nothing_is_told_of_nobody_and_nothing_after_the_end() -> None:
    told = Told()
    told.users()
    assert told.clock.getDelayedCalls() == []
    told.users("a")
    told.hints.add(EVERYTHING)
    told.hints.stop()
    assert told.clock.getDelayedCalls() == []
    assert told.wait(1) == []
    told.users("b")
    assert told.wait(0) == [Change(users=frozenset("b"))]


@given(
    users=st.sampled_from([["7"], ["7", "8"]]),
    storm=st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.02, 0.3]), st.integers(0, 1500)), max_size=30),
)
def test_no_storm_loses_a_hint_or_makes_many_changes(users: list[str], storm: list[tuple[float, int]]) -> None:
    told = Told()
    for seconds, many in storm:
        told.users(*(f"x{number}" for number in range(many)))
        told.clock.advance(seconds)
    at = len(told.changes)
    told.users(*users)
    told.wait(EVERYTHING_SECONDS + 0.05)
    after = [change for _, change in told.changes[at:]]
    assert any(change.everything or set(users) <= change.users for change in after)
    times = [when for when, change in told.changes if change.everything]
    assert all(second - first >= EVERYTHING_SECONDS - 1e-9 for first, second in pairwise(times))
    times = [when for when, change in told.changes if not change.everything]
    assert all(second - first >= USERS_SECONDS - 1e-9 for first, second in pairwise(times))
