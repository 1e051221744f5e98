"""One port for everything: what each connection's first bytes are to lead to, and what is refused there.

RawSocket is known by its first byte, a WebSocket upgrade by its header, any other
HTTP request goes to twisted.web. Host and Origin are checked here, before any of them
sees a byte.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from wampgate.core.log_lines import Sparing
from wampgate.transports.head import Head, RequestError
from wampgate.transports.places import ConnectionLimits, Places
from wampgate.transports.proxy import Client, TrustedProxies
from wampgate.transports.sniffer import Sniffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress

    from wampgate.core.deadlines import Deadlines
    from wampgate.transports.origins import Origins

_log = Logger()

_FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")

_TELLING: Final = ("x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded")
"""What a proxy sends to tell of its client; the first two are understood."""


@dataclass(frozen=True, slots=True)
class Serves:
    """What a listener serves.

    Attributes:
        websocket: the protocol factory for WebSocket upgrades; None where they are not taken.
        web: the protocol factory for any other request. If its protocols have an attribute
            ``give_back``, it is set to what they call to have further requests served.
        rawsocket: the protocol factory for RawSockets; None where they are not taken.
    """

    websocket: Any
    web: Any
    rawsocket: Any = None


@implementer(IProtocolFactory)
class Port(Factory):
    """What listens; one instance serves all endpoints.

    Attributes:
        serves: what listeners serve where nothing else is said.
        places: for connections.
        counters: refused connections, by reason: ``limit_`` with a limit's key, ``http_`` with a status, others.
    """

    noisy = False

    def __init__(
        self,
        *,
        websocket: Any,
        web: Any,
        rawsocket: Any = None,
        origins: Origins,
        deadlines: Deadlines,
        limits: ConnectionLimits,
        joined: Callable[[], int],
        header_seconds: float = 5.0,
        path: str = "/ws",
        refuse_forwarded: bool = False,
        proxies: TrustedProxies | None = None,
        apart: str = "",
    ) -> None:
        """Made by the service.

        Args:
            websocket: the protocol factory for WebSocket upgrades.
            web: the protocol factory for any other request.
            rawsocket: the protocol factory for RawSockets; None for none.
            origins: the hosts and origins that may come in.
            deadlines: the one heap of deadlines.
            limits: how many connections may be open.
            joined: how many sessions have joined a realm.
            header_seconds: from the opened connection to the end of the header.
            path: where WebSockets are served.
            refuse_forwarded: whether to refuse what came through a proxy (the demo does).
            proxies: who is believed about those behind it; None for nobody.
            apart: see :class:`wampgate.transports.places.Places`.
        """
        self.serves = Serves(websocket, web, rawsocket)
        self._origins = origins
        self.deadlines = deadlines
        self.places = Places(limits, joined, self._full, apart=apart)
        self.header_seconds = header_seconds
        self._path = path
        self._refuse_forwarded = refuse_forwarded
        self.proxies = proxies or TrustedProxies()
        self._complaints = Sparing(deadlines.now, lines=1)
        self._refusals = Sparing(deadlines.now)
        self._warned_of_headers = False
        self.counters: Counter[str] = Counter()

    def adopt(self, limits: ConnectionLimits, header_seconds: float, proxies: TrustedProxies) -> None:
        """Take connections by these rules from now on; see the constructor for the arguments."""
        self.places.adopt(limits)
        self.header_seconds = header_seconds
        self.proxies = proxies

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802 - Twisted's name
        """A protocol for a new connection."""
        return self.sniffer(addr)

    def sniffer(self, address: IAddress | None, serves: Serves | None = None, *, proxied: bool = False) -> Sniffer:
        """A protocol for a new connection.

        Args:
            address: of the peer; None if the transport has to be asked.
            serves: what its listener serves; None for what the port serves.
            proxied: whether a PROXY protocol header has to come first.
        """
        sniffer = Sniffer(serves or self.serves, address, proxied=proxied)
        sniffer.factory = self
        return sniffer

    def admits(self, client: Client, *, proxied: bool) -> bool:
        """Whether a connection's peer may be there at all: only trusted proxies where a PROXY header comes first."""
        if proxied and not self.proxies.trusts(client.host):
            self._complain(
                "untrusted_proxy",
                "refused a connection from {address}: this listener has `proxy_protocol`,"
                " and the address is not in `trusted_proxies`",
                address=client.host,
            )
            return False
        return True

    def _full(self, host: str, limit: str) -> None:
        line = "refused a connection from {address}: limits.{why} is reached"
        self._complain(f"limit_{limit}", line, address=host, why=limit)

    def _complain(self, kind: str, line: str, **fields: object) -> None:
        """Count a refused connection, and log one now and then."""
        self.counters[kind] += 1
        if self._complaints.take(kind) is not None:
            _log.warn(line + " ({count} so far)", count=self.counters[kind], **fields)

    def client(self, peer: Client, head: Head) -> Client:
        """Who sent a request that came from a peer."""
        headers = head.headers
        told = [name for name in _TELLING if name in headers]
        if not told:
            return peer
        if not self._warned_of_headers and not self._refuse_forwarded and not self.proxies.trusts(peer.host):
            self._warned_of_headers = True
            _log.warn(
                "a request from {address} came with {header}: if that is your proxy, add it to `trusted_proxies`;"
                " until then all its clients count as one (this is said once)",
                address=peer.host,
                header=told[0],
            )
        return self.proxies.client(peer, headers.get("x-forwarded-for"), headers.get("x-forwarded-proto"))

    def warn_of_proxy_header(self, peer: Client) -> None:
        """Tell that a proxy speaks the PROXY protocol to a listener that does not."""
        self._complain(
            "unexpected_proxy_header",
            "refused a connection from {address}: it began with a PROXY protocol header;"
            " if that is your proxy, set `proxy_protocol` on the listener and add it to `trusted_proxies`",
            address=peer.host,
        )

    def refuse_proxy_header(self, peer: Client, why: str) -> None:
        """Tell that a trusted proxy does not speak the PROXY protocol as it should."""
        self._complain(
            "bad_proxy_header",
            "refused a connection from {address}: {why}; the listener has `proxy_protocol`",
            address=peer.host,
            why=why,
        )

    def choose(self, head: Head, serves: Serves, *, secure: bool) -> Any:
        """The protocol factory, of those that a listener has, that serves a request.

        Args:
            head: the request's.
            serves: what the listener serves.
            secure: whether the client's connection is known to be encrypted.

        Raises:
            RequestError: it must not be served.
        """
        host = head.headers.get("host")
        if host is None:
            raise RequestError(400, "the Host header is missing")
        if not self._origins.accepts_host(host):
            raise RequestError(
                421,
                "this server does not answer to that host name",
                f"Host {host!r:.100}: add it to `hosts` if it is yours",
            )
        if self._refuse_forwarded and any(name in head.headers for name in _FORWARDING):
            raise RequestError(403, "the demo serves this machine only, not through a proxy")
        if not head.is_upgrade:
            return serves.web
        if serves.websocket is None:
            raise RequestError(404, "WebSocket connections are not taken here")
        if head.path != self._path:
            raise RequestError(404, f"WebSocket connections are taken at {self._path}")
        origin = head.headers.get("origin")
        if origin is not None and not self._origins.accepts_origin(origin, host, secure):
            raise RequestError(
                403,
                "pages of this origin may not connect",
                f"Origin {origin!r:.100} on Host {host!r:.100}: add it to `origins` if it is yours",
            )
        return serves.websocket

    def refuse(self, error: RequestError, address: str) -> None:
        """Count a refusal, and log what an operator may want to change."""
        self.counters[f"http_{error.status}"] += 1
        if not error.log or (left_out := self._refusals.take(f"http_{error.status}")) is None:
            return
        if left_out:
            _log.warn("{count} more requests were refused with {status}", count=left_out, status=error.status)
        _log.warn("refused a request from {address}: {why}", address=address, why=error.log)


class Listener(Factory):
    """One listener of a port, where it differs from the port itself: in what it serves, and in how connections begin.

    Args:
        port: counts and checks for all listeners.
        serves: what this one serves.
        proxied: whether every connection begins with a PROXY protocol header.
    """

    noisy = False

    def __init__(self, port: Port, serves: Serves, *, proxied: bool = False) -> None:
        self._port = port
        self._serves = serves
        self._proxied = proxied

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """What Twisted's line about where it listens begins with: the same for all listeners."""
        return type(self._port).__name__

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802 - Twisted's name
        """A protocol for a new connection."""
        return self._port.sniffer(addr, self._serves, proxied=self._proxied)
