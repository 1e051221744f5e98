"""Client frames, right and wrong, of every kind: short streams of bytes, each with a name by which it is found."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT: Final = 70_000
"""The longest message that is taken, in bytes: all three forms of a length are legal below it."""

MASKS: Final = (b"\x0b\xad\xca\xfe", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x01")

LENGTHS: Final = (0, 1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 128, 129, 255, 256, 1023, 1024, 1025, 1028, 1029, 4096)
LONG: Final = (65_534, 65_535, 65_536, 65_537, LIMIT - 1, LIMIT)

LETTERS: Final = ("a", "\x7f", "\x80", "é", "\u07ff", "\u0800", "€", "\ud7ff", "\ue000", "\uffff", "\U00010000", "😀")
"""The first and the last letters of each length in UTF-8."""

NO_TEXT: Final = (
    b"\x80",
    b"\xbf",
    b"\xff",
    b"\xfe",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xc3",
    b"\xc3\x28",
    b"\xe0\x9f\xbf",
    b"\xe0\x80\xaf",
    b"\xe2\x82",
    b"\xe2\x28\xa1",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x28\x80",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xef\xbb",
)
"""Overlong forms, surrogates, numbers beyond Unicode, ends within a letter, ends without a beginning."""

CODES: Final = (
    *(0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016),
    *(1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 32768, 65535),
)

LAST: Final = b"the last one"
"""A message upon which the router closes the connection."""

HELLO: Final = b'[1,"realm1",{"roles":{}}]'
WITHIN: Final = frame(TEXT, HELLO, fin=False)
"""A message that has begun: what follows it is within."""


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


def in_frames(opcode: int, *parts: bytes, between: bytes = b"") -> bytes:
    """A message of several frames, with something between each two of them."""
    last = len(parts) - 1
    return between.join(
        frame(CONTINUATION if place else opcode, part, fin=place == last) for place, part in enumerate(parts)
    )


def corpus() -> dict[str, bytes]:
    """All streams by their names."""
    streams: dict[str, bytes] = {}
    for part in (
        _whole(),
        _long(),
        _heads(),
        _control(),
        _closing(),
        _ours(),
        _fragments(),
        _letters(),
        _no_text(),
        _sequences(),
    ):
        for name, stream in part:
            assert name not in streams, name
            streams[name] = stream
    return streams


def _whole() -> Iterator[tuple[str, bytes]]:
    for opcode in (TEXT, BINARY):
        for length in LENGTHS:
            yield f"{opcode} of {length}", frame(opcode, b"x" * length)
        for mask in MASKS:
            yield f"{opcode} masked {mask.hex()}", frame(opcode, b"0123456789" * 13, mask=mask)
        yield f"{opcode} unmasked", frame(opcode, HELLO, mask=None)
        yield f"{opcode} unmasked and empty", frame(opcode, mask=None)
        yield f"{opcode} unmasked, then masked", frame(opcode, HELLO, mask=None) + frame(opcode, HELLO)
        yield f"{opcode} masked, then unmasked", frame(opcode, HELLO) + frame(opcode, HELLO, mask=None)
    yield "every byte", frame(BINARY, bytes(range(256)))
    yield "nothing", b""


def _long() -> Iterator[tuple[str, bytes]]:
    """Around 64 KiB, and around the longest that is taken."""
    for opcode in (TEXT, BINARY):
        for length in LONG:
            yield f"{opcode} of {length}", frame(opcode, b"x" * length) + frame(opcode, HELLO)
    for length in (LIMIT + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"a promise of {length}", frame(TEXT, HELLO, form="long", length=length) + frame(TEXT, HELLO)
    yield "too long, all of it", frame(BINARY, b"x" * (LIMIT + 1)) + frame(BINARY, HELLO)
    yield "too long in pieces", in_frames(TEXT, b"x" * LIMIT, b"y") + frame(TEXT, HELLO)
    yield "just short enough in pieces", in_frames(TEXT, b"x" * 40_000, b"y" * (LIMIT - 40_000)) + frame(TEXT, HELLO)
    yield "long and at the end no text", frame(TEXT, b"x" * 60_000 + b"\xff") + frame(TEXT, HELLO)
    yield "longer than 64 KiB and at the end no text", frame(TEXT, b"x" * 66_000 + b"\xff") + frame(TEXT, HELLO)
    yield "long and full of letters", frame(TEXT, "é€😀".encode() * 7000) + frame(TEXT, HELLO)


def _heads() -> Iterator[tuple[str, bytes]]:
    """All first bytes, and lengths in another form than the shortest."""
    for first in range(256):
        opcode, fin, rsv = first & 15, bool(first & 0x80), first >> 4 & 7
        data = frame(opcode, b"[32]", fin=fin, rsv=rsv)
        yield f"first byte {first:02x}", data + frame(TEXT, HELLO)
        yield f"first byte {first:02x} within a message", WITHIN + data + frame(CONTINUATION, b"]") + frame(TEXT, HELLO)
    for opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        for form, length in (("medium", 0), ("medium", 125), ("long", 0), ("long", 126), ("long", 65_535)):
            data = frame(opcode, b"x" * min(length, 200), form=form, length=length)  # type: ignore[arg-type]  # two of its names
            yield f"{opcode}: {length} as {form}", data + frame(TEXT, HELLO)
    for size in range(2, 14):
        yield f"{size} bytes of a head", frame(TEXT, b"x" * 70_000)[:size]
        yield f"{size} bytes of a ping", frame(PING, b"0123456789")[:size]
    yield "one byte", b"\x81"
    yield "what is no frame", b"GET / HTTP/1.1\r\n\r\n"


def _control() -> Iterator[tuple[str, bytes]]:
    for opcode in (PING, PONG):
        for length in (0, 1, 2, 64, 124, 125):
            yield f"{opcode} of {length}", frame(opcode, bytes(range(length))) + frame(TEXT, HELLO)
        for length in (126, 200, 65_536):
            yield f"{opcode} of {length}", frame(opcode, b"x" * length) + frame(TEXT, HELLO)
        for mask in MASKS:
            yield f"{opcode} masked {mask.hex()}", frame(opcode, b"sign of life", mask=mask)
        yield f"{opcode} unmasked", frame(opcode, b"x", mask=None) + frame(TEXT, HELLO)
        yield f"{opcode} unmasked and empty", frame(opcode, mask=None) + frame(TEXT, HELLO)
        yield f"{opcode} in pieces", frame(opcode, b"x", fin=False) + frame(CONTINUATION, b"y") + frame(TEXT, HELLO)
        yield f"{opcode} that is no text", frame(opcode, b"\xff\xc3") + frame(TEXT, HELLO)
    yield "a flood of pings", b"".join(frame(PING, b"%d" % number) for number in range(300))
    yield "a flood of empty pings", frame(PING) * 500
    yield "a flood of pongs", frame(PONG, b"unasked") * 300
    yield "pings between messages", b"".join(frame(PING, b"%d" % n) + frame(TEXT, b"[%d]" % n) for n in range(50))
    yield "pings and pongs before half a message", frame(PING, b"1") + frame(PONG) + frame(TEXT, HELLO)[:9]


def _closing() -> Iterator[tuple[str, bytes]]:
    for code in CODES:
        yield f"close {code}", close(code) + frame(TEXT, HELLO)
        yield f"close {code} with a reason", close(code, "leb wohl, é€😀".encode())
    yield "close without a code", frame(CLOSE)
    yield "close without a code, then data", frame(CLOSE) + frame(TEXT, HELLO) + frame(PING, b"x")
    yield "close with half a code", frame(CLOSE, b"\x03") + frame(TEXT, HELLO)
    yield "close twice", close(1000) * 2
    yield "close three ways", close(1000) + close(999) + frame(TEXT, b"\xff")
    yield "close unmasked", frame(CLOSE, b"\x03\xe8", mask=None)
    yield "close in pieces", frame(CLOSE, b"\x03\xe8", fin=False) + frame(CONTINUATION, b"x")
    yield "close with a reason of 123 bytes", close(1000, b"r" * 123)
    yield "close with a reason of 124 bytes", close(1000, b"r" * 124) + frame(TEXT, HELLO)
    for place, bad in enumerate(NO_TEXT):
        yield f"close with a reason that is no text {place}", close(1000, b"because" + bad) + frame(TEXT, HELLO)
    yield "close behind a message", frame(TEXT, HELLO) + close(1000, b"bye") + frame(TEXT, HELLO)
    yield "close within a message", WITHIN + close(1001) + frame(CONTINUATION, b"]")
    yield "close behind half a letter", in_frames(TEXT, b"\xe2\x82", b"\xac", between=close(1000))
    for violation in (frame(TEXT, HELLO, rsv=1), frame(TEXT, b"\xff"), frame(PING, b"x" * 126), frame(3, b"")):
        name = violation[:2].hex()
        yield f"close behind {name}", violation + close(1000)
        yield f"{name}, what is no answer, close", violation + frame(TEXT, HELLO) + frame(PING, b"x") + close(1002)
        yield f"{name} twice", violation * 2 + frame(PING, b"x")


def _ours() -> Iterator[tuple[str, bytes]]:
    """Closing on our side."""
    for opcode in (TEXT, BINARY):
        end = frame(opcode, LAST)
        for name, behind in (
            ("nothing", b""),
            ("a message", frame(opcode, HELLO)),
            ("half a message", frame(opcode, HELLO)[:9]),
            ("the answer", close(1008)),
            ("a message, a ping, the answer, a message", frame(opcode) + frame(PING) + close(1008) + frame(opcode)),
            ("pieces", in_frames(opcode, b"[", b"]", between=frame(PING, b"p"))),
            ("the same", end),
            ("a fault", frame(opcode, rsv=1) + frame(PING)),
            ("no text, the answer", frame(TEXT, b"\xff") + close(1000)),
        ):
            yield f"our close for {opcode}, then {name}", frame(PING, b"before") + end + behind
        yield f"our close for {opcode} in pieces", in_frames(opcode, LAST[:3], LAST[3:]) + frame(opcode, HELLO)


def _fragments() -> Iterator[tuple[str, bytes]]:
    for opcode in (TEXT, BINARY):
        pieces = [b"[", b'"', b"a" * 200, b"", b'"', b"]"]
        for name, between in (
            ("nothing", b""),
            ("a ping", frame(PING, b"p")),
            ("a pong", frame(PONG, b"p")),
            ("two pings", frame(PING, b"p") + frame(PING)),
            ("a message", frame(opcode, HELLO)),
            ("another message", frame(3 - opcode, HELLO)),
            ("a reserved control frame", frame(11, b"x")),
            ("a ping too long", frame(PING, b"x" * 126)),
        ):
            data = in_frames(opcode, *pieces, between=between)
            yield f"{opcode} in pieces with {name} between", data + frame(opcode, HELLO)
        for count in (1, 2, 5):
            empty = frame(opcode, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * count
            yield f"{opcode} of nothing in {count} pieces", empty + frame(CONTINUATION, b"") + frame(opcode, HELLO)
        yield f"{opcode} in pieces twice", in_frames(opcode, b"[", b"]") * 2 + frame(opcode, HELLO)
        yield (
            f"{opcode} whole, then a continuation",
            frame(opcode, HELLO) + frame(CONTINUATION, b"x") + frame(opcode, HELLO),
        )
        yield f"{opcode} in pieces, then a continuation", in_frames(opcode, b"[", b"]") + frame(CONTINUATION, b"x")
        yield f"{opcode} that has no end", frame(opcode, b"[", fin=False) + frame(CONTINUATION, b"]", fin=False)
        yield f"{opcode} byte by byte", in_frames(opcode, *(HELLO[at : at + 1] for at in range(len(HELLO))))
        yield f"{opcode}: a continuation alone", frame(CONTINUATION, HELLO) + frame(opcode, HELLO)
        yield f"{opcode}: a continuation that has no end", frame(CONTINUATION, HELLO, fin=False) + frame(opcode, HELLO)


def _letters() -> Iterator[tuple[str, bytes]]:
    """Letters at each place of a text, and cut at each place between two frames."""
    for letter in LETTERS:
        data = letter.encode(errors="surrogatepass")
        for before in range(9):
            yield f"{letter!a} at {before}", frame(TEXT, b"x" * before + data + b"y" * 5) + frame(TEXT, data)
        for cut in range(1, len(data)):
            yield f"{letter!a} cut at {cut}", in_frames(TEXT, data[:cut], data[cut:]) + frame(TEXT, HELLO)
            pinged = in_frames(TEXT, data[:cut], b"", data[cut:], between=frame(PING, data[:cut]))
            yield f"{letter!a} cut at {cut} around pings", pinged + frame(TEXT, HELLO)
    yield "text that begins with a byte order mark", frame(TEXT, b"\xef\xbb\xbf[]")
    yield "NUL", frame(TEXT, b'["\0"]') + frame(TEXT, b"\0")


def _no_text() -> Iterator[tuple[str, bytes]]:
    """What is not UTF-8, at each place, and cut at each place between two frames."""
    for place, bad in enumerate(NO_TEXT):
        for before in (0, 1, 2, 3, 4, 7, 8, 120, 130):
            data = frame(TEXT, b"x" * before + bad + b"y" * (before % 5))
            yield f"no text {place} at {before}", frame(TEXT, HELLO) + data + frame(TEXT, HELLO) + frame(PING, b"p")
        yield f"no text {place} at the end", frame(TEXT, b"x" * 30 + bad) + frame(TEXT, HELLO)
        yield f"no text {place} as binary", frame(BINARY, bad) + frame(TEXT, HELLO)
        for cut in range(len(bad) + 1):
            yield f"no text {place} cut at {cut}", in_frames(TEXT, bad[:cut], bad[cut:]) + frame(TEXT, HELLO)
        half = frame(TEXT, b"x" * 50 + bad + b"y" * 50)
        yield f"no text {place}, half of it", half[: 6 + 50 + len(bad) + 10]


def _sequences() -> Iterator[tuple[str, bytes]]:
    """Kinds in turn, so that each comes behind each."""
    kinds = {
        "text": frame(TEXT, HELLO),
        "empty": frame(TEXT),
        "medium": frame(TEXT, b"x" * 300),
        "binary": frame(BINARY, b"\xff\x00"),
        "ping": frame(PING, b"p"),
        "pong": frame(PONG),
        "pieces": in_frames(TEXT, b"[", b"]", between=frame(PING, b"q")),
        "half": frame(TEXT, HELLO)[:11],
        "no text": frame(TEXT, b"\xc3("),
        "reserved": frame(TEXT, HELLO, rsv=4),
        "unmasked": frame(TEXT, HELLO, mask=None),
        "close": close(1000, b"bye"),
    }
    for one, first in kinds.items():
        for other, second in kinds.items():
            yield f"{one}, {other}", first + second + frame(TEXT, b"[9]")
