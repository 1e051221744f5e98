"""The authmethod ``wampcra``: a shared secret signs a challenge ("Challenge Response Authentication")."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from wampgate.authentication.sources import Asked, KnownPrincipals, asking_authid, denied
from wampgate.core.ids import random_id
from wampgate.core.interfaces import Challenge, Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.authentication.mock_credentials import MockCredentials
    from wampgate.core.interfaces import Connection, Credentials
    from wampgate.wire.messages import HelloDetails

_DERIVATION: Final = {"iterations": 1000, "keylen": 32}
"""How a salted password is derived where the credentials don't say."""


class WampcraAuthenticator:
    """Who can sign the challenge with a principal's secret is that principal.

    With a salt, the secret that both sides sign with is the one that ``derivation.wampcra_secret`` makes of the
    password: its Base64 text.

    Args:
        known: who is known.
        mock: what those get who are not.
        wall_clock: the time that the challenge tells.
    """

    authmethod: Final = "wampcra"

    def __init__(
        self,
        known: KnownPrincipals,
        mock: MockCredentials,
        *,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._known = known
        self._mock = mock
        self._wall_clock = wall_clock

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: HELLO names no authid.
            StoreUnavailable: it can't be said now who that is.
        """
        authid = asking_authid(details, self.authmethod)
        made_up = self._mock.of(authid)
        found = await self._known.look_up(self.authmethod, authid, None, details, connection)
        asked = Asked(made_up, unknown=found) if isinstance(found, str) else found
        session = random_id()
        extra = {"challenge": self._text(asked.credentials, session), **_salting(asked.credentials.secret)}
        return Challenge(self.authmethod, extra, session=session, private=asked)

    async def authenticate(
        self,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        challenge: Challenge,
        signature: str,
        extra: Mapping[str, Any],  # noqa: ARG002 - the interface's
    ) -> Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.authenticate`.

        Raises:
            JoinRefused: the signature is another one.
        """
        asked: Asked = challenge.private
        expected = signature_of(str(asked.credentials.secret["secret"]), challenge.extra["challenge"])
        fits = hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))
        if not fits or asked.unknown:
            raise denied(asked.unknown or f"wrong signature for {asked.credentials.authid!r}")
        return self._known.principal(asked, self.authmethod)

    def _text(self, credentials: Credentials, session: int) -> str:
        """What is to be signed: it names all that the session will be."""
        time = self._wall_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(
            {
                "authid": credentials.authid,
                "authrole": self._known.role_of(credentials),
                "authmethod": self.authmethod,
                "authprovider": credentials.provider,
                "nonce": secrets.token_urlsafe(16),
                "timestamp": time,
                "session": session,
            }
        )


def _salting(secret: Mapping[str, Any]) -> dict[str, Any]:
    """How the client has to derive its secret of its password; nothing if it has the secret itself."""
    if secret.get("salt") is None:
        return {}
    return {"salt": secret["salt"], **{name: secret.get(name) or usual for name, usual in _DERIVATION.items()}}


def signature_of(secret: str, challenge: str) -> bytes:
    """A challenge's signature as AUTHENTICATE brings it: the HMAC-SHA256, in Base64."""
    return b64encode(hmac.digest(secret.encode(), challenge.encode(), "sha256"))
