"""Makes the Twisted endpoints of the texts in router.json, and sees that no TLS older than 1.2 is spoken on any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from OpenSSL.crypto import Error as PemError
from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString

if TYPE_CHECKING:
    from wampgate.config.credentials import ClientCertificates

_OLD: Final = ("SSLv2_METHOD", "SSLv3_METHOD", "TLSv1_METHOD", "TLSv1_1_METHOD")
"""What ``sslmethod=`` may not name: methods that speak one old version and no other."""


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
    try:
        endpoint: Any = serverFromString(reactor, _with_backlog(text))  # type: ignore[no-untyped-call]  # Twisted's
    except OSError as error:
        raise ValueError(f"endpoint {text}: {error.filename or 'a file'}: {error.strerror}") from None
    except PemError:
        raise ValueError(f"endpoint {text}: its privateKey or certKey holds no key or certificate in PEM") from None
    if isinstance(endpoint, SSL4ServerEndpoint):
        # Twisted's default is the same floor, but another sslmethod in the text removes it.
        context = endpoint._sslContextFactory.getContext()  # noqa: SLF001 - nothing public leads to it
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        if certificates is not None:
            _ask_for_certificates(context, certificates)
    return endpoint


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
    return endpoint if kind not in ("tcp", "ssl", "unix") or "backlog=" in endpoint else f"{endpoint}:backlog=4096"
