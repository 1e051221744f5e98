"""What a supervisor is told, read from a real datagram socket, and how little happens where there is none."""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from twisted.internet.task import Clock

from wampgate.observation.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Ear:
    """A supervisor's socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address}

    def heard(self) -> list[str]:
        """What was told since one last listened."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@wampgate-{secrets.token_hex(8)}"
    heard = Ear(address)
    with closing(heard.socket):
        yield heard


def test_states_and_status_are_told(ear: Ear) -> None:
    supervisor = Supervisor(ear.environment, now=lambda: 12.345678)
    supervisor.ready("3 sessions")
    supervisor.reloading()
    supervisor.ready()
    supervisor.status("two\nlines\r\nREADY=1")
    supervisor.stopping("bye")
    assert ear.heard() == [
        "READY=1\nSTATUS=3 sessions",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "READY=1",
        "STATUS=two lines READY=1",
        "STOPPING=1\nSTATUS=bye",
    ]
    supervisor.stop()


def test_the_watchdog_is_fed_twice_in_its_period(ear: Ear) -> None:
    clock = Clock()
    supervisor = Supervisor({**ear.environment, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())})
    assert supervisor.watchdog_seconds == 3.0
    supervisor.watch(clock)
    supervisor.watch(clock)
    assert ear.heard() == ["WATCHDOG=1"]
    clock.advance(1.4)
    assert ear.heard() == []
    clock.advance(0.1)
    assert ear.heard() == ["WATCHDOG=1"]
    supervisor.stop()
    assert clock.getDelayedCalls() == []
    clock.advance(10)
    assert ear.heard() == []


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_is_none_or_another_process_is_not_fed(ear: Ear, more: dict[str, str]) -> None:
    clock = Clock()
    supervisor = Supervisor({**ear.environment, **more})
    assert supervisor.watchdog_seconds is None
    supervisor.watch(clock)
    assert clock.getDelayedCalls() == []
    assert ear.heard() == []


@pytest.mark.parametrize("address", ["", "relative/path", "vsock:2:1"])
def test_without_a_socket_that_it_knows_it_opens_none(address: str) -> None:
    before = os.listdir("/proc/self/fd")
    clock = Clock()
    supervisor = Supervisor({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    supervisor.ready("x")
    supervisor.watch(clock)
    assert clock.getDelayedCalls() == []
    assert os.listdir("/proc/self/fd") == before


def test_a_supervisor_that_is_gone_or_does_not_read_stops_nobody(tmp_path: Path) -> None:
    gone = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    gone.ready("x")
    gone.stop()
    deaf = Ear(str(tmp_path / "deaf"))
    with closing(deaf.socket):
        supervisor = Supervisor(deaf.environment)
        for number in range(2000):
            supervisor.status(f"{number}")
        supervisor.stop()
        heard = deaf.heard()
    assert 0 < len(heard) < 2000
    assert re.fullmatch(r"STATUS=\d+", heard[-1])
