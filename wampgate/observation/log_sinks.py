"""Where log lines go: standard output, a journal behind it, a file, or syslog."""

from __future__ import annotations

import os
import syslog
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from wampgate.observation.append_file import AppendFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PRIORITIES: Final[Mapping[str, int]] = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
"""Syslog's number of each level (RFC 5424, section 6.2.1)."""


class Sink(Protocol):
    """Takes lines.

    Attributes:
        timed: whether lines need a time of their own.
    """

    timed: bool

    def write(self, level: str, line: str) -> None:
        """Take a line without its end; it may have indented lines below.

        Raises:
            OSError: it can't be written.
        """

    def reopen(self) -> None:
        """The operator has moved the file away."""


class Stream:
    """Writes to a stream that stays what it is, as standard output does.

    Args:
        stream: which one.
        journal: whether systemd's journal reads it: it knows the time, and is told each line's priority.
    """

    def __init__(self, stream: TextIO, *, journal: bool = False) -> None:
        self._stream = stream
        self._journal = journal
        self.timed = not journal

    def write(self, level: str, line: str) -> None:
        """See :meth:`Sink.write`."""
        if self._journal:
            # Each line is a record of its own there.
            priority = f"<{PRIORITIES[level]}>"
            line = priority + line.replace("\n", "\n" + priority)
        self._stream.write(line + "\n")
        self._stream.flush()

    def reopen(self) -> None:
        """Nothing to open."""


class LogFile:
    """Writes to a file of its own."""

    timed = True

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)

    def write(self, _level: str, line: str) -> None:
        """See :meth:`Sink.write`."""
        self._file.write(f"{line}\n".encode("utf-8", "backslashreplace"))

    def reopen(self) -> None:
        """See :meth:`Sink.reopen`."""
        self._file.reopen()


class Syslog:
    """Hands lines to the machine's syslog, which knows the time.

    Args:
        name: by which it knows the router.
    """

    timed = False

    def __init__(self, name: str) -> None:
        syslog.openlog(name or "wampgate", syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(self, level: str, line: str) -> None:
        """See :meth:`Sink.write`."""
        for one in line.split("\n"):
            syslog.syslog(PRIORITIES[level], one)

    def reopen(self) -> None:
        """Nothing to open."""


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether systemd's journal reads a stream: JOURNAL_STREAM names the same device and inode."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
