"""Hands what the core records on to everyone who keeps it: the log, the audit log, the recent refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wampgate.core.interfaces import Record
    from wampgate.core.session import Session


class Records:
    """One record for the core, many takers behind it; a :class:`wampgate.core.interfaces.Record`.

    Args:
        first: who is told first.
    """

    __slots__ = ("_takers",)

    def __init__(self, first: Record) -> None:
        self._takers: list[Record] = [first]

    def add(self, taker: Record) -> None:
        """Tell one more, from now on."""
        self._takers.append(taker)

    def remove(self, taker: Record) -> None:
        """Tell one less.

        Raises:
            ValueError: it was not told.
        """
        self._takers.remove(taker)

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Hand an event on; see :class:`wampgate.core.interfaces.Record`."""
        for taker in self._takers:
            taker(event, session, **fields)
