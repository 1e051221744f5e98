"""Compressed and plain peers in one crowd: each message is serialized once and compressed once for each window."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_deflate import inflated
from unit.transports.connected import HANDSHAKE, Wired, event, frames_of
from unit.transports.slow_realm import LIMIT, SlowRealm, gaps_of

from wampgate.transports.deflate import Compression, Deflated
from wampgate.transports.turn import Encoding
from wampgate.wire.messages import Result, ResultDetails
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import JSON, MSGPACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unit.transports.connected import Wire

    from wampgate.core.session import Session
    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

BIG = 3000


class CountedSerializer:
    """A serializer that counts how often it is asked."""

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer
        self.binary, self.name = serializer.binary, serializer.name
        self.asked = 0
        self.refused: Payload | None = None

    def encode(self, message: Message, payload: Payload) -> bytes:
        self.asked += 1
        if payload is self.refused:
            raise TypeError("there is no way to write it")
        return self._serializer.encode(message, payload)


class Kinds:
    """The encodings of one serializer: the plain one, and one for each window."""

    def __init__(self, serializer: Serializer) -> None:
        counted: Any = CountedSerializer(serializer)
        self.serializer = counted
        self.plain = Encoding(self.serializer)
        self.wide = Deflated(self.plain, Compression(), 15)
        self.narrow = Deflated(self.plain, Compression(), 9)
        self.all: tuple[Encoding, ...] = (self.plain, self.wide, self.narrow)

    def counts(self) -> tuple[int, int, int]:
        """How often was serialized, and compressed for each window, since it was asked for last."""
        counted = self.serializer.asked, self.wide.count, self.narrow.count
        self.serializer.asked = self.wide.count = self.narrow.count = 0
        return counted


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired()
    yield wired
    wired.close()


@pytest.fixture
def kinds() -> Kinds:
    return Kinds(JSON)


def messages_of(data: bytes, window: int = 15) -> list[Any]:
    """The messages in a stream of frames, compressed or not."""
    messages = []
    for frame in frames_of(data.removeprefix(HANDSHAKE)):
        payload = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
        if frame[0] & 0x40:
            payload = inflated(payload, window=window)
        if frame[0] & 0x0F < 8:
            messages.append(json.loads(payload) if frame[0] & 0x0F == 1 else msgpack.unpackb(payload))
    return messages


def read(wires: list[Wire]) -> list[list[Any]]:
    return [messages_of(wire.read_until_idle(), getattr(wire.outbox.encoding, "window", 15)) for wire in wires]


# --- counted ---


def test_one_publication_is_serialized_once_and_compressed_once_for_each_window(wired: Wired, kinds: Kinds) -> None:
    wires = [wired.peer(kinds.all[number % 3]) for number in range(24)]
    message, payload = event(1, 0, "x" * BIG)
    wired.turn(message, payload, tuple(wire.session for wire in wires))
    wired.turn.flush()
    assert kinds.counts() == (1, 1, 1)
    assert read(wires) == [[[36, 1, 1, {}, [0, "x" * BIG]]]] * 24


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (0, 1), (1, 0), (1,), (0,)])
def test_no_more_is_made_than_anyone_takes(wired: Wired, kinds: Kinds, order: tuple[int, ...]) -> None:
    wires = [wired.peer(kinds.all[number]) for number in order for _ in range(2)]
    message, payload = event(1, 0, "x" * BIG)
    wired.turn(message, payload, tuple(wire.session for wire in wires))
    wired.turn.flush()
    assert kinds.counts() == (1, int(1 in order), int(2 in order))


def test_a_burst_is_compressed_message_by_message_also_for_those_who_get_an_answer_with_it(
    wired: Wired, kinds: Kinds
) -> None:
    wires = [wired.peer(kinds.all[number % 3]) for number in range(12)]
    crowd = tuple(wire.session for wire in wires)
    for number in range(5):
        message, payload = event(1, number, "x" * BIG)
        wired.turn(message, payload, crowd)
    # Two of the crowd have something of their own, so that their queues are made apart.
    for wire in wires[1:3]:
        wired.turn(Result(1, ResultDetails()), Payload(["short"]), (wire.session,))
    wired.turn.flush()
    assert kinds.counts() == (5 + 2, 5, 5)
    got = read(wires)
    events = [[36, 1, number + 1, {}, [number, "x" * BIG]] for number in range(5)]
    assert got == [events + ([[50, 1, {}, ["short"]]] if place in (1, 2) else []) for place in range(12)]


def test_a_short_message_is_one_object_for_all(wired: Wired, kinds: Kinds) -> None:
    wires = [wired.peer(kinds.all[number % 3]) for number in range(6)]
    message, payload = event(1, 0, "short")
    wired.turn(message, payload, tuple(wire.session for wire in wires))
    wired.turn.flush()
    assert kinds.counts() == (1, 0, 0)
    frames = {wire.read_until_idle() for wire in wires}
    assert frames == {kinds.plain.frame(message, payload)}


def test_what_can_not_be_encoded_does_not_take_the_rest_of_the_turn_with_it(wired: Wired, kinds: Kinds) -> None:
    wires = [wired.peer(kind) for kind in kinds.all]
    crowd = tuple(wire.session for wire in wires)
    message, kinds.serializer.refused = event(1, 0, "y" * BIG)
    wired.turn(message, kinds.serializer.refused, crowd)
    message, payload = event(1, 1, "x" * BIG)
    wired.turn(message, payload, crowd)
    wired.turn.flush()
    assert read(wires) == [[[36, 1, 2, {}, [1, "x" * BIG]]]] * 3


# --- the same as plain, whatever happens ---

PEERS = 7


class Crowd:
    """Plain peers and a compressed one beside each, through many examples."""

    def __init__(self) -> None:
        self.wired = Wired()
        self.kinds = [Kinds(JSON), Kinds(MSGPACK)]
        pairs = [(number, self.kinds[number % 2]) for number in range(PEERS)]
        self.plain = [self.wired.peer(kind.plain) for _, kind in pairs]
        self.compressed = [self.wired.peer(kind.all[1 + number % 3 // 2]) for number, kind in pairs]

    def sessions(self, number: int) -> tuple[Session, Session]:
        return self.plain[number].session, self.compressed[number].session


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.wired.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from([1, 2]), st.sampled_from([0, 900, 1100, 5000])),
        st.tuples(st.just("event"), st.sampled_from([1, 2]), st.sampled_from([0, 900, 1100, 5000])),
        st.tuples(st.just("answer"), st.integers(0, PEERS - 1), st.sampled_from([0, 2000])),
        st.tuples(st.just("retract"), st.sampled_from([1, 2]), st.integers(0, PEERS - 1)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=15,
)


def test_compressed_peers_get_what_plain_ones_get(crowd: Crowd) -> None:
    counted: Counter[str] = Counter()

    @settings(max_examples=60)
    @given(
        sets=st.lists(st.lists(st.integers(0, PEERS - 1), unique=True, min_size=1), min_size=1, max_size=3),
        sequence=steps,
    )
    def same(sets: list[list[int]], sequence: list[tuple[str, int, int]]) -> None:
        turn = crowd.wired.turn
        recipients = [tuple(session for one in each for session in crowd.sessions(one)) for each in sets]
        for number, (what, first, second) in enumerate(sequence):
            counted[what] += 1
            if what == "event":
                turn(*event(first, number, f"{number} " * (second // 2)), recipients[number % len(sets)])
            elif what == "answer":
                turn(Result(number + 1, ResultDetails()), Payload(["y" * second]), crowd.sessions(first))
            elif what == "retract":
                for session in crowd.sessions(second):
                    turn.retract(session, first)
            else:
                turn.flush()
        turn.flush()
        marker = Result(2**50, ResultDetails()), Payload()
        turn(*marker, tuple(session for one in range(PEERS) for session in crowd.sessions(one)))
        turn.flush()
        for plain, compressed in zip(crowd.plain, crowd.compressed, strict=True):
            window = compressed.outbox.encoding.window  # type: ignore[attr-defined]  # these are compressing ones
            expected = messages_of(until_marker(crowd.wired, plain))
            assert messages_of(until_marker(crowd.wired, compressed, window), window) == expected
            counted["messages"] += len(expected)

    same()
    assert counted["messages"] > 500
    assert sum(kind.wide.count for kind in crowd.kinds) > 30
    assert sum(kind.narrow.count for kind in crowd.kinds) > 10


def until_marker(wired: Wired, wire: Wire, window: int = 15) -> bytes:
    """All that was sent to a peer: the marker is last and goes uncompressed."""
    data = b""

    def complete() -> bool:
        nonlocal data
        data += wire.read()
        return data.endswith((b"[50,1125899906842624,{}]", msgpack.packb([50, 2**50, {}])))

    wired.until(complete)
    return data


# --- slow readers ---


@pytest.fixture
def slow(wired: Wired) -> SlowRealm:
    return SlowRealm(wired)


@pytest.fixture
def noisy() -> Deflated:
    """An encoding that compresses everything, also what fills small buffers."""
    return Deflated(Encoding(JSON), Compression(smallest=128, level=1), 15)


def fill(slow: SlowRealm, wire: Wire, topic: str = "drop.filling") -> int:
    """Publish what can't be compressed much until something waits; how many events the reader will get."""
    slow.subscribe(wire, topic)
    count = 0
    while not wire.waiting:
        slow.publish(topic, count, 400_000)
        count += 1
        assert count < 1000
    return count


