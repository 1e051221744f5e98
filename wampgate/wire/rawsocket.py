"""RawSocket's handshake and the prefixes of its frames: bytes to facts and back ("RawSocket Transport")."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from wampgate.wire.frames import LONGEST, PONG, PREFIX_SIZE
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, Serializer

MAGIC: Final = 0x7F
"""The first byte of a connection that speaks RawSocket; no HTTP request begins with it."""

HANDSHAKE_SIZE: Final = 4

SERIALIZER_UNSUPPORTED: Final = 1
LENGTH_UNACCEPTABLE: Final = 2
RESERVED_BITS_USED: Final = 3
TOO_MANY_CONNECTIONS: Final = 4

SHORTEST: Final = 1 << 9
"""The least that a handshake can say of the length of messages, in bytes."""

LEAST_TAKEN: Final = 1 << 11
"""What a client has to take: WELCOME with its roles and their features is longer than half of it."""

SERIALIZER_BY_ID: Final[dict[int, Serializer]] = {1: JSON, 2: MSGPACK, 3: CBOR}

prefix_of: Final = Struct("!I").unpack_from
"""The prefix of the frame that begins at a place of some bytes, as a tuple of one number."""


class HandshakeRefused(Exception):
    """A handshake that is answered by an error.

    Attributes:
        code: what the answer says.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    @property
    def answer(self) -> bytes:
        """The bytes for the client."""
        return refusal(self.code)


class InvalidFrame(Exception):
    """The prefix of a frame that may not be there; the text says why, for the client."""


class Handshake(NamedTuple):
    """What a client asks for.

    Attributes:
        serializer_id: as the handshake names it.
        serializer: the same.
        longest: bytes of the longest message that the client takes.
    """

    serializer_id: int
    serializer: Serializer
    longest: int


def read_handshake(data: bytes) -> Handshake:
    """What a client's handshake asks for.

    Args:
        data: its four bytes; the first one is :data:`MAGIC`.

    Raises:
        HandshakeRefused: it can't be had.
    """
    if data[2] or data[3]:
        raise HandshakeRefused(RESERVED_BITS_USED)
    serializer_id = data[1] & 0x0F
    serializer = SERIALIZER_BY_ID.get(serializer_id)
    if serializer is None:
        raise HandshakeRefused(SERIALIZER_UNSUPPORTED)
    longest = SHORTEST << (data[1] >> 4)
    if longest < LEAST_TAKEN:
        raise HandshakeRefused(LENGTH_UNACCEPTABLE)
    return Handshake(serializer_id, serializer, longest)


def acceptance(longest: int, serializer_id: int) -> bytes:
    """The answer to a handshake: what we take, and the serializer that was asked for.

    Args:
        longest: as :func:`sayable` returns it.
        serializer_id: as the client's handshake names it.
    """
    exponent = longest.bit_length() - SHORTEST.bit_length()
    return bytes((MAGIC, exponent << 4 | serializer_id, 0, 0))


def refusal(code: int) -> bytes:
    """The answer to a handshake that asks for what can't be had."""
    return bytes((MAGIC, code << 4, 0, 0))


def sayable(longest: int) -> int:
    """The length of messages that a handshake can say, which is a power of two, next below a limit in bytes."""
    return min(max(1 << longest.bit_length() - 1, SHORTEST), LONGEST)


def split_prefix(prefix: int) -> tuple[int, int]:
    """The type of a frame and the length of what it holds.

    Raises:
        InvalidFrame: no frame begins so.
    """
    first = prefix >> 24
    kind, length = first & 0x07, prefix & 0xFFFFFF
    if first & 0xF0:
        raise InvalidFrame("a frame uses reserved bits")
    if kind > PONG:
        raise InvalidFrame(f"a frame is of the type {kind}, which is reserved")
    if first & 0x08:
        if length:
            raise InvalidFrame("a frame is longer than 16 MiB")
        length = LONGEST
    return kind, length


def frames_of(data: bytes) -> list[bytes]:
    """The single frames of some that were joined."""
    frames = []
    at = 0
    while at < len(data):
        end = at + PREFIX_SIZE + split_prefix(prefix_of(data, at)[0])[1]
        frames.append(data[at:end])
        at = end
    return frames
