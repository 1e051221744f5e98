"""The twisted.web site behind the public port: the page's files and the liveness answer, nothing else.

Whoever hands a connection over (the port) has checked ``Host`` and ``Origin`` of its first request and has
sent every upgrade elsewhere. So a connection carries one request and is closed: a second one on it would be
unchecked. One deadline bounds the whole connection, and a request body is refused unread.
"""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls
# Names that override twisted.web's are twisted.web's:
# ruff: noqa: N802, N815

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.protocol import connectionDone
from twisted.web.http import CACHED, HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.base import DelayedCall
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

DEADLINE_SECONDS: Final = 30.0
MAX_LINE_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100

TEXT: Final = b"text/plain; charset=utf-8"

FILES: Final = {
    "index.html": b"text/html; charset=utf-8",
    "style.css": b"text/css; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "panel.js": b"text/javascript; charset=utf-8",
    "demo.js": b"text/javascript; charset=utf-8",
    "reasons.js": b"text/javascript; charset=utf-8",
    "wamp.js": b"text/javascript; charset=utf-8",
    "icon.svg": b"image/svg+xml",
}
"""The page's files and their content types; no other name is ever looked up."""

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


def make_site(*, deadline: float = DEADLINE_SECONDS, reactor: IReactorTime | None = None) -> Site:
    """The site that serves the page at ``/`` and ``ok`` at ``/health/live``.

    The files are read once, here. The site keeps no access log.

    Args:
        deadline: how long one connection may live, in seconds, whatever it does.
        reactor: whose clock counts the deadline; None for the global reactor.

    Raises:
        FileNotFoundError: the installation lacks one of the page's files.
    """
    return _Site(_root(), deadline, reactor)


def _root() -> _Node:
    nodes: dict[bytes, _Node] = {
        name.encode(): _File(_read(name), content_type) for name, content_type in FILES.items()
    }
    nodes[b""] = nodes[b"index.html"]
    nodes[b"ws"] = _Answer(426, b"WAMP is spoken here: connect with a WebSocket.\n", (b"Upgrade", b"websocket"))
    nodes[b"health"] = _Node({b"live": _Answer(200, b"ok\n", (b"Cache-Control", b"no-store"))})
    return _Node(nodes)


def _read(name: str) -> bytes:
    return resources.files("wampgate.http").joinpath("page", name).read_bytes()


def _refused_method(request: Request) -> bytes | None:
    """The answer to a method that reads nothing; None if the method is GET or HEAD."""
    if request.method in (b"GET", b"HEAD"):
        return None
    request.setHeader(b"Allow", b"GET, HEAD")
    return _text(request, 405, b"Only GET and HEAD are answered here.\n")


def _text(request: Request, code: int, text: bytes) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", TEXT)
    return _body(request, text)


def _body(request: Request, body: bytes) -> bytes:
    """The body, or its length alone where the method is HEAD."""
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


class _Node(Resource):
    """A node of the tree; by itself it has children and no content, and lists nothing."""

    def __init__(self, nodes: Mapping[bytes, _Node] | None = None) -> None:
        super().__init__()
        self._nodes = nodes or {}

    def getChild(self, path: bytes, _request: Request) -> Resource:
        return self._nodes.get(path, _NOT_FOUND)

    def render(self, request: Request) -> bytes | int:
        return _refused_method(request) or self.read(request)

    def read(self, request: Request) -> bytes | int:
        """Answer GET or HEAD: the body, or NOT_DONE_YET if the answer has been written."""
        return _text(request, 404, b"There is nothing at this address.\n")


_NOT_FOUND: Final = _Node()


class _Answer(_Node):
    """One fixed text, for what has no file."""

    def __init__(self, code: int, text: bytes, header: tuple[bytes, bytes]) -> None:
        super().__init__()
        self._code = code
        self._text = text
        self._header = header

    def read(self, request: Request) -> bytes:
        request.setHeader(*self._header)
        return _text(request, self._code, self._text)


class _File(_Node):
    """One of the page's files, held in memory, revalidated by its hash."""

    def __init__(self, content: bytes, content_type: bytes) -> None:
        super().__init__()
        self._content = content
        self._content_type = content_type
        self._etag = b'"%s"' % hashlib.sha256(content).hexdigest()[:32].encode()

    def read(self, request: Request) -> bytes | int:
        request.setHeader(b"Cache-Control", b"no-cache")
        if request.setETag(self._etag) is CACHED:
            # Returning b"" would announce a length of 0, which a 304 must not.
            request.write(b"")
            request.finish()
            return int(NOT_DONE_YET)
        request.setHeader(b"Content-Type", self._content_type)
        return _body(request, self._content)


class _Channel(HTTPChannel):
    """One connection: one request, one deadline, small limits."""

    MAX_LENGTH = MAX_LINE_BYTES
    totalHeadersSize = MAX_HEADER_BYTES
    maxHeaders = MAX_HEADERS
    site: _Site
    _expiry: DelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._expiry = self.callLater(self.site.deadline, self.forceAbortClient)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        super().connectionLost(reason)

    def forceAbortClient(self) -> None:
        # The inherited one writes a log line: anyone could fill the log with it.
        transport: Any = self.transport
        transport.abortConnection()

    def checkPersistence(self, request: Request, _version: bytes) -> bool:
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Every answer passes here, so this is where each one gets its security headers."""
        headers.removeHeader(b"Server")
        for name, value in SECURITY_HEADERS:
            headers.setRawHeaders(name, [value])
        super().writeHeaders(version, code, reason, headers)


class _Request(Request):
    """A request whose body, if it has one, is refused before it is read."""

    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Called once the header is complete; ``length`` is None for a chunked body."""
        super().gotLength(0)
        if length != 0:
            self._refuse_body()

    def _refuse_body(self) -> None:
        self._refused = True
        # Twisted would ask for the body next.
        self.requestHeaders.removeHeader(b"Expect")
        text = b"No request body is taken here: only GET and HEAD are answered.\n"
        headers = Headers({b"Content-Type": [TEXT], b"Content-Length": [b"%d" % len(text)], b"Connection": [b"close"]})
        self.channel.writeHeaders(b"HTTP/1.1", b"413", b"Content Too Large", headers)
        self.channel.write(text)
        self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        """Forget what comes of a refused body."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._refused:
            super().requestReceived(command, path, version)


class _Site(Site):
    """A site without an access log, and without the clock that Twisted keeps for one."""

    requestFactory = _Request
    protocol = _Channel  # type: ignore[assignment]  # Twisted's default is a proxy that may turn into HTTP/2

    def __init__(self, root: _Node, deadline: float, reactor: IReactorTime | None) -> None:
        super().__init__(root, reactor=reactor)
        # The deadline takes the place of Twisted's idle timer, which any byte puts off.
        self.timeOut = None
        self.deadline = deadline

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no log: then there is none, and no timer that keeps its clock."""

    def stopFactory(self) -> None:
        """Nothing was opened."""
