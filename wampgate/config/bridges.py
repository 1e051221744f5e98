"""Where events come from beside WAMP: the sections of router.json for a realm's bridges."""

from typing import Annotated, ClassVar, TypeAlias

from msgspec import Meta

from wampgate.config.dialects import BridgeRule, BridgeRules, PlainRule, SocketIoAdapterRule
from wampgate.config.outbox import PostgresOutbox
from wampgate.config.section import Check, Section, Unique
from wampgate.config.streams import RedisStreamsBridge
from wampgate.config.templates import variables
from wampgate.config.values import (
    BridgeName,
    BridgeSubscribe,
    CaFile,
    OutFormat,
    RedisUrl,
    SourceTemplate,
    StoreSeconds,
    TopicTemplate,
)


def _strange_variables(topic: str, channel: str) -> str | None:
    """The channel's variables that nothing gives a value; None if there are none."""
    known = {*(variables(topic) or ()), "topic"}
    return ", ".join(f"{{{name}}}" for name in variables(channel) or () if name not in known) or None


class OutRule(Section, frozen=True, kw_only=True):
    """What is published on some topics goes out to Redis.

    Attributes:
        topic: which topics; ``{variables}`` stand for one URI component.
        below: whether all topics below them are meant too.
        channel: the channel, with the topic's variables, and ``{topic}`` for all of it.
        format: ``envelope`` tells topic and publication beside the payload.
        sharded: whether to use sharded pub/sub (Redis 7).
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "topic",
            ("topic",),
            "another name than {topic}, which is the whole topic",
            lambda topic: "{topic}" if "topic" in (variables(topic) or ()) else None,
        ),
        Check("channel", ("topic", "channel"), "no variables but the topic's and {topic}", _strange_variables),
    )

    topic: TopicTemplate
    below: bool = False
    channel: SourceTemplate
    format: OutFormat = "envelope"
    sharded: bool = False


def _unreadable(subscribe: str, rules: tuple[BridgeRule, ...]) -> str | None:
    """What would never be read, if all is to be read; None if there is no such rule."""
    if subscribe == "wanted":
        return None
    templates = [
        rule.channel if isinstance(rule, PlainRule) else rule.room
        for rule in rules
        if isinstance(rule, PlainRule | SocketIoAdapterRule) and rule.sharded
    ]
    unread = next((template for template in templates if variables(template)), None)
    return None if unread is None else f'"all" with the sharded {unread}'


OutRules: TypeAlias = Annotated[
    tuple[OutRule, ...], Meta(description="a list of out rules", extra={"unique": Unique(("topic", "channel"))})
]


class RedisBridge(Section, frozen=True, kw_only=True, tag_field="type", tag="redis"):
    """Events from Redis pub/sub, and out to it.

    Attributes:
        name: for logs and metrics.
        url: where Redis is, with user and password; ``rediss://`` for TLS.
        ca_file: the authorities that vouch for Redis' certificate (PEM),
            relative to router.json's folder; null for the system's.
        ping_seconds: a Redis that leaves a ping unanswered for as long is given
            up and connected to anew.
        subscribe: ``all`` reads all channels of the rules; ``wanted`` only those
            of topics that someone subscribes to.
        rules: which channels become which topics.
        out: what is sent to Redis.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "ca_file",
            ("ca_file", "url"),
            "a rediss:// url beside it, or null",
            lambda ca_file, url: None if ca_file is None or url.reveal().startswith("rediss:") else "a url without TLS",
        ),
        Check("rules", ("rules", "out"), "a rule, or one in out", lambda rules, out: None if rules or out else "none"),
        Check(
            "subscribe",
            ("subscribe", "rules"),
            '"wanted" with a sharded rule that has variables, for sharded channels have no patterns',
            _unreadable,
        ),
    )

    name: BridgeName = "redis"
    url: RedisUrl
    ca_file: CaFile | None = None
    ping_seconds: StoreSeconds = 2.0
    subscribe: BridgeSubscribe = "all"
    rules: BridgeRules = ()
    out: OutRules = ()


Bridges = Annotated[
    tuple[RedisBridge | RedisStreamsBridge | PostgresOutbox, ...],
    Meta(description="a list of bridges", extra={"unique": Unique(("name",))}),
]
