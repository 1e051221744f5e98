"""WAMP over RawSocket: frames of a length and its bytes, on TCP, TLS and Unix sockets ("RawSocket Transport")."""

from __future__ import annotations

import socket
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger, LogLevel

from wampgate.core.interfaces import Connection
from wampgate.core.log_lines import Sparing
from wampgate.transports.plain_transports import DIRECT
from wampgate.transports.proxy import UNIX, Client
from wampgate.transports.secured import secured_of
from wampgate.transports.too_long import MeasuredOutbox
from wampgate.transports.turn import Encoding, Turn
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.frames import LONGEST, MESSAGE, PING, PONG, PREFIX_SIZE, as_rawsocket, rawsocket_frame
from wampgate.wire.rawsocket import (
    HANDSHAKE_SIZE,
    SERIALIZER_BY_ID,
    Handshake,
    HandshakeRefused,
    InvalidFrame,
    acceptance,
    prefix_of,
    read_handshake,
    sayable,
    split_prefix,
)

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.core.router import Router
    from wampgate.core.session import Session
    from wampgate.transports.outbox import OutboxLimits

_log = Logger()

AGENT: Final = "RawSocket"
"""What a client is called that has no way to say what it is."""

_CLOSE_SECONDS: Final = 2.0
"""How long a client may take to close its end, once ours is closed."""

_PROBES: Final = 3
"""So many times in the ping's period the operating system looks whether a silent peer is still there."""


class RawSocketPeer(Protocol):
    """One RawSocket connection and its session."""

    factory: RawSocketListener
    transport: Any  # what Twisted's interface of it leaves out is used here
    session: Session | None = None
    outbox: MeasuredOutbox | None = None
    client = Client(UNIX)
    heard = True
    """Whether anything came since the last ping."""

    _partial: bytearray | None = None
    _needed = 0
    _longest_pong = 0
    _pings = False
    _ending = False
    _deadline: Deadline | None = None

    # --- bytes in ---

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take whole frames; the beginning of one is kept until the rest has come."""
        if self._ending:
            return
        self.heard = True
        if self._partial is not None:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data, self._partial = bytes(self._partial), None
        if self.outbox is None:
            # The port has waited for the whole of it.
            if not self._shake_hands(data[:HANDSHAKE_SIZE]):
                return
            data = data[HANDSHAKE_SIZE:]
        self._take_frames(data)

    def _keep(self, data: bytes, needed: int) -> None:
        self._partial = bytearray(data)
        self._needed = needed

    def _take_frames(self, data: bytes) -> None:
        at = 0
        size = len(data)
        longest = self.factory.longest_plain
        while size - at >= PREFIX_SIZE:
            (prefix,) = prefix_of(data, at)
            kind, length = MESSAGE, prefix
            if prefix > longest:
                kind, length = self._unusual(prefix)
                if length < 0:
                    return
            begin = at + PREFIX_SIZE
            end = begin + length
            if end > size:
                self._keep(data[at:], PREFIX_SIZE + length)
                return
            at = end
            if kind == MESSAGE:
                self._received(data[begin:end])
            elif kind == PING:
                self._ponged(data[begin:end])
            if self._ending:
                return
        if at < size:
            self._keep(data[at:], PREFIX_SIZE)

    def _unusual(self, prefix: int) -> tuple[int, int]:
        """The type and length of a frame that is no message of a plain length; the length is -1 if it ends all."""
        try:
            kind, length = split_prefix(prefix)
        except InvalidFrame as error:
            return self._violated(str(error))
        longest = self.factory.longest
        # What we can't send back the client should not have sent.
        bound = min(longest, self._longest_pong) if kind == PING else longest
        if length > bound:
            self.factory.counters["limit_message_bytes"] += 1
            return self._violated(f"{length} bytes came in a frame that may hold {bound}")
        return kind, length

    def _violated(self, why: str) -> tuple[int, int]:
        """End the session; where in the stream the next frame would begin is not known any more."""
        self._ending = True
        self._partial = None
        if self.session is not None:
            self.factory.router.violated(self.session, why)
        return MESSAGE, -1

    def _received(self, data: bytes) -> None:
        factory = self.factory
        session = self.session
        if session is None or self.outbox is None:
            return
        try:
            message, payload = self.outbox.encoding.serializer.decode(data)
        except InvalidMessage as error:
            factory.router.violated(session, str(error))
            return
        factory.router.receive(session, message, payload)

    def _ponged(self, data: bytes) -> None:
        self._pings = True
        if self.outbox is not None:
            self.outbox.write(rawsocket_frame(PONG, data))

    # --- the connection ---

    def _shake_hands(self, data: bytes) -> bool:
        """Answer the client's handshake; whether the session has begun."""
        try:
            handshake = read_handshake(data)
        except HandshakeRefused as refused:
            self.factory.counters[f"rawsocket_refused_{refused.code}"] += 1
            self.transport.write(refused.answer)
            self._close()
            return False
        self.transport.write(acceptance(self.factory.longest, handshake.serializer_id))
        self._open(handshake)
        return True

    def _open(self, handshake: Handshake) -> None:
        factory = self.factory
        transport = self.transport
        self._longest_pong = handshake.longest
        self.outbox = MeasuredOutbox(
            self,
            transport,
            factory.encoding_by_id[handshake.serializer_id],
            factory,
            longest=handshake.longest,
            router=factory.router,
        )
        client = self.client
        if client.host != UNIX:
            _keep_alive(transport, factory.ping_seconds)
        secure = ISSLTransport.providedBy(transport) if client.secure is None else client.secure
        self.session = factory.router.connected(
            self.outbox,
            Connection(
                client.peer,
                client.host,
                secure=secure,
                agent=AGENT,
                network=client.network,
                secured=None if client.relayed else secured_of(transport),
            ),
        )
        factory.peers.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's name
        """The connection is gone: let go of everything, so that nothing of it waits for a full collection."""
        self._ending = True
        self._partial = None
        factory = self.factory
        factory.peers.discard(self)
        factory.deadlines.cancel(self._deadline)
        self._deadline = None
        if self.outbox is not None:
            self.outbox.stopProducing()
            self.outbox = None
        if self.session is not None:
            session, self.session = self.session, None
            factory.router.disconnected(session)

    # --- the outbox's peer ---

    def end(self, code: int, reason: str) -> None:  # noqa: ARG002 - RawSocket has neither
        """Close behind what was sent; the last message has said why, or it is as if the connection were lost."""
        if self._deadline is None:
            self._close()

    def _close(self) -> None:
        """Close our end, and the connection once the client has closed its own.

        If all were closed at once, what the client has sent meanwhile would take
        our last message from it.
        """
        self._ending = True
        self._partial = None
        transport = self.transport
        if self.outbox is not None:
            self.outbox.stopProducing()
        transport.unregisterProducer()
        # It may have been paused, and then would not notice the client's end.
        transport.resumeProducing()
        self._deadline = self.factory.deadlines.after(_CLOSE_SECONDS, transport.abortConnection)
        if type(transport) in DIRECT:
            transport.loseWriteConnection()
        else:
            # TLS has an end of its own for each direction.
            transport.loseConnection()

    def cut(self, why: str) -> None:
        """Drop the connection: its reader is too slow to be told."""
        self.factory.cut_off += 1
        self.factory.tell(LogLevel.warn, "cut off {peer}: {why}", peer=self.client.peer, why=why)
        self.transport.abortConnection()

    def ping(self) -> None:
        """Ask for a sign of life; drop the connection if the last question got none.

        Only of clients that have sent a PING themselves: to others, Autobahn
        Python among them, it is the beginning of a long message. For these the
        operating system looks.
        """
        if not self._pings or self.outbox is None or self._ending:
            return
        if not self.heard:
            self.factory.counters["limit_ping_seconds"] += 1
            line = "dropped {peer}: no sign of life since the last ping"
            self.factory.tell(LogLevel.info, line, peer=self.client.peer)
            self.transport.abortConnection()
            return
        self.heard = False
        self.outbox.write(_PING)


