"""The log of a running router: takes Twisted's events and writes those that are to be heard, each as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import fields as fields_of
from twisted.logger import ILogObserver, Logger, LogLevel
from zope.interface import implementer

from wampgate.config.log import Levels as LevelsSection
from wampgate.observation.log_forms import as_json, as_text
from wampgate.observation.log_levels import Levels, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.logger import LogEvent

    from wampgate.config.log import Log as LogSection
    from wampgate.observation.log_forms import Form
    from wampgate.observation.log_sinks import Sink

_log = Logger(namespace="wampgate")

_FORMS: Final[Mapping[str, Form]] = {"text": as_text, "json": as_json}


@implementer(ILogObserver)
class Log:
    """Writes what is to be heard. To Twisted it is an observer.

    Args:
        section: how.
        debug: whether all parts of the router are heard from ``debug`` on, whatever the section says.

    Attributes:
        levels: from which level on each part is heard.
        lost: how many lines could not be written.
    """

    def __init__(self, section: LogSection, *, debug: bool = False) -> None:
        self.levels = Levels()
        self.lost = 0
        self._debug = debug
        self._sink: Sink | None = None
        self._untold = 0
        self.apply(section)

    def apply(self, section: LogSection) -> None:
        """Write by a section from now on; levels that were set otherwise meanwhile are forgotten."""
        self._form = _FORMS[section.format]
        for field in fields_of(LevelsSection):
            level = "debug" if self._debug and field.name != "twisted" else getattr(section.levels, field.name)
            self.levels.set(field.name, level)
        self.levels.set("access", "info" if section.access else "warn")

    def begin(self, sink: Sink) -> None:
        """Write there from now on."""
        self._sink = sink

    @property
    def writes(self) -> bool:
        """Whether there is somewhere to write to."""
        return self._sink is not None

    def reopen(self) -> None:
        """The operator has moved the file away."""
        if self._sink is not None:
            self._sink.reopen()

    def __call__(self, event: LogEvent) -> None:
        """Take an event; see :class:`twisted.logger.ILogObserver`."""
        part = part_of(event.get("log_namespace", ""))
        level = event.get("log_level") or LogLevel.info
        if self._sink is not None and self.levels.hears(part, level):
            self._write(self._sink, event, part, level.name)

    def _write(self, sink: Sink, event: Mapping[str, Any], part: str, level: str) -> None:
        try:
            sink.write(level, self._form(event, part, level, sink.timed))
        except OSError:
            # There is no one left to tell; what follows tells it, once something can be written again.
            self.lost += 1
            self._untold += 1
            return
        if self._untold:
            count, self._untold = self._untold, 0
            _log.warn("{count} lines of the log could not be written", count=count)
