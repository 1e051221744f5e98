"""Connections that need nothing of Autobahn have nothing of it; those that do are no different to their clients."""

from __future__ import annotations

import gc
import struct
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, upgrade_request
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from unit.transports.frame_paths import Opaque, SocketLine, WrappedLine

from wampgate.core.deadlines import Deadlines
from wampgate.core.session import Session
from wampgate.transports.origins import Origins
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port
from wampgate.transports.turn import Encoding, Turn
from wampgate.transports.websocket import WebSocketListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.core.interfaces import Connection, Link
    from wampgate.transports.websocket import WebSocketPeer

LIMIT = 1 << 20
BROKEN = Failure(SSL.Error([("x", "y", "bad mac")]))  # type: ignore[no-untyped-call]  # Twisted's
MESSAGES = [frame(TEXT, b"one"), frame(TEXT, b"x" * 300), frame(TEXT, "é€😀".encode())]
CONTENTS = [b"one", b"x" * 300, "é€😀".encode()]


class Router:
    """The router's place: it keeps what it is handed.

    Attributes:
        took: the messages.
        over: how many sessions it was told are gone.
    """

    def __init__(self) -> None:
        self.took: list[Any] = []
        self.over = 0

    def connected(self, link: Link, connection: Connection) -> Session:
        return Session(link, connection)

    def receive(self, session: Session, message: Any, payload: Any) -> None:
        self.took.append(message)

    def violated(self, session: Session, why: str) -> None:
        self.took.append(why)

    def disconnected(self, session: Session) -> None:
        self.over += 1


class Plain:
    """A listener, and connections to it."""

    def __init__(self) -> None:
        clock = Clock()
        deadlines = Deadlines(clock.seconds)
        self.router = Router()
        self.listener = WebSocketListener(
            router=self.router,  # type: ignore[arg-type]  # as much of one as connections need
            turn=Turn(clock),
            deadlines=deadlines,
            outbox_limits=OutboxLimits(),
            message_bytes=LIMIT,
        )
        for key, encoding in self.listener.encodings.items():
            self.listener.encodings[key] = Encoding(Opaque(encoding.serializer))  # type: ignore[arg-type]  # as above
        self.port = Port(
            websocket=self.listener,
            web=None,
            origins=Origins(),
            deadlines=deadlines,
            limits=ConnectionLimits(),
            joined=lambda: 0,
        )
        self._lines: list[SocketLine | WrappedLine] = []

    def open(self, kind: type[SocketLine | WrappedLine] = SocketLine) -> tuple[Any, WebSocketPeer]:
        """A connection, and what has it."""
        before = set(self.listener.peers)
        line = kind(self.port.buildProtocol(None))
        self._lines.append(line)
        line.protocol.makeConnection(line.transport)
        line.protocol.dataReceived(upgrade_request(8080))
        assert line.read().startswith(b"HTTP/1.1 101")
        (peer,) = self.listener.peers - before
        return line, peer

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines:
            line.close()


@pytest.fixture
def plain() -> Iterator[Plain]:
    plain = Plain()
    yield plain
    plain.close()


def by_autobahn(peer: WebSocketPeer) -> list[int]:
    """How many bytes Autobahn is given from now on, piece by piece."""
    pieces: list[int] = []
    unusual: Any = peer.unusual
    original = unusual._dataReceived

    def counted(data: bytes) -> None:
        pieces.append(len(data))
        original(data)

    unusual._dataReceived = counted
    return pieces


# --- who needs nothing ---


@pytest.mark.parametrize("kind", [SocketLine, WrappedLine])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
def test_messages_and_pings_need_nothing(plain: Plain, kind: type[SocketLine | WrappedLine], size: int) -> None:
    line, peer = plain.open(kind)
    stream = MESSAGES[0] + frame(PING, b"are you there?") + MESSAGES[1] + frame(PONG, b"x") + frame(PING) + MESSAGES[2]
    for at in range(0, len(stream), size):
        line.protocol.dataReceived(stream[at : at + size])
    assert plain.router.took == CONTENTS
    assert line.read() == b"\x8a\x0eare you there?\x8a\x00"
    assert peer.unusual is None


