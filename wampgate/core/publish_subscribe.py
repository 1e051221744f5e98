"""What sessions send to the broker: PUBLISH, SUBSCRIBE and UNSUBSCRIBE, from the message to its answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wampgate.core.buckets import PUBLISHES, SUBSCRIBES
from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused
from wampgate.core.features import PUBLISHER_PASSTHRU
from wampgate.core.passthru import check_announced
from wampgate.core.requests import INVALID
from wampgate.core.uri import is_pattern, is_uri
from wampgate.wire.messages import Publish, Published, Subscribe, Unsubscribed
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from wampgate.core.broker import Broker
    from wampgate.core.interfaces import Deliver
    from wampgate.core.requests import Requests
    from wampgate.core.session import Session
    from wampgate.core.topics import Topics
    from wampgate.wire.messages import Unsubscribe


class PublishSubscribe:
    """The broker's side of a realm ("Publish and Subscribe")."""

    def __init__(self, requests: Requests, broker: Broker, topics: Topics, deliver: Deliver) -> None:
        self._requests = requests
        self._authorize = requests.authorize
        self._broker = broker
        self._topics = topics
        self._deliver = deliver

    def publish(self, session: Session, message: Publish, payload: Payload) -> None:
        """PUBLISH: an event for all who have subscribed to what the topic matches.

        Raises:
            ProtocolViolation: the payload is sealed, and this session has not announced that it sends such.
        """
        requests = self._requests
        requests.publishes += 1
        requests.begin(session, message)
        options = message.options
        if options.ppt_scheme or options.enc_algo is not None:
            check_announced(session, PUBLISHER_PASSTHRU)
        if requests.buckets is not None and (excess := requests.count(session, PUBLISHES)) is not None:
            self._refuse_publish(session, message, excess)
        elif not is_uri(message.topic):
            self._refuse_publish(session, message, INVALID)
        else:
            # As Requests.decide has it, but without making what only those need that wait.
            answer = self._authorize(session, "publish", message.topic, "exact")
            if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Publish)):
                self._published(session, message, payload, answer)
            else:
                ask = partial(self._authorize, session, "publish", message.topic, "exact")
                requests.wait(session, message, answer, ask, partial(self._published, session, message, payload))

    def _published(self, session: Session, message: Publish, payload: Payload, decision: Decision) -> None:
        if not decision.allowed:
            refusal = self._requests.refusal(session, "publish", message.topic, "exact", decision)
            self._refuse_publish(session, message, refusal)
            return
        options = message.options
        try:
            publication = self._broker.publish(session, message.topic, options, payload, decision.disclose)
        except RequestRefused as refusal:
            self._requests.allowed("publish")
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
            # As above: most are decided at once.
            answer = self._authorize(session, "subscribe", message.topic, match)
            if type(answer) is Decision and (session.inbox is None or not session.inbox.has(Subscribe)):
                self._subscribed(session, message, answer)
            else:
                ask = partial(self._authorize, session, "subscribe", message.topic, match)
                requests.wait(session, message, answer, ask, partial(self._subscribed, session, message))

    def _subscribed(self, session: Session, message: Subscribe, decision: Decision) -> None:
        requests = self._requests
        match = message.options.match
        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "subscribe", message.topic, match, decision))
            return
        requests.allowed("subscribe")
        if session.subscriptions is not None and len(session.subscriptions) >= requests.limits.subscriptions:
            requests.refuse(session, message, requests.limit("subscriptions", requests.limits.subscriptions))
        else:
            subscription = self._broker.subscribe(session, message.topic, match, request=message.request)
            if message.options.get_retained:
                since = self._topics.visible_since(message.topic, match, decision)
                self._broker.deliver_retained(session, subscription, since)

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
