"""Looking through many things: fair among callers, a few milliseconds at a time, never half an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from unit.procedures.observed import Observed, call, subscribe

from wampgate.core.decisions import Decision, Pending
from wampgate.core.sifting import Sifter
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.errors import RequestRefused
    from wampgate.core.session import Session


class Asking:
    """A call and what it was answered."""

    def __init__(self, caller: Session) -> None:
        self.caller = caller
        self.payload = Payload()
        self.refused: list[str] = []

    def refuse(self, refusal: RequestRefused) -> None:
        self.refused.append(refusal.error)


class Sifting:
    """A sifter whose clock goes on with each thing that is looked at, and whose turns the test gives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[Callable[[], None]] = []
        self.sifter = Sifter(lambda: self.now, self.turns.append)
        self.order: list[Any] = []
        self.found: list[list[int]] = []
        observed = Observed()
        self.callers = [observed.user("joe").session, observed.user("ann").session]

    def ask(self, caller: int, count: int, answers: dict[int, Pending[Decision]] | None = None) -> Asking:
        asking: Any = Asking(self.callers[caller])

        def wanted(number: int) -> bool | Pending[Decision]:
            self.now += 0.0001
            self.order.append(caller)
            return (answers or {}).get(number) or number % 2 == 0

        self.sifter.sift(asking, lambda: range(count), wanted, self.found.append)
        return asking  # type: ignore[no-any-return]  # as a call it has no type

    def turn(self) -> None:
        self.turns.pop()()


def test_few_things_at_once() -> None:
    sifting = Sifting()
    sifting.ask(0, 6)
    assert sifting.found == [[0, 2, 4]]
    assert sifting.turns == []


def test_many_things_let_others_work_between() -> None:
    sifting = Sifting()
    sifting.ask(0, 1_000)
    turns = 0
    while sifting.turns:
        before = sifting.now
        sifting.turn()
        turns += 1
        assert sifting.now - before < 0.01
    assert turns > 10
    assert sifting.found == [list(range(0, 1_000, 2))]


def test_callers_take_turns_and_each_has_one_call_at_a_time() -> None:
    sifting = Sifting()
    for _ in range(20):
        sifting.ask(0, 200)
    sifting.ask(1, 200)
    while len(sifting.found) < 2:
        sifting.turn()
    # The second caller's one call is done while the first one still has most of its own to come.
    assert sifting.order.count(1) == 200
    while sifting.turns:
        sifting.turn()
    assert len(sifting.found) == 21


def test_a_decision_is_waited_for_and_others_go_on() -> None:
    sifting = Sifting()
    answer: Pending[Decision] = Pending()
    sifting.ask(0, 5, {1: answer, 3: answer_of(True)})
    sifting.ask(1, 5)
    assert sifting.found == [[0, 2, 4]]
    answer.resolve(Decision(True, ""))
    assert sifting.found == [[0, 2, 4], [0, 1, 2, 3, 4]]


def test_no_decision_no_answer() -> None:
    sifting = Sifting()
    answer: Pending[Decision] = Pending()
    asking = sifting.ask(0, 5, {2: answer})
    sifting.ask(0, 3)
    answer.resolve(Decision(False, "", failed=True))
    assert asking.refused == ["wamp.error.authorization_failed"]
    assert sifting.found == [[0, 2]]


def test_a_caller_that_has_left_is_forgotten() -> None:
    sifting = Sifting()
    answer: Pending[Decision] = Pending()
    sifting.ask(0, 5, {0: answer})
    sifting.ask(0, 5)
    caller = sifting.callers[0]
    caller.realm.goodbye(caller, "wamp.close.killed", None)
    answer.resolve(Decision(True, ""))
    assert sifting.found == []
    assert sifting.sifter._calls == {}


def test_an_error_on_the_way_does_not_end_it_for_all() -> None:
    sifting = Sifting()

    def broken(_: int) -> bool:
        raise ZeroDivisionError

    asking: Any = Asking(sifting.callers[0])
    with pytest.raises(ZeroDivisionError):
        sifting.sifter.sift(asking, lambda: range(3), broken, sifting.found.append)
    sifting.ask(1, 3)
    assert sifting.found == [[0, 2]]


def test_who_has_left_while_one_looked_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of sessions is as of its end: nobody is told of one that is gone."""
    observed = Observed()
    turns: list[Callable[[], None]] = []
    backend, joe = observed.backend(), observed.user("joe")
    observed.sifter._later = turns.append
    monkeypatch.setattr("wampgate.core.sifting._AT_ONCE_SECONDS", -1.0)
    monkeypatch.setattr("wampgate.core.sifting._BETWEEN_LOOKS", 1)
    assert backend.ask(48, {}, "wamp.session.list") == []
    joe.leave()
    monkeypatch.undo()
    turns.pop()()
    observed.routed.flush()
    assert backend.heard()[-1][3] == [[backend.session.id]]


def test_too_many_ids_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.procedures.answers.MAX_IDS", 2)
    observed = Observed()
    backend = observed.backend()
    subscription = subscribe(backend, "com.example.0")
    others = [observed.user("joe") for _ in range(2)]
    for peer in others:
        subscribe(peer, "com.example.0")
    for number in (1, 2):
        subscribe(backend, f"com.example.{number}")
    full = "(wampgate.error.limit_exceeded)"
    assert call(backend, "wamp.session.list") == full
    assert call(backend, "wamp.session.count") == 3
    assert call(backend, "wamp.session.list", ["member"]) == [peer.session.id for peer in others]
    assert call(backend, "wamp.subscription.list") == full
    assert call(backend, "wamp.subscription.list_subscribers", subscription) == full
    assert call(backend, "wamp.subscription.count_subscribers", subscription) == 3


def answer_of(allowed: bool) -> Pending[Decision]:
    answer: Pending[Decision] = Pending()
    answer.resolve(Decision(allowed, ""))
    return answer
