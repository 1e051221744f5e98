"""Makes the log of what router.json and twistd's command line say."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wampgate.observation.log_sinks import LogFile, Stream, Syslog, is_journal
from wampgate.observation.logs import Log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.config.log import Log as LogSection
    from wampgate.observation.log_sinks import Sink


def log_of(section: LogSection, *, debug: bool, twistd: Any) -> Log:
    """The log, which writes where twistd's command line says.

    Args:
        section: how to write.
        debug: whether everything is heard.
        twistd: its options, as they are read: ``logfile``, ``syslog``, ``prefix``, ``nodaemon``, ``logger``; None
            where the router is not started by twistd.

    Raises:
        SystemExit: it can't be written there.
    """
    log = Log(section, debug=debug)
    # Who names a logger of its own to twistd gets all events, whatever this one would hear.
    if twistd is not None and not twistd.get("logger"):
        log.begin(_sink_of(twistd))
    return log


def _sink_of(twistd: Mapping[str, Any]) -> Sink:
    """Where twistd's options say that lines go."""
    if twistd.get("syslog"):
        return Syslog(twistd.get("prefix", ""))
    name, foreground = twistd.get("logfile"), twistd.get("nodaemon")
    if name == "-" and not foreground:
        raise SystemExit("a daemon has no standard output: name a file by --logfile, or use --nodaemon")
    if foreground and name in (None, "", "-"):
        return Stream(sys.stdout, journal=is_journal(sys.stdout, os.environ))
    try:
        file = LogFile(Path(name or "twistd.log"))
    except OSError as error:
        raise SystemExit(f"the log can't be written to {name or 'twistd.log'}: {error.strerror}") from None
    if not signal.getsignal(signal.SIGUSR1):
        # As with twistd's own log: without it, who rotates by this signal would end the router.
        signal.signal(signal.SIGUSR1, lambda *_: file.reopen())
    return file
