"""A blocking WAMP client for tests that speaks RawSocket by hand: any handshake, any frame; on TCP, TLS, Unix sockets.

Nothing of it comes from the router or from Autobahn, so that no mistake of theirs is shared.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from raw_wamp import SERIALIZERS, Wamp
from raw_websocket import Ended, RawConnection

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

MESSAGE, PING, PONG = 0, 1, 2
LONGEST: Final = 1 << 24


class HandshakeError(Exception):
    """The router answered the handshake with an error.

    Attributes:
        code: which.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def handshake(serializer: int = 1, length: int = 15, reserved: int = 0, magic: int = 0x7F) -> bytes:
    """A client's handshake; ``length`` is the exponent less 9."""
    return struct.pack("!BBH", magic, length << 4 | serializer, reserved)


def raw_frame(kind: int, payload: bytes = b"", *, length: int | None = None, reserved: int = 0) -> bytes:
    """A RawSocket frame, right or wrong.

    Args:
        kind: 0 to 7.
        payload: what it holds.
        length: the length to claim instead of the payload's.
        reserved: the four reserved bits.
    """
    size = len(payload) if length is None else length
    first = reserved << 4 | kind | (8 if size == LONGEST else 0)
    return struct.pack("!I", first << 24 | size % LONGEST) + payload


class RawSocket(RawConnection):
    """A connection that has sent nothing yet.

    Args:
        where: a port of 127.0.0.1, or the path of a Unix socket.
        tls: encrypt with this context.
        timeout: for each wait, in seconds.
        receive_buffer: SO_RCVBUF in bytes, for a reader that is soon full.
        source: the address to connect from.
    """

    def __init__(
        self,
        where: int | Path,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 10.0,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        if isinstance(where, int):
            RawConnection.__init__(self, where, tls=tls, timeout=timeout, receive_buffer=receive_buffer, source=source)
        else:
            self.port, self._buffer = 0, b""
            self.pongs: list[bytes] = []
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(where))
        self.pings: list[bytes] = []
        self.lengths: list[int] = []

    def shake_hands(self, request: bytes) -> bytes:
        """Send a handshake; the router's answer.

        Raises:
            HandshakeError: it is an error.
            Ended: there is none.
        """
        self.send_bytes(request)
        answer = self._exactly(4)
        assert answer[0] == 0x7F
        assert answer[2:] == b"\0\0", "reserved bits"
        if not answer[1] & 0x0F:
            raise HandshakeError(answer[1] >> 4)
        return answer

    def send_raw_frame(self, kind: int, payload: bytes = b"", **how: Any) -> None:
        self.send_bytes(raw_frame(kind, payload, **how))

    def receive_raw_frame(self) -> tuple[int, bytes]:
        """The next frame: its type and what it holds.

        Raises:
            Ended: there is no more.
            TimeoutError: there was none in time.
        """
        (prefix,) = struct.unpack("!I", self._exactly(4))
        assert not prefix >> 28, "reserved bits"
        length = prefix & 0xFFFFFF
        if prefix & 0x08000000:
            assert not length
            length = LONGEST
        self.lengths.append(length)
        return prefix >> 24 & 7, self._exactly(length)

    def receive_raw_message(self) -> bytes:
        """The next message; pings are answered on the way, pongs are kept.

        Raises:
            Ended: the connection ended.
        """
        while True:
            kind, payload = self.receive_raw_frame()
            if kind == MESSAGE:
                return payload
            if kind == PING:
                self.pings.append(payload)
                self.send_raw_frame(PONG, payload)
            else:
                assert kind == PONG, "a reserved type"
                self.pongs.append(payload)


class RawPeer(Wamp, RawSocket):
    """A WAMP client over RawSocket whose handshake is done.

    Args:
        where, connection: see :class:`RawSocket`.
        serializer: ``json``, ``msgpack`` or ``cbor``.
        length: what it takes: the exponent less 9.

    Attributes:
        longest: what the router takes, in bytes.
    """

    has_codes = False

    def __init__(self, where: int | Path, serializer: str = "json", *, length: int = 15, **connection: Any) -> None:
        super().__init__(where, **connection)
        self.serializer = serializer
        number = SERIALIZERS.index(serializer) + 1
        try:
            answer = self.shake_hands(handshake(number, length))
        except BaseException:
            self.close()
            raise
        assert answer[1] & 0x0F == number
        self.longest = 512 << (answer[1] >> 4)

    def framed(self, message: Any, **how: Any) -> bytes:
        return raw_frame(MESSAGE, self.encoded(message), **how)

    def send_data(self, data: bytes) -> None:
        """See :class:`Wamp`."""
        self.send_raw_frame(MESSAGE, data)

    def receive_data(self) -> bytes:
        """See :class:`Wamp`."""
        return self.receive_raw_message()

    def close(self) -> None:
        """See :class:`Wamp`."""
        RawSocket.close(self)

    def closed(self) -> tuple[int | None, str]:
        """Wait for the end, whatever comes before it; RawSocket gives neither code nor reason."""
        with suppress(Ended):
            while True:
                self.receive_raw_message()
        return None, ""
