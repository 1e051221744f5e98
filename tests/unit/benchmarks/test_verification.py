"""The load generator notices every kind of damage: without this, "verified" would be a word."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pytest
from unit.benchmarks.foreign_server import CentrifugeServer, SocketIOServer

from benchmarks import load
from benchmarks.servers.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from unit.benchmarks.foreign_server import ForeignServer

    from benchmarks.servers.interface import Running

FANOUT = ("fanout", "--subscribers", "3", "--window", "8", "--concurrency", "1")
CALLS = ("calls", "--in-flight", "8", "--concurrency", "1")
SHORT = ("--warm", "0.1", "--seconds", "0.4", "--patience", "1")


class FaultyWire:
    """Stands between the generator and a server on 127.0.0.1.

    From the first connection it takes the tenth to fourteenth message that begins
    with ``marker``, and passes on what ``damage`` makes of these five frames.
    """

    def __init__(self, server_port: int, marker: bytes, damage: Callable[[list[bytes]], list[bytes]]) -> None:
        self._server_port = server_port
        self._marker = marker
        self._damage = damage
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        first = True
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._open += [client, server]
            back = self._pass_damaged if first else _pass_on
            first = False
            for target, ends in ((_pass_on, (client, server)), (back, (server, client))):
                thread = threading.Thread(target=target, args=ends)
                self._threads.append(thread)
                thread.start()

    def _pass_damaged(self, source: socket.socket, to: socket.socket) -> None:
        seen = 0
        held: list[bytes] = []
        with contextlib.suppress(OSError):
            for piece in _pieces(source):
                if not self._marker_in(piece):
                    to.sendall(piece)
                    continue
                seen += 1
                if 10 <= seen < 15:
                    held.append(piece)
                if seen == 14:
                    to.sendall(b"".join(self._damage(held)))
                elif not 10 <= seen < 15:
                    to.sendall(piece)

    def _marker_in(self, frame: bytes) -> bool:
        return self._marker in frame[2:12]


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)


def _pieces(source: socket.socket) -> Iterator[bytes]:
    """The response's head, then one frame after another; a server's frames are not masked."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += source.recv(65536)
    head, _, buffer = buffer.partition(b"\r\n\r\n")
    yield head + b"\r\n\r\n"
    while True:
        while (whole := _frame_length(buffer)) is None or len(buffer) < whole:
            data = source.recv(65536)
            if not data:
                return
            buffer += data
        yield buffer[:whole]
        buffer = buffer[whole:]


def _frame_length(buffer: bytes) -> int | None:
    """The length of the frame that begins here, head included; None as long as it can't be known."""
    if len(buffer) < 4:
        return None if len(buffer) < 2 or buffer[1] == 126 else 2 + buffer[1]
    return 4 + int.from_bytes(buffer[2:4], "big") if buffer[1] == 126 else 2 + buffer[1]


@pytest.fixture
def limit(tmp_path: Path) -> Iterator[Running]:
    server = Limit("send")
    yield server.start(tmp_path)
    server.stop()


def changed(frame: bytes) -> bytes:
    """A frame with its ninth letter from the end (inside the text, in all protocols) exchanged for another."""
    return frame[:-9] + bytes([frame[-9] ^ 1]) + frame[-8:]


DAMAGES = {
    "lost": lambda frames: frames[1:],
    "twice": lambda frames: [frames[0], *frames],
    "out of order": lambda frames: frames[::-1],
    "changed": lambda frames: [changed(frames[0]), *frames[1:]],
    "nonsense": lambda frames: [b"\x81\x02[}", *frames],
    "closed": lambda frames: [*frames, b"\x88\x02\x03\xe8"],
}


def run(limit: Running, marker: bytes, damage: str, options: tuple[str, ...]) -> load.Outcome:
    with FaultyWire(limit.port, marker, DAMAGES[damage]) as wire:
        return load.run(replace(limit, port=wire.port), (*options, *SHORT))


def test_an_intact_wire_is_no_fault(limit: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DAMAGES, "none", lambda frames: frames)
    assert run(limit, b"[36,", "none", FANOUT).operations > 0
    assert run(limit, b"[68,", "none", CALLS).operations > 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_events_are_noticed(limit: Running, damage: str) -> None:
    with pytest.raises(load.RunFailed, match="subscriber 0"):
        run(limit, b"[36,", damage, FANOUT)


# The callee joins first: what is lost or doubled on its way is a result that is missing or one too many.
@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"out of order"}))
def test_damaged_invocations_are_noticed(limit: Running, damage: str) -> None:
    with pytest.raises(load.RunFailed):
        run(limit, b"[68,", damage, CALLS)


def test_the_last_event_is_missed_too(limit: Running) -> None:
    """No later event shows that it is lost, so the run may not end before all have arrived."""
    burst = ("fanout", "--subscribers", "1", "--window", "14", "--burst", *SHORT)
    with (
        FaultyWire(limit.port, b"[36,", lambda frames: frames[:-1]) as wire,
        pytest.raises(load.RunFailed, match="1 are missing"),
    ):
        load.run(replace(limit, port=wire.port), burst)


FOREIGN: dict[str, tuple[Callable[[], ForeignServer], bytes]] = {
    "centrifuge": (CentrifugeServer, b'{"push"'),
    "socketio": (SocketIOServer, b'42["news'),
}
"""The other protocols: a server that speaks it, and how its events begin."""


@pytest.fixture(params=FOREIGN)
def foreign(request: pytest.FixtureRequest) -> Iterator[tuple[Running, bytes]]:
    kind, marker = FOREIGN[request.param]
    with kind() as server:
        yield server.running(os.getpid()), marker


def test_an_intact_wire_is_no_fault_in_any_protocol(
    foreign: tuple[Running, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DAMAGES, "none", lambda frames: frames)
    running, marker = foreign
    assert run(running, marker, "none", FANOUT).operations > 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_events_are_noticed_in_any_protocol(foreign: tuple[Running, bytes], damage: str) -> None:
    running, marker = foreign
    with pytest.raises(load.RunFailed, match="subscriber 0"):
        run(running, marker, damage, FANOUT)


def test_an_event_that_is_lost_within_a_frame_is_noticed() -> None:
    """Several events in one frame are as many, and one that is cut out of their middle is missing."""

    def without_the_second(frames: list[bytes]) -> list[bytes]:
        first, _, *rest = frames[0][4:].split(b"\n")
        shorter = b"\n".join([first, *rest])
        return [b"\x81\x7e" + len(shorter).to_bytes(2) + shorter, *frames[1:]]

    with (
        CentrifugeServer(together=4) as server,
        FaultyWire(server.port, b'{"push"', without_the_second) as wire,
        pytest.raises(load.RunFailed, match="subscriber 0"),
    ):
        load.run(replace(server.running(os.getpid()), port=wire.port), (*FANOUT, "--window", "60", *SHORT))
