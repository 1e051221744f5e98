r"""AnyCable's broadcasting, over pub/sub (adapter ``redis``) and over a stream (adapter ``redisx``).

PUBLISH __anycable__ '{"stream":"organization.7","data":"{\"text\":\"hi\"}","meta":{"exclude_socket":"sid"}}'
PUBLISH __anycable__ '{"command":"disconnect","payload":{"identifier":"…","reconnect":false}}'
XADD    __anycable__ * payload '<one of these, or an array of them>'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.bridge.decoding import decode_json
from wampgate.bridge.dialects.event_shape import payload_of
from wampgate.bridge.dialects.global_ids import source_of
from wampgate.bridge.dialects.rooms import MAX_ROOMS, session_id
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, RedisSubscription, Undecodable
from wampgate.bridge.templates import InvalidRule, TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wampgate.bridge.rules import Outcome
    from wampgate.bridge.templates import TopicPattern

_PAYLOAD: Final = b"payload"


class AnyCableRule:
    """What is broadcast to a stream of AnyCable's becomes an event on the topic that the stream's name leads to.

    Takes pub/sub and Redis Streams alike; which of the two, the bridge decides.
    The data is JSON in a text: an array is the event's args, an object its kwargs,
    any other value its one argument. A text that is no JSON is the one argument.

    Args:
        stream: a template for the stream's name, as ``organization.{organization}`` or ``news:{gid}``.
        topic: a template for the topic, as ``organization.{organization}``.
        gid: what ``{gid}`` in the stream's name stands for: a template as ``gid://shop/Organization/{organization}``.
        channel: what ``redis_channel`` is in AnyCable's configuration; with ``redisx`` the stream's key.
        connection: a template for a connection's identifier, with ``{user}``: whoever is
            disconnected under it loses the sessions. None to ignore disconnects.
        connection_gid: what ``{gid}`` in that stands for, as ``gid://shop/User/{user}``.

    Raises:
        InvalidRule: a template or the channel is wrong; the text says what to write.
    """

    def __init__(
        self,
        stream: str = "organization.{organization}",
        topic: str = "organization.{organization}",
        *,
        gid: str | None = None,
        channel: str = "__anycable__",
        connection: str | None = None,
        connection_gid: str | None = None,
    ) -> None:
        if not channel:
            raise InvalidRule("an AnyCable rule has an empty channel; AnyCable's own is '__anycable__'")
        self._channel = channel
        self._stream = source_of(stream, gid)
        self._topic = TopicTemplate(topic, self._stream)
        self._connection = None if connection is None else source_of(connection, connection_gid)
        if self._connection is not None and "user" not in self._connection.names:
            raise InvalidRule(f"connection {connection!r}: {{user}} has to stand in it, to know whose sessions to end")

    @property
    def label(self) -> str:
        """See :attr:`wampgate.bridge.rules.Publishing.label`."""
        return f"AnyCable on {self._channel}, {self._stream.text}"

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions`."""
        return (RedisSubscription(self._channel),)

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.subscriptions_for`."""
        return self.subscriptions() if self._topic.makes(topic) else ()

    def streams(self) -> Sequence[str]:
        """See :meth:`wampgate.bridge.rules.StreamRule.streams`."""
        return (self._channel,)

    def controls(self) -> Sequence[RedisSubscription]:
        """See :meth:`wampgate.bridge.rules.Rule.controls`."""
        return () if self._connection is None else self.subscriptions()

    def topics(self) -> Sequence[TopicPattern]:
        """See :meth:`wampgate.bridge.rules.Publishing.topics`."""
        return (self._topic.pattern(),)

    def translate(self, channel: str, message: bytes) -> Sequence[Outcome]:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.bridge.rules.Rule.translate`."""
        value = decode_json(message)
        batch = value if isinstance(value, list) else [value]
        if len(batch) > MAX_ROOMS:
            raise Undecodable("too_many_values", f"a batch of more than {MAX_ROOMS} messages")
        # All at once: a batch with one bad message is bad before any of it is published.
        return [outcome for one in batch for outcome in self._outcomes(one)]

    def translate_entry(self, stream: str, fields: Mapping[bytes, bytes]) -> Sequence[Outcome]:
        """See :meth:`wampgate.bridge.rules.StreamRule.translate_entry`."""
        payload = fields.get(_PAYLOAD)
        if payload is None:
            raise Undecodable("undecodable", "the entry has no field payload")
        return self.translate(stream, payload)

    def _outcomes(self, value: Any) -> Iterator[Outcome]:
        if not isinstance(value, dict):
            raise Undecodable("undecodable", "no object with a stream")
        # AnyCable itself takes for a command only what names no stream.
        if "command" in value and not value.get("stream"):
            yield self._command(value)
            return
        stream, data = value.get("stream"), value.get("data")
        if not isinstance(stream, str) or not isinstance(data, str):
            raise Undecodable("undecodable", "no object with a stream and data as text")
        variables = self._stream.match(stream)
        if variables is None:
            yield Dropped("room_mismatch", "the stream is not one of the rule's")
        elif (topic := self._topic.topic(variables)) is None:
            yield Dropped("not_a_topic", "the stream leads to no URI")
        else:
            excluded = _excluded_socket(value.get("meta"))
            session = session_id(excluded)
            if excluded is not None and session is None:
                yield Dropped("except_ignored", "the excluded socket is no WAMP session id")
            yield BridgedEvent(topic, *payload_of(_data(data)), () if session is None else (session,))

    def _command(self, value: Mapping[str, Any]) -> Outcome:
        payload = value.get("payload")
        if value["command"] != "disconnect" or not isinstance(payload, dict):
            return Dropped("not_an_event", "a command that is no disconnect")
        if self._connection is None:
            return Dropped("disconnect_ignored", "a disconnect, and the rule names no connection")
        variables = self._connection.match(_identifier(payload.get("identifier")))
        if variables is None:
            return Dropped("disconnect_ignored", "the connection's identifier is not one of the rule's")
        return BridgedKill(user=variables["user"])


def _excluded_socket(meta: object) -> object:
    return meta.get("exclude_socket") if isinstance(meta, dict) else None


def _data(text: str) -> Any:
    data = text.encode()
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text
    except RecursionError:
        # decode_json says so in the words of a refusal.
        return decode_json(data)
    return decode_json(data)


def _identifier(identifier: object) -> str:
    """A connection's identifier; Rails writes an object of them, of which one alone can be told apart."""
    if not isinstance(identifier, str):
        return ""
    if identifier.startswith("{"):
        value = decode_json(identifier.encode())
        values = list(value.values())
        identifier = str(values[0]) if len(values) == 1 and type(values[0]) in (str, int) else ""
    return identifier
