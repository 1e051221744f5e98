"""One question at a time per key, and no answer that is older than its question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change
from wampgate.stores import single_flight
from wampgate.stores.revisions import Revisions
from wampgate.stores.single_flight import TELLING_SECONDS, SingleFlight

if TYPE_CHECKING:
    import pytest


class OneTurn(Clock):
    """A clock on which time can pass within a turn."""

    def work(self, seconds: float) -> None:
        self.rightNow += seconds


class Asked:
    """A database that answers when the test says so."""

    def __init__(self) -> None:
        self.clock = OneTurn()
        self.flights: list[tuple[str, float, Deferred[Any]]] = []
        self.revisions = Revisions()
        self.single: SingleFlight[Any] = SingleFlight(
            self.clock, 3.0, self._question, revisions=self.revisions, subject=lambda key, _: key
        )

    def _question(self, key: str, deadline: float) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.flights.append((key, deadline, answer))
        return answer

    def ask(self, key: str) -> list[Any]:
        told: list[Any] = []
        self.single.ask(key).addBoth(told.append)
        return told


def test_a_newcomer_does_not_get_the_answer_that_is_under_way() -> None:
    asked = Asked()
    first, second, third = asked.ask("k"), asked.ask("k"), asked.ask("k")
    assert len(asked.flights) == 1
    asked.flights[0][2].callback("old")
    assert (first, second, third) == (["old"], [], [])
    assert len(asked.flights) == 2
    fourth = asked.ask("k")
    asked.flights[1][2].callback("new")
    assert (second, third, fourth) == (["new"], ["new"], [])
    asked.flights[2][2].callback("newest")
    assert fourth == ["newest"]
    assert len(asked.flights) == 3


def test_keys_do_not_wait_for_each_other() -> None:
    asked = Asked()
    asked.ask("a")
    asked.ask("b")
    assert [key for key, _, _ in asked.flights] == ["a", "b"]


def test_an_answer_that_a_change_has_overtaken_is_told_to_nobody() -> None:
    asked = Asked()
    first, second, other = asked.ask("k"), asked.ask("k"), asked.ask("other")
    asked.clock.advance(1)
    asked.revisions.note(Change(users=frozenset({"k"})))
    asked.flights[0][2].callback("overtaken")
    asked.flights[1][2].callback("untouched")
    assert (first, second, other) == ([], [], ["untouched"])
    # Both share the next one, within the time that the first of them has.
    assert [(key, deadline) for key, deadline, _ in asked.flights[2:]] == [("k", 3.0)]
    asked.revisions.note(Change(everything=True))
    asked.flights[2][2].callback("overtaken as well")
    assert (first, second) == ([], [])
    asked.flights[3][2].callback("current")
    assert (first, second) == (["current"], ["current"])
    assert not asked.single._boarding
    assert asked.single._waiting == 0


def test_an_overtaken_question_that_fails_has_failed() -> None:
    asked = Asked()
    told = asked.ask("k")
    asked.revisions.note(Change(everything=True))
    asked.flights[0][2].errback(StoreUnavailable("away"))
    [failure] = told
    assert isinstance(failure.value, StoreUnavailable)


def test_who_waits_for_the_next_flight_keeps_the_deadline_of_the_first_of_them() -> None:
    asked = Asked()
    asked.ask("k")
    asked.clock.advance(1)
    asked.ask("k")
    asked.clock.advance(1)
    asked.ask("k")
    asked.flights[0][2].callback(None)
    assert [deadline for _, deadline, _ in asked.flights] == [3.0, 4.0]


def test_a_failure_reaches_everyone_as_an_error_of_ones_own() -> None:
    asked = Asked()
    asked.ask("k")
    told = asked.ask("k") + asked.ask("k")
    waiting = [asked.ask("k") for _ in range(3)]
    asked.flights[0][2].callback(None)
    asked.flights[1][2].errback(StoreUnavailable("away"))
    errors = [failure.value for [failure] in waiting]
    assert [str(error) for error in errors] == ["away"] * 3
    assert len({id(error) for error in errors}) == 3
    assert told == []


def test_after_an_answer_nothing_is_kept() -> None:
    asked = Asked()
    asked.ask("k")
    asked.flights[0][2].callback("x")
    assert not asked.single._boarding
    assert asked.single._waiting == 0
    asked.ask("k")
    assert len(asked.flights) == 2


def test_one_who_asks_again_at_once_is_asked_for_again() -> None:
    asked = Asked()
    again: list[Any] = []
    asked.single.ask("k").addCallback(lambda _: asked.single.ask("k").addBoth(again.append) and None)
    asked.flights[0][2].callback("first")
    asked.flights[1][2].callback("second")
    assert again == ["second"]


def test_one_who_goes_away_takes_nobody_along() -> None:
    asked = Asked()
    first = asked.single.ask("k")
    gone = asked.single.ask("k")
    stays = asked.ask("k")
    for leaving in (first, gone):
        leaving.addErrback(lambda failure: failure.trap(CancelledError) and None)
        leaving.cancel()
    asked.flights[0][2].callback("x")
    asked.flights[1][2].callback("y")
    assert stays == ["y"]
    assert asked.single._waiting == 0


def crowd(asked: Asked, size: int, key: str = "k") -> list[Any]:
    """So many share the answer to one question; each works for a while when it is told."""
    told: list[Any] = []

    def work(answer: Any) -> None:
        asked.clock.work(TELLING_SECONDS / 4)
        told.append(answer)

    asked.ask(key)  # the others wait for the next flight
    for _ in range(size):
        asked.single.ask(key).addBoth(work)
    asked.flights[-1][2].callback("first")
    asked.clock.advance(0)
    return told


def test_a_crowd_is_told_a_few_in_each_turn() -> None:
    asked = Asked()
    told = crowd(asked, 10)
    asked.flights[-1][2].callback("x")
    assert len(told) == 4
    # One who comes now is not told before those who wait.
    asked.single.ask("other").addBoth(told.append)
    asked.flights[-1][2].callback("y")
    assert len(told) == 4
    asked.clock.advance(0)
    assert told == ["x"] * 10 + ["y"]
    asked.clock.advance(1)
    assert asked.clock.getDelayedCalls() == []
    assert asked.single._waiting == 0


def test_a_change_that_comes_before_all_were_told_overtakes_the_rest() -> None:
    asked = Asked()
    told = crowd(asked, 10)
    asked.flights[-1][2].callback("old")
    assert told == ["old"] * 4
    asked.revisions.note(Change(users=frozenset({"k"})))
    flights = len(asked.flights)
    asked.clock.advance(0)
    assert told == ["old"] * 4
    assert len(asked.flights) == flights + 1
    asked.flights[-1][2].callback("new")
    for _ in range(3):
        asked.clock.advance(0)
    assert told == ["old"] * 4 + ["new"] * 6
    assert not asked.single._boarding


def test_a_change_before_all_were_told_never_shares_what_was_asked_before_it() -> None:
    """Somebody else's question for the same key is under way already: it left before the change."""
    asked = Asked()
    told = crowd(asked, 10)
    asked.flights[-1][2].callback("old")
    newcomer = asked.ask("k")
    asked.revisions.note(Change(users=frozenset({"k"})))
    asked.clock.advance(0)
    flights = len(asked.flights)
    asked.flights[-1][2].callback("old as well")
    assert len(asked.flights) == flights + 1
    assert newcomer == []
    asked.flights[-1][2].callback("new")
    for _ in range(3):
        asked.clock.advance(0)
    assert told[4:] == ["new"] * 6
    assert newcomer == ["new"]


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "MAX_WAITING", 2)
    asked = Asked()
    asked.ask("k")
    asked.ask("k")
    [failure] = asked.ask("k")
    assert isinstance(failure.value, StoreUnavailable)
    asked.flights[0][2].callback("x")
    assert asked.ask("k") == []
