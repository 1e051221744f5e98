"""permessage-deflate on a running router: what is negotiated, sent and read, and what bad compressed frames meet."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from integration.router.served import Served
from raw_deflate import COMPRESSED, OFFER, DeflatingPeer, Opened, deflated, in_fragments, varied_text
from raw_wamp import SERIALIZERS, Peer, random_name
from raw_websocket import PING, TEXT, RawConnection, frame
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOTH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
CALL = [48, 1, {}, "com.example.nothing"]
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


@pytest.fixture
def plainly(compressing: RouterProcess, connect: Callable[..., Peer]) -> Callable[..., Peer]:
    """Opens sessions that don't."""
    return lambda who="bob", serializer="json": connect(compressing, serializer).join(ticket_of(who))


@pytest.fixture(autouse=True)
def goes_on(compressing: RouterProcess) -> Iterator[None]:
    yield
    with Peer(compressing.port).join(ticket_of("carol")) as peer:
        assert peer.publish(random_name(), ["still here"]) > 0


# --- negotiation ---


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (OFFER, BOTH),
        ("permessage-deflate; server_max_window_bits=10", f"{BOTH}; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=8", ""),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", BOTH),
        ("permessage-deflate; nonsense", ""),
        ("permessage-deflate; client_max_window_bits=99", ""),
        ("permessage-bzip2; client_max_compress_level", ""),
        ("permessage-bzip2; nonsense", ""),
        ("x-webkit-deflate-frame", ""),
    ],
)
def test_offers(opened: Callable[..., DeflatingPeer], offer: str, answer: str) -> None:
    peer = opened(offer=offer)
    assert peer.agreed == answer
    peer.compressing = bool(answer)
    peer.join(ticket_of("alice"))
    assert peer.publish(random_name(), [varied_text(3000)]) > 0


@pytest.mark.parametrize(
    "offer", [OFFER, "permessage-deflate; nonsense", "permessage-deflate; server_max_window_bits=8"]
)
def test_without_the_section_all_is_declined(router: RouterProcess, offer: str) -> None:
    with DeflatingPeer(router.port, offer=offer) as peer:
        assert peer.agreed == ""
        peer.compressing = False
        peer.join(ticket_of("alice"))
        topic = random_name()
        peer.subscribe(topic)
        peer.publish(topic, [varied_text(5000)], exclude_me=False)
        assert peer.event()[4] == [varied_text(5000)]


def test_who_offers_nothing_gets_nothing_compressed(
    compressing: RouterProcess, joined: Callable[..., Peer], plainly: Callable[..., Peer]
) -> None:
    bob, topic = plainly(), random_name()
    bob.subscribe(topic)
    joined().publish(topic, [varied_text(5000)])
    assert bob.event()[4] == [varied_text(5000)]
    bob.send_frame(TEXT, deflated(bob.encoded(CALL)), rsv=COMPRESSED)
    assert bob.closed()[0] == 1002


# --- messages ---


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_long_events_come_compressed_and_short_ones_do_not(
    joined: Callable[..., DeflatingPeer], serializer: str
) -> None:
    topic = random_name()
    alice, bob = joined("alice", serializer), joined("bob", serializer)
    bob.subscribe(topic)
    bob.frames.clear()
    for size in (10, 900, 1100, 5000, 70_000, 200_000):
        alice.publish(topic, [varied_text(size)], {"size": size})
        assert bob.event()[4:] == [[varied_text(size)], {"size": size}]
    first = alice.opcode | 0x80
    assert [kind for kind, _ in bob.frames] == [first, first, *[first | 0x40] * 4]
    assert [length < size / 2 for (_, length), size in zip(bob.frames[2:], (1100, 5000, 70_000, 200_000), strict=True)]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_calls_and_results(joined: Callable[..., DeflatingPeer], serializer: str) -> None:
    procedure = random_name()
    alice, bob = joined("alice", serializer), joined("bob", serializer)
    bob.register(procedure)
    request = alice.start_call(procedure, [varied_text(4000)])
    invocation = bob.receive()
    assert invocation[4] == [varied_text(4000)]
    bob.send(70, invocation[1], {}, [varied_text(6000, 1)])
    assert alice.result(request)[3] == [varied_text(6000, 1)]
    assert alice.frames[-1][0] == bob.frames[-1][0] == alice.opcode | 0xC0


