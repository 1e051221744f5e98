"""Whatever is sent in whatever way to readers that take a little now and then leaves whole, in order, once.

The sockets are the test's own, so that they take as many bytes as an example says; above them
are Twisted's transports, and one that is written to through its ``write`` only, as with TLS.
"""

# Twisted carries no annotations here:
# mypy: allow-untyped-calls

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet import unix
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from unit.transports.connected import AS_JSON, AS_MSGPACK, HANDSHAKE, Shared, event

from wampgate.core.deadlines import Deadlines
from wampgate.core.interfaces import Connection
from wampgate.core.session import Session
from wampgate.transports.deflate import Compression, Deflated
from wampgate.transports.outbox import Outbox, OutboxLimits, PeerOutbox
from wampgate.transports.turn import Encoding, Turn
from wampgate.wire.frames import as_rawsocket, websocket_frame
from wampgate.wire.messages import Event, Result, ResultDetails, Subscribed
from wampgate.wire.payload import NO_PAYLOAD, Payload
from wampgate.wire.serializers import CBOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.wire.messages import Message

PING: Final = 0x89
SIZES: Final = (0, 50, 200, 1500, 5000, 70_000)
SUBSCRIPTIONS: Final = (1, 2, 3)
ALL: Final = 1 << 30
ROOM: Final = 60
"""Bytes that a socket takes at the beginning: so much could leave before the handshake's answer."""

BUFFER: Final = 8192
"""So much a transport keeps before it says that it is full, of those that say so."""


# --- below the outboxes ---


class Narrow:
    """A socket that takes as many bytes as there is room for.

    Attributes:
        room: in bytes.
        taken: what has left.
    """

    def __init__(self) -> None:
        self.room = 0
        self.taken = b""

    def send(self, data: bytes) -> int:
        """As a socket's that does not block."""
        if not self.room:
            raise BlockingIOError(11, "there is no room")
        piece = bytes(data[: self.room])
        self.room -= len(piece)
        self.taken += piece
        return len(piece)

    def setblocking(self, blocking: bool) -> None:
        """It never does."""

    def fileno(self) -> int:
        """None that anyone polls."""
        return -1


class Direct:
    """One of Twisted's own transports on a narrow socket, and as much of a reactor as it asks for."""

    def __init__(self) -> None:
        self._socket = Narrow()
        self._writes = False
        self.transport: Any = unix.Server(self._socket, Protocol(), "", None, 0, self)

    @property
    def given(self) -> int:
        """How many bytes can't be taken back any more: what has left, and what the transport holds."""
        transport = self.transport
        held: int = len(transport.dataBuffer) - transport.offset + sum(map(len, transport._tempDataBuffer))
        return len(self._socket.taken) + held

    @property
    def taken(self) -> bytes:
        """What has left."""
        return self._socket.taken

    def make_room(self, room: int) -> None:
        """Let the socket take so many bytes more; the reactor hears of it at its next turn only."""
        self._socket.room += room

    def leave(self) -> None:
        """Let the reactor write while there is room."""
        while self._writes and self._socket.room:
            self.transport.doWrite()

    # --- of a reactor ---

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's name
        """Nothing is read here."""

    removeReader = addReader  # noqa: N815 - Twisted's name

    def addWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's name
        self._writes = True

    def removeWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's name
        self._writes = False


