"""Two routers with the same rules on one Redis: every client of each gets every message exactly once."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import EVENT, Peer
from redis_server import RedisServer
from router_process import RouterProcess

RULES = [
    {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"},
    {"dialect": "socketio-emitter", "room": "organization.{organization}", "topic": "organization.{organization}"},
]
MESSAGES = 400


def configuration(server: RedisServer, subscribe: str) -> dict[str, Any]:
    document = static_configuration()
    document["realms"][0]["bridges"] = [
        {
            "type": "redis",
            "url": server.url,
            "ping_seconds": 1,
            "subscribe": subscribe,
            "rules": RULES,
            "out": [{"topic": "organization.{organization}", "channel": "out.{organization}"}],
        }
    ]
    return document


def wait_for_readers(server: RedisServer, subscribe: str) -> None:
    """Until both routers read: by the rules' patterns, or the channels of what is subscribed to."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        numbers = server.command("PUBSUB", "NUMSUB", "channel.7", "channel.8").decode().split("\r\n")
        if subscribe == "wanted" and (numbers[3], numbers[6]) == (":2", ":2"):
            return
        if (
            subscribe == "all"
            and server.command("PUBSUB", "NUMPAT") == b":2\r\n"
            and server.publish("channel.x", "0") == 2
        ):
            return
        time.sleep(0.05)
    raise AssertionError("the routers do not read")


@pytest.mark.parametrize("subscribe", ["all", "wanted"])
def test_every_client_gets_everything_once(subscribe: str) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer())
        routers = [stack.enter_context(RouterProcess(configuration(server, subscribe))) for _ in range(2)]
        peers = []
        for router in routers:
            for topics in (["organization.7"], ["organization.7", "organization.8"], ["organization.8"]):
                peer = stack.enter_context(Peer(router.port)).join(ticket_of("backend"))
                ids = {peer.subscribe(topic): topic for topic in topics}
                peers.append((peer, ids))
        wait_for_readers(server, subscribe)
        for number in range(MESSAGES):
            server.publish(f"channel.{7 + number % 2}", json.dumps([number]))
        for peer, ids in peers:
            expected = Counter(
                (topic, number)
                for number in range(MESSAGES)
                for topic in ids.values()
                if topic[-1] == str(7 + number % 2)
            )
            assert received(peer, ids, len(expected)) == expected
        # What one router's client publishes stays in that router, and comes back from nowhere.
        peers[0][0].publish("organization.7", ["mine"])
        time.sleep(0.3)
        assert [message[4] for message in peers[1][0].events()] == [["mine"]]
        assert all(not peer.events() for peer, _ in (peers[0], *peers[2:]))


def received(peer: Peer, ids: dict[int, str], count: int) -> Counter[tuple[str, int]]:
    """What came, until it is so much and nothing follows."""
    found: Counter[tuple[str, int]] = Counter()
    deadline = time.monotonic() + 20
    while sum(found.values()) < count and time.monotonic() < deadline:
        message = peer.receive()
        assert message[0] == EVENT
        found[(ids[message[1]], message[4][0])] += 1
    found.update((ids[message[1]], message[4][0]) for message in peer.events())
    return found
