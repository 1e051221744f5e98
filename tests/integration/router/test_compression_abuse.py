"""Bad compressed frames on a running router: the close code that is prescribed, bounded memory, bounded time."""

from __future__ import annotations

import zlib
from time import thread_time
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from integration.router.served import Served
from raw_deflate import COMPRESSED, DeflatingPeer, Opened, deflated, in_fragments, varied_text
from raw_wamp import Peer, random_name
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT = 1 << 20
NO_PROCEDURE = "wamp.error.no_such_procedure"


@pytest.fixture(scope="module")
def compressing() -> Iterator[RouterProcess]:
    """A router that compresses."""
    with RouterProcess(static_configuration(compression={})) as process:
        yield process


@pytest.fixture
def opened(compressing: RouterProcess) -> Iterator[Callable[..., DeflatingPeer]]:
    """Opens WebSockets that compress; all are closed at the end."""
    with Opened(compressing.port) as opened:
        yield opened


@pytest.fixture
def joined(opened: Opened) -> Callable[..., DeflatingPeer]:
    """Opens sessions that compress."""
    return opened.joined


@pytest.fixture(autouse=True)
def goes_on(compressing: RouterProcess) -> Iterator[None]:
    yield
    with Peer(compressing.port).join(ticket_of("carol")) as peer:
        assert peer.publish(random_name(), ["still here"]) > 0


# --- what is wrong ---


def corrupt_of(data: bytes) -> dict[str, bytes]:
    whole = deflated(data)
    taking_over = zlib.compressobj(6, zlib.DEFLATED, -15)
    taking_over.compress(data)
    taking_over.flush(zlib.Z_SYNC_FLUSH)
    return {
        "noise": b"\xff" * 30,
        "cut short": whole[:-3],
        "of the message before": (taking_over.compress(data) + taking_over.flush(zlib.Z_SYNC_FLUSH))[:-4],
        "two streams": (zlib.compress(data, wbits=-15)) * 2,
        "with zlib's header": zlib.compress(data),
        "with gzip's header": zlib.compress(data, wbits=31),
        "nothing": b"",
    }


@pytest.mark.parametrize("name", corrupt_of(b""))
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("established", [True, False], ids=["established", "opening"])
def test_corrupt_messages(opened: Callable[..., DeflatingPeer], name: str, pieces: int, established: bool) -> None:
    peer = opened()
    if established:
        peer.join(ticket_of("alice"))
    data = corrupt_of(peer.encoded([48, 1, {}, "com.example.nothing", [varied_text(500)]]))[name]
    peer.send_bytes(in_fragments(TEXT, data, pieces, rsv=COMPRESSED))
    assert peer.closed()[0] == 1007


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(PING, b"x", rsv=4), 1002, id="compressed ping"),
        pytest.param(frame(CLOSE, b"\x03\xe8", rsv=4), 1002, id="compressed close"),
        pytest.param(frame(CONTINUATION, b"\x00", rsv=4), 1002, id="compressed continuation of nothing"),
        pytest.param(
            frame(TEXT, deflated(b"[48")[:3], rsv=4, fin=False) + frame(CONTINUATION, b"\x00", rsv=4),
            1002,
            id="bit set on a continuation",
        ),
        *(
            pytest.param(frame(TEXT, deflated(b"[]"), rsv=rsv), 1002, id=f"bits {rsv:03b}")
            for rsv in (1, 2, 3, 5, 6, 7)
        ),
        pytest.param(frame(TEXT, deflated(b'["\xff"]'), rsv=4), 1007, id="no text"),
        pytest.param(frame(TEXT, deflated(b'["\xe2\x82'), rsv=4), 1007, id="text that ends in a letter"),
        pytest.param(frame(TEXT, deflated(b"[]"), rsv=4, mask=None), 1002, id="unmasked"),
    ],
)
def test_wrong_frames(joined: Callable[..., DeflatingPeer], data: bytes, code: int) -> None:
    peer = joined()
    peer.send_bytes(data)
    assert peer.closed()[0] == code


def test_the_wrong_kind_of_message_is_a_violation(joined: Callable[..., DeflatingPeer]) -> None:
    for serializer, opcode in (("json", BINARY), ("msgpack", TEXT)):
        peer = joined("alice", serializer)
        peer.send_frame(opcode, deflated(b"[48]"), rsv=COMPRESSED)
        assert peer.aborted() == ("wamp.error.protocol_violation", 1002)


# --- bombs ---


def call_of(size: int) -> bytes:
    """A CALL of exactly so many bytes."""
    head = b'[48,1,{},"com.example.nothing",["'
    return head + b"x" * (size - len(head) - 3) + b'"]]'


