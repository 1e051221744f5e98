"""Who a session is, what it showed, and what the transport knows of its peer."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import force_setattr, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces.authenticating import Known


NOT_ACCEPTED: Final = "the credentials are not accepted"
"""What a client hears whose answer, key or certificate is refused, whatever the reason."""


class Ticket:
    """A token that a session showed, kept to ask the store again whether it is still good; never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The token itself, for the store."""
        return self._text

    def __repr__(self) -> str:
        return "Ticket(…)"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a signed token says of itself, kept so that it can be denied later.

    Attributes:
        id: the token's own name (``jti``); None if it has none.
        at: when it was made (``iat``), in seconds since 1970; None if it does not say.
    """

    id: str | None
    at: float | None


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


# Structs, since each session has one of these two: as dataclasses they take 3.4 and 2.5 µs to make, so 0.4.
class Principal(Struct, frozen=True):
    """Who a session is. Written by the router, never by the client.

    Attributes:
        authid: the name; for a user of the token store, the user id.
        authrole: the role that rules name.
        authmethod: how it was authenticated: ``ticket``, ``anonymous``, …
        authprovider: who vouches for it: ``store``, ``jwt``, ``static``, ``anonymous``, ``router``.
        user: the user id whose memberships count; None for a principal that is no user.
        expires: when the session ends, in seconds of the router's monotonic clock; None for never.
        token_id: the SHA-256 of the token, in hexadecimal; None without a token.
        ticket: what the store knows its token by; None if the store knows nothing of it.
        extra: goes into WELCOME's authextra.
        organizations: the organizations that its signed token names, with its role in each, which
            then count instead of the store's memberships; None for all others.
        issued: of a signed token, what it says of itself.
        organization: the organization that it asked for in its HTTP request instead of in HELLO.
        known: the row of a store by which it is known; None without one.
        login: the login by cookie that it belongs to, which ends with it; None without one.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    user: str | None = None
    expires: float | None = None
    token_id: str | None = None
    ticket: Ticket | None = None
    extra: Mapping[str, Any] = _NOTHING
    organizations: Mapping[str, str] | None = None
    issued: Issued | None = None
    organization: str | None = None
    known: Known | None = None
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Secured:
    """What the TLS below a connection tells of it.

    Attributes:
        certificate: the client's certificate in DER, which the listener's authorities vouch for;
            None if it showed none.
        bindings: what ties an authentication to this very connection, by the type of the channel
            binding ("tls-unique" with TLS 1.2, "tls-exporter", "tls-server-end-point").
    """

    certificate: bytes | None = None
    bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """What the query string of a client's HTTP request says: ``/ws?token=…&organizationId=…``.

    Attributes:
        token: the parameter ``token``; None if it is missing or empty.
        organization: the parameter ``organizationId``, likewise.
    """

    token: Ticket | None = None
    organization: str | None = None

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return self.token is not None or self.organization is not None


class Connection(Struct, frozen=True):
    """What the transport knows of a peer.

    Attributes:
        peer: the peer's address and port, for the log: ``127.0.0.1:50000``.
        address: the address alone.
        secure: whether the connection is encrypted.
        agent: what the client calls itself (User-Agent); empty if it says nothing.
        bearer: the token of the request's ``Authorization: Bearer``; None without one.
        query: the request's query string; None where no realm takes tokens from there.
        network: what limits count by: the address, or the IPv6 network that one client has to
            itself; the address where nothing else is given.
        secured: what TLS tells; None without it, or where a proxy has it.
        cookie: the session cookie that the HTTP request brought; None without one.
    """

    peer: str
    address: str
    secure: bool = False
    agent: str = ""
    bearer: Ticket | None = None
    query: Query | None = None
    network: str = ""
    secured: Secured | None = None
    cookie: Ticket | None = None

    def __post_init__(self) -> None:
        """An address is a network of its own, unless one is named."""
        if not self.network:
            force_setattr(self, "network", self.address)

    @property
    def shows_token(self) -> bool:
        """Whether the HTTP request came with a token."""
        return self.bearer is not None or (self.query is not None and self.query.token is not None)

    def without_token(self) -> Connection:
        """The same, once nobody needs the token any more."""
        if not self.shows_token and self.secured is None and self.cookie is None:
            return self
        return replace(self, bearer=None, query=None, secured=None, cookie=None)
