"""Ten reloads while a thousand sessions are sent events: each event comes once, and in order."""

from __future__ import annotations

import json
import select
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from conftest import ticket_of
from integration.revocation.crowd import allow_descriptors
from raw_wamp import EVENT, Peer
from redis_server import RedisServer
from router_process import RouterProcess

from .reloading import CHANGED, operated, reload

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS: Final = 1_000
RELOADS: Final = 10
TOPIC: Final = "com.example.numbers"
EVERY_SECONDS: Final = 0.04
LIMITS: Final = {"connections_per_address": 0, "sessions_per_authid": 0}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


class Subscribers:
    """Many sessions on one topic, and all that they are sent. A context manager."""

    def __init__(self, port: int, count: int) -> None:
        self.peers = [Peer(port).join(ticket_of("bob")) for _ in range(count)]
        for peer in self.peers:
            peer.subscribe(TOPIC)
        self._received: dict[int, bytearray] = {peer.socket.fileno(): bytearray() for peer in self.peers}
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for peer in self.peers:
            peer.close()

    def stop(self) -> None:
        """Read no more."""
        self._over = True
        self._reader.join(10)

    def numbers(self) -> list[list[int]]:
        """What each session was sent."""
        return [[message[4][0] for message in _messages(data)] for data in self._received.values()]

    def _read(self) -> None:
        poll = select.epoll()
        by_number = {peer.socket.fileno(): peer.socket for peer in self.peers}
        for number, each in by_number.items():
            each.setblocking(False)
            poll.register(number, select.EPOLLIN)
        while not self._over:
            for number, _ in poll.poll(0.05):
                data = by_number[number].recv(1 << 18)
                self._received[number] += data
                if not data:
                    poll.unregister(number)
        poll.close()


def _messages(data: bytearray) -> Iterator[list[Any]]:
    """The messages of a server's frames, which are neither masked nor in fragments."""
    at = 0
    while at < len(data):
        opcode, length = data[at] & 0x0F, data[at + 1]
        at += 2
        if length == 126:
            length = int.from_bytes(data[at : at + 2], "big")
            at += 2
        if opcode == 1:
            message = json.loads(data[at : at + length])
            assert message[0] == EVENT, message
            yield message
        else:
            assert opcode == 9, f"a frame of kind {opcode}: {bytes(data[at : at + length])!r}"
        at += length


class Publisher:
    """Publishes one number after the other. A context manager.

    Attributes:
        sent: how many were acknowledged.
    """

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._peer = Peer(port).join(ticket_of("alice"))
        self._over = False
        self._thread = threading.Thread(target=self._publish, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._peer.close()

    def stop(self) -> None:
        """Publish no more."""
        self._over = True
        self._thread.join(10)

    def _publish(self) -> None:
        while not self._over:
            self._peer.publish(TOPIC, [self.sent])
            self.sent += 1
            time.sleep(EVERY_SECONDS)


def configurations(redis: RedisServer) -> list[dict[str, Any]]:
    """Some that differ in everything that these sessions have no part in."""
    plain, ruled, bridged, kept = (operated(limits=LIMITS) for _ in range(4))
    ruled["realms"][0]["authorization"]["rules"].append(
        {"role": "client", "actions": ["subscribe"], "uri": "com.example.numbers", "match": "exact"}
    )
    ruled["limits"] = LIMITS | {"subscriptions_per_session": 7, "outbox_bytes": 2**21, "ping_seconds": 20}
    ruled["listen"].append({"endpoint": "tcp:0:interface=127.0.0.1:backlog=10", "serves": ["wamp", "backend"]})
    rule = {"dialect": "plain", "channel": "org.{id}", "topic": "organization.{id}"}
    bridged["realms"][0]["bridges"] = [{"type": "redis", "url": redis.url, "rules": [rule]}]
    bridged["realms"][0]["authentication"]["principals"].pop()
    kept["realms"][0]["topics"] = [{"uri": "com.example.", "match": "prefix", "history": {"count": 10}}]
    kept["realms"].append({"name": "realm2", "authentication": {"anonymous": {}}})
    kept["goodbye"] = "never"
    return [ruled, bridged, kept, plain]


def test_a_thousand_sessions_under_load_lose_nothing_over_ten_reloads(redis: RedisServer) -> None:
    allow_descriptors(4 * SESSIONS)
    changes = configurations(redis)
    with RouterProcess(operated(limits=LIMITS)) as process:
        with Subscribers(process.port, SESSIONS) as subscribers, Publisher(process.port) as publisher:
            for number in range(RELOADS):
                assert CHANGED in reload(process, changes[number % len(changes)])
                time.sleep(3 * EVERY_SECONDS)
            publisher.stop()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and any(len(each) < publisher.sent for each in subscribers.numbers()):
                time.sleep(0.2)
            subscribers.stop()
            expected = list(range(publisher.sent))
            assert publisher.sent > RELOADS
            assert [each for each in subscribers.numbers() if each != expected] == []
        assert "lost its subscription" not in process.log()
