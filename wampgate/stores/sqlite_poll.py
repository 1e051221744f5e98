"""Looks a few times a second whether a SQLite file has changed: SQLite tells nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import ReactorBase

    from wampgate.stores.sqlite_thread import SqliteThread

log = Logger()


class SqlitePoll:
    """An :class:`wampgate.stores.engine.Ear` for SQLite. It hears that something has changed, not what.

    Args:
        reactor: Twisted's.
        thread: asks the file.
        seconds: how often.
        timeout: seconds until an answer counts as none.
    """

    def __init__(self, reactor: ReactorBase, thread: SqliteThread, *, seconds: float, timeout: float) -> None:
        self._reactor = reactor
        self._thread = thread
        self._seconds = seconds
        self._timeout = timeout
        self._version: tuple[int, int] | None = None
        self._polling = LoopingCall(lambda: Deferred.fromCoroutine(self._poll()))
        self._polling.clock = reactor  # type: ignore[assignment] # zope's interfaces mean nothing to mypy

    @property
    def hears(self) -> bool:
        """Whether the file could be looked at the last time."""
        return self._version is not None

    def start(self, heard: Callable[[Change], None]) -> None:
        """Begin to look."""
        self._heard = heard
        self._polling.start(self._seconds).addErrback(
            lambda failure: log.failure("SQLite: looking for changes has stopped", failure)
        )

    def stop(self) -> None:
        """Look no more."""
        if self._polling.running:
            self._polling.stop()
        self._version = None

    async def _poll(self) -> None:
        try:
            version = await self._thread.version(self._reactor.seconds() + self._timeout)
        except StoreUnavailable:  # the thread has logged it; what changes meanwhile is heard of afterwards
            self._version = None
            return
        if version != self._version and self._polling.running:
            self._version = version
            self._heard(Change(everything=True))
