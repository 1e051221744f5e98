"""Redis absent, killed, frozen, refusing, and no Redis at all: the bridge comes back by itself, and says so once."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import Any

import pytest
import pytest_twisted
from redis_server import RedisServer
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from wampgate.bridge import redis_connection
from wampgate.bridge.redis_link import FIRST_DELAY, MAX_DELAY, delay_after


async def arrives(harness: Any, server: RedisServer) -> None:
    """A message goes from Redis to the publisher."""
    before = len(harness.events.published)
    assert await harness.in_thread(server.publish, "channel.7", '{"text":"hi"}') == 1
    await harness.eventually(lambda: len(harness.events.published) == before + 1)


@pytest_twisted.ensureDeferred
async def test_start_without_redis(harness: Any, stalls: Any) -> None:
    server = RedisServer()
    bridge = harness.bridge(server.url)
    await bridge.start()
    await bridge.start()
    await harness.eventually(lambda: bridge.counters["connect_failed"] >= 3)
    assert not bridge.ready
    assert len(harness.log.lines) == 1
    assert "refused" in harness.log.lines[0]
    try:
        await harness.in_thread(server.start)
        assert await harness.eventually(lambda: bridge.ready) < 2
        await arrives(harness, server)
    finally:
        server.__exit__()
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_killed_and_restarted(harness: Any, stalls: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url)
    for _ in range(3):
        await arrives(harness, server)
        await harness.in_thread(server.kill)
        await harness.eventually(lambda: not bridge.ready, 1)
        await harness.pause(0.5)
        await harness.in_thread(server.start)
        assert await harness.eventually(lambda: bridge.ready) < 2
    await arrives(harness, server)
    assert bridge.counters["connection_lost"] == 3
    assert bridge.counters["connected"] == 4
    # Each outage: lost, no connection (once for all attempts), reading again.
    assert len(harness.log.with_text("lost redis://")) == 3
    assert len(harness.log.with_text("no connection")) == 3
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_frozen_and_thawed(harness: Any, stalls: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, ping_seconds=0.5)
    server.freeze()
    assert await harness.eventually(lambda: not bridge.ready) < 2
    assert bridge.counters["ping_timeout"] == 1
    # Long enough for attempts that the frozen server's kernel accepts and nobody answers.
    await harness.pause(3)
    assert not bridge.ready
    server.thaw()
    assert await harness.eventually(lambda: bridge.ready) < 2
    await arrives(harness, server)
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_frozen_for_less_than_a_ping_loses_nothing(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, ping_seconds=1)
    server.freeze()
    await harness.pause(0.6)
    server.thaw()
    await arrives(harness, server)
    assert bridge.counters["connection_lost"] == 0


@pytest_twisted.ensureDeferred
async def test_idle_but_healthy_stays(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, ping_seconds=0.1)
    await harness.pause(1)
    assert bridge.ready
    assert bridge.counters["connection_lost"] == 0


@pytest_twisted.ensureDeferred
async def test_stall_of_this_process_is_not_blamed_on_redis(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, ping_seconds=0.2)
    for _ in range(3):
        time.sleep(0.7)  # noqa: ASYNC251 - what is tested: the reactor stands still for several pings
        await harness.pause(0.05)
    await harness.pause(0.5)
    assert bridge.counters["ping_timeout"] == 0
    assert bridge.ready


@pytest_twisted.ensureDeferred
async def test_connection_killed_by_redis(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url)
    server.command("CLIENT", "KILL", "TYPE", "pubsub")
    await harness.eventually(lambda: bridge.counters["connected"] == 2, 2)
    await harness.eventually(lambda: bridge.ready)
    await arrives(harness, server)


@pytest_twisted.ensureDeferred
async def test_subscriber_cut_off_for_reading_too_slowly(harness: Any) -> None:
    """Redis closes the connection of a subscriber whose output buffer overflows."""
    server = harness.server(options=("--client-output-buffer-limit", "pubsub", "100kb", "0", "0"))
    bridge = await harness.reading(server.url)
    server.publish("channel.7", "x" * 500_000)
    await harness.eventually(lambda: bridge.counters["connected"] == 2, 2)
    await arrives(harness, server)


@pytest_twisted.ensureDeferred
async def test_endless_message_is_not_collected_in_memory(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "MAX_UNREAD", 2 << 20)
    server = harness.server(options=("--client-output-buffer-limit", "pubsub", "0", "0", "0"))
    bridge = await harness.reading(server.url)
    await harness.in_thread(server.publish, "channel.7", "x" * (8 << 20))
    await harness.eventually(lambda: bridge.counters["connected"] == 2, 3)
    assert len(harness.log.with_text("a message of more than 2 MiB")) == 1
    await arrives(harness, server)


@pytest_twisted.ensureDeferred
async def test_stop_is_final(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url)
    await bridge.stop()
    assert not bridge.ready
    await bridge.stop()
    await harness.eventually(lambda: server.publish("channel.7", "1") == 0)
    assert harness.events.published == []
    await bridge.start()
    await harness.eventually(lambda: bridge.ready)
    await arrives(harness, server)


@pytest_twisted.ensureDeferred
async def test_stop_at_any_moment(harness: Any) -> None:
    """While it waits for its turn, connects, or shakes hands with a Redis that doesn't answer."""
    server = harness.server()
    for seconds in (0, 0, 0.001, 0.005, 0.02, 0.1):
        bridge = harness.bridge(server.url)
        await bridge.start()
        if seconds:
            await harness.pause(seconds)
        await bridge.stop()
        assert not bridge.ready
    server.freeze()
    shaking = harness.bridge(server.url)
    await shaking.start()
    await harness.pause(0.3)
    await shaking.stop()
    server.thaw()
    await harness.in_thread(server.kill)
    waiting = harness.bridge(server.url)
    await waiting.start()
    await harness.eventually(lambda: waiting.counters["connect_failed"] >= 2)
    await waiting.stop()
    failed = waiting.counters["connect_failed"]
    await harness.pause(0.5)
    assert waiting.counters["connect_failed"] == failed


