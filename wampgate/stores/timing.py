"""Times the questions to a database, by the query that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wampgate.core.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Batches, Query, Rows

T = TypeVar("T")


class QueryTimes:
    """How long a database took to answer.

    Args:
        clock: tells the time.

    Attributes:
        seconds: from the question to its answer or refusal, the wait for a connection included, by the query's name.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[str, Histogram] = {}

    async def note(self, query: str, answer: Awaitable[T]) -> T:
        """Await an answer, with a note of how long that took.

        Args:
            query: its name; one of few, since each has a histogram of its own.
            answer: to the question that is asked now.
        """
        asked = self._clock.seconds()
        try:
            return await answer
        finally:
            self._of(query).observe(self._clock.seconds() - asked)

    def _of(self, query: str) -> Histogram:
        histogram = self.seconds.get(query)
        if histogram is None:
            histogram = self.seconds[query] = Histogram()
        return histogram


class TimedBatches:
    """Batches as others, with a note of how long each took; a :class:`wampgate.stores.engine.Batches`.

    Args:
        times: takes the notes.
        batches: asks.
    """

    def __init__(self, times: QueryTimes, batches: Batches) -> None:
        self._times = times
        self._batches = batches

    def most(self, query: Query) -> int:
        """See :class:`wampgate.stores.engine.Batches`."""
        return self._batches.most(query)

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """See :class:`wampgate.stores.engine.Batches`."""
        return await self._times.note(query.name, self._batches.ask_each(query, values, parameters, deadline))
