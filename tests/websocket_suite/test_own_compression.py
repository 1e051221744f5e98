"""What sections 12 and 13 of the Autobahn test suite check, in our own words: permessage-deflate (RFC 7692)."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING, Any, Final

import pytest
from raw_deflate import COMPRESSED, deflated, in_fragments, inflated, varied_text
from raw_websocket import CLOSE, CONTINUATION, PING, RawConnection, frame
from websocket_suite.case import INVALID_PAYLOAD, KINDS, PROTOCOL_ERROR, TOO_BIG
from websocket_suite.echo_endpoint import MESSAGE_BYTES, SMALLEST
from websocket_suite.echo_process import EchoProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websocket_suite.case import Kind

TEXT, BINARY = KINDS

# What is offered, and the window of what comes back, in bits.
OFFERS: Final = {
    "permessage-deflate": 15,
    "permessage-deflate; client_max_window_bits": 15,
    "permessage-deflate; server_no_context_takeover": 15,
    "permessage-deflate; server_max_window_bits=9": 9,
    "permessage-deflate; server_max_window_bits=15": 15,
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9": 9,
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=15": 15,
    "permessage-deflate; server_max_window_bits=8, permessage-deflate": 15,
    "x-unknown, permessage-deflate; server_max_window_bits=12": 12,
}
OFFER: Final = next(iter(OFFERS))
DECLINED: Final = (
    *("x-unknown", "permessage-deflate; x-unknown", "permessage-deflate; server_max_window_bits=16"),
    *("permessage-deflate; server_max_window_bits", "permessage-deflate; server_no_context_takeover=1"),
)

WHOLE: Final = 1 << 30

# Bytes of a message, and of each of its pieces.
SIZES: Final = (
    *((size, WHOLE) for size in (0, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)),
    *((size, 256) for size in (8192, 16384, 32768, 65536, 131072)),
    *((131072, piece) for piece in (1024, 4096, 32768)),
)
MESSAGES: Final = 6


class Deflating(RawConnection):
    """A connection on which messages may be compressed.

    Args:
        port: the echo endpoint's.
        kind: of the messages.
        offer: what is offered.
    """

    def __init__(self, port: int, kind: Kind, offer: str = OFFER) -> None:
        super().__init__(port, timeout=20)
        self.kind = kind
        response = self.upgrade(kind.subprotocol, headers=[("Sec-WebSocket-Extensions", offer)])
        self.agreed = response.headers.get("sec-websocket-extensions", "")

    def send_compressed(self, payload: bytes, *, piece: int = WHOLE, **how: Any) -> None:
        data = deflated(payload, **how)
        pieces = -(-len(data) // piece)
        self.send_bytes(in_fragments(self.kind.opcode, data, pieces, rsv=COMPRESSED))

    def receive_echo(self, window: int = 15) -> tuple[bytes, bool]:
        """The next message, and whether it came compressed; it can be read with no larger window than this."""
        received = self.receive_frame()
        assert (received.opcode, received.fin) == (self.kind.opcode, True)
        compressed = received.first >> 4 == 8 | COMPRESSED
        assert compressed or received.first >> 4 == 8
        return (inflated(received.payload, window=window) if compressed else received.payload), compressed


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an echo endpoint."""
    with EchoProcess() as endpoint:
        yield endpoint.port


@pytest.fixture
def connect(echo: int) -> Iterator[Callable[..., Deflating]]:
    """Opens connections, and closes them at the end."""
    opened: list[Deflating] = []

    def connect(kind: Kind, offer: str = OFFER) -> Deflating:
        opened.append(Deflating(echo, kind, offer))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def payload_of(kind: Kind, size: int, seed: int) -> bytes:
    """Text that gets shorter; binary that does not, in every other message."""
    if kind is BINARY and seed % 2:
        return random.Random(seed).randbytes(size)
    return varied_text(size, seed).encode()


