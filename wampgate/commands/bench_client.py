"""WAMP clients for ``wampgate bench``: as thin as Python can be, over RawSocket and JSON, blocking."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress
from typing import Any, Final

import msgspec

REALM: Final = "bench"
SECONDS: Final = 20.0
"""For each wait."""

_HANDSHAKE: Final = b"\x7f\xf1\x00\x00"
"""Messages of up to 16 MiB, in JSON."""

_ROLES: Final[dict[str, Any]] = {"roles": {"subscriber": {}, "publisher": {}, "caller": {}, "callee": {}}}
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
_prefix_of: Final = struct.Struct("!I").unpack_from


class BenchFailed(Exception):
    """The router did not answer as it should; the text says how."""


class Client:
    """One session, or a connection on its way to one.

    Args:
        port: where the router listens on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def begin(self, authid: str) -> None:
        """Send the handshake and HELLO."""
        hello = [1, REALM, {"authmethods": ["ticket"], "authid": authid, **_ROLES}]
        self.socket.sendall(_HANDSHAKE + framed(hello))

    def prove(self, ticket: str) -> None:
        """Read the answer and the challenge, and show the ticket."""
        if self._exactly(4)[1] & 0x0F != 1:
            raise BenchFailed("the router does not take the handshake")
        self.expect(4)
        self.send([5, ticket, {}])

    def send(self, message: list[Any]) -> None:
        """Send a message."""
        self.socket.sendall(framed(message))

    def expect(self, kind: int) -> list[Any]:
        """The next message, which has to be of a type.

        Raises:
            BenchFailed: it is of another.
        """
        message: list[Any] = _decode(self._next())
        if message[0] != kind:
            raise BenchFailed(f"expected message type {kind}, got {message}")
        return message

    def read(self) -> int:
        """Take in what is there now; how many messages that completes. They are let go."""
        with suppress(BlockingIOError):
            self._buffer += self.socket.recv(65536, socket.MSG_DONTWAIT)
        count = at = 0
        while len(self._buffer) - at >= 4:
            end = at + 4 + (_prefix_of(self._buffer, at)[0] & 0xFFFFFF)
            if end > len(self._buffer):
                break
            at, count = end, count + 1
        self._buffer = self._buffer[at:]
        return count

    def messages(self) -> list[list[Any]]:
        """The messages that have come by now, at least one."""
        found = [_decode(self._next())]
        while len(self._buffer) >= 4 and len(self._buffer) >= 4 + (_prefix_of(self._buffer)[0] & 0xFFFFFF):
            found.append(_decode(self._next()))
        return found

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _next(self) -> bytes:
        (prefix,) = _prefix_of(self._exactly(4))
        return self._exactly(prefix & 0xFFFFFF)

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise BenchFailed("the router has closed a connection")
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


def framed(message: list[Any]) -> bytes:
    """A message as it goes over the wire."""
    data = _encode(message)
    return struct.pack("!I", len(data)) + data


class Readers:
    """Many clients, of which those with something to read are found at once.

    Args:
        clients: all of them.
    """

    def __init__(self, clients: list[Client]) -> None:
        self._by_number = {client.socket.fileno(): client for client in clients}
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)

    def take(self, wanted: int) -> None:
        """Read until so many messages have come in all.

        Raises:
            BenchFailed: they don't.
        """
        while wanted > 0:
            ready = self._poll.poll(SECONDS)
            if not ready:
                raise BenchFailed(f"{wanted} events did not come within {SECONDS:.0f} s")
            for number, _ in ready:
                wanted -= self._by_number[number].read()

    def close(self) -> None:
        """Let go of the poll; the clients stay."""
        self._poll.close()
