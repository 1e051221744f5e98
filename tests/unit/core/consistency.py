"""What must be true of a router's tables after every step, whoever has done what."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unit.core.routed import holds_nothing

from wampgate.core.visibility import is_inside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unit.core.routed import Routed

    from wampgate.core.pending_calls import PendingCall
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session


def check(routed: Routed) -> None:
    """See that every table agrees with every other one, and that nothing is left of who has left."""
    pending: list[PendingCall] = []
    for under_test in routed.realms:
        realm = under_test.realm
        callees = [place.session for one in realm.dealer.registrations for place in one.callees]
        sessions = dict.fromkeys((*realm.sessions.values(), *callees))
        for session in sessions:
            assert session.established
            assert session.realm is realm
            assert is_inside(session) or realm.sessions[session.id] is session
        pending += _pending_calls(sessions)
        _check_places(realm, pending)
        _check_registrations(realm, sessions)
        _check_subscriptions(realm, sessions)
        _check_retained(realm)
        assert set(realm.testaments._left_by_session) <= set(realm.sessions)
    _check_deadlines(routed, pending)
    for peer in routed.peers:
        assert peer.session.established or not hasattr(peer.session, "principal") or holds_nothing(peer.session)


def _pending_calls(sessions: Iterable[Session]) -> list[PendingCall]:
    """The calls of some sessions; each stands in its caller's table and in its callee's."""
    calls = [pending for session in sessions for pending in (session.calls or {}).values()]
    for session in sessions:
        for request, pending in (session.calls or {}).items():
            assert (pending.caller, pending.request) == (session, request)
            assert (pending.callee.invocations or {})[pending.invocation] is pending
        for invocation, pending in (session.invocations or {}).items():
            assert (pending.callee, pending.invocation) == (session, invocation)
            assert (pending.caller.calls or {})[pending.request] is pending
            assert invocation <= session.last_invocation
        if session.inbox is not None:
            assert set(session.inbox.early) <= session.inbox.requests
    return calls


def _check_places(realm: Realm, pending: Iterable[PendingCall]) -> None:
    """Each callee's count is that of its pending calls, and no more than it takes."""
    counted = Counter(
        call.particulars.place
        for call in pending
        if call.particulars is not None and call.particulars.place is not None
    )
    for registration in realm.dealer.registrations:
        for place in registration.callees:
            assert place.running == counted[place]


def _check_registrations(realm: Realm, sessions: Iterable[Session]) -> None:
    registrations = realm.dealer.registrations
    for registration in registrations:
        assert registration.callees
        assert registrations.by_id(registration.id) is registration
        assert registrations.get(registration.procedure, registration.match) is registration
        assert registration.invoke != "single" or len(registration.callees) == 1
        for place in registration.callees:
            assert (place.session.registrations or {})[registration.id] is registration
    for session in sessions:
        for number, registration in (session.registrations or {}).items():
            assert registrations.by_id(number) is registration
            assert [place.session for place in registration.callees].count(session) == 1


def _check_subscriptions(realm: Realm, sessions: Iterable[Session]) -> None:
    broker = realm.broker
    for subscription in broker.subscriptions():
        assert subscription.subscribers
        assert broker.subscription(subscription.id) is subscription
        assert tuple(subscription.subscribers) == subscription.recipients
        for session in subscription.subscribers:
            assert (session.subscriptions or {})[subscription.id] is subscription
    for session in sessions:
        for number, subscription in (session.subscriptions or {}).items():
            assert broker.subscription(number) is subscription
            assert session in subscription.subscribers


def _check_retained(realm: Realm) -> None:
    kept: Any = realm.broker._retained
    there = [one for listed in kept._kept_by_topic.values() for one in listed]
    assert set(there) == set(kept._kept)
    assert len(there) == len(kept)
    assert kept._sorted_topics == sorted(kept._kept_by_topic)
    assert kept.bytes == sum(one.event.size for one in there)
    assert {one for share in kept._shares.values() for one in share.kept} == set(there)
    assert kept.bytes == sum(share.bytes for share in kept._shares.values())


def _check_deadlines(routed: Routed, pending: Iterable[PendingCall]) -> None:
    """A deadline for every session and call that has one to meet, and none besides."""
    waiting = [peer.session.deadline for peer in routed.peers if peer.session.deadline is not None]
    for call in pending:
        particulars = call.particulars
        if particulars is not None and particulars.timeout:
            assert particulars.deadline is not None
            assert particulars.deadline.when <= particulars.until
            waiting.append(particulars.deadline)
    assert len(routed.deadlines) == sum(deadline.callback is not None for deadline in waiting)
