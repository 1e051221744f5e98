"""A stream as its topics' history: what came behind an event, and the newest events at the beginning.

The stream itself is asked, so that nothing that is still in it is ever missing from an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from wampgate.bridge.pace import Helping, Pace
from wampgate.bridge.redis_connection import ConnectionEnded, RedisError
from wampgate.bridge.stream_entries import entries_of, events_of
from wampgate.bridge.stream_ids import entry_of
from wampgate.core.matching import covers
from wampgate.core.stored_events import stored_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from wampgate.bridge.redis_connection import RedisConnection
    from wampgate.bridge.rules import BridgedEvent, StreamRule
    from wampgate.bridge.stream_entries import Entry
    from wampgate.bridge.stream_ids import StreamId
    from wampgate.core.stored_events import StoredEvent

_COUNT: Final = 500
"""So many entries are asked for at a time."""

MAX_SCANNED: Final = 100_000
"""So many entries are looked at for one answer; what needs more can't be said."""

MAX_SEARCHED: Final = 2_000
"""So many of the newest entries are searched for an id that doesn't tell its place."""

_AT_ONCE: Final = 4
"""So many questions are worked on at a time; the others wait."""

TAIL_ENTRIES: Final = 4_000
TAIL_BYTES: Final = 8 << 20
"""What all streams of a bridge put into the memory at first. It is put there within one turn of the
reactor: half of it would look like the whole. Older events are read from the streams."""

log = Logger()


class _Asked(NamedTuple):
    """A question: what :meth:`StreamHistory.events_after` was called with."""

    topic: str
    publication: int
    limit: int


class StreamHistory:
    """Answers from the streams; see :class:`wampgate.core.interfaces.EventsAfter`.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        rules_by_stream: which rules read which stream.
        connection: a connection that no blocking command is sent on; None while there is none.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        rules_by_stream: Mapping[str, Sequence[StreamRule]],
        connection: Callable[[], Awaitable[RedisConnection | None]],
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._rules_by_stream = rules_by_stream
        self._connection = connection
        self._places = DeferredSemaphore(_AT_ONCE)

    async def events_after(self, topic: str, publication: int, limit: int) -> Sequence[StoredEvent] | None:
        """See :meth:`wampgate.core.interfaces.EventsAfter.events_after`."""
        await self._places.acquire()
        try:
            connection = await self._connection()
            return None if connection is None else await self._answer(connection, topic, publication, limit)
        except (ConnectionEnded, RedisError, ValueError) as error:
            log.warn(
                "bridge {name}: what came after an event could not be read: {reason}",
                name=self._name,
                reason=str(error)[:200],
            )
            return None
        finally:
            self._places.release()

    async def _answer(
        self, connection: RedisConnection, topic: str, publication: int, limit: int
    ) -> Sequence[StoredEvent] | None:
        for stream, rules in self._rules_by_stream.items():
            if any(covers(uri, match, topic, "exact") for rule in rules for uri, match in rule.topics()):
                place = await self._place(connection, stream, publication)
                if place is not None:
                    return await self._events(connection, _Asked(topic, publication, limit), stream, place)
        return None

    async def _place(self, connection: RedisConnection, stream: str, publication: int) -> StreamId | None:
        """The entry that an event came from; None if it isn't there (any more)."""
        place = entry_of(stream, publication)
        if place is not None and await connection.execute("XRANGE", stream, str(place), str(place)):
            return place
        pace, searched = Pace(self._reactor), 0
        async for entry in newest_first(connection, stream, "+"):
            if any(publication == other for _, other in events_of(self._rules_by_stream[stream], entry)):
                return entry.id
            searched += 1
            if searched == MAX_SEARCHED:
                break
            await pace.step()
        return None

    async def _events(
        self, connection: RedisConnection, asked: _Asked, stream: str, place: StreamId
    ) -> Sequence[StoredEvent] | None:
        pace, helping, scanned = Pace(self._reactor), Helping(_COUNT), 0
        found: list[StoredEvent] = []
        while scanned < MAX_SCANNED:
            # The entry that was read last comes once more: as long as it is there, nothing behind it was trimmed.
            count = helping.count + 1
            reply = await connection.execute("XRANGE", stream, str(place), "+", "COUNT", str(count))
            entries = entries_of(stream, reply)
            if not entries or entries[0].id != place:
                return None
            for entry in entries[1:] if scanned else entries:
                found += self._stored(entry, asked.topic, None if scanned else asked.publication)
                if len(found) >= asked.limit:
                    return found[: asked.limit]
                scanned += 1
                await pace.step()
            if len(entries) < count:
                return found
            place = entries[-1].id
            helping.answered(len(entries), sum(entry.size for entry in entries))
        log.warn(
            "bridge {name}: someone is further behind on stream {stream} than {entries} entries; it is told so",
            name=self._name,
            stream=stream,
            entries=MAX_SCANNED,
        )
        return None

    def _stored(self, entry: Entry, topic: str, after: int | None) -> list[StoredEvent]:
        """A topic's events in an entry; of the entry where the asker stands, those behind the event that it has."""
        events = list(events_of(self._rules_by_stream[entry.stream], entry))
        begin = next((index + 1 for index, (_, publication) in enumerate(events) if publication == after), 0)
        return [
            stored_event(topic, publication, event.args, event.kwargs, entry.id.seconds)
            for event, publication in events[begin:]
            if event.topic == topic and may_be_kept(event)
        ]


def may_be_kept(event: BridgedEvent) -> bool:
    """Whether the specification lets it be kept: not what is for some sessions and not for others ("Event History")."""
    return not event.exclude and not event.exclude_subscribers


async def newest_first(connection: RedisConnection, stream: str, end: str) -> AsyncIterator[Entry]:
    """A stream's entries backwards.

    Args:
        connection: where to ask.
        stream: the stream's key.
        end: the id to begin with, or ``+``.

    Raises:
        ConnectionEnded, RedisError, ValueError: Redis did not answer.
    """
    helping = Helping(_COUNT)
    while True:
        asked = helping.count
        reply = await connection.execute("XREVRANGE", stream, end, "-", "COUNT", str(asked))
        entries = entries_of(stream, reply)
        for entry in entries:
            yield entry
        if len(entries) < asked:
            return
        end = f"({entries[-1].id}"
        helping.answered(len(entries), sum(entry.size for entry in entries))


async def tail_of(
    reactor: Any, connection: RedisConnection, stream: str, end: StreamId, *, entries: int, size: int
) -> list[Entry]:
    """The newest entries of a stream up to one of them, oldest first.

    Args:
        reactor: Twisted's.
        connection: where to ask.
        stream: the stream's key.
        end: the last one that is wanted.
        entries: so many at most.
        size: so many bytes at most.

    Raises:
        ConnectionEnded, RedisError, ValueError: Redis did not answer.
    """
    pace = Pace(reactor)
    tail: list[Entry] = []
    async for entry in newest_first(connection, stream, str(end)):
        size -= entry.size
        if size < 0 or len(tail) == entries:
            break
        tail.append(entry)
        await pace.step()
    tail.reverse()
    return tail
