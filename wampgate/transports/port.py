"""One port for everything: reads the first bytes under limits and a deadline, then hands the connection on.

A WebSocket upgrade goes to Autobahn, any other HTTP request to twisted.web. Host
and Origin are checked here, before either of them sees a byte.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from zope.interface import implementer

from wampgate.core.log_lines import Sparing
from wampgate.transports.head import Head, RequestError, head_of
from wampgate.transports.proxy import (
    UNIX,
    Client,
    ProxyHeaderError,
    TrustedProxies,
    looks_proxied,
    network_of,
    plain_host,
    proxy_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.transports.origins import Origins

_log = Logger()

_FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")

_TELLING: Final = ("x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded")
"""What a proxy sends to tell of its client; the first two are understood."""

_KEPT_SECONDS: Final = 30.0
"""How long a connection that has brought a request may wait for the next one, where several may come."""

_STATUS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    421: "Misdirected Request",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
}


class Sniffer(Protocol):
    """Waits for a connection's first bytes, then steps aside for the protocol that they ask for."""

    factory: Port
    transport: Any  # what Twisted's interface of it leaves out is used here

    def __init__(self, serves: Serves, *, proxied: bool = False) -> None:
        """Made by the port.

        Args:
            serves: what this listener serves.
            proxied: whether a PROXY protocol header has to come first.
        """
        self._serves = serves
        self._proxied = proxied
        self._kept = False
        self._buffer = b""
        self._deadline: Deadline | None = None
        self._entered = False
        self._counted: str | None = None
        self._client = self._origin = Client(UNIX)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Start the clock, or refuse at once if there are too many already."""
        peer = self.transport.getPeer()
        host = getattr(peer, "host", None)
        if host is not None:
            self._client = self._origin = Client(plain_host(host), peer.port)
            # Small messages leave at once instead of waiting for an acknowledgement.
            self.transport.setTcpNoDelay(True)
        if not self.factory.enter(self._client, proxied=self._proxied):
            self.transport.abortConnection()
            return
        self._entered = True
        if not self.factory.proxies.trusts(self._client.host) and not self._count():
            self.transport.abortConnection()
            return
        self._deadline = self.factory.deadlines.after(self.factory.header_seconds, self._late)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read on until the header is there."""
        if self._kept:
            self._kept = False
            self.factory.deadlines.cancel(self._deadline)
            self._deadline = self.factory.deadlines.after(self.factory.header_seconds, self._late)
        self._buffer += data
        if self._proxied and not (self._take_proxy_header() and self._buffer):
            return
        try:
            head = head_of(self._buffer)
            factory = None if head is None else self._choose(head)
        except RequestError as error:
            if looks_proxied(self._buffer):
                self.factory.warn_of_proxy_header(self._client)
            self._refuse(error)
            return
        if factory is not None:
            self._hand_over(factory)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's name
        """Give the place back."""
        self._leave()

    def _take_proxy_header(self) -> bool:
        """Learn from the PROXY protocol's header who is there; False while, or because, there is none."""
        try:
            found = proxy_header(self._buffer, self._client)
        except ProxyHeaderError as error:
            self.factory.refuse_proxy_header(self._client, str(error))
            self.transport.abortConnection()
            return False
        if found is None:
            return False
        self._client, size = found
        self._origin = self._client
        self._buffer = self._buffer[size:]
        self._proxied = False
        # Behind a balancer there may be one more proxy, whose clients its headers tell.
        if not self.factory.proxies.trusts(self._client.host) and not self._count():
            self.transport.abortConnection()
            return False
        return True

    def _choose(self, head: Head) -> Any:
        """The protocol factory that serves a request, once it is known who asks.

        Raises:
            RequestError: it must not be served.
        """
        self._client = self.factory.client(self._client, head)
        if self._counted is None and not self._count():
            raise RequestError(429, "there are too many connections from your address")
        return self.factory.choose(head, self._serves)

    def _count(self) -> bool:
        """Take one of the places of the client's address, if there is one."""
        network = self.factory.count(self._client.host)
        if network is None:
            return False
        self._counted = network
        self._client = replace(self._client, network=network)
        return True

    def _hand_over(self, factory: Any) -> None:
        """Let another protocol have the connection, from its first byte on."""
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        transport = self.transport
        protocol = factory.buildProtocol(self._client)
        leave = self._leave
        lost = protocol.connectionLost

        def connection_lost(reason: Failure = connectionDone) -> None:
            leave()
            lost(reason)
            # Nothing may point back to what is over: only a full collection would find it,
            # and that stops everyone for as long as it takes to look at every session.
            del self.dataReceived, self.connectionLost

        # What the transport calls from now on. It may be wrapped (TLS), so its own
        # reference to its protocol is out of our hands.
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]  # this is the hand-over
        self.connectionLost = connection_lost  # type: ignore[method-assign]  # this is the hand-over
        if hasattr(protocol, "give_back"):
            protocol.give_back = self._take_back
        buffer, self._buffer = self._buffer, b""
        protocol.makeConnection(transport)
        protocol.dataReceived(buffer)

    def _take_back(self, data: bytes) -> None:
        """Wait for another request on the connection, which is checked and counted as if it were the first.

        Args:
            data: what has come of it already.
        """
        # Gone are what the hand-over has put in their places.
        del self.dataReceived, self.connectionLost
        if self._counted is not None and self.factory.proxies.trusts(self._origin.host):
            # A proxy brings one client's requests after another's.
            self.factory.uncount(self._counted)
            self._counted = None
            self._client = self._origin
        self._kept = True
        self._deadline = self.factory.deadlines.after(_KEPT_SECONDS, self.transport.abortConnection)
        if data:
            self.dataReceived(data)

    def _refuse(self, error: RequestError) -> None:
        self.factory.refuse(error, self._client.host)
        self._buffer = b""
        body = error.message.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n%b"
            % (error.status, _STATUS[error.status].encode(), len(body), body)
        )
        self.dataReceived = _ignore  # type: ignore[method-assign, assignment]  # nothing more is read
        self.transport.loseConnection()

    def _late(self) -> None:
        self.factory.counters["limit_header_seconds"] += 1
        self.transport.abortConnection()

    def _leave(self) -> None:
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        if self._entered:
            self._entered = False
            self.factory.leave(self._counted)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open.

    Attributes:
        total: in all.
        per_address: from one address; 0 for no limit.
        unauthenticated: that have not joined a realm yet.
        ipv6_prefix_bits: how much of an IPv6 address counts as one address.
    """

    total: int = 20_000
    per_address: int = 1000
    unauthenticated: int = 2000
    ipv6_prefix_bits: int = 64


@dataclass(frozen=True, slots=True)
class Serves:
    """What a listener serves.

    Attributes:
        websocket: the protocol factory for WebSocket upgrades; None where they are not taken.
        web: the protocol factory for any other request. If its protocols have an attribute
            ``give_back``, it is set to what they call to have further requests served.
    """

    websocket: Any
    web: Any


@implementer(IProtocolFactory)
class Port(Factory):
    """What listens; one instance serves all endpoints.

    Attributes:
        counters: refused connections, by reason: ``limit_`` with a limit's key, ``http_`` with a status, others.
    """

    noisy = False

    def __init__(
        self,
        *,
        websocket: Any,
        web: Any,
        origins: Origins,
        deadlines: Deadlines,
        limits: ConnectionLimits,
        joined: Callable[[], int],
        header_seconds: float = 5.0,
        path: str = "/ws",
        refuse_forwarded: bool = False,
        proxies: TrustedProxies | None = None,
    ) -> None:
        """Made by the service.

        Args:
            websocket: the protocol factory for WebSocket upgrades.
            web: the protocol factory for any other request.
            origins: the hosts and origins that may come in.
            deadlines: the one heap of deadlines.
            limits: how many connections may be open.
            joined: how many sessions have joined a realm.
            header_seconds: from the opened connection to the end of the header.
            path: where WebSockets are served.
            refuse_forwarded: whether to refuse what came through a proxy (the demo does).
            proxies: who is believed about those behind it; None for nobody.
        """
        self.serves = Serves(websocket, web)
        self._origins = origins
        self.deadlines = deadlines
        self._limits = limits
        self._joined = joined
        self.header_seconds = header_seconds
        self._path = path
        self._refuse_forwarded = refuse_forwarded
        self.proxies = proxies or TrustedProxies()
        self._open = 0
        self._open_by_network: Counter[str] = Counter()
        self._complaints = Sparing(deadlines.now, lines=1)
        self._refusals = Sparing(deadlines.now)
        self._warned_of_headers = False
        self.counters: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002, N802 - Twisted's name
        """A protocol for a new connection."""
        return self.sniffer()

    def sniffer(self, serves: Serves | None = None, *, proxied: bool = False) -> Sniffer:
        """A protocol for a new connection.

        Args:
            serves: what its listener serves; None for what the port serves.
            proxied: whether a PROXY protocol header has to come first.
        """
        sniffer = Sniffer(serves or self.serves, proxied=proxied)
        sniffer.factory = self
        return sniffer

    def enter(self, client: Client, *, proxied: bool) -> bool:
        """Take a place for a connection, if there is one, and if its peer may be there at all."""
        if proxied and not self.proxies.trusts(client.host):
            self._complain(
                "untrusted_proxy",
                "refused a connection from {address}: this listener has `proxy_protocol`,"
                " and the address is not in `trusted_proxies`",
                address=client.host,
            )
            return False
        limits = self._limits
        if self._open >= limits.total:
            return self._full("connections", client.host)
        if self._open - self._joined() >= limits.unauthenticated:
            return self._full("unauthenticated_connections", client.host)
        self._open += 1
        return True

    def count(self, host: str) -> str | None:
        """Take one of the places of an address: what it counts by; None if all are taken."""
        network = network_of(host, self._limits.ipv6_prefix_bits)
        limit = self._limits.per_address
        if limit and self._open_by_network[network] >= limit:
            self._full("connections_per_address", host)
            return None
        self._open_by_network[network] += 1
        return network

    def leave(self, network: str | None) -> None:
        """Give a connection's place back, and its address's if it was counted."""
        self._open -= 1
        if network is not None:
            self.uncount(network)

    def uncount(self, network: str) -> None:
        """Give one of the places of an address back."""
        self._open_by_network[network] -= 1
        if not self._open_by_network[network]:
            del self._open_by_network[network]

    def _full(self, limit: str, host: str) -> bool:
        line = "refused a connection from {address}: limits.{why} is reached"
        self._complain(f"limit_{limit}", line, address=host, why=limit)
        return False

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

    def choose(self, head: Head, serves: Serves) -> Any:
        """The protocol factory, of those that a listener has, that serves a request.

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
        if origin is not None and not self._origins.accepts_origin(origin, host):
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

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002, N802 - Twisted's name
        """A protocol for a new connection."""
        return self._port.sniffer(self._serves, proxied=self._proxied)


def _ignore(_: bytes) -> None:
    """Take bytes that no one reads any more."""
