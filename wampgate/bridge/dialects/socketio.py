"""socket.io's packets and control messages, however they travel: emitters, adapters and streams share them.

A packet is ``{type, data, nsp}``, its data ``[event, ...values]``, and beside it
stand options: ``{rooms, except, flags}``. Servers that speak to each other wrap
both as ``{uid, nsp, type, data}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.decoding import decode_json, decode_msgpack
from wampgate.bridge.dialects.rooms import listed
from wampgate.bridge.rules import Dropped, RedisSubscription, SubscriptionKind, Undecodable
from wampgate.bridge.templates import InvalidRule, escape_glob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wampgate.bridge.dialects.rooms import Rooms
    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import Source

_EVENT: Final = 2
_BINARY_EVENT: Final = 5

# What a request of an emitter or a classic adapter asks for.
_REMOTE_JOINS: Final = (2, 3)
_REMOTE_DISCONNECT: Final = 4

# The types of messages between servers (ClusterAdapter).
_BROADCAST: Final = 3
_SOCKETS_JOIN_AND_LEAVE: Final = (4, 5)
_DISCONNECT_SOCKETS: Final = 6

JOIN_IGNORED: Final = Dropped(
    "join_ignored", "someone is to join or leave a room from outside; that grants nothing here"
)
_NOT_AN_EVENT: Final = Dropped("not_an_event", "the packet's type is neither 2 nor 5")
_OTHER_REQUEST: Final = Dropped("not_an_event", "neither an event nor a disconnect: what servers tell each other")


def check_channel_names(key: str, namespace: str) -> None:
    """See that a rule's key and namespace can stand in a channel's name.

    Raises:
        InvalidRule: they can't.
    """
    if not key:
        raise InvalidRule("a socket.io rule has an empty key; the emitters' own is 'socket.io'")
    if not namespace.startswith("/") or "#" in namespace:
        raise InvalidRule(f"namespace {namespace!r}: begin it with '/', without '#', as '/' or '/chat'")


def room_subscription(channel: str, room: Source, end: str) -> RedisSubscription:
    """What to subscribe to for all of a rule's rooms: ``channel`` is what stands before the room, ``end`` behind it."""
    if room.names:
        # No room is empty: what stands before it is a channel of its own, which must not come twice.
        glob = "?*" if room.glob() == "*" else room.glob()
        return RedisSubscription(f"{escape_glob(channel)}{glob}{end}", SubscriptionKind.PATTERN)
    return RedisSubscription(f"{channel}{room.text}{end}")


def emitted(
    rooms: Rooms, namespace: str, packet: dict[str, Any], options: Mapping[str, Any], room: str | None = None
) -> Iterator[Outcome]:
    """What a packet comes to.

    Args:
        rooms: the rule's.
        namespace: the rule's.
        packet: of any content.
        options: of any content.
        room: the room that the channel names; the packet is for no other then.

    Raises:
        Undecodable: the packet or the options make no sense.
    """
    args = _args(packet, namespace)
    if isinstance(args, Dropped):
        yield args
        return
    named = listed(options.get("rooms"), "rooms") if room is None else [room]
    yield from rooms.events(named, args[0], args[1:], listed(options.get("except"), "exclusions"))


def requested(rooms: Rooms, request: Any) -> Iterator[Outcome]:
    """What a control message of an emitter or a classic adapter comes to.

    Raises:
        Undecodable: it is none.
    """
    if not isinstance(request, dict):
        raise Undecodable("undecodable", "the request is no object")
    kind, options = request.get("type"), request.get("opts")
    if kind in _REMOTE_JOINS:
        yield JOIN_IGNORED
    elif kind == _REMOTE_DISCONNECT:
        yield from _disconnected(rooms, options if isinstance(options, dict) else {})
    else:
        yield _OTHER_REQUEST


def clustered(rooms: Rooms, namespace: str, message: Mapping[str, Any], room: str | None = None) -> Iterator[Outcome]:
    """What a message between servers comes to: ``{uid, nsp, type, data: {packet, opts}}``.

    Raises:
        Undecodable: it is none.
    """
    kind, data = message.get("type"), message.get("data")
    if message.get("nsp") != namespace:
        yield _other_namespace()
    elif kind in _SOCKETS_JOIN_AND_LEAVE:
        yield JOIN_IGNORED
    elif kind not in (_BROADCAST, _DISCONNECT_SOCKETS):
        yield _OTHER_REQUEST
    elif not isinstance(data, dict) or not isinstance(options := data.get("opts"), dict):
        raise Undecodable("undecodable", "the message has no data with options")
    elif kind == _DISCONNECT_SOCKETS:
        yield from _disconnected(rooms, options)
    elif isinstance(packet := data.get("packet"), dict):
        yield from emitted(rooms, namespace, packet, options, room)
    else:
        raise Undecodable("undecodable", "the message has no packet")


def decode_either(message: bytes) -> Any:
    """JSON if it begins as an object does, else MessagePack: as socket.io's servers tell them apart.

    Raises:
        Undecodable: it is neither.
    """
    return decode_json(message) if message[:1] == b"{" else decode_msgpack(message, "binary")


def envelope(value: Any) -> tuple[object, dict[str, Any], dict[str, Any]]:
    """The sender (None with the PHP emitter), the packet and its options of ``[sender, packet, options]``.

    Raises:
        Undecodable: it is no such array.
    """
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise Undecodable("undecodable", 'neither [packet, options] nor ["emitter", packet, options]')
    packet, options = value[-2:]
    # PHP writes an empty map as an empty array.
    if options == [] or options is None:
        options = {}
    if not isinstance(packet, dict) or not isinstance(options, dict):
        raise Undecodable("undecodable", "the packet or its options are no map")
    return (value[0] if len(value) == 3 else None), packet, options


def _disconnected(rooms: Rooms, options: Mapping[str, Any]) -> Iterator[Outcome]:
    return rooms.kills(listed(options.get("rooms"), "rooms"), listed(options.get("except"), "exclusions"))


def _args(packet: dict[str, Any], namespace: str) -> Sequence[Any] | Dropped:
    """The event's name and values; why not, if the packet is none of this rule's."""
    # Emitters before 1.0 leave the namespace out.
    if (packet.get("nsp") or "/") not in (namespace, namespace[1:]):
        return _other_namespace()
    if packet.get("type") not in (_EVENT, _BINARY_EVENT):
        return _NOT_AN_EVENT
    args = packet.get("data")
    if not isinstance(args, list) or not args or not isinstance(args[0], str):
        raise Undecodable("undecodable", "the packet's data is no array that begins with the event's name")
    return args


def _other_namespace() -> Dropped:
    return Dropped("other_namespace", "the packet's namespace is not the rule's")
