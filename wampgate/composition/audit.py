"""Keeps the audit log: makes its file of the section in router.json, and has it told what was only counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wampgate.observation.audit import Audit
from wampgate.observation.thrift import PERIOD_SECONDS

if TYPE_CHECKING:
    from wampgate.config.audit import Audit as AuditSection
    from wampgate.observation.audit_file import AuditFile

_log: Final = Logger(namespace="wampgate.administration")


class AuditLog:
    """The audit log of a running router: in memory always, in a file where router.json names one.

    Attributes:
        audit: takes what the core records.
        file: writes it; None where no file is named.
    """

    def __init__(self) -> None:
        self.audit = Audit()
        self.file: AuditFile | None = None
        self._reactor: Any = None
        self._section: AuditSection | None = None
        self._loop = LoopingCall(self.audit.tell_left_out)

    def start(self, reactor: Any, section: AuditSection | None) -> None:
        """Begin.

        Raises:
            ValueError: the file can't be opened.
        """
        self._reactor = self._loop.clock = reactor
        self.apply(section)
        self._loop.start(PERIOD_SECONDS, now=False).addErrback(
            lambda failure: _log.failure("the audit log does not tell what it has counted", failure)
        )

    def apply(self, section: AuditSection | None) -> None:
        """Write by a section from now on.

        Raises:
            ValueError: its file can't be opened; then all stays as it was.
        """
        if section == self._section:
            return
        made = None if section is None else self._made(section)
        before, self.file, self._section = self.file, made, section
        self.audit.write = None if made is None else made.write
        if before is not None:
            _stop(before)

    def shown(self) -> dict[str, Any] | None:
        """What becomes of the file: ready, written, lost, failures; None where there is none."""
        return None if self.file is None else {"ready": self.file.ready, **self.file.counters}

    def reopen(self) -> None:
        """The operator has moved the file away."""
        if self.file is not None:
            self.file.reopen()

    def stop(self) -> None:
        """Write what is left, and end."""
        if self._loop.running:
            self._loop.stop()
        self.audit.tell_left_out(at_once=True)
        if self.file is not None:
            _stop(self.file)
            self.file = self.audit.write = None

    def _made(self, section: AuditSection) -> AuditFile:
        # Loaded only where a file is written.
        from wampgate.observation.append_file import AppendFile  # noqa: PLC0415
        from wampgate.observation.audit_file import AuditFile  # noqa: PLC0415

        try:
            file = AppendFile(section.file, rotate_bytes=section.rotate_bytes, keep=section.keep)
        except OSError as error:
            why = f"{error.strerror}; its folder has to be there, and to let the router write"
            raise ValueError(f"the audit log {section.file} can't be written: {why}") from None

        def tell(reason: str) -> None:
            self._reactor.callFromThread(_tell, str(section.file), reason)

        made = AuditFile(file, tell)
        made.start()
        return made


def _stop(file: AuditFile) -> None:
    if unwritten := file.stop():
        _log.error("{count} entries of the audit log were never written: its disk does not take them", count=unwritten)


def _tell(file: str, reason: str) -> None:
    if reason:
        _log.error("the audit log {file} can't be written: {reason}; entries wait", file=file, reason=reason)
    else:
        _log.info("the audit log {file} is written again", file=file)
