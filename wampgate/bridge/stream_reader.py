"""Reads streams, entry by entry and in order, over one connection after another."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from wampgate.bridge.pace import Helping, Pace
from wampgate.bridge.redis_connection import (
    ConnectionEnded,
    RedisConnection,
    RedisError,
    RedisRefused,
    code_of,
    hint_of,
)
from wampgate.bridge.stream_entries import entries_of, rows_by_stream
from wampgate.bridge.stream_ids import START
from wampgate.bridge.stream_progress import ABSENT, StreamProgress, stream_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twisted.internet.base import ReactorBase

    from wampgate.bridge.stream_entries import Entry
    from wampgate.bridge.stream_ids import StreamId
    from wampgate.bridge.stream_offsets import Offset
    from wampgate.bridge.stream_progress import Missed, StreamState

_COMPARE_SECONDS: Final = 1.0
"""How often Redis is asked how many entries there ought to be."""

log = Logger()


class Taker(Protocol):
    """Takes what a reader reads."""

    async def begin(self, connection: RedisConnection) -> None:
        """The first connection is there, nothing was read yet, and each stream's offset is known.

        Raises:
            ConnectionEnded, RedisError: it comes to nothing; called again with the next connection.
        """

    def take(self, entry: Entry) -> None:
        """Take an entry. Never raises."""

    def missed(self, stream: str, missed: Missed) -> None:
        """Entries are gone that were never read. Never raises."""

    async def finish(self, connection: RedisConnection) -> None:
        """All entries of one answer were taken.

        Raises:
            ConnectionEnded: the connection was lost.
        """


class StreamReader:
    """Reads all streams of one bridge; the user of its :class:`wampgate.bridge.redis_link.RedisLink`.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        streams: the streams' keys.
        taker: takes the entries.
        database: the number of Redis' database that the streams are in.
        oldest: whether a stream that was never read is read from its oldest entry; else from what comes.
        count: how many entries of each stream are asked for at a time, at most.
        block_seconds: how long Redis may wait for entries before it answers.

    Attributes:
        progress: how far each stream was read, by its key; streams that were never looked at are missing.
        ready: whether all has been read that was there when the connection was made.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        streams: Sequence[str],
        taker: Taker,
        *,
        database: int,
        oldest: bool,
        count: int,
        block_seconds: float,
    ) -> None:
        self.progress: dict[str, StreamProgress] = {}
        self.ready = False
        self._name = name
        self._streams = tuple(streams)
        self._taker = taker
        self._database = database
        self._oldest = oldest
        self._helping = Helping(count)
        self._block = str(max(1, round(block_seconds * 1000)))
        self._pace = Pace(reactor)
        self._begun = False
        self._compared_at = 0.0
        self._goals: dict[str, StreamId] = {}
        self._reading: Deferred[None] = succeed(None)

    def begin_from(self, offsets: Mapping[str, Offset]) -> None:
        """Go on where reading ended once. To be called before the first connection."""
        for stream in self._streams:
            if stream in offsets:
                self.progress[stream] = StreamProgress(*offsets[stream])

    def rest(self) -> Deferred[None]:
        """Fires when the last connection's reading has ended; call it once the link has stopped."""
        rest: Deferred[None] = Deferred()
        self._reading.addBoth(lambda _: rest.callback(None))
        return rest

    # --- what the link asks ---

    def connection(self) -> RedisConnection:
        """See :class:`wampgate.bridge.redis_link.User`."""
        return RedisConnection()

    async def prepare(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.redis_link.User`. Whatever is forbidden shows here.

        Raises:
            RedisRefused: Redis said no.
            ConnectionEnded: the connection was lost meanwhile.
        """
        # What came last on the connection before is still being handed out.
        await self.rest()
        try:
            if self._database:
                await connection.execute("SELECT", str(self._database))
            states = [await self._state(connection, stream) for stream in self._streams]
            await connection.execute("XREAD", "COUNT", "1", "STREAMS", *self._streams, *("$" for _ in self._streams))
            for stream in self._streams:
                await connection.execute("XRANGE", stream, "+", "+", "COUNT", "1")
                await connection.execute("XREVRANGE", stream, "-", "-", "COUNT", "1")
        except RedisError as error:
            raise self._refusal(error) from None
        self._compare(dict(zip(self._streams, states, strict=True)))
        self._goals = {stream: state.last for stream, state in zip(self._streams, states, strict=True)}

    def came(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.redis_link.User`."""
        self._reading = Deferred.fromCoroutine(self._read(connection))

    def went(self, connection: RedisConnection) -> None:  # noqa: ARG002 - the link's signature
        """See :class:`wampgate.bridge.redis_link.User`."""
        self.ready = False

    # --- reading ---

    async def _read(self, connection: RedisConnection) -> None:
        answered = False
        try:
            if not self._begun:
                await self._taker.begin(connection)
                self._begun = True
            await self._taker.finish(connection)
            while not connection.given_up:
                reply = await connection.execute(*self._command())
                answered = True
                await self._take(connection, reply)
                await self._taker.finish(connection)
                self.ready = not self._goals and not connection.given_up
                await self._look(connection)
        except ConnectionEnded:
            if not answered:
                self._helping.failed()
        except (RedisError, ValueError) as error:
            connection.abort(str(self._refusal(error)) if isinstance(error, RedisError) else str(error))
        except Exception:  # noqa: BLE001 - our own fault; the streams must be read all the same
            log.failure("bridge {name}: the streams could not be read on", name=self._name)
            connection.abort("a fault of wampgate's own; the log has the details")

    def _command(self) -> tuple[str, ...]:
        ids = (str(self.progress[stream].offset) for stream in self._streams)
        return ("XREAD", "COUNT", str(self._helping.count), "BLOCK", self._block, "STREAMS", *self._streams, *ids)

    async def _take(self, connection: RedisConnection, reply: Sequence[Any] | None) -> None:
        news = rows_by_stream(reply)
        size = 0
        for stream in self._streams:
            progress = self.progress[stream]
            if stream not in news:
                self._note(stream, progress.read_all())
                self._goals.pop(stream, None)
                continue
            for entry in entries_of(stream, news[stream]):
                self._note(stream, progress.read(entry.id))
                self._taker.take(entry)
                size += entry.size
                await self._pace.step()
                if connection.given_up:
                    return
            if stream in self._goals and progress.offset >= self._goals[stream]:
                del self._goals[stream]
        self._helping.answered(max(map(len, news.values()), default=0), size)

    async def _look(self, connection: RedisConnection) -> None:
        """Now and then, ask how many entries there ought to be."""
        if monotonic() - self._compared_at < _COMPARE_SECONDS:
            return
        asked = [connection.execute("XINFO", "STREAM", stream) for stream in self._streams]
        self._compare({stream: await _state_of(answer) for stream, answer in zip(self._streams, asked, strict=True)})

    def _compare(self, states: Mapping[str, StreamState]) -> None:
        self._compared_at = monotonic()
        for stream, state in states.items():
            progress = self.progress.get(stream)
            if progress is None:
                progress = self.progress[stream] = StreamProgress(START if self._oldest else state.last)
            self._note(stream, progress.compare(state))

    def _note(self, stream: str, missed: Missed | None) -> None:
        if missed is not None:
            self._taker.missed(stream, missed)

    async def _state(self, connection: RedisConnection, stream: str) -> StreamState:
        try:
            return await _state_of(connection.execute("XINFO", "STREAM", stream))
        except RedisError as error:
            if code_of(error) == "WRONGTYPE":
                raise RedisRefused(f"the key {stream!r} is no stream; name another one in the rule") from None
            raise

    def _refusal(self, error: RedisError) -> RedisRefused:
        if code_of(error) != "NOPERM":
            return RedisRefused(f"the streams can't be read: {hint_of(error)}")
        keys = " ".join(f"~{stream}" for stream in self._streams)
        return RedisRefused(
            "the streams can't be read: grant the user what it takes, as "
            f"ACL SETUSER <user> {keys} +select +ping +xread +xrange +xrevrange +xinfo|stream"
        )


async def _state_of(answer: Deferred[Any]) -> StreamState:
    try:
        return stream_state(await answer)
    except RedisError as error:
        if "no such key" in str(error):
            return ABSENT
        raise
