"""Keeps a realm's events in a Redis stream: appends in order, behind the router's back; reads them at the start.

Two keys: ``<prefix>:<realm>`` (a hash: epoch, begin, floor, ended, entries, topics) and
``<prefix>:<realm>:log`` (the stream; an entry's id is the event's sequence). The
sequences make an append harmless to repeat: after a lost connection what was
not answered is sent again, and what Redis has already is refused by its id.

A new epoch begins where Redis may lack an event that it was told: more waits
than may, an append is refused, Redis came back without its newest entries, or
the process ended without having written everything. What is older is still
read at the start, but is no position. An epoch goes on over a restart only if
the word of the run before, which it left when it ended in order, stands in Redis
and in a file: Redis alone does not know of a run that could not reach it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from wampgate.history.commands import Commands, Ended, Refused, packed
from wampgate.history.entries import Unreadable, event_of, fields_of, sequence_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from wampgate.core.history import History
    from wampgate.core.stored_events import StoredEvent
    from wampgate.history.orderly_end import OrderlyEnd

_PORTION: Final = 500
"""So many entries are read or removed at once."""

_WINDOW: Final = 1_000
"""So many commands may be without an answer."""

_RETRY_SECONDS: Final = 0.5

_FAREWELL_SECONDS: Final = 3.0
"""How long stopping waits for what is still to be written."""

log = Logger()


class _Item:
    """A command that waits for its turn or its answer."""

    __slots__ = ("appends", "command")

    def __init__(self, command: bytes, appends: int = 0) -> None:
        self.command = command
        self.appends = appends


@dataclass(slots=True)
class _Found:
    """What was there at the start.

    Attributes:
        events: each with the sequence of the one before it on its topic.
        floor: the newest event of any topic of which nothing is left.
        last: the newest event that ever was.
        whole_from: where the epoch began, if it goes on.
    """

    events: list[tuple[StoredEvent, int]] = field(default_factory=list)
    floor: int = 0
    last: int = 0
    whole_from: int | None = None


class _One(Factory):
    """Hands out the connection that it was made for."""

    noisy = False

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def buildProtocol(self, addr: Any) -> Commands:  # noqa: ARG002, N802 - Twisted's signature
        """See twisted.internet.protocol."""
        return self._commands


class RedisHistory:
    """One realm's events in one Redis; see :class:`wampgate.core.interfaces.HistoryStore`.

    Args:
        reactor: Twisted's.
        name: what topics call it, for the log.
        endpoint: connects to Redis.
        username: the ACL user; None for the default one.
        password: None if none is to be shown.
        database: its number.
        key: what its two keys begin with.
        topics: tells one set of topic options from another: what others kept is whole for them only.
        orderly_end: keeps that a run ended in order; None for no one: then no epoch outlives its run.
        queue_bytes: what may wait for Redis.
        timeout: how long Redis may leave a command unanswered, in seconds.
        counters: ``history_appended``, ``history_epochs_of_store`` and ``history_unreadable`` are counted here.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        endpoint: Any,
        *,
        username: str | None,
        password: str | None,
        database: int,
        key: str,
        topics: str,
        orderly_end: OrderlyEnd | None,
        queue_bytes: int,
        timeout: float,
        counters: Counter[str],
    ) -> None:
        self.epoch = token_hex(8)
        self.name = name
        self._reactor = reactor
        self._endpoint = endpoint
        self._username = username
        self._password = password
        self._database = database
        self._meta = key.encode()
        self._log = key.encode() + b":log"
        self._topics = topics.encode()
        self._orderly_end = orderly_end
        self._queue_bytes = queue_bytes
        self._timeout = timeout
        self._counters = counters
        self._changed: Callable[[], None] = lambda: None
        self._commands: Commands | None = None
        self._queue: deque[_Item] = deque()
        self._sent: deque[_Item] = deque()
        self._bytes = 0
        self._sent_bytes = 0
        self._losing = False
        self._sequence = 0
        self._begun_at = 0
        self._appended = 0
        self._floor = 0
        self._repeated = 0
        self._running = False
        self._flushing = False
        self._complaint = ""
        self._watch: LoopingCall | None = None

    @property
    def ready(self) -> bool:
        """Whether Redis takes what is appended, now."""
        return self._commands is not None

    @property
    def waiting(self) -> int:
        """How many commands Redis has not confirmed."""
        return len(self._queue) + len(self._sent)

    # --- the router's side ---

    def append(self, event: StoredEvent, previous: int) -> None:
        """See :meth:`wampgate.core.interfaces.HistoryStore.append`."""
        self._sequence = event.sequence
        command = packed(b"XADD", self._log, b"%d-1" % event.sequence, *fields_of(event, previous))
        self._put(_Item(command, event.sequence))

    def forget(self, events: Sequence[StoredEvent], floor: int) -> None:
        """See :meth:`wampgate.core.interfaces.HistoryStore.forget`."""
        for begin in range(0, len(events), _PORTION):
            ids = [b"%d-1" % event.sequence for event in events[begin : begin + _PORTION]]
            self._put(_Item(packed(b"XDEL", self._log, *ids)))
        if floor > self._floor:
            self._floor = floor
            self._put(_Item(packed(b"HSET", self._meta, b"floor", b"%d" % floor)))

    def _put(self, item: _Item) -> None:
        if self._bytes + len(item.command) > self._queue_bytes:
            self._lose("more waits for Redis than may: what waited is not written")
        self._queue.append(item)
        self._bytes += len(item.command)
        if self._commands is not None and not self._flushing:
            # What is published in one turn leaves in one piece.
            self._flushing = True
            self._reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        while self._commands is not None and self._queue and self._has_window():
            self._send(self._commands, self._queue.popleft())

    def _has_window(self) -> bool:
        # Half of the room stays for what waits, whatever is on its way.
        return len(self._sent) < _WINDOW and self._sent_bytes <= self._queue_bytes // 2

    def _send(self, commands: Commands, item: _Item) -> None:
        self._sent.append(item)
        self._sent_bytes += len(item.command)
        commands.send(item.command, self._answered)

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, Ended):
            # It stays among what was sent, and is sent again.
            return
        item = self._sent.popleft()
        self._sent_bytes -= len(item.command)
        self._bytes -= len(item.command)
        if isinstance(reply, Refused):
            self._refused(item, reply)
        elif item.appends:
            self._appended = item.appends
            self._counters["history_appended"] += 1
            self._losing = False
        self._flush()

    def _refused(self, item: _Item, refused: Refused) -> None:
        if refused.code == "ERR" and 0 < item.appends <= self._repeated:
            # It had been written before the connection was lost.
            self._appended = max(self._appended, item.appends)
        else:
            self._lose(f"Redis refused to write: {refused.code}", keep=True)

    def _lose(self, why: str, *, keep: bool = False) -> None:
        """Begin a new epoch: Redis will lack events that it was told of.

        Args:
            why: for the log.
            keep: whether what waits can still be written.
        """
        if not keep:
            self._queue.clear()
            self._bytes = self._sent_bytes
        self.epoch = token_hex(8)
        self._counters["history_epochs_of_store"] += 1
        if not self._losing:
            self._losing = True
            log.warn("history {name}: {why}. A new epoch begins, and others until it is well.", name=self.name, why=why)
        begun = _Item(packed(*self._begin(self._sequence)))
        self._queue.append(begun)
        self._bytes += len(begun.command)
        self._changed()

    def _begin(self, begin: int) -> tuple[bytes, ...]:
        """The command that says what epoch this is."""
        epoch = (b"epoch", self.epoch.encode(), b"begin", b"%d" % begin)
        return (b"HSET", self._meta, *epoch, b"ended", b"", b"topics", self._topics)

    # --- from the start to the end ---

    async def start(self, history: History) -> None:
        """Read what was kept, and keep from now on; without Redis, keep as soon as it is there.

        Fails with :class:`OSError` if the file that says how the last run ended can't be used.
        """
        ended = None if self._orderly_end is None else self._orderly_end.take()
        self._running = True
        found = _Found()
        commands = await self._connect()
        try:
            if commands is not None:
                found = await self._read(commands, ended)
        except (Ended, Refused, ValueError, LookupError) as error:
            self._complain(str(error) or type(error).__name__)
            _given_up(commands, "what is there can't be read")
            commands = None
        history.keep_in(self.name, self, found.events, whole_from=found.whole_from, floor=found.floor)
        history.sequence = max(history.sequence, found.last)
        self._changed = lambda: history.begin_epoch(self.name)
        self._sequence = self._begun_at = history.sequence
        self._floor, self._appended = found.floor, found.last
        begun = self._begin(history.sequence if found.whole_from is None else found.whole_from)
        try:
            # Nothing may be published before Redis knows that it has not seen the end of it.
            if commands is not None:
                await commands.execute(*begun)
        except (Ended, Refused) as error:
            _given_up(commands, str(error))
            commands = None
        log.info(
            "history {name}: {count} events of the {state} epoch {epoch}",
            name=self.name,
            count=len(found.events),
            state="new" if found.whole_from is None else "same",
            epoch=self.epoch,
        )
        self._watch = LoopingCall(self._look)
        self._watch.clock = self._reactor
        self._watch.start(self._timeout, now=False).addErrback(lambda failure: log.failure("history", failure))
        if commands is None:
            self._queue.appendleft(item := _Item(packed(*begun)))
            self._bytes += len(item.command)
            self._come_back()
        self._commands = commands
        self._flush()

    async def stop(self) -> None:
        """Write what waits, if Redis takes it soon, and end. Never fails."""
        deadline = self._reactor.seconds() + _FAREWELL_SECONDS
        while self.waiting and self._reactor.seconds() < deadline:
            self._flush()
            await deferLater(self._reactor, 0.02)
        if self._commands is not None and not self.waiting:
            await self._close(self._commands)
        self._running = False
        if self._watch is not None and self._watch.running:
            self._watch.stop()
        commands, self._commands = self._commands, None
        _given_up(commands, "the router stops")

    async def _close(self, commands: Commands) -> None:
        """Say that all is written, and how much that is."""
        if self._orderly_end is None:
            return
        word = token_hex(16)
        deadline = self._reactor.callLater(_FAREWELL_SECONDS, commands.abort, "it does not answer")
        try:
            entries = await commands.execute(b"XLEN", self._log)
            self._orderly_end.leave(word)
            await commands.execute(b"HSET", self._meta, b"ended", word.encode(), b"entries", b"%d" % entries)
        except (Ended, Refused) as error:
            self._complain(str(error))
        except OSError as error:
            log.warn(
                "history {name}: that the router ended in order can't be kept: {reason}. No position outlives it.",
                name=self.name,
                reason=error.strerror,
            )
        finally:
            if deadline.active():
                deadline.cancel()

    async def _read(self, commands: Commands, ended: str | None) -> _Found:
        """What is kept in Redis, and whether its epoch goes on: if the last run left this word there too."""
        flat = await commands.execute(b"HGETALL", self._meta)
        meta = dict(zip(flat[::2], flat[1::2], strict=False))
        entries, events = await self._read_log(commands)
        found = _Found(events, floor=int(meta.get(b"floor", b"0")), last=await self._last(commands))
        if (
            ended
            and meta.get(b"ended") == ended.encode()
            and meta.get(b"topics") == self._topics
            and meta.get(b"entries") == b"%d" % entries
            and entries == len(events)
        ):
            self.epoch = meta[b"epoch"].decode()
            found.whole_from = int(meta[b"begin"])
        return found

    async def _read_log(self, commands: Commands) -> tuple[int, list[tuple[StoredEvent, int]]]:
        """How many entries there are, and those that are events."""
        count = 0
        kept: list[tuple[StoredEvent, int]] = []
        begin = b"-"
        while True:
            entries = await commands.execute(b"XRANGE", self._log, begin, b"+", b"COUNT", b"%d" % _PORTION)
            for entry_id, fields in entries:
                try:
                    kept.append(event_of(entry_id, fields))
                except Unreadable as error:
                    self._counters["history_unreadable"] += 1
                    log.warn("history {name}: {error}", name=self.name, error=str(error))
            count += len(entries)
            if len(entries) < _PORTION:
                return count, kept
            begin = b"(" + entries[-1][0]
            # The reactor's other work goes on between the portions.
            await deferLater(self._reactor, 0)

    async def _last(self, commands: Commands) -> int:
        """The newest sequence that the stream ever had; 0 if there is none."""
        try:
            flat = await commands.execute(b"XINFO", b"STREAM", self._log)
        except Refused as refused:
            if refused.code != "ERR":
                raise
            return 0
        return sequence_of(dict(zip(flat[::2], flat[1::2], strict=False))[b"last-generated-id"])

    # --- the connection ---

    async def _connect(self) -> Commands | None:
        commands = Commands(self._lost)
        try:
            await self._endpoint.connect(_One(commands)).addTimeout(self._timeout, self._reactor)
            deadline = self._reactor.callLater(self._timeout, commands.abort, "it does not answer")
            try:
                await self._greet(commands)
            finally:
                if deadline.active():
                    deadline.cancel()
        except Exception as error:  # noqa: BLE001 - whatever hinders a connection, the answer is to try again
            self._complain(str(error) or type(error).__name__)
            _given_up(commands, "given up")
            return None
        return commands

    async def _greet(self, commands: Commands) -> None:
        if self._password is not None:
            name = [] if self._username is None else [self._username.encode()]
            await commands.execute(b"AUTH", *name, self._password.encode())
        if self._database:
            await commands.execute(b"SELECT", b"%d" % self._database)
        await commands.execute(b"PING")

    def _come_back(self) -> None:
        if self._running:
            self._reactor.callLater(_RETRY_SECONDS, lambda: ensureDeferred(self._return()))

    async def _return(self) -> None:
        commands = await self._connect() if self._running else None
        try:
            last = 0 if commands is None else await self._last(commands)
        except (Ended, Refused) as error:
            self._complain(str(error))
            _given_up(commands, "given up")
            commands = None
        if commands is None:
            self._come_back()
            return
        # What was on its way is sent again, before all that waits.
        self._queue.extendleft(reversed(self._sent))
        self._repeated = max((item.appends for item in self._sent), default=0)
        self._sent.clear()
        self._sent_bytes = 0
        if last < self._appended:
            self._lose("Redis has lost its newest entries", keep=True)
        elif last > max(self._repeated, self._appended, self._begun_at):
            self._lose("someone else has written to the stream", keep=True)
        self._complaint = ""
        self._commands = commands
        log.info("history {name}: Redis is back", name=self.name)
        self._flush()

    def _lost(self, reason: str) -> None:
        """The connection that was in use is gone; those that were not yet, have someone who waits for them."""
        if self._commands is None:
            return
        self._commands = None
        self._complain(reason)
        self._come_back()

    def _look(self) -> None:
        """Give a connection up that leaves commands unanswered."""
        commands = self._commands
        if commands is None:
            return
        if commands.unanswered and not commands.heard:
            commands.abort(f"it has not answered for {self._timeout:g} s")
        elif not commands.unanswered:
            ping = _Item(packed(b"PING"))
            self._bytes += len(ping.command)
            self._send(commands, ping)
        commands.heard = False

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            log.warn(
                "history {name}: no connection to Redis: {reason}. What is published waits, within bounds.",
                name=self.name,
                reason=reason,
            )


def _given_up(commands: Commands | None, reason: str) -> None:
    """End a connection; nothing is left of it."""
    if commands is not None:
        commands.abort(reason)
