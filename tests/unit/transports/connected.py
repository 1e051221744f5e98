"""Outboxes on real loopback connections, driven by a reactor of the test's own, turn by turn."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Protocol, ServerFactory

from wampgate.core.deadlines import Deadlines
from wampgate.core.interfaces import Connection
from wampgate.core.session import Session
from wampgate.transports.outbox import OutboxLimits, PeerOutbox
from wampgate.transports.turn import Encoding, Turn
from wampgate.wire.messages import NO_EVENT_DETAILS, Event
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import JSON, MSGPACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message

HANDSHAKE = b"the answer to the handshake\n"
AS_JSON = Encoding(JSON)
AS_MSGPACK = Encoding(MSGPACK)

WAIT_SECONDS = 5.0


@dataclass
class Clock:
    """The deadlines' clock; the test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Shared:
    """What the outboxes of one listener share."""

    turn: Turn
    deadlines: Deadlines
    outbox_limits: OutboxLimits


class End(Protocol):
    """The router's end of a connection, and the outbox's peer: keeps why it was to be ended."""

    transport: Any

    def __init__(self) -> None:
        self.outbox: PeerOutbox
        self.ended: tuple[int, str] | None = None
        self.session: Session | None = None
        self.was_cut = ""
        self.lost = False

    def end(self, code: int, reason: str) -> None:
        """See ``Peer.end``: the close frame goes the way of everything else."""
        self.ended = (code, reason)
        self.outbox.write(f"close {code} {reason}".encode())

    def cut(self, why: str) -> None:
        """See ``Peer.cut``."""
        self.was_cut = why
        self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        self.lost = True


class Wired:
    """A turn, and peers on real sockets: what the router sends and what the clients read of it.

    Attributes:
        turn: what is tested.
        clock: the time by which readers are too slow.
        deadlines: to be run by the test.
    """

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]  # Twisted's
        self.turn = Turn(self.reactor)
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self._factory = ServerFactory()
        self._factory.noisy = False
        self._ends: list[End] = []
        self._factory.buildProtocol = self._build  # type: ignore[method-assign, assignment]  # it is Twisted's hook
        self._listening = self.reactor.listenTCP(0, self._factory, interface="127.0.0.1")  # type: ignore[no-untyped-call]  # Twisted's
        self._clients: list[socket.socket] = []

    def peer(
        self, encoding: Encoding = AS_JSON, *, limits: OutboxLimits | None = None, buffer: int | None = None
    ) -> Wire:
        """A new connection; ``buffer`` makes both sockets' buffers small, for a reader that is soon full."""
        client = socket.socket()
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(WAIT_SECONDS)
        client.connect(("127.0.0.1", self._listening.getHost().port))
        self._clients.append(client)
        known = len(self._ends)
        self.until(lambda: len(self._ends) > known)
        end = self._ends[-1]
        if buffer is not None:
            end.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        end.transport.write(HANDSHAKE)
        shared = Shared(self.turn, self.deadlines, limits or OutboxLimits())
        end.outbox = PeerOutbox(end, end.transport, encoding, shared)
        wire = Wire(self, client, end)
        self.until(lambda: wire.read() == HANDSHAKE)
        self.spin()
        return wire

    def spin(self, turns: int = 3) -> None:
        """Let the reactor do what there is to do."""
        for _ in range(turns):
            self.reactor.iterate(0)

    def until(self, true: Callable[[], bool]) -> None:
        """Let the reactor run until something is true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not true():
            assert time.monotonic() < deadline, "it did not come true"
            self.reactor.iterate(0.001)

    def retire(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()
        for end in self._ends:
            end.transport.abortConnection()
            end.outbox.stopProducing()
        self._clients.clear()
        self._ends.clear()
        self.spin()

    def close(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        for end in self._ends:
            end.transport.abortConnection()
        self._listening.stopListening()
        self.spin(5)
        self.reactor.removeAll()

    def _build(self, _address: Any) -> End:
        self._ends.append(End())
        return self._ends[-1]


class Wire:
    """One peer: the session that the core sends to, and the client that reads.

    Attributes:
        session: a session whose link is the outbox.
        end: the router's end.
        outbox: its outbox.
    """

    def __init__(self, wired: Wired, client: socket.socket, end: End) -> None:
        self._wired = wired
        self.client = client
        self.end = end
        self.outbox = end.outbox
        self.session = end.session = Session(self.outbox, Connection("127.0.0.1:50000", "127.0.0.1"))

    @property
    def waiting(self) -> int:
        """How many bytes wait in the outbox."""
        waiting = self.outbox.waiting
        return 0 if waiting is None else waiting.size

    def read(self) -> bytes:
        """What has come and was not read yet; nothing is waited for."""
        data = b""
        self.client.setblocking(False)
        try:
            while piece := self.client.recv(1 << 20):
                data += piece
        except (BlockingIOError, ConnectionResetError):
            pass
        return data

    def read_all(self, count: int) -> bytes:
        """So many bytes, while the reactor runs; and whatever has come behind them."""
        data = b""

        def enough() -> bool:
            nonlocal data
            data += self.read()
            return len(data) >= count

        self._wired.until(enough)
        self._wired.spin()
        return data + self.read()

    def read_until_idle(self) -> bytes:
        """Everything that comes, until nothing has come for a while."""
        data, idle = b"", 0
        while idle < 20:
            self._wired.reactor.iterate(0.001)
            piece = self.read()
            data += piece
            idle = 0 if piece else idle + 1
        return data

    def fill(self) -> bytes:
        """Send what no one reads until the outbox has to keep what follows; returns the frames that were sent."""
        sent = b""
        while not self.outbox.full:
            message, payload = event(10**6, 0, "x" * 4000)
            sent += AS_JSON.frame(message, payload)
            self._wired.turn(message, payload, (self.session,))
            self._wired.turn.flush()
        return sent


def event(subscription: int, number: int, text: str = "") -> tuple[Message, Payload]:
    """An event that can be told from all others."""
    return Event(subscription, number + 1, NO_EVENT_DETAILS), Payload([number, text])


def frames_of(data: bytes) -> list[bytes]:
    """The WebSocket frames in a stream of bytes; it must end where a frame ends."""
    frames = []
    at = 0
    while at < len(data):
        length, head = data[at + 1], 2
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif length == 127:
            length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        end = at + head + length
        assert end <= len(data), "the stream ends within a frame"
        frames.append(data[at:end])
        at = end
    return frames


def subscription_of(frame: bytes) -> int:
    """The subscription of a JSON event's frame."""
    return int(json.loads(frame[{126: 4, 127: 10}.get(frame[1], 2) :])[1])
