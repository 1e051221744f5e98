"""Cases of sections 1, 3 and 4 of the Autobahn test suite: lengths, masks, reserved bits, opcodes (RFC 6455, 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raw_websocket import CLOSE, PING, frame
from websocket_suite.case import PROTOCOL_ERROR, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websocket_suite.case import Case, Kind

_SIZES: Final = (0, 1, 3, 4, 5, 124, 125, 126, 127, 128, 1023, 1024, 1025, 65535, 65536, 65537)
_MASKS: Final = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0")
_RESERVED_OPCODES: Final = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)


def lengths_and_masks(kind: Kind) -> Iterator[Case]:
    """Section 1: a message of any size comes back, however it is masked."""
    for size in _SIZES:
        payload = kind.bytes_of(size)
        yield case(f"1 {size} bytes", kind.message(payload), messages=[payload])
    several = [kind.bytes_of(size) for size in (5, 0, 126, 7)]
    yield case("1 several messages", *map(kind.message, several), messages=several)
    for mask in _MASKS:
        payload = kind.bytes_of(77)
        yield case(f"1 mask {mask.hex()}", frame(kind.opcode, payload, mask=mask), messages=[payload])


def broken_lengths_and_masks(kind: Kind) -> Iterator[Case]:
    """Section 1: the shortest form of a length is the only one, and clients mask."""
    hello = b"Hello"
    wrong = {
        "16 bits for a short length": frame(kind.opcode, hello, form="medium"),
        "64 bits for a short length": frame(kind.opcode, hello, form="long"),
        "64 bits for a medium length": frame(kind.opcode, b"x" * 200, form="long"),
        "a length of 64 bits whose first is set": frame(kind.opcode, hello, form="long", length=1 << 63),
        "no mask": frame(kind.opcode, hello, mask=None),
        "a ping without a mask": frame(PING, hello, mask=None),
    }
    for what, sent in wrong.items():
        yield case(f"1 {what}", sent, codes=[PROTOCOL_ERROR])
        yield case(f"1 a message, then {what}", kind.message(hello), sent, messages=[hello], codes=[PROTOCOL_ERROR])


def reserved_bits(kind: Kind) -> Iterator[Case]:
    """Section 3: where nothing was negotiated the three bits are zero."""
    hello = b"Hello, world!"
    for rsv in range(1, 8):
        broken = kind.message(hello, rsv=rsv)
        yield case(f"3 a message with {rsv}", broken, codes=[PROTOCOL_ERROR])
        yield case(
            f"3 a message, then one with {rsv}, then a ping",
            *(kind.message(hello), broken, frame(PING)),
            messages=[hello],
            codes=[PROTOCOL_ERROR],
        )
        yield case(f"3 a ping with {rsv}", frame(PING, b"x", rsv=rsv), codes=[PROTOCOL_ERROR])
        yield case(f"3 a close frame with {rsv}", frame(CLOSE, b"\x03\xe8", rsv=rsv), codes=[PROTOCOL_ERROR])
        first, last = kind.fragmented(hello, hello)
        yield case(f"3 a fragment with {rsv}", first, _with_bits(last, rsv), codes=[PROTOCOL_ERROR])


def _with_bits(sent: bytes, rsv: int) -> bytes:
    return bytes((sent[0] | rsv << 4,)) + sent[1:]


def opcodes(kind: Kind) -> Iterator[Case]:
    """Section 4: an opcode that means nothing fails the connection."""
    hello = b"Hello, world!"
    for opcode in _RESERVED_OPCODES:
        for payload in (b"", b"reserved"):
            broken = frame(opcode, payload)
            yield case(f"4 opcode {opcode}, {len(payload)} bytes", broken, codes=[PROTOCOL_ERROR])
            yield case(
                f"4 a message, then opcode {opcode}, {len(payload)} bytes, then a ping",
                *(kind.message(hello), broken, frame(PING)),
                messages=[hello],
                codes=[PROTOCOL_ERROR],
            )
