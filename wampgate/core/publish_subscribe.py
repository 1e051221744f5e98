"""What sessions send to the broker: PUBLISH, SUBSCRIBE and UNSUBSCRIBE, from the message to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.buckets import PUBLISHES, SUBSCRIBES
from wampgate.core.errors import RequestRefused, uri
from wampgate.core.requests import INVALID
from wampgate.core.uri import is_pattern, is_uri
from wampgate.wire.messages import Published, Subscribed, Unsubscribed
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from wampgate.core.broker import Broker
    from wampgate.core.decisions import Decision
    from wampgate.core.interfaces import Deliver
    from wampgate.core.requests import Requests
    from wampgate.core.session import Session
    from wampgate.wire.messages import Publish, Subscribe, Unsubscribe


class PublishSubscribe:
    """The broker's side of a realm ("Publish and Subscribe")."""

    def __init__(self, requests: Requests, broker: Broker, deliver: Deliver) -> None:
        self._requests = requests
        self._broker = broker
        self._deliver = deliver

    def publish(self, session: Session, message: Publish, payload: Payload) -> None:
        """PUBLISH: an event for all who have subscribed to what the topic matches."""
        requests = self._requests
        requests.begin(session, message)
        if requests.buckets is not None and (excess := requests.count(session, PUBLISHES)) is not None:
            self._refuse_publish(session, message, excess)
        elif not is_uri(message.topic):
            self._refuse_publish(session, message, INVALID)
        else:
            requests.decide(
                session,
                message,
                "publish",
                message.topic,
                "exact",
                act=lambda decision: self._published(session, message, payload, decision),
            )

    def _published(self, session: Session, message: Publish, payload: Payload, decision: Decision) -> None:
        if not decision.allowed:
            refusal = self._requests.refusal(session, "publish", message.topic, "exact", decision)
            self._refuse_publish(session, message, refusal)
            return
        options = message.options
        if options.opaque:
            self._refuse_publish(session, message, _OPAQUE)
            return
        try:
            publication = self._broker.publish(session, message.topic, options, payload, decision.disclose)
        except RequestRefused as refusal:
            self._refuse_publish(session, message, refusal)
            return
        if options.acknowledge:
            self._deliver(Published(message.request, publication), NO_PAYLOAD, (session,))

    def subscribe(self, session: Session, message: Subscribe, _: Payload) -> None:
        """SUBSCRIBE: from SUBSCRIBED on, all events of a topic or pattern."""
        requests = self._requests
        requests.begin(session, message)
        match = message.options.match
        if requests.buckets is not None and (excess := requests.count(session, SUBSCRIBES)) is not None:
            requests.refuse(session, message, excess)
        elif not is_pattern(message.topic, match):
            requests.refuse(session, message, INVALID)
        else:
            requests.decide(
                session,
                message,
                "subscribe",
                message.topic,
                match,
                act=lambda decision: self._subscribed(session, message, decision),
            )

    def _subscribed(self, session: Session, message: Subscribe, decision: Decision) -> None:
        requests = self._requests
        match = message.options.match
        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "subscribe", message.topic, match, decision))
        elif session.subscriptions is not None and len(session.subscriptions) >= requests.limits.subscriptions:
            requests.refuse(session, message, requests.limit("subscriptions", requests.limits.subscriptions))
        else:
            subscription = self._broker.subscribe(session, message.topic, match)
            self._deliver(Subscribed(message.request, subscription.id), NO_PAYLOAD, (session,))

    def unsubscribe(self, session: Session, message: Unsubscribe, _: Payload) -> None:
        """UNSUBSCRIBE: never waits."""
        self._requests.begin(session, message)
        try:
            self._broker.unsubscribe(session, message.subscription)
        except RequestRefused as refusal:
            self._requests.refuse(session, message, refusal)
            return
        self._deliver(Unsubscribed(message.request), NO_PAYLOAD, (session,))

    def _refuse_publish(self, session: Session, message: Publish, refusal: RequestRefused) -> None:
        # A publication that isn't acknowledged fails in silence ("Publish ERROR").
        if message.options.acknowledge:
            self._requests.refuse(session, message, refusal)


_OPAQUE: Final = RequestRefused(uri.FEATURE_NOT_SUPPORTED, "this router does not announce payload passthru mode")
