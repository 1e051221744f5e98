"""Plain streams: ``XADD news * topic organization.7 payload '{"text":"hi"}'``, for backends that just XADD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.bridge.dialects.event_shape import payload_of
from wampgate.bridge.dialects.plain import DECODE_BY_FORMAT, Format, check_format
from wampgate.bridge.old_msgpack import text_or_bytes
from wampgate.bridge.rules import BridgedEvent, Dropped, Undecodable
from wampgate.bridge.templates import Template, TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.bridge.templates import TopicPattern, Variables


class PlainStreamRule:
    """An entry of a stream becomes an event on the topic that one of its fields leads to.

    Args:
        stream: the stream's key.
        topic: a template for the topic, as ``organization.{organization}``. Without
            variables all entries go there, whatever their fields are.
        address: a template for the field's text; None for the topic's own template, so
            that the field holds the topic itself.
        address_field: which field says where an entry goes.
        payload_field: which field holds the payload; None if all fields but
            ``address_field`` are the event's kwargs, as text.
        format: how the payload is written.

    Raises:
        InvalidRule: a template or the format is wrong; the text says what to write.
    """

    def __init__(
        self,
        stream: str,
        topic: str,
        *,
        address: str | None = None,
        address_field: str = "topic",
        payload_field: str | None = "payload",
        format: Format = "json",  # noqa: A002 - as in router.json
    ) -> None:
        check_format(format, f"rule for stream {stream!r}")
        self._stream = stream
        self._address = Template(topic if address is None else address)
        self._topic = TopicTemplate(topic, self._address)
        self._address_field = address_field.encode()
        self._payload_field = None if payload_field is None else payload_field.encode()
        self._decode = DECODE_BY_FORMAT[format]

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"stream {self._stream}"

    def streams(self) -> Sequence[str]:
        """See :meth:`wampgate.bridge.rules.StreamRule.streams`."""
        return (self._stream,)

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return (self._topic.pattern(),)

    def translate_entry(self, stream: str, fields: Mapping[bytes, bytes]) -> Sequence[BridgedEvent | Dropped]:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.bridge.rules.StreamRule.translate_entry`."""
        variables = self._variables(fields)
        if variables is None:
            return (Dropped("room_mismatch", "the entry's field that says where it goes is missing or not the rule's"),)
        topic = self._topic.topic(variables)
        if topic is None:
            return (Dropped("not_a_topic", "the entry leads to no URI"),)
        return (BridgedEvent(topic, *payload_of(self._payload(fields))),)

    def _variables(self, fields: Mapping[bytes, bytes]) -> Variables | None:
        if not self._address.names:
            return {}
        address = text_or_bytes(fields.get(self._address_field, b""))
        return self._address.match(address) if isinstance(address, str) else None

    def _payload(self, fields: Mapping[bytes, bytes]) -> Any:
        if self._payload_field is None:
            rest = {name: value for name, value in fields.items() if name != self._address_field}
            return {_name(name): text_or_bytes(value) for name, value in rest.items()}
        payload = fields.get(self._payload_field)
        if payload is None:
            raise Undecodable("undecodable", f"the entry has no field {self._payload_field.decode()}")
        return self._decode(payload)


def _name(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise Undecodable("undecodable", "a field's name is not UTF-8") from None
