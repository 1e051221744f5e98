"""Calls in several messages, either way ("Progressive Call Results", "Progressive Call Invocations")."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.calls import ADD, CANCELING, INVOCATIONS, RESULTS, SlowAuthorizer, error_of, only, peer_with, registered
from unit.core.routed import Peer, RealmUnderTest, Routed

from wampgate.core.limits import SessionLimits

STREAM = (CANCELING, INVOCATIONS)
VIOLATION = "wamp.error.protocol_violation"


@pytest.fixture
def routed() -> Routed:
    return Routed()


# --- results ---


@pytest.mark.parametrize("features", [(RESULTS,), (RESULTS, CANCELING)])
def test_progressive_results_come_one_by_one_and_end(routed: Routed, features: tuple[str, ...]) -> None:
    # A callee need not announce call_canceling for that, as others demand.
    callee, caller = peer_with(routed, *features), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    assert only(callee.heard(), 68)[3] == {"receive_progress": True}
    for number in range(3):
        assert callee.say(70, 1, {"progress": True}, [number], {"n": number}) == []
        assert caller.heard() == [[50, 1, {"progress": True}, [number], {"n": number}]]
    callee.say(70, 1, {})
    assert caller.heard() == [[50, 1, {}]]
    # What comes after the end is late, not wrong.
    assert callee.say(70, 1, {"progress": True}, [4]) == []
    assert caller.heard() == []


def test_progress_may_end_in_an_error(routed: Routed) -> None:
    callee, caller = peer_with(routed, RESULTS), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    callee.say(70, 1, {"progress": True}, [1])
    callee.say(8, 68, 1, {}, "com.example.error")
    assert [message[0] for message in caller.heard()] == [50, 8]


def test_a_callee_that_announces_nothing_is_not_told_but_may(routed: Routed) -> None:
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    assert only(callee.heard(), 68)[3] == {}
    callee.say(70, 1, {"progress": True}, [1])
    callee.say(70, 1, {}, [2])
    assert [message[2] for message in caller.heard()] == [{"progress": True}, {}]


@pytest.mark.parametrize("how", ["cancel", "leave"])
def test_progress_for_who_no_longer_waits_is_dropped(routed: Routed, how: str) -> None:
    callee, caller = peer_with(routed, RESULTS, CANCELING), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    callee.say(70, 1, {"progress": True}, [1])
    callee.heard()
    if how == "cancel":
        caller.say(49, 1, {})
    else:
        caller.leave()
    assert only(callee.heard(), 69)[2]["mode"] == "killnowait"
    assert callee.say(70, 1, {"progress": True}, [2]) == []
    assert callee.say(70, 1, {}, [3]) == []


def test_a_callee_that_leaves_amid_progress_cancels(routed: Routed) -> None:
    callee, caller = peer_with(routed, RESULTS), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    callee.say(70, 1, {"progress": True}, [1])
    caller.heard()
    callee.leave()
    assert error_of(caller.heard(), 1) == "wamp.error.canceled"


# --- invocations ---


def streaming(routed: Routed, **options: Any) -> tuple[Peer, Peer]:
    callee, caller = peer_with(routed, *STREAM, RESULTS), peer_with(routed, INVOCATIONS)
    registered(callee)
    caller.ask(48, {"progress": True, **options}, ADD, [1])
    assert only(callee.heard(), 68)[1] == 1
    return callee, caller


def test_a_call_in_several_messages_is_one_invocation(routed: Routed) -> None:
    callee, caller = streaming(routed, disclose_me=True)
    own = {"caller": caller.session.id, "caller_authid": caller.session.principal.authid, "caller_authrole": "guest"}
    # Options of what follows are those of the beginning, but for `progress`.
    assert caller.say(48, 1, {"progress": True, "timeout": 1}, ADD, [2], {"k": 1}) == []
    assert caller.say(48, 1, {}, ADD, [3]) == []
    registration = next(iter(callee.session.registrations or {}))
    assert callee.heard() == [
        [68, 1, registration, {**own, "progress": True}, [2], {"k": 1}],
        [68, 1, registration, own, [3]],
    ]
    callee.say(70, 1, {}, [6])
    assert caller.heard() == [[50, 1, {}, [6]]]
    assert len(routed.deadlines) == 0


def test_calls_interleave(routed: Routed) -> None:
    callee, caller = streaming(routed)
    caller.ask(48, {}, ADD, ["other"])
    caller.say(48, 1, {"progress": True}, ADD, [2])
    assert [(message[1], message[4]) for message in callee.heard()] == [(2, ["other"]), (1, [2])]


def test_more_after_the_last_message_is_a_violation(routed: Routed) -> None:
    _, caller = streaming(routed)
    caller.say(48, 1, {}, ADD, [2])
    assert only(caller.say(48, 1, {"progress": True}, ADD, [3]), 3)[2] == VIOLATION


def test_more_of_another_procedure_is_a_violation(routed: Routed) -> None:
    callee, caller = streaming(routed)
    registered(callee, "com.example.other")
    assert only(caller.say(48, 1, {"progress": True}, "com.example.other", [3]), 3)[2] == VIOLATION


@pytest.mark.parametrize("end", ["result", "callee gone", "timeout"])
def test_more_of_a_call_that_has_ended_is_dropped(routed: Routed, end: str) -> None:
    callee, caller = streaming(routed, timeout=1000)
    if end == "result":
        callee.say(70, 1, {})
    elif end == "timeout":
        routed.pass_time(1.1)
    else:
        callee.leave()
    assert len(caller.heard()) == 1
    assert caller.say(48, 1, {"progress": True}, ADD, [2]) == []
    assert caller.say(48, 1, {}, ADD, [3]) == []
    assert caller.session.established


def test_a_caller_has_to_announce_it(routed: Routed) -> None:
    registered(peer_with(routed, *STREAM))
    caller = peer_with(routed)
    assert only(caller.ask(48, {"progress": True}, ADD), 3)[2] == VIOLATION


@pytest.mark.parametrize("features", [(), (INVOCATIONS,), (CANCELING,)])
def test_a_callee_has_to_announce_it_and_canceling(routed: Routed, features: tuple[str, ...]) -> None:
    registered(peer_with(routed, *features))
    caller = peer_with(routed, INVOCATIONS)
    heard = caller.ask(48, {"progress": True}, ADD)
    assert error_of(heard, 1) == "wamp.error.feature_not_supported"
    assert caller.say(48, 1, {}, ADD) == []


def test_all_of_a_call_goes_to_one_callee(routed: Routed) -> None:
    callees = [peer_with(routed, *STREAM) for _ in range(3)]
    for callee in callees:
        registered(callee, invoke="roundrobin")
    caller = peer_with(routed, INVOCATIONS)
    caller.ask(48, {"progress": True}, ADD, [0])
    for number in range(1, 4):
        caller.say(48, 1, {"progress": number < 3}, ADD, [number])
    assert [len(callee.heard()) for callee in callees] == [4, 0, 0]


def test_both_ways_at_once(routed: Routed) -> None:
    callee, caller = streaming(routed, receive_progress=True)
    callee.say(70, 1, {"progress": True}, ["so far"])
    assert caller.say(48, 1, {}, ADD, [2]) == [[50, 1, {"progress": True}, ["so far"]]]
    assert only(callee.heard(), 68)[3] == {"receive_progress": True}
    callee.say(70, 1, {}, ["all"])
    assert caller.heard() == [[50, 1, {}, ["all"]]]


def test_a_canceled_stream_interrupts(routed: Routed) -> None:
    callee, caller = streaming(routed)
    assert error_of(caller.say(49, 1, {}), 1) == "wamp.error.canceled"
    assert only(callee.heard(), 69)[1] == 1
    assert caller.say(48, 1, {"progress": True}, ADD, [2]) == []
    assert callee.heard() == []


def test_what_follows_a_call_that_waits_for_its_decision_waits_with_it() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    callee, caller = peer_with(routed, *STREAM), peer_with(routed, INVOCATIONS)
    registered(callee)
    slow.hold = True
    caller.ask(48, {"progress": True}, ADD, [1])
    caller.say(48, 1, {"progress": True}, ADD, [2])
    caller.say(48, 1, {}, ADD, [3])
    assert callee.heard() == []
    slow.answer()
    assert [message[4] for message in callee.heard()] == [[1], [2], [3]]


def test_what_follows_a_call_that_is_refused_is_dropped() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    callee, caller = peer_with(routed, *STREAM), peer_with(routed, INVOCATIONS)
    registered(callee)
    slow.hold = True
    caller.ask(48, {"progress": True}, ADD, [1])
    caller.say(48, 1, {"progress": True}, ADD, [2])
    slow.answer(allowed=False)
    assert error_of(caller.heard(), 1) == "wamp.error.not_authorized"
    assert caller.say(48, 1, {}, ADD, [3]) == []
    assert callee.heard() == []
    assert caller.session.inbox is not None
    assert not caller.session.inbox.early


def test_what_waits_behind_a_call_is_bounded() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm(limits=SessionLimits(inbox=4)))
    callee, caller = peer_with(routed, *STREAM), peer_with(routed, INVOCATIONS)
    registered(callee)
    slow.hold = True
    caller.ask(48, {"progress": True}, ADD, [1])
    for number in range(4):
        assert caller.say(48, 1, {"progress": True}, ADD, [number]) == []
    assert error_of(caller.say(48, 1, {"progress": True}, ADD, [9]), 1) == "wampgate.error.limit_exceeded"
    assert caller.session.inbox is not None
    assert not caller.session.inbox.early
    slow.answer()
    assert callee.heard() == []


def test_a_realm_without_such_calls_knows_nothing_of_them() -> None:
    routed = Routed(RealmUnderTest())
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee)
    caller.ask(48, {}, ADD)
    (pending,) = (caller.session.calls or {}).values()
    assert pending.particulars is None
