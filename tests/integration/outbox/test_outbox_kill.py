"""kill -9 of the router while rows are committed in every order: a client that recovers gets each of them, in order.

``KILLS`` and ``ENTRIES`` in the environment say how often and how many.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, ticket_of
from raw_wamp import EVENT, Peer
from raw_websocket import Closed, Ended, Refused
from router_process import RouterProcess

from .outbox_nodes import BACKEND, ROUTER, Backend, as_role

if TYPE_CHECKING:
    from postgres_server import PostgresServer

KILLS = int(os.environ.get("KILLS", "5"))
ENTRIES = int(os.environ.get("ENTRIES", "4000"))
TOPICS = ("organization.1", "organization.2", "organization.3")
GONE = (OSError, Closed, Ended, Refused, AssertionError)


def configuration(dsn: str, node: str = "router", **more: Any) -> dict[str, Any]:
    """A realm whose topics come from an outbox."""
    bridge = {
        "type": "postgres-outbox",
        "dsn": as_role(dsn, ROUTER),
        "node": node,
        "topics": [{"uri": "organization.", "match": "prefix"}],
        "poll_seconds": 0.5,
    }
    realm = {
        "name": "realm1",
        "authentication": {"ticket": {}, "principals": [principal("alice", "client")]},
        "authorization": {"rules": [rule("client", ["subscribe"], "organization.", "prefix")]},
        "topics": [{"uri": "organization.", "match": "prefix", "history": {"count": 10_000}}],
        "bridges": [bridge | more],
    }
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}


class Producer(threading.Thread):
    """Backends that insert numbered rows in overlapping transactions, as far as they are allowed to.

    A backend writes one topic at a time, so a topic's numbers are committed in their order.

    Attributes:
        added: how many rows are committed.
        allowed: how many may be.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self.added = 0
        self.allowed = 0
        self.by_topic: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self._backends = [Backend(as_role(dsn, BACKEND)) for _ in TOPICS]
        self._chance = random.Random(7)

    def run(self) -> None:
        number = 0
        waiting: list[list[int]] = [[] for _ in TOPICS]
        while self.added < ENTRIES:
            if self.added + sum(map(len, waiting)) >= self.allowed:
                self._commit(waiting, range(len(TOPICS)))
                time.sleep(0.002)
                continue
            which = self._chance.randrange(len(TOPICS))
            self._backends[which].insert(number, topic=TOPICS[which])
            waiting[which].append(number)
            number += 1
            if self._chance.random() < 0.1:
                self._commit(waiting, [self._chance.randrange(len(TOPICS))])
        for backend in self._backends:
            backend.close()

    def _commit(self, waiting: list[list[int]], which: Any) -> None:
        for index in which:
            self._backends[index].commit()
            self.by_topic[TOPICS[index]] += waiting[index]
            self.added += len(waiting[index])
            waiting[index] = []


