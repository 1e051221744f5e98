"""The real daemon under a supervisor that it tells how it is, as systemd would be."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Supervisor:
    """The socket that the daemon is given, and what came on it."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.settimeout(0.05)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except TimeoutError:
                return self.heard

    def wait_for(self, text: str, seconds: float = 10.0) -> str:
        deadline = time.monotonic() + seconds
        while not (found := [message for message in self.listen() if text in message.split("\n")]):
            assert time.monotonic() < deadline, self.heard
        return found[-1]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    listening = Supervisor(tmp_path / "notify")
    with closing(listening.socket):
        yield listening


def supervised(supervisor: Supervisor, **environ: str) -> RouterProcess:
    return RouterProcess(static_configuration(), environ={"NOTIFY_SOCKET": supervisor.address, **environ})


def test_it_says_when_it_is_ready_and_when_it_goes(supervisor: Supervisor) -> None:
    with supervised(supervisor) as process:
        assert "STATUS=ready; sessions: 0" in supervisor.wait_for("READY=1").split("\n")
        assert "STOPPING=1" not in "\n".join(supervisor.heard)
        process.stop()
        assert "STATUS=draining" in supervisor.wait_for("STOPPING=1")
    assert not any("WATCHDOG" in message for message in supervisor.heard)


def test_a_reload_begins_and_ends(supervisor: Supervisor) -> None:
    with supervised(supervisor) as process:
        supervisor.wait_for("READY=1")
        supervisor.heard.clear()
        before = time.monotonic()
        process.signal(signal.SIGHUP)
        told = supervisor.wait_for("RELOADING=1")
        (stamp,) = [line for line in told.split("\n") if line.startswith("MONOTONIC_USEC=")]
        assert before * 1e6 <= int(stamp.partition("=")[2]) <= time.monotonic() * 1e6
        supervisor.wait_for("READY=1")
        states = [message.split("\n")[0] for message in supervisor.heard if not message.startswith("STATUS=")]
        assert states == ["RELOADING=1", "READY=1"]


def test_who_asks_the_supervisor_is_told_how_it_is_now(supervisor: Supervisor) -> None:
    with supervised(supervisor) as process:
        supervisor.wait_for("READY=1")
        with Peer(process.port) as alice:
            alice.join(ticket_of("alice"))
            supervisor.wait_for("STATUS=ready; sessions: 1", seconds=20.0)


def test_the_watchdog_is_fed_while_the_reactor_turns_and_not_while_it_hangs(supervisor: Supervisor) -> None:
    with supervised(supervisor, WATCHDOG_USEC="400000") as process:
        supervisor.wait_for("WATCHDOG=1")
        supervisor.heard.clear()
        time.sleep(1.0)
        assert supervisor.listen().count("WATCHDOG=1") >= 3
        process.signal(signal.SIGSTOP)
        supervisor.listen()
        supervisor.heard.clear()
        time.sleep(1.0)
        assert supervisor.listen() == []
        process.signal(signal.SIGCONT)
        supervisor.wait_for("WATCHDOG=1")
