"""Plain channels: ``PUBLISH channel.7 '{"text":"hi"}'``, the payload as text, JSON or MessagePack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from wampgate.bridge.decoding import decode_json, decode_msgpack
from wampgate.bridge.old_msgpack import text_or_bytes
from wampgate.bridge.rules import BridgedEvent, Dropped, RedisSubscription
from wampgate.bridge.templates import InvalidRule, Template, TopicPattern, TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence

Format = Literal["json", "msgpack", "text"]

_DECODE_BY_FORMAT: Final = {"json": decode_json, "msgpack": decode_msgpack, "text": text_or_bytes}


class PlainRule:
    """A message on a channel becomes an event on the topic that the channel's name leads to.

    An array is the event's args, an object its kwargs, any other value its one
    argument. Text is one argument too; it is bytes if it isn't UTF-8.

    Args:
        channel: a template for the channel, as ``channel.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        format: how the payload is written.

    Raises:
        InvalidRule: a template or the format is wrong; the text says what to write.
    """

    def __init__(self, channel: str, topic: str, format: Format = "json") -> None:  # noqa: A002 - as in router.json
        if format not in get_args(Format):
            raise InvalidRule(f"rule for channel {channel!r}: format {format!r} is none of json, msgpack, text")
        self._channel = Template(channel)
        self._topic = TopicTemplate(topic, self._channel)
        self._decode = _DECODE_BY_FORMAT[format]

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Rule.label`."""
        return f"channel {self._channel.text}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        if self._channel.names:
            return (RedisSubscription(self._channel.glob(), pattern=True),)
        return (RedisSubscription(self._channel.text, pattern=False),)

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Rule.topics`."""
        return (self._topic.pattern(),)

    def translate(self, channel: str, message: bytes) -> Sequence[BridgedEvent | Dropped]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        variables = self._channel.match(channel)
        if variables is None:
            return (Dropped("channel_mismatch", "the channel is matched by the pattern but not by the rule"),)
        topic = self._topic.topic(variables)
        if topic is None:
            return (Dropped("not_a_topic", "the channel leads to no URI"),)
        return (_event(topic, self._decode(message)),)


def _event(topic: str, value: Any) -> BridgedEvent:
    if isinstance(value, list):
        return BridgedEvent(topic, value)
    if isinstance(value, dict):
        return BridgedEvent(topic, kwargs=value)
    return BridgedEvent(topic, (value,))
