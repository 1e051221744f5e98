"""Which Host and Origin headers may come in, against DNS rebinding and cross-site WebSockets (RFC 6455, 10.2)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names that no attacker's page can have."""


class Origins:
    """Decides by the headers alone.

    Args:
        hosts: host names to accept beside the loopback ones, each with or without a port.
        origins: origins to accept beside the same one, such as ``https://app.example.org``.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self.adopt(hosts, origins)

    def adopt(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """Let these in from now on, and no others; see the class for the arguments."""
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def accepts_host(self, host: str) -> bool:
        """Whether a Host header names this server."""
        host = host.lower()
        return host in self._hosts or _without_port(host) in self._hosts

    def accepts_origin(self, origin: str, host: str, secure: bool) -> bool:
        """Whether a page of this origin may speak to a server that it calls by this host.

        ``null``, which sandboxed and local pages send, is never the same origin. Neither is, over an
        encrypted connection, a page that came unencrypted: whoever is on the way can have written it.

        Args:
            origin: the Origin header.
            host: the Host header.
            secure: whether the client's connection is known to be encrypted.
        """
        origin = origin.lower()
        if origin in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query or parts.fragment:
            return False
        if "@" in parts.netloc or (secure and parts.scheme == "http"):
            return False
        default = 443 if parts.scheme == "https" else 80
        return _name_and_port(parts.netloc, port, default) == _name_and_port(host.lower(), _port(host), default)


class OriginsByAddress(Origins):
    """As others, and lets everyone in who calls this server by an IP address, as probes and scrapers do.

    A page elsewhere can have its own name point to this server; an address it can't have point anywhere. What
    such a page asks of the address it may not read, and its WebSockets name where it comes from.

    Args:
        others: what is let in beside, as it is now.
    """

    def __init__(self, others: Origins) -> None:
        self._others = others

    def adopt(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """See :meth:`Origins.adopt`."""
        self._others.adopt(hosts, origins)

    def accepts_host(self, host: str) -> bool:
        """See :meth:`Origins.accepts_host`."""
        return self._others.accepts_host(host) or _is_address(host)

    def accepts_origin(self, origin: str, host: str, secure: bool) -> bool:
        """See :meth:`Origins.accepts_origin`."""
        return self._others.accepts_origin(origin, host, secure)


def _is_address(host: str) -> bool:
    name = _without_port(host)
    try:
        if name.startswith("[") and name.endswith("]"):
            IPv6Address(name[1:-1])
        else:
            IPv4Address(name)
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host


def _port(host: str) -> int | None:
    name, colon, port = host.rpartition(":")
    return int(port) if colon and name and port.isascii() and port.isdigit() and len(port) <= 5 else None


def _name_and_port(host: str, port: int | None, default: int) -> tuple[str, int]:
    return _without_port(host), default if port is None else port