@pytest.mark.parametrize("pieces", [1, 5])
def test_the_limit_is_that_of_the_inflated_message(joined: Callable[..., DeflatingPeer], pieces: int) -> None:
    alice = joined()
    alice.send_bytes(in_fragments(TEXT, deflated(call_of(LIMIT)), pieces, rsv=COMPRESSED))
    assert alice.receive()[4] == NO_PROCEDURE
    alice.send_bytes(in_fragments(TEXT, deflated(call_of(LIMIT + 1)), pieces, rsv=COMPRESSED))
    assert alice.closed()[0] == 1009


BOMB = deflated(b"[" * (256 << 20), level=9)


@pytest.mark.parametrize("established", [True, False], ids=["established", "opening"])
@pytest.mark.parametrize("pieces", [1, 100, 1000])
def test_a_bomb_takes_no_more_memory_than_twice_the_limit(
    compressing: RouterProcess, opened: Callable[..., DeflatingPeer], pieces: int, established: bool
) -> None:
    assert len(BOMB) < 300_000
    # What Python and the allocator need once is not the bomb's.
    with DeflatingPeer(compressing.port) as harmless:
        harmless.send_bytes(in_fragments(TEXT, deflated(b"[" * LIMIT), 1, rsv=COMPRESSED))
        harmless.closed()
    peer = opened()
    if established:
        peer.join(ticket_of("alice"))
    compressing.forget_peak()
    before = compressing.rss()
    peer.send_bytes(in_fragments(TEXT, BOMB, pieces, rsv=COMPRESSED))
    assert peer.closed()[0] == 1009
    assert compressing.peak_rss() - before <= 2 * LIMIT


def test_half_a_bomb_costs_no_more_than_its_bytes(compressing: RouterProcess) -> None:
    """A message is inflated when all of it is there: many who have not joined can't hold a megabyte each."""
    peers = [DeflatingPeer(compressing.port) for _ in range(100)]
    compressing.forget_peak()
    before = compressing.rss()
    try:
        for peer in peers:
            peer.send_bytes(frame(TEXT, deflated(b"[" * 1_000_000), rsv=COMPRESSED, fin=False))
        for peer in peers:
            peer.send_frame(PING, b"x")
            # The router may ask for a sign of life itself.
            while peer.receive_frame().opcode != PONG:
                pass
        assert compressing.peak_rss() - before < 4 * LIMIT
    finally:
        for peer in peers:
            peer.close()


def test_what_comes_while_the_connection_closes_is_not_inflated(tmp_path: Path) -> None:
    """No one takes it, and a kilobyte may cost a millisecond."""
    with Served(tmp_path, static_configuration(compression={})) as served, DeflatingPeer(served.port) as peer:
        peer.join(ticket_of("alice"))
        peer.send_frame(TEXT, deflated(b"[48]"), rsv=COMPRESSED)
        assert peer.aborted() == ("wamp.error.protocol_violation", 1002)
        used = served.inside(thread_time)
        peer.send_bytes(frame(TEXT, deflated(b"[" * LIMIT), rsv=COMPRESSED) * 500 + frame(CLOSE, b"\x03\xea"))
        peer.ended()
        assert served.inside(thread_time) - used < 0.2


def test_bombs_are_counted(tmp_path: Path) -> None:
    with Served(tmp_path, static_configuration(compression={})) as served, DeflatingPeer(served.port) as peer:
        peer.send_bytes(frame(TEXT, BOMB, rsv=COMPRESSED))
        assert peer.closed() == (1009, f"the message is longer than {LIMIT} bytes when inflated")
        assert served.counters()["limit_message_bytes"] == 1


@pytest.mark.parametrize("compressed", [True, False])
def test_a_message_in_too_many_fragments_is_not_taken(joined: Callable[..., DeflatingPeer], compressed: bool) -> None:
    topic = random_name()
    alice, bob = joined(), joined("bob")
    bob.subscribe(topic)
    data = alice.encoded([16, 1, {}, topic, [varied_text(3000)]])
    if compressed:
        data = deflated(data, level=0)
    parts = in_fragments(TEXT, data, len(data), rsv=COMPRESSED if compressed else 0)
    alice.send_bytes(parts)
    assert alice.closed()[0] == 1009
    assert bob.events() == []


def test_fragments_are_counted_of_compressed_messages_too(joined: Callable[..., DeflatingPeer]) -> None:
    alice = joined()
    data = deflated(call_of(1200), level=0)
    alice.send_bytes(in_fragments(TEXT, data, len(data), rsv=COMPRESSED))
    assert alice.closed()[0] == 1009
