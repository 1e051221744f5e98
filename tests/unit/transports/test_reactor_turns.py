"""The end of a reactor's turn: when it comes, what it sends, and that connections end and fail as Twisted has it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet import error
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import implementer

from wampgate.transports import reactor_turns
from wampgate.transports.reactor_turns import at_end_of_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 5.0


class End(Protocol):
    """The server's end of a connection: does with what comes what the test says."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self._rig.received(self, data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        self.lost = reason


class Rig:
    """A reactor of the test's own with a listening port.

    Attributes:
        happened: what happened, in order.
    """

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]  # Twisted's
        self.at_end = at_end_of_turn(self.reactor)
        self.happened: list[str] = []
        self.ends: list[End] = []
        self.received: Callable[[End, bytes], None] = lambda _end, data: self.happened.append(data.decode())
        factory = ServerFactory()
        factory.noisy = False
        factory.buildProtocol = self._build  # type: ignore[method-assign, assignment]  # it is Twisted's hook
        self._listening = self.reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[no-untyped-call]  # Twisted's
        self._clients: list[socket.socket] = []

    def _build(self, _address: Any) -> End:
        self.ends.append(End(self))
        return self.ends[-1]

    def connect(self) -> socket.socket:
        """A client, once the server has taken it."""
        client = socket.create_connection(("127.0.0.1", self._listening.getHost().port))
        self._clients.append(client)
        known = len(self.ends)
        self.until(lambda: len(self.ends) > known)
        return client

    def until(self, true: Callable[[], object]) -> None:
        """Let the reactor run until something is true."""
        deadline = time.monotonic() + SOON
        while not true():
            assert time.monotonic() < deadline, "it did not come true"
            self.reactor.iterate(0.001)

    def close(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        self._listening.stopListening()
        for end in self.ends:
            if end.transport is not None:
                end.transport.abortConnection()
        for _ in range(5):
            self.reactor.iterate(0)
        self.reactor.removeAll()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What is logged as a failure."""
    events: list[Any] = []

    @implementer(ILogObserver)  # type: ignore[untyped-decorator]  # Zope's
    def observe(event: Any) -> None:
        if "log_failure" in event:
            events.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def test_it_comes_once_behind_all_that_was_read_in_the_turn(rig: Rig) -> None:
    clients = [rig.connect() for _ in range(3)]

    def received(_end: End, data: bytes) -> None:
        rig.happened.append(data.decode())
        if data == b"1":
            rig.at_end(lambda: rig.happened.append("end"))

    rig.received = received
    for number, client in enumerate(clients):
        client.sendall(str(number).encode())
    time.sleep(0.05)
    rig.reactor.iterate(1)
    assert sorted(rig.happened[:3]) == ["0", "1", "2"]
    assert rig.happened[3:] == ["end"]
    rig.reactor.iterate(0)
    assert rig.happened[3:] == ["end"]


def test_what_a_timed_call_asks_for_comes_before_the_next_wait(rig: Rig) -> None:
    rig.reactor.callLater(0, lambda: rig.at_end(lambda: rig.happened.append("end")))
    rig.reactor.runUntilCurrent()
    rig.reactor.doIteration(0)
    assert rig.happened == ["end"]


def test_what_an_end_asks_for_comes_without_waiting(rig: Rig) -> None:
    rig.at_end(lambda: rig.at_end(lambda: rig.happened.append("another end")))
    begun = time.monotonic()
    rig.reactor.doIteration(SOON)
    assert rig.happened == ["another end"]
    assert time.monotonic() - begun < SOON / 2


def test_an_end_that_asks_for_another_each_time_keeps_no_one_from_reading(rig: Rig) -> None:
    client = rig.connect()

    def again() -> None:
        rig.at_end(again)

    again()
    client.sendall(b"read")
    rig.until(lambda: rig.happened == ["read"])


def test_one_that_fails_does_not_keep_the_others(rig: Rig, logged: list[Any]) -> None:
    def fail() -> None:
        raise ValueError("this end fails")

    rig.at_end(fail)
    rig.at_end(lambda: rig.happened.append("end"))
    rig.reactor.doIteration(0)
    assert rig.happened == ["end"]
    assert [str(failure.value) for failure in logged] == ["this end fails"]


def test_a_connection_whose_reading_fails_ends_and_the_others_go_on(rig: Rig, logged: list[Any]) -> None:
    failing, fine = rig.connect(), rig.connect()

    def received(end: End, data: bytes) -> None:
        if end is rig.ends[0]:
            raise ValueError("this connection fails")
        rig.happened.append(data.decode())

    rig.received = received
    failing.sendall(b"x")
    fine.sendall(b"read")
    rig.until(lambda: rig.ends[0].lost is not None and rig.happened == ["read"])
    assert str(rig.ends[0].lost.value) == "this connection fails"
    assert [str(failure.value) for failure in logged] == ["this connection fails"]
    assert rig.ends[1].lost is None


def test_a_connection_that_the_client_ends_is_done(rig: Rig) -> None:
    client = rig.connect()
    client.sendall(b"last words")
    client.close()
    rig.until(lambda: rig.ends[0].lost is not None)
    assert rig.happened == ["last words"]
    assert rig.ends[0].lost.check(error.ConnectionDone)


def test_a_connection_that_is_reset_is_lost(rig: Rig) -> None:
    client = rig.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
    rig.until(lambda: rig.ends[0].lost is not None)
    assert rig.ends[0].lost.check(error.ConnectionLost)


def test_one_that_ends_another_of_the_same_turn(rig: Rig) -> None:
    clients = [rig.connect(), rig.connect()]

    def received(end: End, _data: bytes) -> None:
        rig.happened.append("read")
        (other,) = (one for one in rig.ends if one is not end)
        transport: Any = other.transport
        transport.connectionLost(error.ConnectionAborted())

    rig.received = received
    for client in clients:
        client.sendall(b"x")
    time.sleep(0.05)
    rig.reactor.iterate(1)
    rig.reactor.iterate(0)
    assert rig.happened == ["read"]


def test_what_does_not_fit_leaves_as_the_socket_takes_it(rig: Rig) -> None:
    """Writes go Twisted's own way."""
    client = rig.connect()
    transport: Any = rig.ends[0].transport
    size = 8 << 20
    transport.write(b"x" * size)
    client.setblocking(False)
    taken = 0

    def all_taken() -> bool:
        nonlocal taken
        with suppress(BlockingIOError):
            taken += len(client.recv(1 << 20))
        return taken == size

    rig.until(all_taken)


def test_two_that_ask_share_one_way(rig: Rig) -> None:
    wrapped = rig.reactor.doIteration
    other = at_end_of_turn(rig.reactor)
    assert rig.reactor.doIteration is wrapped
    other(lambda: rig.happened.append("other"))
    rig.at_end(lambda: rig.happened.append("one"))
    rig.reactor.doIteration(0)
    assert rig.happened == ["other", "one"]


def test_other_reactors_use_a_timed_call() -> None:
    happened: list[str] = []
    clock = Clock()
    at_end_of_turn(clock)(lambda: happened.append("end"))
    assert happened == []
    clock.advance(0)
    assert happened == ["end"]


def test_other_reactors_are_left_as_they_are() -> None:
    reactor: Any = SelectReactor()
    happened: list[str] = []
    at_end_of_turn(reactor)(lambda: happened.append("end"))
    assert "doIteration" not in reactor.__dict__
    reactor.iterate(0)
    assert happened == ["end"]
    reactor.removeAll()


def test_a_crowd_is_seen_to_in_several_turns_and_everyone_has_its_own(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [rig.connect() for _ in range(7)]
    monkeypatch.setattr(reactor_turns, "_AT_ONCE", 2)
    for number, client in enumerate(clients):
        client.sendall(str(number).encode())
    sizes = []
    deadline = time.monotonic() + SOON
    while len(rig.happened) < 7 and time.monotonic() < deadline:
        before = len(rig.happened)
        rig.reactor.iterate(0)
        sizes.append(len(rig.happened) - before)
    # Timed calls come after each turn, so none waits for all of the crowd.
    assert max(sizes) <= 2
    assert sorted(rig.happened) == [str(number) for number in range(7)]
