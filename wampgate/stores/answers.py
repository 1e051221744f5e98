"""Asks a database many questions and takes each answer for itself: one that can't be read spoils no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.deadlines import turn
from wampgate.stores.engine import NO_TABLE, QueryRefused
from wampgate.stores.portions import ROWS, Portions
from wampgate.stores.questions import RowsUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Batches, Query, Rows
    from wampgate.stores.revisions import Revisions

log = Logger()

V = TypeVar("V")

_TRIES: Final = 5
"""So often an answer for many is asked for again because rows changed while it was on its way."""


class Answers:
    """Has queries answered for many values at once.

    Args:
        clock: tells the time.
        batches: asks.
        revisions: knows what has changed.
        parameters: what every query may use besides.
        timeout: seconds that one portion of :meth:`current` may take.
    """

    def __init__(
        self, clock: Clock, batches: Batches, revisions: Revisions, parameters: Mapping[str, str], timeout: float
    ) -> None:
        self._clock = clock
        self._batches = batches
        self._revisions = revisions
        self._parameters = parameters
        self._timeout = timeout
        self._reported: set[tuple[str, str]] = set()

    async def current(
        self,
        query: Query,
        values: Sequence[str],
        portions: Portions,
        answer_of: Callable[[Rows], V],
        subject: Callable[[str, V], str | None],
    ) -> dict[str, V]:
        """The answer for each value; one that a change has overtaken is asked for again."""
        found: dict[str, V] = {}
        for _ in range(_TRIES):
            asked = self._revisions.number
            for portion in portions.of(values):
                deadline = self._clock.seconds() + self._timeout
                answers = await self.each(query, portion, portions, answer_of, deadline)
                for value, answer in zip(portion, answers, strict=True):
                    if isinstance(answer, StoreUnavailable):
                        raise answer
                    found[value] = answer
            values = [value for value in values if self._revisions.changed_since(asked, subject(value, found[value]))]
            if not values:
                return found
        raise StoreUnavailable("the token store's rows change faster than they can be read")

    async def each(
        self,
        query: Query,
        values: Sequence[str],
        portions: Portions,
        answer_of: Callable[[Rows], V],
        deadline: float,
    ) -> list[V | StoreUnavailable]:
        """The answer for each of the values, or why there is none; asked in one batch if all goes well."""
        try:
            rows = await self._batches.ask_each(query, values, self._parameters, deadline)
        except QueryRefused as refused:
            if query.may_lack and refused.code == NO_TABLE:
                self._lacks(query)
                return [answer_of([]) for _ in values]
            if refused.for_good or len(values) == 1:
                return [self.fault(query, refused.reason)] * len(values)
            # The row of one value can't be read: search for it, since the others are to have their answers.
            middle = len(values) // 2
            halves = (values[:middle], values[middle:])
            return [answer for half in halves for answer in await self.each(query, half, portions, answer_of, deadline)]
        portions.brought(sum(map(len, rows)), len(values))
        answers: list[V | StoreUnavailable] = []
        read = 0
        for each in rows:
            answers.append(self._answer(query, each, answer_of))
            read += len(each)
            if read >= ROWS:
                read = 0
                await turn(self._clock)
        return answers

    def _answer(self, query: Query, rows: Rows, answer_of: Callable[[Rows], V]) -> V | StoreUnavailable:
        try:
            return answer_of(rows)
        except RowsUnusable as fault:
            return self.fault(query, str(fault))

    def _lacks(self, query: Query) -> None:
        if (query.name, NO_TABLE) not in self._reported:
            self._reported.add((query.name, NO_TABLE))
            log.warn(
                "token store: the table of the {name} is not there, so nobody is found by it: `wampgate init` makes it",
                name=query.name,
            )

    def fault(self, query: Query, reason: str) -> StoreUnavailable:
        """The error for a query that does not do what it should; the first of a kind is logged."""
        if (query.name, reason) not in self._reported and len(self._reported) < 100:
            self._reported.add((query.name, reason))
            log.error("token store: the {name} does not work: {reason}", name=query.name, reason=reason)
        return StoreUnavailable(f"the {query.name} of the token store does not work; the log says why")
