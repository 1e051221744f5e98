"""Keeps one connection to one Redis: watches it, and makes it again when it is lost.

Redis may be absent, restart, freeze, or vanish without closing anything. Each
time the connection comes back by itself, within 2 s of Redis.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from wampgate.bridge.redis_connection import OneConnection, RedisConnection
from wampgate.tls import ClientTls

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from twisted.internet.base import ReactorBase
    from twisted.internet.protocol import Factory

    from wampgate.bridge.redis_url import RedisAddress
    from wampgate.tls import TrustRoot


AnyConnection = TypeVar("AnyConnection", bound=RedisConnection)


class Endpoint(Protocol):
    """Where to connect to; Twisted's endpoints say it with zope.interface, which says nothing to a type checker."""

    def connect(self, factory: Factory, /) -> Deferred[Any]:
        """Connect a protocol of the factory's; fires with it."""


class User(Protocol[AnyConnection]):
    """Who a connection is kept for."""

    def connection(self) -> AnyConnection:
        """A new connection, not yet connected."""

    async def prepare(self, connection: AnyConnection) -> None:
        """What has to be said first, after authentication. Raises what there is to complain of."""

    def came(self, connection: AnyConnection) -> None:
        """The connection is ready for use. Never raises."""

    def went(self, connection: AnyConnection) -> None:
        """It is lost. Never raises."""


HANDSHAKE_SECONDS: Final = 2.0
"""How long connecting may take, and then TLS, authentication and subscribing together."""

FIRST_DELAY: Final = 0.1
MAX_DELAY: Final = 1.0
"""The longest pause between two attempts, in seconds; half of what may pass until it is back."""

log = Logger()


