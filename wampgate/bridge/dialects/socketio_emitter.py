"""The socket.io emitters: the PHP one (dialect A) and npm's ``socket.io-emitter`` 1 to 3 (dialects B and C).

    A  PUBLISH socket.io#emitter                 [packet, {rooms, flags}]
    B  PUBLISH socket.io#/#organization.7#       ["emitter", packet, {rooms, flags}]   once for each room
    C  PUBLISH socket.io#/#                      the same, once for several rooms

A packet is ``{type, data, nsp}``, its data ``[event, ...values]``. A channel that
names a room is for that room alone, whatever ``rooms`` says: else dialect B's
events would come as often as there are rooms, to each room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.decoding import decode_msgpack
from wampgate.bridge.rules import BridgedEvent, Dropped, RedisSubscription, Undecodable
from wampgate.bridge.templates import InvalidRule, Template, TopicPattern, TopicTemplate, escape_glob

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.bridge.old_msgpack import OldMarks

_EVENT: Final = 2
_BINARY_EVENT: Final = 5
_EMITTER: Final = "emitter"
_ARRAY_OF_TWO: Final = b"\x92"
_MAX_ROOMS: Final = 1_000


class SocketIoEmitterRule:
    """An event emitted to a room becomes an event on the topic that the room's name leads to.

    ``emit("news", {"data": "hi"})`` has the args ``["news", {"data": "hi"}]``. An
    emit without a room goes nowhere; rooms of which no topic can be made are
    counted, and so are exclusions of socket.io session ids, which mean nothing here.

    Args:
        key: the emitter's key, its channels' first part.
        namespace: the socket.io namespace; packets of all others are ignored.
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.

    Raises:
        InvalidRule: a template, the key or the namespace is wrong; the text says what to write.
    """

    def __init__(
        self,
        key: str = "socket.io",
        namespace: str = "/",
        room: str = "organization.{organization}",
        topic: str = "organization.{organization}",
    ) -> None:
        if not key:
            raise InvalidRule("a socket.io rule has an empty key; the emitters' own is 'socket.io'")
        if not namespace.startswith("/") or "#" in namespace:
            raise InvalidRule(f"namespace {namespace!r}: begin it with '/', without '#', as '/' or '/chat'")
        self._namespace = namespace
        self._room = Template(room)
        self._topic = TopicTemplate(topic, self._room)
        self._shared_channel = f"{key}#{_EMITTER}"
        self._namespace_channel = f"{key}#{namespace}#"

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Rule.label`."""
        return f"emitters on {self._namespace_channel}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        if self._room.names:
            glob = f"{escape_glob(self._namespace_channel)}{self._room.glob()}#"
            rooms = RedisSubscription(glob, pattern=True)
        else:
            rooms = RedisSubscription(f"{self._namespace_channel}{self._room.text}#", pattern=False)
        return (
            RedisSubscription(self._shared_channel, pattern=False),
            RedisSubscription(self._namespace_channel, pattern=False),
            rooms,
        )

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Rule.topics`."""
        return (self._topic.pattern(),)

    def translate(self, channel: str, message: bytes) -> Iterator[BridgedEvent | Dropped]:
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        # Binary data is told from text by today's encoders, and by msgpack-js; the PHP
        # emitter turns long text into what looks like msgpack-js's binary data.
        marks: OldMarks = "raw" if message[:1] == _ARRAY_OF_TWO else "binary"
        packet, options = _envelope(decode_msgpack(message, marks))
        args = self._args(packet)
        if isinstance(args, Dropped):
            yield args
            return
        if options.get("except"):
            yield Dropped("except_ignored", "the emit excludes socket.io session ids, which mean nothing here")
        rooms = self._rooms(channel, options)
        if not rooms:
            yield Dropped("no_room", "the emit names no room; it goes nowhere")
            return
        # Several rooms may lead to one topic; whoever is there hears the event once.
        topics: set[str] = set()
        for room in rooms:
            outcome = self._event(room, args)
            if isinstance(outcome, Dropped):
                yield outcome
            elif outcome.topic not in topics:
                topics.add(outcome.topic)
                yield outcome

    def _args(self, packet: dict[str, Any]) -> list[Any] | Dropped:
        """The event's name and values; why not, if the packet is none of this rule's."""
        # Emitters before 1.0 leave the namespace out.
        namespace = packet.get("nsp") or "/"
        if namespace not in (self._namespace, self._namespace[1:]):
            return Dropped("other_namespace", "the packet's namespace is not the rule's")
        if packet.get("type") not in (_EVENT, _BINARY_EVENT):
            return Dropped("not_an_event", "the packet's type is neither 2 nor 5")
        args = packet.get("data")
        if not isinstance(args, list) or not args or not isinstance(args[0], str):
            raise Undecodable("undecodable", "the packet's data is no array that begins with the event's name")
        return args

    def _rooms(self, channel: str, options: dict[str, Any]) -> list[object]:
        """Whom the packet is for: the channel's room, or else those in the options."""
        if channel not in (self._shared_channel, self._namespace_channel):
            return [channel[len(self._namespace_channel) : -1]]
        rooms = options.get("rooms")
        if isinstance(rooms, dict):
            # What PHP makes of an array with gaps.
            rooms = list(rooms.values())
        if not rooms:
            return []
        if not isinstance(rooms, list) or len(rooms) > _MAX_ROOMS:
            raise Undecodable("undecodable", f"the rooms are no array of at most {_MAX_ROOMS}")
        return rooms

    def _event(self, room: object, args: list[Any]) -> BridgedEvent | Dropped:
        # Rooms may be numbers; True is none of them.
        variables = self._room.match(str(room)) if type(room) in (str, int) else None
        if variables is None:
            return Dropped("room_mismatch", "the room is not one of the rule's")
        topic = self._topic.topic(variables)
        if topic is None:
            return Dropped("not_a_topic", "the room leads to no URI")
        return BridgedEvent(topic, args)


def _envelope(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The packet and its options in either form."""
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise Undecodable("undecodable", 'neither [packet, options] nor ["emitter", packet, options]')
    if len(value) == 3 and value[0] != _EMITTER:
        raise Undecodable(
            "not_an_emitter", "what a socket.io server broadcasts to its peers is not an emitter's packet"
        )
    packet, options = value[-2:]
    # PHP writes an empty map as an empty array.
    if options == [] or options is None:
        options = {}
    if not isinstance(packet, dict) or not isinstance(options, dict):
        raise Undecodable("undecodable", "the packet or its options are no map")
    return packet, options