def test_a_crowd_of_all_kinds(joined: Callable[..., DeflatingPeer], plainly: Callable[..., Peer]) -> None:
    topic = random_name()
    windows = {
        15: OFFER,
        12: "permessage-deflate; server_max_window_bits=13",
        9: "permessage-deflate; server_max_window_bits=9",
    }
    crowd: list[Peer] = []
    for serializer in SERIALIZERS:
        crowd += [joined("bob", serializer, offer=offer, window=window) for window, offer in windows.items()]
        crowd.append(plainly("bob", serializer))
    for peer in crowd:
        peer.subscribe(topic)
    alice = joined()
    for number in range(3):
        alice.publish(topic, [number, varied_text(30_000, number)])
        alice.publish(topic, [number])
    for peer in crowd:
        events = [peer.event()[4] for _ in range(6)]
        assert events == [args for number in range(3) for args in ([number, varied_text(30_000, number)], [number])]


def test_one_publication_is_compressed_once_for_each_window(tmp_path: Path) -> None:
    topic, count = random_name(), 6
    with Served(tmp_path, static_configuration(compression={"smallest_bytes": 512})) as served:
        service: Any = served.service
        encodings = service.process.websocket.encodings

        def compressed() -> dict[tuple[str, int], int]:
            return {key: encoding.count for key, encoding in encodings.items() if getattr(encoding, "count", 0)}

        crowd = [DeflatingPeer(served.port).join(ticket_of("bob")) for _ in range(count)]
        crowd += [
            DeflatingPeer(served.port, window=9, offer="permessage-deflate; server_max_window_bits=9").join(
                ticket_of("bob")
            )
            for _ in range(count)
        ]
        crowd += [DeflatingPeer(served.port, "cbor").join(ticket_of("bob")) for _ in range(count)]
        try:
            for peer in crowd:
                peer.subscribe(topic)
            assert compressed() == {}, "a login was compressed"
            # The publisher is one of the subscribers: its PUBLISHED goes out with the event.
            crowd[0].publish(topic, [varied_text(2000)], exclude_me=False)
            for peer in crowd:
                assert peer.event()[4] == [varied_text(2000)]
            assert served.inside(compressed) == {("wamp.2.json", 15): 1, ("wamp.2.json", 9): 1, ("wamp.2.cbor", 15): 1}
        finally:
            for peer in crowd:
                peer.close()


def test_all_of_a_kind_get_the_same_bytes(joined: Callable[..., DeflatingPeer]) -> None:
    topic = random_name()
    crowd = [joined("bob") for _ in range(4)]
    # Whatever went before: what one connection has seen makes no difference to it.
    for number, peer in enumerate(crowd):
        for _ in range(number):
            peer.subscribe(topic)
    alice = joined()
    alice.publish(topic, [varied_text(9000)])
    for peer in crowd[1:]:
        assert peer.event()[4] == [varied_text(9000)]
    for peer in crowd[1:2]:
        other = random_name()
        peer.subscribe(other)
        alice.publish(other, [varied_text(9000, 3)])
        peer.event()
    alice.publish(topic, [varied_text(9000, 1)])
    received = {peer.receive_frame().payload for peer in crowd[1:]}
    assert len(received) == 1
    assert b"9000" not in received


def test_what_belongs_to_a_login_is_not_compressed(tmp_path: Path) -> None:
    with (
        Served(tmp_path, static_configuration(compression={"smallest_bytes": 128})) as served,
        DeflatingPeer(served.port) as peer,
    ):
        peer.join(ticket_of("alice"))
        # CHALLENGE and WELCOME; the latter is longer than 128 bytes.
        assert [first for first, _ in peer.frames] == [0x81, 0x81]
        assert peer.frames[-1][1] > 128
        procedure = random_name()
        peer.send(48, 1, {}, procedure, ["x"])
        peer.receive()
        peer.send(48, 2, {}, procedure + "x" * 200)
        peer.receive()
        assert peer.frames[-1][0] == 0xC1, "the others are"


