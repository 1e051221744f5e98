"""Tells of sessions, subscriptions and registrations as they come and go ("Session Meta API" and those after it).

Each event is for those alone who may see what it is about; that is decided when
it happens, for each receiver. While nobody subscribes to such an event, there is
nobody who listens for it here either.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.decisions import Decision
from wampgate.core.late_events import LateEvent, LateEvents
from wampgate.core.matching import covers
from wampgate.core.uri import is_reserved
from wampgate.core.visibility import is_inside
from wampgate.wire.messages import NO_EVENT_DETAILS, Event, EventDetails
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wampgate.core.broker import Subscription
    from wampgate.core.decisions import Action, Pending
    from wampgate.core.ids import PublicationIds
    from wampgate.core.interfaces import Deliver
    from wampgate.core.realm import Realm
    from wampgate.core.registrations import Registration
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match

ON_JOIN: Final = "wamp.session.on_join"
ON_LEAVE: Final = "wamp.session.on_leave"
SUBSCRIPTION_CREATED: Final = "wamp.subscription.on_create"
SUBSCRIBED: Final = "wamp.subscription.on_subscribe"
UNSUBSCRIBED: Final = "wamp.subscription.on_unsubscribe"
SUBSCRIPTION_DELETED: Final = "wamp.subscription.on_delete"
REGISTRATION_CREATED: Final = "wamp.registration.on_create"
REGISTERED: Final = "wamp.registration.on_register"
UNREGISTERED: Final = "wamp.registration.on_unregister"
REGISTRATION_DELETED: Final = "wamp.registration.on_delete"

_OF_SUBSCRIPTIONS: Final = frozenset({SUBSCRIPTION_CREATED, SUBSCRIBED, UNSUBSCRIBED, SUBSCRIPTION_DELETED})
_OF_REGISTRATIONS: Final = frozenset({REGISTRATION_CREATED, REGISTERED, UNREGISTERED, REGISTRATION_DELETED})
TOPICS: Final = frozenset({ON_JOIN, ON_LEAVE}) | _OF_SUBSCRIPTIONS | _OF_REGISTRATIONS
"""All topics on which the meta API tells something."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a receiver has to be allowed to do with the thing an event is about.

    Attributes:
        action: to subscribe, or to call.
        uri, match: the topic or procedure, or pattern.
    """

    action: Action
    uri: str
    match: Match


class MetaEvents:
    """Publishes one realm's meta events; an :class:`wampgate.core.interfaces.InterestWatcher` of its topics."""

    def __init__(
        self,
        realm: Realm,
        deliver: Deliver,
        publication_ids: PublicationIds,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._realm = realm
        self._deliver = deliver
        self._publication_ids = publication_ids
        self._wall_clock = wall_clock
        self._interest: Counter[str] = Counter()
        self._late = LateEvents(realm, deliver)
        self._silent: frozenset[str] = frozenset()
        self._of_subscriptions = SubscriptionEvents(self)
        self._of_registrations = RegistrationEvents(self)
        realm.broker.watch(self)

    # --- who listens ---

    def begun(self, topic: str, match: Match) -> None:
        """See :class:`wampgate.core.interfaces.InterestWatcher`."""
        for meta in _matched(topic, match):
            self._interest[meta] += 1
            self._observe()

    def ended(self, topic: str, match: Match) -> None:
        """See :class:`wampgate.core.interfaces.InterestWatcher`."""
        for meta in _matched(topic, match):
            self._interest[meta] -= 1
            self._observe()

    def _observe(self) -> None:
        """Listen for what someone wants to hear of, and for nothing else."""
        interest, realm = self._interest, self._realm
        of_subscriptions = any(interest[topic] for topic in _OF_SUBSCRIPTIONS)
        of_registrations = any(interest[topic] for topic in _OF_REGISTRATIONS)
        realm.broker.observer = self._of_subscriptions if of_subscriptions else None
        realm.dealer.registrations.observer = self._of_registrations if of_registrations else None

    # --- what happens ---

    def joined(self, session: Session, _since: float) -> None:
        """A session has its WELCOME."""
        if self._interest[ON_JOIN]:
            self.tell(ON_JOIN, session, [details_of(session)])

    def left(self, session: Session) -> None:
        """A session is gone, and all that it held."""
        self._late.forget(session)
        if self._interest[ON_LEAVE]:
            self.tell(ON_LEAVE, session, [session.id, session.principal.authid, session.principal.authrole])

    def stop(self) -> None:
        """Tell no one of anything any more."""
        self._silent = TOPICS

    @contextmanager
    def silence(self, topic: str) -> Iterator[None]:
        """Publish nothing on a topic meanwhile."""
        before, self._silent = self._silent, self._silent | {topic}
        try:
            yield
        finally:
            self._silent = before

    def tell(self, topic: str, about: Session, args: list[Any], subject: Subject | None = None) -> None:
        """Publish an event to those who may see what it is about.

        Args:
            topic: the meta event.
            about: the session that it is about; nobody hears of one that is not a client's.
            args: the event's positional arguments.
            subject: what else a receiver has to be allowed to see.
        """
        if not self._interest[topic] or topic in self._silent or is_inside(about):
            return
        payload = Payload(args)
        publication = self._publication_ids.next()
        for subscription in self._realm.broker.matching(topic):
            details = NO_EVENT_DETAILS if subscription.match == "exact" else EventDetails(topic=topic)
            event = Event(subscription.id, publication, details)
            now = self._receivers(subscription, event, payload, about, subject)
            if now:
                self._deliver(event, payload, tuple(now))

    def _receivers(
        self, subscription: Subscription, event: Event, payload: Payload, about: Session, subject: Subject | None
    ) -> list[Session]:
        """Those who receive an event now; for whom it can't be said yet, the event waits."""
        sees = self._realm.visibility.sees
        concerned = [session for session in subscription.recipients if sees(session, about)]
        if subject is None and not self._late:
            return concerned
        return [session for session in concerned if self._has_it_now(session, subscription, event, payload, subject)]

    def _has_it_now(
        self, session: Session, subscription: Subscription, event: Event, payload: Payload, subject: Subject | None
    ) -> bool:
        ask = partial(self._ask, session, subject)
        late = LateEvent(subscription, event, payload, ask, self._wall_clock())
        if session in self._late:
            self._late.wait(session, late)
            return False
        answer = ask()
        if not isinstance(answer, Decision):
            self._late.wait(session, late, answer)
            return False
        if answer.failed:
            self._late.undecided(session, late)
        return answer.allowed

    def _ask(self, session: Session, subject: Subject | None) -> Decision | Pending[Decision]:
        """Whether a session may see a thing: whether it could subscribe to it, or call it, itself."""
        if subject is None:
            return _SEEN
        return self._realm.authorize(session, subject.action, subject.uri, subject.match)


class SubscriptionEvents:
    """Tells of subscriptions; a :class:`wampgate.core.interfaces.SubscriptionObserver`.

    Those to the router's own topics, as the meta events themselves, are nobody's news.
    """

    def __init__(self, events: MetaEvents) -> None:
        self._events = events

    def created(self, session: Session, subscription: Subscription) -> None:
        """A topic or pattern has its first subscriber."""
        self._tell(SUBSCRIPTION_CREATED, session, subscription, subscription_details(subscription))

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """A session has subscribed."""
        self._tell(SUBSCRIBED, session, subscription, subscription.id)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """A session is a subscriber no more."""
        self._tell(UNSUBSCRIBED, session, subscription, subscription.id)

    def deleted(self, session: Session, subscription: Subscription) -> None:
        """The last subscriber is gone."""
        self._tell(SUBSCRIPTION_DELETED, session, subscription, subscription.id)

    def _tell(self, topic: str, session: Session, subscription: Subscription, what: Any) -> None:
        if not is_reserved(subscription.topic):
            subject = Subject("subscribe", subscription.topic, subscription.match)
            self._events.tell(topic, session, [session.id, what], subject)


class RegistrationEvents:
    """Tells of registrations; a :class:`wampgate.core.interfaces.RegistrationObserver`."""

    def __init__(self, events: MetaEvents) -> None:
        self._events = events

    def created(self, session: Session, registration: Registration) -> None:
        """A procedure or pattern has its first callee."""
        self._tell(REGISTRATION_CREATED, session, registration, registration_details(registration))

    def registered(self, session: Session, registration: Registration) -> None:
        """A session has become a callee."""
        self._tell(REGISTERED, session, registration, registration.id)

    def unregistered(self, session: Session, registration: Registration) -> None:
        """A session is a callee no more."""
        self._tell(UNREGISTERED, session, registration, registration.id)

    def deleted(self, session: Session, registration: Registration) -> None:
        """The last callee is gone."""
        self._tell(REGISTRATION_DELETED, session, registration, registration.id)

    def _tell(self, topic: str, session: Session, registration: Registration, what: Any) -> None:
        subject = Subject("call", registration.procedure, registration.match)
        self._events.tell(topic, session, [session.id, what], subject)


def details_of(session: Session) -> dict[str, Any]:
    """A session as the meta API tells of it, without its peer's address, which is not everyone's business."""
    principal = session.principal
    return {
        "session": session.id,
        "authid": principal.authid,
        "authrole": principal.authrole,
        "authmethod": principal.authmethod,
        "authprovider": principal.authprovider,
        "transport": {"secure": session.connection.secure},
    }


def subscription_details(subscription: Subscription) -> dict[str, Any]:
    """A subscription as the meta API tells of it."""
    return {
        "id": subscription.id,
        "created": _iso_8601(subscription.created),
        "uri": subscription.topic,
        "match": subscription.match,
    }


def registration_details(registration: Registration) -> dict[str, Any]:
    """A registration as the meta API tells of it."""
    return {
        "id": registration.id,
        "created": _iso_8601(registration.created),
        "uri": registration.procedure,
        "match": registration.match,
        "invoke": registration.invoke,
    }


def _iso_8601(seconds: float) -> str:
    """A time in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _matched(topic: str, match: Match) -> list[str]:
    """The meta events that a subscription receives."""
    if match == "exact":
        return [topic] if topic in TOPICS else []
    return [meta for meta in TOPICS if covers(topic, match, meta, "exact")]


_SEEN: Final = Decision(True, "the receiver sees the session")