class Speaks(Protocol):
    """A server that is no Redis."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        assert self.transport is not None
        self.transport.write(self.answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"*3\r\n:1\r\n:2\r\n$-1\r\n",
        b"*1\r\n*1\r\n+OK\r\n",
        b"+OK\r\n" * 5,
        b"*-1\r\n*0\r\n$-1\r\n",
        b"*4\r\n$8\r\npmessage\r\n*0\r\n:1\r\n*0\r\n",
        b"*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n",
        b"-ERR unknown command \x1b[31m\r\n",
        b"$999999999999999\r\n",
    ],
)
@pytest_twisted.ensureDeferred
async def test_something_else_answers(answer: bytes, harness: Any) -> None:
    """No exception escapes, no attempt follows another at once, and one line tells what is wrong."""
    port = reactor.listenTCP(0, Factory.forProtocol(lambda: Speaks(answer)), interface="127.0.0.1")
    try:
        bridge = harness.bridge(f"redis://127.0.0.1:{port.getHost().port}")
        await bridge.start()
        await harness.pause(0.7)
        assert bridge.counters["connect_failed"] < 10
        await bridge.stop()
    finally:
        await port.stopListening()
    assert len(harness.log.lines) <= 1 or bridge.counters["connected"]
    assert not any("\x1b" in line for line in harness.log.lines)


@pytest_twisted.ensureDeferred
async def test_half_open_connection(harness: Any) -> None:
    """A peer that accepts and then says nothing at all is given up, again and again, at a measured pace."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        bridge = harness.bridge(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        await bridge.start()
        await harness.eventually(lambda: bridge.counters["connect_failed"] >= 1)
        assert not bridge.ready
        await bridge.stop()
    assert len(harness.log.with_text("no answer to the first commands within 2 s")) == 1


def test_pauses_grow_and_stay_short() -> None:
    for _ in range(100):
        assert FIRST_DELAY / 2 <= delay_after(0) <= FIRST_DELAY
        assert delay_after(1) <= 2 * FIRST_DELAY
        assert MAX_DELAY / 2 <= delay_after(10_000) <= MAX_DELAY
