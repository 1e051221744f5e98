r"""Laravel's broadcasting with the driver ``redis`` (``RedisBroadcaster``).

    PUBLISH <prefix>private-organization.7 {"event":"App\\Events\\News","data":{…,"socket":null},"socket":null}

``socket`` is the sender, who is left out (``toOthers()``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.bridge.decoding import decode_json
from wampgate.bridge.dialects.rooms import RoomOptions, Rooms
from wampgate.bridge.dialects.socketio import room_subscription
from wampgate.bridge.rules import Dropped, RedisSubscription, Undecodable
from wampgate.bridge.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern


class LaravelRule:
    """An event that is broadcast on a channel becomes an event on the topic that the channel's name leads to.

    Args:
        channel: a template for the channel without Redis's prefix, as ``private-organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        prefix: what the connection's ``options.prefix`` puts before each channel.
        options: what else the rule says.

    Raises:
        InvalidRule: a template is wrong; the text says what to write.
    """

    def __init__(
        self,
        channel: str = "private-organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        prefix: str = "",
        options: RoomOptions | None = None,
    ) -> None:
        self._channel = Template(channel)
        self._prefix = prefix
        self._rooms = Rooms(self._channel, topic, options or RoomOptions())

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"Laravel on {self._prefix}{self._channel.text}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        return (room_subscription(self._prefix, self._channel, ""),)

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        if not self._rooms.invertible:
            return self.subscriptions() if self._rooms.publishes(topic) else ()
        channel = self._rooms.room_of(topic)
        return () if channel is None else (RedisSubscription(f"{self._prefix}{channel}"),)

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return ()

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return self._rooms.topics()

    def translate(self, channel: str, message: bytes) -> Iterable[Outcome]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        if self._channel.match(channel.removeprefix(self._prefix)) is None:
            return (Dropped("channel_mismatch", "the channel is matched by the pattern but not by the rule"),)
        value = decode_json(message)
        if not isinstance(value, dict) or not isinstance(name := value.get("event"), str):
            raise Undecodable("undecodable", "no object with an event's name")
        socket = value.get("socket")
        excluded = [] if socket is None else [socket]
        data = _without_socket(value.get("data"))
        return self._rooms.events([channel.removeprefix(self._prefix)], name, [data], excluded)


def _without_socket(data: Any) -> Any:
    """The event's properties; Laravel leaves the sender's socket among them, which is nobody's business."""
    return {key: item for key, item in data.items() if key != "socket"} if isinstance(data, dict) else data
