"""What a live session loses when its rights end: subscriptions, and what waits because of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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
    from wampgate.core.session import Session


class Revocations:
    """Takes rights away from the sessions of one realm ("Subscription Revocation")."""

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
        if session.inbox is not None:
            session.inbox.reconsider()

    def _keep_or_revoke(self, session: Session, subscription: Subscription, decision: Decision) -> None:
        if not decision.allowed and not decision.failed and subscription.id in (session.subscriptions or ()):
            self._revoke(session, subscription, decision)

    def _revoke(self, session: Session, subscription: Subscription, decision: Decision) -> None:
        """Take a subscription away and tell the session why ("Subscription Revocation")."""
        self._realm.counters["revoked"] += 1
        self._record("revoked", session, uri=subscription.topic, match=subscription.match, because=decision.because)
        self._realm.broker.unsubscribe(session, subscription.id)
        self._deliver.retract(session, subscription.id)
        self._realm.tell(
            session,
            REVOKED,
            {
                "topic": subscription.topic,
                "match": subscription.match,
                "subscription": subscription.id,
                "reason": uri.NOT_AUTHORIZED,
                "message": f"this session may no longer subscribe {subscription.topic}",
            },
        )
        if session.features & SUBSCRIBER_REVOCATION:
            details = RevocationDetails(subscription=subscription.id, reason=uri.NOT_AUTHORIZED)
            self._deliver(SubscriptionRevoked(0, details), NO_PAYLOAD, (session,))