by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@by_kind
@pytest.mark.parametrize("offer", OFFERS)
def test_messages_come_back(connect: Callable[..., Deflating], kind: Kind, offer: str) -> None:
    connection = connect(kind, offer)
    assert connection.agreed.startswith("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    for size, piece in SIZES:
        for seed in range(MESSAGES):
            payload = payload_of(kind, size, seed)
            connection.send_compressed(payload, piece=piece)
            echoed, compressed = connection.receive_echo(OFFERS[offer])
            assert echoed == payload
            # Random bytes don't get shorter, nor may text of hardly more than the least size.
            assert compressed == (size > 2 * SMALLEST and (kind is TEXT or seed % 2 == 0))


@by_kind
@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("window", [9, 12, 15])
def test_whatever_the_client_compresses_with(
    connect: Callable[..., Deflating], kind: Kind, level: int, window: int
) -> None:
    connection = connect(kind)
    payload = payload_of(kind, 70_000, 1)
    connection.send_compressed(payload, level=level, window=window)
    assert connection.receive_echo()[0] == payload


@by_kind
def test_compressed_and_plain_messages_by_turns(connect: Callable[..., Deflating], kind: Kind) -> None:
    connection = connect(kind)
    payloads = [payload_of(kind, size, 2) for size in (5, 300, 0, 2000, 126)]
    for payload in payloads:
        connection.send_compressed(payload)
        connection.send_frame(kind.opcode, payload)
        connection.send_bytes(b"".join(kind.fragmented(payload[:2], payload[2:])))
    assert [connection.receive_echo()[0] for _ in range(3 * len(payloads))] == [
        payload for payload in payloads for _ in range(3)
    ]


@pytest.mark.parametrize("offer", DECLINED)
def test_what_is_declined_is_not_used(connect: Callable[..., Deflating], offer: str) -> None:
    connection = connect(TEXT, offer)
    assert connection.agreed == ""
    connection.send_compressed(b"Hello")
    assert connection.closed()[0] == PROTOCOL_ERROR


def broken(kind: Kind) -> dict[str, tuple[bytes, set[int]]]:
    """What no client may send, and the codes by which the connection ends."""
    opcode, hello = kind.opcode, deflated(b"Hello")
    dictionary = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=b"Hello, what was said before")
    referring = (dictionary.compress(b"Hello, what was said before") + dictionary.flush(zlib.Z_SYNC_FLUSH))[:-4]
    last = frame(CONTINUATION, hello[2:], rsv=COMPRESSED)
    begun = frame(opcode, hello[:2], fin=False, rsv=COMPRESSED)
    bomb = deflated(b"\0" * (MESSAGE_BYTES + 1))
    return {
        "the bit on a later piece": (begun + last, {PROTOCOL_ERROR}),
        "the bit on a ping": (frame(PING, b"x", rsv=COMPRESSED), {PROTOCOL_ERROR}),
        "the bit on a close frame": (frame(CLOSE, b"\x03\xe8", rsv=COMPRESSED), {PROTOCOL_ERROR}),
        "another bit": (frame(opcode, hello, rsv=2), {PROTOCOL_ERROR}),
        "another bit as well": (frame(opcode, hello, rsv=COMPRESSED | 1), {PROTOCOL_ERROR}),
        "no compressed form": (frame(opcode, b"\xff" * 9, rsv=COMPRESSED), {INVALID_PAYLOAD}),
        "cut short": (frame(opcode, deflated(b"Hello" * 99)[:-3], rsv=COMPRESSED), {INVALID_PAYLOAD}),
        "refers to what was before": (frame(opcode, referring, rsv=COMPRESSED), {INVALID_PAYLOAD}),
        "longer than may be": (frame(opcode, bomb, rsv=COMPRESSED), {TOO_BIG}),
    }


@by_kind
@pytest.mark.parametrize("what", broken(TEXT))
def test_what_no_client_may_send(connect: Callable[..., Deflating], kind: Kind, what: str) -> None:
    data, codes = broken(kind)[what]
    connection = connect(kind)
    connection.send_bytes(data)
    assert connection.closed()[0] in codes


@pytest.mark.parametrize("payload", [b"\xff", b"cut short \xe2\x82", b"\xed\xa0\x80", b"\xc0\x80" * 200])
def test_what_inflates_to_no_text(connect: Callable[..., Deflating], payload: bytes) -> None:
    connection = connect(TEXT)
    connection.send_compressed(payload)
    assert connection.closed()[0] == INVALID_PAYLOAD
