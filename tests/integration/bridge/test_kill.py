"""kill -9 of the router while entries flow through a stream: a client that recovers gets every one of them.

``KILLS`` and ``ENTRIES`` in the environment say how often and how many; 100 and 100000 are what the product promises.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, ticket_of
from raw_wamp import EVENT, Peer, WampError
from raw_websocket import Closed, Ended, Refused
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("KILLS", "5"))
ENTRIES = int(os.environ.get("ENTRIES", "5000"))
TOPICS = ("organization.1", "organization.2", "organization.3")
BATCH = 25
GONE = (OSError, Closed, Ended, Refused, AssertionError)


def configuration(redis: str, state_folder: Path) -> dict[str, Any]:
    """A realm whose topics come from the stream ``news``; the memory keeps few of them."""
    bridge = {
        "type": "redis-streams",
        "url": redis,
        "ping_seconds": 0.5,
        "state_folder": str(state_folder),
        "rules": [{"dialect": "plain", "stream": "news", "topic": "organization.{organization}"}],
    }
    realm = {
        "name": "realm1",
        "authentication": {"ticket": {}, "principals": [principal("alice", "client")]},
        "authorization": {"rules": [rule("client", ["subscribe"], "organization.", "prefix")]},
        "topics": [{"uri": "organization.", "match": "prefix", "history": {"count": 200}}],
        "bridges": [bridge],
    }
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}


class Producer(threading.Thread):
    """Adds numbered entries to the stream, in small batches, as far as it is allowed to.

    Attributes:
        added: how many it has added.
        allowed: how many it may add.
    """

    def __init__(self, redis: RedisServer) -> None:
        super().__init__(daemon=True)
        self.added = 0
        self.allowed = 0
        self._redis = redis

    def run(self) -> None:
        script = (
            "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call('XADD', 'news', '*', "
            "'topic', 'organization.' .. (i % 3 + 1), 'payload', '[' .. i .. ']') end"
        )
        while self.added < ENTRIES:
            count = min(BATCH, self.allowed - self.added)
            if count <= 0:
                time.sleep(0.002)
                continue
            reply = self._redis.command("EVAL", script, "0", str(self.added), str(self.added + count - 1))
            assert reply == b"$-1\r\n", reply
            self.added += count
            time.sleep(0.005)


class Client(threading.Thread):
    """Subscribes, recovers from where it stands, drops what it has by id, and comes back when it is cut off.

    Attributes:
        numbers: of each topic the numbers that came, in their order.
        live, recovered, twice: how many came as events, by recovery, and once more.
        faults: what must not happen.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.numbers: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.live = self.recovered = self.twice = self.connections = 0
        self.faults: list[str] = []
        self.finished = threading.Event()
        self._port = port
        self._positions: dict[str, int] = {}
        self._seen: set[int] = set()

    @property
    def received(self) -> int:
        return sum(map(len, self.numbers.values()))

    def run(self) -> None:
        while not self.finished.is_set():
            with suppress(*GONE):
                self._connected()
            time.sleep(0.01)

    def _connected(self) -> None:
        peer = Peer(self._port, "json", timeout=1.0)
        try:
            peer.join(ticket_of("alice"))
            topics = {peer.subscribe(topic): topic for topic in TOPICS}
            for topic in TOPICS:
                self._recover(peer, topic)
            self.connections += 1
            while not self.finished.is_set():
                with suppress(TimeoutError):
                    message = peer.receive()
                    assert message[0] == EVENT
                    self.live += self._take(topics[message[1]], message[2], message[4][0])
        finally:
            peer.close()

    def _recover(self, peer: Peer, topic: str) -> None:
        """What came since the position; events that come meanwhile wait in the peer."""
        more = topic in self._positions
        while more:
            try:
                result = peer.result(
                    peer.start_call("wampgate.history.recover", [topic, "exact", self._positions[topic]])
                )
            except WampError as error:
                self.faults.append(str(error))
                return
            answer = result[4]
            if not answer["recovered"]:
                self.faults.append(f"{topic}: not recovered from {self._positions[topic]} at {self.received}")
                return
            for event in answer["events"]:
                self.recovered += self._take(topic, event["publication"], event["args"][0])
            more = answer["more"]

    def _take(self, topic: str, publication: int, number: int) -> bool:
        if publication in self._seen:
            self.twice += 1
            return False
        self._seen.add(publication)
        self._positions[topic] = publication
        self.numbers[topic].append(number)
        return True


def wait_until(true: Any, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def test_every_entry_reaches_a_client_that_recovers(tmp_path: Path) -> None:
    chance = random.Random(4)
    share = ENTRIES // KILLS
    with RedisServer() as redis, RouterProcess(configuration(redis.url, tmp_path / "state")) as router:
        client, producer = Client(router.port), Producer(redis)
        client.start()
        wait_until(lambda: client.connections, 10, "subscribed")
        # Who has no event yet has no position to recover from.
        producer.allowed = len(TOPICS)
        producer.start()
        wait_until(lambda: client.received == len(TOPICS), 10, "the first events")
        for kill in range(KILLS):
            producer.allowed = share * (kill + 1)
            moment = share * kill + chance.randrange(share)
            wait_until(lambda: producer.added >= moment, 60, "entries")  # noqa: B023 - called at once
            router.signal(signal.SIGKILL)
            router.wait()
            router.start()
            if chance.random() < 0.5:
                # Killed in the flow next time, and else in the middle of recovery.
                wait_until(lambda: client.received >= producer.added or client.faults, 60, "what came so far")
        producer.allowed = ENTRIES
        wait_until(lambda: producer.added == ENTRIES, 120, "all entries")
        with suppress(AssertionError):
            wait_until(lambda: client.received >= ENTRIES or client.faults, 60, "all received")
        client.finished.set()
        client.join(10)
        summary = (
            f"{KILLS} kills, {ENTRIES} entries: {client.live} live, {client.recovered} recovered, "
            f"{client.twice} twice, {client.connections} connections"
        )
        print(summary)  # noqa: T201 - what a long run has to tell
        assert client.faults == [], summary
        for number, topic in enumerate(TOPICS):
            wanted = [i for i in range(ENTRIES) if i % 3 == number]
            assert client.numbers[topic] == wanted, summary
        assert client.recovered, summary
        assert "trimmed" not in router.log()
