"""Cases of sections 5 and 10 of the Autobahn test suite: messages in pieces (RFC 6455, 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raw_websocket import CONTINUATION, PING, PONG, frame
from websocket_suite.case import PROTOCOL_ERROR, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websocket_suite.case import Case, Kind


def fragmented(kind: Kind) -> Iterator[Case]:
    """Sections 5 and 10: pieces are put together, and control frames may stand between them."""
    parts = [kind.bytes_of(size) for size in (9, 0, 130, 1, 14)]
    whole = b"".join(parts)
    yield case("5 two fragments", *kind.fragmented(*parts[:2]), messages=[parts[0]])
    yield case("5 five fragments", *kind.fragmented(*parts), messages=[whole])
    yield case("5 three empty fragments", *kind.fragmented(b"", b"", b""), messages=[b""])
    yield case("5 only the middle one is not empty", *kind.fragmented(b"", parts[2], b""), messages=[parts[2]])
    first, *others = kind.fragmented(*parts)
    ping = frame(PING, b"between")
    yield case("5 a ping between two", first, ping, *others, messages=[whole], pongs=[b"between"])
    yield case("5 a pong between two", first, frame(PONG, b"unasked"), *others, messages=[whole])
    by_turns = [each for other in others for each in (ping, other)]
    yield case("5 pings between all", first, *by_turns, messages=[whole], pongs=[b"between"] * len(others))
    twice = [*kind.fragmented(*parts), kind.message(b"whole"), *kind.fragmented(*parts)]
    yield case("5 two in pieces, one whole between them", *twice, messages=[whole, b"whole", whole])
    long = kind.bytes_of(65536)
    cut = [long[at : at + 1300] for at in range(0, len(long), 1300)]
    yield case("10 64 KiB in pieces of 1300 bytes", *kind.fragmented(*cut), messages=[long])


def broken_fragments(kind: Kind) -> Iterator[Case]:
    """Section 5: a piece of nothing, a message within another, and control frames in pieces fail the connection."""
    hello, failed = b"Hello, world!", [PROTOCOL_ERROR]
    for name, opcode in (("ping", PING), ("pong", PONG)):
        pieces = (frame(opcode, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2"))
        yield case(f"5 a {name} in fragments", *pieces, codes=failed)
        within, last = kind.fragmented(hello, hello)
        yield case(f"5 a {name} in fragments within a message", within, *pieces, last, codes=failed)
    whole = kind.message(hello)
    pieces_of_it = kind.fragmented(b"Hello, ", b"world!")
    for fin in (True, False):
        nothing = frame(CONTINUATION, b"of nothing", fin=fin)
        named = f"5 a piece of nothing, {'the last' if fin else 'not the last'}"
        yield case(named, nothing, whole, codes=failed)
        yield case(f"{named}, behind a message", whole, nothing, whole, messages=[hello], codes=failed)
        yield case(f"{named}, behind pieces", *pieces_of_it, nothing, whole, messages=[hello], codes=failed)
        yield case(f"{named}, before pieces, twice", *(nothing, *pieces_of_it) * 2, codes=failed)
    first = pieces_of_it[0]
    yield case("5 a message within another", first, whole, codes=failed)
    yield case("5 all pieces begin a message", first, first, codes=failed)
    other = frame(3 - kind.opcode, b"of the other kind")
    yield case("5 a message of the other kind within another", first, other, codes=failed)
