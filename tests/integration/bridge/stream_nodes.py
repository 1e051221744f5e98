"""What tests of streams share: nodes with a bridge and a history each, and how entries come into a stream."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor

from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.stream_offsets import StreamOffsets
from wampgate.bridge.streams import StreamBridge
from wampgate.core.history import History
from wampgate.core.topics import HistoryOptions, TopicOptions, Topics
from wampgate.core.uri import is_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from redis_server import RedisServer

    from wampgate.bridge.templates import TopicPattern

RULE = ("news", "organization.{organization}")


class Node:
    """What one router has: what it published with its ids, its history, what it was told is missing."""

    def __init__(self, folder: Path, count: int = 1_000) -> None:
        self.folder = folder
        self.published: list[tuple[str, list[Any], dict[str, Any], int]] = []
        self.gaps: list[tuple[Sequence[TopicPattern], float]] = []
        self.topics = Topics([TopicOptions("organization.", "prefix", history=HistoryOptions(count=count))])
        self.history = History(self.topics)

    def publish(self, topic: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **how: Any) -> int:
        assert is_uri(topic)
        self.published.append((topic, list(args), dict(kwargs or {}), how["publication"]))
        return int(how["publication"])

    def tell_gap(self, topics: Sequence[TopicPattern], *, since: float) -> None:
        self.gaps.append((topics, since))

    @property
    def args(self) -> list[Any]:
        return [args[0] for _, args, _, _ in self.published]

    @property
    def ids(self) -> list[int]:
        return [publication for _, _, _, publication in self.published]

    def bridge(self, server: RedisServer, *rules: PlainStreamRule, url: str = "", **options: Any) -> StreamBridge:
        return StreamBridge(
            reactor,
            "test",
            url or server.url,
            rules or (PlainStreamRule(*RULE),),
            self,
            offsets=StreamOffsets(self.folder / "offsets.json"),
            **({"ping_seconds": 0.4, "history": self.history, "tell_gap": self.tell_gap} | options),
        )


class Nodes:
    """A test's nodes; all bridges are stopped when it ends."""

    def __init__(self, harness: Any, folder: Path) -> None:
        self.harness = harness
        self._folder = folder
        self._bridges: list[StreamBridge] = []

    def node(self, name: str = "one", **options: Any) -> Node:
        return Node(self._folder / name, **options)

    async def reading(self, node: Node, server: RedisServer, *rules: PlainStreamRule, **options: Any) -> StreamBridge:
        bridge = node.bridge(server, *rules, **options)
        self._bridges.append(bridge)
        await bridge.start()
        await self.harness.eventually(lambda: bridge.ready)
        return bridge

    async def end(self) -> None:
        for bridge in self._bridges:
            await bridge.stop()


def add(
    server: RedisServer, number: object, *, stream: str = "news", entry: str = "*", topic: str = "organization.7"
) -> str:
    """XADD; the entry's id."""
    reply = server.command("XADD", stream, entry, "topic", topic, "payload", json.dumps([number]))
    assert reply.startswith(b"$"), reply
    return reply.split(b"\r\n")[1].decode()


def add_many(server: RedisServer, count: int, *, first: int = 1, stream: str = "news") -> None:
    script = (
        "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do "
        "redis.call('XADD', KEYS[1], '*', 'topic', 'organization.' .. i % 7, 'payload', '[' .. i .. ']') end"
    )
    reply = server.command("EVAL", script, "1", stream, str(first), str(first + count - 1))
    assert reply == b"$-1\r\n", reply


def dead_letters(server: RedisServer, stream: str = "news:dead") -> list[str]:
    """The ids of a stream's entries."""
    return re.findall(r"^(\d+-\d+)\r$", server.command("XRANGE", stream, "-", "+").decode("latin1"), re.MULTILINE)
