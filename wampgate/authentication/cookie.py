"""The authmethod ``cookie``: a session cookie that stands for a token, made by a login and ended with it.

A cookie is 32 random bytes. Kept are its SHA-256, by which it is found, and the token,
encrypted under a key that is derived from the cookie: so what is kept opens nothing,
and shows no token, to anyone but the one who brings the cookie. Realm and purpose are
part of both derivations, so that a cookie of one realm is nothing in another.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec.structs import replace

from wampgate.core.errors import JoinRefused, StoreUnavailable, uri
from wampgate.core.interfaces import Challenge, Principal, Ticket
from wampgate.core.kills import Kills
from wampgate.core.logins import LOGGED_OUT, KeptCookie, Login, is_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.interfaces import Authenticator, Connection
    from wampgate.core.logins import CookieStore
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import HelloDetails

_BYTES: Final = 32
_TEXT_LENGTH: Final = 43
"""Characters of :data:`_BYTES` in Base64 without padding, as a cookie's value."""

_NONCE: Final = 12
_LEAST_SECONDS: Final = 1.0
"""A cookie for less would be over before it is used."""

_ENDED: Final = 10_000
"""So many logins that were ended here are remembered, for sessions that were joining by them."""


class CookieKeys:
    """Derives of a cookie under what it is kept, and by what its token is encrypted.

    Args:
        realm: the realm's name.
    """

    def __init__(self, realm: str) -> None:
        self._purpose = b"wampgate cookie\0" + realm.encode()

    def name_of(self, cookie: Ticket) -> str | None:
        """What a cookie is found by: a SHA-256 in hexadecimal; None if it can't be one of ours."""
        value = _bytes_of(cookie)
        return None if value is None else hashlib.sha256(self._purpose + b"\0" + value).hexdigest()

    def seal(self, cookie: Ticket, token: str) -> str:
        """The token, encrypted so that only the cookie opens it."""
        nonce = secrets.token_bytes(_NONCE)
        # Half of a surrogate pair is in no token that was accepted.
        return base64.b64encode(nonce + self._cipher(cookie).encrypt(nonce, token.encode(), self._purpose)).decode()

    def open(self, cookie: Ticket, sealed: str) -> str | None:
        """The token; None if this is not what the cookie sealed."""
        try:
            data = base64.b64decode(sealed, validate=True)
            return self._cipher(cookie).decrypt(data[:_NONCE], data[_NONCE:], self._purpose).decode()
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, cookie: Ticket) -> AESGCM:
        derived = HKDF(SHA256(), 32, salt=None, info=self._purpose + b"\0token")
        return AESGCM(derived.derive(_bytes_of(cookie) or b""))


def _bytes_of(cookie: Ticket) -> bytes | None:
    text = cookie.reveal()
    if len(text) != _TEXT_LENGTH or not text.isascii():
        return None
    try:
        value = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    # One cookie has one text: the last character's spare bits are not ours to play with.
    return value if base64.urlsafe_b64encode(value).decode() == text + "=" else None


class CookieAuthenticator:
    """Who brings a good cookie is whom the token behind it says, by today's answer about that token.

    Args:
        keys: derives of a cookie what is needed.
        store: where cookies are kept.
        tickets: judges the token, as if the client had shown it.
    """

    authmethod: Final = "cookie"

    def __init__(self, keys: CookieKeys, store: CookieStore, tickets: Authenticator) -> None:
        self._keys = keys
        self._store = store
        self._tickets = tickets

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: there is no cookie, or it opens nothing.
            StoreUnavailable: it can't be said now.
        """
        cookie = connection.cookie
        if cookie is None:
            raise JoinRefused(uri.AUTHENTICATION_REQUIRED, _REQUIRED)
        if not is_private(connection):
            raise JoinRefused(uri.AUTHENTICATION_REQUIRED, _INSECURE, "a session cookie over an unencrypted connection")
        name = self._keys.name_of(cookie)
        kept = None if name is None else await self._store.find(name)
        token = None if kept is None else self._keys.open(cookie, kept.sealed)
        if kept is None or token is None:
            raise _denied("unknown cookie, or one that is over")
        # What the request shows besides says nothing here: the cookie was chosen.
        principal = await self._tickets.hello(details, replace(connection, bearer=Ticket(token), cookie=None))
        if not isinstance(principal, Principal):
            raise _denied("the token behind the cookie is none that can be judged")
        return replace(principal, authmethod=self.authmethod, login=kept.login)

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


class RealmLogins:
    """The :class:`wampgate.core.logins.Logins` of one realm.

    Args:
        realm: ends its sessions.
        keys: derives of a cookie what is needed.
        store: where cookies are kept.
        now: the router's monotonic clock, in seconds.
        most_seconds: no cookie is good for longer, whatever its token is.
    """

    def __init__(
        self,
        realm: Realm,
        keys: CookieKeys,
        store: CookieStore,
        *,
        now: Callable[[], float],
        most_seconds: float,
    ) -> None:
        self._realm = realm
        self._keys = keys
        self._store = store
        self._now = now
        self._most_seconds = most_seconds
        self._kills = Kills(realm, by="a logout")
        self._ended: dict[str, None] = {}
        realm.joined.append(self._joined)

    async def begin(self, principal: Principal, token: Ticket, instead_of: Ticket | None) -> Login:
        """See :meth:`wampgate.core.logins.Logins.begin`."""
        seconds = self._most_seconds
        if principal.expires is not None:
            seconds = min(seconds, principal.expires - self._now())
        if seconds < _LEAST_SECONDS:
            raise _denied(f"a token of {principal.authid!r} that is as good as over")
        before = None if instead_of is None else self._keys.name_of(instead_of)
        cookie = Ticket(secrets.token_urlsafe(_BYTES))
        name = self._keys.name_of(cookie)
        if name is None:
            raise StoreUnavailable("no cookie could be made")
        login = await self._login_of(before, principal.authid)
        kept = KeptCookie(name, login, principal.authid, self._keys.seal(cookie, token.reveal()))
        await self._store.keep(kept, seconds, before)
        return Login(cookie, seconds)

    async def end(self, cookie: Ticket) -> bool:
        """See :meth:`wampgate.core.logins.Logins.end`."""
        name = self._keys.name_of(cookie)
        kept = None if name is None else await self._store.end(name)
        if kept is None:
            return False
        self._ended[kept.login] = None
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]
        self._kills.end("login", kept.login, uri.TOKEN_REVOKED, LOGGED_OUT)
        return True

    async def _login_of(self, before: str | None, authid: str) -> str:
        """The login that goes on, if the same one has logged in anew; else a new one.

        So that logging out ends the sessions that joined by the cookie before this one too, and
        that whoever has planted a cookie of his own into a browser takes no part in what comes after.
        """
        kept = None if before is None else await self._store.find(before)
        return secrets.token_hex(16) if kept is None or kept.authid != authid else kept.login

    def _joined(self, session: Session, _since: float) -> None:
        """A session joined; its login may have ended while it was on its way."""
        login = session.principal.login
        if login is not None and login in self._ended:
            self._realm.goodbye(session, uri.TOKEN_REVOKED, LOGGED_OUT)


def _denied(log: str) -> JoinRefused:
    return JoinRefused(uri.AUTHENTICATION_DENIED, "the session cookie is not accepted", log)


_REQUIRED: Final = "a session cookie is required, brought by a page of an allowed origin: log in by POST /session"
_INSECURE: Final = "session cookies are taken over encrypted connections only"