class Client(threading.Thread):
    """Subscribes, recovers from where it stands, drops what it has by id, and comes back when it is cut off."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.numbers: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.recovered = self.twice = self.connections = 0
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
                    self._take(topics[message[1]], message[2], message[4][0])
        finally:
            peer.close()

    def _recover(self, peer: Peer, topic: str) -> None:
        more = topic in self._positions
        while more:
            call = peer.start_call("wampgate.history.recover", [topic, "exact", self._positions[topic]])
            answer = peer.result(call)[4]
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


def test_every_row_reaches_a_client_that_recovers(postgres: PostgresServer, dsn: str) -> None:
    chance = random.Random(4)
    share = ENTRIES // KILLS
    with RouterProcess(configuration(dsn)) as router:
        client, producer = Client(router.port), Producer(dsn)
        client.start()
        wait_until(lambda: client.connections, 10, "subscribed")
        # Who has no event yet has no position to recover from.
        producer.allowed = 20
        producer.start()
        wait_until(lambda: client.received >= 20, 10, "the first events")
        assert all(client.numbers.values())
        for kill in range(KILLS):
            producer.allowed = share * (kill + 1)
            moment = share * kill + chance.randrange(share)
            wait_until(lambda: producer.added >= moment, 60, "rows")  # noqa: B023 - called at once
            router.signal(signal.SIGKILL)
            router.wait()
            router.start()
            if chance.random() < 0.5:
                wait_until(lambda: client.received >= producer.added or client.faults, 60, "what came so far")
        producer.allowed = ENTRIES
        wait_until(lambda: producer.added == ENTRIES, 120, "all rows")
        with suppress(AssertionError):
            wait_until(lambda: client.received >= ENTRIES or client.faults, 60, "all received")
        client.finished.set()
        client.join(10)
        summary = (
            f"{KILLS} kills, {ENTRIES} rows: {client.received} received, {client.recovered} recovered, "
            f"{client.twice} twice, {client.connections} connections"
        )
        print(summary)  # noqa: T201 - what a long run has to tell
        assert client.faults == [], summary
        assert client.numbers == producer.by_topic, summary
        assert client.recovered, summary


def test_two_routers_deliver_everything_once_to_their_clients(postgres: PostgresServer, dsn: str) -> None:
    """Routers aren't linked: each has to deliver every row to its own sessions. One is killed and comes back."""
    with RouterProcess(configuration(dsn, "one")) as one, RouterProcess(configuration(dsn, "two")) as two:
        clients = [Client(one.port), Client(two.port)]
        producer = Producer(dsn)
        for client in clients:
            client.start()
        wait_until(lambda: all(client.connections for client in clients), 10, "subscribed")
        producer.allowed = 20
        producer.start()
        wait_until(lambda: all(client.received >= 20 for client in clients), 10, "the first events")
        producer.allowed = ENTRIES
        wait_until(lambda: producer.added > ENTRIES // 2, 60, "rows")
        two.signal(signal.SIGKILL)
        two.wait()
        two.start()
        wait_until(lambda: all(client.received >= ENTRIES for client in clients), 60, "all received")
        for client in clients:
            client.finished.set()
            client.join(10)
        assert [client.faults for client in clients] == [[], []]
        assert clients[0].numbers == clients[1].numbers == producer.by_topic
        assert (clients[0].twice, clients[0].connections) == (0, 1)


def test_rows_for_topics_of_no_rule_reach_nobody(postgres: PostgresServer, dsn: str) -> None:
    document = configuration(dsn)
    document["realms"][0]["authorization"]["rules"] = [rule("client", ["subscribe"], "com.", "prefix")]
    with RouterProcess(document) as router, closing(Peer(router.port)) as alice:
        alice.join(ticket_of("alice")).subscribe("com.example.news")
        backend = Backend(as_role(dsn, BACKEND))
        backend.insert(1, topic="com.example.news").insert(2, topic="organization.7").commit()
        backend.close()
        router.wait_for_log("row 1 can't be published: the router refused to publish")
        assert alice.events() == []
    rows = postgres.execute("SELECT topic, reason FROM wampgate_outbox_dead", dsn=dsn)
    assert [topic for topic, _ in rows] == ["com.example.news"]
    assert "do not allow the topic" in rows[0][1]


def test_a_client_that_changes_routers_misses_nothing(postgres: PostgresServer, dsn: str) -> None:
    """Publication ids and the order are the same everywhere."""
    with RouterProcess(configuration(dsn, "one")) as one, RouterProcess(configuration(dsn, "two")) as two:
        producer = Producer(dsn)
        client = Client(one.port)
        client.start()
        wait_until(lambda: client.connections, 10, "subscribed")
        producer.allowed = 20
        producer.start()
        wait_until(lambda: client.received >= 20, 10, "the first events")
        producer.allowed = ENTRIES
        wait_until(lambda: producer.added > ENTRIES // 4, 60, "rows")
        client._port = two.port
        one.signal(signal.SIGKILL)
        one.wait()
        wait_until(lambda: client.received >= ENTRIES or client.faults, 60, "all received")
        client.finished.set()
        client.join(10)
        assert client.faults == []
        assert client.numbers == producer.by_topic
        one.start()
