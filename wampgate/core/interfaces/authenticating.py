"""The contracts of authentication: methods, challenges, and where credentials come from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.interfaces.principals import Connection, Principal
    from wampgate.wire.messages import HelloDetails


@dataclass(frozen=True, slots=True)
class Known:
    """A store's row by which a principal is known, kept to ask the store again whether it still stands there.

    Attributes:
        authmethod: the row's.
        authid: the row's.
        key: the public key or fingerprint that the row holds; empty for none.
        content: a digest of all that it says: another one means that the row says something else by now.
    """

    authmethod: str
    authid: str
    key: str = ""
    content: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """By what a principal is known that does not show a ticket.

    Attributes:
        authid: its name.
        authrole: its role; empty where the source has none and the method's own applies.
        provider: what knows it: ``static``, ``store`` or ``dynamic``.
        secret: what the method checks, by name; never shown. wampcra: ``secret``, and with a salt
            ``salt``, ``iterations``, ``keylen``; scram: ``kdf``, ``salt``, ``iterations``, ``memory``,
            ``stored_key``, ``server_key``; cryptosign: ``public_key`` (hexadecimal); tls:
            ``fingerprint`` (SHA-256 of the certificate's DER, hexadecimal).
        user: the user id whose memberships count; None for a principal that is no user.
        extra: goes into WELCOME's authextra.
        seconds_left: how long they are still good, more than 0; infinity if they never end.
        known: the row of a store where they stand, for :attr:`Principal.known`; None for all others.
    """

    authid: str
    authrole: str
    provider: str
    secret: Mapping[str, Any] = field(repr=False)
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    seconds_left: float = math.inf
    known: Known | None = None


class CredentialSource(Protocol):
    """Where principals are known: the configuration, a store, a dynamic authenticator."""

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """By what a principal is known for a method; None if it is not known here.

        Args:
            authmethod: ``wampcra``, ``scram``, ``cryptosign`` or ``tls``.
            authid: who the client says it is; None if it names no one.
            key: what it shows instead: a public key or a certificate's fingerprint, in lower-case
                hexadecimal; None for the methods that know no such thing.
            details: HELLO's, for those who decide by more than that.
            connection: the peer's, likewise.

        Raises:
            JoinRefused: this client may not join, with the reason.
            StoreUnavailable: it can't be said now.
        """


class CredentialStore(CredentialSource, Protocol):
    """A store that holds credentials in rows which may change while sessions live that joined by them."""

    async def credentials_of(self, known: Sequence[Known]) -> Mapping[Known, Credentials]:
        """What many rows say now, by what was known of them; one that is gone or of no use is missing.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the client has to answer ("Authentication Methods").

    Attributes:
        method: the authmethod.
        extra: what the client is sent of it.
        session: the session id that it promises; None where it promises none.
        private: what the authenticator needs to judge the answer, and the client is not sent.
    """

    method: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    session: int | None = None
    private: Any = field(default=None, repr=False)


class Authenticator(Protocol):
    """One authmethod. Keeps no state between sessions."""

    @property
    def authmethod(self) -> str:
        """As HELLO and WELCOME name it."""

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """The first step: a challenge, or who it is if nothing more needs to be asked.

        Raises:
            JoinRefused: this client may not join this way.
            StoreUnavailable: it can't be said now.
        """

    async def authenticate(
        self, details: HelloDetails, challenge: Challenge, signature: str, extra: Mapping[str, Any]
    ) -> Principal:
        """The second step: who it is, by its answer to the challenge.

        Raises:
            JoinRefused: the answer is not accepted.
            StoreUnavailable: it can't be said now.
        """
