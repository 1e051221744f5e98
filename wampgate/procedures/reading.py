"""What reading a history has in common, whichever procedure reads: the asker's right, its sight, and pages."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wampgate.core.decisions import Decision
    from wampgate.core.session import Session
    from wampgate.core.stored_events import StoredEvent
    from wampgate.wire.messages import Match

PAGE_BYTES: Final = 64 << 10
"""About so many bytes of events go into one answer, and at least one event."""

MAX_LIMIT: Final = 1_000
"""So many events at most go into one answer."""

_WIRE: Final = 150
"""Bytes that an event's names, ids and time take in an answer, about."""

_LOOKED_AT: Final = 20_000
"""So many events are looked at for one answer, however few of them the asker may see."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which events of a topic someone may see.

    Attributes:
        session: whose authid and authrole publishers' lists are held against.
        since: what is older than this is hidden; seconds since 1970.
    """

    session: Session
    since: float = -inf

    def sees(self, event: StoredEvent) -> bool:
        """Whether an event is shown."""
        return event.at >= self.since and event.is_for(self.session)

    def hides(self, event: StoredEvent) -> bool:
        """Whether an event is not shown only because it is too old."""
        return event.at < self.since and event.is_for(self.session)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a history.

    Attributes:
        events: what is shown of it.
        more: whether there may be more behind it.
        position: the publication id from which to go on; None where there was nothing.
        for_everyone: whether all askers would be shown the same.
        hidden: whether events of it were hidden that the asker may have missed.
    """

    events: list[StoredEvent]
    more: bool
    position: int | None
    for_everyone: bool
    hidden: bool = False


def _hides_nothing(_event: StoredEvent) -> bool:
    return False


def page_of(
    events: Iterable[StoredEvent],
    limit: int,
    sees: Callable[[StoredEvent], bool],
    *,
    hides: Callable[[StoredEvent], bool] = _hides_nothing,
    begin: int | None = None,
) -> Page:
    """The first events that are seen, as many as fit into an answer.

    Args:
        events: in the order in which they are wanted.
        limit: so many at most.
        sees: whether an event is shown.
        hides: whether an event that is not shown is missing for the asker.
        begin: the publication id behind which the page begins. One publication may have gone to
            several topics: its other events come along, but only what is behind them is progress.
    """
    shown: list[StoredEvent] = []
    room, size = limit, 0
    position, for_everyone, hidden = begin, True, False
    for looked_at, event in enumerate(events):
        hidden = hidden or (event.publication != begin and hides(event))
        full = room <= 0 or looked_at >= _LOOKED_AT or (size > 0 and size + _size(event) > PAGE_BYTES)
        if full and event.publication != begin:
            return Page(shown, True, position, for_everyone, hidden)
        position = event.publication
        for_everyone = for_everyone and event.audience is None
        if sees(event):
            shown.append(event)
            size += _size(event)
            room -= event.publication != begin
    return Page(shown, False, position, for_everyone, hidden)


def _size(event: StoredEvent) -> int:
    seal = 0 if event.seal is None else sum(map(len, event.seal.values()))
    return sum(map(len, event.parts)) + len(event.topic) + seal + _WIRE


def check_right(asker: Session, decision: Decision, topic: str, match: Match) -> None:
    """See that a topic or pattern may be subscribed to; the log is told where it may not.

    Raises:
        RequestRefused: it may not be, or that can't be said now.
    """
    if not decision.allowed:
        raise asker.realm.requests.refusal(asker, "subscribe", topic, match, decision)


def shown_details(event: StoredEvent) -> dict[str, Any]:
    """What an event says of its publisher, if disclosed, and of a sealed payload ("Payload Passthru Mode")."""
    return {**(event.seal or {}), **_publisher(event)}


def shown_args(args: Any) -> Any:
    """An event's positional arguments, or the one value that Autobahn sends instead of them where it is sealed."""
    return list(args) if isinstance(args, list | tuple) else args


def _publisher(event: StoredEvent) -> dict[str, Any]:
    if event.publisher is None:
        return {}
    return {
        "publisher": event.publisher.session,
        "publisher_authid": event.publisher.authid,
        "publisher_authrole": event.publisher.authrole,
    }
