"""The Redis Streams adapter of socket.io: what one server tells its peers, one entry of a stream for each.

    XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 3 data '{"packet":{…},"opts":{"rooms":[…],…}}'

Data with binary values is Base64 of MessagePack.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from wampgate.bridge.decoding import decode_json, decode_msgpack
from wampgate.bridge.dialects.rooms import RoomOptions, Rooms
from wampgate.bridge.dialects.socketio import check_channel_names, clustered
from wampgate.bridge.old_msgpack import text_or_bytes
from wampgate.bridge.rules import Undecodable
from wampgate.bridge.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern


class SocketIoStreamRule:
    """What is broadcast to a room becomes an event on the topic that the room's name leads to.

    Args:
        stream: the stream's key: the adapter's ``streamName``.
        namespace: the socket.io namespace; entries of all others are ignored.
        room: a template for the room, as ``organization.{organization}``.
        topic: a template for the topic, as ``organization.{organization}``.
        options: what else the rule says.

    Raises:
        InvalidRule: a template, the stream or the namespace is wrong; the text says what to write.
    """

    def __init__(
        self,
        stream: str = "socket.io",
        namespace: str = "/",
        room: str = "organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        options: RoomOptions | None = None,
    ) -> None:
        check_channel_names(stream, namespace)
        self._stream = stream
        self._namespace = namespace
        self._rooms = Rooms(Template(room), topic, options or RoomOptions())

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"servers on the stream {self._stream}, namespace {self._namespace}"

    def streams(self) -> Sequence[str]:
        """See :meth:`wampgate.bridge.rules.StreamRule.streams`."""
        return (self._stream,)

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return self._rooms.topics()

    def translate_entry(self, stream: str, fields: Mapping[bytes, bytes]) -> Iterator[Outcome]:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.bridge.rules.StreamRule.translate_entry`."""
        kind = fields.get(b"type", b"")
        if not kind.isdigit() or len(kind) > 2:
            raise Undecodable("undecodable", "the entry has no field type that is a small number")
        message = {
            "nsp": text_or_bytes(fields.get(b"nsp", b"")),
            "type": int(kind),
            "data": _data(fields.get(b"data", b"{}")),
        }
        return clustered(self._rooms, self._namespace, message)


def _data(text: bytes) -> Any:
    if text[:1] == b"{":
        return decode_json(text)
    try:
        packed = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Undecodable("undecodable", "the entry's data is neither JSON nor Base64") from None
    return decode_msgpack(packed)
