"""Makes the operators' listener: its own port with its own places, and a site that only it serves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wampgate.composition.doors import Doors, NotListening, close
from wampgate.config.formats import endpoint_kind
from wampgate.config.listen import Listen
from wampgate.http.admin.site import BESIDE, make_admin_site, status_page
from wampgate.http.backend import openapi, web
from wampgate.http.backend.usage_csv import UsageCsv
from wampgate.observation.health import health_of
from wampgate.observation.metrics import ListenerInView, Metrics, RefusedJoins
from wampgate.transports.credentials import bearer_of
from wampgate.transports.origins import OriginsByAddress
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port, Serves
from wampgate.transports.proxy import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from wampgate.composition.process import Process
    from wampgate.config.admin import Admin
    from wampgate.config.model import Configuration
    from wampgate.http.channel import Site
    from wampgate.http.resources import Node
    from wampgate.observation.health import Health
    from wampgate.observation.records import Records


class AdminPort(Port):
    """What listens for operators: as the public port, but with places of its own, so that no crowd keeps them out."""


class AdminListener:
    """The operators' listener; it listens where a configuration has the section ``admin``.

    What was counted and who is connected stays when the section changes.

    Args:
        process: what is looked at, and serves WAMP and backends there as well.
        records: hands on what the core records.
        refuse_forwarded: whether to refuse what came through a proxy (the demo does).
    """

    def __init__(self, process: Process, records: Records, *, refuse_forwarded: bool = False) -> None:
        self._process = process
        self._refuse_forwarded = refuse_forwarded
        self._refused_joins = RefusedJoins()
        records.add(self._refused_joins)
        self._answered: Counter[int] = Counter()
        self._doors = Doors(process.reactor, "operators are served on")
        self._port: AdminPort | None = None

    @property
    def sockets(self) -> Sequence[Any]:
        """What listens."""
        return self._doors.sockets

    async def apply(self, configuration: Configuration) -> Sequence[str]:
        """Listen as a configuration has it from now on, or no more; connections that are open stay open.

        Returns:
            The certificates that are others than before.

        Raises:
            ValueError: the endpoint is taken, or a file that it names can't be used; then nothing has changed.
            OSError: a file of the status page is missing; then likewise.
        """
        section = configuration.admin
        page = status_page() if section is not None and section.status_page else {}
        try:
            to_come = await self._doors.prepare([] if section is None else [_listen_of(section, configuration)])
        except NotListening as error:
            raise ValueError(str(error)) from None
        if section is not None:
            self._port = self._port_of(section, configuration, page)
        leaving = to_come.commit(lambda _: self._port)
        await close(self._process.reactor, leaving, hand_over=False)
        return to_come.renewed

    async def stop(self) -> None:
        """Listen no more; connections that are open stay open."""
        await self._doors.close(hand_over=False)

    def _port_of(self, section: Admin, configuration: Configuration, page: dict[bytes, Node]) -> AdminPort:
        """The port, by the section; one that there is goes on with another site."""
        process, port = self._process, self._port
        site = self._site(section, configuration, page)
        limits = ConnectionLimits(section.connections, 0, section.connections)
        header_seconds, proxies = configuration.limits.header_seconds, TrustedProxies(configuration.trusted_proxies)
        if port is not None:
            port.serves = Serves(process.websocket, site)
            port.adopt(limits, header_seconds, proxies)
            return port
        return AdminPort(
            websocket=process.websocket,
            web=site,
            # Orchestrators and Prometheus ask for it by its address.
            origins=OriginsByAddress(process.origins),
            deadlines=process.deadlines,
            limits=limits,
            # Who has joined gives no place back: there is one limit for all.
            joined=lambda: 0,
            header_seconds=header_seconds,
            refuse_forwarded=self._refuse_forwarded,
            proxies=proxies,
            apart="admin ",
        )

    def _site(self, section: Admin, configuration: Configuration, page: dict[bytes, Node]) -> Site:
        sites = self._process.sites_of(configuration.limits)
        nodes: dict[bytes, Node] = {
            **page,
            **web.nodes(sites.backend, openapi.document(sites.bounds), bearer_of),
            b"usage.csv": UsageCsv(sites.backend, bearer_of),
        }
        elsewhere = BESIDE | {b"/" + name for name in nodes}

        def health() -> Health:
            return health_of(self._process.parts, section.ready_without)

        return make_admin_site(
            nodes,
            ready=health,
            written=self._exposition(health) if section.metrics else None,
            bodies=web.Intake(sites.body_bytes, elsewhere, sites.backend.counters),
            reactor=self._process.reactor,
            answered=self._answered,
        )

    def _exposition(self, health: Callable[[], Health]) -> Callable[[str], tuple[bytes, str]]:
        # Loaded only where metrics are served: the library is a tenth of the start.
        from wampgate.observation.exposition import Exposition  # noqa: PLC0415

        metrics = Metrics(
            lambda: self._process.parts,
            health=health,
            refused_joins=self._refused_joins,
            admin=lambda: ListenerInView(self._port, self._answered),
        )
        return Exposition(metrics).write


def _listen_of(section: Admin, configuration: Configuration) -> Listen:
    # A router that is to take this one's place listens beside it; it must not fail for want of this port.
    shares = any(listen.reuse_port for listen in configuration.listen)
    return Listen(endpoint=section.endpoint, reuse_port=shares and endpoint_kind(section.endpoint) in ("tcp", "ssl"))
