"""The token store over any SQL database: two queries, asked of an engine that knows the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Token
from wampgate.stores.batching import Batching
from wampgate.stores.deadlines import turn
from wampgate.stores.hints import Hints
from wampgate.stores.portions import ROWS, Portions
from wampgate.stores.questions import (
    RowsUnusable,
    TokenAmbiguous,
    TokenHash,
    check_token_hash,
    is_askable,
    memberships_of,
    stored_form,
    token_of,
)
from wampgate.stores.revisions import Revisions
from wampgate.stores.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.core.interfaces import Change, Membership
    from wampgate.stores.deadlines import Clock
    from wampgate.stores.token_memory import TokenMemory

log = Logger()

V = TypeVar("V")

Rows: TypeAlias = list[tuple[Any, ...]]

_CONFIRMED_AT_ONCE: Final = 1_000
"""So many remembered tokens are confirmed at once: that costs one notification, however many they are."""

_CONFIRMATIONS: Final = 2
"""So many of those are under way at the same time: who comes while one is, need not wait for its end."""

_TRIES: Final = 5
"""So often an answer for many is asked for again because rows changed while it was on its way."""


@dataclass(frozen=True, slots=True)
class Query:
    """One of the two questions in a database's SQL.

    Attributes:
        name: as the configuration calls it.
        parameter: the name of the parameter that is asked for.
        sql: the query for one value.
        many: the same for many values, where there is a better way than to ask for each: the
            parameter is then all of them, and the value comes before the other columns.
    """

    name: str
    parameter: str
    sql: str
    many: str = ""


class QueryRefused(Exception):
    """The database does not answer a query, though it answers others: a table is missing, a right, a type differs.

    Attributes:
        reason: for the log; holds no value that was asked for.
        code: the SQLSTATE; empty if there is none.
        fits_nothing: a parameter can't be a value of its column at all ("abc" where
            integers are), so there is no such row.
        for_good: it would be refused for any other value too.
    """

    def __init__(self, reason: str, *, code: str = "", fits_nothing: bool = False, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.reason = reason
        self.code = code
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


class Batches(Protocol):
    """Asks one query for many values."""

    def most(self, query: Query) -> int:
        """How many values are best asked for in one batch, at least 1."""

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """The rows for each value, in their order, as if it had been asked for alone; none if it fits nothing.

        Args:
            query: what to ask.
            values: different ones, as many as one answer should bring.
            parameters: what the query may use besides.
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: not all answers in time.
            QueryRefused: the database does not answer this query.
        """


class Ear(Protocol):
    """Hears of changes in one kind of database."""

    @property
    def hears(self) -> bool:
        """Whether it hears of changes at once, now."""

    def start(self, heard: Callable[[Change], None]) -> None:
        """Begin to listen: pass on what is heard, and that everything may have changed each time hearing begins."""

    def stop(self) -> None:
        """Hear nothing more."""


class SqlTokenStore:
    """A :class:`wampgate.core.interfaces.TokenStore` over an engine.

    Args:
        clock: tells the time.
        engine: runs the queries.
        batches: runs them for many at once.
        ear: hears of changes.
        memory: remembers tokens that were found; None for not at all.
        at_once: so many batches of questions of a kind are under way at the same time, at most.
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
        batches: Batches,
        ear: Ear,
        *,
        memory: TokenMemory | None = None,
        at_once: int = 1,
        timeout: float,
        token_query: Query,
        membership_query: Query,
        token_hash: TokenHash,
        timezone: str,
        allow_null_expires: bool,
    ) -> None:
        check_token_hash(token_hash)
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout!r}: expected a number of seconds above 0")
        self._clock = clock
        self._engine = engine
        self._batches = batches
        self._ear = ear
        self._memory = memory
        self._timeout = timeout
        self._token_query = token_query
        self._membership_query = membership_query
        self._token_hash: TokenHash = token_hash
        self._parameters = {"timezone": timezone}
        self._allow_null_expires = allow_null_expires
        self._revisions = Revisions()
        self._hints: Hints | None = None
        self._token_portions = Portions(rows_each=1)
        self._membership_portions = Portions()
        self._token_batches: Batching[Token | None] = Batching(
            clock,
            self._ask_tokens,
            at_once=at_once,
            size=lambda: min(batches.most(token_query), self._token_portions.size),
            learns=not token_query.many,
        )
        self._membership_batches: Batching[Sequence[Membership]] = Batching(
            clock,
            self._ask_memberships,
            at_once=at_once,
            size=lambda: min(batches.most(membership_query), self._membership_portions.size),
            learns=not membership_query.many,
        )
        self._confirmations: Batching[Token | None] = Batching(
            clock,
            self._confirm_tokens,
            at_once=_CONFIRMATIONS,
            size=lambda: _CONFIRMED_AT_ONCE,
            learns=False,
        )
        self._tokens: SingleFlight[Token | None] = SingleFlight(
            clock, timeout, self._find_token, revisions=self._revisions, subject=_user_of
        )
        self._members: SingleFlight[Sequence[Membership]] = SingleFlight(
            clock, timeout, self._find_memberships, revisions=self._revisions, subject=lambda user, _: user
        )
        self._reported: set[tuple[str, str]] = set()

    @property
    def ready(self) -> bool:
        """Whether the database answered when last heard of."""
        return self._engine.ready

    @property
    def hears(self) -> bool:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return self._ear.hears

    def watch(self, changed: Callable[[Change], None]) -> None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""

        def tell(change: Change) -> None:
            self._revisions.note(change)
            changed(change)

        self._hints = Hints(self._clock, tell)

    async def start(self) -> None:
        """Connect, try both queries so that a fault in them is in the log at once, and begin to listen.

        Takes ``timeout`` seconds at most for each of the three; does not fail if there is no database.
        """
        await self._engine.start()
        if self._hints is not None:
            self._ear.start(self._heard)
        if self._engine.ready:
            try:
                await self.look_up("wampgate asks for this token when it starts")
                await self.memberships("wampgate asks for this user when it starts")
            except StoreUnavailable as error:
                log.warn("token store: {reason}", reason=str(error))

    async def stop(self) -> None:
        """Disconnect; what waits is refused."""
        if self._hints is not None:
            self._ear.stop()
            self._hints.stop()
        await self._engine.stop()

    def _heard(self, hint: Change) -> None:
        """Something was heard; it is told a little later, if there is much of it."""
        if self._memory is not None:
            self._memory.heard(hint)
        if self._hints is not None:
            self._hints.add(hint)

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

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        stored_by_token = {token: stored_form(token, self._token_hash) for token in tokens if is_askable(token)}
        found = await self._current(
            self._token_query,
            list(stored_by_token.values()),
            self._token_portions,
            self._unambiguous_token_of,
            _user_of,
        )
        pairs = ((token, found[stored]) for token, stored in stored_by_token.items())
        return {token: row for token, row in pairs if row is not None}

    async def memberships_of(self, users: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        found = await self._current(
            self._membership_query,
            [user for user in dict.fromkeys(users) if is_askable(user)],
            self._membership_portions,
            memberships_of,
            lambda user, _: user,
        )
        return {user: found.get(user, ()) for user in users}

    async def _current(
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
                answers = await self._answers(query, portion, portions, answer_of, deadline)
                for value, answer in zip(portion, answers, strict=True):
                    if isinstance(answer, StoreUnavailable):
                        raise answer
                    found[value] = answer
            values = [value for value in values if self._revisions.changed_since(asked, subject(value, found[value]))]
            if not values:
                return found
        raise StoreUnavailable("the token store's rows change faster than they can be read")

    async def _answers(
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
            if refused.for_good or len(values) == 1:
                return [self._fault(query, refused.reason)] * len(values)
            # The row of one value can't be read: search for it, since the others are to have their answers.
            middle = len(values) // 2
            halves = (values[:middle], values[middle:])
            return [
                answer for half in halves for answer in await self._answers(query, half, portions, answer_of, deadline)
            ]
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
            return self._fault(query, str(fault))

    async def _find_token(self, stored: str, deadline: float) -> Token | None:
        if self._memory is not None and self._memory.knows(stored):
            token = await self._confirmations.ask(stored, deadline)
            if token is not None:
                return token
        return await self._token_batches.ask(stored, deadline)

    async def _confirm_tokens(self, stored: Sequence[str], deadline: float) -> Sequence[Token | None]:
        return [None] * len(stored) if self._memory is None else await self._memory.confirm(stored, deadline)

    async def _ask_tokens(self, stored: Sequence[str], deadline: float) -> Sequence[Token | StoreUnavailable | None]:
        asked, moment = self._clock.seconds(), self._memory.moment() if self._memory is not None else None
        answers = await self._answers(self._token_query, stored, self._token_portions, self._token_of, deadline)
        if self._memory is not None and moment is not None:
            for key, answer in zip(stored, answers, strict=True):
                if isinstance(answer, Token):
                    self._memory.keep(key, answer, asked=asked, moment=moment)
        return answers

    async def _find_memberships(self, user: str, deadline: float) -> Sequence[Membership]:
        return await self._membership_batches.ask(user, deadline)

    async def _ask_memberships(
        self, users: Sequence[str], deadline: float
    ) -> Sequence[Sequence[Membership] | StoreUnavailable]:
        return await self._answers(self._membership_query, users, self._membership_portions, memberships_of, deadline)

    def _token_of(self, rows: Rows) -> Token | None:
        return token_of(rows, allow_null_expires=self._allow_null_expires)

    def _unambiguous_token_of(self, rows: Rows) -> Token | None:
        """As for one, but a token of several users opens nothing and does not keep the others from their answers."""
        try:
            return self._token_of(rows)
        except TokenAmbiguous as fault:
            self._fault(self._token_query, str(fault))
            return None

    def _fault(self, query: Query, reason: str) -> StoreUnavailable:
        """The error for a query that does not do what it should; the first of a kind is logged."""
        if (query.name, reason) not in self._reported and len(self._reported) < 100:
            self._reported.add((query.name, reason))
            log.error("token store: the {name} does not work: {reason}", name=query.name, reason=reason)
        return StoreUnavailable(f"the {query.name} of the token store does not work; the log says why")


def _user_of(_: str, token: Token | None) -> str | None:
    return None if token is None else token.user
