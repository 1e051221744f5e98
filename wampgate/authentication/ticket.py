"""The authmethod ``ticket``: a token of the store, a signed one, or a principal's ("Ticket-based Authentication").

The token comes in AUTHENTICATE, as the specification has it, or has come before
HELLO with the HTTP request; then nothing more needs to be asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec.structs import replace

from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Challenge, Principal, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wampgate.authentication.signed import Signed, SignedTokens
    from wampgate.core.interfaces import Connection, Query, Token, TokenStore
    from wampgate.wire.messages import HelloDetails


@dataclass(frozen=True, slots=True)
class StaticPrincipal:
    """Someone whom the configuration names: a backend, a service.

    Attributes:
        ticket_sha256: the SHA-256 of its ticket, in lower-case hexadecimal.
    """

    authid: str
    authrole: str
    ticket_sha256: str


class TicketJudge(Protocol):
    """Knows tickets that neither the configuration nor the store does: a dynamic authenticator."""

    async def judge(self, ticket: str, details: HelloDetails, connection: Connection | None) -> Principal:
        """Whose ticket it is.

        Args:
            ticket: what the client shows; not empty.
            details: HELLO's.
            connection: the peer's; None for a session that is there already and goes on with another ticket.

        Raises:
            JoinRefused: nobody's.
            StoreUnavailable: it can't be said now.
        """


class TicketAuthenticator:
    """Who shows a good ticket is whom the ticket says.

    A client that asks for a certain authid gets that one or none. What went wrong
    is told apart in the log only: a client that guesses learns nothing from it.
    """

    authmethod: Final = "ticket"

    def __init__(
        self,
        *,
        principals: Iterable[StaticPrincipal] = (),
        reserved: Iterable[str] = (),
        store: TokenStore | None = None,
        role: str = "member",
        now: Callable[[], float],
        signed: SignedTokens | None = None,
        jti_in_store: bool = False,
        query_string: bool = False,
        judge: TicketJudge | None = None,
    ) -> None:
        """Made for one realm.

        Args:
            principals: the static principals that have a ticket.
            reserved: the authids of all static principals, which no user of a store can have.
            store: where tokens are looked up that are neither a static principal's nor signed.
            role: the authrole of users, the store's and those of signed tokens.
            now: the router's monotonic clock, in seconds.
            signed: reads signed tokens; None if there are none.
            jti_in_store: whether the store knows the names of signed tokens instead of tokens: then
                a signed one is good only while its row is, and a bare name opens nothing.
            query_string: whether a token may come in the query string of the HTTP request.
            judge: asked last, about what is nobody's so far; None for nobody.
        """
        # A look-up by hash tells a guesser nothing by its timing.
        self._principals_by_hash = {principal.ticket_sha256: principal for principal in principals}
        self._reserved = {principal.authid for principal in self._principals_by_hash.values()} | set(reserved)
        self._store = store
        self._role = role
        self._now = now
        self._signed = signed
        self._jti_in_store = jti_in_store
        self._query_string = query_string
        self._judge = judge

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: the HTTP request's token is not accepted, or lacks what belongs to it.
            StoreUnavailable: the store can't say now.
        """
        query = connection.query if self._query_string else None
        if connection.bearer is not None:
            principal = await self._whose(connection.bearer.reveal(), details, connection)
            return _with_organization(principal, query, details)
        if query and query.token is not None and _names_organization(query, details):
            principal = await self._whose(query.token.reveal(), details, connection)
            return _with_organization(principal, query, details)
        if query or (connection.query is not None and not details.authmethods):
            raise _missing(query, details)
        return Challenge("ticket", private=None if self._judge is None else connection)

    async def authenticate(
        self,
        details: HelloDetails,
        challenge: Challenge,
        signature: str,
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.authenticate`.

        Raises:
            JoinRefused: the ticket is missing or not accepted.
            StoreUnavailable: the store can't say now.
        """
        return await self._whose(signature, details, challenge.private)

    async def _whose(self, ticket: str, details: HelloDetails, connection: Connection | None) -> Principal:
        authid = details.authid
        if not ticket:
            raise JoinRefused(uri.AUTHENTICATION_REQUIRED, _REQUIRED)
        # Half of a surrogate pair is in nobody's ticket, but it is no reason to stumble.
        ticket_hash = sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
        static = self._principals_by_hash.get(ticket_hash)
        if static is not None:
            _check_authid(authid, static.authid)
            return Principal(static.authid, static.authrole, "ticket", "static", token_id=ticket_hash)
        if self._signed is not None and self._signed.recognizes(ticket):
            return await self._signed_user(authid, await self._signed.verify(ticket), ticket_hash)
        if self._jti_in_store and self._judge is None:
            raise _denied("no signed token")
        row = None if self._jti_in_store or self._store is None else await self._store.look_up(ticket, ticket_hash)
        if row is None and self._judge is not None:
            return await self._judge.judge(ticket, details, connection)
        user, seconds_left = _owner_by(row)
        self._check_user(authid, user)
        return Principal(
            user,
            self._role,
            "ticket",
            "store",
            user=user,
            expires=self._end(seconds_left),
            token_id=ticket_hash,
            ticket=Ticket(ticket),
        )

    async def _signed_user(self, authid: str | None, signed: Signed, ticket_hash: str) -> Principal:
        self._check_user(authid, signed.user)
        seconds_left, known_by = signed.seconds_left, None
        if self._jti_in_store:
            if signed.issued.id is None:
                raise _denied("the token has no jti to look for in the store")
            user, row_left = _owner_by(await self._row(signed.issued.id))
            # The store knows best: a client's own token may say the client's id where a user's id is expected.
            if user != signed.user:
                raise _denied(f"a token of {signed.user!r}, which the store has as one of {user!r}")
            seconds_left, known_by = min(seconds_left, row_left), Ticket(signed.issued.id)
        return Principal(
            signed.user,
            self._role,
            "ticket",
            "jwt",
            user=signed.user,
            expires=self._end(seconds_left),
            token_id=ticket_hash,
            ticket=known_by,
            organizations=signed.organizations,
            issued=signed.issued,
        )

    async def _row(self, token: str) -> Token | None:
        """What the store knows of a token, expired or not."""
        return None if self._store is None else await self._store.look_up(token)

    def _check_user(self, authid: str | None, user: str) -> None:
        _check_authid(authid, user)
        if user in self._reserved:
            raise _denied(f"user id {user!r} is a static principal's authid")
        # Under such a name a client would pass for the router, which discloses itself so where it calls.
        if user.partition(".")[0] == "wampgate":
            raise _denied(f"user id {user!r} is the router's own")

    def _end(self, seconds_left: float) -> float | None:
        return None if math.isinf(seconds_left) else self._now() + seconds_left


def _owner_by(row: Token | None) -> tuple[str, float]:
    """Whose a token is by its row, and the seconds that it has left."""
    if row is None:
        raise _denied("unknown token")
    if not row.seconds_left > 0:  # so that NaN is refused too
        raise _denied(f"expired token of user {row.user!r}")
    return row.user, row.seconds_left


def _check_authid(asked: str | None, actual: str) -> None:
    if asked is not None and asked != actual:
        raise _denied(f"authid {asked!r} was asked for with a ticket of {actual!r}")


def _denied(log: str) -> JoinRefused:
    return JoinRefused(uri.AUTHENTICATION_DENIED, "the token is not accepted", log)


# --- what comes in the query string ---


def _names_organization(query: Query, details: HelloDetails) -> bool:
    return query.organization is not None or (details.authextra or {}).get("organization") is not None


def _missing(query: Query | None, details: HelloDetails) -> JoinRefused:
    """The refusal that names what has to be in the query string, where something may be there at all."""
    if query is None:
        return JoinRefused(uri.AUTHENTICATION_REQUIRED, _REQUIRED)
    missing = [] if query.token is not None else ["token is missing"]
    if not _names_organization(query, details):
        missing.append("organizationId is missing")
    error = uri.AUTHENTICATION_REQUIRED if query.token is None else uri.ORGANIZATION_REQUIRED
    return JoinRefused(error, "; ".join(missing))


def _with_organization(principal: Principal, query: Query | None, details: HelloDetails) -> Principal:
    """The principal, with the organization that the query string names.

    Raises:
        JoinRefused: HELLO names another one.
    """
    if query is None or query.organization is None:
        return principal
    in_hello = (details.authextra or {}).get("organization")
    if in_hello is not None and str(in_hello) != query.organization:
        raise JoinRefused(
            uri.INVALID_ARGUMENT, "organizationId in the query string and authextra.organization in HELLO differ"
        )
    return replace(principal, organization=query.organization)


_REQUIRED: Final = "a token is required to join this realm"
