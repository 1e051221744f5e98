"""What a bridge rule is: what to read on Redis, where it may publish, and how one becomes the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wampgate.bridge.templates import TopicPattern
    from wampgate.wire.payload import Payload


class SubscriptionKind(StrEnum):
    """How Redis is asked for messages."""

    EXACT = "exact"
    """SUBSCRIBE: one channel, by its name."""

    PATTERN = "pattern"
    """PSUBSCRIBE: all channels that a glob pattern matches."""

    SHARDED = "sharded"
    """SSUBSCRIBE: one channel of sharded pub/sub, by its name (Redis 7); what is sent with SPUBLISH."""


class RedisSubscription(NamedTuple):
    """What to subscribe to on Redis.

    Attributes:
        name: the channel, or the pattern with its glob characters.
        kind: how to subscribe to it.
    """

    name: str
    kind: SubscriptionKind = SubscriptionKind.EXACT


# Not frozen: setting frozen fields costs a microsecond, and this is made for each event.
@dataclass(slots=True)
class BridgedEvent:
    """An event that a rule made of a message; nobody changes it.

    Attributes:
        topic: a URI within the rule's ``topics()``.
        args: plain values.
        kwargs: plain values.
        exclude: WAMP session ids that don't receive it.
        exclude_subscribers: topics; whoever subscribes to one of them doesn't receive it.
        encoded: the same args and kwargs, where the message has them as WAMP's serializations do; else None.
    """

    topic: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    exclude: Sequence[int] = ()
    exclude_subscribers: Sequence[str] = ()
    encoded: Payload | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BridgedKill:
    """Sessions that a message wants ended. Exactly one of the attributes is given.

    Attributes:
        subscribers: topics: all with a subscription within them, but not those with a wider one.
        user: all of this user of the token store.
        session: the one with this WAMP session id.
    """

    subscribers: TopicPattern | None = None
    user: str | None = None
    session: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that a rule did not turn into an event: counted, and logged once per kind.

    Attributes:
        kind: a counter's name, from the table in ``docs/redis.md``.
        detail: what was wrong, for the log; holds nothing of a payload.
    """

    kind: str
    detail: str


Outcome: TypeAlias = BridgedEvent | BridgedKill | Dropped
"""What a message, or a part of it, comes to."""


class Undecodable(Exception):
    """A whole message that a rule can't read.

    Attributes:
        dropped: what becomes of it.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.dropped = Dropped(kind, detail)


class Publishing(Protocol):
    """What rules of every kind of source have in common. Immutable and without state."""

    @property
    def label(self) -> str:
        """The rule's name for the log: its channel, key or stream."""

    def topics(self) -> Sequence[TopicPattern]:
        """Every topic that this rule can publish to, as patterns."""


class Rule(Publishing, Protocol):
    """One dialect on some channels of pub/sub, and the topics for it."""

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """All that this rule reads. No two of them match the same channel, or events would come twice."""

    def subscriptions_for(self, topic: str) -> Sequence[RedisSubscription]:
        """The channels that may carry events of one topic: where only some topics are wanted.

        Empty if this rule publishes nothing there. None is a pattern: what two
        topics share is the same subscription.
        """

    def controls(self) -> Sequence[RedisSubscription]:
        """Those of :meth:`subscriptions` by which disconnects come, which are for sessions without a subscription too.

        Read always, whatever topics are wanted. Empty if disconnects end nothing.
        """

    def translate(self, channel: str, message: bytes) -> Iterable[Outcome]:
        """What is in one message that came on ``channel`` by one of the rule's subscriptions.

        Raises:
            Undecodable: nothing can be made of the message. Raised for any bytes
                that are wrong, before anything is yielded; nothing else is.
        """


class StreamRule(Publishing, Protocol):
    """One dialect on some Redis Streams, and the topics for it."""

    def streams(self) -> Sequence[str]:
        """The streams' keys that this rule reads."""

    def translate_entry(self, stream: str, fields: Mapping[bytes, bytes]) -> Iterable[Outcome]:
        """What is in one entry of one of :meth:`streams`. The same fields always yield the same, in the same order.

        Raises:
            Undecodable: nothing can be made of the entry. Raised for any bytes
                that are wrong, before anything is yielded; nothing else is.
        """
