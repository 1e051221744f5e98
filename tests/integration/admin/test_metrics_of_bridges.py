"""Metrics of bridges, with a real Redis: what came, how long it took, and how far behind a bridge is."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from integration.admin.operators import ENDPOINT, metric
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer

LABELS = {"realm": "realm1", "bridge": "news"}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def bridged(redis: RedisServer, kind: str) -> RouterProcess:
    document = static_configuration()
    source = {"channel": "channel.{organization}"} if kind == "redis" else {"stream": "news"}
    state = {} if kind == "redis" else {"state_folder": "var"}
    rule: dict[str, Any] = {"dialect": "plain", "topic": "organization.{organization}", **source}
    document["realms"][0]["bridges"] = [{"type": kind, "name": "news", "url": redis.url, "rules": [rule], **state}]
    return RouterProcess({**document, "admin": {"endpoint": ENDPOINT}})


def outcome(process: RouterProcess, name: str) -> float:
    return metric(process, "wampgate_bridge_messages_total", **LABELS, direction="in", outcome=name)


def becomes(process: RouterProcess, wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < deadline, process.log()[-3000:]
        time.sleep(0.05)


def test_messages_of_pub_sub_are_counted_and_one_of_sixteen_is_timed(
    redis: RedisServer, open_peer: Callable[..., Peer]
) -> None:
    with bridged(redis, "redis") as process:
        backend = open_peer(process.port).join(ticket_of("backend"))
        subscription = backend.subscribe("organization.7")
        becomes(process, lambda: metric(process, "wampgate_bridge_up", **LABELS, kind="redis") == 1)
        for number in range(20):
            redis.publish("channel.7", json.dumps({"number": number}))
        redis.publish("channel.7", "no JSON")
        becomes(process, lambda: outcome(process, "received") == 21)
        assert outcome(process, "published") == 20
        assert {event[1] for event in backend.events()} == {subscription}
        assert metric(process, "wampgate_bridge_event_seconds_count", **LABELS) == 2
        assert 0 < metric(process, "wampgate_bridge_event_seconds_sum", **LABELS) < 1
        assert metric(process, "wampgate_bridge_lag_seconds", **LABELS) == 0
        assert metric(process, "wampgate_events_delivered_total", realm="realm1") == 20
        # What a bridge publishes no session has asked for.
        decisions = {"realm": "realm1", "action": "publish", "outcome": "allowed"}
        assert metric(process, "wampgate_authorization_decisions_total", **decisions) == 0
        assert metric(process, "wampgate_publications_total", realm="realm1") == 20


def test_entries_of_streams_are_timed_from_when_they_were_added(redis: RedisServer) -> None:
    with bridged(redis, "redis-streams") as process:
        becomes(process, lambda: metric(process, "wampgate_bridge_up", **LABELS, kind="streams") == 1)
        for number in range(5):
            redis.command("XADD", "news", "*", "organization", "7", "data", json.dumps({"number": number}))
        becomes(process, lambda: outcome(process, "received") == 5)
        assert metric(process, "wampgate_bridge_event_seconds_count", **LABELS) == 5
        assert metric(process, "wampgate_bridge_event_seconds_sum", **LABELS) < 5
        time.sleep(2.5)
        assert metric(process, "wampgate_bridge_lag_seconds", **LABELS) == 0
        redis.stop()
        becomes(process, lambda: metric(process, "wampgate_bridge_up", **LABELS, kind="streams") == 0)
        becomes(process, lambda: metric(process, "wampgate_bridge_lag_seconds", **LABELS) > 2)
        redis.start()
        becomes(process, lambda: metric(process, "wampgate_bridge_lag_seconds", **LABELS) == 0)
