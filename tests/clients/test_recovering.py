"""Clients that come back, with the examples' helpers and our own: no event lost, none twice, and a gap is told."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients.node.autobahn_js import start_script
from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import Peer
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def router(redis: RedisServer) -> Iterator[RouterProcess]:
    redis.command("FLUSHALL")
    realm = {
        "name": "realm1",
        "authentication": {"principals": [principal("backend", "backend"), principal("alice", "reader")]},
        "authorization": {
            "rules": [
                rule("backend", ["publish"], "organization.", "prefix"),
                rule("reader", ["subscribe"], "organization.7"),
                rule("reader", ["subscribe"], "organization.7.", "prefix"),
            ]
        },
        "topics": [
            {"uri": "organization.", "match": "prefix", "history": {"store": "redis", "count": 5000, "bytes": 2**24}}
        ],
        "history": {"stores": [{"type": "redis", "url": redis.url, "state_folder": "var"}]},
    }
    with RouterProcess(static_configuration(realms=[realm])) as process:
        yield process


class Watched:
    """A client in a process of its own, and what it says: (who, what, …) per line."""

    def __init__(self, process: subprocess.Popen[str], read: Callable[[str], tuple[Any, ...] | None]) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self._process = process
        self._read = read
        self._queue: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._thread.join(5)

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = self._read(line)
            if said is not None:
                self._queue.put(said)

    def wait(self, holds: Callable[[list[tuple[Any, ...]]], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds(self.lines):
            left = deadline - time.monotonic()
            assert left > 0, self.lines[-20:]
            try:
                self.lines.append(self._queue.get(timeout=min(left, 0.1)))
            except queue.Empty:
                continue

    def drain(self) -> None:
        """Take what has come, without waiting."""
        while not self._queue.empty():
            self.lines.append(self._queue.get())

    def events(self, who: str) -> list[Any]:
        return [line[2] for line in self.lines if line[:2] == (who, "event")]


def read_json(line: str) -> tuple[Any, ...] | None:
    # autobahn-js itself prints what it does as well.
    return tuple(json.loads(line)) if line.startswith("[") else None


def read_python(line: str) -> tuple[Any, ...] | None:
    # Autobahn's run() puts the time before what is printed.
    said = line.partition(" ")[2]
    if said.startswith("gap"):
        return ("python", "missed")
    event = re.match(r"[\[(](\d+)", said)
    return None if event is None else ("python", "event", int(event[1]))


def node(port: int, topic: str = "organization.7", match: str = "exact") -> Watched:
    ticket = ticket_of("alice")
    return Watched(
        start_script("recovering.mjs", PORT=port, TOPIC=topic, MATCH=match, AUTHID="alice", TICKET=ticket), read_json
    )


def python(port: int) -> Watched:
    command = [sys.executable, "-u", str(EXAMPLES / "python" / "recover.py"), f"ws://127.0.0.1:{port}/ws", "alice"]
    process = subprocess.Popen(
        [*command, ticket_of("alice"), "7"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Watched(process, read_python)


def publish(router: RouterProcess, numbers: range, topic: str = "organization.7", **kwargs: Any) -> None:
    with Peer(router.port) as backend:
        backend.join(ticket_of("backend"), authid="backend")
        for number in numbers:
            backend.publish(topic.format(number % 3), [number], kwargs)


def current(who: str, count: int = 1) -> Callable[[list[tuple[Any, ...]]], bool]:
    return lambda lines: lines.count((who, "current")) >= count


def has(who: str, number: int) -> Callable[[list[tuple[Any, ...]]], bool]:
    return lambda lines: (who, "event", number) in lines


@pytest.mark.parametrize(("topic", "match"), [("organization.7", "exact"), ("organization.7.", "prefix")])
def test_stock_autobahn_js_and_our_own_client(router: RouterProcess, topic: str, match: str) -> None:
    where = topic if match == "exact" else topic + "{}"
    with node(router.port, topic, match) as client:
        client.wait(lambda lines: current("stock")(lines) and current("own")(lines))
        publish(router, range(50), where)
        for round_ in range(3):
            router.stop()
            router.start()
            # Published before they are back: they have missed it.
            begin = 50 + round_ * 500
            publish(router, range(begin, begin + 500), where)
            for who in ("stock", "own"):
                client.wait(has(who, begin + 499))
        for who in ("stock", "own"):
            assert client.events(who) == list(range(1550))
            assert (who, "missed") not in client.lines


def test_events_as_long_as_a_message_may_be(router: RouterProcess) -> None:
    long = "x" * (2**20 - 200)
    with node(router.port) as client, python(router.port) as python_client:
        client.wait(lambda lines: current("stock")(lines) and current("own")(lines))
        # It says nothing when it is there: the first event that it gets says it.
        publish(router, range(1))
        deadline = time.monotonic() + 20
        while not python_client.events("python"):
            assert time.monotonic() < deadline
            publish(router, range(1))
            time.sleep(0.2)
            python_client.drain()
        router.stop()
        router.start()
        publish(router, range(1, 9), text=long)
        publish(router, range(9, 12))
        python_client.wait(has("python", 11))
        assert python_client.events("python")[-11:] == list(range(1, 12))
        for who in ("stock", "own"):
            client.wait(has(who, 11))
            assert client.events(who)[-11:] == list(range(1, 12))
            assert (who, "missed") not in client.lines
        assert ("python", "missed") not in python_client.lines


def test_a_first_event_that_was_missed_is_recovered_too(router: RouterProcess) -> None:
    with node(router.port) as client:
        client.wait(lambda lines: current("stock")(lines) and current("own")(lines))
        router.stop()
        router.start()
        publish(router, range(3))
        for who in ("stock", "own"):
            client.wait(has(who, 2))
            assert client.events(who) == [0, 1, 2]


def test_a_kill_is_told_as_a_gap_and_nothing_comes_twice(router: RouterProcess) -> None:
    with node(router.port) as client:
        client.wait(lambda lines: current("stock")(lines) and current("own")(lines))
        publish(router, range(20))
        for who in ("stock", "own"):
            client.wait(has(who, 19))
        router.signal(signal.SIGKILL)
        router.wait()
        router.start()
        publish(router, range(20, 30))
        for who in ("stock", "own"):
            client.wait(has(who, 29))
            assert client.events(who) == list(range(30))
            assert client.lines.count((who, "missed")) == 1


def test_stock_autobahn_python(router: RouterProcess) -> None:
    with python(router.port) as client:
        # It says nothing when it is there: the first event that comes says it.
        deadline = time.monotonic() + 20
        first = -1
        while not client.events("python"):
            assert time.monotonic() < deadline
            first += 1
            publish(router, range(first, first + 1))
            time.sleep(0.2)
            client.drain()
        begin = client.events("python")[0]
        end = first + 1
        for _ in range(2):
            router.stop()
            router.start()
            publish(router, range(end, end + 300))
            end += 300
            client.wait(has("python", end - 1))
        assert client.events("python") == list(range(begin, end))
        assert ("python", "missed") not in client.lines


@pytest.mark.parametrize("file", ["python/recover.py", "node/recover.js"])
def test_the_helpers_are_short(file: str) -> None:
    lines = (EXAMPLES / file).read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("class Recovering"))
    end = next(
        number
        for number, line in enumerate(lines)
        if number > begin and line and not line.startswith((" ", "/")) and (line != "}" or file.endswith(".py"))
    )
    assert len([line for line in lines[begin:end] if line.strip()]) <= 40
