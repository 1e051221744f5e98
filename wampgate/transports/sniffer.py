"""A connection's first bytes, read under limits and a deadline: they tell which protocol is to have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone

from wampgate.transports.head import Head, RequestError, head_of
from wampgate.transports.plain_transports import DIRECT
from wampgate.transports.proxy import UNIX, Client, ProxyHeaderError, looks_proxied, plain_host, proxy_header
from wampgate.wire.rawsocket import HANDSHAKE_SIZE, MAGIC, TOO_MANY_CONNECTIONS, refusal

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadline
    from wampgate.transports.port import Port, Serves

_LOCAL: Final = Client(UNIX)

_KEPT_SECONDS: Final = 30.0
"""How long a connection that has brought a request may wait for the next one, where several may come."""

_TURNED_AWAY_SECONDS: Final = 1.0
"""How long a connection without a place may take to show that it is one that can be told so."""

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

    def __init__(self, serves: Serves, address: IAddress | None = None, *, proxied: bool = False) -> None:
        """Made by the port.

        Args:
            serves: what this listener serves.
            address: of the peer; None if the transport has to be asked.
            proxied: whether a PROXY protocol header has to come first.
        """
        self._serves = serves
        self._address: Any = address
        self._proxied = proxied
        self._first = True
        self._kept = False
        self._turned_away = False
        self._buffer = b""
        self._deadline: Deadline | None = None
        self._entered = False
        self._counted: str | None = None
        self._client = self._origin = _LOCAL

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Start the clock, or refuse at once if there are too many already."""
        peer = self.transport.getPeer() if self._address is None else self._address
        host = getattr(peer, "host", None)
        if host is not None:
            host = plain_host(host)
            self._client = self._origin = Client(host, peer.port, relayed=self.factory.proxies.trusts(host))
            # Small messages leave at once instead of waiting for an acknowledgement.
            self.transport.setTcpNoDelay(True)
        if not self.factory.admits(self._client, proxied=self._proxied):
            self.transport.abortConnection()
            return
        self._entered = self.factory.places.enter(self._client.host)
        if not self._entered or not (self.factory.proxies.trusts(self._client.host) or self._count()):
            self._turn_away()
            return
        self._deadline = self.factory.deadlines.after(self.factory.header_seconds, self._late)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read on until the header is there."""
        if self._kept:
            self._kept = False
            self.factory.deadlines.cancel(self._deadline)
            self._deadline = self.factory.deadlines.after(self.factory.header_seconds, self._late)
        self._buffer += data
        if self._turned_away:
            self._tell_of_no_place()
            return
        if self._proxied and not (self._take_proxy_header() and self._buffer):
            return
        if self._buffer[0] == MAGIC and self._first and self._serves.rawsocket is not None:
            self._take_handshake()
            return
        try:
            head = head_of(self._buffer)
            factory = None if head is None else self._choose(head)
        except RequestError as error:
            if looks_proxied(self._buffer):
                self.factory.warn_of_proxy_header(self._client)
            self._refuse(error)
            return
        if head is None or factory is None:
            return
        if factory is self._serves.websocket:
            self._upgrade(factory, head)
        else:
            self._hand_over(factory)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's name
        """Give the place back."""
        self._leave()
        if self._turned_away:
            self._turned_away = False
            self.factory.places.gone()

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
            self._turn_away()
            return False
        return True

    def _take_handshake(self) -> None:
        """Hand a RawSocket over once its handshake is whole; all else of it is that protocol's own."""
        if len(self._buffer) < HANDSHAKE_SIZE:
            return
        if self._counted is None and not self._count():
            self._turn_away()
        else:
            self._hand_over(self._serves.rawsocket)

    def _turn_away(self) -> None:
        """Drop the connection: there is no place for it. RawSocket has a word for that, so such a client is told.

        Not over TLS, whose handshake costs more than a client without a place should.
        """
        self._leave()
        telling = self._serves.rawsocket is not None and not ISSLTransport.providedBy(self.transport)
        if self._proxied or not telling or not self.factory.places.turn_away():
            self.transport.abortConnection()
            return
        self._turned_away = True
        self._deadline = self.factory.deadlines.after(_TURNED_AWAY_SECONDS, self.transport.abortConnection)
        if self._buffer:
            self._tell_of_no_place()

    def _tell_of_no_place(self) -> None:
        if self._buffer[0] != MAGIC:
            self.transport.abortConnection()
        elif len(self._buffer) >= HANDSHAKE_SIZE:
            self.transport.write(refusal(TOO_MANY_CONNECTIONS))
            self._end()

    def _choose(self, head: Head) -> Any:
        """The protocol factory that serves a request, once it is known who asks.

        Raises:
            RequestError: it must not be served.
        """
        self._client = self.factory.client(self._client, head)
        if self._counted is None and not self._count():
            raise RequestError(429, "there are too many connections from your address")
        told = self._client.secure
        secure = ISSLTransport.providedBy(self.transport) if told is None else told
        return self.factory.choose(head, self._serves, secure=secure)

    def _count(self) -> bool:
        """Take one of the places of the client's address, if there is one."""
        network = self.factory.places.count(self._client.host)
        if network is None:
            return False
        self._counted = network
        client = self._client
        self._client = Client(client.host, client.port, client.secure, network, client.relayed)
        return True

    def _upgrade(self, factory: Any, head: Head) -> None:
        """Let a WebSocket have the connection; where nothing but this stands between, it does so no more."""
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        transport, fresh = self.transport, self._first
        peer = factory.buildProtocol(self._client)
        if type(transport) in DIRECT and self._counted is not None:
            transport.protocol = peer
            peer.occupy(self.factory.places, self._counted)
            self._entered, self._counted = False, None
        else:
            self._stand_before(peer)
        buffer, self._buffer = self._buffer, b""
        peer.upgrade(transport, head, buffer, fresh=fresh)

    def _hand_over(self, factory: Any) -> None:
        """Let another protocol have the connection, from its first byte on."""
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        self._first = False
        transport = self.transport
        protocol = factory.buildProtocol(self._client)
        self._stand_before(protocol)
        if hasattr(protocol, "give_back"):
            protocol.give_back = self._take_back
        buffer, self._buffer = self._buffer, b""
        protocol.makeConnection(transport)
        protocol.dataReceived(buffer)

    def _stand_before(self, protocol: Any) -> None:
        """Pass on to a protocol what the transport tells."""
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

    def _take_back(self, data: bytes) -> None:
        """Wait for another request on the connection, which is checked and counted as if it were the first.

        Args:
            data: what has come of it already.
        """
        # Gone are what the hand-over has put in their places.
        del self.dataReceived, self.connectionLost
        if self._counted is not None and self.factory.proxies.trusts(self._origin.host):
            # A proxy brings one client's requests after another's.
            self.factory.places.uncount(self._counted)
            self._counted = None
            self._client = self._origin
        self._kept = True
        self._deadline = self.factory.deadlines.after(_KEPT_SECONDS, self.transport.abortConnection)
        if data:
            self.dataReceived(data)

    def _refuse(self, error: RequestError) -> None:
        self.factory.refuse(error, self._client.host)
        body = error.message.encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n%b"
            % (error.status, _STATUS[error.status].encode(), len(body), body)
        )
        self._end()

    def _end(self) -> None:
        """Close the connection behind what was written."""
        self._buffer = b""
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
            self.factory.places.leave()
        if self._counted is not None:
            self.factory.places.uncount(self._counted)
            self._counted = None


def _ignore(_: bytes) -> None:
    """Take bytes that no one reads any more."""
