"""Streams that are trimmed, deleted, or out of reach: what is missing is told, and nothing else is."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from integration.bridge.stream_nodes import Nodes, add, add_many
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from wampgate.bridge.dead_letters import DeadLetters
from wampgate.bridge.redis_commands import RedisCommands
from wampgate.bridge.redis_connection import ConnectionEnded, RedisConnection
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.rules import Dropped
from wampgate.bridge.stream_entries import Entry
from wampgate.bridge.stream_ids import StreamId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "streams.md"


@pytest_twisted.async_yield_fixture
async def nodes(harness: Any, tmp_path: Path) -> AsyncIterator[Nodes]:
    nodes = Nodes(harness, tmp_path)
    yield nodes
    await nodes.end()


@pytest_twisted.ensureDeferred
async def test_trimmed_while_away(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add(server, 1)
    await harness.eventually(lambda: node.args == [1])
    # Both counts are compared once a second: then it is known that nothing was missing so far.
    await harness.pause(1.5)
    await bridge.stop()
    add_many(server, 9, first=2)
    server.command("XTRIM", "news", "MAXLEN", "4")
    again = nodes.node()
    second = await nodes.reading(again, server)
    assert again.args == [7, 8, 9, 10]
    ((topics, since),) = again.gaps
    assert list(topics) == second.topics()
    assert since > 1_600_000_000
    assert (second.counters["stream_gap"], second.counters["stream_missed"]) == (1, 5)
    assert len(harness.log.with_text("5 entries were trimmed")) == 1


@pytest_twisted.ensureDeferred
async def test_trimmed_but_nothing_lost_is_no_gap(harness: Any, nodes: Nodes) -> None:
    """What was read may be trimmed and deleted, also all of it; who is away meanwhile misses nothing."""
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add_many(server, 20)
    await harness.eventually(lambda: len(node.published) == 20)
    server.command("XTRIM", "news", "MAXLEN", "0")
    await harness.pause(1.5)
    await bridge.stop()
    again = nodes.node()
    await nodes.reading(again, server)
    add_many(server, 5, first=21)
    await harness.eventually(lambda: len(again.published) == 5)
    await harness.pause(1.5)
    assert again.args == [21, 22, 23, 24, 25]
    assert node.gaps == again.gaps == []


@pytest_twisted.ensureDeferred
async def test_trimmed_under_the_readers_eyes(harness: Any, nodes: Nodes) -> None:
    """A burst longer than the stream may be: what is trimmed before it is read is told."""
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add(server, 0)
    await harness.eventually(lambda: node.args == [0])
    script = (
        "for i = 1, 5000 do redis.call('XADD', 'news', 'MAXLEN', '100', '*', "
        "'topic', 'organization.7', 'payload', '[' .. i .. ']') end"
    )
    await harness.in_thread(server.command, "EVAL", script, "0")
    await harness.eventually(lambda: node.args[-1] == 5000 and bridge.counters["stream_gap"])
    assert bridge.counters["stream_missed"] + len(node.published) == 5001
    assert len(node.gaps) == bridge.counters["stream_gap"]
    # No position may hide the hole.
    assert node.history.window("organization.7", "exact").position(node.ids[0]) is None


@pytest_twisted.ensureDeferred
async def test_a_stream_that_was_deleted(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add(server, 1, entry="1-0")
    add(server, 2, entry="5-0")
    await harness.eventually(lambda: node.args == [1, 2])
    server.command("DEL", "news")
    await harness.eventually(lambda: bridge.counters["stream_gap"] == 1)
    add(server, 3, entry="2-0")
    await harness.eventually(lambda: node.args == [1, 2, 3])
    assert len(harness.log.with_text("it was deleted, or Redis has lost it")) == 1


@pytest_twisted.ensureDeferred
async def test_redis_restarted_without_its_data(harness: Any, nodes: Nodes, stalls: Any) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add_many(server, 10)
    await harness.eventually(lambda: len(node.published) == 10)
    await harness.in_thread(server.kill)
    await harness.eventually(lambda: not bridge.ready)
    await harness.in_thread(server.start)
    add_many(server, 5, first=11)
    assert await harness.eventually(lambda: bridge.ready) < 2
    assert node.args == list(range(1, 16))
    assert len(node.gaps) == 1
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_redis_restarted_with_its_data(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(options=("--appendonly", "yes", "--appendfsync", "always")), nodes.node()
    bridge = await nodes.reading(node, server)
    add_many(server, 10)
    await harness.eventually(lambda: len(node.published) == 10)
    await harness.in_thread(server.kill)
    await harness.eventually(lambda: not bridge.ready)
    await harness.in_thread(server.start)
    add_many(server, 5, first=11)
    await harness.eventually(lambda: bridge.ready)
    assert node.args == list(range(1, 16))
    assert node.gaps == []


@pytest_twisted.ensureDeferred
async def test_frozen_redis_is_noticed(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    server.freeze()
    assert await harness.eventually(lambda: not bridge.ready) < 2
    server.thaw()
    assert await harness.eventually(lambda: bridge.ready) < 2
    add(server, 1)
    await harness.eventually(lambda: node.args == [1])
    assert node.gaps == []


@pytest_twisted.ensureDeferred
async def test_idle_for_long(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server, ping_seconds=0.3)
    await harness.pause(1.5)
    assert bridge.ready
    assert bridge.counters["connection_lost"] == 0


@pytest_twisted.ensureDeferred
async def test_a_burst_stalls_nothing(harness: Any, nodes: Nodes, stalls: Any) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    await harness.in_thread(add_many, server, 100_000)
    await harness.eventually(lambda: len(node.published) == 100_000, 60)
    assert node.args == list(range(1, 100_001))
    assert len(set(node.ids)) == 100_000
    assert stalls.worst < 0.1
    assert node.gaps == []
    assert bridge.ready


@pytest_twisted.ensureDeferred
async def test_large_entries_do_not_break_the_connection(harness: Any, nodes: Nodes) -> None:
    """500 entries of 900 kB would be far more than one answer may have."""
    server, node = harness.server(), nodes.node()
    large = json.dumps("x" * 900_000)
    for _ in range(100):
        server.command("XADD", "news", "*", "topic", "organization.7", "payload", large)
    bridge = await nodes.reading(node, server, oldest=True, history=None)
    await harness.eventually(lambda: len(node.published) == 100, 20)
    assert bridge.counters["connection_lost"] == 0


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_no_stream(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    server.command("SET", "news", "x")
    bridge = node.bridge(server)
    await bridge.start()
    assert not bridge.ready
    await harness.eventually(lambda: bridge.counters["connect_failed"] >= 2)
    assert len(harness.log.with_text("the key 'news' is no stream")) == 1
    server.command("DEL", "news")
    await harness.eventually(lambda: bridge.ready)
    server.command("SET", "news", "x")
    await harness.eventually(lambda: not bridge.ready)
    await bridge.stop()


@pytest_twisted.ensureDeferred
async def test_least_privilege(harness: Any, nodes: Nodes) -> None:
    """The user that docs/streams.md describes can do all that is needed; without it the log says what to grant."""
    server, node = harness.server(user="wampgate", password="s3cret", channels=()), nodes.node()
    bridge = node.bridge(server)
    await bridge.start()
    assert not bridge.ready
    (line,) = harness.log.with_text("no connection")
    granted = line.partition("ACL SETUSER <user> ")[2].partition(". The router")[0]
    assert server.command("ACL", "SETUSER", "wampgate", *granted.split(), "~news:dead", "+xadd").startswith(b"+OK")
    await harness.eventually(lambda: bridge.ready)
    server.command("XADD", "news", "*", "topic", "organization.7", "payload", "{")
    add(server, 1)
    await harness.eventually(lambda: node.args == [1] and bridge.counters["dead_letters"] == 1)
    assert not any("s3cret" in line for line in harness.log.lines)
    await bridge.stop()


@pytest_twisted.ensureDeferred
async def test_the_documented_rights_are_enough(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    documented = re.findall(r"^ACL SETUSER (?:shop|wampgate) .*$", DOCUMENTATION.read_text(), re.MULTILINE)
    assert len(documented) == 2
    for line in documented:
        assert server.command(*line.split()) == b"+OK\r\n"
    bridge = node.bridge(server, url=f"redis://wampgate:choose-two@127.0.0.1:{server.port}")
    await bridge.start()
    await harness.eventually(lambda: bridge.ready)
    server.command("XADD", "news", "*", "topic", "organization.7", "payload", "{")
    add(server, 1)
    await harness.eventually(lambda: node.args == [1] and bridge.counters["dead_letters"] == 1)
    source = node.history.source("organization.7")
    assert source is not None
    assert await source.events_after("organization.7", node.ids[0], 10) == []
    await bridge.stop()


@pytest_twisted.ensureDeferred
async def test_dead_letters_wait_for_a_connection(harness: Any) -> None:
    server, counters = harness.server(), Counter[str]()
    letters = DeadLetters("test", ":dead", counters)
    poison = Dropped("undecodable", "not JSON")
    for number in range(1, 1_011):
        letters.add(Entry("news", StreamId(number, 0), {b"a": b"b"}), poison)
    with pytest.raises(ConnectionEnded):
        await letters.send(RedisConnection())
    commands = RedisCommands(reactor, "test", parse_redis_url(server.url), trust_root=None, ping_seconds=1.0)
    commands.start()
    connection = await commands.get()
    assert connection is not None
    await letters.send(connection)
    await letters.send(connection)
    assert server.command("XLEN", "news:dead") == b":1000\r\n"
    assert b"\r\n11-0\r\n" in server.command("XRANGE", "news:dead", "-", "+", "COUNT", "1")
    assert b"\r\n1010-0\r\n" in server.command("XREVRANGE", "news:dead", "+", "-", "COUNT", "1")
    assert counters == {"dead_letters": 1_000, "dead_letter_lost": 10}
    await commands.stop()
    assert await commands.get() is None


@pytest.mark.parametrize(
    "answer",
    [
        b"*0\r\n",
        b":1\r\n",
        b"+OK\r\n",
        b"*1\r\n*2\r\n$1\r\n\xff\r\n*0\r\n",
        b"-ERR unknown \x1b[31m\r\n",
        b"garbage\r\n",
    ],
)
@pytest_twisted.ensureDeferred
async def test_something_else_answers_as_redis_never_would(answer: bytes, harness: Any, nodes: Nodes) -> None:
    """No exception escapes, and no attempt follows another at once."""

    class Speaks(Protocol):
        def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
            assert self.transport is not None
            self.transport.write(answer * data.count(b"*"))

    port = reactor.listenTCP(0, Factory.forProtocol(Speaks), interface="127.0.0.1")
    node = nodes.node()
    bridge = node.bridge(harness.server(), url=f"redis://127.0.0.1:{port.getHost().port}")
    try:
        await bridge.start()
        assert not bridge.ready
        assert bridge.counters["connect_failed"] < 15
        await bridge.stop()
    finally:
        await port.stopListening()
    assert not any("\x1b" in line for line in harness.log.lines)
    assert len(harness.log.lines) <= 2
