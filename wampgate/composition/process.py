"""What lives as long as the process, whatever its configuration comes to be: the router, its clock, its transports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.collector import TEND_SECONDS, Collector
from wampgate.composition.authentication import takes_query_string
from wampgate.composition.compression import compression_of
from wampgate.composition.limits import buckets_of, connection_limits_of, outbox_limits_of, session_limits_of
from wampgate.composition.listening import is_usual
from wampgate.composition.periods import Periods
from wampgate.composition.realm import Maker
from wampgate.core.deadlines import Deadlines
from wampgate.core.guesses import Guesses
from wampgate.core.router import Router
from wampgate.http.site import make_site
from wampgate.observation.lag import ReactorLag
from wampgate.observation.parts import Parts
from wampgate.stepping import run
from wampgate.transports.origins import Origins
from wampgate.transports.port import Port
from wampgate.transports.proxy import TrustedProxies
from wampgate.transports.rawsocket import RawSocketListener
from wampgate.transports.timer import DeadlineTimer
from wampgate.transports.turn import Turn
from wampgate.transports.websocket import WebSocketListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.composition.http import Sites
    from wampgate.composition.tracing import Tracer
    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.logins import Logins
    from wampgate.observation.records import Records
    from wampgate.transports.port import Listener

_PING_SHARES: Final = 30
"""Pings are spread over so many moments."""


class Process:
    """The router without its realms, and what carries its sessions.

    Args:
        reactor: Twisted's.
        configuration: what it begins with.
        record: takes what the core records.
        demo: whether this is the demo: then it refuses what came through a proxy.
        tracer: records traces; None where none are recorded.

    Attributes:
        configuration: by what it goes now.
        reactor, record, deadlines, turn, guesses, buckets, router, origins, port: one of each, for all realms.
        websocket, rawsocket: the ways to speak WAMP.
        maker: makes realms' parts.
        parts: all of it, for those who look at it.
        periods: what is done now and then as long as the process lives.
        logins: what makes session cookies, by the names of the realms that take them.
        sites: what is served over HTTP beside the page; None where nothing is, or was.
    """

    def __init__(
        self,
        reactor: Any,
        configuration: model.Configuration,
        *,
        record: Records,
        demo: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        limits = configuration.limits
        self.reactor = reactor
        self.configuration = configuration
        self.record = record
        self.deadlines = deadlines = Deadlines(time.monotonic)
        self.turn = Turn(reactor)
        self.guesses = Guesses(
            limits.failed_logins_per_address_per_minute, deadlines.now, total=limits.failed_logins_per_minute
        )
        self.buckets = buckets_of(limits, deadlines.now)
        self.router = Router(
            (),
            deliver=self.turn,
            record=record,
            deadlines=deadlines,
            run=run,
            guesses=self.guesses,
            hello_seconds=limits.hello_seconds,
            join_seconds=limits.join_seconds,
            goodbye=configuration.goodbye,
            subscription_revocation=configuration.subscription_revocation,
            warn_seconds=configuration.expiry_warning_seconds,
        )
        self.maker = Maker(
            reactor,
            turn=self.turn,
            deadlines=deadlines,
            buckets=self.buckets,
            record=record,
            run=run,
            tracer=tracer,
        )
        self._make_transports(configuration, demo=demo)
        self._lag = lag = ReactorLag(reactor)
        self.parts = Parts(
            self.router,
            deadlines,
            self.port,
            {"websocket": self.websocket, "rawsocket": self.rawsocket},
            answered=self._site.answered,
            loop_lag=lag.worst,
            lateness=lag.seconds,
        )
        record.add(self.parts.refusals)
        self.logins: dict[str, Logins] = {}
        self.sites: Sites | None = None
        self.periods = Periods(reactor)
        self._pings = Periods(reactor)
        self._timer = DeadlineTimer(reactor, deadlines)
        self._collector: Collector | None = None

    def _make_transports(self, configuration: model.Configuration, *, demo: bool) -> None:
        limits = configuration.limits
        self.websocket = WebSocketListener(
            router=self.router,
            turn=self.turn,
            deadlines=self.deadlines,
            outbox_limits=outbox_limits_of(limits),
            message_bytes=limits.message_bytes,
            fragments_per_message=limits.fragments_per_message,
            query_string=any(takes_query_string(realm) for realm in configuration.realms),
            cookies=_takes_cookies(configuration),
            compression=compression_of(configuration.compression),
        )
        self.rawsocket = RawSocketListener(
            router=self.router,
            turn=self.turn,
            deadlines=self.deadlines,
            outbox_limits=outbox_limits_of(limits),
            message_bytes=limits.message_bytes,
            ping_seconds=limits.ping_seconds,
        )
        self.origins = Origins(configuration.hosts, configuration.origins)
        self._site = make_site(reactor=self.reactor)
        self.port = Port(
            websocket=self.websocket,
            web=self._site,
            rawsocket=self.rawsocket,
            origins=self.origins,
            deadlines=self.deadlines,
            limits=connection_limits_of(limits),
            joined=self.session_count,
            header_seconds=limits.header_seconds,
            refuse_forwarded=demo,
            proxies=TrustedProxies(configuration.trusted_proxies),
        )

    def session_count(self) -> int:
        """How many sessions have joined a realm."""
        return sum(len(realm.sessions) for realm in self.router.realms.values())

    # --- what it does by itself ---

    def start(self) -> None:
        """Begin to count time."""
        self._lag.start()
        self._timer.start()
        self._ping(self.configuration.limits)

    def started(self) -> None:
        """Everything listens: from here on, what was made stays."""
        self.parts.started = self.deadlines.now()
        self._collector = Collector(self.session_count)
        self._collector.start()
        self.periods.every(TEND_SECONDS, self._collector.tend)

    def stop(self) -> None:
        """Do nothing more."""
        self._lag.stop()
        self._pings.stop()
        self.periods.stop()
        self._timer.stop()
        if self._collector is not None:
            self._collector.stop()

    def _ping(self, limits: Limits) -> None:
        self._pings.stop()
        for listener in (self.websocket, self.rawsocket):
            self._pings.every(limits.ping_seconds / _PING_SHARES, _Pings(listener).ping)

    # --- what listeners serve ---

    def serving(self, configuration: model.Configuration) -> Callable[[model.Listen], Port | Listener]:
        """What is to listen, for each section: the port itself where it serves what a port does."""
        usual = all(is_usual(listen) for listen in configuration.listen)
        if not self.logins and configuration.admin is None and usual:
            return lambda _: self.port
        sites = self.sites_of(configuration.limits)
        return lambda listen: sites.listener(self.port, listen)

    def sites_of(self, limits: Limits) -> Sites:
        """What is served over HTTP beside the page, under some limits."""
        # What serves backends is loaded only where something is served to them.
        from wampgate.composition.http import sites_of  # noqa: PLC0415

        if self.sites is None:
            self.sites = sites_of(
                self.reactor,
                limits,
                self.router,
                guesses=self.guesses,
                deadlines=self.deadlines,
                record=self.record,
                run=run,
                logins=self.logins,
                accepts_origin=self.origins.accepts_origin,
                answered=self.parts.answered,
            )
            self.parts.backend = self.sites.backend
        else:
            self.sites = self.sites.limited(limits)
        return self.sites

    # --- what a reload changes ---

    def adopt(self, configuration: model.Configuration, proxies: TrustedProxies) -> None:
        """Go by another configuration from now on, in all that does not belong to one realm. Never fails.

        Args:
            configuration: the other one.
            proxies: of its section.
        """
        before, self.configuration = self.configuration, configuration
        limits = configuration.limits
        self.router.adopt(
            hello_seconds=limits.hello_seconds,
            join_seconds=limits.join_seconds,
            goodbye=configuration.goodbye,
            subscription_revocation=configuration.subscription_revocation,
            warn_seconds=configuration.expiry_warning_seconds,
        )
        self.guesses.adopt(limits.failed_logins_per_address_per_minute, limits.failed_logins_per_minute)
        self.buckets.adopt(buckets_of(limits, self.deadlines.now))
        self.origins.adopt(configuration.hosts, configuration.origins)
        self.port.adopt(connection_limits_of(limits), limits.header_seconds, proxies)
        self.websocket.adopt(
            outbox_limits_of(limits),
            limits.message_bytes,
            limits.fragments_per_message,
            query_string=any(takes_query_string(realm) for realm in configuration.realms),
            cookies=_takes_cookies(configuration),
        )
        if configuration.compression != before.compression:
            self.websocket.compress(compression_of(configuration.compression))
        self.rawsocket.adopt(outbox_limits_of(limits), limits.message_bytes, limits.ping_seconds)
        for realm in self.router.realms.values():
            realm.limit(session_limits_of(limits))
        if limits.ping_seconds != before.limits.ping_seconds:
            self._ping(limits)


class _Pings:
    """Pings one listener's peers, a share at a time."""

    def __init__(self, listener: WebSocketListener | RawSocketListener) -> None:
        self._listener = listener
        self._share = 0

    def ping(self) -> None:
        self._listener.ping_all(self._share, _PING_SHARES)
        self._share = (self._share + 1) % _PING_SHARES


def _takes_cookies(configuration: model.Configuration) -> bool:
    return any("cookie" in realm.authmethods for realm in configuration.realms)
