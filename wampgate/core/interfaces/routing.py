"""The contracts between routing and its surroundings: deliveries, links, publishers, outlets, watchers, the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wampgate.core.broker import Subscription
    from wampgate.core.registrations import Registration
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message
    from wampgate.wire.payload import Payload


class Record(Protocol):
    """Takes what the core has to tell the operator: one line per event, no secrets."""

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Take an event; :mod:`wampgate.journal` lists them. Never raises."""


class Link(Protocol):
    """The way from the router to one session's peer, apart from messages (see ``Deliver``)."""

    def close(self, code: int, reason: str) -> None:
        """End the connection once all that was delivered before has left. Never raises.

        Args:
            code: the WebSocket close code.
            reason: for the peer, at most 123 bytes of UTF-8.
        """

    def pause(self) -> None:
        """Stop reading: the session has as many messages waiting as it may have."""

    def resume(self) -> None:
        """Read again."""


class Deliver(Protocol):
    """Hands one message to many sessions: the core's only way out."""

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """Take a delivery; deliveries leave in order, when the current turn ends. Never raises.

        The recipients are read at once or copied: the caller may change them afterwards.
        """

    def retract(self, session: Session, subscription: int) -> None:
        """Take back the events of a subscription that wait for one session, wherever they wait. Never raises.

        What the operating system has taken can't be taken back.
        """


class InterestWatcher(Protocol):
    """Hears which topics and patterns anyone subscribes to, as that begins and ends."""

    def begun(self, topic: str, match: Match) -> None:
        """A topic or pattern has its first subscriber. Never raises, and does no more than note it."""

    def ended(self, topic: str, match: Match) -> None:
        """Its last subscriber is gone. Never raises, and does no more than note it."""


class SubscriptionObserver(Protocol):
    """Hears what becomes of subscriptions, in the order in which it happens ("Subscription Meta API").

    The subscriber has had its SUBSCRIBED before; and of what a session loses at once, all is lost
    before the first of it is told.
    """

    def created(self, session: Session, subscription: Subscription) -> None:
        """A topic or pattern has its first subscriber. Never raises."""

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """A session has become a subscriber; after ``created``. Never raises."""

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """A session is a subscriber no more. Never raises."""

    def deleted(self, session: Session, subscription: Subscription) -> None:
        """The last subscriber is gone; after its ``unsubscribed``. Never raises."""


class RegistrationObserver(Protocol):
    """Hears what becomes of registrations, in the order in which it happens ("Registration Meta API")."""

    def created(self, session: Session, registration: Registration) -> None:
        """A procedure or pattern has its first callee. Never raises."""

    def registered(self, session: Session, registration: Registration) -> None:
        """A session has become a callee; after ``created``. Never raises."""

    def unregistered(self, session: Session, registration: Registration) -> None:
        """A session is a callee no more. Never raises."""

    def deleted(self, session: Session, registration: Registration) -> None:
        """The last callee is gone; after its ``unregistered``. Never raises."""


class Outlet(Protocol):
    """Takes publications out of the router.

    Unlike a subscriber it sees who published, so that what came in by a bridge
    need not go out again, and it counts as nobody's interest.
    """

    def __call__(self, publisher: Session, topic: str, publication: int, payload: Payload, disclosed: bool) -> None:
        """Take one publication. Never raises, and does no more than queue it.

        Args:
            publisher: who published.
            topic: where.
            publication: the publication id.
            payload: what.
            disclosed: whether receivers may learn who it was.
        """


class Publisher(Protocol):
    """What an adapter that brings events from elsewhere (a bridge) publishes through.

    It speaks for a principal of its own that may publish on its rules' topics only.
    """

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        exclude: Sequence[int] | None = None,
        exclude_subscribers: Sequence[str] = (),
        publication: int | None = None,
        encoded: Payload | None = None,
    ) -> int:
        """Publish an event and return its publication id.

        Args:
            topic: where.
            args: plain values.
            kwargs: plain values.
            exclude: sessions that don't receive it.
            exclude_subscribers: topics; whoever receives what is published on one of them, by
                a subscription that has nothing of this topic, doesn't receive it.
            publication: the id, where the source has one of its own; None for a random one.
            encoded: the same args and kwargs, where the source has them encoded already.

        Raises:
            RequestRefused: the topic is no URI, or this publisher may not publish there.
        """
