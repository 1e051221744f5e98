"""``wampgate.auth.refresh(token)``: a session goes on with another token of the same user."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from wampgate.core.errors import JoinRefused, RequestRefused, uri
from wampgate.core.interfaces import Challenge
from wampgate.wire.messages import ClientRoles, HelloDetails

if TYPE_CHECKING:
    from wampgate.authorization.standing import Standing
    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Authenticator, Principal
    from wampgate.core.procedures import Asked
    from wampgate.core.router import Router
    from wampgate.core.session import Session

NAME: Final = "wampgate.auth.refresh"


class Refresh:
    """Extends the caller's session in place; its rights are read anew, and what is lost is taken away.

    The result is the time that the new token is good for, in seconds; None if it
    never expires. A token that is not accepted counts as a guess, and the session
    goes on with the one it has.
    """

    def __init__(
        self, authenticator: Authenticator, router: Router, standing: Standing | None, guesses: Guesses
    ) -> None:
        self._authenticator = authenticator
        self._router = router
        self._standing = standing
        self._guesses = guesses

    def __call__(self, asked: Asked) -> None:
        """Answer a call, as soon as its address may have one more token looked at.

        Raises:
            RequestRefused: the token is missing, or the caller has none to go on from.
        """
        caller = asked.caller
        token = asked.arguments("token").get("token")
        if caller.principal.user is None:
            raise RequestRefused(uri.NOT_AUTHORIZED, "this session has no token of a user to go on from")
        if not isinstance(token, str) or not token:
            raise RequestRefused(uri.INVALID_ARGUMENT, "wampgate.auth.refresh takes (token: str)")
        network = caller.connection.network

        def check() -> None:
            limit = self._guesses.exhausted(network)
            if caller.established and limit is None:
                asked.later(self._look(asked, token))
                return
            self._guesses.ended(network, token)
            if caller.established:
                caller.realm.counters[f"limit_{limit}"] += 1
                _record(caller, f"too many refused logins from this address: limits.{limit}")
                asked.refuse(_DENIED)

        self._guesses.attempt(network, token, check)

    async def _look(self, asked: Asked, token: str) -> None:
        """Have the token looked at.

        Raises:
            RequestRefused: it is not accepted or another user's.
            StoreUnavailable: the store can't say now.
        """
        caller = asked.caller
        try:
            principal = await self._authenticate(caller, token)
        finally:
            self._guesses.ended(caller.connection.network, token)
        if caller.established:
            await self._go_on(asked, principal)

    async def _go_on(self, asked: Asked, principal: Principal) -> None:
        """Give the session its new token and today's rights."""
        caller = asked.caller
        # Who joined by a cookie goes on under the login that it stands for, and ends with that.
        before, caller.principal = caller.principal, replace(principal, login=caller.principal.login)
        self._router.expire(caller, inf if principal.expires is None else principal.expires)
        if self._standing is not None:
            await self._standing.check([caller])
        if before.organizations != principal.organizations and caller.established:
            caller.realm.reconsider(caller)
        asked.result(None if principal.expires is None else self._router.seconds_until(principal.expires))

    async def _authenticate(self, caller: Session, token: str) -> Principal:
        # Asking for the session's own authid refuses every other user's token.
        details = HelloDetails(roles=ClientRoles(), authid=caller.principal.authid)
        try:
            principal = await self._authenticator.authenticate(details, Challenge("ticket"), token, {})
        except JoinRefused as refusal:
            self._guesses.failed(caller.connection.network)
            _record(caller, refusal.log or refusal.message)
            raise RequestRefused(refusal.error, refusal.message, refusal.log) from None
        if principal.user != caller.principal.user:
            self._guesses.failed(caller.connection.network)
            _record(caller, f"a token of {principal.authid!r}, who is no user of the store")
            raise _DENIED
        return principal


def _record(caller: Session, because: str) -> None:
    """Tell the log why a token was refused; never which."""
    caller.realm.record("refresh_refused", caller, because=because)


_DENIED: Final = RequestRefused(uri.AUTHENTICATION_DENIED, "the token is not accepted")
