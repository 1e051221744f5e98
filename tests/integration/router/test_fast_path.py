"""The fast path beside Autobahn's own: however a stream of messages is cut, the replies are the same on both."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from raw_wamp import Peer, WampError, random_name
from raw_websocket import CLOSE, CONTINUATION, PING, Closed, RawConnection, frame, upgrade_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router_process import RouterProcess

TOPIC = "com.example.fast.path"
END = "com.example.no.such.procedure"

Step = tuple[Any, ...]

SIZES = st.one_of(st.integers(0, 300), st.sampled_from([65_400, 65_535, 65_536, 66_000]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), SIZES),
        st.tuples(st.just("unicode"), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)),
        st.tuples(st.just("call"), st.integers(0, 200)),
        st.tuples(st.just("subscribe"), st.sampled_from([TOPIC, "com.example.fast."])),
        st.tuples(st.just("unsubscribe"), st.integers(1, 2**53)),
        st.tuples(st.just("refused"), st.just("")),
        st.tuples(st.just("ping"), st.binary(max_size=125)),
        st.tuples(st.just("fragments"), st.integers(1, 6)),
    ),
    min_size=1,
    max_size=12,
)


def message_of(step: Step, request: int) -> list[Any]:
    kind, value = step
    if kind == "publish":
        return [16, request, {"acknowledge": True, "exclude_me": False}, TOPIC, ["x" * value]]
    if kind == "unicode":
        return [16, request, {"acknowledge": True, "exclude_me": False}, TOPIC, [value], {"k": value}]
    if kind == "call":
        return [48, request, {}, END, ["y" * value]]
    if kind == "subscribe":
        return [32, request, {"match": "prefix"} if value.endswith(".") else {}, value]
    if kind == "unsubscribe":
        return [34, request, 2**53 - value % 1000]
    return [32, request, {}, "organization.7"]


def stream_of(peer: Peer, steps: Sequence[Step], *, pieces: int) -> bytes:
    """The bytes of a session's messages.

    Args:
        pieces: into how many fragments each message is cut. More than one, and no
            message is the fast path's.
    """
    data = b""
    for request, step in enumerate(steps, 1):
        if step[0] == "ping":
            data += frame(PING, step[1])
            continue
        count = max(pieces, step[1]) if step[0] == "fragments" else pieces
        data += fragments(peer, peer.encoded(message_of(step, request)), count)
    return data + fragments(peer, peer.encoded([48, len(steps) + 1, {}, END]), pieces)


def fragments(peer: Peer, payload: bytes, count: int) -> bytes:
    if count == 1:
        return frame(peer.opcode, payload)
    size = len(payload) // count + 1
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    while len(parts) < 2:
        parts.append(b"")
    opcodes = [peer.opcode] + [CONTINUATION] * (len(parts) - 1)
    ends = [False] * (len(parts) - 1) + [True]
    return b"".join(frame(opcode, part, fin=end) for opcode, part, end in zip(opcodes, parts, ends, strict=True))


def replies(peer: Peer, last: int) -> tuple[list[Any], list[bytes]]:
    """All replies up to the last request's, with ids in the order of their appearance, and the pongs."""
    names: dict[tuple[str, int], str] = {}

    def name(kind: str, value: int) -> str:
        return names.setdefault((kind, value), f"{kind} {len(names)}")

    received: list[Any] = []
    while True:
        message = peer.receive()
        if message[0] == 17:
            message[2] = name("publication", message[2])
        elif message[0] == 33:
            message[2] = name("subscription", message[2])
        elif message[0] == 36:
            message[1:3] = name("subscription", message[1]), name("publication", message[2])
        received.append(message)
        if message[:3] == [8, 48, last]:
            return received, peer.pongs


def run(
    router: RouterProcess, serializer: str, steps: Sequence[Step], *, pieces: int = 1, cuts: Iterable[float] = ()
) -> tuple[list[Any], list[bytes]]:
    with Peer(router.port, serializer).join(ticket_of("alice")) as peer:
        data = stream_of(peer, steps, pieces=pieces)
        peer.send_split(data, [int(cut * len(data)) if isinstance(cut, float) else cut for cut in cuts])
        return replies(peer, len(steps) + 1)


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_replies_do_not_depend_on_how_bytes_arrive(router: RouterProcess, serializer: str) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(steps=STEPS, cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=12), heads=st.booleans())
    @example(steps=[("publish", 125), ("publish", 126), ("publish", 0)], cuts=[], heads=True)
    @example(steps=[("ping", b"p"), ("call", 90), ("ping", b"q"), ("fragments", 3)], cuts=[0.1, 0.2, 0.5], heads=True)
    def same(steps: list[Step], cuts: list[float], heads: bool) -> None:
        whole = run(router, serializer, steps)
        # The first bytes are where a frame's head is cut.
        assert run(router, serializer, steps, cuts=[*cuts, *([1, 2, 3, 5, 7] if heads else [])]) == whole
        assert run(router, serializer, steps, pieces=2) == whole
        assert run(router, serializer, steps, pieces=2, cuts=cuts) == whole

    same()


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "Autobahn's path"])
def test_every_cut_of_a_short_stream(router: RouterProcess, pieces: int) -> None:
    steps: list[Step] = [
        ("subscribe", TOPIC),
        ("ping", b"ping"),
        ("publish", 140),
        ("fragments", 2),
        ("unicode", "é€😀"),
    ]
    whole = run(router, "json", steps)
    assert run(router, "json", steps, pieces=pieces, cuts=range(1, 700)) == whole


