"""Makes what listens of the texts in router.json, and sees that no TLS older than 1.2 is spoken on any."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from OpenSSL.crypto import Error as PemError
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError, VerifyError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from wampgate.config.formats import endpoint_kind

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    from wampgate.config import model
    from wampgate.config.credentials import ClientCertificates

_OLD: Final = ("SSLv2_METHOD", "SSLv3_METHOD", "TLSv1_METHOD", "TLSv1_1_METHOD")
"""What ``sslmethod=`` may not name: methods that speak one old version and no other."""

_FAULTS: Final = (OSError, VerifyError, PemError, SSL.Error, LookupError, AttributeError, TypeError, ValueError)
"""What Twisted and OpenSSL fail with where a text, or a file that it names, can't be used."""

_UNESCAPED_COLON: Final = re.compile(r"(?<!\\):")

_BACKLOG: Final = 4096


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """What an ``ssl:`` endpoint shows, and asks of its clients; a reload reads it anew, for the connections to come.

    Args:
        options: Twisted's, of the endpoint.
    """

    def __init__(self, options: Any) -> None:
        self._options = options

    @property
    def digest(self) -> bytes:
        """Tells certificates apart."""
        certificate = self._options.certificate
        return b"" if certificate is None else certificate.digest("sha256")

    def renew(self, other: Certificates) -> None:
        """Show what others show from now on."""
        self._options = other._options

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802, N803 - Twisted's names
        """See :class:`twisted.internet.interfaces.IOpenSSLServerConnectionCreator`."""
        connection: SSL.Connection = self._options.serverConnectionForTLS(tlsProtocol)
        return connection


@dataclass(frozen=True, slots=True)
class Server:
    """What a listener's section says, ready to listen.

    Attributes:
        reactor: listens.
        endpoint: Twisted's.
        certificates: what it shows; None where it speaks no TLS of its own.
        shares: whether other processes may listen on the same port.
        inherited: whether the socket is somebody else's, who keeps it when this process ends.
    """

    reactor: Any
    endpoint: Any
    certificates: Certificates | None = None
    shares: bool = False
    inherited: bool = False

    async def listen(self, factory: Any) -> Any:
        """Listen, and return Twisted's listening port.

        Raises:
            CannotListenError: the address is taken.
        """
        if self.shares:
            return self._listen_with_others(factory)
        return await self.endpoint.listen(factory)

    def renew(self, other: Server) -> bool:
        """Show the certificates of another one from now on; whether they are others."""
        if self.certificates is None or other.certificates is None:
            return False
        before = self.certificates.digest
        self.certificates.renew(other.certificates)
        return self.certificates.digest != before

    def _listen_with_others(self, factory: Any) -> Any:
        # Twisted's endpoints have no word for it.
        interface, port = self.endpoint._interface, self.endpoint._port  # noqa: SLF001 - nothing public leads to them
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        if self.certificates is not None:
            from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - loaded only where TLS is spoken

            creator: Any = self.certificates
            factory = TLSMemoryBIOFactory(creator, False, factory)
        with socket.socket(family, socket.SOCK_STREAM) as shared:
            shared.setblocking(False)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                shared.bind((interface, port))
                shared.listen(self.endpoint._backlog)  # noqa: SLF001 - as above
            except OSError as error:
                raise CannotListenError(interface, port, error) from None  # type: ignore[no-untyped-call]  # Twisted's
            return self.reactor.adoptStreamPort(shared.fileno(), family, factory)


def server_of(reactor: Any, listen: model.Listen) -> Server:
    """What listens by a section; it does not yet.

    Raises:
        ValueError: a file that it names can't be used, or it asks for a TLS that is too old.
    """
    endpoint = endpoint_of(reactor, listen.endpoint, listen.client_certificates)
    certificates = None
    if isinstance(endpoint, SSL4ServerEndpoint):
        certificates = Certificates(endpoint._sslContextFactory)  # noqa: SLF001 - nothing public leads to it
        endpoint._sslContextFactory = certificates  # noqa: SLF001 - as above
    return Server(
        reactor, endpoint, certificates, shares=listen.reuse_port, inherited=endpoint_kind(listen.endpoint) == "systemd"
    )


