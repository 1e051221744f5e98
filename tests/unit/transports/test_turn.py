"""What is delivered within one turn, joined for each peer, is byte for byte what sending each at once would be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.transports.connected import AS_JSON, AS_MSGPACK, Wired, event, frames_of

from wampgate.core.interfaces import Principal
from wampgate.core.local import LocalLink
from wampgate.core.session import Session
from wampgate.wire.messages import Result, ResultDetails, Subscribed
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.transports.turn import Encoding
    from wampgate.wire.messages import Message

SUBSCRIPTIONS = (1, 1, 2)
PEERS = 6


@dataclass
class Expected:
    """The naive way: each message for each peer by itself, in order."""

    waiting: list[tuple[int, Any, Message, Payload]] = field(default_factory=list)
    sent: dict[Any, bytes] = field(default_factory=dict)
    handed: list[tuple[Message, Payload]] = field(default_factory=list)

    def deliver(self, message: Message, payload: Payload, subscription: int, recipients: Sequence[Any]) -> None:
        self.waiting += [(subscription, recipient, message, payload) for recipient in recipients]

    def retract(self, peer: Any, subscription: int) -> None:
        self.waiting = [entry for entry in self.waiting if entry[:2] != (subscription, peer)]

    def flush(self) -> None:
        for _, peer, message, payload in self.waiting:
            encoding: Encoding | None = peer.session.link.encoding
            if encoding is None:
                self.handed.append((message, payload))
            else:
                self.sent[peer] = self.sent.get(peer, b"") + encoding.frame(message, payload)
        self.waiting = []


class Crowd:
    """Connections that live through many examples: each leaves nothing behind."""

    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self.wired = Wired()
        self.wires = [self.wired.peer(AS_MSGPACK if number % 3 == 2 else AS_JSON) for number in range(PEERS)]
        self.inside = Session(LocalLink(self._take), self.wires[0].session.connection)
        self.inside.principal = Principal("inside", "inside", "inside", "inside")
        self.got: list[tuple[Message, Payload]] = []
        self.peers: list[Any] = [*self.wires, self]

    @property
    def session(self) -> Session:
        return self.inside

    def _take(self, message: Message, payload: Payload) -> None:
        self.got.append((message, payload))

    def check(self, expected: Expected) -> None:
        """Flush, and see that every peer got what the naive way sends it."""
        expected.flush()
        self.wired.turn.flush()
        for number, wire in enumerate(self.wires):
            sent = expected.sent.pop(wire, b"")
            assert wire.read_all(len(sent)) == sent, f"peer {number}"
            frames_of(sent)
        assert self.got == expected.handed
        self.got.clear()
        expected.handed.clear()


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.wired.close()


# A set of recipients is named, so that the same one comes as the same object, as a subscription's does.
recipient_sets = st.lists(st.lists(st.integers(0, PEERS), unique=True, min_size=1), min_size=1, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from(SUBSCRIPTIONS), st.integers(0, 3)),
        st.tuples(st.just("event"), st.sampled_from(SUBSCRIPTIONS), st.integers(0, 3)),
        st.tuples(st.just("copy"), st.sampled_from(SUBSCRIPTIONS), st.integers(0, 3)),
        st.tuples(st.just("answer"), st.integers(0, PEERS), st.integers(0, 3)),
        st.tuples(st.just("retract"), st.sampled_from(SUBSCRIPTIONS), st.integers(0, PEERS)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


def play(crowd: Crowd, sets: list[list[int]], sequence: list[tuple[str, int, int]]) -> None:
    """Do what an example says, on both ways."""
    expected = Expected()
    tuples = [tuple(crowd.peers[number].session for number in one) for one in sets]
    for number, (what, first, second) in enumerate(sequence):
        crowd.counted[what] += 1
        if what in ("event", "copy"):
            message, payload = event(first, number, "t" * (number % 7 * 40))
            named = second % len(sets)
            recipients: Sequence[Session] = tuples[named] if what == "event" else list(tuples[named])
            crowd.wired.turn(message, payload, recipients)
            expected.deliver(message, payload, first, [crowd.peers[place] for place in sets[named]])
            crowd.counted["delivered"] += len(recipients)
        elif what == "answer":
            answer, payload = Result(number + 1, ResultDetails()), Payload([number])
            crowd.wired.turn(answer, payload, (crowd.peers[first].session,))
            expected.deliver(answer, payload, 0, [crowd.peers[first]])
        elif what == "retract":
            before = len(expected.waiting)
            crowd.wired.turn.retract(crowd.peers[second].session, first)
            expected.retract(crowd.peers[second], first)
            crowd.counted["retracted"] += before - len(expected.waiting)
        else:
            crowd.check(expected)
    crowd.check(expected)


def test_joined_is_what_sending_each_would_be(crowd: Crowd) -> None:
    crowd.counted.clear()

    @settings(max_examples=10 * settings().max_examples)
    @given(sets=recipient_sets, sequence=steps)
    def joined(sets: list[list[int]], sequence: list[tuple[str, int, int]]) -> None:
        play(crowd, sets, sequence)

    joined()
    assert crowd.counted["delivered"] > 1000
    assert crowd.counted["retracted"] > 100


ALL = list(range(PEERS + 1))


@pytest.mark.parametrize(
    ("sets", "sequence"),
    [
        ([ALL], [("event", 1, 0)] * 8),
        ([ALL], [("answer", 0, 0), *[("event", 1, 0)] * 3, ("answer", 0, 0), ("event", 1, 0), ("answer", 6, 0)]),
        ([ALL, [0, 1, 2]], [("event", 1, 0), ("event", 2, 1), ("event", 1, 0)]),
        ([ALL, [0, 1, 2]], [("event", 1, 0), ("event", 2, 1), ("retract", 1, 0), ("event", 1, 0)]),
        ([ALL], [("event", 1, 0), ("retract", 1, 3), ("event", 1, 0)]),
        ([ALL], [("event", 1, 0), ("event", 2, 0), ("retract", 1, 3), ("retract", 2, 4), ("retract", 1, 6)]),
        ([ALL], [("event", 1, 0), *[("retract", 1, number) for number in ALL]]),
        ([ALL], [("event", 1, 0), ("answer", 2, 0), *[("retract", 1, number) for number in ALL]]),
        ([[], [1]], [("event", 1, 0), ("event", 1, 1), ("retract", 1, 1)]),
        ([[0]], [("retract", 1, 0), ("event", 1, 0)]),
        ([[0]], [("event", 1, 0), ("retract", 1, 0), ("event", 1, 0)]),
        ([[0]], [("event", 1, 0), ("flush", 0, 0), ("retract", 1, 0), ("event", 2, 0)]),
        ([ALL], [("event", 1, 0), ("copy", 1, 0), ("event", 1, 0)]),
        # For one recipient each.
        ([[0], [6], [2]], [("event", 1, 0), ("answer", 0, 0), ("event", 2, 1), ("copy", 1, 2), ("answer", 3, 0)]),
        ([[0], [2]], [*[("answer", number, 0) for number in ALL], ("event", 1, 0), ("event", 2, 1), ("event", 1, 0)]),
        ([[0], [2]], [("event", 1, 0), ("answer", 0, 0), ("event", 2, 0), ("retract", 1, 0), ("event", 1, 1)]),
        ([[0], ALL], [("answer", 0, 0), ("flush", 0, 0), ("event", 1, 1), ("flush", 0, 0), ("answer", 1, 0)]),
        ([[6]], [("event", 1, 0), ("answer", 6, 0), ("flush", 0, 0), ("answer", 6, 0)]),
    ],
)
def test_what_was_thought_of(crowd: Crowd, sets: list[list[int]], sequence: list[tuple[str, int, int]]) -> None:
    play(crowd, sets, sequence)


def test_one_send_for_a_burst(crowd: Crowd) -> None:
    """Eight events for all leave each peer's socket as one segment."""
    for number in range(8):
        crowd.wired.turn(*event(1, number), tuple(wire.session for wire in crowd.wires))
    crowd.wired.spin()
    for wire in crowd.wires:
        assert len(frames_of(wire.client.recv(1 << 20))) == 8


