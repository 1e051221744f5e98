"""Plain channels: ``PUBLISH channel.7 '{"text":"hi"}'``, the payload as text, JSON or MessagePack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from wampgate.bridge.decoding import decode_json, decode_msgpack
from wampgate.bridge.dialects.event_shape import payload_of
from wampgate.bridge.old_msgpack import text_or_bytes
from wampgate.bridge.rules import BridgedEvent, Dropped, RedisSubscription, SubscriptionKind
from wampgate.bridge.templates import InvalidRule, Template, TopicPattern, TopicTemplate
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

Format = Literal["json", "msgpack", "text"]

DECODE_BY_FORMAT: Final = {"json": decode_json, "msgpack": decode_msgpack, "text": text_or_bytes}


class PlainRule:
    """A message on a channel becomes an event on the topic that the channel's name leads to.

    An array is the event's args, an object its kwargs, any other value its one
    argument. Text is one argument too; it is bytes if it isn't UTF-8.

    Args:
        channel: a template for the channel, as ``channel.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        format: how the payload is written.
        sharded: whether the channels are of sharded pub/sub (SPUBLISH).

    Raises:
        InvalidRule: a template or the format is wrong; the text says what to write.
    """

    def __init__(
        self,
        channel: str,
        topic: str,
        format: Format = "json",  # noqa: A002 - as in router.json
        *,
        sharded: bool = False,
    ) -> None:
        self._kind = SubscriptionKind.SHARDED if sharded else SubscriptionKind.EXACT
        check_format(format, f"rule for channel {channel!r}")
        self._channel = Template(channel)
        self._topic = TopicTemplate(topic, self._channel)
        self._decode = DECODE_BY_FORMAT[format]

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"channel {self._channel.text}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        if self._channel.names and self._kind == SubscriptionKind.SHARDED:
            return ()
        if self._channel.names:
            return (RedisSubscription(self._channel.glob(), SubscriptionKind.PATTERN),)
        return (RedisSubscription(self._channel.text, self._kind),)

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        if not self._topic.invertible:
            return self.subscriptions() if self._topic.makes(topic) else ()
        channel = self._topic.source_of(topic)
        return () if channel is None else (RedisSubscription(channel, self._kind),)

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return ()

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return (self._topic.pattern(),)

    def translate(self, channel: str, message: bytes) -> Sequence[BridgedEvent | Dropped]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        variables = self._channel.match(channel)
        if variables is None:
            return (Dropped("channel_mismatch", "the channel is matched by the pattern but not by the rule"),)
        topic = self._topic.topic(variables)
        if topic is None:
            return (Dropped("not_a_topic", "the channel leads to no URI"),)
        value = self._decode(message)
        encoded = _as_it_came(value, message) if self._decode is decode_json else None
        return (BridgedEvent(topic, *payload_of(value), encoded=encoded),)


def _as_it_came(value: Any, message: bytes) -> Payload:
    """The payload that a JSON message is, with its own bytes, which need not be made again for whoever speaks JSON."""
    if type(value) is dict and value:
        return Payload((), value, JSON, (b"[]", message))
    if type(value) is list and value:
        return Payload(value, None, JSON, (message,))
    return Payload(*payload_of(value))


def check_format(format: str, rule: str) -> None:  # noqa: A002 - as in router.json
    """See that a payload can be read.

    Raises:
        InvalidRule: it is no known format.
    """
    if format not in get_args(Format):
        raise InvalidRule(f"{rule}: format {format!r} is none of json, msgpack, text")
