"""What a realm remembers of its topics' events, and where in it a client stands ("Event History").

Every kept event has a *sequence*, its place among all events of the realm. A
client's *position* is a publication id: the last event that it has. A position
is known as long as everything behind it is still there, so that an answer is
whole or says that it isn't. Each topic's *floor* is its newest event that is
gone; a pattern's position must not lie below the floor of any topic that
matches, nor below that of topics of which nothing is left.

An *epoch* is an unbroken run of events: it begins with the process, or with a
store's first event after one that it could not append. Its name stands for the
position before its first event.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.history_ring import Ring
from wampgate.core.history_window import Window
from wampgate.core.matching import PatternMap, covers
from wampgate.core.stored_events import names_sessions, stored_event, stored_publication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wampgate.core.interfaces import EventsAfter, HistoryStore
    from wampgate.core.session import Session
    from wampgate.core.stored_events import StoredEvent
    from wampgate.core.topics import HistoryOptions, Topics
    from wampgate.wire.messages import Match, PublishOptions
    from wampgate.wire.payload import Payload

_EPOCHS: Final = 1_000
"""So many epochs of this process are known; who names an older one has missed more than that."""


@dataclass(frozen=True, slots=True)
class HistoryBounds:
    """What all histories of a realm may take together; the topic that was quiet the longest goes first.

    Attributes:
        topics: so many topics.
        bytes: so many bytes, counted as each event's size.
    """

    topics: int = 10_000
    bytes: int = 64 << 20


class _Lineage:
    """The epochs of one place where events are kept: the memory, or a store.

    Attributes:
        whole_from: the sequence behind which no event of it is missing.
        beginnings: the sequence before each epoch's first event, by the epoch's name.
    """

    __slots__ = ("beginnings", "store", "whole_from")

    def __init__(self, epoch: str, store: HistoryStore | None) -> None:
        self.store = store
        self.whole_from = 0
        self.beginnings = {epoch: 0}

    @property
    def epoch(self) -> str:
        return next(reversed(self.beginnings))


class History:
    """The kept events of one realm.

    Args:
        topics: says what is kept of each topic.
        bounds: what all may take together.
        now: the wall clock, in seconds since 1970.
        epoch: names the memory's epoch; a random name if None.
        begin: the sequence before the first event; to be higher in each process that uses the same store.

    Attributes:
        counters: what happened, by name, for metrics.
        sequence: the newest event's.
        bytes: what all kept events count.
    """

    def __init__(
        self,
        topics: Topics,
        *,
        bounds: HistoryBounds = HistoryBounds(),
        now: Callable[[], float] = time.time,
        epoch: str | None = None,
        begin: int = 0,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.sequence = begin
        self.bytes = 0
        self._topics = topics
        self._bounds = bounds
        self._now = now
        # The topic that was published to last stands last.
        self._rings: dict[str, Ring] = {}
        self._floor = 0
        self._remembered = 0
        self._lineages: dict[str, _Lineage] = {"": _Lineage(epoch or token_hex(8), None)}
        self._sources: PatternMap[EventsAfter] = PatternMap()

    def __len__(self) -> int:
        return len(self._rings)

    @property
    def events(self) -> int:
        """How many events are kept; counts them by topic."""
        return sum(map(len, self._rings.values()))

    def options(self, topic: str) -> HistoryOptions | None:
        """What is kept of a topic; None for nothing."""
        options = self._topics.of(topic)
        return None if options is None else options.history

    def adopt(self, bounds: HistoryBounds) -> None:
        """Keep within other bounds, and by the topics' options as they are now, which have changed.

        What a topic has goes with its history, and with the place where it was kept: another one's epochs know nothing
        of it. All else stays, and its epoch with it.
        """
        self._bounds = bounds
        now = self._now()
        for topic, ring in list(self._rings.items()):
            options = self.options(topic)
            if options is None or options.store != ring.options.store:
                del self._rings[topic]
                self._floor = max(self._floor, ring.last_sequence)
                self._let_go(ring, ring.clear())
            else:
                ring.options = options
                self._let_go(ring, ring.trim(now))
        self._evict()

    # --- what is kept ---

    def published(
        self,
        publisher: Session | None,
        topic: str,
        publication: int,
        options: PublishOptions,
        payload: Payload,
        *,
        kept: HistoryOptions,
    ) -> None:
        """Keep a publication, if its options let it be kept.

        Args:
            publisher: None unless disclosed.
            topic: where it was published.
            publication: its id.
            options: PUBLISH.Options.
            payload: what was published.
            kept: what is kept of the topic; see :meth:`options`.
        """
        if names_sessions(options):
            return
        self._keep(stored_publication(publisher, topic, publication, options, payload, at=self._now()), kept)

    def remember(
        self,
        topic: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        publication: int,
        at: float | None = None,
    ) -> bool:
        """Keep an event that a source had published before this process began; it is delivered to no one.

        To be called in the order of publication, up to the place where the source goes on to
        publish, and before it does. What a topic keeps in a store comes from there instead.

        Args:
            topic: where it was published.
            args: plain values.
            kwargs: plain values.
            publication: its id.
            at: when, in seconds since 1970; None for this moment.

        Returns:
            Whether it is kept now: not if the topic has no history in memory or the event is too old.
        """
        kept = self.options(topic)
        if kept is None or kept.store:
            return False
        event = stored_event(topic, publication, args, kwargs, self._now() if at is None else at)
        self._keep(event, kept)
        self._remembered = self.sequence
        ring = self._rings.get(topic)
        return ring is not None and ring.holds(publication)

    def _keep(self, event: StoredEvent, options: HistoryOptions) -> None:
        rings = self._rings
        ring = rings.pop(event.topic, None)
        if ring is None:
            ring = Ring(options)
            # Of this topic there may have been events that are forgotten altogether.
            ring.floor = self._floor
        rings[event.topic] = ring
        if ring.holds(event.publication):
            # A source begins a little before the place where it ended.
            return
        previous = ring.last_sequence
        self.sequence += 1
        event.sequence = self.sequence
        self._add(event, ring)
        store = self._lineages[options.store].store
        if store is not None:
            store.append(event, previous)
        self._let_go(ring, ring.trim(self._now()))
        if self.bytes > self._bounds.bytes or len(rings) > self._bounds.topics:
            self._evict()

    def _add(self, event: StoredEvent, ring: Ring) -> None:
        before = ring.bytes
        ring.add(event)
        self.bytes += ring.bytes - before

    def _let_go(self, ring: Ring, gone: Sequence[StoredEvent]) -> None:
        if not gone:
            return
        self.bytes -= sum(event.size for event in gone)
        self.counters["history_trimmed"] += len(gone)
        store = self._lineages[ring.options.store].store
        if store is not None:
            store.forget(gone, self._floor if len(ring) else max(self._floor, ring.floor))

    def _evict(self) -> None:
        """Forget the topics that were quiet the longest, until all bounds hold."""
        while self._rings and (self.bytes > self._bounds.bytes or len(self._rings) > self._bounds.topics):
            topic = next(iter(self._rings))
            ring = self._rings.pop(topic)
            self._floor = max(self._floor, ring.last_sequence)
            self.counters["history_topics_evicted"] += 1
            self._let_go(ring, ring.clear())

    def expire(self) -> None:
        """Let go of what is older than it may be; to be called now and then, for topics that nobody reads."""
        now = self._now()
        for ring in self._rings.values():
            self._let_go(ring, ring.trim(now))

    def forget(self, uri: str, match: Match) -> None:
        """Let go of what is kept of a topic or pattern: its source has lost events, no position may hide it."""
        for topic in [topic for topic in self._rings if covers(uri, match, topic, "exact")]:
            ring = self._rings.pop(topic)
            self._floor = max(self._floor, ring.last_sequence)
            self._let_go(ring, ring.clear())

    # --- where else events are ---

    def keep_in(
        self,
        name: str,
        store: HistoryStore,
        events: Iterable[tuple[StoredEvent, int]],
        *,
        whole_from: int | None,
        floor: int,
    ) -> None:
        """Take a store into use, with what it kept; to be called before anything is published.

        Args:
            name: what topic options call it.
            store: appends from now on.
            events: what it kept, in their order and with their sequences, each with the sequence of
                the event before it on its topic.
            whole_from: the sequence behind which nothing was published that it had not kept; None if
                nobody knows: then its events are no positions.
            floor: the newest event that it had kept of any topic of which nothing is left.
        """
        lineage = self._lineages[name] = _Lineage(store.epoch, store)
        self._floor = max(self._floor, floor)
        for event, previous in events:
            self._restore(event, previous)
        # Behind the newest event there may have been others that nobody knows of.
        self.sequence = max(self.sequence, floor) + 1
        lineage.whole_from = self.sequence if whole_from is None else whole_from
        lineage.beginnings[store.epoch] = lineage.whole_from
        # What the memory alone had kept is lost.
        memory = self._lineages[""]
        memory.whole_from = memory.beginnings[memory.epoch] = self.sequence

    def _restore(self, event: StoredEvent, previous: int) -> None:
        self.sequence = max(self.sequence, event.sequence)
        options = self.options(event.topic)
        if options is None:
            return
        ring = self._rings.get(event.topic)
        if ring is None:
            ring = self._rings[event.topic] = Ring(options)
        if ring.last_sequence != previous:
            self._let_go(ring, ring.clear())
            ring.floor = previous
        self._add(event, ring)
        self._let_go(ring, ring.trim(self._now()))

    def begin_epoch(self, name: str) -> None:
        """A store could not append all that it was told: its next event begins a new epoch."""
        lineage = self._lineages[name]
        if lineage.store is None:
            return
        lineage.beginnings[lineage.store.epoch] = self.sequence
        if len(lineage.beginnings) > _EPOCHS:
            del lineage.beginnings[next(iter(lineage.beginnings))]
        self.counters["history_epochs"] += 1

    def provide(self, uri: str, match: Match, source: EventsAfter) -> None:
        """Ask a source for positions on its topics that are older than what is kept here."""
        self._sources.set(uri, match, source)

    def withdraw(self, uri: str, match: Match, source: EventsAfter) -> None:
        """Ask a source no more, unless another one has taken its place."""
        if self._sources.get(uri, match) is source:
            self._sources.remove(uri, match)

    def has(self, topic: str) -> bool:
        """Whether anything of a topic is kept, or was and is forgotten."""
        return topic in self._rings

    def source(self, topic: str) -> EventsAfter | None:
        """Whom to ask about a topic's older events."""
        sources = self._sources.matching(topic)
        return sources[0] if sources else None

    # --- what can be asked ---

    def window(self, topic: str, match: Match) -> Window:
        """What is kept of a topic or pattern, now: to be used at once, before anything else is kept."""
        now = self._now()
        rings = list(self._matching(topic, match))
        for ring in rings:
            self._let_go(ring, ring.trim(now))
        lineages = [self._lineages[name] for name in self._stores_of(topic, match)]
        whole_from = max((lineage.whole_from for lineage in lineages), default=0)
        return Window(
            rings,
            [lineage.beginnings for lineage in lineages],
            exact=match == "exact",
            complete=self._topics.keep(topic, match),
            whole_from=whole_from,
            floor=max(whole_from, self._floor, self._remembered),
        )

    def _matching(self, topic: str, match: Match) -> Iterator[Ring]:
        if match == "exact":
            ring = self._rings.get(topic)
            return iter(() if ring is None else (ring,))
        return (ring for uri, ring in self._rings.items() if covers(topic, match, uri, "exact"))

    def _stores_of(self, topic: str, match: Match) -> list[str]:
        if match == "exact":
            options = self.options(topic)
            return [] if options is None else [options.store]
        return sorted(
            {kept.history.store for kept in self._topics.concerning(topic, match) if kept.history is not None}
        )