def place_of(listen: model.Listen, server: Server) -> object:
    """What a listening socket is known by: while it is the same, a reload leaves the socket as it is.

    The files of an ``ssl:`` endpoint are none of it: what they hold is shown on the same socket.
    """
    endpoint = server.endpoint
    if isinstance(endpoint, TCP4ServerEndpoint | SSL4ServerEndpoint):
        kind = endpoint_kind(listen.endpoint)
        return kind, endpoint._port, endpoint._interface, listen.reuse_port  # noqa: SLF001 - nothing public leads to them
    return listen.endpoint


def endpoint_of(reactor: Any, text: str, certificates: ClientCertificates | None = None) -> Any:
    """A Twisted endpoint of its description.

    Args:
        reactor: listens.
        text: the description.
        certificates: whose certificates clients may show, on an ``ssl:`` endpoint; None where they show none.

    Raises:
        ValueError: a file that it names can't be used, or it asks for a TLS that is too old.
    """
    method = next((old for old in _OLD if text.endswith(f"sslmethod={old}") or f"sslmethod={old}:" in text), None)
    if method is not None:
        raise ValueError(f"endpoint {text}: sslmethod={method} is older than TLS 1.2: leave sslmethod out")
    _refuse_passphrase(text)
    try:
        endpoint: Any = serverFromString(reactor, _with_backlog(text))  # type: ignore[no-untyped-call]  # Twisted's
        if isinstance(endpoint, SSL4ServerEndpoint):
            # Twisted's default is the same floor, but another sslmethod in the text removes it.
            context = endpoint._sslContextFactory.getContext()  # noqa: SLF001 - nothing public leads to it
            context.set_min_proto_version(SSL.TLS1_2_VERSION)
            if certificates is not None:
                _ask_for_certificates(context, certificates)
    except _FAULTS as error:
        raise ValueError(f"endpoint {text}: {_fault(error)}") from None
    return endpoint


def _refuse_passphrase(text: str) -> None:
    """See that no key is encrypted: OpenSSL would stop the whole router, and ask whoever sits at its terminal."""
    for argument in _UNESCAPED_COLON.split(text):
        name, _, file = argument.partition("=")
        with suppress(OSError):
            if name == "privateKey" and b"ENCRYPTED" in Path(file.replace("\\:", ":")).read_bytes():
                why = "needs a passphrase, and nobody is there to give it: name one that needs none"
                raise ValueError(f"endpoint {text}: the key in {file} {why}")


def _fault(error: Exception) -> str:
    """What is wrong with an endpoint, by what Twisted or OpenSSL fails with."""
    match error:
        case OSError():
            return f"{error.filename or 'a file'}: {error.strerror}"
        case VerifyError():
            return "its privateKey is not the key of the certificate in its certKey: name two that belong together"
        case PemError():
            return "its privateKey or certKey holds no key or certificate in PEM"
        case SSL.Error():
            return "its dhParameters can't be read, or hold none in PEM"
        case LookupError():
            return "systemd has handed over no such socket: see that the socket unit runs, and which ones it names"
        case AttributeError():
            return "it names a domain or an sslmethod that does not exist"
        case TypeError():
            return f"it has an argument too many, or one too few: {str(error).partition('() ')[2]}"
    return str(error)


def _ask_for_certificates(context: SSL.Context, certificates: ClientCertificates) -> None:
    """Have OpenSSL ask clients for certificates, and break the handshake with those for whom no authority vouches.

    Raises:
        ValueError: the authorities' file can't be used.
    """
    file = str(certificates.ca_file)
    try:
        context.load_verify_locations(file)
        # Named to the client, so that it knows which of its certificates to show.
        context.load_client_ca(file.encode())
    except SSL.Error:
        reason = "it can't be read, or holds no certificate in PEM"
        raise ValueError(f"client_certificates.ca_file {file!r}: {reason}") from None
    required = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if certificates.required else 0
    context.set_verify(SSL.VERIFY_PEER | required)


def _with_backlog(endpoint: str) -> str:
    """An endpoint that lets as many connections wait for us as a reconnecting crowd makes; Twisted's default is 50."""
    kind = endpoint.partition(":")[0]
    return (
        endpoint if kind not in ("tcp", "ssl", "unix") or "backlog=" in endpoint else f"{endpoint}:backlog={_BACKLOG}"
    )
