"""Cases of section 6 of the Autobahn test suite: what is text, and what is not (RFC 6455, 8.1; RFC 3629)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from raw_websocket import PING, frame
from websocket_suite.case import INVALID_PAYLOAD, KINDS, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websocket_suite.case import Case

_TEXT, _BINARY = KINDS
_GREEK: Final = "κόσμε".encode()

# The first and the last code point of each length, the neighbours of the surrogates, and what stands for no character.
_CODE_POINTS: Final = (
    *(0x00, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF, 0xD7FF, 0xE000, 0x24B62, 0x20AC),
    *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF)),
    *range(0xFFF9, 0xFFFE),
    *(0xFDD0, 0xFDEF, 0xFEFF),
)


def _surrogate(code: int) -> bytes:
    return chr(code).encode(errors="surrogatepass")


_HIGH: Final = (0xD800, 0xDB7F, 0xDB80, 0xDBFF)
_LOW: Final = (0xDC00, 0xDF80, 0xDFFF)

_NO_TEXT: Final[dict[str, tuple[bytes, ...]]] = {
    "a byte that continues nothing": (b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf" * 3, bytes(range(0x80, 0xC0))),
    "a beginning that nothing continues": (
        *(bytes((first,)) + b" " for first in range(0xC0, 0x100)),
        *(b"\xe2\x82 ", b"\xf0\x9f\x98 ", b"\xc3\xc3\xa9"),
    ),
    "cut short": (
        b"\xc3",
        b"\xe2",
        b"\xe2\x82",
        b"\xf0",
        b"\xf0\x9f",
        b"\xf0\x9f\x98",
        b"\xf4\x8f\xbf",
        b"\xdf\xef\xbf",
    ),
    "longer than it need be": (
        *(b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x80\xaf", b"\xe0\x9f\xbf"),
        *(b"\xf0\x80\x80\x80", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf"),
    ),
    "beyond the last code point": (
        *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xf8\x88\x80\x80\x80"),
        *(b"\xfb\xbf\xbf\xbf\xbf", b"\xfc\x84\x80\x80\x80\x80", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xfe", b"\xff\xff"),
    ),
    "a surrogate": tuple(_surrogate(code) for code in (*_HIGH, *_LOW)),
    "a pair of surrogates": tuple(_surrogate(high) + _surrogate(low) for high in _HIGH for low in _LOW),
}


def text() -> Iterator[Case]:
    """Section 6: text comes back as it was, also in pieces that end within a character."""
    for code in dict.fromkeys(_CODE_POINTS):
        payload = b"hello" + chr(code).encode() + b"world"
        yield case(f"6 U+{code:04X}", _TEXT.message(payload), messages=[payload])
        yield case(f"6 U+{code:04X} in pieces", *_in_pieces(payload), messages=[payload])
    for size in range(1, len(_GREEK) + 1):
        start = _GREEK[:size]
        whole = start.decode(errors="ignore").encode() == start
        named = f"6 the first {size} bytes of a Greek word"
        if whole:
            yield case(named, _TEXT.message(start), messages=[start])
        else:
            yield case(named, _TEXT.message(start), codes=[INVALID_PAYLOAD])
    piece, *others = _in_pieces(_GREEK)
    between = [each for other in others for each in (frame(PING, b"\xff"), other)]
    pings = [b"\xff"] * len(others)
    yield case("6 pings within characters", piece, *between, messages=[_GREEK], pongs=pings)


def no_text() -> Iterator[Case]:
    """Section 6: what is no UTF-8 fails the connection, wherever in a message it stands, alone and in pieces."""
    for why, payloads in _NO_TEXT.items():
        for payload in payloads:
            named = f"6 {why}: {payload.hex()}"
            yield case(named, _TEXT.message(payload), codes=[INVALID_PAYLOAD])
            amid = _GREEK + payload + b"edited"
            yield case(f"{named}, amid text", _TEXT.message(amid), codes=[INVALID_PAYLOAD])
            yield case(f"{named}, amid text in pieces", *_in_pieces(amid), codes=[INVALID_PAYLOAD])


def early() -> Iterator[Case]:
    """Section 6.4: a message that has become wrong fails before it is complete, if it comes in pieces."""
    for why, payloads in _NO_TEXT.items():
        if why == "cut short":
            # What is cut short may go on.
            continue
        begun = _in_pieces(_GREEK + payloads[0] + b"never sent")[: len(_GREEK + payloads[0])]
        yield case(f"6.4 {why}, the last piece is missing", *begun, codes=[INVALID_PAYLOAD])
    wrong = frame(_TEXT.opcode, _GREEK + b"\xf4\x90\x80\x80", fin=False, length=50)
    yield case("6.4 beyond the last code point, the rest of the piece is missing", wrong, codes=[INVALID_PAYLOAD])


def bytes_that_are_no_text() -> Iterator[Case]:
    """Binary messages may hold any bytes."""
    for why, payloads in _NO_TEXT.items():
        messages = [_BINARY.message(payload) for payload in payloads]
        yield case(f"6 {why}, but binary", *messages, messages=payloads)


def _in_pieces(payload: bytes) -> list[bytes]:
    """The frames of a text message in pieces of one byte."""
    return _TEXT.fragmented(*(payload[at:end] for at, end in pairwise(range(len(payload) + 1))))
