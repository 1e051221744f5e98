"""One event as a history keeps it: encoded, with who may see it ("Event History")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from wampgate.core.passthru import seal_of
from wampgate.core.recipients import narrowing
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import MSGPACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from wampgate.core.session import Session
    from wampgate.wire.payload import Parts
    from wampgate.wire.serializers import Serializer

OVERHEAD: Final = 500
"""Bytes that an event costs beside its payload and its topic: objects, and its place in two tables."""

_OVERHEAD_OF_A_TEXT: Final = 150
"""Bytes that a name in a list, or an attribute of a sealed payload, costs beside its characters."""

_LISTS: Final = ("eligible_authid", "eligible_authrole", "exclude_authid", "exclude_authrole")


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
        seal: how a sealed payload is packed ("Payload Passthru Mode"); None for one that is not sealed.
        size: what it counts against the bounds, in bytes: about what it takes in memory.
    """

    topic: str
    publication: int
    serializer: Serializer
    parts: Parts
    at: float
    publisher: Disclosed | None = None
    audience: PublishOptions | None = None
    sequence: int = 0
    seal: Mapping[str, Any] | None = None
    size: int = field(init=False)
    _test: Callable[[Session], bool] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Whatever a publisher chose counts, or a long list of names would be kept for nothing."""
        self.size = sum(map(len, self.parts)) + len(self.topic) + OVERHEAD
        if self.audience is not None:
            self.size += sum(_size_of(getattr(self.audience, name) or ()) for name in _LISTS)
        if self.seal is not None:
            self.size += _size_of(self.seal.values())

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
        # Made once: the lists may be long, and a reader asks for many events.
        if self._test is None:
            self._test = narrowing(self.audience) or _is_for_all
        return self._test(session)


def stored_publication(
    publisher: Session | None, topic: str, publication: int, options: PublishOptions, payload: Payload, *, at: float
) -> StoredEvent:
    """A publication, as it is to be kept.

    Args:
        publisher: None unless disclosed.
        topic: where it was published.
        publication: its id.
        options: PUBLISH.Options.
        payload: what was published.
        at: when, in seconds since 1970.
    """
    serializer = payload.origin or MSGPACK
    return StoredEvent(
        topic,
        publication,
        serializer,
        payload.parts(serializer),
        round(at, 3),
        None if publisher is None else _disclosed(publisher),
        audience_of(options),
        seal=seal_of(options),
    )


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
        exclude_authid=options.exclude_authid or None,
        exclude_authrole=options.exclude_authrole or None,
    )


def _disclosed(publisher: Session) -> Disclosed:
    return Disclosed(publisher.id, publisher.principal.authid, publisher.principal.authrole)


def _size_of(texts: Iterable[Any]) -> int:
    return sum(len(text) + _OVERHEAD_OF_A_TEXT for text in texts)


def _is_for_all(_session: Session) -> bool:
    return True
