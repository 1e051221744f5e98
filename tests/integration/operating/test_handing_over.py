"""One router takes another one's place on the same port: nobody is refused, and no connection is reset."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Self

import pytest
from conftest import ticket_of
from raw_wamp import WELCOME, Peer
from raw_websocket import Closed, Ended, RawConnection
from router_process import RouterDidNotStart, RouterProcess

from .reloading import operated
from .test_reload_changes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS: Final = 4
_ACTIVATED: Final = """
import os
os.dup2({descriptor}, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="wamp")
from twisted.scripts.twistd import run
run()
"""
"""What systemd does before it starts a service that a socket unit belongs to."""


class Clients:
    """Clients that come one after the other, on several threads. A context manager.

    Attributes:
        outcomes: what became of them: ``joined``, ``sent away`` (1012), or an error.
    """

    def __init__(self, port: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._over = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._come, daemon=True) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join(30)

    def more(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more have joined."""
        wanted = self.outcomes["joined"] + count
        deadline = time.monotonic() + seconds
        while self.outcomes["joined"] < wanted:
            assert time.monotonic() < deadline, self.outcomes
            time.sleep(0.02)

    def _come(self) -> None:
        while not self._over:
            outcome = self._one()
            with self._lock:
                self.outcomes[outcome] += 1

    def _one(self) -> str:
        try:
            with Peer(self._port, timeout=30) as peer:
                try:
                    peer.hello(authmethods=["ticket"])
                    peer.receive()
                    peer.send(5, ticket_of("alice"), {})
                    return "joined" if peer.receive()[0] == WELCOME else "refused"
                except Closed as closed:
                    return "sent away" if closed.code == 1012 else repr(closed)
        except (OSError, Ended, AssertionError) as error:
            return repr(error)


@contextmanager
def activated(listening: socket.socket) -> Iterator[RouterProcess]:
    """A router on a socket that it is handed."""
    configuration = operated(listen=[{"endpoint": "systemd:domain=INET:name=wamp"}])
    program = _ACTIVATED.format(descriptor=listening.fileno())
    with RouterProcess(configuration, command=(sys.executable, "-c", program), hands=(listening.fileno(),)) as process:
        yield process


def test_a_socket_of_systemds_outlives_the_router() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening, ExitStack() as stack:
        listening.set_inheritable(True)
        old = stack.enter_context(activated(listening))
        with Clients(listening.getsockname()[1]) as clients:
            clients.more(20)
            # One after the other, as `systemctl restart` does it: who comes in between waits.
            assert old.stop() == 0
            stack.enter_context(activated(listening))
            clients.more(20)
        assert set(clients.outcomes) <= {"joined", "sent away"}, clients.outcomes


@pytest.mark.parametrize("times", [2])
def test_two_routers_share_a_port_until_one_goes(times: int) -> None:
    port = free_port()
    listen = [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "reuse_port": True}]
    with ExitStack() as stack:
        old = stack.enter_context(RouterProcess(operated(listen=listen)))
        with Clients(port) as clients:
            clients.more(20)
            for _ in range(times):
                new = stack.enter_context(RouterProcess(operated(listen=listen)))
                clients.more(10)
                assert old.stop() == 0
                clients.more(20)
                old = new
        assert set(clients.outcomes) <= {"joined", "sent away"}, clients.outcomes


def test_who_waits_to_be_accepted_is_let_in() -> None:
    """While the router is stopped in its tracks connections come; when it goes on, it is told to end at once."""
    with RouterProcess(operated()) as process, ExitStack() as stack:
        process.signal(signal.SIGSTOP)
        process.signal(signal.SIGTERM)
        waiting = [stack.enter_context(RawConnection(process.port, timeout=10)) for _ in range(400)]
        process.signal(signal.SIGCONT)
        for connection in waiting:
            # It was taken in: nothing was reset, and when the router has ended it was closed.
            assert connection.socket.recv(1) == b""
        assert process.wait() == 0
        process.stop()


def test_without_it_the_second_one_is_told_that_the_port_is_taken() -> None:
    configuration = operated(listen=[{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1"}])
    with RouterProcess(configuration):
        second = RouterProcess(configuration)
        with pytest.raises(RouterDidNotStart) as told, second:
            pass
        assert "Address already in use" in str(told.value)
