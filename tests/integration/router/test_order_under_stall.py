"""Readers over every transport stop reading and wake up: each gets every message, whole, in order, once.

All ways out of the router meet here: straight to the socket, past it into the queue, through
TLS, compressed, framed for WebSocket and for RawSocket, on TCP and on Unix sockets, in three
serializations; events in bursts and alone; a reader's own answers, pongs and pings among them.
"""

from __future__ import annotations

import random
import socket
import ssl
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import static_configuration, ticket_of
from integration.router.served import Served
from raw_deflate import DeflatingPeer
from raw_rawsocket import PING as RAW_PING
from raw_rawsocket import RawPeer, RawSocket, raw_frame
from raw_wamp import (
    CALL,
    EVENT,
    INVOCATION,
    PUBLISH,
    RESULT,
    SERIALIZERS,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    YIELD,
    Peer,
)
from raw_websocket import PING, Ended, RawConnection, frame
from redis_server import write_certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from raw_wamp import Message, Wamp

# Twisted hands its certificates to pyOpenSSL as that no longer likes them; elsewhere it does so in the daemon.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

TOPIC: Final = "com.example.order"
LEFT: Final = "com.example.order.left"
LATER: Final = "com.example.order.later"
ECHO: Final = "com.example.order.echo"

SMALL: Final = 4096
SIZES: Final = (0, 20, 150, 900, 1500, 4000, 20_000)
LONG: Final = (66_000, 90_000)
PIECES: Final = (1, 7, 50, 700, 4000, 30_000)

ROUNDS: Final = range(5, 12)
"""At least and at most so many, until all that sleep are behind."""


# --- clients ---


class Dribbling(RawConnection):
    """A connection that is read a little at a time, once it is woken up.

    Attributes:
        chance: how much at a time; None for all there is.
    """

    chance: random.Random | None = None
    _pieces = 0

    def _fill(self) -> None:
        if self.chance is None:
            super()._fill()
            return
        self._pieces += 1
        # The smallest for a while only: each is a system call.
        data = self.socket.recv(self.chance.choice(PIECES if self._pieces < 200 else PIECES[-2:]))
        if not data:
            raise Ended("the connection was closed")
        self._buffer += data


class Plain(Dribbling, Peer):
    """A WebSocket."""


class Compressed(Dribbling, DeflatingPeer):
    """A WebSocket that agrees on compression."""


class Raw(Dribbling, RawPeer):
    """A RawSocket."""


class PlainOverUnix(Dribbling, Peer, RawSocket):
    """A WebSocket over a Unix socket."""


