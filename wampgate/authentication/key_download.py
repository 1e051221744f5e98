"""Downloads a key set: one GET, encrypted unless from this machine, bounded in time and size, no redirection followed.

The URL is the configuration's. Nothing that a token says ever becomes a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred, TimeoutError  # noqa: A004 - Twisted's name
from twisted.internet.protocol import Protocol, connectionDone
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from wampgate.authentication.key_source import DownloadFailed
from wampgate.tls import ClientTls, why_tls_failed

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase
    from twisted.python.failure import Failure

    from wampgate.tls import TrustRoot

MAX_BYTES: Final = 256 << 10

CONNECT_SECONDS: Final = 3.0
SECONDS: Final = 5.0
"""For everything: name, connection, TLS, request and answer."""


class KeyDownload:
    """Fetches one URL.

    Args:
        reactor: Twisted's.
        url: ``https://``, or ``http://`` with a host of loopback.
        trust_root: whose certificates to trust.
        seconds: how long all of it may take.

    Raises:
        ValueError: no certificate can be for this host.
    """

    def __init__(self, reactor: ReactorBase, url: str, trust_root: TrustRoot, *, seconds: float = SECONDS) -> None:
        self._reactor: Any = reactor
        self._url = url.encode("ascii")
        self._seconds = seconds
        parts = urlsplit(url)
        self._policy = _Policy(ClientTls(parts.hostname or "", trust_root)) if parts.scheme == "https" else _NoTls()

    async def __call__(self) -> bytes:
        """The answer's body.

        Raises:
            DownloadFailed: there is none in time, or it is not what one expects.
        """
        connections = _Connections(self._reactor)
        fetching: Deferred[bytes] = Deferred.fromCoroutine(self._fetch(connections))
        fetching.addTimeout(self._seconds, self._reactor)
        try:
            return await fetching
        except DownloadFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever hinders it, there are no keys
            cause = _cause(error)
            if isinstance(cause, (TimeoutError, CancelledError)):
                raise DownloadFailed(f"no answer within {self._seconds:g} s") from None
            raise DownloadFailed(_why(cause)) from None
        finally:
            connections.abort()

    async def _fetch(self, connections: _Connections) -> bytes:
        agent = Agent(  # type: ignore[no-untyped-call]  # Twisted's
            self._reactor, contextFactory=self._policy, connectTimeout=CONNECT_SECONDS, pool=connections
        )
        headers = Headers({b"User-Agent": [b"wampgate"], b"Accept": [b"application/jwk-set+json, application/json"]})
        response: Any = await agent.request(b"GET", self._url, headers)
        if response.code != 200:
            raise DownloadFailed(f"it answered {response.code} instead of 200")
        body = _Body()
        response.deliverBody(body)
        return await body.whole


class _Connections(HTTPConnectionPool):
    """The one connection of a download, to be dropped when that is over: nobody reads on then."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, persistent=False)  # type: ignore[no-untyped-call]  # Twisted's
        self._opened: list[Any] = []

    def getConnection(self, key: Any, endpoint: Any) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """See twisted.web.client.HTTPConnectionPool."""
        connecting: Deferred[Any] = super().getConnection(key, endpoint)
        return connecting.addCallback(self._keep)

    def abort(self) -> None:
        """Drop it, whatever it waits for."""
        for connection in self._opened:
            # The protocol's own way would wait for the peer to close as well.
            connection.transport.abortConnection()

    def _keep(self, connection: Any) -> Any:
        self._opened.append(connection)
        return connection


class _Body(Protocol):
    """Collects a body up to a limit."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.whole: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self._size += len(data)
        if self._size <= MAX_BYTES:
            self._parts.append(data)
        elif not self.whole.called:
            self.whole.errback(DownloadFailed(f"it answered with more than {MAX_BYTES} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        if self.whole.called:
            return
        # An answer without a length ends with the connection: then what has come is all that there is.
        if isinstance(reason.value, (ResponseDone, PotentialDataLoss)):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(DownloadFailed("the answer was cut short"))


@implementer(IPolicyForHTTPS)
class _Policy:
    """The one host's TLS."""

    def __init__(self, creator: ClientTls) -> None:
        self._creator = creator

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:  # noqa: ARG002, N802 - Twisted's names
        """See twisted.web.iweb.IPolicyForHTTPS."""
        return self._creator


@implementer(IPolicyForHTTPS)
class _NoTls:
    """For a URL without TLS."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:  # noqa: ARG002, N802 - Twisted's names
        """See twisted.web.iweb.IPolicyForHTTPS; never asked, since no redirection is followed."""
        raise DownloadFailed("it wants TLS")


def _cause(error: BaseException) -> BaseException:
    """What Twisted's client wraps when a connection fails in the middle."""
    reasons = error.reasons if isinstance(error, ResponseFailed) else ()
    return (reasons[0].value or error) if reasons else error


def _why(error: BaseException) -> str:
    """What hindered a download, in one sentence without secrets."""
    return why_tls_failed(error) or repr(str(error)[:200])[1:-1] or type(error).__name__
