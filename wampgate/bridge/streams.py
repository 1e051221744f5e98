"""Redis Streams as a source: every entry is read by every node, and delivered to its own sessions at least once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from wampgate.bridge.dead_letters import DeadLetters
from wampgate.bridge.outcomes import Outcomes
from wampgate.bridge.redis_commands import RedisCommands
from wampgate.bridge.redis_link import RedisLink
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.stream_entries import events_of
from wampgate.bridge.stream_history import TAIL_BYTES, TAIL_ENTRIES, StreamHistory, may_be_kept, tail_of
from wampgate.bridge.stream_offsets import Offset, OffsetsUnreadable
from wampgate.bridge.stream_reader import StreamReader
from wampgate.core.freshness import Freshness
from wampgate.tls import trust_root_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.base import ReactorBase

    from wampgate.bridge.redis_connection import RedisConnection
    from wampgate.bridge.rules import Dropped, StreamRule
    from wampgate.bridge.stream_entries import Entry
    from wampgate.bridge.stream_offsets import StreamOffsets
    from wampgate.bridge.stream_progress import Missed
    from wampgate.bridge.templates import TopicPattern
    from wampgate.core.histogram import Histogram
    from wampgate.core.history import History
    from wampgate.core.interfaces import Publisher, SessionEnder

_STORE_SECONDS: Final = 1.0
"""How often the offsets are written, if they have changed."""

_START_SECONDS: Final = 1.0
"""How long the router's start waits for the streams: those who come back find the history in memory."""

_STEP_SECONDS: Final = 0.01

log = Logger()


class TellGap(Protocol):
    """Tells subscribers that something is missing."""

    def __call__(self, topics: Sequence[TopicPattern], *, since: float) -> None:
        """Tell all who subscribe to any of these topics. Never raises.

        Args:
            topics: where events are missing.
            since: when the last entry was added before those that are missing, in seconds since 1970.
        """


