"""A blocking connection for tests that speaks HTTP and WebSocket by hand: any header, any frame, any split.

Nothing of it comes from the router or from Autobahn, so that no mistake of theirs is shared.
"""

from __future__ import annotations

import base64
import socket
import struct
import time
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, Literal, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK: Final = b"\x0b\xad\xca\xfe"


class Closed(Exception):
    """The peer sent a close frame."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Ended(Exception):
    """The connection ended without a close frame."""


class Refused(Exception):
    """The upgrade was answered with something else than 101."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status, response.body)
        self.response = response


@dataclass
class Response:
    """An HTTP response; header names in lower case."""

    status: int
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Frame:
    """A WebSocket frame as it came."""

    opcode: int
    payload: bytes
    fin: bool
    first: int


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    form: Literal["shortest", "short", "medium", "long"] = "shortest",
    length: int | None = None,
) -> bytes:
    """A WebSocket frame, right or wrong.

    Args:
        opcode: 0 to 15.
        payload: what it carries, not yet masked.
        fin: whether it is a message's last one.
        rsv: the three reserved bits, 0 to 7.
        mask: the mask; None for an unmasked frame.
        form: which of the three length forms to use, even if a shorter one would do.
        length: the length to claim instead of the payload's.
    """
    size = len(payload) if length is None else length
    masked = 0 if mask is None else 0x80
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if form == "shortest":
        form = "short" if size < 126 else "medium" if size < 65536 else "long"
    if form == "short":
        head = struct.pack("!BB", first, masked | size)
    elif form == "medium":
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    return head + payload if mask is None else head + mask + unmask(payload, mask)


def unmask(payload: bytes, mask: bytes) -> bytes:
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return bytes(a ^ b for a, b in zip(payload, key, strict=True)) if len(payload) < 64 else _xor(payload, key)


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def upgrade_request(
    port: int, *, subprotocol: str | None = "wamp.2.json", path: str = "/ws", headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """A WebSocket upgrade; a header that is given replaces the usual one of that name, and "" leaves it out."""
    usual: dict[str, str] = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        "Sec-WebSocket-Version": "13",
    }
    if subprotocol is not None:
        usual["Sec-WebSocket-Protocol"] = subprotocol
    given = list(headers)
    names = {name.lower() for name, _ in given}
    lines = [(name, value) for name, value in usual.items() if name.lower() not in names]
    lines += [(name, value) for name, value in given if value]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1")


ACCEPT: Final = base64.b64encode(
    sha1(base64.b64encode(b"0123456789abcdef") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
).decode()


class RawConnection:
    """A TCP connection, encrypted or not, that speaks HTTP and WebSocket frames by hand.

    Args:
        port: on 127.0.0.1.
        tls: encrypt with this context.
        timeout: for each wait, in seconds.
        receive_buffer: SO_RCVBUF in bytes, for a reader that is soon full.
    """

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 10.0,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        self.port = port
        self._buffer = b""
        plain = socket.socket()
        try:
            if receive_buffer is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(timeout)
            if source is not None:
                plain.bind((source, 0))
            plain.connect(("127.0.0.1", port))
            self.socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise
        self.pongs: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def reset(self) -> None:
        """Drop the connection with RST, as a crash does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_split(self, data: bytes, cuts: Iterable[int]) -> None:
        """Send bytes in pieces, cut at these places, each in a segment of its own."""
        start = 0
        for cut in [*sorted(set(cuts)), len(data)]:
            if start < cut <= len(data):
                self.socket.sendall(data[start:cut])
                start = cut
                # Long enough for the router to have read what came.
                time.sleep(0.0005)

    # --- HTTP ---

    def request(self, path: str = "/", *, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Response:
        """Ask for something and read the answer to its end."""
        given = list(headers)
        if not any(name.lower() == "host" for name, _ in given):
            given.insert(0, ("Host", f"127.0.0.1:{self.port}"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in given)
        self.send_bytes(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        return self.response()

    def response(self) -> Response:
        """An HTTP response; its body only if it is not 101, and then to the connection's end.

        Raises:
            Ended: there was none.
        """
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        _, status, reason = first.split(" ", 2)
        response = Response(int(status), reason, {name.lower(): value.strip() for name, _, value in pairs})
        if response.status != 101:
            response.body = self._rest()
        return response

    def upgrade(
        self, subprotocol: str | None = "wamp.2.json", *, headers: Iterable[tuple[str, str]] = (), path: str = "/ws"
    ) -> Response:
        """Open a WebSocket.

        Raises:
            Refused: the router did not want to.
            Ended: it dropped the connection.
        """
        self.send_bytes(upgrade_request(self.port, subprotocol=subprotocol, headers=headers, path=path))
        return self.upgraded()

    def upgraded(self) -> Response:
        """The answer to an upgrade that was sent; see :meth:`upgrade`."""
        response = self.response()
        if response.status != 101:
            raise Refused(response)
        assert response.headers["sec-websocket-accept"] == ACCEPT
        return response

    # --- WebSocket ---

    def send_frame(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        self.send_bytes(frame(opcode, payload, **how))

    def receive_frame(self) -> Frame:
        """The next frame, whatever it is.

        Raises:
            Ended: there is no more.
            TimeoutError: there was none in time.
        """
        first, second = self._exactly(2)
        assert not second & 0x80, "a server's frame must not be masked"
        length = second
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
            assert length > 125, "a length must take its shortest form"
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
            assert length > 65535, "a length must take its shortest form"
        return Frame(first & 0x0F, self._exactly(length), bool(first & 0x80), first)

    def receive_message(self) -> tuple[int, bytes]:
        """The next data message; pings are answered on the way, pongs are kept in ``pongs``.

        Raises:
            Closed: a close frame came instead.
            Ended: the connection ended.
        """
        while True:
            received = self.receive_frame()
            if received.opcode == PING:
                self.send_frame(PONG, received.payload)
            elif received.opcode == PONG:
                self.pongs.append(received.payload)
            elif received.opcode == CLOSE:
                raise _closed(received.payload)
            else:
                assert received.fin, "the router does not fragment"
                assert received.first >> 4 == 8, "no reserved bit was negotiated"
                return received.opcode, received.payload

    def closed(self) -> tuple[int | None, str]:
        """The code and reason of the close frame that comes, whatever comes before it."""
        try:
            while True:
                self.receive_message()
        except Closed as closed:
            return closed.code, closed.reason

    def ended(self, seconds: float = 5.0) -> float:
        """Wait until the peer has closed the connection; how many seconds that took."""
        start = time.monotonic()
        self.socket.settimeout(seconds)
        self._rest()
        return time.monotonic() - start

    # --- inside ---

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fill(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionError, BrokenPipeError) as error:
            raise Ended(str(error)) from None
        if not data:
            raise Ended("the connection was closed")
        self._buffer += data

    def _rest(self) -> bytes:
        try:
            while True:
                self._fill()
        except Ended:
            data, self._buffer = self._buffer, b""
            return data


def _closed(payload: bytes) -> Closed:
    if not payload:
        return Closed(None, "")
    return Closed(struct.unpack("!H", payload[:2])[0], payload[2:].decode())
