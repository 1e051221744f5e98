"""Makes what operators keep of a router: its log, its audit log, and the usage of organizations."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.logger import LogLevel

from wampgate.composition.audit import AuditLog
from wampgate.core.sifting import Sifter
from wampgate.http.access import ACCESS_LOG
from wampgate.observation.usage import Usage
from wampgate.procedures import audit as audit_procedure
from wampgate.procedures import usage as usage_procedure
from wampgate.procedures.log_levels import LogLevels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.config.log import Log as LogSection
    from wampgate.config.model import Configuration
    from wampgate.core.procedures import Procedures
    from wampgate.core.realm import Realm
    from wampgate.observation.logs import Log
    from wampgate.observation.records import Records


class Administration:
    """Log, audit log and usage of a running router, started, changed and stopped as one.

    Args:
        log: writes what is to be heard.
        records: hands on what the core records.

    Attributes:
        audit: the audit log.
    """

    def __init__(self, log: Log, records: Records) -> None:
        self.audit = AuditLog()
        self._log = log
        self._usages: dict[str, tuple[Realm, Usage]] = {}
        self._sifter: Sifter | None = None
        self._log_section: LogSection | None = None
        ACCESS_LOG.heard = partial(log.levels.hears, "access", LogLevel.info)
        records.add(self.audit.audit)

    def start(self, reactor: Any, configuration: Configuration) -> None:
        """Begin to write.

        Raises:
            ValueError: the audit log can't be written.
        """
        self._sifter = Sifter(time.monotonic, partial(reactor.callLater, 0))
        self._log_section = configuration.log
        self.audit.start(reactor, configuration.audit)

    async def apply(self, configuration: Configuration) -> Sequence[str]:
        """Go by a configuration from now on; nothing is renewed beside that.

        Raises:
            ValueError: the audit log can't be written; then all stays as it was.
        """
        self.audit.apply(configuration.audit)
        if configuration.log != self._log_section:
            self._log_section = configuration.log
            self._log.apply(configuration.log)
        return ()

    def reopen(self) -> None:
        """The operator has moved files away."""
        self._log.reopen()
        self.audit.reopen()

    def stop(self) -> None:
        """Write what is left."""
        self.audit.stop()

    def offer(self, procedures: Procedures, realm: Realm) -> None:
        """Register the procedures of a realm; a second time after a configuration was read again."""
        usage = self._usage_of(realm)
        for name, procedure in LogLevels(self._log.levels).procedures().items():
            procedures.add(name, procedure)
        procedures.add(audit_procedure.NAME, audit_procedure.RecentAudit(realm, self.audit.audit, self.audit.shown))
        sifter = self._sifter or Sifter(time.monotonic)
        procedures.add(usage_procedure.NAME, usage_procedure.OrganizationUsage(realm, usage, sifter))

    def _usage_of(self, realm: Realm) -> Usage:
        known = self._usages.get(realm.name)
        # One that was gone meanwhile is another one: its sessions are not those that the account knows.
        if known is None or known[0] is not realm:
            known = self._usages[realm.name] = (realm, Usage(realm))
        return known[1]