class Reader:
    """A session that reads, or sleeps; and what it has got.

    Args:
        name: its transport and its serializer.
        peer: its client, which has joined.
        inside: the router's connection.

    Attributes:
        outbox: the router's, of its connection.
        events: topic and args of each event, in order.
        requests: what it asked for, by the code of the answer, in order.
        answered: what was answered, likewise.
        texts: what it called with, in order.
        results: what it was answered with, in order.
        pings: what it sent in pings, in order.
        has_left: whether its UNSUBSCRIBE was answered.
    """

    def __init__(self, name: str, peer: Any, inside: Any) -> None:
        self.name = name
        self.peer = peer
        self.outbox = getattr(inside, "outbox", inside)
        self._topic_by_subscription = {peer.subscribe(topic): topic for topic in (TOPIC, LEFT)}
        self._left = next(number for number, topic in self._topic_by_subscription.items() if topic == LEFT)
        self._leaving = 0
        self._asked: dict[int, str] = {}
        self.has_left = False
        self._last: dict[str, int] = {}
        self.events: list[tuple[str, list[Any]]] = []
        self.requests: dict[int, list[int]] = {SUBSCRIBED: [], RESULT: []}
        self.answered: dict[int, list[int]] = {SUBSCRIBED: [], RESULT: []}
        self.texts: list[str] = []
        self.results: list[str] = []
        self.pings: list[bytes] = []

    # --- what it says; it need not read for that ---

    def ask(self, number: int, text: str) -> None:
        """Say everything of a round at once: a ping, a SUBSCRIBE, a CALL, a ping."""
        peer = self.peer
        subscribe, call = peer.next_request(), peer.next_request()
        self._asked[subscribe] = f"{LATER}.{number}"
        self.requests[SUBSCRIBED].append(subscribe)
        self.requests[RESULT].append(call)
        self.texts.append(text)
        peer.send_bytes(
            self._ping(b"before %d" % number)
            + peer.framed([SUBSCRIBE, subscribe, {}, self._asked[subscribe]])
            + peer.framed([CALL, call, {}, ECHO, [text]])
            + self._ping(b"behind %d" % number)
        )

    def leave_topic(self) -> None:
        """Unsubscribe from a topic while its events wait."""
        self._leaving = self.peer.next_request()
        self.peer.send(UNSUBSCRIBE, self._leaving, self._left)

    def _ping(self, payload: bytes) -> bytes:
        self.pings.append(payload)
        if isinstance(self.peer, RawPeer):
            return raw_frame(RAW_PING, payload)
        return frame(PING, payload)

    # --- what it hears ---

    def read(self) -> None:
        """Read one message."""
        self.take(self.peer.receive())

    def read_all(self, publishers: Sequence[Publisher]) -> None:
        """Read up to the last answer and the last event of each publisher, whichever comes last."""
        last = {publisher.name: len(publisher.log) - 1 for publisher in publishers}
        while self.answered != self.requests or self._last != last:
            self.read()

    def take(self, message: Message) -> None:
        """Note a message; an event of a subscription that it does not know is an error."""
        code = message[0]
        if code == EVENT:
            assert message[5] == {"size": len(message[4][2])}
            args = message[4]
            self._last[args[0]] = args[1]
            self.events.append((self._topic_by_subscription[message[1]], args))
        elif code == UNSUBSCRIBED:
            assert message[1] == self._leaving
            del self._topic_by_subscription[self._left]
            self.has_left = True
        else:
            self.answered[code].append(message[1])
            if code == SUBSCRIBED:
                self._topic_by_subscription[message[2]] = self._asked[message[1]]
            else:
                assert code == RESULT, message
                self.results.append(message[3][0])


# --- publishers ---


class Publisher:
    """Publishes numbered events.

    Attributes:
        name: the first of the args of its events; the number of the event is the second.
        log: topic and args of each event, in order.
    """

    def __init__(self, name: str, peer: Wamp) -> None:
        self.log: list[tuple[str, list[Any]]] = []
        self.name = name
        self._peer: Any = peer
        self._texts = random.Random(name)

    def burst(self, topics: Sequence[str], sizes: Sequence[int]) -> None:
        """Publish in one piece, so that the router reads all of it in one turn, or few."""
        self._peer.send_bytes(
            b"".join(
                self._peer.framed([PUBLISH, self._peer.next_request(), {}, topic, *self._event(topic, size)])
                for topic, size in zip(topics, sizes, strict=True)
            )
        )

    def publish(self, topic: str, size: int) -> None:
        """Publish one event; the router has taken it, and all before it, when this returns."""
        self._peer.publish(topic, *self._event(topic, size))

    def _event(self, topic: str, size: int) -> tuple[list[Any], dict[str, Any]]:
        text = text_of(size, self._texts)
        args = [self.name, len(self.log), text]
        self.log.append((topic, args))
        return args, {"size": len(text)}


