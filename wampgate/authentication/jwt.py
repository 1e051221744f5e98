"""Signed tokens (JWT, RFC 7519, with the advice of RFC 8725): what one has to be, to be believed.

A key has one algorithm and a token has to be signed with it. What a token's header
says about where keys are (``jku``, ``x5u``, ``jwk``, ``x5c``) is never looked at.
The signature is checked by PyJWT, over the keys of :mod:`wampgate.authentication.keys`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt

from wampgate.authentication.keys import ALGORITHMS, MAX_KID
from wampgate.authentication.signed import Signed
from wampgate.core.errors import JoinRefused, uri
from wampgate.core.interfaces import Issued
from wampgate.core.uri import is_organization_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wampgate.authentication.deny_list import DenyList
    from wampgate.authentication.key_source import KeySource

MAX_LENGTH: Final = 8192
"""The longest token, in characters; a header line holds no longer one."""

MAX_NAME: Final = 256
"""The longest user id and the longest jti, in characters."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say.

    Attributes:
        audience: of these it names one at least (``aud``).
        issuer: who made it (``iss``); None where issuers don't say.
        user_claim: where its user's id stands.
        organizations_claim: where its organizations stand, as a list of ids, or as an object of
            roles by id; None where memberships are the store's.
        leeway: how far apart the clocks may be, in seconds, for ``nbf`` and ``iat``.
    """

    audience: tuple[str, ...]
    issuer: str | None
    user_claim: str = "sub"
    organizations_claim: str | None = None
    leeway: float = 30.0


class JwtTokens:
    """Reads signed tokens; a :class:`wampgate.authentication.signed.SignedTokens`.

    Args:
        keys: the issuer's keys.
        expected: what a token has to say.
        deny_list: which tokens are good no more; None if there is none.
        wall_clock: the time in seconds since 1970, as tokens tell it.
    """

    def __init__(
        self,
        keys: KeySource,
        expected: Expected,
        deny_list: DenyList | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._deny_list = deny_list
        self._wall_clock = wall_clock

    def recognizes(self, token: str) -> bool:
        """See :class:`wampgate.authentication.signed.SignedTokens`."""
        # The header is a JSON object, so its base64 begins with "ey" ('{"') or "ew" ("{" and a line's end).
        return token.startswith(("ey", "ew")) and token.count(".") == 2

    async def verify(self, token: str) -> Signed:
        """See :class:`wampgate.authentication.signed.SignedTokens`.

        Raises:
            JoinRefused: it is not accepted; the log says why.
            StoreUnavailable: the keys can't be had now.
        """
        if len(token) > MAX_LENGTH:
            raise _denied(f"a signed token of {len(token)} characters, more than {MAX_LENGTH}")
        kid, algorithm = _named_key(token)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise _denied(f"a signed token names no known key: kid {kid!r}, alg {algorithm!r}")
        claims = self._claims(token, key.material, key.algorithm)
        return self._believed(claims)

    def _claims(self, token: str, material: Any, algorithm: str) -> dict[str, Any]:
        """What a token says, its signature, audience and issuer being good."""
        expected = self._expected
        try:
            return jwt.decode(
                token,
                material,
                algorithms=[algorithm],
                audience=expected.audience,
                issuer=expected.issuer,
                # The times are compared below: with our clock, and without leeway at the end.
                options={"require": ["exp", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # Only the kind: some of the texts quote the token.
            raise _denied(f"a signed token is not good: {type(error).__name__}") from None

    def _believed(self, claims: dict[str, Any]) -> Signed:
        if "cnf" in claims:
            raise _denied("a signed token is bound to a key (cnf); whether its bearer has that can't be seen here")
        user = _name(claims.get(self._expected.user_claim))
        if user is None:
            raise _denied(f"a signed token has no user in {self._expected.user_claim!r}")
        issued = Issued(_name(claims.get("jti")), self._issued_at(claims, user))
        seconds_left = self._seconds_left(claims, user)
        if self._deny_list is not None and self._deny_list.denies(user, issued):
            raise _denied(f"a denied token of user {user!r}")
        return Signed(user, seconds_left, issued, self._organizations(claims, user))

    def _seconds_left(self, claims: dict[str, Any], user: str) -> float:
        expires, begins, now = _instant(claims, "exp"), _instant(claims, "nbf"), self._wall_clock()
        if expires is None:
            raise _denied(f"a token of user {user!r} says nothing of its end (exp)")
        if begins is not None and begins > now + self._expected.leeway:
            raise _denied(f"a token of user {user!r} is not good yet (nbf)")
        if not expires > now:
            raise _denied(f"expired token of user {user!r}")
        return expires - now

    def _issued_at(self, claims: dict[str, Any], user: str) -> float | None:
        at = _instant(claims, "iat")
        if at is not None and at > self._wall_clock() + self._expected.leeway:
            raise _denied(f"a token of user {user!r} was issued in the future (iat)")
        return at

    def _organizations(self, claims: dict[str, Any], user: str) -> Mapping[str, str] | None:
        name = self._expected.organizations_claim
        if name is None:
            return None
        # Without the claim the token opens no organization: the store is not asked instead.
        named = claims.get(name, [])
        if not isinstance(named, (list, dict)):
            raise _denied(f"a token of user {user!r} has neither a list nor an object of organizations in {name!r}")
        roles = named if isinstance(named, dict) else dict.fromkeys(_texts(named), "")
        return {id_: role if isinstance(role, str) else "" for id_, role in roles.items() if is_organization_id(id_)}


def _named_key(token: str) -> tuple[str | None, str]:
    """The key that a token names and the algorithm it says it is signed with; nothing else of its header counts."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _denied("a signed token is malformed") from None
    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS:
        raise _denied(f"a signed token of an algorithm that is not used here: {algorithm!r:.40}")
    if kid is not None and len(kid) > MAX_KID:
        raise _denied("a signed token names a key of too long a name")
    if "crit" in header:
        raise _denied("a signed token wants something to be understood (crit) that is not")
    return kid, algorithm


def _name(value: object) -> str | None:
    """A user's id or a token's own; None if it can't be one."""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        return None
    return value


def _texts(ids: list[Any]) -> Iterator[str]:
    """Ids as text, where they can be ids."""
    return (str(id_) for id_ in ids if type(id_) in (int, str))


def _instant(claims: dict[str, Any], name: str) -> float | None:
    """A time in seconds since 1970 (RFC 7519, "NumericDate"); None if the claim is missing."""
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= _FAR:  # so that NaN is refused too
        raise _denied(f"a signed token's {name} is no time")
    return float(value)


_FAR: Final = 1e11
"""Beyond this a number is no time: some count in milliseconds, and mean never."""


def _denied(log: str) -> JoinRefused:
    return JoinRefused(uri.AUTHENTICATION_DENIED, "the token is not accepted", log)
