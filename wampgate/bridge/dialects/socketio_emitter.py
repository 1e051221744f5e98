"""The socket.io emitters: the PHP one (dialect A), npm's ``socket.io-emitter`` 1 to 3 (B, C) and its successor (D).

    A  PUBLISH socket.io#emitter                 [packet, {rooms, flags}]
    B  PUBLISH socket.io#/#organization.7#       ["emitter", packet, {rooms, flags}]   once for each room
    C  PUBLISH socket.io#/#                      the same, once for several rooms
    D  as C, with {rooms, except, flags}, and JSON requests on socket.io-request#/#

A channel that names a room is for that room alone, whatever ``rooms`` says: else
dialect B's events would come as often as there are rooms, to each room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.bridge.decoding import decode_json, decode_msgpack
from wampgate.bridge.dialects.rooms import RoomOptions, Rooms
from wampgate.bridge.dialects.socketio import check_channel_names, emitted, envelope, requested, room_subscription
from wampgate.bridge.rules import RedisSubscription, Undecodable
from wampgate.bridge.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.bridge.old_msgpack import OldMarks
    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern

_EMITTER: Final = "emitter"
_ARRAY_OF_TWO: Final = b"\x92"


class SocketIoEmitterRule:
    """An event emitted to a room becomes an event on the topic that the room's name leads to.

    ``emit("news", {"data": "hi"})`` has the args ``["news", {"data": "hi"}]``, unless
    the options say else. What servers broadcast to each other is none of it.

    Args:
        key: the emitter's key, its channels' first part.
        namespace: the socket.io namespace; packets of all others are ignored.
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
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
        options: RoomOptions | None = None,
    ) -> None:
        check_channel_names(key, namespace)
        options = options or RoomOptions()
        self._namespace = namespace
        self._room = Template(room)
        self._rooms = Rooms(self._room, topic, options)
        self._shared_channel = f"{key}#{_EMITTER}"
        self._namespace_channel = f"{key}#{namespace}#"
        self._request_channel = f"{key}-request#{namespace}#"
        self._disconnects = options.disconnects
        shared = [self._shared_channel, self._namespace_channel]
        if options.disconnects:
            shared.append(self._request_channel)
        self._shared = tuple(RedisSubscription(channel) for channel in shared)

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"emitters on {self._namespace_channel}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        return (*self._shared, room_subscription(self._namespace_channel, self._room, "#"))

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        if not self._rooms.publishes(topic):
            return ()
        if not self._rooms.invertible:
            return self.subscriptions()
        room = self._rooms.room_of(topic)
        return self._shared if room is None else (*self._shared, RedisSubscription(f"{self._namespace_channel}{room}#"))

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return (RedisSubscription(self._request_channel),) if self._disconnects else ()

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return self._rooms.topics()

    def translate(self, channel: str, message: bytes) -> Iterator[Outcome]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        if channel == self._request_channel:
            return requested(self._rooms, decode_json(message))
        # Binary data is told from text by today's encoders, and by msgpack-js; the PHP
        # emitter turns long text into what looks like msgpack-js's binary data.
        marks: OldMarks = "raw" if message[:1] == _ARRAY_OF_TWO else "binary"
        sender, packet, options = envelope(decode_msgpack(message, marks))
        if sender not in (None, _EMITTER):
            raise Undecodable(
                "not_an_emitter",
                "what a socket.io server broadcasts to its peers; a rule of the dialect socketio-adapter takes it",
            )
        return emitted(self._rooms, self._namespace, packet, options, self._room_in(channel))

    def _room_in(self, channel: str) -> str | None:
        """The room that a channel names; it may hold a ``#`` itself."""
        if channel in (self._shared_channel, self._namespace_channel):
            return None
        return channel[len(self._namespace_channel) : -1]
