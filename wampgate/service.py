"""The composition root: makes a running router of a configuration, starts it and stops it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from wampgate.authorization.standing import Standing
from wampgate.collector import TEND_SECONDS, Collector
from wampgate.composition.authentication import takes_query_string
from wampgate.composition.compression import compression_of
from wampgate.composition.dynamic import bind_dynamic, deciding_procedures
from wampgate.composition.endpoints import endpoint_of
from wampgate.composition.limits import buckets_of
from wampgate.composition.listening import is_usual
from wampgate.composition.procedures import offer_procedures
from wampgate.composition.realm import realm_of
from wampgate.core.deadlines import Deadlines
from wampgate.core.errors import SHUTDOWN, WampgateError
from wampgate.core.guesses import Guesses
from wampgate.core.router import Router
from wampgate.core.sifting import Sifter
from wampgate.http.site import make_site
from wampgate.journal import Journal
from wampgate.observation.parts import Parts, RealmInView
from wampgate.observation.records import Records
from wampgate.stepping import run
from wampgate.transports.origins import Origins
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.plain_transports import slimmed
from wampgate.transports.port import Port
from wampgate.transports.proxy import TrustedProxies
from wampgate.transports.rawsocket import RawSocketListener
from wampgate.transports.timer import DeadlineTimer
from wampgate.transports.turn import Turn
from wampgate.transports.websocket import WebSocketListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wampgate.authentication.deny_list import DenyList
    from wampgate.bridge.redis_bridge import RedisBridge
    from wampgate.bridge.streams import StreamBridge
    from wampgate.composition.realm import RealmParts
    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.core.logins import Logins
    from wampgate.core.realm import Realm
    from wampgate.history.redis_history import RedisHistory
    from wampgate.http.backend.exchange import Backend
    from wampgate.stores.outbox import Outbox
    from wampgate.transports.port import Listener

_log = Logger(namespace="wampgate")

_DEAF_SWEEP_SECONDS: Final = 10.0
"""How often rights are read anew, at the least, while the store does not tell of changes."""

_SWEEP_STEPS: Final = 4
"""So often within a sweep's period it is looked whether one is due."""

_PING_SHARES: Final = 30
"""Pings are spread over so many moments."""

_FAREWELL_SECONDS: Final = 3.0
"""How long a shutdown waits for the clients: a little longer than Autobahn waits for their close frames."""

_EXPIRE_SECONDS: Final = 10.0
"""How often histories let go of what is too old."""

_FAREWELL_STEP: Final = 0.02

_EXPECTED: Final = (WampgateError, CannotListenError, OSError, ValueError)
"""What keeps a router from starting because of its configuration or its surroundings: its text says all."""


