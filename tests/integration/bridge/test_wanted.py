"""A bridge that reads only what is wanted: what Redis says that it subscribes to, and that nothing comes twice."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted

from wampgate.bridge import wanted

if TYPE_CHECKING:
    from redis_server import RedisServer

RULE = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}


def cluster() -> tuple[str, ...]:
    """Options for a cluster of one; its second port, by default 10,000 above the first, may not exist."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return ("--cluster-enabled", "yes", "--cluster-port", str(listener.getsockname()[1]))


def subscribed(server: RedisServer, sharded: bool = False) -> tuple[set[str], int]:
    """The channels and how many patterns Redis has subscribers for."""
    reply = server.command("PUBSUB", "SHARDCHANNELS" if sharded else "CHANNELS").decode().split("\r\n")
    patterns = server.command("PUBSUB", "NUMPAT")
    return {line for line in reply if line and line[0] not in "*$"}, int(patterns[1:])


def wanting(server: RedisServer, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "subscribe": "wanted", "rules": [RULE]} | more


@pytest_twisted.ensureDeferred
async def test_only_what_someone_subscribes_to(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.3)
    server = harness.server()
    inside = await harness.inside(wanting(server))
    assert subscribed(server) == (set(), 0)
    member, other = inside.member(), inside.member()
    first = member.subscribe("organization.7")
    other.subscribe("organization.7")
    other.subscribe("organization.8")
    await harness.eventually(lambda: subscribed(server)[0] == {"channel.7", "channel.8"})
    assert server.publish("channel.9", "1") == 0
    server.publish("channel.7", '"hi"')
    await harness.eventually(lambda: member.args("organization.7") == other.args("organization.7") == ["hi"])
    member.unsubscribe(first)
    other.leave()
    await harness.eventually(lambda: subscribed(server)[0] == set())


@pytest_twisted.ensureDeferred
async def test_leaving_for_a_moment_changes_nothing(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.4)
    server = harness.server()
    inside = await harness.inside(wanting(server))
    member = inside.member()
    commands = 0
    for _ in range(5):
        subscription = member.subscribe("organization.7")
        await harness.eventually(lambda: "channel.7" in subscribed(server)[0])
        member.unsubscribe(subscription)
        await harness.pause(0.1)
        commands = server.command("INFO", "commandstats").count(b"cmdstat_subscribe:calls=1,")
    assert commands == 1
    await harness.eventually(lambda: subscribed(server)[0] == set(), 2)


@pytest_twisted.ensureDeferred
async def test_patterns_come_and_go_under_load(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others' patterns make the bridge read everything and stop again, each message comes once."""
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.0)
    server = harness.server()
    inside = await harness.inside(wanting(server, rules=[RULE, {**RULE, "topic": "copy.{organization}"}]))
    member, watcher = inside.member(), inside.member()
    for topic in ("organization.7", "copy.7"):
        member.subscribe(topic)
    await harness.eventually(lambda: "channel.7" in subscribed(server)[0])
    seen_patterns = set()

    def publish(start: int) -> None:
        for number in range(start, start + 50):
            server.publish("channel.7", str(number))

    for start in range(0, 1500, 50):
        if start % 100 == 0:
            subscription = watcher.subscribe("organization." if start % 200 else "copy.", "prefix")
        else:
            watcher.unsubscribe(subscription)
        await harness.in_thread(publish, start)
        seen_patterns.add(subscribed(server)[1])
    await harness.eventually(lambda: len(member.events) >= 3000)
    await harness.pause(0.2)
    assert member.args("organization.7") == member.args("copy.7") == list(range(1500))
    assert seen_patterns == {0, 1}


@pytest_twisted.ensureDeferred
async def test_after_a_restart_all_that_is_wanted_is_read_again(harness: Any, stalls: Any) -> None:
    server = harness.server()
    inside = await harness.inside(wanting(server))
    member = inside.member()
    for number in range(3000):
        member.subscribe(f"organization.{number}")
    await harness.eventually(lambda: len(subscribed(server)[0]) == 3000)
    server.kill()
    await harness.eventually(lambda: not inside.ready)
    member.subscribe("organization.late")
    await harness.in_thread(server.start)
    assert await harness.eventually(lambda: inside.ready) < 2
    await harness.eventually(lambda: len(subscribed(server)[0]) == 3001)
    server.publish("channel.late", "1")
    server.publish("channel.2999", "2")
    await harness.eventually(lambda: member.args("organization.late") == [1])
    await harness.eventually(lambda: member.args("organization.2999") == [2])
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_a_channel_that_may_not_be_read(harness: Any) -> None:
    """Least privilege: the pattern of the rule is enough for single channels, and what is missing is said."""
    server = harness.server(user="router", password="secret-one", channels=("channel.*",))
    inside = await harness.inside(wanting(server, rules=[RULE, {**RULE, "channel": "other.{organization}"}]))
    member = inside.member()
    member.subscribe("organization.7")
    await harness.eventually(lambda: harness.log.with_text("SUBSCRIBE refused"))
    assert "&channel.* &other.*" in harness.log.with_text("SUBSCRIBE refused")[0]
    assert not any("secret-one" in line for line in harness.log.lines)


@pytest.mark.parametrize("clustered", [False, True], ids=["single", "cluster"])
@pytest_twisted.ensureDeferred
async def test_sharded(clustered: bool, harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.3)
    server = harness.server(options=cluster() if clustered else ())
    if b"redis_version:6" in server.command("INFO", "server"):
        pytest.skip("THIS REDIS IS OLDER THAN 7: sharded pub/sub is not tested here")
    if clustered:
        server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        await harness.eventually(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"), 10)
    inside = await harness.inside(wanting(server, rules=[{**RULE, "sharded": True}]))
    member = inside.member()
    member.subscribe("organization.7")
    subscription = member.subscribe("organization.8")
    # In a cluster these are of different slots.
    await harness.eventually(lambda: subscribed(server, sharded=True)[0] == {"channel.7", "channel.8"})
    assert server.command("SPUBLISH", "channel.7", json.dumps({"text": "hi"})) == b":1\r\n"
    server.publish("channel.7", "1")
    await harness.eventually(lambda: len(member.events) == 1)
    assert member.events == [("organization.7", [], {"text": "hi"})]
    member.unsubscribe(subscription)
    await harness.eventually(lambda: subscribed(server, sharded=True)[0] == {"channel.7"})
    member.subscribe("organization.", "prefix")
    await harness.eventually(lambda: harness.log.with_text("Sharded channels have no patterns"))
    await harness.pause(0.05)
    assert len(member.events) == 1


@pytest_twisted.ensureDeferred
async def test_a_slot_that_is_not_served(harness: Any) -> None:
    server = harness.server(options=cluster())
    if b"redis_version:6" in server.command("INFO", "server"):
        pytest.skip("THIS REDIS IS OLDER THAN 7: sharded pub/sub is not tested here")
    inside = await harness.inside(wanting(server, rules=[{**RULE, "sharded": True}]))
    inside.member().subscribe("organization.7")
    await harness.eventually(lambda: harness.log.with_text("a Redis that serves all slots"))
