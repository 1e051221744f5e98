"""HTTP connections of the sites behind the port: small limits, deadlines, and no body that nobody asked for.

Whoever hands a connection over (the port) has checked ``Host`` and ``Origin`` of its
request and has sent every upgrade elsewhere. So a connection carries one request here.
Then it is closed or, where its resource wants that, given back to whoever handed it
over, who checks the next request in the same way.
"""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls
# Names that override twisted.web's are twisted.web's:
# ruff: noqa: N802, N815

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.web.http import RESPONSES, HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.server import Request as TwistedRequest
from twisted.web.server import Site as TwistedSite

from wampgate.http.access import ACCESS_LOG
from wampgate.http.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import DelayedCall
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure
    from twisted.web.resource import Resource

DEADLINE_SECONDS: Final = 30.0
MAX_LINE_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100

_LINGER_SECONDS: Final = 0.5
"""How long what a refused body still brings is read and forgotten: closing at once would tear the answer away."""

CONTENT_SECURITY_POLICY: Final = (
    b"default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""Own files only, WebSocket to the own origin only; no form leaves the page, so no token ends up in a query string."""

SECURITY_HEADERS: Final = (
    (b"Content-Security-Policy", CONTENT_SECURITY_POLICY),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
)


class Body(Protocol):
    """A request's body while it comes."""

    def add(self, data: bytes) -> Response | None:
        """Take more of it; the answer if it is too much, and then nothing more comes."""

    def release(self) -> None:
        """Whoever reads it has done so, or the connection is gone: its memory is free again."""


class Bodies(Protocol):
    """Says which requests may have a body."""

    def begin(self, method: bytes, path: bytes, headers: Headers, length: int | None) -> Body | Response:
        """A place for a body, or the answer if none is taken.

        Args:
            method: of the request.
            path: of the request, without its query string.
            headers: of the request.
            length: in bytes; None if only its end will tell.
        """


class NoBodies:
    """Takes none at all."""

    def begin(self, method: bytes, path: bytes, headers: Headers, length: int | None) -> Response:  # noqa: ARG002 - the interface's
        """See :class:`Bodies`."""
        return Response(413, b"No request body is taken here: only GET and HEAD are answered.\n")


class Channel(HTTPChannel):
    """One connection: one request, deadlines, small limits.

    Attributes:
        client: who is at its other end: has ``host`` and ``port``, and what else the port knows.
        give_back: takes the connection, with what has come of the next request, once this
            one is answered and the connection may carry another; None if nobody would.
    """

    MAX_LENGTH = MAX_LINE_BYTES
    totalHeadersSize = MAX_HEADER_BYTES
    maxHeaders = MAX_HEADERS
    site: Site
    client: Any = None
    give_back: Callable[[bytes], None] | None = None
    _begun = 0.0
    _expiry: DelayedCall | None = None
    _done = False
    _lost = False

    def connectionMade(self) -> None:
        """Start the clock."""
        super().connectionMade()
        self.expect(self.site.deadline)

    def expect(self, seconds: float | None, *, then: Callable[[], None] | None = None) -> None:
        """End the connection after so many seconds, whatever it does.

        Args:
            seconds: from now; None for as long as it takes to answer.
            then: what to do; None for dropping the connection.
        """
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        self._expiry = None if seconds is None else self.callLater(seconds, then or self.forceAbortClient)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the clock."""
        self._lost = True
        self.expect(None)
        super().connectionLost(reason)

    def forceAbortClient(self) -> None:
        """Drop the connection."""
        # The inherited one writes a log line: anyone could fill the log with it.
        transport: Any = self.transport
        transport.abortConnection()

    def allHeadersReceived(self) -> None:
        """The head is complete: tell the request what it asks before it is asked about its body."""
        request: Any = self.requests[-1]
        target: Any = self._path
        request.asks = (self._command, target.partition(b"?")[0])
        self._begun = monotonic()
        super().allHeadersReceived()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Every answer passes here, so this is where each one gets its security headers."""
        self._settle_persistence()
        if not self.persistent:
            headers.setRawHeaders(b"Connection", [b"close"])
        headers.removeHeader(b"Server")
        self.site.answered[int(code)] += 1
        if self.requests and ACCESS_LOG.heard():
            asked: Any = self.requests[0]
            length = (headers.getRawHeaders(b"Content-Length") or [b""])[0].decode("latin-1")
            ACCESS_LOG.answered(asked.asks, self.client, int(code), length, self._begun)
        for name, value in SECURITY_HEADERS:
            headers.setRawHeaders(name, [value])
        super().writeHeaders(version, code, reason, headers)

    def _settle_persistence(self) -> None:
        """Decide whether another request may follow: only where the resource wants it and a slow reader can be felt."""
        wanted = bool(self.requests) and self.requests[0].keeps_connection
        feels = IPushProducer.providedBy(self.transport)
        self.persistent = bool(self.persistent and wanted and feels and self.give_back is not None)

    def requestDone(self, request: Request) -> None:
        """The answer is written: close, or give the connection back once all of it has left."""
        self.expect(self.site.deadline)
        if not self.persistent:
            super().requestDone(request)
            return
        self.requests.remove(request)
        self._done = True
        # Not now: what has come of the next request is still on its way to the buffer.
        self.callLater(0, self._part)

    def resumeProducing(self) -> None:
        """The transport has room again."""
        super().resumeProducing()
        self._part()

    def _part(self) -> None:
        if not self._done or self._lost or self._waitingForTransport or self.give_back is None:
            return
        self._done = False
        self.expect(None)
        network: Any = self._networkProducer
        network.unregisterProducer()
        network.resumeProducing()
        data, self._dataBuffer = b"".join(self._dataBuffer), []
        self.give_back(data)

    def refuse(self, answer: Response) -> None:
        """Write an answer while the request is still coming; what comes after is forgotten."""
        headers = Headers({b"Content-Type": [answer.content_type], b"Content-Length": [b"%d" % len(answer.body)]})
        for name, value in answer.headers:
            headers.addRawHeader(name, value)
        self.persistent = False
        reason = RESPONSES.get(answer.status, b"")
        self.writeHeaders(b"HTTP/1.1", b"%d" % answer.status, reason, headers)
        self.write(answer.body)
        self.expect(_LINGER_SECONDS, then=self._linger_no_more)

    def _linger_no_more(self) -> None:
        self.expect(self.site.deadline)
        self.loseConnection()


class Request(TwistedRequest):
    """A request whose body comes only where one is taken.

    Attributes:
        asks: its method and its path, once its head is there.
        keeps_connection: whether its connection may carry another request afterwards.
        body: its body; None if it has none.
    """

    channel: Any
    asks = (b"", b"")
    keeps_connection = False
    body: Body | None = None
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Called once the head is complete; ``length`` is None for a chunked body."""
        # What is taken is kept elsewhere: Twisted would write large bodies to disk and read forms.
        super().gotLength(0)
        if length == 0:
            return
        outcome = self.channel.site.bodies.begin(*self.asks, self.requestHeaders, length)
        if isinstance(outcome, Response):
            self._refuse(outcome)
        else:
            self.body = outcome

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body; what comes of a refused one is forgotten."""
        if self.body is not None and (answer := self.body.add(data)) is not None:
            self._refuse(answer)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete: from here on its resource says how long its answer may take."""
        if self._refused:
            self.channel.loseConnection()
            return
        super().requestReceived(command, path, version)

    def connectionLost(self, reason: Failure) -> None:
        """Nobody waits for an answer any more."""
        self.release_body()
        super().connectionLost(reason)

    def release_body(self) -> None:
        """Let go of the body."""
        body, self.body = self.body, None
        if body is not None:
            body.release()

    def _refuse(self, answer: Response) -> None:
        self.release_body()
        self._refused = True
        # Twisted would ask for the body next.
        self.requestHeaders.removeHeader(b"Expect")
        self.channel.refuse(answer)


class Site(TwistedSite):
    """A site without Twisted's access log (see :mod:`wampgate.http.access`), and without the clock kept for one.

    Attributes:
        answered: how many answers were given, by status; several sites may share one.
    """

    requestFactory = Request
    protocol = Channel  # type: ignore[assignment]  # Twisted's default is a proxy that may turn into HTTP/2

    def __init__(
        self,
        root: Resource,
        bodies: Bodies,
        deadline: float,
        reactor: IReactorTime | None,
        answered: Counter[int] | None = None,
    ) -> None:
        super().__init__(root, reactor=reactor)
        self.answered: Counter[int] = Counter() if answered is None else answered
        # The deadline takes the place of Twisted's idle timer, which any byte puts off.
        self.timeOut = None
        self.deadline = deadline
        self.bodies = bodies

    def buildProtocol(self, addr: Any) -> Any:
        """A channel that knows who is at its other end."""
        channel = super().buildProtocol(addr)
        channel.client = addr
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """What may be negotiated with TLS."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no log: then there is none, and no timer that keeps its clock."""

    def stopFactory(self) -> None:
        """Nothing was opened."""
