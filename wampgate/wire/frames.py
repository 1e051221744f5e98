"""One message to the bytes of its framing, built once for all receivers: WebSocket (RFC 6455, 5.2) and RawSocket."""

from collections.abc import Callable
from struct import Struct
from typing import Final, TypeAlias

Framing: TypeAlias = Callable[[bytes], bytes]
"""Makes of a serialized message the bytes that leave for a peer."""

TEXT: Final = 0x81
"""First byte of a whole, unfragmented, uncompressed text message."""

BINARY: Final = 0x82
"""The same for a binary message."""

MESSAGE: Final = 0
"""Type of a RawSocket frame that holds a WAMP message ("RawSocket Transport", "Framing")."""

PING: Final = 1
PONG: Final = 2

PREFIX_SIZE: Final = 4
"""Bytes before what a RawSocket frame holds."""

LONGEST: Final = 1 << 24
"""Bytes that a RawSocket frame can hold."""

CONTROL: Final = frozenset((0x88, 0x89, 0x8A, PING, PONG))
"""First bytes of frames that hold no message, of both framings: no frame of either begins as one of the other's."""

_SHORT: Final = Struct("!BB").pack
_MEDIUM: Final = Struct("!BBH").pack
_LONG: Final = Struct("!BBQ").pack
_PREFIX: Final = Struct("!I").pack
_EXTRA_BIT: Final = 1 << 27


def websocket_frame(first: int, data: bytes) -> bytes:
    """A server's (unmasked) WebSocket frame.

    Args:
        first: FIN, RSV and opcode, as :data:`TEXT` or :data:`BINARY`.
        data: the message.
    """
    length = len(data)
    if length < 126:
        return _SHORT(first, length) + data
    if length < 65536:
        return _MEDIUM(first, 126, length) + data
    return _LONG(first, 127, length) + data


def as_text(data: bytes) -> bytes:
    """A framing: a WebSocket text message."""
    # Every message leaves through here or through its sibling: what is common has no call of its own.
    length = len(data)
    if length < 126:
        return _SHORT(TEXT, length) + data
    if length < 65536:
        return _MEDIUM(TEXT, 126, length) + data
    return _LONG(TEXT, 127, length) + data


def as_binary(data: bytes) -> bytes:
    """A framing: a WebSocket binary message."""
    length = len(data)
    if length < 126:
        return _SHORT(BINARY, length) + data
    if length < 65536:
        return _MEDIUM(BINARY, 126, length) + data
    return _LONG(BINARY, 127, length) + data


def rawsocket_frame(kind: int, data: bytes) -> bytes:
    """A RawSocket frame.

    What is longer than :data:`LONGEST` has none: what is returned for it is as long as it
    would be, so that whoever sends sees by its length that no one takes it.

    Args:
        kind: :data:`MESSAGE`, :data:`PING` or :data:`PONG`.
        data: what it holds.
    """
    length = len(data)
    # The 25th bit of a length of exactly 16 MiB stands above the type.
    return _PREFIX(kind << 24 | (length if length < LONGEST else _EXTRA_BIT)) + data


def as_rawsocket(data: bytes) -> bytes:
    """A framing: a RawSocket message."""
    return rawsocket_frame(MESSAGE, data)