def test_dropped_events_are_told_and_what_is_left_can_be_read(slow: SlowRealm, noisy: Deflated) -> None:
    wire = slow.reader(encoding=noisy, limit=LIMIT)
    fill(slow, wire)
    subscription = slow.subscribe(wire, "drop.a")
    for number in range(200):
        slow.publish("drop.a", number, 300_000)
        assert wire.waiting <= LIMIT
    assert not wire.end.was_cut
    messages = messages_of(slow.read(wire))
    numbers = [message[4][0] for message in messages if message[0] == 36 and message[1] == subscription]
    dropped = 200 - len(numbers)
    assert dropped > 20
    assert numbers == list(range(dropped, 200))
    assert [gap["dropped"] for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop.a"] == [
        dropped
    ]


def test_retracted_events_are_gone_and_the_others_can_be_read(slow: SlowRealm, noisy: Deflated) -> None:
    wire = slow.reader(encoding=noisy, limit=1 << 20)
    fill(slow, wire)
    taken, left = slow.subscribe(wire, "com.taken"), slow.subscribe(wire, "com.left")
    for number in range(10):
        slow.publish("com.taken", number, 3000)
        slow.publish("com.left", number, 3000)
    wire.outbox.retract(taken)
    messages = messages_of(slow.read(wire))
    assert [message for message in messages if message[1] == taken] == []
    assert [message[4][0] for message in messages if message[1] == left] == list(range(10))


def test_of_each_key_the_latest_is_left(slow: SlowRealm, noisy: Deflated) -> None:
    wire = slow.reader(encoding=noisy, limit=1 << 20)
    fill(slow, wire)
    subscription = slow.subscribe(wire, "latest.a")
    for number in range(30):
        slow.publish("latest.a", number, 3000, key=number % 3)
    messages = messages_of(slow.read(wire))
    assert [message[4][0] for message in messages if message[1] == subscription] == [27, 28, 29]


def test_who_is_too_slow_for_what_may_not_be_lost_is_cut_off(slow: SlowRealm, noisy: Deflated) -> None:
    wire = slow.reader("com.kept", encoding=noisy)
    number = 0
    while not wire.end.was_cut:
        slow.publish("com.kept", number, 400_000)
        number += 1
        assert number < 5000
    assert "waited for it" in wire.end.was_cut
