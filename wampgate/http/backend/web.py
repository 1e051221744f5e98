"""The backend's routes as resources of a site, and what bodies they take into memory."""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import ISSLTransport
from twisted.web.server import NOT_DONE_YET

from wampgate.core.errors import uri
from wampgate.core.interfaces import Connection
from wampgate.core.trace_context import trace_context
from wampgate.http.backend.answers import Unserved, ended, unserved
from wampgate.http.backend.entrance import NO_TOKEN
from wampgate.http.backend.exchange import ROUTES, Asked
from wampgate.http.backend.idempotency import key_of
from wampgate.http.channel import NoBodies
from wampgate.http.resources import File, Node, write

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Mapping

    from twisted.web.http_headers import Headers

    from wampgate.core.interfaces import Ticket
    from wampgate.http.backend.answers import Answer
    from wampgate.http.backend.exchange import Backend
    from wampgate.http.channel import Body
    from wampgate.http.responses import Response

    BearerOf = Callable[[Mapping[str, str]], Ticket | None]

TOTAL_BYTES: Final = 64 * 2**20
"""What all bodies that are in memory may take together; at least one always may be there."""

NO_ROUTE: Final = unserved(404, "there is nothing at this address").answer
_POST_ONLY: Final = unserved(405, "only POST is answered here", "", (b"Allow", b"POST")).answer
_GET_ONLY: Final = unserved(405, "only GET and HEAD are answered here", "", (b"Allow", b"GET, HEAD")).answer
_NOT_JSON: Final = unserved(415, "send the body as Content-Type: application/json, not compressed").answer
_NO_TOKEN: Final = ended(uri.AUTHENTICATION_REQUIRED, NO_TOKEN)
_AUTHORIZATIONS: Final = unserved(400, "the Authorization header appears more than once").answer
_OPENAPI: Final = b"openapi.json"


class Intake:
    """Takes the bodies of the backend's routes, each and all together within bounds.

    Args:
        body_bytes: of one body.
        elsewhere: paths at which others answer.
        counters: what limits refuse is counted here.
        total_bytes: of all that are in memory.
    """

    def __init__(
        self, body_bytes: int, elsewhere: Collection[bytes], counters: Counter[str], *, total_bytes: int = TOTAL_BYTES
    ) -> None:
        self.body_bytes = body_bytes
        self._elsewhere = elsewhere
        self._counters = counters
        self._total = max(total_bytes, body_bytes)
        self._taken = 0

    @property
    def taken(self) -> int:
        """The bytes that are in memory, or promised."""
        return self._taken

    def begin(self, method: bytes, path: bytes, headers: Headers, length: int | None) -> Body | Response:
        """See :class:`wampgate.http.channel.Bodies`."""
        if path.decode("latin-1") not in ROUTES:
            if path == b"/" + _OPENAPI:
                return _GET_ONLY
            return NoBodies().begin(method, path, headers, length) if path in self._elsewhere else NO_ROUTE
        if method != b"POST":
            return _POST_ONLY
        if (wrong := wrong_with(headers)) is not None:
            return wrong
        body = _Body(self)
        return body.grow(length or 0) or body

    def take(self, more: int, size: int) -> Answer | None:
        """Take more bytes of a body of a size; the answer if they are too many."""
        if size > self.body_bytes:
            self._counters["limit_http_body_bytes"] += 1
            detail = f"the body is longer than limits.http_body_bytes ({self.body_bytes})"
            return unserved(413, detail, uri.PAYLOAD_SIZE_EXCEEDED).answer
        if self._taken + more > self._total:
            self._counters["limit_http_bodies"] += 1
            return unserved(503, "too many requests are on their way at once; try again", uri.LIMIT_EXCEEDED).answer
        self._taken += more
        return None

    def give_back(self, size: int) -> None:
        """A body has gone."""
        self._taken -= size


class _Body:
    """One body while it comes and until it is answered."""

    __slots__ = ("_chunks", "_intake", "_length", "_size")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._chunks: list[bytes] = []
        self._length = 0
        self._size = 0

    def grow(self, more: int) -> Answer | None:
        """Have room made for more; the answer if there is none."""
        refused = self._intake.take(more, self._size + more)
        if refused is None:
            self._size += more
        return refused

    def add(self, data: bytes) -> Response | None:
        """See :class:`wampgate.http.channel.Body`."""
        self._length += len(data)
        # What a Content-Length has promised has its room already.
        if self._length > self._size and (refused := self.grow(self._length - self._size)) is not None:
            return refused
        self._chunks.append(data)
        return None

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self._chunks)

    def release(self) -> None:
        """See :class:`wampgate.http.channel.Body`."""
        self._intake.give_back(self._size)
        self._size, self._chunks = 0, []


