"""Entries of real Redis Streams arrive once, in order and with the same ids, through restarts and poison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from integration.bridge.stream_nodes import RULE, Nodes, add, add_many, dead_letters

from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.stream_ids import publication_of, stream_id
from wampgate.bridge.stream_offsets import OffsetsInUse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_twisted.async_yield_fixture
async def nodes(harness: Any, tmp_path: Path) -> AsyncIterator[Nodes]:
    nodes = Nodes(harness, tmp_path)
    yield nodes
    await nodes.end()


@pytest_twisted.ensureDeferred
async def test_entries_arrive_with_their_ids(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    add(server, "before anyone read")
    bridge = await nodes.reading(node, server)
    entry = add(server, 1)
    await harness.eventually(lambda: node.published)
    assert node.published == [("organization.7", [1], {}, publication_of("news", stream_id(entry)))]
    assert (bridge.counters["received"], bridge.counters["published"]) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_oldest_reads_what_is_there(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    add_many(server, 100)
    await nodes.reading(node, server, oldest=True)
    assert node.args == list(range(1, 101))


@pytest_twisted.ensureDeferred
async def test_a_restart_goes_on_where_it_ended(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    add_many(server, 10)
    await harness.eventually(lambda: len(node.published) == 10)
    await bridge.stop()
    add_many(server, 10, first=11)
    again = nodes.node()
    await nodes.reading(again, server)
    assert again.args == list(range(11, 21))
    assert not set(again.ids) & set(node.ids)
    # What was delivered before is in the history, and was delivered to nobody again.
    kept = [event.publication for event in again.history.window("organization.", "prefix").after(0)]
    assert kept == node.ids
    assert again.gaps == []


@pytest_twisted.ensureDeferred
async def test_stopped_and_started_again(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    await bridge.stop()
    assert not bridge.ready
    add(server, 1)
    await bridge.start()
    await harness.eventually(lambda: node.args == [1])


@pytest_twisted.ensureDeferred
async def test_without_offsets_written_the_same_ids_come_again(harness: Any, nodes: Nodes) -> None:
    """As after kill -9: entries since the last write are delivered again, and clients know them by their ids."""
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    file = node.folder / "offsets.json"
    add(server, 1)
    await harness.eventually(file.exists)
    kept = file.read_bytes()
    add(server, 2)
    await harness.eventually(lambda: node.args == [1, 2])
    await bridge.stop()
    assert file.read_bytes() != kept
    file.write_bytes(kept)
    again = nodes.node()
    await nodes.reading(again, server)
    await harness.eventually(lambda: again.published)
    assert again.published == node.published[-len(again.published) :]


@pytest_twisted.ensureDeferred
async def test_two_nodes_read_everything_each(harness: Any, nodes: Nodes) -> None:
    server, one, two = harness.server(), nodes.node("one"), nodes.node("two")
    await nodes.reading(one, server)
    await nodes.reading(two, server)
    add_many(server, 500)
    await harness.eventually(lambda: len(one.published) == len(two.published) == 500)
    assert one.published == two.published
    assert one.args == list(range(1, 501))


@pytest_twisted.ensureDeferred
async def test_one_state_folder_for_two_is_refused(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    await nodes.reading(node, server)
    with pytest.raises(OffsetsInUse):
        await node.bridge(server).start()


@pytest_twisted.ensureDeferred
async def test_an_unreadable_file_does_not_stop_it(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    node.folder.mkdir()
    (node.folder / "offsets.json").write_text('{"format":1,"str')
    bridge = await nodes.reading(node, server)
    add(server, 1)
    await harness.eventually(lambda: node.args == [1])
    assert bridge.counters["offsets_failed"] == 1
    (line,) = harness.log.with_text("can't be used")
    assert "offsets.json.unreadable" in line
    await harness.eventually((node.folder / "offsets.json").exists)


@pytest_twisted.ensureDeferred
async def test_a_disk_that_can_not_be_written_is_said_once(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server)
    (node.folder / "offsets.json.new").mkdir()
    for number in range(2):
        add(server, number)
        await harness.eventually(lambda: bridge.counters["offsets_failed"] > number, 5)  # noqa: B023 - awaited at once
    assert len(harness.log.with_text("can't be written")) == 1
    assert node.args == [0, 1]
    (node.folder / "offsets.json.new").rmdir()


@pytest_twisted.ensureDeferred
async def test_several_streams(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    rules = [PlainStreamRule(f"stream{number}", f"organization.{number}") for number in range(5)]
    await nodes.reading(node, server, *rules)
    for number in range(50):
        add(server, number, stream=f"stream{number % 5}")
    await harness.eventually(lambda: len(node.published) == 50)
    for stream in range(5):
        mine = [args[0] for topic, args, _, _ in node.published if topic == f"organization.{stream}"]
        assert mine == list(range(stream, 50, 5))
    assert len(set(node.ids)) == 50


@pytest_twisted.ensureDeferred
async def test_two_rules_for_one_stream(harness: Any, nodes: Nodes) -> None:
    """Each makes its event, with an id of its own; what one of them can read is no poison."""
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server, PlainStreamRule(*RULE), PlainStreamRule("news", "organization.all"))
    add(server, 1)
    add(server, 2, topic="elsewhere")
    await harness.eventually(lambda: len(node.published) == 3)
    assert [(topic, args) for topic, args, _, _ in node.published] == [
        ("organization.7", [1]),
        ("organization.all", [1]),
        ("organization.all", [2]),
    ]
    assert len(set(node.ids)) == 3
    assert bridge.counters["dead_letters"] == 0


@pytest_twisted.ensureDeferred
async def test_a_database_is_chosen(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = node.bridge(server, url=f"{server.url}/3", oldest=True)
    server.command(
        "EVAL",
        "redis.call('SELECT', 3) redis.call('XADD', 'news', '*', 'topic', 'organization.7', 'payload', '1')",
        "0",
    )
    await bridge.start()
    assert node.args == [1]
    await bridge.stop()


@pytest_twisted.ensureDeferred
async def test_poison_goes_to_the_dead_letters_once(harness: Any, nodes: Nodes) -> None:
    server, one, two = harness.server(), nodes.node("one"), nodes.node("two")
    first, second = await nodes.reading(one, server), await nodes.reading(two, server)
    poison = [
        server.command("XADD", "news", "*", "topic", "organization.7", "payload", payload).split(b"\r\n")[1].decode()
        for payload in (b"\x80\x04\x95 a pickle s3cret", b"{", b"[" * 100 + b"]" * 100, b'"' + b"x" * (1 << 20) + b'"')
    ]
    add(server, "after")
    await harness.eventually(lambda: one.args == two.args == ["after"])
    await harness.eventually(lambda: first.counters["dead_letters"] + second.counters["dead_letters"] == len(poison))
    await harness.pause(0.3)
    assert dead_letters(server) == poison
    assert first.counters["dead_letters"] + second.counters["dead_letters"] == len(poison)
    letters = server.command("XRANGE", "news:dead", "-", "+")
    assert b"wampgate.reason" in letters
    assert b"undecodable" in letters
    assert b"a pickle s3cret" in letters
    # What is too large is not copied.
    assert len(letters) < 1 << 20
    assert first.counters["undecodable"] == 2
    assert not any("s3cret" in line for line in harness.log.lines)
    # A node that begins at the beginning finds the letters there.
    third = await nodes.reading(nodes.node("three"), server, oldest=True)
    assert third.counters["dead_letters"] == 0
    assert third.counters["dead_letter_failed"] == 0
    assert dead_letters(server) == poison


@pytest_twisted.ensureDeferred
async def test_dead_letters_that_are_refused_are_counted(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    server.command("SET", "news:dead", "something else")
    bridge = await nodes.reading(node, server)
    for _ in range(2):
        server.command("XADD", "news", "*", "topic", "organization.7", "payload", "{")
    add(server, "after")
    await harness.eventually(lambda: bridge.counters["dead_letter_failed"] == 2)
    assert node.args == ["after"]
    assert len(harness.log.with_text("no dead letter can be written")) == 1


@pytest_twisted.ensureDeferred
async def test_no_dead_letters_where_none_are_wanted(harness: Any, nodes: Nodes) -> None:
    server, node = harness.server(), nodes.node()
    bridge = await nodes.reading(node, server, dead_letter_suffix=None)
    server.command("XADD", "news", "*", "topic", "organization.7", "payload", "{")
    add(server, "after")
    await harness.eventually(lambda: node.args == ["after"])
    assert server.command("EXISTS", "news:dead") == b":0\r\n"
    assert bridge.counters["undecodable"] == 1
