"""The router's own calls: one outcome each, in time, whatever the callee does, and nothing left of them."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.asked import invocations, invoked, registered
from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule

from wampgate.core.buckets import Buckets, Rates
from wampgate.core.limits import SessionLimits
from wampgate.core.local_caller import CALLER, LocalCaller, Outcome, Unanswered

ASK = "com.example.ask"
CALLEE = {"callee": {"features": {"call_canceling": True}}}


class Calls:
    """A realm in which the router calls, and its callee."""

    def __init__(self, *, limit: int = 2, waiting: int = 2, limits: SessionLimits | None = None) -> None:
        self.under_test = RealmUnderTest(rules=(*RULES, rule(CALLER.authrole, ["call"], ASK)), limits=limits)
        self.routed = Routed(self.under_test)
        self.caller = LocalCaller(
            self.under_test.realm, self.routed.deadlines, seconds=2.0, limit=limit, waiting=waiting
        )
        self.outcomes: list[Outcome] = []

    def callee(self, **options: Any) -> Peer:
        peer = self.routed.peer().join()
        registered(peer, ASK, **options)
        return peer

    def call(self, *args: Any, procedure: str = ASK) -> None:
        self.caller.call(procedure, args).then(self.outcomes.append)
        self.routed.flush()


def said(outcome: Outcome) -> Any:
    return outcome if isinstance(outcome, Unanswered) else (list(outcome.args), dict(outcome.kwargs))


def test_a_result() -> None:
    calls = Calls()
    callee = calls.callee()
    calls.call("one", {"two": [3]})
    _, request, _, details, args = invoked(callee)
    assert (details, args) == ({}, ["one", {"two": [3]}])
    assert len(calls.caller) == 1
    callee.say(70, request, {}, [5], {"exact": True})
    assert [said(outcome) for outcome in calls.outcomes] == [([5], {"exact": True})]
    assert len(calls.caller) == 0


def test_a_callee_that_wants_to_know_learns_that_the_router_calls() -> None:
    calls = Calls()
    callee = calls.callee(disclose_caller=True)
    calls.call()
    details = invoked(callee)[3]
    assert (details["caller_authid"], details["caller_authrole"]) == ("wampgate.caller", "wampgate.caller")


def test_an_error_tells_its_uri_and_nothing_that_the_callee_said() -> None:
    calls = Calls()
    callee = calls.callee()
    calls.call("the secret")
    callee.say(8, 68, invoked(callee)[1], {}, "com.example.no", ["no such ticket: the secret"])
    assert calls.outcomes == [Unanswered("com.example.no", "it failed with com.example.no")]


def test_a_procedure_that_nobody_has_registered() -> None:
    calls = Calls()
    calls.call()
    assert calls.outcomes == [Unanswered("wamp.error.no_such_procedure", "nobody has registered it")]


def test_a_procedure_that_the_router_may_not_call() -> None:
    calls = Calls()
    calls.call(procedure="com.example.other")
    (outcome,) = calls.outcomes
    assert isinstance(outcome, Unanswered)
    assert outcome.error == "wamp.error.not_authorized"


def test_a_callee_that_leaves() -> None:
    calls = Calls()
    callee = calls.callee()
    calls.call()
    callee.leave()
    assert calls.outcomes == [Unanswered("wamp.error.canceled", "its callee left before it answered")]


def test_a_silent_callee_is_not_waited_for_and_its_answer_comes_too_late() -> None:
    calls = Calls()
    callee = calls.callee()
    calls.call()
    request = invoked(callee)[1]
    calls.routed.pass_time(1.9)
    assert calls.outcomes == []
    calls.routed.pass_time(0.2)
    assert calls.outcomes == [Unanswered("wamp.error.timeout", "it did not answer within 2 s")]
    assert len(calls.caller) == 0
    assert not callee.session.invocations
    assert callee.say(70, request, {}, ["late"]) == []
    assert len(calls.outcomes) == 1
    assert calls.routed.deadlines.next() is None


def test_a_callee_that_takes_interrupts_is_interrupted() -> None:
    calls = Calls()
    callee = calls.routed.peer()
    callee.hello(authmethods=["anonymous"], roles=CALLEE)
    callee.heard()
    registered(callee, ASK)
    calls.call()
    request = invoked(callee)[1]
    calls.routed.pass_time(2.1)
    (interrupt,) = callee.heard()
    assert interrupt[:2] == [69, request]


def test_further_calls_wait_for_a_place_and_their_time_runs_meanwhile() -> None:
    calls = Calls(limit=2, waiting=2)
    callee = calls.callee()
    for number in range(4):
        calls.call(number)
    first = invocations(callee)
    assert [message[4] for message in first] == [[0], [1]]
    calls.routed.pass_time(1.5)
    (third,) = callee.say(70, first[0][1], {}, [True])
    assert (third[0], third[4]) == (68, [2])
    calls.routed.pass_time(0.6)
    assert [isinstance(outcome, Unanswered) for outcome in calls.outcomes] == [False, True, True, True]
    assert len(calls.caller) == 0
    assert callee.heard() == []


def test_no_more_wait_than_may() -> None:
    calls = Calls(limit=2, waiting=2)
    calls.callee()
    for number in range(5):
        calls.call(number)
    (refused,) = calls.outcomes
    assert isinstance(refused, Unanswered)
    assert refused.error == "wampgate.error.limit_exceeded"
    assert len(calls.caller) == 4


def test_the_limits_of_clients_are_not_the_router_s() -> None:
    calls = Calls(limit=10, limits=SessionLimits(calls=1))
    calls.under_test.realm.requests.buckets = Buckets(
        session=Rates(calls=0.1),
        authid=Rates(calls=0.1),
        address=Rates(calls=0.1),
        burst_seconds=1.0,
        now=calls.routed.clock,
    )
    callee = calls.callee()
    for number in range(8):
        calls.call(number)
    assert len(invocations(callee)) == 8


def test_a_progressive_result_that_was_not_asked_for_is_none() -> None:
    calls = Calls()
    callee = calls.callee()
    calls.call()
    request = invoked(callee)[1]
    callee.say(70, request, {"progress": True}, [True])
    assert not any(not isinstance(outcome, Unanswered) for outcome in calls.outcomes)


@pytest.mark.parametrize("answered", [True, False])
def test_nothing_is_left(answered: bool) -> None:
    calls = Calls()
    callee = calls.callee()
    for number in range(4):
        calls.call(number)
    asked = invocations(callee) if answered else []
    while asked:
        asked += callee.say(70, asked.pop(0)[1], {}, [1])
    callee.leave()
    assert len(calls.outcomes) == 4
    assert calls.routed.is_empty()
