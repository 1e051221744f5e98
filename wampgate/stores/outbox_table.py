"""An outbox's table as one router sees it: what is new there, and how far the router has come."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from wampgate.core.errors import StoreUnavailable
from wampgate.stores import outbox_sql
from wampgate.stores.outbox_rows import MAX_SIZE, TOPIC_READ, Row
from wampgate.stores.postgres_batches import array_literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.defer import Deferred

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Engine, Rows
    from wampgate.stores.outbox_rows import Poison

PORTION_BYTES: Final = 2 << 20
"""So much is read at a time, and one row more; reading it takes about 10 ms."""

ABANDONED_SECONDS: Final = 30.0
"""A router that was not heard of for as long has left its name to whoever wants it."""

PRUNED_AT_ONCE: Final = 500


class NameTaken(Exception):
    """Another process uses this router's name, so its place is that one's business."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at one moment.

    Attributes:
        last: the last place that was given.
        pruned: up to this place rows were removed for their age.
        server: tells one run of the server from another, and one machine from another.
        fresh: whether there are rows without a place.
    """

    last: int
    pruned: int
    server: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a router goes on.

    Attributes:
        place: it has published up to here.
        since: when it was last heard of, in seconds since 1970; None if it never was.
    """

    place: int
    since: float | None


class OutboxTable:
    """Asks and tells a database's tables; see :mod:`wampgate.stores.outbox_sql`.

    All methods raise :class:`wampgate.core.errors.StoreUnavailable` while the database can't be asked
    and :class:`wampgate.stores.engine.QueryRefused` when it refuses.

    Args:
        clock: tells the time.
        questions: runs each statement in a transaction of its own, perhaps twice if a connection is lost.
        node: this router's name.
        timeout: seconds for each answer.
    """

    def __init__(self, clock: Clock, questions: Engine, node: str, timeout: float) -> None:
        self._clock = clock
        self._questions = questions
        self._node = node
        self._timeout = timeout
        self._instance = token_hex(8)

    async def begin(self, *, oldest: bool, first: bool) -> Begun:
        """Where this router has to go on; from now on this process uses its name.

        Args:
            oldest: whether a router that was never here begins with the oldest row; else with what is not placed yet.
            first: whether this process has just started; else it gets its name only if nobody uses it.

        Raises:
            NameTaken: another process uses it.
        """
        await self._ask(outbox_sql.MAKE_STATE)
        known = await self._ask(outbox_sql.NODE, node=self._node)
        joined = await self._ask(
            outbox_sql.JOIN,
            node=self._node,
            instance=self._instance,
            oldest=_boolean(oldest),
            begins=_boolean(first),
            abandoned=str(ABANDONED_SECONDS),
        )
        if not joined:
            raise NameTaken
        return Begun(int(joined[0][0]), float(known[0][1]) if known else None)

    async def look(self) -> Look:
        """What there is."""
        return _look(await self._ask(outbox_sql.LOOK))

    async def give_places(self, count: int) -> Look:
        """Give the rows that have none their places, so many at most; then what there is."""
        return _look(await self._ask(outbox_sql.GIVE_PLACES, count=str(count)))

    async def portion(self, place: int, count: int) -> list[Row]:
        """The rows behind a place in their order: as many as asked for, or as come to :data:`PORTION_BYTES`."""
        return await self._rows(outbox_sql.PORTION, place, count, PORTION_BYTES)

    async def tail(self, place: int, count: int, size: int) -> list[Row]:
        """The rows up to a place, backwards: as many as asked for, or as come to so many bytes."""
        return await self._rows(outbox_sql.TAIL, place, count, size)

    async def next_row(self, place: int) -> tuple[int, int] | None:
        """Place and id of the row behind a place, which need not be readable; None if there is none."""
        rows = await self._ask(outbox_sql.NEXT, place=str(place))
        return (int(rows[0][0]), int(rows[0][1])) if rows else None

    async def passed(self, place: int) -> None:
        """Note that everything up to a place is published.

        Raises:
            NameTaken: another process uses this router's name.
        """
        if not await self._ask(outbox_sql.PASSED, node=self._node, instance=self._instance, place=str(place)):
            raise NameTaken

    async def bury(self, dead: Sequence[tuple[int, Poison]]) -> int:
        """Lay rows aside, by their ids; how many of them no router had laid aside before."""
        ids = array_literal([str(row) for row, _ in dead])
        reasons = array_literal([poison.reason for _, poison in dead])
        return len(await self._ask(outbox_sql.BURY, node=self._node, ids=ids, reasons=reasons))

    async def prune(self, seconds: float) -> int:
        """Remove some of the rows that are older than this and published everywhere; how many."""
        rows = await self._ask(outbox_sql.PRUNE, kept=str(seconds), count=str(PRUNED_AT_ONCE))
        return int(rows[0][0])

    async def prune_dead(self, seconds: float) -> int:
        """Remove some of what was laid aside longer ago than this; how many."""
        rows = await self._ask(outbox_sql.PRUNE_DEAD, kept=str(seconds), count=str(PRUNED_AT_ONCE))
        return int(rows[0][0])

    async def _rows(self, query: str, place: int, count: int, size: int) -> list[Row]:
        rows = await self._ask(
            query, place=str(place), count=str(count), bytes=str(size), most=str(MAX_SIZE), topic=str(TOPIC_READ)
        )
        return [Row(*row) for row in rows]

    def _ask(self, query: str, **parameters: str) -> Deferred[Rows]:
        return self._questions.ask(query, parameters, self._clock.seconds() + self._timeout)


def _look(rows: Rows) -> Look:
    if not rows:
        # Somebody has just removed the state's row; beginning anew makes it.
        raise StoreUnavailable("the outbox's state is missing")
    return Look(*rows[0])


def _boolean(value: bool) -> str:
    return "true" if value else "false"