# --- both ways give the same ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 4000) | st.sampled_from([1500, 4000, 70_000])),
        st.tuples(st.just("call"), st.integers(0, 3000)),
        st.tuples(st.just("ping"), st.integers(0, 125)),
        st.tuples(st.just("subscribe"), st.integers(0, 1)),
    ),
    min_size=1,
    max_size=10,
)
HOW = st.lists(
    st.tuples(st.sampled_from(["plain", "compressed", "stored"]), st.integers(1, 6)), min_size=10, max_size=10
)
TOPIC = "com.example.compressed.topic"


def message_of(kind: str, value: int, request: int) -> list[Any]:
    if kind == "publish":
        return [
            16,
            request,
            {"acknowledge": True, "exclude_me": False},
            TOPIC,
            [varied_text(value, request)],
            {"n": "é€😀"},
        ]
    if kind == "call":
        return [48, request, {}, TOPIC, [varied_text(value, request)]]
    return [32, request, {"match": "prefix"} if value else {}, TOPIC]


def stream_of(peer: Peer, steps: list[tuple[str, int]], how: list[tuple[str, int]]) -> bytes:
    """The bytes of a session's messages, each sent in its way and in so many fragments."""
    data = b""
    for request, ((kind, value), (way, pieces)) in enumerate(zip(steps, how, strict=False), 1):
        if kind == "ping":
            data += frame(PING, b"p" * value)
            continue
        payload = peer.encoded(message_of(kind, value, request))
        if way != "plain":
            payload = deflated(payload, level=0 if way == "stored" else 6)
        data += in_fragments(peer.opcode, payload, pieces, rsv=0 if way == "plain" else COMPRESSED)
    return data + frame(peer.opcode, peer.encoded([48, len(steps) + 1, {}, "com.example.end"]))


def replies(peer: Peer, last: int) -> tuple[list[Any], list[bytes]]:
    """All replies up to the last request's, ids by the order of their appearance; and the pongs."""
    names: dict[int, int] = {}
    received = []
    while True:
        message = peer.receive()
        if message[0] in (17, 33):
            message[2] = names.setdefault(message[2], len(names))
        elif message[0] == 36:
            message[1:3] = [names.setdefault(each, len(names)) for each in message[1:3]]
        received.append(message)
        if message[:3] == [8, 48, last]:
            return received, peer.pongs


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_replies_do_not_depend_on_how_messages_come(compressing: RouterProcess, serializer: str) -> None:
    compressed = 0

    def run(steps: list[Any], how: list[Any], cuts: list[float], *, plain: bool = False) -> Any:
        nonlocal compressed
        peer: Peer = Peer(compressing.port, serializer) if plain else DeflatingPeer(compressing.port, serializer)
        with peer:
            if isinstance(peer, DeflatingPeer):
                peer.compressing = False
            peer.join(ticket_of("alice"))
            data = stream_of(peer, steps, how)
            peer.send_split(data, [int(cut * len(data)) for cut in cuts])
            result = replies(peer, len(steps) + 1)
            compressed += sum(bool(first & 0x40) for first, _ in getattr(peer, "frames", ()))
            return result

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(steps=STEPS, how=HOW, cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=10))
    @example(steps=[("publish", 5000), ("publish", 70_000)] * 5, how=[("compressed", 3)] * 10, cuts=[0.3, 0.6])
    def same(steps: list[Any], how: list[Any], cuts: list[float]) -> None:
        steps = [("subscribe", 0), *steps]
        how = [*how, ("compressed", 1)]
        whole = run(steps, [("plain", 1)] * len(steps), [], plain=True)
        assert run(steps, how, []) == whole
        assert run(steps, how, cuts) == whole
        assert run(steps, [("compressed", 1)] * len(steps), cuts) == whole

    same()
    assert compressed > 20


