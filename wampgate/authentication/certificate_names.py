"""Principals that are known by what an authority has written into their certificates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.interfaces import Connection, Credentials
    from wampgate.wire.messages import HelloDetails


@dataclass(frozen=True, slots=True)
class NamedByCertificate:
    """Someone who is known by a certificate's names.

    Attributes:
        credentials: who it is.
        common_name: the subject's common name; None if that does not matter.
        subject_alt_name: a DNS name, URI or mail address that the certificate is for; None if that does not matter.
    """

    credentials: Credentials
    common_name: str | None = None
    subject_alt_name: str | None = None

    def fits(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate has all that is asked for here, byte for byte."""
        if self.common_name is not None and _common_names(certificate) != [self.common_name]:
            return False
        return self.subject_alt_name is None or self.subject_alt_name in _alternative_names(certificate)


class CertificateNames:
    """A :class:`wampgate.core.interfaces.CredentialSource` for the method ``tls``.

    Args:
        named: who is known; of several whom a certificate fits, the first.
    """

    def __init__(self, named: Iterable[NamedByCertificate]) -> None:
        self._named = tuple(named)

    async def credentials(
        self,
        authmethod: str,
        authid: str | None,
        key: str | None,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        connection: Connection,
    ) -> Credentials | None:
        """See :meth:`wampgate.core.interfaces.CredentialSource.credentials`."""
        encoded = None if connection.secured is None else connection.secured.certificate
        if authmethod != "tls" or encoded is None or not self._named:
            return None
        certificate = x509.load_der_x509_certificate(encoded)
        for each in self._named:
            if authid in (None, each.credentials.authid) and each.fits(certificate):
                return replace(each.credentials, secret={"fingerprint": key})
        return None


def _common_names(certificate: x509.Certificate) -> list[str | bytes]:
    try:
        return [name.value for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError:
        return []


def _alternative_names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names, URIs and mail addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return frozenset()
    kinds = (x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name)
    return frozenset(name.value for name in names if isinstance(name, kinds))