def wrong_with(headers: Headers) -> Answer | None:
    """Why a request can be refused by its headers alone; None if it can't."""
    authorization = headers.getRawHeaders(b"Authorization") or []
    if len(authorization) > 1:
        return _AUTHORIZATIONS
    if not authorization or authorization[0].strip()[:7].lower() != b"bearer ":
        return _NO_TOKEN
    content = headers.getRawHeaders(b"Content-Type") or []
    kinds = [value.partition(b";")[0].strip().lower() for value in content]
    encodings = headers.getRawHeaders(b"Content-Encoding") or []
    if kinds != [b"application/json"] or any(value.strip().lower() != b"identity" for value in encodings):
        return _NOT_JSON
    return None


class Route(Node):
    """One route of the backend.

    Args:
        path: the route.
        backend: serves it.
        bearer_of: reads a request's token from its headers.
        nodes: what is below it.
    """

    def __init__(
        self, path: str, backend: Backend, bearer_of: BearerOf, nodes: Mapping[bytes, Node] | None = None
    ) -> None:
        super().__init__(nodes, NO_ROUTE)
        self._path = path
        self._backend = backend
        self._bearer_of = bearer_of

    def render(self, request: Any) -> bytes | int:
        """Have a request served."""
        # A trailing slash is another address, of which nothing is known.
        if request.postpath or request.path.decode("latin-1") != self._path:
            return write(request, NO_ROUTE)
        if request.method != b"POST":
            return write(request, _POST_ONLY)
        try:
            asked = self._asked(request)
        except Unserved as reason:
            return write(request, reason.answer)
        request.keeps_connection = True
        # The backend has deadlines of its own for the answer.
        request.channel.expect(None)
        exchange = self._backend.serve(asked, lambda answer: _answer(request, answer))
        if not request.finished:
            request.notifyFinish().addErrback(lambda _: exchange.gone())
        return int(NOT_DONE_YET)

    def _asked(self, request: Any) -> Asked:
        headers: Headers = request.requestHeaders
        wrong = wrong_with(headers)
        if wrong is not None:
            raise Unserved(wrong)
        key = key_of([value.decode("latin-1") for value in headers.getRawHeaders(b"Idempotency-Key") or []])
        body = request.body
        trace = trace_context(_first(headers, b"traceparent"), ",".join(_all(headers, b"tracestate")))
        return Asked(self._path, b"" if body is None else body.read(), self.connection_of(request), key, trace)

    def connection_of(self, request: Any) -> Connection:
        """From where a request came, with its bearer token."""
        client = request.channel.client
        headers: Headers = request.requestHeaders
        host = getattr(client, "host", "")
        secure = getattr(client, "secure", None)
        return Connection(
            f"{host}:{getattr(client, 'port', '')}",
            host,
            network=getattr(client, "network", ""),
            secure=ISSLTransport.providedBy(request.channel.transport) if secure is None else secure,
            agent=_first(headers, b"User-Agent")[:100],
            bearer=self._bearer_of({"authorization": _first(headers, b"Authorization")}),
        )


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in headers.getRawHeaders(name) or []]


def _first(headers: Headers, name: bytes) -> str:
    return (headers.getRawHeaders(name) or [b""])[0].decode("latin-1")


def _answer(request: Any, answer: Answer) -> None:
    request.release_body()
    request.write(write(request, answer))
    request.finish()


def nodes(backend: Backend, document: bytes, bearer_of: BearerOf) -> dict[bytes, Node]:
    """What a site serves for backends, by the path's first component.

    Args:
        backend: serves the routes.
        document: the OpenAPI document, as JSON.
        bearer_of: reads a request's token from its headers.
    """
    batch = Route("/publish/batch", backend, bearer_of)
    return {
        b"publish": Route("/publish", backend, bearer_of, {b"batch": batch}),
        b"call": Route("/call", backend, bearer_of),
        _OPENAPI: File(document, b"application/json"),
    }
