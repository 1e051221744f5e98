"""Outgoing TLS: whose certificates are trusted, and that a server's certificate is for the host that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

TrustRoot = Any
"""Certificates to trust, as Twisted takes them (its ``IOpenSSLTrustRoot``)."""

OTHER_HOST: Final = "its certificate is not for the host in the URL (as a subjectAltName)"

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


class OtherHost(VerificationError):
    """A server's certificate is for another host, or for none."""

    def __init__(self) -> None:
        super().__init__(errors=[])

    def __str__(self) -> str:
        return OTHER_HOST


@implementer(IOpenSSLClientConnectionCreator)
class ClientTls:
    """Twisted's TLS for clients, refusing every certificate that does not name the host.

    Twisted itself (as of 26.10) lets a certificate pass that names no host at all:
    any that the same authority made, for whatever use.

    Args:
        host: a name or an address.
        trust_root: whose certificates to trust.

    Raises:
        ValueError: no certificate can be for this host.
    """

    def __init__(self, host: str, trust_root: TrustRoot) -> None:
        try:
            # Any: Twisted says what it is with zope.interface, which says nothing to a type checker.
            self._creator: Any = optionsForClientTLS(host, trustRoot=trust_root)
            ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
            address = isIPAddress(host) or isIPv6Address(host)
            self._identity = IPAddress_ID(ascii_host) if address else DNS_ID(ascii_host)
        except (UnicodeError, ValueError):
            raise ValueError("no certificate can be for this host: use a name of letters, digits and hyphens") from None

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802, N803 - Twisted's names
        """See :class:`twisted.internet.interfaces.IOpenSSLClientConnectionCreator`."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)

        def verify(_: SSL.Connection, certificate: crypto.X509, __: int, depth: int, ok: int) -> bool:
            # An exception in here would only be printed, and the certificate pass.
            try:
                if depth == 0:
                    verify_service_identity(extract_patterns(certificate), [self._identity], [])
            except (VerificationError, CertificateError):
                tlsProtocol.failVerification(Failure(OtherHost()))  # type: ignore[no-untyped-call]  # Twisted's
                return False
            except Exception:  # noqa: BLE001 - whatever is odd about a certificate, it is not known to be good
                return False
            return bool(ok)

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection


def trust_root_of(ca_file: str | None) -> TrustRoot:
    """The certificates to trust: those of a PEM file, or the platform's if there is none.

    Raises:
        ValueError: the file can't be read or holds no certificate.
    """
    if ca_file is None:
        return platformTrust()  # type: ignore[no-untyped-call]  # Twisted has not typed it
    try:
        blocks = Path(ca_file).read_bytes().split(_BEGIN)[1:]
        certificates = [Certificate.loadPEM(_BEGIN + block) for block in blocks]
    except (OSError, crypto.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "a certificate in it is broken"
        raise ValueError(f"ca_file {ca_file!r} can't be read: {reason}; name a file of PEM certificates") from None
    if not certificates:
        raise ValueError(f"ca_file {ca_file!r} holds no certificate; name a file of PEM certificates")
    return trustRootFromCertificates(certificates)  # type: ignore[no-untyped-call]  # Twisted has not typed it


def why_tls_failed(error: BaseException | None) -> str | None:
    """Why a connection failed, in one sentence without secrets; None if it was not TLS that failed."""
    if isinstance(error, VerificationError):
        return OTHER_HOST
    if isinstance(error, SSL.Error):
        errors = error.args[0] if error.args else ()
        return "TLS failed: " + (", ".join(str(entry[-1]) for entry in errors) or "it hung up")
    return None
