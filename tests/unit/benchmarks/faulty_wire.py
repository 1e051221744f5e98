"""A wire that damages what a server sends: lets a test see whether the load generator notices."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Damage = Callable[[list[bytes]], list[bytes]] if TYPE_CHECKING else object


class FaultyWire:
    """Stands between the generator and a server on 127.0.0.1.

    From the first connection it takes the tenth to fourteenth message that begins
    with ``marker``, and passes on what ``damage`` makes of these five frames.
    """

    def __init__(self, server_port: int, marker: bytes, damage: Damage) -> None:
        self._server_port = server_port
        self._marker = marker
        self._damage = damage
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        first = True
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._open += [client, server]
            back = self._pass_damaged if first else _pass_on
            first = False
            for target, ends in ((_pass_on, (client, server)), (back, (server, client))):
                thread = threading.Thread(target=target, args=ends)
                self._threads.append(thread)
                thread.start()

    def _pass_damaged(self, source: socket.socket, to: socket.socket) -> None:
        seen = 0
        held: list[bytes] = []
        with contextlib.suppress(OSError):
            for piece in _pieces(source):
                if not self._marker_in(piece):
                    to.sendall(piece)
                    continue
                seen += 1
                if 10 <= seen < 15:
                    held.append(piece)
                if seen == 14:
                    to.sendall(b"".join(self._damage(held)))
                elif not 10 <= seen < 15:
                    to.sendall(piece)

    def _marker_in(self, frame: bytes) -> bool:
        return self._marker in frame[2:8]


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)


def _pieces(source: socket.socket) -> Iterator[bytes]:
    """The response's head, then one frame after another; a server's frames are not masked."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += source.recv(65536)
    head, _, buffer = buffer.partition(b"\r\n\r\n")
    yield head + b"\r\n\r\n"
    while True:
        while (whole := _frame_length(buffer)) is None or len(buffer) < whole:
            data = source.recv(65536)
            if not data:
                return
            buffer += data
        yield buffer[:whole]
        buffer = buffer[whole:]


def _frame_length(buffer: bytes) -> int | None:
    """The length of the frame that begins here, head included; None as long as it can't be known."""
    if len(buffer) < 4:
        return None if len(buffer) < 2 or buffer[1] == 126 else 2 + buffer[1]
    return 4 + int.from_bytes(buffer[2:4], "big") if buffer[1] == 126 else 2 + buffer[1]
