"""The token store over any SQL database: three queries, asked of an engine that knows the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Token
from wampgate.stores.answers import Answers
from wampgate.stores.batching import Batching
from wampgate.stores.cookies_sql import SqlCookieStore
from wampgate.stores.credential_lookup import CredentialLookUp
from wampgate.stores.hints import Hints
from wampgate.stores.portions import Portions
from wampgate.stores.questions import (
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
from wampgate.stores.timing import QueryTimes, TimedBatches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.core.histogram import Histogram
    from wampgate.core.interfaces import Change, Connection, Credentials, Known, Membership
    from wampgate.stores.cookies_sql import CookieStatements, Runs
    from wampgate.stores.deadlines import Clock
    from wampgate.stores.engine import Batches, Ear, Engine, Query, Rows
    from wampgate.stores.token_memory import TokenMemory
    from wampgate.wire.messages import HelloDetails

log = Logger()

_CONFIRMED_AT_ONCE: Final = 1_000
"""So many remembered tokens are confirmed at once: that costs one notification, however many they are."""

_CONFIRMATIONS: Final = 2
"""So many of those are under way at the same time: who comes while one is, need not wait for its end."""


class SqlTokenStore:
    """A :class:`wampgate.core.interfaces.TokenStore`, and CredentialStore, over an engine.

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
        credentials_query: returns the columns that ``stores/credential_rows.py`` names, for the parameters
            ``authmethod``, ``authid`` and ``key``; an empty one says nothing about them.
        asks_credentials: whether anyone will ask for credentials: then that query is tried at the start.
        token_hash: how tokens lie in the table.
        timezone: the zone of time columns without one; every query gets it as the parameter ``timezone``.
        allow_null_expires: whether a token without an end is good for ever; else it counts as expired.

    Attributes:
        query_seconds: how long the database took to answer, by the query's name.

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
        credentials_query: Query,
        asks_credentials: bool = False,
        token_hash: TokenHash,
        timezone: str,
        allow_null_expires: bool,
    ) -> None:
        check_token_hash(token_hash)
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout!r}: expected a number of seconds above 0")
        self._clock = clock
        self._times = QueryTimes(clock)
        self.query_seconds: Mapping[str, Histogram] = self._times.seconds
        batches = TimedBatches(self._times, batches)
        self._engine = engine
        self._ear = ear
        self._attached: list[Engine] = []
        self._memory = memory
        self._timeout = timeout
        self._token_query = token_query
        self._membership_query = membership_query
        self._token_hash: TokenHash = token_hash
        self._allow_null_expires = allow_null_expires
        self._revisions = Revisions()
        self._answers = Answers(clock, batches, self._revisions, {"timezone": timezone}, timeout)
        self._asks_credentials = asks_credentials
        self._credentials = CredentialLookUp(
            clock, batches, self._answers, self._revisions, credentials_query, at_once=at_once, timeout=timeout
        )
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
            clock, timeout, self._membership_batches.ask, revisions=self._revisions, subject=lambda user, _: user
        )

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
        """Connect, try the queries so that a fault in them is in the log at once, and begin to listen.

        Takes ``timeout`` seconds at most for each of the three; does not fail if there is no database.
        """
        await self._engine.start()
        for engine in self._attached:
            await engine.start()
        if self._hints is not None:
            self._ear.start(self._heard)
        if self._engine.ready:
            try:
                await self.look_up("wampgate asks for this token when it starts")
                await self.memberships("wampgate asks for this user when it starts")
                if self._asks_credentials:
                    await self._credentials.one("wampcra", "wampgate asks for this authid when it starts", "")
            except StoreUnavailable as error:
                log.warn("token store: {reason}", reason=str(error))

    async def stop(self) -> None:
        """Disconnect; what waits is refused."""
        if self._hints is not None:
            self._ear.stop()
            self._hints.stop()
        for engine in self._attached:
            await engine.stop()
        await self._engine.stop()

    def _heard(self, hint: Change) -> None:
        """Something was heard; it is told a little later, if there is much of it."""
        if self._memory is not None:
            self._memory.heard(hint)
        if self._hints is not None:
            self._hints.add(hint)

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        if not is_askable(token):
            return None
        known = digest is not None and self._token_hash == "sha256"  # noqa: S105 - a kind, no token
        return await self._tokens.ask(digest if known and digest else stored_form(token, self._token_hash))

    async def memberships(self, user: str) -> Sequence[Membership]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        if not is_askable(user):
            return ()
        return await self._members.ask(user)

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        stored_by_token = {token: stored_form(token, self._token_hash) for token in tokens if is_askable(token)}
        found = await self._answers.current(
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
        found = await self._answers.current(
            self._membership_query,
            [user for user in dict.fromkeys(users) if is_askable(user)],
            self._membership_portions,
            memberships_of,
            lambda user, _: user,
        )
        return {user: found.get(user, ()) for user in users}

    async def credentials(
        self,
        authmethod: str,
        authid: str | None,
        key: str | None,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        connection: Connection,  # noqa: ARG002 - the interface's
    ) -> Credentials | None:
        """See :class:`wampgate.core.interfaces.CredentialSource`."""
        return await self._credentials.one(authmethod, authid or "", key or "")

    async def credentials_of(self, known: Sequence[Known]) -> Mapping[Known, Credentials]:
        """See :class:`wampgate.core.interfaces.CredentialStore`."""
        return await self._credentials.all(known)

    def _cookies(self, run: Runs, statements: CookieStatements, *, realm: str, per_authid: int) -> SqlCookieStore:
        """Session cookies in the same database; see :class:`wampgate.stores.cookies_sql.SqlCookieStore`."""
        return SqlCookieStore(
            self._clock, run, statements, realm=realm, per_authid=per_authid, timeout=self._timeout, times=self._times
        )

    def _find_token(self, stored: str, deadline: float) -> Deferred[Token | None]:
        if self._memory is not None and self._memory.knows(stored):
            return Deferred.fromCoroutine(self._confirmed_token(stored, deadline))
        return self._token_batches.ask(stored, deadline)

    async def _confirmed_token(self, stored: str, deadline: float) -> Token | None:
        token = await self._confirmations.ask(stored, deadline)
        return token if token is not None else await self._token_batches.ask(stored, deadline)

    async def _confirm_tokens(self, stored: Sequence[str], deadline: float) -> Sequence[Token | None]:
        return [None] * len(stored) if self._memory is None else await self._memory.confirm(stored, deadline)

    async def _ask_tokens(self, stored: Sequence[str], deadline: float) -> Sequence[Token | StoreUnavailable | None]:
        asked, moment = self._clock.seconds(), self._memory.moment() if self._memory is not None else None
        answers = await self._answers.each(self._token_query, stored, self._token_portions, self._token_of, deadline)
        if self._memory is not None and moment is not None:
            for key, answer in zip(stored, answers, strict=True):
                if isinstance(answer, Token):
                    self._memory.keep(key, answer, asked=asked, moment=moment)
        return answers

    async def _ask_memberships(
        self, users: Sequence[str], deadline: float
    ) -> Sequence[Sequence[Membership] | StoreUnavailable]:
        return await self._answers.each(
            self._membership_query, users, self._membership_portions, memberships_of, deadline
        )

    def _token_of(self, rows: Rows) -> Token | None:
        return token_of(rows, allow_null_expires=self._allow_null_expires)

    def _unambiguous_token_of(self, rows: Rows) -> Token | None:
        """As for one, but a token of several users opens nothing and does not keep the others from their answers."""
        try:
            return self._token_of(rows)
        except TokenAmbiguous as fault:
            self._answers.fault(self._token_query, str(fault))
            return None


def _user_of(_: str, token: Token | None) -> str | None:
    return None if token is None else token.user