def test_it_is_small_and_nothing_stands_before_it(plain: Plain) -> None:
    sniffer: Any = plain.port.buildProtocol(None)
    line = SocketLine(sniffer)
    sniffer.makeConnection(line.transport)
    seen = weakref.ref(sniffer)
    line.protocol.dataReceived(upgrade_request(8080))
    (peer,) = plain.listener.peers
    del sniffer
    assert line.protocol is peer
    assert seen() is None
    assert not hasattr(peer, "__dict__")
    assert sys.getsizeof(peer) <= 160
    line.protocol.connectionLost(connectionDone)
    line.close()


def test_what_is_wrapped_is_left_in_its_wrapping(plain: Plain) -> None:
    line, peer = plain.open(WrappedLine)
    assert line.protocol is not peer
    line.protocol.connectionLost(connectionDone)
    assert (plain.port.places._open, plain.router.over) == (0, 1)


@pytest.mark.parametrize("kind", [SocketLine, WrappedLine])
def test_its_place_is_given_back_once(plain: Plain, kind: type[SocketLine | WrappedLine]) -> None:
    line, _ = plain.open(kind)
    plain.open(kind)
    assert plain.port.places._open == 2
    line.protocol.connectionLost(connectionDone)
    assert plain.port.places._open == 1
    assert sum(plain.port.places._open_by_network.values()) == 1
    assert len(plain.listener.peers) == 1


@pytest.mark.parametrize("unusual", [b"", frame(TEXT, b"half", fin=False)], ids=["lean", "handed over"])
def test_nothing_of_it_waits_for_the_collector(plain: Plain, unusual: bytes) -> None:
    line, peer = plain.open()
    line.protocol.dataReceived(MESSAGES[0] + unusual)
    seen = weakref.ref(peer.unusual) if peer.unusual is not None else None
    gc.collect()
    gc.disable()
    try:
        line.protocol.connectionLost(connectionDone)
        del peer
        assert seen is None or seen() is None
        line.close()
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- who needs something ---

HELD = {
    "fragments": frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False) + frame(CONTINUATION, b"c"),
    "pings between fragments": frame(TEXT, b"ab", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"c"),
    "a letter cut in two": frame(TEXT, b"ab\xc3", fin=False) + frame(CONTINUATION, b"\xa9"),
    "a long one": frame(TEXT, b"z" * 65536),
    "an empty fragment": frame(TEXT, b"abc", fin=False) + frame(CONTINUATION),
}


@pytest.mark.parametrize("behind", [False, True], ids=["first", "behind plain ones"])
@pytest.mark.parametrize("name", HELD)
def test_plain_frames_stay_plain_before_and_behind(plain: Plain, name: str, behind: bool) -> None:
    held = HELD[name]
    before = b"".join(MESSAGES) if behind else b""
    expected = CONTENTS if behind else []
    short = len(held) < 1000
    for cut in range(len(before + held)) if short else (1, 2, 5, 9, 13, len(held) - 1):
        line, peer = plain.open()
        stream = before + held
        line.protocol.dataReceived(stream[:cut])
        line.protocol.dataReceived(stream[cut:] + MESSAGES[0])
        assert plain.router.took[: len(expected)] == expected
        assert plain.router.took[-1] == b"one"
        assert len(plain.router.took) == len(expected) + 2
        pieces = by_autobahn(peer)
        for message in MESSAGES:
            line.protocol.dataReceived(message[:4])
            line.protocol.dataReceived(message[4:] + frame(PING, b"q"))
        assert pieces == []
        assert plain.router.took[-3:] == CONTENTS
        assert line.read().endswith(b"\x8a\x01q" * 3)
        plain.router.took.clear()


