"""The transactional outbox: rows of a Postgres table are published once committed, in order, at least once.

Every router reads every row and delivers it to its own sessions, since routers are not linked. How
far it has come stands in the database, written behind each portion: what a crash interrupts is
published again, with the same publication id.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.core.errors import RequestRefused, StoreUnavailable
from wampgate.core.freshness import Freshness
from wampgate.core.matching import covers
from wampgate.stores.backoff import delay_after
from wampgate.stores.deadlines import TooLate, within
from wampgate.stores.engine import QueryRefused
from wampgate.stores.outbox_rows import Poison
from wampgate.stores.outbox_table import ABANDONED_SECONDS, NameTaken, OutboxTable
from wampgate.stores.outbox_wake import OutboxWake
from wampgate.stores.postgres_address import PostgresAddress
from wampgate.stores.postgres_pool import PostgresPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from twisted.python.failure import Failure

    from wampgate.core.histogram import Histogram
    from wampgate.core.history import History
    from wampgate.core.interfaces import Publisher
    from wampgate.stores.outbox_rows import Row
    from wampgate.stores.outbox_table import Begun, Look
    from wampgate.wire.messages import Match

PLACED_AT_ONCE: Final = 2_000
"""So many rows are given places in one statement, which takes about 20 ms."""

TAIL_ROWS: Final = 4_000
TAIL_BYTES: Final = 8 << 20
"""What is put into the history at first, within one turn of the reactor: half of it would look like the whole."""

_START_SECONDS: Final = 1.0
_START_SECONDS_KNOWN: Final = 10.0
"""How long the router's start waits for the rows that are there, and how long for the first portion once the database
has answered: what was published before a crash and not noted is in that portion, and who comes back knows it."""

_STEP_SECONDS: Final = 0.01

_STOP_SECONDS: Final = 1.0
"""How long the router's end waits until what was published is noted."""

_LONGEST_DELAY: Final = 1.0
_LONGEST_DELAY_REFUSED: Final = 10.0
"""Seconds until the next attempt, at most: if the database is away, and if it refuses what somebody has to change."""

_HEARTBEAT_SECONDS: Final = 10.0
"""So often a router says that it is still there, at least three times before its name counts as left."""

_PRUNE_SECONDS: Final = 10.0
_PATIENCE: Final = 2
_PATIENCE_UNANSWERED: Final = 5
"""A row that the database refuses to read so often, alone, or leaves so often without answer, is poison."""

_REMEMBERED: Final = 20_000
"""So many of the newest publications are known: what one process reads again it does not publish again."""

log = Logger()


class TellGap(Protocol):
    """Tells subscribers that something is missing."""

    def __call__(self, topics: Sequence[tuple[str, Match]], *, since: float) -> None:
        """Tell all who subscribe to any of these topics. Never raises.

        Args:
            topics: where events are missing.
            since: when the router was last heard of before, in seconds since 1970.
        """


