"""Appends audit entries to a file, in a thread of its own: a disk that hangs or is full stops nobody."""

from __future__ import annotations

import time
from collections import Counter, deque
from itertools import islice
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.observation.audit import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.observation.append_file import AppendFile

QUEUED: Final = 20_000
"""So many entries wait for the disk at most; what comes beyond is counted."""

_AGAIN_SECONDS: Final = 1.0
"""So long it waits after a failure."""

_SYNC_SECONDS: Final = 1.0
"""At most so often the disk is told to have it: so much is lost if the machine, not the router, breaks down."""

_BATCH: Final = 1000

_STOP_SECONDS: Final = 3.0


class AuditFile:
    """Takes entries and writes them.

    Args:
        file: where to.
        tell: called in the thread when writing fails, with the reason, and with an empty text once it works again.

    Attributes:
        counters: ``written``, ``lost`` (the queue was full), ``failures`` (attempts to write that failed).
        ready: whether entries can be written, as far as is known.
    """

    def __init__(self, file: AppendFile, tell: Callable[[str], None]) -> None:
        self.counters: Counter[str] = Counter(written=0, lost=0, failures=0)
        self.ready = True
        self._file = file
        self._tell = tell
        self._queue: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._wake = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="audit log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, entry: dict[str, Any]) -> None:
        """Take an entry. Never waits for the disk."""
        with self._wake:
            if len(self._queue) >= QUEUED:
                self._lost += 1
                self.counters["lost"] += 1
                return
            self._queue.append(entry)
            self._wake.notify()

    def reopen(self) -> None:
        """The operator has moved the file away."""
        self._file.reopen()

    def stop(self) -> int:
        """Write what waits, if the disk takes it within a few seconds; how many entries it has not taken."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(_STOP_SECONDS)
        return len(self._queue) + self._lost

    def _run(self) -> None:
        dirty, synced = False, 0.0
        while True:
            with self._wake:
                if not self._queue and not self._stopping:
                    self._wake.wait(_SYNC_SECONDS if dirty else None)
                batch = list(islice(self._queue, _BATCH))
                lost, stopping = self._lost, self._stopping
            try:
                if batch:
                    self._file.write(_lines(batch, lost))
                    dirty = True
                if dirty and (stopping or time.monotonic() - synced >= _SYNC_SECONDS):
                    self._file.sync()
                    dirty, synced = False, time.monotonic()
            except OSError as error:
                self._failed(error)
                if stopping:
                    return
                time.sleep(_AGAIN_SECONDS)
                continue
            self._done(len(batch), lost)
            if stopping and not batch:
                return

    def _failed(self, error: OSError) -> None:
        self.counters["failures"] += 1
        if self.ready:
            self.ready = False
            self._tell(error.strerror or type(error).__name__)

    def _done(self, count: int, lost: int) -> None:
        with self._wake:
            for _ in range(count):
                self._queue.popleft()
            if count:
                self._lost -= lost
        self.counters["written"] += count
        if not self.ready:
            self.ready = True
            self._tell("")


def _lines(batch: list[dict[str, Any]], lost: int) -> bytes:
    entries = [told(entry) for entry in batch]
    if lost:
        # The gap is where the queue was full: behind what waits, but only now can it be told.
        entries.append({"time": entries[-1]["time"], "event": "lost", "count": lost})
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
