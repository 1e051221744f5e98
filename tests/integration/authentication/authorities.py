"""Certificate authorities for tests, and a TLS client that shows what binds its channel, by OpenSSL alone."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PEM = serialization.Encoding.PEM


class Certified:
    """A certificate with its key, in files.

    Attributes:
        certificate: the certificate.
        pem, key: the files.
    """

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, folder: Path, name: str) -> None:
        self.certificate = certificate
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.pem.write_bytes(certificate.public_bytes(_PEM))
        plain = serialization.NoEncryption()
        self.key.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its DER, in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Authority:
    """Signs certificates.

    Attributes:
        ca: its own certificate's file.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"authority {name}")
        own = _builder(self._name, self._name, self._key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        self.ca = Certified(own.sign(self._key, hashes.SHA256()), self._key, folder, name).pem

    def issue(
        self,
        file: str,
        *,
        common: str = "",
        names: Sequence[x509.GeneralName] = (),
        usage: x509.ObjectIdentifier | None = None,
        lives: float = 86_400,
    ) -> Certified:
        """A certificate with a new key.

        Args:
            file: the files' name without its end.
            common: the subject's common name.
            names: the alternative names.
            usage: what alone it is for; None for everything.
            lives: seconds until it expires; below zero for one that has.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common), self._name, key, lives)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Certified(builder.sign(self._key, hashes.SHA256()), key, self._folder, file)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lives: float = 86_400
) -> x509.CertificateBuilder:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lives)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=2))
        .not_valid_after(end)
    )


def client_context(ca: Path, shows: Certified | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's context.

    Args:
        ca: whom it trusts.
        shows: its own certificate; None for none.
        version: the only version that it speaks; None for all.
    """
    context = ssl.create_default_context(cafile=str(ca))
    if shows is not None:
        context.load_cert_chain(str(shows.pem), str(shows.key))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class ChannelContext:
    """Stands where an ``ssl.SSLContext`` does, for a client that has to know its channel's bindings.

    Attributes:
        connection: the last connection that was made, with OpenSSL's own functions.
        session: what the next connection shall go on with; None for nothing.
    """

    def __init__(self, version: int) -> None:
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(version)
        self._context.set_max_proto_version(version)
        self.session: Any = None
        self.connection: Any = None

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> Any:
        """See ``ssl.SSLContext.wrap_socket``."""
        plain.settimeout(None)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
        self.connection = SSL.Connection(self._context, plain)
        self.connection.set_tlsext_host_name(server_hostname.encode())
        if self.session is not None:
            self.connection.set_session(self.session)
        self.connection.set_connect_state()
        self.connection.do_handshake()
        return _Wrapped(self.connection, plain)

    def binding(self, name: str) -> bytes:
        """The data of a channel binding, as the client sees its channel."""
        if name == "tls-unique":
            return bytes(self.connection.get_finished())
        if name == "tls-exporter":
            return bytes(self.connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b""))
        return bytes(self.connection.get_peer_certificate(as_cryptography=True).fingerprint(hashes.SHA256()))


class _Wrapped:
    """An OpenSSL connection as the socket that tests expect."""

    def __init__(self, connection: Any, plain: socket.socket) -> None:
        self._connection = connection
        self._plain = plain

    def recv(self, size: int) -> bytes:
        try:
            return bytes(self._connection.recv(size))
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return b""

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        """It waits for ten seconds, whatever is asked for."""

    def close(self) -> None:
        self._plain.close()