class Outbox:
    """Publishes the rows of one database's outbox. Whatever stands there, it never raises and never stops.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        dsn: libpq's connection string or URI; a PgBouncer will do.
        topics: URIs and patterns that the publisher may publish to.
        publisher: may publish there and nowhere else.
        pace: called before each row; returns in a later turn of the reactor if this one has had its share.
        listen_dsn: a direct connection to the same database, to listen; None: by ``dsn``.
        node: this router's name among all that read this table; no two may have the same.
        history: the realm's; None if it has none.
        tell_gap: tells subscribers that rows were removed before they were published here.
        oldest: whether a router that was never here begins with the oldest row; else with what is not placed yet.
        poll_seconds: how often it is looked for rows whose notification was lost.
        timeout: seconds for connecting, and for each answer.
        count: so many rows are read at a time, at most.
        retention_seconds: rows that all routers have published are removed when they are older; None for never.
        dead_letter_seconds: likewise what was laid aside.

    Attributes:
        counters: how often what happened; the names stand in ``docs/outbox.md``.
        freshness: how long rows take from being inserted to being published here.
        ready: whether all was published that was there when it was last looked.

    Raises:
        ValueError: a DSN can't be read; the text does not repeat it.
    """

    kind: Final = "outbox"
    """What an operator is told that it is."""

    def __init__(
        self,
        reactor: Any,
        name: str,
        dsn: str,
        topics: Sequence[tuple[str, Match]],
        publisher: Publisher,
        *,
        pace: Callable[[], Awaitable[None]],
        listen_dsn: str | None = None,
        node: str = "router",
        history: History | None = None,
        tell_gap: TellGap | None = None,
        oldest: bool = False,
        poll_seconds: float = 1.0,
        timeout: float = 3.0,
        count: int = 500,
        retention_seconds: float | None = 86_400.0,
        dead_letter_seconds: float | None = 2_592_000.0,
    ) -> None:
        address = PostgresAddress(dsn)
        self.counters: Counter[str] = Counter()
        self.freshness = Freshness(2 * poll_seconds)
        self.ready = False
        self._reactor = reactor
        self._name = name
        self._node = node
        self._topics = tuple(topics)
        self._publisher = publisher
        self._pace = pace
        self._history = history
        self._tell_gap = tell_gap
        self._oldest = oldest
        self._poll_seconds = poll_seconds
        self._most = self._count = count
        self._retention = retention_seconds
        self._dead_retention = dead_letter_seconds
        # One statement at a time is enough, and a second connection for when the first one hangs.
        self._pool = PostgresPool(reactor, address, size=2, timeout=timeout)
        self._table = OutboxTable(reactor, self._pool, node, timeout)
        direct = address if listen_dsn is None else PostgresAddress(listen_dsn)
        self._wake = OutboxWake(reactor, name, direct, timeout, self.wake)
        self._working: Deferred[None] | None = None
        self._resting: Deferred[None] | None = None
        self._woken = False
        self._running = False
        self._first = True
        self._caught_up = self._delaying = False
        self._place = 0
        self._refusals = 0
        self._published: dict[int, None] = {}
        self._logged: set[str] = set()
        self._complaint = ""
        self._heard_of = self._pruned = 0.0

    # --- start and stop ---

    @property
    def name(self) -> str:
        """The bridge's name in router.json."""
        return self._name

    @property
    def event_seconds(self) -> Histogram:
        """From when rows were inserted, by the database's clock, until they were published here."""
        return self.freshness.seconds

    @property
    def lag_seconds(self) -> float:
        """How far publishing is behind what is inserted; 0 while it is not."""
        return self.freshness.behind

    def start(self) -> Deferred[None]:
        """Begin to publish; fires when all that was there is published, or after a second."""
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Publish no more; fires when the connections are closed. Never fails."""
        return Deferred.fromCoroutine(self._stop())

    def wake(self) -> None:
        """Look for rows now."""
        self._woken = True
        if self._resting is not None and not self._resting.called:
            self._resting.callback(None)

    async def _start(self) -> None:
        self._running = True
        self._first = True
        self._caught_up = self._delaying = False
        await self._pool.start()
        self._wake.start()
        self._working = Deferred.fromCoroutine(self._work_on())
        self._working.addErrback(self._ended)
        begun = self._reactor.seconds()
        while not self.ready and self._reactor.seconds() - begun < self._start_seconds():
            await deferLater(self._reactor, _STEP_SECONDS)

    def _start_seconds(self) -> float:
        return _START_SECONDS if self._first or self._caught_up else _START_SECONDS_KNOWN

    async def _stop(self) -> None:
        self._running = False
        self.ready = False
        self._wake.stop()
        if self._working is not None:
            if not self._delaying:
                await self._finish(self._working)
            self._working.cancel()
        await self._pool.stop()

    async def _finish(self, working: Deferred[None]) -> None:
        """Let what is published be noted, lest it is published again after the restart."""
        self.wake()
        with suppress(TooLate):
            await within(self._reactor, _STOP_SECONDS, working)

    def _ended(self, failure: Failure) -> None:
        self.ready = False
        if not isinstance(failure.value, CancelledError):
            log.failure("outbox {name}: publishing has stopped", failure, name=self._name)

    # --- the work ---

    async def _work_on(self) -> None:
        failures = 0
        while self._running:
            longest = _LONGEST_DELAY
            try:
                await self._work()
                failures = 0
                continue
            except StoreUnavailable:
                self.counters["unavailable"] += 1  # the pool has said why
            except QueryRefused as refused:
                longest = _LONGEST_DELAY_REFUSED
                self._complain(f"Postgres refuses: {refused.reason}; `wampgate check` says what is missing")
            except NameTaken:
                longest = _LONGEST_DELAY_REFUSED
                self.counters["name_taken"] += 1
                self._complain(
                    f"another router uses the node name {self._node!r} and publishes in its place;"
                    f' nothing is published here. Give each router a "node" of its own'
                )
            except CancelledError:
                raise
            except Exception:  # noqa: BLE001 - our own fault; it goes on all the same
                longest = _LONGEST_DELAY_REFUSED
                self.counters["faults"] += 1
                if self.counters["faults"] == 1:
                    log.failure("outbox {name}: publishing has failed; trying again", name=self._name)
            failures += 1
            self.ready = False
            self._delaying = True
            await deferLater(self._reactor, delay_after(failures, longest))
            self._delaying = False

    async def _work(self) -> None:
        """Publish until the database has gone back, or to another machine."""
        begun = await self._table.begin(oldest=self._oldest, first=self._first)
        look = await self._table.look()
        server = look.server
        self._place = begun.place
        if self._first:
            await self._preload()
        self._first = False
        self._look_for_gap(begun, look)
        while self._running and look.server == server and look.last >= self._place:
            if look.fresh:
                look = await self._table.give_places(PLACED_AT_ONCE)
            if look.last > self._place:
                await self._take_portion(look.last)
            else:  # rows that still have no place are locked by somebody's hand
                self._all_published()
                await self._keep_house(look)
                await self._rest()
            look = await self._table.look()
            self.counters["looked"] += 1
        self.counters["went_back"] += self._running

    async def _take_portion(self, last: int) -> None:
        """Publish what comes next, up to a place that was given before, and note it."""
        try:
            rows = await self._table.portion(self._place, self._count)
        except (QueryRefused, StoreUnavailable) as error:
            await self._unreadable(error)
            return
        self._refusals = 0
        # Large rows are read in small portions, or the server would write out more than it sends.
        self._count = max(1, len(rows)) if len(rows) < self._count else min(self._most, self._count * 2)
        poison = []
        place = self._place if rows else last  # without any, somebody has removed those that were to come
        for row in rows:
            await self._pace()
            if not self._running:
                break
            dead = self._take(row)
            place = row.place
            if dead is not None:
                poison.append((row.id, dead))
        await self._bury(poison)
        await self._pass(place)

    def _take(self, row: Row) -> Poison | None:
        """Publish a row; why not, if it is poison."""
        self.counters["received"] += 1
        self.freshness.brought(row.at)
        if row.publication in self._published:
            self.counters["repeated"] += 1
            return None
        try:
            args, kwargs = row.payload()
            self._publisher.publish(row.topic, args, kwargs, publication=row.publication)
        except Poison as poison:
            return self._dropped(row, poison)
        except RequestRefused as refused:
            return self._dropped(row, Poison("refused", f"the router refused to publish: {refused}"))
        except Exception:  # noqa: BLE001 - our own fault; one row must not take the outbox down
            if "failed" not in self._logged:
                log.failure("outbox {name}: row {id} could not be published", name=self._name, id=row.id)
            return self._dropped(row, Poison("failed", "a fault of wampgate's own; the log has the details"))
        self.counters["published"] += 1
        self._published[row.publication] = None
        if len(self._published) > _REMEMBERED:
            del self._published[next(iter(self._published))]
        return None

    def _dropped(self, row: Row, poison: Poison) -> Poison:
        """Count what can't be published, and log the first of its kind."""
        self.counters[poison.kind] += 1
        if poison.kind not in self._logged:
            self._logged.add(poison.kind)
            log.warn(
                "outbox {name}: row {id} can't be published: {reason}. It is laid aside in wampgate_outbox_dead;"
                " more of this kind ({kind}) are counted, not logged.",
                name=self._name,
                id=row.id,
                reason=poison.reason,
                kind=poison.kind,
            )
        return poison

    async def _unreadable(self, error: QueryRefused | StoreUnavailable) -> None:
        """A portion can't be read: if a row is the reason, find it and lay it aside."""
        if isinstance(error, QueryRefused) and error.for_good:
            raise error
        if self._count > 1:
            self._count = 1
            raise error
        self._refusals += 1
        if self._refusals < (_PATIENCE if isinstance(error, QueryRefused) else _PATIENCE_UNANSWERED):
            raise error
        self._refusals = 0
        found = await self._table.next_row(self._place)
        if found is not None:
            place, row = found
            self.counters["unreadable"] += 1
            why = error.reason if isinstance(error, QueryRefused) else "no answer in time"
            await self._bury([(row, Poison("unreadable", f"Postgres can't write it out: {why}"))])
            await self._pass(place)

    async def _bury(self, poison: Sequence[tuple[int, Poison]]) -> None:
        if not poison:
            return
        try:
            self.counters["dead_letters"] += await self._table.bury(poison)
        except QueryRefused as refused:
            self.counters["dead_letter_failed"] += len(poison)
            if "dead_letter_failed" not in self._logged:
                self._logged.add("dead_letter_failed")
                log.warn(
                    "outbox {name}: rows can't be laid aside in wampgate_outbox_dead: {reason}."
                    " They stay in wampgate_outbox until they are removed for their age.",
                    name=self._name,
                    reason=refused.reason,
                )

    async def _pass(self, place: int) -> None:
        await self._table.passed(place)
        self._place = place
        self._caught_up = True
        self._heard_of = self._reactor.seconds()

    def _all_published(self) -> None:
        self.ready = True
        self.freshness.all_brought()
        if self._complaint:
            self._complaint = ""
            log.info("outbox {name}: publishing again", name=self._name)

    # --- at the beginning ---

    async def _preload(self) -> None:
        """Put the newest rows that were published before into the history, and deliver them to nobody."""
        if self._history is None:
            return
        rows: list[Row] = []
        place, size, count = self._place, TAIL_BYTES, min(self._most, 100)
        while len(rows) < TAIL_ROWS and size > 0 and place > 0:
            some = await self._table.tail(place, count, min(size, 1 << 20))
            if not some:
                break
            rows += some
            size -= sum(len(row.args or "") + len(row.kwargs or "") for row in some)
            place = some[-1].place - 1
        # Where an outbox has been before that this one takes the place of, all that it has read is there.
        known = {row.topic for row in rows if self._history.has(row.topic)}
        for row in reversed(rows):
            if row.topic not in known:
                self._remember(row, self._history)

    def _remember(self, row: Row, history: History) -> None:
        try:
            args, kwargs = row.payload()
        except Poison:
            return
        if any(covers(uri, match, row.topic, "exact") for uri, match in self._topics):
            history.remember(row.topic, args, kwargs, publication=row.publication, at=row.at)

    def _look_for_gap(self, begun: Begun, look: Look) -> None:
        """Tell the subscribers if rows were removed before they were published here."""
        if begun.since is None or begun.place >= look.pruned:
            return
        self.counters["gap"] += 1
        log.warn(
            "outbox {name}: rows were removed for their age while this router was away; the subscribers are told",
            name=self._name,
        )
        if self._history is not None:
            for uri, match in self._topics:
                self._history.forget(uri, match)
        if self._tell_gap is not None:
            self._tell_gap(self._topics, since=begun.since)

    # --- when nothing else is to be done ---

    async def _keep_house(self, look: Look) -> None:
        """Say that this router is there, and remove what is old."""
        now = self._reactor.seconds()
        if now - self._heard_of >= min(_HEARTBEAT_SECONDS, ABANDONED_SECONDS / 3, (self._retention or 60.0) / 4):
            await self._pass(look.last)
        if now - self._pruned < min(_PRUNE_SECONDS, self._retention or _PRUNE_SECONDS):
            return
        removed = 0
        try:
            if self._retention is not None:
                removed += await self._table.prune(self._retention)
            if self._dead_retention is not None:
                removed += await self._table.prune_dead(self._dead_retention)
        except QueryRefused as refused:
            self._not_pruned(refused)
        self.counters["removed"] += removed
        if not removed:
            self._pruned = now

    def _not_pruned(self, refused: QueryRefused) -> None:
        self.counters["prune_failed"] += 1
        if "prune_failed" not in self._logged:
            self._logged.add("prune_failed")
            log.warn("outbox {name}: old rows can't be removed: {reason}", name=self._name, reason=refused.reason)

    async def _rest(self) -> None:
        """Wait until woken, and not longer than until the next look is due."""
        if not self._woken:
            self._resting = Deferred()
            try:
                await within(self._reactor, self._poll_seconds, self._resting)
            except TooLate:
                pass
            finally:
                self._resting = None
        self._woken = False

    def _complain(self, reason: str) -> None:
        """Say why nothing is published: once per reason, as long as nothing is."""
        if reason != self._complaint and self._running:
            self._complaint = reason
            log.error("outbox {name}: {reason}; trying again", name=self._name, reason=reason)
