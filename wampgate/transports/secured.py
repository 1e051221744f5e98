"""What the TLS below a connection tells: the client's certificate, and what ties an authentication to the channel."""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from wampgate.core.interfaces import Secured

_EXPORTER: Final = (b"EXPORTER-Channel-Binding", 32, b"")
"""RFC 9266, section 2: label, length and context."""

_REPLACED: Final = ("md5", "sha1")
"""RFC 5929, section 4.1: SHA-256 stands for these."""


def secured_of(transport: Any) -> Secured | None:
    """What TLS tells of a connection whose handshake is over; None without TLS.

    Args:
        transport: Twisted's, of a server's connection.
    """
    handle = getattr(transport, "getHandle", None)
    connection = None if handle is None else handle()
    if not isinstance(connection, SSL.Connection):
        return None
    return Secured(_verified_certificate(connection), _bindings(connection))


def _verified_certificate(connection: SSL.Connection) -> bytes | None:
    """The client's certificate in DER, if the listener has asked for one and authorities vouch for it."""
    if not connection.get_context().get_verify_mode() & SSL.VERIFY_PEER:
        return None
    certificate = connection.get_peer_certificate(as_cryptography=True)
    return None if certificate is None else certificate.public_bytes(Encoding.DER)


def _bindings(connection: SSL.Connection) -> dict[str, bytes]:
    bindings: dict[str, bytes] = {}
    # In TLS 1.3 tls-unique is not defined, and with older versions the exporter binds nothing for sure.
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        bindings["tls-exporter"] = connection.export_keying_material(*_EXPORTER)
    elif (finished := connection.get_peer_finished()) is not None:
        # The first Finished message is the client's: the router's listeners resume no sessions.
        bindings["tls-unique"] = finished
    certificate = _hash_of_certificate(connection)
    if certificate is not None:
        bindings["tls-server-end-point"] = certificate
    return bindings


def _hash_of_certificate(connection: SSL.Connection) -> bytes | None:
    """The hash of the router's own certificate (RFC 5929, section 4.1); None where its signature has no hash."""
    certificate = connection.get_certificate(as_cryptography=True)
    if certificate is None or certificate.signature_hash_algorithm is None:
        return None
    algorithm = certificate.signature_hash_algorithm
    return certificate.fingerprint(hashes.SHA256() if algorithm.name in _REPLACED else algorithm)
