"""A whole router without a transport, with the parts that metrics and health are read from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unit.core.routed import Routed

from wampgate.observation.exposition import Exposition
from wampgate.observation.health import Health, health_of
from wampgate.observation.metrics import ListenerInView, Metrics, RefusedJoins
from wampgate.observation.parts import Parts, RealmInView
from wampgate.transports.origins import Origins
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from unit.core.routed import RealmUnderTest

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Counted:
    """A transport whose connections are those of the test; see :class:`wampgate.observation.parts.Transport`."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.peers: set[Any] = set()


class Watched:
    """A router under test and everything by which an operator looks at it."""

    def __init__(self, *realms: RealmUnderTest, roles: tuple[str, ...] = ("member", "guest", "backend")) -> None:
        self.routed = Routed(*realms)
        self.refused_joins = RefusedJoins()
        self.routed.records = _Also(self.refused_joins, self.routed)
        views = [
            RealmInView(realm.realm, realm.memory, caches={"memberships": realm.memberships}, roles=roles)
            for realm in self.routed.realms
        ]
        self.websocket = Counted()
        self.parts = Parts(
            self.routed.router,
            self.routed.deadlines,
            self.port(),
            {"websocket": self.websocket},
            views,
            started=1.0,
        )
        self.admin = ListenerInView(self.port(), Counter())
        self.exposition = Exposition(
            Metrics(lambda: self.parts, health=self.health, refused_joins=self.refused_joins, admin=lambda: self.admin)
        )

    def port(self) -> Port:
        return Port(
            websocket=None,
            web=None,
            origins=Origins(),
            deadlines=self.routed.deadlines,
            limits=ConnectionLimits(),
            joined=lambda: 0,
        )

    def health(self) -> Health:
        return health_of(self.parts)

    def text(self, accept: str = TEXT) -> str:
        return self.exposition.write(accept)[0].decode()

    def metrics(self) -> dict[str, Metric]:
        return {metric.name: metric for metric in self.exposition.collect()}

    def value(self, name: str, **labels: str) -> float:
        """One series of a metric; 0 if there is none."""
        metric = self.metrics()[name.removesuffix("_total").removesuffix("_count")]
        found = [sample.value for sample in metric.samples if (sample.name, sample.labels) == (name, labels)]
        assert len(found) <= 1
        return found[0] if found else 0


class _Also(list[Any]):
    """The records of a test, that refused joins are counted of as well."""

    def __init__(self, taker: RefusedJoins, routed: Routed) -> None:
        super().__init__()
        self._taker = taker
        self._routed = routed

    def append(self, record: Any) -> None:
        event, fields = record
        self._taker(event, self._routed.peers[-1].session, **fields)
        super().append(record)
