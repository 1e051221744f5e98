"""The route ``/session`` as a resource of a site: whose page asks, over what connection, and how large the body is."""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from twisted.internet.interfaces import ISSLTransport
from twisted.web.server import NOT_DONE_YET

from wampgate.core.errors import uri
from wampgate.core.interfaces import Connection
from wampgate.core.logins import is_private
from wampgate.http.backend.answers import Answer, ended, unserved
from wampgate.http.backend.entrance import NO_TOKEN
from wampgate.http.login.exchange import Asked
from wampgate.http.resources import NOT_FOUND, Node, write
from wampgate.http.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.web.http_headers import Headers

    from wampgate.core.interfaces import Ticket
    from wampgate.http.channel import Bodies, Body
    from wampgate.http.login.exchange import LoginDesk

PATH: Final = b"/session"
BODY_BYTES: Final = 1024
"""The longest body: a realm's name, and nothing else."""

_PREFLIGHT_SECONDS: Final = 600
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Host names that browsers hold to be as safe as an encrypted connection."""

_METHODS: Final = (b"Allow", b"POST, DELETE, OPTIONS")
_WRONG_METHOD: Final = unserved(405, "only POST, DELETE and OPTIONS are answered here", "", _METHODS).answer
_TOO_LONG: Final = unserved(413, f"the body is longer than {BODY_BYTES} bytes", uri.PAYLOAD_SIZE_EXCEEDED).answer
_NOT_JSON: Final = unserved(415, "send the body as Content-Type: application/json, not compressed").answer
_NO_TOKEN: Final = ended(uri.AUTHENTICATION_REQUIRED, NO_TOKEN)
_AUTHORIZATIONS: Final = unserved(400, "the Authorization header appears more than once").answer
_COOKIES: Final = unserved(400, "the session cookie appears more than once").answer
_NO_ORIGIN: Final = unserved(403, "log out from a page: the Origin header is missing", uri.NOT_AUTHORIZED).answer
_FOREIGN: Final = unserved(403, "pages of this origin may not log in or out here", uri.NOT_AUTHORIZED).answer
_INSECURE: Final = unserved(
    403,
    "session cookies are made over encrypted connections only: use https. If it is a proxy that ends TLS, the"
    " router has to trust it (trusted_proxies), and it has to send X-Forwarded-Proto",
    uri.NOT_AUTHORIZED,
).answer


class ShortBodies:
    """Takes the short bodies of the route, and leaves all other requests to others.

    Args:
        others: says what becomes of those.
    """

    def __init__(self, others: Bodies) -> None:
        self._others = others

    def begin(self, method: bytes, path: bytes, headers: Headers, length: int | None) -> Body | Response:
        """See :class:`wampgate.http.channel.Bodies`."""
        if path != PATH:
            return self._others.begin(method, path, headers, length)
        if method != b"POST":
            return _WRONG_METHOD
        if length is not None and length > BODY_BYTES:
            return _TOO_LONG
        return wrong_with(headers, has_body=True) or _ShortBody()


class _ShortBody:
    """One body while it comes and until it is read."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> Response | None:
        """See :class:`wampgate.http.channel.Body`."""
        if len(self._data) + len(data) > BODY_BYTES:
            return _TOO_LONG
        self._data += data
        return None

    def read(self) -> bytes:
        """All of it."""
        return self._data

    def release(self) -> None:
        """See :class:`wampgate.http.channel.Body`."""
        self._data = b""


def wrong_with(headers: Headers, *, has_body: bool) -> Answer | None:
    """Why a login can be refused by its headers alone; None if it can't."""
    authorization = headers.getRawHeaders(b"Authorization") or []
    if len(authorization) > 1:
        return _AUTHORIZATIONS
    if not authorization or authorization[0].strip()[:7].lower() != b"bearer ":
        return _NO_TOKEN
    if not has_body:
        return None
    kinds = [value.partition(b";")[0].strip().lower() for value in headers.getRawHeaders(b"Content-Type") or []]
    encodings = headers.getRawHeaders(b"Content-Encoding") or []
    if kinds != [b"application/json"] or any(value.strip().lower() != b"identity" for value in encodings):
        return _NOT_JSON
    return None


