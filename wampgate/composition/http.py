"""Makes what each listener serves over HTTP: the page, and the routes for backends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wampgate.composition.listening import is_usual
from wampgate.http.backend import openapi, web
from wampgate.http.backend.decoding import Bounds, Decoder
from wampgate.http.backend.entrance import Entrance
from wampgate.http.backend.exchange import Backend
from wampgate.http.backend.idempotency import IdempotencyKeys
from wampgate.http.backend.visit import Visits
from wampgate.http.channel import NoBodies
from wampgate.http.login.exchange import LoginDesk
from wampgate.http.login.web import SessionRoute, ShortBodies
from wampgate.http.site import FILES, make_site
from wampgate.transports.credentials import RepeatedParameter, bearer_of, cookie_of
from wampgate.transports.port import Listener, Serves

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine, Mapping

    from twisted.web.server import Site

    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Record
    from wampgate.core.logins import Logins
    from wampgate.core.router import Router
    from wampgate.http.channel import Bodies
    from wampgate.http.resources import Node
    from wampgate.transports.port import Port


@dataclass(frozen=True, slots=True)
class Sites:
    """What listeners serve.

    Attributes:
        backend: what serves backends on all listeners that let them in.
        bounds: how much their requests may bring.
        body_bytes: of one request's body.
        reactor: whose clock counts deadlines.
        session: makes the route by which pages log in by cookie.
        logins: what makes session cookies, by the names of the realms that take them, now.
        answered: where the answers of all listeners are counted, by status.
    """

    backend: Backend
    bounds: Bounds
    body_bytes: int
    reactor: Any
    session: Callable[[], SessionRoute]
    logins: Mapping[str, Logins]
    answered: Counter[int] | None = None

    def limited(self, limits: Limits) -> Sites:
        """The same under other limits, which are those of what is served already as far as nothing is made of them."""
        bounds = _bounds_of(limits)
        self.backend.decoder.bounds = bounds
        self.backend.keys.limit = limits.idempotency_keys
        return replace(self, bounds=bounds, body_bytes=limits.http_body_bytes)

    def listener(self, port: Port, listen: model.Listen) -> Port | Listener:
        """What listens at an endpoint."""
        if is_usual(listen) and not self.logins:
            return port
        wamp = "wamp" in listen.serves
        serves = Serves(
            port.serves.websocket if wamp else None, self._site(listen), port.serves.rawsocket if wamp else None
        )
        return Listener(port, serves, proxied=listen.proxy_protocol)

    def _site(self, listen: model.Listen) -> Site:
        wamp, page = "wamp" in listen.serves, "page" in listen.serves
        more = {b"session": self.session()} if self.logins and (wamp or page) else {}
        if "backend" not in listen.serves:
            bodies = _bodies(more, NoBodies())
            return make_site(
                wamp=wamp, page=page, more=more, bodies=bodies, reactor=self.reactor, answered=self.answered
            )
        elsewhere = {b"/health/live"}
        if wamp:
            elsewhere.add(b"/ws")
        if page:
            elsewhere |= {b"/", *(b"/" + name.encode() for name in FILES)}
        return make_site(
            wamp=wamp,
            page=page,
            more={**web.nodes(self.backend, openapi.document(self.bounds), bearer_of), **more},
            absent=web.NO_ROUTE,
            bodies=_bodies(more, web.Intake(self.body_bytes, elsewhere, self.backend.counters)),
            reactor=self.reactor,
            answered=self.answered,
        )


def sites_of(
    reactor: Any,
    limits: Limits,
    router: Router,
    *,
    guesses: Guesses,
    deadlines: Deadlines,
    record: Record,
    run: Callable[[Coroutine[Any, Any, None]], None],
    logins: Mapping[str, Logins],
    accepts_origin: Callable[[str, str, bool], bool],
    answered: Counter[int] | None = None,
) -> Sites:
    """What listeners may serve; nothing listens yet.

    Args:
        reactor: whose clock counts the deadlines of connections.
        limits: of the whole configuration.
        router: routes what backends send.
        guesses: counts their refused tokens, together with those of logins.
        deadlines: the one heap of deadlines.
        record: takes the operator's lines.
        run: starts a coroutine.
        logins: what makes session cookies, by the names of the realms that take them; a reload may change it.
        accepts_origin: whether a page of an origin may speak to a host, over an encrypted connection or another.
        answered: where the answers of all listeners are counted, by status; None for nowhere in common.
    """
    bounds = _bounds_of(limits)
    entrance = Entrance(router.realms, guesses=guesses, record=record, run=run)
    backend = Backend(
        entrance,
        Visits(router, record, deadlines.now),
        Decoder(bounds),
        IdempotencyKeys(limits.idempotency_keys, deadlines.now),
        deadlines,
    )
    session = partial(
        SessionRoute,
        LoginDesk(logins, entrance, guesses=guesses, run=run, now=deadlines.now),
        accepts_origin=accepts_origin,
        bearer_of=bearer_of,
        cookie_of=cookie_of,
        repeated=RepeatedParameter,
    )
    return Sites(backend, bounds, limits.http_body_bytes, reactor, session, logins, answered)


def _bounds_of(limits: Limits) -> Bounds:
    return Bounds(limits.message_bytes, limits.batch_publications)


def _bodies(more: Mapping[bytes, Node], others: Bodies) -> Bodies:
    """What takes the requests' bodies of a site: those of logins too, where it serves them."""
    return ShortBodies(others) if more else others
