"""npm's real emitters through a real Redis: socket.io-emitter 1 to 3, @socket.io/redis-emitter 4 and 5."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import npm
import pytest
import pytest_twisted

from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wampgate.wire.payload import Payload


OLD = ("1.1.0", "2.0.0", "3.2.0")
NEW = ("4.1.1", "5.1.0")
PACKAGES = {
    **{f"emitter-{version}": f"npm:socket.io-emitter@{version}" for version in OLD},
    **{f"emitter-{version}": f"npm:@socket.io/redis-emitter@{version}" for version in NEW},
    "redis": "4.7.1",
}
OLD_EMITTER = """
const [version, port] = process.argv.slice(1);
const emitter = require('emitter-' + version)({host: '127.0.0.1', port: Number(port)});
const end = () => emitter.redis.quit();
"""
NEW_EMITTER = """
const [version, port] = process.argv.slice(1);
const {Emitter} = require('emitter-' + version);
const client = require('redis').createClient({url: 'redis://127.0.0.1:' + port});
const emitter = new Emitter(client);
const end = () => client.quit();
"""
EMITS = """
const blob = Buffer.from([1, 2, 3, 255]);
emitter.in('organization.7').emit('news', {data: 'hi'});
emitter.to('organization.7').to('organization.8').emit('news', 'both');
emitter.in('organization.7').volatile.emit('news', blob, 'x'.repeat(300), 1.5, null, ['ü', -7, 70000]);
emitter.of('/chat').in('organization.7').emit('news', 'another namespace');
emitter.in('user.1').emit('news', 'another room');
emitter.emit('news', 'no room');
emitter.in('organization.7').emit('last');
"""
NEW_THINGS = """
emitter.in('organization.7').except(['organization.8', '4711']).compress(true).emit('news', 1);
emitter.in(7).in('organization.8').emit('news', 'a number, too');
emitter.except('organization.8').emit('news', 'to everyone else');
emitter.in('organization.7').socketsJoin('organization.8');
emitter.in('organization.7').socketsLeave('organization.8');
emitter.serverSideEmit('hello');
emitter.in('organization.7').disconnectSockets(true);
emitter.in('4711').disconnectSockets();
emitter.disconnectSockets();
emitter.in('organization.7').emit('last');
"""
BLOB = b"\x01\x02\x03\xff"
EVENTS = [
    ("organization.7", ["news", {"data": "hi"}], {}),
    ("organization.7", ["news", "both"], {}),
    ("organization.8", ["news", "both"], {}),
    ("organization.7", ["news", BLOB, "x" * 300, 1.5, None, ["ü", -7, 70000]], {}),
    ("organization.7", ["last"], {}),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the packages; skips, loudly, where they can't be had."""
    return npm.installed("emitters", PACKAGES, "NO REAL SOCKET.IO EMITTER WAS TESTED")


async def run(harness: Any, folder: Path, script: str, *arguments: str) -> None:
    done = await harness.in_thread(
        lambda: subprocess.run(
            ["node", "-e", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False
        )
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", [*OLD, *NEW])
@pytest_twisted.ensureDeferred
async def test_emitter(version: str, packages: Path, harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, SocketIoEmitterRule())
    if version in OLD:
        script = OLD_EMITTER + EMITS + "end();"
    else:
        script = NEW_EMITTER + "client.connect().then(() => {" + EMITS + "end();});"
    await run(harness, packages, script, version, str(server.port))
    await harness.eventually(lambda: EVENTS[-1] in harness.events.published)
    assert harness.events.published == EVENTS
    assert bridge.counters["no_room"] == 1
    assert bridge.counters["undecodable"] == 0


class Spoken:
    """What the bridge says, exclusions and all, and whom it would end."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.ended: list[tuple[str, str]] = []

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        exclude: Sequence[int] | None = None,
        exclude_subscribers: Sequence[str] = (),
        publication: int | None = None,
        encoded: Payload | None = None,
    ) -> int:
        self.events.append((topic, list(args), list(exclude or ()), list(exclude_subscribers)))
        return 1

    def end(self, by: str, value: str) -> int:
        self.ended.append((by, value))
        return 1

    def end_subscribers(self, uri: str, match: str) -> int:
        self.ended.append((uri, match))
        return 1


@pytest.mark.parametrize("version", NEW)
@pytest_twisted.ensureDeferred
async def test_what_newer_emitters_can(version: str, packages: Path, harness: Any) -> None:
    server, spoken = harness.server(), Spoken()
    harness.events = spoken
    options = RoomOptions(EventShape("topic"), "everyone.{event}", disconnects=True)
    topic = "organization.{organization}.{event}"
    bridge = await harness.reading(server.url, SocketIoEmitterRule(topic=topic, options=options), sessions=spoken)
    script = NEW_EMITTER + "client.connect().then(() => {" + NEW_THINGS + "end();});"
    await run(harness, packages, script, version, str(server.port))
    await harness.eventually(lambda: spoken.events and spoken.events[-1][0].endswith(".last"))
    assert spoken.events == [
        ("organization.7.news", [1], [4711], ["organization.8.news"]),
        ("organization.8.news", ["a number, too"], [], []),
        ("everyone.news", ["to everyone else"], [], ["organization.8.news"]),
        ("organization.7.last", [], [], []),
    ]
    assert spoken.ended == [("organization.7.", "prefix"), ("session", "4711")]
    assert bridge.counters["room_mismatch"] == 1
    assert bridge.counters["join_ignored"] == 2
    assert bridge.counters["not_an_event"] == 1
    assert bridge.counters["disconnect_ignored"] == 1