def test_many_messages_in_one_segment_keep_their_order(router: RouterProcess, connect: Callable[..., Peer]) -> None:
    alice = connect().join(ticket_of("alice"))
    count = 2000
    alice.send_bytes(b"".join(alice.framed([48, n, {}, END, ["z" * (n % 300)]]) for n in range(1, count + 1)))
    assert [alice.receive()[2] for _ in range(count)] == list(range(1, count + 1))


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_follows_a_close_frame_is_not_read(join: Callable[..., Peer], pieces: int) -> None:
    topic = random_name()
    alice, bob = join("alice"), join("bob")
    bob.subscribe(topic)
    before = fragments(alice, alice.encoded([16, 1, {}, topic, ["before"]]), pieces)
    after = fragments(alice, alice.encoded([16, 2, {}, topic, ["after"]]), pieces)
    alice.send_bytes(before + frame(CLOSE, b"\x03\xe8") + after)
    with pytest.raises(Closed):
        alice.receive()
    assert [event[4] for event in bob.events()] == [["before"]]


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_follows_a_violation_has_no_effect(join: Callable[..., Peer], pieces: int) -> None:
    topic = random_name()
    alice, bob = join("alice"), join("bob")
    bob.subscribe(topic)
    messages: list[Any] = [[16, 1, {}, topic, ["before"]], [32], [16, 2, {}, topic, ["after"]]]
    alice.send_bytes(b"".join(fragments(alice, alice.encoded(message), pieces) for message in messages))
    assert alice.aborted() == ("wamp.error.protocol_violation", 1002)
    assert [event[4] for event in bob.events()] == [["before"]]


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_follows_goodbye_has_no_effect(join: Callable[..., Peer], pieces: int) -> None:
    topic = random_name()
    alice, bob = join("alice"), join("bob")
    bob.subscribe(topic)
    messages: list[Any] = [[16, 1, {}, topic, ["before"]], [6, {}, "wamp.close.close_realm"], [16, 2, {}, topic, ["x"]]]
    alice.send_bytes(b"".join(fragments(alice, alice.encoded(message), pieces) for message in messages))
    assert alice.receive() == [6, {}, "wamp.close.goodbye_and_out"]
    assert alice.closed() == (1000, "wamp.close.goodbye_and_out")
    assert [event[4] for event in bob.events()] == [["before"]]


def test_the_upgrade_may_come_with_the_first_messages(router: RouterProcess, connect: Callable[..., Peer]) -> None:
    """The 101 has to leave before what is sent past the transport."""
    for cut in (0, 1, 30, 200, 400):
        with RawConnection(router.port) as raw:
            opening = upgrade_request(router.port)
            hello = b'[1,"realm1",{"roles":{"subscriber":{}}}]'
            subscribe = b'[32,1,{},"com.example.topic"]'
            data = opening + frame(1, hello) + frame(1, subscribe)
            raw.send_split(data, [cut])
            raw.upgraded()
            assert raw.receive_message()[1].startswith(b"[2,")
            assert raw.receive_message()[1].startswith(b"[33,1,")


def test_a_close_frame_in_the_first_packet_is_answered(router: RouterProcess) -> None:
    with RawConnection(router.port) as raw:
        raw.send_bytes(upgrade_request(router.port) + frame(CLOSE, b"\x03\xe8"))
        raw.upgraded()
        assert raw.closed()[0] == 1000


def test_a_connection_that_breaks_within_a_frame_is_forgotten(router: RouterProcess, join: Callable[..., Peer]) -> None:
    procedure = random_name()
    bob = join("bob")
    for cut in (1, 3, 5, 20):
        alice = join("alice")
        alice.register(procedure)
        alice.send_bytes(alice.framed([48, 9, {}, END])[:cut])
        alice.reset()
        # The router has to notice before the next one can register.
        for _ in range(200):
            with pytest.raises(WampError) as error:
                bob.call(procedure, [cut])
            if error.value.uri == "wamp.error.no_such_procedure":
                break
        alice = join("alice")
        alice.unregister(alice.register(procedure))


def test_a_peer_that_closes_its_side_is_let_go(join: Callable[..., Peer]) -> None:
    alice = join("alice")
    alice.socket.shutdown(socket.SHUT_WR)
    assert alice.ended() < 1