def text_of(size: int, chance: random.Random) -> str:
    """Text of letters of all lengths that compression makes shorter, but not short."""
    return "é€😀"[: size % 4] + chance.randbytes(size // 2).hex()


# --- the router, and everyone around it ---


class Scene:
    """A router, readers of each kind that sleep and some that don't, three publishers, and a callee.

    Attributes:
        readers: all of them.
        sleeping: those that don't read.
        awake: the others.
        publishers: what is to be received.
    """

    def __init__(self, served: Served, unix: Path, context: ssl.SSLContext, stack: ExitStack) -> None:
        self._served = served
        self._unix = unix
        self._context = context
        self._stack = stack
        self._chance = random.Random(1)
        secure: Any = served.service
        self._secure_port = served.inside(lambda: secure.ports[1].getHost().port)
        every = list(product(self._kinds(), SERIALIZERS))
        self.sleeping = [self._reader(kind, serializer, sleeps=True) for kind, serializer in every]
        self.awake = [self._reader(kind, serializer, sleeps=False) for kind, serializer in every[::4]]
        self.readers = [*self.sleeping, *self.awake]
        self.publishers = [
            Publisher("alice", self._joined(Peer(served.port), "alice")),
            Publisher("bob", self._joined(RawPeer(self._secure_port, "msgpack", tls=context), "bob")),
            Publisher("carol", self._joined(DeflatingPeer(served.port, "cbor"), "carol")),
        ]
        self._callee: Any = self._joined(Peer(served.port, "cbor"), "alice")
        self._callee.register(ECHO)

    def _kinds(self) -> dict[str, Callable[..., Any]]:
        port, secure, tls = self._served.port, self._secure_port, self._context
        return {
            "WebSocket": lambda *one, **more: Plain(port, *one, **more),
            "WebSocket over TLS": lambda *one, **more: Plain(secure, *one, tls=tls, **more),
            "compressed": lambda *one, **more: Compressed(port, *one, **more),
            "compressed over TLS": lambda *one, **more: Compressed(secure, *one, tls=tls, **more),
            "WebSocket over a Unix socket": lambda *one, **more: PlainOverUnix(self._unix, *one, **more),  # type: ignore[arg-type]  # RawSocket takes it
            "RawSocket": lambda *one, **more: Raw(port, *one, **more),
            "RawSocket over TLS": lambda *one, **more: Raw(secure, *one, tls=tls, **more),
            "RawSocket over a Unix socket": lambda *one, **more: Raw(self._unix, *one, **more),
        }

    def _joined(self, peer: Any, who: str) -> Any:
        self._stack.callback(peer.close)
        return peer.join(ticket_of(who))

    def _reader(self, kind: str, serializer: str, *, sleeps: bool) -> Reader:
        before = self._served.inside(self._connections)
        buffer = {"receive_buffer": SMALL} if sleeps else {}
        peer = self._joined(self._kinds()[kind](serializer, **buffer), "bob")
        (inside,) = self._served.inside(self._connections) - before
        if sleeps:
            self._served.inside(lambda: _socket_of(inside).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL))
        return Reader(f"{kind}, {serializer}", peer, inside)

    def _connections(self) -> set[Any]:
        service: Any = self._served.service
        return set(service.process.websocket.peers) | set(service.process.rawsocket.peers)

    # --- what happens ---

    def round(self, number: int) -> None:
        """Everyone asks for something, and everyone publishes: in bursts, then in turns."""
        for reader in self.readers:
            reader.ask(number, text_of(self._chance.choice(SIZES), self._chance))
        # Their SUBSCRIBEs stand before the CALLs, so that what is published now is for them, too.
        self.answer_calls()
        for publisher in self.publishers:
            sizes = [*self._chance.sample(SIZES, 6), self._chance.choice(LONG)]
            self._chance.shuffle(sizes)
            publisher.burst([TOPIC, LEFT, TOPIC, f"{LATER}.{number}", TOPIC, TOPIC, LEFT], sizes)
        for size, publisher in product(self._chance.sample(SIZES, 2), self.publishers):
            publisher.publish(TOPIC, size)
            publisher.publish(f"{LATER}.{self._chance.randint(0, number)}", 100)

    def answer_calls(self) -> None:
        """Answer a call of each reader: some at once, the others alone."""
        answers = []
        for number in range(len(self.readers)):
            message = self._callee.receive()
            assert message[0] == INVOCATION
            answers.append(self._callee.framed([YIELD, message[1], {}, message[4]]))
            if number % 5 == 4:
                self._callee.send_bytes(b"".join(answers))
                answers.clear()
        self._callee.send_bytes(b"".join(answers))

    def ping_all(self) -> None:
        """Have the router ask everyone for a sign of life."""
        service: Any = self._served.service
        self._served.inside(
            lambda: [listener.ping_all(0, 1) for listener in (service.process.websocket, service.process.rawsocket)]
        )

    def behind(self) -> list[str]:
        """Which readers the router keeps something for."""
        return list(self._served.inside(lambda: [reader.name for reader in self.readers if reader.outbox.waiting]))

    def losses(self) -> dict[str, int]:
        """What was done to readers that are too slow."""
        service: Any = self._served.service
        counted = self._served.inside(lambda: dict(service.router.realms["realm1"].counters))
        return {name: count for name, count in counted.items() if name.startswith(("slow_reader", "limit_"))}