class Wrapped:
    """A transport that keeps what it is given, and says when that is too much and when it is gone.

    Args:
        hasty: whether it may say that all is gone before its ``write`` has returned.
    """

    def __init__(self, *, hasty: bool = False) -> None:
        self._hasty = hasty
        self._producer: Any = None
        self._paused = False
        self._room = 0
        self._kept = b""
        self.taken = b""

    @property
    def transport(self) -> Any:
        return self

    @property
    def given(self) -> int:
        return len(self.taken) + len(self._kept)

    def make_room(self, room: int) -> None:
        self._room += room

    def leave(self) -> None:
        while self._room and self._kept:
            self._leave()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802 - Twisted's name
        assert streaming, "a pull producer would never be told that there is no room"
        self._producer = producer

    def write(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > BUFFER and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
        if self._hasty:
            self._leave()

    def _leave(self) -> None:
        piece, self._kept = self._kept[: self._room], self._kept[self._room :]
        self._room -= len(piece)
        self.taken += piece
        if self._paused and not self._kept:
            self._paused = False
            self._producer.resumeProducing()


# --- peers ---


class Fresh(PeerOutbox):
    """The outbox of a peer whose handshake was answered past the transport."""

    def __init__(self, peer: Any, transport: Any, encoding: Encoding, factory: Shared) -> None:
        Outbox.__init__(self, factory)
        self._peer = peer
        self.attach(transport, encoding, fresh=True)
        self.write(HANDSHAKE)


@dataclass
class Sent:
    """A frame that was sent to a peer.

    Attributes:
        frame: its bytes.
        subscription: whose event it is; 0 for none.
        from_byte: if it was taken back, it must not leave from this byte on; None if it was not.
    """

    frame: bytes
    subscription: int
    from_byte: int | None = None


@dataclass
class Reader:
    """A peer, and what it is to get.

    Attributes:
        sent: everything, in order.
        cut_off: why, if it was.
        session: whose link is the outbox.
    """

    line: Direct | Wrapped
    encoding: Encoding
    sent: list[Sent] = field(default_factory=list)
    cut_off: str = ""
    closed: bool = False
    session: Session | None = None

    def open(self, outbox: type[PeerOutbox], shared: Shared) -> None:
        transport = self.line.transport
        self.line.make_room(ROOM)
        if outbox is PeerOutbox:
            transport.write(HANDSHAKE)
        self.outbox = outbox(self, transport, self.encoding, shared)
        self.session = Session(self.outbox, Connection("127.0.0.1:50000", "127.0.0.1"))
        self.sent.append(Sent(HANDSHAKE, 0))

    def end(self, code: int, reason: str) -> None:
        """See ``Peer.end``."""
        self.closed = True
        self.outbox.write(b"the close frame")
        self.sent.append(Sent(b"the close frame", 0))

    def cut(self, why: str) -> None:
        """See ``Peer.cut``."""
        self.cut_off = why

    def take_back(self, subscription: int) -> None:
        """Of the events that were sent before, none may leave that was not given away."""
        for sent in self.sent:
            if sent.subscription == subscription and sent.from_byte is None:
                sent.from_byte = self.line.given

    def check(self) -> Counter[str]:
        """See that what has left is what was sent; what there was of both kinds."""
        data, at = self.line.taken, 0
        seen: Counter[str] = Counter()
        for sent in self.sent:
            if data.startswith(sent.frame, at) and (sent.from_byte is None or at < sent.from_byte):
                at += len(sent.frame)
                seen["left"] += 1
            else:
                assert sent.from_byte is not None, f"missing: {sent.frame[:60]!r}; there stands {data[at : at + 60]!r}"
                seen["taken back"] += 1
        assert data[at:] == b"", "what was never sent, or was taken back"
        return seen


class Crowd:
    """Readers of all kinds, and a turn that sends to them."""

    def __init__(self) -> None:
        clock = Clock()
        self.turn = Turn(clock)
        shared = Shared(self.turn, Deadlines(clock.seconds), OutboxLimits(size=ALL))
        deflated = Deflated(AS_JSON, Compression(smallest=126), 15)
        self.readers = [
            Reader(Direct(), AS_JSON),
            Reader(Direct(), AS_MSGPACK),
            Reader(Direct(), deflated),
            Reader(Direct(), Encoding(CBOR, as_rawsocket)),
            Reader(Wrapped(), AS_JSON),
            Reader(Wrapped(), deflated),
            Reader(Wrapped(hasty=True), AS_JSON),
        ]
        for number, reader in enumerate(self.readers):
            reader.open(Fresh if number % 2 else PeerOutbox, shared)
        self._waiting: list[tuple[Reader, int, Message, Payload]] = []

    def deliver(self, message: Message, payload: Payload, readers: Sequence[Reader]) -> None:
        """Deliver by the turn, and note for each what it is to get."""
        recipients: Any = tuple(reader.session for reader in readers)
        self.turn(message, payload, recipients)
        subscription = message.subscription if isinstance(message, Event) else 0
        self._waiting += [(reader, subscription, message, payload) for reader in readers]

    def retract(self, reader: Reader, subscription: int) -> None:
        """Take back what waits, in the turn and in the outbox."""
        session: Any = reader.session
        self.turn.retract(session, subscription)
        self._waiting = [one for one in self._waiting if one[:2] != (reader, subscription)]
        reader.take_back(subscription)

    def flush(self) -> None:
        """End the turn."""
        for reader, subscription, message, payload in self._waiting:
            reader.sent.append(Sent(reader.encoding.frame(message, payload), subscription))
        self._waiting.clear()
        self.turn.flush()

    def write(self, reader: Reader, number: int) -> None:
        """Write a control frame, as Autobahn does: at once, within the turn."""
        frame = websocket_frame(PING, b"ping %d" % number)
        reader.sent.append(Sent(frame, 0))
        reader.outbox.write(frame)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 3), st.sampled_from(SUBSCRIPTIONS), st.sampled_from(SIZES)),
        st.tuples(st.just("burst"), st.integers(0, 3), st.sampled_from(SUBSCRIPTIONS), st.sampled_from(SIZES[:5])),
        st.tuples(st.just("answer"), st.integers(0, 6), st.just(0), st.sampled_from(SIZES)),
        st.tuples(st.just("confirm"), st.integers(0, 6), st.sampled_from(SUBSCRIPTIONS), st.just(0)),
        st.tuples(st.just("control"), st.integers(0, 6), st.just(0), st.just(0)),
        st.tuples(st.just("retract"), st.integers(0, 6), st.sampled_from(SUBSCRIPTIONS), st.just(0)),
        st.tuples(st.just("flush"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("room"), st.integers(0, 6), st.just(0), st.integers(1, 300) | st.integers(1, 100_000)),
        st.tuples(st.just("turn"), st.integers(0, 6), st.just(0), st.integers(0, 300) | st.integers(1, 100_000)),
        st.tuples(st.just("turn"), st.integers(0, 6), st.just(0), st.just(ALL)),
    ),
    max_size=40,
)
SETS = st.lists(st.lists(st.integers(0, 6), unique=True, min_size=1), min_size=4, max_size=4)

