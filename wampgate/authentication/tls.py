"""The authmethod ``tls``: a certificate for which a listener's authorities vouch ("TLS Certificate Authentication")."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from wampgate.authentication.sources import Asked, KnownPrincipals, check_length, denied
from wampgate.core.errors import JoinRefused, uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.interfaces import Challenge, Connection, Principal
    from wampgate.wire.messages import HelloDetails


class TlsAuthenticator:
    """Who holds the key of a certificate is whom the certificate is known to be.

    That the client has the key, and that an authority vouches for the certificate, the
    handshake has proved. The session ends when the certificate does.

    Args:
        known: who is known by a fingerprint.
        now: the router's monotonic clock, in seconds.
        wall_clock: the time, in seconds since 1970.
    """

    authmethod: Final = "tls"

    def __init__(self, known: KnownPrincipals, *, now: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._known = known
        self._now = now
        self._wall_clock = wall_clock

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """See :meth:`wampgate.core.interfaces.Authenticator.hello`.

        Raises:
            JoinRefused: the client has shown no certificate, or one that is nobody's.
            StoreUnavailable: it can't be said now whose it is.
        """
        encoded = None if connection.secured is None else connection.secured.certificate
        if encoded is None:
            raise JoinRefused(uri.AUTHENTICATION_REQUIRED, "a client certificate is required to join by tls")
        check_length(details.authid or "")
        end = _parsed(encoded).not_valid_after_utc.timestamp()
        asked = await self._find(details, connection, sha256(encoded).hexdigest())
        seconds_left = end - self._wall_clock()
        if not seconds_left > 0:
            raise denied(f"the certificate of {asked.credentials.authid!r} has expired")
        ends = self._now() + seconds_left
        ends = ends if asked.expires is None else min(ends, asked.expires)
        return self._known.principal(replace(asked, expires=ends), self.authmethod)

    async def _find(self, details: HelloDetails, connection: Connection, fingerprint: str) -> Asked:
        asked = await self._known.look_up(self.authmethod, details.authid, fingerprint, details, connection)
        if isinstance(asked, str):
            raise denied(asked)
        known = asked.credentials
        # A source is trusted to know the fingerprint, not to have compared it; nor the authid.
        if str(known.secret.get("fingerprint")).lower() != fingerprint or details.authid not in (None, known.authid):
            raise denied(f"the certificate is not the one of {known.authid!r}, or {details.authid!r}")
        return asked

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
        raise denied("nothing was asked")


def _parsed(encoded: bytes) -> x509.Certificate:
    """A certificate of its DER.

    Raises:
        JoinRefused: it is odd in a way that OpenSSL lets pass.
    """
    try:
        return x509.load_der_x509_certificate(encoded)
    except ValueError:
        raise denied("the certificate can't be read") from None
