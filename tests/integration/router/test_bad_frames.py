"""Bad WebSocket frames: the close code that RFC 6455 prescribes, bounded memory, and a daemon that goes on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from raw_wamp import random_name
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, Ended, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer
    from router_process import RouterProcess

CALL = b'[48,1,{},"com.example.nothing"]'
INVALID_UTF8 = [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x82", b"\x80"]


@pytest.fixture(scope="module")
def honest(router: RouterProcess) -> Iterator[Peer]:
    from conftest import ticket_of
    from raw_wamp import Peer

    with Peer(router.port, timeout=5).join(ticket_of("carol")) as peer:
        yield peer


@pytest.fixture(autouse=True)
def goes_on(router: RouterProcess, honest: Peer) -> Iterator[None]:
    yield
    assert honest.publish(random_name(), ["still here"]) > 0
    assert router.running


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, CALL, mask=None), 1002, id="unmasked"),
        pytest.param(frame(PING, b"x", mask=None), 1002, id="unmasked ping"),
        *(pytest.param(frame(TEXT, CALL, rsv=rsv), 1002, id=f"reserved bits {rsv:03b}") for rsv in range(1, 8)),
        *(pytest.param(frame(opcode, CALL), 1002, id=f"opcode {opcode}") for opcode in (3, 4, 5, 6, 7)),
        *(pytest.param(frame(opcode, b""), 1002, id=f"opcode {opcode}") for opcode in range(11, 16)),
        pytest.param(frame(CONTINUATION, CALL), 1002, id="continuation of nothing"),
        pytest.param(frame(TEXT, b"[", fin=False) + frame(TEXT, CALL), 1002, id="message within a message"),
        pytest.param(frame(TEXT, CALL, form="medium"), 1002, id="126 for a short length"),
        pytest.param(frame(TEXT, CALL, form="long"), 1002, id="127 for a short length"),
        pytest.param(frame(TEXT, b" " * 300, form="long"), 1002, id="127 for a medium length"),
        pytest.param(frame(TEXT, b"", form="long", length=2**63), 1002, id="length with its highest bit"),
        pytest.param(frame(TEXT, b"", form="long", length=2**64 - 1), 1002, id="greatest length"),
        pytest.param(frame(TEXT, b"", form="long", length=2**63 - 1), 1009, id="greatest legal length"),
        pytest.param(frame(TEXT, b"", length=2**20 + 1), 1009, id="one byte too long"),
        pytest.param(frame(TEXT, b" " * (2**20 + 1)), 1009, id="one byte too long, all of it"),
        pytest.param(
            frame(TEXT, b" " * 2**19, fin=False) + frame(CONTINUATION, b" " * 2**19, fin=False) + frame(0, b"  "),
            1009,
            id="too long in pieces",
        ),
        pytest.param(frame(PING, b"x" * 126), 1002, id="ping too long"),
        pytest.param(frame(PING, b"x", fin=False), 1002, id="ping in pieces"),
        pytest.param(frame(CLOSE, b"\x03\xe8", fin=False), 1002, id="close in pieces"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="close with half a code"),
        *(
            pytest.param(frame(CLOSE, struct.pack("!H", code)), 1002, id=f"close {code}")
            for code in (0, 999, 1004, 1005, 1006, 1016, 2999, 5000, 65535)
        ),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="close with a reason that is no text"),
        *(pytest.param(frame(TEXT, b'["' + bad + b'"]'), 1007, id=f"text {bad.hex()}") for bad in INVALID_UTF8),
        *(
            pytest.param(frame(TEXT, b'["', fin=False) + frame(CONTINUATION, bad + b'"]'), 1007, id=f"late {bad.hex()}")
            for bad in INVALID_UTF8
        ),
        pytest.param(frame(TEXT, b'["\xe2\x82', fin=False) + frame(CONTINUATION, b'x"]'), 1007, id="cut in a letter"),
        pytest.param(frame(TEXT, b'["' + b"a" * 70_000 + b'\xff"]'), 1007, id="long and at the end no text"),
    ],
)
@pytest.mark.parametrize("established", [True, False], ids=["established", "opening"])
def test_what_is_no_frame_ends_the_connection(
    connect: Callable[..., Peer], data: bytes, code: int, established: bool
) -> None:
    peer = connect()
    if established:
        peer.join("the-ticket-of-alice")
    peer.send_bytes(data)
    assert peer.closed()[0] == code


def test_the_router_does_not_wait_long_for_the_answer_to_its_close(connect: Callable[..., Peer]) -> None:
    answering, silent = connect().join("the-ticket-of-alice"), connect().join("the-ticket-of-alice")
    for peer in (answering, silent):
        peer.send_frame(TEXT, CALL, rsv=1)
        assert peer.closed()[0] == 1002
    answering.send_frame(CLOSE, b"\x03\xea")
    assert answering.ended() < 0.5
    assert silent.ended() < 4


def test_the_wrong_kind_of_message_is_a_violation(connect: Callable[..., Peer]) -> None:
    for serializer, opcode in (("json", BINARY), ("msgpack", TEXT), ("cbor", TEXT)):
        peer = connect(serializer=serializer).join("the-ticket-of-alice")
        peer.send_frame(opcode, CALL)
        assert peer.aborted() == ("wamp.error.protocol_violation", 1002)


def test_a_letter_may_be_cut_between_fragments(connect: Callable[..., Peer]) -> None:
    peer = connect().join("the-ticket-of-alice")
    text = '[48,1,{},"com.example.é€😀"]'.encode()
    pieces = [text[at : at + 1] for at in range(len(text))]
    peer.send_frame(TEXT, pieces[0], fin=False)
    for piece in pieces[1:-1]:
        peer.send_frame(CONTINUATION, piece, fin=False)
        peer.send_frame(PING, piece)
    peer.send_frame(CONTINUATION, pieces[-1])
    assert peer.receive()[:5] == [8, 48, 1, {}, "wamp.error.no_such_procedure"]
    assert peer.pongs == pieces[1:-1]


def test_a_message_of_exactly_the_limit_is_taken(connect: Callable[..., Peer]) -> None:
    peer = connect().join("the-ticket-of-alice")
    peer.send_frame(TEXT, CALL + b" " * (2**20 - len(CALL)))
    assert peer.receive()[4] == "wamp.error.no_such_procedure"


def test_pings_are_answered_in_every_length(connect: Callable[..., Peer]) -> None:
    peer = connect().join("the-ticket-of-alice")
    pings = [b"", b"x", b"\x00\xff" * 62, b"y" * 125]
    peer.send_bytes(b"".join(frame(PING, ping) for ping in pings) + frame(PONG, b"unasked") + frame(TEXT, CALL))
    peer.receive()
    assert peer.pongs == pings


def test_close_is_answered_and_ends_the_session(connect: Callable[..., Peer], join: Callable[..., Peer]) -> None:
    procedure = random_name()
    peer, other = connect().join("the-ticket-of-alice"), join("bob")
    peer.register(procedure)
    peer.send_bytes(frame(CLOSE, b"\x03\xe8bye") + frame(TEXT, CALL))
    assert peer.closed()[0] == 1000
    assert peer.ended() < 1
    with pytest.raises(Exception, match="no_such_procedure"):
        other.call(procedure)


def test_many_fragments_cost_no_more_than_their_limit(router: RouterProcess, connect: Callable[..., Peer]) -> None:
    peer = connect().join("the-ticket-of-alice")
    router.forget_peak()
    before = router.rss()
    flood = frame(TEXT, b"[", fin=False) + frame(CONTINUATION, b" ", fin=False) * 300_000
    try:
        peer.send_bytes(flood)
        assert peer.closed()[0] == 1009
    except (ConnectionError, Ended):
        pass  # the router had enough before we had sent it all
    assert router.peak_rss() - before < 4 << 20
    told = connect().join("the-ticket-of-alice")
    told.send_bytes(frame(TEXT, b"[", fin=False) + frame(CONTINUATION, b" ", fin=False) * 1024)
    with pytest.raises(Closed) as closed:
        told.receive()
    assert closed.value.code == 1009


def test_fragments_up_to_the_limit_are_a_message(connect: Callable[..., Peer]) -> None:
    peer = connect().join("the-ticket-of-alice")
    peer.send_bytes(frame(TEXT, CALL, fin=False) + frame(CONTINUATION, b" ", fin=False) * 1022 + frame(0, b" "))
    assert peer.receive()[4] == "wamp.error.no_such_procedure"


def test_a_promise_of_much_takes_no_memory(router: RouterProcess, connect: Callable[..., Peer]) -> None:
    router.forget_peak()
    before = router.rss()
    peers = [connect().join("the-ticket-of-alice") for _ in range(50)]
    for peer in peers:
        peer.send_frame(TEXT, b"[", length=2**20)
    for peer in peers:
        peer.send_frame(PING, b"x")
    assert router.peak_rss() - before < 4 << 20


def test_compression_is_not_negotiated(connect: Callable[..., Peer]) -> None:
    peer = connect(headers=[("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")])
    peer.join("the-ticket-of-alice")
    peer.send_frame(TEXT, CALL, rsv=4)
    assert peer.closed()[0] == 1002
