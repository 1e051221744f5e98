"""The Redis adapters of socket.io servers: what one server tells its peers, over classic or sharded pub/sub.

    classic   PUBLISH  socket.io#/#organization.7#   [uid, packet, {rooms, except, flags}]   MessagePack
              PUBLISH  socket.io-request#/#          {"type": 4, "opts": {…}}                JSON or MessagePack
    sharded   SPUBLISH socket.io#/#organization.7#   {uid, nsp, type, data: {packet, opts}}  JSON or MessagePack

Version 5.0.0 of the classic one leaves out the ``#`` behind the room. Emitters write
what classic adapters do, so this rule takes theirs as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.bridge.dialects.rooms import RoomOptions, Rooms
from wampgate.bridge.dialects.socketio import (
    check_channel_names,
    clustered,
    decode_either,
    emitted,
    envelope,
    requested,
    room_subscription,
)
from wampgate.bridge.rules import RedisSubscription, SubscriptionKind
from wampgate.bridge.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern


class SocketIoAdapterRule:
    """What socket.io servers broadcast to a room becomes an event on the topic that the room's name leads to.

    Args:
        key: the adapter's ``key`` or ``channelPrefix``, its channels' first part.
        namespace: the socket.io namespace.
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        sharded: whether the servers use sharded pub/sub. Redis has no patterns there, so
            rooms with variables that have channels of their own are read only where
            single topics are wanted (:meth:`subscriptions_for`).
        options: what else the rule says.

    Raises:
        InvalidRule: a template, the key or the namespace is wrong; the text says what to write.
    """

    def __init__(
        self,
        key: str = "socket.io",
        namespace: str = "/",
        room: str = "organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        sharded: bool = False,
        options: RoomOptions | None = None,
    ) -> None:
        check_channel_names(key, namespace)
        options = options or RoomOptions()
        self._namespace = namespace
        self._room = Template(room)
        self._rooms = Rooms(self._room, topic, options)
        self._sharded = sharded
        self._channel = f"{key}#{namespace}#"
        self._request_channel = f"{key}-request#{namespace}#"
        # Over sharded pub/sub, what servers ask of each other goes the way of what they broadcast.
        controls = [self._channel if sharded else self._request_channel] if options.disconnects else []
        self._controls = self._exact(controls)
        self._shared = self._exact(list(dict.fromkeys([self._channel, *controls])))

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"servers on {self._channel}" + (" (sharded)" if self._sharded else "")

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        if not self._room.names:
            return (*self._shared, *self._of_room(self._room.text))
        if self._sharded:
            return self._shared
        return (*self._shared, room_subscription(self._channel, self._room, ""))

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        if not self._rooms.publishes(topic):
            return ()
        if not self._rooms.invertible:
            return self.subscriptions()
        room = self._rooms.room_of(topic)
        return self._shared if room is None else (*self._shared, *self._of_room(room))

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return self._controls

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return self._rooms.topics()

    def translate(self, channel: str, message: bytes) -> Iterator[Outcome]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        value = decode_either(message)
        if channel == self._request_channel:
            return requested(self._rooms, value)
        room = self._room_in(channel)
        if isinstance(value, dict):
            return clustered(self._rooms, self._namespace, value, room)
        _, packet, options = envelope(value)
        return emitted(self._rooms, self._namespace, packet, options, room)

    def _room_in(self, channel: str) -> str | None:
        room = channel.removeprefix(self._channel)
        return None if room in ("", channel) else room.removesuffix("#")

    def _of_room(self, room: str) -> Sequence[RedisSubscription]:
        channel = f"{self._channel}{room}"
        return self._exact([f"{channel}#"] if self._sharded else [f"{channel}#", channel])

    def _exact(self, channels: Sequence[str]) -> Sequence[RedisSubscription]:
        kind = SubscriptionKind.SHARDED if self._sharded else SubscriptionKind.EXACT
        return tuple(RedisSubscription(channel, kind) for channel in channels)
