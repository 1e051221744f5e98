"""The sockets that listen: opened, led to what they serve, and closed, while the router runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from wampgate.composition.endpoints import place_of, server_of
from wampgate.composition.listening import told_endpoint
from wampgate.core.errors import WampgateError
from wampgate.transports.accepting import accept_all, give_way
from wampgate.transports.plain_transports import slimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IAddress

    from wampgate.composition.endpoints import Server
    from wampgate.config import model

_log = Logger(namespace="wampgate")

_FAILURES: Final = (CannotListenError, OSError, OverflowError, ValueError)


class NotListening(WampgateError):
    """A listener can't be opened; the text says why.

    Attributes:
        index: its place in ``listen``.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


class Door(Factory):
    """What a listening socket leads to, as long as it listens: what that is, a reload may change.

    Attributes:
        leads_to: the factory of the protocols that its connections get; None while none are to come in.
    """

    noisy = False

    def __init__(self) -> None:
        self.leads_to: Any = None

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """What Twisted's line about where it listens begins with."""
        return "Port"

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802 - Twisted's name
        """A protocol for a new connection."""
        return None if self.leads_to is None else self.leads_to.buildProtocol(addr)


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A socket that listens.

    Attributes:
        listen: its section.
        place: what tells it apart from all others.
        door: what it leads to.
        server: how it was opened.
        socket: Twisted's listening port.
    """

    listen: model.Listen
    place: object
    door: Door
    server: Server
    socket: Any


class Doors:
    """All sockets that listen for the same people.

    Args:
        reactor: Twisted's.
        says: the log's words for one that listens.

    Attributes:
        open: one for each section of ``listen``, in that order.
    """

    def __init__(self, reactor: Any, says: str = "listening on") -> None:
        self._reactor = reactor
        self.says = f"{says} {{endpoint}}"
        self.open: list[OpenDoor] = []

    @property
    def sockets(self) -> list[Any]:
        """Twisted's listening ports."""
        return [opened.socket for opened in self.open]

    async def prepare(self, sections: Sequence[model.Listen]) -> DoorsToCome:
        """Open what does not listen yet, and read all certificates anew; nobody comes in by it before the commit.

        Raises:
            NotListening: one can't be opened; then none is.
        """
        to_come = DoorsToCome(self, self._reactor)
        for index, listen in enumerate(sections):
            try:
                await to_come.add(listen)
            except Exception as error:
                # Also after a mistake of ours no socket may stay open that nobody accepts from.
                await to_come.undo()
                if not isinstance(error, _FAILURES):
                    raise
                raise NotListening(index, _why(listen, error)) from None
        return to_come

    async def close(self, *, hand_over: bool = True) -> None:
        """Listen no more.

        Args:
            hand_over: whether those whose connections wait to be accepted are let in first.
        """
        opened, self.open = self.open, []
        await close(self._reactor, opened, hand_over=hand_over)


class DoorsToCome:
    """The sockets that are to listen, some of which do already.

    Attributes:
        renewed: once committed, what is shown that is another one.
    """

    def __init__(self, doors: Doors, reactor: Any) -> None:
        self._doors = doors
        self._reactor = reactor
        self._kept: list[tuple[OpenDoor, Server]] = []
        self._opened: list[OpenDoor] = []
        self._open: list[OpenDoor] = []
        self.renewed: list[str] = []

    async def add(self, listen: model.Listen) -> None:
        """Prepare one more."""
        server = server_of(self._reactor, listen)
        place = place_of(listen, server)
        # Several may listen on any free port.
        taken = [kept for kept, _ in self._kept]
        known = next((each for each in self._doors.open if each.place == place and each not in taken), None)
        if known is not None:
            self._kept.append((known, server))
            self._open.append(replace(known, listen=listen))
            return
        door = Door()
        opened = OpenDoor(listen, place, door, server, slimmed(await server.listen(door)))
        _pause(opened.socket)
        self._opened.append(opened)
        self._open.append(opened)

    async def undo(self) -> None:
        """Close what was opened."""
        await close(self._reactor, self._opened, hand_over=False)

    def commit(self, serves: Callable[[model.Listen], Any]) -> list[OpenDoor]:
        """Let connections in; those that are no more to listen are returned, and are to be closed.

        Args:
            serves: what connections get, by the section.
        """
        before, self._doors.open = self._doors.open, self._open
        for known, server in self._kept:
            if known.server.renew(server):
                self.renewed.append(f"the certificate of {known.listen.endpoint.partition(':privateKey=')[0]}")
        for opened in self._open:
            opened.door.leads_to = serves(opened.listen)
        for opened in self._opened:
            opened.socket.startReading()
            _log.info(self._doors.says, endpoint=told_endpoint(opened.listen.endpoint, opened.socket))
        kept = [opened for opened, _ in self._kept]
        return [opened for opened in before if opened not in kept]


async def close(reactor: Any, opened: Sequence[OpenDoor], *, hand_over: bool) -> None:
    """Listen on these no more; see :meth:`Doors.close`."""
    if hand_over:
        for each in opened:
            # What systemd holds goes on to listen; whoever waits there is let in by the next process.
            if not each.server.inherited:
                await give_way(reactor, each.socket)
                accept_all(each.socket)
    for each in opened:
        await _stop(each.socket)


def _why(listen: model.Listen, error: Exception) -> str:
    """Why it can't be listened there; a Unix socket's errors tell of Twisted's lock beside it alone."""
    if isinstance(error, CannotListenError):
        return f"{str(error).rstrip('.')}; name another endpoint, or another --port with --demo"
    return f"endpoint {listen.endpoint}: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _pause(socket: Any) -> None:
    """Let connections wait; the operating system takes them meanwhile."""
    socket.stopReading()


def _stop(socket: Any) -> Deferred[Any]:
    return maybeDeferred(socket.stopListening)
