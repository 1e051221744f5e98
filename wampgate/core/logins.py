"""Logins by session cookie: the contracts of who makes and ends them, and of where the cookies are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wampgate.core.interfaces import Connection, Principal, Ticket

COOKIE: Final = "__Host-wampgate"
"""The cookie's name; by its prefix browsers take it over TLS and for one host and all its paths only (RFC 6265bis)."""

LOGGED_OUT: Final = "the login was ended"
"""What a session hears that joined by a cookie whose login has ended."""


@dataclass(frozen=True, slots=True)
class KeptCookie:
    """What is kept of a session cookie: nothing by which it, or the token behind it, could be shown again.

    Attributes:
        cookie: its SHA-256, in hexadecimal.
        login: the login that it stands for; a cookie that takes its place stands for the same one.
        authid: whose it is.
        sealed: the token, encrypted under a key that only the cookie yields.
    """

    cookie: str
    login: str
    authid: str
    sealed: str = field(repr=False)


class CookieStore(Protocol):
    """Where session cookies are kept. Drops those whose time is over by itself, and bounds how many one authid has."""

    async def keep(self, kept: KeptCookie, seconds: float, instead_of: str | None) -> None:
        """Keep a cookie for so many seconds, and forget another one, by its SHA-256.

        Raises:
            StoreUnavailable: it is not kept, or it can't be said whether.
        """

    async def find(self, cookie: str) -> KeptCookie | None:
        """What is kept of a cookie, by its SHA-256; None if its time is over, or its login.

        Raises:
            StoreUnavailable: it can't be said now.
        """

    async def end(self, cookie: str) -> KeptCookie | None:
        """End a cookie's login, by the cookie's SHA-256, and tell other nodes; what was kept, None if nothing was.

        Raises:
            StoreUnavailable: it can't be said whether it has ended.
        """

    async def ended(self, logins: Sequence[str]) -> Collection[str]:
        """Those of these logins that were ended lately.

        Raises:
            StoreUnavailable: it can't be said now.
        """


@dataclass(frozen=True, slots=True)
class Login:
    """A session cookie that was just made.

    Attributes:
        cookie: its value, for the client alone.
        seconds: how long it is good.
    """

    cookie: Ticket
    seconds: float


class Logins(Protocol):
    """Makes session cookies in one realm, and ends them."""

    async def begin(self, principal: Principal, token: Ticket, instead_of: Ticket | None) -> Login:
        """A new cookie for someone who has shown a token, whatever cookie was there before.

        Args:
            principal: who that is, by the token.
            token: what was shown.
            instead_of: the request's own cookie, which is forgotten; None without one.

        Raises:
            JoinRefused: the token is as good as over.
            StoreUnavailable: it can't be kept now.
        """

    async def end(self, cookie: Ticket) -> bool:
        """End a cookie's login and the sessions that joined by it; whether there was one.

        Raises:
            StoreUnavailable: it can't be said whether it has ended.
        """


def is_private(connection: Connection) -> bool:
    """Whether nobody on the way can read what a connection brings: it is encrypted, or of this very machine."""
    if connection.secure:
        return True
    try:
        return ip_address(connection.address).is_loopback
    except ValueError:
        return False
