"""The two ways of a client's bytes: the product's own connection, as its port makes it, and Autobahn's alone."""

# Autobahn, txaio and Twisted carry no annotations here:
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket import protocol
from autobahn.websocket.compress import PerMessageDeflateOfferAccept
from raw_websocket import CLOSE, upgrade_request
from twisted.internet import unix
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from txaio import tx
from unit.transports.frame_corpus import LAST

from wampgate.core.deadlines import Deadlines
from wampgate.core.session import Session
from wampgate.transports.deflate import EXTENSION, Compression
from wampgate.transports.origins import Origins
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port
from wampgate.transports.turn import Encoding, Turn
from wampgate.transports.websocket import WebSocketListener
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import JSON, SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autobahn.websocket.types import ConnectionRequest
    from twisted.internet.protocol import Protocol

    from wampgate.core.interfaces import Connection, Link

WRONG_KIND: Final = None
"""Stands for a message that is text where binary was agreed on, or the other way round."""

POLICY_VIOLATION: Final = 1008
REASON: Final = "it was the last one"


@dataclass
class Outcome:
    """What became of a stream of bytes.

    Attributes:
        took: the messages, in order; :data:`WRONG_KIND` for one that does not fit the serializer.
        wrote: opcode and payload of each frame that was sent, in order.
        behind: how many messages were taken after a close frame had been sent.
        ended: "" while the connection is open, "closed" or "aborted".
        over: whether it was told that nothing comes any more.
    """

    took: list[bytes | None] = field(default_factory=list)
    wrote: list[tuple[int, bytes]] = field(default_factory=list)
    behind: int = 0
    ended: str = ""
    over: bool = False

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that was sent; None for none."""
        if not self.wrote or self.wrote[-1][0] != CLOSE:
            return None
        return int(struct.unpack("!H", self.wrote[-1][1][:2])[0])

    def without_reason(self) -> Outcome:
        """The same without the text of the close frame."""
        return replace(self, wrote=[(opcode, data[:2] if opcode == CLOSE else data) for opcode, data in self.wrote])


class WrappedLine:
    """A transport of no known kind, as one with TLS is: all that is written goes through it.

    Attributes:
        protocol: what has the connection.
        ended: as in :class:`Outcome`.
    """

    disconnecting = False

    def __init__(self, protocol: Protocol) -> None:
        self.protocol: Any = protocol
        self.ended = ""
        self._written = b""
        self._producer: Any = None

    @property
    def transport(self) -> Any:
        """What the protocol is given."""
        return self

    def read(self) -> bytes:
        """What was written since the last time."""
        data, self._written = self._written, b""
        return data

    def close(self) -> None:
        """Nothing is open here."""

    # Twisted's methods, as protocols call them.

    def write(self, data: bytes) -> None:
        assert type(data) is bytes, "Twisted takes nothing else"
        if not self.ended:
            self._written += data

    def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: N802 - Twisted's name
        self.write(b"".join(data))

    def loseConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.ended = self.ended or "closed"

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.ended = "aborted"

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802 - Twisted's name
        assert self._producer is None, "Twisted knows one producer"
        self._producer = producer

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's name
        self._producer = None

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        pass

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        pass

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - Twisted's name
        pass

    def getPeer(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        return IPv4Address("TCP", "127.0.0.1", 50_000)

    def getHost(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        return IPv4Address("TCP", "127.0.0.1", 8080)


class Still:
    """A reactor that does nothing by itself: transports ask it to be called, and the test calls them."""

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's name
        pass

    addWriter = removeReader = removeWriter = addReader  # noqa: N815 - Twisted's names

    def callLater(self, delay: float, function: Any, *arguments: Any) -> None:  # noqa: N802 - Twisted's name
        pass


class SocketLine:
    """One of Twisted's transports on a real socket that is written to past it, and the socket's other end."""

    def __init__(self, protocol: Protocol) -> None:
        self._client, server = socket.socketpair()
        self._client.setblocking(False)
        server.setblocking(False)
        self.transport: Any = unix.Server(server, protocol, "", None, 0, Still())

    @property
    def protocol(self) -> Any:
        """See :class:`WrappedLine`."""
        return self.transport.protocol

    @property
    def ended(self) -> str:
        """See :class:`WrappedLine`."""
        return "aborted" if self.transport._aborting else "closed" if self.transport.disconnecting else ""

    def read(self) -> bytes:
        """See :class:`WrappedLine`."""
        data = b""
        while True:
            try:
                while piece := self._client.recv(1 << 20):
                    data += piece
            except BlockingIOError:
                pass
            if self.ended == "aborted" or not (self.transport.dataBuffer or self.transport._tempDataBuffer):
                return data
            # The reactor would do it once there is room.
            self.transport.doWrite()

    def close(self) -> None:
        """Close both ends."""
        self._client.close()
        self.transport.socket.close()


class Opaque:
    """A serializer to which every payload is a message: what comes of frames is all that is looked at."""

    def __init__(self, like: Any) -> None:
        self.name, self.subprotocol, self.binary = like.name, like.subprotocol, like.binary

    def decode(self, data: bytes) -> tuple[Any, Payload]:
        return bytes(data), Payload()


class Listening:
    """The router's place: it keeps what it is handed, and answers nothing but :data:`LAST`.

    Attributes:
        way: whose messages come; there is one at a time.
    """

    def __init__(self) -> None:
        self.way: Way

    def connected(self, link: Link, connection: Connection) -> Session:
        return Session(link, connection)

    def receive(self, session: Session, message: Any, payload: Payload) -> None:
        self.way.take(message)
        if message == LAST:
            link: Any = session.link
            link.finish(POLICY_VIOLATION, REASON)

    def violated(self, session: Session, why: str) -> None:
        self.way.take(WRONG_KIND)

    def disconnected(self, session: Session) -> None:
        # It may be told more than once.
        self.way.outcome.over = True


class Way:
    """A connection, and what becomes of the bytes that are put in.

    Args:
        line: what is below it.

    Attributes:
        outcome: what became of them up to now.
    """

    def __init__(self, line: WrappedLine | SocketLine) -> None:
        self.outcome = Outcome()
        self._line = line

    def open(self, subprotocol: str, extensions: str = "") -> Way:
        """Ask for an upgrade."""
        line = self._line
        line.protocol.makeConnection(line.transport)
        headers = [("Sec-WebSocket-Extensions", extensions)] if extensions else []
        line.protocol.dataReceived(upgrade_request(8080, subprotocol=subprotocol, headers=headers))
        head, end, rest = line.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert (end, rest) == (b"\r\n\r\n", b"")
        return self

    def take(self, message: bytes | None) -> None:
        """A message has come out."""
        self._read()
        self.outcome.took.append(message)
        self.outcome.behind += self.outcome.closed_with is not None

    def put(self, data: bytes) -> None:
        """Let bytes come; as from Twisted, none do after an abort."""
        if data and self._line.ended != "aborted":
            # What has the connection may have put another in its place.
            self._line.protocol.dataReceived(data)

    def lose(self) -> Outcome:
        """Let the connection end."""
        self._line.protocol.connectionLost(connectionDone)
        self.close()
        return replace(self.outcome)

    def close(self) -> None:
        """Close what is below."""
        self._line.close()

    def look(self) -> Outcome:
        """What has become of it up to now, as a copy."""
        self._read()
        self.outcome.ended = self._line.ended
        return replace(self.outcome, took=[*self.outcome.took], wrote=[*self.outcome.wrote])

    def _read(self) -> None:
        """Read the frames that were written since the last time."""
        data = self._line.read()
        at = 0
        while at < len(data):
            first, length = data[at], data[at + 1]
            assert first & 0xF0 == 0x80, "a control frame is whole, and has no reserved bits"
            assert length < 126, "nothing longer is sent here"
            payload = data[at + 2 : at + 2 + length]
            assert len(payload) == length, "half a frame was written"
            assert self.outcome.closed_with is None, "something was sent behind the close frame"
            self.outcome.wrote.append((first & 0x0F, payload))
            at += 2 + length


class Alone(WebSocketServerProtocol):
    """Autobahn's protocol, with nothing of the product."""

    way: Way

    # What comes before it in Autobahn makes the arguments of a line that is not logged: most of the time.
    dataReceived = WebSocketServerProtocol._dataReceived  # noqa: N815 - Twisted's name

    def onConnect(self, request: ConnectionRequest) -> str:  # noqa: N802 - Autobahn's name
        self.binary = request.protocols != [JSON.subprotocol]
        return str(request.protocols[0])

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - Autobahn's names
        if self.state != self.STATE_OPEN:
            # Autobahn hands messages over after a close frame of ours, too.
            return
        fits = isBinary == self.binary
        self.way.take(payload if fits else WRONG_KIND)
        if fits and payload == LAST:
            self.sendCloseFrame(POLICY_VIOLATION, REASON.encode())

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803 - Autobahn's names
        self.way.outcome.over = True


