"""What may become of an event while it waits for a slow reader: nothing, or it is dropped, or a later one replaces it.

The core decides, once for each publication, and the event carries the decision
to where it waits (``transports``).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from wampgate.wire.messages import Event
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from wampgate.core.broker import Subscription
    from wampgate.core.topics import TopicOptions
    from wampgate.wire.messages import EventDetails
    from wampgate.wire.payload import Payload

SlowReaders: TypeAlias = Literal["cut_off", "drop", "latest"]
"""What a reader meets for which too much waits: it is cut off; or events of the
topic are dropped and it is told; or of each key the latest event only waits."""

Key: TypeAlias = tuple[int, str, bytes]
"""A subscription's id, a topic, and the value that tells its events apart (empty where the topic alone does)."""

_LONG: Final = 64
"""A longer value is kept as its SHA-256: what a key costs is not counted as waiting."""


class Perishable(NamedTuple):
    """How an event may be lost.

    Attributes:
        subscription: whose event it is.
        at: when it was published, in seconds since 1970.
        key: an event is replaced by a later one of the same key; None if it may be dropped instead.
    """

    subscription: Subscription
    at: float
    key: Key | None


class PerishableEvent(Event, tag=36, dict=True, gc=True):
    """An EVENT that may be lost while it waits; on the wire it is as any other."""

    @property
    def perishable(self) -> Perishable:
        """How it may be lost."""
        mark: Perishable = self.__dict__["perishable"]
        return mark


class Perishing:
    """One publication on a topic whose events may be lost; makes its events."""

    __slots__ = ("_at", "_topic", "_value")

    def __init__(self, topic: str, at: float, value: bytes | None) -> None:
        self._topic = topic
        self._at = at
        self._value = value

    def event(self, subscription: Subscription, publication: int, details: EventDetails) -> Event:
        """The event for a subscription's subscribers."""
        event = PerishableEvent(subscription.id, publication, details)
        key = None if self._value is None else (subscription.id, self._topic, self._value)
        event.__dict__["perishable"] = Perishable(subscription, self._at, key)
        return event


def perishing(options: TopicOptions, topic: str, payload: Payload, now: float) -> Perishing | None:
    """How the events of a publication may be lost; None if they may not.

    Args:
        options: those that decide for the topic.
        topic: where it is published.
        payload: what is published; looked into only where an argument tells events apart.
        now: in seconds since 1970.
    """
    if options.slow_readers == "cut_off":
        return None
    return Perishing(topic, now, _value(options.latest_by, payload) if options.slow_readers == "latest" else None)


def _value(name: str | None, payload: Payload) -> bytes:
    """What tells the events of one topic apart: an argument as JSON text; empty if it is missing, or null."""
    value = None if name is None else payload.kwargs.get(name)
    if value is None:
        return b""
    # Serializers and languages don't agree on whether a whole number is a float.
    text = JSON.encode_value(int(value) if isinstance(value, float) and value.is_integer() else value)
    return text if len(text) <= _LONG else sha256(text).digest()
