"""Makes the operators' listener: its own port with its own places, and a site that only it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from wampgate.composition.endpoints import endpoint_of
from wampgate.composition.listening import told_endpoint
from wampgate.http.admin.site import BESIDE, make_admin_site, status_page
from wampgate.http.backend import openapi, web
from wampgate.http.backend.usage_csv import UsageCsv
from wampgate.observation.health import asked_of
from wampgate.observation.metrics import ListenerInView, Metrics, RefusedJoins
from wampgate.transports.credentials import bearer_of
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.composition.http import Sites
    from wampgate.config.admin import Admin
    from wampgate.http.channel import Site
    from wampgate.http.resources import Node
    from wampgate.observation.health import Health
    from wampgate.observation.parts import Parts
    from wampgate.observation.records import Records
    from wampgate.transports.origins import Origins
    from wampgate.transports.proxy import TrustedProxies

_log = Logger()


class AdminPort(Port):
    """What listens for operators: as the public port, but with places of its own, so that no crowd keeps them out."""


class AdminListener:
    """The operators' listener, started and stopped as one.

    Args:
        reactor: listens.
        section: of the configuration.
        parts: the router's parts, as they are now.
        sites: what serves backends by HTTP.
        records: hands on what the core records.
        origins: the hosts and origins that may come in, the same as for all listeners.
        proxies: who is believed about those behind it.
        header_seconds: from the opened connection to the end of the header.
        refuse_forwarded: whether to refuse what came through a proxy (the demo does).
        more: what is served beside, by the path's first component.

    Attributes:
        port: refuses connections and has their places.
        ports: what listens, once started.
    """

    def __init__(
        self,
        reactor: Any,
        section: Admin,
        parts: Callable[[], Parts],
        sites: Sites,
        *,
        records: Records,
        origins: Origins,
        proxies: TrustedProxies,
        header_seconds: float,
        refuse_forwarded: bool = False,
        more: Mapping[bytes, Node] | None = None,
    ) -> None:
        self._reactor = reactor
        self._section = section
        self._parts = parts
        self._records = records
        self._refused_joins = RefusedJoins()
        self._health = asked_of(parts, section.ready_without)
        self.ports: list[Any] = []
        site = self._site(sites, more or {})
        self.port = AdminPort(
            websocket=parts().port.serves.websocket,
            web=site,
            origins=origins,
            deadlines=parts().deadlines,
            limits=ConnectionLimits(section.connections, 0, section.connections),
            # Who has joined gives no place back: there is one limit for all.
            joined=lambda: 0,
            header_seconds=header_seconds,
            refuse_forwarded=refuse_forwarded,
            proxies=proxies,
            apart="admin ",
        )
        self._answered = site.answered

    async def start(self) -> None:
        """Listen.

        Raises:
            CannotListenError: the endpoint is taken.
            ValueError: a file that the endpoint names can't be used.
        """
        self._records.add(self._refused_joins)
        endpoint = endpoint_of(self._reactor, self._section.endpoint)
        self.ports.append(await endpoint.listen(self.port))
        told = told_endpoint(self._section.endpoint, self.ports[-1])
        _log.info("operators are served on {endpoint}", endpoint=told)

    async def stop(self) -> None:
        """Listen no more; connections that are open stay open."""
        if not self.ports:
            return
        self._records.remove(self._refused_joins)
        ports, self.ports = self.ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)

    def _site(self, sites: Sites, more: Mapping[bytes, Node]) -> Site:
        nodes: dict[bytes, Node] = {
            **(status_page() if self._section.status_page else {}),
            **web.nodes(sites.backend, openapi.document(sites.bounds), bearer_of),
            b"usage.csv": UsageCsv(sites.backend, bearer_of),
            **more,
        }
        elsewhere = BESIDE | {b"/" + name for name in nodes}
        return make_admin_site(
            nodes,
            ready=self._ready,
            written=self._exposition() if self._section.metrics else None,
            bodies=web.Intake(sites.body_bytes, elsewhere, sites.backend.counters),
            reactor=self._reactor,
        )

    def _ready(self) -> tuple[str, list[str]]:
        health: Health = self._health()
        return health.state, health.reasons

    def _exposition(self) -> Callable[[str], tuple[bytes, str]]:
        # Loaded only where metrics are served: the library is a tenth of the start.
        from wampgate.observation.exposition import Exposition  # noqa: PLC0415

        metrics = Metrics(
            self._parts,
            health=self._health,
            refused_joins=self._refused_joins,
            admin=lambda: ListenerInView(self.port, self._answered),
        )
        return Exposition(metrics).write
