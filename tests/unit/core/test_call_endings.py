"""How calls end together with their sessions and registrations, and what must not be left or said afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unit.core.calls import (
    ADD,
    CANCELING,
    INVOCATIONS,
    PASSTHRU,
    REVOCATION,
    SlowAuthorizer,
    error_of,
    only,
    peer_with,
    registered,
)
from unit.core.routed import RealmUnderTest, Routed, holds_nothing

from wampgate.core.limits import SessionLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.routed import Peer

VIOLATION = "wamp.error.protocol_violation"


@pytest.fixture
def routed() -> Routed:
    return Routed()


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (lambda routed, peer: peer.say(6, {}, "wamp.close.close_realm"), 6),
        (lambda routed, peer: routed.router.goodbye(peer.session, "wamp.close.killed", None), 6),
        (lambda routed, peer: peer.say(2, 1, {}), 3),
        (lambda routed, peer: peer.leave(), 68),
    ],
    ids=["GOODBYE", "killed", "violation", "connection lost"],
)
def test_who_has_called_itself_is_sent_nothing_after_its_end(
    routed: Routed, end: Callable[[Routed, Peer], object], last: int
) -> None:
    peer = peer_with(routed, CANCELING)
    registered(peer)
    peer.ask(48, {"timeout": 1000}, ADD)
    end(routed, peer)
    assert peer.messages[-1][0] == last
    assert holds_nothing(peer.session)
    peer.leave()
    assert len(routed.deadlines) == 0


# --- what follows a call that waits for its decision ---


@pytest.mark.parametrize(
    ("first", "more", "procedure"),
    [({}, {}, ADD), ({}, {"progress": True}, ADD), ({"progress": True}, {}, "com.example.other")],
    ids=["nothing more was to come", "nothing more was to come, and more is", "of another procedure"],
)
def test_what_does_not_belong_to_a_call_that_waits_is_a_violation_at_once(
    first: dict[str, bool], more: dict[str, bool], procedure: str
) -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    registered(peer_with(routed, INVOCATIONS, CANCELING))
    caller = peer_with(routed, INVOCATIONS)
    slow.hold = True
    caller.ask(48, first, ADD)
    assert only(caller.say(48, caller.request, more, procedure), 3)[2] == VIOLATION
    slow.answer()
    assert holds_nothing(caller.session)


def test_what_follows_the_last_message_of_a_call_that_waits_is_a_violation_at_once() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    registered(peer_with(routed, INVOCATIONS, CANCELING))
    caller = peer_with(routed, INVOCATIONS)
    slow.hold = True
    caller.ask(48, {"progress": True}, ADD)
    assert caller.say(48, 1, {}, ADD) == []
    assert only(caller.say(48, 1, {}, ADD), 3)[2] == VIOLATION


def test_the_id_of_another_request_that_waits_is_no_call_s_and_keeps_nothing() -> None:
    """Whatever was kept under it would be kept as long as the session."""
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    roles = {"subscriber": {}, "caller": {"features": {INVOCATIONS: True}}}
    caller = routed.peer().join(routed.realm.add_user("joe", "7"), roles=roles)
    routed.realm.store.slow = True
    assert caller.ask(32, {}, "organization.7") == []
    assert only(caller.say(48, 1, {"progress": True}, ADD, ["x" * 1000]), 3)[2] == VIOLATION
    assert caller.session.inbox is not None
    assert not caller.session.inbox.early


def test_what_waits_behind_all_calls_of_a_session_is_bounded() -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm(limits=SessionLimits(inbox=4)))
    caller = peer_with(routed, INVOCATIONS)
    slow.hold = True
    for request in (1, 2):
        caller.ask(48, {"progress": True}, ADD)
        for _ in range(2):
            assert caller.say(48, request, {"progress": True}, ADD) == []
    assert only(caller.say(48, 2, {"progress": True}, ADD), 8)[2:5] == [2, {}, "wampgate.error.limit_exceeded"]
    assert caller.say(48, 1, {"progress": True}, ADD) == []


@pytest.mark.parametrize("options", [{"progress": True}, {"ppt_scheme": "wamp"}], ids=["progress", "sealed"])
def test_a_call_that_needs_what_was_not_announced_does_not_wait_for_its_decision(options: dict[str, object]) -> None:
    slow = SlowAuthorizer()
    routed = Routed(slow.realm())
    callee, other = peer_with(routed, INVOCATIONS, CANCELING, PASSTHRU), peer_with(routed)
    registered(callee)
    caller = peer_with(routed)
    slow.hold = True
    assert only(caller.ask(48, options, ADD), 3)[2] == VIOLATION
    other.ask(48, {}, ADD, ["other"])
    slow.answer()
    assert caller.closed is not None
    assert only(callee.heard(), 68)[4] == ["other"]
    assert holds_nothing(caller.session)


# --- registering once more ---


def test_who_registers_once_more_still_has_what_it_was_asked(routed: Routed) -> None:
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee, invoke="last", concurrency=1)
    caller.ask(48, {}, ADD)
    callee.heard()
    registered(callee, invoke="last", concurrency=2)
    assert caller.ask(48, {}, ADD) == []
    assert error_of(caller.ask(48, {}, ADD), 3) == "wamp.error.no_available_callee"
    callee.heard()
    for invocation in (1, 2):
        callee.say(70, invocation, {})
    registered(callee, invoke="last", concurrency=1)
    caller.heard()
    assert caller.ask(48, {}, ADD) == []
    assert error_of(caller.ask(48, {}, ADD), 5) == "wamp.error.no_available_callee"


def test_nobody_makes_way_for_who_is_refused_all_the_same(routed: Routed) -> None:
    roles = {"callee": {"features": {REVOCATION: True}}}
    before, after = (routed.peer().join("the ticket of backend", roles=roles) for _ in range(2))
    registered(before, invoke="roundrobin")
    registered(peer_with(routed), invoke="roundrobin")
    heard = after.ask(64, {"force_reregister": True}, ADD)
    assert only(heard, 8)[4] == "wamp.error.procedure_already_exists"
    assert before.heard() == []
    assert before.session.registrations
