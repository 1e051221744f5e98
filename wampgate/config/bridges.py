"""Where events come from beside WAMP: the sections of router.json for a realm's bridges."""

from typing import Annotated, ClassVar, TypeAlias

from msgspec import Meta

from wampgate.config.section import Check, Section, Unique
from wampgate.config.templates import missing_variables
from wampgate.config.values import (
    BridgeName,
    CaFile,
    PayloadFormat,
    RedisUrl,
    SocketIoKey,
    SocketIoNamespace,
    SourceTemplate,
    StoreSeconds,
    TopicTemplate,
)


def _same_variables(other: str) -> Check:
    return Check("topic", (other, "topic"), f"the variables of {other} and no others", missing_variables)


class PlainRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="plain"):
    """Each message of a channel is an event.

    Attributes:
        channel: which channels; ``{variables}`` stand for one URI component.
        topic: the topic of what comes there.
        format: how a message's bytes are read.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables("channel"),)

    channel: SourceTemplate
    topic: TopicTemplate
    format: PayloadFormat = "json"


class SocketIoEmitterRule(Section, frozen=True, kw_only=True, tag_field="dialect", tag="socketio-emitter"):
    """What socket.io's emitters (PHP, Node) send to a room is an event.

    Attributes:
        key: the emitter's key prefix.
        namespace: the socket.io namespace; others are ignored.
        room: which rooms; ``{variables}`` stand for one URI component.
        topic: the topic of what is sent there.
    """

    checks: ClassVar[tuple[Check, ...]] = (_same_variables("room"),)

    key: SocketIoKey = "socket.io"
    namespace: SocketIoNamespace = "/"
    room: SourceTemplate
    topic: TopicTemplate


BridgeRules: TypeAlias = Annotated[
    tuple[PlainRule | SocketIoEmitterRule, ...], Meta(min_length=1, description="a list of at least one bridge rule")
]


class RedisBridge(Section, frozen=True, kw_only=True, tag_field="type", tag="redis"):
    """Events from Redis pub/sub.

    Attributes:
        name: for logs and metrics.
        url: where Redis is, with user and password; ``rediss://`` for TLS.
        ca_file: the authorities that vouch for Redis' certificate (PEM),
            relative to router.json's folder; null for the system's.
        ping_seconds: a Redis that leaves a ping unanswered for as long is given
            up and connected to anew.
        rules: which channels become which topics.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "ca_file",
            ("ca_file", "url"),
            "a rediss:// url beside it, or null",
            lambda ca_file, url: None if ca_file is None or url.reveal().startswith("rediss:") else "a url without TLS",
        ),
    )

    name: BridgeName = "redis"
    url: RedisUrl
    ca_file: CaFile | None = None
    ping_seconds: StoreSeconds = 2.0
    rules: BridgeRules


Bridges = Annotated[tuple[RedisBridge, ...], Meta(description="a list of bridges", extra={"unique": Unique(("name",))})]
