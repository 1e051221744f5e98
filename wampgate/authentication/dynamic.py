"""The dynamic authenticator: a WAMP procedure of the user's says who someone is.

For ``wampcra``, ``scram``, ``cryptosign`` and ``tls`` it tells by what a principal is
known, and the method goes on from there. For ``ticket`` and ``anonymous`` it decides
itself. Whatever keeps it from answering, nothing is granted.
"""

from __future__ import annotations

import math
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

from wampgate.authentication.dynamic_answers import Answer, Nonsense, read_answer
from wampgate.core.errors import JoinRefused, StoreUnavailable, uri
from wampgate.core.interfaces import Challenge, Credentials, Principal
from wampgate.core.local_caller import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Connection
    from wampgate.core.local_caller import LocalCaller, Outcome
    from wampgate.wire.messages import HelloDetails

PROVIDER: Final = "dynamic"

_NO_ENTRY: Final = "this client may not join"

_REFUSALS: Final = frozenset({uri.AUTHENTICATION_DENIED, uri.NOT_AUTHORIZED, "wamp.error.no_such_principal"})
"""The specification's errors by which a procedure says no; all others of ``wamp.`` say that it could not answer."""


class DynamicAuthenticator:
    """Asks one procedure on behalf of one realm; a :class:`wampgate.core.interfaces.CredentialSource`.

    Args:
        realm: the realm that clients join.
        procedure: what is called, with (realm, authid, details), as Crossbar does it.
        methods: the authmethods that it is asked for.
        role: the role where an answer has none; None if each has to have one.
        reserved: authids that no answer can give away: those of the configuration's principals.
        now: the router's monotonic clock, in seconds.
    """

    def __init__(
        self,
        realm: str,
        procedure: str,
        *,
        methods: Collection[str],
        role: str | None = None,
        reserved: Collection[str] = (),
        now: Callable[[], float],
    ) -> None:
        self.methods = frozenset(methods)
        self._realm = realm
        self._procedure = procedure
        self._role = role
        self._reserved = frozenset(reserved)
        self._now = now
        self._caller: LocalCaller | None = None
        self._guesses: Guesses | None = None

    def bind(self, caller: LocalCaller, guesses: Guesses) -> None:
        """Say through whom it is called, and who counts refused logins; before that nobody can join by it."""
        self._caller = caller
        self._guesses = guesses

    # --- methods that check a secret themselves ---

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """See :meth:`wampgate.core.interfaces.CredentialSource.credentials`.

        Raises:
            StoreUnavailable: it does not answer, or answers nonsense.
        """
        if authmethod not in self.methods:
            return None
        told = _told(authmethod, details, connection)
        if key is not None:
            told["key"] = key
        answer = await self._ask(authmethod, authid, told)
        if answer is None:
            return None
        name = answer.authid or authid
        if name is None:
            raise self._nonsense("authid: the client has named none, so the answer has to")
        return Credentials(
            name,
            self._role_of(answer),
            PROVIDER,
            answer.secret or ({} if key is None else {"fingerprint": key}),
            user=answer.user,
            extra=answer.extra,
            seconds_left=answer.seconds_left,
        )

    # --- methods that have nothing but its word ---

    async def judge(self, ticket: str, details: HelloDetails, connection: Connection | None) -> Principal:
        """Whose ticket this is; see :class:`wampgate.authentication.ticket.TicketJudge`.

        Raises:
            JoinRefused: nobody's.
            StoreUnavailable: it does not answer, or answers nonsense.
        """
        told = _told("ticket", details, connection)
        told["ticket"] = ticket
        answer = await self._ask("ticket", details.authid, told)
        if answer is None:
            raise self._denied("the token is not accepted", f"{self._procedure} knows no such ticket")
        name = answer.authid or details.authid
        if name is None:
            raise self._nonsense("authid: the client has named none, so the answer has to")
        if connection is None and name != details.authid:
            # A session that is there goes on with another ticket: as the same one, or not at all.
            raise self._denied("the token is not accepted", f"a ticket of {name!r}, not of {details.authid!r}")
        ticket_hash = sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
        return self._principal(answer, name, "ticket", token_id=ticket_hash)

    async def admit_anonymous(self, details: HelloDetails, connection: Connection) -> Principal:
        """Who someone without a name is to be.

        Raises:
            JoinRefused: nobody may join so.
            StoreUnavailable: it does not answer, or answers nonsense.
        """
        # A HELLO without a token costs no guess by itself, so whoever was refused too often is stopped here.
        limit = None if self._guesses is None else self._guesses.exhausted(connection.network)
        if limit is not None:
            raise self._denied(_NO_ENTRY, f"too many refused logins from this address: limits.{limit}")
        answer = await self._ask("anonymous", details.authid, _told("anonymous", details, connection))
        if answer is None:
            raise self._denied(_NO_ENTRY, f"{self._procedure} says no")
        # A name that the client has chosen is nobody's until someone vouches for it.
        return self._principal(answer, answer.authid or f"anonymous-{secrets.token_hex(8)}", "anonymous")

    # --- asking ---

    async def _ask(self, authmethod: str, authid: str | None, told: Mapping[str, Any]) -> Answer | None:
        """What the procedure says; None where it says no."""
        if self._caller is None:
            raise StoreUnavailable(f"the dynamic authenticator {self._procedure} is not there yet")
        waiting: Deferred[Outcome] = Deferred()
        self._caller.call(self._procedure, (self._realm, authid, told)).then(waiting.callback)
        outcome = await waiting
        if isinstance(outcome, Unanswered):
            if outcome.error in _REFUSALS or not outcome.error.startswith(("wamp.", "wampgate.")):
                return None
            raise StoreUnavailable(f"the dynamic authenticator {self._procedure}: {outcome.message}")
        try:
            return read_answer(outcome, authmethod, self._realm)
        except Nonsense as nonsense:
            raise self._nonsense(str(nonsense)) from None

    def _principal(self, answer: Answer, authid: str, authmethod: str, token_id: str | None = None) -> Principal:
        if not self._reserved.isdisjoint((authid, answer.user or "")):
            raise self._nonsense(f"authid: {authid!r} is a principal's of the configuration")
        return Principal(
            authid,
            self._role_of(answer),
            authmethod,
            PROVIDER,
            user=answer.user,
            expires=None if math.isinf(answer.seconds_left) else self._now() + answer.seconds_left,
            token_id=token_id,
            extra=answer.extra,
        )

    def _role_of(self, answer: Answer) -> str:
        role = answer.role or self._role
        if role is None:
            raise self._nonsense("role: it is missing, and authentication.dynamic.role names none")
        return role

    def _nonsense(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"the dynamic authenticator {self._procedure} answers nonsense: {why}")

    @staticmethod
    def _denied(message: str, log: str) -> JoinRefused:
        return JoinRefused(uri.AUTHENTICATION_DENIED, message, log)


