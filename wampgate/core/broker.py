"""Subscriptions to deliveries: the broker of one realm ("Publish and Subscribe")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.ids import PublicationIds, sequential_ids
from wampgate.core.matching import PatternMap
from wampgate.core.recipients import narrowing, recipients_of
from wampgate.wire.messages import NO_EVENT_DETAILS, Event, EventDetails

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.decisions import Disclosure
    from wampgate.core.interfaces import Deliver
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, PublishOptions
    from wampgate.wire.payload import Payload


class Subscription:
    """One topic or pattern with all who subscribed to it; they share its id."""

    __slots__ = ("_recipients", "id", "match", "subscribers", "topic")

    def __init__(self, subscription_id: int, topic: str, match: Match) -> None:
        self.id = subscription_id
        self.topic = topic
        self.match = match
        self.subscribers: dict[Session, None] = {}
        self._recipients: tuple[Session, ...] | None = None

    @property
    def recipients(self) -> tuple[Session, ...]:
        """The subscribers; the same object as long as they stay the same."""
        if self._recipients is None:
            self._recipients = tuple(self.subscribers)
        return self._recipients

    def add(self, session: Session) -> None:
        """Add a subscriber, once."""
        if session not in self.subscribers:
            self.subscribers[session] = None
            self._recipients = None

    def remove(self, session: Session) -> None:
        """Remove a subscriber."""
        del self.subscribers[session]
        self._recipients = None


class Broker:
    """The subscriptions of one realm."""

    def __init__(self, deliver: Deliver, publication_ids: PublicationIds) -> None:
        self._deliver = deliver
        self._publication_ids = publication_ids
        self._subscription_ids = sequential_ids()
        self._patterns: PatternMap[Subscription] = PatternMap()

    def __len__(self) -> int:
        return len(self._patterns)

    def subscriptions(self) -> Iterable[Subscription]:
        """Every subscription that has a subscriber."""
        return self._patterns.values()

    def subscribe(self, session: Session, topic: str, match: Match) -> Subscription:
        """Add a subscriber; a second subscription to the same is the first one."""
        subscription = self._patterns.get(topic, match)
        if subscription is None:
            subscription = Subscription(next(self._subscription_ids), topic, match)
            self._patterns.set(topic, match, subscription)
        subscription.add(session)
        if session.subscriptions is None:
            session.subscriptions = {}
        session.subscriptions[subscription.id] = subscription
        return subscription

    def unsubscribe(self, session: Session, subscription_id: int) -> None:
        """Remove a subscriber.

        Raises:
            RequestRefused: it holds no such subscription.
        """
        subscription = session.subscriptions.pop(subscription_id, None) if session.subscriptions else None
        if subscription is None:
            raise RequestRefused(uri.NO_SUCH_SUBSCRIPTION, "this session holds no such subscription")
        self._drop(session, subscription)

    def leave(self, session: Session) -> None:
        """Remove a subscriber from everything."""
        subscriptions, session.subscriptions = session.subscriptions, None
        for subscription in (subscriptions or {}).values():
            self._drop(session, subscription)

    def publish(
        self, publisher: Session, topic: str, options: PublishOptions, payload: Payload, disclosure: Disclosure
    ) -> int:
        """Deliver an event to the subscribers of every pattern that the topic matches; return its publication id.

        Raises:
            RequestRefused: the publisher asks to be disclosed and must not be.
        """
        disclosed = disclosure == "always" or options.disclose_me
        if options.disclose_me and disclosure == "never":
            raise RequestRefused(uri.DISCLOSE_ME_DISALLOWED, "the publisher's identity is not disclosed on this topic")
        publication = self._publication_ids.next()
        test = narrowing(options)
        excluded = publisher if options.exclude_me else None
        for subscription in self._patterns.matching(topic):
            recipients = recipients_of(
                subscription.recipients, excluded if excluded in subscription.subscribers else None, test
            )
            if recipients:
                details = NO_EVENT_DETAILS
                if disclosed or subscription.match != "exact":
                    details = _details(publisher if disclosed else None, topic, subscription)
                self._deliver(Event(subscription.id, publication, details), payload, recipients)
        return publication

    def tell(self, session: Session, topic: str, payload: Payload) -> None:
        """Deliver an event to one subscriber of a topic and to no other; to no one if it hasn't subscribed."""
        subscription = self._patterns.get(topic, "exact")
        if subscription is not None and session in subscription.subscribers:
            event = Event(subscription.id, self._publication_ids.next(), NO_EVENT_DETAILS)
            self._deliver(event, payload, (session,))

    def _drop(self, session: Session, subscription: Subscription) -> None:
        subscription.remove(session)
        if not subscription.subscribers:
            self._patterns.remove(subscription.topic, subscription.match)


def _details(publisher: Session | None, topic: str, subscription: Subscription) -> EventDetails:
    """What an EVENT says beside the payload ("Publisher Identification", "Pattern-based Subscription")."""
    details = EventDetails()
    if subscription.match != "exact":
        details.topic = topic
    if publisher is not None:
        details.publisher = publisher.id
        details.publisher_authid = publisher.principal.authid
        details.publisher_authrole = publisher.principal.authrole
    return details