ENDINGS = {
    "unmasked": (frame(TEXT, b"x", mask=None), 1002),
    "reserved bit": (frame(TEXT, b"x", rsv=4), 1002),
    "reserved opcode": (frame(3, b"x"), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "no shortest length": (frame(TEXT, b"x", form="medium"), 1002),
    "no text": (frame(TEXT, b"\xff"), 1007),
    "too long": (frame(TEXT, b"", length=LIMIT + 1), 1009),
    "a ping in pieces": (frame(PING, b"x", fin=False), 1002),
    "a ping too long": (frame(PING, b"x" * 126), 1002),
    "an unmasked ping": (frame(PING, b"x", mask=None), 1002),
    "a pong with a reserved bit": (frame(PONG, b"x", rsv=1), 1002),
    "close": (frame(CLOSE, struct.pack("!H", 1000) + b"bye"), 1000),
    "close without a code": (frame(CLOSE), 1000),
    "close with half a code": (frame(CLOSE, b"\x03"), 1002),
    "close with no code of ours": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_ends_a_connection_does_so_wherever_it_is_cut(plain: Plain, name: str) -> None:
    ending, code = ENDINGS[name]
    before = b"".join(MESSAGES)
    for cut in range(len(before) - 3, len(before + ending)):
        line, peer = plain.open()
        stream = before + ending
        line.protocol.dataReceived(stream[:cut])
        line.protocol.dataReceived(stream[cut:])
        line.protocol.dataReceived(MESSAGES[0])
        assert plain.router.took == CONTENTS
        written = line.read()
        assert written[:1] == b"\x88"
        assert struct.unpack("!H", written[2:4]) == (code,)
        assert len(written) == 2 + written[1]
        # The session is over with the close frame, and with nothing else of it.
        assert plain.router.over == 1
        assert not peer.open
        plain.router.took.clear()
        line.protocol.connectionLost(connectionDone)
        plain.router.over = 0


def test_our_own_end_leaves_half_a_frame_to_autobahn(plain: Plain) -> None:
    line, peer = plain.open()
    half = frame(TEXT, b"x" * 50)
    line.protocol.dataReceived(half[:20])
    peer.end(1001, "shutting down")
    assert line.read() == b"\x88\x0f" + struct.pack("!H", 1001) + b"shutting down"
    line.protocol.dataReceived(half[20:] + frame(CLOSE, struct.pack("!H", 1001)) + MESSAGES[0])
    assert plain.router.took == []
    assert line.ended == "aborted"


def test_of_the_other_kind_is_a_violation(plain: Plain) -> None:
    line, _ = plain.open()
    line.protocol.dataReceived(MESSAGES[0] + frame(BINARY, b"x") + MESSAGES[0])
    assert plain.router.took == [b"one", "a binary message does not fit the negotiated serializer", b"one"]


def test_behind_what_was_sent_before_the_answer_is_autobahns_and_keeps_its_place(plain: Plain) -> None:
    line = SocketLine(plain.port.buildProtocol(None))
    line.protocol.makeConnection(line.transport)
    # As one that has had answers to other requests, of which not all has left.
    line.protocol._first = False
    line.transport.write(b"an answer before\r\n")
    line.protocol.dataReceived(upgrade_request(8080) + frame(PING, b"p"))
    written = line.read()
    assert written.startswith(b"an answer before\r\nHTTP/1.1 101 ")
    assert (written + line.read()).endswith(b"\r\n\r\n\x8a\x01p")
    line.protocol.connectionLost(connectionDone)
    line.close()


# --- signs of life ---


def test_a_ping_is_one_small_frame_and_needs_nothing(plain: Plain) -> None:
    line, peer = plain.open()
    for _ in range(3):
        plain.listener.ping_all(0, 1)
        assert line.read() == b"\x89\x00"
        line.protocol.dataReceived(frame(PONG))
    assert peer.unusual is None
    plain.listener.ping_all(0, 1)
    plain.listener.ping_all(0, 1)
    assert line.ended == "aborted"
    assert plain.listener.counters["limit_ping_seconds"] == 1


def test_every_share_is_pinged_once(plain: Plain) -> None:
    lines = [plain.open()[0] for _ in range(20)]
    for share in range(30):
        plain.listener.ping_all(share, 30)
    assert [line.read() for line in lines] == [b"\x89\x00"] * 20


def test_half_a_frame_is_a_sign_of_life(plain: Plain) -> None:
    line, peer = plain.open()
    peer.ping()
    line.protocol.dataReceived(MESSAGES[1][:3])
    peer.ping()
    assert line.ended == ""


# --- the log ---


@pytest.mark.parametrize(("reason", "lines"), [(connectionDone, 0), (BROKEN, 1)])
def test_tls_that_breaks_is_told_and_no_other_end(plain: Plain, reason: Failure, lines: int) -> None:
    line, _ = plain.open(WrappedLine)
    with capturedLogs() as captured:
        line.protocol.connectionLost(reason)
    assert len([event for event in captured if event["log_level"] >= LogLevel.warn]) == lines