class SessionRoute(Node):
    """``/session``: POST logs in, DELETE logs out, OPTIONS says so to pages of other origins.

    Args:
        desk: logs in and out.
        accepts_origin: whether a page of an origin may speak to a host, over an encrypted connection or another.
        bearer_of: reads a request's token from its headers.
        cookie_of: reads its session cookie; raises RepeatedParameter where there are two.
        repeated: that error.
    """

    def __init__(
        self,
        desk: LoginDesk,
        *,
        accepts_origin: Callable[[str, str, bool], bool],
        bearer_of: Callable[[Mapping[str, str]], Ticket | None],
        cookie_of: Callable[[Mapping[str, str]], Ticket | None],
        repeated: type[Exception],
        absent: Response = NOT_FOUND,
    ) -> None:
        super().__init__(absent=absent)
        self._desk = desk
        self._accepts_origin = accepts_origin
        self._bearer_of = bearer_of
        self._cookie_of = cookie_of
        self._repeated = repeated

    def render(self, request: Any) -> bytes | int:
        """Have a request served."""
        if request.postpath or request.path != PATH:
            return write(request, self._absent)
        headers: Headers = request.requestHeaders
        origin = _first(headers, b"Origin")
        if origin and not self._accepts_origin(origin, _first(headers, b"Host"), _is_secure(request)):
            return write(request, _FOREIGN)
        if origin:
            _allow(request, origin)
        if request.method == b"OPTIONS":
            return write(request, _preflight(headers))
        refused = self._refused(request.method, headers, origin)
        if refused is not None:
            return write(request, refused)
        try:
            connection = self._connection(request)
        except self._repeated:
            return write(request, _COOKIES)
        if not connection.secure and not (is_private(connection) and _name_of(_first(headers, b"Host")) in _LOOPBACK):
            return write(request, _INSECURE)
        return self._serve(request, connection)

    def _refused(self, method: bytes, headers: Headers, origin: str) -> Answer | None:
        """Why a request is refused before anything of it is looked up; None if it is not."""
        if method == b"POST":
            return wrong_with(headers, has_body=False)
        if method == b"DELETE":
            return None if origin else _NO_ORIGIN
        return _WRONG_METHOD

    def _serve(self, request: Any, connection: Connection) -> int:
        gone = False

        def leave(_: object) -> None:
            nonlocal gone
            gone = True

        def answer(response: Answer) -> None:
            if not gone:
                request.release_body()
                request.write(write(request, response))
                request.finish()

        body = b"" if request.body is None else request.body.read()
        act = self._desk.log_in if request.method == b"POST" else self._desk.log_out
        request.notifyFinish().addBoth(leave)
        act(Asked(body, connection), lambda: not gone, answer)
        return int(NOT_DONE_YET)

    def _connection(self, request: Any) -> Connection:
        client = request.channel.client
        headers: Headers = request.requestHeaders
        host = getattr(client, "host", "")
        cookies = "; ".join(value.decode("latin-1") for value in headers.getRawHeaders(b"Cookie") or [])
        shown = {"origin": _first(headers, b"Origin"), "cookie": cookies}
        connection = Connection(
            f"{host}:{getattr(client, 'port', '')}",
            host,
            network=getattr(client, "network", ""),
            secure=_is_secure(request),
            agent=_first(headers, b"User-Agent")[:100],
        )
        if request.method == b"POST":
            bearer = self._bearer_of({"authorization": _first(headers, b"Authorization")})
            connection = replace(connection, bearer=bearer)
        return replace(connection, cookie=self._cookie_of(shown))


def _is_secure(request: Any) -> bool:
    """Whether the client's connection is known to be encrypted."""
    told: bool | None = getattr(request.channel.client, "secure", None)
    return bool(ISSLTransport.providedBy(request.channel.transport)) if told is None else told


def _allow(request: Any, origin: str) -> None:
    """Let a page of an accepted origin read the answer, and have its cookie (the Fetch standard's CORS protocol)."""
    request.setHeader(b"Access-Control-Allow-Origin", origin.encode("latin-1"))
    request.setHeader(b"Access-Control-Allow-Credentials", b"true")
    request.setHeader(b"Vary", b"Origin")


def _preflight(headers: Headers) -> Response:
    if not headers.hasHeader(b"Access-Control-Request-Method"):
        return Response(200, b"", headers=(_METHODS,))
    return Response(
        200,
        b"",
        headers=(
            (b"Access-Control-Allow-Methods", b"POST, DELETE"),
            (b"Access-Control-Allow-Headers", b"authorization, content-type"),
            (b"Access-Control-Max-Age", b"%d" % _PREFLIGHT_SECONDS),
        ),
    )


def _first(headers: Headers, name: bytes) -> str:
    return (headers.getRawHeaders(name) or [b""])[0].decode("latin-1")


def _name_of(host: str) -> str:
    """A Host header without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host.lower()