class RawSocketListener(Factory):
    """Makes RawSocket peers for all listening ports, and pings them.

    Args:
        router: takes the sessions.
        turn: sends.
        deadlines: the one heap of deadlines.
        outbox_limits: of each peer.
        message_bytes: of a client's message; a handshake says the next lower power of two, 512 at the least.
        ping_seconds: how often peers are asked for a sign of life.

    Attributes:
        peers: the connections that are open.
        cut_off: how many slow readers were dropped.
        counters: ``limit_`` with a limit's key for each connection that reached it,
            ``rawsocket_refused_`` with the code of the answer for each refused handshake.
        longest: bytes of a client's message, as it was told.
        longest_plain: the same, of those whose length is all that is in the prefix.
        encoding_by_id: one for each serializer, for all peers.
    """

    noisy = False

    def __init__(
        self,
        *,
        router: Router,
        turn: Turn,
        deadlines: Deadlines,
        outbox_limits: OutboxLimits,
        message_bytes: int = 1 << 20,
        ping_seconds: float = 30.0,
    ) -> None:
        self.router = router
        self.turn = turn
        self.deadlines = deadlines
        self.adopt(outbox_limits, message_bytes, ping_seconds)
        self.peers: set[RawSocketPeer] = set()
        self.cut_off = 0
        self.counters: Counter[str] = Counter()
        self.encoding_by_id = {
            number: Encoding(serializer, as_rawsocket) for number, serializer in SERIALIZER_BY_ID.items()
        }
        self._sparing = Sparing(deadlines.now)

    def adopt(self, outbox_limits: OutboxLimits, message_bytes: int, ping_seconds: float) -> None:
        """Keep these limits from now on, whatever a client was told before; see the class for the arguments."""
        self.outbox_limits = outbox_limits
        self.longest = sayable(message_bytes)
        self.longest_plain = min(self.longest, LONGEST - 1)
        self.ping_seconds = ping_seconds

    def ping_all(self, share: int, shares: int) -> None:
        """Ping one share of the peers, so that all are pinged once in ``shares`` calls."""
        for peer in [peer for peer in self.peers if id(peer) // 64 % shares == share]:
            peer.ping()

    def tell(self, level: Any, line: str, **fields: object) -> None:
        """Write a line of the log, if its kind has not filled it already."""
        left_out = self._sparing.take(line)
        if left_out is None:
            return
        if left_out:
            _log.warn("{count} lines like the next one were left out", count=left_out)
        _log.emit(level, line, **fields)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """A protocol for a new connection of a client, as the port knows it."""
        peer = RawSocketPeer()
        peer.factory = self
        peer.client = addr
        return peer


_PING: Final = rawsocket_frame(PING, b"")


def _keep_alive(transport: Any, seconds: float) -> None:
    """Have the operating system look whether a silent peer is still there, and drop it if it is not.

    Args:
        transport: of TCP, below TLS or not.
        seconds: how long it may be silent.
    """
    transport.setTcpKeepAlive(1)
    plain = getattr(transport, "transport", transport).socket
    whole = max(1, round(seconds))
    # Not every system has all of them.
    for option, value in (
        ("TCP_KEEPIDLE", whole),
        ("TCP_KEEPINTVL", max(1, whole // _PROBES)),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", 2000 * whole),
    ):
        number = getattr(socket, option, None)
        if number is not None:
            plain.setsockopt(socket.IPPROTO_TCP, number, value)
