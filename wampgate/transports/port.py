"""One port for everything: reads the first bytes under limits and a deadline, then hands the connection on.

A WebSocket upgrade goes to Autobahn, any other HTTP request to twisted.web. Host
and Origin are checked here, before either of them sees a byte.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.transports.origins import Origins

_log = Logger()

MAX_LINE: Final = 8192
"""Bytes of the request line or of one header line."""

MAX_HEADER: Final = 32768
"""Bytes of the request line and all headers."""

MAX_LINES: Final = 200
"""Header lines."""

_FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")

_STATUS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
}


class RequestError(Exception):
    """A request that is answered here and goes nowhere.

    Attributes:
        status: the HTTP status code.
        message: for the client.
        log: for the operator, with the key that would change it; empty for what is the client's fault.
    """

    def __init__(self, status: int, message: str, log: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.log = log


@dataclass(frozen=True, slots=True)
class Head:
    """A request's line and headers: names in lower case, values as they came, the last one wins."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return "websocket" in self.headers.get("upgrade", "").lower()


def head_of(buffer: bytes) -> Head | None:
    """The head of an HTTP request, once it is complete.

    Raises:
        RequestError: it is no HTTP request, or larger than it may be.
    """
    end = buffer.find(b"\r\n\r\n")
    if max(end, len(buffer) if end < 0 else 0) > MAX_HEADER:
        raise RequestError(431, "the request's header is too large")
    if end >= 0:
        return _parse(buffer[:end])
    if not _may_be_http(buffer):
        raise RequestError(400, "this is no HTTP/1.1 request")
    return None


def _parse(data: bytes) -> Head:
    """A complete head.

    Raises:
        RequestError: it is no HTTP request, or larger than it may be.
    """
    lines = data.split(b"\r\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        raise RequestError(431, "the request's header is too large")
    request_line = lines[0].split(b" ")
    if len(request_line) != 3 or not request_line[2].startswith(b"HTTP/1."):
        raise RequestError(400, "this is no HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or line[:1] in (b" ", b"\t"):
            raise RequestError(400, "a header line is malformed")
        key = name.decode("latin-1").lower()
        if key in ("host", "origin") and key in headers:
            raise RequestError(400, f"the {key} header appears more than once")
        headers[key] = value.strip().decode("latin-1")
    path = request_line[1].partition(b"?")[0].decode("latin-1")
    return Head(request_line[0].decode("latin-1"), path, headers)


class Sniffer(Protocol):
    """Waits for a connection's first bytes, then steps aside for the protocol that they ask for."""

    factory: Port
    transport: Any  # what Twisted's interface of it leaves out is used here

    def __init__(self) -> None:
        self._buffer = b""
        self._deadline: Deadline | None = None
        self._address = ""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Start the clock, or refuse at once if there are too many already."""
        self._address = getattr(self.transport.getPeer(), "host", "unix")
        if self._address != "unix":
            # Small messages leave at once instead of waiting for an acknowledgement.
            self.transport.setTcpNoDelay(True)
        if not self.factory.enter(self._address):
            self._address = ""
            self.transport.abortConnection()
            return
        self._deadline = self.factory.deadlines.after(self.factory.header_seconds, self._late)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read on until the header is there."""
        self._buffer += data
        try:
            head = head_of(self._buffer)
            factory = None if head is None else self.factory.choose(head)
        except RequestError as error:
            self._refuse(error)
            return
        if factory is not None:
            self._hand_over(factory)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's name
        """Give the place back."""
        self._leave()

    def _hand_over(self, factory: Any) -> None:
        """Let another protocol have the connection, from its first byte on."""
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        transport = self.transport
        protocol = factory.buildProtocol(transport.getPeer())
        leave = self._leave
        lost = protocol.connectionLost

        def connection_lost(reason: Failure = connectionDone) -> None:
            leave()
            lost(reason)

        # What the transport calls from now on. It may be wrapped (TLS), so its own
        # reference to its protocol is out of our hands.
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]  # this is the hand-over
        self.connectionLost = connection_lost  # type: ignore[method-assign]  # this is the hand-over
        buffer, self._buffer = self._buffer, b""
        protocol.makeConnection(transport)
        protocol.dataReceived(buffer)

    def _refuse(self, error: RequestError) -> None:
        self.factory.refuse(error, self._address)
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
        self.factory.refuse(RequestError(408, "the header did not come in time"), self._address)
        self.transport.abortConnection()

    def _leave(self) -> None:
        self.factory.deadlines.cancel(self._deadline)
        self._deadline = None
        if self._address:
            self.factory.leave(self._address)
            self._address = ""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open.

    Attributes:
        total: in all.
        per_address: from one address; 0 for no limit.
        unauthenticated: that have not joined a realm yet.
    """

    total: int = 20_000
    per_address: int = 1000
    unauthenticated: int = 2000


@implementer(IProtocolFactory)
class Port(Factory):
    """What listens; one instance serves all endpoints.

    Attributes:
        counters: refused connections, by reason.
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
        """
        self._websocket = websocket
        self._web = web
        self._origins = origins
        self.deadlines = deadlines
        self._limits = limits
        self._joined = joined
        self.header_seconds = header_seconds
        self._path = path
        self._refuse_forwarded = refuse_forwarded
        self._open = 0
        self._open_by_address: Counter[str] = Counter()
        self.counters: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002, N802 - Twisted's name
        """A protocol for a new connection."""
        sniffer = Sniffer()
        sniffer.factory = self
        return sniffer

    def enter(self, address: str) -> bool:
        """Take a place for a connection, if there is one."""
        limits = self._limits
        if self._open >= limits.total:
            why = "connections"
        elif limits.per_address and self._open_by_address[address] >= limits.per_address:
            why = "connections_per_address"
        elif self._open - self._joined() >= limits.unauthenticated:
            why = "unauthenticated_connections"
        else:
            self._open += 1
            self._open_by_address[address] += 1
            return True
        self.counters[why] += 1
        _log.warn("refused a connection from {address}: limits.{why} is reached", address=address, why=why)
        return False

    def leave(self, address: str) -> None:
        """Give a connection's place back."""
        self._open -= 1
        self._open_by_address[address] -= 1
        if not self._open_by_address[address]:
            del self._open_by_address[address]

    def choose(self, head: Head) -> Any:
        """The protocol factory that serves a request.

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
            return self._web
        if head.path != self._path:
            raise RequestError(404, f"WebSocket connections are taken at {self._path}")
        origin = head.headers.get("origin")
        if origin is not None and not self._origins.accepts_origin(origin, host):
            raise RequestError(
                403,
                "pages of this origin may not connect",
                f"Origin {origin!r:.100} on Host {host!r:.100}: add it to `origins` if it is yours",
            )
        return self._websocket

    def refuse(self, error: RequestError, address: str) -> None:
        """Count a refusal, and log what an operator may want to change."""
        self.counters[f"http_{error.status}"] += 1
        if error.log:
            _log.warn("refused a request from {address}: {why}", address=address, why=error.log)


def _may_be_http(data: bytes) -> bool:
    """Whether bytes begin as a request line does: with a method in capitals."""
    return data[:1].isalpha() and data[:3].upper() == data[:3]


def _ignore(_: bytes) -> None:
    """Take bytes that no one reads any more."""
