"""Times the questions to a database, by the query that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Batches, Query, Rows


class TimedBatches:
    """Batches as others, with a note of how long each took; a :class:`wampgate.stores.engine.Batches`.

    Args:
        clock: tells the time.
        batches: asks.

    Attributes:
        seconds: from the question to its answer or refusal, the wait for a connection included, by the query's name.
    """

    def __init__(self, clock: Clock, batches: Batches) -> None:
        self._clock = clock
        self._batches = batches
        self.seconds: dict[str, Histogram] = {}

    def most(self, query: Query) -> int:
        """See :class:`wampgate.stores.engine.Batches`."""
        return self._batches.most(query)

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """See :class:`wampgate.stores.engine.Batches`."""
        asked = self._clock.seconds()
        try:
            return await self._batches.ask_each(query, values, parameters, deadline)
        finally:
            self._seconds_of(query).observe(self._clock.seconds() - asked)

    def _seconds_of(self, query: Query) -> Histogram:
        histogram = self.seconds.get(query.name)
        if histogram is None:
            histogram = self.seconds[query.name] = Histogram()
        return histogram
