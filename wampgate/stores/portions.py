"""Cuts many questions into portions, so that no answer keeps the reactor for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST: Final = 500
"""So many values in one portion at most."""

ROWS: Final = 5_000
"""So many rows should one portion bring; they take about 10 ms to read."""

_FIRST: Final = 50
_CAUTION: Final = 0.2


class Portions:
    """Learns from the rows that portions brought how many values the next may have.

    Most users are in a few organizations, support staff in 20,000. Nobody knows
    beforehand who is asked for, so the estimate rises at once and falls slowly.

    Args:
        rows_each: so many rows is a value expected to bring at first.
    """

    def __init__(self, rows_each: float = ROWS / _FIRST) -> None:
        self._rows_each = rows_each

    def of(self, values: Sequence[str]) -> Iterator[Sequence[str]]:
        """The portions, each as large as is best when it is its turn."""
        begin = 0
        while begin < len(values):
            end = begin + self.size
            yield values[begin:end]
            begin = end

    @property
    def size(self) -> int:
        """How many values the next portion has."""
        return max(1, min(MOST, int(ROWS / max(self._rows_each, 0.01))))

    def brought(self, rows: int, values: int) -> None:
        """A portion of so many values brought so many rows."""
        each = rows / values
        self._rows_each = each if each > self._rows_each else self._rows_each + (each - self._rows_each) * _CAUTION
