"""Looks credentials up in a SQL table: one at a time for those who join, many at once for those who are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from wampgate.stores.batching import Batching
from wampgate.stores.credential_rows import Asked, RowUnusable, credentials_of
from wampgate.stores.portions import Portions
from wampgate.stores.questions import RowsUnusable
from wampgate.stores.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.errors import StoreUnavailable
    from wampgate.core.interfaces import Credentials, Known
    from wampgate.stores.answers import Answers
    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Batches, Query, Rows
    from wampgate.stores.revisions import Revisions

log = Logger()

_REPORTED: Final = 100
"""So many rows that can't be used are told of in the log, each once."""


class CredentialLookUp:
    """Asks one query about credentials.

    Args:
        clock: tells the time.
        batches: knows how many are best asked for at once.
        answers: has the query answered.
        revisions: knows what has changed; a row's authid is whom it concerns.
        query: what to ask.
        at_once: so many batches are under way at the same time, at most.
        timeout: seconds until a question that is not answered is refused.
    """

    def __init__(
        self,
        clock: Clock,
        batches: Batches,
        answers: Answers,
        revisions: Revisions,
        query: Query,
        *,
        at_once: int,
        timeout: float,
    ) -> None:
        self._answers = answers
        self._query = query
        self._portions = Portions(rows_each=1)
        self._batches: Batching[Rows] = Batching(
            clock,
            self._ask,
            at_once=at_once,
            size=lambda: min(batches.most(query), self._portions.size),
        )
        self._flights: SingleFlight[Rows] = SingleFlight(
            clock, timeout, self._batches.ask, revisions=revisions, subject=_authid_of
        )
        self._reported: set[str] = set()

    async def one(self, authmethod: str, authid: str, key: str) -> Credentials | None:
        """The credentials of one row; None if there is none that is of use.

        Args:
            authmethod: the method.
            authid: the name; empty where only the key is known.
            key: the public key or fingerprint; empty for none.

        Raises:
            StoreUnavailable: it can't be said now.
        """
        asked = Asked(authmethod, authid, key)
        if not asked.is_askable:
            return None
        return self._judge(await self._flights.ask(asked.value), asked)

    async def all(self, known: Sequence[Known]) -> Mapping[Known, Credentials]:
        """See :meth:`wampgate.core.interfaces.CredentialStore.credentials_of`."""
        asked_by_known = {one: Asked(one.authmethod, one.authid, one.key) for one in known}
        values = list(dict.fromkeys(asked.value for asked in asked_by_known.values()))
        rows = await self._answers.current(self._query, values, self._portions, _rows, _authid_of)
        found = ((one, self._judge(rows[asked.value], asked)) for one, asked in asked_by_known.items())
        return {one: credentials for one, credentials in found if credentials is not None}

    async def _ask(self, values: Sequence[str], deadline: float) -> Sequence[Rows | StoreUnavailable]:
        return await self._answers.each(self._query, values, self._portions, _rows, deadline)

    def _judge(self, rows: Rows, asked: Asked) -> Credentials | None:
        """What rows say. One that can't be used opens nothing, and is told in the log once.

        Raises:
            StoreUnavailable: all of them are other than they should be.
        """
        try:
            return credentials_of(rows, asked)
        except RowUnusable as fault:
            self._report(str(fault))
            return None
        except RowsUnusable as fault:
            raise self._answers.fault(self._query, str(fault)) from None

    def _report(self, fault: str) -> None:
        if fault not in self._reported and len(self._reported) < _REPORTED:
            self._reported.add(fault)
            log.error("credentials: {fault}", fault=fault)


def _rows(rows: Rows) -> Rows:
    return rows


def _authid_of(value: str, rows: Rows) -> str | None:
    """Whom an answer is about; who was asked for by a key alone, its row says."""
    asked = Asked.of(value)
    return asked.authid or next((str(row[0]) for row in rows if row), None)