def test_every_cut_of_a_short_stream(compressing: RouterProcess) -> None:
    steps = [("subscribe", 0), ("publish", 300), ("ping", 4), ("publish", 100), ("call", 50)]
    how = [("compressed", 1), ("compressed", 3), ("plain", 1), ("plain", 2), ("stored", 1)]
    results = []
    for cuts in (range(0), range(1, 1200)):
        with DeflatingPeer(compressing.port) as peer:
            peer.join(ticket_of("alice"))
            peer.send_split(stream_of(peer, steps, how), cuts)
            results.append(replies(peer, 6))
    assert results[0] == results[1]


def test_plain_frames_between_the_fragments_of_a_compressed_message_are_a_violation(
    joined: Callable[..., Peer],
) -> None:
    for rsv in (0, COMPRESSED):
        alice = joined()
        first = deflated(alice.encoded(CALL))[:10]
        alice.send_bytes(frame(TEXT, first, fin=False, rsv=COMPRESSED) + frame(TEXT, alice.encoded(CALL), rsv=rsv))
        assert alice.closed()[0] == 1002


def test_plain_frames_go_past_autobahn_where_compression_was_agreed_on(tmp_path: Path) -> None:
    with Served(tmp_path, static_configuration(compression={})) as served, DeflatingPeer(served.port) as peer:
        peer.join(ticket_of("alice"))
        service: Any = served.service
        (connection,) = service.process.websocket.peers
        inside = connection.unusual
        seen: list[int] = []
        original = inside._dataReceived

        def counted(data: bytes) -> None:
            seen.append(len(data))
            original(data)

        served.inside(lambda: setattr(inside, "_dataReceived", counted))
        peer.compressing = False
        for request in range(1, 20):
            peer.send(48, request, {}, "com.example.nothing", [varied_text(3000)])
            assert peer.receive()[4] == NO_PROCEDURE
        assert seen == []
        peer.compressing = True
        peer.send(48, 20, {}, "com.example.nothing")
        assert peer.receive()[4] == NO_PROCEDURE
        assert len(seen) == 1
        peer.compressing = False
        peer.send(48, 21, {}, "com.example.nothing")
        assert peer.receive()[4] == NO_PROCEDURE
        assert len(seen) == 1


def test_what_a_connection_agreed_on_costs_it_no_memory(tmp_path: Path) -> None:
    with Served(tmp_path, static_configuration(compression={})) as served:
        service: Any = served.service
        peers = [DeflatingPeer(served.port).join(ticket_of("alice")) for _ in range(3)]
        try:
            for peer in peers:
                peer.send(48, 1, {}, "com.example.nothing", [varied_text(5000)])
                peer.receive()
            kept = [vars(connection.unusual) for connection in service.process.websocket.peers]
            assert len({id(each["_perMessageCompress"]) for each in kept}) == 1
            assert not any("_window" in each for each in kept)
        finally:
            for peer in peers:
                peer.close()


def test_the_upgrade_may_come_with_the_first_compressed_message(compressing: RouterProcess) -> None:
    from raw_websocket import upgrade_request

    with RawConnection(compressing.port) as raw:
        opening = upgrade_request(compressing.port, headers=[("Sec-WebSocket-Extensions", OFFER)])
        hello = deflated(b'[1,"realm1",{"roles":{"subscriber":{}}}]')
        raw.send_bytes(opening + frame(TEXT, hello, rsv=COMPRESSED))
        assert raw.upgraded().headers["sec-websocket-extensions"] == BOTH
        assert raw.receive_message()[1].startswith(b"[2,")


def test_a_slow_reader_gets_whole_frames_in_order(
    compressing: RouterProcess, joined: Callable[..., DeflatingPeer]
) -> None:
    topic = random_name()
    reader, alice = joined("bob", receive_buffer=4096), joined()
    reader.subscribe(topic)
    noise = random.Random(3)
    texts = [noise.randbytes(20_000).hex() for _ in range(20)]
    for number, text in enumerate(texts):
        alice.publish(topic, [number, text])
    assert [reader.event()[4] for _ in texts] == [[number, text] for number, text in enumerate(texts)]
    assert all(first == 0xC1 for first, _ in reader.frames[-len(texts) :])
