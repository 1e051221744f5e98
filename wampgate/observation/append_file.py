"""A file that lines are appended to, whoever moves or truncates it meanwhile: the log's and the audit log's."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_SECONDS: Final = 1.0
"""How often it is looked whether the file is still where it was, while something is written."""

_MODE: Final = 0o640
"""Its owner writes, its group reads, nobody else knows what it says."""


class AppendFile:
    """Appends to a file; where it was moved or removed, a new one is begun within a second, or at once when told so.

    What truncates it in place (copytruncate) does no harm: each write goes to what the end is then.

    Args:
        path: where.
        rotate_bytes: the size from which on a new file is begun; None for never.
        keep: so many of the old ones are kept, as ``path.1`` (the newest), ``path.2`` and so on.
        now: the monotonic clock, in seconds.

    Attributes:
        fault: why no new file could be begun where the old one was moved; empty where it could.

    Raises:
        OSError: it can't be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        rotate_bytes: int | None = None,
        keep: int = 1,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path.absolute()
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._now = now
        self.fault = ""
        self._descriptor = _opened(self.path)
        self._look_at = now() + _LOOK_SECONDS

    def write(self, data: bytes) -> None:
        """Append whole lines, in one piece.

        Raises:
            OSError: not all of it could be written; what was begun of it is taken back.
        """
        if self._now() >= self._look_at:
            self._look()
        written = os.write(self._descriptor, data)
        if written < len(data):
            # The disk is full: half a line would spoil the next one.
            with suppress(OSError):
                os.ftruncate(self._descriptor, max(0, os.fstat(self._descriptor).st_size - written))
            raise OSError(28, os.strerror(28), str(self.path))

    def sync(self) -> None:
        """Let the disk have it.

        Raises:
            OSError: it can't take it.
        """
        os.fsync(self._descriptor)

    def reopen(self) -> None:
        """Look at once, with the next line, whether the file was moved. May be called anywhere."""
        self._look_at = 0.0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _look(self) -> None:
        self._look_at = self._now() + _LOOK_SECONDS
        mine = os.fstat(self._descriptor)
        try:
            there = self.path.stat()
            moved = (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)
        except FileNotFoundError:
            moved = True
        if not moved and self._rotate_bytes is not None and mine.st_size >= self._rotate_bytes:
            self._rotate()
            moved = True
        if moved:
            self._renew()

    def _renew(self) -> None:
        # The old one is held until there is a new one: better there than nowhere.
        try:
            fresh = _opened(self.path)
        except OSError as error:
            self.fault = error.strerror or type(error).__name__
            return
        os.close(self._descriptor)
        self._descriptor, self.fault = fresh, ""

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
