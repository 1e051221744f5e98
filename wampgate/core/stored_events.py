"""One event as a history keeps it: encoded, with who may see it ("Event History")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from wampgate.core.recipients import narrowing
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import MSGPACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from wampgate.core.session import Session
    from wampgate.wire.payload import Parts
    from wampgate.wire.serializers import Serializer

OVERHEAD: Final = 500
"""Bytes that an event costs beside its payload and its topic: objects, and its place in two tables."""


class Disclosed(NamedTuple):
    """A publisher that was disclosed when the event was published.

    Attributes:
        session: its session id then.
        authid, authrole: who it was.
    """

    session: int
    authid: str
    authrole: str


@dataclass(slots=True, eq=False)
class StoredEvent:
    """One publication. Never changed once it is kept.

    Attributes:
        topic: where it was published.
        publication: its publication id.
        serializer, parts: the payload as it was received, or as MessagePack where it came from inside.
        at: when it was published, in seconds since 1970, to the millisecond.
        publisher: None unless disclosed.
        audience: whom the publisher's authid and authrole lists let see it; None for everyone.
        sequence: its place among all events of the realm; 0 before it is kept.
    """

    topic: str
    publication: int
    serializer: Serializer
    parts: Parts
    at: float
    publisher: Disclosed | None = None
    audience: PublishOptions | None = None
    sequence: int = 0

    @property
    def size(self) -> int:
        """What it counts against the bounds, in bytes: about what it takes in memory."""
        return sum(map(len, self.parts)) + len(self.topic) + OVERHEAD

    @property
    def timestamp(self) -> str:
        """When it was published, as RFC 3339 in UTC."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def payload(self) -> Payload:
        """The payload, decoded."""
        return self.serializer.payload_of(self.parts)

    def is_for(self, session: Session) -> bool:
        """Whether the publisher's lists let a session see it."""
        if self.audience is None:
            return True
        test = narrowing(self.audience)
        return test is None or test(session)


def stored_event(
    topic: str,
    publication: int,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    at: float,
) -> StoredEvent:
    """An event for everyone, made of plain values: what sources keep elsewhere.

    Args:
        topic: where it was published.
        publication: its id.
        args: plain values.
        kwargs: plain values.
        at: when, in seconds since 1970.
    """
    return StoredEvent(topic, publication, MSGPACK, Payload(args, kwargs).parts(MSGPACK), round(at, 3))


def encoded(payload: Payload) -> tuple[Serializer, Parts]:
    """A payload's bytes, as they came if they came from outside."""
    serializer = payload.origin or MSGPACK
    return serializer, payload.parts(serializer)


def names_sessions(options: PublishOptions) -> bool:
    """Whether a publication is for, or not for, single sessions: such events must not be kept ("Event History")."""
    return options.eligible is not None or bool(options.exclude)


def audience_of(options: PublishOptions) -> PublishOptions | None:
    """The lists of a publication that mean the same for sessions to come; None if there are none."""
    if (
        options.eligible_authid is None
        and options.eligible_authrole is None
        and not options.exclude_authid
        and not options.exclude_authrole
    ):
        return None
    return PublishOptions(
        eligible_authid=options.eligible_authid,
        eligible_authrole=options.eligible_authrole,
        exclude_authid=options.exclude_authid,
        exclude_authrole=options.exclude_authrole,
    )