class Wampgate(Service):
    """Everything that a configuration describes, started and stopped as one.

    Attributes:
        router: the router.
        ports: what listens, once started.
        parts: what the running router consists of, for those who look at it.
    """

    def __init__(
        self,
        configuration: model.Configuration,
        *,
        demo: bool = False,
        debug: bool = False,
        started: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is opened before the service starts.

        Args:
            configuration: what to make.
            demo: whether this is the demo: then it refuses what came through a proxy.
            debug: whether each session's coming and going is logged.
            started: called once everything listens.
        """
        self._configuration = configuration
        self._demo = demo
        self._record = Records(Journal(debug=debug))
        self._started = started
        self._stores: list[Store] = []
        self._bridges: list[RedisBridge | StreamBridge | Outbox] = []
        self._histories: list[RedisHistory] = []
        self._loops: list[LoopingCall] = []
        self._collector: Collector | None = None
        self._timer: DeadlineTimer | None = None
        self._websocket: WebSocketListener | None = None
        self._rawsocket: RawSocketListener | None = None
        self._backend: Backend | None = None
        self.ports: list[Any] = []
        self.router: Router
        self.parts: Parts

    # --- Service ---

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Build everything and start it; whatever fails ends the process with a line that says what."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's
        from twisted.internet import reactor  # noqa: PLC0415 - installing it is the application's choice

        running: Any = reactor
        running.callWhenRunning(_stop_on_sigterm, running)
        running.callWhenRunning(lambda: Deferred.fromCoroutine(self._start(running)).addErrback(self._failed, running))

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Stop listening, end the sessions in the way from which clients come back, and close the stores."""
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted's
        from twisted.internet import reactor  # noqa: PLC0415 - as above

        return Deferred.fromCoroutine(self._stop(reactor))

    def ready(self) -> list[str]:
        """Why the router should be given no new clients now: one sentence each, without secrets; empty if it should."""
        if not self.ports:
            return ["it does not listen"]
        return [f"bridge {bridge.name} is not ready" for bridge in self._bridges if not bridge.ready]

    async def _start(self, reactor: Any) -> None:
        limits = self._configuration.limits
        deadlines = Deadlines(time.monotonic)
        turn = Turn(reactor)
        guesses = Guesses(
            limits.failed_logins_per_address_per_minute, deadlines.now, total=limits.failed_logins_per_minute
        )
        buckets = buckets_of(limits, deadlines.now)
        parts = [
            realm_of(
                reactor,
                realm,
                limits=limits,
                turn=turn,
                deadlines=deadlines,
                buckets=buckets,
                record=self._record,
                run=run,
                deciding=deciding_procedures(self._configuration.realms, realm.name),
            )
            for realm in self._configuration.realms
        ]
        bind_dynamic(parts, deadlines, guesses)
        self._stores = [part.store for part in parts if part.store is not None]
        self._bridges = [bridge for part in parts for bridge in part.bridges]
        realms = [part.realm for part in parts]
        self.router = Router(
            realms,
            deliver=turn,
            record=self._record,
            deadlines=deadlines,
            run=run,
            guesses=guesses,
            hello_seconds=limits.hello_seconds,
            join_seconds=limits.join_seconds,
            goodbye=self._configuration.goodbye,
            subscription_revocation=self._configuration.subscription_revocation,
            warn_seconds=self._configuration.expiry_warning_seconds,
        )
        for part in parts:
            self._attend(part, guesses, deadlines, reactor)
        self._websocket = websocket = WebSocketListener(
            router=self.router,
            turn=turn,
            deadlines=deadlines,
            outbox_limits=OutboxLimits(limits.outbox_bytes, limits.stalled_seconds),
            message_bytes=limits.message_bytes,
            fragments_per_message=limits.fragments_per_message,
            query_string=any(takes_query_string(realm) for realm in self._configuration.realms),
            cookies=any(part.cookies is not None for part in parts),
            compression=compression_of(self._configuration.compression),
        )
        self._rawsocket = rawsocket = RawSocketListener(
            router=self.router,
            turn=turn,
            deadlines=deadlines,
            outbox_limits=OutboxLimits(limits.outbox_bytes, limits.stalled_seconds),
            message_bytes=limits.message_bytes,
            ping_seconds=limits.ping_seconds,
        )
        origins = Origins(self._configuration.hosts, self._configuration.origins)
        port = Port(
            websocket=websocket,
            web=make_site(reactor=reactor),
            rawsocket=rawsocket,
            origins=origins,
            deadlines=deadlines,
            limits=ConnectionLimits(
                limits.connections,
                limits.connections_per_address,
                limits.unauthenticated_connections,
                limits.ipv6_prefix_bits,
            ),
            joined=lambda: sum(len(realm.sessions) for realm in realms),
            header_seconds=limits.header_seconds,
            refuse_forwarded=self._demo,
            proxies=TrustedProxies(self._configuration.trusted_proxies),
        )
        self.parts = Parts(
            self.router,
            deadlines,
            port,
            {"websocket": websocket, "rawsocket": rawsocket},
            self.ready,
            [RealmInView(part.realm, part.store, part.bridges) for part in parts],
        )
        logins = {part.realm.name: part.logins for part in parts if part.logins is not None}
        listener_of = self._listeners(reactor, port, logins, guesses=guesses, deadlines=deadlines, origins=origins)
        self._timer = DeadlineTimer(reactor, deadlines)
        self._timer.start()
        for listener in (websocket, rawsocket):
            self._ping(listener, limits.ping_seconds, reactor)
        for store in self._stores:
            await store.start()
        for part in parts:
            if part.signed is not None and part.signed.url_keys is not None:
                await part.signed.url_keys.start()
        for part in parts:
            await self._open_histories(part, reactor)
        for bridge in self._bridges:
            await bridge.start()
        for listen in self._configuration.listen:
            endpoint = endpoint_of(reactor, listen.endpoint, listen.client_certificates)
            self.ports.append(slimmed(await endpoint.listen(listener_of(listen))))
            _log.info("listening on {endpoint}", endpoint=listen.endpoint)
        self.parts.started = deadlines.now()
        self._collector = Collector(lambda: sum(len(realm.sessions) for realm in realms))
        self._collector.start()
        self._loop(TEND_SECONDS, self._collector.tend, reactor)
        if self._started is not None:
            self._started()

    def _listeners(
        self,
        reactor: Any,
        port: Port,
        logins: Mapping[str, Logins],
        *,
        guesses: Guesses,
        deadlines: Deadlines,
        origins: Origins,
    ) -> Callable[[model.Listen], Port | Listener]:
        """What is to listen, for each section: the port itself where it serves what a port does."""
        if not logins and all(is_usual(listen) for listen in self._configuration.listen):
            return lambda _: port
        # What serves backends is loaded only where something is served to them.
        from wampgate.composition.http import sites_of  # noqa: PLC0415

        sites = sites_of(
            reactor,
            self._configuration.limits,
            self.router,
            guesses=guesses,
            deadlines=deadlines,
            record=self._record,
            run=run,
            logins=logins,
            accepts_origin=origins.accepts_origin,
        )
        self._backend = self.parts.backend = sites.backend
        return lambda listen: sites.listener(port, listen)

    async def _stop(self, reactor: Any) -> None:
        await gatherResults([Deferred.fromCoroutine(_stop_listening(port)) for port in self.ports])
        self.ports = []
        if self._backend is not None:
            self._backend.stop()
        if self._websocket is not None and self._rawsocket is not None:
            await self._send_away((self._websocket, self._rawsocket), reactor)
        for bridge in self._bridges:
            await bridge.stop()
        for kept in self._histories:
            await kept.stop()
        for store in self._stores:
            await store.stop()
        for loop in self._loops:
            loop.stop()
        if self._timer is not None:
            self._timer.stop()
        self._loops = []
        if self._collector is not None:
            self._collector.stop()

    async def _send_away(self, listeners: Iterable[WebSocketListener | RawSocketListener], reactor: Any) -> None:
        """Close all connections in the way from which clients come back, and wait until they are closed."""
        for realm in self.router.realms.values():
            realm.clear()
        for peer in [peer for listener in listeners for peer in listener.peers]:
            if peer.session is not None:
                self.router.shut(peer.session, SHUTDOWN.code, SHUTDOWN.reason)
        until = time.monotonic() + _FAREWELL_SECONDS
        while any(listener.peers for listener in listeners) and time.monotonic() < until:
            await deferLater(reactor, _FAREWELL_STEP)

    def _failed(self, failure: Any, reactor: Any) -> None:
        if failure.check(*_EXPECTED):
            _log.critical("wampgate can't start: {error}", error=failure.getErrorMessage())
        else:
            _log.failure("wampgate can't start, and that is a mistake of its own; please report what follows", failure)
        # twistd ends with status 0 whatever happened; whoever supervises it has to be told.
        atexit.register(_fail)
        reactor.stop()

    def _loop(self, seconds: float, function: Callable[[], object], reactor: Any) -> None:
        loop = LoopingCall(function)
        loop.clock = reactor
        loop.start(seconds, now=False).addErrback(lambda failure: _log.failure("a timer has failed", failure))
        self._loops.append(loop)

    def _ping(self, listener: WebSocketListener | RawSocketListener, seconds: float, reactor: Any) -> None:
        share = 0

        def ping() -> None:
            nonlocal share
            listener.ping_all(share, _PING_SHARES)
            share = (share + 1) % _PING_SHARES

        self._loop(seconds / _PING_SHARES, ping, reactor)

    # --- one realm ---

    def _attend(self, parts: RealmParts, guesses: Guesses, deadlines: Deadlines, reactor: Any) -> None:
        """Keep a realm's rights current, and offer the router's own procedures in it."""
        realm = parts.realm
        if parts.signed is not None and parts.signed.deny_list is not None:
            self._watch_denials(parts.signed.deny_list, realm, deadlines, reactor)
        standing = None
        if parts.store is not None and parts.memberships is not None:
            standing = Standing(
                realm,
                self.router,
                parts.store,
                parts.memberships,
                now=deadlines.now,
                run=run,
                next_turn=lambda: deferLater(reactor, 0),
                credentials=parts.store,
                cookies=None if parts.cookies is None else parts.cookies.store,
            )
            self._sweep(standing, parts.store, parts.configuration.authorization.sweep_seconds, reactor)
        sifter = Sifter(deadlines.now, partial(reactor.callLater, 0))
        offer_procedures(parts, self.router, guesses=guesses, standing=standing, sifter=sifter, run=run)

    async def _open_histories(self, parts: RealmParts, reactor: Any) -> None:
        """Read what is kept of a realm's topics, before anything is published there."""
        history = parts.realm.history
        if history is None:
            return
        for kept in parts.histories:
            self._histories.append(kept)
            await kept.start(history)
        self._loop(_EXPIRE_SECONDS, history.expire, reactor)

    def _watch_denials(self, deny_list: DenyList, realm: Realm, deadlines: Deadlines, reactor: Any) -> None:
        # As signed tokens themselves, loaded only where they are taken.
        from wampgate.authentication.deny_list import LOOK_SECONDS, DenialWatch  # noqa: PLC0415

        seconds = self._configuration.limits.join_seconds
        watch = DenialWatch(deny_list, realm, self.router, now=deadlines.now, join_seconds=seconds)
        self._loop(LOOK_SECONDS, watch.look, reactor)

    def _sweep(self, standing: Standing, store: Store, seconds: float, reactor: Any) -> None:
        """Ask for everyone now and then; more often while changes are not heard of."""
        last = time.monotonic()

        step = min(seconds, _DEAF_SWEEP_SECONDS) / _SWEEP_STEPS

        def sweep() -> None:
            nonlocal last
            now = time.monotonic()
            # Half a step early rather than a whole one late: a lost hint costs no more than the period.
            if now - last >= (seconds if store.hears else min(seconds, _DEAF_SWEEP_SECONDS)) - step / 2:
                last = now
                standing.sweep()

        self._loop(step, sweep, reactor)


def _stop_on_sigterm(reactor: Any) -> None:
    """Let SIGTERM end the process with status 0: twistd would let the signal kill it, as if something had failed."""

    def stop() -> None:
        _log.info("received SIGTERM, shutting down")
        # A second signal finds it stopping already.
        with suppress(ReactorNotRunning):
            reactor.stop()

    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))


def _fail() -> None:
    sys.stdout.flush()
    os._exit(1)


async def _stop_listening(port: Any) -> None:
    await maybeDeferred(port.stopListening)