class RedisLink(Generic[AnyConnection]):
    """A connection to one Redis, as long as there is one.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        address: where Redis is.
        user: uses the connection.
        what: what is done with it, for the log, as ``reading from``.
        loss: what its loss means, for the log.
        trust_root: whose certificates to trust, for ``rediss``.
        ping_seconds: how often to ask whether Redis is alive; it has as long to answer.
        counters: ``connected``, ``connection_lost``, ``connect_failed`` and ``ping_timeout`` are counted here.

    Attributes:
        ready: whether there is a connection that is ready for use, now.

    Raises:
        ValueError: the address can't be connected to with TLS.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        address: RedisAddress,
        user: User[AnyConnection],
        *,
        what: str,
        loss: str,
        trust_root: TrustRoot,
        ping_seconds: float,
        counters: Counter[str],
    ) -> None:
        self.ready = False
        self._reactor = reactor
        # The same, for those who ask for an IReactorTime: it is one by zope.interface only.
        self._clock: Any = reactor
        self._name = name
        self._address = address
        self._user = user
        self._what = what
        self._loss = loss
        self._endpoint = _endpoint(reactor, address, trust_root)
        self._ping_seconds = ping_seconds
        self._counters = counters
        self._complaints: set[str] = set()
        self._stopping = False
        self._interrupt: Callable[[], None] | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to connect. Does nothing if that was done."""
        if self._running is None:
            self._stopping = False
            self._running = ensureDeferred(self._run())

    def stop(self) -> Deferred[None]:
        """Close the connection and make no other; fires when all is at rest."""
        if self._running is None:
            return succeed(None)
        running, self._running = self._running, None
        self._stopping = True
        if self._interrupt is not None:
            self._interrupt()
        return running

    async def _run(self) -> None:
        failures = 0
        while not self._stopping:
            if await self._use():
                failures = 0
            else:
                failures += 1
                self._counters["connect_failed"] += 1
            if not self._stopping:
                await self._pause(delay_after(failures))

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[object] = deferLater(self._clock, seconds)
        # The pause is cancelled by stop() alone, and then it has simply ended.
        pause.addErrback(lambda _: None)
        self._interrupt = pause.cancel
        await pause

    async def _use(self) -> bool:
        """One connection from its beginning to its end; whether it was ever ready."""
        connection = self._user.connection()
        if not await self._connected(connection) or not await self._prepared(connection):
            return False
        self._set_ready(connection)
        watch = LoopingCall(self._watch, connection)
        watch.clock = self._clock
        watch.start(self._ping_seconds).addErrback(self._watch_failed, connection)
        reason = await connection.closed()
        if watch.running:
            watch.stop()
        self._set_lost(connection, reason)
        return True

    async def _connected(self, connection: RedisConnection) -> bool:
        connecting = self._endpoint.connect(OneConnection(connection))
        connecting.addTimeout(HANDSHAKE_SECONDS, self._clock)
        self._interrupt = connecting.cancel
        try:
            await connecting
        except Exception as error:  # noqa: BLE001 - whatever hinders a connection, the answer is to try again
            self._complain(str(error) or type(error).__name__)
            return False
        self._interrupt = lambda: connection.abort("the bridge stops")
        if self._stopping:
            self._interrupt()
        return True

    async def _prepared(self, connection: AnyConnection) -> bool:
        deadline = self._reactor.callLater(
            HANDSHAKE_SECONDS, connection.abort, f"no answer to the first commands within {HANDSHAKE_SECONDS:.0f} s"
        )
        try:
            await connection.authenticate(self._address)
            await self._user.prepare(connection)
        except Exception as error:  # noqa: BLE001 - as above
            connection.abort(str(error) or type(error).__name__)
        else:
            return True
        finally:
            if deadline.active():
                deadline.cancel()
        self._complain(await connection.closed())
        return False

    def _watch(self, connection: RedisConnection) -> None:
        if connection.heard:
            connection.ask()
        else:
            # If it was this process that stood still, the answer waits in the
            # socket: let the reactor read before judging.
            self._reactor.callLater(0, self._give_up, connection)

    def _give_up(self, connection: RedisConnection) -> None:
        if not connection.heard:
            self._counters["ping_timeout"] += 1
            connection.abort(f"it has not answered a PING for {self._ping_seconds:g} s")

    def _watch_failed(self, failure: object, connection: RedisConnection) -> None:
        log.error("bridge {name}: watching Redis failed: {failure}", name=self._name, failure=failure)
        connection.abort("it can't be watched")

    def _set_ready(self, connection: AnyConnection) -> None:
        self.ready = True
        self._complaints.clear()
        self._counters["connected"] += 1
        log.info("bridge {name}: {what} {redis}", name=self._name, what=self._what, redis=str(self._address))
        self._user.came(connection)

    def _set_lost(self, connection: AnyConnection, reason: str) -> None:
        self.ready = False
        self._user.went(connection)
        if self._stopping:
            return
        self._counters["connection_lost"] += 1
        log.warn(
            "bridge {name}: lost {redis}: {reason}. {loss}; trying to come back.",
            name=self._name,
            redis=str(self._address),
            # Twisted's reasons are sentences.
            reason=reason.rstrip("."),
            loss=self._loss,
        )

    def _complain(self, reason: str) -> None:
        """Say why there is no connection: each reason once, until there was one again."""
        if self._stopping or reason in self._complaints:
            return
        self._complaints.add(reason)
        log.warn(
            "bridge {name}: no connection to {redis}: {reason}. The router goes on without it; trying again quietly.",
            name=self._name,
            redis=str(self._address),
            reason=reason,
        )


def delay_after(failures: int) -> float:
    """Seconds until the next attempt, after so many failed ones in a row: doubled each time, up to 1 s, and spread."""
    longest: float = min(MAX_DELAY, FIRST_DELAY * 2 ** min(failures, 10))
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, hides nothing
    return longest * spread


def _endpoint(reactor: ReactorBase, address: RedisAddress, trust_root: TrustRoot) -> Endpoint:
    # Any: Twisted's endpoints are such by zope.interface only.
    endpoint: Any = HostnameEndpoint(reactor, address.host, address.port, timeout=HANDSHAKE_SECONDS)
    if not address.tls:
        return endpoint  # type: ignore[no-any-return]  # as above
    try:
        options: Any = ClientTls(address.host, trust_root)
    except ValueError as error:
        raise ValueError(f"{address}: {error}") from None
    wrapped: Any = wrapClientTLS(options, endpoint)
    return wrapped  # type: ignore[no-any-return]  # as above
