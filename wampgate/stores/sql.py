"""The token store over any SQL database: two queries, asked of an engine that knows the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.questions import (
    RowsUnusable,
    TokenHash,
    check_token_hash,
    is_askable,
    memberships_of,
    stored_form,
    token_of,
)
from wampgate.stores.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.core.interfaces import Membership, Token
    from wampgate.stores.deadlines import Clock

log = Logger()

Rows: TypeAlias = list[tuple[Any, ...]]


class QueryRefused(Exception):
    """The database does not answer a query, though it answers others: a table is missing, a right, a type differs.

    Attributes:
        reason: for the log; holds no value that was asked for.
        fits_nothing: a parameter can't be a value of its column at all ("abc" where
            integers are), so there is no such row.
    """

    def __init__(self, reason: str, *, fits_nothing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits_nothing = fits_nothing


class Engine(Protocol):
    """Runs queries in one kind of database."""

    @property
    def ready(self) -> bool:
        """Whether the database answered when last heard of."""

    async def start(self) -> None:
        """Connect. Does not fail if the database can't be reached: that is tried again."""

    async def stop(self) -> None:
        """Let go of everything; what waits is refused."""

    def ask(self, query: str, parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """The rows that a query returns.

        Args:
            query: SQL with the database's named parameters.
            parameters: their values.
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: no answer in time.
            QueryRefused: the database does not answer this query.
        """


class SqlTokenStore:
    """A :class:`wampgate.core.interfaces.TokenStore` over an engine.

    Args:
        clock: tells the time.
        engine: runs the queries.
        timeout: seconds until a question that is not answered is refused.
        token_query: returns ``(user_id, seconds_left)`` for the parameter ``token``.
        membership_query: returns ``(organization_id[, role])`` for the parameter ``user``.
        token_hash: how tokens lie in the table.
        timezone: the zone of time columns without one; every query gets it as the parameter ``timezone``.
        allow_null_expires: whether a token without an end is good for ever; else it counts as expired.

    Raises:
        ValueError: ``token_hash`` or ``timeout`` is none.
    """

    def __init__(
        self,
        clock: Clock,
        engine: Engine,
        *,
        timeout: float,
        token_query: str,
        membership_query: str,
        token_hash: TokenHash,
        timezone: str,
        allow_null_expires: bool,
    ) -> None:
        check_token_hash(token_hash)
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout!r}: expected a number of seconds above 0")
        self._engine = engine
        self._token_query = token_query
        self._membership_query = membership_query
        self._token_hash: TokenHash = token_hash
        self._timezone = timezone
        self._allow_null_expires = allow_null_expires
        self._tokens: SingleFlight[Token | None] = SingleFlight(clock, timeout, self._ask_token)
        self._members: SingleFlight[Sequence[Membership]] = SingleFlight(clock, timeout, self._ask_memberships)
        self._reported: set[tuple[str, str]] = set()

    @property
    def ready(self) -> bool:
        """Whether the database answered when last heard of."""
        return self._engine.ready

    async def start(self) -> None:
        """Connect, and try both queries so that a fault in them is in the log at once.

        Takes ``timeout`` seconds at most for each of the three; does not fail if there is no database.
        """
        await self._engine.start()
        if self._engine.ready:
            try:
                await self.look_up("wampgate asks for this token when it starts")
                await self.memberships("wampgate asks for this user when it starts")
            except StoreUnavailable as error:
                log.warn("token store: {reason}", reason=str(error))

    async def stop(self) -> None:
        """Disconnect; what waits is refused."""
        await self._engine.stop()

    async def look_up(self, token: str) -> Token | None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        if not is_askable(token):
            return None
        return await self._tokens.ask(stored_form(token, self._token_hash))

    async def memberships(self, user: str) -> Sequence[Membership]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        if not is_askable(user):
            return ()
        return await self._members.ask(user)

    async def _ask_token(self, stored: str, deadline: float) -> Token | None:
        rows = await self._rows("token_query", self._token_query, {"token": stored}, deadline)
        try:
            return token_of(rows, allow_null_expires=self._allow_null_expires)
        except RowsUnusable as fault:
            raise self._fault("token_query", str(fault)) from None

    async def _ask_memberships(self, user: str, deadline: float) -> Sequence[Membership]:
        rows = await self._rows("membership_query", self._membership_query, {"user": user}, deadline)
        try:
            return memberships_of(rows)
        except RowsUnusable as fault:
            raise self._fault("membership_query", str(fault)) from None

    async def _rows(self, name: str, query: str, parameters: dict[str, str], deadline: float) -> Rows:
        try:
            rows = await self._engine.ask(query, parameters | {"timezone": self._timezone}, deadline)
        except QueryRefused as refused:
            if refused.fits_nothing:
                return []
            raise self._fault(name, refused.reason) from None
        return rows

    def _fault(self, name: str, reason: str) -> StoreUnavailable:
        """The error for a query that does not do what it should; the first of a kind is logged."""
        if (name, reason) not in self._reported and len(self._reported) < 100:
            self._reported.add((name, reason))
            log.error("token store: the {name} does not work: {reason}", name=name, reason=reason)
        return StoreUnavailable(f"the {name} of the token store does not work; the log says why")
