"""What section 9 of the Autobahn test suite checks, in our own words: large messages, many pieces, many messages."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Final

import pytest
from raw_websocket import CONTINUATION, RawConnection, frame
from websocket_suite.case import KINDS, PROTOCOL_ERROR, TOO_BIG
from websocket_suite.echo_endpoint import FRAGMENTS, MESSAGE_BYTES
from websocket_suite.echo_process import EchoProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websocket_suite.case import Kind

# Fifty times what it takes on a quiet machine: only what grows with the square of a size takes longer.
SECONDS: Final = 30.0

KIB: Final = 1 << 10
MIB: Final = 1 << 20

by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an echo endpoint."""
    with EchoProcess() as endpoint:
        yield endpoint.port


@pytest.fixture
def connect(echo: int) -> Iterator[Callable[[Kind], RawConnection]]:
    """Opens connections, and closes them at the end."""
    opened: list[RawConnection] = []

    def connect(kind: Kind) -> RawConnection:
        connection = RawConnection(echo, timeout=SECONDS)
        opened.append(connection)
        connection.upgrade(kind.subprotocol)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@by_kind
@pytest.mark.parametrize("size", [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, MESSAGE_BYTES])
def test_a_large_message(connect: Callable[[Kind], RawConnection], kind: Kind, size: int) -> None:
    payload = kind.bytes_of(size)
    start = time.monotonic()
    connection = connect(kind)
    connection.send_frame(kind.opcode, payload)
    assert connection.receive_message() == (kind.opcode, payload)
    assert time.monotonic() - start < SECONDS


@by_kind
@pytest.mark.parametrize("piece", [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB])
def test_a_large_message_in_pieces(connect: Callable[[Kind], RawConnection], kind: Kind, piece: int) -> None:
    payload = kind.bytes_of(4 * MIB)
    start = time.monotonic()
    connection = connect(kind)
    connection.send_bytes(b"".join(kind.fragmented(*(payload[at : at + piece] for at in range(0, 4 * MIB, piece)))))
    assert connection.receive_message() == (kind.opcode, payload)
    assert time.monotonic() - start < SECONDS


@by_kind
@pytest.mark.parametrize("chop", [64, 128, 256, 512, KIB, 2 * KIB])
def test_a_large_message_that_comes_little_by_little(
    connect: Callable[[Kind], RawConnection], kind: Kind, chop: int
) -> None:
    payload = kind.bytes_of(MIB)
    data = kind.message(payload)
    connection = connect(kind)
    for at in range(0, len(data), chop):
        connection.send_bytes(data[at : at + chop])
    assert connection.receive_message() == (kind.opcode, payload)


@by_kind
@pytest.mark.parametrize("chop", [64, 1000])
def test_a_medium_message_that_comes_little_by_little(
    connect: Callable[[Kind], RawConnection], kind: Kind, chop: int
) -> None:
    payload = kind.bytes_of(65535)
    data = kind.message(payload) + kind.message(b"behind it")
    connection = connect(kind)
    # Each read appends to what is there of a frame already.
    connection.send_split(data, range(chop, len(data), chop))
    assert connection.receive_message() == (kind.opcode, payload)
    assert connection.receive_message() == (kind.opcode, b"behind it")


@by_kind
@pytest.mark.parametrize("size", [0, 16, 64, 256, KIB, 4 * KIB])
def test_a_thousand_messages_one_after_another(connect: Callable[[Kind], RawConnection], kind: Kind, size: int) -> None:
    payload = kind.bytes_of(size)
    connection = connect(kind)
    for _ in range(1000):
        connection.send_frame(kind.opcode, payload)
        assert connection.receive_message() == (kind.opcode, payload)


@by_kind
def test_ten_thousand_messages_at_once(connect: Callable[[Kind], RawConnection], kind: Kind) -> None:
    payloads = [b"%d" % number + b"." * (number % 140) for number in range(10_000)]
    connection = connect(kind)
    sent = iter(payloads)
    received = []
    # As many as fit into the sockets' buffers on the way there and back, so that neither end waits for the other.
    while some := list(islice(sent, 500)):
        connection.send_bytes(b"".join(map(kind.message, some)))
        received += [connection.receive_message()[1] for _ in some]
    assert received == payloads


@by_kind
def test_one_byte_more_than_may_be(connect: Callable[[Kind], RawConnection], kind: Kind) -> None:
    connection = connect(kind)
    # Its head is enough to be refused.
    connection.send_bytes(frame(kind.opcode, b"", length=MESSAGE_BYTES + 1, form="long"))
    assert connection.closed()[0] == TOO_BIG


@by_kind
def test_one_byte_more_than_may_be_in_pieces(connect: Callable[[Kind], RawConnection], kind: Kind) -> None:
    connection = connect(kind)
    half = kind.bytes_of(MESSAGE_BYTES // 2)
    connection.send_bytes(frame(kind.opcode, half, fin=False) + frame(CONTINUATION, half, fin=False))
    connection.send_bytes(frame(CONTINUATION, b"!"))
    assert connection.closed()[0] == TOO_BIG


@by_kind
def test_one_piece_more_than_may_be(connect: Callable[[Kind], RawConnection], kind: Kind) -> None:
    connection = connect(kind)
    connection.send_bytes(frame(kind.opcode, fin=False) + frame(CONTINUATION, fin=False) * FRAGMENTS)
    assert connection.closed()[0] == TOO_BIG


@by_kind
@pytest.mark.parametrize("cut", range(2, 14))
def test_half_a_head_stops_nobody(connect: Callable[[Kind], RawConnection], kind: Kind, cut: int) -> None:
    stuck, other = connect(kind), connect(kind)
    # 126 bytes is the least that this form is for: whoever reads it waits for the mask, and meanwhile others go on.
    head = frame(kind.opcode, b"x" * 5, form="medium" if cut < 8 else "long")
    stuck.send_bytes(head[:cut])
    other.send_frame(kind.opcode, b"still here")
    other.socket.settimeout(5)
    assert other.receive_message() == (kind.opcode, b"still here")
    stuck.send_bytes(head[cut:])
    assert stuck.closed()[0] == PROTOCOL_ERROR
