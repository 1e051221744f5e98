"""A turn of Twisted's epoll reactor: what was read is routed, and what that sends leaves before the next one begins.

Twisted has no word for the end of a turn: ``callLater(0, …)`` comes near, but makes a timed
call, and a whole turn more, for each message that comes alone. So the reactor's ``doIteration``
is wrapped, once for all that ask for a turn's end.

The same place is where each socket that has something to read pays for a logging context that
none of our lines uses: plain reads of plain TCP and UNIX connections go past it. Errors, ends,
writes, listeners and all other descriptors are left to Twisted's own way.
"""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.logger import Logger
from twisted.python import log as legacy

from wampgate.transports.plain_transports import DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger()

_AT_ONCE: Final = 256
"""So many descriptors are seen to in one turn: if thousands join at once, timers wait for 20 ms, not for 100."""

_NEEDED: Final = ("_poller", "_selectables", "_doReadOrWrite", "_disconnectSelectable")
"""What is used of the reactor beside its interface: where one of them is missing, it is left as it is."""


def at_end_of_turn(reactor: Any) -> Callable[[Callable[[], None]], None]:
    """What has something called once, at the end of the current turn of a reactor.

    Args:
        reactor: any of Twisted's; those that are not exactly the epoll reactor use a timed call.
    """
    if type(reactor) is not EPollReactor or not all(hasattr(reactor, name) for name in _NEEDED):
        return lambda function: reactor.callLater(0, function)
    turns = reactor.__dict__.get("doIteration")
    if not isinstance(turns, _Turns):
        turns = _Turns(reactor)
        reactor.doIteration = turns  # type: ignore[method-assign]  # its own loop calls what stands here
    return turns.ending.append


class _Turns:
    """An epoll reactor's ``doIteration``.

    Attributes:
        ending: what is to be called at the end of the current turn.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.ending: list[Callable[[], None]] = []

    def __call__(self, timeout: float | None) -> None:
        """Wait until something can be read or written, and do it.

        Args:
            timeout: seconds to wait at the most; None for ever.
        """
        if self.ending:
            # From timed calls, or from what was called at the last end. What that leaves must not wait.
            self._end()
            if self.ending:
                timeout = 0
        self._take_turn(-1 if timeout is None else timeout)
        if self.ending:
            self._end()

    def _end(self) -> None:
        ending = self.ending[:]
        self.ending.clear()
        for function in ending:
            try:
                function()
            except Exception:  # noqa: BLE001 - one that fails must not keep the others from being called
                _log.failure("the end of a turn has failed")

    def _take_turn(self, timeout: float) -> None:
        """As ``EPollReactor.doPoll``; what is interrupted by a signal begins anew by itself (PEP 475)."""
        reactor = self._reactor
        selectables = reactor._selectables  # noqa: SLF001 - as are all of these: see _NEEDED
        # Who is left out is first the next time; timed calls come in between.
        for descriptor, event in reactor._poller.poll(timeout, _AT_ONCE):  # noqa: SLF001
            selectable = selectables.get(descriptor)
            if event == EPOLLIN and type(selectable) in DIRECT:
                self._read(selectable)
            elif selectable is not None:
                legacy.callWithLogger(  # type: ignore[no-untyped-call]  # Twisted's
                    selectable,
                    reactor._doReadOrWrite,  # noqa: SLF001
                    selectable,
                    descriptor,
                    event,
                )

    def _read(self, selectable: Any) -> None:
        try:
            why = selectable.doRead()
        except Exception as error:  # noqa: BLE001 - as Twisted has it: the connection that fails ends, the others go on
            _log.failure("reading what a connection has sent has failed")
            why = error
        if why:
            self._reactor._disconnectSelectable(selectable, why, True)  # noqa: SLF001
