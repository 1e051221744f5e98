"""The events that topics remember for those who subscribe later, bounded in number and size ("Event Retention")."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass
from heapq import nlargest
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from wampgate.core.matching import covers, fixed_beginning
from wampgate.core.stored_events import names_sessions, stored_publication

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.core.session import Session
    from wampgate.core.stored_events import StoredEvent
    from wampgate.core.topics import Topics
    from wampgate.wire.messages import Match, PublishOptions
    from wampgate.wire.payload import Payload

_AUDIENCES: Final = 16
"""So many events with different audiences a topic may have beside the one for everyone."""

_number_of: Final = attrgetter("number")


@dataclass(frozen=True, slots=True)
class RetentionBounds:
    """What the retained events of a realm may take; the oldest go first.

    Attributes:
        events, bytes: all together; bytes as :attr:`StoredEvent.size` counts them.
        events_per_publisher, bytes_per_publisher: those of one authid, or of one network of anonymous ones.
        age_seconds: how long an event is kept; infinity for as long as the bounds let it.
        events_per_subscribe, bytes_per_subscribe: what a SUBSCRIBE with a pattern is answered with, the newest.
    """

    events: int = 10_000
    bytes: int = 64 << 20
    events_per_publisher: int = 1_000
    bytes_per_publisher: int = 8 << 20
    age_seconds: float = inf
    events_per_subscribe: int = 100
    bytes_per_subscribe: int = 256 << 10


DEFAULT_BOUNDS: Final = RetentionBounds()


class _Retained:
    """One event that is kept.

    Attributes:
        event: as it was published.
        number: its place among all that were ever kept.
        excluded: the session that published it and was not to receive it; None if it was.
        clears: whether nothing was published: whoever receives this, receives nothing older.
        share: what its publisher has.
    """

    __slots__ = ("clears", "event", "excluded", "number", "share")

    def __init__(self, event: StoredEvent, number: int, excluded: int | None, clears: bool, share: _Share) -> None:
        self.event = event
        self.number = number
        self.excluded = excluded
        self.clears = clears
        self.share = share


class _Share:
    """What one publisher has among the retained events, the oldest first."""

    __slots__ = ("bytes", "kept", "owner")

    def __init__(self, owner: tuple[str, str]) -> None:
        self.owner = owner
        self.kept: dict[_Retained, None] = {}
        self.bytes = 0


class RetainedEvents:
    """The retained events of one realm, in memory alone.

    A topic has one event for everyone, and beside it newer ones that are for some only, as
    their publishers' authid and authrole lists say. Events with lists of session ids are not
    kept: the sessions to come are others ("Event History" says the same of its events). An
    event without a payload clears what it would have replaced.

    Args:
        topics: says whether a topic's events may be kept.
        bounds: what all may take.
        counters: what happened, by name, for metrics.

    Attributes:
        bytes: what all kept events count.
    """

    def __init__(
        self, topics: Topics, bounds: RetentionBounds = DEFAULT_BOUNDS, counters: Counter[str] | None = None
    ) -> None:
        self.bytes = 0
        self._topics = topics
        self._bounds = bounds
        self._counters: Counter[str] = Counter() if counters is None else counters
        self._number = 0
        self._kept: dict[_Retained, None] = {}
        self._kept_by_topic: dict[str, list[_Retained]] = {}
        self._sorted_topics: list[str] = []
        self._shares: dict[tuple[str, str], _Share] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def adopt(self, bounds: RetentionBounds, now: float) -> None:
        """Keep within other bounds, and by the topics' options as they are now, which may have changed.

        Args:
            bounds: what all may take.
            now: in seconds since 1970.
        """
        self._bounds = bounds
        for kept in list(self._kept):
            treated = self._topics.of(kept.event.topic)
            if treated is not None and not treated.retain:
                self._evict(kept)
        self._expire(now)
        for share in list(self._shares.values()):
            self._trim((), share)

    # --- what is kept ---

    def published(
        self,
        publisher: Session,
        topic: str,
        publication: int,
        options: PublishOptions,
        payload: Payload,
        *,
        disclosed: bool,
        now: float,
    ) -> None:
        """Keep a publication that asks for it, if its topic and its options let it be kept.

        Args:
            publisher: who published.
            topic: where.
            publication: its id.
            options: PUBLISH.Options.
            payload: what was published.
            disclosed: whether receivers may learn who it was.
            now: in seconds since 1970.
        """
        treated = self._topics.of(topic)
        if (treated is not None and not treated.retain) or names_sessions(options):
            return
        event = stored_publication(publisher if disclosed else None, topic, publication, options, payload, at=now)
        self._expire(now)
        self._replace(event)
        clears = not options.opaque and not payload.args and not payload.kwargs
        if clears and topic not in self._kept_by_topic:
            return
        if event.size > min(self._bounds.bytes, self._bounds.bytes_per_publisher):
            self._counters["retained_refused"] += 1
            return
        self._add(event, publisher.id if options.exclude_me else None, clears, owner_of(publisher))

    def _replace(self, event: StoredEvent) -> None:
        """Let go of what those who receive an event would no longer receive."""
        for kept in list(self._kept_by_topic.get(event.topic, ())):
            if event.audience is None or kept.event.audience == event.audience:
                self._remove(kept)

    def _add(self, event: StoredEvent, excluded: int | None, clears: bool, owner: tuple[str, str]) -> None:
        share = self._shares.get(owner)
        if share is None:
            share = self._shares[owner] = _Share(owner)
        self._number += 1
        kept = _Retained(event, self._number, excluded, clears, share)
        self._kept[kept] = share.kept[kept] = None
        self.bytes += event.size
        share.bytes += event.size
        there = self._kept_by_topic.get(event.topic)
        if there is None:
            there = self._kept_by_topic[event.topic] = []
            insort(self._sorted_topics, event.topic)
        there.append(kept)
        self._trim(there, share)

    def _trim(self, there: Sequence[_Retained], share: _Share) -> None:
        """Let go of the oldest of the topic, of the publisher and of all, until all bounds hold."""
        bounds = self._bounds
        limited = [kept for kept in there if kept.event.audience is not None]
        if len(limited) > _AUDIENCES:
            self._evict(limited[0])
        while len(share.kept) > bounds.events_per_publisher or share.bytes > bounds.bytes_per_publisher:
            self._evict(next(iter(share.kept)))
        while len(self._kept) > bounds.events or self.bytes > bounds.bytes:
            self._evict(next(iter(self._kept)))

    def _evict(self, kept: _Retained) -> None:
        self._counters["retained_evicted"] += 1
        self._remove(kept)

    def _expire(self, now: float) -> None:
        oldest = now - self._bounds.age_seconds
        while self._kept and (kept := next(iter(self._kept))).event.at < oldest:
            self._counters["retained_expired"] += 1
            self._remove(kept)

    def _remove(self, kept: _Retained) -> None:
        event, share = kept.event, kept.share
        del self._kept[kept]
        del share.kept[kept]
        self.bytes -= event.size
        share.bytes -= event.size
        if not share.kept:
            del self._shares[share.owner]
        there = self._kept_by_topic[event.topic]
        there.remove(kept)
        if not there:
            del self._kept_by_topic[event.topic]
            del self._sorted_topics[bisect_left(self._sorted_topics, event.topic)]

    # --- what can be asked ---

    def for_subscriber(
        self, session: Session, topic: str, match: Match, *, now: float, since: float = -inf
    ) -> list[StoredEvent]:
        """Of each topic the newest event that a session would have received, in the order of publication.

        Args:
            session: who subscribes.
            topic: to what.
            match: how ``topic`` is to be read.
            now: in seconds since 1970.
            since: what is older is hidden, in seconds since 1970.
        """
        self._expire(now)
        seen = (self._newest(kept, session, since) for kept in self._matching(topic, match))
        bounds = self._bounds
        found = nlargest(bounds.events_per_subscribe + 1, (kept for kept in seen if kept is not None), key=_number_of)
        events = [kept.event for kept in found]
        fitting = _fitting(events, bounds)
        if fitting < len(events):
            self._counters["retained_cut"] += 1
        return events[:fitting][::-1]

    def _matching(self, topic: str, match: Match) -> Iterator[list[_Retained]]:
        if match == "exact":
            if topic in self._kept_by_topic:
                yield self._kept_by_topic[topic]
            return
        beginning = topic if match == "prefix" else fixed_beginning(topic)
        for index in range(bisect_left(self._sorted_topics, beginning), len(self._sorted_topics)):
            name = self._sorted_topics[index]
            if not name.startswith(beginning):
                return
            if covers(topic, match, name, "exact"):
                yield self._kept_by_topic[name]

    def _newest(self, there: Sequence[_Retained], session: Session, since: float) -> _Retained | None:
        """The newest event of a topic that a session would have received; None if there is none to show."""
        for kept in reversed(there):
            if kept.excluded != session.id and kept.event.is_for(session):
                return None if kept.clears or kept.event.at < since else kept
        return None


def owner_of(publisher: Session) -> tuple[str, str]:
    """To whom a retained event counts: who has no name is known by its network."""
    principal = publisher.principal
    if principal.authmethod == "anonymous":
        return ("network", publisher.connection.network)
    return ("authid", principal.authid)


def _fitting(events: Sequence[StoredEvent], bounds: RetentionBounds) -> int:
    """How many events, of the newest first, one SUBSCRIBE is answered with; at least one if there is any."""
    size = 0
    for number, event in enumerate(events[: bounds.events_per_subscribe]):
        size += event.size
        if number and size > bounds.bytes_per_subscribe:
            return number
    return min(len(events), bounds.events_per_subscribe)
