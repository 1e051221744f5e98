"""Real socket.io servers that tell their peers through a real Redis: classic, sharded, and over a stream."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import npm
import pytest
import redis
from redis_server import RedisServer

from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_adapter import SocketIoAdapterRule
from wampgate.bridge.dialects.socketio_streams import SocketIoStreamRule
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, SubscriptionKind
from wampgate.bridge.templates import TopicPattern

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wampgate.bridge.rules import Outcome

PACKAGES = {
    "socket.io": "4.8.4",
    "adapter": "npm:@socket.io/redis-adapter@8.3.0",
    "streams": "npm:@socket.io/redis-streams-adapter@0.3.1",
    "redis": "4.7.1",
}
SCRIPT = """
const [kind, port] = process.argv.slice(1);
const {createClient} = require('redis');
const {Server} = require('socket.io');
const {createAdapter, createShardedAdapter} = require('adapter');
const streams = require('streams');
const pub = createClient({url: 'redis://127.0.0.1:' + port});
const sub = pub.duplicate();
const adapters = {
  classic: () => createAdapter(pub, sub),
  dynamic: () => createShardedAdapter(pub, sub),
  static: () => createShardedAdapter(pub, sub, {subscriptionMode: 'static'}),
  streams: () => streams.createAdapter(pub),
};
async function main() {
  await Promise.all([pub.connect(), sub.connect()]);
  const io = new Server({adapter: adapters[kind]()});
  io.of('/');
  io.to('organization.7').emit('news', {data: 'hi'});
  io.to('organization.7').to('organization.8').except('organization.9').emit('news', 'both');
  io.to('organization.7').emit('news', Buffer.from([1, 255]));
  io.of('/chat').to('organization.7').emit('news', 'another namespace');
  io.emit('news', 'no room');
  io.in('organization.7').socketsJoin('organization.8');
  io.in('organization.7').disconnectSockets(true);
  await new Promise((resolve) => setTimeout(resolve, 300));
  process.exit(0);
}
main();
"""
OPTIONS = RoomOptions(broadcast_topic="everyone", disconnects=True)
EXPECTED = [
    BridgedEvent("organization.7", ["news", {"data": "hi"}]),
    BridgedEvent("organization.7", ["news", "both"], {}, (), ("organization.9",)),
    BridgedEvent("organization.8", ["news", "both"], {}, (), ("organization.9",)),
    BridgedEvent("organization.7", ["news", b"\x01\xff"]),
    BridgedEvent("everyone", ["news", "no room"]),
    "join_ignored",
    BridgedKill(subscribers=TopicPattern("organization.7", "exact")),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the packages; skips, loudly, where they can't be had."""
    return npm.installed("servers", PACKAGES, "NO REAL SOCKET.IO SERVER WAS TESTED")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def run(folder: Path, kind: str, server: RedisServer) -> None:
    done = subprocess.run(
        ["node", "-e", SCRIPT, kind, str(server.port)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def shown(outcomes: list[Outcome]) -> list[Any]:
    """Events and kills, and the kinds of what was dropped, but for what servers always tell each other."""
    short = [outcome.kind if isinstance(outcome, Dropped) else outcome for outcome in outcomes]
    return [outcome for outcome in short if outcome not in ("not_an_event", "other_namespace")]


def read(server: RedisServer, rule: SocketIoAdapterRule, folder: Path, kind: str) -> list[Any]:
    """What the rule makes of all that a server publishes on the rule's channels."""
    with redis.Redis(port=server.port) as client, client.pubsub(ignore_subscribe_messages=True) as listening:
        commands = {
            SubscriptionKind.EXACT: listening.subscribe,
            SubscriptionKind.PATTERN: listening.psubscribe,
            SubscriptionKind.SHARDED: listening.ssubscribe,
        }
        wanted = dict.fromkeys(rule.subscriptions())
        for topic in ("organization.7", "organization.8"):
            if kind == "dynamic":
                wanted.update(dict.fromkeys(rule.subscriptions_for(topic)))
        for name, how in wanted:
            commands[how](name)
        run(folder, kind, server)
        outcomes: list[Outcome] = []
        while message := _next_message(listening):
            outcomes.extend(rule.translate(message["channel"].decode(), message["data"]))
        return shown(outcomes)


def _next_message(listening: Any) -> Any:
    # What answers a SUBSCRIBE is read here too, and left out.
    return next((message for _ in range(10) if (message := listening.get_message(timeout=0.1))), None)


def test_classic(packages: Path, server: RedisServer) -> None:
    assert read(server, SocketIoAdapterRule(options=OPTIONS), packages, "classic") == EXPECTED


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_sharded(mode: str, packages: Path, server: RedisServer) -> None:
    assert read(server, SocketIoAdapterRule(sharded=True, options=OPTIONS), packages, mode) == EXPECTED


def test_streams(packages: Path, server: RedisServer) -> None:
    run(packages, "streams", server)
    rule = SocketIoStreamRule(options=OPTIONS)
    with redis.Redis(port=server.port) as client:
        entries: Any = client.xrange(rule.streams()[0])
    outcomes = [outcome for _, fields in entries for outcome in rule.translate_entry("socket.io", fields)]
    assert shown(outcomes) == EXPECTED
