"""CANCEL and INTERRUPT through the router: each mode ends a call as the specification says, and exactly once."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.calls import ADD, CANCELING, REVOCATION, SlowAuthorizer, error_of, only, peer_with, registered
from unit.core.routed import Peer, Routed, holds_nothing

CANCELED = "wamp.error.canceled"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def called(routed: Routed, *callee_features: str) -> tuple[Peer, Peer]:
    """A callee that was asked, and its caller."""
    callee, caller = peer_with(routed, *callee_features), peer_with(routed, CANCELING)
    registered(callee)
    caller.ask(48, {}, ADD)
    only(callee.heard(), 68)
    return callee, caller


def test_skip_answers_at_once_and_tells_the_callee_nothing(routed: Routed) -> None:
    callee, caller = called(routed, CANCELING)
    assert error_of(caller.say(49, 1, {"mode": "skip"}), 1) == CANCELED
    assert callee.heard() == []
    assert callee.say(70, 1, {}, ["late"]) == []
    assert caller.heard() == []
    assert not caller.session.calls
    assert not callee.session.invocations


@pytest.mark.parametrize("options", [{"mode": "killnowait"}, {}])
def test_killnowait_answers_at_once_and_interrupts(routed: Routed, options: dict[str, Any]) -> None:
    callee, caller = called(routed, CANCELING)
    assert error_of(caller.say(49, 1, options), 1) == CANCELED
    assert only(callee.heard(), 69) == [69, 1, {"mode": "killnowait", "reason": CANCELED}]
    assert callee.say(8, 68, 1, {}, CANCELED) == []
    assert caller.heard() == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((8, 68, 1, {}, CANCELED, ["stopped"]), [8, 48, 1, {}, CANCELED, ["stopped"]]),
        ((70, 1, {}, ["done"]), [50, 1, {}, ["done"]]),
    ],
)
def test_kill_waits_for_what_the_callee_says(routed: Routed, answer: tuple[Any, ...], expected: list[Any]) -> None:
    callee, caller = called(routed, CANCELING)
    assert caller.say(49, 1, {"mode": "kill"}) == []
    assert only(callee.heard(), 69) == [69, 1, {"mode": "kill"}]
    assert callee.say(*answer) == []
    assert caller.heard() == [expected]


def test_kill_interrupts_once_and_may_be_hurried(routed: Routed) -> None:
    callee, caller = called(routed, CANCELING)
    caller.say(49, 1, {"mode": "kill"})
    caller.say(49, 1, {"mode": "kill"})
    assert len(callee.heard()) == 1
    assert error_of(caller.say(49, 1, {"mode": "killnowait"}), 1) == CANCELED
    assert caller.say(49, 1, {"mode": "killnowait"}) == []


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_every_mode_is_skip_where_the_callee_takes_no_interrupt(routed: Routed, mode: str) -> None:
    callee, caller = called(routed)
    assert error_of(caller.say(49, 1, {"mode": mode}), 1) == CANCELED
    assert callee.heard() == []


def test_what_has_ended_or_never_was_needs_no_cancel(routed: Routed) -> None:
    callee, caller = called(routed, CANCELING)
    callee.say(70, 1, {})
    caller.heard()
    for request in (1, 2, 1000):
        assert caller.say(49, request, {}) == []
    assert callee.heard() == []


def test_nobody_cancels_another_s_call(routed: Routed) -> None:
    callee, _ = called(routed, CANCELING)
    other = peer_with(routed, CANCELING)
    assert other.say(49, 1, {}) == []
    assert callee.heard() == []
    assert callee.session.invocations


def test_a_mode_that_there_is_not_is_a_violation(routed: Routed) -> None:
    _, caller = called(routed)
    assert only(caller.say(49, 1, {"mode": "gently"}), 3)[2] == "wamp.error.protocol_violation"


def test_a_caller_that_leaves_interrupts(routed: Routed) -> None:
    callee, caller = called(routed, CANCELING)
    caller.leave()
    assert only(callee.heard(), 69) == [69, 1, {"mode": "killnowait", "reason": CANCELED}]
    assert callee.say(70, 1, {}) == []
    assert not callee.session.invocations


def test_a_caller_that_leaves_tells_nothing_to_who_takes_no_interrupt(routed: Routed) -> None:
    callee, caller = called(routed)
    caller.leave()
    assert callee.heard() == []


def test_a_call_that_waits_for_its_decision_is_canceled_there() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    callee, caller = peer_with(routed, CANCELING), peer_with(routed, CANCELING)
    registered(callee)
    slow.hold = True
    caller.ask(48, {}, ADD, ["first"])
    caller.ask(48, {}, ADD, ["second"])
    assert error_of(caller.say(49, 1, {}), 1) == CANCELED
    slow.answer()
    assert only(callee.heard(), 68)[4] == ["second"]
    assert not caller.session.inbox
    # The id is free again, and nothing of the canceled call comes late.
    callee.say(70, 1, {}, [2])
    assert caller.heard() == [[50, 2, {}, [2]]]


def test_the_last_of_a_lane_that_is_canceled_holds_nothing_up() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee)
    slow.hold = True
    caller.ask(48, {}, ADD)
    caller.say(49, 1, {})
    slow.answer()
    slow.hold = False
    caller.heard()
    caller.ask(48, {}, ADD, ["next"])
    assert only(callee.heard(), 68)[4] == ["next"]


def test_a_registration_is_revoked_and_the_callee_told_if_it_understands(routed: Routed) -> None:
    for features, told in (((REVOCATION,), True), ((), False)):
        callee, caller = peer_with(routed, *features), peer_with(routed)
        registration = registered(callee)
        caller.ask(48, {}, ADD)
        only(callee.heard(), 68)
        dealer = routed.realm.realm.dealer
        held = dealer.registrations.by_id(registration)
        assert held is not None
        dealer.revoke(callee.session, held, "com.example.moved")
        assert callee.heard() == ([[67, 0, {"registration": registration, "reason": "com.example.moved"}]] * told)
        # What it was asked before, it may still answer.
        callee.say(70, callee.session.last_invocation, {}, [1])
        assert caller.heard() == [[50, caller.request, {}, [1]]]
        assert error_of(caller.ask(48, {}, ADD), caller.request) == "wamp.error.no_such_procedure"
        for peer in (callee, caller):
            peer.leave()
            assert holds_nothing(peer.session)
