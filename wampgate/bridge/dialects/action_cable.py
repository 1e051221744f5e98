"""Rails' Action Cable with its Redis adapter.

PUBLISH [channel_prefix:]news:Z2lkOi8v… {"text":"hi"}                                any JSON
PUBLISH [channel_prefix:]action_cable/<connection> {"type":"disconnect","reconnect":true}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.bridge.decoding import decode_json
from wampgate.bridge.dialects.event_shape import payload_of
from wampgate.bridge.dialects.global_ids import source_of
from wampgate.bridge.dialects.socketio import room_subscription
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, RedisSubscription, Undecodable
from wampgate.bridge.templates import InvalidRule, TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern

_CONTROL: Final = "action_cable/"


class ActionCableRule:
    """What is broadcast on a broadcasting becomes an event on the topic that its name leads to.

    Broadcastings carry bare JSON: an array is the event's args, an object its
    kwargs, any other value its one argument.

    Args:
        broadcasting: a template for the broadcasting's name, as ``news:{gid}`` or ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        gid: what ``{gid}`` in it stands for: a template as ``gid://shop/Organization/{organization}``.
        channel_prefix: what ``config/cable.yml`` says; empty for none.
        connection: a template for a connection's identifier, with ``{user}``: whoever is
            disconnected under it loses the sessions. None to ignore disconnects.
        connection_gid: what ``{gid}`` in that stands for, as ``gid://shop/User/{user}``.

    Raises:
        InvalidRule: a template is wrong; the text says what to write.
    """

    def __init__(
        self,
        broadcasting: str = "organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        gid: str | None = None,
        channel_prefix: str = "",
        connection: str | None = None,
        connection_gid: str | None = None,
    ) -> None:
        self._prefix = f"{channel_prefix}:" if channel_prefix else ""
        self._broadcasting = source_of(broadcasting, gid)
        self._topic = TopicTemplate(topic, self._broadcasting)
        self._connection = None if connection is None else source_of(connection, connection_gid)
        if self._connection is not None and "user" not in self._connection.names:
            raise InvalidRule(f"connection {connection!r}: {{user}} has to stand in it, to know whose sessions to end")

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"Action Cable on {self._prefix}{self._broadcasting.text}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        return (room_subscription(self._prefix, self._broadcasting, ""), *self.controls())

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        if not self._topic.makes(topic):
            return ()
        if not self._topic.invertible:
            return self.subscriptions()
        broadcasting = self._topic.source_of(topic)
        own = () if broadcasting is None else (RedisSubscription(f"{self._prefix}{broadcasting}"),)
        return (*own, *self.controls())

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        if self._connection is None:
            return ()
        return (room_subscription(f"{self._prefix}{_CONTROL}", self._connection, ""),)

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return (self._topic.pattern(),)

    def translate(self, channel: str, message: bytes) -> Sequence[Outcome]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        name = channel.removeprefix(self._prefix)
        if self._connection is not None and name.startswith(_CONTROL):
            return (self._kill(name.removeprefix(_CONTROL), message),)
        variables = self._broadcasting.match(name)
        if variables is None:
            return (Dropped("channel_mismatch", "the channel is matched by the pattern but not by the rule"),)
        topic = self._topic.topic(variables)
        if topic is None:
            return (Dropped("not_a_topic", "the channel leads to no URI"),)
        return (BridgedEvent(topic, *payload_of(decode_json(message))),)

    def _kill(self, identifier: str, message: bytes) -> Outcome:
        value = decode_json(message)
        if not isinstance(value, dict):
            raise Undecodable("undecodable", "the control message is no object")
        if value.get("type") != "disconnect":
            return Dropped("not_an_event", "a control message that is no disconnect")
        variables = None if self._connection is None else self._connection.match(identifier)
        if variables is None:
            return Dropped("disconnect_ignored", "the connection's identifier is not one of the rule's")
        return BridgedKill(user=variables["user"])
