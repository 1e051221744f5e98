"""One message to the bytes of its framing, built once for all receivers: WebSocket (RFC 6455, section 5.2)."""

from collections.abc import Callable
from struct import Struct
from typing import Final, TypeAlias

Framing: TypeAlias = Callable[[bytes], bytes]
"""Makes of a serialized message the bytes that leave for a peer."""

TEXT: Final = 0x81
"""First byte of a whole, unfragmented, uncompressed text message."""

BINARY: Final = 0x82
"""The same for a binary message."""

_SHORT: Final = Struct("!BB").pack
_MEDIUM: Final = Struct("!BBH").pack
_LONG: Final = Struct("!BBQ").pack


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
    return websocket_frame(TEXT, data)


def as_binary(data: bytes) -> bytes:
    """A framing: a WebSocket binary message."""
    return websocket_frame(BINARY, data)
