"""The service that twistd runs: starts the router that a configuration describes, and ends it."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from wampgate import __version__
from wampgate.composition.administration import Administration
from wampgate.composition.draining import Draining
from wampgate.composition.process import Process
from wampgate.composition.running import Running
from wampgate.composition.signals import on_signals
from wampgate.config.errors import ConfigurationError
from wampgate.core.errors import WampgateError
from wampgate.journal import Journal
from wampgate.observation.health import health_of
from wampgate.observation.logs import Log
from wampgate.observation.records import Records
from wampgate.observation.supervisor import Supervisor
from wampgate.procedures import reload
from wampgate.stepping import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.composition.admin import AdminListener
    from wampgate.composition.reload import Reloading
    from wampgate.composition.tracing import Tracer
    from wampgate.config import model
    from wampgate.config.errors import Problem
    from wampgate.config.tracing import Tracing
    from wampgate.core.procedures import Procedures
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.observation.parts import Parts

_log = Logger(namespace="wampgate")

_EXPECTED: Final = (WampgateError, CannotListenError, OSError, ValueError)
"""What keeps a router from starting because of its configuration or its surroundings: its text says all."""


_TOLD_SECONDS: Final = 10.0
"""So often whoever supervises the process is told anew how the router is."""


class Wampgate(Service):
    """Everything that a configuration describes, started and stopped as one.

    Attributes:
        log: what is written of it.
        administration: log, audit log and usage; a reload and a rotation are told to it.
    """

    def __init__(
        self,
        configuration: model.Configuration,
        *,
        demo: bool = False,
        log: Log | None = None,
        started: Callable[[], None] | None = None,
        reread: Callable[[], model.Configuration] | None = None,
        source: str = "router.json",
    ) -> None:
        """Nothing is opened before the service starts.

        Args:
            configuration: what to make.
            demo: whether this is the demo: then it refuses what came through a proxy.
            log: what is written; None where whoever starts the service has an observer of its own.
            started: called once everything listens.
            reread: loads the configuration anew, as it is now; raises ``ConfigurationError``. None where it comes from
                nowhere.
            source: the file's name, for what is said of it.
        """
        self._configuration = configuration
        self._demo = demo
        self.log = log or Log(configuration.log)
        self._record = Records(Journal(self.log.levels))
        self.administration = Administration(self.log, self._record)
        self._started = started
        self._reread = reread
        self._source = source
        self._admin: AdminListener | None = None
        self._tracer: Tracer | None = None
        self._reloading: Reloading | None = None
        self._draining: Draining | None = None
        self._reload_later = False
        self._supervisor = Supervisor()
        self._live: Running | None = None

    # --- what it consists of, once it is started ---

    @property
    def process(self) -> Process:
        """What lives as long as the process."""
        assert self._live is not None, "the service is started first"  # noqa: S101 - for the type checker
        return self._live.process

    @property
    def router(self) -> Router:
        """The router."""
        return self.process.router

    @property
    def parts(self) -> Parts:
        """What the running router consists of, for those who look at it."""
        return self.process.parts

    @property
    def ports(self) -> list[Any]:
        """What listens, once started."""
        return [] if self._live is None else self._live.doors.sockets

    @property
    def admin_ports(self) -> Sequence[Any]:
        """What listens for operators, once started."""
        return () if self._admin is None else self._admin.sockets

    # --- Service ---

    def setServiceParent(self, parent: Any) -> None:  # noqa: N802 - Twisted's name
        """Become part of an application; to twistd's it says where the log goes."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]  # Twisted's
        if self.log.writes and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.log)  # type: ignore[no-untyped-call]  # Twisted's

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Build everything and start it; whatever fails ends the process with a line that says what."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's
        from twisted.internet import reactor  # noqa: PLC0415 - installing it is the application's choice

        running: Any = reactor
        running.callWhenRunning(on_signals, running, reload=self._reload_by_signal, hasten=self._hasten)
        running.callWhenRunning(lambda: Deferred.fromCoroutine(self._start(running)).addErrback(self._failed, running))

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Send the sessions away in the way from which clients come back, then close all that is open."""
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted's
        from twisted.internet import reactor  # noqa: PLC0415 - as above

        return Deferred.fromCoroutine(self._stop(reactor))

    async def _start(self, reactor: Any) -> None:
        configuration = self._configuration
        self.administration.start(reactor, configuration)
        self._tracer = _tracer_of(configuration.tracing)
        process = Process(
            reactor,
            configuration,
            record=self._record,
            demo=self._demo,
            tracer=self._tracer,
        )
        process.parts.audit = self.administration.audit.shown
        self._live = live = Running(process, self._offer)
        live.make(configuration)
        process.start()
        # Before the stores: who asks meanwhile is told that the router is starting.
        await self._serve_operators(configuration)
        await live.open(configuration)
        _log.info("wampgate {version} has started: {realms}", version=__version__, realms=", ".join(live.realms))
        self._supervisor.watch(reactor)
        self._supervisor.ready(self._in_a_line())
        if self._supervisor.asks:
            process.periods.every(_TOLD_SECONDS, lambda: self._supervisor.status(self._in_a_line()))
        if self._started is not None:
            self._started()
        if self._reload_later:
            self._reload_by_signal()

    async def _stop(self, reactor: Any) -> None:
        live = self._live
        if live is None:
            return
        self._supervisor.stopping("draining: the clients are sent away")
        self._draining = Draining(live)
        await self._draining.run(reactor)
        await live.close()
        if self._tracer is not None:
            await self._tracer.stop()
        if self._admin is not None:
            # Last, so that it can be asked how the router ends.
            await self._admin.stop()
        live.process.stop()
        self._supervisor.stop()
        self.administration.stop()
        _log.info("wampgate has stopped")

    def _in_a_line(self) -> str:
        """How the router is, for whoever asks its supervisor."""
        return f"{health_of(self.parts).line}; sessions: {self.process.session_count():,}"

    def _hasten(self) -> None:
        if self._draining is not None:
            self._draining.hasten()

    async def _serve_operators(self, configuration: model.Configuration) -> Sequence[str]:
        """Listen for them as a configuration has it; see :meth:`AdminListener.apply`."""
        if self._admin is None:
            if configuration.admin is None:
                return ()
            # Loaded only where operators are served.
            from wampgate.composition.admin import AdminListener  # noqa: PLC0415

            self._admin = AdminListener(self.process, self._record, refuse_forwarded=self._demo)
        return await self._admin.apply(configuration)

    # --- reload ---

    async def reload(self) -> list[str]:
        """Load the configuration anew and go by it, all of it or nothing; what has changed.

        Raises:
            ConfigurationError: it can't be used; nothing has changed. The log has been told.
        """
        # A reload is rare, and what it takes is no small part of the start.
        from wampgate.composition.reload import Reloadable, Reloading  # noqa: PLC0415

        assert self._live is not None and self._reread is not None, "it is asked before"  # noqa: S101, PT018 - for the type checker
        if self._reloading is None:
            reloadables = [
                Reloadable(("audit", "log"), self.administration.apply),
                Reloadable(("admin", "limits", "trusted_proxies"), self._serve_operators, renews=True),
            ]
            self._reloading = Reloading(self._live, self._reread, self._source, reloadables)
            self._reloading.told.append(self._note_reload)
        self._supervisor.reloading()
        try:
            return await self._reloading.reload()
        finally:
            self._supervisor.ready(self._in_a_line())

    def _note_reload(self, changed: Sequence[str], problems: Sequence[Problem]) -> None:
        outcome = {"problems": [str(problem) for problem in problems]} if problems else {"changed": list(changed)}
        self.administration.audit.audit.note("reload", **outcome)

    def _offer(self, procedures: Procedures, realm: Realm) -> None:
        """Offer what the service itself can do."""
        self.administration.offer(procedures, realm)
        procedures.add(reload.NAME, reload.Reload(None if self._reread is None else self))

    def _reload_by_signal(self) -> None:
        # Who rotates logs tells it by the same signal.
        self.administration.reopen()
        if self._reread is None:
            _log.info("received SIGHUP: the demo has no router.json, so there is nothing to reload")
        elif self._draining is not None:
            _log.info("received SIGHUP while shutting down: there is nothing to reload any more")
        elif self._live is None or not self.ports:
            # As soon as there is something to change.
            self._reload_later = True
        else:
            _log.info("received SIGHUP, reloading")
            run(self._reload_and_tell())

    async def _reload_and_tell(self) -> None:
        with suppress(ConfigurationError):
            await self.reload()

    def _failed(self, failure: Any, reactor: Any) -> None:
        if failure.check(*_EXPECTED):
            _log.critical("wampgate can't start: {error}", error=failure.getErrorMessage())
        else:
            _log.failure("wampgate can't start, and that is a mistake of its own; please report what follows", failure)
        # twistd ends with status 0 whatever happened; whoever supervises it has to be told.
        atexit.register(_fail)
        reactor.stop()


def _tracer_of(section: Tracing | None) -> Tracer | None:
    if section is None:
        return None
    # OpenTelemetry is an extra, and loaded only where it is used.
    from wampgate.composition.tracing import Tracer  # noqa: PLC0415

    return Tracer(section)


def _fail() -> None:
    sys.stdout.flush()
    os._exit(1)
