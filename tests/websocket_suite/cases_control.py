"""Cases of sections 2 and 7 of the Autobahn test suite: pings and pongs, and closing (RFC 6455, 5.5 and 7)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from raw_websocket import CLOSE, CONTINUATION, PING, PONG, frame
from websocket_suite.case import INVALID_PAYLOAD, NORMAL, PROTOCOL_ERROR, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websocket_suite.case import Case, Kind

_VALID: Final = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
_INVALID: Final = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)


def pings(kind: Kind) -> Iterator[Case]:
    """Section 2: a ping is answered with its own payload, a pong with nothing."""
    hello = b"Hello, world!"
    for payload in (b"", hello, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125):
        yield case(f"2 a ping of {len(payload)} bytes", frame(PING, payload), pongs=[payload])
        yield case(f"2 a pong of {len(payload)} bytes", frame(PONG, payload))
    yield case("2 a ping of 126 bytes", frame(PING, b"\xfe" * 126), codes=[PROTOCOL_ERROR])
    yield case("2 a pong of 126 bytes", frame(PONG, b"\xfe" * 126), codes=[PROTOCOL_ERROR])
    yield case("2 a pong, then a ping", frame(PONG, b"unasked"), frame(PING, b"asked"), pongs=[b"asked"])
    ten = [f"payload-{number}".encode() for number in range(10)]
    yield case("2 ten pings", *(frame(PING, payload) for payload in ten), pongs=ten)
    between = [each for payload in ten for each in (frame(PING, payload), kind.message(payload))]
    yield case("2 ten pings and messages by turns", *between, pongs=ten, messages=ten)


def closing(kind: Kind) -> Iterator[Case]:
    """Section 7: a close frame is answered with one, and is the last that counts."""
    hello, close = b"Hello, world!", frame(CLOSE, struct.pack("!H", NORMAL))
    yield case("7.1 a message, then a close frame", kind.message(hello), close, messages=[hello], codes=[NORMAL])
    long = kind.bytes_of(256 << 10)
    behind = (kind.message(long), kind.message(hello), close)
    yield case("7.1 a long message, another, a close frame", *behind, messages=[long, hello], codes=[NORMAL])
    yield case("7.1 two close frames", close, frame(CLOSE), codes=[NORMAL])
    yield case("7.1 a close frame, then a ping", close, frame(PING), codes=[NORMAL])
    yield case("7.1 a close frame, then a message", close, kind.message(hello), codes=[NORMAL])
    yield case("7.1 a close frame, then what is no frame", close, b"\xff" * 20, codes=[NORMAL])
    first, last = kind.fragmented(hello, hello)
    yield case("7.1 a fragment, then a close frame, then another", first, close, last, codes=[NORMAL])


def close_frames(kind: Kind) -> Iterator[Case]:
    """Section 7: what a close frame may hold."""
    normal = struct.pack("!H", NORMAL)
    yield case("7.3 no code", frame(CLOSE), codes=[NORMAL])
    yield case("7.3 half a code", frame(CLOSE, b"\x03"), codes=[PROTOCOL_ERROR])
    for size in (0, 1, 122, 123):
        yield case(f"7.3 a reason of {size} bytes", frame(CLOSE, normal + b"*" * size), codes=[NORMAL])
    yield case("7.3 a reason of 124 bytes", frame(CLOSE, normal + b"*" * 124), codes=[PROTOCOL_ERROR])
    yield case(
        "7.3 a close frame in fragments",
        *(frame(CLOSE, normal, fin=False), frame(CONTINUATION, b"reason")),
        codes=[PROTOCOL_ERROR],
    )
    yield case("7.5 a reason that is text", frame(CLOSE, normal + "grüß €".encode()), codes=[NORMAL])
    for reason in (b"\xff", b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80", b"cut short \xe2\x82"):
        broken = frame(CLOSE, normal + reason)
        yield case(f"7.5 a reason that is none: {reason.hex()}", broken, codes=[PROTOCOL_ERROR, INVALID_PAYLOAD])
    for code in _VALID:
        yield case(f"7.7 code {code}", frame(CLOSE, struct.pack("!H", code)), codes=[NORMAL, code])
        yield case(f"7.7 code {code}, reason", frame(CLOSE, struct.pack("!H", code) + b"so"), codes=[NORMAL, code])
    for code in _INVALID:
        yield case(f"7.9 code {code}", frame(CLOSE, struct.pack("!H", code)), codes=[PROTOCOL_ERROR])
    for code in (1014, 5000, 65535):
        # The specification leaves open what is beyond 4999; the first was registered after most of what is in use.
        yield case(f"7.13 code {code}", frame(CLOSE, struct.pack("!H", code)), codes=[NORMAL, PROTOCOL_ERROR, code])
