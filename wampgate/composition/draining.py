"""The way out: nobody new, what is under way is finished, and everyone is sent away so that they come back."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.core.errors import SHUTDOWN
from wampgate.core.local import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.composition.running import Running
    from wampgate.core.session import Session

_log = Logger(namespace="wampgate")

_STEP_SECONDS: Final = 0.02
"""So often it is looked who is to go."""

_A_SECOND: Final = 1000
"""Where the time that is given would do for more, so many sessions are closed in a second: a few go at once."""

_FAREWELL_SECONDS: Final = 3.0
"""How long a shutdown waits for the clients: a little longer than Autobahn waits for their close frames."""


class Draining:
    """Ends the sessions of a running router, once.

    Args:
        running: the router.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._process = running.process
        self._hastened = False

    def hasten(self) -> None:
        """Wait for nothing any more but for those who are told to go."""
        if not self._hastened:
            self._hastened = True
            _log.info("told twice to end: the sessions are closed at once")

    async def run(self, reactor: Any) -> None:
        """Take no one new, finish what is under way, and send everyone away; nobody is left when it returns."""
        process, section = self._process, self._process.configuration.drain
        process.parts.draining = True
        if sessions := process.session_count():
            _log.info("draining; sessions to send away: {sessions}", sessions=sessions)
        await self._wait(reactor, section.delay_seconds)
        process.router.draining = True
        stopped = Deferred.fromCoroutine(self._running.doors.close(hand_over=not self._hastened))
        await self._send_away(reactor, section.seconds, section.calls_seconds)
        await stopped
        if self._process.parts.backend is not None and process.sites is not None:
            process.sites.backend.stop()
        await self._farewell(reactor)

    async def _wait(self, reactor: Any, seconds: float) -> None:
        until = reactor.seconds() + seconds
        while reactor.seconds() < until and not self._hastened:
            await deferLater(reactor, min(_STEP_SECONDS, seconds))

    async def _send_away(self, reactor: Any, seconds: float, calls_seconds: float) -> None:
        """Close the sessions one after the other; those with a call in flight when it is answered."""
        order = self._in_order()
        begin = time.monotonic()
        seconds = min(seconds, len(order) / _A_SECOND)
        busy: list[Session] = []
        for number, session in enumerate(order):
            due = begin + seconds * number / len(order)
            while time.monotonic() < due and not self._hastened:
                await deferLater(reactor, _STEP_SECONDS)
                busy = self._close_idle(busy)
            busy += self._close_idle([session])
        while not self._hastened and time.monotonic() < begin + calls_seconds and (busy or self._requests()):
            await deferLater(reactor, _STEP_SECONDS)
            busy = self._close_idle(busy)
        for realm in self._process.router.realms.values():
            # From here on all go at once: nobody is told of the others, nor counted out of what it subscribed to.
            realm.clear()
        for session in self._there():
            self._shut(session)

    def _in_order(self) -> list[Session]:
        """Everyone in no order, but that those who answer calls go last."""
        sessions = list(self._there())
        random.shuffle(sessions)
        return sorted(sessions, key=lambda session: bool(session.registrations))

    def _there(self) -> Iterator[Session]:
        for listener in (self._process.websocket, self._process.rawsocket):
            yield from [peer.session for peer in listener.peers if peer.session is not None]

    def _close_idle(self, sessions: list[Session]) -> list[Session]:
        """Close those of some sessions that nothing is in flight for; who is left."""
        busy = [session for session in sessions if _is_busy(session)]
        for session in sessions:
            if not _is_busy(session):
                self._shut(session)
        return busy

    def _shut(self, session: Session) -> None:
        self._process.router.shut(session, SHUTDOWN.code, SHUTDOWN.reason)

    def _requests(self) -> int:
        """How many HTTP requests are still being served."""
        return 0 if self._process.sites is None else len(self._process.sites.backend)

    async def _farewell(self, reactor: Any) -> None:
        """Wait until the connections are closed: what waits for slow readers has so long to leave."""
        listeners = (self._process.websocket, self._process.rawsocket)
        until = time.monotonic() + _FAREWELL_SECONDS
        while any(listener.peers for listener in listeners) and time.monotonic() < until:
            await deferLater(reactor, _STEP_SECONDS)


def _is_busy(session: Session) -> bool:
    """Whether someone waits for an answer by a session or to it; what the router itself asks nobody waits for."""
    return bool(session.calls) or any(
        pending.caller.connection is not INSIDE for pending in (session.invocations or {}).values()
    )
