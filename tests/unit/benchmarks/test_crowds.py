"""Crowds that connect at once, that idle, and the server's start: measured at a small scale, and verified."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import load, native, startup
from benchmarks.servers.interface import Credentials, Running
from benchmarks.servers.limit import Limit
from benchmarks.servers.wampgate import Wampgate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = Credentials("nobody", "any")
STORM = ("storm", "--first", "5", "--patience", "10")


@pytest.fixture
def limit(tmp_path: Path) -> Iterator[Running]:
    server = Limit("send")
    yield server.start(tmp_path)
    server.stop()


@pytest.fixture
def pinging(tmp_path: Path) -> Iterator[Running]:
    """wampgate, which pings every second."""
    server = Wampgate({"ping_seconds": 1})
    yield server.start(tmp_path)
    server.stop()


def test_a_storm_is_timed_and_probed(limit: Running) -> None:
    outcome = load.run(limit, (*STORM, "--connections", "500"))
    assert outcome.operations == 500
    assert outcome.seconds > 0
    assert outcome.pause_us > 0


def test_a_pause_is_seen_from_outside(limit: Running) -> None:
    """The server is stopped again and again, as a busy event loop would be; the probe lives for half a second."""
    (process,) = limit.processes
    over = threading.Event()

    def pause() -> None:
        while not over.wait(0.03):
            os.kill(process, signal.SIGSTOP)
            time.sleep(0.12)
            os.kill(process, signal.SIGCONT)

    pausing = threading.Thread(target=pause)
    pausing.start()
    try:
        outcome = load.run(limit, (*STORM, "--connections", "100"))
    finally:
        over.set()
        pausing.join()
    assert 110_000 < outcome.pause_us < 5_000_000


def test_a_crowd_of_wampgates_users_joins_at_once(pinging: Running) -> None:
    assert load.run(pinging, (*STORM, "--connections", "150")).operations == 150


def test_pings_are_answered_and_counted(pinging: Running) -> None:
    outcome = load.run(pinging, ("idle", "--connections", "20", "--seconds", "3", "--pings", "2"))
    # One that did not answer would have been dropped, which is a fault.
    assert 40 <= outcome.operations <= 80
    assert 0 <= outcome.idle_load < 1


def test_a_server_that_does_not_ping_is_a_fault(limit: Running) -> None:
    with pytest.raises(load.RunFailed, match="was pinged 0 times instead of 1"):
        load.run(limit, ("idle", "--connections", "3", "--seconds", "0.2", "--pings", "1"))


def test_no_probe_outlives_the_generator(limit: Running) -> None:
    command = [str(native.program("load")), *STORM, "--port", str(limit.port), "--connections", "1"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _await(lambda: _count_with(limit.port) == 2)
    running.kill()
    running.wait()
    _await(lambda: _count_with(limit.port) == 0)


def _count_with(port: int) -> int:
    """How many processes have this port among their words."""
    count = 0
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            count += f"--port\0{port}\0" in words.read_text(encoding="utf-8", errors="replace")
    return count


def _await(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_memory_that_was_used_only_for_a_moment_is_seen(limit: Running) -> None:
    """By a process that takes more and more, and always gives it back at once."""
    program = "import time\nfor size in range(1, 200):\n    time.sleep(0.02)\n    bytearray(size * 1_000_000)"
    fan_out = ("fanout", "--subscribers", "20", "--warm", "0.1", "--seconds", "0.3")
    with subprocess.Popen([sys.executable, "-c", program]) as greedy:
        grown = load.run(replace(limit, processes=(greedy.pid,)), fan_out).grown_bytes
        greedy.kill()
    assert 3_000_000 < grown < 200_000_000
    assert load.run(limit, fan_out).grown_bytes < 3_000_000


def test_a_start_is_timed_from_the_processs_beginning(tmp_path: Path) -> None:
    server = Limit("send")
    running = server.start(tmp_path)
    try:
        time.sleep(0.3)
        outcome = startup.run(running, ())
        assert 0.29 < outcome.seconds < 10
        assert 100_000 < outcome.resident_bytes < 50_000_000
        assert outcome.operations == 1
    finally:
        server.stop()


def test_wampgates_start_is_timed(tmp_path: Path) -> None:
    server = Wampgate()
    try:
        assert 0.1 < startup.run(server.start(tmp_path), ()).seconds < 60
    finally:
        server.stop()


@pytest.mark.parametrize(("answer", "said"), [(b"HTTP/1.1 503 Busy\r\n\r\n", "refused: HTTP/1.1 503"), (b"", "closed")])
def test_a_start_without_an_answer_is_none(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        refusing = threading.Thread(target=refuse)
        refusing.start()
        server = Running(listener.getsockname()[1], "/", "realm1", (os.getpid(),), NOBODY, NOBODY)
        with pytest.raises(load.RunFailed, match=said):
            startup.run(server, ())
        refusing.join()


def test_a_server_that_is_gone_did_not_start(limit: Running) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(load.RunFailed, match="no answer to the first connection"):
        startup.run(replace(limit, processes=(ended.pid,)), ())
