"""Autobahn's part of a WebSocket: unusual handshakes and frames, and the closing of a connection.

An object of it costs as much as all else of a connection, so that it is made for those
that need one. One that comes to an open connection begins where a frame begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.protocol import connectionDone

from wampgate.transports.credentials import NOTHING_SHOWN, RepeatedParameter, shown_by, without_quotations
from wampgate.transports.deflate import UNREAD, CorruptMessage, MessageTooLong, agreement, inflate
from wampgate.transports.plain_frames import is_utf8
from wampgate.wire.serializers import SERIALIZER_BY_SUBPROTOCOL

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from wampgate.transports.deflate import Unread
    from wampgate.transports.websocket import WebSocketListener, WebSocketPeer

OPEN: Final = WebSocketServerProtocol.STATE_OPEN

# Close codes (RFC 6455, section 7.4.1).
MESSAGE_TOO_BIG: Final = 1009

_OPTIONS: Final = tuple(WebSocketServerProtocol.CONFIG_ATTRS)
"""What Autobahn copies from its factory to each connection, and writes out for a log that nobody keeps."""

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
    "_shown",
    "_window",
)
"""What it keeps of the handshake and no one asks for any more: 2 kB a connection."""


class UnusualFrames(WebSocketServerProtocol):
    """What of one connection is not plain. Made by the class that :func:`with_options_of` makes.

    Attributes:
        connection: what it is a part of.
    """

    CONFIG_ATTRS: list[str] = []  # noqa: RUF012 - Autobahn's name and type
    current_frame: Any
    transport: Any  # what Twisted's interface of it leaves out is used here

    factory: WebSocketListener
    connection: WebSocketPeer

    _fragments = 0
    _shown = NOTHING_SHOWN
    # Of what is compressed for the client, in bits; 0 for nothing.
    _window = 0
    _isMessageCompressed: bool  # noqa: N815 - Autobahn's name
    _perMessageCompress: Unread | None  # type: ignore[assignment]  # noqa: N815 - Autobahn's name, of no type there

    def __init__(self, connection: WebSocketPeer) -> None:
        super().__init__()
        self.connection = connection
        self.factory = connection.factory
        self.log = connection.factory.log
        # What Autobahn and we log of this connection names who is there, not the proxy before it.
        self.peer = connection.peer

    def begin_open(self) -> None:
        """Begin with a connection whose handshake is over and which stands where a frame begins."""
        self.websocket_version = 13
        self.websocket_protocol_in_use = self.connection.encoding.serializer.subprotocol
        self.websocket_extensions_in_use: list[Any] = []
        self.inside_message = False
        self.current_frame = None
        self.state = OPEN

    # --- Autobahn's hooks ---

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin without asking the transport for what the port knows already."""
        self._connectionMade()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: ARG002, N802 - Autobahn's names
        """Write what Autobahn made, a control frame mostly, in order with everything else."""
        if self.connection.session is None:
            self.transport.write(data)
        else:
            self.connection.write(data)

    def onConnect(self, request: ConnectionRequest) -> tuple[str, dict[str, str]]:  # noqa: N802 - Autobahn's name
        """Choose the serializer by the client's order of subprotocols, and take what shows who it is.

        Returns:
            The subprotocol, and what else the answer's header says.

        Raises:
            ConnectionDeny: the client speaks none of ours, or its query string says two things.
        """
        factory = self.factory
        parameters = request.params if factory.query_string else None
        try:
            self._shown = shown_by(request.headers, parameters, cookies=factory.cookies)
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
        self.connection.begin(self.transport, str(self.websocket_protocol_in_use), self._shown, window=self._window)
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
            self.connection.end(MESSAGE_TOO_BIG, "too many fragments")

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """Count what Autobahn refuses because it is too big; its name, and the close code is its own."""
        self.factory.counters["limit_message_bytes"] += 1
        super()._max_message_size_exceeded(msg_size, max_msg_size, reason)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - Autobahn's names
        """A message that Autobahn put together."""
        if self.state != OPEN:
            return
        if isBinary != self.connection.encoding.serializer.binary:
            self.connection.refuse_kind("binary" if isBinary else "text")
        elif not self._isMessageCompressed:
            self.connection.take(payload)
        elif (message := self._inflated(payload, isBinary)) is not None:
            self.connection.take(message)

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

    # --- the end ---

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:  # noqa: N802, N803 - Autobahn's names
        """Send a close frame, unless one was sent: all that was sent before is before it, and nothing behind it."""
        if self.state == OPEN:
            # Answers to what came in one piece with what ends the connection wait for the turn's end.
            self.factory.turn.flush()
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.connection.shut()

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802 - Autobahn's name
        """End the connection; unless it is aborted, what waits leaves first: the close frame is behind it."""
        self.connection.open = False
        if not abort:
            self.connection.release()
        super().dropConnection(abort)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Let go of what points back here, so that nothing of the connection waits for a full collection."""
        super().connectionLost(reason)
        self.is_closed = self.is_open = None


def with_options_of(listener: WebSocketListener) -> type[UnusualFrames]:
    """A class whose connections have a listener's options as their class's attributes."""
    return type(UnusualFrames.__name__, (UnusualFrames,), {name: getattr(listener, name) for name in _OPTIONS})
