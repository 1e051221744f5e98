"""Slim transports do all that Twisted's do, with less memory; and only plain ones are written to past them."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol

from wampgate.transports.plain_transports import SlimServer, sender_of, slimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 5.0
MUCH = b"x" * (8 << 20)


class Kept(Protocol):
    """Keeps what comes, and how it ends."""

    def __init__(self) -> None:
        self.came = b""
        self.lost: Any = None
        self.drained = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.came += data

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        self.lost = reason

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.drained += 1

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        pass


class Listening:
    """A listener with slim transports, on a reactor of its own."""

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]  # Twisted's
        self._protocols: list[Kept] = []
        factory = ServerFactory()
        factory.noisy = False
        factory.buildProtocol = self._build  # type: ignore[method-assign, assignment]  # it is Twisted's hook
        self._port = slimmed(self.reactor.listenTCP(0, factory, interface="127.0.0.1"))
        self._clients: list[socket.socket] = []

    def connect(self) -> tuple[socket.socket, Kept, Any]:
        """A connection: the client's end, the protocol, its transport."""
        client = socket.create_connection(("127.0.0.1", self._port.getHost().port), timeout=SECONDS)
        self._clients.append(client)
        count = len(self._protocols)
        while len(self._protocols) == count:
            self.reactor.iterate(0.01)
        return client, self._protocols[-1], self._protocols[-1].transport

    def turn(self, times: int = 5) -> None:
        """Let the reactor do what there is to do."""
        for _ in range(times):
            self.reactor.iterate(0.001)

    def close(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        self._port.stopListening()
        self.turn()
        self.reactor.removeAll()

    def _build(self, _address: Any) -> Kept:
        self._protocols.append(Kept())
        return self._protocols[-1]


@pytest.fixture
def listening() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.close()


def test_nothing_of_a_usual_connection_needs_a_dictionary(listening: Listening) -> None:
    client, protocol, transport = listening.connect()
    transport.registerProducer(protocol, False)
    client.sendall(b"hello")
    listening.turn()
    assert type(transport) is SlimServer
    assert protocol.came == b"hello"
    assert vars(transport) == {}


def test_it_sends_and_ends_as_any_other(listening: Listening) -> None:
    client, protocol, transport = listening.connect()
    transport.registerProducer(protocol, False)
    asked = protocol.drained
    transport.write(MUCH)
    received = 0
    client.setblocking(False)
    while received < len(MUCH):
        listening.turn(1)
        with suppress(BlockingIOError):
            received += len(client.recv(1 << 20))
    listening.turn()
    assert protocol.drained > asked
    transport.unregisterProducer()
    transport.loseConnection()
    listening.turn()
    assert client.recv(1) == b""
    assert protocol.lost is not None


def test_it_knows_both_ends(listening: Listening) -> None:
    client, _, transport = listening.connect()
    assert (transport.getPeer().host, transport.getPeer().port) == client.getsockname()
    assert (transport.getHost().host, transport.getHost().port) == client.getpeername()
    assert repr(transport)
    assert transport.logPrefix()


def test_an_aborted_one_is_gone(listening: Listening) -> None:
    client, protocol, transport = listening.connect()
    transport.abortConnection()
    listening.turn()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert protocol.lost is not None
    # Late calls do no harm.
    transport.write(b"x")
    transport.loseConnection()
    transport.abortConnection()
    listening.turn()


def test_a_client_that_ends_is_noticed(listening: Listening) -> None:
    client, protocol, _ = listening.connect()
    client.close()
    listening.turn()
    assert protocol.lost is not None


def test_others_are_left_as_they_are() -> None:
    class Other(tcp.Port):
        pass

    listening: Any = object.__new__(Other)
    assert slimmed(listening).transport is tcp.Server
    assert slimmed(None) is None


def test_only_plain_transports_are_written_to_past_them(listening: Listening) -> None:
    _, _, transport = listening.connect()
    sender = sender_of(transport)
    assert sender is not None
    assert sender(b"x") == 1

    class Slimmer(SlimServer):
        pass

    class Wrapping:
        """As TLS, which passes on what it does not know to what it wraps."""

        def __getattr__(self, name: str) -> Any:
            return getattr(transport, name)

    assert sender_of(object.__new__(Slimmer)) is None
    assert sender_of(Wrapping()) is None
    assert sender_of(object.__new__(TLSMemoryBIOProtocol)) is None
