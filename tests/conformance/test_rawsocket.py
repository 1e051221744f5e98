"""RawSocket Transport: handshake, frames, PING and PONG, lengths, bit by bit; then sessions as over WebSocket."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from raw_rawsocket import LONGEST, MESSAGE, PING, PONG, HandshakeError, RawPeer, RawSocket, handshake, raw_frame
from raw_wamp import ERROR, PUBLISH, PUBLISHED, SUBSCRIBE, Aborted, Peer, WampError, random_name
from raw_websocket import Ended
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def open_peer(router: RouterProcess) -> Iterator[Callable[..., RawPeer]]:
    """Opens sessions over RawSocket and closes them at the end."""
    peers: list[RawPeer] = []

    def open_peer(who: str | None, serializer: str, *, process: RouterProcess = router, length: int = 15) -> RawPeer:
        peer = RawPeer(process.port, serializer, length=length)
        peers.append(peer)
        return peer.join(None if who is None else ticket_of(who))

    yield open_peer
    for peer in peers:
        peer.close()


# --- Handshake ---


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("length", [2, 7, 15])
def test_the_answer_repeats_the_serializer_and_says_what_the_router_takes(
    router: RouterProcess, number: int, length: int
) -> None:
    with RawSocket(router.port) as raw:
        # 2 ** (9 + 11) is limits.message_bytes.
        assert raw.shake_hands(handshake(number, length)) == bytes((0x7F, 11 << 4 | number, 0, 0))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        *((handshake(number), 1) for number in (0, *range(4, 16))),
        (handshake(1, 0), 2),
        (handshake(1, 1), 2),
        (handshake(1, 15, 1), 3),
        (handshake(2, 15, 0x8000), 3),
        (handshake(0, 0, 0xFFFF), 3),
    ],
)
def test_what_can_not_be_had_is_told_by_an_error(router: RouterProcess, request_: bytes, code: int) -> None:
    with RawSocket(router.port) as raw:
        with pytest.raises(HandshakeError) as error:
            raw.shake_hands(request_)
        assert error.value.code == code
        assert raw.ended() < 1


def test_a_handshake_may_come_byte_by_byte_and_with_what_follows(router: RouterProcess) -> None:
    hello = raw_frame(MESSAGE, b'[1,"realm1",{"roles":{"subscriber":{}}}]')
    with RawSocket(router.port) as raw:
        for byte in handshake():
            raw.send_split(bytes((byte,)), ())
        raw.send_bytes(hello)
        assert raw._exactly(4)[0] == 0x7F
        assert raw.receive_raw_message().startswith(b"[2,")
    with RawSocket(router.port) as raw:
        raw.send_bytes(handshake() + hello)
        assert raw._exactly(4)[0] == 0x7F
        assert raw.receive_raw_message().startswith(b"[2,")


@pytest.mark.parametrize("first", [0x00, 0x16, 0x7E, 0x80, 0xFF])
def test_another_first_byte_is_no_rawsocket(router: RouterProcess, first: int) -> None:
    with RawSocket(router.port) as raw:
        raw.send_bytes(handshake(magic=first))
        assert raw.response().status == 400


@pytest.mark.parametrize(("limit", "said"), [(1, 512), (512, 512), (1000, 512), (65536, 65536), (LONGEST, LONGEST)])
def test_the_router_says_the_power_of_two_next_below_its_limit(limit: int, said: int) -> None:
    limits = {"message_bytes": limit, "outbox_bytes": LONGEST}
    with RouterProcess(static_configuration(limits=limits)) as process, RawPeer(process.port) as peer:
        assert peer.longest == said


# --- Framing ---


def test_messages_in_both_directions(open_peer: Callable[..., RawPeer], serializer: str) -> None:
    topic = random_name()
    alice, bob = open_peer("alice", serializer), open_peer("bob", serializer)
    bob.subscribe(topic)
    for size in (0, 1, 100, 65_535, 65_536, 65_537, 1_000_000):
        alice.publish(topic, ["x" * size])
        assert bob.event()[4] == ["x" * size]
    bob.register(f"{topic}.procedure")
    call = alice.start_call(f"{topic}.procedure", [1])
    bob.send(70, bob.receive()[1], {}, [2])
    assert alice.result(call)[3] == [2]
    assert alice.leave()[2] == "wamp.close.goodbye_and_out"
    assert alice.ended() < 1


def test_every_split_of_the_stream_is_read_alike(open_peer: Callable[..., RawPeer], serializer: str) -> None:
    chance = random.Random(serializer)
    topic = random_name()
    alice, bob = open_peer("alice", serializer), open_peer("bob", serializer)
    bob.subscribe(topic)
    count = 0
    for _ in range(12):
        stream = b""
        pings = []
        for _ in range(chance.randrange(1, 20)):
            text = "y" * chance.choice((0, 1, 50, 300, 5_000, 70_000))
            stream += alice.framed([PUBLISH, alice.next_request(), {}, topic, [count, text]])
            count += 1
            if chance.random() < 0.3:
                pings.append(chance.randbytes(chance.choice((0, 1, 125, 4_000))))
                stream += raw_frame(PING, pings[-1])
        cuts = chance.sample(range(len(stream)), min(len(stream), 25))
        alice.send_split(stream, [*cuts, *range(1, 9)])
        alice.pongs.clear()
        alice.events()
        assert alice.pongs == pings
    assert [bob.event()[4][0] for _ in range(count)] == list(range(count))


def test_a_message_byte_by_byte(open_peer: Callable[..., RawPeer], serializer: str) -> None:
    topic = random_name()
    alice = open_peer("alice", serializer)
    request = alice.next_request()
    stream = alice.framed([PUBLISH, request, {"acknowledge": True}, topic])
    alice.send_split(stream, range(len(stream)))
    assert alice.answer(PUBLISHED, PUBLISH, request)


def test_a_ping_is_answered_by_exactly_one_pong_with_its_payload(open_peer: Callable[..., RawPeer]) -> None:
    alice = open_peer("alice", "json")
    payloads = [b"", b"\0", b"hello", bytes(range(256)) * 1000, bytes(1 << 20)]
    for payload in payloads:
        alice.send_raw_frame(PING, payload)
        assert alice.receive_raw_frame() == (PONG, payload)
    # One that nobody asked for is nothing.
    alice.send_raw_frame(PONG, b"unasked")
    alice.publish(random_name())


def test_a_ping_during_the_handshake_of_the_session_is_answered_too(router: RouterProcess) -> None:
    with RawPeer(router.port) as peer:
        peer.send_raw_frame(PING, b"early")
        assert peer.receive_raw_frame() == (PONG, b"early")
        peer.join(ticket_of("alice"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *((raw_frame(kind, b"x"), "reserved") for kind in range(3, 8)),
        *((raw_frame(MESSAGE, b"x", reserved=1 << bit), "reserved bits") for bit in range(4)),
        (b"\x08\0\0\x01", "16 MiB"),
        (b"\x08\0\0\0", "16777216 bytes"),
        (b"\x09\0\0\0", "16777216 bytes"),
        (raw_frame(MESSAGE, length=(1 << 20) + 1), "1048577 bytes"),
        (raw_frame(PING, length=(1 << 20) + 1), "1048577 bytes"),
        (raw_frame(PONG, length=(1 << 20) + 1), "1048577 bytes"),
        (raw_frame(MESSAGE, b""), "valid"),
    ],
)
def test_what_is_no_frame_ends_the_session(open_peer: Callable[..., RawPeer], data: bytes, why: str) -> None:
    alice = open_peer("alice", "json")
    # What comes behind it has no effect, however much it is.
    late = alice.framed([SUBSCRIBE, 1, {}, random_name()])
    alice.send_bytes(data + late * 1000)
    message = alice.receive()
    assert message[0] == 3
    assert message[2] == "wamp.error.protocol_violation"
    assert why in message[1]["message"]
    assert alice.ended() < 1


def test_the_longest_message_is_taken_and_one_byte_more_is_not(router: RouterProcess) -> None:
    with RawPeer(router.port).join(ticket_of("alice")) as alice:
        for excess in (0, 1):
            empty = alice.encoded([PUBLISH, 1 + excess, {"acknowledge": True}, "com.example.x", [""]])
            text = "z" * (alice.longest - len(empty) + excess)
            alice.send(PUBLISH, 1 + excess, {"acknowledge": True}, "com.example.x", [text])
            if not excess:
                assert alice.receive()[0] == PUBLISHED
        assert alice.aborted()[0] == "wamp.error.protocol_violation"


def test_a_message_of_exactly_16_mib() -> None:
    limits = {"message_bytes": LONGEST, "outbox_bytes": 3 * LONGEST}
    with (
        RouterProcess(static_configuration(limits=limits)) as process,
        RawPeer(process.port, timeout=30).join(ticket_of("alice")) as alice,
        RawPeer(process.port, timeout=30).join(ticket_of("bob")) as bob,
    ):
        topic = "com.example.long"
        bob.subscribe("com.example.", match="prefix")
        bob.subscribe("wampgate.gap")
        alice.publish(topic, [""])
        # An event by a pattern names its topic, so that it is longer than its publication.
        head = len(bob.encoded(bob.event()))
        empty = len(alice.encoded([PUBLISH, 10, {}, topic, [""]]))
        assert alice.longest == LONGEST
        alice.send(PUBLISH, 10, {}, topic, ["z" * (LONGEST - empty)])
        gap = bob.event()[5]
        assert (gap["topic"], gap["match"], gap["why"], gap["dropped"]) == ("com.example.", "prefix", "too_long", 1)
        for request in range(11, 31):
            # Publication ids differ in their number of digits: another one may be needed to hit it.
            alice.send(PUBLISH, request, {}, topic, ["z" * (LONGEST - head)])
            if bob.event()[4:] and bob.lengths[-1] == LONGEST:
                break
        assert bob.lengths[-1] == LONGEST
        alice.send(PUBLISH, 40, {}, topic, ["behind it"])
        assert bob.event()[4] == ["behind it"]


# --- Sessions ---


def test_over_either_transport_one_is_in_the_same_realm(
    open_peer: Callable[..., RawPeer], join: Callable[..., Peer], serializer: str
) -> None:
    topic = random_name()
    raw, web = open_peer("alice", serializer), join("bob", serializer)
    raw.subscribe(topic)
    web.subscribe(topic)
    web.publish(topic, [1])
    assert raw.event()[4] == [1]
    raw.publish(topic, [2])
    assert web.event()[4] == [2]


def test_errors_are_answers(open_peer: Callable[..., RawPeer], serializer: str) -> None:
    alice = open_peer("alice", serializer)
    with pytest.raises(WampError) as error:
        alice.subscribe("com.elsewhere")
    assert error.value.message[:2] == [ERROR, SUBSCRIBE]
    assert error.value.uri == "wamp.error.not_authorized"


def test_who_may_not_join_is_told_and_the_connection_ends(router: RouterProcess, serializer: str) -> None:
    with RawPeer(router.port, serializer) as peer:
        with pytest.raises(Aborted) as aborted:
            peer.join("a wrong one")
        assert aborted.value.reason == "wamp.error.authentication_denied"
        assert peer.ended() < 1


@pytest.mark.parametrize("data", [b"{}", b"[]", b"[99]", b"nonsense", b'[16,1,{},"com.example.\xff"]', b"\xff\xfe"])
def test_what_is_no_message_ends_the_session(open_peer: Callable[..., RawPeer], data: bytes) -> None:
    alice = open_peer("alice", "json")
    alice.send_raw_frame(MESSAGE, data)
    assert alice.aborted()[0] == "wamp.error.protocol_violation"


def test_a_client_that_is_gone_leaves_nothing(router: RouterProcess, open_peer: Callable[..., RawPeer]) -> None:
    procedure = random_name()
    alice, bob = open_peer("alice", "json"), open_peer("bob", "json")
    bob.register(procedure)
    call = alice.start_call(procedure)
    assert bob.receive()[0] == 68
    bob.reset()
    with pytest.raises(WampError, match=r"wamp\.error\.canceled"):
        alice.result(call)
    with pytest.raises(WampError, match="no_such_procedure"):
        alice.call(procedure)
    with pytest.raises((Ended, OSError)):
        bob.receive()