class StreamBridge:
    """Publishes what is added to streams, by rules. Whatever comes, it never raises and never stops.

    Args:
        reactor: Twisted's.
        name: for the log.
        url: ``redis://`` or ``rediss://``, with user, password and database if need be.
        rules: what to read and where it goes. What two streams lead to does not overlap:
            nobody could say in which order it came.
        publisher: may publish on :meth:`topics` and nowhere else.
        offsets: keeps how far each stream was read.
        sessions: ends sessions, for rules with ``disconnects``; None if none may.
        history: the realm's; None if it has none.
        tell_gap: tells subscribers that entries were trimmed before they were read.
        ca_file: PEM certificates to trust for ``rediss``; None for the platform's.
        ping_seconds: how often Redis is asked whether it is alive. It is given up
            after twice as long at most.
        count: how many entries of a stream are asked for at a time, at most.
        oldest: whether a stream that was never read is read from its oldest entry on; else from what comes.
        dead_letter_suffix: what makes a stream's key that of its dead letters; None for no dead letters.

    Attributes:
        counters: how often what happened; the names stand in ``docs/redis.md``.
        freshness: how long entries take from being added to being published here.

    Raises:
        ValueError: the URL, the CA file or ping_seconds can't be used.
    """

    kind: Final = "streams"
    """What an operator is told that it is."""

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        url: str,
        rules: Sequence[StreamRule],
        publisher: Publisher,
        *,
        offsets: StreamOffsets,
        sessions: SessionEnder | None = None,
        history: History | None = None,
        tell_gap: TellGap | None = None,
        ca_file: str | None = None,
        ping_seconds: float = 2.0,
        count: int = 500,
        oldest: bool = False,
        dead_letter_suffix: str | None = ":dead",
    ) -> None:
        if not 0 < ping_seconds < float("inf"):
            raise ValueError(f"ping_seconds is {ping_seconds}; it is a number of seconds above 0")
        self.counters: Counter[str] = Counter()
        # Redis is asked anew each time that it had nothing to say for a quarter of this.
        self.freshness = Freshness(ping_seconds)
        self._took = False
        self._reactor: Any = reactor
        self._name = name
        self._rules = tuple(rules)
        self._rules_by_stream = _by_stream(self._rules)
        self._outcomes = Outcomes(name, publisher, self.counters, sessions)
        self._offsets = offsets
        self._stored: dict[str, Offset] = {}
        self._storing: Deferred[None] | None = None
        self._timer = LoopingCall(self._store_if_changed)
        self._timer.clock = reactor  # type: ignore[assignment]  # it is one by zope.interface only
        self._history = history
        self._tell_gap = tell_gap
        self._dead_letters = DeadLetters(name, dead_letter_suffix, self.counters)
        address, trust_root = parse_redis_url(url), trust_root_of(ca_file)
        self._commands = RedisCommands(reactor, name, address, trust_root=trust_root, ping_seconds=ping_seconds)
        self._reader = StreamReader(
            reactor,
            name,
            tuple(self._rules_by_stream),
            self,
            database=address.database,
            oldest=oldest,
            count=count,
            # Redis answers nothing else while it waits for entries, and has to answer pings in time.
            block_seconds=ping_seconds / 4,
        )
        self._link = RedisLink(
            reactor,
            name,
            address,
            self._reader,
            what="reading streams of",
            loss="What is added there waits to be read",
            trust_root=trust_root,
            ping_seconds=ping_seconds,
            counters=self.counters,
        )
        self._source = StreamHistory(reactor, name, self._rules_by_stream, self._commands.get)

    @property
    def name(self) -> str:
        """The bridge's name in router.json."""
        return self._name

    @property
    def ready(self) -> bool:
        """Whether all was read that was in the streams when the connection was made; False while Redis is away."""
        return self._reader.ready

    @property
    def event_seconds(self) -> Histogram:
        """From when entries were added, by Redis' clock, until they were published here."""
        return self.freshness.seconds

    @property
    def lag_seconds(self) -> float:
        """How far reading is behind what is added; 0 while it is not."""
        return self.freshness.behind

    def topics(self) -> list[TopicPattern]:
        """What the rules can publish to: ``(uri, "exact")`` or ``(prefix, "prefix")``, each once."""
        return list(dict.fromkeys(pattern for rule in self._rules for pattern in rule.topics()))

    def reserve(self) -> None:
        """Take hold of where the offsets are kept, as :meth:`start` would.

        Raises:
            OSError: they can't be kept there.
        """
        self._offsets.open()

    def release(self) -> None:
        """Let go of it again: nothing is started."""
        self._offsets.close()

    def start(self) -> Deferred[None]:
        """Begin to read; fires when all that was there is read, or after a second.

        Fails with :class:`OSError` if the offsets can't be kept.
        """
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Read no more; fires when the connections are closed and the offsets are written. Never fails."""
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        self._offsets.open()
        try:
            self._stored = self._offsets.load()
        except OffsetsUnreadable as error:
            self.counters["offsets_failed"] += 1
            log.warn(
                "bridge {name}: {error}. Reading begins as on a new node; clients that recover miss nothing.",
                name=self._name,
                error=str(error),
            )
        self._reader.begin_from(self._stored)
        self._commands.start()
        if self._history is not None:
            for uri, match in self.topics():
                self._history.provide(uri, match, self._source)
        self._timer.start(_STORE_SECONDS, now=False).addErrback(self._timer_failed)
        self._link.start()
        until = self._reactor.seconds() + _START_SECONDS
        while not self.ready and self._reactor.seconds() < until:
            await deferLater(self._reactor, _STEP_SECONDS)

    async def _stop(self) -> None:
        if self._history is not None:
            for uri, match in self.topics():
                self._history.withdraw(uri, match, self._source)
        await self._link.stop()
        await self._reader.rest()
        await self._commands.stop()
        if self._timer.running:
            self._timer.stop()
        if self._storing is not None:
            await self._storing
        self._store_if_changed()
        if self._storing is not None:
            await self._storing
        self._offsets.close()

    # --- what the reader brings ---

    async def begin(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.stream_reader.Taker`: the newest entries go into the history, and to nobody."""
        history = self._history
        if history is None:
            return
        share = len(self._rules_by_stream)
        events = []
        for stream, rules in self._rules_by_stream.items():
            tail = await tail_of(
                self._reactor,
                connection,
                stream,
                self._reader.progress[stream].offset,
                entries=TAIL_ENTRIES // share,
                size=TAIL_BYTES // share,
            )
            for entry in tail:
                events += [(event, publication, entry.id.seconds) for event, publication in events_of(rules, entry)]
        # Where a bridge has been before, as one that this one takes the place of, all that it has read is there.
        known = {event.topic for event, _, _ in events if history.has(event.topic)}
        for event, publication, at in events:
            if may_be_kept(event) and event.topic not in known:
                history.remember(event.topic, event.args, event.kwargs, publication=publication, at=at)

    def take(self, entry: Entry) -> None:
        """See :class:`wampgate.bridge.stream_reader.Taker`."""
        self.counters["received"] += 1
        self._took = True
        self.freshness.brought(entry.id.seconds)
        poison: Dropped | None = None
        readable = False
        for index, rule in enumerate(self._rules_by_stream[entry.stream]):
            dropped = self._outcomes.take_entry(rule, entry.stream, entry.fields, entry.publication(index))
            poison = poison or dropped
            readable = readable or dropped is None
        if poison is not None and not readable:
            self._dead_letters.add(entry, poison)

    async def finish(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.stream_reader.Taker`."""
        if not self._took and self.ready:
            self.freshness.all_brought()
        self._took = False
        await self._dead_letters.send(connection)

    def missed(self, stream: str, missed: Missed) -> None:
        """See :class:`wampgate.bridge.stream_reader.Taker`: the subscribers are told, and the history has a hole."""
        self.counters["stream_gap"] += 1
        self.counters["stream_missed"] += missed.count or 0
        log.warn(
            "bridge {name}: stream {stream}: {what} since {since}; the subscribers are told",
            name=self._name,
            stream=stream,
            what=_what_is_missing(missed),
            since=str(missed.since),
        )
        topics = list(dict.fromkeys(pattern for rule in self._rules_by_stream[stream] for pattern in rule.topics()))
        if self._history is not None:
            for uri, match in topics:
                self._history.forget(uri, match)
        if self._tell_gap is not None:
            self._tell_gap(topics, since=missed.since.seconds)

    # --- offsets ---

    def _store_if_changed(self) -> None:
        offsets = {stream: Offset(one.offset, one.added, one.agreed) for stream, one in self._reader.progress.items()}
        if self._storing is not None or offsets == self._stored:
            return
        self._storing = deferToThread(self._offsets.store, offsets)
        self._storing.addCallbacks(lambda _: self._stored_now(offsets), self._store_failed)

    def _stored_now(self, offsets: dict[str, Offset]) -> None:
        self._storing = None
        self._stored = offsets

    def _store_failed(self, failure: Any) -> None:
        self._storing = None
        self.counters["offsets_failed"] += 1
        if self.counters["offsets_failed"] == 1:
            log.error(
                "bridge {name}: the offsets can't be written: {error}. Entries may be delivered again after a restart.",
                name=self._name,
                error=failure.getErrorMessage(),
            )

    def _timer_failed(self, failure: Any) -> None:
        log.failure("bridge {name}: writing offsets has failed", failure, name=self._name)


def _by_stream(rules: Sequence[StreamRule]) -> dict[str, list[StreamRule]]:
    rules_by_stream: dict[str, list[StreamRule]] = {}
    for rule in rules:
        for stream in rule.streams():
            rules_by_stream.setdefault(stream, []).append(rule)
    return rules_by_stream


def _what_is_missing(missed: Missed) -> str:
    if missed.reset:
        return "it was deleted, or Redis has lost it; what it held may be missing"
    if missed.count is None:
        return "entries may have been trimmed before they were read"
    return f"{missed.count} entries were trimmed or deleted before they were read"
