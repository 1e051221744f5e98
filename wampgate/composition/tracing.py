"""Makes what records traces of its section in router.json; loaded only where there is one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, LogLevel

from wampgate import __version__
from wampgate.observation.tracing import Answers, RealmTracing, Sampling

if TYPE_CHECKING:
    from wampgate.config.tracing import Tracing
    from wampgate.core.interfaces import Deliver
    from wampgate.core.realm import Realm
    from wampgate.observation.records import Records

_log = Logger(namespace="wampgate.tracing")

_EXPORT_SECONDS: Final = 5.0
"""How long one export may take; a shutdown waits for the last one."""


class _Relay(logging.Handler):
    """Hands what OpenTelemetry logs to Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = LogLevel.warn if record.levelno >= logging.WARNING else LogLevel.debug
        _log.emit(level, "traces: {text}", text=record.getMessage())


class Tracer:
    """What records the traces of all realms.

    Args:
        section: says where to, and how many.
    """

    def __init__(self, section: Tracing) -> None:
        self._sampling = Sampling(section.ratio, frozenset(section.trusted_roles))
        resource = Resource.create({SERVICE_NAME: section.service, SERVICE_VERSION: __version__})
        # Which messages are traced has been decided before it is asked for a span.
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=section.endpoint, timeout=_EXPORT_SECONDS)
        # Its queue is bounded, and a thread of its own exports: whatever the collector does, nobody here waits for it.
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        _relay()

    def answers(self, deliver: Deliver) -> Answers:
        """Through what a realm is to deliver that is traced."""
        return Answers(deliver)

    def attach(self, realm: Realm, answers: Answers, records: Records) -> None:
        """Trace a realm from now on."""
        tracer = self._provider.get_tracer("wampgate", __version__)
        RealmTracing(realm, tracer, self._sampling, answers).attach(records)

    async def stop(self) -> None:
        """Export what has been recorded, and end."""
        await deferToThread(self._provider.shutdown)


def _relay() -> None:
    """Let nothing of OpenTelemetry write to the terminal by itself."""
    logger: Any = logging.getLogger("opentelemetry")
    if not any(isinstance(handler, _Relay) for handler in logger.handlers):
        logger.addHandler(_Relay())
        logger.propagate = False
