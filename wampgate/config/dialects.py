"""What backends' dialects are called in router.json and what each has to say: the sections for a bridge's rules.

rules of a bridge "redis"           PlainRule | SocketIoEmitterRule | SocketIoAdapterRule | PythonSocketIoRule
                                    | LaravelRule | ActionCableRule | AnyCableRule
rules of a bridge "redis-streams"   PlainStreamRule | SocketIoStreamRule | AnyCableRule
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta

from wampgate.config.section import Check, Section
from wampgate.config.templates import missing_variables, variables
from wampgate.config.values import PayloadFormat, SocketIoKey, SocketIoNamespace, SourceTemplate, TopicTemplate

EventPlace: TypeAlias = Literal["argument", "keyword", "topic"]
EventValues: TypeAlias = Literal["arguments", "keywords"]
Prefix = Annotated[
    str,
    Meta(
        description="a prefix of up to 128 printable characters",
        extra={"accepts": lambda text: len(text) <= 128 and text.isprintable()},
    ),
]
ChannelName = Annotated[
    str,
    Meta(
        description="a name of 1 to 128 printable characters",
        extra={"accepts": lambda text: 0 < len(text) <= 128 and text.isprintable()},
    ),
]

_EVENT = "event"


def _same_variables(other: str) -> Check:
    return Check("topic", (other, "topic"), f"the variables of {other} and no others", missing_variables)


def _same_variables_and_event(other: str) -> Check:
    """The same, where the event's name may go into the topic."""

    def found(source: str, topic: str, event: EventPlace) -> str | None:
        if event != "topic":
            return missing_variables(source, topic)
        if _EVENT in (variables(source) or []):
            return f"{{event}} in {other} as well"
        return missing_variables(f"{source}\N{NO-BREAK SPACE}{{{_EVENT}}}", topic)

    return Check(
        "topic", (other, "topic", "event"), f'the variables of {other} and, with event "topic", {{event}}', found
    )


def _broadcast_topic() -> Check:
    """A broadcast has no room and so no variables."""

    def found(broadcast_topic: str | None, event: EventPlace) -> str | None:
        if broadcast_topic is None or variables(broadcast_topic) == ([_EVENT] if event == "topic" else []):
            return None
        return "another variable" if variables(broadcast_topic) else "none"

    return Check("broadcast_topic", ("broadcast_topic", "event"), 'no variable but, with event "topic", {event}', found)


def _global_id(text: str, gid: str) -> Check:
    """``{gid}`` stands in a name exactly if it is said what it stands for."""

    def found(template: str | None, meaning: str | None) -> str | None:
        if template is not None and ("gid" in (variables(template) or [])) == (meaning is not None):
            return None
        return None if template is None and meaning is None else f"one of them alone: {{gid}} or {gid}"

    return Check(text, (text, gid), f"{{gid}} in it exactly if {gid} is given", found)


def _variables_with_global_id(source: str) -> Check:
    """The same variables, where some come out of a Global ID."""

    def found(template: str, gid: str | None, topic: str) -> str | None:
        if gid is not None:
            if set(variables(gid) or []) & set(variables(template) or []):
                return f"a variable of gid in {source} as well"
            template = template.replace("{gid}", gid)
        return missing_variables(template, topic)

    return Check("topic", (source, "gid", "topic"), f"the variables of {source} (and gid) and no others", found)


def _user_of_connection() -> Check:
    def found(connection: str | None, gid: str | None) -> str | None:
        if set(variables(gid or "") or []) & set(variables(connection or "") or []):
            return "a variable of connection_gid in it as well"
        if connection is None or "user" in (variables(connection) or []) + (variables(gid or "") or []):
            return None
        return "none"

    return Check(
        "connection", ("connection", "connection_gid"), "{user} in it or in connection_gid, not in both", found
    )


_RAILS_CHECKS = (
    _global_id("connection", "connection_gid"),
    _user_of_connection(),
)


class PlainRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="plain"):
    """Each message of a channel is an event.

    Attributes:
        channel: which channels; ``{variables}`` stand for one URI component.
        topic: the topic of what comes there.
        format: how a message's bytes are read.
        sharded: whether the channels are of sharded pub/sub (Redis 7).
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables("channel"),)

    channel: SourceTemplate
    topic: TopicTemplate
    format: PayloadFormat = "json"
    sharded: bool = False


class SocketIoEmitterRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="socketio-emitter"):
    """What socket.io's emitters (PHP, Node) send to a room is an event.

    Attributes:
        key: the emitter's key prefix.
        namespace: the socket.io namespace; others are ignored.
        room: which rooms; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
        event: where the event's name goes.
        values: what a single object becomes that is emitted with it.
        broadcast_topic: the topic of what is emitted to no room; null for nowhere.
        disconnects: whether a disconnect ends sessions.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables_and_event("room"), _broadcast_topic())

    key: SocketIoKey = "socket.io"
    namespace: SocketIoNamespace = "/"
    room: SourceTemplate
    topic: TopicTemplate
    event: EventPlace = "argument"
    values: EventValues = "arguments"
    broadcast_topic: TopicTemplate | None = None
    disconnects: bool = False


class SocketIoAdapterRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="socketio-adapter"):
    """What socket.io servers tell each other through Redis is an event; what emitters send, too.

    Attributes:
        key: the adapter's key or channel prefix.
        namespace: the socket.io namespace; others are ignored.
        room: which rooms; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
        sharded: whether the servers use sharded pub/sub.
        event: where the event's name goes.
        values: what a single object becomes that is emitted with it.
        broadcast_topic: the topic of what is emitted to no room; null for nowhere.
        disconnects: whether a disconnect ends sessions.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables_and_event("room"), _broadcast_topic())

    key: SocketIoKey = "socket.io"
    namespace: SocketIoNamespace = "/"
    room: SourceTemplate
    topic: TopicTemplate
    sharded: bool = False
    event: EventPlace = "argument"
    values: EventValues = "arguments"
    broadcast_topic: TopicTemplate | None = None
    disconnects: bool = False


class PythonSocketIoRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="python-socketio"):
    """What python-socketio (5.14 and newer) sends to a room is an event.

    Attributes:
        channel: the manager's channel.
        namespace: the socket.io namespace; others are ignored.
        room: which rooms; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
        event: where the event's name goes.
        values: what a single object becomes that is emitted with it.
        broadcast_topic: the topic of what is emitted to no room; null for nowhere.
        disconnects: whether a disconnect ends sessions.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables_and_event("room"), _broadcast_topic())

    channel: ChannelName = "socketio"
    namespace: SocketIoNamespace = "/"
    room: SourceTemplate
    topic: TopicTemplate
    event: EventPlace = "argument"
    values: EventValues = "arguments"
    broadcast_topic: TopicTemplate | None = None
    disconnects: bool = False


class LaravelRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="laravel"):
    """What Laravel broadcasts on a channel is an event.

    Attributes:
        prefix: what the Redis connection puts before each channel.
        channel: which channels; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
        event: where the event's name goes.
        values: what its properties become.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables_and_event("channel"),)

    prefix: Prefix = ""
    channel: SourceTemplate
    topic: TopicTemplate
    event: EventPlace = "argument"
    values: EventValues = "arguments"


class ActionCableRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="action-cable"):
    """What Rails' Action Cable broadcasts is an event.

    Attributes:
        channel_prefix: that of config/cable.yml; empty for none.
        broadcasting: which broadcastings; ``{variables}`` stand for one URI component.
        gid: what ``{gid}`` in it stands for.
        topic: the topic of what is sent there.
        connection: whose sessions a disconnect ends; null for nobody's.
        connection_gid: what ``{gid}`` in it stands for.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        _global_id("broadcasting", "gid"),
        _variables_with_global_id("broadcasting"),
        *_RAILS_CHECKS,
    )

    channel_prefix: Prefix = ""
    broadcasting: SourceTemplate
    gid: SourceTemplate | None = None
    topic: TopicTemplate
    connection: SourceTemplate | None = None
    connection_gid: SourceTemplate | None = None


class AnyCableRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="anycable"):
    """What is broadcast through AnyCable is an event.

    Attributes:
        channel: AnyCable's redis_channel; with a bridge of streams, the stream's key.
        stream: which of AnyCable's streams; ``{variables}`` stand for one URI component.
        gid: what ``{gid}`` in it stands for.
        topic: the topic of what is sent there.
        connection: whose sessions a disconnect ends; null for nobody's.
        connection_gid: what ``{gid}`` in it stands for.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        _global_id("stream", "gid"),
        _variables_with_global_id("stream"),
        *_RAILS_CHECKS,
    )

    channel: ChannelName = "__anycable__"
    stream: SourceTemplate
    gid: SourceTemplate | None = None
    topic: TopicTemplate
    connection: SourceTemplate | None = None
    connection_gid: SourceTemplate | None = None


def _address_of_entry() -> Check:
    return Check(
        "topic",
        ("address", "topic"),
        "the variables of address and no others",
        lambda address, topic: None if address is None else missing_variables(address, topic),
    )


class PlainStreamRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="plain"):
    """Each entry of a stream is an event.

    Attributes:
        stream: the stream's key.
        topic: the topic of its entries.
        address: what an entry's address is; null for the topic itself.
        address_field: the field with the address.
        payload_field: the field with the payload; null if all other fields are it.
        format: how the payload's bytes are read.
    """

    checks: ClassVar[tuple[Check, ...]] = (_address_of_entry(),)

    stream: ChannelName
    topic: TopicTemplate
    address: SourceTemplate | None = None
    address_field: ChannelName = "topic"
    payload_field: ChannelName | None = "payload"
    format: PayloadFormat = "json"


class SocketIoStreamRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="socketio-streams"):
    """What socket.io servers tell each other through a stream is an event.

    Attributes:
        stream: the adapter's streamName.
        namespace: the socket.io namespace; others are ignored.
        room: which rooms; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
        event: where the event's name goes.
        values: what a single object becomes that is emitted with it.
        broadcast_topic: the topic of what is emitted to no room; null for nowhere.
        disconnects: whether a disconnect ends sessions.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables_and_event("room"), _broadcast_topic())

    stream: ChannelName = "socket.io"
    namespace: SocketIoNamespace = "/"
    room: SourceTemplate
    topic: TopicTemplate
    event: EventPlace = "argument"
    values: EventValues = "arguments"
    broadcast_topic: TopicTemplate | None = None
    disconnects: bool = False


BridgeRule: TypeAlias = (
    PlainRule
    | SocketIoEmitterRule
    | SocketIoAdapterRule
    | PythonSocketIoRule
    | LaravelRule
    | ActionCableRule
    | AnyCableRule
)
StreamRule: TypeAlias = PlainStreamRule | SocketIoStreamRule | AnyCableRule
RoomRule: TypeAlias = SocketIoEmitterRule | SocketIoAdapterRule | PythonSocketIoRule | SocketIoStreamRule

BridgeRules: TypeAlias = Annotated[
    tuple[BridgeRule, ...],
    Meta(min_length=1, description="a list of at least one bridge rule"),
]
StreamRules: TypeAlias = Annotated[
    tuple[StreamRule, ...],
    Meta(min_length=1, description="a list of at least one rule for streams"),
]
