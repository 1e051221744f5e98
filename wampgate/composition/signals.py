"""What signals ask of the router: SIGHUP to reload, SIGTERM and SIGINT to end, the second one to hasten."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger(namespace="wampgate")


def on_signals(reactor: Any, *, reload: Callable[[], None], hasten: Callable[[], None]) -> None:
    """Listen for signals from now on; what they ask is done by the reactor, never in the middle of something.

    Args:
        reactor: it runs, and has set its own handlers already.
        reload: what SIGHUP asks.
        hasten: what a second SIGTERM or SIGINT asks.
    """
    interrupted = signal.getsignal(signal.SIGINT)

    def terminate() -> None:
        """Let SIGTERM end the process with status 0: twistd would let it kill it, as if something had failed."""
        _log.info("received SIGTERM, shutting down")
        try:
            reactor.stop()
        except ReactorNotRunning:  # it stops already
            hasten()

    def interrupt(number: int, frame: Any) -> None:
        # Twisted's own, so that whoever started twistd sees that it was interrupted.
        if callable(interrupted) and not reactor._stopped:  # noqa: SLF001 - nothing public says it
            interrupted(number, frame)
        else:
            reactor.callFromThread(hasten)

    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(terminate))
    signal.signal(signal.SIGINT, interrupt)
    with suppress(AttributeError):  # not every system has it
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reload))
