"""WAMP over WebSocket: Autobahn for the handshake and everything unusual, plain frames past it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.util import encode_truncate
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.protocol import connectionDone

from wampgate.core.interfaces import Connection
from wampgate.core.log_lines import Sparing
from wampgate.transports.autobahn_log import AutobahnLog
from wampgate.transports.credentials import RepeatedParameter, bearer_of, cookie_of, query_of, without_quotations
from wampgate.transports.deflate import UNREAD, CorruptMessage, Deflated, MessageTooLong, agreement, inflate
from wampgate.transports.outbox import Outbox, OutboxLimits
from wampgate.transports.plain_frames import OPEN, PlainFrames, is_utf8
from wampgate.transports.proxy import UNIX, Client
from wampgate.transports.secured import secured_of
from wampgate.transports.turn import Encoding, Turn
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.frames import BINARY, TEXT
from wampgate.wire.serializers import SERIALIZER_BY_SUBPROTOCOL, SERIALIZERS

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.interfaces import Query, Ticket
    from wampgate.core.router import Router
    from wampgate.core.session import Session
    from wampgate.transports.deflate import Compression, Unread

# Close codes (RFC 6455, section 7.4.1).
MESSAGE_TOO_BIG: Final = 1009

_AFTER_HANDSHAKE: Final = (
    "http_request_data",
    "http_status_line",
    "http_headers",
    "http_request_uri",
    "http_request_path",
    "http_request_params",
    "http_request_host",
    "http_response_data",
    "websocket_origin",
    "websocket_protocols",
    "websocket_extensions",
    "_wskey",
    "_agent",
    "_bearer",
    "_query",
    "_cookie",
    "_window",
)
"""What Autobahn keeps of the handshake and no one asks for any more: 2 kB a connection."""


class WebSocketPeer(PlainFrames):
    """One WebSocket connection and its session."""

    transport: Any  # what Twisted's interface of it leaves out is used here
    session: Session | None = None
    outbox: Outbox | None = None
    client = Client(UNIX)

    _fragments = 0
    _agent = ""
    _bearer: Ticket | None = None
    _query: Query | None = None
    _cookie: Ticket | None = None
    # Of what is compressed for it, in bits; 0 for nothing.
    _window = 0
    _isMessageCompressed: bool  # noqa: N815 - Autobahn's name
    _perMessageCompress: Unread | None  # type: ignore[assignment]  # noqa: N815 - Autobahn's name, of no type there

    # --- messages in ---

    def take(self, data: bytes) -> None:
        """Read a message and hand it to the router."""
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

    # --- Autobahn's hooks ---

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: ARG002, N802 - Autobahn's names
        """Write what Autobahn made, a control frame mostly, in order with everything else."""
        if self.outbox is None:
            self.transport.write(data)
        else:
            self.outbox.write(data)

    def onConnect(self, request: ConnectionRequest) -> tuple[str, dict[str, str]]:  # noqa: N802 - Autobahn's name
        """Choose the serializer by the client's order of subprotocols, and take what shows who it is.

        Returns:
            The subprotocol, and what else the answer's header says.

        Raises:
            ConnectionDeny: the client speaks none of ours, or its query string says two things.
        """
        self._agent = str(request.headers.get("user-agent", ""))[:100]
        self._bearer = bearer_of(request.headers)
        try:
            if self.factory.query_string:
                self._query = query_of(request.params)
            if self.factory.cookies:
                self._cookie = cookie_of(request.headers)
        except RepeatedParameter as error:
            raise ConnectionDeny(  # type: ignore[no-untyped-call]  # Autobahn's
                400, f"{error} appears more than once"
            ) from None
        for protocol in request.protocols:
            if protocol in SERIALIZER_BY_SUBPROTOCOL:
                return str(protocol), self._accept(request.extensions)
        raise ConnectionDeny(  # type: ignore[no-untyped-call]  # Autobahn's
            400, f"speak one of: {', '.join(SERIALIZER_BY_SUBPROTOCOL)}"
        )

    def _accept(self, extensions: Any) -> dict[str, str]:
        """Agree on compression, where it is on; what the answer's header says of it."""
        # Autobahn would refuse the connection for an offer that can't be accepted, where RFC 7692 has it declined.
        self.websocket_extensions: Any = []
        compression = self.factory.compression
        agreed = None if compression is None else agreement(extensions, compression)
        if agreed is None:
            return {}
        self._window = agreed.window
        self._perMessageCompress = UNREAD
        return {"Sec-WebSocket-Extensions": agreed.header}

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803 - Autobahn's names
        """Refuse an upgrade; what Autobahn quotes may hold a token, and must not write into the log as it likes."""
        super().failHandshake(repr(without_quotations(reason))[1:-1], code, responseHeaders)

    def onOpen(self) -> None:  # noqa: N802 - Autobahn's name
        """The handshake is over: the session begins."""
        factory = self.factory
        encoding = factory.encodings[str(self.websocket_protocol_in_use), self._window]
        self._first = BINARY if encoding.serializer.binary else TEXT
        self.outbox = Outbox(
            self,
            self.transport,
            encoding,
            turn=factory.turn,
            deadlines=factory.deadlines,
            limits=factory.outbox_limits,
        )
        client = self.client
        # What Autobahn and we log of this connection names who is there, not the proxy before it.
        self.peer = client.peer
        secure = bool(self._transport_details.is_secure) if client.secure is None else client.secure
        self.session = factory.router.connected(
            self.outbox,
            Connection(
                client.peer,
                client.host,
                secure=secure,
                agent=self._agent,
                bearer=self._bearer,
                query=self._query,
                cookie=self._cookie,
                network=client.network,
                secured=None if client.relayed else secured_of(self.transport),
            ),
        )
        factory.peers.add(self)
        for attribute in _AFTER_HANDSHAKE:
            self.__dict__.pop(attribute, None)

    def onMessageBegin(self, isBinary: bool) -> None:  # noqa: N802, N803 - Autobahn's names
        """Count the fragments anew; whether it is text can be said of an inflated message only."""
        self._fragments = 0
        if self._isMessageCompressed:
            self.utf8validateIncomingCurrentMessage = False
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802 - Autobahn's name
        """Refuse a message in too many pieces: each costs memory beyond its bytes."""
        self._fragments += 1
        super().onMessageFrameBegin(length)
        if self._fragments > self.factory.fragments_per_message:
            self.factory.counters["limit_fragments_per_message"] += 1
            self.end(MESSAGE_TOO_BIG, "too many fragments")

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """Count what Autobahn refuses because it is too big; its name, and the close code is its own."""
        self.factory.counters["limit_message_bytes"] += 1
        super()._max_message_size_exceeded(msg_size, max_msg_size, reason)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - Autobahn's names
        """A message that Autobahn put together."""
        if self.session is None or self.outbox is None or self.state != OPEN:
            return
        if isBinary != self.outbox.encoding.serializer.binary:
            kind = "binary" if isBinary else "text"
            self.factory.router.violated(self.session, f"a {kind} message does not fit the negotiated serializer")
            return
        if not self._isMessageCompressed:
            self.take(payload)
        elif (message := self._inflated(payload, isBinary)) is not None:
            self.take(message)

    def _inflated(self, data: bytes, is_binary: bool) -> bytes | None:
        """A message that came compressed; None if it is none, and the connection fails."""
        limit = self.factory.message_bytes
        try:
            message = inflate(data, limit)
        except MessageTooLong:
            self._max_message_size_exceeded(limit + 1, limit, f"the message is longer than {limit} bytes when inflated")
            return None
        except CorruptMessage as error:
            self._invalid_payload(f"the message can't be inflated: {error}")
            return None
        if not is_binary and not is_utf8(message):
            self._invalid_payload("the inflated message is no UTF-8")
            return None
        return message

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802 - Autobahn's name
        """End the connection; unless it is aborted, what waits leaves first: the close frame is behind it."""
        if self.outbox is not None and not abort:
            self.outbox.release()
        super().dropConnection(abort)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: ARG002, N802, N803 - Autobahn's names
        """The connection is gone."""
        self.factory.peers.discard(self)
        if self.outbox is not None:
            # Autobahn has unregistered it from the transport, so that it would not hear of this.
            self.outbox.stopProducing()
        if self.session is not None:
            session, self.session = self.session, None
            self.factory.router.disconnected(session)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Let go of what points back here, so that nothing of the connection waits for a full collection."""
        super().connectionLost(reason)
        self.outbox = None
        self.is_closed = self.is_open = None

    # --- the outbox's peer ---

    def end(self, code: int, reason: str) -> None:
        """Close with a WebSocket close frame."""
        # sendClose() is for applications: it takes none of the codes below 3000 but 1000.
        self.sendCloseFrame(code, encode_truncate(reason, 123))

    def cut(self, why: str) -> None:
        """Drop the connection: its reader is too slow to be told."""
        self.log.warn("cut off {peer}: {why}", peer=self.peer, why=why)
        self.factory.cut_off += 1
        self.transport.abortConnection()

    def ping(self) -> None:
        """Ask for a sign of life; drop the connection if the last question got none."""
        if not self.heard:
            self.factory.counters["limit_ping_seconds"] += 1
            self.log.info("dropped {peer}: no sign of life since the last ping", peer=self.peer)
            self.transport.abortConnection()
            return
        self.heard = False
        self.sendPing()


class WebSocketListener(WebSocketServerFactory):
    """Makes WebSocket peers for one listening port, and pings them.

    Attributes:
        peers: the connections that are open.
        cut_off: how many slow readers were dropped.
        counters: ``limit_`` with a limit's key, for each connection that reached it.
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
        self.outbox_limits = outbox_limits
        self.message_bytes = message_bytes
        self.fragments_per_message = fragments_per_message
        self.query_string = query_string
        self.cookies = cookies
        self.compression = compression
        self.peers: set[WebSocketPeer] = set()
        self.cut_off = 0
        self.counters: Counter[str] = Counter()
        self.log = AutobahnLog(Sparing(deadlines.now))
        self.encodings = _encodings_of(compression)
        self.server = ""
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

    def ping_all(self, share: int, shares: int) -> None:
        """Ping one share of the peers, so that all are pinged once in ``shares`` calls."""
        for peer in [peer for peer in self.peers if id(peer) // 64 % shares == share]:
            peer.ping()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """A protocol for a new connection of a client, as the port knows it."""
        peer = WebSocketPeer()
        peer.factory = self
        peer.log = self.log
        peer.client = addr
        return peer


def _encodings_of(compression: Compression | None) -> dict[tuple[str, int], Encoding]:
    """All encodings, by the subprotocol and the window's bits, 0 for what is not compressed."""
    encodings = {(serializer.subprotocol, 0): Encoding(serializer) for serializer in SERIALIZERS}
    if compression is not None:
        for (subprotocol, _), plain in list(encodings.items()):
            for window in compression.windows:
                encodings[subprotocol, window] = Deflated(plain, compression, window)
    return encodings