class DynamicAnonymous:
    """The authmethod ``anonymous`` where a dynamic authenticator says who may join so, and as whom."""

    authmethod: Final = "anonymous"

    def __init__(self, dynamic: DynamicAuthenticator) -> None:
        self._dynamic = dynamic

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`."""
        return await self._dynamic.admit_anonymous(details, connection)

    async def authenticate(
        self,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        challenge: Challenge,  # noqa: ARG002 - the interface's
        signature: str,  # noqa: ARG002 - the interface's
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """Never reached: ``hello`` asks nothing.

        Raises:
            JoinRefused: always.
        """
        raise JoinRefused(uri.AUTHENTICATION_DENIED, "nothing was asked")


def _told(authmethod: str, details: HelloDetails, connection: Connection | None) -> dict[str, Any]:
    """What the procedure is told of a client; never a cookie, nor a token that came with its HTTP request."""
    told: dict[str, Any] = {"authmethod": authmethod, "authextra": details.authextra or {}, "transport": None}
    if connection is not None:
        certificate = None if connection.secured is None else connection.secured.certificate
        told["transport"] = {
            "peer": connection.peer,
            "address": connection.address,
            "secure": connection.secure,
            "agent": connection.agent,
            "client_cert": None if certificate is None else _certificate(certificate),
        }
    return told


def _certificate(encoded: bytes) -> Mapping[str, str]:
    """A client certificate that a listener's authorities vouch for, in words."""
    # Takes a tenth of a second to load, and is needed where clients show certificates only.
    from cryptography import x509  # noqa: PLC0415

    return {
        "fingerprint": sha256(encoded).hexdigest(),
        "subject": x509.load_der_x509_certificate(encoded).subject.rfc4514_string(),
    }
