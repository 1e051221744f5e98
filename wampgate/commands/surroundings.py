"""Looks at what the router will meet on this machine: endpoints, certificates, keys for signed tokens, descriptors."""

from __future__ import annotations

import errno
import os
import re
import resource
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from wampgate.findings import Finding, NotWell, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.x509 import Certificate

    from wampgate.config.model import Configuration
    from wampgate.config.tickets import JwtAuthentication

SECONDS: Final = 5.0
"""For a download."""

SOON_DAYS: Final = 21
"""A certificate that ends within so many days is worth a word."""

_SPARE_DESCRIPTORS: Final = 128
"""For files, databases, bridges and what comes before a connection is refused."""

_KEYS_BYTES: Final = 1_048_576
_PART: Final = re.compile(r"(?:[^:\\]|\\.)+")


class EndpointText(NamedTuple):
    """A Twisted server endpoint's description, taken apart.

    Attributes:
        kind: its first word.
        port: what stands second, or ``port=`` or ``address=`` names: a port, or a path.
        named: the other arguments, by name.
    """

    kind: str
    port: str
    named: dict[str, str]


def endpoint_text(endpoint: str) -> EndpointText:
    """Take an endpoint's description apart."""
    kind, *parts = [re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(endpoint)]
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    place = next((part for part in parts if "=" not in part), named.get("port") or named.get("address", ""))
    return EndpointText(kind, place, named)


def look_at_endpoint(endpoint: str) -> Iterator[Finding]:
    """Whether an endpoint can be listened on, and what its certificate is like."""
    text = endpoint_text(endpoint)
    if text.kind in ("tcp", "tcp6", "ssl"):
        yield timed("listening", lambda: _port(text))
    elif text.kind == "unix":
        yield timed("listening", lambda: _socket_file(Path(text.port)))
    else:
        yield Finding("listening", "well", f"{text.kind}: told when the router starts")
    if text.kind == "ssl":
        yield timed("certificate", lambda: _certificate(text.named))


def look_at_keys(jwt: JwtAuthentication) -> Iterator[Finding]:
    """Whether the keys for signed tokens can be had."""
    if jwt.keys_url is not None:
        url, ca_file = jwt.keys_url, None if jwt.ca_file is None else str(jwt.ca_file)
        yield timed("keys_url", lambda: f"{_count(_download(url, ca_file), secrets=False)} keys at {url}")
    elif jwt.keys_file is not None:
        file = jwt.keys_file
        yield timed("keys_file", lambda: f"{_count(file.read_bytes(), secrets=True)} keys in {file}")


def look_at_descriptors(configuration: Configuration) -> Iterator[Finding]:
    """Whether the process may open as many files as the limits let it have connections."""
    yield timed("descriptors", lambda: _descriptors(configuration.limits.connections))


def look_at_authorities(file: Path) -> Iterator[Finding]:
    """What the certificates of authorities are like."""
    yield timed("certificates", lambda: _lasting(_certificates(file)))


def _port(text: EndpointText) -> str:
    if text.port == "0":
        return "any free port"
    interface = text.named.get("interface", "")
    family = socket.AF_INET6 if ":" in interface or text.kind == "tcp6" else socket.AF_INET
    where = f"port {text.port} of {interface or 'all interfaces'}"
    with closing(socket.socket(family)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((interface, int(text.port)))
            listener.listen(1)
        except OSError as error:
            raise _not_bound(where, error) from None
    return f"{where} is free"


def _not_bound(where: str, error: OSError) -> NotWell:
    if error.errno == errno.EADDRINUSE:
        return NotWell(f"{where} is in use", "right if this router runs; else end what listens there", state="notable")
    if error.errno == errno.EACCES:
        return NotWell(
            f"{where} may not be used by this user",
            "take one above 1023, a proxy before it, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit",
        )
    return NotWell(f"{where}: {error.strerror or error}", "name an interface of this machine")


def _socket_file(path: Path) -> str:
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise NotWell(f"no socket can be made in {folder}", "make the folder, writable for the router's user")
    return f"{path} is there already" if path.exists() else f"{path} can be made"


def _certificate(named: dict[str, str]) -> str:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - only for TLS

    key_file = Path(named.get("privateKey", "server.pem"))
    chain = _certificates(Path(named.get("certKey", str(key_file))))
    try:
        key = load_pem_private_key(_content(key_file), None)
    except (ValueError, TypeError):
        raise NotWell(f"{key_file} holds no private key in PEM, without a password", "name it in privateKey=") from None
    if key.public_key() != chain[0].public_key():
        raise NotWell(
            f"the key in {key_file} is not the certificate's", "name key and certificate that belong together"
        )
    return _lasting(chain[:1])


def _certificates(file: Path) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - only for TLS

    try:
        return load_pem_x509_certificates(_content(file))
    except ValueError:
        raise NotWell(f"{file} holds no certificate in PEM", "let it begin with -----BEGIN CERTIFICATE-----") from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotWell(
            f"{file}: {error.strerror}", "paths of endpoints start from the working directory; see the user's rights"
        ) from None


def _lasting(certificates: list[Certificate]) -> str:
    """For whom they are, and how long they last."""
    first = min(certificates, key=lambda one: one.not_valid_after_utc)
    days = (first.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86_400
    name = first.subject.rfc4514_string() or "a certificate without a name"
    if days < 0:
        raise NotWell(f"{name} has expired {-days:.0f} days ago", "renew it")
    if days < SOON_DAYS:
        raise NotWell(f"{name} expires in {days:.0f} days", "renew it", state="notable")
    return f"{name}, good for {days:.0f} days"


def _download(url: str, ca_file: str | None) -> bytes:
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    try:
        # The configuration takes https:// only, and http:// of this machine.
        with urlopen(url, timeout=SECONDS, context=context) as answer:  # noqa: S310
            content: bytes = answer.read(_KEYS_BYTES)
    except (URLError, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise NotWell(f"{url}: {reason}", "see whether the issuer can be reached from here; ca_file") from None
    return content


def _count(content: bytes, *, secrets: bool) -> int:
    from wampgate.authentication.keys import UnusableKeys, read_keys  # noqa: PLC0415 - needs PyJWT

    try:
        return len(read_keys(content, secrets=secrets))
    except UnusableKeys as error:
        raise NotWell(str(error), "it has to be a JWK set, or a public key in PEM") from None


def _descriptors(connections: int) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raise NotWell(
            f"{soft} may be open, limits.connections asks for {wanted}",
            f"LimitNOFILE={wanted} in the unit, or ulimit -n {wanted}{'' if hard >= wanted else ' as root'}",
            state="notable",
        )
    return f"{soft} may be open, {wanted} are needed at most"
