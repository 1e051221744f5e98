"""Who is behind a proxy: which peers are believed, X-Forwarded-For and -Proto, and the PROXY protocol's two versions.

Nothing here reads from a socket: bytes and header values go in, an address comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    IpAddress: TypeAlias = IPv4Address | IPv6Address

UNIX: Final = "unix"
"""The address of whoever comes through a Unix socket."""

MAX_PROXY_HEADER: Final = 2048
"""Bytes of a PROXY protocol header, with all that a proxy adds to the addresses."""

_V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD: Final = Struct("!12sBBH")
_V1_MAX: Final = 107
_V2_FAMILIES: Final = {0x1: (Struct("!4s4sHH"), IPv4Address), 0x2: (Struct("!16s16sHH"), IPv6Address)}


class ProxyHeaderError(Exception):
    """Bytes that begin no PROXY protocol header; the text says why."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a connection comes from, as far as the proxies before it are believed.

    Attributes:
        host: the address, or ``unix``.
        port: the port; None where no one told it.
        secure: whether the way to the outermost believed proxy is encrypted; None where no one told.
        network: what limits count by; see :func:`network_of`. Empty as long as it is not counted.
        relayed: whether a proxy stands between, so that what TLS tells is told of the proxy.
    """

    host: str
    port: int | None = None
    secure: bool | None = None
    network: str = ""
    relayed: bool = field(default=False, compare=False)

    @property
    def peer(self) -> str:
        """Address and port, for the log."""
        return f"{self.host}:{'' if self.port is None else self.port}"


class TrustedProxies:
    """The peers whose word about others is believed.

    Args:
        networks: addresses and networks (CIDR), and ``unix`` for whoever comes through a Unix socket.

    Raises:
        ValueError: what is neither.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        listed = list(networks)
        self._unix = UNIX in listed
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text) for text in listed if text != UNIX]

    def trusts(self, host: str) -> bool:
        """Whether a peer is such a proxy. Costs nothing worth naming where none is configured."""
        if host == UNIX:
            return self._unix
        if not self._networks:
            return False
        address = _address(host.partition("%")[0])
        return address is not None and any(address in network for network in self._networks)

    def client(self, peer: Client, forwarded_for: str | None, forwarded_proto: str | None) -> Client:
        """Who is behind a peer, by the headers of its request.

        From the right, each hop was written by the one after it: the first one that
        is no trusted proxy is the client. What stands further left is the client's
        own word. A hop that is no address ends the search at the proxy that wrote it.

        Args:
            peer: who sent the request.
            forwarded_for: all of X-Forwarded-For, comma-separated; None for none.
            forwarded_proto: likewise X-Forwarded-Proto.
        """
        if (forwarded_for is None and forwarded_proto is None) or not self.trusts(peer.host):
            return peer
        client = peer
        for hop in reversed((forwarded_for or "").split(",")):
            found = _hop(hop)
            if found is None:
                break
            client = found
            if not self.trusts(client.host):
                break
        return Client(client.host, client.port, _is_secure(forwarded_proto, peer.secure), relayed=True)


def plain_host(host: str) -> str:
    """An address in its one form: an IPv4 address that came through an IPv6 socket is an IPv4 address."""
    if ":" not in host:
        return host
    address = _address(host)
    return host if address is None else str(address)


def network_of(host: str, ipv6_prefix_bits: int = 64) -> str:
    """What limits count a client's address by: itself, or the IPv6 network that a client has to itself.

    Whoever has one IPv6 address as a rule has 2^64 of them, and could take a new one for each connection.

    Args:
        host: an address as :func:`plain_host` makes it, or ``unix``.
        ipv6_prefix_bits: how much of an IPv6 address tells clients apart; 1 to 128.
    """
    if ":" not in host:
        return host
    address = _address(host.partition("%")[0])
    if address is None:
        return host
    if address.version == 4 or ipv6_prefix_bits == 128:
        return str(address)
    return str(IPv6Network((int(address), ipv6_prefix_bits), strict=False))


def looks_proxied(data: bytes) -> bool:
    """Whether a connection's first bytes are a PROXY protocol header, of either version, where none is expected."""
    return data.startswith((b"PROXY ", _V2_SIGNATURE))


def proxy_header(data: bytes, peer: Client) -> tuple[Client, int] | None:
    """Who is behind a proxy, by the PROXY protocol header that a connection begins with.

    Args:
        data: the connection's first bytes.
        peer: the proxy; what it says of itself (LOCAL, UNKNOWN) is about itself.

    Returns:
        The client and the header's length in bytes; None while the header is incomplete.

    Raises:
        ProxyHeaderError: this is no such header.
    """
    if data[:1] == b"P":
        return _version_1(data, peer)
    if _V2_SIGNATURE.startswith(data[:12]):
        return _version_2(data, peer)
    raise ProxyHeaderError("no PROXY protocol header came first")


def _version_1(data: bytes, peer: Client) -> tuple[Client, int] | None:
    end = data.find(b"\r\n", 0, _V1_MAX)
    if end < 0:
        if len(data) >= _V1_MAX or not b"PROXY ".startswith(data[:6]):
            raise ProxyHeaderError("no PROXY protocol header came first")
        return None
    kind, _, rest = data[:end].decode("latin-1").removeprefix("PROXY ").partition(" ")
    if not data.startswith(b"PROXY ") or kind not in ("TCP4", "TCP6", "UNKNOWN"):
        raise ProxyHeaderError("the PROXY protocol header (version 1) is malformed")
    if kind == "UNKNOWN":
        return peer, end + 2
    parts = rest.split(" ")
    source = _address(parts[0])
    if len(parts) != 4 or source is None or not _is_port(parts[2]):
        raise ProxyHeaderError("the PROXY protocol header (version 1) is malformed")
    return Client(str(source), int(parts[2])), end + 2


def _version_2(data: bytes, peer: Client) -> tuple[Client, int] | None:
    if len(data) < _V2_HEAD.size:
        return None
    _, version_and_command, family, length = _V2_HEAD.unpack_from(data)
    size = _V2_HEAD.size + length
    if version_and_command not in (0x20, 0x21) or size > MAX_PROXY_HEADER:
        raise ProxyHeaderError("the PROXY protocol header (version 2) is malformed")
    if len(data) < size:
        return None
    addresses = _V2_FAMILIES.get(family >> 4)
    if version_and_command == 0x20 or addresses is None:
        # A proxy's own check of our health, or a way to it that has no such address.
        return peer, size
    layout, kind = addresses
    if length < layout.size:
        raise ProxyHeaderError("the PROXY protocol header (version 2) is malformed")
    source, _, port, _ = layout.unpack_from(data, _V2_HEAD.size)
    return Client(plain_host(str(kind(source))), port), size


def _hop(text: str) -> Client | None:
    """One element of X-Forwarded-For: an address, maybe with a port; None if it is none."""
    text = text.strip()
    address = _address(text)
    if address is not None:
        return Client(str(address))
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    address = _address(host)
    if address is None or (port and not _is_port(port)):
        return None
    return Client(str(address), int(port) if port else None)


def _is_secure(forwarded_proto: str | None, otherwise: bool | None) -> bool | None:
    """What X-Forwarded-Proto says; its last word is that of the proxy before us."""
    if forwarded_proto is None:
        return otherwise
    return forwarded_proto.rpartition(",")[2].strip().lower() in ("https", "wss")


def _address(text: str) -> IpAddress | None:
    if "%" in text:  # a zone: any text at all would do for one
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535
