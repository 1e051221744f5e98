"""Asks Postgres for many values at once."""

from __future__ import annotations

import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from wampgate.stores.deadlines import turn
from wampgate.stores.engine import QueryRefused
from wampgate.stores.portions import MOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Engine, Query, Rows

log = Logger()

BRANCHES: Final = 100
"""So many values of a query of the operator's own in one statement: planning each takes Postgres some 50 µs."""

AT_ONCE: Final = 2
"""So many single questions of a batch at the same time; the other connections are for those who log in."""

ROWS_AT_ONCE: Final = 20_000
"""So many rows are sorted by what was asked for before others have their turn."""


class PostgresBatches:
    """A :class:`wampgate.stores.engine.Batches` over an engine that speaks to Postgres.

    Our own queries have a form for many. One of the operator's own is asked for each
    value in a branch of a ``UNION ALL``: there the parameter is a literal as when it is
    asked for alone, so it takes its column's type, finds the same rows and uses the same index.
    (As a column of a lateral join it would be a ``text``, which an integer can't even be compared with.)

    Args:
        clock: gives others their turn.
        engine: asks.
    """

    def __init__(self, clock: Clock, engine: Engine) -> None:
        self._clock = clock
        self._engine = engine
        self._single: set[str] = set()

    def most(self, query: Query) -> int:
        """See :class:`wampgate.stores.engine.Batches`."""
        if query.name in self._single:
            return 1
        return MOST if query.many else BRANCHES

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """See :class:`wampgate.stores.engine.Batches`."""
        if len(values) == 1 or query.name in self._single:
            return await self._ask_singly(query, values, parameters, deadline)
        try:
            if query.many:
                return await self._ask_many(query, values, parameters, deadline)
            return await self._ask_branches(query, values, parameters, deadline)
        except QueryRefused as refused:
            if refused.fits_nothing:
                return await self._ask_halves(query, values, parameters, deadline)
            # The query may not be fit to stand in a larger one.
            rows = await self._ask_singly(query, values, parameters, deadline)
            if refused.for_good:
                self._ask_singly_from_now_on(query, refused.reason)
            return rows

    async def _ask_halves(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """One value that fits no column must not make a question of each of the others: search for it."""
        middle = len(values) // 2
        return [
            *await self.ask_each(query, values[:middle], parameters, deadline),
            *await self.ask_each(query, values[middle:], parameters, deadline),
        ]

    def _ask_singly_from_now_on(self, query: Query, reason: str) -> None:
        self._single.add(query.name)
        log.warn(
            "token store: the {name} can't be asked for many at once, so it is asked for each: {reason}",
            name=query.name,
            reason=reason,
        )

    async def _ask_many(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        rows_by_value: dict[str, Rows] = {value: [] for value in values}
        asked = {**parameters, query.parameter: array_literal(values)}
        async for value, *row in self._in_turns(await self._engine.ask(query.many, asked, deadline)):
            # Compared as text, exactly: the array's type may have taken "07" for 7.
            if value in rows_by_value:
                rows_by_value[value].append(tuple(row))
        return list(rows_by_value.values())

    async def _ask_branches(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        found: list[Rows] = [[] for _ in values]
        for begin in range(0, len(values), BRANCHES):
            portion = values[begin : begin + BRANCHES]
            asked = dict(parameters)
            for place, value in enumerate(portion):
                asked |= {f"{name}_{place}": text for name, text in query.parameters_of(value).items()}
            rows = await self._engine.ask(branches(query, len(portion)), asked, deadline)
            async for place, *row in self._in_turns(rows):
                found[begin + place].append(tuple(row))
        return found

    async def _in_turns(self, rows: Rows) -> AsyncIterator[tuple[Any, ...]]:
        """The rows, with a break now and then."""
        for number, row in enumerate(rows, 1):
            yield row
            if not number % ROWS_AT_ONCE:
                await turn(self._clock)

    async def _ask_singly(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        found: list[Rows] = [[] for _ in values]
        places = iter(range(len(values)))
        failures: list[Exception] = []

        async def ask_on() -> None:
            for place in places:
                try:
                    found[place] = await self._ask_one(
                        query, {**parameters, **query.parameters_of(values[place])}, deadline
                    )
                except Exception as error:  # noqa: BLE001 - one that fails ends all, and is raised below
                    failures.append(error)
                    deque(places, maxlen=0)

        await gatherResults([Deferred.fromCoroutine(ask_on()) for _ in range(AT_ONCE)])
        if failures:
            raise failures[0]
        return found

    async def _ask_one(self, query: Query, asked: Mapping[str, str], deadline: float) -> Rows:
        try:
            return await self._engine.ask(query.sql, asked, deadline)
        except QueryRefused as refused:
            if refused.fits_nothing:
                return []
            raise


def array_literal(values: Sequence[str]) -> str:
    """A Postgres array as text. Without a type of its own: it takes that of what it is compared with."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def branches(query: Query, count: int) -> str:
    """A query that asks another for so many values: the place of the value, then the other's columns."""
    return "\nUNION ALL\n".join(islice(_branches(query), count))


def _branches(query: Query) -> Iterator[str]:
    # "%%(token)s" is a percent sign and a text in parentheses, no parameter.
    names = query.parameter.replace(" ", "|")
    parts = re.split(rf"((?:%%)|%\((?:{names})\)s)", query.sql.rstrip().removesuffix(";"))
    parameters = {f"%({name})s": name for name in query.parameter.split()}
    place = 0
    while True:
        sql = "".join(f"%({parameters[part]}_{place})s" if part in parameters else part for part in parts)
        # The line's end before the parenthesis ends a comment.
        yield f"SELECT {place}, answer.* FROM (\n{sql}\n) AS answer"  # noqa: S608 - the operator's query, no input
        place += 1
