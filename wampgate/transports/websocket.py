"""WAMP over WebSocket: plain handshakes and frames taken here, everything unusual by Autobahn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.util import encode_truncate
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import connectionDone

from wampgate.core.interfaces import Connection
from wampgate.core.log_lines import Sparing
from wampgate.transports.autobahn_log import AutobahnLog
from wampgate.transports.credentials import RepeatedParameter, shown_by
from wampgate.transports.deflate import Deflated
from wampgate.transports.opening import plain_opening
from wampgate.transports.plain_frames import PlainFrames
from wampgate.transports.plain_transports import DIRECT
from wampgate.transports.secured import secured_of
from wampgate.transports.turn import Encoding, Turn
from wampgate.transports.unusual_frames import with_options_of
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.frames import BINARY, TEXT
from wampgate.wire.serializers import SERIALIZERS

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.router import Router
    from wampgate.core.session import Session
    from wampgate.transports.credentials import Shown
    from wampgate.transports.deflate import Compression
    from wampgate.transports.head import Head
    from wampgate.transports.outbox import OutboxLimits
    from wampgate.transports.places import Places
    from wampgate.transports.proxy import Client
    from wampgate.transports.unusual_frames import UnusualFrames

_PING: Final = b"\x89\x00"

_USUAL: Final = (ConnectionDone, ConnectionLost, ConnectionAborted)
"""Ways for a connection to end of which no line in the log tells."""


class WebSocketPeer(PlainFrames):
    """One WebSocket connection and its session.

    Attributes:
        session: who is there; None before the handshake is over, and afterwards.
    """

    __slots__ = ("_client", "_network", "_places", "session")

    factory: WebSocketListener
    session: Session | None

    def __init__(self, factory: WebSocketListener, client: Client) -> None:
        super().__init__(factory)
        self.session = None
        # Who comes, until the session knows it.
        self._client: Client | None = client
        self._places: Places | None = None
        self._network = ""

    @property
    def peer(self) -> str:
        """The client's address and port, for the log."""
        if self.session is not None:
            return self.session.connection.peer
        return "" if self._client is None else self._client.peer

    # --- the handshake ---

    def upgrade(self, transport: Any, head: Head, data: bytes, *, fresh: bool) -> None:
        """Take a connection that asks for a WebSocket, of which the port knows that it may come in.

        Args:
            transport: Twisted's; what it hears from now on comes here.
            head: the request's.
            data: all that has come, from the request's first byte.
            fresh: whether nothing was ever written to the connection.
        """
        if not fresh or not self._open_plainly(transport, head):
            self._make_unusual(transport)._dataReceived(data)  # noqa: SLF001 - what Twisted's part of Autobahn calls
        elif len(data) > head.size:
            self.dataReceived(data[head.size :])

    def _open_plainly(self, transport: Any, head: Head) -> bool:
        """Answer a request that is as they mostly are; False, and nothing is done, if it is not."""
        factory = self.factory
        opening = plain_opening(head, extensions=factory.compression is not None)
        if opening is None:
            return False
        parameters = parse_qs(head.target.partition("?")[2]) if factory.query_string else None
        try:
            shown = shown_by(head.headers, parameters, cookies=factory.cookies)
        except RepeatedParameter:
            return False
        subprotocol, answer = opening
        self.begin(transport, subprotocol, shown, answer=answer)
        return True

    def begin(self, transport: Any, subprotocol: str, shown: Shown, *, window: int = 0, answer: bytes = b"") -> None:
        """Begin the session: the handshake is over.

        Args:
            transport: Twisted's.
            subprotocol: what the client is to speak.
            shown: what its request shows of who it is.
            window: of what is compressed for it, in bits; 0 for nothing.
            answer: to the request; empty if the transport has it already.
        """
        factory, client = self.factory, self._client
        assert client is not None, "a connection is opened once"  # noqa: S101 - the port sees to it
        encoding = factory.encodings[subprotocol, window]
        self._first = BINARY if encoding.serializer.binary else TEXT
        self.attach(transport, encoding, fresh=bool(answer))
        if answer:
            self.write(answer)
        self.session = factory.router.connected(self, _connection(transport, client, shown))
        self._client = None
        self.open = True
        factory.peers.add(self)

    def occupy(self, places: Places, network: str) -> None:
        """Take a place over, to give it back when the connection ends.

        Args:
            places: whose it is.
            network: by what its address is counted.
        """
        self._places = places
        self._network = network

    def hand_over(self) -> UnusualFrames:
        """See :meth:`PlainFrames.hand_over`."""
        unusual = self.unusual
        if unusual is None:
            unusual = self._make_unusual(self.transport)
            unusual.begin_open()
        return unusual

    def _make_unusual(self, transport: Any) -> UnusualFrames:
        unusual = self.unusual = self.factory.unusual(self)
        unusual.makeConnection(transport)  # type: ignore[no-untyped-call]  # Twisted's
        return unusual

    # --- messages in ---

    def take(self, data: bytes) -> None:
        """Read a message and hand it to the router."""
        session = self.session
        if session is None:
            return
        router = self.factory.router
        try:
            message, payload = self.encoding.serializer.decode(data)
        except InvalidMessage as error:
            router.violated(session, str(error))
            return
        router.receive(session, message, payload)

    def refuse_kind(self, kind: str) -> None:
        """A message has come that is text where it should be binary, or the other way round."""
        if self.session is not None:
            self.factory.router.violated(self.session, f"a {kind} message does not fit the negotiated serializer")

    # --- the end ---

    def end(self, code: int, reason: str) -> None:
        """Close with a WebSocket close frame."""
        # sendClose() is for applications: it takes none of the codes below 3000 but 1000.
        self.hand_over().sendCloseFrame(code, encode_truncate(reason, 123))

    def shut(self) -> None:
        """A close frame was sent: no message comes or goes any more, so that the session is over (RFC 6455, 5.5.1)."""
        if self.open:
            self.open = False
            if self.session is not None:
                self.factory.router.disconnected(self.session)

    def cut(self, why: str) -> None:
        """Drop the connection: its reader is too slow to be told."""
        self.factory.log.warn("cut off {peer}: {why}", peer=self.peer, why=why)
        self.factory.cut_off += 1
        self.transport.abortConnection()

    def ping(self) -> None:
        """Ask for a sign of life; drop the connection if the last question got none."""
        if not self.heard:
            self.factory.counters["limit_ping_seconds"] += 1
            self.factory.log.info("dropped {peer}: no sign of life since the last ping", peer=self.peer)
            self.transport.abortConnection()
            return
        self.heard = False
        if self.open:
            self.write(_PING)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone: let go of everything, so that nothing of it waits for a full collection."""
        if self.open and self.unusual is None and not isinstance(reason.value, _USUAL):
            self.hand_over()
        self.stopProducing()
        if self.unusual is not None:
            self.unusual.connectionLost(reason)
            self.unusual = None
        self.open = False
        self._ready = self._congestion = self.transport = None
        self._rest = b""
        self.factory.peers.discard(self)
        if self._places is not None:
            self._places.leave(self._network)
            self._places = None
        if self.session is not None:
            session, self.session = self.session, None
            self.factory.router.disconnected(session)


def _connection(transport: Any, client: Client, shown: Shown) -> Connection:
    """What the core learns of a connection."""
    plain = type(transport) in DIRECT
    secure = client.secure
    if secure is None:
        secure = not plain and ISSLTransport.providedBy(transport)
    return Connection(
        client.peer,
        client.host,
        secure,
        shown.agent,
        shown.bearer,
        shown.query,
        client.network,
        None if plain or client.relayed else secured_of(transport),
        shown.cookie,
    )


class WebSocketListener(WebSocketServerFactory):
    """Makes WebSocket peers for one listening port, and pings them.

    Attributes:
        peers: the connections that are open.
        cut_off: how many slow readers were dropped.
        counters: ``limit_`` with a limit's key, for each connection that reached it.
        unusual: makes Autobahn's part of a connection.
    """

    def __init__(
        self,
        *,
        router: Router,
        turn: Turn,
        deadlines: Deadlines,
        outbox_limits: OutboxLimits,
        message_bytes: int = 1 << 20,
        fragments_per_message: int = 1024,
        query_string: bool = False,
        cookies: bool = False,
        compression: Compression | None = None,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # Autobahn's
            protocols=[serializer.subprotocol for serializer in SERIALIZERS]
        )
        self.router = router
        self.turn = turn
        self.deadlines = deadlines
        self.peers: set[WebSocketPeer] = set()
        self.cut_off = 0
        self.counters: Counter[str] = Counter()
        self.log = AutobahnLog(Sparing(deadlines.now))
        self.compression = compression
        self.encodings = _encodings_of(compression)
        self.server = ""
        self.adopt(outbox_limits, message_bytes, fragments_per_message, query_string=query_string, cookies=cookies)

    def adopt(
        self,
        outbox_limits: OutboxLimits,
        message_bytes: int,
        fragments_per_message: int,
        *,
        query_string: bool,
        cookies: bool,
    ) -> None:
        """Keep these limits, and take these ways to show who one is, from now on; see the class for the arguments.

        The limits are those of the connections that are there as well. What Autobahn has of them keeps its own.
        """
        self.outbox_limits = outbox_limits
        self.message_bytes = message_bytes
        self.fragments_per_message = fragments_per_message
        self.query_string = query_string
        self.cookies = cookies
        self.setProtocolOptions(  # type: ignore[no-untyped-call]  # Autobahn's
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=message_bytes,
            maxMessagePayloadSize=message_bytes,
            # An error is told with its close code before the connection ends.
            failByDrop=False,
            # The port has read the whole header before it hands the connection over.
            openHandshakeTimeout=0,
            closeHandshakeTimeout=2,
            # Whether an Origin may come in was decided by the port.
            allowedOrigins=["*"],
            allowNullOrigin=True,
        )
        self.unusual = with_options_of(self)

    def compress(self, compression: Compression | None) -> None:
        """Compress in another way, or not at all, on the connections that come from now on."""
        self.compression = compression
        self.encodings = _encodings_of(compression)

    def ping_all(self, share: int, shares: int) -> None:
        """Ping one share of the peers, so that all are pinged once in ``shares`` calls."""
        for peer in [peer for peer in self.peers if id(peer) // 64 % shares == share]:
            peer.ping()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """A connection of a client, as the port knows it."""
        return WebSocketPeer(self, addr)


def _encodings_of(compression: Compression | None) -> dict[tuple[str, int], Encoding]:
    """All encodings, by the subprotocol and the window's bits, 0 for what is not compressed."""
    encodings = {(serializer.subprotocol, 0): Encoding(serializer) for serializer in SERIALIZERS}
    if compression is not None:
        for (subprotocol, _), plain in list(encodings.items()):
            for window in compression.windows:
                encodings[subprotocol, window] = Deflated(plain, compression, window)
    return encodings
