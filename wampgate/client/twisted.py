"""The client on Twisted: ``async with connect(url, realm="realm1", token=fetch_token) as session: …``."""

# Names that override Autobahn's are Autobahn's, which carries no annotations:
# mypy: allow-untyped-calls, disable-error-code="misc"
# ruff: noqa: N802

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.websocket.util import parse_url
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger

from wampgate.client.joining import OPTIONS, JoiningSession, TellingProtocol, end_by_failure
from wampgate.client.life import Closed
from wampgate.client.link import Address, Ears
from wampgate.client.losses import Gap, Lost
from wampgate.client.place import Event, Position
from wampgate.client.plan import Returning, State
from wampgate.client.session import Session
from wampgate.client.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from wampgate.client.renewing import Token

__all__ = ["Closed", "Event", "Gap", "Lost", "Position", "Session", "State", "Subscription", "connect"]

log = Logger()

_CONNECT_SECONDS: Final = 15.0
_END_OF_ONE: Final = b"-----END CERTIFICATE-----"


def connect(
    url: str,
    *,
    realm: str,
    token: Token = None,
    authid: str | None = None,
    authextra: dict[str, Any] | None = None,
    ca_file: str | None = None,
    first: float = 1.0,
    longest: float = 30.0,
    on_state: Callable[[State], object] | None = None,
) -> Session:
    """A session that stays: see :func:`wampgate.client.asyncio.connect`, which takes and raises the same.

    It is used in coroutines that Twisted runs (``ensureDeferred``, ``react``); what fetches the token may
    return a Deferred.
    """
    try:
        parse_url(url)
    except Exception as error:
        raise ValueError(f"{url.partition('?')[0]!r} is no URL of a WebSocket: ws:// or wss:// is needed") from error
    returning = Returning(renewable=callable(token), first=first, longest=longest)
    return Session(_Runtime(), Address(url, realm, authid, authextra, ca_file), token, returning, on_state)


class _JoiningSession(JoiningSession, ApplicationSession):
    """A session of Autobahn that tells."""


class _TellingProtocol(TellingProtocol, WampWebSocketClientProtocol):
    """A connection of Autobahn that tells."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See Twisted; a certificate that can't be trusted is told here only."""
        error = reason.value
        if isinstance(error, VerificationError) or (error and "certificate verify failed" in str(error)):
            self.factory.ears.say(end_by_failure(error, untrusted=True))
        super().connectionLost(reason)


class _Flag:
    """An event as asyncio has it."""

    def __init__(self) -> None:
        self._set = False
        self._waiting: list[Deferred[None]] = []

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            if not deferred.called:
                deferred.callback(None)

    def wait(self) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        if self._set:
            deferred.callback(None)
        else:
            self._waiting.append(deferred)
        return deferred


class _Timer:
    """A delayed call that may be cancelled late."""

    def __init__(self, call: IDelayedCall) -> None:
        self._call = call

    def cancel(self) -> None:
        if self._call.active():
            self._call.cancel()


class _Runtime:
    """What the session needs, of Twisted."""

    def __init__(self) -> None:
        # Importing it chooses the reactor, which is not this module's affair.
        from twisted.internet import reactor  # noqa: PLC0415

        self._reactor: Any = reactor

    def now(self) -> float:
        return float(self._reactor.seconds())

    def flag(self) -> _Flag:
        return _Flag()

    def later(self, seconds: float, ring: Callable[[], object]) -> _Timer:
        return _Timer(self._reactor.callLater(seconds, ring))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(lambda failure: log.failure("the client has failed", failure))

    def dial(self, address: Address, ticket: str | None, ears: Ears) -> _Dialed:
        return _Dialed(self._reactor, address, ticket, ears)


class _Dialed:
    """A connection, made or being made."""

    def __init__(self, reactor: Any, address: Address, ticket: str | None, ears: Ears) -> None:
        def make() -> _JoiningSession:
            session = _JoiningSession()
            session.prepare(address, ticket, ears)
            return session

        self._ears = ears
        self._protocol: Any = None
        factory: Any = WampWebSocketClientFactory(make, url=address.url, reactor=reactor)
        factory.noisy = False
        factory.protocol, factory.ears = _TellingProtocol, ears
        factory.setProtocolOptions(**OPTIONS)
        self._connecting = Deferred.fromCoroutine(self._connect(reactor, address, factory))

    def abort(self) -> None:
        if self._protocol is None:
            self._connecting.cancel()
        else:
            self._protocol.dropConnection(abort=True)

    async def _connect(self, reactor: Any, address: Address, factory: Any) -> None:
        try:
            self._protocol = await _endpoint(reactor, address, factory).connect(factory)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
            self._ears.end(end_by_failure(error))


def _endpoint(reactor: Any, address: Address, factory: Any) -> Any:
    endpoint: Any = HostnameEndpoint(reactor, factory.host, factory.port, timeout=_CONNECT_SECONDS)
    if not factory.isSecure:
        return endpoint
    trusted = None
    if address.ca_file is not None:
        texts = Path(address.ca_file).read_bytes().split(_END_OF_ONE)[:-1]
        trusted = trustRootFromCertificates([Certificate.loadPEM(text + _END_OF_ONE + b"\n") for text in texts])
    return wrapClientTLS(optionsForClientTLS(factory.host, trustRoot=trusted), endpoint)
