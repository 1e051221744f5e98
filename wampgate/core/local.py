"""Sessions inside the router: what the bridge and the router's own procedures speak through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused, uri
from wampgate.core.ids import random_id
from wampgate.core.interfaces import Connection
from wampgate.core.session import Session, State
from wampgate.core.uri import is_uri
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wampgate.core.interfaces import Principal
    from wampgate.core.realm import Realm
    from wampgate.wire.messages import Message

INSIDE = Connection("inside", "inside", secure=True)


class LocalLink:
    """The way to a session in this process: messages are handed over as they are.

    Whoever delivers queues them until the current message's deliveries are
    handed out, so a receiver is never called re-entrantly.

    Attributes:
        encoding: None, where a connection has its serializer and framing.
    """

    encoding = None

    def __init__(self, receive: Callable[[Message, Payload], None]) -> None:
        self.receive = receive

    def close(self, code: int, reason: str) -> None:
        """Nothing to close."""

    def retract(self, subscription: int) -> None:
        """Nothing to retract: it subscribes to nothing that is taken away."""

    def pause(self) -> None:
        """Nothing to pause: it sends no faster than it is answered."""

    def resume(self) -> None:
        """Nothing to resume."""


def local_session(realm: Realm, principal: Principal, receive: Callable[[Message, Payload], None]) -> Session:
    """A session of the router's own, established and unknown to the realm's list of sessions."""
    session = Session(LocalLink(receive), INSIDE)
    session.id = random_id()
    session.principal = principal
    session.realm = realm
    session.state = State.ESTABLISHED
    return session


class LocalPublisher:
    """Publishes for an adapter under the adapter's own principal; see :class:`wampgate.core.interfaces.Publisher`."""

    def __init__(self, realm: Realm, principal: Principal) -> None:
        self._realm = realm
        self._session = local_session(realm, principal, lambda _message, _payload: None)

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
        """See :meth:`wampgate.core.interfaces.Publisher.publish`.

        Raises:
            RequestRefused: the topic is no URI, or this publisher may not publish there.
        """
        if not is_uri(topic):
            raise RequestRefused(uri.INVALID_URI, "the topic is not a URI")
        decision = self._realm.authorize(self._session, "publish", topic, "exact")
        if not isinstance(decision, Decision) or not decision.allowed:
            raise RequestRefused(uri.NOT_AUTHORIZED, "this publisher's rules do not allow the topic")
        excluded = [*(exclude or ()), *self._subscribers(exclude_subscribers, topic)]
        if exclude_subscribers:
            # Even if nobody is there now: a history would show it to those who come later.
            excluded.append(self._session.id)
        options = PublishOptions(exclude=excluded or None)
        payload = Payload(list(args), kwargs) if encoded is None else encoded
        self._realm.requests.inside += 1
        return self._realm.broker.publish(
            self._session, topic, options, payload, decision.disclose, publication=publication
        )

    def _subscribers(self, topics: Sequence[str], published: str) -> Iterator[int]:
        """Who is on one of these topics by a subscription that isn't to the published one as well."""
        if not topics:
            return
        broker = self._realm.broker
        here = broker.matching(published)
        for topic in topics:
            for subscription in broker.matching(topic):
                if subscription not in here:
                    yield from (session.id for session in subscription.subscribers)