def test_the_turn_ends_by_itself(crowd: Crowd) -> None:
    message, payload = event(1, 1)
    crowd.wired.turn(message, payload, (crowd.wires[0].session,))
    assert crowd.wires[0].read() == b""
    crowd.wired.until(lambda: crowd.wires[0].read() == AS_JSON.frame(message, payload))


def test_recipients_are_read_when_they_are_given(crowd: Crowd) -> None:
    recipients = [crowd.wires[0].session]
    message, payload = event(1, 1)
    crowd.wired.turn(message, payload, recipients)
    recipients.append(crowd.wires[1].session)
    expected = Expected()
    expected.deliver(message, payload, 1, [crowd.wires[0]])
    crowd.check(expected)


def test_what_a_session_inside_sends_leaves_too(crowd: Crowd) -> None:
    message, payload = event(1, 1)
    inside = Session(
        LocalLink(lambda *_: crowd.wired.turn(message, payload, (crowd.wires[0].session,))),
        crowd.wires[0].session.connection,
    )
    crowd.wired.turn(*event(2, 2), (inside,))
    crowd.wired.until(lambda: crowd.wires[0].read() == AS_JSON.frame(message, payload))


def test_taken_back_from_the_turn_and_from_the_outbox_alike(crowd: Crowd) -> None:
    slow = crowd.wired.peer(buffer=4096)
    sent = slow.fill()
    for number in range(4):
        crowd.wired.turn(*event(number % 2 + 1, number), (slow.session,))
    crowd.wired.turn.flush()  # these wait in the outbox
    for number in range(4, 8):
        crowd.wired.turn(*event(number % 2 + 1, number), (slow.session, crowd.wires[0].session))
    crowd.wired.turn.retract(slow.session, 1)
    left = b"".join(AS_JSON.frame(*event(2, number)) for number in (1, 3, 5, 7))
    assert slow.read_all(len(sent + left)) == sent + left
    whole = b"".join(AS_JSON.frame(*event(number % 2 + 1, number)) for number in range(4, 8))
    assert crowd.wires[0].read_all(len(whole)) == whole


