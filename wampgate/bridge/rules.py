"""What a bridge rule is: what to read on Redis, where it may publish, and how one becomes the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wampgate.bridge.templates import TopicPattern


class RedisSubscription(NamedTuple):
    """What to subscribe to on Redis.

    Attributes:
        name: the channel, or the pattern with its glob characters.
        pattern: whether it takes PSUBSCRIBE.
    """

    name: str
    pattern: bool


@dataclass(frozen=True, slots=True)
class BridgedEvent:
    """An event that a rule made of a message.

    Attributes:
        topic: a URI within :meth:`Rule.topics`.
        args: plain values.
        kwargs: plain values.
    """

    topic: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that a rule did not turn into an event: counted, and logged once per kind.

    Attributes:
        kind: a counter's name, from the table in ``docs/redis.md``.
        detail: what was wrong, for the log; holds nothing of a payload.
    """

    kind: str
    detail: str


class Undecodable(Exception):
    """A whole message that a rule can't read.

    Attributes:
        dropped: what becomes of it.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.dropped = Dropped(kind, detail)


class Rule(Protocol):
    """One dialect on some channels, and the topics for it. Immutable and without state."""

    @property
    def label(self) -> str:
        """The rule's name for the log: its channel or key."""

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """What this rule reads. No two of them match the same channel, or events would come twice."""

    def topics(self) -> Sequence[TopicPattern]:
        """Every topic that this rule can publish to, as patterns."""

    def translate(self, channel: str, message: bytes) -> Iterable[BridgedEvent | Dropped]:
        """The events in one message that came on ``channel`` by one of :meth:`subscriptions`.

        Raises:
            Undecodable: nothing can be made of the message. Raised for any bytes
                that are wrong; nothing else is.
        """
