"""Subscriptions to deliveries: the broker of one realm ("Publish and Subscribe")."""

from __future__ import annotations

from math import inf
from time import time
from typing import TYPE_CHECKING

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.ids import PublicationIds, sequential_ids
from wampgate.core.matching import PatternMap
from wampgate.core.passthru import sealed
from wampgate.core.recipients import narrowing, recipients_of
from wampgate.core.slow_readers import perishing
from wampgate.core.trace_context import context_of, traced
from wampgate.wire.messages import NO_EVENT_DETAILS, PLAIN_PUBLISH, Event, EventDetails, Subscribed
from wampgate.wire.payload import NO_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wampgate.core.decisions import Disclosure
    from wampgate.core.history import History
    from wampgate.core.interfaces import Deliver, InterestWatcher, Outlet, SubscriptionObserver
    from wampgate.core.retained import RetainedEvents
    from wampgate.core.session import Session
    from wampgate.core.stored_events import StoredEvent
    from wampgate.core.topics import Topics
    from wampgate.wire.messages import Match, PublishOptions
    from wampgate.wire.payload import Payload


class Subscription:
    """One topic or pattern with all who subscribed to it; they share its id.

    Attributes:
        id: what SUBSCRIBED and EVENT name it by.
        topic, match: the topic or pattern.
        created: when it came to be, in seconds since 1970.
        subscribers: who has subscribed, in that order.
        events: how many were delivered to them.
    """

    __slots__ = ("_recipients", "created", "events", "id", "match", "subscribers", "topic")

    def __init__(self, subscription_id: int, topic: str, match: Match, created: float) -> None:
        self.id = subscription_id
        self.created = created
        self.topic = topic
        self.match = match
        self.subscribers: dict[Session, None] = {}
        self.events = 0
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
    """The subscriptions of one realm.

    Attributes:
        observer: told of what becomes of subscriptions; None if nobody wants to know.
        ended: told of each subscription that has lost its last subscriber; None if nobody wants to know.
        publications: how many were accepted, ever.
        events: how many were delivered for them, ever: one for each subscriber of each subscription.
    """

    def __init__(
        self,
        deliver: Deliver,
        publication_ids: PublicationIds,
        topics: Topics | None = None,
        wall_clock: Callable[[], float] = time,
        *,
        history: History | None = None,
        retained: RetainedEvents | None = None,
    ) -> None:
        self.observer: SubscriptionObserver | None = None
        self.ended: Callable[[Subscription], None] | None = None
        self.publications = 0
        self.events = 0
        self._deliver = deliver
        # Most realms treat all topics alike: for them this costs one look.
        self._topics = topics if topics is not None and len(topics) else None
        self._wall_clock = wall_clock
        self._history = history
        self._retained = retained
        self._publication_ids = publication_ids
        self._subscription_ids = sequential_ids()
        self._patterns: PatternMap[Subscription] = PatternMap()
        self._subscription_by_id: dict[int, Subscription] = {}
        self._watchers: tuple[InterestWatcher, ...] = ()
        # None without any, so that a publication has one test to make.
        self._outlets: PatternMap[list[tuple[Session, Outlet]]] | None = None

    def __len__(self) -> int:
        return len(self._patterns)

    @property
    def retained(self) -> RetainedEvents | None:
        """The retained events; None where none are."""
        return self._retained

    def subscriptions(self) -> Iterable[Subscription]:
        """Every subscription that has a subscriber."""
        return self._patterns.values()

    def subscription(self, subscription_id: int) -> Subscription | None:
        """The subscription with an id; None if no one holds it."""
        return self._subscription_by_id.get(subscription_id)

    def lookup(self, topic: str, match: Match) -> Subscription | None:
        """The subscription to exactly this topic or pattern; None if no one holds it."""
        return self._patterns.get(topic, match)

    def subscribe(self, session: Session, topic: str, match: Match, *, request: int | None = None) -> Subscription:
        """Add a subscriber; a second subscription to the same is the first one.

        Args:
            session: who subscribes.
            topic: to what.
            match: how ``topic`` is to be read.
            request: the SUBSCRIBE that is answered before anyone hears of it, since nothing
                that follows from it may come to the subscriber earlier; None if none is.
        """
        subscription = self._patterns.get(topic, match)
        created = subscription is None
        if subscription is None:
            subscription = self._create(topic, match)
        added = session not in subscription.subscribers
        subscription.add(session)
        if session.subscriptions is None:
            session.subscriptions = {}
        session.subscriptions[subscription.id] = subscription
        if request is not None:
            self._deliver(Subscribed(request, subscription.id), NO_PAYLOAD, (session,))
        if self.observer is not None and added:
            if created:
                self.observer.created(session, subscription)
            self.observer.subscribed(session, subscription)
        return subscription

    def _create(self, topic: str, match: Match) -> Subscription:
        subscription = Subscription(next(self._subscription_ids), topic, match, self._wall_clock())
        self._patterns.set(topic, match, subscription)
        self._subscription_by_id[subscription.id] = subscription
        for watcher in self._watchers:
            watcher.begun(topic, match)
        return subscription

    def deliver_retained(self, session: Session, subscription: Subscription, since: float = -inf) -> None:
        """Deliver to a new subscriber what the topics that match have retained ("Event Retention").

        Args:
            session: who has subscribed.
            subscription: to what.
            since: what is older is hidden from it, in seconds since 1970.
        """
        if self._retained is None:
            return
        topic, match = subscription.topic, subscription.match
        for kept in self._retained.for_subscriber(session, topic, match, now=self._wall_clock(), since=since):
            event = Event(subscription.id, kept.publication, _details_of_retained(kept, subscription))
            self._deliver(event, kept.payload(), (session,))

    def watch(self, watcher: InterestWatcher) -> None:
        """Tell a watcher what is subscribed to now, and every change from now on."""
        for subscription in self._patterns.values():
            watcher.begun(subscription.topic, subscription.match)
        self._watchers = (*self._watchers, watcher)

    def unwatch(self, watcher: InterestWatcher) -> None:
        """Tell a watcher no more."""
        self._watchers = tuple(other for other in self._watchers if other is not watcher)

    def lead_out(self, session: Session, uri: str, match: Match, outlet: Outlet) -> None:
        """Hand an outlet every publication on a topic or pattern that ``session`` could receive, from now on."""
        if self._outlets is None:
            self._outlets = PatternMap()
        ways = self._outlets.get(uri, match)
        if ways is None:
            ways = []
            self._outlets.set(uri, match, ways)
        ways.append((session, outlet))

    def lead_out_no_more(self, session: Session) -> None:
        """Hand nothing more to the outlets of a session."""
        if self._outlets is None:
            return
        for ways in self._outlets.values():
            ways[:] = [way for way in ways if way[0] is not session]
        if not any(self._outlets.values()):
            self._outlets = None

    def treat(self, topics: Topics, history: History | None, retained: RetainedEvents | None) -> None:
        """Treat topics in another way from now on; see the class for the arguments."""
        self._topics = topics if len(topics) else None
        self._history = history
        self._retained = retained

    def unsubscribe(self, session: Session, subscription_id: int) -> None:
        """Remove a subscriber.

        Raises:
            RequestRefused: it holds no such subscription.
        """
        subscription = session.subscriptions.pop(subscription_id, None) if session.subscriptions else None
        if subscription is None:
            raise RequestRefused(uri.NO_SUCH_SUBSCRIPTION, "this session holds no such subscription")
        self._drop(session, (subscription,))

    def leave(self, session: Session) -> None:
        """Remove a subscriber from everything."""
        subscriptions, session.subscriptions = session.subscriptions, None
        if subscriptions:
            self._drop(session, subscriptions.values())

    def matching(self, topic: str) -> Sequence[Subscription]:
        """The subscriptions by which an event on a topic is received."""
        return self._patterns.matching(topic)

    def publish(
        self,
        publisher: Session,
        topic: str,
        options: PublishOptions,
        payload: Payload,
        disclosure: Disclosure,
        *,
        publication: int | None = None,
    ) -> int:
        """Deliver an event to the subscribers of every pattern that the topic matches; return its publication id.

        ``publication`` is that id where the publisher has one of its own.

        Raises:
            RequestRefused: the publisher asks to be disclosed and must not be.
        """
        plain = options == PLAIN_PUBLISH
        disclosed = disclosure == "always" or (not plain and options.disclose_me)
        if not plain and options.disclose_me and disclosure == "never":
            raise RequestRefused(uri.DISCLOSE_ME_DISALLOWED, "the publisher's identity is not disclosed on this topic")
        if publication is None:
            publication = self._publication_ids.next()
        self.publications += 1
        if not plain and options.retain and self._retained is not None:
            now = self._wall_clock()
            self._retained.published(publisher, topic, publication, options, payload, disclosed=disclosed, now=now)
        may_be_lost = None
        if self._topics is not None and (treated := self._topics.of(topic)) is not None:
            if self._history is not None and treated.history is not None:
                known = publisher if disclosed else None
                self._history.published(known, topic, publication, options, payload, kept=treated.history)
            may_be_lost = perishing(treated, topic, payload, self._wall_clock())
        test = None if plain else narrowing(options)
        seal = None if plain or not options.opaque else options
        trace = None if plain else context_of(options)
        excluded = publisher if plain or options.exclude_me else None
        for subscription in self._patterns.matching(topic):
            recipients = recipients_of(
                subscription.recipients, excluded if excluded in subscription.subscribers else None, test
            )
            if recipients:
                details = NO_EVENT_DETAILS
                if disclosed or trace is not None or seal is not None or subscription.match != "exact":
                    details = _details(publisher if disclosed else None, topic, subscription)
                    if seal is not None:
                        details = sealed(details, seal)
                    if trace is not None:
                        details = traced(details, trace)
                event = (
                    Event(subscription.id, publication, details)
                    if may_be_lost is None
                    else may_be_lost.event(subscription, publication, details)
                )
                count = len(recipients)
                self.events += count
                subscription.events += count
                self._deliver(event, payload, recipients)
        # What is sealed is of no use to who is not told how.
        if self._outlets is not None and seal is None:
            # Each outlet once, however many of its patterns the topic matches.
            for session, outlet in dict.fromkeys(way for ways in self._outlets.matching(topic) for way in ways):
                if session is not publisher and (test is None or test(session)):
                    outlet(publisher, topic, publication, payload, disclosed)
        return publication

    def tell(self, session: Session, topic: str, payload: Payload) -> bool:
        """Deliver an event to one subscriber of a topic and to no other; whether it has subscribed."""
        event = self.private_event(session, topic)
        if event is not None:
            self._deliver(event, payload, (session,))
        return event is not None

    def private_event(self, session: Session, topic: str) -> Event | None:
        """An event for one subscriber of a topic and for no other; None if it hasn't subscribed."""
        subscription = self.private_subscription(session, topic)
        return None if subscription is None else Event(subscription.id, self._publication_ids.next(), NO_EVENT_DETAILS)

    def private_subscription(self, session: Session, topic: str) -> Subscription | None:
        """The subscription to a topic, if a session has it."""
        subscription = self._patterns.get(topic, "exact")
        return subscription if subscription is not None and session in subscription.subscribers else None

    def _drop(self, session: Session, subscriptions: Iterable[Subscription]) -> None:
        """Remove a subscriber from all of these, and only then tell of it: it must not hear of its own end."""
        dropped = list(subscriptions)
        for subscription in dropped:
            subscription.remove(session)
            if not subscription.subscribers:
                self._patterns.remove(subscription.topic, subscription.match)
                del self._subscription_by_id[subscription.id]
                if self.ended is not None:
                    self.ended(subscription)
                for watcher in self._watchers:
                    watcher.ended(subscription.topic, subscription.match)
        for subscription in dropped:
            if self.observer is None:
                return
            self.observer.unsubscribed(session, subscription)
            if not subscription.subscribers:
                self.observer.deleted(session, subscription)


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


def _details_of_retained(kept: StoredEvent, subscription: Subscription) -> EventDetails:
    details = EventDetails(retained=True)
    if subscription.match != "exact":
        details.topic = kept.topic
    if kept.publisher is not None:
        details.publisher, details.publisher_authid, details.publisher_authrole = kept.publisher
    for attribute, value in (kept.seal or {}).items():
        setattr(details, attribute, value)
    return details
