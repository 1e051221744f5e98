"""python-socketio from 5.14 on: JSON on one channel, a method and its arguments.

    PUBLISH socketio {"method":"emit","event":"news","data":[{"data":"hi"}],"binary":false,"namespace":"/",
                      "room":"organization.7","skip_sid":null,"callback":null,"host_id":"…"}

Older versions write pickles. Those are never read: reading one runs what it says.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, Final

from wampgate.bridge.decoding import decode_json
from wampgate.bridge.dialects.rooms import RoomOptions, Rooms, listed
from wampgate.bridge.dialects.socketio import JOIN_IGNORED
from wampgate.bridge.rules import Dropped, RedisSubscription, Undecodable
from wampgate.bridge.templates import InvalidRule, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern

_PICKLE: Final = b"\x80"
_JOINS: Final = frozenset({"enter_room", "leave_room", "close_room"})


class PythonSocketIoRule:
    """An event emitted to a room becomes an event on the topic that the room's name leads to.

    Args:
        channel: what the manager's ``channel`` is.
        namespace: the socket.io namespace; messages of all others are ignored.
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        options: what else the rule says.

    Raises:
        InvalidRule: a template, the channel or the namespace is wrong; the text says what to write.
    """

    def __init__(
        self,
        channel: str = "socketio",
        namespace: str = "/",
        room: str = "organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        options: RoomOptions | None = None,
    ) -> None:
        if not channel:
            raise InvalidRule("a python-socketio rule has an empty channel; its own is 'socketio'")
        if not namespace.startswith("/"):
            raise InvalidRule(f"namespace {namespace!r}: begin it with '/', as '/' or '/chat'")
        self._channel = channel
        self._namespace = namespace
        options = options or RoomOptions()
        self._rooms = Rooms(Template(room), topic, options)
        self._disconnects = options.disconnects

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"python-socketio on {self._channel}, namespace {self._namespace}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        return (RedisSubscription(self._channel),)

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        return self.subscriptions() if self._rooms.publishes(topic) else ()

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return self.subscriptions() if self._disconnects else ()

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return self._rooms.topics()

    def translate(self, channel: str, message: bytes) -> Iterator[Outcome]:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        if message[:1] == _PICKLE:
            raise Undecodable(
                "pickled", "a pickle, which is never read: upgrade the backend's python-socketio to 5.14 or newer"
            )
        value = decode_json(message)
        if not isinstance(value, dict):
            raise Undecodable("undecodable", "no object with a method")
        return self._outcomes(value)

    def _outcomes(self, value: Mapping[str, Any]) -> Iterator[Outcome]:
        method = value.get("method")
        if (value.get("namespace") or "/") != self._namespace:
            yield Dropped("other_namespace", "the message's namespace is not the rule's")
        elif method == "emit":
            yield from self._emitted(value)
        elif method == "disconnect":
            yield from self._rooms.kills([value.get("sid")])
        elif isinstance(method, str) and method in _JOINS:
            yield JOIN_IGNORED
        else:
            yield Dropped("not_an_event", "the message's method is neither emit nor disconnect")

    def _emitted(self, value: Mapping[str, Any]) -> Iterator[Outcome]:
        name = value.get("event")
        if not isinstance(name, str):
            raise Undecodable("undecodable", "the event has no name")
        return self._rooms.events(
            _one_or_many(value.get("room"), "rooms"),
            name,
            _values(value),
            _one_or_many(value.get("skip_sid"), "exclusions"),
        )


def _one_or_many(value: object, what: str) -> list[object]:
    return [value] if isinstance(value, (str, int)) else listed(value, what)


def _values(value: Mapping[str, Any]) -> Sequence[Any]:
    """The event's values, with their binary ones in place."""
    data = value.get("data")
    if not isinstance(data, list):
        raise Undecodable("undecodable", "the event's data is no array")
    if value.get("binary"):
        if not data or not isinstance(data[0], list):
            raise Undecodable("undecodable", "the event's binary data has no frame")
        data = _filled(data[0], [_attachment(text) for text in data[1:]])
    # emit(event, None) is an event without values.
    return () if data == [None] else data


def _attachment(text: object) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)  # type: ignore[arg-type]  # TypeError tells what else comes
    except (TypeError, ValueError):
        raise Undecodable("undecodable", "an attachment is no Base64") from None


def _filled(value: Any, attachments: Sequence[bytes]) -> Any:
    """A value with its placeholders replaced; decoding has seen to its depth."""
    if isinstance(value, list):
        return [_filled(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is True:
        number = value.get("num")
        if type(number) is not int or not 0 <= number < len(attachments):
            raise Undecodable("undecodable", "a placeholder stands for no attachment")
        return attachments[number]
    return {key: _filled(item, attachments) for key, item in value.items()}
