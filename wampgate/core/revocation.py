"""What a live session loses when its rights end: subscriptions, registrations, and what waits because of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from wampgate.core.decisions import Decision
from wampgate.core.errors import uri
from wampgate.core.features import SUBSCRIBER_REVOCATION
from wampgate.core.private import REVOKED
from wampgate.wire.messages import RevocationDetails, SubscriptionRevoked
from wampgate.wire.payload import NO_PAYLOAD

if TYPE_CHECKING:
    from wampgate.core.broker import Subscription
    from wampgate.core.interfaces import Deliver, Record
    from wampgate.core.realm import Realm
    from wampgate.core.registrations import Registration
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match


class Revocations:
    """Takes rights away from the sessions of one realm ("Subscription Revocation", "Registration Revocation")."""

    def __init__(self, realm: Realm, deliver: Deliver, record: Record) -> None:
        self._realm = realm
        self._deliver = deliver
        self._record = record

    def reconsider(self, session: Session) -> None:
        """Let go of what a session's rights no longer allow, and ask anew for what it waits for.

        Subscriptions are taken away together with their events that wait to be
        sent. What can't be decided stays as it is: rights end when the store
        says so, not when it says nothing.
        """
        for subscription in list((session.subscriptions or {}).values()):
            answer = self._realm.authorize(session, "subscribe", subscription.topic, subscription.match)
            if isinstance(answer, Decision):
                self._keep_or_revoke(session, subscription, answer)
            else:
                answer.then(partial(self._keep_or_revoke, session, subscription))
        for registration in list((session.registrations or {}).values()):
            answer = self._realm.authorize(session, "register", registration.procedure, registration.match)
            if isinstance(answer, Decision):
                self._keep_or_take(session, registration, answer)
            else:
                answer.then(partial(self._keep_or_take, session, registration))
        if session.inbox is not None:
            session.inbox.reconsider()

    def _keep_or_revoke(self, session: Session, subscription: Subscription, decision: Decision) -> None:
        if not decision.allowed and not decision.failed and subscription.id in (session.subscriptions or ()):
            self._revoke(session, subscription, decision)

    def _keep_or_take(self, session: Session, registration: Registration, decision: Decision) -> None:
        if decision.allowed or decision.failed or registration.id not in (session.registrations or ()):
            return
        self._realm.counters["revoked"] += 1
        self._record("revoked", session, uri=registration.procedure, match=registration.match, because=decision.because)
        self._realm.dealer.revoke(session, registration, uri.NOT_AUTHORIZED)
        told = _told("procedure", registration.procedure, registration.match)
        self._realm.tell(session, REVOKED, {**told, "registration": registration.id})

    def _revoke(self, session: Session, subscription: Subscription, decision: Decision) -> None:
        """Take a subscription away and tell the session why ("Subscription Revocation")."""
        self._realm.counters["revoked"] += 1
        self._record("revoked", session, uri=subscription.topic, match=subscription.match, because=decision.because)
        self._realm.broker.unsubscribe(session, subscription.id)
        self._deliver.retract(session, subscription.id)
        told = _told("topic", subscription.topic, subscription.match)
        self._realm.tell(session, REVOKED, {**told, "subscription": subscription.id})
        if session.features & SUBSCRIBER_REVOCATION:
            details = RevocationDetails(subscription=subscription.id, reason=uri.NOT_AUTHORIZED)
            self._deliver(SubscriptionRevoked(0, details), NO_PAYLOAD, (session,))


def _told(what: Literal["topic", "procedure"], subject: str, match: Match) -> dict[str, Any]:
    """What a session is told of something that it may hold no longer."""
    action = "subscribe" if what == "topic" else "register"
    return {
        what: subject,
        "match": match,
        "reason": uri.NOT_AUTHORIZED,
        "message": f"this session may no longer {action} {subject}",
    }
