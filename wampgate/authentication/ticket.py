"""The authmethod ``ticket``: a token from the store or a static principal's secret ("Ticket-based Authentication")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Challenge, Principal, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wampgate.core.interfaces import Connection, TokenStore
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
        store: TokenStore | None = None,
        role: str = "member",
        now: Callable[[], float],
    ) -> None:
        """Made for one realm.

        Args:
            principals: the static principals.
            store: where tokens are looked up that are no static principal's.
            role: the authrole of the store's users.
            now: the router's monotonic clock, in seconds.
        """
        # A look-up by hash tells a guesser nothing by its timing.
        self._principals_by_hash = {principal.ticket_sha256: principal for principal in principals}
        self._reserved = {principal.authid for principal in self._principals_by_hash.values()}
        self._store = store
        self._role = role
        self._now = now

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:  # noqa: ARG002 - the interface's
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`."""
        return Challenge("ticket")

    async def authenticate(
        self,
        details: HelloDetails,
        challenge: Challenge,  # noqa: ARG002 - the interface's
        signature: str,
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.authenticate`.

        Raises:
            JoinRefused: the ticket is missing or not accepted.
            StoreUnavailable: the store can't say now.
        """
        if not signature:
            raise JoinRefused(uri.AUTHENTICATION_REQUIRED, "a token is required to join this realm")
        ticket_hash = sha256(signature.encode()).hexdigest()
        static = self._principals_by_hash.get(ticket_hash)
        if static is not None:
            _check_authid(details.authid, static.authid)
            return Principal(static.authid, static.authrole, "ticket", "static", token_id=ticket_hash)
        return await self._user(details.authid, signature, ticket_hash)

    async def _user(self, authid: str | None, ticket: str, ticket_hash: str) -> Principal:
        token = await self._store.look_up(ticket) if self._store is not None else None
        if token is None:
            raise _denied("unknown token")
        if not token.seconds_left > 0:  # so that NaN is refused too
            raise _denied(f"expired token of user {token.user!r}")
        _check_authid(authid, token.user)
        if token.user in self._reserved:
            raise _denied(f"user id {token.user!r} is a static principal's authid")
        expires = None if math.isinf(token.seconds_left) else self._now() + token.seconds_left
        return Principal(
            token.user,
            self._role,
            "ticket",
            "store",
            user=token.user,
            expires=expires,
            token_id=ticket_hash,
            ticket=Ticket(ticket),
        )


def _check_authid(asked: str | None, actual: str) -> None:
    if asked is not None and asked != actual:
        raise _denied(f"authid {asked!r} was asked for with a ticket of {actual!r}")


def _denied(log: str) -> JoinRefused:
    return JoinRefused(uri.AUTHENTICATION_DENIED, "the token is not accepted", log)