class Ways:
    """Makes connections of both kinds, with the same options. A context manager: Autobahn's time is its own.

    Args:
        limit: the longest message, in bytes.
        compression: whether it is agreed on; with Autobahn's own inflater on its way.
    """

    def __init__(self, limit: int, *, compression: bool = False) -> None:
        self._extensions = f"{EXTENSION}; client_no_context_takeover" if compression else ""
        self._clock = Clock()
        self._deadlines = Deadlines(self._clock.seconds)
        self._router = Listening()
        self._port = Port(
            websocket=self._listener(limit, Compression() if compression else None),
            web=None,
            origins=Origins((), ()),
            deadlines=self._deadlines,
            limits=ConnectionLimits(),
            joined=lambda: 0,
        )
        self._ways: list[Way] = []
        self._reference = WebSocketServerFactory(protocols=[one.subprotocol for one in SERIALIZERS])
        self._reference.setProtocolOptions(
            versions=[13],
            maxFramePayloadSize=limit,
            maxMessagePayloadSize=limit,
            failByDrop=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=2,
            perMessageCompressionAccept=_accept if compression else None,
        )

    def __enter__(self) -> Self:
        # Autobahn's timers are txaio's, which looks for the loop when it needs one.
        config: Any = tx.config
        self._loop, config.loop = config.loop, self._clock
        # It writes all options out for a line that is not logged, which takes longer than most streams do.
        self._pformat, vars(protocol)["pformat"] = vars(protocol)["pformat"], repr
        return self

    def __exit__(self, *_: object) -> None:
        tx.config.loop = self._loop
        for way in self._ways:
            way.close()
        vars(protocol)["pformat"] = self._pformat

    def product(self, subprotocol: str, line: type[WrappedLine | SocketLine] = SocketLine) -> Way:
        """The product's own connection, which comes in by its port."""
        way = self._router.way = Way(line(self._port.buildProtocol(None)))
        self._ways = [one for one in self._ways if not one.outcome.over] + [way]
        return way.open(subprotocol, self._extensions)

    def alone(self, subprotocol: str) -> Way:
        """Autobahn's connection."""
        alone = Alone()
        alone.factory = self._reference
        alone.way = Way(WrappedLine(alone))
        return alone.way.open(subprotocol, self._extensions)

    def pass_time(self) -> None:
        """Let so much time pass that the answer to a close frame is no longer waited for."""
        for _ in range(10):
            self._clock.advance(1)
            self._deadlines.run_due()

    def _listener(self, limit: int, compression: Compression | None) -> WebSocketListener:
        listener = WebSocketListener(
            router=self._router,  # type: ignore[arg-type]  # as much of one as connections need
            turn=Turn(self._clock),
            deadlines=self._deadlines,
            outbox_limits=OutboxLimits(),
            message_bytes=limit,
            fragments_per_message=100_000,
            compression=compression,
        )
        for key, encoding in listener.encodings.items():
            listener.encodings[key] = Encoding(Opaque(encoding.serializer))  # type: ignore[arg-type]  # as much of one
        return listener


def _accept(offers: list[Any]) -> PerMessageDeflateOfferAccept:
    return PerMessageDeflateOfferAccept(offers[0], request_no_context_takeover=True)
