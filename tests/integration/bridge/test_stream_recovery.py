"""What came after an event is read from the stream itself, without a hole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_twisted
from integration.bridge.stream_nodes import RULE, Nodes, add, add_many
from twisted.internet.defer import Deferred, gatherResults

from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.stream_history import StreamHistory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_twisted.async_yield_fixture
async def nodes(harness: Any, tmp_path: Path) -> AsyncIterator[Nodes]:
    nodes = Nodes(harness, tmp_path)
    yield nodes
    await nodes.end()


@pytest_twisted.ensureDeferred
async def test_what_came_after_an_event(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node(count=3)
    await nodes.reading(node, server)
    add_many(server, 2_000)
    await harness.eventually(lambda: len(node.published) == 2_000)
    source = node.history.source("organization.3")
    assert isinstance(source, StreamHistory)
    mine = [(publication, args) for topic, args, _, publication in node.published if topic == "organization.3"]
    found = await source.events_after("organization.3", mine[0][0], 1_000)
    assert found is not None
    assert [(event.publication, list(event.payload().args)) for event in found] == mine[1:]
    page = await source.events_after("organization.3", mine[10][0], 20)
    assert page is not None
    assert [event.publication for event in page] == [publication for publication, _ in mine[11:31]]
    assert all(1_600_000_000 < event.at < 3_000_000_000 for event in page)
    assert await source.events_after("organization.3", mine[-1][0], 20) == []


@pytest_twisted.ensureDeferred
async def test_positions_that_are_not_known(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add_many(server, 50)
    await harness.eventually(lambda: len(node.published) == 50)
    source = node.history.source("organization.3")
    assert source is not None
    for unknown in (1, 2**52, 2**53, node.ids[0] + 1_000_000):
        assert await source.events_after("organization.3", unknown, 10) is None
    server.command("XTRIM", "news", "MAXLEN", "10")
    assert await source.events_after("organization.3", node.ids[0], 10) is None
    assert await source.events_after("organization.3", node.ids[45], 10) is not None
    assert await source.events_after("elsewhere", node.ids[45], 10) is None
    await harness.in_thread(server.kill)
    await harness.eventually(lambda: not bridge.ready)
    assert await source.events_after("organization.3", node.ids[45], 10) is None


@pytest_twisted.ensureDeferred
async def test_positions_within_an_entry(harness: Any, nodes: Nodes) -> None:
    """An event that is not its entry's first has an id without a place; the newest entries are searched for it."""
    server, node = harness.server(), nodes.node()
    await nodes.reading(node, server, PlainStreamRule(*RULE), PlainStreamRule("news", "organization.all"))
    for number in range(10):
        add(server, number)
    await harness.eventually(lambda: len(node.published) == 20)
    source = node.history.source("organization.all")
    assert source is not None
    mine = [publication for topic, _, _, publication in node.published if topic == "organization.all"]
    found = await source.events_after("organization.all", mine[4], 100)
    assert found is not None
    assert [event.publication for event in found] == mine[5:]


@pytest_twisted.ensureDeferred
async def test_many_ask_at_once(harness: Any, nodes: Nodes, stalls: Any) -> None:
    server, node = harness.server(), nodes.node(count=3)
    await nodes.reading(node, server)
    add_many(server, 3_000)
    await harness.eventually(lambda: len(node.published) == 3_000)
    source = node.history.source("organization.3")
    assert source is not None
    first = next(publication for topic, _, _, publication in node.published if topic == "organization.3")
    answers = await gatherResults(
        [Deferred.fromCoroutine(source.events_after("organization.3", first, 500)) for _ in range(50)]
    )
    assert all(answer is not None and len(answer) == 428 for answer in answers)
    assert stalls.worst < 0.1
