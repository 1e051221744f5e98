"""The file that keeps how far the streams of one bridge have been read, over restarts and crashes.

It is replaced as a whole and never written in place, so that whoever reads it finds the
old one or the new one. A second router that uses the same file is refused: each would
overwrite the other's.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from wampgate.bridge.stream_ids import StreamId, stream_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import TextIOWrapper
    from pathlib import Path

_FORMAT: Final = 1
_MAX_SIZE: Final = 16 << 20


class Offset(NamedTuple):
    """How far one stream has been read.

    Attributes:
        entry: the last entry that was read.
        added: how many had been added to the stream by then; None if unknown.
        agreed: the last entry up to which none was missing.
    """

    entry: StreamId
    added: int | None
    agreed: StreamId


class _Line(Struct, frozen=True):
    """An offset as the file has it."""

    id: str
    agreed: str
    added: Annotated[int, Meta(ge=0)] | None = None


class _Document(Struct, frozen=True):
    """The whole file."""

    format: int
    streams: dict[str, _Line]


class OffsetsInUse(OSError):
    """Another process holds the file. Its text says what to do."""


class OffsetsUnreadable(Exception):
    """What is in the file can't be used. Its text says why and where the file is now."""


class StreamOffsets:
    """One bridge's file. Every method blocks for as long as the disk does.

    Args:
        path: where it is; its folder is made if need be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: TextIOWrapper | None = None

    def open(self) -> None:
        """Take hold of the file until :meth:`close`, or until this process ends in whatever way. Twice is once.

        Raises:
            OffsetsInUse: another process has it.
            OSError: the folder or the file can't be made.
        """
        if self._lock is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The lock has a file of its own: the other one is replaced all the time.
            lock = self._path.with_name(f"{self._path.name}.lock").open("a")
        except OSError as error:
            raise OSError(
                f"how far streams were read can't be kept in {self._path.parent}: {error.strerror}; "
                "make the folder, and let the router's user write there"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise OffsetsInUse(
                f"{self._path} is in use by another router: give each router a state_folder of its own"
            ) from None
        self._lock = lock

    def close(self) -> None:
        """Let go of it. Does nothing if it isn't held."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> dict[str, Offset]:
        """How far each stream has been read; empty if that was never written.

        Raises:
            OffsetsUnreadable: there is something else in the file, which has been moved aside.
            OSError: it can't be read or moved.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_SIZE)
        except FileNotFoundError:
            return {}
        try:
            return _read(data)
        except (msgspec.MsgspecError, ValueError) as error:
            aside = self._path.with_name(f"{self._path.name}.unreadable")
            self._path.replace(aside)
            raise OffsetsUnreadable(
                f"{self._path} can't be used ({error}); it has been moved to {aside.name}"
            ) from None

    def store(self, offsets: Mapping[str, Offset]) -> None:
        """Replace what is in the file.

        Raises:
            OSError: it can't be written; what was there is still there.
        """
        lines = {
            stream: _Line(str(offset.entry), str(offset.agreed), offset.added) for stream, offset in offsets.items()
        }
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.encode(_Document(_FORMAT, lines)))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise


def _read(data: bytes) -> dict[str, Offset]:
    document = msgspec.json.decode(data, type=_Document)
    if document.format != _FORMAT:
        raise ValueError(f"its format is {document.format}, not {_FORMAT}")
    return {
        stream: Offset(stream_id(line.id), line.added, stream_id(line.agreed))
        for stream, line in document.streams.items()
    }