def test_thousands_are_taken_back_in_no_time(crowd: Crowd) -> None:
    """Ten thousand subscribers lose a topic whose event waits: each is not a reason to look through all."""
    sessions = tuple(Session(crowd.wires[0].outbox, crowd.wires[0].session.connection) for _ in range(10_000))
    message, payload = event(1, 1)
    for _ in range(3):
        crowd.wired.turn(message, payload, sessions)
    last = crowd.wires[1]
    crowd.wired.turn(message, payload, (*sessions, last.session))
    for session in sessions:
        crowd.wired.turn.retract(session, 1)
    frame = AS_JSON.frame(message, payload)
    assert last.read_all(len(frame)) == frame
    assert crowd.wires[0].read_until_idle() == b""


def test_taken_back_where_each_has_one_recipient(crowd: Crowd) -> None:
    """What waits in the outbox is still known by its subscription."""
    slow = crowd.wired.peer(buffer=4096)
    sent = slow.fill()
    for number in range(6):
        crowd.wired.turn(*event(number % 3 + 1, number), (slow.session,))
    crowd.wired.turn(Subscribed(9, 3), NO_PAYLOAD, (slow.session,))
    crowd.wired.turn.flush()  # all wait in the outbox
    crowd.wired.turn.retract(slow.session, 1)
    left = b"".join(AS_JSON.frame(*event(number % 3 + 1, number)) for number in (1, 2, 4, 5))
    left += AS_JSON.frame(Subscribed(9, 3), NO_PAYLOAD)
    assert slow.read_all(len(sent + left)) == sent + left


def test_a_close_comes_behind_what_was_sent_in_the_turn(crowd: Crowd) -> None:
    wire = crowd.wired.peer()
    wire.outbox.close(1008, "reason")
    message, payload = event(1, 1)
    crowd.wired.turn(message, payload, (wire.session,))
    crowd.wired.spin()
    assert wire.read() == AS_JSON.frame(message, payload) + b"close 1008 reason"
