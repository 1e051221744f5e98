"""A small local file whose content is read again when it changes; what can't be read leaves the last good content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

V = TypeVar("V")

MAX_BYTES: Final = 4 << 20

log = Logger()


class FileUnusable(ValueError):
    """A file can't be read or does not hold what it should; the text names it and says why."""


class WatchedFile(Generic[V]):
    """What a file holds.

    Args:
        path: a local file; reading it blocks for a moment.
        read: makes the content of its bytes; raises an exception whose text says what is wrong.

    Attributes:
        content: the last that was good.

    Raises:
        FileUnusable: there is no good content to begin with.
    """

    def __init__(self, path: Path, read: Callable[[bytes], V]) -> None:
        self._path = path
        self._read = read
        self._version = self._version_now()
        self._complaint = ""
        try:
            self.content = self._content()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, there is nothing to begin with
            raise FileUnusable(f"{path}: {_reason(error)}") from None

    def refresh(self) -> bool:
        """Look whether the file has changed, and read it then; whether there is other content now. Never raises."""
        version = self._version_now()
        if version == self._version:
            return False
        try:
            self.content = self._content()
        except Exception as error:  # noqa: BLE001 - the old content holds until the file is good again
            self._complain(_reason(error))
            return False
        # Taken before reading: what is written meanwhile is seen the next time.
        self._version = version
        self._complaint = ""
        log.info("{path}: read anew", path=str(self._path))
        return True

    def _version_now(self) -> tuple[int, ...] | None:
        """What changes when the file does; None if it is not there."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)

    def _content(self) -> V:
        with self._path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        return self._read(content)

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            log.error("{path}: {reason}; what it held before goes on to hold", path=str(self._path), reason=reason)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) or type(error).__name__
