"""Tells systemd, or whoever else supervises the process, how the router is: sd_notify(3), without its library.

A supervisor that wants to be told names a datagram socket in ``NOTIFY_SOCKET``. Where
none does, everything here does nothing and costs nothing.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = Logger()

_MICROSECONDS: Final = 1_000_000

_SHARE: Final = 2
"""The watchdog is fed so many times within its period, as sd_watchdog_enabled(3) advises."""


class Supervisor:
    """The way to whoever supervises the process.

    Every method may be called at any time and none raises: a supervisor that is gone must not take the router with it.

    Args:
        environment: where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are looked up.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, now: Callable[[], float] = time.monotonic) -> None:
        self._address = _address_of(environment.get("NOTIFY_SOCKET", ""))
        self._now = now
        self._watchdog_seconds = _watchdog_seconds(environment)
        self._loop: LoopingCall | None = None
        self._socket: socket.socket | None = None
        self._complained = False

    @property
    def asks(self) -> bool:
        """Whether there is one that wants to be told."""
        return self._address is not None

    @property
    def watchdog_seconds(self) -> float | None:
        """How long the supervisor waits for a sign of life before it ends the process; None where it does not."""
        return None if self._address is None else self._watchdog_seconds

    def ready(self, status: str = "") -> None:
        """The router takes clients, for the first time or after a reload.

        Args:
            status: one line for whoever asks the supervisor; empty for none.
        """
        self._tell("READY=1", status)

    def reloading(self, status: str = "") -> None:
        """A reload has begun; :meth:`ready` ends it, whether it succeeded or not."""
        # Without the time, a unit of Type=notify-reload could not tell this reload from an earlier one.
        self._tell("RELOADING=1", status, f"MONOTONIC_USEC={int(self._now() * _MICROSECONDS)}")

    def stopping(self, status: str = "") -> None:
        """The router is on its way out; the watchdog goes on being fed until :meth:`stop`."""
        self._tell("STOPPING=1", status)

    def status(self, text: str) -> None:
        """One line for whoever asks the supervisor how the router is."""
        self._tell("", text)

    def watch(self, reactor: Any) -> None:
        """Feed the watchdog from the reactor, where there is one: a reactor that hangs feeds nobody and is ended."""
        seconds = self.watchdog_seconds
        if seconds is None or self._loop is not None:
            return
        loop = self._loop = LoopingCall(self._tell, "WATCHDOG=1", "")
        loop.clock = reactor
        loop.start(seconds / _SHARE).addErrback(lambda failure: _log.failure("the watchdog is not fed", failure))

    def stop(self) -> None:
        """Feed the watchdog no more and let go of the socket."""
        loop, self._loop = self._loop, None
        if loop is not None and loop.running:
            loop.stop()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, state: str, status: str, *more: str) -> None:
        if self._address is None:
            return
        # A line break would begin another assignment.
        lines = [state, *more, f"STATUS={' '.join(status.split())}" if status else ""]
        try:
            self._opened().sendto("\n".join(filter(None, lines)).encode(), self._address)
        except OSError as error:
            self._complain(error)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # A supervisor that doesn't read must not stop the router.
            self._socket.setblocking(False)
        return self._socket

    def _complain(self, error: OSError) -> None:
        if self._complained:
            return
        self._complained = True
        reason = error.strerror or type(error).__name__
        _log.warn("the supervisor named in NOTIFY_SOCKET can't be told anything: {reason}", reason=reason)


def _address_of(text: str) -> str | None:
    """A Unix socket's address as :mod:`socket` has it; None where none is named."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """The watchdog's period, if there is one and it is meant for this process."""
    pid = environment.get("WATCHDOG_PID")
    period = environment.get("WATCHDOG_USEC", "")
    if (pid is not None and pid != str(os.getpid())) or not (period.isascii() and period.isdigit()):
        return None
    return int(period) / _MICROSECONDS or None