Step = tuple[str, int, int, int]


def play(sets: list[list[int]], steps: Sequence[Step], *, closing: bool = False) -> Counter[str]:
    """Do what an example says, let all leave that there is, and compare."""
    crowd = Crowd()
    seen: Counter[str] = Counter()
    groups = [tuple(crowd.readers[place] for place in one) for one in sets]
    for number, (what, which, subscription, size) in enumerate(steps):
        reader = crowd.readers[which]
        if what in ("event", "burst"):
            for place in range(5 if what == "burst" else 1):
                crowd.deliver(*event(subscription, number * 10 + place, "t" * size), groups[which])
        elif what == "answer":
            crowd.deliver(Result(number + 1, ResultDetails()), Payload([number, "r" * size]), (reader,))
        elif what == "confirm":
            crowd.deliver(Subscribed(number + 1, subscription), NO_PAYLOAD, (reader,))
        elif what == "control":
            crowd.write(reader, number)
        elif what == "retract":
            crowd.retract(reader, subscription)
        elif what == "flush":
            crowd.flush()
        else:
            reader.line.make_room(size)
            if what == "turn":
                reader.line.leave()
        seen["waited"] += sum(reader.outbox.waiting is not None for reader in crowd.readers)
    crowd.flush()
    for reader in crowd.readers:
        if closing:
            reader.outbox.close(1000, "")
    crowd.turn.flush()
    for reader in crowd.readers:
        reader.line.make_room(ALL)
        reader.line.leave()
        state = (reader.cut_off, reader.closed, reader.outbox.waiting)
        assert state == ("", closing, None), crowd.readers.index(reader)
        seen += reader.check()
    return seen


def test_whatever_is_sent_leaves_in_order() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=3 * settings().max_examples)
    @given(sets=SETS, steps=STEPS, closing=st.booleans())
    @example(
        sets=[[0, 1, 2, 3, 4, 5, 6]] * 4,
        steps=[
            *[("burst", 0, 1, 1500), ("flush", 0, 0, 0), ("control", 0, 0, 0)] * 3,
            *[("retract", reader, 1, 0) for reader in range(7)],
            ("event", 0, 2, 70_000),
            *[("turn", reader, 0, 5000) for reader in range(7)],
            ("flush", 0, 0, 0),
        ],
        closing=True,
    )
    def in_order(sets: list[list[int]], steps: list[Step], closing: bool) -> None:
        seen.update(play(sets, steps, closing=closing))

    in_order()
    assert seen["left"] > 100, seen
    assert min(seen["waited"], seen["taken back"]) > 0, seen


@pytest.mark.parametrize("room", [1, 7, 100, 4096])
def test_a_little_at_a_time(room: int) -> None:
    """Each place within a frame is one where the socket is full."""
    everyone = [list(range(7))] * 4
    steps: list[Step] = []
    for number in range(6):
        steps += [("burst", 0, number % 3 + 1, 200), ("flush", 0, 0, 0)]
        for reader in range(7):
            steps += [("control", reader, 0, 0), ("turn", reader, 0, room), ("answer", reader, 0, 50)]
    steps += [("turn", reader, 0, room) for _ in range(min(2000, 20_000 // room)) for reader in range(7)]
    seen = play(everyone, steps, closing=True)
    assert seen["left"] == 7 * (1 + 6 * 7 + 1)
