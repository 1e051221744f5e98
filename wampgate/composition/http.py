"""Makes what each listener serves over HTTP: the page, and the routes for backends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wampgate.http.backend import openapi, web
from wampgate.http.backend.decoding import Bounds, Decoder
from wampgate.http.backend.entrance import Entrance
from wampgate.http.backend.exchange import Backend
from wampgate.http.backend.idempotency import IdempotencyKeys
from wampgate.http.backend.visit import Visits
from wampgate.http.site import FILES, make_site
from wampgate.transports.credentials import bearer_of
from wampgate.transports.port import Listener, Serves

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from twisted.web.server import Site

    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Record
    from wampgate.core.router import Router
    from wampgate.transports.port import Port


@dataclass(frozen=True, slots=True)
class Sites:
    """What listeners serve.

    Attributes:
        backend: what serves backends on all listeners that let them in.
        bounds: how much their requests may bring.
        body_bytes: of one request's body.
        reactor: whose clock counts deadlines.
    """

    backend: Backend
    bounds: Bounds
    body_bytes: int
    reactor: Any

    def listener(self, port: Port, listen: model.Listen) -> Port | Listener:
        """What listens at an endpoint."""
        if not listen.proxy_protocol and set(listen.serves) == {"wamp", "page"}:
            return port
        websocket = port.serves.websocket if "wamp" in listen.serves else None
        return Listener(port, Serves(websocket, self._site(listen)), proxied=listen.proxy_protocol)

    def _site(self, listen: model.Listen) -> Site:
        wamp, page = "wamp" in listen.serves, "page" in listen.serves
        if "backend" not in listen.serves:
            return make_site(wamp=wamp, page=page, reactor=self.reactor)
        elsewhere = {b"/health/live"}
        if wamp:
            elsewhere.add(b"/ws")
        if page:
            elsewhere |= {b"/", *(b"/" + name.encode() for name in FILES)}
        return make_site(
            wamp=wamp,
            page=page,
            more=web.nodes(self.backend, openapi.document(self.bounds), bearer_of),
            absent=web.NO_ROUTE,
            bodies=web.Intake(self.body_bytes, elsewhere, self.backend.counters),
            reactor=self.reactor,
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
    """
    bounds = Bounds(limits.message_bytes, limits.batch_publications)
    backend = Backend(
        Entrance(router.realms, guesses=guesses, record=record, run=run),
        Visits(router, record, deadlines.now),
        Decoder(bounds),
        IdempotencyKeys(limits.idempotency_keys, deadlines.now),
        deadlines,
    )
    return Sites(backend, bounds, limits.http_body_bytes, reactor)