def _socket_of(inside: Any) -> socket.socket:
    transport = inside.transport
    found: socket.socket = getattr(transport, "transport", transport).socket
    return found


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    write_certificates(tmp_path, ["localhost", "127.0.0.1"])
    unix = tmp_path / "wampgate.sock"
    key, certificate = tmp_path / "server.key", tmp_path / "server.pem"
    endpoints = (
        "tcp:0:interface=127.0.0.1",
        f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1",
        f"unix:{unix}",
    )
    configuration = static_configuration(
        listen=[{"endpoint": endpoint} for endpoint in endpoints],
        compression={},
        # The test itself has everyone pinged: a second time before they have read the first would end them.
        limits={"outbox_bytes": 1 << 26, "stalled_seconds": 60, "ping_seconds": 3600},
    )
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    served = Served(tmp_path, configuration)
    # Twisted's TLS would have its small writes joined by the one reactor of the process, which is not this one.
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: served._reactor)
    with served, ExitStack() as stack:
        yield Scene(served, unix, context, stack)


def fall_behind(scene: Scene) -> int:
    """Let everyone talk until the router keeps something for each that sleeps; how many rounds it took."""
    asleep = {reader.name for reader in scene.sleeping}
    number = 0
    while number not in ROUNDS or set(scene.behind()) != asleep:
        assert number < ROUNDS.stop, f"nothing waits for {asleep - set(scene.behind())}"
        scene.round(number)
        for reader in scene.awake:
            reader.read_all(scene.publishers)
        number += 1
    return number


def wake_up(scene: Scene, number: int) -> int:
    """Let all read in turns, a few messages each, while everyone goes on talking; how many rounds there were."""
    chance = random.Random(2)
    for reader in scene.sleeping:
        reader.peer.chance = random.Random(reader.name)
        reader.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    for _ in range(3):
        for reader in chance.sample(scene.sleeping, len(scene.sleeping)):
            # Less than what waits for each.
            for _ in range(chance.randint(1, 12)):
                reader.read()
        scene.round(number)
        number += 1
    return number


def check(reader: Reader, publishers: Sequence[Publisher], lengths: dict[str, int]) -> None:
    """See that a reader got all that it should have got, in order.

    Args:
        reader: who got it.
        publishers: who sent it.
        lengths: how long their logs were when it left the topic that it left.
    """
    assert reader.answered == reader.requests
    assert reader.results == reader.texts
    assert reader.peer.pongs == reader.pings
    assert reader.has_left
    for publisher in publishers:
        received = [event for event in reader.events if event[1][0] == publisher.name]
        assert received == [
            event for number, event in enumerate(publisher.log) if event[0] != LEFT or number < lengths[publisher.name]
        ]


def test_all_of_it_in_order(scene: Scene) -> None:
    number = fall_behind(scene)
    scene.ping_all()
    lengths = {publisher.name: len(publisher.log) for publisher in scene.publishers}
    for reader in scene.readers:
        reader.leave_topic()
    scene.round(number)
    number = wake_up(scene, number + 1)
    for reader in scene.readers:
        reader.read_all(scene.publishers)
    # Nothing waits any more, and what comes now leaves at once.
    assert scene.behind() == []
    scene.round(number)
    for reader in scene.readers:
        reader.read_all(scene.publishers)
        check(reader, scene.publishers, lengths)
    # It must not hold because they were ordinary readers.
    assert scene.losses() == {}
    for reader in scene.sleeping:
        compressed = [first for first, _ in getattr(reader.peer, "frames", ()) if first & 0x40]
        assert bool(compressed) == isinstance(reader.peer, DeflatingPeer)
