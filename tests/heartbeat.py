"""Measures for how long a router's reactor stands still, apart from what the machine takes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from raw_websocket import PING

if TYPE_CHECKING:
    from raw_wamp import Peer


def unscheduled(pid: int | str) -> float:
    """Seconds for which a thread wanted to run and had no processor: the machine's doing, not the router's."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


class Heartbeat:
    """Pings an honest session every few milliseconds and keeps the longest answer.

    A ping is answered in the reactor's thread, so that a reactor that stands still
    shows; what the machine's other work took from either side is subtracted.

    Attributes:
        worst: the longest round trip in seconds.
        beats: how many there were.
    """

    def __init__(self, pid: int, peer: Peer) -> None:
        self._pid = pid
        self._peer = peer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.worst = 0.0
        self.beats = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            start = self._now()
            self._peer.send_frame(PING, b"beat")
            self._peer.receive_frame()
            self.worst = max(self.worst, self._now() - start)
            self.beats += 1

    def _now(self) -> float:
        return time.monotonic() - unscheduled("thread-self") - unscheduled(self._pid)
