"""Writes a router's metrics as Prometheus and OpenMetrics have them, by ``prometheus_client``.

Its Twisted resource would have them collected by a thread of the reactor's pool, which
may not look at what the reactor changes meanwhile. So only its formats are used, and
everything is read in one turn of the reactor.
"""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.registry import CollectorRegistry

from wampgate.core.histogram import Histogram
from wampgate.observation.metric_families import FAMILIES
from wampgate.observation.process_figures import ProcessFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from wampgate.observation.metric_families import Family
    from wampgate.observation.metrics import Metrics, Sample

_MAKERS: dict[str, Callable[..., Metric]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "info": InfoMetricFamily,
}


class Exposition:
    """A scrape's answers.

    Args:
        metrics: what there is to tell.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # One of its own: the library's has what other code of the process may have put there.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._registry.register(ProcessFigures())
        GCCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector: every metric, those without a series included."""
        metric_by_family = {family: _metric_of(family) for family in FAMILIES}
        for sample in self._metrics.samples():
            _add(metric_by_family[sample.family], sample)
        yield from metric_by_family.values()

    def write(self, accept: str) -> tuple[bytes, str]:
        """All metrics, in the format that a scrape's Accept header asks for, and what that is called."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _metric_of(family: Family) -> Metric:
    return _MAKERS[family.kind](family.name, family.text, labels=family.labels)


def _add(metric: Metric, sample: Sample) -> None:
    value = sample.value
    if isinstance(value, Histogram):
        buckets = [("+Inf" if isinf(bound) else str(bound), float(count)) for bound, count in value.cumulative()]
        metric.add_metric(sample.labels, buckets, value.sum)  # type: ignore[attr-defined]  # its makers' classes have it
    elif sample.family.kind == "info":
        named = dict(zip(sample.family.labels, sample.labels, strict=True))
        metric.add_metric((), named)  # type: ignore[attr-defined]  # as above
    else:
        metric.add_metric(sample.labels, float(value))  # type: ignore[attr-defined]  # as above
